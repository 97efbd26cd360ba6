/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Platforms. A machine runs a list of variants, from the most capable to the least; an image is compared with each. */
#include <string.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-platform.h"

#define WORD_MAX 64

static const JsonField platform_fields[] = {
        JSON_ROW("os", json_kind_string, OciPlatform, os, 0),
        JSON_ROW("architecture", json_kind_string, OciPlatform, architecture, 0),
        JSON_ROW("variant", json_kind_string, OciPlatform, variant, 0),
        {},
};

static void platform_done(void *p) {
        oci_platform_done(p);
}

const JsonStruct oci_platform_type = {
        .size = sizeof(OciPlatform),
        .fields = platform_fields,
        .flags = JSON_OPEN,
        .done = platform_done,
};

#if defined(__x86_64__)
#define HOST_ARCHITECTURE "amd64"
#elif defined(__i386__)
#define HOST_ARCHITECTURE "386"
#elif defined(__aarch64__)
#define HOST_ARCHITECTURE "arm64"
#define HOST_VARIANT      "v8"
#elif defined(__arm__)
#define HOST_ARCHITECTURE "arm"
#define HOST_VARIANT      (__ARM_ARCH >= 8 ? "v8" : __ARM_ARCH >= 7 ? "v7" : __ARM_ARCH >= 6 ? "v6" : "v5")
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define HOST_ARCHITECTURE "ppc64le"
#elif defined(__powerpc64__)
#define HOST_ARCHITECTURE "ppc64"
#elif defined(__s390x__)
#define HOST_ARCHITECTURE "s390x"
#elif defined(__riscv) && __riscv_xlen == 64
#define HOST_ARCHITECTURE "riscv64"
#elif defined(__loongarch64)
#define HOST_ARCHITECTURE "loong64"
#else
#define HOST_ARCHITECTURE "unsupported"
#endif
#ifndef HOST_VARIANT
#define HOST_VARIANT ""
#endif

/**
 * oci_platform_done() - free the members
 * @p: may be half-filled
 */
void oci_platform_done(OciPlatform *p) {
        free(p->os);
        free(p->architecture);
        free(p->variant);
        *p = (OciPlatform){};
}

static int make(const char *os, const char *architecture, const char *variant, OciPlatform *ret) {
        OciPlatform p = { strdup(os), strdup(architecture), strdup(variant) };

        if (!p.os || !p.architecture || !p.variant) {
                oci_platform_done(&p);
                return -ENOMEM;
        }
        *ret = p;
        return 0;
}

/**
 * oci_platform_host() - the machine we were built for
 * @ret: oci_platform_done() it
 *
 * Return: 0, -ENOMEM.
 */
int oci_platform_host(OciPlatform *ret) {
        return make("linux", HOST_ARCHITECTURE, HOST_VARIANT, ret);
}

static bool is_word(const char *s) {
        size_t n = strlen(s);

        return n > 0 && n <= WORD_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/**
 * oci_platform_from_string() - read OS/ARCHITECTURE[/VARIANT]
 * @s:   from a user
 * @ret: oci_platform_done() it
 * @e:   says what is wrong
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int oci_platform_from_string(const char *s, OciPlatform *ret, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *slashed = NULL;
        size_t n;

        /* strv_split() drops empty words; "//" must not pass */
        slashed = strf("/%s/", s);
        if (!slashed || strv_split(s, "/", &words) < 0)
                return error_oom(e);
        n = strv_length(words);
        if (n < 2 || n > 3 || strstr(slashed, "//"))
                return error_setf(e, -EINVAL,
                                  "platform '%.100s': write OS/ARCHITECTURE[/VARIANT], as linux/arm64", s);
        STRV_FOREACH (w, words)
                if (!is_word(*w))
                        return error_setf(e, -EINVAL,
                                          "platform '%.100s': '%.100s' is no word of a-z, 0-9 and ._-", s,
                                          *w);
        return make(words[0], words[1], n == 3 ? words[2] : "", ret) < 0 ? error_oom(e) : 0;
}

/**
 * oci_platform_to_string() - for messages
 * @p:   of an image; members may be NULL
 * @ret: as "linux/arm/v7"; the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int oci_platform_to_string(const OciPlatform *p, char **ret) {
        const char *variant = str_or(p->variant, "");

        *ret = strf("%.64s/%.64s%s%.64s", str_or(p->os, ""), str_or(p->architecture, ""), *variant ? "/" : "",
                    variant);
        return *ret ? 0 : -ENOMEM;
}

/**
 * oci_platform_is_set() - does an image say what it is for?
 * @p: of an image
 *
 * Return: false if neither the system nor the architecture is given.
 */
bool oci_platform_is_set(const OciPlatform *p) {
        return (p->os && *p->os) || (p->architecture && *p->architecture);
}

/**
 * oci_platform_is_unknown() - is this an entry that no machine runs?
 * @p: of an image
 *
 * BuildKit puts attestations into an index as images for "unknown/unknown".
 *
 * Return: true for the system "unknown".
 */
bool oci_platform_is_unknown(const OciPlatform *p) {
        return streq_ptr(p->os, "unknown");
}

/**
 * oci_platform_variants() - what a machine runs, best first
 * @p:   a machine; without a variant, the usual one of today (arm: v7, arm64: v8)
 * @ret: static strings, except the variant itself when it is not one we know an order for
 *
 * Return: how many; at least 1.
 */
unsigned oci_platform_variants(const OciPlatform *p, const char *ret[OCI_PLATFORM_VARIANTS_MAX]) {
        static const char *const arm[] = { "v8", "v7", "v6", "v5", "" };
        const char *variant = str_or(p->variant, "");
        unsigned n = 0, first = 0;

        if (streq(p->architecture, "arm")) {
                if (!*variant)
                        variant = "v7";
                while (first < ELEMENTSOF(arm) && !streq(arm[first], variant))
                        first++;
                for (unsigned i = first; i < ELEMENTSOF(arm); i++)
                        ret[n++] = arm[i];
                if (n > 0)
                        return n;
        }
        if (streq(p->architecture, "arm64") && (!*variant || streq(variant, "v8"))) {
                ret[n++] = "v8";
                ret[n++] = "";
                return n;
        }
        if (streq(p->architecture, "amd64") &&
            (!*variant || streq(variant, "v1"))) { /* two words for one thing */
                ret[n++] = "";
                ret[n++] = "v1";
                return n;
        }
        ret[n++] = variant;
        if (*variant)
                ret[n++] = "";
        return n;
}

/**
 * oci_platform_rank() - how well does an image suit a machine?
 * @host:  os and architecture are set
 * @image: from an index or a config; members may be NULL
 *
 * Return: 0 it does not; else more is better.
 */
unsigned oci_platform_rank(const OciPlatform *host, const OciPlatform *image) {
        const char *variants[OCI_PLATFORM_VARIANTS_MAX];
        unsigned n;

        if (!streq_ptr(host->os, image->os) || !streq_ptr(host->architecture, image->architecture))
                return 0;
        n = oci_platform_variants(host, variants);
        for (unsigned i = 0; i < n; i++)
                if (streq(variants[i], str_or(image->variant, "")))
                        return n - i;
        return 0;
}

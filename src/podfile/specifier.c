/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Specifiers: a closed set, everything else is an error. */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/hex.h"
#include "basic/str.h"
#include "podfile/specifier.h"

/**
 * specifiers_done() - free what was read
 * @s: the borrowed names are left alone
 */
void specifiers_done(Specifiers *s) {
        free(s->host_name);
        free(s->machine_id);
        free(s->boot_id);
        s->host_name = s->machine_id = s->boot_id = NULL;
}

/* An ID of 32 hex digits, with or without "-". */
static int read_id(const char *path, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size, n = 0;
        int r;

        if (*ret)
                return 0;
        r = file_read_at(AT_FDCWD, path, 128, &text, &size);
        if (r < 0)
                return r;
        for (size_t i = 0; i < size && text[i] != '\n'; i++)
                if (text[i] != '-')
                        text[n++] = text[i];
        if (n != 32)
                return -EBADMSG;
        text[n] = '\0';
        if (!hex_is_valid(text))
                return -EBADMSG;
        *ret = TAKE_PTR(text);
        return 0;
}

static int read_host_name(char **ret) {
        struct utsname u;

        if (*ret)
                return 0;
        if (uname(&u) < 0)
                return -errno;
        return str_replace(ret, u.nodename);
}

static const char *architecture(void) {
#if defined(__x86_64__)
        return "x86-64";
#elif defined(__i386__)
        return "x86";
#elif defined(__aarch64__)
        return "arm64";
#elif defined(__arm__)
        return "arm";
#elif defined(__riscv) && __riscv_xlen == 64
        return "riscv64";
#elif defined(__s390x__)
        return "s390x";
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return "ppc64-le";
#else
        return "unknown";
#endif
}

/* What a specifier stands for; -EINVAL for one that is not known. */
static int value_of(Specifiers *s, char c, const char **ret) {
        int r = 0;

        switch (c) {
        case 'p': *ret = s->prefix; return 0;
        case 'i': *ret = s->instance; return s->instance ? 0 : -ENODATA;
        case 'N': *ret = s->name; return 0;
        case 'a': *ret = architecture(); return 0;
        case 't': *ret = "/run"; return 0;
        case 'S': *ret = "/var/lib"; return 0;
        case 'L': *ret = "/var/log"; return 0;
        case 'E': *ret = "/etc"; return 0;
        case '%': *ret = "%"; return 0;
        case 'H':
                r = read_host_name(&s->host_name);
                *ret = s->host_name;
                return r;
        case 'm':
                r = read_id("/etc/machine-id", &s->machine_id);
                *ret = s->machine_id;
                return r;
        case 'b':
                r = read_id("/proc/sys/kernel/random/boot_id", &s->boot_id);
                *ret = s->boot_id;
                return r;
        default: return -EINVAL;
        }
}

/* c: where the character stands. Of UTF-8 it is named whole: messages go to terminals and journals. */
static int fail(Error *e, int r, const char *c) {
        int n = *c ? 1 : 0;

        while (n > 0 && n < 4 && (c[n] & 0xc0) == 0x80)
                n++;
        if (r == -ENOMEM)
                return error_oom(e);
        if (r == -ENODATA)
                return error_setf(e, -EINVAL, "%%i has no value, this pod is no template's instance");
        if (r != -EINVAL)
                return error_setf(e, -EINVAL, "the value of %%%.*s cannot be read", n, c);
        if (n == 0)
                return error_setf(e, r, "a single %% at the end (%%%% for the character)");
        return error_setf(
                e, r,
                "unknown specifier %%%.*s (%%p %%i %%N %%H %%m %%b %%a %%t %%S %%L %%E, or %%%% for "
                "the character)",
                n, c);
}

static void add_doubled(StrBuf *b, const char *s) {
        for (; *s; s++)
                strbuf_add_n(b, *s == '%' ? "%%" : s, *s == '%' ? 2 : 1);
}

/**
 * specifier_expand() - replace the "%" words of a text
 * @s:    names of the pod; IDs are read into it when first needed
 * @text: not NULL
 * @mode: what the result is for
 * @ret:  to free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (unknown, or without value), -ENOMEM.
 */
int specifier_expand(Specifiers *s, const char *text, SpecifierMode mode, char **ret, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r;

        if (!strchr(text, '%')) {
                *ret = strdup(text);
                return *ret ? 0 : error_oom(e);
        }
        for (;;) {
                size_t n = strcspn(text, "%");
                const char *value = NULL;
                bool is_ours;

                strbuf_add_n(&b, text, n);
                text += n;
                if (*text == '\0')
                        break;
                is_ours = text[1] && strchr("piN", text[1]);
                if (mode == SPECIFIER_HOST && !is_ours && text[1] && strchr("Hmb", text[1]))
                        value = ""; /* systemd reads it */
                else {
                        r = value_of(s, text[1], &value);
                        if (r < 0)
                                return fail(e, r, text + 1);
                }
                if (mode == SPECIFIER_HOST && !is_ours)
                        strbuf_add_n(&b, text, 2);
                else if (mode == SPECIFIER_PLAIN)
                        strbuf_add(&b, value);
                else
                        add_doubled(&b, value);
                text += 2;
        }
        return strbuf_steal(&b, ret) < 0 ? error_oom(e) : 0;
}

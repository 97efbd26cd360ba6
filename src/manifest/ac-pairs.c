/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of names and values: labels, annotations, environment; and the rows of manifest tables for the small types. */
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "manifest/ac-types.h"

/**
 * ac_pairs_get() - value by name
 * @pairs: may be NULL
 * @n:     how many
 * @name:  exact
 *
 * Return: NULL if there is none.
 */
const char *ac_pairs_get(const AcPair *pairs, size_t n, const char *name) {
        FOREACH_ARRAY (p, pairs, n)
                if (streq(p->name, name))
                        return p->value;
        return NULL;
}

/**
 * ac_pairs_set() - set a value: in place if the name is there, else at the end
 * @pairs: list, may point to NULL
 * @n:     how many
 * @name:  copied
 * @value: copied
 *
 * Return: 0, -ENOMEM.
 */
int ac_pairs_set(AcPair **pairs, size_t *n, const char *name, const char *value) {
        _cleanup_free_ char *new_name = NULL, *new_value = NULL;

        new_value = strdup(value);
        if (!new_value)
                return -ENOMEM;
        FOREACH_ARRAY (p, *pairs, *n)
                if (streq(p->name, name)) {
                        free(p->value);
                        p->value = TAKE_PTR(new_value);
                        return 0;
                }
        new_name = strdup(name);
        if (!new_name || !GREEDY_GROW(*pairs, *n) || !*pairs)
                return -ENOMEM;
        (*pairs)[(*n)++] = (AcPair){ TAKE_PTR(new_name), TAKE_PTR(new_value) };
        return 0;
}

/**
 * ac_pairs_free() - free a list
 * @pairs: may be NULL
 * @n:     how many
 */
void ac_pairs_free(AcPair *pairs, size_t n) {
        json_list_free(&ac_pair_type, pairs, n);
}

/**
 * ac_pairs_copy() - copy a list
 * @pairs: may be NULL
 * @n:     how many
 * @ret:   NULL if @n is 0
 * @ret_n: how many
 *
 * Return: 0, -ENOMEM.
 */
int ac_pairs_copy(const AcPair *pairs, size_t n, AcPair **ret, size_t *ret_n) {
        AcPair *copy = NULL;

        if (n > 0) {
                copy = new0(AcPair, greedy_capacity(n));
                if (!copy)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < n; i++) {
                copy[i] = (AcPair){ strdup(pairs[i].name), strdup(pairs[i].value) };
                if (!copy[i].name || !copy[i].value) {
                        ac_pairs_free(copy, i + 1);
                        return -ENOMEM;
                }
        }
        *ret = copy;
        *ret_n = n;
        return 0;
}

static int compare_names(const void *a, const void *b) {
        const AcPair *const *x = a, *const *y = b;

        return strcmp((*x)->name, (*y)->name);
}

/**
 * ac_pairs_find_duplicate() - look for a name that occurs twice
 * @pairs: may be NULL
 * @n:     how many
 * @ret:   the name; set only if there is one
 *
 * Return: 1 found, 0 not, -ENOMEM.
 */
int ac_pairs_find_duplicate(const AcPair *pairs, size_t n, const char **ret) {
        _cleanup_free_ const AcPair **sorted = NULL;

        sorted = new0(const AcPair *, n);
        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                sorted[i] = &pairs[i];
        qsort(sorted, n, sizeof(void *), compare_names);
        for (size_t i = 1; i < n; i++)
                if (streq(sorted[i - 1]->name, sorted[i]->name)) {
                        *ret = sorted[i]->name;
                        return 1;
                }
        return 0;
}

static int check_unique(const AcPair *pairs, size_t n, const char *what, Error *e) {
        const char *name;
        int r;

        r = ac_pairs_find_duplicate(pairs, n, &name);
        if (r > 0)
                return error_setf(e, -ENOTUNIQ, "second %s '%.200s'", what, name);
        return r < 0 ? error_oom(e) : 0;
}

static int check_identifiers(const AcPair *pairs, size_t n, const char *what, Error *e) {
        FOREACH_ARRAY (p, pairs, n)
                if (!ac_identifier_is_valid(p->name))
                        return error_setf(e, -EINVAL, "'%.200s' cannot be the name of %s", p->name, what);
        return 0;
}

/**
 * ac_labels_check() - check the labels of an image
 * @labels: may be NULL
 * @n:      how many
 * @e:      names the label
 *
 * Return: 0; -EINVAL (a name, "name", os or arch), -ENOTUNIQ, -ENOMEM.
 */
int ac_labels_check(const AcPair *labels, size_t n, Error *e) {
        const char *os, *arch;
        int r;

        r = check_identifiers(labels, n, "a label", e);
        if (r < 0)
                return r;
        r = check_unique(labels, n, "label", e);
        if (r < 0)
                return r;
        if (ac_pairs_get(labels, n, "name"))
                return error_setf(e, -EINVAL, "a label cannot be called 'name'");
        os = ac_pairs_get(labels, n, "os");
        arch = ac_pairs_get(labels, n, "arch");
        if (os && !ac_os_arch_is_valid(os, arch))
                return error_setf(e, -EINVAL, "os '%.50s' with arch '%.50s' is not known", os,
                                  str_or(arch, ""));
        return 0;
}

/**
 * ac_labels_match() - does an image have all the labels that are asked for?
 * @wanted:   may be NULL
 * @n_wanted: how many
 * @labels:   of the image, may be NULL
 * @n:        how many
 *
 * Return: true if each wanted label is there with the same value.
 */
bool ac_labels_match(const AcPair *wanted, size_t n_wanted, const AcPair *labels, size_t n) {
        FOREACH_ARRAY (w, wanted, n_wanted)
                if (!streq_ptr(ac_pairs_get(labels, n, w->name), w->value))
                        return false;
        return true;
}

/**
 * ac_annotations_check() - check annotations
 * @annotations: may be NULL
 * @n:           how many
 * @e:           names the annotation
 *
 * Return: 0; -EINVAL (a name, the value of created, homepage or documentation), -ENOTUNIQ, -ENOMEM.
 */
int ac_annotations_check(const AcPair *annotations, size_t n, Error *e) {
        int r;

        r = check_identifiers(annotations, n, "an annotation", e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (a, annotations, n) {
                bool is_url = streq(a->name, "homepage") || streq(a->name, "documentation");

                if (streq(a->name, "created") && ac_date_parse(a->value, NULL) < 0)
                        return error_setf(e, -EINVAL, "'%.100s' is no RFC 3339 time for 'created'", a->value);
                if (is_url && !ac_url_is_valid(a->value))
                        return error_setf(e, -EINVAL, "'%.100s' is no http or https URL for '%s'", a->value,
                                          a->name);
        }
        return check_unique(annotations, n, "annotation", e);
}

/**
 * ac_environment_check() - check environment variables
 * @environment: may be NULL
 * @n:           how many
 * @e:           names the variable
 *
 * Return: 0; -EINVAL (a name), -ENOTUNIQ, -ENOMEM.
 */
int ac_environment_check(const AcPair *environment, size_t n, Error *e) {
        FOREACH_ARRAY (v, environment, n)
                if (!ac_environment_name_is_valid(v->name))
                        return error_setf(e, -EINVAL, "'%.200s' cannot be the name of a variable", v->name);
        return check_unique(environment, n, "variable", e);
}

/* appc name, Go name, Go variant; NULL: Go has none. */
static const struct {
        const char *os, *arch, *go_arch, *go_variant;
} arch_table[] = {
        { "linux", "amd64", "amd64", "" },     { "linux", "i386", "386", "" },
        { "linux", "aarch64", "arm64", "" },   { "linux", "aarch64_be", NULL, NULL },
        { "linux", "armv6l", "arm", "6" },     { "linux", "armv7l", "arm", "7" },
        { "linux", "armv7b", NULL, NULL },     { "linux", "ppc64", "ppc64", "" },
        { "linux", "ppc64le", "ppc64le", "" }, { "linux", "s390x", "s390x", "" },
        { "freebsd", "amd64", "amd64", "" },   { "freebsd", "i386", "386", "" },
        { "freebsd", "arm", "arm", "6" },      { "darwin", "x86_64", "amd64", "" },
        { "darwin", "i386", "386", "" },
};

/**
 * ac_os_arch_is_valid() - does the standard know this pair?
 * @os:   not NULL
 * @arch: NULL: any
 *
 * Return: true if it does.
 */
bool ac_os_arch_is_valid(const char *os, const char *arch) {
        FOREACH_ARRAY (t, arch_table, ELEMENTSOF(arch_table))
                if (streq(t->os, os) && (!arch || streq(t->arch, arch)))
                        return true;
        return false;
}

/**
 * ac_host_os() - the label "os" of images that run here
 *
 * Return: a static string.
 */
const char *ac_host_os(void) {
        return "linux";
}

/**
 * ac_host_arch() - the label "arch" of images that run here
 *
 * Return: a static string.
 */
const char *ac_host_arch(void) {
#if defined(__x86_64__)
        return "amd64";
#elif defined(__i386__)
        return "i386";
#elif defined(__aarch64__) && defined(__AARCH64EB__)
        return "aarch64_be";
#elif defined(__aarch64__)
        return "aarch64";
#elif defined(__arm__) && defined(__ARMEB__)
        return "armv7b";
#elif defined(__arm__)
        return __ARM_ARCH >= 7 ? "armv7l" : "armv6l";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
        return "ppc64le";
#elif defined(__powerpc64__)
        return "ppc64";
#elif defined(__s390x__)
        return "s390x";
#else
        return "unknown";
#endif
}

/**
 * ac_arch_from_go() - an architecture as Go and Docker call it to the standard's name
 * @os:       not NULL
 * @arch:     as "arm"
 * @variant:  as "7" or "v7"; "" or NULL: none
 * @ret_arch: static
 *
 * Return: 0, -ENXIO (not known).
 */
int ac_arch_from_go(const char *os, const char *arch, const char *variant, const char **ret_arch) {
        const char *v = str_or(variant, "");

        v += *v == 'v';
        FOREACH_ARRAY (t, arch_table, ELEMENTSOF(arch_table)) {
                bool any = streq(os, "freebsd") && strchr("567", *v) && !(*v && v[1]);
                bool plain = !*v && streq(arch, "arm") && streq_ptr(t->go_variant, "6");
                bool v8 = streq(arch, "arm64") && streq(v, "8");

                if (!t->go_arch || !streq(t->os, os) || !streq(t->go_arch, arch))
                        continue;
                if (!streq(t->go_variant, v) && !plain && !v8 && !(any && streq(arch, "arm")))
                        continue;
                *ret_arch = t->arch;
                return 0;
        }
        return -ENXIO;
}

/**
 * ac_arch_to_go() - an architecture as the standard calls it to the names of Go and Docker
 * @os:          not NULL
 * @arch:        not NULL
 * @ret_arch:    static
 * @ret_variant: static, "" if there is none
 *
 * Return: 0, -ENXIO (not known there).
 */
int ac_arch_to_go(const char *os, const char *arch, const char **ret_arch, const char **ret_variant) {
        FOREACH_ARRAY (t, arch_table, ELEMENTSOF(arch_table))
                if (streq(t->os, os) && streq(t->arch, arch) && t->go_arch) {
                        *ret_arch = t->go_arch;
                        *ret_variant = t->go_variant;
                        return 0;
                }
        return -ENXIO;
}

static void pair_done(void *p) {
        AcPair *pair = p;

        free(pair->name);
        free(pair->value);
}

/* A list that was read has no NULL in it: a value that is absent is "". */
static int pair_check(void *p, Error *e) {
        AcPair *pair = p;

        if (!pair->value)
                pair->value = strdup("");
        return pair->value ? 0 : error_oom(e);
}

static const JsonField pair_fields[] = {
        JSON_ROW("name", json_kind_string, AcPair, name, JSON_MANDATORY | JSON_ALWAYS),
        JSON_ROW("value", json_kind_string, AcPair, value, JSON_ALWAYS),
        {},
};
const JsonStruct ac_pair_type = {
        .size = sizeof(AcPair),
        .fields = pair_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = pair_done,
        .check = pair_check,
};

static int compare_pairs(const void *a, const void *b) {
        return strcmp(((const AcPair *) a)->name, ((const AcPair *) b)->name);
}

static int set_map(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        size_t n = json_length(v), i = 0;
        AcPair *pairs;
        int r = 0;

        if (n == 0)
                return 0;
        pairs = new0(AcPair, greedy_capacity(n));
        if (!pairs)
                return error_oom(e);
        JSON_FOREACH (m, v) {
                r = json_expect(m, JSON_STRING, e);
                if (r < 0)
                        break;
                pairs[i] = (AcPair){ strdup(json_key(m)), strdup(json_text(m)) };
                if (!pairs[i].name || !pairs[i].value) {
                        r = error_oom(e);
                        break;
                }
                i++;
        }
        if (r < 0) {
                ac_pairs_free(pairs, n);
                return r;
        }
        qsort(pairs, n, sizeof(*pairs), compare_pairs);
        memcpy(p, &pairs, sizeof(void *));
        memcpy((char *) p + sizeof(void *), &n, sizeof(n));
        return 0;
}

static void write_map(const JsonField *f, JsonWriter *w, const void *p) {
        const AcPair *pairs;
        size_t n;

        memcpy(&pairs, p, sizeof(void *));
        memcpy(&n, (const char *) p + sizeof(void *), sizeof(n));
        json_write_begin_object(w);
        FOREACH_ARRAY (i, pairs, n) {
                json_write_key(w, i->name);
                json_write_string(w, i->value);
        }
        json_write_end_object(w);
}

static bool map_is_unset(const void *p) {
        const AcPair *pairs;

        memcpy(&pairs, p, sizeof(void *));
        return !pairs;
}

const JsonKind ac_kind_map = { JSON_OBJECT, set_map, write_map, map_is_unset };

static int set_checked(const JsonField *f, const JsonValue *v, void *p, bool valid, const char *what,
                       Error *e) {
        if (!valid)
                return error_setf(e, -EINVAL, "'%.200s' is no %s (byte %zu)", json_text(v), what,
                                  json_offset(v));
        return json_kind_string.set(f, v, p, e);
}

static void write_string(const JsonField *f, JsonWriter *w, const void *p) {
        json_kind_string.write(f, w, p);
}

static bool string_is_unset(const void *p) {
        return json_kind_string.is_unset(p);
}

static int set_identifier(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return set_checked(f, v, p, ac_identifier_is_valid(json_text(v)), "AC Identifier", e);
}
const JsonKind ac_kind_identifier = { JSON_STRING, set_identifier, write_string, string_is_unset };

static int set_name(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return set_checked(f, v, p, ac_name_is_valid(json_text(v)), "AC Name", e);
}
const JsonKind ac_kind_name = { JSON_STRING, set_name, write_string, string_is_unset };

static int set_image_id(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return set_checked(f, v, p, ac_image_id_is_prefix(json_text(v)), "image ID (sha512- and hex digits)",
                           e);
}
const JsonKind ac_kind_image_id = { JSON_STRING, set_image_id, write_string, string_is_unset };

static int set_path(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return set_checked(f, v, p, ac_path_is_valid(json_text(v)), "absolute path without '..'", e);
}
const JsonKind ac_kind_path = { JSON_STRING, set_path, write_string, string_is_unset };

static int set_version(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        char *version;
        int r;

        r = ac_version_normalize(json_text(v), &version);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_setf(e, r, "'%.200s' is no version as 0.8.11 (byte %zu)", json_text(v),
                                  json_offset(v));
        memcpy(p, &version, sizeof(version));
        return 0;
}
const JsonKind ac_kind_version = { JSON_STRING, set_version, write_string, string_is_unset };

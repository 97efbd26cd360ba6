/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image references, as typed. The forms are told apart by the text alone, never by what happens to lie in the current
 * directory: a bare word cannot mean one thing today and another tomorrow. */
#include <ctype.h>

#include "basic/hex.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-name.h"

#define ID_HEX_MIN 2
#define ID_HEX_MAX 128

/**
 * image_name_free() - free a reference
 * @n: may be NULL
 *
 * Return: NULL.
 */
ImageName *image_name_free(ImageName *n) {
        if (!n)
                return NULL;
        FOREACH_ARRAY (l, n->labels, n->n_labels) {
                free(l->name);
                free(l->value);
        }
        free(n->labels);
        free(n->text);
        oci_name_free(n->oci);
        free(n);
        return NULL;
}

/**
 * image_identifier_check() - is this an AC Identifier that is also safe as a relative path
 * @s: any string
 *
 * Lower-case letters, digits and -._~/, a letter or digit at both ends. Beyond appc's reference, which accepts
 * "example.com/../../etc", no component may be empty or consist of dots. (The pattern in appc's text would refuse its
 * own example "example.com/~bob/database".)
 *
 * Return: 0, -EINVAL.
 */
int image_identifier_check(const char *s) {
        bool only_dots = true;
        char last = '/';

        if (!*s || strchr("-._~/", *s))
                return -EINVAL;
        for (const char *p = s; *p; p++) {
                if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && !strchr("-._~/", *p))
                        return -EINVAL;
                if (*p == '/' && only_dots)
                        return -EINVAL;
                only_dots = *p == '/' || (only_dots && *p == '.');
                last = *p;
        }
        return strchr("-._~/", last) ? -EINVAL : 0;
}

/**
 * image_name_label() - the value of a label
 * @n:     a reference
 * @label: its name
 *
 * Return: the value, or NULL.
 */
const char *image_name_label(const ImageName *n, const char *label) {
        FOREACH_ARRAY (l, n->labels, n->n_labels)
                if (streq(l->name, label))
                        return l->value;
        return NULL;
}

/**
 * image_name_set_label() - add a label, unless there is one of that name
 * @n:     a reference
 * @label: its name
 * @value: copied
 *
 * Return: 0 (added), -EEXIST, -ENOMEM.
 */
int image_name_set_label(ImageName *n, const char *label, const char *value) {
        _cleanup_free_ char *k = NULL, *v = NULL;

        if (image_name_label(n, label))
                return -EEXIST;
        k = strdup(label);
        v = strdup(value);
        if (!k || !v || !GREEDY_GROW(n->labels, n->n_labels))
                return -ENOMEM;
        n->labels[n->n_labels++] = (ImageLabel){ TAKE_PTR(k), TAKE_PTR(v) };
        return 0;
}

static int parse_label(ImageName *n, const char *reference, char *item, Error *e) {
        char *eq = strchr(item, '=');
        int r;

        if (!eq || eq == item)
                return error_setf(e, -EINVAL, "invalid image string \"%s\": '%s' is not label=value",
                                  reference, item);
        *eq = 0;
        if (image_identifier_check(item) < 0)
                return error_setf(e, -EINVAL,
                                  "invalid image string \"%s\": '%s' cannot be the name of a label",
                                  reference, item);
        if (streq(item, "name"))
                return error_setf(e, -EINVAL, "invalid image string \"%s\": a label cannot be called 'name'",
                                  reference);
        if (!*(eq + 1))
                return error_setf(e, -EINVAL, "invalid image string \"%s\": label '%s' has no value",
                                  reference, item);
        if (n->n_labels >= IMAGE_NAME_LABELS_MAX)
                return error_setf(e, -E2BIG, "invalid image string \"%s\": more than %d labels", reference,
                                  IMAGE_NAME_LABELS_MAX);
        r = image_name_set_label(n, item, eq + 1);
        if (r == -EEXIST)
                return error_setf(e, -EINVAL, "invalid image string \"%s\": label '%s' is given twice",
                                  reference, item);
        return r < 0 ? error_oom(e) : 0;
}

/* NAME[:VERSION][,label=value]... Values may contain '='; a ':' stands once and before any comma. */
static int parse_appc(ImageName *n, const char *s, Error *e) {
        _cleanup_strv_free_ char **items = NULL;
        char *colon;
        int r;

        if (strstr(s, ",,") || endswith(s, ","))
                return error_setf(e, -EINVAL, "invalid image string \"%s\": a label is empty", s);
        if (strchr(s, ',') && strchr(strchr(s, ','), ':'))
                return error_setf(e, -EINVAL, "invalid image string \"%s\": a ':' cannot stand after a ','",
                                  s);
        r = strv_split(s, ",", &items);
        if (r < 0)
                return error_oom(e);
        if (!items || !items[0] || *s == ',')
                return error_setf(e, -EINVAL, "invalid image string \"%s\": there is no name", s);
        colon = strchr(items[0], ':');
        if (colon) {
                *colon = 0;
                if (!colon[1] || strchr(colon + 1, ':'))
                        return error_setf(e, -EINVAL, "invalid image string \"%s\": write NAME:VERSION", s);
                if (image_name_set_label(n, "version", colon + 1) < 0)
                        return error_oom(e);
        }
        if (image_identifier_check(items[0]) < 0)
                return error_setf(
                        e, -EINVAL,
                        "invalid image string \"%s\": a name has lower-case letters and digits, with single "
                        "-._~/ between them",
                        s);
        STRV_FOREACH (i, items + 1) {
                r = parse_label(n, s, *i, e);
                if (r < 0)
                        return r;
        }
        return str_replace(&n->text, items[0]) < 0 ? error_oom(e) : 0;
}

static int parse_id(ImageName *n, const char *s, const char *hex, Error *e) {
        size_t length = strlen(hex);

        if (length > 0 && strspn(hex, "0123456789abcdef") != length)
                return error_setf(e, -EINVAL,
                                  "invalid image ID \"%s\": only hex digits 0-9a-f may follow sha512-", s);
        if (length < ID_HEX_MIN)
                return error_setf(e, -EINVAL, "image ID too short: \"%s\" needs %d hex digits or more", s,
                                  ID_HEX_MIN);
        if (length > ID_HEX_MAX)
                return error_setf(e, -EINVAL, "invalid image ID \"%s\": more than %d hex digits", s,
                                  ID_HEX_MAX);
        return str_replace(&n->text, s) < 0 ? error_oom(e) : 0;
}

static int parse_path(ImageName *n, const char *s, const char *path, Error *e) {
        if (!endswith(path, ".aci"))
                return error_setf(e, -EINVAL,
                                  "invalid image string \"%s\": the path of an image must end in .aci", s);
        return str_replace(&n->text, path) < 0 ? error_oom(e) : 0;
}

static bool is_oci(const char *s) {
        static const char *const prefixes[] = { "docker:", "cimd:docker:", "oci:", "oci-archive:",
                                                "docker-archive:" };

        FOREACH_ARRAY (p, prefixes, ELEMENTSOF(prefixes))
                if (startswith(s, *p))
                        return true;
        return false;
}

static int parse_oci(ImageName *n, const char *s, Error *e) {
        int r;

        r = oci_name_parse(s, &n->oci, e);
        if (r < 0)
                return r;
        n->type = n->oci->transport == OCI_TRANSPORT_REGISTRY ? IMAGE_NAME_DOCKER : IMAGE_NAME_OCI;
        return oci_name_to_string(n->oci, &n->text) < 0 ? error_oom(e) : 0;
}

/* A ':' or ',' makes it a name, unless it begins as a path does. */
static bool is_clearly_path(const char *s) {
        return *s == '/' || startswith(s, "./") || startswith(s, "../");
}

static bool is_path(const char *s) {
        if (is_clearly_path(s))
                return true;
        return !strpbrk(s, ":,") && (strstr(s, "/./") || strstr(s, "/../") || endswith(s, ".aci"));
}

static int parse_any(ImageName *n, const char *s, Error *e) {
        const char *rest;

        if ((rest = startswith(s, "sha512-"))) {
                n->type = IMAGE_NAME_ID;
                return parse_id(n, s, rest, e);
        }
        if (startswith(s, "https://") || startswith(s, "http://")) {
                n->type = IMAGE_NAME_URL;
                return str_replace(&n->text, s) < 0 ? error_oom(e) : 0;
        }
        if ((rest = startswith(s, "file://"))) {
                n->type = IMAGE_NAME_PATH;
                if (*rest != '/')
                        return error_setf(e, -EINVAL, "invalid image string \"%s\": write file:///PATH", s);
                return parse_path(n, s, rest, e);
        }
        if (is_oci(s))
                return parse_oci(n, s, e);
        if (startswith(s, "cimd:"))
                return error_setf(
                        e, -EOPNOTSUPP,
                        "image '%.300s': of rkt's cimd: forms only cimd:docker: is known; write the "
                        "NAME:VERSION, the URL or the path that it stands for",
                        s);
        if (strstr(s, "://") && !is_clearly_path(s))
                return error_setf(e, -EINVAL,
                                  "invalid image string \"%s\": images come by https://, http://, file:// or "
                                  "docker://",
                                  s);
        if (is_path(s)) {
                n->type = IMAGE_NAME_PATH;
                return parse_path(n, s, s, e);
        }
        n->type = IMAGE_NAME_APPC;
        return parse_appc(n, s, e);
}

/**
 * image_name_parse() - what a reference means
 * @s:   NUL-terminated, hostile
 * @ret: for image_name_free()
 * @e:   sentence on failure, quoting @s only when it is printable; may be NULL
 *
 * Return: 0, -EINVAL, -E2BIG, -EOPNOTSUPP (an unknown kind of digest, a later cimd:), -ENOMEM.
 */
int image_name_parse(const char *s, ImageName **ret, Error *e) {
        _cleanup_(image_name_freep) ImageName *n = NULL;
        int r;

        if (!*s)
                return error_setf(e, -EINVAL, "an image reference cannot be empty");
        if (strlen(s) > IMAGE_NAME_LENGTH_MAX)
                return error_setf(e, -E2BIG, "an image reference is longer than %d bytes",
                                  IMAGE_NAME_LENGTH_MAX);
        if (!str_is_utf8(s, strlen(s)))
                return error_setf(e, -EINVAL, "an image reference is not valid UTF-8");
        for (const char *p = s; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 127)
                        return error_setf(e, -EINVAL, "an image reference contains a control character");
        n = new0(ImageName, 1);
        if (!n)
                return error_oom(e);
        r = parse_any(n, s, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

/**
 * image_name_to_string() - the canonical text, that image_name_parse() reads back
 * @n:   a reference
 * @ret: for free()
 *
 * Return: 0, -ENOMEM.
 */
int image_name_to_string(const ImageName *n, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        const char *version = image_name_label(n, "version");

        strbuf_add(&b, n->text);
        if (version)
                strbuf_addf(&b, ":%s", version);
        FOREACH_ARRAY (l, n->labels, n->n_labels)
                if (!streq(l->name, "version"))
                        strbuf_addf(&b, ",%s=%s", l->name, l->value);
        return strbuf_steal(&b, ret);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes of a tree. Each different one is kept once, in the bytes in which it will stand in the image's
 * area of shared attributes; each different set of them once, as a list of offsets into that area. */
#include "store/erofs-internal.h"

#include "basic/alloc.h"
#include "basic/str.h"
#include "store/acl.h"
#include "store/erofs-format.h"

#define XATTR_NAME_SIZE_MAX 255 /* of the kernel, prefix and all */

static const struct {
        const char *prefix;
        uint8_t index;
        bool is_whole; /* the prefix is the name */
} prefixes[] = {
        { "user.", EROFS_XATTR_USER, false },
        { ACL_XATTR_ACCESS, EROFS_XATTR_ACL_ACCESS, true },
        { ACL_XATTR_DEFAULT, EROFS_XATTR_ACL_DEFAULT, true },
        { "trusted.", EROFS_XATTR_TRUSTED, false },
        { "security.", EROFS_XATTR_SECURITY, false },
};

/**
 * erofs_xattrs_get() - what is in a set
 * @t:     tree
 * @set:   of a node
 * @ret_n: how many
 *
 * Return: offsets in t->xattrs.data, valid until something is added.
 */
const uint32_t *erofs_xattrs_get(const ErofsTree *t, uint32_t set, size_t *ret_n) {
        const uint32_t *p = (const uint32_t *) (const void *) (t->sets.data + set);

        *ret_n = set == 0 ? 0 : *p;
        return p + 1;
}

/* The attribute in its stored form: length of the name, index of the prefix, size of the value, name, value. */
static int encode(const TarXattr *x, uint8_t **ret, size_t *ret_size, Error *e) {
        char buffer[TAR_NAME_ESCAPED_MAX];

        FOREACH_ARRAY (p, prefixes, ELEMENTSOF(prefixes)) {
                size_t n_prefix = strlen(p->prefix), n_name = strlen(x->name), n;
                uint8_t *data;

                if (!startswith(x->name, p->prefix) || p->is_whole != (n_name == n_prefix))
                        continue;
                n = n_name - n_prefix;
                if (n_name > XATTR_NAME_SIZE_MAX || x->size > UINT16_MAX)
                        break;
                *ret_size = EROFS_XATTR_ENTRY_SIZE + n + x->size;
                data = *ret = malloc(*ret_size);
                if (!data)
                        return error_oom(e);
                data[0] = (uint8_t) n;
                data[1] = p->index;
                put_le16(data + 2, (uint16_t) x->size);
                memcpy(data + EROFS_XATTR_ENTRY_SIZE, x->name + n_prefix, n);
                if (x->size > 0)
                        memcpy(data + EROFS_XATTR_ENTRY_SIZE + n, x->value, x->size);
                return 0;
        }
        return error_setf(
                e, -E2BIG,
                "its attribute '%s' cannot be stored: name or value is too long, or the name unknown",
                tar_name_escape(x->name, buffer));
}

static bool same_name(const uint8_t *a, const uint8_t *b) {
        return a[0] == b[0] && a[1] == b[1] &&
               memcmp(a + EROFS_XATTR_ENTRY_SIZE, b + EROFS_XATTR_ENTRY_SIZE, a[0]) == 0;
}

static int full(int r, Error *e) {
        return r == -E2BIG ? error_setf(e, r, "the image has more than %u bytes of different attributes",
                                        EROFS_XATTRS_MAX)
                           : error_oom(e);
}

/* set: a copy of the set with the attribute in place of one of its name; or, "remove", without. */
static int change(ErofsTree *t, const TarXattr *x, bool remove, uint32_t old, uint32_t *ret, Error *e) {
        uint32_t list[1 + TAR_XATTRS_MAX] = {}, offset = 0;
        _cleanup_free_ uint8_t *data = NULL;
        const uint32_t *ids;
        size_t n, size = 0;
        int r;

        r = encode(x, &data, &size, e);
        if (r >= 0 && !remove) {
                r = intern_add(&t->xattrs, &t->key, data, size, &offset);
                if (r < 0)
                        return full(r, e);
        }
        if (r < 0 || !data)
                return r < 0 ? r : -ENOMEM;
        ids = erofs_xattrs_get(t, old, &n);
        for (size_t i = 0; i < n; i++)
                if (!same_name(t->xattrs.data + ids[i], data))
                        list[1 + list[0]++] = ids[i];
        if (!remove) {
                if (list[0] == TAR_XATTRS_MAX)
                        return error_setf(e, -E2BIG, "it has more than %d attributes", TAR_XATTRS_MAX);
                list[1 + list[0]++] = offset;
        }
        *ret = 0;
        if (list[0] == 0)
                return 0;
        r = intern_add(&t->sets, &t->key, list, (1 + list[0]) * sizeof(*list), ret);
        return r < 0 ? full(r, e) : 0;
}

/**
 * erofs_xattrs_set() - a set with one attribute more, or changed
 * @t:   tree
 * @x:   attribute; here trusted.* is allowed
 * @old: set, stays as it is
 * @ret: set
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int erofs_xattrs_set(ErofsTree *t, const TarXattr *x, uint32_t old, uint32_t *ret, Error *e) {
        return change(t, x, false, old, ret, e);
}

/**
 * erofs_xattrs_unset() - a set without one attribute
 * @t:    tree
 * @name: of it
 * @old:  set, stays as it is
 * @ret:  set
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int erofs_xattrs_unset(ErofsTree *t, const char *name, uint32_t old, uint32_t *ret) {
        _cleanup_free_ char *copy = strdup(name);
        const TarXattr x = { .name = copy, .value = (char[]){ "" } };

        return copy ? change(t, &x, true, old, ret, NULL) : -ENOMEM;
}

/**
 * erofs_xattrs_add() - a set with those of an entry besides
 * @t:     tree
 * @entry: its attributes are those that tar-check.c lets pass; others are refused
 * @old:   set, stays as it is
 * @mode:  an access list determines its nine permission bits, as when the kernel stores one
 * @ret:   set
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM.
 */
int erofs_xattrs_add(ErofsTree *t, const TarEntry *entry, uint32_t old, uint16_t *mode, uint32_t *ret,
                     Error *e) {
        uint32_t set = old;

        FOREACH_ARRAY (x, entry->xattrs, entry->n_xattrs) {
                bool access = streq(x->name, ACL_XATTR_ACCESS);
                char buffer[TAR_NAME_ESCAPED_MAX];
                uint32_t bits = 0;
                int r = 0;

                if (access || streq(x->name, ACL_XATTR_DEFAULT)) {
                        r = acl_check(x->value, x->size, &bits);
                        if (r < 0)
                                return error_setf(e, -EBADMSG, "its access control list is malformed");
                        if (access)
                                *mode = (uint16_t) ((*mode & 07000) | bits);
                } else if (!startswith(x->name, "user.") && !streq(x->name, "security.capability"))
                        return error_setf(e, -EBADMSG, "its attribute '%s' is not allowed",
                                          tar_name_escape(x->name, buffer));
                r = change(t, x, access && r > 0, set, &set, e);
                if (r < 0)
                        return r;
        }
        *ret = set;
        return 0;
}

/**
 * erofs_xattrs_copy() - a set of another tree
 * @t:    tree
 * @from: that other tree
 * @set:  of it
 * @ret:  the same attributes in @t
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int erofs_xattrs_copy(ErofsTree *t, const ErofsTree *from, uint32_t set, uint32_t *ret) {
        uint32_t list[1 + TAR_XATTRS_MAX] = {};
        const uint32_t *ids;
        size_t n;

        *ret = 0;
        ids = erofs_xattrs_get(from, set, &n);
        if (n == 0)
                return 0;
        for (size_t i = 0; i < n; i++) {
                const uint8_t *p = from->xattrs.data + ids[i];
                size_t size = EROFS_XATTR_ENTRY_SIZE + p[0] + get_le16(p + 2);
                int r = intern_add(&t->xattrs, &t->key, p, size, &list[1 + list[0]]);

                if (r < 0)
                        return r;
                list[0]++;
        }
        return intern_add(&t->sets, &t->key, list, (1 + list[0]) * sizeof(*list), ret);
}

/**
 * erofs_xattrs_to_entry() - back to where they came from
 * @t:     tree
 * @set:   of a node
 * @entry: gets them
 *
 * Return: 0, -ENOMEM.
 */
int erofs_xattrs_to_entry(const ErofsTree *t, uint32_t set, TarEntry *entry) {
        const uint32_t *ids;
        size_t n;

        ids = erofs_xattrs_get(t, set, &n);
        for (size_t i = 0; i < n; i++) {
                const uint8_t *p = t->xattrs.data + ids[i];
                _cleanup_free_ char *name = NULL;
                int r;

                FOREACH_ARRAY (x, prefixes, ELEMENTSOF(prefixes))
                        if (x->index == p[1])
                                name = strf("%s%.*s", x->prefix, p[0],
                                            (const char *) p + EROFS_XATTR_ENTRY_SIZE);
                if (!name)
                        return -ENOMEM;
                r = tar_entry_add_xattr(entry, name, (const char *) p + EROFS_XATTR_ENTRY_SIZE + p[0],
                                        get_le16(p + 2));
                if (r < 0)
                        return r;
        }
        return 0;
}

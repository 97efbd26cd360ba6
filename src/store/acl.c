/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See the header. Numbers only: a name in an archive is a name of the machine on which it was made. */
#include "store/acl.h"

#include <stdbool.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/str.h"

#define ACL_VERSION 2
#define ACL_NO_ID   UINT32_MAX

typedef enum AclTag {
        ACL_USER_OBJ = 1,
        ACL_USER = 2,
        ACL_GROUP_OBJ = 4,
        ACL_GROUP = 8,
        ACL_MASK = 16,
        ACL_OTHER = 32,
} AclTag;

typedef struct AclEntry {
        uint16_t tag;
        uint16_t perm;
        uint32_t id;
} AclEntry;

static void put(uint8_t *p, uint32_t v, size_t n) {
        for (size_t i = 0; i < n; i++, v >>= 8)
                p[i] = (uint8_t) v;
}

static uint32_t get(const uint8_t *p, size_t n) {
        uint32_t v = 0;

        while (n-- > 0)
                v = v << 8 | p[n];
        return v;
}

/* The next field of a line, without blanks around it. */
static bool next_field(char **line, char **ret) {
        if (!*line)
                return false;
        *ret = *line;
        *line = strchr(*line, ':');
        if (*line)
                *(*line)++ = '\0';
        *ret = str_strip(*ret);
        return true;
}

static int parse_tag(const char *s, bool is_named, uint16_t *ret) {
        static const struct {
                const char *name, *letter;
                uint16_t plain, named;
        } tags[] = {
                { "user", "u", ACL_USER_OBJ, ACL_USER },
                { "group", "g", ACL_GROUP_OBJ, ACL_GROUP },
                { "mask", "m", ACL_MASK, 0 },
                { "other", "o", ACL_OTHER, 0 },
        };

        FOREACH_ARRAY (t, tags, ELEMENTSOF(tags))
                if (streq(s, t->name) || streq(s, t->letter)) {
                        *ret = is_named ? t->named : t->plain;
                        return *ret ? 0 : -EBADMSG;
                }
        return -EBADMSG;
}

static int parse_perm(const char *s, uint16_t *ret) {
        *ret = 0;
        if (*s == '\0' || strlen(s) > 3)
                return -EBADMSG;
        for (; *s; s++) {
                uint16_t bit = *s == 'r' ? 4 : *s == 'w' ? 2 : *s == 'x' ? 1 : 0;

                if (bit == 0 && *s != '-')
                        return -EBADMSG;
                *ret |= bit;
        }
        return 0;
}

/* "user:NAME:rwx:NUMBER" (star, libarchive), "user:NUMBER:rwx" (GNU tar, of somebody without a name), "user:NAME:rwx". */
static int parse_line(char *line, AclEntry *ret) {
        char *tag = NULL, *who = NULL, *perm = NULL, *id = NULL, *more = NULL;
        const char *number;
        int r;

        if (!next_field(&line, &tag) || !next_field(&line, &who))
                return -EBADMSG;
        if (!next_field(&line, &perm)) { /* "other:r--" */
                perm = who;
                who = NULL;
        }
        if ((next_field(&line, &id) && !who) || next_field(&line, &more))
                return -EBADMSG;
        ret->id = ACL_NO_ID;
        r = parse_tag(tag, who && *who, &ret->tag);
        if (r >= 0)
                r = parse_perm(perm, &ret->perm);
        if (r < 0 || !(ret->tag & (ACL_USER | ACL_GROUP)))
                return r;
        number = id && *id ? id : streq(who, "root") ? "0" : who;
        if (number == who && who[strspn(who, "0123456789")] != '\0')
                return -EOPNOTSUPP;
        return parse_uint(number, UINT32_MAX - 1, &ret->id) < 0 ? -EBADMSG : 0;
}

/* The order of the kernel: the owner, users, the group, groups, the mask, others. */
static int compare(const void *a, const void *b) {
        const AclEntry *x = a, *y = b;

        if (x->tag != y->tag)
                return x->tag < y->tag ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

static int parse_lines(char *text, AclEntry entries[ACL_ENTRIES_MAX], size_t *ret_n) {
        char *end = NULL;
        int left_out = 0;
        size_t n = 0;

        for (char *line = strtok_r(text, ",\n", &end); line; line = strtok_r(NULL, ",\n", &end)) {
                int r;

                line[strcspn(line, "#")] = '\0';
                line = str_strip(line);
                if (*line == '\0')
                        continue;
                if (n == ACL_ENTRIES_MAX)
                        return -E2BIG;
                r = parse_line(line, &entries[n]);
                if (r == -EOPNOTSUPP)
                        left_out = 1;
                else if (r < 0)
                        return r;
                else
                        n++;
        }
        *ret_n = n;
        return left_out;
}

/**
 * acl_parse() - the value of SCHILY.acl.access or SCHILY.acl.default
 * @text:     @size bytes, entries separated by commas or newlines
 * @size:     bytes
 * @ret:      what the kernel takes as attribute; to be freed
 * @ret_size: of that
 *
 * Who has no number is left out. The others stay: without any list the mask would become the group's permission.
 *
 * Return: 0, 1 if somebody was left out; -EBADMSG (malformed), -E2BIG (ACL_ENTRIES_MAX), -ENOMEM.
 */
int acl_parse(const char *text, size_t size, uint8_t **ret, size_t *ret_size) {
        _cleanup_free_ AclEntry *entries = NULL;
        _cleanup_free_ uint8_t *value = NULL;
        _cleanup_free_ char *copy = NULL;
        size_t n = 0;
        int left_out, r;

        entries = new0(AclEntry, ACL_ENTRIES_MAX);
        copy = malloc(size + 1);
        if (!entries || !copy)
                return -ENOMEM;
        memcpy(copy, text, size);
        copy[size] = '\0';
        if (strlen(copy) != size)
                return -EBADMSG;
        left_out = parse_lines(copy, entries, &n);
        if (left_out < 0)
                return left_out;
        qsort(entries, n, sizeof(*entries), compare);
        for (size_t i = 1; i < n; i++)
                if (compare(&entries[i - 1], &entries[i]) == 0)
                        return -EBADMSG;
        value = malloc(4 + 8 * n);
        if (!value)
                return -ENOMEM;
        put(value, ACL_VERSION, 4);
        for (size_t i = 0; i < n; i++) {
                put(value + 4 + 8 * i, entries[i].tag, 2);
                put(value + 6 + 8 * i, entries[i].perm, 2);
                put(value + 8 + 8 * i, entries[i].id, 4);
        }
        r = acl_check(value, 4 + 8 * n, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(value);
        *ret_size = 4 + 8 * n;
        return left_out;
}

/**
 * acl_check() - is that a list that the kernel takes?
 * @data:     value of the attribute
 * @size:     bytes
 * @ret_mode: the nine permission bits that a file with this access list has; may be NULL
 *
 * Return: 1 if the list says no more than the nine bits, which then replace it; 0 if it says more; -EBADMSG, -E2BIG.
 */
int acl_check(const void *data, size_t size, uint32_t *ret_mode) {
        uint32_t mode = 0, seen = 0, last = 0;
        const uint8_t *p = data;

        if (size < 4 || (size - 4) % 8 != 0 || get(p, 4) != ACL_VERSION)
                return -EBADMSG;
        if ((size - 4) / 8 > ACL_ENTRIES_MAX)
                return -E2BIG;
        for (size_t i = 4; i < size; i += 8) {
                uint32_t tag = get(p + i, 2), perm = get(p + i + 2, 2), id = get(p + i + 4, 4);
                bool is_named = tag == ACL_USER || tag == ACL_GROUP;

                /* One bit, no other than these; each plain one once, in their order. */
                if (tag == 0 || tag > ACL_OTHER || (tag & (tag - 1)) != 0 || perm > 7 || tag < last ||
                    (tag == last && !is_named) || (is_named && id == ACL_NO_ID))
                        return -EBADMSG;
                last = tag;
                seen |= tag;
                if (tag == ACL_USER_OBJ)
                        mode |= perm << 6;
                else if (tag == ACL_GROUP_OBJ)
                        mode |= perm << 3;
                else if (tag == ACL_MASK)
                        mode = (mode & ~070U) | perm << 3;
                else if (tag == ACL_OTHER)
                        mode |= perm;
        }
        if ((seen & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)) != (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER))
                return -EBADMSG;
        if ((seen & (ACL_USER | ACL_GROUP)) && !(seen & ACL_MASK))
                return -EBADMSG;
        if (ret_mode)
                *ret_mode = mode;
        return seen == (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER);
}

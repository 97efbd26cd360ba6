/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tar header blocks (v7, ustar, GNU, pax) and pax records.
 *
 * Stricter than the tools that everybody uses, because two readers that understand one archive differently are how files
 * get smuggled: a wrong checksum, a number that is not one, a record whose length does not fit end the archive; nothing
 * is skipped until something makes sense again. Names of owners are never looked at, numbers are. What an entry may be
 * is decided in tar-check.c, what comes next in the stream in tar-stream.c.
 */
#include "store/tar-header.h"

#include "basic/alloc.h"
#include "basic/str.h"
#include "store/acl.h"

#define PAX_KEY_MAX 512U

/**
 * tar_block_is_zero() - does it end the archive?
 * @block: 512 bytes
 *
 * Return: true if all are zero.
 */
bool tar_block_is_zero(const uint8_t block[TAR_BLOCK]) {
        return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/**
 * tar_block_has_magic() - is it ustar or GNU?
 * @block: 512 bytes
 *
 * Return: true if "ustar" stands at offset 257. A v7 header has nothing there.
 */
bool tar_block_has_magic(const uint8_t block[TAR_BLOCK]) {
        return memcmp(block + 257, "ustar", 5) == 0;
}

static int parse_base256(const uint8_t *field, size_t size, int64_t *ret) {
        bool negative = (field[0] & 0x40) != 0;
        uint64_t v = negative ? UINT64_MAX : 0;

        for (size_t i = 0; i < size; i++) {
                uint8_t c = field[i];

                if (i == 0) /* the top bit is the mark, the next one the sign */
                        c = (uint8_t) (negative ? c : c & 0x7f);
                if ((v >> 55) != (negative ? 0x1ff : 0))
                        return -ERANGE;
                v = (v << 8) | c;
        }
        *ret = (int64_t) v;
        return 0;
}

/**
 * tar_number_parse() - octal text, or GNU's binary form
 * @field: @size bytes of a header
 * @size:  8 or 12
 * @ret:   may be negative in the binary form; an empty field is 0
 *
 * Return: 0, -EINVAL (not octal), -ERANGE.
 */
int tar_number_parse(const uint8_t *field, size_t size, int64_t *ret) {
        uint64_t v = 0;
        size_t i = 0;

        if (field[0] & 0x80)
                return parse_base256(field, size, ret);
        while (i < size && field[i] == ' ')
                i++;
        for (; i < size && field[i] != ' ' && field[i] != '\0'; i++) {
                if (field[i] < '0' || field[i] > '7')
                        return -EINVAL;
                v = v * 8 + (uint64_t) (field[i] - '0'); /* at most 36 bits */
        }
        *ret = (int64_t) v;
        return 0;
}

/* POSIX adds the bytes as unsigned; some old programs added signed ones. The checksum itself counts as spaces. */
static bool checksum_fits(const uint8_t block[TAR_BLOCK]) {
        int64_t want, u = 0, s = 0;

        if (tar_number_parse(block + 148, 8, &want) < 0)
                return false;
        for (size_t i = 0; i < TAR_BLOCK; i++) {
                uint8_t c = i >= 148 && i < 156 ? (uint8_t) ' ' : block[i];

                u += c;
                s += (int8_t) c;
        }
        return want == u || want == s;
}

static uint32_t id_decode(const uint8_t *field, bool *ret_invalid) {
        int64_t v;

        if (tar_number_parse(field, 8, &v) < 0 || v < 0 || v > TAR_ID_MAX) {
                *ret_invalid = true;
                return 0;
        }
        return (uint32_t) v;
}

static uint32_t device_decode(const uint8_t *field, uint32_t max, bool *ret_invalid) {
        int64_t v;

        if (tar_number_parse(field, 8, &v) < 0 || v < 0 || v > max) {
                *ret_invalid = true;
                return 0;
        }
        return (uint32_t) v;
}

/**
 * tar_header_decode() - a header block
 * @block: 512 bytes, not all zero
 * @ret:   decoded
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG.
 */
int tar_header_decode(const uint8_t block[TAR_BLOCK], TarHeader *ret, Error *e) {
        bool posix = memcmp(block + 257, "ustar\0", 6) == 0, gnu = memcmp(block + 257, "ustar ", 6) == 0;
        TarHeader h = { .is_gnu = gnu };
        int64_t mode, size;
        size_t n = 0;

        if (!checksum_fits(block))
                return error_setf(e, -EBADMSG, "a tar header has a wrong checksum");
        if (posix && block[345] != '\0') {
                n = strnlen((const char *) block + 345, 155);
                memcpy(h.name, block + 345, n);
                h.name[n++] = '/';
        }
        memcpy(h.name + n, block, strnlen((const char *) block, 100));
        memcpy(h.link, block + 157, strnlen((const char *) block + 157, 100));
        h.type = block[156] == '\0' ? '0' : (char) block[156];
        if (tar_number_parse(block + 124, 12, &size) < 0 || size < 0)
                return error_setf(e, -EBADMSG, "a tar header has an impossible size");
        if (tar_number_parse(block + 100, 8, &mode) < 0)
                return error_setf(e, -EBADMSG, "a tar header has an impossible mode");
        if (tar_number_parse(block + 136, 12, &h.mtime) < 0)
                h.mtime = 0;
        h.size = (uint64_t) size;
        h.mode = (uint32_t) (mode & 07777);
        h.uid = id_decode(block + 108, &h.id_is_invalid);
        h.gid = id_decode(block + 116, &h.id_is_invalid);
        if (posix || gnu) {
                h.major = device_decode(block + 329, 0xfff, &h.device_is_invalid);
                h.minor = device_decode(block + 337, 0xfffff, &h.device_is_invalid);
        }
        *ret = h;
        return 0;
}

/**
 * tar_sparse_decode() - the map of GNU's old sparse format
 * @field: @n times 24 bytes: offset and size, 12 each
 * @n:     4 in a header, 21 in an extension block
 * @x:     segments are appended
 *
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM.
 */
int tar_sparse_decode(const uint8_t *field, size_t n, TarExtra *x) {
        for (size_t i = 0; i < n; i++) {
                const uint8_t *p = field + i * 24;
                int64_t offset, size;
                int r;

                if (p[0] == '\0' && p[12] == '\0')
                        break;
                if (tar_number_parse(p, 12, &offset) < 0 || tar_number_parse(p + 12, 12, &size) < 0 ||
                    offset < 0 || size < 0)
                        return -EBADMSG;
                r = tar_entry_add_segment(&x->entry, (uint64_t) offset, (uint64_t) size, 0);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Decimal, digits only. */
static int parse_decimal(const char *s, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;

        if (*s == '\0')
                return -EINVAL;
        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                if (v > (max - (uint64_t) (*s - '0')) / 10)
                        return -ERANGE;
                v = v * 10 + (uint64_t) (*s - '0');
        }
        *ret = v;
        return 0;
}

/* Seconds with a fraction. What is out of range is clamped, what is no number is the epoch: a time is not worth refusing
 * an image for (robustness.md 38). */
static void parse_time(const char *s, int64_t *ret_sec, uint32_t *ret_nsec) {
        const int64_t max = INT64_C(1) << 40;
        bool negative = *s == '-';
        int64_t sec = 0;
        uint32_t nsec = 0, unit = 100000000;

        if (negative)
                s++;
        for (; *s >= '0' && *s <= '9'; s++)
                sec = MIN(sec * 10 + (*s - '0'), max);
        if (*s == '.')
                for (s++; *s >= '0' && *s <= '9' && unit > 0; s++, unit /= 10)
                        nsec += (uint32_t) (*s - '0') * unit;
        if (negative) {
                sec = -sec - (nsec > 0 ? 1 : 0);
                nsec = nsec > 0 ? 1000000000 - nsec : 0;
        }
        *ret_sec = sec;
        *ret_nsec = nsec;
}

/* GNU tar writes '=' as %3D and '%' as %25 in the names of attributes. */
static char *xattr_name_decode(const char *s) {
        char *name, *q;

        q = name = strdup(s);
        if (!name)
                return NULL;
        for (const char *p = s; *p; q++) {
                if (strncmp(p, "%3D", 3) == 0 || strncmp(p, "%25", 3) == 0) {
                        *q = p[1] == '3' ? '=' : '%';
                        p += 3;
                } else
                        *q = *p++;
        }
        *q = '\0';
        return name;
}

static int set_xattr(TarExtra *x, const char *name, const char *value, size_t size, Error *e) {
        _cleanup_free_ char *decoded = NULL;
        size_t total = size;
        int r;

        if (*name == '\0' || strlen(name) > TAR_NAME_MAX)
                return error_setf(e, -EBADMSG, "an extended attribute has an impossible name");
        FOREACH_ARRAY (a, x->entry.xattrs, x->entry.n_xattrs)
                total += a->size;
        if (size > TAR_XATTR_VALUE_MAX || total > TAR_XATTR_TOTAL_MAX)
                return error_setf(e, -E2BIG, "the extended attributes of an entry are too large");
        decoded = xattr_name_decode(name);
        if (!decoded)
                return error_oom(e);
        r = tar_entry_add_xattr(&x->entry, decoded, value, size);
        if (r == -E2BIG)
                return error_setf(e, r, "an entry has more than %d extended attributes", TAR_XATTRS_MAX);
        return r < 0 ? error_oom(e) : 0;
}

static int set_sparse_map(TarExtra *x, const char *value) {
        const char *p = value;

        while (*p) {
                uint64_t pair[2];

                for (size_t i = 0; i < 2; i++) {
                        char number[24];
                        size_t n = strcspn(p, ",");
                        int r;

                        if (n >= sizeof(number))
                                return -EBADMSG;
                        memcpy(number, p, n);
                        number[n] = '\0';
                        r = parse_decimal(number, INT64_MAX, &pair[i]);
                        if (r < 0)
                                return -EBADMSG;
                        p += n;
                        if (*p == ',')
                                p++;
                }
                if (tar_entry_add_segment(&x->entry, pair[0], pair[1], 0) < 0)
                        return -E2BIG;
        }
        return 0;
}

static int set_sparse(TarExtra *x, const char *key, const char *value) {
        uint64_t v = 0;

        x->is_sparse = true;
        if (streq(key, "name"))
                return str_replace(&x->sparse_name, value);
        if (streq(key, "map"))
                return set_sparse_map(x, value);
        if (parse_decimal(value, INT64_MAX, &v) < 0)
                return -EBADMSG;
        if (streq(key, "size") || streq(key, "realsize")) {
                x->has_real_size = true;
                x->real_size = v;
        } else if (streq(key, "major"))
                x->sparse_major = v == 1 ? 1 : 2;
        else if (streq(key, "minor"))
                return v == 0 ? 0 : -EOPNOTSUPP;
        else if (streq(key, "offset")) {
                x->has_sparse_offset = true;
                x->sparse_offset = v;
        } else if (streq(key, "numbytes")) {
                if (!x->has_sparse_offset)
                        return -EBADMSG;
                x->has_sparse_offset = false;
                return tar_entry_add_segment(&x->entry, x->sparse_offset, v, 0);
        }
        return 0;
}

static int set_string(char **p, const char *key, const char *value, size_t size, Error *e) {
        if (memchr(value, '\0', size))
                return error_setf(e, -EBADMSG, "a pax record '%s' contains a NUL byte", key);
        if (size > TAR_PATH_MAX)
                return error_setf(e, -ENAMETOOLONG, "a name in the archive is longer than %d bytes",
                                  TAR_PATH_MAX);
        return str_replace(p, value) < 0 ? error_oom(e) : 0;
}

static int set_id(uint32_t *p, bool *has, const char *key, const char *value, Error *e) {
        uint64_t v = 0;

        if (parse_decimal(value, TAR_ID_MAX, &v) < 0)
                return error_setf(e, -EBADMSG, "a pax record '%s' is out of range", key);
        *p = (uint32_t) v;
        *has = true;
        return 0;
}

/* A list becomes the attribute by which the kernel knows it. What cannot be had (malformed lists, names without numbers,
 * other kinds of lists, SELinux) is left out with a warning. */
static int set_acl(TarExtra *x, const char *key, const char *value, size_t size, Error *e) {
        const char *name = streq(key, "SCHILY.acl.access")    ? ACL_XATTR_ACCESS
                           : streq(key, "SCHILY.acl.default") ? ACL_XATTR_DEFAULT
                                                              : NULL;
        _cleanup_free_ uint8_t *acl = NULL;
        size_t n_acl = 0;
        int r = -EOPNOTSUPP, k;

        if (name && size == 0)
                return 0;
        if (name)
                r = acl_parse(value, size, &acl, &n_acl);
        if (r >= 0) {
                k = tar_entry_add_xattr(&x->entry, name, (const char *) acl, n_acl);
                if (k < 0)
                        r = k;
        }
        if (r == -ENOMEM)
                return error_oom(e);
        if (r == -E2BIG)
                return error_setf(e, r, "an access control list or the number of attributes is too large");
        if (r != 0 && !x->dropped) {
                x->dropped = strdup(key);
                return x->dropped ? 0 : error_oom(e);
        }
        return 0;
}

/* One record. The value is NUL-terminated, but may contain NUL bytes. */
static int pax_record(TarExtra *x, const char *key, const char *value, size_t size, Error *e) {
        const char *sub;
        int r;

        if (streq(key, "path"))
                return set_string(&x->path, key, value, size, e);
        if (streq(key, "linkpath"))
                return set_string(&x->link, key, value, size, e);
        sub = startswith(key, "SCHILY.xattr.");
        if (sub)
                return set_xattr(x, sub, value, size, e);
        if (startswith(key, "SCHILY.acl.") || startswith(key, "RHT."))
                return set_acl(x, key, value, size, e);
        if (size == 0) /* POSIX: as if the record were not there */
                return 0;
        if (memchr(value, '\0', size))
                return error_setf(e, -EBADMSG, "a pax record contains a NUL byte");
        if (streq(key, "size")) {
                if (parse_decimal(value, INT64_MAX, &x->size) < 0)
                        return error_setf(e, -EBADMSG, "a pax record 'size' is not a number");
                x->has_size = true;
        } else if (streq(key, "uid"))
                return set_id(&x->uid, &x->has_uid, key, value, e);
        else if (streq(key, "gid"))
                return set_id(&x->gid, &x->has_gid, key, value, e);
        else if (streq(key, "mtime")) {
                parse_time(value, &x->mtime_sec, &x->mtime_nsec);
                x->has_mtime = true;
        } else if ((sub = startswith(key, "GNU.sparse."))) {
                r = set_sparse(x, sub, value);
                if (r < 0)
                        return error_setf(e, r, "a sparse file has an impossible map");
        }
        return 0;
}

/* Finds "LENGTH KEY=VALUE\n" at data; the pieces are copied to one buffer with a NUL behind each. */
static int record_split(const uint8_t *data, size_t size, size_t *ret_length, size_t *ret_key,
                        size_t *ret_value) {
        size_t length = 0, i = 0;

        for (; i < size && i < 10 && data[i] >= '0' && data[i] <= '9'; i++)
                length = length * 10 + (size_t) (data[i] - '0');
        if (i == 0 || i >= size || data[i] != ' ' || length > size || length < i + 3 ||
            data[length - 1] != '\n')
                return -EBADMSG;
        *ret_key = ++i;
        for (; i < length && data[i] != '='; i++)
                if (data[i] == '\0' || data[i] == '\n')
                        return -EBADMSG;
        if (i >= length || i == *ret_key || i - *ret_key > PAX_KEY_MAX)
                return -EBADMSG;
        *ret_value = i + 1;
        *ret_length = length;
        return 0;
}

/**
 * tar_pax_decode() - the body of an extended header
 * @data:   @size bytes
 * @size:   bytes
 * @global: of a global header: a comment is all it may say, since nothing else belongs into an image
 * @x:      is filled
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG, -ENAMETOOLONG, -E2BIG, -EOPNOTSUPP, -ENOMEM.
 */
int tar_pax_decode(const uint8_t *data, size_t size, bool global, TarExtra *x, Error *e) {
        while (size > 0) {
                _cleanup_free_ char *key = NULL, *value = NULL;
                size_t length, key_at, value_at, n_value;
                int r;

                if (record_split(data, size, &length, &key_at, &value_at) < 0)
                        return error_setf(e, -EBADMSG, "an extended tar header is malformed");
                n_value = length - 1 - value_at;
                key = strndup((const char *) data + key_at, value_at - 1 - key_at);
                value = malloc(n_value + 1);
                if (!key || !value)
                        return error_oom(e);
                memcpy(value, data + value_at, n_value);
                value[n_value] = '\0';
                if (global && !streq(key, "comment"))
                        return error_setf(
                                e, -EOPNOTSUPP,
                                "a global tar header sets more than a comment; build the image without it");
                r = pax_record(x, key, value, n_value, e);
                if (r < 0)
                        return r;
                data += length;
                size -= length;
        }
        if (x->has_sparse_offset)
                return error_setf(e, -EBADMSG, "a sparse file has an impossible map");
        return 0;
}

/**
 * tar_extra_done() - forget what extended headers said
 * @x: is TAR_EXTRA_INIT afterwards
 */
void tar_extra_done(TarExtra *x) {
        free(x->path);
        free(x->link);
        free(x->sparse_name);
        free(x->dropped);
        tar_entry_done(&x->entry);
        *x = TAR_EXTRA_INIT;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict parsing: the whole string or nothing; no sign, no leading blanks, no locale. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "basic/macro.h"
#include "basic/parse.h"

static int parse_base(const char *s, unsigned base, uint64_t *ret) {
        uint64_t v = 0;

        if (*s == '\0')
                return -EINVAL;
        for (; *s; s++) {
                unsigned d = (unsigned) (*s - '0');

                if (*s < '0' || d >= base)
                        return -EINVAL;
                if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
                        return -ERANGE;
        }
        *ret = v;
        return 0;
}

/**
 * parse_uint64() - decimal number
 * @s:   digits only
 * @ret: untouched on failure
 *
 * Return: 0, -EINVAL (not a number), -ERANGE (too large).
 */
int parse_uint64(const char *s, uint64_t *ret) {
        return parse_base(s, 10, ret);
}

/**
 * parse_uint() - decimal number up to a maximum
 * @s:   digits only
 * @max: largest value allowed
 * @ret: untouched on failure
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int parse_uint(const char *s, unsigned max, unsigned *ret) {
        uint64_t v;
        int r;

        r = parse_base(s, 10, &v);
        if (r < 0)
                return r;
        if (v > max)
                return -ERANGE;
        *ret = (unsigned) v;
        return 0;
}

/**
 * parse_octal() - octal number up to a maximum, such as a file mode
 * @s:   digits 0-7
 * @max: largest value allowed
 * @ret: untouched on failure
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int parse_octal(const char *s, unsigned max, unsigned *ret) {
        uint64_t v;
        int r;

        r = parse_base(s, 8, &v);
        if (r < 0)
                return r;
        if (v > max)
                return -ERANGE;
        *ret = (unsigned) v;
        return 0;
}

/**
 * parse_boolean() - systemd's words for yes and no (systemd.syntax(7))
 * @s: not NULL
 *
 * Return: 1, 0, or -EINVAL.
 */
int parse_boolean(const char *s) {
        static const char *const yes[] = { "1", "yes", "y", "true", "t", "on" };
        static const char *const no[] = { "0", "no", "n", "false", "f", "off" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                if (strcasecmp(s, yes[i]) == 0)
                        return 1;
                if (strcasecmp(s, no[i]) == 0)
                        return 0;
        }
        return -EINVAL;
}

static int split_number(const char *s, uint64_t *ret_value, const char **ret_rest) {
        uint64_t v = 0;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(v, 10U, &v) ||
                    __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
                        return -ERANGE;
        *ret_value = v;
        *ret_rest = s;
        return 0;
}

/**
 * parse_size() - bytes with an optional suffix K, M, G, T, P, E to the base of 1024
 * @s:   "512M", "1G", "4096"
 * @ret: bytes; untouched on failure
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int parse_size(const char *s, uint64_t *ret) {
        static const char suffixes[] = "BKMGTPE";
        const char *rest, *p;
        uint64_t v;
        int r;

        r = split_number(s, &v, &rest);
        if (r < 0)
                return r;
        if (*rest != '\0') {
                p = strchr(suffixes, *rest);
                if (!p || rest[1] != '\0')
                        return -EINVAL;
                for (; p > suffixes; p--)
                        if (__builtin_mul_overflow(v, UINT64_C(1024), &v))
                                return -ERANGE;
        }
        *ret = v;
        return 0;
}

/**
 * parse_sec() - a time span in systemd's words: "5s", "1min 30s", "500ms", "90" (seconds), "infinity"
 * @s:   not NULL
 * @ret: microseconds; USEC_INFINITY for "infinity"; untouched on failure
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int parse_sec(const char *s, usec_t *ret) {
        static const struct {
                const char *word;
                usec_t usec;
        } units[] = {
                { "seconds", USEC_PER_SEC },
                { "second", USEC_PER_SEC },
                { "sec", USEC_PER_SEC },
                { "s", USEC_PER_SEC },
                { "", USEC_PER_SEC },
                { "minutes", 60 * USEC_PER_SEC },
                { "minute", 60 * USEC_PER_SEC },
                { "min", 60 * USEC_PER_SEC },
                { "m", 60 * USEC_PER_SEC },
                { "msec", 1000 },
                { "ms", 1000 },
                { "usec", 1 },
                { "us", 1 },
                { "hours", 3600 * USEC_PER_SEC },
                { "hour", 3600 * USEC_PER_SEC },
                { "hr", 3600 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC },
                { "days", 86400 * USEC_PER_SEC },
                { "day", 86400 * USEC_PER_SEC },
                { "d", 86400 * USEC_PER_SEC },
                { "weeks", 604800 * USEC_PER_SEC },
                { "week", 604800 * USEC_PER_SEC },
                { "w", 604800 * USEC_PER_SEC },
        };
        usec_t total = 0, part;

        if (strcmp(s, "infinity") == 0) {
                *ret = USEC_INFINITY;
                return 0;
        }
        s += strspn(s, " \t");
        do {
                uint64_t v;
                const char *rest;
                size_t i, n;
                int r;

                r = split_number(s, &v, &rest);
                if (r < 0)
                        return r;
                rest += strspn(rest, " \t");
                n = strspn(rest, "abcdefghijklmnopqrstuvwxyz");
                for (i = 0; i < ELEMENTSOF(units); i++)
                        if (strlen(units[i].word) == n && strncmp(rest, units[i].word, n) == 0)
                                break;
                if (i == ELEMENTSOF(units))
                        return -EINVAL;
                if (__builtin_mul_overflow(v, units[i].usec, &part) ||
                    __builtin_add_overflow(total, part, &total))
                        return -ERANGE;
                s = rest + n;
                s += strspn(s, " \t");
        } while (*s);
        *ret = total;
        return 0;
}

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

/* "1", "1.5", ".5", and what follows. */
typedef struct Decimal {
        uint64_t whole;
        const char *fraction; /* digits */
        size_t n_fraction;
} Decimal;

static int split_decimal(const char *s, Decimal *ret, const char **ret_rest) {
        Decimal d = {};

        if ((*s < '0' || *s > '9') && *s != '.')
                return -EINVAL;
        for (; *s >= '0' && *s <= '9'; s++)
                if (__builtin_mul_overflow(d.whole, 10U, &d.whole) ||
                    __builtin_add_overflow(d.whole, (uint64_t) (*s - '0'), &d.whole))
                        return -ERANGE;
        if (*s == '.') {
                d.fraction = s + 1;
                d.n_fraction = strspn(d.fraction, "0123456789");
                if (d.n_fraction == 0)
                        return -EINVAL;
                s = d.fraction + d.n_fraction;
        }
        *ret = d;
        *ret_rest = s;
        return 0;
}

/* So many units, rounded down; a unit is at most 2^60, so that a digit of it fits. */
static int scale(const Decimal *d, uint64_t unit, uint64_t *ret) {
        uint64_t v, part = 0;

        for (size_t i = d->n_fraction; i-- > 0;)
                part = ((uint64_t) (d->fraction[i] - '0') * unit + part) / 10;
        if (__builtin_mul_overflow(d->whole, unit, &v) || __builtin_add_overflow(v, part, &v))
                return -ERANGE;
        *ret = v;
        return 0;
}

/**
 * parse_size() - bytes with an optional suffix K, M, G, T, P, E to the base of 1024
 * @s:   "512M", "1.5G", "4096"
 * @ret: bytes, rounded down; untouched on failure
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int parse_size(const char *s, uint64_t *ret) {
        static const char suffixes[] = "BKMGTPE";
        const char *rest, *p = suffixes;
        Decimal d;
        int r;

        r = split_decimal(s, &d, &rest);
        if (r < 0)
                return r;
        if (*rest != '\0') {
                p = strchr(suffixes, *rest);
                if (!p || rest[1] != '\0')
                        return -EINVAL;
        }
        return scale(&d, UINT64_C(1) << (10 * (unsigned) (p - suffixes)), ret);
}

/* The unit of a time at the beginning of @s: returns its length, or -EINVAL. */
static int find_time_unit(const char *s, usec_t *ret) {
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
                { "\xc2\xb5s", 1 }, /* the micro sign, and the Greek letter */
                { "\xce\xbcs", 1 },
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
                { "months", 2629800 * USEC_PER_SEC },
                { "month", 2629800 * USEC_PER_SEC },
                { "M", 2629800 * USEC_PER_SEC },
                { "years", 31557600 * USEC_PER_SEC },
                { "year", 31557600 * USEC_PER_SEC },
                { "y", 31557600 * USEC_PER_SEC },
        };
        size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzM\xc2\xb5\xce\xbc");

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].word) == n && strncmp(s, units[i].word, n) == 0) {
                        *ret = units[i].usec;
                        return (int) n;
                }
        return -EINVAL;
}

/**
 * parse_sec() - a time span in systemd's words: "5s", "1min 30s", "1.5h", "500ms", "90" (seconds), "infinity"
 * @s:   not NULL
 * @ret: microseconds, rounded down; USEC_INFINITY for "infinity"; untouched on failure
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int parse_sec(const char *s, usec_t *ret) {
        usec_t total = 0;

        if (strcmp(s, "infinity") == 0) {
                *ret = USEC_INFINITY;
                return 0;
        }
        s += strspn(s, " \t");
        do {
                const char *rest, *end;
                usec_t unit, part;
                Decimal d;
                int r;

                r = split_decimal(s, &d, &end);
                if (r < 0)
                        return r;
                rest = end + strspn(end, " \t");
                r = find_time_unit(rest, &unit);
                if (r < 0)
                        return r;
                if (rest + r == end && *end)
                        return -EINVAL; /* 1.2.3 */
                s = rest + r;
                s += strspn(s, " \t");
                r = scale(&d, unit, &part);
                if (r < 0)
                        return r;
                if (__builtin_add_overflow(total, part, &total))
                        return -ERANGE;
        } while (*s);
        *ret = total;
        return 0;
}

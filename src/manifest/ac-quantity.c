/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quantities. Everything is a whole number of 10^-9, rounded away from zero; 128 bits hold +-1.7 * 10^29 units, and what
 * does not fit is refused instead of growing as the reference's numbers do. */
#include <string.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "manifest/ac-quantity.h"

#define NANO         ((__int128) 1000000000)
#define EXPONENT_MAX 29    /* 10^29 units is near the end of the range */
#define EXPONENT_MIN (-37) /* more digits behind the point are cut off */

static const struct {
        const char *suffix;
        int exponent; /* of 10; binary: of 2 */
        AcQuantityFormat format;
} suffixes[] = {
        /* Biggest first, as to_string() wants them. */
        { "E", 18, AC_QUANTITY_DECIMAL }, { "P", 15, AC_QUANTITY_DECIMAL }, { "T", 12, AC_QUANTITY_DECIMAL },
        { "G", 9, AC_QUANTITY_DECIMAL },  { "M", 6, AC_QUANTITY_DECIMAL },  { "k", 3, AC_QUANTITY_DECIMAL },
        { "", 0, AC_QUANTITY_DECIMAL },   { "m", -3, AC_QUANTITY_DECIMAL }, { "u", -6, AC_QUANTITY_DECIMAL },
        { "n", -9, AC_QUANTITY_DECIMAL }, { "K", 3, AC_QUANTITY_DECIMAL },  { "Ei", 60, AC_QUANTITY_BINARY },
        { "Pi", 50, AC_QUANTITY_BINARY }, { "Ti", 40, AC_QUANTITY_BINARY }, { "Gi", 30, AC_QUANTITY_BINARY },
        { "Mi", 20, AC_QUANTITY_BINARY }, { "Ki", 10, AC_QUANTITY_BINARY },
};

static __int128 power_of_ten(int n) {
        __int128 v = 1;

        while (n-- > 0)
                v *= 10;
        return v;
}

/* What stands behind the digits: a suffix or an exponent of ten. */
static int parse_suffix(const char *s, int *ret_exponent, AcQuantityFormat *ret_format) {
        unsigned exponent;
        bool negative;

        FOREACH_ARRAY (f, suffixes, ELEMENTSOF(suffixes))
                if (streq(f->suffix, s)) {
                        *ret_exponent = f->exponent;
                        *ret_format = f->format;
                        return 0;
                }
        if (*s != 'e' && *s != 'E')
                return -EINVAL;
        s++;
        negative = *s == '-';
        if (*s == '-' || *s == '+')
                s++;
        if (s[strspn(s, "0123456789")] != '\0' || !*s)
                return -EINVAL;
        /* Beyond the range the value is zero rounded up, or does not fit. */
        if (parse_uint(s, 1000, &exponent) < 0)
                exponent = 1000;
        *ret_exponent = negative ? -(int) exponent : (int) exponent;
        *ret_format = AC_QUANTITY_EXPONENT;
        return 0;
}

/* digits * 10^exponent in 10^-9, rounded up; inexact: something non-zero was cut off behind the digits. */
static int scale_decimal(unsigned __int128 digits, int exponent, bool inexact, unsigned __int128 *ret) {
        int shift = exponent + 9;
        unsigned __int128 v;

        if (digits == 0)
                v = 0;
        else if (shift > 38)
                return -ERANGE;
        else if (shift >= 0) {
                if (__builtin_mul_overflow(digits, (unsigned __int128) power_of_ten(shift), &v))
                        return -ERANGE;
        } else if (shift < -38) {
                v = 0;
                inexact = true;
        } else {
                v = digits / (unsigned __int128) power_of_ten(-shift);
                inexact = inexact || digits % (unsigned __int128) power_of_ten(-shift) != 0;
        }
        *ret = v + inexact;
        return 0;
}

/* a * b / c for a < c, rounded up; bit by bit, because the product does not fit. c is at most 10^38. */
static unsigned __int128 multiply_divide(unsigned __int128 a, unsigned __int128 b, unsigned __int128 c) {
        unsigned __int128 quotient = 0, rest = 0;

        for (int bit = 127; bit >= 0; bit--) {
                rest = rest * 2 + (b >> bit & 1 ? a : 0);
                quotient = quotient * 2 + rest / c;
                rest %= c;
        }
        return quotient + (rest != 0);
}

/* digits * 10^exponent * 2^power in 10^-9, rounded up, at most 2^63-1 units. exponent is not positive. */
static unsigned __int128 scale_binary(unsigned __int128 digits, int exponent, bool inexact, int power) {
        const unsigned __int128 cap = (unsigned __int128) INT64_MAX * (unsigned __int128) NANO;
        unsigned __int128 ten = (unsigned __int128) power_of_ten(-exponent), nano;

        if (digits / ten > (unsigned __int128) INT64_MAX >> power)
                return cap;
        nano = ((digits / ten) << power) * (unsigned __int128) NANO;
        nano += multiply_divide(digits % ten, (unsigned __int128) NANO << power, ten) + inexact;
        return MIN(nano, cap);
}

/* Digits around one point. Those that do not fit behind the point are cut off. */
static int parse_digits(const char **s, unsigned __int128 *ret, int *ret_exponent, bool *ret_inexact) {
        const unsigned __int128 full = (unsigned __int128) power_of_ten(36);
        unsigned __int128 value = 0;
        bool point = false, any = false, inexact = false, overflow = false;
        int exponent = 0;

        for (; (**s >= '0' && **s <= '9') || (**s == '.' && !point); (*s)++) {
                if (**s == '.') {
                        point = true;
                        continue;
                }
                any = true;
                if (value > full || exponent <= EXPONENT_MIN) {
                        overflow = overflow || !point;
                        inexact = inexact || **s != '0';
                        continue;
                }
                value = value * 10 + (unsigned) (**s - '0');
                exponent -= point;
        }
        *ret = value;
        *ret_exponent = exponent;
        *ret_inexact = inexact;
        return !any ? -EINVAL : overflow ? -ERANGE : 0;
}

/**
 * ac_quantity_parse() - read a quantity
 * @s:   [+-]DIGITS[.DIGITS][SUFFIX], no blanks
 * @ret: rounded away from zero to 10^-9; with a binary suffix at most 2^63-1
 *
 * Return: 0, -EINVAL, -ERANGE (beyond 10^29).
 */
int ac_quantity_parse(const char *s, AcQuantity *ret) {
        unsigned __int128 digits, nano;
        AcQuantityFormat format;
        int exponent, suffix, r;
        bool negative, inexact;

        negative = *s == '-';
        if (*s == '-' || *s == '+')
                s++;
        r = parse_digits(&s, &digits, &exponent, &inexact);
        if (r == -EINVAL)
                return r;
        if (parse_suffix(s, &suffix, &format) < 0)
                return -EINVAL;
        if (r < 0)
                return r;
        if (format == AC_QUANTITY_BINARY)
                nano = scale_binary(digits, exponent, inexact, suffix);
        else
                r = scale_decimal(digits, exponent + suffix, inexact, &nano);
        if (r < 0)
                return r;
        if (nano > (unsigned __int128) power_of_ten(EXPONENT_MAX + 9))
                return -ERANGE;
        if (format == AC_QUANTITY_BINARY && nano > 0 && nano < 1024 * (unsigned __int128) NANO)
                format = AC_QUANTITY_DECIMAL;
        *ret = (AcQuantity){ .nano = negative ? -(__int128) nano : (__int128) nano, .format = format };
        return 0;
}

/**
 * ac_quantity_round_up() - away from zero to a multiple of a power of ten
 * @q:        quantity
 * @exponent: of ten, from -9 to 20
 *
 * Return: true if it was one already.
 */
bool ac_quantity_round_up(AcQuantity *q, int exponent) {
        __int128 unit = power_of_ten(exponent + 9), rest = q->nano % unit;

        q->nano -= rest;
        if (rest != 0)
                q->nano += rest < 0 ? -unit : unit;
        return rest == 0;
}

static int read_at(AcQuantity q, int exponent, int64_t *ret) {
        __int128 v;

        (void) ac_quantity_round_up(&q, exponent);
        v = q.nano / power_of_ten(exponent + 9);
        if (v > INT64_MAX || v < INT64_MIN)
                return -ERANGE;
        *ret = (int64_t) v;
        return 0;
}

/**
 * ac_quantity_integer() - whole units, rounded away from zero
 * @q:   quantity
 * @ret: units: bytes, operations, cores
 *
 * Return: 0, -ERANGE.
 */
int ac_quantity_integer(const AcQuantity *q, int64_t *ret) {
        return read_at(*q, 0, ret);
}

/**
 * ac_quantity_milli() - thousandths, rounded away from zero
 * @q:   quantity
 * @ret: as milli-cores
 *
 * Return: 0, -ERANGE.
 */
int ac_quantity_milli(const AcQuantity *q, int64_t *ret) {
        return read_at(*q, -3, ret);
}

/**
 * ac_quantity_compare() - which is more?
 * @a: quantity
 * @b: quantity; the formats do not matter
 *
 * Return: -1, 0, 1.
 */
int ac_quantity_compare(const AcQuantity *a, const AcQuantity *b) {
        return (a->nano > b->nano) - (a->nano < b->nano);
}

/* A number of up to 39 digits, behind a sign. */
static char *print_int128(__int128 v, char buffer[48]) {
        char *p = buffer + 47;
        bool negative = v < 0;
        unsigned __int128 u = negative ? -(unsigned __int128) v : (unsigned __int128) v;

        *p = '\0';
        do
                *--p = (char) ('0' + (int) (u % 10));
        while (u /= 10);
        if (negative)
                *--p = '-';
        return p;
}

static int print_exponent(__int128 nano, char **ret) {
        char buffer[48];
        int exponent = -9;

        while (nano != 0 && nano % 1000 == 0) {
                nano /= 1000;
                exponent += 3;
        }
        if (nano == 0 || exponent == 0)
                *ret = strdup(print_int128(nano, buffer));
        else
                *ret = strf("%se%d", print_int128(nano, buffer), exponent);
        return *ret ? 0 : -ENOMEM;
}

/**
 * ac_quantity_to_string() - the canonical form
 * @q:   quantity
 * @ret: biggest suffix of its family that leaves no fraction; the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int ac_quantity_to_string(const AcQuantity *q, char **ret) {
        __int128 magnitude = q->nano < 0 ? -q->nano : q->nano;
        AcQuantityFormat format = q->format;
        char buffer[48];

        if (format == AC_QUANTITY_EXPONENT)
                return print_exponent(q->nano, ret);
        if (format == AC_QUANTITY_BINARY && (magnitude < 1024 * NANO || magnitude % NANO != 0))
                format = AC_QUANTITY_DECIMAL;
        FOREACH_ARRAY (s, suffixes, ELEMENTSOF(suffixes)) {
                __int128 unit =
                        s->format == AC_QUANTITY_BINARY ? NANO << s->exponent : power_of_ten(s->exponent + 9);
                bool plain = s->exponent == 0;

                if ((s->format != format && !plain) || (q->nano == 0 && !plain) || q->nano % unit != 0)
                        continue;
                if (plain && format == AC_QUANTITY_BINARY && magnitude % (1024 * NANO) == 0 && magnitude != 0)
                        continue;
                *ret = strf("%s%s", print_int128(q->nano / unit, buffer), s->suffix);
                return *ret ? 0 : -ENOMEM;
        }
        return -ENOMEM;
}

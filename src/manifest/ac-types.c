/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the appc standard's small types. Where the standard's text and its reference code differ, input is taken as
 * the reference takes it, unless that could do harm: an empty, "." or ".." component of an identifier is refused. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "basic/alloc.h"
#include "basic/hex.h"
#include "basic/str.h"
#include "basic/uuid.h"
#include "manifest/ac-types.h"

#define LOWER_ALNUM "abcdefghijklmnopqrstuvwxyz0123456789"

static bool is_made_of(const char *s, const char *separators) {
        size_t n = strlen(s);

        if (n == 0 || !strchr(LOWER_ALNUM, s[0]) || !strchr(LOWER_ALNUM, s[n - 1]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!strchr(LOWER_ALNUM, s[i]) && !strchr(separators, s[i]))
                        return false;
        return true;
}

/**
 * ac_identifier_is_valid() - is this an AC Identifier?
 * @s: not NULL
 *
 * Names of images, labels, annotations, isolators. Even a valid one is no path.
 *
 * Return: true for a-z, 0-9 and -._~/ between them; no component is empty, "." or "..".
 */
bool ac_identifier_is_valid(const char *s) {
        if (!is_made_of(s, "-._~/"))
                return false;
        for (const char *c = s; c; c = strchr(c, '/')) {
                size_t n;

                c += *c == '/';
                n = strcspn(c, "/");
                if (n == 0 || (n <= 2 && strspn(c, ".") == n))
                        return false;
        }
        return true;
}

/**
 * ac_name_is_valid() - is this an AC Name?
 * @s: not NULL
 *
 * Names of apps, volumes, mount points, ports.
 *
 * Return: true for a-z, 0-9 and "-" between them.
 */
bool ac_name_is_valid(const char *s) {
        return is_made_of(s, "-");
}

static int sanitize(const char *s, const char *separators, char replacement, char **ret) {
        _cleanup_free_ char *copy = NULL;
        char *from;
        size_t n;

        copy = strdup(s);
        if (!copy)
                return -ENOMEM;
        for (char *c = copy; *c; c++) {
                if (*c >= 'A' && *c <= 'Z')
                        *c = (char) (*c | 0x20);
                if (!strchr(LOWER_ALNUM, *c) && !strchr(separators, *c))
                        *c = replacement;
        }
        from = copy + strspn(copy, "-._~/");
        n = strlen(from);
        while (n > 0 && strchr("-._~/", from[n - 1]))
                n--;
        if (n == 0)
                return -EINVAL;
        *ret = strndup(from, n);
        return *ret ? 0 : -ENOMEM;
}

/**
 * ac_identifier_sanitize() - make an AC Identifier of any text
 * @s:   not NULL
 * @ret: lower case, "_" for what is not allowed, no separators at the ends; the caller frees it
 *
 * Return: 0, -EINVAL (nothing is left), -ENOMEM.
 */
int ac_identifier_sanitize(const char *s, char **ret) {
        return sanitize(s, "-._~/", '_', ret);
}

/**
 * ac_name_sanitize() - make an AC Name of any text
 * @s:   not NULL
 * @ret: lower case, "-" for what is not allowed, none at the ends; the caller frees it
 *
 * Return: 0, -EINVAL (nothing is left), -ENOMEM.
 */
int ac_name_sanitize(const char *s, char **ret) {
        return sanitize(s, "-", '-', ret);
}

/**
 * ac_version_normalize() - check a semantic version, write it without leading zeros
 * @s:   MAJOR.MINOR.PATCH[-PRE][+META]
 * @ret: the caller frees it
 *
 * Return: 0, -EINVAL (another form, or 0.0.0 alone), -ENOMEM.
 */
int ac_version_normalize(const char *s, char **ret) {
        _cleanup_free_ char *copy = NULL;
        const char *pre = "", *meta = "";
        uint64_t part[3];
        char *p, *next;

        copy = strdup(s);
        if (!copy)
                return -ENOMEM;
        p = strchr(copy, '+');
        if (p) {
                *p = '\0';
                meta = p + 1;
        }
        p = strchr(copy, '-');
        if (p) {
                *p = '\0';
                pre = p + 1;
        }
        next = copy;
        for (int i = 0; i < 3; i++) {
                p = next;
                next = strchr(p, '.');
                if (!next != (i == 2))
                        return -EINVAL;
                if (next)
                        *next++ = '\0';
                if (parse_uint64(p, &part[i]) < 0 || part[i] > INT64_MAX)
                        return -EINVAL;
        }
        if (!part[0] && !part[1] && !part[2] && !*pre && !*meta)
                return -EINVAL;
        *ret = strf("%llu.%llu.%llu%s%s%s%s", (unsigned long long) part[0], (unsigned long long) part[1],
                    (unsigned long long) part[2], *pre ? "-" : "", pre, *meta ? "+" : "", meta);
        return *ret ? 0 : -ENOMEM;
}

/**
 * ac_program_is_valid() - may this stand first in a command line of a unit?
 * @s: not NULL
 *
 * systemd takes quotes off first, and then "+", "!" and their like for its own: a word that begins so would give the command
 * the powers of the pod. For every word of an image's that becomes the first one of an Exec line.
 *
 * Return: false also for an empty word.
 */
bool ac_program_is_valid(const char *s) {
        return *s && !strchr("-@:+!|", *s);
}

/**
 * ac_image_id_is_valid() - is this a complete image ID?
 * @s: not NULL
 *
 * Return: true for "sha512-" and 128 lower-case hex digits.
 */
bool ac_image_id_is_valid(const char *s) {
        return ac_image_id_is_prefix(s) && strlen(s) == strlen(AC_IMAGE_ID_PREFIX) + AC_IMAGE_ID_HEX_LENGTH;
}

/**
 * ac_image_id_is_prefix() - is this an image ID, maybe abbreviated?
 * @s: not NULL
 *
 * Return: true for "sha512-" and 1 to 128 lower-case hex digits.
 */
bool ac_image_id_is_prefix(const char *s) {
        const char *hex = startswith(s, AC_IMAGE_ID_PREFIX);
        size_t n = hex ? strlen(hex) : 0;

        return n > 0 && n <= AC_IMAGE_ID_HEX_LENGTH && strspn(hex, "0123456789abcdef") == n;
}

/**
 * ac_environment_name_is_valid() - may a variable be called so?
 * @s: not NULL
 *
 * Return: true for letters, digits, "_", "." and "-", the first a letter or "_".
 */
bool ac_environment_name_is_valid(const char *s) {
        static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

        if (!*s || !strchr(first, *s))
                return false;
        for (; *s; s++)
                if (!strchr(first, *s) && !strchr("0123456789.-", *s))
                        return false;
        return true;
}

/**
 * ac_user_is_valid() - can this be a user or a group of an image?
 * @s: not NULL; a name, a number, or an absolute path
 *
 * Whether it exists only the image knows. 4294967295 is refused: the kernel reads it as "leave alone".
 *
 * Return: false for "", control characters, ":", numbers that are no ID.
 */
bool ac_user_is_valid(const char *s) {
        uint64_t id;

        if (!*s)
                return false;
        for (const char *c = s; *c; c++)
                if ((unsigned char) *c < 0x20 || *c == 0x7f || *c == ':')
                        return false;
        if (s[strspn(s, "0123456789")] != '\0')
                return true;
        return parse_uint64(s, &id) == 0 && id < UINT32_MAX;
}

/**
 * ac_path_is_valid() - is this a path in an app that we would mount on or change to?
 * @s: not NULL
 *
 * Return: true if absolute, and without ".." component and control characters (it becomes a line of a unit).
 */
bool ac_path_is_valid(const char *s) {
        if (*s != '/' || strlen(s) > 4095)
                return false;
        for (const char *c = s; *c; c++)
                if ((unsigned char) *c < 0x20 || *c == 0x7f)
                        return false;
        for (const char *c = s; c; c = strchr(c + 1, '/'))
                if (startswith(c, "/..") && (c[3] == '/' || c[3] == '\0'))
                        return false;
        return true;
}

/**
 * ac_url_is_valid() - is this a web address?
 * @s: not NULL
 *
 * Return: true for http:// and https:// followed by printable characters without blanks.
 */
bool ac_url_is_valid(const char *s) {
        static const char *const schemes[] = { "https://", "http://" };

        for (const char *c = s; *c; c++)
                if ((unsigned char) *c <= 0x20 || *c == 0x7f)
                        return false;
        FOREACH_ARRAY (scheme, schemes, ELEMENTSOF(schemes))
                if (strncasecmp(s, *scheme, strlen(*scheme)) == 0)
                        return true;
        return false;
}

/* Exactly n digits (or fewer, if min_n says so) at *s, which moves behind them. */
static int take_digits(const char **s, size_t min_n, size_t n, unsigned *ret) {
        size_t have = strspn(*s, "0123456789");
        unsigned value = 0;

        have = MIN(have, n);
        if (have < min_n)
                return -EINVAL;
        for (size_t i = 0; i < have; i++)
                value = value * 10 + (unsigned) ((*s)[i] - '0');
        *s += have;
        *ret = value;
        return 0;
}

static int take_char(const char **s, char c) {
        if (**s != c)
                return -EINVAL;
        (*s)++;
        return 0;
}

static unsigned days_of_month(unsigned year, unsigned month) {
        static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01, proleptic Gregorian calendar. */
static int64_t days_from_civil(unsigned year, unsigned month, unsigned day) {
        int64_t y = (int64_t) year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
        int64_t year_of_era = y - era * 400;
        int64_t day_of_year = (153 * ((int64_t) month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

        return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* "Z", "+01:00", "-08:00" to minutes east. */
static int take_zone(const char **s, int64_t *ret_minutes) {
        int sign = **s == '-' ? -1 : 1;
        unsigned hours, minutes;

        if (**s == 'Z') {
                (*s)++;
                *ret_minutes = 0;
                return 0;
        }
        if ((**s != '+' && **s != '-') || ((*s)++, take_digits(s, 2, 2, &hours)) < 0 ||
            take_char(s, ':') < 0 || take_digits(s, 2, 2, &minutes) < 0 || hours > 24 || minutes > 60)
                return -EINVAL;
        *ret_minutes = sign * (int64_t) (hours * 60 + minutes);
        return 0;
}

/**
 * ac_date_parse() - read an RFC 3339 time
 * @s:        as "2014-11-14T17:36:54-08:00"
 * @ret_usec: since 1970, may be negative; may be NULL
 *
 * Return: 0, -EINVAL.
 */
int ac_date_parse(const char *s, int64_t *ret_usec) {
        unsigned year, month, day, hour, minute, second, digit;
        int64_t zone, fraction = 0;

        if (take_digits(&s, 4, 4, &year) < 0 || take_char(&s, '-') < 0 || take_digits(&s, 2, 2, &month) < 0 ||
            take_char(&s, '-') < 0 || take_digits(&s, 2, 2, &day) < 0 || take_char(&s, 'T') < 0 ||
            take_digits(&s, 1, 2, &hour) < 0 || take_char(&s, ':') < 0 ||
            take_digits(&s, 2, 2, &minute) < 0 || take_char(&s, ':') < 0 ||
            take_digits(&s, 2, 2, &second) < 0)
                return -EINVAL;
        if (*s == '.' || *s == ',') {
                int64_t unit = 100000;

                s++;
                if (take_digits(&s, 1, 1, &digit) < 0)
                        return -EINVAL;
                do {
                        fraction += digit * unit;
                        unit /= 10;
                } while (take_digits(&s, 1, 1, &digit) == 0);
        }
        if (take_zone(&s, &zone) < 0 || *s)
                return -EINVAL;
        if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
            minute > 59 || second > 59)
                return -EINVAL;
        if (ret_usec)
                *ret_usec = (((days_from_civil(year, month, day) * 24 + hour) * 60 + minute - zone) * 60 +
                             second) *
                                    1000000 +
                            fraction;
        return 0;
}

/**
 * ac_uuid_normalize() - read a UUID in any of the usual forms
 * @s:   32 hex digits of any case, dashes anywhere
 * @ret: lower case, with dashes
 *
 * Return: 0, -EINVAL.
 */
int ac_uuid_normalize(const char *s, char ret[37]) {
        char hex[33];
        size_t n = 0;

        for (; *s; s++) {
                char c = *s >= 'A' && *s <= 'F' ? (char) (*s | 0x20) : *s;

                if (c == '-')
                        continue;
                if (n == 32 || !strchr("0123456789abcdef", c))
                        return -EINVAL;
                hex[n++] = c;
        }
        if (n != 32)
                return -EINVAL;
        hex[n] = '\0';
        (void) snprintf(ret, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
        return 0;
}

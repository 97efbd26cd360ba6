/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* [WEEKDAYS] [DATE] [TIME] [ZONE], or SHORTHAND [ZONE], or @SECONDS. What each number may be, and which zones there are, is
 * left to systemd: this finds words that are none of these. */
#include "podfile/value-calendar.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "basic/macro.h"
#include "basic/str.h"
#include "basic/strv.h"

#define DIGITS "0123456789"

static const char *const shorthands[] = {
        "minutely",   "hourly",      "daily",        "weekly",        "monthly", "quarterly",
        "biannually", "bi-annually", "semiannually", "semi-annually", "yearly",  "annually",
};

static bool is_shorthand(const char *s) {
        FOREACH_ARRAY (w, shorthands, ELEMENTSOF(shorthands))
                if (strcasecmp(s, *w) == 0)
                        return true;
        return false;
}

/* How much of the text is the name of a day, long or short. */
static size_t weekday_length(const char *s) {
        static const char *const days[] = {
                "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
        };

        FOREACH_ARRAY (d, days, ELEMENTSOF(days)) {
                if (strncasecmp(s, *d, strlen(*d)) == 0)
                        return strlen(*d);
                if (strncasecmp(s, *d, 3) == 0)
                        return 3;
        }
        return 0;
}

/* "Mon,Wed..Fri"; older versions wrote "-" for "..", and a comma may be at the end. */
static bool are_weekdays(const char *s) {
        for (;;) {
                size_t n = weekday_length(s);

                if (n == 0)
                        return false;
                s += n;
                if (*s == '\0' || streq(s, ","))
                        return true;
                if (startswith(s, ".."))
                        s += 2;
                else if (*s == ',' || *s == '-')
                        s++;
                else
                        return false;
        }
}

/* A date, a time, or both with "T" between. */
static bool are_numbers(const char *s) {
        if (*s == '@')
                return s[1] != '\0' && s[1 + strspn(s + 1, DIGITS)] == '\0';
        return s[strspn(s, DIGITS "*,./-:~T")] == '\0' && strpbrk(s, DIGITS "*") && strpbrk(s, "-:~");
}

static bool is_zone(const char *s) {
        return isalpha((unsigned char) *s) && !is_shorthand(s) && !are_weekdays(s) &&
               s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "+-_/")] == '\0';
}

/**
 * value_is_calendar() - can it be a calendar expression?
 * @s: of OnCalendar=
 *
 * Return: false when systemd would certainly not take it.
 */
bool value_is_calendar(const char *s) {
        _cleanup_strv_free_ char **words = NULL;
        size_t n, first, i;

        if (strv_split(s, " ", &words) < 0)
                return true; /* no memory: others will say so */
        n = strv_length(words);
        if (n > 1 && is_zone(words[n - 1]))
                n--;
        if (n == 1 && is_shorthand(words[0]))
                return true;
        first = n > 0 && are_weekdays(words[0]) ? 1 : 0;
        for (i = first; i < n; i++)
                if (!are_numbers(words[i]))
                        return false;
        return n > 0 && n - first <= 2;
}

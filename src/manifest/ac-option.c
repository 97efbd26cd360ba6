/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAME,KEY=VALUE,...: values are literal, may hold "=", cannot hold ",". */
#include <string.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-option.h"
#include "manifest/ac-types.h"

static int set_item(char *item, char ***seen, AcOptionSetter set, void *userdata, Error *e) {
        char *value = strchr(item, '=');
        int r;

        if (!value)
                return error_setf(e, -EINVAL, "'%.100s' is not KEY=VALUE", item);
        *value++ = '\0';
        if (strv_contains(*seen, item))
                return error_setf(e, -ENOTUNIQ, "'%.100s' is given twice", item);
        if (strv_extend(seen, item) < 0)
                return error_oom(e);
        r = set(userdata, item, value, e);
        if (r == -ENXIO)
                return error_setf(e, r, "unknown key '%.100s'", item);
        return r == -ENOMEM ? error_oom(e) : r;
}

/**
 * ac_options_parse() - split NAME,KEY=VALUE,...
 * @s:        not NULL
 * @ret_name: a valid AC Name; set also when a later item fails; the caller frees it
 * @set:      called for each item in order
 * @userdata: for @set
 * @e:        says what is wrong
 *
 * Return: 0, -EINVAL (name, item without "="), -ENXIO (key), -ENOTUNIQ (key twice), -ENOMEM, what @set returns.
 */
int ac_options_parse(const char *s, char **ret_name, AcOptionSetter set, void *userdata, Error *e) {
        _cleanup_strv_free_ char **seen = NULL;
        _cleanup_free_ char *copy = NULL;
        char *item, *rest;

        copy = strdup(s);
        if (!copy)
                return error_oom(e);
        rest = copy;
        item = strsep(&rest, ",");
        if (!ac_name_is_valid(item))
                return error_setf(e, -EINVAL, "'%.100s' is no AC Name (a-z, 0-9 and '-')", item);
        *ret_name = strdup(item);
        if (!*ret_name)
                return error_oom(e);
        while ((item = strsep(&rest, ","))) {
                int r;

                r = set_item(item, &seen, set, userdata, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * ac_option_boolean() - a boolean as Go reads it
 * @key:   for the message
 * @value: 1 t T TRUE true True 0 f F FALSE false False
 * @ret:   0, 1
 * @e:     names @key
 *
 * Return: 0, -EINVAL.
 */
int ac_option_boolean(const char *key, const char *value, int *ret, Error *e) {
        static const char *const words[] = { "0",     "1",    "f",     "t",    "F",     "T",
                                             "FALSE", "TRUE", "false", "true", "False", "True" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(words[i], value)) {
                        *ret = (int) (i % 2);
                        return 0;
                }
        return error_setf(e, -EINVAL, "%s=%.50s: must be true or false", key, value);
}

/**
 * ac_option_number() - a number that is not negative
 * @key:   for the message
 * @value: digits
 * @ret:   0...2^63-1
 * @e:     names @key
 *
 * Return: 0, -EINVAL, -ERANGE.
 */
int ac_option_number(const char *key, const char *value, int64_t *ret, Error *e) {
        uint64_t u;
        int r;

        r = parse_uint64(value, &u);
        if (r >= 0 && u > INT64_MAX)
                r = -ERANGE;
        if (r < 0)
                return error_setf(e, r, "%s=%.50s: must be a number", key, value);
        *ret = (int64_t) u;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command line options by table. Grammar and words of the errors are those of rkt (Go's pflag): --x VALUE, --x=VALUE, -x VALUE,
 * flags and words in any order, "--" ends. What a flag means is the caller's; so is what a word means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/options.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "basic/suggest.h"

/**
 * parse_go_boolean() - a truth value as Go's flags take it, and as systemd's do
 * @s: text
 *
 * Return: 1 or 0; -EINVAL.
 */
int parse_go_boolean(const char *s) {
        static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True", "yes", "on" };
        static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False", "no", "off" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                if (streq(s, yes[i]))
                        return 1;
                if (streq(s, no[i]))
                        return 0;
        }
        return -EINVAL;
}

/* Length of the unit at the head of s, and its factor in microseconds; 0 if there is none. */
static size_t duration_unit(const char *s, double *ret_factor) {
        static const struct {
                const char *name;
                double factor;
        } units[] = {
                { "ns", 1e-3 }, { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "m", 60e6 }, { "h", 3600e6 },
        };

        FOREACH_ARRAY (u, units, ELEMENTSOF(units))
                if (startswith(s, u->name)) {
                        *ret_factor = u->factor;
                        return strlen(u->name);
                }
        return 0;
}

/**
 * parse_go_duration() - a time span as Go writes it: 300ms, -1.5h, 2h45m, 0
 * @s:        text
 * @ret_usec: microseconds; may be negative
 *
 * Return: 0; -EINVAL for anything else, also a number without unit but 0; -ERANGE.
 */
int parse_go_duration(const char *s, int64_t *ret_usec) {
        double total = 0, factor;
        bool negative = *s == '-';

        if (*s == '-' || *s == '+')
                s++;
        if (streq(s, "0")) {
                *ret_usec = 0;
                return 0;
        }
        if (!*s)
                return -EINVAL;
        while (*s) {
                size_t digits = strspn(s, "0123456789."), n;
                char number[32];

                if (digits == 0 || digits >= sizeof(number) || (digits == 1 && *s == '.'))
                        return -EINVAL;
                memcpy(number, s, digits);
                number[digits] = '\0';
                if (strchr(number, '.') != strrchr(number, '.'))
                        return -EINVAL;
                s += digits;
                n = duration_unit(s, &factor);
                if (n == 0)
                        return -EINVAL;
                s += n;
                total += strtod(number, NULL) * factor;
        }
        if (total >= 9e18)
                return -ERANGE;
        *ret_usec = (int64_t) (negative ? -total : total);
        return 0;
}

/* The member that a row fills. */
static void *member(const Option *o, void *data) {
        return (char *) data + o->offset;
}

static const char *bare_value(const Option *o) {
        return o->bare || o->type != OPTION_BOOL ? o->bare : "true";
}

/**
 * option_set_value() - store one value
 * @o:     the flag's row
 * @value: text, kept by reference for OPTION_STRING
 * @data:  the struct that the table fills
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL for a bad value, -EOPNOTSUPP for a flag that comes later, -ENOMEM, what set() returns.
 */
int option_set_value(const Option *o, const char *value, void *data, Error *e) {
        int64_t usec;
        int r;

        switch (o->type) {
        case OPTION_BOOL:
                r = parse_go_boolean(value);
                if (r < 0)
                        return error_setf(e, r,
                                          "invalid argument \"%s\" for --%s: it is neither true nor false",
                                          value, o->name);
                *(bool *) member(o, data) = r > 0;
                return 0;
        case OPTION_STRING: *(const char **) member(o, data) = value; return 0;
        case OPTION_STRV: r = strv_extend((char ***) member(o, data), value); return r < 0 ? error_oom(e) : 0;
        case OPTION_DURATION:
                r = parse_go_duration(value, &usec);
                if (r < 0)
                        return error_setf(
                                e, r,
                                "invalid argument \"%s\" for --%s: it is no duration such as 30m, 24h or 0s",
                                value, o->name);
                *(int64_t *) member(o, data) = usec;
                return 0;
        case OPTION_SET: return o->set(o, value, data, e);
        case OPTION_UNSUPPORTED:
                if (o->fallback && streq(value, o->fallback))
                        return 0;
                return error_setf(e, -EOPNOTSUPP, "--%s is not supported yet", o->name);
        default: return error_setf(e, -EINVAL, "--%s has no type", o->name);
        }
}

/**
 * options_init() - give every member its default
 * @t: table and struct, which is zeroed already
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; what option_set_value() returns.
 */
int options_init(const OptionTable *t, Error *e) {
        for (const Option *o = t->options; o && o->name; o++) {
                int r = o->fallback ? option_set_value(o, o->fallback, t->data, e) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * options_done() - free what the flags allocated (OPTION_STRV)
 * @t: table and struct
 */
void options_done(const OptionTable *t) {
        for (const Option *o = t->options; o && o->name; o++)
                if (o->type == OPTION_STRV) {
                        char ***v = member(o, t->data);

                        *v = strv_free(*v);
                }
}

/* Finds a long (n > 1 or no short) or short name in all tables; tells which table. */
static const Option *find_option(const OptionParser *p, const char *name, size_t n, bool is_short,
                                 void **ret_data) {
        for (size_t i = 0; i < OPTION_TABLES_MAX; i++)
                for (const Option *o = p->tables[i].options; o && o->name; o++)
                        if (is_short ? o->short_name == *name
                                     : (strlen(o->name) == n && strncmp(o->name, name, n) == 0)) {
                                *ret_data = p->tables[i].data;
                                return o;
                        }
        return NULL;
}

/* The visible flag that is nearest to a misspelt one; NULL if none is near. */
static const char *suggest_option(const OptionParser *p, const char *name) {
        Suggest s = SUGGEST_INIT(name);

        for (size_t i = 0; i < OPTION_TABLES_MAX; i++)
                for (const Option *o = p->tables[i].options; o && o->name; o++)
                        if (!(o->flags & OPTION_HIDDEN))
                                suggest_add(&s, o->name);
        return s.best;
}

static int unknown_option(const OptionParser *p, const char *name, Error *e) {
        const char *best = suggest_option(p, name);

        if (best)
                return error_setf(e, -ENXIO, "unknown flag: --%s (did you mean --%s?)", name, best);
        return error_setf(e, -ENXIO, "unknown flag: --%s", name);
}

static int take_long(OptionParser *p, const char *word, Error *e) {
        const char *equals = strchr(word, '='), *value;
        size_t n = equals ? (size_t) (equals - word) : strlen(word);
        _cleanup_free_ char *name = strndup(word, n);
        const Option *o;
        void *data = NULL;

        if (!name)
                return error_oom(e);
        o = find_option(p, word, n, false, &data);
        if (!o)
                return unknown_option(p, name, e);
        if (o->type == OPTION_UNSUPPORTED && !o->fallback)
                return option_set_value(o, "", data, e);
        value = equals ? equals + 1 : bare_value(o);
        if (!value) {
                value = p->argv[p->index];
                if (!value)
                        return error_setf(e, -EINVAL, "flag needs an argument: --%s", name);
                p->index++;
        }
        return option_set_value(o, value, data, e);
}

/* -h, -abc, -xVALUE, -x VALUE, -x=VALUE */
static int take_short(OptionParser *p, const char *word, Error *e) {
        for (; *word; word++) {
                const Option *o;
                const char *value;
                void *data = NULL;

                o = find_option(p, word, 1, true, &data);
                if (!o)
                        return error_setf(e, -ENXIO, "unknown shorthand flag: '%c' in -%s", *word, word);
                if (bare_value(o) && word[1] != '=') {
                        int r = option_set_value(o, bare_value(o), data, e);

                        if (r < 0)
                                return r;
                        continue;
                }
                value = word[1] == '=' ? word + 2 : word[1] ? word + 1 : p->argv[p->index];
                if (!value)
                        return error_setf(e, -EINVAL, "flag needs an argument: '%c' in -%s", *word, word);
                if (value == p->argv[p->index])
                        p->index++;
                return option_set_value(o, value, data, e);
        }
        return 0;
}

/**
 * options_next() - take the next word of the command line
 * @p:        parser; moves on
 * @ret_word: the word that is no flag, with OPTIONS_ARGUMENT
 * @e:        sentence on failure; may be NULL
 *
 * A single "-", "---" and the empty word are words.
 *
 * Return: an OptionEvent; -ENXIO for an unknown flag, else as option_set_value().
 */
int options_next(OptionParser *p, const char **ret_word, Error *e) {
        const char *word;
        int r;

        word = p->argv[p->index];
        if (!word)
                return OPTIONS_END;
        p->index++;
        if (streq(word, "--"))
                return OPTIONS_DASHES;
        if (word[0] != '-' || word[1] == '\0' || streq(word, "---")) {
                *ret_word = word;
                return OPTIONS_ARGUMENT;
        }
        r = word[1] == '-' ? take_long(p, word + 2, e) : take_short(p, word + 1, e);
        return r < 0 ? r : OPTIONS_OPTION;
}

/* "--name=VALUE", with the default as rkt shows it. */
static void help_row(const Option *o, const char *help, StrBuf *b) {
        StrBuf left = STRBUF_INIT;

        if (o->short_name)
                strbuf_addf(&left, "  -%c, --%s", o->short_name, o->name);
        else
                strbuf_addf(&left, "      --%s", o->name);
        if (o->type == OPTION_BOOL)
                strbuf_addf(&left, "[=%s]", str_or(o->fallback, "false"));
        else if (o->bare)
                strbuf_addf(&left, "[=%s]", str_or(o->value, "VALUE"));
        else
                strbuf_addf(&left, "=%s", str_or(o->value, "VALUE"));
        strbuf_addf(b, "%-32s %s", left.data ? left.data : "", help);
        if (o->fallback && *o->fallback && o->type != OPTION_BOOL)
                strbuf_addf(b, " (default %s)", o->fallback);
        strbuf_add(b, "\n");
        strbuf_done(&left);
}

/* What help says is of "GROUP: " begins with that; NULL: it is of no group. */
static const char *in_group(const Option *o, const char *group) {
        const char *rest = startswith(o->help, OPTIONS_GROUP_IMAGE);

        if (!group)
                return rest ? NULL : o->help;
        return rest && streq(group, OPTIONS_GROUP_IMAGE) ? rest : NULL;
}

/**
 * options_help() - one line per visible flag
 * @options: table; NULL is empty
 * @group:   OPTIONS_GROUP_IMAGE: flags whose help begins so, without that; NULL: all others
 * @b:       text is added here
 */
void options_help(const Option *options, const char *group, StrBuf *b) {
        for (const Option *o = options; o && o->name; o++) {
                const char *help = (o->flags & OPTION_HIDDEN) || o->type == OPTION_UNSUPPORTED
                                           ? NULL
                                           : in_group(o, group);

                if (help)
                        help_row(o, help, b);
        }
}

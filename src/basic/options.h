/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command line options by table: one row per flag fills one member of a struct, and the help text comes from it too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "basic/str.h"

typedef enum OptionType {
        OPTION_BOOL,     /* bool; --x, --x=true, --x=false */
        OPTION_STRING,   /* const char *, points into argv; the last one wins */
        OPTION_STRV,     /* char **, owned: options_done() frees; each use appends */
        OPTION_DURATION, /* int64_t, microseconds, may be negative; written 30m0s, 24h, 0 */
        OPTION_SET,      /* the row's set() takes the value */
        OPTION_UNSUPPORTED, /* a flag of rkt whose behaviour comes later: refused, unless its value is the fallback */
        _OPTION_TYPE_MAX,
} OptionType;

typedef enum OptionFlags {
        OPTION_HIDDEN = 1 << 0, /* works, but help and completion do not show it */
} OptionFlags;

typedef struct Option Option;
typedef int (*OptionSet)(const Option *o, const char *value, void *data, Error *e);

/* One flag. Tables end with an empty row. */
struct Option {
        const char *name; /* long name, without the dashes */
        char short_name;  /* 0 for none */
        OptionType type;
        size_t offset;    /* of the member in the struct that the caller passes as data; not for OPTION_SET */
        OptionSet set;    /* OPTION_SET only */
        const char *bare; /* value of a bare --x; NULL: a value is needed (--x VALUE or --x=VALUE) */
        const char *fallback; /* default: set by options_init(), shown in the help; NULL: zero */
        const char *value;    /* what the value is, for the help: "FILE" */
        const char *help;     /* one line, no full stop */
        unsigned flags;       /* OptionFlags */
};

/* A table together with the struct that it fills. */
typedef struct OptionTable {
        const Option *options; /* NULL: no options */
        void *data;
} OptionTable;

#define OPTIONS_GROUP_IMAGE "image: " /* help of a flag that belongs to the image before it */

#define OPTION_TABLES_MAX 5

/* What options_next() met. */
typedef enum OptionEvent {
        OPTIONS_END = 0,      /* no more words */
        OPTIONS_OPTION = 1,   /* a flag; it has been stored */
        OPTIONS_ARGUMENT = 2, /* a word that is no flag: *ret_word */
        OPTIONS_DASHES = 3,   /* the word "--" */
} OptionEvent;

/* Walks over a command line. Initialise with designated initialisers. */
typedef struct OptionParser {
        OptionTable tables[OPTION_TABLES_MAX]; /* the first one that knows the flag takes it */
        char **argv;                           /* NULL-terminated */
        size_t index;                          /* next word */
} OptionParser;

int options_init(const OptionTable *t, Error *e);
void options_done(const OptionTable *t);
int options_next(OptionParser *p, const char **ret_word, Error *e);
void options_help(const Option *options, const char *group, StrBuf *b);
int option_set_value(const Option *o, const char *value, void *data, Error *e);

int parse_go_boolean(const char *s);
int parse_go_duration(const char *s, int64_t *ret_usec);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of a program, by table: names with subcommands, arguments, flags; help and completion are made from it. */
#pragma once

#include <stdio.h>

#include "basic/error.h"
#include "basic/insecure.h"
#include "basic/options.h"

/* Exit codes, as rkt's. A verb that fails is 254; a missing command is 2. */
#define EXIT_RKT_FAILED     254
#define EXIT_RKT_NO_COMMAND 2

#define VERB_ARGS_ANY   UINT32_MAX
#define VERB_TABLES_MAX 4 /* tables of options of one verb */

typedef enum VerbFlags {
        VERB_HIDDEN = 1 << 0, /* not in help and completion */
        VERB_ROOT =
                1
                << 1, /* refuse others with "cannot run as unprivileged user", before looking at arguments */
        VERB_RAW =
                1
                << 2, /* the verb walks its flags itself with options_next(): args is everything after its name */
        VERB_PROGRAM = 1 << 5, /* a program of its own, which is this one under another name */
        VERB_NO_DATA = 1 << 4, /* looks at no data directory: works even where its configuration is broken */
        VERB_STOP_AT_WORD =
                1 << 3, /* the first word that is no flag ends the flags (enter UUID CMD --flag-of-cmd) */
} VerbFlags;

/* Global flags, accepted anywhere. */
typedef struct VerbContext VerbContext;
struct VerbContext {
        bool debug;
        bool help;
        bool no_pager;
        bool trust_keys_from_https;
        const char *dir;                              /* never NULL: RKT_DATA_DIR unless --dir */
        const char *local_config;                     /* /etc/rkt */
        const char *system_config;                    /* /usr/lib/rkt */
        const char *user_config;                      /* "" if not given */
        InsecureFlags insecure;                       /* what --insecure-options switches off */
        const struct Verb *const *verbs;              /* the whole table, for help and completion */
        char *configured_dir;                         /* what verb_set_dir() said */
        int (*ready)(const VerbContext *c, Error *e); /* called once all flags are known; may be NULL */
};

/* A command. Its options fill a struct of size options_size, zeroed and defaulted before, freed (OPTION_STRV) after.
 *
 * run() gets what stands after the verb's name without the flags (args, NULL-terminated, argc of them) and that struct.
 * It returns the exit code of the program (>= 0), or a negative errno with the sentence in e: main prints "VERB: sentence"
 * and exits with 254. Results go to standard output, everything else to standard error by log_*(). */
typedef struct Verb {
        const char *group; /* "image" in `rkt image list`; NULL for a plain command */
        const char *name;
        uint32_t min_args, max_args; /* VERB_ARGS_ANY: no limit */
        unsigned flags;              /* VerbFlags */
        const char *usage;           /* what follows the name, as "UUID [CMD [ARGS...]]"; NULL for nothing */
        const char *
                section; /* heading in the list of all commands; of a group that of its first; NULL: others */
        const char *help;        /* one line, as "List pods" */
        const char *description; /* paragraphs; NULL for none */
        const char *prefix;      /* in front of messages on standard error; NULL: name */
        const Option *options;   /* NULL for none */
        const Option *more_options[VERB_TABLES_MAX - 1]; /* of the same struct, shared with other verbs */
        size_t options_size;
        int (*run)(const VerbContext *c, int argc, char **args, void *options, Error *e);
} Verb;

int verbs_main(const Verb *const *verbs, int (*ready)(const VerbContext *c, Error *e), int argc, char **argv);
int verbs_program(const Verb *const *verbs, int argc, char **argv, char ***ret);
int verb_ready(const VerbContext *c, Error *e);
bool verb_dir_is_given(const VerbContext *c);
int verb_set_dir(const VerbContext *c, const char *dir);
int verb_print_help(const VerbContext *c, const Verb *v, FILE *f);
int verbs_print_help(const VerbContext *c, const char *group, FILE *f);
int verb_find(const Verb *const *verbs, const char *group, const char *name, const Verb **ret, Error *e);
const Option *verb_global_options(void);
const Option *verb_options(const Verb *v, size_t i);
bool verbs_is_group(const Verb *const *verbs, const char *name);
void verb_open_pager(const VerbContext *c);
void verb_options_parser(const VerbContext *c, const Verb *v, char **args, void *options, OptionParser *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From main() to a verb: find it, fill its options, call it, print its failure once. Help comes from the same tables. What the
 * verbs do is theirs. Global flags stand anywhere: before the command, between a group and its command, after it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "basic/log.h"
#include "basic/markup.h"
#include "basic/pager.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "basic/suggest.h"
#include "basic/unconst.h"
#include "basic/verbs.h"

static int set_insecure(const Option *o, const char *value, void *data, Error *e) {
        return insecure_flags_parse(value, &((VerbContext *) data)->insecure, e);
}

#define DIR_ROW      1
#define SECTIONS_MAX 8

static const Option global_options[] = {
        { "debug", 0, OPTION_BOOL, offsetof(VerbContext, debug),
          .help = "print out more debug information to stderr" },
        [DIR_ROW] = { "dir", 0, OPTION_STRING, offsetof(VerbContext, dir), .fallback = RKT_DATA_DIR,
                      .value = "DIR", .help = "rkt data directory" },
        { "help", 'h', OPTION_BOOL, offsetof(VerbContext, help),
          .help = "show what a command does and takes" },
        { "insecure-options", 0, OPTION_SET, .set = set_insecure, .value = "LIST",
          .help = "comma-separated list of security features to disable: none, image, tls, http, pubkey, "
                  "ondisk, "
                  "capabilities, paths, seccomp, all-fetch, all-run, all (default none)" },
        { "local-config", 0, OPTION_STRING, offsetof(VerbContext, local_config), .fallback = "/etc/rkt",
          .value = "DIR", .help = "local configuration directory" },
        { "no-pager", 0, OPTION_BOOL, offsetof(VerbContext, no_pager),
          .help = "do not show long output page by page" },
        { "system-config", 0, OPTION_STRING, offsetof(VerbContext, system_config), .fallback = "/usr/lib/rkt",
          .value = "DIR", .help = "system configuration directory" },
        { "trust-keys-from-https", 0, OPTION_BOOL, offsetof(VerbContext, trust_keys_from_https),
          .help = "automatically trust gpg keys fetched from https" },
        { "user-config", 0, OPTION_STRING, offsetof(VerbContext, user_config), .fallback = "", .value = "DIR",
          .help = "user configuration directory" },
        { "cpuprofile", 0, OPTION_UNSUPPORTED, .flags = OPTION_HIDDEN },
        { "memprofile", 0, OPTION_UNSUPPORTED, .flags = OPTION_HIDDEN },
        {},
};

/**
 * verb_global_options() - the flags that every command takes
 *
 * Return: a table, for help and completion.
 */
const Option *verb_global_options(void) {
        return global_options;
}

/**
 * verb_options() - the flags of a verb
 * @v: the verb
 * @i: less than VERB_TABLES_MAX
 *
 * Return: a table; NULL for none.
 */
const Option *verb_options(const Verb *v, size_t i) {
        return i == 0 ? v->options : v->more_options[i - 1];
}

/**
 * verbs_is_group() - does this name stand for several subcommands?
 * @verbs: the table, NULL-terminated
 * @name:  full name
 *
 * Return: true for "image" if there is an "image list".
 */
bool verbs_is_group(const Verb *const *verbs, const char *name) {
        for (; *verbs; verbs++)
                if ((*verbs)->group && streq((*verbs)->group, name))
                        return true;
        return false;
}

/* What a verb is called at one level: its own name within its group, its group's name from outside. */
static const char *name_at_level(const Verb *v, const char *group) {
        if (!streq_ptr(v->group, group))
                return group ? NULL : v->group;
        return v->name;
}

static int unknown_command(const Verb *const *verbs, const char *group, const char *name, Error *e) {
        Suggest s = SUGGEST_INIT(name);

        for (const Verb *const *v = verbs; *v; v++) {
                const char *n = name_at_level(*v, group);

                if (n && !((*v)->flags & VERB_HIDDEN))
                        suggest_add(&s, n);
        }
        if (s.best)
                return error_setf(e, -ENXIO, "unknown command \"%s\" for \"rkt%s%s\" (did you mean \"%s\"?)",
                                  name, group ? " " : "", str_or(group, ""), s.best);
        return error_setf(e, -ENXIO,
                          "unknown command \"%s\" for \"rkt%s%s\"; run \"rkt help%s%s\" for the list", name,
                          group ? " " : "", str_or(group, ""), group ? " " : "", str_or(group, ""));
}

/**
 * verb_find() - look a command up by its name or an unambiguous prefix
 * @verbs: the table, NULL-terminated
 * @group: group whose subcommand is meant; NULL for the first word
 * @name:  what the user typed
 * @ret:   a verb; of a group when the result is 1: any of its verbs, its ->group is the name
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0; 1 if @name is a group; -ENXIO unknown, -ENOTUNIQ ambiguous.
 */
int verb_find(const Verb *const *verbs, const char *group, const char *name, const Verb **ret, Error *e) {
        const Verb *found = NULL;

        for (const Verb *const *v = verbs; *v; v++) {
                const char *n = name_at_level(*v, group);

                if (n && streq(n, name)) {
                        *ret = *v;
                        return !streq_ptr((*v)->group, group);
                }
        }
        for (const Verb *const *v = verbs; *v; v++) {
                const char *n = name_at_level(*v, group), *other = found ? name_at_level(found, group) : NULL;

                if (!n || ((*v)->flags & VERB_HIDDEN) || !*name || !startswith(n, name))
                        continue;
                if (other && !streq(other, n))
                        return error_setf(e, -ENOTUNIQ, "command \"%s\" is ambiguous: it may be %s or %s",
                                          name, other, n);
                found = *v;
        }
        if (!found)
                return unknown_command(verbs, group, name, e);
        *ret = found;
        return !streq_ptr(found->group, group);
}

/* What the commands of a group work on. */
static const char *noun_of(const char *group) {
        return streq(group, "pod") ? "pod file" : group;
}

static void help_command(const Verb *const *v, bool is_first, const char *group, StrBuf *b) {
        const char *n = name_at_level(*v, group);

        if (!n || ((*v)->flags & VERB_HIDDEN))
                return;
        if (streq_ptr((*v)->group, group))
                strbuf_addf(b, "      %-16s %s\n", n, (*v)->help);
        else if (is_first || !streq_ptr(v[-1]->group,
                                        n)) /* rows of a group stand together: the first one speaks for it */
                strbuf_addf(b, "      %-16s Commands on %ss; see \"rkt help %s\"\n", n, noun_of(n), n);
}

/* The commands of one level that have this heading, one line each. */
static void help_section(const Verb *const *verbs, const char *group, const char *section, StrBuf *b) {
        const char *of_group = NULL;

        for (const Verb *const *v = verbs; *v; v++) {
                bool is_first = v == verbs || !streq_ptr(v[-1]->group, (*v)->group);

                if (is_first)
                        of_group = (*v)->group ? (*v)->section : NULL;
                if (streq_ptr((*v)->group ? of_group : (*v)->section, section))
                        help_command(v, v == verbs, group, b);
        }
}

static void help_commands(const Verb *const *verbs, const char *group, StrBuf *b) {
        const char *sections[SECTIONS_MAX + 1] = {
                NULL
        }; /* in the order of the table; the last has no name */
        size_t n = 0;

        strbuf_add(b, "\nCOMMANDS:\n");
        if (group) {
                for (const Verb *const *v = verbs; *v; v++)
                        help_command(v, v == verbs, group, b);
                return;
        }
        for (const Verb *const *v = verbs; *v && n < SECTIONS_MAX; v++) {
                size_t i = 0;

                while (i < n && !streq_ptr(sections[i], (*v)->section))
                        i++;
                if (i == n && (*v)->section)
                        sections[n++] = (*v)->section;
        }
        for (size_t i = 0; i <= n; i++) {
                strbuf_addf(b, "   %s:\n", str_or(sections[i], "Others"));
                help_section(verbs, NULL, sections[i], b);
        }
}

static int print_buffer(const VerbContext *c, StrBuf *b, FILE *f) {
        _cleanup_strbuf_ StrBuf marked = STRBUF_INIT;

        if (b->failed)
                return -ENOMEM;
        if (f == stdout)
                verb_open_pager(c);
        if (markup_has_links(f))
                markup_add_manuals(&marked, b->data);
        return fputs(marked.failed || !marked.data ? str_or(b->data, "") : marked.data, f) < 0 ? -EIO : 0;
}

/**
 * verbs_print_help() - the commands of the program or of a group
 * @c:     global flags and the table
 * @group: NULL for the whole program
 * @f:     where to
 *
 * Return: 0; -ENOMEM, -EIO.
 */
int verbs_print_help(const VerbContext *c, const char *group, FILE *f) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        if (group)
                strbuf_addf(
                        &b,
                        "NAME:\n      rkt %s - Operate on %ss\n\nUSAGE:\n      rkt [GLOBAL FLAGS] %s COMMAND "
                        "[FLAGS] [ARGS]\n",
                        group, noun_of(group), group);
        else
                strbuf_add(&b,
                           "NAME:\n      rkt - Run containers and pods under systemd\n\nUSAGE:\n"
                           "      rkt [GLOBAL FLAGS] COMMAND [FLAGS] [ARGS]\n\nVERSION:\n      " RKT_VERSION
                           "\n");
        help_commands(c->verbs, group, &b);
        strbuf_add(&b, "\nGLOBAL OPTIONS:\n");
        options_help(global_options, NULL, &b);
        return print_buffer(c, &b, f);
}

/* Those that belong to an image stand by themselves. */
static void help_options(const Verb *v, StrBuf *b) {
        _cleanup_strbuf_ StrBuf image = STRBUF_INIT;

        for (size_t i = 0; i < VERB_TABLES_MAX; i++) {
                options_help(verb_options(v, i), NULL, b);
                options_help(verb_options(v, i), OPTIONS_GROUP_IMAGE, &image);
        }
        if (image.size > 0)
                strbuf_addf(b, "\nIMAGE OPTIONS (each belongs to the image before it):\n%s", image.data);
        b->failed = b->failed || image.failed;
}

/**
 * verb_print_help() - what one command does and takes
 * @c: global flags and the table
 * @v: the command
 * @f: where to
 *
 * Return: 0; -ENOMEM, -EIO.
 */
int verb_print_help(const VerbContext *c, const Verb *v, FILE *f) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        const char *group = str_or(v->group, ""), *space = v->group ? " " : "";
        const char *program = v->flags & VERB_PROGRAM ? "" : "rkt ";

        strbuf_addf(&b, "NAME:\n      %s%s%s%s - %s\n", program, group, space, v->name, v->help);
        strbuf_addf(&b, "\nUSAGE:\n      %s%s%s%s%s%s%s\n", program, group, space, v->name,
                    v->options ? " [FLAGS]" : "", v->usage ? " " : "", str_or(v->usage, ""));
        if (v->description)
                strbuf_addf(&b, "\nDESCRIPTION:\n%s\n", v->description);
        if (v->options)
                strbuf_add(&b, "\nOPTIONS:\n");
        help_options(v, &b);
        strbuf_add(&b, "\nGLOBAL OPTIONS:\n");
        options_help(global_options, NULL, &b);
        return print_buffer(c, &b, f);
}

/* A verb sees its context as const; verbs_main() has it, and it is no const there. */
static VerbContext *context_of(const VerbContext *c) {
        return unconst(c);
}

/**
 * verb_ready() - what has to happen between the flags and the work; for verbs with VERB_RAW, the others get it for free
 * @c: global flags, all taken
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, what the program's function returns.
 */
int verb_ready(const VerbContext *c, Error *e) {
        return c->ready ? c->ready(c, e) : 0;
}

/**
 * verb_open_pager() - what the verb prints from here on may be long: the user reads it page by page, if it is a user who reads it
 * @c: global flags, all taken
 *
 * To be called when there is something to print: nobody should wait before an empty screen.
 */
void verb_open_pager(const VerbContext *c) {
        if (!c->no_pager)
                pager_open();
}

/**
 * verb_dir_is_given() - did the user say where the data is?
 * @c: global flags, all taken
 *
 * Return: true if --dir was given, or configuration was read that says so.
 */
bool verb_dir_is_given(const VerbContext *c) {
        return c->dir != global_options[DIR_ROW].fallback;
}

/**
 * verb_set_dir() - the data directory: --dir if it was given, else this one
 * @c:   global flags, all taken; its dir is absolute afterwards: helpers and services do not work where we do
 * @dir: copied
 *
 * Return: 0; -ENOMEM; errno of getcwd(), for a relative one.
 */
int verb_set_dir(const VerbContext *c, const char *dir) {
        _cleanup_free_ char *cwd = NULL, *absolute = NULL;
        VerbContext *x = context_of(c);

        if (verb_dir_is_given(c))
                dir = c->dir;
        if (!path_is_absolute(dir)) {
                cwd = getcwd(NULL, 0);
                if (!cwd)
                        return -errno;
        }
        absolute = cwd ? path_join(cwd, dir) : strdup(dir);
        if (!absolute)
                return -ENOMEM;
        free(x->configured_dir);
        x->configured_dir = TAKE_PTR(absolute);
        x->dir = x->configured_dir;
        return 0;
}

/**
 * verb_options_parser() - a parser over a verb's words, for verbs with VERB_RAW
 * @c:       global flags; more of them may stand among the verb's words
 * @v:       the verb
 * @args:    words, NULL-terminated
 * @options: the struct that the verb's table fills
 * @ret:     parser
 */
void verb_options_parser(const VerbContext *c, const Verb *v, char **args, void *options, OptionParser *ret) {
        *ret = (OptionParser){ .tables = { [VERB_TABLES_MAX] = { global_options, context_of(c) } },
                               .argv = args };
        for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                ret->tables[i] = (OptionTable){ verb_options(v, i), options };
}

static int check_count(const Verb *v, size_t n, Error *e) {
        if (n >= v->min_args && n <= v->max_args)
                return 0;
        return error_setf(e, -EINVAL, "too %s arguments: usage: rkt %s%s%s%s%s",
                          n < v->min_args ? "few" : "many", str_or(v->group, ""), v->group ? " " : "",
                          v->name, v->usage ? " " : "", str_or(v->usage, ""));
}

/* Takes the flags out of the words of a verb; what is left goes to words, which is as long as args. */
static int parse_words(VerbContext *c, const Verb *v, char **args, void *options, char **words, size_t *ret_n,
                       Error *e) {
        OptionParser p;
        size_t n = 0;
        int r;

        verb_options_parser(c, v, args, options, &p);
        for (;;) {
                const char *word;

                r = options_next(&p, &word, e);
                if (r < 0)
                        return r;
                if (r == OPTIONS_ARGUMENT)
                        words[n++] = args[p.index - 1];
                if (r == OPTIONS_END || r == OPTIONS_DASHES ||
                    (r == OPTIONS_ARGUMENT && (v->flags & VERB_STOP_AT_WORD)))
                        break;
        }
        while (args[p.index])
                words[n++] = args[p.index++];
        words[n] = NULL;
        *ret_n = n;
        return 0;
}

/* Parses, checks and calls. */
static int call_with(VerbContext *c, const Verb *v, char **args, void *options, Error *e) {
        _cleanup_free_ char **words = new0(char *, strv_length(args) + 1);
        size_t n = 0;
        int r;

        if (!words)
                return error_oom(e);
        if (v->flags & VERB_RAW)
                return v->run(c, (int) strv_length(args), args, options, e);
        r = parse_words(c, v, args, options, words, &n, e);
        if (r >= 0 && c->debug)
                log_set_debug(true);
        if (r >= 0 && c->help)
                return verb_print_help(c, v, stdout);
        if (r >= 0)
                r = check_count(v, n, e);
        if (r >= 0 && !(v->flags & VERB_NO_DATA))
                r = verb_ready(c, e);
        return r < 0 ? r : v->run(c, (int) n, words, options, e);
}

/* The verb's struct lives as long as the call. */
static int call_verb(VerbContext *c, const Verb *v, char **args, Error *e) {
        _cleanup_free_ void *options = calloc(1, v->options_size + 1);
        int r = 0;

        if (!options)
                return error_oom(e);
        if ((v->flags & VERB_ROOT) && geteuid() != 0 && !strv_contains(args, "--help") &&
            !strv_contains(args, "-h"))
                return error_setf(e, -EPERM, "cannot run as unprivileged user");
        for (size_t i = 0; i < VERB_TABLES_MAX && r >= 0; i++)
                r = options_init(&(OptionTable){ verb_options(v, i), options }, e);
        if (r >= 0)
                r = call_with(c, v, args, options, e);
        for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                options_done(&(OptionTable){ verb_options(v, i), options });
        return r;
}

/* Is this --x=value with an x that is not global? Then it is the verb's, which comes later: as rkt took it. */
static bool is_early(const char *word) {
        size_t n = word && startswith(word, "--") ? strcspn(word, "=") : 0;

        if (n == 0 || word[n] != '=')
                return false;
        for (const Option *o = global_options; o->name; o++)
                if (strlen(o->name) == n - 2 && strncmp(o->name, word + 2, n - 2) == 0)
                        return false;
        return true;
}

/* Takes global flags up to the next word; keeps the verb's own in early, which is as long as the command line. Returns an
 * OptionEvent. */
static int next_word(OptionParser *p, char **early, size_t *n_early, const char **ret, Error *e) {
        int r;

        do {
                while (is_early(p->argv[p->index]))
                        early[(*n_early)++] = p->argv[p->index++];
                r = options_next(p, ret, e);
        } while (r == OPTIONS_OPTION || r == OPTIONS_DASHES);
        return r;
}

/* Walks from the first word to the verb. */
static int dispatch(VerbContext *c, char **argv, Error *e) {
        OptionParser p = { .tables = { { global_options, c } }, .argv = argv, .index = 1 };
        _cleanup_free_ char **words = new0(char *, strv_length(argv) + 1);
        const char *word, *group = NULL;
        const Verb *v = NULL;
        size_t n = 0;
        int r;

        if (!words)
                return error_oom(e);
        do {
                r = next_word(&p, words, &n, &word, e);
                if (r < 0)
                        return r;
                if (r == OPTIONS_END) {
                        (void) verbs_print_help(c, group, c->help ? stdout : stderr);
                        if (!c->help)
                                log_error("missing command");
                        return c->help ? 0 : EXIT_RKT_NO_COMMAND;
                }
                r = verb_find(c->verbs, group, word, &v, e);
                if (r < 0 || !v) /* a verb is there whenever r >= 0; clang-tidy cannot see it */
                        return r;
                group = v->group;
        } while (r == 1);

        log_set_prefix(str_or(v->prefix, v->name));
        log_set_debug(c->debug);
        if (c->help)
                return verb_print_help(c, v, stdout);
        memcpy(words + n, argv + p.index, (strv_length(argv + p.index) + 1) * sizeof(*words));
        return call_verb(c, v, words, e);
}

/* Go's flags take one dash as well. */
static char *with_two_dashes(const char *word) {
        return word[0] == '-' && word[1] != '-' && word[1] != '\0' && word[2] != '\0' ? strf("-%s", word)
                                                                                      : strdup(word);
}

/**
 * verbs_program() - the command line of a program that is a verb of this one
 * @verbs: the table, NULL-terminated
 * @argc:  of main()
 * @argv:  of main(); its first word may be the name of a verb that is VERB_PROGRAM, with folders in front
 * @ret:   the same for verbs_main(), for strv_free(): the verb stands second, and long flags have two dashes
 *
 * Return: 1, 0 (no such program; @ret is not set), -ENOMEM.
 */
int verbs_program(const Verb *const *verbs, int argc, char **argv, char ***ret) {
        _cleanup_strv_free_ char **words = NULL;
        const char *name = argc > 0 ? path_basename(argv[0]) : "";

        while (*verbs && (!((*verbs)->flags & VERB_PROGRAM) || !streq((*verbs)->name, name)))
                verbs++;
        if (!*verbs)
                return 0;
        words = new0(char *, (size_t) argc + 2);
        if (!words)
                return -ENOMEM;
        words[0] = strdup(argv[0]);
        words[1] = strdup(name);
        for (int i = 1; i < argc && words[i]; i++)
                words[i + 1] = with_two_dashes(argv[i]);
        if (strv_length(words) != (size_t) argc + 1)
                return -ENOMEM;
        *ret = TAKE_PTR(words);
        return 1;
}

/* Else a file that is opened later would get what is printed. What cannot be written to still cannot. */
static void fill_standard_descriptors(void) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                /* NOLINTNEXTLINE(android-cloexec-open) it is to be inherited */
                int there = fcntl(fd, F_GETFD) < 0 ? open("/dev/null", O_RDONLY | O_NOCTTY) : fd;

                if (there != fd)
                        _exit(EXIT_RKT_FAILED);
        }
}

/* A user who leaves the pager early does not fail; but what fails for another reason does, and is said where it is read. */
static int leave_pager(int r) {
        if (r >= 0 || !pager_is_left())
                return r;
        (void) pager_close();
        return r == -EPIPE ? 0 : r;
}

/* One sentence; with --debug its causes, each below what it was the cause of. */
static void log_failure(const Error *e, int r) {
        _cleanup_free_ char *tree = log_is_debug() ? error_tree(e, r) : NULL;

        log_error("%s", tree ? tree : error_text(e, r));
}

/**
 * verbs_main() - run the command that argv names
 * @verbs: the table, NULL-terminated; rows of one group stand together
 * @ready: called when all flags are known, before the verb works; may be NULL
 * @argc:  of main()
 * @argv:  of main()
 *
 * Return: the exit code of the program.
 */
int verbs_main(const Verb *const *verbs, int (*ready)(const VerbContext *c, Error *e), int argc,
               char **argv) {
        _cleanup_error_ Error e = ERROR_INIT;
        VerbContext c = { .verbs = verbs, .ready = ready };
        OptionTable t = { global_options, &c };
        int r;

        log_set_prefix("rkt");
        fill_standard_descriptors();
        r = options_init(&t, &e);
        if (r >= 0)
                r = dispatch(&c, argv, &e);
        r = leave_pager(r);
        if (r < 0) {
                log_failure(&e, r);
                r = EXIT_RKT_FAILED;
        }
        free(c.configured_dir);
        if (pager_close())
                return r;
        if (fflush(stdout) != 0 || ferror(stdout)) {
                log_error_errno(-errno, "cannot write to standard output: %m");
                return EXIT_RKT_FAILED;
        }
        return r;
}

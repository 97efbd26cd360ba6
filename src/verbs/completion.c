/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt completion: scripts for bash, zsh and fish, made from the table of verbs; the build installs them. What a verb's arguments
 * are, its usage says: UUID is a pod, POD the name of a pod file, IMAGE an image, FILE a file. */
#include <stdio.h>
#include <string.h>

#include "verbs/verbs.h"

#define LIST_PODS                                                                                            \
        "rkt list --full --no-legend 2>/dev/null | sed -n 's/^\\([0-9a-f]\\{8\\}-[0-9a-f-]*\\).*/\\1/p'"
#define LIST_IMAGES "rkt image list --no-legend --fields=name,id 2>/dev/null | tr -s '\\t ' '\\n'"

#define LIST_POD_FILES "rkt pod list --no-legend 2>/dev/null | cut -f1"

/* What completes the arguments of a verb: a command that lists them; NULL for none. */
static const char *argument_list(const Verb *v) {
        if (v->usage && startswith(v->usage, "UUID"))
                return LIST_PODS;
        if (v->usage && startswith(v->usage, "IMAGE"))
                return LIST_IMAGES;
        if (v->usage && startswith(v->usage, "[POD"))
                return LIST_POD_FILES;
        return NULL;
}

static bool is_shown(const Option *o) {
        return !(o->flags & OPTION_HIDDEN) && o->type != OPTION_UNSUPPORTED;
}

static bool begins_group(const Verb *const *verbs, const Verb *const *v) {
        return (*v)->group && (v == verbs || !v[-1]->group || !streq(v[-1]->group, (*v)->group));
}

/* The names of one level, separated by blanks. */
static void print_names(const Verb *const *verbs, const char *group) {
        for (const Verb *const *v = verbs; *v; v++) {
                if ((*v)->flags & VERB_HIDDEN)
                        continue;
                if (streq_ptr((*v)->group, group))
                        (void) printf(" %s", (*v)->name);
                else if (!group && begins_group(verbs, v))
                        (void) printf(" %s", (*v)->group);
        }
}

static void print_flags(const Option *options) {
        for (const Option *o = options; o && o->name; o++)
                if (is_shown(o))
                        (void) printf(" --%s%s", o->name, o->type == OPTION_BOOL || o->bare ? "" : "=");
}

static void print_bash_verbs(const Verb *const *verbs) {
        for (const Verb *const *v = verbs; *v; v++) {
                const char *list = argument_list(*v);

                if (begins_group(verbs, v)) {
                        (void) printf("        '%s')\n                words='", (*v)->group);
                        print_names(verbs, (*v)->group);
                        (void) puts("'\n                ;;");
                }
                if (((*v)->flags & VERB_HIDDEN) && !((*v)->flags & VERB_PROGRAM))
                        continue;
                (void) printf("        '%s%s%s')\n                flags='", str_or((*v)->group, ""),
                              (*v)->group ? " " : "", (*v)->name);
                for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                        print_flags(verb_options(*v, i));
                (void) puts("'");
                if (list)
                        (void) printf("                words=$(%s)\n", list);
                (void) puts("                ;;");
        }
}

static void print_bash(const Verb *const *verbs) {
        (void) puts("# bash completion for rkt, made by \"rkt completion bash\"\n"
                    "_rkt() {\n"
                    "        local cur=${COMP_WORDS[COMP_CWORD]} command= flags= words= word\n"
                    "        [[ $1 == *rkt ]] || command=${1##*/}\n"
                    "        for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                    "                case \"$command:$word\" in");
        for (const Verb *const *v = verbs; *v; v++)
                if (begins_group(verbs, v))
                        (void) printf("                %s:[a-z]*) command=\"%s $word\" ;;\n", (*v)->group,
                                      (*v)->group);
        (void) puts("                :[a-z]*) command=$word ;;\n"
                    "                esac\n"
                    "        done\n"
                    "        case \"$command\" in\n"
                    "        '')");
        (void) fputs("                words='", stdout);
        print_names(verbs, NULL);
        (void) puts("'\n                ;;");
        print_bash_verbs(verbs);
        (void) fputs("        esac\n        flags+='", stdout);
        print_flags(verb_global_options());
        (void) fputs("'\n"
                     "        if [[ $cur == -* ]]; then\n"
                     "                COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
                     "                [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
                     "        else\n"
                     "                COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "        fi\n"
                     "}\n"
                     "complete -o default -F _rkt rkt",
                     stdout);
        for (const Verb *const *v = verbs; *v; v++)
                if ((*v)->flags & VERB_PROGRAM)
                        (void) printf(" %s", (*v)->name);
        (void) puts("");
}

/* A text between single quotes of sh, zsh and fish. */
static void print_quoted(const char *s, const char *specials) {
        for (; s && *s; s++) {
                if (*s == '\'')
                        (void) fputs("'\\'", stdout);
                else if (strchr(specials, *s))
                        (void) fputc('\\', stdout);
                (void) fputc(*s, stdout);
        }
}

static void print_zsh_options(const Option *options) {
        for (const Option *o = options; o && o->name; o++) {
                if (!is_shown(o))
                        continue;
                (void) printf(" \\\n                '--%s%s[", o->name,
                              o->type == OPTION_BOOL || o->bare ? "" : "=");
                print_quoted(o->help, "[]:\\");
                (void) printf("]%s'", o->type == OPTION_BOOL || o->bare ? "" : ":value:_files");
        }
}

/* Names with their help, for _describe. */
static void print_zsh_names(const Verb *const *verbs, const char *group) {
        for (const Verb *const *v = verbs; *v; v++) {
                bool here = streq_ptr((*v)->group, group);

                if (((*v)->flags & VERB_HIDDEN) || (!here && (group || !begins_group(verbs, v))))
                        continue;
                (void) printf("                '%s:", here ? (*v)->name : (*v)->group);
                print_quoted(here ? (*v)->help : "Commands of this group", ":\\");
                (void) puts("'");
        }
}

static void print_zsh(const Verb *const *verbs) {
        (void) puts("#compdef rkt\n"
                    "# zsh completion for rkt, made by \"rkt completion zsh\"\n"
                    "_rkt() {\n"
                    "        local -a names words\n"
                    "        words=(${${words[1,CURRENT-1]:#-*}[2,-1]})\n"
                    "        case \"$words\" in\n"
                    "        '')\n"
                    "                names=(");
        print_zsh_names(verbs, NULL);
        (void) puts("                )\n                _describe command names\n                ;;");
        for (const Verb *const *v = verbs; *v; v++) {
                const char *space = (*v)->group ? " " : "", *list = argument_list(*v);

                if (begins_group(verbs, v)) {
                        (void) printf("        '%s')\n                names=(\n", (*v)->group);
                        print_zsh_names(verbs, (*v)->group);
                        (void) puts("                )\n                _describe command names\n            "
                                    "    ;;");
                }
                if ((*v)->flags & VERB_HIDDEN)
                        continue;
                (void) printf("        '%s%s%s'*)\n                _arguments '*:argument:_files'",
                              str_or((*v)->group, ""), space, (*v)->name);
                for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                        print_zsh_options(verb_options(*v, i));
                print_zsh_options(verb_global_options());
                if (list)
                        (void) printf("\n                compadd -- $(%s)", list);
                (void) puts("\n                ;;");
        }
        (void) puts("        esac\n}\n_rkt \"$@\"");
}

/* When a line of fish's counts: after the verb, and after its group if it has one. */
static void print_fish_condition(const Verb *v) {
        if (v->group)
                (void) printf(" -n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s'",
                              v->group, v->name);
        else
                (void) printf(" -n '__fish_seen_subcommand_from %s'", v->name);
}

static void print_fish_options(const Option *options, const Verb *v) {
        for (const Option *o = options; o && o->name; o++) {
                if (!is_shown(o))
                        continue;
                (void) fputs("complete -c rkt", stdout);
                if (v)
                        print_fish_condition(v);
                (void) printf(" -l %s%s -d '", o->name, o->type == OPTION_BOOL || o->bare ? "" : " -r");
                print_quoted(o->help, "\\");
                (void) puts("'");
        }
}

static void print_fish(const Verb *const *verbs) {
        (void) puts("# fish completion for rkt, made by \"rkt completion fish\"");
        for (const Verb *const *v = verbs; *v; v++) {
                if ((*v)->flags & VERB_HIDDEN)
                        continue;
                if (begins_group(verbs, v))
                        (void) printf("complete -c rkt -f -n __fish_use_subcommand -a %s -d 'Commands of "
                                      "this group'\n",
                                      (*v)->group);
                (void) fputs("complete -c rkt -f -n ", stdout);
                if ((*v)->group)
                        (void) printf("'__fish_seen_subcommand_from %s'", (*v)->group);
                else
                        (void) fputs("__fish_use_subcommand", stdout);
                (void) printf(" -a %s -d '", (*v)->name);
                print_quoted((*v)->help, "\\");
                (void) puts("'");
                for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                        print_fish_options(verb_options(*v, i), *v);
                if (argument_list(*v)) {
                        (void) fputs("complete -c rkt -f", stdout);
                        print_fish_condition(*v);
                        (void) printf(" -a \"(%s)\"\n", argument_list(*v));
                }
        }
        print_fish_options(verb_global_options(), NULL);
}

static int completion_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        static const struct {
                const char *shell;
                void (*print)(const Verb *const *verbs);
        } shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

        FOREACH_ARRAY (s, shells, ELEMENTSOF(shells))
                if (streq(s->shell, args[0])) {
                        s->print(c->verbs);
                        return 0;
                }
        return error_setf(e, -EINVAL, "no completion for \"%s\": it must be bash, zsh or fish", args[0]);
}

const Verb verb_completion = {
        .name = "completion",
        .flags = VERB_NO_DATA,
        .min_args = 1,
        .max_args = 1,
        .usage = "SHELL",
        .help = "Print a completion script for bash, zsh or fish",
        .run = completion_run,
};

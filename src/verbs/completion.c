/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt completion: scripts for bash, zsh and fish, made from the table of verbs; the build installs them. What a verb's arguments
 * are, its usage says: UUID is a pod, POD the name of a pod file, IMAGE an image, FILE a file. */
#include <stdio.h>
#include <string.h>

#include "verbs/verbs.h"

/* Functions of the scripts; sh, bash and zsh take the same ones. A pod has a UUID and, perhaps, a name of its own. */
#define PODS_FILTER "cut -d'\"' -f4,12 | tr '\"' '\\n' | grep -v '^rkt-[0-9a-f]\\{8\\}-'"
#define APPS_FILTER "sed 's/[[:space:]].*//'"

static const char sh_functions[] =
        "_rkt_pods() {\n"
        "        rkt list --format=json 2>/dev/null |\n"
        "                grep -o '\"name\":\"[0-9a-f-]*\",\"state\":\"'\"$1\"'\",\"machine\":\"[^\"]*\"' |\n"
        "                " PODS_FILTER "\n"
        "}\n"
        "_rkt_apps() {\n"
        "        [ -z \"$1\" ] || rkt app list --no-legend \"$1\" 2>/dev/null | " APPS_FILTER "\n"
        "}\n"
        "_rkt_images() {\n"
        "        rkt image list --no-legend --fields=name,id 2>/dev/null | tr -s '\\t ' '\\n'\n"
        "}\n"
        "_rkt_files() {\n"
        "        rkt pod list --no-legend 2>/dev/null | sed 's/[[:space:]].*//'\n"
        "}\n";

static const char fish_functions[] =
        "function _rkt_pods\n"
        "        rkt list --format=json 2>/dev/null |\n"
        "                grep -o '\"name\":\"[0-9a-f-]*\",\"state\":\"'$argv[1]'\",\"machine\":\"[^\"]*\"' "
        "|\n"
        "                " PODS_FILTER "\n"
        "end\n"
        "function _rkt_apps\n"
        "        set -l words (string match -v -- '-*' (commandline -opc))\n"
        "        test (count $words) -ge $argv[1]; and rkt app list --no-legend $words[$argv[1]] 2>/dev/null "
        "|\n"
        "                " APPS_FILTER "\n"
        "end\n"
        "function _rkt_images\n"
        "        rkt image list --no-legend --fields=name,id 2>/dev/null | tr -s '\\t ' '\\n'\n"
        "end\n"
        "function _rkt_files\n"
        "        rkt pod list --no-legend 2>/dev/null | sed 's/[[:space:]].*//'\n"
        "end\n";

/* Which pods a verb is for; the others are for all. */
static const struct {
        const char *group, *name, *state;
} states[] = {
        { NULL, "attach", "running" },        { NULL, "enter", "running" }, { NULL, "export", "exited" },
        { NULL, "run-prepared", "prepared" }, { NULL, "start", "exited" },  { NULL, "stop", "running" },
        { "app", "add", "running" },          { "app", "exec", "running" }, { "app", "rm", "running" },
        { "app", "start", "running" },        { "app", "stop", "running" },
};

/* What completes the arguments of a verb: a function of the script, with its argument; NULL for none. */
static const char *argument_list(const Verb *v, const char **ret_argument) {
        const char *usage = str_or(v->usage, "");

        *ret_argument = "";
        if (startswith(usage, "UUID")) {
                *ret_argument = "[a-z ]*";
                FOREACH_ARRAY (s, states, ELEMENTSOF(states))
                        if (streq_ptr(s->group, v->group) && streq(s->name, v->name))
                                *ret_argument = s->state;
                return "_rkt_pods";
        }
        if (startswith(usage, "IMAGE"))
                return "_rkt_images";
        return startswith(usage, "[POD") || streq(usage, "POD") || startswith(usage, "NAME|FILE")
                       ? "_rkt_files"
                       : NULL;
}

/* Words that are values of a flag, whatever the verb. */
static const struct {
        const char *name, *words;
} values[] = {
        { "format", "json json-pretty" },
        { "pull-policy", "new update never" },
        { "ipc", "auto private parent" },
        { "order", "asc desc" },
        { "insecure-options",
          "none image tls http pubkey ondisk capabilities paths seccomp all-fetch all-run all" },
};

static const char *words_of(const Option *o) {
        FOREACH_ARRAY (v, values, ELEMENTSOF(values))
                if (streq(v->name, o->name))
                        return v->words;
        return NULL;
}

/* Its value is an app of the pod that the line names. */
static bool is_app(const Option *o, const Verb *v) {
        return v && streq(o->name, "app") && startswith(str_or(v->usage, ""), "UUID");
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

static bool has_app(const Verb *v) {
        for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                for (const Option *o = verb_options(v, i); o && o->name; o++)
                        if (is_app(o, v))
                                return true;
        return false;
}

static void print_bash_verbs(const Verb *const *verbs) {
        for (const Verb *const *v = verbs; *v; v++) {
                const char *argument, *list = argument_list(*v, &argument);

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
                        (void) printf("                list='%s %s'\n", list,
                                      *argument ? strchr(argument, ' ') ? "\"[a-z ]*\"" : argument : "");
                if (has_app(*v))
                        (void) puts("                apps=yes");
                (void) puts("                ;;");
        }
}

/* bash breaks words at "=" and ":", too: the line is read anew, and of what is found only what follows the last break is given
 * back. */
static const char bash_head[] = "_rkt() {\n"
                                "        local line=${COMP_LINE:0:COMP_POINT} command= flags= words= list= "
                                "apps= pod= word before cur\n"
                                "        local -a all\n"
                                "        read -ra all <<<\"$line\"\n"
                                "        cur=${line##*[[:space:]]}\n"
                                "        [[ -z $cur ]] || unset 'all[-1]'\n"
                                "        [[ $1 == *rkt ]] || command=${1##*/}\n"
                                "        for word in \"${all[@]:1}\"; do\n"
                                "                [[ $before != --app ]] || { before=; continue; }\n"
                                "                before=$word\n"
                                "                case \"$command:$word\" in\n";

static const char bash_tail[] = "        before=${cur%\"${cur##*[=:]}\"}\n"
                                "        if [[ -n $apps && $cur == --app=* ]]; then\n"
                                "                words=$(_rkt_apps \"$pod\") cur=${cur#*=}\n"
                                "        elif [[ -n $apps && ${all[-1]} == --app ]]; then\n"
                                "                words=$(_rkt_apps \"$pod\")\n"
                                "        elif [[ $cur == --*=* ]]; then\n"
                                "                words=\n"
                                "                case \"${cur%%=*}\" in\n";

static void print_bash(const Verb *const *verbs) {
        (void) printf("# bash completion for rkt, made by \"rkt completion bash\"\n%s%s", sh_functions,
                      bash_head);
        for (const Verb *const *v = verbs; *v; v++)
                if (begins_group(verbs, v))
                        (void) printf("                %s:[a-z]*) command=\"%s $word\" ;;\n", (*v)->group,
                                      (*v)->group);
        (void) puts("                :[a-z]*) command=$word ;;\n"
                    "                *:[^-]*) pod=${pod:-$word} ;;\n"
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
        (void) printf("'\n%s", bash_tail);
        FOREACH_ARRAY (v, values, ELEMENTSOF(values))
                (void) printf("                --%s) words='%s' ;;\n", v->name, v->words);
        (void) puts("                esac\n"
                    "                cur=${cur#*=}\n"
                    "        elif [[ $cur == -* ]]; then\n"
                    "                words=$flags\n"
                    "        elif [[ -n $list ]]; then\n"
                    "                words=$(eval \"$list\")\n"
                    "        fi\n"
                    "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                    "        [[ ${COMPREPLY[0]} == --*= ]] && compopt -o nospace\n"
                    "        [[ $before != *: ]] || COMPREPLY=(\"${COMPREPLY[@]#\"${before#--*=}\"}\")\n"
                    "}");
        (void) fputs("complete -o default -F _rkt rkt", stdout);
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

static void print_zsh_options(const Option *options, const Verb *v) {
        for (const Option *o = options; o && o->name; o++) {
                bool plain = o->type == OPTION_BOOL || o->bare;

                if (!is_shown(o))
                        continue;
                (void) printf(" \\\n                '--%s%s[", o->name, plain ? "" : "=");
                print_quoted(o->help, "[]:\\");
                if (is_app(o, v))
                        (void) printf("]:app:{_rkt_add _rkt_apps $before[%d]}'", v->group ? 3 : 2);
                else if (words_of(o))
                        (void) printf("]:value:(%s)'", words_of(o));
                else
                        (void) printf("]%s'", plain ? "" : ":value:_files");
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

/* A value with a colon is one word for zsh. */
static const char zsh_head[] = "_rkt_add() {\n"
                               "        compadd -- ${(f)\"$($@)\"}\n"
                               "}\n"
                               "_rkt() {\n"
                               "        local -a names before\n"
                               "        before=(${${words[1,CURRENT-1]:#-*}[2,-1]})\n"
                               "        case \"$before\" in\n"
                               "        '')\n"
                               "                names=(\n";

static void print_zsh_verb(const Verb *v) {
        const char *argument, *list = argument_list(v, &argument);

        (void) printf("        '%s%s%s'|'%s%s%s '*)\n                _arguments ", str_or(v->group, ""),
                      v->group ? " " : "", v->name, str_or(v->group, ""), v->group ? " " : "", v->name);
        if (list)
                (void) printf("'*:argument:{_rkt_add %s \"%s\"}'", list, argument);
        else
                (void) fputs("'*:argument:_files'", stdout);
        for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                print_zsh_options(verb_options(v, i), v);
        print_zsh_options(verb_global_options(), NULL);
        (void) puts("\n                ;;");
}

static void print_zsh(const Verb *const *verbs) {
        (void) printf("#compdef rkt\n# zsh completion for rkt, made by \"rkt completion zsh\"\n%s%s",
                      sh_functions, zsh_head);
        print_zsh_names(verbs, NULL);
        (void) fputs("                )\n                if [[ $words[CURRENT] != -* ]]; then\n"
                     "                        _describe command names\n                        return\n"
                     "                fi\n                _arguments",
                     stdout);
        print_zsh_options(verb_global_options(), NULL);
        (void) puts("\n                ;;");
        for (const Verb *const *v = verbs; *v; v++) {
                if (begins_group(verbs, v)) {
                        (void) printf("        '%s')\n                names=(\n", (*v)->group);
                        print_zsh_names(verbs, (*v)->group);
                        (void) puts("                )\n                _describe command names\n"
                                    "                ;;");
                }
                if (!((*v)->flags & VERB_HIDDEN))
                        print_zsh_verb(*v);
        }
        (void) puts("        esac\n}\n_rkt \"$@\"");
}

/* When a line of fish's counts: after the verb, and after its group if it has one, or after none. */
static void print_fish_condition(const Verb *v) {
        if (v->group)
                (void) printf(" -n '__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s'",
                              v->group, v->name);
        else
                (void) printf(" -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from "
                              "$_rkt_groups'",
                              v->name);
}

static void print_fish_options(const Option *options, const Verb *v) {
        for (const Option *o = options; o && o->name; o++) {
                bool plain = o->type == OPTION_BOOL || o->bare;

                if (!is_shown(o))
                        continue;
                (void) fputs("complete -c rkt", stdout);
                if (v)
                        print_fish_condition(v);
                (void) printf(" -l %s%s", o->name, plain ? "" : " -r");
                if (is_app(o, v))
                        (void) printf(" -f -a '(_rkt_apps %d)'", v->group ? 4 : 3);
                else if (words_of(o))
                        (void) printf(" -f -a '%s'", words_of(o));
                (void) fputs(" -d '", stdout);
                print_quoted(o->help, "\\");
                (void) puts("'");
        }
}

static void print_fish_verb(const Verb *const *verbs, const Verb *const *v) {
        const char *argument, *list = argument_list(*v, &argument);

        if (begins_group(verbs, v))
                (void) printf(
                        "complete -c rkt -f -n __fish_use_subcommand -a %s -d 'Commands of this group'\n",
                        (*v)->group);
        (void) fputs("complete -c rkt -f -n ", stdout);
        if ((*v)->group)
                (void) printf("'__fish_seen_subcommand_from %s; and test (count (commandline -opc)) -eq 2'",
                              (*v)->group);
        else
                (void) fputs("__fish_use_subcommand", stdout);
        (void) printf(" -a %s -d '", (*v)->name);
        print_quoted((*v)->help, "\\");
        (void) puts("'");
        for (size_t i = 0; i < VERB_TABLES_MAX; i++)
                print_fish_options(verb_options(*v, i), *v);
        if (list) {
                (void) fputs("complete -c rkt -f", stdout);
                print_fish_condition(*v);
                (void) printf(" -a '(%s \"%s\")'\n", list, argument);
        }
}

static void print_fish(const Verb *const *verbs) {
        (void) printf("# fish completion for rkt, made by \"rkt completion fish\"\n%sset -g _rkt_groups",
                      fish_functions);
        for (const Verb *const *v = verbs; *v; v++)
                if (begins_group(verbs, v))
                        (void) printf(" %s", (*v)->group);
        (void) puts("");
        for (const Verb *const *v = verbs; *v; v++)
                if (!((*v)->flags & VERB_HIDDEN))
                        print_fish_verb(verbs, v);
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

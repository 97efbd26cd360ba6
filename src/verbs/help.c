/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt help: the commands, those of a group, or one of them. */
#include <stdio.h>

#include "verbs/verbs.h"

static int help_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        const Verb *v = NULL;
        const char *group = NULL;
        int r = 1;

        for (int i = 0; i < argc && r == 1; i++) {
                r = verb_find(c->verbs, group, args[i], &v, e);
                if (r < 0)
                        return r;
                group = v->group;
        }
        r = r == 1 ? verbs_print_help(c, group, stdout) : verb_print_help(c, v, stdout);
        return r < 0 ? error_setf(e, r, "cannot print the help") : 0;
}

const Verb verb_help = {
        .name = "help",
        .flags = VERB_NO_DATA,
        .max_args = 2,
        .usage = "[COMMAND [COMMAND]]",
        .help = "Help about any command",
        .run = help_run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt enter: a program in an app of a running pod, with the app's own user, environment and sandbox. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "run/pod-bus.h"
#include "run/pod-enter.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

#define RETRY_MSEC 20 /* while the pod begins */

typedef struct EnterArgs {
        const char *app;
        const char *uuid_file;
} EnterArgs;

static bool is_too_early(int r) {
        return r == -ENOENT || r == -ECONNREFUSED || r == -ESRCH;
}

/* A pod that has just been started is waited for, as long as it lives. */
static int open_bus(Pod *p, PodEnter *x, sd_bus **ret, Error *e) {
        const struct timespec wait = { .tv_nsec = RETRY_MSEC * 1000000L };

        for (;;) {
                _cleanup_error_ Error one = ERROR_INIT;
                int r;

                if (pod_refresh(p) < 0 || pod_state(p) != POD_RUNNING)
                        return pod_not_running(p, e);
                r = pod_get_pid(p, &x->leader);
                if (r >= 0)
                        r = pod_bus_open(x->leader, ret, &one);
                if (!is_too_early(r))
                        return r < 0 ? error_setf(e, r, "%s", error_text(&one, r)) : 0;
                (void) nanosleep(&wait, NULL);
        }
}

/* With the caller's kind of terminal. */
static int enter(PodEnter *x, int *ret_status, Error *e) {
        const char *term = getenv("TERM");
        _cleanup_free_ char *variable = strf("TERM=%s", term && *term ? term : "vt100");
        char *environment[] = { variable, NULL };
        int r;

        if (!variable)
                return error_oom(e);
        x->environment = environment;
        r = pod_enter(x, ret_status, e);
        x->environment = NULL;
        return r;
}

static int enter_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const EnterArgs *args = options;
        const RunningAppQuery q = { .uuid_file = args->uuid_file, .app = args->app, .verb = "enter" };
        _cleanup_(running_app_done) RunningApp into = RUNNING_APP_INIT;
        _cleanup_bus_ sd_bus *bus = NULL;
        PodEnter x = {};
        int r, status = EXIT_RKT_FAILED, n = args->uuid_file ? 0 : 1;

        r = running_app_open(c->dir, MIN(argc, n), words, &q, &into, e);
        if (r < 0)
                return r;
        x.app = into.app;
        if (argc > n && streq(words[n], "--"))
                n++;
        if (argc > n)
                x.words = words + n;
        else
                log_warning("no command specified, assuming \"/bin/bash\"");
        r = open_bus(into.pod, &x, &bus, e);
        if (r < 0)
                return r;
        x.bus = bus;
        r = enter(&x, &status, e);
        if (r < 0)
                log_error("enter failed: %s", error_text(e, r));
        return status;
}

static const Option enter_options[] = {
        POD_OPTION_APP(EnterArgs, "name of the app to enter; needed if the pod has several"),
        POD_OPTION_UUID_FILE(EnterArgs),
        {},
};

const Verb verb_enter = {
        .name = "enter",
        .min_args = 0,
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_ROOT | VERB_STOP_AT_WORD,
        .usage = "UUID [CMD [ARGS...]]",
        .section = SECTION_PODS,
        .help = "Enter the namespaces of an app within a rkt pod",
        .description =
                "      Runs CMD, by default a shell, in an app of a running pod: with the app's user, "
                "environment and limits.\n"
                "      With a terminal it gets one of the pod's, otherwise the three streams are passed "
                "on. Its exit status is\n"
                "      that of CMD. A name may stand for a UUID.",
        .options = enter_options,
        .options_size = sizeof(EnterArgs),
        .run = enter_run,
};

const Verb verb_app_exec = {
        .group = "app",
        .name = "exec",
        .min_args = 0,
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_ROOT | VERB_STOP_AT_WORD,
        .usage = "UUID [CMD [ARGS...]]",
        .help = "Run a command in an app of a running pod",
        .description = "      The same as \"rkt enter\".",
        .options = enter_options,
        .options_size = sizeof(EnterArgs),
        .run = enter_run,
};

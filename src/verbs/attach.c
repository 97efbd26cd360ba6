/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt attach: the standard streams or the terminal of an app of a running pod, for as long as one likes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "run/app-stdio.h"
#include "run/attach.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

typedef struct AttachArgs {
        const char *app;
        const char *mode;
        const char *detach_keys;
        const char *uuid_file;
} AttachArgs;

static const struct {
        const char *name;
        unsigned want;
} endpoints[] = {
        { "stdin", ATTACH_STDIN },   { "stdout", ATTACH_STDOUT },   { "stderr", ATTACH_STDERR },
        { "tty-in", ATTACH_TTY_IN }, { "tty-out", ATTACH_TTY_OUT }, { "tty", ATTACH_TTY },
};

static unsigned endpoint(const char *name) {
        FOREACH_ARRAY (x, endpoints, ELEMENTSOF(endpoints))
                if (streq(x->name, name))
                        return x->want;
        return 0;
}

/* What --mode= asks for, of what there is. */
static int choose(const char *mode, char *const *there, unsigned *ret, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        unsigned all = 0, want = 0;

        for (char *const *t = there; t && *t; t++)
                all |= endpoint(*t);
        if (!mode || streq(mode, "auto")) {
                *ret = all & ATTACH_TTY ? all & ATTACH_TTY : all;
                return all ? 0
                           : error_setf(e, -ENOENT,
                                        "the app has nothing to attach to: its standard streams are neither "
                                        "\"stream\" nor \"tty\"");
        }
        if (strv_split(mode, ",", &words) < 0)
                return error_oom(e);
        STRV_FOREACH (w, words) {
                unsigned one = endpoint(*w);

                if (!one)
                        return error_setf(e, -EINVAL,
                                          "invalid attach mode \"%s\": it must be auto, list, tty, tty-in, "
                                          "tty-out, or some of stdin,stdout,stderr",
                                          *w);
                want |= one;
        }
        if ((want & ATTACH_TTY) && (want & ATTACH_STREAMS))
                return error_setf(e, -EINVAL,
                                  "incompatible endpoints %s, cannot simultaneously attach TTY and streams",
                                  mode);
        if (!want || (want & ~all))
                return error_setf(e, -ENOENT, "the app has no endpoint \"%s\" (rkt attach --mode=list)",
                                  mode);
        *ret = want;
        return 0;
}

static int attach(Pod *p, const PodApp *app, const AttachArgs *args, unsigned want, Error *e) {
        _cleanup_close_ int stage1 = openat(pod_fd(p), "stage1/rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);
        Attach a = { .stage1_fd = stage1,
                     .app = app->name,
                     .want = want,
                     .detach_keys = str_or(args->detach_keys, ATTACH_DETACH_KEYS),
                     .watch_fd = -EBADF };
        RelayEnd end;
        int r;

        if (stage1 < 0)
                return error_setf(e, -errno, "cannot open the root of pod \"%s\": %s", pod_uuid(p),
                                  strerror(errno));
        if (isatty(STDIN_FILENO) && (want & (ATTACH_TTY_IN | ATTACH_STDIN)) && *a.detach_keys)
                log_info("attached to app '%s'; %s detaches", app->name, a.detach_keys);
        r = attach_run(&a, &end, e);
        if (r >= 0 && end == RELAY_DETACHED)
                (void) fputs("\r\ndetached\r\n", stderr);
        if (r >= 0 && end == RELAY_HANGUP && pod_refresh(p) >= 0 && pod_app_is_alive(p, app->name))
                return error_setf(
                        e, -EPIPE,
                        "lost the connection to app '%s', which still runs: who reads nothing of its "
                        "output for five seconds is sent away; attach again",
                        app->name);
        return r;
}

static int attach_verb(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const AttachArgs *args = options;
        const RunningAppQuery q = { .uuid_file = args->uuid_file, .app = args->app, .verb = "attach" };
        _cleanup_(running_app_done) RunningApp x = RUNNING_APP_INIT;
        _cleanup_strv_free_ char **there = NULL;
        unsigned want = 0;
        int r = running_app_open(c->dir, argc, words, &q, &x, e);

        if (r < 0)
                return r;
        if (app_stdio_endpoints(x.app, &there) < 0)
                return error_oom(e);
        if (streq_ptr(args->mode, "list")) {
                STRV_FOREACH (t, there)
                        (void) puts(*t);
                return 0;
        }
        r = choose(args->mode, there, &want, e);
        return r < 0 ? r : attach(x.pod, x.app, args, want, e);
}

static const Option attach_options[] = {
        POD_OPTION_APP(AttachArgs, "name of the app; needed if the pod has several"),
        { "detach-keys", 0, OPTION_STRING, offsetof(AttachArgs, detach_keys), .value = "KEYS",
          .help = "keys that detach: ^]^]^] (default), ctrl-p,ctrl-q; empty: none" },
        { "mode", 0, OPTION_STRING, offsetof(AttachArgs, mode), .value = "MODE",
          .help = "auto (default), list, tty, tty-in, tty-out, or stdin,stdout,stderr" },
        POD_OPTION_UUID_FILE(AttachArgs),
        {},
};

const Verb verb_attach = {
        .name = "attach",
        .max_args = 1,
        .flags = VERB_ROOT,
        .usage = "UUID",
        .section = SECTION_PODS,
        .help = "Attach to an app running within a rkt pod",
        .description =
                "      For apps whose standard streams are \"stream\" or \"tty\" (--stdin=, --stdout=, "
                "--stderr=). Several\n"
                "      may be attached at once; detaching changes nothing for the app. A name may stand for "
                "a UUID.",
        .options = attach_options,
        .options_size = sizeof(AttachArgs),
        .run = attach_verb,
};

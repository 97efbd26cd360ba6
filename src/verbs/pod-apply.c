/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt pod apply: lets systemd read the pod files, and restarts the running pods whose recipe is another by now. Timers that are new start,
 * and those whose section is gone, which wait for nothing after the reload, are stopped. What else could be
 * meant is left alone: a pod that somebody stopped stays stopped, and one whose file is broken or gone runs on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/table.h"
#include "basic/tmpfile.h"
#include "podfile/pod-recipe.h"
#include "run/machine.h"
#include "run/pod-change.h"
#include "run/pod-units.h"
#include "verbs/verbs.h"

typedef struct ApplyArgs {
        const char *format;
        bool no_legend, dry_run, prune;
} ApplyArgs;

enum { COLUMN_POD, COLUMN_CHANGE, COLUMN_ACTION, COLUMN_MESSAGE, _COLUMN_MAX };

static const TableColumn columns[_COLUMN_MAX] = {
        [COLUMN_POD] = { "pod", "POD", "pod", false },
        [COLUMN_CHANGE] = { "change", "CHANGE", "change", false },
        [COLUMN_ACTION] = { "action", "ACTION", "action", false },
        [COLUMN_MESSAGE] = { "message", "MESSAGE", "message", false },
};

typedef struct Apply {
        const ApplyArgs *args;
        Table *table;
        int argc;
        char **names;
        unsigned n_failed;
} Apply;

typedef enum Action {
        ACTION_NONE,
        ACTION_RESTART,
        ACTION_START,
        ACTION_STOP,
        ACTION_SOCKET,
        ACTION_START_TIMER,
        ACTION_STOP_TIMER,
        _ACTION_MAX
} Action;

static const struct {
        const char *done, *would;
} actions[_ACTION_MAX] = {
        [ACTION_NONE] = { "none", "none" },
        [ACTION_RESTART] = { "restarted", "restart" },
        [ACTION_START] = { "started", "start" },
        [ACTION_STOP] = { "stopped", "stop" },
        [ACTION_SOCKET] = { "socket restarted", "restart socket" },
        [ACTION_START_TIMER] = { "timer started", "start timer" },
        [ACTION_STOP_TIMER] = { "timer stopped", "stop timer" },
};

static char *unit_of(const PodFileChange *x, const char *kind) {
        return strf("pod@%s.%s", x->name, kind);
}

/* What starts with the machine and was never started: as the next boot would do it. */
static int is_new(const PodFileChange *x, bool *ret, Error *e) {
        _cleanup_free_ char *unit = unit_of(x, x->has_socket ? "socket" : "service");
        bool is_fresh = false;
        int r;

        *ret = false;
        if (x->was_started || x->is_running || x->kind == POD_REMOVED || x->kind == POD_BROKEN)
                return 0;
        r = unit ? pod_units_is_fresh(unit, &is_fresh, e) : error_oom(e);
        if (r < 0 || !is_fresh)
                return r;
        if (x->is_installed) {
                *ret = true;
                return 0;
        }
        return pod_units_enabled(unit, ret, e);
}

/* The socket listens for something else now. That of a pod that does not run may have been reloaded already, by rkt-pods.path:
 * then one that has listened since before the last change is restarted, which costs nobody anything. */
static int is_socket_changed(const PodFileChange *x, bool *ret, Error *e) {
        _cleanup_free_ char *unit = unit_of(x, "socket");
        int64_t since = 0;
        int r;

        *ret = false;
        if (!x->new_socket && (x->is_running || !x->has_socket))
                return 0;
        r = unit ? pod_units_active_since(unit, &since, e) : error_oom(e);
        *ret = r >= 0 && since > 0 && (x->new_socket || since <= x->changed);
        return r;
}

/* ---- pods that were stopped to be started again ---- */

/* NAME: "service" or "socket"; there from before the stop until after the start. Who finds one was killed in between. */
#define MARKS_DIR "/run/rkt/apply"

static int mark(const char *name, bool is_running, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s", MARKS_DIR, name);
        const char *text = is_running ? "service" : "socket";
        int r = path ? mkdir_parents_at(AT_FDCWD, MARKS_DIR, 0755) : -ENOMEM;

        if (r >= 0)
                r = file_write_at(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write '%s': %s", str_or(path, MARKS_DIR), strerror(-r)) : 0;
}

static void unmark(const char *name) {
        _cleanup_free_ char *path = strf("%s/%s", MARKS_DIR, name);

        if (path)
                (void) unlink(path);
}

/* Returns 1 when there is a mark. */
static int is_interrupted(const char *name, bool *ret_was_running) {
        _cleanup_free_ char *path = strf("%s/%s", MARKS_DIR, name), *text = NULL;
        size_t size;
        int r = path ? file_read_at(AT_FDCWD, path, 64, &text, &size) : -ENOMEM;

        if (r >= 0 && ret_was_running)
                *ret_was_running = streq(text, "service");
        return r == -ENOMEM ? r : r >= 0;
}

static int choose(const Apply *a, const PodFileChange *x, Action *ret, Error *e) {
        bool yes = false;
        int r = 0;

        *ret = ACTION_NONE;
        if (x->kind == POD_BROKEN)
                return 0;
        if (x->kind == POD_REMOVED) {
                *ret = a->args->prune && x->is_running ? ACTION_STOP : ACTION_NONE;
                return 0;
        }
        r = is_interrupted(x->name, NULL);
        if (r < 0)
                return error_oom(e);
        yes = r > 0;
        r = yes ? 0 : is_socket_changed(x, &yes, e);
        if (r >= 0 && yes)
                *ret = ACTION_SOCKET;
        else if (x->restart)
                *ret = ACTION_RESTART;
        else if (r >= 0) {
                r = is_new(x, &yes, e);
                *ret = yes ? ACTION_START : ACTION_NONE;
        }
        return r;
}

/* A reload is enough for one whose times have changed. One that somebody stopped stays stopped. */
static int choose_timer(const Apply *a, const PodFileChange *x, Action *ret, Error *e) {
        _cleanup_free_ char *unit = unit_of(x, "timer");
        bool is_fresh = false;
        int r;

        *ret = ACTION_NONE;
        if (x->kind == POD_BROKEN || (x->kind == POD_REMOVED && !a->args->prune))
                return 0;
        if (!x->has_timer || x->timer_runs) {
                *ret = x->has_timer || !x->timer_runs ? ACTION_NONE : ACTION_STOP_TIMER;
                return 0;
        }
        r = unit ? pod_units_is_fresh(unit, &is_fresh, e) : error_oom(e);
        *ret = r >= 0 && is_fresh ? ACTION_START_TIMER : ACTION_NONE;
        return r;
}

static int is_active(const char *unit, bool *ret, Error *e) {
        _cleanup_free_ char *state = NULL;
        int r = machine_unit_state(unit, &state, e);

        if (r >= 0)
                *ret = streq(state, "active") || streq(state, "activating") || streq(state, "reloading");
        return r;
}

/* Starts what was stopped. The pod runs again in any case: better with the sockets that it has than not at all. */
static int start_socket(const PodFileChange *x, const char *socket, const char *service, bool is_running,
                        Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        int r = x->has_socket ? machine_start_unit(socket, e) : 0, q;

        q = is_running ? machine_start_unit(service, r < 0 ? &why : e) : 0;
        if (r >= 0)
                return q;
        if (is_running)
                return q < 0 ? error_prefixf(e, r, "the pod does not run again (%s)", error_text(&why, q))
                             : error_prefixf(e, r, "the pod runs again without its socket");
        return r;
}

/* systemd does not let a socket listen while its service runs. */
static int restart_socket(const PodFileChange *x, Error *e) {
        _cleanup_free_ char *service = unit_of(x, "service"), *socket = unit_of(x, "socket");
        bool is_running = false, was_running = false;
        int r = service && socket ? is_active(service, &is_running, e) : error_oom(e);

        if (r < 0)
                return r;
        if (is_interrupted(x->name, &was_running) > 0)
                is_running = is_running || was_running;
        r = mark(x->name, is_running, e);
        if (r >= 0)
                r = machine_stop_unit(service, e);
        if (r >= 0)
                r = machine_stop_unit(socket, e);
        if (r < 0)
                return r;
        r = start_socket(x, socket, service, is_running, e);
        unmark(x->name);
        return r;
}

static int stop(const PodFileChange *x, Error *e) {
        _cleanup_free_ char *service = unit_of(x, "service"), *socket = unit_of(x, "socket");
        int r = service && socket ? machine_stop_unit(socket, e) : error_oom(e);

        return r < 0 ? r : machine_stop_unit(service, e);
}

static int act(const PodFileChange *x, Action action, Error *e) {
        _cleanup_free_ char *service = unit_of(x, "service"), *timer = unit_of(x, "timer"), *started = NULL;

        started = unit_of(x, x->has_socket ? "socket" : "service");
        if (!service || !timer || !started)
                return error_oom(e);
        switch (action) {
        case ACTION_RESTART: return machine_try_restart_unit(service, e);
        case ACTION_START: return machine_start_unit(started, e);
        case ACTION_STOP: return stop(x, e);
        case ACTION_SOCKET: return restart_socket(x, e);
        case ACTION_START_TIMER: return machine_start_unit(timer, e);
        case ACTION_STOP_TIMER: return machine_stop_unit(timer, e);
        default: return 0;
        }
}

/* Returns 1 when the pod was not there any more. */
static int act_all(const PodFileChange *x, Action action, Action timer, Error *e) {
        int r = act(x, action, e), q = r < 0 ? 0 : act(x, timer, e);

        return q < 0 ? q : r;
}

/* The first line of the mistakes, and what is left as it is. */
static char *message_of(const PodFileChange *x, Action action, const char *why) {
        if (why)
                return strdup(why);
        if (x->errors)
                return strndup(x->errors, strcspn(x->errors, "\n"));
        if (x->kind == POD_REMOVED && action == ACTION_NONE && x->is_running)
                return strdup("it has no file any more, and runs on (--prune stops it)");
        return strdup("-");
}

static int add_row(Apply *a, const PodFileChange *x, const char *action, const char *message, Error *e) {
        int r = table_add_row(a->table, e);

        if (r >= 0)
                r = table_set(a->table, COLUMN_POD, x->name, NULL, e);
        if (r >= 0)
                r = table_set(a->table, COLUMN_CHANGE, pod_file_change_kind_to_string(x->kind), NULL, e);
        if (r >= 0)
                r = table_set(a->table, COLUMN_ACTION, action, NULL, e);
        return r < 0 ? r : table_set(a->table, COLUMN_MESSAGE, message, NULL, e);
}

static int apply_pod(Apply *a, const PodFileChange *x, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        _cleanup_free_ char *message = NULL;
        Action action = ACTION_NONE, timer = ACTION_NONE;
        const char *word;
        int r = choose(a, x, &action, &why);

        if (r >= 0)
                r = choose_timer(a, x, &timer, &why);
        if (r >= 0 && action == ACTION_NONE && timer == ACTION_NONE && x->kind == POD_SAME)
                return 0;
        if (r >= 0 && !a->args->dry_run)
                r = act_all(x, action, timer, &why);
        if (action == ACTION_NONE)
                action = timer;
        a->n_failed += r < 0 || x->kind == POD_BROKEN;
        word = r < 0              ? "failed"
               : r > 0            ? actions[ACTION_NONE].done
               : a->args->dry_run ? actions[action].would
                                  : actions[action].done;
        message = message_of(x, action,
                             r < 0   ? error_text(&why, r)
                             : r > 0 ? "it was stopped meanwhile"
                                     : NULL);
        return message ? add_row(a, x, word, message, e) : error_oom(e);
}

static int load(const ApplyArgs *a, PodFileChanges *ret, PodErrors *errors, Error *e) {
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_strv_free_ char **running = NULL, **timers = NULL;
        int r = pod_units_running(&running, e);

        if (r >= 0)
                r = pod_units_timers(&timers, e);
        if (r < 0)
                return r;
        if (pod_index_load(NULL, &index) < 0)
                return error_oom(e);
        if (!a->dry_run)
                pod_recipe_forget(index, running);
        r = pod_file_changes_load(index, running, timers, ret, e);
        if (r >= 0)
                r = pod_file_changes_complete(ret, NULL, e);
        if (r >= 0) {
                *errors = index->errors;
                index->errors = POD_ERRORS_INIT;
        }
        return r;
}

static int check_names(const Apply *a, const PodFileChanges *c, Error *e) {
        for (int i = 0; i < a->argc; i++)
                if (!pod_file_changes_find(c, a->names[i]))
                        return error_setf(e, -ENOENT,
                                          "there is no pod file for '%s', and it does not run (see "
                                          "rkt pod list)",
                                          a->names[i]);
        return 0;
}

/* All mistakes of the pods that were meant: what the table has no room for. */
static int print_mistakes(const Apply *a, const PodFileChanges *c, const PodErrors *errors, Error *e) {
        _cleanup_free_ char *text = NULL;

        if (pod_errors_to_string(errors, &text) < 0)
                return error_oom(e);
        (void) fflush(stdout);
        (void) fputs(text, stderr);
        FOREACH_ARRAY (x, c->items, c->n)
                if (x->errors && (a->argc == 0 || strv_contains(a->names, x->name)))
                        (void) fputs(x->errors, stderr);
        return 0;
}

static int apply_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_pod_file_changes_ PodFileChanges changes = POD_FILE_CHANGES_INIT;
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_(table_freep) Table *table = NULL;
        const ApplyArgs *a = options;
        Apply x = { .args = a, .argc = argc, .names = args };
        TableFormat format = table_format_from_string(a->format, e);
        int r = format < 0 ? (int) format : load(a, &changes, &errors, e);

        (void) c;
        if (r >= 0)
                r = check_names(&x, &changes, e);
        if (r >= 0)
                r = table_new(columns, _COLUMN_MAX, &table, e);
        if (r >= 0 && !a->dry_run)
                r = pod_units_reload(e);
        x.table = table;
        FOREACH_ARRAY (p, changes.items, changes.n)
                if (r >= 0 && (argc == 0 || strv_contains(args, p->name)))
                        r = apply_pod(&x, p, e);
        if (r >= 0)
                r = table_print(table, format, !a->no_legend, stdout, e);
        if (r >= 0)
                r = print_mistakes(&x, &changes, &errors, e);
        return r < 0 ? r : x.n_failed > 0 ? 1 : 0;
}

static const Option apply_options[] = {
        { "dry-run", 0, OPTION_BOOL, offsetof(ApplyArgs, dry_run),
          .help = "Say what would be done, and change nothing" },
        { "format", 0, OPTION_STRING, offsetof(ApplyArgs, format), .fallback = "", .value = "FORMAT",
          .help = "Print as json or json-pretty" },
        { "no-legend", 0, OPTION_BOOL, offsetof(ApplyArgs, no_legend), .help = "Print no head line" },
        { "prune", 0, OPTION_BOOL, offsetof(ApplyArgs, prune),
          .help = "Stop running pods that have no file any more" },
        {},
};

const Verb verb_pod_apply = {
        .group = "pod",
        .name = "apply",
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_ROOT | VERB_NO_DATA,
        .usage = "[POD...]",
        .help = "Reload pod files, and restart the pods that have changed",
        .description =
                "Running pods whose file or drop-ins say something else than when they were started are "
                "restarted, and pods that start with the machine and never did are started. Those with "
                "mistakes are named, and run on as they are; the exit code is 1 then, or when a pod did not "
                "get ready.",
        .options = apply_options,
        .options_size = sizeof(ApplyArgs),
        .run = apply_run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt app list, status, start, stop, rm: the apps of one pod. */
#include <stdio.h>
#include <stdlib.h>

#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/table.h"
#include "pod/pod-apps.h"
#include "run/metadata.h"
#include "run/mutable.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

#define EXIT_APP_FAILED 1 /* of list and status, as rkt's */

typedef struct AppArgs {
        const char *app;
        const char *format;
        bool no_legend;
} AppArgs;

enum { COLUMN_NAME, COLUMN_STATE, _COLUMN_MAX };

static const TableColumn columns[_COLUMN_MAX] = {
        [COLUMN_NAME] = { "name", "NAME", "name", false },
        [COLUMN_STATE] = { "state", "STATE", "state", false },
};

/* A failure that is no 254. */
static int failed(Error *e, int r) {
        if (r >= 0)
                return r;
        log_error("%s", error_text(e, r));
        return EXIT_APP_FAILED;
}

static int print_list(Pod *p, TableFormat format, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(table_freep) Table *t = NULL;
        int r = pod_read_manifest(p, &m, e);

        if (r >= 0)
                r = table_new(columns, _COLUMN_MAX, &t, e);
        for (size_t i = 0; r >= 0 && i < m->n_apps; i++) {
                const char *name = m->apps[i].name;

                r = table_add_row(t, e);
                if (r >= 0)
                        r = table_set(t, COLUMN_NAME, name, NULL, e);
                if (r >= 0)
                        r = table_set(t, COLUMN_STATE, pod_app_state(p, name), NULL, e);
        }
        return r < 0 ? r : table_print(t, format, true, stdout, e);
}

/* One tab between them, for scripts that look for "NAME\tSTATE"; an empty line when there is nothing at all, as rkt. */
static int print_plain_list(Pod *p, const AppArgs *args, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        int r = pod_read_manifest(p, &m, e);

        if (r < 0)
                return r;
        if (!args->no_legend || m->n_apps == 0)
                (void) puts(args->no_legend ? "" : "NAME\tSTATE");
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                (void) printf("%s\t%s\n", a->name, pod_app_state(p, a->name));
        return 0;
}

static int list_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        const AppArgs *args = options;
        TableFormat format = table_format_from_string(args->format, e);
        int r = format < 0 ? (int) format : pod_open_named(c->dir, argc, words, NULL, &ps, &p, e);

        if (r >= 0)
                verb_open_pager(c);
        if (r >= 0)
                r = format == TABLE_TEXT ? print_plain_list(p, args, e) : print_list(p, format, e);
        return failed(e, r);
}

static int find_app(Pod *p, const char *name, PodManifest **ret_manifest, const PodApp **ret, Error *e) {
        int r;

        if (!name || !*name)
                return error_setf(e, -EINVAL, "must specify app: --app=NAME");
        r = pod_read_manifest(p, ret_manifest, e);
        if (r < 0)
                return r;
        *ret = pod_manifest_find_app(*ret_manifest, name);
        return *ret ? 0 : error_setf(e, -ENOENT, "app \"%s\" not found in pod \"%s\"", name, pod_uuid(p));
}

static int print_time(const char *key, Pod *p, const char *app,
                      int (*get)(Pod *p, const char *app, usec_t *ret)) {
        usec_t usec;

        return get(p, app, &usec) < 0 ? 0 : print_timestamp(key, usec);
}

static void print_pairs(const char *key, const AcPair *pairs, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void) printf("%s%s%s=%s%s", i == 0 ? key : "", i == 0 ? "=" : ",", pairs[i].name,
                              pairs[i].value, i + 1 == n ? "\n" : "");
}

static void print_mounts(const PodManifest *m, const PodApp *a) {
        for (size_t i = 0; i < a->n_mounts; i++) {
                const PodMount *mount = &a->mounts[i];
                const AcVolume *v =
                        mount->app_volume ? mount->app_volume : pod_manifest_find_volume(m, mount->volume);

                (void) printf("%s%s:%s:(read_only:%s)%s", i == 0 ? "mounts=" : ",",
                              v ? str_or(v->source, "") : "", mount->path,
                              v && v->read_only > 0 ? "true" : "false", i + 1 == a->n_mounts ? "\n" : "");
        }
}

static int print_lines(Pod *p, const PodManifest *m, const PodApp *a, Error *e) {
        int status;

        (void) printf("name=%s\nstate=%s\nimage_id=%s\n", a->name, pod_app_state(p, a->name),
                      str_or(a->image.id, ""));
        if (print_time("created_at", p, a->name, pod_app_added_usec) < 0 ||
            print_time("started_at", p, a->name, pod_app_begun_usec) < 0 ||
            print_time("finished_at", p, a->name, pod_app_finished_usec) < 0)
                return error_oom(e);
        if (pod_get_app_status(p, a->name, &status) >= 0)
                (void) printf("exit_code=%d\n", status);
        print_mounts(m, a);
        if (a->app) {
                print_pairs("user_annotations", a->app->user_annotations, a->app->n_user_annotations);
                print_pairs("user_labels", a->app->user_labels, a->app->n_user_labels);
        }
        return 0;
}

static int print_status(Pod *p, const AppArgs *args, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        TableFormat format = table_format_from_string(args->format, e);
        const PodApp *a = NULL;
        int r = format < 0 ? (int) format : find_app(p, args->app, &m, &a, e);

        if (r < 0)
                return r;
        assert(a);
        if (format == TABLE_TEXT)
                return print_lines(p, m, a, e);
        w.flags = format == TABLE_JSON_PRETTY ? JSON_WRITE_PRETTY : 0;
        pod_app_write_json(p, m, a, &w);
        if (json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        (void) puts(text);
        return 0;
}

static int status_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        int r = pod_open_named(c->dir, argc, words, NULL, &ps, &p, e);

        if (r >= 0)
                verb_open_pager(c);
        return failed(e, r < 0 ? r : print_status(p, options, e));
}

/* The app is gone already: if the metadata service still shows it, that is no failure. */
static void update_metadata(const VerbContext *c, const MutablePod *x) {
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *url = NULL;
        int r;

        if (x->leader <= 0 || metadata_url(x->pod, &url) < 0)
                return;
        r = store_open(c->dir, 0, &s, &e);
        if (r >= 0)
                r = metadata_update(x->pod, x->manifest, s, &e);
        if (r < 0)
                log_warning("%s", error_text(&e, r));
}

typedef int (*ChangeFunc)(MutablePod *x, const char *app, Error *e);

/* One change of one app, alone. */
static int change(const VerbContext *c, char **words, const AppArgs *args, const char *what, ChangeFunc func,
                  Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        _cleanup_mutable_pod_ MutablePod x = MUTABLE_POD_INIT;
        int r;

        if (!args->app || !*args->app)
                return error_setf(e, -EINVAL, "must specify app to %s: --app=NAME", what);
        r = pod_open_named(c->dir, 1, words, NULL, &ps, &p, e);
        if (r < 0)
                return r;
        if (func == mutable_pod_stop && pod_is_over(pod_state(p))) {
                (void) printf("pod \"%s\" is already stopped\n", pod_uuid(p));
                return 0;
        }
        r = mutable_pod_open(p, &x, e);
        if (r >= 0)
                r = func(&x, args->app, e);
        if (r >= 0 && func == mutable_pod_remove)
                update_metadata(c, &x);
        return r;
}

static int start_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        return change(c, words, options, "start", mutable_pod_start, e);
}

static int stop_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        return change(c, words, options, "stop", mutable_pod_stop, e);
}

static int rm_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        return change(c, words, options, "remove", mutable_pod_remove, e);
}

static const Option change_options[] = {
        { "app", 0, OPTION_STRING, offsetof(AppArgs, app), .value = "NAME", .help = "the app" },
        {},
};

static const Option list_options[] = {
        { "format", 0, OPTION_STRING, offsetof(AppArgs, format), .value = "FORMAT",
          .help = "json or json-pretty instead of a table" },
        { "no-legend", 0, OPTION_BOOL, offsetof(AppArgs, no_legend),
          .help = "suppress a legend with the list" },
        {},
};

static const Option status_options[] = {
        { "app", 0, OPTION_STRING, offsetof(AppArgs, app), .value = "NAME", .help = "the app" },
        { "format", 0, OPTION_STRING, offsetof(AppArgs, format), .value = "FORMAT",
          .help = "json or json-pretty instead of lines" },
        {},
};

const Verb verb_app_list = {
        .group = "app",
        .name = "list",
        .min_args = 1,
        .max_args = 1,
        .usage = "UUID",
        .help = "List the apps of a pod, and their states",
        .options = list_options,
        .options_size = sizeof(AppArgs),
        .run = list_run,
};

const Verb verb_app_status = {
        .group = "app",
        .name = "status",
        .min_args = 1,
        .max_args = 1,
        .usage = "UUID",
        .help = "Show how an app of a pod is doing",
        .options = status_options,
        .options_size = sizeof(AppArgs),
        .run = status_run,
};

const Verb verb_app_start = {
        .group = "app",
        .name = "start",
        .min_args = 1,
        .max_args = 1,
        .flags = VERB_ROOT,
        .usage = "UUID",
        .help = "Start an app of a running pod, again if it has ended",
        .options = change_options,
        .options_size = sizeof(AppArgs),
        .run = start_run,
};

const Verb verb_app_stop = {
        .group = "app",
        .name = "stop",
        .min_args = 1,
        .max_args = 1,
        .flags = VERB_ROOT,
        .usage = "UUID",
        .help = "Stop an app of a running pod",
        .options = change_options,
        .options_size = sizeof(AppArgs),
        .run = stop_run,
};

const Verb verb_app_rm = {
        .group = "app",
        .name = "rm",
        .min_args = 1,
        .max_args = 1,
        .flags = VERB_ROOT,
        .usage = "UUID",
        .help = "Stop an app of a pod, and remove it",
        .options = change_options,
        .options_size = sizeof(AppArgs),
        .run = rm_run,
};

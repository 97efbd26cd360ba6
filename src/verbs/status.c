/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt status: one pod in lines for scripts, or as JSON; may wait for it first. */
#include <inttypes.h>
#include <stdio.h>

#include "basic/str.h"
#include "basic/table.h"
#include "pod/pod-settle.h"
#include "run/userns.h"
#include "store/store-ref.h"
#include "verbs/pod-info.h"
#include "verbs/pod-stats.h"
#include "verbs/pod-wait.h"
#include "verbs/verbs.h"

typedef struct StatusArgs {
        const char *format;
        const char *uuid_file;
        int64_t wait; /* microseconds; 0: no; negative: for ever */
        int64_t wait_ready;
        bool stats;
} StatusArgs;

/* --wait[=true|false|DURATION] */
static int set_wait(const Option *o, const char *value, void *data, Error *e) {
        int64_t *usec = (int64_t *) (void *) ((char *) data + o->offset);
        int b = parse_go_boolean(value);

        if (b >= 0 && !streq(value, "0")) {
                *usec = b ? -1 : 0;
                return 0;
        }
        if (parse_go_duration(value, usec) < 0)
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --%s: it is neither true, false nor a "
                                  "duration such as 10s",
                                  value, o->name);
        return 0;
}

static int print_time(const char *key, Pod *p, int (*get)(Pod *p, usec_t *ret)) {
        usec_t usec;

        return get(p, &usec) < 0 ? 0 : print_timestamp(key, usec);
}

/* What the number does not tell: 137 may be an exit status. The usual ends need no words. */
static void print_end(Pod *p, const char *app) {
        char name[POD_SIGNAL_NAME_MAX];
        PodAppEnd end;

        if (pod_get_app_end(p, app, &end) < 0 || streq(end.result, "success") ||
            streq(end.result, "exit-code"))
                return;
        if (end.signal > 0) {
                pod_signal_name(end.signal, name);
                (void) printf("signal-%s=%s\n", app, name);
        }
        (void) printf("result-%s=%s\n", app, end.result);
}

/* Exit codes of the apps that have one. */
static void print_apps(Pod *p) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        int status;

        if (pod_read_manifest(p, &m, NULL) < 0)
                return;
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (pod_get_app_status(p, a->name, &status) >= 0) {
                        (void) printf("app-%s=%d\n", a->name, status);
                        print_end(p, a->name);
                }
}

/* As of the last check, of the apps that are checked. */
static void print_health(Pod *p) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;

        if (pod_read_manifest(p, &m, NULL) < 0)
                return;
        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                _cleanup_free_ char *state = NULL;

                if (pod_get_app_health(p, a->name, &state) >= 0)
                        (void) printf("health-%s=%s\n", a->name, state);
        }
}

/* Who vouched for an app's image, as long as the image is in the store. */
static int print_signers(Store *store, const PodApp *a) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char key[STORE_KEY_MAX];

        if (!a->image.id || store_key_find(store, a->image.id, key, NULL) < 0 ||
            store_image_load(store, key, &image, NULL) < 0)
                return 0;
        FOREACH_ARRAY (s, image.signatures, image.n_signatures)
                strbuf_addf(&b, "%s%s%s%s", b.size > 0 ? ", " : "", s->fingerprint, s->identity ? " " : "",
                            str_or(s->identity, ""));
        if (b.failed)
                return -ENOMEM;
        (void) printf("signed-%s=%s\n", a->name, str_or(b.data, "no"));
        return 0;
}

static int print_all_signers(Pod *p, const char *dir, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(store_freep) Store *store = NULL;

        if (pod_read_manifest(p, &m, NULL) < 0 || store_open(dir, STORE_OPEN_READ_ONLY, &store, NULL) < 0)
                return 0;
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (print_signers(store, a) < 0)
                        return error_oom(e);
        return 0;
}

static int print_lines(Pod *p, const char *dir, Error *e) {
        PodState s = pod_state(p);
        bool exited = s == POD_EXITED || s == POD_EXITED_GARBAGE || s == POD_EXITED_DELETING;
        _cleanup_free_ char *networks = NULL, *users = NULL;
        pid_t pid = 0;

        (void) printf("state=%s\n", pod_state_to_string(s));
        if (print_time("created", p, pod_created_usec) < 0 || print_time("started", p, pod_started_usec) < 0)
                return error_oom(e);
        if ((exited || s == POD_RUNNING) && pod_networks(p, &networks) >= 0)
                (void) printf("networks=%s\n", networks);
        if (pod_get_pid(p, &pid) >= 0)
                (void) printf("pid=%d\n", (int) pid);
        (void) printf("exited=%s\n", exited ? "true" : "false");
        if (s != POD_RUNNING)
                print_apps(p);
        else
                print_health(p);
        if ((exited || s == POD_RUNNING) && userns_describe(pod_fd(p), &users) >= 0)
                (void) printf("private-users=%s\n", users);
        return print_all_signers(p, dir, e);
}

static int print_json(Pod *p, TableFormat format, bool stats, Error *e) {
        _cleanup_json_write_ JsonWriter w = { .flags = format == TABLE_JSON_PRETTY ? JSON_WRITE_PRETTY : 0 };
        _cleanup_free_ char *text = NULL;
        int r;

        json_write_begin_object(&w);
        pod_write_json_members(p, &w);
        r = stats ? pod_print_stats(p, &w, e) : 0;
        json_write_end_object(&w);
        if (r < 0)
                return r;
        if (json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        (void) puts(text);
        return 0;
}

static int status_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const StatusArgs *args = options;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        TableFormat format = table_format_from_string(args->format, e);
        int r;

        if (format < 0)
                return format;
        r = pod_open_named(c->dir, argc, words, args->uuid_file, &ps, &p, e);
        if (r >= 0 && args->wait_ready != 0)
                r = pod_wait_ready(p, args->wait_ready, e);
        if (r >= 0 && args->wait != 0)
                r = pod_wait_over(p, c->dir, args->wait, e);
        if (r < 0)
                return r;
        pod_settle_now(p);
        verb_open_pager(c);
        if (format != TABLE_TEXT)
                return print_json(p, format, args->stats, e);
        r = print_lines(p, c->dir, e);
        return r >= 0 && args->stats ? pod_print_stats(p, NULL, e) : r;
}

static const Option status_options[] = {
        { "wait", 0, OPTION_SET, offsetof(StatusArgs, wait), set_wait, .bare = "true",
          .value = "true|DURATION",
          .help = "wait for the pod to exit, for that long if a duration is given" },
        { "wait-ready", 0, OPTION_SET, offsetof(StatusArgs, wait_ready), set_wait, .bare = "true",
          .value = "true|DURATION",
          .help = "wait for the pod to be ready, for that long if a duration is given" },
        { "stats", 0, OPTION_BOOL, offsetof(StatusArgs, stats),
          .help = "what the pod and its apps use, too" },
        { "format", 0, OPTION_STRING, offsetof(StatusArgs, format), .value = "FORMAT",
          .help = "json or json-pretty instead of lines" },
        POD_OPTION_UUID_FILE(StatusArgs),
        {},
};

const Verb verb_status = {
        .name = "status",
        .max_args = 1,
        .usage = "UUID",
        .section = SECTION_PODS,
        .help = "Check the status of a rkt pod",
        .options = status_options,
        .options_size = sizeof(StatusArgs),
        .run = status_run,
};

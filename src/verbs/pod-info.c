/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What list, status, stop, rm and their kin have in common. The JSON is rkt's (api/v1/pod.go): times of a pod are seconds, those
 * of its apps nanoseconds; members without a value are left out; "machine" is ours. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/table.h"
#include "pod/pod-apps.h"
#include "run/network.h"
#include "verbs/pod-info.h"

#define UUID_FILE_MAX 4096

/**
 * pods_open_for() - the pods of a data directory
 * @data_dir: --dir
 * @ret:      for pods_close()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; what pods_open() returns.
 */
int pods_open_for(const char *data_dir, Pods **ret, Error *e) {
        int r = pods_open(data_dir, ret, e);

        return r < 0 ? error_prefixf(e, r, "cannot open the pods") : 0;
}

/* What --uuid-file-save wrote, without blanks at the ends. */
static int pod_id_from_file(const char *path, char **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        char *id;
        size_t size;
        int r = file_read_at(AT_FDCWD, path, UUID_FILE_MAX, &text, &size);

        if (r < 0)
                return error_setf(e, r, "unable to resolve UUID from file: cannot read \"%s\": %s", path,
                                  strerror(-r));
        id = str_strip(text);
        if (!*id)
                return error_setf(e, -ENODATA, "unable to resolve UUID from file: \"%s\" is empty", path);
        *ret = strdup(id);
        return *ret ? 0 : error_oom(e);
}

/* The pod that a user means: UUID, unambiguous prefix of one, or name of a pod. */
static int pod_open_argument(Pods *ps, const char *id, Pod **ret, Error *e) {
        int r;

        if (!*id)
                return error_setf(e, -EINVAL, "cannot get pod: UUID cannot be empty");
        r = pod_open(ps, id, ret, e);
        return r < 0 ? error_prefixf(e, r, "cannot get pod") : 0;
}

/**
 * pod_open_named() - the one pod that a command line names
 * @data_dir:  --dir
 * @argc:      words
 * @words:     UUID, unambiguous prefix of one, or name of a pod
 * @uuid_file: --uuid-file instead of a word; may be NULL
 * @ret_pods:  for pods_close(), after @ret
 * @ret:       for pod_close()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL for both, none, or an empty one; -ENOENT, -ENOTUNIQ; errors of reading.
 */
int pod_open_named(const char *data_dir, int argc, char **words, const char *uuid_file, Pods **ret_pods,
                   Pod **ret, Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_free_ char *from_file = NULL;
        int r = 0;

        if ((argc == 1) == (uuid_file != NULL))
                return error_setf(e, -EINVAL, "name one pod, or a file with its UUID by --uuid-file");
        if (uuid_file)
                r = pod_id_from_file(uuid_file, &from_file, e);
        if (r >= 0)
                r = pods_open_for(data_dir, &ps, e);
        if (r >= 0)
                r = pod_open_argument(ps, from_file ? from_file : words[0], ret, e);
        if (r < 0)
                return r;
        *ret_pods = TAKE_PTR(ps);
        return 0;
}

static int with_named(Pods *ps, const char *id, PodFunc func, void *userdata, Error *e) {
        _cleanup_(pod_closep) Pod *p = NULL;
        int r = pod_open_argument(ps, id, &p, e);

        return r < 0 ? r : func(p, userdata, e);
}

/**
 * pods_for_each_named() - do something with every pod that a command line names
 * @data_dir:   --dir
 * @argc:       words
 * @words:      as in pod_open_named()
 * @uuid_file:  --uuid-file instead of words; may be NULL
 * @func:       its failure is logged and does not keep the others
 * @userdata:   of @func
 * @ret_failed: for how many it failed
 * @e:          sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL for both or none; errors of reading.
 */
int pods_for_each_named(const char *data_dir, int argc, char **words, const char *uuid_file, PodFunc func,
                        void *userdata, int *ret_failed, Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_free_ char *from_file = NULL;
        int failed = 0, r = 0;

        if ((argc > 0) == (uuid_file != NULL))
                return error_setf(e, -EINVAL, "name pods, or a file with a UUID by --uuid-file");
        if (uuid_file)
                r = pod_id_from_file(uuid_file, &from_file, e);
        if (r >= 0)
                r = pods_open_for(data_dir, &ps, e);
        if (r < 0)
                return r;
        for (int i = 0; i < MAX(argc, 1); i++) {
                _cleanup_error_ Error one = ERROR_INIT;

                r = with_named(ps, from_file ? from_file : words[i], func, userdata, &one);
                if (r < 0) {
                        log_error("%s", error_text(&one, r));
                        failed++;
                }
        }
        *ret_failed = failed;
        return 0;
}

/**
 * pod_machine_name() - what machined calls the pod
 * @p:   pod
 * @ret: its name; "rkt-UUID" for a pod without one; to free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; -ENOMEM.
 */
int pod_machine_name(Pod *p, char **ret, Error *e) {
        if (pod_get_name(p, ret) < 0)
                *ret = strf("rkt-%s", pod_uuid(p));
        return *ret ? 0 : error_oom(e);
}

/**
 * pod_image_title() - name and version of an image, as lists show it
 * @i:   image of an app
 * @ret: "example.com/app:1.0"; to free()
 *
 * Return: 0; -ENOMEM.
 */
int pod_image_title(const PodImage *i, char **ret) {
        const char *version = NULL;

        FOREACH_ARRAY (l, i->labels, i->n_labels)
                if (streq(l->name, "version"))
                        version = l->value;
        *ret = version ? strf("%s:%s", str_or(i->name, "-"), version) : strdup(str_or(i->name, "-"));
        return *ret ? 0 : -ENOMEM;
}

/**
 * pod_networks() - addresses of a pod, as lists show them
 * @p:   pod
 * @ret: "default:ip4=172.16.28.2, ..."; "" for none, or when that cannot be read; to free()
 *
 * Return: 0; -ENOMEM.
 */
int pod_networks(Pod *p, char **ret) {
        _cleanup_network_infos_ NetworkInfos infos = NETWORK_INFOS_INIT;

        (void) network_info_read(p, &infos, NULL);
        return network_infos_to_string(&infos, ret);
}

/**
 * pod_is_over() - will it never run (again)?
 * @s: state
 *
 * Return: true for every state after running or after a failed preparation.
 */
bool pod_is_over(PodState s) {
        return s != POD_EMBRYO && s != POD_PREPARING && s != POD_PREPARED && s != POD_RUNNING;
}

static void write_pairs(JsonWriter *w, const char *key, const AcPair *pairs, size_t n) {
        if (n == 0)
                return;
        json_write_key(w, key);
        json_write_begin_object(w);
        FOREACH_ARRAY (p, pairs, n) {
                json_write_key(w, p->name);
                json_write_string(w, p->value);
        }
        json_write_end_object(w);
}

static void write_member(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        json_write_string(w, value);
}

/* A time of the pod, in seconds. */
static void write_time(JsonWriter *w, const char *key, Pod *p, int (*get)(Pod *p, usec_t *ret)) {
        usec_t usec;

        if (get(p, &usec) < 0)
                return;
        json_write_key(w, key);
        json_write_uint(w, usec / USEC_PER_SEC);
}

/* A time of an app, in nanoseconds. */
static void write_app_time(JsonWriter *w, const char *key, Pod *p, const char *app,
                           int (*get)(Pod *p, const char *app, usec_t *ret)) {
        usec_t usec;

        if (get(p, app, &usec) < 0)
                return;
        json_write_key(w, key);
        json_write_uint(w, usec * 1000);
}

/**
 * pod_app_added_usec() - when an app was made: together with its pod, or later
 * @p:   pod
 * @app: name of the app
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT, other errno.
 */
int pod_app_added_usec(Pod *p, const char *app, usec_t *ret) {
        return pod_app_created_usec(p, app, ret) >= 0 ? 0 : pod_created_usec(p, ret);
}

static void write_mounts(JsonWriter *w, const PodManifest *m, const PodApp *a) {
        if (a->n_mounts == 0)
                return;
        json_write_key(w, "mounts");
        json_write_begin_array(w);
        FOREACH_ARRAY (mount, a->mounts, a->n_mounts) {
                const AcVolume *v =
                        mount->app_volume ? mount->app_volume : pod_manifest_find_volume(m, mount->volume);

                json_write_begin_object(w);
                write_member(w, "name", mount->volume);
                write_member(w, "container_path", mount->path);
                write_member(w, "host_path", v ? str_or(v->source, "") : "");
                json_write_key(w, "read_only");
                json_write_boolean(w, v && v->read_only > 0);
                json_write_end_object(w);
        }
        json_write_end_array(w);
}

/**
 * pod_app_begun_usec() - when an app was started: with its pod, unless it has a time of its own
 * @p:   pod
 * @app: name of the app
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT (never), other errno.
 */
int pod_app_begun_usec(Pod *p, const char *app, usec_t *ret) {
        usec_t added;
        int r = pod_app_started_usec(p, app, ret);

        return r >= 0 || pod_app_created_usec(p, app, &added) >= 0 ? r : pod_started_usec(p, ret);
}

/* Added, but not started yet? */
static bool is_waiting(Pod *p, const char *app) {
        usec_t usec;

        return pod_app_created_usec(p, app, &usec) >= 0 && pod_app_started_usec(p, app, &usec) < 0;
}

/**
 * pod_app_state() - how an app is doing
 * @p:   pod
 * @app: name of the app
 *
 * Return: rkt's word for it: "unknown", "created", "running" or "exited".
 */
const char *pod_app_state(Pod *p, const char *app) {
        int status;

        if (pod_get_app_status(p, app, &status) >= 0)
                return "exited";
        switch (pod_state(p)) {
        case POD_RUNNING: return is_waiting(p, app) ? "created" : "running";
        case POD_PREPARED: return "created";
        case POD_EXITED:
        case POD_EXITED_GARBAGE: return "exited";
        default: return "unknown";
        }
}

/**
 * pod_signal_name() - a signal as people write it
 * @number: positive
 * @ret:    "SIGKILL", "SIGRTMIN+3", "signal 99"
 */
void pod_signal_name(int number, char ret[POD_SIGNAL_NAME_MAX]) {
        const char *name = sigabbrev_np(number);

        if (name)
                (void) snprintf(ret, POD_SIGNAL_NAME_MAX, "SIG%s", name);
        else if (number >= SIGRTMIN && number <= SIGRTMAX)
                (void) snprintf(ret, POD_SIGNAL_NAME_MAX, "SIGRTMIN+%d", number - SIGRTMIN);
        else
                (void) snprintf(ret, POD_SIGNAL_NAME_MAX, "signal %d", number);
}

static void write_end(JsonWriter *w, const PodAppEnd *end) {
        char name[POD_SIGNAL_NAME_MAX];

        write_member(w, "exit_result", end->result);
        if (end->signal == 0)
                return;
        pod_signal_name(end->signal, name);
        write_member(w, "exit_signal", name);
}

/**
 * pod_app_write_json() - an app as an object
 * @p: pod
 * @m: its manifest
 * @a: app of it
 * @w: the object is added here
 */
void pod_app_write_json(Pod *p, const PodManifest *m, const PodApp *a, JsonWriter *w) {
        int status = 0, has_status = pod_get_app_status(p, a->name, &status);
        _cleanup_free_ char *health = NULL;
        PodAppEnd end;

        json_write_begin_object(w);
        write_member(w, "name", a->name);
        write_member(w, "state", pod_app_state(p, a->name));
        write_app_time(w, "created_at", p, a->name, pod_app_added_usec);
        write_app_time(w, "started_at", p, a->name, pod_app_begun_usec);
        write_app_time(w, "finished_at", p, a->name, pod_app_finished_usec);
        if (has_status >= 0) {
                json_write_key(w, "exit_code");
                json_write_int(w, status);
        }
        if (has_status >= 0 && pod_get_app_end(p, a->name, &end) >= 0)
                write_end(w, &end);
        if (pod_state(p) == POD_RUNNING && pod_get_app_health(p, a->name, &health) >= 0)
                write_member(w, "health", health);
        write_member(w, "image_id", str_or(a->image.id, ""));
        write_mounts(w, m, a);
        if (a->app) {
                write_pairs(w, "user_annotations", a->app->user_annotations, a->app->n_user_annotations);
                write_pairs(w, "user_labels", a->app->user_labels, a->app->n_user_labels);
        }
        json_write_end_object(w);
}

static void write_apps(JsonWriter *w, Pod *p, const PodManifest *m) {
        json_write_key(w, "app_names");
        json_write_begin_array(w);
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                json_write_string(w, a->name);
        json_write_end_array(w);
        json_write_key(w, "apps");
        json_write_begin_array(w);
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                pod_app_write_json(p, m, a, w);
        json_write_end_array(w);
}

static void write_networks(JsonWriter *w, Pod *p) {
        _cleanup_network_infos_ NetworkInfos infos = NETWORK_INFOS_INIT;

        if (network_info_read(p, &infos, NULL) < 0 || infos.n == 0)
                return;
        json_write_key(w, "networks");
        network_infos_write_json(&infos, w);
}

/**
 * pod_write_json_members() - what is known of a pod, into an object that is open
 * @p: pod; what cannot be read of it is left out
 * @w: members are added here
 */
void pod_write_json_members(Pod *p, JsonWriter *w) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_free_ char *machine = NULL;

        write_member(w, "name", pod_uuid(p));
        write_member(w, "state", pod_state_to_string(pod_state(p)));
        if (pod_machine_name(p, &machine, NULL) >= 0)
                write_member(w, "machine", machine);
        if (pod_read_manifest(p, &m, NULL) >= 0)
                write_apps(w, p, m);
        write_networks(w, p);
        write_time(w, "created_at", p, pod_created_usec);
        write_time(w, "started_at", p, pod_started_usec);
        if (m) {
                write_pairs(w, "user_annotations", m->user_annotations, m->n_user_annotations);
                write_pairs(w, "user_labels", m->user_labels, m->n_user_labels);
        }
}

/**
 * pod_write_json() - a pod as an object
 * @p: pod
 * @w: the object is added here
 */
void pod_write_json(Pod *p, JsonWriter *w) {
        json_write_begin_object(w);
        pod_write_json_members(p, w);
        json_write_end_object(w);
}

/* NULL: the only one. Of several the names are logged. */
static int find_app(const PodManifest *m, const char *name, const char *verb, const PodApp **ret, Error *e) {
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (name ? streq(a->name, name) : m->n_apps == 1) {
                        *ret = a;
                        return 0;
                }
        if (name)
                return error_setf(e, -ENOENT, "pod has no app \"%s\"", name);
        if (m->n_apps == 0)
                return error_setf(e, -ENOENT, "pod contains no apps");
        log_warning("pod contains multiple apps:");
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                log_warning("\t%s", a->name);
        return error_setf(e, -EINVAL, "unable to determine app name: specify app using \"rkt %s --app= ...\"",
                          verb);
}

/**
 * running_app_done() - free what running_app_open() gave
 * @x: RUNNING_APP_INIT is nothing
 */
void running_app_done(RunningApp *x) {
        pod_manifest_free(x->manifest);
        (void) pod_close(x->pod);
        (void) pods_close(x->pods);
        *x = RUNNING_APP_INIT;
}

static void move_running_app(RunningApp *to, RunningApp *from) {
        *to = *from;
        *from = RUNNING_APP_INIT;
}

/**
 * running_app_open() - the app of a running pod that a command line means
 * @data_dir: --dir
 * @argc:     words
 * @words:    as in pod_open_named()
 * @q:        what the flags say
 * @ret:      for running_app_done()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; -ESRCH: the pod does not run; -ENOENT: it has no such app; -EINVAL: it has several; what pod_open_named() returns.
 */
int running_app_open(const char *data_dir, int argc, char **words, const RunningAppQuery *q, RunningApp *ret,
                     Error *e) {
        _cleanup_(running_app_done) RunningApp x = RUNNING_APP_INIT;
        int r = pod_open_named(data_dir, argc, words, q->uuid_file, &x.pods, &x.pod, e);

        if (r >= 0 && pod_state(x.pod) != POD_RUNNING)
                r = pod_not_running(x.pod, e);
        if (r >= 0)
                r = pod_read_manifest(x.pod, &x.manifest, e);
        if (r >= 0)
                r = find_app(x.manifest, q->app, q->verb, &x.app, e);
        if (r < 0)
                return r;
        move_running_app(ret, &x);
        return 0;
}

/**
 * pod_not_running() - say that a pod is not running
 * @p: pod
 * @e: gets the sentence; may be NULL
 *
 * Return: -ESRCH.
 */
int pod_not_running(Pod *p, Error *e) {
        return error_setf(e, -ESRCH, "pod \"%s\" isn't currently running", pod_uuid(p));
}

/**
 * print_timestamp() - a line KEY=TIME
 * @key:  of the line
 * @usec: since the epoch
 *
 * Return: 0, -ENOMEM.
 */
int print_timestamp(const char *key, usec_t usec) {
        _cleanup_free_ char *text = format_timestamp_go((int64_t) usec);

        if (!text)
                return -ENOMEM;
        (void) printf("%s=%s\n", key, text);
        return 0;
}

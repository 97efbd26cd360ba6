/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the units of a pod execute.
 *
 *   rkt-pod missing NAME    pod-image@NAME.service, before its sandbox is made: is there anything to get? The exit status is that
 *                           of ExecCondition=
 *   rkt-pod image NAME      pod-image@NAME.service: have the pod's images in the store, and note which they are
 *   rkt-pod start NAME      pod@NAME.service: prepare the pod, then become systemd-nspawn
 *   rkt-pod sweep           take away the networks of pods that are over
 *   rkt-pod stop-post NAME  its ExecStopPost=: put away what is left
 *
 * Between the first and the second there is a note, pod/pod-note.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config.h"
#include "config/config.h"
#include "image/image-status.h"
#include "pod/pod-note.h"
#include "pod/pod-prepare.h"
#include "pod/update-state.h"
#include "podfile/pod-file.h"
#include "podfile/pod-recipe.h"
#include "run/manager-bus.h"
#include "run/network.h"
#include "run/run.h"

#define EXIT_CONFIG     78 /* sysexits(3), systemd.exec(5): the pod file is wrong */
#define NOTHING_MISSING 1  /* ExecCondition=: the unit is skipped */

/* The unit's status keeps the first line: what a process prints before its end, journald often cannot tell whose it is. */
static void set_status(const char *text) {
        (void) sd_notifyf(0, "STATUS=%.*s", (int) strcspn(text, "\n"), text);
}

/* Loads the pod file; prints all its mistakes. Returns an exit status, 0 when it is good. */
static int load_spec(const char *name, PodSpec **ret) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_free_ char *text = NULL;
        Error e = {};
        int r = pod_file_load(name, NULL, ret, &errors, &e);

        if (r == -EBADMSG && pod_errors_to_string(&errors, &text) >= 0) {
                set_status(text);
                fputs(text, stderr);
        } else if (r < 0) {
                set_status(error_text(&e, r));
                log_error("%s", error_text(&e, r));
        }
        error_done(&e);
        return r == -EBADMSG || r == -ENOENT ? EXIT_CONFIG : r < 0 ? EXIT_FAILURE : 0;
}

static const char *arg_data_dir = RKT_DATA_DIR; /* paths.d may say another */

static void on_message(void *userdata, const char *message) {
        log_info("%s", message);
}

static void on_warning(void *userdata, const char *message) {
        log_warning("%s", message);
}

/* The image of one app: that of the note, or by image_get(). An image that an automatic update took back is not got again by
 * Pull=newer: then the note counts, too. */
static int get_image(Store *store, const PodSpec *spec, const char *reference, const ImageGetOptions *options,
                     char *const *lines, const UpdateState *updates, char **ret, Error *e) {
        bool again = options && (spec->pull == PULL_ALWAYS || spec->pull == PULL_NEWER);
        const UpdateHeld *held = update_state_held(updates, reference);
        ImageGetOptions o = options ? *options : (ImageGetOptions){};
        _cleanup_free_ char *id = NULL;
        int r = again ? 0 : pod_note_find(lines, store, reference, &id);

        o.pull = options ? spec->pull : PULL_NEVER;
        o.insecure = spec->insecure;
        if (r == 0)
                r = image_get(store, reference, &o, &id, e);
        if (r >= 0 && again && held && streq(held->id, id)) {
                char *before = NULL;

                r = pod_note_find(lines, store, reference, &before);
                if (r > 0) {
                        free(id);
                        id = before;
                }
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(id);
        return 0;
}

static int get_images(Store *store, const PodSpec *spec, const ImageGetOptions *options, char *const *lines,
                      char ***ret, Error *e) {
        _cleanup_update_state_ UpdateState updates = {};
        _cleanup_strv_free_ char **ids = NULL;

        if (spec->auto_update) /* without it, the newest image counts */
                (void) update_state_load(arg_data_dir, spec->name, &updates, NULL);
        FOREACH_ARRAY (a, spec->apps, spec->n_apps) {
                char *id = NULL;
                int r = get_image(store, spec, a->image, options, lines, &updates, &id, e);

                if (r < 0)
                        return error_prefixf(e, r, "app '%s'", a->name);
                if (strv_consume(&ids, id) < 0)
                        return error_oom(e);
        }
        *ret = TAKE_PTR(ids);
        return 0;
}

static int fetch(const char *name, const PodSpec *spec, Error *e) {
        ImageStatus status;
        const ImageGetOptions o = { .progress = image_status_progress,
                                    .message = on_message,
                                    .userdata = &status };
        _cleanup_strv_free_ char **ids = NULL, **lines = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        int r = store_open(arg_data_dir, 0, &store, e);

        image_status_init(&status);
        (void) pod_note_load(arg_data_dir, name, &lines);
        if (r >= 0)
                r = get_images(store, spec, &o, lines, &ids, e);
        return r < 0 ? r : pod_note_write(arg_data_dir, name, spec, ids, e);
}

/* An image that is not there is the second half of the story: pod-image@NAME.service knows the first, and said it in its status.
 * Returns @r. */
static int explain_missing(const char *name, int r, Error *e) {
        _cleanup_free_ char *unit = strf("pod-image@%s.service", name), *state = NULL, *why = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;

        if (!unit || manager_bus_open(&bus) < 0 ||
            manager_bus_unit_property(bus, unit, "Unit", "ActiveState", &state) < 0 ||
            !streq(state, "failed") ||
            manager_bus_unit_property(bus, unit, "Service", "StatusText", &why) < 0 || *why == '\0')
                return r;
        return error_setf(e, r, "%s", why);
}

static int start(const char *name, const PodSpec *spec, Error *e) {
        PodPrepareOptions o = { .to = POD_DIRECTORY_RUN, .warning = on_warning };
        const ImageGetOptions get = { .message = on_message };
        _cleanup_strv_free_ char **ids = NULL, **lines = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(pods_closep) Pods *pods = NULL;
        _cleanup_(pod_closep) Pod *pod = NULL;
        int r = store_open(arg_data_dir, 0, &store, e);

        if (r >= 0)
                r = pods_open(arg_data_dir, &pods, e);
        (void) pod_note_load(arg_data_dir, name, &lines);
        if (r >= 0) /* a path was not noted when pod-image@ is masked: then it is imported now */
                r = get_images(store, spec, spec->pull == PULL_NEVER ? &get : NULL, lines, &ids, e);
        if (r < 0 && store && pods && spec->pull != PULL_NEVER)
                r = explain_missing(name, r, e);
        o.ids = ids;
        if (r >= 0)
                r = pod_prepare(pods, store, spec, &o, &pod, e);
        if (r >= 0)
                r = run_pod(pod, store, &(RunOptions){ .keep_unit = true, .message = on_message }, e);
        return r;
}

static int refuse_unsupported(const PodSpec *spec) {
        if (spec->unsupported && *spec->unsupported)
                set_status(*spec->unsupported);
        for (char **u = spec->unsupported; u && *u; u++)
                fprintf(stderr, "%s\n", *u);
        return strv_length(spec->unsupported) > 0 ? EXIT_CONFIG : 0;
}

static int with_spec(const char *name, int (*verb)(const char *name, const PodSpec *spec, Error *e)) {
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        Error e = {};
        int r = load_spec(name, &spec);

        if (r == 0)
                r = refuse_unsupported(spec);
        if (r != 0)
                return r;
        r = verb(name, spec, &e);
        if (r < 0) {
                set_status(error_text(&e, r));
                log_error("%s", error_text(&e, r));
        }
        error_done(&e);
        return r < 0 ? EXIT_FAILURE : 0;
}

/* Whether fetch() would do nothing. What is wrong with the pod is for fetch() to say. */
static bool has_images(const char *name) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_pod_spec_ PodSpec *spec = NULL;

        if (pod_file_load(name, NULL, &spec, &errors, NULL) < 0 || strv_length(spec->unsupported) > 0 ||
            spec->pull == PULL_ALWAYS || spec->pull == PULL_NEWER ||
            pod_note_load(arg_data_dir, name, &lines) < 0 || store_open(arg_data_dir, 0, &store, NULL) < 0)
                return false;
        return pod_note_has_all(lines, store, spec);
}

/* For "rkt pod diff" and "apply". Without it a pod that has changed is not seen as such. */
static void note_recipe(const char *name) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = pod_recipe_keep(name, &e);

        if (r < 0 && r != -ENOENT)
                log_warning("%s, ignoring", error_text(&e, r));
}

static int stop_post(const char *name) {
        _cleanup_(pods_closep) Pods *pods = NULL;
        _cleanup_strv_free_ char **sentences = NULL;
        Error e = {};
        int r = pods_open(arg_data_dir, &pods, &e);

        if (r >= 0 && run_explain(pods, name, &sentences, NULL) >= 0)
                STRV_FOREACH (s, sentences)
                        log_error("%s", *s);
        if (r >= 0)
                r = run_stop_post(pods, arg_data_dir, name, &e);
        if (r < 0)
                log_error("%s", error_text(&e, r));
        error_done(&e);
        return r < 0 ? EXIT_FAILURE : 0;
}

static int sweep(void) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = network_sweep(arg_data_dir, NETWORK_SWEEP_OLD | NETWORK_SWEEP_AGAIN, &e);

        if (r < 0)
                log_error("%s", error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : 0;
}

/* Where the data is, as the configuration says. */
static int find_data(char **ret) {
        const ConfigDirs dirs = { CONFIG_SYSTEM_DIR, CONFIG_LOCAL_DIR, NULL };
        _cleanup_error_ Error e = ERROR_INIT;
        int r = config_data_dir(&dirs, RKT_DATA_DIR, ret, &e);

        if (r < 0) {
                log_error("%s", error_text(&e, r));
                return EXIT_CONFIG;
        }
        arg_data_dir = *ret;
        return 0;
}

int main(int argc, char **argv) {
        _cleanup_free_ char *dir = NULL;
        int r;

        if (argc == 3 && !pod_name_is_valid(argv[2])) {
                log_error("'%s' is no name of a pod: lower-case letters, digits and dashes", argv[2]);
                return EXIT_CONFIG;
        }
        r = find_data(&dir);
        if (argc == 3 && streq(argv[1], "missing"))
                return r == 0 && has_images(argv[2]) ? NOTHING_MISSING : EXIT_SUCCESS;
        if (r != 0)
                return r;
        if (argc == 2 && streq(argv[1], "sweep"))
                return sweep();
        if (argc == 3 && streq(argv[1], "image"))
                return with_spec(argv[2], fetch);
        if (argc == 3 && streq(argv[1], "start")) {
                note_recipe(argv[2]);
                return with_spec(argv[2], start);
        }
        if (argc == 3 && streq(argv[1], "stop-post"))
                return stop_post(argv[2]);
        fputs("Usage: rkt-pod missing|image|start|stop-post NAME, or sweep\n", stderr);
        return EXIT_FAILURE;
}

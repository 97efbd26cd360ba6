/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Automatic updates: a pod's note (pod/pod-note.h) says which images it starts with, so an update is another note and a
 * restart, and a rollback is the note of before and a restart. */
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-name.h"
#include "pod/pod-note.h"
#include "pod/update-state.h"
#include "run/auto-update.h"
#include "store/store-ref.h"

/* One pod while it is looked at. */
typedef struct Update {
        const UpdateOptions *options;
        const PodSpec *spec;
        UpdateState state;
        UpdateReport report;
} Update;

/**
 * update_result_to_string() - as in the table
 * @r: result
 *
 * Return: as "rolled back".
 */
const char *update_result_to_string(UpdateResult r) {
        static const char *const names[_UPDATE_RESULT_MAX] = {
                [UPDATE_UNCHANGED] = "false", [UPDATE_DONE] = "true",
                [UPDATE_PENDING] = "pending", [UPDATE_ROLLED_BACK] = "rolled back",
                [UPDATE_FAILED] = "failed",
        };

        return names[r];
}

static void app_done(UpdateApp *a) {
        free(a->name);
        free(a->reference);
        free(a->before);
        free(a->after);
        free(a->message);
}

/**
 * update_report_done() - free the members
 * @r: empty afterwards
 */
void update_report_done(UpdateReport *r) {
        FOREACH_ARRAY (a, r->apps, r->n_apps)
                app_done(a);
        free(r->apps);
        *r = (UpdateReport){};
}

static void update_done(Update *u) {
        update_state_done(&u->state);
        update_report_done(&u->report);
}

static int note(UpdateApp *a, UpdateResult result, const char *message) {
        a->result = result;
        return message && str_replace(&a->message, message) < 0 ? -ENOMEM : 0;
}

/* What others can change under us: not an ID, a digest, a file. */
static bool is_moving(const char *reference) {
        _cleanup_(image_name_freep) ImageName *n = NULL;

        if (image_name_parse(reference, &n, NULL) < 0)
                return false;
        return n->type == IMAGE_NAME_URL || n->type == IMAGE_NAME_APPC ||
               (n->type == IMAGE_NAME_DOCKER && !n->oci->digest);
}

static UpdateApp *find_app(const UpdateReport *r, const char *reference) {
        FOREACH_ARRAY (a, r->apps, r->n_apps)
                if (streq(a->reference, reference))
                        return a;
        return NULL;
}

/* What the app runs with. The note says only what the next start is to take, and is all there is when the pod does not run. */
static int find_before(const Update *u, UpdateUnit unit, const AppSpec *app, char *const *lines, char **ret,
                       Error *e) {
        int r = unit == UPDATE_UNIT_RUNS
                        ? u->options->ops.running(u->options->ops.userdata, u->spec->name, app->name, ret, e)
                        : 0;

        if (r >= 0 && !*ret && pod_note_find(lines, u->options->store, app->image, ret) < 0)
                return error_oom(e);
        return r;
}

/* One row for each image that the pod uses. */
static int list_apps(Update *u, UpdateUnit unit, Error *e) {
        _cleanup_strv_free_ char **lines = NULL;
        int r = pod_note_load(u->options->data_dir, u->spec->name, &lines);

        if (r < 0 && r != -ENOENT)
                return error_setf(e, r, "cannot read which images the pod runs with: %s", strerror(-r));
        FOREACH_ARRAY (app, u->spec->apps, u->spec->n_apps) {
                UpdateApp a = {};

                if (find_app(&u->report, app->image))
                        continue;
                r = find_before(u, unit, app, lines, &a.before, e);
                if (r < 0) {
                        app_done(&a);
                        return r;
                }
                if (str_replace(&a.name, app->name) < 0 || str_replace(&a.reference, app->image) < 0 ||
                    !GREEDY_GROW(u->report.apps, u->report.n_apps)) {
                        app_done(&a);
                        return error_oom(e);
                }
                u->report.apps[u->report.n_apps++] = a;
        }
        return 0;
}

/* The note with the images of before, or of now; a rollback leaves apps that were not updated as they are. */
static int write_note(const Update *u, bool after, Error *e) {
        _cleanup_strv_free_ char **ids = NULL;

        FOREACH_ARRAY (app, u->spec->apps, u->spec->n_apps) {
                const UpdateStep *step = update_state_step(&u->state, app->image);
                const UpdateApp *a = find_app(&u->report, app->image);
                const char *id = step ? (after ? step->after : step->before) : a->before;

                if (!id)
                        return error_setf(e, -ENODATA, "it is not known which image '%s' the pod runs with",
                                          app->image);
                if (strv_extend(&ids, id) < 0)
                        return error_oom(e);
        }
        return pod_note_write(u->options->data_dir, u->spec->name, u->spec, ids, e);
}

static int save(const Update *u, Error *e) {
        return update_state_write(u->options->data_dir, u->spec->name, &u->state, e);
}

/* What is remembered of a name in a registry: that it led to this image, so that another asking finds it changed. */
static void point_name_back(const Update *u, const char *reference, const StoreImage *image) {
        const char *digest = image->index_digest ? image->index_digest : image->manifest_digest;
        _cleanup_(store_remote_done) StoreRemote remote = STORE_REMOTE_INIT;
        _cleanup_(image_name_freep) ImageName *name = NULL;

        if (image_name_parse(reference, &name, NULL) < 0 || name->type != IMAGE_NAME_DOCKER || !digest ||
            store_remote_load(u->options->store, name->text, &remote, NULL) < 0 ||
            str_replace(&remote.key, image->key) < 0 || str_replace(&remote.etag, digest) < 0)
                return;
        (void) store_remote_write(u->options->store, &remote, NULL);
}

/* The image that the pod went back to is what its reference means again; without that, what is started by hand gets the
 * bad one. */
static void point_back(const Update *u, const UpdateStep *s) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        char key[STORE_KEY_MAX];

        if (store_key_from_id(s->before, key) < 0 ||
            store_image_load(u->options->store, key, &image, NULL) < 0)
                return;
        image.import_usec = 0;
        (void) store_image_write(u->options->store, &image, NULL);
        point_name_back(u, s->reference, &image);
}

/* Keeps the collector away from an image while no pod uses it. */
static void touch(const Update *u, const char *id) {
        char key[STORE_KEY_MAX];

        if (store_key_from_id(id, key) >= 0)
                (void) store_image_touch(u->options->store, key);
}

/* All steps get a result; *why is the reason of a failure. */
static int set_results(Update *u, UpdateResult result, const Error *why) {
        FOREACH_ARRAY (s, u->state.steps, u->state.n_steps) {
                UpdateApp *a = find_app(&u->report, s->reference);

                if (a && (str_replace(&a->before, s->before) < 0 || str_replace(&a->after, s->after) < 0 ||
                          note(a, result, why ? why->message : NULL) < 0))
                        return -ENOMEM;
        }
        return 0;
}

static int restart(const Update *u, Error *e) {
        return u->options->ops.restart(u->options->ops.userdata, u->spec->name, e);
}

/* The update under way is over; what was held for these references is the past. */
static int finish(Update *u, UpdateResult result, const Error *why, Error *e) {
        if (set_results(u, result, why) < 0)
                return error_oom(e);
        if (result == UPDATE_DONE)
                FOREACH_ARRAY (s, u->state.steps, u->state.n_steps)
                        update_state_release(&u->state, s->reference);
        update_state_clear_steps(&u->state);
        return save(u, e);
}

static int hold(Update *u, const UpdateStep *s, Error *e) {
        _cleanup_free_ char *digest = NULL;
        int r = u->options->ops.digest(u->options->ops.userdata, s->after, &digest, NULL);

        return r == -ENOMEM || update_state_hold(&u->state, s->reference, s->after, digest) < 0 ? error_oom(e)
                                                                                                : 0;
}

/* Back to what was before. The steps stay on the disk until the pod runs again; what is held is there before it starts, for a
 * pod with Pull=newer gets its images anew. */
static int roll_back(Update *u, const Error *why, Error *e) {
        _cleanup_error_ Error again = ERROR_INIT;
        UpdateResult result = UPDATE_ROLLED_BACK;
        int r = 0;

        FOREACH_ARRAY (s, u->state.steps, u->state.n_steps)
                if (r >= 0)
                        r = hold(u, s, e);
        if (r >= 0)
                r = save(u, e);
        if (r >= 0)
                r = write_note(u, false, e);
        if (r < 0)
                return error_prefixf(e, r, "cannot go back to the images of before");
        if (restart(u, &again) < 0) {
                result = UPDATE_FAILED;
                (void) error_setf(&again, -EIO, "%s; and with the image of before: %s", why->message,
                                  str_or(again.message, "it does not get ready"));
        }
        FOREACH_ARRAY (s, u->state.steps, u->state.n_steps)
                point_back(u, s);
        return finish(u, result, result == UPDATE_FAILED ? &again : why, e);
}

/* The note has the new images: does the pod get ready with them? */
static int restart_new(Update *u, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;

        if (restart(u, &why) >= 0)
                return finish(u, UPDATE_DONE, NULL, e);
        if (!why.message)
                (void) error_setf(&why, -EIO, "it does not get ready");
        return u->options->no_rollback ? finish(u, UPDATE_FAILED, &why, e) : roll_back(u, &why, e);
}

/* All that is pending is put in place at once. */
static int apply(Update *u, Error *e) {
        int r;

        FOREACH_ARRAY (a, u->report.apps, u->report.n_apps) {
                if (a->result != UPDATE_PENDING)
                        continue;
                if (update_state_add_step(&u->state, a->reference, a->before, a->after) < 0)
                        return error_oom(e);
                touch(u, a->before);
                touch(u, a->after);
        }
        r = save(u, e);
        if (r >= 0)
                r = write_note(u, true, e);
        return r < 0 ? r : restart_new(u, e);
}

/* Are the images of the pod those of after, or those of before? */
static bool images_are(const Update *u, bool after) {
        FOREACH_ARRAY (s, u->state.steps, u->state.n_steps) {
                const UpdateApp *a = find_app(&u->report, s->reference);

                if (!a || !streq_ptr(a->before, after ? s->after : s->before))
                        return false;
        }
        return true;
}

static int forget(Update *u, Error *e) {
        update_state_clear_steps(&u->state);
        return save(u, e);
}

/* An update that was killed: it is finished if the pod runs with the new images. If it runs with none, or is only starting,
 * after a power cut perhaps, it is started with those that the note has, and waited for. Return: 1: there is nothing to do
 * about it, and the pod can be looked at as ever. */
static int resume(Update *u, UpdateUnit unit, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        int r;

        if (images_are(u, true) && unit == UPDATE_UNIT_RUNS)
                return finish(u, UPDATE_DONE, NULL, e);
        /* It was not begun, or taken back; or somebody has stopped the pod, and it is not started behind his back. */
        if (unit == UPDATE_UNIT_RESTS || (images_are(u, false) && unit == UPDATE_UNIT_RUNS)) {
                r = forget(u, e);
                return r < 0 ? r : 1;
        }
        if (images_are(u, true))
                return restart_new(u, e);
        (void) error_setf(&why, -EINTR, "the update was interrupted while it was taken back");
        return roll_back(u, &why, e);
}

/* Is the reference still at the digest that the pod did not get ready with? Then nothing is pulled. */
static int is_held(const Update *u, const UpdateApp *a) {
        const UpdateHeld *held = update_state_held(&u->state, a->reference);

        if (held && a->after)
                return streq(held->id, a->after);
        return held && held->digest &&
               u->options->ops.changed(u->options->ops.userdata, u->spec, a->reference, held->digest, NULL) ==
                       0;
}

static int note_held(UpdateApp *a) {
        return note(a, UPDATE_UNCHANGED,
                    "there is another image, but the pod did not get ready with it; it is not tried again");
}

/* Asks whether there is another image, without getting it. */
static int look(const Update *u, UpdateApp *a, Error *e) {
        const UpdateOps *ops = &u->options->ops;
        _cleanup_free_ char *digest = NULL;
        int r = ops->digest(ops->userdata, a->before, &digest, e);

        if (r >= 0)
                r = digest ? ops->changed(ops->userdata, u->spec, a->reference, digest, e) : -EOPNOTSUPP;
        if (r == -EOPNOTSUPP)
                return note(a, UPDATE_UNCHANGED,
                            "it cannot be told without fetching it whether there is another image");
        return r < 0 ? r : note(a, r > 0 ? UPDATE_PENDING : UPDATE_UNCHANGED, NULL);
}

static int get(const Update *u, UpdateApp *a, Error *e) {
        const UpdateOps *ops = &u->options->ops;
        int r = ops->get(ops->userdata, u->spec, a->reference, &a->after, e);

        if (r < 0)
                return r;
        if (is_held(u, a))
                return note_held(a);
        return note(a, streq(a->after, a->before) ? UPDATE_UNCHANGED : UPDATE_PENDING, NULL);
}

/* What one reference gives now. A failure is this row's. */
static int check_app(const Update *u, UpdateApp *a) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        if (!is_moving(a->reference))
                return 0;
        if (!a->before)
                return note(a, UPDATE_FAILED,
                            "it is not known which image the pod runs with; restart the pod");
        if (is_held(u, a) > 0)
                return note_held(a);
        r = u->options->dry_run ? look(u, a, &e) : get(u, a, &e);
        return r < 0 ? note(a, UPDATE_FAILED, error_text(&e, r)) : 0;
}

/* Whether to restart: there is something new, and all of it is here. */
static int check_apps(Update *u, bool *ret, Error *e) {
        bool is_pending = false, has_failed = false;

        FOREACH_ARRAY (a, u->report.apps, u->report.n_apps) {
                if (check_app(u, a) < 0)
                        return error_oom(e);
                is_pending = is_pending || a->result == UPDATE_PENDING;
                has_failed = has_failed || a->result == UPDATE_FAILED;
        }
        *ret = is_pending && !has_failed && !u->options->dry_run;
        return 0;
}

static int update(Update *u, Error *e) {
        const UpdateOps *ops = &u->options->ops;
        UpdateUnit unit = UPDATE_UNIT_RESTS;
        bool go = false, is_free = true;
        int r = update_state_load(u->options->data_dir, u->spec->name, &u->state, e);

        if (r >= 0)
                r = ops->unit(ops->userdata, u->spec->name, &unit, e);
        if (r >= 0)
                r = list_apps(u, unit, e);
        if (r >= 0 && u->state.n_steps > 0 && !u->options->dry_run) {
                r = resume(u, unit, e);
                is_free = r == 1;
        }
        u->report.runs = !is_free || unit == UPDATE_UNIT_RUNS;
        if (r < 0 || !is_free || unit != UPDATE_UNIT_RUNS)
                return r;
        r = check_apps(u, &go, e);
        if (r >= 0 && go) /* that took its time: somebody may have stopped the pod meanwhile */
                r = ops->unit(ops->userdata, u->spec->name, &unit, e);
        return r >= 0 && go && unit == UPDATE_UNIT_RUNS ? apply(u, e) : r;
}

/**
 * auto_update_pod() - update one pod
 * @o:    options; two of these at a time on one data directory are the caller's to prevent
 * @spec: of a pod file
 * @ret:  a row per image, for update_report_done(); set on success only
 * @e:    sentence on failure
 *
 * A pod that does not run is left alone. When something of it cannot be got, nothing of it is changed. Failures that concern
 * one image, or the pod, are in @ret.
 *
 * Return: 0; errno of the operations and of reading and writing.
 */
int auto_update_pod(const UpdateOptions *o, const PodSpec *spec, UpdateReport *ret, Error *e) {
        _cleanup_(update_done) Update u = { .options = o, .spec = spec };
        int r = update(&u, e);

        if (r < 0)
                return r;
        *ret = u.report;
        u.report = (UpdateReport){};
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt auto-update: the pods with AutoUpdate=registry get the images that their references give now. What happens to one pod is
 * in run/auto-update.c; here are the registry, systemd and the journal. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/lock.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/table.h"
#include "image/image-get.h"
#include "pod/pod.h"
#include "podfile/pod-file.h"
#include "run/auto-update.h"
#include "run/machine.h"
#include "store/store-ref.h"
#include "verbs/verbs.h"

/* In the catalogue of the journal, and in rkt-auto-update(1). */
#define MESSAGE_ID_UPDATED     "607d8493015b484983360a2695a94ebd"
#define MESSAGE_ID_ROLLED_BACK "28101cbc8aba4239975e7f0d1afcdee3"
#define MESSAGE_ID_FAILED      "6923f98e580344d38750210520e52530"

typedef struct AutoUpdateArgs {
        const char *format;
        bool no_legend, dry_run, rollback;
} AutoUpdateArgs;

typedef struct AutoUpdate {
        const VerbContext *context;
        const AutoUpdateArgs *args;
        UpdateOptions options;
        Table *table;
        unsigned n_pods, n_failed;
} AutoUpdate;

enum {
        COLUMN_UNIT,
        COLUMN_POD,
        COLUMN_APP,
        COLUMN_IMAGE,
        COLUMN_POLICY,
        COLUMN_UPDATED,
        COLUMN_BEFORE,
        COLUMN_AFTER,
        COLUMN_MESSAGE,
        _COLUMN_MAX
};

static const TableColumn columns[_COLUMN_MAX] = {
        [COLUMN_UNIT] = { "unit", "UNIT", "unit", false },
        [COLUMN_POD] = { "pod", "POD", "pod", false },
        [COLUMN_APP] = { "app", "APP", "app", false },
        [COLUMN_IMAGE] = { "image", "IMAGE", "image", false },
        [COLUMN_POLICY] = { "policy", "POLICY", "policy", false },
        [COLUMN_UPDATED] = { "updated", "UPDATED", "updated", false },
        [COLUMN_BEFORE] = { "old", "OLD", "image_old", false },
        [COLUMN_AFTER] = { "new", "NEW", "image_new", false },
        [COLUMN_MESSAGE] = { "message", "MESSAGE", "message", false },
};

static int op_unit(void *userdata, const char *pod, UpdateUnit *ret, Error *e) {
        _cleanup_free_ char *unit = strf("pod@%s.service", pod), *state = NULL;
        int r = unit ? machine_unit_state(unit, &state, e) : error_oom(e);

        if (r < 0)
                return r;
        *ret = streq(state, "active") || streq(state, "reloading")        ? UPDATE_UNIT_RUNS
               : streq(state, "inactive") || streq(state, "deactivating") ? UPDATE_UNIT_RESTS
                                                                          : UPDATE_UNIT_FAILED;
        return 0;
}

static int op_running(void *userdata, const char *name, const char *app, char **ret, Error *e) {
        const AutoUpdate *u = userdata;
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(pods_closep) Pods *pods = NULL;
        _cleanup_(pod_closep) Pod *pod = NULL;
        int r = pods_open(u->options.data_dir, &pods, e);

        *ret = NULL;
        if (r >= 0)
                r = pod_open(pods, name, &pod, e);
        if (r >= 0)
                r = pod_read_manifest(pod, &m, e);
        if (r < 0)
                return error_prefixf(e, r, "cannot find out which images pod '%s' runs with", name);
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (streq(a->name, app) && a->image.id && str_replace(ret, a->image.id) < 0)
                        return error_oom(e);
        return 0;
}

static int op_restart(void *userdata, const char *pod, Error *e) {
        _cleanup_free_ char *unit = strf("pod@%s.service", pod);

        return unit ? machine_restart_unit(unit, e) : error_oom(e);
}

static int op_digest(void *userdata, const char *id, char **ret, Error *e) {
        const AutoUpdate *u = userdata;
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        char key[STORE_KEY_MAX];
        const char *digest;
        int r = store_key_from_id(id, key);

        if (r >= 0)
                r = store_image_load(u->options.store, key, &image, e);
        if (r < 0)
                return r;
        digest = image.index_digest ? image.index_digest : image.manifest_digest;
        *ret = NULL;
        return digest && str_replace(ret, digest) < 0 ? error_oom(e) : 0;
}

static void on_message(void *userdata, const char *message) {
        log_debug("%s", message);
}

static ImageGetOptions image_options(const AutoUpdate *u, const PodSpec *spec) {
        return (ImageGetOptions){
                .pull = PULL_NEWER,
                .insecure = spec->insecure,
                .system_config = u->context->system_config,
                .local_config = u->context->local_config,
                .user_config = u->context->user_config,
                .message = on_message,
        };
}

static int op_changed(void *userdata, const PodSpec *spec, const char *reference, const char *digest,
                      Error *e) {
        const ImageGetOptions o = image_options(userdata, spec);

        return image_changed(reference, &o, digest, e);
}

static int op_get(void *userdata, const PodSpec *spec, const char *reference, char **ret_id, Error *e) {
        const AutoUpdate *u = userdata;
        const ImageGetOptions o = image_options(u, spec);

        return image_get(u->options.store, reference, &o, ret_id, e);
}

/* What was done, or could not be: in the journal with fields, and for who looks on, unless that is the journal, too. */
static void tell(const char *pod, const UpdateApp *a) {
        static const struct {
                const char *id, *what;
                int priority;
        } kinds[_UPDATE_RESULT_MAX] = {
                [UPDATE_UNCHANGED] = { NULL, "is not updated", LOG_INFO },
                [UPDATE_DONE] = { MESSAGE_ID_UPDATED, "was updated", LOG_INFO },
                [UPDATE_PENDING] = { NULL, "could be updated", LOG_INFO },
                [UPDATE_ROLLED_BACK] = { MESSAGE_ID_ROLLED_BACK, "is back at the image of before",
                                         LOG_WARNING },
                [UPDATE_FAILED] = { MESSAGE_ID_FAILED, "could not be updated", LOG_ERR },
        };
        const typeof(kinds[0]) *k = &kinds[a->result];
        _cleanup_free_ char *text = strf("pod '%s', app '%s', image '%s' %s%s%s", pod, a->name, a->reference,
                                         k->what, a->message ? ": " : "", str_or(a->message, ""));

        if (!text)
                return;
        (void) sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", k->priority, "RKT_POD=%s", pod,
                               "RKT_APP=%s", a->name, "RKT_IMAGE=%s", a->reference, "RKT_IMAGE_OLD=%s",
                               str_or(a->before, ""), "RKT_IMAGE_NEW=%s", str_or(a->after, ""),
                               k->id ? "MESSAGE_ID=%s" : NULL, k->id, NULL);
        if (!getenv("JOURNAL_STREAM") || isatty(STDERR_FILENO)) /* a terminal inherits it from its session */
                (void) log_full(k->priority, 0, "%s", text);
}

static int add_row(const AutoUpdate *u, const char *pod, const UpdateApp *a, Error *e) {
        _cleanup_free_ char *unit = strf("pod@%s.service", pod);
        const char *const cells[_COLUMN_MAX] = {
                [COLUMN_UNIT] = unit,
                [COLUMN_POD] = pod,
                [COLUMN_APP] = a->name,
                [COLUMN_IMAGE] = a->reference,
                [COLUMN_POLICY] = "registry",
                [COLUMN_UPDATED] = update_result_to_string(a->result),
                [COLUMN_BEFORE] = str_or(a->before, ""),
                [COLUMN_AFTER] = str_or(a->after, ""),
                [COLUMN_MESSAGE] = str_or(a->message, ""),
        };
        int r = unit ? table_add_row(u->table, e) : error_oom(e);

        for (size_t i = 0; i < _COLUMN_MAX && r >= 0; i++)
                r = table_set(u->table, i, cells[i], NULL, e);
        return r;
}

static int update_pod(AutoUpdate *u, const PodSpec *spec, bool is_named, Error *e) {
        _cleanup_(update_report_done) UpdateReport report = {};
        _cleanup_error_ Error why = ERROR_INIT;
        bool failed = false;
        int r = auto_update_pod(&u->options, spec, &report, &why);

        u->n_pods++;
        if (r >= 0 && is_named && !report.runs)
                log_info("pod '%s' does not run; it is left as it is", spec->name);
        if (r < 0) {
                log_error("pod '%s': %s", spec->name, error_text(&why, r));
                u->n_failed++;
                return r == -ENOMEM ? error_oom(e) : 0;
        }
        FOREACH_ARRAY (a, report.apps, report.n_apps) {
                failed = failed || a->result == UPDATE_FAILED;
                if (a->message || a->result == UPDATE_DONE)
                        tell(spec->name, a);
                r = add_row(u, spec->name, a, e);
                if (r < 0)
                        return r;
        }
        u->n_failed += failed;
        return 0;
}

/* A pod file with mistakes is no pod that runs; who asks for it by name hears of it. */
static int update_entry(AutoUpdate *u, const PodEntry *entry, bool is_named, Error *e) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_spec_ PodSpec *spec = NULL;

        if (pod_entry_load(entry, &spec, &errors) < 0)
                return error_oom(e);
        if (is_named && errors.n > 0)
                return error_setf(e, -EINVAL, "the file of pod '%s' has mistakes (see rkt pod check)",
                                  entry->name);
        if (is_named && !spec->auto_update)
                return error_setf(e, -EINVAL, "pod '%s' does not say AutoUpdate=registry", entry->name);
        return errors.n == 0 && spec->auto_update ? update_pod(u, spec, is_named, e) : 0;
}

/* What was done for the others is told all the same. */
static int pass_over(AutoUpdate *u, int r, Error *e) {
        log_error("%s", error_text(e, r));
        error_done(e);
        u->n_pods++;
        u->n_failed++;
        return 0;
}

static int update_all(AutoUpdate *u, const PodIndex *index, int argc, char **names, Error *e) {
        int r = 0;

        for (int i = 0; i < argc && r >= 0; i++) {
                const PodEntry *entry = pod_index_find(index, names[i]);

                r = entry ? update_entry(u, entry, true, e)
                          : error_setf(e, -ENOENT, "there is no pod file for '%s' (see rkt pod list)",
                                       names[i]);
                if (r < 0 && r != -ENOMEM && argc > 1)
                        r = pass_over(u, r, e);
        }
        for (size_t i = 0; argc == 0 && i < index->n && r >= 0; i++)
                r = update_entry(u, &index->entries[i], false, e);
        return r;
}

/* One of us at a time. */
static int take_lock(const char *data_dir, int *ret_fd, Error *e) {
        _cleanup_free_ char *dir = strf("%s/auto-update", data_dir),
                            *path = strf("%s/auto-update/.lock", data_dir);
        int r = dir && path ? mkdir_parents_at(AT_FDCWD, dir, 0755) : -ENOMEM;

        if (r >= 0)
                r = lock_file_at(AT_FDCWD, path, LOCK_MODE_EXCLUSIVE, 0, ret_fd);
        if (r == -EBUSY)
                return error_setf(e, r, "another rkt auto-update is at work");
        return r < 0 ? error_setf(e, r, "cannot lock '%s': %s", str_or(path, data_dir), strerror(-r)) : 0;
}

static int print(const AutoUpdate *u, TableFormat format, Error *e) {
        int r = format == TABLE_TEXT ? table_select(u->table, "pod,app,image,policy,updated", e) : 0;

        if (r >= 0)
                r = table_print(u->table, format, !u->args->no_legend, stdout, e);
        (void) fflush(stdout);
        return r;
}

static int auto_update_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        const AutoUpdateArgs *a = options;
        AutoUpdate u = { .context = c, .args = a };
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_(table_freep) Table *table = NULL;
        _cleanup_close_ int lock = -EBADF;
        TableFormat format = table_format_from_string(a->format, e);
        int r = (int) format;

        if (r >= 0)
                r = store_open(c->dir, 0, &store, e);
        if (r >= 0 && !a->dry_run)
                r = take_lock(c->dir, &lock, e);
        if (r >= 0)
                r = table_new(columns, _COLUMN_MAX, &table, e);
        if (r >= 0 && pod_index_load(NULL, &index) < 0)
                r = error_oom(e);
        if (r < 0)
                return r;
        u.table = table;
        u.options = (UpdateOptions){
                .data_dir = c->dir,
                .store = store,
                .dry_run = a->dry_run,
                .no_rollback = !a->rollback,
                .ops = { op_unit, op_running, op_restart, op_digest, op_changed, op_get, &u },
        };
        r = update_all(&u, index, argc, args, e);
        if (r >= 0)
                r = print(&u, format, e);
        if (r >= 0 && u.n_failed > 0)
                r = error_setf(e, -EIO, "%u of %u pods could not be updated", u.n_failed, u.n_pods);
        return r;
}

static const Option auto_update_options[] = {
        { "dry-run", 0, OPTION_BOOL, offsetof(AutoUpdateArgs, dry_run),
          .help = "Look whether there are other images, and change nothing" },
        { "format", 0, OPTION_STRING, offsetof(AutoUpdateArgs, format), .fallback = "", .value = "FORMAT",
          .help = "Print as json or json-pretty" },
        { "no-legend", 0, OPTION_BOOL, offsetof(AutoUpdateArgs, no_legend), .help = "Print no head line" },
        { "rollback", 0, OPTION_BOOL, offsetof(AutoUpdateArgs, rollback), .fallback = "true",
          .help = "Go back to the images of before when a pod does not get ready" },
        {},
};

const Verb verb_auto_update = {
        .name = "auto-update",
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_ROOT,
        .usage = "[POD...]",
        .section = SECTION_FILES,
        .help = "Update running pods whose images have changed",
        .description =
                "      Looks at the pods whose file says AutoUpdate=registry. Those that run and whose "
                "image is another by now\n"
                "      are restarted with it; they go back to the image of before if they do not get "
                "ready.",
        .options = auto_update_options,
        .options_size = sizeof(AutoUpdateArgs),
        .run = auto_update_run,
};

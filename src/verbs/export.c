/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt export: what an app of a pod left behind becomes an image. */
#include <unistd.h>

#include "basic/path.h"
#include "basic/strv.h"
#include "run/pod-export.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

typedef struct ExportArgs {
        const char *app;
        const char *uuid_file;
        bool overwrite;
} ExportArgs;

static int several_apps(const PodManifest *m, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (a, m->apps, m->n_apps)
                strbuf_addf(&b, "%s%s", b.size > 0 ? ", " : "", a->name);
        return b.failed ? error_oom(e)
                        : error_setf(e, -EINVAL,
                                     "pod contains multiple apps: %s; specify app using \"rkt export --app= "
                                     "...\"",
                                     b.data);
}

static int choose_app(const PodManifest *m, const char *name, const PodApp **ret, Error *e) {
        if (!name && m->n_apps != 1)
                return several_apps(m, e);
        *ret = name ? pod_manifest_find_app(m, name) : &m->apps[0];
        return *ret ? 0 : error_setf(e, -ENOENT, "app \"%s\" is not in the pod", name);
}

/* gc and rm keep away from it as long as we hold the lock. */
static int check_pod(Pod *p, Error *e) {
        PodState s = pod_state(p);
        int r;

        if (s != POD_EXITED && s != POD_EXITED_GARBAGE)
                return error_setf(e, -EBUSY, "pod is not exited. Only exited pods can be exported");
        r = pod_lock(p, e);
        return r < 0 ? error_prefixf(e, r, "cannot lock the pod") : 0;
}

static int check_output(const char *path, bool overwrite, Error *e) {
        if (!endswith(path_basename(path), ".aci"))
                return error_setf(e, -EINVAL, "extension must be .aci (given: %s)", path);
        if (!overwrite && access(path, F_OK) == 0)
                return error_setf(e, -EEXIST, "target file exists (try --overwrite)");
        return 0;
}

static int export_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const ExportArgs *args = options;
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        const PodApp *app = NULL;
        int r;

        if (argc != (args->uuid_file ? 1 : 2))
                return error_setf(e, -EINVAL,
                                  "name a pod, or a file with its UUID by --uuid-file, and the file to make");
        r = check_output(words[argc - 1], args->overwrite, e);
        if (r >= 0)
                r = pod_open_named(c->dir, argc - 1, words, args->uuid_file, &ps, &p, e);
        if (r >= 0)
                r = check_pod(p, e);
        if (r >= 0)
                r = pod_read_manifest(p, &m, e);
        if (r >= 0)
                r = choose_app(m, args->app, &app, e);
        if (r >= 0)
                r = store_open(c->dir, STORE_OPEN_READ_ONLY, &s, e);
        return r < 0 ? r : pod_export(p, s, m, app, words[argc - 1], args->overwrite, e);
}

static const Option export_options[] = {
        { "app", 0, OPTION_STRING, offsetof(ExportArgs, app), .value = "NAME",
          .help = "name of the app to export within the specified pod" },
        { "overwrite", 0, OPTION_BOOL, offsetof(ExportArgs, overwrite), .help = "overwrite output ACI" },
        POD_OPTION_UUID_FILE(ExportArgs),
        {},
};

const Verb verb_export = {
        .name = "export",
        .max_args = 2,
        .flags = VERB_ROOT,
        .usage = "UUID OUTPUT_ACI_FILE",
        .section = SECTION_PODS,
        .help = "Export an app from an exited pod to an ACI file",
        .description =
                "      The file has the root of the app as it left it: its image, and what was written "
                "since. What\n"
                "      lies in volumes is not in it.",
        .options = export_options,
        .options_size = sizeof(ExportArgs),
        .run = export_run,
};

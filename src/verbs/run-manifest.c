/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --pod-manifest=FILE: the manifest says what runs, all of it; flags say only how. It is kept as it was read (pod_compose() fills in
 * what it leaves to the images); the PodSpec gets an app per app of it, with the image to look for. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/strv.h"
#include "verbs/run-isolators.h"
#include "verbs/run-manifest.h"

#define MANIFEST_MAX (4 * 1024 * 1024)

/**
 * run_manifest_check() - flags that cannot stand beside --pod-manifest
 * @a: all flags, before anything is made of them
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, also without --pod-manifest; -EINVAL.
 */
int run_manifest_check(const RunArgs *a, Error *e) {
        if (!a->pod_manifest)
                return 0;
        if (a->spec->n_apps > 0 || a->spec->n_volumes > 0 || a->global_mounts || a->set_env ||
            a->set_env_files || a->inherit_env || a->store_only || a->no_store || a->pull_given || a->ports)
                return error_setf(e, -EINVAL, "conflicting flags set with --pod-manifest (see --help)");
        return 0;
}

/* Its ID, else its name with all labels, as a user would write it. */
static int image_reference(const PodImage *image, char **ret, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        if (!image->id && !image->name)
                return error_setf(e, -EINVAL, "its image has neither an ID nor a name");
        strbuf_add(&b, image->id ? image->id : image->name);
        for (size_t i = 0; i < image->n_labels && !image->id; i++)
                strbuf_addf(&b, ",%s=%s", image->labels[i].name, image->labels[i].value);
        return strbuf_steal(&b, ret) < 0 ? error_oom(e) : 0;
}

/* What an image may not take by its isolators the one who writes a pod manifest may give: as the flags would. */
static int take_isolators(AppSpec *s, const AcApp *app) {
        static const PodPlace place = {};
        const AcIsolator *i =
                ac_isolators_find(app->isolators, app->n_isolators, AC_ISOLATOR_CAPABILITIES_RETAIN);
        _cleanup_free_ char *words = NULL, *score = NULL;
        int r = 0;

        if (i) {
                r = strv_join(i->set, " ", &words);
                if (r >= 0)
                        r = unit_settings_add(&s->settings, "CapabilityBoundingSet", "", place);
                if (r >= 0)
                        r = unit_settings_add(&s->settings, "CapabilityBoundingSet", words, place);
        }
        i = ac_isolators_find(app->isolators, app->n_isolators, AC_ISOLATOR_NO_NEW_PRIVILEGES);
        if (r >= 0 && i && i->number == 0)
                r = unit_settings_add(&s->settings, "NoNewPrivileges", "no", place);
        i = ac_isolators_find(app->isolators, app->n_isolators, AC_ISOLATOR_OOM_SCORE_ADJ);
        if (r >= 0 && i && i->number < 0) {
                score = strf("%" PRId64, i->number);
                r = score ? unit_settings_add(&s->settings, "OOMScoreAdjust", score, place) : -ENOMEM;
        }
        return r;
}

static int take_seccomp(AppSpec *s, const AcApp *app, Error *e) {
        const AcIsolator *retain = ac_isolators_find(app->isolators, app->n_isolators,
                                                     AC_ISOLATOR_SECCOMP_RETAIN),
                         *i = retain ? retain
                                     : ac_isolators_find(app->isolators, app->n_isolators,
                                                         AC_ISOLATOR_SECCOMP_REMOVE);

        return i ? run_add_seccomp(s, retain != NULL, i->set, i->errno_name, e) : 0;
}

static int add_app(RunArgs *a, const PodApp *app, Error *e) {
        AppSpec *s;
        int r;

        if (pod_spec_add_app(a->spec, app->name, &s) < 0 || strv_extend(&a->signatures, "") < 0)
                return error_oom(e);
        if (app->app && take_isolators(s, app->app) < 0)
                return error_oom(e);
        r = app->app ? take_seccomp(s, app->app, e) : 0;
        if (r < 0)
                return r;
        r = image_reference(&app->image, &s->image, e);
        return r < 0 ? error_prefixf(e, r, "app '%s'", app->name) : 0;
}

/**
 * run_manifest_load() - read the manifest that --pod-manifest names
 * @a: checked flags; gets the manifest, and its apps
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL: no apps, or what pod_manifest_parse() refuses; errors of reading; -ENOMEM.
 */
int run_manifest_load(RunArgs *a, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(AT_FDCWD, a->pod_manifest, MANIFEST_MAX, &text, &size);

        if (r < 0)
                return error_setf(e, r, "cannot read the pod manifest \"%s\": %s", a->pod_manifest,
                                  strerror(-r));
        r = pod_manifest_parse(text, size, &a->manifest, e);
        if (r < 0)
                return error_prefixf(e, r, "\"%s\"", a->pod_manifest);
        if (a->manifest->n_apps == 0)
                return error_setf(e, -EINVAL, "pod must contain at least one application");
        FOREACH_ARRAY (app, a->manifest->apps, a->manifest->n_apps) {
                r = add_app(a, app, e);
                if (r < 0)
                        return error_prefixf(e, r, "\"%s\"", a->pod_manifest);
        }
        a->spec->pull = PULL_NEVER; /* as rkt has it: what runs is in the store */
        return 0;
}

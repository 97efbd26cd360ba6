/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rkt program: the table of its commands. Groups (image, pod) stand together. */
#include "basic/log.h"
#include "basic/pager.h"
#include "basic/strv.h"
#include "config/config.h"
#include "verbs/request.h"
#include "verbs/verbs.h"

/* clang-format off */
static const Verb *const verbs[] = {
        &verb_app_add,
        &verb_app_exec,
        &verb_app_list,
        &verb_app_rm,
        &verb_app_sandbox,
        &verb_app_start,
        &verb_app_status,
        &verb_app_stop,
        &verb_attach,
        &verb_auto_update,
        &verb_cat_manifest,
        &verb_completion,
        &verb_config,
        &verb_docker2aci,
        &verb_enter,
        &verb_export,
        &verb_fetch,
        &verb_gc,
        &verb_help,
        &verb_image_cat_manifest,
        &verb_image_export,
        &verb_image_extract,
        &verb_image_fetch,
        &verb_image_gc,
        &verb_image_list,
        &verb_image_render,
        &verb_image_rm,
        &verb_image_validate,
        &verb_image_verify,
        &verb_list,
        &verb_logs,
        &verb_metadata_service,
        &verb_pod_apply,
        &verb_pod_cat,
        &verb_pod_check,
        &verb_pod_diff,
        &verb_pod_edit,
        &verb_pod_import_quadlet,
        &verb_pod_list,
        &verb_prepare,
        &verb_rm,
        &verb_run,
        &verb_run_prepared,
        &verb_start,
        &verb_status,
        &verb_stop,
        &verb_trust,
        &verb_version,
        NULL,
};
/* clang-format on */

/* paths.d says where the data is, unless --dir does. */
static int on_ready(const VerbContext *c, Error *e) {
        const ConfigDirs dirs = { c->system_config, c->local_config, c->user_config };
        _cleanup_free_ char *dir = NULL;
        int r = config_data_dir(&dirs, c->dir, &dir, e);

        if (r < 0)
                return r;
        r = verb_set_dir(c, dir);
        return r < 0 ? error_setf(e, r, "cannot find the data directory \"%s\": %s", c->dir, strerror(-r))
                     : 0;
}

#define EXIT_PROGRAM_FAILED 1 /* of a program that is none of rkt's: as docker2aci had it */

int main(int argc, char **argv) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        int r = verbs_program(verbs, argc, argv, &words), status;

        if (r == 0 && argc > 0) {
                r = request_run(argv + 1, &status, &e);
                if (r < 0)
                        log_error("%s", error_text(&e, r));
                (void) pager_close();
                if (r > 0)
                        return status;
        }
        if (r < 0)
                return EXIT_RKT_FAILED;
        if (r == 0)
                return verbs_main(verbs, on_ready, argc, argv);
        r = verbs_main(verbs, on_ready, argc + 1, words);
        return r == EXIT_RKT_FAILED ? EXIT_PROGRAM_FAILED : r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rkt program: the table of its commands. Groups (image, pod) stand together. */
#include "verbs/verbs.h"

/* clang-format off */
static const Verb *const verbs[] = {
        &verb_cat_manifest,
        &verb_completion,
        &verb_fetch,
        &verb_gc,
        &verb_help,
        &verb_image_cat_manifest,
        &verb_image_fetch,
        &verb_image_list,
        &verb_image_rm,
        &verb_list,
        &verb_pod_cat,
        &verb_pod_check,
        &verb_pod_list,
        &verb_rm,
        &verb_run,
        &verb_status,
        &verb_stop,
        &verb_trust,
        &verb_version,
        NULL,
};
/* clang-format on */

int main(int argc, char **argv) {
        return verbs_main(verbs, argc, argv);
}

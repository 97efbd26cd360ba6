/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One row per verb, each defined in the verb's own file. A new verb: define `const Verb verb_x` there, declare it here, put
 * &verb_x into the table in rkt.c and the file into meson.build. */
#pragma once

#include "basic/verbs.h"

#define SECTION_PODS   "Pods"
#define SECTION_IMAGES "Images"
#define SECTION_FILES  "Pod files"

#define APPC_VERSION "0.8.11" /* of the standard that this follows */

extern const Verb verb_app_add;
extern const Verb verb_app_exec;
extern const Verb verb_app_list;
extern const Verb verb_app_rm;
extern const Verb verb_app_sandbox;
extern const Verb verb_app_start;
extern const Verb verb_app_status;
extern const Verb verb_app_stop;
extern const Verb verb_attach;
extern const Verb verb_auto_update;
extern const Verb verb_cat_manifest;
extern const Verb verb_completion;
extern const Verb verb_config;
extern const Verb verb_docker2aci;
extern const Verb verb_enter;
extern const Verb verb_export;
extern const Verb verb_fetch;
extern const Verb verb_gc;
extern const Verb verb_help;
extern const Verb verb_image_cat_manifest;
extern const Verb verb_image_export;
extern const Verb verb_image_extract;
extern const Verb verb_image_fetch;
extern const Verb verb_image_gc;
extern const Verb verb_image_list;
extern const Verb verb_image_render;
extern const Verb verb_image_rm;
extern const Verb verb_image_validate;
extern const Verb verb_image_verify;
extern const Verb verb_list;
extern const Verb verb_logs;
extern const Verb verb_metadata_service;
extern const Verb verb_pod_apply;
extern const Verb verb_pod_cat;
extern const Verb verb_pod_check;
extern const Verb verb_pod_diff;
extern const Verb verb_pod_edit;
extern const Verb verb_pod_import_quadlet;
extern const Verb verb_pod_list;
extern const Verb verb_prepare;
extern const Verb verb_rm;
extern const Verb verb_run;
extern const Verb verb_run_prepared;
extern const Verb verb_start;
extern const Verb verb_status;
extern const Verb verb_stop;
extern const Verb verb_trust;
extern const Verb verb_version;

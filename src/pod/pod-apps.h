/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The apps of a pod whose apps come and go. The pod manifest says which there are: whoever adds one writes its files first and
 * the manifest last, whoever removes one the other way round, and what is killed in between leaves files of an app that the
 * manifest does not know. The next one removes them. */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "pod/pod.h"

typedef enum PodAppMark {
        POD_APP_CREATED, /* it was added */
        POD_APP_STARTED, /* somebody wanted it started */
        _POD_APP_MARK_MAX,
        _POD_APP_MARK_INVALID = -EINVAL,
} PodAppMark;

int pod_apps_lock(Pod *p, int *ret_fd, Error *e);
int pod_apps_unknown(Pod *p, const PodManifest *m, char ***ret, Error *e);
int pod_app_forget(Pod *p, const char *app, Error *e);
int pod_volumes_forget(Pod *p, const PodManifest *m, Error *e);
int pod_app_set_mark(Pod *p, const char *app, PodAppMark mark, Error *e);
int pod_app_clear_status(Pod *p, const char *app, Error *e);
int pod_app_set_wanted(Pod *p, const char *app, bool wanted, Error *e);
int pod_apps_again(Pod *p, const PodManifest *m, char ***ret, Error *e);
int pod_apps_mark(Pod *p, const PodManifest *m, char *const *again, Error *e);
int pod_app_detours(Pod *p, const char *app, char ***ret);
int pod_app_created_usec(Pod *p, const char *app, usec_t *ret);

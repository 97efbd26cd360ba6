/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log files for a kubelet: what an app prints goes to a file in a directory of the host's, line by line in the CRI's format. rkt's
 * annotations ask for it: of the pod logmode and kubernetes-log-dir, of the app kubernetes-log-path. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "basic/str.h"
#include "manifest/pod-manifest.h"

#define KUBERNETES_LOG_PLACE "rkt/kubernetes/log" /* in stage1 */

const char *kubernetes_log_dir(const PodManifest *m);
const char *kubernetes_log_path(const PodApp *a);
int kubernetes_log_check(const PodApp *a, Error *e);
int kubernetes_log_units(const PodApp *a, char ***ret_names, char ***ret_texts);
int kubernetes_log_mount(const PodManifest *m, int stage1_fd, int map_fd, Error *e);
int kubernetes_log_create(const PodManifest *m, const PodApp *a, Error *e);

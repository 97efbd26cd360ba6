/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-log@APP.service where a kubelet wants files: the app's output, in the CRI's format. */
#pragma once

int kubernetes_log_run(const char *path);

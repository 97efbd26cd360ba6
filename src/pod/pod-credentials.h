/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The credentials that somebody gave the apps of a pod on a command line. */
#pragma once

#include "basic/error.h"
#include "pod/pod.h"
#include "podfile/pod-spec.h"

#define POD_CREDENTIALS_DIR "credentials" /* in the pod's directory */

int pod_credentials_write(Pod *p, const PodSpec *s, Error *e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PrivateUsers=auto: users of the pod's own, unless something in the pod needs the host's. */
#pragma once

#include "basic/error.h"
#include "run/network.h"
#include "run/userns.h"
#include "run/volume.h"

int users_need_of_pod(const PodManifest *m, NetworkKind network, char **ret_why);
int users_check(const PodManifest *m, Error *e);
int users_choose(const VolumeContext *c, const char *machine, NetworkKind network, Userns *ret,
                 char **ret_why, Error *e);

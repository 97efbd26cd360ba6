/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports of an image that are "socketActivated": the app is handed what listens on them (sd_listen_fds(3)). */
#pragma once

#include "manifest/pod-manifest.h"

int activation_add(PodManifest *m, Error *e);

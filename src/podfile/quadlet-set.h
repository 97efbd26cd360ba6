/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters of QuadletKey: one line of [Container] or [Pod] each; only for the table in quadlet-keys.c. */
#pragma once

#include "podfile/quadlet-draft.h"

#define QUADLET_SETTER(name)                                                                                 \
        int quadlet_set_##name(Draft *d, const QuadletKey *key, const QuadletLine *line, const char *value)

QUADLET_SETTER(app);
QUADLET_SETTER(app_boolean);
QUADLET_SETTER(pod);
QUADLET_SETTER(note);
QUADLET_SETTER(refuse);
QUADLET_SETTER(unconfined);
QUADLET_SETTER(collected);
QUADLET_SETTER(auto_update);
QUADLET_SETTER(entrypoint);
QUADLET_SETTER(environment);
QUADLET_SETTER(environment_file);
QUADLET_SETTER(exec);
QUADLET_SETTER(exit_policy);
QUADLET_SETTER(groups);
QUADLET_SETTER(health_action);
QUADLET_SETTER(health_time);
QUADLET_SETTER(hosts);
QUADLET_SETTER(image);
QUADLET_SETTER(log_driver);
QUADLET_SETTER(log_option);
QUADLET_SETTER(notify);
QUADLET_SETTER(podman_arguments);
QUADLET_SETTER(port);
QUADLET_SETTER(read_only);
QUADLET_SETTER(read_only_tmpfs);
QUADLET_SETTER(capability);
QUADLET_SETTER(secret);
QUADLET_SETTER(size);
QUADLET_SETTER(sysctl);
QUADLET_SETTER(tasks);
QUADLET_SETTER(ulimit);
QUADLET_SETTER(user);
QUADLET_SETTER(user_map);
QUADLET_SETTER(user_namespace);
QUADLET_SETTER(volatile_tmp);
QUADLET_SETTER(device);
QUADLET_SETTER(mount);
QUADLET_SETTER(network);
QUADLET_SETTER(timezone);
QUADLET_SETTER(tmpfs);
QUADLET_SETTER(volume);

int quadlet_capabilities_done(Draft *d);
int quadlet_boolean(const char *value);

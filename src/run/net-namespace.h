/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network namespaces with a name, as ip-netns(8) has them. */
#pragma once

#include "run/net-link.h"

int net_namespace_prepare(Error *e);
int net_namespace_make(const char *path, int *ret_fd, NetLink **ret_inside, Error *e);
int net_namespace_remove(const char *path, Error *e);
bool net_namespace_exists(const char *path);
int net_sysctl_write(const char *name, const char *value);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calling CNI plugins: one network of one pod, from its configuration to its result. */
#pragma once

#include "run/cni-conf.h"
#include "run/net-state.h"

#define CNI_DIRECTORIES                                                                                      \
        CONFIG_LOCAL_DIR "/net.d:" CONFIG_SYSTEM_DIR "/plugins/net:/usr/lib/cni:/usr/libexec/cni:/opt/cni/"  \
                         "bin"

#define CNI_TIMEOUT_ENV "RKT_CNI_TIMEOUT_SEC" /* for tests: how long a plugin may run */

/* For whom. */
typedef struct CniContext {
        const char *uuid;      /* container ID */
        const char *namespace; /* path; "": it is gone */
} CniContext;

int cni_find_plugin(const char *type, char **ret);
int cni_need_plugins(const CniConf *c, Error *e);
int cni_add(const CniContext *x, const CniConf *c, NetAttachment *a, Error *e);
int cni_check(const CniContext *x, const NetAttachment *a, Error *e);
int cni_del(const CniContext *x, const NetAttachment *a, Error *e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root file system of a pod's own systemd: a private /etc and units over the host's /usr. Pure: a list of files. */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "run/app-unit.h"
#include "run/root-files.h"

typedef struct Stage1Context {
        const char *uuid;       /* of the pod, lower case with dashes */
        const char *hostname;   /* inside */
        const char *os_release; /* text of the host's os-release */
        PodLogMode log;
        char *const *again; /* where apps come and go: those that are started with the pod; NULL: none */
        AppUnitContext app;
} Stage1Context;

void stage1_user_lines(const PodApp *a, const AppFacts *facts, StrBuf *passwd, StrBuf *group);
int stage1_app_files(const PodApp *a, const AppFacts *facts, const AppUnitContext *c, RootFiles *ret,
                     Error *e);
int stage1_root_files(const PodManifest *m, const AppFacts *facts, const Stage1Context *c, RootFiles *ret,
                      Error *e);

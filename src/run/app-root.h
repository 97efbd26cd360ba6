/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root file system of an app, before the app runs: who its user is, where its program lies, what must be there. Every
 * path is resolved inside the root; nothing of an image is ever followed out of it. */
#pragma once

#include "basic/error.h"
#include "manifest/pod-manifest.h"
#include "run/app-unit.h"
#include "run/userns.h"

typedef struct AppRootContext {
        const char *hostname;
        const char *hosts;      /* text of /etc/hosts for an app that has none */
        bool replace_hosts;     /* and for one that has */
        const char *hosts_file; /* of the host, with @hosts and what changes; NULL: there is none */
        bool weak_resolv_conf;  /* only for an app that has none */
        const Userns *users;
        int pod_fd; /* the pod's directory: notes which of the two were ours at the first start */
        const char *resolv_conf; /* text for the app's own; NULL: leave it alone */
} AppRootContext;

const char *app_root_api_directory(const char *path);
int app_root_find_user(const PodApp *a, int root_fd, const Userns *users, AppFacts *f, Error *e);
int app_root_find_program(const PodApp *a, int root_fd, AppFacts *f, Error *e);
int app_root_find_directory(const PodApp *a, int root_fd, const Userns *users, AppFacts *f, Error *e);
int app_root_furnish(const PodApp *a, int root_fd, const AppRootContext *c, Error *e);

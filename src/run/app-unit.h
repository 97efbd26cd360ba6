/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An app of the pod manifest becomes units inside the pod: APP.service, what whoever enters the app gets
 * (enter-APP@.service.d), and APP.socket. Pure: text in, text out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/error.h"
#include "basic/insecure.h"
#include "basic/str.h"
#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

/* A bind mount that the pod's systemd makes: because its own mounts (/proc, /sys, /dev, /run) would hide one of ours, or
 * because only its are told what the host mounts later. */
typedef struct AppBind {
        char *source; /* path in the stage1 root, nowhere in an app's */
        char *target; /* path in the app, absolute, links resolved */
        bool read_only;
        bool slave;
        int mount_fd; /* of a slave that does not have its place yet; -EBADF */
} AppBind;

/* What is known of an app only once its root is there. */
typedef struct AppFacts {
        uid_t uid;
        gid_t gid;
        gid_t *groups; /* supplementary */
        size_t n_groups;
        char *home;      /* of the user, or NULL */
        char *user_name; /* the same */
        char *exec_path; /* absolute, in the app */
        char *directory; /* the working directory, after all links; NULL: as the app says */
        char **writable; /* targets of writable volumes */
        AppBind *binds;
        size_t n_binds;
        char **credentials; /* "ID:NAME", NAME being what the pod's systemd calls it */
        char **devices;     /* that are volumes: "/dev/char/10:237 rw" */
} AppFacts;

#define APP_FACTS_INIT      ((AppFacts){})
#define _cleanup_app_facts_ _cleanup_(app_facts_done)

#define APP_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define METADATA_UNIT    "rkt-metadata" /* in the pod */

typedef struct AppUnitContext {
        const char *pod; /* machine name */
        PodExitPolicy exit_policy;
        InsecureFlags insecure;
        bool sysctls;             /* rkt-sysctl.service comes first */
        bool sysctls_are_set;     /* by net_sysctls_write() */
        const char *metadata_url; /* AC_METADATA_URL; NULL: none */
        bool host_network;
        PodLogMode log;
        bool bind_log_sockets; /* systemd knows BindLogSockets= */
        bool kernel_files;     /* the pod has trees of them (kernel-files.h) */
        bool devices_hidden;   /* the pod hides those that nspawn adds */
        bool kubernetes_log;   /* apps that name a log file have one */
        bool interactive;      /* the only app has the terminal of who runs the pod */
        bool console;          /* what the app prints goes to the pod's console (console.h) */
} AppUnitContext;

void app_facts_done(AppFacts *f);
int app_unit_service(const PodApp *a, const AppFacts *f, const AppUnitContext *c, StrBuf *ret, Error *e);
int app_unit_enter(const PodApp *a, const AppFacts *f, const AppUnitContext *c, StrBuf *ret, Error *e);
int app_unit_sockets(const PodApp *a, char ***ret_names, char ***ret_texts, Error *e);
int app_unit_proxies(const PodApp *a, char ***ret_names, char ***ret_texts, Error *e);

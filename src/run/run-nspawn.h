/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line and the environment of systemd-nspawn. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"
#include "manifest/pod-manifest.h"

#define NSPAWN_PATH "/usr/bin/systemd-nspawn"

/* For systemd-nspawn, the pod's systemd and its journald: small as they are, they need not be told when memory is short. Each
 * watch of systemd 254 and later costs a thread of the kernel, and at the pod's end the kernel takes 5 to 10 ms to give it up,
 * one after the other. */
#define NO_PRESSURE_WATCH "MEMORY_PRESSURE_WATCH=/dev/null"

typedef struct NspawnContext {
        const char *uuid;
        const char *machine;
        const char *root; /* absolute path of the stage1 root */
        /* The host's journal: NULL: there is none; else it takes syslog messages of the pod's journal, or, with
         * host_journal_only, everything itself. */
        const char *host_journal;
        bool host_journal_only;
        bool private_users;
        uint32_t first_user; /* on the host; 0: the same as inside */
        uint32_t n_users;
        bool private_network; /* loopback only */
        bool metadata;        /* the metadata service's socket is in the pod */
        char *const *slaves;  /* on the host, mounts for places of the same names in the pod; NULL: none */
        char *const *credentials; /* "NAME:PATH" on the host, for the pod's systemd; NULL: none */
        bool console; /* stdout and stderr are somebody's; else the unit's journal, apps do not print there */
} NspawnContext;

int nspawn_missing_capability(const PodManifest *m, const PodApp *a, char **ret);
int nspawn_argv(const PodManifest *m, const NspawnContext *c, char ***ret, Error *e);
int nspawn_capabilities(const PodManifest *m, char ***ret, bool *ret_all);
int nspawn_environment(char *const *environ, bool own_network, bool keeps_ipc, char ***ret);

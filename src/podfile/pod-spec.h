/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PodSpec: what was asked for, by a pod file or by the flags of "rkt run". Pure data; nothing downstream knows which of
 * the two it was. What will really run (PodSpec together with the images' manifests) is the appc pod manifest.
 *
 * Strings are owned by the struct that holds them; NULL means "not said". Vectors are NULL-terminated, NULL is empty.
 * Tristates are -1 when not said. Texts are final: quotes, escapes and specifiers are gone, except in UnitSetting. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/alloc.h"
#include "basic/insecure.h"

/* Where something was written. The file name belongs to PodSpec.files; NULL when it came from a command line. */
typedef struct PodPlace {
        const char *file;
        unsigned line;
} PodPlace;

/* A key that goes into a unit as it is. The value is unit file text: our specifiers are expanded, and every other "%" is
 * doubled, so "KEY=VALUE\n" can be written out unchanged. An empty value resets the list, as in systemd. */
typedef struct UnitSetting {
        char *key;
        char *value;
        PodPlace place;
} UnitSetting;

typedef struct UnitSettings {
        UnitSetting *items;
        size_t n;
} UnitSettings;

/* Volume= of an app. */
typedef struct MountSpec {
        char *volume; /* a VolumeSpec of the same PodSpec; short forms of Volume= have made an implicit one */
        char *target; /* absolute, normalized path inside the app */
        int read_only;
        PodPlace place;
} MountSpec;

/* [Volume NAME], or made by the short forms "/host:/target" and ":/target". */
typedef struct VolumeSpec {
        char *name;
        char *source; /* host path: kind host; NULL: kind empty */
        int read_only;
        int recursive;
        int mode;    /* permissions of an empty volume's directory; -1 not said */
        int64_t uid; /* owner of an empty volume's directory; -1 not said */
        int64_t gid;
        int persistent; /* an empty one kept under volumes/POD/NAME */
        int copy_up;
        char **options; /* suid, dev, noexec, noidmap, slave */
        bool implicit;
        PodPlace place;
} VolumeSpec;

typedef struct AppSpec {
        char *name;
        char *image; /* image reference as written */
        char **exec; /* Exec= */
        char **entrypoint;
        char **args;
        bool has_args; /* an empty Args= replaces docker's CMD by nothing */
        char *user;    /* name, number or path of a file whose owner counts */
        char *group;
        char **supplementary_groups;
        char *working_directory;
        char **tmpfs;             /* "/path[:option,...]" */
        char **devices;           /* "[-]/dev/NAME[:/dev/TARGET][:rwm]" */
        char *shm_size;           /* bytes, in digits; NULL: the pod's */
        char **sysctls;           /* "NAME=VALUE" */
        char **environment;       /* "NAME=VALUE", the value byte for byte; each name once */
        char **environment_files; /* host paths; a leading "-" means: may be missing */
        MountSpec *mounts;
        size_t n_mounts;
        int read_only;
        char **after; /* names of apps of this pod */
        char **before;
        char **requires;
        char **wants;
        char **binds_to;
        char *standard_input; /* systemd's words: null, journal, tty; and stream, interactive */
        char *standard_output;
        char *standard_error;
        char *health_cmd; /* as written; the rest is checked, too */
        char *health_interval;
        char *health_timeout;
        char *health_retries;
        char *health_start_period;
        char *health_on_failure;
        bool notify_healthy;
        UnitSettings credentials; /* LoadCredential= and its kin, as written */
        char **annotations;       /* "NAME=VALUE" */
        char **user_annotations;
        char **user_labels;
        UnitSettings
                settings; /* pass-through keys in the order written, ExecStartPre= and ExecStopPost= among them */
        PodPlace place;
} AppSpec;

/* [Socket] or [Socket NAME]: keys of systemd.socket(5) for pod@POD.socket and for the socket inside. */
typedef struct SocketSpec {
        char *name;      /* NULL: [Socket] without a name */
        char *app;       /* always an app of the pod once loaded */
        char *proxy;     /* port of the app; NULL: the app takes the descriptor */
        char *idle_exit; /* the pod ends after so long without a connection; only with @proxy */
        UnitSettings settings;
        PodPlace place;
} SocketSpec;

typedef enum PullPolicy {
        PULL_MISSING, /* rkt's new */
        PULL_NEWER,   /* rkt's update */
        PULL_ALWAYS,
        PULL_NEVER,
        _PULL_POLICY_MAX,
        _PULL_POLICY_INVALID = -EINVAL,
} PullPolicy;

typedef enum PodExitPolicy {
        POD_EXIT_ON_FAILURE, /* when one app fails, or all are done */
        POD_EXIT_ANY,
        POD_EXIT_ALL,
        POD_EXIT_NEVER,
        _POD_EXIT_POLICY_MAX,
        _POD_EXIT_POLICY_INVALID = -EINVAL,
} PodExitPolicy;

typedef enum PodLogMode {
        POD_LOG_BOTH,
        POD_LOG_JOURNAL,
        POD_LOG_HOST,
        _POD_LOG_MODE_MAX,
        _POD_LOG_MODE_INVALID = -EINVAL,
} PodLogMode;

typedef struct PodSpec {
        char *name;      /* machine name */
        char *prefix;    /* name before "@" of a template; else the same as name */
        char *instance;  /* of a template, else NULL */
        char *source;    /* the pod file; NULL when made from flags */
        char **files;    /* every file that was read, the pod file first */
        char *hostname;  /* NULL: the name */
        char **networks; /* words of Network=; "NAME", or "NAME:K=V;K=V"; NULL: not said, which is "default" */
        char **ports;    /* of PublishPort=, see podfile/port-mapping.h */
        char **dns;      /* addresses; or "host", "none" */
        char **dns_search;
        char **dns_options;
        char *dns_domain;
        char **hosts;    /* of AddHost=: "NAME:IP", or "host" */
        char **profiles; /* names of Profile= */
        char **environment;
        char **environment_files;
        char *private_users; /* "auto", "no", "pick", "identity", "START:LENGTH"; NULL: not said on a command line: "no" */
        char *stage1; /* NULL: nspawn */
        PodExitPolicy exit_policy;
        PullPolicy pull;
        InsecureFlags insecure;
        bool overlay;
        bool host_ipc;    /* System V IPC is the host's */
        int metadata;     /* 1: the metadata service knows the pod */
        bool auto_update; /* registry: rkt auto-update looks for newer images */
        PodLogMode log;
        char **annotations; /* "NAME=VALUE" */
        char **labels;
        char **user_annotations; /* "NAME=VALUE" */
        bool is_mutable; /* apps come and go while it runs; it begins with none, and does not end by itself */

        AppSpec *apps;
        size_t n_apps;
        VolumeSpec *volumes;
        size_t n_volumes;
        SocketSpec *sockets;
        size_t n_sockets;

        UnitSettings
                unit; /* [Unit], [Service], [Install], [Timer] for the host's units, in the order written */
        UnitSettings service;
        UnitSettings install;
        UnitSettings timer;

        /* Sentences "FILE:LINE: [SECTION] KEY: not supported yet" for what is parsed and checked, but cannot run now;
         * whoever starts the pod refuses with all of them. */
        char **unsupported;
} PodSpec;

int pod_spec_new(const char *name, PodSpec **ret);
PodSpec *pod_spec_free(PodSpec *s);
DEFINE_CLEANUP(PodSpec *, pod_spec_free);
#define _cleanup_pod_spec_ _cleanup_(pod_spec_freep)

int pod_spec_add_app(PodSpec *s, const char *name, AppSpec **ret);
int pod_spec_add_volume(PodSpec *s, const char *name, VolumeSpec **ret);
int pod_spec_add_socket(PodSpec *s, const char *name, SocketSpec **ret);
int app_spec_add_mount(AppSpec *a, const char *volume, const char *target, MountSpec **ret);
AppSpec *pod_spec_find_app(const PodSpec *s, const char *name);
VolumeSpec *pod_spec_find_volume(const PodSpec *s, const char *name);

int unit_settings_add(UnitSettings *u, const char *key, const char *value, PodPlace place);
void unit_settings_forget(UnitSettings *u, const char *key);
void unit_settings_cut(UnitSettings *u, size_t n);
void unit_settings_done(UnitSettings *u);
const char *unit_settings_last(const UnitSettings *u, const char *key);
int pod_network_parse(const char *word, char **ret);
int pod_networks_add(char ***networks, const char *word, const char **ret_with);
int environment_set(char ***env, const char *assignment);

bool pod_name_is_valid(const char *name);
bool app_name_is_valid(const char *name);
bool app_name_is_reserved(const char *name);

#define CREDENTIAL_ID_MAX 255U
bool credential_id_is_valid(const char *id, size_t n);

const char *pull_policy_to_string(PullPolicy p);
PullPolicy pull_policy_from_string(const char *s);
const char *pod_exit_policy_to_string(PodExitPolicy p);
PodExitPolicy pod_exit_policy_from_string(const char *s);
const char *pod_log_mode_to_string(PodLogMode m);
PodLogMode pod_log_mode_from_string(const char *s);

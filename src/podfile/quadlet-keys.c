/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every key of Quadlet's, and what becomes of it. Rows sorted by name. */
#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"
#include "basic/suggest.h"
#include "podfile/quadlet-set.h"

#define LIST     QUADLET_KEY_LIST
#define CONFINES QUADLET_KEY_CONFINES
#define EMPTY    QUADLET_KEY_EMPTY
#define S(name)  quadlet_set_##name

#define NOT_PODMAN "Podman is not in it; look for a key of rkt.pod(5) that does the same"
#define NO_SELINUX "rkt sets no SELinux labels"
#define ONE_CHECK  "there is one check; HealthStartPeriod= gives an app time"
#define ONE_RETRY  "how often is tried again is rkt's affair"
#define CHECK_LOG  "what a check prints is in the log"
#define OWN_RANGE  "say PrivateUsers=START:LENGTH, or pick"

/* clang-format off */
static const QuadletKey container_keys[] = {
        { "AddCapability",         S(capability),       NULL, LIST },
        { "AddDevice",             S(device),           NULL, LIST },
        { "AddHost",               S(hosts),            NULL, LIST },
        { "Annotation",            S(app),              "UserAnnotation", LIST },
        { "AppArmor",              S(unconfined),       "profiles of AppArmor's are not loaded for an app; take the line out if rkt's own protection will do", CONFINES },
        { "AutoUpdate",            S(auto_update),      NULL, 0 },
        { "CgroupsMode",           S(note),             "each app has a cgroup in that of the pod", 0 },
        { "ContainerName",         S(note),             "the machine is called as the file is", 0 },
        { "ContainersConfModule",  S(note),             NOT_PODMAN, LIST },
        { "DNS",                   S(pod),              NULL, LIST },
        { "DNSOption",             S(pod),              NULL, LIST },
        { "DNSSearch",             S(pod),              NULL, LIST },
        { "DropCapability",        S(capability),       NULL, LIST | CONFINES },
        { "Entrypoint",            S(entrypoint),       NULL, EMPTY },
        { "Environment",           S(environment),      NULL, LIST },
        { "EnvironmentFile",       S(environment_file), NULL, LIST },
        { "EnvironmentHost",       S(note),             "say what the app needs in Environment= or EnvironmentFile=", 0 },
        { "Exec",                  S(exec),             NULL, 0 },
        { "ExposeHostPort",        S(note),             "nothing is needed to reach a port from the pod's network", LIST },
        { "GIDMap",                S(user_map),         NULL, LIST | CONFINES },
        { "GlobalArgs",            S(note),             NOT_PODMAN, LIST },
        { "Group",                 S(app),              NULL, CONFINES },
        { "GroupAdd",              S(groups),           "SupplementaryGroups", LIST },
        { "HealthCmd",             S(app),              NULL, 0 },
        { "HealthInterval",        S(health_time),      NULL, 0 },
        { "HealthLogDestination",  S(note),             CHECK_LOG, 0 },
        { "HealthMaxLogCount",     S(note),             CHECK_LOG, 0 },
        { "HealthMaxLogSize",      S(note),             CHECK_LOG, 0 },
        { "HealthOnFailure",       S(health_action),    NULL, 0 },
        { "HealthRetries",         S(app),              NULL, 0 },
        { "HealthStartPeriod",     S(app),              NULL, 0 },
        { "HealthStartupCmd",      S(note),             ONE_CHECK, 0 },
        { "HealthStartupInterval", S(note),             ONE_CHECK, 0 },
        { "HealthStartupRetries",  S(note),             ONE_CHECK, 0 },
        { "HealthStartupSuccess",  S(note),             ONE_CHECK, 0 },
        { "HealthStartupTimeout",  S(note),             ONE_CHECK, 0 },
        { "HealthTimeout",         S(app),              NULL, 0 },
        { "HostName",              S(pod),              NULL, 0 },
        { "HttpProxy",             S(note),             "the host's proxy variables are not handed on: say them in Environment=", 0 },
        { "IP",                    S(collected),        NULL, 0 },
        { "IP6",                   S(note),             "an address of IPv6 cannot be asked for", 0 },
        { "Image",                 S(image),            NULL, CONFINES },
        { "Label",                 S(app),              "UserLabel", LIST },
        { "LogDriver",             S(log_driver),       NULL, 0 },
        { "LogOpt",                S(log_option),       NULL, LIST },
        { "Mask",                  S(refuse),           "paths of an app cannot be masked one by one; take the line out if what rkt hides will do", LIST | CONFINES },
        { "Memory",                S(size),             "MemoryMax", CONFINES },
        { "Mount",                 S(mount),            NULL, LIST },
        { "Network",               S(network),          NULL, LIST },
        { "NetworkAlias",          S(note),             "pods of one network know each other by their names and host names", LIST },
        { "NoNewPrivileges",       S(app_boolean),      NULL, CONFINES },
        { "Notify",                S(notify),           NULL, 0 },
        { "PidsLimit",             S(tasks),            "TasksMax", CONFINES },
        { "Pod",                   S(collected),        NULL, 0 },
        { "PodmanArgs",            S(podman_arguments), NULL, LIST | CONFINES },
        { "PublishPort",           S(port),             NULL, LIST },
        { "Pull",                  S(pod),              NULL, 0 },
        { "ReadOnly",              S(read_only),        NULL, CONFINES },
        { "ReadOnlyTmpfs",         S(read_only_tmpfs),  NULL, 0 },
        { "ReloadCmd",             S(app),              "ExecReload", 0 },
        { "ReloadSignal",          S(note),             "say ExecReload= with a kill of the image's", 0 },
        { "RemapGid",              S(note),             OWN_RANGE, LIST },
        { "RemapUid",              S(note),             OWN_RANGE, LIST },
        { "RemapUidSize",          S(note),             OWN_RANGE, 0 },
        { "RemapUsers",            S(user_namespace),   NULL, CONFINES },
        { "Retry",                 S(note),             ONE_RETRY, 0 },
        { "RetryDelay",            S(note),             ONE_RETRY, 0 },
        { "Rootfs",                S(refuse),           "an app is made of an image: docker2aci(1) and buildah make one of a directory", CONFINES },
        { "RunInit",               S(note),             "an app is never PID 1: systemd is", 0 },
        { "SeccompProfile",        S(unconfined),       "profiles of docker's are not read; take the line out if rkt's own filter (SystemCallFilter=, @system-service) will do", CONFINES },
        { "Secret",                S(secret),           NULL, LIST },
        { "SecurityLabelDisable",  S(note),             NO_SELINUX, 0 },
        { "SecurityLabelFileType", S(note),             NO_SELINUX, 0 },
        { "SecurityLabelLevel",    S(note),             NO_SELINUX, 0 },
        { "SecurityLabelNested",   S(note),             NO_SELINUX, 0 },
        { "SecurityLabelType",     S(note),             NO_SELINUX, 0 },
        { "ServiceName",           S(note),             "the unit is pod@ with the file's name", 0 },
        { "ShmSize",               S(size),             "ShmSize", 0 },
        { "StartWithPod",          S(note),             "all apps of a pod start with it", 0 },
        { "StopSignal",            S(app),              NULL, 0 },
        { "StopTimeout",           S(app),              "TimeoutStopSec", 0 },
        { "SubGIDMap",             S(user_namespace),   NULL, CONFINES },
        { "SubUIDMap",             S(user_namespace),   NULL, CONFINES },
        { "Sysctl",                S(sysctl),           NULL, LIST },
        { "Timezone",              S(timezone),         NULL, 0 },
        { "Tmpfs",                 S(tmpfs),            NULL, LIST },
        { "UIDMap",                S(user_map),         NULL, LIST | CONFINES },
        { "Ulimit",                S(ulimit),           NULL, LIST | CONFINES },
        { "Unmask",                S(note),             "what rkt hides stays hidden", LIST },
        { "User",                  S(user),             NULL, CONFINES },
        { "UserNS",                S(user_namespace),   NULL, CONFINES },
        { "VolatileTmp",           S(volatile_tmp),     NULL, 0 },
        { "Volume",                S(volume),           NULL, LIST },
        { "WorkingDir",            S(app),              "WorkingDirectory", 0 },
};

static const QuadletKey pod_keys[] = {
        { "AddHost",              S(hosts),          NULL, LIST },
        { "ContainersConfModule", S(note),           NOT_PODMAN, LIST },
        { "DNS",                  S(pod),            NULL, LIST },
        { "DNSOption",            S(pod),            NULL, LIST },
        { "DNSSearch",            S(pod),            NULL, LIST },
        { "ExitPolicy",           S(exit_policy),    NULL, 0 },
        { "GIDMap",               S(user_map),       NULL, LIST | CONFINES },
        { "GlobalArgs",           S(note),           NOT_PODMAN, LIST },
        { "HostName",             S(pod),            NULL, 0 },
        { "IP",                   S(collected),      NULL, 0 },
        { "IP6",                  S(note),           "an address of IPv6 cannot be asked for", 0 },
        { "Label",                S(pod),            NULL, LIST },
        { "Network",              S(network),        NULL, LIST },
        { "NetworkAlias",         S(note),           "pods of one network know each other by their names and host names", LIST },
        { "PodName",              S(note),           "the machine is called as the file is", 0 },
        { "PodmanArgs",           S(podman_arguments), NULL, LIST | CONFINES },
        { "PublishPort",          S(port),           NULL, LIST },
        { "RemapGid",             S(note),           OWN_RANGE, LIST },
        { "RemapUid",             S(note),           OWN_RANGE, LIST },
        { "RemapUidSize",         S(note),           OWN_RANGE, 0 },
        { "RemapUsers",           S(user_namespace), NULL, CONFINES },
        { "ServiceName",          S(note),           "the unit is pod@ with the file's name", 0 },
        { "ShmSize",              S(note),           "say ShmSize= in the [App] that needs it", 0 },
        { "StopTimeout",          S(note),           "say TimeoutStopSec= in each [App]", 0 },
        { "SubGIDMap",            S(user_namespace), NULL, CONFINES },
        { "SubUIDMap",            S(user_namespace), NULL, CONFINES },
        { "UIDMap",               S(user_map),       NULL, LIST | CONFINES },
        { "UserNS",               S(user_namespace), NULL, CONFINES },
        { "Volume",               S(collected),      NULL, LIST },
};

/* Of the others only what adds up matters here: see quadlet-mount.c and quadlet-network.c. */
static const QuadletKey volume_keys[] = {
        { "ContainersConfModule", S(note), NULL, LIST }, { "Copy", S(note), NULL, 0 },
        { "Device", S(note), NULL, 0 },                  { "Driver", S(note), NULL, 0 },
        { "GID", S(note), NULL, 0 },                     { "GlobalArgs", S(note), NULL, LIST },
        { "Group", S(note), NULL, 0 },                   { "Image", S(note), NULL, 0 },
        { "Label", S(note), NULL, LIST },                { "Options", S(note), NULL, 0 },
        { "PodmanArgs", S(note), NULL, LIST },           { "ServiceName", S(note), NULL, 0 },
        { "Type", S(note), NULL, 0 },                    { "UID", S(note), NULL, 0 },
        { "User", S(note), NULL, 0 },                    { "VolumeName", S(note), NULL, 0 },
};

static const QuadletKey network_keys[] = {
        { "ContainersConfModule", S(note), NULL, LIST }, { "DNS", S(note), NULL, LIST },
        { "DisableDNS", S(note), NULL, 0 },              { "Driver", S(note), NULL, 0 },
        { "Gateway", S(note), NULL, LIST },              { "GlobalArgs", S(note), NULL, LIST },
        { "IPAMDriver", S(note), NULL, 0 },              { "IPRange", S(note), NULL, LIST },
        { "IPv6", S(note), NULL, 0 },                    { "InterfaceName", S(note), NULL, 0 },
        { "Internal", S(note), NULL, 0 },                { "Label", S(note), NULL, LIST },
        { "NetworkDeleteOnStop", S(note), NULL, 0 },     { "NetworkName", S(note), NULL, 0 },
        { "Options", S(note), NULL, LIST },              { "PodmanArgs", S(note), NULL, LIST },
        { "ServiceName", S(note), NULL, 0 },             { "Subnet", S(note), NULL, LIST },
};

static const QuadletKey image_keys[] = {
        { "AllTags", S(note), NULL, 0 },     { "Arch", S(note), NULL, 0 },
        { "AuthFile", S(note), NULL, 0 },    { "CertDir", S(note), NULL, 0 },
        { "ContainersConfModule", S(note), NULL, LIST }, { "Creds", S(note), NULL, 0 },
        { "DecryptionKey", S(note), NULL, 0 }, { "GlobalArgs", S(note), NULL, LIST },
        { "Image", S(note), NULL, 0 },       { "ImageTag", S(note), NULL, 0 },
        { "OS", S(note), NULL, 0 },          { "PodmanArgs", S(note), NULL, LIST },
        { "Policy", S(note), NULL, 0 },      { "Retry", S(note), NULL, 0 },
        { "RetryDelay", S(note), NULL, 0 },  { "ServiceName", S(note), NULL, 0 },
        { "TLSVerify", S(note), NULL, 0 },   { "Variant", S(note), NULL, 0 },
};
/* clang-format on */

static const struct {
        const QuadletKey *keys;
        size_t n;
} tables[_QUADLET_KIND_MAX] = {
        [QUADLET_CONTAINER] = { container_keys, ELEMENTSOF(container_keys) },
        [QUADLET_POD] = { pod_keys, ELEMENTSOF(pod_keys) },
        [QUADLET_VOLUME] = { volume_keys, ELEMENTSOF(volume_keys) },
        [QUADLET_NETWORK] = { network_keys, ELEMENTSOF(network_keys) },
        [QUADLET_IMAGE] = { image_keys, ELEMENTSOF(image_keys) },
};

static int compare(const void *name, const void *row) {
        return strcmp(name, ((const QuadletKey *) row)->name);
}

/**
 * quadlet_key_find() - a key of Quadlet's own sections
 * @kind: whose section
 * @name: case matters
 *
 * Return: a constant row, or NULL.
 */
const QuadletKey *quadlet_key_find(QuadletKind kind, const char *name) {
        return tables[kind].n == 0
                       ? NULL
                       : bsearch(name, tables[kind].keys, tables[kind].n, sizeof(QuadletKey), compare);
}

/**
 * quadlet_key_suggest() - what may have been meant
 * @kind: whose section
 * @name: of no key
 *
 * Return: a constant, or NULL.
 */
const char *quadlet_key_suggest(QuadletKind kind, const char *name) {
        Suggest s = SUGGEST_INIT(name);

        FOREACH_ARRAY (k, tables[kind].keys, tables[kind].n)
                suggest_add(&s, k->name);
        return s.best;
}

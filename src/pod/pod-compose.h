/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PodSpec (what was asked for) and the manifests of the images become the pod manifest (what will run). Pure: text in,
 * text out. What appc has no word for is kept in annotations, named here. */
#pragma once

#include "basic/error.h"
#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"
#include "podfile/pod-spec.h"

/* Annotations of the pod. Absent: the default of PodSpec. */
#define POD_ANNOTATION_NAME     "rkt.systemd/name"     /* machine name */
#define POD_ANNOTATION_FILE     "rkt.systemd/file"     /* the pod file that it is of; "": of none */
#define POD_ANNOTATION_HOSTNAME "rkt.systemd/hostname" /* host name inside */
#define POD_ANNOTATION_HOSTS    "rkt.systemd/hosts"    /* words of AddHost= */
#define POD_ANNOTATION_NETWORK                                                                               \
        "rkt.systemd/network" /* words, separated by spaces: "none", "host", "NAME:K=V;K=V" */
#define POD_ANNOTATION_DNS           "rkt.systemd/dns"         /* words of DNS= */
#define POD_ANNOTATION_DNS_SEARCH    "rkt.systemd/dns-search"  /* words of DNSSearch= */
#define POD_ANNOTATION_DNS_OPTION    "rkt.systemd/dns-option"  /* words of DNSOption= */
#define POD_ANNOTATION_DNS_DOMAIN    "rkt.systemd/dns-domain"  /* DNSDomain= */
#define POD_ANNOTATION_EXIT_POLICY   "rkt.systemd/exit-policy" /* words of ExitPolicy= */
#define POD_ANNOTATION_LOG           "rkt.systemd/log"         /* words of Log= */
#define POD_ANNOTATION_OVERLAY       "rkt.systemd/overlay"     /* "no": roots are copies */
#define POD_ANNOTATION_IPC           "rkt.systemd/ipc"         /* "parent": the host's */
#define POD_ANNOTATION_METADATA      "rkt.systemd/metadata"    /* "yes": known to the metadata service */
#define POD_ANNOTATION_INSECURE      "rkt.systemd/insecure"    /* words of InsecureOptions= */
#define POD_ANNOTATION_MUTABLE       "coreos.com/rkt/stage1/mutable" /* "true": apps come and go (rkt's name) */
#define POD_ANNOTATION_PRIVATE_USERS "rkt.systemd/private-users"     /* words of PrivateUsers= */
#define POD_ANNOTATION_VOLUMES                                                                               \
        "rkt.systemd/volumes" /* words VOLUME:OPTION,...: suid, dev, noexec, noidmap, slave */

/* Annotations of an app. */
#define APP_ANNOTATION_UNIT     "rkt.systemd/unit"     /* lines KEY=VALUE for [Service], as they are */
#define APP_ANNOTATION_PROFILE  "rkt.systemd/profile"  /* the same, of its profiles: instead of defaults */
#define APP_ANNOTATION_SOCKETS  "rkt.systemd/sockets"  /* per socket a line "[NAME]", then lines KEY=VALUE */
#define APP_ANNOTATION_AFTER    "rkt.systemd/after"    /* app names, separated by spaces */
#define APP_ANNOTATION_BEFORE   "rkt.systemd/before"   /* the same */
#define APP_ANNOTATION_REQUIRES "rkt.systemd/requires" /* the same */
#define APP_ANNOTATION_WANTS    "rkt.systemd/wants"    /* the same */
#define APP_ANNOTATION_BINDS_TO "rkt.systemd/binds-to" /* the same */
#define APP_ANNOTATION_CREDENTIALS                                                                           \
        "rkt.systemd/credentials" /* names, or beginnings and "*", besides APP.ID; separated by spaces */
#define APP_ANNOTATION_GROUPS "rkt.systemd/groups" /* supplementary groups by name, separated by spaces */
#define APP_ANNOTATION_GROUP                                                                                 \
        "rkt.systemd/group" /* "of-user": the one that the image's passwd gives the user */
#define APP_ANNOTATION_USERS                                                                                 \
        "rkt.systemd/users" /* "given": by people, not by the image, a user or group above USERS_END */
#define APP_ANNOTATION_HANDLERS                                                                              \
        "rkt.systemd/handlers" /* "user": event handlers are the app's user's, not root's */
#define APP_ANNOTATION_COPY_UP                                                                               \
        "rkt.systemd/copy-up" /* volumes, separated by spaces: what the image has is put in */
#define APP_ANNOTATION_TMPFS    "rkt.systemd/tmpfs"         /* lines PATH[:OPTION,...] */
#define APP_ANNOTATION_SHM_SIZE "rkt.systemd/shm-size"      /* bytes of /dev/shm */
#define APP_ANNOTATION_DEVICES  "rkt.systemd/devices"       /* words of Device= */
#define APP_ANNOTATION_DOCKER   "appc.io/docker/repository" /* the image's; also of the app */

/* What is known of one app's image; app i of the spec has images[i]. */
typedef struct ComposeImage {
        const char *id; /* "sha512-" and hex digits */
        const ImageManifest *manifest;
        char *const *environment; /* "NAME=VALUE" of the app's environment files; win over everything */
} ComposeImage;

typedef struct ComposeOptions {
        const char *volumes_dir;  /* where Persistent= volumes of all pods are kept; absolute */
        const char *name;         /* machine name; overrides the spec's (rkt-UUID) when not NULL */
        char *const *environment; /* "NAME=VALUE" of the pod's environment files; win over its Environment= */
        const PodManifest *
                manifest; /* NULL: all is in the spec. Else what was asked for (--pod-manifest): its apps are the
                                      * spec's, which then says no more of them than the image. */
        const UnitSettings *profile; /* what stands for the defaults of all apps; may be NULL */
} ComposeOptions;

bool pod_manifest_is_mutable(const PodManifest *m);
int pod_compose(const PodSpec *spec, const ComposeImage *images, const ComposeOptions *o, PodManifest **ret,
                char ***ret_warnings, Error *e);

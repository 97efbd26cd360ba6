/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest of a pod: what will run, kept as "pod" in the pod's directory. What rkt needs beyond the standard is in
 * annotations named rkt.systemd/... of the pod or of an app. Facts: appc, section 7. */
#pragma once

#include "manifest/ac-app.h"
#include "manifest/ac-types.h"
#include "manifest/ac-volume.h"

typedef struct PodImage {
        char *name; /* NULL: not known */
        char *id;   /* "sha512-" and hex digits; NULL in a template */
        AcPair *labels;
        size_t n_labels;
} PodImage;

typedef struct PodMount {
        char *volume;
        char *path;           /* in the app, absolute */
        AcVolume *app_volume; /* NULL: the pod's volume of that name */
} PodMount;

typedef struct PodApp {
        char *name;
        PodImage image;
        AcApp *app; /* NULL: as the image says */
        bool read_only_root;
        PodMount *mounts;
        size_t n_mounts;
        AcPair *annotations;
        size_t n_annotations;
} PodApp;

typedef struct PodPort {
        char *name;
        uint64_t host_port; /* 0..65535 */
        char *host_ip;      /* NULL: all addresses */
        AcPort *pod_port;   /* NULL: the app's port of that name */
} PodPort;

typedef struct PodManifest {
        char *ac_version;
        char *ac_kind;
        PodApp *apps;
        size_t n_apps;
        AcVolume *volumes;
        size_t n_volumes;
        AcIsolator *isolators;
        size_t n_isolators;
        AcPair *annotations;
        size_t n_annotations;
        PodPort *ports;
        size_t n_ports;
        AcPair *user_annotations;
        size_t n_user_annotations;
        AcPair *user_labels;
        size_t n_user_labels;
} PodManifest;

int pod_manifest_new(PodManifest **ret);
PodManifest *pod_manifest_free(PodManifest *m);
DEFINE_CLEANUP(PodManifest *, pod_manifest_free);
int pod_manifest_parse(const char *data, size_t size, PodManifest **ret, Error *e);
int pod_manifest_check(PodManifest *m, Error *e);
int pod_manifest_to_string(const PodManifest *m, char **ret);
int pod_manifest_add_app(PodManifest *m, const char *name, PodApp **ret);
int pod_manifest_take_app(PodManifest *m, PodApp *a);
void pod_manifest_remove_app(PodManifest *m, const char *name);
int pod_manifest_take_volume(PodManifest *m, AcVolume *v);
void pod_manifest_remove_unused_volumes(PodManifest *m);
int pod_manifest_add_volume(PodManifest *m, const char *name, AcVolume **ret);
int pod_app_add_mount(PodApp *a, const char *volume, const char *path);
PodApp *pod_manifest_find_app(const PodManifest *m, const char *name);
const AcVolume *pod_manifest_find_volume(const PodManifest *m, const char *name);
const char *pod_manifest_annotation(const PodManifest *m, const char *name);
int pod_manifest_set_annotation(PodManifest *m, const char *name, const char *value);
void pod_manifest_clear_ports(PodManifest *m);
void pod_manifest_remove_port(PodManifest *m, const char *name);
const char *pod_app_annotation(const PodApp *a, const char *name);
int pod_app_set_annotation(PodApp *a, const char *name, const char *value);

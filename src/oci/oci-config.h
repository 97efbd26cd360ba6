/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config of an image: what to run, for which machine, and what its layers unpack to. oci-convert.c makes the appc
 * manifest of it that the rest of rkt works with. Facts: ecosystem, section 1.5; rkt, section 5.2. */
#pragma once

#include "basic/alloc.h"
#include "basic/error.h"
#include "manifest/image-manifest.h"
#include "oci/oci-name.h"
#include "oci/oci-platform.h"

#define OCI_ENVIRONMENT_MAX 4096U /* variables */
#define OCI_PORTS_MAX       1024U /* ExposedPorts, Volumes */
#define OCI_TEXT_MAX                                                                                         \
        (128U * 1024) /* bytes of Healthcheck, and of commands, as JSON: what an argument may have */

/* Annotations that we give, beside appc.io/docker/... An image cannot set them itself. */
#define OCI_ANNOTATION_STOP_SIGNAL "rkt.systemd/stop-signal" /* "SIGQUIT" */
#define OCI_ANNOTATION_HEALTHCHECK "rkt.systemd/healthcheck" /* the config's JSON */
#define OCI_ANNOTATION_GROUP       "rkt.systemd/group"       /* "of-user": the config names none */

typedef struct OciConfig {
        char *created;
        char *author;
        OciPlatform platform;
        char *user;
        char **exposed_ports; /* names of the object's members */
        char **environment;
        char **entrypoint;
        char **cmd;
        char **volumes; /* names of the object's members */
        char *working_directory;
        AcPair *labels;
        size_t n_labels;
        char *stop_signal;
        char *healthcheck; /* JSON */
        char **diff_ids;   /* checked digests of the uncompressed layers, lowest first */
} OciConfig;

/* Where an image comes from. */
typedef struct OciOrigin {
        const OciName *name;         /* as asked for */
        const char *config_digest;   /* the image ID in Docker's sense */
        const char *manifest_digest; /* NULL in a docker-archive */
} OciOrigin;

int oci_config_parse(const char *data, size_t size, OciConfig **ret, Error *e);
OciConfig *oci_config_free(OciConfig *c);
DEFINE_CLEANUP(OciConfig *, oci_config_free);
int oci_config_check_layers(const OciConfig *c, size_t n_layers, Error *e);
int oci_config_check_platform(const OciConfig *c, const OciPlatform *platform, Error *e);
int oci_stop_signal_normalize(const char *s, char **ret, Error *e);
int oci_config_to_manifest(const OciConfig *c, const OciOrigin *origin, ImageManifest **ret, Error *e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of Docker and OCI images, as typed: docker://redis:7, oci:/srv/layout:v1, docker-archive:/srv/app.tar. Text to
 * struct and back, no I/O. Facts: ecosystem, sections 1.1 and 1.6. */
#pragma once

#include <stdbool.h>

#include "basic/alloc.h"
#include "basic/error.h"

#define OCI_NAME_MAX      255U        /* bytes of host and repository, as registries have it */
#define OCI_TAG_MAX       128U        /* bytes */
#define OCI_REFERENCE_MAX 1024U       /* bytes of what stands behind the path of a layout or an archive */
#define OCI_PATH_MAX      4095U       /* bytes */
#define OCI_HOST_DOCKER   "docker.io" /* who it is */
#define OCI_WIRE_DOCKER   "registry-1.docker.io" /* where to connect to */
#define OCI_CIMD_DOCKER   "cimd:docker:v=0:"
#define OCI_DEFAULT_TAG   "latest"

typedef enum OciTransport {
        OCI_TRANSPORT_REGISTRY, /* docker://[HOST[:PORT]/]NAME[:TAG][@DIGEST], docker:NAME, cimd:docker:v=0:NAME */
        OCI_TRANSPORT_LAYOUT,         /* oci:PATH[:REF|@N] */
        OCI_TRANSPORT_LAYOUT_ARCHIVE, /* oci-archive:PATH[:REF|@N] */
        OCI_TRANSPORT_DOCKER_ARCHIVE, /* docker-archive:PATH[:NAME|@N] */
        _OCI_TRANSPORT_MAX,
        _OCI_TRANSPORT_INVALID = -EINVAL,
} OciTransport;

typedef struct OciName {
        OciTransport transport;
        char *original; /* as typed, without docker:// */
        /* registry */
        char *host; /* whose image it is: "docker.io", "quay.io", "localhost:5000", "[::1]:5000"; lower case */
        char *repository; /* "library/redis" */
        char *tag;        /* NULL if only a digest is given */
        char *digest;     /* NULL, or what the manifest must have; then the tag is not asked for */
        /* layout and archives */
        char *path;
        char *reference; /* NULL: the only image; "@N": the Nth, from 0 */
} OciName;

int oci_name_parse(const char *s, OciName **ret, Error *e);
OciName *oci_name_free(OciName *n);
DEFINE_CLEANUP(OciName *, oci_name_free);
const char *oci_name_wire_host(const OciName *n);
const char *oci_name_registry_reference(const OciName *n);
int oci_name_to_string(const OciName *n, char **ret);
int oci_name_to_cimd(const OciName *n, char **ret);
int oci_name_to_appc(const OciName *n, char **ret);
int oci_name_tagged(const OciName *n, char **ret);
int oci_reference_check(const char *s, Error *e);

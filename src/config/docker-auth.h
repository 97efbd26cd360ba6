/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials for registries of Docker and OCI images: where they are looked for, and in which order.
 *
 * First dockerAuth of auth.d (config/config.h), then files as docker and podman write them: rkt.auth.json of
 * $CREDENTIALS_DIRECTORY, $REGISTRY_AUTH_FILE, containers/auth.json of the run-time and of the configuration directory,
 * docker's config.json, ~/.dockercfg. The first that has any counts. In a file: the helper that credHelpers names for the
 * host, then the longest key of auths that the name begins with, then credsStore. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "config/registries.h"

#define DOCKER_HELPER_OUTPUT_MAX (64U * 1024) /* bytes */
#define DOCKER_HELPER_MSEC       20000U       /* for one that may ask a server, or a person's key ring */

typedef struct DockerCredentials {
        char *username, *password; /* NULL, or both */
        char *identity_token;      /* NULL, or to be sent to the token server as refresh token */
} DockerCredentials;

/* Where to look. */
typedef struct DockerAuthSources {
        char **files;         /* absolute paths, in order; what is missing is passed over */
        char *required;       /* the one of files that must be there, or NULL */
        char **helper_dirs;   /* where programs docker-credential-NAME are */
        unsigned helper_msec; /* for each of them */
} DockerAuthSources;

/* What a file says about an image. */
typedef struct DockerAuthAnswer {
        DockerCredentials credentials;
        char *helper; /* NULL, or NAME of docker-credential-NAME: to be asked; there are no credentials then */
} DockerAuthAnswer;

void docker_credentials_done(DockerCredentials *c);
void docker_auth_sources_done(DockerAuthSources *s);
void docker_auth_answer_done(DockerAuthAnswer *a);
int docker_auth_sources_init(DockerAuthSources *s, Error *e);
int docker_auth_parse(const char *data, size_t size, bool is_legacy, const char *place, DockerAuthAnswer *ret,
                      Error *e);
int docker_helper_parse(const char *data, size_t size, DockerCredentials *ret, Error *e);
int docker_helper_get(const DockerAuthSources *s, const char *name, const char *server,
                      DockerCredentials *ret, Error *e);
int docker_credentials_find(const Config *c, const DockerAuthSources *s, const char *host,
                            const char *repository, DockerCredentials *ret, Error *e);
int docker_credentials_fill(const Config *c, const DockerAuthSources *s, RegistriesEndpoint *endpoints,
                            size_t n, Error *e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registries of Docker and OCI images as the administrator wants them asked: registries.d.
 *
 * A file has sections [Registry]. The one with the longest Prefix= that an image's name begins with says whether it may be
 * pulled (Blocked=), which mirrors are asked first (Mirror=, PullFromMirror=) and what is asked in the end (Location=).
 * How a place is connected to (Insecure=, CertificateAuthority=, Certificate=, Key=) says the section that its own name is
 * found in: a mirror has a section of its own for that. Credentials, too, are looked for by the name of the place that gets
 * them, so a mirror never sees those of the registry. */
#pragma once

#include "config/config.h"

#define REGISTRIES_PLACE_MAX   255U /* bytes of HOST[:PORT][/PATH] */
#define REGISTRIES_MIRRORS_MAX 16U  /* of one section */
#define REGISTRIES_RULES_MAX   4096U

#define REGISTRIES_HUB      "docker.io"            /* as images are named, and credentials are kept */
#define REGISTRIES_HUB_WIRE "registry-1.docker.io" /* who answers */

/* What is asked for. */
typedef struct RegistriesQuery {
        const char *host;              /* HOST[:PORT], lower case: whose image it is (OciName.host) */
        const char *repository;        /* "library/redis" */
        bool by_digest;                /* and not by tag */
        char *const *certificate_dirs; /* like certs.d; NULL: registries_certificate_dirs */
} RegistriesQuery;

/* Where an image is to be had. Credentials are filled in by docker_credentials_fill(), config/docker-auth.h. */
typedef struct RegistriesEndpoint {
        char *host;       /* HOST[:PORT]; docker.io is named so */
        char *repository; /* as this place names it */
        char *base;       /* "https://HOST[:PORT]", where to connect to; "http://" with Insecure=http */
        bool is_mirror;
        bool allow_http;            /* Insecure=http: base is so, too */
        bool insecure_tls;          /* Insecure=tls: the certificate is not checked */
        char **ca_files;            /* PEM; all of them count, and no others. NULL: the host's */
        char *cert_file, *key_file; /* PEM, both or none */
        char *username, *password, *identity_token; /* NULL: none */
        char *token_host; /* HOST[:PORT] of a token server elsewhere that may get them; NULL: none */
} RegistriesEndpoint;

extern char *const registries_certificate_dirs[];

int registries_parse(Config *c, const char *path, const char *data, size_t size, Error *e);
int registries_endpoints(const Config *c, const RegistriesQuery *q, RegistriesEndpoint **ret, size_t *ret_n,
                         Error *e);
void registries_endpoints_free(RegistriesEndpoint *p, size_t n);

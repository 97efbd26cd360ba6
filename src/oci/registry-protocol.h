/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt and "rkt-pull registry" say to each other.
 *
 *   descriptor 0, request:    as net/pull-protocol.h has it, url being the registry's base; then, behind its empty line, the
 *                             lines of a RegistryTask, and an empty line
 *   descriptor 1, documents:  each "role manifest\n" "size 123\n" ... "\n" and as many bytes
 *   descriptor 3, meta:       "authorization ...\n" "warning ...\n" ..., then "end 123\n" (bytes on descriptor 1) or
 *                             "error 111 sentence\n"
 *
 * Pure text. Neither side believes the other more than the limits here and in registry.h. */
#pragma once

#include "basic/str.h"
#include "oci/registry.h"

#define REGISTRY_TOKEN_MAX      (8U * 1024) /* bytes of what stands in an Authorization header */
#define REGISTRY_CREDENTIAL_MAX 4096U       /* bytes of a user name or a password */
#define REGISTRY_LOOKASIDE_MAX  8U
#define REGISTRY_WARNINGS_MAX   8U
#define REGISTRY_WARNING_MAX    400U /* bytes */
#define REGISTRY_FRAME_HEAD_MAX (32U * 1024)

typedef struct RegistryTask {
        char *repository;
        char *reference;    /* tag or digest */
        char *known_digest; /* or NULL */
        OciPlatform platform;
        bool want_cosign;
        bool want_referrers;
        char **lookaside;
        char *lookaside_name; /* what the image is called there */
        char *username;       /* these are secrets; or NULL */
        char *password;
        char *identity_token;
        char *token_host;
} RegistryTask;

typedef struct RegistryMeta {
        char *authorization; /* value of the header; or NULL */
        char *unchanged;     /* the digest that was known; or NULL */
        char **warnings;
        uint64_t n_bytes;
        bool ended;
} RegistryMeta;

int registry_task_write(const RegistryTask *t, char **ret);
int registry_task_parse(const char *data, size_t size, PullRequest *ret_limits, RegistryTask *ret, Error *e);
void registry_task_done(RegistryTask *t);

int registry_frame_write(const RegistryDocument *d, StrBuf *b);
int registry_frames_parse(const char *data, size_t size, RegistryDocument **ret, size_t *ret_n, Error *e);
void registry_document_done(RegistryDocument *d);
void registry_documents_free(RegistryDocument *documents, size_t n);

int registry_meta_parse(const char *data, size_t size, RegistryMeta *ret, Error *e);
void registry_meta_done(RegistryMeta *m);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking one registry, with tokens, retries and patience. Runs in rkt-pull only. */
#pragma once

#include "net/http-session.h"
#include "net/url.h"
#include "oci/registry-protocol.h"

typedef struct RegistrySession {
        HttpSession *http;
        const PullRequest *limits;
        const RegistryTask *task;
        Url *base;
        char *authorization; /* value of the header that the registry takes; NULL: it wants none, so far */
        char **warnings;
} RegistrySession;

int registry_session_init(RegistrySession *s, const PullRequest *limits, const RegistryTask *task, Error *e);
void registry_session_done(RegistrySession *s);
int registry_session_call(RegistrySession *s, const HttpCall *c, HttpAnswer *ret, Error *e);
int registry_session_refused(const RegistrySession *s, const HttpAnswer *a, const char *what, Error *e);
int registry_session_url(const RegistrySession *s, const char *kind, const char *reference, char **ret);
void registry_session_warn(RegistrySession *s, const char *format, ...) _printf_(2, 3);

/* The whole job: asks, and calls @emit for each document as it comes, checked. */
typedef int (*RegistryEmit)(void *userdata, const RegistryDocument *d, Error *e);
int registry_fetch(RegistrySession *s, RegistryEmit emit, void *userdata, char **ret_unchanged, Error *e);
int registry_fetch_signatures(RegistrySession *s, char *const *digests, RegistryEmit emit, void *userdata,
                              Error *e);

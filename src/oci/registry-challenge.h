/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a registry asks who we are (WWW-Authenticate), whom we may tell, and what token servers and errors say. Pure text;
 * every byte is the server's. */
#pragma once

#include <stdbool.h>

#include "basic/error.h"
#include "net/url.h"

#define REGISTRY_ERROR_MAX 200U /* bytes of what a registry says about an error */

typedef struct RegistryChallenge {
        bool basic;    /* user name and password would do */
        bool bearer;   /* a token would do, from: */
        char *realm;   /* set if bearer is */
        char *service; /* or NULL */
        char *scope;   /* or NULL */
        char *error;   /* what was wrong with the token that we showed; or NULL */
} RegistryChallenge;

int registry_challenge_parse(char *const *headers, RegistryChallenge *ret, Error *e);
void registry_challenge_done(RegistryChallenge *c);
bool registry_realm_is_own(const Url *registry, const Url *realm, const char *token_host);
int registry_token_query(const RegistryChallenge *c, const char *scope, const char *account, char **ret);
int registry_token_url(const RegistryChallenge *c, const char *scope, const char *account, char **ret);
int registry_token_parse(const char *data, size_t size, char **ret, Error *e);
int registry_error_text(const char *data, size_t size, char **ret);
int registry_form_add(char **form, const char *name, const char *value);
int registry_link_next(const char *link, const Url *from, char **ret, Error *e);

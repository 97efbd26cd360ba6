/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* http and https URLs, strictly: what we cannot read with certainty is refused, never guessed. */
#pragma once

#include <stdbool.h>

#include "basic/alloc.h"
#include "basic/error.h"

#define URL_LENGTH_MAX 8192

typedef struct Url {
        bool https;
        char *host;    /* lower case; an IPv6 address without its brackets */
        unsigned port; /* 0: the scheme's */
        char *target;  /* path and query, begins with '/' */
} Url;

int url_parse(const char *s, Url **ret, Error *e);
Url *url_free(Url *u);
DEFINE_CLEANUP(Url *, url_free);
int url_to_string(const Url *u, char **ret);
unsigned url_port(const Url *u);
int url_check_redirect(const Url *from, const Url *to, Error *e);
bool url_same_origin(const Url *a, const Url *b);
bool address_is_local(const char *ip);

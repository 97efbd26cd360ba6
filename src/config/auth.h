/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials become header lines. Pure: nothing but the arguments counts, so the same request gets the same lines. */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "config/config.h"

/* The request that the lines are for. The members are those of a Url (net/url.h), which this layer does not see. */
typedef struct AuthRequest {
        const char *method; /* "GET", "HEAD" */
        bool https;
        const char *host;   /* lower case, an IPv6 address without brackets */
        unsigned port;      /* 0: the scheme's */
        const char *target; /* path and query as they are sent, begins with '/' */
        time_t now;         /* for the signature of AUTH_AWS, which servers take for some minutes */
} AuthRequest;

int auth_headers_for(const Config *c, const AuthRequest *q, char ***ret, Error *e);
int auth_headers(const ConfigAuth *a, const AuthRequest *q, char ***ret, Error *e);

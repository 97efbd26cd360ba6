/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proxies: what the environment says, which of it a URL goes through, and how a proxy is written. As Go's net/http, and so
 * rkt, had it. Pure text, but for the one function that reads the environment. */
#pragma once

#include <stdbool.h>

#include "net/url.h"

/* One proxy, in the parts that libcurl takes. */
typedef struct Proxy {
        char *url;      /* scheme://host:port, nothing else */
        char *user;     /* NULL: no credentials */
        char *password; /* NULL: none */
} Proxy;

/* Which there are. All three may be NULL. */
typedef struct ProxySettings {
        char *http;     /* for http:// URLs */
        char *https;    /* for https:// URLs */
        char *no_proxy; /* hosts that are asked directly */
} ProxySettings;

int proxy_parse(const char *text, Proxy *ret, Error *e);
void proxy_done(Proxy *p);
bool proxy_is_bypassed(const char *no_proxy, const Url *u);
int proxy_settings_from_environment(ProxySettings *ret, Error *e);
void proxy_settings_done(ProxySettings *p);

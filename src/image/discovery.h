/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appc meta discovery: a name becomes the URLs of its image, its signature and the keys that sign it. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "image/image-limits.h"
#include "image/image-name.h"

#define DISCOVERY_PAGE_MAX    (1024U * 1024) /* bytes of HTML */
#define DISCOVERY_ENTRIES_MAX 32U            /* of each kind; more are not read */
#define DISCOVERY_CONTENT_MAX 4096U
#define DISCOVERY_LEVELS_MAX  32U /* components of a name: each may cost a request */

/* One <meta> element: content="PREFIX VALUE". */
typedef struct DiscoveryEntry {
        char *prefix;
        char *value; /* a template, or the URL of keys */
} DiscoveryEntry;

typedef struct DiscoveryPage {
        DiscoveryEntry *endpoints;
        size_t n_endpoints;
        DiscoveryEntry *pubkeys;
        size_t n_pubkeys;
} DiscoveryPage;

typedef struct DiscoveryEndpoint {
        char *image_url;
        char *signature_url;
} DiscoveryEndpoint;

typedef struct DiscoveryResult {
        DiscoveryEndpoint *endpoints; /* in the page's order */
        size_t n_endpoints;
        char **pubkeys;
} DiscoveryResult;

typedef struct DiscoveryOptions {
        bool allow_http;           /* plain http, after https failed */
        bool insecure_tls;         /* certificates are not checked */
        bool want_pubkeys;         /* look for keys; else for images */
        const Config *config;      /* for credentials; NULL: none */
        const ImageLimits *limits; /* NULL: the defaults */
} DiscoveryOptions;

void discovery_page_done(DiscoveryPage *p);
void discovery_result_done(DiscoveryResult *r);
int discovery_page_add(DiscoveryPage *p, const char *name, const char *content);
int discovery_html_parse(const char *html, size_t size, DiscoveryPage *ret);
int discovery_page_write(const DiscoveryPage *p, char **ret);
int discovery_page_read(const char *text, size_t size, DiscoveryPage *ret, Error *e);
int discovery_match(const DiscoveryPage *p, const ImageName *name, DiscoveryResult *ret);
int discovery_find(const ImageName *name, const DiscoveryOptions *o, DiscoveryResult *ret, Error *e);
bool name_has_prefix(const char *name, const char *prefix);

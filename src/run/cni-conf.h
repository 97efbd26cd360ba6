/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network configurations as CNI has them, and the requests that plugins get. Pure: text in, text out. Facts: ecosystem 3.2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/json.h"

#define CNI_CONF_MAX    (256U * 1024) /* bytes of a file */
#define CNI_PLUGINS_MAX 32U           /* of one list */
#define CNI_NAME_MAX    64U           /* bytes of a network's name */

/* A .conf (one plugin) or a .conflist. */
typedef struct CniConf {
        char *text; /* as it was read */
        char *name;
        char *version; /* cniVersion */
        bool is_list;
        JsonValue *doc;
} CniConf;

/* What a request adds to the configuration of a plugin. */
typedef struct CniRequest {
        const char *version; /* instead of that of the configuration; NULL: that one */
        const JsonValue
                *runtime; /* object, capability → value; a plugin gets those that it declares; may be NULL */
        const char *result; /* text of prevResult; NULL: none */
        bool is_del;        /* DEL knows prevResult since 0.4.0 */
} CniRequest;

int cni_conf_parse(const char *data, size_t size, CniConf **ret, Error *e);
CniConf *cni_conf_free(CniConf *c);
DEFINE_CLEANUP(CniConf *, cni_conf_free);
bool cni_name_is_valid(const char *s);
size_t cni_conf_n_plugins(const CniConf *c);
const char *cni_conf_type(const CniConf *c, size_t i);
const char *cni_conf_ipam(const CniConf *c, size_t i);
bool cni_conf_has_capability(const CniConf *c, const char *capability);
bool cni_conf_can_check(const CniConf *c);
bool cni_conf_masquerades(const CniConf *c);
int cni_conf_request(const CniConf *c, size_t i, const CniRequest *q, char **ret, Error *e);
int cni_version_compare(const char *a, const char *b);

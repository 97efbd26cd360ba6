/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What plugins answer: results of every version from 0.1.0 to 1.1, and errors. Pure, and for hostile text. */
#pragma once

#include "run/net-state.h"

#define CNI_OUTPUT_MAX (256U * 1024) /* bytes that a plugin may print */
#define CNI_LIST_MAX   64U           /* addresses, servers ... of one result */

/* An answer that is an error. */
typedef struct CniError {
        int64_t code;
        char *message; /* one line without control characters */
} CniError;

#define CNI_ERROR_VERSION 1 /* the plugin does not know the version of the configuration */

int cni_result_parse(const char *data, size_t size, NetAttachment *a, Error *e);
int cni_error_parse(const char *data, size_t size, CniError *ret);
void cni_error_done(CniError *x);
int cni_versions_parse(const char *data, size_t size, char ***ret, Error *e);
char *cni_clean_text(const char *s, size_t n);

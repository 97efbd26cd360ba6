/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the apps of a pod look up names. */
#pragma once

#include "run/network.h"

/* Annotation POD_ANNOTATION_DNS and its kin, as DNS= and the others were written; NULL: not said. */
typedef struct ResolvConf {
        const char *servers; /* separated by blanks; or "host", "none" */
        const char *search;
        const char *options;
        const char *domain;
} ResolvConf;

int resolv_conf_text(const ResolvConf *w, const NetState *s, const char *host_file, char **ret,
                     bool *ret_weak);
int resolv_conf_make(const PodManifest *m, const Network *n, char **ret, bool *ret_weak, Error *e);

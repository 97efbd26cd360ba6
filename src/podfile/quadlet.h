/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From Quadlet's files (.container, .pod, .volume, .network, .image) to pod files and CNI networks. Text in, text out: which
 * files there are, and where the result goes, is up to the caller. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/alloc.h"
#include "basic/macro.h"

#define QUADLET_FILE_MAX  (1024U * 1024U)      /* bytes of one file */
#define QUADLET_TOTAL_MAX (4U * 1024U * 1024U) /* bytes of all */
#define QUADLET_UNITS_MAX 500U
#define QUADLET_MODE      0644U /* of results, at most */
#define QUADLET_LINES_MAX 5000U /* assignments of one unit, drop-ins included */

typedef enum QuadletKind {
        QUADLET_CONTAINER,
        QUADLET_POD,
        QUADLET_VOLUME,
        QUADLET_NETWORK,
        QUADLET_IMAGE,
        QUADLET_KUBE,
        QUADLET_BUILD,
        QUADLET_ARTIFACT,
        _QUADLET_KIND_MAX,
        _QUADLET_KIND_INVALID = -22,
} QuadletKind;

/* One assignment. Those that a later one replaces or resets are gone once the unit is complete. */
typedef struct QuadletLine {
        char *section;
        char *key;
        char *value;
        const char *file; /* of Quadlet.files */
        unsigned line;
        bool is_done; /* its meaning has been taken over, or told */
} QuadletLine;

typedef struct Quadlet {
        QuadletKind kind;
        char *name;       /* "web", of a template "web@" */
        char **files;     /* its own, then the drop-ins */
        char **instances; /* of a template, by links */
        QuadletLine *lines;
        size_t n_lines;
        unsigned mode; /* permissions that all its files have in common; 0644 unless the caller says less */
        bool is_used;
        bool is_refused;
} Quadlet;

/* What is to be written. */
typedef struct QuadletResult {
        char *name; /* "web.pod", "net.d/back.conflist" */
        char *text;
        unsigned mode; /* permissions: who could not read the sources cannot read it */
} QuadletResult;

typedef struct QuadletImport {
        bool insecure_image; /* in: images are taken unsigned: pods say InsecureOptions=image */
        const char *base;    /* in: where relative paths of files begin; NULL: they stay relative */
        Quadlet *units;
        size_t n_units;
        QuadletResult *results;
        size_t n_results;
        char **notes; /* FILE:LINE: [SECTION] KEY=: what became of it, in the order found; not a strv */
        size_t n_notes;
        size_t size;      /* bytes read */
        char **volumes;   /* "VOLUME:POD" */
        char **subnets;   /* that were chosen */
        size_t n_refused; /* files that made nothing */
} QuadletImport;

#define QUADLET_IMPORT_INIT      ((QuadletImport){})
#define _cleanup_quadlet_import_ _cleanup_(quadlet_import_done)

void quadlet_import_done(QuadletImport *x);
QuadletKind quadlet_kind_from_path(const char *path);
const char *quadlet_kind_to_string(QuadletKind kind);
int quadlet_import_add(QuadletImport *x, const char *path, Quadlet **ret);
int quadlet_import_parse(QuadletImport *x, Quadlet *q, const char *path, const char *data, size_t size);
int quadlet_import_bad(QuadletImport *x, Quadlet *q, const char *path, const char *why);
int quadlet_import_instance(QuadletImport *x, Quadlet *q, const char *instance);
int quadlet_import_refuse(QuadletImport *x, const char *path, const char *format, ...) _printf_(3, 4);
int quadlet_import_convert(QuadletImport *x);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small types of the appc standard: names, versions, IDs, dates, name/value lists. Facts: appc, sections 2 and 15. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/json.h"
#include "basic/parse.h"

#define AC_VERSION             "0.8.11" /* what we write */
#define AC_IMAGE_ID_PREFIX     "sha512-"
#define AC_IMAGE_ID_HEX_LENGTH 128U
#define AC_APP_NAME_MAX        128U /* an app is a unit and a directory of the pod */

/* A label, an annotation, an environment variable, a sysctl. Both set, "" at least. */
typedef struct AcPair {
        char *name;
        char *value;
} AcPair;

bool ac_identifier_is_valid(const char *s);
int ac_identifier_sanitize(const char *s, char **ret);
bool ac_name_is_valid(const char *s);
int ac_name_sanitize(const char *s, char **ret);
int ac_version_normalize(const char *s, char **ret);
bool ac_image_id_is_valid(const char *s);
bool ac_image_id_is_prefix(const char *s);
bool ac_environment_name_is_valid(const char *s);
bool ac_user_is_valid(const char *s);
bool ac_program_is_valid(const char *s);
bool ac_path_is_valid(const char *s);
bool ac_url_is_valid(const char *s);
int ac_date_parse(const char *s, int64_t *ret_usec);
int ac_uuid_normalize(const char *s, char ret[37]);

const char *ac_pairs_get(const AcPair *pairs, size_t n, const char *name);
int ac_pairs_set(AcPair **pairs, size_t *n, const char *name, const char *value);
int ac_pairs_copy(const AcPair *pairs, size_t n, AcPair **ret, size_t *ret_n);
void ac_pairs_free(AcPair *pairs, size_t n);
int ac_pairs_find_duplicate(const AcPair *pairs, size_t n, const char **ret);

int ac_labels_check(const AcPair *labels, size_t n, Error *e);
bool ac_labels_match(const AcPair *wanted, size_t n_wanted, const AcPair *labels, size_t n);
int ac_annotations_check(const AcPair *annotations, size_t n, Error *e);
int ac_environment_check(const AcPair *environment, size_t n, Error *e);

bool ac_os_arch_is_valid(const char *os, const char *arch);
const char *ac_host_os(void);
const char *ac_host_arch(void);
int ac_arch_from_go(const char *os, const char *arch, const char *variant, const char **ret_arch);
int ac_arch_to_go(const char *os, const char *arch, const char **ret_arch, const char **ret_variant);

/* Rows of manifest tables. */
extern const JsonStruct ac_pair_type;     /* {"name","value"}, any names */
extern const JsonKind ac_kind_identifier; /* char *, checked */
extern const JsonKind ac_kind_name;       /* char *, checked */
extern const JsonKind ac_kind_version;    /* char *, checked, normalized */
extern const JsonKind ac_kind_image_id;   /* char *, checked: sha512- and hex digits */
extern const JsonKind ac_kind_path;       /* char *, checked: absolute, without ".." */
extern const JsonKind ac_kind_map; /* AcPair *x; size_t n_x; from an object of strings, sorted by name */
#define AC_MAP_ROW(json_name, Struct, member)                                                                \
        { (json_name), &ac_kind_map, offsetof(Struct, member), 0, NULL }

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Isolators: what an app or a pod may do and have. Facts: appc, section 10. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/json.h"
#include "manifest/ac-quantity.h"
#include "manifest/ac-types.h"

typedef enum AcIsolatorType {
        AC_ISOLATOR_UNKNOWN, /* kept, written back, not acted on: tell the user */
        AC_ISOLATOR_CPU,
        AC_ISOLATOR_MEMORY,
        AC_ISOLATOR_BLOCK_BANDWIDTH,
        AC_ISOLATOR_BLOCK_IOPS,
        AC_ISOLATOR_NETWORK_BANDWIDTH,
        AC_ISOLATOR_CAPABILITIES_RETAIN,
        AC_ISOLATOR_CAPABILITIES_REMOVE,
        AC_ISOLATOR_SECCOMP_RETAIN,
        AC_ISOLATOR_SECCOMP_REMOVE,
        AC_ISOLATOR_NO_NEW_PRIVILEGES,
        AC_ISOLATOR_SELINUX_CONTEXT,
        AC_ISOLATOR_APPARMOR_PROFILE,
        AC_ISOLATOR_CPU_SHARES,
        AC_ISOLATOR_OOM_SCORE_ADJ,
        AC_ISOLATOR_SYSCTL,
        _AC_ISOLATOR_TYPE_MAX,
        _AC_ISOLATOR_TYPE_INVALID = -EINVAL,
} AcIsolatorType;

typedef struct AcIsolator {
        AcIsolatorType type;
        char *name;
        char *value; /* JSON, compact, as it was read; written back */

        /* Decoded, by type: */
        bool has_request, has_limit; /* resource/...: at least 0, fits int64_t */
        AcQuantity request, limit;
        int64_t number;   /* no-new-privileges (0, 1), cpu-shares, oom-score-adj */
        char **set;       /* capabilities, seccomp: not empty */
        char *errno_name; /* seccomp: "EPERM", or NULL: kill */
        char *profile;    /* apparmor */
        char *selinux[4]; /* user, role, type, level */
        AcPair *sysctls;
        size_t n_sysctls;

        const JsonValue *pending; /* private, while it is read */
} AcIsolator;

AcIsolatorType ac_isolator_type_from_string(const char *name);
const char *ac_isolator_type_to_string(AcIsolatorType type);
void ac_isolator_done(AcIsolator *i);
int ac_isolator_parse(const char *name, const char *json, AcIsolator *ret, Error *e);
const AcIsolator *ac_isolators_find(const AcIsolator *isolators, size_t n, AcIsolatorType type);
int ac_isolators_add(AcIsolator **isolators, size_t *n, const char *name, const char *json, Error *e);
int ac_isolators_check(const AcIsolator *isolators, size_t n, Error *e);
bool ac_capability_is_known(const char *name);
bool ac_sysctl_is_ipc(const char *name);
int64_t ac_cpu_weight(uint64_t shares);
char *ac_cpu_quota(int64_t milli);
extern const char
        *const ac_default_capabilities[]; /* NULL-terminated: kept when no isolator says otherwise */

extern const JsonStruct ac_isolator_struct;

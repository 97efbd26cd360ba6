/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A health check as JSON: Docker's "Healthcheck" with two members of ours. In an image manifest's annotation it is the image's
 * own (oci/oci-config.h); in one of an app of a pod manifest what will be done. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"

#define HEALTH_ANNOTATION    "rkt.systemd/healthcheck" /* oci/oci-config.h says the same */
#define HEALTH_UNSET         UINT64_MAX
#define HEALTH_INTERVAL_USEC UINT64_C(30000000)
#define HEALTH_TIMEOUT_USEC  UINT64_C(30000000)
#define HEALTH_LEAST_USEC    UINT64_C(100000) /* of interval and timeout, whatever is said */
#define HEALTH_RETRIES       3U

typedef struct HealthCheck {
        char **test;               /* "CMD", words...; "CMD-SHELL", text; "NONE" */
        uint64_t interval_nsec;    /* 0, HEALTH_UNSET: default */
        uint64_t timeout_nsec;     /* the same */
        uint64_t start_nsec;       /* failures of the first so many nanoseconds do not count */
        uint64_t retries;          /* so many failures in a row; 0, HEALTH_UNSET: default */
        char *on_failure;          /* "restart", "stop"; NULL: nothing is done */
        int is_ready_when_healthy; /* 1: the app counts as started with the first success */
} HealthCheck;

#define HEALTH_CHECK_INIT                                                                                    \
        ((HealthCheck){ .interval_nsec = HEALTH_UNSET,                                                       \
                        .timeout_nsec = HEALTH_UNSET,                                                        \
                        .start_nsec = HEALTH_UNSET,                                                          \
                        .retries = HEALTH_UNSET,                                                             \
                        .is_ready_when_healthy = -1 })
#define _cleanup_health_ _cleanup_(health_check_done)

int health_check_parse(const char *text, HealthCheck *ret, Error *e);
int health_check_to_string(const HealthCheck *h, char **ret);
bool health_check_is_on(const HealthCheck *h);
int health_check_command(const HealthCheck *h, char ***ret);
uint64_t health_check_interval(const HealthCheck *h);
uint64_t health_check_timeout(const HealthCheck *h);
uint64_t health_check_start(const HealthCheck *h);
uint64_t health_check_retries(const HealthCheck *h);
void health_check_done(HealthCheck *h);

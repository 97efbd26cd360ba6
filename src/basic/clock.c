/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/clock.h"

/**
 * timespec_usec() - a time as one number
 * @t: not before its clock's beginning
 *
 * Return: microseconds, the rest cut off.
 */
usec_t timespec_usec(const struct timespec *t) {
        return (usec_t) t->tv_sec * USEC_PER_SEC + (usec_t) t->tv_nsec / 1000;
}

/**
 * clock_usec() - what a clock says now
 * @clock: CLOCK_REALTIME, CLOCK_MONOTONIC
 *
 * Return: microseconds since 1970, or since the machine came up.
 */
usec_t clock_usec(clockid_t clock) {
        struct timespec t = {};

        (void) clock_gettime(clock, &t);
        return timespec_usec(&t);
}

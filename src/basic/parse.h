/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict parsing of numbers, sizes, times and booleans: the whole string or nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t usec_t;
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_INFINITY UINT64_MAX

int parse_uint64(const char *s, uint64_t *ret);
int parse_uint(const char *s, unsigned max, unsigned *ret);
int parse_octal(const char *s, unsigned max, unsigned *ret);
int parse_boolean(const char *s);
int parse_size(const char *s, uint64_t *ret);
int parse_sec(const char *s, usec_t *ret);

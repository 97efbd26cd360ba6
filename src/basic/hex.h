/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as lower-case hex digits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void hex_from_bytes(const uint8_t *bytes, size_t n, char *ret);
int hex_digit(char c);
int hex_to_bytes(const char *hex, size_t n_hex, uint8_t *ret);
bool hex_is_valid(const char *s);

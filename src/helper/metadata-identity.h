/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who a pod is, so that another pod can be sure of it: a MAC over its UUID and what it says (appc, section 13). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"

#define IDENTITY_KEY_SIZE 64U
#define IDENTITY_MAC_SIZE 64U /* HMAC-SHA-512 */

int identity_load_key(int dir_fd, uint8_t ret[IDENTITY_KEY_SIZE], Error *e);
int identity_sign(const uint8_t key[IDENTITY_KEY_SIZE], const char *uuid, const void *content, size_t size,
                  uint8_t ret[IDENTITY_MAC_SIZE]);
int identity_verify(const uint8_t key[IDENTITY_KEY_SIZE], const char *uuid, const void *content, size_t size,
                    const char *signature, size_t signature_size, bool *ret_good);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as base64 (RFC 4648), by GnuTLS. */
#pragma once

#include <stddef.h>

int base64_encode(const void *data, size_t size, char **ret);

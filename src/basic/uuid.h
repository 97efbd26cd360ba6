/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pod UUIDs (RFC 4122, version 4), lower case with dashes. */
#pragma once

#include <stdbool.h>

#define UUID_STRING_MAX 37

int uuid_new(char ret[UUID_STRING_MAX]);
bool uuid_is_valid(const char *s);

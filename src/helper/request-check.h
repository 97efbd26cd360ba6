/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What members of group rkt may ask of the service that works for them. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/error.h"

int request_split(const char *data, size_t size, char ***ret, Error *e);
int request_check(char *const *words, size_t n_files, bool is_admin, Error *e);
bool request_file(const char *word, unsigned *ret_file, int *ret_signature);

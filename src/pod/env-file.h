/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of EnvironmentFile=, in the syntax of systemd.exec(5). */
#pragma once

#include <stddef.h>

#include "basic/error.h"

#define ENV_FILE_MAX (1024U * 1024)

int env_file_parse(const char *data, size_t size, char ***environment, Error *e);
int env_file_load_all(char *const *paths, char ***ret, Error *e);

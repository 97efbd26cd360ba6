/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of system calls: from the words of appc, rkt and docker to those of SystemCallFilter=. Pure text. */
#pragma once

#include <stdbool.h>

/* What an app may call when nobody says otherwise, and what an image cannot get by any isolator; words of SystemCallFilter=.
 * What is neither answers ENOSYS, as a kernel that does not know it, so that programs take their other way. */
extern const char ac_seccomp_allowed[];
extern const char ac_seccomp_denied[];

int ac_seccomp_filter(bool retain, char *const *set, const char *errno_name, char ***ret);
const char *ac_seccomp_group(const char *word);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's files as apps see them: made once, by the first process of a pod (run/kernel-files.h). */
#pragma once

int kernel_files_make(const char **reterr_path);

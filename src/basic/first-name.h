/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files with several names: which of them was met first. */
#pragma once

#include <sys/stat.h>

typedef struct FirstNames {
        void *root; /* tsearch() */
} FirstNames;

#define FIRST_NAMES_INIT ((FirstNames){})

int first_names_meet(FirstNames *f, const struct stat *st, const char *path, const char **ret);
void first_names_done(FirstNames *f);

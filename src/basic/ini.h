/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reader for the syntax of systemd.syntax(7). */
#pragma once

#include <stddef.h>

#define INI_LINE_MAX  (1024U * 1024U) /* bytes, continuation lines joined */
#define INI_FILE_MAX  (4U * 1024U * 1024U)
#define INI_LINES_MAX 65536U

/* What was found. For a section header, key and value are NULL. All texts end with the call. */
typedef struct IniItem {
        const char *section; /* text between the brackets; "" before the first header */
        const char *key;
        const char *value; /* blanks cut off both ends; not unquoted */
        unsigned line;     /* where it begins, from 1 */
} IniItem;

typedef struct IniHandler {
        int (*item)(const IniItem *item, void *userdata);
        /* A line that is no assignment and no header: it is skipped, and reading goes on. */
        int (*bad)(unsigned line, const char *what, void *userdata);
        void *userdata;
} IniHandler;

int ini_parse(const char *data, size_t size, const IniHandler *handler);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The "%" words of a pod file. */
#pragma once

#include "basic/error.h"

typedef struct Specifiers {
        const char *prefix;   /* %p */
        const char *instance; /* %i; NULL: an error outside of templates' instances */
        const char *name;     /* %N */
        /* Read when first needed, or set by tests; owned. */
        char *host_name;  /* %H */
        char *machine_id; /* %m */
        char *boot_id;    /* %b */
} Specifiers;

typedef enum SpecifierMode {
        SPECIFIER_PLAIN,   /* final text: everything is expanded, "%%" becomes "%" */
        SPECIFIER_ESCAPED, /* unit file text: as above, and each "%" of the result is doubled */
        SPECIFIER_HOST,    /* a host unit's text: only %p, %i and %N differ from systemd's; the others stay */
} SpecifierMode;

void specifiers_done(Specifiers *s);
int specifier_expand(Specifiers *s, const char *text, SpecifierMode mode, char **ret, Error *e);

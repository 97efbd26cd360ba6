/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt version: the lines that cluster drivers match ("rkt Version: X" and "appc Version: Y"). */
#include <stdio.h>

#include "config.h"

#include "verbs/verbs.h"

static int version_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        (void) printf("rkt Version: %s\nappc Version: %s\nFeatures: -TPM +SDJOURNAL\n", RKT_VERSION,
                      APPC_VERSION);
        return 0;
}

const Verb verb_version = {
        .name = "version",
        .flags = VERB_NO_DATA,
        .help = "Print the version and exit",
        .run = version_run,
};

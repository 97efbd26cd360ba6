/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt metadata-service: the service in the foreground, for hosts that do not let systemd start it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/path.h"
#include "basic/str.h"
#include "config.h"
#include "verbs/verbs.h"

#define PROGRAM "rkt-metadata"

typedef struct Args {
        const char *port;
} Args;

static const Option options[] = {
        { "listen-port", 0, OPTION_STRING, offsetof(Args, port), .fallback = "18112", .value = "PORT",
          .help = "port of 127.0.0.1" },
        {},
};

/* Becomes the program. Sockets that systemd passed go along. */
static int metadata_service_run(const VerbContext *c, int argc, char **words, void *data, Error *e) {
        const char *dir = secure_getenv("RKT_LIBEXEC");
        const Args *args = data;
        _cleanup_free_ char *path = path_join(dir && *dir == '/' ? dir : RKT_LIBEXEC_DIR, PROGRAM),
                            *port = strf("--listen-port=%s", args->port);
        char *argv[] = { (char[]){ PROGRAM }, port, NULL };

        if (!path || !port)
                return error_oom(e);
        execv(path, argv);
        return error_setf(e, -errno, "cannot execute %s: %m", path);
}

const Verb verb_metadata_service = {
        .name = "metadata-service",
        .flags = VERB_ROOT | VERB_NO_DATA,
        .help = "Run the metadata service of the pods",
        .description =
                "      Serves 127.0.0.1 and the pods until it is stopped. Not needed where systemd runs: "
                "there\n"
                "      rkt-metadata.socket starts it for the first request. See "
                "rkt-metadata-service(8).",
        .options = options,
        .options_size = sizeof(Args),
        .run = metadata_service_run,
};

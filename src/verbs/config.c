/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt config: the configuration as it counts, all directories merged. It shows the credentials: they are the reader's own. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "config/config.h"
#include "verbs/verbs.h"

typedef struct ConfigArgs {
        bool pretty;
} ConfigArgs;

static int config_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        const ConfigDirs dirs = { c->system_config, c->local_config, c->user_config };
        const ConfigArgs *a = options;
        _cleanup_json_write_ JsonWriter w = { .flags = a->pretty ? JSON_WRITE_PRETTY : 0 };
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_free_ char *text = NULL;
        int r = config_load(&dirs, CONFIG_ALL, &config, e);

        if (r < 0)
                return r;
        STRV_FOREACH (s, config->warnings)
                log_warning("%s", *s);
        config_write_json(config, &w);
        if (json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        verb_open_pager(c);
        (void) puts(text);
        return 0;
}

static const Option config_options[] = {
        { "pretty-print", 0, OPTION_BOOL, offsetof(ConfigArgs, pretty), .fallback = "true",
          .help = "apply indent to format the output" },
        {},
};

const Verb verb_config = {
        .name = "config",
        .flags = VERB_NO_DATA,
        .help = "Print configuration for each stage in JSON format",
        .description = "      Merges the system, the local and the user directory, as rkt-config(5) says, "
                       "and prints what counts,\n"
                       "      credentials included.",
        .options = config_options,
        .options_size = sizeof(ConfigArgs),
        .run = config_run,
};

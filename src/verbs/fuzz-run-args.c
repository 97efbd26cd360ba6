/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of rkt run: words separated by newlines. */
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "verbs/run-args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const Verb verb = { .name = "run",
                                   .options = run_options,
                                   .more_options = { run_image_options, run_new_options, run_how_options } };
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *text = strndup((const char *) data, size);
        _cleanup_error_ Error e = ERROR_INIT;
        const VerbContext c = {};
        RunArgs a = {};

        if (!text || strstr(text, "set-env-file") || strv_split(text, "\n", &words) < 0 ||
            strv_length(words) == 0 || pod_spec_new("fuzz", &a.spec) < 0)
                return 0;
        if (options_init(&(OptionTable){ run_image_options, &a }, &e) >= 0)
                (void) run_args_parse(&c, &verb, words, &a, &e);
        options_done(&(OptionTable){ run_image_options, &a });
        options_done(&(OptionTable){ run_new_options, &a });
        run_args_done(&a);
        return 0;
}

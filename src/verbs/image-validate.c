/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image validate: actool validate. One line with the reason for each file that is not valid. */
#include "image/image-validate.h"

#include <stdio.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "verbs/verbs.h"

typedef struct ValidateArgs {
        const char *type;
} ValidateArgs;

static bool is_valid(const char *path, ValidateType type) {
        _cleanup_strv_free_ char **warnings = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        const char *kind = "file";
        int r = image_validate(path, type, &kind, &warnings, &e);

        if (r < 0) {
                (void) printf("%s: invalid %s: %s\n", path, kind, error_text(&e, r));
                return false;
        }
        STRV_FOREACH (w, warnings)
                log_warning("%s: %s", path, *w);
        log_debug("%s: valid %s", path, kind);
        return true;
}

static int validate_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        const ValidateArgs *a = options;
        ValidateType type = validate_type_from_string(a->type ? a->type : "");
        int n_invalid = 0;

        if (type < 0)
                return error_setf(e, -EINVAL, "invalid --type '%s'; it is appimage, layout or manifest",
                                  a->type);
        for (int i = 0; i < argc; i++)
                n_invalid += !is_valid(args[i], type);
        return n_invalid > 0 ? 1 : 0;
}

static const Option validate_options[] = {
        { "type", 0, OPTION_STRING, offsetof(ValidateArgs, type), .value = "TYPE",
          .help = "what the files must be: appimage, layout or manifest; without it, what they look like" },
        {},
};

const Verb verb_image_validate = {
        .group = "image",
        .name = "validate",
        .min_args = 1,
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_NO_DATA,
        .usage = "FILE...",
        .help = "Check images, image layouts and manifests against the appc standard",
        .description = "      A FILE is an ACI, the directory of an unpacked one, an image manifest or a pod "
                       "manifest; \"-\" is\n"
                       "      standard input. For each that is not valid there is one line with the reason, "
                       "and the exit\n"
                       "      status is 1. Nothing is stored.",
        .prefix = "image",
        .options = validate_options,
        .options_size = sizeof(ValidateArgs),
        .run = validate_run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt fetch: images into the store, one line with the ID for each. */
#include <stdio.h>

#include "basic/log.h"
#include "basic/str.h"
#include "image/image-get.h"
#include "image/image-status.h"
#include "verbs/verbs.h"

#define ID_DIGITS      32
#define ID_DIGITS_FULL 64

typedef struct FetchArgs {
        const char *signature;
        const char *pull_policy;
        char **limits;
        bool full;
        bool store_only;
        bool no_store;
} FetchArgs;

typedef struct Fetcher {
        ImageStatus status; /* the first member: image_status_progress() takes it */
} Fetcher;

static void on_message(void *userdata, const char *message) {
        Fetcher *f = userdata;

        image_status_done(&f->status);
        log_info("%s", message);
}

static int pull_policy(const FetchArgs *a, PullPolicy *ret, Error *e) {
        if (a->store_only && a->no_store)
                return error_setf(e, -EINVAL, "--store-only and --no-store contradict each other");
        *ret = a->store_only ? PULL_NEVER
               : a->no_store ? PULL_NEWER
                             : pull_policy_from_string(a->pull_policy);
        if (*ret < 0)
                return error_setf(e, -EINVAL, "invalid pull policy '%s'; it is new, update or never",
                                  a->pull_policy);
        return 0;
}

static int fetch_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        FetchArgs *a = options;
        Fetcher f;
        ImageLimits limits = IMAGE_LIMITS_DEFAULT;
        ImageGetOptions o = {
                .signature = a->signature,
                .system_config = c->system_config,
                .local_config = c->local_config,
                .user_config = c->user_config,
                .limits = &limits,
                .trust_keys_from_https = c->trust_keys_from_https,
                .any_platform = true,
                .progress = image_status_progress,
                .message = on_message,
                .userdata = &f,
        };
        int r;

        if (a->signature && argc > 1)
                return error_setf(e, -EINVAL, "--signature needs exactly one image");
        r = image_limits_parse_all(&limits, a->limits, e);
        if (r >= 0)
                r = pull_policy(a, &o.pull, e);
        o.check_stored = o.pull == PULL_ALWAYS;
        o.insecure = c->insecure;
        if (r >= 0)
                r = store_open(c->dir, 0, &store, e);
        if (r < 0)
                return r;
        image_status_init(&f.status);
        for (int i = 0; i < argc; i++) {
                _cleanup_free_ char *id = NULL;

                r = image_get(store, args[i], &o, &id, e);
                image_status_done(&f.status);
                if (r < 0)
                        return r;
                (void) printf("%.*s\n", (int) strlen("sha512-") + (a->full ? ID_DIGITS_FULL : ID_DIGITS), id);
        }
        return 0;
}

static const Option fetch_options[] = {
        { "full", 0, OPTION_BOOL, offsetof(FetchArgs, full),
          .help = "print the full image hash after fetching" },
        { "limit", 0, OPTION_STRV, offsetof(FetchArgs, limits), .value = "NAME=VALUE",
          .help = "raise or lower a limit of downloads and images, as download-size=20G" },
        { "no-store", 0, OPTION_BOOL, offsetof(FetchArgs, no_store),
          .help = "fetch images, ignoring the local store (as --pull-policy=update)",
          .flags = OPTION_HIDDEN },
        { "pull-policy", 0, OPTION_STRING, offsetof(FetchArgs, pull_policy), .fallback = "update",
          .value = "POLICY", .help = "when to pull an image: new, update, always or never" },
        { "signature", 0, OPTION_STRING, offsetof(FetchArgs, signature), .value = "FILE",
          .help = "local signature file to use in validating the preceding image" },
        { "store-only", 0, OPTION_BOOL, offsetof(FetchArgs, store_only),
          .help = "use only available images in the store (as --pull-policy=never)", .flags = OPTION_HIDDEN },
        {},
};

#define DESCRIPTION                                                                                          \
        "An IMAGE is a name with labels (example.com/app:1.2,channel=beta), an https URL, the path of an "   \
        ".aci file, docker://NAME:TAG, oci:DIR, oci-archive:FILE, docker-archive:FILE, or an ID. "           \
        "Signatures are checked against the keys that rkt trust has added."

const Verb verb_fetch = {
        .name = "fetch",
        .min_args = 1,
        .max_args = VERB_ARGS_ANY,
        .usage = "IMAGE...",
        .section = SECTION_IMAGES,
        .help = "Fetch images and store them in the local store",
        .description = DESCRIPTION,
        .prefix = "image",
        .options = fetch_options,
        .options_size = sizeof(FetchArgs),
        .run = fetch_run,
};

const Verb verb_image_fetch = {
        .group = "image",
        .name = "fetch",
        .min_args = 1,
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_HIDDEN,
        .usage = "IMAGE...",
        .help = "Fetch images and store them in the local store",
        .description = DESCRIPTION,
        .prefix = "image",
        .options = fetch_options,
        .options_size = sizeof(FetchArgs),
        .run = fetch_run,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt fetch: images into the store, one line with the ID for each. */
#include <stdio.h>
#include <stdlib.h>

#include "basic/alloc.h"
#include "basic/log.h"
#include "basic/str.h"
#include "image/image-get.h"
#include "image/image-status.h"
#include "verbs/verbs.h"

#define ID_DIGITS      32
#define ID_DIGITS_FULL 64

typedef struct FetchArgs {
        const char **images; /* words; room for all that there are */
        size_t n_images;
        const char **signatures; /* of the images; [0] before there is one: of the only one */
        const char *pull_policy;
        char **limits;
        bool full;
        bool store_only;
        bool no_store;
        bool is_early; /* a signature came before all images */
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

static int set_signature(const Option *o, const char *value, void *data, Error *e) {
        FetchArgs *a = data;
        const char **s = &a->signatures[a->n_images > 0 ? a->n_images - 1 : 0];

        if (*s)
                return error_setf(e, -EINVAL, "--signature specified multiple times for the same image");
        *s = value;
        a->is_early = a->is_early || a->n_images == 0;
        return 0;
}

/* A flag --signature belongs to the image before it; to the only one wherever it stands. */
static int parse(const VerbContext *c, const Verb *v, char **args, FetchArgs *a, Error *e) {
        OptionParser p;
        const char *word;
        int r;

        verb_options_parser(c, v, args, a, &p);
        while ((r = options_next(&p, &word, e)) > 0)
                if (r == OPTIONS_DASHES && p.argv[p.index])
                        return error_setf(e, -EINVAL, "app arguments unsupported");
                else if (r == OPTIONS_ARGUMENT)
                        a->images[a->n_images++] = word;
        if (r < 0 || c->help)
                return r;
        if (a->n_images == 0)
                return error_setf(e, -EINVAL, "too few arguments: usage: rkt fetch IMAGE...");
        return a->is_early && a->n_images > 1 ? error_setf(e, -EINVAL, "--signature must follow an image")
                                              : 0;
}

static int fetch(const VerbContext *c, const FetchArgs *a, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        Fetcher f;
        ImageLimits limits = IMAGE_LIMITS_DEFAULT;
        ImageGetOptions o = {
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
        for (size_t i = 0; i < a->n_images; i++) {
                _cleanup_free_ char *id = NULL;

                o.signature = a->signatures[i];
                r = image_get(store, a->images[i], &o, &id, e);
                image_status_done(&f.status);
                if (r < 0)
                        return r;
                (void) printf("%.*s\n", (int) strlen("sha512-") + (a->full ? ID_DIGITS_FULL : ID_DIGITS), id);
        }
        return 0;
}

static int fetch_verb(const VerbContext *c, const Verb *v, int argc, char **args, FetchArgs *a, Error *e) {
        _cleanup_free_ const char **images = new0(const char *, (size_t) argc + 1);
        _cleanup_free_ const char **signatures = new0(const char *, (size_t) argc + 1);
        int r;

        if (!images || !signatures)
                return error_oom(e);
        a->images = images;
        a->signatures = signatures;
        r = parse(c, v, args, a, e);
        log_set_debug(c->debug);
        if (r >= 0 && c->help)
                return verb_print_help(c, v, stdout);
        if (r >= 0)
                r = verb_ready(c, e);
        return r < 0 ? r : fetch(c, a, e);
}

static int fetch_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        return fetch_verb(c, &verb_fetch, argc, args, options, e);
}

static int image_fetch_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        return fetch_verb(c, &verb_image_fetch, argc, args, options, e);
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
        { "signature", 0, OPTION_SET, .set = set_signature, .value = "FILE",
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
        .flags = VERB_RAW,
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
        .flags = VERB_HIDDEN | VERB_RAW,
        .usage = "IMAGE...",
        .help = "Fetch images and store them in the local store",
        .description = DESCRIPTION,
        .prefix = "image",
        .options = fetch_options,
        .options_size = sizeof(FetchArgs),
        .run = image_fetch_run,
};

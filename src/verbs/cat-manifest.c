/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt cat-manifest: what a pod was made to be. */
#include <stdio.h>

#include "basic/json.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

typedef struct CatArgs {
        bool pretty;
        const char *uuid_file;
} CatArgs;

static int print_manifest(Pod *p, bool pretty, Error *e) {
        _cleanup_json_write_ JsonWriter w = { .flags = pretty ? JSON_WRITE_PRETTY : 0 };
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_free_ char *text = NULL, *out = NULL;
        size_t size;
        int r = pod_read_manifest_text(p, &text, &size, e);

        if (r >= 0)
                r = json_parse(text, size, &v, e);
        if (r < 0)
                return error_prefixf(e, r, "cannot read the pod manifest");
        json_write_value(&w, v);
        if (json_writer_steal(&w, &out) < 0)
                return error_oom(e);
        (void) puts(out);
        return 0;
}

static int cat_manifest_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const CatArgs *args = options;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_(pod_closep) Pod *p = NULL;
        int r = pod_open_named(c->dir, argc, words, args->uuid_file, &ps, &p, e);

        if (r < 0)
                return r;
        verb_open_pager(c);
        return print_manifest(p, args->pretty, e);
}

static const Option cat_manifest_options[] = {
        { "pretty-print", 0, OPTION_BOOL, offsetof(CatArgs, pretty), .fallback = "true",
          .help = "apply indent to format the output" },
        POD_OPTION_UUID_FILE(CatArgs),
        {},
};

const Verb verb_cat_manifest = {
        .name = "cat-manifest",
        .max_args = 1,
        .usage = "UUID",
        .section = SECTION_PODS,
        .help = "Inspect and print the pod manifest",
        .options = cat_manifest_options,
        .options_size = sizeof(CatArgs),
        .run = cat_manifest_run,
};

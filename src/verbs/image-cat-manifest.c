/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image cat-manifest: the manifest as it is in the image, or indented. */
#include <stdio.h>

#include "basic/json.h"
#include "image/image-get.h"
#include "store/store-blob.h"
#include "verbs/verbs.h"

typedef struct CatArgs {
        bool pretty;
} CatArgs;

static int cat_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_json_write_ JsonWriter w = { .flags = JSON_WRITE_PRETTY };
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_free_ char *text = NULL, *pretty = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        CatArgs *a = options;
        size_t size;
        int r;

        r = store_open(c->dir, STORE_OPEN_READ_ONLY, &store, e);
        if (r >= 0)
                r = image_find(store, args[0], &image, e);
        if (r >= 0)
                r = store_manifest_read(store, image.key, &text, &size, e);
        if (r < 0)
                return r;
        verb_open_pager(c);
        if (!a->pretty) {
                (void) fwrite(text, 1, size, stdout);
                (void) putchar('\n');
                return 0;
        }
        r = json_parse(text, size, &v, e);
        if (r < 0)
                return error_prefixf(e, r, "manifest of '%s'", args[0]);
        json_write_value(&w, v);
        if (json_writer_steal(&w, &pretty) < 0)
                return error_oom(e);
        (void) puts(pretty);
        return 0;
}

static const Option cat_options[] = {
        { "pretty-print", 0, OPTION_BOOL, offsetof(CatArgs, pretty), .fallback = "true",
          .help = "apply indent to format the output" },
        {},
};

const Verb verb_image_cat_manifest = {
        .group = "image",
        .name = "cat-manifest",
        .min_args = 1,
        .max_args = 1,
        .usage = "IMAGE",
        .section = SECTION_IMAGES,
        .help = "Inspect and print the image manifest",
        .description = "IMAGE is a name with labels or an image ID, of which two hex digits are enough if no "
                       "other image "
                       "begins with them.",
        .prefix = "image",
        .options = cat_options,
        .options_size = sizeof(CatArgs),
        .run = cat_run,
};

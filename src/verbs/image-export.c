/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image export: the archive of an image, as a file. */
#include "image/image-get.h"
#include "image/image-output.h"
#include "verbs/verbs.h"

typedef struct ExportArgs {
        bool overwrite;
} ExportArgs;

static int export_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_(store_freep) Store *store = NULL;
        const ExportArgs *a = options;
        int r;

        r = store_open(c->dir, STORE_OPEN_READ_ONLY, &store, e);
        if (r >= 0)
                r = image_find(store, args[0], &image, e);
        return r < 0 ? r
                     : image_export(store, image.key, args[1], a->overwrite ? IMAGE_OUTPUT_OVERWRITE : 0, e);
}

static const Option export_options[] = {
        { "overwrite", 0, OPTION_BOOL, offsetof(ExportArgs, overwrite), .help = "overwrite output ACI" },
        {},
};

const Verb verb_image_export = {
        .group = "image",
        .name = "export",
        .min_args = 2,
        .max_args = 2,
        .usage = "IMAGE OUTPUT_ACI_FILE",
        .help = "Export a stored image to an ACI file",
        .description =
                "IMAGE is a name with labels or an image ID. The file is the uncompressed archive, byte for "
                "byte as the ID was made from.",
        .options = export_options,
        .options_size = sizeof(ExportArgs),
        .run = export_run,
};

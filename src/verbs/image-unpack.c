/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image extract, rkt image render: an image as a directory, alone or with all that it depends on. */
#include "image/image-get.h"
#include "image/image-output.h"
#include "verbs/verbs.h"

typedef struct UnpackArgs {
        bool overwrite;
        bool rootfs_only;
} UnpackArgs;

static int unpack(const VerbContext *c, char **args, const UnpackArgs *a, ImageOutputFlags flags, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_(store_freep) Store *store = NULL;
        int r;

        if (a->overwrite)
                flags |= IMAGE_OUTPUT_OVERWRITE;
        if (a->rootfs_only)
                flags |= IMAGE_OUTPUT_ROOTFS_ONLY;
        r = store_open(c->dir, 0, &store, e);
        if (r >= 0)
                r = image_find(store, args[0], &image, e);
        return r < 0 ? r : image_unpack(store, image.key, args[1], flags, e);
}

static int extract_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        return unpack(c, args, options, 0, e);
}

static int render_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        return unpack(c, args, options, IMAGE_OUTPUT_DEPENDENCIES, e);
}

static const Option unpack_options[] = {
        { "overwrite", 0, OPTION_BOOL, offsetof(UnpackArgs, overwrite),
          .help = "overwrite output directory" },
        { "rootfs-only", 0, OPTION_BOOL, offsetof(UnpackArgs, rootfs_only),
          .help = "only the root file system" },
        {},
};

const Verb verb_image_extract = {
        .group = "image",
        .name = "extract",
        .min_args = 2,
        .max_args = 2,
        .usage = "IMAGE OUTPUT_DIR",
        .help = "Extract a stored image to a directory",
        .description =
                "IMAGE is a name with labels or an image ID. The directory gets what is in the image's own "
                "archive: manifest and rootfs.",
        .options = unpack_options,
        .options_size = sizeof(UnpackArgs),
        .run = extract_run,
};

const Verb verb_image_render = {
        .group = "image",
        .name = "render",
        .min_args = 2,
        .max_args = 2,
        .usage = "IMAGE OUTPUT_DIR",
        .help = "Render a stored image to a directory with all its dependencies",
        .description = "IMAGE is a name with labels or an image ID. The directory gets the manifest, and a "
                       "rootfs as "
                       "a pod would have it: dependencies below the image, pathWhitelist applied.",
        .options = unpack_options,
        .options_size = sizeof(UnpackArgs),
        .run = render_run,
};

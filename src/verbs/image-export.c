/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image export: an image as a file, for rkt or for others. */
#include "image/image-export.h"

#include "image/image-get.h"
#include "verbs/image-compression.h"
#include "verbs/verbs.h"

typedef struct ExportArgs {
        bool overwrite;
        ImageFormat format;
        bool gzip;
} ExportArgs;

static int set_format(const Option *o, const char *value, void *data, Error *e) {
        ImageFormat f = image_format_from_string(value);

        if (f < 0)
                return error_setf(e, -EINVAL,
                                  "--format=%s: a format is aci, oci-archive, docker-archive or default",
                                  value);
        ((ExportArgs *) data)->format = f;
        return 0;
}

static int set_compression(const Option *o, const char *value, void *data, Error *e) {
        return image_compression_parse(value, &((ExportArgs *) data)->gzip, e);
}

static int export_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_(store_freep) Store *store = NULL;
        const ExportArgs *a = options;
        ImageExportFlags flags =
                (a->overwrite ? IMAGE_EXPORT_OVERWRITE : 0) | (a->gzip ? IMAGE_EXPORT_GZIP : 0);
        int r;

        r = store_open(c->dir, STORE_OPEN_READ_ONLY, &store, e);
        if (r >= 0)
                r = image_find(store, args[0], &image, e);
        if (r >= 0 && image_export_converts(&image, a->format)) {
                store = store_free(store);
                r = store_open(c->dir, 0, &store, e);
        }
        return r < 0 ? r : image_export(store, &image, args[1], a->format, flags, e);
}

static const Option export_options[] = {
        { "compression", 0, OPTION_SET, .set = set_compression, .fallback = "none", .value = "none|gzip",
          .help = "compress the file" },
        { "format", 0, OPTION_SET, .set = set_format, .fallback = "default", .value = "FORMAT",
          .help = "aci, oci-archive, docker-archive; default: as the image came" },
        { "overwrite", 0, OPTION_BOOL, offsetof(ExportArgs, overwrite), .help = "overwrite output ACI" },
        {},
};

const Verb verb_image_export = {
        .group = "image",
        .name = "export",
        .min_args = 2,
        .max_args = 2,
        .usage = "IMAGE OUTPUT_FILE",
        .help = "Export a stored image to a file",
        .description =
                "IMAGE is a name with labels or an image ID. An ACI leaves as the uncompressed archive, byte "
                "for "
                "byte as the ID was made from; a Docker or OCI image as an OCI layout in a tar, with its own "
                "config and layers. --format makes one of the other.",
        .options = export_options,
        .options_size = sizeof(ExportArgs),
        .run = export_run,
};

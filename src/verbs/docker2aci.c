/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program docker2aci: Docker and OCI images as ACIs. It is rkt under another name (rkt.c): an image is fetched into a store
 * that goes away afterwards, or into the one that --dir names, and exported from there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"

#include "basic/json-write.h"
#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-export.h"
#include "image/image-get.h"
#include "image/image-status.h"
#include "image/oci-trust.h"
#include "image/output-scratch.h"
#include "oci/aci-name.h"
#include "store/store-blob.h"
#include "verbs/docker2aci-file.h"
#include "verbs/image-compression.h"
#include "verbs/verbs.h"

typedef struct ConvertArgs {
        bool no_squash;
        bool skip_verify;
        bool allow_http;
        bool version;
        bool experimental; /* no experiment any more */
        bool gzip;
        const char *image;
} ConvertArgs;

/* One run. */
typedef struct Convert {
        const VerbContext *context;
        const ConvertArgs *args;
        OutputPlace place; /* what the store of our own is made beside */
        OutputScratch scratch;
        Store *store;
        ImageStatus status; /* of the download */
        StoreImage image;
        ImageManifest *manifest;
        char **files; /* that were made */
} Convert;

static void convert_done(Convert *c) {
        (void) strv_free(c->files);
        (void) image_manifest_free(c->manifest);
        store_image_done(&c->image);
        (void) store_free(c->store);
        output_scratch_done(&c->scratch);
        output_place_done(&c->place);
}

/* A store of our own: nothing in it is ever mounted, so trees are what costs least, also for who is not root. */
static int open_own_store(Convert *c, Error *e) {
        _cleanup_free_ char *path = NULL, *dir = NULL;
        int r;

        path = strf("%s/docker2aci", str_or(secure_getenv("TMPDIR"), "/var/tmp"));
        if (!path)
                return error_oom(e);
        r = output_place_find(path, false, &c->place, e);
        if (r >= 0)
                r = output_scratch_new(&c->place, &c->scratch, e);
        if (r < 0)
                return r;
        dir = strf("%.*s/%s", (int) (strrchr(c->place.path, '/') - c->place.path), c->place.path,
                   c->scratch.name);
        if (!dir || setenv("RKT_TREE_BACKEND", "index", 1) < 0)
                return error_oom(e);
        return store_open(dir, 0, &c->store, e);
}

static void on_message(void *userdata, const char *message) {
        Convert *c = userdata;

        image_status_done(&c->status);
        log_info("%s", message);
}

static void on_progress(void *userdata, const char *what, uint64_t done, uint64_t total) {
        Convert *c = userdata;

        image_status_progress(&c->status, what, done, total);
}

/* Where there is a policy for the image it holds; docker2aci never asked for one. */
static int choose_trust(const VerbContext *v, const char *reference, InsecureFlags *insecure, Error *e) {
        _cleanup_(oci_trust_freep) OciTrust *trust = NULL;
        _cleanup_(oci_name_freep) OciName *name = NULL;
        int r;

        r = oci_name_parse(reference, &name, e);
        if (r >= 0)
                r = oci_trust_load(v->system_config, v->local_config, v->user_config, &trust, e);
        if (r >= 0 && !oci_trust_policy(trust, name))
                *insecure |= INSECURE_IMAGE;
        return r;
}

static int get(Convert *c, const char *reference, Error *e) {
        const VerbContext *v = c->context;
        ImageGetOptions o = {
                .pull = PULL_NEWER,
                .insecure = v->insecure | (c->args->skip_verify ? INSECURE_TLS : 0) |
                            (c->args->allow_http ? INSECURE_HTTP : 0),
                .system_config = v->system_config,
                .local_config = v->local_config,
                .user_config = v->user_config,
                .any_platform = true,
                .progress = on_progress,
                .message = on_message,
                .userdata = c,
        };
        _cleanup_free_ char *id = NULL;
        int r;

        r = choose_trust(v, reference, &o.insecure, e);
        if (r < 0)
                return r;
        image_status_init(&c->status);
        r = image_get(c->store, reference, &o, &id, e);
        image_status_done(&c->status);
        return r < 0 ? r : image_find(c->store, id, &c->image, e);
}

static int load_manifest(Convert *c, const char *tag, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = store_manifest_read(c->store, c->image.key, &text, &size, e);
        if (r >= 0)
                r = image_manifest_parse(text, size, &c->manifest, e);
        return r < 0 || !tag ? r : aci_name_from_tag(tag, c->manifest, e);
}

static int export_squashed(Convert *c, const char *base, ImageExportFlags flags, Error *e) {
        _cleanup_free_ char *suffix = NULL, *text = NULL, *path = NULL;
        int r;

        if (aci_file_suffix(c->manifest, false, &suffix) < 0 ||
            image_manifest_to_string(c->manifest, &text) < 0)
                return error_oom(e);
        path = strf("%s%s.aci", base, suffix);
        if (!path)
                return error_oom(e);
        r = image_export_aci(c->store, &c->image, text, path, flags, e);
        return r < 0 ? r : strv_extend(&c->files, path) < 0 ? error_oom(e) : 0;
}

static int export(Convert *c, Error *e) {
        ImageExportFlags flags = IMAGE_EXPORT_OVERWRITE | (c->args->gzip ? IMAGE_EXPORT_GZIP : 0);
        _cleanup_free_ char *base = NULL;

        if (aci_file_base(c->manifest, &base) < 0)
                return error_oom(e);
        return c->args->no_squash
                       ? image_export_layers(c->store, &c->image, c->manifest, base, flags, &c->files, e)
                       : export_squashed(c, base, flags, e);
}

/* Quoted as JSON is, for what an image says. */
static void print_quoted(const char *s) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        json_write_string(&w, s);
        if (json_writer_steal(&w, &text) >= 0)
                (void) fputs(text, stdout);
}

static void print_app(const AcApp *a) {
        if (a->n_mount_points > 0)
                (void) printf("\nConverted volumes:\n");
        FOREACH_ARRAY (m, a->mount_points, a->n_mount_points) {
                (void) printf("\tname: \"%s\", path: ", m->name);
                print_quoted(m->path);
                (void) printf(", readOnly: %s\n", m->read_only ? "true" : "false");
        }
        if (a->n_ports > 0)
                (void) printf("\nConverted ports:\n");
        FOREACH_ARRAY (p, a->ports, a->n_ports)
                (void) printf("\tname: \"%s\", protocol: \"%s\", port: %" PRIu64 ", count: %" PRIu64
                              ", socketActivated: %s\n",
                              p->name, p->protocol, p->port, p->count,
                              p->socket_activated ? "true" : "false");
}

static void print_result(const Convert *c) {
        if (c->manifest->app)
                print_app(c->manifest->app);
        (void) printf("\nGenerated ACI(s):\n");
        STRV_FOREACH (f, c->files)
                (void) puts(*f);
}

static bool is_remote(const char *arg) {
        return startswith(arg, "docker:");
}

static int convert(Convert *c, const char *arg, Error *e) {
        _cleanup_free_ char *reference = NULL, *tag = NULL;
        int r;

        r = verb_dir_is_given(c->context) ? store_open(c->context->dir, 0, &c->store, e)
                                          : open_own_store(c, e);
        if (r < 0)
                return r;
        if (is_remote(arg)) {
                reference = strdup(arg);
                r = reference ? 0 : error_oom(e);
        } else
                r = docker2aci_file(c->store, arg, c->args->image, &reference, &tag, e);
        if (r >= 0)
                r = get(c, reference, e);
        if (r >= 0)
                r = load_manifest(c, tag, e);
        if (r >= 0)
                r = export(c, e);
        if (r >= 0)
                print_result(c);
        return r;
}

static int docker2aci_run(const VerbContext *context, int argc, char **args, void *options, Error *e) {
        _cleanup_(convert_done) Convert c = { .context = context,
                                              .args = options,
                                              .place = OUTPUT_PLACE_INIT,
                                              .scratch = OUTPUT_SCRATCH_INIT };

        if (c.args->version) {
                (void) printf("docker2aci version %s\nappc version %s\n", RKT_VERSION, APPC_VERSION);
                return 0;
        }
        if (argc != 1)
                return error_setf(e, -EINVAL, "give one image: docker2aci [FLAGS] docker://IMAGE | FILE");
        if (is_remote(args[0]) && c.args->image)
                return error_setf(e, -EINVAL, "flag --image works only with files");
        return convert(&c, args[0], e);
}

static int set_compression(const Option *o, const char *value, void *data, Error *e) {
        return image_compression_parse(value, &((ConvertArgs *) data)->gzip, e);
}

static const Option docker2aci_options[] = {
        { "compression", 0, OPTION_SET, .set = set_compression, .fallback = "gzip", .value = "gzip|none",
          .help = "how the files are compressed" },
        { "experimental-oci", 0, OPTION_BOOL, offsetof(ConvertArgs, experimental), .flags = OPTION_HIDDEN },
        { "image", 0, OPTION_STRING, offsetof(ConvertArgs, image), .value = "NAME[:TAG]",
          .help = "which image of a file" },
        { "insecure-allow-http", 0, OPTION_BOOL, offsetof(ConvertArgs, allow_http),
          .help = "allow registries without TLS (as --insecure-options=http)" },
        { "insecure-skip-verify", 0, OPTION_BOOL, offsetof(ConvertArgs, skip_verify),
          .help = "do not verify certificates (as --insecure-options=tls)" },
        { "nosquash", 0, OPTION_BOOL, offsetof(ConvertArgs, no_squash),
          .help = "make one ACI for each layer, linked by dependencies" },
        { "version", 0, OPTION_BOOL, offsetof(ConvertArgs, version), .help = "print the version and exit" },
        {},
};

const Verb verb_docker2aci = {
        .name = "docker2aci",
        .max_args = VERB_ARGS_ANY,
        .flags = VERB_HIDDEN | VERB_PROGRAM | VERB_NO_DATA,
        .usage = "docker://[REGISTRY/]IMAGE[:TAG] | FILE[,IMAGE[:TAG]]",
        .section = SECTION_IMAGES,
        .help = "Convert Docker and OCI images to ACIs",
        .description = "An image of a registry, or FILE: what docker save wrote, or an OCI layout, as a "
                       "directory or in a "
                       "tar. The ACI is made in the current directory; a file of its name is overwritten.",
        .options = docker2aci_options,
        .options_size = sizeof(ConvertArgs),
        .run = docker2aci_run,
};

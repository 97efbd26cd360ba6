/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the words of "rkt run" and "rkt prepare" to images in the store. */
#include <stdio.h>
#include <string.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "image/image-get.h"
#include "image/image-status.h"
#include "store/store-blob.h"
#include "verbs/run-images.h"
#include "verbs/run-manifest.h"

/**
 * run_print_message() - a sentence of pod_prepare() on standard error
 * @userdata: not used
 * @message:  the sentence
 */
void run_print_message(void *userdata, const char *message) {
        log_info("%s", message);
}

static void on_message(void *userdata, const char *message) {
        image_status_done(userdata);
        run_print_message(NULL, message);
}

/* The image of one app into the store; what its manifest says is taken over. */
static int get_image(const VerbContext *c, const Verb *v, RunArgs *a, size_t i, Store *s, char ***ids,
                     Error *e) {
        ImageLimits limits = IMAGE_LIMITS_DEFAULT;
        ImageStatus status;
        const ImageGetOptions options = {
                .pull = a->spec->pull,
                .insecure = c->insecure,
                .signature = *a->signatures[i] ? a->signatures[i] : NULL,
                .system_config = c->system_config,
                .local_config = c->local_config,
                .user_config = c->user_config,
                .limits = &limits,
                .trust_keys_from_https = c->trust_keys_from_https,
                .progress = a->quiet ? NULL : image_status_progress,
                .message = a->quiet ? NULL : on_message,
                .userdata = &status,
        };
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *text = NULL;
        char key[STORE_KEY_MAX], *id = NULL;
        size_t size;
        int r;

        image_status_init(&status);
        r = image_limits_parse_all(&limits, a->limits, e);
        log_set_prefix("image"); /* as rkt has it */
        if (r >= 0)
                r = image_get(s, a->spec->apps[i].image, &options, &id, e);
        image_status_done(&status);
        log_set_prefix(v->name);
        if (r < 0)
                return r;
        r = store_key_from_id(id, key);
        if (strv_consume(ids, id) < 0)
                return error_oom(e);
        if (r >= 0)
                r = store_manifest_read(s, key, &text, &size, e);
        if (r >= 0)
                r = image_manifest_parse(text, size, &m, e);
        return r < 0 ? r : run_args_set_image(a, i, m, e);
}

/**
 * run_images_get() - have the images of a command line in the store
 * @c:       global flags
 * @v:       the verb, which messages begin with afterwards
 * @a:       arguments; what follows from the images' manifests is taken over
 * @s:       store, opened for writing
 * @ret_ids: IDs in the order of the apps; free with strv_free()
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0; what image_get() returns; errors of the store; -EEXIST, -ENODATA: apps that make no sense.
 */
int run_images_get(const VerbContext *c, const Verb *v, RunArgs *a, Store *s, char ***ret_ids, Error *e) {
        _cleanup_strv_free_ char **ids = NULL;
        int r = 0;

        for (size_t i = 0; i < a->spec->n_apps && r >= 0; i++)
                r = get_image(c, v, a, i, s, &ids, e);
        if (r < 0)
                return r;
        *ret_ids = TAKE_PTR(ids);
        return 0;
}

/**
 * run_verb() - read the words of "rkt run" or "rkt prepare", and do it
 * @c:     global flags
 * @v:     the verb, with VERB_RAW and run_image_options
 * @words: after its name, NULL-terminated
 * @a:     zeroed, or with defaults; what this makes of it is freed
 * @func:  what to do with them
 * @e:     sentence on failure; may be NULL
 *
 * Return: exit code; what run_args_parse() and @func return.
 */
int run_verb(const VerbContext *c, const Verb *v, char **words, RunArgs *a, RunFunc func, Error *e) {
        int r;

        if (pod_spec_new("rkt", &a->spec) < 0)
                return error_oom(e);
        r = run_args_parse(c, v, words, a, e);
        log_set_debug(c->debug);
        if (r == 1)
                r = verb_print_help(c, v, stdout);
        else if (r == 0) {
                r = verb_ready(c, e);
                if (r >= 0 && a->pod_manifest)
                        r = run_manifest_load(a, e);
                if (r >= 0)
                        r = func(c, a, e);
        }
        run_args_done(a);
        return r;
}

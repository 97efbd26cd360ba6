/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the annotations of a Docker or OCI image mean for its app. Anybody can write an ACI with them, so nothing here gives
 * an image more than it could have by other means. */
#include "pod/pod-docker.h"

#include <string.h>

#include "basic/alloc.h"
#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"

#define STOP_SIGNAL "rkt.systemd/stop-signal" /* oci/oci-config.h says the same */
#define ENTRYPOINT  "appc.io/docker/entrypoint"
#define OF_USER     "of-user"

static const char *annotation(const ImageManifest *m, const char *name) {
        return ac_pairs_get(m->annotations, m->n_annotations, name);
}

/**
 * docker_is_image() - was it an image of Docker's or OCI's?
 * @m: manifest
 *
 * Return: by the annotation that rkt, too, knows them by.
 */
bool docker_is_image(const ImageManifest *m) {
        return annotation(m, APP_ANNOTATION_DOCKER);
}

/**
 * docker_entrypoint() - what arguments are put behind
 * @m:   manifest of such an image
 * @ret: words; NULL: it has no entrypoint; strv_free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (the annotation is no list of strings), -ENOMEM.
 */
int docker_entrypoint(const ImageManifest *m, char ***ret, Error *e) {
        const char *text = annotation(m, ENTRYPOINT);
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        int r = text ? json_parse(text, strlen(text), &v, e) : 0;

        if (r >= 0 && v)
                r = json_expect(v, JSON_ARRAY, e);
        if (r >= 0 && v)
                JSON_FOREACH (word, v) {
                        r = json_expect(word, JSON_STRING, e);
                        if (r >= 0 && strv_extend(&words, json_text(word)) < 0)
                                r = error_oom(e);
                        if (r < 0)
                                break;
                }
        if (r < 0)
                return error_prefixf(e, r, "annotation '" ENTRYPOINT "' of image '%s'", m->name);
        *ret = TAKE_PTR(words);
        return 0;
}

/**
 * docker_annotate() - say to whoever runs the app what it was
 * @a: app
 * @m: manifest of its image; nothing happens if it was no such image
 * @s: what the pod file says of the app
 *
 * Return: 0, -ENOMEM.
 */
int docker_annotate(PodApp *a, const ImageManifest *m, const AppSpec *s) {
        const char *repository = annotation(m, APP_ANNOTATION_DOCKER);
        int r = repository ? pod_app_set_annotation(a, APP_ANNOTATION_DOCKER, repository) : 0;

        if (r >= 0 && repository && !s->group && streq_ptr(annotation(m, APP_ANNOTATION_GROUP), OF_USER))
                r = pod_app_set_annotation(a, APP_ANNOTATION_GROUP, OF_USER);
        return r;
}

/* "SIGQUIT", "SIGRTMIN+3" */
static bool is_signal(const char *s) {
        const char *name = s ? startswith(s, "SIG") : NULL;

        return name && *name && name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-")] == '\0';
}

/**
 * docker_add_settings() - the image's own wishes for its unit, where the pod file has none
 * @b: lines KEY=VALUE are added
 * @m: manifest
 * @s: what the pod file says of the app
 *
 * A program that ends by the signal that it asked to be stopped with did not fail.
 */
void docker_add_settings(StrBuf *b, const ImageManifest *m, const AppSpec *s) {
        const char *stop = docker_is_image(m) ? annotation(m, STOP_SIGNAL) : NULL;

        if (!is_signal(stop) || unit_settings_last(&s->settings, "KillSignal"))
                return;
        strbuf_addf(b, "KillSignal=%s\n", stop);
        if (!unit_settings_last(&s->settings, "SuccessExitStatus"))
                strbuf_addf(b, "SuccessExitStatus=%s\n", stop);
}

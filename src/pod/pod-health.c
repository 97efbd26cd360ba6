/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pod/pod-health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/json.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/health.h"
#include "pod/pod-docker.h"

#define NSEC_PER_USEC UINT64_C(1000)

/* HealthCmd= is a text for the shell, "none", or a list as JSON, which may begin with Docker's words. */
static int set_command(HealthCheck *h, const char *text, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        int r = 0;

        h->test = strv_free(h->test);
        if (streq(text, "none"))
                r = strv_extend(&h->test, "NONE");
        else if (*text != '[') {
                r = strv_extend(&h->test, "CMD-SHELL");
                if (r >= 0)
                        r = strv_extend(&h->test, text);
        }
        if (r < 0 || *text != '[')
                return r < 0 ? error_oom(e) : 0;
        r = json_parse(text, strlen(text), &v, e);
        if (r >= 0)
                r = json_expect(v, JSON_ARRAY, e);
        if (r < 0)
                return r;
        JSON_FOREACH (word, v) {
                const char *w = json_text(word);

                r = json_expect(word, JSON_STRING, e);
                if (r < 0)
                        return r;
                if (!h->test && !streq(w, "CMD") && !streq(w, "CMD-SHELL") && !streq(w, "NONE"))
                        r = strv_extend(&h->test, "CMD");
                if (r >= 0)
                        r = strv_extend(&h->test, w);
                if (r < 0)
                        return error_oom(e);
        }
        return 0;
}

static void set_time(uint64_t *nsec, const char *text) {
        usec_t usec;

        if (text && *text && parse_sec(text, &usec) >= 0)
                *nsec = usec > INT64_MAX / NSEC_PER_USEC ? INT64_MAX : usec * NSEC_PER_USEC;
}

static int set_all(HealthCheck *h, const AppSpec *s, Error *e) {
        unsigned retries;
        int r = s->health_cmd && *s->health_cmd ? set_command(h, s->health_cmd, e) : 0;

        if (r < 0)
                return error_prefixf(e, r, "HealthCmd=");
        set_time(&h->interval_nsec, s->health_interval);
        set_time(&h->timeout_nsec, s->health_timeout);
        set_time(&h->start_nsec, s->health_start_period);
        if (s->health_retries && parse_uint(s->health_retries, INT32_MAX, &retries) >= 0)
                h->retries = retries;
        if (s->health_on_failure && *s->health_on_failure && !streq(s->health_on_failure, "none"))
                r = str_replace(&h->on_failure, s->health_on_failure);
        if (s->notify_healthy)
                h->is_ready_when_healthy = 1;
        return r < 0 ? error_oom(e) : 0;
}

/* What the image says of an action is not its own to decide. A check that nobody can read is none. */
static int load_image(HealthCheck *h, const ImageManifest *im, char ***warnings, Error *e) {
        const char *text = docker_is_image(im) ? image_manifest_annotation(im, HEALTH_ANNOTATION) : NULL;
        _cleanup_error_ Error one = ERROR_INIT;
        int r = text ? health_check_parse(text, h, &one) : 0;

        if (r < 0 && (r == -ENOMEM || strv_extendf(warnings, "image '%s': %s, ignoring its health check",
                                                   im->name, error_text(&one, r)) < 0))
                return error_oom(e);
        free(h->on_failure);
        h->on_failure = NULL;
        h->is_ready_when_healthy = -1;
        return 0;
}

/**
 * pod_health_annotate() - give an app its health check
 * @a:        app; gets the annotation HEALTH_ANNOTATION, if there is something to check
 * @im:       its image, whose own check is the default, as in Docker and podman
 * @s:        what the pod file says
 * @warnings: sentences are added
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL: HealthCmd= is no list, or Notify=healthy without a check; -ENOMEM.
 */
int pod_health_annotate(PodApp *a, const ImageManifest *im, const AppSpec *s, char ***warnings, Error *e) {
        _cleanup_health_ HealthCheck h = HEALTH_CHECK_INIT, again = HEALTH_CHECK_INIT;
        _cleanup_free_ char *text = NULL;
        int r = load_image(&h, im, warnings, e);

        if (r >= 0)
                r = set_all(&h, s, e);
        if (r < 0)
                return r;
        if (!health_check_is_on(&h))
                return s->notify_healthy
                               ? error_setf(
                                         e, -EINVAL,
                                         "Notify=healthy needs HealthCmd=, or an image with a health check")
                               : 0;
        if (health_check_to_string(&h, &text) < 0)
                return error_oom(e);
        r = health_check_parse(text, &again, e);
        if (r < 0)
                return error_prefixf(e, r, "HealthCmd=");
        return pod_app_set_annotation(a, HEALTH_ANNOTATION, text) < 0 ? error_oom(e) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which health check an app gets, by what its image and its pod file say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/health.h"
#include "pod/pod-health.h"

#define DOCKER "appc.io/docker/repository"

static const char image_check[] = "{\"Test\":[\"CMD\",\"true\",\"$x\"],\"Interval\":1000000000,\"Retries\":5,"
                                  "\"OnFailure\":\"stop\",\"X\":1}";

/* 0: *ret is the annotation, NULL if there is none. */
static int annotate(const char *check, AppSpec *s, char **ret, size_t *ret_warnings) {
        _cleanup_(image_manifest_freep) ImageManifest *im = NULL;
        _cleanup_strv_free_ char **warnings = NULL;
        static const char text[] = "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"x\"}";
        PodApp a = {};
        int r;

        assert_int_equal(image_manifest_parse(text, strlen(text), &im, NULL), 0);
        if (check) {
                assert_int_equal(ac_pairs_set(&im->annotations, &im->n_annotations, DOCKER, "x"), 0);
                assert_int_equal(ac_pairs_set(&im->annotations, &im->n_annotations, HEALTH_ANNOTATION, check),
                                 0);
        }
        r = pod_health_annotate(&a, im, s, &warnings, NULL);
        *ret = strdup(str_or(pod_app_annotation(&a, HEALTH_ANNOTATION), "-"));
        *ret_warnings = strv_length(warnings);
        ac_pairs_free(a.annotations, a.n_annotations);
        return r;
}

static void test_annotate(void **state) {
        static const struct {
                const char *image, *cmd, *expected; /* NULL: refused */
                bool notify, warns;
        } cases[] = {
                { NULL, NULL, "-" },
                { NULL, "", "-" },
                { NULL, "none", "-" },
                { NULL, "a  | b", "{\"Test\":[\"CMD-SHELL\",\"a  | b\"]}" },
                { NULL, "[\"a\",\"b c\"]", "{\"Test\":[\"CMD\",\"a\",\"b c\"]}" },
                { NULL, "[\"CMD\",\"a\"]", "{\"Test\":[\"CMD\",\"a\"]}" },
                { NULL, "[\"CMD-SHELL\",\"a b\"]", "{\"Test\":[\"CMD-SHELL\",\"a b\"]}" },
                { NULL, "[\"NONE\"]", "-" },
                { NULL, "[\"CMD\"]", NULL },
                { NULL, "[\"CMD\",\"+/bin/true\"]", NULL },
                { "{\"Test\":[\"CMD\",\"!/bin/true\"]}", NULL, "-", .warns = true },
                { NULL, "[\"CMD-SHELL\",\"a\",\"b\"]", NULL },
                { NULL, "[1]", NULL },
                { NULL, "[\"a\"", NULL },
                { NULL, "a", "{\"Test\":[\"CMD-SHELL\",\"a\"],\"ReadyWhenHealthy\":true}", .notify = true },
                { NULL, NULL, NULL, .notify = true },
                { image_check, "none", NULL, .notify = true },
                /* what is to be done is not the image's to say */
                { image_check, NULL,
                  "{\"Test\":[\"CMD\",\"true\",\"$x\"],\"Interval\":1000000000,\"Retries\":5}" },
                { image_check, "a",
                  "{\"Test\":[\"CMD-SHELL\",\"a\"],\"Interval\":1000000000,\"Retries\":5}" },
                { image_check, "none", "-" },
                { "{\"Test\":[\"NONE\"]}", NULL, "-" },
                { "{}", NULL, "-" },
                { "{\"Test\":[\"FOO\",\"x\"]}", NULL, "-", .warns = true },
                { "{\"Test\":1}", NULL, "-", .warns = true },
                { "{", NULL, "-", .warns = true },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *cmd = c->cmd ? strdup(c->cmd) : NULL, *text = NULL;
                AppSpec s = { .health_cmd = cmd, .notify_healthy = c->notify };
                size_t warnings;
                int r = annotate(c->image, &s, &text, &warnings);

                print_message("# %s %s\n", str_or(c->image, "-"), str_or(c->cmd, "-"));
                assert_int_equal(r < 0, !c->expected);
                if (c->expected)
                        assert_string_equal(text, c->expected);
                assert_int_equal(warnings, c->warns);
        }
}

static void test_numbers(void **state) {
        AppSpec s = { .health_cmd = (char[]){ "a" },
                      .health_interval = (char[]){ "1.5min" },
                      .health_timeout = (char[]){ "500ms" },
                      .health_start_period = (char[]){ "infinity" },
                      .health_retries = (char[]){ "2" },
                      .health_on_failure = (char[]){ "restart" } };
        _cleanup_health_ HealthCheck h = HEALTH_CHECK_INIT;
        _cleanup_free_ char *text = NULL;
        size_t warnings;

        assert_int_equal(annotate(NULL, &s, &text, &warnings), 0);
        assert_int_equal(health_check_parse(text, &h, NULL), 0);
        assert_int_equal(health_check_interval(&h), UINT64_C(90000000));
        assert_int_equal(health_check_timeout(&h), UINT64_C(500000));
        assert_int_equal(health_check_start(&h), INT64_MAX / 1000);
        assert_int_equal(health_check_retries(&h), 2);
        assert_string_equal(h.on_failure, "restart");
        health_check_done(&h);
        /* an image cannot make the pod busy */
        assert_int_equal(
                health_check_parse("{\"Test\":[\"CMD\",\"a\"],\"interval\":1,\"Timeout\":0}", &h, NULL), 0);
        assert_int_equal(health_check_interval(&h), HEALTH_LEAST_USEC);
        assert_int_equal(health_check_timeout(&h), HEALTH_TIMEOUT_USEC);
        assert_int_equal(health_check_retries(&h), HEALTH_RETRIES);
        assert_int_equal(health_check_start(&h), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_annotate),
                cmocka_unit_test(test_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

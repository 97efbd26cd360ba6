/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a pod manifest says of an image that was Docker's, by what its pod file says (rkt.md 5.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"

#define IMAGE(annotations)                                                                                   \
        "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"example.com/redis\","             \
        "\"app\":{\"exec\":[\"/entry\",\"-x\",\"redis-server\"],\"user\":\"redis\",\"group\":\"redis\","     \
        "\"mountPoints\":[{\"name\":\"volume-data\",\"path\":\"/data\"}]}" annotations "}"
#define DOCKER                                                                                               \
        ",\"annotations\":["                                                                                 \
        "{\"name\":\"appc.io/docker/repository\",\"value\":\"library/redis\"},"                              \
        "{\"name\":\"appc.io/docker/entrypoint\",\"value\":\"[\\\"/entry\\\",\\\"-x\\\"]\"},"                \
        "{\"name\":\"appc.io/docker/cmd\",\"value\":\"[\\\"redis-server\\\"]\"},"                            \
        "{\"name\":\"rkt.systemd/group\",\"value\":\"of-user\"},"                                            \
        "{\"name\":\"rkt.systemd/stop-signal\",\"value\":\"SIGQUIT\"}]"
#define HOSTILE                                                                                              \
        ",\"annotations\":["                                                                                 \
        "{\"name\":\"appc.io/docker/repository\",\"value\":\"x\"},"                                          \
        "{\"name\":\"appc.io/docker/entrypoint\",\"value\":\"{}\"},"                                         \
        "{\"name\":\"rkt.systemd/unit\",\"value\":\"ExecStartPre=+/bin/rm\"},"                               \
        "{\"name\":\"rkt.systemd/stop-signal\",\"value\":\"SIGQUIT\\nExecStartPre=+/bin/rm\"}]"

#define ID                                                                                                   \
        "sha512-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"  \
        "abcdef0123456789abcdef0123456789abcdef"

static int compose(const char *image, AppSpec *app, PodManifest **ret) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_strv_free_ char **warnings = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        PodSpec spec = { .name = (char[]){ "shop" }, .apps = app, .n_apps = 1 };
        const ComposeOptions o = { .volumes_dir = "/var/lib/rkt/volumes" };
        int r;

        app->name = (char[]){ "redis" };
        app->image = (char[]){ "docker://redis" };
        assert_int_equal(image_manifest_parse(image, strlen(image), &m, NULL), 0);
        r = pod_compose(&spec, &(ComposeImage){ .id = "sha512-00", .manifest = m }, &o, ret, &warnings, &e);
        if (r < 0)
                assert_non_null(strstr(error_text(&e, r), "docker/entrypoint"));
        return r;
}

static void expect_exec(const char *image, AppSpec app, const char *exec) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_free_ char *joined = NULL;

        assert_int_equal(compose(image, &app, &m), 0);
        assert_int_equal(strv_join(m->apps[0].app->exec, " ", &joined), 0);
        assert_string_equal(joined, exec);
}

static void test_command(void **state) {
        char *args[] = { (char[]){ "a" }, (char[]){ "b" }, NULL }, *none[] = { NULL };
        char *exec[] = { (char[]){ "/run" }, NULL };

        expect_exec(IMAGE(DOCKER), (AppSpec){}, "/entry -x redis-server");
        expect_exec(IMAGE(DOCKER), (AppSpec){ .args = args, .has_args = true }, "/entry -x a b");
        expect_exec(IMAGE(DOCKER), (AppSpec){ .args = none, .has_args = true }, "/entry -x");
        expect_exec(IMAGE(DOCKER), (AppSpec){ .exec = exec, .args = args, .has_args = true },
                    "/entry -x /run a b");
        expect_exec(IMAGE(DOCKER), (AppSpec){ .exec = exec }, "/entry -x /run");
        expect_exec(IMAGE(DOCKER), (AppSpec){ .entrypoint = exec, .exec = args }, "/run a b");
        expect_exec(IMAGE(DOCKER), (AppSpec){ .entrypoint = exec }, "/run");
        expect_exec(IMAGE(""), (AppSpec){ .exec = exec, .args = args, .has_args = true }, "/run a b");
        expect_exec(IMAGE(""), (AppSpec){ .args = args, .has_args = true }, "/entry -x redis-server a b");
}

static void test_annotations(void **state) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL, *with_group = NULL, *plain = NULL;
        const PodApp *a;

        assert_int_equal(compose(IMAGE(DOCKER), &(AppSpec){}, &m), 0);
        a = &m->apps[0];
        assert_string_equal(pod_app_annotation(a, APP_ANNOTATION_GROUP), "of-user");
        assert_string_equal(pod_app_annotation(a, APP_ANNOTATION_COPY_UP), "redis-volume-data");
        assert_string_equal(pod_app_annotation(a, APP_ANNOTATION_UNIT),
                            "KillSignal=SIGQUIT\nSuccessExitStatus=SIGQUIT\n");
        assert_int_equal(compose(IMAGE(DOCKER), &(AppSpec){ .group = (char[]){ "staff" } }, &with_group), 0);
        assert_null(pod_app_annotation(&with_group->apps[0], APP_ANNOTATION_GROUP));
        assert_int_equal(compose(IMAGE(""), &(AppSpec){}, &plain), 0);
        assert_null(pod_app_annotation(&plain->apps[0], APP_ANNOTATION_UNIT));
        assert_null(pod_app_annotation(&plain->apps[0], APP_ANNOTATION_COPY_UP));
}

/* Volumes of the pod file are filled where it says so, whoever made the image. */
static void test_copy_up(void **state) {
        static const char *const images[] = { IMAGE(DOCKER), IMAGE("") };

        /* said so, not said, said whose it is, said not so; only the second depends on the image */
        for (size_t i = 0; i < ELEMENTSOF(images) * 4; i++) {
                const size_t what = i % 4;
                VolumeSpec v = { .name = (char[]){ "kept" },
                                 .persistent = 1,
                                 .mode = -1,
                                 .uid = what == 2 ? 7 : -1,
                                 .gid = -1,
                                 .copy_up = what == 0   ? 1
                                            : what == 3 ? 0
                                                        : -1 };
                MountSpec mount = { .volume = v.name, .target = (char[]){ "/data" } };
                AppSpec app = {
                        .name = (char[]){ "redis" }, .image = (char[]){ "x" }, .mounts = &mount, .n_mounts = 1
                };
                PodSpec spec = {
                        .name = (char[]){ "shop" }, .apps = &app, .n_apps = 1, .volumes = &v, .n_volumes = 1
                };
                _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
                _cleanup_(image_manifest_freep) ImageManifest *im = NULL;
                _cleanup_strv_free_ char **warnings = NULL;

                assert_int_equal(image_manifest_parse(images[i / 4], strlen(images[i / 4]), &im, NULL), 0);
                assert_int_equal(pod_compose(&spec, &(ComposeImage){ .id = "sha512-00", .manifest = im },
                                             &(ComposeOptions){ .volumes_dir = "/v" }, &m, &warnings, NULL),
                                 0);
                if (what == 0 || (what == 1 && i < 4))
                        assert_string_equal(pod_app_annotation(&m->apps[0], APP_ANNOTATION_COPY_UP), "kept");
                else
                        assert_null(pod_app_annotation(&m->apps[0], APP_ANNOTATION_COPY_UP));
        }
}

/* An image cannot say what its unit runs. */
static void test_hostile(void **state) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL, *none = NULL;
        char *args[] = { NULL };

        assert_int_equal(compose(IMAGE(HOSTILE), &(AppSpec){}, &m), 0);
        assert_null(pod_app_annotation(&m->apps[0], APP_ANNOTATION_UNIT));
        assert_true(compose(IMAGE(HOSTILE), &(AppSpec){ .args = args, .has_args = true }, &none) < 0);
}

/* Whose word it is that an app has a user whom no pod has of its own. */
static void test_users(void **state) {
        static const char image[] =
                "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"example.com/high\","
                "\"app\":{\"exec\":[\"/x\"],\"user\":\"70000\",\"group\":\"70000\","
                "\"supplementaryGIDs\":[70000]}}";
        AppSpec apps[] = {
                {},
                { .user = (char[]){ "5" } },
                { .user = (char[]){ "65536" } },
                { .group = (char[]){ "65536" } },
                { .user = (char[]){ "anna" }, .group = (char[]){ "65535" } },
        };

        for (size_t i = 0; i < ELEMENTSOF(apps); i++) {
                _cleanup_(pod_manifest_freep) PodManifest *m = NULL, *again = NULL;
                _cleanup_(image_manifest_freep) ImageManifest *im = NULL;
                _cleanup_strv_free_ char **warnings = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                PodSpec spec = { .name = (char[]){ "shop" }, .apps = &apps[i], .n_apps = 1 };
                const bool given = i == 2 || i == 3;

                assert_int_equal(compose(image, &apps[i], &m), 0);
                assert_string_equal(str_or(pod_app_annotation(&m->apps[0], APP_ANNOTATION_USERS), ""),
                                    given ? "given" : "");

                /* all that a given manifest says is the administrator's word */
                assert_int_equal(image_manifest_parse(image, strlen(image), &im, NULL), 0);
                assert_int_equal(str_replace(&m->apps[0].image.id, ID), 0);
                apps[i].name = m->apps[0].name; /* that of compose() is gone */
                if (pod_compose(&spec, &(ComposeImage){ .id = ID, .manifest = im },
                                &(ComposeOptions){ .volumes_dir = "/v", .manifest = m }, &again, &warnings,
                                &e) < 0)
                        fail_msg("%s", error_text(&e, 0));
                assert_string_equal(pod_app_annotation(&again->apps[0], APP_ANNOTATION_USERS), "given");
        }
}

/* Of which pod file a pod is; a manifest that says so is believed only as that of a pod file. */
static void test_pod_file(void **state) {
        PodSpec spec = { .name = (char[]){ "shop" }, .source = (char[]){ "/etc/rkt/pods/shop.pod" } };
        _cleanup_(pod_manifest_freep) PodManifest *first = NULL, *second = NULL;
        ComposeOptions o = { .volumes_dir = "/v" };

        spec.is_mutable = true; /* needs no apps */
        assert_int_equal(pod_compose(&spec, NULL, &o, &first, NULL, NULL), 0);
        assert_string_equal(pod_manifest_annotation(first, POD_ANNOTATION_FILE), spec.source);
        spec.source = NULL;
        o.manifest = first;
        assert_int_equal(pod_compose(&spec, NULL, &o, &second, NULL, NULL), 0);
        assert_string_equal(pod_manifest_annotation(second, POD_ANNOTATION_FILE), "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_command), cmocka_unit_test(test_annotations),
                cmocka_unit_test(test_copy_up), cmocka_unit_test(test_pod_file),
                cmocka_unit_test(test_hostile), cmocka_unit_test(test_users),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

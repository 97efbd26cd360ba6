/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests beyond the specification's own vectors: robustness.md 3.7 by number, both directions, and the functions that
 * build a manifest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"

#include <fcntl.h>

#define IMAGE(more)                                                                                          \
        "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"example.com/app\"" more "}"
#define APP(more)     IMAGE(",\"app\":{\"user\":\"0\",\"group\":\"0\"" more "}")
#define POD(more)     "{\"acVersion\":\"0.8.11\",\"acKind\":\"PodManifest\"" more "}"
#define POD_APP(more) POD(",\"apps\":[{\"name\":\"a\",\"image\":{}" more "}]")

typedef struct Case {
        const char *text;
        int r;
} Case;

static void check_image(const char *text, int want) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        r = image_manifest_parse(text, strlen(text), &m, &e);
        if (r != want)
                fail_msg("'%s': %d instead of %d: %s", text, r, want, error_text(&e, r));
        if (r < 0)
                assert_non_null(startswith(e.message, "image manifest: "));
}

static void check_pod(const char *text, int want) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        r = pod_manifest_parse(text, strlen(text), &m, &e);
        if (r != want)
                fail_msg("'%s': %d instead of %d: %s", text, r, want, error_text(&e, r));
        if (r < 0)
                assert_non_null(startswith(e.message, "pod manifest: "));
}

static const Case image_cases[] = {
        { IMAGE(""), 0 },
        { IMAGE("") "\n", 0 },
        { "[]", -EINVAL }, /* 97 */
        { "null", -EINVAL },
        { IMAGE("") " {}", -EBADMSG },
        { "{\"acVersion\":\"0.8.11\",\"name\":\"a\"}", -ENODATA }, /* 104 */
        { "{\"acKind\":\"PodManifest\",\"acVersion\":\"0.8.11\",\"name\":\"a\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"name\":\"a\"}", -ENODATA },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"banana\",\"name\":\"a\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.0.0\",\"name\":\"a\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":1,\"name\":\"a\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\"}", -ENODATA }, /* 105 */
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"A\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"a b\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"a\\nb\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"/a\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"..\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"a/../b\"}", -EINVAL },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":null}", -ENODATA },
        { "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"NAME\":\"a\"}", 0 }, /* 101 */
        { IMAGE(",\"name\":\"b\""), -ENOTUNIQ },
        { IMAGE(",\"Name\":\"b\""), -ENOTUNIQ },
        { IMAGE(",\"labels\":[{\"name\":\"name\",\"value\":\"x\"}]"), -EINVAL }, /* 106 */
        { IMAGE(",\"labels\":[{\"name\":\"a\",\"value\":\"x\"},{\"name\":\"a\",\"value\":\"x\"}]"),
          -ENOTUNIQ },
        { IMAGE(",\"labels\":[{\"name\":\"os\",\"value\":\"plan9\"}]"), -EINVAL },
        { IMAGE(",\"labels\":[{\"name\":\"os\",\"value\":\"linux\"},{\"name\":\"arch\",\"value\":"
                "\"x86_64\"}]"),
          -EINVAL },
        { IMAGE(",\"labels\":[{\"name\":\"arch\",\"value\":\"bogus\"}]"), 0 },
        { IMAGE(",\"labels\":[{\"value\":\"x\"}]"), -ENODATA },
        { IMAGE(",\"labels\":[{\"name\":\"a\"}]"), 0 },
        { IMAGE(",\"app\":null"), 0 },
        { IMAGE(",\"app\":{}"), -ENODATA },
        { APP(""), 0 },
        { IMAGE(",\"app\":{\"user\":0,\"group\":\"0\"}"), -EINVAL },
        { APP(",\"exec\":\"/bin/sh\""), -EINVAL }, /* 107 */
        { APP(",\"exec\":[\"sh\",\"a\\nb\",\"%n $HOME ; \\\"\"]"), 0 },
        { APP(",\"environment\":[{\"name\":\"A\",\"value\":\"a\\nb\"}]"), 0 }, /* 108 */
        { APP(",\"environment\":[{\"name\":\"A=B\",\"value\":\"\"}]"), -EINVAL },
        { APP(",\"environment\":[{\"name\":\"A\",\"value\":\"\"},{\"name\":\"A\",\"value\":\"\"}]"),
          -ENOTUNIQ },
        { IMAGE(",\"app\":{\"user\":\"0\\nX\",\"group\":\"0\"}"), -EINVAL }, /* 109 */
        { IMAGE(",\"app\":{\"user\":\"4294967295\",\"group\":\"0\"}"), -EINVAL },
        { IMAGE(",\"app\":{\"user\":\"4294967294\",\"group\":\"0\"}"), 0 },
        { IMAGE(",\"app\":{\"user\":\"/../../etc/shadow\",\"group\":\"0\"}"), 0 },
        { IMAGE(",\"app\":{\"user\":\"0\",\"group\":\"\"}"), -EINVAL },
        { APP(",\"workingDirectory\":\"a\""), -EINVAL }, /* 110 */
        { APP(",\"workingDirectory\":\"\""), 0 },
        /* a line of a unit: nothing that ends it, or begins another */
        { APP(",\"workingDirectory\":\"/tmp/\\nNoNewPrivileges=no\""), -EINVAL },
        { APP(",\"workingDirectory\":\"/tmp/\\u007f\""), -EINVAL },
        { APP(",\"workingDirectory\":\"/tmp/../..\""), -EINVAL },
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"/dev/a\\nExecStartPre=+/x\"}]"), -EINVAL },
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"/a/../../b\"}]"), -EINVAL }, /* 111 */
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"a\"}]"), -EINVAL },
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"/proc\"}]"), -EINVAL },
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"//proc/self\"}]"), -EINVAL },
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"/process\"}]"), 0 },
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"/a..b/...\"}]"), 0 },
        { APP(",\"mountPoints\":[{\"name\":\"a\",\"path\":\"/a\"},{\"name\":\"a\",\"path\":\"/b\"}]"),
          -ENOTUNIQ },
        { APP(",\"mountPoints\":[{\"path\":\"/a\"}]"), -ENODATA },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":70000}]"), -ERANGE }, /* 112 */
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":0}]"), -ERANGE },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":65535,\"count\":1}]"), 0 },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":65535,\"count\":2}]"), -ERANGE },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":1,\"count\":65535}]"), 0 },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":1,\"count\":"
              "18446744073709551615}]"),
          -ERANGE },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":80.0}]"), -EINVAL },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":\"80\"}]"), -EINVAL },
        { APP(",\"ports\":[null]"), -EINVAL },
        { APP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":1},"
              "{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":2}]"),
          -ENOTUNIQ },
        { APP(",\"isolators\":[{\"name\":\"example.com/unknown\",\"value\":[1]}]"), 0 }, /* 113 */
        { APP(",\"isolators\":[{\"name\":\"os/linux/"
              "capabilities-retain-set\",\"value\":{\"set\":[\"CAP_KILL\"]}},"
              "{\"name\":\"os/linux/capabilities-remove-set\",\"value\":{\"set\":[\"CAP_KILL\"]}}]"),
          -EINVAL },
        { APP(",\"isolators\":[{\"name\":\"os/linux/"
              "seccomp-retain-set\",\"value\":{\"set\":[\"read\"]}},"
              "{\"name\":\"os/linux/seccomp-remove-set\",\"value\":{\"set\":[\"read\"]}}]"),
          -EINVAL },
        { APP(",\"isolators\":[{\"name\":\"resource/memory\",\"value\":{\"limit\":\"99999E\"}}]"), -ERANGE },
        { APP(",\"isolators\":[{\"name\":\"resource/cpu\",\"value\":{\"limit\":\"-1\"}}]"), -EINVAL },
        { APP(",\"isolators\":[{\"name\":\"resource/cpu\",\"value\":{\"limit\":1.5}}]"), 0 },
        { APP(",\"isolators\":[{\"name\":\"resource/cpu\"}]"), -ENODATA },
        { APP(",\"isolators\":[{\"name\":\"resource/cpu\",\"value\":null}]"), -ENODATA },
        { APP(",\"isolators\":[{\"name\":\"os/linux/cpu-shares\",\"value\":2},"
              "{\"name\":\"os/linux/cpu-shares\",\"value\":2}]"),
          -ENOTUNIQ },
        { APP(",\"isolators\":[{\"name\":\"os/linux/cpu-shares\",\"value\":\"1024\"}]"), -EINVAL },
        { APP(",\"isolators\":[{\"name\":\"os/linux/cpu-shares\",\"value\":262144}]"), 0 },
        { APP(",\"isolators\":[{\"name\":\"os/linux/cpu-shares\",\"value\":262145}]"), -ERANGE },
        { APP(",\"supplementaryGIDs\":[-1]"), -ERANGE }, /* 114 */
        { APP(",\"supplementaryGIDs\":[4294967296]"), -ERANGE },
        { APP(",\"supplementaryGIDs\":[4294967294,0]"), 0 },
        { APP(",\"supplementaryGids\":[true]"), -ERANGE },
        { APP(",\"eventHandlers\":[{\"name\":\"post-start\",\"exec\":[\"/a\"]}]"), -EINVAL }, /* 115 */
        { APP(",\"eventHandlers\":[{\"name\":\"pre-start\"},{\"name\":\"pre-start\"}]"), -ENOTUNIQ },
        { APP(",\"eventHandlers\":[{\"name\":\"pre-start\",\"exec\":[\"+/a\"]}]"), -EINVAL },
        { APP(",\"eventHandlers\":[{\"name\":\"post-stop\",\"exec\":[\"\"]}]"), -EINVAL },
        { APP(",\"userLabels\":{\"a\":1}"), -EINVAL },
        { IMAGE(",\"dependencies\":[{\"imageName\":\"a\",\"imageID\":\"sha512-xyz\"}]"), -EINVAL }, /* 116 */
        { IMAGE(",\"dependencies\":[{\"imageName\":\"a\",\"imageID\":\"sha256-00\"}]"), -EINVAL },
        { IMAGE(",\"dependencies\":[{\"app\":\"a\"}]"), -ENODATA },
        { IMAGE(",\"dependencies\":[{\"imageName\":\"a\",\"size\":-1}]"), -ERANGE },
        { IMAGE(",\"pathWhitelist\":[\"/../x\",\"\"]"), 0 }, /* 117 */
        { IMAGE(",\"annotations\":[{\"name\":\"created\",\"value\":\"\"}]"), -EINVAL },
        { IMAGE(",\"annotations\":[{\"name\":\"created\",\"value\":\"2014-10-27T19:32:27.67021798Z\"}"
                "]"),
          0 },
        { IMAGE(",\"annotations\":[{\"name\":\"homepage\",\"value\":\"http:\"}]"), -EINVAL },
        { IMAGE(",\"unknown\":[1e999,{\"a\":null}]"), 0 },
};

static void test_image_cases(void **state) {
        FOREACH_ARRAY (c, image_cases, ELEMENTSOF(image_cases))
                check_image(c->text, c->r);
}

static void test_pod_cases(void **state) {
        _cleanup_free_ char *longest = NULL, *too_long = NULL;
        char name[AC_APP_NAME_MAX + 2] = {};
        static const Case cases[] = {
                { POD(""), 0 },
                { POD_APP(""), 0 },
                { "{\"acKind\":\"PodManifest\"}", -ENODATA },
                { POD(",\"apps\":[{\"name\":\"a\",\"image\":{}},{\"name\":\"a\",\"image\":{}}]"),
                  -ENOTUNIQ }, /* 119 */
                { POD(",\"apps\":[{\"name\":\"..\",\"image\":{}}]"), -EINVAL },
                { POD(",\"apps\":[{\"name\":\"a\"}]"), -ENODATA },
                { POD_APP(",\"mounts\":[{\"volume\":\"v\",\"path\":\"/p\"}]"), 0 },
                { POD_APP(",\"mounts\":[{\"volume\":\"v\"}]"), -ENODATA },
                { POD_APP(",\"mounts\":[{\"volume\":\"v\",\"path\":\"/../p\"}]"), -EINVAL },
                { POD_APP(",\"app\":{\"user\":\"0\"}"), -ENODATA },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"host\",\"source\":\"tmp\"}]"), -EINVAL },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"host\",\"source\":\"/tmp\",\"uid\":0}]"),
                  -EINVAL },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"Host\",\"source\":\"/tmp\"}]"), -EINVAL },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"empty\",\"mode\":493}]"), -EINVAL },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"empty\",\"mode\":\"rwx\"}]"), -EINVAL },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"empty\",\"uid\":-1}]"), -ERANGE },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"empty\",\"source\":\"/tmp\"}]"), -EINVAL },
                { POD(",\"volumes\":[{\"name\":\"a\",\"kind\":\"empty\"},{\"name\":\"a\",\"kind\":\"empty\"}"
                      "]"),
                  -ENOTUNIQ },
                { POD(",\"isolators\":[{\"name\":\"example.com/unknown\",\"value\":0}]"), 0 },
                { POD(",\"isolators\":[{\"name\":\"os/unix/sysctl\",\"value\":{\"a\":1}}]"), -EINVAL },
                { POD(",\"ports\":[{\"name\":\"a\",\"hostPort\":80,\"hostIP\":\"::1\"}]"), 0 },
                { POD(",\"ports\":[{\"name\":\"a\",\"hostPort\":80,\"hostIP\":\"010.0.0.1\"}]"), -EINVAL },
                { POD(",\"ports\":[{\"name\":\"a\",\"hostPort\":80,\"hostIP\":\"localhost\"}]"), -EINVAL },
                { POD(",\"ports\":[{\"name\":\"a\",\"hostPort\":65536}]"), -ERANGE },
                { POD(",\"ports\":[{\"name\":\"a\",\"podPort\":{\"name\":\"a\",\"protocol\":\"tcp\",\"port\":"
                      "0}}]"),
                  -ERANGE },
                { POD(",\"annotations\":[{\"name\":\"a\",\"value\":\"\"},{\"name\":\"a\",\"value\":\"\"}]"),
                  -ENOTUNIQ },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases))
                check_pod(c->text, c->r);
        memset(name, 'a', AC_APP_NAME_MAX);
        longest = strf(POD(",\"apps\":[{\"name\":\"%s\",\"image\":{}}]"), name);
        check_pod(longest, 0);
        name[AC_APP_NAME_MAX] = 'a';
        too_long = strf(POD(",\"apps\":[{\"name\":\"%s\",\"image\":{}}]"), name);
        check_pod(too_long, -EINVAL);
}

/* 118: 50000 annotations are read in time that grows with their number, not with its square. */
static void test_many_annotations(void **state) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_add(&b,
                   "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"a\",\"annotations\":[");
        for (unsigned i = 0; i < 50000; i++)
                strbuf_addf(&b, "%s{\"name\":\"a%u\",\"value\":\"v\"}", i ? "," : "", i);
        strbuf_add(&b, "]}");
        assert_false(b.failed);
        assert_int_equal(image_manifest_parse(b.data, b.size, &m, NULL), 0);
        assert_int_equal(m->n_annotations, 50000);
}

static char *read_corpus(const char *name) {
        _cleanup_free_ char *path = NULL;
        char *data;
        size_t size;

        path = strf("%s/corpus/%s", getenv("RKT_TEST_DATA"), name);
        assert_int_equal(file_read_at(AT_FDCWD, path, JSON_SIZE_MAX, &data, &size), 0);
        return data;
}

static void test_image_round_trip(void **state) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL, *again = NULL;
        _cleanup_free_ char *text = read_corpus("fuzz-image-manifest/full.json"), *first = NULL,
                            *second = NULL;
        const AcIsolator *i;
        int64_t number;

        assert_int_equal(image_manifest_parse(text, strlen(text), &m, NULL), 0);
        assert_string_equal(m->name, "example.com/reduce-worker");
        assert_string_equal(image_manifest_label(m, "arch"), "amd64");
        assert_string_equal(image_manifest_annotation(m, "authors"), "Carly Container");
        assert_null(image_manifest_annotation(m, "homepage"));
        assert_int_equal(m->app->n_supplementary_gids, 2);
        assert_int_equal(m->app->supplementary_gids[1], 500);
        assert_string_equal(ac_app_event_handler(m->app, "pre-start")[0], "/usr/bin/data-downloader");
        assert_string_equal(m->app->environment[0].value, "true\n<&>");
        assert_string_equal(ac_app_find_mount_point(m->app, "work")->path, "/var/lib/work");
        assert_int_equal(ac_app_find_port(m->app, "health")->count, 1);
        assert_true(ac_app_find_port(m->app, "health")->socket_activated);
        i = ac_isolators_find(m->app->isolators, m->app->n_isolators, AC_ISOLATOR_CPU);
        assert_int_equal(ac_quantity_milli(&i->limit, &number), 0);
        assert_int_equal(number, 500);
        i = ac_isolators_find(m->app->isolators, m->app->n_isolators, AC_ISOLATOR_MEMORY);
        assert_int_equal(ac_quantity_integer(&i->limit, &number), 0);
        assert_int_equal(number, 2684354560);
        i = ac_isolators_find(m->app->isolators, m->app->n_isolators, AC_ISOLATOR_SECCOMP_RETAIN);
        assert_string_equal(i->errno_name, "EPERM");
        assert_string_equal(i->set[0], "@appc.io/all");
        i = ac_isolators_find(m->app->isolators, m->app->n_isolators, AC_ISOLATOR_OOM_SCORE_ADJ);
        assert_int_equal(i->number, -5);
        assert_null(ac_isolators_find(m->app->isolators, m->app->n_isolators, AC_ISOLATOR_SYSCTL));
        assert_int_equal(m->dependencies[0].size, 22017258);
        assert_int_equal(strv_length(m->path_whitelist), 2);

        assert_int_equal(image_manifest_to_string(m, &first), 0);
        assert_int_equal(image_manifest_parse(first, strlen(first), &again, NULL), 0);
        assert_int_equal(image_manifest_to_string(again, &second), 0);
        assert_string_equal(first, second);
        assert_non_null(strstr(first, "\"value\":\"true\\n\\u003c\\u0026\\u003e\""));
        assert_non_null(strstr(
                first, "{\"name\":\"resource/memory\",\"value\":{\"request\":\"1G\",\"limit\":\"2.5Gi\"}}"));
        assert_non_null(strstr(first, "\"userAnnotations\":{\"a\":\"2\",\"b\":\"1\"}"));
        assert_non_null(strstr(first, "\"count\":1,\"socketActivated\":true"));
}

static void test_pod_round_trip(void **state) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL, *again = NULL;
        _cleanup_free_ char *text = read_corpus("fuzz-pod-manifest/full.json"), *first = NULL, *second = NULL;

        assert_int_equal(pod_manifest_parse(text, strlen(text), &m, NULL), 0);
        assert_true(m->apps[0].read_only_root);
        assert_string_equal(m->apps[0].mounts[1].app_volume->mode, "0700");
        assert_string_equal(m->volumes[1].mode, "0755");
        assert_int_equal(m->volumes[0].read_only, 1);
        assert_int_equal(m->volumes[0].recursive, 0);
        assert_int_equal(m->volumes[1].recursive, -1);
        assert_string_equal(m->ports[0].pod_port->protocol, "tcp");
        assert_string_equal(
                ac_isolators_find(m->isolators, m->n_isolators, AC_ISOLATOR_SYSCTL)->sysctls[0].value, "128");
        assert_int_equal(pod_manifest_to_string(m, &first), 0);
        assert_int_equal(pod_manifest_parse(first, strlen(first), &again, NULL), 0);
        assert_int_equal(pod_manifest_to_string(again, &second), 0);
        assert_string_equal(first, second);
}

static void test_build_pod(void **state) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_free_ char *text = NULL;
        AcVolume *v;
        PodApp *a;

        assert_int_equal(pod_manifest_new(&m), 0);
        assert_int_equal(pod_manifest_add_app(m, "web", &a), 0);
        assert_int_equal(pod_manifest_add_app(m, "web", &a), -EEXIST);
        assert_int_equal(pod_manifest_add_app(m, "We", &a), -EINVAL);
        a = pod_manifest_find_app(m, "web");
        a->image.id = strdup("sha512-ab");
        assert_int_equal(ac_app_new(&a->app), 0);
        assert_int_equal(ac_pairs_set(&a->app->environment, &a->app->n_environment, "A", "b"), 0);
        assert_int_equal(ac_isolators_add(&a->app->isolators, &a->app->n_isolators,
                                          "os/linux/no-new-privileges", " true", NULL),
                         0);
        assert_int_equal(
                ac_isolators_add(&a->app->isolators, &a->app->n_isolators, "os/linux/cpu-shares", "1", NULL),
                -ERANGE);
        assert_int_equal(ac_app_add_mount_point(a->app, "data", "/data", true), 0);
        assert_int_equal(pod_app_set_annotation(a, "rkt.systemd/unit", "[Service]\n"), 0);
        assert_int_equal(pod_app_set_annotation(a, "Bad Name", ""), -EINVAL);
        assert_int_equal(pod_app_add_mount(a, "data", "/data"), 0);
        assert_int_equal(pod_app_add_mount(a, "data", "data"), -EINVAL);
        assert_int_equal(pod_manifest_add_volume(m, "data", &v), 0);
        v->kind = AC_VOLUME_EMPTY;
        assert_int_equal(ac_volume_check(v, NULL), 0);
        assert_int_equal(pod_manifest_set_annotation(m, "rkt.systemd/exit-policy", "all"), 0);
        assert_int_equal(pod_manifest_check(m, NULL), 0);
        assert_int_equal(pod_manifest_to_string(m, &text), 0);
        assert_string_equal(
                text,
                "{\"acVersion\":\"0.8.11\",\"acKind\":\"PodManifest\",\"apps\":[{\"name\":\"web\",\"image\":{"
                "\"id\":"
                "\"sha512-ab\"},\"app\":{\"exec\":null,\"user\":\"0\",\"group\":\"0\",\"environment\":[{"
                "\"name\":\"A\","
                "\"value\":\"b\"}],\"mountPoints\":[{\"name\":\"data\",\"path\":\"/"
                "data\",\"readOnly\":true}],"
                "\"isolators\":[{\"name\":\"os/linux/"
                "no-new-privileges\",\"value\":true}]},\"mounts\":[{\"volume\":"
                "\"data\",\"path\":\"/data\"}],\"annotations\":[{\"name\":\"rkt.systemd/unit\",\"value\":"
                "\"[Service]\\n\"}]}],\"volumes\":[{\"name\":\"data\",\"kind\":\"empty\",\"mode\":\"0755\","
                "\"uid\":0,"
                "\"gid\":0}],\"isolators\":null,\"annotations\":[{\"name\":\"rkt.systemd/"
                "exit-policy\",\"value\":"
                "\"all\"}],\"ports\":null}");
}

/* What was read can grow: lists of every length around those at which memory grows. */
static void test_grow_what_was_read(void **state) {
        for (unsigned n = 0; n < 20; n++) {
                _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
                _cleanup_(ac_app_freep) AcApp *copy = NULL;
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

                strbuf_add(&b,
                           "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"a\",\"app\":"
                           "{\"user\":\"u\",\"group\":\"g\",\"environment\":[");
                for (unsigned i = 0; i < n; i++)
                        strbuf_addf(&b, "%s{\"name\":\"E%u\",\"value\":\"v\"}", i ? "," : "", i);
                strbuf_add(&b, "],\"mountPoints\":[");
                for (unsigned i = 0; i < n; i++)
                        strbuf_addf(&b, "%s{\"name\":\"m%u\",\"path\":\"/m\"}", i ? "," : "", i);
                strbuf_add(&b, "]}}");
                assert_int_equal(image_manifest_parse(b.data, b.size, &m, NULL), 0);
                assert_int_equal(ac_app_copy(m->app, &copy, NULL), 0);
                assert_int_equal(copy->n_environment, n);
                for (unsigned i = 0; i < 10; i++) {
                        char name[16];

                        (void) snprintf(name, sizeof(name), "F%u", i);
                        assert_int_equal(ac_pairs_set(&copy->environment, &copy->n_environment, name, "w"),
                                         0);
                        assert_int_equal(ac_app_add_mount_point(copy, "x", "/x", false), 0);
                }
                assert_int_equal(copy->n_environment, n + 10);
                assert_string_equal(ac_pairs_get(copy->environment, copy->n_environment, "F9"), "w");
        }
}

static void test_error_text(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { IMAGE(",\"labels\":[{\"name\":\"os\",\"value\":\"linux\"},{\"name\":\"arch\",\"value\":"
                        "\"arm64\"}]"),
                  "image manifest: labels: os 'linux' with arch 'arm64' is not known" },
                { APP(",\"environment\":[{\"name\":\"0\",\"value\":\"\"}]"),
                  "image manifest: app: '0' cannot be the name of a variable" },
                { APP(",\"isolators\":[{\"name\":\"resource/memory\",\"value\":{\"limit\":\"1Q\"}}]"),
                  "image manifest: app: isolators: entry 1: resource/memory: limit: '1Q' is no quantity as "
                  "500m or 1.5Gi "
                  "(byte 162)" },
                { APP(",\"user\":\"1\""), "image manifest: byte 112: second member 'user'" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
                _cleanup_error_ Error e = ERROR_INIT;

                assert_true(image_manifest_parse(c->text, strlen(c->text), &m, &e) < 0);
                assert_string_equal(e.message, c->message);
        }
}

static void test_quantity_bounds(void **state) {
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                { ".", -EINVAL },
                { "-", -EINVAL },
                { "+", -EINVAL },
                { "m", -EINVAL },
                { "Mi", -EINVAL },
                { "e3", -EINVAL },
                { "1e", -EINVAL },
                { "1e+", -EINVAL },
                { "1GB", -EINVAL },
                { "1 Mi", -EINVAL },
                { "1KI", -EINVAL },
                { "1g", -EINVAL },
                { "1K", 0 },
                { "1e1000000", -ERANGE },
                { "1e2147483648", -ERANGE },
                { "1e-2147483648", 0 },
                { "1e29", 0 },
                { "1e30", -ERANGE },
                { "9Ei", 0 },
                { "99999999999999999999999999999999999999999999Ki", -ERANGE },
                { "0.000000000000000000000000000000000000000000000000001", 0 },
                { "170141183460469231731687303715884105728", -ERANGE },
                { "--1", -EINVAL },
                { "1..", -EINVAL },
                { "0x10", -EINVAL },
                { "1e1e1", -EINVAL },
        };
        AcQuantity q;
        int64_t i;

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases))
                if (ac_quantity_parse(c->text, &q) != c->r)
                        fail_msg("'%s': expected %d", c->text, c->r);
        assert_int_equal(ac_quantity_parse("9Ei", &q), 0);
        assert_int_equal(ac_quantity_integer(&q, &i), 0);
        assert_true(i == INT64_MAX);
        assert_int_equal(ac_quantity_parse("1e-2147483648", &q), 0);
        assert_true(q.nano == 1);
        assert_int_equal(ac_quantity_parse("1E", &q), 0);
        assert_int_equal(ac_quantity_integer(&q, &i), 0);
        assert_true(i == INT64_C(1000000000000000000));
        assert_int_equal(ac_quantity_parse("0.000000000931322574615478515625Gi", &q), 0);
        assert_true(q.nano == 1000000000);
}

static void test_strings(void **state) {
        static const struct {
                const char *text;
                int r;
        } ports[] = {
                { "http,protocol=tcp,port=80", 0 },
                { "http,protocol=tcp,port=80,count=2,socketActivated=T", 0 },
                { "http,port=80", -EINVAL },
                { "http,protocol=tcp", -ERANGE },
                { "http,protocol=tcp,port=65536", -ERANGE },
                { "http,protocol=tcp,port=80,port=81", -ENOTUNIQ },
                { "http,protocol=tcp,port=80,a=b", -ENXIO },
                { "http,protocol=tcp,port", -EINVAL },
                { "", -EINVAL },
        };
        AcVolume v;
        AcPort p;

        FOREACH_ARRAY (c, ports, ELEMENTSOF(ports)) {
                int r = ac_port_from_string(c->text, &p, NULL);

                assert_int_equal(r, c->r);
                if (r >= 0)
                        ac_port_done(&p);
        }
        assert_int_equal(ac_volume_from_string("a,kind=host,source=/a=b%20c", &v, NULL), 0);
        assert_string_equal(v.source, "/a=b%20c");
        ac_volume_done(&v);
        assert_int_equal(ac_volume_from_string("a,kind=host,source=/a,source=/b", &v, NULL), -ENOTUNIQ);
        assert_int_equal(ac_volume_from_string("a,source=/a", &v, NULL), -EINVAL);
        assert_int_equal(ac_volume_from_string("a,kind=empty,uid=4294967295", &v, NULL), -ERANGE);
}

static void test_small_types(void **state) {
        static const char hex[] = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                                  "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
        AcPair labels[] = { { (char *) (uintptr_t) "os", (char *) (uintptr_t) "linux" },
                            { (char *) (uintptr_t) "version", (char *) (uintptr_t) "1" } };
        AcPair other = { (char *) (uintptr_t) "version", (char *) (uintptr_t) "2" };
        _cleanup_free_ char *id = strf("sha512-%s", hex), *longer = strf("sha512-%s0", hex), *version = NULL;
        const char *arch;
        int64_t usec;

        assert_true(ac_image_id_is_valid(id));
        assert_true(ac_image_id_is_prefix(id));
        assert_false(ac_image_id_is_prefix(longer));
        assert_false(ac_image_id_is_valid("sha512-ab"));
        assert_false(ac_image_id_is_prefix("sha512-AB"));
        assert_true(ac_labels_match(&labels[1], 1, labels, 2));
        assert_true(ac_labels_match(NULL, 0, labels, 2));
        assert_false(ac_labels_match(&other, 1, labels, 2));
        assert_false(ac_labels_match(labels, 2, labels, 1));
        assert_true(ac_os_arch_is_valid(ac_host_os(), ac_host_arch()));
        assert_int_equal(ac_arch_from_go("linux", "arm", "v7", &arch), 0);
        assert_string_equal(arch, "armv7l");
        assert_int_equal(ac_arch_from_go("linux", "arm", "", &arch), 0);
        assert_string_equal(arch, "armv6l");
        assert_int_equal(ac_arch_from_go("linux", "arm", "5", &arch), -ENXIO);
        assert_int_equal(ac_arch_from_go("linux", "arm64", "v8", &arch), 0);
        assert_int_equal(ac_arch_from_go("freebsd", "arm", "5", &arch), 0);
        assert_string_equal(arch, "arm");
        assert_int_equal(ac_arch_from_go("linux", "riscv64", "", &arch), -ENXIO);
        assert_int_equal(ac_version_normalize("01.2.3", &version), 0);
        assert_string_equal(version, "1.2.3");
        assert_int_equal(ac_date_parse("1970-01-02T00:00:00.5Z", &usec), 0);
        assert_int_equal(usec, INT64_C(86400500000));
        assert_int_equal(ac_date_parse("2016-02-29T12:00:00+01:30", &usec), 0);
        assert_int_equal(usec, INT64_C(1456741800000000));
        assert_int_equal(ac_date_parse("2015-02-29T12:00:00Z", &usec), -EINVAL);
        assert_int_equal(ac_date_parse("2015-02-28T12:00:60Z", &usec), -EINVAL);
        assert_int_equal(ac_date_parse("2015-02-28t12:00:00z", &usec), -EINVAL);
        assert_true(ac_capability_is_known("CAP_KILL"));
        assert_true(ac_capability_is_known("CAP_BPF"));
        assert_false(ac_capability_is_known("CAP_PONIES"));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_image_cases),        cmocka_unit_test(test_pod_cases),
                cmocka_unit_test(test_many_annotations),   cmocka_unit_test(test_image_round_trip),
                cmocka_unit_test(test_pod_round_trip),     cmocka_unit_test(test_build_pod),
                cmocka_unit_test(test_grow_what_was_read), cmocka_unit_test(test_error_text),
                cmocka_unit_test(test_quantity_bounds),    cmocka_unit_test(test_strings),
                cmocka_unit_test(test_small_types),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

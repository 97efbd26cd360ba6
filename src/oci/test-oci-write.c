/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written is read by the readers of the same folder, and says the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "oci/docker-archive.h"
#include "oci/oci-config.h"
#include "oci/oci-digest.h"
#include "oci/oci-write.h"

#define D(c)                                                                                                 \
        "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c  \
                c c c c c c c c c c c c c c c c c c c
#define A D("a")
#define B D("b")
#define C D("c")

static const OciBlob layers[] = { { A, 1024 }, { B, UINT64_C(1) << 40 } };
static const OciImageParts parts = {
        .config = { C, 10 },
        .layers = layers,
        .n_layers = ELEMENTSOF(layers),
        .annotations =
                (AcPair[]){ { (char[]){ "z" }, (char[]){ "1" } }, { (char[]){ "a" }, (char[]){ "\"2\"" } } },
        .n_annotations = 2,
};

static void test_manifest(void **state) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(oci_manifest_write(&parts, &text), 0);
        assert_string_equal(
                text, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_MANIFEST
                      "\",\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":\"" C
                      "\",\"size\":10},\"layers\":[{\"mediaType\":\"" OCI_TYPE_LAYER "\",\"digest\":\"" A
                      "\",\"size\":1024},{\"mediaType\":\"" OCI_TYPE_LAYER "\",\"digest\":\"" B
                      "\",\"size\":1099511627776}],\"annotations\":{\"a\":\"\\\"2\\\"\",\"z\":\"1\"}}");
        assert_int_equal(oci_document_parse(text, strlen(text), NULL, OCI_TYPE_MANIFEST, &d, NULL), 0);
        assert_int_equal(oci_document_check_image(d, NULL), 0);
        assert_true(oci_manifest_is_plain(d, &parts));
}

/* Compressed layers, another config, fewer layers, Docker's form: a manifest of ours is needed. */
static void test_not_plain(void **state) {
        const OciBlob other[] = { { A, 1024 }, { C, 7 } };
        OciImageParts layer = parts, config = parts, fewer = parts;
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(oci_manifest_write(&parts, &text), 0);
        assert_int_equal(oci_document_parse(text, strlen(text), NULL, OCI_TYPE_MANIFEST, &d, NULL), 0);
        layer.layers = other;
        assert_false(oci_manifest_is_plain(d, &layer));
        config.config.digest = A;
        assert_false(oci_manifest_is_plain(d, &config));
        fewer.n_layers = 1;
        assert_false(oci_manifest_is_plain(d, &fewer));
        assert_int_equal(str_replace(&d->media_type, OCI_TYPE_DOCKER_MANIFEST), 0);
        assert_false(oci_manifest_is_plain(d, &parts));
}

static void test_index(void **state) {
        static const char *const names[] = { "docker.io/library/redis:7", "v1", NULL };
        const OciBlob manifest = { A, 500 };
        OciPlatform host = {};

        assert_int_equal(oci_platform_host(&host), 0);
        FOREACH_ARRAY (n, names, ELEMENTSOF(names)) {
                _cleanup_(oci_document_freep) OciDocument *d = NULL;
                const OciDescriptor *found = NULL;
                _cleanup_free_ char *text = NULL;

                assert_int_equal(oci_index_write(&manifest, *n, &text), 0);
                assert_int_equal(oci_document_parse(text, strlen(text), NULL, OCI_TYPE_INDEX, &d, NULL), 0);
                assert_int_equal(oci_layout_choose(d, *n, &host, &found, NULL), 0);
                assert_string_equal(found->digest, A);
                assert_int_equal(found->size, 500);
        }
        assert_int_equal(oci_layout_check(OCI_LAYOUT_TEXT, strlen(OCI_LAYOUT_TEXT), NULL), 0);
        oci_platform_done(&host);
}

static void test_docker_archive(void **state) {
        char *files[] = { (char[]){ "a.tar" }, (char[]){ "b.tar" }, NULL };
        _cleanup_(docker_archive_freep) DockerArchive *a = NULL;
        _cleanup_free_ char *text = NULL;
        const DockerArchiveImage *image;

        assert_int_equal(docker_archive_write("c.json", "redis:7", files, &text), 0);
        assert_string_equal(
                text,
                "[{\"Config\":\"c.json\",\"RepoTags\":[\"redis:7\"],\"Layers\":[\"a.tar\",\"b.tar\"]}]");
        assert_int_equal(docker_archive_parse(text, strlen(text), &a, NULL), 0);
        assert_int_equal(docker_archive_choose(a, "docker.io/library/redis:7", &image, NULL), 0);
}

static int write_config(const char *manifest, char **ret, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        char *ids[] = { (char[]){ A }, NULL };

        assert_int_equal(image_manifest_parse(manifest, strlen(manifest), &m, NULL), 0);
        return oci_config_write(m, ids, ret, e);
}

#define HEAD "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"example.com/a\","

static void test_config(void **state) {
        _cleanup_(oci_config_freep) OciConfig *c = NULL;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(
                write_config(
                        HEAD
                        "\"labels\":[{\"name\":\"os\",\"value\":\"linux\"},{\"name\":\"arch\",\"value\":"
                        "\"aarch64\"}],"
                        "\"annotations\":[{\"name\":\"created\",\"value\":\"2026-01-02T03:04:05Z\"}],"
                        "\"app\":{\"exec\":[\"/bin/a\",\"x "
                        "y\"],\"user\":\"7\",\"group\":\"g\",\"workingDirectory\":\"/srv\","
                        "\"environment\":[{\"name\":\"K\",\"value\":\"a=b\"}],"
                        "\"mountPoints\":[{\"name\":\"z\",\"path\":\"/z\"},{\"name\":\"a\",\"path\":\"/a\"}],"
                        "\"ports\":[{\"name\":\"p\",\"port\":80,\"protocol\":\"tcp\"},"
                        "{\"name\":\"q\",\"port\":5000,\"count\":3,\"protocol\":\"udp\"}]}}",
                        &text, NULL),
                0);
        assert_string_equal(
                text,
                "{\"created\":\"2026-01-02T03:04:05Z\",\"architecture\":\"arm64\",\"os\":"
                "\"linux\",\"config\":{\"User\":\"7:g\",\"ExposedPorts\":{\"5000-5002/udp\":{},\"80/"
                "tcp\":{}},"
                "\"Volumes\":{\"/a\":{},\"/z\":{}},\"Env\":[\"K=a=b\"],\"Entrypoint\":[\"/bin/a\",\"x y\"],"
                "\"WorkingDir\":\"/srv\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A "\"]}}");
        assert_int_equal(oci_config_parse(text, strlen(text), &c, NULL), 0);
        assert_string_equal(c->user, "7:g");
        assert_int_equal(oci_config_check_layers(c, 1, NULL), 0);
}

static void test_config_refused(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        char *text = NULL;

        assert_int_equal(
                write_config(HEAD "\"app\":{\"exec\":[\"/bin/a\"],\"user\":\"/etc/owner\",\"group\":\"0\"}}",
                             &text, &e),
                -EOPNOTSUPP);
        assert_string_equal(
                e.message, "the app runs as the owner of a file (user '/etc/owner', group '0'), which an OCI "
                           "image cannot say");
}

/* Nothing to run, no machine said. */
static void test_config_empty(void **state) {
        _cleanup_(oci_config_freep) OciConfig *c = NULL;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(write_config(HEAD "\"labels\":[]}", &text, NULL), 0);
        assert_int_equal(oci_config_parse(text, strlen(text), &c, NULL), 0);
        assert_non_null(c->platform.architecture);
        assert_null(c->entrypoint);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_manifest),     cmocka_unit_test(test_not_plain),
                cmocka_unit_test(test_index),        cmocka_unit_test(test_docker_archive),
                cmocka_unit_test(test_config),       cmocka_unit_test(test_config_refused),
                cmocka_unit_test(test_config_empty),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

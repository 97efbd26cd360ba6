/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, documents and configs of Docker and OCI images. R-ids: robustness, section 3.10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "oci/docker-archive.h"
#include "oci/oci-config.h"
#include "oci/oci-digest.h"
#include "oci/oci-document.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A     "sha256:" HEX_A
#define B     "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C     "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

/* NULL as @expect: refused, and @part stands in the sentence */
static const struct {
        const char *text, *expect, *part;
} names[] = {
        { "docker://redis", "docker://docker.io/library/redis:latest", NULL },
        { "docker:redis:7", "docker://docker.io/library/redis:7", NULL },
        { "docker://bitnami/redis", "docker://docker.io/bitnami/redis:latest", NULL },
        { "docker://registry-1.docker.io/library/redis", "docker://docker.io/library/redis:latest", NULL },
        { "docker://index.docker.io/redis", "docker://docker.io/library/redis:latest", NULL },
        { "cimd:docker:v=0:registry-1.docker.io/library/busybox:latest",
          "docker://docker.io/library/busybox:latest", NULL },
        { "docker://localhost/a", "docker://localhost/a:latest", NULL },
        { "docker://localhost:5000/a/b_c/d--e:v1.0", "docker://localhost:5000/a/b_c/d--e:v1.0", NULL },
        { "docker://[::1]:5000/a", "docker://[::1]:5000/a:latest", NULL },
        { "docker://Quay.IO/coreos/etcd@" A, "docker://quay.io/coreos/etcd@" A, NULL },
        { "docker://redis:7@" A, "docker://docker.io/library/redis:7@" A, NULL },
        { "oci:/srv/layout", "oci:/srv/layout", NULL },
        { "oci:layout:v1.0", "oci:layout:v1.0", NULL },
        { "oci-archive:/srv/a.tar:docker.io/library/redis:7",
          "oci-archive:/srv/a.tar:docker.io/library/redis:7", NULL },
        { "docker-archive:/srv/a.tar:redis:7", "docker-archive:/srv/a.tar:redis:7", NULL },
        { "docker-archive:a.tar:@1", "docker-archive:a.tar:@1", NULL },
        /* R9 */
        { "docker://redis:../x", NULL, "no registry" },
        { "docker://../x", NULL, "no registry" },
        { "docker://a/../x", NULL, "no name of a repository" },
        { "docker://a:b:c", NULL, "no tag" },
        { "docker://redis:", NULL, "no tag" },
        { "docker://Redis", NULL, "lower case" },
        { "docker://quay.io/A/b", NULL, "lower case" },
        { "docker://", NULL, "no name" },
        { "docker://a//b", NULL, "no name of a repository" },
        { "docker://a___b", NULL, "no name of a repository" },
        { "docker://a..b", NULL, "no name of a repository" },
        { "docker://a-", NULL, "no name of a repository" },
        { "docker://host:0/a", NULL, "no registry" },
        { "docker://host:65536/a", NULL, "no registry" },
        { "docker://a..b/c", NULL, "no registry" },
        { "docker://user@quay.io/a", NULL, "no digest" },
        { "docker://" HEX_A, NULL, "image ID" },
        { "docker://a,version=1", NULL, "no labels" },
        { "docker://a\nb", NULL, "control" },
        { "docker://a\xff", NULL, "UTF-8" },
        { "cimd:docker:v=1:redis", NULL, "version 0" },
        { "redis", NULL, "docker://NAME" },
        { "oci:", NULL, "no path" },
        { "oci::v1", NULL, "no path" },
        /* R3 */
        { "docker://redis@sha256:../..", NULL, "lower-case hex" },
        { "docker://redis@", NULL, "empty" },
        { "docker://redis@md5:d41d8cd98f00b204e9800998ecf8427e", NULL, "algorithm" },
        { "docker://redis@" A "@" A, NULL, "lower-case hex" },
        /* R12 */
        { "oci:/srv/layout:../../etc", NULL, "'..'" },
        { "oci:/srv/layout:/etc", NULL, "empty part" },
        { "oci:/srv/layout:a b", NULL, "made of" },
        { "oci:/srv/layout:", NULL, "1 to" },
};

static void test_names(void **state) {
        FOREACH_ARRAY (c, names, ELEMENTSOF(names)) {
                _cleanup_(oci_name_freep) OciName *n = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *text = NULL;
                int r = oci_name_parse(c->text, &n, &e);

                if (!c->expect) {
                        assert_true(r < 0);
                        if (!strstr(e.message, c->part))
                                fail_msg("%s: %s", c->text, e.message);
                        assert_null(strchr(e.message, '\n'));
                        continue;
                }
                if (r < 0)
                        fail_msg("%s", e.message);
                assert_int_equal(oci_name_to_string(n, &text), 0);
                assert_string_equal(text, c->expect);
        }
}

static void test_name_length(void **state) { /* R9 */
        char tag[300], name[400];

        for (unsigned length = 127; length < 200; length += 73) {
                _cleanup_(oci_name_freep) OciName *n = NULL;

                memset(tag, 'a', length);
                tag[length] = '\0';
                (void) snprintf(name, sizeof(name), "docker://redis:%s", tag);
                assert_int_equal(oci_name_parse(name, &n, NULL), length > 128 ? -EINVAL : 0);
        }
        memset(tag, 'a', 250);
        tag[250] = '\0';
        (void) snprintf(name, sizeof(name), "docker://quay.io/%s", tag);
        assert_int_equal(oci_name_parse(name, &(OciName *){ NULL }, NULL), -EINVAL);
}

static void test_name_identity(void **state) {
        _cleanup_(oci_name_freep) OciName *n = NULL;
        _cleanup_free_ char *cimd = NULL, *appc = NULL, *tagged = NULL;

        assert_int_equal(oci_name_parse("docker://redis:7@" A, &n, NULL), 0);
        assert_string_equal(n->host, "docker.io");
        assert_string_equal(oci_name_wire_host(n), "registry-1.docker.io");
        assert_string_equal(oci_name_registry_reference(n), A);
        assert_string_equal(n->original, "redis:7@" A);
        assert_int_equal(oci_name_to_cimd(n, &cimd), 0);
        assert_string_equal(cimd, "cimd:docker:v=0:registry-1.docker.io/library/redis:7@" A);
        assert_int_equal(oci_name_to_appc(n, &appc), 0);
        assert_string_equal(appc, "registry-1.docker.io/library/redis");
        assert_int_equal(oci_name_tagged(n, &tagged), 0);
        assert_string_equal(tagged, "docker.io/library/redis:7");
}

static void test_local_appc_name(void **state) {
        _cleanup_(oci_name_freep) OciName *n = NULL;
        _cleanup_free_ char *appc = NULL;

        assert_int_equal(oci_name_parse("oci-archive:/srv/My App.tar:v1", &n, NULL), 0);
        assert_int_equal(oci_name_to_appc(n, &appc), 0);
        assert_string_equal(appc, "my_app");
}

static void test_digest(void **state) { /* R3 */
        static const char *const bad[] = { "",
                                           "sha256",
                                           "sha256:",
                                           "sha256:../..",
                                           "sha256:aaaa",
                                           "sha256:A"
                                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                           A "a",
                                           "sha512:" HEX_A,
                                           "md5:d41d8cd98f00b204e9800998ecf8427e",
                                           "SHA256:" HEX_A };
        char path[OCI_BLOB_PATH_MAX];
        _cleanup_error_ Error e = ERROR_INIT;

        FOREACH_ARRAY (b, bad, ELEMENTSOF(bad))
                assert_false(oci_digest_is_valid(*b));
        assert_int_equal(oci_digest_to_path(A, path), 0);
        assert_string_equal(path, "blobs/sha256/" HEX_A);
        assert_true(oci_digest_is_valid("sha512:" HEX_A HEX_A));
        /* R1, R2: a mismatch names both */
        assert_int_equal(
                oci_digest_verify("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                  "", 0, "config", &e),
                0);
        assert_int_equal(oci_digest_verify(A, "", 0, "config", &e), -EBADMSG);
        assert_non_null(strstr(e.message, A));
        assert_non_null(strstr(e.message, "e3b0c44298"));
}

static void test_chain_id(void **state) {
        char a[] = A, b[] = B, c[] = C, *ids[] = { a, b, c, NULL };
        char one[OCI_DIGEST_MAX], two[OCI_DIGEST_MAX], expect[OCI_DIGEST_MAX];

        assert_int_equal(oci_chain_id(ids, 1, one, NULL), 0);
        assert_string_equal(one, A);
        assert_int_equal(oci_chain_id(ids, 2, two, NULL), 0);
        assert_int_equal(oci_digest_of(DIGEST_SHA256, A " " B, strlen(A " " B), expect), 0);
        assert_string_equal(two, expect);
        assert_int_equal(oci_chain_id(ids, 0, one, NULL), -EINVAL);
}

#define LAYER_TYPE          "application/vnd.oci.image.layer.v1.tar+gzip"
#define LAYER(type, digest) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":3000}"
#define CONFIG              "\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":\"" A "\",\"size\":2000}"
#define MANIFEST(layers)    "{\"schemaVersion\":2," CONFIG ",\"layers\":[" layers "]}"
#define ENTRY(type, digest, more)                                                                            \
        "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":500" more "}"
#define FOR(os, arch, more) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}"
#define REF(name)           ",\"annotations\":{\"" OCI_ANNOTATION_REFERENCE "\":\"" name "\"}"
#define INDEX(entries)                                                                                       \
        "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[" entries "]}"

static const struct {
        const char *text, *content_type, *descriptor_type;
        int expect;
        const char *part;
} documents[] = {
        { MANIFEST(LAYER(LAYER_TYPE, B)), OCI_TYPE_MANIFEST, OCI_TYPE_MANIFEST, 0, NULL },
        { MANIFEST(LAYER(LAYER_TYPE, B)), NULL, NULL, 0, NULL },
        { MANIFEST(LAYER(LAYER_TYPE, B)), "application/json; charset=utf-8", NULL, 0, NULL },
        { INDEX(ENTRY(OCI_TYPE_MANIFEST, A, "")), OCI_TYPE_INDEX "; charset=utf-8", NULL, 0, NULL },
        /* R4 */
        { "{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}", NULL, NULL, -EBADMSG, "both" },
        { "{\"schemaVersion\":2," CONFIG ",\"manifests\":[]}", NULL, NULL, -EBADMSG, "both" },
        { MANIFEST(LAYER(LAYER_TYPE, B)), OCI_TYPE_INDEX, NULL, -EBADMSG, "manifest by its members" },
        { INDEX(""), OCI_TYPE_MANIFEST, NULL, -EBADMSG, "Content-Type" },
        { INDEX(""), OCI_TYPE_INDEX, OCI_TYPE_DOCKER_LIST, -EBADMSG, "descriptor" },
        { MANIFEST(LAYER(LAYER_TYPE, B)), OCI_TYPE_MANIFEST, OCI_TYPE_DOCKER_MANIFEST, -EBADMSG,
          "descriptor" },
        { MANIFEST(LAYER(LAYER_TYPE, B)), "text/html", NULL, -EBADMSG, "text/html" },
        /* R10 */
        { "{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, NULL, -EOPNOTSUPP, "push the image again" },
        { "{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", NULL, -EOPNOTSUPP, "schema 1" },
        { "{\"schemaVersion\":3," CONFIG ",\"layers\":[]}", NULL, NULL, -EOPNOTSUPP, "version 3" },
        /* R3 */
        { MANIFEST(LAYER(LAYER_TYPE, "sha256:../..")), NULL, NULL, -EINVAL, "layers" },
        { MANIFEST(LAYER(LAYER_TYPE, "md5:00")), NULL, NULL, -EOPNOTSUPP, "algorithm" },
        { MANIFEST("{\"mediaType\":\"x\",\"size\":1}"), NULL, NULL, -ENODATA, "'digest' is missing" },
        /* R7 */
        { MANIFEST("{\"mediaType\":\"x\",\"digest\":\"" A "\",\"size\":-1}"), NULL, NULL, -ERANGE, "-1" },
        { MANIFEST("{\"mediaType\":\"x\",\"digest\":\"" A "\",\"size\":18446744073709551615}"), NULL, NULL,
          -ERANGE, "not possible" },
        { "{\"schemaVersion\":2," CONFIG ",\"layers\":null}", NULL, NULL, -EBADMSG, "neither" },
        { "{\"schemaVersion\":2,\"layers\":[]}", NULL, NULL, -ENODATA, "'config'" },
        { "[]", NULL, NULL, -EBADMSG, "neither" },
        { "", NULL, NULL, -EBADMSG, "image manifest" },
};

static void test_documents(void **state) {
        FOREACH_ARRAY (c, documents, ELEMENTSOF(documents)) {
                _cleanup_(oci_document_freep) OciDocument *d = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                int r = oci_document_parse(c->text, strlen(c->text), c->content_type, c->descriptor_type, &d,
                                           &e);

                if (r != c->expect || (c->part && !strstr(e.message, c->part)))
                        fail_msg("%s: %d %s", c->text, r, str_or(e.message, ""));
        }
}

static void test_document_members(void **state) {
        static const char text[] = MANIFEST(LAYER(LAYER_TYPE, B) "," LAYER(LAYER_TYPE, C));
        _cleanup_(oci_document_freep) OciDocument *d = NULL;

        assert_int_equal(oci_document_parse(text, strlen(text), NULL, NULL, &d, NULL), 0);
        assert_false(d->is_index);
        assert_string_equal(d->media_type, OCI_TYPE_MANIFEST);
        assert_string_equal(d->config->digest, A);
        assert_int_equal(d->n_layers, 2);
        assert_string_equal(d->layers[1].digest, C);
        assert_int_equal(d->layers[1].size, 3000);
        assert_int_equal(oci_document_check_image(d, NULL), 0);
}

static void test_too_much(void **state) { /* R7 */
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *big = NULL;
        OciDocument *d = NULL;

        strbuf_add(&b, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
        for (unsigned i = 0; i < 3000; i++)
                strbuf_addf(&b, "%s%s", i ? "," : "", LAYER(LAYER_TYPE, B));
        strbuf_add(&b, "]}");
        assert_int_equal(oci_document_parse(b.data, b.size, NULL, NULL, &d, &e), -E2BIG);
        assert_non_null(strstr(e.message, "3000 layers"));
        big = malloc(9U << 20);
        assert_non_null(big);
        memset(big, ' ', 9U << 20);
        assert_int_equal(oci_document_parse(big, 9U << 20, NULL, NULL, &d, &e), -E2BIG);
}

static void check_image(const char *text, int expect, const char *part) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(oci_document_parse(text, strlen(text), NULL, NULL, &d, NULL), 0);
        assert_int_equal(oci_document_check_image(d, &e), expect);
        if (part)
                assert_non_null(strstr(e.message, part));
}

static void test_layers(void **state) {
        static const char foreign[] = MANIFEST(
                "{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" B
                "\",\"size\":1,\"urls\":[\"https://evil.example/layer\"]}");

        check_image(foreign, -EOPNOTSUPP, "https://evil.example/layer"); /* R6 */
        check_image(MANIFEST(LAYER(LAYER_TYPE "+encrypted", B)), -EOPNOTSUPP, "encrypted");
        check_image(MANIFEST(LAYER("application/x-what", B)), -EOPNOTSUPP, B);
        check_image(MANIFEST(""), -EBADMSG, "no layers"); /* R7 */
        check_image("{\"schemaVersion\":2,\"artifactType\":\"application/x-sbom\",\"config\":{\"mediaType\":"
                    "\"application/vnd.oci.empty.v1+json\",\"digest\":\"" A "\",\"size\":2},\"layers\":[]}",
                    -EOPNOTSUPP, "application/x-sbom");
        check_image("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG "\",\"digest\":\"" A
                    "\",\"size\":5000000},\"layers\":[" LAYER(LAYER_TYPE, B) "]}",
                    -E2BIG, "5000000");
        check_image(INDEX(""), -EBADMSG, "index");
}

static void test_platform(void **state) {
        const char *v[OCI_PLATFORM_VARIANTS_MAX];
        _cleanup_error_ Error e = ERROR_INIT;
        OciPlatform p = {}, host = {};

        assert_int_equal(oci_platform_from_string("linux/arm/v6", &p, &e), 0);
        assert_int_equal(oci_platform_variants(&p, v), 3);
        assert_string_equal(v[0], "v6");
        assert_string_equal(v[1], "v5");
        assert_string_equal(v[2], "");
        oci_platform_done(&p);
        assert_int_equal(oci_platform_from_string("linux", &p, &e), -EINVAL);
        assert_int_equal(oci_platform_from_string("linux//arm", &p, &e), -EINVAL);
        assert_int_equal(oci_platform_from_string("linux/../x", &p, &e),
                         0); /* a word as any other, only compared */
        oci_platform_done(&p);
        assert_int_equal(oci_platform_from_string("linux/ARM", &p, &e), -EINVAL);
        assert_int_equal(oci_platform_host(&host), 0);
        assert_true(oci_platform_rank(&host, &host) > 0);
        oci_platform_done(&host);
}

/* The digest that is chosen for @platform, or the code and a part of the sentence. */
static void choose(const char *text, const char *platform, unsigned depth, int expect, const char *what) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        const OciDescriptor *found = NULL;
        OciPlatform p = {};

        assert_int_equal(oci_document_parse(text, strlen(text), NULL, NULL, &d, &e), 0);
        assert_int_equal(oci_platform_from_string(platform, &p, &e), 0);
        assert_int_equal(oci_index_choose(d, &p, depth, &found, &e), expect);
        oci_platform_done(&p);
        if (expect == 0)
                assert_string_equal(found->digest, what);
        else if (!strstr(e.message, what))
                fail_msg("%s", e.message);
}

static void test_index(void **state) {
        static const char many[] = INDEX(
                ENTRY("application/x-what", C, FOR("linux", "amd64", "")) "," ENTRY(OCI_TYPE_MANIFEST, C, FOR("unknown", "unknown", "")) "," ENTRY(
                        OCI_TYPE_MANIFEST,
                        A,
                        FOR("linux", "arm",
                            ",\"variant\":\"v6\"")) "," ENTRY(OCI_TYPE_MANIFEST, B,
                                                              FOR("linux", "arm",
                                                                  ",\"variant\":\"v7\"")) "," ENTRY(OCI_TYPE_MANIFEST,
                                                                                                    B,
                                                                                                    FOR("linu"
                                                                                                        "x",
                                                                                                        "amd6"
                                                                                                        "4",
                                                                                                        "")) "," ENTRY(OCI_TYPE_MANIFEST,
                                                                                                                       C,
                                                                                                                       FOR("linux",
                                                                                                                           "amd64",
                                                                                                                           "")));
        static const char nested[] = INDEX(ENTRY(OCI_TYPE_INDEX, A, ""));

        choose(many, "linux/amd64", 0, 0, B); /* R5: the first of two equals */
        choose(many, "linux/arm", 0, 0, B);
        choose(many, "linux/arm/v6", 0, 0, A);
        choose(many, "linux/s390x", 0, -ENOENT, "linux/arm/v6, linux/arm/v7, linux/amd64"); /* R5 */
        choose(nested, "linux/amd64", 0, 0, A);
        choose(nested, "linux/amd64", 1, -ELOOP, "index in an index in an index"); /* R5 */
        choose(INDEX(""), "linux/amd64", 0, -ENOENT, "none");
        choose(INDEX(ENTRY(OCI_TYPE_MANIFEST, C, "")), "linux/amd64", 0, 0, C);
}

static void in_layout(const char *text, const char *reference, int expect, const char *what) {
        _cleanup_(oci_document_freep) OciDocument *d = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        const OciDescriptor *found = NULL;
        OciPlatform p = {};
        int r;

        assert_int_equal(oci_platform_from_string("linux/amd64", &p, &e), 0);
        assert_int_equal(oci_document_parse(text, strlen(text), NULL, NULL, &d, &e), 0);
        r = oci_layout_choose(d, reference, &p, &found, &e);
        oci_platform_done(&p);
        if (r != expect)
                fail_msg("%d: %s", r, str_or(e.message, ""));
        if (expect == 0)
                assert_string_equal(found->digest, what);
        else if (!strstr(e.message, what))
                fail_msg("%s", e.message);
}

static void test_layout(void **state) {
        static const char two[] =
                INDEX(ENTRY(OCI_TYPE_MANIFEST, A, REF("v1")) "," ENTRY(OCI_TYPE_INDEX, B, REF("v2")));
        static const char same[] =
                INDEX(ENTRY(OCI_TYPE_MANIFEST, A, REF("v1")) "," ENTRY(OCI_TYPE_MANIFEST, B, REF("v1")));
        static const char good[] = "{\"imageLayoutVersion\":\"1.0.0\"}",
                          bad[] = "{\"imageLayoutVersion\":\"9.9.9\"}";
        _cleanup_error_ Error e = ERROR_INIT;

        in_layout(two, "v2", 0, B);
        in_layout(two, "@0", 0, A);
        in_layout(two, "@2", -ENOENT, "there are 2");
        in_layout(two, NULL, -ENOTUNIQ, "v1, v2");
        in_layout(two, "v3", -ENOENT, "v1, v2");
        in_layout(same, "v1", -ENOTUNIQ, "two images");
        in_layout(INDEX(""), NULL, -ENOENT, "no image");
        in_layout(INDEX(ENTRY(OCI_TYPE_MANIFEST, A, "")), NULL, 0, A);
        in_layout(INDEX(ENTRY(OCI_TYPE_MANIFEST, A, REF("../../etc"))), NULL, -EINVAL, "'..'"); /* R12 */
        assert_int_equal(oci_layout_check(good, strlen(good), &e), 0);
        assert_int_equal(oci_layout_check(bad, strlen(bad), &e), -EOPNOTSUPP); /* R11 */
        assert_non_null(strstr(e.message, "9.9.9"));
        assert_int_equal(oci_layout_check("{}", 2, &e), -ENODATA);
}

static void test_docker_archive(void **state) {
        static const char text[] =
                "[{\"Config\":\"" HEX_A ".json\",\"RepoTags\":[\"redis:7\"],\"Layers\":[\"a/layer.tar\","
                "\"b/layer.tar\"]},{\"Config\":\"b.json\",\"RepoTags\":null,\"Layers\":[\"b/layer.tar\"]}]";
        static const char out[] = "[{\"Config\":\"../b.json\",\"Layers\":[\"b\"]}]";
        static const char absolute[] = "[{\"Config\":\"b.json\",\"Layers\":[\"/etc/passwd\"]}]";
        static const char empty[] = "[{\"Config\":\"b.json\",\"Layers\":[]}]";
        _cleanup_(docker_archive_freep) DockerArchive *a = NULL;
        const DockerArchiveImage *i = NULL;
        DockerArchive *none = NULL;

        assert_int_equal(docker_archive_parse(text, strlen(text), &a, NULL), 0);
        assert_int_equal(docker_archive_choose(a, "docker.io/library/redis:7", &i, NULL), 0);
        assert_int_equal(strv_length(i->layers), 2);
        assert_int_equal(docker_archive_choose(a, "@1", &i, NULL), 0);
        assert_string_equal(i->config, "b.json");
        assert_int_equal(docker_archive_choose(a, NULL, &i, NULL), -ENOTUNIQ);
        assert_int_equal(docker_archive_choose(a, "redis", &i, NULL), -ENOENT); /* means redis:latest */
        assert_int_equal(docker_archive_choose(a, "@2", &i, NULL), -ENOENT);
        assert_int_equal(docker_archive_choose(a, "../x", &i, NULL), -EINVAL);
        assert_int_equal(docker_archive_parse(out, strlen(out), &none, NULL), -EINVAL);
        assert_int_equal(docker_archive_parse(absolute, strlen(absolute), &none, NULL), -EINVAL);
        assert_int_equal(docker_archive_parse(empty, strlen(empty), &none, NULL), -EBADMSG);
        assert_int_equal(docker_archive_parse("{}", 2, &none, NULL), -EINVAL);
}

#define ROOTFS       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" B "\",\"" C "\"]}"
#define RUN(members) "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{" members "}," ROOTFS "}"

/* 0 with a manifest, or the first error of reading and converting */
static int convert(const char *text, ImageManifest **ret, Error *e) {
        _cleanup_(oci_config_freep) OciConfig *c = NULL;
        _cleanup_(oci_name_freep) OciName *n = NULL;
        OciOrigin origin = { .config_digest = A, .manifest_digest = B };
        int r;

        assert_int_equal(oci_name_parse("docker://redis:7", &n, NULL), 0);
        origin.name = n;
        r = oci_config_parse(text, strlen(text), &c, e);
        return r < 0 ? r : oci_config_to_manifest(c, &origin, ret, e);
}

static const char redis[] =
        "{\"architecture\":\"arm\",\"variant\":\"v7\",\"os\":\"linux\",\"created\":\"2026-05-01T10:00:00."
        "5Z\",\"author\":\"me\","
        "\"config\":{\"User\":\"redis\",\"ExposedPorts\":{\"6379/tcp\":{},\"53/"
        "udp\":{},\"8000-8010\":{}},\"Env\":[\"PATH=/bin\","
        "\"A=1\",\"nothing\",\"A=2\"],\"Entrypoint\":[\"entry.sh\"],\"Cmd\":[\"redis-server\",\"--x="
        "\\\"1\\\"\"],\"Volumes\":{\"/data\":"
        "{},\"/"
        "Data\":{}},\"WorkingDir\":\"data\",\"Labels\":{\"org.opencontainers.image.title\":\"Redis\",\"Up "
        "Case\":\"x\","
        "\"rkt.systemd/"
        "stop-signal\":\"SIGKILL\"},\"StopSignal\":\"15\",\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"]}},"
        "\"history\":[{\"created_by\":\"x\"}]," ROOTFS "}";

static void test_convert(void **state) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        if (convert(redis, &m, &e) < 0)
                fail_msg("%s", e.message);
        assert_string_equal(m->name, "registry-1.docker.io/library/redis");
        assert_string_equal(image_manifest_label(m, "version"), "7");
        assert_string_equal(image_manifest_label(m, "os"), "linux");
        assert_string_equal(image_manifest_label(m, "arch"), "armv7l");
        assert_int_equal(strv_length(m->app->exec), 3);
        assert_string_equal(m->app->exec[0], "entry.sh");
        assert_string_equal(m->app->exec[2], "--x=\"1\"");
        assert_string_equal(m->app->user, "redis");
        assert_string_equal(m->app->group, "redis");
        assert_string_equal(m->app->working_directory, "/data");
        assert_int_equal(m->app->n_environment, 2);
        assert_string_equal(ac_pairs_get(m->app->environment, m->app->n_environment, "A"), "2");
        assert_int_equal(ac_app_find_port(m->app, "6379-tcp")->port, 6379);
        assert_string_equal(ac_app_find_port(m->app, "53-udp")->protocol, "udp");
        assert_int_equal(ac_app_find_port(m->app, "8000-8010-tcp")->count, 11);
        assert_string_equal(ac_app_find_mount_point(m->app, "volume-data")->path, "/Data");
        assert_string_equal(ac_app_find_mount_point(m->app, "volume-data-1")->path, "/data");
        assert_string_equal(ac_pairs_get(m->app->user_labels, m->app->n_user_labels, "Up Case"), "x");
}

static void test_convert_annotations(void **state) {
        static const struct {
                const char *name, *value;
        } expect[] = {
                { "appc.io/docker/originalname", "redis:7" },
                { "appc.io/docker/registryurl", "registry-1.docker.io" },
                { "appc.io/docker/repository", "library/redis" },
                { "appc.io/docker/tag", "7" },
                { "appc.io/docker/imageid", A },
                { "appc.io/docker/manifesthash", B },
                { "appc.io/docker/entrypoint", "[\"entry.sh\"]" },
                { "appc.io/docker/cmd", "[\"redis-server\",\"--x=\\\"1\\\"\"]" },
                { "author", "me" },
                { "created", "2026-05-01T10:00:00.5Z" },
                { "org.opencontainers.image.title", "Redis" },
                { OCI_ANNOTATION_STOP_SIGNAL, "SIGTERM" }, /* the label of that name does not count */
                { OCI_ANNOTATION_HEALTHCHECK, "{\"Test\":[\"CMD\",\"true\"]}" },
                { OCI_ANNOTATION_GROUP, "of-user" },
        };
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;

        assert_int_equal(convert(redis, &m, NULL), 0);
        FOREACH_ARRAY (x, expect, ELEMENTSOF(expect)) {
                assert_non_null(image_manifest_annotation(m, x->name));
                assert_string_equal(image_manifest_annotation(m, x->name), x->value);
        }
}

static void test_convert_local(void **state) {
        static const char text[] =
                "{\"os\":\"linux\",\"architecture\":\"riscv64\"," ROOTFS "}"; /* appc has no such machine */
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_(oci_config_freep) OciConfig *c = NULL;
        _cleanup_(oci_name_freep) OciName *n = NULL;

        assert_int_equal(oci_name_parse("oci:/srv/shop:1.2", &n, NULL), 0);
        assert_int_equal(oci_config_parse(text, strlen(text), &c, NULL), 0);
        assert_int_equal(oci_config_to_manifest(c, &(OciOrigin){ .name = n, .config_digest = A }, &m, NULL),
                         0);
        assert_string_equal(m->name, "shop");
        assert_string_equal(image_manifest_label(m, "version"), "1.2");
        assert_null(image_manifest_label(m, "arch"));
        assert_null(image_manifest_annotation(m, "appc.io/docker/registryurl"));
        assert_string_equal(image_manifest_annotation(m, "appc.io/docker/repository"), "shop");
}

static void test_convert_users(void **state) {
        static const struct {
                const char *text, *user, *group;
        } users[] = {
                { RUN("\"User\":\"\""), "0", "0" },     { RUN(""), "0", "0" },
                { RUN("\"User\":\"33\""), "33", "33" }, { RUN("\"User\":\"33:44\""), "33", "44" },
                { RUN("\"User\":\":44\""), "0", "44" }, { RUN("\"User\":\"www:\""), "www", "www" },
                { "{" ROOTFS "}", "0", "0" },
        };

        FOREACH_ARRAY (u, users, ELEMENTSOF(users)) {
                _cleanup_(image_manifest_freep) ImageManifest *m = NULL;

                assert_int_equal(convert(u->text, &m, NULL), 0);
                assert_string_equal(m->app->user, u->user);
                assert_string_equal(m->app->group, u->group);
        }
}

static void test_bad_configs(void **state) { /* R13 */
        static const struct {
                const char *text;
                int expect;
                const char *part;
        } bad[] = {
                { RUN("\"User\":\"0:0:0\""), -EINVAL, "0:0:0" },
                { RUN("\"User\":7"), -EINVAL, "User" },
                { RUN("\"User\":\"4294967295\""), -EINVAL, "4294967295" },
                { RUN("\"Env\":\"A=1\""), -EINVAL, "Env" },
                { RUN("\"Env\":[1]"), -EINVAL, "Env" },
                { RUN("\"Cmd\":\"sh\""), -EINVAL, "Cmd" },
                { RUN("\"Volumes\":{\"/a/../..\":{}}"), -EINVAL, "Volumes" },
                { RUN("\"Volumes\":{\"..\":{}}"), -EINVAL, "Volumes" },
                { RUN("\"Volumes\":[\"/a\"]"), -EINVAL, "Volumes" },
                { RUN("\"WorkingDir\":\"../x\""), -EINVAL, "WorkingDir" },
                { RUN("\"ExposedPorts\":{\"0/tcp\":{}}"), -EINVAL, "0/tcp" },
                { RUN("\"ExposedPorts\":{\"80/http\":{}}"), -EINVAL, "80/http" },
                { RUN("\"ExposedPorts\":{\"90-80/tcp\":{}}"), -EINVAL, "90-80" },
                { RUN("\"StopSignal\":\"SIGFOO\""), -EINVAL, "SIGFOO" },
                { RUN("\"StopSignal\":\"0\""), -EINVAL, "no signal" },
                { "{\"os\":\"linux\"}", -ENODATA, "rootfs" },
                { "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", -EBADMSG, "no layers" },
                { "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:x\"]}}", -EINVAL, "sha256:x" },
                { "{\"rootfs\":{\"type\":\"base\",\"diff_ids\":[\"" A "\"]}}", -EOPNOTSUPP, "base" },
        };

        FOREACH_ARRAY (b, bad, ELEMENTSOF(bad)) {
                _cleanup_error_ Error e = ERROR_INIT;
                ImageManifest *m = NULL;
                int r = convert(b->text, &m, &e);

                if (r != b->expect || !strstr(e.message, b->part))
                        fail_msg("%s: %d %s", b->text, r, str_or(e.message, ""));
        }
}

static void test_config_checks(void **state) {
        static const char text[] = RUN("");
        _cleanup_(oci_config_freep) OciConfig *c = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        char os[] = "linux", architecture[] = "s390x";
        OciPlatform p = { .os = os, .architecture = architecture };

        assert_int_equal(oci_config_parse(text, strlen(text), &c, &e), 0);
        assert_int_equal(oci_config_check_layers(c, 2, &e), 0);
        assert_int_equal(oci_config_check_layers(c, 3, &e), -EBADMSG); /* R1 */
        assert_non_null(strstr(e.message, "3 layers"));
        assert_int_equal(oci_config_check_platform(c, &p, &e), -ENOEXEC);
        assert_non_null(strstr(e.message, "linux/amd64"));
}

static void test_signals(void **state) {
        static const char *const pairs[][2] = { { "SIGQUIT", "SIGQUIT" },  { "QUIT", "SIGQUIT" },
                                                { "3", "SIGQUIT" },        { "SIGRTMIN+3", "SIGRTMIN+3" },
                                                { "37", "SIGRTMIN+3" },    { "RTMAX-1", "SIGRTMAX-1" },
                                                { "SIGRTMIN", "SIGRTMIN" } };

        FOREACH_ARRAY (p, pairs, ELEMENTSOF(pairs)) {
                _cleanup_free_ char *s = NULL;

                assert_int_equal(oci_stop_signal_normalize((*p)[0], &s, NULL), 0);
                assert_string_equal(s, (*p)[1]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),         cmocka_unit_test(test_name_length),
                cmocka_unit_test(test_name_identity), cmocka_unit_test(test_local_appc_name),
                cmocka_unit_test(test_digest),        cmocka_unit_test(test_chain_id),
                cmocka_unit_test(test_documents),     cmocka_unit_test(test_document_members),
                cmocka_unit_test(test_too_much),      cmocka_unit_test(test_layers),
                cmocka_unit_test(test_platform),      cmocka_unit_test(test_index),
                cmocka_unit_test(test_layout),        cmocka_unit_test(test_docker_archive),
                cmocka_unit_test(test_convert),       cmocka_unit_test(test_convert_annotations),
                cmocka_unit_test(test_convert_users), cmocka_unit_test(test_convert_local),
                cmocka_unit_test(test_bad_configs),   cmocka_unit_test(test_config_checks),
                cmocka_unit_test(test_signals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

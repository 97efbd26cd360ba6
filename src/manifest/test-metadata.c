/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "manifest/metadata.h"

#define UUID  "b0e7b8d2-6f0c-4b8e-9d2a-0123456789ab"
#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID                                                                                                   \
        "sha512-"                                                                                            \
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
        "000000000000000000000000000000"
#define IMAGE                                                                                                \
        "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"example.com/app\","               \
        "\"annotations\":[{\"name\":\"a\",\"value\":\"image\"},{\"name\":\"b\",\"value\":\"image\"}]}"
#define POD                                                                                                  \
        "{\"acVersion\":\"0.8.11\",\"acKind\":\"PodManifest\",\"apps\":[{\"name\":\"web\",\"image\":{"       \
        "\"id\":"                                                                                            \
        "\"" ID "\"},\"annotations\":[{\"name\":\"c\",\"value\":\"pod\"},{\"name\":\"a\",\"value\":\"pod "   \
        "\xc3\xa9\"}]}],\"annotations\":[{\"name\":\"example.com/x\",\"value\":\"1\\n2\"}]}"

/* "TYPE: TEXT" of an answer, or the error */
static char *ask(const char *document, size_t size, const char *path) {
        char uuid[37];
        size_t n;
        MetadataAnswer a;
        int r = metadata_parse_header(document, size, uuid, &n);

        if (r >= 0)
                r = metadata_find(document + METADATA_HEADER_SIZE, n, path, &a);
        if (r < 0)
                return strf("%s", strerror(-r));
        assert_true(METADATA_HEADER_SIZE + n + a.offset + a.size <= size);
        return strf("%s: %.*s", metadata_content_type(a.type), (int) a.size,
                    document + METADATA_HEADER_SIZE + n + a.offset);
}

static void test_answers(void **state) {
        static const struct {
                const char *path, *answer;
        } cases[] = {
                { "/pod/uuid", "text/plain; charset=us-ascii: " UUID },
                { "/pod/annotations",
                  "application/json: [{\"name\":\"example.com/x\",\"value\":\"1\\n2\"}]" },
                { "/pod/annotations/example.com/x", "text/plain; charset=utf-8: 1\n2" },
                { "/apps/web/annotations",
                  "application/json: [{\"name\":\"a\",\"value\":\"pod \xc3\xa9\"},{\"name\":\"b\",\"value\":"
                  "\"image\"},{\"name\":\"c\",\"value\":\"pod\"}]" },
                { "/apps/web/annotations/a", "text/plain; charset=utf-8: pod \xc3\xa9" },
                { "/apps/web/image/manifest", "application/json: " IMAGE },
                { "/apps/web/image/id", "text/plain; charset=us-ascii: " ID },
                { "/apps/web/image", "No such file or directory" },
                { "/apps/other/image/id", "No such file or directory" },
                { "", "No such file or directory" },
        };
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_(image_manifest_freep) ImageManifest *im = NULL;
        MetadataImage image = { .text = IMAGE, .text_size = strlen(IMAGE) };
        _cleanup_free_ char *document = NULL, *manifest = NULL, *kept = NULL, *expected = NULL;
        size_t size = 0;

        assert_int_equal(image_manifest_parse(IMAGE, strlen(IMAGE), &im, NULL), 0);
        assert_int_equal(pod_manifest_parse(POD, strlen(POD), &m, NULL), 0);
        image.manifest = im;
        assert_int_equal(metadata_write(UUID, m, &image, &document, &size), 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *answer = ask(document, size, cases[i].path);

                assert_string_equal(answer, cases[i].answer);
        }
        /* as it is kept, "[]" included */
        assert_int_equal(pod_manifest_to_string(m, &manifest), 0);
        kept = ask(document, size, "/pod/manifest");
        expected = strf("application/json: %s", manifest);
        assert_string_equal(kept, expected);
}

static void test_documents(void **state) {
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                { "rkt-metadata-1 " UUID " 0000000000\n", 0 },
                { "rkt-metadata-2 " UUID " 0000000000\n", -EBADMSG },
                { "rkt-metadata-1 " UUID " 0001048577\n", -EBADMSG },
                { "rkt-metadata-1 " UUID " 000000000x\n", -EBADMSG },
                { "rkt-metadata-1 " UUID " 0000000000", -EBADMSG },
                { "rkt-metadata-1 B0e7b8d2-6f0c-4b8e-9d2a-0123456789ab 0000000000\n", -EBADMSG },
        };
        static const char *const broken[] = { "json 0 0 /pod/uuid",
                                              "json 0 0\n",
                                              "xml 0 0 /pod/uuid\n",
                                              "json -1 0 /pod/uuid\n",
                                              "json 99999999999999999999 0 /a\n",
                                              "\n" };
        char uuid[37];
        size_t n;
        MetadataAnswer a;

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases))
                assert_int_equal(metadata_parse_header(c->text, strlen(c->text), uuid, &n), c->r);
        FOREACH_ARRAY (b, broken, ELEMENTSOF(broken))
                assert_int_equal(metadata_find(*b, strlen(*b), "/pod/uuid", &a), -EBADMSG);
}

static void test_urls(void **state) {
        static const struct {
                const char *url, *path;
                int r;
        } cases[] = {
                { "/" TOKEN "/acMetadata/v1/pod/uuid", "/pod/uuid", 0 },
                { "/" TOKEN "/acMetadata/v1/", "/", 0 },
                { "/" TOKEN "/acMetadata/v1", NULL, 0 },
                { "/" TOKEN "/acMetadata/v10/pod", NULL, 0 },
                { "/" TOKEN, NULL, 0 },
                { "/" TOKEN "0/acMetadata/v1/pod", NULL, -EINVAL },
                { "/acMetadata/v1/pod/uuid", NULL, -EINVAL },
                { "/../../etc/passwd", NULL, -EINVAL },
                { "/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef/acMetadata/v1/pod", NULL,
                  -EINVAL },
                { "*", NULL, -EINVAL },
                { "", NULL, -EINVAL },
        };
        char token[METADATA_NAME_MAX], name[METADATA_NAME_MAX];

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                const char *path = NULL;

                assert_int_equal(metadata_parse_url(c->url, token, &path), c->r);
                assert_true(streq_ptr(c->r < 0 ? NULL : path, c->path));
        }
        assert_int_equal(metadata_file_name("abc", name), 0);
        assert_string_equal(name, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_documents),
                cmocka_unit_test(test_urls),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

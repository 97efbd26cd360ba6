/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "image/image-render.h"
#include "store/store-internal.h"
#include "store/test-store-fixture.h"

static void make_id(const char *seed, char id[STORE_ID_MAX], char key[STORE_KEY_MAX]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];

        assert_int_equal(digest_new(DIGEST_SHA512, &d), 0);
        assert_int_equal(digest_update(d, seed, strlen(seed)), 0);
        assert_int_equal(digest_final_hex(d, hex), 0);
        (void) snprintf(id, STORE_ID_MAX, "sha512-%s", hex);
        assert_int_equal(store_key_from_id(id, key), 0);
}

/* An image of one letter with its manifest, but without a blob. deps: members of a JSON list. */
static void add_image(const Fixture *f, const char *name, const char *labels, const char *deps,
                      const char *whitelist) {
        _cleanup_free_ char *manifest =
                strf("{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"%s\",\"labels\":[%s],"
                     "\"dependencies\":[%s],\"pathWhitelist\":[%s]}",
                     name, labels, deps, whitelist);
        _cleanup_free_ char *seed = strf("%s%s", name, labels);
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        char id[STORE_ID_MAX], key[STORE_KEY_MAX], path[STORE_BLOB_PATH_MAX];
        StoreImage image = { .id = id, .key = key, .size = 1000, .archive_size = 100 };
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(image_manifest_parse(manifest, strlen(manifest), &m, &e), 0);
        make_id(seed, id, key);
        image.name = m->name;
        image.labels = new0(StoreLabel, m->n_labels);
        FOREACH_ARRAY (l, m->labels, m->n_labels)
                image.labels[image.n_labels++] = (StoreLabel){ l->name, l->value };
        store_blob_path(key, ".manifest", path);
        *strrchr(path, '/') = '\0';
        assert_int_equal(mkdir_parents_at(f->store->cas_fd, path, 0700), 0);
        store_blob_path(key, ".manifest", path);
        assert_int_equal(file_write_at(f->store->cas_fd, path, manifest, strlen(manifest), 0600, 0), 0);
        assert_int_equal(store_image_write(f->store, &image, NULL), 0);
        free(image.labels);
}

/* "A=B,C[/x /y]": A depends on B and C, and has a whitelist. */
static void add_short(const Fixture *f, const char *s) {
        _cleanup_strbuf_ StrBuf deps = STRBUF_INIT, list = STRBUF_INIT;
        char name[2] = { (char) (s[0] | 0x20), '\0' }; /* names are lower case */

        for (s++; *s; s++) {
                if (*s >= 'A' && *s <= 'Z')
                        strbuf_addf(&deps, "%s{\"imageName\":\"%c\"}", deps.size ? "," : "", *s | 0x20);
                if (*s == '/') {
                        size_t n = strcspn(s, " ]");

                        strbuf_addf(&list, "%s\"%.*s\"", list.size ? "," : "", (int) n, s);
                        s += n - 1;
                }
        }
        add_image(f, name, "", str_or(deps.data, ""), str_or(list.data, ""));
}

static int list(const Fixture *f, const char *name, ImageRender *ret, Error *e) {
        char id[STORE_ID_MAX], key[STORE_KEY_MAX];

        make_id(name, id, key);
        return image_render_list(f->store, key, ret, e);
}

/* "B C[x y] A": the parts with their lists. */
static char *show(const ImageRender *x, const char *names) {
        StrBuf b = STRBUF_INIT;
        char *text;

        FOREACH_ARRAY (p, x->parts, x->n_parts) {
                for (const char *n = names; *n; n++) {
                        char id[STORE_ID_MAX], key[STORE_KEY_MAX];

                        make_id((char[]){ (char) (*n | 0x20), '\0' }, id, key);
                        if (streq(key, p->key))
                                strbuf_addf(&b, "%s%c", b.size ? " " : "", *n);
                }
                if (p->whitelist) {
                        _cleanup_free_ char *joined = NULL;

                        assert_int_equal(strv_join(p->whitelist, " ", &joined), 0);
                        strbuf_addf(&b, "[%s]", joined);
                }
        }
        assert_int_equal(strbuf_steal(&b, &text), 0);
        return text;
}

static const struct {
        const char *images[8];
        const char *expected;
} orders[] = {
        { { "A" }, "A" },
        /* appc, section 6.1 */
        { { "A=B,C", "B", "C=D", "D" }, "B D C A" },
        { { "A=B,C", "B=D", "C=D", "D" }, "B D C A" }, /* D B D C A, of which the first D changes nothing */
        { { "A=B,C,D", "B", "C=B,E", "D=B,E", "E=F", "F" }, "C B F E D A" }, /* B B F E C B F E D A */
        { { "A=B,B", "B" }, "B A" },                                         /* B B A */
        /* section 6.2: ways to write the same path */
        { { "A[/d //d/ /x/../d /../d /.//d/.]" }, "A[d]" },
        { { "A[/b /a /]" }, "A[ a b]" },
        /* section 6.3: the list of an image applies to all that it depends on, and to nothing else */
        { { "A=B[/x /y]", "B" }, "B[x y] A[x y]" },
        { { "A=B", "B[/x]" }, "B[x] A" },
        { { "A=B[/x /y /z]", "B=C[/w /x /y]", "C[/y /v]" }, "C[y] B[x y] A[x y z]" },
        { { "A=B[/x /y]", "B=C[/x /z]", "C" }, "C[x] B[x] A[x y]" }, /* r09 */
        { { "A=B,C", "B", "C=D[/x]", "D" }, "B D[x] C[x] A" },       /* r10 */
        { { "A=B[/x]", "B[/y]" }, "B[] A[x]" },
        { { "A=B,C,D", "B[/x /y]", "C=B[/x]", "D=B[/x /y /z]" }, "C[x] B[x y] D[x y z] A" },
        { { "A=B,C", "B", "C=B[/x]" }, "B B[x] C[x] A" },
};

static void test_order(void **state) {
        FOREACH_ARRAY (c, orders, ELEMENTSOF(orders)) {
                _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *found = NULL;
                int r;

                (void) setup(state);
                for (size_t i = 0; i < ELEMENTSOF(c->images) && c->images[i]; i++)
                        add_short(*state, c->images[i]);
                r = list(*state, "a", &x, &e);
                if (r < 0)
                        print_error("%s: %s\n", c->expected, error_text(&e, r));
                assert_int_equal(r, 0);
                found = show(&x, "ABCDEF");
                assert_string_equal(found, c->expected);
                (void) teardown(state);
        }
}

/* The key says what the tree is made of: nothing less, nothing more. */
static void test_tree_key(void **state) {
        _cleanup_(image_render_done) ImageRender a = IMAGE_RENDER_INIT, b = IMAGE_RENDER_INIT,
                                                 c = IMAGE_RENDER_INIT, d = IMAGE_RENDER_INIT;
        char id[STORE_ID_MAX], key[STORE_KEY_MAX];

        add_short(*state, "A=B,C");
        add_short(*state, "B");
        add_short(*state, "C");
        add_short(*state, "D[/x]");
        assert_int_equal(list(*state, "b", &b, NULL), 0);
        make_id("b", id, key);
        assert_string_equal(b.tree_key, key);
        assert_int_equal(list(*state, "d", &d, NULL), 0);
        assert_non_null(startswith(d.tree_key, "deps-sha512-"));
        assert_int_equal(list(*state, "a", &a, NULL), 0);
        assert_int_equal(strlen(a.tree_key), strlen("deps-sha512-") + STORE_KEY_HEX);
        assert_int_equal(list(*state, "a", &c, NULL), 0);
        assert_string_equal(a.tree_key, c.tree_key);
        image_render_done(&c);
        /* Another image of the name: then it is another tree. */
        add_image(*state, "c", "{\"name\":\"version\",\"value\":\"2\"}", "", "");
        assert_int_equal(list(*state, "a", &c, NULL), 0);
        assert_string_not_equal(a.tree_key, c.tree_key);
}

static const struct {
        const char *images[4];
        int expected;
        const char *sentence;
} bad[] = {
        /* robustness 116 */
        { { "A=A" }, -ELOOP, "image 'a' depends on itself: a -> a" },
        { { "A=B", "B=C", "C=A" }, -ELOOP, "image 'a' depends on itself: a -> b -> c -> a" },
        { { "A=B", "B=C", "C=B" }, -ELOOP, "image 'b' depends on itself: a -> b -> c -> b" },
        { { "A=B", "B=C" }, -ENOENT, "dependency 'c' of image 'b' is not in the store; fetch 'a'" },
};

static void test_bad(void **state) {
        FOREACH_ARRAY (c, bad, ELEMENTSOF(bad)) {
                _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
                _cleanup_error_ Error e = ERROR_INIT;

                (void) setup(state);
                for (size_t i = 0; i < ELEMENTSOF(c->images) && c->images[i]; i++)
                        add_short(*state, c->images[i]);
                assert_int_equal(list(*state, "a", &x, &e), c->expected);
                assert_string_equal(e.message, c->sentence);
                (void) teardown(state);
        }
}

static void test_too_deep(void **state) {
        _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
        _cleanup_error_ Error e = ERROR_INIT;

        for (unsigned i = 0; i <= IMAGE_DEPENDENCY_DEPTH_MAX; i++) {
                _cleanup_free_ char *name = strf("n%u", i), *dep = strf("{\"imageName\":\"n%u\"}", i + 1);

                add_image(*state, name, "", i < IMAGE_DEPENDENCY_DEPTH_MAX ? dep : "", "");
        }
        assert_int_equal(list(*state, "n1", &x, &e), 0);
        assert_int_equal(x.n_parts, IMAGE_DEPENDENCY_DEPTH_MAX);
        image_render_done(&x);
        assert_int_equal(list(*state, "n0", &x, &e), -E2BIG);
        assert_non_null(strstr(e.message, "nested more than 32 deep: n0 -> n1 -> "));
        assert_non_null(strstr(e.message, " -> ... -> "));
        assert_non_null(endswith(e.message, "n31 -> n32"));
}

/* Each level doubles: 2^20 parts from 21 small images. */
static void test_too_many(void **state) {
        _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
        _cleanup_error_ Error e = ERROR_INIT;

        for (unsigned i = 0; i <= 20; i++) {
                _cleanup_free_ char *name = strf("n%u", i),
                                    *deps = strf("{\"imageName\":\"n%u\"},{\"imageName\":\"n%u\"}", i + 1,
                                                 i + 1);

                add_image(*state, name, "", i < 20 ? deps : "", "");
        }
        assert_int_equal(list(*state, "n0", &x, &e), -E2BIG);
        assert_non_null(strstr(e.message, "image 'n0' has more than 1000 dependencies"));
}

#define LABEL(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"

static void find(const Fixture *f, const char *labels, const char *root_labels, int expected,
                 const char *expected_version) {
        _cleanup_free_ char *root =
                strf("{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"r\",\"labels\":[%s],"
                     "\"dependencies\":[{\"imageName\":\"x\",\"labels\":[%s]}]}",
                     root_labels, labels);
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;

        assert_int_equal(image_manifest_parse(root, strlen(root), &m, NULL), 0);
        assert_int_equal(image_dependency_find(f->store, m->dependencies, m, &image, NULL), expected);
        if (expected_version)
                assert_string_equal(store_image_label(&image, "version"), expected_version);
}

/* Labels that are not named are wildcards, but an image for another machine is none for this one. */
static void test_labels(void **state) {
        const char *here = LABEL("os", "linux") "," LABEL("arch", "amd64");

        add_image(*state, "x", LABEL("version", "1") "," LABEL("os", "linux") "," LABEL("arch", "amd64"), "",
                  "");
        find(*state, "", here, 0, "1");
        find(*state, "", LABEL("os", "linux") "," LABEL("arch", "aarch64"), -ENOENT, NULL);
        find(*state, "", "", 0, "1");
        find(*state, LABEL("version", "1"), here, 0, "1");
        find(*state, LABEL("version", "2"), here, -ENOENT, NULL);
        find(*state, LABEL("channel", "beta"), here, -ENOENT, NULL);
        add_image(*state, "x", LABEL("version", "2") "," LABEL("os", "linux") "," LABEL("arch", "aarch64"),
                  "", "");
        find(*state, "", here, 0, "1");
        find(*state, LABEL("arch", "aarch64"), here, 0, "2");
        add_image(*state, "x", LABEL("version", "3"), "", "");
        find(*state, LABEL("version", "3"), here, 0, "3");
}

static void test_id(void **state) {
        char id[STORE_ID_MAX], key[STORE_KEY_MAX], wrong[STORE_ID_MAX];
        AcDependency d = { .image_name = (char[]){ "b" }, .image_id = id, .size = UINT64_MAX };
        _cleanup_(image_manifest_freep) ImageManifest *root = NULL;
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_error_ Error e = ERROR_INIT;

        add_short(*state, "B");
        make_id("b", id, key);
        assert_int_equal(image_manifest_new("a", &root), 0);
        assert_int_equal(image_dependency_find(((Fixture *) *state)->store, &d, root, &image, &e), 0);
        assert_string_equal(image.id, id);
        d.size = 1000;
        assert_int_equal(image_dependency_check(&d, &image, &e), 0);
        d.size = 100;
        assert_int_equal(image_dependency_check(&d, &image, &e), 0);
        d.size = 99;
        assert_int_equal(image_dependency_check(&d, &image, &e), -EBADMSG);
        assert_string_equal(e.message, "the image has 100 bytes (1000 uncompressed), not 99");
        d.size = UINT64_MAX;
        d.image_name = (char[]){ "c" };
        assert_int_equal(image_dependency_check(&d, &image, &e), -EBADMSG);
        d.image_name = (char[]){ "b" };
        memcpy(wrong, id, sizeof(wrong));
        wrong[STORE_ID_MAX - 2] = wrong[STORE_ID_MAX - 2] == '0' ? '1' : '0';
        d.image_id = wrong;
        assert_int_equal(image_dependency_check(&d, &image, &e), -EBADMSG);
        d.image_id = (char[]){ "sha512-1234" };
        store_image_done(&image);
        assert_int_equal(image_dependency_find(((Fixture *) *state)->store, &d, root, &image, &e), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test_setup_teardown(test_tree_key, setup, teardown),
                cmocka_unit_test(test_bad),
                cmocka_unit_test_setup_teardown(test_too_deep, setup, teardown),
                cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
                cmocka_unit_test_setup_teardown(test_labels, setup, teardown),
                cmocka_unit_test_setup_teardown(test_id, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

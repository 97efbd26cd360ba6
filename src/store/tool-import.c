/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests only, not installed: imports a file into a store and prints where the tree is.
 *
 *      tool-import DIRECTORY ARCHIVE [layer]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "store/store-layer.h"
#include "store/store-tree.h"

static int begin(Store *s, bool is_layer, StoreImport **ret, Error *e) {
        const StoreLayerExpect expect = { .size = UINT64_MAX };

        return is_layer ? store_layer_import_new(s, &STORE_IMPORT_LIMITS_DEFAULT, &expect, ret, e)
                        : store_import_new(s, &STORE_IMPORT_LIMITS_DEFAULT, ret, e);
}

static int run(const char *dir, const char *archive, bool is_layer, Error *e) {
        _cleanup_(store_freep) Store *s = NULL;
        _cleanup_(store_import_freep) StoreImport *i = NULL;
        _cleanup_close_ int tree = -EBADF;
        StoreImage image = { .name = (char[]){ "example.com/test" } };
        static char buffer[65536];
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = store_open(dir, 0, &s, e);
        if (r >= 0)
                r = begin(s, is_layer, &i, e);
        if (r < 0)
                return r;
        fd = open(archive, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", archive);
        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n < 0)
                        return error_setf(e, -errno, "cannot read '%s': %m", archive);
                if (n == 0 || store_import_write(i, buffer, (size_t) n, NULL) < 0)
                        break;
        }
        r = store_import_finish(i, e);
        if (r < 0)
                return r;
        for (char *const *w = store_import_warnings(i); w && *w; w++)
                (void) fprintf(stderr, "warning: %s\n", *w);
        r = is_layer ? store_layer_commit(i, e) : store_import_commit(i, &image, e);
        if (r >= 0)
                r = store_tree_mount(s, store_import_key(i), &tree, e);
        if (r >= 0)
                (void) printf("%s/cas/tree/%s\n", store_dir(s), store_import_key(i));
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        if (argc != 3 && (argc != 4 || !streq(argv[3], "layer")))
                return EXIT_FAILURE;
        r = run(argv[1], argv[2], argc == 4, &e);
        if (r < 0)
                (void) fprintf(stderr, "%s: %s\n", argv[2], error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All files of cas/ref/image at once: thousands, when a machine builds images. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "store/store-internal.h"

#define LIST_THREAD_MIN 500 /* files that are worth a thread */

/* Goes on in a sorted vector up to a key. Return: whether it is there. */
static bool find_sorted(char ***v, const char *key) {
        while (*v && **v && strcmp(**v, key) < 0)
                (*v)++;
        return *v && **v && streq(**v, key);
}

/* Some of the files, read by one thread. */
typedef struct ListPart {
        Store *store;
        int folder_fd;
        char **names; /* n_names of them */
        size_t n_names;
        char **trees; /* all of them, sorted */
        StoreImageList list;
        int r; /* 0, -ENOMEM */
} ListPart;

static int list_file(ListPart *p, const char *name) {
        _cleanup_error_ Error why = ERROR_INIT;
        _cleanup_free_ char *path = strf(STORE_IMAGE_FOLDER "/%s", name);
        StoreImageList *l = &p->list;
        StoreImage i = STORE_IMAGE_INIT;
        int r;

        if (!path || !GREEDY_GROW(l->images, l->n_images))
                return -ENOMEM;
        r = store_image_read_at(p->store, p->folder_fd, path, &i, &why);
        if (r == -ENOMEM || r == -ENOENT)
                return r == -ENOENT ? 0 : r;
        if (r < 0)
                return strv_extend(&l->damaged, path) < 0 || strv_extend(&l->errors, error_text(&why, r)) < 0
                               ? -ENOMEM
                               : 0;
        if (!i.layers && !find_sorted(&p->trees, i.key))
                i.tree_size = 0;
        l->images[l->n_images++] = i;
        return 0;
}

static void *list_part(void *userdata) {
        ListPart *p = userdata;

        for (size_t i = 0; p->names && i < p->n_names && p->r >= 0; i++)
                if (store_is_image_file(p->names[i]))
                        p->r = list_file(p, p->names[i]);
        return NULL;
}

/* Adds what one has to what another has. */
static int join_lists(StoreImageList *l, StoreImageList *more) {
        StoreImage *images = reallocarray(l->images, l->n_images + more->n_images + 1, sizeof(*images));

        if (!images)
                return -ENOMEM;
        l->images = images;
        if (more->n_images > 0)
                memcpy(images + l->n_images, more->images, more->n_images * sizeof(*images));
        l->n_images += more->n_images;
        more->n_images = 0;
        STRV_FOREACH (d, more->damaged)
                if (strv_extend(&l->damaged, *d) < 0)
                        return -ENOMEM;
        STRV_FOREACH (d, more->errors)
                if (strv_extend(&l->errors, *d) < 0)
                        return -ENOMEM;
        return 0;
}

/* Thousands of small files: half of the time is the kernel's, and the other half the parser's; both go by themselves. Where
 * there is no second thread to be had, the first one does it all. */
static int list_all(ListPart parts[static 2]) {
        pthread_t thread;
        bool started = parts[1].n_names > 0 && pthread_create(&thread, NULL, list_part, &parts[1]) == 0;

        (void) list_part(&parts[0]);
        if (started)
                (void) pthread_join(thread, NULL);
        else
                (void) list_part(&parts[1]);
        if (parts[0].r < 0 || parts[1].r < 0)
                return MIN(parts[0].r, parts[1].r);
        return join_lists(&parts[0].list, &parts[1].list);
}

/**
 * store_image_list() - all images
 * @s:   store
 * @ret: store_image_list_done(); in no order; of what is damaged there is a sentence instead; tree_size is 0 of an image
 *       whose tree is not there
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, errno of opendir().
 */
int store_image_list(Store *s, StoreImageList *ret, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **trees = NULL;
        _cleanup_close_ int folder =
                openat(s->cas_fd, STORE_IMAGE_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ListPart parts[2] = {};
        size_t n, half;
        int r;

        r = folder < 0 ? -errno : dir_list_at(folder, ".", &names);
        if (r < 0)
                return error_setf(e, r, "cannot list '%s/cas/" STORE_IMAGE_FOLDER "': %s", s->dir,
                                  strerror(-r));
        r = dir_list_at(s->cas_fd, "tree", &trees);
        if (r < 0 && r != -ENOENT)
                return error_setf(e, r, "cannot list '%s/cas/tree': %s", s->dir, strerror(-r));
        n = strv_length(names);
        half = n < LIST_THREAD_MIN ? n : n / 2;
        FOREACH_ARRAY (p, parts, ELEMENTSOF(parts))
                *p = (ListPart){ .store = s, .folder_fd = folder, .trees = trees };
        parts[0].names = names;
        parts[0].n_names = half;
        parts[1].names = names ? names + half : NULL;
        parts[1].n_names = n - half;
        r = list_all(parts);
        store_image_list_done(&parts[1].list);
        if (r < 0) {
                store_image_list_done(&parts[0].list);
                return error_oom(e);
        }
        *ret = parts[0].list;
        return 0;
}

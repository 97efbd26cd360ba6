/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/first-name.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"

typedef struct Linked {
        dev_t dev;
        ino_t ino;
        char *path;
} Linked;

static int compare(const void *a, const void *b) {
        const Linked *x = a, *y = b;

        if (x->dev != y->dev)
                return x->dev < y->dev ? -1 : 1;
        return x->ino == y->ino ? 0 : x->ino < y->ino ? -1 : 1;
}

static void linked_free(void *p) {
        free(((Linked *) p)->path);
        free(p);
}

/**
 * first_names_meet() - a name of a file
 * @f:    what was met so far
 * @st:   of the file
 * @path: its name here; copied
 * @ret:  when it was met before, the name that it had then, which belongs to @f
 *
 * Return: 0: met for the first time; 1: it was met before; -ENOMEM.
 */
int first_names_meet(FirstNames *f, const struct stat *st, const char *path, const char **ret) {
        Linked *l = new0(Linked, 1), **found;

        if (!l)
                return -ENOMEM;
        *l = (Linked){ st->st_dev, st->st_ino, strdup(path) };
        found = l->path ? tsearch(l, &f->root, compare) : NULL;
        if (!found) {
                linked_free(l);
                return -ENOMEM;
        }
        if (*found == l)
                return 0;
        linked_free(l);
        *ret = (*found)->path;
        return 1;
}

/**
 * first_names_done() - forget all
 * @f: empty afterwards
 */
void first_names_done(FirstNames *f) {
        tdestroy(f->root, linked_free);
        *f = FIRST_NAMES_INIT;
}

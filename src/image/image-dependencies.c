/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Brings in what an image depends on: level by level, each dependency once, however often it is reached, by the same policy
 * as the image itself. Whether all of them together make sense is for image-render.c to say, when they are here. */
#include "image/image-dependencies.h"

#include <inttypes.h>

#include "basic/str.h"
#include "image/image-fetch.h"
#include "image/image-render.h"
#include "store/store-blob.h"

#define NO_PARENT SIZE_MAX

/* An image that is here. */
typedef struct Member {
        char key[STORE_KEY_MAX];
        char *name;
        size_t parent; /* the member that asked for it first */
        unsigned depth;
} Member;

typedef struct Family {
        Store *store;
        const ImageGetOptions *options;
        ImageManifest *root;
        Member *members;
        size_t n_members;
        char **seen; /* dependencies, as text and ID */
        size_t n_seen;
} Family;

static void family_done(Family *f) {
        FOREACH_ARRAY (m, f->members, f->n_members)
                free(m->name);
        FOREACH_ARRAY (s, f->seen, f->n_seen)
                free(*s);
        free(f->members);
        free(f->seen);
        image_manifest_free(f->root);
}

static int add_member(Family *f, const char *id, const char *name, size_t parent) {
        Member m = { .parent = parent };
        int r;

        r = store_key_from_id(id, m.key);
        if (r < 0)
                return r;
        FOREACH_ARRAY (i, f->members, f->n_members)
                if (streq(i->key, m.key))
                        return 0;
        m.depth = parent == NO_PARENT ? 0 : f->members[parent].depth + 1;
        m.name = strdup(name);
        if (!m.name || !GREEDY_GROW(f->members, f->n_members)) {
                free(m.name);
                return -ENOMEM;
        }
        f->members[f->n_members++] = m;
        return 0;
}

/* 1: it is new. */
static int remember(Family *f, const AcDependency *d, const char *text) {
        char *s = strf("%s %s %" PRIu64, text, str_or(d->image_id, ""), d->size);

        if (!s)
                return -ENOMEM;
        FOREACH_ARRAY (i, f->seen, f->n_seen)
                if (streq(*i, s)) {
                        free(s);
                        return 0;
                }
        if (!GREEDY_GROW(f->seen, f->n_seen)) {
                free(s);
                return -ENOMEM;
        }
        f->seen[f->n_seen++] = s;
        return 1;
}

static int show_chain(const Family *f, size_t last, char **ret) {
        _cleanup_free_ char *chain = strdup(f->members[last].name);

        for (size_t i = f->members[last].parent; chain && i != NO_PARENT; i = f->members[i].parent) {
                char *longer = strf("%s -> %s", f->members[i].name, chain);

                free(chain);
                chain = longer;
        }
        *ret = TAKE_PTR(chain);
        return *ret ? 0 : -ENOMEM;
}

/* From the store, when that is enough. 0: not there. */
static int try_store(const Family *f, const AcDependency *d, const char *text, char **ret_id, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        PullPolicy pull = f->options->pull;
        int r;

        if (!d->image_id && pull != PULL_MISSING && pull != PULL_NEVER)
                return 0;
        r = image_dependency_find(f->store, d, f->root, &image, e);
        if (r == -ENOENT && pull != PULL_NEVER) {
                error_done(e);
                return 0;
        }
        if (r == -ENOENT)
                return error_setf(e, r,
                                  "unable to fetch image from image name \"%s\": it is not in the local "
                                  "store, and the pull policy is 'never'",
                                  text);
        if (r < 0)
                return r;
        image_message(f->options, "using image from local store for image name %s", text);
        (void) store_image_touch(f->store, image.key);
        *ret_id = TAKE_PTR(image.id);
        return 1;
}

static int get_one(Family *f, size_t parent, const AcDependency *d, Error *e) {
        _cleanup_free_ char *text = NULL, *id = NULL;
        int r;

        if (image_dependency_to_string(d, &text) < 0)
                return error_oom(e);
        r = remember(f, d, text);
        if (r <= 0)
                return r < 0 ? error_oom(e) : 0;
        if (f->n_seen > IMAGE_RENDER_PARTS_MAX)
                return error_setf(e, -E2BIG, "image '%s' has more than %u dependencies", f->members[0].name,
                                  IMAGE_RENDER_PARTS_MAX);
        r = try_store(f, d, text, &id, e);
        if (r == 0)
                r = image_get_dependency(f->store, d, f->root, f->options, &id, e);
        if (r >= 0 && add_member(f, id, d->image_name, parent) < 0)
                return error_oom(e);
        return r < 0 ? error_prefixf(e, r, "dependency '%s'", text) : 0;
}

static int get_all(Family *f, size_t parent, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *text = NULL, *chain = NULL;
        size_t size;
        int r;

        r = store_manifest_read(f->store, f->members[parent].key, &text, &size, e);
        if (r >= 0)
                r = image_manifest_parse(text, size, &m, e);
        if (r < 0 || m->n_dependencies == 0)
                return r;
        if (f->members[parent].depth + 1 >= IMAGE_DEPENDENCY_DEPTH_MAX)
                r = error_setf(e, -E2BIG, "its dependencies are nested more than %u deep",
                               IMAGE_DEPENDENCY_DEPTH_MAX);
        for (size_t i = 0; r >= 0 && i < m->n_dependencies; i++)
                r = get_one(f, parent, m->dependencies + i, e);
        if (r >= 0)
                return 0;
        return show_chain(f, parent, &chain) < 0 ? error_oom(e) : error_prefixf(e, r, "image '%s'", chain);
}

static int load_root(Family *f, const char *id, Error *e) {
        _cleanup_free_ char *text = NULL;
        char key[STORE_KEY_MAX];
        size_t size;
        int r;

        r = store_key_from_id(id, key);
        if (r >= 0)
                r = store_manifest_read(f->store, key, &text, &size, e);
        if (r >= 0)
                r = image_manifest_parse(text, size, &f->root, e);
        if (r >= 0 && add_member(f, id, f->root->name, NO_PARENT) < 0)
                return error_oom(e);
        return r;
}

/**
 * image_get_dependencies() - have everything in the store that an image depends on
 * @store:   opened for writing
 * @id:      of the image, which is in the store
 * @options: how; the signature counts for the image only, not here
 * @e:       sentence on failure, naming the chain of images; may be NULL
 *
 * Each is verified with the keys for its own name. What came in before something failed stays: they are whole images.
 *
 * Return: 0; -E2BIG (too deep, too many), what image_get() returns; -ELOOP and the others of image_render_list().
 */
int image_get_dependencies(Store *store, const char *id, const ImageGetOptions *options, Error *e) {
        _cleanup_(image_render_done) ImageRender render = IMAGE_RENDER_INIT;
        ImageGetOptions o = *options;
        _cleanup_(family_done) Family f = { .store = store, .options = &o };
        int r;

        o.signature = NULL;
        r = load_root(&f, id, e);
        if (r < 0 || f.root->n_dependencies == 0)
                return r;
        for (size_t i = 0; r >= 0 && i < f.n_members; i++)
                r = get_all(&f, i, e);
        return r < 0 ? r : image_render_list(store, f.members[0].key, &render, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of parts, by the text of the standard: the dependencies in their order, each with its own before it, then the
 * image. A whitelist applies to its image and to everything that the image depends on, so what counts for a part is what the
 * lists on the way to it have in common. (The reference code takes one of them, and sometimes a sibling's.) */
#include "image/image-render.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/digest.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-name.h"
#include "store/store-blob.h"
#include "store/store-layer.h"

#define CHAIN_SHOWN 8 /* names at each end of a chain that is too long for a message */

/* Paths that may come through, sorted; paths NULL: all. */
typedef struct PathList {
        char **paths;
        size_t n_paths;
} PathList;

/* Lists and texts are shared by parts; all are freed together. */
typedef struct Memory {
        char ***lists;
        size_t n_lists;
        char **texts;
        size_t n_texts;
        size_t n_paths;
} Memory;

typedef struct Link {
        char key[STORE_KEY_MAX];
        char *name;
} Link;

typedef struct Lister {
        Store *store;
        Memory *memory;
        ImageRender *render;
        ImageManifest *root;
        Link chain[IMAGE_DEPENDENCY_DEPTH_MAX + 1];
        size_t n_chain;
        Digest *digest;
} Lister;

static void memory_free(Memory *m) {
        if (!m)
                return;
        FOREACH_ARRAY (l, m->lists, m->n_lists)
                free(*l);
        FOREACH_ARRAY (t, m->texts, m->n_texts)
                free(*t);
        free(m->lists);
        free(m->texts);
        free(m);
}

/**
 * image_render_done() - free
 * @r: is IMAGE_RENDER_INIT afterwards
 */
void image_render_done(ImageRender *r) {
        free(r->parts);
        memory_free(r->memory);
        *r = IMAGE_RENDER_INIT;
}

static char *keep_text(Memory *m, char *s) {
        if (!s || !GREEDY_GROW(m->texts, m->n_texts)) {
                free(s);
                return NULL;
        }
        m->texts[m->n_texts++] = s;
        return s;
}

static char **new_list(Memory *m, size_t n) {
        char **list = new0(char *, n + 1);

        if (!list || !GREEDY_GROW(m->lists, m->n_lists)) {
                free(list);
                return NULL;
        }
        m->lists[m->n_lists++] = list;
        return list;
}

/* "//a/./b/../c/" is "a/c"; "" is the root. What leads out of it stays in it. */
static char *normalize(const char *path) {
        char *out = malloc(strlen(path) + 1);
        size_t size = 0;

        if (!out)
                return NULL;
        while (*path) {
                size_t n = strcspn(path, "/");

                if (n == 2 && path[0] == '.' && path[1] == '.')
                        while (size > 0 && out[--size] != '/')
                                ;
                else if (n > 0 && !(n == 1 && path[0] == '.')) {
                        if (size > 0)
                                out[size++] = '/';
                        memcpy(out + size, path, n);
                        size += n;
                }
                path += n;
                path += strspn(path, "/");
        }
        out[size] = '\0';
        return out;
}

static int compare_text(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int own_list(Memory *m, char *const *whitelist, PathList *ret) {
        size_t n = strv_length(whitelist), kept = 0;
        char **list;

        *ret = (PathList){};
        if (n == 0)
                return 0;
        list = new_list(m, n);
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                list[i] = keep_text(m, normalize(whitelist[i]));
                if (!list[i])
                        return -ENOMEM;
        }
        qsort(list, n, sizeof(*list), compare_text);
        for (size_t i = 0; i < n; i++)
                if (kept == 0 || !streq(list[kept - 1], list[i]))
                        list[kept++] = list[i];
        list[kept] = NULL;
        *ret = (PathList){ list, kept };
        return 0;
}

static int intersect(Memory *m, const PathList *a, const PathList *b, PathList *ret) {
        PathList both = {};

        if (!a->paths || !b->paths) {
                *ret = a->paths ? *a : *b;
                return 0;
        }
        both.paths = new_list(m, MIN(a->n_paths, b->n_paths));
        if (!both.paths)
                return -ENOMEM;
        for (size_t i = 0, j = 0; i < a->n_paths && j < b->n_paths;) {
                int c = strcmp(a->paths[i], b->paths[j]);

                if (c == 0)
                        both.paths[both.n_paths++] = a->paths[i];
                i += c <= 0;
                j += c >= 0;
        }
        m->n_paths += both.n_paths;
        *ret = both;
        return m->n_paths > IMAGE_WHITELIST_MAX ? -E2BIG : 0;
}

/**
 * image_dependency_to_string() - as a user would write it
 * @d:   dependency
 * @ret: name and labels; free()
 *
 * Return: 0, -ENOMEM, -EINVAL (a label that no text can say).
 */
int image_dependency_to_string(const AcDependency *d, char **ret) {
        _cleanup_(image_name_freep) ImageName *n = NULL;
        int r;

        n = new0(ImageName, 1);
        if (!n)
                return -ENOMEM;
        n->type = IMAGE_NAME_APPC;
        n->text = strdup(d->image_name);
        if (!n->text)
                return -ENOMEM;
        FOREACH_ARRAY (l, d->labels, d->n_labels) {
                r = image_name_set_label(n, l->name, l->value);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return image_name_to_string(n, ret);
}

/**
 * image_dependency_check() - is this what the dependency means?
 * @d:     dependency
 * @image: size may be 0: not known
 * @e:     sentence on failure; may be NULL
 *
 * By the text, an ID makes the labels pointless. The size may be that of the file, compressed or not.
 *
 * Return: 0, -EBADMSG.
 */
int image_dependency_check(const AcDependency *d, const StoreImage *image, Error *e) {
        if (!streq(image->name, d->image_name))
                return error_setf(e, -EBADMSG, "the image is called \"%s\", not \"%s\"", image->name,
                                  d->image_name);
        if (d->image_id && !streq(image->id, d->image_id))
                return error_setf(e, -EBADMSG, "the image has the ID \"%s\", not \"%.150s\"", image->id,
                                  d->image_id);
        for (size_t i = 0; i < d->n_labels && !d->image_id; i++) {
                const AcPair *l = d->labels + i;
                const char *value = store_image_label(image, l->name);

                if (!value)
                        return error_setf(e, -EBADMSG,
                                          "requested label \"%s\" not provided by the image manifest",
                                          l->name);
                if (!streq(value, l->value))
                        return error_setf(e, -EBADMSG,
                                          "requested value for label \"%s\": \"%s\" differs from fetched aci "
                                          "label value: \"%s\"",
                                          l->name, l->value, value);
        }
        if (d->size != UINT64_MAX && image->size > 0 && d->size != image->size && image->archive_size > 0 &&
            d->size != image->archive_size)
                return error_setf(e, -EBADMSG,
                                  "the image has %" PRIu64 " bytes (%" PRIu64 " uncompressed), not %" PRIu64,
                                  image->archive_size, image->size, d->size);
        return 0;
}

/* Says the image for which os or arch it is, where the dependency leaves that open? */
static bool is_platform(const AcPair *label, const AcDependency *d) {
        return (streq(label->name, "os") || streq(label->name, "arch")) &&
               !ac_pairs_get(d->labels, d->n_labels, label->name);
}

/* One for the platform of the image that needs it, or for any, rather than the one that came last. */
static int find_by_name(Store *s, const AcDependency *d, const ImageManifest *root, StoreImage *ret,
                        Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_free_ StoreLabel *labels = new0(StoreLabel, d->n_labels + root->n_labels);
        size_t n = 0;
        int r;

        if (!labels)
                return error_oom(e);
        FOREACH_ARRAY (l, d->labels, d->n_labels)
                labels[n++] = (StoreLabel){ l->name, l->value };
        FOREACH_ARRAY (l, root->labels, root->n_labels)
                if (is_platform(l, d))
                        labels[n++] = (StoreLabel){ l->name, l->value };
        r = store_image_find(s, d->image_name, labels, n, &image, e);
        if (r == -ENOENT && n > d->n_labels) {
                r = store_image_find(s, d->image_name, labels, d->n_labels, &image, e);
                FOREACH_ARRAY (l, root->labels, r < 0 ? 0 : root->n_labels) {
                        const char *has = is_platform(l, d) ? store_image_label(&image, l->name) : NULL;

                        if (has && !streq(has, l->value))
                                return -ENOENT;
                }
        }
        if (r >= 0)
                r = image_dependency_check(d, &image, e);
        if (r < 0)
                return r;
        *ret = image;
        image = STORE_IMAGE_INIT;
        return 0;
}

static int find_by_id(Store *s, const AcDependency *d, StoreImage *ret, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        char key[STORE_KEY_MAX];
        int r;

        if (!store_id_is_valid(d->image_id))
                return error_setf(e, -EINVAL, "its ID '%.150s' is not 'sha512-' and %d hex digits",
                                  d->image_id, STORE_DIGEST_HEX);
        r = store_key_from_id(d->image_id, key);
        if (r >= 0)
                r = store_image_load(s, key, &image, e);
        if (r < 0)
                return r;
        r = image_dependency_check(d, &image, e);
        if (r < 0)
                return r;
        *ret = image;
        image = STORE_IMAGE_INIT;
        return 0;
}

/**
 * image_dependency_find() - the image in the store that a dependency means
 * @s:    store
 * @d:    dependency
 * @root: manifest of the image that is rendered in the end: where the dependency does not say for which os and arch, it is
 *        for that one's
 * @ret:  for store_image_done()
 * @e:    sentence on failure; may be NULL
 *
 * By its ID, if it has one; else the newest of its name and labels.
 *
 * Return: 0, -ENOENT (not in the store), -EINVAL (no whole ID), -EBADMSG (another name), -ENOMEM.
 */
int image_dependency_find(Store *s, const AcDependency *d, const ImageManifest *root, StoreImage *ret,
                          Error *e) {
        return d->image_id ? find_by_id(s, d, ret, e) : find_by_name(s, d, root, ret, e);
}

static int show_chain(const Lister *l, const char *last, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        for (size_t i = 0; i < l->n_chain; i++) {
                if (l->n_chain > 2 * CHAIN_SHOWN && i == CHAIN_SHOWN) {
                        strbuf_add(&b, "... -> ");
                        i = l->n_chain - CHAIN_SHOWN;
                }
                strbuf_addf(&b, "%s -> ", l->chain[i].name);
        }
        strbuf_add(&b, last);
        return strbuf_steal(&b, ret);
}

/* Cycles would go on for ever. */
static int check_chain(const Lister *l, const char *key, const char *name, Error *e) {
        _cleanup_free_ char *chain = NULL;

        if (l->n_chain < IMAGE_DEPENDENCY_DEPTH_MAX) {
                size_t i = 0;

                while (i < l->n_chain && !streq(l->chain[i].key, key))
                        i++;
                if (i == l->n_chain)
                        return 0;
                if (show_chain(l, name, &chain) < 0)
                        return error_oom(e);
                return error_setf(e, -ELOOP, "image '%s' depends on itself: %s", name, chain);
        }
        if (show_chain(l, name, &chain) < 0)
                return error_oom(e);
        return error_setf(e, -E2BIG, "image '%s' has dependencies that are nested more than %u deep: %s",
                          l->chain[0].name, IMAGE_DEPENDENCY_DEPTH_MAX, chain);
}

static int add_part(Lister *l, const char *key, const PathList *allowed, Error *e) {
        char line[STORE_KEY_MAX + 16];
        char *copy;

        if (l->render->n_parts >= IMAGE_RENDER_PARTS_MAX)
                return error_setf(e, -E2BIG,
                                  "image '%s' has more than %u dependencies, each counted as often as it is "
                                  "reached",
                                  l->chain[0].name, IMAGE_RENDER_PARTS_MAX);
        copy = keep_text(l->memory, strdup(key));
        if (!copy || !GREEDY_GROW(l->render->parts, l->render->n_parts))
                return error_oom(e);
        l->render->parts[l->render->n_parts++] = (StoreTreePart){ copy, allowed->paths };
        /* The order and the depths say everything: who depends on whom, and thereby whose list applies. */
        (void) snprintf(line, sizeof(line), "%zu %s\n", l->n_chain, key);
        return digest_update(l->digest, line, strlen(line)) < 0 ? error_oom(e) : 0;
}

static int load_manifest(Store *s, const char *key, ImageManifest **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = store_manifest_read(s, key, &text, &size, e);
        return r < 0 ? r : image_manifest_parse(text, size, ret, e);
}

static int add_image(Lister *l, const char *key, const PathList *inherited, Error *e);

/* NOLINTNEXTLINE(misc-no-recursion) bounded by IMAGE_DEPENDENCY_DEPTH_MAX */
static int add_dependency(Lister *l, const ImageManifest *m, const AcDependency *d, const PathList *allowed,
                          Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        _cleanup_error_ Error sub = ERROR_INIT;
        _cleanup_free_ char *what = NULL;
        int r;

        r = image_dependency_find(l->store, d, l->root, &image, &sub);
        if (r >= 0)
                r = check_chain(l, image.key, image.name, e);
        else {
                if (image_dependency_to_string(d, &what) < 0)
                        return error_oom(e);
                if (r == -ENOENT)
                        return error_setf(
                                e, r, "dependency '%s'%s%.150s of image '%s' is not in the store; fetch '%s'",
                                what, d->image_id ? " with the ID " : "", str_or(d->image_id, ""), m->name,
                                l->root->name);
                return error_setf(e, r, "dependency '%s' of image '%s': %s", what, m->name,
                                  error_text(&sub, r));
        }
        return r < 0 ? r : add_image(l, image.key, allowed, e);
}

/* Depth first, the image itself last. */
/* NOLINTNEXTLINE(misc-no-recursion) bounded by IMAGE_DEPENDENCY_DEPTH_MAX */
static int add_image(Lister *l, const char *key, const PathList *inherited, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        PathList own, allowed;
        Link *link;
        int r;

        r = load_manifest(l->store, key, &m, e);
        if (r < 0)
                return r;
        if (!l->root)
                l->root = m;
        link = l->chain + l->n_chain++;
        memcpy(link->key, key, STORE_KEY_MAX);
        link->name = m->name;
        r = own_list(l->memory, m->path_whitelist, &own);
        if (r >= 0)
                r = intersect(l->memory, inherited, &own, &allowed);
        if (r == -E2BIG)
                return error_setf(e, r,
                                  "the pathWhitelists of image '%s' and its dependencies have more than %u "
                                  "paths in all",
                                  l->chain[0].name, IMAGE_WHITELIST_MAX);
        if (r < 0)
                return error_oom(e);
        FOREACH_ARRAY (d, m->dependencies, m->n_dependencies) {
                r = add_dependency(l, m, d, &allowed, e);
                if (r < 0)
                        return r;
        }
        r = add_part(l, key, &allowed, e);
        l->n_chain--;
        if (l->root == m)
                l->root = NULL;
        return r;
}

/* Does a list let through all that another one does? */
static bool is_wider(char *const *a, char *const *b) {
        if (!a || a == b)
                return true;
        if (!b)
                return false;
        for (; *b; a++) {
                int c = *a ? strcmp(*a, *b) : 1;

                if (c > 0)
                        return false;
                b += c == 0;
        }
        return true;
}

/* An image that comes again later, whole, need not come earlier: each of its paths is replaced then, whatever came between.
 * So a few images that need each other in many ways are unpacked once each. */
static void drop_repeated(ImageRender *x) {
        size_t n = 0;

        for (size_t i = 0; i < x->n_parts; i++) {
                const StoreTreePart *p = x->parts + i;
                size_t j = i + 1;

                while (j < x->n_parts &&
                       !(streq(p->key, x->parts[j].key) && is_wider(x->parts[j].whitelist, p->whitelist)))
                        j++;
                if (j == x->n_parts)
                        x->parts[n++] = *p;
        }
        x->n_parts = n;
}

static int make_tree_key(Lister *l, const char *key) {
        ImageRender *x = l->render;
        char hex[DIGEST_HEX_MAX];
        int r;

        if (x->n_parts == 1 && !x->parts[0].whitelist) {
                memcpy(x->tree_key, key, STORE_KEY_MAX);
                return 0;
        }
        r = digest_final_hex(l->digest, hex);
        if (r >= 0)
                (void) snprintf(x->tree_key, sizeof(x->tree_key), "deps-sha512-%.*s", STORE_KEY_HEX, hex);
        return r;
}

/**
 * image_render_list() - what the root of an image is made of
 * @s:   store; hold its lock shared for as long as the answer counts
 * @key: image
 * @ret: for image_render_done()
 * @e:   sentence on failure, which names the chain of images; may be NULL
 *
 * Return: 0; -ENOENT (a dependency, or the image itself, is not in the store), -ELOOP (a cycle), -E2BIG (too deep, too many),
 * -EINVAL, -EBADMSG (a dependency whose ID is another image's), what image_manifest_parse() returns, -ENOMEM.
 */
int image_render_list(Store *s, const char *key, ImageRender *ret, Error *e) {
        _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
        _cleanup_(digest_freep) Digest *digest = NULL;
        Memory *memory = new0(Memory, 1);
        Lister l = { .store = s, .memory = memory, .render = &x };
        int r;

        if (!memory)
                return error_oom(e);
        x.memory = memory;
        if (digest_new(DIGEST_SHA512, &digest) < 0)
                return error_oom(e);
        l.digest = digest;
        r = add_image(&l, key, &(PathList){}, e);
        if (r < 0)
                return r;
        r = make_tree_key(&l, key);
        if (r < 0)
                return error_setf(e, r, "cannot hash the dependencies");
        drop_repeated(&x);
        *ret = x;
        x = IMAGE_RENDER_INIT;
        return 0;
}

/* Of an ACI: one tree, in which everything is put together. */
static int ensure_rendered(Store *s, const char *key, char ***ret_trees, Error *e) {
        _cleanup_(image_render_done) ImageRender x = IMAGE_RENDER_INIT;
        _cleanup_strv_free_ char **trees = NULL;
        int r;

        r = image_render_list(s, key, &x, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (p, x.parts, x.n_parts)
                (void) store_image_touch(s, p->key);
        if (!store_tree_exists(s, x.tree_key)) {
                r = store_tree_build(s, x.tree_key, x.parts, x.n_parts, e);
                if (r < 0)
                        return r;
        }
        if (strv_extend(&trees, x.tree_key) < 0)
                return error_oom(e);
        *ret_trees = TAKE_PTR(trees);
        return 0;
}

/* A layer that comes again later, over itself, hides all of what it was before. Overlayfs wants each directory once. */
static void drop_repeated_layers(char **trees) {
        size_t n = 0;

        STRV_FOREACH (t, trees) {
                if (strv_contains(t + 1, *t))
                        free(*t);
                else
                        trees[n++] = *t;
        }
        if (trees)
                trees[n] = NULL;
}

/**
 * image_tree_ensure() - have the trees of an image, with all that it depends on
 * @s:         store, opened for writing; hold its lock shared until they are mounted, or a pod's directory names them
 * @key:       image
 * @ret_trees: their keys, the weakest first, for store_tree_mount(); strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Those of an OCI image are its layers'. The image and its dependencies count as used now.
 *
 * Return: 0, what image_render_list(), store_tree_build() and store_layers_stack() return.
 */
int image_tree_ensure(Store *s, const char *key, char ***ret_trees, Error *e) {
        _cleanup_(store_image_done) StoreImage image = STORE_IMAGE_INIT;
        int r;

        if (store_image_load(s, key, &image, NULL) < 0 || !image.layers)
                return ensure_rendered(s, key, ret_trees, e);
        (void) store_image_touch(s, key);
        r = store_layers_stack(s, image.layers, ret_trees, e);
        if (r >= 0)
                drop_repeated_layers(*ret_trees);
        return r;
}

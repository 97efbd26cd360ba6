/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a layer says of those below it: this is not there, and here is nothing of yours. */
#include "store/erofs-internal.h"

#include "basic/alloc.h"
#include "basic/str.h"

static int set_attribute(ErofsTree *t, uint32_t id, const char *name, const char *value, Error *e) {
        _cleanup_free_ char *n = strdup(name), *v = strdup(value);
        const TarXattr x = { .name = n, .value = v, .size = strlen(value) };
        uint32_t set = 0;
        int r = n && v ? erofs_xattrs_set(t, &x, t->nodes[id].xattrs, &set, e) : error_oom(e);

        if (r >= 0)
                t->nodes[id].xattrs = set;
        return r;
}

/**
 * erofs_tree_make_opaque() - nothing below shows through a directory
 * @t:  tree
 * @id: directory
 * @e:  sentence on failure; may be NULL
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int erofs_tree_make_opaque(ErofsTree *t, uint32_t id, Error *e) {
        int r = set_attribute(t, id, EROFS_OPAQUE, "y", e);

        if (r < 0)
                return r;
        t->nodes[id].flags |= EROFS_NODE_OPAQUE;
        free(t->order);
        t->order = NULL;
        return 0;
}

/**
 * erofs_tree_add_whiteout() - what overlayfs takes for "not there", whatever is below
 * @t:    tree; of no use after a failure
 * @path: beneath the root; what the tree itself has there stays, also a file where a folder of it should be
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG, -ELOOP, -E2BIG, -ENOMEM.
 */
int erofs_tree_add_whiteout(ErofsTree *t, const char *path, Error *e) {
        _cleanup_free_ char *copy = strdup(path);
        const TarEntry entry = { .path = copy };
        uint32_t parent = 0, id, *slot;
        const char *name = "";
        int r;

        if (!copy)
                return error_oom(e);
        r = erofs_tree_find_parent(t, &entry, &parent, &name, e);
        /* umoci says that what was in a directory is gone, also where the layer has a file in its place */
        if (r == -ENOTDIR) {
                error_done(e);
                return 0;
        }
        if (r < 0)
                return r;
        r = erofs_tree_find(t, parent, name, strlen(name), &slot);
        if (r < 0)
                return erofs_tree_full(r, e);
        if (*slot != EROFS_NONE && erofs_node_is_visible(&t->nodes[*slot]))
                return t->nodes[*slot].type == TAR_DIRECTORY ? erofs_tree_make_opaque(t, *slot, e) : 0;
        r = erofs_tree_add_node(t, parent, name, strlen(name), TAR_CHRDEV, slot, &id);
        free(t->order);
        t->order = NULL;
        return r < 0 ? erofs_tree_full(r, e) : 0;
}

/**
 * erofs_tree_set_opaque() - what overlayfs takes for "nothing below shows through"
 * @t:    tree
 * @path: of a directory, which is made if it is missing; "": the root
 * @e:    sentence on failure; may be NULL
 *
 * overlayfs does not look at the root's: ask erofs_tree_is_opaque().
 *
 * Return: 0, -EBADMSG (no directory), -ELOOP, -E2BIG, -ENOMEM.
 */
int erofs_tree_set_opaque(ErofsTree *t, const char *path, Error *e) {
        uint32_t id = 0;
        int r = erofs_tree_find_directory(t, path, &id, e);

        if (r < 0)
                return r == -ENOTDIR ? -EBADMSG : r;
        return erofs_tree_make_opaque(t, id, e);
}

/**
 * erofs_tree_is_opaque() - does it hide all that is below?
 * @t: tree
 *
 * Return: true if so.
 */
bool erofs_tree_is_opaque(const ErofsTree *t) {
        return t->nodes[0].flags & EROFS_NODE_OPAQUE;
}

/**
 * erofs_tree_has_root() - does it say of its root anything but the usual?
 * @t: tree
 *
 * Return: true if it has an entry for it that says more than 0755 and root's.
 */
bool erofs_tree_has_root(const ErofsTree *t) {
        const ErofsNode *root = &t->nodes[0];

        return !(root->flags & EROFS_NODE_IMPLIED) &&
               (root->mode != 0755 || root->uid != 0 || root->gid != 0 || root->xattrs != 0);
}

/**
 * erofs_tree_has_implied() - are there directories, beneath the root, that no entry describes?
 * @t: tree
 *
 * Return: true if so.
 */
bool erofs_tree_has_implied(const ErofsTree *t) {
        for (size_t i = 1; i < t->n_nodes; i++)
                if ((t->nodes[i].flags & EROFS_NODE_IMPLIED) && erofs_node_is_visible(&t->nodes[i]))
                        return true;
        return false;
}

/**
 * erofs_tree_settle() - make a layer's whiteouts fit for overlayfs
 * @t: tree of a layer, complete
 * @e: sentence on failure; may be NULL
 *
 * A whiteout in what is opaque hides nothing, and is taken out. A directory that has some is marked: where no other
 * layer has the directory, overlayfs would show their names, unless it takes it for one that was copied up.
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int erofs_tree_settle(ErofsTree *t, Error *e) {
        erofs_tree_changed(t);
        for (size_t i = 0; i < t->n_nodes; i++) {
                ErofsNode *n = &t->nodes[i];
                const ErofsNode *parent = &t->nodes[n->parent]; /* older, so it was looked at */
                int r;

                if ((n->flags & EROFS_NODE_OPAQUE) || (parent->flags & EROFS_NODE_COVERED))
                        n->flags |= EROFS_NODE_COVERED;
                if (!erofs_node_is_whiteout(n) || !erofs_node_is_visible(n))
                        continue;
                if (parent->flags & EROFS_NODE_COVERED) {
                        n->flags |= EROFS_NODE_HIDDEN;
                        continue;
                }
                r = set_attribute(t, n->parent, EROFS_ORIGIN, "", e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * erofs_tree_hide_content() - all that is in a directory gets out of the way
 * @t:      tree
 * @parent: directory; each call looks at all nodes
 */
void erofs_tree_hide_content(ErofsTree *t, uint32_t parent) {
        for (size_t i = 1; i < t->n_nodes; i++)
                if (t->nodes[i].parent == parent)
                        t->nodes[i].flags |= EROFS_NODE_HIDDEN;
        erofs_tree_changed(t);
}

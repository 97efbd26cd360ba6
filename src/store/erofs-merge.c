/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees as a whole: what a pathWhitelist leaves of one, one laid over another, and one handed out as entries again.
 *
 * Each image gets a tree of its own first. So links are followed within their image only, a link of a weaker image that is
 * in the way is replaced and never followed, and a hard link keeps the content of its own image, whoever overrides the name
 * that it points at.
 */
#include "store/erofs-internal.h"

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"

/* "/x/../d/" is "d". Returns NULL if there is no memory. */
static char *clean_path(const char *path) {
        char *out = strdup(path), *end = out;

        for (const char *p = path; out && *p;) {
                size_t n = strcspn(p, "/");

                if (n == 2 && p[0] == '.' && p[1] == '.') {
                        while (end > out && *--end != '/')
                                ;
                } else if (n > 0 && !(n == 1 && *p == '.')) {
                        if (end > out)
                                *end++ = '/';
                        memmove(end, p, n);
                        end += n;
                }
                p += n;
                p += strspn(p, "/");
        }
        if (out)
                *end = '\0';
        return out;
}

static int mark_named(ErofsTree *t, const char *path) {
        _cleanup_free_ char *clean = clean_path(path);
        uint32_t id;
        int r;

        if (!clean)
                return -ENOMEM;
        r = erofs_tree_lookup(t, clean, &id);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        t->nodes[id].flags |= EROFS_NODE_NAMED;
        while (id != 0 && !(t->nodes[t->nodes[id].parent].flags & EROFS_NODE_NEEDED)) {
                id = t->nodes[id].parent;
                t->nodes[id].flags |= EROFS_NODE_NEEDED;
        }
        return 0;
}

static void keep_node(ErofsNode *n, bool is_root, ErofsKeepFlags flags) {
        bool named = n->flags & EROFS_NODE_NAMED, needed = n->flags & EROFS_NODE_NEEDED;

        n->flags &= (uint8_t) ~(EROFS_NODE_NAMED | EROFS_NODE_NEEDED);
        if (named)
                return;
        if (n->type == TAR_DIRECTORY && (flags & EROFS_KEEP_DIRECTORIES) && !(n->flags & EROFS_NODE_IMPLIED))
                return;
        if (!needed && !is_root) {
                n->flags |= EROFS_NODE_HIDDEN;
                return;
        }
        n->flags |= EROFS_NODE_IMPLIED;
        n->mode = 0755;
        n->uid = n->gid = n->xattrs = 0;
}

/**
 * erofs_tree_keep() - leave what a list names
 * @t:     tree of one image, complete
 * @paths: NULL-terminated; cleaned as paths beneath "/"; what is not there is passed over
 * @flags: see there
 * @e:     sentence on failure; may be NULL
 *
 * The list names each object by itself: a directory does not bring what is in it. A hard link that is left keeps the
 * content, whether or not its target is.
 *
 * Return: 0, -ENOMEM.
 */
int erofs_tree_keep(ErofsTree *t, const char *const *paths, ErofsKeepFlags flags, Error *e) {
        for (const char *const *p = paths; *p; p++)
                if (mark_named(t, *p) < 0)
                        return error_oom(e);
        erofs_tree_changed(t);
        for (size_t i = 0; i < t->n_nodes; i++)
                if (erofs_node_is_visible(&t->nodes[i]))
                        keep_node(&t->nodes[i], i == 0, flags);
        return 0;
}

/* Mode, owner, time, attributes and, unless it is a directory, content. "old" is a copy: nodes may move. */
static int copy_node(ErofsTree *t, const ErofsTree *over, const ErofsNode *old, uint32_t id) {
        uint32_t set;
        ErofsNode *n;
        int r;

        r = erofs_xattrs_copy(t, over, old->xattrs, &set);
        if (r >= 0 && (old->flags & EROFS_NODE_OPAQUE))
                r = erofs_xattrs_unset(t, EROFS_OPAQUE, set, &set);
        if (r < 0)
                return r;
        n = &t->nodes[id];
        n->flags = (uint8_t) ((n->flags & EROFS_NODE_HIDDEN) |
                              (old->flags & (EROFS_NODE_PIECES | EROFS_NODE_IMPLIED)));
        n->mode = old->mode;
        n->uid = old->uid;
        n->gid = old->gid;
        n->mtime_sec = old->mtime_sec;
        n->mtime_nsec = old->mtime_nsec;
        n->device = old->device;
        n->xattrs = set;
        if (old->type == TAR_DIRECTORY)
                return 0;
        n->size = old->size;
        n->u = old->u;
        if (old->type == TAR_SYMLINK)
                return erofs_tree_add_text(t, over->text + old->u.target, (size_t) old->size, false,
                                           &n->u.target);
        if (old->flags & EROFS_NODE_PIECES) {
                n->u.list.first = (uint32_t) t->n_segments;
                for (uint32_t i = 0; i < old->u.list.n; i++) {
                        if (t->n_segments >= EROFS_SEGMENTS_MAX)
                                return -E2BIG;
                        if (!GREEDY_GROW(t->segments, t->n_segments))
                                return -ENOMEM;
                        t->segments[t->n_segments++] = over->segments[old->u.list.first + i];
                }
        }
        return 0;
}

/* Lays one name over what is in the directory "parent". map: nodes of "over" that are in "t" already. */
static int merge_name(ErofsTree *t, ErofsTree *over, uint32_t name_id, uint32_t parent, uint32_t *map) {
        const ErofsNode *name = &over->nodes[name_id], *inode = name;
        const char *text = over->text + name->name + 1;
        size_t size = (unsigned char) text[-1];
        uint32_t inode_id = name_id, *slot, id;
        bool is_dir = name->type == TAR_DIRECTORY, is_known, exists;
        int r;

        if (name->type == TAR_HARDLINK) {
                inode_id = name->u.target;
                inode = &over->nodes[inode_id];
        }
        is_known = !is_dir && map[inode_id] != EROFS_NONE;
        r = erofs_tree_find(t, parent, text, size, &slot);
        if (r < 0)
                return r;
        exists = *slot != EROFS_NONE && erofs_node_is_visible(&t->nodes[*slot]);
        if (erofs_node_is_whiteout(name)) {
                if (exists)
                        t->nodes[*slot].flags |= EROFS_NODE_HIDDEN;
                return 0;
        }
        if (is_dir && exists && t->nodes[*slot].type == TAR_DIRECTORY && !(name->flags & EROFS_NODE_OPAQUE)) {
                map[name_id] = *slot;
                return name->flags & EROFS_NODE_IMPLIED ? 0 : copy_node(t, over, inode, *slot);
        }
        if (t->n_nodes >= EROFS_MERGE_MAX)
                return -E2BIG;
        r = erofs_tree_add_node(t, parent, text, size, is_known ? TAR_HARDLINK : (TarType) inode->type, slot,
                                &id);
        if (r < 0)
                return r;
        if (is_known) {
                t->nodes[id].u.target = map[inode_id];
                return 0;
        }
        map[inode_id] = id;
        return copy_node(t, over, inode, id);
}

static int merge_all(ErofsTree *t, ErofsTree *over, uint32_t *map) {
        int r = 0;

        map[0] = 0;
        if (erofs_tree_is_opaque(over))
                erofs_tree_hide_content(t, 0);
        if (!(over->nodes[0].flags & EROFS_NODE_IMPLIED))
                r = copy_node(t, over, &over->nodes[0], 0);
        for (size_t i = 0; r >= 0 && i < over->n_dirs; i++) {
                const ErofsNode *dir = &over->nodes[over->dirs[i]];

                for (uint32_t k = 0; r >= 0 && k < dir->u.list.n; k++)
                        r = merge_name(t, over, over->order[dir->u.list.first + k], map[over->dirs[i]], map);
        }
        return r;
}

/**
 * erofs_tree_merge() - lay a stronger image over those that are there
 * @t:    tree, takes everything over; of no use after a failure
 * @over: its names win: a directory merges with a directory, all else is replaced, whiteouts and opaque directories are
 *        applied, and are not in the result. Not changed in what it says; may be freed afterwards
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -E2BIG (see erofs_tree_new()), -ENOMEM.
 */
int erofs_tree_merge(ErofsTree *t, ErofsTree *over, Error *e) {
        _cleanup_free_ uint32_t *map = NULL;
        int r;

        erofs_tree_changed(t);
        r = erofs_tree_sort(over);
        if (r < 0)
                return error_oom(e);
        map = malloc(over->n_nodes * sizeof(*map));
        if (!map)
                return error_oom(e);
        memset(map, 0xff, over->n_nodes * sizeof(*map));
        r = merge_all(t, over, map);
        erofs_tree_changed(t);
        if (r == -E2BIG)
                return error_setf(e, r, "all images together have too many names, links or attributes");
        return r < 0 ? error_oom(e) : 0;
}

/* "a/b/c", by going up twice: for its length, and to fill it in. */
static char *node_path(const ErofsTree *t, uint32_t id) {
        size_t size = 0;
        char *path;

        for (uint32_t i = id; i != 0; i = t->nodes[i].parent)
                size += (unsigned char) t->text[t->nodes[i].name] + 1U;
        path = malloc(size + 1);
        if (!path)
                return NULL;
        path[size > 0 ? --size : 0] = '\0';
        for (uint32_t i = id; i != 0; i = t->nodes[i].parent) {
                const char *name = t->text + t->nodes[i].name + 1;
                size_t n = (unsigned char) name[-1];

                size -= n;
                memcpy(path + size, name, n);
                if (size > 0)
                        path[--size] = '/';
        }
        return path;
}

static TarEntry attributes(const ErofsNode *n, TarType type) {
        return (TarEntry){ .type = type,
                           .mode = n->mode,
                           .uid = n->uid,
                           .gid = n->gid,
                           .mtime_sec = n->mtime_sec,
                           .mtime_nsec = n->mtime_nsec };
}

static int to_entry(const ErofsTree *t, uint32_t id, TarEntry *ret) {
        const ErofsNode *n = &t->nodes[id];

        *ret = attributes(n, (TarType) n->type);
        switch (n->type) {
        case TAR_CHRDEV:
        case TAR_BLKDEV:
                ret->major = n->u.number.major;
                ret->minor = n->u.number.minor;
                break;
        case TAR_SYMLINK:
                ret->link = strndup(t->text + n->u.target, (size_t) n->size);
                if (!ret->link)
                        return -ENOMEM;
                break;
        case TAR_FILE:
                ret->size = n->size;
                if (!(n->flags & EROFS_NODE_PIECES)) {
                        if (n->size > 0)
                                return tar_entry_add_segment(ret, 0, n->size, n->u.source);
                        break;
                }
                for (uint32_t i = 0; i < n->u.list.n; i++) {
                        const TarSegment *s = &t->segments[n->u.list.first + i];
                        int r = tar_entry_add_segment(ret, s->offset, s->size, s->source);

                        if (r < 0)
                                return r;
                }
                break;
        default: break;
        }
        return 0;
}

/* seen[inode]: under which name it was visited first. */
static int visit_node(const ErofsTree *t, uint32_t id, uint32_t *seen, ErofsTreeVisit visit, void *userdata,
                      Error *e) {
        _cleanup_(tar_entry_done) TarEntry entry = TAR_ENTRY_INIT;
        uint32_t inode = t->nodes[id].type == TAR_HARDLINK ? t->nodes[id].u.target : id;
        int r = 0;

        if (t->nodes[inode].type != TAR_DIRECTORY && seen[inode] != EROFS_NONE) {
                /* with the file's mode and owner: there are readers of archives that set them again */
                entry = attributes(&t->nodes[inode], TAR_HARDLINK);
                entry.link = node_path(t, seen[inode]);
                if (!entry.link)
                        return error_oom(e);
        } else {
                seen[inode] = id;
                r = to_entry(t, inode, &entry);
                if (r >= 0)
                        r = erofs_xattrs_to_entry(t, t->nodes[inode].xattrs, &entry);
        }
        entry.path = node_path(t, id);
        if (r < 0 || !entry.path)
                return error_oom(e);
        return visit(userdata, &entry, t->nodes[inode].device, e);
}

/**
 * erofs_tree_walk() - hand the tree out as entries, for rkt-untar or a comparison
 * @t:        tree
 * @visit:    gets each entry; a negative result ends the walk
 * @userdata: for it
 * @e:        sentence on failure; may be NULL
 *
 * The root comes first, every directory before what is in it, a file before hard links to it; names ascend in each directory.
 * Attributes may be EROFS_OPAQUE and EROFS_ORIGIN, and devices 0:0, where the tree was told so.
 *
 * Return: 0, -ENOMEM, or what @visit returned.
 */
int erofs_tree_walk(ErofsTree *t, ErofsTreeVisit visit, void *userdata, Error *e) {
        _cleanup_free_ uint32_t *seen = NULL;
        int r;

        if (erofs_tree_sort(t) < 0)
                return error_oom(e);
        seen = malloc(t->n_nodes * sizeof(*seen));
        if (!seen)
                return error_oom(e);
        memset(seen, 0xff, t->n_nodes * sizeof(*seen));
        r = visit_node(t, 0, seen, visit, userdata, e);
        for (size_t i = 0; r >= 0 && i < t->n_dirs; i++) {
                const ErofsNode *dir = &t->nodes[t->dirs[i]];

                for (uint32_t k = 0; r >= 0 && k < dir->u.list.n; k++)
                        r = visit_node(t, t->order[dir->u.list.first + k], seen, visit, userdata, e);
        }
        return r < 0 ? r : 0;
}

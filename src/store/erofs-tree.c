/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries become a tree, by the rules by which rkt-untar makes one, without a file system.
 *
 * A path is looked up as if the tree were "/": an archive may say var/run -> /run and go on with var/run/pid. The last
 * component is never followed. What is missing on the way is made, 0755 and root's, and its time is that of the entry
 * that needed it. A name that exists is an error, unless both are directories, or the tree was made with
 * EROFS_TREE_REPLACE.
 *
 * Nodes are only added, never moved: a replaced one loses its name, and stays as the inode of hard links that lead to it.
 * So a node's parent is older than the node, and there are no loops.
 */
#include "store/erofs-internal.h"

#include <inttypes.h>

#include "basic/alloc.h"
#include "basic/str.h"

#define LINKS_MAX      40   /* as the kernel */
#define COMPONENTS_MAX 2048 /* of a path whose links are followed */

/**
 * erofs_tree_full() - the sentence for what does not fit
 * @r: -E2BIG; all else is -ENOMEM
 * @e: gets it; may be NULL
 *
 * Return: @r or -ENOMEM.
 */
int erofs_tree_full(int r, Error *e) {
        return r == -E2BIG ? error_setf(e, r,
                                        "all names, links and attributes together are too much for one image")
                           : error_oom(e);
}

/**
 * erofs_tree_new() - a tree with nothing but its root
 * @flags: see there
 * @ret:   for erofs_tree_free()
 *
 * What it costs: per entry 64 bytes, its name, and 4 to 12 bytes of table; 4 bytes more once it is written. That is about 1 MiB
 * for 10,000 files, and 90 MiB for the 1,000,000 that an archive may have. Names and targets of links are limited to
 * 256 MiB, different attributes to 16 MiB, pieces of sparse files to 1,048,576.
 *
 * Return: 0, -ENOMEM, errno of getrandom().
 */
int erofs_tree_new(ErofsTreeFlags flags, ErofsTree **ret) {
        _cleanup_(erofs_tree_freep) ErofsTree *t = NULL;
        uint32_t root = 0;
        int r;

        t = new0(ErofsTree, 1);
        if (!t)
                return -ENOMEM;
        t->flags = flags;
        t->xattrs.size_max = EROFS_XATTRS_MAX;
        t->sets.size_max = 4 * (size_t) EROFS_XATTRS_MAX;
        r = hash_key_init(&t->key);
        if (r >= 0) /* so that no set is at 0 */
                r = intern_add(&t->sets, &t->key, &(uint32_t){ 0 }, sizeof(uint32_t), &root);
        if (r >= 0)
                r = erofs_tree_add_node(t, 0, "", 0, TAR_DIRECTORY, NULL, &root);
        if (r < 0)
                return r;
        t->nodes[root].mode = 0755;
        t->nodes[root].flags = EROFS_NODE_IMPLIED;
        *ret = TAKE_PTR(t);
        return 0;
}

/**
 * erofs_tree_free() - free
 * @t: may be NULL
 *
 * Return: NULL.
 */
ErofsTree *erofs_tree_free(ErofsTree *t) {
        if (!t)
                return NULL;
        erofs_tree_changed(t);
        free(t->nodes);
        free(t->text);
        free(t->table);
        free(t->segments);
        intern_done(&t->xattrs);
        intern_done(&t->sets);
        free(t);
        return NULL;
}

/**
 * erofs_tree_changed() - forget what is no longer true
 * @t: tree, whose names change
 */
void erofs_tree_changed(ErofsTree *t) {
        free(t->order);
        free(t->dirs);
        free(t->parent_path);
        t->order = t->dirs = NULL;
        t->n_dirs = 0;
        t->parent_path = NULL;
}

/**
 * erofs_tree_add_text() - keep a name or a link's target
 * @t:       tree
 * @text:    @size bytes
 * @size:    at most 255 if @counted
 * @counted: put the size in front
 * @ret:     where it is in t->text
 *
 * Return: 0, -ENOMEM, -E2BIG.
 */
int erofs_tree_add_text(ErofsTree *t, const char *text, size_t size, bool counted, uint32_t *ret) {
        size_t needed = t->n_text + size + 1;

        if (needed > EROFS_TEXT_MAX)
                return -E2BIG;
        if (needed > t->text_allocated) {
                size_t wanted = MAX(needed + needed / 2, (size_t) 4096);
                char *p = realloc(t->text, wanted);

                if (!p)
                        return -ENOMEM;
                t->text = p;
                t->text_allocated = wanted;
        }
        *ret = (uint32_t) t->n_text;
        if (counted)
                t->text[t->n_text++] = (char) (unsigned char) size;
        memcpy(t->text + t->n_text, text, size);
        t->n_text += size;
        return 0;
}

static uint32_t *find_slot(const ErofsTree *t, uint32_t *table, size_t table_size, uint32_t parent,
                           const char *name, size_t size) {
        for (size_t i = (size_t) hash_bytes(&t->key, parent, name, size);; i++) {
                uint32_t *slot = &table[i & (table_size - 1)];
                const ErofsNode *n;

                if (*slot == EROFS_NONE)
                        return slot;
                n = &t->nodes[*slot];
                if (n->parent == parent && (unsigned char) t->text[n->name] == size &&
                    memcmp(t->text + n->name + 1, name, size) == 0)
                        return slot;
        }
}

static int grow_table(ErofsTree *t) {
        size_t size = t->table_size > 0 ? t->table_size * 2 : 64;
        uint32_t *table;

        if (t->n_nodes + 1 < t->table_size - t->table_size / 4)
                return 0;
        table = malloc(size * sizeof(*table));
        if (!table)
                return -ENOMEM;
        memset(table, 0xff, size * sizeof(*table));
        for (size_t i = 0; i < t->table_size; i++)
                if (t->table[i] != EROFS_NONE) {
                        const ErofsNode *n = &t->nodes[t->table[i]];

                        *find_slot(t, table, size, n->parent, t->text + n->name + 1,
                                   (unsigned char) t->text[n->name]) = t->table[i];
                }
        free(t->table);
        t->table = table;
        t->table_size = size;
        return 0;
}

/**
 * erofs_tree_find() - the place of a name in a directory
 * @t:        tree
 * @parent:   directory
 * @name:     @size bytes, without slashes
 * @size:     1 to 255
 * @ret_slot: holds the node, or EROFS_NONE; the node may be hidden. Valid until the next node is added
 *
 * Return: 0, -ENOMEM.
 */
int erofs_tree_find(ErofsTree *t, uint32_t parent, const char *name, size_t size, uint32_t **ret_slot) {
        int r = grow_table(t);

        if (r < 0)
                return r;
        *ret_slot = find_slot(t, t->table, t->table_size, parent, name, size);
        return 0;
}

/**
 * erofs_tree_add_node() - a new name
 * @t:      tree
 * @parent: directory
 * @name:   @size bytes
 * @size:   at most 255
 * @type:   of the new node
 * @slot:   from erofs_tree_find(); what it holds becomes hidden. NULL: the root
 * @ret:    number of the node, whose other members are 0
 *
 * Return: 0, -ENOMEM, -E2BIG.
 */
int erofs_tree_add_node(ErofsTree *t, uint32_t parent, const char *name, size_t size, TarType type,
                        uint32_t *slot, uint32_t *ret) {
        ErofsNode n = { .parent = parent, .type = (uint8_t) type };
        int r;

        if (t->n_nodes >= EROFS_NODES_MAX)
                return -E2BIG;
        r = erofs_tree_add_text(t, name, size, true, &n.name);
        if (r < 0)
                return r;
        if (!GREEDY_GROW(t->nodes, t->n_nodes))
                return -ENOMEM;
        if (slot && *slot != EROFS_NONE && erofs_node_is_visible(&t->nodes[*slot])) {
                t->nodes[*slot].flags |= EROFS_NODE_HIDDEN;
                erofs_tree_changed(t);
        }
        *ret = (uint32_t) t->n_nodes;
        if (slot)
                *slot = *ret;
        t->nodes[t->n_nodes++] = n;
        return 0;
}

/* A walk along a path. What a link says is walked before the rest of what the path itself says. */
typedef struct Walk {
        const char *path; /* rest, not NUL-terminated */
        const char *end;
        StrBuf links; /* rest of what links said */
        size_t links_at;
        unsigned n_links;
        unsigned n_components;
        uint32_t at;
} Walk;

/* 1: there is one, 0: the path ends here. */
static int next_component(Walk *w, const char **ret, size_t *ret_size, bool *ret_is_literal) {
        for (;;) {
                bool is_literal = w->links_at >= w->links.size;
                const char *p = is_literal ? w->path : w->links.data + w->links_at;
                const char *end = is_literal ? w->end : w->links.data + w->links.size;
                const char *slash;

                if (p >= end)
                        return 0;
                slash = memchr(p, '/', (size_t) (end - p));
                *ret = p;
                *ret_size = (size_t) ((slash ? slash : end) - p);
                *ret_is_literal = is_literal;
                if (is_literal)
                        w->path = p + *ret_size + (slash ? 1 : 0);
                else
                        w->links_at += *ret_size + (slash ? 1 : 0);
                if (*ret_size > 0)
                        return ++w->n_components > COMPONENTS_MAX ? -ELOOP : 1;
        }
}

static int enter_link(const ErofsTree *t, Walk *w, const ErofsNode *link) {
        StrBuf next = STRBUF_INIT;
        const char *target = t->text + link->u.target;

        if (++w->n_links > LINKS_MAX)
                return -ELOOP;
        if (*target == '/')
                w->at = 0;
        strbuf_add_n(&next, target, (size_t) link->size);
        strbuf_add(&next, "/");
        if (w->links_at < w->links.size)
                strbuf_add_n(&next, w->links.data + w->links_at, w->links.size - w->links_at);
        strbuf_done(&w->links);
        w->links = next;
        w->links_at = 0;
        return next.failed ? -ENOMEM : 0;
}

static int imply(ErofsTree *t, uint32_t parent, const char *name, size_t size, uint32_t *slot,
                 const TarEntry *why, uint32_t *ret) {
        int r = erofs_tree_add_node(t, parent, name, size, TAR_DIRECTORY, slot, ret);

        if (r < 0)
                return r;
        t->nodes[*ret].mode = 0755;
        t->nodes[*ret].flags = EROFS_NODE_IMPLIED;
        t->nodes[*ret].mtime_sec = why->mtime_sec;
        t->nodes[*ret].mtime_nsec = why->mtime_nsec;
        return 0;
}

static int walk_one(ErofsTree *t, Walk *w, const char *name, size_t size, bool is_literal,
                    const TarEntry *why) {
        bool is_whiteout = false;
        const ErofsNode *n;
        uint32_t *slot;
        int r;

        if (size == 1 && name[0] == '.')
                return is_literal ? -EINVAL : 0;
        if (size == 2 && name[0] == '.' && name[1] == '.') {
                w->at = t->nodes[w->at].parent;
                return is_literal ? -EINVAL : 0;
        }
        if (size > TAR_NAME_MAX)
                return is_literal ? -EINVAL : -ENOENT;
        r = erofs_tree_find(t, w->at, name, size, &slot);
        if (r < 0)
                return r;
        if (*slot != EROFS_NONE && erofs_node_is_visible(&t->nodes[*slot]))
                is_whiteout = erofs_node_is_whiteout(&t->nodes[*slot]);
        if (*slot == EROFS_NONE || !erofs_node_is_visible(&t->nodes[*slot]) || is_whiteout) {
                r = is_literal && why ? imply(t, w->at, name, size, slot, why, &w->at) : -ENOENT;
                return r >= 0 && is_whiteout ? erofs_tree_make_opaque(t, w->at, NULL) : r;
        }
        n = &t->nodes[*slot];
        if (n->type == TAR_HARDLINK)
                n = &t->nodes[n->u.target];
        if (n->type == TAR_SYMLINK)
                return enter_link(t, w, n);
        if (n->type != TAR_DIRECTORY)
                return -ENOTDIR;
        w->at = *slot;
        return 0;
}

/* why: the entry for which missing directories are made; NULL: they are not. */
static int walk_directory(ErofsTree *t, const char *path, size_t size, const TarEntry *why, uint32_t *ret) {
        Walk w = { .path = path, .end = path + size };
        const char *name;
        bool is_literal;
        size_t n;
        int r;

        while ((r = next_component(&w, &name, &n, &is_literal)) > 0) {
                r = walk_one(t, &w, name, n, is_literal, why);
                if (r < 0)
                        break;
        }
        strbuf_done(&w.links);
        if (r >= 0)
                *ret = w.at;
        return r;
}

static int name_check(const char *path, size_t *ret_parent_size, const char **ret_name, Error *e) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        size_t size = strlen(name);

        if (strlen(path) > TAR_PATH_MAX || size == 0 || size > TAR_NAME_MAX || streq(name, ".") ||
            streq(name, "..") || *path == '/')
                return error_setf(e, -EBADMSG, "the name cannot be");
        *ret_parent_size = slash ? (size_t) (slash - path) : 0;
        *ret_name = name;
        return 0;
}

static int directory_error(int r, Error *e) {
        switch (r) {
        case -EINVAL: return error_setf(e, -EBADMSG, "the name cannot be");
        case -ENOTDIR: return error_setf(e, r, "what should be its folder is no directory");
        case -ELOOP: return error_setf(e, r, "its folder is a link that leads in a circle");
        case -ENOENT: return error_setf(e, -EBADMSG, "its folder is a link to nothing");
        default: return erofs_tree_full(r, e);
        }
}

/**
 * erofs_tree_find_parent() - the directory that holds an entry
 * @t:        tree
 * @entry:    its path and time matter
 * @ret:      directory; missing ones are made
 * @ret_name: the last part of the path
 * @e:        sentence on failure; may be NULL
 *
 * The last one is remembered, until something in the tree is replaced.
 *
 * Return: 0, -ENOTDIR (it is no directory), -EBADMSG, -ELOOP, -E2BIG, -ENOMEM.
 */
int erofs_tree_find_parent(ErofsTree *t, const TarEntry *entry, uint32_t *ret, const char **ret_name,
                           Error *e) {
        size_t size = 0;
        int r;

        r = name_check(entry->path, &size, ret_name, e);
        if (r < 0)
                return r;
        *ret = 0;
        if (size == 0)
                return 0;
        if (t->parent_path && strncmp(t->parent_path, entry->path, size) == 0 &&
            t->parent_path[size] == '\0') {
                *ret = t->parent;
                return 0;
        }
        r = walk_directory(t, entry->path, size, entry, ret);
        if (r < 0)
                return directory_error(r, e);
        free(t->parent_path);
        t->parent = *ret;
        t->parent_path = strndup(entry->path, size);
        return t->parent_path ? 0 : error_oom(e);
}

/**
 * erofs_tree_find_directory() - a directory, or what links lead to
 * @t:    tree
 * @path: of it; it and what leads to it is made if it is missing; "": the root
 * @ret:  directory
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -ENOTDIR, -EBADMSG (a link to nothing), -ELOOP, -E2BIG, -ENOMEM.
 */
int erofs_tree_find_directory(ErofsTree *t, const char *path, uint32_t *ret, Error *e) {
        int r = walk_directory(t, path, strlen(path), &TAR_ENTRY_INIT, ret);

        return r < 0 ? directory_error(r, e) : 0;
}

/**
 * erofs_tree_lookup() - the node of a name
 * @t:    tree
 * @path: as in entries; the last component is not followed
 * @ret:  visible node; may be a hard link
 *
 * Return: 0, -ENOENT (also: the way there is no way), -ENOMEM.
 */
int erofs_tree_lookup(ErofsTree *t, const char *path, uint32_t *ret) {
        uint32_t parent, *slot;
        const char *name = path;
        size_t size = 0;
        int r;

        if (*path == '\0') {
                *ret = 0;
                return 0;
        }
        if (name_check(path, &size, &name, NULL) < 0)
                return -ENOENT;
        r = walk_directory(t, path, size, NULL, &parent);
        if (r >= 0)
                r = erofs_tree_find(t, parent, name, strlen(name), &slot);
        if (r < 0)
                return r == -ENOMEM ? r : -ENOENT;
        if (*slot == EROFS_NONE || !erofs_node_is_visible(&t->nodes[*slot]) ||
            erofs_node_is_whiteout(&t->nodes[*slot]))
                return -ENOENT;
        *ret = *slot;
        return 0;
}

static int find_target(ErofsTree *t, const TarEntry *entry, uint32_t *ret, Error *e) {
        char buffer[TAR_NAME_ESCAPED_MAX];
        int r;

        r = erofs_tree_lookup(t, entry->link, ret);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_setf(e, -EBADMSG,
                                  t->flags & EROFS_TREE_REPLACE
                                          ? "its hard link's target '%s' is not in this layer before it"
                                          : "its hard link's target '%s' does not come before it",
                                  tar_name_escape(entry->link, buffer));
        if (t->nodes[*ret].type == TAR_HARDLINK)
                *ret = t->nodes[*ret].u.target;
        if (t->nodes[*ret].type == TAR_DIRECTORY)
                return error_setf(e, -EBADMSG, "its hard link's target '%s' is a directory",
                                  tar_name_escape(entry->link, buffer));
        return 0;
}

/* Pieces that follow each other, within the file. Whether they are within the blob is seen when it is written. */
static int add_content(ErofsTree *t, const TarEntry *entry, ErofsNode *n, Error *e) {
        size_t first = t->n_segments;
        uint64_t end = 0;

        if (entry->size > INT64_MAX)
                return error_setf(e, -EBADMSG, "its size cannot be");
        if (entry->n_segments == 1 && entry->segments[0].offset == 0 &&
            entry->segments[0].size == entry->size) {
                n->u.source = entry->segments[0].source;
                return 0;
        }
        n->flags |= EROFS_NODE_PIECES;
        FOREACH_ARRAY (s, entry->segments, entry->n_segments) {
                TarSegment *last = t->n_segments > first ? &t->segments[t->n_segments - 1] : NULL;

                if (s->offset < end || s->offset > entry->size || s->size > entry->size - s->offset ||
                    s->source > INT64_MAX)
                        return error_setf(e, -EBADMSG, "a sparse file has an impossible map");
                end = s->offset + s->size;
                if (s->size == 0)
                        continue;
                if (last && last->offset + last->size == s->offset &&
                    last->source + last->size == s->source) {
                        last->size += s->size;
                        continue;
                }
                if (t->n_segments >= EROFS_SEGMENTS_MAX)
                        return error_setf(e, -E2BIG,
                                          "the image's sparse files have more than %" PRIu32 " pieces",
                                          EROFS_SEGMENTS_MAX);
                if (!GREEDY_GROW(t->segments, t->n_segments))
                        return error_oom(e);
                t->segments[t->n_segments++] = *s;
        }
        n->u.list.first = (uint32_t) first;
        n->u.list.n = (uint32_t) (t->n_segments - first);
        if (n->u.list.n == 0 && entry->size == 0) {
                n->flags &= (uint8_t) ~EROFS_NODE_PIECES;
                n->u.source = 0;
        }
        return 0;
}

/* Everything about a node but its name. On failure it stays half done, in a tree that is then of no use. */
static int fill(ErofsTree *t, uint32_t id, const TarEntry *entry, unsigned device, Error *e) {
        ErofsNode *n = &t->nodes[id];
        int r = 0;

        n->flags &= (uint8_t) ~EROFS_NODE_IMPLIED;
        n->mode = (uint16_t) (entry->type == TAR_SYMLINK ? 0777 : entry->mode & 07777);
        n->uid = entry->uid;
        n->gid = entry->gid;
        n->mtime_sec = entry->mtime_sec;
        n->mtime_nsec = entry->mtime_nsec;
        n->device = (uint16_t) device;
        switch (entry->type) {
        case TAR_FILE:
                n->size = entry->size;
                r = add_content(t, entry, n, e);
                break;
        case TAR_SYMLINK:
                n->size = strlen(entry->link);
                r = erofs_tree_add_text(t, entry->link, (size_t) n->size, false, &n->u.target);
                if (r < 0)
                        return erofs_tree_full(r, e);
                break;
        case TAR_CHRDEV:
        case TAR_BLKDEV:
                n->u.number.major = entry->major;
                n->u.number.minor = entry->minor;
                break;
        default: break;
        }
        return r < 0 ? r : erofs_xattrs_add(t, entry, n->xattrs, &n->mode, &n->xattrs, e);
}

static int entry_check(const TarEntry *entry, unsigned device, Error *e) {
        bool has_link = entry->type == TAR_SYMLINK || entry->type == TAR_HARDLINK;

        if (entry->type < 0 || entry->type >= _TAR_TYPE_MAX || device >= EROFS_DEVICES_MAX)
                return error_setf(e, -EBADMSG, "unknown type or device");
        if (has_link && (!entry->link || *entry->link == '\0' || strlen(entry->link) > TAR_PATH_MAX))
                return error_setf(e, -EBADMSG, "the link's target cannot be");
        if (entry->mtime_nsec >= 1000000000)
                return error_setf(e, -EBADMSG, "its time cannot be");
        if (entry->type != TAR_FILE && entry->n_segments > 0)
                return error_setf(e, -EBADMSG, "it is no file, but has content");
        /* The kernel's device numbers; and 0:0 is a whiteout, which only we may make. */
        if ((entry->type == TAR_CHRDEV || entry->type == TAR_BLKDEV) &&
            (entry->major > 0xfff || entry->minor > 0xfffff || (entry->major | entry->minor) == 0))
                return error_setf(e, -EBADMSG, "the device number is out of range");
        return 0;
}

static int exists_error(const ErofsNode *old, const TarEntry *entry, Error *e) {
        if (entry->type == TAR_DIRECTORY && old->type != TAR_DIRECTORY)
                return error_setf(e, -ENOTUNIQ, "the archive has it twice, once as no directory");
        return error_setf(e, -ENOTUNIQ, "the archive has it twice");
}

static int add_entry(ErofsTree *t, const TarEntry *entry, unsigned device, Error *e) {
        uint32_t parent = 0, id, target = 0, *slot;
        bool exists, is_whiteout;
        const char *name = "";
        int r;

        r = entry_check(entry, device, e);
        if (r < 0)
                return r;
        if (*entry->path == '\0')
                return entry->type == TAR_DIRECTORY ? fill(t, 0, entry, device, e)
                                                    : error_setf(e, -EBADMSG, "it must be a directory");
        r = erofs_tree_find_parent(t, entry, &parent, &name, e);
        if (r >= 0 && entry->type == TAR_HARDLINK)
                r = find_target(t, entry, &target, e);
        if (r < 0)
                return r == -ENOTDIR ? -EBADMSG : r;
        r = erofs_tree_find(t, parent, name, strlen(name), &slot);
        if (r < 0)
                return error_oom(e);
        exists = *slot != EROFS_NONE && erofs_node_is_visible(&t->nodes[*slot]);
        is_whiteout = exists && erofs_node_is_whiteout(&t->nodes[*slot]);
        exists = exists && !is_whiteout;
        if (exists && entry->type == TAR_DIRECTORY && t->nodes[*slot].type == TAR_DIRECTORY)
                return fill(t, *slot, entry, device, e);
        if (exists && !(t->flags & EROFS_TREE_REPLACE))
                return exists_error(&t->nodes[*slot], entry, e);
        if (exists && entry->type == TAR_HARDLINK &&
            (*slot == target || (t->nodes[*slot].type == TAR_HARDLINK && t->nodes[*slot].u.target == target)))
                return 0; /* a second name for the same is what is there */
        r = erofs_tree_add_node(t, parent, name, strlen(name), entry->type, slot, &id);
        if (r < 0)
                return erofs_tree_full(r, e);
        if (entry->type == TAR_HARDLINK) {
                t->nodes[id].u.target = target;
                return 0;
        }
        r = fill(t, id, entry, device, e);
        return r >= 0 && is_whiteout && entry->type == TAR_DIRECTORY ? erofs_tree_make_opaque(t, id, e) : r;
}

/**
 * erofs_tree_add() - apply the next entry of an archive
 * @t:      tree; of no use after a failure
 * @entry:  checked by tar-check.c; what matters is checked again
 * @device: index of the blob that holds its bytes, in the devices[] of erofs_write_index()
 * @e:      sentence on failure, naming the entry; may be NULL
 *
 * A directory that exists takes over mode, owner, time and further attributes. A hard link's own attributes are ignored.
 *
 * Return: 0; as untar_entry(): -ENOTUNIQ (a second one of the name), -EBADMSG (a folder that is none, a hard link to
 * nothing, what cannot be), -ELOOP; -E2BIG (see erofs_tree_new()), -ENOMEM.
 */
int erofs_tree_add(ErofsTree *t, const TarEntry *entry, unsigned device, Error *e) {
        char buffer[TAR_NAME_ESCAPED_MAX];
        int r;

        free(t->order);
        t->order = NULL;
        r = add_entry(t, entry, device, e);
        return r < 0 ? error_prefixf(e, r, "entry '%s'", tar_name_escape(entry->path, buffer)) : 0;
}

static int compare_names(const void *a, const void *b, void *userdata) {
        const ErofsTree *t = userdata;
        const char *x = t->text + t->nodes[*(const uint32_t *) a].name;
        const char *y = t->text + t->nodes[*(const uint32_t *) b].name;
        size_t n = (unsigned char) *x, m = (unsigned char) *y;
        int r = memcmp(x + 1, y + 1, MIN(n, m));

        return r != 0 ? r : n < m ? -1 : n > m;
}

/* Puts each visible name into its directory's part of t->order. */
static int sort_names(ErofsTree *t) {
        uint32_t at = 0;

        t->order = malloc(t->n_nodes * sizeof(*t->order));
        if (!t->order)
                return -ENOMEM;
        FOREACH_ARRAY (n, t->nodes, t->n_nodes) {
                n->n_links = 0;
                n->nid = 0;
                if (n->type == TAR_DIRECTORY)
                        n->u.list.n = 0;
        }
        for (size_t i = 1; i < t->n_nodes; i++)
                if (erofs_node_is_visible(&t->nodes[i]))
                        t->nodes[t->nodes[i].parent].u.list.n++;
        FOREACH_ARRAY (n, t->nodes, t->n_nodes)
                if (n->type == TAR_DIRECTORY) {
                        n->u.list.first = at;
                        at += n->u.list.n;
                        n->u.list.n = 0;
                }
        for (size_t i = 1; i < t->n_nodes; i++)
                if (erofs_node_is_visible(&t->nodes[i])) {
                        ErofsNode *dir = &t->nodes[t->nodes[i].parent];

                        t->order[dir->u.list.first + dir->u.list.n++] = (uint32_t) i;
                }
        return 0;
}

/**
 * erofs_tree_sort() - names in order, directories with parents first, links counted
 * @t: tree; fills order, dirs, u.list of directories, n_links of inodes, and sets each nid to 0
 *
 * Return: 0, -ENOMEM.
 */
int erofs_tree_sort(ErofsTree *t) {
        int r;

        erofs_tree_changed(t);
        r = sort_names(t);
        if (r < 0)
                return r;
        t->dirs = malloc(t->n_nodes * sizeof(*t->dirs));
        if (!t->dirs)
                return -ENOMEM;
        t->dirs[t->n_dirs++] = 0;
        t->nodes[0].n_links = 2;
        for (size_t i = 0; i < t->n_dirs; i++) {
                ErofsNode *dir = &t->nodes[t->dirs[i]];
                uint32_t *names = t->order + dir->u.list.first;

                qsort_r(names, dir->u.list.n, sizeof(*names), compare_names, t);
                FOREACH_ARRAY (id, names, dir->u.list.n) {
                        ErofsNode *n = &t->nodes[*id];

                        if (n->type == TAR_DIRECTORY) {
                                n->n_links = 2;
                                dir->n_links++;
                                t->dirs[t->n_dirs++] = *id;
                        } else if (n->type == TAR_HARDLINK)
                                t->nodes[n->u.target].n_links++;
                        else
                                n->n_links++;
                }
        }
        return 0;
}

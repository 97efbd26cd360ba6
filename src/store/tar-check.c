/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules of robustness.md 3.1-3.6 and of the appc archive: one function per rule.
 *
 * A refusal ends the import, with a sentence that names the entry. What is merely not restored is a warning, and few of
 * them are passed on. Nothing here depends on entries that came before, except that there is one manifest and one root;
 * what two entries do to each other is seen by whoever makes the tree: a second one of a name does not get created.
 */
#include "store/tar-check.h"

#include <inttypes.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "store/acl.h"

struct TarCheck {
        const TarCheckOps *ops;
        void *userdata;
        TarStream *stream;
        uint64_t manifest_max;
        StrBuf manifest;
        uint64_t n_entries;
        unsigned n_warnings;
        bool has_manifest;
        bool has_root;
        bool strict;
        bool is_layer;
};

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META   WHITEOUT_PREFIX WHITEOUT_PREFIX
#define WHITEOUT_OPAQUE WHITEOUT_META ".opq"

static int warn(TarCheck *c, const char *name, const char *what, const char *detail) {
        char a[TAR_NAME_ESCAPED_MAX], b[TAR_NAME_ESCAPED_MAX];
        _cleanup_free_ char *s = NULL;

        if (c->n_warnings > TAR_CHECK_WARNINGS_MAX)
                return 0;
        if (c->n_warnings++ == TAR_CHECK_WARNINGS_MAX)
                return c->ops->warning(c->userdata, "more was left out of the image, not shown");
        s = strf("entry '%s': %s%s%s", tar_name_escape(name, a), what, detail ? " " : "",
                 detail ? tar_name_escape(detail, b) : "");
        return s ? c->ops->warning(c->userdata, s) : -ENOMEM;
}

/* Takes "./", "//" and a "/" at the end out of a name, in place. In a layer "/" may also stand in front. */
static int name_normalize(const TarCheck *c, char *name, Error *e) {
        size_t n_parts = 0, length = 0;
        char *out = name;
        const char *p = name;

        if (*name == '\0')
                return error_setf(e, -EBADMSG, "the name is empty");
        if (!c->is_layer && *name == '/' && name[strspn(name, "/")] != '\0')
                return error_setf(e, -EBADMSG, "the name is absolute");
        while (*p) {
                size_t n;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (n == 0)
                        break;
                if (n == 2 && p[0] == '.' && p[1] == '.')
                        return error_setf(e, -EBADMSG, "the name contains '..'");
                if (n > TAR_NAME_MAX)
                        return error_setf(e, -ENAMETOOLONG, "a part of the name is longer than %d bytes",
                                          TAR_NAME_MAX);
                if (n == 1 && p[0] == '.') {
                        p += n;
                        continue;
                }
                if (++n_parts > TAR_DEPTH_MAX)
                        return error_setf(e, -ENAMETOOLONG, "the name has more than %d parts", TAR_DEPTH_MAX);
                if (out > name)
                        *out++ = '/';
                memmove(out, p, n);
                out += n;
                p += n;
        }
        *out = '\0';
        length = (size_t) (out - name);
        return length > TAR_PATH_MAX ? error_setf(e, -ENAMETOOLONG, "the name is too long") : 0;
}

/* "rootfs/bin/a" becomes "bin/a". NULL: not beneath the root. */
static const char *beneath_root(const char *name) {
        const char *p = startswith(name, "rootfs");

        return p && (*p == '/' || *p == '\0') ? p + (*p == '/') : NULL;
}

static int check_link(const TarCheck *c, TarEntry *t, Error *e) {
        _cleanup_free_ char *target = NULL;
        const char *inside;
        int r;

        if (*t->link == '\0')
                return error_setf(e, -EBADMSG, "the link has no target");
        if (strlen(t->link) > TAR_PATH_MAX)
                return error_setf(e, -ENAMETOOLONG, "the link's target is longer than %d bytes",
                                  TAR_PATH_MAX);
        if (t->type == TAR_SYMLINK)
                return 0;
        r = name_normalize(c, t->link, e);
        if (r < 0)
                return error_prefixf(e, r, "hard link's target");
        inside = c->is_layer ? t->link : beneath_root(t->link);
        if (!inside || *inside == '\0')
                return error_setf(e, -EBADMSG, "the hard link's target is not beneath %s",
                                  c->is_layer ? "the root" : "rootfs/");
        target = strdup(inside);
        if (!target)
                return error_oom(e);
        free(t->link);
        t->link = TAKE_PTR(target);
        if (streq(t->link, t->path))
                return error_setf(e, -EBADMSG, "a hard link to itself");
        return 0;
}

/* The devices that every container has anyway. All others would hand out the host's hardware. */
static int check_device(TarStreamEntry *s, Error *e) {
        static const struct {
                uint32_t major, minor;
        } harmless[] = {
                { 1, 3 }, /* null */
                { 1, 5 }, /* zero */
                { 1, 7 }, /* full */
                { 1, 8 }, /* random */
                { 1, 9 }, /* urandom */
                { 5, 0 }, /* tty */
                { 5, 1 }, /* console */
                { 5, 2 }, /* ptmx */
        };
        TarEntry *t = &s->entry;

        if (s->device_is_invalid)
                return error_setf(e, -EBADMSG, "the device number is out of range");
        if (t->type == TAR_CHRDEV)
                FOREACH_ARRAY (h, harmless, ELEMENTSOF(harmless))
                        if (t->major == h->major && t->minor == h->minor) {
                                t->mode &= 01777;
                                return 0;
                        }
        return error_setf(e, -EOPNOTSUPP, "images may not contain the %s device %u:%u",
                          t->type == TAR_CHRDEV ? "character" : "block", t->major, t->minor);
}

/* struct vfs_cap_data: revision 2 has 20 bytes, 3 has 24 with a user id. */
static bool capability_is_valid(const TarXattr *x) {
        const uint8_t *p = (const uint8_t *) x->value;

        return (x->size == 20 && p[3] == 2 && p[2] == 0 && p[1] == 0 && (p[0] & ~1) == 0) ||
               (x->size == 24 && p[3] == 3 && p[2] == 0 && p[1] == 0 && (p[0] & ~1) == 0);
}

/* -EBADMSG refuses, 0 drops, 1 keeps. */
static int xattr_verdict(const TarEntry *t, const TarXattr *x, Error *e) {
        const char *user = startswith(x->name, "user.");

        if (user && *user == '\0')
                return error_setf(e, -EBADMSG, "an extended attribute has an empty name");
        if (user)
                return !startswith(x->name, "user.overlay.") &&
                       (t->type == TAR_FILE || t->type == TAR_DIRECTORY);
        if (streq(x->name, ACL_XATTR_ACCESS) || streq(x->name, ACL_XATTR_DEFAULT)) {
                if (t->type != TAR_DIRECTORY && (t->type != TAR_FILE || streq(x->name, ACL_XATTR_DEFAULT)))
                        return 0;
                return acl_check(x->value, x->size, NULL) < 0
                               ? error_setf(e, -EBADMSG, "its access control list is malformed")
                               : 1;
        }
        if (!streq(x->name, "security.capability"))
                return 0;
        if (!capability_is_valid(x))
                return error_setf(e, -EBADMSG, "its security.capability is malformed");
        return t->type == TAR_FILE;
}

static int check_xattrs(TarCheck *c, TarEntry *t, Error *e) {
        size_t n = 0;

        if (t->type == TAR_HARDLINK) /* they belong to the file that it links to */
                FOREACH_ARRAY (x, t->xattrs, t->n_xattrs)
                        x->name[0] = '\0';
        for (size_t i = 0; i < t->n_xattrs; i++) {
                TarXattr x = t->xattrs[i];
                int r = x.name[0] == '\0' ? 0 : xattr_verdict(t, &x, e);

                if (r < 0)
                        return r;
                if (r > 0) {
                        t->xattrs[i] = t->xattrs[n];
                        t->xattrs[n++] = x;
                        continue;
                }
                if (x.name[0] == '\0')
                        continue;
                r = warn(c, t->path, "left out the extended attribute", x.name);
                if (r < 0)
                        return r;
        }
        for (size_t i = n; i < t->n_xattrs; i++) {
                free(t->xattrs[i].name);
                free(t->xattrs[i].value);
        }
        t->n_xattrs = n;
        return 0;
}

/* What ext4 can hold, so that every tree shows the same: 34 bits that begin in 1901. */
static void clamp_time(TarEntry *t) {
        const int64_t low = INT32_MIN, high = INT32_MIN + (INT64_C(1) << 34) - 1;

        if (t->mtime_sec < low || t->mtime_sec > high) {
                t->mtime_sec = t->mtime_sec < low ? low : high;
                t->mtime_nsec = 0;
        }
}

static int check_manifest(TarCheck *c, const TarEntry *t, Error *e) {
        if (t->type != TAR_FILE || t->n_segments > 1)
                return error_setf(e, -EBADMSG, "it must be a regular file");
        if (c->has_manifest)
                return error_setf(e, -ENOTUNIQ, "the archive has a second one");
        if (t->size > c->manifest_max)
                return error_setf(e, -E2BIG, "it is larger than the limit of %" PRIu64 " bytes",
                                  c->manifest_max);
        c->has_manifest = true;
        return 1;
}

static int check_tree_entry(TarCheck *c, TarStreamEntry *s, const char *inside, Error *e) {
        TarEntry *t = &s->entry;
        char *path;
        int r = 0;

        if (*inside == '\0') {
                if (t->type != TAR_DIRECTORY)
                        return error_setf(e, -EBADMSG, "it must be a directory");
                if (c->has_root && !c->is_layer)
                        return error_setf(e, -ENOTUNIQ, "the archive has a second one");
                c->has_root = true;
        }
        path = strdup(inside);
        if (!path)
                return error_oom(e);
        free(t->path);
        t->path = path;
        if (s->id_is_invalid)
                return error_setf(e, -EBADMSG, "the owner is out of range");
        if (t->type == TAR_SYMLINK || t->type == TAR_HARDLINK)
                r = check_link(c, t, e);
        else if (t->type == TAR_CHRDEV || t->type == TAR_BLKDEV)
                r = check_device(s, e);
        if (r >= 0)
                r = check_xattrs(c, t, e);
        if (r < 0)
                return r;
        clamp_time(t);
        if (s->dropped) {
                r = warn(c, t->path, "left out", s->dropped);
                if (r < 0)
                        return r;
        }
        c->n_entries++;
        r = c->ops->entry(c->userdata, t);
        return r < 0 ? error_setf(e, r, "cannot be passed on") : 0;
}

/* A whiteout is known by its name. AUFS wrote it as a hard link to another one, all others write an empty file. "name" is
 * the last part of the path. */
static int check_whiteout(TarCheck *c, TarEntry *t, char *name, Error *e) {
        bool is_opaque = streq(name, WHITEOUT_OPAQUE);
        const char *target = name + strlen(WHITEOUT_PREFIX);
        int r;

        if (!is_opaque && startswith(name, WHITEOUT_META)) /* what AUFS keeps for itself */
                return 0;
        if (!is_opaque && (*target == '\0' || streq(target, ".") || streq(target, "..")))
                return error_setf(e, -EBADMSG, "the whiteout names nothing");
        if (t->type != TAR_FILE && t->type != TAR_HARDLINK)
                return error_setf(e, -EBADMSG, "a whiteout must be a regular file");
        c->n_entries++;
        if (is_opaque) {
                name[name > t->path ? -1 : 0] = '\0';
                r = c->ops->opaque(c->userdata, t->path);
        } else {
                memmove(name, target, strlen(target) + 1);
                r = c->ops->whiteout(c->userdata, t->path);
        }
        return r < 0 ? error_setf(e, r, "cannot be passed on") : 0;
}

static int check_layer_entry(TarCheck *c, TarStreamEntry *s, Error *e) {
        char *path = s->entry.path, *part = path;

        for (char *slash; (slash = strchr(part, '/')); part = slash + 1) {
                if (startswith(part, WHITEOUT_META)) /* what AUFS keeps for itself */
                        return 0;
                if (startswith(part, WHITEOUT_PREFIX))
                        return error_setf(e, -EBADMSG, "it lies in a whiteout");
        }
        return startswith(part, WHITEOUT_PREFIX) ? check_whiteout(c, &s->entry, part, e)
                                                 : check_tree_entry(c, s, path, e);
}

static int on_entry(void *userdata, TarStreamEntry *s, Error *e) {
        TarCheck *c = userdata;
        const char *inside;
        int r;

        r = name_normalize(c, s->entry.path, e);
        if (r < 0)
                return r;
        if (c->is_layer)
                return check_layer_entry(c, s, e);
        if (*s->entry.path == '\0')
                return s->entry.type == TAR_DIRECTORY ? 0 : error_setf(e, -EBADMSG, "it must be a directory");
        if (streq(s->entry.path, "manifest"))
                return check_manifest(c, &s->entry, e);
        inside = beneath_root(s->entry.path);
        if (inside)
                return check_tree_entry(c, s, inside, e);
        if (c->strict)
                return error_setf(e, -EBADMSG, "it is neither the manifest nor beneath rootfs/");
        return warn(c, s->entry.path, "ignored, it is neither the manifest nor beneath rootfs/", NULL);
}

static int on_content(void *userdata, const uint8_t *data, size_t size, Error *e) {
        TarCheck *c = userdata;
        int r;

        if (size > 0) {
                strbuf_add_n(&c->manifest, (const char *) data, size);
                return c->manifest.failed ? error_oom(e) : 0;
        }
        r = c->ops->manifest(c->userdata, c->manifest.data ? c->manifest.data : "", c->manifest.size);
        strbuf_done(&c->manifest);
        return r < 0 ? error_setf(e, r, "cannot be passed on") : 0;
}

static const TarStreamOps stream_ops = { .entry = on_entry, .content = on_content };

/**
 * tar_check_new() - at the beginning of an ACI's tar, or a layer's
 * @ops:          what passed is handed to them; must outlive the object
 * @userdata:     for them
 * @limits:       see tar-stream.h
 * @manifest_max: bytes of the manifest
 * @ret:          for tar_check_free()
 *
 * Return: 0, -ENOMEM.
 */
int tar_check_new(const TarCheckOps *ops, void *userdata, const TarStreamLimits *limits,
                  uint64_t manifest_max, TarCheck **ret) {
        _cleanup_(tar_check_freep) TarCheck *c = NULL;
        int r;

        c = new0(TarCheck, 1);
        if (!c)
                return -ENOMEM;
        c->ops = ops;
        c->userdata = userdata;
        c->manifest_max = manifest_max;
        r = tar_stream_new(&stream_ops, c, limits, &c->stream);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/**
 * tar_check_free() - give up or end
 * @c: may be NULL
 *
 * Return: NULL.
 */
TarCheck *tar_check_free(TarCheck *c) {
        if (!c)
                return NULL;
        tar_stream_free(c->stream);
        strbuf_done(&c->manifest);
        free(c);
        return NULL;
}

/**
 * tar_check_strict() - refuse what is merely against the standard too: other names than manifest and rootfs at the top
 * @c: object, before the first bytes
 */
void tar_check_strict(TarCheck *c) {
        c->strict = true;
}

/**
 * tar_check_layer() - it is a layer, not an ACI
 * @c: object, before the first bytes
 */
void tar_check_layer(TarCheck *c) {
        c->is_layer = true;
        tar_stream_may_end(c->stream); /* umoci insert ends so */
}

/**
 * tar_check_push() - the next bytes
 * @c:    unusable after a failure
 * @data: @size bytes
 * @size: any
 * @e:    sentence on failure, naming the entry; may be NULL
 *
 * Return: 0; -EBADMSG, -EOPNOTSUPP, -E2BIG, -ENAMETOOLONG, -ENOTUNIQ, -ENOMEM, or what a callback returned.
 */
int tar_check_push(TarCheck *c, const uint8_t *data, size_t size, Error *e) {
        return tar_stream_push(c->stream, data, size, e);
}

/**
 * tar_check_finish() - that was all
 * @c: object
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (cut off), -ENODATA (no manifest, no rootfs).
 */
int tar_check_finish(TarCheck *c, Error *e) {
        int r;

        r = tar_stream_finish(c->stream, e);
        if (r < 0 || c->is_layer)
                return r;
        if (!c->has_manifest)
                return error_setf(e, -ENODATA, "the archive has no 'manifest'; it is not an ACI");
        if (!c->has_root)
                return error_setf(e, -ENODATA, "the archive has no directory 'rootfs'; it is not an ACI");
        return 0;
}

/**
 * tar_check_n_entries() - how many were handed out
 * @c: object
 *
 * Return: a count, whiteouts included.
 */
uint64_t tar_check_n_entries(const TarCheck *c) {
        return c->n_entries;
}

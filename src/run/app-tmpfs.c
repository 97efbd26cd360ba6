/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* They are mounted once, before the pod starts, so that the app, its hooks and whoever enters it have the same. None is
 * without a limit: memory that an app fills so is the machine's. */
#include "run/app-tmpfs.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/mount-fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"

#define OPTIONS_MAX    16U
#define SIZE_DEFAULT   "10%" /* of the machine's memory, as systemd gives a /tmp of its own */
#define INODES_DEFAULT "400000"

typedef struct Options {
        MountOption list[OPTIONS_MAX + 6];
        size_t n;
        unsigned attributes;
} Options;

static bool has(const Options *o, const char *key) {
        FOREACH_ARRAY (x, o->list, o->n)
                if (streq(x->key, key))
                        return true;
        return false;
}

static void add_default(Options *o, const char *key, const char *value) {
        if (!has(o, key))
                o->list[o->n++] = (MountOption){ key, value };
}

/* Words that are the mount's rather than the file system's. */
static bool is_attribute(const char *word, unsigned *attributes) {
        static const struct {
                const char *word;
                unsigned set, clear;
        } words[] = {
                { "ro", MOUNT_ATTR_RDONLY, 0 },
                { "rw", 0, MOUNT_ATTR_RDONLY },
                { "nosuid", MOUNT_ATTR_NOSUID, 0 },
                { "suid", 0, MOUNT_ATTR_NOSUID },
                { "nodev", MOUNT_ATTR_NODEV, 0 },
                { "noexec", MOUNT_ATTR_NOEXEC, 0 },
                { "exec", 0, MOUNT_ATTR_NOEXEC },
                { "noatime", MOUNT_ATTR_NOATIME, 0 },
                { "strictatime", 0, 0 },
                { "relatime", 0, 0 },
        };

        FOREACH_ARRAY (w, words, ELEMENTSOF(words))
                if (streq(w->word, word)) {
                        *attributes = (*attributes | w->set) & ~w->clear;
                        return true;
                }
        return false;
}

/* In place; the texts stay where they are. */
static int parse_options(char **words, Options *o, Error *e) {
        STRV_FOREACH (w, words) {
                char *eq = strchr(*w, '=');

                if (is_attribute(*w, &o->attributes))
                        continue;
                if (o->n == OPTIONS_MAX || !eq)
                        return error_setf(e, -EINVAL, "option '%s' is not known", *w);
                *eq = '\0';
                o->list[o->n++] = (MountOption){ *w, eq + 1 };
        }
        return 0;
}

/* Who owns the top is said in the pod's numbers. */
static int mount_tmpfs(const AppPlace *p, const char *path, char **words, Error *e) {
        char user[16], group[16];
        const uint32_t start = p->users->map_fd >= 0 ? p->users->start : 0;
        Options o = { .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
        _cleanup_close_ int fd = -EBADF;
        uint64_t uid = 0, gid = 0;
        int r = parse_options(words, &o, e);

        if (r < 0)
                return r;
        FOREACH_ARRAY (x, o.list, o.n) {
                uint64_t *id = streq(x->key, "uid") ? &uid : streq(x->key, "gid") ? &gid : NULL;

                if (id && (parse_uint64(x->value, id) < 0 || *id >= UINT32_MAX ||
                           !userns_has(p->users, (uint32_t) *id)))
                        return error_setf(e, -EINVAL, "'%s=%s' is no user or group of the pod", x->key,
                                          x->value);
        }
        (void) snprintf(user, sizeof(user), "%" PRIu32, start + (uint32_t) uid);
        (void) snprintf(group, sizeof(group), "%" PRIu32, start + (uint32_t) gid);
        add_default(&o, "size", SIZE_DEFAULT);
        add_default(&o, "nr_inodes", INODES_DEFAULT);
        add_default(&o, "mode", "0755");
        o.list[o.n++] = (MountOption){ "uid", user };
        o.list[o.n++] = (MountOption){ "gid", group };
        r = mount_fs("tmpfs", o.list, o.n, o.attributes, &fd, e);
        return r < 0 ? r : app_place_mount(p, fd, path, o.attributes & MOUNT_ATTR_RDONLY, e);
}

/* "/path[:option,...]" */
static int mount_word(const AppPlace *p, char *word, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        char *colon = strchr(word, ':');
        int r;

        if (colon)
                *colon = '\0';
        if (strv_split(colon ? colon + 1 : "", ",", &words) < 0)
                return error_oom(e);
        r = mount_tmpfs(p, word, words, e);
        return r < 0 ? error_prefixf(e, r, "app '%s': TemporaryFileSystem=%s", p->app->name, word) : 0;
}

static int mount_shm(const AppPlace *p, const char *size, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_extendf(&words, "size=%s", size);

        if (r >= 0)
                r = strv_extend(&words, "mode=1777");
        if (r < 0)
                return error_oom(e);
        r = mount_tmpfs(p, "/dev/shm", words, e);
        return r < 0 ? error_prefixf(e, r, "app '%s': ShmSize=%s", p->app->name, size) : 0;
}

/**
 * app_tmpfs_mount_all() - the file systems in memory of an app
 * @p: the app
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL: an option; errors of mounting.
 */
int app_tmpfs_mount_all(const AppPlace *p, Error *e) {
        const char *shm = pod_app_annotation(p->app, APP_ANNOTATION_SHM_SIZE);
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(str_or(pod_app_annotation(p->app, APP_ANNOTATION_TMPFS), ""), "\n", &words);

        if (r < 0)
                return error_oom(e);
        STRV_FOREACH (w, words)
                if (r >= 0)
                        r = mount_word(p, *w, e);
        return r >= 0 && shm && *shm ? mount_shm(p, shm, e) : r;
}

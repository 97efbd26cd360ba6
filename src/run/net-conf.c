/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files *.conf and *.conflist, sorted by name. Of two of one file name the local one counts, and of two networks of one name
 * the local one, else the first. A broken file is in the way only of those who ask for what may be in it. */
#include "run/net-conf.h"

#include <fcntl.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"

#define FILES_MAX 1024U /* of one directory */

/**
 * net_confs_done() - free all
 * @x: empty afterwards
 */
void net_confs_done(NetConfs *x) {
        FOREACH_ARRAY (i, x->items, x->n) {
                free(i->path);
                (void) cni_conf_free(i->conf);
        }
        free(x->items);
        (void) strv_free(x->broken);
        *x = NET_CONFS_INIT;
}

/**
 * net_confs_find() - a network by name
 * @x:    networks
 * @name: its name
 *
 * Return: owned by @x; NULL: there is none.
 */
const NetConf *net_confs_find(const NetConfs *x, const char *name) {
        FOREACH_ARRAY (i, x->items, x->n)
                if (streq(i->conf->name, name))
                        return i;
        return NULL;
}

static int list(const char *dir, char ***ret, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(AT_FDCWD, dir, &names);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot read %s: %s", dir, strerror(-r));
        STRV_FOREACH (n, names)
                if (**n != '.' && (endswith(*n, ".conf") || endswith(*n, ".conflist")) &&
                    strv_extend(ret, *n) < 0)
                        return error_oom(e);
        if (strv_length(*ret) > FILES_MAX)
                return error_setf(e, -E2BIG, "%s has more than %u files", dir, FILES_MAX);
        return 0;
}

static int read_one(const char *path, CniConf **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(AT_FDCWD, path, CNI_CONF_MAX, &text, &size);

        if (r < 0)
                return error_setf(e, r, "cannot read it: %s", strerror(-r));
        return cni_conf_parse(text, size, ret, e);
}

/* Takes the path. */
static int load_one(NetConfs *x, char *path, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        _cleanup_free_ char *owned = path;
        CniConf *c = NULL;
        int r;

        if (!path)
                return error_oom(e);
        r = read_one(path, &c, &why);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return strv_extendf(&x->broken, "%s: %s", path, error_text(&why, r)) < 0 ? error_oom(e) : 0;
        assert(c);
        if (net_confs_find(x, c->name)) {
                (void) cni_conf_free(c);
                return 0;
        }
        if (!GREEDY_GROW(x->items, x->n)) {
                (void) cni_conf_free(c);
                return error_oom(e);
        }
        x->items[x->n++] = (NetConf){ .path = TAKE_PTR(owned), .conf = c };
        return 0;
}

static int compare_files(const void *a, const void *b) {
        return strcmp(path_basename(((const NetConf *) a)->path), path_basename(((const NetConf *) b)->path));
}

/**
 * net_confs_load() - read net.d of the system and the local configuration
 * @system_dir: "/usr/lib/rkt/net.d"
 * @local_dir:  "/etc/rkt/net.d"
 * @ret:        for net_confs_done(), also after a failure
 * @e:          sentence on failure; may be NULL
 *
 * Return: 0, errors of reading the directories, -E2BIG, -ENOMEM.
 */
int net_confs_load(const char *system_dir, const char *local_dir, NetConfs *ret, Error *e) {
        _cleanup_strv_free_ char **system = NULL, **local = NULL, **all = NULL;
        int r = list(system_dir, &system, e);

        if (r >= 0)
                r = list(local_dir, &local, e);
        STRV_FOREACH (n, local)
                if (r >= 0 && strv_extend(&all, *n) < 0)
                        r = error_oom(e);
        STRV_FOREACH (n, system)
                if (r >= 0 && !strv_contains(local, *n) && strv_extend(&all, *n) < 0)
                        r = error_oom(e);
        strv_sort(all);
        /* the local ones first: their networks win */
        for (int pass = 0; pass < 2; pass++)
                STRV_FOREACH (n, all) {
                        bool is_local = strv_contains(local, *n);

                        if (r >= 0 && is_local == (pass == 0))
                                r = load_one(ret, strf("%s/%s", is_local ? local_dir : system_dir, *n), e);
                }
        if (ret->n > 1)
                qsort(ret->items, ret->n, sizeof(NetConf), compare_files);
        return r;
}

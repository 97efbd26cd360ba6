/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file lies in NET_RUN_DIR and is mounted into the apps, so it is changed in place: its first part, which is the pod's own, ends with
 * a mark; the rest is written anew. */
#include "run/net-hosts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"

#define MARK      "# pods in the same networks\n"
#define HOSTS_MAX (4U * 1024 * 1024) /* bytes */

static bool share_network(const NetState *a, const NetState *b, const char *name) {
        bool first = false, second = false;

        FOREACH_ARRAY (x, a->networks, a->n_networks)
                first |= streq(x->name, name);
        FOREACH_ARRAY (x, b->networks, b->n_networks)
                second |= streq(x->name, name);
        return first && second;
}

static void add_pod(StrBuf *b, const NetState *s, const NetState *other) {
        FOREACH_ARRAY (a, other->networks, other->n_networks) {
                if (!share_network(s, other, a->name))
                        continue;
                STRV_FOREACH (x, a->addresses) {
                        strbuf_addf(b, "%.*s %s", (int) strcspn(*x, "/"), *x, other->machine);
                        if (other->hostname && !streq(other->hostname, other->machine))
                                strbuf_addf(b, " %s", other->hostname);
                        strbuf_add(b, "\n");
                }
        }
}

/**
 * net_hosts_text() - the lines for those that a pod shares networks with
 * @states: all pods
 * @s:      pod
 * @ret:    text with the mark, to free()
 *
 * Return: 0, -ENOMEM.
 */
int net_hosts_text(const NetStates *states, const NetState *s, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_add(&b, MARK);
        for (size_t i = 0; i < states->n; i++)
                if (states->items[i]->machine && !streq(states->items[i]->uuid, s->uuid))
                        add_pod(&b, s, states->items[i]);
        return strbuf_steal(&b, ret);
}

static int write_in_place(int fd, off_t at, const char *text) {
        size_t size = strlen(text);

        if (pwrite(fd, text, size, at) != (ssize_t) size)
                return errno > 0 ? -errno : -EIO;
        return RET_NERRNO(ftruncate(fd, at + (off_t) size));
}

static int update_one(const NetStates *states, const NetState *s) {
        _cleanup_free_ char *path = strf("%s/%s.hosts", NET_RUN_DIR, s->uuid), *old = NULL, *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *mark;
        size_t size;
        int r;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        r = fd_read_to_end(fd, HOSTS_MAX, &old, &size);
        if (r >= 0)
                r = net_hosts_text(states, s, &text);
        if (r < 0)
                return r;
        mark = strstr(old, MARK);
        if (mark && streq(mark, text))
                return 0;
        return write_in_place(fd, mark ? mark - old : (off_t) size, text);
}

/**
 * net_hosts_update() - tell all pods who is there
 * @states: all pods, locked
 * @e:      sentence of the first failure; may be NULL
 *
 * Return: 0, errors of writing.
 */
int net_hosts_update(const NetStates *states, Error *e) {
        int r = 0;

        for (size_t i = 0; i < states->n; i++)
                (void) RET_GATHER(r, update_one(states, states->items[i]));
        return r < 0 ? error_setf(e, r, "cannot bring the pods' hosts files up to date: %s", strerror(-r))
                     : 0;
}

/**
 * net_hosts_start() - make the file of a pod, if it is not there yet
 * @uuid: of the pod, whose networks are there
 * @head: what stands before the others
 * @ret:  path, to free(); it lives as long as the networks
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, errors of writing.
 */
int net_hosts_start(const char *uuid, const char *head, char **ret, Error *e) {
        _cleanup_net_states_ NetStates states = NET_STATES_INIT;
        _cleanup_free_ char *path = strf("%s/%s.hosts", NET_RUN_DIR, uuid), *all = NULL;
        _cleanup_close_ int lock = -EBADF;
        int r = net_states_lock(&lock, e);

        if (r >= 0)
                r = net_states_load(&states, e);
        if (r < 0)
                return r;
        if (path && access(path, F_OK) >= 0) { /* apps have it mounted */
                *ret = TAKE_PTR(path);
                return 0;
        }
        for (size_t i = 0; i < states.n; i++) {
                _cleanup_free_ char *text = NULL;

                if (!streq(states.items[i]->uuid, uuid))
                        continue;
                if (net_hosts_text(&states, states.items[i], &text) < 0)
                        return error_oom(e);
                all = strf("%s%s", head, text);
        }
        if (!path || !all)
                return error_oom(e);
        r = file_write_at(AT_FDCWD, path, all, strlen(all), 0644, FILE_WRITE_NO_SYNC);
        if (r < 0)
                return error_setf(e, r, "cannot write %s: %s", path, strerror(-r));
        *ret = TAKE_PTR(path);
        return 0;
}

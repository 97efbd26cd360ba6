/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collecting pods that are over: mark by a rename, remove after a while. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/alloc.h"
#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/lock.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-gc.h"
#include "pod/pod-internal.h"
#include "pod/pod-list.h"
#include "pod/pod-settle.h"

/**
 * pod_changes_done() - free the record of what was done
 * @c: not NULL
 */
void pod_changes_done(PodChanges *c) {
        FOREACH_ARRAY (i, c->changes, c->n_changes) {
                free(i->id);
                free(i->error);
        }
        free(c->changes);
        *c = POD_CHANGES_INIT;
}

static int add_change(PodChanges *c, PodChangeType type, const char *id, int r, const char *error) {
        PodChange change = { .type = type, .r = r, .id = strdup(id), .error = error ? strdup(error) : NULL };

        if (!change.id || (error && !change.error) || !GREEDY_GROW(c->changes, c->n_changes)) {
                free(change.id);
                free(change.error);
                return -ENOMEM;
        }
        c->changes[c->n_changes++] = change;
        return 0;
}

static usec_t now_of(const PodGcOptions *o) {
        return o->now_usec != 0 ? o->now_usec : clock_usec(CLOCK_REALTIME);
}

static bool is_older(usec_t then, usec_t age, usec_t now) {
        return age == 0 || (age != USEC_INFINITY && now > then && now - then >= age);
}

/* Records what became of a pod. One that somebody else took meanwhile is nobody's business. */
static int record(PodChanges *c, PodChangeType type, const Pod *p, int r, const Error *e) {
        if (r == -EBUSY || r == -ENOENT)
                return 0;
        return r < 0 ? add_change(c, POD_CHANGE_FAILED, p->uuid, r, error_text(e, r))
                     : add_change(c, type, p->uuid, 0, NULL);
}

/* When a pod that does not know when it was made was last touched. */
static int changed_usec(Pod *p, usec_t *ret) {
        _cleanup_close_ int tmp = -EBADF;
        struct stat st;
        int fd;

        fd = pod_use_fd(p, &tmp);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        *ret = (usec_t) st.st_ctim.tv_sec * USEC_PER_SEC;
        return 0;
}

/* The mark that a pod needs, if any. */
static bool needs_mark(Pod *p, PodState state, const PodGcOptions *o, PodChangeType *ret_type,
                       PodDirectory *ret_to) {
        usec_t created = 0;

        *ret_to = POD_DIRECTORY_GARBAGE;
        switch (state) {
        case POD_EXITED:
                *ret_to = POD_DIRECTORY_EXITED_GARBAGE;
                *ret_type = POD_CHANGE_MARKED_EXITED;
                return true;
        case POD_EMBRYO:
        case POD_ABORTED_PREPARE: *ret_type = POD_CHANGE_MARKED_ABORTED; return true;
        case POD_PREPARED:
                *ret_type = POD_CHANGE_MARKED_EXPIRED;
                if (pod_created_usec(p, &created) < 0 && changed_usec(p, &created) < 0)
                        return false;
                return is_older(created, o->expire_prepared_usec, now_of(o));
        default: return false;
        }
}

/* Moves a pod that is over to its garbage directory. */
static int mark(Pod *p, const PodGcOptions *o, PodChanges *c) {
        _cleanup_error_ Error e = ERROR_INIT;
        PodDirectory to;
        PodChangeType type;
        int r;

        if (!needs_mark(p, pod_state(p), o, &type, &to))
                return 0;
        r = pod_lock(p, &e);
        if (r < 0)
                return record(c, type, p, r, &e);
        /* Meanwhile somebody may have moved it on: then it is his. */
        if (!pod_move_is_legal(p->directory, to))
                return 0;
        r = pod_move(p, to, &e);
        return record(c, type, p, r, &e);
}

/* remove_tree_at() wants one component. */
static int remove_tree_beneath(int fd, const char *directory, const char *name) {
        _cleanup_close_ int dir = -EBADF;

        dir = openat(fd, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return dir < 0 ? -errno : remove_tree_at(dir, name);
}

/* That a pod lies among the garbage has to be on disk before the first of its files goes. */
static int sync_directory(const Pods *ps, PodDirectory d, Error *e) {
        int r = fsync_dir_at(ps->fd, pod_directory_to_string(d));

        return r < 0 && r != -ENOENT ? error_setf(e, r, "cannot sync '%s': %s", ps->path, strerror(-r)) : 0;
}

/* Removes the files of a locked pod in a garbage directory; the big trees first, as what they belong to is known. */
static int remove_files(Pod *p, Error *e) {
        static const char *const first[] = { "stage1", "overlay", "sharedVolumes" };
        int r = 0;

        FOREACH_ARRAY (name, first, ELEMENTSOF(first))
                (void) RET_GATHER(r, remove_tree_at(p->fd, *name));
        if (r >= 0)
                r = remove_tree_beneath(p->pods->fd, pod_directory_to_string(p->directory), p->uuid);
        return r < 0 ? error_setf(e, r, "cannot remove pod \"%s\": %s", p->uuid, strerror(-r)) : 0;
}

static int release_and_remove(Pod *p, const PodGcOptions *o, Error *e) {
        int r;

        if (o->release) {
                r = o->release(p, o->userdata, e);
                if (r < 0)
                        return error_prefixf(e, r, "pod \"%s\"", p->uuid);
        }
        return remove_files(p, e);
}

/* Removes a pod that lies in a garbage directory, which is synced; -EBUSY: somebody else does. */
static int sweep(Pod *p, const PodGcOptions *o, PodChanges *c) {
        _cleanup_error_ Error e = ERROR_INIT;
        usec_t marked;
        int r;

        if (pod_marked_usec(p, &marked) < 0)
                return 0;
        if (p->directory == POD_DIRECTORY_EXITED_GARBAGE && !is_older(marked, o->grace_usec, now_of(o)))
                return add_change(c, POD_CHANGE_KEPT, p->uuid, 0, NULL);
        r = pod_lock(p, &e);
        if (r >= 0 && p->directory < POD_DIRECTORY_EXITED_GARBAGE)
                return 0;
        if (r >= 0)
                r = release_and_remove(p, o, &e);
        return record(c, POD_CHANGE_REMOVED, p, r, &e);
}

/* What lies among the pods and is none. It gets the same time as a pod. */
static int sweep_stray(Pods *ps, PodDirectory d, const char *name, const PodGcOptions *o, PodChanges *c) {
        _cleanup_free_ char *path = NULL;
        struct stat st;
        usec_t changed;
        int r;

        path = strf("%s/%s", pod_directory_to_string(d), name);
        if (!path)
                return -ENOMEM;
        if (fstatat(ps->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        changed = (usec_t) st.st_ctim.tv_sec * USEC_PER_SEC;
        if (!is_older(changed, o->grace_usec, now_of(o)))
                return 0;
        r = remove_tree_beneath(ps->fd, pod_directory_to_string(d), name);
        return r < 0 ? add_change(c, POD_CHANGE_FAILED, path, r, strerror(-r))
                     : add_change(c, POD_CHANGE_REMOVED, path, 0, NULL);
}

/* No UUID, no directory, or a pod that lies in an earlier place too: as pods only move forward, that cannot be this one on
 * its way. Somebody who holds its lock keeps it. */
static bool is_stray(Pods *ps, PodDirectory d, const char *name) {
        _cleanup_close_ int fd = -EBADF, found = -EBADF;
        PodDirectory at;
        PodState state;
        char place[64];

        if (!uuid_is_valid(name))
                return true;
        if (pod_place(place, d, name) < 0)
                return false;
        fd = openat(ps->fd, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOTDIR || errno == ELOOP;
        return pod_find(ps, name, &found, &at, &state) == 0 && at < d &&
               lock_fd(fd, LOCK_MODE_EXCLUSIVE, 0) == 0;
}

static int sweep_strays(Pods *ps, const PodGcOptions *o, PodChanges *c) {
        for (PodDirectory d = 0; d < _POD_DIRECTORY_MAX; d++) {
                _cleanup_strv_free_ char **names = NULL;
                int r = 0;

                if (dir_list_at(ps->fd, pod_directory_to_string(d), &names) < 0)
                        continue;
                STRV_FOREACH (name, names) {
                        if (is_stray(ps, d, *name))
                                r = sweep_stray(ps, d, *name, o, c);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* One that is needed again is locked again; thousands of pods have thousands of descriptors otherwise. */
static void let_go(Pod *p) {
        p->fd = fd_close(p->fd);
        p->locked = false;
}

/* All are marked before the first is removed: so one sync is enough, instead of one for each, with all that it waits for. */
static int collect(Pods *ps, const PodList *l, const PodGcOptions *o, PodChanges *c, Error *e) {
        int r = 0;

        for (size_t i = 0; i < l->n_pods && r >= 0; i++) {
                r = mark(l->pods[i], o, c);
                let_go(l->pods[i]);
        }
        if (r < 0)
                return error_oom(e);
        if (o->mark_only)
                return 0;
        r = sync_directory(ps, POD_DIRECTORY_EXITED_GARBAGE, e);
        if (r >= 0)
                r = sync_directory(ps, POD_DIRECTORY_GARBAGE, e);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l->n_pods && r >= 0; i++) {
                r = sweep(l->pods[i], o, c);
                let_go(l->pods[i]);
        }
        if (r >= 0)
                r = sweep_strays(ps, o, c);
        return r < 0 ? error_oom(e) : 0;
}

/**
 * pod_gc() - collect all pods that are over
 * @ps:      pods
 * @options: ages, and who releases what a pod holds outside of its directory
 * @changes: what was done is added here, in order
 * @e:       says why nothing could be done
 *
 * A pod that cannot be collected is recorded, and does not keep the others.
 *
 * Return: 0, -EACCES, -ENOMEM, other errno of open().
 */
int pod_gc(Pods *ps, const PodGcOptions *options, PodChanges *changes, Error *e) {
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        int r;

        r = pod_list_load(ps, &l, e);
        return r < 0 ? r : collect(ps, &l, options, changes, e);
}

static int sync_and_sweep(Pod *p, const PodGcOptions *o, PodChanges *c) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r = sync_directory(p->pods, p->directory, &e);

        return r < 0 ? record(c, POD_CHANGE_REMOVED, p, r, &e) : sweep(p, o, c);
}

/* Its maker was killed before the pod had a name, or whoever removed it was: nobody else would come for it before gc. */
static bool is_half_made(PodState s) {
        return s == POD_EMBRYO || s == POD_ABORTED_PREPARE || s == POD_GARBAGE;
}

/**
 * pod_gc_name() - when a pod of a name has ended: keep the newest exited one, remove the older ones
 * @ps:      pods
 * @name:    of the machine
 * @options: release is used; ages are not
 * @changes: what was done is added here
 * @e:       says why nothing could be done
 *
 * What a killed command left half-made goes too, whosever it is: that one has no name yet.
 *
 * Return: as pod_gc().
 */
int pod_gc_name(Pods *ps, const char *name, const PodGcOptions *options, PodChanges *changes, Error *e) {
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        PodGcOptions now = *options;
        bool newest = true;
        int r;

        now.grace_usec = 0;
        now.expire_prepared_usec = USEC_INFINITY;
        r = pod_list_load(ps, &l, e);
        if (r < 0)
                return r;
        for (size_t i = l.n_pods; i-- > 0;) { /* the list has the oldest first */
                _cleanup_free_ char *have = NULL;
                Pod *p = l.pods[i];

                if (is_half_made(pod_state(p))) {
                        r = mark(p, &now, changes);
                        if (r >= 0)
                                r = sync_and_sweep(p, &now, changes);
                        l.pods[i] = pod_close(p);
                        if (r < 0)
                                return error_oom(e);
                        continue;
                }
                if (p->directory != POD_DIRECTORY_RUN && p->directory != POD_DIRECTORY_EXITED_GARBAGE)
                        continue;
                if (pod_get_name(p, &have) < 0 || !streq(have, name) || pod_state(p) == POD_RUNNING)
                        continue;
                r = mark(p, &now, changes);
                if (r >= 0 && !newest)
                        r = sync_and_sweep(p, &now, changes);
                if (p->directory == POD_DIRECTORY_EXITED_GARBAGE)
                        newest = false;
                l.pods[i] = pod_close(p);
                if (r < 0)
                        return error_oom(e);
        }
        return 0;
}

static const char *reason_to_keep(PodState s) {
        switch (s) {
        case POD_RUNNING: return "currently running";
        case POD_PREPARING: return "currently being prepared";
        case POD_EXITED_DELETING:
        case POD_DELETING: return "currently being deleted";
        default: return NULL;
        }
}

/**
 * pod_remove() - remove one pod now
 * @p:       pod; gone on success
 * @options: release is used; ages are not
 * @e:       rkt's sentence
 *
 * Return: 0, -EBUSY (running, being prepared, being deleted), -ENOENT, other errno.
 */
int pod_remove(Pod *p, const PodGcOptions *options, Error *e) {
        PodChangeType type;
        PodGcOptions now = *options;
        PodDirectory to;
        const char *why;
        int r;

        now.expire_prepared_usec = 0;
        pod_settle(p);
        r = pod_refresh(p);
        if (r < 0)
                return error_setf(e, r, "no matches found for \"%s\"", p->uuid);
        why = p->locked ? NULL : reason_to_keep(pod_state(p));
        if (why)
                return error_setf(e, -EBUSY, "pod \"%s\" is %s", p->uuid, why);
        r = pod_settle_lock(p, e);
        if (r < 0)
                return r;
        if (needs_mark(p, pod_state_from_place(p->directory, false), &now, &type, &to)) {
                r = pod_move(p, to, e);
                if (r < 0)
                        return r;
        }
        r = sync_directory(p->pods, p->directory, e);
        return r < 0 ? r : release_and_remove(p, &now, e);
}

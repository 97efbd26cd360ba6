/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod's directory: made, found, locked, moved.
 *
 * State is nothing but the directory's place and its lock, and a pod only moves forward. That makes looking for one free of
 * races: the places are tried in the order of a pod's life, so a pod that moves meanwhile is met later, never missed.
 *
 * To see whether a pod is locked, a reader takes a shared lock for an instant. Whoever wants the exclusive lock must not
 * mistake that for an owner, so he tries again for some milliseconds before he believes it.
 *
 * Only the move to "prepared" is synced, as a user was promised that pod. If the power goes after another move, the pod lies
 * where it was before; it is over in either place, and gc takes it. Before gc deletes, it syncs the directory that says so. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/lock.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-internal.h"

#define POD_DIR_MODE    0750
#define NEW_TRIES       16
#define FIND_TRIES      64
#define LOCK_TRIES      20
#define LOCK_RETRY_NSEC 1000000L

/**
 * pod_place() - a pod's path beneath DATADIR/pods
 * @ret:  as "run/UUID"
 * @d:    where
 * @name: UUID
 *
 * Return: 0, -ENAMETOOLONG.
 */
int pod_place(char ret[64], PodDirectory d, const char *name) {
        int n = snprintf(ret, 64, "%s/%s", pod_directory_to_string(d), name);

        return n < 0 || n >= 64 ? -ENAMETOOLONG : 0;
}

static int make_directories(const char *data_dir, const char *path) {
        int r;

        r = mkdir_parents_at(AT_FDCWD, data_dir, 0755);
        if (r < 0)
                return r;
        r = mkdir_parents_at(AT_FDCWD, path, POD_DIR_MODE);
        for (PodDirectory d = 0; r >= 0 && d < _POD_DIRECTORY_MAX; d++) {
                _cleanup_free_ char *sub = path_join(path, pod_directory_to_string(d));

                r = sub ? mkdir_parents_at(AT_FDCWD, sub, POD_DIR_MODE) : -ENOMEM;
        }
        return r;
}

/**
 * pods_open() - open the directory of all pods, making it if need be
 * @data_dir: as RKT_DATA_DIR
 * @ret:      pods_close() it after all of its pods
 * @e:        names the directory
 *
 * Return: 0, -EACCES, -ENOMEM, other errno of mkdir() and open().
 */
int pods_open(const char *data_dir, Pods **ret, Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        int r = 0;

        ps = new0(Pods, 1);
        if (!ps)
                return error_oom(e);
        ps->fd = -EBADF;
        ps->path = path_join(data_dir, "pods");
        if (!ps->path)
                return error_oom(e);
        ps->fd = open(ps->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ps->fd < 0 && errno != ENOENT)
                return error_setf(e, -errno, "cannot open '%s': %m", ps->path);
        for (PodDirectory d = 0; ps->fd >= 0 && r == 0 && d < _POD_DIRECTORY_MAX; d++)
                r = RET_NERRNO(faccessat(ps->fd, pod_directory_to_string(d), F_OK, 0));
        if (ps->fd < 0 || r == -ENOENT) {
                r = make_directories(data_dir, ps->path);
                if (r < 0)
                        return error_setf(e, r, "cannot make '%s': %s", ps->path, strerror(-r));
        }
        if (ps->fd < 0)
                ps->fd = open(ps->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ps->fd < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", ps->path);
        *ret = TAKE_PTR(ps);
        return 0;
}

/**
 * pods_close() - close the directory of all pods
 * @ps: may be NULL
 *
 * Return: NULL.
 */
Pods *pods_close(Pods *ps) {
        if (!ps)
                return NULL;
        (void) fd_close(ps->fd);
        free(ps->path);
        free(ps);
        return NULL;
}

static bool is_at(Pods *ps, PodDirectory d, const char *uuid, int fd) {
        struct stat a, b;
        char place[64];

        return pod_place(place, d, uuid) == 0 && fstat(fd, &a) == 0 &&
               fstatat(ps->fd, place, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
               a.st_ino == b.st_ino;
}

/* 1 locked by somebody, 0 not. */
static int probe_lock(int fd) {
        int r;

        r = lock_fd(fd, LOCK_MODE_SHARED, 0);
        if (r == -EBUSY)
                return 1;
        if (r < 0)
                return r;
        return RET_NERRNO(flock(fd, LOCK_UN));
}

static int find_once(Pods *ps, const char *uuid, int *ret_fd, PodDirectory *ret_directory,
                     PodState *ret_state) {
        for (PodDirectory d = 0; d < _POD_DIRECTORY_MAX; d++) {
                _cleanup_close_ int fd = -EBADF;
                char place[64];
                int locked;

                if (pod_place(place, d, uuid) < 0)
                        return -EINVAL;
                fd = openat(ps->fd, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0 && errno == ENOENT)
                        continue;
                if (fd < 0)
                        return -errno;
                locked = probe_lock(fd);
                if (locked < 0)
                        return locked;
                if (!is_at(ps, d, uuid, fd))
                        return -EAGAIN;
                *ret_fd = TAKE_FD(fd);
                *ret_directory = d;
                *ret_state = pod_state_from_place(d, locked > 0);
                return 0;
        }
        return -ENOENT;
}

/**
 * pod_find() - look for a pod in the order of its life
 * @ps:            pods
 * @uuid:          of the pod
 * @ret_fd:        its directory; the caller closes it
 * @ret_directory: where it lies
 * @ret_state:     its state at that moment
 *
 * Return: 0, -ENOENT, -EAGAIN (moves without end), other errno of open() and flock().
 */
int pod_find(Pods *ps, const char *uuid, int *ret_fd, PodDirectory *ret_directory, PodState *ret_state) {
        int r = -EAGAIN;

        for (unsigned i = 0; r == -EAGAIN && i < FIND_TRIES; i++)
                r = find_once(ps, uuid, ret_fd, ret_directory, ret_state);
        return r;
}

static int allocate(Pods *ps, const char *uuid, Pod **ret) {
        Pod *p;

        p = new0(Pod, 1);
        if (!p)
                return -ENOMEM;
        p->pods = ps;
        p->fd = -EBADF;
        memcpy(p->uuid, uuid, sizeof(p->uuid));
        *ret = p;
        return 0;
}

/* The exclusive lock; not fooled by readers who look at it for an instant. */
static int lock_patiently(int fd) {
        static const struct timespec pause = { .tv_nsec = LOCK_RETRY_NSEC };
        int r = -EBUSY;

        for (unsigned i = 0; i < LOCK_TRIES; i++) {
                r = lock_fd(fd, LOCK_MODE_EXCLUSIVE, 0);
                if (r != -EBUSY)
                        return r;
                (void) nanosleep(&pause, NULL);
        }
        return r;
}

/* Makes embryo/UUID and locks it. -EAGAIN: gc was faster. */
static int make_embryo(Pod *p) {
        struct timespec times[2];
        struct stat st;
        char place[64];
        int r;

        r = pod_place(place, POD_DIRECTORY_EMBRYO, p->uuid);
        if (r < 0)
                return r;
        if (mkdirat(p->pods->fd, place, POD_DIR_MODE) < 0)
                return errno == EEXIST ? -EAGAIN : -errno;
        p->fd = openat(p->pods->fd, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (p->fd < 0)
                return errno == ENOENT ? -EAGAIN : -errno;
        r = lock_patiently(p->fd);
        if (r < 0)
                return r == -EBUSY ? -EAGAIN : r;
        if (!is_at(p->pods, POD_DIRECTORY_EMBRYO, p->uuid, p->fd))
                return -EAGAIN;
        p->locked = true;
        /* Whatever the umask says; the group's bit comes from the directory above. */
        if (fstat(p->fd, &st) < 0 || fchmod(p->fd, (st.st_mode & S_ISGID) | POD_DIR_MODE) < 0)
                return -errno;
        r = file_write_at(p->fd, "pod-created", "", 0, 0644, FILE_WRITE_NO_SYNC);
        if (r < 0)
                return r;
        /* The file system's own clock ticks too slowly to tell two pods apart. */
        (void) clock_gettime(CLOCK_REALTIME, &times[0]);
        times[1] = times[0];
        return RET_NERRNO(utimensat(p->fd, "pod-created", times, AT_SYMLINK_NOFOLLOW));
}

/**
 * pod_new() - a pod that nobody has seen yet
 * @ps:  must outlive the pod
 * @ret: an embryo with a fresh UUID, locked; pod_close() it
 * @e:   says what failed
 *
 * Return: 0, -ENOSPC, -ENOMEM, other errno of mkdir(); nothing is left behind on failure.
 */
int pod_new(Pods *ps, Pod **ret, Error *e) {
        int r = -EAGAIN;

        for (unsigned i = 0; r == -EAGAIN && i < NEW_TRIES; i++) {
                _cleanup_(pod_closep) Pod *p = NULL;
                char uuid[UUID_STRING_MAX], place[64];

                r = uuid_new(uuid);
                if (r >= 0)
                        r = allocate(ps, uuid, &p);
                if (r < 0)
                        break;
                r = make_embryo(p);
                if (r >= 0) {
                        p->directory = POD_DIRECTORY_EMBRYO;
                        p->state = POD_EMBRYO;
                        *ret = TAKE_PTR(p);
                        return 0;
                }
                if (p->locked && pod_place(place, POD_DIRECTORY_EMBRYO, uuid) == 0) {
                        (void) unlinkat(p->fd, "pod-created", 0);
                        (void) unlinkat(ps->fd, place, AT_REMOVEDIR);
                }
        }
        return error_setf(e, r, "cannot make a pod in '%s': %s", ps->path, strerror(-r));
}

/**
 * pod_open_uuid() - open a pod by its UUID
 * @ps:   must outlive the pod
 * @uuid: complete
 * @ret:  with the state it had; pod_close() it
 * @e:    names the UUID
 *
 * Return: 0, -ENOENT, -EINVAL (no UUID), -EACCES, -ENOTDIR (no pod), -EAGAIN (moves without end), -ENOMEM.
 */
int pod_open_uuid(Pods *ps, const char *uuid, Pod **ret, Error *e) {
        _cleanup_(pod_closep) Pod *p = NULL;
        int r;

        if (!uuid_is_valid(uuid))
                return error_setf(e, -EINVAL, "'%.100s' is no UUID", uuid);
        r = allocate(ps, uuid, &p);
        if (r < 0)
                return error_oom(e);
        r = pod_find(ps, uuid, &p->fd, &p->directory, &p->state);
        if (r == -ENOENT)
                return error_setf(e, r, "no matches found for \"%s\"", uuid);
        if (r < 0)
                return error_setf(e, r, "cannot open pod \"%s\": %s", uuid, strerror(-r));
        *ret = TAKE_PTR(p);
        return 0;
}

/**
 * pod_close() - close a pod
 * @p: may be NULL; our lock ends, unless another process holds it too
 *
 * Return: NULL.
 */
Pod *pod_close(Pod *p) {
        if (!p)
                return NULL;
        (void) fd_close(p->fd);
        free(p);
        return NULL;
}

/**
 * pod_uuid() - UUID of a pod
 * @p: pod
 *
 * Return: valid as long as @p.
 */
const char *pod_uuid(const Pod *p) {
        return p->uuid;
}

/**
 * pod_drop_fd() - close the descriptor of a pod that is one of many
 * @p: pod; unchanged while we hold its lock
 */
void pod_drop_fd(Pod *p) {
        if (!p->locked)
                (void) fd_close(TAKE_FD(p->fd));
}

/**
 * pod_use_fd() - a descriptor of the pod's directory for one use
 * @p:      pod
 * @tmp_fd: -EBADF; set if the pod keeps none open: the caller closes it
 *
 * Return: the descriptor, -ENOENT (the pod is gone), other errno of open().
 */
int pod_use_fd(Pod *p, int *tmp_fd) {
        PodDirectory d;
        PodState s;
        int r;

        if (p->fd >= 0)
                return p->fd;
        r = pod_find(p->pods, p->uuid, tmp_fd, &d, &s);
        return r < 0 ? r : *tmp_fd;
}

/**
 * pod_fd() - the pod's directory
 * @p: pod
 *
 * Return: a descriptor owned by @p, also after a move; negative errno for a pod of a list that is gone.
 */
int pod_fd(Pod *p) {
        PodDirectory d;
        PodState s;
        int r;

        if (p->fd >= 0)
                return p->fd;
        r = pod_find(p->pods, p->uuid, &p->fd, &d, &s);
        return r < 0 ? r : p->fd;
}

/**
 * pod_path() - path of a pod or of something in it
 * @p:       pod
 * @beneath: relative path, or NULL
 * @ret:     valid until the pod moves; the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int pod_path(const Pod *p, const char *beneath, char **ret) {
        *ret = strf("%s/%s/%s%s%s", p->pods->path, pod_directory_to_string(p->directory), p->uuid,
                    beneath ? "/" : "", str_or(beneath, ""));
        return *ret ? 0 : -ENOMEM;
}

/**
 * pod_directory() - where the pod lay when last looked at
 * @p: pod
 *
 * Return: its place.
 */
PodDirectory pod_directory(const Pod *p) {
        return p->directory;
}

/**
 * pod_state() - the pod's state when last looked at
 * @p: pod
 *
 * Return: its state; pod_refresh() looks again.
 */
PodState pod_state(const Pod *p) {
        return p->locked ? pod_state_from_place(p->directory, true) : p->state;
}

/**
 * pod_refresh() - look at the pod's place and lock again
 * @p: pod
 *
 * Return: 0, -ENOENT (it is gone), other errno of open().
 */
int pod_refresh(Pod *p) {
        int fd, r;

        if (p->locked)
                return is_at(p->pods, p->directory, p->uuid, p->fd) ? 0 : -ENOENT;
        r = pod_find(p->pods, p->uuid, &fd, &p->directory, &p->state);
        if (r < 0)
                return r;
        (void) fd_close(p->fd);
        p->fd = fd;
        return 0;
}

/**
 * pod_lock() - take the pod's lock, to move or to remove it
 * @p: pod; its place is looked at again
 * @e: says who may hold it
 *
 * Return: 0, -EBUSY (running, or somebody else works on it), -ENOENT (gone).
 */
int pod_lock(Pod *p, Error *e) {
        int r;

        if (p->locked)
                return 0;
        for (unsigned i = 0; i < FIND_TRIES; i++) {
                r = pod_refresh(p);
                if (r < 0)
                        return error_setf(e, r, "pod \"%s\" is gone", p->uuid);
                r = lock_patiently(p->fd);
                if (r < 0)
                        return error_setf(e, r, "pod \"%s\" is %s", p->uuid,
                                          p->directory == POD_DIRECTORY_RUN ? "running" : "in use");
                if (is_at(p->pods, p->directory, p->uuid, p->fd)) {
                        p->locked = true;
                        return 0;
                }
                /* It moved before we had the lock. */
                (void) flock(p->fd, LOCK_UN);
        }
        return error_setf(e, -EBUSY, "pod \"%s\" is in use", p->uuid);
}

/**
 * pod_is_locked() - do we hold the lock?
 * @p: pod
 *
 * Return: true if so.
 */
bool pod_is_locked(const Pod *p) {
        return p->locked;
}

/**
 * pod_pass_lock() - let the lock live on in the programs that this process executes
 * @p: locked
 *
 * Sets POD_LOCK_FD_ENV, as stage1 images expect it.
 *
 * Return: 0, negative errno of fcntl() and setenv().
 */
int pod_pass_lock(Pod *p) {
        char number[16];
        int r;

        assert(p->locked);

        r = fd_cloexec(p->fd, 0);
        if (r < 0)
                return r;
        (void) snprintf(number, sizeof(number), "%d", p->fd);
        return RET_NERRNO(setenv(POD_LOCK_FD_ENV, number, 1));
}

/**
 * pod_adopt_lock() - take over a lock that was passed through exec
 * @ps:      must outlive the pod
 * @uuid:    of the pod
 * @lock_fd: as POD_LOCK_FD_ENV says; owned by the pod on success
 * @ret:     locked; pod_close() it
 * @e:       says what is wrong
 *
 * Return: 0, -ENOENT, -EBADF (the descriptor is not this pod's lock), -ENOMEM.
 */
int pod_adopt_lock(Pods *ps, const char *uuid, int lock_fd, Pod **ret, Error *e) {
        _cleanup_(pod_closep) Pod *p = NULL;
        int r;

        r = pod_open_uuid(ps, uuid, &p, e);
        if (r < 0 || !p) /* a pod is there whenever r >= 0; clang-tidy cannot see it */
                return r;
        if (!is_at(ps, p->directory, uuid, lock_fd) || lock_patiently(lock_fd) < 0)
                return error_setf(e, -EBADF, "descriptor %d is not the lock of pod \"%s\"", lock_fd, uuid);
        r = fd_cloexec(lock_fd, 1);
        if (r < 0)
                return error_setf(e, r, "descriptor %d: %s", lock_fd, strerror(-r));
        (void) fd_close(p->fd);
        p->fd = lock_fd;
        p->locked = true;
        *ret = TAKE_PTR(p);
        return 0;
}

/**
 * pod_move() - move a pod on in its life
 * @p:  locked
 * @to: as pod_move_is_legal() allows
 * @e:  says what failed
 *
 * What goes to prepared/ is on the disk, all of it: somebody has its UUID by then, and may run it after the next power cut. The
 * other moves are as safe as the machine: whoever runs a pod goes with it.
 *
 * Return: 0, -EINVAL (no such move), -EEXIST (a damaged pod lies there), other errno of rename() and fsync(). After -EIO
 * of fsync() the pod has moved.
 */
int pod_move(Pod *p, PodDirectory to, Error *e) {
        bool sync = to == POD_DIRECTORY_PREPARED;
        PodDirectory from = p->directory;
        char old[64], new[64];
        int r;

        assert(p->locked);

        if (!pod_move_is_legal(from, to))
                return error_setf(e, -EINVAL, "pod \"%s\" cannot go from '%s' to '%s'", p->uuid,
                                  pod_directory_to_string(from), pod_directory_to_string(to));
        r = pod_place(old, from, p->uuid);
        if (r >= 0)
                r = pod_place(new, to, p->uuid);
        if (r >= 0 && sync)
                r = fsync_tree_at(p->fd, ".");
        if (r >= 0)
                r = rename_noreplace_at(p->pods->fd, old, p->pods->fd, new);
        if (r < 0)
                return error_setf(e, r, "cannot move pod \"%s\" to '%s': %s", p->uuid,
                                  pod_directory_to_string(to), strerror(-r));
        p->directory = to;
        p->state = pod_state_from_place(to, true);
        if (!sync)
                return 0;
        r = fsync_dir_at(p->pods->fd, pod_directory_to_string(to));
        (void) RET_GATHER(r, fsync_dir_at(p->pods->fd, pod_directory_to_string(from)));
        return r < 0 ? error_setf(e, r, "cannot sync '%s': %s", p->pods->path, strerror(-r)) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files in a pod's directory. Those below stage1/rootfs were written inside the pod: they are opened without following
 * any link, must be regular, and are read up to a limit. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-apps.h"
#include "pod/pod-internal.h"

#define NAME_MAX_BYTES   256
#define NUMBER_MAX_BYTES 32
#define END_MAX_BYTES    128
#define TREES_MAX_BYTES  (64U * 1024) /* 500 keys, what an overlay can have */

/**
 * pod_open_beneath() - open what may have been made inside the pod
 * @fd:    the pod's directory
 * @path:  relative; no component of it may be a link
 * @flags: of open(), O_CLOEXEC is added; no O_CREAT
 *
 * Return: a descriptor, -ELOOP, other errno of openat2().
 */
int pod_open_beneath(int fd, const char *path, int flags) {
        return open_resolved(fd, path, flags | (flags & O_PATH ? 0 : O_NOCTTY), 0,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

static int read_small(int dir_fd, const char *path, size_t size_max, char **ret) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        size_t size;

        fd = pod_open_beneath(dir_fd, path, O_RDONLY | O_NONBLOCK);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        return fd_read_to_end(fd, size_max, ret, &size);
}

static int read_number(int dir_fd, const char *path, unsigned max, unsigned *ret) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_small(dir_fd, path, NUMBER_MAX_BYTES, &text);
        if (r < 0)
                return r;
        r = parse_uint(str_strip(text), max, ret);
        return r < 0 ? -EBADMSG : 0;
}

static int file_mtime(Pod *p, const char *path, usec_t *ret) {
        _cleanup_close_ int tmp = -EBADF, f = -EBADF;
        struct stat st;
        int fd;

        fd = pod_use_fd(p, &tmp);
        if (fd < 0)
                return fd;
        f = pod_open_beneath(fd, path, O_PATH);
        if (f < 0)
                return f;
        if (fstat(f, &st) < 0)
                return -errno;
        *ret = timespec_usec(&st.st_mtim);
        return 0;
}

/**
 * pod_write_manifest() - write the pod's manifest
 * @p: pod
 * @m: valid
 * @e: says what failed
 *
 * Return: 0, -ENOSPC, -ENOMEM, other errno; an old manifest stays on failure.
 */
int pod_write_manifest(Pod *p, const PodManifest *m, Error *e) {
        _cleanup_close_ int tmp = -EBADF;
        _cleanup_free_ char *text = NULL;
        int r;

        if (pod_manifest_to_string(m, &text) < 0)
                return error_oom(e);
        r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = file_write_at(r, "pod", text, strlen(text), 0640, 0);
        return r < 0 ? error_setf(e, r, "cannot write the manifest of pod \"%s\": %s", p->uuid, strerror(-r))
                     : 0;
}

/**
 * pod_read_manifest_text() - the pod's manifest as it is kept
 * @p:        pod
 * @ret:      compact JSON; the caller frees it
 * @ret_size: bytes; may be NULL
 * @e:        says what failed
 *
 * Return: 0, -ENOENT (there is none), -E2BIG, other errno.
 */
int pod_read_manifest_text(Pod *p, char **ret, size_t *ret_size, Error *e) {
        _cleanup_close_ int tmp = -EBADF;
        size_t size = 0;
        int r;

        r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = file_read_at(r, "pod", JSON_SIZE_MAX, ret, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read the manifest of pod \"%s\": %s", p->uuid, strerror(-r));
        if (ret_size)
                *ret_size = size;
        return 0;
}

/**
 * pod_read_manifest() - read the pod's manifest
 * @p:   pod
 * @ret: pod_manifest_free() it
 * @e:   says what failed
 *
 * Return: 0, those of pod_read_manifest_text() and pod_manifest_parse().
 */
int pod_read_manifest(Pod *p, PodManifest **ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = pod_read_manifest_text(p, &text, &size, e);
        if (r < 0)
                return r;
        r = pod_manifest_parse(text, size, ret, e);
        return r < 0 ? error_prefixf(e, r, "pod \"%s\"", p->uuid) : 0;
}

/**
 * pod_set_name() - give the pod its machine's name
 * @p:    pod
 * @name: copied; at most 255 bytes
 * @e:    says what failed
 *
 * Return: 0, -EINVAL, -ENOSPC, other errno.
 */
int pod_set_name(Pod *p, const char *name, Error *e) {
        _cleanup_close_ int tmp = -EBADF;
        int r;

        if (!*name || strlen(name) >= NAME_MAX_BYTES || strchr(name, '\n') || strchr(name, '/'))
                return error_setf(e, -EINVAL, "'%.100s' cannot be the name of a pod", name);
        r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = file_write_at(r, "name", name, strlen(name), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write the name of pod \"%s\": %s", p->uuid, strerror(-r)) : 0;
}

/**
 * pod_get_name() - the name of the pod's machine
 * @p:   pod
 * @ret: the caller frees it
 *
 * Return: 0, -ENOENT (it has none), other errno.
 */
int pod_get_name(Pod *p, char **ret) {
        _cleanup_close_ int tmp = -EBADF;
        char *name = NULL;
        int r;

        r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = read_small(r, "name", NAME_MAX_BYTES, &name);
        if (r < 0)
                return r;
        name[strcspn(name, "\n")] = '\0';
        *ret = name;
        return 0;
}

/**
 * pod_read_app_trees() - as pod_get_app_trees(), of a pod's directory
 * @pod_fd: the directory
 * @app:    its name
 * @ret:    strv_free()
 *
 * Return: 0, -ENODATA, -ENOENT, other errno of open() and read().
 */
int pod_read_app_trees(int pod_fd, const char *app, char ***ret) {
        _cleanup_free_ char *path = strf("appsinfo/%s/treeStoreID", app), *text = NULL;
        _cleanup_strv_free_ char **keys = NULL;
        int r = path ? read_small(pod_fd, path, TREES_MAX_BYTES, &text) : -ENOMEM;

        if (r >= 0)
                r = strv_split(text, "\n", &keys);
        if (r < 0)
                return r;
        if (!keys || !keys[0])
                return -ENODATA;
        *ret = TAKE_PTR(keys);
        return 0;
}

/**
 * pod_get_app_trees() - what an app's root is made from
 * @p:   pod
 * @app: its name
 * @ret: keys of trees in the store, the weakest first; strv_free()
 *
 * Return: 0, -ENODATA (it says none), -ENOENT, other errno of open() and read().
 */
int pod_get_app_trees(Pod *p, const char *app, char ***ret) {
        _cleanup_close_ int tmp = -EBADF;
        int r = pod_use_fd(p, &tmp);

        return r < 0 ? r : pod_read_app_trees(r, app, ret);
}

/**
 * pod_set_ppid() - keep the process whose first child is the pod's PID 1
 * @p:   pod
 * @pid: of systemd-nspawn
 * @e:   says what failed
 *
 * Its time is when the pod started.
 *
 * Return: 0, -ENOSPC, other errno.
 */
int pod_set_ppid(Pod *p, pid_t pid, Error *e) {
        _cleanup_close_ int tmp = -EBADF;
        char number[NUMBER_MAX_BYTES];
        int r;

        (void) snprintf(number, sizeof(number), "%d\n", (int) pid);
        r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = file_write_at(r, "ppid", number, strlen(number), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write the PID of pod \"%s\": %s", p->uuid, strerror(-r)) : 0;
}

/**
 * pod_process_is_gone() - has the process of pod_set_ppid() ended?
 * @p: pod
 *
 * Return: true if so; false also if there was none, or if that cannot be told.
 */
bool pod_process_is_gone(Pod *p) {
        _cleanup_close_ int tmp = -EBADF;
        unsigned pid;
        int fd = pod_use_fd(p, &tmp);

        return fd >= 0 && read_number(fd, "ppid", INT32_MAX, &pid) >= 0 && pid > 0 &&
               kill((pid_t) pid, 0) < 0 && errno == ESRCH;
}

/**
 * pod_find_init() - the PID 1 that systemd-nspawn has started
 * @parent: of systemd-nspawn, which may have other children: the console's (run/console.c)
 * @ret:    as the host sees it
 *
 * Return: 0, -ENOENT (none yet), other errno.
 */
int pod_find_init(pid_t parent, pid_t *ret) {
        _cleanup_strv_free_ char **children = NULL;
        _cleanup_free_ char *text = NULL;
        char path[64];
        size_t size;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int) parent, (int) parent);
        r = file_read_at(AT_FDCWD, path, 4096, &text, &size);
        if (r >= 0)
                r = strv_split(text, " \n", &children);
        if (r < 0)
                return r;
        STRV_FOREACH (c, children) {
                unsigned pid;

                if (parse_uint(*c, INT32_MAX, &pid) >= 0 && process_is_init((pid_t) pid)) {
                        *ret = (pid_t) pid;
                        return 0;
                }
        }
        return -ENOENT;
}

/**
 * pod_get_pid() - the pod's PID 1, as the host sees it
 * @p:   pod
 * @ret: only of a running pod: others' numbers belong to somebody else by now
 *
 * Return: 0, -ENOENT (not running, or not known yet), other errno.
 */
int pod_get_pid(Pod *p, pid_t *ret) {
        _cleanup_close_ int tmp = -EBADF;
        unsigned pid;
        int fd, r;

        if (pod_state(p) != POD_RUNNING)
                return -ENOENT;
        fd = pod_use_fd(p, &tmp);
        if (fd < 0)
                return fd;
        r = read_number(fd, "pid", INT32_MAX, &pid);
        if (r >= 0) {
                *ret = (pid_t) pid;
                return 0;
        }
        if (r != -ENOENT)
                return r;
        r = read_number(fd, "ppid", INT32_MAX, &pid);
        return r < 0 ? r : pod_find_init((pid_t) pid, ret);
}

static int status_path(const char *app, const char *suffix, char **ret) {
        if (!ac_name_is_valid(app))
                return -EINVAL;
        *ret = strf(POD_STATUS_DIR "/%s%s", app, suffix);
        return *ret ? 0 : -ENOMEM;
}

/**
 * pod_open_status_dir() - open the directory of exit statuses, making it
 * @fd:  the pod's directory
 * @ret: a descriptor; never through a link that the pod may have left there
 *
 * Return: 0, -ELOOP, other errno.
 */
int pod_open_status_dir(int fd, int *ret) {
        static const char *const parts[] = { "stage1", "rootfs", "rkt", "status" };
        _cleanup_close_ int at = -EBADF;

        at = pod_open_beneath(fd, ".", O_PATH | O_DIRECTORY);
        if (at < 0)
                return at;
        FOREACH_ARRAY (part, parts, ELEMENTSOF(parts)) {
                int next;

                if (mkdirat(at, *part, 0755) < 0 && errno != EEXIST)
                        return -errno;
                next = pod_open_beneath(at, *part, O_PATH | O_DIRECTORY);
                if (next < 0)
                        return next;
                (void) fd_close(at);
                at = next;
        }
        *ret = TAKE_FD(at);
        return 0;
}

/**
 * pod_set_app_status() - keep the exit status of an app
 * @p:      pod
 * @app:    AC Name
 * @status: 0...255
 * @e:      says what failed
 *
 * Return: 0, -EINVAL, -ENOSPC, other errno.
 */
int pod_set_app_status(Pod *p, const char *app, int status, Error *e) {
        _cleanup_close_ int tmp = -EBADF, dir = -EBADF;
        char number[NUMBER_MAX_BYTES];
        int r;

        if (!ac_name_is_valid(app) || status < 0 || status > 255)
                return error_setf(e, -EINVAL, "app '%.100s' cannot have exited with %d", app, status);
        (void) snprintf(number, sizeof(number), "%d\n", status);
        r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = pod_open_status_dir(r, &dir);
        if (r >= 0)
                r = file_write_at(dir, app, number, strlen(number), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot keep the status of app '%s': %s", app, strerror(-r)) : 0;
}

/**
 * pod_get_app_status() - the exit status of an app
 * @p:   pod
 * @app: AC Name
 * @ret: 0...255
 *
 * One that runs again after a restart has not exited.
 *
 * Return: 0, -ENOENT (it has not exited), -EBADMSG (the file has another content), other errno.
 */
int pod_get_app_status(Pod *p, const char *app, int *ret) {
        _cleanup_close_ int tmp = -EBADF;
        _cleanup_free_ char *path = NULL;
        unsigned status;
        int r;

        r = status_path(app, "", &path);
        if (r < 0)
                return r;
        r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = read_number(r, path, 255, &status);
        if (r >= 0 && pod_app_is_alive(p, app))
                r = -ENOENT;
        if (r < 0)
                return r;
        *ret = (int) status;
        return 0;
}

/**
 * pod_get_app_end() - how an app has ended
 * @p:   pod
 * @app: AC Name, of an app that has: pod_get_app_status()
 * @ret: filled in on success
 *
 * Return: 0; -ENOENT: it did not, or nobody said how; -EBADMSG: the file has another content; other errno.
 */
int pod_get_app_end(Pod *p, const char *app, PodAppEnd *ret) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *path = NULL, *text = NULL;
        _cleanup_close_ int tmp = -EBADF;
        PodAppEnd end = {};
        unsigned number;
        int r = status_path(app, POD_MARK_END, &path);

        if (r >= 0)
                r = pod_use_fd(p, &tmp);
        if (r >= 0)
                r = read_small(r, path, END_MAX_BYTES, &text);
        if (r >= 0)
                r = strv_split(text, " \n", &words);
        if (r < 0)
                return r == -E2BIG ? -EBADMSG : r;
        if (strv_length(words) != 3 || strlen(words[0]) >= sizeof(end.result) ||
            words[0][strspn(words[0], "abcdefghijklmnopqrstuvwxyz-")] ||
            parse_uint(words[2], 255, &number) < 0)
                return -EBADMSG;
        memcpy(end.result, words[0], strlen(words[0]));
        if (streq(words[1], "killed") || streq(words[1], "dumped"))
                end.signal = (int) number;
        *ret = end;
        return 0;
}

/**
 * pod_get_app_health() - what came of the last health check of an app
 * @p:   pod
 * @app: name of the app
 * @ret: "starting", "healthy" or "unhealthy"; to free()
 *
 * Return: 0; -ENOENT: it has none, or nothing was checked yet; -EINVAL: the pod wrote something else; other errno.
 */
int pod_get_app_health(Pod *p, const char *app, char **ret) {
        static const char *const states[] = { "starting", "healthy", "unhealthy" };
        _cleanup_free_ char *path = NULL, *text = NULL;
        _cleanup_close_ int tmp = -EBADF, fd = -EBADF;
        size_t size;
        int r;

        if (!ac_name_is_valid(app))
                return -EINVAL;
        path = strf("stage1/rootfs/rkt/health/%s", app);
        r = path ? pod_use_fd(p, &tmp) : -ENOMEM;
        if (r >= 0)
                r = fd = root_open(r, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (r >= 0)
                r = fd_read_to_end(fd, NUMBER_MAX_BYTES * 4, &text, &size);
        if (r < 0)
                return r;
        text[strcspn(text, " \n")] = '\0';
        FOREACH_ARRAY (s, states, ELEMENTSOF(states))
                if (streq(*s, text)) {
                        *ret = TAKE_PTR(text);
                        return 0;
                }
        return -EINVAL;
}

/**
 * pod_created_usec() - when the pod was made
 * @p:   pod
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT, other errno.
 */
int pod_created_usec(Pod *p, usec_t *ret) {
        if (p->created_usec != 0) {
                *ret = p->created_usec;
                return 0;
        }
        return file_mtime(p, "pod-created", ret);
}

/**
 * pod_started_usec() - when the pod was started
 * @p:   pod
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT (never), other errno.
 */
int pod_started_usec(Pod *p, usec_t *ret) {
        int r;

        r = file_mtime(p, "ppid", ret);
        return r == -ENOENT ? file_mtime(p, "pid", ret) : r;
}

/**
 * pod_marked_usec() - when an exited or failed pod was marked for removal
 * @p:   pod
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT (it is not), other errno.
 */
int pod_marked_usec(Pod *p, usec_t *ret) {
        _cleanup_close_ int tmp = -EBADF;
        struct stat st;
        int fd;

        if (p->directory < POD_DIRECTORY_EXITED_GARBAGE)
                return -ENOENT;
        fd = pod_use_fd(p, &tmp);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        *ret = timespec_usec(&st.st_ctim);
        return 0;
}

/**
 * pod_app_started_usec() - when an app was started
 * @p:   pod
 * @app: AC Name
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT (not known), -EINVAL (name), other errno.
 */
int pod_app_started_usec(Pod *p, const char *app, usec_t *ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = status_path(app, POD_MARK_STARTED, &path);
        return r < 0 ? r : file_mtime(p, path, ret);
}

/**
 * pod_app_created_usec() - when an app was added to a pod whose apps come and go
 * @p:   pod
 * @app: AC Name
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT (not known: together with its pod), -EINVAL (name), other errno.
 */
int pod_app_created_usec(Pod *p, const char *app, usec_t *ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = status_path(app, POD_MARK_CREATED, &path);
        return r < 0 ? r : file_mtime(p, path, ret);
}

/**
 * pod_app_finished_usec() - when an app ended
 * @p:   pod
 * @app: AC Name
 * @ret: CLOCK_REALTIME
 *
 * Return: 0, -ENOENT (it has not), -EINVAL (name), other errno.
 */
int pod_app_finished_usec(Pod *p, const char *app, usec_t *ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = status_path(app, "", &path);
        if (r >= 0 && pod_app_is_alive(p, app))
                r = -ENOENT;
        return r < 0 ? r : file_mtime(p, path, ret);
}

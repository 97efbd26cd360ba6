/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges are taken as systemd-nspawn takes them for --private-users=pick: a lock on /run/systemd/nspawn-uid/START for each
 * 64 Ki users. It is an open file description's, so it goes along into nspawn, and whatever kills the pod gives it back. */
#include "run/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "podfile/users-check.h"

/* In the pod's directory. */
#define USERS_FILE  "private-users"    /* START:LENGTH */
#define REASON_FILE "no-private-users" /* why it has none although nobody said so */
#define REASON_MAX  1024U
#define LOCK_DIR    "/run/systemd/nspawn-uid"
#define BLOCK       USERS_END
#define PICK_FIRST  UINT32_C(0x00080000) /* nspawn's, and so what systemd keeps free for containers */
#define PICK_LAST   UINT32_C(0x6FFF0000)
#define TRIES_MAX   256U
#define BLOCKS_MAX  256U /* of START:LENGTH */
#define SUBIDS_MAX  (1024U * 1024)

/**
 * userns_done() - give everything back
 * @u: empty afterwards
 */
void userns_done(Userns *u) {
        for (size_t i = 0; i < u->n_locks; i++)
                (void) fd_close(u->locks[i]);
        free(u->locks);
        (void) fd_close(u->map_fd);
        *u = USERNS_INIT;
}

/* A lock that was removed while we waited for it locks nobody out. */
static int lock_block(uint32_t start, short type, int *ret_fd) {
        _cleanup_free_ char *path = strf(LOCK_DIR "/%" PRIu32, start);

        if (!path)
                return -ENOMEM;
        for (;;) {
                struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
                _cleanup_close_ int fd =
                        open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
                struct stat st;

                if (fd < 0)
                        return -errno;
                if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
                        return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (st.st_nlink > 0) {
                        *ret_fd = TAKE_FD(fd);
                        return 0;
                }
        }
}

static int take_block(Userns *u, uint32_t start, short type) {
        int fd = -EBADF, r = lock_block(start, type, &fd);

        if (r < 0)
                return r;
        if (!GREEDY_GROW(u->locks, u->n_locks)) {
                (void) fd_close(fd);
                return -ENOMEM;
        }
        u->locks[u->n_locks++] = fd;
        return 0;
}

/**
 * userns_is_lent() - is some number of a range of 64 Ki promised to somebody?
 * @text:  of /etc/subuid or /etc/subgid: lines "NAME:START:COUNT" of what people may have for containers of their own;
 *         others are passed over; may be NULL
 * @start: of the range
 *
 * Return: true or false.
 */
bool userns_is_lent(const char *text, uint32_t start) {
        for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
                const char *first = memchr(line, ':', strcspn(line, "\n")), *count;
                _cleanup_free_ char *a = NULL, *b = NULL;
                uint64_t from, n;

                count = first ? memchr(first + 1, ':', strcspn(first + 1, "\n")) : NULL;
                if (!count)
                        continue;
                a = strndup(first + 1, (size_t) (count - first - 1));
                b = strndup(count + 1, strcspn(count + 1, "\n"));
                if (!a || !b || parse_uint64(a, &from) < 0 || parse_uint64(b, &n) < 0)
                        continue;
                if (from < (uint64_t) start + BLOCK && from + MIN(n, (uint64_t) UINT32_MAX) > start)
                        return true;
        }
        return false;
}

static bool is_known(uint32_t start, const char *subuid, const char *subgid) {
        return getpwuid(start) || getgrgid(start) || userns_is_lent(subuid, start) ||
               userns_is_lent(subgid, start);
}

/* The first choice follows from the name, so that a pod mostly has the same numbers, and few collide. */
static int pick(Userns *u, const char *machine, Error *e) {
        const uint32_t n_blocks = (PICK_LAST - PICK_FIRST) / BLOCK + 1;
        _cleanup_free_ char *subuid = NULL, *subgid = NULL;
        uint32_t choice = UINT32_C(2166136261); /* FNV-1a */
        size_t size;

        if (file_read_at(AT_FDCWD, "/etc/subuid", SUBIDS_MAX, &subuid, &size) < 0)
                subuid = NULL;
        if (file_read_at(AT_FDCWD, "/etc/subgid", SUBIDS_MAX, &subgid, &size) < 0)
                subgid = NULL;
        for (const char *p = machine; *p; p++)
                choice = (choice ^ (unsigned char) *p) * UINT32_C(16777619);
        for (unsigned i = 0; i < TRIES_MAX; i++) {
                uint32_t start = PICK_FIRST + choice % n_blocks * BLOCK;
                int r = is_known(start, subuid, subgid) ? -EBUSY : take_block(u, start, F_WRLCK);

                if (r >= 0) {
                        u->start = start;
                        u->length = BLOCK;
                        return 0;
                }
                if (r != -EBUSY)
                        return error_setf(e, r, "cannot lock users for the pod in %s: %s", LOCK_DIR,
                                          strerror(-r));
                if (getrandom(&choice, sizeof(choice), 0) != sizeof(choice))
                        return error_setf(e, -errno, "cannot get random bytes: %s", strerror(errno));
        }
        return error_setf(e, -EBUSY, "no free range of 65536 users between %" PRIu32 " and %" PRIu32,
                          PICK_FIRST, PICK_LAST + BLOCK - 1);
}

/* Several pods may share a range that somebody wrote down; nobody picks it meanwhile. */
static int take_range(Userns *u, Error *e) {
        uint64_t end = (uint64_t) u->start + u->length;

        if ((end - 1) / BLOCK - u->start / BLOCK >= BLOCKS_MAX)
                return error_setf(e, -E2BIG, "PrivateUsers=%" PRIu32 ":%" PRIu32 ": at most %u users",
                                  u->start, u->length, BLOCKS_MAX * BLOCK);
        for (uint64_t block = u->start / BLOCK * BLOCK; block < end; block += BLOCK) {
                int r = take_block(u, (uint32_t) block, F_RDLCK);

                if (r == -EBUSY)
                        return error_setf(e, r,
                                          "PrivateUsers=%" PRIu32 ":%" PRIu32
                                          ": another container has picked users of this range (%s/%" PRIu64
                                          "): choose another one, or pick",
                                          u->start, u->length, LOCK_DIR, block);
                if (r < 0)
                        return error_setf(e, r, "cannot lock users for the pod in %s: %s", LOCK_DIR,
                                          strerror(-r));
        }
        return 0;
}

static int parse_range(const char *word, Userns *u, Error *e) {
        const char *colon = strchr(word, ':');
        _cleanup_free_ char *start = colon ? strndup(word, (size_t) (colon - word)) : NULL;
        unsigned a, b;

        if (!start || parse_uint(start, UINT32_MAX - 1, &a) < 0 ||
            parse_uint(colon + 1, UINT32_MAX - 1, &b) < 0 || b == 0 || a > UINT32_MAX - 1 - b)
                return error_setf(e, -EINVAL, "private users '%s': expected pick, identity or START:LENGTH",
                                  word);
        u->start = a;
        u->length = b;
        return 0;
}

static int write_map(pid_t pid, const char *file, const Userns *u) {
        char path[64], text[64];
        _cleanup_close_ int fd = -EBADF;

        (void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, file);
        (void) snprintf(text, sizeof(text), "0 %" PRIu32 " %" PRIu32 "\n", u->start, u->length);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* Only for its map: a user namespace exists as long as a process or a descriptor of it. */
static int open_map(Userns *u, pid_t pid) {
        char path[64];
        int r = write_map(pid, "uid_map", u);

        if (r >= 0)
                r = write_map(pid, "gid_map", u);
        if (r < 0)
                return r;
        (void) snprintf(path, sizeof(path), "/proc/%d/ns/user", (int) pid);
        u->map_fd = open(path, O_RDONLY | O_CLOEXEC);
        return u->map_fd < 0 ? -errno : 0;
}

static int make_map(Userns *u, Error *e) {
        int pair[2], error = 0, r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_setf(e, -errno, "cannot make a socket: %s", strerror(errno));
        pid = fork();
        if (pid == 0) {
                (void) fd_close(pair[0]);
                error = unshare(CLONE_NEWUSER) < 0 ? errno : 0;
                if (write(pair[1], &error, sizeof(error)) == sizeof(error))
                        (void) !read(pair[1], &error, 1);
                _exit(EXIT_SUCCESS);
        }
        r = pid < 0 ? -errno : 0;
        (void) fd_close(pair[1]);
        if (r >= 0)
                r = read(pair[0], &error, sizeof(error)) == sizeof(error) ? -error : -EIO;
        if (r >= 0)
                r = open_map(u, pid);
        (void) fd_close(pair[0]);
        if (pid > 0)
                (void) waitpid(pid, NULL, 0);
        return r < 0 ? error_setf(e, r, "cannot make a user namespace: %s%s", strerror(-r),
                                  r == -ENOSPC ? " (sysctl user.max_user_namespaces)" : "")
                     : 0;
}

/**
 * userns_open() - the users of a pod
 * @word:    NULL: the host's; "pick", "identity" (a namespace with the host's numbers), "START:LENGTH"
 * @machine: name of the pod
 * @ret:     for userns_done(), on failure too
 * @e:       sentence on failure; may be NULL
 *
 * The caller is root and has one thread.
 *
 * Return: 0; -EINVAL: the word; -EBUSY: no users are free; -E2BIG; errors of locks and namespaces.
 */
int userns_open(const char *word, const char *machine, Userns *ret, Error *e) {
        int r;

        *ret = USERNS_INIT;
        if (!word)
                return 0;
        ret->is_private = true;
        if (streq(word, USERNS_IDENTITY)) {
                ret->length = BLOCK;
                return 0;
        }
        r = streq(word, USERNS_PICK) ? 0 : parse_range(word, ret, e);
        if (r < 0)
                return r;
        if (mkdir(LOCK_DIR, 0755) < 0 && errno != EEXIST)
                return error_setf(e, -errno, "cannot make %s: %s", LOCK_DIR, strerror(errno));
        r = streq(word, USERNS_PICK) ? pick(ret, machine, e) : take_range(ret, e);
        return r < 0 || ret->start == 0 ? r : make_map(ret, e);
}

/**
 * userns_forget() - a pod that is started once more gets its users anew
 * @pod_fd: the pod's directory
 */
void userns_forget(int pod_fd) {
        (void) unlinkat(pod_fd, USERS_FILE, 0);
        (void) unlinkat(pod_fd, REASON_FILE, 0);
}

/**
 * userns_save() - leave word for userns_adopt()
 * @u:      users
 * @pod_fd: the pod's directory
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, errors of the file system.
 */
int userns_save(const Userns *u, int pod_fd, Error *e) {
        _cleanup_free_ char *text = strf("%" PRIu32 ":%" PRIu32 "\n", u->start, u->length);
        int r;

        if (!u->is_private)
                return 0;
        if (!text)
                return error_oom(e);
        r = file_write_at(pod_fd, USERS_FILE, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write the pod's %s: %s", USERS_FILE, strerror(-r)) : 0;
}

/**
 * userns_save_reason() - leave word for userns_describe()
 * @why:    half a sentence: why the pod has the host's users
 * @pod_fd: the pod's directory
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, errors of the file system.
 */
int userns_save_reason(const char *why, int pod_fd, Error *e) {
        int r = file_write_at(pod_fd, REASON_FILE, why, MIN(strlen(why), REASON_MAX), 0644,
                              FILE_WRITE_NO_SYNC);

        return r < 0 ? error_setf(e, r, "cannot write the pod's %s: %s", REASON_FILE, strerror(-r)) : 0;
}

/**
 * userns_describe() - the users of a pod that was started, for people
 * @pod_fd: its directory
 * @ret:    "START:LENGTH", or "no (WHY)", to be freed
 *
 * Return: 0; -ENOENT: the host's, as the pod says; -ENOMEM; errors of the file system.
 */
int userns_describe(int pod_fd, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(pod_fd, USERS_FILE, 64, &text, &size);

        if (r >= 0) {
                text[strcspn(text, "\n")] = '\0';
                *ret = TAKE_PTR(text);
                return 0;
        }
        r = r == -ENOENT ? file_read_at(pod_fd, REASON_FILE, REASON_MAX, &text, &size) : r;
        if (r < 0)
                return r;
        *ret = strf("no (%s)", text);
        return *ret ? 0 : -ENOMEM;
}

/**
 * userns_adopt() - the users of a running pod
 * @pod_fd: its directory
 * @ret:    for userns_done(), on failure too; the locks stay the pod's
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL: the file is damaged; errors of the file system and of namespaces.
 */
int userns_adopt(int pod_fd, Userns *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(pod_fd, USERS_FILE, 64, &text, &size);

        *ret = USERNS_INIT;
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot read the pod's %s: %s", USERS_FILE, strerror(-r));
        ret->is_private = true;
        text[strcspn(text, "\n")] = '\0';
        r = parse_range(text, ret, e);
        return r < 0 || ret->start == 0 ? r : make_map(ret, e);
}

/**
 * userns_pass_locks() - let the locks live on in the program that this process becomes
 * @u: users
 *
 * Return: 0, errors of fcntl().
 */
int userns_pass_locks(const Userns *u) {
        int r = 0;

        for (size_t i = 0; i < u->n_locks && r >= 0; i++)
                r = fd_cloexec(u->locks[i], 0);
        return r;
}

/**
 * userns_has() - is there such a user or group in the pod?
 * @u:  users
 * @id: number in the pod
 *
 * Return: true or false.
 */
bool userns_has(const Userns *u, uint32_t id) {
        return !u->is_private || id < u->length;
}

/**
 * userns_maps() - does the pod have a name for a user or group?
 * @u:       users
 * @host_id: number that stat() gives outside, behind a mount of userns_map_mount()
 *
 * Return: true or false.
 */
bool userns_maps(const Userns *u, uint32_t host_id) {
        return u->map_fd < 0 || (host_id >= u->start && host_id - u->start < u->length);
}

/**
 * userns_inside() - what the pod calls a user or group
 * @u:       users
 * @host_id: number that stat() gives outside, behind a mount of userns_map_mount()
 *
 * Return: the number in the pod; 65534 for one that it does not have.
 */
uint32_t userns_inside(const Userns *u, uint32_t host_id) {
        if (u->map_fd < 0)
                return host_id;
        return userns_maps(u, host_id) ? host_id - u->start : 65534;
}

/* Of those that a host may well have, and that cannot be mapped in one kernel or another. */
static const char *file_system_name(int fd) {
        static const struct {
                const char *name;
                uint32_t magic;
        } names[] = {
                { "overlay", OVERLAYFS_SUPER_MAGIC },
                { "tmpfs", TMPFS_MAGIC },
                { "NFS", NFS_SUPER_MAGIC },
                { "CIFS", CIFS_SUPER_MAGIC },
                { "SMB", SMB2_SUPER_MAGIC },
                { "FUSE", FUSE_SUPER_MAGIC },
                { "9p", V9FS_MAGIC },
                { "proc", PROC_SUPER_MAGIC },
                { "sysfs", SYSFS_MAGIC },
                { "cgroup2", CGROUP2_SUPER_MAGIC },
                { "ramfs", RAMFS_MAGIC },
                { "ZFS", 0x2FC12FC1 },
        };
        struct statfs st;

        if (fstatfs(fd, &st) >= 0)
                FOREACH_ARRAY (n, names, ELEMENTSOF(names))
                        if (n->magic == (uint32_t) st.f_type)
                                return n->name;
        return "this file system";
}

/**
 * userns_map_mount() - files behind a mount belong to the pod's users of the same numbers
 * @u:         users
 * @mount_fd:  a mount that has no place yet, its owners not translated yet
 * @recursive: with those beneath
 * @e:         sentence on failure, without what is mounted; may be NULL
 *
 * Return: 0, also when there is nothing to translate; -EINVAL: a file system that cannot; other errno of mount_setattr().
 */
int userns_map_mount(const Userns *u, int mount_fd, bool recursive, Error *e) {
        int r = u->map_fd < 0 ? 0 : mount_map(mount_fd, u->map_fd, recursive);

        if (r == -EINVAL)
                return error_setf(e, r, "this kernel cannot give private users the files of %s%s",
                                  file_system_name(mount_fd),
                                  recursive ? ", or of what is mounted beneath" : "");
        if (r == -EPERM)
                return error_setf(e, r, "its files are mapped to other users already%s",
                                  recursive ? ", or those of what is mounted beneath" : "");
        return r < 0 ? error_setf(e, r, "cannot map its files to private users: %s", strerror(-r)) : 0;
}

/* setfsuid() takes the powers over files away from who becomes somebody; they are in the permitted set all the while. */
static void regain_capabilities(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

        if (syscall(SYS_capget, &header, data) < 0)
                return;
        FOREACH_ARRAY (d, data, ELEMENTSOF(data))
                d->effective = d->permitted;
        (void) syscall(SYS_capset, &header, data);
}

/**
 * userns_act() - what this process makes from now on belongs to the pod's root
 * @u: users
 *
 * The kernel makes no file on a translated mount for somebody whom the translation does not have, and that is the host's root.
 * All powers stay. To be held in a _cleanup_act_ variable, around nothing but such a mount.
 *
 * Return: @u.
 */
const Userns *userns_act(const Userns *u) {
        if (u->map_fd >= 0) {
                (void) setfsgid(u->start);
                (void) setfsuid(u->start);
                regain_capabilities();
        }
        return u;
}

/**
 * userns_act_end() - and no longer
 * @u: what userns_act() returned
 */
void userns_act_end(const Userns **u) {
        if (*u && (*u)->map_fd >= 0) {
                (void) setfsuid(0);
                (void) setfsgid(0);
                regain_capabilities();
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the user's choice: a temporary file without a name in the same folder, which gets its name at the end. Pipes,
 * terminals and devices are written to as they are. */
#include "image/output-file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/tmpfile.h"

/**
 * output_sink() - write to a file; a TarSink
 * @fd:   int *
 * @data: @size bytes
 * @size: bytes
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, errno of write().
 */
int output_sink(void *fd, const void *data, size_t size, Error *e) {
        int r = fd_write_all(*(const int *) fd, data, size);

        return r < 0 ? error_setf(e, r, "cannot write: %s", strerror(-r)) : 0;
}

/**
 * output_place_done() - free
 * @p: may be half-filled
 */
void output_place_done(OutputPlace *p) {
        (void) fd_close(p->folder_fd);
        free(p->name);
        free(p->path);
        *p = OUTPUT_PLACE_INIT;
}

/* The name of what a path means: "." and links to files have none of their own. type: what it leads to; 0: nothing. */
static int resolve(const char *path, mode_t type, char **ret) {
        const char *base;
        size_t n = strlen(path);
        char *real;

        while (n > 1 && (path[n - 1] == '/' || (path[n - 1] == '.' && path[n - 2] == '/')))
                n--;
        *ret = strndup(path, n);
        if (!*ret)
                return -ENOMEM;
        base = path_basename(*ret);
        if (!S_ISREG(type) && !streq(base, ".") && !streq(base, ".."))
                return 0;
        real = realpath(path, NULL);
        if (!real)
                return -errno;
        free(*ret);
        *ret = real;
        return 0;
}

/**
 * output_place_find() - where a path leads
 * @path:        as the user wrote it
 * @make_folder: make the folders that lead to it
 * @ret:         OUTPUT_PLACE_INIT before; for output_place_done(), also after a failure
 * @e:           sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (empty), -ENOMEM, errno of realpath(), mkdir(), open().
 */
int output_place_find(const char *path, bool make_folder, OutputPlace *ret, Error *e) {
        _cleanup_free_ char *real = NULL, *folder = NULL;
        const char *slash;
        struct stat st = {};
        int r;

        if (!*path)
                return error_setf(e, -EINVAL, "the output needs a path");
        (void) stat(path, &st);
        ret->type = st.st_mode & S_IFMT;
        r = resolve(path, ret->type, &real);
        if (r < 0)
                return error_setf(e, r, "cannot find '%s': %s", path, strerror(-r));
        ret->path = strdup(real);
        slash = strrchr(real, '/');
        folder = !slash ? strdup(".") : strndup(real, slash == real ? 1 : (size_t) (slash - real));
        ret->name = strdup(slash ? slash + 1 : real);
        if (!ret->path || !folder || !ret->name)
                return error_oom(e);
        if (!*ret->name) { /* "/" */
                ret->exists = true;
                return 0;
        }
        if (make_folder) {
                r = mkdir_parents_at(AT_FDCWD, folder, 0755);
                if (r < 0)
                        return error_setf(e, r, "cannot create '%s': %s", folder, strerror(-r));
        }
        ret->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ret->folder_fd < 0)
                return error_setf(e, -errno, "cannot open '%s': %m", folder);
        ret->exists = fstatat(ret->folder_fd, ret->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        return 0;
}

/**
 * output_mode() - what the umask leaves of a mode
 * @mode: wanted
 *
 * Return: mode.
 */
mode_t output_mode(mode_t mode) {
        mode_t mask = umask(022);

        (void) umask(mask);
        return mode & ~mask;
}

/* There is nothing to replace. */
static int write_special(const OutputPlace *p, const char *what, OutputWrite write, void *userdata,
                         Error *e) {
        _cleanup_close_ int fd = openat(p->folder_fd, p->name, O_WRONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return error_setf(e, -errno, "unable to open %s '%s': %m", what, p->path);
        return write(userdata, fd, e);
}

static int write_regular(const OutputPlace *p, const char *what, FileWriteFlags flags, OutputWrite write,
                         void *userdata, Error *e) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = tmpfile_open_at(p->folder_fd, output_mode(0644), &fd);
        if (r < 0)
                return error_setf(e, r, "unable to open %s '%s': %s", what, p->path, strerror(-r));
        r = write(userdata, fd, e);
        if (r < 0)
                return error_prefixf(e, r, "'%s'", p->path);
        r = tmpfile_link_at(fd, p->folder_fd, p->name, flags);
        if (r == -EEXIST)
                return error_setf(e, r, "%s exists (try --overwrite)", what);
        return r < 0 ? error_setf(e, r, "cannot create '%s': %s", p->path, strerror(-r)) : 0;
}

/**
 * output_file_write() - a file that appears whole or not at all
 * @path:      as the user wrote it
 * @what:      what it is, for messages: "output ACI file"
 * @overwrite: what is there goes away; else it is an error
 * @write:     writes it
 * @userdata:  for it
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -EEXIST, -EISDIR, errno of open() and link(), what @write returned.
 */
int output_file_write(const char *path, const char *what, bool overwrite, OutputWrite write, void *userdata,
                      Error *e) {
        _cleanup_(output_place_done) OutputPlace p = OUTPUT_PLACE_INIT;
        int r;

        r = output_place_find(path, false, &p, e);
        if (r < 0)
                return r;
        if (p.exists && !overwrite)
                return error_setf(e, -EEXIST, "%s exists (try --overwrite)", what);
        if (p.exists && S_ISDIR(p.type))
                return error_setf(e, -EISDIR, "unable to open %s '%s': it is a directory", what, path);
        if (p.type != 0 && !S_ISREG(p.type))
                return write_special(&p, what, write, userdata, e);
        return write_regular(&p, what, overwrite ? 0 : FILE_WRITE_NO_REPLACE, write, userdata, e);
}

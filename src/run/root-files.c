/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small files of a stage1 root. They are made anew at every start of a pod and lost with it, so nothing is synced. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "run/root-files.h"

/**
 * root_files_done() - free a list of files
 * @f: list; empty afterwards
 */
void root_files_done(RootFiles *f) {
        for (size_t i = 0; i < f->n_files; i++) {
                free(f->files[i].path);
                free(f->files[i].content);
        }
        free(f->files);
        *f = ROOT_FILES_INIT;
}

/**
 * root_files_add() - put a file on the list
 * @f:       list
 * @path:    relative path, copied
 * @mode:    permissions, ROOT_FILE_LINK or ROOT_FILE_DIR
 * @content: text, or the target of a link; copied
 *
 * Return: 0, -ENOMEM.
 */
int root_files_add(RootFiles *f, const char *path, mode_t mode, const char *content) {
        char *p, *c;

        if (!GREEDY_GROW(f->files, f->n_files))
                return -ENOMEM;
        p = strdup(path);
        c = strdup(content);
        if (!p || !c) {
                free(p);
                free(c);
                return -ENOMEM;
        }
        f->files[f->n_files++] = (RootFile){ .path = p, .content = c, .mode = mode };
        return 0;
}

/**
 * root_files_take() - put a file on the list whose text was built in a buffer
 * @f:       list
 * @path:    relative path, copied
 * @mode:    permissions
 * @content: buffer; empty afterwards
 *
 * Return: 0; -ENOMEM, also when the buffer had run out of memory.
 */
int root_files_take(RootFiles *f, const char *path, mode_t mode, StrBuf *content) {
        _cleanup_free_ char *text = NULL;
        int r = strbuf_steal(content, &text);

        return r < 0 ? r : root_files_add(f, path, mode, str_or(text, ""));
}

/* The pod may be running, and its links may lead anywhere: they are resolved in it. */
static int open_parent(int root_fd, const char *path, const char **ret_name) {
        _cleanup_free_ char *parent = NULL;
        const char *slash = strrchr(path, '/');

        *ret_name = slash ? slash + 1 : path;
        parent = strndup(path, slash ? (size_t) (slash - path) : 0);
        return parent ? root_mkdirs(root_fd, parent, 0755) : -ENOMEM;
}

static int write_one(const RootFile *file, int root_fd) {
        _cleanup_close_ int fd = -EBADF, dir = -EBADF;
        const char *name;

        if (file->mode == ROOT_FILE_DIR) {
                fd = root_mkdirs(root_fd, file->path, 0755);
                return fd < 0 ? fd : 0;
        }
        dir = open_parent(root_fd, file->path, &name);
        if (dir < 0)
                return dir;
        if (file->mode == ROOT_FILE_LINK)
                return RET_NERRNO(symlinkat(file->content, dir, name));
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file->mode);
        if (fd < 0 || fchmod(fd, file->mode) < 0)
                return -errno;
        return fd_write_all(fd, file->content, strlen(file->content));
}

/**
 * root_files_write() - make all files of a list, with the directories above them
 * @f:       list; the paths do not exist yet
 * @root_fd: directory
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, errors of the file system.
 */
int root_files_write(const RootFiles *f, int root_fd, Error *e) {
        for (size_t i = 0; i < f->n_files; i++) {
                int r = write_one(&f->files[i], root_fd);

                if (r < 0)
                        return error_setf(e, r, "cannot write %s into the pod: %s", f->files[i].path,
                                          strerror(-r));
        }
        return 0;
}

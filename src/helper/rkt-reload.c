/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt-pods.path starts: lets systemd run the generators again. While this runs, the path unit does not watch; so what
 * is in the directories is compared before and after, and a change in between brings another round. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-file.h"

#define ROUNDS_MAX 20

/* FNV-1a. */
static uint64_t mix(uint64_t h, const void *data, size_t size) {
        const unsigned char *p = data;

        for (size_t i = 0; i < size; i++)
                h = (h ^ p[i]) * UINT64_C(0x100000001b3);
        return h;
}

static uint64_t entry_state(const char *name, const struct stat *st) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        h = mix(h, name, strlen(name));
        h = mix(h, &st->st_ino, sizeof(st->st_ino));
        h = mix(h, &st->st_size, sizeof(st->st_size));
        return mix(h, &st->st_ctim, sizeof(st->st_ctim));
}

/* A sum over all entries, so that their order does not count. Names of drop-in directories are added to *ret_folders. */
static uint64_t dir_state(const char *dir, char ***ret_folders) {
        _cleanup_closedir_ DIR *d = opendir(dir);
        uint64_t sum = 0;

        if (!d)
                return 0;
        for (struct dirent *e = readdir(d); e; e = readdir(d)) {
                struct stat st;

                if (streq(e->d_name, ".") || streq(e->d_name, "..") ||
                    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                sum += entry_state(e->d_name, &st);
                if (ret_folders && endswith(e->d_name, ".pod.d"))
                        (void) strv_extendf(ret_folders, "%s/%s", dir, e->d_name);
        }
        return sum;
}

static uint64_t pods_state(char **dirs) {
        _cleanup_strv_free_ char **folders = NULL;
        uint64_t sum = 0;

        STRV_FOREACH (d, dirs)
                sum += dir_state(*d, &folders);
        STRV_FOREACH (f, folders)
                sum += dir_state(*f, NULL);
        return sum;
}

static int daemon_reload(Error *e) {
        char *argv[] = { (char[]){ "systemctl" }, (char[]){ "daemon-reload" }, NULL };
        Process p = PROCESS_INIT;
        int status, r;

        r = process_spawn(&(ProcessSpec){ .path = "/usr/bin/systemctl",
                                          .argv = argv,
                                          .fds = (int[]){ -EBADF, 1, 2 },
                                          .n_fds = 3 },
                          &p, e);
        if (r < 0)
                return r;
        r = process_wait(&p, &status, e);
        if (r < 0)
                return r;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return error_setf(e, -EREMOTEIO, "systemctl daemon-reload failed");
        return 0;
}

int main(void) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_strv_free_ char **dirs = NULL;
        uint64_t before, after;
        int r;

        log_set_prefix("rkt-reload");
        r = pod_dirs(&dirs);
        if (r < 0)
                return EXIT_FAILURE;
        after = pods_state(dirs);
        for (unsigned round = 0; round < ROUNDS_MAX; round++) {
                before = after;
                r = daemon_reload(&e);
                if (r < 0) {
                        log_error("%s", error_text(&e, r));
                        return EXIT_FAILURE;
                }
                after = pods_state(dirs);
                if (after == before)
                        break;
        }
        return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes pods out of pod files: systemd.generator(7). Reads files, writes files, and nothing else: no bus, no names of users,
 * no network. A broken pod file costs only its own pod. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-file.h"
#include "podfile/pod-unit.h"

#define MESSAGES_MAX 20 /* the kernel's ring buffer is small, and "rkt pod check" has them all */

typedef struct Reporter {
        int fd; /* -EBADF until the first message */
        bool is_kmsg;
        size_t n;
} Reporter;

/* To the kernel's log, as generators do. RKT_GENERATOR_LOG=stderr, or a terminal, is for people; RKT_GENERATOR_LOG=/PATH
 * stands for /dev/kmsg in tests. */
static void reporter_open(Reporter *r) {
        const char *log = secure_getenv("RKT_GENERATOR_LOG");

        if (log ? *log == '/' : !isatty(STDERR_FILENO)) {
                r->fd = open(log ? log : "/dev/kmsg", O_WRONLY | O_NOCTTY | O_CLOEXEC);
                r->is_kmsg = r->fd >= 0;
        }
        if (!r->is_kmsg)
                r->fd = STDERR_FILENO;
}

/* One record per message: the kernel cuts nothing below 1 KiB. */
static void report(Reporter *r, const char *text) {
        char record[1024];
        int n;

        if (r->fd < 0)
                reporter_open(r);
        if (r->n++ >= MESSAGES_MAX && r->is_kmsg)
                return;
        if (r->is_kmsg)
                n = snprintf(record, sizeof(record) - 1, "<3>rkt-pod-generator[%d]: %s", (int) getpid(),
                             text);
        else
                n = snprintf(record, sizeof(record) - 1, "%s", text);
        if (n < 0)
                return;
        n = MIN(n, (int) sizeof(record) - 2);
        record[n++] = '\n';
        if (write(r->fd, record, (size_t) n) < 0) {
                /* nowhere left to say so */
        }
}

static void report_rest(Reporter *r) {
        char text[64];
        size_t n = r->n;

        if (n <= MESSAGES_MAX || !r->is_kmsg)
                return;
        r->n = 0;
        (void) snprintf(text, sizeof(text), "... and %zu more; see rkt pod check", n - MESSAGES_MAX);
        report(r, text);
}

static void report_errors(Reporter *r, const PodErrors *errors) {
        FOREACH_ARRAY (e, errors->items, errors->n) {
                _cleanup_free_ char *text = NULL;

                if (pod_error_to_string(e, &text) >= 0)
                        report(r, text);
        }
        r->n += errors->n_more;
}

static int report_failure(Reporter *r, int error, const char *what) {
        char text[512];

        (void) snprintf(text, sizeof(text), "cannot write %s: %s", what, strerror(-error));
        report(r, text);
        return error;
}

/* Whole or not at all; no sync, the directory is in memory. */
static int write_text(int dir_fd, const char *path, const char *text) {
        _cleanup_free_ char *tmp = strf("%s.tmp", path);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!tmp)
                return -ENOMEM;
        fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, text, strlen(text));
        if (r >= 0 && renameat(dir_fd, tmp, dir_fd, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(dir_fd, tmp, 0);
        return r;
}

/* Folders of our paths are one level deep. */
static int make_folder(int dir_fd, const char *path) {
        const char *slash = strchr(path, '/');
        _cleanup_free_ char *folder = NULL;

        if (!slash)
                return 0;
        folder = strndup(path, (size_t) (slash - path));
        if (!folder)
                return -ENOMEM;
        if (mkdirat(dir_fd, folder, 0755) < 0 && errno != EEXIST)
                return -errno;
        return 0;
}

static int write_link(int dir_fd, const char *path, const char *target) {
        return symlinkat(target, dir_fd, path) >= 0 || errno == EEXIST ? 0 : -errno;
}

/* Most folders of links are there already, and no folder of files: so the order differs. */
static int write_file(int dir_fd, const UnitFile *f) {
        int r;

        if (f->target) {
                r = write_link(dir_fd, f->path, f->target);
                if (r != -ENOENT)
                        return r;
        }
        r = make_folder(dir_fd, f->path);
        if (r < 0)
                return r;
        return f->target ? write_link(dir_fd, f->path, f->target) : write_text(dir_fd, f->path, f->text);
}

static int write_files(Reporter *report_to, int dir_fd, const UnitFiles *files) {
        int result = 0;

        FOREACH_ARRAY (f, files->items, files->n) {
                int r;

                r = write_file(dir_fd, f);
                if (r < 0 && result >= 0)
                        result = report_failure(report_to, r, f->path);
        }
        return result;
}

static int generate_pod(Reporter *report_to, int dir_fd, const PodEntry *entry) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        _cleanup_unit_files_ UnitFiles files = UNIT_FILES_INIT;
        int r;

        r = pod_entry_load(entry, &spec, &errors);
        if (r < 0)
                return report_failure(report_to, r, entry->name);
        report_errors(report_to, &errors);
        r = pod_unit_files(entry, spec, errors.n > 0, &files);
        if (r < 0)
                return report_failure(report_to, r, entry->name);
        return write_files(report_to, dir_fd, &files);
}

static int generate_watch(Reporter *report_to, int dir_fd, const PodIndex *index) {
        _cleanup_unit_files_ UnitFiles files = UNIT_FILES_INIT;
        int r;

        r = pod_watch_files(index, &files);
        return r < 0 ? report_failure(report_to, r, "rkt-pods.path.d")
                     : write_files(report_to, dir_fd, &files);
}

static int generate(Reporter *report_to, const char *dir) {
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_close_ int dir_fd = -EBADF;
        int result = 0, r;

        r = pod_index_load(NULL, &index);
        if (r < 0)
                return report_failure(report_to, r, dir);
        report_errors(report_to, &index->errors);
        if (index->n == 0 && !index->folders)
                return 0;
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return report_failure(report_to, -errno, dir);
        FOREACH_ARRAY (entry, index->entries, index->n)
                (void) RET_GATHER(result, generate_pod(report_to, dir_fd, entry));
        (void) RET_GATHER(result, generate_watch(report_to, dir_fd, index));
        return result;
}

/* So that no file of ours gets the number of a missing standard stream. */
static bool have_standard_streams(void) {
        int fd;

        do {
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (fd < 0)
                        return errno != EMFILE;
        } while (fd <= STDERR_FILENO);
        (void) fd_close(fd);
        return true;
}

static bool is_wanted(void) {
        const char *initrd = getenv("SYSTEMD_IN_INITRD"), *scope = getenv("SYSTEMD_SCOPE");

        return !(initrd && streq(initrd, "1")) && !(scope && streq(scope, "user"));
}

int main(int argc, char *argv[]) {
        Reporter report_to = { .fd = -EBADF };
        int r;

        if (argc != 2 && argc != 4) {
                (void) fputs("usage: rkt-pod-generator NORMAL-DIR [EARLY-DIR LATE-DIR] (systemd runs this)\n",
                             stderr);
                return EXIT_FAILURE;
        }
        if (!have_standard_streams())
                return EXIT_FAILURE;
        if (!is_wanted())
                return EXIT_SUCCESS;
        (void) umask(0022);
        r = generate(&report_to, argv[1]);
        report_rest(&report_to);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

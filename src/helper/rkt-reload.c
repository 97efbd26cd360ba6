/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt-pods.path starts: lets systemd run the generators again. While this runs, the path unit does not watch; so what
 * is in the directories is compared before and after, and a change in between brings another round. Between our end and the
 * path unit's next watch there is a gap, so rkt-pods-check.service looks once more when it watches again ("check"). */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "podfile/pod-file.h"
#include "run/manager-bus.h"

#define ROUNDS_MAX 20
#define STATE_FILE "/run/rkt-pods/state" /* what the directories were when systemd last read them, as text */
#define STATE_MAX  64
#define WATCH_TRIES                                                                                          \
        250 /* of 20 ms: then the path unit is stopped, or does not work, and nobody wants a reload */
#define WATCH_WAIT_MS 20

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
        int r;

        r = process_spawn(&(ProcessSpec){ .path = "/usr/bin/systemctl",
                                          .argv = argv,
                                          .fds = (int[]){ -EBADF, 1, 2 },
                                          .n_fds = 3 },
                          &p, e);
        if (r >= 0)
                r = process_wait(&p, NULL, e);
        return r < 0 ? error_prefixf(e, r, "systemctl daemon-reload") : 0;
}

static int state_text(char **dirs, char **ret) {
        *ret = strf("%016" PRIx64 "\n", pods_state(dirs));
        return *ret ? 0 : -ENOMEM;
}

static int reload(char **dirs, Error *e) {
        _cleanup_free_ char *now = NULL;
        int r = state_text(dirs, &now);

        for (unsigned round = 0; r >= 0 && round < ROUNDS_MAX; round++) {
                _cleanup_free_ char *before = TAKE_PTR(now);

                r = daemon_reload(e);
                if (r < 0)
                        return r;
                r = state_text(dirs, &now);
                if (r >= 0 && streq(before, now))
                        break;
        }
        if (r >= 0)
                r = file_write_at(AT_FDCWD, STATE_FILE, now, strlen(now), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot note the state of the pod files in " STATE_FILE ": %s",
                                  strerror(-r))
                     : 0;
}

/* Wait until rkt-pods.path watches again. Return: 1 when it does; 0 when it is not there to do so. */
static int wait_for_watch(sd_bus *bus) {
        for (unsigned i = 0; i < WATCH_TRIES; i++) {
                _cleanup_free_ char *state = NULL;
                int r = manager_bus_unit_property(bus, "rkt-pods.path", "Unit", "SubState", &state);

                if (r < 0)
                        return r;
                if (streq(state, "waiting"))
                        return 1;
                if (!streq(state, "running"))
                        return 0;
                (void) usleep(WATCH_WAIT_MS * 1000);
        }
        return 0;
}

static int check(char **dirs, Error *e) {
        _cleanup_free_ char *then = NULL, *now = NULL;
        _cleanup_bus_ sd_bus *bus = NULL;
        size_t size;
        int r = manager_bus_open(&bus);

        if (r >= 0)
                r = wait_for_watch(bus);
        if (r == 0)
                return 0;
        if (r > 0)
                r = file_read_at(AT_FDCWD, STATE_FILE, STATE_MAX, &then, &size);
        if (r >= 0)
                r = state_text(dirs, &now);
        if (r >= 0 && !streq(then, now))
                r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "StartUnit", NULL,
                                       NULL, "ss", "rkt-pods.service", "replace");
        return r < 0 ? error_setf(e, r, "cannot look for changes of pod files: %s", strerror(-r)) : 0;
}

int main(int argc, char **argv) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_strv_free_ char **dirs = NULL;
        int r;

        log_set_prefix("rkt-reload");
        r = pod_dirs(&dirs);
        if (r >= 0)
                r = argc > 1 && streq(argv[1], "check") ? check(dirs, &e) : reload(dirs, &e);
        if (r < 0) {
                log_error("%s", error_text(&e, r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TIME STREAM TAG TEXT, one line for each of the app's, or for each 16 KiB of a long one: its pieces have the tag P, the last one F.
 * The named pipes stay with the pod's systemd: this ends when there is nothing to do for a while, and is started again; when it
 * is told to end, it takes what there is first. */
#include "helper/kubernetes-log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/log.h"
#include "basic/macro.h"
#include "basic/unconst.h"

#define LOG_DIR   "/rkt/kubernetes/log"
#define FIRST_FD  3 /* as sd_listen_fds(3) has them: standard output, standard error */
#define N_STREAMS 2
#define TEXT_MAX  16384U
#define IDLE_SEC  10

typedef struct Stream {
        const char *name;
        size_t size;
        char text[TEXT_MAX];
} Stream;

static Stream streams[N_STREAMS] = { { .name = "stdout" }, { .name = "stderr" } };

static int write_piece(int file, const Stream *s, const char *text, size_t size, bool is_last) {
        struct timespec now;
        struct tm tm;
        char head[96], day[32];
        struct iovec iov[3];
        int n;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        if (!gmtime_r(&now.tv_sec, &tm) || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
                return -EINVAL;
        n = snprintf(head, sizeof(head), "%s.%09ldZ %s %c ", day, now.tv_nsec, s->name, is_last ? 'F' : 'P');
        iov[0] = (struct iovec){ head, (size_t) n };
        iov[1] = (struct iovec){ unconst(text), size };
        iov[2] = (struct iovec){ unconst("\n"), 1 };
        return writev(file, iov, 3) < 0 ? -errno : 0;
}

/* Whole lines go out; what is left of the last one is kept. */
static int write_lines(int file, Stream *s) {
        char *p = s->text, *end = s->text + s->size, *newline;
        int r = 0;

        while (r >= 0 && (newline = memchr(p, '\n', (size_t) (end - p)))) {
                r = write_piece(file, s, p, (size_t) (newline - p), true);
                p = newline + 1;
        }
        s->size = (size_t) (end - p);
        memmove(s->text, p, s->size);
        if (r >= 0 && s->size == TEXT_MAX) {
                r = write_piece(file, s, s->text, s->size, false);
                s->size = 0;
        }
        return r;
}

/* An app whose output nobody takes would stop: what cannot be written is lost. Said once. */
static void lose(Stream *s, const char *path, int r) {
        static bool said;

        s->size = 0;
        if (!said)
                (void) log_error_errno(r, "cannot write the log file %s, output is lost: %m", path);
        said = true;
}

/* @file: or why there is none. Returns 0 when there is nothing more to read for now. */
static int copy(int file, const char *path, Stream *s, int fd) {
        ssize_t n = read(fd, s->text + s->size, TEXT_MAX - s->size);
        int r;

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        s->size += (size_t) n;
        r = file < 0 ? file : write_lines(file, s);
        if (r < 0)
                lose(s, path, r);
        return n > 0;
}

static volatile sig_atomic_t is_stopped;

static void on_signal(int sig) {
        is_stopped = 1;
}

/* Comes only while nothing is being written. */
static void catch_signal(sigset_t *ret_waiting) {
        const struct sigaction a = { .sa_handler = on_signal };
        sigset_t term;

        (void) sigemptyset(&term);
        (void) sigaddset(&term, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &term, ret_waiting);
        (void) sigdelset(ret_waiting, SIGTERM);
        (void) sigaction(SIGTERM, &a, NULL);
}

static int open_file(const char *path) {
        _cleanup_close_ int dir = open(LOG_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);

        return dir < 0 ? -errno
                       : open_resolved(dir, path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK, 0640,
                                       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/**
 * kubernetes_log_run() - copy an app's output to its log file
 * @path: of the file, in the directory of log files
 *
 * Goes on if the file cannot be written: or it would be started again and again, for what is still to be read.
 *
 * Return: 0, negative errno of poll() and read(); of the last write().
 */
int kubernetes_log_run(const char *path) {
        static const struct timespec idle = { .tv_sec = IDLE_SEC }, now = {};
        _cleanup_close_ int file = open_file(path);
        sigset_t waiting;
        int r = 1;

        catch_signal(&waiting);
        while (r > 0) {
                struct pollfd fds[N_STREAMS];

                for (int i = 0; i < N_STREAMS; i++)
                        fds[i] = (struct pollfd){ .fd = FIRST_FD + i, .events = POLLIN };
                r = ppoll(fds, N_STREAMS, is_stopped ? &now : &idle, &waiting);
                if (r < 0 && errno == EINTR) {
                        r = 1;
                        continue;
                }
                for (int i = 0; i < N_STREAMS && r > 0; i++)
                        if (fds[i].revents != 0 && copy(file, path, &streams[i], FIRST_FD + i) < 0)
                                r = -EIO;
        }
        for (int i = 0; i < N_STREAMS && r >= 0; i++)
                if (streams[i].size > 0)
                        r = write_piece(file, &streams[i], streams[i].text, streams[i].size, false);
        return r < 0 ? log_error_errno(r, "cannot copy to the log file %s: %m", path) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * timed COMMAND...: run it with /dev/null for all its output, print "WALL_NS CPU_NS PEAK_RSS_KIB STATUS". A program of
 * its own because the peak of a child counts what its parent had before exec(), and an interpreter has a lot. Linked
 * statically, it has 1 MiB.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t timeval_ns(struct timeval t) {
        return (int64_t) t.tv_sec * 1000000000 + (int64_t) t.tv_usec * 1000;
}

int main(int argc, char **argv) {
        struct rusage usage;
        int64_t began;
        int status;
        pid_t pid;

        if (argc < 2)
                return 2;
        began = now_ns();
        pid = vfork();
        if (pid < 0)
                return 1;
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR | O_CLOEXEC);

                if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
                        _exit(126);
                execv(argv[1], argv + 1);
                _exit(127);
        }
        if (wait4(pid, &status, 0, &usage) != pid)
                return 1;
        printf("%lld %lld %ld %d\n", (long long) (now_ns() - began),
               (long long) (timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime)), usage.ru_maxrss,
               status);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starts rkt-enter without the environment of an app, and the pod's systemd without inheritable capabilities.
 *
 *   rkt-bare ARGUMENT...        runs /rkt/bin/rkt-enter ARGUMENT...
 *   rkt-bare init ARGUMENT...   becomes systemd
 *
 * The command lines of APP.service that begin with "+" have all powers in the pod, and the variables of the image: what its
 * LD_PRELOAD names would run inside rkt-enter. So this program stands in front of it. It is linked statically, has no part
 * of ours but this file and kernel-files.c, and lets only those variables through that rkt-enter reads, as systemd may write
 * them.
 *
 * PID 1 of a namespace loses signals that it neither handles nor blocks. So those that stop a pod are blocked from here until
 * systemd reads them, and who asked before left a mark (pod/pod-stop.h).
 *
 * nspawn gives PID 1 an inheritable set as large as all others, and from systemd 257 on it reaches the apps: a program whose
 * file has inheritable capabilities would get them back (CVE-2022-24769 and its kin). */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper/kernel-files.h"

#define PROGRAM   "/rkt/bin/rkt-enter"
#define SYSTEMD   "/usr/lib/systemd/systemd"
#define STOP_MARK "/rkt/stop"
#define STARTING  "/rkt/starting" /* run/start-watch.c */
#define BORN      "/rkt/born"     /* read by run_ended_unready() */
#define VALUE_MAX 63U             /* bytes */
#define FAILED    255             /* ExecCondition= would take any other for a "no" */

static const char *const names[] = {
        "MAINPID",        "SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS", /* app-hook-run.c, rkt-enter.c */
        "JOURNAL_STREAM",                                               /* log.c */
};

#define N_NAMES (sizeof(names) / sizeof(*names))

/* "exit-code", "RTMIN+1", "8:4711" */
static bool is_plain(const char *value) {
        size_t n = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-+:");

        return n > 0 && n <= VALUE_MAX && !value[n];
}

/* The whole "NAME=VALUE", or NULL. */
static char *find(const char *name) {
        size_t n = strlen(name);

        for (char **v = environ; v && *v; v++)
                if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
                        return is_plain(*v + n + 1) ? *v : NULL;
        return NULL;
}

/* Halt, power off, reboot (systemd(1)). Returns whether the pod is to stop already. */
static bool hold_signals(void) {
        sigset_t held;

        (void) sigemptyset(&held);
        for (int s = SIGRTMIN + 3; s <= SIGRTMIN + 6; s++)
                (void) sigaddset(&held, s);
        (void) sigprocmask(SIG_BLOCK, &held, NULL);
        (void) unlink(STARTING);
        return access(STOP_MARK, F_OK) == 0;
}

static int become_systemd(char **argv) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = {};
        char program[] = SYSTEMD;
        const char *path = NULL;
        int r;

        if (hold_signals())
                return 0;
        r = kernel_files_make(&path);
        if (r < 0) {
                (void) dprintf(STDERR_FILENO, "rkt-bare: cannot mount %s for the apps: %s\n",
                               path ? path : "/rkt", strerrorname_np(-r));
                return FAILED;
        }
        (void) close(open(BORN, O_WRONLY | O_CREAT | O_CLOEXEC,
                          0444)); /* what ends this process now is not nspawn's to tell */
        if (syscall(SYS_capget, &header, data) >= 0) {
                data[0].inheritable = data[1].inheritable = 0;
                if (syscall(SYS_capset, &header, data) >= 0) {
                        argv[0] = program;
                        execve(program, argv, environ);
                }
        }
        (void) dprintf(STDERR_FILENO, "rkt-bare: cannot become " SYSTEMD ": %s\n", strerrorname_np(errno));
        return FAILED;
}

int main(int argc, char **argv) {
        char *environment[N_NAMES + 1] = {}, program[] = PROGRAM;
        size_t n = 0;

        if (argc < 2) {
                (void) dprintf(STDERR_FILENO, "Usage: rkt-bare ARGUMENT...\n");
                return FAILED;
        }
        if (strcmp(argv[1], "init") == 0)
                return become_systemd(argv + 1);
        for (size_t i = 0; i < N_NAMES; i++) {
                char *variable = find(names[i]);

                if (variable)
                        environment[n++] = variable;
        }
        argv[0] = program;
        execve(program, argv, environment);
        /* strerror() would look for translations */
        (void) dprintf(STDERR_FILENO, "rkt-bare: cannot execute " PROGRAM ": %s\n", strerrorname_np(errno));
        return FAILED;
}

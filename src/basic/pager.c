/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Standard output and error go to the pager while it is open. What somebody else must not get by it (a shell, files) is up to
 * less, which is told; no other pager is started then. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/pager.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"

#define LESS_OPTIONS "FRSXMK" /* systemd's: leave when all fits, colours, long lines cut, ^C ends all */
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

typedef struct Plan {
        char **argv;
        char **envp;
        char *path;
        bool secure;
} Plan;

/* What standard output and error are while a pager is open belongs to the process, and so does this. */
static struct {
        Process process;
        int out, err; /* the terminal */
} pager = { .process = { .pidfd = -EBADF }, .out = -EBADF, .err = -EBADF };

static void plan_done(Plan *p) {
        strv_free(p->argv);
        strv_free(p->envp);
        free(p->path);
}

/* Does it run with rights that whoever started it has not got? The owner of the login session, or what gave the rights, tells. */
static bool is_raised(void) {
        static const char *const names[] = { "SUDO_UID", "PKEXEC_UID" };
        uid_t owner;

        if (getauxval(AT_SECURE) != 0)
                return true;
        if (sd_pid_get_owner_uid(0, &owner) >= 0)
                return owner != geteuid();
        FOREACH_ARRAY (n, names, ELEMENTSOF(names)) {
                const char *v = getenv(*n);
                unsigned uid;

                if (v && (parse_uint(v, UINT32_MAX, &uid) < 0 || uid != geteuid()))
                        return true;
        }
        return false;
}

/* Both: else somebody collects one of them. */
static bool is_for_people(void) {
        const char *term = getenv("TERM");

        return term && !streq(term, "dumb") && isatty(STDOUT_FILENO) > 0 && isatty(STDERR_FILENO) > 0;
}

static bool is_program(const char *path) {
        struct stat st;

        return stat(path, &st) >= 0 && S_ISREG(st.st_mode) && access(path, X_OK) >= 0;
}

static bool find_program(const char *name, char **ret) {
        _cleanup_strv_free_ char **dirs = NULL;
        const char *path = getenv("PATH");

        if (strchr(name, '/')) {
                *ret = is_program(name) ? strdup(name) : NULL;
                return *ret;
        }
        if (strv_split(str_or(path, DEFAULT_PATH), ":", &dirs) < 0)
                return false;
        STRV_FOREACH (d, dirs) {
                _cleanup_free_ char *file = **d == '/' ? strf("%s/%s", *d, name) : NULL;

                if (file && is_program(file)) {
                        *ret = TAKE_PTR(file);
                        return true;
                }
        }
        return false;
}

/* A command line becomes the plan if there is such a program. */
static bool take_command(Plan *p, const char *command) {
        _cleanup_strv_free_ char **argv = NULL;

        if (strv_split(command, " \t", &argv) < 0 || !argv || !find_program(argv[0], &p->path))
                return false;
        p->argv = TAKE_PTR(argv);
        return true;
}

/* False: none is wanted, or none is there. */
static bool choose(Plan *p) {
        static const char *const usual[] = { "pager", "less", "more" };
        const char *command = str_or(secure_getenv("SYSTEMD_PAGER"), secure_getenv("PAGER")),
                   *said = secure_getenv("SYSTEMD_PAGERSECURE");
        const int asked = said ? parse_boolean(said) : -EINVAL;

        if (command && (!command[strspn(command, " \t")] || streq(command, "cat")))
                return false;
        p->secure = asked >= 0 ? asked > 0 : is_raised();
        if (p->secure && asked < 0) /* whose variables these are is not known, nor what else would be safe */
                return take_command(p, "less");
        if (command && take_command(p, command))
                return true;
        FOREACH_ARRAY (u, usual, ELEMENTSOF(usual))
                if (take_command(p, *u))
                        return true;
        return false;
}

static const char *less_options(void) {
        return str_or(getenv("SYSTEMD_LESS"), LESS_OPTIONS);
}

static int make_environment(Plan *p) {
        const char *charset = getenv("SYSTEMD_LESSCHARSET");
        int r = 0;

        for (char **s = environ; s && *s && r >= 0; s++)
                if (!startswith(*s, "LESS=") && !startswith(*s, "LESSSECURE=") &&
                    !(charset && startswith(*s, "LESSCHARSET=")))
                        r = strv_extend(&p->envp, *s);
        if (r >= 0)
                r = strv_extendf(&p->envp, "LESS=%s", less_options());
        if (r >= 0 && charset)
                r = strv_extendf(&p->envp, "LESSCHARSET=%s", charset);
        if (r >= 0)
                r = strv_extendf(&p->envp, "LESSSECURE=%d", p->secure);
        return r;
}

/* Under whatever name, as Debian's pager. */
static bool is_less(const char *program) {
        _cleanup_free_ char *real = realpath(program, NULL);

        return real && streq(path_basename(real), "less");
}

static int redirect(int to) {
        pager.out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        pager.err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (pager.out < 0 || pager.err < 0 || dup2(to, STDOUT_FILENO) < 0 || dup2(to, STDERR_FILENO) < 0)
                return -errno;
        return 0;
}

static void restore(void) {
        if (pager.out >= 0)
                (void) dup2(pager.out, STDOUT_FILENO);
        if (pager.err >= 0)
                (void) dup2(pager.err, STDERR_FILENO);
        pager.out = fd_close(pager.out);
        pager.err = fd_close(pager.err);
}

static void start(const Plan *p) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return;
        const int child_fds[] = { fds[0], STDOUT_FILENO, STDERR_FILENO };
        const ProcessSpec spec = { .path = p->path,
                                   .argv = p->argv,
                                   .envp = p->envp,
                                   .fds = child_fds,
                                   .n_fds = ELEMENTSOF(child_fds),
                                   .die_with_parent = true,
                                   .death_signal = SIGTERM, /* it has set up the terminal */
                                   .must_execute = true };

        (void) fflush(stdout);
        if (process_spawn(&spec, &pager.process, NULL) >= 0) {
                (void) signal(SIGPIPE, SIG_IGN); /* who has seen enough leaves */
                if (is_less(p->path) && !strchr(less_options(), 'K'))
                        (void) signal(SIGINT, SIG_IGN); /* is less's to take */
                if (redirect(fds[1]) < 0) {
                        restore();
                        process_done(&pager.process);
                }
        }
        (void) fd_close(fds[0]);
        (void) fd_close(fds[1]);
}

/**
 * pager_open() - from here on, what is printed goes through a pager
 *
 * Does nothing unless standard output and error are a terminal that can do more than print, or where the user wants no pager
 * (SYSTEMD_PAGER, PAGER: empty or "cat"), or there is none that can be executed. SYSTEMD_LESS, SYSTEMD_LESSCHARSET and SYSTEMD_PAGERSECURE count as
 * they do for systemctl. Who calls it calls pager_close() last.
 */
void pager_open(void) {
        _cleanup_(plan_done) Plan p = {};

        if (!pager_is_open() && is_for_people() && choose(&p) && make_environment(&p) >= 0)
                start(&p);
}

/**
 * pager_is_open() - does standard output go to a pager, and by it to a terminal?
 *
 * Return: true between pager_open(), where it did something, and pager_close().
 */
bool pager_is_open(void) {
        return pager.process.pidfd >= 0;
}

/**
 * pager_is_left() - has the user seen enough?
 *
 * Return: true if a pager is open that reads no more; what is printed would be lost.
 */
bool pager_is_left(void) {
        struct pollfd out = { .fd = STDOUT_FILENO };

        if (!pager_is_open())
                return false;
        return fflush(stdout) != 0 || ferror(stdout) || (poll(&out, 1, 0) > 0 && (out.revents & POLLERR));
}

/**
 * pager_close() - let the user read to the end
 *
 * What a user who had seen enough did not read is thrown away, and is no failure.
 *
 * Return: true if a pager was open.
 */
bool pager_close(void) {
        int status;

        if (!pager_is_open())
                return false;
        if (fflush(stdout) != 0)
                __fpurge(stdout);
        clearerr(stdout);
        restore();
        (void) process_wait(&pager.process, &status, NULL);
        return true;
}

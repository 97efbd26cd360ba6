/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests only, never installed: what a worker that was taken over might try.
 *
 * The workers are linked once more, with sandbox_enter() wrapped. The first foreign bytes that the worker can read say which
 * attack to make ("attack=NAME"), and it is made where hostile code could run at the earliest: right behind the sandbox's
 * door. What succeeds says so on standard error, where nobody else says "breach". What fails ends the worker. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/sandbox.h"
#include "store/frame.h"

#define MARK "attack="

int __real_sandbox_enter(const SandboxSpec *spec, Error *e);
int __wrap_sandbox_enter(const SandboxSpec *spec, Error *e);

static void say(const char *attack, const char *what) {
        char line[200];
        int n = snprintf(line, sizeof(line), "hostile: %s: %s\n", attack, what);

        (void) !write(STDERR_FILENO, line, (size_t) n);
}

static int open_shadow(void) {
        return open("/etc/shadow", O_RDONLY | O_CLOEXEC);
}

static int open_store(void) {
        return open("/var/lib/rkt/cas/ref", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_root(void) {
        return open("/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Whatever else is open: /proc leads to it. */
static int open_parent(void) {
        char path[64];

        (void) snprintf(path, sizeof(path), "/proc/%d/fd", getppid());
        return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int write_outside(void) {
        return open("/var/tmp/rkt-breach", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int write_run(void) {
        return mkdir("/run/rkt-breach", 0700);
}

static int connect_inet(void) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(443) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) inet_pton(AF_INET, "127.0.0.2", &a.sin_addr);
        return fd < 0 ? fd : connect(fd, (struct sockaddr *) &a, sizeof(a));
}

static int connect_systemd(void) {
        struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/private" };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return fd < 0 ? fd : connect(fd, (struct sockaddr *) &a, sizeof(a));
}

static int raw_socket(void) {
        return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 255);
}

static int execute(void) {
        return execl("/bin/sh", "sh", "-c", "echo hostile: exec: breach >&2", (char *) NULL);
}

static int fork_away(void) {
        pid_t pid = fork();

        if (pid == 0) {
                (void) setsid();
                for (;;)
                        (void) pause();
        }
        return pid;
}

static int trace_parent(void) {
        return (int) ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int kill_parent(void) {
        return kill(getppid(), SIGKILL);
}

static int signal_parent(void) {
        return (int) syscall(SYS_tgkill, getppid(), getppid(), SIGKILL);
}

static int set_root(void) {
        return setuid(0) == 0 && setresgid(0, 0, 0) == 0 ? 0 : -1;
}

static int more_limits(void) {
        return (int) syscall(SYS_prlimit64, getppid(), 0, NULL, NULL);
}

static int make_device(void) {
        return mknod("/dev/shm/rkt-breach", S_IFCHR | 0666, 0x101);
}

static int mount_something(void) {
        return (int) syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL);
}

static int load_bpf(void) {
        char attribute[128] = { 1 };

        return (int) syscall(SYS_bpf, 0, attribute, sizeof(attribute));
}

static int uring(void) {
        char parameters[120] = {};

        return (int) syscall(SYS_io_uring_setup, 8, parameters);
}

/* More than 700 MiB that are really there. */
static int fill_memory(void) {
        for (int i = 0; i < 700; i++) {
                char *p = malloc(1 << 20);

                if (!p)
                        return -1;
                memset(p, i + 1, 1 << 20);
                __asm__ volatile("" : : "r"(p) : "memory");
        }
        return 0;
}

static int spin(void) {
        for (volatile unsigned i = 0;; i++)
                ;
        return 0;
}

static int send_frame(FrameType type, uint32_t size, const char *data, size_t n) {
        const FrameHeader h = { .type = (uint32_t) type, .size = size };

        (void) !write(STDOUT_FILENO, &h, sizeof(h));
        (void) !write(STDOUT_FILENO, data, n);
        _exit(EXIT_SUCCESS);
}

/* Frames and lines that cannot be, then an end as if all were well. */
static int frame_unknown(void) {
        return send_frame(_FRAME_TYPE_MAX + 7, 10, "0123456789", 10);
}

static int frame_huge(void) {
        return send_frame(FRAME_DATA, UINT32_MAX, "x", 1);
}

static int frame_cut(void) {
        return send_frame(FRAME_ENTRY, 200, "x", 1);
}

static int frame_entry(void) {
        char entry[300];

        memset(entry, 0xff, sizeof(entry));
        return send_frame(FRAME_ENTRY, sizeof(entry), entry, sizeof(entry));
}

static int frame_end(void) {
        static const FrameEnd end = { .size = 12345, .n_entries = 7 };

        return send_frame(FRAME_END, sizeof(end), (const char *) &end, sizeof(end));
}

static int frame_error(void) {
        return send_frame(FRAME_ERROR, 10, "\377\377\377\377\033[2Jx\n", 10);
}

static int garbage(void) {
        static char text[70000];

        memset(text, 'A', sizeof(text));
        for (int fd = 1; fd < 4; fd += 2)
                (void) !write(fd, text, sizeof(text));
        _exit(EXIT_SUCCESS);
}

/* Documents of a registry (oci/registry-protocol.h), and what is said about them. */
static int send_text(const char *documents, const char *meta) {
        (void) !write(STDOUT_FILENO, documents, strlen(documents));
        (void) !write(3, meta, strlen(meta));
        _exit(EXIT_SUCCESS);
}

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" /* of "{}" */
#define OTHER "role manifest\ndigest " EMPTY "\nsize 2\n\n{}role config\ndigest " EMPTY "\nsize 2\n\n{}"

static int document_digest(void) {
        return send_text("role manifest\ndigest " EMPTY "\nsize 2\n\n[]", "end 108\n");
}

/* Its digest is right, but it is no image. */
static int document_other(void) {
        char end[32];

        (void) snprintf(end, sizeof(end), "end %zu\n", strlen(OTHER));
        return send_text(OTHER, end);
}

static int document_header(void) {
        return send_text("", "authorization Bearer x\rX-Evil: y\nend 0\n");
}

static int document_unchanged(void) {
        return send_text("", "unchanged " EMPTY "\nend 0\n");
}

static int endless(int fd) {
        static char text[65536];

        memset(text, 'A', sizeof(text));
        while (write(fd, text, sizeof(text)) > 0)
                ;
        _exit(EXIT_SUCCESS);
}

static int document_endless(void) {
        return endless(STDOUT_FILENO);
}

static int meta_endless(void) {
        (void) close(STDOUT_FILENO);
        return endless(3);
}

/* The output ends, the process does not. */
static int linger(void) {
        (void) close(STDOUT_FILENO);
        (void) close(3);
        return spin();
}

static int silence(void) {
        _exit(EXIT_SUCCESS);
}

static const struct {
        const char *name;
        int (*attack)(void);
} attacks[] = {
        { "open-shadow", open_shadow },
        { "open-store", open_store },
        { "open-root", open_root },
        { "open-parent", open_parent },
        { "write-outside", write_outside },
        { "write-run", write_run },
        { "connect-inet", connect_inet },
        { "connect-systemd", connect_systemd },
        { "raw-socket", raw_socket },
        { "exec", execute },
        { "fork", fork_away },
        { "ptrace", trace_parent },
        { "kill", kill_parent },
        { "tgkill", signal_parent },
        { "setuid", set_root },
        { "prlimit", more_limits },
        { "mknod", make_device },
        { "mount", mount_something },
        { "bpf", load_bpf },
        { "io-uring", uring },
        { "memory", fill_memory },
        { "spin", spin },
        { "frame-unknown", frame_unknown },
        { "frame-huge", frame_huge },
        { "frame-cut", frame_cut },
        { "frame-entry", frame_entry },
        { "frame-end", frame_end },
        { "frame-error", frame_error },
        { "document-digest", document_digest },
        { "document-other", document_other },
        { "document-header", document_header },
        { "document-unchanged", document_unchanged },
        { "document-endless", document_endless },
        { "meta-endless", meta_endless },
        { "garbage", garbage },
        { "silence", silence },
        { "linger", linger },
};

/* From the descriptor that brings foreign bytes: a pipe, or a file that is read where it begins. */
static void read_name(char *ret, size_t size) {
        char text[8192];
        ssize_t n, i = 0;

        if (HOSTILE_FD == STDIN_FILENO)
                n = read(HOSTILE_FD, text, sizeof(text) - 1);
        else
                n = pread(HOSTILE_FD, text, sizeof(text) - 1, 0);
        ret[0] = '\0';
        for (; i + (ssize_t) strlen(MARK) < n; i++)
                if (memcmp(text + i, MARK, strlen(MARK)) == 0) {
                        const char *name = text + i + strlen(MARK);
                        size_t length;

                        text[n] = '\0';
                        length = strspn(name, "abcdefghijklmnopqrstuvwxyz-");
                        if (length < size) {
                                memcpy(ret, name, length);
                                ret[length] = '\0';
                        }
                        return;
                }
}

int __wrap_sandbox_enter(const SandboxSpec *spec, Error *e) {
        char name[64];
        int r;

        r = __real_sandbox_enter(spec, e);
        if (r < 0)
                return r;
        read_name(name, sizeof(name));
        for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
                if (strcmp(attacks[i].name, name) == 0) {
                        say(name, "begins");
                        r = attacks[i].attack();
                        say(name, r >= 0 ? "breach" : strerror(errno));
                        _exit(EXIT_FAILURE);
                }
        say(name, "no such attack");
        _exit(EXIT_FAILURE);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker that talks to the network and has nothing else: see net/pull-protocol.h.
 *
 *   rkt-pull            gets one URL: request on 0, body to 1, meta data to 3
 *   rkt-pull registry   asks a registry for the documents of an image: see oci/registry-protocol.h
 *   rkt-pull discovery  reads an HTML page on 0, writes the discovery tags to 1; has no network either */
#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/sandbox.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"
#include "net/http.h"
#include "oci/registry-session.h"

#define MEMORY_MAX                                                                                           \
        (UINT64_C(1) << 30) /* address space; threads of the resolver reserve much and use little */
#define DATA_MAX      (UINT64_C(256) << 20)
#define PULL_CPU_SEC  3600 /* of TLS; how long it may take is another limit */
#define PARSE_CPU_SEC 20
#define PARSE_MEMORY  (UINT64_C(256) << 20)
#define META_FD       3

/* Sockets, threads for the resolver, and waiting; beside what any program needs to read the files of TLS and of the resolver
 * (which ones: Landlock, below). */
static const char *const pull_syscalls[] = {
        "accept",        "bind",      "clone",       "close_range", "connect",     "dup3",
        "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait",  "eventfd2",    "fstatfs",
        "getpeername",   "getppid",   "getresgid",   "getresuid",   "getsockname", "getsockopt",
        "gettimeofday",  "lstat",     "nanosleep",   "pipe",        "pipe2",       "prctl",
        "pselect6",      "recvfrom",  "recvmmsg",    "recvmsg",     "select",      "sendmmsg",
        "sendmsg",       "sendto",    "setsockopt",  "shutdown",    "socket",      "socketpair",
        "statfs",        NULL,
};
/* Neither files nor sockets. */
static const char *const parse_syscalls[] = {
        "brk",        "clock_gettime", "close",           "exit",         "exit_group", "fstat",  "futex",
        "getrandom",  "lseek",         "madvise",         "mmap",         "mprotect",   "mremap", "munmap",
        "newfstatat", "read",          "restart_syscall", "rt_sigreturn", "write",      NULL,
};
static const char *const denied[] = { "open",      "openat",   "socket",
                                      "access",    "readlink", "ioctl",
                                      "prlimit64", "sysinfo",  "sched_getaffinity",
                                      NULL };

static int on_head(void *userdata, const PullHead *head, Error *e) {
        _cleanup_free_ char *text = NULL;

        if (pull_head_write(head, &text) < 0)
                return error_oom(e);
        return fd_write_all(META_FD, text, strlen(text));
}

static int on_body(void *userdata, const void *data, size_t size, Error *e) {
        return fd_write_all(STDOUT_FILENO, data, size);
}

static int enter_pull_sandbox(Error *e) {
        static const SandboxPath paths[] = {
                { .path = "/etc" },
                { .path = "/usr" },
                { .path = "/lib" },
                { .path = "/lib64" },
                { .path = "/run/systemd/resolve" },
                { .path = "/run/NetworkManager/resolv.conf" },
                { .path = "/run/resolvconf" },
                { .path = "/proc/sys/crypto" },
                { .path = "/dev/null" },
                { .path = "/dev/urandom" },
        };
        SandboxSpec spec = SANDBOX_INIT;

        spec.syscalls = sandbox_program_syscalls;
        spec.more_syscalls = pull_syscalls;
        spec.paths = paths;
        spec.n_paths = ELEMENTSOF(paths);
        spec.memory_max = MEMORY_MAX;
        spec.file_size_max = 0;
        spec.data_max = DATA_MAX;
        spec.cpu_sec_max = PULL_CPU_SEC;
        spec.n_fds_max = 128;
        return sandbox_enter(&spec, e);
}

/* Reads what to do, in the sandbox. */
static int begin(char **ret, size_t *ret_size, Error *e) {
        int r;

        r = enter_pull_sandbox(e);
        if (r < 0)
                return r;
        r = fd_read_to_end(STDIN_FILENO, PULL_REQUEST_MAX, ret, ret_size);
        if (r < 0)
                return error_setf(e, r, "cannot read the request");
        return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
                       ? 0
                       : error_setf(e, -EIO, "libcurl does not start");
}

static int pull(Error *e) {
        static const HttpSink sink = { .head = on_head, .body = on_body };
        _cleanup_(pull_request_done) PullRequest q = {};
        _cleanup_free_ char *text = NULL;
        size_t size;
        uint64_t n;
        int r;

        r = begin(&text, &size, e);
        if (r < 0)
                return r;
        r = pull_request_parse(text, size, &q, e);
        if (r < 0)
                return r;
        r = http_get(&q, &sink, &n, e);
        curl_global_cleanup();
        if (r < 0)
                return r;
        return dprintf(META_FD, "end %llu\n", (unsigned long long) n) < 0 ? -errno : 0;
}

static int on_document(void *userdata, const RegistryDocument *d, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        uint64_t *n = userdata;
        int r;

        r = registry_frame_write(d, &b);
        if (r < 0)
                return error_setf(e, r, "the signature of %s is too long", d->digest);
        if (b.failed)
                return error_oom(e);
        if (*n + b.size + d->size > REGISTRY_SIZE_MAX)
                return error_setf(e, -E2BIG, "the documents have more than %u bytes", REGISTRY_SIZE_MAX);
        *n += b.size + d->size; /* only what is sent: who forgives a signature goes on */
        r = fd_write_all(STDOUT_FILENO, b.data, b.size);
        return r < 0 ? r : fd_write_all(STDOUT_FILENO, d->data, d->size);
}

static int write_meta(const RegistrySession *s, const char *unchanged, uint64_t n, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        if (s->authorization)
                strbuf_addf(&b, "authorization %s\n", s->authorization);
        if (unchanged)
                strbuf_addf(&b, "unchanged %s\n", unchanged);
        STRV_FOREACH (w, s->warnings)
                strbuf_addf(&b, "warning %s\n", *w);
        strbuf_addf(&b, "end %llu\n", (unsigned long long) n);
        return b.failed ? error_oom(e) : fd_write_all(META_FD, b.data, b.size);
}

static int registry(Error *e) {
        _cleanup_(registry_session_done) RegistrySession s = {};
        _cleanup_(registry_task_done) RegistryTask task = {};
        _cleanup_(pull_request_done) PullRequest q = {};
        _cleanup_free_ char *text = NULL, *unchanged = NULL;
        uint64_t n = 0;
        size_t size;
        int r;

        r = begin(&text, &size, e);
        if (r < 0)
                return r;
        r = registry_task_parse(text, size, &q, &task, e);
        if (r >= 0)
                r = registry_session_init(&s, &q, &task, e);
        if (r >= 0)
                r = registry_fetch(&s, on_document, &n, &unchanged, e);
        return r < 0 ? r : write_meta(&s, unchanged, n, e);
}

static int discovery(Error *e) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {};
        _cleanup_free_ char *html = NULL, *text = NULL;
        SandboxSpec spec = SANDBOX_INIT;
        size_t size;
        int r;

        spec.syscalls = parse_syscalls;
        spec.denied = denied;
        spec.memory_max = PARSE_MEMORY;
        spec.file_size_max = 0;
        spec.cpu_sec_max = PARSE_CPU_SEC;
        spec.n_fds_max = 16;
        r = sandbox_enter(&spec, e);
        if (r < 0)
                return r;
        r = fd_read_to_end(STDIN_FILENO, DISCOVERY_PAGE_MAX, &html, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read the page");
        r = discovery_html_parse(html, size, &page);
        if (r < 0)
                return error_setf(e, r, "cannot read the page as HTML");
        if (discovery_page_write(&page, &text) < 0)
                return error_oom(e);
        return fd_write_all(STDOUT_FILENO, text, strlen(text));
}

/* The sentence goes to whoever started us, as one line of printable ASCII. */
static void report(int r, const char *sentence) {
        _cleanup_free_ char *s = strf("error %d %s\n", MIN(-r, 4095), sentence);

        if (!s)
                return;
        if (strlen(s) > PULL_TEXT_MAX)
                memcpy(s + PULL_TEXT_MAX - 4, "...\n", sizeof("...\n")); /* as long as before, at most */
        for (char *p = s; p[1]; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        (void) fd_write_all(META_FD, s, strlen(s));
}

int main(int argc, char *argv[]) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        log_set_prefix("rkt-pull");
        if (argc == 2 && streq(argv[1], "discovery")) {
                r = discovery(&e);
                if (r < 0)
                        log_error("%s", error_text(&e, r));
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        if (argc == 2 && streq(argv[1], "registry"))
                r = registry(&e);
        else if (argc == 1)
                r = pull(&e);
        else {
                log_error("rkt-pull is started by rkt, not by hand");
                return EXIT_FAILURE;
        }
        if (r < 0)
                report(r, error_text(&e, r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

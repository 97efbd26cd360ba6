/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plugin is a program of somebody else: it gets a time, a size for what it prints, and an environment that says no more
 * than CNI asks for. Its processes end with this one. Facts: ecosystem 3.2, rkt's environment: case NET-27. */
#include "run/cni.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/clock.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/config.h"
#include "run/cni-result.h"

#define TIMEOUT_SEC     60U /* of one plugin; below TimeoutStartSec= of units */
#define TIMEOUT_SEC_MAX 86400U

/* What a plugin did. */
typedef struct Answer {
        StrBuf out;
        StrBuf err;
        int status; /* exit code, or 128 and the signal */
} Answer;

static void answer_done(Answer *a) {
        strbuf_done(&a->out);
        strbuf_done(&a->err);
}

/**
 * cni_find_plugin() - where a plugin is
 * @type: name
 * @ret:  path, to free()
 *
 * Return: 0, -ENOENT, -ENOMEM.
 */
int cni_find_plugin(const char *type, char **ret) {
        _cleanup_strv_free_ char **dirs = NULL;
        int r = strv_split(CNI_DIRECTORIES, ":", &dirs);

        if (r < 0)
                return r;
        STRV_FOREACH (d, dirs) {
                _cleanup_free_ char *path = strf("%s/%s", *d, type);

                if (!path)
                        return -ENOMEM;
                if (access(path, X_OK) >= 0) {
                        *ret = TAKE_PTR(path);
                        return 0;
                }
        }
        return -ENOENT;
}

static int need_plugin(const char *type, char **ret, Error *e) {
        int r = cni_find_plugin(type, ret);

        if (r == -ENOENT)
                return error_setf(
                        e, r,
                        "there is no plugin '%s' in %s: Debian's package containernetworking-plugins "
                        "has the usual ones",
                        type, CNI_DIRECTORIES);
        return r < 0 ? error_oom(e) : 0;
}

/**
 * cni_need_plugins() - are all plugins of a network there?
 * @c: configuration
 * @e: names the one that is missing
 *
 * Return: 0, -ENOENT, -ENOMEM.
 */
int cni_need_plugins(const CniConf *c, Error *e) {
        int r = 0;

        for (size_t i = 0; i < cni_conf_n_plugins(c) && r >= 0; i++) {
                _cleanup_free_ char *path = NULL;

                r = need_plugin(cni_conf_type(c, i), &path, e);
        }
        return r;
}

static int environment(const CniContext *x, const char *command, const NetAttachment *a, char ***ret) {
        _cleanup_strv_free_ char **env = NULL;
        int r = strv_extend(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

        if (r >= 0)
                r = strv_extend(&env, "LANG=C.UTF-8");
        if (r >= 0)
                r = strv_extend(&env, "CNI_VERSION=0.1.0");
        if (r >= 0)
                r = strv_extendf(&env, "CNI_COMMAND=%s", command);
        if (r >= 0)
                r = strv_extendf(&env, "CNI_CONTAINERID=%s", x->uuid);
        if (r >= 0)
                r = strv_extendf(&env, "CNI_NETNS=%s", x->namespace);
        if (r >= 0)
                r = strv_extendf(&env, "CNI_IFNAME=%s", a->if_name);
        if (r >= 0)
                r = strv_extendf(&env, "CNI_ARGS=%s",
                                 a->conf_path ? str_or(a->args, "") : ""); /* else they were for us */
        if (r >= 0)
                r = strv_extend(&env, "CNI_PATH=" CNI_DIRECTORIES);
        if (r >= 0)
                *ret = TAKE_PTR(env);
        return r;
}

static usec_t timeout_usec(void) {
        const char *text = secure_getenv(CNI_TIMEOUT_ENV);
        unsigned sec;

        return USEC_PER_SEC * (text && parse_uint(text, TIMEOUT_SEC_MAX, &sec) >= 0 ? sec : TIMEOUT_SEC);
}

static int hear(int *fd, StrBuf *b) {
        char buffer[16384];
        ssize_t n = read(*fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        if (n == 0)
                *fd = fd_close(*fd);
        strbuf_add_n(b, buffer, (size_t) n);
        return b->failed ? -ENOMEM : b->size > CNI_OUTPUT_MAX ? -EFBIG : 0;
}

/* Until the program ends. One that left a child with our pipe behind does not keep us waiting. */
static int listen_to(const Process *p, int *out, int *err, Answer *a) {
        usec_t end = clock_usec(CLOCK_MONOTONIC) + timeout_usec();
        int r = 0;

        while (r >= 0) {
                struct pollfd fds[] = { { .fd = *out, .events = POLLIN },
                                        { .fd = *err, .events = POLLIN },
                                        { .fd = p->pidfd, .events = POLLIN } };
                usec_t now = clock_usec(CLOCK_MONOTONIC);

                if (now >= end)
                        return -ETIME;
                if (poll(fds, ELEMENTSOF(fds), (int) ((end - now) / 1000 + 1)) < 0 && errno != EINTR)
                        return -errno;
                if (fds[0].revents)
                        r = hear(out, &a->out);
                if (r >= 0 && fds[1].revents)
                        r = hear(err, &a->err);
                if (!fds[0].revents && !fds[1].revents && fds[2].revents)
                        return 0;
        }
        return r;
}

static int spawn(const char *path, char *const *env, const char *request, Process *ret, int *ret_out,
                 int *ret_err, Error *e) {
        _cleanup_close_ int in = -EBADF, out = -EBADF, err = -EBADF, out_end = -EBADF, err_end = -EBADF;
        char *const argv[] = { strdupa(path), NULL };
        int pipes[4], r = fd_memory_file("cni-request", request, strlen(request), &in);

        if (r < 0)
                return error_setf(e, r, "cannot make a file in memory: %s", strerror(-r));
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        out = pipes[0];
        out_end = pipes[1];
        if (pipe2(pipes + 2, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        err = pipes[2];
        err_end = pipes[3];
        r = process_spawn(&(ProcessSpec){ .path = path,
                                          .argv = argv,
                                          .envp = env,
                                          .fds = (const int[]){ in, out_end, err_end },
                                          .n_fds = 3,
                                          .die_with_parent = true },
                          ret, e);
        if (r < 0)
                return r;
        *ret_out = TAKE_FD(out);
        *ret_err = TAKE_FD(err);
        return 0;
}

/* Runs it; that it failed is for the caller to find out. */
static int run_plugin(const char *path, char *const *env, const char *request, Answer *a, Error *e) {
        _cleanup_close_ int out = -EBADF, err = -EBADF;
        Process p = PROCESS_INIT;
        int r = spawn(path, env, request, &p, &out, &err, e);

        if (r < 0)
                return r;
        r = listen_to(&p, &out, &err, a);
        if (r < 0)
                (void) syscall(SYS_pidfd_send_signal, p.pidfd, SIGKILL, NULL, 0);
        if (process_wait(&p, &a->status, NULL) < 0)
                a->status = -1;
        process_done(&p);
        if (r == -ETIME)
                return error_setf(e, r, "it did not end within %llu seconds",
                                  (unsigned long long) (timeout_usec() / USEC_PER_SEC));
        if (r == -EFBIG)
                return error_setf(e, r, "it printed more than %u bytes", CNI_OUTPUT_MAX);
        return r < 0 ? error_setf(e, r, "cannot read what it prints: %s", strerror(-r)) : 0;
}

/* A plugin that failed says why on stdout; one that is not of CNI, anywhere. */
static int explain(const Answer *a, bool *ret_version, Error *e) {
        const StrBuf *b = a->err.size > 0 ? &a->err : &a->out;
        _cleanup_free_ char *text = NULL;
        CniError x = {};
        int r;

        if (cni_error_parse(str_or(a->out.data, ""), a->out.size, &x) >= 0) {
                *ret_version = x.code == CNI_ERROR_VERSION;
                r = error_setf(e, -EREMOTEIO, "%s", x.message);
                cni_error_done(&x);
                return r;
        }
        text = cni_clean_text(str_or(b->data, ""), b->size);
        if (!text)
                return error_oom(e);
        return error_setf(e, -EREMOTEIO, "exit status %d%s%s", a->status, *text ? ": " : "", text);
}

/* One plugin, one command. */
static int call(const CniContext *x, const char *command, const char *type, const NetAttachment *a,
                const char *request, Answer *answer, bool *ret_version, Error *e) {
        _cleanup_strv_free_ char **env = NULL;
        _cleanup_free_ char *path = NULL;
        int r = need_plugin(type, &path, e);

        *ret_version = false;
        if (r < 0)
                return r;
        r = environment(x, command, a, &env);
        if (r < 0)
                return error_oom(e);
        r = run_plugin(path, env, request, answer, e);
        if (r >= 0 && answer->status != 0)
                r = explain(answer, ret_version, e);
        return r < 0 ? error_prefixf(e, r, "plugin '%s', %s", type, command) : 0;
}

/* The newest version that all plugins know, not newer than the configuration's. */
static int agree_on_version(const CniContext *x, const CniConf *c, const NetAttachment *a, char **ret,
                            Error *e) {
        _cleanup_strv_free_ char **common = NULL;
        const char *best = NULL;

        for (size_t i = 0; i < cni_conf_n_plugins(c); i++) {
                _cleanup_(answer_done) Answer answer = {};
                _cleanup_strv_free_ char **all = NULL, **both = NULL;
                bool unused;
                int r = call(x, "VERSION", cni_conf_type(c, i), a, "{\"cniVersion\":\"1.0.0\"}", &answer,
                             &unused, e);

                if (r >= 0)
                        r = cni_versions_parse(str_or(answer.out.data, ""), answer.out.size, &all, e);
                if (r < 0)
                        return r;
                STRV_FOREACH (v, all)
                        if (cni_version_compare(*v, c->version) <= 0 &&
                            (i == 0 || strv_contains(common, *v)) && strv_extend(&both, *v) < 0)
                                return error_oom(e);
                (void) strv_free(common);
                common = TAKE_PTR(both);
        }
        STRV_FOREACH (v, common)
                if (!best || cni_version_compare(*v, best) > 0)
                        best = *v;
        if (!best)
                return error_setf(
                        e, -EPROTONOSUPPORT,
                        "the plugins do not know version %s of CNI, nor do they agree on an older one",
                        c->version);
        *ret = strdup(best);
        return *ret ? 0 : error_oom(e);
}

static int parse_runtime(const NetAttachment *a, JsonValue **ret, Error *e) {
        return a->runtime ? json_parse(a->runtime, strlen(a->runtime), ret, e) : 0;
}

/* ADD of all plugins, in order; each gets the result of the one before. */
static int add_all(const CniContext *x, const CniConf *c, NetAttachment *a, bool *ret_version, Error *e) {
        _cleanup_(json_freep) JsonValue *runtime = NULL;
        int r = parse_runtime(a, &runtime, e);

        *ret_version = false;
        for (size_t i = 0; i < cni_conf_n_plugins(c) && r >= 0; i++) {
                _cleanup_(answer_done) Answer answer = {};
                _cleanup_free_ char *request = NULL;
                CniRequest q = { .version = a->version, .runtime = runtime, .result = a->result };

                r = cni_conf_request(c, i, &q, &request, e);
                if (r >= 0)
                        r = call(x, "ADD", cni_conf_type(c, i), a, request, &answer, ret_version, e);
                if (r >= 0) {
                        NetAttachment probe = {};

                        /* what is no result must not reach the next plugin */
                        r = cni_result_parse(str_or(answer.out.data, ""), answer.out.size, &probe, e);
                        net_attachment_done(&probe);
                        if (r < 0)
                                r = error_prefixf(e, r, "plugin '%s' answered rubbish", cni_conf_type(c, i));
                        else if (answer.out.size > 0 && str_replace(&a->result, answer.out.data) < 0)
                                r = error_oom(e);
                }
        }
        return r;
}

/**
 * cni_add() - a pod comes into a network
 * @x: which pod
 * @c: configuration
 * @a: has name, if_name, args, runtime; gets result and version
 * @e: sentence on failure; may be NULL
 *
 * After a failure, cni_del() has to be called, too.
 *
 * Return: 0; -EREMOTEIO: a plugin failed, and said why; -ETIME: it did not end; -ENOENT: it is not installed; others.
 */
int cni_add(const CniContext *x, const CniConf *c, NetAttachment *a, Error *e) {
        bool version = false;
        int r = cni_need_plugins(c, e);

        if (r < 0)
                return r;
        r = add_all(x, c, a, &version, e);
        if (r < 0 && version) {
                error_done(e);
                free(a->result);
                a->result = NULL;
                r = agree_on_version(x, c, a, &a->version, e);
                if (r >= 0)
                        r = add_all(x, c, a, &version, e);
        }
        return r;
}

static int parse_kept(const NetAttachment *a, CniConf **ret, JsonValue **ret_runtime, Error *e) {
        int r = cni_conf_parse(str_or(a->conf, ""), strlen(str_or(a->conf, "")), ret, e);

        return r < 0 ? r : parse_runtime(a, ret_runtime, e);
}

/**
 * cni_check() - is a network still as it was made?
 * @x: which pod
 * @a: of it, with what cni_add() left there
 * @e: says what a plugin complains about
 *
 * Plugins are wrong at times (ecosystem 3.3): this is advice.
 *
 * Return: 0; 1: the version of the configuration has no CHECK, or it says that there shall be none; as cni_add().
 */
int cni_check(const CniContext *x, const NetAttachment *a, Error *e) {
        _cleanup_(cni_conf_freep) CniConf *c = NULL;
        _cleanup_(json_freep) JsonValue *runtime = NULL;
        int r = parse_kept(a, &c, &runtime, e);

        if (r >= 0 &&
            (cni_version_compare(str_or(a->version, c->version), "0.4.0") < 0 || !cni_conf_can_check(c)))
                return 1;
        for (size_t i = 0; r >= 0 && i < cni_conf_n_plugins(c); i++) {
                _cleanup_(answer_done) Answer answer = {};
                _cleanup_free_ char *request = NULL;
                CniRequest q = { .version = a->version, .runtime = runtime, .result = a->result };
                bool unused;

                r = cni_conf_request(c, i, &q, &request, e);
                if (r >= 0)
                        r = call(x, "CHECK", cni_conf_type(c, i), a, request, &answer, &unused, e);
        }
        return r;
}

/* A plugin that gives up early, as macvlan does when the interface below it has gone, has not told who keeps the addresses. */
static void del_addresses(const CniContext *x, const CniConf *c, size_t i, const NetAttachment *a,
                          const char *request) {
        _cleanup_(answer_done) Answer answer = {};
        const char *ipam = cni_conf_ipam(c, i);
        bool unused;

        if (ipam)
                (void) call(x, "DEL", ipam, a, request, &answer, &unused, NULL);
}

static int del_one(const CniContext *x, const CniConf *c, size_t i, const NetAttachment *a,
                   const JsonValue *runtime, Error *e) {
        const CniRequest q = {
                .version = a->version, .runtime = runtime, .result = a->result, .is_del = true
        };
        _cleanup_(answer_done) Answer answer = {};
        _cleanup_free_ char *request = NULL;
        bool unused;
        int r = cni_conf_request(c, i, &q, &request, e);

        if (r < 0)
                return r;
        r = call(x, "DEL", cni_conf_type(c, i), a, request, &answer, &unused, e);
        if (r < 0)
                del_addresses(x, c, i, a, request);
        return r;
}

/**
 * cni_del() - a pod leaves a network
 * @x: which pod
 * @a: of it, with what cni_add() left there, even if that failed
 * @e: sentence of the first failure; may be NULL
 *
 * All plugins are called, in reverse order.
 *
 * Return: as cni_add().
 */
int cni_del(const CniContext *x, const NetAttachment *a, Error *e) {
        _cleanup_(cni_conf_freep) CniConf *c = NULL;
        _cleanup_(json_freep) JsonValue *runtime = NULL;
        int r = parse_kept(a, &c, &runtime, e);

        if (r < 0)
                return r;
        for (size_t i = cni_conf_n_plugins(c); i-- > 0;)
                (void) RET_GATHER(r, del_one(x, c, i, a, runtime, r < 0 ? NULL : e));
        return r;
}

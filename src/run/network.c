/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stage0 asks rkt-net, which alone has to do with plugins, and enters what that made. What comes after is in network-sweep.c. */
#include "run/network.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/worker.h"
#include "pod/pod-compose.h"
#include "pod/pod-list.h"
#include "run/cni.h"
#include "run/network-internal.h"

#define MESSAGE_MAX 65536U /* bytes */

/**
 * network_done() - close and free
 * @n: is NETWORK_INIT afterwards
 */
void network_done(Network *n) {
        process_done(&n->helper);
        (void) net_state_free(n->state);
        (void) fd_close(n->ns_fd);
        *n = NETWORK_INIT;
}

/**
 * network_data_dir() - where a pod lies
 * @p:   pod
 * @ret: DATADIR of DATADIR/pods/run/UUID, to free()
 *
 * Return: 0, -ENOMEM.
 */
int network_data_dir(const Pod *p, char **ret) {
        int r = pod_path(p, NULL, ret);

        for (int i = 0; i < 3 && r >= 0; i++) {
                char *slash = strrchr(*ret, '/');

                if (slash)
                        *slash = '\0';
        }
        return r;
}

/* Its sentence; libraries may have said something before. */
static const char *last_line(char *message) {
        char *newline = strrchr(str_strip(message), '\n');

        return newline ? newline + 1 : str_strip(message);
}

/**
 * network_call() - run rkt-net to its end; its sentence becomes ours
 * @argv:        of it
 * @in:          its standard input; -EBADF: none
 * @pod:         descriptor 3: the pod's directory; -EBADF: none
 * @ret:         what it printed, to free(); may be NULL
 * @ret_process: when it has printed something, it is not waited for: that is the caller's to do; NULL: it is
 * @ret_message: what it said nevertheless, to free(); may be NULL
 * @e:           sentence on failure; may be NULL
 *
 * Return: 0; -EIO: it failed; errors of starting it.
 */
int network_call(char *const argv[], int in, int pod, char **ret, Process *ret_process, char **ret_message,
                 Error *e) {
        _cleanup_close_ int out = -EBADF, err = -EBADF, out_end = -EBADF, err_end = -EBADF;
        _cleanup_free_ char *text = NULL, *message = NULL;
        Process p = PROCESS_INIT;
        int pipes[2], status = 0, r;
        size_t size = 0, message_size = 0;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        out = pipes[0];
        out_end = pipes[1];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        err = pipes[0];
        err_end = pipes[1];
        r = worker_spawn(NETWORK_PROGRAM, NULL, argv, (const int[]){ in, out_end, err_end, pod }, 4, &p, e);
        if (r < 0)
                return r;
        (void) fd_close(TAKE_FD(out_end));
        (void) fd_close(TAKE_FD(err_end));
        r = fd_read_to_end(out, NET_STATE_MAX, &text, &size);
        if (r >= 0)
                r = fd_read_to_end(err, MESSAGE_MAX, &message, &message_size);
        if (r >= 0 && ret_process && size > 0) {
                *ret_process = p;
                p = PROCESS_INIT;
        } else if (r >= 0)
                r = process_wait(&p, &status, e);
        process_done(&p);
        if (r < 0)
                return error_prefixf(e, r, "cannot run " NETWORK_PROGRAM);
        if (status != 0)
                return error_setf(e, -EIO, "%s", *message ? last_line(message) : NETWORK_PROGRAM " failed");
        if (ret)
                *ret = TAKE_PTR(text);
        if (ret_message)
                *ret_message = TAKE_PTR(message);
        return 0;
}

/* A pod that says nothing is in the network default. */
static const char *network_words(const PodManifest *m) {
        const char *words = pod_manifest_annotation(m, POD_ANNOTATION_NETWORK);

        return words && *words ? words : "default";
}

/* "NAME", or "NAME:K=V;K=V" */
static int add_network(NetState *s, const char *word, Error *e) {
        const char *colon = strchr(word, ':');
        NetAttachment *a;

        if (net_state_add_network(s, &a) < 0)
                return error_oom(e);
        a->name = colon ? strndup(word, (size_t) (colon - word)) : strdup(word);
        a->args = colon && colon[1] ? strdup(colon + 1) : NULL;
        a->if_name = strf("eth%zu", s->n_networks - 1);
        return a->name && a->if_name && (a->args || !colon || !colon[1]) ? 0 : error_oom(e);
}

/* Our own copies. */
static int fill_in(NetState *s, Pod *p, const char *machine, const char *hostname) {
        s->port_network = -1;
        s->uuid = strdup(pod_uuid(p));
        s->machine = strdup(machine);
        s->hostname = strdup(hostname);
        s->namespace = strf("%s/cni-%s", NET_NAMESPACES, pod_uuid(p));
        return s->uuid && s->machine && s->hostname && s->namespace ? network_data_dir(p, &s->data_dir)
                                                                    : -ENOMEM;
}

static int add_networks(NetState *s, const PodManifest *m, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        int r = 0;

        if (strv_split(network_words(m), " ", &words) < 0)
                return error_oom(e);
        for (char **w = words; r >= 0 && w && *w; w++)
                if (**w)
                        r = add_network(s, *w, e);
        return r;
}

static int describe(Pod *p, const PodManifest *m, const char *machine, const char *hostname, NetState **ret,
                    Error *e) {
        _cleanup_net_state_ NetState *s = new0(NetState, 1);
        int r;

        if (!s || fill_in(s, p, machine, hostname) < 0)
                return error_oom(e);
        r = network_ports(m, s, e);
        if (r >= 0)
                r = add_networks(s, m, e);
        if (r >= 0)
                *ret = TAKE_PTR(s);
        return r;
}

static NetworkKind kind_of(const PodManifest *m) {
        const char *words = network_words(m);

        return streq(words, "none") ? NETWORK_NONE : streq(words, "host") ? NETWORK_HOST : NETWORK_OWN;
}

/**
 * network_load() - the network of a pod that is running
 * @p:   pod
 * @m:   its manifest
 * @ret: for network_done(); it cannot be entered
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; what net_state_read_at() returns.
 */
int network_load(Pod *p, const PodManifest *m, Network *ret, Error *e) {
        Network n = NETWORK_INIT;
        int r;

        n.kind = kind_of(m);
        r = n.kind == NETWORK_OWN ? net_state_read_at(pod_fd(p), NET_STATE_FILE, &n.state, e) : 0;
        if (r >= 0)
                *ret = n;
        return r;
}

/* Who has asked for no network is told how to do without. */
static int explain(const PodManifest *m, int r, Error *e) {
        const char *words = pod_manifest_annotation(m, POD_ANNOTATION_NETWORK);

        if ((words && *words) || m->n_ports > 0)
                return r;
        return error_setf(
                e, r,
                "%s (this is the network 'default', which a pod has that says nothing; Network=none, or "
                "--net=none, does without)",
                error_text(e, r));
}

static int check_ports(const PodManifest *m, NetworkKind kind, Error *e) {
        if (kind == NETWORK_OWN || m->n_ports == 0)
                return 0;
        return error_setf(e, -EINVAL, "ports cannot be published: the pod has %s",
                          kind == NETWORK_HOST ? "the host's network" : "no network");
}

/* Runs rkt-net over what is wanted. */
static int ask(const char *verb, Pod *p, const NetState *wanted, char **ret, Process *ret_process, Error *e) {
        const char *timeout = secure_getenv(CNI_TIMEOUT_ENV);
        _cleanup_free_ char *data_dir = NULL, *request = NULL, *word = strdup(verb),
                            *sec = timeout ? strdup(timeout) : NULL;
        _cleanup_close_ int in = -EBADF;
        int r = network_data_dir(p, &data_dir);

        if (r < 0 || !word || net_state_to_string(wanted, &request) < 0)
                return error_oom(e);
        r = fd_memory_file("rkt-net", request, strlen(request), &in);
        if (r < 0)
                return error_setf(e, r, "cannot make a file in memory: %s", strerror(-r));
        return network_call((char *[]){ (char[]){ NETWORK_PROGRAM }, word, data_dir, sec, NULL }, in,
                            pod_fd(p), ret, ret_process, NULL, e);
}

/**
 * network_check() - can a pod have the networks that it wants?
 * @p: pod
 * @m: manifest; its annotation POD_ANNOTATION_NETWORK, and its ports, are what counts
 * @e: sentence on failure; may be NULL
 *
 * What depends on other pods, as addresses and ports do, is not looked at: network_up() finds it out.
 *
 * Return: 0; -EIO: rkt-net says that there is no such network, or which plugin is missing; -EINVAL: ports without a network; -ENOENT:
 * ports.
 */
int network_check(Pod *p, const PodManifest *m, Error *e) {
        _cleanup_net_state_ NetState *wanted = NULL;
        int r = check_ports(m, kind_of(m), e);

        if (r < 0 || kind_of(m) != NETWORK_OWN)
                return r;
        r = describe(p, m, "", "", &wanted, e);
        return r < 0 ? r : ask("check", p, wanted, NULL, NULL, e);
}

static void move(Network *to, Network *from) {
        *to = *from;
        *from = NETWORK_INIT;
}

static int run_up(Pod *p, const NetState *wanted, Network *n, Error *e) {
        _cleanup_free_ char *answer = NULL;
        int r = mkdir_parents_at(pod_fd(p), "net", 0755);

        if (r < 0)
                return error_setf(e, r, "cannot make a folder for the networks: %s", strerror(-r));
        r = ask("up", p, wanted, &answer, &n->helper, e);
        return r < 0 ? r : net_state_parse(answer, strlen(answer), &n->state, e);
}

static int make_own(Pod *p, const PodManifest *m, const char *machine, const char *hostname, Network *n,
                    Error *e) {
        _cleanup_net_state_ NetState *wanted = NULL;
        _cleanup_free_ char *data_dir = NULL;
        int r;

        if (network_data_dir(p, &data_dir) < 0)
                return error_oom(e);
        /* so that the ports of pods that are over are free */
        (void) network_sweep(data_dir, 0, NULL);
        r = describe(p, m, machine, hostname, &wanted, e);
        if (r >= 0)
                r = run_up(p, wanted, n, e);
        if (r < 0)
                return explain(m, r, e);
        assert(n->state);
        r = network_info_write(p, n->state, e);
        if (r < 0)
                return r;
        n->ns_fd = open(n->state->namespace, O_RDONLY | O_CLOEXEC);
        return n->ns_fd < 0 ? error_setf(e, -errno, "cannot open %s: %m", n->state->namespace) : 0;
}

/**
 * network_up() - make a pod's network
 * @p:        pod, locked
 * @m:        manifest; its annotation POD_ANNOTATION_NETWORK, and its ports, are what counts
 * @machine:  name by which other pods find it
 * @hostname: the same
 * @ret:      for network_done()
 * @e:        sentence on failure; may be NULL
 *
 * Call it in the host's mount namespace.
 *
 * Return: 0; -EIO: rkt-net says why; -EADDRINUSE, -ENOENT: ports; -EINVAL: ports without a network; others.
 */
int network_up(Pod *p, const PodManifest *m, const char *machine, const char *hostname, Network *ret,
               Error *e) {
        _cleanup_(network_done) Network n = NETWORK_INIT;
        int r;

        n.kind = kind_of(m);
        r = check_ports(m, n.kind, e);
        if (r >= 0 && n.kind == NETWORK_OWN)
                r = make_own(p, m, machine, hostname, &n, e);
        if (r < 0)
                return r;
        move(ret, &n);
        return 0;
}

/**
 * network_enter() - go into a pod's network
 * @n: network
 * @e: sentence on failure; may be NULL
 *
 * What made it has ended then, and is nowhere in the pod's way.
 *
 * Return: 0, errno of setns().
 */
int network_enter(Network *n, Error *e) {
        int status;

        if (n->helper.pidfd >= 0)
                (void) process_reap(&n->helper, &status, NULL);
        if (n->kind == NETWORK_OWN && setns(n->ns_fd, CLONE_NEWNET) < 0)
                return error_setf(e, -errno, "cannot enter the pod's network: %m");
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stage0 asks rkt-net, which alone has to do with plugins, and enters what that made. When it is over, whoever comes first
 * has it taken away: ExecStopPost= of the unit, the next pod that starts, gc. */
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

#define PROGRAM     "rkt-net"
#define MESSAGE_MAX 65536U /* bytes */

/**
 * network_done() - close and free
 * @n: is NETWORK_INIT afterwards
 */
void network_done(Network *n) {
        (void) net_state_free(n->state);
        (void) fd_close(n->ns_fd);
        *n = NETWORK_INIT;
}

/* DATADIR of DATADIR/pods/run/UUID. */
static int data_dir_of(const Pod *p, char **ret) {
        int r = pod_path(p, NULL, ret);

        for (int i = 0; i < 3 && r >= 0; i++) {
                char *slash = strrchr(*ret, '/');

                if (slash)
                        *slash = '\0';
        }
        return r;
}

/* Runs rkt-net to its end; its sentence becomes ours. */
static int call(char *const argv[], int in, int pod, char **ret, Error *e) {
        _cleanup_close_ int out = -EBADF, err = -EBADF, out_end = -EBADF, err_end = -EBADF;
        _cleanup_free_ char *text = NULL, *message = NULL;
        Process p = PROCESS_INIT;
        int pipes[2], status = 0, r;
        size_t size;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        out = pipes[0];
        out_end = pipes[1];
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "cannot make a pipe: %m");
        err = pipes[0];
        err_end = pipes[1];
        r = worker_spawn(PROGRAM, NULL, argv, (const int[]){ in, out_end, err_end, pod }, 4, &p, e);
        if (r < 0)
                return r;
        (void) fd_close(TAKE_FD(out_end));
        (void) fd_close(TAKE_FD(err_end));
        r = fd_read_to_end(out, NET_STATE_MAX, &text, &size);
        if (r >= 0)
                r = fd_read_to_end(err, MESSAGE_MAX, &message, &size);
        if (r >= 0)
                r = process_wait(&p, &status, e);
        process_done(&p);
        if (r < 0)
                return error_prefixf(e, r, "cannot run " PROGRAM);
        if (status != 0)
                return error_setf(e, -EIO, "%s", *message ? str_strip(message) : PROGRAM " failed");
        if (ret)
                *ret = TAKE_PTR(text);
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
        return s->uuid && s->machine && s->hostname && s->namespace ? data_dir_of(p, &s->data_dir) : -ENOMEM;
}

static int describe(Pod *p, const PodManifest *m, const char *machine, const char *hostname, NetState **ret,
                    Error *e) {
        _cleanup_net_state_ NetState *s = new0(NetState, 1);
        _cleanup_strv_free_ char **words = NULL;
        int r;

        if (!s)
                return error_oom(e);
        if (fill_in(s, p, machine, hostname) < 0 ||
            strv_split(network_words(m), " ", &words) < 0)
                return error_oom(e);
        r = network_ports(m, s, e);
        for (char **w = words; r >= 0 && w && *w; w++)
                if (**w)
                        r = add_network(s, *w, e);
        if (r >= 0)
                *ret = TAKE_PTR(s);
        return r;
}

static int run_up(Pod *p, const NetState *wanted, NetState **ret, Error *e) {
        const char *timeout = secure_getenv(CNI_TIMEOUT_ENV);
        _cleanup_free_ char *data_dir = NULL, *request = NULL, *answer = NULL,
                            *sec = timeout ? strdup(timeout) : NULL;
        _cleanup_close_ int in = -EBADF;
        int r = data_dir_of(p, &data_dir);

        if (r < 0 || net_state_to_string(wanted, &request) < 0)
                return error_oom(e);
        r = fd_memory_file("rkt-net", request, strlen(request), &in);
        if (r < 0)
                return error_setf(e, r, "cannot make a file in memory: %s", strerror(-r));
        r = mkdir_parents_at(pod_fd(p), "net", 0755);
        if (r < 0)
                return error_setf(e, r, "cannot make a folder for the networks: %s", strerror(-r));
        r = call((char *[]){ (char[]){ PROGRAM }, (char[]){ "up" }, data_dir, sec, NULL }, in, pod_fd(p),
                 &answer, e);
        return r < 0 ? r : net_state_parse(answer, strlen(answer), ret, e);
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

static void move(Network *to, Network *from) {
        *to = *from;
        *from = NETWORK_INIT;
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
        _cleanup_net_state_ NetState *wanted = NULL;
        _cleanup_free_ char *data_dir = NULL;
        _cleanup_(network_done) Network n = NETWORK_INIT;
        int r;

        n.kind = kind_of(m);
        if (n.kind != NETWORK_OWN && m->n_ports > 0)
                return error_setf(e, -EINVAL, "ports cannot be published: the pod has %s",
                                  n.kind == NETWORK_HOST ? "the host's network" : "no network");
        if (n.kind == NETWORK_OWN) {
                if (data_dir_of(p, &data_dir) < 0)
                        return error_oom(e);
                /* so that the ports of pods that are over are free */
                (void) network_sweep(data_dir, false, NULL);
                r = describe(p, m, machine, hostname, &wanted, e);
                if (r >= 0)
                        r = run_up(p, wanted, &n.state, e);
                if (r >= 0)
                        r = network_info_write(p, n.state, e);
                if (r < 0)
                        return r;
                assert(n.state);
                n.ns_fd = open(n.state->namespace, O_RDONLY | O_CLOEXEC);
                if (n.ns_fd < 0)
                        return error_setf(e, -errno, "cannot open %s: %m", n.state->namespace);
        }
        move(ret, &n);
        return 0;
}

/**
 * network_enter() - go into a pod's network
 * @n: network
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, errno of setns().
 */
int network_enter(const Network *n, Error *e) {
        if (n->kind == NETWORK_OWN && setns(n->ns_fd, CLONE_NEWNET) < 0)
                return error_setf(e, -errno, "cannot enter the pod's network: %m");
        return 0;
}

static int run_down(const char *data_dir, const char *uuid, int pod, Error *e) {
        _cleanup_free_ char *dir = strdup(data_dir), *id = strdup(uuid);

        if (!dir || !id)
                return error_oom(e);
        return call((char *[]){ (char[]){ PROGRAM }, (char[]){ "down" }, dir, id, NULL }, -EBADF, pod, NULL,
                    e);
}

/**
 * network_down() - take a pod's networks away
 * @p: pod, locked by us, not running
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, also when there was nothing to do; -EIO: rkt-net says what could not be removed.
 */
int network_down(Pod *p, Error *e) {
        _cleanup_free_ char *data_dir = NULL, *path = strf("%s/%s.json", NET_RUN_DIR, pod_uuid(p));
        int fd = pod_fd(p), r;

        if (!path)
                return error_oom(e);
        if (fd >= 0 && faccessat(fd, NET_STATE_FILE, F_OK, 0) < 0 && access(path, F_OK) < 0)
                return 0;
        r = data_dir_of(p, &data_dir);
        return r < 0 ? error_oom(e) : run_down(data_dir, pod_uuid(p), fd, e);
}

static bool is_over(PodState s) {
        return s == POD_EXITED || s == POD_EXITED_GARBAGE || s == POD_GARBAGE || s == POD_ABORTED_PREPARE;
}

/* Is any process in it? Also if that cannot be told. */
static bool namespace_is_used(const char *path) {
        _cleanup_strv_free_ char **names = NULL;
        struct stat st, other;

        if (stat(path, &st) < 0)
                return errno != ENOENT;
        if (dir_list_at(AT_FDCWD, "/proc", &names) < 0)
                return true;
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *link = strf("/proc/%s/ns/net", *n);

                if (!link ||
                    (stat(link, &other) >= 0 && other.st_dev == st.st_dev && other.st_ino == st.st_ino))
                        return true;
        }
        return false;
}

static int sweep_one(Pods *ps, const char *data_dir, const NetState *s, const char *uuid, Error *e) {
        _cleanup_(pod_closep) Pod *p = NULL;
        int r = pod_open_uuid(ps, uuid, &p, NULL);

        if (r == -ENOENT) /* may be one of another data directory, unless the state says so */
                return s && s->data_dir && !namespace_is_used(s->namespace)
                               ? run_down(data_dir, uuid, -EBADF, e)
                               : 0;
        if (r < 0 || !is_over(pod_state(p)) || pod_lock(p, NULL) < 0)
                return 0;
        return network_down(p, e);
}

/* Pods that are over, and have something of their networks left on disk. */
static int sweep_pods(Pods *ps, Error *e) {
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        int r = pod_list_load(ps, &l, e);

        for (size_t i = 0; i < l.n_pods; i++) {
                _cleanup_free_ char *path = NULL;

                if (!is_over(pod_state(l.pods[i])))
                        continue;
                if (pod_path(l.pods[i], NET_STATE_FILE, &path) < 0)
                        return error_oom(e);
                if (access(path, F_OK) >= 0)
                        (void) RET_GATHER(r,
                                          sweep_one(ps, NULL, NULL, pod_uuid(l.pods[i]), r < 0 ? NULL : e));
        }
        return r;
}

/* A pod is looked for in its own data directory: in ours, one of another is not found, and may be running. */
static int sweep_state(Pods *ps, const char *data_dir, const char *uuid, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s.json", NET_RUN_DIR, uuid), *its_pods = NULL;
        _cleanup_(pods_closep) Pods *others = NULL;
        _cleanup_net_state_ NetState *s = NULL;
        int r;

        if (!path)
                return error_oom(e);
        if (net_state_read_at(AT_FDCWD, path, &s, NULL) < 0 || !s->data_dir || streq(s->data_dir, data_dir))
                return sweep_one(ps, data_dir, s, uuid, e);
        its_pods = strf("%s/pods", s->data_dir);
        if (!its_pods)
                return error_oom(e);
        if (access(its_pods, F_OK) < 0)
                return errno == ENOENT && !namespace_is_used(s->namespace)
                               ? run_down(data_dir, uuid, -EBADF, e)
                               : 0;
        r = pods_open(s->data_dir, &others, e);
        return r < 0 ? r : sweep_one(others, s->data_dir, s, uuid, e);
}

/* Pods of this boot. */
static int sweep_running(Pods *ps, const char *data_dir, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(AT_FDCWD, NET_RUN_DIR, &names);

        if (r == -ENOENT)
                return 0;
        STRV_FOREACH (n, names) {
                const char *end = endswith(*n, ".json");

                if (end)
                        (*n)[end - *n] = '\0';
                if (end && uuid_is_valid(*n))
                        (void) RET_GATHER(r, sweep_state(ps, data_dir, *n, r < 0 ? NULL : e));
        }
        return r;
}

/**
 * network_sweep() - take away the networks of pods that are over, or gone
 * @data_dir: where pods are
 * @all:      also what pods from before a reboot left on disk
 * @e:        sentence of the first failure; may be NULL
 *
 * Pods of other data directories are looked for there.
 *
 * Return: 0, -EIO: rkt-net says what could not be removed; errors of reading.
 */
int network_sweep(const char *data_dir, bool all, Error *e) {
        _cleanup_(pods_closep) Pods *ps = NULL;
        int r;

        if (!all && access(NET_RUN_DIR, F_OK) < 0)
                return 0;
        r = pods_open(data_dir, &ps, e);
        if (r < 0)
                return r;
        r = sweep_running(ps, data_dir, e);
        if (all)
                (void) RET_GATHER(r, sweep_pods(ps, r < 0 ? NULL : e));
        return r;
}

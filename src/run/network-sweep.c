/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a pod is over, whoever comes first has its networks taken away: "rkt run" that waited for it, ExecStopPost= of its unit,
 * the next pod that starts, gc. What a plugin does not take away stays written down for gc, until the pod itself is removed:
 * that is the last time, whatever the plugin says. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/uuid.h"
#include "pod/pod-list.h"
#include "run/network-internal.h"

typedef struct Sweep {
        const char *data_dir;
        NetworkSweepFlags flags;
} Sweep;

static int run_down(const char *verb, const char *data_dir, const char *uuid, int pod, char **ret_warning,
                    Error *e) {
        _cleanup_free_ char *dir = strdup(data_dir), *id = strdup(uuid), *word = strdup(verb);

        if (!dir || !id || !word)
                return error_oom(e);
        return network_call((char *[]){ (char[]){ NETWORK_PROGRAM }, word, dir, id, NULL }, -EBADF, pod, NULL,
                            NULL, ret_warning, e);
}

static int leave(const char *verb, Pod *p, char **ret_warning, Error *e) {
        _cleanup_free_ char *data_dir = NULL, *path = strf("%s/%s.json", NET_RUN_DIR, pod_uuid(p));
        int fd = pod_fd(p), r;

        if (!path)
                return error_oom(e);
        if (fd >= 0 && faccessat(fd, NET_STATE_FILE, F_OK, 0) < 0 && access(path, F_OK) < 0)
                return 0;
        r = network_data_dir(p, &data_dir);
        return r < 0 ? error_oom(e) : run_down(verb, data_dir, pod_uuid(p), fd, ret_warning, e);
}

/**
 * network_down() - take a pod's networks away
 * @p: pod, locked by us, not running
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, also when there was nothing to do; -EIO: rkt-net says what could not be removed, and it stays written down.
 */
int network_down(Pod *p, Error *e) {
        return leave("down", p, NULL, e);
}

/**
 * network_forget() - take a pod's networks away, for the last time
 * @p:           pod, locked by us, not running, about to be removed
 * @ret_warning: what a plugin did not remove, and never will be asked for again; to free(); empty: there was nothing
 * @e:           sentence on failure; may be NULL
 *
 * Return: 0, -EIO.
 */
int network_forget(Pod *p, char **ret_warning, Error *e) {
        return leave("forget", p, ret_warning, e);
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

/* Nobody would come for it again: so this is the last time. What is said about it, the first time had said. */
static int sweep_gone(const char *data_dir, const NetState *s, const char *uuid, Error *e) {
        return namespace_is_used(s->namespace) ? 0 : run_down("forget", data_dir, uuid, -EBADF, NULL, e);
}

/* A plugin that fails may take its time to do so, each time. */
static bool has_failed(Pod *p) {
        _cleanup_net_state_ NetState *s = NULL;

        return net_state_read_at(pod_fd(p), NET_STATE_FILE, &s, NULL) >= 0 && s->failed;
}

static int sweep_one(const Sweep *x, Pods *ps, const char *data_dir, const NetState *s, const char *uuid,
                     Error *e) {
        _cleanup_(pod_closep) Pod *p = NULL;
        int r = pod_open_uuid(ps, uuid, &p, NULL);

        if (r == -ENOENT) /* may be one of another data directory, unless the state says so */
                return s && s->data_dir ? sweep_gone(data_dir, s, uuid, e) : 0;
        if (r < 0 || !is_over(pod_state(p)) || pod_lock(p, NULL) < 0)
                return 0;
        if (!(x->flags & NETWORK_SWEEP_AGAIN) && has_failed(p))
                return 0;
        r = network_down(p, e);
        return r < 0 ? error_prefixf(e, r, "pod \"%s\"", uuid) : 0;
}

/* Pods that are over, and have something of their networks left on disk. */
static int sweep_pods(const Sweep *x, Pods *ps, Error *e) {
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        int r = pod_list_load(ps, &l, e);

        for (size_t i = 0; i < l.n_pods; i++) {
                _cleanup_free_ char *path = NULL,
                                    *running = strf("%s/%s.json", NET_RUN_DIR, pod_uuid(l.pods[i]));

                if (!is_over(pod_state(l.pods[i])))
                        continue;
                if (!running || pod_path(l.pods[i], NET_STATE_FILE, &path) < 0)
                        return error_oom(e);
                if (access(path, F_OK) >= 0 && access(running, F_OK) < 0) /* else it was looked at already */
                        (void) RET_GATHER(
                                r, sweep_one(x, ps, NULL, NULL, pod_uuid(l.pods[i]), r < 0 ? NULL : e));
        }
        return r;
}

/* A pod is looked for in its own data directory: in ours, one of another is not found, and may be running. */
static int sweep_state(const Sweep *x, Pods *ps, const char *uuid, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s.json", NET_RUN_DIR, uuid), *its_pods = NULL;
        _cleanup_(pods_closep) Pods *others = NULL;
        _cleanup_net_state_ NetState *s = NULL;
        int r;

        if (!path)
                return error_oom(e);
        if (net_state_read_at(AT_FDCWD, path, &s, NULL) < 0 || !s->data_dir ||
            streq(s->data_dir, x->data_dir))
                return sweep_one(x, ps, x->data_dir, s, uuid, e);
        its_pods = strf("%s/pods", s->data_dir);
        if (!its_pods)
                return error_oom(e);
        if (access(its_pods, F_OK) < 0)
                return errno == ENOENT ? sweep_gone(x->data_dir, s, uuid, e) : 0;
        r = pods_open(s->data_dir, &others, e);
        return r < 0 ? r : sweep_one(x, others, s->data_dir, s, uuid, e);
}

/* Pods of this boot. */
static int sweep_running(const Sweep *x, Pods *ps, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(AT_FDCWD, NET_RUN_DIR, &names);

        if (r == -ENOENT)
                return 0;
        STRV_FOREACH (n, names) {
                const char *end = endswith(*n, ".json");

                if (end)
                        (*n)[end - *n] = '\0';
                if (end && uuid_is_valid(*n))
                        (void) RET_GATHER(r, sweep_state(x, ps, *n, r < 0 ? NULL : e));
        }
        return r;
}

/**
 * network_sweep() - take away the networks of pods that are over, or gone
 * @data_dir: where pods are
 * @flags:    how thoroughly
 * @e:        sentence of the first failure; may be NULL
 *
 * Pods of other data directories are looked for there.
 *
 * Return: 0, -EIO: rkt-net says what could not be removed; errors of reading.
 */
int network_sweep(const char *data_dir, NetworkSweepFlags flags, Error *e) {
        const Sweep x = { data_dir, flags };
        _cleanup_(pods_closep) Pods *ps = NULL;
        int r;

        if (!(flags & NETWORK_SWEEP_OLD) && access(NET_RUN_DIR, F_OK) < 0)
                return 0;
        r = pods_open(data_dir, &ps, e);
        if (r < 0)
                return r;
        r = sweep_running(&x, ps, e);
        if (flags & NETWORK_SWEEP_OLD)
                (void) RET_GATHER(r, sweep_pods(&x, ps, r < 0 ? NULL : e));
        return r;
}

/**
 * network_leave() - take away the networks of a pod that has just ended
 * @data_dir: where pods are
 * @uuid:     its UUID
 * @e:        sentence on failure; may be NULL
 *
 * One that is running, or that somebody else holds, is left alone: who comes for it takes its networks, too.
 *
 * Return: 0; -EIO: rkt-net says what could not be removed; errors of reading.
 */
int network_leave(const char *data_dir, const char *uuid, Error *e) {
        const Sweep x = { data_dir, NETWORK_SWEEP_AGAIN };
        _cleanup_(pods_closep) Pods *ps = NULL;
        int r = pods_open(data_dir, &ps, e);

        return r < 0 ? r : sweep_one(&x, ps, data_dir, NULL, uuid, e);
}

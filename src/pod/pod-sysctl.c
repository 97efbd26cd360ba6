/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel settings belong to a pod, whichever of its apps asks for them. What is neither in a network namespace nor in that of
 * System V's and POSIX's queues, semaphores and shared memory is the machine's, and no pod's business. */
#include "pod/pod-sysctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/json-write.h"
#include "basic/str.h"
#include "basic/strv.h"

/**
 * pod_sysctl_check() - may a pod have this kernel setting?
 * @name:         "net.core.somaxconn", or with slashes
 * @value:        its value
 * @host_network: the pod's network is the host's
 * @host_ipc:     so are its queues, semaphores and shared memory
 * @e:            says why not
 *
 * Return: 0, -EINVAL.
 */
int pod_sysctl_check(const char *name, const char *value, bool host_network, bool host_ipc, Error *e) {
        const char *rest = startswith(name, "net");
        bool is_ipc = ac_sysctl_is_ipc(name);

        if (!is_ipc && (!rest || (*rest != '.' && *rest != '/') || strstr(name, "..") || strstr(name, "//")))
                return error_setf(e, -EINVAL,
                                  "kernel setting '%.100s' is the machine's: a pod has those in net, and "
                                  "kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.*",
                                  name);
        if (is_ipc ? host_ipc : host_network)
                return error_setf(e, -EINVAL, "kernel setting '%.100s' is the host's, as %s of this pod",
                                  name, is_ipc ? "are queues and shared memory" : "is the network");
        for (const char *p = value; *p; p++)
                if ((unsigned char) *p < ' ' && *p != '\t')
                        return error_setf(e, -EINVAL, "kernel setting '%.100s' has a line break in it", name);
        return 0;
}

/* The last one of a name counts; one for each app that asks for the same would be two truths. */
static int collect(const PodSpec *spec, bool host_network, AcPair **pairs, size_t *n, Error *e) {
        FOREACH_ARRAY (a, spec->apps, spec->n_apps)
                STRV_FOREACH (s, a->sysctls) {
                        const char *eq = strchr(*s, '=');
                        _cleanup_free_ char *name = eq ? strndup(*s, (size_t) (eq - *s)) : NULL;
                        const char *other;
                        int r;

                        if (!name)
                                return error_oom(e);
                        r = pod_sysctl_check(name, eq + 1, host_network, spec->host_ipc, e);
                        if (r < 0)
                                return error_prefixf(e, r, "app '%s'", a->name);
                        other = ac_pairs_get(*pairs, *n, name);
                        if (other && !streq(other, eq + 1))
                                return error_setf(
                                        e, -EINVAL,
                                        "app '%s': the pod has one '%s' for all its apps, and another one "
                                        "wants it to be %s",
                                        a->name, name, other);
                        if (ac_pairs_set(pairs, n, name, eq + 1) < 0)
                                return error_oom(e);
                }
        return 0;
}

static int add_isolator(PodManifest *m, const AcPair *pairs, size_t n, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *json = NULL;

        json_write_begin_object(&w);
        FOREACH_ARRAY (p, pairs, n) {
                json_write_key(&w, p->name);
                json_write_string(&w, p->value);
        }
        json_write_end_object(&w);
        if (json_writer_steal(&w, &json) < 0)
                return error_oom(e);
        return ac_isolators_add(&m->isolators, &m->n_isolators, "os/unix/sysctl", json, e);
}

/**
 * pod_add_sysctls() - the kernel settings that the apps of a pod ask for
 * @spec: what was asked for
 * @m:    the isolator is added
 * @e:    names the app and the setting
 *
 * Return: 0; -EINVAL: not a pod's to set, or two apps disagree; -ENOMEM.
 */
int pod_add_sysctls(const PodSpec *spec, PodManifest *m, Error *e) {
        AcPair *pairs = NULL;
        size_t n = 0;
        int r = collect(spec, strv_contains(spec->networks, "host"), &pairs, &n, e);

        if (r >= 0 && n > 0)
                r = add_isolator(m, pairs, n, e);
        ac_pairs_free(pairs, n);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flavor nspawn: the command line of systemd-nspawn. Everything is explicit, so that neither a .nspawn file nor a
 * default of some release decides. What two releases do differently is noted where it matters. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/insecure.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/metadata.h"
#include "pod/pod-compose.h"
#include "run/app-confine.h"
#include "run/app-place.h"
#include "run/run-nspawn.h"

/* The capabilities that nspawn leaves a container by itself (systemd-nspawn(1), --capability=). */
static const char *const usual_capabilities[] = {
        "CAP_AUDIT_CONTROL",
        "CAP_AUDIT_WRITE",
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_IPC_OWNER",
        "CAP_KILL",
        "CAP_LEASE",
        "CAP_LINUX_IMMUTABLE",
        "CAP_MKNOD",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_RAW",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_CHROOT",
        "CAP_SYS_NICE",
        "CAP_SYS_PTRACE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TTY_CONFIG",
};

#define RUN_OPTIONS "mode=0755,size=64M"

static bool nspawn_has(const char *capability) {
        FOREACH_ARRAY (c, usual_capabilities, ELEMENTSOF(usual_capabilities))
                if (streq(*c, capability))
                        return true;
        return false;
}

/* Of a pod whose apps are not known when it starts: what they often ask for. */
static const char *const mutable_capabilities[] = { "CAP_IPC_LOCK", "CAP_NET_ADMIN" };

/**
 * nspawn_capabilities() - what nspawn must leave a pod beyond what it leaves by itself
 * @m:       manifest; every app has its "app" object
 * @ret:     what people name for some app, sorted; NULL: nothing; free with strv_free()
 * @ret_all: the administrator has switched them off: everything
 *
 * Return: 0, -ENOMEM.
 */
int nspawn_capabilities(const PodManifest *m, char ***ret, bool *ret_all) {
        const char *insecure = pod_manifest_annotation(m, POD_ANNOTATION_INSECURE);
        _cleanup_strv_free_ char **more = NULL;
        InsecureFlags flags = INSECURE_NONE;
        int r = 0;

        if (insecure && *insecure)
                (void) insecure_flags_parse(insecure, &flags, NULL);
        for (size_t i = 0; i < ELEMENTSOF(mutable_capabilities) && pod_manifest_is_mutable(m) && r >= 0; i++)
                r = strv_extend(&more, mutable_capabilities[i]);
        for (size_t i = 0; i < m->n_apps && r >= 0; i++) {
                _cleanup_strv_free_ char **caps = NULL;

                r = app_capabilities(&m->apps[i], &caps);
                for (char **c = caps; r >= 0 && c && *c; c++)
                        if (!nspawn_has(*c) && !strv_contains(more, *c))
                                r = strv_extend(&more, *c);
        }
        if (r < 0)
                return r;
        strv_sort(more);
        *ret = TAKE_PTR(more);
        *ret_all = flags & INSECURE_CAPABILITIES;
        return 0;
}

/**
 * nspawn_missing_capability() - what an app keeps, but its running pod does not have
 * @m:   manifest of a pod whose apps come and go, without the apps that came
 * @a:   app
 * @ret: the first such capability, to be freed; NULL: none
 *
 * Return: 0, -ENOMEM.
 */
int nspawn_missing_capability(const PodManifest *m, const PodApp *a, char **ret) {
        _cleanup_strv_free_ char **caps = NULL, **more = NULL;
        bool all;
        int r = nspawn_capabilities(m, &more, &all);

        if (r >= 0 && !all)
                r = app_capabilities(a, &caps);
        *ret = NULL;
        for (char **c = caps; r >= 0 && c && *c && !*ret; c++)
                if (!nspawn_has(*c) && !strv_contains(more, *c)) {
                        *ret = strdup(*c);
                        r = *ret ? 0 : -ENOMEM;
                }
        return r;
}

static int add_capabilities(char ***argv, const PodManifest *m) {
        _cleanup_strv_free_ char **more = NULL;
        _cleanup_free_ char *list = NULL;
        bool all;
        int r = nspawn_capabilities(m, &more, &all);

        if (r < 0 || (!all && strv_length(more) == 0))
                return r;
        if (all)
                return strv_extend(argv, "--capability=all");
        r = strv_join(more, ",", &list);
        return r < 0 ? r : strv_extendf(argv, "--capability=%s", list);
}

static int add_all(char ***argv, const char *const *words, size_t n) {
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = strv_extend(argv, words[i]);
        return r;
}

/* A path in --bind=: a colon separates. */
static char *escape_colons(const char *path) {
        StrBuf b = STRBUF_INIT;
        char *text;

        for (const char *p = path; *p; p++) {
                if (*p == ':' || *p == '\\')
                        strbuf_add(&b, "\\");
                strbuf_add_n(&b, p, 1);
        }
        return strbuf_steal(&b, &text) < 0 ? NULL : text;
}

/* Owners are mapped by us, mount by mount; left to itself nspawn changes them in all files. */
static int add_users(char ***argv, const NspawnContext *c) {
        int r;

        if (!c->private_users)
                return 0;
        r = strv_extendf(argv, "--private-users=%" PRIu32 ":%" PRIu32, c->first_user, c->n_users);
        return r < 0 ? r : strv_extend(argv, "--private-users-ownership=off");
}

/* Directories on the way to a place for a bind mount nspawn 252 makes for the host's root, also in a pod with other users: its PID 1
 * could not write to them. */
static int add_run(char ***argv, const NspawnContext *c) {
        int r;

        if (c->first_user == 0)
                return 0;
        r = strv_extend(argv, "--tmpfs=/run/systemd:" RUN_OPTIONS);
        if (r >= 0 && !(c->host_journal && c->host_journal_only))
                r = strv_extend(argv, "--tmpfs=/run/systemd/journal:" RUN_OPTIONS);
        return r;
}

static int add_slaves(char ***argv, const NspawnContext *c) {
        int r = 0;

        for (char *const *s = c->slaves; s && *s && r >= 0; s++) {
                _cleanup_free_ char *path = escape_colons(*s);

                r = path ? strv_extendf(argv, "--bind=%s:/" APP_PLACES "%s", path, strrchr(*s, '/'))
                         : -ENOMEM;
        }
        return r;
}

static int add_mounts(char ***argv, const NspawnContext *c) {
        _cleanup_free_ char *root = escape_colons(c->root);
        int r;

        if (!root)
                return -ENOMEM;
        r = strv_extend(argv, "--bind-ro=/usr");
        if (r >= 0)
                r = add_slaves(argv, c);
        if (r >= 0)
                r = add_run(argv, c);
        if (r >= 0 && c->metadata)
                r = strv_extend(argv, "--bind-ro=" METADATA_SOCKET_DIR ":" METADATA_POD_DIR);
        if (r >= 0 && c->host_journal && c->host_journal_only)
                return strv_extendf(argv, "--bind-ro=%s", c->host_journal);
        /* tells journald that it may write below /var at once */
        if (r >= 0)
                r = strv_extendf(argv, "--bind-ro=%s/rkt/empty:/run/systemd/journal/flushed", root);
        if (r >= 0 && c->host_journal)
                r = strv_extendf(argv, "--bind-ro=%s:/rkt/host-journal", c->host_journal);
        return r;
}

/**
 * nspawn_argv() - the command line that runs a pod
 * @m:   manifest; every app has its "app" object
 * @c:   what else is known
 * @ret: argument vector, argv[0] is NSPAWN_PATH; free with strv_free()
 * @e:   sentence on failure; may be NULL
 *
 * The journal's directory is mounted by run_pod() (--link-journal=no): with try-host, 257 cannot map the owners of the bind
 * mount on every file system.
 *
 * Return: 0, -ENOMEM.
 */
int nspawn_argv(const PodManifest *m, const NspawnContext *c, char ***ret, Error *e) {
        static const char *const head[] = {
                NSPAWN_PATH,
                "--quiet",
                "--settings=no",
                "--keep-unit",
                "--register=yes",
                "--notify-ready=yes",
                "--kill-signal=SIGRTMIN+3",
                "--link-journal=no",
                "--resolv-conf=off",
                "--timezone=off",
        };
        static const char *const tail[] = {
                ("--setenv=SYSTEMD_UNIT_PATH=/run/systemd/system.control:/run/systemd/transient:"
                 "/etc/systemd/system"),
                /* of what is not there systemd forks no process that would run it */
                "--setenv=SYSTEMD_GENERATOR_PATH=/rkt/none",
                "--setenv=SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/rkt/none",
                ("--setenv=" NO_PRESSURE_WATCH),
                "--",
                "/rkt/bin/rkt-bare",
                "init", /* becomes systemd, as --boot would do */
                "--log-target=journal",
                "--show-status=no",
        };
        _cleanup_strv_free_ char **argv = NULL;
        int r;

        r = add_all(&argv, head, ELEMENTSOF(head));
        if (r >= 0)
                r = strv_extendf(&argv, "--machine=%s", c->machine);
        if (r >= 0)
                r = strv_extendf(&argv, "--uuid=%s", c->uuid);
        if (r >= 0)
                r = strv_extendf(&argv, "--directory=%s", c->root);
        if (r >= 0)
                r = strv_extend(&argv, c->console ? "--console=pipe" : "--console=read-only");
        if (r >= 0 && c->console) /* nspawn makes none of a pipe; the standard wants one */
                r = strv_extend(&argv, "--bind=/dev/null:/dev/console");
        if (r >= 0 && c->private_network)
                r = strv_extend(&argv, "--private-network");
        for (char *const *w = c->credentials; w && *w && r >= 0; w++)
                r = strv_extendf(&argv, "--load-credential=%s", *w);
        if (r >= 0)
                r = add_users(&argv, c);
        if (r >= 0)
                r = add_capabilities(&argv, m);
        if (r >= 0)
                r = add_mounts(&argv, c);
        if (r >= 0)
                r = add_all(&argv, tail, ELEMENTSOF(tail));
        if (r < 0)
                return error_oom(e);
        *ret = TAKE_PTR(argv);
        return 0;
}

/**
 * nspawn_environment() - the environment in which systemd-nspawn is started
 * @environ:     ours
 * @own_network: it is in the pod's network already: kernel settings of that are the pod's, as with --private-network.
 *               Not with private users: nspawn refuses that
 * @keeps_ipc:   it is in the pod's IPC namespace already, or that is the host's
 * @ret:         NOTIFY_SOCKET, LISTEN_*, WATCHDOG_*, PATH and TERM of it, and what nspawn is told; free with strv_free()
 *
 * SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: nspawn looks for systemd's version in the root, where /usr is still empty, and would
 * choose cgroup v1, with which the pod's systemd misses the end of services. TMPFS_TMP: /tmp is nobody's in stage1. SECCOMP:
 * the filter is ours (stage1-filter.h), and loaded already.
 * SYSTEMD_LOG_LEVEL: no word beside what the apps print, unless something is wrong. NO_PRESSURE_WATCH: see the header.
 *
 * Return: 0, -ENOMEM.
 */
int nspawn_environment(char *const *environ, bool own_network, bool keeps_ipc, char ***ret) {
        static const char *const kept[] = {
                "NOTIFY_SOCKET=", "LISTEN_FDS=",    "LISTEN_PID=", "LISTEN_FDNAMES=", "LISTEN_PIDFDID=",
                "WATCHDOG_PID=",  "WATCHDOG_USEC=", "PATH=",       "TERM=",           "RKT_LOCK_FD=",
        };
        _cleanup_strv_free_ char **env = NULL;
        int r = 0;

        for (char *const *v = environ; v && *v && r >= 0; v++)
                FOREACH_ARRAY (k, kept, ELEMENTSOF(kept))
                        if (startswith(*v, *k)) {
                                r = strv_extend(&env, *v);
                                break;
                        }
        if (r >= 0)
                r = strv_extend(&env, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1");
        if (r >= 0)
                r = strv_extend(&env, "SYSTEMD_NSPAWN_TMPFS_TMP=0");
        if (r >= 0 && own_network)
                r = strv_extend(&env, "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network");
        if (r >= 0 && keeps_ipc)
                r = strv_extend(&env, "SYSTEMD_NSPAWN_SHARE_NS_IPC=1");
        if (r >= 0)
                r = strv_extend(&env, "SYSTEMD_SECCOMP=0");
        if (r >= 0)
                r = strv_extend(&env, "SYSTEMD_LOG_LEVEL=notice");
        if (r >= 0)
                r = strv_extend(&env, NO_PRESSURE_WATCH);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(env);
        return 0;
}

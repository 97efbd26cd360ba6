/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in a pod besides its apps. The pod's systemd is the host's own, from the host's /usr, and knows only these units:
 *
 *   default.target        wants every app; when its start is complete, PID 1 says READY=1
 *   systemd-journald      its sockets are first up (pulled in by -.slice) and last down (nothing stops it before PID 1 ends);
 *                         it starts beside the apps, which do not wait for it: its sockets keep what comes before; the pod is ready,
 *                         and can end, when it is there
 *   dbus.socket           wakes a D-Bus daemon when machinectl or systemctl -M come
 *   rkt-running.target    wanted by the apps; stops when no app runs any more, and ends the pod
 *   rkt-connected.target  wanted by the proxies of sockets with IdleExit=; stops when all have left, and ends the pod
 *   rkt-ready             starts beside the apps and waits for default.target; leaves rkt's mark of readiness,
 *                         /rkt/supervisor-status, for "rkt status --wait-ready"; ends the pod if systemd did not take the
 *                         unit of an app, which would neither start nor fail
 *   rkt-metadata          with MetadataService=: the pod's loopback leads to the service of the host, through a socket that is
 *                         mounted in; so apps reach it whatever network the pod has, also before the first and after the last
 *   rkt-sysctl            kernel settings of the pod's network, before the apps
 *   rkt-ended@APP         started by a failed app: sets the pod's exit status, and ends the pod if ExitPolicy= says so;
 *                         keeps rkt-running.target until then, so that the status is there before the end
 *   exit, halt, poweroff, reboot.target
 *                         wait for shutdown.target, with which all apps conflict, so that they are stopped in order
 *   rkt-health@APP.timer, .service
 *                         run hook-APP@health.service every now and then, and note what came of it
 *   container-shell@.service.d
 *                         sends machinectl shell APP@POD into the app
 *   sysinit, basic.target empty, for units that come in from outside with default dependencies (systemd-run -M)
 *
 * The end is an "exit-force" of PID 1 rather than a halt: its exit status becomes nspawn's, and no program is started. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "manifest/metadata.h"
#include "pod/pod-compose.h"
#include "run/app-confine.h"
#include "run/app-health.h"
#include "run/app-hook.h"
#include "run/app-stdio.h"
#include "run/kernel-files.h"
#include "run/run-nspawn.h"
#include "run/stage1-root.h"
#include "run/unit-text.h"

#define UNITS   "etc/systemd/system/"
#define SYSCTLS "etc/sysctl.d/rkt.conf"

#define SHUTDOWN "DefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n"

#define SHUTDOWN_TARGET(verb)                                                                                \
        "[Unit]\nDefaultDependencies=no\nRequires=rkt-" verb ".service\nAfter=rkt-" verb                     \
        ".service\nAllowIsolate=yes\n"
#define SHUTDOWN_SERVICE(action)                                                                             \
        "[Unit]\nDefaultDependencies=no\nRequires=shutdown.target\nAfter=shutdown.target\n"                  \
        "SuccessAction=" action "\n\n[Service]\nType=oneshot\n"

#define PAM                                                                                                  \
        "auth sufficient pam_rootok.so\nauth required pam_deny.so\naccount required pam_permit.so\n"         \
        "session required pam_permit.so\npassword required pam_deny.so\n"

/* The bus is for machined and systemctl -M alone, who come as root; the pod's systemd is its only service. */
#define DBUS_CONFIG                                                                                          \
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"               \
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"                                \
        "<busconfig>\n<type>system</type>\n<user>messagebus</user>\n<auth>EXTERNAL</auth>\n"                 \
        "<listen>systemd:</listen>\n<policy context=\"default\">\n<deny user=\"*\"/>\n<allow "               \
        "user=\"root\"/>\n"                                                                                  \
        "</policy>\n<policy user=\"root\">\n<allow own=\"*\"/>\n<allow send_type=\"*\"/>\n"                  \
        "<allow send_destination=\"*\"/>\n<allow receive_type=\"*\"/>\n</policy>\n</busconfig>\n"

/* Files whose text is the same in every pod. */
static const struct {
        const char *path, *content;
        mode_t mode;
} common_files[] = {
        { "usr", "", ROOT_FILE_DIR },
        { "run", "", ROOT_FILE_DIR },
        { "proc", "", ROOT_FILE_DIR },
        { "sys", "", ROOT_FILE_DIR },
        { "dev", "", ROOT_FILE_DIR },
        { "tmp", "", ROOT_FILE_DIR },
        { "root", "", ROOT_FILE_DIR },
        { "var/tmp", "", ROOT_FILE_DIR },
        { "rkt/bin", "", ROOT_FILE_DIR },
        { "rkt/status", "", ROOT_FILE_DIR },
        { "rkt/stdio", "", ROOT_FILE_DIR },
        { "rkt/volumes", "", ROOT_FILE_DIR },
        { "rkt/empty", "", 0444 },
        { &KERNEL_FILES_PROC[1], "", ROOT_FILE_DIR },
        { &KERNEL_FILES_SYS[1], "", ROOT_FILE_DIR },
        { "bin", "usr/bin", ROOT_FILE_LINK },
        { "sbin", "usr/sbin", ROOT_FILE_LINK },
        { "lib", "usr/lib", ROOT_FILE_LINK },
        { "lib64", "usr/lib64", ROOT_FILE_LINK },
        { "var/run", "../run", ROOT_FILE_LINK },
        { "etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n", 0644 },
        { "etc/pam.d/login", PAM, 0644 },
        { "etc/pam.d/other", PAM, 0644 },
        { "etc/systemd/system.conf.d/zz-rkt.conf",
          "[Manager]\nShowStatus=no\nLogTarget=journal\nDefaultStandardOutput=journal\n", 0644 },
        { "etc/dbus-1/rkt.conf", DBUS_CONFIG, 0644 },
        { UNITS "shutdown.target",
          "[Unit]\nDescription=All apps are "
          "stopped\nDefaultDependencies=no\nRefuseManualStart=yes\n",
          0644 },
        { UNITS "sysinit.target", "[Unit]\nDefaultDependencies=no\n", 0644 },
        { UNITS "basic.target", "[Unit]\nDefaultDependencies=no\n", 0644 },
        { UNITS "exit.target", SHUTDOWN_TARGET("exit"), 0644 },
        { UNITS "halt.target", SHUTDOWN_TARGET("exit"), 0644 },
        { UNITS "poweroff.target", SHUTDOWN_TARGET("exit"), 0644 },
        { UNITS "reboot.target", SHUTDOWN_TARGET("reboot"), 0644 },
        { UNITS "rkt-exit.service", SHUTDOWN_SERVICE("exit-force"), 0644 },
        { UNITS "rkt-reboot.service", SHUTDOWN_SERVICE("reboot-force"), 0644 },
        { UNITS "rkt-running.target",
          "[Unit]\nDescription=Apps are running\nDefaultDependencies=no\nStopWhenUnneeded=yes\n"
          "SuccessAction=exit\n",
          0644 },
        { UNITS "rkt-connected.target",
          "[Unit]\nDescription=Somebody is connected\nDefaultDependencies=no\nStopWhenUnneeded=yes\n"
          "SuccessAction=exit\n",
          0644 },
        { UNITS "systemd-journald.socket",
          "[Unit]\nDescription=Journal Socket\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\n"
          "[Socket]\nListenStream=/run/systemd/journal/stdout\n"
          "ListenDatagram=/run/systemd/journal/socket\nSocketMode=0666\nPassCredentials=yes\n"
          "PassSecurity=yes\nReceiveBuffer=8M\nService=systemd-journald.service\n",
          0644 },
        { UNITS "systemd-journald-dev-log.socket",
          "[Unit]\nDescription=Journal Socket (/dev/log)\nDefaultDependencies=no\n"
          "IgnoreOnIsolate=yes\n\n[Socket]\nListenDatagram=/run/systemd/journal/dev-log\n"
          "Symlinks=/dev/log\nSocketMode=0666\nPassCredentials=yes\nPassSecurity=yes\n"
          "ReceiveBuffer=8M\nService=systemd-journald.service\n",
          0644 },
        { UNITS "systemd-journald.service",
          "[Unit]\nDescription=Journal Service\nDefaultDependencies=no\n"
          "Requires=systemd-journald.socket\n"
          "After=systemd-journald.socket systemd-journald-dev-log.socket\nIgnoreOnIsolate=yes\n\n"
          "[Service]\nType=notify\nExecStart=/usr/lib/systemd/systemd-journald\n"
          "FileDescriptorStoreMax=4224\nRestart=always\nRestartSec=0\n"
          "Sockets=systemd-journald.socket systemd-journald-dev-log.socket\nStandardOutput=null\n"
          "OOMScoreAdjust=-250\nLimitNOFILE=524288\nEnvironment=" NO_PRESSURE_WATCH "\n",
          0644 },
        { UNITS "dbus.socket",
          "[Unit]\nDescription=D-Bus Socket\n" SHUTDOWN
          "\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
          0644 },
        { UNITS "dbus.service",
          "[Unit]\nDescription=D-Bus Daemon\nRequires=dbus.socket\nAfter=dbus.socket\n" SHUTDOWN
          "\n[Service]\nType=notify\nNotifyAccess=main\n"
          "ExecStart=/usr/bin/dbus-daemon --config-file=/etc/dbus-1/rkt.conf --address=systemd: --nofork "
          "--nopidfile "
          "--systemd-activation --syslog-only\nOOMScoreAdjust=-900\nLimitNOFILE=65536\n",
          0644 },
        { UNITS "container-shell@.service.d/10-rkt.conf",
          "[Unit]\nCollectMode=inactive-or-failed\n" SHUTDOWN
          "\n[Service]\nExecStart=\nExecStart=+/rkt/bin/rkt-enter shell %n\nWorkingDirectory=\n",
          0644 },
};

/* With Log=host there is no journald in the pod: the host's stands in its place. */
static int add_common(RootFiles *f, PodLogMode log) {
        int r = 0;

        FOREACH_ARRAY (c, common_files, ELEMENTSOF(common_files))
                if (r >= 0 && (log != POD_LOG_HOST || !startswith(c->path, UNITS "systemd-journald")))
                        r = root_files_add(f, c->path, c->mode, c->content);
        return r;
}

/**
 * stage1_user_lines() - an app's entries in the pod's passwd and group
 * @a:      app
 * @facts:  what its root told
 * @passwd: a line is added
 * @group:  lines are added
 *
 * systemd takes a numeric User= or Group= only when there is an entry for it. Each app's user is called by the app's name, so
 * that machinectl shell APP@POD finds one; what it is allowed is decided by the sandbox of the app.
 */
void stage1_user_lines(const PodApp *a, const AppFacts *facts, StrBuf *passwd, StrBuf *group) {
        strbuf_addf(passwd, "%s:x:%" PRIu32 ":%" PRIu32 "::/:/bin/sh\n", a->name, (uint32_t) facts->uid,
                    (uint32_t) facts->gid);
        strbuf_addf(group, "gid%" PRIu32 ":x:%" PRIu32 ":\n", (uint32_t) facts->gid, (uint32_t) facts->gid);
        FOREACH_ARRAY (g, facts->groups, facts->n_groups)
                strbuf_addf(group, "gid%" PRIu32 ":x:%" PRIu32 ":\n", (uint32_t) *g, (uint32_t) *g);
}

static int add_users(RootFiles *f, const PodManifest *m, const AppFacts *facts) {
        StrBuf passwd = STRBUF_INIT, group = STRBUF_INIT;
        int r;

        strbuf_add(&passwd, "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/:/usr/sbin/nologin\n"
                            "rkt-proxy:x:102:102::/:/usr/sbin/nologin\n"
                            "nobody:x:65534:65534::/:/usr/sbin/nologin\n");
        strbuf_add(&group, "root:x:0:\ntty:x:5:\nutmp:x:43:\nmessagebus:x:100:\nsystemd-journal:x:101:\nrkt-"
                           "proxy:x:102:\n"
                           "nogroup:x:65534:\n");
        for (size_t i = 0; i < m->n_apps; i++)
                stage1_user_lines(&m->apps[i], &facts[i], &passwd, &group);
        r = root_files_take(f, "etc/passwd", 0644, &passwd);
        if (r >= 0)
                r = root_files_take(f, "etc/group", 0644, &group);
        strbuf_done(&group);
        return r;
}

static int add_identity(RootFiles *f, const Stage1Context *c) {
        StrBuf id = STRBUF_INIT, name = STRBUF_INIT, hosts = STRBUF_INIT, dir = STRBUF_INIT;
        _cleanup_free_ char *journal = NULL;
        int r;

        for (const char *p = c->uuid; *p; p++)
                if (*p != '-')
                        strbuf_add_n(&id, p, 1);
        strbuf_addf(&dir, "var/log/journal/%s", str_or(id.data, ""));
        strbuf_add(&id, "\n");
        strbuf_addf(&name, "%s\n", c->hostname);
        strbuf_addf(&hosts, "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n", c->hostname);
        r = strbuf_steal(&dir, &journal);
        if (r >= 0 && c->log != POD_LOG_HOST)
                r = root_files_add(f, journal, ROOT_FILE_DIR, "");
        if (r >= 0)
                r = root_files_take(f, "etc/machine-id", 0444, &id);
        if (r >= 0)
                r = root_files_take(f, "etc/hostname", 0644, &name);
        if (r >= 0)
                r = root_files_take(f, "etc/hosts", 0644, &hosts);
        if (r >= 0)
                r = root_files_add(f, "etc/os-release", 0644, c->os_release);
        strbuf_done(&id);
        strbuf_done(&name);
        strbuf_done(&hosts);
        return r;
}

/* A drop-in that comes last: Debian 13 has one in /usr that turns forwarding on. Journald does not wait for those it
 * forwards to; where both journals are to have all, it is rkt-log that writes to them (app-stdio.c). */
static int add_journal(RootFiles *f, const Stage1Context *c) {
        StrBuf b = STRBUF_INIT;

        if (c->log == POD_LOG_HOST)
                return 0;
        if (c->log == POD_LOG_BOTH && root_files_add(f, "rkt/host-journal", ROOT_FILE_DIR, "") < 0)
                return -ENOMEM;
        strbuf_add(&b, "[Journal]\nStorage=persistent\nForwardToSyslog=no\nForwardToWall=no\nReadKMsg=no\n"
                       "Audit=no\nSystemMaxUse=128M\n");
        return root_files_take(f, "etc/systemd/journald.conf.d/zz-rkt.conf", 0644, &b);
}

/* A directory is mounted, not the socket: that is another one after a restart of its unit. The forwarder of systemd 252 never
 * says that it is ready: its start would not end. */
static int add_metadata(RootFiles *f, const AppUnitContext *c) {
        StrBuf b = STRBUF_INIT;
        int r;

        if (!c->metadata_url || c->host_network)
                return 0;
        strbuf_addf(&b,
                    "[Unit]\nDescription=Metadata service\nDefaultDependencies=no\n\n[Socket]\n"
                    "ListenStream=127.0.0.1:%d\n",
                    METADATA_PORT);
        r = root_files_take(f, UNITS METADATA_UNIT ".socket", 0644, &b);
        return r < 0 ? r
                     : root_files_add(f, UNITS METADATA_UNIT ".service", 0644,
                                      "[Unit]\nDescription=Metadata service\nDefaultDependencies=no\n\n"
                                      "[Service]\nType=exec\n"
                                      "ExecStart=/usr/lib/systemd/systemd-socket-proxyd --connections-max=8 "
                                      "--exit-idle-time=30s " METADATA_POD_DIR "/http\n"
                                      "User=nobody\nCapabilityBoundingSet=\nNoNewPrivileges=yes\n"
                                      "RestrictAddressFamilies=AF_UNIX AF_INET\n"
                                      "SystemCallFilter=@system-service\nSystemCallArchitectures=native\n"
                                      "TasksMax=16\n");
}

/* Isolators of the pod bound those of its apps. */
static int add_pod_bounds(RootFiles *f, const PodManifest *m) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        size_t none;

        strbuf_add(&b, "[Slice]\n");
        none = b.size;
        app_confine_all(m, &b);
        if (b.failed)
                return -ENOMEM;
        return b.size == none ? 0 : root_files_take(f, UNITS "system.slice.d/10-rkt.conf", 0644, &b);
}

/* Who adds an app to a pod starts it, too: of those, the ones that ran last time. */
static bool is_started(const PodManifest *m, const Stage1Context *c, const PodApp *a) {
        return !pod_manifest_is_mutable(m) || strv_contains(c->again, a->name);
}

static int add_pod_units(RootFiles *f, const PodManifest *m, const Stage1Context *c) {
        StrBuf target = STRBUF_INIT, ended = STRBUF_INIT, ready = STRBUF_INIT;
        int r;

        strbuf_add(&target, "[Unit]\n");
        unit_text_line(&target, "Description", c->app.pod);
        strbuf_add(&target, SHUTDOWN "Wants=dbus.socket\nAfter=dbus.socket\nAllowIsolate=yes\n");
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (is_started(m, c, a))
                        strbuf_addf(&target, "Wants=%s.service\nAfter=%s.service\n", a->name, a->name);
        strbuf_addf(&target, "Wants=rkt-ready.service%s\n",
                    c->log != POD_LOG_HOST ? " systemd-journald.service" : "");
        strbuf_add(&ready, "[Unit]\nDescription=All apps are ready\n" SHUTDOWN);
        /* or a pod whose apps are done at once would end before it was ready, which is a failure for the host: it stays until
         * systemd has said READY=1, when no job is left */
        if (c->app.exit_policy != POD_EXIT_NEVER)
                strbuf_add(&ready, "Wants=rkt-running.target\n");
        strbuf_add(&ready,
                   "\n[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/rkt/bin/rkt-enter ready");
        FOREACH_ARRAY (a, m->apps, m->n_apps)
                if (is_started(m, c, a))
                        strbuf_addf(&ready, " %s", a->name);
        strbuf_add(&ready, "\n");
        r = root_files_take(f, UNITS "default.target", 0644, &target);
        if (r >= 0)
                r = root_files_take(f, UNITS "rkt-ready.service", 0644, &ready);
        if (r < 0)
                return r;
        strbuf_addf(&ended,
                    "[Unit]\nDescription=End of app "
                    "%%i\nDefaultDependencies=no\nWants=rkt-running.target\n\n[Service]\n"
                    "Type=oneshot\nSlice=system.slice\n"
                    "ExecStart=/rkt/bin/rkt-enter ended %s %%i\n",
                    pod_exit_policy_to_string(c->app.exit_policy));
        return root_files_take(f, UNITS "rkt-ended@.service", 0644, &ended);
}

/* Kernel settings, before the first app; systemd-sysctl says which of them the kernel does not take. */
static int add_sysctls(RootFiles *f, const PodManifest *m, bool *ret) {
        const AcIsolator *i = ac_isolators_find(m->isolators, m->n_isolators, AC_ISOLATOR_SYSCTL);
        StrBuf b = STRBUF_INIT;
        int r;

        for (size_t k = 0; i && k < i->n_sysctls; k++)
                if (!ac_sysctl_is_ipc(i->sysctls[k].name)) /* nspawn has those: ipc_sysctls_write() */
                        strbuf_addf(&b, "%s = %s\n", i->sysctls[k].name, i->sysctls[k].value);
        *ret = b.size > 0;
        if (!*ret)
                return b.failed ? -ENOMEM : 0;
        r = root_files_take(f, SYSCTLS, 0644, &b);
        return r < 0 ? r
                     : root_files_add(
                               f, UNITS "rkt-sysctl.service", 0644,
                               "[Unit]\nDescription=Kernel settings\n" SHUTDOWN
                               "FailureAction=exit\nFailureActionExitStatus=254\n\n[Service]\nType=oneshot\n"
                               "RemainAfterExit=yes\nExecStart=/usr/lib/systemd/systemd-sysctl /" SYSCTLS
                               "\n");
}

/* PID 1 hands descriptors from outside only to sockets that are loaded before the first transaction: those which a unit
 * that always exists pulls in. */
static int add_early(RootFiles *f, PodLogMode log, char *const *sockets) {
        StrBuf b = STRBUF_INIT;

        strbuf_add(&b, "[Unit]\n");
        if (log != POD_LOG_HOST)
                strbuf_add(&b, "Wants=systemd-journald.socket systemd-journald-dev-log.socket\n");
        unit_text_words(&b, "Wants", sockets);
        return root_files_take(f, UNITS "-.slice.d/10-rkt.conf", 0644, &b);
}

static int add_units(RootFiles *f, char *const *names, char *const *texts) {
        int r = 0;

        for (size_t i = 0; names && names[i] && r >= 0; i++) {
                _cleanup_free_ char *path = strf(UNITS "%s", names[i]);

                r = path ? root_files_add(f, path, 0644, texts[i]) : -ENOMEM;
        }
        return r;
}

static int add_stdio(RootFiles *f, const PodApp *a, const AppUnitContext *c, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        int r = app_stdio_units(a, c, &names, &texts, e);

        if (r < 0)
                return r;
        return add_units(f, names, texts) < 0 ? error_oom(e) : 0;
}

static int add_hooks(RootFiles *f, const PodApp *a, const AppFacts *facts, const AppUnitContext *c,
                     Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        int r = app_unit_hooks(a, facts, c, &names, &texts, e);

        if (r < 0)
                return r;
        return add_units(f, names, texts) < 0 ? error_oom(e) : 0;
}

static int add_health(RootFiles *f, const PodApp *a, const AppFacts *facts, const AppUnitContext *c,
                      Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        int r = app_unit_health(a, facts, c, &names, &texts, e);

        if (r < 0)
                return r;
        return add_units(f, names, texts) < 0 ? error_oom(e) : 0;
}

static int add_proxies(RootFiles *f, const PodApp *a, char ***sockets, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        int r = app_unit_proxies(a, &names, &texts, e);

        if (r < 0)
                return r;
        r = add_units(f, names, texts);
        for (char **n = names; n && *n && r >= 0; n++)
                if (endswith(*n, ".socket"))
                        r = strv_extend(sockets, *n);
        return r < 0 ? error_oom(e) : 0;
}

static int add_app(RootFiles *f, const PodApp *a, const AppFacts *facts, const AppUnitContext *c,
                   char ***sockets, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        _cleanup_free_ char *service = NULL, *enter = NULL;
        _cleanup_(strbuf_done) StrBuf b = STRBUF_INIT;
        int r;

        service = strf(UNITS "%s.service", a->name);
        enter = strf(UNITS "enter-%s@.service.d/10-sandbox.conf", a->name);
        if (!service || !enter)
                return error_oom(e);
        r = app_unit_service(a, facts, c, &b, e);
        if (r < 0)
                return r;
        r = root_files_take(f, service, 0644, &b);
        if (r < 0)
                return error_oom(e);
        r = app_unit_enter(a, facts, c, &b, e);
        if (r < 0)
                return r;
        r = root_files_take(f, enter, 0644, &b);
        if (r < 0)
                return error_oom(e);
        r = add_hooks(f, a, facts, c, e);
        if (r >= 0)
                r = add_health(f, a, facts, c, e);
        if (r >= 0)
                r = add_stdio(f, a, c, e);
        if (r >= 0)
                r = app_unit_sockets(a, &names, &texts, e);
        if (r < 0)
                return r;
        r = add_units(f, names, texts);
        for (char **n = names; n && *n && r >= 0; n++)
                r = strv_extend(sockets, *n);
        return r < 0 ? error_oom(e) : add_proxies(f, a, sockets, e);
}

/**
 * stage1_app_files() - the files of one app, for a pod that has its stage1 root already
 * @a:     app, with its "app" object
 * @facts: what its root told
 * @c:     what the pod says of all apps
 * @ret:   its units are added here; the caller frees them, also on failure
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (an annotation is broken), -ENOMEM.
 */
int stage1_app_files(const PodApp *a, const AppFacts *facts, const AppUnitContext *c, RootFiles *ret,
                     Error *e) {
        _cleanup_strv_free_ char **sockets = NULL;

        return add_app(ret, a, facts, c, &sockets, e);
}

/**
 * stage1_root_files() - the files of a pod's stage1 root
 * @m:     manifest; every app has its "app" object
 * @facts: one per app, in the manifest's order
 * @c:     what else is known
 * @ret:   files are added here; the caller frees them, also on failure
 * @e:     sentence on failure; may be NULL
 *
 * The directories opt/stage2/APP/rootfs are not among them: they are there already, with the apps' roots on them.
 *
 * Return: 0, -EINVAL (an annotation is broken), -ENOMEM.
 */
int stage1_root_files(const PodManifest *m, const AppFacts *facts, const Stage1Context *c, RootFiles *ret,
                      Error *e) {
        _cleanup_strv_free_ char **sockets = NULL;
        AppUnitContext app = c->app;
        int r;

        app.log = c->log;
        r = add_common(ret, c->log);
        if (r >= 0)
                r = app_devices_are_hidden(m, app.insecure, &app.devices_hidden);
        if (r >= 0 && app.devices_hidden)
                r = root_files_add(ret, &KERNEL_FILES_NO_DEVICES[1], 0444, "");
        if (r >= 0)
                r = add_users(ret, m, facts);
        if (r >= 0)
                r = add_identity(ret, c);
        if (r >= 0)
                r = add_journal(ret, c);
        if (r >= 0)
                r = add_pod_units(ret, m, c);
        if (r >= 0)
                r = add_metadata(ret, &app);
        if (r >= 0)
                r = add_pod_bounds(ret, m);
        if (r >= 0)
                r = app.sysctls_are_set ? 0 : add_sysctls(ret, m, &app.sysctls);
        if (r < 0)
                return error_oom(e);
        for (size_t i = 0; i < m->n_apps; i++) {
                r = add_app(ret, &m->apps[i], &facts[i], &app, &sockets, e);
                if (r < 0)
                        return r;
        }
        return add_early(ret, c->log, sockets) < 0 ? error_oom(e) : 0;
}

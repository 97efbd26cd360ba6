/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An app becomes units. One function writes the sandbox, for the app itself and for whoever enters it (rkt enter,
 * machinectl shell APP@POD): same root, user, capabilities, filters. The order is: what rkt needs, the defaults, what the
 * image's isolators say, and last what the pod file says as it stands, so that the administrator wins. A default whose key
 * the pod file mentions is left out altogether: most of these lists would be merged otherwise.
 *
 * RootDirectoryStartOnly= keeps ExecStopPost= in the pod's own root, where rkt-enter records how the app ended;
 * rkt-bare keeps the image's variables away from it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-confine.h"
#include "run/app-health.h"
#include "run/app-hook.h"
#include "run/app-stdio.h"
#include "run/app-unit.h"
#include "run/unit-text.h"

/**
 * app_facts_done() - free what is known of an app
 * @f: facts; empty afterwards
 */
void app_facts_done(AppFacts *f) {
        free(f->groups);
        free(f->home);
        free(f->user_name);
        free(f->exec_path);
        free(f->directory);
        strv_free(f->writable);
        strv_free(f->devices);
        strv_free(f->credentials);
        for (size_t i = 0; i < f->n_binds; i++) {
                free(f->binds[i].source);
                free(f->binds[i].target);
                (void) fd_close(f->binds[i].mount_fd);
        }
        free(f->binds);
        *f = APP_FACTS_INIT;
}

/* Keys of the pod file that say how the service is started, watched and ended: not for those who enter. */
static bool is_for_service_only(const char *setting) {
        static const char *const prefixes[] = {
                "Type=",          "Restart",          "Watchdog",
                "Timeout",        "RemainAfterExit=", "SuccessExitStatus=",
                "Exec",           "Standard",         "Notify",
                "GuessMainPID=",  "PIDFile=",         "OOMPolicy=",
                "StartLimit",     "Success",          "Failure",
                "RuntimeMaxSec=",
        };

        FOREACH_ARRAY (p, prefixes, ELEMENTSOF(prefixes))
                if (startswith(setting, *p))
                        return true;
        return false;
}

/* Not quoted: systemd looks for the colon outside of quotes. The paths have neither blanks nor colons (volume.c). */
static void add_bind(StrBuf *b, const char *key, const char *source, const char *target) {
        _cleanup_free_ char *word = strf("%s:%s", source, target);

        if (word)
                unit_text_line(b, key, word);
        else
                b->failed = true;
}

/* Of two mounts in one place the last counts; systemd's order is another. */
static bool is_covered(const AppFacts *f, size_t i) {
        for (size_t k = i + 1; k < f->n_binds; k++)
                if (streq(f->binds[k].target, f->binds[i].target))
                        return true;
        return false;
}

/* The root: /proc, /sys and /dev are the pod's; /run, which is among the binds, is the app's own again (systemd would put an
 * empty one there). No source of a bind is a path of the image's: systemd would follow its links in the pod. "+" is for paths in
 * the app's root rather than in the pod's. */
static void add_root(StrBuf *b, const PodApp *a, const AppFacts *f, const AppUnitContext *c,
                     bool messages_pass) {
        strbuf_addf(b, "RootDirectory=/opt/stage2/%s/rootfs\n", a->name);
        strbuf_add(b, "MountAPIVFS=yes\n");
        if (messages_pass && c->bind_log_sockets)
                strbuf_add(b, "BindLogSockets=no\n");
        if (messages_pass)
                strbuf_addf(b,
                            "BindReadOnlyPaths=/rkt/stdio/%s.log:/run/systemd/journal/dev-log "
                            "/rkt/stdio/%s.journal:/run/systemd/journal/socket "
                            "/run/systemd/journal/stdout\n",
                            a->name, a->name);
        else
                strbuf_add(b, "BindReadOnlyPaths=/run/systemd/journal/dev-log /run/systemd/journal/socket "
                              "/run/systemd/journal/stdout\n");
        /* what 254 mounts there for the app's group is not in another /sys, and it gives up */
        for (size_t i = 0; i < f->n_binds; i++)
                if (path_is_beneath("/sys/fs/cgroup", f->binds[i].target)) {
                        strbuf_add(b, "MemoryPressureWatch=skip\n");
                        break;
                }
        for (size_t i = 0; i < f->n_binds; i++)
                if (!is_covered(f, i))
                        add_bind(b, f->binds[i].read_only ? "BindReadOnlyPaths" : "BindPaths",
                                 f->binds[i].source, f->binds[i].target);
        for (char **d = f->devices; d && *d; d++)
                strbuf_addf(b, "DeviceAllow=%s\n", *d);
        if (!a->read_only_root)
                return;
        strbuf_add(b, "ReadOnlyPaths=+/\nReadWritePaths=+/dev +/proc +/sys\n");
        for (char **w = f->writable; w && *w; w++) {
                _cleanup_free_ char *path = strf("-+%s", *w); /* "-": ExecStopPost= is not in the root */

                strbuf_add(b, "ReadWritePaths=");
                if (path)
                        unit_text_quote(b, path);
                else
                        b->failed = true;
                strbuf_add(b, "\n");
        }
}

static void add_user(StrBuf *b, const AppFacts *f) {
        if (f->uid != 0)
                strbuf_addf(b, "User=%" PRIu32 "\n", (uint32_t) f->uid);
        if (f->gid != 0 || f->uid != 0)
                strbuf_addf(b, "Group=%" PRIu32 "\n", (uint32_t) f->gid);
        for (size_t i = 0; i < f->n_groups; i++)
                strbuf_addf(b, "%s%" PRIu32 "%s", i == 0 ? "SupplementaryGroups=" : " ",
                            (uint32_t) f->groups[i], i + 1 == f->n_groups ? "\n" : "");
}

static void add_variable(StrBuf *b, const char *name, const char *value) {
        _cleanup_free_ char *word = strf("%s=%s", name, value);

        if (!word) {
                b->failed = true;
                return;
        }
        strbuf_add(b, "Environment=");
        unit_text_quote(b, word);
        strbuf_add(b, "\n");
}

/* appc 12: PATH, AC_APP_NAME and container are there in any case; the user's own by rkt's habit. */
static void add_environment(StrBuf *b, const PodApp *a, const AppFacts *f, const AppUnitContext *c) {
        const struct {
                const char *name, *value;
        } defaults[] = {
                { "PATH", APP_DEFAULT_PATH },
                { "HOME", str_or(f->home, f->uid == 0 ? "/root" : "/") },
                { "USER", str_or(f->user_name, f->uid == 0 ? "root" : NULL) },
                { "LOGNAME", str_or(f->user_name, f->uid == 0 ? "root" : NULL) },
                { "SHELL", "/bin/sh" },
                { "container", "rkt" },
        };

        FOREACH_ARRAY (d, defaults, ELEMENTSOF(defaults))
                if (d->value && !ac_pairs_get(a->app->environment, a->app->n_environment, d->name))
                        add_variable(b, d->name, d->value);
        /* systemd would set them to the name of the pod's user */
        if (f->uid != 0 && !f->user_name)
                for (size_t i = 0; i < 2; i++)
                        if (!ac_pairs_get(a->app->environment, a->app->n_environment,
                                          i == 0 ? "USER" : "LOGNAME"))
                                strbuf_addf(b, "UnsetEnvironment=%s\n", i == 0 ? "USER" : "LOGNAME");
        for (size_t i = 0; i < a->app->n_environment; i++)
                add_variable(b, a->app->environment[i].name, a->app->environment[i].value);
        add_variable(b, "AC_APP_NAME", a->name);
        if (c->metadata_url)
                add_variable(b, "AC_METADATA_URL", c->metadata_url);
}

/* A volume may be one of them. */
static bool has_kernel_files(const AppFacts *f, const AppUnitContext *c) {
        for (size_t i = 0; i < f->n_binds; i++)
                if (streq(f->binds[i].target, "/proc") || streq(f->binds[i].target, "/sys"))
                        return false;
        return c->kernel_files;
}

/* Everything that the app and those who enter it share. */
static int add_sandbox(StrBuf *b, const PodApp *a, const AppFacts *f, const AppUnitContext *c,
                       const AppSettings *settings) {
        const char *directory = str_or(f->directory, a->app->working_directory);
        const AppBounds bounds = {
                .insecure = c->insecure,
                .kernel_files = has_kernel_files(f, c),
                .devices_hidden = c->devices_hidden,
        };

        for (char **w = f->credentials; w && *w; w++)
                strbuf_addf(b, "LoadCredential=%s\n", *w);
        add_root(b, a, f, c, app_stdio_passes_messages(a, settings, c));
        add_user(b, f);
        if (!app_settings_has(settings, "WorkingDirectory"))
                unit_text_line(b, "WorkingDirectory", directory && *directory ? directory : "/");
        add_environment(b, a, f, c);
        if (!app_settings_has(settings, "IgnoreSIGPIPE"))
                strbuf_add(b, "IgnoreSIGPIPE=no\n"); /* "yes | head" is to end */
        return app_confine(a, settings, &bounds, b);
}

static void add_command(StrBuf *b, const PodApp *a, const AppFacts *f) {
        bool same = streq(f->exec_path, a->app->exec[0]);

        strbuf_addf(b, "ExecStart=:%s", same ? "" : "@");
        unit_text_quote(b, f->exec_path);
        for (char **w = a->app->exec + (same ? 1 : 0); *w; w++) {
                strbuf_add(b, " ");
                unit_text_quote(b, *w);
        }
        strbuf_add(b, "\n");
}

static void add_dependency(StrBuf *b, const PodApp *a, const char *key, const char *annotation) {
        const char *apps = pod_app_annotation(a, annotation), *p = apps;

        if (!apps || !*apps)
                return;
        strbuf_addf(b, "%s=", key);
        while (*p) {
                size_t n = strcspn(p, " ");

                if (n > 0)
                        strbuf_addf(b, "%s%.*s.service", p == apps ? "" : " ", (int) n, p);
                p += n;
                p += strspn(p, " ");
        }
        strbuf_add(b, "\n");
}

/* How the end of an app ends the pod: rkt-ended@ sets the pod's exit status and, if need be, asks for the end;
 * rkt-running.target stops, and ends the pod, when no app wants it any more. */
static void add_exit_policy(StrBuf *b, const PodApp *a, PodExitPolicy policy) {
        if (policy == POD_EXIT_NEVER)
                return;
        strbuf_add(b, "Wants=rkt-running.target\nAfter=rkt-running.target\n");
        strbuf_addf(b, "OnFailure=rkt-ended@%s.service\n", a->name);
        if (policy == POD_EXIT_ANY)
                strbuf_addf(b, "OnSuccess=rkt-ended@%s.service\n", a->name);
}

static int add_unit_section(StrBuf *b, const PodApp *a, const AppSettings *s, const AppUnitContext *c,
                            Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        static const struct {
                const char *key, *annotation;
        } dependencies[] = {
                { "After", APP_ANNOTATION_AFTER },       { "Before", APP_ANNOTATION_BEFORE },
                { "Requires", APP_ANNOTATION_REQUIRES }, { "Wants", APP_ANNOTATION_WANTS },
                { "BindsTo", APP_ANNOTATION_BINDS_TO },
        };
        int r = app_unit_sockets(a, &names, &texts, e);

        if (r < 0)
                return r;
        strbuf_add(b, "[Unit]\n");
        unit_text_line(b, "Description", str_or(a->image.name, a->name));
        strbuf_add(b, "DefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n");
        if (c->sysctls)
                strbuf_add(b, "Requires=rkt-sysctl.service\nAfter=rkt-sysctl.service\n");
        if (c->metadata_url && !c->host_network)
                strbuf_add(b, "Requires=" METADATA_UNIT ".socket\nAfter=" METADATA_UNIT ".socket\n");
        add_exit_policy(b, a, c->exit_policy);
        FOREACH_ARRAY (d, dependencies, ELEMENTSOF(dependencies))
                add_dependency(b, a, d->key, d->annotation);
        unit_text_words(b, "Requires", names);
        unit_text_words(b, "After", names);
        app_health_add_wants(a, b);
        app_stdio_add_unit(a, s, c, b);
        return 0;
}

/* In the foreground it is said at once why a program could not be started. */
static void add_status(const PodApp *a, const AppFacts *f, const AppUnitContext *c, StrBuf *b) {
        strbuf_addf(b, "ExecStopPost=%s+/rkt/bin/rkt-bare status %s", c->console ? ":" : "", a->name);
        if (c->console) {
                strbuf_add(b, " ");
                unit_text_quote(b, f->exec_path);
        }
        strbuf_add(b, "\n");
}

/* systemd takes 0 for "not said", and journald's own limit for that. */
static bool is_without_rate_limit(const char *setting) {
        const char *value = startswith(setting, "LogRateLimitIntervalSec=");
        usec_t usec;

        if (value)
                return parse_sec(value, &usec) >= 0 && usec == 0;
        value = startswith(setting, "LogRateLimitBurst=");
        return value && *value && strspn(value, "0") == strlen(value);
}

/* "Exec...": those are hooks (app-hook.c); "Standard...": app-stdio.c. */
static void add_settings(StrBuf *b, char *const *settings, bool guest) {
        for (char *const *s = settings; s && *s; s++)
                if (!startswith(*s, "Exec") && !startswith(*s, "Standard") &&
                    (!guest || !is_for_service_only(*s)))
                        strbuf_addf(b, "%s\n",
                                    is_without_rate_limit(*s) ? "LogRateLimitIntervalSec=1us" : *s);
}

/**
 * app_unit_service() - the text of APP.service
 * @a:   app, with its "app" object
 * @f:   what its root told
 * @c:   what the pod says of all apps
 * @ret: buffer that the text is added to
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (sockets annotation), -ENOMEM.
 */
int app_unit_service(const PodApp *a, const AppFacts *f, const AppUnitContext *c, StrBuf *ret, Error *e) {
        _cleanup_app_settings_ AppSettings settings = APP_SETTINGS_INIT;
        int r = app_settings_load(a, &settings);

        if (r < 0)
                return error_oom(e);
        r = add_unit_section(ret, a, &settings, c, e);
        if (r < 0)
                return r;
        strbuf_add(ret, "\n[Service]\n");
        if (!app_settings_has(&settings, "Type"))
                strbuf_add(ret, "Type=exec\n");
        add_command(ret, a, f);
        add_status(a, f, c, ret);
        strbuf_add(ret, "RootDirectoryStartOnly=yes\n");
        app_stdio_add_service(a, &settings, c, false, ret);
        r = app_hook_add_lines(a, &settings, ret);
        app_health_add_gate(a, ret);
        if (r >= 0)
                r = add_sandbox(ret, a, f, c, &settings);
        add_settings(ret, settings.file, false);
        return r < 0 || ret->failed ? error_oom(e) : 0;
}

/**
 * app_unit_enter() - the text of enter-APP@.service.d/10-sandbox.conf
 * @a:   app, with its "app" object
 * @f:   what its root told
 * @c:   what the pod says of all apps
 * @ret: buffer that the text is added to
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int app_unit_enter(const PodApp *a, const AppFacts *f, const AppUnitContext *c, StrBuf *ret, Error *e) {
        _cleanup_app_settings_ AppSettings settings = APP_SETTINGS_INIT;
        int r = app_settings_load(a, &settings);

        if (r < 0)
                return error_oom(e);
        strbuf_add(ret,
                   "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n");
        /* beside the app, rather than in a slice of the template */
        strbuf_add(ret, "\n[Service]\nSlice=system.slice\n");
        r = add_sandbox(ret, a, f, c, &settings);
        add_settings(ret, settings.file, true);
        return r < 0 || ret->failed ? error_oom(e) : 0;
}

/**
 * app_unit_hook() - the [Service] lines of what runs in an app beside its main program, but for the commands
 * @a: app, with its "app" object
 * @f: what its root told
 * @c: what the pod says of all apps
 * @s: what people said
 * @b: lines are added
 *
 * The app's sandbox, and its streams.
 *
 * Return: 0, -ENOMEM.
 */
int app_unit_hook(const PodApp *a, const AppFacts *f, const AppUnitContext *c, const AppSettings *s,
                  StrBuf *b) {
        int r;

        app_stdio_add_service(a, s, c, true, b);
        r = add_sandbox(b, a, f, c, s);
        add_settings(b, s->file, true);
        return r;
}

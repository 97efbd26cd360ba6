/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An app becomes units. One function writes the sandbox, for the app itself and for whoever enters it (rkt enter,
 * machinectl shell APP@POD): same root, user, capabilities, filters. The order is: what rkt needs, the defaults, what the
 * image's isolators say, and last what the pod file says as it stands, so that the administrator wins. A default whose key
 * the pod file mentions is left out altogether: most of these lists would be merged otherwise.
 *
 * RootDirectoryStartOnly= keeps ExecStopPost= in the pod's own root, where rkt-enter records how the app ended. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-unit.h"
#include "run/console.h"
#include "run/unit-text.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/**
 * app_facts_done() - free what is known of an app
 * @f: facts; empty afterwards
 */
void app_facts_done(AppFacts *f) {
        free(f->groups);
        free(f->home);
        free(f->user_name);
        free(f->exec_path);
        strv_free(f->writable);
        for (size_t i = 0; i < f->n_binds; i++) {
                free(f->binds[i].source);
                free(f->binds[i].target);
        }
        free(f->binds);
        *f = APP_FACTS_INIT;
}

/* The settings of the pod file, one line per item. */
static int app_settings(const PodApp *a, char ***ret) {
        return strv_split(str_or(pod_app_annotation(a, APP_ANNOTATION_UNIT), ""), "\n", ret);
}

static bool has_key(char *const *settings, const char *key) {
        for (char *const *s = settings; s && *s; s++) {
                const char *rest = startswith(*s, key);

                if (rest && *rest == '=')
                        return true;
        }
        return false;
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

/* The capabilities that an app keeps by its image's isolators: never more than the default. An image can give up power,
 * only the administrator's CapabilityBoundingSet= can give more (DESIGN.md; robustness.md 5). */
static int image_capabilities(const PodApp *a, char ***ret) {
        const AcIsolator *retain, *remove;
        _cleanup_strv_free_ char **caps = NULL;
        int r;

        retain = ac_isolators_find(a->app->isolators, a->app->n_isolators, AC_ISOLATOR_CAPABILITIES_RETAIN);
        remove = ac_isolators_find(a->app->isolators, a->app->n_isolators, AC_ISOLATOR_CAPABILITIES_REMOVE);
        for (const char *const *c = ac_default_capabilities; *c; c++) {
                if (retain ? !strv_contains(retain->set, *c) : (remove && strv_contains(remove->set, *c)))
                        continue;
                r = strv_extend(&caps, *c);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(caps);
        return 0;
}

/**
 * app_capabilities() - the capabilities that the administrator names for an app
 * @a:   app
 * @ret: words of CapabilityBoundingSet= and AmbientCapabilities= in the pod file, lists with "~" left out: those name what
 *       is taken away; NULL when there are none; free with strv_free()
 *
 * nspawn must leave these to the pod, or the app could not have them.
 *
 * Return: 0, -ENOMEM.
 */
int app_capabilities(const PodApp *a, char ***ret) {
        static const char *const keys[] = { "CapabilityBoundingSet=", "AmbientCapabilities=" };
        _cleanup_strv_free_ char **settings = NULL, **caps = NULL;
        int r;

        r = app_settings(a, &settings);
        if (r < 0)
                return r;
        STRV_FOREACH (s, settings)
                FOREACH_ARRAY (key, keys, ELEMENTSOF(keys)) {
                        _cleanup_strv_free_ char **words = NULL;
                        const char *list = startswith(*s, *key);

                        if (!list || *list == '~')
                                continue;
                        r = strv_split(list, " \t", &words);
                        STRV_FOREACH (w, words)
                                if (r >= 0 && startswith(*w, "CAP_"))
                                        r = strv_extend(&caps, *w);
                        if (r < 0)
                                return r;
                }
        *ret = TAKE_PTR(caps);
        return 0;
}

static int add_capabilities(StrBuf *b, const PodApp *a) {
        _cleanup_strv_free_ char **caps = NULL;
        int r = image_capabilities(a, &caps);

        if (r < 0)
                return r;
        strbuf_add(b, "CapabilityBoundingSet=");
        for (char **c = caps; c && *c; c++)
                strbuf_addf(b, "%s%s", c == caps ? "" : " ", *c);
        strbuf_add(b, "\n");
        return 0;
}

/* Sets of rkt and docker in systemd's words; NULL: everything, "": nothing. */
static const char *seccomp_word(const char *word, char buffer[64]) {
        const char *group;

        if (streq(word, "@appc.io/all"))
                return NULL;
        if (streq(word, "@appc.io/empty"))
                return "";
        if (streq(word, "@rkt/default-whitelist") || streq(word, "@docker/default-whitelist"))
                return "@system-service @mount @pkey";
        if (streq(word, "@rkt/default-blacklist") || streq(word, "@docker/default-blacklist"))
                return "@clock @cpu-emulation @debug @keyring @module @obsolete @raw-io @reboot @swap";
        group = startswith(word, "@systemd/");
        if (!group)
                return word;
        (void) snprintf(buffer, 64, "@%s", group);
        return buffer;
}

static void add_seccomp(StrBuf *b, const PodApp *a) {
        const AcIsolator *i;
        bool retain = true;

        i = ac_isolators_find(a->app->isolators, a->app->n_isolators, AC_ISOLATOR_SECCOMP_RETAIN);
        if (!i) {
                retain = false;
                i = ac_isolators_find(a->app->isolators, a->app->n_isolators, AC_ISOLATOR_SECCOMP_REMOVE);
        }
        if (!i)
                return;
        for (char **s = i->set; *s; s++) {
                char buffer[64];
                const char *word = seccomp_word(*s, buffer);

                if (!word && retain)
                        return;
                if (word && *word)
                        strbuf_addf(b, "SystemCallFilter=%s%s\n", retain ? "" : "~", word);
        }
        if (i->errno_name)
                strbuf_addf(b, "SystemCallErrorNumber=%s\n", i->errno_name);
}

static const AcIsolator *find_isolator(const PodApp *a, AcIsolatorType type) {
        return ac_isolators_find(a->app->isolators, a->app->n_isolators, type);
}

static void add_resources(StrBuf *b, const PodApp *a, char *const *settings) {
        const AcIsolator *i;
        int64_t n;

        i = find_isolator(a, AC_ISOLATOR_MEMORY);
        if (i && i->has_limit && !has_key(settings, "MemoryMax") && ac_quantity_integer(&i->limit, &n) >= 0)
                strbuf_addf(b, "MemoryMax=%" PRIi64 "\n", n);
        i = find_isolator(a, AC_ISOLATOR_CPU);
        if (i && i->has_limit && !has_key(settings, "CPUQuota") && ac_quantity_milli(&i->limit, &n) >= 0)
                strbuf_addf(b, "CPUQuota=%" PRIi64 "%%\n", MAX(n / 10, INT64_C(1)));
        i = find_isolator(a, AC_ISOLATOR_CPU_SHARES);
        if (i &&
            !has_key(settings, "CPUWeight")) /* shares 2..262144 to weight 1..10000, as runc and systemd do */
                strbuf_addf(b, "CPUWeight=%" PRIi64 "\n",
                            MIN(MAX(1 + (MAX(i->number, INT64_C(2)) - 2) * 9999 / 262142, INT64_C(1)),
                                INT64_C(10000)));
        i = find_isolator(a, AC_ISOLATOR_OOM_SCORE_ADJ);
        if (i && !has_key(settings, "OOMScoreAdjust"))
                strbuf_addf(b, "OOMScoreAdjust=%" PRIi64 "\n", i->number);
}

/* What an app is kept from by default; robustness.md 5. */
static int add_confinement(StrBuf *b, const PodApp *a, const AppUnitContext *c, char *const *settings) {
        static const char *const defaults[] = {
                "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes",
                "ProtectControlGroups=yes",  "ProtectClock=yes",         "DevicePolicy=closed",
        };
        int r = 0;

        if (!has_key(settings, "CapabilityBoundingSet") && !(c->insecure & INSECURE_CAPABILITIES))
                r = add_capabilities(b, a);
        if (!has_key(settings, "NoNewPrivileges"))
                strbuf_add(b, "NoNewPrivileges=yes\n");
        FOREACH_ARRAY (d, defaults, ELEMENTSOF(defaults)) {
                char key[64];

                (void) snprintf(key, sizeof(key), "%.*s", (int) strcspn(*d, "="), *d);
                if (!has_key(settings, key) && !(c->insecure & INSECURE_PATHS))
                        strbuf_addf(b, "%s\n", *d);
        }
        if (!has_key(settings, "LockPersonality"))
                strbuf_add(b, "LockPersonality=yes\n");
        if (c->insecure & INSECURE_SECCOMP)
                return r;
        if (!has_key(settings, "SystemCallArchitectures"))
                strbuf_add(b, "SystemCallArchitectures=native\n");
        if (!has_key(settings, "SystemCallFilter"))
                add_seccomp(b, a);
        return r;
}

/* Not quoted: systemd looks for the colon outside of quotes. The paths have neither blanks nor colons (volume.c). */
static void add_bind(StrBuf *b, const char *key, const char *source, const char *target) {
        _cleanup_free_ char *word = strf("%s:%s", source, target);

        if (word)
                unit_text_line(b, key, word);
        else
                b->failed = true;
}

/* The root: /proc, /sys and /dev are the pod's; /run is the app's own again (systemd would put an empty one there). "+" is for
 * paths in the app's root rather than in the pod's. */
static void add_root(StrBuf *b, const PodApp *a, const AppFacts *f) {
        strbuf_addf(b, "RootDirectory=/opt/stage2/%s/rootfs\n", a->name);
        strbuf_add(b, "MountAPIVFS=yes\n");
        strbuf_addf(b, "BindPaths=/opt/stage2/%s/rootfs/run:/run\n", a->name);
        strbuf_add(b, "BindReadOnlyPaths=/run/systemd/journal/dev-log /run/systemd/journal/socket "
                      "/run/systemd/journal/stdout\n");
        for (size_t i = 0; i < f->n_binds; i++)
                add_bind(b, f->binds[i].read_only ? "BindReadOnlyPaths" : "BindPaths", f->binds[i].source,
                         f->binds[i].target);
        if (!a->read_only_root)
                return;
        strbuf_add(b, "ReadOnlyPaths=+/\nReadWritePaths=+/dev +/proc +/sys\n");
        for (char **w = f->writable; w && *w; w++) {
                _cleanup_free_ char *path = strf("+%s", *w);

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
static void add_environment(StrBuf *b, const PodApp *a, const AppFacts *f) {
        const struct {
                const char *name, *value;
        } defaults[] = {
                { "PATH", DEFAULT_PATH },
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
}

/* Everything that the app and those who enter it share. */
static int add_sandbox(StrBuf *b, const PodApp *a, const AppFacts *f, const AppUnitContext *c,
                       char *const *settings) {
        const char *directory = a->app->working_directory;

        add_root(b, a, f);
        add_user(b, f);
        if (!has_key(settings, "WorkingDirectory"))
                unit_text_line(b, "WorkingDirectory", directory && *directory ? directory : "/");
        add_environment(b, a, f);
        add_resources(b, a, settings);
        return add_confinement(b, a, c, settings);
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

static int add_unit_section(StrBuf *b, const PodApp *a, const AppUnitContext *c, Error *e) {
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
        add_exit_policy(b, a, c->exit_policy);
        FOREACH_ARRAY (d, dependencies, ELEMENTSOF(dependencies))
                add_dependency(b, a, d->key, d->annotation);
        unit_text_words(b, "Requires", names);
        unit_text_words(b, "After", names);
        return 0;
}

static void add_settings(StrBuf *b, char *const *settings, bool enter) {
        for (char *const *s = settings; s && *s; s++)
                if (!enter || !is_for_service_only(*s))
                        strbuf_addf(b, "%s\n", *s);
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
        _cleanup_strv_free_ char **settings = NULL;
        int r = app_settings(a, &settings);

        if (r < 0)
                return error_oom(e);
        r = add_unit_section(ret, a, c, e);
        if (r < 0)
                return r;
        strbuf_add(ret, "\n[Service]\n");
        if (!has_key(settings, "Type"))
                strbuf_add(ret, "Type=exec\n");
        add_command(ret, a, f);
        strbuf_addf(ret, "ExecStopPost=+/rkt/bin/rkt-enter status %s\n", a->name);
        strbuf_add(ret, "RootDirectoryStartOnly=yes\n");
        if (!has_key(settings, "StandardInput"))
                strbuf_add(ret, "StandardInput=null\n");
        if (!has_key(settings, "StandardOutput"))
                strbuf_addf(ret, "StandardOutput=%s\n", c->console ? "file:" CONSOLE_STDOUT : "journal");
        if (!has_key(settings, "StandardError"))
                strbuf_addf(ret, "StandardError=%s\n", c->console ? "file:" CONSOLE_STDERR : "journal");
        if (!has_key(settings, "SyslogIdentifier"))
                strbuf_addf(ret, "SyslogIdentifier=%s\n", a->name);
        r = add_sandbox(ret, a, f, c, settings);
        add_settings(ret, settings, false);
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
        _cleanup_strv_free_ char **settings = NULL;
        int r = app_settings(a, &settings);

        if (r < 0)
                return error_oom(e);
        strbuf_add(ret,
                   "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n");
        strbuf_add(ret, "\n[Service]\n");
        r = add_sandbox(ret, a, f, c, settings);
        add_settings(ret, settings, true);
        return r < 0 || ret->failed ? error_oom(e) : 0;
}

/* The keys that make the socket inside match the descriptor that comes from the host, and what the app sees of it. */
static bool is_for_inner_socket(const char *line) {
        static const char *const keys[] = {
                "ListenStream=",   "ListenDatagram=",     "ListenSequentialPacket=", "BindIPv6Only=",
                "SocketProtocol=", "FileDescriptorName=", "ListenMessageQueue="
        };

        FOREACH_ARRAY (k, keys, ELEMENTSOF(keys))
                if (startswith(line, *k))
                        return true;
        return false;
}

static int start_socket(const PodApp *a, size_t n, const char *name, char ***names, StrBuf *b) {
        strbuf_addf(b,
                    "[Unit]\nDescription=Socket of %s\nDefaultDependencies=no\nConflicts=shutdown.target\n"
                    "Before=shutdown.target\n\n[Socket]\nService=%s.service\n",
                    a->name, a->name);
        if (*name)
                strbuf_addf(b, "FileDescriptorName=%s\n", name);
        return n == 0 ? strv_extendf(names, "%s.socket", a->name)
                      : strv_extendf(names, "%s.%zu.socket", a->name, n);
}

/**
 * app_unit_sockets() - the sockets of an app inside the pod
 * @a:         app
 * @ret_names: names of the units; free with strv_free(); NULL when there are none
 * @ret_texts: their texts, in the same order; free with strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (annotation is broken), -ENOMEM.
 */
int app_unit_sockets(const PodApp *a, char ***ret_names, char ***ret_texts, Error *e) {
        _cleanup_strv_free_ char **lines = NULL, **names = NULL, **texts = NULL;
        _cleanup_(strbuf_done) StrBuf b = STRBUF_INIT;
        const char *text = pod_app_annotation(a, APP_ANNOTATION_SOCKETS);
        int r = strv_split(str_or(text, ""), "\n", &lines);

        for (char **l = lines; r >= 0 && l && *l; l++) {
                size_t n = strlen(*l);

                if (**l == '[' && (*l)[n - 1] == ']') {
                        char *t = NULL;

                        if (strv_length(names) > 0) {
                                r = strbuf_steal(&b, &t);
                                if (r >= 0)
                                        r = strv_consume(&texts, t);
                        }
                        (*l)[n - 1] = '\0';
                        if (r >= 0)
                                r = start_socket(a, strv_length(names), *l + 1, &names, &b);
                } else if (strv_length(names) == 0)
                        return error_setf(e, -EINVAL, "app '%s': annotation '%s' does not begin with '['",
                                          a->name, APP_ANNOTATION_SOCKETS);
                else if (is_for_inner_socket(*l))
                        strbuf_addf(&b, "%s\n", *l);
        }
        if (r >= 0 && strv_length(names) > 0) {
                char *t = NULL;

                r = strbuf_steal(&b, &t);
                if (r >= 0)
                        r = strv_consume(&texts, t);
        }
        if (r < 0)
                return error_oom(e);
        *ret_names = TAKE_PTR(names);
        *ret_texts = TAKE_PTR(texts);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who decides what an app may do, the weakest first: the defaults here (SECURITY.md has them as a table), the pod's
 * profiles, the isolators of its image, the pod file. An image can only give up: its isolators are cut out of what the
 * defaults and profiles allow. What the pod file says replaces the image's word on the same thing, and the defaults too,
 * unless its list begins with "~": then it takes away from them. */
#include "run/app-confine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"
#include "basic/strv.h"
#include "manifest/ac-seccomp.h"
#include "pod/pod-compose.h"
#include "run/kernel-files.h"
#include "run/unit-text.h"

#define CAPABILITIES "CapabilityBoundingSet"
#define FILTER       "SystemCallFilter"
#define FILTER_ERRNO "SystemCallErrorNumber"

/* robustness: what a service that starts as root and drops its powers needs. */
static const char default_capabilities[] = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL "
                                           "CAP_NET_BIND_SERVICE CAP_SETGID CAP_SETUID";

/* "+": in the app's root, "-": where the kernel has it. */
#define HIDDEN(path) " -+" path

static const char hidden_paths[] = KERNEL_FILES_HIDDEN(HIDDEN);

/* "capability": a line that would take it away again is left out when people name it. "in_trees": apps that get their trees of
 * the kernel's files do not need it. */
static const struct {
        const char *key, *value;
        InsecureFlags unless;
        bool in_trees;
        const char *capability;
} defaults[] = {
        { "NoNewPrivileges", "yes", 0 },
        { "ProtectKernelTunables", "yes", INSECURE_PATHS, .in_trees = true },
        { "ProtectKernelModules", "yes", INSECURE_PATHS | INSECURE_CAPABILITIES,
          .capability = "CAP_SYS_MODULE" },
        { "ProtectKernelLogs", "yes", INSECURE_PATHS | INSECURE_CAPABILITIES, .in_trees = true,
          .capability = "CAP_SYSLOG" },
        { "ProtectControlGroups", "yes", INSECURE_PATHS },
        { "ProtectClock", "yes", INSECURE_PATHS | INSECURE_CAPABILITIES, .capability = "CAP_SYS_TIME" },
        { "ProtectHostname", "yes", INSECURE_PATHS },
        { "ProtectProc", "invisible", INSECURE_PATHS, .in_trees = true },
        { "InaccessiblePaths", &hidden_paths[1], INSECURE_PATHS, .in_trees = true },
        { "DevicePolicy", "closed", INSECURE_PATHS },
        { "LockPersonality", "yes", INSECURE_SECCOMP },
        { "RestrictNamespaces", "yes", INSECURE_SECCOMP, .capability = "CAP_SYS_ADMIN" },
        { "SystemCallArchitectures", "native", INSECURE_SECCOMP },
        { "TasksMax", "4096", 0 },
};

/**
 * app_settings_done() - free what people said
 * @s: settings; empty afterwards
 */
void app_settings_done(AppSettings *s) {
        strv_free(s->profile);
        strv_free(s->file);
        *s = APP_SETTINGS_INIT;
}

/**
 * app_settings_load() - what people said of an app
 * @a:   app
 * @ret: for app_settings_done(), on failure too
 *
 * Return: 0, -ENOMEM.
 */
int app_settings_load(const PodApp *a, AppSettings *ret) {
        int r;

        *ret = APP_SETTINGS_INIT;
        r = strv_split(str_or(pod_app_annotation(a, APP_ANNOTATION_PROFILE), ""), "\n", &ret->profile);
        return r < 0 ? r
                     : strv_split(str_or(pod_app_annotation(a, APP_ANNOTATION_UNIT), ""), "\n", &ret->file);
}

static const char *value_of(const char *line, const char *key) {
        const char *rest = startswith(line, key);

        return rest && *rest == '=' ? rest + 1 : NULL;
}

/* The first value of a key, or NULL. */
static const char *first_value(char *const *lines, const char *key) {
        for (char *const *l = lines; l && *l; l++) {
                const char *value = value_of(*l, key);

                if (value)
                        return value;
        }
        return NULL;
}

/* Does a list say all by itself? One that begins with "~" takes away from what comes before it. */
static bool is_replaced(char *const *lines, const char *key) {
        const char *value = first_value(lines, key);

        return value && *value != '~';
}

/**
 * app_settings_has() - does a profile or the pod file set a key?
 * @s:   settings
 * @key: name
 *
 * Return: true if one of them does.
 */
bool app_settings_has(const AppSettings *s, const char *key) {
        return first_value(s->file, key) || first_value(s->profile, key);
}

static const AcIsolator *find_isolator(const PodApp *a, AcIsolatorType type) {
        return ac_isolators_find(a->app->isolators, a->app->n_isolators, type);
}

/* One line of a list of capabilities, as systemd reads it: words are added, those behind "~" are taken away, nothing at
 * all forgets the lines before. */
static int change_capabilities(char ***list, const char *value) {
        _cleanup_strv_free_ char **words = NULL, **left = NULL;
        bool remove = *value == '~';
        int r = strv_split(value + remove, " \t", &words);

        if (r < 0)
                return r;
        if (!*value) {
                *list = strv_free(*list);
                return 0;
        }
        for (char **c = *list; c && *c && r >= 0; c++)
                if (!remove || !strv_contains(words, *c))
                        r = strv_extend(&left, *c);
        for (char **w = words; w && *w && !remove && r >= 0; w++)
                if (**w && !strv_contains(left, *w))
                        r = strv_extend(&left, *w);
        if (r < 0)
                return r;
        strv_free(*list);
        *list = TAKE_PTR(left);
        return 0;
}

static int image_capabilities(const PodApp *a, char ***list) {
        const AcIsolator *retain = find_isolator(a, AC_ISOLATOR_CAPABILITIES_RETAIN),
                         *remove = find_isolator(a, AC_ISOLATOR_CAPABILITIES_REMOVE);
        _cleanup_strv_free_ char **left = NULL;
        int r = 0;

        for (char **c = *list; c && *c && r >= 0; c++)
                if (retain ? strv_contains(retain->set, *c) : !remove || !strv_contains(remove->set, *c))
                        r = strv_extend(&left, *c);
        if (r < 0)
                return r;
        strv_free(*list);
        *list = TAKE_PTR(left);
        return 0;
}

/* The pod file's own lines come later; those that begin with "~" take away from this one. */
static int add_capabilities(const PodApp *a, const AppSettings *s, StrBuf *b) {
        _cleanup_strv_free_ char **list = NULL;
        bool replaced = is_replaced(s->profile, CAPABILITIES);
        int r = replaced ? 0 : strv_split(default_capabilities, " ", &list);

        for (char **l = s->profile; l && *l && r >= 0; l++) {
                const char *value = value_of(*l, CAPABILITIES);

                if (value)
                        r = change_capabilities(&list, value);
        }
        if (r >= 0 && !first_value(s->file, CAPABILITIES))
                r = image_capabilities(a, &list);
        if (r < 0)
                return r;
        if (list)
                unit_text_words(b, CAPABILITIES, list);
        else
                strbuf_add(b, CAPABILITIES "=\n");
        return 0;
}

/* System calls that are of no use without a capability: who gives the one gives the other. Images call those of a set by their
 * names, too. */
static const struct {
        const char *capability, *calls, *names;
} capability_calls[] = {
        { "CAP_BPF", "bpf" },
        { "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
        { "CAP_PERFMON", "perf_event_open" },
        { "CAP_SYSLOG", "syslog" },
        { "CAP_SYS_ADMIN",
          "@mount @swap bpf fanotify_init perf_event_open quotactl quotactl_fd setdomainname sethostname",
          "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root swapoff swapon "
          "umount umount2" },
        { "CAP_SYS_BOOT", "@reboot", "kexec_file_load kexec_load reboot" },
        { "CAP_SYS_MODULE", "@module", "delete_module finit_module init_module" },
        { "CAP_SYS_PACCT", "acct" },
        { "CAP_SYS_PTRACE", "pidfd_getfd process_vm_readv process_vm_writev ptrace" },
        { "CAP_SYS_RAWIO", "@raw-io", "ioperm iopl" },
        { "CAP_SYS_TIME", "@clock", "adjtimex clock_adjtime clock_settime settimeofday stime" },
        { "CAP_SYS_TTY_CONFIG", "vhangup" },
};

static void add_default_filter(const AppSettings *s, char *const *named, StrBuf *b) {
        if (!is_replaced(s->profile, FILTER)) {
                strbuf_addf(b, FILTER "=%s\n" FILTER "=~%s\n" FILTER_ERRNO "=ENOSYS\n", ac_seccomp_allowed,
                            ac_seccomp_denied);
                FOREACH_ARRAY (c, capability_calls, ELEMENTSOF(capability_calls))
                        if (strv_contains(named, c->capability))
                                strbuf_addf(b, FILTER "=%s\n", c->calls);
        }
        for (char **l = s->profile; l && *l; l++)
                if (value_of(*l, FILTER) || value_of(*l, FILTER_ERRNO))
                        strbuf_addf(b, "%s\n", *l);
}

static bool has_word(const char *text, const char *word) {
        size_t n = strlen(word);

        for (const char *p = text; p && *p; p += strcspn(p, " "), p += strspn(p, " "))
                if (strcspn(p, " ") == n && memcmp(p, word, n) == 0)
                        return true;
        return false;
}

/* What an image keeps of calls that go with a capability which people gave. */
static int add_given_calls(const char *value, char *const *named, StrBuf *b) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(value, " ", &words);

        STRV_FOREACH (w, words)
                FOREACH_ARRAY (c, capability_calls, ELEMENTSOF(capability_calls))
                        if (strv_contains(named, c->capability) &&
                            (has_word(c->calls, *w) || has_word(c->names, *w))) {
                                strbuf_addf(b, FILTER "=%s\n", *w);
                                break;
                        }
        return r;
}

/* An image's list of what it keeps is cut by what no image gets by itself; its list of what it gives up is cut out of the default. */
static int add_filter(const PodApp *a, const AppSettings *s, char *const *named, StrBuf *b) {
        const AcIsolator *retain = find_isolator(a, AC_ISOLATOR_SECCOMP_RETAIN),
                         *i = retain ? retain : find_isolator(a, AC_ISOLATOR_SECCOMP_REMOVE);
        _cleanup_strv_free_ char **values = NULL;
        const char *own = first_value(s->profile, FILTER);
        int r = 0;

        /* two lists of what is allowed cannot be made one: people's counts */
        if (retain && is_replaced(s->profile, FILTER) && own && *own)
                i = retain = NULL;
        if (i && !first_value(s->file, FILTER))
                r = ac_seccomp_filter(retain != NULL, i->set, i->errno_name, &values);
        if (r < 0)
                return r;
        if (!values || !retain)
                add_default_filter(s, named, b);
        STRV_FOREACH (v, values)
                strbuf_addf(b, FILTER "=%s\n", *v);
        if (values && retain) {
                strbuf_addf(b, FILTER "=~%s\n", ac_seccomp_denied);
                STRV_FOREACH (v, values)
                        if (r >= 0)
                                r = add_given_calls(*v, named, b);
                for (char **l = s->profile; l && *l; l++) { /* what it takes away stays away */
                        const char *v = value_of(*l, FILTER);

                        if (v && *v == '~')
                                strbuf_addf(b, "%s\n", *l);
                }
                if (i->errno_name)
                        strbuf_addf(b, FILTER_ERRNO "=%s\n", i->errno_name);
        }
        return r;
}

/* Of a profile: what neither the pod file replaces nor the functions above have written. */
static void add_profile(const AppSettings *s, StrBuf *b) {
        for (char **l = s->profile; l && *l; l++) {
                _cleanup_free_ char *key = strndup(*l, strcspn(*l, "="));

                if (!key)
                        b->failed = true;
                else if (!streq(key, CAPABILITIES) && !streq(key, FILTER) && !streq(key, FILTER_ERRNO) &&
                         !is_replaced(s->file, key))
                        strbuf_addf(b, "%s\n", *l);
        }
}

/* Where bounds go, and what of them somebody has said already. */
typedef struct Bounds {
        const AcIsolator *isolators;
        size_t n_isolators;
        const AppSettings *settings; /* NULL: of the pod */
        const PodApp *app;           /* NULL: of the pod */
        StrBuf *text;
} Bounds;

static const AcIsolator *find_bound(const Bounds *b, AcIsolatorType type) {
        return ac_isolators_find(b->isolators, b->n_isolators, type);
}

static bool is_said(const Bounds *b, const char *key) {
        return b->settings && app_settings_has(b->settings, key);
}

static void add_number(const Bounds *b, const char *key, int64_t n) {
        if (!is_said(b, key))
                strbuf_addf(b->text, "%s=%" PRIi64 "\n", key, n);
}

static void add_quota(const Bounds *b, int64_t milli) {
        _cleanup_free_ char *quota = ac_cpu_quota(milli);

        if (quota)
                strbuf_addf(b->text, "CPUQuota=%s\n", quota);
        else
                b->text->failed = true;
}

/* Of the disk on which the pod lies, and of those of the app's volumes. */
static void add_block_key(const Bounds *b, const char *key, int64_t n) {
        if (is_said(b, key))
                return;
        strbuf_addf(b->text, "%s=/ %" PRIi64 "\n", key, n);
        for (size_t i = 0; b->app && i < b->app->n_mounts; i++) {
                _cleanup_free_ char *path =
                        strf("/opt/stage2/%s/rootfs%s", b->app->name, b->app->mounts[i].path);

                if (!path) {
                        b->text->failed = true;
                        return;
                }
                strbuf_addf(b->text, "%s=", key);
                unit_text_quote(b->text, path);
                strbuf_addf(b->text, " %" PRIi64 "\n", n);
        }
}

/* Bytes or operations a second. */
static void add_block_limit(const Bounds *b, AcIsolatorType type, const char *read_key,
                            const char *write_key) {
        const AcIsolator *i = find_bound(b, type);
        int64_t n;

        if (!i || !i->has_limit || ac_quantity_integer(&i->limit, &n) < 0 || n < 1)
                return;
        add_block_key(b, read_key, n);
        add_block_key(b, write_key, n);
}

/* What is requested counts against the other apps of the pod, never against the pod's neighbours: MemoryLow= protects no more
 * than the pod's own MemoryLow= does, and a weight is one among those of the pod. One core is the weight of who requests
 * nothing. */
static void add_cpu_and_memory(const Bounds *b) {
        const AcIsolator *i = find_bound(b, AC_ISOLATOR_MEMORY),
                         *shares = find_bound(b, AC_ISOLATOR_CPU_SHARES);
        int64_t n;

        if (i && i->has_request && ac_quantity_integer(&i->request, &n) >= 0)
                add_number(b, "MemoryLow", n);
        if (i && i->has_limit && ac_quantity_integer(&i->limit, &n) >= 0)
                add_number(b, "MemoryMax", n);
        i = find_bound(b, AC_ISOLATOR_CPU);
        if (i && i->has_limit && ac_quantity_milli(&i->limit, &n) >= 0 && !is_said(b, "CPUQuota"))
                add_quota(b, MAX(n, INT64_C(1)));
        if (shares)
                add_number(b, "CPUWeight", ac_cpu_weight((uint64_t) shares->number));
        else if (i && i->has_request && ac_quantity_milli(&i->request, &n) >= 0)
                add_number(b, "CPUWeight", MAX(MIN(n / 10, INT64_C(10000)), INT64_C(1)));
}

static void add_bounds(const Bounds *b) {
        add_cpu_and_memory(b);
        add_block_limit(b, AC_ISOLATOR_BLOCK_BANDWIDTH, "IOReadBandwidthMax", "IOWriteBandwidthMax");
        add_block_limit(b, AC_ISOLATOR_BLOCK_IOPS, "IOReadIOPSMax", "IOWriteIOPSMax");
}

/* An image can bound itself. It cannot make the kernel kill others first: a score below 0 is not the image's to ask for. */
static void add_resources(const PodApp *a, const AppSettings *s, StrBuf *b) {
        const AcIsolator *i = find_isolator(a, AC_ISOLATOR_OOM_SCORE_ADJ);
        const Bounds bounds = { a->app->isolators, a->app->n_isolators, s, a, b };

        add_bounds(&bounds);
        if (i && i->number > 0)
                add_number(&bounds, "OOMScoreAdjust", i->number);
}

/**
 * app_confine_all() - the bounds of all apps together
 * @m: pod, whose own isolators these are
 * @b: lines of a [Slice] are added
 */
void app_confine_all(const PodManifest *m, StrBuf *b) {
        add_bounds(&(const Bounds){ .isolators = m->isolators, .n_isolators = m->n_isolators, .text = b });
}

/* Words of CapabilityBoundingSet= and AmbientCapabilities= in the pod file and the profiles; lists with "~" left out: those
 * name what is taken away. */
static int named_capabilities(const AppSettings *s, char ***ret) {
        static const char *const keys[] = { CAPABILITIES, "AmbientCapabilities" };
        _cleanup_strv_free_ char **caps = NULL;
        int r = 0;

        for (size_t i = 0; i < 2; i++)
                for (char *const *l = i == 0 ? s->profile : s->file; l && *l; l++)
                        FOREACH_ARRAY (key, keys, ELEMENTSOF(keys)) {
                                const char *value = value_of(*l, *key);

                                if (r >= 0 && value && *value && *value != '~')
                                        r = change_capabilities(&caps, value);
                        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(caps);
        return 0;
}

static bool is_given(const PodApp *a, const AppSettings *s, const char *device) {
        for (size_t i = 0; i < a->n_mounts; i++)
                if (streq(a->mounts[i].path, device))
                        return true;
        for (size_t i = 0; i < 2; i++)
                for (char *const *l = i == 0 ? s->profile : s->file; l && *l; l++) {
                        const char *value = value_of(*l, "DeviceAllow"),
                                   *rest = value ? startswith(value, device) : NULL;

                        if (rest && (*rest == ' ' || *rest == '\0'))
                                return true;
                }
        return false;
}

/* What else nspawn puts into /dev. The policy alone does not keep an app from it: it is enforced only where somebody needs that
 * (app_needs_bpf()). */
#define DEVICE(path) path,

static const char *const nspawn_devices[] = { KERNEL_FILES_DEVICES(DEVICE) };

static void hide_devices(const PodApp *a, const AppSettings *s, StrBuf *b) {
        if (app_settings_has(s, "DevicePolicy"))
                return;
        FOREACH_ARRAY (d, nspawn_devices, ELEMENTSOF(nspawn_devices))
                if (!is_given(a, s, *d))
                        strbuf_addf(b, "InaccessiblePaths=-+%s\n", *d);
}

/**
 * app_devices_are_hidden() - is none of the devices that nspawn adds to /dev for any app of the pod?
 * @m:        pod
 * @insecure: what the administrator switched off
 * @ret:      true: they can be hidden once for all; false for a pod whose apps come later, too
 *
 * Return: 0, -ENOMEM.
 */
int app_devices_are_hidden(const PodManifest *m, InsecureFlags insecure, bool *ret) {
        bool hidden = !(insecure & INSECURE_PATHS) && !pod_manifest_is_mutable(m);

        for (size_t i = 0; i < m->n_apps && hidden; i++) {
                _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;

                if (app_settings_load(&m->apps[i], &s) < 0)
                        return -ENOMEM;
                hidden = !app_settings_has(&s, "DevicePolicy");
                FOREACH_ARRAY (d, nspawn_devices, ELEMENTSOF(nspawn_devices))
                        hidden = hidden && !is_given(&m->apps[i], &s, *d);
        }
        *ret = hidden;
        return 0;
}

/* Not where people want to see the kernel's files otherwise, or its log, or could mount the trees of all apps anew: then systemd
 * makes them for the app. */
static bool suits_trees(const AppSettings *s, char *const *named, InsecureFlags insecure) {
        static const char *const keys[] = {
                "InaccessiblePaths",     "MountAPIVFS", FILTER,           "NetworkNamespacePath",
                "PrivateNetwork",        "PrivatePIDs", "ProcSubset",     "ProtectKernelLogs",
                "ProtectKernelTunables", "ProtectProc", "ReadWritePaths",
        };

        FOREACH_ARRAY (k, keys, ELEMENTSOF(keys))
                if (app_settings_has(s, *k))
                        return false;
        return !(insecure & (INSECURE_PATHS | INSECURE_CAPABILITIES | INSECURE_SECCOMP)) &&
               !strv_contains(named, "CAP_SYSLOG") && !strv_contains(named, "CAP_SYS_ADMIN");
}

/**
 * app_confine() - all that bounds an app, except for the lines of the pod file, which come later
 * @a: app, with its "app" object
 * @s: what people said
 * @c: what the pod does
 * @b: lines of [Service] are added
 *
 * Return: 0, -ENOMEM.
 */
int app_confine(const PodApp *a, const AppSettings *s, const AppBounds *c, StrBuf *b) {
        _cleanup_strv_free_ char **named = NULL;
        int r = named_capabilities(s, &named);
        bool trees = c->kernel_files && suits_trees(s, named, c->insecure);

        add_resources(a, s, b);
        if (trees)
                strbuf_add(b, "BindPaths=" KERNEL_FILES_PROC ":/proc " KERNEL_FILES_SYS ":/sys\n");
        FOREACH_ARRAY (d, defaults, ELEMENTSOF(defaults))
                if (!(c->insecure & d->unless) && !app_settings_has(s, d->key) &&
                    !(d->capability && strv_contains(named, d->capability)) && !(trees && d->in_trees))
                        strbuf_addf(b, "%s=%s\n", d->key, d->value);
        if (!(c->insecure & INSECURE_PATHS) && !c->devices_hidden)
                hide_devices(a, s, b);
        if (r >= 0 && !(c->insecure & INSECURE_CAPABILITIES) && !is_replaced(s->file, CAPABILITIES))
                r = add_capabilities(a, s, b);
        if (r >= 0 && !(c->insecure & INSECURE_SECCOMP) && !is_replaced(s->file, FILTER))
                r = add_filter(a, s, named, b);
        add_profile(s, b);
        return r < 0 ? r : b->failed ? -ENOMEM : 0;
}

/**
 * app_capabilities() - the capabilities that people name for an app
 * @a:   app
 * @ret: of its profiles, the pod file and the command line; NULL when there are none; free with strv_free()
 *
 * nspawn must leave these to the pod, or the app could not have them.
 *
 * Return: 0, -ENOMEM.
 */
int app_capabilities(const PodApp *a, char ***ret) {
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        int r = app_settings_load(a, &s);

        return r < 0 ? r : named_capabilities(&s, ret);
}

static bool is_enforced_by_bpf(const char *line) {
        static const char *const prefixes[] = {
                "Device",      "IP", "SocketBind", "RestrictNetworkInterfaces=", "RestrictFileSystems=",
                "BPFProgram=",
        };

        FOREACH_ARRAY (p, prefixes, ELEMENTSOF(prefixes))
                if (startswith(line, *p))
                        return true;
        return false;
}

/**
 * app_needs_bpf() - must the pod's systemd load programs into the kernel for an app?
 * @a:   app, but for its volumes that are devices, or have some
 * @ret: true: for its settings, or because it may make devices. Else all that it could open is in /dev, which is ours
 *
 * Return: 0, -ENOMEM.
 */
int app_needs_bpf(const PodApp *a, bool *ret) {
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        _cleanup_strv_free_ char **named = NULL;
        bool needs = false;
        int r = app_settings_load(a, &s);

        if (r >= 0)
                r = named_capabilities(&s, &named);
        if (r < 0)
                return r;
        needs = strv_contains(named, "CAP_MKNOD") || strv_contains(named, "CAP_SYS_ADMIN");
        for (size_t i = 0; i < 2; i++)
                for (char *const *l = i == 0 ? s.profile : s.file; l && *l; l++)
                        needs = needs || is_enforced_by_bpf(*l);
        *ret = needs;
        return 0;
}

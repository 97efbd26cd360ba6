/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PodSpec as data: making, finding, freeing. What fills it is in pod-file.c (and in the verbs, from flags). */
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-spec.h"
#include "podfile/unit-keys.h"
#include "podfile/value-words.h"

/**
 * unit_settings_add() - append one KEY=VALUE
 * @u:     grows
 * @key:   copied
 * @value: unit file text, copied; "" resets the list. Capabilities are given their names, in capitals: others compare words
 * @place: where it was written
 *
 * Return: 0 or -ENOMEM.
 */
int unit_settings_add(UnitSettings *u, const char *key, const char *value, PodPlace place) {
        const UnitKey *known = unit_key_find(key);
        _cleanup_free_ char *k = strdup(key), *v = NULL;

        if (known && known->check == CHECK_CAPABILITIES) {
                if (value_capabilities_to_names(value, &v) < 0)
                        return -ENOMEM;
        } else
                v = strdup(value);
        if (!k || !v || !GREEDY_GROW(u->items, u->n))
                return -ENOMEM;
        u->items[u->n++] = (UnitSetting){ .key = TAKE_PTR(k), .value = TAKE_PTR(v), .place = place };
        return 0;
}

/**
 * unit_settings_forget() - forget a key
 * @u:   settings
 * @key: not NULL
 */
void unit_settings_forget(UnitSettings *u, const char *key) {
        size_t n = 0;

        for (size_t i = 0; i < u->n; i++)
                if (streq(u->items[i].key, key)) {
                        free(u->items[i].key);
                        free(u->items[i].value);
                } else
                        u->items[n++] = u->items[i];
        u->n = n;
}

/**
 * unit_settings_cut() - forget the last settings
 * @u: settings
 * @n: how many stay
 */
void unit_settings_cut(UnitSettings *u, size_t n) {
        for (; u->n > n; u->n--) {
                free(u->items[u->n - 1].key);
                free(u->items[u->n - 1].value);
        }
}

/**
 * unit_settings_done() - free all settings
 * @u: empty afterwards
 */
void unit_settings_done(UnitSettings *u) {
        unit_settings_cut(u, 0);
        free(u->items);
        *u = (UnitSettings){};
}

/**
 * unit_settings_last() - the value that counts for a scalar key
 * @u:   settings
 * @key: not NULL
 *
 * Return: the last value, NULL when the key is not there. Owned by @u.
 */
const char *unit_settings_last(const UnitSettings *u, const char *key) {
        for (size_t i = u->n; i-- > 0;)
                if (streq(u->items[i].key, key))
                        return u->items[i].value;
        return NULL;
}

/**
 * environment_set() - set one variable in a vector of "NAME=VALUE"
 * @env:        grows, or the older assignment of the same name is replaced in its place
 * @assignment: "NAME=VALUE", copied
 *
 * Return: 0 or -ENOMEM.
 */
int environment_set(char ***env, const char *assignment) {
        size_t n = strcspn(assignment, "=");

        STRV_FOREACH (s, *env)
                if (strncmp(*s, assignment, n) == 0 && (*s)[n] == '=')
                        return str_replace(s, assignment);
        return strv_extend(env, assignment);
}

static void volume_spec_done(VolumeSpec *v) {
        free(v->name);
        free(v->source);
        (void) strv_free(v->options);
}

static void socket_spec_done(SocketSpec *s) {
        free(s->name);
        free(s->app);
        free(s->proxy);
        free(s->idle_exit);
        unit_settings_done(&s->settings);
}

static void app_spec_done(AppSpec *a) {
        FOREACH_ARRAY (m, a->mounts, a->n_mounts) {
                free(m->volume);
                free(m->target);
        }
        free(a->mounts);
        free(a->name);
        free(a->image);
        free(a->user);
        free(a->group);
        free(a->working_directory);
        free(a->standard_input);
        free(a->standard_output);
        free(a->standard_error);
        unit_settings_done(&a->credentials);
        free(a->health_cmd);
        free(a->health_interval);
        free(a->health_timeout);
        free(a->health_retries);
        free(a->health_start_period);
        free(a->health_on_failure);
        (void) strv_free(a->exec);
        (void) strv_free(a->entrypoint);
        (void) strv_free(a->args);
        (void) strv_free(a->supplementary_groups);
        (void) strv_free(a->environment);
        (void) strv_free(a->sysctls);
        (void) strv_free(a->tmpfs);
        (void) strv_free(a->devices);
        free(a->shm_size);
        (void) strv_free(a->environment_files);
        (void) strv_free(a->after);
        (void) strv_free(a->before);
        (void) strv_free(a->requires);
        (void) strv_free(a->wants);
        (void) strv_free(a->binds_to);
        (void) strv_free(a->annotations);
        (void) strv_free(a->user_annotations);
        (void) strv_free(a->user_labels);
        unit_settings_done(&a->settings);
}

/**
 * pod_spec_free() - free a PodSpec and everything in it
 * @s: may be NULL
 *
 * Return: NULL.
 */
PodSpec *pod_spec_free(PodSpec *s) {
        if (!s)
                return NULL;
        FOREACH_ARRAY (a, s->apps, s->n_apps)
                app_spec_done(a);
        FOREACH_ARRAY (v, s->volumes, s->n_volumes)
                volume_spec_done(v);
        FOREACH_ARRAY (k, s->sockets, s->n_sockets)
                socket_spec_done(k);
        free(s->apps);
        free(s->volumes);
        free(s->sockets);
        free(s->name);
        free(s->prefix);
        free(s->instance);
        free(s->source);
        free(s->hostname);
        free(s->private_users);
        free(s->stage1);
        (void) strv_free(s->files);
        (void) strv_free(s->networks);
        (void) strv_free(s->ports);
        (void) strv_free(s->dns);
        (void) strv_free(s->dns_search);
        (void) strv_free(s->dns_options);
        free(s->dns_domain);
        (void) strv_free(s->profiles);
        (void) strv_free(s->hosts);
        (void) strv_free(s->environment);
        (void) strv_free(s->environment_files);
        (void) strv_free(s->annotations);
        (void) strv_free(s->labels);
        (void) strv_free(s->user_annotations);
        (void) strv_free(s->unsupported);
        unit_settings_done(&s->unit);
        unit_settings_done(&s->service);
        unit_settings_done(&s->install);
        unit_settings_done(&s->timer);
        free(s);
        return NULL;
}

/**
 * pod_spec_new() - a PodSpec with every default
 * @name: machine name, copied
 * @ret:  for pod_spec_free()
 *
 * Return: 0 or -ENOMEM.
 */
int pod_spec_new(const char *name, PodSpec **ret) {
        _cleanup_pod_spec_ PodSpec *s = new0(PodSpec, 1);

        if (!s)
                return -ENOMEM;
        s->overlay = true;
        s->name = strdup(name);
        s->prefix = strdup(name);
        if (!s->name || !s->prefix)
                return -ENOMEM;
        *ret = TAKE_PTR(s);
        return 0;
}

/**
 * pod_spec_add_app() - append an app with every default
 * @s:    the pod
 * @name: copied; the caller has seen to it that it is new
 * @ret:  the app, owned by @s, valid until the next app is added
 *
 * Return: 0 or -ENOMEM.
 */
int pod_spec_add_app(PodSpec *s, const char *name, AppSpec **ret) {
        _cleanup_free_ char *n = strdup(name);

        if (!n || !GREEDY_GROW(s->apps, s->n_apps))
                return -ENOMEM;
        s->apps[s->n_apps] = (AppSpec){ .name = TAKE_PTR(n), .read_only = -1 };
        *ret = &s->apps[s->n_apps++];
        return 0;
}

/**
 * pod_spec_add_volume() - append a volume with every default
 * @s:    the pod
 * @name: copied; the caller has seen to it that it is new
 * @ret:  the volume, owned by @s, valid until the next volume is added
 *
 * Return: 0 or -ENOMEM.
 */
int pod_spec_add_volume(PodSpec *s, const char *name, VolumeSpec **ret) {
        _cleanup_free_ char *n = strdup(name);

        if (!n || !GREEDY_GROW(s->volumes, s->n_volumes))
                return -ENOMEM;
        s->volumes[s->n_volumes] = (VolumeSpec){
                .name = TAKE_PTR(n),
                .read_only = -1,
                .recursive = -1,
                .mode = -1,
                .uid = -1,
                .gid = -1,
                .persistent = -1,
                .copy_up = -1,
        };
        *ret = &s->volumes[s->n_volumes++];
        return 0;
}

/**
 * pod_spec_add_socket() - append a socket section
 * @s:    the pod
 * @name: copied; NULL for [Socket] without a name
 * @ret:  the socket, owned by @s, valid until the next socket is added
 *
 * Return: 0 or -ENOMEM.
 */
int pod_spec_add_socket(PodSpec *s, const char *name, SocketSpec **ret) {
        _cleanup_free_ char *n = NULL;

        if (name) {
                n = strdup(name);
                if (!n)
                        return -ENOMEM;
        }
        if (!GREEDY_GROW(s->sockets, s->n_sockets))
                return -ENOMEM;
        s->sockets[s->n_sockets] = (SocketSpec){ .name = TAKE_PTR(n) };
        *ret = &s->sockets[s->n_sockets++];
        return 0;
}

/**
 * app_spec_add_mount() - append a mount
 * @a:      the app
 * @volume: name of a volume of the same pod, copied
 * @target: absolute path inside the app, copied
 * @ret:    the mount, owned by @a, valid until the next mount is added
 *
 * Return: 0 or -ENOMEM.
 */
int app_spec_add_mount(AppSpec *a, const char *volume, const char *target, MountSpec **ret) {
        _cleanup_free_ char *v = strdup(volume), *t = strdup(target);

        if (!v || !t || !GREEDY_GROW(a->mounts, a->n_mounts))
                return -ENOMEM;
        a->mounts[a->n_mounts] = (MountSpec){ .volume = TAKE_PTR(v), .target = TAKE_PTR(t), .read_only = -1 };
        *ret = &a->mounts[a->n_mounts++];
        return 0;
}

/**
 * pod_spec_find_app() - an app by name
 * @s:    the pod
 * @name: not NULL
 *
 * Return: the app, owned by @s; NULL when there is none.
 */
AppSpec *pod_spec_find_app(const PodSpec *s, const char *name) {
        FOREACH_ARRAY (a, s->apps, s->n_apps)
                if (streq(a->name, name))
                        return a;
        return NULL;
}

/**
 * pod_spec_find_volume() - a volume by name
 * @s:    the pod
 * @name: not NULL
 *
 * Return: the volume, owned by @s; NULL when there is none.
 */
VolumeSpec *pod_spec_find_volume(const PodSpec *s, const char *name) {
        FOREACH_ARRAY (v, s->volumes, s->n_volumes)
                if (streq(v->name, name))
                        return v;
        return NULL;
}

/* Lower-case letters, digits and inner "-". */
static bool name_is_valid(const char *name, size_t max) {
        size_t n = strlen(name);

        return n > 0 && n <= max && str_in_set(name, "abcdefghijklmnopqrstuvwxyz0123456789-") &&
               name[0] != '-' && name[n - 1] != '-';
}

/**
 * pod_name_is_valid() - may a pod (or an instance) have this name?
 * @name: not NULL
 *
 * Return: true for 1-63 lower-case letters, digits and inner "-": a machine name, a host name and a unit's instance alike.
 */
bool pod_name_is_valid(const char *name) {
        return name_is_valid(name, 63);
}

/**
 * app_name_is_valid() - may an app or a volume have this name?
 * @name: not NULL
 *
 * Return: true for an appc AC Name of at most 200 bytes, because a unit's name is made from it.
 */
bool app_name_is_valid(const char *name) {
        return name_is_valid(name, 200);
}

/**
 * app_name_is_reserved() - has a pod something of its own by this name?
 * @name: valid
 *
 * Units with "@" in their names are nobody's app; neither are drop-ins of an app of another name, as no directory of them ends
 * with a dash.
 *
 * Return: true for services and sockets of the pod's frame, whether this pod has them or not, and for users of its own: an app
 * is all of these.
 */
bool app_name_is_reserved(const char *name) {
        static const char *const names[] = { "dbus",      "messagebus",       "nobody",
                                             "rkt-exit",  "rkt-metadata",     "rkt-proxy",
                                             "rkt-ready", "rkt-reboot",       "rkt-sysctl",
                                             "root",      "systemd-journald", "systemd-journald-dev-log" };

        FOREACH_ARRAY (n, names, ELEMENTSOF(names))
                if (streq(*n, name))
                        return true;
        return false;
}

static int word_index(const char *const *words, size_t n, const char *s) {
        for (size_t i = 0; i < n; i++)
                if (streq(words[i], s))
                        return (int) i;
        return -EINVAL;
}

static const char *const pull_policies[_PULL_POLICY_MAX] = {
        [PULL_MISSING] = "missing",
        [PULL_NEWER] = "newer",
        [PULL_ALWAYS] = "always",
        [PULL_NEVER] = "never",
};

/**
 * pull_policy_to_string() - the word of Pull=
 * @p: valid
 *
 * Return: a constant.
 */
const char *pull_policy_to_string(PullPolicy p) {
        return pull_policies[p];
}

/**
 * pull_policy_from_string() - by the words of Pull=, or rkt's --pull-policy=
 * @s: not NULL
 *
 * Return: the policy, or _PULL_POLICY_INVALID.
 */
PullPolicy pull_policy_from_string(const char *s) {
        if (streq(s, "new"))
                return PULL_MISSING;
        if (streq(s, "update"))
                return PULL_NEWER;
        return (PullPolicy) word_index(pull_policies, _PULL_POLICY_MAX, s);
}

static const char *const pod_exit_policies[_POD_EXIT_POLICY_MAX] = {
        [POD_EXIT_ON_FAILURE] = "on-failure",
        [POD_EXIT_ANY] = "any",
        [POD_EXIT_ALL] = "all",
        [POD_EXIT_NEVER] = "never",
};

/**
 * pod_exit_policy_to_string() - the word of ExitPolicy=
 * @p: valid
 *
 * Return: a constant.
 */
const char *pod_exit_policy_to_string(PodExitPolicy p) {
        return pod_exit_policies[p];
}

/**
 * pod_exit_policy_from_string() - by the word of ExitPolicy=
 * @s: not NULL
 *
 * Return: the policy, or _POD_EXIT_POLICY_INVALID.
 */
PodExitPolicy pod_exit_policy_from_string(const char *s) {
        return (PodExitPolicy) word_index(pod_exit_policies, _POD_EXIT_POLICY_MAX, s);
}

static const char *const pod_log_modes[_POD_LOG_MODE_MAX] = {
        [POD_LOG_BOTH] = "both",
        [POD_LOG_JOURNAL] = "journal",
        [POD_LOG_HOST] = "host",
};

/**
 * pod_log_mode_to_string() - the word of Log=
 * @m: valid
 *
 * Return: a constant.
 */
const char *pod_log_mode_to_string(PodLogMode m) {
        return pod_log_modes[m];
}

/**
 * pod_log_mode_from_string() - by the word of Log=
 * @s: not NULL
 *
 * Return: the mode, or _POD_LOG_MODE_INVALID.
 */
PodLogMode pod_log_mode_from_string(const char *s) {
        return (PodLogMode) word_index(pod_log_modes, _POD_LOG_MODE_MAX, s);
}

/**
 * credential_id_is_valid() - can a credential be called so?
 * @id: not ended by NUL
 * @n:  bytes
 *
 * Return: true for a file name of letters, digits, '.', '_' and '-' that does not begin with a dot.
 */
bool credential_id_is_valid(const char *id, size_t n) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

        if (n == 0 || n > CREDENTIAL_ID_MAX || *id == '.')
                return false;
        for (size_t i = 0; i < n; i++)
                if (!id[i] || !strchr(allowed, id[i]))
                        return false;
        return true;
}

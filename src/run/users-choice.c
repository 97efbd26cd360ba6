/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two kinds of reasons not to have private users: what the manifest asks for, which the kernel has only for the host's root, and
 * what turns out when the pod starts: volumes, or the disk of the pod, whose owners this kernel cannot translate. With
 * PrivateUsers=pick the former is an error where it would be silent, the latter always (podfile/pod-check.c, users_check(), volume.c).
 * All of them are the administrator's words, or facts of the host: an image cannot widen what is the default. */
#include "run/users-choice.h"

#include <errno.h>
#include <linux/mount.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/insecure.h"
#include "basic/mount-fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-isolator.h"
#include "pod/pod-compose.h"
#include "podfile/users-check.h"
#include "run/app-confine.h"

static int say(char **ret_why, char *sentence) {
        if (!sentence)
                return -ENOMEM;
        *ret_why = sentence;
        return 1;
}

static bool is_said(char *const *lines, const char *key, size_t n) {
        for (; lines && *lines; lines++)
                if (strncmp(*lines, key, n) == 0 && (*lines)[n] == '=' && (*lines)[n + 1] != '~')
                        return true;
        return false;
}

/* Of a list, the first line that needs as much, and that @instead does not say something else about. */
static int find_line(char *const *lines, char *const *instead, UsersNeed least, const char **ret) {
        for (; lines && *lines; lines++) {
                const char *eq = strchr(*lines, '=');
                _cleanup_free_ char *key = eq ? strndup(*lines, (size_t) (eq - *lines)) : NULL;

                if (!eq || is_said(instead, *lines, (size_t) (eq - *lines)))
                        continue;
                if (!key)
                        return -ENOMEM;
                if (users_need(key, eq + 1) >= least) {
                        *ret = *lines;
                        return 1;
                }
        }
        return 0;
}

/* What is said of an app that needs as much of the host; a profile is asked where the pod file is silent. */
static int find_setting(const PodApp *a, UsersNeed least, char **ret) {
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        const char *line = NULL;
        int r = app_settings_load(a, &s);

        if (r >= 0)
                r = find_line(s.profile, s.file, least, &line);
        if (r == 0)
                r = find_line(s.file, NULL, least, &line);
        return r > 0 ? say(ret, strdup(line)) : r;
}

static int need_of_settings(const PodApp *a, char **ret_why) {
        _cleanup_free_ char *line = NULL;
        int r = find_setting(a, USERS_NEED_HOST, &line);

        return r > 0 ? say(ret_why, strf("app '%s' has %.200s", a->name, line)) : r;
}

static int need_of_capabilities(const PodApp *a, bool has_network, char **ret_why) {
        _cleanup_strv_free_ char **caps = NULL;
        int r = app_capabilities(a, &caps);

        for (char **c = caps; c && *c && r == 0; c++)
                if (users_need_capability(*c, has_network))
                        r = say(ret_why, strf("app '%s' has %s", a->name, *c));
        return r;
}

/* What people say. A user or group of the image's that the pod does not have is an error when the app's root is there
 * (app_root_find_user()): no image chooses the host's users for its pod. */
static int need_of_users(const PodApp *a, char **ret_why) {
        _cleanup_strv_free_ char **groups = NULL;
        int r = strv_split(str_or(pod_app_annotation(a, APP_ANNOTATION_GROUPS), ""), " ", &groups);

        for (char **g = groups; g && *g && r == 0; g++)
                if (users_is_above(*g))
                        r = say(ret_why, strf("app '%s' is in group %s", a->name, *g));
        if (r != 0 || !pod_app_annotation(a, APP_ANNOTATION_USERS))
                return r;
        if (users_is_above(a->app->user) || users_is_above(a->app->group))
                return say(ret_why, strf("app '%s' runs as user %s, group %s", a->name, a->app->user,
                                         str_or(a->app->group, "0")));
        for (size_t i = 0; i < a->app->n_supplementary_gids; i++)
                if (a->app->supplementary_gids[i] >= USERS_END)
                        return say(ret_why, strf("app '%s' is in group %u", a->name,
                                                 (unsigned) a->app->supplementary_gids[i]));
        return 0;
}

static int need_of_app(const PodApp *a, bool has_network, char **ret_why) {
        int r = need_of_settings(a, ret_why);

        if (r == 0)
                r = need_of_capabilities(a, has_network, ret_why);
        return r == 0 ? need_of_users(a, ret_why) : r;
}

/* Settings of a network that is made for the pod are made with it (network_set_sysctls()). */
static int need_of_sysctls(const PodManifest *m, NetworkKind network, char **ret_why) {
        const AcIsolator *i = ac_isolators_find(m->isolators, m->n_isolators, AC_ISOLATOR_SYSCTL);

        for (size_t k = 0; i && k < i->n_sysctls; k++)
                if (network != NETWORK_OWN || strpbrk(i->sysctls[k].name, "*?[") ||
                    ac_sysctl_is_ipc(
                            i->sysctls[k].name)) /* with its own users it could not have an IPC of its own */
                        return say(ret_why, strf("the pod has Sysctl=%.200s", i->sysctls[k].name));
        return 0;
}

/**
 * users_need_of_pod() - what of a manifest is only for a pod with the host's users?
 * @m:       manifest; every app has its "app" object
 * @network: of the pod
 * @ret_why: half a sentence when there is something, to be freed
 *
 * Return: 1: there is; 0; -ENOMEM.
 */
int users_need_of_pod(const PodManifest *m, NetworkKind network, char **ret_why) {
        const char *words = pod_manifest_annotation(m, POD_ANNOTATION_INSECURE);
        InsecureFlags insecure = INSECURE_NONE;
        int r = 0;

        if (words && *words)
                (void) insecure_flags_parse(words, &insecure, NULL);
        if (network == NETWORK_HOST)
                return say(ret_why, strdup("its network is the host's"));
        if (streq_ptr(pod_manifest_annotation(m, POD_ANNOTATION_IPC), "parent"))
                return say(ret_why, strdup("its semaphores and shared memory are the host's"));
        if (volume_has_devices(m)) /* the policy of an app would bind nobody */
                return say(ret_why, strdup("a volume has the option dev"));
        if (insecure & INSECURE_CAPABILITIES)
                return say(ret_why, strdup("its capabilities are not limited"));
        for (size_t i = 0; i < m->n_apps && r == 0; i++)
                r = need_of_app(&m->apps[i], network != NETWORK_NONE, ret_why);
        return r == 0 ? need_of_sysctls(m, network, ret_why) : r;
}

/**
 * users_check() - does an app of a pod with private users have a setting that would bind nobody, or fail?
 * @m: manifest; every app has its "app" object
 * @e: sentence on failure; may be NULL
 *
 * A pod file is told so by file and line before (podfile/pod-check.c); profiles and flags are not known there.
 *
 * Return: 0; -EINVAL: there is one; -ENOMEM.
 */
int users_check(const PodManifest *m, Error *e) {
        FOREACH_ARRAY (a, m->apps, m->n_apps) {
                _cleanup_free_ char *line = NULL;
                int r = find_setting(a, USERS_NEED_NEVER, &line);

                if (r < 0)
                        return error_oom(e);
                if (r > 0)
                        return error_setf(e, -EINVAL,
                                          "app '%s' has %.200s: the kernel does not let a pod with private "
                                          "users set it (use PrivateUsers=no)",
                                          a->name, line);
        }
        return 0;
}

/* Everything that is the pod's own lies where its directory does. */
static int need_of_disk(int pod_fd, const Userns *u, char **ret_why, Error *e) {
        static const struct mount_attr unchanged = {};
        _cleanup_error_ Error why = ERROR_INIT;
        _cleanup_close_ int tree = -EBADF;
        int r = mount_clone_tree(pod_fd, &unchanged, false, &tree);

        if (r < 0)
                return error_setf(e, r, "cannot clone the mount of the pod's directory: %s", strerror(-r));
        r = userns_map_mount(u, tree, false, &why);
        if (r >= 0)
                return 0;
        return say(ret_why, strf("where the pod lies: %s", error_text(&why, r))) < 0 ? error_oom(e) : 1;
}

/**
 * users_choose() - the users of a pod with PrivateUsers=auto
 * @c:       the pod; @c->users is not looked at
 * @machine: its name
 * @network: its network
 * @ret:     picked, or the host's; for userns_done(), on failure too
 * @ret_why: half a sentence when they are the host's, to be freed; else NULL
 * @e:       sentence on failure; may be NULL
 *
 * The caller is root, has one thread, and its mount namespace is its own.
 *
 * Return: 0; -ENOMEM; errors of mounting.
 */
int users_choose(const VolumeContext *c, const char *machine, NetworkKind network, Userns *ret,
                 char **ret_why, Error *e) {
        _cleanup_error_ Error why = ERROR_INIT;
        VolumeContext v = *c;
        int r;

        *ret = USERNS_INIT;
        *ret_why = NULL;
        r = users_need_of_pod(c->manifest, network, ret_why);
        if (r != 0)
                return r < 0 ? error_oom(e) : 0;
        r = userns_open(USERNS_PICK, machine, ret, &why);
        v.users = ret;
        if (r < 0)
                r = say(ret_why, strdup(error_text(&why, r))) < 0 ? error_oom(e) : 1;
        if (r == 0)
                r = need_of_disk(c->pod_fd, ret, ret_why, e);
        if (r == 0)
                r = volume_need_host_users(&v, ret_why, e);
        if (r != 0)
                userns_done(ret);
        return r < 0 ? r : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd skips a word that it does not know, with a line in a journal that nobody reads: a filter with a misspelt system call
 * would be another filter. Here it is an error that names the word. A system call that only other architectures have is
 * known, and is nothing on this one. */
#include "pod/app-check.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-isolator.h"
#include "manifest/ac-seccomp.h"
#include "podfile/value-check.h"

/* Groups of systemd 252 and later (systemd.exec(5)), without "@". */
static bool group_is_known(const char *name) {
        static const char *const groups[] = {
                "aio",        "basic-io",    "chown",    "clock",      "cpu-emulation",  "debug",
                "default",    "file-system", "io-event", "ipc",        "keyring",        "known",
                "memlock",    "module",      "mount",    "network-io", "obsolete",       "pkey",
                "privileged", "process",     "raw-io",   "reboot",     "resources",      "sandbox",
                "setuid",     "signal",      "swap",     "sync",       "system-service", "timer",
        };

        FOREACH_ARRAY (g, groups, ELEMENTSOF(groups))
                if (streq(*g, name))
                        return true;
        return false;
}

static bool call_is_known(const char *name) {
        return seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR;
}

static int check_set(const AcIsolator *i, Error *e) {
        static const char *const sets[] = { "@appc.io/all",           "@appc.io/empty",
                                            "@rkt/default-whitelist", "@docker/default-whitelist",
                                            "@rkt/default-blacklist", "@docker/default-blacklist" };

        STRV_FOREACH (w, i->set) {
                const char *group = ac_seccomp_group(*w);
                bool known = **w == '@' ? group && group_is_known(group) : call_is_known(*w);

                FOREACH_ARRAY (s, sets, ELEMENTSOF(sets))
                        known = known || streq(*s, *w);
                if (!known)
                        return error_setf(e, -EINVAL, "isolator %s: %s '%.100s'", i->name,
                                          **w == '@' ? "there is no set" : "Linux has no system call", *w);
        }
        if (i->errno_name && value_check(CHECK_ERRNO, i->errno_name))
                return error_setf(e, -EINVAL, "isolator %s: Linux has no error '%.100s'", i->name,
                                  i->errno_name);
        return 0;
}

/**
 * app_check_isolators() - can the isolators of an app be meant?
 * @app: what an image says
 * @e:   names the isolator and its word
 *
 * A name that no kernel knows says that the image means something else than it says.
 *
 * Return: 0, -EINVAL.
 */
int app_check_isolators(const AcApp *app, Error *e) {
        int r = 0;

        for (size_t n = 0; n < app->n_isolators && r >= 0; n++) {
                const AcIsolator *i = &app->isolators[n];

                if (i->type == AC_ISOLATOR_SECCOMP_RETAIN || i->type == AC_ISOLATOR_SECCOMP_REMOVE)
                        r = check_set(i, e);
                if (i->type != AC_ISOLATOR_CAPABILITIES_RETAIN && i->type != AC_ISOLATOR_CAPABILITIES_REMOVE)
                        continue;
                STRV_FOREACH (c, i->set)
                        if (!ac_capability_is_known(*c))
                                return error_setf(e, -EINVAL, "isolator %s: Linux has no capability '%.100s'",
                                                  i->name, *c);
        }
        return r;
}

/* A word of SystemCallFilter=: "@group", "call", each with ":ERROR" or without. */
static int check_word(const char *word, Error *e) {
        _cleanup_free_ char *name = strndup(word, strcspn(word, ":"));
        const char *colon = strchr(word, ':');

        if (!name)
                return error_oom(e);
        if (colon && value_check(CHECK_ERRNO, colon + 1))
                return error_setf(e, -EINVAL, "SystemCallFilter: Linux has no error '%.100s'", colon + 1);
        if (*name == '@' ? group_is_known(name + 1) : call_is_known(name))
                return 0;
        return error_setf(e, -EINVAL, "SystemCallFilter: %s '%.100s'",
                          *name == '@' ? "systemd has no group" : "Linux has no system call", name);
}

/**
 * app_check_settings() - does systemd know the words of an app's settings?
 * @settings: of a pod file or a command line
 * @e:        names the word
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int app_check_settings(const UnitSettings *settings, Error *e) {
        int r = 0;

        FOREACH_ARRAY (u, settings->items, settings->n) {
                _cleanup_strv_free_ char **words = NULL;

                if (streq(u->key, "SystemCallErrorNumber") && *u->value && value_check(CHECK_ERRNO, u->value))
                        return error_setf(e, -EINVAL, "%s: Linux has no error '%.100s'", u->key, u->value);
                if (!streq(u->key, "SystemCallFilter"))
                        continue;
                if (strv_split(u->value + (*u->value == '~'), " \t", &words) < 0)
                        return error_oom(e);
                for (char **w = words; w && *w && r >= 0; w++)
                        if (**w)
                                r = check_word(*w, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const char *why_ignored(const AcIsolator *i) {
        switch (i->type) {
        case AC_ISOLATOR_UNKNOWN: return "it is not known here";
        case AC_ISOLATOR_SYSCTL: return "an image has no say in the settings of the kernel";
        case AC_ISOLATOR_NETWORK_BANDWIDTH:
                return "neither systemd nor the kernel can do that for an app alone";
        case AC_ISOLATOR_SELINUX_CONTEXT: return "the pod's systemd does not load an SELinux policy";
        case AC_ISOLATOR_APPARMOR_PROFILE: return "the pod's systemd cannot load AppArmor profiles";
        case AC_ISOLATOR_OOM_SCORE_ADJ:
                return i->number < 0 ? "an image cannot make others die first; OOMScoreAdjust= can" : NULL;
        case AC_ISOLATOR_NO_NEW_PRIVILEGES:
                return i->number ? NULL : "an image cannot ask for it; NoNewPrivileges=no can";
        default: return NULL;
        }
}

/**
 * pod_ignored_isolators() - which isolators of a pod have no effect, and why
 * @m:        pod manifest
 * @warnings: sentences are added
 *
 * Return: 0, -ENOMEM.
 */
int pod_ignored_isolators(const PodManifest *m, char ***warnings) {
        int r = 0;

        for (size_t n = 0; n < m->n_isolators && r >= 0; n++) {
                const AcIsolator *i = &m->isolators[n];
                const char *why = i->type == AC_ISOLATOR_SYSCTL              ? NULL
                                  : i->type == AC_ISOLATOR_NETWORK_BANDWIDTH ? "networks have no limits yet"
                                                                             : why_ignored(i);

                if (why)
                        r = strv_extendf(warnings, "the pod's isolator %s is ignored: %s", i->name, why);
        }
        return r;
}

/**
 * app_ignored_isolators() - which isolators of an image have no effect, and why
 * @app:      what an image says
 * @name:     of the app
 * @warnings: sentences are added
 *
 * Return: 0, -ENOMEM.
 */
int app_ignored_isolators(const AcApp *app, const char *name, char ***warnings) {
        int r = 0;

        for (size_t n = 0; n < app->n_isolators && r >= 0; n++) {
                const AcIsolator *i = &app->isolators[n];
                const char *why = why_ignored(i);

                /* only the last of a kind counts */
                if (why && (i->type == AC_ISOLATOR_UNKNOWN ||
                            ac_isolators_find(app->isolators, app->n_isolators, i->type) == i))
                        r = strv_extendf(warnings, "app '%s': the image's isolator %s is ignored: %s", name,
                                         i->name, why);
        }
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PodmanArgs=: what is a key by another name is taken over, and what is not known may confine, so it refuses the pod. */
#include <string.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/word.h"
#include "podfile/quadlet-set.h"

#define WORDS_MAX 2000U

typedef struct Argument {
        const char *name;
        const char *key;  /* of [Container] */
        const char *note; /* instead: why it goes */
        char letter;
        bool has_no_value; /* alone it is true */
} Argument;

/* clang-format off */
static const Argument arguments[] = {
        { "add-host", "AddHost" },        { "annotation", "Annotation" },   { "cap-add", "AddCapability" },
        { "cap-drop", "DropCapability" }, { "device", "AddDevice" },        { "dns", "DNS" },
        { "entrypoint", "Entrypoint" },   { "env", "Environment", NULL, 'e' },       { "env-file", "EnvironmentFile" },
        { "group-add", "GroupAdd" },      { "health-cmd", "HealthCmd" },    { "hostname", "HostName", NULL, 'h' },
        { "label", "Label", NULL, 'l' },           { "memory", "Memory", NULL, 'm' },         { "mount", "Mount" },
        { "pids-limit", "PidsLimit" },    { "publish", "PublishPort", NULL, 'p' },   { "read-only", "ReadOnly", NULL, 0, true },
        { "shm-size", "ShmSize" },        { "stop-signal", "StopSignal" },  { "stop-timeout", "StopTimeout" },
        { "sysctl", "Sysctl" },           { "tmpfs", "Tmpfs" },             { "tz", "Timezone" },
        { "ulimit", "Ulimit" },           { "user", "User", NULL, 'u' },             { "userns", "UserNS" },
        { "volume", "Volume", NULL, 'v' },         { "workdir", "WorkingDir", NULL, 'w' },
        { "gpus", NULL, "name the devices in Device=, and bring their files by Volume=" },
        { "init", NULL, "an app is never PID 1: systemd is", 0, true },
        { "log-level", NULL, "that is Podman's own" },
        { "privileged", NULL, "not given: name the capabilities and devices that the app needs", 0, true },
        { "replace", NULL, "that is Podman's own", 0, true },
        { "rm", NULL, "that is Podman's own", 0, true },
};
/* clang-format on */

static const Argument *find(const char *word, const char **ret_value) {
        const char *name = startswith(word, "--");
        size_t n = name ? strcspn(name, "=") : 0;

        FOREACH_ARRAY (a, arguments, ELEMENTSOF(arguments)) {
                if (name && strlen(a->name) == n && strncmp(a->name, name, n) == 0) {
                        *ret_value = name[n] ? name + n + 1 : NULL;
                        return a;
                }
                if (!name && a->letter && word[0] == '-' && word[1] == a->letter) {
                        *ret_value = word[2] == '=' ? word + 3 : word[2] ? word + 2 : NULL;
                        return a;
                }
        }
        return NULL;
}

/* "1.5" CPUs */
static int cpus(Draft *d, const QuadletLine *line, const char *value) {
        const char *point = strchr(value, '.');
        _cleanup_free_ char *whole = strndup(value, strcspn(value, "."));
        unsigned n = 0, hundredths = 0;
        char digits[3] = "00";

        for (size_t i = 0; point && i < 2 && point[i + 1]; i++)
                digits[i] = point[i + 1];
        if (!whole)
                return -ENOMEM;
        if (parse_uint(*whole ? whole : "0", 100000, &n) < 0 || parse_uint(digits, 99, &hundredths) < 0)
                return draft_refuse(d, line, "--cpus is no number");
        return draft_add(d, d->app, line, true, "CPUQuota=%u%%", n * 100 + hundredths);
}

static int security(Draft *d, const QuadletLine *line, const char *value) {
        if (startswith(value, "no-new-privileges") && !strstr(value, "false"))
                return draft_add(d, d->app, line, true, "NoNewPrivileges=yes");
        if (streq(value, "seccomp=unconfined") || streq(value, "apparmor=unconfined") ||
            startswith(value, "label=") || startswith(value, "unmask="))
                return draft_note(d, line,
                                  "--security-opt=%.100s has no counterpart: rkt's own protection stays",
                                  value);
        return draft_refuse(d, line,
                            "--security-opt=%.100s has no counterpart: take it out if rkt's own "
                            "protection will do",
                            value);
}

static int argument(Draft *d, const QuadletLine *line, const Argument *a, const char *value) {
        const QuadletKey *key = a->key ? quadlet_key_find(QUADLET_CONTAINER, a->key) : NULL;

        return key ? key->set(d, key, line, value)
                   : draft_note(d, line, "--%s has no counterpart: %s", a->name, a->note);
}

/* One of two that take a value, which is in the same word or in the next. */
static const char *value_of(const char *word, const char *option, char ***w) {
        const char *rest = startswith(word, option);

        if (!rest || (*rest != '=' && *rest != '\0'))
                return NULL;
        return *rest ? rest + 1 : (*w)[1] ? *++*w : "";
}

QUADLET_SETTER(podman_arguments) {
        _cleanup_strv_free_ char **words = NULL;
        int r = word_split(value, WORDS_MAX, &words);

        (void) key;
        if (r < 0)
                return r == -ENOMEM ? r : draft_refuse(d, line, "quotes or escapes do not match");
        for (char **w = words; w && *w && r >= 0; w++) {
                const char *v = NULL, *word = *w;
                const Argument *a = find(word, &v);

                if (d->unit->kind == QUADLET_POD)
                        r = draft_refuse(d, line, "'%.100s' has no counterpart: say it in keys", word);
                else if ((v = a ? v : value_of(word, "--cpus", &w)) && !a)
                        r = cpus(d, line, v);
                else if (!a && (v = value_of(word, "--security-opt", &w)))
                        r = security(d, line, v);
                else if (!a)
                        r = draft_refuse(d, line,
                                         "'%.100s' is not known, and may confine the app: say it in "
                                         "keys of rkt.pod(5), and take it out",
                                         word);
                else
                        r = argument(d, line, a, v ? v : a->has_no_value ? "true" : w[1] ? *++w : "");
        }
        return r;
}

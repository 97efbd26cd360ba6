/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* [Unit], [Service], [Socket], [Timer], [Install]: keys of systemd's for the host's units, as they are, except what
 * pod@.service itself needs. */
#include <string.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-loader.h"

static const struct {
        PodSection section;
        const char *key;
        const char *instead;
} refused[] = {
        { POD_SECTION_UNIT, "SourcePath", "it always names the pod file" },
        { POD_SECTION_SERVICE, "Delegate", "pod@.service delegates to the pod" },
        { POD_SECTION_SERVICE, "DelegateSubgroup", "pod@.service delegates to the pod" },
        { POD_SECTION_SERVICE, "DynamicUser", "an app's user is set in [App]: User=" },
        { POD_SECTION_SERVICE, "ExecStart", "an app's command is set in [App]: Exec=" },
        { POD_SECTION_SERVICE, "Group", "an app's group is set in [App]: Group=" },
        { POD_SECTION_SERVICE, "KillMode", "the pod stops its apps itself; [App] KillMode= is for an app" },
        { POD_SECTION_SERVICE, "NotifyAccess", "systemd-nspawn tells when the pod is ready" },
        { POD_SECTION_SERVICE, "RootDirectory", "an app's root is its image: [App] Image=" },
        { POD_SECTION_SERVICE, "RootImage", "an app's root is its image: [App] Image=" },
        { POD_SECTION_SERVICE, "Type", "the pod is ready when its apps are; [App] Type= is for an app" },
        { POD_SECTION_SERVICE, "User", "an app's user is set in [App]: User=" },
        { POD_SECTION_SOCKET, "ListenFIFO", "a pod can be given sockets only" },
        { POD_SECTION_SOCKET, "ListenMessageQueue", "a pod can be given sockets only" },
        { POD_SECTION_SOCKET, "ListenNetlink",
          "a pod can be given stream, datagram and packet sockets only" },
        { POD_SECTION_SOCKET, "ListenSpecial", "a pod can be given sockets only" },
        { POD_SECTION_SOCKET, "ListenUSBFunction", "a pod can be given sockets only" },
        { POD_SECTION_SOCKET, "Service", "it always is the pod; App= says which app" },
        { POD_SECTION_TIMER, "Unit", "it always is the pod" },
        { POD_SECTION_INSTALL, "Alias", "systemd has no second name for an instance of a template" },
        { POD_SECTION_INSTALL, "Also", "each pod has its own [Install]" },
        { POD_SECTION_INSTALL, "DefaultInstance", "[Pod] Instances= says which instances there are" },
};

static const char *why_refused(PodSection section, const char *key, const char *value) {
        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                if (refused[i].section == section && streq(refused[i].key, key))
                        return refused[i].instead;
        if (section == POD_SECTION_SERVICE && streq(key, "Slice") && !streq(value, "machine.slice") &&
            !(startswith(value, "machine-") && endswith(value, ".slice")))
                return "a pod lives in machine.slice, or a slice below: machine-NAME.slice";
        if (section == POD_SECTION_SERVICE && streq(key, "ExecStopPost") && *value == '\0')
                return "an empty value would take away what cleans up after the pod";
        if (section == POD_SECTION_SOCKET && streq(key, "Accept") && parse_boolean(value) > 0)
                return "the pod is started once and given the listening sockets";
        return NULL;
}

/* NAME.pod and NAME@INST.pod become the units of these pods. Other words stay. */
static int rewrite_pods(const char *value, char **ret, const char **ret_bad) {
        _cleanup_strv_free_ char **words = NULL;
        int r;

        r = strv_split(value, " \t", &words);
        if (r < 0)
                return r;
        STRV_FOREACH (w, words) {
                const char *suffix = endswith(*w, ".pod");
                char *unit, *at;

                if (!suffix)
                        continue;
                unit = strf("pod@%.*s.service", (int) (suffix - *w), *w);
                if (!unit)
                        return -ENOMEM;
                at = strchr(unit + strlen("pod@"), '@');
                if (at)
                        *at = '-';
                unit[strlen(unit) - strlen(".service")] = '\0';
                if (!pod_name_is_valid(unit + strlen("pod@")))
                        *ret_bad = suffix;
                unit[strlen(unit)] = '.';
                free(*w);
                *w = unit;
                if (*ret_bad)
                        return 0;
        }
        return strv_join(words, " ", ret);
}

/* These two return 1, 0 (a mistake was recorded), -ENOMEM. */
static int rewrite_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSetting *s) {
        _cleanup_free_ char *value = NULL;
        const char *bad = NULL;
        int r;

        if (!strstr(s->value, ".pod"))
                return 1;
        r = rewrite_pods(s->value, &value, &bad);
        if (r < 0)
                return r;
        if (bad)
                return loader_bad_value(
                        l, part, line, s->value,
                        "not a pod's name (NAME.pod: lower-case letters, digits and inner '-')");
        free(s->value);
        s->value = TAKE_PTR(value);
        return 1;
}

/* [Install] becomes links that we make: final names only. */
static int check_install(PodLoader *l, const PodPart *part, const PodLine *line, const UnitSetting *s) {
        if (strpbrk(s->value, "%/"))
                return loader_bad_value(l, part, line, s->value,
                                        "not a list of units (%H, %m and %b cannot be used here)");
        return 1;
}

/* An empty value forgets what the pod file has said so far. Returns whether it must be written, too: systemd cannot reset
 * dependencies, and links are ours. */
static bool reset(const PodPart *part, const PodLine *line, UnitSettings *settings) {
        unit_settings_forget(settings, pod_line_key(line));
        return part->section != POD_SECTION_INSTALL && line->unit_key->check != CHECK_UNITS;
}

/**
 * loader_host_setting() - a key for one of the host's units
 * @l:        the loader
 * @part:     the section of the line
 * @line:     the line
 * @settings: grows
 *
 * Return: 0 or -ENOMEM.
 */
int loader_host_setting(PodLoader *l, const PodPart *part, const PodLine *line, UnitSettings *settings) {
        const char *instead = why_refused(part->section, pod_line_key(line), line->value);
        size_t n;
        int r;

        if (instead)
                return loader_bad(l, part, line, "cannot be set for a pod (%s)", instead);
        if (*line->value == '\0' && !reset(part, line, settings))
                return 0;
        n = settings->n;
        r = loader_add_setting(l, part, line, settings);
        if (r < 0 || settings->n == n)
                return r;
        r = line->unit_key->check == CHECK_UNITS ? rewrite_setting(l, part, line, &settings->items[n]) : 1;
        if (r > 0 && part->section == POD_SECTION_INSTALL)
                r = check_install(l, part, line, &settings->items[n]);
        if (r == 0)
                unit_settings_cut(settings, n);
        return r < 0 ? r : 0;
}

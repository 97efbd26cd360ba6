/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can only be seen when the whole pod has been read: what is missing, and what contradicts itself. */
#include <string.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-loader.h"
#include "podfile/pod-order.h"
#include "podfile/users-check.h"

/* The sections of one kind are in the same order as the apps, volumes or sockets made of them. */
static const PodPart *part_of(const PodText *t, PodSection section, size_t index) {
        FOREACH_ARRAY (p, t->parts, t->n_parts)
                if (p->section == section && index-- == 0)
                        return p;
        return NULL;
}

static const PodLine *line_of(const PodPart *p, const char *key) {
        for (size_t i = p->n_lines; i-- > 0;)
                if (streq(pod_line_key(&p->lines[i]), key))
                        return &p->lines[i];
        return NULL;
}

static bool same_place(const char *tmpfs, const char *path, size_t n) {
        return strcspn(tmpfs, ":") == n && strncmp(tmpfs, path, n) == 0;
}

/* What is mounted first would be hidden by the other, whichever that is. */
static int check_places(PodLoader *l, const PodPart *part, const AppSpec *a) {
        const PodLine *line = line_of(part, "TemporaryFileSystem");
        int r = 0;

        for (char **t = a->tmpfs; t && *t && r >= 0; t++) {
                size_t n = strcspn(*t, ":");
                bool twice = false;

                for (char **other = a->tmpfs; other < t; other++)
                        twice = twice || same_place(*other, *t, n);
                FOREACH_ARRAY (m, a->mounts, a->n_mounts)
                        twice = twice || same_place(*t, m->target, strlen(m->target));
                if (twice)
                        r = loader_bad(l, part, line,
                                       "'%.*s' is mounted twice (TemporaryFileSystem=, Volume=)",
                                       (int) MIN(n, 200U), *t);
        }
        return r;
}

static int check_app(PodLoader *l, const PodPart *part, const AppSpec *a) {
        const char *type = unit_settings_last(&a->settings, "Type"),
                   *restart = unit_settings_last(&a->settings, "Restart");
        int r = 0;

        if (!a->image && !line_of(part, "Image"))
                r = loader_bad(l, part, NULL, "Image= is missing");
        if (r >= 0 && type && restart && streq(type, "oneshot") &&
            (streq(restart, "always") || streq(restart, "on-success")))
                r = loader_bad(l, part, line_of(part, "Restart"),
                               "'%s' cannot be with Type=oneshot (on-failure, or another Type=)", restart);
        return r;
}

/* Are the pod's users others than the host's, whatever is in it? */
static bool translates(const PodSpec *s) {
        static const char *const words[] = { USERS_AUTO, USERS_NO, "identity" };

        FOREACH_ARRAY (w, words, ELEMENTSOF(words))
                if (!s->private_users || streq(s->private_users, *w))
                        return false;
        return true;
}

/* What is mounted later comes as the host has it. */
static int check_slave(PodLoader *l, const PodPart *part, const PodLine *line, const VolumeSpec *v) {
        if (!strv_contains(v->options, "slave"))
                return 0;
        if (!v->source)
                return loader_bad(l, part, line,
                                  "an empty volume cannot be a slave (one with Source=, or /host/path, can)");
        if (translates(l->spec) && !strv_contains(v->options, "noidmap"))
                return loader_bad(l, part, line,
                                  "'%s' cannot be a slave with PrivateUsers=%s: what the host mounts later "
                                  "would not have the pod's users (leave it out, or add noidmap)",
                                  v->source, l->spec->private_users);
        return 0;
}

/* Volumes that a line of the app makes. */
static int check_mounts(PodLoader *l, const PodPart *part, const AppSpec *a) {
        int r = 0;

        FOREACH_ARRAY (m, a->mounts, a->n_mounts) {
                const VolumeSpec *v = pod_spec_find_volume(l->spec, m->volume);

                FOREACH_ARRAY (line, part->lines, part->n_lines)
                        if (r >= 0 && v && v->implicit && line->place.file == m->place.file &&
                            line->place.line == m->place.line)
                                r = check_slave(l, part, line, v);
        }
        return r;
}

/* What people ask for must not turn out to be nothing. */
static int check_users(PodLoader *l, const PodPart *part, const AppSpec *a) {
        const char *users = l->spec->private_users;
        int r = 0;

        if (!users || streq(users, USERS_AUTO) || streq(users, USERS_NO))
                return 0;
        FOREACH_ARRAY (s, a->settings.items, a->settings.n)
                if (r >= 0 && users_need(s->key, s->value) == USERS_NEED_NEVER)
                        r = loader_bad(l, part, line_of(part, s->key),
                                       "the kernel does not let a pod with PrivateUsers=%s set it (use "
                                       "PrivateUsers=no, or [Service] %s=)",
                                       users, s->key);
        return r;
}

static int check_order(PodLoader *l, const PodText *t) {
        _cleanup_free_ uint64_t *ones = new0(uint64_t, l->spec->n_apps);
        const char *app = NULL;
        uint64_t longest;
        int r;

        if (!ones)
                return -ENOMEM;
        for (size_t i = 0; i < l->spec->n_apps; i++)
                ones[i] = 1;
        r = pod_spec_longest_chain(l->spec, ones, &longest, &app);
        if (r != -ELOOP)
                return r;
        for (size_t i = 0; i < l->spec->n_apps; i++)
                if (streq(l->spec->apps[i].name, app)) {
                        const PodPart *part = part_of(t, POD_SECTION_APP, i);
                        const PodLine *line = part ? line_of(part, "After") : NULL;

                        return !part ? 0
                                     : loader_bad(
                                               l, part, line ? line : line_of(part, "Before"),
                                               "the apps wait for each other in a circle (After=, Before=)");
                }
        return 0;
}

/* An empty volume's keys say nothing about a directory of the host. */
static int check_volume(PodLoader *l, const PodPart *part, const VolumeSpec *v) {
        static const char *const keys[] = { "Mode", "UID", "GID", "Persistent", "CopyUp" };

        for (size_t i = 0; v->source && i < ELEMENTSOF(keys); i++) {
                const PodLine *line = line_of(part, keys[i]);
                int r;

                if (!line)
                        continue;
                r = loader_bad(l, part, line, "only for an empty volume (one without Source=)");
                if (r < 0)
                        return r;
        }
        return check_slave(l, part, line_of(part, "Options"), v);
}

static bool listens(const UnitSetting *s) {
        return startswith(s->key, "Listen") && *s->value;
}

/* Keys that may differ between the sections, although one unit of the host listens for all: lists, and what only the
 * socket inside needs. */
static bool may_differ(const char *key) {
        return startswith(key, "Listen") || startswith(key, "Exec") || streq(key, "FileDescriptorName") ||
               streq(key, "Symlinks");
}

/* Is there another section with another value of the same key? */
static int check_agreement(PodLoader *l, const PodText *t, const PodPart *part, size_t index) {
        const SocketSpec *s = &l->spec->sockets[index];

        for (size_t i = 0; i < s->settings.n; i++) {
                const UnitSetting *mine = &s->settings.items[i];

                if (may_differ(mine->key))
                        continue;
                for (size_t j = 0; j < index; j++) {
                        const char *theirs = unit_settings_last(&l->spec->sockets[j].settings, mine->key);
                        const PodPart *other = part_of(t, POD_SECTION_SOCKET, j);

                        if (!theirs || streq(theirs, mine->value))
                                continue;
                        return loader_bad(
                                l, part, line_of(part, mine->key),
                                "differs from [%s] (one unit, pod@%s.socket, listens for all sections)",
                                other->title, l->spec->name);
                }
        }
        return 0;
}

/* The proxy is for streams; who takes descriptors knows best when to leave. */
static int check_proxy(PodLoader *l, const PodText *t, const PodPart *part, size_t index) {
        const SocketSpec *s = &l->spec->sockets[index];

        if (s->idle_exit && !s->proxy)
                return loader_bad(
                        l, part, line_of(part, "IdleExit"),
                        "needs Proxy= (an app that takes descriptors ends by itself when it is idle)");
        if (s->proxy && (unit_settings_last(&s->settings, "ListenDatagram") ||
                         unit_settings_last(&s->settings, "ListenSequentialPacket")))
                return loader_bad(l, part, line_of(part, "Proxy"), "only for ListenStream=");
        for (size_t i = 0; i < index && s->proxy; i++) {
                const SocketSpec *other = &l->spec->sockets[i];
                const PodPart *first = part_of(t, POD_SECTION_SOCKET, i);

                /* whoever is connected through a proxy that never leaves would be cut off */
                if (first && other->proxy && !other->idle_exit != !s->idle_exit)
                        return loader_bad(l, part, line_of(part, s->idle_exit ? "IdleExit" : "Proxy"),
                                          "[%s] has Proxy= %s IdleExit= (set IdleExit= for all of them, or "
                                          "for none)",
                                          first->title, other->idle_exit ? "and" : "without");
        }
        return 0;
}

static int check_socket(PodLoader *l, const PodText *t, const PodPart *part, size_t index) {
        SocketSpec *s = &l->spec->sockets[index];
        bool has_listen = false;
        int r = 0;

        FOREACH_ARRAY (setting, s->settings.items, s->settings.n)
                has_listen = has_listen || listens(setting);
        if (!has_listen)
                r = loader_bad(l, part, NULL, "nothing to listen on (ListenStream=, ListenDatagram= ...)");
        if (r >= 0 && !s->app && l->spec->n_apps == 1)
                r = str_replace(&s->app, l->spec->apps[0].name);
        else if (r >= 0 && !s->app && l->spec->n_apps > 1)
                r = loader_bad(l, part, NULL, "App= is missing (the pod has %zu apps)", l->spec->n_apps);
        if (r >= 0)
                r = check_proxy(l, t, part, index);
        return r < 0 ? r : check_agreement(l, t, part, index);
}

static bool is_true(const char *value) {
        return value && parse_boolean(value) > 0;
}

/* An empty value of any of the times takes all of them back, as systemd has it. */
static int check_timer(PodLoader *l, const PodPart *part) {
        static const char clock[] = "OnClockChange", zone[] = "OnTimezoneChange";
        const UnitSettings *timer = &l->spec->timer;
        bool elapses = false;

        FOREACH_ARRAY (s, timer->items, timer->n)
                if (startswith(s->key, "On") && !streq(s->key, clock) && !streq(s->key, zone))
                        elapses = *s->value != '\0';
        elapses = elapses || is_true(unit_settings_last(timer, clock)) ||
                  is_true(unit_settings_last(timer, zone));
        return elapses ? 0
                       : loader_bad(l, part, NULL,
                                    "nothing to wait for (OnCalendar=, OnBootSec=, OnActiveSec= ...)");
}

/**
 * loader_check() - checks across the whole pod
 * @l:    its spec is filled; apps of sockets are completed
 * @text: what it was made of
 *
 * Return: 0 (mistakes are recorded) or -ENOMEM.
 */
int loader_check(PodLoader *l, const PodText *text) {
        PodSpec *s = l->spec;
        size_t app = 0, volume = 0, socket = 0;
        int r = 0;

        if (s->n_apps == 0)
                r = pod_errors_addf(l->errors, text->files[0], 0, NULL, NULL,
                                    "there is no app ([App] and Image= are the least)");
        FOREACH_ARRAY (p, text->parts, text->n_parts) {
                if (r < 0)
                        return r;
                if (p->section == POD_SECTION_APP) {
                        r = check_app(l, p, &s->apps[app]);
                        if (r >= 0)
                                r = check_places(l, p, &s->apps[app]);
                        if (r >= 0)
                                r = check_users(l, p, &s->apps[app]);
                        if (r >= 0)
                                r = check_mounts(l, p, &s->apps[app]);
                        app++;
                }
                if (r >= 0 && p->section == POD_SECTION_VOLUME)
                        r = check_volume(l, p, &s->volumes[volume++]);
                else if (p->section == POD_SECTION_SOCKET)
                        r = check_socket(l, text, p, socket++);
                else if (r >= 0 && p->section == POD_SECTION_TIMER)
                        r = check_timer(l, p);
        }
        return r < 0 ? r : check_order(l, text);
}

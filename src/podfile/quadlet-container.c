/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Containers and pods of Quadlet's become pods. A container without Pod= is a pod of one app; those with one are the apps of
 * that pod. systemd's sections are the host unit's in both worlds, but for the names of units in them. */
#include <stdio.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/quadlet-set.h"
#include "podfile/unit-keys.h"

/* ---- specifiers ---- */

/* Those of the unit that Quadlet makes, in words of ours or resolved. NULL: there is none. */
static const char *specifier(const Draft *d, char c, char buffer[static 256]) {
        const char *name = d->unit->name;
        size_t n = strcspn(name, "@");

        switch (c) {
        case '%': return "%%";
        case 'H': return "%H";
        case 'm': return "%m";
        case 'b': return "%b";
        case 'a': return "%a";
        case 't': return "%t";
        case 'S': return "%S";
        case 'L': return "%L";
        case 'E': return "%E";
        case 'C': return "/var/cache";
        case 'T': return "/tmp";
        case 'V': return "/var/tmp";
        case 'h': return "/root";
        case 'u':
        case 'g': return "root";
        case 'U':
        case 'G': return "0";
        case 'i': return d->is_template ? "%i" : "";
        case 'p':
        case 'N':
        case 'n':
                if (n > 200 || memchr(name, '%', n))
                        return NULL;
                (void) snprintf(buffer, 256, "%.*s%s%s", (int) n, name,
                                c != 'p' && d->is_template ? "@%i" : "", c == 'n' ? ".service" : "");
                return buffer;
        default: return NULL;
        }
}

/* 1 with the text; 0 when there is a specifier without counterpart: *ret_bad. */
static int translate(const Draft *d, const char *value, char **ret, char *ret_bad) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char buffer[256];

        strbuf_add(&b, "");
        for (const char *p = value; *p; p++) {
                const char *s;

                if (*p != '%') {
                        strbuf_add_n(&b, p, 1);
                        continue;
                }
                s = p[1] ? specifier(d, p[1], buffer) : NULL;
                if (!s) {
                        *ret_bad = p[1] ? p[1] : ' ';
                        return 0;
                }
                strbuf_add(&b, s);
                p++;
        }
        return strbuf_steal(&b, ret) < 0 ? -ENOMEM : 1;
}

/* ---- names of units ---- */

static bool is_member_of(const Quadlet *container, const char *pod) {
        const char *p = container->kind == QUADLET_CONTAINER ? quadlet_value(container, "Pod") : NULL;

        return p && endswith(p, ".pod") && strlen(p) == strlen(pod) + 4 && strncmp(p, pod, strlen(pod)) == 0;
}

/* The pod that a container or pod of Quadlet's becomes. */
static int pod_of(const Quadlet *q, char **ret) {
        const char *pod = q->kind == QUADLET_CONTAINER ? quadlet_value(q, "Pod") : NULL;
        _cleanup_free_ char *name = NULL;
        int r = quadlet_valid_name(pod ? pod : q->name, &name);

        if (r >= 0 && pod && endswith(pod, ".pod")) {
                _cleanup_free_ char *stem = strndup(pod, strlen(pod) - 4);

                free(name);
                name = NULL;
                r = stem ? quadlet_valid_name(stem, &name) : -ENOMEM;
        }
        if (r >= 0)
                *ret = TAKE_PTR(name);
        return r;
}

/* "db.container", "db.service", "shop-pod.service"; NULL: not one of these files. */
static const Quadlet *unit_of(const QuadletImport *x, const char *word) {
        FOREACH_ARRAY (q, x->units, x->n_units) {
                const char *service = quadlet_value(q, "ServiceName"), *rest,
                           *kind = quadlet_kind_to_string(q->kind);

                if (service && (rest = startswith(word, service)) && streq(rest, ".service"))
                        return q;
                rest = startswith(word, q->name);
                if (!rest)
                        continue;
                if (*rest == '.' &&
                    (streq(rest + 1, kind) || (q->kind == QUADLET_CONTAINER && streq(rest, ".service"))))
                        return q;
                if (q->kind != QUADLET_CONTAINER && *rest == '-' && startswith(rest + 1, kind) &&
                    streq(rest + 1 + strlen(kind), ".service"))
                        return q;
        }
        return NULL;
}

/* A list of units. Those of the same pod are apps: *ret_apps. */
static int map_units(Draft *d, const QuadletLine *l, char **ret, char **ret_apps) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(l->value, " \t", &words);

        STRV_FOREACH (w, words) {
                const Quadlet *q = unit_of(d->import, *w);
                _cleanup_free_ char *name = NULL;
                bool is_app = false;

                if (r < 0)
                        return r;
                if (q && q->kind > QUADLET_POD) {
                        r = draft_note(d, l, "'%s' needs no unit: it is there when the pod starts", *w);
                        continue;
                }
                if (q)
                        r = pod_of(q, &name);
                if (q && r >= 0 && streq(name, d->pod)) {
                        if (q->kind == QUADLET_POD || q == d->unit)
                                continue; /* its own */
                        free(name);
                        name = NULL;
                        r = quadlet_valid_name(q->name, &name);
                        is_app = true;
                }
                if (r >= 0) {
                        _cleanup_free_ char *unit = q ? strf("%s%s", name, is_app ? "" : ".pod") : strdup(*w);

                        r = unit ? quadlet_add_word(unit, is_app ? ret_apps : ret) : -ENOMEM;
                }
        }
        return r;
}

/* ---- sections of systemd's ---- */

static int unit_line(Draft *d, const QuadletLine *l) {
        static const char *const app_keys[] = { "After", "Before", "Requires", "Wants", "BindsTo" };
        const UnitKey *key = unit_key_find(l->key);
        _cleanup_free_ char *units = NULL, *apps = NULL;
        int r = 0;

        if (!key || key->check != CHECK_UNITS || *l->value == '\0')
                return d->is_member ? draft_note(d, l,
                                                 "has no counterpart: this is about a pod's unit, not "
                                                 "about one app")
                                    : draft_add(d, DRAFT_UNIT, l, false, "%s=%s", l->key, l->value);
        r = map_units(d, l, &units, &apps);
        if (r >= 0 && units)
                r = draft_add(d, DRAFT_UNIT, l, false, "%s=%s", l->key, units);
        FOREACH_ARRAY (k, app_keys, ELEMENTSOF(app_keys))
                if (r >= 0 && apps && streq(*k, l->key))
                        return draft_add(d, d->app, l, false, "%s=%s", l->key, apps);
        return r < 0 || !apps ? r : draft_note(d, l, "has no counterpart between apps of one pod");
}

/* A limit that got lost would be a limit less. */
static bool is_limit(const char *key) {
        static const char *const limits[] = { "Memory",     "CPU",       "Tasks",   "IO",         "Block",
                                              "Limit",      "IPAddress", "Device",  "Allowed",    "Restrict",
                                              "SystemCall", "Protect",   "Private", "Capability", "NoNew" };

        FOREACH_ARRAY (l, limits, ELEMENTSOF(limits))
                if (startswith(key, *l))
                        return true;
        return false;
}

static bool has_prefix(const char *key, const char *const *prefixes, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (startswith(key, prefixes[i]))
                        return true;
        return false;
}

/* Of one app of a pod: its process was Podman's child, in Podman's cgroup. So resources and when it is started again are the
 * app's. What was about Podman's own process is not: the app has what [Container] says, and one line of [Service] must not undo
 * it; but one that narrowed Podman narrowed the container, too. */
static int member_service_line(Draft *d, const QuadletLine *l) {
        static const char *const taken[] = { "Memory",  "CPU",     "Tasks",   "IO",        "Block",  "Limit",
                                             "Startup", "Allowed", "Restart", "IPAddress", "Timeout" };
        static const char *const wider[] = { "Ambient", "DeviceAllow" };
        const UnitKey *key = unit_key_find(l->key);

        if (streq(l->key, "MemoryDenyWriteExecute") || !has_prefix(l->key, taken, ELEMENTSOF(taken)))
                return is_limit(l->key) && !has_prefix(l->key, wider, ELEMENTSOF(wider)) &&
                                       quadlet_boolean(l->value) != 0
                               ? draft_refuse(
                                         d, l,
                                         "was about Podman's process, and so about the container: say in "
                                         "[Container] what confines the app")
                               : draft_note(
                                         d, l,
                                         "has no counterpart: this is about a pod's unit, or about Podman's "
                                         "process, and not about one app");
        if (key && (key->places & UNIT_KEY_APP))
                return draft_add(d, d->app, l, is_limit(l->key), "%s=%s", l->key, l->value);
        return is_limit(l->key)
                       ? draft_refuse(d, l, "is no limit of one app's: say it in the pod's [Service]")
                       : draft_note(d, l, "has no counterpart for one app");
}

static int service_line(Draft *d, const QuadletLine *l) {
        size_t part;
        int r;

        if (streq(l->key, "Restart"))
                d->has_restart = !streq(l->value, "no");
        if (startswith(l->key, "Environment"))
                return draft_note(d, l, "was Podman's own environment; that of the app is in [App]");
        if (startswith(l->key, "Exec") && d->is_member)
                return draft_note(d, l, "ran on the host: have the pod's [Service], or the app, do it");
        if (startswith(l->key, "Exec") && strstr(l->value, "podman"))
                return draft_note(d, l, "calls Podman: do the same with rkt, or in the app");
        if (streq(l->key, "Type") && streq(l->value, "oneshot"))
                return draft_add(d, d->app, l, false, "Type=oneshot");
        if (streq(l->key, "Type") || streq(l->key, "Delegate") || streq(l->key, "KillMode") ||
            streq(l->key, "NotifyAccess"))
                return draft_note(d, l, "is set by pod@.service");
        if (d->is_member)
                return member_service_line(d, l);
        r = draft_part(d, "Service", &part);
        return r < 0 ? r : draft_add(d, part, l, is_limit(l->key), "%s=%s", l->key, l->value);
}

static int install_line(Draft *d, const QuadletLine *l) {
        size_t part;
        int r;

        if (streq(l->key, "DefaultInstance") && d->is_template)
                return draft_add(d, DRAFT_POD, l, false, "Instances=%s", l->value);
        r = draft_part(d, "Install", &part);
        if (r < 0)
                return r;
        FOREACH_ARRAY (o, d->parts[part].lines, d->parts[part].n_lines) {
                const char *value = startswith(o->text, l->key);

                if (value && *value == '=' && streq(value + 1, l->value))
                        return 0; /* of another container of this pod */
        }
        return draft_add(d, part, l, false, "%s=%s", l->key, l->value);
}

static int other_line(Draft *d, const QuadletLine *l) {
        size_t part;
        int r;

        if (!startswith(l->section, "X-"))
                return draft_note(d, l, "has no counterpart: unknown section");
        r = draft_part(d, l->section, &part);
        return r < 0 ? r : draft_add(d, part, l, false, "%s=%s", l->key, l->value);
}

/* ---- the own section ---- */

static int own_line(Draft *d, const QuadletLine *l) {
        const QuadletKey *key = quadlet_key_find(d->unit->kind, l->key);
        _cleanup_free_ char *value = NULL;
        char unknown = 0;
        int r;

        if (!key) {
                const char *best = quadlet_key_suggest(d->unit->kind, l->key);

                return draft_refuse(d, l, "unknown key, with which Quadlet makes no unit%s%s%s",
                                    best ? " (did you mean " : "", str_or(best, ""), best ? "=?)" : "");
        }
        r = translate(d, l->value, &value, &unknown);
        if (r < 0)
                return r;
        if (r > 0)
                return key->set(d, key, l, value);
        return key->flags & QUADLET_KEY_CONFINES
                       ? draft_refuse(d, l, "the specifier %%%c has no counterpart", unknown)
                       : draft_note(d, l, "the specifier %%%c has no counterpart: say what it means here",
                                    unknown);
}

static int translate_lines(Draft *d) {
        const Quadlet *q = d->unit;
        int r = 0;

        FOREACH_ARRAY (l, q->lines, q->n_lines) {
                if (r < 0 || l->is_done)
                        continue;
                if (streq(l->section, q->kind == QUADLET_POD ? "Pod" : "Container"))
                        r = own_line(d, l);
                else if (streq(l->section, "Unit"))
                        r = unit_line(d, l);
                else if (streq(l->section, "Service"))
                        r = service_line(d, l);
                else if (streq(l->section, "Install"))
                        r = install_line(d, l);
                else if (streq(l->section, "Quadlet"))
                        r = draft_note(d, l,
                                       "has no counterpart: say After=network-online.target in [Unit] if "
                                       "the pod needs it");
                else
                        r = other_line(d, l);
        }
        return r;
}

/* ---- what is known only at the end ---- */

static bool has_target(const Draft *d, const char *target) {
        const DraftPart *p = &d->parts[d->app];

        FOREACH_ARRAY (l, p->lines, p->n_lines)
                for (const char *s = l->text; *s != '#' && (s = strstr(s, target)); s++) {
                        char before = s == l->text ? ' ' : s[-1], after = s[strlen(target)];

                        if ((before == '=' || before == ':') && (after == '\0' || after == ':'))
                                return true;
                }
        return false;
}

/* ReadOnly= leaves these writable. */
static int add_read_only_tmpfs(Draft *d) {
        static const char *const paths[] = { "/tmp", "/var/tmp", "/run" };
        int r = 0;

        FOREACH_ARRAY (p, paths, ELEMENTSOF(paths))
                if (r >= 0 && !has_target(d, *p))
                        r = draft_add(d, d->app, NULL, false, "TemporaryFileSystem=%s:mode=%s", *p,
                                      streq(*p, "/run") ? "0755" : "1777");
        return r;
}

static const QuadletLine *line_of(const Quadlet *q, const char *key) {
        const QuadletLine *found = NULL;

        FOREACH_ARRAY (l, q->lines, q->n_lines)
                if (!l->is_done && streq(l->key, key))
                        found = l;
        return found;
}

static int lone_user_map(Draft *d) {
        const QuadletLine *l = d->users[0] ? d->users[0] : d->users[1];
        int r;

        if (!l || (d->users[0] && d->users[1]))
                return 0;
        r = draft_note(d, l,
                       "a map of users or groups alone has no counterpart: the pod gets 65536 of its own");
        return r < 0 ? r : draft_add(d, DRAFT_POD, l, true, "PrivateUsers=pick");
}

/**
 * draft_container_done() - end an [App]: what several keys mean together
 * @d: the draft
 *
 * Return: 0 or -ENOMEM.
 */
int draft_container_done(Draft *d) {
        int r = quadlet_capabilities_done(d);

        if (r >= 0 && d->read_only && !d->no_read_only_tmpfs)
                r = add_read_only_tmpfs(d);
        if (r >= 0 && d->kill)
                r = draft_add(d, d->app, d->kill, false, "HealthOnFailure=%s",
                              d->has_restart ? "restart" : "stop");
        if (r >= 0)
                r = lone_user_map(d);
        (void) strv_free(d->capabilities);
        (void) strv_free(d->no_capabilities);
        d->capabilities = d->no_capabilities = NULL;
        d->capability = d->kill = d->users[0] = d->users[1] = NULL;
        d->n_users[0] = d->n_users[1] = 0;
        d->drops_all = d->has_user = d->is_root = d->read_only = d->no_read_only_tmpfs = d->has_restart =
                false;
        return r;
}

static int add_network_default(Draft *d) {
        if (d->has_network)
                return 0;
        d->has_network = true;
        return d->ip ? draft_add(d, DRAFT_POD, d->ip, true, "Network=default:IP=%s", d->ip->value)
                     : draft_add(d, DRAFT_POD, NULL, false, "Network=default");
}

static int begin(Draft *d, QuadletImport *x, Quadlet *q) {
        size_t i;
        int r;

        *d = (Draft){ .import = x, .unit = q, .mode = QUADLET_MODE, .is_template = endswith(q->name, "@") };
        draft_use(d, q);
        r = pod_of(q, &d->pod);
        if (r >= 0)
                r = draft_part(d, "Unit", &i);
        if (r >= 0)
                r = draft_part(d, "Pod", &i);
        if (r >= 0 && q->instances) {
                _cleanup_free_ char *text = NULL;

                r = strv_join(q->instances, " ", &text);
                if (r >= 0)
                        r = draft_add(d, DRAFT_POD, NULL, false, "Instances=%s", text);
        }
        return r;
}

static int add_app(Draft *d, const char *title, const char *name) {
        size_t before = d->n_parts;
        int r = draft_part(d, title, &d->app);

        if (r >= 0 && d->n_parts == before) {
                const QuadletLine l = { .file = d->unit->files[0] };

                r = draft_refuse(d, &l, "two apps of pod '%s' would be called '%s': rename one", d->pod,
                                 name);
        }
        free(d->app_name);
        d->app_name = strdup(name);
        return r < 0 ? r : d->app_name ? 0 : -ENOMEM;
}

static int translate_container(Draft *d) {
        int r;

        d->ip = d->is_member ? d->ip : line_of(d->unit, "IP");
        r = translate_lines(d);
        return r < 0 ? r : draft_container_done(d);
}

static int convert_container(QuadletImport *x, Quadlet *q) {
        Draft d;
        int r = begin(&d, x, q);

        if (r >= 0)
                r = add_app(&d, "App", d.pod);
        if (r >= 0)
                r = translate_container(&d);
        if (r >= 0)
                r = add_network_default(&d);
        if (r >= 0)
                r = draft_finish(&d);
        draft_done(&d);
        return r;
}

/* The pod's Volume= are in each container. */
static int add_pod_volumes(Draft *d, Quadlet *pod) {
        const Quadlet *unit = d->unit;
        int r = 0;

        d->unit = pod;
        FOREACH_ARRAY (l, pod->lines, pod->n_lines)
                if (r >= 0 && !l->is_done && streq(l->section, "Pod") && streq(l->key, "Volume")) {
                        _cleanup_free_ char *value = NULL;
                        char unknown;

                        r = translate(d, l->value, &value, &unknown);
                        r = r < 0    ? r
                            : r == 0 ? draft_note(d, l, "the specifier %%%c has no counterpart", unknown)
                                     : quadlet_set_volume(d, NULL, l, value);
                }
        d->unit = unit;
        return r;
}

static int convert_member(Draft *d, Quadlet *pod, Quadlet *container) {
        _cleanup_free_ char *name = NULL, *title = NULL;
        int r = quadlet_valid_name(container->name, &name);

        draft_use(d, container);
        d->unit = container;
        d->is_member = true;
        title = r >= 0 ? strf("App %s", name) : NULL;
        r = title ? add_app(d, title, name) : -ENOMEM;
        if (r >= 0 && container->is_refused)
                d->is_refused = true; /* that has been said */
        if (r >= 0)
                r = add_pod_volumes(d, pod);
        return r < 0 ? r : translate_container(d);
}

static bool is_pod_file(const Quadlet *q) {
        FOREACH_ARRAY (l, q->lines, q->n_lines)
                if (streq(l->section, "App") || startswith(l->section, "App "))
                        return true;
        return false;
}

static int convert_pod(QuadletImport *x, Quadlet *pod) {
        const QuadletLine whole = { .file = pod->files[0] };
        bool is_empty = true;
        Draft d;
        int r = begin(&d, x, pod);

        d.app = DRAFT_POD;
        d.ip = line_of(pod, "IP");
        if (r >= 0)
                r = translate_lines(&d);
        if (r >= 0)
                r = lone_user_map(&d);
        d.users[0] = d.users[1] = NULL;
        d.n_users[0] = d.n_users[1] = 0;
        if (r >= 0 && !quadlet_value(pod, "ExitPolicy"))
                r = draft_add(&d, DRAFT_POD, NULL, false, "ExitPolicy=all");
        if (r >= 0)
                r = add_network_default(&d);
        FOREACH_ARRAY (q, x->units, x->n_units)
                if (r >= 0 && is_member_of(q, pod->name)) {
                        is_empty = false;
                        r = convert_member(&d, pod, q);
                }
        d.unit = pod;
        if (r >= 0 && is_empty)
                r = draft_refuse(&d, &whole, "no container among the files is in this pod");
        if (r >= 0)
                r = draft_finish(&d);
        draft_done(&d);
        return r;
}

/* ---- all ---- */

/* Those without a counterpart of their own, and those that make something by themselves. */
static int convert_unit(QuadletImport *x, Quadlet *q) {
        const char *path = q->files[0], *pod = q->kind == QUADLET_CONTAINER ? quadlet_value(q, "Pod") : NULL;

        if (q->is_refused) {
                x->n_refused++; /* why has been said */
                return 0;
        }
        switch (q->kind) {
        case QUADLET_CONTAINER:
                if (!pod)
                        return convert_container(x, q);
                return q->is_used || (endswith(pod, ".pod") && quadlet_find_file(x, pod))
                               ? 0
                               : quadlet_import_refuse(x, path, "there is no '%s' among the files", pod);
        case QUADLET_POD:
                return is_pod_file(q) ? quadlet_import_refuse(x, path, "is a pod file of rkt's already")
                                      : convert_pod(x, q);
        case QUADLET_NETWORK: return quadlet_network(x, q);
        case QUADLET_KUBE:
                return quadlet_import_refuse(x, path,
                                             "manifests of Kubernetes have no counterpart: write the "
                                             "containers as [App] of a pod file, see rkt.pod(5)");
        case QUADLET_BUILD:
                return quadlet_import_refuse(x, path,
                                             "rkt builds no images: build it with podman or buildah, "
                                             "and say Image=oci-archive:FILE or a registry's");
        case QUADLET_ARTIFACT:
                return quadlet_import_refuse(x, path,
                                             "artifacts have no counterpart: bring the files by "
                                             "Volume=");
        default: return 0;
        }
}

/**
 * quadlet_import_convert() - translate all units
 * @x: with all its units; results and notes are added
 *
 * Every result passes the loader of pod files.
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_import_convert(QuadletImport *x) {
        int r = 0;

        /* Networks first: who names one that was refused is refused, too. */
        FOREACH_ARRAY (q, x->units, x->n_units)
                if (r >= 0 && q->kind == QUADLET_NETWORK && q->files)
                        r = convert_unit(x, q);
        for (QuadletKind kind = 0; kind < _QUADLET_KIND_MAX; kind++)
                FOREACH_ARRAY (q, x->units, x->n_units)
                        if (r >= 0 && q->kind == kind && q->kind != QUADLET_NETWORK && q->files)
                                r = convert_unit(x, q);
        FOREACH_ARRAY (q, x->units, x->n_units)
                if (r >= 0 && !q->is_used && q->files &&
                    (q->kind == QUADLET_VOLUME || q->kind == QUADLET_IMAGE)) {
                        const QuadletLine l = { .file = q->files[0] };

                        r = quadlet_note(x, &l, NULL,
                                         "no container among the files uses it: nothing is made of "
                                         "it");
                }
        return r;
}

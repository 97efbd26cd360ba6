/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes, mounts, file systems in memory, devices. A named volume becomes one of the pod's own that is kept. */
#include <assert.h>
#include <string.h>

#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/quadlet-set.h"
#include "podfile/value-check.h"

/* What Volume= and Mount= have in common. */
typedef struct Mount {
        const char *source; /* NULL: an empty volume of its own */
        const char *target;
        char **options;
} Mount;

/* ---- [Volume] ---- */

static bool is_bind(const Quadlet *q) {
        const char *type = quadlet_value(q, "Type"), *options = quadlet_value(q, "Options");

        return (type && (streq(type, "bind") || streq(type, "none"))) ||
               (options && (strstr(options, "bind")));
}

static int volume_source(Draft *d, size_t part, const Quadlet *q, const QuadletLine *line) {
        const char *device = quadlet_value(q, "Device"), *driver = quadlet_value(q, "Driver");

        if (driver && !streq(driver, "local"))
                return draft_refuse(d, line,
                                    "volume '%s' has a driver: mount it on the host, and say Source= in "
                                    "[Volume]",
                                    q->name);
        if (!device)
                return draft_add(d, part, line, false, "Persistent=yes");
        if (!is_bind(q) || !path_is_absolute(device))
                return draft_refuse(d, line,
                                    "volume '%s' is a file system of its own: mount it on the host "
                                    "(systemd.mount(5)), and say Source= in [Volume]",
                                    q->name);
        return draft_add(d, part, line, true, "Source=%s", device);
}

static int volume_line(Draft *d, size_t part, const QuadletLine *l) {
        static const char *const taken[] = { "Device", "Driver", "Type", "VolumeName" };

        FOREACH_ARRAY (t, taken, ELEMENTSOF(taken))
                if (streq(l->key, *t))
                        return 0;
        if (streq(l->key, "Options") && (streq(l->value, "bind") || streq(l->value, "rbind")))
                return 0;
        if (streq(l->key, "Copy"))
                return draft_add(d, part, l, false, "CopyUp=%s",
                                 quadlet_boolean(l->value) > 0 ? "yes" : "no");
        if (streq(l->key, "UID") || streq(l->key, "User"))
                return draft_add(d, part, l, false, "UID=%s", l->value);
        if (streq(l->key, "GID") || streq(l->key, "Group"))
                return draft_add(d, part, l, false, "GID=%s", l->value);
        return draft_note(d, l, "has no counterpart in a volume of rkt's");
}

/* Podman's volumes are the machine's, rkt's are a pod's. */
static int note_shared(Draft *d, const QuadletLine *line, const char *name) {
        QuadletImport *x = d->import;
        size_t n = strlen(name);
        int r = 0;

        STRV_FOREACH (v, x->volumes)
                if (strncmp(*v, name, n) == 0 && (*v)[n] == ':' && !streq(*v + n + 1, d->pod)) {
                        r = draft_note(d, line,
                                       "volume '%s' is pod '%s' own, too: rkt's belong to one pod; for "
                                       "one that both have, say Source=PATH in [Volume %s] of both",
                                       name, *v + n + 1, name);
                        break;
                }
        return r < 0 ? r : strv_extendf(&x->volumes, "%s:%s", name, d->pod);
}

static int new_volume(Draft *d, size_t part, const Quadlet *q, const QuadletLine *line, const char *name) {
        size_t app = d->app;
        int r;

        if (!q) {
                r = draft_add(d, part, line, false, "Persistent=yes");
                return r < 0 ? r : note_shared(d, line, name);
        }
        d->app = part;
        r = volume_source(d, part, q, line);
        FOREACH_ARRAY (l, q->lines, q->n_lines)
                if (r >= 0 && !l->is_done && streq(l->section, "Volume"))
                        r = volume_line(d, part, l);
        d->app = app;
        return r < 0 || quadlet_value(q, "Device") ? r : note_shared(d, line, name);
}

/* The part [Volume NAME] for "data.volume" or "data". */
static int use_volume(Draft *d, const QuadletLine *line, const char *source, char **ret_name) {
        Quadlet *q = quadlet_find_file(d->import, source);
        _cleanup_free_ char *name = NULL, *title = NULL;
        size_t before = d->n_parts, part;
        int r;

        if (endswith(source, ".volume") && (!q || q->is_refused))
                return draft_refuse(d, line, "there is no '%s' among the files", source);
        if (q)
                draft_use(d, q);
        r = quadlet_valid_name(q ? q->name : source, &name);
        title = r >= 0 ? strf("Volume %s", name) : NULL;
        r = title ? draft_part(d, title, &part) : -ENOMEM;
        if (r >= 0 && d->n_parts > before) {
                d->parts[part].source = strdup(source);
                r = d->parts[part].source ? new_volume(d, part, q, line, name) : -ENOMEM;
        } else if (r >= 0 && !streq_ptr(d->parts[part].source, source))
                r = draft_refuse(d, line, "volumes '%.100s' and '%.100s' would both be '%s': rename one",
                                 str_or(d->parts[part].source, ""), source, name);
        if (r >= 0)
                *ret_name = TAKE_PTR(name);
        return r;
}

/* ---- Volume=, Mount= ---- */

/* "ro", "readonly=true", "rw=FALSE": 1 with what it says; 0: another option; -EINVAL: no boolean. */
static int read_only_option(const char *option, bool *ret) {
        static const char *const names[] = { "ro", "readonly", "rw" };
        size_t n = strcspn(option, "=");
        int b;

        FOREACH_ARRAY (name, names, ELEMENTSOF(names)) {
                if (strlen(*name) != n || strncasecmp(option, *name, n) != 0)
                        continue;
                b = option[n] ? quadlet_boolean(option + n + 1) : 1;
                if (b < 0)
                        return -EINVAL;
                *ret = streq(*name, "rw") ? !b : b;
                return 1;
        }
        return 0;
}

static bool is_propagation(const char *option, const char *kind) {
        const char *word = str_or(startswith(option, "bind-propagation="), option);

        return streq(word, kind) || (*word == 'r' && streq(word + 1, kind));
}

/* Gives the options of Volume= here; those of a named volume are fewer. */
static int add_options(Draft *d, const QuadletLine *line, const Mount *m, bool is_path, bool *ret_read_only,
                       char **ret) {
        static const char *const taken[] = { "noexec", "suid", "dev", "norbind" };
        _cleanup_strv_free_ char **out = NULL;
        bool read_only = false;
        int r = 0;

        STRV_FOREACH (o, m->options) {
                bool is_read_only = false;
                int known;

                if (r < 0)
                        return r;
                known = read_only_option(*o, &is_read_only);
                if (known < 0)
                        return draft_refuse(d, line, "option '%.100s' is neither yes nor no", *o);
                read_only = read_only || is_read_only;
                if (known > 0)
                        continue;
                if (streq(*o, "O")) {
                        read_only = true;
                        r = draft_note(d, line,
                                       "\"O\" has no counterpart: what is written cannot be kept apart, so "
                                       "it is read-only");
                } else if (streq(*o, "rbind") || is_propagation(*o, "private") || streq(*o, "nosuid") ||
                           streq(*o, "nodev") || streq(*o, "exec") || startswith(*o, "idmap"))
                        continue; /* as ever */
                else if (streq(*o, "bind") && is_path)
                        r = strv_extend(&out, "norbind");
                else if (is_path && (streq(*o, taken[0]) || streq(*o, taken[1]) || streq(*o, taken[2])))
                        r = strv_extend(&out, *o);
                else if (m->source && is_path && is_propagation(*o, "slave"))
                        r = strv_extend(&out, "slave");
                else if (streq(*o, taken[0]))
                        r = draft_refuse(d, line,
                                         "noexec is said in [Volume] (Options=noexec), and for a named "
                                         "volume as a whole");
                else if (streq(*o, "z") || streq(*o, "Z"))
                        r = draft_note(d, line, "\"%s\" has no counterpart: rkt sets no SELinux labels", *o);
                else
                        r = draft_note(d, line, "option '%.100s' has no counterpart, and is left out", *o);
        }
        if (r >= 0 && read_only)
                r = strv_extend(&out, "ro");
        *ret_read_only = read_only;
        return r < 0 ? r : strv_join(out, ",", ret);
}

static int add_mount(Draft *d, const QuadletLine *line, const Mount *m) {
        _cleanup_free_ char *source = NULL, *options = NULL, *word = NULL, *text = NULL;
        bool is_path = m->source && (*m->source == '/' || *m->source == '.'), read_only = false;
        int r = add_options(d, line, m, is_path || !m->source, &read_only, &options);

        if (r < 0 || d->is_refused)
                return r;
        assert(options);
        if (is_path) {
                source = quadlet_path(d, m->source);
                r = source ? 0 : -ENOMEM;
        } else if (m->source)
                r = use_volume(d, line, m->source, &source);
        if (r < 0 || d->is_refused)
                return r;
        word = strf("%s:%s%s%s", str_or(source, ""), m->target, *options ? ":" : "", options);
        r = word ? quadlet_add_word(word, &text) : -ENOMEM;
        return r < 0 ? r : draft_add(d, d->app, line, read_only || *options, "Volume=%s", text);
}

/* "[SOURCE:]TARGET[:OPTIONS]" */
QUADLET_SETTER(volume) {
        _cleanup_free_ char *copy = strdup(value);
        _cleanup_(strv_freep) char **options = NULL;
        char *first, *second, *third;
        Mount m = {};
        int r = 0;

        (void) key;
        if (!copy)
                return -ENOMEM;
        first = copy;
        second = strchr(first, ':');
        if (second)
                *second++ = '\0';
        third = second ? strchr(second, ':') : NULL;
        if (third)
                *third++ = '\0';
        if (second && *second != '/') { /* "/target:ro" */
                third = second;
                second = NULL;
        }
        m.source = second && *first ? first : NULL;
        m.target = second ? second : first;
        r = third ? strv_split(third, ",", &options) : 0;
        m.options = options;
        return r < 0 ? r : add_mount(d, line, &m);
}

static int mount_tmpfs(Draft *d, const QuadletLine *line, const Mount *m) {
        _cleanup_strv_free_ char **options = NULL;
        _cleanup_free_ char *text = NULL;
        bool has_mode = false;
        int r = 0;

        STRV_FOREACH (o, m->options) {
                const char *rest = startswith(*o, "tmpfs-");
                const char *option = rest ? rest : *o;
                bool is_read_only = false;
                int known = read_only_option(option, &is_read_only);

                has_mode = has_mode || startswith(option, "mode=");
                if (r < 0)
                        return r;
                if (known < 0)
                        return draft_refuse(d, line, "option '%.100s' is neither yes nor no", option);
                if (known > 0) {
                        r = is_read_only ? strv_extend(&options, "ro") : 0;
                        continue;
                }
                if (streq(option, "nosuid") || streq(option, "nodev") || streq(option, "notmpcopyup") ||
                    streq(option, "rprivate"))
                        continue;
                if (startswith(option, "size=")) /* as parse_size() has it: "16M" */
                        for (char *p = *o; *p; p++)
                                *p = (char) (*p >= 'a' && *p <= 'z' && p[1] == '\0' ? *p - 'a' + 'A' : *p);
                r = streq(option, "tmpcopyup") || streq(option, "U") || streq(option, "dev")
                            ? draft_note(d, line, "option '%.100s' has no counterpart, and is left out",
                                         option)
                            : strv_extend(&options, option);
        }
        if (r >= 0 && !has_mode)
                r = strv_extend(&options, "mode=1777");
        if (r >= 0)
                r = strv_join(options, ",", &text);
        return r < 0 ? r : draft_add(d, d->app, line, false, "TemporaryFileSystem=%s:%s", m->target, text);
}

/* type=bind,source=/a,target=/b,ro */
QUADLET_SETTER(mount) {
        _cleanup_strv_free_ char **words = NULL, **options = NULL;
        const char *type = "volume";
        Mount m = {};
        int r = strv_split(value, ",", &words);

        (void) key;
        STRV_FOREACH (w, words) {
                char *equals = strchr(*w, '=');
                size_t n = equals ? (size_t) (equals - *w) : strlen(*w);
                const char *v = equals ? equals + 1 : "";

                if (r < 0)
                        return r;
                if (n == 4 && strncmp(*w, "type", n) == 0)
                        type = v;
                else if ((n == 6 && strncmp(*w, "source", n) == 0) || (n == 3 && strncmp(*w, "src", n) == 0))
                        m.source = v;
                else if ((n == 6 && strncmp(*w, "target", n) == 0) ||
                         (n == 11 && strncmp(*w, "destination", n) == 0) ||
                         (n == 3 && strncmp(*w, "dst", n) == 0))
                        m.target = v;
                else
                        r = strv_extend(&options, *w);
        }
        m.options = options;
        if (r < 0)
                return r;
        if (!m.target || *m.target != '/')
                return draft_note(d, line, "no absolute target (type=bind,source=/a,target=/b)");
        if (streq(type, "tmpfs"))
                return mount_tmpfs(d, line, &m);
        if (streq(type, "bind") || streq(type, "volume"))
                return add_mount(d, line, &m);
        return draft_note(d, line, "a mount of type '%.50s' has no counterpart", type);
}

/* "/path[:OPTION,...]"; as Podman's, it is for no programs unless it says so. */
QUADLET_SETTER(tmpfs) {
        _cleanup_free_ char *copy = strdup(value);
        _cleanup_strv_free_ char **options = NULL;
        char *colon = copy ? strchr(copy, ':') : NULL;
        Mount m = { .target = copy };
        int r = copy ? 0 : -ENOMEM;

        (void) key;
        if (colon)
                *colon++ = '\0';
        if (r >= 0 && colon)
                r = strv_split(colon, ",", &options);
        if (r >= 0 && !strv_contains(options, "exec"))
                r = strv_extend(&options, "noexec");
        m.options = options;
        return r < 0 ? r : mount_tmpfs(d, line, &m);
}

QUADLET_SETTER(device) {
        (void) key;
        return startswith(value + (*value == '-'), "/dev/")
                       ? draft_add(d, d->app, line, false, "Device=%s", value)
                       : draft_note(d, line,
                                    "not a device in /dev; CDI names have no counterpart: name its "
                                    "devices, and bring its files by Volume=");
}

QUADLET_SETTER(timezone) {
        (void) key;
        if (streq(value, "local"))
                return draft_add(d, d->app, line, false, "Volume=/etc/localtime:/etc/localtime:ro");
        if (!str_in_set(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") ||
            *value == '/')
                return draft_note(d, line, "not a time zone");
        return draft_add(d, d->app, line, false, "Volume=/usr/share/zoneinfo/%s:/etc/localtime:ro", value);
}

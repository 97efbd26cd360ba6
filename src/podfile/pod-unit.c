/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing here depends on the time, the process or the order of a directory: the same pod gives the same bytes. What the
 * administrator wrote comes last and wins.
 *
 * A broken pod gets the same files, without the lines that are wrong: its unit loads, and "rkt-pod start" then reads the
 * file again, says what is wrong, and exits with 78. A pod that runs meanwhile keeps its sockets and limits, which systemd
 * takes away at a reload when nothing mentions them any more.
 *
 * But nothing else of a broken pod is to start: its socket would listen as systemd's defaults have it where a line is wrong,
 * perhaps for more than the file says, and its hooks would run though the pod does not. */
#include <inttypes.h>
#include <string.h>

#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config.h"
#include "podfile/pod-credential.h"
#include "podfile/pod-time.h"
#include "podfile/pod-unit.h"

/**
 * unit_files_done() - free all files and links
 * @files: empty afterwards
 */
void unit_files_done(UnitFiles *files) {
        FOREACH_ARRAY (f, files->items, files->n) {
                free(f->path);
                free(f->text);
                free(f->target);
        }
        free(files->items);
        *files = UNIT_FILES_INIT;
}

/* Takes all three. */
static int add(UnitFiles *files, char *path, char *text, char *target) {
        if (!path || (!text && !target) || !GREEDY_GROW(files->items, files->n)) {
                free(path);
                free(text);
                free(target);
                return -ENOMEM;
        }
        files->items[files->n++] = (UnitFile){ .path = path, .text = text, .target = target };
        return 0;
}

static int add_text(UnitFiles *files, char *path, StrBuf *b) {
        char *text = NULL;

        if (strbuf_steal(b, &text) < 0) {
                free(path);
                return -ENOMEM;
        }
        return add(files, path, text, NULL);
}

/* A path as a word of a list: quoted, and without specifiers. */
static void add_path(StrBuf *b, const char *path) {
        bool quote = path[strcspn(path, " \t\"'\\")] != '\0';

        strbuf_add(b, quote ? "\"" : "");
        for (const char *p = path; *p; p++) {
                if (*p == '%')
                        strbuf_add(b, "%");
                else if (*p == '"' || *p == '\\')
                        strbuf_add(b, "\\");
                strbuf_add_n(b, p, 1);
        }
        strbuf_add(b, quote ? "\"" : "");
}

static void add_setting(StrBuf *b, const UnitSetting *s) {
        strbuf_add(b, s->key);
        strbuf_add(b, "=");
        strbuf_add(b, s->value);
        strbuf_add(b, "\n");
}

static void add_settings(StrBuf *b, const UnitSettings *settings) {
        FOREACH_ARRAY (s, settings->items, settings->n)
                add_setting(b, s);
}

/* Commands of the host that would run before the file is found broken, or though it is. Those for the end are of a pod that
 * runs, and stay. */
static bool is_start_hook(const UnitSetting *s) {
        return streq(s->key, "ExecCondition") || streq(s->key, "ExecStartPre") ||
               streq(s->key, "ExecStartPost");
}

static void add_path_setting(StrBuf *b, const char *key, const char *path) {
        strbuf_addf(b, "%s=", key);
        for (const char *p = path; *p; p++)
                strbuf_add_n(b, *p == '%' ? "%%" : p, *p == '%' ? 2 : 1);
        strbuf_add(b, "\n");
}

static void add_head(StrBuf *b, const PodEntry *entry) {
        strbuf_addf(b, "# Made by rkt-pod-generator(8) from %s\n", entry->path);
        STRV_FOREACH (d, entry->dropins)
                strbuf_addf(b, "#   and %s\n", *d);
        strbuf_add(b, "[Unit]\n");
        add_path_setting(b, "SourcePath", entry->path);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int add_mounts(StrBuf *b, const PodSpec *s) {
        _cleanup_free_ const char **sources = (const char **) (void *) new0(char *, s->n_volumes);
        size_t n = 0;

        if (!sources)
                return -ENOMEM;
        FOREACH_ARRAY (v, s->volumes, s->n_volumes)
                if (v->source)
                        sources[n++] = v->source;
        if (n > 1)
                qsort(sources, n, sizeof(char *), compare_strings);
        for (size_t i = 0; i < n; i++)
                if (i == 0 || !streq(sources[i - 1], sources[i])) {
                        strbuf_add(b, "RequiresMountsFor=");
                        add_path(b, sources[i]);
                        strbuf_add(b, "\n");
                }
        return 0;
}

/* pod@.service closes the devices, for all that is in the pod. What an app may do with them is up to its unit. */
static int add_devices(StrBuf *b, const PodSpec *s) {
        _cleanup_strv_free_ char **paths = NULL;
        int r = 0;

        FOREACH_ARRAY (a, s->apps, s->n_apps)
                STRV_FOREACH (d, a->devices) {
                        const char *path = *d + (**d == '-');

                        if (r >= 0)
                                r = strv_consume(&paths, strndup(path, strcspn(path, ":")));
                }
        FOREACH_ARRAY (v, s->volumes, s->n_volumes)
                if (r >= 0 && v->source && path_is_beneath(v->source, "/dev"))
                        r = strv_extend(&paths, v->source);
        if (r < 0)
                return r;
        strv_sort(paths);
        STRV_FOREACH (p, paths)
                if (p == paths || !streq(p[-1], *p)) {
                        strbuf_add(b, "DeviceAllow=");
                        add_path(b, *p);
                        strbuf_add(b, " rwm\n");
                }
        return 0;
}

static int service_dropin(const PodEntry *entry, const PodSpec *s, bool broken, UnitFiles *files) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, service = STRBUF_INIT;
        int r;

        add_head(&b, entry);
        r = add_mounts(&b, s);
        if (r < 0)
                return r;
        if (s->n_sockets > 0 && !broken) /* it is "rkt-pod start" that says what is wrong */
                strbuf_addf(&b, "Requires=pod@%s.socket\nAfter=pod@%s.socket\n", s->name, s->name);
        add_settings(&b, &s->unit);
        r = pod_time_add_lines(s, &service);
        if (r >= 0)
                r = add_devices(&service, s);
        if (r < 0)
                return r;
        pod_credential_add_lines(s, &service);
        FOREACH_ARRAY (setting, s->service.items, s->service.n)
                if (!broken || !is_start_hook(setting))
                        add_setting(&service, setting);
        if (service.size > 0)
                strbuf_addf(&b, "\n[Service]\n%s", service.data);
        if (service.failed)
                return -ENOMEM;
        return add_text(files, strf("pod@%s.service.d/50-pod.conf", entry->name), &b);
}

/* All sections share one unit. What the name of a descriptor is, the socket inside says. */
static int socket_dropin(const PodEntry *entry, const PodSpec *s, bool broken, UnitFiles *files) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        add_head(&b, entry);
        strbuf_add(&b, "\n[Socket]\n");
        FOREACH_ARRAY (socket, s->sockets, s->n_sockets)
                FOREACH_ARRAY (setting, socket->settings.items, socket->settings.n)
                        if ((s->n_sockets == 1 ||
                             (!streq(setting->key, "FileDescriptorName") && *setting->value)) &&
                            (!broken || !is_start_hook(setting)))
                                add_setting(&b, setting);
        return add_text(files, strf("pod@%s.socket.d/50-pod.conf", entry->name), &b);
}

static int timer_dropin(const PodEntry *entry, const PodSpec *s, UnitFiles *files) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        add_head(&b, entry);
        strbuf_add(&b, "\n[Timer]\n");
        add_settings(&b, &s->timer);
        return add_text(files, strf("pod@%s.timer.d/50-pod.conf", entry->name), &b);
}

static int add_links(const char *unit, const char *type, const char *value, const char *suffix,
                     UnitFiles *files) {
        _cleanup_strv_free_ char **words = NULL;
        int r;

        r = strv_split(value, " \t", &words);
        STRV_FOREACH (w, words) {
                if (r < 0)
                        return r;
                r = add(files, strf("%s.%s/%s", *w, suffix, unit), NULL,
                        strf("%s/pod@.%s", RKT_UNIT_DIR, type));
        }
        return r;
}

/* [Install]: with a socket it is about the socket. A timer needs none: it is why the section is there. Of a broken pod only
 * the service may start, and say so. */
static int install_links(const PodSpec *s, bool broken, UnitFiles *files) {
        static const struct {
                const char *key, *suffix;
        } kinds[] = {
                { "WantedBy", "wants" },
                { "RequiredBy", "requires" },
                { "UpheldBy", "upholds" },
        };
        const char *type = s->n_sockets > 0 ? "socket" : "service";
        _cleanup_free_ char *unit = strf("pod@%s.%s", s->name, type);
        int r;

        if (!unit)
                return -ENOMEM;
        for (size_t k = 0; k < ELEMENTSOF(kinds) && !(broken && s->n_sockets > 0); k++)
                FOREACH_ARRAY (setting, s->install.items, s->install.n) {
                        if (!streq(setting->key, kinds[k].key))
                                continue;
                        r = add_links(unit, type, setting->value, kinds[k].suffix, files);
                        if (r < 0)
                                return r;
                }
        if (broken || s->timer.n == 0)
                return 0;
        free(unit);
        unit = strf("pod@%s.timer", s->name);
        return unit ? add_links(unit, "timer", "timers.target", "wants", files) : -ENOMEM;
}

/**
 * pod_unit_files() - all that the generator writes for one pod
 * @entry:  where the pod came from
 * @spec:   what pod_entry_load() made of it
 * @broken: there were mistakes: what is left is written, but nothing that starts more than the service
 * @ret:    for unit_files_done(); untouched on failure
 *
 * Return: 0 or -ENOMEM.
 */
int pod_unit_files(const PodEntry *entry, const PodSpec *spec, bool broken, UnitFiles *ret) {
        _cleanup_unit_files_ UnitFiles files = UNIT_FILES_INIT;
        int r;

        r = service_dropin(entry, spec, broken, &files);
        if (r >= 0 && spec->n_sockets > 0)
                r = socket_dropin(entry, spec, broken, &files);
        if (r >= 0 && spec->timer.n > 0)
                r = timer_dropin(entry, spec, &files);
        if (r >= 0)
                r = install_links(spec, broken, &files);
        if (r < 0)
                return r;
        *ret = files;
        files = UNIT_FILES_INIT;
        return 0;
}

/**
 * pod_watch_files() - what makes rkt-pods.path look at the drop-in directories too
 * @x:   all pods
 * @ret: for unit_files_done(); untouched on failure. Empty when there are no such directories
 *
 * A name with a line break is left out: no setting can say it.
 *
 * Return: 0 or -ENOMEM.
 */
int pod_watch_files(const PodIndex *x, UnitFiles *ret) {
        _cleanup_unit_files_ UnitFiles files = UNIT_FILES_INIT;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r;

        strbuf_add(&b, "# Made by rkt-pod-generator(8)\n[Path]\n");
        STRV_FOREACH (f, x->folders)
                if (!strchr(*f, '\n'))
                        add_path_setting(&b, "PathChanged", *f);
        r = x->folders ? add_text(&files, strf("rkt-pods.path.d/50-pods.conf"), &b) : 0;
        if (r < 0)
                return r;
        *ret = files;
        files = UNIT_FILES_INIT;
        return 0;
}

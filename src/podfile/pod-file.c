/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From files to a PodSpec: read and merge (pod-text.c), store value by value (pod-loader.c, pod-set.c, pod-host.c), check
 * the whole (pod-check.c). Where the files are is in pod-index.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config.h"
#include "podfile/pod-file.h"
#include "podfile/pod-loader.h"
#include "podfile/pod-text.h"
#include "podfile/users-check.h"

/* A FIFO or a device must not make a reader wait: O_NONBLOCK, and regular files only. */
static int read_regular(const char *path, char **ret, size_t *ret_size, const char **reterr_what) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) {
                r = -errno;
                *reterr_what = r == -ENOENT  ? "there is no such file, or the link leads nowhere"
                               : r == -ELOOP ? "the link leads to itself"
                                             : strerror(-r);
                return r;
        }
        if (!S_ISREG(st.st_mode)) {
                *reterr_what = "not a regular file";
                return -EINVAL;
        }
        r = fd_read_to_end(fd, POD_FILE_SIZE_MAX, ret, ret_size);
        if (r < 0)
                *reterr_what = r == -E2BIG ? "file is larger than 4 MiB" : strerror(-r);
        return r;
}

static int read_into(PodText *t, const char *path, PodErrors *errors) {
        _cleanup_free_ char *data = NULL;
        const char *what = NULL;
        size_t size = 0;
        int r;

        r = read_regular(path, &data, &size, &what);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return pod_errors_addf(errors, path, 0, NULL, NULL, "%s", what);
        return pod_text_parse(t, path, str_or(data, ""), size, errors);
}

/* A file of a pod: from @data when it is the one that these are for. */
typedef struct Replaced {
        const char *path;
        const char *data;
        size_t size;
} Replaced;

static int read_part(PodText *t, const char *path, const Replaced *replaced, PodErrors *errors) {
        return replaced && streq(replaced->path, path)
                       ? pod_text_parse(t, path, replaced->data, replaced->size, errors)
                       : read_into(t, path, errors);
}

static int read_entry(const PodEntry *entry, const Replaced *replaced, PodText **ret, PodErrors *errors) {
        _cleanup_pod_text_ PodText *t = NULL;
        int r;

        r = pod_text_new(entry->prefix, &t);
        FOREACH_ARRAY (e, entry->errors.items, entry->errors.n)
                if (r >= 0)
                        r = pod_errors_addf(errors, e->file, e->line, e->section, e->key, "%s", e->message);
        if (r >= 0)
                r = read_part(t, entry->path, replaced, errors);
        STRV_FOREACH (d, entry->dropins)
                if (r >= 0)
                        r = read_part(t, *d, replaced, errors);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

/**
 * pod_entry_read() - read and merge all files of a pod
 * @entry:  from an index
 * @ret:    for pod_text_free(); also when there were mistakes
 * @errors: mistakes are added, those of the entry itself first
 *
 * Return: 0 or -ENOMEM.
 */
int pod_entry_read(const PodEntry *entry, PodText **ret, PodErrors *errors) {
        return read_entry(entry, NULL, ret, errors);
}

/**
 * pod_entry_read_with() - read and merge all files of a pod, as if one of them was another
 * @entry:  from an index
 * @path:   of the file, as @entry has it
 * @data:   @size bytes that are taken for what is in it
 * @size:   bytes
 * @ret:    for pod_text_free(); also when there were mistakes
 * @errors: mistakes are added, those of the entry itself first
 *
 * Return: 0 or -ENOMEM.
 */
int pod_entry_read_with(const PodEntry *entry, const char *path, const char *data, size_t size, PodText **ret,
                        PodErrors *errors) {
        return read_entry(entry, &(Replaced){ path, data, size }, ret, errors);
}

/* Makes the apps, volumes and sockets, so that lines may refer to any of them. */
static int add_objects(PodSpec *s, const PodText *t) {
        int r = 0;

        FOREACH_ARRAY (p, t->parts, t->n_parts) {
                AppSpec *app;
                VolumeSpec *volume;
                SocketSpec *socket;

                if (p->section == POD_SECTION_APP) {
                        r = pod_spec_add_app(s, p->name, &app);
                        if (r >= 0)
                                app->place = p->place;
                } else if (p->section == POD_SECTION_VOLUME) {
                        r = pod_spec_add_volume(s, p->name, &volume);
                        if (r >= 0)
                                volume->place = p->place;
                } else if (p->section == POD_SECTION_SOCKET) {
                        r = pod_spec_add_socket(s, p->name, &socket);
                        if (r >= 0)
                                socket->place = p->place;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Where the lines of a section go. */
static int apply_line(PodLoader *l, const PodPart *p, const PodLine *line, size_t index) {
        PodSpec *s = l->spec;

        switch (p->section) {
        case POD_SECTION_POD: return line->key->set(l, p, line, s);
        case POD_SECTION_APP:
                return line->key ? line->key->set(l, p, line, &s->apps[index])
                                 : loader_add_setting(l, p, line, &s->apps[index].settings);
        case POD_SECTION_VOLUME: return line->key->set(l, p, line, &s->volumes[index]);
        case POD_SECTION_SOCKET:
                return line->key ? line->key->set(l, p, line, &s->sockets[index])
                                 : loader_host_setting(l, p, line, &s->sockets[index].settings);
        case POD_SECTION_UNIT: return loader_host_setting(l, p, line, &s->unit);
        case POD_SECTION_SERVICE: return loader_host_setting(l, p, line, &s->service);
        case POD_SECTION_TIMER: return loader_host_setting(l, p, line, &s->timer);
        case POD_SECTION_INSTALL: return loader_host_setting(l, p, line, &s->install);
        default: return 0;
        }
}

static int apply(PodLoader *l, const PodText *t) {
        size_t counts[_POD_SECTION_MAX] = {};
        int r;

        FOREACH_ARRAY (p, t->parts, t->n_parts) {
                size_t index = counts[p->section]++;

                FOREACH_ARRAY (line, p->lines, p->n_lines) {
                        r = apply_line(l, p, line, index);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static size_t file_rank(const PodText *t, const char *file) {
        size_t i = 0;

        STRV_FOREACH (f, t->files) {
                if (streq(*f, file))
                        break;
                i++;
        }
        return i;
}

static bool is_before(const PodText *t, const PodError *a, const PodError *b) {
        size_t x = file_rank(t, a->file), y = file_rank(t, b->file);

        return x != y ? x < y : a->line < b->line;
}

/* In the order of the files and lines; at most POD_ERRORS_MAX, so that simple insertion will do. */
static void sort_errors(const PodText *t, PodErrors *errors) {
        for (size_t i = 1; i < errors->n; i++) {
                PodError e = errors->items[i];
                size_t j = i;

                for (; j > 0 && is_before(t, &e, &errors->items[j - 1]); j--)
                        errors->items[j] = errors->items[j - 1];
                errors->items[j] = e;
        }
}

static int new_spec(const PodEntry *entry, PodSpec **ret) {
        _cleanup_pod_spec_ PodSpec *s = NULL;
        int r;

        r = pod_spec_new(entry->name, &s);
        if (r >= 0)
                r = str_replace(&s->prefix, entry->prefix);
        if (r >= 0)
                r = str_replace(&s->instance, entry->instance);
        if (r >= 0)
                r = str_replace(&s->source, entry->path);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/**
 * pod_text_load() - make a PodSpec of a merged text
 * @entry:  the pod that the text belongs to
 * @text:   its files are handed over to the PodSpec
 * @ret:    for pod_spec_free(); also when there were mistakes: then it is incomplete and must not be started
 * @errors: mistakes are added, and all are put in the order of files and lines
 *
 * Return: 0 or -ENOMEM.
 */
int pod_text_load(const PodEntry *entry, PodText *text, PodSpec **ret, PodErrors *errors) {
        _cleanup_pod_spec_ PodSpec *s = NULL;
        PodLoader l = { .errors = errors };
        int r;

        r = new_spec(entry, &s);
        if (r < 0)
                return r;
        l.spec = s;
        l.specifiers = (Specifiers){ .prefix = s->prefix, .instance = s->instance, .name = s->name };
        r = add_objects(s, text);
        if (r >= 0)
                r = apply(&l, text);
        if (r >= 0 && !s->private_users)
                r = str_replace(&s->private_users, USERS_AUTO);
        if (r >= 0 && text->files) /* no file could be read: that has been said */
                r = loader_check(&l, text);
        specifiers_done(&l.specifiers);
        if (r < 0)
                return r;
        sort_errors(text, errors);
        s->files = TAKE_PTR(text->files);
        *ret = TAKE_PTR(s);
        return 0;
}

/**
 * pod_entry_load() - load one pod of an index
 * @entry:  from an index
 * @ret:    for pod_spec_free(); also when there were mistakes: then it is incomplete and must not be started
 * @errors: mistakes are added, in the order of files and lines; look at its n
 *
 * Return: 0 or -ENOMEM.
 */
int pod_entry_load(const PodEntry *entry, PodSpec **ret, PodErrors *errors) {
        _cleanup_pod_text_ PodText *t = NULL;
        int r;

        r = pod_entry_read(entry, &t, errors);
        if (r < 0)
                return r;
        return pod_text_load(entry, t, ret, errors);
}

/**
 * pod_file_load() - load one pod by its machine name
 * @name:   as in pod@NAME.service
 * @dirs:   NULL-terminated, the strongest first; NULL for pod_dirs()
 * @ret:    for pod_spec_free()
 * @errors: mistakes are added, in the order of files and lines
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, -ENOENT (there is no such pod file), -EBADMSG (@errors say what is wrong), -ENOMEM.
 */
int pod_file_load(const char *name, char *const *dirs, PodSpec **ret, PodErrors *errors, Error *e) {
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_pod_spec_ PodSpec *s = NULL;
        const PodEntry *entry;
        int r;

        r = pod_index_load(dirs, &index);
        if (r < 0)
                return error_oom(e);
        entry = pod_index_find(index, name);
        if (!entry)
                return error_setf(e, -ENOENT, "there is no pod file for '%s' (%s/%s.pod)", name, RKT_PODS_DIR,
                                  name);
        r = pod_entry_load(entry, &s, errors);
        if (r < 0)
                return error_oom(e);
        if (errors->n > 0)
                return error_setf(e, -EBADMSG, "%s has %zu %s", entry->path, errors->n + errors->n_more,
                                  errors->n + errors->n_more == 1 ? "mistake" : "mistakes");
        *ret = TAKE_PTR(s);
        return 0;
}

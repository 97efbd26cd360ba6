/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters for what is mounted in an app: volumes, file systems in memory, devices. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/suggest.h"
#include "podfile/pod-loader.h"

/* Takes out double slashes and one at the end. */
static void simplify_path(char *p) {
        char *out = p;

        for (const char *in = p; *in; in++)
                if (*in != '/' || in[1] != '/')
                        *out++ = *in;
        if (out > p + 1 && out[-1] == '/')
                out--;
        *out = '\0';
}

static bool is_plain_path(const char *p) {
        for (const char *c = p; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 0x7f)
                        return false;
        return path_is_absolute(p) && path_is_normalized(p);
}

/**
 * set_directory() - WorkingDirectory=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_directory(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_free_ char *text = NULL;
        AppSpec *a = target;
        int r;

        r = loader_text(l, part, line, &text);
        if (r <= 0)
                return r;
        simplify_path(text);
        if (!is_plain_path(text))
                return loader_bad_value(l, part, line, text, "not an absolute path in the app");
        return str_replace(&a->working_directory, text);
}

/* A name for the volume that a short form makes: APP-target, made unique. */
static int implicit_volume(PodLoader *l, const AppSpec *a, const char *target, VolumeSpec **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *name = NULL;
        size_t n;

        strbuf_add(&b, a->name);
        strbuf_add(&b, "-");
        for (const char *p = target; *p && b.size < 180; p++) {
                char c = (char) (*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);

                if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
                        strbuf_add_n(&b, &c, 1);
                else if (b.size > 0 && b.data[b.size - 1] != '-')
                        strbuf_add(&b, "-");
        }
        if (b.failed)
                return -ENOMEM;
        while (b.size > 0 && b.data[b.size - 1] == '-')
                b.data[--b.size] = '\0';
        n = b.size;
        for (unsigned i = 2; pod_spec_find_volume(l->spec, b.data); i++) {
                b.size = n;
                strbuf_addf(&b, "-%u", i);
                if (b.failed)
                        return -ENOMEM;
        }
        if (strbuf_steal(&b, &name) < 0 || pod_spec_add_volume(l->spec, name, ret) < 0)
                return -ENOMEM;
        (*ret)->implicit = true;
        return 0;
}

/* Words for VolumeSpec.options; their opposites are the defaults. */
static int volume_option(const char *word, VolumeSpec *v) {
        static const struct {
                const char *word, *option;
        } words[] = {
                { "slave", "slave" }, { "rslave", "slave" },  { "private", NULL }, { "rprivate", NULL },
                { "suid", "suid" },   { "nosuid", NULL },     { "dev", "dev" },    { "nodev", NULL },
                { "exec", NULL },     { "noexec", "noexec" }, { "idmap", NULL },   { "noidmap", "noidmap" },
        };

        FOREACH_ARRAY (w, words, ELEMENTSOF(words))
                if (streq(w->word, word)) {
                        int r = w->option && !strv_contains(v->options, w->option)
                                        ? strv_extend(&v->options, w->option)
                                        : 0;

                        return r < 0 ? r : 1;
                }
        return 0;
}

/* A volume by its name has only ro and rw here: the rest is the volume's. */
static int mount_option(const char *word, MountSpec *m, VolumeSpec *v) {
        if (streq(word, "ro") || streq(word, "rw")) {
                m->read_only = streq(word, "ro");
                return 1;
        }
        if (!v)
                return 0;
        if (streq(word, "rbind") || streq(word, "norbind")) {
                v->recursive = streq(word, "rbind");
                return 1;
        }
        return volume_option(word, v);
}

static int mount_options(PodLoader *l, const PodPart *part, const PodLine *line, const char *text,
                         MountSpec *m, VolumeSpec *v) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(text, ",", &words);

        if (r < 0)
                return r;
        STRV_FOREACH (w, words) {
                r = mount_option(*w, m, v);
                if (r == 0)
                        r = loader_bad_value(
                                l, part, line, *w,
                                v ? "unknown option (ro, rw, rbind, norbind, private, slave, suid, dev, "
                                    "noexec or noidmap)"
                                  : "unknown option (ro or rw; others are keys of [Volume])");
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * set_volume_options() - Options= of a volume
 * @l:      the loader
 * @part:   the section of the line
 * @line:   words
 * @target: VolumeSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_volume_options(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        int r = loader_words(l, part, line, &words);

        STRV_FOREACH (w, words) {
                if (r < 0)
                        break;
                r = volume_option(*w, target);
                if (r == 0)
                        r = loader_bad_value(l, part, line, *w,
                                             "unknown option (private, slave, suid, dev, noexec or noidmap)");
        }
        return r < 0 ? r : 0;
}

static int unknown_volume(PodLoader *l, const PodPart *part, const PodLine *line, const char *name) {
        Suggest s = SUGGEST_INIT(name);

        FOREACH_ARRAY (v, l->spec->volumes, l->spec->n_volumes)
                if (!v->implicit)
                        suggest_add(&s, v->name);
        if (!app_name_is_valid(name))
                return loader_bad_value(l, part, line, name,
                                        "not a volume (NAME:/target, /host/path:/target or :/target)");
        if (s.best)
                return loader_bad(l, part, line, "there is no volume '%s' (did you mean '%s'?)", name,
                                  s.best);
        return loader_bad(l, part, line, "there is no volume '%s' (a section [Volume %s], also an empty one)",
                          name, name);
}

/* The host must not lend what depends on who looks. */
static const char *source_wrong(const char *path) {
        const char *rest = startswith(path, "/proc");

        if (!is_plain_path(path))
                return "not an absolute path on the host";
        return rest && (*rest == '/' || *rest == '\0') ? "/proc cannot be a volume" : NULL;
}

/* One word of Volume=, cut into three in place. */
static int add_mount(PodLoader *l, const PodPart *part, const PodLine *line, char *text, AppSpec *a) {
        char *path = strchr(text, ':'), *options;
        bool is_name = *text != ':' && *text != '/';
        VolumeSpec *v = NULL;
        MountSpec *m;
        int r;

        if (!path)
                return loader_bad_value(l, part, line, text,
                                        "no target (NAME:/target, /host/path:/target or :/target)");
        *path++ = '\0';
        options = strchr(path, ':');
        if (options)
                *options++ = '\0';
        simplify_path(path);
        if (!is_plain_path(path) || streq(path, "/"))
                return loader_bad_value(l, part, line, path, "not an absolute path in the app, below /");
        FOREACH_ARRAY (other, a->mounts, a->n_mounts)
                if (streq(other->target, path))
                        return loader_bad(l, part, line, "'%s' is mounted twice (line %u)", path,
                                          other->place.line);
        if (*text == '/') {
                simplify_path(text);
                if (source_wrong(text))
                        return loader_bad_value(l, part, line, text, source_wrong(text));
        }
        if (is_name) {
                v = pod_spec_find_volume(l->spec, text);
                if (!v || v->implicit)
                        return unknown_volume(l, part, line, text);
        } else {
                r = implicit_volume(l, a, path, &v);
                if (r >= 0 && *text == '/')
                        r = str_replace(&v->source, text);
                if (r < 0)
                        return r;
                v->place = line->place;
        }
        if (app_spec_add_mount(a, v->name, path, &m) < 0)
                return -ENOMEM;
        m->place = line->place;
        return options ? mount_options(l, part, line, options, m, is_name ? NULL : v) : 0;
}

/**
 * set_mount() - Volume= of an app
 * @l:      the loader
 * @part:   the section of the line
 * @line:   a list of NAME:/target[:ro], /host/path:/target[:options], :/target
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_mount(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        int r;

        r = loader_words(l, part, line, &words);
        STRV_FOREACH (w, words) {
                if (r >= 0)
                        r = add_mount(l, part, line, *w, target);
        }
        return r < 0 ? r : 0;
}

/**
 * set_shm_size() - ShmSize=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   a size
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_shm_size(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        AppSpec *a = target;
        uint64_t size;

        if (parse_size(line->value, &size) < 0 || size == 0)
                return loader_bad_value(l, part, line, line->value, value_check(CHECK_SIZE, "-"));
        free(a->shm_size);
        a->shm_size = strf("%" PRIu64, size);
        return a->shm_size ? 0 : -ENOMEM;
}

/* ---- [Volume] ---- */

/**
 * set_source() - Source= of a volume
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: VolumeSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_source(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_free_ char *text = NULL;
        VolumeSpec *v = target;
        int r;

        r = loader_text(l, part, line, &text);
        if (r <= 0)
                return r;
        simplify_path(text);
        if (source_wrong(text))
                return loader_bad_value(l, part, line, text, source_wrong(text));
        return str_replace(&v->source, text);
}

/**
 * set_volume_mode() - Mode= of a volume
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: VolumeSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_volume_mode(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        unsigned mode;

        if (parse_octal(line->value, 07777, &mode) < 0)
                return loader_bad_value(l, part, line, line->value, value_check(CHECK_MODE, line->value));
        ((VolumeSpec *) target)->mode = (int) mode;
        return 0;
}

/**
 * set_owner() - UID= and GID= of a volume
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: VolumeSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_owner(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        int64_t *p = (int64_t *) (void *) ((char *) target + line->key->offset);
        unsigned id;

        if (parse_uint(line->value, UINT32_MAX - 1, &id) < 0)
                return loader_bad_value(l, part, line, line->value, "not a number from 0 to 4294967294");
        *p = id;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading Quadlet's files and merging their drop-ins. What a unit becomes is in quadlet-container.c and its neighbours; the
 * rule for all of them: a key is taken over, or its line is told, and nothing gets less confined than the files say. */
#include "podfile/quadlet.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "basic/ini.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-spec.h"
#include "podfile/quadlet-draft.h"

static const char *const kinds[_QUADLET_KIND_MAX] = {
        [QUADLET_CONTAINER] = "container", [QUADLET_POD] = "pod",           [QUADLET_VOLUME] = "volume",
        [QUADLET_NETWORK] = "network",     [QUADLET_IMAGE] = "image",       [QUADLET_KUBE] = "kube",
        [QUADLET_BUILD] = "build",         [QUADLET_ARTIFACT] = "artifact",
};

static void quadlet_done(Quadlet *q) {
        free(q->name);
        (void) strv_free(q->files);
        (void) strv_free(q->instances);
        FOREACH_ARRAY (l, q->lines, q->n_lines) {
                free(l->section);
                free(l->key);
                free(l->value);
        }
        free(q->lines);
}

/**
 * quadlet_import_done() - free all units and results
 * @x: empty afterwards
 */
void quadlet_import_done(QuadletImport *x) {
        FOREACH_ARRAY (q, x->units, x->n_units)
                quadlet_done(q);
        free(x->units);
        FOREACH_ARRAY (r, x->results, x->n_results) {
                free(r->name);
                free(r->text);
        }
        free(x->results);
        FOREACH_ARRAY (n, x->notes, x->n_notes)
                free(*n);
        free(x->notes);
        (void) strv_free(x->volumes);
        (void) strv_free(x->subnets);
        *x = QUADLET_IMPORT_INIT;
}

/**
 * quadlet_kind_to_string() - a kind by its word
 * @kind: valid
 *
 * Return: "container", "pod", ...
 */
const char *quadlet_kind_to_string(QuadletKind kind) {
        return kinds[kind];
}

/**
 * quadlet_kind_from_path() - what a file is, by the end of its name
 * @path: of a file
 *
 * Return: the kind, or _QUADLET_KIND_INVALID.
 */
QuadletKind quadlet_kind_from_path(const char *path) {
        const char *name = path_basename(path), *dot = strrchr(name, '.');

        for (QuadletKind i = 0; dot && dot != name && i < _QUADLET_KIND_MAX; i++)
                if (streq(dot + 1, kinds[i]))
                        return i;
        return _QUADLET_KIND_INVALID;
}

/**
 * quadlet_import_add() - one more unit
 * @x:    the import
 * @path: its file; its name says what it is
 * @ret:  without any lines yet; valid until the next one is added
 *
 * Return: 0, -EINVAL (no name of a Quadlet file), -EILSEQ (control characters in it), -EEXIST (one of that name and kind is there), -E2BIG (too many), -ENOMEM.
 */
int quadlet_import_add(QuadletImport *x, const char *path, Quadlet **ret) {
        QuadletKind kind = quadlet_kind_from_path(path);
        const char *base = path_basename(path);
        Quadlet q = { .kind = kind, .mode = QUADLET_MODE };

        if (kind < 0)
                return -EINVAL;
        for (const char *p = base; *p; p++) /* %p would say them */
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        return -EILSEQ;
        if (x->n_units >= QUADLET_UNITS_MAX)
                return -E2BIG;
        if (quadlet_find_file(x, base))
                return -EEXIST;
        q.name = strndup(base, strlen(base) - strlen(kinds[kind]) - 1);
        if (!q.name || !GREEDY_GROW(x->units, x->n_units)) {
                quadlet_done(&q);
                return -ENOMEM;
        }
        x->units[x->n_units++] = q;
        *ret = &x->units[x->n_units - 1];
        return 0;
}

/* ---- lines ---- */

typedef struct Parser {
        QuadletImport *import;
        Quadlet *unit;
        const char *file;
} Parser;

static bool is_own_section(const Quadlet *q, const char *section) {
        size_t n = strlen(section);

        return n == strlen(kinds[q->kind]) && (section[0] | 0x20) == kinds[q->kind][0] &&
               streq(section + 1, kinds[q->kind] + 1);
}

/* Of our table only: keys of systemd's have their resets in the unit that they go into. */
static void forget(Quadlet *q, const char *section, const char *key) {
        FOREACH_ARRAY (l, q->lines, q->n_lines)
                if (streq(l->section, section) && streq(l->key, key))
                        l->is_done = true;
}

static int on_item(const IniItem *item, void *userdata) {
        const Parser *p = userdata;
        QuadletLine l = { .file = p->file, .line = item->line };
        const QuadletKey *key;
        Quadlet *q = p->unit;

        if (!item->key)
                return 0;
        if (q->n_lines >= QUADLET_LINES_MAX)
                return -E2BIG;
        if (is_own_section(q, item->section)) {
                key = quadlet_key_find(q->kind, item->key);
                if (key && (*item->value == '\0' || !(key->flags & QUADLET_KEY_LIST)))
                        forget(q, item->section, item->key);
                if (key && *item->value == '\0' && !(key->flags & QUADLET_KEY_EMPTY))
                        return 0;
        }
        l.section = strdup(item->section);
        l.key = strdup(item->key);
        l.value = strdup(item->value);
        if (!l.section || !l.key || !l.value || !GREEDY_GROW(q->lines, q->n_lines)) {
                free(l.section);
                free(l.key);
                free(l.value);
                return -ENOMEM;
        }
        q->lines[q->n_lines++] = l;
        return 0;
}

/* Quadlet leaves out the whole file, too. */
static int on_bad(unsigned line, const char *what, void *userdata) {
        const Parser *p = userdata;
        const QuadletLine l = { .file = p->file, .line = line };

        p->unit->is_refused = true;
        return quadlet_note(p->import, &l, NULL, "%s", what);
}

/**
 * quadlet_import_bad() - a unit whose file cannot be read
 * @x:    the import
 * @q:    of quadlet_import_add(); it is refused
 * @path: the file
 * @why:  not a whole sentence
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_import_bad(QuadletImport *x, Quadlet *q, const char *path, const char *why) {
        const QuadletLine l = { .file = path };
        int r = strv_extend(&q->files, path);

        q->is_refused = true;
        return r < 0 ? r : quadlet_note(x, &l, NULL, "%s", why);
}

/**
 * quadlet_import_parse() - read a unit's file, or a drop-in of it
 * @x:    the import; mistakes become notes, and the unit is refused
 * @q:    of quadlet_import_add()
 * @path: for messages
 * @data: @size bytes, any at all
 * @size: up to QUADLET_FILE_MAX
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_import_parse(QuadletImport *x, Quadlet *q, const char *path, const char *data, size_t size) {
        Parser p = { .import = x, .unit = q };
        const IniHandler handler = { .item = on_item, .bad = on_bad, .userdata = &p };
        int r = strv_extend(&q->files, path);

        if (r < 0)
                return r;
        p.file = q->files[strv_length(q->files) - 1];
        if (size > QUADLET_FILE_MAX)
                return on_bad(0, "file is larger than 1 MiB", &p);
        x->size += size;
        if (x->size > QUADLET_TOTAL_MAX)
                return on_bad(0, "the files are more than 4 MiB in all", &p);
        r = ini_parse(data, size, &handler);
        return r == -E2BIG ? on_bad(0, "more than 5000 assignments", &p) : r;
}

/**
 * quadlet_import_instance() - a link to a template declares an instance
 * @x:        the import
 * @q:        of quadlet_import_add(); a name with "@" at its end
 * @instance: what stands behind the "@"
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_import_instance(QuadletImport *x, Quadlet *q, const char *instance) {
        const QuadletLine l = { .file = q->files ? q->files[0] : q->name };

        if (!app_name_is_valid(instance))
                return quadlet_note(x, &l, NULL,
                                    "instance '%s' is left out: it would be no name of a pod (lower-case "
                                    "letters, digits and inner '-')",
                                    instance);
        return strv_contains(q->instances, instance) ? 0 : strv_extend(&q->instances, instance);
}

/**
 * quadlet_import_refuse() - a file that makes nothing
 * @x:      the import
 * @path:   the file
 * @format: printf: why, and what to do
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_import_refuse(QuadletImport *x, const char *path, const char *format, ...) {
        const QuadletLine l = { .file = path };
        va_list ap;
        int r;

        x->n_refused++;
        va_start(ap, format);
        r = quadlet_vnote(x, &l, NULL, format, ap);
        va_end(ap);
        return r;
}

/* ---- what the modules ask ---- */

/**
 * quadlet_value() - the value of a scalar in the unit's own section
 * @q:   the unit
 * @key: its name
 *
 * Return: the last one that counts, or NULL.
 */
const char *quadlet_value(const Quadlet *q, const char *key) {
        const char *value = NULL;

        FOREACH_ARRAY (l, q->lines, q->n_lines)
                if (!l->is_done && is_own_section(q, l->section) && streq(l->key, key))
                        value = l->value;
        return value;
}

/**
 * quadlet_find_file() - a unit by the name of its file
 * @x:    the import
 * @file: "data.volume"
 *
 * Return: the unit, or NULL.
 */
Quadlet *quadlet_find_file(QuadletImport *x, const char *file) {
        QuadletKind kind = quadlet_kind_from_path(file);
        size_t n;

        if (kind < 0 || strlen(file) <= strlen(kinds[kind]) + 1)
                return NULL;
        n = strlen(file) - strlen(kinds[kind]) - 1;
        FOREACH_ARRAY (q, x->units, x->n_units)
                if (q->kind == kind && strlen(q->name) == n && strncmp(q->name, file, n) == 0)
                        return q;
        return NULL;
}

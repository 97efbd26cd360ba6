/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Merging: sections of the same name add up, the last scalar wins, an empty value resets. Unknown sections and keys are
 * found here, with what was probably meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/ini.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/suggest.h"
#include "podfile/pod-text.h"

static void pod_line_done(PodLine *line) {
        free(line->value);
}

static void pod_part_done(PodPart *p) {
        FOREACH_ARRAY (line, p->lines, p->n_lines)
                pod_line_done(line);
        free(p->lines);
        free(p->name);
        free(p->title);
}

/**
 * pod_text_free() - free a text
 * @t: may be NULL
 *
 * Return: NULL.
 */
PodText *pod_text_free(PodText *t) {
        if (!t)
                return NULL;
        FOREACH_ARRAY (p, t->parts, t->n_parts)
                pod_part_done(p);
        free(t->parts);
        free(t->pod);
        (void) strv_free(t->files);
        free(t);
        return NULL;
}

/**
 * pod_text_new() - an empty text
 * @pod: name of the pod before "@", copied
 * @ret: for pod_text_free()
 *
 * Return: 0 or -ENOMEM.
 */
int pod_text_new(const char *pod, PodText **ret) {
        _cleanup_pod_text_ PodText *t = new0(PodText, 1);

        if (!t)
                return -ENOMEM;
        t->pod = strdup(pod);
        if (!t->pod)
                return -ENOMEM;
        *ret = TAKE_PTR(t);
        return 0;
}

/**
 * pod_line_key() - the key of a line
 * @line: of a PodText
 *
 * Return: its name, a constant.
 */
const char *pod_line_key(const PodLine *line) {
        return line->key ? line->key->name : line->unit_key->name;
}

/* One file on its way into the text. */
typedef struct Reading {
        PodText *text;
        PodErrors *errors;
        const char *file;
        PodPart *part;   /* NULL: the section is ignored or was refused */
        char *title;     /* text of the last header */
        bool has_header; /* any header was seen */
} Reading;

static PodPart *find_part(PodText *t, PodSection section, const char *name) {
        FOREACH_ARRAY (p, t->parts, t->n_parts)
                if (p->section == section && streq_ptr(p->name, name))
                        return p;
        return NULL;
}

static int unknown_section(Reading *in, unsigned line, const char *type) {
        Suggest s = SUGGEST_INIT(type);

        for (PodSection i = 0; i < _POD_SECTION_MAX; i++)
                suggest_add(&s, pod_section_to_string(i));
        if (s.best)
                return pod_errors_addf(in->errors, in->file, line, in->title, NULL,
                                       "unknown section (did you mean [%s]?)", s.best);
        return pod_errors_addf(
                in->errors, in->file, line, in->title, NULL,
                "unknown section (Unit, Pod, App, Volume, Socket, Service, Timer, Install, or X-...)");
}

/* Is the name right for such a section? A message is recorded if not: returns 1, 0, or -ENOMEM. */
static int check_name(Reading *in, unsigned line, PodSection section, const char *name) {
        bool may =
                section == POD_SECTION_APP || section == POD_SECTION_VOLUME || section == POD_SECTION_SOCKET;
        const char *type = pod_section_to_string(section);
        int r = 0;

        if (name && !may)
                r = pod_errors_addf(in->errors, in->file, line, in->title, NULL,
                                    "this section takes no name ([%s])", type);
        else if (!name && section == POD_SECTION_VOLUME)
                r = pod_errors_addf(in->errors, in->file, line, in->title, NULL,
                                    "a volume needs a name ([Volume NAME])");
        else if (name && !app_name_is_valid(name))
                r = pod_errors_addf(in->errors, in->file, line, in->title, NULL,
                                    "'%s' is not a name (lower-case letters, digits and inner '-')", name);
        else if (name && section == POD_SECTION_APP && app_name_is_reserved(name))
                r = pod_errors_addf(in->errors, in->file, line, in->title, NULL,
                                    "'%s' is a unit or a user of the pod itself (choose another [App NAME])",
                                    name);
        else
                return 1;
        return r;
}

static int add_part(Reading *in, unsigned line, PodSection section, const char *name) {
        PodText *t = in->text;
        PodPlace place = { in->file, line };
        PodPart part = { .section = section, .place = place, .last = place };
        int r;

        in->part = find_part(t, section, name);
        if (in->part) {
                bool twice = section == POD_SECTION_APP && in->part->last.file == in->file;
                unsigned first = in->part->last.line;

                in->part->last = place;
                if (!twice)
                        return 0;
                return pod_errors_addf(in->errors, in->file, line, in->title, NULL,
                                       "duplicate app '%s' (the first one is in line %u)", name, first);
        }
        if (t->n_parts >= POD_TEXT_PARTS_MAX)
                return pod_errors_addf(in->errors, in->file, line, in->title, NULL,
                                       "the pod has more than %u sections", POD_TEXT_PARTS_MAX);
        part.title = strdup(in->title);
        part.name = name ? strdup(name) : NULL;
        r = !part.title || (name && !part.name) || !GREEDY_GROW(t->parts, t->n_parts) ? -ENOMEM : 0;
        if (r < 0) {
                pod_part_done(&part);
                return r;
        }
        t->parts[t->n_parts] = part;
        in->part = &t->parts[t->n_parts++];
        return 0;
}

static int on_header(Reading *in, const IniItem *item) {
        size_t n = strcspn(item->section, " \t");
        _cleanup_free_ char *type = strndup(item->section, n);
        const char *name = item->section + n;
        PodSection section;
        int r;

        in->has_header = true;
        in->part = NULL;
        if (!type || str_replace(&in->title, item->section) < 0)
                return -ENOMEM;
        if (startswith(type, "X-"))
                return 0;
        section = pod_section_from_string(type);
        if (section < 0)
                return unknown_section(in, item->line, type);
        name += strspn(name, " \t");
        if (*name == '\0')
                name = section == POD_SECTION_APP ? in->text->pod : NULL;
        r = check_name(in, item->line, section, name);
        if (r <= 0)
                return r;
        return add_part(in, item->line, section, name);
}

/* The other sections where a key of systemd belongs. */
static const char *belongs_to(const UnitKey *k) {
        static const struct {
                unsigned place;
                const char *section;
        } places[] = {
                { UNIT_KEY_UNIT, "[Unit]" },       { UNIT_KEY_SERVICE, "[Service]" },
                { UNIT_KEY_SOCKET, "[Socket]" },   { UNIT_KEY_TIMER, "[Timer]" },
                { UNIT_KEY_INSTALL, "[Install]" },
        };

        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (k->places & places[i].place)
                        return places[i].section;
        return "a unit";
}

_not_traced_ static const char *suggest_key(PodSection section, const char *key) {
        Suggest s = SUGGEST_INIT(key);
        unsigned places = pod_section_unit_keys(section);
        const PodKey *own;
        const UnitKey *units;
        size_t n;

        own = pod_keys(section, &n);
        for (size_t i = 0; i < n; i++)
                suggest_add(&s, own[i].name);
        units = unit_key_table(&n);
        for (size_t i = 0; i < n; i++)
                if (units[i].places & places)
                        suggest_add(&s, units[i].name);
        return s.best;
}

/* The section that has this key of ours. */
static const char *section_of(const char *key) {
        for (PodSection s = 0; s < _POD_SECTION_MAX; s++)
                if (pod_key_find(s, key))
                        return pod_section_to_string(s);
        return NULL;
}

static int unknown_key(Reading *in, const IniItem *item, const UnitKey *elsewhere) {
        PodSection section = in->part->section;
        const char *best, *where = section_of(item->key);

        if (in->errors->n >= POD_ERRORS_MAX) { /* a suggestion that nobody sees takes its time, too */
                in->errors->n_more++;
                return 0;
        }
        if (elsewhere && section == POD_SECTION_APP && elsewhere->instead)
                return pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                                       "not for an app (%s)", elsewhere->instead);
        if (elsewhere && section == POD_SECTION_APP && (elsewhere->places & UNIT_KEY_SERVICE))
                return pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                                       "not for an app (it is a key of the whole pod: [Service])");
        best = elsewhere ? NULL : suggest_key(section, item->key);
        if (best)
                return pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                                       "unknown key (did you mean %s=?)", best);
        if (where)
                return pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                                       "unknown key (it belongs in [%s])", where);
        if (elsewhere)
                return pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                                       "unknown key (it belongs in %s)", belongs_to(elsewhere));
        return pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                               "unknown key (rkt.pod(5) has all keys; X-... is ignored)");
}

/* Forgets the lines of one key. */
static void forget(PodPart *p, const PodLine *line) {
        size_t n = 0;

        for (size_t i = 0; i < p->n_lines; i++)
                if (p->lines[i].key == line->key && p->lines[i].unit_key == line->unit_key)
                        pod_line_done(&p->lines[i]);
                else
                        p->lines[n++] = p->lines[i];
        p->n_lines = n;
}

static int on_assignment(Reading *in, const IniItem *item) {
        PodLine line = { .place = { in->file, item->line } };
        PodSection section;

        if (!in->has_header)
                return pod_errors_addf(in->errors, in->file, item->line, NULL, item->key,
                                       "a key before the first section ([Pod] or [App])");
        if (!in->part || startswith(item->key, "X-"))
                return 0;
        section = in->part->section;
        line.key = pod_key_find(section, item->key);
        line.unit_key = line.key ? NULL : unit_key_find(item->key);
        if (!line.key && (!line.unit_key || !(line.unit_key->places & pod_section_unit_keys(section))))
                return unknown_key(in, item, line.unit_key);
        if (line.key && (!(line.key->flags & POD_KEY_LIST) || *item->value == '\0'))
                forget(in->part, &line);
        /* systemd ignores the line, but for us it would be what replaces a default */
        if (section == POD_SECTION_APP && !line.key && *item->value == '\0' &&
            !unit_key_is_list(line.unit_key)) {
                forget(in->part, &line);
                return 0;
        }
        if (line.key && *item->value == '\0' && !(line.key->flags & POD_KEY_EMPTY))
                return line.key->flags & POD_KEY_NOT_EMPTY
                               ? pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                                                 "the value is missing (leave the key out for the default)")
                               : 0;
        if (++in->text->n_lines > POD_TEXT_LINES_MAX)
                return in->text->n_lines > POD_TEXT_LINES_MAX + 1
                               ? 0
                               : pod_errors_addf(in->errors, in->file, item->line, in->title, item->key,
                                                 "the pod has more than %u assignments", POD_TEXT_LINES_MAX);
        line.value = strdup(item->value);
        if (!line.value || !GREEDY_GROW(in->part->lines, in->part->n_lines)) {
                free(line.value);
                return -ENOMEM;
        }
        in->part->lines[in->part->n_lines++] = line;
        return 0;
}

static int on_item(const IniItem *item, void *userdata) {
        return item->key ? on_assignment(userdata, item) : on_header(userdata, item);
}

static int on_bad(unsigned line, const char *what, void *userdata) {
        Reading *in = userdata;

        return pod_errors_addf(in->errors, in->file, line, NULL, NULL, "%s", what);
}

/**
 * pod_text_parse() - merge one more file into the text
 * @t:      grows
 * @path:   of the file, copied; what messages call it
 * @data:   @size bytes; any bytes at all
 * @size:   bytes
 * @errors: mistakes are added, and what they are in is left out
 *
 * Return: 0 (also when there were mistakes) or -ENOMEM.
 */
int pod_text_parse(PodText *t, const char *path, const char *data, size_t size, PodErrors *errors) {
        Reading in = { .text = t, .errors = errors };
        size_t n = strv_length(t->files);
        int r;

        r = strv_extend(&t->files, path);
        if (r < 0)
                return r;
        in.file = t->files[n];
        r = ini_parse(data, size, &(IniHandler){ .item = on_item, .bad = on_bad, .userdata = &in });
        free(in.title);
        return r;
}

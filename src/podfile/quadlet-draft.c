/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod file in the making. The loader of pod files has the last word on each line: what it refuses becomes a comment, or
 * refuses the pod if it would confine. So whatever is written passes "rkt pod check". */
#include "podfile/quadlet-draft.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-file.h"

#define ROUNDS_MAX 8 /* of checking: 64 mistakes each */

static void part_done(DraftPart *p) {
        free(p->title);
        free(p->source);
        FOREACH_ARRAY (l, p->lines, p->n_lines)
                free(l->text);
        free(p->lines);
}

/**
 * draft_done() - free a draft
 * @d: not to be used any more
 */
void draft_done(Draft *d) {
        free(d->pod);
        FOREACH_ARRAY (p, d->parts, d->n_parts)
                part_done(p);
        free(d->parts);
        free(d->app_name);
        (void) strv_free(d->capabilities);
        (void) strv_free(d->no_capabilities);
}

/**
 * draft_use() - a unit whose text goes into the draft
 * @d: the draft; nobody may read it who could not read the unit
 * @q: is used from now on
 */
void draft_use(Draft *d, Quadlet *q) {
        q->is_used = true;
        d->mode &= q->mode;
}

/* A value may come from a word whose escapes were resolved: a newline in it would be one more line, with any key. */
static bool is_one_line(const char *text) {
        for (const char *p = text; *p; p++)
                if (((unsigned char) *p < ' ' && *p != '\t') || *p == 0x7f)
                        return false;
        return true;
}

static int refuse_control(Draft *d, const QuadletLine *from) {
        const QuadletLine whole = { .file = d->unit->files ? d->unit->files[0] : d->unit->name };

        return draft_refuse(d, from ? from : &whole,
                            "has a control character (a newline, perhaps), which a pod file cannot say here");
}

/**
 * draft_part() - the part of a title, which is made if need be
 * @d:     the draft
 * @title: between the brackets; one with control characters refuses the pod
 * @ret:   its index
 *
 * Return: 0 or -ENOMEM.
 */
int draft_part(Draft *d, const char *title, size_t *ret) {
        char *copy;

        for (size_t i = 0; i < d->n_parts; i++)
                if (streq(d->parts[i].title, title)) {
                        *ret = i;
                        return 0;
                }
        if (!is_one_line(title) && refuse_control(d, NULL) < 0)
                return -ENOMEM;
        copy = strdup(title);
        if (!copy || !GREEDY_GROW(d->parts, d->n_parts)) {
                free(copy);
                return -ENOMEM;
        }
        d->parts[d->n_parts] = (DraftPart){ .title = copy };
        *ret = d->n_parts++;
        return 0;
}

/* What several containers of a pod say is said once. */
static bool is_there(const Draft *d, size_t part, const char *text) {
        if (part != DRAFT_POD && !(part == DRAFT_UNIT && d->is_member))
                return false;
        FOREACH_ARRAY (l, d->parts[part].lines, d->parts[part].n_lines)
                if (streq(l->text, text))
                        return true;
        return false;
}

static int add_text(Draft *d, size_t part, const QuadletLine *from, bool confines, char *text) {
        DraftPart *p = &d->parts[part];

        if (text && *text != '#' && is_there(d, part, text)) {
                free(text);
                return 0;
        }
        if (!text || !GREEDY_GROW(p->lines, p->n_lines)) {
                free(text);
                return -ENOMEM;
        }
        p->lines[p->n_lines++] = (DraftLine){ .text = text, .from = from, .confines = confines };
        return 0;
}

/**
 * draft_add() - one more line
 * @d:        the draft
 * @part:     index of its part
 * @from:     line of Quadlet's that it stands for; NULL: none
 * @confines: a mistake in it refuses the pod
 * @format:   printf: KEY=VALUE, or a comment; control characters but a tab refuse the pod
 *
 * Return: 0 or -ENOMEM.
 */
int draft_add(Draft *d, size_t part, const QuadletLine *from, bool confines, const char *format, ...) {
        char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n >= 0 && !is_one_line(text)) {
                free(text);
                return refuse_control(d, from);
        }
        return add_text(d, part, from, confines, n < 0 ? NULL : text);
}

/* FILE:LINE: [SECTION] KEY=: sentence */
static int note_to_string(const QuadletLine *l, const char *sentence, char **ret) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_free_ char *key = l->key ? strf("%s=", l->key) : NULL;

        if ((l->key && !key) ||
            pod_errors_addf(&errors, l->file, l->line, l->section, key, "%s", sentence) < 0)
                return -ENOMEM;
        return pod_error_to_string(&errors.items[0], ret);
}

/**
 * quadlet_vnote() - quadlet_note() with its arguments as a list
 * @x:      the import
 * @l:      where; its section and key may be NULL, its line 0
 * @ret:    the whole text; may be NULL; to free()
 * @format: printf: the sentence
 * @ap:     its arguments
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_vnote(QuadletImport *x, const QuadletLine *l, char **ret, const char *format, va_list ap) {
        _cleanup_free_ char *sentence = NULL, *text = NULL;
        char *copy;
        int r;

        if (vasprintf(&sentence, format, ap) < 0)
                return -ENOMEM;
        r = note_to_string(l, sentence, &text);
        copy = r >= 0 ? strdup(text) : NULL;
        if (!copy || !GREEDY_GROW(x->notes, x->n_notes)) {
                free(copy);
                return -ENOMEM;
        }
        x->notes[x->n_notes++] = copy;
        if (ret)
                *ret = TAKE_PTR(text);
        return 0;
}

/**
 * quadlet_note() - tell something on standard error alone
 * @x:      the import
 * @line:   where; its section and key may be NULL, its line 0
 * @ret:    the whole text; may be NULL; to free()
 * @format: printf: the sentence
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_note(QuadletImport *x, const QuadletLine *line, char **ret, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = quadlet_vnote(x, line, ret, format, ap);
        va_end(ap);
        return r;
}

/**
 * draft_note() - tell what became of a line, on standard error and as a comment
 * @d:      the draft
 * @line:   of Quadlet's
 * @format: printf: the sentence
 *
 * Return: 0 or -ENOMEM.
 */
int draft_note(Draft *d, const QuadletLine *line, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = quadlet_vnote(d->import, line, &text, format, ap);
        va_end(ap);
        return r < 0 ? r : draft_add(d, d->app, NULL, false, "# %s", text);
}

/**
 * draft_refuse() - tell why there will be no pod
 * @d:      the draft; refused from now on
 * @line:   of Quadlet's
 * @format: printf: the sentence
 *
 * Return: 0 or -ENOMEM.
 */
int draft_refuse(Draft *d, const QuadletLine *line, const char *format, ...) {
        va_list ap;
        int r;

        d->is_refused = true;
        va_start(ap, format);
        r = quadlet_vnote(d->import, line, NULL, format, ap);
        va_end(ap);
        return r;
}

/**
 * quadlet_add_result() - one more file to write
 * @x:    the import
 * @name: "web.pod"; taken; NULL: -ENOMEM
 * @text: its bytes; taken; NULL: -ENOMEM
 * @mode: its permissions
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_add_result(QuadletImport *x, char *name, char *text, unsigned mode) {
        if (!name || !text || !GREEDY_GROW(x->results, x->n_results)) {
                free(name);
                free(text);
                return -ENOMEM;
        }
        x->results[x->n_results++] = (QuadletResult){ .name = name, .text = text, .mode = mode };
        return 0;
}

/**
 * quadlet_valid_name() - a name for a pod, app, volume or network
 * @name: any; what stands behind "@" is left out
 * @ret:  small letters, digits and inner "-", up to 63; to free()
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_valid_name(const char *name, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        for (const char *p = name; *p && *p != '@' && b.size < 63; p++) {
                char c = (char) tolower((unsigned char) *p);

                if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
                        strbuf_add_n(&b, &c, 1);
                else if (b.size > 0 && b.data[b.size - 1] != '-')
                        strbuf_add(&b, "-");
        }
        while (b.size > 0 && b.data[b.size - 1] == '-')
                b.data[--b.size] = '\0';
        if (b.size == 0)
                strbuf_add(&b, "x");
        return strbuf_steal(&b, ret);
}

/**
 * quadlet_add_word() - add a word to a list, quoted as word_next() reads it
 * @word: any text
 * @text: the list so far, or NULL; replaced
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_add_word(const char *word, char **text) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        bool quote = *word == '\0' || word[strcspn(word, " \t\"'\\")] != '\0';

        strbuf_add(&b, str_or(*text, ""));
        strbuf_add(&b, *text ? " " : "");
        strbuf_add(&b, quote ? "\"" : "");
        for (const char *p = word; *p; p++)
                if ((unsigned char) *p < ' ')
                        strbuf_addf(&b, "\\x%02x", (unsigned) (unsigned char) *p);
                else {
                        if (*p == '"' || *p == '\\')
                                strbuf_add(&b, "\\");
                        strbuf_add_n(&b, p, 1);
                }
        strbuf_add(&b, quote ? "\"" : "");
        free(*text);
        *text = NULL;
        return strbuf_steal(&b, text);
}

/* ---- the text, and its check ---- */

static unsigned add_head(const Draft *d, StrBuf *b) {
        unsigned n = 1;

        strbuf_add(b, "# Made by rkt pod import-quadlet from");
        FOREACH_ARRAY (q, d->import->units, d->import->n_units)
                if (q->is_used && q->kind <= QUADLET_POD && q == d->unit)
                        STRV_FOREACH (f, q->files) {
                                _cleanup_free_ char *path = NULL;
                                const QuadletLine l = { .file = *f };

                                if (note_to_string(&l, "", &path) < 0) {
                                        b->failed = true;
                                        return n;
                                }
                                path[strlen(path) - 2] = '\0';
                                strbuf_addf(b, "%s %s", f == q->files ? "" : ",", path);
                        }
        strbuf_add(b, "\n");
        return n;
}

/* The order of sections. */
enum { RANK_UNIT, RANK_POD, RANK_APP, RANK_VOLUME, RANK_OTHER, RANK_SERVICE, RANK_INSTALL, _RANK_MAX };

static unsigned rank_of(const DraftPart *p) {
        static const char *const titles[_RANK_MAX] = {
                "Unit", "Pod", "App", "Volume ", NULL, "Service", "Install",
        };

        for (unsigned i = 0; i < _RANK_MAX; i++)
                if (titles[i] && startswith(p->title, titles[i]))
                        return i;
        return RANK_OTHER;
}

/* Lines are numbered as in the text: (*ret_lines)[n - 1] is line n, or NULL; there are *ret_n. */
static int render(const Draft *d, char **ret, DraftLine ***ret_lines, size_t *ret_n) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ DraftLine **lines = NULL;
        size_t n = 0, total = 2;
        unsigned rank = 0;
        bool is_first = true;

        FOREACH_ARRAY (p, d->parts, d->n_parts)
                total += p->n_lines + 2;
        lines = new0(DraftLine *, total);
        if (!lines)
                return -ENOMEM;
        n += add_head(d, &b);
        for (; rank < _RANK_MAX; rank++)
                FOREACH_ARRAY (p, d->parts, d->n_parts) {
                        if (rank_of(p) != rank ||
                            (p->n_lines == 0 && rank != RANK_APP && rank != RANK_VOLUME))
                                continue;
                        strbuf_addf(&b, "%s[%s]\n", is_first ? "" : "\n", p->title);
                        n += is_first ? 1 : 2;
                        is_first = false;
                        FOREACH_ARRAY (l, p->lines, p->n_lines) {
                                strbuf_addf(&b, "%s\n", l->text);
                                lines[n++] = l;
                        }
                }
        *ret_lines = TAKE_PTR(lines);
        *ret_n = n;
        return strbuf_steal(&b, ret);
}

/* What the loader says about a line: it becomes a comment, with where it came from. */
static int strike(Draft *d, DraftLine *l, const char *why) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (!l->from)
                return -EINVAL;
        if (l->confines)
                return draft_refuse(d, l->from, "%s; without it the pod would be less confined", why);
        r = quadlet_note(d->import, l->from, &text, "%s", why);
        if (r < 0)
                return r;
        free(l->text);
        l->text = strf("# %s", text);
        return l->text ? 0 : -ENOMEM;
}

/* Returns the number of mistakes that were dealt with, or a negative errno. */
static int check_once(Draft *d, const PodEntry *entry, char **ret) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_text_ PodText *text = NULL;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        _cleanup_free_ DraftLine **lines = NULL;
        _cleanup_free_ char *data = NULL;
        size_t n_lines = 0;
        unsigned last = 0;
        int r = render(d, &data, &lines, &n_lines);

        if (r >= 0)
                r = pod_text_new(entry->prefix, &text);
        if (r >= 0)
                r = pod_text_parse(text, entry->path, data, strlen(data), &errors);
        if (r >= 0)
                r = pod_text_load(entry, text, &spec, &errors);
        FOREACH_ARRAY (e, errors.items, errors.n) {
                const QuadletLine whole = { .file = d->unit->files ? d->unit->files[0] : d->unit->name };

                if (r < 0 || d->is_refused)
                        break;
                if (e->line > 0 && e->line == last)
                        continue;
                last = e->line;
                r = e->line > 0 && e->line <= n_lines && lines[e->line - 1]
                            ? strike(d, lines[e->line - 1], e->message)
                            : -EINVAL;
                if (r == -EINVAL)
                        r = draft_refuse(d, &whole, "cannot be a pod file: %s%s%s", str_or(e->key, ""),
                                         e->key ? ": " : "", e->message);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(data);
        return (int) errors.n;
}

/* A backslash at the end would make the next line a part of this one. */
static int check_ends(Draft *d) {
        FOREACH_ARRAY (p, d->parts, d->n_parts)
                FOREACH_ARRAY (l, p->lines, p->n_lines) {
                        int r = *l->text != '#' && endswith(l->text, "\\")
                                        ? strike(d, l, "the value ends with a backslash")
                                        : 0;

                        if (r < 0 && r != -EINVAL)
                                return r;
                }
        return 0;
}

/**
 * draft_finish() - check the draft, and add it to the results, or count it as refused
 * @d: with all its lines
 *
 * Return: 0 or -ENOMEM.
 */
int draft_finish(Draft *d) {
        char instance[] = "x";
        _cleanup_free_ char *name = d->is_template ? strf("%s-x", d->pod) : strdup(d->pod),
                            *path = strf("%s%s.pod", d->pod, d->is_template ? "@" : ""), *text = NULL;
        PodEntry entry = { .name = name, .prefix = d->pod, .instance = d->is_template ? instance : NULL };
        int r = name && path ? check_ends(d) : -ENOMEM;

        entry.path = path;
        for (unsigned i = 0; r >= 0 && !d->is_refused; i++) {
                free(text);
                text = NULL;
                r = check_once(d, &entry, &text);
                if (r == 0)
                        break;
                if (r > 0 && i == ROUNDS_MAX) {
                        const QuadletLine l = { .file = path };

                        r = draft_refuse(d, &l, "too many mistakes");
                }
        }
        if (r < 0)
                return r;
        if (d->is_refused) {
                d->import->n_refused++;
                return 0;
        }
        FOREACH_ARRAY (x, d->import->results, d->import->n_results)
                if (streq(x->name, path)) {
                        const QuadletLine l = { .file = d->unit->files[0] };

                        d->import->n_refused++;
                        return quadlet_note(d->import, &l, NULL,
                                            "would be %s, as would another file: rename one", path);
                }
        return quadlet_add_result(d->import, TAKE_PTR(path), TAKE_PTR(text), d->mode);
}

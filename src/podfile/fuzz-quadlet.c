/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as files of Quadlet's, imported together. A line "@@ NAME" begins a file; the same name again is a drop-in. What comes
 * out must load as a pod file, and messages must be text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/pod-file.h"
#include "podfile/quadlet.h"

#define FILES_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next "@@ NAME\n" at the beginning of a line. */
static const char *next_file(const char *p, const char *end) {
        while (p && p < end) {
                if (end - p > 3 && memcmp(p, "@@ ", 3) == 0)
                        return p;
                p = memchr(p, '\n', (size_t) (end - p));
                p = p ? p + 1 : NULL;
        }
        return NULL;
}

static Quadlet *find_unit(QuadletImport *x, const char *name) {
        FOREACH_ARRAY (q, x->units, x->n_units)
                if (q->files && streq(q->files[0], name))
                        return q;
        return NULL;
}

static int add_files(QuadletImport *x, const char *p, const char *end) {
        p = next_file(p, end);
        for (unsigned i = 0; p && i < FILES_MAX; i++) {
                const char *nl = memchr(p, '\n', (size_t) (end - p)), *next;
                _cleanup_free_ char *name = NULL;
                Quadlet *q;

                if (!nl)
                        return 0;
                name = strndup(p + 3, (size_t) (nl - p) - 3);
                next = next_file(nl + 1, end);
                if (!name)
                        return -ENOMEM;
                q = find_unit(x, name);
                if (!q && quadlet_import_add(x, name, &q) < 0)
                        q = NULL;
                if (q &&
                    quadlet_import_parse(x, q, name, nl + 1, (size_t) ((next ? next : end) - nl - 1)) < 0)
                        return -ENOMEM;
                p = next;
        }
        return 0;
}

/* Nothing in a source may become a line of its own in a pod file. This key is no counterpart of any of Quadlet's; sections of
 * others' (X-), which come after ours, may have it. */
static void check_lines(const QuadletResult *result) {
        const char *key = strstr(result->text, "\nInsecureOptions="), *other = strstr(result->text, "\n[X-");

        if (key && (!other || key < other))
                abort();
        for (const char *p = result->text; *p; p++)
                if (((unsigned char) *p < ' ' && *p != '\n' && *p != '\t') || *p == 0x7f)
                        abort();
}

static void check_pod(const QuadletResult *result) {
        const char *at = strchr(result->name, '@'), *dot = strrchr(result->name, '.');
        _cleanup_free_ char *prefix = strndup(result->name, (size_t) ((at ? at : dot) - result->name)),
                            *name = prefix ? strf("%s%s", prefix, at ? "-x" : "") : NULL;
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_text_ PodText *text = NULL;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        char instance[] = "x";
        PodEntry entry = {
                .name = name, .prefix = prefix, .instance = at ? instance : NULL, .path = result->name
        };

        if (!name || pod_text_new(prefix, &text) < 0)
                return;
        if (pod_text_parse(text, result->name, result->text, strlen(result->text), &errors) < 0 ||
            pod_text_load(&entry, text, &spec, &errors) < 0)
                return;
        if (errors.n > 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_quadlet_import_ QuadletImport x = QUADLET_IMPORT_INIT;

        x.base = "/base";
        if (add_files(&x, (const char *) data, (const char *) data + size) < 0 ||
            quadlet_import_convert(&x) < 0)
                return 0;
        FOREACH_ARRAY (r, x.results, x.n_results)
                if (endswith(r->name, ".pod")) {
                        check_lines(r);
                        check_pod(r);
                }
        FOREACH_ARRAY (n, x.notes, x.n_notes)
                if (!str_is_utf8(*n, strlen(*n)) || strchr(*n, '\n'))
                        abort();
        return 0;
}

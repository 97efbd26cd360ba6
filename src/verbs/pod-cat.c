/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt pod cat: what a pod file and its drop-ins amount to, each line with its origin. The output is a pod file, too. */
#include <stdio.h>
#include <string.h>

#include "basic/str.h"
#include "podfile/pod-file.h"
#include "verbs/verbs.h"

static void print_text(const PodText *t) {
        FOREACH_ARRAY (p, t->parts, t->n_parts) {
                (void) printf("%s[%s]\n", p == t->parts ? "" : "\n", p->title);
                FOREACH_ARRAY (line, p->lines, p->n_lines)
                        (void) printf("# %s:%u\n%s=%s\n", line->place.file, line->place.line,
                                      pod_line_key(line), line->value);
        }
}

static int cat_entry(const PodEntry *entry, PodErrors *errors) {
        _cleanup_pod_text_ PodText *t = NULL;
        int r;

        r = pod_entry_read(entry, &t, errors);
        if (r >= 0)
                print_text(t);
        return r;
}

static int cat_path(const char *path, PodErrors *errors) {
        PodEntry entry = {};
        int r;

        r = pod_entry_from_path(path, &entry, errors);
        if (r <= 0)
                return r;
        r = cat_entry(&entry, errors);
        pod_entry_done(&entry);
        return r;
}

static int cat_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        r = pod_index_load(NULL, &index);
        verb_open_pager(c);
        for (int i = 0; r >= 0 && i < argc; i++) {
                const PodEntry *entry = pod_index_find(index, args[i]);

                if (i > 0)
                        (void) puts("");
                if (entry)
                        r = cat_entry(entry, &errors);
                else if (strchr(args[i], '/') || endswith(args[i], ".pod"))
                        r = cat_path(args[i], &errors);
                else
                        return error_setf(e, -ENOENT, "there is no pod file for '%s' (see rkt pod list)",
                                          args[i]);
        }
        if (r >= 0)
                r = pod_errors_to_string(&errors, &text);
        if (r < 0)
                return error_oom(e);
        (void) fflush(stdout);
        (void) fputs(text, stderr);
        return errors.n > 0 ? 1 : 0;
}

const Verb verb_pod_cat = {
        .group = "pod",
        .name = "cat",
        .flags = VERB_NO_DATA,
        .min_args = 1,
        .max_args = VERB_ARGS_ANY,
        .usage = "NAME|FILE...",
        .section = SECTION_FILES,
        .help = "Print pod files with their drop-ins merged",
        .description = "Sections are merged, and what was replaced or reset is left out. A comment above "
                       "each line says where "
                       "it is from. Specifiers stay as they are.",
        .run = cat_run,
};

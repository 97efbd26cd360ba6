/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt pod check: says what is wrong in pod files, and starts nothing. The messages are the result: standard output. */
#include <stdio.h>

#include "basic/json-write.h"
#include "basic/strv.h"
#include "podfile/pod-file.h"
#include "verbs/verbs.h"

typedef struct CheckArgs {
        bool json;
} CheckArgs;

/* What a run has found. */
typedef struct Findings {
        PodErrors *lists; /* one per pod, and one for what is no pod */
        size_t n;
        char **later; /* sentences: right, but not there yet */
} Findings;

static void findings_done(Findings *f) {
        FOREACH_ARRAY (l, f->lists, f->n)
                pod_errors_done(l);
        free(f->lists);
        (void) strv_free(f->later);
}

/* Takes the errors. */
static int add_errors(Findings *f, PodErrors *errors) {
        if (!GREEDY_GROW(f->lists, f->n))
                return -ENOMEM;
        f->lists[f->n++] = *errors;
        *errors = POD_ERRORS_INIT;
        return 0;
}

static int check_entry(const PodEntry *entry, Findings *f) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        int r;

        r = pod_entry_load(entry, &spec, &errors);
        if (r < 0)
                return r;
        STRV_FOREACH (s, spec->unsupported) {
                r = strv_extend(&f->later, *s);
                if (r < 0)
                        return r;
        }
        return add_errors(f, &errors);
}

static int check_file(const char *path, Findings *f) {
        _cleanup_pod_errors_ PodErrors errors = POD_ERRORS_INIT;
        PodEntry entry = {};
        int r;

        r = pod_entry_from_path(path, &entry, &errors);
        if (r > 0) {
                r = check_entry(&entry, f);
                pod_entry_done(&entry);
        }
        return r < 0 ? r : add_errors(f, &errors);
}

static int check_all(Findings *f) {
        _cleanup_pod_index_ PodIndex *index = NULL;
        int r;

        r = pod_index_load(NULL, &index);
        if (r >= 0)
                r = add_errors(f, &index->errors);
        for (size_t i = 0; r >= 0 && i < index->n; i++)
                r = check_entry(&index->entries[i], f);
        return r;
}

static void write_nullable(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        if (value)
                json_write_string(w, value);
        else
                json_write_null(w);
}

static int print_json(const Findings *f, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        json_write_begin_object(&w);
        json_write_key(&w, "errors");
        json_write_begin_array(&w);
        for (size_t i = 0; i < f->n; i++)
                FOREACH_ARRAY (x, f->lists[i].items, f->lists[i].n) {
                        json_write_begin_object(&w);
                        json_write_key(&w, "file");
                        json_write_string(&w, x->file);
                        json_write_key(&w, "line");
                        json_write_uint(&w, x->line);
                        write_nullable(&w, "section", x->section);
                        write_nullable(&w, "key", x->key);
                        json_write_key(&w, "message");
                        json_write_string(&w, x->message);
                        json_write_end_object(&w);
                }
        json_write_end_array(&w);
        json_write_key(&w, "unsupported");
        json_write_begin_array(&w);
        STRV_FOREACH (s, f->later)
                json_write_string(&w, *s);
        json_write_end_array(&w);
        json_write_end_object(&w);
        if (json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        (void) puts(text);
        return 0;
}

static int print_text(const Findings *f, Error *e) {
        for (size_t i = 0; i < f->n; i++) {
                _cleanup_free_ char *text = NULL;

                if (pod_errors_to_string(&f->lists[i], &text) < 0)
                        return error_oom(e);
                (void) fputs(text, stdout);
        }
        (void) fflush(stdout);
        STRV_FOREACH (s, f->later)
                (void) fprintf(stderr, "%s\n", *s);
        return 0;
}

static int check_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(findings_done) Findings f = {};
        const CheckArgs *a = options;
        size_t n = 0;
        int r = 0;

        if (argc == 0)
                r = check_all(&f);
        for (int i = 0; r >= 0 && i < argc; i++)
                r = check_file(args[i], &f);
        if (r < 0)
                return error_oom(e);
        r = a->json ? print_json(&f, e) : print_text(&f, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (l, f.lists, f.n)
                n += l->n;
        return n > 0 ? 1 : 0;
}

static const Option check_options[] = {
        { .name = "json",
          .type = OPTION_BOOL,
          .offset = offsetof(CheckArgs, json),
          .help = "Print one JSON object" },
        {},
};

const Verb verb_pod_check = {
        .group = "pod",
        .name = "check",
        .flags = VERB_NO_DATA,
        .max_args = VERB_ARGS_ANY,
        .usage = "[FILE...]",
        .help = "Check pod files",
        .description = "Without FILE all pod files are checked, as systemd would find them. Nothing is "
                       "started. The exit code "
                       "is 1 when something is wrong. Keys that are right, but not supported yet, are named "
                       "on standard "
                       "error.",
        .options = check_options,
        .options_size = sizeof(CheckArgs),
        .run = check_run,
};

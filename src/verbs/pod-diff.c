/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt pod diff: what a reload of systemd would change, and what a restart of the pods that run. Changes nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "basic/json-write.h"
#include "basic/strv.h"
#include "run/pod-change.h"
#include "run/pod-units.h"
#include "verbs/verbs.h"

typedef struct DiffArgs {
        const char *format;
} DiffArgs;

static bool is_wanted(int argc, char **names, const char *name) {
        return argc == 0 || strv_contains(names, name);
}

static void write_nullable(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        if (value)
                json_write_string(w, value);
        else
                json_write_null(w);
}

static int write_errors(JsonWriter *w, const char *errors) {
        _cleanup_strv_free_ char **lines = NULL;
        int r = errors ? strv_split(errors, "\n", &lines) : 0;

        json_write_key(w, "errors");
        json_write_begin_array(w);
        STRV_FOREACH (l, lines)
                if (**l)
                        json_write_string(w, *l);
        json_write_end_array(w);
        return r;
}

static int print_json(const PodFileChanges *c, int argc, char **names, bool pretty, Error *e) {
        _cleanup_json_write_ JsonWriter w = { .flags = pretty ? JSON_WRITE_PRETTY : 0 };
        _cleanup_free_ char *text = NULL;
        int r = 0;

        json_write_begin_array(&w);
        FOREACH_ARRAY (x, c->items, c->n) {
                if (x->kind == POD_SAME || !is_wanted(argc, names, x->name))
                        continue;
                json_write_begin_object(&w);
                write_nullable(&w, "name", x->name);
                write_nullable(&w, "file", x->path);
                write_nullable(&w, "change", pod_file_change_kind_to_string(x->kind));
                json_write_key(&w, "running");
                json_write_boolean(&w, x->is_running);
                json_write_key(&w, "restart");
                json_write_boolean(&w, x->restart);
                write_nullable(&w, "diff", x->diff);
                if (r >= 0)
                        r = write_errors(&w, x->errors);
                json_write_end_object(&w);
        }
        json_write_end_array(&w);
        if (r < 0 || json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        (void) puts(text);
        return 0;
}

static void print_text(const PodFileChanges *c, int argc, char **names) {
        FOREACH_ARRAY (x, c->items, c->n) {
                if (x->kind == POD_SAME || !is_wanted(argc, names, x->name))
                        continue;
                (void) printf("pod %s: %s%s\n", x->name, pod_file_change_kind_to_string(x->kind),
                              x->restart                                ? " (runs; a restart makes it so)"
                              : x->is_running && x->kind == POD_BROKEN  ? " (runs on as it is)"
                              : x->is_running && x->kind == POD_REMOVED ? " (runs on)"
                                                                        : "");
                (void) fputs(x->errors ? x->errors : x->diff ? x->diff : "", stdout);
        }
}

static int check_names(const PodFileChanges *c, int argc, char **names, Error *e) {
        for (int i = 0; i < argc; i++)
                if (!pod_file_changes_find(c, names[i]))
                        return error_setf(e, -ENOENT,
                                          "there is no pod file for '%s', and it does not run (see "
                                          "rkt pod list)",
                                          names[i]);
        return 0;
}

static int diff_run(const VerbContext *context, int argc, char **args, void *options, Error *e) {
        _cleanup_pod_file_changes_ PodFileChanges changes = POD_FILE_CHANGES_INIT;
        _cleanup_pod_index_ PodIndex *index = NULL;
        _cleanup_strv_free_ char **running = NULL;
        _cleanup_error_ Error no_bus = ERROR_INIT;
        const DiffArgs *a = options;
        int r, no_running, n = 0;

        if (*a->format && !streq(a->format, "json") && !streq(a->format, "json-pretty"))
                return error_setf(e, -EINVAL, "invalid format \"%s\": it must be json or json-pretty",
                                  a->format);
        no_running = pod_units_running(&running, &no_bus);
        if (secure_getenv("RKT_GENERATOR_DIR")) /* not what this systemd runs */
                no_running = 0;
        if (pod_index_load(NULL, &index) < 0)
                return error_oom(e);
        r = pod_file_changes_load(index, running, NULL, &changes, e);
        if (r >= 0)
                r = check_names(&changes, argc, args, e);
        if (r >= 0)
                verb_open_pager(context);
        if (r >= 0 && *a->format)
                r = print_json(&changes, argc, args, streq(a->format, "json-pretty"), e);
        else if (r >= 0)
                print_text(&changes, argc, args);
        if (r >= 0)
                r = pod_file_changes_complete(&changes, argc > 0 ? args : NULL, e);
        if (r >= 0 && no_running < 0)
                r = error_setf(e, no_running, "cannot tell which pods run: %s",
                               error_text(&no_bus, no_running));
        if (r < 0)
                return r;
        FOREACH_ARRAY (x, changes.items, changes.n)
                n += x->kind != POD_SAME && is_wanted(argc, args, x->name);
        return n > 0 ? 1 : 0;
}

static const Option diff_options[] = {
        { "format", 0, OPTION_STRING, offsetof(DiffArgs, format), .fallback = "", .value = "FORMAT",
          .help = "Print as json or json-pretty" },
        {},
};

const Verb verb_pod_diff = {
        .group = "pod",
        .name = "diff",
        .flags = VERB_NO_DATA,
        .max_args = VERB_ARGS_ANY,
        .usage = "[POD...]",
        .help = "Show what a reload, or a restart, would change",
        .description =
                "Pod files as they are are compared with what the generator wrote at the last reload of "
                "systemd, and with what running pods were started with. Comments do not count. The exit "
                "code is 0 when there is no difference, 1 when there is one, as diff's, and 254 when not all "
                "could be read: pod files that are for root alone are so here, too.",
        .options = diff_options,
        .options_size = sizeof(DiffArgs),
        .run = diff_run,
};

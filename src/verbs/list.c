/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt list: every pod that there is, one line per app. */
#include <stdio.h>
#include <time.h>

#include "basic/clock.h"
#include "basic/strv.h"
#include "basic/table.h"
#include "manifest/ac-lenient.h"
#include "pod/pod-list.h"
#include "pod/pod-settle.h"
#include "verbs/pod-info.h"
#include "verbs/verbs.h"

#define SHORT_UUID 8
#define SHORT_ID   (sizeof("sha512-") - 1 + 12)

typedef struct ListArgs {
        bool full;
        bool no_legend;
        const char *format;
} ListArgs;

enum {
        COLUMN_UUID,
        COLUMN_APP,
        COLUMN_IMAGE,
        COLUMN_ID,
        COLUMN_STATE,
        COLUMN_CREATED,
        COLUMN_STARTED,
        COLUMN_NETWORKS
};

static const TableColumn columns[] = {
        [COLUMN_UUID] = { "uuid", "UUID" },          [COLUMN_APP] = { "app", "APP" },
        [COLUMN_IMAGE] = { "image", "IMAGE NAME" },  [COLUMN_ID] = { "id", "IMAGE ID" },
        [COLUMN_STATE] = { "state", "STATE" },       [COLUMN_CREATED] = { "created", "CREATED" },
        [COLUMN_STARTED] = { "started", "STARTED" }, [COLUMN_NETWORKS] = { "networks", "NETWORKS" },
};

/* A cell with a time of the pod; empty if there is none. */
static int set_time(Table *t, size_t column, bool full, Pod *p, int (*get)(Pod *p, usec_t *ret), Error *e) {
        _cleanup_free_ char *text = NULL;
        usec_t usec;

        if (get(p, &usec) < 0)
                return 0;
        text = full ? format_timestamp_go((int64_t) usec)
                    : format_age((int64_t) clock_usec(CLOCK_REALTIME), (int64_t) usec);
        return text ? table_set(t, column, text, NULL, e) : error_oom(e);
}

/* The columns that stand only in a pod's first row. */
static int set_pod_cells(Table *t, Pod *p, const ListArgs *args, Error *e) {
        _cleanup_free_ char *uuid = args->full ? strdup(pod_uuid(p)) : strndup(pod_uuid(p), SHORT_UUID),
                            *networks = NULL;
        int r = uuid ? table_set(t, COLUMN_UUID, uuid, NULL, e) : error_oom(e);

        if (r >= 0)
                r = table_set(t, COLUMN_STATE, pod_state_to_string(pod_state(p)), NULL, e);
        if (r >= 0 && pod_networks(p, &networks) >= 0)
                r = table_set(t, COLUMN_NETWORKS, networks, NULL, e);
        if (r >= 0)
                r = set_time(t, COLUMN_CREATED, args->full, p, pod_created_usec, e);
        if (r >= 0)
                r = set_time(t, COLUMN_STARTED, args->full, p, pod_started_usec, e);
        return r;
}

static int set_app_cells(Table *t, const PodApp *a, Error *e) {
        _cleanup_free_ char *title = NULL, *id = strndup(str_or(a->image.id, "-"), SHORT_ID);
        int r = table_set(t, COLUMN_APP, a->name, NULL, e);

        if (!id || pod_image_title(&a->image, &title) < 0)
                return error_oom(e);
        if (r >= 0)
                r = table_set(t, COLUMN_IMAGE, title, NULL, e);
        return r < 0 ? r : table_set(t, COLUMN_ID, id, NULL, e);
}

/* A row of an app that may not be valid. */
static int set_lenient_cells(Table *t, const LenientApp *a, Error *e) {
        const char *version = ac_pairs_get(a->image.labels, a->image.n_labels, "version");
        _cleanup_free_ char *id = strndup(str_or(a->image.id, "-"), SHORT_ID), *title = NULL;
        int r = table_set(t, COLUMN_APP, str_or(a->name, "-"), NULL, e);

        title = strf("%s%s%s", str_or(a->image.name, "-"), version ? ":" : "", str_or(version, ""));
        if (!id || !title)
                return error_oom(e);
        if (r >= 0)
                r = table_set(t, COLUMN_IMAGE, title, NULL, e);
        return r < 0 ? r : table_set(t, COLUMN_ID, id, NULL, e);
}

/* A pod whose manifest is not valid, as one that another version of rkt made, has what it says of itself; one whose manifest
 * cannot be read, because it is being made or is damaged, has dashes. */
static int add_doubtful_pod(Table *t, Pod *p, const ListArgs *args, Error *e) {
        static const LenientApp unknown;
        _cleanup_(lenient_pod_done) LenientPod m = {};
        _cleanup_free_ char *text = NULL;
        size_t size;
        /* by now an embryo may have one, but who looks for its app waits for a pod that is past that (Pacemaker's agent) */
        int r = pod_state(p) == POD_EMBRYO ? -ENOENT : pod_read_manifest_text(p, &text, &size, NULL);

        if (r >= 0)
                r = lenient_pod_parse(text, size, &m);
        if (r < 0 || m.n_apps == 0) {
                r = table_add_row(t, e);
                if (r >= 0)
                        r = set_lenient_cells(t, &unknown, e);
                return r < 0 ? r : set_pod_cells(t, p, args, e);
        }
        for (size_t i = 0; i < m.n_apps; i++) {
                r = table_add_row(t, e);
                if (r >= 0 && i == 0)
                        r = set_pod_cells(t, p, args, e);
                if (r >= 0)
                        r = set_lenient_cells(t, &m.apps[i], e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_pod(Table *t, Pod *p, const ListArgs *args, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        int r;

        if (pod_state(p) == POD_EMBRYO || pod_read_manifest(p, &m, NULL) < 0 || m->n_apps == 0)
                return add_doubtful_pod(t, p, args, e);
        for (size_t i = 0; i < m->n_apps; i++) {
                r = table_add_row(t, e);
                if (r >= 0 && i == 0)
                        r = set_pod_cells(t, p, args, e);
                if (r >= 0)
                        r = set_app_cells(t, &m->apps[i], e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int print_json(const PodList *l, TableFormat format, Error *e) {
        _cleanup_json_write_ JsonWriter w = { .flags = format == TABLE_JSON_PRETTY ? JSON_WRITE_PRETTY : 0 };
        _cleanup_free_ char *text = NULL;

        json_write_begin_array(&w);
        FOREACH_ARRAY (p, l->pods, l->n_pods)
                pod_write_json(*p, &w);
        json_write_end_array(&w);
        if (json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        (void) puts(text);
        return 0;
}

static int print_table(const PodList *l, const ListArgs *args, Error *e) {
        _cleanup_(table_freep) Table *t = NULL;
        int r = table_new(columns, ELEMENTSOF(columns), &t, e);

        if (r >= 0 && !args->full)
                r = table_select(t, "uuid,app,image,state,created,started,networks", e);
        for (size_t i = 0; i < l->n_pods && r >= 0; i++)
                r = add_pod(t, l->pods[i], args, e);
        return r < 0 ? r : table_print(t, TABLE_TEXT, !args->no_legend, stdout, e);
}

static int list_run(const VerbContext *c, int argc, char **words, void *options, Error *e) {
        const ListArgs *args = options;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_pod_list_ PodList l = POD_LIST_INIT;
        TableFormat format = table_format_from_string(args->format, e);
        int r;

        if (format < 0)
                return format;
        r = pods_open_for(c->dir, &ps, e);
        if (r >= 0)
                r = pod_list_load(ps, &l, e);
        FOREACH_ARRAY (p, l.pods, l.n_pods)
                pod_settle_now(*p);
        if (r >= 0)
                verb_open_pager(c);
        if (r >= 0)
                r = format == TABLE_TEXT ? print_table(&l, args, e) : print_json(&l, format, e);
        if (r < 0 || format != TABLE_TEXT || strv_length(l.errors) == 0)
                return r; /* drivers read both outputs as one, and want JSON alone */
        (void) fflush(stdout);
        (void) fprintf(stderr, "%zu error(s) encountered when listing pods:\n", strv_length(l.errors));
        STRV_FOREACH (s, l.errors)
                (void) fprintf(stderr, "----------------------------------------\n%s\n", *s);
        return 0;
}

static const Option list_options[] = {
        { "full", 0, OPTION_BOOL, offsetof(ListArgs, full), .help = "use long output format" },
        { "no-legend", 0, OPTION_BOOL, offsetof(ListArgs, no_legend),
          .help = "suppress a legend with the list" },
        { "format", 0, OPTION_STRING, offsetof(ListArgs, format), .value = "FORMAT",
          .help = "json or json-pretty instead of a table" },
        {},
};

const Verb verb_list = {
        .name = "list",
        .section = SECTION_PODS,
        .help = "List pods",
        .options = list_options,
        .options_size = sizeof(ListArgs),
        .run = list_run,
};

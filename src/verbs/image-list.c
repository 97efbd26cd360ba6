/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image list: what is in the store. */
#include <stdio.h>
#include <time.h>

#include "basic/str.h"
#include "basic/table.h"
#include "image/image-get.h"
#include "verbs/verbs.h"

#define ID_DIGITS 12

typedef struct ListArgs {
        const char *fields;
        const char *sort;
        const char *order;
        const char *format;
        bool full;
        bool no_legend;
} ListArgs;

enum { COLUMN_ID, COLUMN_NAME, COLUMN_SIZE, COLUMN_IMPORT_TIME, COLUMN_LAST_USED, _COLUMN_MAX };

static const TableColumn columns[_COLUMN_MAX] = {
        [COLUMN_ID] = { "id", "ID", "id", false },
        [COLUMN_NAME] = { "name", "NAME", "name", false },
        [COLUMN_SIZE] = { "size", "SIZE", "size", true },
        [COLUMN_IMPORT_TIME] = { "importtime", "IMPORT TIME", "import_time", true },
        [COLUMN_LAST_USED] = { "lastused", "LAST USED", "last_used_time", true },
};

static int compare(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const StoreImage *) a)->name, ((const StoreImage *) b)->name);
}

static int by_import_time(const void *a, const void *b) {
        return compare(((const StoreImage *) a)->import_usec, ((const StoreImage *) b)->import_usec);
}

static int by_last_used(const void *a, const void *b) {
        return compare(((const StoreImage *) a)->last_used_usec, ((const StoreImage *) b)->last_used_usec);
}

static uint64_t image_size(const StoreImage *i) {
        return i->size + i->tree_size;
}

static int by_size(const void *a, const void *b) {
        return compare(image_size(a), image_size(b));
}

static int sort_images(StoreImageList *l, const ListArgs *a, Error *e) {
        static const struct {
                const char *name;
                int (*compare)(const void *, const void *);
        } orders[] = {
                { "importtime", by_import_time },
                { "lastused", by_last_used },
                { "name", by_name },
                { "size", by_size },
        };
        bool descending = streq(a->order, "desc");
        size_t i = 0;

        while (i < ELEMENTSOF(orders) && !streq(orders[i].name, a->sort))
                i++;
        if (i == ELEMENTSOF(orders))
                return error_setf(e, -EINVAL, "cannot sort by '%s'; it is importtime, lastused, name or size",
                                  a->sort);
        if (!descending && !streq(a->order, "asc"))
                return error_setf(e, -EINVAL, "invalid order '%s'; it is asc or desc", a->order);
        if (l->n_images > 1)
                qsort(l->images, l->n_images, sizeof(*l->images), orders[i].compare);
        for (size_t k = 0; descending && k < l->n_images / 2; k++) {
                StoreImage swap = l->images[k];

                l->images[k] = l->images[l->n_images - 1 - k];
                l->images[l->n_images - 1 - k] = swap;
        }
        return 0;
}

static int set_time(Table *t, size_t column, usec_t when, usec_t now, bool full, Error *e) {
        _cleanup_free_ char *text = full ? format_timestamp_go((int64_t) when)
                                         : format_age((int64_t) now, (int64_t) when),
                            *json = strf("%llu", (unsigned long long) when * 1000ULL);

        return text && json ? table_set(t, column, text, json, e) : error_oom(e);
}

static int add_image(Table *t, const StoreImage *i, usec_t now, bool full, Error *e) {
        const char *version = store_image_label(i, "version");
        _cleanup_free_ char *id = strndup(i->key, strlen("sha512-") + ID_DIGITS), *name = NULL, *size = NULL,
                            *bytes = strf("%llu", (unsigned long long) image_size(i));
        int r;

        name = version ? strf("%s:%s", i->name, version) : strdup(i->name);
        size = full ? strf("%llu", (unsigned long long) image_size(i)) : format_bytes_go(image_size(i));
        if (!id || !name || !size || !bytes)
                return error_oom(e);
        r = table_add_row(t, e);
        if (r >= 0)
                r = table_set(t, COLUMN_ID, full ? i->key : id, NULL, e);
        if (r >= 0)
                r = table_set(t, COLUMN_NAME, name, NULL, e);
        if (r >= 0)
                r = table_set(t, COLUMN_SIZE, size, bytes, e);
        if (r >= 0)
                r = set_time(t, COLUMN_IMPORT_TIME, i->import_usec, now, full, e);
        if (r >= 0)
                r = set_time(t, COLUMN_LAST_USED, i->last_used_usec, now, full, e);
        return r;
}

static int load(const char *dir, StoreImageList *ret, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        int r;

        r = store_open(dir, STORE_OPEN_READ_ONLY, &store, e);
        if (r == -ENOENT) {
                error_done(e);
                return 0;
        }
        return r < 0 ? r : store_image_list(store, ret, e);
}

static int list_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_image_list_done) StoreImageList list = {};
        _cleanup_(table_freep) Table *t = NULL;
        ListArgs *a = options;
        TableFormat format;
        struct timespec now;
        int r;

        format = table_format_from_string(a->format, e);
        if ((int) format < 0)
                return format;
        r = table_new(columns, ELEMENTSOF(columns), &t, e);
        if (r >= 0)
                r = table_select(t, a->fields, e);
        if (r >= 0)
                r = load(c->dir, &list, e);
        if (r >= 0)
                r = sort_images(&list, a, e);
        if (r < 0)
                return r;
        (void) clock_gettime(CLOCK_REALTIME, &now);
        FOREACH_ARRAY (i, list.images, list.n_images) {
                r = add_image(t, i, (usec_t) now.tv_sec * USEC_PER_SEC, a->full, e);
                if (r < 0)
                        return r;
        }
        return table_print(t, format, !a->no_legend, stdout, e);
}

static const Option list_options[] = {
        { "fields", 0, OPTION_STRING, offsetof(ListArgs, fields),
          .fallback = "id,name,size,importtime,lastused", .value = "FIELDS",
          .help = "comma-separated list of fields to display" },
        { "format", 0, OPTION_STRING, offsetof(ListArgs, format), .value = "FORMAT",
          .help = "json or json-pretty instead of a table" },
        { "full", 0, OPTION_BOOL, offsetof(ListArgs, full), .help = "use long output format" },
        { "no-legend", 0, OPTION_BOOL, offsetof(ListArgs, no_legend),
          .help = "suppress a legend with the list" },
        { "order", 0, OPTION_STRING, offsetof(ListArgs, order), .fallback = "asc", .value = "asc|desc",
          .help = "order of the list" },
        { "sort", 0, OPTION_STRING, offsetof(ListArgs, sort), .fallback = "importtime", .value = "FIELD",
          .help = "sort by importtime, lastused, name or size" },
        {},
};

const Verb verb_image_list = {
        .group = "image",
        .name = "list",
        .usage = NULL,
        .help = "List images in the local store",
        .prefix = "image",
        .options = list_options,
        .options_size = sizeof(ListArgs),
        .run = list_run,
};

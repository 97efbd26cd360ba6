/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt image list: what is in the store. */
#include <stdio.h>
#include <time.h>

#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/table.h"
#include "image/image-get.h"
#include "verbs/verbs.h"

#define ID_DIGITS  12
#define KEY_DIGITS 16

typedef struct ListArgs {
        const char *fields;
        const char *sort;
        const char *order;
        const char *format;
        bool full;
        bool no_legend;
} ListArgs;

enum {
        COLUMN_ID,
        COLUMN_NAME,
        COLUMN_SIZE,
        COLUMN_IMPORT_TIME,
        COLUMN_LAST_USED,
        COLUMN_SIGNED,
        COLUMN_SOURCE,
        _COLUMN_MAX
};

static const TableColumn columns[_COLUMN_MAX] = {
        [COLUMN_ID] = { "id", "ID", "id", false },
        [COLUMN_NAME] = { "name", "NAME", "name", false },
        [COLUMN_SIZE] = { "size", "SIZE", "size", true },
        [COLUMN_IMPORT_TIME] = { "importtime", "IMPORT TIME", "import_time", true },
        [COLUMN_LAST_USED] = { "lastused", "LAST USED", "last_used_time", true },
        [COLUMN_SIGNED] = { "signed", "SIGNED", "signed", false, true },
        [COLUMN_SOURCE] = { "source", "SOURCE", "source", false, true },
};

static int compare(uint64_t a, uint64_t b) {
        return a < b ? -1 : a > b;
}

static int by_import_time(const void *a, const void *b);

static int by_name(const void *a, const void *b) {
        int c = strcmp(((const StoreImage *) a)->name, ((const StoreImage *) b)->name);

        return c != 0 ? c : by_import_time(a, b);
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

/* How a row is written. Thousands of rows: nothing is made that will not be seen. */
typedef struct RowStyle {
        bool json;
        bool full;
        bool with_signed;
        usec_t now;
} RowStyle;

static int set_time(Table *t, size_t column, usec_t when, const RowStyle *s, Error *e) {
        _cleanup_free_ char *text = s->json   ? strf("%llu", (unsigned long long) when * 1000ULL)
                                    : s->full ? format_timestamp_go((int64_t) when)
                                              : format_age((int64_t) s->now, (int64_t) when);

        return text ? table_set(t, column, text, NULL, e) : error_oom(e);
}

static int set_size(Table *t, uint64_t size, const RowStyle *s, Error *e) {
        _cleanup_free_ char *text =
                s->json || s->full ? strf("%llu", (unsigned long long) size) : format_bytes_go(size);

        return text ? table_set(t, COLUMN_SIZE, text, NULL, e) : error_oom(e);
}

/* Whose signature was found good: the last digits of each key's fingerprint, or all of them. */
static int set_signed(Table *t, const StoreImage *i, const RowStyle *s, Error *e) {
        _cleanup_strbuf_ StrBuf text = STRBUF_INIT;

        STRV_FOREACH (f, i->signed_by) {
                size_t n = strlen(*f);

                strbuf_addf(&text, "%s%s", text.size > 0 ? "," : "",
                            s->json || s->full || n < KEY_DIGITS ? *f : *f + n - KEY_DIGITS);
        }
        if (text.failed)
                return error_oom(e);
        return table_set(t, COLUMN_SIGNED, str_or(text.data, s->json ? "" : "no"), NULL, e);
}

static int add_image(Table *t, const StoreImage *i, const RowStyle *s, Error *e) {
        const char *version = store_image_label(i, "version");
        _cleanup_free_ char *name = version ? strf("%s:%s", i->name, version) : NULL;
        char id[STORE_KEY_MAX];
        int r;

        if (version && !name)
                return error_oom(e);
        (void) snprintf(id, sizeof(id), "%s", i->key);
        if (!s->full)
                id[strlen("sha512-") + ID_DIGITS] = '\0';
        r = table_add_row(t, e);
        if (r >= 0)
                r = table_set(t, COLUMN_ID, id, NULL, e);
        if (r >= 0)
                r = table_set(t, COLUMN_NAME, str_or(name, i->name), NULL, e);
        if (r >= 0)
                r = set_size(t, image_size(i), s, e);
        if (r >= 0)
                r = set_time(t, COLUMN_IMPORT_TIME, i->import_usec, s, e);
        if (r >= 0)
                r = set_time(t, COLUMN_LAST_USED, i->last_used_usec, s, e);
        if (r >= 0 && s->with_signed)
                r = set_signed(t, i, s, e);
        return r < 0 ? r : table_set(t, COLUMN_SOURCE, i->source, NULL, e);
}

static int load(const char *dir, StoreImageList *ret, Error *e) {
        _cleanup_(store_freep) Store *store = NULL;
        int r;

        r = store_open(dir, STORE_OPEN_READ_ONLY, &store, e);
        if (r == -ENOENT) {
                error_done(e);
                return 0;
        }
        if (r >= 0)
                r = store_image_list(store, ret, e);
        return r;
}

static int list_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_(store_image_list_done) StoreImageList list = {};
        _cleanup_(table_freep) Table *t = NULL;
        ListArgs *a = options;
        RowStyle style = { .full = a->full, .with_signed = strstr(a->fields, "signed") };
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
        if (format == TABLE_TEXT) /* drivers read both outputs as one, and want JSON alone */
                STRV_FOREACH (i, list.errors)
                        log_warning("%s; fetch that image again, or remove the file by rkt image gc", *i);
        if (r >= 0)
                r = sort_images(&list, a, e);
        if (r < 0)
                return r;
        (void) clock_gettime(CLOCK_REALTIME, &now);
        style.json = format != TABLE_TEXT;
        style.now = (usec_t) now.tv_sec * USEC_PER_SEC;
        FOREACH_ARRAY (i, list.images, list.n_images) {
                r = add_image(t, i, &style, e);
                if (r < 0)
                        return r;
        }
        verb_open_pager(c);
        return table_print(t, format, !a->no_legend, stdout, e);
}

static const Option list_options[] = {
        { "fields", 0, OPTION_STRING, offsetof(ListArgs, fields),
          .fallback = "id,name,size,importtime,lastused", .value = "FIELDS",
          .help = "comma-separated list of fields to display; there are signed and source too" },
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

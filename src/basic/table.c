/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Results as a table or as JSON. A table is libsmartcols' with a tab after each padded cell, so that people see columns and
 * scripts can split as they did with rkt. JSON is an array of flat objects; nested documents are written by manifest's code. */
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/json-write.h"
#include "basic/markup.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/table.h"

#define ANSI_UNDERLINE "\x1b[4m"
#define ANSI_GREEN     "\x1b[32m"
#define ANSI_RED       "\x1b[31m"
#define ANSI_NORMAL    "\x1b[0m"

typedef struct Cell {
        char *text;
        char *json; /* NULL: as text */
} Cell;

struct Table {
        const TableColumn *columns;
        size_t n_columns;
        size_t *shown; /* columns in the order of printing */
        size_t n_shown;
        Cell *cells; /* n_rows * n_columns */
        size_t n_rows;
};

/**
 * table_format_from_string() - the value of --format
 * @s: NULL or "" for a table
 * @e: sentence on failure; may be NULL
 *
 * Return: a TableFormat; -EINVAL.
 */
TableFormat table_format_from_string(const char *s, Error *e) {
        if (!s || !*s)
                return TABLE_TEXT;
        if (streq(s, "json"))
                return TABLE_JSON;
        if (streq(s, "json-pretty"))
                return TABLE_JSON_PRETTY;
        return error_setf(e, _TABLE_FORMAT_INVALID, "invalid format \"%s\": it must be json or json-pretty",
                          s);
}

/**
 * table_new() - an empty table
 * @columns:   kept by reference
 * @n_columns: how many
 * @ret:       the table; free with table_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0; -ENOMEM.
 */
int table_new(const TableColumn *columns, size_t n_columns, Table **ret, Error *e) {
        _cleanup_(table_freep) Table *t = new0(Table, 1);

        if (!t)
                return error_oom(e);
        t->columns = columns;
        t->n_columns = n_columns;
        t->shown = new0(size_t, n_columns);
        if (!t->shown)
                return error_oom(e);
        for (size_t i = 0; i < n_columns; i++)
                t->shown[t->n_shown++] = i;
        *ret = TAKE_PTR(t);
        return 0;
}

/**
 * table_free() - free the rows and the table
 * @t: table or NULL
 *
 * Return: NULL.
 */
Table *table_free(Table *t) {
        if (!t)
                return NULL;
        FOREACH_ARRAY (c, t->cells, t->n_rows * t->n_columns) {
                free(c->text);
                free(c->json);
        }
        free(t->cells);
        free(t->shown);
        free(t);
        return NULL;
}

/**
 * table_select() - print only these columns, in this order (--fields=)
 * @t:      table
 * @fields: names of columns with commas
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -ENXIO for a name that is no column, -E2BIG for too many, -ENOMEM.
 */
int table_select(Table *t, const char *fields, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        size_t n = 0;

        if (strv_split(fields, ",", &names) < 0)
                return error_oom(e);
        if (strv_length(names) > t->n_columns)
                return error_setf(e, -E2BIG, "a field is named twice in \"%s\"", fields);
        STRV_FOREACH (name, names) {
                size_t i = 0;

                while (i < t->n_columns && !streq(t->columns[i].name, *name))
                        i++;
                if (i == t->n_columns)
                        return error_setf(e, -ENXIO, "unknown field \"%s\"", *name);
                t->shown[n++] = i;
        }
        if (n > 0)
                t->n_shown = n;
        return 0;
}

/**
 * table_add_row() - begin a new row of empty cells
 * @t: table
 * @e: sentence on failure; may be NULL
 *
 * Return: 0; -ENOMEM.
 */
int table_add_row(Table *t, Error *e) {
        Cell *c = reallocarray(t->cells, (t->n_rows + 1) * t->n_columns, sizeof(Cell));

        if (!c)
                return error_oom(e);
        t->cells = c;
        memset(c + t->n_rows * t->n_columns, 0, t->n_columns * sizeof(Cell));
        t->n_rows++;
        return 0;
}

/**
 * table_set() - fill a cell of the last row
 * @t:      table with at least one row
 * @column: index into the columns
 * @text:   for the table; copied; NULL is empty
 * @json:   for JSON, if it differs from @text; copied; NULL: as @text
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -ENOMEM.
 */
int table_set(Table *t, size_t column, const char *text, const char *json, Error *e) {
        Cell *c = &t->cells[(t->n_rows - 1) * t->n_columns + column];

        if (str_replace(&c->text, text) < 0 || str_replace(&c->json, json) < 0)
                return error_oom(e);
        return 0;
}

static bool is_shown(const Table *t, size_t column) {
        FOREACH_ARRAY (i, t->shown, t->n_shown)
                if (*i == column)
                        return true;
        return false;
}

/* All columns that have a JSON key: --fields is for tables, as in rkt. Columns that rkt does not know must be asked for. */
static int print_json(const Table *t, bool pretty, FILE *f) {
        _cleanup_json_write_ JsonWriter w = { .flags = pretty ? JSON_WRITE_PRETTY : 0 };
        _cleanup_free_ char *text = NULL;
        int r;

        json_write_begin_array(&w);
        for (size_t row = 0; row < t->n_rows; row++) {
                json_write_begin_object(&w);
                for (size_t i = 0; i < t->n_columns; i++) {
                        const Cell *c = &t->cells[row * t->n_columns + i];
                        const char *value = c->json ? c->json : c->text;

                        if (!t->columns[i].json_key || (t->columns[i].extra && !is_shown(t, i)))
                                continue;
                        json_write_key(&w, t->columns[i].json_key);
                        if (t->columns[i].json_number)
                                json_write_number_text(&w, str_or(value, "0"));
                        else
                                json_write_string(&w, str_or(value, ""));
                }
                json_write_end_object(&w);
        }
        json_write_end_array(&w);
        r = json_writer_steal(&w, &text);
        if (r < 0)
                return r;
        return fprintf(f, "%s\n", text) < 0 ? -EIO : 0;
}

static int fill_smartcols(const Table *t, struct libscols_table *tb) {
        for (size_t i = 0; i < t->n_shown; i++)
                if (!scols_table_new_column(tb, t->columns[t->shown[i]].title, 0, 0))
                        return -ENOMEM;
        for (size_t row = 0; row < t->n_rows; row++) {
                struct libscols_line *line = scols_table_new_line(tb, NULL);

                if (!line)
                        return -ENOMEM;
                for (size_t i = 0; i < t->n_shown; i++) {
                        const Cell *c = &t->cells[row * t->n_columns + t->shown[i]];
                        int r = scols_line_set_data(line, i, str_or(c->text, ""));

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static bool is_plain(const char *s) {
        for (; s && *s; s++)
                if ((unsigned char) *s < ' ' || (unsigned char) *s > '~')
                        return false;
        return true;
}

/* Whether libsmartcols has nothing to do: no wide characters, nothing to escape. It takes a tenth of a second for 10,000
 * rows. */
static bool all_plain(const Table *t) {
        for (size_t row = 0; row < t->n_rows; row++)
                FOREACH_ARRAY (i, t->shown, t->n_shown)
                        if (!is_plain(t->cells[row * t->n_columns + *i].text))
                                return false;
        return true;
}

/* NULL: none of its own. */
static const char *color_of(const TableColumn *c, const char *text) {
        if (!streq(c->name, "state"))
                return NULL;
        if (streq(text, "running") || streq(text, "active"))
                return ANSI_GREEN;
        return streq(text, "failed") ? ANSI_RED : NULL;
}

/* A cell of the column as it is shown; a path is a link to the file. */
static void mark_up(const TableColumn *c, const char *text, bool colors, bool links, StrBuf *b) {
        const char *color = colors ? color_of(c, text) : NULL;

        if (links && c->is_path)
                markup_add_file(b, text, text);
        else
                strbuf_addf(b, "%s%s%s", str_or(color, ""), text, color ? ANSI_NORMAL : "");
}

/* Escape sequences have no width. */
static void print_plain_cell(const Table *t, size_t i, const char *text, const char *shown, size_t width,
                             FILE *f) {
        (void) fputs(shown, f);
        if (i + 1 == t->n_shown) {
                (void) fputc('\n', f);
                return;
        }
        for (size_t n = strlen(text); n < width; n++)
                (void) fputc(' ', f);
        (void) fputc('\t', f);
}

static void print_plain_title(const Table *t, size_t i, bool colors, size_t width, FILE *f) {
        const char *title = t->columns[t->shown[i]].title;
        _cleanup_free_ char *shown = colors ? strf(ANSI_UNDERLINE "%s" ANSI_NORMAL, title) : NULL;

        print_plain_cell(t, i, title, str_or(shown, title), width, f);
}

/* What libsmartcols would print. */
static int print_plain(const Table *t, bool legend, FILE *f) {
        _cleanup_free_ size_t *widths = new0(size_t, t->n_shown);
        const bool colors = markup_has_colors(f), links = markup_has_links(f);

        if (!widths)
                return -ENOMEM;
        for (size_t i = 0; i < t->n_shown; i++) {
                if (legend)
                        widths[i] = strlen(t->columns[t->shown[i]].title);
                for (size_t row = 0; row < t->n_rows; row++)
                        widths[i] = MAX(widths[i],
                                        strlen(str_or(t->cells[row * t->n_columns + t->shown[i]].text, "")));
        }
        for (size_t i = 0; legend && i < t->n_shown; i++)
                print_plain_title(t, i, colors, widths[i], f);
        for (size_t row = 0; row < t->n_rows; row++)
                for (size_t i = 0; i < t->n_shown; i++) {
                        const char *text = str_or(t->cells[row * t->n_columns + t->shown[i]].text, "");
                        _cleanup_strbuf_ StrBuf shown = STRBUF_INIT;

                        if (colors || links)
                                mark_up(&t->columns[t->shown[i]], text, colors, links, &shown);
                        print_plain_cell(t, i, text, shown.failed || !shown.data ? text : shown.data,
                                         widths[i], f);
                }
        return ferror(f) ? -EIO : 0;
}

static int print_text(const Table *t, bool legend, FILE *f) {
        struct libscols_table *tb;
        int r;

        if (t->n_rows > 0 && all_plain(t))
                return print_plain(t, legend, f);
        tb = scols_new_table();
        if (!tb)
                return -ENOMEM;
        if (t->n_rows == 0 && legend) /* libsmartcols prints nothing at all then */
                for (size_t i = 0; i < t->n_shown; i++)
                        (void) fprintf(f, "%s%c", t->columns[t->shown[i]].title,
                                       i + 1 < t->n_shown ? '\t' : '\n');
        (void) scols_table_enable_noheadings(tb, !legend);
        (void) scols_table_set_stream(tb, f);
        (void) scols_table_set_termforce(tb, SCOLS_TERMFORCE_NEVER);
        r = scols_table_set_column_separator(tb, "\t");
        if (r >= 0)
                r = fill_smartcols(t, tb);
        if (r >= 0 && t->n_rows > 0)
                r = scols_print_table(tb);
        scols_unref_table(tb);
        return r;
}

/**
 * table_print() - write the table
 * @t:      table
 * @format: as text or JSON
 * @legend: text: with a line of titles
 * @f:      where to
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -ENOMEM.
 */
int table_print(const Table *t, TableFormat format, bool legend, FILE *f, Error *e) {
        int r = 0;

        if (format == TABLE_TEXT)
                r = print_text(t, legend, f);
        else
                r = print_json(t, format == TABLE_JSON_PRETTY, f);
        return r < 0 ? error_setf(e, r, "cannot print the table: %s", strerror(-r)) : 0;
}

/**
 * format_age() - "2 hours ago", as rkt counts
 * @now_usec:  time of day
 * @then_usec: time of day; later than @now_usec gives "... from now"
 *
 * Return: text that the caller frees; NULL when out of memory.
 */
char *format_age(int64_t now_usec, int64_t then_usec) {
        static const struct {
                int64_t below, unit; /* seconds; unit 0: the text as it is */
                const char *text;
        } steps[] = {
                { 1, 0, "now" },
                { 2, 0, "1 second" },
                { 60, 1, "seconds" },
                { 120, 0, "1 minute" },
                { 3600, 60, "minutes" },
                { 7200, 0, "1 hour" },
                { 86400, 3600, "hours" },
                { 2 * 86400, 0, "1 day" },
                { 7 * 86400, 86400, "days" },
                { 14 * 86400, 0, "1 week" },
                { 30 * 86400, 7 * 86400, "weeks" },
                { 60 * 86400, 0, "1 month" },
                { 360 * 86400, 30 * 86400, "months" },
                { 720 * 86400, 0, "1 year" },
                { INT64_MAX, 360 * 86400, "years" },
        };
        int64_t seconds = (now_usec - then_usec) / 1000000;
        const char *direction = seconds < 0 ? "from now" : "ago";
        size_t i = 0;

        if (seconds < 0)
                seconds = -seconds;
        if (seconds == 0)
                return strdup("now");
        while (i < ELEMENTSOF(steps) - 1 && seconds >= steps[i].below)
                i++;
        if (steps[i].unit == 0)
                return strf("%s %s", steps[i].text, direction);
        return strf("%" PRId64 " %s %s", seconds / steps[i].unit, steps[i].text, direction);
}

/**
 * format_timestamp_go() - a time as Go's layout "2006-01-02 15:04:05.999 -0700 MST"
 * @usec: time of day
 *
 * Return: text in local time that the caller frees; NULL when out of memory.
 */
char *format_timestamp_go(int64_t usec) {
        time_t seconds = (time_t) (usec / 1000000);
        int milliseconds = (int) (usec / 1000 % 1000);
        char day[64], zone[64], fraction[8] = "";
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(day, sizeof(day), "%F %T", &tm) == 0 ||
            strftime(zone, sizeof(zone), "%z %Z", &tm) == 0)
                return NULL;
        if (milliseconds > 0) {
                (void) snprintf(fraction, sizeof(fraction), ".%03d", milliseconds);
                for (size_t n = strlen(fraction); n > 1 && fraction[n - 1] == '0'; n--)
                        fraction[n - 1] = '\0';
        }
        return strf("%s%s %s", day, fraction, zone);
}

/**
 * format_bytes_go() - "12MiB", "1.5GiB", as rkt writes sizes
 * @bytes: size
 *
 * Return: text that the caller frees; NULL when out of memory.
 */
char *format_bytes_go(uint64_t bytes) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double value = (double) bytes;
        size_t i = 0;

        if (bytes < 10)
                return strf("%" PRIu64 "B", bytes);
        for (; value >= 1024 && i < ELEMENTSOF(units) - 1; i++)
                value /= 1024;
        return strf(value < 10 ? "%.1f%s" : "%.0f%s", value, units[i]);
}

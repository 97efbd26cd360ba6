/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Results as a table for people or as JSON for programs, from the same rows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "basic/error.h"

typedef enum TableFormat {
        TABLE_TEXT,
        TABLE_JSON,        /* one line */
        TABLE_JSON_PRETTY, /* indented by tabs */
        _TABLE_FORMAT_MAX,
        _TABLE_FORMAT_INVALID = -EINVAL,
} TableFormat;

TableFormat table_format_from_string(const char *s, Error *e);

typedef struct TableColumn {
        const char *name;     /* for --fields=: "importtime" */
        const char *title;    /* "IMPORT TIME" */
        const char *json_key; /* "import_time"; NULL: not in JSON */
        bool json_number;     /* the JSON value is an integer */
        bool extra;           /* in JSON only if it was selected */
        bool is_path;         /* of a file of this host, or something else than an absolute path */
} TableColumn;

typedef struct Table Table;

int table_new(const TableColumn *columns, size_t n_columns, Table **ret, Error *e);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free);
int table_select(Table *t, const char *fields, Error *e);
int table_add_row(Table *t, Error *e);
int table_set(Table *t, size_t column, const char *text, const char *json, Error *e);
int table_print(const Table *t, TableFormat format, bool legend, FILE *f, Error *e);

char *format_age(int64_t now_usec, int64_t then_usec);
char *format_timestamp_go(int64_t usec);
char *format_bytes_go(uint64_t bytes);

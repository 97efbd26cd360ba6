/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON out: a stream of begin, key, value, end; compact, or indented with tabs. The same calls give the same bytes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/str.h"

typedef enum JsonWriteFlags {
        JSON_WRITE_PRETTY = 1 << 0, /* one member per line, indented with tabs */
} JsonWriteFlags;

typedef struct JsonWriter {
        StrBuf buffer;
        JsonWriteFlags flags;
        unsigned depth;
        bool comma;     /* a value stands before, in this array or object */
        bool after_key; /* the next value belongs to a key */
} JsonWriter;

#define JSON_WRITER_INIT     ((JsonWriter){})
#define _cleanup_json_write_ _cleanup_(json_writer_done)

void json_writer_done(JsonWriter *w);
void json_write_begin_object(JsonWriter *w);
void json_write_end_object(JsonWriter *w);
void json_write_begin_array(JsonWriter *w);
void json_write_end_array(JsonWriter *w);
void json_write_key(JsonWriter *w, const char *key);
void json_write_string(JsonWriter *w, const char *s);
void json_write_int(JsonWriter *w, int64_t i);
void json_write_uint(JsonWriter *w, uint64_t u);
void json_write_boolean(JsonWriter *w, bool b);
void json_write_null(JsonWriter *w);
void json_write_number_text(JsonWriter *w, const char *number);
int json_writer_steal(JsonWriter *w, char **ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON out. Escapes as Go's encoder does ('<', '>', '&', U+2028 and U+2029 too), so that documents which rkt wrote keep
 * their bytes when they pass through here. Leaves checking of UTF-8 to those who parsed the text. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "basic/json-write.h"

/**
 * json_writer_done() - free what was written and not taken
 * @w: not NULL
 */
void json_writer_done(JsonWriter *w) {
        strbuf_done(&w->buffer);
        *w = JSON_WRITER_INIT;
}

static void new_line(JsonWriter *w) {
        if (!(w->flags & JSON_WRITE_PRETTY))
                return;
        strbuf_add(&w->buffer, "\n");
        for (unsigned i = 0; i < w->depth; i++)
                strbuf_add(&w->buffer, "\t");
}

/* What stands between the value before and this one. */
static void separate(JsonWriter *w) {
        if (w->after_key) {
                w->after_key = false;
                return;
        }
        if (w->comma)
                strbuf_add(&w->buffer, ",");
        if (w->depth > 0)
                new_line(w);
        w->comma = true;
}

static void begin(JsonWriter *w, const char *bracket) {
        separate(w);
        strbuf_add(&w->buffer, bracket);
        w->depth++;
        w->comma = false;
}

static void end(JsonWriter *w, const char *bracket) {
        assert(w->depth > 0 && !w->after_key);

        w->depth--;
        if (w->comma)
                new_line(w);
        strbuf_add(&w->buffer, bracket);
        w->comma = true;
}

/**
 * json_write_begin_object() - "{"
 * @w: writer
 */
void json_write_begin_object(JsonWriter *w) {
        begin(w, "{");
}

/**
 * json_write_end_object() - "}"
 * @w: writer; an object is open
 */
void json_write_end_object(JsonWriter *w) {
        end(w, "}");
}

/**
 * json_write_begin_array() - "["
 * @w: writer
 */
void json_write_begin_array(JsonWriter *w) {
        begin(w, "[");
}

/**
 * json_write_end_array() - "]"
 * @w: writer; an array is open
 */
void json_write_end_array(JsonWriter *w) {
        end(w, "]");
}

/* Length of the escape that starts at s, and the escape itself in buffer; 0: the byte stands for itself. */
static size_t escape(const char *s, char buffer[7]) {
        unsigned char c = (unsigned char) *s;
        unsigned code = c;

        switch (c) {
        case '"': memcpy(buffer, "\\\"", 3); return 1;
        case '\\': memcpy(buffer, "\\\\", 3); return 1;
        case '\n': memcpy(buffer, "\\n", 3); return 1;
        case '\r': memcpy(buffer, "\\r", 3); return 1;
        case '\t': memcpy(buffer, "\\t", 3); return 1;
        default: break;
        }
        if (c == 0xe2 && (unsigned char) s[1] == 0x80 && ((unsigned char) s[2] & 0xfe) == 0xa8)
                code = 0x2000 | ((unsigned char) s[2] & 0x3f);
        else if (c >= 0x20 && c != '<' && c != '>' && c != '&')
                return 0;
        buffer[0] = '\\';
        buffer[1] = 'u';
        for (int i = 0; i < 4; i++)
                buffer[2 + i] = "0123456789abcdef"[(code >> (12 - 4 * i)) & 0xf];
        buffer[6] = '\0';
        return code > 0xff ? 3 : 1;
}

static void add_quoted(JsonWriter *w, const char *s) {
        const char *from = s;

        strbuf_add(&w->buffer, "\"");
        while (*s) {
                char buffer[7];
                size_t n;

                n = escape(s, buffer);
                if (n == 0) {
                        s++;
                        continue;
                }
                strbuf_add_n(&w->buffer, from, (size_t) (s - from));
                strbuf_add(&w->buffer, buffer);
                s += n;
                from = s;
        }
        strbuf_add_n(&w->buffer, from, (size_t) (s - from));
        strbuf_add(&w->buffer, "\"");
}

/**
 * json_write_key() - the name of the member that comes next
 * @w:   writer; an object is open
 * @key: UTF-8
 */
void json_write_key(JsonWriter *w, const char *key) {
        assert(w->depth > 0 && !w->after_key);

        separate(w);
        add_quoted(w, key);
        strbuf_add(&w->buffer, w->flags & JSON_WRITE_PRETTY ? ": " : ":");
        w->after_key = true;
}

/**
 * json_write_string() - a string; NULL is written as null
 * @w: writer
 * @s: UTF-8 or NULL
 */
void json_write_string(JsonWriter *w, const char *s) {
        if (!s) {
                json_write_null(w);
                return;
        }
        separate(w);
        add_quoted(w, s);
}

/**
 * json_write_int() - a signed number
 * @w: writer
 * @i: any
 */
void json_write_int(JsonWriter *w, int64_t i) {
        separate(w);
        strbuf_addf(&w->buffer, "%" PRIi64, i);
}

/**
 * json_write_uint() - an unsigned number
 * @w: writer
 * @u: any
 */
void json_write_uint(JsonWriter *w, uint64_t u) {
        separate(w);
        strbuf_addf(&w->buffer, "%" PRIu64, u);
}

/**
 * json_write_boolean() - true or false
 * @w: writer
 * @b: which
 */
void json_write_boolean(JsonWriter *w, bool b) {
        separate(w);
        strbuf_add(&w->buffer, b ? "true" : "false");
}

/**
 * json_write_null() - null
 * @w: writer
 */
void json_write_null(JsonWriter *w) {
        separate(w);
        strbuf_add(&w->buffer, "null");
}

/**
 * json_write_number_text() - a number as it was read
 * @w:      writer
 * @number: a JSON number
 */
void json_write_number_text(JsonWriter *w, const char *number) {
        separate(w);
        strbuf_add(&w->buffer, number);
}

/**
 * json_writer_steal() - take the document
 * @w:   writer; all that was opened is closed; empty afterwards
 * @ret: NUL-terminated, the caller frees it
 *
 * Return: 0, -ENOMEM (at any time while writing).
 */
int json_writer_steal(JsonWriter *w, char **ret) {
        assert(w->depth == 0 && !w->after_key);

        w->comma = false;
        return strbuf_steal(&w->buffer, ret);
}

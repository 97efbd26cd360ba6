/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes to a tree. yajl does the grammar; this module bounds it and refuses what yajl or JSON would let through:
 * duplicate member names, NUL and lone surrogates in strings, a byte order mark, deep nesting. Numbers keep their text:
 * what is not a 64-bit integer is never rounded to something near it. Mapping to structs is in json-map.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "basic/alloc.h"
#include "basic/json.h"
#include "basic/parse.h"
#include "basic/str.h"

struct JsonValue {
        JsonType type;
        uint32_t offset; /* of the byte behind its first token */
        char *key;       /* of a member; else NULL */
        size_t n;        /* items or members */
        union {
                bool boolean;
                char *text; /* string, number */
                JsonValue *items;
        };
};

typedef struct Parser {
        yajl_handle yajl;
        JsonValue root;
        JsonValue *open[JSON_DEPTH_MAX + 1]; /* open arrays and objects, outermost first */
        unsigned depth;
        size_t n_values;
        char *key;
        int r;
        Error *e;
} Parser;

static void value_done(JsonValue *v) { /* NOLINT(misc-no-recursion) at most JSON_DEPTH_MAX */
        free(v->key);
        if (v->type == JSON_ARRAY || v->type == JSON_OBJECT) {
                FOREACH_ARRAY (i, v->items, v->n)
                        value_done(i);
                free(v->items);
        } else if (v->type != JSON_BOOLEAN)
                free(v->text);
}

/**
 * json_free() - free a document
 * @v: from json_parse(), or NULL; not a value inside a document
 *
 * Return: NULL.
 */
JsonValue *json_free(JsonValue *v) {
        if (v)
                value_done(v);
        free(v);
        return NULL;
}

static int fail(Parser *p, int r, const char *what) {
        if (p->r == 0)
                p->r = error_setf(p->e, r, "byte %zu: %s", yajl_get_bytes_consumed(p->yajl), what);
        return 0;
}

/* The place where the next value goes; NULL after fail(). */
static JsonValue *add_value(Parser *p, JsonType type) {
        JsonValue *parent = p->depth > 0 ? p->open[p->depth - 1] : NULL, *v = &p->root;

        if (++p->n_values > JSON_VALUES_MAX) {
                (void) fail(p, -E2BIG, "too many values");
                return NULL;
        }
        if (parent) {
                if (!GREEDY_GROW(parent->items, parent->n)) {
                        (void) fail(p, -ENOMEM, "out of memory");
                        return NULL;
                }
                v = &parent->items[parent->n++];
        }
        *v = (JsonValue){ .type = type, .offset = (uint32_t) yajl_get_bytes_consumed(p->yajl) };
        v->key = TAKE_PTR(p->key);
        return v;
}

static int add_text(Parser *p, JsonType type, const char *s, size_t n) {
        JsonValue *v;

        v = add_value(p, type);
        if (!v)
                return 0;
        v->text = strndup(s, n);
        return v->text ? 1 : fail(p, -ENOMEM, "out of memory");
}

static int on_null(void *ctx) {
        return !!add_value(ctx, JSON_NULL);
}

static int on_boolean(void *ctx, int b) {
        JsonValue *v;

        v = add_value(ctx, JSON_BOOLEAN);
        if (!v)
                return 0;
        v->boolean = b;
        return 1;
}

static int text_to_signed(const char *s, int64_t *ret) {
        uint64_t u;
        int r;

        r = parse_uint64(*s == '-' ? s + 1 : s, &u);
        if (r < 0)
                return r;
        if (u > (uint64_t) INT64_MAX + (*s == '-'))
                return -ERANGE;
        *ret = *s == '-' ? (int64_t) (UINT64_C(0) - u) : (int64_t) u;
        return 0;
}

static int on_number(void *ctx, const char *s, size_t n) {
        Parser *p = ctx;
        char buffer[32];
        bool integer = false;

        if (n > JSON_STRING_MAX)
                return fail(p, -E2BIG, "number too long");
        if (n < sizeof(buffer)) {
                int64_t i;
                uint64_t u;

                memcpy(buffer, s, n);
                buffer[n] = '\0';
                integer = parse_uint64(buffer, &u) == 0 || text_to_signed(buffer, &i) == 0;
        }
        return add_text(p, integer ? JSON_INTEGER : JSON_NUMBER, s, n);
}

static int on_string(void *ctx, const unsigned char *s, size_t n) {
        if (n > JSON_STRING_MAX)
                return fail(ctx, -E2BIG, "string too long");
        return add_text(ctx, JSON_STRING, (const char *) s, n);
}

static int on_key(void *ctx, const unsigned char *s, size_t n) {
        Parser *p = ctx;

        if (n > JSON_STRING_MAX)
                return fail(p, -E2BIG, "string too long");
        p->key = strndup((const char *) s, n);
        return p->key ? 1 : fail(p, -ENOMEM, "out of memory");
}

static int on_begin(Parser *p, JsonType type) {
        JsonValue *v;

        if (p->depth >= JSON_DEPTH_MAX)
                return fail(p, -ELOOP, "nested too deep");
        v = add_value(p, type);
        if (!v)
                return 0;
        p->open[p->depth++] = v;
        return 1;
}

static int on_begin_array(void *ctx) {
        return on_begin(ctx, JSON_ARRAY);
}

static int on_begin_object(void *ctx) {
        return on_begin(ctx, JSON_OBJECT);
}

static int on_end_array(void *ctx) {
        Parser *p = ctx;

        p->depth--;
        return 1;
}

static int compare_keys(const void *a, const void *b) {
        const JsonValue *const *x = a, *const *y = b;

        return strcmp((*x)->key, (*y)->key);
}

/* Sorting keeps a document of many members from costing their square. */
static int on_end_object(void *ctx) {
        Parser *p = ctx;
        const JsonValue *o = p->open[--p->depth];
        _cleanup_free_ const JsonValue **sorted = NULL;

        sorted = new0(const JsonValue *, o->n);
        if (!sorted)
                return fail(p, -ENOMEM, "out of memory");
        for (size_t i = 0; i < o->n; i++)
                sorted[i] = &o->items[i];
        qsort(sorted, o->n, sizeof(void *), compare_keys);
        for (size_t i = 1; i < o->n; i++)
                if (streq(sorted[i - 1]->key, sorted[i]->key)) {
                        size_t at = MAX(sorted[i - 1]->offset, sorted[i]->offset);

                        p->r = error_setf(p->e, -ENOTUNIQ, "byte %zu: second member '%.100s'", at,
                                          sorted[i]->key);
                        return 0;
                }
        return 1;
}

static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_begin_object,
        .yajl_map_key = on_key,
        .yajl_end_map = on_end_object,
        .yajl_start_array = on_begin_array,
        .yajl_end_array = on_end_array,
};

/* The code unit of "\uXXXX" at s; -1 if it is none (yajl reports that one). */
static int escaped_unit(const char *s, const char *end) {
        int unit = 0;

        if (end - s < 6 || s[0] != '\\' || s[1] != 'u')
                return -1;
        for (int i = 2; i < 6; i++) {
                const char *digit = s[i] ? strchr("0123456789abcdefABCDEF", s[i]) : NULL;

                if (!digit)
                        return -1;
                unit = unit << 4 | (s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
        }
        return unit;
}

/* yajl turns a lone surrogate into '?' or into broken UTF-8, and decodes \u0000: look at the escapes first. */
static int check_escapes(const char *data, size_t size, Error *e) {
        const char *end = data + size;

        for (const char *s = memchr(data, '\\', size); s; s = memchr(s, '\\', (size_t) (end - s))) {
                int unit = escaped_unit(s, end);

                if (unit == 0)
                        return error_setf(e, -EBADMSG, "byte %zu: NUL in a string", (size_t) (s - data));
                if (unit >= 0xd800 && unit <= 0xdfff) {
                        int low = unit < 0xdc00 ? escaped_unit(s + 6, end) : -1;

                        if (low < 0xdc00 || low > 0xdfff)
                                return error_setf(e, -EBADMSG, "byte %zu: lone surrogate",
                                                  (size_t) (s - data));
                        s += 12;
                } else
                        s += unit < 0 ? MIN(2, end - s) : 6;
        }
        return 0;
}

static int syntax_error(Parser *p, const char *data, size_t size) {
        size_t at = yajl_get_bytes_consumed(p->yajl);
        unsigned char *text;
        int r;

        if (p->r < 0)
                return p->r;
        text = yajl_get_error(p->yajl, 0, (const unsigned char *) data, size);
        if (text)
                text[strcspn((char *) text, "\n")] = '\0';
        r = error_setf(p->e, -EBADMSG, "byte %zu: %s", at, text ? (char *) text : "not JSON");
        if (text)
                yajl_free_error(p->yajl, text);
        return r;
}

static int run_parser(Parser *p, const char *data, size_t size) {
        if (yajl_parse(p->yajl, (const unsigned char *) data, size) != yajl_status_ok ||
            yajl_complete_parse(p->yajl) != yajl_status_ok)
                return syntax_error(p, data, size);
        if (p->n_values == 0)
                return error_setf(p->e, -EBADMSG, "byte %zu: no value", size);
        return 0;
}

/**
 * json_parse() - read one document
 * @data: @size bytes, need not end with NUL; from anywhere
 * @size: bytes
 * @ret:  json_free() it
 * @e:    says at which byte
 *
 * Return: 0; -EBADMSG (not JSON, not UTF-8, NUL or lone surrogate), -ENOTUNIQ (a member twice), -ELOOP (deeper than
 * JSON_DEPTH_MAX), -E2BIG (over JSON_SIZE_MAX, JSON_STRING_MAX, JSON_VALUES_MAX), -ENOMEM.
 */
int json_parse(const char *data, size_t size, JsonValue **ret, Error *e) {
        Parser p = { .e = e };
        JsonValue *v;
        int r;

        if (size > JSON_SIZE_MAX)
                return error_setf(e, -E2BIG, "document of %zu bytes, at most %u are allowed", size,
                                  JSON_SIZE_MAX);
        if (size == 0)
                return error_setf(e, -EBADMSG, "byte 0: no value");
        if (memchr(data, '\0', size) || !str_is_utf8(data, size))
                return error_setf(e, -EBADMSG, "not UTF-8 text");
        r = check_escapes(data, size, e);
        if (r < 0)
                return r;
        p.yajl = yajl_alloc(&callbacks, NULL, &p);
        if (!p.yajl)
                return error_oom(e);
        r = run_parser(&p, data, size);
        yajl_free(p.yajl);
        free(p.key);
        v = r < 0 ? NULL : new0(JsonValue, 1);
        if (!v) {
                value_done(&p.root);
                return r < 0 ? r : error_oom(e);
        }
        *v = p.root;
        *ret = v;
        return 0;
}

/**
 * json_type() - what a value is
 * @v: not NULL
 *
 * Return: its type.
 */
JsonType json_type(const JsonValue *v) {
        return v->type;
}

/**
 * json_type_to_string() - a type for error messages
 * @type: valid
 *
 * Return: "an object" and the like.
 */
const char *json_type_to_string(JsonType type) {
        static const char *const names[_JSON_TYPE_MAX] = {
                [JSON_NULL] = "null",        [JSON_BOOLEAN] = "true or false", [JSON_INTEGER] = "an integer",
                [JSON_NUMBER] = "a number",  [JSON_STRING] = "a string",       [JSON_ARRAY] = "a list",
                [JSON_OBJECT] = "an object",
        };

        return names[type];
}

/**
 * json_offset() - where a value stood in the document
 * @v: not NULL
 *
 * Return: bytes from the start to the end of its first token.
 */
size_t json_offset(const JsonValue *v) {
        return v->offset;
}

/**
 * json_boolean() - value of a boolean
 * @v: not NULL
 *
 * Return: true for true, false for anything else.
 */
bool json_boolean(const JsonValue *v) {
        return v->type == JSON_BOOLEAN && v->boolean;
}

/**
 * json_text() - a string, or the digits of a number
 * @v: not NULL
 *
 * Return: valid as long as the document; NULL for other types.
 */
const char *json_text(const JsonValue *v) {
        return v->type == JSON_STRING || v->type == JSON_INTEGER || v->type == JSON_NUMBER ? v->text : NULL;
}

/**
 * json_integer() - value of an integer
 * @v:   not NULL
 * @ret: any value of the type
 *
 * Return: 0, -EINVAL (no integer), -ERANGE.
 */
int json_integer(const JsonValue *v, int64_t *ret) {
        return v->type == JSON_INTEGER ? text_to_signed(v->text, ret) : -EINVAL;
}

/**
 * json_unsigned() - value of an integer that is not negative
 * @v:   not NULL
 * @ret: any value of the type
 *
 * Return: 0, -EINVAL (no integer), -ERANGE (negative).
 */
int json_unsigned(const JsonValue *v, uint64_t *ret) {
        if (v->type != JSON_INTEGER)
                return -EINVAL;
        if (v->text[0] == '-') {
                if (!streq(v->text, "-0"))
                        return -ERANGE;
                *ret = 0;
                return 0;
        }
        return parse_uint64(v->text, ret);
}

/**
 * json_length() - items of an array, members of an object
 * @v: NULL counts as empty
 *
 * Return: how many; 0 for other types.
 */
size_t json_length(const JsonValue *v) {
        return v && (v->type == JSON_ARRAY || v->type == JSON_OBJECT) ? v->n : 0;
}

/**
 * json_item() - one item or member, in the order of the document
 * @v: array or object
 * @i: below json_length()
 *
 * Return: valid as long as the document.
 */
const JsonValue *json_item(const JsonValue *v, size_t i) {
        assert(i < json_length(v));

        return &v->items[i];
}

/**
 * json_key() - name of a member
 * @v: not NULL
 *
 * Return: NULL for a value that is no member of an object.
 */
const char *json_key(const JsonValue *v) {
        return v->key;
}

/**
 * json_get() - a member by name
 * @object: may be NULL or no object
 * @key:    exact
 *
 * Return: NULL if there is none.
 */
const JsonValue *json_get(const JsonValue *object, const char *key) {
        JSON_FOREACH (m, object)
                if (m->key && streq(m->key, key))
                        return m;
        return NULL;
}

/**
 * json_expect() - check the type of a value
 * @v:    not NULL
 * @type: wanted
 * @e:    says what is there instead, and where
 *
 * Return: 0, -EINVAL.
 */
int json_expect(const JsonValue *v, JsonType type, Error *e) {
        if (v->type == type)
                return 0;
        return error_setf(e, -EINVAL, "must be %s, not %s (byte %" PRIu32 ")", json_type_to_string(type),
                          json_type_to_string(v->type), v->offset);
}

/**
 * json_write_value() - write a tree
 * @w: writer
 * @v: not NULL; its order and the digits of its numbers are kept
 */
/* NOLINTNEXTLINE(misc-no-recursion) at most JSON_DEPTH_MAX */
void json_write_value(JsonWriter *w, const JsonValue *v) {
        switch (v->type) {
        case JSON_BOOLEAN: json_write_boolean(w, v->boolean); break;
        case JSON_INTEGER:
        case JSON_NUMBER: json_write_number_text(w, v->text); break;
        case JSON_STRING: json_write_string(w, v->text); break;
        case JSON_ARRAY:
                json_write_begin_array(w);
                JSON_FOREACH (i, v)
                        json_write_value(w, i);
                json_write_end_array(w);
                break;
        case JSON_OBJECT:
                json_write_begin_object(w);
                JSON_FOREACH (i, v) {
                        json_write_key(w, i->key);
                        json_write_value(w, i);
                }
                json_write_end_object(w);
                break;
        default: json_write_null(w);
        }
}

/**
 * json_value_to_string() - a tree as compact text
 * @v:   not NULL
 * @ret: the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int json_value_to_string(const JsonValue *v, char **ret) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_value(&w, v);
        return json_writer_steal(&w, ret);
}

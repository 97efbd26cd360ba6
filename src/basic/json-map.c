/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A JSON object to a struct and back, by a table with one row per member. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "basic/alloc.h"
#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"

static void *at(void *p, size_t offset) {
        return (char *) p + offset;
}

static const void *const_at(const void *p, size_t offset) {
        return (const char *) p + offset;
}

static void *get_pointer(const void *p) {
        void *x;

        memcpy(&x, p, sizeof(x));
        return x;
}

static void set_pointer(void *p, const void *x) {
        memcpy(p, &x, sizeof(x));
}

static size_t n_rows(const JsonField *fields) {
        size_t n = 0;

        while (fields[n].name)
                n++;
        return n;
}

/* The row of a member: the exact name wins over one that differs in case. */
static const JsonField *find_row(const JsonField *fields, const char *key, unsigned flags) {
        const JsonField *found = NULL;

        for (const JsonField *f = fields; f->name; f++) {
                if (streq(f->name, key))
                        return f;
                if ((flags & JSON_ANY_CASE) && strcasecmp(f->name, key) == 0)
                        found = f;
        }
        return found;
}

static int set_field(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        int r = 0;

        if (f->kind->type != _JSON_TYPE_MAX)
                r = json_expect(v, f->kind->type, e);
        if (r >= 0)
                r = f->kind->set(f, v, at(p, f->offset), e);
        return r < 0 ? error_prefixf(e, r, "%s", f->name) : 0;
}

/**
 * json_map() - set the members of a struct from an object
 * @v:      value of the document
 * @fields: one row per member, ends with an empty row
 * @flags:  JSON_OPEN, JSON_ANY_CASE
 * @p:      struct, initialised; half-filled on failure
 * @e:      names the member and the byte
 *
 * A member that is null counts as absent.
 *
 * Return: 0; -EINVAL (wrong type or value), -ENODATA (mandatory member missing), -ENXIO (unknown member),
 * -ENOTUNIQ (two spellings of a member), -ENOMEM, what the setters return.
 */
int json_map(const JsonValue *v, const JsonField *fields, unsigned flags, void *p, Error *e) {
        _cleanup_free_ bool *seen = NULL;
        int r;

        r = json_expect(v, JSON_OBJECT, e);
        if (r < 0)
                return r;
        seen = new0(bool, n_rows(fields));
        if (!seen)
                return error_oom(e);
        JSON_FOREACH (m, v) {
                const JsonField *f = find_row(fields, json_key(m), flags);

                if (!f && (flags & JSON_OPEN))
                        continue;
                if (!f)
                        return error_setf(e, -ENXIO, "unknown member '%.100s' (byte %zu)", json_key(m),
                                          json_offset(m));
                if (json_type(m) == JSON_NULL)
                        continue;
                if (seen[f - fields])
                        return error_setf(e, -ENOTUNIQ, "second member '%.100s' (byte %zu)", json_key(m),
                                          json_offset(m));
                seen[f - fields] = true;
                r = set_field(f, m, p, e);
                if (r < 0)
                        return r;
        }
        for (const JsonField *f = fields; f->name; f++)
                if ((f->flags & JSON_MANDATORY) && !seen[f - fields])
                        return error_setf(e, -ENODATA, "'%s' is missing (byte %zu)", f->name, json_offset(v));
        return 0;
}

/**
 * json_map_struct() - initialise a struct, set its members from an object, check it
 * @v:    value of the document
 * @type: its table and functions
 * @p:    not initialised before; the caller frees it with @type's done() also on failure
 * @e:    names the member and the byte
 *
 * Return: as json_map(), and what @type's check() returns.
 */
int json_map_struct(const JsonValue *v, const JsonStruct *type, void *p, Error *e) {
        int r;

        memset(p, 0, type->size);
        if (type->init)
                type->init(p);
        r = json_map(v, type->fields, type->flags, p, e);
        if (r < 0)
                return r;
        if (!type->check)
                return 0;
        r = type->check(p, e);
        return MIN(r, 0);
}

/**
 * json_write_struct() - write a struct as an object
 * @w:    writer
 * @type: its table; members that are unset are left out unless JSON_ALWAYS
 * @p:    struct
 */
void json_write_struct(JsonWriter *w, const JsonStruct *type, const void *p) {
        json_write_begin_object(w);
        for (const JsonField *f = type->fields; f->name; f++) {
                const void *m = const_at(p, f->offset);

                if (f->kind->is_unset && f->kind->is_unset(m) && !(f->flags & JSON_ALWAYS))
                        continue;
                json_write_key(w, f->name);
                f->kind->write(f, w, m);
        }
        json_write_end_object(w);
}

/**
 * json_list_free() - free a list of structs
 * @type:  of one
 * @items: may be NULL
 * @n:     how many
 */
void json_list_free(const JsonStruct *type, void *items, size_t n) {
        for (size_t i = 0; items && type->done && i < n; i++)
                type->done(at(items, i * type->size));
        free(items);
}

static bool pointer_is_unset(const void *p) {
        return !get_pointer(p);
}

static int set_string(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        char *s;

        s = strdup(json_text(v));
        if (!s)
                return error_oom(e);
        free(get_pointer(p));
        set_pointer(p, s);
        return 0;
}

static void write_string(const JsonField *f, JsonWriter *w, const void *p) {
        json_write_string(w, str_or(get_pointer(p), ""));
}

static bool string_is_unset(const void *p) {
        const char *s = get_pointer(p);

        return !s || !*s;
}

const JsonKind json_kind_string = { JSON_STRING, set_string, write_string, string_is_unset };

static int set_strv(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        _cleanup_strv_free_ char **list = NULL;
        size_t n = 0;

        list = new0(char *, json_length(v) + 1);
        if (!list)
                return error_oom(e);
        JSON_FOREACH (i, v) {
                int r;

                r = json_expect(i, JSON_STRING, e);
                if (r < 0)
                        return r;
                list[n] = strdup(json_text(i));
                if (!list[n++])
                        return error_oom(e);
        }
        (void) strv_free(get_pointer(p));
        set_pointer(p, list);
        list = NULL;
        return 0;
}

static void write_strv(const JsonField *f, JsonWriter *w, const void *p) {
        char **list = get_pointer(p);

        if (!list) {
                json_write_null(w);
                return;
        }
        json_write_begin_array(w);
        STRV_FOREACH (s, list)
                json_write_string(w, *s);
        json_write_end_array(w);
}

static bool strv_is_unset(const void *p) {
        return strv_length(get_pointer(p)) == 0;
}

const JsonKind json_kind_strv = { JSON_ARRAY, set_strv, write_strv, strv_is_unset };

static int set_boolean(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        *(bool *) p = json_boolean(v);
        return 0;
}

static void write_boolean(const JsonField *f, JsonWriter *w, const void *p) {
        json_write_boolean(w, *(const bool *) p);
}

static bool boolean_is_unset(const void *p) {
        return !*(const bool *) p;
}

const JsonKind json_kind_boolean = { JSON_BOOLEAN, set_boolean, write_boolean, boolean_is_unset };

static int set_tristate(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        *(int *) p = json_boolean(v);
        return 0;
}

static void write_tristate(const JsonField *f, JsonWriter *w, const void *p) {
        json_write_boolean(w, *(const int *) p > 0);
}

static bool tristate_is_unset(const void *p) {
        return *(const int *) p < 0;
}

const JsonKind json_kind_tristate = { JSON_BOOLEAN, set_tristate, write_tristate, tristate_is_unset };

static int number_error(const JsonValue *v, int r, Error *e) {
        if (r >= 0)
                return 0;
        return error_setf(e, r, "%s is not allowed (byte %zu)", json_text(v), json_offset(v));
}

static int set_int64(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return number_error(v, json_integer(v, p), e);
}

static void write_int64(const JsonField *f, JsonWriter *w, const void *p) {
        json_write_int(w, *(const int64_t *) p);
}

static bool int64_is_unset(const void *p) {
        return *(const int64_t *) p == INT64_MIN;
}

const JsonKind json_kind_int64 = { JSON_INTEGER, set_int64, write_int64, int64_is_unset };

static int set_uint64(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return number_error(v, json_unsigned(v, p), e);
}

static void write_uint64(const JsonField *f, JsonWriter *w, const void *p) {
        json_write_uint(w, *(const uint64_t *) p);
}

static bool uint64_is_unset(const void *p) {
        return *(const uint64_t *) p == UINT64_MAX;
}

const JsonKind json_kind_uint64 = { JSON_INTEGER, set_uint64, write_uint64, uint64_is_unset };

static size_t *list_length(void *p) {
        return at(p, sizeof(void *));
}

static int set_list(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        size_t n = 0, length = json_length(v);
        void *items;
        int r = 0;

        if (length == 0)
                return 0;
        items = calloc(greedy_capacity(length), f->type->size);
        if (!items)
                return error_oom(e);
        JSON_FOREACH (i, v) {
                r = json_map_struct(i, f->type, at(items, n++ * f->type->size), e);
                if (r < 0)
                        break;
        }
        if (r < 0) {
                json_list_free(f->type, items, n);
                return error_prefixf(e, r, "entry %zu", n);
        }
        set_pointer(p, items);
        *list_length(p) = n;
        return 0;
}

static void write_list(const JsonField *f, JsonWriter *w, const void *p) {
        const void *items = get_pointer(p);
        size_t n = *(const size_t *) const_at(p, sizeof(void *));

        if (n == 0) {
                json_write_null(w);
                return;
        }
        json_write_begin_array(w);
        for (size_t i = 0; i < n; i++)
                json_write_struct(w, f->type, const_at(items, i * f->type->size));
        json_write_end_array(w);
}

static bool list_is_unset(const void *p) {
        return *(const size_t *) const_at(p, sizeof(void *)) == 0;
}

const JsonKind json_kind_list = { JSON_ARRAY, set_list, write_list, list_is_unset };

static int set_struct(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        return json_map_struct(v, f->type, p, e);
}

static void write_struct(const JsonField *f, JsonWriter *w, const void *p) {
        json_write_struct(w, f->type, p);
}

const JsonKind json_kind_struct = { JSON_OBJECT, set_struct, write_struct, NULL };

static int set_new_struct(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        void *x;
        int r;

        x = calloc(1, f->type->size);
        if (!x)
                return error_oom(e);
        r = json_map_struct(v, f->type, x, e);
        if (r < 0) {
                json_list_free(f->type, x, 1);
                return r;
        }
        set_pointer(p, x);
        return 0;
}

static void write_pointer(const JsonField *f, JsonWriter *w, const void *p) {
        const void *x = get_pointer(p);

        if (x)
                json_write_struct(w, f->type, x);
        else
                json_write_null(w);
}

const JsonKind json_kind_pointer = { JSON_OBJECT, set_new_struct, write_pointer, pointer_is_unset };

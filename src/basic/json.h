/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON from outside: bytes become a bounded tree, a table maps the tree to a struct and writes it back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "basic/json-write.h"
#include "basic/macro.h"

#define JSON_SIZE_MAX   (4U * 1024 * 1024) /* bytes of a document */
#define JSON_STRING_MAX (512U * 1024)      /* bytes of one string, decoded */
#define JSON_VALUES_MAX (512U * 1024)      /* values in a document */
#define JSON_DEPTH_MAX  32U                /* nested arrays and objects */

typedef enum JsonType {
        JSON_NULL,
        JSON_BOOLEAN,
        JSON_INTEGER, /* no fraction, no exponent, fits int64_t or uint64_t */
        JSON_NUMBER,  /* any other number; only its text is kept */
        JSON_STRING,
        JSON_ARRAY,
        JSON_OBJECT,
        _JSON_TYPE_MAX,
        _JSON_TYPE_INVALID = -EINVAL,
} JsonType;

typedef struct JsonValue JsonValue;

int json_parse(const char *data, size_t size, JsonValue **ret, Error *e);
JsonValue *json_free(JsonValue *v);
DEFINE_CLEANUP(JsonValue *, json_free);

JsonType json_type(const JsonValue *v);
const char *json_type_to_string(JsonType type);
size_t json_offset(const JsonValue *v);
bool json_boolean(const JsonValue *v);
const char *json_text(const JsonValue *v);
int json_integer(const JsonValue *v, int64_t *ret);
int json_unsigned(const JsonValue *v, uint64_t *ret);
size_t json_length(const JsonValue *v);
const JsonValue *json_item(const JsonValue *v, size_t i);
const char *json_key(const JsonValue *v);
const JsonValue *json_get(const JsonValue *object, const char *key);
int json_expect(const JsonValue *v, JsonType type, Error *e);
void json_write_value(JsonWriter *w, const JsonValue *v);
int json_value_to_string(const JsonValue *v, char **ret);

/* Items of an array, or members of an object: JSON_FOREACH(item, list) */
#define JSON_FOREACH(i, v)                                                                                   \
        for (size_t _n_##i = 0, _once_##i = 1; _once_##i; _once_##i = 0)                                     \
                for (const JsonValue *i; _n_##i < json_length(v) && ((i) = json_item((v), _n_##i), 1);       \
                     _n_##i++)

typedef enum JsonFlags {
        JSON_MANDATORY = 1 << 0, /* row: absent or null is -ENODATA */
        JSON_ALWAYS =
                1 << 1,     /* row: written even when unset (as null, if it is a list, a map or a pointer) */
        JSON_OPEN = 1 << 2, /* json_map(): unknown members are skipped; else they are -ENXIO */
        JSON_ANY_CASE = 1 << 3, /* json_map(): ASCII case of member names does not matter (as Go) */
} JsonFlags;

typedef struct JsonField JsonField;
typedef struct JsonStruct JsonStruct;

/* How one C type is read and written. @p points at the member of the struct. */
typedef struct JsonKind {
        JsonType type; /* checked before set(); _JSON_TYPE_MAX: any, set() checks */
        int (*set)(const JsonField *f, const JsonValue *v, void *p, Error *e);
        void (*write)(const JsonField *f, JsonWriter *w, const void *p);
        bool (*is_unset)(const void *p); /* such a member is left out; NULL: never unset */
} JsonKind;

/* One row per member. The order of the rows is the order of writing. A table ends with an empty row. */
struct JsonField {
        const char *name;
        const JsonKind *kind;
        size_t offset;
        unsigned flags;         /* JSON_MANDATORY, JSON_ALWAYS */
        const JsonStruct *type; /* of lists and sub-objects */
};

/* A struct that is an object in JSON. */
struct JsonStruct {
        size_t size;
        const JsonField *fields;
        unsigned flags;                  /* JSON_OPEN, JSON_ANY_CASE */
        void (*init)(void *p);           /* sets what zero does not mean; may be NULL */
        void (*done)(void *p);           /* frees the members, also half-filled; may be NULL */
        int (*check)(void *p, Error *e); /* after all members were set; may be NULL */
};

int json_map(const JsonValue *v, const JsonField *fields, unsigned flags, void *p, Error *e);
int json_map_struct(const JsonValue *v, const JsonStruct *type, void *p, Error *e);
void json_write_struct(JsonWriter *w, const JsonStruct *type, const void *p);
void json_list_free(const JsonStruct *type, void *items, size_t n);

/* char *; empty strings count as unset */
extern const JsonKind json_kind_string;
/* char **; a list of strings */
extern const JsonKind json_kind_strv;
/* bool */
extern const JsonKind json_kind_boolean;
/* int: -1 unset, 0, 1 */
extern const JsonKind json_kind_tristate;
/* int64_t, INT64_MIN is unset */
extern const JsonKind json_kind_int64;
/* uint64_t, UINT64_MAX is unset */
extern const JsonKind json_kind_uint64;
/* T *items; size_t n_items; right behind it: JSON_LIST_ROW() */
extern const JsonKind json_kind_list;
/* T, embedded: JSON_STRUCT_ROW() */
extern const JsonKind json_kind_struct;
/* T *, NULL is unset; allocated: JSON_POINTER_ROW() */
extern const JsonKind json_kind_pointer;

#define JSON_ROW(name, kind, Struct, member, flags)                                                          \
        { (name), &(kind), offsetof(Struct, member), (flags), NULL }
#define JSON_LIST_ROW(name, Struct, member, type, flags)                                                     \
        {                                                                                                    \
                (name), &json_kind_list,                                                                     \
                        offsetof(Struct, member) +                                                           \
                                0 * sizeof(char[offsetof(Struct, n_##member) ==                              \
                                                                offsetof(Struct, member) + sizeof(void *)    \
                                                        ? 1                                                  \
                                                        : -1]),                                              \
                        (flags), &(type)                                                                     \
        }
#define JSON_STRUCT_ROW(name, Struct, member, type, flags)                                                   \
        { (name), &json_kind_struct, offsetof(Struct, member), (flags), &(type) }
#define JSON_POINTER_ROW(name, Struct, member, type, flags)                                                  \
        { (name), &json_kind_pointer, offsetof(Struct, member), (flags), &(type) }

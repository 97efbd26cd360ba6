/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON: what is refused (robustness.md 3.7, by number), what is kept, tables both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"

static int parse(const char *s, JsonValue **ret, Error *e) {
        return json_parse(s, strlen(s), ret, e);
}

static void test_refused(void **state) {
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                { "", -EBADMSG }, /* 97 */
                { " \n", -EBADMSG },
                { "{\"a\":1", -EBADMSG },
                { "[1,2", -EBADMSG },
                { "{} {}", -EBADMSG },
                { "1 2", -EBADMSG },
                { "[1,]", -EBADMSG },
                { "{\"a\":1,}", -EBADMSG },
                { "\xef\xbb\xbf{}", -EBADMSG },
                { "/* c */ {}", -EBADMSG },
                { "// c\n{}", -EBADMSG },
                { "{'a':1}", -EBADMSG },
                { "{a:1}", -EBADMSG },
                { "[NaN]", -EBADMSG },
                { "[01]", -EBADMSG },
                { "[+1]", -EBADMSG },
                { "[1.]", -EBADMSG },
                { "[\"\n\"]", -EBADMSG },
                { "[\"\\x\"]", -EBADMSG },
                { "[\"\\u12g4\"]", -EBADMSG },
                { "[\"\\u12", -EBADMSG },
                { "[\"\xff\"]", -EBADMSG }, /* 98 */
                { "[\"\xc0\x80\"]", -EBADMSG },
                { "[\"\xed\xa0\x80\"]", -EBADMSG },
                { "[\"a\\u0000b\"]", -EBADMSG },
                { "{\"a\\u0000b\":1}", -EBADMSG },
                { "[\"\\ud800\"]", -EBADMSG },
                { "[\"\\udc00\"]", -EBADMSG },
                { "[\"\\ud800\\u0041\"]", -EBADMSG },
                { "[\"\\ud800\\ud800\"]", -EBADMSG },
                { "{\"a\":1,\"b\":2,\"a\":3}", -ENOTUNIQ }, /* 101 */
                { "{\"a\":1,\"\\u0061\":3}", -ENOTUNIQ },
                { "<html>", -EBADMSG },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                JsonValue *v = NULL;

                if (parse(c->text, &v, &e) != c->r)
                        fail_msg("'%s': expected %d", c->text, c->r);
                assert_null(v);
                assert_non_null(e.message);
        }
}

static void test_offset_in_error(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        JsonValue *v = NULL;

        assert_int_equal(parse("{\"abc\": 1,\n\"d\": ]}", &v, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "byte 17"));
        assert_int_equal(parse("[\"\\\\u0000\", \"\\u0000\"]", &v, &e), -EBADMSG);
        assert_string_equal(e.message, "byte 13: NUL in a string");
        assert_int_equal(parse("{\"k\":1,\"k\":2}", &v, &e), -ENOTUNIQ);
        assert_string_equal(e.message, "byte 12: second member 'k'");
}

/* n times "open", then "close" n times. */
static char *nest(size_t n, const char *open, const char *close) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char *s = NULL;

        for (size_t i = 0; i < n; i++)
                strbuf_add(&b, open);
        strbuf_add(&b, "1");
        for (size_t i = 0; i < n; i++)
                strbuf_add(&b, close);
        assert_int_equal(strbuf_steal(&b, &s), 0);
        return s;
}

static void test_limits(void **state) {
        static const struct {
                size_t n;
                const char *open, *close;
                int r;
        } cases[] = {
                { JSON_DEPTH_MAX, "[", "]", 0 },       { JSON_DEPTH_MAX + 1, "[", "]", -ELOOP },
                { 100000, "[", "]", -ELOOP }, /* 99 */
                { JSON_DEPTH_MAX, "{\"a\":", "}", 0 }, { JSON_DEPTH_MAX + 1, "{\"a\":", "}", -ELOOP },
                { 100000, "{\"a\":", "", -ELOOP },
        };
        _cleanup_free_ char *big = NULL;
        JsonValue *v = NULL;

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(json_freep) JsonValue *t = NULL;
                _cleanup_free_ char *s = nest(c->n, c->open, c->close);

                assert_int_equal(parse(s, &t, NULL), c->r);
        }
        big = calloc(1, JSON_SIZE_MAX + 2);
        assert_non_null(big);
        memset(big, ' ', JSON_SIZE_MAX + 1);
        assert_int_equal(json_parse(big, JSON_SIZE_MAX + 1, &v, NULL), -E2BIG);
        memset(big, 'a', JSON_STRING_MAX + 2);
        big[0] = '"';
        big[JSON_STRING_MAX + 2] = '"';
        assert_int_equal(json_parse(big, JSON_STRING_MAX + 3, &v, NULL), -E2BIG); /* 118 */
        for (size_t i = 0; i < JSON_SIZE_MAX; i += 2)
                memcpy(big + i, i == 0 ? "[1" : ",1", 2);
        big[JSON_SIZE_MAX - 1] = ']';
        assert_int_equal(json_parse(big, JSON_SIZE_MAX, &v, NULL), -E2BIG);
}

/* 118: the cost of many members is not their square. A square of 200000 would take minutes here, not tenths of a second. */
static void test_many_members(void **state) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        for (unsigned i = 0; i < 200000; i++)
                strbuf_addf(&b, "%s\"%u\":0", i == 0 ? "{" : ",", i);
        strbuf_add(&b, "}");
        assert_false(b.failed);
        assert_int_equal(json_parse(b.data, b.size, &v, NULL), 0);
        assert_int_equal(json_length(v), 200000);
        assert_string_equal(json_key(json_item(v, 199999)), "199999");
}

static void test_numbers(void **state) {
        static const struct {
                const char *text;
                JsonType type;
                int r_signed, r_unsigned;
                int64_t i;
        } cases[] = {
                { "0", JSON_INTEGER, 0, 0, 0 },
                { "-0", JSON_INTEGER, 0, 0, 0 },
                { "9223372036854775807", JSON_INTEGER, 0, 0, INT64_MAX },
                { "-9223372036854775808", JSON_INTEGER, 0, -ERANGE, INT64_MIN },
                { "18446744073709551615", JSON_INTEGER, -ERANGE, 0, -1 },
                { "18446744073709551616", JSON_NUMBER, -EINVAL, -EINVAL, 0 }, /* 100 */
                { "-9223372036854775809", JSON_NUMBER, -EINVAL, -EINVAL, 0 },
                { "1e999999", JSON_NUMBER, -EINVAL, -EINVAL, 0 },
                { "80.0", JSON_NUMBER, -EINVAL, -EINVAL, 0 },
                { "8e1", JSON_NUMBER, -EINVAL, -EINVAL, 0 },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(json_freep) JsonValue *v = NULL;
                _cleanup_free_ char *text = NULL;
                int64_t i = 0;
                uint64_t u = 0;

                assert_int_equal(parse(c->text, &v, NULL), 0);
                assert_int_equal(json_type(v), c->type);
                assert_int_equal(json_integer(v, &i), c->r_signed);
                assert_int_equal(json_unsigned(v, &u), c->r_unsigned);
                if (c->r_signed == 0)
                        assert_true(i == c->i);
                if (c->r_unsigned == 0)
                        assert_true(u == (uint64_t) c->i);
                assert_int_equal(json_value_to_string(v, &text), 0);
                assert_string_equal(text, c->text);
        }
}

static void test_tree(void **state) {
        static const char text[] = " {\"b\":[true,null,\"\\u00e4\\ud83d\\ude00\"],\n \"a\":{\"x\":-1.50}} \n";
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_free_ char *compact = NULL;
        const JsonValue *b;

        assert_int_equal(parse(text, &v, NULL), 0);
        assert_int_equal(json_length(v), 2);
        b = json_get(v, "b");
        assert_int_equal(json_length(b), 3);
        assert_true(json_boolean(json_item(b, 0)));
        assert_int_equal(json_type(json_item(b, 1)), JSON_NULL);
        assert_string_equal(json_text(json_item(b, 2)), "\xc3\xa4\xf0\x9f\x98\x80");
        assert_null(json_get(v, "c"));
        assert_null(json_get(b, "c"));
        assert_int_equal(json_value_to_string(v, &compact), 0);
        assert_string_equal(compact, "{\"b\":[true,null,\"\xc3\xa4\xf0\x9f\x98\x80\"],\"a\":{\"x\":-1.50}}");
}

static void test_write(void **state) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *s = NULL, *pretty = NULL;

        json_write_begin_object(&w);
        json_write_key(&w, "s");
        json_write_string(&w, "\"\\/\b\n\r\t\x01<a&b>\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xc3\xa4");
        json_write_key(&w, "n");
        json_write_begin_array(&w);
        json_write_int(&w, INT64_MIN);
        json_write_uint(&w, UINT64_MAX);
        json_write_null(&w);
        json_write_boolean(&w, false);
        json_write_end_array(&w);
        json_write_key(&w, "e");
        json_write_begin_object(&w);
        json_write_end_object(&w);
        json_write_end_object(&w);
        assert_int_equal(json_writer_steal(&w, &s), 0);
        assert_string_equal(
                s, "{\"s\":\"\\\"\\\\/\\u0008\\n\\r\\t\\u0001\\u003ca\\u0026b\\u003e\\u2028\\u2029"
                   "\xe2\x80\xaa\xc3\xa4\",\"n\":[-9223372036854775808,18446744073709551615,null,false],"
                   "\"e\":{}}");

        w.flags = JSON_WRITE_PRETTY;
        json_write_begin_array(&w);
        json_write_begin_object(&w);
        json_write_key(&w, "a");
        json_write_int(&w, 1);
        json_write_key(&w, "b");
        json_write_begin_array(&w);
        json_write_end_array(&w);
        json_write_end_object(&w);
        json_write_end_array(&w);
        assert_int_equal(json_writer_steal(&w, &pretty), 0);
        assert_string_equal(pretty, "[\n\t{\n\t\t\"a\": 1,\n\t\t\"b\": []\n\t}\n]");
}

typedef struct Leaf {
        char *name;
        uint64_t count;
} Leaf;

typedef struct Thing {
        char *name;
        char **words;
        bool flag;
        int maybe;
        int64_t number;
        Leaf *leaves;
        size_t n_leaves;
        Leaf inner;
        Leaf *other;
} Thing;

static void leaf_init(void *p) {
        ((Leaf *) p)->count = UINT64_MAX;
}

static void leaf_done(void *p) {
        free(((Leaf *) p)->name);
}

static int leaf_check(void *p, Error *e) {
        return streq_ptr(((Leaf *) p)->name, "bad") ? error_setf(e, -EINVAL, "bad leaf") : 0;
}

static const JsonField leaf_fields[] = {
        JSON_ROW("name", json_kind_string, Leaf, name, JSON_MANDATORY),
        JSON_ROW("count", json_kind_uint64, Leaf, count, 0),
        {},
};
static const JsonStruct leaf_type = { sizeof(Leaf), leaf_fields, 0, leaf_init, leaf_done, leaf_check };

static void thing_init(void *p) {
        Thing *t = p;

        t->maybe = -1;
        t->number = INT64_MIN;
        leaf_init(&t->inner);
}

static void thing_done(void *p) {
        Thing *t = p;

        free(t->name);
        (void) strv_free(t->words);
        json_list_free(&leaf_type, t->leaves, t->n_leaves);
        leaf_done(&t->inner);
        json_list_free(&leaf_type, t->other, t->other ? 1 : 0);
}

static const JsonField thing_fields[] = {
        JSON_ROW("name", json_kind_string, Thing, name, JSON_MANDATORY),
        JSON_ROW("words", json_kind_strv, Thing, words, JSON_ALWAYS),
        JSON_ROW("flag", json_kind_boolean, Thing, flag, 0),
        JSON_ROW("maybe", json_kind_tristate, Thing, maybe, 0),
        JSON_ROW("number", json_kind_int64, Thing, number, 0),
        JSON_LIST_ROW("leaves", Thing, leaves, leaf_type, 0),
        JSON_STRUCT_ROW("inner", Thing, inner, leaf_type, 0),
        JSON_POINTER_ROW("other", Thing, other, leaf_type, 0),
        {},
};
static const JsonStruct thing_type = {
        sizeof(Thing), thing_fields, JSON_OPEN | JSON_ANY_CASE, thing_init, thing_done, NULL,
};

static int map_thing(const char *text, char **ret, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        Thing t;
        int r;

        assert_int_equal(parse(text, &v, NULL), 0);
        r = json_map_struct(v, &thing_type, &t, e);
        if (r >= 0) {
                json_write_struct(&w, &thing_type, &t);
                r = json_writer_steal(&w, ret);
        }
        thing_done(&t);
        return r;
}

static void test_map(void **state) {
        static const struct {
                const char *text, *written;
        } cases[] = {
                { "{\"name\":\"a\",\"inner\":{\"name\":\"i\"}}",
                  "{\"name\":\"a\",\"words\":null,\"inner\":{\"name\":\"i\"}}" },
                { "{\"NAME\":\"a\",\"x\":[1e999],\"inner\":{\"name\":\"i\",\"count\":7},\"flag\":true,"
                  "\"maybe\":false,"
                  "\"words\":[\"b\",\"\"],\"number\":-3,\"leaves\":[{\"name\":\"l\"},{\"name\":\"m\"}],"
                  "\"other\":{\"name\":\"o\"}}",
                  "{\"name\":\"a\",\"words\":[\"b\",\"\"],\"flag\":true,\"maybe\":false,\"number\":-3,"
                  "\"leaves\":[{\"name\":\"l\"},{\"name\":\"m\"}],\"inner\":{\"name\":\"i\",\"count\":7},"
                  "\"other\":{\"name\":\"o\"}}" },
                { "{\"name\":\"a\",\"words\":null,\"other\":null,\"leaves\":null,\"flag\":null,\"inner\":{"
                  "\"name\":\"i\"}}",
                  "{\"name\":\"a\",\"words\":null,\"inner\":{\"name\":\"i\"}}" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *first = NULL, *second = NULL;

                assert_int_equal(map_thing(c->text, &first, NULL), 0);
                assert_string_equal(first, c->written);
                assert_int_equal(map_thing(first, &second, NULL), 0);
                assert_string_equal(second, first);
        }
}

static void test_map_refused(void **state) {
        static const struct {
                const char *text;
                int r;
                const char *message;
        } cases[] = {
                { "[]", -EINVAL, "must be an object, not a list (byte 1)" },
                { "{}", -ENODATA, "'name' is missing (byte 1)" },
                { "{\"name\":null}", -ENODATA, "'name' is missing (byte 1)" },
                { "{\"name\":1}", -EINVAL, "name: must be a string, not an integer (byte 9)" },
                { "{\"name\":\"a\",\"Name\":\"b\"}", -ENOTUNIQ, "second member 'Name' (byte 22)" },
                { "{\"words\":[1]}", -EINVAL, "words: must be a string, not an integer (byte 11)" },
                { "{\"words\":\"a\"}", -EINVAL, "words: must be a list, not a string (byte 12)" },
                { "{\"number\":1.0}", -EINVAL, "number: must be an integer, not a number (byte 13)" },
                { "{\"flag\":0}", -EINVAL, "flag: must be true or false, not an integer (byte 9)" },
                { "{\"leaves\":[{\"name\":\"a\"},{\"count\":1}]}", -ENODATA,
                  "leaves: entry 2: 'name' is missing (byte 25)" },
                { "{\"leaves\":[{\"name\":\"bad\"}]}", -EINVAL, "leaves: entry 1: bad leaf" },
                { "{\"leaves\":[null]}", -EINVAL, "leaves: entry 1: must be an object, not null (byte 15)" },
                { "{\"leaves\":[{\"name\":\"a\",\"more\":1}]}", -ENXIO,
                  "leaves: entry 1: unknown member 'more' (byte 31)" },
                { "{\"inner\":{\"name\":\"i\",\"count\":-1}}", -ERANGE,
                  "inner: count: -1 is not allowed (byte 31)" },
                { "{\"other\":{\"name\":\"bad\"}}", -EINVAL, "other: bad leaf" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *s = NULL;

                if (map_thing(c->text, &s, &e) != c->r)
                        fail_msg("'%s': expected %d", c->text, c->r);
                assert_string_equal(e.message, c->message);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refused),     cmocka_unit_test(test_offset_in_error),
                cmocka_unit_test(test_limits),      cmocka_unit_test(test_many_members),
                cmocka_unit_test(test_numbers),     cmocka_unit_test(test_tree),
                cmocka_unit_test(test_write),       cmocka_unit_test(test_map),
                cmocka_unit_test(test_map_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

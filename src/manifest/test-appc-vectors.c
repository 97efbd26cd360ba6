/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The appc specification's own test tables (test/vectors/appc): each kind of vector has a function that says whether we
 * take the input, and compares the canonical form where one is given. A kind that nobody handles is a failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "manifest/ac-lenient.h"
#include "manifest/ac-option.h"
#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"

#include <fcntl.h>

#define VECTOR_FILE_MAX (4U * 1024 * 1024)

/* Returns 0 if the input is taken, else a negative errno; fails the test when the canonical form differs. */
typedef int (*VectorFunc)(const char *id, const JsonValue *input, const JsonValue *value);

static void expect_text(const char *id, const char *have, const JsonValue *want) {
        if (want && json_text(want) && !streq(have, json_text(want)))
                fail_msg("%s: have '%s', expected '%s'", id, have, json_text(want));
}

static int run_identifier(const char *id, const JsonValue *input, const JsonValue *value) {
        return ac_identifier_is_valid(json_text(input)) ? 0 : -EINVAL;
}

static int run_name(const char *id, const JsonValue *input, const JsonValue *value) {
        return ac_name_is_valid(json_text(input)) ? 0 : -EINVAL;
}

static int run_sanitize_identifier(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_free_ char *s = NULL;
        int r;

        r = ac_identifier_sanitize(json_text(input), &s);
        if (r >= 0)
                expect_text(id, s, value);
        return r;
}

static int run_sanitize_name(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_free_ char *s = NULL;
        int r;

        r = ac_name_sanitize(json_text(input), &s);
        if (r >= 0)
                expect_text(id, s, value);
        return r;
}

static int run_image_id(const char *id, const JsonValue *input, const JsonValue *value) {
        return ac_image_id_is_prefix(json_text(input)) ? 0 : -EINVAL;
}

static int run_url(const char *id, const JsonValue *input, const JsonValue *value) {
        return ac_url_is_valid(json_text(input)) ? 0 : -EINVAL;
}

static int run_uuid(const char *id, const JsonValue *input, const JsonValue *value) {
        char uuid[37];
        int r;

        r = ac_uuid_normalize(json_text(input), uuid);
        if (r >= 0)
                expect_text(id, uuid, value);
        return r;
}

/* Inputs that are JSON text become the member "x" of an object. */
typedef struct Box {
        char *text;
        AcPair *pairs;
        size_t n_pairs;
        AcApp *app;
        AcPort *port;
        AcIsolator *isolators;
        size_t n_isolators;
} Box;

static void box_done(Box *b) {
        free(b->text);
        ac_pairs_free(b->pairs, b->n_pairs);
        (void) ac_app_free(b->app);
        json_list_free(&ac_port_type, b->port, b->port ? 1 : 0);
        json_list_free(&ac_isolator_struct, b->isolators, b->n_isolators);
}

static int map_box(const char *format, const JsonValue *input, JsonField row, Box *b) {
        const JsonField fields[] = { row, {} };
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_strbuf_ StrBuf s = STRBUF_INIT;
        int r;

        strbuf_add(&s, "{\"x\":");
        strbuf_add(&s, format[0] == '[' ? "[" : "");
        strbuf_add(&s, json_text(input));
        strbuf_add(&s, format[0] == '[' ? "]}" : "}");
        assert_false(s.failed);
        r = json_parse(s.data, s.size, &v, NULL);
        return r < 0 ? r : json_map(v, fields, 0, b, NULL);
}

static int map_text(const char *id, const JsonValue *input, const JsonValue *value, const JsonKind *kind) {
        Box b = {};
        int r;

        r = map_box("", input, (JsonField) JSON_ROW("x", *kind, Box, text, JSON_MANDATORY), &b);
        if (r >= 0)
                expect_text(id, b.text, value);
        box_done(&b);
        return r;
}

static int run_identifier_json(const char *id, const JsonValue *input, const JsonValue *value) {
        return map_text(id, input, value, &ac_kind_identifier);
}

static int run_name_json(const char *id, const JsonValue *input, const JsonValue *value) {
        return map_text(id, input, value, &ac_kind_name);
}

static int run_version_json(const char *id, const JsonValue *input, const JsonValue *value) {
        return map_text(id, input, value, &ac_kind_version);
}

static int run_kind_json(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_free_ char *image = NULL, *pod = NULL;
        _cleanup_(image_manifest_freep) ImageManifest *im = NULL;
        _cleanup_(pod_manifest_freep) PodManifest *pm = NULL;

        image = strf("{\"acKind\":%s,\"acVersion\":\"0.8.11\",\"name\":\"a\"}", json_text(input));
        pod = strf("{\"acKind\":%s,\"acVersion\":\"0.8.11\"}", json_text(input));
        assert_true(image && pod);
        return image_manifest_parse(image, strlen(image), &im, NULL) < 0
                       ? pod_manifest_parse(pod, strlen(pod), &pm, NULL)
                       : 0;
}

static int map_string(const JsonValue *input, Box *b) {
        return map_box("", input, (JsonField) JSON_ROW("x", json_kind_string, Box, text, JSON_MANDATORY), b);
}

static int run_date_json(const char *id, const JsonValue *input, const JsonValue *value) {
        int64_t have, want;
        Box b = {};
        int r;

        r = map_string(input, &b);
        if (r >= 0)
                r = ac_date_parse(b.text, &have);
        if (r >= 0 && value) {
                assert_int_equal(ac_date_parse(json_text(value), &want), 0);
                assert_true(have == want);
        }
        box_done(&b);
        return r;
}

static int run_url_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_string(input, &b);
        if (r >= 0 && !ac_url_is_valid(b.text))
                r = -EINVAL;
        box_done(&b);
        return r;
}

static int map_pairs(const JsonValue *input, Box *b) {
        return map_box("", input, (JsonField) JSON_LIST_ROW("x", Box, pairs, ac_pair_type, JSON_MANDATORY),
                       b);
}

static int run_labels_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_pairs(input, &b);
        if (r >= 0)
                r = ac_labels_check(b.pairs, b.n_pairs, NULL);
        box_done(&b);
        return r;
}

static int run_annotations_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_pairs(input, &b);
        if (r >= 0)
                r = ac_annotations_check(b.pairs, b.n_pairs, NULL);
        box_done(&b);
        return r;
}

static int run_environment_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_pairs(input, &b);
        if (r >= 0)
                r = ac_environment_check(b.pairs, b.n_pairs, NULL);
        box_done(&b);
        return r;
}

static int run_annotation_get(const char *id, const JsonValue *input, const JsonValue *value) {
        AcPair *pairs = NULL;
        const char *found;
        size_t n = 0;
        int r;

        JSON_FOREACH (a, json_get(input, "annotations"))
                assert_int_equal(ac_pairs_set(&pairs, &n, json_text(json_get(a, "name")),
                                              json_text(json_get(a, "value"))),
                                 0);
        found = ac_pairs_get(pairs, n, json_text(json_get(input, "name")));
        if (found)
                expect_text(id, found, value);
        r = found ? 0 : -ENOENT;
        ac_pairs_free(pairs, n);
        return r;
}

static int run_annotation_set(const char *id, const JsonValue *input, const JsonValue *value) {
        AcPair *pairs = NULL;
        size_t n = 0;

        JSON_FOREACH (s, json_get(input, "sets"))
                assert_int_equal(
                        ac_pairs_set(&pairs, &n, json_text(json_item(s, 0)), json_text(json_item(s, 1))), 0);
        assert_int_equal(n, json_length(value));
        for (size_t i = 0; i < n; i++) {
                expect_text(id, pairs[i].name, json_get(json_item(value, i), "name"));
                expect_text(id, pairs[i].value, json_get(json_item(value, i), "value"));
        }
        ac_pairs_free(pairs, n);
        return 0;
}

static int run_app_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_box("", input, (JsonField) JSON_POINTER_ROW("x", Box, app, ac_app_type, JSON_MANDATORY), &b);
        if (r >= 0 && value) {
                _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
                _cleanup_free_ char *have = NULL, *want = NULL;

                json_write_struct(&w, &ac_app_type, b.app);
                assert_int_equal(json_writer_steal(&w, &have), 0);
                assert_int_equal(json_value_to_string(value, &want), 0);
                assert_string_equal(have, want);
        }
        box_done(&b);
        return r;
}

static int run_port_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_box("", input, (JsonField) JSON_POINTER_ROW("x", Box, port, ac_port_type, JSON_MANDATORY),
                    &b);
        box_done(&b);
        return r;
}

static int run_dependency_json(const char *id, const JsonValue *input, const JsonValue *value) {
        static const char head[] =
                "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"a\",\"dependencies\":[";
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *text = NULL, *have = NULL, *want = NULL, *whole = NULL;
        int r;

        text = strf("%s%s]}", head, json_text(input));
        r = image_manifest_parse(text, strlen(text), &m, NULL);
        if (r < 0 || !value)
                return r;
        assert_int_equal(image_manifest_to_string(m, &have), 0);
        assert_int_equal(json_value_to_string(value, &want), 0);
        whole = strf("%s%s]}", head, want);
        assert_string_equal(have, whole);
        return 0;
}

static int map_isolators(const char *list, const JsonValue *input, Box *b) {
        return map_box(list, input,
                       (JsonField) JSON_LIST_ROW("x", Box, isolators, ac_isolator_struct, JSON_MANDATORY), b);
}

static int run_isolator_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_isolators("[", input, &b);
        if (r >= 0)
                assert_int_not_equal(b.isolators[0].type, AC_ISOLATOR_UNKNOWN);
        box_done(&b);
        return r;
}

static int run_isolators_json(const char *id, const JsonValue *input, const JsonValue *value) {
        Box b = {};
        int r;

        r = map_isolators("", input, &b);
        if (r >= 0)
                r = ac_isolators_check(b.isolators, b.n_isolators, NULL);
        box_done(&b);
        return r;
}

static int run_isolator_unrecognized(const char *id, const JsonValue *input, const JsonValue *value) {
        size_t n = 0;
        Box b = {};
        int r;

        r = map_isolators("", input, &b);
        FOREACH_ARRAY (i, b.isolators, b.n_isolators)
                if (i->type == AC_ISOLATOR_UNKNOWN)
                        expect_text(id, i->name, json_item(value, n++));
        assert_int_equal(n, json_length(value));
        box_done(&b);
        return r;
}

static int run_mount_point_string(const char *id, const JsonValue *input, const JsonValue *value) {
        AcMountPoint m;
        int r;

        r = ac_mount_point_from_string(json_text(input), &m, NULL);
        if (r < 0)
                return r;
        expect_text(id, m.name, json_get(value, "name"));
        expect_text(id, m.path, json_get(value, "path"));
        assert_int_equal(m.read_only, json_boolean(json_get(value, "readOnly")));
        ac_mount_point_done(&m);
        return 0;
}

static int run_volume_string(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *string = NULL, *have = NULL, *want = NULL;
        AcVolume v;
        int r;

        r = ac_volume_from_string(json_text(input), &v, NULL);
        if (r < 0)
                return r;
        assert_int_equal(ac_volume_to_string(&v, &string), 0);
        expect_text(id, string, json_get(value, "string"));
        json_write_struct(&w, &ac_volume_type, &v);
        assert_int_equal(json_writer_steal(&w, &have), 0);
        assert_int_equal(json_value_to_string(json_get(value, "json"), &want), 0);
        assert_string_equal(have, want);
        ac_volume_done(&v);
        return 0;
}

/* A value as in the query of a URL. */
static int add_to_query(void *userdata, const char *key, const char *value, Error *e) {
        StrBuf *b = userdata;

        strbuf_addf(b, "%s%s=", b->size > 0 ? "&" : "", key);
        for (const char *p = value; *p; p++)
                if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                    strchr("-_.~", *p))
                        strbuf_add_n(b, p, 1);
                else if (*p == ' ')
                        strbuf_add(b, "+");
                else
                        strbuf_addf(b, "%%%02X", (unsigned) (unsigned char) *p);
        return 0;
}

/* The reference reads KEY=VALUE,... by way of a URL's query; we do not, but the pairs are the same. */
static int run_query_string(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_free_ char *text = strf("x,%s", json_text(input)), *name = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r;

        r = ac_options_parse(text, &name, add_to_query, &b, NULL);
        if (r >= 0)
                expect_text(id, str_or(b.data, ""), value);
        return r;
}

static int run_image_manifest(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        r = image_manifest_parse(json_text(input), strlen(json_text(input)), &m, NULL);
        if (r < 0)
                return r;
        assert_int_equal(image_manifest_to_string(m, &text), 0);
        assert_true(!strstr(text, "\"app\"") == !m->app);
        return 0;
}

static int run_pod_manifest(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;

        return pod_manifest_parse(json_text(input), strlen(json_text(input)), &m, NULL);
}

static int run_arch_to_go(const char *id, const JsonValue *input, const JsonValue *value) {
        const char *arch, *variant;
        int r;

        r = ac_arch_to_go(json_text(json_item(input, 0)), json_text(json_item(input, 1)), &arch, &variant);
        if (r < 0)
                return r;
        expect_text(id, arch, json_item(value, 1));
        expect_text(id, variant, json_item(value, 2));
        return 0;
}

static int run_arch_from_go(const char *id, const JsonValue *input, const JsonValue *value) {
        const char *arch;
        int r;

        r = ac_arch_from_go(json_text(json_item(input, 0)), json_text(json_item(input, 1)),
                            json_text(json_item(input, 2)), &arch);
        if (r >= 0)
                expect_text(id, arch, json_item(value, 1));
        return r;
}

static AcQuantityFormat quantity_format(const char *s) {
        if (streq(s, "BinarySI"))
                return AC_QUANTITY_BINARY;
        return streq(s, "DecimalSI") ? AC_QUANTITY_DECIMAL : AC_QUANTITY_EXPONENT;
}

static void expect_quantity(const char *id, const AcQuantity *q, const JsonValue *value) {
        const JsonValue *decimal = json_get(value, "decimal"), *format = json_get(value, "format");
        _cleanup_free_ char *canonical = NULL;
        AcQuantity want;

        if (decimal) {
                assert_int_equal(ac_quantity_parse(json_text(decimal), &want), 0);
                if (ac_quantity_compare(q, &want) != 0)
                        fail_msg("%s: not %s", id, json_text(decimal));
        }
        if (format && q->format != quantity_format(json_text(format)))
                fail_msg("%s: not %s", id, json_text(format));
        assert_int_equal(ac_quantity_to_string(q, &canonical), 0);
        expect_text(id, canonical, json_get(value, "canonical"));
        assert_int_equal(ac_quantity_parse(canonical, &want), 0);
        if (ac_quantity_compare(q, &want) != 0)
                fail_msg("%s: canonical form %s is another value", id, canonical);
}

static int run_quantity(const char *id, const JsonValue *input, const JsonValue *value) {
        AcQuantity q;
        int r;

        r = ac_quantity_parse(json_text(input), &q);
        if (r >= 0)
                expect_quantity(id, &q, value);
        return r;
}

/* As the limit of an isolator: negative ones are not for these. */
static int run_quantity_json(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_free_ char *text = NULL;
        AcIsolator i;
        int r;

        if (strchr(json_text(input), '-'))
                return 0;
        text = strf("{\"limit\":%s}", json_text(input));
        r = ac_isolator_parse("resource/cpu", text, &i, NULL);
        if (r < 0)
                return r;
        expect_quantity(id, &i.limit, value);
        ac_isolator_done(&i);
        return 0;
}

static int run_quantity_compare(const char *id, const JsonValue *input, const JsonValue *value) {
        AcQuantity a, b;
        int64_t want;

        assert_int_equal(ac_quantity_parse(json_text(json_item(input, 0)), &a), 0);
        assert_int_equal(ac_quantity_parse(json_text(json_item(input, 1)), &b), 0);
        assert_int_equal(json_integer(value, &want), 0);
        assert_int_equal(ac_quantity_compare(&a, &b), want);
        return 0;
}

static int64_t member(const JsonValue *v, const char *name, int64_t fallback) {
        const JsonValue *m = json_get(v, name);
        int64_t i;

        if (!m)
                return fallback;
        assert_int_equal(json_integer(m, &i), 0);
        return i;
}

static __int128 ten_to(int64_t n) {
        __int128 v = 1;

        while (n-- > 0)
                v *= 10;
        return v;
}

static int run_quantity_format(const char *id, const JsonValue *input, const JsonValue *value) {
        int64_t milli = member(input, "milli_value", INT64_MIN);
        int64_t scale = milli == INT64_MIN ? member(input, "scale", 0) : -3;
        AcQuantity q = {
                .nano = (milli == INT64_MIN ? member(input, "value", 0) : milli) * ten_to(scale + 9),
                .format = quantity_format(json_text(json_get(input, "format"))),
        };
        _cleanup_free_ char *s = NULL;

        assert_int_equal(ac_quantity_to_string(&q, &s), 0);
        expect_text(id, s, value);
        return 0;
}

static int run_quantity_scale(const char *id, const JsonValue *input, const JsonValue *value) {
        AcQuantity q = { .nano = ten_to(member(input, "one_times_10_to", 0) + 9) };
        int64_t at = member(input, "read_at_10_to", 0), want;

        assert_int_equal(json_integer(value, &want), 0);
        (void) ac_quantity_round_up(&q, (int) at);
        assert_true(q.nano / ten_to(at + 9) == want);
        return 0;
}

/* Sums are sums of whole numbers. */
static int run_quantity_arith(const char *id, const JsonValue *input, const JsonValue *value) {
        AcQuantity a, b, want;

        assert_int_equal(ac_quantity_parse(json_text(json_get(input, "a")), &a), 0);
        assert_int_equal(ac_quantity_parse(json_text(json_get(input, "b")), &b), 0);
        assert_int_equal(ac_quantity_parse(json_text(value), &want), 0);
        a.nano += *json_text(json_get(input, "op")) == '+' ? b.nano : -b.nano;
        assert_int_equal(ac_quantity_compare(&a, &want), 0);
        return 0;
}

static int run_quantity_round(const char *id, const JsonValue *input, const JsonValue *value) {
        AcQuantity q, want;
        bool exact;

        assert_int_equal(ac_quantity_parse(json_text(json_get(input, "quantity")), &q), 0);
        assert_int_equal(ac_quantity_parse(json_text(json_get(value, "decimal")), &want), 0);
        exact = ac_quantity_round_up(&q, (int) member(input, "scale", 0));
        if (ac_quantity_compare(&q, &want) != 0 || exact != json_boolean(json_get(value, "exact")))
                fail_msg("%s: not %s", id, json_text(json_get(value, "decimal")));
        return 0;
}

/* The parts, put together again, are the same quantity. A point alone is no number: appc, section 11, oddities. */
static int run_quantity_split(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_free_ char *parts = NULL;
        AcQuantity have, want;
        int r;

        parts = strf("%s%s.%s%s", json_boolean(json_get(value, "positive")) ? "" : "-",
                     json_text(json_get(value, "num")), json_text(json_get(value, "denom")),
                     json_text(json_get(value, "suffix")));
        assert_int_equal(ac_quantity_parse(parts, &want), 0);
        r = ac_quantity_parse(json_text(input), &have);
        if (r >= 0)
                assert_int_equal(ac_quantity_compare(&have, &want), 0);
        return r;
}

static int run_labels_from_map(const char *id, const JsonValue *input, const JsonValue *value) {
        const JsonField fields[] = { AC_MAP_ROW("x", Box, pairs), {} };
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_free_ char *map = NULL, *text = NULL;
        Box b = {};
        int r;

        assert_int_equal(json_value_to_string(input, &map), 0);
        text = strf("{\"x\":%s}", map);
        assert_int_equal(json_parse(text, strlen(text), &v, NULL), 0);
        r = json_map(v, fields, 0, &b, NULL);
        if (r >= 0)
                r = ac_labels_check(b.pairs, b.n_pairs, NULL);
        for (size_t i = 0; r >= 0 && i < json_length(value); i++) {
                expect_text(id, b.pairs[i].name, json_get(json_item(value, i), "name"));
                expect_text(id, b.pairs[i].value, json_get(json_item(value, i), "value"));
        }
        if (r >= 0)
                assert_int_equal(b.n_pairs, json_length(value));
        box_done(&b);
        return r;
}

static void expect_optional(const char *id, const char *have, const JsonValue *want) {
        if (want)
                expect_text(id, str_or(have, ""), want);
}

static void expect_lenient_image(const char *id, const LenientImage *m, const JsonValue *want) {
        const JsonValue *labels = json_get(want, "labels");

        expect_optional(id, m->name, json_get(want, "name"));
        expect_optional(id, m->id, json_get(want, "id"));
        assert_int_equal(m->n_labels, labels ? json_length(labels) : 0);
        for (size_t i = 0; i < m->n_labels; i++) {
                expect_text(id, m->labels[i].name, json_get(json_item(labels, i), "name"));
                expect_text(id, m->labels[i].value, json_get(json_item(labels, i), "value"));
        }
}

static int run_lenient_image(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_(lenient_image_done) LenientImage m = {};
        int r;

        r = lenient_image_parse(json_text(input), strlen(json_text(input)), &m);
        if (r >= 0)
                expect_lenient_image(id, &m, value);
        return r;
}

static int run_lenient_pod(const char *id, const JsonValue *input, const JsonValue *value) {
        _cleanup_(lenient_pod_done) LenientPod m = {};
        const JsonValue *apps;
        int r;

        r = lenient_pod_parse(json_text(input), strlen(json_text(input)), &m);
        if (r < 0)
                return r;
        apps = json_get(value, "apps");
        assert_int_equal(m.n_apps, json_length(apps));
        for (size_t i = 0; i < m.n_apps; i++) {
                expect_optional(id, m.apps[i].name, json_get(json_item(apps, i), "name"));
                expect_lenient_image(id, &m.apps[i].image, json_get(json_item(apps, i), "image"));
        }
        return 0;
}

static const struct {
        const char *kind;
        VectorFunc run;
} kinds[] = {
        { "ac-identifier", run_identifier },
        { "ac-identifier-json", run_identifier_json },
        { "ac-kind-json", run_kind_json },
        { "ac-name", run_name },
        { "ac-name-json", run_name_json },
        { "annotation-get", run_annotation_get },
        { "annotation-set", run_annotation_set },
        { "annotations-json", run_annotations_json },
        { "app-json", run_app_json },
        { "appc-arch-to-go", run_arch_to_go },
        { "date-json", run_date_json },
        { "dependency-json", run_dependency_json },
        { "environment-json", run_environment_json },
        { "go-arch-to-appc", run_arch_from_go },
        { "image-id", run_image_id },
        { "image-manifest", run_image_manifest },
        { "isolator-json", run_isolator_json },
        { "isolator-unrecognized", run_isolator_unrecognized },
        { "isolators-json", run_isolators_json },
        { "labels-json", run_labels_json },
        { "mountpoint-string", run_mount_point_string },
        { "pod-manifest", run_pod_manifest },
        { "port-json", run_port_json },
        { "query-string", run_query_string },
        { "quantity", run_quantity },
        { "quantity-cmp", run_quantity_compare },
        { "quantity-format", run_quantity_format },
        { "quantity-json", run_quantity_json },
        { "quantity-scale", run_quantity_scale },
        { "sanitize-ac-identifier", run_sanitize_identifier },
        { "sanitize-ac-name", run_sanitize_name },
        { "semver-json", run_version_json },
        { "url", run_url },
        { "url-json", run_url_json },
        { "uuid", run_uuid },
        { "volume-string", run_volume_string },
        { "labels-from-map", run_labels_from_map },
        { "lastditch-image-manifest", run_lenient_image },
        { "lastditch-pod-manifest", run_lenient_pod },
        { "quantity-arith", run_quantity_arith },
        { "quantity-roundup", run_quantity_round },
        { "quantity-split", run_quantity_split },
};

/* Where we decided against the reference (appc, section 19). */
static const struct {
        const char *id, *why;
} exceptions[] = {
        { "up-0187", "an image ID is hex digits; 'sha512-abcdefghi' is not" },
        { "up-0257", "capabilities-retain-set and -remove-set together: the text forbids it" },
        { "up-0831", "a point without a digit is no number" },
        { "up-0832", "the same behind a sign" },
};

static bool is_exception(const char *id) {
        FOREACH_ARRAY (x, exceptions, ELEMENTSOF(exceptions))
                if (streq(x->id, id))
                        return true;
        return false;
}

/* They are in src/image/test-discovery-vectors.c. */
static bool is_discovery(const char *kind) {
        return startswith(kind, "discovery") || streq(kind, "app-string");
}

static VectorFunc find_kind(const char *kind) {
        FOREACH_ARRAY (k, kinds, ELEMENTSOF(kinds))
                if (streq(k->kind, kind))
                        return k->run;
        return NULL;
}

static void run_vector(const JsonValue *v) {
        const char *id = json_text(json_get(v, "id")), *kind = json_text(json_get(v, "kind"));
        const char *expect = json_text(json_get(v, "expect")), *spec = NULL;
        VectorFunc run = find_kind(kind);
        int r;

        if (!run)
                fail_msg("%s: nobody handles '%s'", id, kind);
        r = run(id, json_get(v, "input"), json_get(v, "value"));
        if (is_exception(id)) {
                assert_true(r < 0);
                return;
        }
        if (json_get(v, "spec_expect"))
                spec = json_text(json_get(v, "spec_expect"));
        if (!streq(expect, r < 0 ? "invalid" : "valid") && !streq_ptr(spec, r < 0 ? "invalid" : "valid"))
                fail_msg("%s (%s): %s, but got %d", id, kind, expect, r);
}

static void run_file(void **state, const char *name, size_t n) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_free_ char *path = NULL, *data = NULL;
        size_t size;

        path = strf("%s/vectors/appc/%s.json", getenv("RKT_TEST_DATA"), name);
        assert_int_equal(file_read_at(AT_FDCWD, path, VECTOR_FILE_MAX, &data, &size), 0);
        assert_int_equal(json_parse(data, size, &v, NULL), 0);
        JSON_FOREACH (i, v)
                if (!is_discovery(json_text(json_get(i, "kind"))))
                        run_vector(i);
        assert_int_equal(json_length(v), n);
}

#define VECTOR_TEST(function, file, n)                                                                       \
        static void function(void **state) {                                                                 \
                run_file(state, file, n);                                                                    \
        }

VECTOR_TEST(test_identifiers, "identifiers", 124)
VECTOR_TEST(test_annotations, "annotations-environment", 27)
VECTOR_TEST(test_app_objects, "app-objects", 39)
VECTOR_TEST(test_versions, "versions-ids-dates", 48)
VECTOR_TEST(test_isolators, "isolators", 68)
VECTOR_TEST(test_labels, "labels-osarch", 42)
VECTOR_TEST(test_volumes, "volumes", 18)
VECTOR_TEST(test_image_manifests, "image-manifests", 11)
VECTOR_TEST(test_pod_manifests, "pod-manifests", 19)
VECTOR_TEST(test_discovery, "discovery", 42)
VECTOR_TEST(test_quantities, "quantities", 447)

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_identifiers),   cmocka_unit_test(test_annotations),
                cmocka_unit_test(test_app_objects),   cmocka_unit_test(test_versions),
                cmocka_unit_test(test_isolators),     cmocka_unit_test(test_labels),
                cmocka_unit_test(test_volumes),       cmocka_unit_test(test_image_manifests),
                cmocka_unit_test(test_pod_manifests), cmocka_unit_test(test_quantities),
                cmocka_unit_test(test_discovery),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

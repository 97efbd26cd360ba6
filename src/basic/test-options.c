/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command line options, verbs by prefix, tables and the formats of rkt's columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/markup.h"
#include "basic/strv.h"
#include "basic/suggest.h"
#include "basic/table.h"
#include "basic/verbs.h"

typedef struct Args {
        bool full;
        bool pretty;
        const char *format;
        char **volumes;
        int64_t grace;
        const char *wait;
} Args;

static int set_wait(const Option *o, const char *value, void *data, Error *e) {
        if (streq(value, "bad"))
                return error_setf(e, -EINVAL, "bad wait");
        ((Args *) data)->wait = value;
        return 0;
}

static const Option options[] = {
        { "full", 0, OPTION_BOOL, offsetof(Args, full), .help = "long" },
        { "pretty-print", 'p', OPTION_BOOL, offsetof(Args, pretty), .fallback = "true", .help = "pretty" },
        { "format", 'f', OPTION_STRING, offsetof(Args, format), .value = "FORMAT", .help = "json" },
        { "volume", 'v', OPTION_STRV, offsetof(Args, volumes), .help = "a volume" },
        { "grace-period", 0, OPTION_DURATION, offsetof(Args, grace), .fallback = "30m0s",
          .help = "how long" },
        { "wait", 0, OPTION_SET, .set = set_wait, .bare = "true", .help = "wait" },
        { "dns", 0, OPTION_UNSUPPORTED },
        {},
};

typedef struct Case {
        const char *argv[9];
        int r;             /* last return of options_next() */
        const char *words; /* joined by | */
        const char *message;
} Case;

static void run_case(const Case *c, Args *a) {
        OptionTable t = { options, a };
        OptionParser p = { .tables = { t }, .argv = (char **) (uintptr_t) c->argv };
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *joined = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        const char *word;
        int r;

        *a = (Args){};
        assert_int_equal(options_init(&t, &e), 0);
        do {
                r = options_next(&p, &word, &e);
                if (r == OPTIONS_ARGUMENT)
                        assert_int_equal(strv_extend(&words, word), 0);
                if (r == OPTIONS_DASHES)
                        assert_int_equal(strv_extend(&words, "DASHES"), 0);
        } while (r > 0);
        assert_int_equal(r, c->r);
        assert_int_equal(strv_join(words, "|", &joined), 0);
        assert_string_equal(joined, c->words);
        if (c->message)
                assert_string_equal(error_text(&e, r), c->message);
}

static void test_options(void **state) {
        static const Case cases[] = {
                { { "a", "--full", "b", "--", "-c" },
                  -ENXIO,
                  "a|b|DASHES",
                  "unknown shorthand flag: 'c' in -c" },
                { { "--format=json", "x" }, 0, "x" },
                { { "--format", "json", "-", "---", "" }, 0, "-|---|" },
                { { "-fjson", "-f", "y", "-f=z" }, 0, "" },
                { { "--formt=x" }, -ENXIO, "", "unknown flag: --formt (did you mean --format?)" },
                { { "--nothing-like-it" }, -ENXIO, "", "unknown flag: --nothing-like-it" },
                { { "--format" }, -EINVAL, "", "flag needs an argument: --format" },
                { { "-f" }, -EINVAL, "", "flag needs an argument: 'f' in -f" },
                { { "--full=maybe" },
                  -EINVAL,
                  "",
                  "invalid argument \"maybe\" for --full: it is neither true nor false" },
                { { "--dns=1.2.3.4" }, -EOPNOTSUPP, "", "--dns is not supported yet" },
                { { "--wait=bad" }, -EINVAL, "", "bad wait" },
                { { "--wait", "x" }, 0, "x" },
                { { "--grace-period=soon" },
                  -EINVAL,
                  "",
                  "invalid argument \"soon\" for --grace-period: it is no duration such as 30m, 24h or 0s" },
        };
        Args a;

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                run_case(c, &a);
                options_done(&(OptionTable){ options, &a });
        }
}

static void test_values(void **state) {
        Args a;

        run_case(&(Case){ { "--full", "-p=false", "--volume=a,b", "-v", "c", "--wait", "-f", "q" }, 0, "" },
                 &a);
        assert_true(a.full);
        assert_false(a.pretty);
        assert_int_equal(strv_length(a.volumes), 2);
        assert_string_equal(a.volumes[0], "a,b");
        assert_string_equal(a.wait, "true");
        assert_string_equal(a.format, "q");
        assert_true(a.grace == 1800 * INT64_C(1000000));
        options_done(&(OptionTable){ options, &a });
        assert_null(a.volumes);
}

static void test_durations(void **state) {
        static const struct {
                const char *text;
                int r;
                int64_t usec;
        } cases[] = {
                { "0", 0, 0 },
                { "0s", 0, 0 },
                { "30m0s", 0, INT64_C(1800000000) },
                { "-1s", 0, -1000000 },
                { "1.5s", 0, 1500000 },
                { "24h", 0, INT64_C(86400000000) },
                { "10ms", 0, 10000 },
                { "", -EINVAL },
                { "10", -EINVAL },
                { "s", -EINVAL },
                { "1.1.1s", -EINVAL },
                { "1d", -EINVAL },
                { ".s", -EINVAL },
                { "99999999999999999999h", -ERANGE },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                int64_t usec = 0;

                assert_int_equal(parse_go_duration(cases[i].text, &usec), cases[i].r);
                assert_true(usec == cases[i].usec);
        }
}

static int nothing(const VerbContext *c, int argc, char **args, void *data, Error *e) {
        return 0;
}

/* rkt.md 1.1: unambiguous prefixes of command names are accepted, also within a group. */
static void test_verb_find(void **state) {
        static const Verb stop = { .name = "stop", .run = nothing },
                          status = { .name = "status", .run = nothing },
                          list = { .name = "list", .run = nothing },
                          image_list = { .group = "image", .name = "list", .run = nothing },
                          image_rm = { .group = "image", .name = "rm", .run = nothing };
        static const Verb *const verbs[] = { &stop, &status, &list, &image_list, &image_rm, NULL };
        _cleanup_error_ Error e = ERROR_INIT;
        const Verb *v = NULL;

        assert_int_equal(verb_find(verbs, NULL, "li", &v, &e), 0);
        assert_ptr_equal(v, &list);
        assert_int_equal(verb_find(verbs, NULL, "st", &v, &e), -ENOTUNIQ);
        assert_int_equal(verb_find(verbs, NULL, "im", &v, &e), 1);
        assert_string_equal(v->group, "image");
        assert_int_equal(verb_find(verbs, "image", "r", &v, &e), 0);
        assert_ptr_equal(v, &image_rm);
        assert_int_equal(verb_find(verbs, NULL, "rm", &v, &e), -ENXIO);
        assert_int_equal(verb_find(verbs, NULL, "", &v, &e), -ENXIO);
        assert_true(verbs_is_group(verbs, "image"));
        assert_false(verbs_is_group(verbs, "list"));
}

static void assert_table(const Table *t, TableFormat format, bool legend, const char *expected) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        assert_non_null(f);
        assert_int_equal(table_print(t, format, legend, f, NULL), 0);
        assert_int_equal(fclose(f), 0);
        assert_string_equal(text, expected);
        free(text);
}

static void test_table(void **state) {
        static const TableColumn columns[] = { { "id", "ID", "id" }, { "size", "SIZE", "size", true } };
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(table_new(columns, 2, &t, &e), 0);
        assert_table(t, TABLE_TEXT, true, "ID\tSIZE\n");
        assert_table(t, TABLE_JSON, true, "[]\n");
        assert_int_equal(table_add_row(t, &e), 0);
        assert_int_equal(table_set(t, 0, "a\"b", NULL, &e), 0);
        assert_int_equal(table_set(t, 1, "12MiB", "12582912", &e), 0);
        assert_table(t, TABLE_TEXT, true, "ID \tSIZE\na\"b\t12MiB\n");
        assert_table(t, TABLE_TEXT, false, "a\"b\t12MiB\n");
        assert_table(t, TABLE_JSON, true, "[{\"id\":\"a\\\"b\",\"size\":12582912}]\n");
        assert_table(t, TABLE_JSON_PRETTY, true,
                     "[\n\t{\n\t\t\"id\": \"a\\\"b\",\n\t\t\"size\": 12582912\n\t}\n]\n");
        assert_int_equal(table_select(t, "size", &e), 0);
        assert_table(t, TABLE_TEXT, false, "12MiB\n");
        assert_int_equal(table_select(t, "nope", &e), -ENXIO);
        assert_int_equal(table_select(t, "id,id,id", &e), -E2BIG);
        assert_int_equal(table_format_from_string("json-pretty", &e), TABLE_JSON_PRETTY);
        assert_int_equal(table_format_from_string("xml", &e), -EINVAL);
}

static void assert_takes(char *text, const char *expected) {
        assert_string_equal(text, expected);
        free(text);
}

static void test_formats(void **state) {
        const int64_t s = 1000000;

        assert_takes(format_age(0, 0), "now");
        assert_takes(format_age(1 * s, 0), "1 second ago");
        assert_takes(format_age(59 * s, 0), "59 seconds ago");
        assert_takes(format_age(7199 * s, 0), "1 hour ago");
        assert_takes(format_age(7200 * s, 0), "2 hours ago");
        assert_takes(format_age(0, 90 * s), "1 minute from now");
        assert_takes(format_age(800 * 86400 * s, 0), "2 years ago");
        assert_takes(format_bytes_go(9), "9B");
        assert_takes(format_bytes_go(1536), "1.5KiB");
        assert_takes(format_bytes_go(12 << 20), "12MiB");
        assert_int_equal(setenv("TZ", "UTC", 1), 0);
        assert_takes(format_timestamp_go(INT64_C(1136214245990000)), "2006-01-02 15:04:05.99 +0000 UTC");
        assert_takes(format_timestamp_go(INT64_C(1136214245000000)), "2006-01-02 15:04:05 +0000 UTC");
}

static void test_suggest(void **state) {
        static const struct {
                const char *word, *best;
        } cases[] = {
                { "Imagge", "Image" },
                { "image", "Image" },
                { "Iamge", "Image" },
                { "Networks", "Network" },
                { "Netwrok", "Network" },
                { "Zebra", NULL },
                { "I", NULL },
                { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Suggest s = SUGGEST_INIT(cases[i].word);

                suggest_add(&s, "Network");
                suggest_add(&s, "Image");
                if (cases[i].best)
                        assert_string_equal(s.best, cases[i].best);
                else
                        assert_null(s.best);
        }
}

/* All cells of the table. */
static unsigned distance_in_full(const char *a, const char *b) {
        unsigned d[16][16] = {};

        for (unsigned i = 0; i <= strlen(a); i++)
                for (unsigned j = 0; j <= strlen(b); j++) {
                        if (i == 0 || j == 0) {
                                d[i][j] = i + j;
                                continue;
                        }
                        d[i][j] = MIN(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
                                      MIN(d[i - 1][j], d[i][j - 1]) + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
                }
        return d[strlen(a)][strlen(b)];
}

static void random_word(uint32_t *seed, char word[static 16]) {
        size_t n = (*seed = *seed * 1664525 + 1013904223) >> 24 & 15;

        for (size_t i = 0; i < n; i++)
                word[i] = (char) ('a' + ((*seed = *seed * 1664525 + 1013904223) >> 24) % 3);
        word[n] = '\0';
}

/* What is left out of the table never matters. */
static void test_suggest_distance(void **state) {
        uint32_t seed = 1;

        for (unsigned i = 0; i < 20000; i++) {
                char a[16], b[16];
                unsigned d;

                random_word(&seed, a);
                random_word(&seed, b);
                Suggest s = SUGGEST_INIT(a);
                suggest_add(&s, b);
                d = distance_in_full(a, b);
                if (d <= 3 && d <= (MAX(strlen(a), strlen(b)) + 1) / 3) {
                        assert_non_null(s.best);
                        assert_int_equal(s.distance, d);
                } else
                        assert_null(s.best);
        }
}

/* Links for who can click them; rkt.pod(5) is one, f(x), (1) and "see (5)" are none. */
static void test_markup(void **state) {
        _cleanup_strbuf_ StrBuf manuals = STRBUF_INIT, file = STRBUF_INIT, relative = STRBUF_INIT;
        char host[256] = "", expected[512];

        markup_add_manuals(&manuals, "rkt-config(5), f(x), (1) see (5); x(9) sd_notify(3)");
        assert_string_equal(manuals.data,
                            "\x1b]8;;man:rkt-config(5)\arkt-config(5)\x1b]8;;\a, f(x), (1) see (5); x(9) "
                            "\x1b]8;;man:sd_notify(3)\asd_notify(3)\x1b]8;;\a");
        assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
        markup_add_file(&file, "/etc/a b\x1b\xc3.pod", "seen");
        (void) snprintf(expected, sizeof(expected),
                        "\x1b]8;;file://%s/etc/a%%20b%%1B%%C3.pod\aseen\x1b]8;;\a", host);
        assert_string_equal(file.data, expected);
        markup_add_file(&relative, "-", "-");
        assert_string_equal(relative.data, "-");
        assert_int_equal(setenv("SYSTEMD_URLIFY", "no", 1), 0);
        assert_false(markup_has_links(stdout));
        assert_int_equal(setenv("SYSTEMD_URLIFY", "yes", 1), 0);
        assert_true(markup_has_links(stdout));
        assert_int_equal(unsetenv("SYSTEMD_URLIFY"), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_suggest),   cmocka_unit_test(test_suggest_distance),
                cmocka_unit_test(test_options),   cmocka_unit_test(test_values),
                cmocka_unit_test(test_durations), cmocka_unit_test(test_verb_find),
                cmocka_unit_test(test_table),     cmocka_unit_test(test_formats),
                cmocka_unit_test(test_markup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

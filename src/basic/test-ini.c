/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/ini.h"
#include "basic/insecure.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/word.h"

static int on_item(const IniItem *item, void *userdata) {
        if (item->key)
                strbuf_addf(userdata, "%u:[%s]%s=%s|", item->line, item->section, item->key, item->value);
        else
                strbuf_addf(userdata, "%u:[%s]|", item->line, item->section);
        return 0;
}

static int on_bad(unsigned line, const char *what, void *userdata) {
        strbuf_addf(userdata, "%u!%s|", line, what);
        return 0;
}

static void expect(const char *data, size_t size, const char *expected) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        assert_int_equal(ini_parse(data, size, &(IniHandler){ on_item, on_bad, &b }), 0);
        assert_string_equal(str_or(b.data, ""), expected);
}

#define EXPECT(data, expected) expect(data, sizeof(data) - 1, expected)

static void test_syntax(void **state) {
        EXPECT("", "");
        EXPECT("# c\n; c\n\n", "");
        EXPECT("[A]\nK=V\n", "1:[A]|2:[A]K=V|");
        EXPECT("[A]\n K = V \n", "1:[A]|2:[A]K=V|");
        EXPECT("[A]\nK=", "1:[A]|2:[A]K=|");
        EXPECT("[A b]\nK=a=b\n", "1:[A b]|2:[A b]K=a=b|");
        EXPECT("K=V\n", "1:[]K=V|");
        EXPECT("[A]\nK=a # no comment\n", "1:[A]|2:[A]K=a # no comment|");
        /* continuation: the backslash becomes a blank, comments inside are skipped */
        EXPECT("[A]\nK=a\\\n  b\\\n# c\\\n ; d\n  e\nL=1\n", "1:[A]|2:[A]K=a b e|7:[A]L=1|");
        EXPECT("[A]\nK=a\\\\\nL=1\n", "1:[A]|2:[A]K=a\\\\|3:[A]L=1|");
        EXPECT("[A]\nK=a\\", "1:[A]|2:[A]K=a|");
        EXPECT("[A]\nK=a\\\n\nL=1\n", "1:[A]|2:[A]K=a|4:[A]L=1|");
}

/* robustness.md P1: odd bytes */
static void test_bytes_p1(void **state) {
        EXPECT("\xef\xbb\xbf[A]\r\nK=V\r\n", "1:[A]|2:[A]K=V|");
        EXPECT("[A]\nK=\xff\nL=1\n", "1:[A]|2!line is not UTF-8|3:[A]L=1|");
        EXPECT("[A]\nK=a\0b\nL=1\n", "1:[A]|2!line contains a NUL byte|3:[A]L=1|");
}

static void test_bad_lines(void **state) {
        EXPECT("[A]\nK\nL=1\n", "1:[A]|2!missing '=' (KEY=VALUE)|3:[A]L=1|");
        EXPECT("[A]\n=V\n", "1:[A]|2!there is no key before '='|");
        /* the keys below a broken header belong to nobody */
        EXPECT("[A]\n[B\nK=1\n[C]\nL=1\n", "1:[A]|2!a section header must be [NAME]|4:[C]|5:[C]L=1|");
        EXPECT("[]\n", "1!a section header must be [NAME]|");
}

/* robustness.md P2: limits */
static void test_limits_p2(void **state) {
        _cleanup_free_ char *big = malloc(INI_FILE_MAX + 1);
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        assert_non_null(big);
        memset(big, 'x', INI_FILE_MAX + 1);
        expect(big, INI_FILE_MAX + 1, "0!file is larger than 4 MiB|");
        big[0] = '[', big[1] = ']', big[1] = 'A', big[2] = ']', big[3] = '\n';
        memcpy(big + 2 * INI_LINE_MAX, "\nK=1\n", 5);
        expect(big, 2 * INI_LINE_MAX + 5, "1:[A]|2!line is longer than 1 MiB|3:[A]K=1|");
        /* endless continuation */
        for (size_t i = 0; i + 1 < INI_LINES_MAX * 2; i += 2)
                big[i] = '\\', big[i + 1] = '\n';
        expect(big, INI_LINES_MAX * 2, "");
        memset(big, '\n', 100000);
        expect(big, 100000, "65537!file has more than 65536 lines|");
}

static void test_words(void **state) {
        static const struct {
                const char *in, *out;
                int r;
        } cases[] = {
                { "", NULL, 0 },
                { "  a  b ", "a|b", 0 },
                { "\"a b\" 'c \"d'", "a b|c \"d", 0 },
                { "a\"b c\"d", "ab cd", 0 },
                { "\"\" x", "|x", 0 },
                { "a\\x20b \\101 \\u00e4 \\U0001F600", "a b|A|\xc3\xa4|\xf0\x9f\x98\x80", 0 },
                { "\\t\\n\\s\\\\\\\"\\'", "\t\n \\\"'", 0 },
                { "\\d \\", "\\d|\\", 0 },
                { "'a\\'b'", "a'b", 0 },
                { "\"a", NULL, -EINVAL },
                { "\\x00", NULL, -EILSEQ },
                { "\\000", NULL, -EILSEQ },
                { "\\ud800", NULL, -EILSEQ },
                { "1 2 3 4 5 6 7 8 9", NULL, -E2BIG },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_strv_free_ char **v = NULL;
                _cleanup_free_ char *joined = NULL;

                assert_int_equal(word_split(cases[i].in, 8, &v), cases[i].r);
                assert_int_equal(strv_join(v, "|", &joined), 0);
                assert_string_equal(joined, str_or(cases[i].out, ""));
                assert_int_equal(v == NULL, cases[i].out == NULL);
        }
}

/* rkt.md 1.2 */
static void test_insecure(void **state) {
        static const struct {
                const char *in;
                int r;
                unsigned flags;
                const char *out;
        } cases[] = {
                { "", 0, 0, "none" },
                { "none", 0, 0, "none" },
                { "image,tls", 0, INSECURE_IMAGE | INSECURE_TLS, "tls,image" },
                { "image tls", 0, INSECURE_IMAGE | INSECURE_TLS, "tls,image" },
                { "all-fetch", 0, INSECURE_ALL_FETCH, "all-fetch" },
                { "all-run,ondisk", 0, INSECURE_ALL_RUN | INSECURE_ONDISK, "all-run,ondisk" },
                { "all", 0, INSECURE_ALL, "all" },
                { "images", -EINVAL, 0, NULL },
                { "tls,tls", -ENOTUNIQ, 0, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = NULL;
                InsecureFlags f = INSECURE_NONE;

                assert_int_equal(insecure_flags_parse(cases[i].in, &f, NULL), cases[i].r);
                assert_int_equal(f, cases[i].flags);
                if (cases[i].r < 0)
                        continue;
                assert_int_equal(insecure_flags_to_string(f, &text), 0);
                assert_string_equal(text, cases[i].out);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_syntax),    cmocka_unit_test(test_bytes_p1),
                cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_limits_p2),
                cmocka_unit_test(test_words),     cmocka_unit_test(test_insecure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

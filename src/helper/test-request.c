/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/strv.h"
#include "helper/request-check.h"
#include "helper/request-slot.h"

typedef struct Case {
        const char *line; /* words separated by blanks */
        int member, admin;
} Case;

static int check(const char *line, bool is_admin) {
        _cleanup_strv_free_ char **words = NULL;

        assert_return_code(strv_split(line, " ", &words), 0);
        return request_check(words, 2, is_admin, NULL);
}

static void test_check(void **state) {
        static const Case cases[] = {
                { "list", 0, 0 },
                { "--debug=false list --full --format=json", 0, 0 },
                { "list --format json", 0, 0 },
                { "image list --fields=id,name --no-legend", 0, 0 },
                { "image --debug=true list", 0, 0 },
                { "fetch example.com/app:1.2,channel=beta", 0, 0 },
                { "fetch docker://redis:7 https://example.com/a.aci --full", 0, 0 },
                { "fetch \0010", 0, 0 },
                { "fetch \0010:1", 0, 0 },
                { "fetch \0012", -EPERM, -EPERM },
                { "fetch \0010:2", -EPERM, -EPERM },
                { "fetch \001x", -EPERM, -EPERM },
                { "image rm \0010", -EPERM, -EPERM },
                { "image rm example.com/app sha512-0123", 0, 0 },
                { "image cat-manifest example.com/app --pretty-print=false", 0, 0 },
                { "status 01234567 --wait=10s", 0, 0 },
                { "app status shop --app=web --format=json", 0, 0 },
                { "--insecure-options=none fetch example.com/app", 0, 0 },
                { "--insecure-options=image fetch example.com/app", -EPERM, 0 },
                { "fetch --insecure-options=all-fetch example.com/app", -EPERM, 0 },
                { "fetch --insecure-options image example.com/app", -EPERM, -EPERM },
                { "fetch --insecure-options=ponies example.com/app", -EINVAL, -EINVAL },
                { "--insecure-options=image list", -EPERM, -EPERM },
                { "image gc", -EPERM, -EPERM },
                { "image export example.com/app out.aci", -EPERM, -EPERM },
                { "run example.com/app", -EPERM, -EPERM },
                { "rm 01234567", -EPERM, -EPERM },
                { "li", -EPERM, -EPERM },
                { "app rm 01234567 --app=web", -EPERM, -EPERM },
                { "fetch /etc/shadow.aci", -EPERM, -EPERM },
                { "fetch ./a.aci", -EPERM, -EPERM },
                { "fetch a.aci", -EPERM, -EPERM },
                { "fetch file:///etc/a.aci", -EPERM, -EPERM },
                { "fetch oci:/srv/layout", -EPERM, -EPERM },
                { "fetch docker-archive:/srv/x.tar", -EPERM, -EPERM },
                { "fetch example.com/app --signature=/etc/shadow", -EPERM, -EPERM },
                { "fetch example.com/app --limit=download-size=1T", -EPERM, -EPERM },
                { "--dir=/srv list", -EPERM, -EPERM },
                { "--local-config=/srv list", -EPERM, -EPERM },
                { "--trust-keys-from-https fetch example.com/app", -EPERM, -EPERM },
                { "status --uuid-file=/etc/shadow", -EPERM, -EPERM },
                { "status --uuid-file", -EPERM, -EPERM },
                { "status /etc/shadow", -EPERM, -EPERM },
                { "list -- x", -EPERM, -EPERM },
                { "list -h", -EPERM, -EPERM },
                { "--debug", -EPERM, -EPERM },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                int member = check(cases[i].line, false), admin = check(cases[i].line, true);

                if (member != cases[i].member || admin != cases[i].admin)
                        fail_msg("%s: %d, %d", cases[i].line, member, admin);
        }
}

static void test_split(void **state) {
        _cleanup_strv_free_ char **words = NULL;

        assert_return_code(request_split("a\0\0b", 5, &words, NULL), 0);
        assert_int_equal(strv_length(words), 3);
        assert_string_equal(words[1], "");
        assert_int_equal(request_split("ab", 2, &words, NULL), -EINVAL);
        assert_int_equal(request_split("", 0, &words, NULL), -EINVAL);
}

/* One user's do not count for another; who ends makes room. */
static void test_slots(void **state) {
        char dir[] = "/tmp/rkt-test-request.XXXXXX";
        _cleanup_error_ Error e = ERROR_INIT;
        int mine[REQUEST_SLOTS_MAX], one_more = -EBADF, theirs = -EBADF;

        assert_non_null(mkdtemp(dir));
        for (unsigned i = 0; i < REQUEST_SLOTS_MAX; i++)
                assert_return_code(request_slot_take(dir, 1000, &mine[i], &e), 0);
        assert_int_equal(request_slot_take(dir, 1000, &one_more, &e), -EBUSY);
        assert_non_null(strstr(error_text(&e, -EBUSY), "8 requests of yours are under way already"));
        assert_return_code(request_slot_take(dir, 100, &theirs, &e), 0);
        mine[3] = fd_close(mine[3]);
        assert_return_code(request_slot_take(dir, 1000, &mine[3], &e), 0);
        for (unsigned i = 0; i < REQUEST_SLOTS_MAX; i++)
                (void) fd_close(mine[i]);
        (void) fd_close(theirs);
        assert_return_code(remove_tree_at(AT_FDCWD, dir), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_check), cmocka_unit_test(test_split),
                                            cmocka_unit_test(test_slots) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Golden tests: a pod manifest becomes the files of stage1 and the command line of nspawn.
 * test/golden/unit/NAME.in is the manifest, NAME.expected all files; test/golden/argv the same for nspawn.
 * RKT_TEST_UPDATE=1 writes the expected texts anew. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-compose.h"
#include "run/app-unit.h"
#include "run/hosts.h"
#include "run/run-nspawn.h"
#include "run/stage1-root.h"
#include "run/unit-text.h"

#define UUID "b0e7b8d2-6f0c-4b8e-9d2a-0123456789ab"

static int golden_dir(const char *kind) {
        _cleanup_free_ char *path = strf("%s/golden/%s", getenv("RKT_TEST_DATA"), kind);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

static void compare(int dir, const char *name, const char *text) {
        _cleanup_free_ char *file = strf("%.*s.expected", (int) (strlen(name) - 3), name), *expected = NULL;
        size_t size;

        if (getenv("RKT_TEST_UPDATE"))
                assert_int_equal(file_write_at(dir, file, text, strlen(text), 0644, FILE_WRITE_NO_SYNC), 0);
        print_message("# %s\n", file);
        assert_int_equal(file_read_at(dir, file, 1024 * 1024, &expected, &size), 0);
        assert_string_equal(text, expected);
}

/* Facts of an app as if its root had been looked at: numeric users, programs in /bin. */
static void make_facts(const PodApp *a, AppFacts *f) {
        uint64_t n;

        *f = APP_FACTS_INIT;
        if (parse_uint64(a->app->user, &n) >= 0)
                f->uid = (uid_t) n;
        if (parse_uint64(a->app->group, &n) >= 0)
                f->gid = (gid_t) n;
        f->groups = new0(gid_t, a->app->n_supplementary_gids);
        for (size_t i = 0; i < a->app->n_supplementary_gids; i++)
                f->groups[f->n_groups++] = a->app->supplementary_gids[i];
        f->exec_path = a->app->exec[0][0] == '/' ? strdup(a->app->exec[0]) : strf("/bin/%s", a->app->exec[0]);
        for (size_t i = 0; i < a->n_mounts; i++)
                assert_int_equal(strv_extend(&f->writable, a->mounts[i].path), 0);
        f->binds = new0(AppBind, 1);
        f->binds[f->n_binds++] =
                (AppBind){ .source = strf("/rkt/volumes/%s-0", a->name), .target = strdup("/run") };
}

static PodManifest *read_manifest(int dir, const char *name) {
        _cleanup_(error_done) Error e = {};
        _cleanup_free_ char *text = NULL;
        PodManifest *m = NULL;
        size_t size;

        assert_int_equal(file_read_at(dir, name, 1024 * 1024, &text, &size), 0);
        if (pod_manifest_parse(text, size, &m, &e) < 0)
                fail_msg("%s: %s", name, e.message);
        return m;
}

static bool is_named(const PodManifest *m, const char *name) {
        if (app_name_is_reserved(name))
                return true;
        for (size_t i = 0; i < m->n_apps; i++)
                if (streq(m->apps[i].name, name))
                        return true;
        return false;
}

/* No app may have the name of a unit or a user that is there besides those of the apps. */
static void check_names(const PodManifest *m, const RootFile *f) {
        _cleanup_strv_free_ char **lines = NULL;
        const char *unit = startswith(f->path, "etc/systemd/system/");

        if (unit && (endswith(unit, ".service") || endswith(unit, ".socket")) && !strchr(unit, '@')) {
                _cleanup_free_ char *name = strndup(unit, strcspn(unit, "."));

                if (!is_named(m, name))
                        fail_msg("app_name_is_reserved() does not know %s", unit);
        }
        if (!streq(f->path, "etc/passwd"))
                return;
        assert_int_equal(strv_split(f->content, "\n", &lines), 0);
        STRV_FOREACH (l, lines) {
                _cleanup_free_ char *name = strndup(*l, strcspn(*l, ":"));

                if (!is_named(m, name))
                        fail_msg("app_name_is_reserved() does not know user %s", name);
        }
}

static char *unit_text_of(const PodManifest *m) {
        _cleanup_root_files_ RootFiles files = ROOT_FILES_INIT;
        _cleanup_(error_done) Error e = {};
        const char *policy = pod_manifest_annotation(m, POD_ANNOTATION_EXIT_POLICY);
        const char *log = pod_manifest_annotation(m, POD_ANNOTATION_LOG);
        const char *insecure = pod_manifest_annotation(m, POD_ANNOTATION_INSECURE);
        AppFacts facts[8];
        Stage1Context c = {
                .uuid = UUID,
                .hostname = "shop",
                .os_release = "ID=test\n",
                .log = log ? pod_log_mode_from_string(log) : POD_LOG_BOTH,
                .app = { .pod = "shop",
                         .kernel_files = !pod_manifest_annotation(m, "test/older"),
                         .host_network =
                                 streq_ptr(pod_manifest_annotation(m, POD_ANNOTATION_NETWORK), "host"),
                         .metadata_url = pod_manifest_annotation(m, POD_ANNOTATION_METADATA)
                                                 ? "http://127.0.0.1:18112/TOKEN"
                                                 : NULL,
                         .exit_policy = policy ? pod_exit_policy_from_string(policy) : POD_EXIT_ON_FAILURE },
        };
        StrBuf b = STRBUF_INIT;
        char *text;
        int r;

        assert_true(m->n_apps <= ELEMENTSOF(facts));
        if (insecure)
                assert_int_equal(insecure_flags_parse(insecure, &c.app.insecure, &e), 0);
        for (size_t i = 0; i < m->n_apps; i++)
                make_facts(&m->apps[i], &facts[i]);
        r = stage1_root_files(m, facts, &c, &files, &e);
        if (r < 0)
                fail_msg("%s", error_text(&e, r));
        FOREACH_ARRAY (f, files.files, files.n_files)
                check_names(m, f);
        FOREACH_ARRAY (f, files.files, files.n_files)
                if (f->mode == ROOT_FILE_LINK)
                        strbuf_addf(&b, "== %s -> %s\n", f->path, f->content);
                else if (f->mode == ROOT_FILE_DIR)
                        strbuf_addf(&b, "== %s/\n", f->path);
                else
                        strbuf_addf(&b, "== %s %o\n%s", f->path, (unsigned) f->mode, f->content);
        for (size_t i = 0; i < m->n_apps; i++)
                app_facts_done(&facts[i]);
        assert_int_equal(strbuf_steal(&b, &text), 0);
        return text;
}

static char *argv_text_of(const PodManifest *m) {
        _cleanup_strv_free_ char **argv = NULL;
        const char *network = pod_manifest_annotation(m, POD_ANNOTATION_NETWORK);
        NspawnContext c = {
                .uuid = UUID,
                .machine = "shop",
                .root = "/var/lib/rkt/pods/run/" UUID "/stage1/rootfs",
                .host_journal = "/run/systemd/journal",
                .host_journal_only = streq_ptr(pod_manifest_annotation(m, POD_ANNOTATION_LOG), "host"),
                .private_network = !network || streq(network, "none"),
                .metadata = pod_manifest_annotation(m, POD_ANNOTATION_METADATA) &&
                            (!network || streq(network, "none")),
        };
        char *text, *lines;

        if (pod_manifest_annotation(m, POD_ANNOTATION_PRIVATE_USERS)) {
                c.private_users = true;
                c.first_user = 524288;
                c.n_users = 65536;
        }
        assert_int_equal(nspawn_argv(m, &c, &argv, NULL), 0);
        assert_int_equal(strv_join(argv, "\n", &text), 0);
        lines = strf("%s\n", text);
        free(text);
        return lines;
}

static void each_case(const char *kind, char *(*make)(const PodManifest *m)) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int dir = golden_dir(kind);
        size_t n = 0;

        assert_int_equal(dir_list_at(dir, ".", &names), 0);
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *text = NULL;
                PodManifest *m;

                if (!endswith(*name, ".in"))
                        continue;
                m = read_manifest(dir, *name);
                text = make(m);
                compare(dir, *name, text);
                pod_manifest_free(m);
                n++;
        }
        assert_true(n > 0);
}

static void test_units(void **state) {
        each_case("unit", unit_text_of);
}

/* Words that image names end with: rkt's own, above all. */
static void test_free_names(void **state) {
        static const char *const names[] = { "rkt-inspect",   "rkt-log",  "rkt",         "systemd-x",
                                             "systemd-udevd", "enter-x",  "enter",       "hook-x",
                                             "basic",         "init",     "dbus-broker", "container-shell",
                                             "rkt-ready-x",   "rkt-ended" };

        FOREACH_ARRAY (n, names, ELEMENTSOF(names))
                if (app_name_is_reserved(*n))
                        fail_msg("%s is free", *n);
}

static void test_argv(void **state) {
        each_case("argv", argv_text_of);
}

/* What nspawn is to bind goes to places of the same names, from where the unit takes it; of two in one place the last counts. */
static void test_slaves(void **state) {
        static const char manifest[] =
                "{\"acVersion\":\"0.8.11\",\"acKind\":\"PodManifest\",\"apps\":[{\"name\":\"web\",\"image\":{"
                "\"id\":"
                "\"sha512-0000000000000000000000000000000000000000000000000000000000000000\"},\"app\":{"
                "\"exec\":"
                "[\"/web\"],\"user\":\"0\",\"group\":\"0\"}}]}";
        AppBind binds[] = {
                { .source = (char[]){ "/rkt/volumes/web-0" }, .target = (char[]){ "/a" }, .slave = true },
                { .source = (char[]){ "/rkt/volumes/web-1" }, .target = (char[]){ "/dev/b" } },
                { .source = (char[]){ "/rkt/volumes/web-2" },
                  .target = (char[]){ "/a" },
                  .slave = true,
                  .read_only = true },
        };
        const AppFacts f = { .binds = binds, .n_binds = ELEMENTSOF(binds), .exec_path = (char[]){ "/web" } };
        const AppUnitContext c = { .pod = "shop" };
        _cleanup_strv_free_ char **slaves = NULL, **argv = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        NspawnContext n = { .uuid = UUID, .machine = "shop", .root = "/r" };
        PodManifest *m;

        assert_int_equal(pod_manifest_parse(manifest, strlen(manifest), &m, NULL), 0);
        assert_int_equal(strv_extend(&slaves, "/var/a:b/slaveVolumes/web-0"), 0);
        n.slaves = slaves;
        assert_int_equal(nspawn_argv(m, &n, &argv, NULL), 0);
        assert_true(strv_contains(argv, "--bind=/var/a\\:b/slaveVolumes/web-0:/rkt/volumes/web-0"));
        assert_int_equal(app_unit_enter(&m->apps[0], &f, &c, &b, NULL), 0);
        assert_non_null(strstr(
                b.data, "\nBindPaths=/rkt/volumes/web-1:/dev/b\nBindReadOnlyPaths=/rkt/volumes/web-2:/a\n"));
        assert_null(strstr(b.data, "web-0"));
        pod_manifest_free(m);
}

static void test_quote(void **state) {
        static const struct {
                const char *word, *expected;
        } cases[] = {
                { "", "\"\"" },
                { "a b", "\"a b\"" },
                { "x\"\\y", "\"x\\\"\\\\y\"" },
                { "100%$HOME", "\"100%%$HOME\"" },
                { "a\nb\tc\x01", "\"a\\nb\\x09c\\x01\"" },
                { "\xc3\xa9", "\"\xc3\xa9\"" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                StrBuf b = STRBUF_INIT;

                unit_text_quote(&b, c->word);
                assert_string_equal(b.data, c->expected);
                strbuf_done(&b);
        }
}

#define OWN                                                                                                  \
        "127.0.0.1 localhost localhost.domain localhost4 localhost4.localdomain4 h\n"                        \
        "::1 localhost localhost.domain localhost6 localhost6.localdomain6 h\n"

/* HOSTS-02 to HOSTS-05 */
static void test_hosts(void **state) {
        static const struct {
                const char *words, *file, *expected;
        } cases[] = {
                { NULL, "x\n", OWN },
                { "a:10.0.0.1 b:fe80::1", "x\n", OWN "10.0.0.1 a\nfe80::1 b\n" },
                { "host", "x\ny", "x\ny" },
                { "host", NULL, "" },
                { "a:1.2.3.4 host", "x", "x\n1.2.3.4 a\n" },
                { "a", "x", NULL },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(hosts_text("h", c->words, c->file, &text), c->expected ? 0 : -EINVAL);
                if (c->expected)
                        assert_string_equal(text, c->expected);
        }
}

static void test_environment(void **state) {
        char fds[] = "LISTEN_FDS=1", secret[] = "SECRET=x", notify[] = "NOTIFY_SOCKET=/run/n";
        char *in[] = { fds, secret, notify, NULL };
        _cleanup_strv_free_ char **out = NULL;

        assert_int_equal(nspawn_environment(in, true, false, &out), 0);
        assert_true(strv_contains(out, "LISTEN_FDS=1"));
        assert_true(strv_contains(out, "NOTIFY_SOCKET=/run/n"));
        assert_false(strv_contains(out, "SECRET=x"));
        assert_true(strv_contains(out, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"));
        assert_true(strv_contains(out, "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_units),       cmocka_unit_test(test_argv),
                cmocka_unit_test(test_slaves),      cmocka_unit_test(test_quote),
                cmocka_unit_test(test_environment), cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_free_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

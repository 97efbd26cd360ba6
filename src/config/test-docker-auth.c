/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials of registries: what files say about an image, what helpers may do, and which source counts. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/docker-auth.h"

/* base64 of USER:PASSWORD */
#define U1 "\"auth\":\"dTE6cDE=\""
#define U2 "\"auth\":\"dTI6cDI=\""
#define U3 "\"auth\":\"dTM6cDM=\""

/* "USER PASSWORD [TOKEN]", or what else there is. */
static char *show(int r, const DockerCredentials *c, const char *helper, const Error *e) {
        if (r < 0)
                return strf("error: %s", str_or(e->message, "without a sentence"));
        if (r == 0)
                return strdup("none");
        if (helper)
                return strf("helper %s", helper);
        return strf("%s %s%s%s", str_or(c->username, "-"), str_or(c->password, "-"),
                    c->identity_token ? " " : "", str_or(c->identity_token, ""));
}

typedef struct Case {
        const char *text, *place, *want;
        bool is_legacy;
} Case;

static const Case cases[] = {
        { "{}", "a.test/x", "none" },
        { "{\"auths\":{\"a.test\":{" U1 "}}}", "a.test/x", "u1 p1" },
        { "{\"auths\":{\"a.test\":{" U1 "}}}", "a.test:5000/x", "none" },
        { "{\"auths\":{\"a.test:5000\":{" U1 "}}}", "a.test/x", "none" },
        { "{\"auths\":{\"a.test\":{" U1 "}}}", "xa.test/x", "none" },
        { "{\"auths\":{\"a.test\":{" U1 "}}}", "a.test.evil/x", "none" },
        { "{\"auths\":{\"a.test\":{\"auth\":\"dTE6cDEAAA==\"}}}", "a.test/x",
          "u1 p1" }, /* docker's padding */
        { "{\"auths\":{\"a.test\":{\"auth\":\"dTE6cDpx\"}}}", "a.test/x", "u1 p:q" },
        { "{\"auths\":{\"a.test\":{\"username\":\"u\",\"password\":\"p\"}}}", "a.test/x", "u p" },
        { "{\"auths\":{\"a.test\":{\"identitytoken\":\"t\"}}}", "a.test/x", "- - t" },
        { "{\"auths\":{\"a.test\":{" U1 ",\"identitytoken\":\"t\"}}}", "a.test/x", "u1 p1 t" },
        /* from host/ns/repo to host */
        { "{\"auths\":{\"a.test\":{" U1 "},\"a.test/n\":{" U2 "},\"a.test/n/r\":{" U3 "}}}", "a.test/n/r",
          "u3 p3" },
        { "{\"auths\":{\"a.test\":{" U1 "},\"a.test/n\":{" U2 "},\"a.test/n/r\":{" U3 "}}}", "a.test/n/rr",
          "u2 p2" },
        { "{\"auths\":{\"a.test\":{" U1 "},\"a.test/n\":{" U2 "},\"a.test/n/r\":{" U3 "}}}", "a.test/nn",
          "u1 p1" },
        { "{\"auths\":{\"a.test/n\":{},\"a.test\":{" U1 "}}}", "a.test/n", "u1 p1" },
        /* docker's keys */
        { "{\"auths\":{\"https://a.test/v1/\":{" U1 "}}}", "a.test/x", "u1 p1" },
        { "{\"auths\":{\"http://a.test\":{" U1 "}}}", "a.test/x", "u1 p1" },
        { "{\"auths\":{\"a.test/v2/\":{" U1 "}}}", "a.test/x", "u1 p1" },
        { "{\"auths\":{\"https://a.test/v1/\":{" U1 "},\"a.test\":{" U2 "}}}", "a.test/x", "u2 p2" },
        { "{\"auths\":{\"a.test\":{" U2 "},\"https://a.test/v1/\":{" U1 "}}}", "a.test/x", "u2 p2" },
        { "{\"auths\":{\"https://index.docker.io/v1/\":{" U1 "}}}", "docker.io/library/x", "u1 p1" },
        { "{\"auths\":{\"index.docker.io\":{" U1 "}}}", "docker.io/library/x", "u1 p1" },
        { "{\"auths\":{\"registry-1.docker.io\":{" U1 "}}}", "docker.io/library/x", "u1 p1" },
        { "{\"auths\":{\"docker.io/me\":{" U1 "},\"docker.io\":{" U2 "}}}", "docker.io/me/x", "u1 p1" },
        { "{\"auths\":{\"docker.io/me\":{" U1 "},\"docker.io\":{" U2 "}}}", "docker.io/library/x", "u2 p2" },
        { "{\"a.test\":{" U1 "}}", "a.test/x", "u1 p1", .is_legacy = true },
        { "{\"a.test\":{" U1 "}}", "a.test/x", "none" },
        /* helpers */
        { "{\"auths\":{\"a.test\":{}},\"credsStore\":\"pass\"}", "a.test/x", "helper pass" },
        { "{\"auths\":{\"a.test\":{" U1 "}},\"credsStore\":\"pass\"}", "a.test/x", "u1 p1" },
        { "{\"auths\":{\"a.test\":{" U1 "}},\"credHelpers\":{\"a.test\":\"ecr-login\"}}", "a.test/x",
          "helper ecr-login" },
        { "{\"credHelpers\":{\"b.test\":\"ecr-login\"},\"credsStore\":\"\"}", "a.test/x", "none" },
        { "{\"credHelpers\":{\"https://index.docker.io/v1/\":\"h\"}}", "docker.io/a/b", "helper h" },
        /* bad ones */
        { "[]", "a.test/x", "error: " },
        { "{\"auths\":[]}", "a.test/x", "error: 'auths'" },
        { "{\"auths\":{\"a.test\":5}}", "a.test/x", "error: credentials for 'a.test'" },
        { "{\"auths\":{\"b.test\":5}}", "a.test/x", "none" }, /* not ours */
        { "{\"auths\":{\"a.test\":{\"auth\":\"!s3cr\"}}}", "a.test/x",
          "error: credentials for 'a.test': 'auth' is not the base64 of USER:PASSWORD" },
        { "{\"auths\":{\"a.test\":{\"auth\":\"czNjcg==\"}}}", "a.test/x",
          "error: credentials for 'a.test': 'auth' is not the base64 of USER:PASSWORD" }, /* no colon */
        { "{\"auths\":{\"a.test\":{\"auth\":\"dTpwDQp4\"}}}", "a.test/x",
          "error: credentials for 'a.test': the password contains a control character" },
        { "{\"auths\":{\"a.test\":{\"identitytoken\":\"t\\r\\nX: y\"}}}", "a.test/x",
          "error: credentials for 'a.test': the identity token contains" },
        { "{\"credsStore\":\"../../bin/sh\"}", "a.test/x",
          "error: '../../bin/sh' is no name of a credential helper" },
        { "{\"credHelpers\":{\"a.test\":7}}", "a.test/x", "error: 'credHelpers'" },
        { "{\"credsStore\":7}", "a.test/x", "error: 'credsStore'" },
};

static void what_files_say(void **state) {
        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_(docker_auth_answer_done) DockerAuthAnswer a = {};
                _cleanup_error_ Error e = ERROR_INIT;
                int r = docker_auth_parse(t->text, strlen(t->text), t->is_legacy, t->place, &a, &e);
                _cleanup_free_ char *text = show(r, &a.credentials, a.helper, &e);

                if (r < 0 ? !startswith(text, t->want) || strstr(text, "s3cr") : !streq(text, t->want))
                        fail_msg("%s for %s: %s instead of %s", t->text, t->place, text, t->want);
        }
}

/* A directory with helpers and files. */
typedef struct Top {
        char path[32];
        DockerAuthSources sources;
} Top;

static void top_init(Top *t) {
        *t = (Top){ .path = "/tmp/rkt-auth-XXXXXX", .sources = { .helper_msec = 5000 } };
        assert_non_null(mkdtemp(t->path));
        assert_int_equal(strv_extend(&t->sources.helper_dirs, "/nonexistent"), 0);
        assert_int_equal(strv_extend(&t->sources.helper_dirs, t->path), 0);
}

static void top_done(Top *t) {
        docker_auth_sources_done(&t->sources);
        assert_int_equal(remove_tree_at(AT_FDCWD, t->path), 0);
}

static char *put(const Top *t, const char *name, const char *text, mode_t mode) {
        char *path = strf("%s/%s", t->path, name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, mode), 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
        return path;
}

static void put_file(Top *t, const char *name, const char *text) {
        assert_int_equal(strv_consume(&t->sources.files, put(t, name, text, 0600)), 0);
}

static void put_helper(const Top *t, const char *name, const char *script) {
        _cleanup_free_ char *file = strf("docker-credential-%s", name),
                            *text = strf("#!/bin/sh\n%s\n", script);

        free(put(t, file, text, 0755));
}

static void what_helpers_may_do(void **state) {
        static const struct {
                const char *script, *want;
                bool is_slow;
        } rows[] = {
                { "read s; [ \"$1 $s\" = 'get a.test' ] && echo '{\"Username\":\"u\",\"Secret\":\"p\"}'",
                  "u p" },
                { "echo '{\"ServerURL\":\"a\",\"Username\":\"<token>\",\"Secret\":\"t\"}'", "- - t" },
                { "echo '{\"Username\":\"\",\"Secret\":\"\"}'", "none" },
                { "echo 'credentials not found in native keychain'; exit 1", "none" },
                { "echo 'the agent is asleep' >&2; echo more >&2; exit 3",
                  "error: docker-credential-h, asked for 'a.test': it failed with status 3: the agent is "
                  "asleep" },
                { "printf 'bad \\033[31m thing'; exit 1", "error: docker-credential-h, asked for 'a.test': "
                                                          "it failed with status 1: bad ?[31m thing" },
                { "echo '{\"Username\":\"u\",\"Secret\":\"s3cr\"}'; exit 1",
                  "error: docker-credential-h, asked for 'a.test': it failed with status 1" },
                { "echo '{\"Username\":\"u\",\"Secret\":s3cr}'",
                  "error: docker-credential-h, asked for 'a.test': it did not print {\"Username\": ..., "
                  "\"Secret\": ...}" },
                { "true", "error: docker-credential-h, asked for 'a.test': it did not print" },
                { "yes s3cr",
                  "error: docker-credential-h, asked for 'a.test': it printed more than 65536 bytes" },
                { "yes s3cr >&2", "error: docker-credential-h, asked for 'a.test': it did not end within 0 s",
                  true },
                { "sleep 100", "error: docker-credential-h, asked for 'a.test': it did not end within 0 s",
                  true },
                { "exec >&- 2>&-; sleep 100",
                  "error: docker-credential-h, asked for 'a.test': it did not end", true },
                /* what it leaves behind holds the pipes: that does not count */
                { "sleep 3 & echo '{\"Username\":\"u\",\"Secret\":\"p\"}'", "u p" },
                { "kill -9 $$", "error: docker-credential-h, asked for 'a.test': it failed with status 137" },
        };
        Top t;

        top_init(&t);
        FOREACH_ARRAY (row, rows, ELEMENTSOF(rows)) {
                _cleanup_(docker_credentials_done) DockerCredentials c = {};
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *text = NULL;
                int r;

                put_helper(&t, "h", row->script);
                t.sources.helper_msec = row->is_slow ? 200 : 5000;
                r = docker_helper_get(&t.sources, "h", "a.test", &c, &e);
                text = show(r, &c, NULL, &e);
                if (r < 0 ? !startswith(text, row->want) || strstr(text, "s3cr") : !streq(text, row->want))
                        fail_msg("%s: %s instead of %s", row->script, text, row->want);
        }
        {
                _cleanup_(docker_credentials_done) DockerCredentials c = {};
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(docker_helper_get(&t.sources, "other", "a.test", &c, &e), -ENOENT);
                assert_non_null(strstr(e.message, "docker-credential-other is not installed"));
        }
        top_done(&t);
}

static char *find(const Config *c, const Top *t, const char *host, const char *repository) {
        _cleanup_(docker_credentials_done) DockerCredentials found = {};
        _cleanup_error_ Error e = ERROR_INIT;
        int r = docker_credentials_find(c, &t->sources, host, repository, &found, &e);

        return show(r, &found, NULL, &e);
}

static void check_find(const Config *c, const Top *t, const char *host, const char *want) {
        _cleanup_free_ char *text = find(c, t, host, "library/x");

        if (!strstr(text, want))
                fail_msg("%s: %s instead of %s", host, text, want);
}

static Config *auth_d(const char *registries) {
        _cleanup_free_ char *text =
                strf("{\"rktKind\":\"dockerAuth\",\"rktVersion\":\"v1\",\"registries\":[%s],"
                     "\"credentials\":{\"user\":\"d\",\"password\":\"e\"}}",
                     registries);
        Config *c = new0(Config, 1);

        assert_int_equal(config_parse(c, CONFIG_AUTH, text, strlen(text), NULL), 0);
        return c;
}

static void which_source_counts(void **state) {
        _cleanup_(config_freep) Config *c = auth_d("\"c.test\",\"index.docker.io\"");
        Top t;

        top_init(&t);
        assert_int_equal(strv_extendf(&t.sources.files, "%s/missing.json", t.path), 0);
        put_file(&t, "one.json", "{\"auths\":{\"a.test\":{" U1 "},\"docker.io\":{" U1 "}}}");
        put_file(&t, "two.json", "{\"auths\":{\"a.test\":{" U2 "},\"b.test\":{" U2 "},\"c.test\":{" U2 "}}}");
        put_file(&t, ".dockercfg", "{\"b.test\":{" U3 "},\"l.test\":{" U3 "}}");
        check_find(c, &t, "a.test", "u1 p1");
        check_find(c, &t, "b.test", "u2 p2");
        check_find(c, &t, "c.test", "d e"); /* auth.d is before all files */
        check_find(NULL, &t, "c.test", "u2 p2");
        check_find(c, &t, "docker.io", "d e");
        check_find(NULL, &t, "docker.io", "u1 p1");
        check_find(c, &t, "l.test", "u3 p3");
        check_find(c, &t, "o.test", "none");
        t.sources.required = strdup(t.sources.files[0]);
        check_find(c, &t, "o.test", "missing.json', which $REGISTRY_AUTH_FILE names: No such file");
        top_done(&t);
}

/* dockerAuth: three names of Docker Hub are three entries; its own comes first, and any will do. */
static void names_of_docker_hub(void **state) {
        static const char *const names[] = { "\"docker.io\"", "\"index.docker.io\"",
                                             "\"registry-1.docker.io\"" };
        Top t;

        top_init(&t);
        FOREACH_ARRAY (name, names, ELEMENTSOF(names)) {
                _cleanup_(config_freep) Config *c = auth_d(*name);

                check_find(c, &t, "docker.io", "d e");
                check_find(c, &t, "quay.io", "none");
        }
        top_done(&t);
}

static void files_that_are_refused(void **state) {
        Top t;

        top_init(&t);
        put_file(&t, "a.json", "{");
        check_find(NULL, &t, "a.test", "credentials for 'a.test': '/tmp/");
        free(put(&t, "a.json", "{}", 0602));
        check_find(NULL, &t, "a.test", "can be written by everybody");
        free(put(&t, "a.json", "{\"credsStore\":\"nobody-has-this\"}", 0600));
        check_find(NULL, &t, "a.test", "docker-credential-nobody-has-this is not installed");
        top_done(&t);
}

static void helpers_are_asked_for_docker_hub_by_its_names(void **state) {
        Top t;

        top_init(&t);
        put_file(&t, "config.json", "{\"auths\":{\"docker.io\":{}},\"credsStore\":\"h\"}");
        put_helper(&t, "h",
                   "read s; case $s in https://index.docker.io/v1/) echo "
                   "'{\"Username\":\"u\",\"Secret\":\"p\"}';; "
                   "*) echo 'credentials not found'; exit 1;; esac");
        check_find(NULL, &t, "docker.io", "u p");
        check_find(NULL, &t, "a.test", "none");
        put_helper(&t, "h",
                   "read s; case $s in docker.io) echo '{\"Username\":\"v\",\"Secret\":\"p\"}';; "
                   "*) echo 'credentials not found'; exit 1;; esac");
        check_find(NULL, &t, "docker.io", "v p");
        top_done(&t);
}

/* A mirror never gets what is configured for the registry, and nobody gets anything without TLS. */
static void each_endpoint_by_its_own_name(void **state) {
        static const char rules[] =
                "[Registry]\nPrefix=docker.io\nMirror=m.test/hub\nMirror=n.test\nMirror=h.test\n"
                "[Registry]\nPrefix=h.test\nInsecure=http\n";
        static char *no_dirs[] = { NULL };
        const RegistriesQuery q = { "docker.io", "library/x", false, no_dirs };
        _cleanup_(config_freep) Config *c = auth_d("\"docker.io\",\"h.test\"");
        RegistriesEndpoint *list;
        size_t n;
        Top t;

        top_init(&t);
        put_file(&t, "auth.json", "{\"auths\":{\"m.test/hub\":{" U1 "},\"m.test/library\":{" U2 "}}}");
        assert_int_equal(registries_parse(c, "x", rules, strlen(rules), NULL), 0);
        assert_int_equal(registries_endpoints(c, &q, &list, &n, NULL), 0);
        assert_int_equal(n, 4);
        assert_int_equal(docker_credentials_fill(c, &t.sources, list, n, NULL), 0);
        assert_string_equal(list[0].username, "u1");
        assert_null(list[1].username);
        assert_null(list[2].username);
        assert_string_equal(list[2].base, "http://h.test");
        assert_string_equal(list[3].username, "d");
        assert_string_equal(list[3].password, "e");
        registries_endpoints_free(list, n);
        top_done(&t);
}

static void the_environment(void **state) {
        _cleanup_(docker_auth_sources_done) DockerAuthSources s = {};
        _cleanup_free_ char *all = NULL;

        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/run/creds", 1), 0);
        assert_int_equal(setenv("REGISTRY_AUTH_FILE", "/my/auth.json", 1), 0);
        assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1), 0);
        assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
        assert_int_equal(unsetenv("DOCKER_CONFIG"), 0);
        assert_int_equal(setenv("HOME", "/home/me", 1), 0);
        assert_int_equal(setenv("PATH", "/bin:/usr/bin", 1), 0);
        assert_int_equal(docker_auth_sources_init(&s, NULL), 0);
        assert_int_equal(strv_join(s.files, " ", &all), 0);
        assert_string_equal(
                all, geteuid() == 0 ? "/run/creds/rkt.auth.json /my/auth.json /run/containers/0/auth.json "
                                      "/home/me/.config/containers/auth.json /home/me/.docker/config.json "
                                      "/home/me/.dockercfg"
                                    : "/run/creds/rkt.auth.json /my/auth.json "
                                      "/run/user/7/containers/auth.json "
                                      "/home/me/.config/containers/auth.json /home/me/.docker/config.json "
                                      "/home/me/.dockercfg");
        assert_string_equal(s.required, "/my/auth.json");
        assert_int_equal(strv_length(s.helper_dirs), 2);
        docker_auth_sources_done(&s);
        assert_int_equal(setenv("REGISTRY_AUTH_FILE", "auth.json", 1), 0);
        assert_int_equal(docker_auth_sources_init(&s, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_files_say),
                cmocka_unit_test(what_helpers_may_do),
                cmocka_unit_test(which_source_counts),
                cmocka_unit_test(names_of_docker_hub),
                cmocka_unit_test(files_that_are_refused),
                cmocka_unit_test(helpers_are_asked_for_docker_hub_by_its_names),
                cmocka_unit_test(each_endpoint_by_its_own_name),
                cmocka_unit_test(the_environment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

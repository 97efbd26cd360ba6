/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration: what each kind says (rkt.md 3.5, the CFG cases), what overrides what, and the header lines, with the
 * signatures that Amazon publishes for S3. */
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
#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/auth.h"

#define V1(kind, more) "{\"rktVersion\":\"v1\",\"rktKind\":\"" kind "\"," more "}"
#define BASIC(domains)                                                                                       \
        V1("auth", "\"domains\":[" domains                                                                   \
                   "],\"type\":\"basic\",\"credentials\":{\"user\":\"foo\",\"password\":\"bar\"}")
#define OAUTH(domains, token)                                                                                \
        V1("auth", "\"domains\":[" domains "],\"type\":\"oauth\",\"credentials\":{\"token\":\"" token "\"}")
#define AWS(more)                                                                                            \
        V1("auth", "\"domains\":[\"a\"],\"type\":\"aws\",\"credentials\":{\"accessKeyID\":\"ID\"," more "}")
#define DOCKER(registries, user)                                                                             \
        V1("dockerAuth",                                                                                     \
           "\"registries\":[" registries "],\"credentials\":{\"user\":\"" user "\",\"password\":\"bar\"}")

typedef struct Case {
        ConfigPart folder;
        const char *text;
        int r;
        const char *says; /* in the sentence */
} Case;

static const Case cases[] = {
        { CONFIG_AUTH, BASIC("\"a\""), 0, NULL },
        { CONFIG_AUTH, OAUTH("\"a\",\"b:81\",\"[::1]:443\"", "t"), 0, NULL },
        { CONFIG_AUTH, AWS("\"secretAccessKey\":\"k/+\""), 0, NULL },
        { CONFIG_AUTH, AWS("\"secretAccessKey\":\"k\",\"awsRegion\":\"eu-west-1\""), 0, NULL },
        { CONFIG_AUTH, DOCKER("\"docker.io\",\"index.docker.io\",\"registry-1.docker.io\"", "u"), 0, NULL },
        { CONFIG_PATHS, V1("paths", "\"data\":\"/d\",\"stage1-images\":\"/s\""), 0, NULL },
        { CONFIG_PATHS, V1("paths", "\"other\":1"), 0, NULL }, /* unknown members are skipped */
        { CONFIG_STAGE1, V1("stage1", "\"name\":\"n\",\"version\":\"1\",\"location\":\"/l.aci\""), 0, NULL },
        { CONFIG_STAGE1, V1("stage1", "\"location\":\"docker://x\""), 0, NULL },

        { CONFIG_AUTH, "", -EBADMSG, "" },
        { CONFIG_AUTH, "[]", -EINVAL, "object" },
        { CONFIG_AUTH, "{}", -ENODATA, "rktKind" },
        { CONFIG_AUTH, "{\"rktKind\":\"\"}", -ENODATA, "rktKind" },
        { CONFIG_AUTH, "{\"rktKind\":1}", -EINVAL, "rktKind" },
        { CONFIG_AUTH, "{\"rktKind\":\"auth\"}", -ENODATA, "rktVersion" },
        { CONFIG_AUTH, "{\"rktKind\":\"auth\",\"rktVersion\":\"v2\"}", -EOPNOTSUPP, "v2" },
        { CONFIG_AUTH, V1("paths", "\"data\":\"/d\""), -EINVAL, "rktKind" },
        { CONFIG_PATHS, BASIC("\"a\""), -EINVAL, "rktKind" },
        { CONFIG_STAGE1, V1("what", "\"data\":\"/d\""), -EINVAL, "rktKind" },
        { CONFIG_AUTH, BASIC(""), -ENODATA, "domains" },
        { CONFIG_AUTH, V1("auth", "\"domains\":\"a\""), -EINVAL, "domains" },
        { CONFIG_AUTH, V1("auth", "\"domains\":[1]"), -EINVAL, "domains" },
        { CONFIG_AUTH, BASIC("\"https://a\""), -EINVAL, "domains" },
        { CONFIG_AUTH, BASIC("\"a\",\"a\""), -EEXIST, "\"a\"" },
        { CONFIG_AUTH, BASIC("\"a\",\"A\""), -EEXIST, "\"a\"" },
        { CONFIG_AUTH, V1("auth", "\"domains\":[\"a\"]"), -ENODATA, "type" },
        { CONFIG_AUTH, V1("auth", "\"domains\":[\"a\"],\"type\":\"digest\""), -EINVAL, "type" },
        { CONFIG_AUTH, V1("auth", "\"domains\":[\"a\"],\"type\":\"basic\""), -ENODATA, "user" },
        { CONFIG_AUTH, V1("auth", "\"domains\":[\"a\"],\"type\":\"basic\",\"credentials\":{\"user\":\"u\"}"),
          -ENODATA, "password" },
        { CONFIG_AUTH,
          V1("auth",
             "\"domains\":[\"a\"],\"type\":\"basic\",\"credentials\":{\"user\":\"u:v\",\"password\":\"p\"}"),
          -EINVAL, "user" },
        { CONFIG_AUTH,
          V1("auth", "\"domains\":[\"a\"],\"type\":\"basic\",\"credentials\":{\"user\":\"u\",\"password\":"
                     "\"p\\r\\nX: y\"}"),
          -EINVAL, "password" },
        { CONFIG_AUTH, OAUTH("\"a\"", ""), -ENODATA, "token" },
        { CONFIG_AUTH, OAUTH("\"a\"", "t\\r\\nX: y"), -EINVAL, "token" },
        { CONFIG_AUTH, AWS("\"secretAccessKey\":\"\""), -ENODATA, "secretAccessKey" },
        { CONFIG_AUTH, AWS("\"secretAccessKey\":\"k\",\"awsRegion\":\"a/b\""), -EINVAL, "awsRegion" },
        { CONFIG_AUTH, DOCKER("", "u"), -ENODATA, "registries" },
        { CONFIG_AUTH, DOCKER("\"a\",\"a\"", "u"), -EEXIST, "\"a\"" },
        { CONFIG_AUTH, DOCKER("\"a\"", ""), -ENODATA, "user" },
        { CONFIG_PATHS, V1("paths", "\"data\":\"d\""), -EINVAL, "data" },
        { CONFIG_PATHS, V1("paths", "\"stage1-images\":\"./s\""), -EINVAL, "stage1-images" },
        { CONFIG_STAGE1, V1("stage1", "\"name\":\"n\""), -ENODATA, "version" },
        { CONFIG_STAGE1, V1("stage1", "\"version\":\"1\""), -ENODATA, "name" },
        /* ST1-07 */
        { CONFIG_STAGE1, V1("stage1", "\"location\":\"l.aci\""), -EINVAL,
          "default stage1 image location is either a relative path or a URL without scheme" },
        { CONFIG_STAGE1, V1("stage1", "\"location\":\"ftp://x/y\""), -EINVAL, "\"ftp\"" },
        { CONFIG_PROXY, V1("proxy", "\"http\":\"p:1\",\"https\":\"p:2\",\"noProxy\":[\"a\",\".b\"]"), 0,
          NULL },
        { CONFIG_PROXY, V1("proxy", "\"http\":\"p 1\""), -EINVAL, "'http'" },
        { CONFIG_PROXY, V1("proxy", "\"https\":\"p\\n1\""), -EINVAL, "'https'" },
        { CONFIG_PROXY, V1("proxy", "\"noProxy\":[\"a,b\"]"), -EINVAL, "'noProxy'" },
        { CONFIG_PROXY, V1("proxy", "\"noProxy\":\"a\""), -EINVAL, "noProxy" },
        { CONFIG_PROXY, V1("paths", "\"data\":\"/d\""), -EINVAL, "proxy" },
};

static void what_a_file_may_say(void **state) {
        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_(config_freep) Config *c = new0(Config, 1);
                _cleanup_error_ Error e = ERROR_INIT;
                int r = config_parse(c, t->folder, t->text, strlen(t->text), &e);

                if (r != t->r)
                        fail_msg("%s: %d instead of %d: %s", t->text, r, t->r, error_text(&e, r));
                if (r < 0 && (!e.message || !strstr(e.message, t->says)))
                        fail_msg("%s: the sentence does not name '%s': %s", t->text, t->says,
                                 error_text(&e, r));
        }
}

static void a_file_is_not_endless(void **state) {
        _cleanup_(config_freep) Config *c = new0(Config, 1);
        char *text = calloc(1, CONFIG_FILE_MAX + 1);

        memset(text, ' ', CONFIG_FILE_MAX + 1);
        assert_int_equal(config_parse(c, CONFIG_AUTH, text, CONFIG_FILE_MAX + 1, NULL), -E2BIG);
        free(text);
}

/* Three directories in a temporary one. */
typedef struct Dirs {
        char top[32], system[48], local[48], user[48];
} Dirs;

static void dirs_init(Dirs *d) {
        *d = (Dirs){ .top = "/tmp/rkt-config-XXXXXX" };
        assert_non_null(mkdtemp(d->top));
        (void) snprintf(d->system, sizeof(d->system), "%s/system", d->top);
        (void) snprintf(d->local, sizeof(d->local), "%s/local", d->top);
        (void) snprintf(d->user, sizeof(d->user), "%s/user", d->top);
}

static void dirs_done(Dirs *d) {
        assert_int_equal(remove_tree_at(AT_FDCWD, d->top), 0);
}

static void put(const char *dir, const char *name, const char *text, mode_t mode) {
        _cleanup_free_ char *path = strf("%s/%s", dir, name);
        _cleanup_close_ int fd = -EBADF;

        *strrchr(path, '/') = 0;
        assert_int_equal(mkdir_parents_at(AT_FDCWD, path, 0755), 0);
        path[strlen(path)] = '/';
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, mode), 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* The directories as one text. */
static void check_load(const Dirs *d, const char *want) {
        const ConfigDirs dirs = { d->system, d->local, d->user };
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_(config_freep) Config *c = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL;
        int r = config_load(&dirs, CONFIG_ALL, &c, &e);

        if (r < 0)
                fail_msg("%s", error_text(&e, r));
        config_write_json(c, &w);
        assert_int_equal(json_writer_steal(&w, &text), 0);
        assert_string_equal(text, want);
}

#define OUT_PATHS(data, images)                                                                              \
        "{\"rktVersion\":\"v1\",\"rktKind\":\"paths\",\"data\":\"" data "\",\"stage1-images\":\"" images "\"}"
#define OUT_STAGE1(name, version, location)                                                                  \
        "{\"rktVersion\":\"v1\",\"rktKind\":\"stage1\",\"name\":\"" name "\",\"version\":\"" version         \
        "\",\"location\":\"" location "\"}"
#define OUT_NONE OUT_PATHS("", "") "," OUT_STAGE1("", "", "")

static void nothing_is_configured(void **state) {
        Dirs d;

        dirs_init(&d);
        check_load(&d, "{\"stage0\":[" OUT_NONE "]}");
        put(d.local, "auth.d/README", "no JSON", 0644);          /* AUTH-10 */
        put(d.local, "auth.d/test.notjson", "no JSON", 0644);    /* AUTH-10 */
        put(d.local, "auth.d/sub/a.json", BASIC("\"a\""), 0600); /* AUTH-11 */
        put(d.local, "auth.d/dir.json/a.json", "no JSON", 0600);
        put(d.local, "other.d/a.json", "no JSON", 0600);
        check_load(&d, "{\"stage0\":[" OUT_NONE "]}");
        dirs_done(&d);
}

static void later_directories_override(void **state) {
        Dirs d;

        dirs_init(&d);
        /* CFG-08, AUTH-08, AUTH-09 */
        put(d.system, "auth.d/a.json", BASIC("\"b.com\",\"a.com\""), 0600);
        put(d.local, "auth.d/z.json", OAUTH("\"a.com\"", "t1"), 0600);
        put(d.user, "auth.d/z.json", OAUTH("\"c.com\"", "t2"), 0600);
        put(d.system, "auth.d/d.json", DOCKER("\"quay.io\",\"gcr.io\"", "u"), 0600);
        put(d.user, "auth.d/d.json", DOCKER("\"quay.io\"", "v"), 0600);
        /* CFG-04 */
        put(d.system, "paths.d/p.json", V1("paths", "\"data\":\"/d\",\"stage1-images\":\"/s\""), 0644);
        put(d.user, "paths.d/q.json", V1("paths", "\"data\":\"/e\""), 0644);
        /* CFG-06 */
        put(d.system, "stage1.d/s.json", V1("stage1", "\"name\":\"n\",\"version\":\"1\",\"location\":\"/l\""),
            0644);
        put(d.user, "stage1.d/s.json", V1("stage1", "\"location\":\"/m\""), 0644);
        put(d.system, "proxy.d/p.json", V1("proxy", "\"http\":\"a:1\",\"https\":\"a:2\""), 0644);
        put(d.local, "proxy.d/p.json", V1("proxy", "\"https\":\"b:2\",\"noProxy\":[\"x.test\",\"y.test\"]"),
            0644);
        check_load(&d,
                   "{\"stage0\":["
                   "{\"rktVersion\":\"v1\",\"rktKind\":\"auth\",\"domains\":[\"a.com\"],\"type\":\"oauth\","
                   "\"credentials\":{\"token\":\"t1\"}},"
                   "{\"rktVersion\":\"v1\",\"rktKind\":\"auth\",\"domains\":[\"b.com\"],\"type\":\"basic\","
                   "\"credentials\":{\"user\":\"foo\",\"password\":\"bar\"}},"
                   "{\"rktVersion\":\"v1\",\"rktKind\":\"auth\",\"domains\":[\"c.com\"],\"type\":\"oauth\","
                   "\"credentials\":{\"token\":\"t2\"}},"
                   "{\"rktVersion\":\"v1\",\"rktKind\":\"dockerAuth\",\"registries\":[\"gcr.io\"],"
                   "\"credentials\":{\"user\":\"u\",\"password\":\"bar\"}},"
                   "{\"rktVersion\":\"v1\",\"rktKind\":\"dockerAuth\",\"registries\":[\"quay.io\"],"
                   "\"credentials\":{\"user\":\"v\",\"password\":\"bar\"}}," OUT_PATHS(
                           "/e", "/s") "," OUT_STAGE1("n", "1",
                                                      "/m") ",{\"rktVersion\":\"v1\",\"rktKind\":\"proxy\","
                                                            "\"http\":\"a:1\",\"https\":\"b:2\",\"noProxy\":["
                                                            "\"x.test\",\"y.test\"]}]}");
        dirs_done(&d);
}

/* Loading fails, and the sentence names the file and the field. */
static void check_refused(const Dirs *d, unsigned parts, int want, const char *file, const char *field) {
        const ConfigDirs dirs = { d->system, d->local, d->user };
        _cleanup_(config_freep) Config *c = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(config_load(&dirs, parts, &c, &e), want);
        assert_non_null(strstr(e.message, file));
        assert_non_null(strstr(e.message, field));
}

static void twice_in_one_directory_is_refused(void **state) {
        Dirs d;

        dirs_init(&d);
        put(d.local, "auth.d/a.json", BASIC("\"a\""), 0600);
        put(d.local, "auth.d/b.json", OAUTH("\"a\"", "t"), 0600);
        check_refused(&d, CONFIG_ALL, -EEXIST, "local/auth.d/b.json", "\"a\"");
        dirs_done(&d);
        dirs_init(&d);
        put(d.local, "paths.d/a.json", V1("paths", "\"data\":\"/a\""), 0644);
        put(d.local, "paths.d/b.json", V1("paths", "\"stage1-images\":\"/a\""), 0644);
        put(d.local, "paths.d/c.json", V1("paths", "\"data\":\"/a\""), 0644);
        check_refused(&d, CONFIG_ALL, -EEXIST, "local/paths.d/c.json", "'data'");
        dirs_done(&d);
        dirs_init(&d);
        put(d.user, "stage1.d/a.json", V1("stage1", "\"name\":\"n\",\"version\":\"1\""), 0644);
        put(d.user, "stage1.d/b.json", V1("stage1", "\"name\":\"n\",\"version\":\"1\""), 0644);
        check_refused(&d, CONFIG_ALL, -EEXIST, "user/stage1.d/b.json", "'name'");
        dirs_done(&d);
}

static void what_is_wrong_with_a_file(void **state) {
        _cleanup_(config_freep) Config *c = NULL;
        _cleanup_free_ char *link = NULL;
        ConfigDirs dirs;
        Dirs d;

        dirs_init(&d);
        put(d.local, "auth.d/a.json", "{", 0600);
        check_refused(&d, CONFIG_AUTH | CONFIG_PATHS, -EBADMSG, "local/auth.d/a.json", "");
        dirs = (ConfigDirs){ d.system, d.local, "" };
        assert_int_equal(config_load(&dirs, CONFIG_PATHS, &c, NULL), 0); /* asked for paths only */
        c = config_free(c);
        put(d.local, "auth.d/a.json", BASIC("\"a\""), 0602);
        check_refused(&d, CONFIG_AUTH, -EPERM, "local/auth.d/a.json", "chmod o-w");
        put(d.local, "auth.d/a.json", BASIC("\"a\""), 0644);
        link = strf("%s/auth.d/b.json", d.local);
        assert_int_equal(symlink("a.json", link), 0);
        assert_int_equal(config_load(&dirs, CONFIG_AUTH, &c, NULL), 0);
        assert_int_equal(c->n_auths, 1);
        assert_int_equal(strv_length(c->warnings), 2);
        assert_non_null(strstr(c->warnings[0], "a.json' has credentials and can be read by everybody"));
        assert_non_null(strstr(c->warnings[1], "b.json' is a link"));
        dirs_done(&d);
        dirs_init(&d);
        put(d.local, "auth.d", "", 0644);
        check_refused(&d, CONFIG_AUTH, -ENOTDIR, "local/auth.d", "");
        dirs_done(&d);
}

static Config *parse(const char *text) {
        Config *c = new0(Config, 1);
        _cleanup_error_ Error e = ERROR_INIT;
        int r = config_parse(c, CONFIG_AUTH, text, strlen(text), &e);

        if (r < 0)
                fail_msg("%s", error_text(&e, r));
        return c;
}

/* The last line of the header, or NULL. */
static char *last_line(const Config *c, AuthRequest q) {
        _cleanup_strv_free_ char **lines = NULL;
        size_t n;

        assert_int_equal(auth_headers_for(c, &q, &lines, NULL), 0);
        n = strv_length(lines);
        return n > 0 ? strdup(lines[n - 1]) : NULL;
}

static void which_hosts_get_credentials(void **state) {
        static const struct {
                bool https;
                const char *host;
                unsigned port;
                const char *want;
        } rows[] = {
                { true, "a.com", 0, "Authorization: Basic Zm9vOmJhcg==" },
                { true, "a.com", 443, "Authorization: Basic Zm9vOmJhcg==" },
                { true, "a.com", 8443, NULL }, /* another port: another server */
                { true, "b.com", 8443, "Authorization: Basic Zm9vOmJhcg==" },
                { true, "b.com", 0, NULL },
                { true, "x.a.com", 0, NULL },
                { true, "com", 0, NULL },
                { true, "::1", 8443, "Authorization: Basic Zm9vOmJhcg==" },
                { false, "a.com", 443, NULL }, /* never over http */
                { false, "b.com", 8443, NULL },
        };
        _cleanup_(config_freep) Config *c = parse(BASIC("\"A.com\",\"b.com:8443\",\"[::1]:8443\""));

        FOREACH_ARRAY (row, rows, ELEMENTSOF(rows)) {
                const AuthRequest q = { "GET", row->https, row->host, row->port, "/", 0 };
                _cleanup_free_ char *line = last_line(c, q);

                if (!streq_ptr(line, row->want))
                        fail_msg("%s:%u: %s", row->host, row->port, str_or(line, "nothing"));
        }
        assert_null(last_line(NULL, (AuthRequest){ "GET", true, "a.com", 0, "/", 0 }));
}

static void a_bearer_token(void **state) {
        _cleanup_(config_freep) Config *c = parse(OAUTH("\"a.com\"", "some-token"));
        _cleanup_free_ char *line = last_line(c, (AuthRequest){ "GET", true, "a.com", 0, "/", 0 });

        assert_string_equal(line, "Authorization: Bearer some-token");
}

/* Amazon's examples for S3: "Signature Calculations for the Authorization Header", 24 May 2013. */
static void signatures_that_amazon_publishes(void **state) {
        static const struct {
                const char *target, *signature;
        } rows[] = {
                { "/?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
                { "/?max-keys=2&prefix=J",
                  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
                { "/?prefix=J&max-keys=2",
                  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
        };
        _cleanup_(config_freep) Config *c = parse(V1(
                "auth", "\"domains\":[\"examplebucket.s3.amazonaws.com\"],\"type\":\"aws\",\"credentials\":{"
                        "\"accessKeyID\":\"AKIAIOSFODNN7EXAMPLE\","
                        "\"secretAccessKey\":\"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"}"));

        FOREACH_ARRAY (row, rows, ELEMENTSOF(rows)) {
                const AuthRequest q = { "GET", true,        "examplebucket.s3.amazonaws.com",
                                        0,     row->target, 1369353600 };
                _cleanup_free_ char *line = last_line(c, q), *want = NULL;

                want = strf("Authorization: AWS4-HMAC-SHA256 "
                            "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                            "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=%s",
                            row->signature);
                assert_string_equal(line, want);
        }
}

static void regions_of_hosts(void **state) {
        static const char *const rows[][2] = {
                { "s3.amazonaws.com", "us-east-1" },
                { "bucket.s3.amazonaws.com", "us-east-1" },
                { "s3-eu-west-1.amazonaws.com", "eu-west-1" },
                { "s3.eu-west-1.amazonaws.com", "eu-west-1" },
                { "bucket.s3-us-west-2.amazonaws.com", "us-west-2" },
                { "my.s3.bucket.s3.us-west-2.amazonaws.com", "us-west-2" },
                { "bucket.s3.dualstack.us-west-2.amazonaws.com", "us-west-2" },
                { "bucket.s3-accelerate.amazonaws.com", "us-east-1" },
                { "bucket.s3.cn-north-1.amazonaws.com.cn", "cn-north-1" },
                { "minio.example.com", "us-east-1" },
                { "s3", "us-east-1" },
        };

        FOREACH_ARRAY (row, rows, ELEMENTSOF(rows)) {
                const ConfigAuth a = { .type = AUTH_AWS,
                                       .access_key_id = (char[]){ "ID" },
                                       .secret_access_key = (char[]){ "KEY" } };
                const AuthRequest q = { "GET", true, (*row)[0], 0, "/", 1369353600 };
                _cleanup_free_ char *want = strf("Credential=ID/20130524/%s/s3/", (*row)[1]);
                _cleanup_strv_free_ char **lines = NULL;

                assert_int_equal(auth_headers(&a, &q, &lines, NULL), 0);
                assert_string_equal(lines[0], "x-amz-date: 20130524T000000Z");
                if (!strstr(lines[2], want))
                        fail_msg("%s: %s", (*row)[0], lines[2]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_file_may_say),
                cmocka_unit_test(a_file_is_not_endless),
                cmocka_unit_test(nothing_is_configured),
                cmocka_unit_test(later_directories_override),
                cmocka_unit_test(twice_in_one_directory_is_refused),
                cmocka_unit_test(what_is_wrong_with_a_file),
                cmocka_unit_test(which_hosts_get_credentials),
                cmocka_unit_test(a_bearer_token),
                cmocka_unit_test(signatures_that_amazon_publishes),
                cmocka_unit_test(regions_of_hosts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registries.d: what a file may say, what overrides what, and where an image is to be had. */
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
#include "config/registries.h"

#define R "[Registry]\n"

static const struct {
        const char *text;
        int r;
        const char *says;
} cases[] = {
        { "", 0, NULL },
        { "# nothing\n\n", 0, NULL },
        { R "Prefix=example.com\n", 0, NULL },
        { R "Prefix=*.example.com\nInsecure=tls\n", 0, NULL },
        { R "Prefix=[::1]:5000/a/b_c\nLocation=[fe80::1]/x\nInsecure=http\n", 0, NULL },
        { R "Prefix=docker.io\nMirror=a:1\nMirror=b/c\nPullFromMirror=digest-only\nBlocked=no\n", 0, NULL },
        { R "Prefix=a\nCA=/a.pem\nCertificate=/c\nKey=/k\n" R "Prefix=b\nCertificateAuthority=/a\n", 0,
          NULL },

        { "Prefix=a\n", -EINVAL, "dir/x.conf:1: Prefix= stands before the first [Registry]" },
        { "[Other]\nPrefix=a\n", -EINVAL, "dir/x.conf:1: [Other]: there is only [Registry]" },
        { R "\nMirror=a\n", -EINVAL, "dir/x.conf:1: [Registry]: Prefix= is missing" },
        { R R "Prefix=a\n", -EINVAL, "dir/x.conf:1: [Registry]: Prefix= is missing" },
        { R "Prefix=a\n\nMirrors=b\n", -EINVAL,
          "dir/x.conf:4: [Registry] Mirrors: unknown key (did you mean Mirror=?)" },
        { R "Prefix=a\nZzzzzz=b\n", -EINVAL, "unknown key" },
        { R "Prefix\n", -EBADMSG, "dir/x.conf:2: missing '='" },
        { R "Prefix=\n", -EINVAL, "is not HOST" },
        { R "Prefix=https://a\n", -EINVAL, "without https://" },
        { R "Prefix=Example.com\n", -EINVAL, "lower case" },
        { R "Prefix=a/\n", -EINVAL, "is not HOST" },
        { R "Prefix=a//b\n", -EINVAL, "is not HOST" },
        { R "Prefix=a/../b\n", -EINVAL, "is not HOST" },
        { R "Prefix=a:\n", -EINVAL, "is not HOST" },
        { R "Prefix=a:123456\n", -EINVAL, "is not HOST" },
        { R "Prefix=[::1\n", -EINVAL, "is not HOST" },
        { R "Prefix=a:5000:v1\n", -EINVAL, "is not HOST" },
        { R "Prefix=.a\n", -EINVAL, "is not HOST" },
        { R "Prefix=*.a/b\n", -EINVAL, "is not HOST" },
        { R "Prefix=a\nLocation=*.b\n", -EINVAL, "is not HOST" },
        { R "Prefix=a\nPrefix=b\n", -EINVAL, "twice" },
        { R "Prefix=a\nLocation=b\nLocation=c\n", -EINVAL, "twice" },
        { R "Prefix=a\nInsecure=yes\n", -EINVAL,
          "dir/x.conf:3: [Registry] Insecure: 'yes' is not one of no, http, tls" },
        { R "Prefix=a\nBlocked=maybe\n", -EINVAL, "yes or no" },
        { R "Prefix=a\nPullFromMirror=none\n", -EINVAL, "one of all, digest-only, tag-only" },
        { R "Prefix=a\nCA=ca.pem\n", -EINVAL, "absolute path" },
        { R "Prefix=a\nKey=/k\n", -EINVAL, "come together" },
        { R "Prefix=a\nCertificate=/k\n", -EINVAL, "come together" },
        { R "Prefix=a\nTokenHost=sso/path\n", -EINVAL, "TokenHost" },
        { R "Prefix=a\nTokenHost=https://sso\n", -EINVAL, "without https://" },
        { R "Prefix=a\nTokenHost=sso\nTokenHost=b\n", -EINVAL, "twice" },
        { R "Prefix=a\nInsecure=http\nCA=/k\n", -EINVAL, "no certificates" },
        { R "Prefix=a\n" R "Prefix=a\n", -EEXIST,
          "dir/x.conf:3: [Registry]: Prefix=a is already in this directory (x.conf:1)" },
        { R "Prefix=docker.io\n" R "Prefix=index.docker.io\n", -EEXIST, "Prefix=docker.io" },
};

static void what_a_file_may_say(void **state) {
        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_(config_freep) Config *c = new0(Config, 1);
                _cleanup_error_ Error e = ERROR_INIT;
                int r = registries_parse(c, "dir/x.conf", t->text, strlen(t->text), &e);

                if (r != t->r)
                        fail_msg("%s: %d instead of %d: %s", t->text, r, t->r, error_text(&e, r));
                if (r < 0 && (!e.message || !strstr(e.message, t->says)))
                        fail_msg("%s: the sentence does not say '%s': %s", t->text, t->says,
                                 error_text(&e, r));
        }
}

static void a_file_is_not_endless(void **state) {
        _cleanup_(config_freep) Config *c = new0(Config, 1);
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_add(&b, R "Prefix=a\n");
        for (unsigned i = 0; i < REGISTRIES_MIRRORS_MAX + 1; i++)
                strbuf_addf(&b, "Mirror=m%u\n", i);
        assert_int_equal(registries_parse(c, "x", b.data, b.size, NULL), -EINVAL);
        while (b.size <= CONFIG_FILE_MAX)
                strbuf_add(&b, "# and so on\n");
        assert_int_equal(registries_parse(c, "x", b.data, b.size, NULL), -E2BIG);
}

static Config *parse(const char *text) {
        Config *c = new0(Config, 1);
        _cleanup_error_ Error e = ERROR_INIT;
        int r = registries_parse(c, "x.conf", text, strlen(text), &e);

        if (r < 0)
                fail_msg("%s", error_text(&e, r));
        return c;
}

/* The endpoints as one text: "mirror? base repository [http] [tls] [certificates...]", with ", " between them. */
static char *endpoints(const Config *c, const RegistriesQuery *q) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_error_ Error e = ERROR_INIT;
        RegistriesEndpoint *list;
        char *text;
        size_t n;
        int r = registries_endpoints(c, q, &list, &n, &e);

        if (r < 0) {
                assert_non_null(e.message);
                return strf("%s: %s", r == -EPERM ? "EPERM" : r == -EINVAL ? "EINVAL" : "?", e.message);
        }
        FOREACH_ARRAY (p, list, n) {
                strbuf_addf(&b, "%s%s%s %s%s%s", p == list ? "" : ", ", p->is_mirror ? "mirror " : "",
                            p->base, p->repository, p->allow_http ? " http" : "",
                            p->insecure_tls ? " tls" : "");
                STRV_FOREACH (ca, p->ca_files)
                        strbuf_addf(&b, " %s", *ca);
                if (p->token_host)
                        strbuf_addf(&b, " token %s", p->token_host);
                if (p->cert_file)
                        strbuf_addf(&b, " %s %s", p->cert_file, p->key_file);
        }
        registries_endpoints_free(list, n);
        assert_int_equal(strbuf_steal(&b, &text), 0);
        return text;
}

static char *no_dirs[] = { NULL };

static const char rules[] = R
        "Prefix=docker.io\nMirror=m1.test:5000/hub\nMirror=m2.test\n" R
        "Prefix=m1.test:5000\nInsecure=http\nMirror=never.test\nBlocked=yes\n" R
        "Prefix=docker.io/library/redis\nLocation=r.test/my/redis\nInsecure=tls\nMirror=m2.test\n" R
        "Prefix=quay.io\nLocation=quay.mirror.test\nPullFromMirror=digest-only\nMirror=d.test\n" R
        "Prefix=gcr.io\nPullFromMirror=tag-only\nMirror=t.test\n" R
        "Prefix=*.example.com\nInsecure=tls\nLocation=all.test/ex\n" R
        "Prefix=*.b.example.com\nInsecure=http\n" R "Prefix=a.example.com\nCA=/ca\nCertificate=/c\nKey=/k\n" R
        "Prefix=z.f.test\nInsecure=tls\n" R "Prefix=*.f.test\nBlocked=yes\n" R
        "Prefix=bad.test\nBlocked=yes\n" R "Prefix=bad.test/good\nBlocked=no\n";

static void where_an_image_is_to_be_had(void **state) {
        static const struct {
                const char *host, *repository;
                bool by_digest;
                const char *want;
        } rows[] = {
                { "other.test", "a/b", false, "https://other.test a/b" },
                { "docker.io", "library/nginx", false,
                  "mirror http://m1.test:5000 hub/library/nginx http, mirror https://m2.test library/nginx, "
                  "https://registry-1.docker.io library/nginx" },
                { "docker.io", "library/redis", false,
                  "EINVAL: 'docker.io/library/redis' stands for a host alone, 'm2.test', by registries.d; "
                  "add "
                  "a path there" },
                { "docker.io", "library/redis/x", false,
                  "mirror https://m2.test x, https://r.test my/redis/x tls" },
                { "docker.io", "library/redis6", true,
                  "mirror http://m1.test:5000 hub/library/redis6 http, mirror https://m2.test "
                  "library/redis6, https://registry-1.docker.io library/redis6" },
                { "quay.io", "a", false, "https://quay.mirror.test a" },
                { "quay.io", "a", true, "mirror https://d.test a, https://quay.mirror.test a" },
                { "gcr.io", "a", false, "mirror https://t.test a, https://gcr.io a" },
                { "gcr.io", "a", true, "https://gcr.io a" },
                { "quay.io:443", "a", false, "https://quay.io:443 a" }, /* the port is part of the name */
                { "example.com", "a", false, "https://example.com a" },
                { "x.example.com", "a", false, "https://all.test ex/a tls" },
                { "x.y.example.com", "a", false, "https://all.test ex/a tls" },
                { "xexample.com", "a", false, "https://xexample.com a" },
                { "x.b.example.com", "a", false, "http://x.b.example.com a http" },
                { "a.example.com", "a", false, "https://a.example.com a /ca /c /k" },
                { "evil.test", "x.example.com/a", false, "https://evil.test x.example.com/a" },
                /* the same length as a wildcard, before it as behind it */
                { "z.f.test", "a", false, "https://z.f.test a tls" },
                { "bad.test", "a", false,
                  "EPERM: 'bad.test/a' may not be pulled: x.conf says Blocked=yes for bad.test" },
                { "bad.test", "good/a", false, "https://bad.test good/a" },
                { "bad.test", "goods", false,
                  "EPERM: 'bad.test/goods' may not be pulled: x.conf says Blocked=yes for bad.test" },
        };
        _cleanup_(config_freep) Config *c = parse(rules);

        FOREACH_ARRAY (row, rows, ELEMENTSOF(rows)) {
                const RegistriesQuery q = { row->host, row->repository, row->by_digest, no_dirs };
                _cleanup_free_ char *text = endpoints(c, &q);

                assert_string_equal(text, row->want);
        }
}

static void without_rules(void **state) {
        const RegistriesQuery q = { "docker.io", "library/redis", false, no_dirs };
        _cleanup_free_ char *text = endpoints(NULL, &q);

        assert_string_equal(text, "https://registry-1.docker.io library/redis");
}

/* A directory for the test. */
typedef struct Top {
        char path[32];
        char *system, *local, *certs[3];
} Top;

static void top_init(Top *t) {
        *t = (Top){ .path = "/tmp/rkt-registries-XXXXXX" };
        assert_non_null(mkdtemp(t->path));
        t->system = strf("%s/system", t->path);
        t->local = strf("%s/local", t->path);
        t->certs[0] = strf("%s/containers", t->path);
        t->certs[1] = strf("%s/docker", t->path);
}

static void top_done(Top *t) {
        assert_int_equal(remove_tree_at(AT_FDCWD, t->path), 0);
        free(t->system);
        free(t->local);
        free(t->certs[0]);
        free(t->certs[1]);
}

static void put(const char *dir, const char *name, const char *text) {
        _cleanup_free_ char *path = strf("%s/%s", dir, name), *parent = strdup(path);
        _cleanup_close_ int fd = -EBADF;

        *strrchr(parent, '/') = '\0';
        assert_int_equal(mkdir_parents_at(AT_FDCWD, parent, 0755), 0);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void certificates_of_docker_and_podman(void **state) {
        _cleanup_(config_freep) Config *c =
                parse(R "Prefix=b.test\nCA=/mine\n" R "Prefix=h.test\nInsecure=http\n");
        RegistriesQuery q = { .repository = "x" };
        static const struct {
                const char *host, *want;
        } rows[] = {
                { "a.test", "https://a.test x" },
                { "a.test:5000",
                  "https://a.test:5000 x TOP/containers/a.test:5000/a.crt TOP/containers/a.test:5000/b.crt "
                  "TOP/containers/a.test:5000/one.cert TOP/containers/a.test:5000/one.key" },
                { "d.test", "https://d.test x TOP/docker/d.test/ca.crt" },
                { "b.test", "https://b.test x /mine" }, /* what is said counts */
                { "h.test", "http://h.test x http" },
        };
        Top t;

        top_init(&t);
        q.certificate_dirs = t.certs;
        put(t.certs[0], "a.test:5000/b.crt", "");
        put(t.certs[0], "a.test:5000/a.crt", "");
        put(t.certs[0], "a.test:5000/one.cert", "");
        put(t.certs[0], "a.test:5000/one.key", "");
        put(t.certs[0], "a.test:5000/two.cert", "");
        put(t.certs[0], "a.test:5000/README", "");
        put(t.certs[1], "a.test:5000/other.crt", "");
        put(t.certs[1], "d.test/ca.crt", "");
        put(t.certs[1], "b.test/ca.crt", "");
        put(t.certs[1], "h.test/ca.crt", "");
        put(t.certs[1], "k.test/one.cert", "");
        FOREACH_ARRAY (row, rows, ELEMENTSOF(rows)) {
                _cleanup_strbuf_ StrBuf want = STRBUF_INIT;
                _cleanup_free_ char *text = NULL;

                for (const char *p = row->want; *p; p++)
                        if (startswith(p, "TOP")) {
                                strbuf_add(&want, t.path);
                                p += 2;
                        } else
                                strbuf_add_n(&want, p, 1);
                q.host = row->host;
                text = endpoints(c, &q);
                assert_string_equal(text, want.data);
        }
        q.host = "k.test";
        {
                _cleanup_free_ char *text = endpoints(c, &q);

                assert_non_null(strstr(text, "k.test/one.key' is missing"));
        }
        top_done(&t);
}

/* The prefixes that count, with blanks between them. */
static char *load(const Top *t) {
        const ConfigDirs dirs = { t->system, t->local, NULL };
        _cleanup_(config_freep) Config *c = NULL;
        _cleanup_strv_free_ char **prefixes = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        int r = config_load(&dirs, CONFIG_REGISTRIES, &c, &e);
        char *text;

        if (r < 0)
                return strdup(e.message);
        assert_int_equal(strv_length(c->warnings), 0);
        FOREACH_ARRAY (rule, c->rules, c->n_rules)
                assert_int_equal(strv_extendf(&prefixes, "%s=%s", rule->prefix, str_or(rule->location, "")),
                                 0);
        strv_sort(prefixes);
        assert_int_equal(strv_join(prefixes, " ", &text), 0);
        return text;
}

static void check_load(const Top *t, const char *want) {
        _cleanup_free_ char *text = load(t);

        if (!strstr(text, want) || (*want == '\0' && *text))
                fail_msg("%s instead of %s", text, want);
}

static void later_directories_override(void **state) {
        _cleanup_free_ char *mask = NULL;
        Top t;

        top_init(&t);
        check_load(&t, "");
        put(t.system, "registries.d/README", "no INI");
        put(t.system, "registries.d/a.conf", R "Prefix=a\n" R "Prefix=b\nLocation=vendor\n");
        put(t.system, "registries.d/m.conf", R "Prefix=m\n");
        put(t.system, "registries.d/n.conf", R "Prefix=n\n");
        check_load(&t, "a= b=vendor m= n=");
        put(t.local, "registries.d/z.conf", R "Prefix=b\nLocation=mine\n");
        check_load(&t, "a= b=mine m= n=");
        put(t.local, "registries.d/n.conf", ""); /* masks the vendor's, and so does a link to /dev/null */
        mask = strf("%s/registries.d/m.conf", t.local);
        assert_int_equal(symlink("/dev/null", mask), 0);
        check_load(&t, "a= b=mine");
        put(t.local, "registries.d/a.conf", R "Prefix=c\n");
        check_load(&t, "b=mine c=");
        put(t.local, "registries.d/y.conf", R "Prefix=b\n");
        check_load(
                &t,
                "local/registries.d/z.conf:1: [Registry]: Prefix=b is already in this directory (y.conf:1)");
        put(t.local, "registries.d/y.conf", R "Prefix=d\nMirrr=x\n");
        check_load(&t, "local/registries.d/y.conf:3: [Registry] Mirrr: unknown key (did you mean Mirror=?)");
        top_done(&t);
}

static void what_rkt_config_prints(void **state) {
        _cleanup_(config_freep) Config *c =
                parse(R "Prefix=a\nMirror=m\nInsecure=tls\nCA=/ca\nTokenHost=sso:8443\n");
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        config_write_json(c, &w);
        assert_int_equal(json_writer_steal(&w, &text), 0);
        assert_non_null(strstr(text, "{\"rktVersion\":\"v1\",\"rktKind\":\"registry\",\"prefix\":\"a\","
                                     "\"location\":\"a\",\"mirrors\":[\"m\"],\"insecure\":\"tls\","
                                     "\"blocked\":false,\"pullFromMirror\":\"all\","
                                     "\"certificateAuthority\":\"/"
                                     "ca\",\"certificate\":\"\",\"key\":\"\",\"tokenHost\":\"sso:8443\","
                                     "\"file\":\"x.conf\"}]}"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_a_file_may_say),
                cmocka_unit_test(a_file_is_not_endless),
                cmocka_unit_test(where_an_image_is_to_be_had),
                cmocka_unit_test(without_rules),
                cmocka_unit_test(certificates_of_docker_and_podman),
                cmocka_unit_test(later_directories_override),
                cmocka_unit_test(what_rkt_config_prints),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

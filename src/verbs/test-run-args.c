/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of rkt run: rkt.md 1.3-1.5, its grammar and its messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/strv.h"
#include "verbs/run-args.h"

#define WORDS_MAX 20

static const Verb verb = { .name = "run",
                           .options = run_options,
                           .more_options = { run_image_options, run_new_options, run_how_options } };

/* Parses; the caller frees. */
static int parse_kind(RunKind kind, char **words, RunArgs *a, Error *e) {
        const VerbContext c = {};
        int r;

        *a = (RunArgs){ .kind = kind };
        assert_int_equal(pod_spec_new("rkt-test", &a->spec), 0);
        r = options_init(&(OptionTable){ run_image_options, a }, e);
        return r < 0 ? r : run_args_parse(&c, &verb, words, a, e);
}

static int parse(char **words, RunArgs *a, Error *e) {
        return parse_kind(RUN_IMAGES, words, a, e);
}

static void done(RunArgs *a) {
        options_done(&(OptionTable){ run_image_options, a });
        options_done(&(OptionTable){ run_new_options, a });
        options_done(&(OptionTable){ run_how_options, a });
        run_args_done(a);
}

#define PARSE(a, ...)                                                                                        \
        do {                                                                                                 \
                char *_words[] = { __VA_ARGS__, NULL };                                                      \
                Error _e = ERROR_INIT;                                                                       \
                int _r = parse(_words, (a), &_e);                                                            \
                if (_r != 0)                                                                                 \
                        fail_msg("%s", error_text(&_e, _r));                                                 \
        } while (false)

#define S(s) ((char *) (uintptr_t) (s))

static void test_grammar(void **state) {
        RunArgs a;

        PARSE(&a, S("--volume=v,kind=host,source=/srv,readOnly=true"), S("--mount=volume=v,target=/all"),
              S("one.aci"), S("--name"), S("first"), S(""), S("--exec=/bin/one"), S("--"), S("-x"), S(""),
              S("--name"), S("---"), S("example.com/two:1.0"), S("--mount=volume=v,target=/two/../only//two"),
              S("--user=0"), S("--"), S("y"));
        assert_int_equal(a.spec->n_apps, 2);
        assert_string_equal(a.spec->apps[0].image, "one.aci");
        assert_string_equal(a.spec->apps[0].name, "first");
        assert_string_equal(a.spec->apps[0].entrypoint[0], "/bin/one");
        assert_int_equal(strv_length(a.spec->apps[0].args), 3);
        assert_string_equal(a.spec->apps[0].args[1], "");
        assert_int_equal(a.spec->apps[0].n_mounts, 1);
        assert_int_equal(a.spec->apps[1].n_mounts, 2);
        assert_string_equal(a.spec->apps[1].mounts[0].target, "/only/two");
        assert_string_equal(a.spec->apps[1].mounts[1].target, "/all");
        assert_string_equal(a.spec->apps[1].user, "0");
        assert_true(a.spec->apps[1].has_args);
        assert_string_equal(a.spec->volumes[0].source, "/srv");
        assert_int_equal(a.spec->volumes[0].read_only, 1);
        done(&a);
}

static int set_image(RunArgs *a, size_t i, const char *text, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;

        assert_int_equal(image_manifest_parse(text, strlen(text), &m, e), 0);
        return run_args_set_image(a, i, m, e);
}

#define MANIFEST(name, app)                                                                                  \
        "{\"acKind\":\"ImageManifest\",\"acVersion\":\"0.8.11\",\"name\":\"" name "\"" app "}"
#define APP                                                                                                  \
        ",\"app\":{\"exec\":[\"/"                                                                            \
        "x\"],\"user\":\"0\",\"group\":\"0\",\"environment\":[{\"name\":\"RKT_A\",\"value\":\"image\"}]}"

/* The image's name makes the app's name; rkt.md 1.4 --name. */
static void test_names(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        RunArgs a;

        PARSE(&a, S("a"), S("b"), S("c"), S("--name=given"));
        assert_int_equal(set_image(&a, 0, MANIFEST("example.com/redis_server", APP), &e), 0);
        assert_string_equal(a.spec->apps[0].name, "redis-server");
        assert_int_equal(set_image(&a, 1, MANIFEST("redis-server", APP), &e), -EEXIST);
        assert_string_equal(e.message, "error: multiple apps with name redis-server");
        assert_int_equal(set_image(&a, 2, MANIFEST("redis-server", APP), &e), 0);
        assert_string_equal(a.spec->apps[2].name, "given");
        done(&a);
}

/* EXEC-04 and its error. */
static void test_no_app(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        RunArgs a;

        PARSE(&a, S("a.aci"), S("b"), S("--exec=/x"));
        assert_int_equal(set_image(&a, 0, MANIFEST("example.com/a", ""), &e), -ENODATA);
        assert_string_equal(e.message,
                            "error: image a.aci has no app section and --exec argument is not provided");
        assert_int_equal(set_image(&a, 1, MANIFEST("example.com/b", ""), &e), 0);
        done(&a);
}

/* ENV-04, ENV-07, ENV-08: inherited variables reach the app, but win over nothing. */
static void test_inherit(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        RunArgs a;

        assert_int_equal(setenv("RKT_A", "caller", 1), 0);
        assert_int_equal(setenv("RKT_B", "caller", 1), 0);
        assert_int_equal(setenv("BASH_FUNC_x%%", "() { :; }", 1), 0);
        assert_int_equal(setenv("RKT_LATIN", "\xe9", 1), 0);
        assert_int_equal(setenv("RKT_C", "caller", 1), 0);
        PARSE(&a, S("--inherit-env=true"), S("--set-env=RKT_B=flag"), S("x"));
        assert_int_equal(set_image(&a, 0, MANIFEST("example.com/x", APP), &e), 0);
        assert_false(strv_contains(a.spec->apps[0].environment, "RKT_A=caller"));
        assert_false(strv_contains(a.spec->apps[0].environment, "RKT_B=caller"));
        assert_true(strv_contains(a.spec->apps[0].environment, "RKT_C=caller"));
        STRV_FOREACH (v, a.spec->apps[0].environment)
                assert_true(run_variable_is_valid(*v));
        done(&a);
}

static const char *setting(const RunArgs *a, const char *key) {
        return unit_settings_last(&a->spec->apps[0].settings, key);
}

/* ISO-02, ISO-04, ISO-05, and what Nomad passes: plain bytes, shares where cores are meant. */
static void test_limits(void **state) {
        RunArgs a;

        PARSE(&a, S("i"), S("--memory=42Mi"), S("--cpu=900m"), S("--cpu-shares=12345"),
              S("--oom-score-adj=-7"), S("--caps-retain=CAP_NET_ADMIN,CAP_CHOWN"),
              S("--supplementary-gids=1,2"), S("--readonly-rootfs"));
        assert_string_equal(setting(&a, "MemoryMax"), "44040192");
        assert_string_equal(setting(&a, "CPUQuota"), "90%");
        assert_string_equal(setting(&a, "CPUWeight"), "1205");
        assert_string_equal(setting(&a, "OOMScoreAdjust"), "-7");
        assert_string_equal(setting(&a, "CapabilityBoundingSet"), "CAP_NET_ADMIN CAP_CHOWN");
        assert_int_equal(a.spec->apps[0].read_only, 1);
        assert_int_equal(strv_length(a.spec->apps[0].supplementary_groups), 2);
        done(&a);
        PARSE(&a, S("i"), S("--caps-remove=CAP_MKNOD,CAP_NET_RAW"));
        assert_string_equal(setting(&a, "CapabilityBoundingSet"), "~CAP_MKNOD CAP_NET_RAW");
        done(&a);
        PARSE(&a, S("i"), S("--memory=134217728"), S("--cpu=100"));
        assert_string_equal(setting(&a, "MemoryMax"), "134217728");
        assert_string_equal(setting(&a, "CPUQuota"), "10000%");
        done(&a);
        PARSE(&a, S("i"), S("--cpu-shares=18446744073709551615"));
        assert_string_equal(setting(&a, "CPUWeight"), "10000");
        done(&a);
}

/* There is no stage1 image: those that are what there is may be named. */
static void test_stage1(void **state) {
        char *flags[] = {
                S("--stage1-name=coreos.com/rkt/stage1-coreos:1.30.0"),
                S("--stage1-name=coreos.com/rkt/stage1-coreos,version=1.30.0"),
                S("--stage1-path=/usr/lib/rkt/stage1-images/stage1-host.aci"),
                S("--stage1-url=https://example.com/stage1-src-1.30.0-linux-amd64.aci"),
                S("--stage1-from-dir=stage1-coreos.aci"),
                S("--stage1-name=stage1-host"),
        };
        RunArgs a;

        FOREACH_ARRAY (f, flags, ELEMENTSOF(flags)) {
                PARSE(&a, *f, S("i"));
                done(&a);
        }
}

/* SEC-11, SEC-12: every value of SystemCallFilter= that --seccomp stands for. */
static void test_seccomp(void **state) {
        static const struct {
                char flag[80];
                const char *values[3], *errno_name;
        } cases[] = {
                { "--seccomp=mode=retain,@appc.io/all", { "" }, NULL },
                { "--seccomp=mode=remove,@appc.io/empty,stat", { "" }, NULL },
                { "--seccomp=mode=retain,errno=EPERM,read,write", { "", "@default read write" }, "EPERM" },
                { "--seccomp=mode=remove,errno=EXFULL,stat", { "~stat:EXFULL" }, NULL },
                { "--seccomp=stat,@systemd/clock,mode=remove", { "~stat:kill @clock:kill" }, NULL },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                const UnitSettings *s;
                char flag[80];
                size_t n = 0;
                RunArgs a;

                memcpy(flag, c->flag, sizeof(flag));
                PARSE(&a, S("i"), flag);
                s = &a.spec->apps[0].settings;
                for (; n < s->n && streq(s->items[n].key, "SystemCallFilter"); n++)
                        assert_string_equal(s->items[n].value, c->values[n]);
                assert_true(n > 0 && !c->values[n]);
                assert_int_equal(s->n, n + (c->errno_name != NULL));
                if (c->errno_name)
                        assert_string_equal(setting(&a, "SystemCallErrorNumber"), c->errno_name);
                done(&a);
        }
}

static void write_file(char *path, const char *text) {
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        assert_int_equal(close(fd), 0);
}

/* ENV-09: the file before --set-env, both byte for byte, and both before --environment, as rkt had it. */
static void test_environment(void **state) {
        char path[] = "/tmp/rkt-test-env-XXXXXX";
        RunArgs a;

        write_file(path, "# comment\n; comment\n\n A=file\nB=b=c \n");
        PARSE(&a, S("--set-env-file"), path, S("--set-env=A=flag,\n"), S("i"), S("--environment=A=app"));
        assert_int_equal(strv_length(a.spec->environment), 2);
        assert_true(strv_contains(a.spec->environment, "A=flag,\n"));
        assert_true(strv_contains(a.spec->environment, "B=b=c"));
        assert_int_equal(strv_length(a.spec->apps[0].environment), 2);
        assert_true(strv_contains(a.spec->apps[0].environment, "A=flag,\n"));
        done(&a);
        assert_int_equal(unlink(path), 0);
}

static void test_pod_flags(void **state) {
        RunArgs a;

        PARSE(&a, S("--net=host"), S("--hostname=h"), S("--pull-policy=never"), S("--uuid-file-save=/u"),
              S("--no-overlay=false"), S("--interactive=false"), S("--ipc=auto"), S("i"));
        assert_string_equal(a.spec->networks[0], "host");
        assert_string_equal(a.spec->hostname, "h");
        assert_int_equal(a.spec->pull, PULL_NEVER);
        assert_string_equal(a.uuid_file_save, "/u");
        done(&a);
}

typedef struct Refused {
        char *words[WORDS_MAX];
        const char *message;
} Refused;

#define REFUSED(text, ...)                                                                                   \
        { { __VA_ARGS__, NULL }, (text) }

static void check_refused(const Refused *cases, size_t n_cases) {
        FOREACH_ARRAY (c, cases, n_cases) {
                _cleanup_error_ Error e = ERROR_INIT;
                RunArgs a;
                int r = parse((char **) (uintptr_t) c->words, &a, &e);

                done(&a);
                assert_true(r < 0);
                assert_string_equal(error_text(&e, r), c->message);
        }
}

static void test_refused(void **state) {
        const Refused cases[] = {
                REFUSED("must provide at least one image or specify the pod manifest", S("--net=host")),
                REFUSED("an image is required before any app arguments", S("--"), S("x")),
                REFUSED("--exec must follow an image", S("--exec=/x"), S("i")),
                REFUSED("--memory must follow an image", S("--memory=1G"), S("i")),
                REFUSED("--set-credential must follow an image", S("--set-credential=a:b"), S("i")),
                REFUSED("invalid argument for --set-credential: it must be ID:VALUE, the ID of letters, "
                        "digits, "
                        "'.', '_' and '-'",
                        S("i"), S("--set-credential=/secret")),
                REFUSED("invalid argument for --load-credential: it must be ID:PATH, the ID of letters, "
                        "digits, "
                        "'.', '_' and '-'",
                        S("i"), S("--load-credential=a:")),
                REFUSED("--exec specified multiple times for the same image", S("i"), S("--exec=/x"),
                        S("--exec=/y")),
                REFUSED("--signature specified multiple times for the same image", S("i"), S("--signature=a"),
                        S("--signature=b")),
                REFUSED("only one set of app arguments allowed per image", S("i"), S("--"), S("a"), S("---"),
                        S("--"), S("b")),
                REFUSED("--readonly-rootfs must be set with a boolean", S("i"), S("--readonly-rootfs=x")),
                REFUSED("invalid argument \"CAP_SYS_CROOT\" for --caps-remove: it is no capability such as "
                        "CAP_NET_ADMIN",
                        S("i"), S("--caps-remove=CAP_KILL,CAP_SYS_CROOT")),
                REFUSED("invalid argument \"CAP_PONIES\" for --caps-retain: it is no capability such as "
                        "CAP_NET_ADMIN",
                        S("i"), S("--caps-retain=CAP_PONIES")),
                REFUSED("invalid argument \"cap_kill\" for --caps-remove: it is no capability such as "
                        "CAP_NET_ADMIN",
                        S("i"), S("--caps-remove=cap_kill")),
                REFUSED("--supplementary-gids must be integers", S("i"), S("--supplementary-gids=1,a")),
                REFUSED("unknown mount parameter \"k\"", S("--mount=volume=a,k=v"), S("i")),
                REFUSED("dangling mount point \"/t\": volume \"v\" not found",
                        S("--mount=volume=v,target=/t"), S("i")),
                REFUSED("duplicate volume name \"v\"", S("--volume=v,kind=empty"), S("--volume=v,kind=empty"),
                        S("i")),
                REFUSED("error: multiple apps with name n", S("i"), S("--name=n"), S("j"), S("--name=n")),
                REFUSED("memory limit of 64 bytes too low. Try a reasonable value, such as --memory=16M",
                        S("i"), S("--memory=64")),
                REFUSED("invalid argument \"x\" for --set-env: must be specified as key=value",
                        S("--set-env=x"), S("i")),
                REFUSED("invalid argument \"A=2\" for --set-env: key \"A\" already set", S("--set-env=A=1"),
                        S("--set-env=A=2"), S("i")),
                REFUSED("invalid argument \"mode=x,stat\" for --seccomp: it must be mode=retain or "
                        "mode=remove, and "
                        "system calls, as mode=remove,errno=EPERM,mknod",
                        S("i"), S("--seccomp=mode=x,stat")),
                REFUSED("invalid argument \"mode=remove,errno=EFOO,stat\" for --seccomp: Linux has no error "
                        "'EFOO'",
                        S("i"), S("--seccomp=mode=remove,errno=EFOO,stat")),
                REFUSED("--seccomp specified multiple times for the same image", S("i"),
                        S("--seccomp=mode=remove,stat"), S("--seccomp=mode=remove,stat")),
                REFUSED("invalid argument \"../x\" for --profile: it is no name", S("--profile=../x"),
                        S("i")),
                REFUSED("invalid argument \"http\" for --port: \"http\" is not in name:[ip:]port format",
                        S("--port=http"), S("i")),
                REFUSED("invalid argument \"http:x:80\" for --port: \"x:80\" is not a valid port number, or "
                        "IP "
                        "and port",
                        S("--port=http:x:80"), S("i")),
                REFUSED("--port flag does not work with 'none' networking", S("--port=http:80"),
                        S("--net=none"), S("i")),
                REFUSED("no other --dns options allowed when --dns=host is passed", S("--dns=host"),
                        S("--dns=8.8.8.8"), S("i")),
                REFUSED("Invalid IP passed to --dns: x", S("--dns=8.8.8.8,x"), S("i")),
                REFUSED("Cannot call --dns-opt, --dns-search, or --dns-domain with --dns=none",
                        S("--dns=none"), S("--dns-opt=debug"), S("i")),
                REFUSED("invalid argument \"maybe\" for --no-overlay: it must be true or false",
                        S("--no-overlay=maybe"), S("i")),
                REFUSED("invalid stdin mode \"log\": it must be null, stream or tty", S("i"),
                        S("--stdin=log")),
                REFUSED("invalid stdout mode \"x\": it must be log, null, stream or tty", S("i"),
                        S("--stdout=x")),
                REFUSED("--stderr must follow an image", S("--stderr=tty"), S("i")),
                REFUSED("invalid argument \"default,host\" for --net: host, none and all stand alone",
                        S("--net=default,host"), S("i")),
                REFUSED("invalid argument \"a,a\" for --net: network 'a' stands twice", S("--net=a,a"),
                        S("i")),
                REFUSED("invalid argument \"a:b\" for --net: 'a:b' is not default, host, none, all or "
                        "NAME[:KEY=VALUE;...]",
                        S("--net=a:b"), S("i")),
                REFUSED("both --store-only and --no-store specified", S("--store-only"), S("--no-store"),
                        S("i")),
                REFUSED("flags --stage1-name and --stage1-path are mutually exclusive",
                        S("--stage1-name=stage1-coreos"), S("--stage1-path=stage1-coreos.aci"), S("i")),
                REFUSED("--stage1-name already used", S("--stage1-name=stage1-coreos"),
                        S("--stage1-name=stage1-coreos"), S("i")),
                REFUSED("invalid argument \"coreos.com/rkt/stage1-kvm:1\" for --stage1-name: there are no "
                        "stage1 images; pods run as with stage1-coreos, stage1-src and stage1-host, the only "
                        "ones that can be named",
                        S("--stage1-name=coreos.com/rkt/stage1-kvm:1"), S("i")),
                REFUSED("unknown flag: --volum (did you mean --volume?)", S("--volum=x"), S("i")),
        };

        check_refused(cases, ELEMENTSOF(cases));
}

/* What a manifest could not hold. */
static void test_refused_variables(void **state) {
        const Refused cases[] = {
                REFUSED("invalid argument \"1A=x\" for --set-env: a variable's name is of letters, digits, "
                        "'_', "
                        "'.' and '-', and begins with a letter or '_'",
                        S("--set-env=1A=x"), S("i")),
                REFUSED("invalid argument \"a/b=x\" for --environment: a variable's name is of letters, "
                        "digits, '_', '.' and '-', and begins with a letter or '_'",
                        S("i"), S("--environment=a/b=x")),
        };

        check_refused(cases, ELEMENTSOF(cases));
}

static void test_bad_env_file(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "A\n", "environment variable must be specified as name=value (file \"" },
                { "=x\n", "environment variable must be specified as name=value (file \"" },
                { "1A=x\n", "invalid environment variable \"1A\": a variable's name is of letters, digits, "
                            "'_', '.' and "
                            "'-', and begins with a letter or '_' (file \"" },
                { "A=\xe9\n", "environment variables must be UTF-8 text (file \"" },
                { "A=1\nA=2\n", "environment variable \"A\" already set (file \"" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                char path[] = "/tmp/rkt-test-env-XXXXXX",
                     *words[] = { S("--set-env-file"), path, S("i"), NULL };
                _cleanup_error_ Error e = ERROR_INIT;
                RunArgs a;

                write_file(path, c->text);
                assert_true(parse(words, &a, &e) < 0);
                assert_non_null(startswith(e.message, c->message));
                done(&a);
                assert_int_equal(unlink(path), 0);
        }
}

/* rkt app add: the first word is a pod, the second the one image. */
static void test_app_add(void **state) {
        char *good[] = { S("01234567"),   S("example.com/web"),
                         S("--name=web"), S(""),
                         S("--user=0"),   S("--"),
                         S("x"),          NULL };
        char *two[] = { S("01234567"), S("example.com/web"), S("example.com/db"), NULL };
        char *none[] = { S("01234567"), NULL };
        char *image[] = { S("example.com/web"), NULL };
        RunArgs a;

        assert_int_equal(parse_kind(RUN_APP_ADD, good, &a, NULL), 0);
        assert_string_equal(a.pod, "01234567");
        assert_int_equal(a.spec->n_apps, 1);
        assert_string_equal(a.spec->apps[0].args[0], "x");
        done(&a);
        assert_int_equal(parse_kind(RUN_APP_ADD, two, &a, NULL), -EINVAL);
        done(&a);
        assert_int_equal(parse_kind(RUN_APP_ADD, none, &a, NULL), -EINVAL);
        done(&a);
        assert_int_equal(parse_kind(RUN_SANDBOX, image, &a, NULL), -EINVAL);
        done(&a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_app_add),      cmocka_unit_test(test_grammar),
                cmocka_unit_test(test_names),        cmocka_unit_test(test_no_app),
                cmocka_unit_test(test_inherit),      cmocka_unit_test(test_limits),
                cmocka_unit_test(test_stage1),       cmocka_unit_test(test_seccomp),
                cmocka_unit_test(test_environment),  cmocka_unit_test(test_pod_flags),
                cmocka_unit_test(test_refused),      cmocka_unit_test(test_refused_variables),
                cmocka_unit_test(test_bad_env_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pod files as text, in memory; directories and masks are tested through the generator (test/generator-test.py). */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "config.h"
#include "podfile/pod-file.h"
#include "podfile/pod-order.h"
#include "podfile/pod-recipe.h"
#include "podfile/pod-unit.h"
#include "podfile/port-mapping.h"
#include "podfile/specifier.h"
#include "podfile/unit-keys.h"

typedef struct Loaded {
        PodSpec *spec;
        PodErrors errors;
} Loaded;

static void loaded_done(Loaded *x) {
        (void) pod_spec_free(x->spec);
        pod_errors_done(&x->errors);
}
#define _cleanup_loaded_ _cleanup_(loaded_done)

/* File "a" and, if not NULL, "b". */
static void load_as(const char *prefix, const char *instance, const char *a, const char *b, Loaded *ret) {
        PodEntry entry = { .prefix = strdup(prefix),
                           .instance = instance ? strdup(instance) : NULL,
                           .path = strdup("a"),
                           .name = instance ? strf("%s-%s", prefix, instance) : strdup(prefix) };
        PodText *t = NULL;

        assert_int_equal(pod_text_new(prefix, &t), 0);
        assert_int_equal(pod_text_parse(t, "a", a, strlen(a), &ret->errors), 0);
        if (b)
                assert_int_equal(pod_text_parse(t, "b", b, strlen(b), &ret->errors), 0);
        assert_int_equal(pod_text_load(&entry, t, &ret->spec, &ret->errors), 0);
        assert_non_null(ret->spec);
        (void) pod_text_free(t);
        pod_entry_done(&entry);
}

static void expect_errors(const PodErrors *errors, const char *expected) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(pod_errors_to_string(errors, &text), 0);
        assert_string_equal(text, expected);
}

static void load(const char *a, const char *b, Loaded *ret) {
        load_as("shop", NULL, a, b, ret);
        expect_errors(&ret->errors, "");
}

static void expect_strv(char **v, const char *joined) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(strv_join(v, "|", &text), 0);
        assert_string_equal(text, joined);
}

static void test_defaults(void **state) {
        _cleanup_loaded_ Loaded x = {};
        AppSpec *a;

        load("[App]\nImage=example.com/a\n", NULL, &x);
        assert_string_equal(x.spec->name, "shop");
        assert_null(x.spec->hostname);
        assert_null(x.spec->networks);
        assert_string_equal(x.spec->private_users, "auto");
        assert_null(x.spec->unsupported);
        assert_true(x.spec->overlay);
        assert_int_equal(x.spec->exit_policy, POD_EXIT_ON_FAILURE);
        assert_int_equal(x.spec->pull, PULL_MISSING);
        assert_int_equal(x.spec->log, POD_LOG_BOTH);
        assert_int_equal(x.spec->insecure, INSECURE_NONE);
        assert_int_equal(x.spec->n_apps, 1);
        a = x.spec->apps;
        assert_string_equal(a->name, "shop");
        assert_string_equal(a->image, "example.com/a");
        assert_int_equal(a->read_only, -1);
        assert_null(a->exec);
        assert_false(a->has_args);
        assert_int_equal(a->settings.n, 0);
        assert_string_equal(a->place.file, "a");
        assert_int_equal(a->place.line, 1);
}

static void test_environment(void **state) {
        _cleanup_loaded_ Loaded x = {};
        AppSpec *a;

        load("[Pod]\nEnvironment=POD=1 A=pod\n"
             "[App]\nImage=i\n"
             "Exec=/bin/sh -c \"echo $HOME ${A} 'x'\\n\" %% \\\n   last\n"
             "Environment=A=1 \"B=two  words\" 'C=\\x01\\xff\\n' D= E=a=b\n"
             "Environment=A=2 F=%%h\n",
             NULL, &x);
        a = x.spec->apps;
        expect_strv(x.spec->environment, "POD=1|A=pod");
        expect_strv(a->environment, "A=2|B=two  words|C=\x01\xff\n|D=|E=a=b|F=%h");
        expect_strv(a->exec, "/bin/sh|-c|echo $HOME ${A} 'x'\n|%|last");
}

static void test_merge(void **state) {
        _cleanup_loaded_ Loaded x = {};
        AppSpec *a;

        load("[App web]\nImage=one\nExec=/a\nArgs=x\nUser=u\nAfter=db\nWants=db\nEnvironment=A=1\n[App "
             "db]\nImage=two\n"
             "[Pod]\nHostName=h\n[Pod]\nNetwork=none\n",
             "[App web]\nImage=three\nArgs=\nAfter=\nEnvironment=\nEnvironment=B=2\nMemoryMax=1G\n[App "
             "new]\nImage=four\n"
             "[Pod]\nHostName=\nNetwork=\nNetwork=host\n",
             &x);
        assert_int_equal(x.spec->n_apps, 3);
        a = x.spec->apps;
        assert_string_equal(a->image, "three");
        expect_strv(a->exec, "/a");
        assert_null(a->args);
        assert_true(a->has_args); /* none */
        assert_null(a->after);
        expect_strv(a->wants, "db");
        expect_strv(a->environment, "B=2");
        assert_string_equal(a->user, "u");
        assert_string_equal(x.spec->apps[2].name, "new");
        assert_null(x.spec->hostname);
        expect_strv(x.spec->networks, "host");
        expect_strv(x.spec->files, "a|b");
        assert_string_equal(a->settings.items[0].place.file, "b");
        assert_int_equal(a->settings.items[0].place.line, 7);
}

static void test_settings(void **state) {
        _cleanup_loaded_ Loaded x = {};
        UnitSettings *s;

        load("[App]\nImage=i\nMemoryMax=50%\nSyslogIdentifier=%p-100%%\nStopSignal=TERM\nLimitNOFILE=\n"
             "ExecStartPre=/bin/a \"b  c\"\n[Unit]\nDescription=%p %H %%\nAfter=db.pod web@x.pod a.service\n",
             NULL, &x);
        s = &x.spec->apps[0].settings;
        assert_int_equal(s->n, 4);
        assert_string_equal(unit_settings_last(s, "MemoryMax"), "50%");
        assert_string_equal(unit_settings_last(s, "SyslogIdentifier"), "shop-100%%");
        assert_string_equal(unit_settings_last(s, "KillSignal"), "TERM");
        assert_null(unit_settings_last(s, "LimitNOFILE"));
        assert_string_equal(unit_settings_last(s, "ExecStartPre"), "/bin/a \"b  c\"");
        assert_null(x.spec->unsupported);
        assert_string_equal(unit_settings_last(&x.spec->unit, "Description"), "shop %H %%");
        assert_string_equal(unit_settings_last(&x.spec->unit, "After"),
                            "pod@db.service pod@web-x.service a.service");
}

/* An empty value takes back what was said, here and in the files before; only a list can be an empty one. */
static void test_empty_settings(void **state) {
        _cleanup_loaded_ Loaded x = {};
        UnitSettings *s;

        load("[App]\nImage=i\nNoNewPrivileges=no\nProtectProc=default\nRestrictNamespaces=user\nDevicePolicy="
             "\n"
             "CapabilityBoundingSet=CAP_KILL\nExecStop=/bin/a\n",
             "[App]\nNoNewPrivileges=\nProtectProc=\nRestrictNamespaces=\nCapabilityBoundingSet=\nExecStop=\n"
             "SystemCallFilter=\nNoNewPrivileges=yes\nAmbientCapabilities=~cap_sys_time 39  Cap_Chown 62\n"
             "StartLimitIntervalSec=1.5min\n",
             &x);
        s = &x.spec->apps[0].settings;
        assert_null(unit_settings_last(s, "ProtectProc"));
        assert_null(unit_settings_last(s, "RestrictNamespaces"));
        assert_null(unit_settings_last(s, "DevicePolicy"));
        assert_string_equal(unit_settings_last(s, "NoNewPrivileges"), "yes");
        assert_string_equal(unit_settings_last(s, "CapabilityBoundingSet"), "");
        assert_string_equal(unit_settings_last(s, "AmbientCapabilities"),
                            "~CAP_SYS_TIME CAP_BPF CAP_CHOWN 62");
        assert_string_equal(unit_settings_last(s, "ExecStop"), "");
        assert_string_equal(unit_settings_last(s, "SystemCallFilter"), "");
        assert_string_equal(unit_settings_last(s, "StartLimitInterval"), "1.5min"); /* in [Service] */
        assert_int_equal(s->n, 8);
}

/* What the host's systemd would ignore is refused when the pod starts, and said by the check. */
static void test_newer_systemd(void **state) {
        static const struct {
                const char *key, *value;
                unsigned since;
        } cases[] = {
                { "RestartSteps", "3", 254 },
                { "RestartMode", "direct", 254 },
                { "RestartMode", "debug", 257 },
                { "Type", "notify-reload", 253 },
                { "Type", "notify", 0 },
                { "ProtectControlGroups", "strict", 257 },
                { "ProtectControlGroups", "yes", 0 },
                { "ProtectHostname", "private", 258 },
                { "ProtectHostname", "yes:a", 258 },
                { "ProtectHostname", "no", 0 },
                { "MemoryZSwapMax", "1", 253 },
                { "MemoryMax", "1", 0 },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *text = strf("[App]\nImage=i\n%s=%s\n", c->key, c->value);
                _cleanup_loaded_ Loaded x = {};

                assert_int_equal(unit_key_since(unit_key_find(c->key), c->value), c->since);
                load(text, NULL, &x);
                assert_int_equal(strv_length(x.spec->unsupported), c->since > SYSTEMD_VERSION);
        }
}

static void test_volumes(void **state) {
        _cleanup_loaded_ Loaded x = {};
        AppSpec *a;
        VolumeSpec *v;

        load("[App]\nImage=i\nVolume=data:/data//x/:ro /srv/a/:/a:norbind :/scratch \"/b c:/d\"\n"
             "ShmSize=1.5M\n[Volume data]\nMode=01777\nUID=7\nGID=8\nPersistent=yes\nReadOnly=no\n[Volume "
             "empty]\n",
             NULL, &x);
        a = x.spec->apps;
        assert_int_equal(a->n_mounts, 4);
        assert_string_equal(a->shm_size, "1572864");
        assert_string_equal(a->mounts[0].volume, "data");
        assert_string_equal(a->mounts[0].target, "/data/x");
        assert_int_equal(a->mounts[0].read_only, 1);
        v = pod_spec_find_volume(x.spec, "data");
        assert_int_equal(v->mode, 01777);
        assert_int_equal(v->uid, 7);
        assert_int_equal(v->gid, 8);
        assert_int_equal(v->persistent, 1);
        assert_int_equal(v->read_only, 0);
        assert_int_equal(v->recursive, -1);
        assert_false(v->implicit);
        v = pod_spec_find_volume(x.spec, a->mounts[1].volume);
        assert_string_equal(v->name, "shop-a");
        assert_string_equal(v->source, "/srv/a");
        assert_int_equal(v->recursive, 0);
        assert_true(v->implicit);
        v = pod_spec_find_volume(x.spec, a->mounts[2].volume);
        assert_null(v->source);
        v = pod_spec_find_volume(x.spec, a->mounts[3].volume);
        assert_string_equal(v->source, "/b c");
        assert_string_equal(v->name, "shop-d");
}

static void test_sockets(void **state) {
        _cleanup_loaded_ Loaded x = {};

        load("[App]\nImage=i\n[Socket]\nListenStream=80\nListenStream=/run/%p\n", NULL, &x);
        assert_int_equal(x.spec->n_sockets, 1);
        assert_null(x.spec->sockets[0].name);
        assert_string_equal(x.spec->sockets[0].app, "shop");
        assert_string_equal(x.spec->sockets[0].settings.items[1].value, "/run/shop");
}

static void test_specifiers_p9(void **state) {
        _cleanup_error_ Error e = ERROR_INIT;
        static const struct {
                const char *in;
                SpecifierMode mode;
                const char *out;
        } cases[] = {
                { "%p %i %N %%", SPECIFIER_PLAIN, "web blue web-blue %" },
                { "%p %%", SPECIFIER_ESCAPED, "web %%" },
                { "%p %H %t %%", SPECIFIER_HOST, "web %H %t %%" },
                { "%H %m %b", SPECIFIER_PLAIN, "host 1 2" },
                { "%t %S %L %E", SPECIFIER_PLAIN, "/run /var/lib /var/log /etc" },
                { "%H", SPECIFIER_ESCAPED, "host" },
                { "%Z", SPECIFIER_PLAIN, NULL },
                { "%n", SPECIFIER_HOST, NULL },
                { "a%", SPECIFIER_PLAIN, NULL },
                { "a%", SPECIFIER_HOST, NULL },
        };
        Specifiers s = { .prefix = "web", .instance = "blue", .name = "web-blue" };

        s.host_name = strdup("host");
        s.machine_id = strdup("1");
        s.boot_id = strdup("2");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = NULL;
                int r;

                r = specifier_expand(&s, cases[i].in, cases[i].mode, &text, NULL);
                assert_int_equal(r, cases[i].out ? 0 : -EINVAL);
                if (cases[i].out)
                        assert_string_equal(text, cases[i].out);
        }
        s.instance = NULL;
        assert_int_equal(specifier_expand(&s, "%i", SPECIFIER_PLAIN, &(char *){ NULL }, NULL), -EINVAL);
        assert_int_equal(specifier_expand(&s, "%\xc3\xa4x", SPECIFIER_PLAIN, &(char *){ NULL }, &e), -EINVAL);
        assert_non_null(strstr(e.message, "unknown specifier %\xc3\xa4 (")); /* found by fuzz-pod-file */
        specifiers_done(&s);
}

static void test_template(void **state) {
        _cleanup_loaded_ Loaded x = {};

        load_as("web", "blue", "[Pod]\nInstances=blue\nHostName=%i.example.com\n[App]\nImage=i:%i\n", NULL,
                &x);
        expect_errors(&x.errors, "");
        assert_string_equal(x.spec->name, "web-blue");
        assert_string_equal(x.spec->apps[0].name, "web");
        assert_string_equal(x.spec->apps[0].image, "i:blue");
        assert_string_equal(x.spec->hostname, "blue.example.com");
}

static void test_auto_update(void **state) {
        static const struct {
                const char *text;
                bool want;
        } cases[] = {
                { "[App]\nImage=i\n", false },
                { "[Pod]\nAutoUpdate=no\n[App]\nImage=i\n", false },
                { "[Pod]\nAutoUpdate=registry\n[App]\nImage=i\n", true },
                { "[Pod]\nAutoUpdate=registry\nAutoUpdate=no\n[App]\nImage=i\n", false },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_loaded_ Loaded x = {};

                load(c->text, NULL, &x);
                expect_errors(&x.errors, "");
                expect_strv(x.spec->unsupported, "");
                assert_int_equal(x.spec->auto_update, c->want);
        }
}

static void test_not_yet(void **state) {
        _cleanup_loaded_ Loaded x = {};

        load("[Pod]\nStage1=kvm\n[App]\nImage="
             "docker://redis\nStandardInput=tty\n",
             NULL, &x);
        expect_strv(x.spec->unsupported, "a:2: [Pod] Stage1: kvm is not supported yet");
}

/* PFWD, DNS, NET-21: keys of networks */
static void test_network(void **state) {
        static const struct {
                const char *text, *networks, *ports, *dns, *errors;
        } cases[] = {
                { "Network=default a:ip=1.2.3.4,mac=x default", "default|a:ip=1.2.3.4;mac=x", "", "", "" },
                { "Network=host default", "host", "", "",
                  "a:2: [Pod] Network: 'host' and 'default' exclude each other\n" },
                { "Network=a:IP=1 a:IP=2", "a:IP=1", "", "",
                  "a:2: [Pod] Network: 'a:IP=1' and 'a:IP=2' exclude each other\n" },
                { "Network=a: -x all:K=V a:b", "", "", "", NULL },
                { "PublishPort=8080:80 [fd00::1]:53:53/udp 127.0.0.1:8000-8010:9000-9010/sctp 80:http", "",
                  "8080:80|[fd00::1]:53:53/udp|127.0.0.1:8000-8010:9000-9010/sctp|80:http", "", "" },
                { "PublishPort=[::1]:80:80", "", "", "",
                  "a:2: [Pod] PublishPort: '[::1]:80:80': " PORT_MAPPING_UNPUBLISHABLE "\n" },
                { "PublishPort=[fd00::1]:80:80 [FD00:0::1]:80:81", "", "[fd00::1]:80:80", "",
                  "a:2: [Pod] PublishPort: '[fd00::1]:80:80' and '[FD00:0::1]:80:81' are the same port of "
                  "the host\n" },
                { "PublishPort=53:dns 53:dns-tcp 0.0.0.0:80:80 [::]:80:81", "",
                  "53:dns|53:dns-tcp|0.0.0.0:80:80|[::]:80:81", "", "" },
                { "PublishPort=80-90:80", "", "", "",
                  "a:2: [Pod] PublishPort: '80-90:80': ranges of different lengths\n" },
                { "PublishPort=80:81 80:82", "", "80:81", "",
                  "a:2: [Pod] PublishPort: '80:81' and '80:82' are the same port of the host\n" },
                { "PublishPort=127.0.0.1:80:81 127.0.0.2:80:81 80:81/udp", "",
                  "127.0.0.1:80:81|127.0.0.2:80:81|80:81/udp", "", "" },
                { "PublishPort=0:80 65536:80 80 x:80 a:80:80 80-79:80-79 80:http/tcp 80:-", "", "", "",
                  NULL },
                { "DNS=8.8.8.8 ::1 8.8.8.8", "", "", "8.8.8.8|::1", "" },
                { "DNS=host 8.8.8.8", "", "", "host",
                  "a:2: [Pod] DNS: 'host' and '8.8.8.8' exclude each other\n" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *text = strf("[Pod]\n%s\n[App]\nImage=docker://redis\n", c->text);
                _cleanup_loaded_ Loaded x = {};

                load_as("shop", NULL, text, NULL, &x);
                if (c->errors)
                        expect_errors(&x.errors, c->errors);
                else
                        assert_true(x.errors.n > 0);
                expect_strv(x.spec->networks, c->networks);
                expect_strv(x.spec->ports, c->ports);
                expect_strv(x.spec->dns, c->dns);
        }
}

/* robustness.md P5, P6, P7, P8, and what pod-file.md calls an error */
static void test_errors(void **state) {
        static const struct {
                const char *text, *errors;
        } cases[] = {
                { "[App]\nImagge=x\n",
                  "a:1: [App] Image= is missing\na:2: [App] Imagge: unknown key (did you mean "
                  "Image=?)\n" },
                { "[App]\nImage=i\n[App]\nUser=x\n",
                  "a:3: [App] duplicate app 'shop' (the first one is in line 1)\n" },
                { "[App]\nImage=i\n[App shop]\nUser=x\n",
                  "a:3: [App shop] duplicate app 'shop' (the first one is in line 1)\n" },
                { "[App]\nImage=i\nVolume=x:/x\n",
                  "a:3: [App] Volume: there is no volume 'x' (a section [Volume x], also an empty one)\n" },
                { "[App]\nImage=i\nEnvironment=A=\"\n", "a:3: [App] Environment: a quote is not closed\n" },
                { "[App]\nImage=\n", "a:1: [App] Image= is missing\n" },
                { "[App]\nImage=a b\n",
                  "a:2: [App] Image: 'a b': contains a blank or a control character\n" },
                { "[App]\nImage=i\nUser=-1\n",
                  "a:3: [App] User: '-1': not a user or group (a name, a number, or a "
                  "path whose owner counts)\n" },
                { "[App]\nImage=i\nPrivateNetwork=yes\n",
                  "a:3: [App] PrivateNetwork: not for an app (use [Pod] Network=)\n" },
                { "[App]\nImage=i\nNetwork=none\n",
                  "a:3: [App] Network: unknown key (it belongs in [Pod])\n" },
                { "[Pod]\nMemoryMax=1\n[App]\nImage=i\n",
                  "a:2: [Pod] MemoryMax: unknown key (it belongs in [Service])\n" },
                { "[Install]\nWantdBy=x.target\n[App]\nImage=i\n",
                  "a:2: [Install] WantdBy: unknown key (did you mean WantedBy=?)\n" },
                { "[App]\nImage=i\n[Socket a]\nListenStream=1\nProxy=1\nIdleExit=9\n"
                  "[Socket b]\nListenStream=2\n[Socket c]\nListenStream=3\nProxy=3\n",
                  "a:11: [Socket c] Proxy: [Socket a] has Proxy= and IdleExit= (set IdleExit= for all of "
                  "them, or for none)\n" },
                { "[App]\nImage=i\n[Socket a]\nListenStream=1\nProxy=1\n"
                  "[Socket b]\nListenStream=2\nProxy=2\nIdleExit=9\n",
                  "a:9: [Socket b] IdleExit: [Socket a] has Proxy= without IdleExit= (set IdleExit= for "
                  "all of them, or for none)\n" },
                { "[App]\nImage=i\n[Socket a]\nListenStream=1\nProxy=1\nIdleExit=9\n"
                  "[Socket b]\nListenStream=2\nProxy=2\nIdleExit=8\n",
                  "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_loaded_ Loaded x = {};

                load_as("shop", NULL, cases[i].text, NULL, &x);
                expect_errors(&x.errors, cases[i].errors);
        }
}

/* Mistakes in a drop-in come after those of the file; more than POD_ERRORS_MAX are counted. */
static void test_error_order(void **state) {
        _cleanup_loaded_ Loaded x = {}, y = {};
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        load_as("shop", NULL, "[App]\nUser=0x\nImage=i\nNope=1\n", "[App]\nGroup=0x\n", &x);
        assert_int_equal(x.errors.n, 3);
        assert_int_equal(x.errors.items[0].line, 2);
        assert_int_equal(x.errors.items[1].line, 4);
        assert_string_equal(x.errors.items[2].file, "b");
        for (unsigned i = 0; i < POD_ERRORS_MAX + 5; i++)
                strbuf_add(&b, "[Nope]\n");
        strbuf_add(&b, "[App]\nImage=i\n");
        load_as("shop", NULL, b.data, NULL, &y);
        assert_int_equal(y.errors.n, POD_ERRORS_MAX);
        assert_int_equal(y.errors.n_more, 5);
}

static void test_tables_are_sorted(void **state) {
        const UnitKey *units;
        size_t n;

        for (PodSection s = 0; s < _POD_SECTION_MAX; s++) {
                const PodKey *keys = pod_keys(s, &n);

                for (size_t i = 1; i < n; i++)
                        assert_true(strcmp(keys[i - 1].name, keys[i].name) < 0);
                for (size_t i = 0; i < n; i++)
                        assert_ptr_equal(pod_key_find(s, keys[i].name), &keys[i]);
        }
        units = unit_key_table(&n);
        for (size_t i = 1; i < n; i++)
                assert_true(strcmp(units[i - 1].name, units[i].name) < 0);
        for (size_t i = 0; i < n; i++)
                assert_ptr_equal(unit_key_find(units[i].name), &units[i]);
}

static void test_value_checks(void **state) {
        static const struct {
                ValueCheck check;
                const char *right, *wrong; /* words with "|" between */
        } cases[] = {
                { CHECK_MEMORY, "1|512M|1.5G|50%|infinity|0", "x|1Q|101%|50%%|-1|1.x" },
                { CHECK_TASKS, "1|10%|infinity", "x|1K" },
                { CHECK_CPU_QUOTA, "1%|200%|0.5%", "1|%" },
                { CHECK_SECONDS, "0|5|5s|1min 30s|infinity|1.5s|2months|1y", "x|5 apples|-1|1.5.2|yy1" },
                { CHECK_SIGNAL, "TERM|SIGTERM|15|SIGRTMIN+3|RTMAX-1|rtmin", "0|65|SIGX|RTMIN-1|SIGRTMIN+x" },
                { CHECK_CALENDAR,
                  "daily|Hourly|semi-annually UTC|Mon|mon..fri 04:30|Sat,Thu,Mon..Wed,Sunday|Mon, "
                  "10:00|Mon-Fri 1:2|"
                  "*-*-* 03:00:00|*-02-29 07:08|*:0/5|2003-03-05T05:40|*-*~07/1|@1395716396|12..14:10,20,30|"
                  "*:*:3.33/10.05|Fri 2012-11-23 11:12:13 Europe/Berlin|weekly America/Port-au-Prince|10:00 "
                  "GMT+0",
                  "|dayly|dayly UTC|Mo 10:00|Monn|Mon..|Mon Fri|10|10 UTC|10:00 daily|daily 10:00|UTC|10:00 "
                  "10:00 10:00|"
                  "10:00 Fri|10h|@|@x|..|10:00 ../x|Mon 10:00 %m" },
                { CHECK_CAPABILITIES, "CAP_CHOWN|~CAP_CHOWN CAP_KILL|cap_bpf|5", "CHOWN|CAP_X" },
                { CHECK_RLIMIT, "infinity|1024|1:2|16M|infinity:infinity|5s", "x|1:x" },
                { CHECK_EXIT_STATUS, "0 1 255|SIGTERM|DATAERR", "256|x" },
                { CHECK_PORT_MAPPING,
                  "80:80|127.0.0.1:80:80|[::]:80:80/udp|8000-8010:8000-8010|80:http|10.0.0.1:1-2:1-2/sctp",
                  "80|0:80|80:70000|x:80:80|80:80/icmp|80:-|9-8:1|[::1]:80:80|[::ffff:1.2.3.4]:80:80" },
                { CHECK_USER, "root|0|4294967294|/etc/passwd|_x|a.b-c", "|-1|4294967295|0day|a b|/../x" },
                { CHECK_ADDRESSES, "any|10.0.0.0/8 ::1|localhost", "x|10.0.0.0/x|1.2.3" },
                { CHECK_ADD_HOST, "a:1.2.3.4|a.b:::1|host", "a|a:b|:1.2.3.4|a:1.2.3.4/8" },
                { CHECK_HOST_NAME, "a|a.b-c|A1", "|-a|a.|a..b|a_b" },
                { CHECK_DEVICE, "/dev/null rw|char-pts rwm|block-loop", "null|/dev/null x" },
                { CHECK_UNITS, "a.service|b.target c.pod|a@b.socket", "a|a.b|.service|a b.service" },
                { CHECK_NAMESPACES, "yes|user mnt|~user", "x" },
                { CHECK_ERRNO, "EPERM|1|kill|EDEADLOCK", "EX|perm" },
                { CHECK_SYSCALLS, "@system-service|~mount umount2|read:EPERM|~@clock:1 kill:kill",
                  "a=b|~chmod:EPREM|read:|:EPERM|@" },
                { CHECK_FAMILIES, "AF_UNIX AF_INET6|~AF_DECnet|none",
                  "AF_NETLINKK|~AF_NETLINKK|INET|AF_|AF_unix" },
                { CHECK_CONTROL_GROUPS, "yes|strict|private|0", "strct" },
                { CHECK_PROTECT_HOSTNAME, "yes|private|no|private:a.b|yes:a",
                  "privat|no:-|private:|privately-long" },
                { CHECK_PROTECT_PROC, "invisible|noaccess|ptraceable|default", "hidden|yes" },
                { CHECK_JOB_MODE, "replace|ignore-dependencies", "0755|replaces" },
                { CHECK_SECURE_BITS, "keep-caps noroot-locked", "noroots" },
                { CHECK_NICE, "-20|19|+5|0", "20|x|--1" },
                { CHECK_PATHS, "/a|-/a /b|\"/a b\" +/c", "a|/a b" },
                { CHECK_APP_TMPFS, "/a:size=1G|/a:size=50%|/a", "/a:size=1.5G|/a:size=x|/" },
                { CHECK_SYSCTL, "net.core.x=1|kernel/y=", "x|=1" },
                { CHECK_BANDWIDTH, "/dev/sda 5M|/srv infinity", "5M|/dev/sda" },
                { CHECK_COMMAND, "/bin/x|-/bin/x|@x y", "+/x|!x|-" },
        };

        unsigned n_failed = 0;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (unsigned wrong = 0; wrong < 2; wrong++) {
                        const char *p = wrong ? cases[i].wrong : cases[i].right;

                        for (;;) {
                                size_t n = strcspn(p, "|");
                                _cleanup_free_ char *word = strndup(p, n);

                                if (!!value_check(cases[i].check, word) != wrong) {
                                        print_error("check %zu: '%s' should be %s\n", i, word,
                                                    wrong ? "wrong" : "right");
                                        n_failed++;
                                }
                                if (p[n] == '\0')
                                        break;
                                p += n + 1;
                        }
                }
        assert_int_equal(n_failed, 0);
}

/* What cannot be is an error only for who asks for private users. */
static void test_private_users(void **state) {
        static const char app[] = "[App]\nImage=a\nIPAddressDeny=any\nNice=-3\n";
        static const struct {
                const char *word, *value, *error;
        } cases[] = {
                { "no", "no", "" },
                { "auto", "auto", "" },
                { "pick", "pick",
                  "a:5: [App] IPAddressDeny: the kernel does not let a pod with PrivateUsers=pick set it "
                  "(use "
                  "PrivateUsers=no, or [Service] IPAddressDeny=)\n" },
        };

        FOREACH_ARRAY (c, cases, sizeof(cases) / sizeof(*cases)) {
                _cleanup_loaded_ Loaded x = {};
                _cleanup_free_ char *text = strf("[Pod]\nPrivateUsers=%s\n%s", c->word, app);

                load_as("shop", NULL, text, NULL, &x);
                expect_errors(&x.errors, c->error);
                assert_string_equal(x.spec->private_users, c->value);
        }
}

static void test_order(void **state) {
        _cleanup_loaded_ Loaded x = {}, y = {};
        const uint64_t weights[] = { 1, 10, 100, 1000 };
        const char *app = NULL;
        uint64_t longest = 0;

        load("[App a]\nImage=i\n[App b]\nImage=i\nAfter=a\n[App c]\nImage=i\nBefore=b\n[App "
             "d]\nImage=i\nAfter=a\n",
             NULL, &x);
        assert_int_equal(pod_spec_longest_chain(x.spec, weights, &longest, &app), 0);
        assert_int_equal(longest, 1001);
        load_as("shop", NULL,
                "[App a]\nImage=i\nAfter=c\n[App b]\nImage=i\nAfter=a\n[App c]\nImage=i\nAfter=b\n", NULL,
                &y);
        assert_int_equal(pod_spec_longest_chain(y.spec, weights, &longest, &app), -ELOOP);
        assert_int_equal(y.errors.n, 1);
}

static void test_broken_unit(void **state) {
        _cleanup_loaded_ Loaded x = {};
        _cleanup_unit_files_ UnitFiles files = UNIT_FILES_INIT;
        PodEntry entry = { .name = (char[]){ "shop" }, .path = (char[]){ "/p/100%.pod" } };

        load_as("shop", NULL, "[App]\n[Unit]\nAfter=x.service\n[Install]\nWantedBy=a.target b.target\n", NULL,
                &x);
        assert_int_equal(pod_unit_files(&entry, x.spec, true, &files), 0);
        assert_int_equal(files.n, 3);
        assert_string_equal(files.items[0].path, "pod@shop.service.d/50-pod.conf");
        assert_string_equal(
                files.items[0].text,
                "# Made by rkt-pod-generator(8) from /p/100%.pod\n[Unit]\nSourcePath=/p/100%%.pod\n"
                "After=x.service\n");
        assert_string_equal(files.items[2].path, "b.target.wants/pod@shop.service");
        assert_non_null(endswith(files.items[2].target, "/pod@.service"));
}

/* A file is as public as the directories above it let it be. */
static void test_public(void **state) {
        char top[] = "/tmp/test-podfile-XXXXXX";
        _cleanup_free_ char *dir = NULL, *file = NULL, *other = NULL, *missing = NULL;
        int fd;

        assert_non_null(mkdtemp(top));
        dir = strf("%s/d", top);
        file = strf("%s/d/f", top);
        other = strf("%s/link", top);
        missing = strf("%s/missing", top);
        assert_int_equal(chmod(top, 0755), 0);
        assert_int_equal(mkdir(dir, 0755), 0);
        assert_int_equal(chmod(dir, 0755), 0);
        fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, 0644), 0);
        assert_int_equal(symlink(file, other), 0);
        assert_true(pod_recipe_is_public(file));
        assert_true(pod_recipe_is_public(other));
        assert_false(pod_recipe_is_public(missing));
        assert_int_equal(fchmod(fd, 0640), 0);
        assert_false(pod_recipe_is_public(file));
        assert_int_equal(fchmod(fd, 0644), 0);
        assert_int_equal(chmod(dir, 0754), 0); /* its names may be listed, no more */
        assert_false(pod_recipe_is_public(file));
        assert_false(pod_recipe_is_public(other));
        assert_int_equal(chmod(dir, 0711), 0);
        assert_true(pod_recipe_is_public(file));
        assert_int_equal(chmod(top, 0700), 0);
        assert_false(pod_recipe_is_public(file));
        assert_int_equal(unlink(other), 0);
        assert_int_equal(unlink(file), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(rmdir(dir), 0);
        assert_int_equal(rmdir(top), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),       cmocka_unit_test(test_environment),
                cmocka_unit_test(test_merge),          cmocka_unit_test(test_settings),
                cmocka_unit_test(test_empty_settings), cmocka_unit_test(test_newer_systemd),
                cmocka_unit_test(test_volumes),        cmocka_unit_test(test_sockets),
                cmocka_unit_test(test_specifiers_p9),  cmocka_unit_test(test_template),
                cmocka_unit_test(test_auto_update),    cmocka_unit_test(test_network),
                cmocka_unit_test(test_not_yet),        cmocka_unit_test(test_errors),
                cmocka_unit_test(test_error_order),    cmocka_unit_test(test_tables_are_sorted),
                cmocka_unit_test(test_value_checks),   cmocka_unit_test(test_private_users),
                cmocka_unit_test(test_order),          cmocka_unit_test(test_broken_unit),
                cmocka_unit_test(test_public),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

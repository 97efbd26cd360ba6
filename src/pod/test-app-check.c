/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said about an app before it starts: words that nobody knows, isolators without effect, profiles. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "manifest/ac-isolator.h"
#include "pod/app-check.h"
#include "pod/pod-sysctl.h"
#include "pod/profile.h"

static AcApp *app_with(const char *name, const char *json) {
        AcApp *app;

        assert_int_equal(ac_app_new(&app), 0);
        assert_int_equal(ac_isolators_add(&app->isolators, &app->n_isolators, name, json, NULL), 0);
        return app;
}

static void test_isolators(void **state) {
        static const struct {
                const char *name, *json, *error;
        } cases[] = {
                { "os/linux/seccomp-retain-set",
                  "{\"set\":[\"read\",\"@rkt/default-whitelist\",\"@systemd/clock\"]}", NULL },
                { "os/linux/seccomp-remove-set", "{\"set\":[\"@appc.io/empty\"],\"errno\":\"EXFULL\"}",
                  NULL },
                /* of another architecture: known, and nothing on this one */
                { "os/linux/seccomp-remove-set", "{\"set\":[\"riscv_flush_icache\",\"socketcall\"]}", NULL },
                { "os/linux/seccomp-remove-set", "{\"set\":[\"reboott\"]}",
                  "isolator os/linux/seccomp-remove-set: Linux has no system call 'reboott'" },
                { "os/linux/seccomp-retain-set", "{\"set\":[\"@rkt/unknown\"]}",
                  "isolator os/linux/seccomp-retain-set: there is no set '@rkt/unknown'" },
                { "os/linux/seccomp-retain-set", "{\"set\":[\"@systemd/nonesuch\"]}",
                  "isolator os/linux/seccomp-retain-set: there is no set '@systemd/nonesuch'" },
                { "os/linux/seccomp-retain-set", "{\"set\":[\"read\"],\"errno\":\"EFOO\"}",
                  "isolator os/linux/seccomp-retain-set: Linux has no error 'EFOO'" },
                { "os/linux/capabilities-remove-set", "{\"set\":[\"CAP_PONIES\"]}",
                  "isolator os/linux/capabilities-remove-set: Linux has no capability 'CAP_PONIES'" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                AcApp *app = app_with(c->name, c->json);

                assert_int_equal(app_check_isolators(app, &e), c->error ? -EINVAL : 0);
                if (c->error)
                        assert_string_equal(e.message, c->error);
                ac_app_free(app);
        }
}

static void test_settings(void **state) {
        static const struct {
                const char *value, *error;
        } cases[] = {
                { "", NULL },
                { "@system-service ptrace", NULL },
                { "~stat:EPERM @clock:kill", NULL },
                { "stat ptrac", "SystemCallFilter: Linux has no system call 'ptrac'" },
                { "~@sistem-service", "SystemCallFilter: systemd has no group '@sistem-service'" },
                { "~stat:EPREM", "SystemCallFilter: Linux has no error 'EPREM'" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                UnitSettings s = {};

                assert_int_equal(unit_settings_add(&s, "SystemCallFilter", c->value, (PodPlace){}), 0);
                assert_int_equal(app_check_settings(&s, &e), c->error ? -EINVAL : 0);
                if (c->error)
                        assert_string_equal(e.message, c->error);
                unit_settings_done(&s);
        }
}

static void test_ignored(void **state) {
        static const struct {
                const char *name, *json, *warning;
        } cases[] = {
                { "resource/memory", "{\"limit\":\"1M\"}", NULL },
                { "os/linux/oom-score-adj", "5", NULL },
                { "os/linux/no-new-privileges", "true", NULL },
                { "os/linux/oom-score-adj", "-5",
                  "app 'a': the image's isolator os/linux/oom-score-adj is ignored: an image cannot make "
                  "others die "
                  "first; OOMScoreAdjust= can" },
                { "os/linux/no-new-privileges", "false",
                  "app 'a': the image's isolator os/linux/no-new-privileges is ignored: an image cannot ask "
                  "for it; "
                  "NoNewPrivileges=no can" },
                { "resource/network-bandwidth", "{\"default\":true,\"limit\":\"1M\"}",
                  "app 'a': the image's isolator resource/network-bandwidth is ignored: neither systemd nor "
                  "the kernel "
                  "can do that for an app alone" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_strv_free_ char **warnings = NULL;
                AcApp *app = app_with(c->name, c->json);

                assert_int_equal(app_ignored_isolators(app, "a", &warnings), 0);
                assert_int_equal(strv_length(warnings), c->warning ? 1 : 0);
                if (c->warning)
                        assert_string_equal(warnings[0], c->warning);
                ac_app_free(app);
        }
}

#define MACHINES(name)                                                                                       \
        "kernel setting '" name "' is the machine's: a pod has those in net, and kernel.shm*, kernel.msg*, " \
        "kernel.sem and fs.mqueue.*"

static void test_sysctls(void **state) {
        static const struct {
                const char *name, *value, *error;
                bool host;
        } cases[] = {
                { "net.core.somaxconn", "7", NULL, false },
                { "net/ipv4/ip_local_port_range", "1\t2", NULL, false },
                { "kernel.panic", "1", MACHINES("kernel.panic"), false },
                { "net/../kernel/panic", "1", MACHINES("net/../kernel/panic"), false },
                { "network.x", "1", MACHINES("network.x"), false },
                { "net.core.somaxconn", "7",
                  "kernel setting 'net.core.somaxconn' is the host's, as is the network of this pod", true },
                { "kernel.shmmax", "7", NULL, false },
                { "fs/mqueue/queues_max", "7", NULL, false },
                { "kernel.shmmax", "7",
                  "kernel setting 'kernel.shmmax' is the host's, as are queues and shared memory of this pod",
                  true },
                { "kernel.shmma", "7", MACHINES("kernel.shmma"), false },
                { "kernel.shmmaxx", "7", MACHINES("kernel.shmmaxx"), false },
                { "kernel.shmmax/../panic", "7", MACHINES("kernel.shmmax/../panic"), false },
                { "net.a", "7\nkernel.panic = 1", "kernel setting 'net.a' has a line break in it", false },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(pod_sysctl_check(c->name, c->value, c->host, c->host, &e),
                                 c->error ? -EINVAL : 0);
                if (c->error)
                        assert_string_equal(e.message, c->error);
        }
}

/* Two apps of a pod have one kernel. */
static void test_sysctls_of_two(void **state) {
        _cleanup_(pod_manifest_freep) PodManifest *m = NULL;
        _cleanup_pod_spec_ PodSpec *s = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        AppSpec *a;

        assert_int_equal(pod_spec_new("p", &s), 0);
        assert_int_equal(pod_spec_add_app(s, "one", &a), 0);
        assert_int_equal(strv_extend(&a->sysctls, "net.a=1"), 0);
        assert_int_equal(pod_spec_add_app(s, "two", &a), 0);
        assert_int_equal(strv_extend(&a->sysctls, "net.a=1"), 0);
        assert_int_equal(strv_extend(&a->sysctls, "net.b=a \"b\""), 0);
        assert_int_equal(pod_manifest_new(&m), 0);
        assert_int_equal(pod_add_sysctls(s, m, &e), 0);
        assert_int_equal(m->n_isolators, 1);
        assert_int_equal(m->isolators[0].n_sysctls, 2);
        assert_string_equal(ac_pairs_get(m->isolators[0].sysctls, 2, "net.b"), "a \"b\"");
        assert_int_equal(strv_extend(&a->sysctls, "net.a=2"), 0);
        assert_int_equal(pod_add_sysctls(s, m, &e), -EINVAL);
        assert_string_equal(
                e.message,
                "app 'two': the pod has one 'net.a' for all its apps, and another one wants it to be 1");
}

static void test_profiles(void **state) {
        static const struct {
                const char *text, *error;
        } cases[] = {
                { "[App]\nCapabilityBoundingSet=\nNoNewPrivileges=no\nTasksMax=7\nNoNewPrivileges=\n[X-Mine]"
                  "\nA=1\n",
                  NULL },
                { "[Pod]\nNetwork=none\n", "1: [Pod]: a profile has one section, [App]" },
                { "[App]\nUser=0\n", "2: [App] User: this key has no place in a profile" },
                { "[App]\nType=notify\n", "2: [App] Type: this key has no place in a profile" },
                { "[App]\nTimeoutStopSec=7\n",
                  "2: [App] TimeoutStopSec: this key has no place in a profile" },
                { "[App]\nTasksMax=many\n", "2: [App] TasksMax: " },
                { "[App]\nnonsense\n", "2: " },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                char top[] = "/tmp/rkt-test-profile-XXXXXX", name[] = "p", *names[] = { name, NULL };
                _cleanup_free_ char *dir = NULL, *file = NULL;
                _cleanup_error_ Error e = ERROR_INIT;
                UnitSettings s = {};
                int r;

                assert_non_null(mkdtemp(top));
                dir = strf("%s/p", top);
                file = strf("%s/p/1.conf", top);
                assert_int_equal(mkdir(dir, 0700), 0);
                assert_int_equal(
                        file_write_at(AT_FDCWD, file, c->text, strlen(c->text), 0600, FILE_WRITE_NO_SYNC), 0);
                r = profile_load((const char *const[]){ "/nonexistent", top, NULL }, names, &s, &e);
                assert_int_equal(r, c->error ? -EINVAL : 0);
                if (c->error)
                        assert_non_null(strstr(e.message, c->error));
                else {
                        assert_int_equal(s.n, 2);
                        assert_string_equal(unit_settings_last(&s, "TasksMax"), "7");
                }
                unit_settings_done(&s);
                assert_int_equal(unlink(file), 0);
                assert_int_equal(rmdir(dir), 0);
                assert_int_equal(profile_load((const char *const[]){ top, NULL }, names, &s, NULL), -ENOENT);
                assert_int_equal(rmdir(top), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_isolators),      cmocka_unit_test(test_settings),
                cmocka_unit_test(test_ignored),        cmocka_unit_test(test_sysctls),
                cmocka_unit_test(test_sysctls_of_two), cmocka_unit_test(test_profiles),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

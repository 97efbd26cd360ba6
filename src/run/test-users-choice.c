/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "basic/macro.h"
#include "basic/str.h"
#include "pod/pod-compose.h"
#include "podfile/users-check.h"
#include "run/users-choice.h"

#define ANNOTATION(name, value) "{\"name\":\"" name "\",\"value\":\"" value "\"}"

/* A pod of one app. */
static PodManifest *make(const char *app, const char *app_annotation, const char *annotation,
                         const char *isolators) {
        _cleanup_free_ char *text = strf(
                "{\"acVersion\":\"0.8.11\",\"acKind\":\"PodManifest\",\"apps\":[{\"name\":\"a\",\"image\":"
                "{\"id\":\"sha512-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
                "abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"},"
                "\"app\":{\"exec\":[\"/x\"],%s},\"annotations\":[%s]}],\"volumes\":[],\"isolators\":[%s],"
                "\"annotations\":[%s],\"ports\":[]}",
                app, app_annotation, isolators, annotation);
        _cleanup_error_ Error e = ERROR_INIT;
        PodManifest *m = NULL;
        int r = pod_manifest_parse(text, strlen(text), &m, &e);

        if (r < 0)
                fail_msg("%s", error_text(&e, r));
        return m;
}

static void test_reasons(void **state) {
        static const char
                sysctl[] = "{\"name\":\"os/unix/sysctl\",\"value\":{\"net.core.somaxconn\":\"5\"}}",
                pattern[] = "{\"name\":\"os/unix/sysctl\",\"value\":{\"net.ipv4.conf.*.rp_filter\":\"1\"}}";
        static const struct {
                const char *user, *group, *unit, *pod, *isolators;
                NetworkKind network;
                const char *why; /* NULL: none */
        } cases[] = {
                { "0", "0", "MemoryMax=1G", "", "", NETWORK_OWN, NULL },
                { "65535", "five", "Nice=5\\nOOMScoreAdjust=5", "", "", NETWORK_NONE, NULL },
                { "0", "0", "", "", "", NETWORK_HOST, "its network is the host's" },
                { "0", "0", "Nice=5\\nIPAddressDeny=any", "", "", NETWORK_OWN,
                  "app 'a' has IPAddressDeny=any" },
                { "0", "0", "Nice=-5", "", "", NETWORK_OWN, "app 'a' has Nice=-5" },
                { "0", "0", "CapabilityBoundingSet=CAP_KILL CAP_NET_RAW", "", "", NETWORK_NONE, NULL },
                { "0", "0", "CapabilityBoundingSet=CAP_KILL CAP_NET_RAW", "", "", NETWORK_OWN,
                  "app 'a' has CAP_NET_RAW" },
                { "0", "0", "AmbientCapabilities=CAP_SYS_TIME", "", "", NETWORK_NONE,
                  "app 'a' has CAP_SYS_TIME" },
                { "0", "0", "CapabilityBoundingSet=~CAP_SYS_TIME", "", "", NETWORK_NONE, NULL },
                { "0", "0", "", ANNOTATION("rkt.systemd/ipc", "parent"), "", NETWORK_OWN,
                  "its semaphores and shared memory are the host's" },
                { "0", "0", "", ANNOTATION("rkt.systemd/insecure", "image,capabilities"), "", NETWORK_OWN,
                  "its capabilities are not limited" },
                { "0", "0", "", ANNOTATION("rkt.systemd/insecure", "image,paths"), "", NETWORK_OWN, NULL },
                { "0", "0", "", "", sysctl, NETWORK_OWN, NULL },
                { "0", "0", "", "", sysctl, NETWORK_NONE, "the pod has Sysctl=net.core.somaxconn" },
                { "0", "0", "", "", pattern, NETWORK_OWN, "the pod has Sysctl=net.ipv4.conf.*.rp_filter" },
        };

        FOREACH_ARRAY (c, cases, sizeof(cases) / sizeof(*cases)) {
                _cleanup_free_ char *app = strf("\"user\":\"%s\",\"group\":\"%s\"", c->user, c->group),
                                    *unit = strf(ANNOTATION("rkt.systemd/unit", "%s"), c->unit), *why = NULL;
                _cleanup_(pod_manifest_freep) PodManifest *m = make(app, unit, c->pod, c->isolators);

                assert_int_equal(users_need_of_pod(m, c->network, &why), c->why ? 1 : 0);
                if (c->why)
                        assert_string_equal(why, c->why);
                else
                        assert_null(why);
        }
}

/* Which device of a volume an app may open is for its device policy, which needs a filter that only the host's root can load. */
static void test_devices(void **state) {
        static const char *const options[] = { "v:dev", "v:suid,dev,noexec", "v:suid", "w:dev" };

        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                _cleanup_(pod_manifest_freep) PodManifest *m =
                        make("\"user\":\"0\",\"group\":\"0\"", "", "", "");
                _cleanup_free_ char *why = NULL;
                AcVolume *v;

                assert_int_equal(pod_manifest_add_volume(m, "v", &v), 0);
                assert_int_equal(pod_app_add_mount(&m->apps[0], "v", "/v"), 0);
                assert_int_equal(pod_manifest_set_annotation(m, POD_ANNOTATION_VOLUMES, options[i]), 0);
                assert_int_equal(users_need_of_pod(m, NETWORK_OWN, &why), i < 2 ? 1 : 0);
                assert_string_equal(str_or(why, ""), i < 2 ? "a volume has the option dev" : "");
        }
}

/* The administrator's numbers are a reason, those of an image are not: whoever runs it must not have the host's users for its sake. */
static void test_whose_users(void **state) {
        static const struct {
                const char *app, *annotation, *why;
        } cases[] = {
                { "\"user\":\"65536\",\"group\":\"7\"", ANNOTATION("rkt.systemd/users", "given"),
                  "app 'a' runs as user 65536, group 7" },
                { "\"user\":\"0\",\"group\":\"70000\"", ANNOTATION("rkt.systemd/users", "given"),
                  "app 'a' runs as user 0, group 70000" },
                { "\"user\":\"0\",\"group\":\"0\",\"supplementaryGIDs\":[5,65536]",
                  ANNOTATION("rkt.systemd/users", "given"), "app 'a' is in group 65536" },
                { "\"user\":\"0\",\"group\":\"0\"", ANNOTATION("rkt.systemd/groups", "5 wheel 65536"),
                  "app 'a' is in group 65536" },
                { "\"user\":\"0\",\"group\":\"0\"", ANNOTATION("rkt.systemd/groups", "5 wheel 65535"), NULL },
                { "\"user\":\"65536\",\"group\":\"7\"", "", NULL },
                { "\"user\":\"0\",\"group\":\"70000\",\"supplementaryGIDs\":[65536]", "", NULL },
        };

        FOREACH_ARRAY (c, cases, sizeof(cases) / sizeof(*cases)) {
                _cleanup_(pod_manifest_freep) PodManifest *m = make(c->app, c->annotation, "", "");
                _cleanup_free_ char *why = NULL;

                assert_int_equal(users_need_of_pod(m, NETWORK_NONE, &why), c->why ? 1 : 0);
                assert_string_equal(str_or(why, ""), str_or(c->why, ""));
        }
        assert_true(users_is_above("65536"));
        assert_false(users_is_above("65535") || users_is_above(NULL) || users_is_above("anna") ||
                     users_is_above("/bin"));
}

static void test_settings(void **state) {
        static const struct {
                const char *key, *value;
                UsersNeed need;
        } cases[] = {
                { "IPAddressDeny", "any", USERS_NEED_NEVER },
                { "IPAddressAllow", "", USERS_NEED_ANY },
                { "CPUSchedulingPolicy", "rr", USERS_NEED_NEVER },
                { "CPUSchedulingPolicy", "batch", USERS_NEED_ANY },
                { "IOSchedulingClass", "realtime", USERS_NEED_NEVER },
                { "IOSchedulingClass", "2", USERS_NEED_ANY },
                { "DeviceAllow", "/dev/fuse rw", USERS_NEED_HOST },
                { "OOMScoreAdjust", "-1", USERS_NEED_HOST },
                { "OOMScoreAdjust", "0", USERS_NEED_ANY },
                { "LimitNOFILE", "1024:524288", USERS_NEED_ANY },
                { "LimitNOFILE", "524289", USERS_NEED_HOST },
                { "LimitNOFILE", "1024:infinity", USERS_NEED_HOST },
                { "LimitMEMLOCK", "infinity", USERS_NEED_HOST },
                { "LimitCORE", "infinity", USERS_NEED_ANY },
                { "MemoryMax", "1G", USERS_NEED_ANY },
        };

        FOREACH_ARRAY (c, cases, sizeof(cases) / sizeof(*cases))
                assert_int_equal(users_need(c->key, c->value), c->need);
        assert_true(users_need_capability("CAP_SYS_ADMIN", false));
        assert_false(users_need_capability("CAP_MKNOD", true));
        assert_true(users_need_capability("CAP_NET_ADMIN", true));
        assert_false(users_need_capability("CAP_NET_ADMIN", false));
        assert_true(users_need_capability("CAP_NET_BIND_SERVICE", true));
}

/* Of both, whoever said it; what the pod file says of a key is instead of the profile's. */
static void test_check(void **state) {
        static const struct {
                const char *unit, *profile, *wrong;
        } cases[] = {
                { "Nice=-5", "Nice=-6", NULL },
                { "Nice=-5\\nCPUSchedulingPolicy=fifo", "", "CPUSchedulingPolicy=fifo" },
                { "MemoryMax=1G", "IPAddressDeny=any", "IPAddressDeny=any" },
                { "IPAddressDeny=", "IPAddressDeny=any\\nMemoryMax=1G", NULL },
                { "IPAddressAllow=", "IPAddressDeny=any", "IPAddressDeny=any" },
        };

        FOREACH_ARRAY (c, cases, sizeof(cases) / sizeof(*cases)) {
                _cleanup_free_ char *unit = strf(ANNOTATION("rkt.systemd/unit",
                                                            "%s") "," ANNOTATION("rkt.systemd/profile", "%s"),
                                                 c->unit, c->profile),
                                    *why = NULL, *wanted = NULL;
                _cleanup_(pod_manifest_freep) PodManifest *m =
                        make("\"user\":\"0\",\"group\":\"0\"", unit, "", "");
                _cleanup_error_ Error e = ERROR_INIT;

                assert_int_equal(users_check(m, &e), c->wrong ? -EINVAL : 0);
                if (!c->wrong)
                        continue;
                wanted = strf("app 'a' has %s: the kernel does not let a pod with private users set it (use "
                              "PrivateUsers=no)",
                              c->wrong);
                assert_string_equal(e.message, wanted);
                assert_int_equal(users_need_of_pod(m, NETWORK_OWN, &why), 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reasons),     cmocka_unit_test(test_devices),
                cmocka_unit_test(test_whose_users), cmocka_unit_test(test_settings),
                cmocka_unit_test(test_check),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

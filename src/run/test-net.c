/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "run/cni-conf.h"
#include "run/cni-result.h"
#include "run/net-address.h"
#include "run/net-rules.h"

#define UUID(n) "0000000" n "-0000-4000-8000-000000000000"

static void expect_list(char **list, const char *expected) {
        _cleanup_free_ char *joined = NULL;

        assert_int_equal(strv_join(list, " ", &joined), 0);
        assert_string_equal(joined, expected);
}

/* ---- results and errors ---- */

static void test_result(void **state) {
        static const struct {
                const char *text, *addresses, *gateways, *host_ifs, *servers;
                int r;
        } cases[] = {
                { "{\"cniVersion\":\"0.1.0\",\"ip4\":{\"ip\":\"172.16.28.2/"
                  "24\",\"gateway\":\"172.16.28.1\"},\"dns\":{}}",
                  "172.16.28.2/24", "172.16.28.1", "", "", 0 },
                { "{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"br0\"},{\"name\":\"eth0\","
                  "\"sandbox\":\"/x\"}],"
                  "\"ips\":[{\"interface\":1,\"address\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\"},"
                  "{\"interface\":0,\"address\":\"10.0.0.1/24\"},{\"address\":\"FD00::2/64\"}],"
                  "\"dns\":{\"nameservers\":[\"1.2.3.4\"],\"search\":[\"a\"],\"domain\":\"b\",\"options\":["
                  "\"c\"]}}",
                  "10.0.0.2/24 fd00::2/64", "10.0.0.1", "br0", "1.2.3.4", 0 },
                { "", "", "", "", "", 0 },
                { "{}", "", "", "", "", 0 },
                { "[]", "", "", "", "", -1 },
                { "rubbish", "", "", "", "", -1 },
                { "{\"ips\":[{\"address\":\"10.0.0.256/24\"}]}", "", "", "", "", -1 },
                { "{\"ips\":[{\"address\":\"10.0.0.2/33\"}]}", "", "", "", "", -1 },
                { "{\"ips\":[{}]}", "", "", "", "", -1 },
                { "{\"interfaces\":[],\"ips\":[{\"interface\":7,\"address\":\"10.0.0.2/24\"}]}", "", "", "",
                  "", -1 },
                { "{\"interfaces\":[{\"name\":\"../../x\"}]}", "", "", "", "", -1 },
                { "{\"dns\":{\"nameservers\":[\"1.2.3.4\\nx\"]}}", "", "", "", "", -1 },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                NetAttachment a = {};
                int r = cni_result_parse(c->text, strlen(c->text), &a, NULL);

                assert_int_equal(r < 0 ? -1 : r, c->r);
                if (r >= 0) {
                        expect_list(a.addresses, c->addresses);
                        expect_list(a.gateways, c->gateways);
                        expect_list(a.host_ifs, c->host_ifs);
                        expect_list(a.nameservers, c->servers);
                }
                net_attachment_done(&a);
        }
}

static void test_error(void **state) {
        static const char text[] =
                "{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"no\\nway\",\"details\":\"d\\u001b\"}";
        CniError x = {};

        assert_int_equal(cni_error_parse(text, strlen(text), &x), 0);
        assert_int_equal(x.code, 11);
        assert_string_equal(x.message, "no way: d ");
        cni_error_done(&x);
        assert_int_equal(cni_error_parse("{\"msg\":\"x\"}", 11, &x), -EBADMSG);
        assert_int_equal(cni_error_parse("x", 1, &x), -EBADMSG);
}

/* ---- configurations and requests ---- */

static CniConf *conf(const char *text) {
        CniConf *c = NULL;

        assert_int_equal(cni_conf_parse(text, strlen(text), &c, NULL), 0);
        return c;
}

static void expect_request(const CniConf *c, size_t i, const CniRequest *q, const char *expected) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(cni_conf_request(c, i, q, &text, NULL), 0);
        assert_string_equal(text, expected);
}

/* NET-27: byte for byte, as long as nothing is added */
static void test_request(void **state) {
        static const char one[] =
                "{ \"name\": \"n\",\n \"type\": \"x\", \"capabilities\": {\"ips\": true} }\n";
        static const char extra[] = "{\"ips\":[\"1.2.3.4\"],\"portMappings\":[],\"mac\":\"m\"}";
        static const char list[] =
                "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"a\",\"k\":[1,2.50]},"
                "{\"type\":\"b\",\"capabilities\":{\"portMappings\":true,\"mac\":false}}]}";
        _cleanup_(json_freep) JsonValue *runtime = NULL;
        _cleanup_(cni_conf_freep) CniConf *c = conf(one), *d = conf(list);

        assert_int_equal(json_parse(extra, strlen(extra), &runtime, NULL), 0);
        expect_request(c, 0, &(CniRequest){}, one);
        expect_request(c, 0, &(CniRequest){ .result = "{}", .is_del = true }, one);
        expect_request(c, 0, &(CniRequest){ .runtime = runtime },
                       "{\"cniVersion\":\"0.1.0\",\"name\":\"n\",\"type\":\"x\",\"runtimeConfig\":{\"ips\":["
                       "\"1.2.3.4\"]}}");
        expect_request(d, 0, &(CniRequest){ .runtime = runtime },
                       "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"a\",\"k\":[1,2.50]}");
        expect_request(d, 1,
                       &(CniRequest){ .runtime = runtime, .result = "{\"ips\":[]}", .version = "0.4.0" },
                       "{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"type\":\"b\",\"runtimeConfig\":{"
                       "\"portMappings\":[]},"
                       "\"prevResult\":{\"ips\":[]}}");
        assert_true(cni_conf_has_capability(d, "portMappings"));
        assert_false(cni_conf_has_capability(d, "mac"));
        assert_true(cni_version_compare("0.3.1", "0.4.0") < 0);
        assert_true(cni_version_compare("0.10.0", "0.4.0") > 0);
        assert_int_equal(cni_version_compare("1.0.0", "1.0"), 0);
}

/* NET-24: 54 letters are a name */
static void test_conf(void **state) {
        static const struct {
                const char *text, *name, *version;
        } cases[] = {
                { "{\"name\":\"a\",\"type\":\"x\",\"cniVersion\":\"0.3.1\"}", "a", "0.3.1" },
                { "{\"name\":\"a\",\"type\":\"x\",\"cniVersions\":[\"0.4.0\",\"1.1.0\",\"9.0.0\"]}", "a",
                  "1.1.0" },
                { "{\"name\":\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz54\",\"type\":\"x\"}",
                  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz54", "0.1.0" },
                { "{\"name\":\"rkt.kubernetes.io\",\"type\":\"x\"}", "rkt.kubernetes.io", "0.1.0" },
                { "{\"name\":\"a\"}", NULL, NULL },
                { "{\"type\":\"x\"}", NULL, NULL },
                { "{\"name\":\"a b\",\"type\":\"x\"}", NULL, NULL },
                { "{\"name\":\"a\",\"type\":\"../x\"}", NULL, NULL },
                { "{\"name\":\"a\",\"plugins\":[]}", NULL, NULL },
                { "{\"name\":\"a\",\"plugins\":{}}", NULL, NULL },
                { "{\"name\":\"a\",\"plugins\":[{\"type\":\"x\"},1]}", NULL, NULL },
        };

        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_(cni_conf_freep) CniConf *c = NULL;
                int r = cni_conf_parse(t->text, strlen(t->text), &c, NULL);

                assert_int_equal(r >= 0, t->name != NULL);
                if (r >= 0) {
                        assert_string_equal(c->name, t->name);
                        assert_string_equal(c->version, t->version);
                }
        }
}

static void test_check(void **state) {
        static const struct {
                const char *text;
                bool can;
        } cases[] = {
                { "{\"name\":\"a\",\"plugins\":[{\"type\":\"x\"}]}", true },
                { "{\"name\":\"a\",\"disableCheck\":true,\"plugins\":[{\"type\":\"x\"}]}", false },
                { "{\"name\":\"a\",\"disableCheck\":\"true\",\"plugins\":[{\"type\":\"x\"}]}", false },
                { "{\"name\":\"a\",\"disableCheck\":false,\"plugins\":[{\"type\":\"x\"}]}", true },
                { "{\"name\":\"a\",\"disableCheck\":1,\"plugins\":[{\"type\":\"x\",\"disableCheck\":true}]}",
                  true },
                { "{\"name\":\"a\",\"disableCheck\":true,\"type\":\"x\"}", true },
        };

        FOREACH_ARRAY (t, cases, ELEMENTSOF(cases)) {
                _cleanup_(cni_conf_freep) CniConf *c = conf(t->text);

                assert_int_equal(cni_conf_can_check(c), t->can);
        }
}

/* ---- addresses ---- */

static NetStates states_of(const char *text) {
        NetStates states = { .items = new0(NetState *, 1), .n = 1 };

        assert_non_null(states.items);
        assert_int_equal(net_state_parse(text, strlen(text), &states.items[0], NULL), 0);
        return states;
}

/* NET-22, NET-23 */
static void test_lease(void **state) {
        _cleanup_net_states_ NetStates states = states_of("{\"uuid\":\"" UUID(
                "1") "\",\"namespace\":\"/x\",\"networks\":[{\"name\":\"n\",\"ifName\":\"eth0\","
                     "\"addresses\":[\"10.0.0.2/29\",\"10.0.0.4/29\",\"fd00::2/64\"]}],\"ports\":[]}");
        static const struct {
                const char *subnet, *wanted, *expected, *message;
        } cases[] = {
                { "10.0.0.0/29", NULL, "10.0.0.3/29", NULL },
                { "10.0.0.0/29", "10.0.0.6", "10.0.0.6/29", NULL },
                { "10.0.0.0/29", "10.0.0.2", NULL,
                  "requested IP address \"10.0.0.2\" is not available in network: n" },
                { "10.0.0.0/29", "10.0.0.1", NULL,
                  "requested IP address \"10.0.0.1\" is not available in network: n" },
                { "10.0.0.0/29", "10.0.0.0", NULL,
                  "requested IP address \"10.0.0.0\" is not available in network: n" },
                { "10.0.0.0/29", "10.0.0.9", NULL,
                  "requested IP address \"10.0.0.9\" is not available in network: n" },
                { "10.0.0.0/29", "fd00::9", NULL,
                  "requested IP address \"fd00::9\" is not available in network: n" },
                { "10.0.0.0/30", NULL, NULL, "no IP addresses available in network: n" },
                { "fd00::/64", NULL, "fd00::3/64", NULL },
                { "fd00::/64", "fd00::abcd", "fd00::abcd/64", NULL },
                { "x", NULL, NULL, "network n: 'x' is no network" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_error_ Error e = ERROR_INIT;
                char address[NET_ADDRESS_MAX];
                int r = net_lease_take(&states, "n", c->subnet, c->wanted, address, &e);

                assert_int_equal(r >= 0, c->expected != NULL);
                if (r >= 0)
                        assert_string_equal(address, c->expected);
                else
                        assert_string_equal(error_text(&e, r), c->message);
        }
}

/* ---- rules ---- */

#define WEB                                                                                                  \
        "{\"uuid\":\"" UUID(                                                                                 \
                "1") "\",\"machine\":\"web\",\"namespace\":\"/x\",\"networks\":[{\"name\":\"default\","      \
                     "\"ifName\":\"eth0\",\"addresses\":[\"172.16.28.2/24\",\"fd00::2/"                      \
                     "64\"],\"hostInterfaces\":[\"rkt0\"],"                                                  \
                     "\"masquerade\":true},{\"name\":\"default-restricted\",\"ifName\":\"eth1\","            \
                     "\"addresses\":[\"172.31.0.2/16\"],"                                                    \
                     "\"hostInterfaces\":[\"rkt1\"],\"restricted\":true}],\"portNetwork\":0,\"ports\":["     \
                     "{\"protocol\":\"tcp\",\"hostPort\":8080,\"podPort\":80,\"count\":1},"                  \
                     "{\"protocol\":\"udp\",\"hostIP\":\"127.0.0.1\",\"hostPort\":53,\"podPort\":53,"        \
                     "\"count\":1},"                                                                         \
                     "{\"protocol\":\"tcp\",\"hostIP\":\"::\",\"hostPort\":90,\"podPort\":190,\"count\":2}]" \
                     "}"

static void test_rules(void **state) {
        _cleanup_net_states_ NetStates states = states_of(WEB), none = NET_STATES_INIT;
        _cleanup_free_ char *text = NULL, *empty = NULL, *guard = NULL;

        assert_int_equal(net_rules_text(&none, NULL, &empty, NULL), 0);
        assert_string_equal(empty, "table inet rkt {}\ndelete table inet rkt\n");
        assert_int_equal(net_rules_text(&none, (char *[]){ (char[]){ "eth0" }, NULL }, &guard, NULL), 0);
        assert_string_equal(guard, "table inet rkt {}\n"
                                   "delete table inet rkt\n"
                                   "table inet rkt {\n"
                                   "  chain martians {\n"
                                   "    type filter hook prerouting priority raw; policy accept;\n"
                                   "    iifname \"eth0\" ip daddr 127.0.0.0/8 drop\n"
                                   "  }\n"
                                   "}\n");
        assert_int_equal(net_rules_text(&states, (char *[]){ (char[]){ "rkt0" }, NULL }, &text, NULL), 0);
        assert_string_equal(
                text,
                "table inet rkt {}\n"
                "delete table inet rkt\n"
                "table inet rkt {\n"
                "  chain ports {\n"
                "    ip6 daddr ::1 return\n"
                "    meta nfproto ipv4 tcp dport 8080 dnat ip to 172.16.28.2:80\n"
                "    ip daddr 127.0.0.1 meta nfproto ipv4 udp dport 53 dnat ip to 172.16.28.2\n"
                "    meta nfproto ipv6 tcp dport 8080 dnat ip6 to [fd00::2]:80\n"
                "    meta nfproto ipv6 tcp dport 90-91 dnat ip6 to tcp dport map { 90 : fd00::2 . 190, 91 : "
                "fd00::2 . 191 }\n"
                "  }\n"
                "  chain prerouting {\n"
                "    type nat hook prerouting priority dstnat; policy accept;\n"
                "    fib daddr type local jump ports\n"
                "  }\n"
                "  chain output {\n"
                "    type nat hook output priority -100; policy accept;\n"
                "    fib daddr type local jump ports\n"
                "  }\n"
                "  chain martians {\n"
                "    type filter hook prerouting priority raw; policy accept;\n"
                "    iifname \"rkt0\" ip daddr 127.0.0.0/8 drop\n"
                "  }\n"
                "  chain forward {\n"
                "    type filter hook forward priority filter; policy accept;\n"
                "    iifname \"rkt1\" oifname != \"rkt1\" ct direction original drop\n"
                "    ct state established,related accept\n"
                "    ct status dnat accept\n"
                "    iifname \"rkt0\" accept\n"
                "    iifname \"rkt1\" accept\n"
                "    oifname \"rkt0\" drop\n"
                "    oifname \"rkt1\" drop\n"
                "  }\n"
                "  chain postrouting {\n"
                "    type nat hook postrouting priority srcnat; policy accept;\n"
                "    ct status dnat ip saddr 127.0.0.0/8 ip daddr 172.16.28.2 masquerade\n"
                "    ct status dnat ip saddr 172.16.28.0/24 ip daddr 172.16.28.2 masquerade\n"
                "    ct status dnat ip6 saddr fd00::/64 ip6 daddr fd00::2 masquerade\n"
                "    ip saddr 172.16.28.0/24 ip daddr != 172.16.28.0/24 ip daddr != 224.0.0.0/4 masquerade\n"
                "    ip6 saddr fd00::/64 ip6 daddr != fd00::/64 ip6 daddr != ff00::/8 masquerade\n"
                "  }\n"
                "}\n");
}

static void test_conflicts(void **state) {
        _cleanup_net_states_ NetStates states = states_of(WEB);
        static const struct {
                const char *port;
                bool conflict;
        } cases[] = {
                { "{\"protocol\":\"tcp\",\"hostPort\":8079,\"podPort\":1,\"count\":2}", true },
                { "{\"protocol\":\"tcp\",\"hostPort\":8079,\"podPort\":1,\"count\":1}", false },
                { "{\"protocol\":\"udp\",\"hostPort\":8080,\"podPort\":1,\"count\":1}", false },
                { "{\"protocol\":\"tcp\",\"hostIP\":\"10.0.0.1\",\"hostPort\":8080,\"podPort\":1,\"count\":"
                  "1}",
                  true },
                { "{\"protocol\":\"udp\",\"hostIP\":\"10.0.0.1\",\"hostPort\":53,\"podPort\":1,\"count\":1}",
                  false },
                { "{\"protocol\":\"udp\",\"hostIP\":\"127.0.0.1\",\"hostPort\":53,\"podPort\":1,\"count\":1}",
                  true },
                { "{\"protocol\":\"tcp\",\"hostIP\":\"0.0.0.0\",\"hostPort\":90,\"podPort\":1,\"count\":1}",
                  false },
                { "{\"protocol\":\"tcp\",\"hostIP\":\"fd00::1\",\"hostPort\":91,\"podPort\":1,\"count\":1}",
                  true },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_free_ char *text = strf(
                        "{\"uuid\":\"" UUID("2") "\",\"namespace\":\"/x\",\"networks\":[],\"ports\":[%s]}",
                        c->port);
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_net_state_ NetState *s = NULL;
                int r;

                assert_int_equal(net_state_parse(text, strlen(text), &s, NULL), 0);
                r = net_ports_check(&states, s, &e);
                assert_int_equal(r, c->conflict ? -EADDRINUSE : 0);
                if (r < 0)
                        assert_non_null(strstr(error_text(&e, r), "is taken by pod 'web' (" UUID("1") ")"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_result),    cmocka_unit_test(test_error),
                cmocka_unit_test(test_request),   cmocka_unit_test(test_conf),
                cmocka_unit_test(test_lease),     cmocka_unit_test(test_rules),
                cmocka_unit_test(test_conflicts), cmocka_unit_test(test_check),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Their words and messages are rkt's (rkt 1.5); they become what the keys of a pod file become. */
#include "verbs/run-network.h"

#include <arpa/inet.h>
#include <string.h>

#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-types.h"
#include "pod/pod-network.h"
#include "podfile/port-mapping.h"

/* --net=NAME[:K=V;K=V],...; nothing is the default network. */
static int set_networks(const char *value, char ***ret, Error *e) {
        _cleanup_strv_free_ char **words = NULL;

        if (!value)
                return 0;
        if (strv_split(*value ? value : "default", ",", &words) < 0)
                return error_oom(e);
        STRV_FOREACH (w, words) {
                _cleanup_free_ char *network = NULL;
                const char *with;
                int r = pod_network_parse(*w, &network);

                if (r >= 0)
                        r = pod_networks_add(ret, network, &with);
                if (r == -EEXIST || (r >= 0 && with))
                        return error_setf(e, -EEXIST,
                                          "invalid argument \"%s\" for --net: network '%s' stands twice",
                                          value, *w);
                if (r == -EXDEV)
                        return error_setf(e, r,
                                          "invalid argument \"%s\" for --net: host, none and all stand alone",
                                          value);
                if (r == -EINVAL)
                        return error_setf(
                                e, r,
                                "invalid argument \"%s\" for --net: '%s' is not default, host, none, all or "
                                "NAME[:KEY=VALUE;...]",
                                value, *w);
                if (r < 0)
                        return error_oom(e);
        }
        return 0;
}

/* --port=NAME:[HOSTIP:]HOSTPORT is PublishPort=[HOSTIP:]HOSTPORT:NAME. */
static int add_port(const char *value, char ***ret, Error *e) {
        const char *colon = strchr(value, ':');
        _cleanup_free_ char *name = colon ? strndup(value, (size_t) (colon - value)) : NULL, *word = NULL;
        const char *wrong;
        PortMapping m;

        if (!colon || !*name)
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --port: \"%s\" is not in name:[ip:]port format", value,
                        value);
        word = strf("%s:%s", colon + 1, name);
        if (!word)
                return error_oom(e);
        if (!ac_name_is_valid(name))
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --port: \"%s\" is not a valid port name",
                                  value, name);
        wrong = port_mapping_parse(word, &m);
        if (wrong && streq(wrong, PORT_MAPPING_UNPUBLISHABLE))
                return error_setf(e, -EINVAL, "invalid argument \"%s\" for --port: %s", value, wrong);
        if (wrong)
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --port: \"%s\" is not a valid port number, or "
                                  "IP and port",
                                  value, colon + 1);
        return strv_extend(ret, word) < 0 ? error_oom(e) : 0;
}

static int set_ports(const RunArgs *a, PodSpec *s, Error *e) {
        const char *net = str_or(s->networks ? s->networks[0] : NULL, "");
        int r = 0;

        if (a->ports && (streq(net, "none") || streq(net, "host")))
                return error_setf(e, -EINVAL, "--port flag does not work with '%s' networking", net);
        for (char **p = a->ports; r >= 0 && p && *p; p++)
                r = add_port(*p, &s->ports, e);
        return r;
}

/* Repeated, or with commas between. */
static int split_all(char *const *values, char ***ret) {
        int r = 0;

        for (; values && *values && r >= 0; values++) {
                _cleanup_strv_free_ char **words = NULL;

                r = strv_split(*values, ",", &words);
                for (char **w = words; r >= 0 && w && *w; w++)
                        r = strv_extend(ret, *w);
        }
        return r;
}

static int check_words(const char *flag, char *const *words, Error *e) {
        for (; words && *words; words++)
                if (!**words || (*words)[strcspn(*words, " \t\n")])
                        return error_setf(e, -EINVAL, "invalid argument \"%s\" for --%s: blanks, or nothing",
                                          *words, flag);
        return 0;
}

static int check_dns(const PodSpec *s, Error *e) {
        unsigned char address[sizeof(struct in6_addr)];
        int r;

        STRV_FOREACH (d, s->dns) {
                if (streq(*d, "host") || streq(*d, "none")) {
                        if (strv_length(s->dns) > 1)
                                return error_setf(e, -EINVAL,
                                                  "no other --dns options allowed when --dns=%s is passed",
                                                  *d);
                        if (s->dns_search || s->dns_options || s->dns_domain)
                                return error_setf(
                                        e, -EINVAL,
                                        "Cannot call --dns-opt, --dns-search, or --dns-domain with --dns=%s",
                                        *d);
                } else if (inet_pton(AF_INET, *d, address) != 1 && inet_pton(AF_INET6, *d, address) != 1)
                        return error_setf(e, -EINVAL, "Invalid IP passed to --dns: %s", *d);
        }
        r = check_words("dns-search", s->dns_search, e);
        if (r >= 0)
                r = check_words("dns-opt", s->dns_options, e);
        return r < 0 || !s->dns_domain ? r : check_words("dns-domain", (char *[]){ s->dns_domain, NULL }, e);
}

/**
 * run_network_set() - what the flags say of the network
 * @a:    flags
 * @spec: networks, ports, hosts and DNS are set
 * @e:    rkt's sentence; may be NULL
 *
 * Return: 0; -EINVAL, -EEXIST, -EXDEV, -ENOMEM.
 */
int run_network_set(const RunArgs *a, PodSpec *spec, Error *e) {
        int r = set_networks(a->net, &spec->networks, e);

        if (r >= 0)
                r = set_ports(a, spec, e);
        if (r < 0)
                return r;
        if (split_all(a->dns, &spec->dns) < 0 || split_all(a->dns_search, &spec->dns_search) < 0 ||
            split_all(a->dns_opt, &spec->dns_options) < 0 ||
            (a->dns_domain && str_replace(&spec->dns_domain, a->dns_domain) < 0) ||
            strv_copy(a->hosts, &spec->hosts) < 0)
                return error_oom(e);
        return check_dns(spec, e);
}

/**
 * run_network_change() - what the flags of run-prepared change of a pod
 * @a: flags
 * @m: its manifest
 * @e: rkt's sentence; may be NULL
 *
 * Whoever prepares a pod need not know its network: ports that cannot be published are dropped, with a warning.
 *
 * Return: 1 if something was changed; 0; what run_network_set() returns.
 */
int run_network_change(const RunArgs *a, PodManifest *m, Error *e) {
        _cleanup_pod_spec_ PodSpec *spec = NULL;
        int r;

        if (!a->net && !a->hosts && !a->dns && !a->dns_search && !a->dns_opt && !a->dns_domain)
                return 0;
        if (pod_spec_new("x", &spec) < 0)
                return error_oom(e);
        r = run_network_set(a, spec, e);
        if (r < 0)
                return r;
        if (m->n_ports > 0 && (streq_ptr(a->net, "none") || streq_ptr(a->net, "host"))) {
                log_warning("the ports of the pod are not published: it has '%s' networking, ignoring",
                            a->net);
                pod_manifest_clear_ports(m);
        }
        return pod_add_network(spec, m) < 0 ? error_oom(e) : 1;
}

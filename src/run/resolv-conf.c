/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In this order: what was asked for (DNS= and its kin); what a network's plugins say; for a network with a way out, the servers of
 * the host, for images that have none of their own. Servers at the host's 127.0.0.0/8 are nobody's in another network. */
#include "run/resolv-conf.h"

#include <fcntl.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"

#define HOST_FILE   "/etc/resolv.conf"
#define UPLINK_FILE "/run/systemd/resolve/resolv.conf" /* behind the stub of systemd-resolved */
#define FILE_MAX    (256U * 1024)

static const NetAttachment *network_with_dns(const NetState *s) {
        for (size_t i = 0; s && i < s->n_networks; i++)
                if (s->networks[i].nameservers || s->networks[i].search || s->networks[i].domain)
                        return &s->networks[i];
        return NULL;
}

static bool has_way_out(const NetState *s) {
        for (size_t i = 0; s && i < s->n_networks; i++)
                if (!s->networks[i].restricted)
                        return true;
        return false;
}

static void add_servers(StrBuf *b, char *const *servers) {
        for (; servers && *servers; servers++)
                strbuf_addf(b, "nameserver %s\n", *servers);
}

static void add_line(StrBuf *b, const char *word, const char *rest) {
        if (rest && *rest)
                strbuf_addf(b, "%s %s\n", word, rest);
}

static int add_list(StrBuf *b, const char *word, char *const *list) {
        _cleanup_free_ char *joined = NULL;
        int r = list && *list ? strv_join(list, " ", &joined) : 0;

        add_line(b, word, joined);
        return r;
}

static int add_network(StrBuf *b, const NetAttachment *a) {
        int r;

        add_line(b, "domain", a->domain);
        r = add_list(b, "search", a->search);
        add_servers(b, a->nameservers);
        return r < 0 ? r : add_list(b, "options", a->options);
}

/* The host's lines, without servers that only the host can reach. */
static int add_host(StrBuf *b, const char *host_file, bool servers_only) {
        _cleanup_strv_free_ char **lines = NULL;
        size_t n = 0;
        int r = strv_split(str_or(host_file, ""), "\n", &lines);

        STRV_FOREACH (l, lines) {
                const char *server = startswith(*l, "nameserver");

                if (server) {
                        server += strspn(server, " \t");
                        if (startswith(server, "127.") || startswith(server, "::1"))
                                continue;
                        n++;
                }
                if (server || (!servers_only && (startswith(*l, "search") || startswith(*l, "domain") ||
                                                 startswith(*l, "options"))))
                        strbuf_addf(b, "%s\n", *l);
        }
        return r < 0 ? r : n > 0;
}

/* What was asked for; servers that were not, from where they come else. */
static int add_wanted(StrBuf *b, const ResolvConf *w, const NetState *s, const char *host_file) {
        _cleanup_strv_free_ char **servers = NULL;
        const NetAttachment *a = network_with_dns(s);
        int r = strv_split(str_or(w->servers, ""), " ", &servers);

        add_line(b, "domain", w->domain);
        add_line(b, "search", w->search);
        if (r >= 0 && w->servers)
                add_servers(b, servers);
        else if (r >= 0 && a)
                add_servers(b, a->nameservers);
        else if (r >= 0 && has_way_out(s))
                r = add_host(b, host_file, true);
        add_line(b, "options", w->options);
        return r;
}

/**
 * resolv_conf_text() - what an app's /etc/resolv.conf says
 * @w:         what was asked for; servers is not "host"
 * @s:         the pod's networks; NULL: it has none of its own
 * @host_file: the host's, or the one behind its stub; NULL: it cannot be read
 * @ret:       text, to free(); NULL: none is written
 * @ret_weak:  it is only for an app that has none
 *
 * Return: 0, -ENOMEM.
 */
int resolv_conf_text(const ResolvConf *w, const NetState *s, const char *host_file, char **ret,
                     bool *ret_weak) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        bool asked = w->servers || w->search || w->options || w->domain;
        const NetAttachment *a = network_with_dns(s);
        int r = 0;

        *ret = NULL;
        *ret_weak = false;
        if (w->servers && streq(w->servers, "none"))
                return 0;
        if (asked)
                r = add_wanted(&b, w, s, host_file);
        else if (a)
                r = add_network(&b, a);
        else if (has_way_out(s)) {
                r = add_host(&b, host_file, false);
                *ret_weak = true;
                if (r == 0)
                        return 0;
        }
        if (r < 0 || b.failed)
                return -ENOMEM;
        return b.size == 0 ? 0 : strbuf_steal(&b, ret);
}

static char *read_text(const char *path) {
        char *text = NULL;
        size_t size;

        return file_read_at(AT_FDCWD, path, FILE_MAX, &text, &size) < 0 ? NULL : text;
}

/**
 * resolv_conf_make() - the same, for a pod
 * @m:        manifest
 * @n:        its network, which is up
 * @ret:      text, to free(); NULL: none is written
 * @ret_weak: it is only for an app that has none
 * @e:        sentence on failure; may be NULL
 *
 * With the host's network comes the host's way to look up names.
 *
 * Return: 0; -ENOENT: DNS=host, and the host has no such file; -ENOMEM.
 */
int resolv_conf_make(const PodManifest *m, const Network *n, char **ret, bool *ret_weak, Error *e) {
        const ResolvConf w = { .servers = pod_manifest_annotation(m, POD_ANNOTATION_DNS),
                               .search = pod_manifest_annotation(m, POD_ANNOTATION_DNS_SEARCH),
                               .options = pod_manifest_annotation(m, POD_ANNOTATION_DNS_OPTION),
                               .domain = pod_manifest_annotation(m, POD_ANNOTATION_DNS_DOMAIN) };
        bool asked = w.servers || w.search || w.options || w.domain;
        _cleanup_free_ char *host = NULL;

        if (streq_ptr(w.servers, "host") || (n->kind == NETWORK_HOST && !asked)) {
                *ret_weak = false;
                *ret = read_text(HOST_FILE);
                if (!*ret && w.servers)
                        return error_setf(e, -ENOENT, "DNS=host: cannot read the host's " HOST_FILE);
                return 0;
        }
        if (n->kind == NETWORK_OWN)
                host = read_text(UPLINK_FILE);
        if (!host)
                host = read_text(HOST_FILE);
        return resolv_conf_text(&w, n->state, host, ret, ret_weak) < 0 ? error_oom(e) : 0;
}

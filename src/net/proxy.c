/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proxies. Their URLs may hold a password: no message here, or made from what is here, repeats one. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#include "basic/hex.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "net/proxy.h"
#include "net/pull-protocol.h"

static const struct {
        const char *name;
        unsigned port;
} schemes[] = { { "http", 80 }, { "https", 443 }, { "socks5", 1080 }, { "socks5h", 1080 } };

/**
 * proxy_done() - free what a proxy holds
 * @p: may be used again afterwards
 */
void proxy_done(Proxy *p) {
        free(p->url);
        free(p->user);
        free(p->password);
        *p = (Proxy){};
}

/**
 * proxy_settings_done() - free what settings hold
 * @p: may be used again afterwards
 */
void proxy_settings_done(ProxySettings *p) {
        free(p->http);
        free(p->https);
        free(p->no_proxy);
        *p = (ProxySettings){};
}

/* "%40" becomes "@". Control characters may not come out: they would end a header. */
static int percent_decode(const char *s, size_t n, char **ret) {
        char *d = new0(char, n + 1), *to = d;

        if (!d)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int c = (unsigned char) s[i];

                if (c == '%') {
                        int high = i + 2 < n ? hex_digit(s[i + 1]) : -EINVAL;
                        int low = high >= 0 ? hex_digit(s[i + 2]) : -EINVAL;

                        if (low < 0) {
                                free(d);
                                return -EINVAL;
                        }
                        c = high * 16 + low;
                        i += 2;
                }
                if (c < ' ' || c == 0x7f) {
                        free(d);
                        return -EINVAL;
                }
                *to++ = (char) c;
        }
        *ret = d;
        return 0;
}

static int parse_credentials(Proxy *p, const char *text, size_t n) {
        const char *colon = memchr(text, ':', n);
        size_t n_user = colon ? (size_t) (colon - text) : n;
        int r;

        r = percent_decode(text, n_user, &p->user);
        /* libcurl and the header that it writes divide the two at the first colon. */
        if (r >= 0 && strchr(p->user, ':'))
                r = -EINVAL;
        if (r >= 0 && colon)
                r = percent_decode(colon + 1, n - n_user - 1, &p->password);
        return r;
}

static int parse_host(Proxy *p, const char *scheme, unsigned port, const char *host, size_t n) {
        _cleanup_free_ char *text = strf("http://%.*s", (int) n, host);
        _cleanup_(url_freep) Url *u = NULL;
        int r;

        if (!text)
                return -ENOMEM;
        r = url_parse(text, &u, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : -EINVAL;
        if (!streq(u->target, "/"))
                return -EINVAL;
        /* url_parse() forgets ":80", which is no default of the others. */
        if (u->port > 0 || (n > 3 && strncmp(host + n - 3, ":80", 3) == 0))
                port = url_port(u);
        p->url = strf(strchr(u->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u", scheme, u->host, port);
        return p->url ? 0 : -ENOMEM;
}

/**
 * proxy_parse() - read a proxy's URL
 * @text: [SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/]; http, https, socks5 and socks5h; without a scheme it is http
 * @ret:  for proxy_done()
 * @e:    sentence on failure, which does not repeat @text; may be NULL
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int proxy_parse(const char *text, Proxy *ret, Error *e) {
        _cleanup_(proxy_done) Proxy p = {};
        const char *rest = strstr(text, "://"), *at;
        size_t i = 0, n;
        int r = 0;

        if (!pull_text_is_plain(text))
                return error_setf(e, -EINVAL, "it is longer than %u bytes, or contains a control character",
                                  PULL_TEXT_MAX);
        if (rest) {
                n = (size_t) (rest - text);
                while (i < ELEMENTSOF(schemes) &&
                       (strlen(schemes[i].name) != n || strncasecmp(text, schemes[i].name, n) != 0))
                        i++;
                if (i == ELEMENTSOF(schemes))
                        return error_setf(
                                e, -EINVAL,
                                "only http://, https://, socks5:// and socks5h:// proxies can be used");
                rest += 3;
        } else
                rest = text;
        n = strlen(rest);
        if (n > 0 && rest[n - 1] == '/')
                n--;
        at = memrchr(rest, '@', n);
        if (at) {
                r = parse_credentials(&p, rest, (size_t) (at - rest));
                n -= (size_t) (at + 1 - rest);
                rest = at + 1;
        }
        if (r >= 0)
                r = parse_host(&p, schemes[i].name, schemes[i].port, rest, n);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_setf(e, -EINVAL, "it is not of the form http://[USER:PASSWORD@]HOST:PORT");
        *ret = p;
        p = (Proxy){};
        return 0;
}

static int parse_ip(const char *text, unsigned char ret[16], unsigned *ret_bits) {
        if (inet_pton(AF_INET, text, ret) == 1)
                *ret_bits = 32;
        else if (inet_pton(AF_INET6, text, ret) == 1)
                *ret_bits = 128;
        else
                return -EINVAL;
        return 0;
}

static bool bits_equal(const unsigned char *a, const unsigned char *b, unsigned n) {
        unsigned rest = n % 8;

        if (memcmp(a, b, n / 8) != 0)
                return false;
        return rest == 0 || (a[n / 8] ^ b[n / 8]) >> (8 - rest) == 0;
}

/* 10.0.0.0/8 */
static bool network_contains(char *pattern, const char *host) {
        unsigned char network[16], address[16];
        unsigned n_network, n_address, prefix;
        char *slash = strchr(pattern, '/');

        *slash = 0;
        return parse_ip(pattern, network, &n_network) >= 0 && parse_ip(host, address, &n_address) >= 0 &&
               n_network == n_address && parse_uint(slash + 1, n_network, &prefix) >= 0 &&
               bits_equal(network, address, prefix);
}

/* The port that stands behind a pattern, cut off; 0: none. An IPv6 address has brackets, or several colons and no port. */
static int cut_port(char **pattern, unsigned *ret) {
        char *p = *pattern, *colon = strrchr(p, ':'), *end;

        *ret = 0;
        if (*p == '[') {
                end = strchr(p, ']');
                if (!end || (end[1] && end[1] != ':'))
                        return -EINVAL;
                *end = 0;
                *pattern = p + 1;
                return end[1] ? parse_uint(end + 2, 65535, ret) : 0;
        }
        if (!colon || strchr(p, ':') != colon)
                return 0;
        *colon = 0;
        return parse_uint(colon + 1, 65535, ret);
}

/* A host matches itself and everything below it; with a dot in front it means the same, as it did in rkt. */
static bool pattern_matches(char *pattern, const Url *u) {
        const char *host = u->host;
        size_t n, n_host = strlen(host);
        unsigned port;

        if (streq(pattern, "*"))
                return true;
        if (strchr(pattern, '/'))
                return network_contains(pattern, host);
        if (cut_port(&pattern, &port) < 0 || (port > 0 && port != url_port(u)))
                return false;
        if (startswith(pattern, "*."))
                pattern++;
        if (*pattern == '.')
                pattern++;
        n = strlen(pattern);
        if (n == 0 || n > n_host || strcasecmp(host + n_host - n, pattern) != 0)
                return false;
        return n == n_host || host[n_host - n - 1] == '.';
}

static bool is_loopback(const char *host) {
        struct in6_addr a6;
        struct in_addr a4;

        if (streq(host, "localhost"))
                return true;
        if (inet_pton(AF_INET, host, &a4) == 1)
                return ntohl(a4.s_addr) >> 24 == 127;
        return inet_pton(AF_INET6, host, &a6) == 1 && IN6_IS_ADDR_LOOPBACK(&a6);
}

/**
 * proxy_is_bypassed() - is a URL asked for directly, although there is a proxy
 * @no_proxy: hosts, domains (with or without a dot in front), host:port, addresses, networks (10.0.0.0/8), "*"; separated by
 *            commas; NULL: none
 * @u:        the URL
 *
 * This machine itself (localhost, 127.0.0.0/8, ::1) never goes through a proxy.
 *
 * Return: whether; true when memory ran out (then the transfer fails anyway).
 */
bool proxy_is_bypassed(const char *no_proxy, const Url *u) {
        _cleanup_strv_free_ char **patterns = NULL;

        if (is_loopback(u->host))
                return true;
        if (!no_proxy)
                return false;
        if (strv_split(no_proxy, ", \t", &patterns) < 0)
                return true;
        STRV_FOREACH (p, patterns)
                if (**p && pattern_matches(*p, u))
                        return true;
        return false;
}

/* Upper case wins, an empty variable counts as none. */
static int from_environment(const char *upper, const char *lower, char **ret, const char **ret_name) {
        const char *v = secure_getenv(upper);

        *ret_name = upper;
        if (!v || !*v) {
                v = secure_getenv(lower);
                *ret_name = lower;
        }
        return v && *v ? str_replace(ret, v) : 0;
}

static int check(const char *text, const char *name, Error *e) {
        _cleanup_(proxy_done) Proxy p = {};
        int r;

        if (!text)
                return 0;
        r = proxy_parse(text, &p, e);
        return r < 0 ? error_prefixf(e, r, "the proxy in %s is wrong", name) : 0;
}

static void settings_move(ProxySettings *to, ProxySettings *from) {
        *to = *from;
        *from = (ProxySettings){};
}

/**
 * proxy_settings_from_environment() - HTTP_PROXY, HTTPS_PROXY, NO_PROXY, or the same in lower case
 * @ret: for proxy_settings_done()
 * @e:   sentence on failure, which names the variable and not what is in it; may be NULL
 *
 * Without HTTPS_PROXY the proxy of HTTP_PROXY is used for https, too.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int proxy_settings_from_environment(ProxySettings *ret, Error *e) {
        _cleanup_(proxy_settings_done) ProxySettings p = {};
        const char *http, *https, *no;
        int r;

        if (from_environment("HTTP_PROXY", "http_proxy", &p.http, &http) < 0 ||
            from_environment("HTTPS_PROXY", "https_proxy", &p.https, &https) < 0 ||
            from_environment("NO_PROXY", "no_proxy", &p.no_proxy, &no) < 0)
                return error_oom(e);
        r = check(p.http, http, e);
        if (r >= 0)
                r = check(p.https, https, e);
        if (r < 0)
                return r;
        if (p.no_proxy && !pull_text_is_plain(p.no_proxy))
                return error_setf(e, -EINVAL, "%s is longer than %u bytes, or contains a control character",
                                  no, PULL_TEXT_MAX);
        if (p.http && !p.https && str_replace(&p.https, p.http) < 0)
                return error_oom(e);
        settings_move(ret, &p);
        return 0;
}

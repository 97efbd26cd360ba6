/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs. Parser differences are how one program's check is another program's hole: so only a small, unambiguous part of
 * RFC 3986 passes here, and what goes to libcurl is written again from the parsed parts. */
#include <arpa/inet.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "net/url.h"

#define HOST_LENGTH_MAX 253

/**
 * url_free() - free a URL
 * @u: may be NULL
 *
 * Return: NULL.
 */
Url *url_free(Url *u) {
        if (!u)
                return NULL;
        free(u->host);
        free(u->target);
        free(u);
        return NULL;
}

static bool is_alnum(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Labels of 1 to 63 letters, digits, '-' and '_', none beginning or ending with '-'. One dot may stand at the end. */
static bool host_is_valid(const char *h) {
        size_t label = 0;

        if (!*h || strlen(h) > HOST_LENGTH_MAX)
                return false;
        for (const char *p = h; *p; p++) {
                if (*p == '.') {
                        if (label == 0 || p[-1] == '-')
                                return false;
                        label = 0;
                        continue;
                }
                if (!is_alnum(*p) && *p != '_' && (*p != '-' || label == 0))
                        return false;
                if (++label > 63)
                        return false;
        }
        return h[strlen(h) - 1] != '-';
}

/* A host that looks like a number must be a plain dotted quad: 0x7f.1 and 2130706433 are refused. */
static bool host_is_numeric(const char *h) {
        const char *dot = strrchr(h, '.');
        const char *last = dot && dot[1] ? dot + 1 : h;

        return *last >= '0' && *last <= '9';
}

static int parse_port(const char *s, unsigned *ret) {
        unsigned port;

        if (strlen(s) > 5 || parse_uint(s, 65535, &port) < 0 || port == 0)
                return -EINVAL;
        *ret = port;
        return 0;
}

static int parse_authority(Url *u, char *a, const char *text, Error *e) {
        struct in6_addr in6;
        struct in_addr in4;
        char *host = a, *port = NULL;

        if (strchr(a, '@'))
                return error_setf(
                        e, -EINVAL,
                        "a URL must not contain a user name or password; put credentials into auth.d");
        if (*a == '[') {
                char *end = strchr(a, ']');

                if (!end || (end[1] && end[1] != ':'))
                        return error_setf(e, -EINVAL, "URL '%s': the IPv6 address is not closed by ']'",
                                          text);
                *end = 0;
                host = a + 1;
                port = end[1] ? end + 2 : NULL;
                if (inet_pton(AF_INET6, host, &in6) != 1)
                        return error_setf(e, -EINVAL, "URL '%s': '%s' is not an IPv6 address", text, host);
        } else {
                port = strchr(a, ':');
                if (port)
                        *port++ = 0;
                if (!host_is_valid(host) || (host_is_numeric(host) && inet_pton(AF_INET, host, &in4) != 1))
                        return error_setf(e, -EINVAL, "URL '%s': '%s' is not a host name", text, host);
        }
        if (port && parse_port(port, &u->port) < 0)
                return error_setf(e, -EINVAL, "URL '%s': '%s' is not a port", text, port);
        if (u->port == (u->https ? 443U : 80U))
                u->port = 0;
        for (char *p = host; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p = (char) (*p - 'A' + 'a');
        return str_replace(&u->host, host) < 0 ? error_oom(e) : 0;
}

static bool is_hex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int check_target(const char *t, const char *text, Error *e) {
        for (const char *p = t; *p; p++) {
                if (*p == '%' && (!is_hex(p[1]) || !is_hex(p[2])))
                        return error_setf(e, -EINVAL, "URL '%s': '%%' must be followed by two hex digits",
                                          text);
                if (!is_alnum(*p) && !strchr("-._~!$&'()*+,;=:@/?%", *p))
                        return error_setf(e, -EINVAL, "URL '%s': write '%c' as %%%02X", text, *p,
                                          (unsigned) (unsigned char) *p);
        }
        return 0;
}

/* Everything is printable ASCII, so that messages may quote it. */
static int check_bytes(const char *s, Error *e) {
        if (strlen(s) > URL_LENGTH_MAX)
                return error_setf(e, -E2BIG, "a URL is longer than %d bytes", URL_LENGTH_MAX);
        for (const char *p = s; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return error_setf(
                                e, -EINVAL,
                                "a URL contains a blank, a control character or a character beyond ASCII");
        return 0;
}

/**
 * url_parse() - read a URL
 * @s:   NUL-terminated, hostile
 * @ret: for url_free()
 * @e:   sentence on failure; may be NULL
 *
 * Refused are: other schemes than http and https, user names and passwords, fragments, host names that are numbers in
 * disguise, blanks, control characters and everything beyond ASCII.
 *
 * Return: 0, -EPROTONOSUPPORT (other scheme), -EINVAL, -E2BIG, -ENOMEM.
 */
int url_parse(const char *s, Url **ret, Error *e) {
        _cleanup_(url_freep) Url *u = NULL;
        _cleanup_free_ char *authority = NULL;
        const char *rest;
        size_t n;
        int r;

        r = check_bytes(s, e);
        if (r < 0)
                return r;
        u = new0(Url, 1);
        if (!u)
                return error_oom(e);
        if (strncasecmp(s, "https://", 8) == 0) {
                u->https = true;
                rest = s + 8;
        } else if (strncasecmp(s, "http://", 7) == 0)
                rest = s + 7;
        else
                return error_setf(e, -EPROTONOSUPPORT, "URL '%s': only https:// and http:// are supported",
                                  s);
        n = strcspn(rest, "/?#");
        authority = strndup(rest, n);
        if (!authority)
                return error_oom(e);
        r = parse_authority(u, authority, s, e);
        if (r < 0)
                return r;
        rest += n;
        if (strchr(rest, '#'))
                return error_setf(e, -EINVAL, "URL '%s': a fragment ('#...') has no meaning here", s);
        r = check_target(rest, s, e);
        if (r < 0)
                return r;
        u->target = strf("%s%s", *rest == '/' ? "" : "/", rest);
        if (!u->target)
                return error_oom(e);
        *ret = TAKE_PTR(u);
        return 0;
}

/**
 * url_port() - the port to connect to
 * @u: a URL
 *
 * Return: 1 to 65535.
 */
unsigned url_port(const Url *u) {
        return u->port != 0 ? u->port : u->https ? 443 : 80;
}

/**
 * url_to_string() - the text of a URL, written from its parts
 * @u:   a URL
 * @ret: for free()
 *
 * Return: 0, -ENOMEM.
 */
int url_to_string(const Url *u, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        bool ipv6 = strchr(u->host, ':');

        strbuf_addf(&b, "%s://%s%s%s", u->https ? "https" : "http", ipv6 ? "[" : "", u->host,
                    ipv6 ? "]" : "");
        if (u->port != 0)
                strbuf_addf(&b, ":%u", u->port);
        strbuf_add(&b, u->target);
        return strbuf_steal(&b, ret);
}

/**
 * url_same_origin() - same scheme, host and port: the only case in which credentials may go along
 * @a: a URL
 * @b: a URL
 *
 * Return: whether.
 */
bool url_same_origin(const Url *a, const Url *b) {
        return a->https == b->https && streq(a->host, b->host) && url_port(a) == url_port(b);
}

/**
 * url_check_redirect() - may a server send us from one URL to another
 * @from: who answered
 * @to:   where it points
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EPERM (from https down to http).
 */
int url_check_redirect(const Url *from, const Url *to, Error *e) {
        if (from->https && !to->https)
                return error_setf(e, -EPERM, "the server redirects from https down to http (host '%s')",
                                  to->host);
        return 0;
}

/**
 * address_is_local() - is an address this machine, or on its own link
 * @ip: IPv4 or IPv6, as text; what is neither is an address with a zone index, which is on a link
 *
 * Return: true for loopback, link-local (the metadata services of clouds are there) and unspecified addresses.
 */
bool address_is_local(const char *ip) {
        struct in6_addr a6;
        struct in_addr a4;

        if (inet_pton(AF_INET6, ip, &a6) == 1) {
                if (IN6_IS_ADDR_LOOPBACK(&a6) || IN6_IS_ADDR_LINKLOCAL(&a6) || IN6_IS_ADDR_UNSPECIFIED(&a6))
                        return true;
                if (!IN6_IS_ADDR_V4MAPPED(&a6))
                        return false;
                memcpy(&a4, a6.s6_addr + 12, sizeof(a4));
        } else if (inet_pton(AF_INET, ip, &a4) != 1)
                return true; /* a zone index: link-local */
        return a4.s_addr == 0 || (ntohl(a4.s_addr) >> 24) == 127 || (ntohl(a4.s_addr) >> 16) == 0xA9FE;
}

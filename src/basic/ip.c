/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compared as addresses: one of IPv6 can be written in many ways. */
#include "basic/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "basic/str.h"

/* Returns AF_UNSPEC for none, or for what is no address. */
static int parse(const char *s, unsigned char ret[16]) {
        memset(ret, 0, 16);
        return !s || !*s                          ? AF_UNSPEC
               : inet_pton(AF_INET, s, ret) == 1  ? AF_INET
               : inet_pton(AF_INET6, s, ret) == 1 ? AF_INET6
                                                  : AF_UNSPEC;
}

/**
 * ip_overlap() - would who listens at one be in the way of who listens at the other?
 * @a: "10.0.0.1", "::"; NULL or empty: all addresses of both families
 * @b: the same
 *
 * Return: true if so; also for what is no address.
 */
bool ip_overlap(const char *a, const char *b) {
        static const unsigned char any[16];
        unsigned char x[16], y[16];
        int f = parse(a, x), g = parse(b, y);

        if (f == AF_UNSPEC || g == AF_UNSPEC)
                return true;
        return f == g && (memcmp(x, any, 16) == 0 || memcmp(y, any, 16) == 0 || memcmp(x, y, 16) == 0);
}

/**
 * ip_is_unpublishable() - does what is sent to an address never leave the host's own stack?
 * @s: address; NULL or empty: all
 *
 * Return: true for IPv6's own host, for which Linux has no route_localnet, and for IPv4 in IPv6's clothes.
 */
bool ip_is_unpublishable(const char *s) {
        struct in6_addr a;

        return s && inet_pton(AF_INET6, s, &a) == 1 && (IN6_IS_ADDR_LOOPBACK(&a) || IN6_IS_ADDR_V4MAPPED(&a));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One transaction: all of it, or nothing. */
#include "run/net-nft.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "basic/str.h"
#include "run/net-rules.h"

#define FDS_MAX 64 /* this program has few */

static bool is_of_nftables(int fd) {
        int domain, protocol;
        socklen_t size = sizeof(int);

        return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) >= 0 && domain == AF_NETLINK &&
               getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) >= 0 &&
               protocol == NETLINK_NETFILTER;
}

/* Who closes the socket of nftables last waits, some 10 ms, until the kernel has freed what was deleted. That comes at the end of
 * this program, when whoever started it has its answer already. */
static void free_context(struct nft_ctx *c) {
        int fd = 0;

        while (fd < FDS_MAX && !is_of_nftables(fd))
                fd++;
        if (fd < FDS_MAX)
                (void) fcntl(fd, F_DUPFD_CLOEXEC, 0);
        nft_ctx_free(c);
}

/**
 * net_nft_apply() - make our table what the pods need
 * @states:  all pods, locked
 * @guarded: what net_localnet_begin() returned
 * @e:       sentence on failure, with nft's message; may be NULL
 *
 * Return: 0, -EIO: nftables refused; -ENOMEM.
 */
int net_nft_apply(const NetStates *states, char *const *guarded, Error *e) {
        _cleanup_free_ char *text = NULL;
        struct nft_ctx *c;
        int r = net_rules_text(states, guarded, &text, e);

        if (r < 0)
                return r;
        c = nft_ctx_new(NFT_CTX_DEFAULT);
        if (!c)
                return error_oom(e);
        if (nft_ctx_buffer_error(c) != 0)
                r = error_oom(e);
        else if (nft_run_cmd_from_buffer(c, text) != 0) {
                const char *message = str_or(nft_ctx_get_error_buffer(c), "");

                r = error_setf(e, -EIO, "nftables does not take the rules for ports and addresses: %.*s",
                               (int) strcspn(message, "\n"), message);
        }
        free_context(c);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One transaction: all of it, or nothing. */
#include "run/net-nft.h"

#include <nftables/libnftables.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/str.h"
#include "run/net-rules.h"

#define FDS_MAX 64 /* this program has few */

static bool is_netlink(int fd) {
        int domain;
        socklen_t size = sizeof(domain);

        return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) >= 0 && domain == AF_NETLINK;
}

/* Who closes the socket of nftables last waits, some 10 ms, until the kernel has freed what was deleted. That is a process of its
 * own, which nobody waits for, and which holds nothing else. */
static void free_context(struct nft_ctx *c) {
        if (fork() == 0) {
                for (int fd = 0; fd < FDS_MAX; fd++)
                        if (!is_netlink(fd))
                                (void) close(fd);
                _exit(EXIT_SUCCESS);
        }
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

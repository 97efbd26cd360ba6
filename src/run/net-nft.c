/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One transaction: all of it, or nothing. */
#include "run/net-nft.h"

#include <nftables/libnftables.h>
#include <stdlib.h>

#include "basic/str.h"
#include "run/net-rules.h"

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
        nft_ctx_free(c);
        return r;
}

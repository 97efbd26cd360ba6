/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Either the host's own file, or what rkt always wrote; then what was added. */
#include "run/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"

/**
 * hosts_text() - what an app's /etc/hosts says
 * @hostname:  of the pod
 * @words:     of AddHost=, separated by blanks: NAME:IP, or "host" for the host's file; may be NULL
 * @host_file: the text of that; NULL: it cannot be read, and counts as empty
 * @ret:       text, to free()
 *
 * Return: 0; -EINVAL: a word is none of these; -ENOMEM.
 */
int hosts_text(const char *hostname, const char *words, const char *host_file, char **ret) {
        _cleanup_strv_free_ char **list = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r = strv_split(str_or(words, ""), " ", &list);

        if (r < 0)
                return r;
        if (strv_contains(list, "host"))
                strbuf_add(&b, str_or(host_file, ""));
        else
                strbuf_addf(&b,
                            "127.0.0.1 localhost localhost.domain localhost4 localhost4.localdomain4 %s\n"
                            "::1 localhost localhost.domain localhost6 localhost6.localdomain6 %s\n",
                            hostname, hostname);
        STRV_FOREACH (w, list) {
                const char *colon = strchr(*w, ':');

                if (streq(*w, "host") || !**w)
                        continue;
                if (!colon)
                        return -EINVAL;
                if (b.size > 0 && b.data[b.size - 1] != '\n')
                        strbuf_add(&b, "\n");
                strbuf_addf(&b, "%s %.*s\n", colon + 1, (int) (colon - *w), *w);
        }
        return strbuf_steal(&b, ret);
}

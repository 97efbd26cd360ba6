/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets of an app inside the pod: what the host's units listen on, once more, so that systemd inside takes the
 * descriptors and passes them on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-unit.h"

/* The keys that make the socket inside match the descriptor that comes from the host, and what the app sees of it. */
static bool is_for_inner_socket(const char *line) {
        static const char *const keys[] = {
                "ListenStream=",   "ListenDatagram=",     "ListenSequentialPacket=", "BindIPv6Only=",
                "SocketProtocol=", "FileDescriptorName=", "ListenMessageQueue="
        };

        FOREACH_ARRAY (k, keys, ELEMENTSOF(keys))
                if (startswith(line, *k))
                        return true;
        return false;
}

static int start_socket(const PodApp *a, size_t n, const char *name, char ***names, StrBuf *b) {
        strbuf_addf(b,
                    "[Unit]\nDescription=Socket of %s\nDefaultDependencies=no\nConflicts=shutdown.target\n"
                    "Before=shutdown.target\n\n[Socket]\nService=%s.service\n",
                    a->name, a->name);
        if (*name)
                strbuf_addf(b, "FileDescriptorName=%s\n", name);
        return n == 0 ? strv_extendf(names, "%s.socket", a->name)
                      : strv_extendf(names, "%s.%zu.socket", a->name, n);
}

/**
 * app_unit_sockets() - the sockets of an app inside the pod
 * @a:         app
 * @ret_names: names of the units; free with strv_free(); NULL when there are none
 * @ret_texts: their texts, in the same order; free with strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (annotation is broken), -ENOMEM.
 */
int app_unit_sockets(const PodApp *a, char ***ret_names, char ***ret_texts, Error *e) {
        _cleanup_strv_free_ char **lines = NULL, **names = NULL, **texts = NULL;
        _cleanup_(strbuf_done) StrBuf b = STRBUF_INIT;
        const char *text = pod_app_annotation(a, APP_ANNOTATION_SOCKETS);
        int r = strv_split(str_or(text, ""), "\n", &lines);

        for (char **l = lines; r >= 0 && l && *l; l++) {
                size_t n = strlen(*l);

                if (**l == '[' && (*l)[n - 1] == ']') {
                        char *t = NULL;

                        if (strv_length(names) > 0) {
                                r = strbuf_steal(&b, &t);
                                if (r >= 0)
                                        r = strv_consume(&texts, t);
                        }
                        (*l)[n - 1] = '\0';
                        if (r >= 0)
                                r = start_socket(a, strv_length(names), *l + 1, &names, &b);
                } else if (strv_length(names) == 0)
                        return error_setf(e, -EINVAL, "app '%s': annotation '%s' does not begin with '['",
                                          a->name, APP_ANNOTATION_SOCKETS);
                else if (is_for_inner_socket(*l))
                        strbuf_addf(&b, "%s\n", *l);
        }
        if (r >= 0 && strv_length(names) > 0) {
                char *t = NULL;

                r = strbuf_steal(&b, &t);
                if (r >= 0)
                        r = strv_consume(&texts, t);
        }
        if (r < 0)
                return error_oom(e);
        *ret_names = TAKE_PTR(names);
        *ret_texts = TAKE_PTR(texts);
        return 0;
}

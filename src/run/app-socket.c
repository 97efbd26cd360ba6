/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets of an app inside the pod: what the host's units listen on, once more, so that systemd inside takes the
 * descriptors and passes them on; to the app, or with Proxy= to a systemd-socket-proxyd in front of it, rkt-proxy@APP.N.service.
 *
 * IdleExit=: the proxies want rkt-connected.target, and leave when they have nothing to do. When the last one has gone, the
 * target stops, and ends the pod. A connection that comes meanwhile stays in the queue of the host's socket, which starts the
 * pod again: nothing inside takes one off that cannot be served, for no proxied socket waits for something to stop. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-unit.h"

/* One "[NAME]" of the annotation. */
typedef struct Socket {
        const char *name; /* "": none */
        size_t n;         /* which one */
        char **lines;     /* for the socket inside */
        unsigned port;    /* of Proxy=; 0: the app takes the descriptor */
        usec_t idle;      /* of IdleExit=; 0: none */
} Socket;

typedef struct Sockets {
        char **text; /* what the names point into */
        Socket *items;
        size_t n;
} Sockets;

static void sockets_done(Sockets *s) {
        FOREACH_ARRAY (i, s->items, s->n)
                strv_free(i->lines);
        free(s->items);
        strv_free(s->text);
}

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

static int take_line(Socket *s, const char *line) {
        const char *value;

        if ((value = startswith(line, "Proxy=")))
                return parse_uint(value, UINT16_MAX, &s->port);
        if ((value = startswith(line, "IdleExit=")))
                return parse_sec(value, &s->idle);
        return is_for_inner_socket(line) ? strv_extend(&s->lines, line) : 0;
}

static int parse(const PodApp *a, Sockets *x, Error *e) {
        int r = strv_split(str_or(pod_app_annotation(a, APP_ANNOTATION_SOCKETS), ""), "\n", &x->text);

        for (char **l = x->text; r >= 0 && l && *l; l++) {
                size_t n = strlen(*l);

                if (**l == '[' && (*l)[n - 1] == ']') {
                        if (!GREEDY_GROW(x->items, x->n))
                                return error_oom(e);
                        (*l)[n - 1] = '\0';
                        x->items[x->n] = (Socket){ .name = *l + 1, .n = x->n };
                        x->n++;
                } else if (x->n == 0)
                        return error_setf(e, -EINVAL, "app '%s': annotation '%s' does not begin with '['",
                                          a->name, APP_ANNOTATION_SOCKETS);
                else
                        r = take_line(&x->items[x->n - 1], *l);
        }
        if (r == -EINVAL || r == -ERANGE)
                return error_setf(e, r, "app '%s': annotation '%s' has a bad number", a->name,
                                  APP_ANNOTATION_SOCKETS);
        return r < 0 ? error_oom(e) : 0;
}

static int add_unit(char ***names, char ***texts, char *name, StrBuf *b) {
        char *text = NULL;
        int r = strbuf_steal(b, &text);

        if (r >= 0 && !name) {
                free(text);
                r = -ENOMEM;
        }
        if (r >= 0)
                r = strv_consume(texts, text);
        if (r < 0) {
                free(name);
                return r;
        }
        return strv_consume(names, name);
}

static int add_socket(const PodApp *a, const Socket *s, char ***names, char ***texts) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_addf(&b,
                    "[Unit]\nDescription=Socket of %s\nDefaultDependencies=no\nConflicts=shutdown.target\n"
                    "Before=shutdown.target\n\n[Socket]\n",
                    a->name);
        if (s->port > 0)
                strbuf_addf(&b, "Service=rkt-proxy@%s.%zu.service\n", a->name, s->n);
        else
                strbuf_addf(&b, "Service=%s.service\n", a->name);
        if (*s->name)
                strbuf_addf(&b, "FileDescriptorName=%s\n", s->name);
        for (char **l = s->lines; l && *l; l++)
                strbuf_addf(&b, "%s\n", *l);
        return add_unit(names, texts,
                        s->n == 0 ? strf("%s.socket", a->name) : strf("%s.%zu.socket", a->name, s->n), &b);
}

/* It has no rights, and waits until the app listens: what it cannot hand on is lost. */
static int add_proxy(const PodApp *a, const Socket *s, char ***names, char ***texts) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_addf(
                &b,
                "[Unit]\nDescription=Proxy of %s\nDefaultDependencies=no\nConflicts=shutdown.target\n"
                "Before=shutdown.target\nRequires=%s.service\nAfter=%s.service\nStartLimitIntervalSec=0\n",
                a->name, a->name, a->name);
        if (s->idle > 0 && s->idle != USEC_INFINITY)
                strbuf_add(&b, "Wants=rkt-connected.target\nAfter=rkt-connected.target\n");
        /* no Type=notify: that of systemd 252 never says that it is ready, and would be killed after 90 s */
        strbuf_addf(&b,
                    "\n[Service]\nType=exec\nSlice=system.slice\nExecStartPre=/rkt/bin/rkt-enter port %u\n",
                    s->port);
        strbuf_add(&b, "ExecStart=/usr/lib/systemd/systemd-socket-proxyd");
        if (s->idle > 0 && s->idle != USEC_INFINITY)
                strbuf_addf(&b, " --exit-idle-time=%" PRIu64 "us", s->idle);
        strbuf_addf(&b,
                    " 127.0.0.1:%u\nUser=rkt-proxy\nNoNewPrivileges=yes\nCapabilityBoundingSet=\n"
                    "SystemCallFilter=@system-service\nSystemCallArchitectures=native\n"
                    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\nMemoryDenyWriteExecute=yes\n",
                    s->port);
        return add_unit(names, texts, strf("rkt-proxy@%s.%zu.service", a->name, s->n), &b);
}

static int make_units(const PodApp *a, bool proxied, char ***ret_names, char ***ret_texts, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        _cleanup_(sockets_done) Sockets x = {};
        int r = parse(a, &x, e);

        if (r < 0)
                return r;
        FOREACH_ARRAY (s, x.items, x.n) {
                if ((s->port > 0) != proxied)
                        continue;
                r = add_socket(a, s, &names, &texts);
                if (r >= 0 && proxied)
                        r = add_proxy(a, s, &names, &texts);
                if (r < 0)
                        return error_oom(e);
        }
        *ret_names = TAKE_PTR(names);
        *ret_texts = TAKE_PTR(texts);
        return 0;
}

/**
 * app_unit_sockets() - the sockets that an app itself takes, inside the pod
 * @a:         app
 * @ret_names: names of the units; free with strv_free(); NULL when there are none
 * @ret_texts: their texts, in the same order; free with strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (annotation is broken), -ENOMEM.
 */
int app_unit_sockets(const PodApp *a, char ***ret_names, char ***ret_texts, Error *e) {
        return make_units(a, false, ret_names, ret_texts, e);
}

/**
 * app_unit_proxies() - the sockets in front of an app with their proxies, inside the pod
 * @a:         app
 * @ret_names: names of the units, sockets and services; free with strv_free(); NULL when there are none
 * @ret_texts: their texts, in the same order; free with strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (annotation is broken), -ENOMEM.
 */
int app_unit_proxies(const PodApp *a, char ***ret_names, char ***ret_texts, Error *e) {
        return make_units(a, true, ret_names, ret_texts, e);
}

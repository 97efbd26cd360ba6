/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests: limits, permissions, credentials. Credentials are found by the host and port of the URL, and travel to the
 * worker through its request pipe; the worker sends them to that origin only. */
#include <time.h>

#include "basic/str.h"
#include "config/auth.h"
#include "image/request.h"
#include "net/proxy.h"
#include "net/url.h"

static int add_credentials(PullRequest *q, const Config *c, Error *e) {
        _cleanup_(url_freep) Url *u = NULL;
        int r;

        r = url_parse(q->url, &u, e);
        if (r < 0)
                return r;
        return auth_headers_for(c,
                                &(AuthRequest){
                                        .method = "GET",
                                        .https = u->https,
                                        .host = u->host,
                                        .port = u->port,
                                        .target = u->target,
                                        .now = time(NULL),
                                },
                                &q->headers, e);
}

/* The environment counts more than files: whoever set it, did so for this command. */
static int add_proxies(PullRequest *q, const Config *c, Error *e) {
        _cleanup_(proxy_settings_done) ProxySettings set = {};
        int r = proxy_settings_from_environment(&set, e);

        if (r < 0 || set.http || set.https)
                return r;
        if ((c->proxy_http && str_replace(&q->proxy_http, c->proxy_http) < 0) ||
            (c->proxy_https && str_replace(&q->proxy_https, c->proxy_https) < 0) ||
            (c->no_proxy && !set.no_proxy && str_replace(&q->no_proxy, c->no_proxy) < 0))
                return error_oom(e);
        return 0;
}

/**
 * request_init() - a request
 * @ret: for pull_request_done()
 * @url: copied
 * @o:   what applies to all of them
 * @e:   sentence on failure; may be NULL
 *
 * Credentials are never sent over plain http, unless the caller allows plain http.
 *
 * Return: 0, -EINVAL and what url_parse() returns, -ENOMEM.
 */
int request_init(PullRequest *ret, const char *url, const RequestOptions *o, Error *e) {
        const ImageLimits *l = o->limits ? o->limits : &IMAGE_LIMITS_DEFAULT;
        _cleanup_(pull_request_done) PullRequest q = {
                .allow_http = o->allow_http,
                .insecure_tls = o->insecure_tls,
                .size_max = l->download_size,
                .time_max_sec = l->download_sec,
                .connect_max_sec = l->connect_sec,
                .stall_max_sec = l->stall_sec,
                .redirects_max = l->redirects,
                .retries_max = l->retries,
                .header_max = l->header_size,
        };

        q.url = strdup(url);
        if (!q.url)
                return error_oom(e);
        if (o->config) {
                int r = add_credentials(&q, o->config, e);

                if (r >= 0)
                        r = add_proxies(&q, o->config, e);
                if (r < 0)
                        return r;
        }
        *ret = q;
        q = (PullRequest){};
        return 0;
}

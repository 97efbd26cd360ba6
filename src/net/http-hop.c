/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP by libcurl on GnuTLS. libcurl never follows a redirect by itself: each hop is parsed by url.c and judged here, so
 * that a server cannot send us to another scheme, to this machine, or in circles. What is secret, and for whom, is known to
 * the callers. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "basic/clock.h"
#include "basic/str.h"
#include "net/http-hop.h"

#define HEADER_LINES_MAX 256U
#define USER_AGENT       "rkt/2.0"

static int refuse_local(HttpHop *t, const char *ip) {
        return error_setf(t->e, -EPERM,
                          "the server redirects to '%s', which is this machine or its own link (%s)",
                          t->url->host, ip);
}

/* Connected, nothing said yet. A public server must not make us talk to this machine or to a metadata service. */
static int on_connected(void *userdata, char *ip, char *local_ip, int port, int local_port) {
        HttpHop *t = userdata;
        bool local = address_is_local(ip);

        if (t->proxy.url) /* the address is the proxy's; check_proxied() looked */
                return CURL_PREREQFUNC_OK;
        if (t->n_hops == 0)
                t->first_is_local = local;
        else if (local && !t->first_is_local) {
                t->r = refuse_local(t, ip);
                return CURL_PREREQFUNC_ABORT;
        }
        return CURL_PREREQFUNC_OK;
}

/* What a proxy connects to is not seen here; what is written is. */
static int check_proxied(HttpHop *t) {
        struct in6_addr address;
        bool is_address = inet_pton(AF_INET, t->url->host, &address) == 1 || strchr(t->url->host, ':');

        return t->n_hops > 0 && is_address && address_is_local(t->url->host) ? refuse_local(t, t->url->host)
                                                                             : 0;
}

/* All headers of one answer are there. */
static int on_headers_end(HttpHop *h) {
        long status = 0;

        (void) curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 100 && status < 200)
                return 0;
        if (status < 200 || status > 999)
                return error_setf(h->e, -EBADMSG, "host '%s' does not speak HTTP", h->url->host);
        return h->on_answer(h->userdata, (unsigned) status);
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        HttpHop *t = userdata;
        _cleanup_free_ char *line = NULL;

        n *= size;
        t->n_header_bytes += n;
        if (t->n_header_bytes > t->request->header_max || ++t->n_header_lines > HEADER_LINES_MAX) {
                t->r = error_setf(t->e, -E2BIG, "host '%s' sends more than %u bytes or %u lines of headers",
                                  t->url->host, t->request->header_max, HEADER_LINES_MAX);
                return 0;
        }
        line = strndup(data, n);
        if (!line) {
                t->r = error_oom(t->e);
                return 0;
        }
        if (startswith(line, "HTTP/"))
                http_head_done(&t->head);
        else if (line[strspn(line, "\r\n")] == 0)
                t->r = t->take_body ? 0 : on_headers_end(t); /* not those behind the last chunk */
        else if (!t->take_body)
                t->r = http_head_line(&t->head, line, t->e);
        return t->r < 0 ? 0 : n;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        HttpHop *t = userdata;

        n *= size;
        if (!t->take_body)
                return n; /* the text of a redirect */
        t->r = t->on_body(t->userdata, data, n);
        return t->r < 0 ? 0 : n;
}

static const char *curl_text(const HttpHop *t, CURLcode code) {
        return t->curl_error[0] ? t->curl_error : curl_easy_strerror(code);
}

/**
 * http_hop_is_broken() - did a connection, rather than an answer, go wrong?
 * @h: after http_hop_perform()
 *
 * Return: whether.
 */
bool http_hop_is_broken(const HttpHop *h) {
        const CURLcode code = h->code;

        return code == CURLE_PARTIAL_FILE || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
               code == CURLE_GOT_NOTHING || code == CURLE_COULDNT_RESOLVE_HOST ||
               code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
               code == CURLE_SSL_CONNECT_ERROR;
}

static int proxy_refuses(HttpHop *t, long status) {
        return error_setf(t->e, -EACCES,
                          "the proxy %s refuses to connect us to host '%s' (bad HTTP status code: %ld)%s",
                          t->proxy.url, t->url->host, status,
                          status == 401 || status == 407
                                  ? "; it wants a user name and a password in its URL: "
                                    "http://USER:PASSWORD@HOST:PORT"
                                  : "");
}

static int curl_failed(HttpHop *t, CURLcode code) {
        const char *host = t->url->host;
        long status = 0;

        (void) curl_easy_getinfo(t->curl, CURLINFO_HTTP_CONNECTCODE, &status);
        if (t->proxy.url && status >= 300) {
                t->code = CURLE_REMOTE_ACCESS_DENIED;
                return proxy_refuses(t, status);
        }

        switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
                return error_setf(t->e, -EHOSTUNREACH,
                                  "host '%s' is not known; check the name, and DNS on this machine", host);
        case CURLE_COULDNT_CONNECT:
                return error_setf(t->e, -EHOSTUNREACH, "host '%s' is unreachable: %s", host,
                                  curl_text(t, code));
        case CURLE_OPERATION_TIMEDOUT:
                return error_setf(t->e, -ETIMEDOUT, "host '%s' is too slow: %s", host, curl_text(t, code));
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_ISSUER_ERROR:
                return error_setf(
                        t->e, -EKEYREJECTED,
                        "the certificate of host '%s' is not valid: %s; make its authority known to this "
                        "machine (update-ca-certificates), or accept any with --insecure-options=tls",
                        host, curl_text(t, code));
        case CURLE_SSL_CONNECT_ERROR:
                return error_setf(t->e, -EPROTO, "host '%s' does not speak TLS as we do: %s", host,
                                  curl_text(t, code));
        case CURLE_PARTIAL_FILE:
                return error_setf(t->e, -ECONNRESET, "'%s' is truncated: the connection ended too early",
                                  t->text);
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
                return error_setf(t->e, -ECONNRESET, "the connection to host '%s' broke: %s", host,
                                  curl_text(t, code));
        case CURLE_COULDNT_RESOLVE_PROXY:
                return error_setf(t->e, -EHOSTUNREACH,
                                  "the proxy %s is not known; check HTTPS_PROXY and HTTP_PROXY",
                                  t->proxy.url);
        case CURLE_GOT_NOTHING:
                return error_setf(t->e, -EPROTO, "host '%s' closed the connection without an answer", host);
        case CURLE_OUT_OF_MEMORY: return error_oom(t->e);
        default: return error_setf(t->e, -EIO, "cannot get '%s': %s", t->text, curl_text(t, code));
        }
}

/* libcurl would read the bundle of authorities and then, file by file, the directory that it was made from. */
static CURLcode set_authorities(CURL *curl, const char *own) {
        char *bundle = NULL;

        if (own) {
                CURLcode c = curl_easy_setopt(curl, CURLOPT_CAINFO, own);

                return c == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) : c;
        }
        if (curl_easy_getinfo(curl, CURLINFO_CAINFO, &bundle) != CURLE_OK || !bundle ||
            access(bundle, R_OK) < 0)
                return CURLE_OK;
        return curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
}

static CURLcode set_options(HttpHop *t) {
        const PullRequest *q = t->request;
        CURLcode c = CURLE_OK;

#define SET(option, value)                                                                                   \
        do                                                                                                   \
                if (c == CURLE_OK)                                                                           \
                        c = curl_easy_setopt(t->curl, option, value);                                        \
        while (0)
        SET(CURLOPT_NOSIGNAL, 1L);
        SET(CURLOPT_FOLLOWLOCATION, 0L);
        SET(CURLOPT_PROTOCOLS_STR, q->allow_http ? "http,https" : "https");
        SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
        SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_SSL_VERIFYPEER, q->insecure_tls ? 0L : 1L);
        SET(CURLOPT_SSL_VERIFYHOST, q->insecure_tls ? 0L : 2L);
        SET(CURLOPT_HTTP09_ALLOWED, 0L);
        SET(CURLOPT_USERAGENT, USER_AGENT);
        SET(CURLOPT_CONNECTTIMEOUT, (long) q->connect_max_sec);
        SET(CURLOPT_LOW_SPEED_LIMIT, (long) PULL_STALL_RATE);
        SET(CURLOPT_LOW_SPEED_TIME, (long) q->stall_max_sec);
        SET(CURLOPT_BUFFERSIZE, 128L * 1024);
        SET(CURLOPT_ERRORBUFFER, t->curl_error);
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, t);
        SET(CURLOPT_WRITEFUNCTION, on_body);
        SET(CURLOPT_WRITEDATA, t);
        SET(CURLOPT_PREREQFUNCTION, on_connected);
        SET(CURLOPT_PREREQDATA, t);
        SET(CURLOPT_NOPROXY, "");                           /* decided here, by proxy.c */
        SET(CURLOPT_HEADEROPT, (long) CURLHEADER_SEPARATE); /* a proxy is not told what is for the server */
        SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
#undef SET
        return c == CURLE_OK ? set_authorities(t->curl, q->ca_files ? *q->ca_files : NULL) : c;
}

static int set_proxy(HttpHop *t) {
        const PullRequest *q = t->request;
        const char *text = t->url->https ? q->proxy_https : q->proxy_http;
        CURLcode c;
        int r;

        proxy_done(&t->proxy);
        if (text && !proxy_is_bypassed(q->no_proxy, t->url)) {
                r = proxy_parse(text, &t->proxy, t->e);
                if (r < 0)
                        return error_prefixf(t->e, r, "the proxy is wrong");
                r = check_proxied(t);
                if (r < 0)
                        return r;
        }
        c = curl_easy_setopt(t->curl, CURLOPT_PROXY, t->proxy.url ? t->proxy.url : "");
        if (c == CURLE_OK)
                c = curl_easy_setopt(t->curl, CURLOPT_PROXYUSERNAME, t->proxy.user);
        if (c == CURLE_OK)
                c = curl_easy_setopt(t->curl, CURLOPT_PROXYPASSWORD, t->proxy.password);
        return c == CURLE_OK ? 0 : error_setf(t->e, -EIO, "the proxy %s cannot be used", t->proxy.url);
}

/**
 * http_hop_clear_headers() - forget what was to be sent
 * @h: a hop
 */
void http_hop_clear_headers(HttpHop *h) {
        curl_slist_free_all(h->headers);
        h->headers = NULL;
}

/**
 * http_hop_add_header() - send one more header
 * @h:    a hop
 * @text: "Name: value"
 *
 * Return: 0, -ENOMEM.
 */
int http_hop_add_header(HttpHop *h, const char *text) {
        struct curl_slist *l = curl_slist_append(h->headers, text);

        if (!l)
                return error_oom(h->e);
        h->headers = l;
        return 0;
}

/* A certificate of ours says who we are; only the host that it is for is told. */
static CURLcode set_client(HttpHop *h) {
        const PullRequest *q = h->request;
        bool show = q->cert_file && (!h->client || url_same_origin(h->client, h->url));
        CURLcode c = curl_easy_setopt(h->curl, CURLOPT_SSLCERT, show ? q->cert_file : NULL);

        return c == CURLE_OK ? curl_easy_setopt(h->curl, CURLOPT_SSLKEY, show ? q->key_file : NULL) : c;
}

static int set_hop(HttpHop *t) {
        const usec_t now = clock_usec(CLOCK_MONOTONIC);
        CURLcode c;
        int r;

        if (!t->url->https && !t->request->allow_http)
                return error_setf(t->e, -EPERM,
                                  "'%s' is plain http, which anybody on the way can read and change; use "
                                  "https, or allow "
                                  "it with --insecure-options=http",
                                  t->text);
        if (now >= t->deadline)
                return error_setf(t->e, -ETIMEDOUT, "'%s' took longer than %u seconds", t->text,
                                  t->request->time_max_sec);
        r = set_proxy(t);
        if (r < 0)
                return r;
        c = curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers);
        if (c == CURLE_OK)
                c = set_client(t);
        if (c == CURLE_OK)
                c = curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long) ((t->deadline - now) / 1000 + 1));
        if (c == CURLE_OK)
                c = curl_easy_setopt(t->curl, CURLOPT_URL, t->text);
        http_head_done(&t->head);
        t->n_header_bytes = 0;
        t->n_header_lines = 0;
        t->curl_error[0] = 0;
        t->take_body = false;
        t->r = 0;
        return c == CURLE_OK ? 0 : error_oom(t->e);
}

/**
 * http_hop_perform() - send the request and take the answer
 * @h: with the headers to be sent; method and body are set at its handle
 *
 * Return: 0 (also for a redirect), what a callback returned, -EPERM (plain http, this machine), -EACCES (proxy),
 * -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED (certificate), -ECONNRESET, -E2BIG (headers), -EBADMSG, -EPROTO, -EIO, -ENOMEM.
 */
int http_hop_perform(HttpHop *h) {
        int r;

        h->code = CURLE_OK;
        r = set_hop(h);
        if (r < 0)
                return r;
        h->code = curl_easy_perform(h->curl);
        if (h->r < 0)
                return h->r;
        return h->code == CURLE_OK ? 0 : curl_failed(h, h->code);
}

/* A Location as it was sent, not as libcurl reads it: libcurl would make a host of any number. Only one without a host of its
 * own is put together by libcurl. */
static int parse_location(HttpHop *t, Url **ret) {
        _cleanup_free_ char *absolute = NULL;
        const char *where = NULL;

        if (startswith(t->head.location, "//")) {
                absolute = strf("%s:%s", t->url->https ? "https" : "http", t->head.location);
                where = absolute;
        } else if (strstr(t->head.location, "://"))
                where = t->head.location;
        else
                (void) curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &where);
        if (!where || strlen(t->head.location) > URL_LENGTH_MAX || url_parse(where, ret, NULL) < 0)
                return error_setf(t->e, -EBADMSG,
                                  "the server redirects '%s' to something that is no proper https URL",
                                  t->text);
        return 0;
}

/**
 * http_hop_redirect() - go where the answer points
 * @h: with the answer of a redirect
 *
 * Return: 0, -EBADMSG (no proper URL), -EPERM (from https to http), -ELOOP (too often), -ENOMEM.
 */
int http_hop_redirect(HttpHop *h) {
        _cleanup_(url_freep) Url *next = NULL;
        int r;

        if (++h->n_hops > h->request->redirects_max)
                return error_setf(h->e, -ELOOP, "the server redirects more than %u times",
                                  h->request->redirects_max);
        if (!h->head.location || !*h->head.location)
                return error_setf(h->e, -EBADMSG, "the server redirects '%s' to nowhere", h->text);
        r = parse_location(h, &next);
        if (r < 0)
                return r;
        r = url_check_redirect(h->url, next, h->e);
        if (r < 0)
                return error_prefixf(h->e, r, "'%s'", h->text);
        (void) url_free(h->url);
        h->url = TAKE_PTR(next);
        h->text = (free(h->text), NULL);
        return url_to_string(h->url, &h->text) < 0 ? error_oom(h->e) : 0;
}

/**
 * http_hop_go_to() - the next request is for this URL
 * @h:   a hop
 * @url: copied
 *
 * Return: 0, those of url_parse(), -ENOMEM.
 */
int http_hop_go_to(HttpHop *h, const char *url) {
        int r;

        (void) url_free(TAKE_PTR(h->url));
        free(TAKE_PTR(h->text));
        r = url_parse(url, &h->url, h->e);
        if (r < 0)
                return r;
        return url_to_string(h->url, &h->text) < 0 ? error_oom(h->e) : 0;
}

/**
 * http_hop_init() - make the handle
 * @h: zero, but for request, e, deadline and the callbacks, which are set
 *
 * Return: 0, -EIO.
 */
int http_hop_init(HttpHop *h) {
        h->head = HTTP_HEAD_INIT;
        h->curl = curl_easy_init();
        if (!h->curl || set_options(h) != CURLE_OK)
                return error_setf(h->e, -EIO, "libcurl does not start");
        return 0;
}

/**
 * http_hop_done() - free what a hop holds
 * @h: also one that was never made
 */
void http_hop_done(HttpHop *h) {
        if (h->curl)
                curl_easy_cleanup(h->curl);
        curl_slist_free_all(h->headers);
        (void) url_free(h->url);
        (void) url_free(h->client);
        free(h->text);
        proxy_done(&h->proxy);
        http_head_done(&h->head);
}

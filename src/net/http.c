/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP by libcurl on GnuTLS. libcurl never follows a redirect by itself: each hop is parsed by url.c and judged here, so
 * that a server cannot send us to another scheme, to this machine, or in circles; and so that what is secret goes to the
 * origin that it is for and to no other.
 *
 * A connection that breaks in the middle of a body is made again, from the first URL on, for the bytes that are missing:
 * Range, and If-Range with the tag of the first answer. Only a 206 of the same version is a continuation. Anything else
 * means that the file was changed meanwhile, -ESTALE, and whoever asked begins anew; two versions are never mixed. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <poll.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "net/http-head.h"
#include "net/http.h"
#include "net/proxy.h"
#include "net/url.h"

#define HEADER_LINES_MAX 256U
#define RETRY_WAIT_MSEC  250U  /* before the first retry; doubled each time ... */
#define RETRY_WAIT_MAX   8000U /* ... up to this */
#define USER_AGENT       "rkt/2.0"

typedef struct Transfer {
        CURL *curl;
        const PullRequest *request;
        const HttpSink *sink;
        Error *e;
        int r;                      /* first failure of ours */
        usec_t deadline;            /* CLOCK_MONOTONIC */
        Url *origin;                /* whom the secret headers are for */
        Url *url;                   /* of the hop at hand */
        char *text;                 /* the same as text */
        struct curl_slist *headers; /* of that hop */
        Proxy proxy;                /* of that hop; without url: none */
        HttpHead head;              /* of its answer */
        unsigned n_hops;
        bool first_is_local; /* the first host was this machine, or on this link: then others may be too */
        size_t n_header_bytes;
        unsigned n_header_lines;

        bool whole;        /* this attempt asks for everything, although a part is here */
        bool take_body;    /* the answer at hand is the one whose body we want */
        bool retryable;    /* what went wrong may go well the next time */
        unsigned wait_sec; /* because the server said so */

        PullHead given; /* to the sink */
        bool head_given;
        uint64_t n_body;
        char curl_error[CURL_ERROR_SIZE];
} Transfer;

static void transfer_done(Transfer *t) {
        if (t->curl)
                curl_easy_cleanup(t->curl);
        curl_slist_free_all(t->headers);
        (void) url_free(t->origin);
        (void) url_free(t->url);
        free(t->text);
        proxy_done(&t->proxy);
        http_head_done(&t->head);
        pull_head_done(&t->given);
}

static usec_t now_usec(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (usec_t) now.tv_sec * USEC_PER_SEC + (usec_t) now.tv_nsec / 1000;
}

/* Where the next byte belongs. */
static uint64_t position(const Transfer *t) {
        return t->given.offset + t->n_body;
}

/* The bytes that are here and need not come again: those of earlier, and those that came before the connection broke. */
static uint64_t wanted_start(const Transfer *t) {
        if (t->head_given)
                return position(t);
        return t->whole ? 0 : t->request->resume_from;
}

static const char *wanted_tag(const Transfer *t) {
        return t->head_given ? t->given.resume_tag : t->request->resume_tag;
}

static int refuse_local(Transfer *t, const char *ip) {
        return error_setf(t->e, -EPERM,
                          "the server redirects to '%s', which is this machine or its own link (%s)",
                          t->url->host, ip);
}

/* Connected, nothing said yet. A public server must not make us talk to this machine or to a metadata service. */
static int on_connected(void *userdata, char *ip, char *local_ip, int port, int local_port) {
        Transfer *t = userdata;
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
static int check_proxied(Transfer *t) {
        struct in6_addr address;
        bool is_address = inet_pton(AF_INET, t->url->host, &address) == 1 || strchr(t->url->host, ':');

        return t->n_hops > 0 && is_address && address_is_local(t->url->host) ? refuse_local(t, t->url->host)
                                                                             : 0;
}

static int changed(Transfer *t) {
        return error_setf(t->e, -ESTALE, "'%s' was changed on the server while it was being downloaded",
                          t->text);
}

static int later(Transfer *t, unsigned status) {
        const uint64_t sec = t->head.retry_after;

        if (sec == UINT64_MAX && !t->head_given)
                return error_setf(t->e, -EBUSY,
                                  "the server is too busy for '%s' (bad HTTP status code: %u); try later",
                                  t->text, status);
        if (sec != UINT64_MAX && sec > PULL_WAIT_MAX_SEC)
                return error_setf(t->e, -EBUSY,
                                  "the server is too busy for '%s' (bad HTTP status code: %u), and wants to "
                                  "be asked again "
                                  "in %" PRIu64 " seconds; that is longer than rkt waits",
                                  t->text, status, sec);
        t->retryable = true;
        t->wait_sec = sec != UINT64_MAX ? (unsigned) sec : 0;
        return error_setf(t->e, -EBUSY, "the server is too busy for '%s' (bad HTTP status code: %u)", t->text,
                          status);
}

static int refused(Transfer *t, unsigned status) {
        if (status == 404 || status == 410)
                return error_setf(t->e, -ENOENT,
                                  "'%s' does not exist on the server (bad HTTP status code: %u)", t->text,
                                  status);
        if (status == 401 || status == 403)
                return error_setf(t->e, -EACCES,
                                  "the server refuses '%s' to us (bad HTTP status code: %u); credentials for "
                                  "it belong into "
                                  "auth.d, see rkt-config(5)",
                                  t->text, status);
        if (status == 407)
                return error_setf(t->e, -EACCES,
                                  "the proxy %s refuses us (bad HTTP status code: 407); it wants a user name "
                                  "and a password "
                                  "in its URL: http://USER:PASSWORD@HOST:PORT",
                                  t->proxy.url ? t->proxy.url : "on the way");
        if (status == 202)
                return error_setf(t->e, -EAGAIN,
                                  "the server has not made '%s' yet (bad HTTP status code: 202)", t->text);
        if (status == 429 || status == 503)
                return later(t, status);
        /* A gateway that lost its server for a moment. */
        t->retryable = t->head_given && status >= 500 && status <= 504;
        return error_setf(t->e, -EBADMSG, "cannot get '%s' (bad HTTP status code: %u)", t->text, status);
}

static int check_size(Transfer *t, uint64_t size) {
        if (size != UINT64_MAX && size > t->request->size_max)
                return error_setf(t->e, -EFBIG, "'%s' has %" PRIu64 " bytes, more than the limit of %" PRIu64,
                                  t->text, size, t->request->size_max);
        return 0;
}

/* The first answer that counts: tell the sink. */
static int give_head(Transfer *t, unsigned status, uint64_t offset, uint64_t length) {
        const char *tag = length != UINT64_MAX ? http_head_resume_tag(&t->head) : NULL;
        int r;

        r = check_size(t, length);
        if (r < 0)
                return r;
        t->given.status = status;
        t->given.offset = offset;
        t->given.length = length;
        t->given.max_age = t->head.max_age;
        if (str_replace(&t->given.url, t->text) < 0 ||
            (t->head.etag && str_replace(&t->given.etag, t->head.etag) < 0) ||
            (tag && str_replace(&t->given.resume_tag, tag) < 0))
                return error_oom(t->e);
        t->head_given = true;
        return t->sink->head(t->sink->userdata, &t->given, t->e);
}

static int on_whole(Transfer *t) {
        if (t->head.chunked && t->head.length != UINT64_MAX)
                return error_setf(t->e, -EBADMSG, "the server gives two different lengths for '%s'", t->text);
        if (t->head_given)
                return changed(t);
        t->take_body = true;
        return give_head(t, 200, 0, t->head.length);
}

/* A part is only taken if it is the one that was asked for, of the version that the other part is of. */
static int on_part(Transfer *t) {
        const HttpHead *h = &t->head;
        const uint64_t start = wanted_start(t);
        const char *tag = http_head_resume_tag(h);

        if (start == 0)
                return error_setf(t->e, -EBADMSG, "the server sends a part of '%s' that nobody asked for",
                                  t->text);
        if (!h->has_range || h->range_start != start || h->range_total == UINT64_MAX ||
            h->range_end != h->range_total - 1 ||
            (h->length != UINT64_MAX && h->length != h->range_total - start))
                return error_setf(t->e, -EBADMSG, "the server sends another part of '%s' than was asked for",
                                  t->text);
        if (tag && !streq(tag, wanted_tag(t)))
                return changed(t);
        t->take_body = true;
        if (t->head_given)
                return h->range_total == t->given.length ? 0 : changed(t);
        if (!tag && str_replace(&t->given.resume_tag, wanted_tag(t)) < 0)
                return error_oom(t->e);
        return give_head(t, 200, start, h->range_total);
}

/* What is here is longer than what the server has. */
static int on_no_such_part(Transfer *t) {
        if (t->head_given)
                return changed(t);
        if (wanted_start(t) == 0)
                return refused(t, 416);
        t->whole = true;
        t->retryable = true;
        return error_setf(t->e, -ESTALE, "'%s' was changed on the server", t->text);
}

/* All headers of one answer are there. */
static int on_headers_end(Transfer *t) {
        long status = 0;

        (void) curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 100 && status < 200)
                return 0;
        if (status < 200 || status > 999)
                return error_setf(t->e, -EBADMSG, "host '%s' does not speak HTTP", t->url->host);
        switch (status) {
        case 200: return on_whole(t);
        case 206: return on_part(t);
        case 304:
                if (!t->request->etag || t->head_given)
                        return refused(t, 304);
                return give_head(t, 304, 0, UINT64_MAX);
        case 416: return on_no_such_part(t);
        default: return status >= 300 && status < 400 ? 0 : refused(t, (unsigned) status);
        }
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
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
        Transfer *t = userdata;

        n *= size;
        if (!t->take_body)
                return n; /* the text of a redirect */
        if (n > t->request->size_max - position(t)) {
                t->r = error_setf(t->e, -EFBIG, "'%s' has more than %" PRIu64 " bytes", t->text,
                                  t->request->size_max);
                return 0;
        }
        t->n_body += n;
        t->r = t->sink->body(t->sink->userdata, data, n, t->e);
        return t->r < 0 ? 0 : n;
}

static const char *curl_text(const Transfer *t, CURLcode code) {
        return t->curl_error[0] ? t->curl_error : curl_easy_strerror(code);
}

static int truncated(Transfer *t) {
        return error_setf(t->e, -ECONNRESET,
                          "'%s' is truncated: the connection ended after %" PRIu64 " of %" PRIu64 " bytes",
                          t->text, position(t), t->given.length);
}

/* A connection, rather than an answer, went wrong. */
static bool is_broken(CURLcode code) {
        return code == CURLE_PARTIAL_FILE || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
               code == CURLE_GOT_NOTHING || code == CURLE_COULDNT_RESOLVE_HOST ||
               code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
               code == CURLE_SSL_CONNECT_ERROR;
}

static int proxy_refuses(Transfer *t, long status) {
        return error_setf(t->e, -EACCES,
                          "the proxy %s refuses to connect us to host '%s' (bad HTTP status code: %ld)%s",
                          t->proxy.url, t->url->host, status,
                          status == 401 || status == 407
                                  ? "; it wants a user name and a password in its URL: "
                                    "http://USER:PASSWORD@HOST:PORT"
                                  : "");
}

static int curl_failed(Transfer *t, CURLcode code) {
        const char *host = t->url->host;
        long status = 0;

        (void) curl_easy_getinfo(t->curl, CURLINFO_HTTP_CONNECTCODE, &status);
        if (t->proxy.url && status >= 300)
                return proxy_refuses(t, status);
        t->retryable = t->head_given && is_broken(code);

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
        case CURLE_PARTIAL_FILE: return truncated(t);
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
static CURLcode set_authorities(CURL *curl) {
        char *bundle = NULL;

        if (curl_easy_getinfo(curl, CURLINFO_CAINFO, &bundle) != CURLE_OK || !bundle ||
            access(bundle, R_OK) < 0)
                return CURLE_OK;
        return curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
}

static CURLcode set_options(Transfer *t) {
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
        return c == CURLE_OK ? set_authorities(t->curl) : c;
}

static int set_proxy(Transfer *t) {
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

static int add_header(Transfer *t, const char *text) {
        struct curl_slist *l = curl_slist_append(t->headers, text);

        if (!l)
                return -ENOMEM;
        t->headers = l;
        return 0;
}

/* Secrets only for the origin that they are for, however we came here. */
static int set_headers(Transfer *t) {
        const PullRequest *q = t->request;
        _cleanup_free_ char *etag = NULL, *range = NULL, *if_range = NULL;
        const uint64_t start = wanted_start(t);

        curl_slist_free_all(t->headers);
        t->headers = NULL;
        if (url_same_origin(t->origin, t->url))
                STRV_FOREACH (h, q->headers)
                        if (add_header(t, *h) < 0)
                                return -ENOMEM;
        if (q->etag && !t->head_given) {
                etag = strf("If-None-Match: %s", q->etag);
                if (!etag || add_header(t, etag) < 0)
                        return -ENOMEM;
        }
        if (start > 0) {
                range = strf("Range: bytes=%" PRIu64 "-", start);
                if_range = strf("If-Range: %s", wanted_tag(t));
                if (!range || !if_range || add_header(t, range) < 0 || add_header(t, if_range) < 0)
                        return -ENOMEM;
        }
        return curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK ? 0 : -ENOMEM;
}

static int set_hop(Transfer *t) {
        const usec_t now = now_usec();
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
        if (set_headers(t) < 0)
                return error_oom(t->e);
        c = curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long) ((t->deadline - now) / 1000 + 1));
        if (c == CURLE_OK)
                c = curl_easy_setopt(t->curl, CURLOPT_URL, t->text);
        http_head_done(&t->head);
        t->n_header_bytes = 0;
        t->n_header_lines = 0;
        t->curl_error[0] = 0;
        return c == CURLE_OK ? 0 : error_oom(t->e);
}

/* A Location as it was sent, not as libcurl reads it: libcurl would make a host of any number. Only one without a host of its
 * own is put together by libcurl. */
static int parse_location(Transfer *t, Url **ret) {
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

/* Where the answer points. */
static int go_on(Transfer *t) {
        _cleanup_(url_freep) Url *next = NULL;
        int r;

        if (!t->head.location || !*t->head.location)
                return error_setf(t->e, -EBADMSG, "the server redirects '%s' to nowhere", t->text);
        r = parse_location(t, &next);
        if (r < 0)
                return r;
        r = url_check_redirect(t->url, next, t->e);
        if (r < 0)
                return error_prefixf(t->e, r, "'%s'", t->text);
        (void) url_free(t->url);
        t->url = TAKE_PTR(next);
        t->text = (free(t->text), NULL);
        return url_to_string(t->url, &t->text) < 0 ? error_oom(t->e) : 1;
}

static int check_whole(Transfer *t) {
        if (!t->take_body || t->given.length == UINT64_MAX || position(t) == t->given.length)
                return 0;
        t->retryable = true;
        return truncated(t);
}

/* One request and its answer. 1: the server points elsewhere, and t->url is that place. */
static int one_hop(Transfer *t) {
        CURLcode code;
        int r;

        r = set_hop(t);
        if (r < 0)
                return r;
        code = curl_easy_perform(t->curl);
        if (t->r < 0)
                return t->r;
        if (code != CURLE_OK)
                return curl_failed(t, code);
        if (t->take_body || t->given.status == 304)
                return check_whole(t);
        return go_on(t);
}

static int follow(Transfer *t) {
        int r;

        for (t->n_hops = 0;; t->n_hops++) {
                if (t->n_hops > t->request->redirects_max)
                        return error_setf(t->e, -ELOOP, "the server redirects more than %u times",
                                          t->request->redirects_max);
                r = one_hop(t);
                if (r <= 0)
                        return r;
        }
}

/* From the first URL on: where it points may have moved, or be good for a minute only. */
static int attempt(Transfer *t) {
        int r;

        (void) url_free(TAKE_PTR(t->url));
        free(TAKE_PTR(t->text));
        r = url_parse(t->request->url, &t->url, t->e);
        if (r < 0)
                return r;
        if (url_to_string(t->url, &t->text) < 0)
                return error_oom(t->e);
        t->r = 0;
        t->take_body = t->retryable = false;
        t->wait_sec = 0;
        return follow(t);
}

/* A body that cannot be continued is not begun again: the sink has its beginning. */
static bool may_retry(const Transfer *t, unsigned n) {
        if (!t->retryable || n >= t->request->retries_max || (t->head_given && !t->given.resume_tag))
                return false;
        return now_usec() + t->wait_sec * USEC_PER_SEC < t->deadline;
}

static int attempts(Transfer *t) {
        int r;

        for (unsigned n = 0;; n++) {
                unsigned msec = n < 6 ? MIN(RETRY_WAIT_MSEC << n, RETRY_WAIT_MAX) : RETRY_WAIT_MAX;
                bool restart = t->whole;

                r = attempt(t);
                if (r >= 0)
                        return 0;
                if (t->whole && !restart) /* 416: at once, and not counted */
                        continue;
                if (!may_retry(t, n))
                        return n > 0 && t->retryable
                                       ? error_setf(t->e, r, "%s; tried %u times", error_text(t->e, r), n + 1)
                                       : r;
                (void) poll(NULL, 0, (int) (t->wait_sec > 0 ? t->wait_sec * 1000 : msec));
        }
}

/**
 * http_get() - get one URL
 * @q:        what and within which limits, all of them set
 * @sink:     gets the head once, then the body piece by piece
 * @ret_size: bytes of the body that the sink got
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EPERM (plain http, redirect that is not allowed), -ENOENT (404), -EACCES (401, 403, 407), -EAGAIN (202),
 * -EBUSY (429, 503), -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED (certificate), -ECONNRESET (broken, truncated), -ESTALE (another
 * version than the one that was begun), -EFBIG, -E2BIG (headers), -ELOOP, -EBADMSG, -EPROTO, -EIO, or what a sink returned.
 */
int http_get(const PullRequest *q, const HttpSink *sink, uint64_t *ret_size, Error *e) {
        _cleanup_error_ Error own = ERROR_INIT;
        _cleanup_(transfer_done) Transfer t = {
                .request = q, .sink = sink, .e = e ? e : &own, .head = HTTP_HEAD_INIT, .given = PULL_HEAD_INIT
        };
        int r;

        t.deadline = now_usec() + q->time_max_sec * USEC_PER_SEC;
        r = url_parse(q->url, &t.origin, t.e);
        if (r < 0)
                return r;
        t.curl = curl_easy_init();
        if (!t.curl || set_options(&t) != CURLE_OK)
                return error_setf(t.e, -EIO, "libcurl does not start");
        r = attempts(&t);
        if (r >= 0)
                *ret_size = t.n_body;
        return r;
}

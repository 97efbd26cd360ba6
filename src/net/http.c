/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP by libcurl on GnuTLS. libcurl never follows a redirect by itself: each hop is parsed by url.c and judged here, so
 * that a server cannot send us to another scheme, to this machine, or in circles. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <strings.h>

#include "basic/str.h"
#include "net/http.h"
#include "net/url.h"

#define CONNECT_TIMEOUT_SEC 20L
#define LOW_SPEED_BYTES     1024L /* per second ... */
#define LOW_SPEED_SEC       60L   /* ... over so long is too slow */
#define HEADER_BYTES_MAX    (64U * 1024)
#define HEADER_LINES_MAX    256U
#define USER_AGENT          "rkt/2.0"

typedef struct Transfer {
        CURL *curl;
        const PullRequest *request;
        const HttpSink *sink;
        Error *e;
        int r;      /* first failure of ours */
        Url *url;   /* of the hop at hand */
        char *text; /* the same as text */
        PullHead head;
        char *location;
        unsigned n_hops;
        bool first_is_local; /* the first host was this machine, or on this link: then others may be too */
        bool chunked;
        bool head_sent;
        uint64_t n_body;
        size_t n_header_bytes;
        unsigned n_header_lines;
        char curl_error[CURL_ERROR_SIZE];
} Transfer;

static void transfer_done(Transfer *t) {
        if (t->curl)
                curl_easy_cleanup(t->curl);
        (void) url_free(t->url);
        free(t->text);
        free(t->location);
        pull_head_done(&t->head);
}

static bool is_local_address(const char *ip) {
        struct in6_addr a6;
        struct in_addr a4;

        if (inet_pton(AF_INET6, ip, &a6) == 1) {
                if (IN6_IS_ADDR_LOOPBACK(&a6) || IN6_IS_ADDR_LINKLOCAL(&a6) || IN6_IS_ADDR_UNSPECIFIED(&a6))
                        return true;
                if (!IN6_IS_ADDR_V4MAPPED(&a6))
                        return false;
                memcpy(&a4, a6.s6_addr + 12, sizeof(a4));
        } else if (inet_pton(AF_INET, ip, &a4) != 1)
                return true; /* a zone index: link-local */
        return a4.s_addr == 0 || (ntohl(a4.s_addr) >> 24) == 127 || (ntohl(a4.s_addr) >> 16) == 0xA9FE;
}

/* Connected, nothing said yet. A public server must not make us talk to this machine or to a metadata service. */
static int on_connected(void *userdata, char *ip, char *local_ip, int port, int local_port) {
        Transfer *t = userdata;
        bool local = is_local_address(ip);

        if (t->n_hops == 0)
                t->first_is_local = local;
        else if (local && !t->first_is_local) {
                t->r = error_setf(t->e, -EPERM,
                                  "the server redirects to '%s', which is this machine or its own link (%s)",
                                  t->url->host, ip);
                return CURL_PREREQFUNC_ABORT;
        }
        return CURL_PREREQFUNC_OK;
}

static int check_status(Transfer *t, unsigned status) {
        const PullRequest *q = t->request;

        if (status == 200 || (status == 304 && q->etag) || (status >= 300 && status < 400 && status != 304))
                return 0;
        if (status == 404 || status == 410)
                return error_setf(t->e, -ENOENT,
                                  "'%s' does not exist on the server (bad HTTP status code: %u)", t->text,
                                  status);
        if (status == 401 || status == 403)
                return error_setf(t->e, -EACCES, "the server refuses '%s' to us (bad HTTP status code: %u)",
                                  t->text, status);
        if (status == 202)
                return error_setf(t->e, -EAGAIN,
                                  "the server has not made '%s' yet (bad HTTP status code: 202)", t->text);
        return error_setf(t->e, -EBADMSG, "cannot get '%s' (bad HTTP status code: %u)", t->text, status);
}

/* All headers of one answer are there. */
static int on_headers_end(Transfer *t) {
        long status = 0;
        int r;

        (void) curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 100 && status < 200)
                return 0;
        if (status < 200 || status > 999)
                return error_setf(t->e, -EBADMSG, "host '%s' does not speak HTTP", t->url->host);
        r = check_status(t, (unsigned) status);
        if (r < 0)
                return r;
        if (status != 200 && status != 304)
                return 0;
        if (t->chunked && t->head.length != UINT64_MAX)
                return error_setf(t->e, -EBADMSG, "the server gives two different lengths for '%s'", t->text);
        if (t->head.length != UINT64_MAX && t->head.length > t->request->size_max)
                return error_setf(t->e, -EFBIG, "'%s' has %llu bytes, more than the limit of %llu", t->text,
                                  (unsigned long long) t->head.length,
                                  (unsigned long long) t->request->size_max);
        t->head.status = (unsigned) status;
        if (str_replace(&t->head.url, t->text) < 0)
                return error_oom(t->e);
        t->head_sent = true;
        return t->sink->head(t->sink->userdata, &t->head, t->e);
}

static int take_header(Transfer *t, char *line) {
        char *colon = strchr(line, ':'), *value;

        if (!colon)
                return 0;
        *colon = 0;
        value = str_strip(colon + 1);
        if (strcasecmp(line, "etag") == 0)
                return pull_text_is_plain(value) && strlen(value) < 1024 ? str_replace(&t->head.etag, value)
                                                                         : 0;
        if (strcasecmp(line, "cache-control") == 0)
                t->head.max_age = pull_parse_max_age(value);
        else if (strcasecmp(line, "transfer-encoding") == 0)
                t->chunked = true;
        else if (strcasecmp(line, "location") == 0)
                return str_replace(&t->location, value);
        else if (strcasecmp(line, "content-length") == 0) {
                uint64_t n;

                if (parse_uint64(value, &n) < 0 || (t->head.length != UINT64_MAX && t->head.length != n))
                        return error_setf(t->e, -EBADMSG,
                                          "the server sends a Content-Length that is no number");
                t->head.length = n;
        }
        return 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
        _cleanup_free_ char *line = NULL;

        n *= size;
        t->n_header_bytes += n;
        if (t->n_header_bytes > HEADER_BYTES_MAX || ++t->n_header_lines > HEADER_LINES_MAX) {
                t->r = error_setf(t->e, -E2BIG, "host '%s' sends too many headers", t->url->host);
                return 0;
        }
        line = strndup(data, n);
        if (!line) {
                t->r = error_oom(t->e);
                return 0;
        }
        if (startswith(line, "HTTP/")) {
                pull_head_done(&t->head);
                t->location = (free(t->location), NULL);
                t->chunked = false;
        } else if (line[strspn(line, "\r\n")] == 0)
                t->r = on_headers_end(t);
        else
                t->r = take_header(t, line);
        return t->r < 0 ? 0 : n;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;

        n *= size;
        if (!t->head_sent)
                return n; /* the text of a redirect */
        if (n > t->request->size_max - t->n_body) {
                t->r = error_setf(t->e, -EFBIG, "'%s' has more than %llu bytes", t->text,
                                  (unsigned long long) t->request->size_max);
                return 0;
        }
        t->n_body += n;
        t->r = t->sink->body(t->sink->userdata, data, n, t->e);
        return t->r < 0 ? 0 : n;
}

static const char *curl_text(const Transfer *t, CURLcode code) {
        return t->curl_error[0] ? t->curl_error : curl_easy_strerror(code);
}

static int curl_failed(Transfer *t, CURLcode code) {
        const char *host = t->url->host;

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
                return error_setf(t->e, -ECONNRESET,
                                  "'%s' is truncated: the connection ended after %llu of %llu bytes", t->text,
                                  (unsigned long long) t->n_body, (unsigned long long) t->head.length);
        case CURLE_GOT_NOTHING:
                return error_setf(t->e, -EPROTO, "host '%s' closed the connection without an answer", host);
        case CURLE_OUT_OF_MEMORY: return error_oom(t->e);
        default: return error_setf(t->e, -EIO, "cannot get '%s': %s", t->text, curl_text(t, code));
        }
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
        SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
        SET(CURLOPT_SSL_VERIFYPEER, q->insecure_tls ? 0L : 1L);
        SET(CURLOPT_SSL_VERIFYHOST, q->insecure_tls ? 0L : 2L);
        SET(CURLOPT_HTTP09_ALLOWED, 0L);
        SET(CURLOPT_USERAGENT, USER_AGENT);
        SET(CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_SEC);
        SET(CURLOPT_TIMEOUT, (long) q->time_max_sec);
        SET(CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_BYTES);
        SET(CURLOPT_LOW_SPEED_TIME, LOW_SPEED_SEC);
        SET(CURLOPT_BUFFERSIZE, 128L * 1024);
        SET(CURLOPT_ERRORBUFFER, t->curl_error);
        SET(CURLOPT_HEADERFUNCTION, on_header);
        SET(CURLOPT_HEADERDATA, t);
        SET(CURLOPT_WRITEFUNCTION, on_body);
        SET(CURLOPT_WRITEDATA, t);
        SET(CURLOPT_PREREQFUNCTION, on_connected);
        SET(CURLOPT_PREREQDATA, t);
#undef SET
        return c;
}

/* A Location as it was sent, not as libcurl reads it: libcurl would make a host of any number. Only one without a host of its
 * own is put together by libcurl. */
static int parse_location(Transfer *t, Url **ret) {
        _cleanup_free_ char *absolute = NULL;
        const char *where = NULL;

        if (startswith(t->location, "//")) {
                absolute = strf("%s:%s", t->url->https ? "https" : "http", t->location);
                where = absolute;
        } else if (strstr(t->location, "://"))
                where = t->location;
        else
                (void) curl_easy_getinfo(t->curl, CURLINFO_REDIRECT_URL, &where);
        if (!where || strlen(t->location) > URL_LENGTH_MAX || url_parse(where, ret, NULL) < 0)
                return error_setf(t->e, -EBADMSG,
                                  "the server redirects '%s' to something that is no proper https URL",
                                  t->text);
        return 0;
}

/* One request and its answer. 1: the server points elsewhere, and t->url is that place. */
static int one_hop(Transfer *t) {
        _cleanup_(url_freep) Url *next = NULL;
        CURLcode code;
        int r;

        if (!t->url->https && !t->request->allow_http)
                return error_setf(t->e, -EPERM,
                                  "'%s' is plain http, which anybody on the way can read and change; use "
                                  "https, or allow "
                                  "it with --insecure-options=http",
                                  t->text);
        t->n_header_bytes = 0;
        t->n_header_lines = 0;
        t->curl_error[0] = 0;
        code = curl_easy_setopt(t->curl, CURLOPT_URL, t->text);
        if (code == CURLE_OK)
                code = curl_easy_perform(t->curl);
        if (t->r < 0)
                return t->r;
        if (code != CURLE_OK)
                return curl_failed(t, code);
        if (t->head_sent)
                return 0;
        if (!t->location || !*t->location)
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

static int add_headers(const PullRequest *q, struct curl_slist **headers) {
        _cleanup_free_ char *etag = NULL;

        if (!q->etag)
                return 0;
        etag = strf("If-None-Match: %s", q->etag);
        if (!etag)
                return -ENOMEM;
        *headers = curl_slist_append(NULL, etag);
        return *headers ? 0 : -ENOMEM;
}

static int follow(Transfer *t) {
        int r;

        for (;; t->n_hops++) {
                if (t->n_hops > t->request->redirects_max)
                        return error_setf(t->e, -ELOOP, "the server redirects more than %u times",
                                          t->request->redirects_max);
                r = one_hop(t);
                if (r <= 0)
                        return r;
        }
}

/**
 * http_get() - get one URL
 * @q:        what and within which limits
 * @sink:     gets the head once, then the body piece by piece
 * @ret_size: bytes of the body
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EPERM (plain http, redirect that is not allowed), -ENOENT (404), -EACCES (401, 403), -EAGAIN (202),
 * -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED (certificate), -ECONNRESET (truncated), -EFBIG, -ELOOP, -EBADMSG, -EPROTO, -EIO,
 * or what a sink returned.
 */
int http_get(const PullRequest *q, const HttpSink *sink, uint64_t *ret_size, Error *e) {
        _cleanup_(transfer_done) Transfer t = { .request = q, .sink = sink, .e = e, .head = PULL_HEAD_INIT };
        struct curl_slist *headers = NULL;
        int r;

        r = url_parse(q->url, &t.url, e);
        if (r < 0)
                return r;
        r = url_to_string(t.url, &t.text);
        if (r < 0)
                return error_oom(e);
        t.curl = curl_easy_init();
        if (!t.curl || set_options(&t) != CURLE_OK)
                return error_setf(e, -EIO, "libcurl does not start");
        r = add_headers(q, &headers);
        if (r < 0)
                return error_oom(e);
        if (headers)
                (void) curl_easy_setopt(t.curl, CURLOPT_HTTPHEADER, headers);
        r = follow(&t);
        curl_slist_free_all(headers);
        if (r >= 0)
                *ret_size = t.n_body;
        return r;
}

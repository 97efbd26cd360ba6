/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Authorization header: basic (RFC 7617), bearer (RFC 6750), AWS Signature Version 4 for S3 (a signature over method,
 * host, path, query and time, keyed by the secret key). Credentials go over https only. */
#include <gnutls/crypto.h>
#include <stdio.h>

#include "basic/base64.h"
#include "basic/hex.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/auth.h"

#define SHA256_SIZE 32
/* SHA-256 of nothing: our requests have no body. */
#define SHA256_EMPTY    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define AWS_SERVICE     "s3"
#define AWS_REGION      "us-east-1" /* of a host that names none, as in rkt */
#define AWS_QUERIES_MAX 256U

static int basic_lines(const ConfigAuth *a, char ***lines) {
        _cleanup_free_ char *plain = strf("%s:%s", a->user, a->password), *text = NULL;

        if (!plain || base64_encode(plain, strlen(plain), &text) < 0)
                return -ENOMEM;
        return strv_extendf(lines, "Authorization: Basic %s", text);
}

static int hmac(const void *key, size_t size, const char *text, uint8_t ret[SHA256_SIZE]) {
        return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, size, text, strlen(text), ret) < 0 ? -EIO : 0;
}

/* Does the part of the host before p end with these labels? */
static bool ends_label(const char *host, const char *p, const char *labels) {
        size_t n = strlen(labels);

        return (size_t) (p - host) >= n && memcmp(p - n, labels, n) == 0 &&
               ((size_t) (p - host) == n || p[-(ssize_t) n - 1] == '.');
}

/* The region in the name of one of Amazon's hosts: [BUCKET.]s3.REGION.amazonaws.com, or s3-REGION. Its length; 0: none. */
static size_t find_region(const char *host, const char **ret) {
        const char *end = strstr(host, ".amazonaws.com"), *region = end;

        if (!end)
                return 0;
        while (region > host && region[-1] != '.')
                region--;
        if (startswith(region, "s3-"))
                region += strlen("s3-");
        else if (!ends_label(host, region, "s3.") && !ends_label(host, region, "s3.dualstack."))
                return 0;
        if (startswith(region, "accelerate") || startswith(region, "external-1"))
                return 0;
        *ret = region;
        return (size_t) (end - region);
}

static int guess_region(const char *host, char **ret) {
        const char *region = NULL;
        size_t n = find_region(host, &region);

        *ret = n > 0 ? strndup(region, n) : strdup(AWS_REGION);
        return *ret ? 0 : -ENOMEM;
}

/* Everything but unreserved characters as %XX; what is so already stays. The path keeps its slashes. */
static void add_encoded(StrBuf *b, const char *s, size_t n, const char *keep) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%";

        for (size_t i = 0; i < n; i++)
                if (strchr(plain, s[i]) || strchr(keep, s[i]))
                        strbuf_add_n(b, s + i, 1);
                else
                        strbuf_addf(b, "%%%02X", (unsigned) (unsigned char) s[i]);
}

/* name=value pairs sorted by name, then by value; a name alone gets a '='. Until they are sorted, a byte that sorts before
 * all others stands for '='. */
static int canonical_query(const char *query, char **ret, Error *e) {
        _cleanup_strv_free_ char **pairs = NULL, **encoded = NULL;

        if (strv_split(query, "&", &pairs) < 0)
                return error_oom(e);
        if (strv_length(pairs) > AWS_QUERIES_MAX)
                return error_setf(e, -E2BIG, "the URL has more than %u parameters to sign", AWS_QUERIES_MAX);
        STRV_FOREACH (p, pairs) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                size_t n = strcspn(*p, "=");
                char *text;

                if (!**p)
                        continue;
                add_encoded(&b, *p, n, "");
                strbuf_add(&b, "\001");
                if ((*p)[n])
                        add_encoded(&b, *p + n + 1, strlen(*p + n + 1), "");
                if (strbuf_steal(&b, &text) < 0 || strv_consume(&encoded, text) < 0)
                        return error_oom(e);
        }
        strv_sort(encoded);
        STRV_FOREACH (p, encoded)
                *strchr(*p, '\001') = '=';
        return strv_join(encoded, "&", ret) < 0 ? error_oom(e) : 0;
}

static int sha256_hex(const char *text, char ret[2 * SHA256_SIZE + 1]) {
        uint8_t hash[SHA256_SIZE];

        if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), hash) < 0)
                return -EIO;
        hex_from_bytes(hash, sizeof(hash), ret);
        return 0;
}

/* What is signed of the request. */
static int canonical_request(const AuthRequest *q, const char *host, const char *time, char **ret, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *query = NULL;
        size_t n = strcspn(q->target, "?");
        int r = canonical_query(q->target[n] ? q->target + n + 1 : "", &query, e);

        if (r < 0)
                return r;
        strbuf_addf(&b, "%s\n", q->method);
        add_encoded(&b, q->target, n, "/");
        strbuf_addf(&b,
                    "\n%s\nhost:%s\nx-amz-content-sha256:" SHA256_EMPTY
                    "\nx-amz-date:%s\n\nhost;x-amz-content-sha256;x-amz-date\n" SHA256_EMPTY,
                    query, host, time);
        return strbuf_steal(&b, ret) < 0 ? error_oom(e) : 0;
}

/* The key of one day, region and service. */
static int signing_key(const char *secret, const char *date, const char *region, uint8_t ret[SHA256_SIZE]) {
        _cleanup_free_ char *first = strf("AWS4%s", secret);
        int r = first ? hmac(first, strlen(first), date, ret) : -ENOMEM;

        if (r >= 0)
                r = hmac(ret, SHA256_SIZE, region, ret);
        if (r >= 0)
                r = hmac(ret, SHA256_SIZE, AWS_SERVICE, ret);
        return r < 0 ? r : hmac(ret, SHA256_SIZE, "aws4_request", ret);
}

static int aws_lines(const ConfigAuth *a, const AuthRequest *q, char ***lines, Error *e) {
        bool ipv6 = strchr(q->host, ':');
        _cleanup_free_ char *host = NULL, *region = NULL, *request = NULL, *scope = NULL, *text = NULL;
        char time[sizeof("20130524T000000Z")], date[9], hash[2 * SHA256_SIZE + 1];
        uint8_t key[SHA256_SIZE];
        struct tm tm;
        int r;

        if (!gmtime_r(&q->now, &tm) || strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &tm) == 0)
                return error_setf(e, -ERANGE,
                                  "the clock is beyond the year 9999; a request cannot be signed");
        (void) snprintf(date, sizeof(date), "%.8s", time);
        host = q->port == 0 || q->port == (q->https ? 443U : 80U)
                       ? strf("%s%s%s", ipv6 ? "[" : "", q->host, ipv6 ? "]" : "")
                       : strf("%s%s%s:%u", ipv6 ? "[" : "", q->host, ipv6 ? "]" : "", q->port);
        r = a->aws_region && *a->aws_region ? str_replace(&region, a->aws_region)
                                            : guess_region(q->host, &region);
        if (!host || r < 0)
                return error_oom(e);
        r = canonical_request(q, host, time, &request, e);
        if (r < 0)
                return r;
        scope = strf("%s/%s/" AWS_SERVICE "/aws4_request", date, region);
        r = sha256_hex(request, hash);
        if (r >= 0 && scope)
                text = strf("AWS4-HMAC-SHA256\n%s\n%s\n%s", time, scope, hash);
        if (!text)
                return error_oom(e);
        r = signing_key(a->secret_access_key, date, region, key);
        if (r >= 0)
                r = hmac(key, sizeof(key), text, key);
        gnutls_memset(text, 0, strlen(text));
        if (r < 0)
                return error_setf(e, r, "cannot sign the request: %s", strerror(-r));
        hex_from_bytes(key, sizeof(key), hash);
        if (strv_extendf(lines, "x-amz-date: %s", time) < 0 ||
            strv_extend(lines, "x-amz-content-sha256: " SHA256_EMPTY) < 0 ||
            strv_extendf(lines,
                         "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s,"
                         "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=%s",
                         a->access_key_id, scope, hash) < 0)
                return error_oom(e);
        return 0;
}

/**
 * auth_headers() - the lines for given credentials
 * @a:   credentials
 * @q:   request
 * @ret: "Name: value" lines without line end, for strv_free()
 * @e:   sentence on failure, without any secret; may be NULL
 *
 * Lines of AUTH_AWS are good for this one target, for some minutes; a header Range may be added. The others are good for
 * every request to this host and port.
 *
 * Return: 0, -E2BIG, -ERANGE, -EIO (GnuTLS), -ENOMEM.
 */
int auth_headers(const ConfigAuth *a, const AuthRequest *q, char ***ret, Error *e) {
        _cleanup_strv_free_ char **lines = NULL;
        int r;

        if (a->type == AUTH_AWS)
                r = aws_lines(a, q, &lines, e);
        else if (a->type == AUTH_OAUTH)
                r = strv_extendf(&lines, "Authorization: Bearer %s", a->token) < 0 ? error_oom(e) : 0;
        else
                r = basic_lines(a, &lines) < 0 ? error_oom(e) : 0;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(lines);
        return 0;
}

/**
 * auth_headers_for() - the lines that the configuration wants for a request
 * @c:   configuration; NULL: none
 * @q:   request
 * @ret: for strv_free(); NULL if nothing is configured for this host and port, or it is not https
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, what auth_headers() returns.
 */
int auth_headers_for(const Config *c, const AuthRequest *q, char ***ret, Error *e) {
        const ConfigAuth *a = c && q->https ? config_auth(c, q->host, q->port != 0 ? q->port : 443) : NULL;
        int r;

        if (!a) {
                *ret = NULL;
                return 0;
        }
        r = auth_headers(a, q, ret, e);
        return r < 0 ? error_prefixf(e, r, "credentials for '%s'", a->domain) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing the lines between rkt and rkt-pull. */
#include <inttypes.h>
#include <stddef.h>
#include <strings.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "net/pull-protocol.h"

/**
 * pull_request_done() - free what a request holds
 * @r: may be used again afterwards
 */
void pull_request_done(PullRequest *r) {
        free(r->url);
        free(r->etag);
        free(r->resume_tag);
        free(r->proxy_http);
        free(r->proxy_https);
        free(r->no_proxy);
        free(r->cert_file);
        free(r->key_file);
        strv_free(r->headers);
        strv_free(r->ca_files);
        *r = (PullRequest){};
}

/**
 * pull_head_done() - free what a head holds
 * @h: may be used again afterwards
 */
void pull_head_done(PullHead *h) {
        free(h->url);
        free(h->etag);
        free(h->resume_tag);
        *h = PULL_HEAD_INIT;
}

/**
 * pull_text_is_plain() - may a text stand in a line, and in a message
 * @s: any string
 *
 * Return: true for at most PULL_TEXT_MAX bytes of printable ASCII.
 */
bool pull_text_is_plain(const char *s) {
        size_t n = 0;

        for (; *s; s++)
                if (*s < ' ' || *s > '~' || ++n > PULL_TEXT_MAX)
                        return false;
        return true;
}

/* The members of a request that are text, and those that are small numbers. */
static const struct {
        const char *name;
        size_t offset;
} texts[] = {
        { "url", offsetof(PullRequest, url) },
        { "etag", offsetof(PullRequest, etag) },
        { "resume-tag", offsetof(PullRequest, resume_tag) },
        { "proxy-http", offsetof(PullRequest, proxy_http) },
        { "proxy-https", offsetof(PullRequest, proxy_https) },
        { "no-proxy", offsetof(PullRequest, no_proxy) },
        { "cert-file", offsetof(PullRequest, cert_file) },
        { "key-file", offsetof(PullRequest, key_file) },
};
static const struct {
        const char *name;
        size_t offset;
        unsigned fallback, max;
        bool may_be_0;
} numbers[] = {
        { "time-max", offsetof(PullRequest, time_max_sec), PULL_TIME_MAX_SEC, 30 * 24 * 3600 },
        { "connect-max", offsetof(PullRequest, connect_max_sec), PULL_CONNECT_MAX_SEC, 24 * 3600 },
        { "stall-max", offsetof(PullRequest, stall_max_sec), PULL_STALL_MAX_SEC, 24 * 3600 },
        { "header-max", offsetof(PullRequest, header_max), PULL_HEADER_MAX, 16 * 1024 * 1024 },
        { "redirects-max", offsetof(PullRequest, redirects_max), PULL_REDIRECTS_MAX, 1000, .may_be_0 = true },
        { "retries-max", offsetof(PullRequest, retries_max), PULL_RETRIES_MAX, 1000, .may_be_0 = true },
};

/* "Name: value", and no second line in it. */
static bool header_is_valid(const char *h) {
        size_t n = strcspn(h, ":");

        if (n == 0 || h[n] != ':' || !pull_text_is_plain(h))
                return false;
        for (size_t i = 0; i < n; i++)
                if (h[i] == ' ' || strchr("()<>@,;\\\"/[]?={}", h[i]))
                        return false;
        return true;
}

/**
 * pull_request_copy() - the same again
 * @r:   a request, or what several have in common
 * @ret: for pull_request_done()
 *
 * Return: 0, -ENOMEM.
 */
int pull_request_copy(const PullRequest *r, PullRequest *ret) {
        _cleanup_(pull_request_done) PullRequest q = *r;

        q.headers = q.ca_files = NULL;
        FOREACH_ARRAY (f, texts, ELEMENTSOF(texts))
                *(char **) (void *) ((char *) &q + f->offset) = NULL;
        FOREACH_ARRAY (f, texts, ELEMENTSOF(texts)) {
                const char *value = *(char *const *) (const void *) ((const char *) r + f->offset);

                if (value && str_replace((char **) (void *) ((char *) &q + f->offset), value) < 0)
                        return -ENOMEM;
        }
        if (strv_copy(r->headers, &q.headers) < 0 || strv_copy(r->ca_files, &q.ca_files) < 0)
                return -ENOMEM;
        *ret = q;
        q = (PullRequest){};
        return 0;
}

/**
 * pull_request_write() - the request as text
 * @r:   every text in it is plain and not empty; limits that are 0 become the defaults
 * @ret: for free()
 *
 * Return: 0, -EINVAL (a text is not plain), -E2BIG, -ENOMEM.
 */
int pull_request_write(const PullRequest *r, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (f, texts, ELEMENTSOF(texts)) {
                const char *value = *(char *const *) (const void *) ((const char *) r + f->offset);

                if (value && (!*value || !pull_text_is_plain(value)))
                        return -EINVAL;
                if (value)
                        strbuf_addf(&b, "%s %s\n", f->name, value);
        }
        STRV_FOREACH (h, r->headers) {
                if (!header_is_valid(*h))
                        return -EINVAL;
                strbuf_addf(&b, "header %s\n", *h);
        }
        STRV_FOREACH (f, r->ca_files) {
                if (!**f || !pull_text_is_plain(*f))
                        return -EINVAL;
                strbuf_addf(&b, "ca-file %s\n", *f);
        }
        strbuf_addf(&b, "allow-http %d\ninsecure-tls %d\n", r->allow_http, r->insecure_tls);
        strbuf_addf(&b, "size-max %" PRIu64 "\n", r->size_max > 0 ? r->size_max : PULL_SIZE_MAX);
        if (r->resume_tag)
                strbuf_addf(&b, "resume-from %" PRIu64 "\n", r->resume_from);
        FOREACH_ARRAY (f, numbers, ELEMENTSOF(numbers)) {
                unsigned value = *(const unsigned *) (const void *) ((const char *) r + f->offset);

                strbuf_addf(&b, "%s %u\n", f->name, value == PULL_NONE ? 0 : value > 0 ? value : f->fallback);
        }
        strbuf_add(&b, "\n");
        if (b.size > PULL_REQUEST_MAX)
                return -E2BIG;
        return strbuf_steal(&b, ret);
}

static int parse_flag(const char *s, bool *ret) {
        if (!streq(s, "0") && !streq(s, "1"))
                return -EINVAL;
        *ret = *s == '1';
        return 0;
}

static int request_line(PullRequest *r, const char *key, const char *value) {
        FOREACH_ARRAY (f, texts, ELEMENTSOF(texts))
                if (streq(key, f->name))
                        return *value ? str_replace((char **) (void *) ((char *) r + f->offset), value)
                                      : -EINVAL;
        FOREACH_ARRAY (f, numbers, ELEMENTSOF(numbers)) {
                unsigned *n = (unsigned *) (void *) ((char *) r + f->offset);

                if (streq(key, f->name))
                        return parse_uint(value, f->max, n) < 0 || (*n == 0 && !f->may_be_0) ? -EINVAL : 0;
        }
        if (streq(key, "header"))
                return header_is_valid(value) ? strv_extend(&r->headers, value) : -EINVAL;
        if (streq(key, "ca-file"))
                return *value ? strv_extend(&r->ca_files, value) : -EINVAL;
        if (streq(key, "allow-http"))
                return parse_flag(value, &r->allow_http);
        if (streq(key, "insecure-tls"))
                return parse_flag(value, &r->insecure_tls);
        if (streq(key, "size-max"))
                return parse_uint64(value, &r->size_max);
        if (streq(key, "resume-from"))
                return parse_uint64(value, &r->resume_from);
        return -EINVAL;
}

/**
 * pull_request_parse() - read a request
 * @data: @size bytes
 * @size: bytes, at most PULL_REQUEST_MAX
 * @ret:  for pull_request_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOMEM.
 */
int pull_request_parse(const char *data, size_t size, PullRequest *ret, Error *e) {
        _cleanup_(pull_request_done) PullRequest q = {};
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        if (size > PULL_REQUEST_MAX)
                return error_setf(e, -E2BIG, "the request is too long");
        text = strndup(data, size);
        if (!text || strv_split(text, "\n", &lines) < 0)
                return error_oom(e);
        STRV_FOREACH (l, lines) {
                char *blank = strchr(*l, ' ');

                if (!**l)
                        continue;
                if (!blank || !pull_text_is_plain(*l))
                        return error_setf(e, -EINVAL, "the request has a line without a value");
                *blank = 0;
                r = request_line(&q, *l, blank + 1);
                if (r < 0)
                        return error_setf(e, r == -ENOMEM ? r : -EINVAL, "the request has a wrong line '%s'",
                                          *l);
        }
        if (!q.url || !q.cert_file != !q.key_file || q.size_max == 0 || q.time_max_sec == 0 ||
            (q.resume_from > 0) != !!q.resume_tag)
                return error_setf(e, -EINVAL, "the request is not complete");
        *ret = q;
        q = (PullRequest){};
        return 0;
}

/**
 * pull_head_write() - the head as text, with the empty line that ends it
 * @h:   url set; texts that are not plain are left out
 * @ret: for free()
 *
 * Return: 0, -ENOMEM.
 */
int pull_head_write(const PullHead *h, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_addf(&b, "status %u\nurl %s\n", h->status, h->url);
        if (h->etag && *h->etag && pull_text_is_plain(h->etag))
                strbuf_addf(&b, "etag %s\n", h->etag);
        if (h->length != UINT64_MAX)
                strbuf_addf(&b, "length %llu\n", (unsigned long long) h->length);
        if (h->resume_tag && *h->resume_tag && pull_text_is_plain(h->resume_tag))
                strbuf_addf(&b, "resume-tag %s\n", h->resume_tag);
        if (h->offset > 0)
                strbuf_addf(&b, "offset %llu\n", (unsigned long long) h->offset);
        strbuf_addf(&b, "max-age %llu\n\n", (unsigned long long) h->max_age);
        return strbuf_steal(&b, ret);
}

static int error_line(const char *value, Error *e) {
        _cleanup_free_ char *number = NULL;
        const char *blank = strchr(value, ' ');
        unsigned code;

        number = blank ? strndup(value, (size_t) (blank - value)) : strdup(value);
        if (!number)
                return error_oom(e);
        if (parse_uint(number, 4095, &code) < 0 || code == 0 || !blank)
                return error_setf(e, -EPROTO, "the download worker reports an error that cannot be read");
        return error_setf(e, -(int) code, "%s", blank + 1);
}

/**
 * pull_meta_parse_line() - take one line of meta data
 * @line:     without its newline
 * @h:        filled as the lines come
 * @ret_size: bytes of the whole body, set with PULL_LINE_END
 * @e:        sentence on failure; may be NULL
 *
 * Return: a PullLineType; -EPROTO when the line makes no sense, -ENOMEM; whatever negative errno an "error" line has,
 * with its sentence in @e.
 */
int pull_meta_parse_line(const char *line, PullHead *h, uint64_t *ret_size, Error *e) {
        const char *v;
        int r = -EINVAL;

        if (!pull_text_is_plain(line))
                return error_setf(e, -EPROTO, "the download worker sent a line that is not text");
        if (!*line) {
                if (!h->url || h->status == 0 || (h->length != UINT64_MAX && h->offset > h->length))
                        return error_setf(e, -EPROTO, "the download worker sent an incomplete head");
                return PULL_LINE_HEAD_END;
        }
        if ((v = startswith(line, "error ")))
                return error_line(v, e);
        if ((v = startswith(line, "end ")))
                return parse_uint64(v, ret_size) < 0
                               ? error_setf(e, -EPROTO, "the download worker sent a wrong size")
                               : PULL_LINE_END;
        if ((v = startswith(line, "status ")))
                r = parse_uint(v, 999, &h->status);
        else if ((v = startswith(line, "url ")))
                r = str_replace(&h->url, v);
        else if ((v = startswith(line, "etag ")))
                r = str_replace(&h->etag, v);
        else if ((v = startswith(line, "resume-tag ")))
                r = str_replace(&h->resume_tag, v);
        else if ((v = startswith(line, "offset ")))
                r = parse_uint64(v, &h->offset);
        else if ((v = startswith(line, "length ")))
                r = parse_uint64(v, &h->length);
        else if ((v = startswith(line, "max-age ")))
                r = parse_uint64(v, &h->max_age);
        if (r < 0)
                return error_setf(e, r == -ENOMEM ? r : -EPROTO, "the download worker sent a wrong line");
        h->max_age = MIN(h->max_age, PULL_MAX_AGE_MAX);
        return PULL_LINE_HEAD;
}

/**
 * pull_parse_max_age() - how long an answer may be used without asking again
 * @cache_control: value of the header; hostile
 *
 * Return: seconds, capped at PULL_MAX_AGE_MAX; 0 with no-cache, no-store, no max-age, or one that is not a number.
 */
uint64_t pull_parse_max_age(const char *cache_control) {
        _cleanup_strv_free_ char **words = NULL;
        uint64_t age = 0;

        if (strv_split(cache_control, ", \t", &words) < 0)
                return 0;
        STRV_FOREACH (w, words) {
                if (strcasecmp(*w, "no-cache") == 0 || strcasecmp(*w, "no-store") == 0)
                        return 0;
                if (strncasecmp(*w, "max-age=", 8) == 0) {
                        int r = parse_uint64(*w + 8, &age);

                        if (r == -ERANGE)
                                age = PULL_MAX_AGE_MAX;
                        else if (r < 0)
                                return 0;
                }
        }
        return MIN(age, PULL_MAX_AGE_MAX);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading header lines. What is malformed and decides how many bytes there are is an error; what is malformed and only
 * helps (dates, tags) counts as absent. */
#include <strings.h>
#include <time.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "net/http-head.h"
#include "net/pull-protocol.h"

#define TAG_LENGTH_MAX 1024U
#define CHALLENGES_MAX 8U

/**
 * http_head_done() - free what a head holds
 * @h: is HTTP_HEAD_INIT afterwards
 */
void http_head_done(HttpHead *h) {
        free(h->etag);
        free(h->last_modified);
        free(h->location);
        free(h->content_type);
        free(h->content_digest);
        free(h->link);
        free(h->warning);
        free(h->rate_remaining);
        strv_free(h->challenges);
        *h = HTTP_HEAD_INIT;
}

static int take_etag(HttpHead *h, const char *value, Error *e) {
        if (!*value || !pull_text_is_plain(value) || strlen(value) > TAG_LENGTH_MAX)
                return 0;
        return str_replace(&h->etag, value) < 0 ? error_oom(e) : 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" and nothing else. */
static int64_t parse_date(const char *value) {
        struct tm tm = {};
        const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);

        return end && !*end && tm.tm_year >= 70 ? (int64_t) timegm(&tm) : HTTP_NO_DATE;
}

static int take_last_modified(HttpHead *h, const char *value, Error *e) {
        h->modified = parse_date(value);
        if (h->modified == HTTP_NO_DATE)
                return 0;
        return str_replace(&h->last_modified, value) < 0 ? error_oom(e) : 0;
}

static int take_date(HttpHead *h, const char *value, Error *e) {
        h->date = parse_date(value);
        return 0;
}

static int take_length(HttpHead *h, const char *value, Error *e) {
        uint64_t n;

        if (parse_uint64(value, &n) < 0 || n == UINT64_MAX || (h->length != UINT64_MAX && h->length != n))
                return error_setf(e, -EBADMSG,
                                  "the server sends a Content-Length that is no number, or several");
        h->length = n;
        return 0;
}

/* "bytes 0-9/10", "bytes 0-9/" followed by an asterisk */
static int parse_range(const char *value, HttpHead *h) {
        const char *v = startswith(value, "bytes "), *dash, *slash;
        _cleanup_free_ char *start = NULL, *end = NULL;

        dash = v ? strchr(v, '-') : NULL;
        slash = dash ? strchr(dash, '/') : NULL;
        if (!slash)
                return -EINVAL;
        start = strndup(v, (size_t) (dash - v));
        end = strndup(dash + 1, (size_t) (slash - dash - 1));
        if (!start || !end)
                return -ENOMEM;
        if (parse_uint64(start, &h->range_start) < 0 || parse_uint64(end, &h->range_end) < 0)
                return -EINVAL;
        if (streq(slash + 1, "*"))
                h->range_total = UINT64_MAX;
        else if (parse_uint64(slash + 1, &h->range_total) < 0 || h->range_end >= h->range_total)
                return -EINVAL;
        return h->range_start <= h->range_end ? 0 : -EINVAL;
}

static int take_range(HttpHead *h, const char *value, Error *e) {
        /* That of a 416 answer; it says nothing about a body. */
        if (startswith(value, "bytes */"))
                return 0;
        if (h->has_range || parse_range(value, h) < 0)
                return error_setf(e, -EBADMSG, "the server sends a Content-Range that cannot be, or several");
        h->has_range = true;
        return 0;
}

static int take_encoding(HttpHead *h, const char *value, Error *e) {
        h->chunked = true;
        return 0;
}

static int take_accept_ranges(HttpHead *h, const char *value, Error *e) {
        h->no_ranges = strcasecmp(value, "none") == 0;
        return 0;
}

static int take_cache_control(HttpHead *h, const char *value, Error *e) {
        h->max_age = pull_parse_max_age(value);
        return 0;
}

static int take_retry_after(HttpHead *h, const char *value, Error *e) {
        if (parse_uint64(value, &h->retry_after) == -ERANGE)
                h->retry_after = UINT64_MAX - 1;
        h->retry_date = parse_date(value);
        return 0;
}

static int take_location(HttpHead *h, const char *value, Error *e) {
        return str_replace(&h->location, value) < 0 ? error_oom(e) : 0;
}

/* What is only looked at counts as absent if it is not text. */
static int take_text(char **p, const char *value, Error *e) {
        if (!*value || !pull_text_is_plain(value))
                return 0;
        return str_replace(p, value) < 0 ? error_oom(e) : 0;
}

static int take_challenge(HttpHead *h, const char *value, Error *e) {
        if (!pull_text_is_plain(value) || strv_length(h->challenges) >= CHALLENGES_MAX)
                return 0;
        return strv_extend(&h->challenges, value) < 0 ? error_oom(e) : 0;
}

static int take_content_type(HttpHead *h, const char *value, Error *e) {
        return take_text(&h->content_type, value, e);
}

/* Two that differ are none that could be relied on. */
static int take_content_digest(HttpHead *h, const char *value, Error *e) {
        if (h->content_digest && !streq(h->content_digest, value))
                return error_setf(e, -EBADMSG, "the server sends two different Docker-Content-Digest");
        return take_text(&h->content_digest, value, e);
}

static int take_link(HttpHead *h, const char *value, Error *e) {
        return take_text(&h->link, value, e);
}

static int take_warning(HttpHead *h, const char *value, Error *e) {
        return take_text(&h->warning, value, e);
}

static int take_rate_remaining(HttpHead *h, const char *value, Error *e) {
        return take_text(&h->rate_remaining, value, e);
}

static const struct {
        const char *name;
        int (*take)(HttpHead *h, const char *value, Error *e);
} headers[] = {
        { "etag", take_etag },
        { "last-modified", take_last_modified },
        { "date", take_date },
        { "content-length", take_length },
        { "content-range", take_range },
        { "transfer-encoding", take_encoding },
        { "accept-ranges", take_accept_ranges },
        { "cache-control", take_cache_control },
        { "retry-after", take_retry_after },
        { "location", take_location },
        { "www-authenticate", take_challenge },
        { "content-type", take_content_type },
        { "docker-content-digest", take_content_digest },
        { "link", take_link },
        { "warning", take_warning },
        { "ratelimit-remaining", take_rate_remaining },
};

/**
 * http_head_line() - take one header
 * @h:    is filled as the lines come
 * @line: "Name: value", changed
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (a length that is none), -ENOMEM.
 */
int http_head_line(HttpHead *h, char *line, Error *e) {
        char *colon = strchr(line, ':'), *value;

        if (!colon)
                return 0;
        *colon = 0;
        value = str_strip(colon + 1);
        FOREACH_ARRAY (i, headers, ELEMENTSOF(headers))
                if (strcasecmp(line, i->name) == 0)
                        return i->take(h, value, e);
        return 0;
}

/**
 * http_head_retry_after() - when the server wants to be asked again
 * @h: a head
 *
 * A date counts from the server's own clock, which need not be ours.
 *
 * Return: seconds; UINT64_MAX: it does not say.
 */
uint64_t http_head_retry_after(const HttpHead *h) {
        if (h->retry_after != UINT64_MAX || h->retry_date == HTTP_NO_DATE || h->date == HTTP_NO_DATE)
                return h->retry_after;
        return h->retry_date > h->date ? (uint64_t) (h->retry_date - h->date) : 0;
}

static bool etag_is_strong(const char *etag) {
        size_t n = strlen(etag);

        return n >= 2 && etag[0] == '"' && etag[n - 1] == '"';
}

/**
 * http_head_resume_tag() - by which a part of just these bytes can be asked for
 * @h: a head
 *
 * A strong ETag. Without any ETag, Last-Modified, if the answer was made at least a second later: the file may have been
 * changed twice in a second.
 *
 * Return: text for If-Range, owned by @h; NULL: there is none.
 */
const char *http_head_resume_tag(const HttpHead *h) {
        if (h->no_ranges)
                return NULL;
        if (h->etag)
                return etag_is_strong(h->etag) ? h->etag : NULL;
        if (h->modified == HTTP_NO_DATE || h->date == HTTP_NO_DATE || h->date <= h->modified)
                return NULL;
        return h->last_modified;
}

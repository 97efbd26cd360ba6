/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Meta elements as data: matching a name, filling in templates, and the lines in which the worker hands them over. */
#include <ctype.h>
#include <stdio.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"
#include "net/pull-protocol.h"
#include "net/url.h"

static void entries_free(DiscoveryEntry *entries, size_t n) {
        FOREACH_ARRAY (i, entries, n) {
                free(i->prefix);
                free(i->value);
        }
        free(entries);
}

/**
 * discovery_page_done() - free what a page holds
 * @p: is empty afterwards
 */
void discovery_page_done(DiscoveryPage *p) {
        entries_free(p->endpoints, p->n_endpoints);
        entries_free(p->pubkeys, p->n_pubkeys);
        *p = (DiscoveryPage){};
}

/**
 * discovery_result_done() - free what a result holds
 * @r: is empty afterwards
 */
void discovery_result_done(DiscoveryResult *r) {
        FOREACH_ARRAY (i, r->endpoints, r->n_endpoints) {
                free(i->image_url);
                free(i->signature_url);
        }
        free(r->endpoints);
        (void) strv_free(r->pubkeys);
        *r = (DiscoveryResult){};
}

/**
 * discovery_page_add() - take one meta element
 * @p:       where to
 * @name:    the element's name attribute; others than the two of appc are passed over
 * @content: the element's content attribute; passed over unless it is two words of printable ASCII
 *
 * Return: 0, -ENOMEM.
 */
int discovery_page_add(DiscoveryPage *p, const char *name, const char *content) {
        bool keys = streq(name, "ac-discovery-pubkeys");
        DiscoveryEntry **entries = keys ? &p->pubkeys : &p->endpoints;
        size_t *n = keys ? &p->n_pubkeys : &p->n_endpoints;
        _cleanup_free_ char *text = NULL, *prefix = NULL, *value = NULL;
        char *trimmed, *blank;

        if ((!keys && !streq(name, "ac-discovery")) || *n >= DISCOVERY_ENTRIES_MAX)
                return 0;
        text = strdup(content);
        if (!text)
                return -ENOMEM;
        trimmed = str_strip(text);
        blank = strchr(trimmed, ' ');
        if (!blank || strlen(trimmed) > DISCOVERY_CONTENT_MAX || !pull_text_is_plain(trimmed))
                return 0;
        prefix = strndup(trimmed, (size_t) (blank - trimmed));
        value = strdup(str_strip(blank + 1));
        if (!prefix || !value)
                return -ENOMEM;
        if (!*prefix || !*value)
                return 0;
        if (!GREEDY_GROW(*entries, *n))
                return -ENOMEM;
        (*entries)[(*n)++] = (DiscoveryEntry){ TAKE_PTR(prefix), TAKE_PTR(value) };
        return 0;
}

/**
 * discovery_page_write() - a page as lines: "ac-discovery PREFIX VALUE\n"
 * @p:   a page
 * @ret: for free(); "" when the page is empty
 *
 * Return: 0, -ENOMEM.
 */
int discovery_page_write(const DiscoveryPage *p, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_add(&b, "");
        FOREACH_ARRAY (i, p->endpoints, p->n_endpoints)
                strbuf_addf(&b, "ac-discovery %s %s\n", i->prefix, i->value);
        FOREACH_ARRAY (i, p->pubkeys, p->n_pubkeys)
                strbuf_addf(&b, "ac-discovery-pubkeys %s %s\n", i->prefix, i->value);
        return strbuf_steal(&b, ret);
}

/**
 * discovery_page_read() - read the lines of discovery_page_write()
 * @text: @size bytes, from a worker that read hostile bytes
 * @size: bytes
 * @ret:  for discovery_page_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EPROTO, -ENOMEM.
 */
int discovery_page_read(const char *text, size_t size, DiscoveryPage *ret, Error *e) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {};
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *copy = strndup(text, size);

        if (!copy || strv_split(copy, "\n", &lines) < 0)
                return error_oom(e);
        STRV_FOREACH (l, lines) {
                char *blank = strchr(*l, ' ');

                if (!blank)
                        return error_setf(e, -EPROTO, "the discovery worker sent a wrong line");
                *blank = 0;
                if (discovery_page_add(&page, *l, blank + 1) < 0)
                        return error_oom(e);
        }
        *ret = page;
        page = (DiscoveryPage){};
        return 0;
}

/**
 * name_has_prefix() - is a name at or beneath a prefix, by whole components
 * @name:   "example.com/app"
 * @prefix: "example.com", "example.com/", "example.com/app"; never matches "example.com/ap"
 *
 * Return: whether.
 */
bool name_has_prefix(const char *name, const char *prefix) {
        size_t n = strlen(prefix);

        if (n > 0 && prefix[n - 1] == '/')
                n--;
        return n > 0 && strncmp(name, prefix, n) == 0 && (name[n] == 0 || name[n] == '/');
}

static bool is_unreserved(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               strchr("-._~", c);
}

/* A label's value is one piece of a URL, whatever it contains. */
static void add_escaped(StrBuf *b, const char *value, const char *also) {
        for (const char *p = value; *p; p++) {
                if (is_unreserved(*p) || strchr(also, *p))
                        strbuf_add_n(b, p, 1);
                else
                        strbuf_addf(b, "%%%02X", (unsigned) (unsigned char) *p);
        }
}

static const char *variable_value(const ImageName *name, const char *variable, const char *ext) {
        const char *v;

        if (streq(variable, "name"))
                return name->text;
        if (streq(variable, "ext"))
                return ext;
        v = image_name_label(name, variable);
        if (v && (streq(v, ".") || streq(v, "..")))
                return NULL;
        if (streq(variable, "version") && (!v || !*v))
                return "latest";
        return v;
}

/* 1: filled in; 0: the template needs something that the name does not say. */
static int render(const char *template, const ImageName *name, const char *ext, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        for (const char *p = template; *p; p++) {
                _cleanup_free_ char *variable = NULL;
                const char *end, *value;

                if (*p != '{') {
                        strbuf_add_n(&b, p, 1);
                        continue;
                }
                end = strchr(p, '}');
                if (!end)
                        return 0;
                variable = strndup(p + 1, (size_t) (end - p - 1));
                if (!variable)
                        return -ENOMEM;
                value = variable_value(name, variable, ext);
                if (!value)
                        return 0;
                add_escaped(&b, value, streq(variable, "name") ? "/" : "");
                p = end;
        }
        return strbuf_steal(&b, ret) < 0 ? -ENOMEM : 1;
}

static int add_endpoint(DiscoveryResult *result, const ImageName *name, const char *template) {
        _cleanup_free_ char *image = NULL, *signature = NULL;
        int r;

        if (!strstr(template, "{ext}"))
                return 0;
        r = render(template, name, "aci", &image);
        if (r <= 0)
                return r;
        r = render(template, name, "aci.asc", &signature);
        if (r <= 0)
                return r;
        if (!GREEDY_GROW(result->endpoints, result->n_endpoints))
                return -ENOMEM;
        result->endpoints[result->n_endpoints++] =
                (DiscoveryEndpoint){ TAKE_PTR(image), TAKE_PTR(signature) };
        return 0;
}

/**
 * discovery_match() - what a page says of a name
 * @p:    a page
 * @name: an IMAGE_NAME_APPC, labels filled in by the caller
 * @ret:  for discovery_result_done(); URLs are not checked
 *
 * Entries whose template has no {ext}, or a variable that is neither a label nor known, are passed over.
 *
 * Return: 0, -ENOMEM.
 */
int discovery_match(const DiscoveryPage *p, const ImageName *name, DiscoveryResult *ret) {
        _cleanup_(discovery_result_done) DiscoveryResult result = {};
        int r;

        FOREACH_ARRAY (i, p->endpoints, p->n_endpoints) {
                if (!name_has_prefix(name->text, i->prefix))
                        continue;
                r = add_endpoint(&result, name, i->value);
                if (r < 0)
                        return r;
        }
        FOREACH_ARRAY (i, p->pubkeys, p->n_pubkeys) {
                if (!name_has_prefix(name->text, i->prefix))
                        continue;
                r = strv_extend(&result.pubkeys, i->value);
                if (r < 0)
                        return r;
        }
        *ret = result;
        result = (DiscoveryResult){};
        return 0;
}

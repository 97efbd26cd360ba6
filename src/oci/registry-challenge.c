/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Challenges (RFC 9110, 11.6.1), token servers as Docker invented them, and a registry's errors. */
#include "oci/registry-challenge.h"

#include <stdio.h>
#include <strings.h>

#include "basic/json.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/registry-protocol.h"

#define TOKEN_CHARS                                                                                          \
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"                                     \
        "!#$%&'*+-.^_`|~"
#define PARAMETER_MAX 2048U /* bytes of a realm or a scope */

/**
 * registry_challenge_done() - free what it holds
 * @c: may be used again afterwards
 */
void registry_challenge_done(RegistryChallenge *c) {
        free(c->realm);
        free(c->service);
        free(c->scope);
        free(c->error);
        *c = (RegistryChallenge){};
}

/* A quoted string, or all up to a comma or a blank. *p stands behind it. */
static int take_value(const char **p, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        const char *s = *p;

        if (*s == '"') {
                for (s++; *s != '"'; s++) {
                        if (*s == '\\')
                                s++;
                        if (!*s)
                                return -EBADMSG;
                        strbuf_add_n(&b, s, 1);
                }
                s++;
        } else {
                size_t n = strcspn(s, ", \t");

                strbuf_add_n(&b, s, n);
                s += n;
        }
        *p = s;
        return strbuf_steal(&b, ret);
}

static int take_parameter(RegistryChallenge *c, const char *name, char *value) {
        const struct {
                const char *name;
                char **p;
        } known[] = {
                { "realm", &c->realm },
                { "service", &c->service },
                { "scope", &c->scope },
                { "error", &c->error },
        };

        FOREACH_ARRAY (k, known, ELEMENTSOF(known))
                if (strcasecmp(k->name, name) == 0 && !*k->p && *value && strlen(value) <= PARAMETER_MAX)
                        return str_replace(k->p, value);
        return 0;
}

/* The challenge that was read so far is complete. The first that is usable counts. */
static void settle(RegistryChallenge *ret, const char *scheme, RegistryChallenge *c) {
        if (strcasecmp(scheme, "Basic") == 0)
                ret->basic = true;
        if (strcasecmp(scheme, "Bearer") == 0 && c->realm && !ret->bearer) {
                const bool basic = ret->basic;

                registry_challenge_done(ret);
                *ret = *c;
                ret->basic = basic;
                ret->bearer = true;
                *c = (RegistryChallenge){};
        }
        registry_challenge_done(c);
}

/* One header: schemes, each with parameters. What stands behind the first mistake counts as absent. */
static int parse_header(const char *s, RegistryChallenge *ret) {
        _cleanup_(registry_challenge_done) RegistryChallenge c = {};
        char scheme[32] = "";

        for (;;) {
                _cleanup_free_ char *name = NULL, *value = NULL;
                size_t n;
                int r;

                s += strspn(s, ", \t");
                n = strspn(s, TOKEN_CHARS);
                if (n == 0)
                        break;
                name = strndup(s, n);
                if (!name)
                        return -ENOMEM;
                s += n;
                if (s[strspn(s, " \t")] != '=') {
                        settle(ret, scheme, &c);
                        (void) snprintf(scheme, sizeof(scheme), "%s", name);
                        continue;
                }
                s += strspn(s, " \t") + 1;
                s += strspn(s, " \t");
                r = take_value(&s, &value);
                if (r == -ENOMEM)
                        return r;
                if (r < 0) {
                        registry_challenge_done(&c);
                        return 0;
                }
                r = take_parameter(&c, name, value);
                if (r < 0)
                        return r;
        }
        settle(ret, scheme, &c);
        return 0;
}

/**
 * registry_challenge_parse() - read the headers of a 401
 * @headers: values of WWW-Authenticate; may be NULL
 * @ret:     for registry_challenge_done()
 * @e:       sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (nothing that we know), -ENOMEM.
 */
int registry_challenge_parse(char *const *headers, RegistryChallenge *ret, Error *e) {
        _cleanup_(registry_challenge_done) RegistryChallenge c = {};

        for (char *const *h = headers; h && *h; h++)
                if (parse_header(*h, &c) < 0)
                        return error_oom(e);
        if (!c.basic && !c.bearer)
                return error_setf(
                        e, -EBADMSG,
                        "the registry wants to know who we are, in a way that is not known here (%s)",
                        headers && *headers ? "WWW-Authenticate has neither Basic nor Bearer"
                                            : "there is no WWW-Authenticate");
        *ret = c;
        c = (RegistryChallenge){};
        return 0;
}

static bool is_below(const char *host, const char *domain) {
        const size_t n = strlen(host), k = strlen(domain);

        return n > k + 1 && host[n - k - 1] == '.' && streq(host + n - k, domain);
}

/* Domains below which anybody may have one: "uk", "co.uk". A rule of thumb that needs no list, and errs on the side of two
 * strangers in one country that are registries. */
static bool is_public(const char *domain) {
        static const char *const second[] = { "ac",  "co",  "com", "edu", "go", "gob",
                                              "gov", "mil", "ne",  "net", "or", "org" };
        const char *dot = strchr(domain, '.');

        if (!dot || !dot[1])
                return true;
        if (strchr(dot + 1, '.') || strlen(dot + 1) != 2)
                return false;
        FOREACH_ARRAY (s, second, ELEMENTSOF(second))
                if (strlen(*s) == (size_t) (dot - domain) && memcmp(*s, domain, strlen(*s)) == 0)
                        return true;
        return false;
}

static bool is_address(const char *host) {
        return strchr(host, ':') || str_in_set(host, "0123456789.");
}

/**
 * registry_realm_is_own() - may a token server get the credentials that are for a registry?
 * @registry:   whose credentials they are
 * @realm:      where it wants us to send them
 * @token_host: "HOST[:PORT]" that the administrator allows, too; or NULL
 *
 * The same host, one below it, or one below the domain that the registry's host is in (auth.docker.io of
 * registry-1.docker.io). A realm that is plain http is never good enough for a registry that is not.
 *
 * Return: whether.
 */
bool registry_realm_is_own(const Url *registry, const Url *realm, const char *token_host) {
        const char *parent = strchr(registry->host, '.');

        if (registry->https && !realm->https)
                return false;
        if (token_host) {
                _cleanup_free_ char *host = NULL;

                host = realm->port ? strf("%s:%u", realm->host, realm->port) : strdup(realm->host);
                if (host && strcasecmp(host, token_host) == 0)
                        return true;
        }
        if (streq(registry->host, realm->host))
                return true;
        if (is_address(registry->host) || is_address(realm->host))
                return false;
        if (is_below(realm->host, registry->host))
                return true;
        if (!parent || is_public(parent + 1))
                return false;
        return streq(realm->host, parent + 1) || is_below(realm->host, parent + 1);
}

/**
 * registry_form_add() - one more name=value
 * @form:  is replaced; NULL: the first
 * @name:  plain
 * @value: any bytes; NULL: nothing is added
 *
 * Return: 0, -ENOMEM.
 */
int registry_form_add(char **form, const char *name, const char *value) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char *text = NULL;

        if (!value)
                return 0;
        if (*form)
                strbuf_addf(&b, "%s&", *form);
        strbuf_addf(&b, "%s=", name);
        for (const char *p = value; *p; p++)
                if (strchr("-._~", *p) || (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= 'a' && *p <= 'z'))
                        strbuf_add_n(&b, p, 1);
                else
                        strbuf_addf(&b, "%%%02X", (unsigned) (unsigned char) *p);
        if (strbuf_steal(&b, &text) < 0)
                return -ENOMEM;
        free(*form);
        *form = text;
        return 0;
}

/**
 * registry_token_query() - what a token server is asked
 * @c:       with bearer
 * @scope:   "repository:NAME:pull"
 * @account: who we are; or NULL
 * @ret:     "service=...&scope=...", for free()
 *
 * Return: 0, -ENOMEM.
 */
int registry_token_query(const RegistryChallenge *c, const char *scope, const char *account, char **ret) {
        _cleanup_free_ char *form = NULL;

        if (registry_form_add(&form, "account", account) < 0 ||
            registry_form_add(&form, "service", c->service) < 0 ||
            registry_form_add(&form, "scope", scope) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(form);
        return 0;
}

/**
 * registry_token_url() - where a token is to be had
 * @c:       with bearer
 * @scope:   "repository:NAME:pull"
 * @account: who we are; or NULL
 * @ret:     for free(); its realm is as the registry said it, so it need not be a URL
 *
 * Return: 0, -ENOMEM.
 */
int registry_token_url(const RegistryChallenge *c, const char *scope, const char *account, char **ret) {
        _cleanup_free_ char *query = NULL;

        if (registry_token_query(c, scope, account, &query) < 0)
                return -ENOMEM;
        *ret = strf("%s%c%s", c->realm, strchr(c->realm, '?') ? '&' : '?', query);
        return *ret ? 0 : -ENOMEM;
}

/* What may stand in a header. */
static bool is_token(const char *s) {
        for (const char *p = s; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return false;
        return *s != 0;
}

/**
 * registry_token_parse() - the token in a token server's answer
 * @data: @size bytes
 * @size: bytes
 * @ret:  for free(); may stand in a header
 * @e:    sentence on failure, without the token; may be NULL
 *
 * Return: 0, -EBADMSG (no JSON, no token), -E2BIG, -ENOMEM.
 */
int registry_token_parse(const char *data, size_t size, char **ret, Error *e) {
        static const char *const names[] = { "token", "access_token" };
        _cleanup_(json_freep) JsonValue *v = NULL;

        if (json_parse(data, size, &v, NULL) < 0 || json_type(v) != JSON_OBJECT)
                return error_setf(e, -EBADMSG, "the token server's answer is no JSON object");
        FOREACH_ARRAY (name, names, ELEMENTSOF(names)) {
                const JsonValue *m = json_get(v, *name);

                if (!m || json_type(m) != JSON_STRING || !*json_text(m))
                        continue;
                if (strlen(json_text(m)) > REGISTRY_TOKEN_MAX)
                        return error_setf(e, -E2BIG,
                                          "the token server's token has %zu bytes, at most %u are allowed",
                                          strlen(json_text(m)), REGISTRY_TOKEN_MAX);
                if (!is_token(json_text(m)))
                        return error_setf(e, -EBADMSG,
                                          "the token server's token has characters that none has");
                *ret = strdup(json_text(m));
                return *ret ? 0 : error_oom(e);
        }
        return error_setf(e, -EBADMSG, "the token server's answer has no token");
}

static const char *text_of(const JsonValue *object, const char *name) {
        const JsonValue *m = json_get(object, name);

        return m && json_type(m) == JSON_STRING && *json_text(m) ? json_text(m) : NULL;
}

/**
 * registry_error_text() - what a registry says about an error
 * @data: @size bytes of the body of an error
 * @size: bytes
 * @ret:  printable ASCII, bounded, for free(); NULL: it says nothing that we understand
 *
 * Return: 0, -ENOMEM.
 */
int registry_error_text(const char *data, size_t size, char **ret) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        const JsonValue *first = NULL;
        const char *code, *message;
        char *text;

        *ret = NULL;
        if (json_parse(data, size, &v, NULL) < 0 || json_type(v) != JSON_OBJECT)
                return 0;
        if (json_get(v, "errors") && json_type(json_get(v, "errors")) == JSON_ARRAY &&
            json_length(json_get(v, "errors")) > 0)
                first = json_item(json_get(v, "errors"), 0);
        if (!first || json_type(first) != JSON_OBJECT)
                first = v; /* token servers: {"details": "..."} */
        code = text_of(first, "code");
        message = text_of(first, "message");
        if (!message)
                message = text_of(first, "details");
        if (!code && !message)
                return 0;
        text = strf("%.50s%s%.*s", str_or(code, ""), code && message ? ": " : "", (int) REGISTRY_ERROR_MAX,
                    str_or(message, ""));
        if (!text)
                return -ENOMEM;
        for (char *p = text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        *ret = text;
        return 0;
}

/**
 * registry_link_next() - where the next page of a list is
 * @link: value of the header Link, or NULL
 * @from: whose answer it stood in
 * @ret:  an absolute URL of the same origin, for free(); NULL: there is none
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG (it leads elsewhere), -ENOMEM.
 */
int registry_link_next(const char *link, const Url *from, char **ret, Error *e) {
        _cleanup_(url_freep) Url *to = NULL;
        _cleanup_free_ char *target = NULL, *absolute = NULL;
        const char *end;

        *ret = NULL;
        if (!link || *link != '<' || !(end = strchr(link, '>')))
                return 0;
        if (!strstr(end, "rel=\"next\"") && !strstr(end, "rel=next"))
                return 0;
        target = strndup(link + 1, (size_t) (end - link) - 1);
        if (!target)
                return error_oom(e);
        if (*target == '/' && target[1] != '/') {
                Url next = *from;

                next.target = target;
                if (url_to_string(&next, &absolute) < 0)
                        return error_oom(e);
        }
        if (url_parse(absolute ? absolute : target, &to, NULL) < 0 || !url_same_origin(from, to))
                return error_setf(e, -EBADMSG,
                                  "the registry continues a list at a place that is not its own");
        return url_to_string(to, ret) < 0 ? error_oom(e) : 0;
}

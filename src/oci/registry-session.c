/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session with one registry: who we are is said when it asks for it, and to nobody else; when it is too busy, it is asked
 * again after the time that it wants. */
#include "oci/registry-session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "basic/base64.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/registry-challenge.h"

#define TOKEN_ANSWER_MAX (1U << 20)
#define CLIENT_ID        "rkt"
#define WAIT_FIRST_SEC   1U /* doubled each time, if the registry does not say how long */

/**
 * registry_session_warn() - something for the user to see, once
 * @s:      a session
 * @format: of a sentence; what is not printable in it is replaced
 */
void registry_session_warn(RegistrySession *s, const char *format, ...) {
        char text[REGISTRY_WARNING_MAX + 1];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        for (char *p = text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        if (strv_length(s->warnings) < REGISTRY_WARNINGS_MAX && !strv_contains(s->warnings, text))
                (void) strv_extend(&s->warnings, text);
}

/**
 * registry_session_init() - begin
 * @s:      zero
 * @limits: its URL is the registry's base; lives as long as the session, as does @task
 * @task:   for whom and what
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0, those of url_parse() and http_session_new().
 */
int registry_session_init(RegistrySession *s, const PullRequest *limits, const RegistryTask *task, Error *e) {
        int r;

        s->limits = limits;
        s->task = task;
        r = url_parse(limits->url, &s->base, e);
        if (r < 0)
                return r;
        if (!streq(s->base->target, "/"))
                return error_setf(e, -EINVAL, "the registry '%s' must not have a path", limits->url);
        return http_session_new(limits, &s->http, e);
}

/**
 * registry_session_done() - end
 * @s: a session, or zero
 */
void registry_session_done(RegistrySession *s) {
        if (s->authorization)
                explicit_bzero(s->authorization, strlen(s->authorization));
        free(s->authorization);
        strv_free(s->warnings);
        (void) url_free(s->base);
        (void) http_session_free(s->http);
        *s = (RegistrySession){};
}

/**
 * registry_session_url() - the URL of something in the repository
 * @s:         a session
 * @kind:      "manifests", "blobs", "referrers"
 * @reference: tag or digest, checked
 * @ret:       for free()
 *
 * Return: 0, -ENOMEM.
 */
int registry_session_url(const RegistrySession *s, const char *kind, const char *reference, char **ret) {
        _cleanup_free_ char *target = strf("/v2/%s/%s/%s", s->task->repository, kind, reference);
        Url u = *s->base;

        if (!target)
                return -ENOMEM;
        u.target = target;
        return url_to_string(&u, ret);
}

static int basic_value(const char *user, const char *password, char **ret, Error *e) {
        _cleanup_free_ char *plain = strf("%s:%s", user, password), *text = NULL;

        if (!plain || base64_encode(plain, strlen(plain), &text) < 0)
                return error_oom(e);
        explicit_bzero(plain, strlen(plain));
        *ret = strf("Basic %s", text);
        explicit_bzero(text, strlen(text));
        return *ret ? 0 : error_oom(e);
}

static bool has_credentials(const RegistrySession *s) {
        return s->task->username || s->task->identity_token;
}

/* Where tokens are made. Who we are is said there only if the registry may say so (R8). */
static int check_realm(const RegistrySession *s, const char *realm, Error *e) {
        _cleanup_(url_freep) Url *u = NULL;

        if (url_parse(realm, &u, NULL) < 0)
                return error_setf(e, -EBADMSG,
                                  "the registry names a token server that is no proper https URL");
        if (!u->https && !s->limits->allow_http)
                return error_setf(e, -EPERM,
                                  "the registry's token server at host '%s' is plain http, which anybody on "
                                  "the way can read",
                                  u->host);
        if (!has_credentials(s) || registry_realm_is_own(s->base, u, s->task->token_host))
                return 0;
        return error_setf(e, -EPERM,
                          "the registry wants its credentials to be sent to the token server at host '%s', "
                          "which is not its own",
                          u->host);
}

/* A refresh token instead of a password. 1: that server does not know how. */
static int ask_by_form(RegistrySession *s, const RegistryChallenge *c, const char *scope, HttpAnswer *ret,
                       Error *e) {
        _cleanup_free_ char *form = NULL;
        HttpCall call = { .url = c->realm, .body_max = TOKEN_ANSWER_MAX, .stranger = true };
        int r;

        if (registry_form_add(&form, "grant_type", "refresh_token") < 0 ||
            registry_form_add(&form, "service", c->service) < 0 ||
            registry_form_add(&form, "client_id", CLIENT_ID) < 0 ||
            registry_form_add(&form, "scope", scope) < 0 ||
            registry_form_add(&form, "refresh_token", s->task->identity_token) < 0)
                return error_oom(e);
        call.form = form;
        r = http_session_call(s->http, &call, ret, e);
        explicit_bzero(form, strlen(form));
        if (r < 0 || (ret->status != 404 && ret->status != 405))
                return r;
        http_answer_done(ret);
        return 1;
}

static int ask_by_query(RegistrySession *s, const RegistryChallenge *c, const char *scope, HttpAnswer *ret,
                        Error *e) {
        const RegistryTask *t = s->task;
        _cleanup_free_ char *url = NULL, *secret = NULL;
        HttpCall call = { .body_max = TOKEN_ANSWER_MAX, .stranger = true };
        int r = 0;

        if (registry_token_url(c, scope, t->username, &url) < 0)
                return error_oom(e);
        if (t->identity_token)
                r = basic_value(str_or(t->username, "<token>"), t->identity_token, &secret, e);
        else if (t->username)
                r = basic_value(t->username, t->password, &secret, e);
        if (r < 0)
                return r;
        call.url = url;
        call.authorization = secret;
        r = http_session_call(s->http, &call, ret, e);
        if (secret)
                explicit_bzero(secret, strlen(secret));
        return r;
}

static int token_refused(const RegistrySession *s, const HttpAnswer *a, Error *e) {
        _cleanup_free_ char *text = NULL;

        if (registry_error_text(a->body, a->size, &text) < 0)
                return error_oom(e);
        if (a->status == 401 || a->status == 403)
                return error_setf(
                        e, -EACCES, "the token server refuses us%s (bad HTTP status code: %u%s%s)%s",
                        has_credentials(s) ? " with the credentials that are configured" : "", a->status,
                        text ? "; " : "", str_or(text, ""),
                        has_credentials(s) ? "" : "; credentials belong into auth.d, see rkt-config(5)");
        return error_setf(e, a->status == 429 || a->status == 503 ? -EBUSY : -EBADMSG,
                          "the token server gives no token (bad HTTP status code: %u%s%s)", a->status,
                          text ? "; " : "", str_or(text, ""));
}

static int get_token(RegistrySession *s, const RegistryChallenge *c, const char *scope, Error *e) {
        _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
        _cleanup_free_ char *token = NULL, *value = NULL;
        int r;

        r = check_realm(s, c->realm, e);
        if (r < 0)
                return r;
        r = s->task->identity_token ? ask_by_form(s, c, scope, &a, e) : 1;
        if (r > 0)
                r = ask_by_query(s, c, scope, &a, e);
        if (r < 0)
                return error_prefixf(e, r, "token server");
        if (a.status != 200)
                return token_refused(s, &a, e);
        r = registry_token_parse(a.body, a.size, &token, e);
        explicit_bzero(a.body, a.size);
        if (r < 0)
                return r;
        value = strf("Bearer %s", token);
        explicit_bzero(token, strlen(token));
        if (!value)
                return error_oom(e);
        free(s->authorization);
        s->authorization = TAKE_PTR(value);
        return 0;
}

static int no_credentials(const RegistrySession *s, Error *e) {
        return error_setf(e, -EACCES,
                          "the registry at host '%s' wants a user name and a password (bad HTTP status code: "
                          "401); they belong into auth.d, see rkt-config(5)",
                          s->base->host);
}

/* The registry asked who we are. @again: it did so before, and did not like the answer; then nothing is said twice. 1: it
 * can be asked again, 0: it cannot. */
static int authenticate(RegistrySession *s, const HttpAnswer *a, bool again, Error *e) {
        _cleanup_(registry_challenge_done) RegistryChallenge c = {};
        _cleanup_free_ char *own = NULL;
        int r;

        r = registry_challenge_parse(a->head.challenges, &c, again ? NULL : e);
        if (r < 0)
                return again ? 0 : r;
        own = strf("repository:%s:pull", s->task->repository);
        if (!own)
                return error_oom(e);
        /* More than we asked for, but for the repository that we want and for no other. */
        if (again && (!c.bearer || !c.scope || !streq_ptr(c.error, "insufficient_scope") ||
                      strncmp(c.scope, own, strlen(own) - strlen("pull")) != 0 || strpbrk(c.scope, " \t")))
                return 0;
        if (!c.bearer) {
                char *value = NULL;

                if (!s->task->username)
                        return no_credentials(s, e);
                r = basic_value(s->task->username, s->task->password, &value, e);
                if (r < 0)
                        return r;
                free(s->authorization);
                s->authorization = value;
                return 1;
        }
        /* What we want, rather than what it says; unless that was not enough. */
        r = get_token(s, &c, again ? c.scope : own, e);
        return r < 0 ? r : 1;
}

/**
 * registry_session_refused() - the sentence for a status that is no answer
 * @s:    a session
 * @a:    the answer
 * @what: what was asked for: "manifest 'latest'"
 * @e:    says what the registry says, and what to do; may be NULL
 *
 * Return: -ENOENT (404), -EACCES (401, 403), -EBUSY (429, 503), -EBADMSG; -ENOMEM.
 */
int registry_session_refused(const RegistrySession *s, const HttpAnswer *a, const char *what, Error *e) {
        const char *repository = s->task->repository;
        _cleanup_free_ char *text = NULL, *said = NULL;

        if (registry_error_text(a->body, a->size, &text) < 0)
                return error_oom(e);
        said = strf("bad HTTP status code: %u%s%s", a->status, text ? "; " : "", str_or(text, ""));
        if (!said)
                return error_oom(e);
        switch (a->status) {
        case 404:
                return error_setf(e, -ENOENT,
                                  "there is no %s in repository '%s' (%s); check the name and the tag", what,
                                  repository, said);
        case 401:
        case 403:
                return error_setf(e, -EACCES, "the registry refuses %s of repository '%s' to us (%s): %s",
                                  what, repository, said,
                                  has_credentials(s) ? "the credentials that are configured are wrong, or "
                                                       "have no right to it"
                                                     : "the name is wrong, or it is private: credentials "
                                                       "belong into auth.d, see rkt-config(5)");
        case 429:
                return error_setf(e, -EBUSY,
                                  "the registry's rate limit is reached (%s%s%s); log in (auth.d, see "
                                  "rkt-config(5)), use a mirror (registries.d), or try later",
                                  said, a->head.rate_remaining ? "; remaining: " : "",
                                  str_or(a->head.rate_remaining, ""));
        case 503: return error_setf(e, -EBUSY, "the registry is too busy (%s); try later", said);
        default:
                return error_setf(e, -EBADMSG, "cannot get %s of repository '%s' (%s)", what, repository,
                                  said);
        }
}

static bool is_busy(unsigned status) {
        return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* Waits as long as the registry wants, but not too long or too often. false: that would be so. */
static bool wait_a_bit(const RegistrySession *s, const HttpAnswer *a, unsigned n_tries) {
        const uint64_t wish = http_head_retry_after(&a->head);
        const unsigned retries = s->limits->retries_max == PULL_NONE ? 0 : s->limits->retries_max;

        if (n_tries >= retries || (wish != UINT64_MAX && wish > PULL_WAIT_MAX_SEC))
                return false;
        http_session_wait(s->http, wish != UINT64_MAX
                                           ? (unsigned) wish
                                           : MIN(WAIT_FIRST_SEC << MIN(n_tries, 6U), PULL_WAIT_MAX_SEC));
        return true;
}

/* 1: ask again, for another reason each time. */
static int judge(RegistrySession *s, const HttpAnswer *a, unsigned *n_auth, unsigned *n_tries, Error *e) {
        bool more;

        if (is_busy(a->status)) {
                more = wait_a_bit(s, a, *n_tries);
                *n_tries += 1;
                return more;
        }
        /* Once because it asks, or because the token has expired; once more if that is for too little. */
        if ((a->status != 401 && (a->status != 403 || !a->head.challenges)) || *n_auth >= 2)
                return 0;
        *n_auth += 1;
        return authenticate(s, a, *n_auth > 1 || a->status == 403, e);
}

/* "299 - \"text\"" */
static void take_warning(RegistrySession *s, const char *value) {
        const char *quote = value ? startswith(value, "299 ") : NULL;
        size_t n;

        quote = quote ? strchr(quote, '"') : NULL;
        if (!quote)
                return;
        n = strcspn(quote + 1, "\"");
        if (n > 0)
                registry_session_warn(s, "the registry at host '%s' says: %.*s", s->base->host,
                                      (int) MIN(n, 250U), quote + 1);
}

/**
 * registry_session_call() - ask the registry something
 * @s:   a session
 * @c:   its authorization is filled in here
 * @ret: for http_answer_done(); any status
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EACCES (it wants to know who we are, and we cannot say), -EPERM (it wants us to say it to somebody else), those
 * of http_session_call() and registry_token_parse().
 */
int registry_session_call(RegistrySession *s, const HttpCall *c, HttpAnswer *ret, Error *e) {
        unsigned n_auth = 0, n_tries = 0;
        HttpCall call = *c;

        for (;;) {
                _cleanup_(http_answer_done) HttpAnswer a = HTTP_ANSWER_INIT;
                int r;

                call.authorization = s->authorization;
                r = http_session_call(s->http, &call, &a, e);
                if (r == -ECONNRESET && n_tries == 0) {
                        n_tries++;
                        continue;
                }
                if (r < 0)
                        return r;
                take_warning(s, a.head.warning);
                r = judge(s, &a, &n_auth, &n_tries, e);
                if (r < 0)
                        return r;
                if (r == 0) {
                        *ret = a;
                        a = HTTP_ANSWER_INIT;
                        return 0;
                }
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auth.json, config.json, .dockercfg: bytes in, what they say about one image out. No I/O, and no secret in a sentence. */
#include <gnutls/gnutls.h>
#include <string.h>

#include "basic/json.h"
#include "basic/str.h"
#include "config/config-internal.h"
#include "config/docker-auth.h"

typedef struct AuthEntry {
        char *auth, *username, *password, *identity_token;
} AuthEntry;

static const JsonField entry_fields[] = {
        JSON_ROW("auth", json_kind_string, AuthEntry, auth, 0),
        JSON_ROW("username", json_kind_string, AuthEntry, username, 0),
        JSON_ROW("password", json_kind_string, AuthEntry, password, 0),
        JSON_ROW("identitytoken", json_kind_string, AuthEntry, identity_token, 0),
        {},
};

/* What docker-credential-NAME says. */
static const JsonField helper_fields[] = {
        JSON_ROW("Username", json_kind_string, DockerCredentials, username, 0),
        JSON_ROW("Secret", json_kind_string, DockerCredentials, password, 0),
        {},
};

static void wipe(char **p) {
        if (*p)
                gnutls_memset(*p, 0, strlen(*p));
        free(TAKE_PTR(*p));
}

static void entry_done(AuthEntry *a) {
        wipe(&a->auth);
        wipe(&a->username);
        wipe(&a->password);
        wipe(&a->identity_token);
}

/**
 * docker_credentials_done() - overwrite and free the members
 * @c: empty afterwards
 */
void docker_credentials_done(DockerCredentials *c) {
        wipe(&c->username);
        wipe(&c->password);
        wipe(&c->identity_token);
}

/**
 * docker_auth_answer_done() - overwrite and free the members
 * @a: empty afterwards
 */
void docker_auth_answer_done(DockerAuthAnswer *a) {
        docker_credentials_done(&a->credentials);
        free(TAKE_PTR(a->helper));
}

/* A token is sent as it is; user and password travel in base64. */
static int check_credentials(const DockerCredentials *c, Error *e) {
        int r = c->identity_token ? config_check_word("the identity token", c->identity_token, e) : 0;

        if (r >= 0 && c->username && strchr(c->username, ':'))
                r = error_setf(e, -EINVAL, "the user name contains ':'");
        if (r >= 0 && c->username)
                r = config_check_plain("the user name", c->username, e);
        return r >= 0 && c->password ? config_check_plain("the password", c->password, e) : r;
}

/* base64 of USER:PASSWORD; docker pads it with NUL bytes. */
static int decode_auth(char *text, DockerCredentials *c, Error *e) {
        gnutls_datum_t in = { (unsigned char *) text, (unsigned) strlen(text) }, out = {};
        int r = gnutls_base64_decode2(&in, &out) < 0 ? -EINVAL : 0;
        char *plain = r >= 0 ? strndup((const char *) out.data, out.size) : NULL, *colon;

        if (r >= 0) {
                gnutls_memset(out.data, 0, out.size);
                gnutls_free(out.data);
        }
        if (r >= 0 && !plain)
                return error_oom(e);
        colon = plain ? strchr(plain, ':') : NULL;
        if (colon && colon != plain) {
                c->username = strndup(plain, (size_t) (colon - plain));
                c->password = strdup(colon + 1);
                r = c->username && c->password ? 0 : error_oom(e);
        } else
                r = error_setf(e, -EINVAL, "'auth' is not the base64 of USER:PASSWORD");
        wipe(&plain);
        return r;
}

/* The value of a key of auths. 0: it says nothing, as docker leaves it for hosts of a helper. */
static int read_entry(const JsonValue *v, DockerCredentials *ret, Error *e) {
        AuthEntry a = {};
        DockerCredentials c = {};
        int r = json_map(v, entry_fields, JSON_OPEN, &a, e);

        if (r >= 0 && a.auth && *a.auth)
                r = decode_auth(a.auth, &c, e);
        else if (r >= 0 && a.username && *a.username) {
                c.username = TAKE_PTR(a.username);
                c.password = a.password ? TAKE_PTR(a.password) : strdup("");
                r = c.password ? 0 : error_oom(e);
        }
        if (r >= 0 && a.identity_token && *a.identity_token)
                c.identity_token = TAKE_PTR(a.identity_token);
        entry_done(&a);
        if (r >= 0)
                r = check_credentials(&c, e);
        if (r < 0 || (!c.username && !c.identity_token)) {
                docker_credentials_done(&c);
                return r;
        }
        *ret = c;
        return 1;
}

/* The place that a key means: without scheme, and then, as with a slash at the end, without path, for docker's keys are
 * URLs of an API; Docker Hub under one name. */
static char *key_place(const char *key) {
        static const char *const hubs[] = { "index.docker.io", REGISTRIES_HUB_WIRE };
        const char *https = startswith(key, "https://"), *http = startswith(key, "http://"),
                   *s = https  ? https
                        : http ? http
                               : key;
        size_t host = strcspn(s, "/");
        bool is_url = s != key || endswith(s, "/") || streq(s + host, "/v1") || streq(s + host, "/v2");

        FOREACH_ARRAY (hub, hubs, ELEMENTSOF(hubs))
                if (strlen(*hub) == host && memcmp(s, *hub, host) == 0)
                        return strf(REGISTRIES_HUB "%s", is_url ? "" : s + host);
        return is_url ? strndup(s, host) : strdup(s);
}

/* How much of the place a key covers, in bytes; 0: none. A key that is written as the place is goes before another name. */
static size_t key_rank(const char *key, const char *place) {
        _cleanup_free_ char *prefix = key_place(key);
        const char *rest = prefix && *prefix ? startswith(place, prefix) : NULL;

        if (!rest || (*rest && *rest != '/'))
                return 0;
        return 2 * strlen(prefix) + streq(prefix, key);
}

/* The best key of auths that says something. */
static int find_entry(const JsonValue *auths, const char *place, DockerCredentials *ret, Error *e) {
        size_t best = 0;

        JSON_FOREACH (v, auths) {
                const char *key = json_key(v);
                size_t rank = key_rank(key, place);
                DockerCredentials c = {};
                int r = rank > best ? read_entry(v, &c, e) : 0;

                if (r < 0) {
                        docker_credentials_done(ret);
                        return error_prefixf(e, r, "credentials for '%.255s'", key);
                }
                if (r == 0)
                        continue;
                docker_credentials_done(ret);
                *ret = c;
                best = rank;
        }
        return best > 0;
}

/* A name becomes part of a path. */
static int take_helper(const char *name, char **ret, Error *e) {
        if (!*name || strlen(name) > 100 || !str_in_set(name, "abcdefghijklmnopqrstuvwxyz0123456789-"))
                return error_setf(
                        e, -EINVAL,
                        "'%.100s' is no name of a credential helper (small letters, digits and '-')", name);
        return str_replace(ret, name) < 0 ? error_oom(e) : 1;
}

static int find_helper(const JsonValue *file, const char *place, char **ret, Error *e) {
        const JsonValue *helpers = json_get(file, "credHelpers");
        _cleanup_free_ char *host = strndup(place, strcspn(place, "/"));
        int r = helpers ? json_expect(helpers, JSON_OBJECT, e) : 0;

        if (!host)
                return error_oom(e);
        if (r < 0)
                return error_prefixf(e, r, "'credHelpers'");
        JSON_FOREACH (v, helpers) {
                _cleanup_free_ char *key = key_place(json_key(v));

                if (!key || !streq(key, host))
                        continue;
                r = json_expect(v, JSON_STRING, e);
                return r < 0 ? error_prefixf(e, r, "'credHelpers'") : take_helper(json_text(v), ret, e);
        }
        return 0;
}

static int find_store(const JsonValue *file, char **ret, Error *e) {
        const JsonValue *store = json_get(file, "credsStore");
        int r = store ? json_expect(store, JSON_STRING, e) : 0;

        if (r < 0)
                return error_prefixf(e, r, "'credsStore'");
        return store && *json_text(store) ? take_helper(json_text(store), ret, e) : 0;
}

/**
 * docker_auth_parse() - what a file says about an image
 * @data:      @size bytes
 * @size:      bytes, up to CONFIG_FILE_MAX
 * @is_legacy: the form of ~/.dockercfg: what else is under "auths" is the whole file
 * @place:     HOST[:PORT]/REPOSITORY; Docker Hub is docker.io
 * @ret:       for docker_auth_answer_done(); set with 1
 * @e:         names the key, never what is under it
 *
 * Return: 1, 0 (nothing); those of json_parse(); -EINVAL, -E2BIG, -ENOMEM.
 */
int docker_auth_parse(const char *data, size_t size, bool is_legacy, const char *place, DockerAuthAnswer *ret,
                      Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        DockerAuthAnswer a = {};
        const JsonValue *auths;
        int r = json_parse(data, size, &v, e);

        if (r >= 0)
                r = json_expect(v, JSON_OBJECT, e);
        if (r < 0)
                return r;
        auths = is_legacy ? v : json_get(v, "auths");
        if (!is_legacy)
                r = find_helper(v, place, &a.helper, e);
        if (r == 0 && auths) {
                r = json_expect(auths, JSON_OBJECT, e);
                r = r < 0 ? error_prefixf(e, r, "'auths'") : find_entry(auths, place, &a.credentials, e);
        }
        if (r == 0 && !is_legacy)
                r = find_store(v, &a.helper, e);
        if (r > 0)
                *ret = a;
        else
                docker_auth_answer_done(&a);
        return r;
}

/**
 * docker_helper_parse() - what docker-credential-NAME get printed
 * @data: @size bytes
 * @size: bytes
 * @ret:  for docker_credentials_done()
 * @e:    without what was printed
 *
 * Return: 1, 0 (it has none); -EBADMSG, -EINVAL, -E2BIG, -ENOMEM.
 */
int docker_helper_parse(const char *data, size_t size, DockerCredentials *ret, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_error_ Error quiet = ERROR_INIT; /* could cite the secret */
        DockerCredentials c = {};
        int r = json_parse(data, size, &v, &quiet);

        if (r >= 0)
                r = json_map(v, helper_fields, JSON_OPEN, &c, &quiet);
        if (r < 0)
                r = error_setf(e, r, "it did not print {\"Username\": ..., \"Secret\": ...}");
        if (r >= 0 && c.username && c.password && streq(c.username, "<token>")) {
                c.identity_token = TAKE_PTR(c.password);
                wipe(&c.username);
        }
        if (r >= 0)
                r = check_credentials(&c, e);
        if (r < 0 || !(c.identity_token ? *c.identity_token : c.username && *c.username && c.password)) {
                docker_credentials_done(&c);
                return r < 0 ? r : 0;
        }
        *ret = c;
        return 1;
}

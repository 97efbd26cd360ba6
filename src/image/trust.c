/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys by path, by URL and by discovery. Not over plain http unless InsecureFlags say "pubkey": whoever can change the key on
 * the way can sign anything afterwards. */
#include <fcntl.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"
#include "image/request.h"
#include "image/trust.h"
#include "net/download.h"
#include "net/url.h"

#define KEY_TIME_MAX_SEC 60U

static int load_url(const char *url, InsecureFlags insecure, const Config *config, char **ret,
                    size_t *ret_size, Error *e) {
        _cleanup_(pull_request_done) PullRequest q = {};
        int r;

        if (startswith(url, "http://") && !(insecure & INSECURE_PUBKEY))
                return error_setf(
                        e, -EPERM,
                        "key '%s' is plain http, which anybody on the way can change; use https, or allow it "
                        "with --insecure-allow-http",
                        url);
        r = request_init(&q, url,
                         &(RequestOptions){
                                 .config = config,
                                 .allow_http = insecure & INSECURE_PUBKEY,
                                 .insecure_tls = insecure & INSECURE_TLS,
                         },
                         e);
        if (r < 0)
                return r;
        q.size_max = PGP_KEY_FILE_MAX;
        q.time_max_sec = KEY_TIME_MAX_SEC;
        return download_small(&q, ret, ret_size, e);
}

/**
 * trust_load() - read keys, without trusting them
 * @location: path or URL of a file
 * @insecure: INSECURE_PUBKEY allows plain http, INSECURE_TLS any certificate
 * @config:   for credentials; NULL: none
 * @ret:      for pgp_keys_done()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EPERM (plain http), errno of open() and read(), and what pgp_keys_parse() and download_small() return.
 */
int trust_load(const char *location, InsecureFlags insecure, const Config *config, PgpKeys *ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        if (strstr(location, "://"))
                r = load_url(location, insecure, config, &text, &size, e);
        else {
                r = file_read_at(AT_FDCWD, location, PGP_KEY_FILE_MAX, &text, &size);
                if (r == -E2BIG)
                        return error_setf(e, r, "key '%s': the file is larger than %u bytes", location,
                                          PGP_KEY_FILE_MAX);
                if (r < 0)
                        return error_setf(e, r, "cannot read key '%s': %s", location, strerror(-r));
        }
        if (r < 0)
                return r;
        r = pgp_keys_parse(text, size, ret, e);
        return r < 0 ? error_prefixf(e, r, "key '%s'", location) : 0;
}

/**
 * trust_discover() - ask a prefix's host where its keys are
 * @prefix:   name, or beginning of names
 * @insecure: INSECURE_PUBKEY allows plain http after https failed, INSECURE_TLS any certificate
 * @config:   for credentials; NULL: none
 * @ret_urls: for strv_free()
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (no name), -ENOENT (no keys there), and what discovery_find() returns.
 */
int trust_discover(const char *prefix, InsecureFlags insecure, const Config *config, char ***ret_urls,
                   Error *e) {
        _cleanup_(discovery_result_done) DiscoveryResult result = {};
        _cleanup_(image_name_freep) ImageName *name = NULL;
        DiscoveryOptions o = {
                .allow_http = insecure & INSECURE_PUBKEY,
                .insecure_tls = insecure & INSECURE_TLS,
                .want_pubkeys = true,
                .config = config,
        };
        int r;

        r = image_name_parse(prefix, &name, e);
        if (r < 0)
                return r;
        if (name->type != IMAGE_NAME_APPC || name->n_labels > 0)
                return error_setf(e, -EINVAL, "'%s' is not the beginning of an image's name", prefix);
        r = discovery_find(name, &o, &result, e);
        if (r < 0)
                return r;
        *ret_urls = TAKE_PTR(result.pubkeys);
        return 0;
}

/**
 * trust_is_https_of() - does a name's own host vouch for a key
 * @location: of the key, path or URL
 * @name:     or the beginning of names
 *
 * Return: whether it is an https URL on the host that the name begins with.
 */
bool trust_is_https_of(const char *location, const char *name) {
        _cleanup_(url_freep) Url *u = NULL;
        size_t n = strcspn(name, "/");

        return url_parse(location, &u, NULL) >= 0 && u->https && strlen(u->host) == n &&
               strncmp(u->host, name, n) == 0;
}

static int trust_url(const char *url, const char *name, const char *local_config, InsecureFlags insecure,
                     const Config *config, char ***paths, Error *e) {
        _cleanup_(pgp_keys_done) PgpKeys keys = {};
        int r;

        r = trust_load(url, insecure & INSECURE_TLS, config, &keys, e);
        if (r < 0)
                return r;
        FOREACH_ARRAY (k, keys.keys, keys.n_keys) {
                char *path = NULL;

                r = keyring_add(local_config, name, k, &path, e);
                if (r < 0)
                        return r;
                if (strv_consume(paths, path) < 0)
                        return error_oom(e);
        }
        return 0;
}

/**
 * trust_from_https() - trust what a name's own host says, without asking anybody
 * @name:         of an image; the keys are trusted for it and what is beneath it
 * @local_config: where to write them
 * @insecure:     only INSECURE_TLS has a meaning
 * @config:       for credentials; NULL: none
 * @ret_paths:    files that were written, for strv_free()
 * @e:            sentence on failure; may be NULL
 *
 * Only keys that the host of the name itself serves, over https.
 *
 * Return: 0, -ENOENT (no such key), and what trust_load() and keyring_add() return.
 */
int trust_from_https(const char *name, const char *local_config, InsecureFlags insecure, const Config *config,
                     char ***ret_paths, Error *e) {
        _cleanup_strv_free_ char **urls = NULL, **paths = NULL;
        int r;

        r = trust_discover(name, insecure & INSECURE_TLS, config, &urls, e);
        if (r < 0)
                return r;
        STRV_FOREACH (u, urls) {
                if (!trust_is_https_of(*u, name))
                        continue;
                r = trust_url(*u, name, local_config, insecure, config, &paths, e);
                if (r < 0)
                        return r;
        }
        if (!paths)
                return error_setf(e, -ENOENT,
                                  "the keys for '%s' are not served by its own host over https; review and "
                                  "trust them with rkt trust --prefix=%s",
                                  name, name);
        *ret_paths = TAKE_PTR(paths);
        return 0;
}

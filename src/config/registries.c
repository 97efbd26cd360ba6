/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where an image of a registry is to be had, by the rules of registries.d. What a file may say is in registry-rules.c. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/registries.h"

/* Where docker and podman keep certificates by host: HOST[:PORT]/NAME.crt, NAME.cert with NAME.key. */
char *const registries_certificate_dirs[] = {
        (char[]){ "/etc/containers/certs.d" },
        (char[]){ "/etc/docker/certs.d" },
        NULL,
};

static void wipe(char *s) {
        if (s)
                gnutls_memset(s, 0, strlen(s));
        free(s);
}

static void endpoint_done(RegistriesEndpoint *p) {
        free(p->host);
        free(p->repository);
        free(p->base);
        (void) strv_free(p->ca_files);
        free(p->cert_file);
        free(p->key_file);
        wipe(p->username);
        wipe(p->password);
        wipe(p->identity_token);
        free(p->token_host);
}

/**
 * registries_endpoints_free() - free a list; secrets are overwritten
 * @p: @n of them; may be NULL
 * @n: how many
 */
void registries_endpoints_free(RegistriesEndpoint *p, size_t n) {
        FOREACH_ARRAY (i, p, n)
                endpoint_done(i);
        free(p);
}

/* The part of the place behind the prefix, "" or "/..."; NULL: another place. */
static const char *behind(const char *prefix, const char *place) {
        size_t host = strcspn(place, "/"), n = strlen(prefix);
        const char *rest;

        if (startswith(prefix, "*."))
                return host > n - 1 && memcmp(place + host - (n - 1), prefix + 1, n - 1) == 0 ? place + host
                                                                                              : NULL;
        rest = startswith(place, prefix);
        return rest && (*rest == '\0' || *rest == '/') ? rest : NULL;
}

/* The longest prefix; of two that are equally long one is a wildcard, and the other counts. */
static const RegistryRule *find_rule(const Config *c, const char *place) {
        const RegistryRule *best = NULL;
        size_t length = 0;

        FOREACH_ARRAY (rule, c->rules, c->n_rules) {
                size_t n = strlen(rule->prefix);

                if (behind(rule->prefix, place) && (n > length || (n == length && *rule->prefix != '*'))) {
                        best = rule;
                        length = n;
                }
        }
        return best;
}

/* One folder of certificates. 1: it is there. */
static int read_certificates(const char *dir, RegistriesEndpoint *p, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(AT_FDCWD, dir, &names);

        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot list the certificates in '%s': %s", dir, strerror(-r));
        strv_sort(names);
        STRV_FOREACH (n, names) {
                const char *end = endswith(*n, ".cert");

                if (endswith(*n, ".crt") && strv_extendf(&p->ca_files, "%s/%s", dir, *n) < 0)
                        return error_oom(e);
                if (!end || p->cert_file)
                        continue;
                p->cert_file = strf("%s/%s", dir, *n);
                p->key_file = strf("%s/%.*s.key", dir, (int) (end - *n), *n);
                if (!p->cert_file || !p->key_file)
                        return error_oom(e);
                if (!strv_contains(names, p->key_file + strlen(dir) + 1))
                        return error_setf(e, -ENOENT, "'%s' has no key: '%s' is missing", p->cert_file,
                                          p->key_file);
        }
        return 1;
}

static int find_certificates(char *const *dirs, RegistriesEndpoint *p, Error *e) {
        int r = 0;

        for (char *const *dir = dirs ? dirs : registries_certificate_dirs; *dir && r == 0; dir++) {
                _cleanup_free_ char *path = strf("%s/%s", *dir, p->host);

                r = path ? read_certificates(path, p, e) : error_oom(e);
        }
        return r < 0 ? r : 0;
}

/* How an endpoint is connected to; without a rule: by https, with the certificates of docker or podman. */
static int set_connection(RegistriesEndpoint *p, const RegistryRule *rule, char *const *dirs, Error *e) {
        const char *wire = streq(p->host, REGISTRIES_HUB) ? REGISTRIES_HUB_WIRE : p->host;

        p->allow_http = rule && rule->allow_http;
        p->insecure_tls = rule && rule->insecure_tls;
        p->base = strf("%s://%s", p->allow_http ? "http" : "https", wire);
        if (!p->base || (rule && rule->ca && strv_extend(&p->ca_files, rule->ca) < 0) ||
            (rule && rule->key &&
             (str_replace(&p->cert_file, rule->certificate) < 0 ||
              str_replace(&p->key_file, rule->key) < 0)) ||
            (rule && rule->token_host && str_replace(&p->token_host, rule->token_host) < 0))
                return error_oom(e);
        return p->allow_http || p->ca_files || p->key_file ? 0 : find_certificates(dirs, p, e);
}

/* One more endpoint: @base with what is behind the prefix. */
static int add_endpoint(const Config *c, const RegistriesQuery *q, RegistriesEndpoint *p, const char *base,
                        const char *rest, const RegistryRule *rule, Error *e) {
        _cleanup_free_ char *place = strf("%s%s", base, rest);
        const char *slash = place ? strchr(place, '/') : NULL;

        if (!place)
                return error_oom(e);
        if (!slash)
                return error_setf(e, -EINVAL,
                                  "'%s/%s' stands for a host alone, '%s', by registries.d; add a path there",
                                  q->host, q->repository, place);
        p->host = strndup(place, (size_t) (slash - place));
        p->repository = strdup(slash + 1);
        if (!p->host || !p->repository)
                return error_oom(e);
        return set_connection(p, p->is_mirror ? find_rule(c, place) : rule, q->certificate_dirs, e);
}

static bool use_mirrors(const RegistryRule *rule, bool by_digest) {
        return rule->pull == REGISTRY_PULL_ALL || (rule->pull == REGISTRY_PULL_DIGEST_ONLY) == by_digest;
}

/**
 * registries_endpoints() - where an image is to be had
 * @c:     with CONFIG_REGISTRIES; NULL: without rules
 * @q:     image
 * @ret:   mirrors first, in their order, the registry itself last; for registries_endpoints_free()
 * @ret_n: how many, at least 1
 * @e:     sentence on failure
 *
 * Credentials are not looked for here.
 *
 * Return: 0, -EPERM (Blocked=), -ENOENT (a key without its certificate), -EINVAL, -EACCES (certificates), -ENOMEM.
 */
int registries_endpoints(const Config *c, const RegistriesQuery *q, RegistriesEndpoint **ret, size_t *ret_n,
                         Error *e) {
        static const Config none = {};
        _cleanup_free_ char *place = strf("%s/%s", q->host, q->repository);
        const RegistryRule *rule = place ? find_rule(c ? c : &none, place) : NULL;
        const char *rest = rule ? behind(rule->prefix, place) : NULL;
        size_t n_mirrors = rule && use_mirrors(rule, q->by_digest) ? strv_length(rule->mirrors) : 0;
        RegistriesEndpoint *list = new0(RegistriesEndpoint, n_mirrors + 1);
        int r = 0;

        if (!place || !list)
                r = error_oom(e);
        else if (rule && rule->is_blocked)
                r = error_setf(e, -EPERM, "'%s' may not be pulled: %s says Blocked=yes for %s", place,
                               rule->file, rule->prefix);
        for (size_t i = 0; i < n_mirrors && r >= 0; i++) {
                list[i].is_mirror = true;
                r = add_endpoint(c, q, &list[i], rule->mirrors[i], rest, NULL, e);
        }
        if (r >= 0)
                r = rule && rule->location
                            ? add_endpoint(c, q, &list[n_mirrors], rule->location, rest, rule, e)
                            : add_endpoint(c, q, &list[n_mirrors], place, "", rule, e);
        if (r < 0) {
                registries_endpoints_free(list, list ? n_mirrors + 1 : 0);
                return r;
        }
        *ret = list;
        *ret_n = n_mirrors + 1;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of registries.d: bytes in, rows of a Config out, and what one directory's files do to another's. No I/O. */
#include <string.h>

#include "basic/ini.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/suggest.h"
#include "config/config-internal.h"
#include "config/registries.h"

static const char *const pull_names[_REGISTRY_PULL_MAX] = {
        [REGISTRY_PULL_ALL] = "all",
        [REGISTRY_PULL_DIGEST_ONLY] = "digest-only",
        [REGISTRY_PULL_TAG_ONLY] = "tag-only",
};

/**
 * registry_pull_to_string() - the word in files
 * @p: value
 *
 * Return: as "all".
 */
const char *registry_pull_to_string(RegistryPull p) {
        return pull_names[p];
}

/**
 * registry_rule_done() - free the members
 * @r: may be half-filled
 */
void registry_rule_done(RegistryRule *r) {
        free(r->file);
        free(r->prefix);
        free(r->location);
        (void) strv_free(r->mirrors);
        free(r->ca);
        free(r->certificate);
        free(r->key);
        free(r->token_host);
}

/* One file while it is read. */
typedef struct RuleReader {
        Config *config;
        const char *path; /* for sentences */
        RegistryRule *rule;
        Error *e;
} RuleReader;

typedef struct RuleKey {
        const char *name;
        int (*set)(RuleReader *in, const struct RuleKey *key, const IniItem *item);
        size_t offset;
} RuleKey;

static int fail(const RuleReader *in, const IniItem *item, const char *what) {
        return error_setf(in->e, -EINVAL, "%s:%u: [Registry] %s: %s", in->path, item->line, item->key, what);
}

static int fail_value(const RuleReader *in, const IniItem *item, const char *expected) {
        return error_setf(in->e, -EINVAL, "%s:%u: [Registry] %s: '%.100s' is not %s", in->path, item->line,
                          item->key, item->value, expected);
}

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT at the beginning of s; its length, or 0. */
static size_t host_length(const char *s) {
        size_t n = *s == '[' ? strspn(s + 1, "0123456789abcdef:.") + 2
                             : strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-");
        size_t digits;

        if (n == 0 || (*s == '[' && s[n - 1] != ']') || *s == '.' || *s == '-')
                return 0;
        if (s[n] != ':')
                return n;
        digits = strspn(s + n + 1, "0123456789");
        return digits >= 1 && digits <= 5 ? n + 1 + digits : 0;
}

static bool is_place(const char *s) {
        size_t n = host_length(s);

        if (n == 0 || strlen(s) > REGISTRIES_PLACE_MAX)
                return false;
        for (const char *p = s + n; *p;) { /* "/component" */
                size_t k = *p == '/' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789._-") : 0;

                if (k == 0 || p[1] == '.' || p[1] == '-')
                        return false;
                p += 1 + k;
        }
        return true;
}

static bool is_prefix(const char *s) {
        const char *host = startswith(s, "*.");

        return host ? is_place(host) && !strchr(host, '/') : is_place(s);
}

static int take_place(RuleReader *in, const IniItem *item, bool is_valid, char **ret) {
        if (strstr(item->value, "://"))
                return fail(in, item,
                            "write the host without https:// or http:// (Insecure=http is for the latter)");
        if (!is_valid)
                return fail_value(in, item,
                                  "HOST[:PORT][/PATH] in lower case, as registry.example.com/library");
        if (*ret)
                return fail(in, item, "said twice in one section");
        return str_replace(ret, item->value) < 0 ? error_oom(in->e) : 0;
}

/* The other names of Docker Hub mean the same images. */
static int set_prefix(RuleReader *in, const RuleKey *key, const IniItem *item) {
        static const char *const hubs[] = { "index.docker.io", REGISTRIES_HUB_WIRE };
        int r = take_place(in, item, is_prefix(item->value), &in->rule->prefix);

        FOREACH_ARRAY (hub, hubs, ELEMENTSOF(hubs)) {
                const char *rest = r >= 0 ? startswith(in->rule->prefix, *hub) : NULL;
                char *name;

                if (!rest || (*rest && *rest != '/'))
                        continue;
                name = strf(REGISTRIES_HUB "%s", rest);
                if (!name)
                        return error_oom(in->e);
                free(in->rule->prefix);
                in->rule->prefix = name;
        }
        return r;
}

static int set_location(RuleReader *in, const RuleKey *key, const IniItem *item) {
        return take_place(in, item, is_place(item->value), &in->rule->location);
}

static int set_mirror(RuleReader *in, const RuleKey *key, const IniItem *item) {
        _cleanup_free_ char *place = NULL;
        int r = take_place(in, item, is_place(item->value), &place);

        if (r < 0)
                return r;
        if (strv_length(in->rule->mirrors) >= REGISTRIES_MIRRORS_MAX)
                return fail(in, item, "more than 16 mirrors in one section");
        return strv_consume(&in->rule->mirrors, TAKE_PTR(place)) < 0 ? error_oom(in->e) : 0;
}

static int set_insecure(RuleReader *in, const RuleKey *key, const IniItem *item) {
        in->rule->allow_http = streq(item->value, "http");
        in->rule->insecure_tls = streq(item->value, "tls");
        return in->rule->allow_http || in->rule->insecure_tls || streq(item->value, "no")
                       ? 0
                       : fail_value(in, item, "one of no, http, tls");
}

static int set_blocked(RuleReader *in, const RuleKey *key, const IniItem *item) {
        int r = parse_boolean(item->value);

        if (r < 0)
                return fail_value(in, item, "yes or no");
        in->rule->is_blocked = r;
        return 0;
}

static int set_pull(RuleReader *in, const RuleKey *key, const IniItem *item) {
        for (RegistryPull i = 0; i < _REGISTRY_PULL_MAX; i++)
                if (streq(item->value, pull_names[i])) {
                        in->rule->pull = i;
                        return 0;
                }
        return fail_value(in, item, "one of all, digest-only, tag-only");
}

static int set_path(RuleReader *in, const RuleKey *key, const IniItem *item) {
        char **p = (char **) (void *) ((char *) in->rule + key->offset);

        if (!path_is_absolute(item->value) || strlen(item->value) > PATH_LENGTH_MAX)
                return fail_value(in, item, "the absolute path of a file");
        return str_replace(p, item->value) < 0 ? error_oom(in->e) : 0;
}

static int set_token_host(RuleReader *in, const RuleKey *key, const IniItem *item) {
        return take_place(in, item, is_place(item->value) && !strchr(item->value, '/'),
                          &in->rule->token_host);
}

static const RuleKey keys[] = {
        { "Blocked", set_blocked, 0 },
        { "CA", set_path, offsetof(RegistryRule, ca) },
        { "Certificate", set_path, offsetof(RegistryRule, certificate) },
        { "CertificateAuthority", set_path, offsetof(RegistryRule, ca) },
        { "Insecure", set_insecure, 0 },
        { "Key", set_path, offsetof(RegistryRule, key) },
        { "Location", set_location, 0 },
        { "Mirror", set_mirror, 0 },
        { "Prefix", set_prefix, 0 },
        { "PullFromMirror", set_pull, 0 },
        { "TokenHost", set_token_host, 0 },
};

/* The section that ends here. */
static int end_rule(RuleReader *in) {
        RegistryRule *rule = in->rule;
        const char *what = !rule                              ? NULL
                           : !rule->prefix                    ? "Prefix= is missing"
                           : !rule->certificate != !rule->key ? "Certificate= and Key= come together"
                           : rule->allow_http && (rule->ca || rule->key) ? "Insecure=http has no certificates"
                                                                         : NULL;

        in->rule = NULL;
        if (what)
                return error_setf(in->e, -EINVAL, "%s:%u: [Registry]: %s", in->path, rule->line, what);
        for (size_t i = 0; rule && in->config->rules + i < rule; i++)
                if (streq(in->config->rules[i].prefix, rule->prefix))
                        return error_setf(in->e, -EEXIST,
                                          "%s:%u: [Registry]: Prefix=%s is already in this directory (%s:%u)",
                                          in->path, rule->line, rule->prefix, in->config->rules[i].file,
                                          in->config->rules[i].line);
        return 0;
}

static int begin_rule(RuleReader *in, const IniItem *item) {
        Config *c = in->config;
        int r = end_rule(in);

        if (r < 0)
                return r;
        if (!streq(item->section, "Registry"))
                return error_setf(in->e, -EINVAL, "%s:%u: [%.50s]: there is only [Registry]", in->path,
                                  item->line, item->section);
        if (c->n_rules >= REGISTRIES_RULES_MAX)
                return error_setf(in->e, -E2BIG, "%s:%u: more than %u sections", in->path, item->line,
                                  REGISTRIES_RULES_MAX);
        if (!GREEDY_GROW(c->rules, c->n_rules))
                return error_oom(in->e);
        in->rule = &c->rules[c->n_rules++];
        *in->rule = (RegistryRule){ .file = strdup(path_basename(in->path)), .line = item->line };
        return in->rule->file ? 0 : error_oom(in->e);
}

static int take_item(const IniItem *item, void *userdata) {
        RuleReader *in = userdata;
        Suggest s = SUGGEST_INIT(item->key);

        if (!item->key)
                return begin_rule(in, item);
        if (!in->rule)
                return error_setf(in->e, -EINVAL, "%s:%u: %.50s= stands before the first [Registry]",
                                  in->path, item->line, item->key);
        FOREACH_ARRAY (key, keys, ELEMENTSOF(keys)) {
                if (streq(key->name, item->key))
                        return key->set(in, key, item);
                suggest_add(&s, key->name);
        }
        return error_setf(in->e, -EINVAL, "%s:%u: [Registry] %.50s: unknown key%s%s%s", in->path, item->line,
                          item->key, s.best ? " (did you mean " : "", str_or(s.best, ""),
                          s.best ? "=?)" : "");
}

static int take_bad(unsigned line, const char *what, void *userdata) {
        const RuleReader *in = userdata;

        return error_setf(in->e, -EBADMSG, "%s:%u: %s", in->path, line, what);
}

/**
 * registries_parse() - take one file of registries.d into a configuration
 * @c:    what the files of the same directory before it said
 * @path: of the file; its last component is kept, all of it is in sentences
 * @data: @size bytes, from an administrator
 * @size: bytes
 * @e:    names file, line and key
 *
 * Return: 0, -EINVAL, -EBADMSG (no INI), -EEXIST (a prefix is there twice), -E2BIG, -ENOMEM. @c is half-filled on failure.
 */
int registries_parse(Config *c, const char *path, const char *data, size_t size, Error *e) {
        RuleReader in = { .config = c, .path = path, .e = e };
        const IniHandler handler = { .item = take_item, .bad = take_bad, .userdata = &in };
        int r;

        if (size > CONFIG_FILE_MAX)
                return error_setf(e, -E2BIG, "%s: the file is longer than %u bytes", path, CONFIG_FILE_MAX);
        r = ini_parse(data, size, &handler);
        if (r == -ENOMEM)
                return error_oom(e);
        return r < 0 ? r : end_rule(&in);
}

static void remove_rules(Config *c, const char *file, const char *prefix) {
        size_t n = 0;

        FOREACH_ARRAY (rule, c->rules, c->n_rules) {
                if ((file && streq(rule->file, file)) || (prefix && streq(rule->prefix, prefix)))
                        registry_rule_done(rule);
                else
                        c->rules[n++] = *rule;
        }
        c->n_rules = n;
}

/**
 * registry_rules_merge() - take what a later directory says over what the earlier ones said
 * @into: the earlier ones
 * @from: the later one; its rules are moved
 * @e:    set when memory runs out
 *
 * A file masks the file of the same name, and a section the one with the same prefix.
 *
 * Return: 0, -ENOMEM.
 */
int registry_rules_merge(Config *into, Config *from, Error *e) {
        STRV_FOREACH (file, from->rule_files)
                remove_rules(into, *file, NULL);
        FOREACH_ARRAY (rule, from->rules, from->n_rules) {
                remove_rules(into, NULL, rule->prefix);
                if (!GREEDY_GROW(into->rules, into->n_rules))
                        return error_oom(e);
                into->rules[into->n_rules++] = *rule;
                *rule = (RegistryRule){};
        }
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The merged configuration as `rkt config` prints it: rkt's document, in an order that does not change. */
#include "basic/str.h"
#include "basic/strv.h"
#include "config/config.h"

static void member(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        json_write_string(w, str_or(value, ""));
}

static void begin(JsonWriter *w, const char *kind, const char *list, const char *item) {
        json_write_begin_object(w);
        member(w, "rktVersion", "v1");
        member(w, "rktKind", kind);
        if (!list)
                return;
        json_write_key(w, list);
        json_write_begin_array(w);
        json_write_string(w, item);
        json_write_end_array(w);
}

static void write_auth(JsonWriter *w, const ConfigAuth *a) {
        begin(w, "auth", "domains", a->domain);
        member(w, "type", auth_type_to_string(a->type));
        json_write_key(w, "credentials");
        json_write_begin_object(w);
        if (a->type == AUTH_BASIC) {
                member(w, "user", a->user);
                member(w, "password", a->password);
        } else if (a->type == AUTH_OAUTH)
                member(w, "token", a->token);
        else {
                member(w, "accessKeyID", a->access_key_id);
                member(w, "secretAccessKey", a->secret_access_key);
                member(w, "awsRegion", a->aws_region);
        }
        json_write_end_object(w);
        json_write_end_object(w);
}

static void write_registry(JsonWriter *w, const ConfigRegistry *r) {
        begin(w, "dockerAuth", "registries", r->registry);
        json_write_key(w, "credentials");
        json_write_begin_object(w);
        member(w, "user", r->user);
        member(w, "password", r->password);
        json_write_end_object(w);
        json_write_end_object(w);
}

/* Which rkt does not have: printed only where it is used. */
static void write_proxy(JsonWriter *w, const Config *c) {
        begin(w, "proxy", NULL, NULL);
        member(w, "http", c->proxy_http);
        member(w, "https", c->proxy_https);
        json_write_key(w, "noProxy");
        json_write_begin_array(w);
        for (const char *p = str_or(c->no_proxy, ""); *p;) {
                size_t n = strcspn(p, ",");
                char host[CONFIG_SECRET_MAX + 1];

                memcpy(host, p, n);
                host[n] = '\0';
                json_write_string(w, host);
                p += n + (p[n] == ',');
        }
        json_write_end_array(w);
        json_write_end_object(w);
}

static void strings(JsonWriter *w, const char *key, char **values) {
        json_write_key(w, key);
        json_write_begin_array(w);
        STRV_FOREACH (v, values)
                json_write_string(w, *v);
        json_write_end_array(w);
}

/* One section of registries.d, with the defaults filled in. */
static void write_rule(JsonWriter *w, const RegistryRule *r) {
        begin(w, "registry", NULL, NULL);
        member(w, "prefix", r->prefix);
        member(w, "location", str_or(r->location, r->prefix));
        strings(w, "mirrors", r->mirrors);
        member(w, "insecure", r->allow_http ? "http" : r->insecure_tls ? "tls" : "no");
        json_write_key(w, "blocked");
        json_write_boolean(w, r->is_blocked);
        member(w, "pullFromMirror", registry_pull_to_string(r->pull));
        member(w, "certificateAuthority", r->ca);
        member(w, "certificate", r->certificate);
        member(w, "key", r->key);
        member(w, "tokenHost", r->token_host);
        member(w, "file", r->file);
        json_write_end_object(w);
}

/**
 * config_write_json() - write {"stage0": [...]}, one element per domain, registry, paths, stage1, rule of registries.d
 * @c: configuration
 * @w: writer
 */
void config_write_json(const Config *c, JsonWriter *w) {
        json_write_begin_object(w);
        json_write_key(w, "stage0");
        json_write_begin_array(w);
        FOREACH_ARRAY (a, c->auths, c->n_auths)
                write_auth(w, a);
        FOREACH_ARRAY (r, c->registries, c->n_registries)
                write_registry(w, r);
        begin(w, "paths", NULL, NULL);
        member(w, "data", c->data_dir);
        member(w, "stage1-images", c->stage1_images_dir);
        json_write_end_object(w);
        begin(w, "stage1", NULL, NULL);
        member(w, "name", c->stage1_name);
        member(w, "version", c->stage1_version);
        member(w, "location", c->stage1_location);
        json_write_end_object(w);
        if (c->proxy_http || c->proxy_https || c->no_proxy)
                write_proxy(w, c);
        FOREACH_ARRAY (r, c->rules, c->n_rules)
                write_rule(w, r);
        json_write_end_array(w);
        json_write_end_object(w);
}

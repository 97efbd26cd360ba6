/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A .conf is handed to its plugin byte for byte, as long as nothing has to be added. */
#include "run/cni-conf.h"

#include <string.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"

#define VERSION_ABSENT "0.1.0"
#define VERSION_DEL    "0.4.0" /* the first in which DEL gets prevResult */
#define VERSION_NEWEST "1.1.0"

/**
 * cni_conf_free() - free a configuration
 * @c: may be NULL
 *
 * Return: NULL.
 */
CniConf *cni_conf_free(CniConf *c) {
        if (!c)
                return NULL;
        free(c->text);
        free(c->name);
        free(c->version);
        (void) json_free(c->doc);
        free(c);
        return NULL;
}

/**
 * cni_name_is_valid() - may a network be called so?
 * @s: name
 *
 * Return: true for letters, digits, "_", "." and "-", that start with a letter or digit.
 */
bool cni_name_is_valid(const char *s) {
        size_t n = strlen(s);

        return n > 0 && n <= CNI_NAME_MAX && *s != '-' && *s != '.' && *s != '_' &&
               str_in_set(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
}

static unsigned next_number(const char **s) {
        unsigned n = 0;

        for (; **s >= '0' && **s <= '9'; (*s)++)
                n = n < 100000 ? n * 10 + (unsigned) (**s - '0') : n;
        if (**s == '.')
                (*s)++;
        return n;
}

/**
 * cni_version_compare() - which of two versions is newer
 * @a: "0.3.1"
 * @b: the same
 *
 * Return: negative, 0, positive, as strcmp().
 */
int cni_version_compare(const char *a, const char *b) {
        for (int i = 0; i < 3; i++) {
                unsigned x = next_number(&a), y = next_number(&b);

                if (x != y)
                        return x < y ? -1 : 1;
        }
        return 0;
}

static const char *string_member(const JsonValue *o, const char *key) {
        const JsonValue *v = json_get(o, key);

        return v && json_type(v) == JSON_STRING ? json_text(v) : NULL;
}

/* "cniVersions" (1.1) says more than one; the newest that we know is taken. */
static const char *choose_version(const JsonValue *doc) {
        const char *best = string_member(doc, "cniVersion");
        const JsonValue *all = json_get(doc, "cniVersions");

        if (all && json_type(all) == JSON_ARRAY)
                JSON_FOREACH (v, all)
                        if (json_type(v) == JSON_STRING &&
                            cni_version_compare(json_text(v), VERSION_NEWEST) <= 0 &&
                            (!best || cni_version_compare(json_text(v), best) > 0))
                                best = json_text(v);
        return best && *best ? best : VERSION_ABSENT;
}

static bool is_type(const char *type) {
        return !strchr(type, '/') && *type != '.' && strlen(type) <= 128;
}

static int check_plugin(const JsonValue *p, Error *e) {
        const char *type;
        int r = json_expect(p, JSON_OBJECT, e);

        if (r < 0)
                return r;
        type = string_member(p, "type");
        if (!type || !*type)
                return error_setf(e, -EINVAL, "a plugin has no \"type\"");
        if (!is_type(type))
                return error_setf(e, -EINVAL, "type '%.60s' is not the name of a plugin", type);
        return 0;
}

static int check(CniConf *c, Error *e) {
        const JsonValue *plugins = json_get(c->doc, "plugins");
        int r = 0;

        if (!cni_name_is_valid(c->name))
                return error_setf(e, -EINVAL,
                                  "'%.80s' is not the name of a network (letters, digits, '-', '_', '.')",
                                  c->name);
        if (!c->is_list)
                return check_plugin(c->doc, e);
        if (json_type(plugins) != JSON_ARRAY || json_length(plugins) == 0 ||
            json_length(plugins) > CNI_PLUGINS_MAX)
                return error_setf(e, -EINVAL, "\"plugins\" is not a list of 1 to %u plugins",
                                  CNI_PLUGINS_MAX);
        JSON_FOREACH (p, plugins)
                if (r >= 0)
                        r = check_plugin(p, e);
        return r;
}

/**
 * cni_conf_parse() - a configuration from the text of its file
 * @data: JSON: a list if it has "plugins"
 * @size: bytes
 * @ret:  for cni_conf_free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, what json_parse() returns, -ENOMEM.
 */
int cni_conf_parse(const char *data, size_t size, CniConf **ret, Error *e) {
        _cleanup_(cni_conf_freep) CniConf *c = NULL;
        int r;

        if (size > CNI_CONF_MAX)
                return error_setf(e, -EFBIG, "larger than %u bytes", CNI_CONF_MAX);
        c = new0(CniConf, 1);
        if (!c)
                return error_oom(e);
        r = json_parse(data, size, &c->doc, e);
        if (r >= 0)
                r = json_expect(c->doc, JSON_OBJECT, e);
        if (r < 0)
                return r;
        c->is_list = json_get(c->doc, "plugins") != NULL;
        c->text = strndup(data, size);
        c->name = strdup(str_or(string_member(c->doc, "name"), ""));
        c->version = strdup(choose_version(c->doc));
        if (!c->text || !c->name || !c->version)
                return error_oom(e);
        r = check(c, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/**
 * cni_conf_n_plugins() - how many plugins are called
 * @c: configuration
 *
 * Return: at least 1.
 */
size_t cni_conf_n_plugins(const CniConf *c) {
        return c->is_list ? json_length(json_get(c->doc, "plugins")) : 1;
}

static const JsonValue *plugin(const CniConf *c, size_t i) {
        return c->is_list ? json_item(json_get(c->doc, "plugins"), i) : c->doc;
}

/**
 * cni_conf_type() - the program of a plugin
 * @c: configuration
 * @i: which
 *
 * Return: name without folder, owned by @c.
 */
const char *cni_conf_type(const CniConf *c, size_t i) {
        return string_member(plugin(c, i), "type");
}

/**
 * cni_conf_ipam() - the program that gives a plugin its addresses
 * @c: configuration
 * @i: which plugin
 *
 * Return: name without folder, owned by @c; NULL: it calls none.
 */
const char *cni_conf_ipam(const CniConf *c, size_t i) {
        const JsonValue *ipam = json_get(plugin(c, i), "ipam");
        const char *type = ipam && json_type(ipam) == JSON_OBJECT ? string_member(ipam, "type") : NULL;

        return type && *type && is_type(type) ? type : NULL;
}

static bool is_true(const JsonValue *o, const char *key) {
        const JsonValue *v = o && json_type(o) == JSON_OBJECT ? json_get(o, key) : NULL;

        return v && json_type(v) == JSON_BOOLEAN && json_boolean(v);
}

/**
 * cni_conf_has_capability() - does some plugin declare it?
 * @c:          configuration
 * @capability: "portMappings", "ips", "mac"
 *
 * Return: true if so.
 */
bool cni_conf_has_capability(const CniConf *c, const char *capability) {
        for (size_t i = 0; i < cni_conf_n_plugins(c); i++)
                if (is_true(json_get(plugin(c, i), "capabilities"), capability))
                        return true;
        return false;
}

/**
 * cni_conf_masquerades() - does some plugin hide the pod behind the host's address?
 * @c: configuration
 *
 * Return: true if so.
 */
bool cni_conf_masquerades(const CniConf *c) {
        for (size_t i = 0; i < cni_conf_n_plugins(c); i++)
                if (is_true(plugin(c, i), "ipMasq"))
                        return true;
        return false;
}

/**
 * cni_conf_can_check() - may plugins be asked whether the network is as they made it?
 * @c: configuration
 *
 * Return: false if the list says "disableCheck", as a word or as a boolean.
 */
bool cni_conf_can_check(const CniConf *c) {
        return !c->is_list || (!is_true(c->doc, "disableCheck") &&
                               !streq_ptr(string_member(c->doc, "disableCheck"), "true"));
}

/* Of runtimeConfig, what the plugin declares. */
static size_t count_runtime(const JsonValue *p, const JsonValue *runtime) {
        size_t n = 0;

        if (runtime)
                JSON_FOREACH (v, runtime)
                        n += is_true(json_get(p, "capabilities"), json_key(v));
        return n;
}

static void write_runtime(JsonWriter *w, const JsonValue *p, const JsonValue *runtime) {
        json_write_key(w, "runtimeConfig");
        json_write_begin_object(w);
        JSON_FOREACH (v, runtime)
                if (is_true(json_get(p, "capabilities"), json_key(v))) {
                        json_write_key(w, json_key(v));
                        json_write_value(w, v);
                }
        json_write_end_object(w);
}

static void write_member(JsonWriter *w, const char *key, const char *value) {
        json_write_key(w, key);
        json_write_string(w, value);
}

/* What we write ourselves. */
static bool is_ours(const char *key) {
        return streq(key, "name") || streq(key, "cniVersion") || streq(key, "cniVersions") ||
               streq(key, "capabilities") || streq(key, "prevResult") || streq(key, "runtimeConfig");
}

static void write_request(JsonWriter *w, const CniConf *c, const JsonValue *p, const char *version,
                          const CniRequest *q, const JsonValue *result) {
        json_write_begin_object(w);
        write_member(w, "cniVersion", version);
        write_member(w, "name", c->name);
        JSON_FOREACH (v, p)
                if (!is_ours(json_key(v))) {
                        json_write_key(w, json_key(v));
                        json_write_value(w, v);
                }
        if (count_runtime(p, q->runtime) > 0)
                write_runtime(w, p, q->runtime);
        if (result) {
                json_write_key(w, "prevResult");
                json_write_value(w, result);
        }
        json_write_end_object(w);
}

/**
 * cni_conf_request() - what a plugin reads on stdin
 * @c:   configuration
 * @i:   which plugin
 * @q:   what is added
 * @ret: JSON, to free()
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM, what json_parse() says of the result.
 */
int cni_conf_request(const CniConf *c, size_t i, const CniRequest *q, char **ret, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_(json_freep) JsonValue *result = NULL;
        const char *version = str_or(q->version, c->version), *text = q->result;
        const JsonValue *p = plugin(c, i);
        int r;

        if (text && q->is_del && cni_version_compare(version, VERSION_DEL) < 0)
                text = NULL;
        if (!c->is_list && !text && count_runtime(p, q->runtime) == 0 && streq(version, c->version)) {
                *ret = strdup(c->text);
                return *ret ? 0 : error_oom(e);
        }
        r = text ? json_parse(text, strlen(text), &result, e) : 0;
        if (r < 0)
                return error_prefixf(e, r, "result of the plugin before");
        write_request(&w, c, p, version, q, result);
        return json_writer_steal(&w, ret) < 0 ? error_oom(e) : 0;
}

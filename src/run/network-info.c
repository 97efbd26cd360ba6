/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-info.json of a pod, in rkt's form (rkt 3.2): what lists show, also after the pod's end. "ip6" and "method" are ours. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "run/net-address.h"
#include "run/network-internal.h"

#define INFO_FILE "net-info.json"
#define INFO_MAX  (256U * 1024) /* bytes */

static void info_done(void *p) {
        NetworkInfo *i = p;

        free(i->name);
        free(i->if_name);
        free(i->ip);
        free(i->ip6);
        free(i->mask);
        free(i->args);
        free(i->conf_path);
        free(i->plugin_path);
        free(i->method);
}

static const JsonField info_fields[] = {
        JSON_ROW("netName", json_kind_string, NetworkInfo, name, JSON_ALWAYS),
        JSON_ROW("netConf", json_kind_string, NetworkInfo, conf_path, JSON_ALWAYS),
        JSON_ROW("pluginPath", json_kind_string, NetworkInfo, plugin_path, JSON_ALWAYS),
        JSON_ROW("ifName", json_kind_string, NetworkInfo, if_name, JSON_ALWAYS),
        JSON_ROW("ip", json_kind_string, NetworkInfo, ip, JSON_ALWAYS),
        JSON_ROW("args", json_kind_string, NetworkInfo, args, JSON_ALWAYS),
        JSON_ROW("mask", json_kind_string, NetworkInfo, mask, JSON_ALWAYS),
        JSON_ROW("ip6", json_kind_string, NetworkInfo, ip6, 0),
        JSON_ROW("method", json_kind_string, NetworkInfo, method, 0),
        {},
};

static const JsonStruct info_type = {
        .size = sizeof(NetworkInfo),
        .fields = info_fields,
        .flags = JSON_OPEN,
        .done = info_done,
};

/**
 * network_infos_done() - free all
 * @x: empty afterwards
 */
void network_infos_done(NetworkInfos *x) {
        json_list_free(&info_type, x->items, x->n);
        *x = NETWORK_INFOS_INIT;
}

static int set_address(const NetAttachment *a, int family, char **ret, char **ret_mask) {
        STRV_FOREACH (s, a->addresses) {
                NetAddress address, mask = { .family = family };
                char text[NET_ADDRESS_MAX];

                if (net_address_parse(*s, &address) < 0 || address.family != family)
                        continue;
                net_address_to_string(&address, false, text);
                *ret = strdup(text);
                if (!*ret)
                        return -ENOMEM;
                if (!ret_mask)
                        return 0;
                memset(mask.bytes, 0xff, sizeof(mask.bytes));
                mask.size = address.size;
                mask.length = address.length;
                mask = net_address_network(&mask);
                net_address_to_string(&mask, false, text);
                *ret_mask = strdup(text);
                return *ret_mask ? 0 : -ENOMEM;
        }
        return 0;
}

static int from_attachment(const NetAttachment *a, NetworkInfo *ret) {
        int r = set_address(a, AF_INET, &ret->ip, &ret->mask);

        if (r >= 0)
                r = set_address(a, AF_INET6, &ret->ip6, NULL);
        if (r >= 0)
                r = str_replace(&ret->name, a->name);
        if (r >= 0)
                r = str_replace(&ret->if_name, a->if_name);
        if (r >= 0)
                r = str_replace(&ret->args, str_or(a->args, ""));
        if (r >= 0)
                r = str_replace(&ret->conf_path, str_or(a->conf_path, ""));
        if (r >= 0)
                r = str_replace(&ret->plugin_path, str_or(a->plugin_path, ""));
        return r < 0 ? r : str_replace(&ret->method, a->method);
}

/**
 * network_info_write() - keep what networks a pod has
 * @p: pod
 * @s: its networks
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, errors of writing.
 */
int network_info_write(Pod *p, const NetState *s, Error *e) {
        _cleanup_json_write_ JsonWriter w = { .flags = JSON_WRITE_PRETTY };
        _cleanup_network_infos_ NetworkInfos infos = NETWORK_INFOS_INIT;
        _cleanup_free_ char *text = NULL;
        int r = 0;

        infos.items = new0(NetworkInfo, s->n_networks);
        if (!infos.items)
                return error_oom(e);
        for (; infos.n < s->n_networks && r >= 0; infos.n++)
                r = from_attachment(&s->networks[infos.n], &infos.items[infos.n]);
        network_infos_write_json(&infos, &w);
        if (r < 0 || json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        r = file_write_at(pod_fd(p), INFO_FILE, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write " INFO_FILE ": %s", strerror(-r)) : 0;
}

static int map_all(const JsonValue *doc, NetworkInfos *ret, Error *e) {
        int r = json_expect(doc, JSON_ARRAY, e);

        if (r >= 0)
                JSON_FOREACH (v, doc) {
                        if (!GREEDY_GROW(ret->items, ret->n))
                                return error_oom(e);
                        r = json_map_struct(v, &info_type, &ret->items[ret->n++], e);
                        if (r < 0)
                                return r;
                }
        return r;
}

/**
 * network_info_read() - which networks a pod has, or had
 * @p:   pod, opened or of a list
 * @ret: for network_infos_done(); empty for none
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, also when the pod has none; errors of reading, what json_map_struct() returns.
 */
int network_info_read(Pod *p, NetworkInfos *ret, Error *e) {
        _cleanup_network_infos_ NetworkInfos infos = NETWORK_INFOS_INIT;
        _cleanup_(json_freep) JsonValue *doc = NULL;
        _cleanup_free_ char *path = NULL, *text = NULL;
        size_t size;
        int r = pod_path(p, INFO_FILE, &path);

        if (r < 0)
                return error_oom(e);
        r = file_read_at(AT_FDCWD, path, INFO_MAX, &text, &size);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot read %s: %s", path, strerror(-r));
        r = json_parse(text, size, &doc, e);
        if (r >= 0)
                r = map_all(doc, &infos, e);
        if (r < 0)
                return error_prefixf(e, r, "%s", path);
        *ret = infos;
        infos = NETWORK_INFOS_INIT;
        return 0;
}

/**
 * network_infos_write_json() - all of them as rkt's array
 * @x: networks
 * @w: the array is added here
 */
void network_infos_write_json(const NetworkInfos *x, JsonWriter *w) {
        json_write_begin_array(w);
        FOREACH_ARRAY (i, x->items, x->n)
                json_write_struct(w, &info_type, i);
        json_write_end_array(w);
}

static void add_item(StrBuf *b, const char *name, const char *kind, const char *ip) {
        strbuf_addf(b, "%s%s%s%s", b->size > 0 ? ", " : "", name, kind, ip);
}

/**
 * network_infos_to_string() - all of them as rkt's lists show them
 * @x:   networks
 * @ret: "default:ip4=172.16.28.2, default:ip6=fd00::2, web:ip4=10.0.0.2", to free()
 *
 * Return: 0, -ENOMEM.
 */
int network_infos_to_string(const NetworkInfos *x, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (i, x->items, x->n) {
                const char *four = str_or(i->ip, ""), *six = str_or(i->ip6, "");

                if (*four || !*six)
                        add_item(&b, i->name, *four ? ":ip4=" : "", four);
                if (*six)
                        add_item(&b, i->name, ":ip6=", six);
        }
        strbuf_add(&b, "");
        return strbuf_steal(&b, ret);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Only what we need is looked at, and checked: the rest of a result is handed to the next plugin as it is. */
#include "run/cni-result.h"

#include <string.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "run/net-address.h"

#define TEXT_MAX 1024U /* bytes of a message for people */

/**
 * cni_clean_text() - what a plugin printed, for people
 * @s: text
 * @n: bytes
 *
 * Return: one line without control characters, of a bounded length, to free(); NULL: out of memory.
 */
char *cni_clean_text(const char *s, size_t n) {
        char *text;

        while (n > 0 && (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r')) {
                s++;
                n--;
        }
        while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\n' || s[n - 1] == '\t' || s[n - 1] == '\r'))
                n--;
        text = strndup(s, MIN(n, (size_t) TEXT_MAX));
        for (char *p = text; p && *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        *p = ' ';
        if (text && !str_is_utf8(text, strlen(text)))
                for (char *p = text; *p; p++)
                        if ((unsigned char) *p >= 0x80)
                                *p = '?';
        return text;
}

static const JsonValue *get(const JsonValue *o, const char *key, JsonType type) {
        const JsonValue *v = o && json_type(o) == JSON_OBJECT ? json_get(o, key) : NULL;

        return v && json_type(v) == type ? v : NULL;
}

static const char *get_text(const JsonValue *o, const char *key) {
        const JsonValue *v = get(o, key, JSON_STRING);

        return v ? json_text(v) : NULL;
}

static int add_address(char ***list, const char *text, bool with_prefix, Error *e) {
        char canonical[NET_ADDRESS_MAX];
        NetAddress a;

        if (net_address_parse(text, &a) < 0)
                return error_setf(e, -EBADMSG, "'%.60s' in the result is no address", text);
        if (strv_length(*list) >= CNI_LIST_MAX)
                return error_setf(e, -E2BIG, "the result has more than %u addresses", CNI_LIST_MAX);
        net_address_to_string(&a, with_prefix, canonical);
        return strv_extend(list, canonical) < 0 ? error_oom(e) : 0;
}

static int add_ip(NetAttachment *a, const char *address, const char *gateway, Error *e) {
        int r;

        if (!address)
                return error_setf(e, -EBADMSG, "an address in the result is missing");
        r = add_address(&a->addresses, address, true, e);
        return r < 0 || !gateway || !*gateway ? r : add_address(&a->gateways, gateway, false, e);
}

static bool is_interface_name(const char *s) {
        return *s && strlen(s) < 16 && !strpbrk(s, "/ \t\n\"\\:") && !streq(s, ".") && !streq(s, "..") &&
               str_is_utf8(s, strlen(s));
}

/* Those without a sandbox are the host's. */
static int read_interfaces(const JsonValue *doc, NetAttachment *a, Error *e) {
        const JsonValue *list = get(doc, "interfaces", JSON_ARRAY);

        if (list)
                JSON_FOREACH (v, list) {
                        const char *sandbox = get_text(v, "sandbox"), *name = get_text(v, "name");

                        if ((sandbox && *sandbox) || !name)
                                continue;
                        if (!is_interface_name(name))
                                return error_setf(e, -EBADMSG, "'%.40s' in the result is no interface", name);
                        if (strv_length(a->host_ifs) >= CNI_LIST_MAX)
                                return error_setf(e, -E2BIG, "the result has too many interfaces");
                        if (strv_extend(&a->host_ifs, name) < 0)
                                return error_oom(e);
                }
        return 0;
}

/* "ips" of 0.3.0 and later; "ip4" and "ip6" before. An address may be one of the host's interfaces: then it is not the pod's. */
static int read_ips(const JsonValue *doc, NetAttachment *a, Error *e) {
        const JsonValue *list = get(doc, "ips", JSON_ARRAY), *interfaces = get(doc, "interfaces", JSON_ARRAY);
        const char *const old[] = { "ip4", "ip6" };
        int r = 0;

        if (list)
                JSON_FOREACH (v, list) {
                        const JsonValue *index = get(v, "interface", JSON_INTEGER);
                        const char *sandbox = "pod";
                        uint64_t i;

                        if (index && interfaces && json_unsigned(index, &i) >= 0) {
                                if (i >= json_length(interfaces))
                                        return error_setf(
                                                e, -EBADMSG,
                                                "an address in the result is of interface %llu, which "
                                                "is not there",
                                                (unsigned long long) i);
                                sandbox = get_text(json_item(interfaces, i), "sandbox");
                        }
                        if (r >= 0 && sandbox && *sandbox)
                                r = add_ip(a, get_text(v, "address"), get_text(v, "gateway"), e);
                }
        FOREACH_ARRAY (key, old, ELEMENTSOF(old)) {
                const JsonValue *v = get(doc, *key, JSON_OBJECT);

                if (r >= 0 && v)
                        r = add_ip(a, get_text(v, "ip"), get_text(v, "gateway"), e);
        }
        return r;
}

static bool is_word(const char *s) {
        for (const char *p = s; *p; p++)
                if ((unsigned char) *p <= ' ' || *p == 0x7f)
                        return false;
        return *s && strlen(s) < 256;
}

static int read_words(const JsonValue *dns, const char *key, char ***list, Error *e) {
        const JsonValue *words = get(dns, key, JSON_ARRAY);

        if (words)
                JSON_FOREACH (v, words) {
                        if (json_type(v) != JSON_STRING || !is_word(json_text(v)) ||
                            strv_length(*list) >= CNI_LIST_MAX)
                                return error_setf(e, -EBADMSG, "\"dns\" of the result has a bad \"%s\"", key);
                        if (strv_extend(list, json_text(v)) < 0)
                                return error_oom(e);
                }
        return 0;
}

static int read_dns(const JsonValue *doc, NetAttachment *a, Error *e) {
        const JsonValue *dns = get(doc, "dns", JSON_OBJECT);
        const char *domain = get_text(dns, "domain");
        int r = read_words(dns, "nameservers", &a->nameservers, e);

        STRV_FOREACH (s, a->nameservers) {
                NetAddress address;

                if (r >= 0 && net_address_parse(*s, &address) < 0)
                        r = error_setf(e, -EBADMSG, "nameserver '%.60s' of the result is no address", *s);
        }
        if (r >= 0)
                r = read_words(dns, "search", &a->search, e);
        if (r >= 0)
                r = read_words(dns, "options", &a->options, e);
        if (r >= 0 && domain && *domain) {
                if (!is_word(domain))
                        return error_setf(e, -EBADMSG, "\"dns\" of the result has a bad \"domain\"");
                r = str_replace(&a->domain, domain) < 0 ? error_oom(e) : 0;
        }
        return r;
}

/**
 * cni_result_parse() - what the last plugin answered
 * @data: JSON; nothing at all is an empty result
 * @size: bytes
 * @a:    its addresses, gateways, host's interfaces and DNS are added
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; -EBADMSG, -E2BIG: no result; what json_parse() returns; -ENOMEM.
 */
int cni_result_parse(const char *data, size_t size, NetAttachment *a, Error *e) {
        _cleanup_(json_freep) JsonValue *doc = NULL;
        int r;

        if (size == 0)
                return 0;
        if (size > CNI_OUTPUT_MAX)
                return error_setf(e, -EFBIG, "larger than %u bytes", CNI_OUTPUT_MAX);
        r = json_parse(data, size, &doc, e);
        if (r >= 0)
                r = json_expect(doc, JSON_OBJECT, e);
        if (r >= 0)
                r = read_interfaces(doc, a, e);
        if (r >= 0)
                r = read_ips(doc, a, e);
        return r < 0 ? r : read_dns(doc, a, e);
}

/**
 * cni_error_done() - free the message
 * @x: error
 */
void cni_error_done(CniError *x) {
        free(x->message);
        *x = (CniError){};
}

/**
 * cni_error_parse() - an answer that is an error
 * @data: JSON
 * @size: bytes
 * @ret:  for cni_error_done()
 *
 * Return: 0; -EBADMSG: it is none; -ENOMEM.
 */
int cni_error_parse(const char *data, size_t size, CniError *ret) {
        _cleanup_(json_freep) JsonValue *doc = NULL;
        _cleanup_free_ char *text = NULL;
        const char *message, *details;
        CniError x = {};

        if (size > CNI_OUTPUT_MAX || json_parse(data, size, &doc, NULL) < 0)
                return -EBADMSG;
        message = get_text(doc, "msg");
        details = get_text(doc, "details");
        if (!message || !get(doc, "code", JSON_INTEGER) || json_integer(json_get(doc, "code"), &x.code) < 0)
                return -EBADMSG;
        text = details && *details ? strf("%s: %s", message, details) : strdup(message);
        x.message = text ? cni_clean_text(text, strlen(text)) : NULL;
        if (!x.message)
                return -ENOMEM;
        *ret = x;
        return 0;
}

/**
 * cni_versions_parse() - what a plugin says to VERSION
 * @data: JSON
 * @size: bytes
 * @ret:  versions, for strv_free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EBADMSG, what json_parse() returns, -ENOMEM.
 */
int cni_versions_parse(const char *data, size_t size, char ***ret, Error *e) {
        _cleanup_(json_freep) JsonValue *doc = NULL;
        _cleanup_strv_free_ char **list = NULL;
        int r = size > CNI_OUTPUT_MAX ? -EFBIG : json_parse(data, size, &doc, e);

        if (r >= 0)
                r = json_expect(doc, JSON_OBJECT, e);
        if (r >= 0)
                r = read_words(doc, "supportedVersions", &list, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(list);
        return 0;
}

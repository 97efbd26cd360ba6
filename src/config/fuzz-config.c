/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first byte says which folder; the rest is a file: taken or refused. What was taken gives header lines without line
 * ends, endpoints of an image, and is printed as a document that can be read again. */
#include <stdlib.h>
#include <string.h>

#include "basic/json.h"
#include "basic/strv.h"
#include "config/auth.h"
#include "config/registries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const ConfigAuth *a) {
        const AuthRequest q = {
                .method = "GET", .https = true, .host = "example.com", .target = "/a%20b?c&a=/"
        };
        _cleanup_strv_free_ char **lines = NULL;

        if (auth_headers(a, &q, &lines, NULL) < 0)
                return;
        STRV_FOREACH (l, lines)
                for (const char *p = *l; *p; p++)
                        if (*p < ' ' || *p > '~')
                                abort();
}

/* Every rule is used once: an endpoint has a host and a repository of its own. */
static void check_rule(const Config *c, const RegistryRule *rule) {
        static char *no_dirs[] = { NULL };
        _cleanup_free_ char *host = strndup(rule->prefix, strcspn(rule->prefix, "/"));
        const RegistriesQuery q = { host, "a/b", false, no_dirs };
        RegistriesEndpoint *list;
        size_t n;

        if (!host || registries_endpoints(c, &q, &list, &n, NULL) < 0)
                return;
        FOREACH_ARRAY (p, list, n)
                if (!*p->host || !*p->repository || strchr(p->host, '/') || !strstr(p->base, "://"))
                        abort();
        registries_endpoints_free(list, n);
}

/* The folder of a byte: 'R' is registries.d. */
static int parse(Config *c, const uint8_t *data, size_t size, Error *e) {
        static const ConfigPart folders[] = { CONFIG_AUTH, CONFIG_PATHS, CONFIG_STAGE1, CONFIG_PROXY };
        const char *text = (const char *) data + 1;

        return *data == 'R' ? registries_parse(c, "x.conf", text, size - 1, e)
                            : config_parse(c, folders[*data % ELEMENTSOF(folders)], text, size - 1, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_(config_freep) Config *c = new0(Config, 1);
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL;

        if (!c || size == 0)
                return 0;
        if (parse(c, data, size, &e) < 0) {
                if (!e.message)
                        abort();
                return 0;
        }
        FOREACH_ARRAY (a, c->auths, c->n_auths)
                check_lines(a);
        FOREACH_ARRAY (rule, c->rules, c->n_rules)
                check_rule(c, rule);
        config_write_json(c, &w);
        if (json_writer_steal(&w, &text) >= 0 && strlen(text) <= JSON_SIZE_MAX &&
            json_parse(text, strlen(text), &v, &e) < 0)
                abort();
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first byte says which folder; the rest is a file: taken or refused. What was taken gives header lines without line
 * ends, and is printed as a document that can be read again. */
#include <stdlib.h>
#include <string.h>

#include "basic/json.h"
#include "basic/strv.h"
#include "config/auth.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const ConfigPart folders[] = { CONFIG_AUTH, CONFIG_PATHS, CONFIG_STAGE1, CONFIG_PROXY };
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_(config_freep) Config *c = new0(Config, 1);
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL;

        if (!c || size == 0)
                return 0;
        if (config_parse(c, folders[data[0] % ELEMENTSOF(folders)], (const char *) data + 1, size - 1, &e) <
            0) {
                if (!e.message)
                        abort();
                return 0;
        }
        FOREACH_ARRAY (a, c->auths, c->n_auths)
                check_lines(a);
        config_write_json(c, &w);
        if (json_writer_steal(&w, &text) >= 0 && strlen(text) <= JSON_SIZE_MAX &&
            json_parse(text, strlen(text), &v, &e) < 0)
                abort();
        return 0;
}

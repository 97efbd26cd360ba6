/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first byte says what the rest is: auth.json, .dockercfg, or what a helper printed. Credentials that come out of it
 * can be sent, and a sentence cites nothing of what a helper printed. (Of a file it names keys, which anything may be.) */
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "config/docker-auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int r, const DockerCredentials *c, const Error *e) {
        if (r < 0 && !e->message)
                abort();
        if (r <= 0 && (c->username || c->password || c->identity_token))
                abort();
        if (!c->username != !c->password)
                abort();
        for (const char *p = str_or(c->identity_token, ""); *p; p++)
                if (*p <= ' ' || *p > '~')
                        abort();
        if (c->username && strchr(c->username, ':'))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const places[] = { "docker.io/library/redis", "quay.io:443/a/b/c" };
        const char *text = (const char *) data + 1;

        if (size == 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_(docker_auth_answer_done) DockerAuthAnswer a = {};
                _cleanup_(docker_credentials_done) DockerCredentials c = {};
                _cleanup_error_ Error e = ERROR_INIT;
                int r = *data == 'h' ? docker_helper_parse(text, size - 1, &c, &e)
                                     : docker_auth_parse(text, size - 1, *data == 'l', places[i], &a, &e);

                check(r, *data == 'h' ? &c : &a.credentials, &e);
                if (r > 0 && *data != 'h' &&
                    !a.helper == !(a.credentials.username || a.credentials.identity_token))
                        abort();
                if (*data == 'h' && e.message && strstr(e.message, "s3cr"))
                        abort();
        }
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On the host, credential ID of app APP is called APP.ID, so that two apps may have different ones of one name; what is called
 * so there is given to that app, whoever loaded it. An encrypted one says itself what it is called, and ImportCredential=
 * takes what there is: these keep their names, and the pod manifest says whose they are. Values are never looked at here. */
#include "podfile/pod-credential.h"

#include <stdlib.h>
#include <string.h>

#include "basic/path.h"
#include "podfile/pod-loader.h"

#define IMPORT    "ImportCredential"
#define ENCRYPTED "LoadCredentialEncrypted"

/* Does it keep its name? */
static bool is_raw(const UnitSetting *s) {
        return streq(s->key, IMPORT) || streq(s->key, ENCRYPTED);
}

/**
 * pod_credential_id() - the name that a credential has on the host, if that is not APP.ID
 * @setting: of AppSpec.credentials
 *
 * Return: a name, or a beginning and "*"; to free(); NULL: it is APP.ID, or out of memory.
 */
char *pod_credential_id(const UnitSetting *setting) {
        return is_raw(setting) ? strndup(setting->value, strcspn(setting->value, ":")) : NULL;
}

static const char *wrong_value(const char *key, const char *value) {
        size_t n = strcspn(value, ":"), id = n;
        const char *path = value[n] ? value + n + 1 : NULL;

        if (streq(key, IMPORT) && n > 0 && value[n - 1] == '*')
                id = n - 1;
        if (!(streq(key, IMPORT) && n == 1 && id == 0) && !credential_id_is_valid(value, id))
                return "not a name of a credential (letters, digits, '.', '_' and '-')";
        if (streq(key, IMPORT))
                return path ? "a name has no colon (NAME, or NAME*)" : NULL;
        if (streq(key, CREDENTIAL_SET))
                return path ? NULL : "not a name and a value (NAME:VALUE)";
        if (path && *path == '/')
                return path_is_normalized(path) ? NULL : "the path is not a normalized one (NAME:/path)";
        return !path || credential_id_is_valid(path, strlen(path))
                       ? NULL
                       : "not a name and a path (NAME, or NAME:/path)";
}

/* Two that keep one name must be the same. */
static bool is_taken(const PodSpec *spec, const UnitSetting *s) {
        size_t n = strcspn(s->value, ":");

        FOREACH_ARRAY (a, spec->apps, spec->n_apps)
                FOREACH_ARRAY (o, a->credentials.items, a->credentials.n)
                        if (streq(o->key, ENCRYPTED) && strcspn(o->value, ":") == n &&
                            strncmp(o->value, s->value, n) == 0 && !streq(o->value, s->value))
                                return true;
        return false;
}

/**
 * set_credential() - LoadCredential=, LoadCredentialEncrypted=, SetCredential=, ImportCredential=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_credential(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        UnitSettings *all = &((AppSpec *) target)->credentials;
        const size_t before = all->n;
        const UnitSetting *s;
        const char *wrong;
        int r = loader_app_setting(l, part, line, all);

        if (r < 0 || all->n == before)
                return r;
        s = &all->items[all->n - 1];
        wrong = wrong_value(s->key, s->value);
        if (!wrong && streq(s->key, ENCRYPTED) && is_taken(l->spec, s))
                wrong = "another encrypted credential of this pod has this name (encrypt it under another "
                        "one)";
        if (wrong) {
                unit_settings_cut(all, before);
                return loader_bad(l, part, line, "%s", wrong); /* without the value, which may be secret */
        }
        return streq(s->key, IMPORT) ? loader_needs_systemd(l, part, line, 254) : 0;
}

/* In a value, systemd knows no specifiers. */
static void add_source(StrBuf *b, const char *key, const char *text) {
        for (; *text; text++) {
                strbuf_add_n(b, text, 1);
                if (*text == '%' && text[1] == '%' && streq(key, CREDENTIAL_SET))
                        text++;
        }
        strbuf_add(b, "\n");
}

/**
 * pod_credential_add_lines() - what pod@NAME.service loads for the apps
 * @s: pod
 * @b: lines of [Service] are added
 */
void pod_credential_add_lines(const PodSpec *s, StrBuf *b) {
        FOREACH_ARRAY (a, s->apps, s->n_apps)
                FOREACH_ARRAY (c, a->credentials.items, a->credentials.n) {
                        const char *source = strchr(c->value, ':');
                        size_t n = strcspn(c->value, ":");

                        if (streq(c->key, IMPORT))
                                strbuf_addf(b, "%s=%s\n", c->key, c->value);
                        else {
                                strbuf_addf(b, "%s=%s%s%.*s:", c->key, is_raw(c) ? "" : a->name,
                                            is_raw(c) ? "" : ".", (int) n, c->value);
                                add_source(b, c->key, source ? source + 1 : c->value);
                        }
                }
}

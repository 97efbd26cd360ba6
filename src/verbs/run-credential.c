/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags of "rkt run" that give an app credentials (systemd.exec(5)). */
#include "verbs/run-credential.h"

#include <string.h>

#include "podfile/pod-credential.h"

/**
 * run_set_credential() - --set-credential=ID:VALUE and --load-credential=ID:PATH
 * @o:     the flag
 * @value: its value; that of a credential is in no sentence
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int run_set_credential(const Option *o, const char *value, void *data, Error *e) {
        const char *key = streq(o->name, "set-credential") ? CREDENTIAL_SET : CREDENTIAL_LOAD;
        const char *colon = strchr(value, ':');
        AppSpec *app = run_current_app(o, data, e);

        if (!app)
                return -EINVAL;
        if (!colon || !credential_id_is_valid(value, (size_t) (colon - value)) ||
            (streq(key, CREDENTIAL_LOAD) && !colon[1]))
                return error_setf(e, -EINVAL,
                                  "invalid argument for --%s: it must be %s, the ID of letters, digits, '.', "
                                  "'_' and '-'",
                                  o->name, o->value);
        return unit_settings_add(&app->credentials, key, value, (PodPlace){}) < 0 ? error_oom(e) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs in an app beside its main program: ExecStartPre= and the like, and the image's event handlers, which are the
 * defaults of two of them. APP.service itself cannot run them in the app's root: RootDirectoryStartOnly= keeps it out of
 * there. So each kind becomes a unit of its own with the app's sandbox, hook-APP@KIND.service, which
 * "rkt-enter hook APP KIND" starts and waits for, by way of rkt-bare. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"
#include "run/app-hook.h"
#include "run/unit-text.h"

static const struct {
        const char *key, *kind, *event;
} hooks[] = {
        { "ExecCondition", "condition", NULL },
        { "ExecStartPre", "start-pre", "pre-start" },
        { "ExecStartPost", "start-post", NULL },
        { "ExecReload", "reload", NULL },
        { "ExecStop", "stop", NULL },
        { "ExecStopPost", "stop-post", "post-stop" },
};

/* Lines of one key; an empty one forgets those before. */
static int lines_of(const AppSettings *s, const char *key, bool *ret_said, char ***ret) {
        _cleanup_strv_free_ char **list = NULL;
        int r = 0;

        *ret_said = false;
        for (char **l = s->file; l && *l && r >= 0; l++) {
                const char *value = startswith(*l, key);

                if (!value || *value != '=')
                        continue;
                *ret_said = true;
                if (value[1])
                        r = strv_extend(&list, value + 1);
                else
                        list = strv_free(list);
        }
        if (r >= 0)
                *ret = TAKE_PTR(list);
        return r;
}

/* An event handler is root's in the app's sandbox, as rkt has it; but where people said whose the app is, it is theirs. */
static int add_handler(const PodApp *a, char ***list, char *const *exec) {
        const char *whose = pod_app_annotation(a, APP_ANNOTATION_HANDLERS);
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char *text;
        int r;

        strbuf_add(&b, streq_ptr(whose, "user") ? ":" : ":!");
        for (; *exec; exec++) {
                unit_text_quote(&b, *exec);
                if (exec[1])
                        strbuf_add(&b, " ");
        }
        r = strbuf_steal(&b, &text);
        return r < 0 ? r : strv_consume(list, text);
}

static int commands(const PodApp *a, const AppSettings *s, size_t n, char ***ret) {
        char *const *handler = hooks[n].event ? ac_app_event_handler(a->app, hooks[n].event) : NULL;
        _cleanup_strv_free_ char **list = NULL;
        bool said;
        int r = lines_of(s, hooks[n].key, &said, &list);

        if (r >= 0 && !said && handler && *handler)
                r = add_handler(a, &list, handler);
        if (r >= 0)
                *ret = TAKE_PTR(list);
        return r;
}

/**
 * app_hook_add_lines() - what APP.service says of its hooks
 * @a: app, with its "app" object
 * @s: what people said
 * @b: lines of [Service] are added
 *
 * Return: 0, -ENOMEM.
 */
int app_hook_add_lines(const PodApp *a, const AppSettings *s, StrBuf *b) {
        for (size_t i = 0; i < ELEMENTSOF(hooks); i++) {
                _cleanup_strv_free_ char **list = NULL;
                int r = commands(a, s, i, &list);

                if (r < 0)
                        return r;
                if (list)
                        strbuf_addf(b, "%s=+/rkt/bin/rkt-bare hook %s %s\n", hooks[i].key, a->name,
                                    hooks[i].kind);
        }
        return 0;
}

/* One that does not end when it is to is given the time of its app: what is deaf then, and left when the pod ends, would hold
 * it up for the 90 seconds of systemd-shutdown. */
static void add_stop_timeout(StrBuf *b, const AppSettings *s) {
        for (char **l = s->file; l && *l; l++) {
                const char *value = startswith(*l, "TimeoutStopSec=");

                if (!value)
                        value = startswith(*l, "TimeoutSec=");
                if (value)
                        strbuf_addf(b, "TimeoutStopSec=%s\n", value);
        }
}

static int hook_text(const PodApp *a, const AppFacts *f, const AppUnitContext *c, const AppSettings *s,
                     const char *kind, char *const *list, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r;

        /* a slice of their own would conflict with shutdown.target, and they run at the end, too */
        strbuf_addf(&b,
                    "[Unit]\nDescription=%s of %s\nDefaultDependencies=no\nStartLimitIntervalSec=0\n\n"
                    "[Service]\nType=oneshot\nSlice=system.slice\n",
                    kind, a->name);
        for (; *list; list++)
                strbuf_addf(&b, "ExecStart=%s\n", *list);
        add_stop_timeout(&b, s);
        /* MAINPID, SERVICE_RESULT and the like, as rkt-enter got them */
        strbuf_addf(&b, "EnvironmentFile=-/run/rkt/hook-%s-%s\n", a->name, kind);
        r = app_unit_hook(a, f, c, s, &b);
        return r < 0 ? r : strbuf_steal(&b, ret);
}

/**
 * app_unit_hooks() - the units of an app's hooks
 * @a:         app, with its "app" object
 * @f:         what its root told
 * @c:         what the pod says of all apps
 * @ret_names: names of the units; free with strv_free(); NULL when there are none
 * @ret_texts: their texts, in the same order; free with strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int app_unit_hooks(const PodApp *a, const AppFacts *f, const AppUnitContext *c, char ***ret_names,
                   char ***ret_texts, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        int r = app_settings_load(a, &s);

        for (size_t i = 0; i < ELEMENTSOF(hooks) && r >= 0; i++) {
                _cleanup_strv_free_ char **list = NULL;
                char *text;

                r = commands(a, &s, i, &list);
                if (r < 0 || !list)
                        continue;
                r = hook_text(a, f, c, &s, hooks[i].kind, list, &text);
                if (r >= 0)
                        r = strv_consume(&texts, text);
                if (r >= 0)
                        r = strv_extendf(&names, "hook-%s@%s.service", a->name, hooks[i].kind);
        }
        if (r < 0)
                return error_oom(e);
        *ret_names = TAKE_PTR(names);
        *ret_texts = TAKE_PTR(texts);
        return 0;
}

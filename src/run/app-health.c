/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The health check of an app becomes three units of its pod, and none without a check:
 *
 *   rkt-health@APP.timer      bound to APP.service
 *   rkt-health@APP.service    "rkt-enter health": starts the next one, counts, notes, and does what HealthOnFailure= says
 *   hook-APP@health.service   the check itself, with the app's sandbox
 *
 * With Notify=healthy, ExecStartPost= of the app waits for the first success, so that the app counts as started then. What
 * systemd says of units that come and go is not for the log; what the check prints, and its failures, are. */
#include "run/app-health.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "manifest/health.h"
#include "pod/pod-compose.h"
#include "run/app-confine.h"
#include "run/app-hook.h"
#include "run/unit-text.h"

#define BOUND                                                                                                \
        "DefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\nBindsTo=%s.service\n"

/* 1: there is one. */
static int load(const PodApp *a, HealthCheck *ret, Error *e) {
        const char *text = pod_app_annotation(a, HEALTH_ANNOTATION);
        int r = text ? health_check_parse(text, ret, e) : 0;

        if (r < 0)
                return error_prefixf(e, r, "app '%s'", a->name);
        return text && health_check_is_on(ret);
}

/**
 * app_health_add_wants() - what APP.service says of its health check in [Unit]
 * @a: app
 * @b: lines are added
 */
void app_health_add_wants(const PodApp *a, StrBuf *b) {
        _cleanup_health_ HealthCheck h = HEALTH_CHECK_INIT;

        if (load(a, &h, NULL) > 0)
                strbuf_addf(b, "Wants=rkt-health@%s.timer\n", a->name);
}

/**
 * app_health_add_gate() - what APP.service says of it in [Service]
 * @a: app
 * @b: lines are added
 */
void app_health_add_gate(const PodApp *a, StrBuf *b) {
        _cleanup_health_ HealthCheck h = HEALTH_CHECK_INIT;

        if (load(a, &h, NULL) > 0 && h.is_ready_when_healthy > 0)
                strbuf_addf(b, "ExecStartPost=+/rkt/bin/rkt-bare healthy %s %" PRIu64 "\n", a->name,
                            health_check_interval(&h));
}

/* With Notify=healthy, the first one has been. */
static int timer_text(const PodApp *a, const HealthCheck *h, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        uint64_t interval = health_check_interval(h);

        strbuf_addf(&b, "[Unit]\nDescription=Health of %s\n" BOUND "After=%s.service\n", a->name, a->name,
                    a->name);
        strbuf_addf(&b,
                    "\n[Timer]\nOnActiveSec=%" PRIu64 "us\nOnUnitInactiveSec=%" PRIu64
                    "us\nAccuracySec=100ms\n",
                    h->is_ready_when_healthy > 0 ? interval : 0, interval);
        return strbuf_steal(&b, ret);
}

static int service_text(const PodApp *a, const HealthCheck *h, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_addf(&b,
                    "[Unit]\nDescription=Health of %s\nStartLimitIntervalSec=0\nDefaultDependencies=no\n"
                    "Conflicts=shutdown.target\nBefore=shutdown.target\n\n"
                    "[Service]\nType=oneshot\nSlice=system.slice\nLogLevelMax=notice\nSyslogIdentifier=%s\n",
                    a->name, a->name);
        strbuf_addf(&b, "ExecStart=/rkt/bin/rkt-enter health %s %" PRIu64 " %" PRIu64 " %s\n", a->name,
                    health_check_retries(h), health_check_start(h), str_or(h->on_failure, "none"));
        return strbuf_steal(&b, ret);
}

static int hook_text(const PodApp *a, const AppFacts *f, const AppUnitContext *c, const HealthCheck *h,
                     char **ret) {
        const char *path = ac_pairs_get(a->app->environment, a->app->n_environment, "PATH");
        _cleanup_app_settings_ AppSettings s = APP_SETTINGS_INIT;
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r = health_check_command(h, &words);

        if (r >= 0)
                r = app_settings_load(a, &s);
        if (r < 0)
                return r;
        strbuf_addf(&b, "[Unit]\nDescription=Health check of %s\nStartLimitIntervalSec=0\n" BOUND, a->name,
                    a->name);
        strbuf_add(&b, "\n[Service]\nType=oneshot\nSlice=system.slice\n");
        r = app_unit_hook(a, f, c, &s, &b);
        unit_text_line(&b, "ExecSearchPath", str_or(path, APP_DEFAULT_PATH));
        strbuf_addf(&b,
                    "StandardInput=null\n%sSyslogLevel=notice\nLogLevelMax=notice\nTimeoutStartSec=%" PRIu64
                    "us\nKillSignal=SIGKILL\nExecStart=:",
                    c->console ? "StandardOutput=journal\nStandardError=journal\n" : "",
                    health_check_timeout(h));
        for (char **w = words; *w; w++) {
                unit_text_quote(&b, *w);
                strbuf_add(&b, w[1] ? " " : "\n");
        }
        return r < 0 ? r : strbuf_steal(&b, ret);
}

/**
 * app_unit_health() - the units of an app's health check
 * @a:         app, with its "app" object
 * @f:         what its root told
 * @c:         what the pod says of all apps
 * @ret_names: names of the units; free with strv_free(); NULL when there is no check
 * @ret_texts: their texts, in the same order; free with strv_free()
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL: the annotation is broken; -ENOMEM.
 */
int app_unit_health(const PodApp *a, const AppFacts *f, const AppUnitContext *c, char ***ret_names,
                    char ***ret_texts, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        _cleanup_health_ HealthCheck h = HEALTH_CHECK_INIT;
        char *text[3] = {};
        int r = load(a, &h, e);

        if (r <= 0)
                return r;
        r = timer_text(a, &h, &text[0]);
        if (r >= 0)
                r = service_text(a, &h, &text[1]);
        if (r >= 0)
                r = hook_text(a, f, c, &h, &text[2]);
        for (size_t i = 0; i < ELEMENTSOF(text); i++)
                if (r >= 0)
                        r = strv_consume(&texts, text[i]);
                else
                        free(text[i]);
        if (r >= 0)
                r = strv_extendf(&names, "rkt-health@%s.timer", a->name);
        if (r >= 0)
                r = strv_extendf(&names, "rkt-health@%s.service", a->name);
        if (r >= 0)
                r = strv_extendf(&names, "hook-%s@health.service", a->name);
        if (r < 0)
                return error_oom(e);
        *ret_names = TAKE_PTR(names);
        *ret_texts = TAKE_PTR(texts);
        return 0;
}

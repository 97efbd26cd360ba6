/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd gives the time of an app to each of its phases, and apps that wait for each other have theirs one after the other:
 * the pod must be given the sum of the longest such chain, or the host kills it while the systemd inside still waits, as it
 * was told to. What an image says (its event handlers) is not known here; the margins must do for it. */
#include "podfile/pod-time.h"

#include <errno.h>
#include <inttypes.h>

#include "basic/parse.h"
#include "podfile/pod-order.h"

#define APP_DEFAULT (90 * USEC_PER_SEC) /* of a phase, systemd's default inside the pod */
#define START_MARGIN                                                                                         \
        (30 * USEC_PER_SEC) /* to set up the pod; see pod@.service, which has the default and this */
#define STOP_MARGIN (15 * USEC_PER_SEC) /* for the pod's own units */

static usec_t times(usec_t t, unsigned n) {
        return __builtin_mul_overflow(t, (usec_t) n, &t) ? USEC_INFINITY : t;
}

/* systemd.service(5): 0 is no limit. */
static void take_time(const UnitSetting *s, usec_t *t) {
        if (parse_sec(s->value, t) >= 0 && *t == 0)
                *t = USEC_INFINITY;
}

static bool has_any(const UnitSettings *settings, const char *key) {
        const char *last = unit_settings_last(settings, key);

        return last && *last; /* an empty one resets */
}

/* The hooks of one key are one phase (app-hook.c). */
static usec_t start_time(const AppSpec *a) {
        const char *type = unit_settings_last(&a->settings, "Type");
        usec_t t = streq_ptr(type, "oneshot") ? USEC_INFINITY : APP_DEFAULT;

        FOREACH_ARRAY (s, a->settings.items, a->settings.n)
                if (streq(s->key, "TimeoutStartSec") || streq(s->key, "TimeoutSec"))
                        take_time(s, &t);
        return times(t, 1U + has_any(&a->settings, "ExecCondition") + has_any(&a->settings, "ExecStartPre") +
                                has_any(&a->settings, "ExecStartPost") + a->notify_healthy);
}

static usec_t stop_time(const AppSpec *a) {
        usec_t t = APP_DEFAULT;

        FOREACH_ARRAY (s, a->settings.items, a->settings.n)
                if (streq(s->key, "TimeoutStopSec") || streq(s->key, "TimeoutSec"))
                        take_time(s, &t);
        return times(t, 1U + has_any(&a->settings, "ExecStop") + has_any(&a->settings, "ExecStopPost"));
}

static uint64_t sum(const uint64_t *weights, size_t n) {
        uint64_t total = 0;

        for (size_t i = 0; i < n; i++)
                if (__builtin_add_overflow(total, weights[i], &total))
                        return UINT64_MAX;
        return total;
}

static int longest_chain(const PodSpec *s, usec_t (*time_of)(const AppSpec *a), usec_t *ret) {
        _cleanup_free_ uint64_t *weights = new0(uint64_t, s->n_apps);
        const char *app = NULL;
        int r;

        if (!weights)
                return -ENOMEM;
        for (size_t i = 0; i < s->n_apps; i++)
                weights[i] = time_of(&s->apps[i]);
        r = pod_spec_longest_chain(s, weights, ret, &app);
        if (r != -ELOOP)
                return r;
        *ret = sum(weights, s->n_apps); /* no chain is longer; it was said that there is a circle */
        return 0;
}

static void add_time(StrBuf *b, const char *key, usec_t t, usec_t margin) {
        if (t > USEC_INFINITY - margin - USEC_PER_SEC)
                strbuf_addf(b, "%s=infinity\n", key);
        else
                strbuf_addf(b, "%s=%" PRIu64 "\n", key, (t + margin + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

/**
 * pod_time_add_lines() - TimeoutStartSec= and TimeoutStopSec= of pod@NAME.service
 * @s: pod; may be incomplete
 * @b: lines of [Service] are added, none for what pod@.service has
 *
 * To start, a pod has never less than by default: setting it up takes as long as the machine is slow.
 *
 * Return: 0, -ENOMEM.
 */
int pod_time_add_lines(const PodSpec *s, StrBuf *b) {
        usec_t start, stop;
        int r;

        if (s->n_apps == 0)
                return 0; /* what runs has some */
        r = longest_chain(s, start_time, &start);
        if (r >= 0)
                r = longest_chain(s, stop_time, &stop);
        if (r < 0)
                return r;
        if (start > APP_DEFAULT)
                add_time(b, "TimeoutStartSec", start, START_MARGIN);
        if (stop != APP_DEFAULT)
                add_time(b, "TimeoutStopSec", stop, STOP_MARGIN);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/json.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-types.h"

#define NSEC_PER_USEC UINT64_C(1000)
#define RETRIES_MAX   UINT64_C(1000000)

static const JsonField fields[] = {
        JSON_ROW("Test", json_kind_strv, HealthCheck, test, 0),
        JSON_ROW("Interval", json_kind_uint64, HealthCheck, interval_nsec, 0),
        JSON_ROW("Timeout", json_kind_uint64, HealthCheck, timeout_nsec, 0),
        JSON_ROW("StartPeriod", json_kind_uint64, HealthCheck, start_nsec, 0),
        JSON_ROW("Retries", json_kind_uint64, HealthCheck, retries, 0),
        JSON_ROW("OnFailure", json_kind_string, HealthCheck, on_failure, 0),
        JSON_ROW("ReadyWhenHealthy", json_kind_tristate, HealthCheck, is_ready_when_healthy, 0),
        {},
};

static int check(const HealthCheck *h, Error *e) {
        const char *kind = h->test ? h->test[0] : NULL;
        size_t n = strv_length(h->test);

        if (kind && !streq(kind, "NONE") && !(streq(kind, "CMD") && n > 1 && *h->test[1]) &&
            !(streq(kind, "CMD-SHELL") && n == 2))
                return error_setf(
                        e, -EINVAL,
                        "\"Test\" of a health check begins with '%.50s': expected \"NONE\", \"CMD\" and "
                        "words, or \"CMD-SHELL\" and a text",
                        kind);
        if (kind && streq(kind, "CMD") && !ac_program_is_valid(h->test[1]))
                return error_setf(e, -EINVAL, "the health check '%.100s' is no program", h->test[1]);
        if (h->on_failure && !streq(h->on_failure, "restart") && !streq(h->on_failure, "stop"))
                return error_setf(e, -EINVAL,
                                  "\"OnFailure\" of a health check is '%.50s': expected restart or stop",
                                  h->on_failure);
        return 0;
}

/**
 * health_check_parse() - read one
 * @text: JSON; members that we do not know are left out
 * @ret:  free with health_check_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; -EINVAL and what json_parse() and json_map() return.
 */
int health_check_parse(const char *text, HealthCheck *ret, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_health_ HealthCheck h = HEALTH_CHECK_INIT;
        int r = json_parse(text, strlen(text), &v, e);

        if (r >= 0)
                r = json_map(v, fields, JSON_OPEN | JSON_ANY_CASE, &h, e);
        if (r >= 0)
                r = check(&h, e);
        if (r < 0)
                return r;
        *ret = h;
        h = HEALTH_CHECK_INIT;
        return 0;
}

/**
 * health_check_to_string() - write one
 * @h:   what
 * @ret: JSON; to free()
 *
 * Return: 0, -ENOMEM.
 */
int health_check_to_string(const HealthCheck *h, char **ret) {
        static const JsonStruct type = { .size = sizeof(HealthCheck), .fields = fields };
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;

        json_write_struct(&w, &type, h);
        return json_writer_steal(&w, ret);
}

/**
 * health_check_is_on() - is there anything to run?
 * @h: health check
 *
 * Return: false also for "NONE".
 */
bool health_check_is_on(const HealthCheck *h) {
        return h->test && !streq(h->test[0], "NONE");
}

/**
 * health_check_command() - what is to be run
 * @h:   one that is on
 * @ret: words; the first one may be a name that is looked up; for strv_free()
 *
 * Return: 0, -ENOMEM.
 */
int health_check_command(const HealthCheck *h, char ***ret) {
        _cleanup_strv_free_ char **words = NULL;
        int r = 0;

        if (streq(h->test[0], "CMD-SHELL")) {
                r = strv_extend(&words, "/bin/sh");
                if (r >= 0)
                        r = strv_extend(&words, "-c");
        }
        for (char **w = h->test + 1; *w && r >= 0; w++)
                r = strv_extend(&words, *w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(words);
        return 0;
}

static uint64_t usec_or(uint64_t nsec, uint64_t otherwise) {
        if (nsec == 0 || nsec == HEALTH_UNSET)
                return otherwise;
        return MAX(nsec / NSEC_PER_USEC, HEALTH_LEAST_USEC);
}

/**
 * health_check_interval() - from the end of one check to the next one
 * @h: health check
 *
 * Return: microseconds.
 */
uint64_t health_check_interval(const HealthCheck *h) {
        return usec_or(h->interval_nsec, HEALTH_INTERVAL_USEC);
}

/**
 * health_check_timeout() - how long one check may take
 * @h: health check
 *
 * Return: microseconds.
 */
uint64_t health_check_timeout(const HealthCheck *h) {
        return usec_or(h->timeout_nsec, HEALTH_TIMEOUT_USEC);
}

/**
 * health_check_start() - how long after the start of the app failures do not count
 * @h: health check
 *
 * Return: microseconds.
 */
uint64_t health_check_start(const HealthCheck *h) {
        return usec_or(h->start_nsec, 0);
}

/**
 * health_check_retries() - how many failures in a row make an app unhealthy
 * @h: health check
 *
 * Return: at least 1.
 */
uint64_t health_check_retries(const HealthCheck *h) {
        return h->retries == 0 || h->retries == HEALTH_UNSET ? HEALTH_RETRIES : MIN(h->retries, RETRIES_MAX);
}

/**
 * health_check_done() - free its members
 * @h: HEALTH_CHECK_INIT afterwards
 */
void health_check_done(HealthCheck *h) {
        strv_free(h->test);
        free(h->on_failure);
        *h = HEALTH_CHECK_INIT;
}

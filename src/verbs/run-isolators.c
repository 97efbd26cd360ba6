/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags of "rkt run" that bound an app. Each replaces the image's isolator of the same kind, by becoming the setting that a
 * pod file would have. */
#include "verbs/run-isolators.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/strv.h"
#include "manifest/ac-isolator.h"
#include "manifest/ac-quantity.h"
#include "manifest/ac-seccomp.h"
#include "podfile/value-check.h"

#define MEMORY_MIN_BYTES 4096             /* less is surely a forgotten suffix, says rkt */
#define CPU_SHARES_MAX   UINT64_C(262144) /* the kernel's; Nomad gives the megahertz of all cores */
#define COMMAND_LINE     ((PodPlace){})

static int add_setting(AppSpec *app, const char *key, char *value, Error *e) {
        int r = value ? unit_settings_add(&app->settings, key, value, COMMAND_LINE) : -ENOMEM;

        free(value);
        return r < 0 ? error_oom(e) : 0;
}

/**
 * run_set_memory() - --memory=
 * @o:     the flag
 * @value: its value
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0, -EINVAL, -ERANGE, -ENOMEM.
 */
int run_set_memory(const Option *o, const char *value, void *data, Error *e) {
        AcQuantity q;
        AppSpec *app = run_current_app(o, data, e);
        int64_t bytes;

        if (!app)
                return -EINVAL;
        if (ac_quantity_parse(value, &q) < 0 || ac_quantity_integer(&q, &bytes) < 0 || bytes < 0)
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --memory: it is no quantity such as 16M or 1Gi", value);
        if (bytes < MEMORY_MIN_BYTES)
                return error_setf(e, -ERANGE,
                                  "memory limit of %" PRId64
                                  " bytes too low. Try a reasonable value, such as --memory=16M",
                                  bytes);
        return add_setting(app, "MemoryMax", strf("%" PRId64, bytes), e);
}

/**
 * run_set_cpu() - --cpu=
 * @o:     the flag
 * @value: its value
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0, -EINVAL, -ERANGE, -ENOMEM.
 */
int run_set_cpu(const Option *o, const char *value, void *data, Error *e) {
        AcQuantity q;
        AppSpec *app = run_current_app(o, data, e);
        int64_t milli;

        if (!app)
                return -EINVAL;
        if (ac_quantity_parse(value, &q) < 0 || ac_quantity_milli(&q, &milli) < 0 || milli <= 0 ||
            milli > INT64_C(1000000000))
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --cpu: it is no quantity such as 500m or 2",
                                  value);
        return add_setting(app, "CPUQuota", ac_cpu_quota(milli), e);
}

/**
 * run_set_cpu_shares() - --cpu-shares=
 * @o:     the flag
 * @value: its value
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0, -EINVAL, -ERANGE, -ENOMEM.
 */
int run_set_cpu_shares(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);
        uint64_t shares;

        if (!app)
                return -EINVAL;
        if (parse_uint64(value, &shares) < 0)
                return error_setf(e, -EINVAL, "invalid argument \"%s\" for --cpu-shares: it is no integer",
                                  value);
        return add_setting(app, "CPUWeight", strf("%" PRIi64, ac_cpu_weight(MIN(shares, CPU_SHARES_MAX))), e);
}

/**
 * run_set_oom() - --oom-score-adj=
 * @o:     the flag
 * @value: its value
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0, -EINVAL, -ERANGE, -ENOMEM.
 */
int run_set_oom(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);
        unsigned n;

        if (!app)
                return -EINVAL;
        if (parse_uint(*value == '-' ? value + 1 : value, 1000, &n) < 0)
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --oom-score-adj: it is no integer from -1000 to 1000",
                        value);
        return add_setting(app, "OOMScoreAdjust", strdup(value), e);
}

/* One of no such name would be taken away from nothing, without a word. */
static bool is_capability(const char *s) {
        return startswith(s, "CAP_") && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(s) &&
               !value_check(CHECK_CAPABILITIES, s);
}

/**
 * run_set_caps() - --caps-retain= and --caps-remove=
 * @o:     the flag
 * @value: its value
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0, -EINVAL, -ERANGE, -ENOMEM.
 */
int run_set_caps(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_strv_free_ char **list = NULL;
        _cleanup_free_ char *joined = NULL;
        bool retain = endswith(o->name, "-retain");
        AppSpec *app = run_current_app(o, data, e);
        int r;

        if (!app)
                return -EINVAL;
        if (strv_split(value, ",", &list) < 0)
                return error_oom(e);
        STRV_FOREACH (s, list)
                if (!is_capability(*s))
                        return error_setf(e, -EINVAL,
                                          "invalid argument \"%s\" for --%s: it is no capability such as "
                                          "CAP_NET_ADMIN",
                                          *s, o->name);
        if (unit_settings_last(&app->settings, "CapabilityBoundingSet"))
                return error_setf(
                        e, -EINVAL,
                        "--caps-retain and --caps-remove stand once, and not together, for an image");
        /* As rkt: what is removed is removed from the default, not from everything. */
        if (strv_join(list, " ", &joined) < 0)
                return error_oom(e);
        if (!retain)
                return add_setting(app, "CapabilityBoundingSet", strf("~%s", joined), e);
        r = add_setting(app, "CapabilityBoundingSet", strdup(""), e);
        return r < 0 ? r : add_setting(app, "CapabilityBoundingSet", TAKE_PTR(joined), e);
}

/* "mode=retain,errno=EPERM,read,@rkt/default-whitelist" in its parts. */
typedef struct Seccomp {
        bool retain, has_mode;
        const char *errno_name;
        char **words;
        char **set;
} Seccomp;

static void seccomp_done(Seccomp *s) {
        strv_free(s->words);
        strv_free(s->set);
}

static int parse_seccomp(const char *value, Seccomp *s, Error *e) {
        const char *v;

        if (strv_split(value, ",", &s->words) < 0)
                return error_oom(e);
        STRV_FOREACH (w, s->words) {
                if ((v = startswith(*w, "mode="))) {
                        s->has_mode = streq(v, "retain") || streq(v, "remove");
                        s->retain = streq(v, "retain");
                } else if ((v = startswith(*w, "errno=")))
                        s->errno_name = v;
                else if (strv_extend(&s->set, *w) < 0)
                        return error_oom(e);
        }
        if (!s->has_mode || !s->set)
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --seccomp: it must be mode=retain or mode=remove, and "
                        "system calls, as mode=remove,errno=EPERM,mknod",
                        value);
        return 0;
}

/**
 * run_add_seccomp() - an app's filter of system calls, as people say it
 * @app:        settings are added to
 * @retain:     the set is what is kept; else it is taken away
 * @set:        of ac_seccomp_filter()
 * @errno_name: what the others answer; NULL: they kill the program
 * @e:          sentence on failure; may be NULL
 *
 * Return: 0, -ENOMEM.
 */
int run_add_seccomp(AppSpec *app, bool retain, char *const *set, const char *errno_name, Error *e) {
        _cleanup_strv_free_ char **values = NULL;

        if (ac_seccomp_filter(retain, set, errno_name, &values) < 0)
                return error_oom(e);
        if (!values) /* "@appc.io/all" and the like: no filter at all */
                return add_setting(app, "SystemCallFilter", strdup(""), e);
        STRV_FOREACH (v, values) {
                int r = add_setting(app, "SystemCallFilter", strdup(*v), e);

                if (r < 0)
                        return r;
        }
        return retain && errno_name ? add_setting(app, "SystemCallErrorNumber", strdup(errno_name), e) : 0;
}

/**
 * run_set_seccomp() - --seccomp=: replaces what the image says
 * @o:     the flag
 * @value: its value
 * @data:  RunArgs
 * @e:     says what is wrong with it
 *
 * Return: 0, -EINVAL, -ERANGE, -ENOMEM.
 */
int run_set_seccomp(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_(seccomp_done) Seccomp s = {};
        AppSpec *app = run_current_app(o, data, e);
        int r = app ? parse_seccomp(value, &s, e) : -EINVAL;

        if (r < 0)
                return r;
        if (unit_settings_last(&app->settings, "SystemCallFilter"))
                return error_setf(e, -EINVAL, "--seccomp specified multiple times for the same image");
        if (s.errno_name && value_check(CHECK_ERRNO, s.errno_name))
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --seccomp: Linux has no error '%s'", value,
                                  s.errno_name);
        return run_add_seccomp(app, s.retain, s.set, s.errno_name, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Isolators: decoded by type, their text kept. One that is not known is kept too; whoever runs the app says so. */
#include <inttypes.h>
#include <string.h>

#include "basic/alloc.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-isolator.h"

#define CPU_SHARES_MIN    2
#define CPU_SHARES_MAX    262144
#define OOM_SCORE_ADJ_MAX 1000

/* What an app may do when no isolator says otherwise. */
const char *const ac_default_capabilities[] = {
        "CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
        "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_NET_BIND_SERVICE", "CAP_SETUID",
        "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETFCAP",      "CAP_SYS_CHROOT",       NULL,
};

typedef int (*IsolatorParser)(AcIsolator *i, const JsonValue *v, Error *e);

/* A quantity may be a string, with blanks around it, or a number. */
static int parse_quantity(const JsonValue *v, AcQuantity *ret, Error *e) {
        _cleanup_free_ char *copy = NULL;
        int64_t integer;
        int r;

        if (!json_text(v))
                return json_expect(v, JSON_STRING, e);
        copy = strdup(json_text(v));
        if (!copy)
                return error_oom(e);
        r = ac_quantity_parse(str_strip(copy), ret);
        if (r >= 0)
                r = ac_quantity_integer(ret, &integer);
        if (r < 0)
                return error_setf(e, r, "'%.100s' is no quantity as 500m or 1.5Gi%s (byte %zu)", copy,
                                  r == -ERANGE ? " of 63 bits" : "", json_offset(v));
        if (ret->nano < 0)
                return error_setf(e, -EINVAL, "'%.100s' is negative (byte %zu)", copy, json_offset(v));
        return 0;
}

typedef struct Resource {
        const JsonValue *fallback; /* "default" */
        const JsonValue *request;
        const JsonValue *limit;
} Resource;

static int set_raw(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        memcpy(p, &v, sizeof(void *));
        return 0;
}
static const JsonKind kind_raw = { .type = _JSON_TYPE_MAX, .set = set_raw };

static const JsonField resource_fields[] = {
        JSON_ROW("default", kind_raw, Resource, fallback, 0),
        JSON_ROW("request", kind_raw, Resource, request, 0),
        JSON_ROW("limit", kind_raw, Resource, limit, 0),
        {},
};

static int parse_resource(AcIsolator *i, const JsonValue *v, Error *e) {
        bool wants_default = i->type != AC_ISOLATOR_CPU && i->type != AC_ISOLATOR_MEMORY;
        Resource res = {};
        int r;

        r = json_map(v, resource_fields, JSON_OPEN | JSON_ANY_CASE, &res, e);
        if (r < 0)
                return r;
        if (res.fallback) {
                r = json_expect(res.fallback, JSON_BOOLEAN, e);
                if (r < 0)
                        return error_prefixf(e, r, "default");
        }
        if ((res.fallback && json_boolean(res.fallback)) != wants_default)
                return error_setf(e, -EINVAL,
                                  wants_default ? "'default' must be true" : "'default' must not be true");
        if (wants_default && res.request)
                return error_setf(e, -EINVAL, "'request' is not allowed");
        if (res.request) {
                r = parse_quantity(res.request, &i->request, e);
                if (r < 0)
                        return error_prefixf(e, r, "request");
                i->has_request = true;
        }
        if (res.limit) {
                r = parse_quantity(res.limit, &i->limit, e);
                if (r < 0)
                        return error_prefixf(e, r, "limit");
                i->has_limit = true;
        }
        return 0;
}

static const JsonField set_fields[] = {
        JSON_ROW("set", json_kind_strv, AcIsolator, set, JSON_MANDATORY),
        {},
};

static int parse_set(AcIsolator *i, const JsonValue *v, Error *e) {
        int r;

        r = json_map(v, set_fields, JSON_OPEN | JSON_ANY_CASE, i, e);
        if (r < 0)
                return r;
        return strv_length(i->set) == 0 ? error_setf(e, -EINVAL, "'set' is empty") : 0;
}

static const JsonField seccomp_fields[] = {
        JSON_ROW("set", json_kind_strv, AcIsolator, set, JSON_MANDATORY),
        JSON_ROW("errno", json_kind_string, AcIsolator, errno_name, 0),
        {},
};

static int parse_seccomp(AcIsolator *i, const JsonValue *v, Error *e) {
        int r;

        r = json_map(v, seccomp_fields, JSON_OPEN | JSON_ANY_CASE, i, e);
        if (r < 0)
                return r;
        if (strv_length(i->set) == 0)
                return error_setf(e, -EINVAL, "'set' is empty");
        if (i->errno_name && !*i->errno_name) {
                free(i->errno_name);
                i->errno_name = NULL;
        }
        if (i->errno_name &&
            (i->errno_name[0] != 'E' || !i->errno_name[1] ||
             i->errno_name[strspn(i->errno_name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] != '\0'))
                return error_setf(e, -EINVAL, "'%.50s' is no errno as EPERM", i->errno_name);
        return 0;
}

static int parse_flag(AcIsolator *i, const JsonValue *v, Error *e) {
        int r;

        r = json_expect(v, JSON_BOOLEAN, e);
        if (r < 0)
                return r;
        i->number = json_boolean(v);
        return 0;
}

static int parse_number(AcIsolator *i, const JsonValue *v, Error *e) {
        int64_t min = i->type == AC_ISOLATOR_CPU_SHARES ? CPU_SHARES_MIN : -OOM_SCORE_ADJ_MAX;
        int64_t max = i->type == AC_ISOLATOR_CPU_SHARES ? CPU_SHARES_MAX : OOM_SCORE_ADJ_MAX;
        int r;

        r = json_expect(v, JSON_INTEGER, e);
        if (r < 0)
                return r;
        r = json_integer(v, &i->number);
        if (r < 0 || i->number < min || i->number > max)
                return error_setf(e, -ERANGE, "%s is not between %lld and %lld (byte %zu)", json_text(v),
                                  (long long) min, (long long) max, json_offset(v));
        return 0;
}

static const JsonField selinux_fields[] = {
        JSON_ROW("user", json_kind_string, AcIsolator, selinux[0], JSON_MANDATORY),
        JSON_ROW("role", json_kind_string, AcIsolator, selinux[1], JSON_MANDATORY),
        JSON_ROW("type", json_kind_string, AcIsolator, selinux[2], JSON_MANDATORY),
        JSON_ROW("level", json_kind_string, AcIsolator, selinux[3], JSON_MANDATORY),
        {},
};

static int parse_selinux(AcIsolator *i, const JsonValue *v, Error *e) {
        int r;

        r = json_map(v, selinux_fields, JSON_OPEN | JSON_ANY_CASE, i, e);
        if (r < 0)
                return r;
        for (int k = 0; k < 4; k++)
                if (!*i->selinux[k] || (k < 3 && strchr(i->selinux[k], ':')))
                        return error_setf(e, -EINVAL, "'%.100s' is no SELinux %s", i->selinux[k],
                                          selinux_fields[k].name);
        return 0;
}

static const JsonField apparmor_fields[] = {
        JSON_ROW("profile", json_kind_string, AcIsolator, profile, JSON_MANDATORY),
        {},
};

static int parse_apparmor(AcIsolator *i, const JsonValue *v, Error *e) {
        int r;

        r = json_map(v, apparmor_fields, JSON_OPEN | JSON_ANY_CASE, i, e);
        if (r < 0)
                return r;
        return *i->profile ? 0 : error_setf(e, -EINVAL, "'profile' is empty");
}

static int parse_sysctl(AcIsolator *i, const JsonValue *v, Error *e) {
        static const JsonField row = AC_MAP_ROW("sysctl", AcIsolator, sysctls);
        int r;

        r = json_expect(v, JSON_OBJECT, e);
        return r < 0 ? r : ac_kind_map.set(&row, v, &i->sysctls, e);
}

static const struct {
        const char *name;
        IsolatorParser parse;
        bool once; /* a second one of its name is an error */
} isolators_table[_AC_ISOLATOR_TYPE_MAX] = {
        [AC_ISOLATOR_CPU] = { "resource/cpu", parse_resource, false },
        [AC_ISOLATOR_MEMORY] = { "resource/memory", parse_resource, false },
        [AC_ISOLATOR_BLOCK_BANDWIDTH] = { "resource/block-bandwidth", parse_resource, false },
        [AC_ISOLATOR_BLOCK_IOPS] = { "resource/block-iops", parse_resource, false },
        [AC_ISOLATOR_NETWORK_BANDWIDTH] = { "resource/network-bandwidth", parse_resource, false },
        [AC_ISOLATOR_CAPABILITIES_RETAIN] = { "os/linux/capabilities-retain-set", parse_set, false },
        [AC_ISOLATOR_CAPABILITIES_REMOVE] = { "os/linux/capabilities-remove-set", parse_set, false },
        [AC_ISOLATOR_SECCOMP_RETAIN] = { "os/linux/seccomp-retain-set", parse_seccomp, true },
        [AC_ISOLATOR_SECCOMP_REMOVE] = { "os/linux/seccomp-remove-set", parse_seccomp, true },
        [AC_ISOLATOR_NO_NEW_PRIVILEGES] = { "os/linux/no-new-privileges", parse_flag, false },
        [AC_ISOLATOR_SELINUX_CONTEXT] = { "os/linux/selinux-context", parse_selinux, true },
        [AC_ISOLATOR_APPARMOR_PROFILE] = { "os/linux/apparmor-profile", parse_apparmor, true },
        [AC_ISOLATOR_CPU_SHARES] = { "os/linux/cpu-shares", parse_number, true },
        [AC_ISOLATOR_OOM_SCORE_ADJ] = { "os/linux/oom-score-adj", parse_number, true },
        [AC_ISOLATOR_SYSCTL] = { "os/unix/sysctl", parse_sysctl, false },
};

/**
 * ac_isolator_type_from_string() - which isolator is this?
 * @name: not NULL
 *
 * Return: its type, AC_ISOLATOR_UNKNOWN.
 */
AcIsolatorType ac_isolator_type_from_string(const char *name) {
        for (AcIsolatorType t = AC_ISOLATOR_UNKNOWN + 1; t < _AC_ISOLATOR_TYPE_MAX; t++)
                if (streq(isolators_table[t].name, name))
                        return t;
        return AC_ISOLATOR_UNKNOWN;
}

/**
 * ac_isolator_type_to_string() - name of an isolator
 * @type: not AC_ISOLATOR_UNKNOWN
 *
 * Return: a static string.
 */
const char *ac_isolator_type_to_string(AcIsolatorType type) {
        return isolators_table[type].name;
}

/**
 * ac_isolator_done() - free the members
 * @i: may be half-filled
 */
void ac_isolator_done(AcIsolator *i) {
        free(i->name);
        free(i->value);
        (void) strv_free(i->set);
        free(i->errno_name);
        free(i->profile);
        FOREACH_ARRAY (s, i->selinux, ELEMENTSOF(i->selinux))
                free(*s);
        ac_pairs_free(i->sysctls, i->n_sysctls);
        *i = (AcIsolator){};
}

static int decode(AcIsolator *i, const JsonValue *v, Error *e) {
        int r;

        i->type = ac_isolator_type_from_string(i->name);
        if (i->type == AC_ISOLATOR_UNKNOWN)
                return 0;
        r = isolators_table[i->type].parse(i, v, e);
        return r < 0 ? error_prefixf(e, r, "%s", i->name) : 0;
}

/**
 * ac_isolator_parse() - make an isolator
 * @name: AC Identifier
 * @json: its value
 * @ret:  ac_isolator_done() it
 * @e:    says what is wrong with the value
 *
 * Return: 0; -EINVAL, -ENODATA, -ERANGE, -ENOMEM, those of json_parse().
 */
int ac_isolator_parse(const char *name, const char *json, AcIsolator *ret, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        AcIsolator i = {};
        int r;

        if (!ac_identifier_is_valid(name))
                return error_setf(e, -EINVAL, "'%.200s' cannot be the name of an isolator", name);
        r = json_parse(json, strlen(json), &v, e);
        if (r < 0)
                return error_prefixf(e, r, "%s", name);
        i.name = strdup(name);
        if (!i.name || json_value_to_string(v, &i.value) < 0)
                r = error_oom(e);
        if (r >= 0)
                r = decode(&i, v, e);
        if (r < 0) {
                ac_isolator_done(&i);
                return r;
        }
        *ret = i;
        return 0;
}

/**
 * ac_isolators_find() - an isolator by type
 * @isolators: may be NULL
 * @n:         how many
 * @type:      which
 *
 * Return: the last of its type, as the reference; NULL if there is none.
 */
const AcIsolator *ac_isolators_find(const AcIsolator *isolators, size_t n, AcIsolatorType type) {
        while (n > 0)
                if (isolators[--n].type == type)
                        return &isolators[n];
        return NULL;
}

/**
 * ac_isolators_add() - add an isolator at the end
 * @isolators: list, may point to NULL
 * @n:         how many
 * @name:      AC Identifier
 * @json:      its value
 * @e:         says what is wrong
 *
 * Return: 0, those of ac_isolator_parse().
 */
int ac_isolators_add(AcIsolator **isolators, size_t *n, const char *name, const char *json, Error *e) {
        AcIsolator i;
        int r;

        r = ac_isolator_parse(name, json, &i, e);
        if (r < 0)
                return r;
        if (!GREEDY_GROW(*isolators, *n)) {
                ac_isolator_done(&i);
                return error_oom(e);
        }
        (*isolators)[(*n)++] = i;
        return 0;
}

/**
 * ac_isolators_check() - check what only the whole list shows
 * @isolators: may be NULL
 * @n:         how many
 * @e:         names the isolators
 *
 * Return: 0, -ENOTUNIQ (two where one is allowed), -EINVAL (retain and remove).
 */
int ac_isolators_check(const AcIsolator *isolators, size_t n, Error *e) {
        size_t count[_AC_ISOLATOR_TYPE_MAX] = {};

        FOREACH_ARRAY (i, isolators, n)
                if (++count[i->type] > 1 && isolators_table[i->type].once)
                        return error_setf(e, -ENOTUNIQ, "second isolator '%s'", i->name);
        if (count[AC_ISOLATOR_SECCOMP_RETAIN] && count[AC_ISOLATOR_SECCOMP_REMOVE])
                return error_setf(e, -EINVAL, "seccomp-retain-set and seccomp-remove-set exclude each other");
        if (count[AC_ISOLATOR_CAPABILITIES_RETAIN] && count[AC_ISOLATOR_CAPABILITIES_REMOVE])
                return error_setf(e, -EINVAL,
                                  "capabilities-retain-set and capabilities-remove-set exclude each other");
        return 0;
}

/**
 * ac_cpu_weight() - shares of cgroup v1 as a weight of v2, as systemd converts them
 * @shares: 1024 is normal
 *
 * Return: 1 to 10000; 100 is normal.
 */
int64_t ac_cpu_weight(uint64_t shares) {
        return (int64_t) MAX(MIN(shares * 100 / 1024, UINT64_C(10000)), UINT64_C(1));
}

/**
 * ac_cpu_quota() - a limit of cores as systemd's CPUQuota= has it
 * @milli: thousandths of a core, above 0
 *
 * Return: "80%", "80.5%", for free(); NULL: out of memory.
 */
char *ac_cpu_quota(int64_t milli) {
        return milli % 10 == 0 ? strf("%" PRIi64 "%%", milli / 10)
                               : strf("%" PRIi64 ".%" PRIi64 "%%", milli / 10, milli % 10);
}

/**
 * ac_capability_is_known() - does Linux have this capability?
 * @name: as "CAP_KILL"
 *
 * A manifest may name any; whoever runs the app refuses what it cannot mean.
 *
 * Return: true if it does.
 */
bool ac_capability_is_known(const char *name) {
        static const char *const more[] = {
                "CAP_AUDIT_CONTROL",
                "CAP_AUDIT_READ",
                "CAP_BLOCK_SUSPEND",
                "CAP_BPF",
                "CAP_CHECKPOINT_RESTORE",
                "CAP_DAC_READ_SEARCH",
                "CAP_IPC_LOCK",
                "CAP_IPC_OWNER",
                "CAP_LEASE",
                "CAP_LINUX_IMMUTABLE",
                "CAP_MAC_ADMIN",
                "CAP_MAC_OVERRIDE",
                "CAP_NET_ADMIN",
                "CAP_NET_BROADCAST",
                "CAP_PERFMON",
                "CAP_SYSLOG",
                "CAP_SYS_ADMIN",
                "CAP_SYS_BOOT",
                "CAP_SYS_MODULE",
                "CAP_SYS_NICE",
                "CAP_SYS_PACCT",
                "CAP_SYS_PTRACE",
                "CAP_SYS_RAWIO",
                "CAP_SYS_RESOURCE",
                "CAP_SYS_TIME",
                "CAP_SYS_TTY_CONFIG",
                "CAP_WAKE_ALARM",
        };

        for (const char *const *c = ac_default_capabilities; *c; c++)
                if (streq(*c, name))
                        return true;
        FOREACH_ARRAY (c, more, ELEMENTSOF(more))
                if (streq(*c, name))
                        return true;
        return false;
}

static void isolator_done(void *p) {
        ac_isolator_done(p);
}

/* The row of "value": keeps the text; the type comes with the name, so decoding waits for check(). */
static int set_value(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        AcIsolator *i = (AcIsolator *) (void *) ((char *) p - offsetof(AcIsolator, value));

        i->pending = v;
        return json_value_to_string(v, &i->value) < 0 ? error_oom(e) : 0;
}

static void write_value(const JsonField *f, JsonWriter *w, const void *p) {
        const char *text;

        memcpy(&text, p, sizeof(text));
        json_write_number_text(w, text);
}

static const JsonKind kind_value = { .type = _JSON_TYPE_MAX, .set = set_value, .write = write_value };

static int isolator_check(void *p, Error *e) {
        AcIsolator *i = p;
        const JsonValue *v = TAKE_PTR(i->pending);

        return decode(i, v, e);
}

static const JsonField isolator_fields[] = {
        JSON_ROW("name", ac_kind_identifier, AcIsolator, name, JSON_MANDATORY),
        JSON_ROW("value", kind_value, AcIsolator, value, JSON_MANDATORY),
        {},
};
const JsonStruct ac_isolator_struct = {
        .size = sizeof(AcIsolator),
        .fields = isolator_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = isolator_done,
        .check = isolator_check,
};

/**
 * ac_sysctl_is_ipc() - is a kernel setting one of an IPC namespace?
 * @name: "kernel.shmmax", or with slashes
 *
 * Return: true or false.
 */
bool ac_sysctl_is_ipc(const char *name) {
        static const char *const names[] = {
                "kernel.msgmax",
                "kernel.msgmnb",
                "kernel.msgmni",
                "kernel.sem",
                "kernel.shm_rmid_forced",
                "kernel.shmall",
                "kernel.shmmax",
                "kernel.shmmni",
                "fs.mqueue.msg_default",
                "fs.mqueue.msg_max",
                "fs.mqueue.msgsize_default",
                "fs.mqueue.msgsize_max",
                "fs.mqueue.queues_max",
        };

        FOREACH_ARRAY (n, names, ELEMENTSOF(names)) {
                const char *a = *n, *b = name;

                for (; *a && (*a == *b || (*a == '.' && *b == '/')); a++)
                        b++;
                if (!*a && !*b)
                        return true;
        }
        return false;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The powers of root in a user namespace end at what that namespace owns. Whoever leaves PrivateUsers= open must not find out by
 * a pod that no longer works: for these there are no private users then. Whoever wants both is told which cannot be. */
#include "podfile/users-check.h"

#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"
#include "basic/parse.h"
#include "basic/str.h"

#define NSPAWN_FILES 524288U /* open files that nspawn lets a pod have, by systemd's HIGH_RLIMIT_NOFILE */

/* Everything but what the kernel checks against the owner of the pod's own namespaces, of a file or of a process. MKNOD is
 * missing: no node can be opened in a pod that has not been given it, with the host's users either. */
static const char *const of_the_host[] = {
        "CAP_AUDIT_CONTROL",   "CAP_AUDIT_READ",
        "CAP_BLOCK_SUSPEND",   "CAP_BPF",
        "CAP_IPC_LOCK",        "CAP_LINUX_IMMUTABLE",
        "CAP_MAC_ADMIN",       "CAP_MAC_OVERRIDE",
        "CAP_PERFMON",         "CAP_SYSLOG",
        "CAP_SYS_ADMIN",       "CAP_SYS_BOOT",
        "CAP_SYS_MODULE",      "CAP_SYS_NICE",
        "CAP_SYS_PACCT",       "CAP_SYS_RAWIO",
        "CAP_SYS_RESOURCE",    "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",  "CAP_WAKE_ALARM",
        "CAP_DAC_READ_SEARCH", "CAP_CHECKPOINT_RESTORE",
};

/**
 * users_need_capability() - is a capability worth less with private users?
 * @capability:  "CAP_..."
 * @has_network: the pod has a network that is made for it on the host, or the host's
 *
 * Return: true or false.
 */
bool users_need_capability(const char *capability, bool has_network) {
        FOREACH_ARRAY (c, of_the_host, ELEMENTSOF(of_the_host))
                if (streq(capability, *c))
                        return true;
        return has_network &&
               (streq(capability, "CAP_NET_ADMIN") || streq(capability, "CAP_NET_RAW") ||
                streq(capability, "CAP_NET_BIND_SERVICE") || streq(capability, "CAP_NET_BROADCAST"));
}

static bool is_negative(const char *value) {
        return *value == '-' && strtol(value, NULL, 10) < 0;
}

static bool is_realtime(const char *value) {
        return streq(value, "fifo") || streq(value, "rr") || streq(value, "realtime") || streq(value, "1");
}

/* Limits that a pod may have to be given more of than nspawn gives it by itself. The others have no end there. */
static bool raises_limit(const char *key, const char *value) {
        static const char *const bounded[] = {
                "MEMLOCK", "MSGQUEUE", "NICE", "NPROC", "RTPRIO", "SIGPENDING"
        };
        const char *limit = startswith(key, "Limit"), *colon = strchr(value, ':');
        uint64_t n;

        if (!limit)
                return false;
        FOREACH_ARRAY (b, bounded, ELEMENTSOF(bounded))
                if (streq(limit, *b))
                        return true;
        return streq(limit, "NOFILE") &&
               (parse_uint64(colon ? colon + 1 : value, &n) < 0 || n > NSPAWN_FILES);
}

/**
 * users_need() - what does a setting of an app need of the host?
 * @key:   of a unit
 * @value: of it
 *
 * Return: see UsersNeed.
 */
UsersNeed users_need(const char *key, const char *value) {
        if (!*value)
                return USERS_NEED_ANY;
        if (streq(key, "IPAddressAllow") || streq(key, "IPAddressDeny"))
                return USERS_NEED_NEVER;
        if ((streq(key, "CPUSchedulingPolicy") || streq(key, "IOSchedulingClass")) && is_realtime(value))
                return USERS_NEED_NEVER;
        if (streq(key, "DeviceAllow") || streq(key, "DevicePolicy") || streq(key, "IPAccounting"))
                return USERS_NEED_HOST;
        if ((streq(key, "Nice") || streq(key, "OOMScoreAdjust")) && is_negative(value))
                return USERS_NEED_HOST;
        return raises_limit(key, value) ? USERS_NEED_HOST : USERS_NEED_ANY;
}

/**
 * users_is_above() - is a user or group none that a pod has of its own?
 * @id: as in User=; NULL: none was named
 *
 * Return: true for a number above; what a name or a path means, only the pod's root knows.
 */
bool users_is_above(const char *id) {
        uint64_t n;

        return id && parse_uint64(id, &n) >= 0 && n >= USERS_END;
}

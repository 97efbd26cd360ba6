/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One row per kind of value: a function, or the words allowed, and what would be right. Checks may let a wrong value pass
 * (systemd has the last word), but never refuse one that systemd 252 to 257 take. */
#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "basic/macro.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/word.h"
#include "podfile/place-check.h"
#include "podfile/pod-spec.h"
#include "podfile/port-mapping.h"
#include "podfile/value-calendar.h"
#include "podfile/value-check.h"
#include "podfile/value-words.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

typedef bool (*WordCheck)(const char *word);

/* Cuts s at blanks and asks for every word. A leading "~" of the list is not part of it. */
static bool all_words(const char *s, WordCheck check) {
        char word[256];

        if (*s == '~')
                s++;
        for (;;) {
                size_t n;

                s += strspn(s, " \t\n");
                n = strcspn(s, " \t\n");
                if (n == 0)
                        return true;
                if (n >= sizeof(word))
                        return false;
                memcpy(word, s, n);
                word[n] = '\0';
                if (!check(word))
                        return false;
                s += n;
        }
}

static bool integer_between(const char *s, long min, long max) {
        bool negative = *s == '-';
        uint64_t v;
        long n;

        if (*s == '-' || *s == '+')
                s++;
        if (parse_uint64(s, &v) < 0 || v > 1000000)
                return false;
        n = negative ? -(long) v : (long) v;
        return n >= min && n <= max;
}

static bool is_boolean(const char *s) {
        return parse_boolean(s) >= 0;
}

static bool is_uint(const char *s) {
        uint64_t v;

        return parse_uint64(s, &v) >= 0;
}

static bool is_seconds(const char *s) {
        usec_t v;

        return parse_sec(s, &v) >= 0;
}

static bool is_size(const char *s) {
        uint64_t v;

        return parse_size(s, &v) >= 0;
}

/* "50%", "0.5%" */
static bool is_percent(const char *s, unsigned long max) {
        size_t n = strspn(s, DIGITS);
        unsigned long v = 0;

        if (n == 0 || n > 9)
                return false;
        for (size_t i = 0; i < n; i++)
                v = v * 10 + (unsigned long) (s[i] - '0');
        s += n;
        if (*s == '.')
                s += 1 + strspn(s + 1, DIGITS);
        return streq(s, "%") && v <= max;
}

static bool is_memory(const char *s) {
        return streq(s, "infinity") || is_percent(s, 100) || is_size(s);
}

static bool is_tasks(const char *s) {
        return streq(s, "infinity") || is_percent(s, 100) || is_uint(s);
}

static bool is_cpu_quota(const char *s) {
        return is_percent(s, 999999999);
}

static bool is_io_weight(const char *s) {
        unsigned v;

        return parse_uint(s, 10000, &v) >= 0 && v >= 1;
}

static bool is_cpu_weight(const char *s) {
        return streq(s, "idle") || is_io_weight(s);
}

static bool is_nice(const char *s) {
        return integer_between(s, -20, 19);
}

static bool is_oom_adjust(const char *s) {
        return integer_between(s, -1000, 1000);
}

static bool is_mode(const char *s) {
        unsigned v;

        return parse_octal(s, 07777, &v) >= 0;
}

static bool is_path(const char *s) {
        if (*s == '-')
                s++;
        return *s == '/' || *s == '%';
}

static bool is_prefixed_path(const char *s) {
        s += strspn(s, "-+:");
        return *s == '/' || *s == '%';
}

static bool are_paths(const char *s) {
        for (;;) {
                char *word = NULL;
                bool is_right;
                int r;

                r = word_next(&s, &word);
                if (r <= 0)
                        return r == 0 || r == -ENOMEM;
                is_right = is_prefixed_path(word);
                free(word);
                if (!is_right)
                        return false;
        }
}

static bool is_signal(const char *s) {
        unsigned v;
        const char *rt;

        if (parse_uint(s, 64, &v) >= 0)
                return v > 0;
        if (strncasecmp(s, "SIG", 3) == 0)
                s += 3;
        rt = strncasecmp(s, "RTMIN", 5) == 0 || strncasecmp(s, "RTMAX", 5) == 0 ? s + 5 : NULL;
        if (rt)
                return *rt == '\0' || ((*rt == '+' || *rt == '-') && parse_uint(rt + 1, 34, &v) >= 0 &&
                                       (*rt == '+') == (toupper((unsigned char) s[3]) == 'I'));
        for (int i = 1; i < 32; i++) {
                const char *name = sigabbrev_np(i);

                if (name && strcasecmp(name, s) == 0)
                        return true;
        }
        return strcasecmp(s, "CLD") == 0 || strcasecmp(s, "IOT") == 0;
}

static bool is_exit_status(const char *s) {
        unsigned v;

        /* names such as DATAERR, BADMSG ... are systemd's (systemd.exec(5)) */
        return parse_uint(s, 255, &v) >= 0 || is_signal(s) ||
               (isupper((unsigned char) *s) && str_in_set(s, UPPER DIGITS "_"));
}

static bool are_exit_statuses(const char *s) {
        return all_words(s, is_exit_status);
}

static bool is_errno(const char *s) {
        unsigned v;

        if (streq(s, "kill") || parse_uint(s, 4095, &v) >= 0)
                return true;
        for (int i = 1; i < 134; i++) {
                const char *name = strerrorname_np(i);

                if (name && streq(name, s))
                        return true;
        }
        return streq(s, "EAGAIN") || streq(s, "EDEADLOCK") || streq(s, "EOPNOTSUPP");
}

static bool are_capabilities(const char *s) {
        return all_words(s, value_is_capability);
}

/* A line of ExecStartPre= and the like: "+" and "!" would run it outside of the app. */
static bool is_command(const char *s) {
        s += strspn(s, "-@: \t");
        return *s != '\0' && *s != '+' && *s != '!';
}

static bool are_architectures(const char *s) {
        return all_words(s, value_is_architecture);
}

static bool are_families(const char *s) {
        return streq(s, "none") || all_words(s, value_is_family);
}

static bool is_namespace(const char *s) {
        return value_in_words(s, "cgroup\0ipc\0net\0mnt\0pid\0user\0uts\0time\0");
}

static bool are_namespaces(const char *s) {
        return is_boolean(s) || all_words(s, is_namespace);
}

/* "@group", "call", each with ":ERROR" or without. */
static bool is_syscall(const char *s) {
        size_t n;

        s += *s == '@';
        n = strspn(s, LOWER UPPER DIGITS "_-");
        return n > 0 && (s[n] == '\0' || (s[n] == ':' && is_errno(s + n + 1)));
}

static bool are_syscalls(const char *s) {
        return all_words(s, is_syscall);
}

static bool is_rlimit_word(const char *s) {
        return streq(s, "infinity") || is_size(s) || is_seconds(s) || is_nice(s);
}

static bool is_rlimit(const char *s) {
        const char *colon = strchr(s, ':');
        char soft[64];

        if (!colon)
                return is_rlimit_word(s);
        if ((size_t) (colon - s) >= sizeof(soft))
                return false;
        memcpy(soft, s, (size_t) (colon - s));
        soft[colon - s] = '\0';
        return is_rlimit_word(soft) && is_rlimit_word(colon + 1);
}

static bool is_address(const char *s) {
        char copy[INET6_ADDRSTRLEN + 4];
        unsigned char b[sizeof(struct in6_addr)];
        unsigned bits;
        char *slash;

        if (value_in_words(s, "any\0localhost\0link-local\0multicast\0"))
                return true;
        if (strlen(s) >= sizeof(copy))
                return false;
        memcpy(copy, s, strlen(s) + 1);
        slash = strchr(copy, '/');
        if (slash) {
                *slash++ = '\0';
                if (parse_uint(slash, 128, &bits) < 0)
                        return false;
        }
        return inet_pton(AF_INET, copy, b) == 1 || inet_pton(AF_INET6, copy, b) == 1;
}

static bool are_addresses(const char *s) {
        return all_words(s, is_address);
}

static bool is_host_name(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n > 64 || strstr(s, "..") || strstr(s, ".-") || strstr(s, "-."))
                return false;
        return str_in_set(s, LOWER UPPER DIGITS ".-") && !strchr(".-", s[0]) && !strchr(".-", s[n - 1]);
}

static bool is_control_groups(const char *s) {
        return is_boolean(s) || value_in_words(s, "private\0strict\0");
}

/* "yes", "private", since systemd 258 each with ":NAME" */
static bool is_protect_hostname(const char *s) {
        size_t n = strcspn(s, ":");
        char word[8];

        if (n >= sizeof(word) || (s[n] && !is_host_name(s + n + 1)))
                return false;
        memcpy(word, s, n);
        word[n] = '\0';
        return is_boolean(word) || streq(word, "private");
}

static bool is_pressure_watch(const char *s) {
        return is_boolean(s) || value_in_words(s, "auto\0skip\0");
}

static bool is_secure_bit(const char *s) {
        return value_in_words(s, "keep-caps\0keep-caps-locked\0no-setuid-fixup\0no-setuid-fixup-locked\0"
                                 "noroot\0noroot-locked\0");
}

static bool are_secure_bits(const char *s) {
        return all_words(s, is_secure_bit);
}

static bool is_cpus(const char *s) {
        return str_in_set(s, DIGITS "-, \t") || streq(s, "numa");
}

/* DeviceAllow=: /dev/x or a group of devices, and what may be done. */
static bool is_device(const char *s) {
        size_t n = strcspn(s, " \t");

        if (!startswith(s, "/dev/") && !startswith(s, "/run/systemd/inaccessible/") &&
            !startswith(s, "char-") && !startswith(s, "block-"))
                return false;
        s += n + strspn(s + n, " \t");
        return str_in_set(s, "rwm");
}

static bool is_bandwidth(const char *s) {
        size_t n = strcspn(s, " \t");

        if (*s != '/')
                return false;
        s += n + strspn(s + n, " \t");
        return streq(s, "infinity") || is_size(s) || is_seconds(s);
}

static bool is_assignment(const char *s) {
        return value_is_environment(s + strspn(s, "\"'"));
}

static bool is_unit(const char *s) {
        const char *dot = strrchr(s, '.');

        return dot && dot != s && str_in_set(s, LOWER UPPER DIGITS ":-_.\\@%") &&
               value_in_words(dot + 1,
                              "service\0socket\0target\0mount\0automount\0swap\0path\0timer\0slice\0scope\0"
                              "device\0pod\0");
}

static bool are_units(const char *s) {
        return all_words(s, is_unit);
}

static bool is_port_mapping(const char *s) {
        PortMapping m;

        return !port_mapping_parse(s, &m);
}

/* One word of "options" in resolv.conf(5). */
static bool is_dns_option(const char *s) {
        return *s && str_in_set(s, LOWER UPPER DIGITS "_-:.");
}

/* NAME:IP, or host */
static bool is_add_host(const char *s) {
        const char *colon = strchr(s, ':');
        char name[65];

        if (streq(s, "host"))
                return true;
        if (!colon || (size_t) (colon - s) >= sizeof(name))
                return false;
        memcpy(name, s, (size_t) (colon - s));
        name[colon - s] = '\0';
        return is_host_name(name) && is_address(colon + 1) && !strchr(colon, '/') &&
               strpbrk(colon, DIGITS ":");
}

static bool is_dns(const char *s) {
        return streq(s, "host") || streq(s, "none") || (is_address(s) && !strchr(s, '/') && strpbrk(s, ".:"));
}

static bool is_sysctl(const char *s) {
        size_t n = strspn(s, LOWER UPPER DIGITS "_./-");

        return n > 0 && s[n] == '=';
}

static bool is_port(const char *s) {
        unsigned v;

        return parse_uint(s, 65535, &v) >= 0 && v > 0;
}

/* A name, a number (no sign, not 4294967295) or an absolute path, whose owner counts (appc). Names are not looked up: the
 * app's own passwd counts, which a generator cannot see. */
static bool is_user(const char *s) {
        unsigned v;

        if (*s == '/')
                return path_is_normalized(s);
        if (isdigit((unsigned char) *s))
                return parse_uint(s, UINT32_MAX - 1, &v) >= 0;
        return (isalpha((unsigned char) *s) || *s == '_') && strlen(s) <= 256 &&
               str_in_set(s, LOWER UPPER DIGITS "_.-");
}

/**
 * value_is_environment() - is this NAME=VALUE with the name of an environment variable?
 * @value: unquoted; the value behind "=" may be anything
 *
 * Return: true when NAME is a letter or "_", then letters, digits and "_".
 */
bool value_is_environment(const char *value) {
        return (isalpha((unsigned char) *value) || *value == '_') &&
               value[strspn(value, LOWER UPPER DIGITS "_")] == '=';
}

static const struct {
        bool (*is_valid)(const char *value);
        const char *wrong; /* what is wrong (what would be right) */
} checks[_CHECK_MAX] = {
        [CHECK_AC_NAME] = { app_name_is_valid, "not a name (lower-case letters, digits and inner '-')" },
        [CHECK_ADD_HOST] = { is_add_host, "not NAME:IP (or host)" },
        [CHECK_APP_DEVICE] = { place_is_device, PLACE_DEVICE_WRONG },
        [CHECK_APP_TMPFS] = { place_is_tmpfs, PLACE_TMPFS_WRONG },
        [CHECK_PRIVATE_USERS] = { place_is_private_users, PLACE_USERS_WRONG },
        [CHECK_DNS_OPTION] = { is_dns_option, "not an option of resolv.conf(5)" },
        [CHECK_DNS] = { is_dns, "not an address (or host, or none)" },
        [CHECK_PORT] = { is_port, "not a port (1 to 65535)" },
        [CHECK_SYSCTL] = { is_sysctl, "not NAME=VALUE (net.core.somaxconn=1024)" },
        [CHECK_ADDRESSES] = { are_addresses,
                              "not a list of addresses (10.0.0.0/8, ::1, any, localhost, link-local, "
                              "multicast)" },
        [CHECK_ARCHITECTURES] = { are_architectures, "unknown architecture (native, x86-64, arm64 ...)" },
        [CHECK_BANDWIDTH] = { is_bandwidth, "not a path and a value (/dev/sda 5M)" },
        [CHECK_BOOLEAN] = { is_boolean, "not a boolean (yes or no)" },
        [CHECK_CALENDAR] = { value_is_calendar, "not a calendar expression (daily, Mon..Fri 04:30, *-*-01 "
                                                "00:00 Europe/Berlin)" },
        [CHECK_CAPABILITIES] = { are_capabilities,
                                 "unknown capability (CAP_NET_BIND_SERVICE, CAP_CHOWN ...)" },
        [CHECK_COMMAND] = { is_command, "not a command (a program and its arguments, without '+' or '!')" },
        [CHECK_CONTROL_GROUPS] = { is_control_groups, "not a boolean (yes, no; private or strict)" },
        [CHECK_PRESSURE_WATCH] = { is_pressure_watch, "not a boolean (yes, no; auto or skip)" },
        [CHECK_PROTECT_HOSTNAME] = { is_protect_hostname, "not a boolean (yes, no; or private)" },
        [CHECK_SECURE_BITS] = { are_secure_bits,
                                "not a list of secure bits (keep-caps, no-setuid-fixup, noroot, each also "
                                "with -locked)" },
        [CHECK_CPUS] = { is_cpus, "not a list of CPUs (0-3,7)" },
        [CHECK_CPU_QUOTA] = { is_cpu_quota, "not a share of one CPU (50%)" },
        [CHECK_CPU_WEIGHT] = { is_cpu_weight, "not a weight (1 to 10000, or idle)" },
        [CHECK_DEVICE] = { is_device, "not a device (/dev/NAME, char-NAME or block-NAME, then r, w, m)" },
        [CHECK_ENVIRONMENT] = { is_assignment, "not a list of assignments (NAME=VALUE)" },
        [CHECK_ERRNO] = { is_errno, "unknown error (EPERM, EACCES ..., a number, or kill)" },
        [CHECK_EXIT_STATUS] = { are_exit_statuses, "not a list of exit statuses (0 to 255, or signals)" },
        [CHECK_FAMILIES] = { are_families,
                             "not a list of address families that Linux has (AF_UNIX AF_INET AF_INET6, or "
                             "none)" },
        [CHECK_HOST_NAME] = { is_host_name,
                              "not a host name (letters, digits, '-' and '.', at most 64 characters)" },
        [CHECK_IO_WEIGHT] = { is_io_weight, "not a weight (1 to 10000)" },
        [CHECK_MEMORY] = { is_memory, "not a size (512M, 50% or infinity)" },
        [CHECK_MODE] = { is_mode, "not an octal mode (0755)" },
        [CHECK_NAMESPACES] = { are_namespaces,
                               "not a boolean and not a list of namespaces (user mnt net ...)" },
        [CHECK_NICE] = { is_nice, "not a number from -20 to 19" },
        [CHECK_OOM_ADJUST] = { is_oom_adjust, "not a number from -1000 to 1000" },
        [CHECK_PATH] = { is_path, "not an absolute path" },
        [CHECK_PATHS] = { are_paths, "not a list of absolute paths" },
        [CHECK_PORT_MAPPING] = { is_port_mapping, "not [HOSTIP:]HOSTPORT:PORT[/tcp|udp|sctp]" },
        [CHECK_RLIMIT] = { is_rlimit, "not a limit (SOFT:HARD, a number or infinity)" },
        [CHECK_SECONDS] = { is_seconds, "not a time (30s, 5min, infinity)" },
        [CHECK_SIGNAL] = { is_signal, "unknown signal (SIGTERM, SIGRTMIN+3 ...)" },
        [CHECK_SIZE] = { is_size, "not a size (64M)" },
        [CHECK_SYSCALLS] = { are_syscalls,
                             "not a list of system calls and groups, each with an error of its own or "
                             "without (@system-service mount:EPERM)" },
        [CHECK_TASKS] = { is_tasks, "not a number of tasks (512, 10% or infinity)" },
        [CHECK_UINT] = { is_uint, "not a number" },
        [CHECK_UNITS] = { are_units, "not a list of units (network.target, db.service, NAME.pod)" },
        [CHECK_USER] = { is_user, "not a user or group (a name, a number, or a path whose owner counts)" },
};

static const struct {
        const char *words; /* each with its NUL */
        const char *wrong; /* what is wrong (what would be right) */
} lists[_CHECK_MAX] = {
        [CHECK_AUTO_UPDATE] = { "no\0registry\0", "unknown word (no or registry)" },
        [CHECK_HEALTH_ACTION] = { "none\0restart\0stop\0", "unknown word (none, restart or stop)" },
        [CHECK_STANDARD_INPUT] = { "null\0tty\0stream\0interactive\0",
                                   "unknown word (null, tty, stream or interactive)" },
        [CHECK_STANDARD_OUTPUT] = { "null\0journal\0tty\0stream\0interactive\0",
                                    "unknown word (null, journal, tty, stream or interactive)" },
        [CHECK_EXIT_TYPE] = { "main\0cgroup\0", "unknown type (main or cgroup)" },
        [CHECK_FAILURE_MODE] = { "terminate\0abort\0kill\0", "unknown mode (terminate, abort or kill)" },
        [CHECK_JOB_MODE] = { "fail\0replace\0replace-irreversibly\0isolate\0flush\0ignore-"
                             "dependencies\0ignore-requirements\0",
                             "unknown mode (fail, replace, replace-irreversibly, isolate, flush, "
                             "ignore-dependencies or ignore-requirements)" },
        [CHECK_KEYRING_MODE] = { "inherit\0private\0shared\0", "unknown mode (inherit, private or shared)" },
        [CHECK_NOTIFY_ACCESS] = { "none\0main\0exec\0all\0", "unknown word (none, main, exec or all)" },
        [CHECK_NUMA_POLICY] = { "default\0preferred\0bind\0interleave\0local\0",
                                "unknown policy (default, preferred, bind, interleave or local)" },
        [CHECK_OOM_POLICY] = { "continue\0stop\0kill\0", "unknown policy (continue, stop or kill)" },
        [CHECK_PROC_SUBSET] = { "all\0pid\0", "unknown word (all or pid)" },
        [CHECK_PROTECT_PROC] = { "noaccess\0invisible\0ptraceable\0default\0",
                                 "unknown word (noaccess, invisible, ptraceable or default)" },
        [CHECK_CPU_POLICY] = { "other\0batch\0idle\0fifo\0rr\0",
                               "unknown policy (other, batch, idle, fifo or rr)" },
        [CHECK_DEVICE_POLICY] = { "auto\0closed\0strict\0", "unknown policy (auto, closed or strict)" },
        [CHECK_IO_CLASS] = { "0\0"
                             "1\0"
                             "2\0"
                             "3\0"
                             "none\0realtime\0best-effort\0idle\0",
                             "unknown class (none, realtime, best-effort or idle)" },
        [CHECK_KILL_MODE] = { "control-group\0mixed\0process\0none\0",
                              "unknown mode (control-group, mixed, process or none)" },
        [CHECK_LOG_FACILITY] = { "kern\0user\0mail\0daemon\0auth\0syslog\0lpr\0news\0uucp\0cron\0authpriv\0ft"
                                 "p\0local0\0"
                                 "local1\0local2\0local3\0local4\0local5\0local6\0local7\0",
                                 "unknown facility (daemon, user, local0 ...)" },
        [CHECK_LOG_LEVEL] = { "emerg\0alert\0crit\0err\0warning\0notice\0info\0debug\0"
                              "0\0"
                              "1\0"
                              "2\0"
                              "3\0"
                              "4\0"
                              "5\0"
                              "6\0"
                              "7\0",
                              "unknown level (emerg, alert, crit, err, warning, notice, info or debug)" },
        [CHECK_RESTART] = { "no\0always\0on-success\0on-failure\0on-abnormal\0on-abort\0on-watchdog\0",
                            "unknown word (no, always, on-success, on-failure, on-abnormal, on-abort or "
                            "on-watchdog)" },
        [CHECK_RESTART_MODE] = { "normal\0direct\0debug\0", "unknown mode (normal, direct or debug)" },
        [CHECK_SERVICE_TYPE] = { "simple\0exec\0forking\0oneshot\0notify\0notify-reload\0idle\0",
                                 "unknown type (simple, exec, forking, oneshot, notify, notify-reload or "
                                 "idle)" },
};

/**
 * value_check() - check a value
 * @check: which kind
 * @value: not empty; specifiers expanded, a literal "%" may be doubled
 *
 * Return: NULL when it may pass; else a constant sentence: what is wrong (what would be right).
 */
const char *value_check(ValueCheck check, const char *value) {
        if (checks[check].is_valid)
                return checks[check].is_valid(value) ? NULL : checks[check].wrong;
        if (lists[check].words)
                return value_in_words(value, lists[check].words) ? NULL : lists[check].wrong;
        return NULL;
}

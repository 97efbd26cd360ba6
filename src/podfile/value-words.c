/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long lists of names; by libc alone. */
#include "podfile/value-words.h"

#include <string.h>
#include <strings.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"

/**
 * value_in_words() - is this one of them?
 * @s:     a word
 * @words: each with its NUL, and another one at the end
 *
 * Return: true or false.
 */
bool value_in_words(const char *s, const char *words) {
        for (; *words; words += strlen(words) + 1)
                if (streq(s, words))
                        return true;
        return false;
}

/* In the order of their numbers. */
static const char *const capabilities[] = {
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
        "WAKE_ALARM",
        "BLOCK_SUSPEND",
        "AUDIT_READ",
        "PERFMON",
        "BPF",
        "CHECKPOINT_RESTORE",
};

/* What comes after "CAP_"; NULL for one that has no name, or is none. */
static const char *capability_name(const char *s) {
        unsigned v;

        if (parse_uint(s, ELEMENTSOF(capabilities) - 1, &v) >= 0)
                return capabilities[v];
        if (strncasecmp(s, "CAP_", 4) != 0)
                return NULL;
        FOREACH_ARRAY (c, capabilities, ELEMENTSOF(capabilities))
                if (strcasecmp(s + 4, *c) == 0)
                        return *c;
        return NULL;
}

/**
 * value_is_capability() - has Linux such a capability?
 * @s: "CAP_CHOWN", in any case, or a number
 *
 * Return: true or false; true for numbers to come.
 */
bool value_is_capability(const char *s) {
        unsigned v;

        return capability_name(s) || parse_uint(s, 62, &v) >= 0;
}

/**
 * value_capabilities_to_names() - write a list of capabilities in one way, so that words can be compared
 * @value: of CapabilityBoundingSet= or AmbientCapabilities=, also with "~"
 * @ret:   "CAP_CHOWN" for "cap_chown" and "0", with a blank between words; what is unknown stays; to free()
 *
 * Return: 0, -ENOMEM.
 */
int value_capabilities_to_names(const char *value, char **ret) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        const char *blank = "";

        if (strv_split(value + (*value == '~'), " \t\n", &words) < 0)
                return -ENOMEM;
        strbuf_add(&b, *value == '~' ? "~" : "");
        STRV_FOREACH (w, words) {
                const char *name = capability_name(*w);

                if (**w == '\0')
                        continue;
                strbuf_addf(&b, "%s%s%s", blank, name ? "CAP_" : "", name ? name : *w);
                blank = " ";
        }
        return strbuf_steal(&b, ret);
}

/**
 * value_is_architecture() - does systemd know it?
 * @s: a word of SystemCallArchitectures=
 *
 * Return: true or false.
 */
bool value_is_architecture(const char *s) {
        return value_in_words(
                s, /* NOLINTNEXTLINE(bugprone-string-literal-with-embedded-nul) "x86" is no digits of \x */
                "native\0"
                "x86\0"
                "x86-64\0"
                "x32\0"
                "arm\0arm64\0loongarch64\0mips\0mips64\0mips64-n32\0mips-le\0"
                "mips64-le\0mips64-le-n32\0parisc\0parisc64\0ppc\0ppc64\0ppc64-le\0riscv64\0s390\0s390x\0");
}

/**
 * value_is_family() - has Linux such an address family?
 * @s: "AF_INET"
 *
 * Return: true or false. Families that are gone, or newer than all C libraries, are known, too.
 */
bool value_is_family(const char *s) {
        const char *name = startswith(s, "AF_");

        return name && value_in_words(name, "ALG\0APPLETALK\0ASH\0ATMPVC\0ATMSVC\0AX25\0BLUETOOTH\0BRIDGE\0CA"
                                            "IF\0CAN\0DECnet\0ECONET\0"
                                            "FILE\0IB\0IEEE802154\0INET\0INET6\0IPX\0IRDA\0ISDN\0IUCV\0KCM\0K"
                                            "EY\0LLC\0LOCAL\0MCTP\0MPLS\0"
                                            "NETBEUI\0NETLINK\0NETROM\0NFC\0PACKET\0PHONET\0PPPOX\0QIPCRTR\0R"
                                            "DS\0ROSE\0ROUTE\0RXRPC\0"
                                            "SECURITY\0SMC\0SNA\0TIPC\0UNIX\0VSOCK\0WANPIPE\0X25\0XDP\0");
}

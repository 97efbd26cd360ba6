/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long lists of names; by libc alone. */
#include "podfile/value-words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "basic/parse.h"
#include "basic/str.h"

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

/**
 * value_is_capability() - has Linux such a capability?
 * @s: "CAP_CHOWN", in any case, or a number
 *
 * Return: true or false.
 */
bool value_is_capability(const char *s) {
        static const char names[] =
                "chown\0dac_override\0dac_read_search\0fowner\0fsetid\0kill\0setgid\0setuid\0setpcap\0"
                "linux_immutable\0net_bind_service\0net_broadcast\0net_admin\0net_raw\0ipc_lock\0ipc_owner\0"
                "sys_module\0sys_rawio\0sys_chroot\0sys_ptrace\0sys_pacct\0sys_admin\0sys_boot\0sys_nice\0"
                "sys_resource\0sys_time\0sys_tty_config\0mknod\0lease\0audit_write\0audit_control\0setfcap\0"
                "mac_override\0mac_admin\0syslog\0wake_alarm\0block_suspend\0audit_read\0perfmon\0bpf\0"
                "checkpoint_restore\0";
        char lower[32];
        unsigned v;
        size_t n = strlen(s);

        if (parse_uint(s, 62, &v) >= 0)
                return true;
        if (n >= sizeof(lower) || strncasecmp(s, "CAP_", 4) != 0)
                return false;
        for (size_t i = 4; i <= n; i++)
                lower[i - 4] = (char) tolower((unsigned char) s[i]);
        return value_in_words(lower, names);
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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An isolator names what is kept, or what is taken away, and may name sets: "@appc.io/all" and "@appc.io/empty" switch it
 * off, those of rkt and docker are the defaults of these programs, "@systemd/X" are systemd's. */
#include "manifest/ac-seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macro.h"
#include "basic/str.h"
#include "basic/strv.h"

/* chroot, landlock, protection keys and filters of a program's own make nothing possible that was not. */
const char ac_seccomp_allowed[] = "@system-service chroot landlock_add_rule landlock_create_ruleset "
                                  "landlock_restrict_self pkey_alloc pkey_free pkey_mprotect seccomp";

/* Not @mount and @privileged: chroot, chown, setuid and capset are in them, which the capabilities bound well enough. */
const char ac_seccomp_denied[] =
        "@clock @cpu-emulation @debug @keyring @module @obsolete @raw-io @reboot @swap acct bpf "
        "fanotify_init "
        "fsconfig fsmount fsopen fspick io_uring_enter io_uring_register io_uring_setup mount mount_setattr "
        "move_mount nfsservctl open_by_handle_at open_tree perf_event_open pivot_root quotactl quotactl_fd "
        "setdomainname sethostname syslog umount umount2 userfaultfd vhangup";

static const struct {
        const char *set, *words;
} known_sets[] = {
        { "@rkt/default-whitelist", ac_seccomp_allowed },
        { "@docker/default-whitelist", ac_seccomp_allowed },
        { "@rkt/default-blacklist", ac_seccomp_denied },
        { "@docker/default-blacklist", ac_seccomp_denied },
};

/**
 * ac_seccomp_group() - the group of systemd that a word of an isolator means
 * @word: "@systemd/clock"
 *
 * Return: its name without "@", pointing into @word; NULL: it is none.
 */
const char *ac_seccomp_group(const char *word) {
        return startswith(word, "@systemd/");
}

static int add_words(StrBuf *b, const char *text, const char *suffix) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(text, " ", &words);

        STRV_FOREACH (w, words)
                if (**w)
                        strbuf_addf(b, " %s%s", *w, suffix);
        return r;
}

static int add_word(StrBuf *b, const char *word, const char *suffix) {
        const char *group = ac_seccomp_group(word);

        FOREACH_ARRAY (k, known_sets, ELEMENTSOF(known_sets))
                if (streq(word, k->set))
                        return add_words(b, k->words, suffix);
        strbuf_addf(b, " %s%s%s", group ? "@" : "", group ? group : word, suffix);
        return 0;
}

/**
 * ac_seccomp_filter() - values for SystemCallFilter= that say what a set says
 * @retain:     the set is what is kept; else it is taken away from what is allowed otherwise
 * @set:        system calls and sets
 * @errno_name: "EPERM": what the others, or those taken away, answer; NULL: they kill the program
 * @ret:        values, for strv_free(). With @retain the first is empty, which forgets lines before; otherwise each begins
 *              with "~". NULL: nothing is filtered by this set
 *
 * With @retain, SystemCallErrorNumber= has to be set to @errno_name.
 *
 * Return: 0, -ENOMEM.
 */
int ac_seccomp_filter(bool retain, char *const *set, const char *errno_name, char ***ret) {
        _cleanup_free_ char *suffix = retain ? strdup("") : strf(":%s", str_or(errno_name, "kill"));
        _cleanup_strv_free_ char **values = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        char *text = NULL;
        int r = suffix ? 0 : -ENOMEM;

        *ret = NULL;
        if (r >= 0 && strv_contains(set, retain ? "@appc.io/all" : "@appc.io/empty"))
                return 0;
        strbuf_add(&b, retain ? "@default" : "~");
        for (char *const *w = set; w && *w && r >= 0; w++)
                if (!startswith(*w, "@appc.io/"))
                        r = add_word(&b, *w, suffix);
        if (r >= 0)
                r = strbuf_steal(&b, &text);
        if (r < 0)
                return r;
        if (!retain && text[1] == ' ') /* "~ a b" */
                memmove(text + 1, text + 2, strlen(text + 2) + 1);
        r = retain ? strv_extend(&values, "") : 0;
        if (r < 0 || streq(text, "~")) {
                free(text);
                return r;
        }
        r = strv_consume(&values, text);
        if (r >= 0)
                *ret = TAKE_PTR(values);
        return r;
}

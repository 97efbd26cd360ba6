/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From 127.0.0.1 to a pod, the kernel sends only by interfaces where route_localnet says so. By these it also takes in what
 * others send to 127.0.0.0/8: a rule of the table drops that. The rule stands before the setting is made, and falls after it is
 * taken back. Which interfaces have it from us is written down first, so that after a kill it is taken back all the same. */
#include "run/net-localnet.h"

#include <fcntl.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "run/net-namespace.h"

#define LIST_MAX (1024U * 1024) /* bytes */

static int set(const char *interface, const char *value) {
        _cleanup_free_ char *key = strf("ipv4/conf/%s/route_localnet", interface);

        return key ? net_sysctl_write(key, value) : -ENOMEM;
}

/* By us, or by somebody else. */
static bool is_set(const char *interface) {
        _cleanup_free_ char *path = strf("/proc/sys/net/ipv4/conf/%s/route_localnet", interface),
                            *value = NULL;
        size_t size;

        return path && file_read_at(AT_FDCWD, path, 16, &value, &size) >= 0 && *value == '1';
}

/* The interfaces that lead to published ports. */
static int list_needed(const NetStates *states, char ***ret) {
        for (size_t i = 0; i < states->n; i++) {
                const NetState *s = states->items[i];

                if (s->n_ports == 0 || s->port_network < 0)
                        continue;
                STRV_FOREACH (name, s->networks[s->port_network].host_ifs)
                        if (!strv_contains(*ret, *name) && strv_extend(ret, *name) < 0)
                                return -ENOMEM;
        }
        return 0;
}

static int read_list(char ***ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(AT_FDCWD, NET_LOCALNET_FILE, LIST_MAX, &text, &size);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_setf(e, r, "cannot read " NET_LOCALNET_FILE ": %s", strerror(-r));
        return strv_split(text, "\n", ret) < 0 ? error_oom(e) : 0;
}

static int write_list(char **ours, Error *e) {
        _cleanup_free_ char *text = NULL;
        int r = strv_join(ours, "\n", &text);

        if (r >= 0)
                r = file_write_at(AT_FDCWD, NET_LOCALNET_FILE, text, strlen(text), 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot write " NET_LOCALNET_FILE ": %s", strerror(-r)) : 0;
}

/* Of what is written down, what is needed or cannot be taken back stays. */
static int take_back(char **before, char **needed, char ***ret_ours, char ***guarded, Error *e) {
        STRV_FOREACH (i, before) {
                bool is_needed = strv_contains(needed, *i);
                int r;

                if (!**i)
                        continue;
                r = is_needed ? 0 : set(*i, "0");
                if (r == -ENOENT || (r >= 0 && !is_needed))
                        continue;
                if (strv_extend(ret_ours, *i) < 0 || (!is_needed && strv_extend(guarded, *i) < 0))
                        return error_oom(e);
        }
        return 0;
}

/**
 * net_localnet_begin() - before the rules change
 * @states:      all pods, locked
 * @ret_guarded: interfaces by which nobody may reach 127.0.0.0/8, for strv_free()
 * @e:           sentence on failure; may be NULL
 *
 * Takes the setting back where no published port needs it. One that an administrator made stays.
 *
 * Return: 0, -ENOMEM, errors of reading and writing NET_LOCALNET_FILE.
 */
int net_localnet_begin(const NetStates *states, char ***ret_guarded, Error *e) {
        _cleanup_strv_free_ char **before = NULL, **needed = NULL, **guarded = NULL, **ours = NULL;
        int r = read_list(&before, e);

        if (r < 0)
                return r;
        if (list_needed(states, &needed) < 0 || strv_copy(needed, &guarded) < 0)
                return error_oom(e);
        r = take_back(before, needed, &ours, &guarded, e);
        if (r < 0)
                return r;
        STRV_FOREACH (i, needed)
                if (!strv_contains(before, *i) && !is_set(*i) && strv_extend(&ours, *i) < 0)
                        return error_oom(e);
        if (before || ours)
                r = write_list(ours, e);
        if (r >= 0)
                *ret_guarded = TAKE_PTR(guarded);
        return r;
}

/**
 * net_localnet_end() - after the rules have changed
 * @states: as net_localnet_begin() had them
 */
void net_localnet_end(const NetStates *states) {
        _cleanup_strv_free_ char **needed = NULL;

        (void) list_needed(states, &needed);
        STRV_FOREACH (i, needed)
                (void) set(*i, "1");
}

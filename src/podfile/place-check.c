/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "podfile/place-check.h"

#include <stdint.h>
#include <string.h>

#include "basic/macro.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"

static bool is_node(const char *s) {
        return startswith(s, "/dev/") && path_is_normalized(s) && !strpbrk(s, " \t\n\"\\");
}

static bool is_access(const char *s) {
        return *s && s[strspn(s, "rwm")] == '\0' && strlen(s) <= 3;
}

/**
 * place_is_device() - a word of Device=?
 * @s: "[-]/dev/NAME[:/dev/TARGET][:rwm]"
 *
 * Return: true or false.
 */
bool place_is_device(const char *s) {
        _cleanup_strv_free_ char **parts = NULL;
        size_t n;

        if (s[strlen(s) - 1] == ':' || strstr(s, "::") || strv_split(s + (*s == '-'), ":", &parts) < 0)
                return false;
        n = strv_length(parts);
        if (n == 0 || n > 3 || !is_node(parts[0]))
                return false;
        if (n == 3)
                return is_node(parts[1]) && is_access(parts[2]);
        return n == 1 || is_node(parts[1]) || is_access(parts[1]);
}

/* Sizes may be percents of the machine's memory. */
static bool is_tmpfs_size(const char *s) {
        size_t n = strlen(s);
        uint64_t v;

        if (n > 1 && s[n - 1] == '%')
                return strspn(s, "0123456789") == n - 1 && n <= 4;
        return !strchr(s, '.') && parse_size(s, &v) >= 0; /* the kernel reads it */
}

static bool is_id(const char *s) {
        unsigned v;

        return parse_uint(s, UINT32_MAX - 1, &v) >= 0;
}

static bool is_mode(const char *s) {
        unsigned v;

        return parse_octal(s, 07777, &v) >= 0;
}

static bool is_tmpfs_option(const char *s) {
        static const char *const flags[] = { "ro",     "rw",   "nosuid",  "suid",        "nodev",
                                             "noexec", "exec", "noatime", "strictatime", "relatime" };
        static const struct {
                const char *key;
                bool (*is_right)(const char *s);
        } values[] = {
                { "size=", is_tmpfs_size }, { "nr_inodes=", is_tmpfs_size },
                { "mode=", is_mode },       { "uid=", is_id },
                { "gid=", is_id },
        };

        FOREACH_ARRAY (f, flags, ELEMENTSOF(flags))
                if (streq(s, *f))
                        return true;
        FOREACH_ARRAY (v, values, ELEMENTSOF(values)) {
                const char *value = startswith(s, v->key);

                if (value)
                        return v->is_right(value);
        }
        return false;
}

static bool is_tmpfs_place(const char *s) {
        static const char *const kernel[] = { "/dev", "/proc", "/sys" };

        if (!path_is_absolute(s) || !path_is_normalized(s) || streq(s, "/") || strchr(s, '\n'))
                return false;
        FOREACH_ARRAY (k, kernel, ELEMENTSOF(kernel))
                if (path_is_beneath(s, *k))
                        return false;
        return true;
}

/**
 * place_is_tmpfs() - a word of TemporaryFileSystem=?
 * @s: "/path[:option,...]"
 *
 * Return: true or false; false, too, for places that are the kernel's.
 */
bool place_is_tmpfs(const char *s) {
        _cleanup_strv_free_ char **options = NULL;
        const char *colon = strchr(s, ':');
        _cleanup_free_ char *path = strndup(s, colon ? (size_t) (colon - s) : strlen(s));

        if (!path || !is_tmpfs_place(path) || strv_split(colon ? colon + 1 : "", ",", &options) < 0)
                return false;
        STRV_FOREACH (o, options)
                if (!is_tmpfs_option(*o))
                        return false;
        return strv_length(options) <= 16;
}

/**
 * place_is_private_users() - a value of PrivateUsers= that is no boolean?
 * @s: "auto", "pick", "identity", "START:LENGTH"
 *
 * Return: true or false.
 */
bool place_is_private_users(const char *s) {
        const char *colon = strchr(s, ':');
        _cleanup_free_ char *start = colon ? strndup(s, (size_t) (colon - s)) : NULL;
        unsigned a, b;

        if (!colon)
                return streq(s, "auto") || streq(s, "pick") || streq(s, "identity");
        return start && parse_uint(start, UINT32_MAX - 1, &a) >= 0 &&
               parse_uint(colon + 1, UINT32_MAX - 1, &b) >= 0 && b > 0 && a <= UINT32_MAX - 1 - b;
}

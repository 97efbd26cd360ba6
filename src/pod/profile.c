/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A profile is a directory of *.conf files with a section [App] of keys that go into an app's unit. It stands in for the
 * defaults: the images' isolators cut something out of it, the pod file replaces it. */
#include "pod/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/ini.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "podfile/unit-keys.h"

#define PROFILE_MAX (64U * 1024) /* bytes of a file */

typedef struct Profile {
        const char *path;
        UnitSettings *settings;
        Error *error;
} Profile;

static int fail(const Profile *p, unsigned line, const char *key, const char *what) {
        return error_setf(p->error, -EINVAL, "%s:%u: [App] %s: %s", p->path, line, key, what);
}

static int on_bad(unsigned line, const char *what, void *userdata) {
        Profile *p = userdata;

        return error_setf(p->error, -EINVAL, "%s:%u: %s", p->path, line, what);
}

/* Keys of how a service is started and ended are an app's own business; and the host's systemd must know the times, which has
 * them from the pod file (pod-time.c). */
static int on_item(const IniItem *i, void *userdata) {
        Profile *p = userdata;
        const UnitKey *key;
        const char *wrong;

        if (startswith(i->section, "X-") || (i->key && startswith(i->key, "X-")))
                return 0;
        if (!streq(i->section, "App"))
                return error_setf(p->error, -EINVAL, "%s:%u: [%s]: a profile has one section, [App]", p->path,
                                  i->line, i->section);
        if (!i->key)
                return 0;
        key = unit_key_find(i->key);
        if (!key || !(key->places & UNIT_KEY_APP) || startswith(i->key, "Exec") ||
            startswith(i->key, "Timeout") || streq(i->key, "Type"))
                return fail(p, i->line, i->key, "this key has no place in a profile");
        if (*i->value == '\0' && !unit_key_is_list(key)) { /* or it would replace a default by nothing */
                unit_settings_forget(p->settings, unit_key_in_app(key));
                return 0;
        }
        wrong = *i->value ? value_check(key->check, i->value) : NULL;
        if (wrong)
                return fail(p, i->line, i->key, wrong);
        if (unit_key_since(key, i->value) > SYSTEMD_VERSION)
                return error_setf(p->error, -EINVAL,
                                  "%s:%u: [App] %s: '%.200s' needs systemd %u (this is %d)", p->path, i->line,
                                  i->key, i->value, unit_key_since(key, i->value), SYSTEMD_VERSION);
        return unit_settings_add(p->settings, unit_key_in_app(key), i->value, (PodPlace){}) < 0
                       ? error_oom(p->error)
                       : 0;
}

static int load_file(int dir_fd, const char *name, Profile *p) {
        const IniHandler handler = { .item = on_item, .bad = on_bad, .userdata = p };
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(dir_fd, name, PROFILE_MAX, &text, &size);

        return r < 0 ? error_setf(p->error, r, "cannot read the profile %s: %s", p->path, strerror(-r))
                     : ini_parse(text, size, &handler);
}

static int load_dir(int dir_fd, const char *path, UnitSettings *ret, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        int r = dir_list_at(dir_fd, ".", &names);

        if (r < 0)
                return error_setf(e, r, "cannot read the profile %s: %s", path, strerror(-r));
        strv_sort(names);
        STRV_FOREACH (n, names) {
                _cleanup_free_ char *file = strf("%s/%s", path, *n);
                Profile p = { .path = file, .settings = ret, .error = e };

                if (!file)
                        return error_oom(e);
                r = endswith(*n, ".conf") ? load_file(dir_fd, *n, &p) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_name(const char *const *dirs, const char *name, UnitSettings *ret, Error *e) {
        for (; *dirs; dirs++) {
                _cleanup_free_ char *path = strf("%s/%s", *dirs, name);
                _cleanup_close_ int fd = -EBADF;

                if (!path)
                        return error_oom(e);
                fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd >= 0)
                        return load_dir(fd, path, ret, e);
                if (errno != ENOENT)
                        return error_setf(e, -errno, "cannot open the profile %s: %s", path, strerror(errno));
        }
        return error_setf(
                e, -ENOENT,
                "there is no profile '%s': rkt has strict, nonetwork, trusted and rkt-1; others are "
                "directories of /etc/rkt/profile",
                name);
}

/**
 * profile_load() - the settings of profiles
 * @dirs:  where profiles are, NULL-terminated; the first that has one of the name counts
 * @names: valid app names, in the order in which they are read; NULL: none
 * @ret:   settings are added; on failure some may be
 * @e:     says which file and line
 *
 * Return: 0; -ENOENT: no such profile; -EINVAL: a file is wrong; errors of reading.
 */
int profile_load(const char *const *dirs, char *const *names, UnitSettings *ret, Error *e) {
        int r = 0;

        for (; names && *names && r >= 0; names++)
                r = load_name(dirs, *names, ret, e);
        return r;
}

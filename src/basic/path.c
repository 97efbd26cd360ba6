/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths as text; opening them is in fs-at.c. */
#include <string.h>

#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"

/**
 * path_is_absolute() - does it begin with a slash?
 * @p: not NULL
 *
 * Return: true or false.
 */
bool path_is_absolute(const char *p) {
        return p[0] == '/';
}

/**
 * path_is_normalized() - free of "." and "..", "//", a slash at the end, and of over-long text?
 * @p: not NULL; absolute or relative; "/" alone is normalized, "" is not
 *
 * Return: true or false.
 */
bool path_is_normalized(const char *p) {
        if (*p == '\0' || strlen(p) > PATH_LENGTH_MAX)
                return false;
        if (streq(p, "/"))
                return true;
        if (*p == '/')
                p++;
        for (;;) {
                size_t n = strcspn(p, "/");

                if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return false;
                p += n;
                if (*p == '\0')
                        return true;
                p++;
        }
}

/**
 * path_is_safe_name() - one component that is a plain file name?
 * @p: not NULL
 *
 * Return: true when not empty, not "." or "..", without slash, at most 255 bytes.
 */
bool path_is_safe_name(const char *p) {
        return *p && !streq(p, ".") && !streq(p, "..") && !strchr(p, '/') && strlen(p) <= 255;
}

/**
 * path_is_beneath() - is a path this one, or in it?
 * @path: clean
 * @top:  clean; "/" has none but itself
 *
 * Return: true or false.
 */
bool path_is_beneath(const char *path, const char *top) {
        const char *rest = startswith(path, top);

        return rest && (*rest == '/' || *rest == '\0');
}

/**
 * path_basename() - what follows the last slash
 * @p: not NULL
 *
 * Return: pointer into @p.
 */
const char *path_basename(const char *p) {
        const char *s = strrchr(p, '/');

        return s ? s + 1 : p;
}

/**
 * path_join() - two paths with one slash between
 * @a: not NULL
 * @b: not NULL; leading slashes are dropped
 *
 * Return: a string to free(), NULL when out of memory.
 */
char *path_join(const char *a, const char *b) {
        size_t n = strlen(a);

        while (n > 0 && a[n - 1] == '/')
                n--;
        while (*b == '/')
                b++;
        return strf("%.*s/%s", (int) n, a, b);
}

/**
 * path_clean() - from the root, without "." and empty components
 * @path: not NULL; absolute, or beneath the root: "dir1", "//a/./b/"
 *
 * Return: a string to free(), NULL when out of memory. ".." stays.
 */
char *path_clean(const char *path) {
        _cleanup_strv_free_ char **parts = NULL;
        StrBuf b = STRBUF_INIT;
        size_t n = 0;
        char *text;

        if (strv_split(path, "/", &parts) < 0)
                return NULL;
        for (char **p = parts; p && *p; p++)
                if (!streq(*p, "."))
                        strbuf_addf(&b, "/%s", *p), n++;
        if (n == 0)
                strbuf_add(&b, "/");
        return strbuf_steal(&b, &text) < 0 ? NULL : text;
}

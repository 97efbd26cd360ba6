/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd has put them into memory that is ours alone ($CREDENTIALS_DIRECTORY, systemd.exec(5)). nspawn is told their names and
 * gives them to the pod's systemd, and that gives each to the units of one app. Nothing here reads one. */
#include "run/app-credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "pod/pod-compose.h"

/* "key", or "key.*": what the manifest says besides APP.ID. */
static bool is_named(char *const *words, const char *name) {
        for (; words && *words; words++) {
                size_t n = strlen(*words);

                if (n > 0 && (*words)[n - 1] == '*' ? strncmp(*words, name, n - 1) == 0 : streq(*words, name))
                        return true;
        }
        return false;
}

/* The list of APP_ANNOTATION_CREDENTIALS. */
static int words_of(const PodApp *a, char ***ret) {
        return strv_split(str_or(pod_app_annotation(a, APP_ANNOTATION_CREDENTIALS), ""), " ", ret);
}

static bool is_id_of(const PodApp *a, const char *name, const char **ret_id) {
        const char *id = startswith(name, a->name);

        if (!id || *id != '.' || !credential_id_is_valid(id + 1, strlen(id + 1)))
                return false;
        *ret_id = id + 1;
        return true;
}

/* A pattern takes what is nobody's. What an app has by its name it shares only with who names it, too. */
static int is_another_ones(const PodManifest *m, const PodApp *a, char *const *words, const char *name) {
        FOREACH_ARRAY (other, m->apps, m->n_apps) {
                _cleanup_strv_free_ char **theirs = NULL;
                const char *id;

                if (other == a)
                        continue;
                if (is_id_of(other, name, &id))
                        return 1;
                if (words_of(other, &theirs) < 0)
                        return -ENOMEM;
                if (strv_contains(theirs, name) && !strv_contains(words, name))
                        return 1;
        }
        return 0;
}

/**
 * app_credentials_find() - the credentials of an app
 * @dir: $CREDENTIALS_DIRECTORY of the unit; NULL: it has none
 * @m:   manifest
 * @a:   app of it
 * @f:   credentials is set: "ID:NAME", NAME being what it is called there
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0; errors of reading the directory; -ENOMEM.
 */
int app_credentials_find(const char *dir, const PodManifest *m, const PodApp *a, AppFacts *f, Error *e) {
        _cleanup_strv_free_ char **names = NULL, **words = NULL;
        int r = dir ? dir_list_at(AT_FDCWD, dir, &names) : 0;

        if (r < 0)
                return error_setf(e, r, "cannot read the unit's credentials in %s: %s", dir, strerror(-r));
        strv_sort(names);
        r = words_of(a, &words);
        for (char **n = names; n && *n && r >= 0; n++) {
                const char *id = *n;

                if (!credential_id_is_valid(*n, strlen(*n)))
                        continue;
                if (!is_id_of(a, *n, &id)) {
                        r = is_named(words, *n) ? is_another_ones(m, a, words, *n) : 1;
                        if (r != 0)
                                continue;
                }
                r = strv_extendf(&f->credentials, "%s:%s", id, *n);
        }
        return r < 0 ? error_oom(e) : 0;
}

/**
 * app_credentials_sources() - what nspawn is to load
 * @dir:   as in app_credentials_find()
 * @facts: of all apps
 * @n:     how many
 * @ret:   "NAME:PATH", each once; NULL: none; for strv_free()
 *
 * Return: 0, -ENOMEM.
 */
int app_credentials_sources(const char *dir, const AppFacts *facts, size_t n, char ***ret) {
        _cleanup_strv_free_ char **list = NULL;
        int r = 0;

        for (size_t i = 0; i < n; i++)
                for (char **c = facts[i].credentials; c && *c && r >= 0; c++) {
                        const char *name = strchr(*c, ':') + 1;
                        _cleanup_free_ char *word = strf("%s:%s/%s", name, dir, name);

                        r = !word ? -ENOMEM : strv_contains(list, word) ? 0 : strv_extend(&list, word);
                }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(list);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of "rkt run" and "rkt prepare" becomes a PodSpec. Flags of an app belong to the image before them; all others may stand
 * anywhere. The flags themselves are in run-options.c. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "verbs/run-args.h"
#include "verbs/run-manifest.h"
#include "verbs/run-network.h"

#define ENV_FILE_MAX (1024 * 1024)

/* A new app, named later by --name or by its image. */
static int add_image(RunArgs *a, const char *image, Error *e) {
        AppSpec *app;

        if (pod_spec_add_app(a->spec, "", &app) < 0 || str_replace(&app->image, image) < 0 ||
            strv_extend(&a->signatures, "") < 0)
                return error_oom(e);
        return 0;
}

static int take_word(RunArgs *a, const char *word, Error *e) {
        if (a->kind == RUN_SANDBOX)
                return error_setf(e, -EINVAL, "\"%s\": a sandbox begins without apps", word);
        if (a->kind == RUN_APP_ADD && !a->pod) {
                a->pod = word;
                return 0;
        }
        return add_image(a, word, e);
}

/* Everything after "--" up to "---", empty words too. */
static int take_app_args(RunArgs *a, OptionParser *p, Error *e) {
        AppSpec *app;

        if (a->spec->n_apps == 0)
                return error_setf(e, -EINVAL, "an image is required before any app arguments");
        app = &a->spec->apps[a->spec->n_apps - 1];
        if (app->has_args)
                return error_setf(e, -EINVAL, "only one set of app arguments allowed per image");
        app->has_args = true;
        for (char *word; (word = p->argv[p->index]); p->index++) {
                if (streq(word, "---")) {
                        p->index++;
                        break;
                }
                if (strv_extend(&app->args, word) < 0)
                        return error_oom(e);
        }
        return 0;
}

/**
 * run_variable_is_valid() - can a manifest have this variable?
 * @assignment: NAME=VALUE
 *
 * Return: true for UTF-8 text with a name that ac_environment_name_is_valid() takes.
 */
bool run_variable_is_valid(const char *assignment) {
        _cleanup_free_ char *name = strndup(assignment, strcspn(assignment, "="));

        return name && ac_environment_name_is_valid(name) && str_is_utf8(assignment, strlen(assignment));
}

/* NAME=VALUE on a line, "#" and ";" begin comments. Names of one file are unique. */
static int load_env_file(const char *path, char ***env, Error *e) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_free_ char **lines = NULL, **seen = NULL;
        size_t size;
        int r = file_read_at(AT_FDCWD, path, ENV_FILE_MAX, &text, &size);

        if (r < 0)
                return error_setf(e, r, "cannot read the environment file \"%s\": %s", path, strerror(-r));
        if (strv_split(text, "\n", &lines) < 0)
                return error_oom(e);
        STRV_FOREACH (l, lines) {
                char *line = str_strip(*l);
                size_t n = strcspn(line, "=");
                _cleanup_free_ char *name = strndup(line, n);

                if (!*line || *line == '#' || *line == ';')
                        continue;
                if (n == 0 || !line[n])
                        return error_setf(
                                e, -EINVAL,
                                "environment variable must be specified as name=value (file \"%s\")", path);
                if (!name)
                        return error_oom(e);
                if (!str_is_utf8(line, strlen(line)))
                        return error_setf(e, -EILSEQ,
                                          "environment variables must be UTF-8 text (file \"%s\")", path);
                if (!run_variable_is_valid(line))
                        return error_setf(e, -EINVAL,
                                          "invalid environment variable \"%s\": " RUN_VARIABLE_RULE
                                          " (file \"%s\")",
                                          name, path);
                if (strv_contains(seen, name))
                        return error_setf(e, -EEXIST, "environment variable \"%s\" already set (file \"%s\")",
                                          name, path);
                if (strv_extend(&seen, name) < 0 || environment_set(env, line) < 0)
                        return error_oom(e);
        }
        return 0;
}

/* The files', then --set-env: the later wins, over what --environment says to one app, too. */
static int finish_environment(RunArgs *a, Error *e) {
        char ***env = &a->spec->environment;

        STRV_FOREACH (f, a->set_env_files) {
                int r = load_env_file(*f, env, e);

                if (r < 0)
                        return r;
        }
        STRV_FOREACH (v, a->set_env)
                if (environment_set(env, *v) < 0)
                        return error_oom(e);
        FOREACH_ARRAY (app, a->spec->apps, a->spec->n_apps)
                STRV_FOREACH (v, *env)
                        if (environment_set(&app->environment, *v) < 0)
                                return error_oom(e);
        return 0;
}

/* Global mounts reach every app that has nothing at that path; every mount must have its volume. */
static int finish_mounts(RunArgs *a, Error *e) {
        FOREACH_ARRAY (app, a->spec->apps, a->spec->n_apps) {
                STRV_FOREACH (g, a->global_mounts) {
                        const char *target = strchr(*g, '=') + 1;
                        _cleanup_free_ char *volume = strndup(*g, (size_t) (target - *g) - 1);
                        MountSpec *m;

                        if (!volume)
                                return error_oom(e);
                        if (!run_find_mount(app, target) && app_spec_add_mount(app, volume, target, &m) < 0)
                                return error_oom(e);
                }
                FOREACH_ARRAY (m, app->mounts, app->n_mounts)
                        if (!pod_spec_find_volume(a->spec, m->volume))
                                return error_setf(e, -ENOENT,
                                                  "dangling mount point \"%s\": volume \"%s\" not found",
                                                  m->target, m->volume);
        }
        return 0;
}

/**
 * run_ipc_parse() - read --ipc=
 * @word: its value, or NULL
 * @ret:  true: the host's
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL.
 */
int run_ipc_parse(const char *word, bool *ret, Error *e) {
        if (word && !streq(word, "auto") && !streq(word, "private") && !streq(word, "parent"))
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --ipc: it is \"auto\", \"private\" or \"parent\"", word);
        *ret = streq_ptr(word, "parent");
        return 0;
}

static int finish(RunArgs *a, Error *e) {
        int r = run_manifest_check(a, e);

        if (r < 0)
                return r;
        if (a->kind == RUN_APP_ADD && a->spec->n_apps != 1)
                return error_setf(e, -EINVAL,
                                  a->pod ? "must give only one app" : "must give a pod and an image");
        if (a->spec->n_apps == 0 && !a->pod_manifest && a->kind == RUN_IMAGES)
                return error_setf(e, -EINVAL, "must provide at least one image or specify the pod manifest");
        if (a->store_only && a->no_store)
                return error_setf(e, -EINVAL, "both --store-only and --no-store specified");
        if (a->store_only)
                a->spec->pull = PULL_NEVER;
        if (a->no_store)
                a->spec->pull = PULL_NEWER;
        a->spec->metadata = a->mds_register;
        r = run_ipc_parse(a->ipc, &a->spec->host_ipc, e);
        if (r < 0)
                return r;
        if (a->pod_name && !pod_name_is_valid(a->pod_name))
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --pod-name: it is 1 to 63 lower case letters, digits "
                        "and inner dashes",
                        a->pod_name);
        if (a->pod_name && str_replace(&a->spec->name, a->pod_name) < 0)
                return error_oom(e);
        if (a->hostname && str_replace(&a->spec->hostname, a->hostname) < 0)
                return error_oom(e);
        r = run_network_set(a, a->spec, e);
        if (r >= 0)
                r = finish_environment(a, e);
        return r < 0 ? r : finish_mounts(a, e);
}

/**
 * run_args_parse() - the words after "rkt run" or "rkt prepare"
 * @c:    global flags
 * @v:    the verb, with run_image_options
 * @args: words, NULL-terminated, kept by reference
 * @a:    zeroed, or with defaults; a->spec is a new PodSpec; free with run_args_done(), also after a failure
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0; 1 if --help was among the words; -EINVAL, -ENXIO, -EEXIST, -ENOENT, -EOPNOTSUPP, -EILSEQ, -ENOMEM.
 */
int run_args_parse(const VerbContext *c, const Verb *v, char **args, RunArgs *a, Error *e) {
        OptionParser p;
        int r;

        STRV_FOREACH (word, args) /* which the manifest, being JSON, could not hold */
                if (!str_is_utf8(*word, strlen(*word)))
                        return error_setf(e, -EILSEQ, "argument %zu is not UTF-8 text",
                                          (size_t) (word - args) + 1);
        verb_options_parser(c, v, args, a, &p);
        do {
                const char *word;

                r = options_next(&p, &word, e);
                if (r == OPTIONS_DASHES)
                        r = take_app_args(a, &p, e) < 0 ? -EINVAL : OPTIONS_DASHES;
                else if (r == OPTIONS_ARGUMENT && *word) /* rktlet passes empty words: no flag, no image */
                        r = take_word(a, word, e) < 0 ? -EINVAL : OPTIONS_ARGUMENT;
        } while (r > 0);
        if (r < 0)
                return r;
        if (c->help)
                return 1;
        a->spec->insecure = c->insecure;
        return finish(a, e);
}

/**
 * run_args_done() - free what run_args_parse() made, but not what options_done() frees
 * @a: arguments
 */
void run_args_done(RunArgs *a) {
        a->spec = pod_spec_free(a->spec);
        a->manifest = pod_manifest_free(a->manifest);
        a->hosts = strv_free(a->hosts);
        a->set_env = strv_free(a->set_env);
        a->global_mounts = strv_free(a->global_mounts);
        a->signatures = strv_free(a->signatures);
}

/* An app without --name is called as the last part of its image's name, every foreign sign a dash. */
static int name_app(RunArgs *a, AppSpec *app, const char *image_name, Error *e) {
        _cleanup_free_ char *name = NULL;

        if (ac_name_sanitize(path_basename(image_name), &name) < 0)
                return error_setf(e, -EINVAL,
                                  "no app name follows from the image name \"%s\"; use --name=", image_name);
        if (pod_spec_find_app(a->spec, name))
                return error_setf(e, -EEXIST, "error: multiple apps with name %s", name);
        return str_replace(&app->name, name) < 0 ? error_oom(e) : 0;
}

static bool has_variable(char *const *env, const char *assignment) {
        size_t n = strcspn(assignment, "=") + 1;

        for (; env && *env; env++)
                if (strncmp(*env, assignment, n) == 0)
                        return true;
        return false;
}

static bool image_has_variable(const AcApp *app, const char *assignment) {
        size_t n = strcspn(assignment, "=");

        FOREACH_ARRAY (v, app ? app->environment : NULL, app ? app->n_environment : 0)
                if (strlen(v->name) == n && strncmp(v->name, assignment, n) == 0)
                        return true;
        return false;
}

/**
 * run_args_set_image() - what follows for an app from its image's manifest
 * @a: arguments
 * @i: index of the app
 * @m: the manifest
 * @e: sentence on failure; may be NULL
 *
 * The app's name, if --name did not give one; and the caller's variables (--inherit-env) that neither the image nor a flag sets,
 * without those that a manifest cannot have, as exported functions of a shell.
 *
 * Return: 0; -EEXIST: another app has that name; -ENODATA: nothing to run; -EINVAL, -ENOMEM.
 */
int run_args_set_image(RunArgs *a, size_t i, const ImageManifest *m, Error *e) {
        AppSpec *app = &a->spec->apps[i];
        int r = *app->name ? 0 : name_app(a, app, m->name, e);

        if (r < 0)
                return r;
        if (a->manifest)
                return 0; /* which says all there is to say */
        if (!m->app && !app->entrypoint)
                return error_setf(e, -ENODATA,
                                  "error: image %s has no app section and --exec argument is not provided",
                                  app->image);
        if (!a->inherit_env)
                return 0;
        STRV_FOREACH (v, environ)
                if (run_variable_is_valid(*v) && !image_has_variable(m->app, *v) &&
                    !has_variable(app->environment, *v) && !has_variable(a->spec->environment, *v) &&
                    strv_extend(&app->environment, *v) < 0)
                        return error_oom(e);
        return 0;
}

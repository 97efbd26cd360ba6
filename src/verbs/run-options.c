/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags of "rkt run", "rkt prepare" and "rkt run-prepared", one by one: each checks its value and puts it into the PodSpec or the last app of it. Words and messages
 * are rkt's. What a flag does is decided downstream, by the same code that runs pod files. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/strv.h"
#include "manifest/ac-volume.h"
#include "podfile/value-check.h"
#include "verbs/pod-info.h"
#include "verbs/run-args.h"
#include "verbs/run-credential.h"
#include "verbs/run-isolators.h"
#include "verbs/run-stage1.h"

/**
 * run_current_app() - the app that a flag belongs to
 * @o: the flag
 * @a: arguments so far
 * @e: sentence when there is none
 *
 * Return: the last app, owned by @a; NULL: no image stands before the flag.
 */
AppSpec *run_current_app(const Option *o, RunArgs *a, Error *e) {
        if (a->spec->n_apps == 0) {
                (void) error_setf(e, -EINVAL, "--%s must follow an image", o->name);
                return NULL;
        }
        return &a->spec->apps[a->spec->n_apps - 1];
}

/* Flags that are a string of AppSpec: the row's offset is that of the member there. */
static int set_app_string(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);

        if (!app)
                return -EINVAL;
        return str_replace((char **) (void *) ((char *) app + o->offset), value) < 0 ? error_oom(e) : 0;
}

/* rkt's words for systemd's. */
static int set_app_stream(const Option *o, const char *value, void *data, Error *e) {
        static const char *const modes[] = { "null", "stream", "tty", "interactive", "log", "journal" };
        bool input = streq(o->name, "stdin");
        size_t n = input ? 4 : ELEMENTSOF(modes);

        for (size_t i = 0; i < n; i++)
                if (streq(modes[i], value))
                        return set_app_string(o, streq(value, "log") ? "journal" : value, data, e);
        return error_setf(e, -EINVAL, "invalid %s mode \"%s\": it must be %snull, stream or tty", o->name,
                          value, input ? "" : "log, ");
}

static int check_pair(const Option *o, const char *value, Error *e) {
        if (!strchr(value, '=') || *value == '=')
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --%s: must be specified as key=value", value,
                                  o->name);
        return 0;
}

static int check_variable(const Option *o, const char *value, Error *e) {
        int r = check_pair(o, value, e);

        if (r >= 0 && !run_variable_is_valid(value))
                r = error_setf(e, -EINVAL, "invalid argument \"%s\" for --%s: " RUN_VARIABLE_RULE, value,
                               o->name);
        return r;
}

/* Flags that are a list of KEY=VALUE of AppSpec. */
static int set_app_pair(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);
        int r;

        if (!app)
                return -EINVAL;
        r = o->offset == offsetof(AppSpec, environment) ? check_variable(o, value, e)
                                                        : check_pair(o, value, e);
        if (r < 0)
                return r;
        return environment_set((char ***) (void *) ((char *) app + o->offset), value) < 0 ? error_oom(e) : 0;
}

static int set_app_name(const Option *o, const char *value, void *data, Error *e) {
        RunArgs *a = data;
        AppSpec *app = run_current_app(o, data, e);

        if (!app)
                return -EINVAL;
        if (!app_name_is_valid(value))
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --name: lower case letters, digits and single dashes "
                        "between them make a name",
                        value);
        if (pod_spec_find_app(a->spec, value))
                return error_setf(e, -EEXIST, "error: multiple apps with name %s", value);
        return str_replace(&app->name, value) < 0 ? error_oom(e) : 0;
}

static int set_exec(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);

        if (!app)
                return -EINVAL;
        if (app->entrypoint)
                return error_setf(e, -EINVAL, "--exec specified multiple times for the same image");
        if (!*value)
                return error_setf(e, -EINVAL, "--exec needs a program");
        return strv_extend(&app->entrypoint, value) < 0 ? error_oom(e) : 0;
}

static int set_signature(const Option *o, const char *value, void *data, Error *e) {
        RunArgs *a = data;
        AppSpec *app = run_current_app(o, data, e);

        if (!app)
                return -EINVAL;
        if (*a->signatures[a->spec->n_apps - 1])
                return error_setf(e, -EINVAL, "--signature specified multiple times for the same image");
        return str_replace(&a->signatures[a->spec->n_apps - 1], value) < 0 ? error_oom(e) : 0;
}

static int set_read_only(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);
        int b = parse_go_boolean(value);

        if (!app)
                return -EINVAL;
        if (b < 0)
                return error_setf(e, b, "--readonly-rootfs must be set with a boolean");
        app->read_only = b;
        return 0;
}

static int set_gids(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_strv_free_ char **list = NULL;
        AppSpec *app = run_current_app(o, data, e);
        unsigned gid;

        if (!app)
                return -EINVAL;
        if (strv_split(value, ",", &list) < 0)
                return error_oom(e);
        STRV_FOREACH (s, list)
                if (parse_uint(*s, UINT32_MAX, &gid) < 0)
                        return error_setf(e, -EINVAL, "--supplementary-gids must be integers");
        (void) strv_free(app->supplementary_groups);
        app->supplementary_groups = TAKE_PTR(list);
        return 0;
}

/**
 * run_add_volume() - a volume as --volume says it
 * @a:     arguments; the volume is added
 * @value: NAME,kind=KIND,...
 * @flag:  that said it
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0; -EEXIST: there is one of that name; what ac_volume_from_string() returns.
 */
int run_add_volume(RunArgs *a, const char *value, const char *flag, Error *e) {
        AcVolume v = AC_VOLUME_INIT;
        VolumeSpec *s;
        unsigned mode = 0;
        int r = ac_volume_from_string(value, &v, e);

        if (r < 0)
                return error_prefixf(e, r, "invalid argument \"%s\" for --%s", value, flag);
        if (pod_spec_find_volume(a->spec, v.name))
                r = error_setf(e, -EEXIST, "duplicate volume name \"%s\"", v.name);
        else if (pod_spec_add_volume(a->spec, v.name, &s) < 0)
                r = error_oom(e);
        else {
                s->source = TAKE_PTR(v.source);
                s->read_only = v.read_only;
                s->recursive = v.recursive;
                if (v.mode && parse_octal(v.mode, 07777, &mode) >= 0)
                        s->mode = (int) mode;
                s->uid = v.uid < 0 ? -1 : v.uid;
                s->gid = v.gid < 0 ? -1 : v.gid;
        }
        ac_volume_done(&v);
        return r;
}

static int set_volume(const Option *o, const char *value, void *data, Error *e) {
        return run_add_volume(data, value, o->name, e);
}

/**
 * run_clean_path() - a path in an app as somebody wrote it
 * @path: relative or absolute
 * @ret:  absolute; slashes and dots cleaned away, ".." never above the root; to be freed
 *
 * Return: 0, -ENOMEM.
 */
int run_clean_path(const char *path, char **ret) {
        _cleanup_strv_free_ char **parts = NULL;
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        size_t n = 0;

        if (strv_split(path, "/", &parts) < 0)
                return -ENOMEM;
        STRV_FOREACH (p, parts) {
                char *part = *p;

                if (streq(part, ".") || !*part)
                        continue;
                if (streq(part, "..")) {
                        n -= n > 0;
                        continue;
                }
                /* The part that is replaced was dropped by "..", or is this one. */
                char *dropped = parts[n];

                parts[n++] = part;
                *p = dropped;
        }
        for (size_t i = 0; i < n; i++)
                strbuf_addf(&b, "/%s", parts[i]);
        if (n == 0)
                strbuf_add(&b, "/");
        return strbuf_steal(&b, ret);
}

/* "volume=NAME,target=PATH" */
static int parse_mount(const char *value, char **ret_volume, char **ret_target, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *volume = NULL, *target = NULL;
        const char *v;

        if (strv_split(value, ",", &words) < 0)
                return error_oom(e);
        STRV_FOREACH (w, words) {
                if ((v = startswith(*w, "volume="))) {
                        if (str_replace(&volume, v) < 0)
                                return error_oom(e);
                } else if ((v = startswith(*w, "target="))) {
                        free(TAKE_PTR(target));
                        if (*v && run_clean_path(v, &target) < 0)
                                return error_oom(e);
                } else
                        return error_setf(e, -ENXIO, "unknown mount parameter \"%.*s\"",
                                          (int) strcspn(*w, "="), *w);
        }
        if (!volume || !*volume || !target)
                return error_setf(e, -EINVAL,
                                  "invalid argument \"%s\" for --mount: it must be volume=NAME,target=PATH",
                                  value);
        *ret_volume = TAKE_PTR(volume);
        *ret_target = TAKE_PTR(target);
        return 0;
}

/**
 * run_find_mount() - what an app has mounted at a path
 * @app:    app
 * @target: clean path
 *
 * Return: the mount, owned by @app; NULL for nothing.
 */
const MountSpec *run_find_mount(const AppSpec *app, const char *target) {
        FOREACH_ARRAY (m, app->mounts, app->n_mounts)
                if (streq(m->target, target))
                        return m;
        return NULL;
}

/* Before the first image a mount is for every app; after one it is that app's. The first of one path wins. */
static int set_mount(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_free_ char *volume = NULL, *target = NULL;
        RunArgs *a = data;
        MountSpec *m;
        int r = parse_mount(value, &volume, &target, e);

        if (r < 0)
                return r;
        if (a->spec->n_apps == 0)
                r = strv_extendf(&a->global_mounts, "%s=%s", volume, target);
        else if (!run_find_mount(&a->spec->apps[a->spec->n_apps - 1], target))
                r = app_spec_add_mount(&a->spec->apps[a->spec->n_apps - 1], volume, target, &m);
        return r < 0 ? error_oom(e) : 0;
}

static int set_env(const Option *o, const char *value, void *data, Error *e) {
        RunArgs *a = data;
        size_t n = strcspn(value, "=") + 1;
        int r = check_variable(o, value, e);

        if (r < 0)
                return r;
        STRV_FOREACH (s, a->set_env)
                if (strncmp(*s, value, n) == 0)
                        return error_setf(e, -EEXIST,
                                          "invalid argument \"%s\" for --set-env: key \"%.*s\" already set",
                                          value, (int) n - 1, value);
        return strv_extend(&a->set_env, value) < 0 ? error_oom(e) : 0;
}

static int set_profile(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_strv_free_ char **list = NULL;
        RunArgs *a = data;

        if (strv_split(value, ",", &list) < 0)
                return error_oom(e);
        STRV_FOREACH (n, list) {
                if (!app_name_is_valid(*n))
                        return error_setf(e, -EINVAL, "invalid argument \"%s\" for --profile: it is no name",
                                          *n);
                if (strv_extend(&a->spec->profiles, *n) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int add_hosts_entry(RunArgs *a, const char *word, Error *e) {
        const char *eq = strchr(word, '=');
        _cleanup_free_ char *ip = eq ? strndup(word, (size_t) (eq - word)) : NULL;
        unsigned char address[sizeof(struct in6_addr)];

        if (!eq || !eq[1] || eq[1 + strcspn(eq + 1, ": \t")])
                return error_setf(e, -EINVAL, "Did not understand --hosts-entry %s", word);
        if (!ip)
                return error_oom(e);
        if (inet_pton(AF_INET, ip, address) != 1 && inet_pton(AF_INET6, ip, address) != 1)
                return error_setf(e, -EINVAL, "Invalid IP passed to --hosts-entry: %s", ip);
        return strv_extendf(&a->hosts, "%s:%s", eq + 1, ip) < 0 ? error_oom(e) : 0;
}

/* "host" may stand more than once, but not with others. */
static int set_hosts_entry(const Option *o, const char *value, void *data, Error *e) {
        _cleanup_strv_free_ char **list = NULL;
        RunArgs *a = data;
        int r = strv_split(value, ",", &list) < 0 ? error_oom(e) : 0;

        for (char **w = list; w && *w && r >= 0; w++)
                if (!streq(*w, "host"))
                        r = add_hosts_entry(a, *w, e);
                else if (!strv_contains(a->hosts, "host"))
                        r = strv_extend(&a->hosts, "host") < 0 ? error_oom(e) : 0;
        if (r >= 0 && strv_contains(a->hosts, "host") && strv_length(a->hosts) > 1)
                return error_setf(e, -EINVAL, "cannot pass --hosts-entry=host with multiple hosts-entries");
        return r;
}

/**
 * run_set_no_overlay() - --no-overlay
 * @o:     its row
 * @value: boolean
 * @data:  RunArgs
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL.
 */
int run_set_no_overlay(const Option *o, const char *value, void *data, Error *e) {
        int b = parse_boolean(value);

        if (b < 0)
                return error_setf(e, b, "invalid argument \"%s\" for --no-overlay: it must be true or false",
                                  value);
        ((RunArgs *) data)->spec->overlay = !b;
        return 0;
}

/* A word of a list of AppSpec, by its check. */
static int add_checked(const Option *o, const char *value, ValueCheck check, char ***list, Error *e) {
        const char *wrong = *value ? value_check(check, value) : "it is empty";

        if (wrong)
                return error_setf(e, -EINVAL, "invalid argument \"%s\" for --%s: %s", value, o->name, wrong);
        return strv_extend(list, value) < 0 ? error_oom(e) : 0;
}

static int set_device(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);

        return app ? add_checked(o, value, CHECK_APP_DEVICE, &app->devices, e) : -EINVAL;
}

static int set_tmpfs(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);

        return app ? add_checked(o, value, CHECK_APP_TMPFS, &app->tmpfs, e) : -EINVAL;
}

static int set_shm_size(const Option *o, const char *value, void *data, Error *e) {
        AppSpec *app = run_current_app(o, data, e);
        uint64_t size;

        if (!app)
                return -EINVAL;
        if (parse_size(value, &size) < 0 || size == 0)
                return error_setf(e, -EINVAL, "invalid argument \"%s\" for --shm-size: not a size (64M)",
                                  value);
        free(app->shm_size);
        app->shm_size = strf("%" PRIu64, size);
        return app->shm_size ? 0 : error_oom(e);
}

/* rkt's is a boolean. */
/**
 * run_set_private_users() - --private-users
 * @o:     its row
 * @value: boolean, "pick", "identity" or START:LENGTH
 * @data:  RunArgs
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int run_set_private_users(const Option *o, const char *value, void *data, Error *e) {
        PodSpec *s = ((RunArgs *) data)->spec;
        int b = parse_boolean(value);
        const char *wrong = b < 0 ? value_check(CHECK_PRIVATE_USERS, value) : NULL;

        if (wrong)
                return error_setf(e, -EINVAL, "invalid argument \"%s\" for --private-users: %s", value,
                                  wrong);
        return str_replace(&s->private_users, b < 0 ? value : b > 0 ? "pick" : NULL) < 0 ? error_oom(e) : 0;
}

static int set_pull_policy(const Option *o, const char *value, void *data, Error *e) {
        PodSpec *s = ((RunArgs *) data)->spec;

        ((RunArgs *) data)->pull_given = true;
        if (streq(value, "new"))
                s->pull = PULL_MISSING;
        else if (streq(value, "update"))
                s->pull = PULL_NEWER;
        else if (streq(value, "never"))
                s->pull = PULL_NEVER;
        else
                return error_setf(
                        e, -EINVAL,
                        "invalid argument \"%s\" for --pull-policy: it must be new, update or never", value);
        return 0;
}

#define APP(member) .offset = offsetof(AppSpec, member)

const Option run_image_options[] = {
        { "annotation", 0, OPTION_SET, APP(annotations), set_app_pair, .value = "NAME=VALUE",
          .help = "image: an annotation of the app" },
        { "caps-remove", 0, OPTION_SET, .set = run_set_caps, .value = "CAP,...",
          .help = "image: capabilities to take away" },
        { "caps-retain", 0, OPTION_SET, .set = run_set_caps, .value = "CAP,...",
          .help = "image: the only capabilities to keep" },
        { "cap-remove", 0, OPTION_SET, .set = run_set_caps, .flags = OPTION_HIDDEN },
        { "cap-retain", 0, OPTION_SET, .set = run_set_caps, .flags = OPTION_HIDDEN },
        { "cpu", 0, OPTION_SET, .set = run_set_cpu, .value = "AMOUNT",
          .help = "image: processor time, as 500m" },
        { "cpu-shares", 0, OPTION_SET, .set = run_set_cpu_shares, .value = "N",
          .help = "image: weight among others, 1024 is normal" },
        { "environment", 0, OPTION_SET, APP(environment), set_app_pair, .value = "NAME=VALUE",
          .help = "image: an environment variable of this app" },
        { "device", 0, OPTION_SET, .set = set_device, .value = "[-]/dev/NAME",
          .help = "image: a device of the host; after - one that may be missing" },
        { "exec", 0, OPTION_SET, .set = set_exec, .value = "PATH",
          .help = "image: run this instead of what the image says" },
        { "group", 0, OPTION_SET, APP(group), set_app_string, .value = "GROUP",
          .help = "image: group, by name, number or a file that it owns" },
        { "inherit-env", 0, OPTION_BOOL, offsetof(RunArgs, inherit_env),
          .help = "pass on the caller's environment" },
        { "limit", 0, OPTION_STRV, offsetof(RunArgs, limits), .value = "NAME=VALUE",
          .help = "raise or lower a limit of downloads and images, as download-size=20G" },
        { "memory", 0, OPTION_SET, .set = run_set_memory, .value = "BYTES",
          .help = "image: memory limit, as 16M" },
        { "mount", 0, OPTION_SET, .set = set_mount, .value = "volume=NAME,target=PATH",
          .help = "mount a volume in this app, or in all if no image stands before" },
        { "name", 0, OPTION_SET, .set = set_app_name, .value = "NAME", .help = "image: name of the app" },
        { "oom-score-adj", 0, OPTION_SET, .set = run_set_oom, .value = "N",
          .help = "image: adjust the score of the out-of-memory killer" },
        { "profile", 0, OPTION_SET, .set = set_profile, .value = "NAME,...",
          .help = "defaults of the apps' confinement: strict, nonetwork, trusted, rkt-1" },
        { "readonly-rootfs", 0, OPTION_SET, .set = set_read_only, .bare = "true", .value = "BOOL",
          .help = "image: mount the root file system read-only" },
        { "seccomp", 0, OPTION_SET, .set = run_set_seccomp, .value = "mode=MODE,...",
          .help = "image: system calls to keep alone (mode=retain) or to take away (mode=remove)" },
        { "set-env", 0, OPTION_SET, .set = set_env, .value = "NAME=VALUE",
          .help = "an environment variable of every app" },
        { "set-env-file", 0, OPTION_STRV, offsetof(RunArgs, set_env_files), .value = "FILE",
          .help = "environment variables of every app, one on a line" },
        { "shm-size", 0, OPTION_SET, .set = set_shm_size, .value = "BYTES",
          .help = "image: size of its /dev/shm" },
        { "signature", 0, OPTION_SET, .set = set_signature, .value = "FILE",
          .help = "image: its detached signature" },
        { "supplementary-gids", 0, OPTION_SET, .set = set_gids, .value = "GID,...",
          .help = "image: more groups" },
        { "tmpfs", 0, OPTION_SET, .set = set_tmpfs, .value = "PATH[:OPT,...]",
          .help = "image: a file system in memory" },
        { "user", 0, OPTION_SET, APP(user), set_app_string, .value = "USER",
          .help = "image: user, by name, number or a file that they own" },
        { "user-annotation", 0, OPTION_SET, APP(user_annotations), set_app_pair, .value = "NAME=VALUE",
          .help = "image: a free annotation, shown by list and status" },
        { "user-label", 0, OPTION_SET, APP(user_labels), set_app_pair, .value = "NAME=VALUE",
          .help = "image: a free label" },
        { "volume", 0, OPTION_SET, .set = set_volume, .value = "NAME,kind=host,source=PATH",
          .help = "a volume: kind=host with source= [readOnly= recursive=], or kind=empty [mode= uid= "
                  "gid=]" },
        { "working-dir", 0, OPTION_SET, APP(working_directory), set_app_string, .value = "PATH",
          .help = "image: working directory" },
        { "stage1-from-dir", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-hash", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-name", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-path", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stage1-url", 0, OPTION_SET, .set = run_set_stage1, .flags = OPTION_HIDDEN },
        { "stderr", 0, OPTION_SET, APP(standard_error), set_app_stream, .value = "MODE",
          .help = "image: log, null, stream or tty (see rkt-attach)" },
        { "stdin", 0, OPTION_SET, APP(standard_input), set_app_stream, .value = "MODE",
          .help = "image: null, stream or tty" },
        { "stdout", 0, OPTION_SET, APP(standard_output), set_app_stream, .value = "MODE",
          .help = "image: log, null, stream or tty" },
        {},
};

const Option run_new_options[] = {
        { "load-credential", 0, OPTION_SET, .set = run_set_credential, .value = "ID:PATH",
          .help = "image: a credential, from a file of the host" },
        { "no-overlay", 0, OPTION_SET, .set = run_set_no_overlay, .bare = "true",
          .help = "copy the images' trees instead of mounting overlays" },
        { "no-store", 0, OPTION_BOOL, offsetof(RunArgs, no_store), .flags = OPTION_HIDDEN },
        { "pod-manifest", 0, OPTION_STRING, offsetof(RunArgs, pod_manifest), .value = "FILE",
          .help = "run what this appc pod manifest says, with images of the store" },
        { "pod-name", 0, OPTION_STRING, offsetof(RunArgs, pod_name), .value = "NAME",
          .help = "what the pod and its host are called (default rkt-UUID)" },
        { "port", 0, OPTION_STRV, offsetof(RunArgs, ports), .value = "NAME:[IP:]PORT",
          .help = "publish a port that an image names, at this port of the host" },
        { "private-users", 0, OPTION_SET, .set = run_set_private_users, .bare = "true", .value = "USERS",
          .help = "users of the pod's own: pick (a free range), identity or START:LENGTH" },
        { "pull-policy", 0, OPTION_SET, .set = set_pull_policy, .value = "POLICY",
          .help = "when to fetch: new, update, never (default new)" },
        { "set-credential", 0, OPTION_SET, .set = run_set_credential, .value = "ID:VALUE",
          .help = "image: a credential" },
        { "store-only", 0, OPTION_BOOL, offsetof(RunArgs, store_only), .flags = OPTION_HIDDEN },
        {},
};

const Option run_how_options[] = {
        { "dns", 0, OPTION_STRV, offsetof(RunArgs, dns), .value = "IP,...",
          .help = "name server of the pod; host: the host's file, none: none" },
        { "dns-domain", 0, OPTION_STRING, offsetof(RunArgs, dns_domain), .value = "DOMAIN",
          .help = "domain of the pod" },
        { "dns-opt", 0, OPTION_STRV, offsetof(RunArgs, dns_opt), .value = "OPTION,...",
          .help = "option of the pod's resolv.conf" },
        { "dns-search", 0, OPTION_STRV, offsetof(RunArgs, dns_search), .value = "DOMAIN,...",
          .help = "domain in which the pod looks for names" },
        { "hostname", 0, OPTION_STRING, offsetof(RunArgs, hostname), .value = "NAME",
          .help = "pod's host name (default rkt-UUID)" },
        { "hosts-entry", 0, OPTION_SET, .set = set_hosts_entry, .value = "IP=NAME,...",
          .help = "a line of the apps' /etc/hosts; host: the host's file" },
        { "interactive", 'i', OPTION_BOOL, offsetof(RunArgs, interactive),
          .help = "give the only app this terminal" },
        { "ipc", 0, OPTION_STRING, offsetof(RunArgs, ipc), .value = "MODE",
          .help = "whose System V IPC the pod has: auto and private its own, parent the host's" },
        { "mds-register", 0, OPTION_BOOL, offsetof(RunArgs, mds_register),
          .help = "let the apps ask the metadata service" },
        { "net", 0, OPTION_STRING, offsetof(RunArgs, net), .bare = "default", .value = "NETWORK",
          .help = "default, default-restricted, host, none, all, or NAME[:KEY=VALUE;...],..." },
        {},
};

const Option run_options[] = {
        { "detach", 0, OPTION_BOOL, offsetof(RunArgs, detach),
          .help = "run in the background, as a unit of systemd, and print the pod's UUID" },
        { "rm", 0, OPTION_BOOL, offsetof(RunArgs, remove), .help = "remove the pod when it has ended" },
        { "uuid-file-save", 0, OPTION_STRING, offsetof(RunArgs, uuid_file_save), .value = "FILE",
          .help = "write the pod's UUID there" },
        {},
};

const Option run_prepare_options[] = {
        { "quiet", 0, OPTION_BOOL, offsetof(RunArgs, quiet),
          .help = "print nothing but the UUID, or what went wrong" },
        {},
};

const Option run_prepared_options[] = {
        { "detached", 0, OPTION_BOOL, offsetof(RunArgs, detached), .flags = OPTION_HIDDEN },
        { "rm", 0, OPTION_BOOL, offsetof(RunArgs, remove), .help = "remove the pod when it has ended" },
        POD_OPTION_UUID_FILE(RunArgs),
        {},
};

const Option run_start_options[] = {
        { "detach", 0, OPTION_BOOL, offsetof(RunArgs, detach),
          .help = "run in the background, as a unit of systemd, and print the pod's UUID" },
        { "interactive", 'i', OPTION_BOOL, offsetof(RunArgs, interactive),
          .help = "give the only app this terminal" },
        { "detached", 0, OPTION_BOOL, offsetof(RunArgs, detached), .flags = OPTION_HIDDEN },
        { "rm", 0, OPTION_BOOL, offsetof(RunArgs, remove), .help = "remove the pod when it has ended" },
        POD_OPTION_UUID_FILE(RunArgs),
        {},
};

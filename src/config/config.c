/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration as a whole: finds the files, takes each directory by itself, lets the later directory win, looks things
 * up. What a file may say is in config-file.c, what `rkt config` prints in config-json.c. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/config-internal.h"
#include "config/registries.h"

static const struct {
        ConfigPart part;
        const char *name;
} folders[] = {
        { CONFIG_AUTH, "auth.d" },   { CONFIG_PATHS, "paths.d" },           { CONFIG_STAGE1, "stage1.d" },
        { CONFIG_PROXY, "proxy.d" }, { CONFIG_REGISTRIES, "registries.d" },
};

/**
 * auth_type_to_string() - the word in files
 * @t: type
 *
 * Return: as "basic".
 */
const char *auth_type_to_string(AuthType t) {
        static const char *const names[_AUTH_TYPE_MAX] = {
                [AUTH_BASIC] = "basic",
                [AUTH_OAUTH] = "oauth",
                [AUTH_AWS] = "aws",
        };

        return names[t];
}

/**
 * config_auth_done() - free the members
 * @a: may be half-filled
 */
void config_auth_done(ConfigAuth *a) {
        free(a->domain);
        free(a->user);
        free(a->password);
        free(a->token);
        free(a->access_key_id);
        free(a->secret_access_key);
        free(a->aws_region);
}

static void registry_done(ConfigRegistry *r) {
        free(r->registry);
        free(r->user);
        free(r->password);
}

/**
 * config_free() - free a configuration
 * @c: may be NULL or half-filled
 *
 * Return: NULL.
 */
Config *config_free(Config *c) {
        if (!c)
                return NULL;
        FOREACH_ARRAY (a, c->auths, c->n_auths)
                config_auth_done(a);
        free(c->auths);
        FOREACH_ARRAY (r, c->registries, c->n_registries)
                registry_done(r);
        free(c->registries);
        FOREACH_ARRAY (r, c->rules, c->n_rules)
                registry_rule_done(r);
        free(c->rules);
        (void) strv_free(c->rule_files);
        free(c->data_dir);
        free(c->stage1_images_dir);
        free(c->stage1_name);
        free(c->stage1_version);
        free(c->stage1_location);
        free(c->proxy_http);
        free(c->proxy_https);
        free(c->no_proxy);
        (void) strv_free(c->warnings);
        free(c);
        return NULL;
}

static int copy(char **p, const char *s) {
        return s ? str_replace(p, s) : 0;
}

/* Where a domain stands, or would stand. */
static size_t find_auth(const Config *c, const char *domain, bool *ret_found) {
        size_t i = 0;
        int d = 1;

        while (i < c->n_auths && (d = strcmp(c->auths[i].domain, domain)) < 0)
                i++;
        *ret_found = d == 0;
        return i;
}

static size_t find_registry(const Config *c, const char *registry, bool *ret_found) {
        size_t i = 0;
        int d = 1;

        while (i < c->n_registries && (d = strcmp(c->registries[i].registry, registry)) < 0)
                i++;
        *ret_found = d == 0;
        return i;
}

/**
 * config_add_auth() - credentials for one more domain
 * @c:           configuration
 * @domain:      lower case
 * @credentials: copied
 * @e:           names the domain
 *
 * Return: 0, -EEXIST, -E2BIG, -ENOMEM.
 */
int config_add_auth(Config *c, const char *domain, const ConfigAuth *credentials, Error *e) {
        ConfigAuth a = { .type = credentials->type };
        bool found;
        size_t i = find_auth(c, domain, &found);

        if (found)
                return error_setf(e, -EEXIST, "auth for domain \"%s\" is already specified in this directory",
                                  domain);
        if (c->n_auths >= CONFIG_DOMAINS_MAX)
                return error_setf(e, -E2BIG, "more than %u domains", CONFIG_DOMAINS_MAX);
        if (!GREEDY_GROW(c->auths, c->n_auths) || copy(&a.domain, domain) < 0 ||
            copy(&a.user, credentials->user) < 0 || copy(&a.password, credentials->password) < 0 ||
            copy(&a.token, credentials->token) < 0 ||
            copy(&a.access_key_id, credentials->access_key_id) < 0 ||
            copy(&a.secret_access_key, credentials->secret_access_key) < 0 ||
            copy(&a.aws_region, credentials->aws_region) < 0) {
                config_auth_done(&a);
                return error_oom(e);
        }
        memmove(c->auths + i + 1, c->auths + i, (c->n_auths - i) * sizeof(a));
        c->auths[i] = a;
        c->n_auths++;
        return 0;
}

/**
 * config_add_registry() - credentials for one more Docker registry
 * @c:           configuration
 * @registry:    as written
 * @credentials: user and password, copied
 * @e:           names the registry
 *
 * Return: 0, -EEXIST, -E2BIG, -ENOMEM.
 */
int config_add_registry(Config *c, const char *registry, const ConfigAuth *credentials, Error *e) {
        ConfigRegistry a = {};
        bool found;
        size_t i = find_registry(c, registry, &found);

        if (found)
                return error_setf(
                        e, -EEXIST,
                        "credentials for docker registry \"%s\" are already specified in this directory",
                        registry);
        if (c->n_registries >= CONFIG_DOMAINS_MAX)
                return error_setf(e, -E2BIG, "more than %u registries", CONFIG_DOMAINS_MAX);
        if (!GREEDY_GROW(c->registries, c->n_registries) || copy(&a.registry, registry) < 0 ||
            copy(&a.user, credentials->user) < 0 || copy(&a.password, credentials->password) < 0) {
                registry_done(&a);
                return error_oom(e);
        }
        memmove(c->registries + i + 1, c->registries + i, (c->n_registries - i) * sizeof(a));
        c->registries[i] = a;
        c->n_registries++;
        return 0;
}

/* Takes what a later directory says over what the earlier ones said. */
static int merge_auths(Config *into, Config *from, Error *e) {
        FOREACH_ARRAY (a, from->auths, from->n_auths) {
                bool found;
                size_t i = find_auth(into, a->domain, &found);

                if (found) {
                        config_auth_done(&into->auths[i]);
                        into->auths[i] = *a;
                        *a = (ConfigAuth){};
                } else if (config_add_auth(into, a->domain, a, e) < 0)
                        return -ENOMEM;
        }
        FOREACH_ARRAY (a, from->registries, from->n_registries) {
                const ConfigAuth credentials = { .user = a->user, .password = a->password };
                bool found;
                size_t i = find_registry(into, a->registry, &found);

                if (found) {
                        registry_done(&into->registries[i]);
                        into->registries[i] = *a;
                        *a = (ConfigRegistry){};
                } else if (config_add_registry(into, a->registry, &credentials, e) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static void take(char **into, char **from) {
        if (!*from)
                return;
        free(*into);
        *into = TAKE_PTR(*from);
}

static int merge(Config *into, Config *from, Error *e) {
        take(&into->data_dir, &from->data_dir);
        take(&into->stage1_images_dir, &from->stage1_images_dir);
        take(&into->stage1_name, &from->stage1_name);
        take(&into->stage1_version, &from->stage1_version);
        take(&into->stage1_location, &from->stage1_location);
        take(&into->proxy_http, &from->proxy_http);
        take(&into->proxy_https, &from->proxy_https);
        take(&into->no_proxy, &from->no_proxy);
        STRV_FOREACH (w, from->warnings)
                if (strv_extend(&into->warnings, *w) < 0)
                        return error_oom(e);
        if (merge_auths(into, from, e) < 0)
                return -ENOMEM;
        return registry_rules_merge(into, from, e);
}

/* Who may write the file decides where our credentials go; who may read it knows them. */
static int check_mode(Config *c, bool has_secrets, const char *path, mode_t mode, Error *e) {
        if (mode & S_IWOTH)
                return error_setf(e, -EPERM, "'%s' can be written by everybody; take that away (chmod o-w)",
                                  path);
        if (has_secrets && (mode & S_IROTH) &&
            strv_extendf(&c->warnings,
                         "'%s' has credentials and can be read by everybody; take that away (chmod o-r)",
                         path) < 0)
                return error_oom(e);
        return 0;
}

/* A link is not followed: a folder that somebody may write must not make us read other files. One to /dev/null masks. */
static int skip_link(Config *c, int dir_fd, const char *path, Error *e) {
        char target[sizeof("/dev/null")] = "";

        if (readlinkat(dir_fd, path_basename(path), target, sizeof(target)) == sizeof(target) - 1 &&
            memcmp(target, "/dev/null", sizeof(target) - 1) == 0)
                return 0;
        return strv_extendf(&c->warnings, "'%s' is a link and is not read; put a file there", path) < 0
                       ? error_oom(e)
                       : 0;
}

static int load_file(Config *c, ConfigPart part, int dir_fd, const char *folder, const char *name, Error *e) {
        _cleanup_free_ char *path = strf("%s/%s", folder, name), *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        size_t size;
        int r;

        if (!path)
                return error_oom(e);
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT
                               ? 0
                               : error_setf(e, -errno, "cannot look at '%s': %s", path, strerror(errno));
        if (S_ISLNK(st.st_mode))
                return skip_link(c, dir_fd, path, e);
        if (!S_ISREG(st.st_mode))
                return 0;
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return errno == ENOENT ? 0
                                       : error_setf(e, -errno, "cannot open '%s': %s", path, strerror(errno));
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_setf(e, -EINVAL, "'%s' is no regular file", path);
        r = fd_read_to_end(fd, CONFIG_FILE_MAX, &text, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read '%s': %s", path,
                                  r == -E2BIG ? "it is too long" : strerror(-r));
        r = check_mode(c, part == CONFIG_AUTH || (part == CONFIG_PROXY && strchr(text, '@')), path,
                       st.st_mode, e);
        if (r < 0)
                return r;
        if (part == CONFIG_REGISTRIES)
                return registries_parse(c, path, text, size, e);
        r = config_parse(c, part, text, size, e);
        return r < 0 ? error_prefixf(e, r, "'%s'", path) : 0;
}

/* A missing folder is empty. */
static int load_folder(Config *c, ConfigPart part, const char *dir, const char *name, Error *e) {
        _cleanup_free_ char *folder = strf("%s/%s", dir, name);
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!folder)
                return error_oom(e);
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0)
                return error_setf(e, -errno, "cannot open the configuration folder '%s': %s", folder,
                                  strerror(errno));
        r = dir_list_at(fd, ".", &names);
        if (r < 0)
                return error_setf(e, r, "cannot list '%s': %s", folder, strerror(-r));
        if (strv_length(names) > CONFIG_FILES_MAX)
                return error_setf(e, -E2BIG, "'%s' has more than %u files", folder, CONFIG_FILES_MAX);
        STRV_FOREACH (n, names) {
                if (!endswith(*n, part == CONFIG_REGISTRIES ? ".conf" : ".json"))
                        continue;
                if (part == CONFIG_REGISTRIES && strv_extend(&c->rule_files, *n) < 0)
                        return error_oom(e);
                r = load_file(c, part, fd, folder, *n, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * config_load() - read all directories and merge them
 * @dirs:  where; directories and folders that are missing are empty
 * @parts: ConfigPart of the folders to read
 * @ret:   for config_free()
 * @e:     names file and field
 *
 * A file that cannot be read is an error: going on without its credentials would mean to go on with others, or with none.
 * Links are not read, and @ret says so in its warnings.
 *
 * Return: 0; -EPERM (a file that everybody can write), -ENOTDIR, -EACCES, -E2BIG, -ENOMEM, what config_parse() returns.
 */
int config_load(const ConfigDirs *dirs, unsigned parts, Config **ret, Error *e) {
        const char *const all[] = { dirs->system, dirs->local, dirs->user };
        _cleanup_(config_freep) Config *c = new0(Config, 1);

        if (!c)
                return error_oom(e);
        FOREACH_ARRAY (dir, all, ELEMENTSOF(all)) {
                _cleanup_(config_freep) Config *one = new0(Config, 1);
                struct stat st;
                int r = one ? 0 : error_oom(e);

                if (r >= 0 && (!*dir || !**dir))
                        continue;
                if (r >= 0 && stat(*dir, &st) < 0 && errno == ENOENT)
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(folders) && r >= 0; i++)
                        if (parts & folders[i].part)
                                r = load_folder(one, folders[i].part, *dir, folders[i].name, e);
                if (r >= 0)
                        r = merge(c, one, e);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(c);
        return 0;
}

/**
 * config_data_dir() - where images and pods are
 * @dirs:     where the configuration is
 * @fallback: used if it says nothing
 * @ret:      for free()
 * @e:        names file and field
 *
 * Return: 0, what config_load() returns.
 */
int config_data_dir(const ConfigDirs *dirs, const char *fallback, char **ret, Error *e) {
        _cleanup_(config_freep) Config *c = NULL;
        int r = config_load(dirs, CONFIG_PATHS, &c, e);

        if (r < 0)
                return r;
        return str_replace(ret, c && c->data_dir ? c->data_dir : fallback) < 0 ? error_oom(e) : 0;
}

/**
 * config_auth() - the credentials for a host
 * @c:    configuration
 * @host: lower case, an IPv6 address without brackets
 * @port: 1 to 65535
 *
 * "HOST:PORT" counts before "HOST", which stands for port 443 alone: what listens on another port may be another's.
 *
 * Return: of @c, or NULL.
 */
const ConfigAuth *config_auth(const Config *c, const char *host, unsigned port) {
        const char *open = strchr(host, ':') ? "[" : "", *close = *open ? "]" : "";
        _cleanup_free_ char *with = strf("%s%s%s:%u", open, host, close, port),
                            *without = strf("%s%s%s", open, host, close);
        bool found = false;
        size_t i = 0;

        if (with)
                i = find_auth(c, with, &found);
        if (!found && port == 443 && without)
                i = find_auth(c, without, &found);
        return found ? &c->auths[i] : NULL;
}

/**
 * config_registry() - the credentials for a Docker registry
 * @c:        configuration
 * @registry: as users write it
 *
 * Return: of @c, or NULL.
 */
const ConfigRegistry *config_registry(const Config *c, const char *registry) {
        bool found;
        size_t i = find_registry(c, registry, &found);

        return found ? &c->registries[i] : NULL;
}

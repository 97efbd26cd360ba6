/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lookup of credentials for a registry: one source after the other. What a file says is in docker-auth-file.c, the
 * programs that keep credentials are in docker-auth-helper.c. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/docker-auth.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HUB_SERVER   "https://index.docker.io/v1/" /* as docker calls it when it asks a helper */

/**
 * docker_auth_sources_done() - free the members
 * @s: may be half-filled; empty afterwards
 */
void docker_auth_sources_done(DockerAuthSources *s) {
        (void) strv_free(s->files);
        (void) strv_free(s->helper_dirs);
        free(s->required);
        *s = (DockerAuthSources){};
}

/* An absolute path of the environment, or NULL. */
static const char *env_path(const char *name) {
        const char *s = getenv(name);

        return s && path_is_absolute(s) ? s : NULL;
}

/* DIR/NAME, if there is a DIR. */
static int add_file(DockerAuthSources *s, const char *dir, const char *name) {
        return dir ? strv_extendf(&s->files, "%s/%s", dir, name) : 0;
}

/* A unit has no $HOME; what root put there counts all the same. */
static int add_home_files(DockerAuthSources *s) {
        const struct passwd *pw = env_path("HOME") ? NULL : getpwuid(geteuid());
        const char *home = pw ? pw->pw_dir : env_path("HOME"), *config = env_path("XDG_CONFIG_HOME"),
                   *docker = env_path("DOCKER_CONFIG");
        int r = add_file(s, config ? config : home,
                         config ? "containers/auth.json" : ".config/containers/auth.json");

        if (r >= 0)
                r = add_file(s, docker ? docker : home, docker ? "config.json" : ".docker/config.json");
        return r < 0 ? r : add_file(s, home, ".dockercfg");
}

/**
 * docker_auth_sources_init() - where to look, by the environment
 * @s: for docker_auth_sources_done()
 * @e: sentence on failure
 *
 * Return: 0, -EINVAL ($REGISTRY_AUTH_FILE is no absolute path), -ENOMEM.
 */
int docker_auth_sources_init(DockerAuthSources *s, Error *e) {
        const char *file = getenv("REGISTRY_AUTH_FILE"), *path = getenv("PATH");
        int r;

        *s = (DockerAuthSources){ .helper_msec = DOCKER_HELPER_MSEC };
        if (file && *file && !path_is_absolute(file))
                return error_setf(e, -EINVAL, "$REGISTRY_AUTH_FILE is '%.200s', which is no absolute path",
                                  file);
        r = add_file(s, env_path("CREDENTIALS_DIRECTORY"), "rkt.auth.json");
        if (r >= 0 && file && *file) {
                r = strv_extend(&s->files, file);
                s->required = strdup(file);
        }
        if (r >= 0)
                r = geteuid() == 0 ? strv_extend(&s->files, "/run/containers/0/auth.json")
                                   : add_file(s, env_path("XDG_RUNTIME_DIR"), "containers/auth.json");
        if (r >= 0)
                r = add_home_files(s);
        if (r >= 0)
                r = strv_split(path && *path ? path : DEFAULT_PATH, ":", &s->helper_dirs);
        if (r < 0 || (file && *file && !s->required)) {
                docker_auth_sources_done(s);
                return error_oom(e);
        }
        return 0;
}

static int take_registry(const ConfigRegistry *a, DockerCredentials *ret, Error *e) {
        DockerCredentials c = { .username = strdup(a->user), .password = strdup(a->password) };

        if (!c.username || !c.password) {
                docker_credentials_done(&c);
                return error_oom(e);
        }
        *ret = c;
        return 1;
}

/* dockerAuth: Docker Hub has three names, and rkt's files use any. */
static int find_configured(const Config *c, const char *host, DockerCredentials *ret, Error *e) {
        static const char *const hubs[] = { REGISTRIES_HUB, "index.docker.io", REGISTRIES_HUB_WIRE };
        const ConfigRegistry *a = c ? config_registry(c, host) : NULL;

        if (c && streq(host, REGISTRIES_HUB))
                for (size_t i = 0; i < ELEMENTSOF(hubs) && !a; i++)
                        a = config_registry(c, hubs[i]);
        return a ? take_registry(a, ret, e) : 0;
}

/* Docker Hub is asked for by docker's name, and by podman's. */
static int ask_helper(const DockerAuthSources *s, const char *name, const char *host, DockerCredentials *ret,
                      Error *e) {
        int r = streq(host, REGISTRIES_HUB) ? docker_helper_get(s, name, HUB_SERVER, ret, e) : 0;

        return r == 0 ? docker_helper_get(s, name, host, ret, e) : r;
}

/* 1: read; 0: not there. A file of somebody's home that we may not read is none of ours. */
static int read_file(const DockerAuthSources *s, const char *path, char **ret, size_t *ret_size, Error *e) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        int r;

        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES) &&
            !streq_ptr(path, s->required))
                return 0;
        if (fd < 0)
                return error_setf(e, -errno, "cannot open '%s', which $REGISTRY_AUTH_FILE names: %m", path);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return error_setf(e, -EINVAL, "'%s' is no regular file", path);
        if (st.st_mode & S_IWOTH)
                return error_setf(e, -EPERM, "'%s' can be written by everybody; take that away (chmod o-w)",
                                  path);
        r = fd_read_to_end(fd, CONFIG_FILE_MAX, ret, ret_size);
        return r < 0 ? error_setf(e, r, "cannot read '%s': %s", path,
                                  r == -E2BIG ? "it is too long" : strerror(-r))
                     : 1;
}

static int find_in_file(const DockerAuthSources *s, const char *path, const char *host, const char *place,
                        DockerCredentials *ret, Error *e) {
        _cleanup_(docker_auth_answer_done) DockerAuthAnswer a = {};
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = read_file(s, path, &text, &size, e);

        if (r <= 0)
                return r;
        r = docker_auth_parse(text, size, streq(path_basename(path), ".dockercfg"), place, &a, e);
        gnutls_memset(text, 0, size);
        if (r > 0 && a.helper)
                r = ask_helper(s, a.helper, host, ret, e);
        else if (r > 0) {
                *ret = a.credentials;
                a.credentials = (DockerCredentials){};
        }
        return r < 0 ? error_prefixf(e, r, "'%s'", path) : r;
}

/**
 * docker_credentials_find() - the credentials for an image's registry
 * @c:          with CONFIG_AUTH; NULL: none
 * @s:          where to look after that
 * @host:       HOST[:PORT], lower case; Docker Hub is docker.io
 * @repository: "library/redis"
 * @ret:        for docker_credentials_done(); set with 1
 * @e:          names the file and the key, never a secret
 *
 * A source that cannot be read or asked is an error: going on would mean other credentials than those that were meant.
 *
 * Return: 1, 0 (none), -EPERM (a file that everybody can write), -EACCES, what docker_auth_parse() and
 * docker_helper_get() return.
 */
int docker_credentials_find(const Config *c, const DockerAuthSources *s, const char *host,
                            const char *repository, DockerCredentials *ret, Error *e) {
        _cleanup_free_ char *place = strf("%s/%s", host, repository);
        int r = place ? find_configured(c, host, ret, e) : error_oom(e);

        STRV_FOREACH (file, s->files)
                if (r == 0)
                        r = find_in_file(s, *file, host, place, ret, e);
        return r < 0 ? error_prefixf(e, r, "credentials for '%s'", host) : r;
}

/**
 * docker_credentials_fill() - the credentials for each of several places
 * @c:         with CONFIG_AUTH; NULL: none
 * @s:         where to look after that; NULL: by the environment
 * @endpoints: @n of them, of registries_endpoints(); those without TLS get none
 * @n:         how many
 * @e:         as docker_credentials_find()
 *
 * Return: 0, what docker_credentials_find() and docker_auth_sources_init() return.
 */
int docker_credentials_fill(const Config *c, const DockerAuthSources *s, RegistriesEndpoint *endpoints,
                            size_t n, Error *e) {
        _cleanup_(docker_auth_sources_done) DockerAuthSources own = {};
        int r = s ? 0 : docker_auth_sources_init(&own, e);

        FOREACH_ARRAY (p, endpoints, n) {
                DockerCredentials found = {};

                if (r < 0 || p->allow_http)
                        continue;
                r = docker_credentials_find(c, s ? s : &own, p->host, p->repository, &found, e);
                if (r <= 0)
                        continue;
                p->username = found.username;
                p->password = found.password;
                p->identity_token = found.identity_token;
        }
        return r < 0 ? r : 0;
}

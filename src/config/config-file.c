/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One configuration file: bytes in, rows of a Config out. No I/O. The words of the errors are rkt's; unknown members are
 * skipped and the case of names does not matter, as in rkt. */
#include <string.h>

#include "basic/json.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "config/config-internal.h"

/* All that any kind may say. */
typedef struct ConfigFile {
        char *kind, *version;
        char **domains, **registries;
        char *type;
        ConfigAuth credentials;
        char *data, *stage1_images;
        char *name, *stage1_version, *location;
        char *proxy_http, *proxy_https;
        char **no_proxy;
} ConfigFile;

static const JsonField credentials_fields[] = {
        JSON_ROW("user", json_kind_string, ConfigAuth, user, 0),
        JSON_ROW("password", json_kind_string, ConfigAuth, password, 0),
        JSON_ROW("token", json_kind_string, ConfigAuth, token, 0),
        JSON_ROW("accessKeyID", json_kind_string, ConfigAuth, access_key_id, 0),
        JSON_ROW("secretAccessKey", json_kind_string, ConfigAuth, secret_access_key, 0),
        JSON_ROW("awsRegion", json_kind_string, ConfigAuth, aws_region, 0),
        {},
};

static void credentials_done(void *p) {
        config_auth_done(p);
}

static const JsonStruct credentials_type = {
        .size = sizeof(ConfigAuth),
        .fields = credentials_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .done = credentials_done,
};

#define HEADER_ROWS                                                                                          \
        JSON_ROW("rktKind", json_kind_string, ConfigFile, kind, 0),                                          \
                JSON_ROW("rktVersion", json_kind_string, ConfigFile, version, 0)

static const JsonField header_fields[] = { HEADER_ROWS, {} };

static const JsonField auth_fields[] = {
        JSON_ROW("domains", json_kind_strv, ConfigFile, domains, 0),
        JSON_ROW("type", json_kind_string, ConfigFile, type, 0),
        JSON_STRUCT_ROW("credentials", ConfigFile, credentials, credentials_type, 0),
        {},
};

static const JsonField docker_fields[] = {
        JSON_ROW("registries", json_kind_strv, ConfigFile, registries, 0),
        JSON_STRUCT_ROW("credentials", ConfigFile, credentials, credentials_type, 0),
        {},
};

static const JsonField paths_fields[] = {
        JSON_ROW("data", json_kind_string, ConfigFile, data, 0),
        JSON_ROW("stage1-images", json_kind_string, ConfigFile, stage1_images, 0),
        {},
};

static const JsonField stage1_fields[] = {
        JSON_ROW("name", json_kind_string, ConfigFile, name, 0),
        JSON_ROW("version", json_kind_string, ConfigFile, stage1_version, 0),
        JSON_ROW("location", json_kind_string, ConfigFile, location, 0),
        {},
};

static const JsonField proxy_fields[] = {
        JSON_ROW("http", json_kind_string, ConfigFile, proxy_http, 0),
        JSON_ROW("https", json_kind_string, ConfigFile, proxy_https, 0),
        JSON_ROW("noProxy", json_kind_strv, ConfigFile, no_proxy, 0),
        {},
};

static void config_file_done(ConfigFile *f) {
        free(f->kind);
        free(f->version);
        (void) strv_free(f->domains);
        (void) strv_free(f->registries);
        free(f->type);
        config_auth_done(&f->credentials);
        free(f->data);
        free(f->stage1_images);
        free(f->name);
        free(f->stage1_version);
        free(f->location);
        free(f->proxy_http);
        free(f->proxy_https);
        (void) strv_free(f->no_proxy);
}

static bool is_set(const char *s) {
        return s && *s;
}

/**
 * config_check_word() - what goes into a header line, or beside one, is printable ASCII without blanks
 * @field: what it is, for the sentence
 * @s:     is not in the sentence
 * @e:     sentence on failure
 *
 * Return: 0, -E2BIG, -EINVAL.
 */
int config_check_word(const char *field, const char *s, Error *e) {
        if (strlen(s) > CONFIG_SECRET_MAX)
                return error_setf(e, -E2BIG, "%s is longer than %u bytes", field, CONFIG_SECRET_MAX);
        for (const char *p = s; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return error_setf(
                                e, -EINVAL,
                                "%s contains a blank, a control character or a character beyond ASCII",
                                field);
        return 0;
}

/**
 * config_check_plain() - user and password travel as base64, so they may be any text but control characters (RFC 7617)
 * @field: what it is, for the sentence
 * @s:     is not in the sentence
 * @e:     sentence on failure
 *
 * Return: 0, -E2BIG, -EINVAL.
 */
int config_check_plain(const char *field, const char *s, Error *e) {
        if (strlen(s) > CONFIG_SECRET_MAX)
                return error_setf(e, -E2BIG, "%s is longer than %u bytes", field, CONFIG_SECRET_MAX);
        for (const char *p = s; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        return error_setf(e, -EINVAL, "%s contains a control character", field);
        return 0;
}

static int check_basic(const char *user, const char *password, Error *e) {
        int r;

        if (!is_set(user))
                return error_setf(e, -ENODATA, "credentials: user not specified");
        if (!is_set(password))
                return error_setf(e, -ENODATA, "credentials: password not specified");
        if (strchr(user, ':'))
                return error_setf(e, -EINVAL, "credentials: user must not contain ':'");
        r = config_check_plain("credentials: user", user, e);
        return r < 0 ? r : config_check_plain("credentials: password", password, e);
}

static int check_aws(const ConfigAuth *a, Error *e) {
        int r;

        if (!is_set(a->access_key_id))
                return error_setf(e, -ENODATA, "credentials: accessKeyID not specified");
        if (!is_set(a->secret_access_key))
                return error_setf(e, -ENODATA, "credentials: secretAccessKey not specified");
        r = config_check_word("credentials: accessKeyID", a->access_key_id, e);
        if (r >= 0 && strpbrk(a->access_key_id, "/,"))
                r = error_setf(e, -EINVAL, "credentials: accessKeyID must not contain '/' or ','");
        if (r >= 0)
                r = config_check_word("credentials: secretAccessKey", a->secret_access_key, e);
        if (r >= 0 && is_set(a->aws_region) &&
            !str_in_set(a->aws_region, "abcdefghijklmnopqrstuvwxyz0123456789-"))
                r = error_setf(e, -EINVAL, "credentials: awsRegion '%.100s' is not like 'us-east-1'",
                               a->aws_region);
        return r;
}

static int check_credentials(const char *type, ConfigAuth *a, Error *e) {
        if (!is_set(type))
                return error_setf(e, -ENODATA, "no auth type specified (field 'type')");
        for (a->type = 0; a->type < _AUTH_TYPE_MAX; a->type++)
                if (streq(type, auth_type_to_string(a->type)))
                        break;
        if (a->type == AUTH_BASIC)
                return check_basic(a->user, a->password, e);
        if (a->type == AUTH_AWS)
                return check_aws(a, e);
        if (a->type != AUTH_OAUTH)
                return error_setf(e, -EINVAL,
                                  "unknown auth type: \"%.100s\" (field 'type'); it is basic, oauth or aws",
                                  type);
        if (!is_set(a->token))
                return error_setf(e, -ENODATA,
                                  "credentials: no oauth bearer token specified (field 'token')");
        return config_check_word("credentials: token", a->token, e);
}

/* HOST or HOST:PORT as in a URL; an IPv6 address in brackets. */
static int check_host(const char *field, const char *s, Error *e) {
        if (!*s || strlen(s) > 300 ||
            !str_in_set(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]"))
                return error_setf(e, -EINVAL, "'%.100s' in field '%s' is not HOST or HOST:PORT", s, field);
        return 0;
}

static int add_auths(Config *c, ConfigFile *f, Error *e) {
        int r;

        if (!f->domains || !*f->domains)
                return error_setf(e, -ENODATA, "no domains specified (field 'domains')");
        r = check_credentials(f->type, &f->credentials, e);
        STRV_FOREACH (d, f->domains) {
                if (r >= 0)
                        r = check_host("domains", *d, e);
                for (char *p = *d; r >= 0 && *p; p++)
                        if (*p >= 'A' && *p <= 'Z')
                                *p = (char) (*p - 'A' + 'a');
                if (r >= 0)
                        r = config_add_auth(c, *d, &f->credentials, e);
        }
        return r;
}

static int add_registries(Config *c, ConfigFile *f, Error *e) {
        int r;

        if (!f->registries || !*f->registries)
                return error_setf(e, -ENODATA, "no registries specified (field 'registries')");
        r = check_basic(f->credentials.user, f->credentials.password, e);
        STRV_FOREACH (d, f->registries) {
                if (r >= 0)
                        r = check_host("registries", *d, e);
                if (r >= 0)
                        r = config_add_registry(c, *d, &f->credentials, e);
        }
        return r;
}

static int set_once(char **p, char **value, const char *what, Error *e) {
        if (!is_set(*value))
                return 0;
        if (*p)
                return error_setf(e, -EEXIST, "%s already specified in this directory", what);
        *p = TAKE_PTR(*value);
        return 0;
}

static int check_dir(const char *field, const char *what, const char *p, Error *e) {
        if (!is_set(p) || (path_is_absolute(p) && strlen(p) <= PATH_LENGTH_MAX))
                return 0;
        return error_setf(e, -EINVAL, "%s must be an absolute path (field '%s')", what, field);
}

static int set_paths(Config *c, ConfigFile *f, Error *e) {
        int r;

        r = check_dir("data", "data directory", f->data, e);
        if (r >= 0)
                r = check_dir("stage1-images", "stage1 images directory", f->stage1_images, e);
        if (r >= 0)
                r = set_once(&c->data_dir, &f->data, "data directory (field 'data') is", e);
        if (r >= 0)
                r = set_once(&c->stage1_images_dir, &f->stage1_images,
                             "stage1 images directory (field 'stage1-images') is", e);
        return r;
}

static int check_location(const char *s, Error *e) {
        static const char *const schemes[] = { "docker:", "file:", "http:", "https:" };
        size_t n = strcspn(s, ":/?#");

        if (*s == '/')
                return 0;
        for (const char *p = s; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return error_setf(
                                e, -EINVAL,
                                "default stage1 image location is an invalid URL (field 'location')");
        if (s[n] != ':')
                return error_setf(
                        e, -EINVAL,
                        "default stage1 image location is either a relative path or a URL without scheme "
                        "(field 'location')");
        FOREACH_ARRAY (p, schemes, ELEMENTSOF(schemes))
                if (startswith(s, *p))
                        return 0;
        return error_setf(
                e, -EINVAL,
                "default stage1 image location URL has invalid scheme \"%.*s\" (field 'location'); allowed "
                "are docker, file, http, https",
                (int) MIN(n, (size_t) 50), s);
}

static int set_stage1(Config *c, ConfigFile *f, Error *e) {
        int r = 0;

        if (!is_set(f->name) && is_set(f->stage1_version))
                return error_setf(
                        e, -ENODATA,
                        "default stage1 image version specified, but name is missing (field 'name')");
        if (is_set(f->name) && !is_set(f->stage1_version))
                return error_setf(
                        e, -ENODATA,
                        "default stage1 image name specified, but version is missing (field 'version')");
        if (is_set(f->location))
                r = check_location(f->location, e);
        if (r >= 0)
                r = set_once(&c->stage1_name, &f->name,
                             "name and version of a default stage1 image (field 'name') are", e);
        if (r >= 0)
                r = set_once(&c->stage1_version, &f->stage1_version,
                             "name and version of a default stage1 image (field 'version') are", e);
        if (r >= 0)
                r = set_once(&c->stage1_location, &f->location,
                             "location of a default stage1 image (field 'location') is", e);
        return r;
}

/* What a proxy is, net/proxy.h knows. */
static int set_proxy(Config *c, ConfigFile *f, Error *e) {
        _cleanup_free_ char *no_proxy = NULL;
        int r = 0;

        if (is_set(f->proxy_http))
                r = config_check_word("field 'http'", f->proxy_http, e);
        if (r >= 0 && is_set(f->proxy_https))
                r = config_check_word("field 'https'", f->proxy_https, e);
        STRV_FOREACH (host, f->no_proxy) {
                if (r >= 0)
                        r = config_check_word("field 'noProxy'", *host, e);
                if (r >= 0 && (strchr(*host, ',') || !**host))
                        r = error_setf(e, -EINVAL, "field 'noProxy': one host each, '%.100s' is not", *host);
        }
        if (r >= 0 && strv_join(f->no_proxy, ",", &no_proxy) < 0)
                r = error_oom(e);
        if (r >= 0 && no_proxy && strlen(no_proxy) > CONFIG_SECRET_MAX)
                r = error_setf(e, -E2BIG, "field 'noProxy' is longer than %u bytes", CONFIG_SECRET_MAX);
        if (r >= 0)
                r = set_once(&c->proxy_http, &f->proxy_http, "the proxy for http (field 'http') is", e);
        if (r >= 0)
                r = set_once(&c->proxy_https, &f->proxy_https, "the proxy for https (field 'https') is", e);
        return r < 0 ? r
                     : set_once(&c->no_proxy, &no_proxy, "the hosts without a proxy (field 'noProxy') are",
                                e);
}

static const struct {
        const char *kind;
        ConfigPart folder;
        const JsonField *fields;
        int (*set)(Config *c, ConfigFile *f, Error *e);
} kinds[] = {
        { "auth", CONFIG_AUTH, auth_fields, add_auths },
        { "dockerAuth", CONFIG_AUTH, docker_fields, add_registries },
        { "paths", CONFIG_PATHS, paths_fields, set_paths },
        { "stage1", CONFIG_STAGE1, stage1_fields, set_stage1 },
        { "proxy", CONFIG_PROXY, proxy_fields, set_proxy },
};

static int check_header(const ConfigFile *f, ConfigPart folder, size_t *ret_kind, Error *e) {
        if (!is_set(f->kind))
                return error_setf(e, -ENODATA, "no rktKind specified");
        if (!is_set(f->version))
                return error_setf(e, -ENODATA, "no rktVersion specified");
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                if (kinds[i].folder != folder || !streq(kinds[i].kind, f->kind))
                        continue;
                if (!streq(f->version, "v1"))
                        return error_setf(e, -EOPNOTSUPP,
                                          "rktVersion of kind \"%s\" is \"%.50s\"; this rkt knows v1",
                                          f->kind, f->version);
                *ret_kind = i;
                return 0;
        }
        return error_setf(e, -EINVAL, "rktKind is \"%.50s\"; this folder has files of kind %s", f->kind,
                          folder == CONFIG_AUTH     ? "auth and dockerAuth"
                          : folder == CONFIG_PATHS  ? "paths"
                          : folder == CONFIG_STAGE1 ? "stage1"
                                                    : "proxy");
}

/**
 * config_parse() - take one file into a configuration
 * @c:      what the files of the same directory before it said
 * @folder: which folder it is in: only kinds of that folder are taken
 * @data:   @size bytes, from an administrator
 * @size:   bytes
 * @e:      names the field
 *
 * Return: 0; those of json_parse(); -ENODATA (field missing), -EINVAL, -EEXIST (said before), -EOPNOTSUPP (rktVersion),
 * -E2BIG, -ENOMEM. @c is half-filled on failure.
 */
int config_parse(Config *c, ConfigPart folder, const char *data, size_t size, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        _cleanup_(config_file_done) ConfigFile f = {};
        size_t kind = 0;
        int r;

        if (size > CONFIG_FILE_MAX)
                return error_setf(e, -E2BIG, "the file is longer than %u bytes", CONFIG_FILE_MAX);
        r = json_parse(data, size, &v, e);
        if (r >= 0)
                r = json_map(v, header_fields, JSON_OPEN | JSON_ANY_CASE, &f, e);
        if (r >= 0)
                r = check_header(&f, folder, &kind, e);
        if (r >= 0)
                r = json_map(v, kinds[kind].fields, JSON_OPEN | JSON_ANY_CASE, &f, e);
        return r < 0 ? r : kinds[kind].set(c, &f, e);
}

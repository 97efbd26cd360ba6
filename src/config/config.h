/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt's configuration files: credentials, paths, the default stage1. What rkt reads, from where, and what overrides what.
 *
 * Three directories, the later one wins: system (/usr/lib/rkt), local (/etc/rkt), user (--user-config=). In each: auth.d
 * (kinds auth, dockerAuth), paths.d (paths), stage1.d (stage1), proxy.d (proxy, ours); in these: regular files *.json. Within
 * one directory nothing may be said twice; across them the later overrides per domain, per registry, per path, name+version
 * together. And registries.d (ours): INI files *.conf, see config/registries.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/alloc.h"
#include "basic/error.h"
#include "basic/json-write.h"

#define CONFIG_SYSTEM_DIR "/usr/lib/rkt"
#define CONFIG_LOCAL_DIR  "/etc/rkt"

#define CONFIG_FILE_MAX    (256U * 1024) /* bytes of one file */
#define CONFIG_FILES_MAX   4096U         /* files of one folder */
#define CONFIG_SECRET_MAX  16384U        /* bytes of a user, a password, a token, a key */
#define CONFIG_DOMAINS_MAX 4096U         /* domains, and registries, of one directory */

/* Which folders are read. A command that needs no credentials does not ask for them: their files may be unreadable. */
typedef enum ConfigPart {
        CONFIG_AUTH = 1 << 0,       /* auth.d */
        CONFIG_PATHS = 1 << 1,      /* paths.d */
        CONFIG_STAGE1 = 1 << 2,     /* stage1.d */
        CONFIG_PROXY = 1 << 3,      /* proxy.d */
        CONFIG_REGISTRIES = 1 << 4, /* registries.d */
        CONFIG_ALL = CONFIG_AUTH | CONFIG_PATHS | CONFIG_STAGE1 | CONFIG_PROXY | CONFIG_REGISTRIES,
        CONFIG_NETWORK = CONFIG_AUTH | CONFIG_PROXY | CONFIG_REGISTRIES, /* what requests need */
} ConfigPart;

typedef enum AuthType {
        AUTH_BASIC,
        AUTH_OAUTH,
        AUTH_AWS,
        _AUTH_TYPE_MAX,
        _AUTH_TYPE_INVALID = -EINVAL,
} AuthType;

/* Credentials for one host. */
typedef struct ConfigAuth {
        char *domain; /* HOST or HOST:PORT, lower case */
        AuthType type;
        char *user, *password; /* AUTH_BASIC */
        char *token;           /* AUTH_OAUTH */
        char *access_key_id, *secret_access_key,
                *aws_region; /* AUTH_AWS; the region may be NULL: told from the host */
} ConfigAuth;

/* Credentials for one Docker registry. */
typedef struct ConfigRegistry {
        char *registry; /* as written: index.docker.io, docker.io and registry-1.docker.io are three */
        char *user, *password;
} ConfigRegistry;

/* Which pulls ask the mirrors. */
typedef enum RegistryPull {
        REGISTRY_PULL_ALL,
        REGISTRY_PULL_DIGEST_ONLY, /* those by digest: a mirror cannot give another image then */
        REGISTRY_PULL_TAG_ONLY,
        _REGISTRY_PULL_MAX,
        _REGISTRY_PULL_INVALID = -EINVAL,
} RegistryPull;

/* One section [Registry] of registries.d. Places are HOST[:PORT][/PATH], lower case. */
typedef struct RegistryRule {
        char *file;     /* name within registries.d */
        unsigned line;  /* of the section's header */
        char *prefix;   /* a place, or *.HOST */
        char *location; /* a place that stands for the prefix; NULL: the prefix itself */
        char **mirrors; /* places that stand for the prefix, in the order to ask */
        bool allow_http, insecure_tls, is_blocked;
        RegistryPull pull;
        char *ca, *certificate, *key; /* absolute paths, or NULL */
        char *token_host; /* HOST[:PORT] of a token server elsewhere that may get the credentials; or NULL */
} RegistryRule;

typedef struct Config {
        ConfigAuth *auths; /* sorted by domain */
        size_t n_auths;
        ConfigRegistry *registries; /* sorted by name */
        size_t n_registries;
        RegistryRule *rules;
        size_t n_rules;
        char **rule_files; /* names of files that were read in registries.d, for the directory that comes later */
        char *data_dir;                     /* absolute, or NULL */
        char *stage1_images_dir;            /* absolute, or NULL */
        char *stage1_name, *stage1_version; /* both or none */
        char *stage1_location;              /* absolute path or URL, or NULL */
        char *proxy_http, *proxy_https;     /* [http://][USER:PASSWORD@]HOST:PORT, or NULL */
        char *no_proxy;                     /* hosts with commas between them, or NULL */
        char **warnings;                    /* sentences for people; a main logs them */
} Config;

/* Where from. NULL and "" stand for: none. */
typedef struct ConfigDirs {
        const char *system;
        const char *local;
        const char *user;
} ConfigDirs;

int config_load(const ConfigDirs *dirs, unsigned parts, Config **ret, Error *e);
int config_parse(Config *c, ConfigPart folder, const char *data, size_t size, Error *e);
int config_data_dir(const ConfigDirs *dirs, const char *fallback, char **ret, Error *e);
Config *config_free(Config *c);
DEFINE_CLEANUP(Config *, config_free);
const ConfigAuth *config_auth(const Config *c, const char *host, unsigned port);
const ConfigRegistry *config_registry(const Config *c, const char *registry);
void config_write_json(const Config *c, JsonWriter *w);
const char *auth_type_to_string(AuthType t);
const char *registry_pull_to_string(RegistryPull p);

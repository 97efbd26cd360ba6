/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One key of [Container] or [Pod] each. What is said nowhere keeps rkt's default, which is the narrower one. */
#include "podfile/quadlet-set.h"

#include <ctype.h>
#include <string.h>

#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/word.h"
#include "podfile/value-check.h"

#define WORDS_MAX 2000U

static bool confines(const QuadletKey *key) {
        return key->flags & QUADLET_KEY_CONFINES;
}

static int bad(Draft *d, const QuadletKey *key, const QuadletLine *line, const char *why) {
        return confines(key) ? draft_refuse(d, line, "%s; without it the pod would be less confined", why)
                             : draft_note(d, line, "%s", why);
}

/* 1 with the words; 0 when a note was made. */
static int words_of(Draft *d, const QuadletKey *key, const QuadletLine *line, const char *value,
                    char ***ret) {
        int r = word_split(value, WORDS_MAX, ret);

        return r == -ENOMEM ? r : r < 0 ? bad(d, key, line, "quotes or escapes do not match") : 1;
}

QUADLET_SETTER(app) {
        return draft_add(d, d->app, line, confines(key), "%s=%s", key->argument ? key->argument : key->name,
                         value);
}

QUADLET_SETTER(pod) {
        return draft_add(d, DRAFT_POD, line, confines(key), "%s=%s",
                         key->argument ? key->argument : key->name, value);
}

QUADLET_SETTER(note) {
        (void) value;
        return draft_note(d, line, "has no counterpart: %s", key->argument);
}

QUADLET_SETTER(refuse) {
        (void) value;
        return draft_refuse(d, line, "has no counterpart: %s", key->argument);
}

/* Read together with others, elsewhere. */
QUADLET_SETTER(collected) {
        (void) d;
        (void) key;
        (void) line;
        (void) value;
        return 0;
}

QUADLET_SETTER(unconfined) {
        return streq(value, "unconfined")
                       ? draft_note(d, line, "has no counterpart: rkt's own protection stays")
                       : quadlet_set_refuse(d, key, line, value);
}

/**
 * quadlet_boolean() - a boolean as Quadlet reads it
 * @value: as written
 *
 * Return: 1, 0; -EINVAL: none of its words, which Quadlet takes for "no".
 */
int quadlet_boolean(const char *value) {
        static const char *const words[2][4] = { { "0", "no", "false", "off" },
                                                 { "1", "yes", "true", "on" } };

        for (int i = 0; i < 2; i++)
                FOREACH_ARRAY (w, words[i], 4)
                        if (strcasecmp(*w, value) == 0)
                                return i;
        return -EINVAL;
}

QUADLET_SETTER(app_boolean) {
        int b = quadlet_boolean(value);

        return b < 0 ? bad(d, key, line, "neither yes nor no, which Quadlet takes for no")
                     : draft_add(d, d->app, line, confines(key), "%s=%s", key->name, b ? "yes" : "no");
}

static int tell_boolean(Draft *d, const QuadletLine *line, const char *value) {
        return quadlet_boolean(value) < 0
                       ? draft_note(d, line, "neither yes nor no, which Quadlet takes for no")
                       : 0;
}

QUADLET_SETTER(read_only) {
        d->read_only = quadlet_boolean(value) > 0;
        return quadlet_set_app_boolean(d, key, line, value);
}

QUADLET_SETTER(read_only_tmpfs) {
        (void) key;
        d->no_read_only_tmpfs = quadlet_boolean(value) <= 0;
        return tell_boolean(d, line, value);
}

QUADLET_SETTER(volatile_tmp) {
        (void) key;
        return quadlet_boolean(value) > 0
                       ? draft_add(d, d->app, line, false, "TemporaryFileSystem=/tmp:size=512M,mode=1777")
                       : tell_boolean(d, line, value);
}

QUADLET_SETTER(auto_update) {
        return streq(value, "registry")
                       ? quadlet_set_pod(d, key, line, value)
                       : draft_note(d, line,
                                    "has no counterpart: only \"registry\" is; an image of this "
                                    "machine changes when the pod is restarted");
}

/* ---- what runs ---- */

/* "$$" of a unit's command line is "$" here. */
static int unescape_dollar(const char *value, char **ret, bool *ret_has_variable) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        *ret_has_variable = false;
        strbuf_add(&b, "");
        for (const char *p = value; *p; p++) {
                if (p[0] == '$' && p[1] == '$')
                        p++;
                else if (p[0] == '$' && (p[1] == '{' || (p == value || p[-1] == ' ')))
                        *ret_has_variable = true;
                strbuf_add_n(&b, p, 1);
        }
        return strbuf_steal(&b, ret);
}

QUADLET_SETTER(exec) {
        _cleanup_free_ char *text = NULL;
        bool has_variable;
        int r = unescape_dollar(value, &text, &has_variable);

        if (r >= 0 && has_variable)
                r = draft_note(d, line,
                               "variables are not expanded: \"$\" is an ordinary character here (use "
                               "a shell of the image)");
        return r < 0 ? r : draft_add(d, d->app, line, confines(key), "Args=%s", text);
}

/* A word, or a list as JSON. Podman forgets the image's CMD then. */
QUADLET_SETTER(entrypoint) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (*value == '\0')
                return draft_note(d, line,
                                  "has no counterpart: say Entrypoint= with the program that is to run");
        if (*value == '[') {
                /* Words of JSON are words of ours, but for the commas. */
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                bool quoted = false;

                for (const char *p = value + 1; *p && (quoted || *p != ']'); p++) {
                        if (*p == '\\' && p[1] && quoted)
                                strbuf_add_n(&b, p++, 1);
                        else if (*p == '"')
                                quoted = !quoted;
                        if (quoted || *p != ' ')
                                strbuf_add_n(&b, *p == ',' && !quoted ? " " : p, 1);
                }
                r = strbuf_steal(&b, &text);
        } else
                r = quadlet_add_word(value, &text);
        if (r >= 0)
                r = draft_add(d, d->app, line, confines(key), "Entrypoint=%s", str_or(text, ""));
        return r;
}

static int check_reference(Draft *d, const QuadletLine *line, const char *image) {
        size_t n = strcspn(image, "/");

        if (startswith(image, "localhost/"))
                return draft_note(d, line,
                                  "such an image is only in Podman's own store: podman save "
                                  "--format=oci-archive -o FILE, and say Image=oci-archive:FILE");
        if (image[n] == '\0' || (!memchr(image, '.', n) && !memchr(image, ':', n)))
                return draft_note(d, line,
                                  "a short name, which Podman completes by registries.conf, and "
                                  "which is Docker Hub's here");
        return 0;
}

static int add_image(Draft *d, const QuadletLine *line, const char *image) {
        static const char *const transports[] = { "docker://", "oci:", "oci-archive:", "docker-archive:" };
        const QuadletImport *x = d->import;
        int r;

        FOREACH_ARRAY (t, transports, ELEMENTSOF(transports))
                if (startswith(image, *t))
                        return draft_add(d, d->app, line, true, "Image=%s", image);
        if (strstr(image, ":/") || startswith(image, "dir:"))
                return draft_refuse(d, line,
                                    "image '%s' is of a kind that is not known (docker://, oci:, "
                                    "oci-archive: and docker-archive: are)",
                                    image);
        r = check_reference(d, line, image);
        if (r >= 0)
                r = draft_add(d, d->app, line, true, "Image=docker://%s", image);
        if (r < 0)
                return r;
        if (x->insecure_image)
                return draft_add(d, DRAFT_POD, line, false, "InsecureOptions=image");
        if (d->has_trust_note)
                return 0;
        d->has_trust_note = true;
        return draft_note(d, line,
                          "Podman takes images unsigned: say in trust.d whose signature is wanted, or "
                          "that none is (rkt-trust(1)), or InsecureOptions=image in [Pod]");
}

/* Keys of an .image that this pod now has to do without. */
static int image_notes(Draft *d, const Quadlet *image) {
        int r = 0;

        FOREACH_ARRAY (l, image->lines, image->n_lines) {
                if (r < 0 || l->is_done || streq(l->key, "Image") || streq(l->section, "Install") ||
                    streq(l->section, "Unit") || streq(l->section, "Service"))
                        continue;
                if (streq(l->key, "Policy"))
                        r = quadlet_value(d->unit, "Pull")
                                    ? 0
                                    : draft_add(d, DRAFT_POD, l, false, "Pull=%s", l->value);
                else if (streq(l->key, "TLSVerify") && quadlet_boolean(l->value) == 0)
                        r = draft_note(d, l,
                                       "has no counterpart: say http or insecure for that host in "
                                       "registries.d (rkt-config(5)), or InsecureOptions=tls in [Pod]");
                else
                        r = draft_note(d, l,
                                       "has no counterpart: how images are fetched is said in "
                                       "rkt-config(5) (auth.d, registries.d)");
        }
        return r;
}

QUADLET_SETTER(image) {
        Quadlet *file = quadlet_find_file(d->import, value);
        const char *image;
        int r;

        (void) key;
        if (endswith(value, ".build"))
                return draft_refuse(d, line,
                                    "rkt builds no images: build '%s' with podman or buildah, and say "
                                    "Image=oci-archive:FILE or a registry's",
                                    value);
        if (!endswith(value, ".image"))
                return add_image(d, line, value);
        image = file && file->kind == QUADLET_IMAGE && !file->is_refused ? quadlet_value(file, "Image")
                                                                         : NULL;
        if (!image)
                return draft_refuse(d, line, "there is no '%s' with an Image= among the files", value);
        draft_use(d, file);
        r = add_image(d, line, image);
        return r < 0 ? r : image_notes(d, file);
}

/* ---- environment, secrets ---- */

/* Where the app finds a secret of this unit that Podman has in /run/secrets; NULL: it is none. */
static const char *secret_name(const Draft *d, const char *value) {
        const char *name = startswith(value, "/run/secrets/");

        FOREACH_ARRAY (l, d->unit->lines, d->unit->n_lines) {
                size_t n = strcspn(l->value, ",");

                if (name && !l->is_done && streq(l->key, "Secret") && strlen(name) == n &&
                    strncmp(l->value, name, n) == 0)
                        return name;
        }
        return NULL;
}

static int environment_word(Draft *d, const QuadletLine *line, const char *word, char **text) {
        const char *value = strchr(word, '='), *secret = value ? secret_name(d, value + 1) : NULL;
        _cleanup_free_ char *replaced = NULL;

        if (!value)
                return draft_note(d, line,
                                  "'%.100s' of the host's environment has no counterpart: say its "
                                  "value, or use EnvironmentFile=",
                                  word);
        if (secret) {
                replaced = strf("%.*s=/run/credentials/%s.service/%s", (int) (value - word), word,
                                d->app_name, secret);
                if (!replaced)
                        return -ENOMEM;
        }
        return quadlet_add_word(replaced ? replaced : word, text);
}

QUADLET_SETTER(environment) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *text = NULL;
        int r = words_of(d, key, line, value, &words);

        STRV_FOREACH (w, words)
                if (r >= 0)
                        r = environment_word(d, line, *w, &text);
        return r < 0 || !text ? r : draft_add(d, d->app, line, false, "Environment=%s", text);
}

/**
 * quadlet_path() - a path as a unit has it
 * @d:    whose unit is being translated
 * @path: absolute, or beside the unit's file
 *
 * Return: absolute, if it can be; to free(). NULL: no memory.
 */
char *quadlet_path(const Draft *d, const char *path) {
        const char *file = d->unit->files[0], *slash = strrchr(file, '/'), *base = d->import->base;
        _cleanup_free_ char *joined = NULL;

        if (path_is_absolute(path))
                return path_clean(path);
        joined = strf("%s%s%.*s/%s", *file != '/' && base ? base : "", *file != '/' && base ? "/" : "",
                      slash ? (int) (slash - file) : 1, slash ? file : ".", path);
        return joined ? path_clean(joined) : NULL;
}

QUADLET_SETTER(environment_file) {
        bool optional = *value == '-';
        _cleanup_free_ char *path = quadlet_path(d, value + optional);

        return path ? draft_add(d, d->app, line, confines(key), "EnvironmentFile=%s%s", optional ? "-" : "",
                                path)
                    : -ENOMEM;
}

QUADLET_SETTER(secret) {
        _cleanup_strv_free_ char **words = NULL;
        int r = strv_split(value, ",", &words);

        (void) key;
        if (r < 0 || !words)
                return r;
        STRV_FOREACH (w, words + 1)
                if (r >= 0 && streq(*w, "type=env"))
                        return draft_note(d, line,
                                          "a secret as a variable has no counterpart: use "
                                          "LoadCredential=, and the file in $CREDENTIALS_DIRECTORY");
                else if (r >= 0)
                        r = draft_note(d, line,
                                       "'%.100s' has no counterpart: the app finds it as "
                                       "$CREDENTIALS_DIRECTORY/%.200s, which only its user can read",
                                       *w, words[0]);
        if (r >= 0)
                r = draft_add(d, d->app, line, false, "LoadCredential=%s:/etc/credstore/%s", words[0],
                              words[0]);
        return r < 0 ? r
                     : draft_note(d, line,
                                  "not in Podman's store, but in a file here (podman secret inspect "
                                  "--showsecret; mode 0600), and for the app in "
                                  "/run/credentials/%s.service instead of /run/secrets",
                                  d->app_name);
}

/* ---- numbers ---- */

/* Podman's "512m" and "1g" are "512M" and "1G". */
QUADLET_SETTER(size) {
        _cleanup_free_ char *text = strdup(value);
        size_t n;

        if (!text)
                return -ENOMEM;
        for (char *p = text; *p; p++)
                *p = (char) toupper((unsigned char) *p);
        n = strlen(text);
        if (streq(key->name, "Memory") && str_in_set(text, "0B")) /* Podman's word for no limit */
                return draft_add(d, d->app, line, false, "%s=infinity", key->argument);
        if (n > 1 && text[n - 1] == 'B')
                text[--n] = '\0';
        return draft_add(d, d->app, line, confines(key), "%s=%s", key->argument, text);
}

QUADLET_SETTER(tasks) {
        return draft_add(d, d->app, line, confines(key), "%s=%s", key->argument,
                         streq(value, "-1") || streq(value, "0") ? "infinity" : value);
}

QUADLET_SETTER(ulimit) {
        static const char *const names[] = { "AS",     "CORE",   "CPU",        "DATA", "FSIZE", "LOCKS",
                                             "NICE",   "NOFILE", "MEMLOCK",    "RSS",  "NPROC", "MSGQUEUE",
                                             "RTPRIO", "RTTIME", "SIGPENDING", "STACK" };
        const char *equals = strchr(value, '=');
        _cleanup_strv_free_ char **limits = NULL;
        _cleanup_free_ char *text = NULL;
        int r = 0;

        if (streq(value, "host"))
                return draft_note(d, line, "has no counterpart: the limits are systemd's defaults");
        FOREACH_ARRAY (n, names, ELEMENTSOF(names)) {
                if (!equals || (size_t) (equals - value) != strlen(*n) ||
                    strncasecmp(*n, value, strlen(*n)) != 0)
                        continue;
                r = strv_split(equals + 1, ":", &limits);
                STRV_FOREACH (l, limits)
                        if (r >= 0 && streq(*l, "-1"))
                                r = str_replace(l, "infinity");
                if (r >= 0)
                        r = strv_join(limits, ":", &text);
                return r < 0 ? r : draft_add(d, d->app, line, true, "Limit%s=%s", *n, text);
        }
        return bad(d, key, line, "not a limit that systemd knows (NAME=SOFT:HARD)");
}

QUADLET_SETTER(health_time) {
        return streq(value, "disable")
                       ? draft_note(d, line,
                                    "has no counterpart: a check without an interval is none; "
                                    "HealthCmd=none switches it off")
                       : quadlet_set_app(d, key, line, value);
}

/* Podman leaves the rest to systemd, after "kill": what that does depends on Restart=. */
QUADLET_SETTER(health_action) {
        if (!streq(value, "kill"))
                return quadlet_set_app(d, key, line, value);
        d->kill = line;
        return 0;
}

QUADLET_SETTER(notify) {
        (void) key;
        if (streq(value, "healthy"))
                return draft_add(d, d->app, line, false, "Notify=healthy");
        return quadlet_boolean(value) > 0 ? draft_add(d, d->app, line, false, "Type=notify")
                                          : tell_boolean(d, line, value);
}

QUADLET_SETTER(exit_policy) {
        (void) key;
        if (streq(value, "continue"))
                return draft_add(d, DRAFT_POD, line, false, "ExitPolicy=never");
        return streq(value, "stop") ? draft_add(d, DRAFT_POD, line, false, "ExitPolicy=all")
                                    : draft_note(d, line, "unknown word (stop or continue)");
}

/* ---- users and powers ---- */

QUADLET_SETTER(user) {
        const char *colon = strchr(value, ':');
        int r;

        d->has_user = true;
        d->is_root = streq(value, "root") || streq(value, "0") || startswith(value, "0:") ||
                     startswith(value, "root:");
        if (!colon)
                return quadlet_set_app(d, key, line, value);
        r = draft_add(d, d->app, line, true, "User=%.*s", (int) (colon - value), value);
        return r < 0 ? r : draft_add(d, d->app, line, true, "Group=%s", colon + 1);
}

QUADLET_SETTER(groups) {
        return streq(value, "keep-groups")
                       ? draft_note(d, line, "has no counterpart: who starts the pod lends it no groups")
                       : quadlet_set_app(d, key, line, value);
}

QUADLET_SETTER(user_namespace) {
        size_t n = strcspn(value, ":");

        (void) key;
        if (streq(value, "host"))
                return draft_add(d, DRAFT_POD, line, false, "PrivateUsers=no");
        if (n != 4 || strncmp(value, "auto", 4) != 0 || value[n]) {
                int r = draft_note(d, line,
                                   "has no counterpart as it is: the pod gets 65536 users of its own");

                if (r < 0)
                        return r;
        }
        return draft_add(d, DRAFT_POD, line, true, "PrivateUsers=pick");
}

/* "0:START:LENGTH", once for each of both, and the same. */
QUADLET_SETTER(user_map) {
        size_t i = streq(key->name, "GIDMap");
        const QuadletLine **maps = d->users;
        const char *range = startswith(value, "0:");
        int r;

        maps[i] = line;
        d->n_users[i]++;
        if (!maps[!i])
                return 0;
        if (range && d->n_users[0] == 1 && d->n_users[1] == 1 && streq(maps[0]->value, maps[1]->value))
                return draft_add(d, DRAFT_POD, line, true, "PrivateUsers=%s", range);
        r = draft_note(d, line,
                       "more than one range, or not the same for groups, has no counterpart: the pod "
                       "gets 65536 users of its own");
        return r < 0 ? r : draft_add(d, DRAFT_POD, line, true, "PrivateUsers=pick");
}

QUADLET_SETTER(capability) {
        bool drop = streq(key->name, "DropCapability");
        _cleanup_strv_free_ char **words = NULL;
        int r = words_of(d, key, line, value, &words);

        STRV_FOREACH (w, words) {
                _cleanup_free_ char *name = NULL;

                if (r < 0)
                        return r;
                for (char *p = *w; *p; p++)
                        *p = (char) toupper((unsigned char) *p);
                if (streq(*w, "ALL")) {
                        d->drops_all = d->drops_all || drop;
                        d->capability = line;
                        r = drop ? 0
                                 : draft_note(d, line,
                                              "all capabilities have no counterpart: name those that "
                                              "the app needs");
                        continue;
                }
                name = strf("%s%s", startswith(*w, "CAP_") ? "" : "CAP_", *w);
                if (!name)
                        return -ENOMEM;
                if (value_check(CHECK_CAPABILITIES, name) || name[strcspn(name, " \t\r\n")]) {
                        r = draft_note(d, line, "'%.100s' is no capability, and is left out", *w);
                        continue;
                }
                d->capability = line;
                if (!strv_contains(drop ? d->no_capabilities : d->capabilities, name))
                        r = strv_consume(drop ? &d->no_capabilities : &d->capabilities, TAKE_PTR(name));
        }
        return r < 0 ? r : 0;
}

/**
 * quadlet_capabilities_done() - the capabilities of an app, once all lines are known
 * @d: the draft
 *
 * Return: 0 or -ENOMEM.
 */
int quadlet_capabilities_done(Draft *d) {
        static const char *const defaults[] = { "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",
                                                "CAP_FSETID", "CAP_KILL",         "CAP_NET_BIND_SERVICE",
                                                "CAP_SETGID", "CAP_SETUID" };
        _cleanup_strv_free_ char **all = NULL;
        _cleanup_free_ char *text = NULL, *added = NULL;
        int r = 0;

        if (!d->capability)
                return 0;
        FOREACH_ARRAY (c, defaults, ELEMENTSOF(defaults))
                if (r >= 0 && !d->drops_all && !strv_contains(d->no_capabilities, *c))
                        r = strv_extend(&all, *c);
        STRV_FOREACH (c, d->capabilities)
                if (r >= 0 && !strv_contains(all, *c))
                        r = strv_extend(&all, *c);
        if (r >= 0)
                r = strv_join(all, " ", &text);
        if (r >= 0)
                r = draft_add(d, d->app, d->capability, true, "CapabilityBoundingSet=%s", str_or(text, ""));
        if (r >= 0 && d->capabilities && d->has_user && !d->is_root) {
                r = strv_join(d->capabilities, " ", &added);
                if (r >= 0)
                        r = draft_add(d, d->app, d->capability, false, "AmbientCapabilities=%s", added);
        }
        return r;
}

QUADLET_SETTER(sysctl) {
        _cleanup_strv_free_ char **words = NULL;
        _cleanup_free_ char *text = NULL;
        int r = words_of(d, key, line, value, &words);

        STRV_FOREACH (w, words)
                if (r >= 0)
                        r = startswith(*w, "net.") || startswith(*w, "net/")
                                    ? quadlet_add_word(*w, &text)
                                    : draft_note(d, line, "'%.100s' is not the pod's own: only net.* is", *w);
        return r < 0 || !text ? r : draft_add(d, d->app, line, false, "Sysctl=%s", text);
}

/* ---- output, names, ports ---- */

QUADLET_SETTER(log_driver) {
        int r;

        (void) key;
        if (streq(value, "journald") || streq(value, "passthrough"))
                return 0; /* as ever */
        if (!streq(value, "none"))
                return draft_note(d, line, "has no counterpart: output goes to the journal");
        r = draft_add(d, d->app, line, false, "StandardOutput=null");
        return r < 0 ? r : draft_add(d, d->app, line, false, "StandardError=null");
}

QUADLET_SETTER(log_option) {
        const char *tag = startswith(value, "tag=");

        (void) key;
        return tag && !strchr(tag, '{')
                       ? draft_add(d, d->app, line, false, "SyslogIdentifier=%s", tag)
                       : draft_note(d, line, "has no counterpart: how much is kept is the journal's affair");
}

/* "NAME[;NAME...]:IP" */
QUADLET_SETTER(hosts) {
        const char *colon = strchr(value, ':');
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *before = NULL;
        int r;

        (void) key;
        if (!colon || streq(colon + 1, "host-gateway"))
                return draft_note(d, line, "has no counterpart: say the host's address in that network");
        before = strndup(value, (size_t) (colon - value));
        r = before ? strv_split(before, ";", &names) : -ENOMEM;
        STRV_FOREACH (n, names)
                if (r >= 0)
                        r = draft_add(d, DRAFT_POD, line, false, "AddHost=%s%s", *n, colon);
        return r;
}

/* "[IP:][HOSTPORT]:PORT[/PROTOCOL]" */
QUADLET_SETTER(port) {
        (void) key;
        return value_check(CHECK_PORT_MAPPING, value)
                       ? draft_note(d, line,
                                    "not a port of the host and one of the pod "
                                    "([HOSTIP:]HOSTPORT:PORT[/tcp|udp|sctp]); a random one has no "
                                    "counterpart")
                       : draft_add(d, DRAFT_POD, line, false, "PublishPort=%s", value);
}

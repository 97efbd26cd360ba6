/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config of an image becomes an appc manifest, by the rules of rkt's docker2aci 0.17, and keeps what that dropped. What
 * comes out was written and read again as a manifest, so whatever appc does not allow is found here and not at a start. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "oci/oci-config.h"

static int annotate(ImageManifest *m, const char *name, const char *value) {
        if (!value || !*value)
                return 0;
        return ac_pairs_set(&m->annotations, &m->n_annotations, name, value);
}

static int annotate_command(ImageManifest *m, const char *name, char *const *command, Error *e) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        if (!command || !*command)
                return 0;
        json_write_begin_array(&w);
        for (char *const *c = command; *c; c++)
                json_write_string(&w, *c);
        json_write_end_array(&w);
        if (json_writer_steal(&w, &text) < 0)
                return error_oom(e);
        if (strlen(text) > OCI_TEXT_MAX)
                return error_setf(e, -E2BIG, "a command has %zu bytes, at most %u are allowed", strlen(text),
                                  OCI_TEXT_MAX);
        return annotate(m, name, text) < 0 ? error_oom(e) : 0;
}

static int convert_command(const OciConfig *c, ImageManifest *m, Error *e) {
        int r;

        STRV_FOREACH (s, c->entrypoint)
                if (strv_extend(&m->app->exec, *s) < 0)
                        return error_oom(e);
        STRV_FOREACH (s, c->cmd)
                if (strv_extend(&m->app->exec, *s) < 0)
                        return error_oom(e);
        r = annotate_command(m, "appc.io/docker/entrypoint", c->entrypoint, e);
        if (r < 0)
                return r;
        return annotate_command(m, "appc.io/docker/cmd", c->cmd, e);
}

/* "", U, U:, U:G, :G; a user alone stands for his group, too, until the image's passwd is read. */
static int convert_user(const OciConfig *c, ImageManifest *m, Error *e) {
        _cleanup_free_ char *user = strdup(str_or(c->user, ""));
        char *colon, *group = NULL;

        if (!user)
                return error_oom(e);
        colon = strchr(user, ':');
        if (colon) {
                *colon = '\0';
                group = colon + 1;
        }
        if (group && strchr(group, ':'))
                return error_setf(e, -EINVAL, "User '%.100s' is not USER[:GROUP]", c->user);
        if (group && !*group)
                group = NULL;
        if ((*user && !ac_user_is_valid(user)) || (group && !ac_user_is_valid(group)))
                return error_setf(e, -EINVAL, "User '%.100s' is not USER[:GROUP]", c->user);
        if (*user && !group && annotate(m, OCI_ANNOTATION_GROUP, "of-user") < 0)
                return error_oom(e);
        if (!group)
                group = *user ? user : NULL;
        if (str_replace(&m->app->user, *user ? user : "0") < 0 ||
            str_replace(&m->app->group, str_or(group, "0")) < 0)
                return error_oom(e);
        return 0;
}

/* What is no variable for a unit either is dropped; of two the last counts. */
static int convert_environment(const OciConfig *c, ImageManifest *m, Error *e) {
        STRV_FOREACH (s, c->environment) {
                const char *equals = strchr(*s, '=');
                _cleanup_free_ char *name = NULL;

                if (!equals)
                        continue;
                name = strndup(*s, (size_t) (equals - *s));
                if (!name)
                        return error_oom(e);
                if (!ac_environment_name_is_valid(name))
                        continue;
                if (ac_pairs_set(&m->app->environment, &m->app->n_environment, name, equals + 1) < 0)
                        return error_oom(e);
        }
        return 0;
}

static int convert_working_directory(const OciConfig *c, ImageManifest *m, Error *e) {
        const char *w = str_or(c->working_directory, "");

        if (!*w)
                return 0;
        free(m->app->working_directory);
        m->app->working_directory = strf("%s%s", *w == '/' ? "" : "/", w);
        if (!m->app->working_directory)
                return error_oom(e);
        if (!ac_path_is_valid(m->app->working_directory))
                return error_setf(e, -EINVAL, "WorkingDir '%.200s' has a '..' or is too long", w);
        return 0;
}

/* PORT[-LAST][/PROTOCOL] */
static int parse_port(const char *s, unsigned *ret_first, unsigned *ret_last, const char **ret_protocol) {
        static const char *const protocols[] = { "tcp", "udp", "sctp" };
        _cleanup_free_ char *numbers = NULL;
        const char *slash = strchr(s, '/');
        char *dash;

        *ret_protocol = NULL;
        FOREACH_ARRAY (p, protocols, ELEMENTSOF(protocols))
                if (streq(slash ? slash + 1 : "tcp", *p))
                        *ret_protocol = *p;
        numbers = slash ? strndup(s, (size_t) (slash - s)) : strdup(s);
        if (!numbers)
                return -ENOMEM;
        dash = strchr(numbers, '-');
        if (dash)
                *dash = '\0';
        if (!*ret_protocol || parse_uint(numbers, 65535, ret_first) < 0 ||
            parse_uint(dash ? dash + 1 : numbers, 65535, ret_last) < 0 || *ret_first == 0 ||
            *ret_last < *ret_first)
                return -EINVAL;
        return 0;
}

static int add_port(AcApp *a, const char *s, Error *e) {
        unsigned first, last;
        const char *protocol;
        AcPort p = {};
        int r;

        r = parse_port(s, &first, &last, &protocol);
        if (r == -ENOMEM)
                return error_oom(e);
        if (r < 0)
                return error_setf(e, r, "ExposedPorts '%.100s' is not PORT[-LAST][/tcp|udp|sctp]", s);
        p.port = first;
        p.count = last - first + 1;
        p.protocol = strdup(protocol);
        p.name = first == last ? strf("%u-%s", first, protocol) : strf("%u-%u-%s", first, last, protocol);
        if (p.name && ac_app_find_port(a, p.name)) { /* "80" and "80/tcp" */
                ac_port_done(&p);
                return 0;
        }
        if (!p.protocol || !p.name || !GREEDY_GROW(a->ports, a->n_ports)) {
                ac_port_done(&p);
                return error_oom(e);
        }
        a->ports[a->n_ports++] = p;
        return 0;
}

/* "/var/tmp" is "volume-var-tmp"; what comes out the same gets a number. */
static int add_volume(AcApp *a, const char *path, Error *e) {
        _cleanup_free_ char *raw = NULL, *name = NULL, *numbered = NULL;
        int r;

        if (!ac_path_is_valid(path))
                return error_setf(e, -EINVAL, "Volumes '%.200s' is no absolute path without '..'", path);
        raw = strf("volume%s", path);
        if (!raw || ac_name_sanitize(raw, &name) < 0)
                return error_oom(e);
        for (unsigned i = 1; ac_app_find_mount_point(a, numbered ? numbered : name); i++) {
                free(numbered);
                numbered = strf("%s-%u", name, i);
                if (!numbered)
                        return error_oom(e);
        }
        r = ac_app_add_mount_point(a, numbered ? numbered : name, path, false);
        return r < 0 ? error_oom(e) : 0;
}

/* Names that mean something to rkt are not for an image to use. */
static bool is_reserved(const char *name) {
        static const char *const reserved[] = { "created", "author", "authors", "homepage", "documentation" };

        FOREACH_ARRAY (r, reserved, ELEMENTSOF(reserved))
                if (streq(name, *r))
                        return true;
        return startswith(name, "appc.io/") || startswith(name, "rkt.systemd/") ||
               startswith(name, "coreos.com/");
}

/* All labels stay as they are in userLabels; those that appc can call so are annotations, too. */
static int convert_labels(const OciConfig *c, ImageManifest *m, Error *e) {
        if (ac_pairs_copy(c->labels, c->n_labels, &m->app->user_labels, &m->app->n_user_labels) < 0)
                return error_oom(e);
        FOREACH_ARRAY (l, c->labels, c->n_labels)
                if (ac_identifier_is_valid(l->name) && !is_reserved(l->name) &&
                    annotate(m, l->name, l->value) < 0)
                        return error_oom(e);
        return 0;
}

/* SIGRTMIN+N and SIGRTMAX-N */
static char *real_time_name(const char *s) {
        const char *rest;
        unsigned n = 0;

        rest = startswith(s, "RTMIN");
        if (rest && (!*rest || (*rest == '+' && parse_uint(rest + 1, 30, &n) == 0)))
                return n > 0 ? strf("SIGRTMIN+%u", n) : strdup("SIGRTMIN");
        rest = startswith(s, "RTMAX");
        if (rest && (!*rest || (*rest == '-' && parse_uint(rest + 1, 30, &n) == 0)))
                return n > 0 ? strf("SIGRTMAX-%u", n) : strdup("SIGRTMAX");
        return NULL;
}

/**
 * oci_stop_signal_normalize() - the signal that ends an app, as systemd writes it
 * @s:   as "SIGQUIT", "QUIT", "3", "SIGRTMIN+3"
 * @ret: as "SIGQUIT"; the caller frees it
 * @e:   quotes @s
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int oci_stop_signal_normalize(const char *s, char **ret, Error *e) {
        const char *bare = startswith(s, "SIG") ? startswith(s, "SIG") : s;
        unsigned number = 0;
        char *text;

        (void) parse_uint(s, 64, &number);
        for (int i = 1; i < 32; i++) {
                const char *name = sigabbrev_np(i);

                if (name && (streq(name, bare) || (unsigned) i == number)) {
                        text = strf("SIG%s", name);
                        if (!text)
                                return error_oom(e);
                        *ret = text;
                        return 0;
                }
        }
        if (number >= 34)
                text = number == 34 ? strdup("SIGRTMIN") : strf("SIGRTMIN+%u", number - 34);
        else
                text = real_time_name(bare);
        if (!text)
                return error_setf(e, -EINVAL, "StopSignal '%.50s' is no signal", s);
        *ret = text;
        return 0;
}

static int convert_app(const OciConfig *c, ImageManifest *m, Error *e) {
        _cleanup_free_ char *signal = NULL;
        int r;

        r = convert_command(c, m, e);
        if (r >= 0)
                r = convert_user(c, m, e);
        if (r >= 0)
                r = convert_environment(c, m, e);
        if (r >= 0)
                r = convert_working_directory(c, m, e);
        for (char **p = c->exposed_ports; r >= 0 && p && *p; p++)
                r = add_port(m->app, *p, e);
        for (char **v = c->volumes; r >= 0 && v && *v; v++)
                r = add_volume(m->app, *v, e);
        if (r >= 0)
                r = convert_labels(c, m, e);
        if (r >= 0 && c->stop_signal && *c->stop_signal) {
                r = oci_stop_signal_normalize(c->stop_signal, &signal, e);
                if (r >= 0 && annotate(m, OCI_ANNOTATION_STOP_SIGNAL, signal) < 0)
                        r = error_oom(e);
        }
        if (r >= 0 && annotate(m, OCI_ANNOTATION_HEALTHCHECK, c->healthcheck) < 0)
                r = error_oom(e);
        return r;
}

static int set_label(ImageManifest *m, const char *name, const char *value) {
        return ac_pairs_set(&m->labels, &m->n_labels, name, value);
}

/* appc's words for the machine; it has none for some, and then the label is left out. */
static int convert_platform(const OciConfig *c, ImageManifest *m) {
        const char *os = str_or(c->platform.os, "linux"),
                   *architecture = str_or(c->platform.architecture, "");
        const char *variant = streq(architecture, "arm") ? str_or(c->platform.variant, "") : "", *appc = NULL;
        int r = 0;

        if (streq(variant, "v8")) /* the 32 bit side of it */
                variant = "v7";
        if (!ac_os_arch_is_valid(os, NULL))
                return 0;
        if (*architecture && ac_arch_from_go(os, architecture, variant, &appc) < 0)
                return 0;
        r = set_label(m, "os", os);
        if (r >= 0 && appc)
                r = set_label(m, "arch", appc);
        return r;
}

static int convert_origin(const OciConfig *c, const OciOrigin *origin, ImageManifest *m, Error *e) {
        const OciName *n = origin->name;
        bool is_remote = n->transport == OCI_TRANSPORT_REGISTRY;
        const char *version = is_remote ? oci_name_registry_reference(n) : n->reference;
        int r = 0;

        if (is_remote && n->tag)
                version = n->tag;
        if (version && *version != '@')
                r = set_label(m, "version", version);
        RET_GATHER(r, convert_platform(c, m));
        RET_GATHER(r, annotate(m, "appc.io/docker/originalname", n->original));
        RET_GATHER(r, annotate(m, "appc.io/docker/registryurl", is_remote ? oci_name_wire_host(n) : NULL));
        /* rkt recognises an image of Docker by this one, so it is always there */
        RET_GATHER(r, annotate(m, "appc.io/docker/repository", is_remote ? n->repository : m->name));
        RET_GATHER(r, annotate(m, "appc.io/docker/tag", n->tag));
        RET_GATHER(r, annotate(m, "appc.io/docker/imageid", origin->config_digest));
        RET_GATHER(r, annotate(m, "appc.io/docker/manifesthash", origin->manifest_digest));
        RET_GATHER(r, annotate(m, "author", c->author));
        if (c->created && ac_date_parse(c->created, NULL) >= 0)
                RET_GATHER(r, annotate(m, "created", c->created));
        return r < 0 ? error_oom(e) : 0;
}

/**
 * oci_config_to_manifest() - the appc manifest of an image
 * @c:      config
 * @origin: where it comes from
 * @ret:    valid, as if read from an ACI; image_manifest_free() it
 * @e:      names the member of the config
 *
 * Return: 0, -EINVAL (a member), -E2BIG (a command; the manifest), -ENOMEM, those of image_manifest_parse().
 */
int oci_config_to_manifest(const OciConfig *c, const OciOrigin *origin, ImageManifest **ret, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        _cleanup_free_ char *name = NULL, *text = NULL;
        int r;

        r = oci_name_to_appc(origin->name, &name);
        if (r == -EINVAL)
                return error_setf(e, r, "image '%.300s': no name can be made of this",
                                  origin->name->original);
        if (r >= 0)
                r = image_manifest_new(name, &m);
        if (r >= 0)
                r = ac_app_new(&m->app);
        if (r < 0)
                return error_oom(e);
        r = convert_app(c, m, e);
        if (r >= 0)
                r = convert_origin(c, origin, m, e);
        if (r < 0)
                return error_prefixf(e, r, "image config");
        if (image_manifest_to_string(m, &text) < 0)
                return error_oom(e);
        r = image_manifest_parse(text, strlen(text), ret, e);
        return r < 0 ? error_prefixf(e, r, "image config") : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Setters of single keys, in the order of the sections: [Pod], [App], [Volume], [Socket]. All have the form of PodKey.set:
 * a wrong value is recorded, and only lack of memory is a failure. */
#include <string.h>

#include "basic/hex.h"
#include "basic/ip.h"
#include "basic/parse.h"
#include "basic/path.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/suggest.h"
#include "podfile/pod-loader.h"
#include "podfile/port-mapping.h"
#include "podfile/users-check.h"

/* ---- [Pod] ---- */

/**
 * pod_network_parse() - a word of Network=
 * @word: "NAME", or "NAME:key=value,..."
 * @ret:  the same with ";" between arguments, which have no "," then; to free()
 *
 * Return: 0; -EINVAL: it is none; -ENOMEM.
 */
int pod_network_parse(const char *word, char **ret) {
        size_t n = strcspn(word, ":");
        char *copy;

        if (n == 0 || n > 64 || word[0] == '.' || word[0] == '-' ||
            strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") < n)
                return -EINVAL;
        for (const char *p = word + n; *p; p += strcspn(p, ",;")) {
                size_t k = strcspn(++p, "=");

                if (k == 0 || k > strcspn(p, ",;") - 1 ||
                    strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") < k ||
                    strcspn(p, " \t\n\"\\") < strcspn(p, ",;"))
                        return -EINVAL;
        }
        copy = strdup(word);
        if (!copy)
                return -ENOMEM;
        for (char *p = copy + n; *p; p++)
                if (*p == ',')
                        *p = ';';
        *ret = copy;
        return 0;
}

/* Those that no other can stand beside, and that have no arguments. */
static bool is_alone(const char *network) {
        return streq(network, "host") || streq(network, "none") || streq(network, "all");
}

static bool same_network(const char *a, const char *b) {
        size_t n = strcspn(a, ":");

        return n == strcspn(b, ":") && strncmp(a, b, n) == 0;
}

/**
 * pod_networks_add() - one more network of a pod
 * @networks: those before
 * @word:     of pod_network_parse()
 * @ret_with: the one that it cannot stand beside; NULL: none, then @word was added or is there already
 *
 * Return: 0, -EEXIST: twice with other arguments; -EXDEV: it cannot stand beside another; -EINVAL: it takes no arguments;
 * -ENOMEM.
 */
int pod_networks_add(char ***networks, const char *word, const char **ret_with) {
        const char *colon = strchr(word, ':');

        *ret_with = NULL;
        if (colon && ((size_t) (colon - word) == 4 || (size_t) (colon - word) == 3) &&
            (startswith(word, "host:") || startswith(word, "none:") || startswith(word, "all:")))
                return -EINVAL;
        STRV_FOREACH (other, *networks) {
                *ret_with = *other;
                if (streq(*other, word))
                        return 0;
                if (same_network(*other, word))
                        return -EEXIST;
                if (is_alone(*other) || is_alone(word))
                        return -EXDEV;
        }
        *ret_with = NULL;
        return strv_extend(networks, word);
}

static int add_network(PodLoader *l, const PodPart *part, const PodLine *line, const char *word, PodSpec *s) {
        _cleanup_free_ char *network = NULL;
        const char *with = NULL;
        int r = pod_network_parse(word, &network);

        if (r >= 0)
                r = pod_networks_add(&s->networks, network, &with);
        if (r == -EEXIST || r == -EXDEV)
                return loader_bad(l, part, line, "'%s' and '%s' exclude each other", with, word);
        if (r == -EINVAL)
                return loader_bad_value(
                        l, part, line, word,
                        "not a network (default, default-restricted, host, none, all, or NAME, or "
                        "NAME:key=value,...)");
        return r;
}

/**
 * set_network() - Network=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_network(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        int r = loader_words(l, part, line, &words);

        if (r <= 0)
                return r;
        r = 0;
        for (char **w = words; w && *w && r >= 0; w++)
                r = add_network(l, part, line, *w, target);
        return r;
}

/* Two of one port of the host, on one address or on all. What protocol a port with a name has is said by the image. */
static bool collide(const char *a, const char *b) {
        PortMapping x, y;

        if (port_mapping_parse(a, &x) || port_mapping_parse(b, &y) || *x.name || *y.name ||
            !streq(x.protocol, y.protocol))
                return false;
        return x.host_port < y.host_port + y.count && y.host_port < x.host_port + x.count &&
               ip_overlap(x.host_ip, y.host_ip);
}

/**
 * set_ports() - PublishPort=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_ports(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        PodSpec *s = target;
        PortMapping m;
        int r = loader_words(l, part, line, &words);

        for (char **w = words; w && *w && r >= 0; w++) {
                const char *wrong = port_mapping_parse(*w, &m), *other = NULL;

                STRV_FOREACH (p, s->ports)
                        if (collide(*p, *w))
                                other = *p;
                if (wrong)
                        r = loader_bad_value(l, part, line, *w, wrong);
                else if (other && !streq(other, *w))
                        r = loader_bad(l, part, line, "'%s' and '%s' are the same port of the host", other,
                                       *w);
                else if (!other)
                        r = strv_extend(&s->ports, *w);
        }
        return r < 0 ? r : 0;
}

/**
 * set_dns() - DNS=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_dns(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        PodSpec *s = target;
        int r = loader_words(l, part, line, &words);

        for (char **w = words; w && *w && r >= 0; w++) {
                const char *wrong = value_check(CHECK_DNS, *w), *first = s->dns ? s->dns[0] : NULL;

                if (wrong)
                        r = loader_bad_value(l, part, line, *w, wrong);
                else if (first && (is_alone(first) || is_alone(*w)) && !streq(first, *w))
                        r = loader_bad(l, part, line, "'%s' and '%s' exclude each other", first, *w);
                else if (!strv_contains(s->dns, *w))
                        r = strv_extend(&s->dns, *w);
        }
        return r < 0 ? r : 0;
}

/**
 * set_private_users() - PrivateUsers=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_private_users(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        PodSpec *s = target;
        int b = parse_boolean(line->value);
        const char *wrong = b < 0 ? value_check(CHECK_PRIVATE_USERS, line->value) : NULL;

        if (wrong)
                return loader_bad_value(l, part, line, line->value, wrong);
        return str_replace(&s->private_users, b < 0 ? line->value : b > 0 ? "pick" : USERS_NO);
}

/**
 * set_stage1() - Stage1=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_stage1(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        PodSpec *s = target;

        if (strpbrk(line->value, " \t"))
                return loader_bad_value(l, part, line, line->value,
                                        "not one word (nspawn, fly, kvm, or an image)");
        if (str_replace(&s->stage1, line->value) < 0)
                return -ENOMEM;
        return streq(line->value, "nspawn") ? 0 : loader_later(l, part, line, line->value);
}

/**
 * set_exit_policy() - ExitPolicy=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_exit_policy(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        PodExitPolicy p = pod_exit_policy_from_string(line->value);

        if (p < 0)
                return loader_bad_value(l, part, line, line->value,
                                        "unknown word (on-failure, any, all or never)");
        ((PodSpec *) target)->exit_policy = p;
        return 0;
}

/**
 * set_auto_update() - AutoUpdate=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_auto_update(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        const char *wrong = value_check(CHECK_AUTO_UPDATE, line->value);

        if (wrong)
                return loader_bad_value(l, part, line, line->value, wrong);
        ((PodSpec *) target)->auto_update = streq(line->value, "registry");
        return 0;
}

/**
 * set_pull() - Pull=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_pull(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        PullPolicy p = pull_policy_from_string(line->value);

        if (p < 0)
                return loader_bad_value(l, part, line, line->value,
                                        "unknown word (missing, newer, always or never)");
        ((PodSpec *) target)->pull = p;
        return 0;
}

/**
 * set_insecure() - InsecureOptions=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_insecure(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_error_ Error e = ERROR_INIT;
        int r;

        r = insecure_flags_parse(line->value, &((PodSpec *) target)->insecure, &e);
        if (r == -ENOMEM)
                return r;
        return r < 0 ? loader_bad(l, part, line, "%s", error_text(&e, r)) : 0;
}

/**
 * set_overlay() - Overlay=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_overlay(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        int b = parse_boolean(line->value);

        if (b < 0)
                return loader_bad_value(l, part, line, line->value, value_check(CHECK_BOOLEAN, line->value));
        ((PodSpec *) target)->overlay = b;
        return 0;
}

/**
 * set_log() - Log=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_log(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        PodLogMode m = pod_log_mode_from_string(line->value);

        if (m < 0)
                return loader_bad_value(l, part, line, line->value, "unknown word (journal, host or both)");
        ((PodSpec *) target)->log = m;
        return 0;
}

/**
 * set_instances() - Instances=, which pod-index.c has already gone by
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: PodSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_instances(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        int r;

        if (!((PodSpec *) target)->instance)
                return loader_bad(l, part, line,
                                  "only a template has instances (its name ends in '@': %s@.pod)",
                                  ((PodSpec *) target)->name);
        r = loader_words(l, part, line, &words);
        STRV_FOREACH (w, words)
                if (r >= 0 && !pod_name_is_valid(*w))
                        r = loader_bad_value(l, part, line, *w,
                                             "not a name (lower-case letters, digits and inner '-')");
        return r < 0 ? r : 0;
}

/* ---- [App] ---- */

/* example.com/app:1.2,channel=beta */
static bool is_image_name(const char *s) {
        static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789-._~/";
        size_t n = strspn(s, name);

        if (n == 0 || n > 1024 || strchr("-._~/", s[0]) || strchr("-._~/", s[n - 1]))
                return false;
        s += n;
        if (*s == ':') {
                n = strcspn(s, ",");
                if (n < 2)
                        return false;
                s += n;
        }
        while (*s == ',') {
                n = strcspn(++s, ",");
                if (n < 3 || s[0] == '=' || !memchr(s, '=', n))
                        return false;
                s += n;
        }
        return *s == '\0';
}

static bool is_image_id(const char *s) {
        const char *hex = startswith(s, "sha512-");

        return hex && hex_is_valid(hex) && strlen(hex) <= 128;
}

/* What is wrong with an image reference; NULL for nothing. What follows a prefix is looked at when the image is got. */
static const char *image_wrong(const char *s) {
        static const char *const kinds[] = { "https://", "http://",      "docker://",      "cimd:docker:",
                                             "oci:",     "oci-archive:", "docker-archive:" };

        if (strlen(s) > 4096)
                return "longer than 4096 bytes";
        for (const char *p = s; *p; p++)
                if ((unsigned char) *p <= ' ' || *p == 0x7f)
                        return "contains a blank or a control character";
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                const char *rest = startswith(s, kinds[i]);

                if (rest)
                        return *rest ? NULL : "nothing follows the prefix";
        }
        if (startswith(s, "file://"))
                s += strlen("file://");
        if (*s == '/')
                return path_is_normalized(s) ? NULL : "not a normalized path";
        if (strstr(s, "://"))
                return "unknown kind of image (NAME[:VERSION][,LABEL=VALUE], sha512-ID, /PATH, https://, "
                       "docker://, "
                       "oci:, oci-archive:, docker-archive:)";
        if (startswith(s, "sha512-"))
                return is_image_id(s) ? NULL : "not an image ID (sha512- and hex digits)";
        return is_image_name(s)
                       ? NULL
                       : "not an image (NAME[:VERSION][,LABEL=VALUE], sha512-ID, /PATH, https://...)";
}

/**
 * set_image() - Image=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_image(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_free_ char *text = NULL;
        AppSpec *a = target;
        const char *wrong;
        int r;

        r = loader_text(l, part, line, &text);
        if (r <= 0)
                return r;
        wrong = image_wrong(text);
        /* kept also when wrong, so that it does not count as missing */
        if (str_replace(&a->image, text) < 0)
                return -ENOMEM;
        return wrong ? loader_bad_value(l, part, line, text, wrong) : 0;
}

static int unknown_app(PodLoader *l, const PodPart *part, const PodLine *line, const char *name,
                       const AppSpec *not_this) {
        Suggest s = SUGGEST_INIT(name);

        for (size_t i = 0; l->errors->n < POD_ERRORS_MAX && i < l->spec->n_apps; i++)
                if (&l->spec->apps[i] != not_this)
                        suggest_add(&s, l->spec->apps[i].name);
        if (s.best)
                return loader_bad(l, part, line, "there is no app '%s' (did you mean '%s'?)", name, s.best);
        return loader_bad(l, part, line,
                          "there is no app '%s' in this pod (units of the host go into [Unit])", name);
}

/**
 * set_app_names() - After=, Before=, Requires=, Wants=, BindsTo= of an app
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_app_names(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        _cleanup_strv_free_ char **words = NULL;
        char ***names = (char ***) (void *) ((char *) target + line->key->offset);
        AppSpec *a = target;
        int r;

        r = loader_words(l, part, line, &words);
        if (r <= 0)
                return r;
        STRV_FOREACH (w, words) {
                if (streq(*w, a->name))
                        r = loader_bad(l, part, line, "app '%s' names itself", *w);
                else if (pod_spec_find_app(l->spec, *w))
                        r = strv_contains(*names, *w) ? 0 : strv_extend(names, *w);
                else
                        r = unknown_app(l, part, line, *w, a);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * set_stop_signal() - StopSignal=, which is KillSignal= for the unit
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_stop_signal(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        const char *wrong = value_check(CHECK_SIGNAL, line->value);

        if (wrong)
                return loader_bad_value(l, part, line, line->value, wrong);
        return unit_settings_add(&((AppSpec *) target)->settings, "KillSignal", line->value, line->place);
}

/**
 * set_notify() - Notify=
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: AppSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_notify(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        if (!streq(line->value, "healthy"))
                return loader_bad_value(l, part, line, line->value,
                                        "unknown word (healthy; an app that notifies has Type=notify)");
        ((AppSpec *) target)->notify_healthy = true;
        return 0;
}

/* ---- [Socket] ---- */

/**
 * set_socket_app() - App= of a socket
 * @l:      the loader
 * @part:   the section of the line
 * @line:   the line
 * @target: SocketSpec
 *
 * Return: 0 or -ENOMEM.
 */
int set_socket_app(PodLoader *l, const PodPart *part, const PodLine *line, void *target) {
        SocketSpec *s = target;

        if (str_replace(&s->app, line->value) < 0)
                return -ENOMEM;
        if (pod_spec_find_app(l->spec, line->value))
                return 0;
        return unknown_app(l, part, line, line->value, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of images. Everything is refused here that could mean something else to a URL, a path or a registry, so nothing
 * behind this needs to escape. Short names get docker.io and never a search list: who looks for "redis" in several
 * registries gets it from whoever registers it first in any of them. */
#include <stdio.h>
#include <string.h>

#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-types.h"
#include "oci/oci-digest.h"
#include "oci/oci-name.h"

#define LOWER_ALNUM "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TEXT_MAX    (OCI_PATH_MAX + OCI_REFERENCE_MAX + 64U)

/**
 * oci_name_free() - free a name
 * @n: may be NULL
 *
 * Return: NULL.
 */
OciName *oci_name_free(OciName *n) {
        if (!n)
                return NULL;
        free(n->original);
        free(n->host);
        free(n->repository);
        free(n->tag);
        free(n->digest);
        free(n->path);
        free(n->reference);
        free(n);
        return NULL;
}

static bool is_dns_name(const char *s, size_t n) {
        char last = '.';

        for (size_t i = 0; i < n; i++) {
                bool alnum = strchr(LOWER_ALNUM, s[i]);

                if (!alnum && ((s[i] != '-' && s[i] != '.') || last == '.' || (s[i] == '.' && last == '-')))
                        return false;
                last = s[i];
        }
        return n > 0 && last != '.' && last != '-';
}

/* HOST, HOST:PORT, [IPv6], [IPv6]:PORT; lower case already */
static bool is_host(const char *s) {
        const char *port;
        unsigned number;

        if (*s == '[') {
                size_t n = strspn(s + 1, "0123456789abcdef:.");

                if (n < 2 || s[1 + n] != ']')
                        return false;
                port = s + 1 + n + 1;
                if (!*port)
                        return true;
                if (*port != ':')
                        return false;
        } else {
                port = strchr(s, ':');
                if (!is_dns_name(s, port ? (size_t) (port - s) : strlen(s)))
                        return false;
                if (!port)
                        return true;
        }
        return parse_uint(port + 1, 65535, &number) == 0 && number > 0;
}

/* One component of a repository: letters and digits, single ".", "_", "__" or any number of "-" between them. */
static bool is_component(const char *s, size_t n) {
        size_t i = 0;

        while (i < n) {
                size_t word = strspn(s + i, LOWER_ALNUM), dashes;

                if (word == 0)
                        return false;
                i += MIN(word, n - i);
                if (i == n)
                        return true;
                dashes = strspn(s + i, "-");
                if (dashes > 0)
                        i += dashes;
                else if (s[i] == '.')
                        i++;
                else if (s[i] == '_')
                        i += s[i + 1] == '_' ? 2 : 1;
                else
                        return false;
        }
        return false;
}

static int check_repository(const char *typed, const char *s, Error *e) {
        if (!*s)
                return error_setf(e, -EINVAL, "image '%.300s': there is no name", typed);
        if (strpbrk(s, UPPER))
                return error_setf(e, -EINVAL, "image '%.300s': the name '%.300s' must be lower case", typed,
                                  s);
        for (const char *c = s;; c++) {
                size_t n = strcspn(c, "/");

                if (!is_component(c, n))
                        return error_setf(
                                e, -EINVAL,
                                "image '%.300s': '%.300s' is no name of a repository (a-z and 0-9, with "
                                "single ., _, __ or any - between them)",
                                typed, s);
                c += n;
                if (!*c)
                        break;
        }
        if (strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64)
                return error_setf(e, -EINVAL,
                                  "image '%.300s': this is an image ID, not a name; write NAME@sha256:DIGEST",
                                  typed);
        return 0;
}

static int take_digest(OciName *n, const char *typed, char *rest, Error *e) {
        char *at = strchr(rest, '@');
        int r;

        if (!at)
                return 0;
        *at = '\0';
        r = oci_digest_parse(at + 1, NULL, NULL, e);
        if (r < 0)
                return error_prefixf(e, r, "image '%.300s'", typed);
        return str_replace(&n->digest, at + 1) < 0 ? error_oom(e) : 0;
}

static int take_tag(OciName *n, const char *typed, char *rest, Error *e) {
        char *colon = strchr(rest, ':');
        const char *tag = OCI_DEFAULT_TAG;

        if (colon) {
                *colon = '\0';
                tag = colon + 1;
                if (!*tag || strlen(tag) > OCI_TAG_MAX || strchr(".-", *tag) ||
                    tag[strspn(tag, LOWER_ALNUM UPPER "._-")] != '\0')
                        return error_setf(
                                e, -EINVAL,
                                "image '%.300s': '%.200s' is no tag (letters, digits and ._-, at most %u, "
                                "the first none of .-)",
                                typed, tag, OCI_TAG_MAX);
        } else if (n->digest)
                return 0;
        return str_replace(&n->tag, tag) < 0 ? error_oom(e) : 0;
}

/* Takes "HOST/" off the front of *rest, if the first component can be nothing else. */
static int take_host(OciName *n, const char *typed, char **rest, Error *e) {
        static const char *const docker[] = { OCI_WIRE_DOCKER, "index.docker.io", "registry.hub.docker.com" };
        char *slash = strchr(*rest, '/'), *host = *rest;
        const char *identity;

        if (slash)
                *slash = '\0';
        if (!slash || (!strpbrk(host, ".:") && !streq(host, "localhost"))) {
                if (slash)
                        *slash = '/';
                return str_replace(&n->host, OCI_HOST_DOCKER) < 0 ? error_oom(e) : 0;
        }
        for (char *c = host; *c; c++)
                if (strchr(UPPER, *c))
                        *c = (char) (*c | 0x20);
        if (!is_host(host))
                return error_setf(e, -EINVAL, "image '%.300s': '%.300s' is no registry (HOST or HOST:PORT)",
                                  typed, host);
        identity = host;
        FOREACH_ARRAY (d, docker, ELEMENTSOF(docker))
                if (streq(host, *d))
                        identity = OCI_HOST_DOCKER;
        *rest = slash + 1;
        return str_replace(&n->host, identity) < 0 ? error_oom(e) : 0;
}

static int parse_registry(OciName *n, const char *typed, const char *s, Error *e) {
        _cleanup_free_ char *copy = strdup(s);
        bool short_name;
        char *rest = copy;
        int r;

        if (!copy)
                return error_oom(e);
        if (strchr(s, ','))
                return error_setf(
                        e, -EINVAL,
                        "image '%.300s': docker images have no labels; write NAME:TAG or NAME@DIGEST", typed);
        r = take_digest(n, typed, rest, e);
        if (r < 0)
                return r;
        r = take_host(n, typed, &rest, e);
        if (r < 0)
                return r;
        r = take_tag(n, typed, rest, e);
        if (r < 0)
                return r;
        r = check_repository(typed, rest, e);
        if (r < 0)
                return r;
        short_name = streq(n->host, OCI_HOST_DOCKER) && !strchr(rest, '/');
        n->repository = strf("%s%s", short_name ? "library/" : "", rest);
        if (!n->repository || str_replace(&n->original, s) < 0)
                return error_oom(e);
        if (strlen(oci_name_wire_host(n)) + 1 + strlen(n->repository) > OCI_NAME_MAX)
                return error_setf(e, -EINVAL, "image '%.300s': registry and name are longer than %u bytes",
                                  typed, OCI_NAME_MAX);
        return 0;
}

/**
 * oci_reference_check() - may an image of a layout or an archive be called so?
 * @s: a user's REF, or an annotation org.opencontainers.image.ref.name
 * @e: says what is wrong
 *
 * References are compared and printed, never used as a path; but who copies images out of a layout makes paths of them.
 *
 * Return: 0, -EINVAL.
 */
int oci_reference_check(const char *s, Error *e) {
        size_t length = strlen(s);

        if (length == 0 || length > OCI_REFERENCE_MAX)
                return error_setf(e, -EINVAL, "a reference has 1 to %u bytes, this has %zu",
                                  OCI_REFERENCE_MAX, length);
        if (s[strspn(s, LOWER_ALNUM UPPER "-._:@+/")] != '\0')
                return error_setf(e, -EINVAL, "a reference is made of letters, digits and -._:@+/");
        for (const char *c = s;; c++) {
                size_t n = strcspn(c, "/");

                if (n == 0 || (n <= 2 && strspn(c, ".") == n))
                        return error_setf(e, -EINVAL, "the reference '%.300s' has an empty part, '.' or '..'",
                                          s);
                c += n;
                if (!*c)
                        return 0;
        }
}

/* PATH[:REF]; a path ends at the first colon. */
static int parse_local(OciName *n, const char *typed, const char *s, Error *e) {
        size_t length = strcspn(s, ":");
        int r;

        if (length == 0)
                return error_setf(e, -EINVAL, "image '%.300s': there is no path", typed);
        if (length > OCI_PATH_MAX)
                return error_setf(e, -EINVAL, "image '%.300s': the path is longer than %u bytes", typed,
                                  OCI_PATH_MAX);
        n->path = strndup(s, length);
        if (!n->path || str_replace(&n->original, typed) < 0)
                return error_oom(e);
        if (!s[length])
                return 0;
        r = oci_reference_check(s + length + 1, e);
        if (r < 0)
                return error_prefixf(e, r, "image '%.300s'", typed);
        return str_replace(&n->reference, s + length + 1) < 0 ? error_oom(e) : 0;
}

static int check_text(const char *s, Error *e) {
        size_t length = strlen(s);

        if (length > TEXT_MAX)
                return error_setf(e, -EINVAL, "the name of an image is longer than %u bytes", TEXT_MAX);
        if (!str_is_utf8(s, length))
                return error_setf(e, -EINVAL, "the name of an image is not valid UTF-8");
        for (const char *c = s; *c; c++)
                if ((unsigned char) *c < ' ' || *c == 127)
                        return error_setf(e, -EINVAL, "the name of an image contains a control character");
        return 0;
}

/**
 * oci_name_parse() - read any name of a Docker or OCI image
 * @s:   NUL-terminated, hostile, with its transport in front
 * @ret: oci_name_free() it
 * @e:   one sentence that quotes @s
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP (algorithm of a digest; version of a cimd: string), -ENOMEM.
 */
int oci_name_parse(const char *s, OciName **ret, Error *e) {
        static const struct {
                const char *prefix;
                OciTransport transport;
        } prefixes[] = {
                { "docker://", OCI_TRANSPORT_REGISTRY },
                { OCI_CIMD_DOCKER, OCI_TRANSPORT_REGISTRY },
                { "docker:", OCI_TRANSPORT_REGISTRY },
                { "oci:", OCI_TRANSPORT_LAYOUT },
                { "oci-archive:", OCI_TRANSPORT_LAYOUT_ARCHIVE },
                { "docker-archive:", OCI_TRANSPORT_DOCKER_ARCHIVE },
        };
        _cleanup_(oci_name_freep) OciName *n = NULL;
        int r;

        r = check_text(s, e);
        if (r < 0)
                return r;
        n = new0(OciName, 1);
        if (!n)
                return error_oom(e);
        FOREACH_ARRAY (p, prefixes, ELEMENTSOF(prefixes)) {
                const char *rest = startswith(s, p->prefix);

                if (!rest)
                        continue;
                n->transport = p->transport;
                r = p->transport == OCI_TRANSPORT_REGISTRY ? parse_registry(n, s, rest, e)
                                                           : parse_local(n, s, rest, e);
                if (r < 0)
                        return r;
                *ret = TAKE_PTR(n);
                return 0;
        }
        if (startswith(s, "cimd:docker:"))
                return error_setf(e, -EOPNOTSUPP,
                                  "image '%.300s': only version 0 of cimd:docker: is known (" OCI_CIMD_DOCKER
                                  "NAME)",
                                  s);
        return error_setf(
                e, -EINVAL,
                "image '%.300s': Docker and OCI images are named docker://NAME, oci:PATH, oci-archive:PATH "
                "or docker-archive:PATH",
                s);
}

/**
 * oci_name_wire_host() - whom to connect to
 * @n: name of an image in a registry
 *
 * The host in @n is an identity: for policy, trust and credentials. Docker Hub answers under another name.
 *
 * Return: HOST[:PORT].
 */
const char *oci_name_wire_host(const OciName *n) {
        return streq(n->host, OCI_HOST_DOCKER) ? OCI_WIRE_DOCKER : n->host;
}

/**
 * oci_name_registry_reference() - what to ask the registry for: /v2/REPOSITORY/manifests/THIS
 * @n: name of an image in a registry
 *
 * Return: the digest if there is one, else the tag.
 */
const char *oci_name_registry_reference(const OciName *n) {
        return n->digest ? n->digest : n->tag;
}

static int registry_text(const OciName *n, const char *prefix, const char *host, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_addf(&b, "%s%s/%s", prefix, host, n->repository);
        if (n->tag)
                strbuf_addf(&b, ":%s", n->tag);
        if (n->digest)
                strbuf_addf(&b, "@%s", n->digest);
        return strbuf_steal(&b, ret);
}

/**
 * oci_name_to_string() - the one text for a name, which oci_name_parse() reads back
 * @n:   name
 * @ret: as "docker://docker.io/library/redis:latest"; the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int oci_name_to_string(const OciName *n, char **ret) {
        static const char *const prefixes[_OCI_TRANSPORT_MAX] = {
                [OCI_TRANSPORT_LAYOUT] = "oci:",
                [OCI_TRANSPORT_LAYOUT_ARCHIVE] = "oci-archive:",
                [OCI_TRANSPORT_DOCKER_ARCHIVE] = "docker-archive:",
        };

        if (n->transport == OCI_TRANSPORT_REGISTRY)
                return registry_text(n, "docker://", n->host, ret);
        *ret = strf("%s%s%s%s", prefixes[n->transport], n->path, n->reference ? ":" : "",
                    str_or(n->reference, ""));
        return *ret ? 0 : -ENOMEM;
}

/**
 * oci_name_to_cimd() - the key under which rkt's store keeps where an image came from
 * @n:   name of an image in a registry
 * @ret: as "cimd:docker:v=0:registry-1.docker.io/library/redis:latest"; the caller frees it
 *
 * Return: 0, -EINVAL (no registry), -ENOMEM.
 */
int oci_name_to_cimd(const OciName *n, char **ret) {
        if (n->transport != OCI_TRANSPORT_REGISTRY)
                return -EINVAL;
        return registry_text(n, OCI_CIMD_DOCKER, oci_name_wire_host(n), ret);
}

/**
 * oci_name_tagged() - the name without transport and digest, as archives of Docker carry it
 * @n:   name of an image in a registry, with a tag
 * @ret: as "docker.io/library/redis:7"; the caller frees it
 *
 * Return: 0, -EINVAL (no registry, or no tag), -ENOMEM.
 */
int oci_name_tagged(const OciName *n, char **ret) {
        if (n->transport != OCI_TRANSPORT_REGISTRY || !n->tag)
                return -EINVAL;
        *ret = strf("%s/%s:%s", n->host, n->repository, n->tag);
        return *ret ? 0 : -ENOMEM;
}

/**
 * oci_name_to_appc() - the name of the image in appc's words
 * @n:   name
 * @ret: as docker2aci has it: "registry-1.docker.io/library/redis"; for a layout or an archive the last part of the
 *       path, without .tar or .tar.gz; the caller frees it
 *
 * Return: 0, -EINVAL (nothing is left), -ENOMEM.
 */
int oci_name_to_appc(const OciName *n, char **ret) {
        static const char *const suffixes[] = { ".tar", ".tar.gz", ".tgz" };
        _cleanup_free_ char *text = NULL, *clean = NULL;
        const char *slash, *end;
        int r;

        if (n->transport == OCI_TRANSPORT_REGISTRY)
                text = strf("%s/%s", oci_name_wire_host(n), n->repository);
        else
                text = strdup(n->path);
        if (!text)
                return -ENOMEM;
        if (n->transport != OCI_TRANSPORT_REGISTRY) {
                size_t length = strlen(text);

                while (length > 1 && text[length - 1] == '/')
                        text[--length] = '\0';
                slash = strrchr(text, '/');
                if (slash)
                        memmove(text, slash + 1, strlen(slash + 1) + 1);
                FOREACH_ARRAY (suffix, suffixes, ELEMENTSOF(suffixes))
                        if ((end = endswith(text, *suffix))) {
                                text[end - text] = '\0';
                                break;
                        }
        }
        r = ac_identifier_sanitize(text, &clean);
        if (r < 0)
                return r;
        if (!ac_identifier_is_valid(clean))
                return -EINVAL;
        *ret = TAKE_PTR(clean);
        return 0;
}

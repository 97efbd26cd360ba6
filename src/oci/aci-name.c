/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image of a registry is called REGISTRY/REPOSITORY; one of a file by its tag there, which may or may not name a registry. The
 * file has the repository alone, with dashes. */
#include "oci/aci-name.h"

#include <strings.h>

#include "basic/str.h"
#include "oci/oci-name.h"

static int annotate(ImageManifest *m, const char *name, const char *value) {
        return value ? ac_pairs_set(&m->annotations, &m->n_annotations, name, value) : 0;
}

/* Does it say which registry, or was Docker's put in? */
static bool names_host(const char *tag, const OciName *n) {
        size_t length = strlen(n->host);

        return strncasecmp(tag, n->host, length) == 0 && tag[length] == '/';
}

static int rename_manifest(ImageManifest *m, const char *tag, const OciName *n) {
        const char *host = names_host(tag, n) ? n->host : NULL, *repository = n->repository;
        _cleanup_free_ char *text = NULL, *name = NULL;
        int r;

        if (!strchr(tag, '/'))
                repository = startswith(repository, "library/");
        text = strf("%s%s%s", str_or(host, ""), host ? "/" : "", repository);
        if (!text)
                return -ENOMEM;
        r = ac_identifier_sanitize(text, &name);
        if (r < 0)
                return r;
        free(m->name);
        m->name = TAKE_PTR(name);
        if (n->tag)
                RET_GATHER(r, ac_pairs_set(&m->labels, &m->n_labels, "version", n->tag));
        RET_GATHER(r, annotate(m, "appc.io/docker/originalname", tag));
        RET_GATHER(r, annotate(m, "appc.io/docker/registryurl", host));
        RET_GATHER(r, annotate(m, "appc.io/docker/repository", repository));
        RET_GATHER(r, annotate(m, "appc.io/docker/tag", n->tag));
        return r;
}

/**
 * aci_name_from_tag() - call an image from a file as it is called there
 * @tag: as "redis:7", "quay.io/coreos/etcd:v3"
 * @m:   manifest; name, version and annotations are changed
 * @e:   quotes @tag; may be NULL
 *
 * Return: 0, -EINVAL (no name), -ENOMEM.
 */
int aci_name_from_tag(const char *tag, ImageManifest *m, Error *e) {
        _cleanup_free_ char *text = strf("docker://%s", tag);
        _cleanup_(oci_name_freep) OciName *n = NULL;
        int r;

        if (!text)
                return error_oom(e);
        r = oci_name_parse(text, &n, e);
        if (r < 0)
                return r;
        r = rename_manifest(m, tag, n);
        return r < 0 ? error_setf(e, r, "'%.300s': no name can be made of this: %s", tag, strerror(-r)) : 0;
}

/* No folders, and nothing that a shell or make would take for something else. */
static void dashes(char *s) {
        for (; *s; s++)
                if (*s == '/' || *s == ':' || *s == '@')
                        *s = '-';
}

/**
 * aci_file_base() - what the name of the file begins with
 * @m:   manifest
 * @ret: as "library-redis"; free()
 *
 * Return: 0, -ENOMEM.
 */
int aci_file_base(const ImageManifest *m, char **ret) {
        const char *repository = image_manifest_annotation(m, "appc.io/docker/repository");
        char *text = strdup(repository ? repository : m->name);

        if (!text)
                return -ENOMEM;
        dashes(text);
        *ret = text;
        return 0;
}

/**
 * aci_file_suffix() - what comes behind it
 * @m:        manifest
 * @platform: name that, too
 * @ret:      as "-7", "-7-linux-amd64"; free()
 *
 * Return: 0, -ENOMEM.
 */
int aci_file_suffix(const ImageManifest *m, bool platform, char **ret) {
        static const char *const labels[] = { "version", "os", "arch" };
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        for (size_t i = 0; i < (platform ? ELEMENTSOF(labels) : 1); i++) {
                const char *value = image_manifest_label(m, labels[i]);

                if (value)
                        strbuf_addf(&b, "-%s", value);
        }
        if (b.data)
                dashes(b.data);
        return strbuf_steal(&b, ret);
}

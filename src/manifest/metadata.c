/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/digest.h"
#include "basic/hex.h"
#include "basic/json-write.h"
#include "basic/json.h"
#include "basic/str.h"
#include "basic/uuid.h"

#define MAGIC     "rkt-metadata-1 "
#define ROOT_PATH "/acMetadata/v1"
#define LINE_MAX_ 8192U /* longer names of annotations have no answer of their own */

static const struct {
        const char *word, *content_type;
} types[_METADATA_TYPE_MAX] = {
        [METADATA_JSON] = { "json", "application/json" },
        [METADATA_ASCII] = { "ascii", "text/plain; charset=us-ascii" },
        [METADATA_UTF8] = { "utf8", "text/plain; charset=utf-8" },
};

/**
 * metadata_content_type() - the Content-Type of an answer
 * @t: type
 *
 * Return: exactly as the standard has it; never NULL.
 */
const char *metadata_content_type(MetadataType t) {
        return types[t].content_type;
}

typedef struct Document {
        StrBuf index, answers;
} Document;

static void add(Document *d, MetadataType type, const char *path, const char *text, size_t size) {
        strbuf_addf(&d->index, "%s %zu %zu %s\n", types[type].word, d->answers.size, size, path);
        strbuf_add_n(&d->answers, text, size);
}

static void add_string(Document *d, MetadataType type, const char *path, const char *text) {
        add(d, type, path, text, strlen(text));
}

/* The list, "[]" at least, and each of it under its name. */
static int add_annotations(Document *d, const char *path, const AcPair *pairs, size_t n) {
        _cleanup_json_write_ JsonWriter w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        int r;

        json_write_begin_array(&w);
        FOREACH_ARRAY (p, pairs, n)
                json_write_struct(&w, &ac_pair_type, p);
        json_write_end_array(&w);
        r = json_writer_steal(&w, &text);
        if (r < 0)
                return r;
        add_string(d, METADATA_JSON, path, text);
        FOREACH_ARRAY (p, pairs, n) {
                _cleanup_free_ char *place = strf("%s/%s", path, p->name);

                if (!place)
                        return -ENOMEM;
                if (ac_identifier_is_valid(p->name) && strlen(place) < LINE_MAX_)
                        add_string(d, METADATA_UTF8, place, p->value);
        }
        return 0;
}

static int add_pod(Document *d, const char *uuid, const PodManifest *m) {
        _cleanup_free_ char *text = NULL;
        int r = pod_manifest_to_string(m, &text);

        if (r < 0)
                return r;
        add_string(d, METADATA_ASCII, "/pod/uuid", uuid);
        add_string(d, METADATA_JSON, "/pod/manifest", text);
        return add_annotations(d, "/pod/annotations", m->annotations, m->n_annotations);
}

/* What the pod says replaces in place what the image says; the rest of it comes behind. */
static int add_app(Document *d, const PodApp *a, const MetadataImage *image) {
        _cleanup_free_ char *id = strf("/apps/%s/image/id", a->name),
                            *manifest = strf("/apps/%s/image/manifest", a->name),
                            *annotations = strf("/apps/%s/annotations", a->name);
        AcPair *merged = NULL;
        size_t n = 0;
        int r;

        if (!id || !manifest || !annotations)
                return -ENOMEM;
        add_string(d, METADATA_ASCII, id, str_or(a->image.id, ""));
        add(d, METADATA_JSON, manifest, image->text, image->text_size);
        r = ac_pairs_copy(image->manifest->annotations, image->manifest->n_annotations, &merged, &n);
        for (size_t i = 0; i < a->n_annotations && r >= 0; i++)
                r = ac_pairs_set(&merged, &n, a->annotations[i].name, a->annotations[i].value);
        if (r >= 0)
                r = add_annotations(d, annotations, merged, n);
        ac_pairs_free(merged, n);
        return r;
}

static int finish(Document *d, const char *uuid, char **ret, size_t *ret_size) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        size_t size;
        int r;

        if (d->index.failed || d->answers.failed)
                return -ENOMEM;
        if (d->index.size > METADATA_INDEX_MAX)
                return -E2BIG;
        strbuf_addf(&b, MAGIC "%s %010zu\n", uuid, d->index.size);
        strbuf_add_n(&b, d->index.data, d->index.size);
        strbuf_add_n(&b, d->answers.data, d->answers.size);
        size = b.size;
        r = strbuf_steal(&b, ret);
        if (r >= 0)
                *ret_size = size;
        return r;
}

/**
 * metadata_write() - the document of a pod
 * @uuid:     of the pod, valid
 * @m:        valid
 * @images:   one per app, in the manifest's order
 * @ret:      for free()
 * @ret_size: bytes
 *
 * Return: 0; -E2BIG: too many annotations; -ENOMEM.
 */
int metadata_write(const char *uuid, const PodManifest *m, const MetadataImage *images, char **ret,
                   size_t *ret_size) {
        Document d = {};
        int r = add_pod(&d, uuid, m);

        for (size_t i = 0; i < m->n_apps && r >= 0; i++)
                r = add_app(&d, &m->apps[i], &images[i]);
        if (r >= 0)
                r = finish(&d, uuid, ret, ret_size);
        strbuf_done(&d.index);
        strbuf_done(&d.answers);
        return r;
}

/* Decimal digits up to the end character; moves behind it. */
static int take_number(const char **p, const char *end, char stop, uint64_t *ret) {
        uint64_t n = 0;
        const char *c = *p;

        for (; c < end && *c >= '0' && *c <= '9' && c - *p < 19; c++)
                n = n * 10 + (uint64_t) (*c - '0');
        if (c == *p || c >= end || *c != stop)
                return -EBADMSG;
        *p = c + 1;
        *ret = n;
        return 0;
}

/**
 * metadata_parse_header() - whose document it is
 * @data:           its first bytes
 * @size:           METADATA_HEADER_SIZE or more
 * @ret_uuid:       of the pod
 * @ret_index_size: bytes that follow the header; METADATA_INDEX_MAX at most
 *
 * Return: 0, -EBADMSG.
 */
int metadata_parse_header(const char *data, size_t size, char ret_uuid[37], size_t *ret_index_size) {
        const char *p = data + strlen(MAGIC) + UUID_STRING_MAX;
        uint64_t n;

        if (size < METADATA_HEADER_SIZE || memcmp(data, MAGIC, strlen(MAGIC)) != 0 || p[-1] != ' ')
                return -EBADMSG;
        memcpy(ret_uuid, data + strlen(MAGIC), UUID_STRING_MAX - 1);
        ret_uuid[UUID_STRING_MAX - 1] = '\0';
        if (!uuid_is_valid(ret_uuid) || take_number(&p, data + METADATA_HEADER_SIZE, '\n', &n) < 0 ||
            p != data + METADATA_HEADER_SIZE || n > METADATA_INDEX_MAX)
                return -EBADMSG;
        *ret_index_size = (size_t) n;
        return 0;
}

static int take_type(const char **p, const char *end, MetadataType *ret) {
        for (MetadataType t = 0; t < _METADATA_TYPE_MAX; t++) {
                size_t n = strlen(types[t].word);

                if ((size_t) (end - *p) > n && memcmp(*p, types[t].word, n) == 0 && (*p)[n] == ' ') {
                        *p += n + 1;
                        *ret = t;
                        return 0;
                }
        }
        return -EBADMSG;
}

/**
 * metadata_find() - where an answer is
 * @index: of a document
 * @size:  bytes
 * @path:  "/pod/uuid", "/apps/NAME/image/id", ...
 * @ret:   where
 *
 * Return: 0; -ENOENT: nothing is there; -EBADMSG: the index is broken.
 */
int metadata_find(const char *index, size_t size, const char *path, MetadataAnswer *ret) {
        const char *end = index + size, *p = index;
        const size_t length = strlen(path);

        while (p < end) {
                const char *line_end = memchr(p, '\n', (size_t) (end - p));
                MetadataAnswer a;

                if (!line_end || take_type(&p, line_end, &a.type) < 0 ||
                    take_number(&p, line_end, ' ', &a.offset) < 0 ||
                    take_number(&p, line_end, ' ', &a.size) < 0)
                        return -EBADMSG;
                if ((size_t) (line_end - p) == length && memcmp(p, path, length) == 0) {
                        *ret = a;
                        return 0;
                }
                p = line_end + 1;
        }
        return -ENOENT;
}

/**
 * metadata_parse_url() - what a request asks for, and for whom
 * @url:       "/TOKEN/acMetadata/v1/PATH", already decoded
 * @ret_token: the token
 * @ret_path:  "/PATH", in @url; NULL: below another root
 *
 * Return: 0; -EINVAL: there is no token.
 */
int metadata_parse_url(const char *url, char ret_token[METADATA_NAME_MAX], const char **ret_path) {
        const char *rest;

        if (*url != '/' || strspn(url + 1, "0123456789abcdef") != METADATA_TOKEN_DIGITS)
                return -EINVAL;
        rest = url + 1 + METADATA_TOKEN_DIGITS;
        if (*rest != '/' && *rest != '\0')
                return -EINVAL;
        memcpy(ret_token, url + 1, METADATA_TOKEN_DIGITS);
        ret_token[METADATA_TOKEN_DIGITS] = '\0';
        rest = startswith(rest, ROOT_PATH);
        *ret_path = rest && *rest == '/' ? rest : NULL;
        return 0;
}

/**
 * metadata_file_name() - the name of the document that a token opens
 * @token: as in a URL
 * @ret:   one component: the token's SHA-256, so that who lists the directory learns no token
 *
 * Return: 0, -ENOMEM.
 */
int metadata_file_name(const char *token, char ret[METADATA_NAME_MAX]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX];
        int r = digest_new(DIGEST_SHA256, &d);

        if (r >= 0)
                r = digest_update(d, token, strlen(token));
        if (r >= 0)
                r = digest_final_hex(d, hex);
        if (r >= 0)
                memcpy(ret, hex, METADATA_NAME_MAX);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing what goes between rkt and rkt-pull about a registry. Every digest is computed here, from the bytes. */
#include <inttypes.h>
#include <stddef.h>

#include "basic/hex.h"
#include "basic/parse.h"
#include "basic/strv.h"
#include "oci/oci-digest.h"
#include "oci/registry-protocol.h"

static const char *const roles[_REGISTRY_ROLE_MAX] = {
        [REGISTRY_INDEX] = "index",   [REGISTRY_MANIFEST] = "manifest", [REGISTRY_CONFIG] = "config",
        [REGISTRY_COSIGN] = "cosign", [REGISTRY_BUNDLE] = "bundle",     [REGISTRY_OPENPGP] = "openpgp",
};

/**
 * registry_role_to_string() - the name of a role
 * @role: valid
 *
 * Return: a constant.
 */
const char *registry_role_to_string(RegistryRole role) {
        assert(role >= 0 && role < _REGISTRY_ROLE_MAX);
        return roles[role];
}

/**
 * registry_role_from_string() - the role of a name
 * @s: any string
 *
 * Return: a role, _REGISTRY_ROLE_INVALID.
 */
RegistryRole registry_role_from_string(const char *s) {
        for (RegistryRole i = 0; i < _REGISTRY_ROLE_MAX; i++)
                if (streq(s, roles[i]))
                        return i;
        return _REGISTRY_ROLE_INVALID;
}

/**
 * registry_task_done() - free what a task holds; its secrets are overwritten
 * @t: may be used again afterwards
 */
void registry_task_done(RegistryTask *t) {
        char *const secrets[] = { t->password, t->identity_token };

        FOREACH_ARRAY (s, secrets, ELEMENTSOF(secrets))
                if (*s)
                        explicit_bzero(*s, strlen(*s));
        free(t->repository);
        free(t->reference);
        free(t->known_digest);
        free(t->lookaside_name);
        free(t->username);
        free(t->password);
        free(t->identity_token);
        free(t->token_host);
        oci_platform_done(&t->platform);
        strv_free(t->lookaside);
        *t = (RegistryTask){};
}

/* Texts of a task; what may be any bytes goes as hex digits. */
static const struct {
        const char *name;
        size_t offset;
        bool hex;
} texts[] = {
        { "repository", offsetof(RegistryTask, repository), false },
        { "reference", offsetof(RegistryTask, reference), false },
        { "known-digest", offsetof(RegistryTask, known_digest), false },
        { "os", offsetof(RegistryTask, platform.os), false },
        { "architecture", offsetof(RegistryTask, platform.architecture), false },
        { "variant", offsetof(RegistryTask, platform.variant), false },
        { "lookaside-name", offsetof(RegistryTask, lookaside_name), false },
        { "username", offsetof(RegistryTask, username), true },
        { "password", offsetof(RegistryTask, password), true },
        { "identity-token", offsetof(RegistryTask, identity_token), true },
        { "token-host", offsetof(RegistryTask, token_host), false },
};

static int write_hex(StrBuf *b, const char *name, const char *value) {
        const size_t n = strlen(value);
        _cleanup_free_ char *hex = NULL;

        if (n > REGISTRY_CREDENTIAL_MAX)
                return -E2BIG;
        hex = malloc(2 * n + 1);
        if (!hex)
                return -ENOMEM;
        hex_from_bytes((const uint8_t *) value, n, hex);
        strbuf_addf(b, "%s %s\n", name, hex);
        explicit_bzero(hex, 2 * n);
        return 0;
}

/**
 * registry_task_write() - a task as text
 * @t:   what to do
 * @ret: for free(); follows a request; contains secrets
 *
 * Return: 0, -EINVAL (a text is not plain), -E2BIG, -ENOMEM.
 */
int registry_task_write(const RegistryTask *t, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (f, texts, ELEMENTSOF(texts)) {
                const char *value = *(char *const *) (const void *) ((const char *) t + f->offset);
                int r = 0;

                if (!value || (!f->hex && !*value))
                        continue;
                if (f->hex)
                        r = write_hex(&b, f->name, value);
                else if (pull_text_is_plain(value))
                        strbuf_addf(&b, "%s %s\n", f->name, value);
                else
                        r = -EINVAL;
                if (r < 0)
                        return r;
        }
        if (strv_length(t->lookaside) > REGISTRY_LOOKASIDE_MAX)
                return -E2BIG;
        STRV_FOREACH (l, t->lookaside) {
                if (!pull_text_is_plain(*l))
                        return -EINVAL;
                strbuf_addf(&b, "lookaside %s\n", *l);
        }
        strbuf_addf(&b, "want-cosign %d\nwant-referrers %d\n\n", t->want_cosign, t->want_referrers);
        return strbuf_steal(&b, ret);
}

static int take_hex(char **p, const char *value) {
        const size_t n = strlen(value) / 2;
        _cleanup_free_ char *s = NULL;

        if (strlen(value) % 2 != 0 || n > REGISTRY_CREDENTIAL_MAX || *p)
                return -EINVAL;
        s = malloc(n + 1);
        if (!s)
                return -ENOMEM;
        if (n > 0 && hex_to_bytes(value, 2 * n, (uint8_t *) s) < 0)
                return -EINVAL;
        s[n] = 0;
        if (strlen(s) != n)
                return -EINVAL;
        *p = TAKE_PTR(s);
        return 0;
}

static int task_line(RegistryTask *t, const char *key, const char *value) {
        const bool flag = streq(value, "1");

        FOREACH_ARRAY (f, texts, ELEMENTSOF(texts)) {
                char **p = (char **) (void *) ((char *) t + f->offset);

                if (!streq(key, f->name))
                        continue;
                if (f->hex)
                        return take_hex(p, value);
                return *value ? str_replace(p, value) : -EINVAL;
        }
        if (streq(key, "lookaside"))
                return *value && strv_length(t->lookaside) < REGISTRY_LOOKASIDE_MAX
                               ? strv_extend(&t->lookaside, value)
                               : -EINVAL;
        if (!flag && !streq(value, "0"))
                return -EINVAL;
        if (streq(key, "want-cosign"))
                t->want_cosign = flag;
        else if (streq(key, "want-referrers"))
                t->want_referrers = flag;
        else
                return -EINVAL;
        return 0;
}

static int task_lines(const char *text, RegistryTask *t, Error *e) {
        _cleanup_strv_free_ char **lines = NULL;

        if (strv_split(text, "\n", &lines) < 0)
                return error_oom(e);
        STRV_FOREACH (l, lines) {
                char *blank = strchr(*l, ' ');
                int r;

                if (!**l)
                        continue;
                if (!blank)
                        return error_setf(e, -EINVAL, "the request has a line without a value");
                *blank = 0;
                r = task_line(t, *l, blank + 1);
                if (r < 0)
                        return error_setf(e, r, "the request has a wrong line '%.50s'", *l);
        }
        return 0;
}

/**
 * registry_task_parse() - read what the worker is told
 * @data:       @size bytes: a request and a task
 * @size:       bytes
 * @ret_limits: the request, for pull_request_done()
 * @ret:        the task, for registry_task_done()
 * @e:          sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOMEM.
 */
int registry_task_parse(const char *data, size_t size, PullRequest *ret_limits, RegistryTask *ret, Error *e) {
        _cleanup_(pull_request_done) PullRequest q = {};
        _cleanup_(registry_task_done) RegistryTask t = {};
        _cleanup_free_ char *text = strndup(data, size);
        const char *middle;
        int r;

        if (!text)
                return error_oom(e);
        middle = strstr(text, "\n\n");
        if (!middle)
                return error_setf(e, -EINVAL, "the request is not complete");
        r = pull_request_parse(text, (size_t) (middle - text) + 1, &q, e);
        if (r >= 0)
                r = task_lines(middle + 2, &t, e);
        if (r < 0)
                return r;
        if (!t.repository || !t.reference || !t.platform.os || !t.platform.architecture ||
            (t.lookaside && !t.lookaside_name) || !t.username != !t.password)
                return error_setf(e, -EINVAL, "the request is not complete");
        *ret_limits = q;
        q = (PullRequest){};
        *ret = t;
        t = (RegistryTask){};
        return 0;
}

/**
 * registry_document_done() - free what a document holds
 * @d: may be used again afterwards
 */
void registry_document_done(RegistryDocument *d) {
        free(d->media_type);
        free(d->digest);
        free(d->about);
        free(d->signature);
        free(d->data);
        *d = (RegistryDocument){};
}

/**
 * registry_documents_free() - free documents
 * @documents: may be NULL
 * @n:         count
 */
void registry_documents_free(RegistryDocument *documents, size_t n) {
        FOREACH_ARRAY (d, documents, n)
                registry_document_done(d);
        free(documents);
}

/**
 * registry_frame_write() - what stands before a document's bytes
 * @d: texts that are not plain are left out
 * @b: is added to; its failure is the caller's to see
 *
 * Return: 0, -E2BIG (a signature that is too long).
 */
int registry_frame_write(const RegistryDocument *d, StrBuf *b) {
        const struct {
                const char *name, *value;
        } lines[] = {
                { "digest", d->digest },
                { "about", d->about },
                { "media-type", d->media_type },
                { "signature", d->signature },
        };

        strbuf_addf(b, "role %s\n", registry_role_to_string(d->role));
        FOREACH_ARRAY (l, lines, ELEMENTSOF(lines))
                if (l->value && *l->value && pull_text_is_plain(l->value))
                        strbuf_addf(b, "%s %s\n", l->name, l->value);
                else if (l->value == d->signature && d->signature)
                        return -E2BIG;
        strbuf_addf(b, "size %zu\n\n", d->size);
        return 0;
}

static int frame_line(RegistryDocument *d, const char *key, const char *value, uint64_t *size) {
        if (streq(key, "role")) {
                d->role = registry_role_from_string(value);
                return d->role < 0 ? -EINVAL : 0;
        }
        if (streq(key, "size"))
                return parse_uint64(value, size);
        if (streq(key, "digest"))
                return oci_digest_is_valid(value) ? str_replace(&d->digest, value) : -EINVAL;
        if (streq(key, "about"))
                return oci_digest_is_valid(value) ? str_replace(&d->about, value) : -EINVAL;
        if (streq(key, "media-type"))
                return str_replace(&d->media_type, value);
        if (streq(key, "signature"))
                return str_replace(&d->signature, value);
        return -EINVAL;
}

static uint64_t size_max_of(RegistryRole role) {
        return role <= REGISTRY_CONFIG ? OCI_DOCUMENT_MAX : REGISTRY_SIGNATURE_SIZE_MAX;
}

static int frame_lines(const char *text, RegistryDocument *d, Error *e) {
        _cleanup_strv_free_ char **lines = NULL;
        uint64_t size = UINT64_MAX;
        bool is_signature;

        d->role = _REGISTRY_ROLE_INVALID;
        if (strv_split(text, "\n", &lines) < 0)
                return error_oom(e);
        STRV_FOREACH (l, lines) {
                char *blank = strchr(*l, ' ');
                int r = -EINVAL;

                if (blank && blank[1] && pull_text_is_plain(*l)) {
                        *blank = 0;
                        r = frame_line(d, *l, blank + 1, &size);
                }
                if (r < 0)
                        return error_setf(e, r == -ENOMEM ? r : -EPROTO,
                                          "the download worker sent a wrong line about a document");
        }
        is_signature = d->role > REGISTRY_CONFIG;
        if (d->role < 0 || size > size_max_of(d->role) || !d->digest || is_signature != !!d->about ||
            (d->role == REGISTRY_COSIGN) != !!d->signature)
                return error_setf(e, -EPROTO, "the download worker sent a document that cannot be");
        d->size = (size_t) size;
        return 0;
}

/* One frame; how many bytes it took. */
static int parse_frame(const char *data, size_t size, RegistryDocument *d, size_t *ret_used, Error *e) {
        const char *end = data ? memmem(data, MIN(size, REGISTRY_FRAME_HEAD_MAX), "\n\n", 2) : NULL;
        _cleanup_free_ char *head = NULL;
        size_t n_head;
        int r;

        if (!end)
                return error_setf(e, -EPROTO, "the download worker sent a document without a head");
        n_head = (size_t) (end - data) + 2;
        if (memchr(data, 0, n_head))
                return error_setf(e, -EPROTO, "the download worker sent a head that is not text");
        head = strndup(data, n_head - 2);
        if (!head)
                return error_oom(e);
        r = frame_lines(head, d, e);
        if (r < 0)
                return r;
        if (size - n_head < d->size)
                return error_setf(e, -EPROTO, "the download worker sent less of a document than it said");
        d->data = malloc(d->size + 1);
        if (!d->data)
                return error_oom(e);
        memcpy(d->data, data + n_head, d->size);
        d->data[d->size] = 0;
        r = oci_digest_verify(d->digest, d->data, d->size, registry_role_to_string(d->role), e);
        *ret_used = n_head + d->size;
        return r;
}

/* Index, perhaps an index in it, manifest, config, then signatures on those. */
static int check_order(const RegistryDocument *documents, size_t n, Error *e) {
        size_t i = 0;

        while (i < n && i < 2 && documents[i].role == REGISTRY_INDEX)
                i++;
        if (n < i + 2 || documents[i].role != REGISTRY_MANIFEST || documents[i + 1].role != REGISTRY_CONFIG)
                return error_setf(e, -EPROTO, "the download worker did not send all documents");
        FOREACH_ARRAY (d, documents + i + 2, n - i - 2) {
                bool known = false;

                for (size_t k = 0; k <= i; k++)
                        known = known || streq_ptr(d->about, documents[k].digest);
                if (d->role <= REGISTRY_CONFIG || !known)
                        return error_setf(e, -EPROTO, "the download worker sent a document nobody asked for");
        }
        return 0;
}

/**
 * registry_frames_parse() - read what the worker sent
 * @data:  @size bytes
 * @size:  bytes
 * @ret:   for registry_documents_free(); bytes that have the digests that stand there
 * @ret_n: count; 0 if there was nothing, which is no error
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EPROTO, -EBADMSG (digest), -E2BIG (too many), -ENOMEM.
 */
int registry_frames_parse(const char *data, size_t size, RegistryDocument **ret, size_t *ret_n, Error *e) {
        RegistryDocument *documents = NULL;
        size_t n = 0, at = 0;
        int r = 0;

        documents = new0(RegistryDocument, REGISTRY_DOCUMENTS_MAX);
        if (!documents)
                return error_oom(e);
        while (at < size && r >= 0) {
                size_t used = 0;

                if (n == REGISTRY_DOCUMENTS_MAX) {
                        r = error_setf(e, -E2BIG, "the download worker sends too many documents");
                        break;
                }
                r = parse_frame(data + at, size - at, &documents[n++], &used, e);
                at += used;
        }
        if (r >= 0 && n > 0)
                r = check_order(documents, n, e);
        if (r < 0) {
                registry_documents_free(documents, n);
                return r;
        }
        *ret = documents;
        *ret_n = n;
        return 0;
}

/**
 * registry_meta_done() - free what it holds
 * @m: may be used again afterwards
 */
void registry_meta_done(RegistryMeta *m) {
        if (m->authorization)
                explicit_bzero(m->authorization, strlen(m->authorization));
        free(m->authorization);
        free(m->unchanged);
        strv_free(m->warnings);
        *m = (RegistryMeta){};
}

static int meta_line(RegistryMeta *m, const char *line, Error *e) {
        const char *v;
        int r = -EINVAL;

        if (m->ended || !pull_text_is_plain(line))
                r = -EINVAL;
        else if (startswith(line, "error "))
                return pull_meta_parse_line(line, &(PullHead){}, &(uint64_t){ 0 }, e);
        else if ((v = startswith(line, "end "))) {
                r = parse_uint64(v, &m->n_bytes);
                m->ended = r >= 0;
        } else if ((v = startswith(line, "authorization ")))
                r = strlen(v) <= REGISTRY_TOKEN_MAX + 16 ? str_replace(&m->authorization, v) : -EINVAL;
        else if ((v = startswith(line, "unchanged ")))
                r = oci_digest_is_valid(v) ? str_replace(&m->unchanged, v) : -EINVAL;
        else if ((v = startswith(line, "warning ")))
                r = strv_length(m->warnings) < REGISTRY_WARNINGS_MAX && strlen(v) <= REGISTRY_WARNING_MAX
                            ? strv_extend(&m->warnings, v)
                            : -EINVAL;
        if (r < 0)
                return error_setf(e, r == -ENOMEM ? r : -EPROTO,
                                  "the download worker sent a wrong line of meta data");
        return 0;
}

/**
 * registry_meta_parse() - read what the worker said beside the documents
 * @data: @size bytes
 * @size: bytes
 * @ret:  for registry_meta_done()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EPROTO, -ENOMEM; whatever negative errno an "error" line has, with its sentence in @e.
 */
int registry_meta_parse(const char *data, size_t size, RegistryMeta *ret, Error *e) {
        _cleanup_(registry_meta_done) RegistryMeta m = {};
        const char *p = data, *const end = data + size;

        if (memchr(data, 0, size))
                return error_setf(e, -EPROTO, "the download worker sent meta data that is not text");
        while (p < end) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                _cleanup_free_ char *line = NULL;
                int r;

                if (!newline)
                        return error_setf(e, -EPROTO, "the download worker sent half a line");
                line = strndup(p, (size_t) (newline - p));
                if (!line)
                        return error_oom(e);
                r = meta_line(&m, line, e);
                if (r < 0)
                        return r;
                p = newline + 1;
        }
        if (!m.ended)
                return error_setf(e, -EPROTO, "the download worker ended too early");
        *ret = m;
        m = (RegistryMeta){};
        return 0;
}

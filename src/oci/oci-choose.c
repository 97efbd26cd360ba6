/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which image of an index is meant: by platform in a registry, by reference in a layout. */
#include "basic/parse.h"
#include "basic/str.h"
#include "oci/oci-document.h"
#include "oci/oci-name.h"

#define LISTED_MAX 20U

/* What there is, for the sentence that says what there is not. */
static void list_platforms(StrBuf *b, const OciDocument *index) {
        unsigned n = 0;

        FOREACH_ARRAY (m, index->manifests, index->n_manifests) {
                _cleanup_free_ char *text = NULL;

                if (oci_platform_is_unknown(&m->platform) || !oci_platform_is_set(&m->platform))
                        continue;
                if (n++ == LISTED_MAX) {
                        strbuf_add(b, ", ...");
                        return;
                }
                if (oci_platform_to_string(&m->platform, &text) >= 0)
                        strbuf_addf(b, "%s%s", n > 1 ? ", " : "", text);
        }
        if (n == 0)
                strbuf_add(b, "none");
}

static int no_platform(const OciDocument *index, const OciPlatform *platform, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *wanted = NULL;

        list_platforms(&b, index);
        if (b.failed || oci_platform_to_string(platform, &wanted) < 0)
                return error_oom(e);
        return error_setf(e, -ENOENT, "there is no image for %s; there are: %s", wanted, b.data);
}

/**
 * oci_index_choose() - the image for a platform
 * @index:    index or manifest list
 * @platform: wanted
 * @depth:    0 for the index that was asked for, 1 for one that this function chose in it
 * @ret:      belongs to @index; a manifest or, at depth 0 only, an index to be read and asked in turn
 * @e:        lists what there is
 *
 * The best variant wins, the first of equals. Attestations (platform "unknown") and types that are not known are passed
 * over. If no image says that it is for @platform, an inner index is taken, then an image that does not say what it is for.
 *
 * Return: 0, -ENOENT (none), -ELOOP (an index in an index in an index), -E2BIG (manifest over OCI_DOCUMENT_MAX).
 */
int oci_index_choose(const OciDocument *index, const OciPlatform *platform, unsigned depth,
                     const OciDescriptor **ret, Error *e) {
        const OciDescriptor *best = NULL, *inner = NULL, *silent = NULL;
        unsigned best_rank = 0;

        FOREACH_ARRAY (m, index->manifests, index->n_manifests) {
                bool is_set = oci_platform_is_set(&m->platform);
                unsigned rank = is_set ? oci_platform_rank(platform, &m->platform) : 0;

                if (oci_type_is_index(m->media_type)) {
                        if (!inner && (!is_set || rank > 0))
                                inner = m;
                } else if (oci_type_is_manifest(m->media_type)) {
                        if (rank > best_rank) {
                                best = m;
                                best_rank = rank;
                        } else if (!silent && !is_set)
                                silent = m;
                }
        }
        if (!best && inner && depth > 0)
                return error_setf(e, -ELOOP, "an index in an index in an index is not supported");
        if (!best)
                best = inner ? inner : silent;
        if (!best)
                return no_platform(index, platform, e);
        if (best->size > OCI_DOCUMENT_MAX)
                return error_setf(e, -E2BIG, "manifest %s has %llu bytes, at most %u are allowed",
                                  best->digest, (unsigned long long) best->size, OCI_DOCUMENT_MAX);
        *ret = best;
        return 0;
}

typedef struct Layout {
        char *version;
} Layout;

static const JsonField layout_fields[] = {
        JSON_ROW("imageLayoutVersion", json_kind_string, Layout, version, JSON_MANDATORY),
        {},
};

/**
 * oci_layout_check() - read the file "oci-layout"
 * @data: @size bytes
 * @size: bytes
 * @e:    says what is wrong
 *
 * Return: 0, -EOPNOTSUPP (another version), those of json_parse() and json_map().
 */
int oci_layout_check(const char *data, size_t size, Error *e) {
        _cleanup_(json_freep) JsonValue *v = NULL;
        Layout l = {};
        int r;

        r = json_parse(data, size, &v, e);
        if (r >= 0)
                r = json_map(v, layout_fields, JSON_OPEN, &l, e);
        if (r >= 0 && !streq(l.version, "1.0.0"))
                r = error_setf(e, -EOPNOTSUPP, "version '%.50s' is not supported, only 1.0.0", l.version);
        free(l.version);
        return r < 0 ? error_prefixf(e, r, "oci-layout") : 0;
}

static const char *reference_of(const OciDescriptor *d) {
        return ac_pairs_get(d->annotations, d->n_annotations, OCI_ANNOTATION_REFERENCE);
}

static bool is_called(const OciDescriptor *d, const char *reference) {
        return streq_ptr(reference_of(d), reference) ||
               streq_ptr(ac_pairs_get(d->annotations, d->n_annotations, OCI_ANNOTATION_CONTAINERD),
                         reference);
}

static bool is_candidate(const OciDescriptor *d) {
        return (oci_type_is_manifest(d->media_type) || oci_type_is_index(d->media_type)) &&
               !oci_platform_is_unknown(&d->platform);
}

/* How many entries there are, and of the wanted ones the best. */
typedef struct Selection {
        const OciDescriptor *best;
        unsigned rank;
        bool ambiguous;
} Selection;

/* Two entries of one name are fine if they are the same image, or for different platforms. */
static void consider(Selection *s, const OciDescriptor *d, const OciPlatform *platform) {
        bool is_set = oci_platform_is_set(&d->platform);
        unsigned rank = is_set ? 1 + oci_platform_rank(platform, &d->platform) : 1;

        if (is_set && rank == 1)
                rank = 0;
        if (!s->best || rank > s->rank) {
                s->best = d;
                s->rank = rank;
                s->ambiguous = false;
        } else if (rank == s->rank && !streq(d->digest, s->best->digest))
                s->ambiguous = true;
}

static int no_reference(const OciDocument *index, const char *reference, bool ambiguous, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        unsigned n = 0;

        FOREACH_ARRAY (m, index->manifests, index->n_manifests) {
                const char *name = is_candidate(m) ? reference_of(m) : NULL;

                if (!name || n == LISTED_MAX)
                        continue;
                strbuf_addf(&b, "%s%s", n++ ? ", " : "", name);
        }
        if (b.failed)
                return error_oom(e);
        if (ambiguous && !reference)
                return error_setf(e, -ENOTUNIQ, "there is more than one image; name one of: %s",
                                  n ? b.data : "@0, @1, ...");
        if (ambiguous)
                return error_setf(e, -ENOTUNIQ, "two images are called '%s'", reference);
        if (!reference)
                return error_setf(e, -ENOENT, "there is no image");
        return error_setf(e, -ENOENT, "no image is called '%s'; there are: %s", reference,
                          n ? b.data : "none");
}

/* "@N": the Nth entry */
static int choose_by_number(const OciDocument *index, const char *number, const OciDescriptor **ret,
                            Error *e) {
        uint64_t i;

        if (parse_uint64(number, &i) < 0)
                return error_setf(e, -EINVAL, "'@%s' is no number of an image", number);
        if (i >= index->n_manifests)
                return error_setf(e, -ENOENT, "there is no image @%s; there are %zu, from @0", number,
                                  index->n_manifests);
        if (!is_candidate(&index->manifests[i]))
                return error_setf(e, -EOPNOTSUPP, "@%s is no image but '%.100s'", number,
                                  index->manifests[i].media_type);
        *ret = &index->manifests[i];
        return 0;
}

/**
 * oci_layout_choose() - the image that is meant in the index.json of a layout
 * @index:     index.json, read
 * @reference: what it is called there, "@N" for the Nth, NULL for the only one
 * @platform:  wanted, where several images have the same name
 * @ret:       belongs to @index; a manifest, or an index for oci_index_choose() at depth 0
 * @e:         lists what there is
 *
 * Return: 0, -ENOENT, -ENOTUNIQ (more than one), -EINVAL (a reference in the index leads elsewhere), -EOPNOTSUPP, -E2BIG.
 */
int oci_layout_choose(const OciDocument *index, const char *reference, const OciPlatform *platform,
                      const OciDescriptor **ret, Error *e) {
        const OciDescriptor *found = NULL;
        Selection s = {};
        int r = 0;

        if (!index->is_index)
                return error_setf(e, -EBADMSG, "index.json is a manifest, not an index");
        FOREACH_ARRAY (m, index->manifests, index->n_manifests) {
                if (reference_of(m)) {
                        r = oci_reference_check(reference_of(m), e);
                        if (r < 0)
                                return error_prefixf(e, r, "index.json");
                }
                if (is_candidate(m) && (!reference || is_called(m, reference)))
                        consider(&s, m, platform);
        }
        if (s.best && !s.ambiguous)
                found = s.best;
        else if (!s.best && reference && *reference == '@')
                r = choose_by_number(index, reference + 1, &found, e);
        else
                r = no_reference(index, reference, s.ambiguous, e);
        if (r < 0 || !found)
                return error_prefixf(e, r, "index.json");
        if (found->size > OCI_DOCUMENT_MAX)
                return error_setf(e, -E2BIG, "index.json: manifest %s has %llu bytes, at most %u are allowed",
                                  found->digest, (unsigned long long) found->size, OCI_DOCUMENT_MAX);
        *ret = found;
        return 0;
}

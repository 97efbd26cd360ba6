/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of limits, one row each. */
#include <strings.h>

#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-limits.h"
#include "store/store-blob.h"

typedef enum LimitType {
        LIMIT_SIZE,   /* uint64_t, bytes: 20G */
        LIMIT_NUMBER, /* uint64_t */
        LIMIT_BYTES,  /* unsigned, bytes */
        LIMIT_SEC,    /* unsigned, seconds: 5min */
        LIMIT_COUNT,  /* unsigned, 0 is PULL_NONE */
} LimitType;

#define ROW(member) offsetof(ImageLimits, member)

static const struct {
        const char *name;
        LimitType type;
        size_t offset;
        uint64_t max;
} limits[] = {
        { "download-size", LIMIT_SIZE, ROW(download_size), INT64_MAX },
        { "download-time", LIMIT_SEC, ROW(download_sec), 30 * 24 * 3600 },
        { "connect-time", LIMIT_SEC, ROW(connect_sec), 24 * 3600 },
        { "stall-time", LIMIT_SEC, ROW(stall_sec), 24 * 3600 },
        { "redirects", LIMIT_COUNT, ROW(redirects), 1000 },
        { "retries", LIMIT_COUNT, ROW(retries), 1000 },
        { "header-size", LIMIT_BYTES, ROW(header_size), 16 * 1024 * 1024 },
        { "image-size", LIMIT_SIZE, ROW(import.size_max), INT64_MAX },
        { "image-files", LIMIT_NUMBER, ROW(import.entries_max), UINT32_MAX },
        { "image-ratio", LIMIT_NUMBER, ROW(import.ratio_max), UINT32_MAX },
        { "layers", LIMIT_NUMBER, ROW(layers), IMAGE_LAYERS_MAX },
        { "manifest-size", LIMIT_SIZE, ROW(import.manifest_max), STORE_MANIFEST_MAX },
};

static int parse_value(LimitType type, const char *s, uint64_t *ret) {
        usec_t usec;
        int r;

        switch (type) {
        case LIMIT_SIZE:
        case LIMIT_BYTES: return parse_size(s, ret);
        case LIMIT_SEC:
                r = parse_sec(s, &usec);
                if (r >= 0)
                        *ret = usec / USEC_PER_SEC + (usec % USEC_PER_SEC > 0);
                return r;
        default: return parse_uint64(s, ret);
        }
}

static int set_one(ImageLimits *l, size_t i, const char *text, Error *e) {
        void *member = (char *) l + limits[i].offset;
        uint64_t value;

        if (parse_value(limits[i].type, text, &value) < 0 || value > limits[i].max ||
            (value == 0 && limits[i].type != LIMIT_COUNT))
                return error_setf(e, -EINVAL, "limit '%s': '%s' is not a %s between %d and %llu",
                                  limits[i].name, text,
                                  limits[i].type == LIMIT_SEC                                     ? "time"
                                  : limits[i].type == LIMIT_SIZE || limits[i].type == LIMIT_BYTES ? "size"
                                                                                                  : "number",
                                  limits[i].type != LIMIT_COUNT, (unsigned long long) limits[i].max);
        if (limits[i].type == LIMIT_SIZE || limits[i].type == LIMIT_NUMBER)
                *(uint64_t *) member = value;
        else
                *(unsigned *) member = value == 0 ? PULL_NONE : (unsigned) value;
        return 0;
}

static int unknown(const char *name, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        FOREACH_ARRAY (i, limits, ELEMENTSOF(limits))
                strbuf_addf(&b, "%s%s", b.size > 0 ? ", " : "", i->name);
        return error_setf(e, -EINVAL, "there is no limit '%s'; there are %s", name, str_or(b.data, ""));
}

/**
 * image_limits_parse() - raise or lower limits
 * @l:    changed
 * @text: NAME=VALUE, or several with commas between them
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int image_limits_parse(ImageLimits *l, const char *text, Error *e) {
        _cleanup_strv_free_ char **words = NULL;

        if (strv_split(text, ",", &words) < 0)
                return error_oom(e);
        STRV_FOREACH (w, words) {
                char *value = strchr(*w, '=');
                size_t i = 0;
                int r;

                if (!value)
                        return error_setf(e, -EINVAL, "limit '%s': write NAME=VALUE, as download-size=20G",
                                          *w);
                *value++ = 0;
                while (i < ELEMENTSOF(limits) && !streq(*w, limits[i].name))
                        i++;
                if (i == ELEMENTSOF(limits))
                        return unknown(*w, e);
                r = set_one(l, i, value, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * image_limits_parse_all() - all that were given
 * @l:     changed
 * @texts: as image_limits_parse() takes them; NULL: none
 * @e:     sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int image_limits_parse_all(ImageLimits *l, char *const *texts, Error *e) {
        for (; texts && *texts; texts++) {
                int r = image_limits_parse(l, *texts, e);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes, as JSON and as on the command line. Whether a source exists is for those who mount it. */
#include <string.h>

#include "basic/alloc.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "manifest/ac-option.h"
#include "manifest/ac-types.h"
#include "manifest/ac-volume.h"

#define MODE_DEFAULT "0755"

static const char *const kinds[_AC_VOLUME_KIND_MAX] = {
        [AC_VOLUME_HOST] = "host", [AC_VOLUME_EMPTY] = "empty"
};

static int kind_from_string(const char *s, AcVolumeKind *ret) {
        for (AcVolumeKind k = 0; k < _AC_VOLUME_KIND_MAX; k++)
                if (streq(kinds[k], s)) {
                        *ret = k;
                        return 0;
                }
        return -EINVAL;
}

static int set_kind(const JsonField *f, const JsonValue *v, void *p, Error *e) {
        if (kind_from_string(json_text(v), p) < 0)
                return error_setf(e, -EINVAL, "'%.50s' is neither 'host' nor 'empty' (byte %zu)",
                                  json_text(v), json_offset(v));
        return 0;
}

static void write_kind(const JsonField *f, JsonWriter *w, const void *p) {
        json_write_string(w, kinds[*(const AcVolumeKind *) p]);
}

static const JsonKind kind_volume_kind = { .type = JSON_STRING, .set = set_kind, .write = write_kind };

static const JsonField volume_fields[] = {
        JSON_ROW("name", ac_kind_name, AcVolume, name, JSON_MANDATORY),
        JSON_ROW("kind", kind_volume_kind, AcVolume, kind, JSON_MANDATORY),
        JSON_ROW("source", json_kind_string, AcVolume, source, 0),
        JSON_ROW("readOnly", json_kind_tristate, AcVolume, read_only, 0),
        JSON_ROW("recursive", json_kind_tristate, AcVolume, recursive, 0),
        JSON_ROW("mode", json_kind_string, AcVolume, mode, 0),
        JSON_ROW("uid", json_kind_int64, AcVolume, uid, 0),
        JSON_ROW("gid", json_kind_int64, AcVolume, gid, 0),
        {},
};

static void volume_init(void *p) {
        *(AcVolume *) p = AC_VOLUME_INIT;
}

static void volume_done(void *p) {
        ac_volume_done(p);
}

static int volume_check(void *p, Error *e) {
        return ac_volume_check(p, e);
}

const JsonStruct ac_volume_type = {
        .size = sizeof(AcVolume),
        .fields = volume_fields,
        .flags = JSON_OPEN | JSON_ANY_CASE,
        .init = volume_init,
        .done = volume_done,
        .check = volume_check,
};

/**
 * ac_volume_done() - free the members
 * @v: may be half-filled
 */
void ac_volume_done(AcVolume *v) {
        free(v->name);
        free(v->source);
        free(v->mode);
        *v = AC_VOLUME_INIT;
}

static int check_empty(AcVolume *v, Error *e) {
        unsigned mode;

        if (v->source && *v->source)
                return error_setf(e, -EINVAL, "volume '%s': an empty volume has no source", v->name);
        if (!v->mode || !*v->mode) {
                if (str_replace(&v->mode, MODE_DEFAULT) < 0)
                        return error_oom(e);
        }
        if (parse_octal(v->mode, 07777, &mode) < 0)
                return error_setf(e, -EINVAL, "volume '%s': '%.50s' is no octal mode", v->name, v->mode);
        if (v->uid == INT64_MIN)
                v->uid = 0;
        if (v->gid == INT64_MIN)
                v->gid = 0;
        if (v->uid < 0 || v->uid >= UINT32_MAX || v->gid < 0 || v->gid >= UINT32_MAX)
                return error_setf(e, -ERANGE, "volume '%s': uid and gid are between 0 and 4294967294",
                                  v->name);
        return 0;
}

/**
 * ac_volume_check() - check a volume and fill in the defaults of an empty one
 * @v: its name is valid
 * @e: says what is wrong
 *
 * Return: 0, -EINVAL, -ERANGE (uid, gid), -ENOMEM.
 */
int ac_volume_check(AcVolume *v, Error *e) {
        if (v->kind == AC_VOLUME_EMPTY)
                return check_empty(v, e);
        if (v->kind != AC_VOLUME_HOST)
                return error_setf(e, -EINVAL, "volume '%s' has no kind", v->name);
        if (!v->source || *v->source != '/')
                return error_setf(e, -EINVAL, "volume '%s': the source of a host volume is an absolute path",
                                  v->name);
        if (v->mode || v->uid != INT64_MIN || v->gid != INT64_MIN)
                return error_setf(e, -EINVAL, "volume '%s': mode, uid and gid are for empty volumes only",
                                  v->name);
        return 0;
}

static int set_option(void *userdata, const char *key, const char *value, Error *e) {
        AcVolume *v = userdata;

        if (streq(key, "kind"))
                return kind_from_string(value, &v->kind) < 0
                               ? error_setf(e, -EINVAL, "kind '%s' is neither 'host' nor 'empty'", value)
                               : 0;
        if (streq(key, "source"))
                return str_replace(&v->source, value);
        if (streq(key, "mode"))
                return str_replace(&v->mode, value);
        if (streq(key, "readOnly"))
                return ac_option_boolean(key, value, &v->read_only, e);
        if (streq(key, "recursive"))
                return ac_option_boolean(key, value, &v->recursive, e);
        if (streq(key, "uid"))
                return ac_option_number(key, value, &v->uid, e);
        if (streq(key, "gid"))
                return ac_option_number(key, value, &v->gid, e);
        return -ENXIO;
}

/**
 * ac_volume_from_string() - a volume as on the command line
 * @s:   NAME,kind=KIND[,KEY=VALUE...]
 * @ret: ac_volume_done() it
 * @e:   says what is wrong
 *
 * Return: 0, -EINVAL, -ENXIO (key), -ENOTUNIQ (key twice), -ERANGE, -ENOMEM.
 */
int ac_volume_from_string(const char *s, AcVolume *ret, Error *e) {
        AcVolume v = AC_VOLUME_INIT;
        int r;

        r = ac_options_parse(s, &v.name, set_option, &v, e);
        if (r >= 0)
                r = ac_volume_check(&v, e);
        if (r < 0) {
                ac_volume_done(&v);
                return error_prefixf(e, r, "volume '%.300s'", s);
        }
        *ret = v;
        return 0;
}

/**
 * ac_volume_to_string() - a volume as on the command line
 * @v:   valid
 * @ret: without what is the default; the caller frees it
 *
 * Return: 0, -ENOMEM.
 */
int ac_volume_to_string(const AcVolume *v, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

        strbuf_addf(&b, "%s,kind=%s", v->name, kinds[v->kind]);
        if (v->source && *v->source)
                strbuf_addf(&b, ",source=%s", v->source);
        if (v->read_only >= 0)
                strbuf_addf(&b, ",readOnly=%s", v->read_only ? "true" : "false");
        if (v->recursive >= 0)
                strbuf_addf(&b, ",recursive=%s", v->recursive ? "true" : "false");
        if (v->kind == AC_VOLUME_EMPTY) {
                if (v->mode && !streq(v->mode, MODE_DEFAULT))
                        strbuf_addf(&b, ",mode=%s", v->mode);
                if (v->uid != 0)
                        strbuf_addf(&b, ",uid=%lld", (long long) v->uid);
                if (v->gid != 0)
                        strbuf_addf(&b, ",gid=%lld", (long long) v->gid);
        }
        return strbuf_steal(&b, ret);
}

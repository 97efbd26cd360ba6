/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of robustness.md 3.1-3.6 as far as they are about one archive: built here, pushed in pieces of several sizes,
 * judged by errno. What needs a tree is in test-store.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs the four above */
#include <cmocka.h>

#include "basic/strv.h"
#include "store/frame.h"
#include "store/tar-check.h"
#include "store/tar-header.h"
#include "store/test-tar-build.h"

#define MIB (UINT64_C(1) << 20)

typedef struct Result {
        char **entries; /* "path" or "path -> link" */
        TarEntry last;
        unsigned n_manifests, n_warnings;
} Result;

static int on_entry(void *userdata, const TarEntry *t) {
        Result *res = userdata;
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;

        tar_entry_done(&res->last);
        /* Every entry that passes must survive the way to the store. */
        assert_int_equal(frame_encode_entry(t, &data, &size), 0);
        assert_int_equal(frame_decode_entry(data, size, &res->last), 0);
        return t->link ? strv_extendf(&res->entries, "%s -> %s", t->path, t->link)
                       : strv_extend(&res->entries, t->path);
}

static int on_manifest(void *userdata, const char *data, size_t size) {
        ((Result *) userdata)->n_manifests++;
        return 0;
}

static int on_warning(void *userdata, const char *sentence) {
        for (const char *p = sentence; *p; p++)
                assert_true((unsigned char) *p >= 0x20 && (unsigned char) *p < 0x7f);
        ((Result *) userdata)->n_warnings++;
        return 0;
}

static const TarCheckOps ops = { .entry = on_entry, .manifest = on_manifest, .warning = on_warning };

static void result_done(Result *res) {
        strv_free(res->entries);
        tar_entry_done(&res->last);
        *res = (Result){};
}

static int check_pieces(const StrBuf *b, size_t piece, Result *res, Error *e) {
        const TarStreamLimits limits = { .size_max = 64 * MIB, .entries_max = 5000 };
        _cleanup_(tar_check_freep) TarCheck *c = NULL;
        int r;

        assert_int_equal(tar_check_new(&ops, res, &limits, 1000, &c), 0);
        for (size_t i = 0; i < b->size; i += piece) {
                r = tar_check_push(c, (const uint8_t *) b->data + i, MIN(piece, b->size - i), e);
                if (r < 0)
                        return r;
        }
        return tar_check_finish(c, e);
}

/* The verdict, which must not depend on how the bytes come in. */
static int check(const StrBuf *b, Result *ret) {
        static const size_t pieces[] = { 1, 511, 513, 100000 };
        int first = 0;

        FOREACH_ARRAY (p, pieces, ELEMENTSOF(pieces)) {
                _cleanup_error_ Error e = ERROR_INIT;
                Result res = {};
                int r;

                if (b->size > MIB && *p == 1)
                        continue;
                r = check_pieces(b, *p, &res, &e);
                if (p == pieces || (b->size > MIB && p == pieces + 1))
                        first = r;
                assert_int_equal(r, first);
                if (r < 0) {
                        assert_non_null(e.message);
                        for (const char *m = e.message; *m;
                             m++) /* 12: nothing reaches the terminal as it is */
                                assert_true((unsigned char) *m >= 0x20 && (unsigned char) *m < 0x7f);
                }
                if (ret && p == pieces + ELEMENTSOF(pieces) - 1)
                        *ret = res;
                else
                        result_done(&res);
        }
        return first;
}

typedef struct Case {
        const char *id; /* row of robustness.md */
        TarSpec spec;
        int error;
        const char *entry; /* what comes out; NULL: nothing beneath the root */
        unsigned n_warnings;
} Case;

static const char long_target[] = "0123456789012345678901234567890123456789012345678901234567890123456789";

static const Case cases[] = {
        { "1", { .name = "../evil" }, -EBADMSG },
        { "1", { .name = "rootfs/../../evil" }, -EBADMSG },
        { "2", { .name = "rootfs/a/../b" }, -EBADMSG },
        { "3", { .name = "rootfs/..", .type = '5', .mode = 0777 }, -EBADMSG },
        { "4", { .name = "/tmp/x" }, -EBADMSG },
        { "6", { .name = "rootfs-evil/x" }, 0, NULL, 1 },
        { "7", { .name = "rendered" }, 0, NULL, 1 },
        { "7", { .name = "hash" }, 0, NULL, 1 },
        { "8", { .name = "" }, -EBADMSG },
        { "9", { .name = "/", .type = '5', .mode = 0777 }, 0 },
        { "9", { .name = "./", .type = '5', .mode = 0777 }, 0 },
        { "9", { .name = ".", .type = '2', .link = "/" }, -EBADMSG },
        { "12", { .name = "rootfs/a\033[31m\nb\a" }, 0, "a\033[31m\nb\a" },
        { "12", { .name = "rootfs/a\033[31m\nb\a", .type = 'Z' }, -EOPNOTSUPP },
        { "13", { .name = "rootfs/\xff\xfe" }, 0, "\xff\xfe" },
        { "15", { .name = "rootfs/a\\b%n $HOME ;" }, 0, "a\\b%n $HOME ;" },
        { "", { .name = "./rootfs//a/./b/", .type = '5' }, 0, "a/b" },
        { "", { .name = "rootfs/d/" }, 0, "d" },
        { "21", { .name = "rootfs/x", .type = 'Z' }, -EOPNOTSUPP },
        { "22", { .name = "rootfs/x", .type = '7', .content = "x" }, 0, "x" },
        { "23", { .name = "rootfs/x", .type = 'M' }, -EOPNOTSUPP },
        { "23", { .name = "rootfs/x", .type = 'V' }, -EOPNOTSUPP },
        { "23", { .name = "rootfs/x", .type = 'D' }, -EOPNOTSUPP },
        { "24", { .name = "rootfs/x", .no_magic = true, .content = "x" }, 0, "x" },
        { "25", { .name = "rootfs/null", .type = '3', .major = 1, .minor = 3, .mode = 0666 }, 0, "null" },
        { "26", { .name = "rootfs/null", .type = '3', .major = 1, .minor = 3, .mode = 06666 }, 0, "null" },
        { "27", { .name = "rootfs/dev/mem", .type = '3', .major = 1, .minor = 1 }, -EOPNOTSUPP },
        { "27", { .name = "rootfs/dev/sda", .type = '4', .major = 8 }, -EOPNOTSUPP },
        { "27", { .name = "rootfs/dev/null", .type = '4', .major = 8 }, -EOPNOTSUPP },
        { "27", { .name = "rootfs/dev/null", .type = '4', .major = 1, .minor = 3 }, -EOPNOTSUPP },
        { "28", { .name = "rootfs/gone", .type = '3' }, -EOPNOTSUPP },
        { "29",
          { .name = "rootfs/x", .type = '3', .major = 1, .raw_minor = "\x80\0\1\0\0\0\0\3" },
          -EBADMSG },
        { "29",
          { .name = "rootfs/x", .type = '3', .major = 1, .raw_minor = "\xff\xff\xff\xff\xff\xff\xff\xff" },
          -EBADMSG },
        { "30", { .name = "rootfs/etc/passwd", .type = '6', .mode = 06644 }, 0, "etc/passwd" },
        { "33", { .name = "rootfs/su", .mode = 04755 }, 0, "su" },
        { "35", { .name = "rootfs/x", .raw_uid = "\xff\xff\xff\xff\xff\xff\xff\xff" }, -EBADMSG },
        { "35", { .name = "rootfs/x", .raw_uid = "\xff\xff\xff\xff\xff\xff\xff\xfe" }, -EBADMSG },
        { "35", { .name = "rootfs/x", .raw_uid = "\x80\0\0\0\xff\xff\xff\xff" }, -EBADMSG },
        { "35", { .name = "rootfs/x", .raw_uid = "\x80\0\0\0\xff\xff\xff\xfe" }, -EBADMSG },
        { "35", { .name = "rootfs/x", .raw_uid = "\x80\0\0\1\0\0\0\0" }, -EBADMSG },
        { "35", { .name = "rootfs/x", .raw_uid = "12x45678" }, -EBADMSG },
        { "41", { .name = "rootfs/l", .type = '2', .link = "/nowhere" }, 0, "l -> /nowhere" },
        { "41", { .name = "rootfs/l", .type = '2', .link = "../../../../../x" }, 0, "l -> ../../../../../x" },
        { "43", { .name = "rootfs/l", .type = '2' }, -EBADMSG },
        { "43", { .name = "rootfs/l", .type = '1' }, -EBADMSG },
        { "44", { .name = "rootfs/l", .type = '2', .link = "/x", .content = "body" }, -EBADMSG },
        { "45", { .name = "rootfs", .type = '2', .link = "/" }, -EBADMSG },
        { "45", { .name = "rootfs", .content = "x" }, -EBADMSG },
        { "", { .name = "rootfs/", .type = '5' }, -ENOTUNIQ },
        { "50", { .name = "rootfs/l", .type = '1', .link = "/tmp/x" }, -EBADMSG },
        { "50", { .name = "rootfs/l", .type = '1', .link = "../x" }, -EBADMSG },
        { "50", { .name = "rootfs/l", .type = '1', .link = "rootfs/../x" }, -EBADMSG },
        { "51", { .name = "rootfs/l", .type = '1', .link = "manifest" }, -EBADMSG },
        { "51", { .name = "rootfs/l", .type = '1', .link = "rootfs-evil/x" }, -EBADMSG },
        { "51", { .name = "rootfs/l", .type = '1', .link = "rootfs" }, -EBADMSG },
        { "53", { .name = "rootfs/l", .type = '1', .link = "rootfs/x", .content = "x" }, -EBADMSG },
        { "54", { .name = "rootfs/l", .type = '1', .link = "./rootfs//l" }, -EBADMSG },
        { "", { .name = "rootfs/l", .type = '1', .link = "./rootfs//m" }, 0, "l -> m" },
        { "67", { .name = "rootfs/.wh.x" }, 0, ".wh.x" },
        { "82", { .name = "rootfs/x", .bad_checksum = true }, -EBADMSG },
        { "83",
          { .name = "rootfs/x", .raw_size = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" },
          -EBADMSG },
        { "83", { .name = "rootfs/x", .raw_size = "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff" }, -E2BIG },
        { "83", { .name = "rootfs/x", .raw_size = "\x80\0\0\1\0\0\0\0\0\0\0\0" }, -EBADMSG },
        { "83", { .name = "rootfs/x", .raw_size = "00000000z00\0" }, -EBADMSG },
        { "83", { .name = "rootfs/x", .raw_size = "77777777777\0" }, -E2BIG },
        { "102", { .name = "./manifest", .content = "{}" }, -ENOTUNIQ },
};

static void test_cases(void **state) {
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(result_done) Result res = {};
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                int r;

                tar_begin_aci(&b);
                tar_add(&b, &c->spec);
                tar_end(&b);
                r = check(&b, &res);
                if (r != c->error)
                        print_error("row %s, name '%s'\n", c->id, c->spec.name);
                assert_int_equal(r, c->error);
                if (r < 0)
                        continue;
                assert_int_equal(res.n_manifests, 1);
                assert_int_equal(res.n_warnings, c->n_warnings);
                assert_int_equal(strv_length(res.entries), c->entry ? 2 : 1);
                if (c->entry)
                        assert_string_equal(res.entries[1], c->entry);
        }
}

/* 26: no device with a setid bit; 32: no more than twelve bits of mode. */
static void test_modes(void **state) {
        _cleanup_(result_done) Result res = {};
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, c = STRBUF_INIT;

        tar_begin_aci(&b);
        tar_add(&b, &(TarSpec){ .name = "rootfs/null", .type = '3', .major = 1, .minor = 3, .mode = 06666 });
        tar_end(&b);
        assert_int_equal(check(&b, &res), 0);
        assert_int_equal(res.last.mode, 0666);
        result_done(&res);

        tar_begin_aci(&c);
        tar_add(&c, &(TarSpec){ .name = "rootfs/x", .mode = 0777777 });
        tar_end(&c);
        assert_int_equal(check(&c, &res), 0);
        assert_int_equal(res.last.mode, 07777);
}

typedef struct PaxCase {
        const char *id;
        const char *key;
        const char *value;
        size_t size; /* of value; 0: strlen() */
        int error;
        unsigned n_warnings;
        char type; /* of the entry that follows */
} PaxCase;

#define CAP_V2   "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define CAP_KEY  "SCHILY.xattr.security.capability"
#define PREFIX_X "SCHILY.xattr."

static const PaxCase pax_cases[] = {
        { "1", "path", "rootfs/../../evil", 0, -EBADMSG },
        { "14", "path", "rootfs/a\0b", 10, -EBADMSG },
        { "14", "linkpath", "rootfs/a\0b", 10, -EBADMSG },
        { "8", "path", "", 0, -EBADMSG },
        { "35", "uid", "4294967295", 0, -EBADMSG },
        { "35", "uid", "4294967296", 0, -EBADMSG },
        { "35", "gid", "-1", 0, -EBADMSG },
        { "36", "uname", "root", 0, 0 },
        { "38", "mtime", "9223372036854775808.99999999999999", 0, 0 },
        { "38", "mtime", "-9223372036854775808.5x", 0, 0 },
        { "38", "mtime", "garbage", 0, 0 },
        { "68", CAP_KEY, CAP_V2, 20, 0 },
        { "68", CAP_KEY, CAP_V2, 20, 0, 1, '5' },
        { "69", CAP_KEY, CAP_V2, 19, -EBADMSG },
        { "69", CAP_KEY, "\1\0\0\7\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, -EBADMSG },
        { "70", PREFIX_X "trusted.overlay.opaque", "y", 0, 0, 1 },
        { "70", PREFIX_X "user.overlay.opaque", "y", 0, 0, 1 },
        { "70", "LIBARCHIVE.xattr.trusted.overlay.opaque", "eQ", 0, 0 },
        { "71", PREFIX_X "security.selinux", "x", 0, 0, 1 },
        { "71", PREFIX_X "security.ima", "x", 0, 0, 1 },
        { "71", PREFIX_X "security.evm", "x", 0, 0, 1 },
        { "71", "RHT.security.selinux", "x", 0, 0, 1 },
        { "72", "SCHILY.acl.access", "user::rwx", 0, 0, 1, '2' },
        { "72", "SCHILY.acl.access", "user::rwx,user:7:r--,group::r-x,mask::r-x,other::---", 0, 0, 1, '2' },
        { "", "SCHILY.acl.access", "user::rwx,user:7:r--,group::r-x,mask::r-x,other::---", 0, 0 },
        { "", "SCHILY.acl.access", "user::rwx,user:lisa:r--,group::r-x,mask::r-x,other::---", 0, 0, 1 },
        { "", "SCHILY.acl.access", "", 0, 0 },
        { "", "SCHILY.acl.default", "user::rwx,group::r-x,other::---", 0, 0, 1 },
        { "", "SCHILY.acl.default", "user::rwx,group::r-x,other::---", 0, 0, 0, '5' },
        { "", "SCHILY.acl.ace", "anything", 0, 0, 1 },
        { "", PREFIX_X "system.posix_acl_access", "\2\0\0\0\1\0\7\0\xff\xff\xff\xff", 12, -EBADMSG },
        { "73", PREFIX_X "userland.evil", "x", 0, 0, 1 },
        { "73", PREFIX_X "security.capabilityX", "x", 0, 0, 1 },
        { "74", PREFIX_X "user.", "x", 0, -EBADMSG },
        { "74", PREFIX_X, "x", 0, -EBADMSG },
        { "", PREFIX_X "user.a", "", 0, 0 },
        { "", PREFIX_X "user.a%3Db%25", "x\0y\n", 4, 0 },
        { "", PREFIX_X "user.link", "x", 0, 0, 1, '2' },
        { "84", "size", "12abc", 0, -EBADMSG },
        { "84", "size", "5", 0, -EBADMSG },
        { "84", "size", "0", 0, 0 },
        { "91", "GNU.sparse.map", "0,1,x", 0, -EBADMSG },
        { "91", "GNU.sparse.numbytes", "5", 0, -EBADMSG },
};

static void test_pax(void **state) {
        FOREACH_ARRAY (c, pax_cases, ELEMENTSOF(pax_cases)) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT, body = STRBUF_INIT;
                _cleanup_(result_done) Result res = {};
                int r;

                tar_begin_aci(&b);
                tar_record(&body, c->key, c->value, c->size ? c->size : strlen(c->value));
                tar_add_meta(&b, 'x', body.data, body.size);
                tar_add(&b, &(TarSpec){ .name = "rootfs/x",
                                        .type = c->type,
                                        .link = c->type == '2' ? "y" : NULL });
                tar_end(&b);
                r = check(&b, &res);
                if (r != c->error || (r == 0 && res.n_warnings != c->n_warnings))
                        print_error("row %s, key '%s'\n", c->id, c->key);
                assert_int_equal(r, c->error);
                if (r < 0)
                        continue;
                assert_int_equal(res.n_warnings, c->n_warnings);
                assert_string_equal(strchr(res.entries[1], 'x'), c->type == '2' ? "x -> y" : "x");
                /* 38: within what file systems can hold */
                assert_in_range(res.last.mtime_sec + INT64_C(0x80000000), 0, UINT64_C(0x480000000));
                if (strstr(c->key, "capability") && c->n_warnings == 0)
                        assert_int_equal(res.last.n_xattrs, 1);
                if (strstr(c->key, "%3D")) {
                        assert_string_equal(res.last.xattrs[0].name, "user.a=b%");
                        assert_int_equal(res.last.xattrs[0].size, 4);
                        assert_memory_equal(res.last.xattrs[0].value, "x\0y\n", 4);
                }
        }
}

typedef struct RawCase {
        const char *id;
        char type;
        const char *body;
        int error;
} RawCase;

static const RawCase raw_cases[] = {
        { "85", 'x', "99999999999999999999 path=rootfs/x\n", -EBADMSG },
        { "85", 'x', "5 path=rootfs/x\n", -EBADMSG },
        { "85", 'x', "18 path=rootfs/xyz", -EBADMSG },
        { "85", 'x', "path=rootfs/x\n", -EBADMSG },
        { "85", 'x', "6 =xx\n", -EBADMSG },
        { "85", 'x', "4 x\n", -EBADMSG },
        { "85", 'x', "\n", -EBADMSG },
        { "85", 'x', "-5 a=b\n", -EBADMSG },
        { "87", 'g', "22 path=rootfs/global\n", -EOPNOTSUPP },
        { "87", 'g', "19 comment=from git\n", -EBADMSG }, /* 20 would be right */
        { "87", 'g', "20 comment=from git\n", 0 },
        { "1", 'L', "rootfs/../../evil", -EBADMSG },
        { "", 'L', "rootfs/x", 0 },
        { "", 'L', "", -EBADMSG },
};

static void test_meta(void **state) {
        FOREACH_ARRAY (c, raw_cases, ELEMENTSOF(raw_cases)) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
                int r;

                tar_begin_aci(&b);
                tar_add_meta(&b, c->type, c->body, 0);
                tar_add(&b, &(TarSpec){ .name = "rootfs/x" });
                tar_end(&b);
                r = check(&b, NULL);
                if (r != c->error)
                        print_error("row %s, body '%s'\n", c->id, c->body);
                assert_int_equal(r, c->error);
        }
}

static void fill_path(StrBuf *s, size_t size, size_t part) {
        strbuf_add(s, "rootfs");
        while (s->size < size) {
                strbuf_add(s, "/");
                for (size_t i = 0; i < part; i++)
                        strbuf_add(s, "a");
        }
}

static int check_path(size_t size, size_t part) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, path = STRBUF_INIT;

        fill_path(&path, size, part);
        tar_begin_aci(&b);
        tar_add_pax(&b, "path", path.data);
        tar_add(&b, &(TarSpec){ .name = "rootfs/x" });
        tar_end(&b);
        return check(&b, NULL);
}

/* 10, 11: how long a name may be. */
static void test_long_names(void **state) {
        assert_int_equal(check_path(10, 255), 0);
        assert_int_equal(check_path(10, 256), -ENAMETOOLONG);
        assert_int_equal(check_path(3800, 200), 0);
        assert_int_equal(check_path(6000, 200), -ENAMETOOLONG);
        assert_int_equal(check_path(500, 1), 0);
        assert_int_equal(check_path(600, 1), -ENAMETOOLONG);
        assert_int_equal(check_path(120000, 1), -ENAMETOOLONG);
}

/* 85, 86: headers that never end. */
static void test_many_headers(void **state) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, c = STRBUF_INIT, d = STRBUF_INIT;

        tar_begin_aci(&b);
        for (int i = 0; i < 2000; i++)
                tar_add_pax(&b, "comment", "x");
        tar_end(&b);
        assert_int_equal(check(&b, NULL), -E2BIG);

        tar_add(&c, &(TarSpec){ .name = "x", .type = 'x', .raw_size = "00500000000\0" });
        assert_int_equal(check(&c, NULL), -E2BIG);
        tar_add(&d, &(TarSpec){ .name = "x", .type = 'L', .raw_size = "10000000000\0" });
        assert_int_equal(check(&d, NULL), -E2BIG);
}

/* 74: attributes without end, and one that is too large. */
static void test_many_xattrs(void **state) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, body = STRBUF_INIT, c = STRBUF_INIT, large = STRBUF_INIT;
        _cleanup_free_ char *value = calloc(70001, 1);

        assert_non_null(value);
        for (int i = 0; i < 10000; i++) {
                char key[64];

                (void) snprintf(key, sizeof(key), "SCHILY.xattr.user.%d", i);
                tar_record(&body, key, "x", 1);
        }
        tar_begin_aci(&b);
        tar_add_meta(&b, 'x', body.data, body.size);
        tar_add(&b, &(TarSpec){ .name = "rootfs/x" });
        tar_end(&b);
        assert_int_equal(check(&b, NULL), -E2BIG);

        memset(value, 'x', 70000);
        tar_record(&large, "SCHILY.xattr.user.large", value, 70000);
        tar_begin_aci(&c);
        tar_add_meta(&c, 'x', large.data, large.size);
        tar_add(&c, &(TarSpec){ .name = "rootfs/x" });
        tar_end(&c);
        assert_int_equal(check(&c, NULL), -E2BIG);
}

/* 76-81, 102, 103: where an archive ends, and what it must have had until then. */
static void test_ends(void **state) {
        _cleanup_(result_done) Result res = {};
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, part = STRBUF_INIT, only = STRBUF_INIT, none = STRBUF_INIT;
        static const char zero[512];

        assert_int_equal(check(&b, NULL), -EBADMSG);
        tar_begin_aci(&b);
        tar_add(&b, &(TarSpec){ .name = "rootfs/a", .content = "content" });
        for (size_t n = 1; n <= b.size; n += 100) { /* 77, 78: wherever it is cut */
                strbuf_done(&part);
                strbuf_add_n(&part, b.data, n);
                assert_int_equal(check(&part, NULL), -EBADMSG);
        }
        assert_int_equal(check(&b, NULL), -EBADMSG); /* 78: no end blocks */
        strbuf_add_n(&b, zero, 512);
        assert_int_equal(check(&b, NULL), 0);         /* 78: one */
        tar_add(&b, &(TarSpec){ .name = "../evil" }); /* 80, 81: behind the end */
        strbuf_add(&b, "garbage");
        assert_int_equal(check(&b, &res), 0);
        assert_int_equal(strv_length(res.entries), 2);

        tar_add(&only, &(TarSpec){ .name = "rootfs", .type = '5' });
        tar_end(&only);
        assert_int_equal(check(&only, NULL), -ENODATA);
        tar_add(&none, &(TarSpec){ .name = "manifest", .content = "{}" });
        tar_add(&none, &(TarSpec){ .name = "rootfs/x", .content = "{}" });
        tar_end(&none);
        assert_int_equal(check(&none, NULL), -ENODATA);
}

/* 90, 102: the manifest. */
static void test_manifest(void **state) {
        static const TarSpec wrong[] = {
                { .name = "manifest", .type = '2', .link = "/etc/shadow" },
                { .name = "manifest", .type = '1', .link = "rootfs/x" },
                { .name = "manifest", .type = '6' },
                { .name = "manifest", .type = '5' },
                { .name = "manifest/", .content = "{}" },
                { .name = "manifest", .raw_size = "02260000000\0" },
        };

        FOREACH_ARRAY (w, wrong, ELEMENTSOF(wrong)) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

                tar_add(&b, w);
                tar_end(&b);
                assert_int_equal(check(&b, NULL), w->raw_size ? -E2BIG : -EBADMSG);
        }
}

/* 89, 92: what is skipped is counted too, and there is an end to entries. */
static void test_limits(void **state) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, c = STRBUF_INIT;
        _cleanup_free_ char *large = calloc(1, 70 * MIB);
        Result res = {};

        assert_non_null(large);
        tar_add(&b, &(TarSpec){ .name = "ignored", .content = large, .size = 63 * MIB });
        tar_add(&b, &(TarSpec){ .name = "ignored", .content = large, .size = 2 * MIB });
        tar_end(&b);
        assert_int_equal(check_pieces(&b, 1 << 20, &res, NULL), -E2BIG);
        result_done(&res);
        for (int i = 0; i < 5001; i++)
                tar_add(&c, &(TarSpec){ .name = "rootfs/d", .type = '5' });
        tar_end(&c);
        assert_int_equal(check_pieces(&c, 1 << 20, &res, NULL), -E2BIG);
        result_done(&res);
}

static void add_old_sparse(StrBuf *b, const char *name, const uint64_t *map, size_t n, uint64_t real,
                           uint64_t data) {
        static const char content[4096] = { 'x' };
        uint8_t h[512];

        tar_header(h, &(TarSpec){ .name = name, .type = 'S' }, data);
        memcpy(h + 257, "ustar  ", 8);
        memset(h + 329, 0, 16);
        for (size_t i = 0; i < n; i++)
                tar_octal(h + 386 + i * 12, 12, map[i]);
        tar_octal(h + 483, 12, real);
        tar_checksum(h);
        strbuf_add_n(b, (const char *) h, 512);
        strbuf_add_n(b, content, data);
        tar_pad(b);
}

typedef struct SparseCase {
        uint64_t map[8];
        size_t n; /* numbers in map */
        uint64_t real, data;
        int error;
} SparseCase;

/* 91 */
static const SparseCase sparse_cases[] = {
        { { 0, 512, 4096, 100 }, 4, 8192, 612, 0 },
        { { 1000000, 512 }, 2, 1000512, 512, 0 },
        { { 0, 512, 100, 512 }, 4, 8192, 1024, -EBADMSG }, /* overlap */
        { { 8000, 512 }, 2, 8192, 512, -EBADMSG },         /* beyond the end */
        { { 0, 512 }, 2, UINT64_C(1) << 32, 512, -E2BIG }, /* far too large */
        { { 0, 512 }, 2, 8192, 1024, -EBADMSG },           /* more data than map */
        { { 0, 2048 }, 2, 8192, 1024, -EBADMSG },          /* more map than data */
        { { UINT64_C(8589934591), 512 }, 2, 8192, 512, -EBADMSG },
};

static void test_sparse(void **state) {
        FOREACH_ARRAY (c, sparse_cases, ELEMENTSOF(sparse_cases)) {
                _cleanup_(result_done) Result res = {};
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT;

                tar_begin_aci(&b);
                add_old_sparse(&b, "rootfs/s", c->map, c->n, c->real, c->data);
                tar_end(&b);
                assert_int_equal(check(&b, &res), c->error);
                if (c->error < 0)
                        continue;
                assert_int_equal(res.last.size, c->real);
                assert_int_equal(res.last.n_segments, c->n / 2);
                assert_int_equal(res.last.segments[0].source, b.size - 1024 - (c->data + 511) / 512 * 512);
        }
}

/* 91: the three pax forms say the same. */
static void test_sparse_pax(void **state) {
        static const char *const forms[][8] = {
                { "GNU.sparse.size", "8192", "GNU.sparse.offset", "512", "GNU.sparse.numbytes", "3" },
                { "GNU.sparse.size", "8192", "GNU.sparse.name", "rootfs/s", "GNU.sparse.map", "512,3" },
                { "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.name", "rootfs/s",
                  "GNU.sparse.realsize", "8192" },
        };

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT, body = STRBUF_INIT;
                _cleanup_(result_done) Result res = {};
                char content[515] = "1\n512\n3\n";

                memcpy(content + 512, "abc", 3);
                for (size_t k = 0; k < 8 && forms[i][k]; k += 2)
                        tar_record(&body, forms[i][k], forms[i][k + 1], strlen(forms[i][k + 1]));
                tar_begin_aci(&b);
                tar_add_meta(&b, 'x', body.data, body.size);
                tar_add(&b, &(TarSpec){ .name = i == 0 ? "rootfs/s" : "rootfs/GNUSparseFile.1/s",
                                        .content = i == 2 ? content : "abc",
                                        .size = i == 2 ? 515 : 3 });
                tar_end(&b);
                assert_int_equal(check(&b, &res), 0);
                assert_string_equal(res.entries[1], "s");
                assert_int_equal(res.last.size, 8192);
                assert_int_equal(res.last.n_segments, 1);
                assert_int_equal(res.last.segments[0].offset, 512);
                assert_int_equal(res.last.segments[0].size, 3);
                assert_memory_equal(b.data + res.last.segments[0].source, "abc", 3);
        }
}

/* GNU and pax names, numbers in binary: what real archives are made of. */
static void test_long_forms(void **state) {
        _cleanup_(result_done) Result res = {};
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT, name = STRBUF_INIT;
        uint8_t h[512];

        fill_path(&name, 150, 60);
        tar_begin_aci(&b);
        tar_add_meta(&b, 'K', long_target, sizeof(long_target)); /* with its NUL */
        tar_add_meta(&b, 'L', name.data, name.size + 1);
        tar_add(&b, &(TarSpec){ .name = "rootfs/aaa", .type = '2', .link = "0123" });
        tar_header(h, &(TarSpec){ .name = "bin/prefixed", .uid = 5 }, 0);
        memcpy(h + 345, "rootfs/usr", 10);
        memcpy(h + 108, "\x80\0\0\0\0\1\0\0", 8);
        tar_checksum(h);
        strbuf_add_n(&b, (const char *) h, 512);
        tar_end(&b);
        assert_int_equal(check(&b, &res), 0);
        assert_int_equal(strv_length(res.entries), 3);
        assert_non_null(strstr(res.entries[1], long_target));
        assert_string_equal(res.entries[2], "usr/bin/prefixed");
        assert_int_equal(res.last.uid, 65536);
}

static void assert_frame(TarEntry *t, int error) {
        _cleanup_(tar_entry_done) TarEntry copy = TAR_ENTRY_INIT;
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;

        assert_int_equal(frame_encode_entry(t, &data, &size), 0);
        assert_int_equal(frame_decode_entry(data, size, &copy), error);
        for (size_t n = 0; n < size; n++) {
                TarEntry cut = TAR_ENTRY_INIT;

                if (frame_decode_entry(data, n, &cut) == 0)
                        fail();
        }
}

/* The store believes nothing of what a worker sends. */
static void test_frames(void **state) {
        TarSegment s[] = { { 0, 5, 100 }, { 10, 5, 105 } };
        TarEntry t = {
                .type = TAR_FILE, .path = (char[]){ "a/b" }, .size = 20, .segments = s, .n_segments = 2
        };
        static const char *const bad[] = { "/a", "a//b", "a/", "..", "a/../b", "./a", "." };

        assert_frame(&t, 0);
        s[1].offset = 4;
        assert_frame(&t, -EBADMSG);
        s[1].offset = 16;
        assert_frame(&t, -EBADMSG);
        s[1].offset = UINT64_MAX;
        assert_frame(&t, -EBADMSG);
        t.n_segments = 0;
        t.mode = 010000;
        assert_frame(&t, -EBADMSG);
        t.mode = 0;
        t.uid = UINT32_MAX;
        assert_frame(&t, -EBADMSG);
        t.uid = 0;
        t.type = TAR_HARDLINK;
        assert_frame(&t, -EBADMSG);
        t.size = 0;
        t.link = (char[]){ "../x" };
        assert_frame(&t, -EBADMSG);
        t.link = (char[]){ "x" };
        assert_frame(&t, 0);
        FOREACH_ARRAY (p, bad, ELEMENTSOF(bad)) {
                t.path = strdup(*p);
                assert_frame(&t, -EBADMSG);
                free(t.path);
        }
}

/* Paths of whiteouts, as a worker that was taken over may send them. Devices 0:0 come only so. */
static void test_frame_paths(void **state) {
        static const char *const bad[] = { "/a", "a//b", "a/", "..", "a/../b", "./a", "." };
        TarEntry whiteout = { .type = TAR_CHRDEV, .path = (char[]){ "a" } };
        _cleanup_free_ char *path = NULL, *root = NULL;

        FOREACH_ARRAY (b, bad, ELEMENTSOF(bad))
                assert_int_equal(frame_decode_path((const uint8_t *) *b, strlen(*b), &path), -EBADMSG);
        assert_int_equal(frame_decode_path((const uint8_t *) "a\0b", 3, &path), -EBADMSG);
        assert_int_equal(frame_decode_path((const uint8_t *) "a/b", 3, &path), 0);
        assert_string_equal(path, "a/b");
        assert_int_equal(frame_decode_path((const uint8_t *) "", 0, &root), 0);
        assert_string_equal(root, "");
        assert_frame(&whiteout, -EBADMSG);
        whiteout.major = 1;
        assert_frame(&whiteout, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),       cmocka_unit_test(test_modes),
                cmocka_unit_test(test_pax),         cmocka_unit_test(test_meta),
                cmocka_unit_test(test_long_names),  cmocka_unit_test(test_many_headers),
                cmocka_unit_test(test_many_xattrs), cmocka_unit_test(test_ends),
                cmocka_unit_test(test_manifest),    cmocka_unit_test(test_limits),
                cmocka_unit_test(test_sparse),      cmocka_unit_test(test_sparse_pax),
                cmocka_unit_test(test_long_forms),  cmocka_unit_test(test_frames),
                cmocka_unit_test(test_frame_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

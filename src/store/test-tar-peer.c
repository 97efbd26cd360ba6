/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Our reading of tar beside libarchive's: archives of many shapes, written by libarchive in the formats of the field, must
 * give the same entries to both. The numbers are pseudo-random from fixed seeds, so a failure can be had again. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>

#include "basic/str.h"
#include "store/tar-stream.h"

typedef struct Random {
        uint64_t state;
} Random;

static unsigned next(Random *r, unsigned below) {
        r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned) (r->state >> 33) % below;
}

static la_ssize_t collect(struct archive *a, void *userdata, const void *data, size_t size) {
        strbuf_add_n(userdata, data, size);
        return (la_ssize_t) size;
}

/* A relative path of letters and a few blanks, with a slash now and then, never two of them and none at an end. */
static void random_name(Random *r, char *ret, unsigned max) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_ ";
        unsigned n = 1 + next(r, max);

        for (unsigned i = 0; i < n; i++)
                ret[i] = i % 37 == 36 && i + 1 < n ? '/' : letters[next(r, sizeof(letters) - 1)];
        ret[n] = '\0';
}

/* One archive of libarchive's making. */
static void write_archive(uint64_t seed, int format, StrBuf *b) {
        struct archive *a = archive_write_new();
        Random r = { seed };

        assert_non_null(a);
        assert_int_equal(archive_write_set_format(a, format), ARCHIVE_OK);
        assert_int_equal(archive_write_set_bytes_per_block(a, 10240), ARCHIVE_OK);
        assert_int_equal(archive_write_open(a, b, NULL, collect, NULL), ARCHIVE_OK);
        for (unsigned i = 0, n = 1 + next(&r, 30); i < n; i++) {
                struct archive_entry *e = archive_entry_new();
                char name[400], prefixed[420], data[3000];
                unsigned kind = next(&r, 6), size = 0;

                random_name(&r, name, format == ARCHIVE_FORMAT_TAR_USTAR ? 80 : 300);
                (void) snprintf(prefixed, sizeof(prefixed), "%u%s", i, name);
                archive_entry_set_pathname(e, prefixed);
                archive_entry_set_uid(e, next(&r, 200000));
                archive_entry_set_gid(e, next(&r, 200000));
                archive_entry_set_mtime(e, next(&r, 2000000000),
                                        format == ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE ? 123456789 : 0);
                archive_entry_set_perm(e, (mode_t) next(&r, 07777));
                archive_entry_set_filetype(e, AE_IFREG);
                if (kind == 0)
                        archive_entry_set_filetype(e, AE_IFDIR);
                else if (kind == 1) {
                        archive_entry_set_filetype(e, AE_IFLNK);
                        random_name(&r, name, format == ARCHIVE_FORMAT_TAR_USTAR ? 80 : 300);
                        archive_entry_set_symlink(e, name);
                } else if (kind == 2) {
                        archive_entry_set_filetype(e, AE_IFCHR);
                        archive_entry_set_rdev(e, makedev(next(&r, 200), next(&r, 200)));
                } else {
                        size = next(&r, sizeof(data));
                        for (unsigned j = 0; j < size; j++)
                                data[j] = (char) next(&r, 256);
                        archive_entry_set_size(e, size);
                }
                if (archive_write_header(a, e) < ARCHIVE_WARN)
                        fail_msg("%s: %s", prefixed, archive_error_string(a));
                if (size > 0)
                        assert_int_equal(archive_write_data(a, data, size), size);
                archive_entry_free(e);
        }
        assert_int_equal(archive_write_close(a), ARCHIVE_OK);
        (void) archive_write_free(a);
        assert_false(b->failed);
}

/* Both readings become the same lines of text. */
static void describe(StrBuf *out, const char *path, unsigned type, unsigned mode, uint64_t uid, uint64_t gid,
                     int64_t mtime, const char *link, unsigned major_nr, unsigned minor_nr) {
        size_t n = strlen(path);

        while (n > 1 && path[n - 1] == '/')
                n--;
        strbuf_addf(out, "\n%.*s|%c|%o|%" PRIu64 "|%" PRIu64 "|%" PRId64 "|%s|%u:%u|", (int) n, path,
                    (int) type, mode, uid, gid, mtime, link ? link : "", major_nr, minor_nr);
}

static void add_content(StrBuf *out, const void *data, size_t size) {
        const unsigned char *p = data;

        for (size_t i = 0; i < size; i++)
                strbuf_addf(out, "%02x", p[i]);
}

static void read_by_libarchive(const StrBuf *b, StrBuf *out) {
        struct archive *a = archive_read_new();
        struct archive_entry *e;

        assert_int_equal(archive_read_support_format_tar(a), ARCHIVE_OK);
        assert_int_equal(archive_read_open_memory(a, b->data, b->size), ARCHIVE_OK);
        while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
                unsigned type = archive_entry_filetype(e);
                char buffer[4096];
                la_ssize_t n;

                describe(out, archive_entry_pathname(e),
                         type == AE_IFDIR   ? '5'
                         : type == AE_IFLNK ? '2'
                         : type == AE_IFCHR ? '3'
                                            : '0',
                         archive_entry_perm(e), (uint64_t) archive_entry_uid(e),
                         (uint64_t) archive_entry_gid(e), archive_entry_mtime(e), archive_entry_symlink(e),
                         type == AE_IFCHR ? major(archive_entry_rdev(e)) : 0,
                         type == AE_IFCHR ? minor(archive_entry_rdev(e)) : 0);
                while ((n = archive_read_data(a, buffer, sizeof(buffer))) > 0)
                        add_content(out, buffer, (size_t) n);
                assert_int_equal(n, 0);
        }
        (void) archive_read_free(a);
}

static int take_entry(void *userdata, TarStreamEntry *t, Error *e) {
        static const unsigned char type_letters[] = { '0', '5', '2', '1', '3', '4', '6' };
        const TarEntry *n = &t->entry;

        describe(userdata, n->path, type_letters[n->type], n->mode & 07777, n->uid, n->gid, n->mtime_sec,
                 n->link, n->type == TAR_CHRDEV ? n->major : 0, n->type == TAR_CHRDEV ? n->minor : 0);
        return n->type == TAR_FILE;
}

static int take_content(void *userdata, const uint8_t *data, size_t size, Error *e) {
        add_content(userdata, data, size);
        return 0;
}

static void read_by_us(const StrBuf *b, size_t piece, StrBuf *out) {
        static const TarStreamOps ops = { .entry = take_entry, .content = take_content };
        const TarStreamLimits limits = { .size_max = 1U << 30, .entries_max = 10000 };
        _cleanup_(tar_stream_freep) TarStream *t = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(tar_stream_new(&ops, out, &limits, &t), 0);
        for (size_t i = 0; i < b->size; i += piece)
                if (tar_stream_push(t, (const uint8_t *) b->data + i, MIN(piece, b->size - i), &e) < 0)
                        fail_msg("%s", error_text(&e, 0));
        if (tar_stream_finish(t, &e) < 0)
                fail_msg("%s", error_text(&e, 0));
}

static void compare(int format) {
        static const size_t pieces[] = { 1, 513, 100000 };

        for (uint64_t seed = 1; seed <= 150; seed++) {
                _cleanup_strbuf_ StrBuf b = STRBUF_INIT, theirs = STRBUF_INIT, ours = STRBUF_INIT;

                write_archive(seed, format, &b);
                read_by_libarchive(&b, &theirs);
                read_by_us(&b, pieces[seed % ELEMENTSOF(pieces)], &ours);
                assert_false(theirs.failed || ours.failed);
                if (!streq(theirs.data, ours.data))
                        fail_msg("seed %" PRIu64 ": libarchive:%s\nours:%s", seed, theirs.data, ours.data);
        }
}

static void test_ustar(void **state) {
        compare(ARCHIVE_FORMAT_TAR_USTAR);
}

static void test_pax(void **state) {
        compare(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
}

static void test_gnu(void **state) {
        compare(ARCHIVE_FORMAT_TAR_GNUTAR);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ustar),
                cmocka_unit_test(test_pax),
                cmocka_unit_test(test_gnu),
        };

        return cmocka_run_group_tests_name("tar beside libarchive", tests, NULL, NULL);
}

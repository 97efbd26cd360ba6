/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What actool validate does. Archives are read by rkt-parse, in its sandbox, as they are when they are fetched; here is only
 * what the standard wants beyond that: no other names at the top, and no name twice. */
#include "image/image-validate.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/digest.h"
#include "basic/fd.h"
#include "basic/hex.h"
#include "basic/json.h"
#include "basic/process.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/worker.h"
#include "manifest/ac-lenient.h"
#include "manifest/image-manifest.h"
#include "manifest/pod-manifest.h"
#include "store/frame.h"
#include "store/store-import.h"

#define HEAD_SIZE    512
#define WARNINGS_MAX 64
#define KEY_SIZE     16 /* bytes of a digest that stand for a name */

/* A validation under way. */
typedef struct Validation {
        int fd;
        uint8_t head[HEAD_SIZE]; /* was read from fd, if that cannot be read again */
        size_t n_head;
        bool again; /* fd stands at its beginning */
        char **warnings;

        /* The worker, and what it says. */
        Process parse;
        int in_fd;
        int frames_fd;
        pthread_t feeder;
        bool has_feeder;
        char *manifest;
        size_t manifest_size;
        bool complete;
        uint8_t (*seen)[KEY_SIZE]; /* open addressing; all zero is free */
        size_t n_seen, seen_size;
} Validation;

static void validation_done(Validation *v) {
        v->frames_fd = fd_close(
                v->frames_fd); /* the worker cannot write any more, so it ends, and its reader's writer too */
        process_done(&v->parse);
        if (v->has_feeder) {
                (void) pthread_cancel(v->feeder); /* it may wait for input that nobody wants any more */
                (void) pthread_join(v->feeder, NULL);
        }
        (void) fd_close(v->in_fd);
        (void) fd_close(v->fd);
        (void) strv_free(v->warnings);
        free(v->manifest);
        free(v->seen);
}

/**
 * validate_type_from_string() - as in --type=
 * @s: a word of actool's
 *
 * Return: the type; -EINVAL.
 */
ValidateType validate_type_from_string(const char *s) {
        static const char *const names[_VALIDATE_TYPE_MAX] = {
                [VALIDATE_ANY] = "",
                [VALIDATE_IMAGE] = "appimage",
                [VALIDATE_LAYOUT] = "layout",
                [VALIDATE_MANIFEST] = "manifest",
        };

        for (ValidateType t = 0; t < _VALIDATE_TYPE_MAX; t++)
                if (streq(s, names[t]))
                        return t;
        return _VALIDATE_TYPE_INVALID;
}

/* What an invalid manifest calls itself, as far as it can be told: "'example.com/app:1.0': ". */
static int name_culprit(const char *text, size_t size, int r, Error *e) {
        _cleanup_(lenient_image_done) LenientImage m = {};
        const char *version;

        if (lenient_image_parse(text, size, &m) < 0 || !m.name || !*m.name)
                return r;
        version = ac_pairs_get(m.labels, m.n_labels, "version");
        return error_prefixf(e, r, "'%.200s%s%.50s'", m.name, version ? ":" : "", str_or(version, ""));
}

static int validate_image_manifest(const char *text, size_t size, Error *e) {
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        int r = image_manifest_parse(text, size, &m, e);

        return r < 0 ? name_culprit(text, size, r, e) : 0;
}

/* acKind decides. */
static int validate_manifest(const char *text, size_t size, const char **ret_kind, Error *e) {
        _cleanup_(pod_manifest_freep) PodManifest *pod = NULL;
        _cleanup_(json_freep) JsonValue *v = NULL;
        const char *kind = NULL;
        int r = json_parse(text, size, &v, e);

        if (r >= 0)
                r = json_expect(v, JSON_OBJECT, e);
        if (r < 0)
                return error_prefixf(e, r, "manifest");
        JSON_FOREACH (m, v)
                if (strcasecmp(json_key(m), "acKind") == 0)
                        kind = json_text(m);
        if (!kind)
                return error_setf(e, -ENODATA, "manifest: 'acKind' is missing, or no string");
        *ret_kind = streq(kind, "PodManifest") ? "pod manifest" : "image manifest";
        if (streq(kind, "PodManifest"))
                return pod_manifest_parse(text, size, &pod, e);
        if (streq(kind, "ImageManifest"))
                return validate_image_manifest(text, size, e);
        return error_setf(e, -EINVAL, "manifest: acKind is '%.50s'; it is ImageManifest or PodManifest",
                          kind);
}

/* Everything that is left to read, for a manifest. */
static int read_text(const Validation *v, char **ret, size_t *ret_size, Error *e) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        _cleanup_free_ char *rest = NULL;
        size_t n = 0;
        int r = fd_read_to_end(v->fd, JSON_SIZE_MAX, &rest, &n);

        if (r == -E2BIG)
                return error_setf(e, r, "a manifest is not longer than %u bytes", JSON_SIZE_MAX);
        if (r < 0)
                return error_setf(e, r, "cannot be read: %s", strerror(-r));
        if (!v->again)
                strbuf_add_n(&b, (const char *) v->head, v->n_head);
        strbuf_add_n(&b, rest, n);
        *ret_size = b.size;
        return strbuf_steal(&b, ret) < 0 ? error_oom(e) : 0;
}

/* Hands the worker what was read already, and the rest. A worker that has ended takes no more: that is no failure here. */
static void *feed(void *userdata) {
        Validation *v = userdata;

        if (fd_write_all(v->in_fd, v->head, v->n_head) >= 0)
                (void) fd_copy_range(v->fd, v->in_fd, UINT64_MAX);
        v->in_fd = fd_close(v->in_fd);
        return NULL;
}

static int start_feeder(Validation *v, Error *e) {
        sigset_t set, old;
        int r;

        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGPIPE);
        (void) pthread_sigmask(SIG_BLOCK, &set, &old);
        r = pthread_create(&v->feeder, NULL, feed, v);
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        v->has_feeder = r == 0;
        return r != 0 ? error_setf(e, -r, "cannot start a thread: %s", strerror(r)) : 0;
}

static int start_worker(Validation *v, Error *e) {
        const StoreImportLimits l = STORE_IMPORT_LIMITS_DEFAULT;
        _cleanup_close_ int source = -EBADF, out = -EBADF;
        char numbers[5][24];
        char *argv[] = { (char[]){ "rkt-parse" }, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
                         (char[]){ "strict" },    NULL };
        int fds[2], r;

        (void) snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, l.size_max);
        (void) snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, l.entries_max);
        (void) snprintf(numbers[2], sizeof(numbers[2]), "%" PRIu64, l.ratio_max);
        (void) snprintf(numbers[3], sizeof(numbers[3]), "%" PRIu64, l.ratio_after);
        (void) snprintf(numbers[4], sizeof(numbers[4]), "%" PRIu64, l.manifest_max);
        if (!v->again) {
                if (pipe2(fds, O_CLOEXEC) < 0)
                        return error_setf(e, -errno, "pipe: %m");
                source = fds[0];
                v->in_fd = fds[1];
        }
        if (pipe2(fds, O_CLOEXEC) < 0)
                return error_setf(e, -errno, "pipe: %m");
        v->frames_fd = fds[0];
        out = fds[1];
        r = worker_spawn("rkt-parse", "rkt-parse", argv,
                         (const int[]){ v->again ? v->fd : source, out, STDERR_FILENO }, 3, &v->parse, e);
        return r < 0 || v->again ? r : start_feeder(v, e);
}

static bool is_free(const uint8_t *slot) {
        static const uint8_t zero[KEY_SIZE];

        return memcmp(slot, zero, KEY_SIZE) == 0;
}

/* Where a key is, or would be; the table is never full. */
static uint8_t *find_slot(Validation *v, const uint8_t *key) {
        size_t i;

        (void) memcpy(&i, key, sizeof(i));
        for (i &= v->seen_size - 1; !is_free(v->seen[i]) && memcmp(v->seen[i], key, KEY_SIZE) != 0;)
                i = (i + 1) & (v->seen_size - 1);
        return v->seen[i];
}

static int grow_seen(Validation *v) {
        uint8_t(*old)[KEY_SIZE] = v->seen;
        size_t n = v->seen_size;

        v->seen = calloc(n == 0 ? 1024 : n * 2, KEY_SIZE);
        if (!v->seen) {
                v->seen = old;
                return -ENOMEM;
        }
        v->seen_size = n == 0 ? 1024 : n * 2;
        for (size_t i = 0; i < n; i++)
                if (!is_free(old[i]))
                        memcpy(find_slot(v, old[i]), old[i], KEY_SIZE);
        free(old);
        return 0;
}

/* Names are remembered by a digest, so that an archive cannot choose how much memory they take. */
static int remember(Validation *v, const char *path, Error *e) {
        _cleanup_(digest_freep) Digest *d = NULL;
        char hex[DIGEST_HEX_MAX], name[TAR_NAME_ESCAPED_MAX];
        uint8_t key[KEY_SIZE], *slot;

        if (v->n_seen * 2 >= v->seen_size && grow_seen(v) < 0)
                return error_oom(e);
        if (digest_new(DIGEST_SHA256, &d) < 0 || digest_update(d, path, strlen(path)) < 0 ||
            digest_final_hex(d, hex) < 0 || hex_to_bytes(hex, sizeof(key) * 2, key) < 0)
                return error_setf(e, -EIO, "cannot hash a name");
        slot = find_slot(v, key);
        if (!is_free(slot))
                return error_setf(e, -ENOTUNIQ, "entry '%s': the archive has a second one",
                                  tar_name_escape(path, name));
        memcpy(slot, key, KEY_SIZE);
        v->n_seen++;
        return 0;
}

static int take_warning(Validation *v, const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = NULL;

        if (strv_length(v->warnings) >= WARNINGS_MAX)
                return 0;
        s = strndup((const char *) data, MIN(size, (size_t) 1000));
        for (char *p = s; p && *p; p++)
                if ((unsigned char) *p < 0x20 || (unsigned char) *p >= 0x7f)
                        *p = '?';
        return !s || strv_extend(&v->warnings, s) < 0 ? -ENOMEM : 0;
}

static int take_entry(Validation *v, const uint8_t *data, size_t size, Error *e) {
        _cleanup_(tar_entry_done) TarEntry t = TAR_ENTRY_INIT;
        int r = frame_decode_entry(data, size, &t);

        return r < 0 ? error_setf(e, r, "rkt-parse sent an entry that cannot be") : remember(v, t.path, e);
}

static int take_manifest(Validation *v, const uint8_t *data, size_t size, Error *e) {
        if (v->manifest)
                return error_setf(e, -EPROTO, "rkt-parse sent two manifests");
        v->manifest = strndup((const char *) data, size);
        v->manifest_size = size;
        return v->manifest ? 0 : error_oom(e);
}

static int take_frame(Validation *v, FrameType type, const uint8_t *data, size_t size, Error *e) {
        switch (type) {
        case FRAME_DATA: return 0;
        case FRAME_ENTRY: return take_entry(v, data, size, e);
        case FRAME_MANIFEST: return take_manifest(v, data, size, e);
        case FRAME_WARNING: return take_warning(v, data, size) < 0 ? error_oom(e) : 0;
        case FRAME_ERROR: return frame_decode_error(data, size, e);
        case FRAME_END: v->complete = true; return 0;
        default: return error_setf(e, -EPROTO, "rkt-parse sent an unknown frame");
        }
}

static int validate_archive(Validation *v, Error *e) {
        FrameReader reader = FRAME_READER_INIT;
        int r = start_worker(v, e);

        if (r < 0)
                return r;
        reader.fd = v->frames_fd;
        do {
                const uint8_t *data = NULL;
                size_t size = 0;
                FrameType type;

                r = frame_read(&reader, &type, &data, &size, e);
                if (r > 0 && take_frame(v, type, data, size, e) < 0)
                        r = -EBADMSG;
        } while (r > 0);
        frame_reader_done(&reader);
        if (r < 0)
                return r;
        if (!v->complete || !v->manifest)
                return error_setf(e, -EPROTO, "rkt-parse ended without a word; see the system's log");
        return validate_image_manifest(v->manifest, v->manifest_size, e);
}

/* A file or a directory of the layout; nothing else may be there. */
static int check_layout_name(int dir_fd, const char *name, bool *has_manifest, bool *has_root, Error *e) {
        char escaped[TAR_NAME_ESCAPED_MAX];
        struct stat st;

        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return error_setf(e, -errno, "cannot look at '%s': %m", tar_name_escape(name, escaped));
        if (streq(name, "manifest")) {
                *has_manifest = true;
                return S_ISREG(st.st_mode) ? 0 : error_setf(e, -EBADMSG, "'manifest' is no regular file");
        }
        if (streq(name, "rootfs")) {
                *has_root = true;
                return S_ISDIR(st.st_mode) ? 0 : error_setf(e, -EBADMSG, "'rootfs' is no directory");
        }
        return error_setf(e, -EBADMSG, "'%s' is neither the manifest nor rootfs",
                          tar_name_escape(name, escaped));
}

static int validate_layout(int dir_fd, Error *e) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_free_ char *text = NULL;
        bool has_manifest = false, has_root = false;
        _cleanup_close_ int fd = -EBADF;
        size_t size = 0;
        int r = dir_list_at(dir_fd, ".", &names);

        if (r < 0)
                return error_setf(e, r, "cannot be listed: %s", strerror(-r));
        STRV_FOREACH (n, names) {
                r = check_layout_name(dir_fd, *n, &has_manifest, &has_root, e);
                if (r < 0)
                        return r;
        }
        if (!has_manifest || !has_root)
                return error_setf(e, -ENODATA, "'%s' is missing; this is no image layout",
                                  has_manifest ? "rootfs" : "manifest");
        fd = openat(dir_fd, "manifest", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return error_setf(e, -errno, "cannot open 'manifest': %m");
        r = fd_read_to_end(fd, JSON_SIZE_MAX, &text, &size);
        if (r < 0)
                return error_setf(e, r, "cannot read 'manifest': %s", strerror(-r));
        return validate_image_manifest(text, size, e);
}

/* Archives by their first bytes, as the standard says; JSON by its first letter. */
static ValidateType detect(const Validation *v) {
        static const struct {
                size_t offset;
                const char *bytes;
        } magics[] = { { 0, "\x1f\x8b" },
                       { 0, "BZh" },
                       { 0, "\xfd"
                            "7zXZ" },
                       { 257, "ustar" } };
        size_t i = 0;

        FOREACH_ARRAY (m, magics, ELEMENTSOF(magics))
                if (v->n_head >= m->offset + strlen(m->bytes) &&
                    memcmp(v->head + m->offset, m->bytes, strlen(m->bytes)) == 0)
                        return VALIDATE_IMAGE;
        while (i < v->n_head && strchr(" \t\r\n", v->head[i]) && v->head[i])
                i++;
        return i < v->n_head && v->head[i] == '{' ? VALIDATE_MANIFEST : VALIDATE_ANY;
}

static int open_input(Validation *v, const char *path, bool *ret_is_dir, Error *e) {
        struct stat st;
        ssize_t n;

        v->fd = streq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (v->fd < 0 || fstat(v->fd, &st) < 0)
                return error_setf(e, -errno, "cannot be opened: %m");
        *ret_is_dir = S_ISDIR(st.st_mode);
        if (*ret_is_dir)
                return 0;
        n = fd_read_full(v->fd, v->head, sizeof(v->head));
        if (n < 0)
                return error_setf(e, (int) n, "cannot be read: %s", strerror((int) -n));
        v->n_head = (size_t) n;
        v->again = lseek(v->fd, -n, SEEK_CUR) >= 0;
        return 0;
}

static int validate(Validation *v, const char *path, ValidateType type, const char **ret_kind, Error *e) {
        _cleanup_free_ char *text = NULL;
        bool is_dir = false;
        size_t size = 0;
        int r = open_input(v, path, &is_dir, e);

        if (r < 0)
                return r;
        if (type == VALIDATE_ANY)
                type = is_dir ? VALIDATE_LAYOUT : detect(v);
        if (is_dir != (type == VALIDATE_LAYOUT))
                return error_setf(e, -EBADMSG, is_dir ? "it is a directory" : "it is no directory");
        if (type == VALIDATE_ANY)
                return error_setf(e, -EBADMSG, "it is neither an archive that rkt reads nor a manifest");
        *ret_kind = type == VALIDATE_LAYOUT ? "image layout" : "app container image";
        if (type == VALIDATE_LAYOUT)
                return validate_layout(v->fd, e);
        if (type == VALIDATE_IMAGE)
                return validate_archive(v, e);
        *ret_kind = "manifest";
        r = read_text(v, &text, &size, e);
        return r < 0 ? r : validate_manifest(text, size, ret_kind, e);
}

/**
 * image_validate() - is this a valid image, layout, image manifest or pod manifest
 * @path:         a file, a directory, or "-" for standard input
 * @type:         what it must be
 * @ret_kind:     what it is, as "pod manifest"
 * @ret_warnings: for strv_free(): what of an archive will not be in its tree; NULL: none. Set on success only
 * @e:            the reason, without the path
 *
 * Return: 0; a negative errno: it is not, or cannot be read.
 */
int image_validate(const char *path, ValidateType type, const char **ret_kind, char ***ret_warnings,
                   Error *e) {
        _cleanup_(validation_done)
                Validation v = { .fd = -EBADF, .in_fd = -EBADF, .frames_fd = -EBADF, .parse = PROCESS_INIT };
        int r = validate(&v, path, type, ret_kind, e);

        if (r >= 0)
                *ret_warnings = TAKE_PTR(v.warnings);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The note of a pod's images. It is written whole, and one that was lost is made anew by the next start. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "pod/pod-note.h"
#include "store/store-ref.h"

#define NOTE_MAX (4U * 1024 * 1024)

/* Changes when a file is replaced or written; "-" for what is no file. */
static char *stamp_of(const char *reference) {
        struct stat st;

        if (*reference != '/' || stat(reference, &st) < 0)
                return strdup("-");
        return strf("%" PRIu64 ":%" PRIu64 ":%" PRIi64 ".%09ld:%" PRIi64, (uint64_t) st.st_dev,
                    (uint64_t) st.st_ino, (int64_t) st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                    (int64_t) st.st_size);
}

/**
 * pod_note_load() - read a pod's note
 * @data_dir:  data directory
 * @name:      of the pod, valid
 * @ret_lines: for strv_free() and pod_note_find()
 *
 * Return: 0, -ENOENT, other errno of reading, -E2BIG, -ENOMEM.
 */
int pod_note_load(const char *data_dir, const char *name, char ***ret_lines) {
        _cleanup_free_ char *path = strf("%s/resolved/%s", data_dir, name), *text = NULL;
        size_t size;
        int r = path ? file_read_at(AT_FDCWD, path, NOTE_MAX, &text, &size) : -ENOMEM;

        return r < 0 ? r : strv_split(text, "\n", ret_lines);
}

/**
 * pod_note_find() - the image that a note has for a reference
 * @lines:     of the note; NULL: none
 * @store:     where the image must still be
 * @reference: as in the pod file
 * @ret_id:    for free(); set with 1
 *
 * Return: 1; 0: it has none, or for the file as it was before, or the store has lost it; -ENOMEM.
 */
int pod_note_find(char *const *lines, Store *store, const char *reference, char **ret_id) {
        _cleanup_free_ char *stamp = stamp_of(reference), *tail = NULL;

        tail = stamp ? strf(" %s %s", stamp, reference) : NULL;
        if (!tail)
                return -ENOMEM;
        for (; lines && *lines; lines++) {
                size_t n = strcspn(*lines, " ");
                _cleanup_free_ char *id = strndup(*lines, n);
                char key[STORE_KEY_MAX];
                StoreImage image = STORE_IMAGE_INIT;
                int r;

                if (!id)
                        return -ENOMEM;
                if (!streq(*lines + n, tail) || store_key_from_id(id, key) < 0)
                        continue;
                r = store_image_load(store, key, &image, NULL);
                store_image_done(&image);
                if (r < 0)
                        continue;
                *ret_id = TAKE_PTR(id);
                return 1;
        }
        return 0;
}

/**
 * pod_note_has_all() - would pod_note_write() write what is there?
 * @lines: of the note
 * @store: where the images must still be
 * @spec:  of the pod
 *
 * Return: whether the note has an image for each app, and nothing else; false also when out of memory.
 */
bool pod_note_has_all(char *const *lines, Store *store, const PodSpec *spec) {
        if (strv_length(lines) != spec->n_apps)
                return false;
        FOREACH_ARRAY (a, spec->apps, spec->n_apps) {
                _cleanup_free_ char *id = NULL;
                char *const line[] = { lines[a - spec->apps], NULL };

                if (pod_note_find(line, store, a->image, &id) <= 0)
                        return false;
        }
        return true;
}

/**
 * pod_note_write() - note a pod's images
 * @data_dir: data directory
 * @name:     of the pod, valid
 * @spec:     of the pod
 * @ids:      one of each app, in their order
 * @e:        sentence on failure
 *
 * It is whole to every reader, but not synced: a power cut may lose it, and the next start makes it anew.
 *
 * Return: 0, -ENOMEM, errno of writing.
 */
int pod_note_write(const char *data_dir, const char *name, const PodSpec *spec, char *const *ids, Error *e) {
        _cleanup_free_ char *dir = strf("%s/resolved", data_dir),
                            *path = strf("%s/resolved/%s", data_dir, name);
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        int r = dir && path ? mkdir_parents_at(AT_FDCWD, dir, 0755) : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < spec->n_apps && ids && ids[i]; i++) {
                _cleanup_free_ char *stamp = stamp_of(spec->apps[i].image);

                if (!stamp)
                        return error_oom(e);
                strbuf_addf(&b, "%s %s %s\n", ids[i], stamp, spec->apps[i].image);
        }
        if (b.failed)
                return error_oom(e);
        if (r >= 0)
                r = file_write_at(AT_FDCWD, path, b.data, b.size, 0644, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot note the pod's images in %s/resolved: %s", data_dir,
                                  strerror(-r))
                     : 0;
}

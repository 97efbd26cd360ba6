/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registering a pod is writing its document (manifest/metadata.h) where the service looks, under a name that only its token
 * leads to. The token is in the pod and in its directory. A lock beside the document goes on to nspawn, as the pod's own does: the
 * kernel takes it back at the pod's end, whatever ended it, and from then on the service does not answer for the pod any more. The
 * files go when a pod is started or put away after that. */
#include "run/metadata.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/hex.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "manifest/metadata.h"
#include "run/manager-bus.h"
#include "run/manager-job.h"
#include "store/store-blob.h"

#define SOCKET_UNIT    "rkt-metadata.socket"
#define URL_FILE       "metadata-url" /* in the pod's directory, for apps that come later */
#define URL_MAX        256U
#define URL_START      "http://127.0.0.1:18112/"
#define START_MAX_USEC UINT64_C(90000000) /* of the socket */

_Static_assert(METADATA_PORT == 18112, "URL_START has the port");

/* The manifests of a pod's images, as kept and parsed. */
typedef struct Images {
        MetadataImage *items;
        char **texts;
        ImageManifest **manifests;
        size_t n;
} Images;

static void images_done(Images *i) {
        for (size_t k = 0; k < i->n; k++) {
                if (i->texts)
                        free(i->texts[k]);
                if (i->manifests)
                        image_manifest_free(i->manifests[k]);
        }
        free(i->texts);
        free(i->manifests);
        free(i->items);
}

/* The pod's own copy: its image may have gone from the store since. An app that is being added has none yet. */
static int load_text(Pod *p, Store *s, const PodApp *a, const char *key, char **ret, size_t *ret_size,
                     Error *e) {
        _cleanup_free_ char *path = strf("appsinfo/%s/manifest", a->name);
        int r = path ? file_read_at(pod_fd(p), path, STORE_MANIFEST_MAX, ret, ret_size) : -ENOMEM;

        if (r == -ENOENT)
                return store_manifest_read(s, key, ret, ret_size, e);
        return r < 0 ? error_setf(e, r, "cannot read %s of pod \"%s\": %s", str_or(path, "a file"),
                                  pod_uuid(p), strerror(-r))
                     : 0;
}

static int load_image(Pod *p, Store *s, const PodApp *a, Images *i, size_t k, Error *e) {
        char key[STORE_KEY_MAX];
        int r;

        if (!a->image.id || store_key_from_id(a->image.id, key) < 0)
                return error_setf(e, -ENODATA, "app '%s' has no image ID", a->name);
        r = load_text(p, s, a, key, &i->texts[k], &i->items[k].text_size, e);
        if (r >= 0)
                r = image_manifest_parse(i->texts[k], i->items[k].text_size, &i->manifests[k], e);
        if (r < 0)
                return error_prefixf(e, r, "app '%s'", a->name);
        i->items[k].text = i->texts[k];
        i->items[k].manifest = i->manifests[k];
        return 0;
}

static int load_images(Pod *p, Store *s, const PodManifest *m, Images *ret, Error *e) {
        int r = 0;

        *ret = (Images){ .items = new0(MetadataImage, m->n_apps),
                         .texts = new0(char *, m->n_apps),
                         .manifests = new0(ImageManifest *, m->n_apps),
                         .n = m->n_apps };
        if (!ret->items || !ret->texts || !ret->manifests)
                return error_oom(e);
        for (size_t k = 0; k < m->n_apps && r >= 0; k++)
                r = load_image(p, s, &m->apps[k], ret, k, e);
        return r;
}

static int make_token(char ret[METADATA_NAME_MAX]) {
        uint8_t bytes[METADATA_TOKEN_DIGITS / 2];

        if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t) sizeof(bytes))
                return -EIO;
        hex_from_bytes(bytes, sizeof(bytes), ret);
        ret[METADATA_TOKEN_DIGITS] = '\0';
        return 0;
}

/* Somebody serves already: the unit, or an administrator by hand. */
static bool is_served(void) {
        const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = METADATA_SOCKET };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return fd >= 0 && connect(fd, (const struct sockaddr *) &address, sizeof(address)) >= 0;
}

static int start_unit(sd_bus *bus, ManagerJob *j) {
        _cleanup_bus_reply_ sd_bus_message *reply = NULL;
        int r = manager_job_watch(j, bus, NULL);

        j->deadline = clock_usec(CLOCK_MONOTONIC) + START_MAX_USEC;
        if (r >= 0)
                r = sd_bus_call_method(bus, NULL, SYSTEMD_BUS_PATH, SYSTEMD_BUS_MANAGER, "StartUnit", NULL,
                                       &reply, "ss", SOCKET_UNIT, "replace");
        return r < 0 ? r : manager_job_wait(j, bus, reply);
}

static int start_service(Error *e) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_free_ char *state = NULL;
        ManagerJob j = MANAGER_JOB_INIT;
        int r = manager_bus_open(&bus);

        if (r >= 0)
                r = manager_bus_unit_property(bus, SOCKET_UNIT, "Unit", "ActiveState", &state);
        if (r >= 0 && streq(state, "active"))
                return 0;
        if (r >= 0)
                r = start_unit(bus, &j);
        if (r >= 0 && !streq_ptr(j.result, "done"))
                r = -EADDRINUSE;
        manager_job_done(&j);
        if (r >= 0 || is_served())
                return 0;
        return error_setf(e, r, "the metadata service cannot be started (%s): systemctl status " SOCKET_UNIT,
                          strerror(-r));
}

static int open_directory(Error *e) {
        int fd = open(METADATA_PODS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? error_setf(e, -errno, "cannot open %s: %s (systemd-tmpfiles --create makes it)",
                                   METADATA_PODS_DIR, strerror(errno))
                      : fd;
}

/* Readable by the service, which is the directory's group. */
static int make_file(int dir_fd, const char *text, size_t size, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r = tmpfile_open_at(dir_fd, 0640, &fd);

        if (r < 0)
                return r;
        if (fstat(dir_fd, &st) < 0 || fchown(fd, 0, st.st_gid) < 0)
                return -errno;
        r = fd_write_all(fd, text, size);
        if (r >= 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

/* Has no name before it is locked. It stays open: nspawn has it until it ends. */
static int make_lock(int dir_fd, const char *token) {
        char name[METADATA_NAME_MAX], lock[METADATA_NAME_MAX + sizeof(METADATA_LOCK)];
        _cleanup_close_ int fd = -EBADF;
        int r = metadata_file_name(token, name);

        if (r >= 0)
                r = make_file(dir_fd, "", 0, &fd);
        if (r >= 0)
                r = RET_NERRNO(flock(fd, LOCK_EX | LOCK_NB));
        if (r < 0)
                return r;
        (void) snprintf(lock, sizeof(lock), "%s" METADATA_LOCK, name);
        r = tmpfile_link_at(fd, dir_fd, lock, FILE_WRITE_NO_SYNC | FILE_WRITE_NO_REPLACE);
        if (r >= 0)
                r = fd_cloexec(fd, 0);
        if (r >= 0)
                (void) TAKE_FD(fd);
        return r;
}

static int write_document(int dir_fd, const char *token, Pod *p, const PodManifest *m, Store *s, Error *e) {
        _cleanup_(images_done) Images images = {};
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        char name[METADATA_NAME_MAX];
        size_t size = 0;
        int r = load_images(p, s, m, &images, e);

        if (r < 0)
                return r;
        r = metadata_write(pod_uuid(p), m, images.items, &text, &size);
        if (r >= 0)
                r = metadata_file_name(token, name);
        if (r >= 0)
                r = make_file(dir_fd, text, size, &fd);
        if (r >= 0)
                r = tmpfile_link_at(fd, dir_fd, name, FILE_WRITE_NO_SYNC);
        return r < 0 ? error_setf(e, r, "cannot tell the metadata service of the pod: %s", strerror(-r)) : 0;
}

/**
 * metadata_register() - let the apps of a pod ask the metadata service
 * @p:       pod, locked
 * @m:       its manifest
 * @s:       store
 * @ret_url: AC_METADATA_URL, for free(): of the host's loopback, which is the pod's as well where the pod has a forwarder
 * @e:       sentence on failure; may be NULL
 *
 * It counts as long as this process, and what it executes, lives. Starts the service's socket if need be.
 *
 * Return: 0; -ENODATA: an app without image; errors of the store, of systemd and of files.
 */
int metadata_register(Pod *p, const PodManifest *m, Store *s, char **ret_url, Error *e) {
        _cleanup_close_ int dir = -EBADF;
        _cleanup_free_ char *url = NULL;
        char token[METADATA_NAME_MAX];
        int r = make_token(token);

        if (r < 0)
                return error_setf(e, r, "cannot make a token: %s", strerror(-r));
        url = strf(URL_START "%s", token);
        if (!url)
                return error_oom(e);
        metadata_clean();
        r = start_service(e);
        if (r < 0)
                return r;
        dir = open_directory(e);
        if (dir < 0)
                return dir;
        r = make_lock(dir, token);
        if (r >= 0)
                r = file_write_at(pod_fd(p), URL_FILE, url, strlen(url), 0600, FILE_WRITE_NO_SYNC);
        if (r < 0)
                return error_setf(e, r, "cannot tell the metadata service of the pod: %s", strerror(-r));
        r = write_document(dir, token, p, m, s, e);
        if (r >= 0)
                *ret_url = TAKE_PTR(url);
        return r;
}

/**
 * metadata_url() - what metadata_register() gave a running pod
 * @p:   pod
 * @ret: AC_METADATA_URL, for free()
 *
 * Return: 0; -ENOENT: nothing; errors of reading.
 */
int metadata_url(Pod *p, char **ret) {
        size_t size;

        return file_read_at(pod_fd(p), URL_FILE, URL_MAX, ret, &size);
}

/**
 * metadata_update() - tell the service of another app
 * @p: running pod
 * @m: its manifest now
 * @s: store, with the images
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, also if the service does not know the pod; errors of the store and of files.
 */
int metadata_update(Pod *p, const PodManifest *m, Store *s, Error *e) {
        _cleanup_close_ int dir = -EBADF;
        _cleanup_free_ char *url = NULL;
        const char *token;

        if (metadata_url(p, &url) < 0)
                return 0;
        token = startswith(url, URL_START);
        if (!token || strlen(token) != METADATA_TOKEN_DIGITS)
                return error_setf(e, -EBADMSG, "pod \"%s\": its '" URL_FILE "' is damaged", pod_uuid(p));
        dir = open_directory(e);
        return dir < 0 ? dir : write_document(dir, token, p, m, s, e);
}

static void clean_one(int dir_fd, const char *lock) {
        _cleanup_close_ int fd = openat(dir_fd, lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ char *name = strndup(lock, strlen(lock) - strlen(METADATA_LOCK));

        if (fd < 0 || !name || flock(fd, LOCK_SH | LOCK_NB) < 0)
                return;
        (void) unlinkat(dir_fd, name, 0);
        (void) unlinkat(dir_fd, lock, 0);
}

/**
 * metadata_clean() - remove the documents of pods that have ended
 */
void metadata_clean(void) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int dir = open_directory(NULL);

        if (dir < 0 || dir_list_at(dir, ".", &names) < 0)
                return;
        STRV_FOREACH (n, names)
                if (endswith(*n, METADATA_LOCK))
                        clean_one(dir, *n);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registering a pod is writing its document (manifest/metadata.h) where the service looks, under a name that only its token
 * leads to. The token is in the pod and nowhere else. The document's lock goes on to nspawn, as the pod's own does: the kernel
 * takes it back at the pod's end, whatever ended it, and from then on the service does not answer for the pod any more. The file
 * goes when a pod is started or put away after that. */
#include "run/metadata.h"

#include <fcntl.h>
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

#define SOCKET_UNIT "rkt-metadata.socket"

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

static int load_image(Store *s, const PodApp *a, Images *i, size_t k, Error *e) {
        char key[STORE_KEY_MAX];
        int r;

        if (!a->image.id || store_key_from_id(a->image.id, key) < 0)
                return error_setf(e, -ENODATA, "app '%s' has no image ID", a->name);
        r = store_manifest_read(s, key, &i->texts[k], &i->items[k].text_size, e);
        if (r >= 0)
                r = image_manifest_parse(i->texts[k], i->items[k].text_size, &i->manifests[k], e);
        if (r < 0)
                return error_prefixf(e, r, "app '%s'", a->name);
        i->items[k].text = i->texts[k];
        i->items[k].manifest = i->manifests[k];
        return 0;
}

static int load_images(Store *s, const PodManifest *m, Images *ret, Error *e) {
        int r = 0;

        *ret = (Images){ .items = new0(MetadataImage, m->n_apps),
                         .texts = new0(char *, m->n_apps),
                         .manifests = new0(ImageManifest *, m->n_apps),
                         .n = m->n_apps };
        if (!ret->items || !ret->texts || !ret->manifests)
                return error_oom(e);
        for (size_t k = 0; k < m->n_apps && r >= 0; k++)
                r = load_image(s, &m->apps[k], ret, k, e);
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

/* Readable by the service, which is the directory's group. Locked before it has a name. */
static int write_document(int dir_fd, const char *name, const char *text, size_t size, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r = tmpfile_open_at(dir_fd, 0640, &fd);

        if (r < 0)
                return r;
        if (fstat(dir_fd, &st) < 0 || fchown(fd, 0, st.st_gid) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        r = fd_write_all(fd, text, size);
        if (r >= 0)
                r = tmpfile_link_at(fd, dir_fd, name, FILE_WRITE_NO_SYNC | FILE_WRITE_NO_REPLACE);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int register_document(const char *token, const char *text, size_t size, Error *e) {
        _cleanup_close_ int dir = -EBADF, fd = -EBADF;
        char name[METADATA_NAME_MAX];
        int r;

        dir = open(METADATA_PODS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0)
                return error_setf(e, -errno, "cannot open %s: %s (systemd-tmpfiles --create makes it)",
                                  METADATA_PODS_DIR, strerror(errno));
        r = metadata_file_name(token, name);
        if (r >= 0)
                r = write_document(dir, name, text, size, &fd);
        if (r >= 0)
                r = fd_cloexec(fd, 0);
        if (r < 0)
                return error_setf(e, r, "cannot write to %s: %s", METADATA_PODS_DIR, strerror(-r));
        (void) TAKE_FD(fd); /* nspawn's, until it ends */
        return 0;
}

/**
 * metadata_register() - let the apps of a pod ask the metadata service
 * @uuid:    of the pod
 * @m:       its manifest, whose images are in the store
 * @s:       store
 * @ret_url: AC_METADATA_URL, for free(): of the host's loopback, which is the pod's as well where the pod has a forwarder
 * @e:       sentence on failure; may be NULL
 *
 * It counts as long as this process, and what it executes, lives. Starts the service's socket if need be.
 *
 * Return: 0; -ENODATA: an app without image; errors of the store, of systemd and of files.
 */
int metadata_register(const char *uuid, const PodManifest *m, Store *s, char **ret_url, Error *e) {
        _cleanup_(images_done) Images images = {};
        _cleanup_free_ char *text = NULL, *url = NULL;
        char token[METADATA_NAME_MAX];
        size_t size = 0;
        int r = load_images(s, m, &images, e);

        if (r < 0)
                return r;
        r = metadata_write(uuid, m, images.items, &text, &size);
        if (r >= 0)
                r = make_token(token);
        if (r < 0)
                return error_setf(e, r, "cannot tell the metadata service of the pod: %s", strerror(-r));
        url = strf("http://127.0.0.1:%d/%s", METADATA_PORT, token);
        if (!url)
                return error_oom(e);
        metadata_clean();
        r = start_service(e);
        if (r >= 0)
                r = register_document(token, text, size, e);
        if (r >= 0)
                *ret_url = TAKE_PTR(url);
        return r;
}

/**
 * metadata_clean() - remove the documents of pods that have ended
 */
void metadata_clean(void) {
        _cleanup_strv_free_ char **names = NULL;
        _cleanup_close_ int dir = open(METADATA_PODS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (dir < 0 || dir_list_at(dir, ".", &names) < 0)
                return;
        STRV_FOREACH (n, names) {
                _cleanup_close_ int fd = openat(dir, *n, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

                if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) >= 0)
                        (void) unlinkat(dir, *n, 0);
        }
}

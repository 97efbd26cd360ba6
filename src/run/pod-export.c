/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root of an app of a pod that has ended becomes an ACI: what its image had, and what the app wrote. The pod's mounts died with
 * it, so an overlay is mounted once more, in a mount namespace of ours; a copied root is read where it lies. Volumes are not in
 * it. */
#include "run/pod-export.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/output-file.h"
#include "manifest/image-manifest.h"
#include "pod/pod-compose.h"
#include "run/app-mount.h"
#include "store/gzip.h"
#include "store/tar-tree.h"

#define MANIFEST_MAX (4 * 1024 * 1024)

typedef struct PodExport {
        Pod *pod;
        Store *store;
        const PodManifest *manifest;
        const PodApp *app;
        char *image_manifest;
        int root;
} PodExport;

static void pod_export_done(PodExport *x) {
        free(x->image_manifest);
        (void) fd_close(x->root);
}

/* The image's own, without what has been resolved: its dependencies are in the root now. */
static int load_manifest(PodExport *x, Error *e) {
        _cleanup_free_ char *path = strf("appsinfo/%s/manifest", x->app->name), *text = NULL;
        _cleanup_(image_manifest_freep) ImageManifest *m = NULL;
        size_t size;
        int r = path ? file_read_at(pod_fd(x->pod), path, MANIFEST_MAX, &text, &size) : -ENOMEM;

        if (r < 0)
                return error_setf(e, r, "cannot read the manifest of the app's image: %s", strerror(-r));
        r = image_manifest_parse(text, size, &m, e);
        if (r < 0)
                return r;
        image_manifest_flatten(m);
        return image_manifest_to_string(m, &x->image_manifest) < 0 ? error_oom(e) : 0;
}

static int enter_namespace(Error *e) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
                return error_setf(e, -errno, "cannot make a mount namespace: %s", strerror(errno));
        return 0;
}

/* The pod's directory is opened again: descriptors from before belong to the mounts that were left. */
static int open_root(PodExport *x, Error *e) {
        _cleanup_free_ char *path = NULL, *place = strf("stage1/rootfs/opt/stage2/%s/rootfs", x->app->name);
        _cleanup_close_ int pod = -EBADF, stage1 = -EBADF;
        static const Userns nobody =
                USERNS_INIT; /* on disk a pod's files have the numbers that they have in it */
        AppMountContext c = { .store = x->store, .pod = x->pod, .users = &nobody };

        if (!place || pod_path(x->pod, NULL, &path) < 0)
                return error_oom(e);
        pod = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        stage1 = pod < 0 ? -1 : openat(pod, "stage1/rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (stage1 < 0)
                return errno == ENOENT ? error_setf(e, -ENOENT, "the pod never got so far as to have a root")
                                       : error_setf(e, -errno, "cannot open %s: %s", path, strerror(errno));
        if (!streq_ptr(pod_manifest_annotation(x->manifest, POD_ANNOTATION_OVERLAY), "no")) {
                c.pod_fd = pod;
                c.stage1_fd = stage1;
                return app_mount_root(&c, x->app->name, &x->root, e);
        }
        /* the pod may have put links on the way */
        x->root = open_resolved(pod, place, O_RDONLY | O_DIRECTORY, 0,
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        return x->root < 0 ? error_setf(e, x->root, "cannot open %s/%s: %s", path, place, strerror(-x->root))
                           : 0;
}

static int write_archive(const PodExport *x, TarSink sink, void *userdata, Error *e) {
        _cleanup_(tar_writer_freep) TarWriter *w = NULL;
        int r = tar_writer_new("rootfs", sink, userdata, &w, e);

        if (r >= 0)
                r = tar_writer_text(w, "manifest", x->image_manifest, strlen(x->image_manifest), e);
        if (r >= 0)
                r = tar_writer_tree(w, x->root, e);
        return r < 0 ? r : tar_writer_finish(w, e);
}

static int write_all(void *userdata, int fd, Error *e) {
        _cleanup_(gzip_freep) Gzip *g = NULL;
        int r = gzip_new(output_sink, &fd, &g, e);

        if (r >= 0)
                r = write_archive(userdata, gzip_push, g, e);
        return r < 0 ? r : gzip_finish(g, e);
}

/**
 * pod_export() - the root of an app as an image
 * @p:         pod that has ended, locked by us
 * @s:         store with the pod's images
 * @m:         its manifest
 * @a:         the app, of @m
 * @path:      file that is made
 * @overwrite: what is there goes away; else it is an error
 * @e:         sentence on failure; may be NULL
 *
 * This process has one thread, and is in another mount namespace afterwards.
 *
 * Return: 0; -EEXIST; -ENOENT: it never ran; what app_mount_root() and tar_writer_tree() return; errno of writing.
 */
int pod_export(Pod *p, Store *s, const PodManifest *m, const PodApp *a, const char *path, bool overwrite,
               Error *e) {
        _cleanup_(pod_export_done)
                PodExport x = { .pod = p, .store = s, .manifest = m, .app = a, .root = -EBADF };
        int r = load_manifest(&x, e);

        if (r >= 0)
                r = enter_namespace(e);
        if (r >= 0)
                r = open_root(&x, e);
        if (r < 0)
                return error_prefixf(e, r, "app '%s'", a->name);
        return output_file_write(path, "target file", overwrite, write_all, &x, e);
}

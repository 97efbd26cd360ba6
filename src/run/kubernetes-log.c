/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The app writes into two named pipes, those of rkt-log@APP.socket, from which helper/kubernetes-log.c copies. */
#include "run/kubernetes-log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/mount-fd.h"
#include "basic/strv.h"
#include "run/unit-text.h"

#define ANNOTATION "coreos.com/rkt/experiment/"

/**
 * kubernetes_log_dir() - where the log files of a pod's apps are
 * @m: manifest
 *
 * Return: a path of the host; NULL: there are none.
 */
const char *kubernetes_log_dir(const PodManifest *m) {
        const char *mode = pod_manifest_annotation(m, ANNOTATION "logmode");

        return streq_ptr(mode, "k8s-plain") ? pod_manifest_annotation(m, ANNOTATION "kubernetes-log-dir")
                                            : NULL;
}

/**
 * kubernetes_log_path() - the log file of an app
 * @a: app
 *
 * Return: its path in the pod's directory of log files; NULL: it has none.
 */
const char *kubernetes_log_path(const PodApp *a) {
        return pod_app_annotation(a, ANNOTATION "kubernetes-log-path");
}

/**
 * kubernetes_log_check() - can this be the path of a log file?
 * @a: app
 * @e: sentence on failure; may be NULL
 *
 * Directories in it are fine, as a kubelet makes them; ".." is not.
 *
 * Return: 0, also if there is none; -EINVAL, -ENOMEM.
 */
int kubernetes_log_check(const PodApp *a, Error *e) {
        const char *path = kubernetes_log_path(a);
        _cleanup_strv_free_ char **parts = NULL;

        if (!path)
                return 0;
        if (strv_split(path, "/", &parts) < 0)
                return error_oom(e);
        if (!*path || *path == '/' || endswith(path, "/") || strv_contains(parts, "..") ||
            strv_contains(parts, "."))
                return error_setf(
                        e, -EINVAL,
                        "app '%s': kubernetes-log-path '%s' is no path in the directory of log files",
                        a->name, path);
        return 0;
}

static void service_text(const PodApp *a, StrBuf *b) {
        strbuf_addf(b,
                    "[Unit]\nDescription=From %s to its log file\nDefaultDependencies=no\n"
                    "IgnoreOnIsolate=yes\nStartLimitIntervalSec=0\n\n"
                    "[Service]\nSlice=system.slice\nExecStart=:/rkt/bin/rkt-enter kubernetes-log ",
                    a->name);
        unit_text_quote(b, kubernetes_log_path(a));
        strbuf_add(b, "\nStandardOutput=null\nNoNewPrivileges=yes\nCapabilityBoundingSet=CAP_DAC_OVERRIDE\n"
                      "OOMScoreAdjust=-250\n");
}

/**
 * kubernetes_log_units() - the units of the program that writes an app's log file
 * @a:         app with a log file
 * @ret_names: names; free with strv_free()
 * @ret_texts: their texts, in the same order; free with strv_free()
 *
 * Return: 0, -ENOMEM.
 */
int kubernetes_log_units(const PodApp *a, char ***ret_names, char ***ret_texts) {
        _cleanup_strv_free_ char **names = NULL, **texts = NULL;
        StrBuf b = STRBUF_INIT;
        char *text;
        int r = strv_extendf(&names, "rkt-log@%s.socket", a->name);

        if (r >= 0)
                r = strv_extendf(&names, "rkt-log@%s.service", a->name);
        if (r >= 0)
                r = strv_extendf(
                        &texts,
                        "[Unit]\nDescription=Output of %s\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\n"
                        "[Socket]\nListenFIFO=/rkt/stdio/%s.out\nListenFIFO=/rkt/stdio/%s.err\n"
                        "Slice=system.slice\nSocketMode=0622\nRemoveOnStop=yes\nTriggerLimitIntervalSec=0\n",
                        a->name, a->name, a->name);
        service_text(a, &b);
        if (r >= 0)
                r = strbuf_steal(&b, &text);
        if (r >= 0)
                r = strv_consume(&texts, text);
        strbuf_done(&b);
        if (r < 0)
                return r;
        *ret_names = TAKE_PTR(names);
        *ret_texts = TAKE_PTR(texts);
        return 0;
}

static int open_dir(const PodManifest *m, Error *e) {
        const char *path = kubernetes_log_dir(m);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? error_setf(e, -errno, "cannot open the directory of log files %s: %s", path,
                                   strerror(errno))
                      : fd;
}

/**
 * kubernetes_log_mount() - let a pod write to its directory of log files
 * @m:         manifest
 * @stage1_fd: root of the stage1 root, in a mount namespace of this process's own
 * @map_fd:    user namespace that maps its files to the pod's private users; negative: none
 * @e:         sentence on failure; may be NULL
 *
 * Return: 0, also if it has none; errno of open() and of mounting.
 */
int kubernetes_log_mount(const PodManifest *m, int stage1_fd, int map_fd, Error *e) {
        _cleanup_close_ int dir = -EBADF, tree = -EBADF, place = -EBADF;
        int r;

        if (!kubernetes_log_dir(m))
                return 0;
        dir = open_dir(m, e);
        if (dir < 0)
                return dir;
        r = place = root_mkdirs(stage1_fd, KUBERNETES_LOG_PLACE, 0755);
        if (r >= 0)
                r = mount_clone(dir, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, &tree);
        if (r >= 0 && map_fd >= 0)
                r = mount_map(tree, map_fd, false);
        if (r >= 0)
                r = mount_move(tree, place);
        return r < 0 ? error_setf(e, r, "cannot mount the directory of log files: %s", strerror(-r)) : 0;
}

/**
 * kubernetes_log_create() - begin an app's log file
 * @m: manifest of its pod
 * @a: app
 * @e: sentence on failure; may be NULL
 *
 * An old one is emptied.
 *
 * Return: 0, also if it has none; -EXDEV, -ELOOP (links on the way), other errno of open().
 */
int kubernetes_log_create(const PodManifest *m, const PodApp *a, Error *e) {
        _cleanup_close_ int dir = -EBADF, fd = -EBADF;
        const char *path = kubernetes_log_path(a);

        if (!kubernetes_log_dir(m) || !path)
                return 0;
        dir = open_dir(m, e);
        if (dir < 0)
                return dir;
        fd = open_resolved(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK, 0640,
                           RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        return fd < 0 ? error_setf(e, fd, "cannot make the log file %s/%s: %s", kubernetes_log_dir(m), path,
                                   strerror(-fd))
                      : 0;
}

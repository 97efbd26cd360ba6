/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What verbs that remove images have in common. */
#include "verbs/image-lock.h"

#include "basic/fd.h"
#include "basic/log.h"
#include "verbs/pod-info.h"

/**
 * image_lock() - lock the store exclusively, and look what pods need of it
 * @store:     opened for writing
 * @data_dir:  --dir
 * @ret_fd:    closing it ends the lock
 * @ret_trees: for pod_trees_done(); as long as the lock is held no pod is added
 * @e:         sentence on failure; may be NULL
 *
 * Says whom it waits for.
 *
 * Return: 0, -EBUSY, what store_lock() and pod_trees_load() return.
 */
int image_lock(Store *store, const char *data_dir, int *ret_fd, PodTrees *ret_trees, Error *e) {
        _cleanup_error_ Error busy = ERROR_INIT;
        _cleanup_(pods_closep) Pods *ps = NULL;
        _cleanup_close_ int lock = -EBADF;
        int r = pods_open_for(data_dir, &ps, e);

        if (r < 0)
                return r;
        r = store_lock(store, LOCK_MODE_EXCLUSIVE, 0, &lock, &busy);
        if (r == -EBUSY) {
                _cleanup_free_ char *holder = NULL;

                if (store_lock_holder(store, &holder) >= 0)
                        log_info("waiting for %s", holder);
                r = store_lock(store, LOCK_MODE_EXCLUSIVE, 1, &lock, e);
        } else if (r < 0)
                r = error_setf(e, r, "%s", error_text(&busy, r));
        if (r >= 0)
                r = pod_trees_load(ps, ret_trees, e);
        if (r >= 0)
                *ret_fd = TAKE_FD(lock);
        return MIN(r, 0);
}

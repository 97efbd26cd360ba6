/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt-request.socket has a number of connections for everybody together: one member must not hold them all. Each has slots,
 * locked files UID.SLOT: a lock goes with the process that holds it, however that ends. */
#include "helper/request-slot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "basic/fd.h"
#include "basic/lock.h"
#include "basic/str.h"

/**
 * request_slot_take() - be one of the requests of a user
 * @dir:    directory of the locks, root's alone
 * @uid:    who asks
 * @ret_fd: closing it ends it
 * @e:      sentence on failure, for who asked; may be NULL
 *
 * Return: 0, -EBUSY (REQUEST_SLOTS_MAX are under way), -ENOMEM, errno of open() and flock().
 */
int request_slot_take(const char *dir, uid_t uid, int *ret_fd, Error *e) {
        for (unsigned i = 0; i < REQUEST_SLOTS_MAX; i++) {
                _cleanup_free_ char *path = strf("%s/%u.%u", dir, (unsigned) uid, i);
                int r = path ? lock_file_at(AT_FDCWD, path, LOCK_MODE_EXCLUSIVE, 0, ret_fd) : -ENOMEM;

                if (r != -EBUSY)
                        return r < 0 ? error_setf(e, r, "cannot lock a file in %s: %s", dir, strerror(-r))
                                     : 0;
        }
        return error_setf(e, -EBUSY,
                          "%u requests of yours are under way already; try again when one of them has ended",
                          REQUEST_SLOTS_MAX);
}

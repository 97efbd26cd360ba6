/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a pod has ended, somebody takes its networks away: the rkt that waited for it, or the start of another pod. That one has
 * the lock meanwhile, which looks as if the pod ran. It is short work, so who wants the pod waits for it. */
#include "pod/pod-settle.h"

#include <errno.h>
#include <time.h>

#include "pod/pod-internal.h"

#define TRIES     1000
#define STEP_NSEC 10000000L

static const struct timespec step = { .tv_nsec = STEP_NSEC };

/* One that starts has no process yet, or its own. */
static bool is_tidied(Pod *p) {
        return p->directory == POD_DIRECTORY_RUN && pod_process_is_gone(p);
}

/**
 * pod_settle() - wait, for some seconds, until the state of a pod is more than a moment's
 * @p: pod; its state is looked at again
 */
void pod_settle(Pod *p) {
        for (unsigned i = 0; i < TRIES && !p->locked; i++) {
                if (pod_refresh(p) < 0 || p->state != POD_RUNNING || !is_tidied(p))
                        return;
                (void) nanosleep(&step, NULL);
        }
}

/**
 * pod_settle_now() - what a pod is whose state was looked at while somebody tidied up after it: not running
 * @p: pod; its state becomes exited
 */
void pod_settle_now(Pod *p) {
        if (!p->locked && p->state == POD_RUNNING && is_tidied(p))
                p->state = POD_EXITED;
}

/**
 * pod_settle_lock() - pod_lock(), with patience for those who tidy up after a pod that has ended
 * @p: pod; its place is looked at again
 * @e: says who may hold it
 *
 * Return: what pod_lock() returns.
 */
int pod_settle_lock(Pod *p, Error *e) {
        for (unsigned i = 0; i < TRIES; i++) {
                if (pod_lock(p, NULL) != -EBUSY || !is_tidied(p))
                        break;
                (void) nanosleep(&step, NULL);
        }
        return pod_lock(p, e);
}

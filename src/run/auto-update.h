/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recipe of `rkt auto-update` for one pod: look what its references give now, note the new images, restart the unit, and
 * go back to the old ones if it does not get ready.
 *
 * It can be killed at any moment: before the note is changed, what is about to happen is on the disk, and the next run
 * finishes it or takes it back. Who restarts units and who asks registries is the caller's: tests have others. */
#pragma once

#include <stdbool.h>

#include "podfile/pod-spec.h"
#include "store/store.h"

typedef enum UpdateResult {
        UPDATE_UNCHANGED,
        UPDATE_DONE,
        UPDATE_PENDING,     /* there is another image, and it was not put in place */
        UPDATE_ROLLED_BACK, /* the pod did not get ready with it, and runs with the one before */
        UPDATE_FAILED,
        _UPDATE_RESULT_MAX,
        _UPDATE_RESULT_INVALID = -EINVAL,
} UpdateResult;

/* What a unit does, as far as it counts here. */
typedef enum UpdateUnit {
        UPDATE_UNIT_RUNS,
        UPDATE_UNIT_RESTS,
        UPDATE_UNIT_FAILED, /* or is starting */
} UpdateUnit;

/* One image that the pod uses. */
typedef struct UpdateApp {
        char *name;      /* of the app; the first, if several use the image */
        char *reference; /* as in the pod file */
        char *before;    /* ID that the pod runs with, or would be started with; NULL: not known */
        char *after;     /* ID that the reference gives now; NULL: not known */
        UpdateResult result;
        char *message; /* a sentence about the result; NULL: there is nothing to say */
} UpdateApp;

typedef struct UpdateReport {
        bool runs; /* the pod does, or was started to finish an update; of another one nothing is asked */
        UpdateApp *apps;
        size_t n_apps;
} UpdateReport;

typedef struct UpdateOps {
        /* The unit of a pod. Negative errno: it cannot be asked. */
        int (*unit)(void *userdata, const char *pod, UpdateUnit *ret, Error *e);
        /* The image that an app of a running pod was started with; *ret NULL: it is not known. */
        int (*running)(void *userdata, const char *pod, const char *app, char **ret, Error *e);
        /* Restarts it and waits until it is ready; negative errno: it is not. */
        int (*restart)(void *userdata, const char *pod, Error *e);
        /* The digest that leads to an image of the store in its registry; *ret NULL: it is of none. */
        int (*digest)(void *userdata, const char *id, char **ret, Error *e);
        /* Does the reference lead to another digest now? 1, 0, -EOPNOTSUPP: cannot be told without getting it. */
        int (*changed)(void *userdata, const PodSpec *spec, const char *reference, const char *digest,
                       Error *e);
        /* Gets what the reference leads to, unless it is here. */
        int (*get)(void *userdata, const PodSpec *spec, const char *reference, char **ret_id, Error *e);
        void *userdata;
} UpdateOps;

typedef struct UpdateOptions {
        const char *data_dir;
        Store *store;
        bool dry_run;     /* look only */
        bool no_rollback; /* leave the pod as it is when it does not get ready */
        UpdateOps ops;
} UpdateOptions;

int auto_update_pod(const UpdateOptions *o, const PodSpec *spec, UpdateReport *ret, Error *e);
void update_report_done(UpdateReport *r);
const char *update_result_to_string(UpdateResult r);

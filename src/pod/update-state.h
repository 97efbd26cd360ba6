/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What automatic updates of a pod remember, DATADIR/auto-update/NAME: the update that is under way, so that one that was
 * killed is finished or taken back by the next, and the images that the pod did not get ready with, so that they are not
 * tried again until the reference gives another. Lines; one that is not understood counts as absent. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "basic/alloc.h"
#include "basic/error.h"

typedef struct UpdateStep {
        char *reference;
        char *before, *after; /* IDs */
} UpdateStep;

typedef struct UpdateHeld {
        char *reference;
        char *id;
        char *digest; /* that the reference had in its registry; NULL: it is in none */
} UpdateHeld;

typedef struct UpdateState {
        UpdateStep *steps; /* NULL: nothing is under way */
        size_t n_steps;
        UpdateHeld *held; /* one of a reference at most */
        size_t n_held;
} UpdateState;

#define _cleanup_update_state_ _cleanup_(update_state_done)

int update_state_load(const char *data_dir, const char *name, UpdateState *ret, Error *e);
int update_state_write(const char *data_dir, const char *name, const UpdateState *s, Error *e);
void update_state_done(UpdateState *s);
int update_state_add_step(UpdateState *s, const char *reference, const char *before, const char *after);
void update_state_clear_steps(UpdateState *s);
const UpdateStep *update_state_step(const UpdateState *s, const char *reference);
int update_state_hold(UpdateState *s, const char *reference, const char *id, const char *digest);
void update_state_release(UpdateState *s, const char *reference);
const UpdateHeld *update_state_held(const UpdateState *s, const char *reference);

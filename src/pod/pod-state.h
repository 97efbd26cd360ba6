/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a pod: in which directory it lies, and whether somebody holds its lock. */
#pragma once

#include <stdbool.h>

#include "basic/macro.h"

/* A pod's place; it only ever moves forward in this order. */
typedef enum PodDirectory {
        POD_DIRECTORY_EMBRYO,
        POD_DIRECTORY_PREPARE,
        POD_DIRECTORY_PREPARED,
        POD_DIRECTORY_RUN,
        POD_DIRECTORY_EXITED_GARBAGE,
        POD_DIRECTORY_GARBAGE,
        _POD_DIRECTORY_MAX,
        _POD_DIRECTORY_INVALID = -EINVAL,
} PodDirectory;

typedef enum PodState {
        POD_EMBRYO,
        POD_PREPARING,
        POD_ABORTED_PREPARE,
        POD_PREPARED,
        POD_RUNNING,
        POD_EXITED,
        POD_EXITED_GARBAGE,
        POD_EXITED_DELETING,
        POD_GARBAGE,
        POD_DELETING,
        _POD_STATE_MAX,
        _POD_STATE_INVALID = -EINVAL,
} PodState;

const char *pod_directory_to_string(PodDirectory d);
const char *pod_state_to_string(PodState s);
PodState pod_state_from_place(PodDirectory d, bool locked);
bool pod_move_is_legal(PodDirectory from, PodDirectory to);

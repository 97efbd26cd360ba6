/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of places and states. */
#include "pod/pod-state.h"

static const char *const directory_names[_POD_DIRECTORY_MAX] = {
        [POD_DIRECTORY_EMBRYO] = "embryo",
        [POD_DIRECTORY_PREPARE] = "prepare",
        [POD_DIRECTORY_PREPARED] = "prepared",
        [POD_DIRECTORY_RUN] = "run",
        [POD_DIRECTORY_EXITED_GARBAGE] = "exited-garbage",
        [POD_DIRECTORY_GARBAGE] = "garbage",
};

static const char *const state_names[_POD_STATE_MAX] = {
        [POD_EMBRYO] = "embryo",
        [POD_PREPARING] = "preparing",
        [POD_ABORTED_PREPARE] = "aborted prepare",
        [POD_PREPARED] = "prepared",
        [POD_RUNNING] = "running",
        [POD_EXITED] = "exited",
        [POD_EXITED_GARBAGE] = "exited garbage",
        [POD_EXITED_DELETING] = "exited deleting",
        [POD_GARBAGE] = "garbage",
        [POD_DELETING] = "deleting",
};

static const struct {
        PodState unlocked, locked;
} states[_POD_DIRECTORY_MAX] = {
        [POD_DIRECTORY_EMBRYO] = { POD_EMBRYO, POD_EMBRYO },
        [POD_DIRECTORY_PREPARE] = { POD_ABORTED_PREPARE, POD_PREPARING },
        [POD_DIRECTORY_PREPARED] = { POD_PREPARED, POD_PREPARED },
        [POD_DIRECTORY_RUN] = { POD_EXITED, POD_RUNNING },
        [POD_DIRECTORY_EXITED_GARBAGE] = { POD_EXITED_GARBAGE, POD_EXITED_DELETING },
        [POD_DIRECTORY_GARBAGE] = { POD_GARBAGE, POD_DELETING },
};

/**
 * pod_directory_to_string() - name of a directory below DATADIR/pods
 * @d: valid
 *
 * Return: a static string.
 */
const char *pod_directory_to_string(PodDirectory d) {
        return directory_names[d];
}

/**
 * pod_state_to_string() - a state as rkt prints it
 * @s: valid
 *
 * Return: a static string, as "exited garbage".
 */
const char *pod_state_to_string(PodState s) {
        return state_names[s];
}

/**
 * pod_state_from_place() - the state of a pod
 * @d:      where it lies
 * @locked: whether somebody holds its lock
 *
 * Return: the state.
 */
PodState pod_state_from_place(PodDirectory d, bool locked) {
        return locked ? states[d].locked : states[d].unlocked;
}

/**
 * pod_move_is_legal() - may a pod go from here to there?
 * @from: where it lies
 * @to:   where it would lie
 *
 * Return: true for the moves of a pod's life; never backwards.
 */
bool pod_move_is_legal(PodDirectory from, PodDirectory to) {
        switch (from) {
        case POD_DIRECTORY_EMBRYO: return to == POD_DIRECTORY_PREPARE || to == POD_DIRECTORY_GARBAGE;
        case POD_DIRECTORY_PREPARE:
                return to == POD_DIRECTORY_PREPARED || to == POD_DIRECTORY_RUN || to == POD_DIRECTORY_GARBAGE;
        case POD_DIRECTORY_PREPARED: return to == POD_DIRECTORY_RUN || to == POD_DIRECTORY_GARBAGE;
        case POD_DIRECTORY_RUN: return to == POD_DIRECTORY_EXITED_GARBAGE;
        default: return false;
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A pod's own users (PrivateUsers=): which numbers of the host they are, and how what the host has becomes theirs. On
 * disk, in images, volumes and the pod's directory, files keep the numbers that they have in the pod; mounts translate. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "basic/error.h"

#define USERNS_PICK     "pick"
#define USERNS_IDENTITY "identity"

typedef struct Userns {
        bool is_private; /* a user namespace, if only for its limits (identity) */
        uint32_t start;  /* user 0 of the pod on the host; 0: the same numbers */
        uint32_t length;
        int map_fd; /* user namespace for mounts; -EBADF: nothing is translated */
        int *locks; /* of 64 Ki ranges */
        size_t n_locks;
} Userns;

#define USERNS_INIT      ((Userns){ .map_fd = -EBADF })
#define _cleanup_userns_ _cleanup_(userns_done)

bool userns_is_lent(const char *text, uint32_t start);
int userns_open(const char *word, const char *machine, Userns *ret, Error *e);
void userns_done(Userns *u);
void userns_forget(int pod_fd);
int userns_save(const Userns *u, int pod_fd, Error *e);
int userns_save_reason(const char *why, int pod_fd, Error *e);
int userns_describe(int pod_fd, char **ret);
int userns_adopt(int pod_fd, Userns *ret, Error *e);
int userns_pass_locks(const Userns *u);
bool userns_has(const Userns *u, uint32_t id);
bool userns_maps(const Userns *u, uint32_t host_id);
uint32_t userns_inside(const Userns *u, uint32_t host_id);
int userns_map_mount(const Userns *u, int mount_fd, bool recursive, Error *e);

/* What is made between is the pod's root's: for what lies behind mounts of userns_map_mount(). */
const Userns *userns_act(const Userns *u);
void userns_act_end(const Userns **u);
#define _cleanup_act_ _unused_ _cleanup_(userns_act_end)

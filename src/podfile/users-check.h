/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel gives an app only for the host's own root: settings that mean less, or nothing, in a pod with private users. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define USERS_AUTO "auto" /* private users unless something in the pod needs the host's */
#define USERS_NO   "no"
#define USERS_END  UINT32_C(65536) /* of the users of a pod's own: 0 to one less */

typedef enum UsersNeed {
        USERS_NEED_ANY,   /* the same with private users */
        USERS_NEED_HOST,  /* less with private users */
        USERS_NEED_NEVER, /* fails, or binds nobody, with private users */
} UsersNeed;

UsersNeed users_need(const char *key, const char *value);
bool users_is_above(const char *id);
bool users_need_capability(const char *capability, bool has_network);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt-request@.service prints, with the files called as the user called them. */
#pragma once

#include "basic/request.h"
#include "basic/str.h"

#define REQUEST_LINK_MAX 32U /* bytes of what the service calls a file, with room */

/* One stream of output. Initialise with the names. */
typedef struct RequestText {
        char *const *names; /* by index; NULL: the service has no link to it */
        unsigned n_names;
        char held[REQUEST_LINK_MAX]; /* may be the beginning of a link */
        size_t n_held;
} RequestText;

void request_text_add(RequestText *t, const char *data, size_t n, StrBuf *b);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A download, seen from the trusted side: a worker (rkt-pull) that has the network and nothing else is started per URL,
 * and its bytes are read here. */
#pragma once

#include "net/pull-protocol.h"

typedef struct Download Download;

int download_start(const PullRequest *q, Download **ret, Error *e);
int download_head(Download *d, const PullHead **ret, Error *e);
int download_read(Download *d, void *buffer, size_t size, size_t *ret_size, Error *e);
int download_small(const PullRequest *q, char **ret, size_t *ret_size, Error *e);
Download *download_free(Download *d);
DEFINE_CLEANUP(Download *, download_free);

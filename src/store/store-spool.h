/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a download has got so far: the bytes as they came, in one file in cas/tmp per URL, so that the next attempt need not
 * get them again.
 *
 * Before the bytes stands which version of the URL's content they belong to (the server's tag and the length of the whole),
 * and in which boot of the machine they were written: nothing is synced, so after a power cut nobody knows what is in the
 * file. What does not fit is no spool. A spool is a convenience: whatever fails here costs only time.
 *
 * The caller holds the URL's lock. store_gc() removes what nobody wrote to for STORE_SPOOL_AGE_USEC. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "basic/error.h"
#include "store/store.h"

#define STORE_SPOOL_HEAD_SIZE 4096U /* bytes before the bytes */
#define STORE_SPOOL_TAG_MAX   1024U

typedef struct StoreSpool StoreSpool;

int store_spool_open(Store *s, const char *url, StoreSpool **ret, Error *e);
StoreSpool *store_spool_free(StoreSpool *p);
DEFINE_CLEANUP(StoreSpool *, store_spool_free);
uint64_t store_spool_size(const StoreSpool *p);
uint64_t store_spool_total(const StoreSpool *p);
const char *store_spool_tag(const StoreSpool *p);
int store_spool_begin(StoreSpool *p, const char *tag, uint64_t total);
int store_spool_append(StoreSpool *p, const void *data, size_t size);
int store_spool_read(StoreSpool *p, uint64_t offset, void *buffer, size_t size, size_t *ret_size);
void store_spool_remove(StoreSpool *p);
int store_spool_head_parse(const char *data, size_t size, const char *boot, char **ret_tag,
                           uint64_t *ret_total);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the compressed bytes of an image come from: a file, or a download, whose beginning may be in the store's spool. */
#pragma once

#include "net/download.h"
#include "store/store-spool.h"

#define IMAGE_SPOOL_MIN (UINT64_C(1) << 20) /* what is smaller is downloaded again as fast as resumed */

typedef struct ImageSource {
        const char *what;   /* URL or path, for messages; the caller's */
        int fd;             /* the caller's; -EBADF: a download */
        Download *download; /* the caller's, head read */
        StoreSpool *spool;  /* the caller's; NULL: nothing is kept */
        uint64_t offset;    /* so many bytes come from the spool first */
        uint64_t position;  /* bytes that were read */
        uint64_t total;     /* bytes; 0: not known */
        bool broken;        /* the download did not get to its end: what is in the spool is good */
} ImageSource;

int image_source_download(ImageSource *s, Download *d, const PullHead *head, Error *e);
int image_source_read(ImageSource *s, void *buffer, size_t size, size_t *ret_size, Error *e);
void image_source_end(ImageSource *s);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The HTTP of the metadata service: connections, requests, answers. The bytes are libmicrohttpd's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "basic/error.h"
#include "basic/parse.h"

#define METADATA_CONNECTIONS_MAX 64U
#define METADATA_REMOTE_MAX      32U            /* of them by the network */
#define METADATA_PEER_MAX        8U             /* of one process of root's, or of one other user */
#define METADATA_BODY_MAX        (1024U * 1024) /* bytes of a form */
#define METADATA_HEADERS_USEC    (5 * USEC_PER_SEC)
#define METADATA_REQUEST_USEC    (30 * USEC_PER_SEC)

typedef struct MetadataHttp MetadataHttp;

int metadata_http_new(int pods_fd, const uint8_t *key, MetadataHttp **ret, Error *e);
MetadataHttp *metadata_http_free(MetadataHttp *h);
DEFINE_CLEANUP(MetadataHttp *, metadata_http_free);
int metadata_http_fd(const MetadataHttp *h);
int metadata_http_timeout(const MetadataHttp *h, int max_msec);
unsigned metadata_http_connections(const MetadataHttp *h);
bool metadata_http_has_room(const MetadataHttp *h, int listen_fd);
void metadata_http_accept(MetadataHttp *h, int listen_fd);
void metadata_http_run(MetadataHttp *h);

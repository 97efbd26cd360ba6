/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rkt of a member of group rkt and the service that works for it (helper/rkt-request.c) say to each other, in packets:
 * first the words of a command line, a NUL behind each, with the descriptors of files that the user could read; then, back,
 * pieces of output, and the exit status. */
#pragma once

#define REQUEST_SOCKET    "/run/rkt/request"
#define REQUEST_SIZE_MAX  65536U /* bytes of a packet */
#define REQUEST_WORDS_MAX 256U
#define REQUEST_FILES_MAX 32U
#define REQUEST_FILE      '\001' /* begins a word that stands for files: FILE[:SIGNATURE], indices */

/* What the service calls the files: REQUEST_LINKS INDEX REQUEST_LINK_SUFFIX, in its own /tmp. */
#define REQUEST_LINKS       "/tmp/request/"
#define REQUEST_LINK_SUFFIX ".aci"

/* The first byte of an answer. */
#define REQUEST_OUT    'o' /* then bytes for standard output */
#define REQUEST_ERR    'e' /* then bytes for standard error */
#define REQUEST_STATUS 'x' /* then one byte, and no more */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POSIX access control lists: the text of archives, and the bytes of system.posix_acl_access and _default. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ACL_ENTRIES_MAX   1024
#define ACL_XATTR_ACCESS  "system.posix_acl_access"
#define ACL_XATTR_DEFAULT "system.posix_acl_default"

int acl_parse(const char *text, size_t size, uint8_t **ret, size_t *ret_size);
int acl_check(const void *data, size_t size, uint32_t *ret_mode);

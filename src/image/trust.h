/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the keys that somebody may want to trust. Whether they are trusted is decided by a person, or by the option that
 * says so; keyring_add() then does it. */
#pragma once

#include <stdbool.h>

#include "basic/insecure.h"
#include "config/config.h"
#include "image/keyring.h"

int trust_load(const char *location, InsecureFlags insecure, const Config *config, PgpKeys *ret, Error *e);
bool trust_is_https_of(const char *location, const char *name);
int trust_discover(const char *prefix, InsecureFlags insecure, const Config *config, char ***ret_urls,
                   Error *e);
int trust_from_https(const char *name, const char *local_config, InsecureFlags insecure, const Config *config,
                     char ***ret_paths, Error *e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys that the administrator trusts, and for which names:
 *
 *   CONFIG/trustedkeys/root.d/FINGERPRINT           for every image
 *   CONFIG/trustedkeys/prefix.d/PREFIX/FINGERPRINT  for images at or beneath PREFIX
 *
 * CONFIG is /etc/rkt (local) or /usr/lib/rkt (system). An empty local file hides the same file of the system. */
#pragma once

#include <stdbool.h>

#include "image/pgp-key.h"

#define KEYRING_KEYS_MAX 4096U

typedef struct TrustedKey {
        char *prefix; /* NULL: root */
        char *path;   /* of its file */
        PgpKey key;
} TrustedKey;

typedef struct Keyring {
        TrustedKey *keys;
        size_t n_keys;
        char **warnings; /* sentences about files that were passed over */
} Keyring;

int keyring_load(const char *system_config, const char *local_config, Keyring **ret, Error *e);
Keyring *keyring_free(Keyring *k);
DEFINE_CLEANUP(Keyring *, keyring_free);
const TrustedKey *keyring_find(const Keyring *k, const char *fingerprint, const char *name);
int keyring_to_binary(const Keyring *k, char **ret, size_t *ret_size);
int keyring_add(const char *local_config, const char *prefix, const PgpKey *key, char **ret_path, Error *e);
int keyring_remove(const char *system_config, const char *local_config, const char *prefix,
                   const char *fingerprint, char **ret_path, Error *e);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images of registries: whom to ask, as whom, and who must have signed what is answered. */
#pragma once

#include "image/image-fetch.h"
#include "image/oci-image.h"
#include "image/oci-trust.h"

typedef struct OciRemoteOptions {
        const ImageFetch *fetch; /* with a config */
        const OciLoadOptions *load;
        const OciTrustPolicy *policy; /* NULL: there is none */
        bool verify;                  /* its signatures must be good */
        const char *known_digest; /* what the name led to last time, if the store still has that; or NULL */
} OciRemoteOptions;

int oci_remote_changed(const OciName *name, const ImageFetch *f, const char *digest, Error *e);
int oci_remote_load(const OciName *name, const OciRemoteOptions *o, OciImage *ret, char **ret_digest,
                    Error *e);

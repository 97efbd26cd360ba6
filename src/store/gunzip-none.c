/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A build without ISA-L. */
#include "store/gunzip.h"

const GunzipKind *const gunzip_fast = NULL;

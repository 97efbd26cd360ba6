/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NAME,KEY=VALUE,... as on rkt's command line. Facts: appc, section 16. */
#pragma once

#include <stdint.h>

#include "basic/error.h"

/* Called for each KEY=VALUE. -ENXIO: no such key. */
typedef int (*AcOptionSetter)(void *userdata, const char *key, const char *value, Error *e);

int ac_options_parse(const char *s, char **ret_name, AcOptionSetter set, void *userdata, Error *e);
int ac_option_boolean(const char *key, const char *value, int *ret, Error *e);
int ac_option_number(const char *key, const char *value, int64_t *ret, Error *e);

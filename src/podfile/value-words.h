/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that the kernel and systemd know. */
#pragma once

#include <stdbool.h>

bool value_in_words(const char *s, const char *words);
bool value_is_architecture(const char *s);
bool value_is_capability(const char *s);
int value_capabilities_to_names(const char *value, char **ret);
bool value_is_family(const char *s);

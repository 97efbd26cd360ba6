/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words for unit files: quoted so that systemd reads back the same bytes. */
#pragma once

#include "basic/str.h"

void unit_text_quote(StrBuf *b, const char *word);
void unit_text_line(StrBuf *b, const char *key, const char *value);
void unit_text_words(StrBuf *b, const char *key, char *const *words);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a terminal can show besides text: colours, and links that one can click (OSC 8). */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "basic/str.h"

bool markup_has_colors(FILE *f);
bool markup_has_links(FILE *f);
void markup_add_file(StrBuf *b, const char *path, const char *text);
void markup_add_manuals(StrBuf *b, const char *text);

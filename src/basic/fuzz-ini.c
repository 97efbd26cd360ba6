/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes through the reader, and every value through the word splitter. */
#include <stdint.h>

#include "basic/ini.h"
#include "basic/strv.h"
#include "basic/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_item(const IniItem *item, void *userdata) {
        _cleanup_strv_free_ char **words = NULL;

        if (item->key)
                (void) word_split(item->value, 1000, &words);
        return 0;
}

static int on_bad(unsigned line, const char *what, void *userdata) {
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        (void) ini_parse((const char *) data, size, &(IniHandler){ .item = on_item, .bad = on_bad });
        return 0;
}

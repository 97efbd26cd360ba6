/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of a TarEntry, and names fit for a message. */
#include <stdio.h>

#include "basic/alloc.h"
#include "store/tar-entry.h"

/**
 * tar_entry_done() - free what it holds
 * @t: is TAR_ENTRY_INIT afterwards
 */
void tar_entry_done(TarEntry *t) {
        free(t->path);
        free(t->link);
        free(t->segments);
        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs) {
                free(x->name);
                free(x->value);
        }
        free(t->xattrs);
        *t = TAR_ENTRY_INIT;
}

/**
 * tar_entry_add_xattr() - append an attribute, or replace the one of that name
 * @t:     entry
 * @name:  copied
 * @value: @size bytes, copied
 * @size:  bytes
 *
 * Return: 0, -ENOMEM, -E2BIG (TAR_XATTRS_MAX).
 */
int tar_entry_add_xattr(TarEntry *t, const char *name, const char *value, size_t size) {
        _cleanup_free_ char *n = NULL, *v = NULL;

        v = malloc(size + 1);
        if (!v)
                return -ENOMEM;
        memcpy(v, value, size);
        v[size] = '\0';
        FOREACH_ARRAY (x, t->xattrs, t->n_xattrs)
                if (strcmp(x->name, name) == 0) {
                        free(x->value);
                        x->value = TAKE_PTR(v);
                        x->size = size;
                        return 0;
                }
        if (t->n_xattrs >= TAR_XATTRS_MAX)
                return -E2BIG;
        n = strdup(name);
        if (!n || !GREEDY_GROW(t->xattrs, t->n_xattrs))
                return -ENOMEM;
        t->xattrs[t->n_xattrs++] = (TarXattr){ .name = TAKE_PTR(n), .value = TAKE_PTR(v), .size = size };
        return 0;
}

/**
 * tar_entry_add_segment() - append a run of bytes
 * @t:      entry
 * @offset: in the file
 * @size:   bytes
 * @source: offset in the blob
 *
 * Return: 0, -ENOMEM, -E2BIG (TAR_SEGMENTS_MAX).
 */
int tar_entry_add_segment(TarEntry *t, uint64_t offset, uint64_t size, uint64_t source) {
        if (t->n_segments >= TAR_SEGMENTS_MAX)
                return -E2BIG;
        if (!GREEDY_GROW(t->segments, t->n_segments))
                return -ENOMEM;
        t->segments[t->n_segments++] = (TarSegment){ .offset = offset, .size = size, .source = source };
        return 0;
}

/**
 * tar_name_escape() - a foreign name, fit for a terminal and a log
 * @name:   any bytes
 * @buffer: is filled; a long name is cut, "..." shows it
 *
 * Return: @buffer.
 */
const char *tar_name_escape(const char *name, char buffer[TAR_NAME_ESCAPED_MAX]) {
        size_t n = 0;

        for (const char *p = name; *p; p++) {
                unsigned char c = (unsigned char) *p;

                if (n + 8 >= TAR_NAME_ESCAPED_MAX) {
                        memcpy(buffer + n, "...", 3);
                        n += 3;
                        break;
                }
                if (c < 0x20 || c >= 0x7f || c == '\\' || c == '\'')
                        n += (size_t) snprintf(buffer + n, 5, "\\x%02x", c);
                else
                        buffer[n++] = (char) c;
        }
        buffer[n] = '\0';
        return buffer;
}

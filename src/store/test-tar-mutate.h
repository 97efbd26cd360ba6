/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How archives are mutated for fuzz targets: as libFuzzer does, but afterwards the headers have their checksums. Without that
 * nearly every input ends at the first header. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "store/tar-header.h"

#define TAR_SIZE_AT     124U
#define TAR_SIZE_DIGITS 11U
#define TAR_CHECKSUM_AT 148U
#define TAR_CHECKSUM    8U

/* Bytes that follow a header, as its size field says: octal digits, else 0. */
static inline size_t tar_content_size(const uint8_t *header) {
        size_t n = 0;

        for (size_t i = 0;
             i < TAR_SIZE_DIGITS && header[TAR_SIZE_AT + i] >= '0' && header[TAR_SIZE_AT + i] <= '7'; i++)
                n = n * 8 + header[TAR_SIZE_AT + i] - '0';
        return n;
}

/* Every header on the way gets its checksum. An empty block stays empty: it is the end. */
static inline void tar_fix_checksums(uint8_t *data, size_t size) {
        for (size_t at = 0; at + TAR_BLOCK <= size;) {
                uint8_t *header = data + at;
                char text[TAR_CHECKSUM];
                unsigned sum = 0, any = 0;
                size_t content;

                memset(header + TAR_CHECKSUM_AT, ' ', TAR_CHECKSUM);
                for (size_t i = 0; i < TAR_BLOCK; i++) {
                        any |= i < TAR_CHECKSUM_AT || i >= TAR_CHECKSUM_AT + TAR_CHECKSUM ? header[i] : 0U;
                        sum += header[i];
                }
                (void) snprintf(text, sizeof(text), "%06o", sum);
                if (any == 0)
                        memset(header + TAR_CHECKSUM_AT, 0, TAR_CHECKSUM);
                else
                        memcpy(header + TAR_CHECKSUM_AT, text, TAR_CHECKSUM - 1);
                content = (tar_content_size(header) + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
                at += TAR_BLOCK + (content < size - at ? content : 0);
        }
}

#ifdef RKT_FUZZING
/**
 * LLVMFuzzerMutate() - libFuzzer's own mutations
 * @data:     @size bytes, of which there is room for @max_size
 * @size:     bytes
 * @max_size: bytes
 *
 * Return: the new size.
 */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/**
 * LLVMFuzzerCustomMutator() - what libFuzzer calls instead
 * @data:     @size bytes; the archive begins at TAR_FUZZ_PREFIX
 * @size:     bytes
 * @max_size: bytes
 * @seed:     random; one input in sixteen stays as libFuzzer made it
 *
 * Return: the new size.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
        size = LLVMFuzzerMutate(data, size, max_size);
        if (seed % 16 != 0 && size > TAR_FUZZ_PREFIX)
                tar_fix_checksums(data + TAR_FUZZ_PREFIX, size - TAR_FUZZ_PREFIX);
        return size;
}
#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as lower-case hex digits. */
#include <errno.h>
#include <string.h>

#include "basic/hex.h"

/**
 * hex_from_bytes() - write 2n digits and a NUL
 * @bytes: @n of them
 * @n:     bytes
 * @ret:   room for 2 * @n + 1
 */
void hex_from_bytes(const uint8_t *bytes, size_t n, char *ret) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                *ret++ = digits[bytes[i] >> 4];
                *ret++ = digits[bytes[i] & 15];
        }
        *ret = '\0';
}

/**
 * hex_digit() - what a digit stands for
 * @c: of either case
 *
 * Return: 0 to 15, -EINVAL.
 */
int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

/**
 * hex_to_bytes() - read digits of either case
 * @hex:   @n_hex digits
 * @n_hex: an even number
 * @ret:   room for @n_hex / 2
 *
 * Return: 0, -EINVAL.
 */
int hex_to_bytes(const char *hex, size_t n_hex, uint8_t *ret) {
        if (n_hex % 2 != 0)
                return -EINVAL;
        for (size_t i = 0; i < n_hex; i += 2) {
                int a = hex_digit(hex[i]), b = hex_digit(hex[i + 1]);

                if (a < 0 || b < 0)
                        return -EINVAL;
                ret[i / 2] = (uint8_t) (a << 4 | b);
        }
        return 0;
}

/**
 * hex_is_valid() - only lower-case hex digits?
 * @s: not NULL
 *
 * Return: false also for "".
 */
bool hex_is_valid(const char *s) {
        return *s && s[strspn(s, "0123456789abcdef")] == '\0';
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pod UUIDs, from the kernel's random numbers. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "basic/hex.h"
#include "basic/uuid.h"

/**
 * uuid_new() - make a random UUID (RFC 4122 section 4.4)
 * @ret: 36 characters and a NUL
 *
 * Return: 0, negative errno of getrandom().
 */
int uuid_new(char ret[UUID_STRING_MAX]) {
        uint8_t b[16];
        char hex[33], *p = ret;

        if (getrandom(b, sizeof(b), 0) != (ssize_t) sizeof(b))
                return -EIO;
        b[6] = (uint8_t) ((b[6] & 0x0f) | 0x40);
        b[8] = (uint8_t) ((b[8] & 0x3f) | 0x80);
        hex_from_bytes(b, sizeof(b), hex);
        for (size_t i = 0; i < 32; i++) {
                if (i == 8 || i == 12 || i == 16 || i == 20)
                        *p++ = '-';
                *p++ = hex[i];
        }
        *p = '\0';
        return 0;
}

/**
 * uuid_is_valid() - is this a UUID as uuid_new() writes it?
 * @s: not NULL
 *
 * Return: true for 8-4-4-4-12 lower-case hex digits.
 */
bool uuid_is_valid(const char *s) {
        if (strlen(s) != 36)
                return false;
        for (size_t i = 0; i < 36; i++) {
                bool dash = i == 8 || i == 13 || i == 18 || i == 23;

                if (dash ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
                        return false;
        }
        return true;
}

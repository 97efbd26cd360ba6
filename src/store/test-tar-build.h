/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds archives for tests, byte by byte, so that they can be as wrong as need be. */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "basic/str.h"

typedef struct TarSpec {
        const char *name; /* at most 100 bytes are used */
        char type;        /* '\0': '0' */
        const char *content;
        uint64_t size; /* of content; 0: strlen() */
        const char *link;
        unsigned mode; /* 0: 0644, or 0755 for a directory */
        unsigned uid, gid, major, minor;
        const char *raw_size; /* the size field as it shall be */
        const char *raw_uid;  /* 8 bytes */
        const char *raw_minor;
        int64_t mtime;
        bool bad_checksum;
        bool no_magic;
} TarSpec;

/* Octal digits, right-aligned, zeros in front, as many as fit; a NUL behind. */
static inline void tar_octal(uint8_t *field, size_t size, uint64_t v) {
        field[size - 1] = '\0';
        for (size_t i = size - 1; i > 0; i--, v >>= 3)
                field[i - 1] = (uint8_t) ('0' + (v & 7));
}

static inline void tar_checksum(uint8_t *h) {
        unsigned sum = 0;

        memset(h + 148, ' ', 8);
        for (size_t i = 0; i < 512; i++)
                sum += h[i];
        tar_octal(h + 148, 7, sum);
}

static inline void tar_header(uint8_t h[512], const TarSpec *t, uint64_t size) {
        memset(h, 0, 512);
        memcpy(h, t->name, MIN(strlen(t->name), 100U));
        tar_octal(h + 100, 8, t->mode ? t->mode : t->type == '5' ? 0755U : 0644U);
        tar_octal(h + 108, 8, t->uid);
        tar_octal(h + 116, 8, t->gid);
        tar_octal(h + 124, 12, size);
        tar_octal(h + 136, 12, (uint64_t) t->mtime);
        h[156] = (uint8_t) (t->type ? t->type : '0');
        if (t->link)
                memcpy(h + 157, t->link, MIN(strlen(t->link), 100U));
        if (!t->no_magic) {
                memcpy(h + 257, "ustar\00000", 8);
                tar_octal(h + 329, 8, t->major);
                tar_octal(h + 337, 8, t->minor);
        }
        if (t->raw_size)
                memcpy(h + 124, t->raw_size, 12);
        if (t->raw_uid)
                memcpy(h + 108, t->raw_uid, 8);
        if (t->raw_minor)
                memcpy(h + 337, t->raw_minor, 8);
        tar_checksum(h);
        if (t->bad_checksum)
                h[148] ^= 1;
}

static inline void tar_pad(StrBuf *b) {
        static const char zero[512];

        if (b->size % 512 != 0)
                strbuf_add_n(b, zero, 512 - b->size % 512);
}

static inline void tar_add(StrBuf *b, const TarSpec *t) {
        uint64_t size = t->size ? t->size : t->content ? strlen(t->content) : 0;
        uint8_t h[512];

        tar_header(h, t, size);
        strbuf_add_n(b, (const char *) h, 512);
        if (t->content)
                strbuf_add_n(b, t->content, size);
        tar_pad(b);
}

/* A pax record with its length in front. */
static inline void tar_record(StrBuf *b, const char *key, const char *value, size_t n_value) {
        size_t n = strlen(key) + n_value + 3, length = n + 1;
        char digits[24];

        while (length != n + (size_t) snprintf(digits, sizeof(digits), "%zu", length))
                length = n + strlen(digits);
        strbuf_addf(b, "%zu %s=", length, key);
        strbuf_add_n(b, value, n_value);
        strbuf_add(b, "\n");
}

/* An extended header: body as it shall be. */
static inline void tar_add_meta(StrBuf *b, char type, const char *body, size_t size) {
        tar_add(b, &(TarSpec){ .name = "pax", .type = type, .content = body, .size = size });
}

static inline void tar_add_pax(StrBuf *b, const char *key, const char *value) {
        _cleanup_strbuf_ StrBuf body = STRBUF_INIT;

        tar_record(&body, key, value, strlen(value));
        tar_add_meta(b, 'x', body.data, body.size);
}

static inline void tar_end(StrBuf *b) {
        static const char zero[1024];

        strbuf_add_n(b, zero, sizeof(zero));
}

/* What every ACI has. */
static inline void tar_begin_aci(StrBuf *b) {
        tar_add(b, &(TarSpec){ .name = "manifest", .content = "{\"acKind\":\"ImageManifest\"}" });
        tar_add(b, &(TarSpec){ .name = "rootfs", .type = '5' });
}

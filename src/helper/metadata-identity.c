/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One key for all pods of this machine, made when it is first needed; it lies in /run, so it ends with the boot, and only the
 * service can read it. What is signed is the 16 bytes of the UUID and the content, as rkt did. */
#include "helper/metadata-identity.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/hex.h"
#include "basic/str.h"
#include "basic/tmpfile.h"
#include "basic/unconst.h"
#include "basic/uuid.h"

#define KEY_FILE    "key"
#define UUID_BYTES  16U
#define UUID_DIGITS (UUID_BYTES * 2)

static int make_key(int dir_fd) {
        uint8_t key[IDENTITY_KEY_SIZE];
        int r;

        if (getrandom(key, sizeof(key), 0) != (ssize_t) sizeof(key))
                return -EIO;
        r = file_write_at(dir_fd, KEY_FILE, (const char *) key, sizeof(key), 0600,
                          FILE_WRITE_NO_SYNC | FILE_WRITE_NO_REPLACE);
        gnutls_memset(key, 0, sizeof(key));
        return r == -EEXIST ? 0 : r;
}

/**
 * identity_load_key() - the key of this machine's pods
 * @dir_fd: directory of the service's own
 * @ret:    the key, made now if there was none
 * @e:      sentence on failure; may be NULL
 *
 * Return: 0; -EBADMSG: the file is damaged; errors of files.
 */
int identity_load_key(int dir_fd, uint8_t ret[IDENTITY_KEY_SIZE], Error *e) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = file_read_at(dir_fd, KEY_FILE, IDENTITY_KEY_SIZE, &text, &size);

        if (r == -ENOENT) {
                r = make_key(dir_fd);
                if (r >= 0)
                        r = file_read_at(dir_fd, KEY_FILE, IDENTITY_KEY_SIZE, &text, &size);
        }
        if (r >= 0 && size != IDENTITY_KEY_SIZE)
                r = -EBADMSG;
        if (r < 0)
                return error_setf(e, r, "cannot read the key that signs for pods: %s", strerror(-r));
        memcpy(ret, text, IDENTITY_KEY_SIZE);
        gnutls_memset(text, 0, size);
        return 0;
}

static int uuid_bytes(const char *uuid, uint8_t ret[UUID_BYTES]) {
        char digits[UUID_DIGITS];
        size_t n = 0;

        if (!uuid_is_valid(uuid))
                return -EINVAL;
        for (const char *p = uuid; *p; p++)
                if (*p != '-')
                        digits[n++] = *p;
        return hex_to_bytes(digits, n, ret);
}

/**
 * identity_sign() - the MAC of what a pod says
 * @key:     from identity_load_key()
 * @uuid:    of the pod
 * @content: @size bytes
 * @size:    bytes
 * @ret:     the MAC
 *
 * Return: 0; -EINVAL: no UUID; -EIO: GnuTLS does not do it.
 */
int identity_sign(const uint8_t key[IDENTITY_KEY_SIZE], const char *uuid, const void *content, size_t size,
                  uint8_t ret[IDENTITY_MAC_SIZE]) {
        gnutls_hmac_hd_t h;
        uint8_t id[UUID_BYTES];
        int r = uuid_bytes(uuid, id);

        if (r < 0)
                return r;
        if (gnutls_hmac_init(&h, GNUTLS_MAC_SHA512, key, IDENTITY_KEY_SIZE) < 0)
                return -EIO;
        r = gnutls_hmac(h, id, sizeof(id)) < 0 || gnutls_hmac(h, content, size) < 0 ? -EIO : 0;
        gnutls_hmac_deinit(h, ret);
        return r;
}

/**
 * identity_verify() - has that pod said that?
 * @key:            from identity_load_key()
 * @uuid:           of the pod that is said to have signed
 * @content:        @size bytes
 * @size:           bytes
 * @signature:      base64, @signature_size characters
 * @signature_size: characters
 * @ret_good:       the answer
 *
 * Return: 0; -EINVAL: no UUID, or no base64; -EIO: GnuTLS does not do it.
 */
int identity_verify(const uint8_t key[IDENTITY_KEY_SIZE], const char *uuid, const void *content, size_t size,
                    const char *signature, size_t signature_size, bool *ret_good) {
        gnutls_datum_t text = { .data = unconst(signature), .size = (unsigned) signature_size }, mac = {};
        uint8_t own[IDENTITY_MAC_SIZE];
        int r = identity_sign(key, uuid, content, size, own);

        if (r < 0)
                return r;
        if (signature_size > IDENTITY_MAC_SIZE * 2 || gnutls_base64_decode2(&text, &mac) < 0)
                return -EINVAL;
        *ret_good = mac.size == sizeof(own) && gnutls_memcmp(mac.data, own, sizeof(own)) == 0;
        gnutls_free(mac.data);
        return 0;
}

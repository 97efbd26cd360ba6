/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must hold of a name and labels beyond their own rules. The words of the sentences are rkt's: scripts look for them. */
#include "image/import-aci.h"
#include "basic/str.h"
#include "manifest/ac-types.h"

/**
 * import_check_asked() - is this the image that was asked for
 * @i:     name and labels from its manifest
 * @asked: an IMAGE_NAME_APPC as the user wrote it, without labels that we filled in; NULL: whatever came is right
 * @e:     sentence on failure; may be NULL
 *
 * A server may answer with anything, signed by anybody who is trusted for that other name.
 *
 * Return: 0, -EBADMSG.
 */
int import_check_asked(const StoreImage *i, const ImageName *asked, Error *e) {
        if (!asked)
                return 0;
        if (!streq(i->name, asked->text))
                return error_setf(e, -EBADMSG, "the image that was delivered is called \"%s\", not \"%s\"",
                                  i->name, asked->text);
        FOREACH_ARRAY (l, asked->labels, asked->n_labels) {
                const char *value = store_image_label(i, l->name);

                if (!value)
                        return error_setf(e, -EBADMSG,
                                          "requested label \"%s\" not provided by the image manifest",
                                          l->name);
                if (!streq(value, l->value))
                        return error_setf(
                                e, -EBADMSG,
                                "requested value for label \"%s\": \"%s\" differs from fetched aci label "
                                "value: \"%s\"",
                                l->name, l->value, value);
        }
        return 0;
}

/**
 * import_check_platform() - can this machine run the image
 * @i: labels from its manifest
 * @e: sentence on failure; may be NULL
 *
 * Return: 0, -ENOEXEC.
 */
int import_check_platform(const StoreImage *i, Error *e) {
        const char *os = store_image_label(i, "os"), *arch = store_image_label(i, "arch");

        if (!os)
                return error_setf(e, -ENOEXEC, "missing os label in the image manifest");
        if (!streq(os, ac_host_os()))
                return error_setf(e, -ENOEXEC, "bad os \"%s\" (this machine runs %s)", os, ac_host_os());
        if (!arch)
                return error_setf(e, -ENOEXEC, "missing arch label in the image manifest");
        if (!streq(arch, ac_host_arch()) && !(streq(arch, "i386") && streq(ac_host_arch(), "amd64")))
                return error_setf(e, -ENOEXEC, "bad arch \"%s\" (this machine is %s)", arch, ac_host_arch());
        return 0;
}

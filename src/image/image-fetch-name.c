/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image by its name: keys if they are wanted, discovery, and then each place that the page names until one has it. */
#include "basic/str.h"
#include "basic/strv.h"
#include "image/discovery.h"
#include "image/image-fetch.h"
#include "image/trust.h"
#include "manifest/ac-types.h"

/* What the templates of a discovery page may need beyond what the user wrote. */
static int with_platform(const ImageFetch *f, const ImageName *name, ImageName **ret, Error *e) {
        _cleanup_(image_name_freep) ImageName *n = NULL;
        _cleanup_free_ char *text = NULL;
        int r, q;

        if (image_name_to_string(name, &text) < 0)
                return error_oom(e);
        r = image_name_parse(text, &n, e);
        if (r < 0)
                return r;
        r = image_name_set_label(n, "os", str_or(f->os, ac_host_os()));
        q = image_name_set_label(n, "arch", str_or(f->arch, ac_host_arch()));
        if (r == -ENOMEM || q == -ENOMEM)
                return error_oom(e);
        *ret = TAKE_PTR(n);
        return 0;
}

static bool has_key(const Keyring *k, const char *name) {
        FOREACH_ARRAY (i, k->keys, k->n_keys)
                if (i->prefix && name_has_prefix(name, i->prefix))
                        return true;
        return false;
}

/* The first keys of a name are trusted as its host serves them. Where that fails, the signature decides. */
static int trust_first(ImageFetch *f, const char *name, Keyring **keyring, Error *e) {
        const ImageGetOptions *o = f->options;
        _cleanup_error_ Error sub = ERROR_INIT;
        _cleanup_strv_free_ char **paths = NULL;
        int r;

        if (has_key(f->keyring, name))
                return 0;
        r = trust_from_https(name, o->local_config, o->insecure, f->config, &paths, &sub);
        if (r < 0) {
                image_message(o, "warning: no key was added for \"%s\": %s", name, error_text(&sub, r));
                return 0;
        }
        STRV_FOREACH (p, paths)
                image_message(o, "Added key for prefix \"%s\" at \"%s\"", name, *p);
        *keyring = keyring_free(*keyring);
        f->keyring = NULL;
        r = keyring_load(o->system_config, o->local_config, keyring, e);
        f->keyring = *keyring;
        return r;
}

/* Another place may have the image, whatever is wrong with this one. Not so when it is we who cannot take it, or who do not
 * trust its signer. */
static bool is_worth_trying_next(int r) {
        static const int reasons[] = { ENOMEM, ENOSPC, EDQUOT,    EROFS,  EMFILE,      ENFILE,
                                       ESRCH,  EINTR,  ECANCELED, ENOKEY, EKEYEXPIRED, EKEYREVOKED };

        FOREACH_ARRAY (i, reasons, ELEMENTSOF(reasons))
                if (r == -*i)
                        return false;
        return true;
}

static int try_endpoints(const ImageFetch *f, const DiscoveryResult *found, const char *reference,
                         char **ret_id, Error *e) {
        _cleanup_strbuf_ StrBuf tried = STRBUF_INIT;
        int r = -ENOENT;

        for (size_t i = 0; i < found->n_endpoints; i++) {
                const DiscoveryEndpoint *p = found->endpoints + i;
                _cleanup_error_ Error sub = ERROR_INIT;
                const char *why;

                r = image_fetch_url(f, p->image_url, p->signature_url, ret_id, &sub);
                if (r >= 0)
                        return 0;
                why = error_text(&sub, r);
                strbuf_addf(&tried, "%s%s%s%s", i > 0 ? "; " : "",
                            strstr(why, p->image_url) ? "" : p->image_url,
                            strstr(why, p->image_url) ? "" : ": ", why);
                if (!is_worth_trying_next(r))
                        break;
                if (i + 1 < found->n_endpoints)
                        image_message(f->options, "warning: %s; trying the next place", why);
        }
        if (tried.failed)
                return error_oom(e);
        return error_setf(e, r, "image '%s': %s", reference, str_or(tried.data, "it is nowhere"));
}

/**
 * image_fetch_name() - find an image by discovery and import it
 * @f:         how; its keyring changes when keys are added
 * @name:      an IMAGE_NAME_APPC
 * @reference: the same as the user wrote it
 * @keyring:   what @f refers to; replaced when keys are added
 * @ret_id:    the image's ID, for free()
 * @e:         sentence on failure, listing what was tried; may be NULL
 *
 * rkt tries the first place only.
 *
 * Return: 0, and what discovery_find() and image_fetch_url() return, of the last place that was tried.
 */
int image_fetch_name(ImageFetch *f, const ImageName *name, const char *reference, Keyring **keyring,
                     char **ret_id, Error *e) {
        _cleanup_(discovery_result_done) DiscoveryResult found = {};
        _cleanup_(image_name_freep) ImageName *full = NULL;
        const ImageGetOptions *o = f->options;
        DiscoveryOptions d = {
                .allow_http = o->insecure & INSECURE_HTTP,
                .insecure_tls = o->insecure & INSECURE_TLS,
                .config = f->config,
                .limits = o->limits,
        };
        int r;

        image_message(o, "searching for app image %s", reference);
        r = with_platform(f, name, &full, e);
        if (r >= 0 && f->keyring && o->trust_keys_from_https)
                r = trust_first(f, name->text, keyring, e);
        if (r >= 0)
                r = discovery_find(full, &d, &found, e);
        return r < 0 ? r : try_endpoints(f, &found, reference, ret_id, e);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of --insecure-options= (rkt.md 1.2). */
#include <string.h>

#include "basic/insecure.h"
#include "basic/str.h"
#include "basic/strv.h"

static const struct {
        const char *word;
        InsecureFlags flags;
} insecure_words[] = {
        { "none", INSECURE_NONE },
        { "image", INSECURE_IMAGE },
        { "tls", INSECURE_TLS },
        { "http", INSECURE_HTTP },
        { "pubkey", INSECURE_PUBKEY },
        { "ondisk", INSECURE_ONDISK },
        { "capabilities", INSECURE_CAPABILITIES },
        { "paths", INSECURE_PATHS },
        { "seccomp", INSECURE_SECCOMP },
        { "all-fetch", INSECURE_ALL_FETCH },
        { "all-run", INSECURE_ALL_RUN },
        { "all", INSECURE_ALL },
};

/**
 * insecure_flags_parse() - the list of words that a user gave
 * @s:   words separated by commas or blanks; "" is none
 * @ret: the union of their flags; untouched on failure
 * @e:   sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL (unknown word), -ENOTUNIQ (a word twice), -ENOMEM.
 */
int insecure_flags_parse(const char *s, InsecureFlags *ret, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        unsigned flags = 0, seen = 0;
        int r;

        r = strv_split(s, ", \t", &words);
        if (r < 0)
                return error_oom(e);
        STRV_FOREACH (w, words) {
                size_t i;

                for (i = 0; i < ELEMENTSOF(insecure_words); i++)
                        if (streq(*w, insecure_words[i].word))
                                break;
                if (i == ELEMENTSOF(insecure_words))
                        return error_setf(e, -EINVAL,
                                          "unknown option \"%s\" (none, image, tls, http, pubkey, ondisk, "
                                          "capabilities, paths, seccomp, all-fetch, all-run or all)",
                                          *w);
                if (seen & 1U << i)
                        return error_setf(e, -ENOTUNIQ, "duplicated option \"%s\"", *w);
                seen |= 1U << i;
                flags |= insecure_words[i].flags;
        }
        *ret = (InsecureFlags) flags;
        return 0;
}

/**
 * insecure_flags_to_string() - the shortest list of words for some flags
 * @flags: any union of flags
 * @ret:   words with commas between, "none" for none; to free()
 *
 * Return: 0 or -ENOMEM.
 */
int insecure_flags_to_string(InsecureFlags flags, char **ret) {
        _cleanup_strbuf_ StrBuf b = STRBUF_INIT;
        unsigned rest = (unsigned) flags;

        for (size_t i = ELEMENTSOF(insecure_words); i-- > 1;) {
                unsigned f = (unsigned) insecure_words[i].flags;

                if ((rest & f) != f)
                        continue;
                if (b.size > 0)
                        strbuf_add(&b, ",");
                strbuf_add(&b, insecure_words[i].word);
                rest &= ~f;
        }
        if (b.size == 0)
                strbuf_add(&b, "none");
        return strbuf_steal(&b, ret);
}

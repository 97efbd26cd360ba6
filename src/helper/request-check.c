/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request is a command line of rkt's, which root will run. It is a list of what is allowed, word for word: verbs, flags with
 * their whole names, images that are no files of this machine, pods. A word may be the value of the flag before it, so no
 * word may be one that would do harm there. A local file is not named but passed, as \001FILE[:SIGNATURE], numbers of
 * descriptors: root opens nothing for anybody. */
#include "helper/request-check.h"

#include <errno.h>
#include <string.h>

#include "basic/insecure.h"
#include "basic/parse.h"
#include "basic/request.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "image/image-name.h"

typedef enum Argument {
        ARGUMENT_PLAIN, /* a pod, or a value of a flag */
        ARGUMENT_KEY,   /* an image of the store */
        ARGUMENT_IMAGE, /* an image from anywhere but this machine's files */
} Argument;

#define FLAGS_MAX 8

static const struct {
        const char *group, *name;
        Argument argument;
        const char *flags[FLAGS_MAX];
} verbs[] = {
        { NULL,
          "fetch",
          ARGUMENT_IMAGE,
          { "full", "pull-policy", "no-store", "store-only", "insecure-options" } },
        { "image",
          "fetch",
          ARGUMENT_IMAGE,
          { "full", "pull-policy", "no-store", "store-only", "insecure-options" } },
        { "image", "list", ARGUMENT_PLAIN, { "fields", "sort", "order", "no-legend", "full", "format" } },
        { "image", "cat-manifest", ARGUMENT_KEY, { "pretty-print" } },
        { "image", "rm", ARGUMENT_KEY, { NULL } },
        { NULL, "list", ARGUMENT_PLAIN, { "full", "no-legend", "format" } },
        { NULL, "status", ARGUMENT_PLAIN, { "format", "wait", "wait-ready" } },
        { NULL, "cat-manifest", ARGUMENT_PLAIN, { "pretty-print" } },
        { "app", "list", ARGUMENT_PLAIN, { "no-legend", "format" } },
        { "app", "status", ARGUMENT_PLAIN, { "app", "format" } },
};

/**
 * request_split() - the words of a request
 * @data: words, a NUL behind each
 * @size: bytes
 * @ret:  free with strv_free()
 * @e:    sentence on failure; may be NULL
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOMEM.
 */
int request_split(const char *data, size_t size, char ***ret, Error *e) {
        _cleanup_strv_free_ char **words = NULL;
        size_t n = 0;

        if (size == 0 || data[size - 1] != '\0')
                return error_setf(e, -EINVAL, "the request is cut off");
        for (const char *p = data; p < data + size; p += strlen(p) + 1) {
                if (++n > REQUEST_WORDS_MAX)
                        return error_setf(e, -E2BIG, "the request has more than %u words", REQUEST_WORDS_MAX);
                if (strv_extend(&words, p) < 0)
                        return error_oom(e);
        }
        *ret = TAKE_PTR(words);
        return 0;
}

/**
 * request_file() - does a word stand for files that were passed?
 * @word:          of a request
 * @ret_file:      index of the image's
 * @ret_signature: index of the signature's; -1: none
 *
 * Return: true if so.
 */
bool request_file(const char *word, unsigned *ret_file, int *ret_signature) {
        _cleanup_free_ char *file = NULL;
        const char *colon;
        unsigned n;

        if (*word != REQUEST_FILE)
                return false;
        word++;
        colon = strchr(word, ':');
        file = colon ? strndup(word, (size_t) (colon - word)) : strdup(word);
        if (!file || parse_uint(file, REQUEST_FILES_MAX, ret_file) < 0)
                return false;
        *ret_signature = -1;
        if (!colon)
                return true;
        if (parse_uint(colon + 1, REQUEST_FILES_MAX, &n) < 0)
                return false;
        *ret_signature = (int) n;
        return true;
}

static bool is_plain(const char *word) {
        for (const char *p = word; *p; p++)
                if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                      strchr(",._-", *p)))
                        return false;
        return *word != '-' && *word != '.';
}

static bool is_image(const char *word, bool in_store, size_t n_files) {
        _cleanup_(image_name_freep) ImageName *name = NULL;
        unsigned file;
        int signature;

        if (*word == REQUEST_FILE)
                return !in_store && request_file(word, &file, &signature) && file < n_files &&
                       signature < (int) n_files;
        if (*word == '/' || *word == '.' || image_name_parse(word, &name, NULL) < 0)
                return false;
        switch (name->type) {
        case IMAGE_NAME_ID:
        case IMAGE_NAME_APPC:
        case IMAGE_NAME_DOCKER: return true;
        case IMAGE_NAME_URL: return !in_store;
        default: return false;
        }
}

static int refuse(const char *word, Error *e) {
        return error_setf(e, -EPERM, "cannot run as unprivileged user: \"%.100s\" is for root", word);
}

/* Who trusts keys can have any image verified. */
static int check_insecure(const char *value, bool is_admin, Error *e) {
        InsecureFlags flags;
        int r = insecure_flags_parse(value, &flags, e);

        if (r < 0)
                return r;
        return flags == INSECURE_NONE || is_admin
                       ? 0
                       : error_setf(
                                 e, -EPERM,
                                 "permission denied: only root and members of group rkt-admin fetch images "
                                 "without verification (--insecure-options=%s)",
                                 value);
}

static int check_flag(const char *word, size_t verb, bool is_admin, Error *e) {
        static const char *const harmless[] = { "debug", "no-pager" };
        const char *name = word + 2, *value = strchr(name, '=');
        size_t n = value ? (size_t) (value - name) : strlen(name);

        FOREACH_ARRAY (f, harmless, ELEMENTSOF(harmless))
                if (n == strlen(*f) && strncmp(name, *f, n) == 0)
                        return 0;
        for (size_t i = 0; i < FLAGS_MAX && verbs[verb].flags[i]; i++) {
                const char *flag = verbs[verb].flags[i];

                if (strlen(flag) != n || strncmp(name, flag, n) != 0)
                        continue;
                if (streq(flag, "insecure-options"))
                        return value ? check_insecure(value + 1, is_admin, e) : refuse(word, e);
                return 0;
        }
        return refuse(word, e);
}

/* Which verb; its words are those that no flag is, the first one or two. */
static int find_verb(char *const *words, size_t *ret, size_t *ret_n, Error *e) {
        const char *first = NULL, *second = NULL;

        for (; *words && !second; words++)
                if (!startswith(*words, "--")) {
                        second = first ? *words : NULL;
                        first = first ? first : *words;
                }
        for (size_t i = 0; first && i < ELEMENTSOF(verbs); i++)
                if (verbs[i].group ? streq(verbs[i].group, first) && streq_ptr(second, verbs[i].name)
                                   : streq(verbs[i].name, first)) {
                        *ret = i;
                        *ret_n = verbs[i].group ? 2 : 1;
                        return 0;
                }
        return refuse(str_or(first, ""), e);
}

/**
 * request_check() - is this something that a member of group rkt may have done?
 * @words:    command line of rkt, without its name
 * @n_files:  files that came with it
 * @is_admin: who asks is root, or in group rkt-admin
 * @e:        sentence on failure; may be NULL
 *
 * Return: 0, -EPERM, -EINVAL, -ENOMEM.
 */
int request_check(char *const *words, size_t n_files, bool is_admin, Error *e) {
        size_t verb = 0, n_names = 0, n = 0;
        int r = find_verb(words, &verb, &n_names, e);

        for (; r >= 0 && *words; words++) {
                if (startswith(*words, "--"))
                        r = check_flag(*words, verb, is_admin, e);
                else if (n++ < n_names)
                        continue;
                else if (verbs[verb].argument == ARGUMENT_PLAIN
                                 ? !is_plain(*words)
                                 : !is_image(*words, verbs[verb].argument == ARGUMENT_KEY, n_files))
                        r = refuse(*words, e);
        }
        return r;
}

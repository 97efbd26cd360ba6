/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rkt trust: a key becomes trusted for names, after somebody looked at its fingerprint; and no longer. */
#include <stdio.h>
#include <unistd.h>

#include "basic/log.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/table.h"
#include "image/discovery.h"
#include "image/trust.h"
#include "verbs/trust.h"
#include "verbs/verbs.h"

/* As gpg writes it: ten groups of four. */
static void print_fingerprint(const char *label, const char *fingerprint) {
        (void) fprintf(stderr, "%s", label);
        for (size_t i = 0; fingerprint[i]; i += 4)
                (void) fprintf(stderr, "%s%.4s", i == 20 ? "  " : " ", fingerprint + i);
        (void) fputc('\n', stderr);
}

/* A key on its way to being trusted. */
typedef struct Candidate {
        const char *location;
        const char *prefix; /* NULL: every image */
        const PgpKey *key;
} Candidate;

static void show(const Candidate *c) {
        if (c->prefix)
                (void) fprintf(stderr, "prefix: \"%s\"\n", c->prefix);
        (void) fprintf(stderr, "key: \"%s\"\n", c->location);
        print_fingerprint("gpg key fingerprint is:", c->key->fingerprint);
        STRV_FOREACH (s, c->key->subkeys)
                print_fingerprint("    Subkey fingerprint:", *s);
        STRV_FOREACH (i, c->key->identities)
                (void) fprintf(stderr, "\t%s\n", *i);
}

/**
 * trust_review() - ask a person
 * @question: without the question mark
 * @what:     for messages: "key 'x'"
 * @hint:     what to do where nobody can be asked
 * @e:        sentence on failure
 *
 * Return: 1 (yes), 0 (no), -ENOTTY, -ECANCELED (no answer).
 */
int trust_review(const char *question, const char *what, const char *hint, Error *e) {
        char line[64];

        if (!isatty(STDIN_FILENO))
                return error_setf(e, -ENOTTY, "cannot ask whether to trust %s without a terminal; %s", what,
                                  hint);
        for (;;) {
                (void) fprintf(stderr, "%s (yes/no)? ", question);
                if (!fgets(line, sizeof(line), stdin))
                        return error_setf(e, -ECANCELED, "%s is not trusted: no answer", what);
                if (streq(str_strip(line), "yes"))
                        return 1;
                if (streq(line, "no"))
                        return 0;
                (void) fprintf(stderr, "Please enter 'yes' or 'no'\n");
        }
}

static int review(const Candidate *c, Error *e) {
        _cleanup_free_ char *what = strf("key '%s'", c->location);

        return what ? trust_review("Are you sure you want to trust this key", what,
                                   "compare its fingerprint and pass --skip-fingerprint-review, or let rkt "
                                   "fetch trust keys with --trust-keys-from-https",
                                   e)
                    : error_oom(e);
}

static int trust_key(const VerbContext *v, const Candidate *c, bool skip_review, Error *e) {
        _cleanup_free_ char *path = NULL;
        int r = 1;

        show(c);
        if (!skip_review)
                r = review(c, e);
        if (r < 0)
                return r;
        if (r == 0) {
                log_info("Not trusting \"%s\"", c->location);
                return 0;
        }
        log_info("Trusting \"%s\" for %s%s%s.", c->location, c->prefix ? "prefix \"" : "every image",
                 str_or(c->prefix, ""), c->prefix ? "\"" : "");
        r = keyring_add(v->local_config, c->prefix, c->key, &path, e);
        if (r < 0)
                return r;
        if (c->prefix)
                log_info("Added key for prefix \"%s\" at \"%s\"", c->prefix, path);
        else
                log_info("Added root key at \"%s\"", path);
        return 0;
}

/* Each key of a file by itself: a person may know one of them and not the other. */
static int trust_file(const VerbContext *v, const TrustArgs *a, const char *location, InsecureFlags insecure,
                      const Config *config, bool discovered, Error *e) {
        _cleanup_(pgp_keys_done) PgpKeys keys = {};
        bool own = a->prefix && trust_is_https_of(location, a->prefix), skip;
        int r;

        r = trust_load(location, insecure, config, &keys, e);
        if (r < 0)
                return r;
        if (discovered && !own)
                log_warning("the host of \"%s\" names a key that it does not serve itself over https: %s",
                            a->prefix, location);
        skip = a->skip_review || (v->trust_keys_from_https && own);
        FOREACH_ARRAY (k, keys.keys, keys.n_keys) {
                r = trust_key(v, &(Candidate){ location, a->prefix, k }, skip, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const TableColumn columns[_TRUST_COLUMN_MAX] = {
        [TRUST_COLUMN_FINGERPRINT] = { "fingerprint", "FINGERPRINT", NULL, false },
        [TRUST_COLUMN_PREFIX] = { "prefix", "PREFIX", NULL, false },
        [TRUST_COLUMN_IDENTITY] = { "identity", "IDENTITY", NULL, false },
        [TRUST_COLUMN_FILE] = { "file", "FILE", NULL, false },
};

/**
 * trust_add_row() - one more line of rkt trust --list
 * @t:     with the columns of TrustColumn
 * @cells: _TRUST_COLUMN_MAX
 * @e:     sentence on failure
 *
 * Return: 0, -ENOMEM.
 */
int trust_add_row(Table *t, const char *const *cells, Error *e) {
        int r = table_add_row(t, e);

        for (size_t i = 0; r >= 0 && i < _TRUST_COLUMN_MAX; i++)
                r = table_set(t, i, cells[i], NULL, e);
        return r;
}

static int add_row(Table *t, const TrustedKey *k, Error *e) {
        const char *const cells[_TRUST_COLUMN_MAX] = {
                [TRUST_COLUMN_FINGERPRINT] = k->key.fingerprint,
                [TRUST_COLUMN_PREFIX] = str_or(k->prefix, "-"),
                [TRUST_COLUMN_IDENTITY] = k->key.identities ? k->key.identities[0] : "-",
                [TRUST_COLUMN_FILE] = k->path,
        };

        return trust_add_row(t, cells, e);
}

/* The keys that may sign: anything at all, or images at or beneath the prefix. */
static int list_keys(const VerbContext *v, const TrustArgs *a, Error *e) {
        _cleanup_(keyring_freep) Keyring *k = NULL;
        _cleanup_(table_freep) Table *t = NULL;
        int r;

        r = keyring_load(v->system_config, v->local_config, &k, e);
        if (r >= 0)
                r = table_new(columns, ELEMENTSOF(columns), &t, e);
        if (r < 0)
                return r;
        STRV_FOREACH (w, k->warnings)
                log_warning("%s", *w);
        FOREACH_ARRAY (i, k->keys, k->n_keys) {
                if ((a->root && i->prefix) ||
                    (a->prefix && i->prefix && !name_has_prefix(a->prefix, i->prefix)))
                        continue;
                r = add_row(t, i, e);
                if (r < 0)
                        return r;
        }
        r = trust_oci_list(v, a, t, e);
        return r < 0 ? r : table_print(t, TABLE_TEXT, true, stdout, e);
}

static int remove_keys(const VerbContext *v, const TrustArgs *a, char **fingerprints, Error *e) {
        STRV_FOREACH (f, fingerprints) {
                _cleanup_free_ char *path = NULL;
                int r;

                if (trust_is_oci_fingerprint(*f)) {
                        r = trust_oci_remove(v, a, *f, e);
                        if (r < 0)
                                return r;
                        continue;
                }
                for (char *p = *f; *p; p++)
                        if (*p >= 'A' && *p <= 'F')
                                *p = (char) (*p - 'A' + 'a');
                r = keyring_remove(v->system_config, v->local_config, a->prefix, *f, &path, e);
                if (r < 0)
                        return r;
                log_info(r > 0 ? "Hid the system's key by an empty file at \"%s\"" : "Removed key \"%s\"",
                         path);
        }
        return 0;
}

static int check_args(const TrustArgs *a, int argc, Error *e) {
        if (a->prefix && a->root)
                return error_setf(e, -EINVAL, "--root and --prefix usage mutually exclusive");
        if (a->list && (a->remove || argc > 0))
                return error_setf(e, -EINVAL,
                                  "--list shows the trusted keys; it takes no KEY and no --remove");
        if (a->list)
                return 0;
        if (!a->prefix && !a->root)
                return error_setf(
                        e, -EINVAL,
                        "aborting due to implicit unbounded trust (root domain): pass --prefix=NAME for the "
                        "images that the key may sign, or --root for all");
        if (a->remove && a->cosign_key)
                return error_setf(e, -EINVAL,
                                  "--remove takes the fingerprint of the key (SHA256:...), not its file");
        if (a->insecure && (a->cosign_key || argc > 0))
                return error_setf(e, -EINVAL,
                                  "--insecure is for images that no key verifies; it takes no key");
        if (a->cosign_key && argc > 0)
                return error_setf(e, -EINVAL,
                                  "--cosign-key=FILE is the key; there cannot be a KEY beside it");
        if (a->insecure || a->cosign_key)
                return 0;
        if (a->remove && argc == 0)
                return error_setf(e, -EINVAL, "--remove needs the fingerprint of the key");
        if (a->root && argc == 0)
                return error_setf(e, -EINVAL, "--root needs the key: there is no host to ask for it");
        return 0;
}

static int trust_run(const VerbContext *c, int argc, char **args, void *options, Error *e) {
        _cleanup_strv_free_ char **found = NULL;
        const ConfigDirs dirs = { .system = c->system_config,
                                  .local = c->local_config,
                                  .user = c->user_config };
        _cleanup_(config_freep) Config *config = NULL;
        TrustArgs *a = options;
        InsecureFlags insecure;
        int r;

        r = check_args(a, argc, e);
        insecure = c->insecure;
        if (r < 0)
                return r;
        if (a->list)
                return list_keys(c, a, e);
        if (a->insecure && a->remove)
                return trust_oci_remove(c, a, NULL, e);
        if (a->insecure || a->cosign_key)
                return trust_oci_add(c, a, e);
        if (a->remove)
                return remove_keys(c, a, args, e);
        if (a->insecure_allow_http)
                insecure |= INSECURE_PUBKEY;
        r = config_load(&dirs, CONFIG_NETWORK, &config, e);
        if (r < 0)
                return r;
        STRV_FOREACH (w, config->warnings)
                log_warning("%s", *w);
        if (argc == 0) {
                r = trust_discover(a->prefix, insecure, config, &found, e);
                if (r < 0)
                        return r;
                args = found;
        }
        STRV_FOREACH (k, args) {
                r = trust_file(c, a, *k, insecure, config, args == found, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const Option trust_options[] = {
        { "cosign-key", 0, OPTION_STRING, offsetof(TrustArgs, cosign_key), .value = "FILE",
          .help = "public key that signs images of registries" },
        { "insecure", 0, OPTION_BOOL, offsetof(TrustArgs, insecure),
          .help = "take images of registries without verification" },
        { "insecure-allow-http", 0, OPTION_BOOL, offsetof(TrustArgs, insecure_allow_http),
          .help = "allow HTTP use for key discovery and retrieval" },
        { "list", 0, OPTION_BOOL, offsetof(TrustArgs, list), .help = "show the keys that are trusted" },
        { "prefix", 0, OPTION_STRING, offsetof(TrustArgs, prefix), .value = "NAME",
          .help = "prefix to limit trust to" },
        { "remove", 0, OPTION_BOOL, offsetof(TrustArgs, remove),
          .help = "trust no longer; KEY is a fingerprint" },
        { "root", 0, OPTION_BOOL, offsetof(TrustArgs, root), .help = "add root key without a prefix" },
        { "skip-fingerprint-review", 0, OPTION_BOOL, offsetof(TrustArgs, skip_review),
          .help = "accept key without fingerprint confirmation" },
        {},
};

const Verb verb_trust = {
        .name = "trust",
        .flags = VERB_NO_DATA,
        .max_args = VERB_ARGS_ANY,
        .usage = "[--prefix=NAME | --root | --list] [KEY...]",
        .section = SECTION_IMAGES,
        .help = "Trust a key for image verification",
        .description = "A KEY is the path or the https URL of armored OpenPGP public keys. Without one, "
                       "the keys are "
                       "looked for where the prefix's own host says that they are. With --cosign-key, the "
                       "prefix is that "
                       "of images of registries: docker://quay.io/coreos.",
        .prefix = "pubkey",
        .options = trust_options,
        .options_size = sizeof(TrustArgs),
        .run = trust_run,
};

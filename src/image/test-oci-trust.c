/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trust.d: what its files may say, who may write them, which of them counts for an image. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "basic/fd.h"
#include "basic/fs-at.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "basic/tmpfile.h"
#include "image/oci-trust-file.h"
#include "image/oci-trust-write.h"
#include "image/oci-trust.h"

static char *top;

static void write_file(const char *name, const char *text) {
        _cleanup_free_ char *path = strf("%s/%s", top, name), *folder = strdup(path);

        *strrchr(folder, '/') = '\0';
        assert_int_equal(mkdir_parents_at(AT_FDCWD, folder, 0755), 0);
        assert_int_equal(file_write_at(AT_FDCWD, path, text, strlen(text), 0644, FILE_WRITE_NO_SYNC), 0);
}

static void copy_data(const char *from, const char *to) {
        _cleanup_free_ char *path = strf("%s/%s", getenv("RKT_TEST_DATA"), from), *text = NULL;

        assert_int_equal(file_read_at(AT_FDCWD, path, 65536, &text, NULL), 0);
        write_file(to, text);
}

static int setup(void **state) {
        char template[] = "/tmp/test-oci-trust-XXXXXX";

        top = strdup(mkdtemp(template));
        copy_data("data/cosign/p256.pub", "etc/trustedkeys/cosign.d/p256.pub");
        copy_data("data/cosign/p256.pub", "usr/trustedkeys/cosign.d/p256.pub");
        copy_data("data/cosign/ed25519.pub", "keys/ed25519.pub");
        copy_data("data/cosign/rsa1024.pub", "keys/weak.pub");
        copy_data("corpus/fuzz-pgp-key/alice.asc", "keys/alice.asc");
        return top ? 0 : -1;
}

static int teardown(void **state) {
        (void) remove_tree_at(AT_FDCWD, top);
        free(top);
        return 0;
}

static int load(OciTrust **ret, Error *e) {
        _cleanup_free_ char *system = strf("%s/usr", top), *local = strf("%s/etc", top),
                            *user = strf("%s/home", top);

        return oci_trust_load(system, local, user, ret, e);
}

static const OciTrustPolicy *find(const OciTrust *t, const char *name) {
        _cleanup_(oci_name_freep) OciName *n = NULL;

        assert_int_equal(oci_name_parse(name, &n, NULL), 0);
        return oci_trust_policy(t, n);
}

static void test_prefix(void **state) {
        static const char *const good[][2] = {
                { "docker://quay.io/coreos", "quay.io/coreos" },
                { "quay.io/", "quay.io" },
                { "docker:index.docker.io/bitnami", "docker.io/bitnami" },
                { "docker.io/library/redis", "docker.io/library/redis" },
                { "docker.io", "docker.io" },
                { "Registry.Example.com:5000/a/b/", "registry.example.com:5000/a/b" },
                { "localhost/x", "localhost/x" },
                { "[::1]:5000", "[::1]:5000" },
                { "*", "*" },
        };
        static const char *const bad[] = { "",
                                           "/",
                                           "redis",
                                           "library/redis",
                                           "quay.io/a:1",
                                           "quay.io/A",
                                           "quay.io//a",
                                           "quay.io/a@sha256:00",
                                           "**",
                                           "quay.io/*",
                                           "quay.io:x",
                                           "a.b/..",
                                           "docker://",
                                           "oci:/srv" };

        FOREACH_ARRAY (g, good, ELEMENTSOF(good)) {
                _cleanup_free_ char *s = NULL;

                assert_int_equal(oci_trust_prefix_normalize((*g)[0], &s, NULL), 0);
                assert_string_equal(s, (*g)[1]);
        }
        FOREACH_ARRAY (b, bad, ELEMENTSOF(bad)) {
                _cleanup_error_ Error e = ERROR_INIT;
                _cleanup_free_ char *s = NULL;

                if (oci_trust_prefix_normalize(*b, &s, &e) != -EINVAL)
                        fail_msg("'%s' became '%s'", *b, str_or(s, ""));
                assert_non_null(e.message);
        }
}

static void test_bad_files(void **state) {
        static const struct {
                const char *text, *part;
        } cases[] = {
                { "Prefix=quay.io\n", "x.conf:1: 'Prefix=' stands before [Trust]" },
                { "[Trust]\nInsecure=yes\n", "x.conf:1: Prefix= is missing" },
                { "[Trust]\nPrefix=quay.io\n", "x.conf:1: wanted is one of" },
                { "\n[Trust]\nPrefix=quay.io\nInsecure=yes\nReject=yes\n", "x.conf:2: wanted is one of" },
                { "[Trust]\nPrefix=quay.io\nInsecure=yes\nCosignKey=/a\n", "found several" },
                { "[Trust]\nPrefix=quay.io\nInsecure=maybe\n", "x.conf:3: Insecure=: 'maybe' is neither" },
                { "[Trust]\nPrefix=quay.io\nCosignkey=/a\n", "x.conf:3: 'Cosignkey=' is not known" },
                { "[Trust]\nPrefix=redis\n", "x.conf:2: Prefix=: 'redis' does not begin with a registry" },
                { "[Trusted]\n", "x.conf:1: section [Trusted] is not known" },
                { "[Trust]\nPrefix=quay.io\nCosignKey=../a\n", "x.conf:3: CosignKey=: '../a' is no path" },
                { "[Trust]\nPrefix=quay.io\nOpenPGPKey=/a\n", "needs Lookaside=" },
                { "[Trust]\nPrefix=quay.io\nOpenPGPKey=/a\nLookaside=http://a\n", "x.conf:4: Lookaside=" },
                { "[Trust]\nPrefix=quay.io\nCosignKey=/a\nLookaside=https://a\n", "without OpenPGPKey=" },
                { "[Trust]\nPrefix=quay.io\nCosignKey=/a\nIdentity=none\n", "none of match, repository" },
                { "[Trust]\nPrefix=quay.io\nInsecure=yes\nIdentity=match\n", "without a key" },
                { "[Trust]\nPrefix=*\nCosignKey=/a\nSignedAs=quay.io\n", "for every image" },
                { "[Trust]\nPrefix\n", "x.conf:2: missing '='" },
        };

        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                _cleanup_(oci_trust_sections_done) OciTrustSections s = {};
                _cleanup_error_ Error e = ERROR_INIT;

                assert_true(oci_trust_file_parse(c->text, strlen(c->text), "x.conf", &s, &e) < 0);
                if (!strstr(e.message, c->part))
                        fail_msg("%s: '%s' is not in it", e.message, c->part);
        }
}

static void test_longest_prefix(void **state) {
        _cleanup_(oci_trust_freep) OciTrust *t = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *alice = strf("[Trust]\nPrefix=quay.io/team/pgp\nOpenPGPKey=%s/keys/alice.asc\n"
                                          "Lookaside=https://sigs.example.com\nSignedAs=example.com/pgp\n"
                                          "Identity=exact\n",
                                          top);
        _cleanup_free_ char *second =
                strf("[Trust]\nPrefix=quay.io/team\nCosignKey=%s/keys/ed25519.pub\n", top);
        const OciTrustPolicy *p;

        write_file("etc/trust.d/10-team.conf",
                   "[Trust]\nPrefix=docker://quay.io/team\nCosignKey=cosign.d/p256.pub\n");
        write_file("etc/trust.d/11-more.conf", second);
        write_file("etc/trust.d/12-pgp.conf", alice);
        write_file("usr/trust.d/10-team.conf", "[Trust]\nPrefix=masked.io\nReject=yes\n");
        write_file("usr/trust.d/20-rest.conf",
                   "[Trust]\nPrefix=*\nReject=yes\n[Trust]\nPrefix=docker.io\nInsecure=yes\n");
        write_file("usr/trust.d/30-gone.conf", "this is [no file\n");
        write_file("home/trust.d/30-gone.conf", "");
        write_file("etc/trust.d/README", "not read");
        assert_int_equal(load(&t, &e), 0);

        p = find(t, "docker://quay.io/team/app:1");
        assert_string_equal(p->prefix, "quay.io/team");
        assert_int_equal(p->n_keys, 2);
        assert_int_equal(p->identity, COSIGN_IDENTITY_MATCH);
        assert_int_equal(strv_length(p->where), 2);
        assert_true(oci_trust_wants_cosign(p));
        assert_string_equal(find(t, "docker://quay.io/team")->prefix, "quay.io/team");
        assert_string_equal(find(t, "docker://quay.io/teams/app")->prefix, "*");
        assert_string_equal(find(t, "docker://quay.io.evil.com/team/app")->prefix, "*");
        assert_string_equal(find(t, "docker://quay.io:443/team/app")->prefix, "*");
        assert_string_equal(find(t, "docker://masked.io/app")->prefix, "*");
        assert_true(find(t, "docker://redis")->insecure);
        p = find(t, "docker://quay.io/team/pgp/x@sha256:"
                    "05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f");
        assert_string_equal(p->prefix, "quay.io/team/pgp");
        assert_int_equal(p->openpgp->n_keys, 1);
        assert_string_equal(p->signed_as, "example.com/pgp");
        assert_int_equal(p->identity, COSIGN_IDENTITY_EXACT);
        assert_false(oci_trust_wants_cosign(p));
        assert_null(find(t, "oci:/srv/layout"));
        assert_int_equal(remove_tree_at(AT_FDCWD, top), 0);
        teardown(state);
        setup(state);
}

static void check_refused(const char *part, int error) {
        _cleanup_(oci_trust_freep) OciTrust *t = NULL;
        _cleanup_error_ Error e = ERROR_INIT;

        assert_int_equal(load(&t, &e), error);
        if (!strstr(e.message, part))
                fail_msg("%s: '%s' is not in it", e.message, part);
}

/* One file that is wrong refuses all: what it demanded is not known. */
static void test_refused(void **state) {
        _cleanup_free_ char *weak = strf("[Trust]\nPrefix=a.io\nCosignKey=%s/keys/weak.pub\n", top);
        _cleanup_free_ char *path = strf("%s/etc/trust.d/a.conf", top);
        _cleanup_free_ char *folder = strf("%s/etc/trust.d", top),
                            *key = strf("%s/etc/trustedkeys/cosign.d/p256.pub", top);

        write_file("etc/trust.d/a.conf", "[Trust]\nPrefix=a.io\nCosignKey=cosign.d/none.pub\n");
        check_refused("cosign.d/none.pub", -ENOENT);
        write_file("etc/trust.d/a.conf", weak);
        check_refused("must have 2048 to 16384 bits, this has 1024", -EKEYREJECTED);
        write_file("etc/trust.d/a.conf", "[Trust]\nPrefix=a.io\nCosignKey=cosign.d/p256.pub\n");
        write_file("etc/trust.d/b.conf", "[Trust]\nPrefix=a.io\nInsecure=yes\n");
        check_refused("say different things for 'a.io'", -EINVAL);
        write_file("etc/trust.d/b.conf",
                   "[Trust]\nPrefix=a.io\nCosignKey=cosign.d/p256.pub\nIdentity=exact\n"
                   "[Trust]\nPrefix=a.io\nCosignKey=cosign.d/p256.pub\nIdentity=match\n");
        check_refused("Identity=", -EINVAL);
        write_file("etc/trust.d/b.conf", "");
        assert_int_equal(chmod(path, 0664), 0);
        check_refused("can be written by others", -EPERM);
        assert_int_equal(chmod(path, 0644), 0);
        assert_int_equal(chmod(key, 0646), 0);
        check_refused("p256.pub' can be written by others", -EPERM);
        assert_int_equal(chmod(key, 0644), 0);
        assert_int_equal(chmod(folder, 0777), 0);
        check_refused("trust.d' can be written by others", -EPERM);
        assert_int_equal(chmod(folder, 0755), 0);
        if (geteuid() == 0) {
                assert_int_equal(chown(path, 4711, 0), 0);
                check_refused("belongs to user 4711", -EPERM);
        }
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0755), 0);
        check_refused("is not a regular file", -EINVAL);
        teardown(state);
        setup(state);
}

static void test_demand(void **state) {
        const OciTrustPolicy insecure = { .prefix = (char[]){ "a.io" }, .insecure = true };
        const OciTrustPolicy keyed = { .prefix = (char[]){ "a.io" }, .n_keys = 1 };
        const OciTrustPolicy reject = { .prefix = (char[]){ "a.io" },
                                        .reject = true,
                                        .where = (char *[]){ (char[]){ "x.conf:1" }, NULL } };
        _cleanup_(oci_name_freep) OciName *n = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        OciTrustDemand d;

        assert_int_equal(oci_name_parse("docker://a.io/app", &n, NULL), 0);
        assert_int_equal(oci_trust_demand(NULL, n, false, &d, &e), -ENOKEY);
        assert_non_null(strstr(e.message, "signature verification for docker images is not supported (try "
                                          "--insecure-options=image)"));
        assert_non_null(strstr(e.message, "--prefix=docker://a.io/app"));
        assert_int_equal(oci_trust_demand(NULL, n, true, &d, NULL), 0);
        assert_int_equal(d, OCI_TRUST_NOTHING);
        assert_int_equal(oci_trust_demand(&insecure, n, false, &d, NULL), 0);
        assert_int_equal(d, OCI_TRUST_NOTHING);
        assert_int_equal(oci_trust_demand(&keyed, n, false, &d, NULL), 0);
        assert_int_equal(d, OCI_TRUST_VERIFY);
        assert_int_equal(oci_trust_demand(&keyed, n, true, &d, NULL), 0);
        assert_int_equal(d, OCI_TRUST_NOTHING);
        assert_int_equal(oci_trust_demand(&reject, n, true, &d, &e), -EPERM);
        assert_non_null(strstr(e.message, "x.conf:1"));
}

/* An image of the store: as good as its signatures are now. */
static void test_still_vouches(void **state) {
        OciTrustKey key = { .key.fingerprint = "SHA256:aa" };
        TrustedKey pgp = { .key.fingerprint = "00aa" };
        Keyring ring = { .keys = &pgp, .n_keys = 1 };
        const OciTrustPolicy p = { .prefix = (char[]){ "a.io" },
                                   .keys = &key,
                                   .n_keys = 1,
                                   .openpgp = &ring,
                                   .where = (char *[]){ (char[]){ "x.conf:1" }, NULL } };
        _cleanup_(oci_name_freep) OciName *n = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        StoreImage i = STORE_IMAGE_INIT;

        assert_int_equal(oci_name_parse("docker://a.io/app", &n, NULL), 0);
        assert_int_equal(oci_trust_still_vouches(&p, n, &i, &e), -EKEYREJECTED);
        assert_non_null(strstr(e.message, "fetched without verification"));
        i.signed_by = (char *[]){ (char[]){ "SHA256:aa" }, NULL };
        i.reference = (char[]){ "docker://a.io/other:latest" };
        assert_int_equal(oci_trust_still_vouches(&p, n, &i, &e), -EKEYREJECTED);
        assert_non_null(strstr(e.message, "was verified as 'docker://a.io/other:latest'"));
        i.reference = (char[]){ "docker://a.io/app:latest" };
        i.signed_by = (char *[]){ (char[]){ "SHA256:bb" }, NULL };
        assert_int_equal(oci_trust_still_vouches(&p, n, &i, &e), -EKEYREJECTED);
        assert_non_null(strstr(e.message, "does not trust"));
        i.signed_by = (char *[]){ (char[]){ "SHA256:bb" }, (char[]){ "SHA256:aa" }, NULL };
        assert_int_equal(oci_trust_still_vouches(&p, n, &i, NULL), 0);
        i.signed_by = (char *[]){ (char[]){ "00AA" }, NULL };
        assert_int_equal(oci_trust_still_vouches(&p, n, &i, NULL), 0);
}

static void test_write(void **state) {
        _cleanup_free_ char *system = strf("%s/usr", top), *local = strf("%s/etc", top),
                            *file = strf("%s/keys/ed25519.pub", top), *pem = NULL, *path = NULL,
                            *second = NULL, *key_path = NULL, *gone = NULL;
        _cleanup_(oci_trust_freep) OciTrust *t = NULL, *after = NULL;
        _cleanup_(cosign_key_done) CosignKey key = COSIGN_KEY_INIT;
        OciTrustEntry entry = { .system_config = system, .local_config = local, .prefix = "quay.io/team" };
        _cleanup_error_ Error e = ERROR_INIT;
        struct stat st;

        assert_int_equal(file_read_at(AT_FDCWD, file, 65536, &pem, NULL), 0);
        assert_int_equal(cosign_key_parse(pem, strlen(pem), &key, NULL), 0);
        entry.key = &key;
        assert_int_equal(oci_trust_add(&entry, &path, &e), 0);
        assert_non_null(strstr(path, "etc/trust.d/quay.io-team-"));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        entry.prefix = OCI_TRUST_EVERY;
        assert_int_equal(oci_trust_add(&entry, &second, &e), 0);
        assert_int_equal(load(&t, &e), 0);
        assert_int_equal(t->n_policies, 2);
        assert_string_equal(oci_trust_find_prefix(t, "quay.io/team")->keys[0].key.fingerprint,
                            key.fingerprint);
        key_path = strdup(oci_trust_find_prefix(t, "*")->keys[0].path);

        /* what would contradict is not written */
        entry.prefix = "quay.io/team";
        entry.key = NULL;
        assert_int_equal(oci_trust_add(&entry, &gone, &e), -EEXIST);
        assert_non_null(strstr(e.message, "is verified by"));
        assert_int_equal(oci_trust_remove(&entry, NULL, &gone, &e), -ENOENT);

        assert_int_equal(oci_trust_remove(&entry, key.fingerprint, &gone, &e), 0);
        assert_string_equal(gone, path);
        free(TAKE_PTR(gone));
        assert_int_equal(stat(key_path, &st), 0); /* still needed */
        assert_int_equal(oci_trust_remove(&entry, key.fingerprint, &gone, &e), -ENOENT);
        entry.prefix = OCI_TRUST_EVERY;
        assert_int_equal(oci_trust_remove(&entry, key.fingerprint, &gone, &e), 0);
        free(TAKE_PTR(gone));
        assert_int_equal(stat(key_path, &st), -1);

        entry.prefix = "registry.example.com:5000";
        entry.key = NULL;
        free(TAKE_PTR(path));
        assert_int_equal(oci_trust_add(&entry, &path, &e), 0);
        assert_int_equal(load(&after, &e), 0);
        assert_true(oci_trust_find_prefix(after, entry.prefix)->insecure);
        entry.key = &key;
        assert_int_equal(oci_trust_add(&entry, &gone, &e), -EEXIST);
        assert_non_null(strstr(e.message, "without verification"));
        teardown(state);
        setup(state);
}

/* ---- through the workers ---- */

#define MANIFEST "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"
#define OTHER    "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static OciSignature signature(OciSignatureKind kind, const char *payload, const char *sig) {
        const char *files[] = { payload, sig };
        OciSignature s = { .kind = kind };

        for (size_t i = 0; i < 2; i++) {
                _cleanup_free_ char *path =
                        files[i] ? strf("%s/data/cosign/%s", getenv("RKT_TEST_DATA"), files[i]) : NULL;
                size_t *size = i == 0 ? &s.payload_size : NULL;

                if (path)
                        assert_int_equal(
                                file_read_at(AT_FDCWD, path, 65536, i == 0 ? &s.payload : &s.signature, size),
                                0);
        }
        return s;
}

/* What oci_trust_verify() says of one signature, or of none; the identity of who signed, by @ret. */
static int verify(const OciTrust *t, const char *asked, const char *digest, OciSignature s,
                  StoreSignature *ret, Error *e) {
        char *digests[] = { (char[]){ OTHER }, strdup(digest), NULL };
        _cleanup_(oci_name_freep) OciName *n = NULL;
        StoreSignature *good = NULL;
        size_t n_good = 0;
        int r;

        assert_int_equal(oci_name_parse(asked, &n, NULL), 0);
        r = oci_trust_verify(oci_trust_policy(t, n), n, digests, &s, s.payload ? 1 : 0, &good, &n_good, e);
        free(digests[1]);
        oci_signature_done(&s);
        print_message("# %s: %s\n", asked, r < 0 ? e->message : good->fingerprint);
        if (r < 0)
                return r;
        assert_int_equal(n_good, 1);
        *ret = *good;
        free(good);
        return 0;
}

static void done(StoreSignature *s) {
        free(s->fingerprint);
        free(s->identity);
        free(s->key_file);
        *s = (StoreSignature){};
}

#define APP "docker://registry.example.com/team/app:1"

static void test_verify_cosign(void **state) {
        const OciSignature none = {};
        _cleanup_(oci_trust_freep) OciTrust *t = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *key = strf("%s/etc/trustedkeys/cosign.d/p256.pub", top);
        StoreSignature by;

        write_file("etc/trust.d/a.conf",
                   "[Trust]\nPrefix=registry.example.com/team\nCosignKey=cosign.d/p256.pub\n"
                   "[Trust]\nPrefix=copy.example.com/x\nCosignKey=cosign.d/p256.pub\n"
                   "SignedAs=registry.example.com/team\n");
        assert_int_equal(load(&t, &e), 0);
        assert_int_equal(
                verify(t, APP, MANIFEST, signature(OCI_SIGNATURE_COSIGN, "payload", "p256.sig"), &by, &e), 0);
        assert_int_equal(strncmp(by.fingerprint, "SHA256:", 7), 0);
        assert_string_equal(by.key_file, key);
        assert_int_equal(by.time_usec, UINT64_C(1795317166) * USEC_PER_SEC);
        done(&by);
        assert_int_equal(
                verify(t, APP, MANIFEST, signature(OCI_SIGNATURE_BUNDLE, "p256.bundle", NULL), &by, &e), 0);
        done(&by);
        assert_int_equal(verify(t, "docker://copy.example.com/x/app:1", MANIFEST,
                                signature(OCI_SIGNATURE_COSIGN, "payload", "p256.sig"), &by, &e),
                         0);
        done(&by);
        assert_int_equal(
                verify(t, APP, MANIFEST, signature(OCI_SIGNATURE_COSIGN, "payload", "p384.sig"), &by, &e),
                -EKEYREJECTED);
        assert_non_null(
                strstr(e.message, "etc/trust.d/a.conf:1 accepts: the signature was not made by key SHA256:"));
        assert_int_equal(
                verify(t, APP, OTHER, signature(OCI_SIGNATURE_COSIGN, "payload", "p256.sig"), &by, &e),
                -EKEYREJECTED);
        assert_non_null(strstr(e.message, "for another image"));
        assert_int_equal(verify(t, "docker://registry.example.com/team/other:1", MANIFEST,
                                signature(OCI_SIGNATURE_COSIGN, "payload", "p256.sig"), &by, &e),
                         -EKEYREJECTED);
        assert_non_null(strstr(e.message, "not for registry.example.com/team/other"));
        assert_int_equal(verify(t, APP, MANIFEST, none, &by, &e), -ENODATA);
        assert_non_null(strstr(e.message, "has no signature, which"));
        /* another kind than the policy wants */
        assert_int_equal(
                verify(t, APP, MANIFEST, signature(OCI_SIGNATURE_OPENPGP, "carol.message", NULL), &by, &e),
                -ENODATA);
        teardown(state);
        setup(state);
}

static void test_verify_openpgp(void **state) {
        static const struct {
                const char *file;
                const char *part; /* NULL: good */
        } cases[] = {
                { "carol.message", NULL },
                { "dave.message", "none of OpenPGPKey=" },
                { "two.message", "more than one signature" },
                { "twice.message", "" },
                { "clear.message", "of a kind that is not accepted" },
                { "detached.message", "" },
                { "sha1.message", "" },
                { "cosign.message", "has the type 'cosign container image signature'" },
                { "payload", "no OpenPGP signature" },
        };
        _cleanup_(oci_trust_freep) OciTrust *t = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        StoreSignature by;

        if (access("/usr/bin/gpgv", X_OK) < 0) {
                print_message("# skipped: there is no gpgv\n");
                skip();
        }
        copy_data("data/cosign/carol.asc", "etc/trustedkeys/carol.asc");
        write_file("etc/trust.d/a.conf", "[Trust]\nPrefix=registry.example.com\nOpenPGPKey=carol.asc\n"
                                         "Lookaside=https://signatures.example.com\n");
        assert_int_equal(load(&t, &e), 0);
        FOREACH_ARRAY (c, cases, ELEMENTSOF(cases)) {
                int r = verify(t, APP, MANIFEST, signature(OCI_SIGNATURE_OPENPGP, c->file, NULL), &by, &e);

                print_message("# %s: %d\n", c->file, r);
                assert_int_equal(r, c->part ? -EKEYREJECTED : 0);
                if (c->part) {
                        assert_non_null(strstr(e.message, c->part));
                        continue;
                }
                assert_string_equal(by.identity, "carol <carol@example.com>");
                assert_int_equal(strlen(by.fingerprint), 40);
                done(&by);
        }
        assert_int_equal(verify(t, "docker://registry.example.com/team/app:2", MANIFEST,
                                signature(OCI_SIGNATURE_OPENPGP, "carol.message", NULL), &by, &e),
                         -EKEYREJECTED);
        assert_non_null(strstr(e.message, "not for '2'"));
        assert_int_equal(
                verify(t, APP, OTHER, signature(OCI_SIGNATURE_OPENPGP, "carol.message", NULL), &by, &e),
                -EKEYREJECTED);
        teardown(state);
        setup(state);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_prefix),         cmocka_unit_test(test_bad_files),
                cmocka_unit_test(test_longest_prefix), cmocka_unit_test(test_refused),
                cmocka_unit_test(test_demand),         cmocka_unit_test(test_still_vouches),
                cmocka_unit_test(test_write),          cmocka_unit_test(test_verify_cosign),
                cmocka_unit_test(test_verify_openpgp),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which images of registries are taken: trust.d, cosign's signatures old and new, simple signing (issue: verification policy;
ecosystem 1.8). Nothing of an image is got before somebody whom we trust has spoken for it."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from images import oci, signing

from conftest import CACHE

TRUST, KEYS = pathlib.Path("/etc/rkt/trust.d"), pathlib.Path("/etc/rkt/trustedkeys")
UNSUPPORTED = "signature verification for docker images is not supported (try --insecure-options=image)"
INSECURE = "--insecure-options=image"
OTHER = "sha256:" + 64 * "0"
pytestmark = pytest.mark.usefixtures("installed", "no_images", "no_trust")


@pytest.fixture
def no_trust():
    """Nothing is said about registries, before and after."""
    def clean():
        shutil.rmtree(TRUST, ignore_errors=True)
        shutil.rmtree(KEYS / "cosign.d", ignore_errors=True)
    clean()
    yield
    clean()


def key_of(kind="p256", name="cosign"):
    """A key pair of a kind."""
    return signing.Key(f"{CACHE}/cosign", name, kind)


def small(text=b"hello"):
    """An image that is quickly got."""
    return oci.Image([oci.tar({"etc": None, "etc/hello": text})], app={"Cmd": ["/bin/true"]})


def write(text, name="test.conf"):
    """A file of trust.d."""
    TRUST.mkdir(mode=0o755, parents=True, exist_ok=True)
    (TRUST / name).write_text(text)
    os.chmod(TRUST / name, 0o644)


class Shelf:
    """An image in a registry, and how it is asked for."""

    def __init__(self, host, registry, image=None, repository="a/b", tag="1"):
        self.host, self.registry, self.repository = host, registry, repository
        self.image = image or small()
        self.publish = getattr(registry, "publish", None) or registry.push
        self.publish(self.image, repository, tag)
        self.name = f"{registry.host}/{repository}"
        self.url = f"docker://{self.name}:{tag}"

    def trust(self, key, *words, prefix=None):
        """rkt trust."""
        self.host.rkt("trust", "--skip-fingerprint-review", f"--cosign-key={key.public}",
                      f"--prefix=docker://{prefix or self.registry.host}", *words)

    def sign(self, key, digest=None, reference=None, data=None):
        """As cosign 2."""
        digest = digest or self.image.digest
        return signing.cosign(self.publish, key, digest, reference or self.name, self.repository, data)

    def fetch(self, *words, check=True):
        """rkt fetch."""
        return self.host.rkt(*words, "fetch", self.url, check=check)

    def refused(self, *patterns, words=()):
        """The fetch ends with one sentence, no layer was asked for, and nothing is left."""
        self.registry.requests = []
        done = self.fetch(*words, check=False)
        assert done.rc == 254 and done.out == "", done
        lines = [li for li in done.err.splitlines() if "remote fetching" not in li]
        assert len(lines) == 1 and all(c.isprintable() for c in lines[0]), done
        for pattern in patterns:
            assert re.search(pattern, lines[0]), f"{pattern!r} is not in {done!r}"
        layers = json.loads(self.image.manifest).get("layers", []) if isinstance(self.image, oci.Image) else []
        for layer in layers:
            assert not getattr(self.registry, "asked", lambda _: [])(f"*/blobs/{layer['digest']}")
        assert self.host.rkt("image", "list", "--no-legend").out == ""
        assert os.listdir("/var/lib/rkt/cas/tmp") == []

    def signed_by(self):
        """What image list says."""
        listed = json.loads(self.host.rkt("image", "list", "--format=json").out)
        assert len(listed) == 1
        return self.host.rkt("image", "list", "--no-legend", "--full", "--fields=signed").out.strip()


@pytest.fixture
def shelf(host, fake_registry):
    """An image in a registry of ours."""
    return Shelf(host, fake_registry)


# --- without a key ---------------------------------------------------------------------------------------------------

def test_nothing_said(shelf):
    """As rkt: not without --insecure-options=image, and nobody is asked."""
    shelf.refused(re.escape(UNSUPPORTED), rf"rkt trust --cosign-key=FILE --prefix=docker://{shelf.name}")
    assert shelf.registry.requests == []
    shelf.fetch(INSECURE)
    assert shelf.signed_by() == "no"


def test_insecure_by_policy(host, shelf):
    """rkt trust --insecure: a warning when it is said, none later."""
    done = host.rkt("trust", "--insecure", "--skip-fingerprint-review", f"--prefix={shelf.registry.host}/a")
    assert "without any verification" in done.err
    shelf.fetch()
    host.rkt("trust", "--remove", "--insecure", f"--prefix={shelf.registry.host}/a")
    host.rkt("image", "rm", host.rkt("image", "list", "--no-legend", "--fields=id").out.strip())
    shelf.refused(re.escape(UNSUPPORTED))


def test_reject(shelf):
    """Reject=yes, with --insecure-options=image too."""
    write(f"[Trust]\nPrefix={shelf.registry.host}/a/b\nReject=yes\n[Trust]\nPrefix=*\nInsecure=yes\n")
    shelf.refused(r"rejected by /etc/rkt/trust.d/test.conf:1")
    shelf.refused("rejected", words=[INSECURE])
    assert shelf.registry.requests == []


@pytest.mark.parametrize("text,pattern", [
    ("[Trust]\nPrefix=registry.test\nInsecure=perhaps\n", "test.conf:3"),
    ("[Trust]\nPrefix=elsewhere.test\nCosignKey=/nonexistent.pub\n", "/nonexistent.pub"),
    ("[Trust]\nPrefix=elsewhere.test\n", "test.conf:1: wanted is one of"),
])
def test_broken_file(shelf, text, pattern):
    """A file that is not understood refuses every image, also of other registries."""
    write(f"[Trust]\nPrefix={shelf.registry.host}\nInsecure=yes\n", "good.conf")
    write(text)
    shelf.refused(pattern)


def test_file_of_everybody(shelf):
    """What others can write is not read."""
    write(f"[Trust]\nPrefix={shelf.registry.host}\nInsecure=yes\n")
    os.chmod(TRUST / "test.conf", 0o666)
    shelf.refused("can be written by others")
    os.chmod(TRUST / "test.conf", 0o644)
    os.chown(TRUST / "test.conf", 65534, 0)
    shelf.refused("belongs to user 65534")


# --- cosign ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa2048"])
def test_signature_of_cosign_2(shelf, kind):
    """sha256-HEX.sig, by each kind of key."""
    key = key_of(kind)
    shelf.trust(key)
    shelf.sign(key)
    done = shelf.fetch()
    assert "signature verified" in done.err and key.fingerprint in done.err
    assert shelf.signed_by() == key.fingerprint


@pytest.mark.parametrize("fallback", [True, False])
def test_bundle_of_cosign_3(shelf, fallback):
    """By the tag sha256-HEX, and by the referrers API."""
    key = key_of("ed25519")
    shelf.registry.referrers = not fallback
    shelf.trust(key)
    signing.attach(shelf.publish, shelf.image, signing.bundle(key, shelf.image.digest), fallback=fallback)
    shelf.fetch()
    assert shelf.signed_by() == key.fingerprint


def test_signature_of_cosign_2_that_refers(shelf):
    """By the referrers API: one of another key, or of another image, is none."""
    key, other = key_of("ed25519"), key_of("p256")
    shelf.registry.referrers = True
    shelf.trust(key)
    signing.cosign_referrer(shelf.publish, other, shelf.image, shelf.name)
    shelf.refused("signature")
    signing.cosign_referrer(shelf.publish, key, shelf.image, shelf.name)
    shelf.fetch()
    assert shelf.signed_by() == key.fingerprint


def test_real_registry(host, debian_registry):
    """Debian's registry: it has no referrers API."""
    key, other = key_of(), key_of("p384")
    old = Shelf(host, debian_registry, small(b"old"), "signed/old")
    new = Shelf(host, debian_registry, small(b"new"), "signed/new")
    old.trust(key, prefix=f"{debian_registry.host}/signed")
    old.trust(other, prefix=f"{debian_registry.host}/signed")
    old.refused("has no signature")
    old.sign(key)
    old.fetch()
    signing.attach(new.publish, new.image, signing.bundle(other, new.image.digest), "signed/new")
    new.fetch()
    listed = host.rkt("image", "list", "--no-legend", "--full", "--fields=name,signed").out
    assert key.fingerprint in listed and other.fingerprint in listed


@pytest.mark.parametrize("what", ["index", "manifest"])
def test_index(host, fake_registry, what):
    """A signature on the index is as good as one on the manifest that it leads to."""
    image, key = small(), key_of()
    shelf = Shelf(host, fake_registry, oci.Index([image, oci.Image([oci.tar({"x": b""})], arch="s390x")]))
    shelf.trust(key)
    shelf.sign(key, shelf.image.digest if what == "index" else image.digest)
    shelf.fetch()
    assert shelf.signed_by() == key.fingerprint


def test_one_good_among_others(shelf):
    """What strangers attach changes nothing."""
    key, stranger = key_of(), key_of(name="stranger")
    shelf.trust(key)
    shelf.sign(stranger)
    signing.attach(shelf.publish, shelf.image, b"no bundle")
    shelf.refused("made by")
    signing.attach(shelf.publish, shelf.image, signing.bundle(key, shelf.image.digest))
    shelf.fetch()
    assert shelf.signed_by() == key.fingerprint


BAD = {
    "unsigned": (lambda s, k: None, "has no signature, which /etc/rkt/trust.d/"),
    "stranger": (lambda s, k: s.sign(key_of(name="stranger")), "was not made by key SHA256:"),
    "other image": (lambda s, k: s.sign(k, data=signing.payload(OTHER, s.name)), "for another image"),
    "other repository": (lambda s, k: s.sign(k, reference=f"{s.registry.host}/a/c"), "not for registry.test:"),
    "other registry": (lambda s, k: s.sign(k, reference="registry.test/a/b"), "not for registry.test:"),
    "other tag": (lambda s, k: s.sign(k, reference=f"{s.name}:2"), "not for '1'"),
    "other type": (lambda s, k: s.sign(k, data=signing.payload(s.image.digest, s.name, type="x")), "has the type 'x'"),
    "more": (lambda s, k: s.sign(k, data=signing.payload(s.image.digest, s.name, more=1)), "unknown member 'more'"),
    "no JSON": (lambda s, k: s.sign(k, data=b"\x1b[2J"), "what is signed"),
    "bundle of stranger": (lambda s, k: signing.attach(s.publish, s.image, signing.bundle(key_of(name="stranger"), s.image.digest)),
                           "was not made by key"),
    "bundle of other image": (lambda s, k: signing.attach(s.publish, s.image, signing.bundle(k, OTHER)), "for another image"),
    "attestation": (lambda s, k: signing.attach(s.publish, s.image, signing.bundle(k, s.image.digest, "https://slsa.dev/provenance/v1")),
                    "predicateType"),
    "no bundle": (lambda s, k: signing.attach(s.publish, s.image, b"{}"), "bundle"),
}


@pytest.mark.parametrize("what", list(BAD))
def test_refused(shelf, what):
    """Signed wrongly, or not at all."""
    sign, pattern = BAD[what]
    key = key_of()
    shelf.trust(key)
    sign(shelf, key)
    shelf.refused(pattern)


def test_signed_twice(shelf):
    """Two signatures at one tag, as cosign adds them; the second is ours."""
    key, stranger = key_of(), key_of(name="stranger")
    shelf.trust(key)
    signing.cosign(shelf.publish, [stranger, key], shelf.image.digest, shelf.name)
    shelf.fetch()
    assert shelf.signed_by() == key.fingerprint


def test_changed_after_signing(shelf):
    """The tag leads to another image; the old signature is still there."""
    key = key_of()
    shelf.trust(key)
    shelf.sign(key)
    shelf.publish(small(b"evil"), "a/b", "1")
    shelf.refused("has no signature")


def test_signature_taken_away(host, shelf):
    """An image that is here stays; it cannot be got again."""
    key = key_of()
    shelf.trust(key)
    shelf.sign(key)
    shelf.fetch()
    del shelf.registry.repositories["a/b"][0][signing.tag_of(shelf.image.digest, ".sig")]
    shelf.fetch()
    host.rkt("image", "rm", host.rkt("image", "list", "--no-legend", "--fields=id").out.strip())
    shelf.refused("has no signature")


def test_weak_key(host, shelf):
    """RSA with 1024 bits is refused where it is given."""
    key = key_of("rsa1024")
    done = host.rkt("trust", "--skip-fingerprint-review", f"--cosign-key={key.public}", "--prefix=registry.test", check=254)
    assert "must have 2048 to 16384 bits, this has 1024" in done.err
    write(f"[Trust]\nPrefix={shelf.registry.host}\nCosignKey={key.public}\n")
    shelf.refused("this has 1024")


@pytest.mark.parametrize("identity,reference,good", [
    ("match", "", True), ("match", ":1", True), ("match", ":2", False),
    ("repository", ":2", True), ("exact", "", False), ("exact", ":1", True),
])
def test_identity(shelf, identity, reference, good):
    """How much of the name must be signed."""
    key = key_of()
    write(f"[Trust]\nPrefix={shelf.registry.host}\nCosignKey={key.public}\nIdentity={identity}\n")
    shelf.sign(key, reference=shelf.name + reference)
    if good:
        shelf.fetch()
    else:
        shelf.refused("the signature is for")


def test_signed_as(shelf):
    """A copy of what was signed elsewhere."""
    key = key_of()
    shelf.sign(key, reference="quay.example.com/team/b")
    write(f"[Trust]\nPrefix={shelf.registry.host}/a\nCosignKey={key.public}\n")
    shelf.refused("not for registry.test")
    write(f"[Trust]\nPrefix={shelf.registry.host}/a\nCosignKey={key.public}\nSignedAs=quay.example.com/team\n")
    shelf.fetch()


def on_terminal(host, answer, *words):
    """A command with a terminal, and what a person types."""
    line = " ".join(str(w) for w in words)
    return host.run("script", "--quiet", "--return", "--command", line, "/dev/null", stdin=answer, check=False)


def test_asked(host):
    """A person sees the fingerprint and is asked; without one, nothing is trusted."""
    key, words = key_of(), ["trust", f"--cosign-key={key_of().public}", "--prefix=docker://quay.io/team"]
    assert "without a terminal" in host.rkt(*words, check=254).err
    for answer, listed in (("no\n", False), ("perhaps\nyes\n", True)):
        done = on_terminal(host, answer, "rkt", *words)
        assert done.rc == 0 and key.fingerprint in done.out and "ECDSA P-256" in done.out
        assert "Are you sure you want to trust this key (yes/no)?" in done.out
        assert (key.fingerprint in host.rkt("trust", "--list").out) == listed
    assert key.fingerprint in host.rkt("trust", "--list", "--prefix=quay.io/team/app").out
    assert key.fingerprint not in host.rkt("trust", "--list", "--prefix=quay.io/teams").out
    assert key.fingerprint not in host.rkt("trust", "--list", "--root").out


# --- what is in the store --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("pull", ["missing", "newer"])
def test_store_is_no_way_around(host, shelf, pull):
    """What came in unverified, or by a key that is not trusted any more, is not good enough once verification is demanded."""
    key, new = key_of(), key_of("p384")

    def fetch(check=True):
        return host.rkt("fetch", f"--pull-policy={PULL[pull]}", shelf.url, check=check)
    shelf.fetch(INSECURE)
    shelf.trust(key)
    done = fetch(check=254)
    assert "has no signature" in done.err
    shelf.sign(key)
    fetch()
    assert shelf.signed_by() == key.fingerprint
    host.rkt("trust", "--remove", f"--prefix={shelf.registry.host}", key.fingerprint)
    shelf.trust(new)
    assert "was not made by key" in fetch(check=254).err
    assert "does not trust" in host.rkt("fetch", "--pull-policy=never", shelf.url, check=254).err
    shelf.trust(key)
    asked = len(shelf.registry.asked("*/blobs/*"))
    fetch()
    assert len(shelf.registry.asked("*/blobs/*")) == asked


PULL = {"missing": "new", "newer": "update"}


def test_pod(host, fake_registry, pods):
    """A pod without InsecureOptions=: its units do what rkt fetch does; its status says whose signature it was."""
    key = key_of()
    script = "while :; do sleep 1; done"
    shelf = Shelf(host, fake_registry, oci.Image(
        [oci.tar({"bin": None, "bin/sh": (0o755, pathlib.Path("/bin/busybox").read_bytes()), "bin/sleep": "sh"})],
        app={"Cmd": ["/bin/sh", "-c", script]}))
    name = pods.write("signed", f"[App main]\nImage={shelf.url}\n")
    shelf.trust(key)
    assert pods.start(name, check=False).rc != 0
    assert "has no signature" in host.run("journalctl", "--no-pager", "-u", f"pod-image@{name}.service", "-n", "20").out
    shelf.sign(key)
    pods.start(name)
    assert f"signed-main={key.fingerprint}" in host.rkt("status", name).out.splitlines()


# --- simple signing --------------------------------------------------------------------------------------------------

def skopeo_sign(image, reference, signer, path):
    """What podman push --sign-by makes, by the tool of the same library."""
    manifest = path.with_suffix(".manifest")
    manifest.write_bytes(image.manifest)
    subprocess.run(["skopeo", "standalone-sign", "--output", path, manifest, reference, signer.fingerprint.upper()],
                   check=True, capture_output=True, env={**os.environ, "GNUPGHOME": signer.home})


@pytest.fixture
def lookaside(server, shelf, signer, tmp_path):
    """A function: signs the image by skopeo for a reference, where rkt looks for signatures."""
    def sign(reference, number=1, by=signer):
        path = tmp_path / f"signature-{number}"
        skopeo_sign(shelf.image, reference, by, path)
        folder = pathlib.Path(server.docroot) / "images.test/signatures" / f"a/b@{shelf.image.digest.replace(':', '=')}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    write(f"[Trust]\nPrefix={shelf.registry.host}\nOpenPGPKey={signer.public}\nLookaside=https://images.test/signatures\n")
    shutil.rmtree(pathlib.Path(server.docroot) / "images.test/signatures", ignore_errors=True)
    yield sign
    shutil.rmtree(pathlib.Path(server.docroot) / "images.test/signatures", ignore_errors=True)


def test_simple_signing(shelf, lookaside, signer, stranger):
    """OpenPGP, by skopeo; a stranger's signature beside it changes nothing."""
    shelf.refused("has no signature")
    lookaside(f"{shelf.name}:1", by=stranger)
    shelf.refused("which is none of OpenPGPKey=")
    lookaside(f"{shelf.name}:1", number=2)
    shelf.fetch()
    assert shelf.signed_by() == signer.fingerprint.upper()


@pytest.mark.parametrize("reference", [":2", "/more:1", ""])
def test_simple_signing_of_another_name(shelf, lookaside, reference):
    """Another tag, another repository; without a tag it is good for any."""
    lookaside(shelf.name + (reference or ":1"))
    if reference:
        shelf.refused("the signature is for")
    else:
        shelf.fetch()

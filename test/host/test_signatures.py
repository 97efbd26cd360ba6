# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signatures: where they are looked for, which are good, and what is remembered of them (rkt.md FET-18, robustness.md D12
and H16). Which key may sign which name is in test_trust.py."""
import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from images.server import Rule

pytestmark = pytest.mark.usefixtures("installed", "no_images", "no_keys")

KEYS = pathlib.Path("/etc/rkt/trustedkeys")
NAME = "images.test/app"


def tiny_root(root):
    """A root with nothing in it."""
    os.makedirs(root, exist_ok=True)


def failed(result, *patterns):
    """Exit status 254, nothing on standard output, and each pattern in the message."""
    assert result.rc == 254 and result.out == "", result
    for pattern in patterns:
        assert re.search(pattern, result.err, re.IGNORECASE), f"{pattern!r} is not in {result!r}"


@pytest.fixture
def no_keys(host):
    """Nothing is trusted, before and after."""
    host.run("rm", "-rf", KEYS)
    yield
    host.run("rm", "-rf", KEYS)


@pytest.fixture
def image(images):
    """An unsigned file."""
    return images.make(NAME, root=tiny_root)


@pytest.fixture
def root_key(host, signer):
    """The signer may sign everything."""
    host.rkt("trust", "--skip-fingerprint-review", "--root", signer.public)
    return signer


def listed(host):
    """The names in the store."""
    return host.rkt("image", "list", "--no-legend", "--fields=name").out.split()


class Gpg:
    """gpg with a home of its own."""

    def __init__(self, home):
        self.home = str(home)
        os.mkdir(self.home, 0o700)

    def __call__(self, *words, **kw):
        return subprocess.run(["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode",
                               "loopback", *words], check=True, capture_output=True, **kw).stdout

    def fingerprints(self):
        """Of the primary key and its subkeys."""
        return [li.split(":")[9] for li in self("--with-colons", "--list-keys").decode().splitlines() if li.startswith("fpr:")]

    def public(self):
        """Path of the public key."""
        path = pathlib.Path(self.home, "public.asc")
        path.write_bytes(self("--armor", "--export"))
        return path

    def end(self):
        """No agent stays."""
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)


@pytest.fixture
def gpg(tmp_path):
    """A keyring of this test's own."""
    g = Gpg(tmp_path / "home")
    yield g
    g.end()


# --- which are good --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["expired key", "expired signature", "revoked", "sha1", "md5", "text"])
def test_weak_signatures(host, image, gpg, tmp_path, kind):
    """D12: right over these bytes, but by a key that has expired or was revoked, or of a kind that proves little."""
    # A key of the past, for a day; gpg signs with it as long as it believes to be in that time.
    then = ["--faked-system-time", "20200101T000000"] if kind.startswith("expired") else []
    gpg(*then, "--quick-gen-key", "weak@example.com", "rsa2048", "sign", "1d" if kind == "expired key" else "never")
    more = {"sha1": ["--digest-algo", "SHA1", "--allow-weak-digest-algos"], "md5": ["--digest-algo", "MD5", "--allow-weak-digest-algos"],
            "text": ["--textmode"], "expired signature": ["--default-sig-expire", "1d"]}.get(kind, [])
    signature = tmp_path / "app.asc"
    signature.write_bytes(gpg(*then, *more, "--armor", "--detach-sign", "--output", "-", image))
    if kind == "revoked":
        text = pathlib.Path(gpg.home, "openpgp-revocs.d", f"{gpg.fingerprints()[0]}.rev").read_text().replace("\n:---", "\n---")
        gpg("--import", input=text.encode())
    host.rkt("trust", "--skip-fingerprint-review", "--root", gpg.public())
    failed(host.rkt("fetch", f"--signature={signature}", image, check=False),
           {"expired key": "key .* has expired", "expired signature": "the signature has expired", "revoked": "revoked",
            "text": "binary"}.get(kind, "SHA-256"), "insecure-options=image")
    assert listed(host) == []


def test_weak_subkey(host, image, gpg, tmp_path):
    """D12: a strong key may have a weak subkey; what that one signed is refused, what the key itself signed is not."""
    gpg("--quick-gen-key", "sub@example.com", "rsa2048", "sign", "never")
    primary = gpg.fingerprints()[0]
    gpg("--quick-add-key", primary, "rsa1024", "sign", "never")
    gpg("--quick-add-key", primary, "rsa2048", "sign", "never")
    host.rkt("trust", "--skip-fingerprint-review", "--root", gpg.public())
    results = []
    for fingerprint in gpg.fingerprints():
        signature = tmp_path / f"{fingerprint}.asc"
        signature.write_bytes(gpg("--armor", "--local-user", fingerprint + "!", "--detach-sign", "--output", "-", image))
        results.append(host.rkt("fetch", f"--signature={signature}", image, check=False))
    assert [r.rc for r in results] == [0, 254, 0], results
    failed(results[1], gpg.fingerprints()[1].lower(), "too weak")


def test_elliptic_curve(host, image, gpg, tmp_path):
    """A key of today's usual kind."""
    gpg("--quick-gen-key", "curve@example.com", "ed25519", "sign", "never")
    signature = tmp_path / "app.asc"
    signature.write_bytes(gpg("--armor", "--detach-sign", "--output", "-", image))
    host.rkt("trust", "--skip-fingerprint-review", "--root", gpg.public())
    host.rkt("fetch", f"--signature={signature}", image)


def test_binary_signature(host, image, root_key, tmp_path):
    """A signature without armour is good too."""
    signature = tmp_path / "app.sig"
    subprocess.run(["gpg", "--dearmor", "--output", str(signature)], input=pathlib.Path(root_key.sign(image, str(tmp_path / "a.asc"))).read_bytes(),
                   check=True)
    host.rkt("fetch", f"--signature={signature}", image)


def test_signatures_of_several(host, image, images, root_key, tmp_path):
    """rkt.md 1.4: of several images each has the signature that stands behind it."""
    other = images.busybox
    first, second = (root_key.sign(path, str(tmp_path / f"{n}.asc")) for n, path in enumerate((image, other)))
    failed(host.rkt("fetch", image, f"--signature={second}", other, f"--signature={first}", check=False), "signature")
    assert len(host.rkt("fetch", image, f"--signature={first}", other, f"--signature={second}").out.split()) == 2


def joined(tmp_path, *signatures):
    """Several signatures in one file."""
    packets = b"".join(subprocess.run(["gpg", "--dearmor"], input=pathlib.Path(s).read_bytes(), check=True, capture_output=True).stdout
                       for s in signatures)
    armored = subprocess.run(["gpg", "--enarmor"], input=packets, check=True, capture_output=True).stdout
    (tmp_path / "joined.asc").write_bytes(armored.replace(b"PGP ARMORED FILE", b"PGP SIGNATURE"))
    return tmp_path / "joined.asc"


def test_two_signatures(host, images, image, root_key, stranger, tmp_path):
    """D12: one by a stranger beside a good one is good; one that does not fit beside a good one is not."""
    good = root_key.sign(image, str(tmp_path / "good.asc"))
    other = stranger.sign(image, str(tmp_path / "other.asc"))
    wrong = root_key.sign(images.make("images.test/other", root=tiny_root), str(tmp_path / "wrong.asc"))
    host.rkt("fetch", f"--signature={joined(tmp_path, other, good)}", image)
    for both in ((good, wrong), (wrong, good)):
        failed(host.rkt("fetch", f"--signature={joined(tmp_path, *both)}", image, check=False), "wrong signature")
    failed(host.rkt("fetch", f"--signature={other}", image, check=False), "unknown entity")


def test_of_other_bytes(host, images, root_key, tmp_path):
    """D12: over the archive before it was compressed; over another image; over nothing."""
    packed = images.make(NAME, root=tiny_root, compression="gz")
    plain = images.make(NAME, root=tiny_root, compression="plain")
    empty = tmp_path / "empty"
    empty.touch()
    for signed in (plain, images.make("images.test/other", root=tiny_root), empty):
        signature = root_key.sign(str(signed), str(tmp_path / "s.asc"))
        failed(host.rkt("fetch", f"--signature={signature}", packed, check=False), "wrong signature")
    assert listed(host) == []


@pytest.mark.parametrize("kind", ["empty", "text", "key", "clear", "inline", "big", "cut", "pipe"])
def test_no_signature(host, image, root_key, gpg, tmp_path, kind):
    """D12: what is no detached signature."""
    path = tmp_path / "s.asc"
    good = pathlib.Path(root_key.sign(image, str(tmp_path / "good.asc"))).read_bytes()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind in ("clear", "inline"):
        gpg("--quick-gen-key", "x@example.com", "rsa2048", "sign", "never")
        host.rkt("trust", "--skip-fingerprint-review", "--root", gpg.public())
        path.write_bytes(gpg("--armor", "--clearsign" if kind == "clear" else "--sign", "--output", "-", image))
    else:
        path.write_bytes({"empty": b"", "text": b"hello\n" * 100, "key": pathlib.Path(root_key.public).read_bytes(),
                          "big": good + b"\n" * (1 << 20), "cut": good[:len(good) // 2]}[kind])
    failed(host.rkt("fetch", f"--signature={path}", image, check=False, timeout=30), "signature")
    assert listed(host) == []


def test_manifest_is_not_read_before(host, images, root_key, stranger, tmp_path):  # pylint: disable=unused-argument
    """robustness.md 1: what stands in an archive that a stranger signed is not even parsed: the signature is what is wrong."""
    path = images.make(NAME, file="broken", root=tiny_root, manifest='{"acKind": "ImageManifest", "name": [[[[')
    failed(host.rkt("--insecure-options=image", "fetch", path, check=False), "manifest")
    signature = stranger.sign(path, str(tmp_path / "s.asc"))
    result = host.rkt("fetch", f"--signature={signature}", path, check=False)
    failed(result, "unknown entity")
    assert "manifest" not in result.err
    signature = root_key.sign(path, str(tmp_path / "t.asc"))
    failed(host.rkt("fetch", f"--signature={signature}", path, check=False), "manifest")


# --- where they are --------------------------------------------------------------------------------------------------

def test_signature_option(host, server, image, root_key, tmp_path):
    """--signature=FILE stands for FILE.asc, and for what a server would have; it belongs to one image."""
    url = server.publish(NAME, image)
    signature = root_key.sign(image, str(tmp_path / "mine.asc"))
    failed(host.rkt("fetch", url, check=False), "error downloading the signature file", "404")
    for reference in (url, f"{NAME}:1.0.0", image):
        host.rkt("fetch", "--pull-policy=always", f"--signature={signature}", reference)
    assert not [r for r in server.requests if r[2].endswith(".asc")][1:]
    failed(host.rkt("fetch", f"--signature={tmp_path}/none", url, "--pull-policy=always", check=False), "error opening signature file", "none")
    failed(host.rkt("fetch", f"--signature={signature}", url, image, check=False), "must follow an image")


def test_not_looked_for(host, server, image):
    """With --insecure-options=image no signature is asked for, and a bad one does not matter."""
    url = server.publish(NAME, image)
    host.rkt("--insecure-options=image", "fetch", url)
    assert not [r for r in server.requests if r[2].endswith(".asc")]


class Quay(Rule):
    """202 until the image was handed out, and so many times more; then the file."""

    def __init__(self, server, times=0, image=True):
        self.server, self.left, self.image = server, times, image
        super().__init__()

    status = property(lambda self: self._next(), lambda self, value: None)

    def _next(self):
        if self.image and not [r for r in self.server.requests if r[2].endswith(".aci")]:
            return 202
        self.left -= 0.5  # it is looked at twice for each answer
        return 202 if self.left >= 0 else 0


def test_deferred(host, server, images, signer):
    """FET-18, H16: quay makes the signature while it hands out the image. One download, and the app runs."""
    host.rkt("trust", "--skip-fingerprint-review", f"--prefix={NAME}", signer.public)
    path = images.make(NAME, app={"exec": ["/bin/echo", "deferredSignatureDownloadWasSuccessful"]})
    url = server.publish(NAME, path, key=signer)
    server.rules[("images.test", "*.asc")] = Quay(server, times=2)
    try:
        result = host.rkt("run", "--net=host", f"{NAME}:1.0.0")
    finally:
        host.rkt("gc", "--grace-period=0s", check=False)
    assert "server requested deferring the signature download" in result.err and "signature verified" in result.err
    assert "deferredSignatureDownloadWasSuccessful" in result.out
    assert [r[2] for r in server.requests if r[2].endswith(".aci")] == [url.removeprefix("https://images.test")]
    assert len([r for r in server.requests if r[2].endswith(".asc")]) >= 3


def test_deferred_and_wrong(host, server, images, image, root_key, tmp_path):
    """A signature that comes later is judged like any other, over the bytes that came before it."""
    wrong = root_key.sign(images.make("images.test/other", root=tiny_root), str(tmp_path / "wrong.asc"))
    url = server.publish(NAME, image, signature=wrong)
    server.rules[("images.test", "*.asc")] = Quay(server, times=1)
    failed(host.rkt("fetch", url, check=False), "deferring", "wrong signature")
    assert listed(host) == []


def test_deferred_for_ever(host, server, image, root_key):  # pylint: disable=unused-argument
    """H16: a server that says so for ever is given up."""
    url = server.publish(NAME, image, key=root_key)
    server.rules[("images.test", "*.asc")] = Rule(status=202)
    started = time.monotonic()
    failed(host.rkt("fetch", url, check=False, timeout=60), "error downloading the signature file", "202")
    assert time.monotonic() - started < 45
    assert listed(host) == []


# --- what is remembered ----------------------------------------------------------------------------------------------

def test_remembered(host, images, image, root_key, signer, stranger, tmp_path):
    """Which keys vouched for an image, in image list and in the status of its pod; nothing for one that came unsigned."""
    host.rkt("trust", "--skip-fingerprint-review", "--root", stranger.public)
    both = joined(tmp_path, signer.sign(image, str(tmp_path / "1")), stranger.sign(image, str(tmp_path / "2")))
    result = host.rkt("fetch", f"--signature={both}", image)
    assert "signature verified" in result.err and "signer@example.com" in result.err and "stranger@example.com" in result.err
    unsigned = images.make("images.test/unsigned", root=tiny_root)
    host.rkt("--insecure-options=image", "fetch", unsigned)
    shown = {i["name"].split(":")[0]: i["signed"] for i in
             json.loads(host.rkt("image", "list", "--full", "--fields=name,signed", "--format=json").out)}
    assert signer.fingerprint.upper() in shown[NAME].upper() and stranger.fingerprint.upper() in shown[NAME].upper()
    assert not re.search("[0-9A-F]{16}", shown["images.test/unsigned"])
    ref, = (r for r in (json.loads(p.read_text()) for p in pathlib.Path("/var/lib/rkt/cas/ref/image").iterdir()) if r["name"] == NAME)
    first = next(s for s in ref["signatures"] if s["fingerprint"] == signer.fingerprint.upper())
    assert first["keyFile"] == str(KEYS / "root.d" / signer.fingerprint) and "signer@example.com" in first["identity"]
    assert abs(first["timeUSec"] / 1e6 - time.time()) < 3600


def test_status_of_a_pod(host, images, root_key, pods, tmp_path):
    """rkt status says who signed each app's image."""
    path = images.make(NAME, app={"exec": ["/bin/sleep", "inf"]})
    link = str(tmp_path / "app.aci")
    os.symlink(path, link)
    root_key.sign(link)
    name = pods.write("signed", f"[Pod]\nNetwork=none\n[App main]\nImage={link}\n")
    pods.start(name)
    assert f"signed-main={root_key.fingerprint.upper()} signer (test key) <signer@example.com>" in host.rkt("status", name).out.splitlines()
    pods.stop(name)

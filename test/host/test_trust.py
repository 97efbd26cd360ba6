# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt trust: which key may sign which name; where keys are found; what a person is shown; masking, listing, removing
(rkt.md TRU-01 to TRU-07 and 3.4, robustness.md D7 and D11)."""
import os
import pathlib
import re

import pytest

from images import aci, keys
from images.server import Rule

from conftest import CACHE

KEYS = pathlib.Path("/etc/rkt/trustedkeys")
UNKNOWN = "openpgp: signature made by unknown entity"
pytestmark = pytest.mark.usefixtures("installed", "no_images", "no_keys")


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
def app(server, images, signer):
    """A signed image, where discovery leads to it."""
    return server.publish("images.test/app", images.make("images.test/app", root=tiny_root), key=signer)


def grouped(fingerprint):
    """As gpg writes it, and rkt shows it: its first half."""
    return " ".join(fingerprint[i:i + 4] for i in range(0, 20, 4))


def on_terminal(host, answer, *words):
    """A command with a terminal, and what a person types."""
    line = " ".join(str(w) for w in words)
    return host.run("script", "--quiet", "--return", "--command", line, "/dev/null", stdin=answer, check=False)


# --- who may sign what -----------------------------------------------------------------------------------------------

@pytest.fixture
def signed(images, signer, tmp_path):
    """A function: a file of this name that says Hello, signed beside it."""
    def make(name):
        path = str(tmp_path / (name.split("/")[0] + ".aci"))
        os.symlink(images.make(name, app={"exec": ["/bin/echo", "Hello"]}), path)
        signer.sign(path)
        return path
    return make


def trust(host, key, *words):
    """As a person does it: looks, and answers yes."""
    result = on_terminal(host, "yes\n", "rkt", "trust", *words, key.public)
    assert "Are you sure you want to trust this key" in result.out and result.rc == 0
    return result.out


def test_prefixes_and_root(host, signed, signer, stranger):
    """TRU-02 to TRU-07, as rkt's own test has them: run from a file, with FILE.asc beside it."""
    ours, other = signed("rkt-prefix.com/my-app"), signed("rkt-alternative.com/my-app")

    def runs(path):
        assert "Hello" in host.rkt("run", "--net=host", path).out

    def refused(path):
        failed(host.rkt("run", "--net=host", path, check=False), UNKNOWN)
    try:
        refused(ours)
        trust(host, signer, "--prefix=wrong-prefix.com/my-app")
        refused(ours)
        trust(host, stranger, "--prefix=rkt-prefix.com/my-app")
        refused(ours)
        out = trust(host, signer, "--prefix=rkt-prefix.com/my-app")
        assert f'Added key for prefix "rkt-prefix.com/my-app" at "{KEYS}/prefix.d/rkt-prefix.com/my-app/{signer.fingerprint}"' in out
        runs(ours)
        refused(other)
        trust(host, signer, "--prefix=never-ever-used.com")
        refused(other)
        assert f'Added root key at "{KEYS}/root.d/{signer.fingerprint}"' in trust(host, signer, "--root")
        runs(other)
        runs(ours)
    finally:
        host.rkt("gc", "--grace-period=0s", check=False)


def test_unsigned(host, images, signer):
    """TRU-01: no FILE.asc, whatever is trusted."""
    trust(host, signer, "--root")
    failed(host.rkt("fetch", images.make("images.test/app", root=tiny_root), check=False), "error opening signature file", r"app.*\.aci\.asc",
           "--insecure-options=image")


@pytest.mark.parametrize("prefix,good", [("images.test", True), ("images.test/app", True), ("images.test/ap", False), ("image", False),
                                         ("images.test/app/below", False), ("example.com", False)])
def test_prefixes_are_whole_components(host, app, signer, prefix, good):
    """D3 and robustness.md 1: a key for one name does not speak for its neighbour."""
    host.rkt("trust", "--skip-fingerprint-review", f"--prefix={prefix}", signer.public)
    result = host.rkt("fetch", app, check=good)
    if not good:
        failed(result, UNKNOWN, "trusted for other names")


def test_says_what_to_do(host, app, signer, stranger):
    """Nothing is trusted at all, this key is not, or not for this name: what would help is said."""
    failed(host.rkt("fetch", app, check=False), UNKNOWN, "no key is trusted at all", "rkt trust")
    host.rkt("trust", "--skip-fingerprint-review", "--root", stranger.public)
    failed(host.rkt("fetch", "images.test/app:1.0.0", check=False), UNKNOWN, signer.fingerprint[-16:], r"rkt trust --prefix=images\.test/app")
    failed(host.rkt("fetch", app, check=False), UNKNOWN, "rkt trust --prefix=NAME")


@pytest.mark.usefixtures("server")
def test_no_key_no_download(host, server, app):
    """When nothing is trusted, the image's bytes need not be waited for."""
    size = os.stat(pathlib.Path(server.docroot, "images.test", app.removeprefix("https://images.test/"))).st_size
    server.rules[("images.test", "*.aci")] = Rule(pace=20.0 / (size / 1024 + 1))
    failed(host.rkt("fetch", app, check=False, timeout=15), "no key is trusted at all")


# --- finding keys ----------------------------------------------------------------------------------------------------

def test_by_discovery(host, server, app, signer):
    """Without a KEY the prefix's host says where its keys are; the URL and the fingerprint are shown."""
    server.publish_key(signer)
    result = host.rkt("trust", "--skip-fingerprint-review", "--prefix=images.test/app")
    assert "https://images.test/pubkeys.gpg" in result.err and grouped(signer.fingerprint) in result.err
    host.rkt("fetch", app)


def test_credentials(host, server, signer):
    """The page and the key are asked for with the credentials of their host, and only of theirs."""
    server.publish_key(signer)
    page = b'<meta name="ac-discovery-pubkeys" content="images.test https://example.com/pubkeys.gpg">'
    server.rules[("images.test", "/*ac-discovery")] = Rule(status=200, body=page)
    path = pathlib.Path("/etc/rkt/auth.d/trust-test.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"rktKind": "auth", "rktVersion": "v1", "domains": ["images.test"], "type": "basic", '
                    '"credentials": {"user": "u", "password": "p"}}')
    path.chmod(0o600)
    try:
        host.rkt("trust", "--skip-fingerprint-review", "--prefix=images.test/app")
    finally:
        path.unlink()
    asked = {r[1]: r[3].get("Authorization") for r in server.requests}
    assert asked == {"images.test": "Basic dTpw", "example.com": None}


def test_keys_of_another_host(host, server, signer):
    """D7: a key that another host serves is remarked upon, and never trusted without a look."""
    server.publish_key(signer)
    page = b'<meta name="ac-discovery-pubkeys" content="images.test https://example.com/pubkeys.gpg">'
    server.rules[("images.test", "/*ac-discovery")] = Rule(status=200, body=page)
    result = on_terminal(host, "no\n", "rkt", "trust", "--prefix=images.test/app")
    assert "does not serve itself" in result.out and "https://example.com/pubkeys.gpg" in result.out
    failed(host.rkt("--trust-keys-from-https", "trust", "--prefix=images.test/app", check=False), "without a terminal")
    result = host.rkt("--trust-keys-from-https", "fetch", "images.test/app:1.0.0", check=False)
    failed(result, "no key was added", "not served by its own host")
    assert not KEYS.exists()


@pytest.mark.parametrize("url,option", [("http://images.test/pubkeys.gpg", "--insecure-allow-http"), ("file:///etc/passwd", "https"),
                                        ("https://selfsigned.test/pubkeys.gpg", "--insecure-options=tls")])
def test_keys_over_what_anybody_can_change(host, server, signer, url, option):
    """D7: not over http, not with a certificate that nobody vouches for, unless the option says so."""
    server.publish_key(signer)
    page = f'<meta name="ac-discovery-pubkeys" content="images.test {url}">'.encode()
    server.rules[("images.test", "/*ac-discovery")] = Rule(status=200, body=page)
    failed(host.rkt("trust", "--skip-fingerprint-review", "--prefix=images.test/app", check=False), option)
    assert not KEYS.exists() and not [r for r in server.requests if r[0] == "http"]


def test_http_with_the_option(host, server, signer):
    """--insecure-allow-http, and --insecure-options=pubkey: the page and the key, after https failed."""
    server.publish_key(signer)
    server.rules[("plain.test", "*")] = Rule(status=404, scheme="https")
    failed(host.rkt("trust", "--skip-fingerprint-review", "--prefix=plain.test/app", check=False), "404")
    assert not [r for r in server.requests if r[0] == "http"]
    host.rkt("trust", "--skip-fingerprint-review", "--insecure-allow-http", "--prefix=plain.test/app")
    host.rkt("--insecure-options=pubkey", "trust", "--skip-fingerprint-review", "--root", "http://plain.test/pubkeys.gpg")
    assert len(list(KEYS.rglob(signer.fingerprint))) == 2


def test_trust_keys_from_https(host, server, app, signer):
    """The first keys of a name are trusted as its own host serves them, for that name only; with rkt trust too."""
    server.publish_key(signer)
    failed(host.rkt("fetch", "images.test/app:1.0.0", check=False), UNKNOWN)
    result = host.rkt("--trust-keys-from-https", "fetch", "images.test/app:1.0.0")
    path = KEYS / "prefix.d/images.test/app" / signer.fingerprint
    assert f'Added key for prefix "images.test/app" at "{path}"' in result.err and path.is_file()
    failed(host.rkt("--trust-keys-from-https", "trust", "--prefix=images.test", signer.public, check=False), "without a terminal")
    host.rkt("--trust-keys-from-https", "trust", "--prefix=images.test")
    assert (KEYS / "prefix.d/images.test" / signer.fingerprint).is_file()
    host.rkt("fetch", app)


def test_trust_keys_from_https_takes_no_second_key(host, server, app, signer, stranger):  # pylint: disable=unused-argument
    """Where a key is trusted for the name already, the host cannot bring in another."""
    host.rkt("trust", "--skip-fingerprint-review", "--prefix=images.test", stranger.public)
    server.publish_key(signer)
    failed(host.rkt("--trust-keys-from-https", "fetch", "images.test/app:1.0.0", check=False), UNKNOWN)
    assert not list(KEYS.rglob(signer.fingerprint))


# --- the review ------------------------------------------------------------------------------------------------------

def test_review(host, signer):
    """The fingerprint and the owner are shown; only "yes" trusts; without a terminal nobody can be asked."""
    words = ["rkt", "trust", "--prefix=images.test/app", signer.public]
    path = KEYS / "prefix.d/images.test/app" / signer.fingerprint
    shown = on_terminal(host, "maybe\ny\nno\n", *words)
    assert grouped(signer.fingerprint) in shown.out and "signer@example.com" in shown.out and 'prefix: "images.test/app"' in shown.out
    assert "Are you sure you want to trust this key" in shown.out and shown.out.count("Please enter") == 2
    assert "Not trusting" in shown.out and shown.rc == 0 and not path.exists()
    assert on_terminal(host, "yes\n", *words).rc == 0 and path.is_file()
    assert path.stat().st_mode & 0o7777 == 0o644
    path.unlink()
    failed(host.rkt(*words[1:], check=False, stdin="yes\n"), "terminal", "--trust-keys-from-https", grouped(signer.fingerprint))
    assert not path.exists()


def test_hostile_name(host, tmp_path):
    """A user ID cannot move the cursor, or turn the direction of text; letters are shown as they are."""
    key = keys.SigningKey(str(tmp_path), "odd")
    key.rename("Jürgen \x1b[2K\u202eevil <odd@example.com>")
    shown = on_terminal(host, "no\n", "rkt", "trust", "--root", key.public).out
    assert "Jürgen ?[2K???evil" in shown and "\x1b" not in shown and "\u202e" not in shown


def test_several_keys(host, app, signer, stranger, tmp_path):
    """Several keys in one file: each is reviewed by itself, and kept in a file of its own."""
    both = tmp_path / "both"
    both.write_bytes(pathlib.Path(stranger.public).read_bytes() + b"\n\n" + pathlib.Path(signer.public).read_bytes())
    result = on_terminal(host, "no\nyes\n", "rkt", "trust", "--prefix=images.test", both)
    assert grouped(signer.fingerprint) in result.out and grouped(stranger.fingerprint) in result.out
    assert [p.name for p in (KEYS / "prefix.d/images.test").iterdir()] == [signer.fingerprint]
    host.rkt("fetch", app)
    host.rkt("trust", "--skip-fingerprint-review", "--root", both)
    assert {p.name for p in (KEYS / "root.d").iterdir()} == {signer.fingerprint, stranger.fingerprint}


# --- what is no key --------------------------------------------------------------------------------------------------

def test_wrong_use(host, signer):
    """Neither, both, a prefix that is no name, root without a key."""
    failed(host.rkt("trust", signer.public, check=False), "implicit unbounded trust")
    failed(host.rkt("trust", "--root", "--prefix=a.example", signer.public, check=False), "mutually exclusive")
    failed(host.rkt("trust", "--root", check=False), "--root needs the key")
    for prefix in ("../../etc", "a.example/../b", "UPPER.example", "a.example:1.0", ""):
        failed(host.rkt("trust", "--skip-fingerprint-review", f"--prefix={prefix}", signer.public, check=False))
    assert not KEYS.exists()


@pytest.mark.parametrize("kind", ["private", "big", "text", "binary", "cut", "changed", "not armor", "missing", "directory"])
def test_no_key(host, signer, tmp_path, kind):
    """D11: what cannot be a public key is refused with a sentence, and nothing is written."""
    good = pathlib.Path(signer.public).read_bytes()
    data = {"private": lambda: signer.secret(), "big": lambda: good + b"x\n" * (1 << 19), "text": lambda: b"hello",
            "binary": lambda: signer.exported(), "cut": lambda: good[:len(good) // 2],
            "changed": lambda: good.replace(b"\n\nm", b"\n\nn", 1), "not armor": lambda: good.replace(b"-----", "—".encode() * 5)}
    path = tmp_path / "key"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(data[kind]())
    failed(host.rkt("trust", "--skip-fingerprint-review", "--root", path, check=False),
           {"private": "private key", "big": "larger", "cut": "damaged|end is missing", "changed": "damaged|key", "missing": "No such file",
            "directory": "directory|regular"}.get(kind, "not an armored"))
    assert not KEYS.exists()


def test_file_that_is_not_its_key(host, app, signer, stranger):
    """D11: a trusted file whose name is another fingerprint gives no trust, and is spoken of."""
    (KEYS / "root.d").mkdir(parents=True)
    (KEYS / "root.d" / stranger.fingerprint).write_bytes(pathlib.Path(signer.public).read_bytes())
    failed(host.rkt("fetch", app, check=False), UNKNOWN, "is ignored", f"fingerprint {signer.fingerprint}")


def test_weak_key(host, tmp_path):
    """D12: an RSA key of 1024 bits cannot be trusted, by the command or by hand."""
    key = keys.SigningKey(str(tmp_path), "weak", "rsa1024")
    failed(host.rkt("trust", "--skip-fingerprint-review", "--root", key.public, check=False), "too weak", "1024 bits")
    (KEYS / "root.d").mkdir(parents=True)
    (KEYS / "root.d" / key.fingerprint).write_bytes(pathlib.Path(key.public).read_bytes())
    assert "too weak" in host.rkt("trust", "--list").err


# --- masks, lists ----------------------------------------------------------------------------------------------------

@pytest.fixture
def vendor(tmp_path, signer):
    """The signer's key, trusted by the vendor for all."""
    system = tmp_path / "system/trustedkeys/root.d"
    system.mkdir(parents=True)
    (system / signer.fingerprint).write_bytes(pathlib.Path(signer.public).read_bytes())
    return f"--system-config={tmp_path}/system"


def test_masked(host, app, signer, vendor):
    """An empty local file hides the system's key of that name, and nothing else."""
    host.rkt(vendor, "fetch", app)
    mask = KEYS / "root.d" / signer.fingerprint
    mask.parent.mkdir(parents=True)
    mask.touch()
    failed(host.rkt(vendor, "fetch", app, check=False), UNKNOWN)
    host.rkt("trust", "--skip-fingerprint-review", "--prefix=images.test", signer.public)
    host.rkt(vendor, "fetch", app)


def test_list_and_remove(host, app, signer, stranger, vendor):
    """--list says who may sign what, --remove ends it; the vendor's key is hidden, ours is removed."""
    host.rkt("trust", "--skip-fingerprint-review", "--prefix=example.com/app", stranger.public)
    lines = [li.split() for li in host.rkt(vendor, "trust", "--list").out.splitlines()]
    assert lines[0] == ["FINGERPRINT", "PREFIX", "IDENTITY", "FILE"]
    assert {(li[0], li[1]) for li in lines[1:]} == {(signer.fingerprint, "-"), (stranger.fingerprint, "example.com/app")}
    assert "stranger@example.com" in " ".join(lines[1]) and lines[1][-1].startswith(f"{KEYS}/prefix.d/example.com/app/")

    def listed(*words):
        return [li.split()[0] for li in host.rkt(vendor, "trust", "--list", *words).out.splitlines()[1:]]
    assert set(listed("--prefix=example.com/app/x")) == {signer.fingerprint, stranger.fingerprint}
    assert listed("--prefix=example.com") == listed("--root") == [signer.fingerprint]
    failed(host.rkt(vendor, "trust", "--remove", "--root", stranger.fingerprint, check=False), "not trusted for every image")
    failed(host.rkt(vendor, "trust", "--remove", "--root", check=False), "fingerprint")
    failed(host.rkt(vendor, "trust", "--remove", "--root", "../../passwd", check=False), "not the fingerprint")
    host.rkt(vendor, "trust", "--remove", "--prefix=example.com/app", stranger.fingerprint.upper())
    assert not list(KEYS.rglob(stranger.fingerprint))
    assert "empty file" in host.rkt(vendor, "trust", "--remove", "--root", signer.fingerprint).err
    assert listed() == []
    failed(host.rkt(vendor, "fetch", app, check=False), UNKNOWN)


def test_trust_that_was_taken_back(host, app, signer):
    """What was verified by a key that is trusted no longer is not taken from the cache without a new look."""
    host.rkt("trust", "--skip-fingerprint-review", "--prefix=images.test", signer.public)
    host.rkt("fetch", app)
    assert "has not changed" in host.rkt("fetch", app).err
    host.rkt("trust", "--remove", "--prefix=images.test", signer.fingerprint)
    failed(host.rkt("fetch", app, check=False), UNKNOWN)

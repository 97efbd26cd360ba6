# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registries of images, over TLS, into the store: Debian's docker-registry with each kind of authentication, mirrors,
certificates; and hostile ones. Ids are rows of robustness.md 3.8 (H...) and 3.10 (R...). What a registry can do to its
documents alone is tested over loopback, without a store, by test/registry-test.py."""
import concurrent.futures
import json
import os
import pathlib
import re
import ssl
import time

import pytest

from images import keys, oci
from images.registry import PASSWORD, USER, DebianRegistry, FakeRegistry, TokenServer, basic, name_hosts

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"
CAS = pathlib.Path("/var/lib/rkt/cas")
LAYERS = [oci.tar({"etc/": None, "etc/motd": os.urandom(300 << 10)}), oci.tar({"bin/": None, "bin/x": b"y"})]
IMAGE = oci.Image(LAYERS)


def failed(result, *parts):
    """Exit status 254, nothing on standard output, each part in the message, and no secret."""
    assert result.rc == 254 and result.out == "", result
    for part in parts:
        assert part in result.err, f"{part!r} is not in {result!r}"
    assert PASSWORD not in result.err and basic().split()[1] not in result.err
    return result


def got(result):
    """The image's ID."""
    assert result.rc == 0 and re.fullmatch(r"sha512-[0-9a-f]{32,}", result.out.strip().splitlines()[-1]), result
    return result.out.strip().splitlines()[-1]


def blobs():
    """The keys of all blobs in the store."""
    return {path.name for path in (CAS / "blob").rglob("*-*") if path.is_file()}


def nothing_came(host):
    """No image, no blob, and in tmp at most a download to be continued."""
    assert host.rkt("image", "list", "--no-legend").out == ""
    assert not [name for name in blobs() if "." not in name]
    assert not [p for p in (CAS / "tmp").iterdir() if not p.name.startswith("download-")]


@pytest.fixture
def config():
    """config("registries.d/x.conf", text) for this test."""
    made = []

    def write(name, text):
        path = pathlib.Path("/etc/rkt") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        path.chmod(0o600)
        made.append(path)

    yield write
    for path in made:
        path.unlink(missing_ok=True)


@pytest.fixture
def login(config):
    """login(HOST) puts the user's password for it into auth.d."""
    def write(where, password=PASSWORD):
        config("auth.d/t-registry.json", {"rktKind": "dockerAuth", "rktVersion": "v1", "registries": [where],
                                          "credentials": {"user": USER, "password": password}})
    return write


def fetch(host, name, *options, check=False, **kwargs):
    """rkt fetch docker://NAME"""
    return host.rkt(UNSIGNED, *options, "fetch", "--pull-policy=update", f"docker://{name}", check=check, **kwargs)


def test_debian(host, debian_registry):
    """Debian's registry: a multi-arch index, Docker's types, an uncompressed and a zstd layer; what is here is not fetched
    again, and a digest is the same image."""
    r = debian_registry
    index = oci.Index([oci.Image(LAYERS[:1], arch="s390x"), IMAGE])
    r.push(index, "multi/arch")
    one = got(fetch(host, f"{r.host}/multi/arch"))
    assert got(fetch(host, f"{r.host}/multi/arch@{index.digest}")) == one
    assert got(fetch(host, f"{r.host}/multi/arch@{IMAGE.digest}")) == one
    for n, image in enumerate((oci.Image(LAYERS, docker=True), oci.Image(LAYERS, compression=""), oci.Image(LAYERS, "zstd"))):
        r.push(image, f"kind/n{n}")
        assert got(fetch(host, f"{r.host}/kind/n{n}")) != one
    assert len([b for b in blobs() if b.startswith("sha256-")]) == 2, "the same layers, whatever they were compressed by"
    failed(fetch(host, f"{r.host}/multi/arch:gone"), "404", "check the name and the tag")
    failed(fetch(host, f"{r.host}/no/such"), "404")


def test_debian_basic(host, authority, login, tmp_path):
    """htpasswd: the password of auth.d; none; a wrong one."""
    name_hosts()
    with DebianRegistry(str(tmp_path / "r"), authority, auth="basic") as r:
        r.push(IMAGE)
        failed(fetch(host, f"{r.host}/a/b"), "401", "auth.d")
        login(r.host, "wrong password")
        assert "wrong password" not in failed(fetch(host, f"{r.host}/a/b"), "401", "wrong, or have no right to it").err
        login(r.host)
        got(fetch(host, f"{r.host}/a/b"))


def test_debian_token(host, authority, login, tmp_path):
    """A token server on another host of the same domain: private, and public for anybody."""
    name_hosts()
    with TokenServer(str(tmp_path / "t"), authority) as tokens, \
            DebianRegistry(str(tmp_path / "r"), authority, auth="token", tokens=tokens) as r:
        r.push(IMAGE)
        failed(fetch(host, f"{r.host}/a/b"), "token server refuses us", "auth.d")
        login(r.host)
        got(fetch(host, f"{r.host}/a/b"))
        assert tokens.requests[-1].authorization == basic() and "scope=repository%3Aa%2Fb%3Apull" in tokens.requests[-1].path
        assert len(tokens.requests) == 2, "one token for all documents and layers"


def test_debian_token_public(host, authority, tmp_path):
    """The same with a token server that has tokens for anybody."""
    name_hosts()
    with TokenServer(str(tmp_path / "t"), authority, public=True) as tokens, \
            DebianRegistry(str(tmp_path / "r"), authority, auth="token", tokens=tokens) as r:
        r.push(IMAGE)
        got(fetch(host, f"{r.host}/a/b"))
        assert [q.authorization for q in tokens.requests] == [""]


def test_plain_http(host, authority, config, tmp_path):
    """Plain http: refused; by --insecure-options=http; by registries.d for this registry."""
    name_hosts()
    with DebianRegistry(str(tmp_path / "r"), authority, tls=False) as r:
        r.push(IMAGE)
        failed(fetch(host, f"{r.host}/a/b"), f"https://{r.host}")
        got(host.rkt("--insecure-options=image,http", "fetch", f"docker://{r.host}/a/b", check=False))
        r.push(oci.Image(LAYERS[:1]))
        config("registries.d/t.conf", f"[Registry]\nPrefix={r.host}\nInsecure=http\n")
        got(fetch(host, f"{r.host}/a/b"))


def test_mirror(host, authority, config, tmp_path):
    """A pull-through mirror is asked first and gets no credentials of the registry; when it is away, the registry is asked."""
    name_hosts()
    with FakeRegistry(authority) as origin:
        origin.publish(IMAGE, "library/x")
        with DebianRegistry(str(tmp_path / "m"), authority, proxy=origin.url, name="mirror.test") as mirror:
            config("registries.d/t.conf", f"[Registry]\nPrefix={origin.host}\nMirror={mirror.host}\n")
            got(fetch(host, f"{origin.host}/library/x"))
            assert origin.requests, "the mirror asks the registry itself"
        image = oci.Image(LAYERS[:1])
        origin.publish(image, "library/x")
        result = fetch(host, f"{origin.host}/library/x")
        got(result)
        assert mirror.host in result.err, "the mirror that is away is named"
        failed(fetch(host, f"{origin.host}/library/gone"), f"https://{mirror.host}: ", f"https://{origin.host}: ", "404")


def test_certificates(host, config, tmp_path):
    """H18: an authority that this host does not trust: refused; by registries.d accepted, for this registry. A registry that
    wants to see our certificate sees it, a redirect elsewhere does not."""
    name_hosts()
    private = keys.Authority(str(tmp_path / "ca"), "private")
    with FakeRegistry(private) as r:
        r.publish(IMAGE)
        failed(fetch(host, f"{r.host}/a/b"), "certificate of host 'registry.test' is not valid")
        r.context.load_verify_locations(private.cert)
        r.context.verify_mode = ssl.CERT_REQUIRED
        rule = f"[Registry]\nPrefix={r.host}\nCertificateAuthority={private.cert}\n"
        config("registries.d/t.conf", rule)
        failed(fetch(host, f"{r.host}/a/b"), "registry.test")
        pem = private.issue("client.pem", ["client.test"])
        os.chmod(pem, 0o600)  # the worker runs as another user
        config("registries.d/t.conf", rule + f"Certificate={pem}\nKey={pem}\n")
        got(fetch(host, f"{r.host}/a/b"))


LAYER = IMAGE.layers[0]
WRONG = {
    "another layer": (lambda h: h.answer(200, LAYER[:-9] + b"x" + LAYER[-8:]), ["expected", "found"]),
    "a shorter layer": (lambda h: h.answer(200, LAYER[:-1]), ["cut off"]),
    "a longer layer": (lambda h: h.answer(200, LAYER + b"x"), [str(len(LAYER))]),
    "no layer": (lambda h: h.error(404), ["404"]),
    "an empty layer": (lambda h: h.answer(200, b""), []),
    "html": (lambda h: h.answer(200, b"<html>" * 100), []),
}


@pytest.mark.parametrize("case", WRONG)
def test_r1_layers(host, fake_registry, case):
    """R1: a layer that is not what the manifest says: named by its digest, nothing is kept, and the next pull is good."""
    r = fake_registry
    r.publish(IMAGE)
    answer, parts = WRONG[case]
    r.rules["GET", f"*/blobs/{oci.digest(LAYER)}"] = answer
    failed(fetch(host, f"{r.host}/a/b"), oci.digest(LAYER).split(":")[1][:12], *parts)
    assert host.rkt("image", "list", "--no-legend").out == ""
    r.rules.clear()
    got(fetch(host, f"{r.host}/a/b"))


def test_r1_diff_ids(host, fake_registry):
    """R1: the layers are as the manifest says, but not as the config says; or not as many."""
    r = fake_registry
    for diff_ids, part in (([oci.digest(b"x"), IMAGE.diff_ids[1]], oci.digest(b"x")), (IMAGE.diff_ids[:1], ""),
                           ([*IMAGE.diff_ids, oci.digest(b"x")], ""), (list(reversed(IMAGE.diff_ids)), "")):
        r.publish(oci.Image(LAYERS, fields={"rootfs": {"type": "layers", "diff_ids": diff_ids}}))
        failed(fetch(host, f"{r.host}/a/b"), part)
    assert host.rkt("image", "list", "--no-legend").out == ""


def test_r2_swapped(host, fake_registry):
    """R2: the manifest is another one when it is fetched than when it was looked at; the image here stays as it was."""
    r = fake_registry
    r.publish(IMAGE)
    one = got(fetch(host, f"{r.host}/a/b"))
    other, third = oci.Image(LAYERS[:1]), oci.Image(LAYERS[1:])
    r.publish(other)
    r.rules["GET", "*/manifests/*"] = lambda h: h.answer(200, third.manifest, {
        "Content-Type": third.media_type, "Docker-Content-Digest": third.digest})
    failed(fetch(host, f"{r.host}/a/b"), "differs from its digest", other.digest, third.digest)
    assert host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out.strip().startswith(one)
    r.rules.clear()
    assert got(fetch(host, f"{r.host}/a/b")) != one


def test_r15_moving(host, fake_registry):
    """R15: the tag moves while the layers are fetched: what was begun is got."""
    r = fake_registry
    r.publish(IMAGE)

    def move(_h):
        r.publish(oci.Image(LAYERS[:1]))
        return False

    r.rules["GET", "*/blobs/*"] = move
    one = got(fetch(host, f"{r.host}/a/b"))
    assert one == got(fetch(host, f"{r.host}/a/b@{IMAGE.digest}"))
    assert one != got(fetch(host, f"{r.host}/a/b"))


def test_r3_r9_names(host, fake_registry):
    """R3, R9: what is no name or no digest is refused before anything is asked."""
    r = fake_registry
    for name in ("a/b@sha256:../..", "a/b@sha256:" + "F" * 64, "a/b@md5:" + "0" * 32, "a/b:../x", "a/B", "a/b:c:d",
                 "a/b:" + "x" * 200):
        failed(fetch(host, f"{r.host}/{name}"))
    assert not r.requests


def test_h1_redirects(host, fake_registry, authority, login):
    """H1: layers elsewhere get no Authorization, from https to http goes nothing, and not to this machine's files."""
    r = fake_registry
    r.auth = "private"
    r.publish(IMAGE)
    login(r.host)
    with FakeRegistry(authority, name="cdn.test") as cdn, FakeRegistry(name="stranger.test") as plain:
        cdn.publish(IMAGE)
        plain.publish(IMAGE)
        r.rules["GET", "*/blobs/*"] = lambda h: h.answer(307, headers={"Location": plain.url + h.path})
        failed(fetch(host, f"{r.host}/a/b"), "https down to http")
        assert not plain.requests
        r.rules["GET", "*/blobs/*"] = lambda h: h.answer(307, headers={"Location": cdn.url + h.path})
        got(fetch(host, f"{r.host}/a/b"))
        assert len(cdn.requests) == 3 and not [q for q in cdn.requests if q.authorization], cdn.requests
        assert all(q.authorization for q in r.asked("*/blobs/*"))


def test_r8_stranger(host, fake_registry, authority, login, config):
    """R8: a token server of somebody else is not told who we are, unless registries.d says so; nor one without TLS."""
    r = fake_registry
    r.auth = "private"
    r.publish(IMAGE)
    login(r.host)
    with FakeRegistry(authority, name="stranger.test") as stranger, FakeRegistry() as plain:
        r.challenge = lambda _: f'Bearer realm="{stranger.url}/token",service="x"'
        # .test is one label below which these are strangers
        failed(fetch(host, f"{r.host}/a/b"), "token server at host 'stranger.test'", "not its own")
        r.challenge = lambda _: f'Bearer realm="{plain.url}/token",service="x"'
        failed(fetch(host, f"{r.host}/a/b"), "plain http")
        assert not stranger.requests and not plain.requests
        nothing_came(host)
        r.challenge = lambda _: f'Bearer realm="{stranger.url}/token",service="x"'
        config("registries.d/t.conf", f"[Registry]\nPrefix={r.host}\nTokenHost={stranger.host}\n")
        r.tokens = stranger.tokens
        got(fetch(host, f"{r.host}/a/b"))
        assert stranger.requests[0].authorization == basic()


def test_token_expires(host, fake_registry):
    """A token that is no longer good when the layers are fetched: the image is resolved once more, and got."""
    r = fake_registry
    r.auth = "token"
    r.publish(IMAGE)
    left = [1]

    def expire(_h):
        if left[0] > 0:
            left[0] -= 1
            r.tokens.clear()
        return False

    r.rules["GET", f"*/blobs/{oci.digest(LAYER)}"] = expire
    got(fetch(host, f"{r.host}/a/b"))
    left[0] = 99
    r.publish(oci.Image([*LAYERS, oci.tar({"z": b"z"})]))
    r.rules["GET", "*/blobs/*"] = expire
    failed(fetch(host, f"{r.host}/a/b"), "401")


def test_secrets(host, fake_registry, login):
    """Passwords and tokens are in no log, no message and no command line."""
    r = fake_registry
    r.auth = "private"
    r.publish(IMAGE)
    login(r.host)
    seen = []

    def look(_h):
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(path.read_bytes() + (path.parent / "environ").read_bytes())
            except OSError:
                pass
        return False

    since = time.time()
    r.rules["GET", "*/blobs/*"] = look
    result = fetch(host, f"{r.host}/a/b", "--debug")
    got(result)
    text = result.all + host.journal(since=since) + b"".join(seen).decode(errors="replace")
    assert seen and r.tokens
    for secret in [PASSWORD, basic().split()[1], *r.tokens]:
        assert secret not in text


def test_damaged_layer_is_fetched_again(host, fake_registry):
    """S1: a layer that is damaged in the store is fetched by its digest and takes the other one's place, which whoever runs from
    it keeps; what is in order is not fetched."""
    r = fake_registry
    r.publish(IMAGE)
    name, bad, good = f"docker://{r.host}/a/b", *(oci.digest(layer) for layer in IMAGE.layers)
    key = got(fetch(host, f"{r.host}/a/b"))
    blob, = (CAS / "blob/sha256").rglob(f"sha256-{oci.digest(LAYERS[0]).split(':')[1]}")
    whole = blob.read_bytes()
    blob.write_bytes(b"!" + whole[1:])
    used = os.open(blob, os.O_RDONLY)
    try:
        failed(host.rkt("image", "verify", key, check=False), "is damaged", "(rkt fetch --pull-policy=always)")
        del r.requests[:]
        again = host.rkt(UNSIGNED, "fetch", "--pull-policy=always", name)
        assert got(again) == key and "in the store is damaged; fetching it again" in again.err
        assert len(r.asked(f"*/blobs/{bad}")) == 1 and not r.asked(f"*/blobs/{good}"), r.requests
        assert blob.read_bytes() == whole and os.read(used, 1) == b"!"
    finally:
        os.close(used)
    assert "successfully verified" in host.rkt("image", "verify", key).out
    assert "damaged" not in host.rkt(UNSIGNED, "fetch", "--pull-policy=always", name).err


@pytest.mark.parametrize("backend", ["", "dir"])
def test_verify_the_tree_on_top(host, fake_registry, backend):
    """S4: an image whose layers do not say what their directories are has a tree more, on top of them. It is verified, too."""
    r = fake_registry
    r.publish(oci.Image([LAYERS[0], oci.tar({"etc/issue": b"z"})]))
    env = {"RKT_TREE_BACKEND": backend} if backend else None
    key = got(host.rkt(UNSIGNED, "fetch", f"docker://{r.host}/a/b", env=env))
    assert "successfully verified" in host.rkt("image", "verify", key).out
    top, = (CAS / "tree").glob("deps-sha512-*")
    if backend:
        os.chmod(top / "rootfs/etc", 0o700)
    else:
        with open(top / "image.erofs", "r+b") as f:
            f.seek(1200)
            f.write(b"!")
    assert "verification failed" in host.rkt("image", "verify", key).err
    assert "successfully verified" in host.rkt("image", "verify", key).out


def test_r14_two_at_once(host, fake_registry):
    """R14: two pulls of one image at once share the download of each layer."""
    r = fake_registry
    r.publish(IMAGE)

    def slowly(_h):
        time.sleep(0.5)
        return False

    r.rules["GET", "*/blobs/*"] = slowly
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: fetch(host, f"{r.host}/a/b"), range(2))
    assert got(one) == got(two)
    for layer in IMAGE.layers:
        assert len(r.asked(f"*/blobs/{oci.digest(layer)}")) == 1, r.requests


def test_r14_one_killed(host, fake_registry):
    """R14: one of two pulls is killed while it downloads: the other takes over."""
    r = fake_registry
    r.publish(IMAGE)
    begun = []

    def slowly(h):
        begun.append(h.path)
        h.send_response(200)
        h.send_header("Content-Length", str(len(LAYER)))
        h.send_header("ETag", '"x"')
        h.end_headers()
        for at in range(0, len(LAYER), 16384):
            h.wfile.write(LAYER[at:at + 16384])
            time.sleep(0.1)
        return True

    r.rules["GET", f"*/blobs/{oci.digest(LAYER)}"] = slowly
    command = ["rkt", UNSIGNED, "fetch", f"docker://{r.host}/a/b"]
    first = host.spawn(*command)
    host.wait_for("a download", lambda: begun)
    second = host.spawn(*command)
    time.sleep(0.3)
    first.kill()
    first.communicate(timeout=120)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0 and out.startswith("sha512-"), err


def test_resume(host, debian_registry, fake_registry):
    """FET: a layer whose download broke is continued by the next pull, with a new token, where the last one ended; from Debian's
    registry, whose tags of versions are what makes that possible."""
    r = fake_registry
    r.auth = "token"
    image = oci.Image([oci.tar({"random": os.urandom(3 << 20)})])
    r.publish(image)
    layer, ranges = image.layers[0], []

    def cut(h):
        wanted = h.headers.get("Range", "")
        ranges.append(wanted)
        start = int(wanted[6:-1]) if wanted else 0
        h.send_response(206 if start else 200)
        h.send_header("ETag", f'"{oci.digest(layer)}"')
        h.send_header("Content-Length", str(len(layer) - start))
        if start:
            h.send_header("Content-Range", f"bytes {start}-{len(layer) - 1}/{len(layer)}")
        h.end_headers()
        h.wfile.write(layer[start:start + (1 << 20)] if len(ranges) <= 5 else layer[start:])
        h.close_connection = True

    r.rules["GET", f"*/blobs/{oci.digest(layer)}"] = cut
    first = host.spawn("rkt", UNSIGNED, "fetch", f"docker://{r.host}/a/b")
    host.wait_for("half of it", lambda: [p for p in (CAS / "tmp").glob("download-*") if p.stat().st_size > 1 << 20])
    first.kill()
    first.communicate(timeout=120)
    n = len(ranges)
    ranges += [""] * (6 - n)
    got(fetch(host, f"{r.host}/a/b"))
    assert re.fullmatch(r"bytes=[1-9]\d{5,}-", ranges[6]), ranges
    debian_registry.push(image, "resume/it")
    got(fetch(host, f"{debian_registry.host}/resume/it"))


def test_rate_limit(host, fake_registry):
    """H17: 429 with a Retry-After that is too long: a sentence that says what helps."""
    r = fake_registry
    r.publish(IMAGE)
    r.rules["GET", "*/latest"] = lambda h: h.error(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": "99999"})
    failed(fetch(host, f"{r.host}/a/b"), "rate limit", "slow down", "mirror")
    nothing_came(host)

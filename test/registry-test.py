#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registries over loopback, good and hostile, without root: registry-test.py TOOL LIBEXEC

TOOL is src/oci/tool-registry, which asks with the worker that rkt has. Ids are those of robustness.md 3.10 and 3.8. What
needs TLS, names of hosts, or the store is in test/host/test_registry.py. Output is TAP.
"""
import base64
import concurrent.futures
import gzip
import os
import pathlib
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from images import oci  # noqa: E402  pylint: disable=wrong-import-position
from images.registry import PASSWORD, USER, FakeRegistry, basic  # noqa: E402  pylint: disable=wrong-import-position

TOOL, LIBEXEC = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
LOGIN = [f"user={USER}", f"password={PASSWORD}"]
OTHER = "127.0.0.3"
LAYERS = [oci.tar({"etc/": None, "etc/motd": b"hello\n"}), oci.tar({"bin/": None, "bin/x": "y"})]
IMAGE = oci.Image(LAYERS, arch="amd64")
SECRETS = [PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()]


class Answer:
    """What the tool printed: rc, err, and its lines as {word: [rest]}."""

    def __init__(self, done):
        self.rc, self.err, self.out = done.returncode, done.stderr.strip(), done.stdout
        self.lines = {}
        for line in done.stdout.splitlines():
            word, _, rest = line.partition(" ")
            self.lines.setdefault(word, []).append(rest)

    def one(self, word):
        """The only line of its kind."""
        assert len(self.lines.get(word, [])) == 1, f"{word}: {self!r}"
        return self.lines[word][0]

    def __repr__(self):
        return f"rc {self.rc}\n{self.out}{self.err}"


def ask(registry, *words, name="a/b", endpoints=None, secrets=True, seconds=120):
    """Run the tool; words that are for an endpoint follow it."""
    endpoints = endpoints or [[f"endpoint={registry.url}", "http"]]
    words = [w for e in endpoints for w in e] + list(words)
    done = subprocess.run([TOOL, f"docker://{registry.host}/{name}", *words], env={"RKT_LIBEXEC": str(LIBEXEC), "PATH": "/usr/bin"},
                          capture_output=True, text=True, timeout=seconds, check=False)
    answer = Answer(done)
    if secrets:
        for secret in [*SECRETS, *registry.tokens]:
            assert secret not in answer.out + answer.err, f"a secret is shown: {answer!r}"
    return answer


def good(answer, image=IMAGE):
    """It was the image."""
    assert answer.rc == 0, repr(answer)
    assert answer.one("manifest").split()[0] == image.digest, repr(answer)
    return answer


def bad(answer, *parts):
    """It failed with a sentence in which all of these stand."""
    assert answer.rc == 1, repr(answer)
    for part in parts:
        assert part in answer.err, f"'{part}' is not in: {answer!r}"
    assert len(answer.err) < 2000 and len(answer.err.splitlines()) == 1, repr(answer)
    return answer


def pull(r):
    """Index, platform, manifest, config, layers; over one connection."""
    index = oci.Index([oci.Image(LAYERS[:1], arch="s390x"), IMAGE])
    r.publish(index)
    a = good(ask(r, "blobs"))
    assert a.one("digest") == index.digest and len(a.lines["layer"]) == 2, repr(a)
    assert a.one("config").split()[0] == oci.digest(IMAGE.config)
    documents = r.asked()[:3]
    assert len({q.port for q in documents}) == 1, "one connection for all documents"
    assert all(t in documents[0].accept for t in (oci.INDEX, oci.MANIFEST, oci.DOCKER_LIST, oci.DOCKER_MANIFEST))


def by_digest(r):
    """A name with a digest leads to that, without asking for the tag."""
    r.publish(IMAGE, tag=None)
    good(ask(r, name=f"a/b:gone@{IMAGE.digest}"))
    assert not r.asked("*/gone")


def docker_types(r):
    """Schema 2 and manifest lists; zstd; no mediaType, so that Content-Type decides."""
    for image in (oci.Image(LAYERS, arch="amd64", docker=True), oci.Image(LAYERS, arch="amd64", compression=""),
                  oci.Image(LAYERS, arch="amd64", manifest_fields={"mediaType": None})):
        r.publish(oci.Index([image], docker=True))
        good(ask(r, "blobs"), image)


def unchanged(r):
    """A tag that still leads to what is known costs one HEAD; one that does not, is then asked for by digest."""
    r.publish(IMAGE)
    a = ask(r, f"known={IMAGE.digest}")
    assert a.rc == 0 and a.one("unchanged") == IMAGE.digest, repr(a)
    assert [q.method for q in r.requests] == ["HEAD"], r.requests
    r.requests.clear()
    good(ask(r, "known=sha256:" + "0" * 64))
    assert [q.method for q in r.requests] == ["HEAD", "GET", "GET"] and r.requests[1].path.endswith(IMAGE.digest)
    r.requests.clear()
    r.rules["HEAD", "*"] = lambda h: h.answer(405)
    good(ask(r, f"known={IMAGE.digest}"))


def known_by_digest(r):
    """A digest that is known needs no question at all."""
    a = ask(r, f"known={IMAGE.digest}", name=f"a/b@{IMAGE.digest}")
    assert a.rc == 0 and a.one("unchanged") == IMAGE.digest and not r.requests, repr(a)


def r1_config(r):
    """R1: config with other content, another size."""
    r.publish(IMAGE)
    path = f"/v2/a/b/blobs/{oci.digest(IMAGE.config)}"
    r.rules["GET", path] = lambda h: h.answer(200, IMAGE.config.replace(b"linux", b"minix"))
    bad(ask(r), "config differs from its digest", f"expected {oci.digest(IMAGE.config)}", "found sha256:")
    r.rules["GET", path] = lambda h: h.answer(200, IMAGE.config[:-1])
    bad(ask(r), "differs from its size", f"expected {len(IMAGE.config)} bytes, found {len(IMAGE.config) - 1}")
    r.rules["GET", path] = lambda h: h.answer(200, IMAGE.config + b" ")
    bad(ask(r), "more than the limit")


def r1_manifest_size(r):
    """R1: an index that promises another size."""
    r.publish(oci.Index([IMAGE]))
    r.publish(oci.Index([{**IMAGE.entry, "size": 7}]))
    bad(ask(r), "differs from its size", "expected 7 bytes")


def r2_manifest(r):
    """R2: a manifest with another digest than was asked for, or than Docker-Content-Digest says."""
    r.publish(oci.Index([IMAGE]))
    other = oci.Image(LAYERS[:1], arch="amd64")
    r.rules["GET", f"*/{IMAGE.digest}"] = lambda h: h.answer(200, other.manifest, {"Content-Type": other.media_type})
    bad(ask(r), "differs from its digest", IMAGE.digest, other.digest)
    bad(ask(r, name=f"a/b@{IMAGE.digest}"), "differs from its digest", IMAGE.digest, other.digest)
    r.rules.clear()
    for wrong, part in ((oci.digest(b""), "differs from its digest"), ("sha256:../..", "no digest"), ("md5:00", "algorithm")):
        r.rules["GET", "*/latest"] = lambda h, w=wrong: h.answer(
            200, IMAGE.manifest, {"Content-Type": IMAGE.media_type, "Docker-Content-Digest": w})
        bad(ask(r), "Docker-Content-Digest", part)
    r.rules["GET", "*/latest"] = lambda h: h.answer(200, IMAGE.manifest, {
        "Content-Type": IMAGE.media_type, "Docker-Content-Digest": [IMAGE.digest, other.digest]})
    bad(ask(r), "two different Docker-Content-Digest")


def head_then_swapped(r):
    """The manifest is another one at the GET than it was at the HEAD: refused, as it was asked for by digest."""
    r.publish(IMAGE)
    other = oci.Image(LAYERS[:1], arch="amd64")
    r.rules["GET", "*/manifests/*"] = lambda h: h.answer(
        200, other.manifest, {"Content-Type": other.media_type, "Docker-Content-Digest": other.digest})
    bad(ask(r, "known=sha256:" + "0" * 64), "differs from its digest", IMAGE.digest, other.digest)


def r3_digests(r):
    """R3: digests that are none; nothing is asked for by them."""
    for wrong in ("sha256:../..", "sha256:" + "A" * 64, "sha256:abc", "md5:" + "0" * 32, "none", ""):
        image = oci.Image(LAYERS, arch="amd64", manifest_fields={"config": {
            "mediaType": oci.CONFIG, "digest": wrong, "size": 2}})
        r.publish(image)
        r.requests.clear()
        bad(ask(r), "config: digest: ")
        assert len(r.requests) == 1, r.requests
    r.requests.clear()
    for name in ("a/b@sha256:../..", "a/b@md5:" + "0" * 32, "a/b@sha256:" + "F" * 64):
        bad(ask(r, name=name))
    assert not r.requests


def r4_confusion(r):
    """R4: both kinds of document in one; types that contradict each other."""
    r.publish(oci.Image(LAYERS, arch="amd64", manifest_fields={"manifests": [IMAGE.entry]}))
    bad(ask(r), "both 'layers' and 'manifests'")
    r.publish(IMAGE)
    r.rules["GET", "*/latest"] = lambda h: h.answer(200, IMAGE.manifest, {"Content-Type": oci.INDEX})
    bad(ask(r), "Content-Type says")
    r.rules.clear()
    r.publish(oci.Index([{**IMAGE.entry, "mediaType": oci.DOCKER_MANIFEST}]))
    bad(ask(r), "descriptor says")
    r.publish(oci.Image(LAYERS, arch="amd64", manifest_fields={"mediaType": oci.INDEX}))
    bad(ask(r), "the document says")


def r5_indexes(r):
    """R5: one index in an index is fine, two are not; no platform; the first of equals; attestations are passed over."""
    inner = oci.Index([IMAGE])
    a = good(ask_after(r, oci.Index([inner])))
    assert [line.split()[0] for line in a.lines["index"]] == [oci.Index([inner]).digest, inner.digest]
    bad(ask_after(r, oci.Index([oci.Index([inner])])), "index in an index in an index")
    bad(ask_after(r, oci.Index([oci.Image(LAYERS, arch="s390x"), oci.Image(LAYERS, arch="arm64", variant="v8")])),
        "no image for linux/amd64", "linux/s390x", "linux/arm64")
    unknown = {**oci.Image(LAYERS[:1]).entry, "platform": {"os": "unknown", "architecture": "unknown"}}
    good(ask_after(r, oci.Index([unknown, IMAGE, oci.Image(LAYERS[:1], arch="amd64")])))
    bad(ask_after(r, oci.Index([])), "no image for linux/amd64")


def ask_after(r, image, *words):
    """Publish and ask."""
    r.publish(image)
    return ask(r, *words)


def r6_foreign(r):
    """R6: a layer that is elsewhere: refused, and not asked for."""
    layer = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": oci.digest(b"x"), "size": 1,
             "urls": [r.url + "/elsewhere"]}
    image = oci.Image(LAYERS, arch="amd64", manifest_fields={"layers": [layer]})
    bad(ask_after(r, image), "foreign layers are not fetched", oci.digest(b"x"), "/elsewhere")
    assert not r.asked("/elsewhere") and not r.asked("*/blobs/*")


def r7_sizes(r):
    """R7: documents that are too large, or have too many layers, or none."""
    bad(ask_after(r, oci.Image(LAYERS, arch="amd64", manifest_fields={"x": "x" * (5 << 20)})), "more than the limit of 4194304")
    one = oci.Image.descriptor(oci.LAYER, b"x")
    bad(ask_after(r, oci.Image(LAYERS, arch="amd64", manifest_fields={"layers": [one] * 3000})), "3000 layers")
    bad(ask_after(r, oci.Image(LAYERS, arch="amd64", manifest_fields={"layers": []})), "no layers")
    bad(ask_after(r, oci.Image(LAYERS, arch="amd64", manifest_fields={"layers": None})), "neither 'layers' nor 'manifests'")
    bad(ask_after(r, oci.Image(LAYERS, arch="amd64", manifest_fields={"layers": [{**one, "size": -1}]})), "size")
    big = {"mediaType": oci.CONFIG, "digest": oci.digest(b"x"), "size": 5 << 20}
    bad(ask_after(r, oci.Image(LAYERS, arch="amd64", manifest_fields={"config": big})), "config", "at most 4194304")
    bad(ask_after(r, oci.Index([{**IMAGE.entry, "size": 5 << 20}])), "at most 4194304")


def r7_endless(r):
    """R7, H9: a manifest without an end, with and without a Content-Length that lies; drips."""
    def endless(h, headers=None):
        h.send_response(200)
        for key, value in (headers or {"Connection": "close"}).items():
            h.send_header(key, value)
        h.end_headers()
        h.close_connection = True
        for _ in range(200):
            h.wfile.write(b" " * 65536)

    r.rules["GET", "*/latest"] = endless
    bad(ask(r), "more than 4194304 bytes")
    r.rules["GET", "*/latest"] = lambda h: endless(h, {"Content-Length": "99999999999"})
    bad(ask(r), "more than the limit")

    def drip(h):
        h.send_response(200)
        h.send_header("Content-Length", "1000")
        h.end_headers()
        for _ in range(100):
            h.wfile.write(b" ")
            time.sleep(0.1)

    r.rules["GET", "*/latest"] = drip
    start = time.monotonic()
    bad(ask(r, "time=1"), "too slow")
    assert time.monotonic() - start < 5


def cut_off(r):
    """H7: less than Content-Length."""
    def cut(h):
        h.send_response(200)
        h.send_header("Content-Length", "1000")
        h.end_headers()
        h.wfile.write(b"{")
        h.close_connection = True

    r.rules["GET", "*/latest"] = cut
    bad(ask(r), "truncated")
    assert len(r.requests) == 2, "asked once more"


def tokens(r):
    """Anonymous tokens, and those for a user: one token for everything, for our scope, which the blobs get too."""
    r.auth = "token"
    r.publish(IMAGE)
    a = good(ask(r, "blobs"))
    assert a.one("secret").startswith("Authorization: Bearer")
    assert len(r.asked("/token*")) == 1 and "scope=repository%3Aa%2Fb%3Apull" in r.asked("/token*")[0].path
    assert all(q.authorization.startswith("Bearer ") for q in r.asked("*/blobs/*"))
    r.requests.clear()
    r.auth = "private"
    bad(ask(r), "401", "auth.d")
    good(ask(r, *LOGIN, "blobs"))
    bad(ask(r, f"user={USER}", "password=wrong"), "credentials that are configured", "incorrect username or password")
    assert [q.path.split("?")[0] for q in r.requests if q.authorization.startswith("Basic")] == ["/token"] * 2


def identity(r):
    """An identity token: asked for by POST; by GET where that is not known."""
    r.auth, r.identity_token = "private", "very secret"
    r.publish(IMAGE)
    good(ask(r, "identity=very secret"))
    post = r.asked("/token", "POST")[0]
    assert post.form["grant_type"] == "refresh_token" and post.form["scope"] == "repository:a/b:pull", post.form
    bad(ask(r, "identity=wrong"), "bad refresh token")
    r.rules["POST", "/token"] = lambda h: h.answer(404)
    good(ask(r, "identity=very secret"))
    assert r.asked("/token*", "GET")


def basic_auth(r):
    """User name and password go to the registry after it asked, once."""
    r.auth = "basic"
    r.publish(IMAGE)
    good(ask(r, *LOGIN, "blobs"))
    assert r.requests[0].authorization == "" and all(q.authorization == basic() for q in r.requests[1:])
    r.requests.clear()
    bad(ask(r, f"user={USER}", "password="), "401", "wrong, or have no right to it")
    assert len(r.requests) == 2
    bad(ask(r), "wants a user name and a password", "auth.d")


def r8_realm(r):
    """R8: who we are is not said to another host, nor without TLS to a registry that has it, nor to files."""
    r.auth = "private"
    r.publish(IMAGE)
    with FakeRegistry(name=OTHER, address=OTHER) as other:
        r.challenge = lambda _: f'Bearer realm="{other.url}/token",service="s"'
        bad(ask(r, *LOGIN), f"token server at host '{OTHER}'", "not its own")
        bad(ask(r, "identity=x y"), f"token server at host '{OTHER}'", "not its own")
        assert not other.requests
        good_with_host = ask(r, *LOGIN, f"token-host={other.host}")
        assert len(other.requests) == 1 and other.requests[0].authorization == basic(), repr(good_with_host)
        r.challenge = lambda _: f'Bearer realm="{other.url}/token",service="s"'
        other.requests.clear()
        bad(ask(r), "401")  # without credentials, anybody may give a token; this one is not good here
        assert len(other.requests) == 1 and not other.requests[0].authorization
    for realm in ("file:///etc/passwd", "gopher://x/", "/token", "//x/", "", "https://u:p@x/", "https://x/\\"):
        r.challenge = lambda _, realm=realm: f'Bearer realm="{realm}",service="s"'
        bad(ask(r, *LOGIN))


def r8_challenges(r):
    """R8: several schemes in one header and several headers, no quotes; nothing that we know."""
    r.auth = "private"
    r.publish(IMAGE)
    realm = f"{r.url}/token"
    for headers in (f"Bearer realm={realm},service=s",
                    f'Negotiate, Digest realm="x", nonce="{realm}", Bearer service="s", realm="{realm}", error="invalid_token"',
                    ["Negotiate", 'Basic realm="x"', f'Bearer realm="{realm}"']):
        r.challenge = lambda _, headers=headers: headers
        good(ask(r, *LOGIN))
    for headers in ("Negotiate", [], f'Bearer realm="{realm}', "Bearer"):
        r.challenge = lambda _, headers=headers: headers
        bad(ask(r, *LOGIN), "who we are")
    assert not [q for q in r.requests if "/token" not in q.path and q.authorization.startswith("Basic")]


def r8_token(r):
    """R8: token servers that send too much, or nonsense, or fail."""
    r.auth = "token"
    r.publish(IMAGE)
    for body, part in ((b'{"token":"' + b"x" * (5 << 20) + b'"}', "more than the limit of 1048576"),
                       (b'{"token":"' + b"x" * 9000 + b'"}', "9000 bytes, at most 8192"),
                       (b'{"token":"a\\r\\nX: y"}', "characters that none has"), (b"<html>", "no JSON object"),
                       (b"{}", "no token")):
        r.rules["GET", "/token"] = lambda h, body=body: h.answer(200, body)
        bad(ask(r), part)
    r.rules["GET", "/token"] = lambda h: h.answer(500, b'{"details":"we are\\u001b[2J broken"}')
    bad(ask(r), "gives no token", "500", "we are?[2J broken")
    r.rules["GET", "/token"] = lambda h: h.answer(302, headers={"Location": "/token2"})
    r.rules["GET", "/token2"] = lambda h: h.answer(200, b'{"token":"y"}')
    bad(ask(r), "401")


def token_expires(r):
    """A token that is no longer good midway is replaced, once."""
    r.auth = "token"
    r.publish(IMAGE)
    left = [1]

    def expire(h):
        if left[0] > 0:
            left[0] -= 1
            r.tokens.clear()
        return False

    r.rules["GET", "*/blobs/*"] = expire
    good(ask(r))
    assert len(r.asked("/token*")) == 2
    left[0] = 99
    r.requests.clear()
    bad(ask(r), "401")
    assert len(r.asked("*/blobs/*")) == 2 and len(r.asked("/token*")) == 2


def scope(r):
    """insufficient_scope: once more with what is wanted, if that is for our repository."""
    r.auth = "token"
    r.publish(IMAGE)
    wanted = ["repository:a/b:pull,push"]
    asked = []

    def more(h):
        if asked and "push" in asked[-1]:
            return False
        h.error(403, "DENIED", "more", {"WWW-Authenticate": f'Bearer realm="{r.url}/token",scope="{wanted[0]}",error="insufficient_scope"'}
                if h.headers.get("Authorization") else {})
        return True

    def token(h):
        asked.append(h.query["scope"])
        return False

    r.rules["GET", "/token"] = token
    r.rules["GET", "*/blobs/*"] = more
    good(ask(r))
    assert asked == ["repository:a/b:pull", "repository:a/b:pull,push"], asked
    asked.clear()
    wanted[0] = "repository:secret/c:pull,push"
    bad(ask(r), "403")
    assert asked == ["repository:a/b:pull"], asked


def r9_names(r):
    """R9: names that are none: nothing is asked."""
    for name in ("a/b:../x", "a/b:c:d", "a/../b", "A/b", "a/b:" + "x" * 200, "a/" + "b" * 300):
        bad(ask(r, name=name))
    assert not r.requests


def r10_schema_1(r):
    """R10: a manifest of the first schema, by its type or by its members."""
    old = oci.document({"schemaVersion": 1, "name": "a/b", "tag": "latest", "fsLayers": [], "history": [], "signatures": []})
    for media_type in ("application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json"):
        r.rules["GET", "*/latest"] = lambda h, t=media_type: h.answer(200, old, {"Content-Type": t})
        bad(ask(r), "schema 1", "push the image again")


def r15_moving_tag(r):
    """R15: a tag that moves between the manifest and its config: what was begun is got, by digest."""
    other = oci.Image(LAYERS[:1], arch="amd64")
    r.publish(oci.Index([IMAGE]))

    def move(_h):
        r.publish(oci.Index([other]))
        return False

    r.rules["GET", f"*/{IMAGE.digest}"] = move
    good(ask(r, "blobs"))
    good(ask(r, "blobs"), other)


def cross_repository(r):
    """Blobs are asked for in the image's own repository, and nowhere else."""
    r.publish(IMAGE)
    r.publish(IMAGE, repository="secret/c")
    r.repositories["a/b"][1].clear()
    bad(ask(r), "config", "404")
    assert not [q for q in r.requests if not q.path.startswith("/v2/a/b/")]


def redirects(r):
    """H1: blobs elsewhere are fetched without the Authorization header; loops and nonsense end."""
    r.auth = "private"
    r.publish(IMAGE)
    with FakeRegistry(name=OTHER, address=OTHER) as cdn:
        cdn.publish(IMAGE)
        r.rules["GET", "*/blobs/*"] = lambda h: h.answer(307, headers={"Location": cdn.url + h.path})
        good(ask(r, *LOGIN, "blobs"))
        assert len(cdn.requests) == 3 and not [q for q in cdn.requests if q.authorization], cdn.requests
        assert all(q.authorization for q in r.asked("*/blobs/*"))
        r.rules["GET", "*/manifests/*"] = r.rules["GET", "*/blobs/*"]
        r.auth, cdn.auth = "", "basic"
        bad(ask(r, *LOGIN))  # and another's 401 is not answered with our password
        assert not [q for q in cdn.requests if q.authorization]
    r.rules["GET", "*/manifests/*"] = lambda h: h.answer(302, headers={"Location": h.path})
    bad(ask(r), "redirects more than")
    for where in ("file:///etc/passwd", "gopher://x/", "http://user:pw@127.0.0.2/", "http://x\x01/", ""):
        r.rules["GET", "*/manifests/*"] = lambda h, where=where: h.answer(302, headers={"Location": where})
        bad(ask(r), "redirects")


def busy(r):
    """H17: 429 and 503 with Retry-After are waited for, in bounds; the sentence says what helps."""
    r.publish(IMAGE)
    left = [2]

    def limit(h, status=429, headers=None):
        if left[0] == 0:
            return False
        left[0] -= 1
        h.error(status, "TOOMANYREQUESTS", "You have reached your pull rate limit", headers)
        return True

    r.rules["GET", "*/latest"] = lambda h: limit(h, headers={"Retry-After": "0"})
    good(ask(r))
    left[0] = 1
    r.rules["GET", "*/latest"] = lambda h: limit(h, 503, {"Retry-After": "1"})
    start = time.monotonic()
    good(ask(r))
    assert time.monotonic() - start >= 1
    left[0] = 99
    r.requests.clear()
    r.rules["GET", "*/latest"] = lambda h: limit(h, headers={"Retry-After": "1000000000", "RateLimit-Remaining": "0;w=21600"})
    bad(ask(r), "rate limit", "429", "You have reached your pull rate limit", "remaining: 0;w=21600", "mirror")
    assert len(r.requests) == 1
    r.rules["GET", "*/latest"] = lambda h: limit(h, headers={"Retry-After": "0"})
    bad(ask(r, "retries=3"), "rate limit")
    assert len(r.requests) == 1 + 4


def refusals(r):
    """What a registry says becomes part of one sentence, printable and bounded, with what to do."""
    bad(ask(r), "no manifest 'latest' in repository 'a/b'", "404", "MANIFEST_UNKNOWN: not here", "check the name")
    r.rules["GET", "*/latest"] = lambda h: h.error(403, "DENIED", "x\n\x1b[31m" + "y" * 5000)
    a = bad(ask(r), "403", "DENIED: x??[31myyy", "auth.d")
    assert "y" * 250 not in a.err
    bad(ask(r, *LOGIN), "403", "the credentials that are configured are wrong")
    r.rules["GET", "*/latest"] = lambda h: h.answer(500, b"<html>" * 100000)
    bad(ask(r, "retries=1"), "500")
    r.rules["GET", "*/latest"] = lambda h: h.answer(204)
    bad(ask(r), "204")
    r.rules["GET", "*/latest"] = lambda h: h.answer(206, b"{}", {"Content-Range": "bytes 0-1/2"})
    bad(ask(r), "nobody asked for")
    r.rules["GET", "*/latest"] = lambda h: h.answer(200, gzip.compress(IMAGE.manifest), {"Content-Encoding": "gzip"})
    bad(ask(r))


def warnings(r):
    """Warning: 299 is shown once."""
    r.publish(IMAGE)

    def warn(h):
        media_type, data = r.repositories["a/b"][0].get(h.path.split("/")[-1], ("x/y", IMAGE.config))
        h.answer(200, data, {"Content-Type": media_type, "Warning": '299 - "moves to\x1b quay.test soon"'})

    r.rules["GET", "*"] = warn
    a = good(ask(r))
    assert not a.lines.get("warning"), "a header with control characters counts as absent"
    r.rules["GET", "*"] = lambda h: h.answer(200, *(lambda t, d: (d, {"Content-Type": t, "Warning": '299 - "moves soon"'}))(
        *r.repositories["a/b"][0].get(h.path.split("/")[-1], ("x/y", IMAGE.config))))
    assert "moves soon" in good(ask(r)).one("warning")


def mirrors(r):
    """Endpoints in order; each that failed is named; credentials only to whom they are for."""
    with FakeRegistry(name=OTHER, address=OTHER) as mirror:
        gone = ["endpoint=http://127.0.0.1:1", "http"]
        first = [f"endpoint={mirror.url}", "http", "repository=proxy/a/b"]
        last = [f"endpoint={r.url}", "http", *LOGIN]
        r.auth = "private"
        bad(ask(r, endpoints=[gone, first, last]), "http://127.0.0.1:1: ", f"{mirror.url}: ", f"; {r.url}: ", "404")
        r.publish(IMAGE)
        a = good(ask(r, "blobs", endpoints=[gone, first, last]))
        assert a.one("endpoint") == r.url and len(a.lines["warning"]) == 2, repr(a)
        assert not [q for q in mirror.requests if q.authorization]
        mirror.publish(IMAGE, repository="proxy/a/b")
        r.requests.clear()
        a = good(ask(r, "blobs", endpoints=[first, last]))
        assert a.one("endpoint") == mirror.url and not r.requests
        start = time.monotonic()
        mirror.rules["GET", "*/latest"] = lambda h: h.answer(503, headers={"Retry-After": "30"})
        good(ask(r, endpoints=[first, last]))
        assert time.monotonic() - start < 10, "a mirror that is busy is not waited for"
        mirror.rules["GET", "*/latest"] = lambda h: h.answer(200, b"{}", {"Docker-Content-Digest": IMAGE.digest})
        good(ask(r, endpoints=[first, last]))


def plain_http(r):
    """Plain http only where it is allowed; then also when https was asked for first."""
    r.publish(IMAGE)
    bad(ask(r, endpoints=[[f"endpoint={r.url}"]]), "plain http", "--insecure-options=http")
    https = "endpoint=" + r.url.replace("http:", "https:")
    a = good(ask(r, "blobs", endpoints=[[https, "http"]]))
    assert a.one("endpoint") == r.url
    bad(ask(r, endpoints=[[https]]))
    r.auth = "basic"
    r.requests.clear()
    bad(ask(r, endpoints=[[https, "http", *LOGIN]]), "401")
    assert not [q for q in r.requests if q.authorization], "who makes https fail gets no password"


def bundle_of(image, text=b'{"dsseEnvelope":{}}', kind="application/vnd.dev.sigstore.bundle.v0.3+json"):
    """A signature that refers to an image."""
    return oci.artifact(kind, [(kind, text, None)], subject=image)


def signature_of(image, kind):
    """A signature of cosign 2 that refers to an image."""
    return oci.artifact(kind, [("application/vnd.dev.cosign.simplesigning.v1+json", b'{"critical":%d}' % bool(kind),
                                {"dev.cosignproject.cosign/signature": "c2ln"})], subject=image)


def cosign(r):
    """sha256-HEX.sig: payload and signature of every layer; of the index and of the manifest."""
    index = oci.Index([IMAGE])
    r.publish(index)
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    note = "dev.cosignproject.cosign/signature"
    signature = oci.artifact(None, [(kind, b'{"critical":1}', {note: "c2ln"}), (kind, b'{"critical":2}', {note: "c2lnMg=="}),
                                    (kind, b'{"critical":3}', None), ("text/plain", b"x", {note: "c2ln"}),
                                    (kind, b'{"critical":4}', {note: "a\nb"}), (kind, b" " * (2 << 20), {note: "c2ln"})])
    r.publish(signature, tag=index.digest.replace(":", "-") + ".sig")
    a = good(ask(r, "cosign"))
    found = [line.split() for line in a.lines["cosign"]]
    assert [(f[0], f[2], f[3]) for f in found] == [(oci.digest(b'{"critical":1}'), index.digest, "c2ln"),
                                                 (oci.digest(b'{"critical":2}'), index.digest, "c2lnMg==")], repr(a)
    assert "2097152 bytes" in a.one("warning")
    assert "cosign" not in good(ask(r)).lines
    r.publish(signature, tag=IMAGE.digest.replace(":", "-") + ".sig")
    assert len(good(ask(r, "cosign")).lines["cosign"]) == 4
    r.rules["GET", "*/" + found[0][0]] = lambda h: h.answer(200, b'{"critical":9}')
    a = good(ask(r, "cosign"))
    assert len(a.lines["cosign"]) == 2 and "differs from its digest" in " ".join(a.lines["warning"]), repr(a)
    r.rules.clear()
    r.rules["GET", "*.sig"] = lambda h: h.answer(200, b"{", {"Content-Type": oci.MANIFEST})
    assert "passed over" in " ".join(good(ask(r, "cosign")).lines["warning"])
    r.rules["GET", "*.sig"] = lambda h: h.error(403)
    bad(ask(r, "cosign"), "signatures: ", "403")  # not the same as "there is none"


def referrers(r):
    """Bundles and signatures of cosign 2 by the referrers API, and by the tag sha256-HEX; what else refers is passed over."""
    r.publish(IMAGE)
    bundle, sbom = bundle_of(IMAGE), bundle_of(IMAGE, b"{}", "application/spdx+json")
    stranger = bundle_of(oci.Image(LAYERS[:1]))
    for image in (bundle, sbom, stranger):
        r.publish(image, tag=None)
    entry = {**oci.Image.descriptor(oci.MANIFEST, bundle.manifest), "artifactType": "application/vnd.oci.empty.v1+json"}
    others = [oci.Image.descriptor(oci.MANIFEST, image.manifest) for image in (sbom, stranger)]
    r.publish(oci.Index([*others, entry]), tag=IMAGE.digest.replace(":", "-"))
    wanted = f"{next(iter(d for d, b in bundle.blobs.items() if len(b) > 2))} 19 {IMAGE.digest} -"
    assert good(ask(r, "referrers")).one("bundle") == wanted
    assert r.asked(f"*/referrers/{IMAGE.digest}")
    r.referrers = True
    r.repositories["a/b"][0].pop(IMAGE.digest.replace(":", "-"))
    assert good(ask(r, "referrers")).one("bundle") == wanted

    for kind in ("application/vnd.dev.cosign.artifact.sig.v1+json", None):  # in the manifest, or (cosign 2) in its config alone
        r.publish(signature_of(IMAGE, kind), tag=None)
    r.publish(signature_of(oci.Image(LAYERS[:1]), None), tag=None)
    found = good(ask(r, "referrers")).lines
    assert [line.split()[2:] for line in found["cosign"]] == [[IMAGE.digest, "c2ln"]] * 2 and found["bundle"] == [wanted], found

    def pages(h):
        if "page=2" in h.path:
            return False
        h.answer(200, oci.document({"schemaVersion": 2, "manifests": []}),
                 {"Content-Type": oci.INDEX, "Link": f"<{h.path}?page=2>; rel=\"next\""})
        return True

    r.rules["GET", "*/referrers/*"] = pages
    assert good(ask(r, "referrers")).one("bundle") == wanted
    r.rules["GET", "*/referrers/*"] = lambda h: h.answer(200, oci.document({"schemaVersion": 2, "manifests": []}), {
        "Content-Type": oci.INDEX, "Link": f"<{h.path}>; rel=\"next\""})
    r.requests.clear()
    assert "bundle" not in good(ask(r, "referrers")).lines
    assert len(r.asked("*/referrers/*")) <= 8, "pages without an end"


def lookaside(r):
    """BASE/NAME@sha256=HEX/signature-N until there is none; nobody is told who we are."""
    r.auth = "private"
    r.publish(IMAGE)
    with FakeRegistry(name=OTHER, address=OTHER) as server:
        base = f"/sigs/a/b@{IMAGE.digest.replace(':', '=')}"
        for n, data in ((1, b"\x90one"), (2, b"\x90two")):
            server.rules["GET", f"{base}/signature-{n}"] = lambda h, data=data: h.answer(200, data)
        a = good(ask(r, *LOGIN, f"lookaside={server.url}/sigs"))
        assert [line.split()[:3] for line in a.lines["openpgp"]] == [
            [oci.digest(b"\x90one"), "4", IMAGE.digest], [oci.digest(b"\x90two"), "4", IMAGE.digest]], repr(a)
        assert len(server.requests) == 3 and not [q for q in server.requests if q.authorization]
        server.rules["GET", "*"] = lambda h: h.answer(200, b"x")
        server.requests.clear()
        assert len(good(ask(r, *LOGIN, f"lookaside={server.url}/sigs")).lines["openpgp"]) == 32
        assert len(server.requests) == 32, "signatures without an end"


CASES = [pull, by_digest, docker_types, unchanged, known_by_digest, r1_config, r1_manifest_size, r2_manifest, head_then_swapped,
         r3_digests, r4_confusion, r5_indexes, r6_foreign, r7_sizes, r7_endless, cut_off, tokens, identity, basic_auth, r8_realm,
         r8_challenges, r8_token, token_expires, scope, r9_names, r10_schema_1, r15_moving_tag, cross_repository, redirects,
         busy, refusals, warnings, mirrors, plain_http, cosign, referrers, lookaside]


def run(case):
    """One case with a registry of its own; its lines of TAP."""
    start, problem = time.monotonic(), ""
    try:
        with FakeRegistry(name="127.0.0.2") as registry:
            case(registry)
    except (AssertionError, OSError, LookupError, ValueError, subprocess.SubprocessError) as e:
        problem = f"{type(e).__name__}: {e}"
    took = time.monotonic() - start
    print(f"{'not ' if problem else ''}ok - {case.__name__.replace('_', '-')} ({took:.1f} s)\n"
          + "".join(f"# {line}\n" for line in problem.splitlines()), end="", flush=True)
    return not problem


def main():
    """All cases, or those that are named."""
    cases = [c for c in CASES if not sys.argv[3:] or c.__name__ in sys.argv[3:]]
    print(f"1..{len(cases)}")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return 0 if all(list(pool.map(run, cases))) else 1


if __name__ == "__main__":
    sys.exit(main())

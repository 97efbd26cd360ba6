# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt fetch and image: by path, URL and name; pull policies, caches, labels; servers that misbehave; and what the worker
that talks to the network is allowed. What each refused image says is in test_bad_input.py."""
import json
import os
import pathlib
import re
import socket
import threading
import time

import pytest

from images import aci
from images.server import Rule

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"


def failed(result, *patterns):
    """Exit status 254, nothing on standard output, and each pattern in the message."""
    assert result.rc == 254 and result.out == "", result
    for pattern in patterns:
        assert re.search(pattern, result.err, re.IGNORECASE), f"{pattern!r} is not in {result!r}"


def listed(host):
    """The names in the store."""
    return host.rkt("image", "list", "--no-legend", "--fields=name").out.split()


@pytest.fixture
def app(server, images, trusted):
    """A signed image on the server, under its own name; its URL."""
    return server.publish("example.com/busybox", images.busybox, key=trusted)


NAME = "example.com/busybox:1.0.0"


# --- forms and policies ----------------------------------------------------------------------------------------------

def test_path(host, images):
    """FET-01 to FET-03, FET-14: a path is imported every time; the ID has 32 digits, with --full 64."""
    for words in ([], ["--store-only"], ["--no-store"], []):
        result = host.rkt(UNSIGNED, "fetch", *words, images.busybox)
        assert f"using image from file {images.busybox}" in result.err
        assert re.fullmatch(r"sha512-[0-9a-f]{32}\n", result.out)
    full = host.rkt(UNSIGNED, "fetch", "--full", images.busybox).out.strip()
    assert full == aci.image_id(images.busybox) and len(full) == len("sha512-") + 64
    assert host.rkt(UNSIGNED, "fetch", f"file://{images.busybox}").rc == 0


@pytest.fixture
def run(host):
    """A function: rkt run with these words; the pods are removed."""
    yield lambda *words, verb="run", **kw: host.rkt(*words[:1], verb, *(["--net=host"] if verb == "run" else []), *words[1:], **kw)
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s", check=False)


@pytest.mark.parametrize("words", [[], ["--store-only"], ["--no-store"]], ids=["FET-04", "FET-05", "FET-06"])
def test_path_run(images, run, words):
    """FET-04 to FET-06: a path is imported every time, by run too."""
    path = images.make("example.com/hello", app={"exec": ["/bin/echo", "Hello"]})
    for _ in range(2):
        result = run(UNSIGNED, *words, path)
        assert f"using image from file {path}" in result.err and "Hello" in result.out


@pytest.mark.parametrize("words", [[], ["--store-only"], ["--no-store"]], ids=["FET-07", "FET-08", "FET-09"])
def test_path_prepare(images, run, words):
    """FET-07 to FET-09: a path is imported every time, by prepare too."""
    path = images.make("example.com/hello", app={"exec": ["/bin/echo", "Hello"]})
    for _ in range(2):
        result = run(UNSIGNED, *words, path, verb="prepare")
        assert f"using image from file {path}" in result.err and re.fullmatch(r"[0-9a-f-]{36}\n", result.out)


@pytest.mark.parametrize("verb", ["run", "prepare"])
@pytest.mark.parametrize("by", ["name", "url"])
def test_pull_policies_run(server, images, trusted, run, by, verb):  # pylint: disable=unused-argument,too-many-arguments
    """FET-10 to FET-12 by rkt run and rkt prepare: never, new, new again, never again, update."""
    url = server.publish("example.com/hello", images.make("example.com/hello", app={"exec": ["/bin/echo", "Hello"]}), key=trusted)
    image = "example.com/hello:1.0.0" if by == "name" else url
    failed(run("--debug=false", "--pull-policy=never", image, verb=verb, check=False), rf'unable to fetch.* image from .* "{image}"')
    for policy, message in (("new", f'remote fetching from URL "{url}"'), ("new", f"using image from local store for .* {image}"),
                            ("never", f"using image from local store for .* {image}"), ("update", f'remote fetching from URL "{url}"')):
        result = run("--debug=false", f"--pull-policy={policy}", image, verb=verb)
        assert re.search(message, result.err)
        assert "Hello" in result.out if verb == "run" else re.fullmatch(r"[0-9a-f-]{36}\n", result.out)


@pytest.mark.parametrize("by", ["name", "url"])
def test_pull_policies(host, server, app, by):
    """FET-10 FET-11 FET-12, by name through discovery and by URL."""
    image = NAME if by == "name" else app
    failed(host.rkt("fetch", "--pull-policy=never", image, check=False), rf'unable to fetch.* image from .* "{image}"')
    first = host.rkt("fetch", "--pull-policy=new", image)
    assert f'remote fetching from URL "{app}"' in first.err and "signature verified" in first.err
    server.requests.clear()
    for policy in ("new", "never"):
        again = host.rkt("fetch", f"--pull-policy={policy}", image)
        assert re.search(f"using image from local store for .* {image}", again.err) and again.out == first.out
    assert server.requests == []
    assert f'remote fetching from URL "{app}"' in host.rkt("fetch", "--pull-policy=update", image).err
    asked = [r for r in server.requests if r[2].endswith(".aci")]
    assert len(asked) == 1 and asked[0][3].get("If-None-Match")
    server.requests.clear()
    assert host.rkt("fetch", "--pull-policy=always", image).out == first.out
    asked = [r for r in server.requests if r[2].endswith(".aci")]
    assert len(asked) == 1 and "If-None-Match" not in asked[0][3]


def test_unchanged(host, server, app):  # pylint: disable=unused-argument
    """H15: a 304 answer means the image that is here; when it was removed, it is fetched whole."""
    host.rkt("fetch", app)
    assert "has not changed" in host.rkt("fetch", app).err
    host.rkt("image", "rm", "example.com/busybox")
    assert "signature verified" in host.rkt("fetch", app).err


@pytest.mark.parametrize("image", ["url", "name"])
def test_max_age(host, server, app, image):
    """FET-15: an answer with Cache-Control is good for that long."""
    server.rules[("example.com", "*.aci")] = Rule(headers={"Cache-Control": "max-age=600"})
    image = app if image == "url" else "example.com/busybox:1.0.0"
    assert f"fetching image from {app}" in host.rkt("--debug", "fetch", "--no-store", image).err
    server.requests.clear()
    assert f"image for {app} isn't expired, not fetching." in host.rkt("fetch", "--no-store", image).err
    assert not [r for r in server.requests if r[2].endswith(".aci")]


def test_unverified_is_not_reused(host, app):
    """What was fetched unsigned is fetched again, and checked, for somebody who wants a signature."""
    host.rkt(UNSIGNED, "fetch", app)
    again = host.rkt("fetch", app)
    assert "signature verified" in again.err and "has not changed" not in again.err


def test_one_download_for_two(host, server, app):
    """Two fetches of one image at the same time download it once."""
    size = os.stat(pathlib.Path(server.docroot, "example.com", app.removeprefix("https://example.com/"))).st_size
    server.rules[("example.com", "*.aci")] = Rule(pace=1.0 / (size / 1024))
    both = [host.spawn("rkt", "fetch", app) for _ in range(2)]
    outputs = [p.communicate(timeout=120) for p in both]
    assert [p.returncode for p in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0] != ""
    assert len([r for r in server.requests if r[2].endswith(".aci")]) == 1


@pytest.mark.parametrize("wanted,message", [
    (":2.0", r'requested value for label "version": "2.0" differs from fetched aci label value: "1.0.0"'),
    (":latest", r'requested value for label "version": "latest" differs from fetched aci label value: "1.0.0"'),
    (":1.0.0,unexistinglabel=bla", 'requested label "unexistinglabel" not provided by the image manifest')])
def test_labels(host, server, images, trusted, wanted, message):
    """FET-19: the server answers with something else than was asked for."""
    for version in ("2.0", "latest"):
        server.publish("example.com/busybox", images.busybox, version=version, key=trusted)
    server.publish("example.com/busybox", images.busybox, key=trusted)
    failed(host.rkt("fetch", f"example.com/busybox{wanted}", check=False), re.escape(message))
    assert listed(host) == []


def test_other_arch(host, server, images, trusted):
    """FET-19: another architecture than the one that was asked for."""
    server.publish("example.com/busybox", images.busybox, arch="s390x", key=trusted)
    failed(host.rkt("fetch", "example.com/busybox:1.0.0,arch=s390x", check=False),
           'requested value for label "arch": "s390x" differs')


# --- servers ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("location", ["https://user:secret@example.com/x.aci", "file:///etc/passwd", "ftp://example.com/x.aci",
                                      "https://example.com/\x01", "https://2130706433/x.aci", "gopher://example.com/"])
def test_redirects_elsewhere(host, server, location):
    """H3, H6, H20: where a server may not send us; what it says is not repeated on the terminal."""
    server.rules[("example.com", "/start.aci")] = Rule(status=302, location=location)
    result = host.rkt(UNSIGNED, "fetch", "https://example.com/start.aci", check=False)
    failed(result, "redirect|proper|malformed|cannot get")
    assert "secret" not in result.err and "\x01" not in result.err and "root:" not in result.all


def test_redirects_followed(host, server, app):
    """H2: ten redirects, to another host too, are followed; eleven are not."""
    for n in range(10):
        server.rules[("images.test", f"/{n}.aci")] = Rule(status=302, location=f"https://images.test/{n + 1}.aci")
    server.rules[("images.test", "/10.aci")] = Rule(status=302, location=app)
    host.rkt(UNSIGNED, "fetch", "https://images.test/1.aci")
    failed(host.rkt(UNSIGNED, "fetch", "https://images.test/0.aci", check=False), "redirects more than 10 times")


ANSWERS = {
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc",
    "chunked and length": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    "too long": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\nabc",
    "huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nabc",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\nabc",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10000 + b"\r\nabc",
    "range": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nabc",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "deferred": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "redirect to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "challenge": b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"\r\nContent-Length: 0\r\n\r\n",
    "later": b"HTTP/1.1 503 Later\r\nRetry-After: 1000000000\r\nContent-Length: 0\r\n\r\n",
    "old": b"abc",
    "nothing": b"",
    "garbage": bytes(range(256)) * 16,
}


class Raw:
    """A server that sends given bytes to whoever asks."""

    def __init__(self, answer, address="127.0.0.2"):
        self.listener = socket.create_server((address, 0))
        self.url = f"http://{address}:{self.listener.getsockname()[1]}/x.aci"
        self.answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(self.answer)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.mark.parametrize("kind", ANSWERS)
def test_malformed_answers(host, kind):
    """H7, H8, H10, H12, H15, H16, H17, H20: each is refused, quickly, and leaves nothing."""
    with Raw(ANSWERS[kind]) as raw:
        failed(host.rkt("--insecure-options=image,http", "fetch", raw.url, check=False, timeout=30))
    assert listed(host) == []


@pytest.mark.usefixtures("server")
def test_redirect_to_this_machine(host):
    """H4: a server elsewhere must not make us talk to services of this machine."""
    host.run("ip", "address", "replace", "10.98.76.54/32", "dev", "lo")
    try:
        with Raw(b"") as inside:
            outside = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + inside.url.encode() + b"\r\n\r\n"
            with Raw(outside, "10.98.76.54") as raw:
                failed(host.rkt("--insecure-options=image,http", "fetch", raw.url, check=False, timeout=30), "this machine")
    finally:
        host.run("ip", "address", "del", "10.98.76.54/32", "dev", "lo")


@pytest.mark.parametrize("template,message", [
    ("http://example.com/aci/{name}-{version}-{os}-{arch}.{ext}", "http"),
    ("file:///etc/passwd{ext}", "https"),
    ("https://example.com/{unknown}.{ext}", "no ac-discovery tag"),
    ("https://example.com/x.aci", "no ac-discovery tag")])
def test_discovery_templates(host, server, app, template, message):  # pylint: disable=unused-argument
    """D4, D5: what a page may not make us do."""
    page = f'<meta name="ac-discovery" content="example.com {template}">'.encode()
    server.rules[("example.com", "/*?ac-discovery")] = Rule(status=200, body=page)
    failed(host.rkt("fetch", NAME, check=False), message)


def test_discovery_page_too_large(host, server):
    """D1: a page of more than 1 MiB is not read."""
    server.rules[("example.com", "/*?ac-discovery")] = Rule(status=200, body=b" " * (2 << 20))
    failed(host.rkt("fetch", NAME, check=False), "example.com", "limit|more than")


# --- the store's commands --------------------------------------------------------------------------------------------

def test_list(host, images):
    """IML-01 to IML-07."""
    host.rkt(UNSIGNED, "fetch", images.busybox)
    assert host.rkt("image", "list").out.splitlines()[0].split() == "ID NAME SIZE IMPORT TIME LAST USED".split()
    assert "ID" not in host.rkt("image", "list", "--no-legend").out
    assert re.fullmatch(r"sha512-[0-9a-f]{12}\n", host.rkt("image", "list", "--no-legend", "--fields=id").out)
    assert "sha" not in host.rkt("image", "list", "--no-legend", "--fields=name").out
    assert re.search(r"sha512-[0-9a-f]{64}\s", host.rkt("image", "list", "--fields=id", "--full").out)
    text = host.rkt("image", "list", "--format=json").out
    assert text.startswith("[{")
    image, = json.loads(text)
    assert set(image) == {"id", "name", "import_time", "last_used_time", "size"}
    assert image["name"] == "example.com/busybox:1.0.0" and image["size"] > 100_000
    assert abs(image["import_time"] / 1e9 - time.time()) < 600
    assert '"id": "' in host.rkt("image", "list", "--format=json-pretty").out


def test_list_sorted(host, images):
    """--sort and --order."""
    host.rkt(UNSIGNED, "fetch", images.make("example.com/b"), images.make("example.com/a"))
    names = ["example.com/b", "example.com/a"]

    def order(*words):
        return [n.split(":")[0] for n in host.rkt("image", "list", "--no-legend", "--fields=name", *words).out.split()]
    assert order() == names == order("--sort=name", "--order=desc")
    assert order("--sort=name") == names[::-1] == order("--order=desc")
    failed(host.rkt("image", "list", "--sort=colour", check=False), "colour")


def test_cat_manifest(host, images):
    """ICM-01 to ICM-04, IML-09."""
    key = host.rkt(UNSIGNED, "fetch", "--full", images.busybox).out.strip()
    by_name = host.rkt("image", "cat-manifest", "--pretty-print=false", "example.com/busybox").out
    assert json.loads(by_name)["name"] == "example.com/busybox"
    for part in (key, key[:9], key[:19], key[:39]):
        assert host.rkt("image", "cat-manifest", "--pretty-print=false", part).out == by_name
    assert json.loads(host.rkt("image", "cat-manifest", key).out) == json.loads(by_name)
    other = "sha512-" + ("00" if key[7:9] != "00" else "11")
    for image, message in ((other, "no image IDs found"), (key[:8], "image ID too short"), ("sha512-not-existed", "ID"),
                           ("some~random~aci~name", "no image named")):
        failed(host.rkt("image", "cat-manifest", image, check=False), message)


def tiny_root(root):
    """A root with nothing in it."""
    os.makedirs(root, exist_ok=True)


def test_ambiguous_id(host, images):
    """IML-09: two images that begin with the same two digits."""
    seen = {}
    for n in range(300):
        path = images.make(f"example.com/n{n}", root=tiny_root)
        digits = aci.image_id(path)[7:9]
        if digits in seen:
            break
        seen[digits] = path
    host.rkt(UNSIGNED, "fetch", path, seen[digits])
    failed(host.rkt("image", "cat-manifest", f"sha512-{digits}", check=False), "ambiguous image ID")


def test_rm(host, images):
    """IRM-01 to IRM-03: by name, by ID, and both at once counts once."""
    key = host.rkt(UNSIGNED, "fetch", "--full", images.busybox).out.strip()
    result = host.rkt("image", "rm", "example.com/busybox", key)
    assert result.out == f'successfully removed aci for image: "{key}"\n'
    assert "rm: 1 image(s) successfully removed" in result.err
    assert listed(host) == []
    result = host.rkt("image", "rm", key, check=254)
    assert "rm: 1 image(s) cannot be removed" in result.err and result.out == ""


# --- the worker ------------------------------------------------------------------------------------------------------

def test_worker_has_nothing(host, server, app):
    """robustness.md 1: the process that talks to the network is nobody, gains nothing, and has a system call filter."""
    server.rules[("example.com", "*.aci")] = Rule(pace=0.02)
    with host.spawn("rkt", UNSIGNED, "fetch", app) as fetch:
        pid = host.wait_for("rkt-pull", lambda: host.run("pgrep", "-n", "-x", "-P", fetch.pid, "rkt-pull",
                                                         check=False).out.strip())
        # Builds with a sanitizer go without the filter, see src/basic/sandbox.c.
        sanitized = b"__asan_init" in pathlib.Path(f"/proc/{pid}/exe").read_bytes()
        mark = "NoNewPrivs:\t1" if sanitized else "Seccomp:\t2"
        status = host.wait_for("a sandbox", lambda: (lambda s: s if mark in s else None)(
            pathlib.Path(f"/proc/{pid}/status").read_text()))
        fds = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
        fetch.kill()
    values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    uid = host.run("id", "-u", "rkt-pull").out.strip()
    assert values["Uid"].split() == [uid] * 4 and values["Groups"].strip() == ""
    assert values["NoNewPrivs"] == "1"
    assert all(int(values[f"Cap{k}"], 16) == 0 for k in ("Prm", "Eff", "Amb"))
    assert not [f for f in fds if f.startswith("/var/lib/rkt")]
    host.wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}"))
    for path in pathlib.Path("/var/lib/rkt/cas/tmp").glob("download-*"):
        path.unlink()  # what came before it was killed, to be continued

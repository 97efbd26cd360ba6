# SPDX-License-Identifier: LGPL-2.1-or-later
"""Downloads over HTTP: what is resumed and what is begun anew, redirects, credentials, proxies, limits, certificates; and
servers that misbehave. Ids are rows of robustness.md 3.8 (H...) and cases of rkt.md 2 (FET-...). What each refused download
says when a pod needs it is in test_bad_input.py."""
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from images import aci
from images.server import Rule

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"
TMP = pathlib.Path("/var/lib/rkt/cas/tmp")
HOST = "resume.test"


def failed(result, *patterns):
    """Exit status 254, nothing on standard output, and each pattern in the message."""
    assert result.rc == 254 and result.out == "", result
    for pattern in patterns:
        assert re.search(pattern, result.err, re.IGNORECASE), f"{pattern!r} is not in {result!r}"


def listed(host):
    """The names in the store."""
    return host.rkt("image", "list", "--no-legend", "--fields=name").out.split()


def spools():
    """What is kept of broken downloads."""
    return sorted(TMP.glob("download-*"))


def large_root(root):
    """A root of 3 MiB that does not compress."""
    os.makedirs(root, exist_ok=True)
    with open("/dev/urandom", "rb") as i, open(os.path.join(root, "random"), "wb") as o:
        o.write(i.read(3 << 20))


def other_root(root):
    """Another one."""
    large_root(root)


@pytest.fixture
def large(images):
    """An image that is large enough to be kept when its download breaks."""
    return images.make("resume.test/large", root=large_root)


@pytest.fixture
def other(images):
    """The image that the server has a moment later."""
    return images.make("resume.test/large", root=other_root)


@pytest.fixture
def url(server, large):
    """Its URL, on a server that does parts and says of which version; the file is old enough for Last-Modified."""
    path = pathlib.Path(server.docroot, HOST, "aci/large.aci")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pathlib.Path(large).read_bytes())
    os.utime(path, (1_000_000_000, 1_000_000_000))
    yield f"https://{HOST}/aci/large.aci"
    path.unlink()


@pytest.fixture(autouse=True)
def no_spools():
    """Nothing is left of earlier downloads, and nothing afterwards."""
    yield
    for path in spools():
        path.unlink()


def fetch(host, url, *words, **kw):
    """Fetch without a signature."""
    return host.rkt(UNSIGNED, *words, "fetch", "--full", url, **kw)


def ranges(server):
    """What was asked for, one text for each request of an image: its Range, or ""."""
    return [r[3].get("Range", "") for r in server.requests if r[2].endswith(".aci")]


CUT = 2_000_000
NO_ETAG = {"ETag": None}
NO_TAGS = {"ETag": None, "Last-Modified": None}


# --- resuming --------------------------------------------------------------------------------------------------------

def break_off(host, server, url, headers=None, limit=("--limit=retries=0",)):
    """A download that ends in the middle."""
    server.rules[(HOST, "*.aci")] = Rule(cut=CUT, headers=headers or {})
    result = fetch(host, url, *limit, check=False)
    failed(result, "truncated|broke")
    server.rules.clear()
    server.requests.clear()
    return result


@pytest.mark.parametrize("headers", [{}, NO_ETAG], ids=["ETag", "Last-Modified"])
def test_resumed_by_next_fetch(host, server, url, large, headers):
    """FET-16: the next fetch asks for the second half only, and the ID is right."""
    assert "what has come is kept" in break_off(host, server, url, headers).err
    assert len(spools()) == 1
    server.rules[(HOST, "*.aci")] = Rule(headers=headers)
    result = fetch(host, url)
    assert result.out.strip() == aci.image_id(large) and "resuming the download at 2000000 of" in result.err
    assert ranges(server) == ["bytes=2000000-"]
    assert spools() == []


@pytest.mark.parametrize("headers", [NO_TAGS, {"ETag": 'W/"1"'}, {"Accept-Ranges": "none"}],
                         ids=["FET-17-no-tags", "H13-weak-ETag", "no-ranges"])
def test_not_resumable(host, server, url, large, headers):
    """FET-17, H13: without a proof that it is the same version, all is fetched again."""
    assert "is kept" not in break_off(host, server, url, headers).err
    assert spools() == []
    server.rules[(HOST, "*.aci")] = Rule(headers=headers)
    assert fetch(host, url).out.strip() == aci.image_id(large)
    assert ranges(server) == [""]


def test_changed_between_fetches(host, server, url, other):
    """H13: the tag is another one now: all of the new version, nothing of the old one."""
    break_off(host, server, url)
    pathlib.Path(server.docroot, HOST, "aci/large.aci").write_bytes(pathlib.Path(other).read_bytes())
    result = fetch(host, url)
    assert result.out.strip() == aci.image_id(other) and "resuming" not in result.err
    assert ranges(server) == ["bytes=2000000-"] and spools() == []


def test_retried_within_a_fetch(host, server, url, large):
    """A connection that breaks is made again for what is missing; a person sees nothing of it."""
    server.rules[(HOST, "*.aci")] = Rule(cut=CUT, cuts=2)
    assert fetch(host, url).out.strip() == aci.image_id(large)
    assert ranges(server) == ["", "bytes=2000000-", "bytes=2000000-"]


def test_retries_are_bounded(host, server, url):
    """A server that never gets further is given up."""
    server.rules[(HOST, "*.aci")] = Rule(cut=CUT)
    failed(fetch(host, url, "--limit=retries=2", check=False), "tried 3 times")
    assert len(ranges(server)) == 3


def test_changed_within_a_fetch(host, server, url, large, other):
    """Content that changes between two requests of one download: it is begun anew, never mixed."""
    path = pathlib.Path(server.docroot, HOST, "aci/large.aci")
    new = pathlib.Path(other).read_bytes()
    server.rules[(HOST, "*.aci")] = Rule(cut=CUT, cuts=1, after=lambda: path.write_bytes(new))
    result = fetch(host, url)
    assert result.out.strip() == aci.image_id(other) != aci.image_id(large)
    assert "was changed on the server" in result.err and ranges(server) == ["", "bytes=2000000-", ""]


def test_killed_in_the_middle(host, server, url, large):
    """kill -9 of everything: the next fetch goes on from what had come."""
    size = os.stat(pathlib.Path(server.docroot, HOST, "aci/large.aci")).st_size
    server.rules[(HOST, "*.aci")] = Rule(pace=3.0 / (size / 1024))
    with host.spawn("rkt", UNSIGNED, "fetch", url) as running:
        host.wait_for("half of it", lambda: [p for p in spools() if p.stat().st_size > 1_000_000])
        running.send_signal(signal.SIGKILL)
    server.rules.clear()
    server.requests.clear()
    assert fetch(host, url).out.strip() == aci.image_id(large)
    assert re.fullmatch(r"bytes=[1-9]\d{5,}-", ranges(server)[0]) and spools() == []


@pytest.mark.parametrize("damage", ["head", "empty", "boot"])
def test_damaged_spool(host, server, url, large, damage):
    """H13: what lies in the store and does not fit is no part of anything."""
    break_off(host, server, url)
    path, = spools()
    data = path.read_bytes()
    path.write_bytes({"head": b"x" + data[1:], "empty": b"", "boot": re.sub(rb"boot \S", b"boot _", data, count=1)}[damage])
    assert fetch(host, url).out.strip() == aci.image_id(large) and ranges(server) == [""]


def test_damaged_bytes_in_spool(host, server, url, large):
    """Bytes that rotted are found out by the archive's checksum; the next fetch gets all again."""
    break_off(host, server, url)
    path, = spools()
    data = bytearray(path.read_bytes())
    data[1_000_000:1_000_064] = bytes(64)
    path.write_bytes(data)
    failed(fetch(host, url, check=False), "corrupt|damaged|invalid|checksum")
    assert spools() == []
    assert fetch(host, url).out.strip() == aci.image_id(large)


def test_spool_of_a_bad_image(host, server, url):
    """What is wrong with an image is not kept to be wrong again."""
    pathlib.Path(server.docroot, HOST, "aci/large.aci").write_bytes(os.urandom(3 << 20))
    failed(fetch(host, url, check=False), "archive|image")
    assert spools() == []


# --- answers to a request for a part ---------------------------------------------------------------------------------

def answer(status, *headers, body=b"", length=None):
    """An answer as bytes."""
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def half(host, images):
    """A broken download of a scripted server: the server; large's bytes in its `data`."""
    data = pathlib.Path(images.make("resume.test/large", root=large_root)).read_bytes()
    with Script([answer(200, 'ETag: "1"', body=data[:CUT], length=len(data))]) as script:
        script.data = data
        failed(http_fetch(host, script, "--limit=retries=0"), "truncated")
        assert len(spools()) == 1
        script.seen.clear()
        yield script


def http_fetch(host, script, *words, check=False):
    """Fetch from a scripted server."""
    return host.rkt("--insecure-options=image,http", "fetch", "--full", *words, script.url, check=check, timeout=60)


@pytest.mark.parametrize("start,total", [(0, None), (1, None), (CUT + 1, None), (CUT, 1), (CUT, CUT)])
def test_wrong_part(host, half, start, total):
    """H12: another part than was asked for, or of something of another length."""
    size = len(half.data) if total is None else CUT + total
    half.answers = [answer(206, 'ETag: "1"', f"Content-Range: bytes {start}-{size - 1}/{size}", body=half.data[start:size])]
    failed(http_fetch(host, half), "another part|cannot be|changed|continues something else")
    assert listed(host) == []


def test_part_without_its_place(host, half):
    """H12: 206, and nothing that says which part."""
    half.answers = [answer(206, 'ETag: "1"', body=half.data[CUT:])]
    failed(http_fetch(host, half), "another part")


def test_whole_for_a_part(host, half, images):
    """H12: 200 for a request with Range: everything from the beginning."""
    half.answers = [answer(200, 'ETag: "1"', body=half.data)]
    result = http_fetch(host, half, check=0)
    assert result.out.strip() == aci.image_id(images.make("resume.test/large", root=large_root))
    assert b"Range: bytes=%d-" % CUT in half.seen[0] and b'If-Range: "1"' in half.seen[0]


def test_part_of_another_version(host, half):
    """H13: a server that ignores If-Range and sends a part of a new version: everything again, no mixture."""
    end = len(half.data)
    half.answers = [answer(206, 'ETag: "2"', f"Content-Range: bytes {CUT}-{end - 1}/{end}", body=half.data[CUT:]),
                    answer(200, 'ETag: "2"', body=half.data)]
    result = http_fetch(host, half, check=0)
    assert "changed" in result.err and b"Range:" not in half.seen[1]


def test_no_such_part(host, half):
    """H14: 416: begun anew once; 416 again is an error."""
    half.answers = [answer(416, "Content-Range: bytes */5"), answer(200, 'ETag: "2"', body=half.data)]
    http_fetch(host, half, check=0)
    assert len(half.seen) == 2 and b"Range:" not in half.seen[1]


def test_no_such_part_twice(host, half):
    """H14: the second 416 is an error."""
    half.answers = [answer(416), answer(416)]
    failed(http_fetch(host, half), "416")
    assert len(half.seen) == 2


# --- answers ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("answer_for,message", [
    (lambda d: answer(200, body=d, length=len(d) - 1000), "cut off|truncated|ends|incomplete"),
    (lambda d: answer(200, body=d, length=len(d) + 1), "truncated"),
    (lambda d: CHUNKED + b"%x\r\n" % len(d) + d + b"\r\n", "broke|truncated|cannot get"),
    (lambda d: CHUNKED + b"%x\r\n" % len(d) + d + b"\r\n" + b"F" * 16 + b"\r\n", "cannot get|broke"),
    (lambda d: CHUNKED + b"%x\r\n" % len(d) + d + b"xx0\r\n\r\n", "cannot get|broke"),
    (lambda d: CHUNKED + b"%x\r\n" % len(d) + d + b"\r\n0\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", "headers|cannot get|broke"),
], ids=["H7-smaller", "H7-larger", "H8-no-last-chunk", "H8-huge-chunk", "H8-no-newline", "H8-trailer"])
def test_wrong_ends(host, images, answer_for, message):
    """H7, H8: a good image in an answer that does not add up; it is refused at its end, and nothing is left."""
    with Script([answer_for(pathlib.Path(images.busybox).read_bytes())]) as script:
        failed(http_fetch(host, script), message)
    assert listed(host) == [] and spools() == []


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


class Script:
    """A server that gives one answer after the other, whatever is asked; the last one again and again."""

    def __init__(self, answers, address="127.0.0.2", pace=None, context=None):
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://{address}:{self.port}/x.aci"
        self.answers, self.pace, self.context, self.seen = list(answers), pace, context, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection:
            try:
                if self.context is not None:
                    connection = self.context.wrap_socket(connection, server_side=True)
                self.seen.append(connection.recv(65536))
                text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if self.pace is None:
                    connection.sendall(text)
                    # SHUT_WR on TLS is a close without close_notify
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)
                else:
                    self.pace(connection, text)
            except (OSError, ValueError):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def drip(connection, text):
    """One byte a tenth of a second."""
    for i in range(len(text)):
        connection.sendall(text[i:i + 1])
        time.sleep(0.1)


def dripping_body(connection, text):
    """The headers at once, then the body slowly."""
    head, body = text.split(b"\r\n\r\n", 1)
    connection.sendall(head + b"\r\n\r\n")
    drip(connection, body)


@pytest.mark.parametrize("pace", [drip, dripping_body], ids=["headers", "body"])
@pytest.mark.parametrize("limit,message", [("stall-time=1s", "too slow"), ("download-time=2s", "too slow|longer than")])
def test_slow_drip(host, pace, limit, message):
    """H9: a byte now and then is too slow, and there is an end to it all."""
    with Script([answer(200, body=b"x" * 1000)], pace=pace) as script:
        start = time.monotonic()
        failed(http_fetch(host, script, f"--limit={limit}"), message)
        assert time.monotonic() - start < 15


def test_silence(host):
    """H9: connected, and nothing comes."""
    with Script([b""], pace=lambda c, _: time.sleep(5)) as script:
        failed(http_fetch(host, script, "--limit=stall-time=1s"), "too slow")


def test_size_limit(host, server, url, large):  # pylint: disable=unused-argument
    """H9: neither a length above the limit nor bytes above the limit are taken; the option raises it."""
    failed(host.rkt(UNSIGNED, "fetch", "--limit=download-size=1M", url, check=False), "more than the limit of 1048576")
    with Script([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + pathlib.Path(large).read_bytes()]) as script:
        failed(http_fetch(host, script, "--limit=download-size=2M"), "more than 2097152")
    host.rkt(UNSIGNED, "fetch", "--limit=download-size=100M", url)


def test_image_size_limit(host, server, url):  # pylint: disable=unused-argument
    """What is in the archive has a limit, too."""
    failed(host.rkt(UNSIGNED, "fetch", "--limit=image-size=1M", url, check=False), "limit")


@pytest.mark.parametrize("text", ["colour=1", "retries", "stall-time=0", "download-size=x"])
def test_wrong_limit(host, text):
    """A limit that there is not, or a value that is none."""
    failed(host.rkt("fetch", f"--limit={text}", "example.com/busybox", check=False), text.split("=", maxsplit=1)[0])


def test_header_limit(host):
    """H10: headers above the limit are refused; the option raises it."""
    big = answer(404, "X: " + "x" * 70_000)
    with Script([big]) as script:
        failed(http_fetch(host, script), "headers")
        failed(http_fetch(host, script, "--limit=header-size=100K"), "404")


@pytest.mark.parametrize("retry,seconds", [("1", 1), ("1000000000", 0), ("99999999999999999999999", 0),
                                           ("Fri, 31 Dec 2999 23:59:59 GMT", 0)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(host, status, retry, seconds):
    """H17: a server that is busy is waited for, but not for long."""
    with Script([answer(status, f"Retry-After: {retry}")]) as script:
        start = time.monotonic()
        failed(http_fetch(host, script, "--limit=retries=1"), f"too busy.*{status}")
        assert seconds <= time.monotonic() - start < seconds + 5
        assert len(script.seen) == (2 if seconds else 1)


def test_compressed_on_the_way(host, server, url, large):
    """H11: nothing is asked for that would change the bytes, and what comes is taken as it is stored."""
    server.rules[(HOST, "*.aci")] = Rule(headers={"Content-Encoding": "gzip"})
    assert fetch(host, url).out.strip() == aci.image_id(large)
    assert all("Accept-Encoding" not in r[3] for r in server.requests)


@pytest.mark.parametrize("age", ["99999999999999999999", "-1", "08", "x"])
def test_max_age_values(host, server, url, age):
    """H19: an age that is none is 0, one that is too large is capped."""
    server.rules[(HOST, "*.aci")] = Rule(headers={"Cache-Control": f"max-age={age}"})
    first = fetch(host, url).out
    again = host.rkt(UNSIGNED, "fetch", "--full", "--pull-policy=update", url)
    assert again.out == first
    assert ("isn't expired" in again.err) == (age in ("99999999999999999999", "08"))


# --- redirects and credentials ---------------------------------------------------------------------------------------

@pytest.fixture
def auth(host, tmp_path):
    """Credentials for resume.test in a user configuration of the test's own: the flags."""
    folder = tmp_path / "config/auth.d"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text('{"rktKind": "auth", "rktVersion": "v1", "domains": ["resume.test"], "type": "basic", '
                                   '"credentials": {"user": "alice", "password": "geheim"}}')
    return f"--user-config={tmp_path}/config"


SECRET = "Basic YWxpY2U6Z2VoZWlt"


def authorized(server):
    """(host, Authorization) of all requests."""
    return [(r[1], r[3].get("Authorization")) for r in server.requests]


def test_credentials(host, server, url, auth):
    """Credentials go with the request, and with one that the same origin sends elsewhere; nobody sees them."""
    server.rules[(HOST, "/start.aci")] = Rule(status=302, location="/aci/large.aci")
    result = host.rkt(UNSIGNED, "--debug", auth, "fetch", f"https://{HOST}/start.aci")
    assert authorized(server) == [(HOST, SECRET)] * 2
    assert "geheim" not in result.all and "YWxpY2U6" not in result.all
    assert "YWxpY2U6" not in host.journal() and "geheim" not in host.journal()


def test_no_credentials_elsewhere(host, server, url, auth):
    """H1: not to another host that a server sends us to, and again to the first one when it sends us back."""
    server.rules[(HOST, "/start.aci")] = Rule(status=302, location="https://images.test/middle.aci")
    server.rules[("images.test", "/middle.aci")] = Rule(status=302, location=url)
    host.rkt(UNSIGNED, auth, "fetch", f"https://{HOST}/start.aci")
    assert authorized(server) == [(HOST, SECRET), ("images.test", None), (HOST, SECRET)]


def test_no_credentials_to_another_port(host, server, auth, tmp_path):
    """H1: another port is another origin."""
    context = tls_server(server.authority.issue("port.pem", [HOST]))
    with Script([answer(404)], context=context) as elsewhere, \
            Script([answer(302, f"Location: https://{HOST}:{elsewhere.port}/")], context=context) as script:
        path = tmp_path / "config/auth.d/a.json"
        path.write_text(path.read_text().replace(f'"{HOST}"', f'"{HOST}", "{HOST}:{script.port}"'))
        failed(host.rkt(UNSIGNED, auth, "fetch", f"https://{HOST}:{script.port}/x.aci", check=False), "404")
        assert SECRET.encode() in script.seen[0] and b"Authorization" not in elsewhere.seen[0]


def test_down_to_http(host, server, auth):
    """H1, H5: never from https to http, even where http is allowed and it would lead back."""
    server.rules[(HOST, "/start.aci")] = Rule(status=302, location=f"http://{HOST}/middle.aci", scheme="https")
    failed(host.rkt("--insecure-options=image,http", auth, "fetch", f"https://{HOST}/start.aci", check=False), "https down to http")
    assert [r[0] for r in server.requests] == ["https"]


def test_redirect_limit(host, server, url):
    """H2: the bound is an option; a loop ends."""
    server.rules[(HOST, "/a.aci")] = Rule(status=302, location=url)
    server.rules[(HOST, "/loop.aci")] = Rule(status=302, location=f"https://{HOST}/loop.aci")
    failed(host.rkt(UNSIGNED, "fetch", "--limit=redirects=0", f"https://{HOST}/a.aci", check=False), "redirects more than 0")
    host.rkt(UNSIGNED, "fetch", "--limit=redirects=1", f"https://{HOST}/a.aci")
    server.requests.clear()
    failed(host.rkt(UNSIGNED, "fetch", f"https://{HOST}/loop.aci", check=False), "redirects more than 10")
    assert len(server.requests) == 11


def test_plain_http_is_refused(host, server, url):  # pylint: disable=unused-argument
    """Plain http names the option that would allow it, and nothing is sent."""
    failed(host.rkt(UNSIGNED, "fetch", url.replace("https:", "http:"), check=False), "--insecure-options=http")
    assert server.requests == []


# --- proxies ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def proxy(host, tmp_path):
    """tinyproxy, with a password: (port, its log)."""
    if shutil.which("tinyproxy") is None:
        pytest.skip("tinyproxy is not installed here")
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    log = tmp_path / "log"
    (tmp_path / "conf").write_text(f'Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{log}"\nLogLevel Connect\n'
                                   "MaxClients 20\nBasicAuth bob topsecret\nDisableViaHeader Yes\n")
    with host.spawn("tinyproxy", "-d", "-c", tmp_path / "conf") as process:
        host.wait_for("tinyproxy", lambda: log.exists() and not socket.socket().connect_ex(("127.0.0.1", port)))
        log.write_text("")
        yield port, log
        process.terminate()


def via(port, credentials="bob:topsecret@", **more):
    """The environment with the proxy."""
    return {"HTTPS_PROXY": f"http://{credentials}127.0.0.1:{port}", **more}


def test_proxy(host, server, url, large, proxy, auth):
    """H21: https through a proxy that wants a password: used, shown nowhere, and not told what is for the server."""
    port, log = proxy
    result = host.rkt(UNSIGNED, "--debug", auth, "fetch", "--full", url, env=via(port))
    assert result.out.strip() == aci.image_id(large) and authorized(server) == [(HOST, SECRET)]
    assert f"CONNECT {HOST}:443" in log.read_text()
    assert "topsecret" not in result.all and "topsecret" not in host.journal("-n", "500")
    assert "Proxy-Authorization" not in server.requests[0][3]


def test_proxy_for_http(host, server, url, large, proxy):
    """http, by the variable in lower case; https without a variable of its own goes the same way."""
    port, log = proxy
    env = {"http_proxy": f"bob:topsecret@127.0.0.1:{port}"}
    result = host.rkt("--insecure-options=image,http", "fetch", "--full", url.replace("https:", "http:"), env=env)
    assert result.out.strip() == aci.image_id(large) and f"GET http://{HOST}" in log.read_text()
    assert "Proxy-Authorization" not in server.requests[0][3]
    host.rkt(UNSIGNED, "fetch", url, env=env)
    assert f"CONNECT {HOST}:443" in log.read_text()


def test_no_proxy(host, url, proxy):
    """Hosts that are asked directly."""
    port, log = proxy
    for text in ("resume.test", ".test", "*", "resume.test:443", "x.example, resume.test"):
        host.rkt(UNSIGNED, "fetch", url, env=via(port, NO_PROXY=text))
    assert "CONNECT resume.test" not in log.read_text()


def test_proxy_refuses(host, url, proxy):
    """H21: a wrong password is told apart from a server's refusal, and not repeated; a proxy that is none, too."""
    port, _ = proxy
    result = host.rkt(UNSIGNED, "fetch", url, env=via(port, "bob:wrongsecret@"), check=False)
    failed(result, "proxy|407")
    assert "wrongsecret" not in result.err
    result = host.rkt(UNSIGNED, "fetch", url, env={"HTTPS_PROXY": "ftp://bob:wrongsecret@proxy"}, check=False)
    failed(result, "HTTPS_PROXY")
    assert "wrongsecret" not in result.err
    failed(host.rkt(UNSIGNED, "fetch", url, env={"HTTPS_PROXY": "http://127.0.0.1:9"}, check=False), "127.0.0.1|unreachable")


def test_resume_through_proxy(host, server, url, large, proxy):
    """A proxy in between does not matter."""
    server.rules[(HOST, "*.aci")] = Rule(cut=CUT, cuts=1)
    assert host.rkt(UNSIGNED, "fetch", "--full", url, env=via(proxy[0])).out.strip() == aci.image_id(large)
    assert ranges(server) == ["", "bytes=2000000-"]


def test_secrets_in_no_process(host, server, url, auth, proxy):
    """Neither arguments nor environment of the worker have a password."""
    server.rules[(HOST, "*.aci")] = Rule(pace=0.01)
    with host.spawn("rkt", UNSIGNED, auth, "fetch", url, env={**os.environ, **via(proxy[0])}) as fetching:
        host.wait_for("the worker", lambda: spools() and spools()[0].stat().st_size > 50_000)
        pid = host.run("pgrep", "-n", "-x", "-P", fetching.pid, "rkt-pull").out.strip()
        seen = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        fetching.kill()
    assert b"rkt-pull" in seen and b"secret" not in seen and b"geheim" not in seen and b"YWxp" not in seen
    host.wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}"))


# --- certificates ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["selfsigned.test", "expired.test", "wrongcert.test"])
def test_bad_certificates(host, server, name):  # pylint: disable=unused-argument
    """H18: unknown authority, over, of another name."""
    failed(host.rkt(UNSIGNED, "fetch", f"https://{name}/x.aci", check=False), "certificate", "--insecure-options=tls")


def der_items(data):
    """(start, start of content, end) of what a DER sequence consists of."""
    at = 0
    while at < len(data):
        length, head = data[at + 1], 2
        if length & 0x80:
            head += length & 0x7f
            length = int.from_bytes(data[at + 2:at + head], "big")
        yield at, at + head, at + head + length
        at += head + length


def der(tag, content):
    """One DER item."""
    n = len(content)
    size = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + size + content


def nul_certificate(tmp_path, authority):
    """A certificate for "resume.test\\0.evil.test", signed by the authority that is trusted; path of a PEM file."""
    pem = pathlib.Path(authority.issue("nul.pem", ["resume.test@.evil.test"]))
    text = pem.read_text()
    cert = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE"):text.index("-----END CERTIFICATE") + 25])
    (_, inside, end), = der_items(cert)
    items = list(der_items(cert[inside:end]))
    tbs = cert[inside:end][items[0][0]:items[0][2]].replace(b"resume.test@", b"resume.test\0")
    (tmp_path / "tbs").write_bytes(tbs)
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", authority.key, tmp_path / "tbs"], check=True,
                               capture_output=True).stdout
    algorithm = cert[inside:end][items[1][0]:items[1][2]]
    whole = ssl.DER_cert_to_PEM_cert(der(0x30, tbs + algorithm + der(0x03, b"\0" + signature)))
    private = re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n", text, re.S).group()
    (tmp_path / "nul.pem").write_text(private + whole)
    return tmp_path / "nul.pem"


def tls_server(pem):
    """A context of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_nul_in_name(host, server, tmp_path):
    """H18: a name with a NUL in it is not the name before the NUL."""
    with Script([answer(404)], context=tls_server(nul_certificate(tmp_path, server.authority))) as script:
        failed(host.rkt(UNSIGNED, "fetch", f"https://resume.test:{script.port}/x.aci", check=False), "certificate")
        assert not any(script.seen)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls(host, server):
    """H18: TLS 1.0 is not spoken."""
    context = tls_server(server.authority.issue("old.pem", ["resume.test"]))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Script([answer(404)], context=context) as script:
        failed(host.rkt(UNSIGNED, "fetch", f"https://resume.test:{script.port}/x.aci", check=False), "TLS|resume.test")
        assert script.seen == []


def test_tls_cut_off(host, server, images):
    """H18: an answer without a length that ends without TLS saying so may be anything that somebody cut off."""
    data = pathlib.Path(images.busybox).read_bytes()
    context = tls_server(server.authority.issue("cut.pem", ["resume.test"]))
    with Script([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + data], context=context) as script:
        failed(host.rkt(UNSIGNED, "fetch", f"https://resume.test:{script.port}/x.aci", check=False), "broke|TLS|cannot get")
    assert listed(host) == []


# --- what people see -------------------------------------------------------------------------------------------------

def test_progress_on_a_terminal(host, server, url):
    """A bar with bytes, rate and time left, taken away at the end; nothing of it where there is no terminal."""
    server.rules[(HOST, "*.aci")] = Rule(pace=0.0003)
    line = f"rkt {UNSIGNED} fetch {url}"
    shown = host.run("script", "--quiet", "--return", "--command", line, "/dev/null").out
    assert re.search(r"large\.aci \[=*>? *\] [0-9.]+ [KM]iB/3\.0 MiB [0-9.]+ [KM]iB/s [0-9]+:[0-9]{2} left", shown)
    host.rkt("image", "rm", *host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out.split())
    assert "\033" not in fetch(host, url).err


def test_progress_in_a_service(host, server, url):
    """STATUS= says the same to systemctl status."""
    server.rules[(HOST, "*.aci")] = Rule(pace=0.0003)
    unit = "t-http-status"
    host.run("systemd-run", "--quiet", "--collect", f"--unit={unit}", "--service-type=notify", "--no-block", "--property=NotifyAccess=all",
             "rkt", UNSIGNED, "fetch", url)
    text = host.wait_for("a status", lambda: (lambda s: s if "MiB/s" in s or "KiB/s" in s else None)(
        host.show(f"{unit}.service", "StatusText")))
    assert text.startswith(f"Fetching {url}: ") and "/3.0 MiB" in text and "left" in text
    host.wait_for("its end", lambda: not host.is_active(unit) and host.show(unit, "ActiveState") != "activating")


def test_disk_full(host, server, url, large, tmp_path):  # pylint: disable=unused-argument
    """A disk without room for the image: a clear message, nothing left. With room for it, but not for a copy of the
    download beside it, the image comes first."""
    disk, store = tmp_path / "disk", tmp_path / "store"
    store.mkdir()
    host.sh(f"truncate -s 24M {disk} && mkfs.ext4 -q -m 0 {disk} && mount -o loop {disk} {store}")
    words = [f"--dir={store}", UNSIGNED, "fetch", "--full", url]
    try:
        host.rkt(f"--dir={store}", "image", "list", check=False)
        room = os.statvfs(store).f_bavail * os.statvfs(store).f_bsize
        (store / "ballast").write_bytes(bytes(room - (2 << 20)))
        failed(host.rkt(*words, check=False), "space|full")
        assert list((store / "cas/tmp").iterdir()) == []
        os.truncate(store / "ballast", room - (8 << 20))
        assert host.rkt(*words).out.strip() == aci.image_id(large)
    finally:
        host.run("umount", store)


def test_key_with_credentials(host, server, signer, auth):
    """rkt trust uses the credentials, too."""
    server.publish_key(signer, [HOST])
    server.requests.clear()
    host.rkt(auth, "trust", "--skip-fingerprint-review", f"--prefix={HOST}/x", f"https://{HOST}/pubkeys.gpg")
    host.run("rm", "-r", f"/etc/rkt/trustedkeys/prefix.d/{HOST}")
    assert authorized(server) == [(HOST, SECRET)]

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The metadata service, and an app that holds us to the App Container standard (images/ace.c)."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

import pytest

from conftest import app_section
from images import aci
from test_app import Sandbox

SOCKET = "/run/rkt/metadata/http"
REGISTERED = pathlib.Path("/run/rkt/metadata-pods")
ASCII = "text/plain; charset=us-ascii"
ANNOTATIONS = [{"name": "authors", "value": "example.com"}, {"name": "example.com/note", "value": "of the image"}]


def ace(images, kind, handlers=()):
    """One of the two images of the conformance pod."""
    return images.make(f"example.com/ace-{kind}", root=aci.ace_root, annotations=ANNOTATIONS, app={
        "exec": ["/usr/bin/ace", kind], "workingDirectory": "/work", "mountPoints": [{"name": "database", "path": "/db"}],
        "environment": [{"name": "IN_MANIFEST", "value": "two words"}],
        "eventHandlers": [{"name": n, "exec": ["/usr/bin/ace", s]} for n, s in handlers]})


@pytest.fixture
def pair(images):
    """Main and sidekick."""
    return ace(images, "main", (("pre-start", "prestart"), ("post-stop", "poststop"))), ace(images, "sidekick")


SLOW_CLIENTS = r"""
import socket, sys
slow = []
for text in [b"\0" * 64, b"GET / HTTP/1.1\r\n" + b"a" * 70000] + [b"", b"GET /", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"] * 30:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sys.argv[1])
    try:
        s.sendall(text)
    except OSError:
        pass
    slow.append(s)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("net", ["none", "host"])
def test_conformance(host, pods, pair, net):  # pylint: disable=unused-argument
    """ACE-01, ACE-02: all four stages of two images find what the standard promises, the last one included; whatever network."""
    done = host.rkt("--insecure-options=image", "run", f"--net={net}", "--mds-register", "--volume=database,kind=empty", *pair)
    assert re.findall(r"(\w+) OK", done.out)[0] == "prestart", done
    assert sorted(re.findall(r"(\w+) OK", done.out)) == ["main", "poststop", "prestart", "sidekick"], done
    assert re.findall(r"(\w+) OK", done.out)[-1] == "poststop", done


def test_conformance_of_a_unit(host, pods, pair, images):
    """The same of a pod file, with users of the pod's own."""
    apps = "".join(f"[App ace-{kind}]\nImage={path}\nVolume=database:/db\n" for kind, path in zip(("main", "sidekick"), pair))
    name = pods.write("ace", f"[Pod]\nInsecureOptions=image\nMetadataService=yes\nPrivateUsers=pick\n{apps}[Volume database]\n"
                      + app_section("other", images.busybox, "exec sleep 1000"))
    since = time.time()
    pods.start(name)
    host.wait_for("four words", lambda: sorted(re.findall(r"(\w+) OK", host.journal("-u", f"pod@{name}", since=since))) == [
        "main", "poststop", "prestart", "sidekick"])


class Client:
    """Asks the service of the host for a pod."""

    def __init__(self, url):
        self.base = urllib.parse.urlsplit(url).path

    def ask(self, path, method="GET", token=None, form=None, headers=None, body=None):
        """(status, Content-Type, text)"""
        connection = http.client.HTTPConnection("pod", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(SOCKET)
        headers = dict(headers or {})
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, f"{self.base if token is None else token}/acMetadata/v1{path}", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers["Content-Type"], text


@pytest.fixture
def pod(host, pods, images):
    """A pod without network that is known to the service: its name, and a client with its token."""
    name = pods.shell("told", images.busybox, "echo $AC_METADATA_URL; exec sleep 1000", pod="MetadataService=yes\nAnnotation=example.com/x=pod\n",
                      app="Annotation=example.com/x=app\n")
    pods.start(name)
    url = host.wait_for("the URL", lambda: host.journal("-M", name, "-t", "main").strip())
    assert re.fullmatch(r"http://127\.0\.0\.1:18112/[0-9a-f]{64}", url)
    return name, Client(url)


def test_answers(host, pods, pod, images):
    """MDS-01: what the service says, and how: of the pod, of its app, of its image; exact types, no newline, [] for nothing."""
    name, client = pod
    uuid = pods.uuid(name)
    kept = json.loads(host.rkt("cat-manifest", uuid).out)
    assert client.ask("/pod/uuid") == (200, ASCII, uuid)
    status, kind, text = client.ask("/pod/manifest")
    assert (status, kind, json.loads(text)) == (200, "application/json", kept)
    status, kind, text = client.ask("/pod/annotations")
    assert (status, kind, json.loads(text)) == (200, "application/json", kept["annotations"])
    assert {"name": "example.com/x", "value": "pod"} in kept["annotations"]
    assert client.ask("/pod/annotations/rkt.systemd/name")[::2] == (200, name)
    assert json.loads(client.ask("/apps/main/annotations")[2])[-2:] == [
        a for a in kept["apps"][0]["annotations"]][-2:]
    assert client.ask("/apps/main/annotations/example.com/x")[2] == "app"
    status, kind, text = client.ask("/apps/main/image/id")
    assert (status, kind, text) == (200, ASCII, kept["apps"][0]["image"]["id"])
    status, kind, text = client.ask("/apps/main/image/manifest")
    assert (status, kind) == (200, "application/json")
    assert text.encode() == subprocess.run(["tar", "-xOzf", images.busybox, "manifest"], capture_output=True, check=True).stdout
    for path in ("/pod/nothing", "/apps/other/image/id", "/apps/main", "", "/pod/annotations/other"):
        assert client.ask(path)[0] == 404, path
    assert client.ask("/pod/uuid", method="DELETE")[0] == 405
    assert client.ask("/pod/hmac/sign")[0] == 405
    assert client.ask("/pod/uuid", method="HEAD")[0] == 200
    for token in ("", "/" + "0" * 64, client.base.upper(), f"/{uuid}", client.base[:-1], "/../../etc/passwd"):
        assert client.ask("/pod/uuid", token=token)[0] == 401, token


def test_signatures_outlive_the_service(host, pods, pod):
    """A MAC is over UUID and content, by a key that a restart of the service does not change and that only it can read."""
    name, client = pod
    status, kind, mac = client.ask("/pod/hmac/sign", "POST", form={"content": "a\0b"})
    assert (status, kind) == (200, ASCII)
    key = pathlib.Path("/run/rkt-metadata/key")
    assert (key.stat().st_mode & 0o777, key.owner(), key.parent.stat().st_mode & 0o777) == (0o600, "rkt-metadata", 0o700)
    uuid = pods.uuid(name)
    expected = hmac.new(key.read_bytes(), bytes.fromhex(uuid.replace("-", "")) + b"a\0b", hashlib.sha512).digest()
    assert mac == base64.b64encode(expected).decode()
    host.run("systemctl", "stop", "rkt-metadata.service")
    form = {"content": "a\0b", "uuid": uuid, "signature": mac}
    assert client.ask("/pod/hmac/verify", "POST", form=form)[0] == 200
    assert client.ask("/pod/hmac/verify", "POST", form={**form, "uuid": uuid.upper()})[0] == 200
    for wrong, status in (({"content": "a"}, 403), ({"uuid": uuid[:-1] + "x"}, 400), ({"signature": "%%"}, 400), ({"content": ""}, 400),
                          ({"uuid": "6733c088-a507-4694-aabf-edbe4fc5266f"}, 403), ({"signature": mac[:40]}, 403),
                          ({"signature": "A" * 5000}, 400)):
        assert client.ask("/pod/hmac/verify", "POST", form={**form, **wrong})[0] == status, wrong


def test_service_is_confined_and_patient(host, pod):
    """The service has no power, refuses what is too much or is no HTTP, and outlives clients that do not come to an end; they are
    not in the way of others."""
    _, client = pod
    assert client.ask("/pod/uuid")[0] == 200
    pid = host.show("rkt-metadata.service", "MainPID")
    status = pathlib.Path("/proc", pid, "status").read_text()
    assert re.search(r"CapBnd:\s+0+\n", status) and re.search(r"NoNewPrivs:\s+1", status) and re.search(r"Seccomp:\s+2", status)
    assert pathlib.Path("/proc", pid).owner() == "rkt-metadata"
    assert client.ask("/pod/hmac/sign", "POST", form={"content": "x" * (1 << 20)})[0] == 413
    big = {"content": "x" * 1000000}
    assert client.ask("/pod/hmac/sign", "POST", form=big)[0] == 200
    assert client.ask("/pod/hmac/sign", "POST", body="content=x", headers={"Content-Type": "text/plain"})[0] == 400
    assert client.ask("/pod/hmac/sign", "POST", body="content=x&content=y",
                      headers={"Content-Type": "application/x-www-form-urlencoded"})[0] == 400
    multipart = '--boundary\r\nContent-Disposition: form-data; name="content"\r\n\r\nhello\r\n--boundary--\r\n'
    assert client.ask("/pod/hmac/sign", "POST", body=multipart, headers={"Content-Type": "multipart/form-data; boundary=boundary"})[2] == \
        client.ask("/pod/hmac/sign", "POST", form={"content": "hello"})[2]
    idle = [socket.create_connection(("127.0.0.1", 18112)) for _ in range(40)]
    with subprocess.Popen([sys.executable, "-c", SLOW_CLIENTS, SOCKET], user="daemon", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as slow:
        assert slow.stdout.readline() == b"ready\n"
        since = time.monotonic()
        assert client.ask("/pod/uuid")[0] == 200 and time.monotonic() - since < 4
        answer = host.run("curl", "-s", "-m", "15", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:18112/{'0' * 64}/")
        assert answer.out == "401"  # when those before it have had their time
        slow.stdin.close()
    for s in idle:
        s.close()
    assert host.show("rkt-metadata.service", "MainPID") == pid


def test_ends_with_the_pod(host, pods, pod):
    """The token is of no use when the pod is gone, by whatever end; the service goes when nobody asks, and comes again."""
    name, client = pod
    assert len(list(REGISTERED.iterdir())) == 2  # document and lock
    host.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", f"pod@{name}")
    pods.ended(name)
    assert client.ask("/pod/uuid")[0] == 401
    assert not list(REGISTERED.iterdir())
    host.run("systemctl", "stop", "rkt-metadata.service")
    drop_in = pathlib.Path("/run/systemd/system/rkt-metadata.service.d/50-idle.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("[Service]\nExecStart=\nExecStart=/usr/lib/rkt/rkt-metadata --exit-idle-time=1\n")
    host.run("systemctl", "daemon-reload")
    try:
        assert client.ask("/pod/uuid")[0] == 401
        host.wait_for("its end", lambda: host.show("rkt-metadata.service", "ActiveState") == "inactive")
        assert host.show("rkt-metadata.service", "Result") == "success"
        assert client.ask("/pod/uuid")[0] == 401
    finally:
        drop_in.unlink()
        host.run("systemctl", "daemon-reload")


def test_apps_that_come_later(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """An app that is added to a running pod can ask, too, and is known until it is removed."""
    host.rkt("--insecure-options=image", "fetch", images.busybox)
    sandbox = Sandbox(host, tmp_path, "--mds-register")
    try:
        sandbox.add("late", "echo $AC_METADATA_URL $AC_APP_NAME; exec sleep 1000")
        line = host.wait_for("the URL", lambda: re.search(r"(http://127\S*) late", sandbox.log.read_text()))
        client = Client(line.group(1))
        assert client.ask("/pod/uuid")[2] == sandbox.uuid
        assert client.ask("/apps/late/image/id")[2] == json.loads(client.ask("/pod/manifest")[2])["apps"][0]["image"]["id"]
        sandbox.rkt("rm", "--app=late")
        assert client.ask("/apps/late/image/id")[0] == 404 and client.ask("/pod/uuid")[2] == sandbox.uuid
    finally:
        sandbox.end()
    assert client.ask("/pod/uuid")[0] == 401


def test_by_hand(host, pods, images):
    """rkt metadata-service serves in the foreground, as a user of its own, where the unit does not."""
    host.run("systemctl", "stop", "rkt-metadata.socket", "rkt-metadata.service")
    service = host.spawn("rkt", "metadata-service", "--listen-port=18113")
    try:
        host.wait_for("the service", lambda: os.path.exists(SOCKET))
        host.wait_for("its user", lambda: pathlib.Path("/proc", str(service.pid)).owner() == "rkt-metadata")
        answer = host.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:18113/{'0' * 64}/acMetadata/v1/pod/uuid").out
        assert answer == "401"
        assert "is rkt-metadata.socket active?" in host.rkt("metadata-service", "--listen-port=18113", check=False).err
    finally:
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=120)
        pathlib.Path(SOCKET).unlink(missing_ok=True)

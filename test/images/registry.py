# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registries of images on loopback: Debian's docker-registry in its variants, and one of our own that can misbehave.

    DebianRegistry(directory, authority, auth="", proxy="", tls=True)   anonymous, "basic", "token"; a mirror of `proxy`
    FakeRegistry(authority, ...)                                        serves images of oci.py; rules replace answers

Both listen on a free port of 127.0.0.2, which registry.test, mirror.test and auth.registry.test lead to (name_hosts()),
and are context managers. `.host` is HOST:PORT, as it stands in docker://HOST:PORT/NAME.
"""
import base64
import fnmatch
import http.client
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

from . import oci

ADDRESS = "127.0.0.2"
NAMES = ["registry.test", "mirror.test", "auth.registry.test", "stranger.test", "cdn.test"]
USER, PASSWORD = "alice", "correct horse"


def name_hosts():
    """Put all host names into /etc/hosts, once."""
    with open("/etc/hosts") as f:
        lines = f.read().splitlines()
    missing = [f"{ADDRESS} {name}" for name in NAMES if f"{ADDRESS} {name}" not in lines]
    if missing:
        with open("/etc/hosts", "a") as f:
            f.write("\n".join(missing) + "\n")


def free_port():
    """A TCP port that nobody listens on."""
    with socket.socket() as s:
        s.bind((ADDRESS, 0))
        return s.getsockname()[1]


def basic(user=USER, password=PASSWORD):
    """The Authorization header of a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def answer(self, status, body=b"", headers=None):
        """One answer; headers: None leaves Content-Length out and closes."""
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), **(headers or {})}
        for key, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    self.send_header(key, one)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code="DENIED", message="", headers=None):
        """One answer in the words of registries."""
        body = json.dumps({"errors": [{"code": code, "message": message, "detail": None}]}).encode()
        self.answer(status, body, {"Content-Type": "application/json", **(headers or {})})

    def handle_request(self):
        """Any method."""
        owner = self.server.owner
        length = int(self.headers.get("Content-Length") or 0)
        self.form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode())) if length else {}
        path, _, query = self.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        owner.requests.append(Request(self))
        try:
            rule = owner.rule_for(self.command, path)
            if rule is None or rule(self) is False:
                owner.serve(self, path)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = handle_request


class Request:
    """What was asked: method, host, path (with its query), authorization ("" if none), form, and the client's port."""

    def __init__(self, handler):
        self.method, self.path, self.form = handler.command, handler.path, handler.form
        self.host = handler.headers.get("Host", "")
        self.authorization = handler.headers.get("Authorization", "")
        self.accept = handler.headers.get("Accept", "")
        self.port = handler.client_address[1]

    def __repr__(self):
        return f"{self.method} {self.host}{self.path} [{self.authorization}]"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner, port, context):
        self.owner, self.context = owner, context
        super().__init__((owner.address, port), _Handler)

    def finish_request(self, request, client_address):
        request.settimeout(60)
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)

    def handle_error(self, request, client_address):
        pass


class FakeRegistry:
    """A registry in this process. publish() puts images into it.

    auth        "", "basic", "token" (anonymous tokens too), "private" (tokens for USER only); tokens come from /token
    rules       {(METHOD or *, path pattern): function(handler)}; it answers, or returns False to let the registry do so
    requests    what was asked, in order
    challenge   replaces the WWW-Authenticate headers; a function of the registry
    """

    def __init__(self, authority=None, name="registry.test", address=ADDRESS, auth=""):
        self.name, self.address, self.auth = name, address, auth
        self.context = None
        if authority is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(authority.issue("registries.pem", NAMES))
        self.rules, self.requests = {}, []
        self.repositories = {}  # name: ({tag or digest: (media type, bytes)}, {digest: bytes})
        self.tokens, self.challenge, self.referrers = set(), None, False
        self.identity_token = ""
        self._server = _Server(self, 0, self.context)
        self.port = self._server.server_port
        self.host = f"{name}:{self.port}"
        self.url = f"{'https' if self.context else 'http'}://{self.host}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self._server.shutdown()
        self._server.server_close()

    def publish(self, image, repository="a/b", tag="latest"):
        """Put an image or an index there; returns its digest."""
        manifests, blobs = self.repositories.setdefault(repository, ({}, {}))
        manifests.update(image.manifests)
        if tag:
            manifests[tag] = (image.media_type, image.manifest)
        blobs.update(image.blobs)
        return image.digest

    def asked(self, pattern="*", method="*"):
        """The requests whose path matches."""
        return [r for r in self.requests if fnmatch.fnmatch(r.path, pattern) and method in ("*", r.method)]

    def rule_for(self, method, path):
        """The rule for a request, or None."""
        for (rule_method, pattern), rule in self.rules.items():
            if rule_method in ("*", method) and (pattern == path or fnmatch.fnmatch(path, pattern)):
                return rule
        return None

    def _challenges(self):
        if self.challenge is not None:
            return self.challenge(self)
        if self.auth == "basic":
            return 'Basic realm="images"'
        return f'Bearer realm="{self.url}/token",service="{self.name}",scope="repository:x:pull"'

    def _token(self, h):
        if h.command == "POST":
            if not self.identity_token:
                h.answer(404)
                return
            if h.form.get("refresh_token") != self.identity_token:
                h.answer(401, b'{"details":"bad refresh token"}')
                return
        elif self.auth == "private" or h.headers.get("Authorization"):
            if h.headers.get("Authorization") not in (basic(), basic("<token>", self.identity_token or "-")):
                h.answer(401, b'{"details":"incorrect username or password"}')
                return
        token = base64.urlsafe_b64encode(os.urandom(24)).decode()
        self.tokens.add(token)
        h.answer(200, json.dumps({"access_token" if h.command == "POST" else "token": token, "expires_in": 300}).encode(),
                 {"Content-Type": "application/json"})

    def _allowed(self, h):
        given = h.headers.get("Authorization", "")
        if self.auth == "basic":
            return given == basic()
        return not self.auth or (given.startswith("Bearer ") and given[7:] in self.tokens)

    def serve(self, h, path):
        """What a registry answers."""
        if path == "/token":
            self._token(h)
            return
        if not self._allowed(h):
            h.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": self._challenges()})
            return
        found = re.fullmatch(r"/v2/(.*)/(manifests|blobs|referrers)/([^/]+)", path)
        manifests, blobs = self.repositories.get(found[1] if found else "", ({}, {}))
        kind, reference = (found[2], found[3]) if found else ("", "")
        if kind == "manifests" and reference in manifests:
            media_type, data = manifests[reference]
            h.answer(200, data, {"Content-Type": media_type, "Docker-Content-Digest": oci.digest(data)})
        elif kind == "blobs" and reference in blobs:
            h.answer(200, blobs[reference], {"Content-Type": "application/octet-stream"})
        elif kind == "referrers" and self.referrers:
            about = [json.loads(data) for _, data in manifests.values()]
            entries = [{**oci.Image.descriptor(t, data), "artifactType": v.get("artifactType", "")}
                       for (t, data), v in zip(manifests.values(), about)
                       if v.get("subject", {}).get("digest") == reference]
            h.answer(200, oci.document({"schemaVersion": 2, "mediaType": oci.INDEX, "manifests": entries}),
                     {"Content-Type": oci.INDEX})
        else:
            h.error(404, "MANIFEST_UNKNOWN" if kind == "manifests" else "NAME_UNKNOWN", "not here")


class DebianRegistry:
    """Debian's docker-registry as a process. auth: "", "basic" or "token" (of `tokens`, a TokenServer); proxy: URL of the
    registry that it is a mirror of; tls=False: plain http."""

    def __init__(self, directory, authority, auth="", proxy="", tls=True, name="registry.test", tokens=None):
        os.makedirs(directory, exist_ok=True)
        self.directory, self.auth, self.tls, self.tokens = directory, auth, tls, tokens
        self.port = free_port()
        self.host = f"{name}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self.authority = authority
        config = {"version": "0.1", "log": {"level": "info"},
                  "storage": {"filesystem": {"rootdirectory": os.path.join(directory, "data")},
                              "delete": {"enabled": True}},
                  "http": {"addr": f"{ADDRESS}:{self.port}", "secret": "test",
                           "headers": {"X-Content-Type-Options": ["nosniff"]}}}
        if tls:
            pem = authority.issue("registries.pem", NAMES)
            config["http"]["tls"] = {"certificate": pem, "key": pem}
        if auth == "basic":
            passwords = os.path.join(directory, "htpasswd")
            subprocess.run(["htpasswd", "-Bbc", passwords, USER, PASSWORD], check=True, capture_output=True)
            config["auth"] = {"htpasswd": {"realm": "images", "path": passwords}}
        elif auth == "token":
            config["auth"] = {"token": {"realm": tokens.url + "/token", "service": "registry.test",
                                        "issuer": "rkt-tests", "rootcertbundle": tokens.cert}}
        if proxy:
            config["proxy"] = {"remoteurl": proxy}
        self.config = os.path.join(directory, "config.yml")
        with open(self.config, "w") as f:
            json.dump(config, f)  # which is YAML, too
        self.process = None

    def __enter__(self):
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", self.config], stdout=log, stderr=log)
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection((ADDRESS, self.port), timeout=1):
                    return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        with open(os.path.join(self.directory, "log")) as f:
            raise RuntimeError("docker-registry does not start: " + f.read()[-2000:])

    def __exit__(self, *_exc):
        self.process.kill()
        self.process.wait()

    def _headers(self, repository):
        if self.auth == "basic":
            return {"Authorization": basic()}
        if self.auth == "token":
            return {"Authorization": "Bearer " + self.tokens.make(repository, ["pull", "push"])}
        return {}

    def push(self, image, repository="a/b", tag="latest"):
        """Put an image or an index of oci.py there; returns its digest."""
        context = ssl.create_default_context(cafile=self.authority.cert)
        connection = http.client.HTTPSConnection(ADDRESS, self.port, context=context) if self.tls else \
            http.client.HTTPConnection(ADDRESS, self.port)
        context.check_hostname = False
        headers = self._headers(repository)

        def ask(method, path, body=b"", more=None):
            connection.request(method, path, body, {"Host": self.host, **headers, **(more or {})})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status in (201, 202), f"{method} {path}: {answer.status} {text}"
            return answer

        for name, data in image.blobs.items():
            where = ask("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
            where = urllib.parse.urlsplit(where)
            ask("PUT", f"{where.path}?{where.query}&digest={name}", data,
                {"Content-Type": "application/octet-stream"})
        for name, (media_type, data) in image.manifests.items():
            ask("PUT", f"/v2/{repository}/manifests/{name}", data, {"Content-Type": media_type})
        if tag:
            ask("PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, {"Content-Type": image.media_type})
        connection.close()
        return image.digest

    def skopeo(self, source, repository="a/b", tag="latest", *options):
        """Push what skopeo can read, as "oci:DIR:TAG"."""
        login = ["--dest-creds", f"{USER}:{PASSWORD}"] if self.auth else []
        insecure = [] if self.tls else ["--dest-tls-verify=false"]
        subprocess.run(["skopeo", "copy", "--insecure-policy", *login, *insecure, *options, source,
                        f"docker://{self.host}/{repository}:{tag}"], check=True, capture_output=True)


class TokenServer(FakeRegistry):
    """The token server of a DebianRegistry: /token gives USER (or anybody, with `public`) signed tokens for what is asked."""

    def __init__(self, directory, authority, public=False, name="auth.registry.test"):
        super().__init__(authority, name)
        os.makedirs(directory, exist_ok=True)
        self.public = public
        self.cert, self.key = os.path.join(directory, "token.pem"), os.path.join(directory, "token.key")
        if not os.path.exists(self.cert):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=tokens",
                            "-keyout", self.key, "-out", self.cert], check=True, capture_output=True)

    def make(self, repository, actions, subject=USER):
        """A token (JWT) for one repository."""
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        with open(self.cert) as f:
            cert = "".join(f.read().split("-----")[2].split())
        now = int(time.time())
        claims = {"iss": "rkt-tests", "sub": subject, "aud": "registry.test", "exp": now + 300, "nbf": now - 10, "iat": now,
                  "jti": str(time.monotonic_ns()),
                  "access": [{"type": "repository", "name": repository, "actions": actions}]}
        signed = part(oci.document({"typ": "JWT", "alg": "RS256", "x5c": [cert]})) + b"." + part(oci.document(claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed, check=True,
                                   capture_output=True).stdout
        return (signed + b"." + part(signature)).decode()

    def serve(self, h, path):
        given = h.headers.get("Authorization", "")
        if given != basic() and (given or not self.public):
            h.answer(401, b'{"details":"incorrect username or password"}')
            return
        scope = h.query.get("scope", "repository::").split(":")
        h.answer(200, oci.document({"token": self.make(scope[1], ["pull"], USER if given else "")}),
                 {"Content-Type": "application/json"})

# SPDX-License-Identifier: LGPL-2.1-or-later
"""An HTTPS and HTTP server for images: appc discovery, images, signatures and keys; and every way to misbehave.

Host names are what differs: the certificate, the pages and the misbehaviour are chosen by the name that the client
asks for. All names are in /etc/hosts and lead to 127.0.0.2, which only this machine can reach.

    DOCROOT/HOST/PATH          what https://HOST/PATH answers; discovery pages are made up, not stored
    rules[(HOST, PATH)]        a Rule that replaces the answer; PATH may be a pattern with *

As a program: server.py DOCROOT serves the good hosts in the foreground (sd_notify's READY=1 when it listens).
"""
import dataclasses
import email.utils
import fnmatch
import http.server
import os
import socket
import ssl
import sys
import threading
import time

ADDRESS = "127.0.0.2"
GOOD = ["example.com", "images.test", "coreos.com", "myapp.com"]  # the last two: of rkt's guides
# host: Rule names for everything that it serves (see HOST_RULES)
BAD_CERT = ["wrongcert.test", "selfsigned.test", "expired.test"]
HOSTILE = ["nosig.test", "wrongsig.test", "otherkey.test", "loop.test", "downgrade.test", "slow.test", "truncated.test",
           "missing.test", "nodiscovery.test", "plain.test", "error.test", "endless.test", "resume.test"]
NOBODY = {"unreachable.test": "127.0.0.3"}  # nothing listens there


@dataclasses.dataclass
class Rule:
    """What to do instead of answering. `scheme`: only where the client speaks that. `status`, `location`: answer so.
    `cut`: send only that many bytes of the file while promising all, `cuts` times (-1: always), and call `after` then.
    `pace`: sleep so many seconds after each KiB. `endless`: never stop sending. A header with the value None is left
    out."""
    status: int = 0
    scheme: str = ""
    location: str = ""
    cut: int = -1
    cuts: int = -1
    after: object = None
    pace: float = 0
    endless: bool = False
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    allow: object = None  # function of method, path and headers: else 401


def discovery_page(host, scheme="https"):
    """The page with the meta tags of appc discovery for everything below `host`."""
    base = f"{scheme}://{host}"
    return (f'<!DOCTYPE html>\n<html><head>\n<title>Images</title>\n'
            f'<meta name="ac-discovery" content="{host} {base}/aci/{{name}}-{{version}}-{{os}}-{{arch}}.{{ext}}">\n'
            f'<meta name="ac-discovery-pubkeys" content="{host} {base}/pubkeys.gpg">\n'
            f'</head><body>Nothing to see.</body></html>\n').encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        if self.server.owner.verbose:
            sys.stderr.write("server: " + format % args + "\n")

    def _answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        owner = self.server.owner
        host = self.headers.get("Host", "").split(":")[0]
        path, _, query = self.path.partition("?")
        owner.requests.append((self.server.scheme, host, self.path, dict(self.headers)))
        rule = owner.rule_for(host, path, query, self.server.scheme)
        try:
            if rule is not None and self._follow(rule):
                return
            if "ac-discovery=1" in query:
                if path.strip("/") == "" and host not in owner.no_discovery:
                    self._answer(200, discovery_page(host, self.server.scheme), {"Content-Type": "text/html"})
                else:
                    self._answer(404)
                return
            self._file(os.path.join(owner.docroot, host, path.lstrip("/")), rule)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_HEAD = do_GET

    def _follow(self, rule):
        """Do what a rule says instead of a file; False: it only changes how the file is sent."""
        if rule.allow is not None and not rule.allow(self.command, self.path, self.headers):
            self._answer(401, b"not for you\n")
            return True
        if rule.location:
            self._answer(rule.status or 302, headers={"Location": rule.location})
        elif rule.endless:
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            while not self.server.owner.stopping:
                self.wfile.write(b"\0" * 65536)
        elif rule.status:
            self._answer(rule.status, rule.body, rule.headers)
        else:
            return False
        return True

    def _file(self, path, rule):
        real = os.path.realpath(path)
        if not real.startswith(os.path.realpath(self.server.owner.docroot) + "/") or not os.path.isfile(real):
            self._answer(404, b"not here\n")
            return
        with open(real, "rb") as f:
            data = f.read()
        mtime = email.utils.formatdate(os.path.getmtime(real), usegmt=True)
        etag = f'"{len(data)}-{os.stat(real).st_mtime_ns}"'
        headers = {"Last-Modified": mtime, "ETag": etag, "Accept-Ranges": "bytes", **(rule.headers if rule else {})}
        headers = {key: value for key, value in headers.items() if value is not None}
        start = 0
        wanted = self.headers.get("Range", "")
        tags = [headers.get("ETag"), headers.get("Last-Modified")]
        if wanted.startswith("bytes=") and wanted.endswith("-") and self.headers.get("If-Range", tags[0]) in tags:
            start = min(int(wanted[6:-1]), len(data))
        elif self.headers.get("If-None-Match") == etag:
            self._answer(304, headers=headers)
            return
        self.send_response(206 if start else 200)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        end = len(data)
        if rule is not None and rule.cut >= 0 and rule.cuts != 0:
            rule.cuts -= 1
            end = max(start, min(rule.cut, end))
            self.close_connection = True
        if rule is not None and rule.pace:
            for at in range(start, end, 1024):
                self.wfile.write(data[at:min(at + 1024, end)])
                time.sleep(rule.pace)
        else:
            self.wfile.write(data[start:end])
        if end < len(data) and rule.after is not None:
            rule.after()


class _Threading(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner, scheme, port):
        self.owner, self.scheme = owner, scheme
        super().__init__((ADDRESS, port), _Handler)

    def handle_error(self, request, client_address):
        pass


class _TLS(_Threading):
    """Handshakes in the connection's thread, so that a client that stalls holds up nobody else."""

    def finish_request(self, request, client_address):
        request.settimeout(60)
        with self.owner.tls.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)


class ImageServer:
    """The server; a context manager. `requests` lists (scheme, host, path, headers) of what was asked."""

    def __init__(self, docroot, authority, other_authority=None, verbose=False):
        self.docroot, self.verbose, self.stopping = docroot, verbose, False
        self.authority = authority
        self.rules, self.requests, self.no_discovery = {}, [], {"nodiscovery.test"}
        self.ports = {"https": 443, "http": 80}
        self._contexts = {}
        self.tls = self._context(authority.issue("good.pem", [*GOOD, *HOSTILE]))
        self.tls.sni_callback = self._choose
        if other_authority is not None:
            self._contexts["selfsigned.test"] = self._context(other_authority.issue("self.pem", ["selfsigned.test"]))
        self._contexts["wrongcert.test"] = self._context(authority.issue("wrong.pem", ["else.test"]))
        self._contexts["expired.test"] = self._context(authority.issue("expired.pem", ["expired.test"], days=-1))
        self._servers = []

    @staticmethod
    def _context(pem):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context

    def _choose(self, connection, name, _context):
        if name in self._contexts:
            connection.context = self._contexts[name]

    def rule_for(self, host, path, query, scheme=""):
        """The rule for a request, or None; discovery pages are asked for as PATH?ac-discovery."""
        path = path + ("?ac-discovery" if "ac-discovery=1" in query else "")
        for (rule_host, pattern), rule in self.rules.items():
            if rule.scheme not in ("", scheme):
                continue
            if rule_host == host and (pattern == path or fnmatch.fnmatch(path, pattern)):
                return rule
        return None

    def __enter__(self):
        for kind, scheme in ((_TLS, "https"), (_Threading, "http")):
            server = kind(self, scheme, self.ports[scheme])
            self._servers.append(server)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self.stopping = True
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()

    def publish(self, name, aci, version="1.0.0", os_="linux", arch=None, key=None, signature=None):
        """Put an image where discovery of `name` (HOST/PATH) leads. key: sign with it; signature: that file."""
        from . import aci as aci_module  # pylint: disable=import-outside-toplevel
        host = name.split("/")[0]
        target = os.path.join(self.docroot, host, "aci", f"{name}-{version}-{os_}-{arch or aci_module.ARCH}.aci")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        for path in (target, target + ".asc"):
            if os.path.lexists(path):
                os.unlink(path)
        os.symlink(os.path.abspath(aci), target) if self._inside(aci) else _copy(aci, target)
        if key is not None:
            key.sign(target, target + ".asc")
        elif signature is not None:
            _copy(signature, target + ".asc")
        return f"https://{host}/aci/" + os.path.relpath(target, os.path.join(self.docroot, host, "aci"))

    def _inside(self, path):
        return os.path.realpath(path).startswith(os.path.realpath(self.docroot) + "/")

    def publish_key(self, key, hosts=(*GOOD, *HOSTILE, *BAD_CERT)):
        """Serve a public key as pubkeys.gpg of hosts."""
        for host in hosts:
            os.makedirs(os.path.join(self.docroot, host), exist_ok=True)
            _copy(key.public, os.path.join(self.docroot, host, "pubkeys.gpg"))


def _copy(source, target):
    with open(source, "rb") as i, open(target, "wb") as o:
        o.write(i.read())


def name_hosts():
    """Put all host names into /etc/hosts, once."""
    with open("/etc/hosts") as f:
        text = f.read()
    lines = [f"{ADDRESS} {name}" for name in [*GOOD, *BAD_CERT, *HOSTILE]]
    lines += [f"{address} {name}" for name, address in NOBODY.items()]
    missing = [line for line in lines if line not in text.splitlines()]
    if missing:
        with open("/etc/hosts", "a") as f:
            f.write("\n".join(missing) + "\n")


def notify_ready():
    """Tell systemd that the server listens."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect("\0" + path[1:] if path[0] == "@" else path)
            s.send(b"READY=1")


def main():
    """Serve DOCROOT until killed."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from images import keys  # pylint: disable=import-outside-toplevel
    authority = keys.Authority(os.path.join(sys.argv[1], ".ca"))
    with ImageServer(sys.argv[1], authority, verbose=True):
        notify_ready()
        threading.Event().wait()


if __name__ == "__main__":
    main()

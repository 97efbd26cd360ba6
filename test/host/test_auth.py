# SPDX-License-Identifier: LGPL-2.1-or-later
"""Credentials of auth.d on requests: basic, bearer, AWS v4; who gets them, and who does not. rkt.md 2, AUTH cases;
robustness.md 3.8 H1, H2. The signatures by Amazon's own examples are in src/config/test-config.c."""
import hashlib
import hmac
import json
import pathlib
import shutil
import urllib.parse

import pytest

from conftest import ISOLATED, app_section
from images.server import Rule

UNSIGNED = "--insecure-options=image"
URL = "https://example.com/auth/app.aci"
SECRET = "wJalrXUtnFEMI/K7MDENG"

BASIC = {"type": "basic", "credentials": {"user": "bar", "password": "baz"}}
OAUTH = {"type": "oauth", "credentials": {"token": "sometoken"}}
AWS = {"type": "aws", "credentials": {"accessKeyID": "AKID", "secretAccessKey": SECRET, "awsRegion": "eu-west-1"}}
BAD = {"basic": {"type": "basic", "credentials": {"user": "bar", "password": "no"}},
       "oauth": {"type": "oauth", "credentials": {"token": "invalid"}},
       "aws": {"type": "aws", "credentials": {**AWS["credentials"], "secretAccessKey": "other"}}}


def aws_allows(method, path, headers):
    """Is this signed with SECRET? Written after Amazon's description, and not after our C."""
    target, _, query = path.partition("?")
    value = headers.get("Authorization", "")
    if not value.startswith("AWS4-HMAC-SHA256 "):
        return False
    fields = dict(f.strip().split("=", 1) for f in value.split(" ", 1)[1].split(","))
    key_id, date, region, service, last = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join([method, urllib.parse.quote(urllib.parse.unquote(target), safe="/-_.~"),
                           "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}"
                                    for k, v in pairs),
                           "".join(f"{n}:{headers[n].strip()}\n" for n in names), fields["SignedHeaders"],
                           headers["x-amz-content-sha256"]])
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], f"{date}/{region}/{service}/{last}",
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in (date, region, service, last):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return (key_id, region, service) == ("AKID", "eu-west-1", "s3") and names == sorted(names) and "host" in names and \
        hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == fields["Signature"]


ALLOWS = {"basic": lambda m, p, h: h.get("Authorization") == "Basic YmFyOmJheg==",
          "oauth": lambda m, p, h: h.get("Authorization") == "Bearer sometoken",
          "aws": aws_allows}


@pytest.fixture(name="auth")
def _auth(host, server, images, no_images, tmp_path):  # pylint: disable=unused-argument
    """A protected image, and configuration directories."""
    return Auth(host, server, images, tmp_path)


class Auth:
    """Directories, the server's rules, and rkt with both."""

    def __init__(self, host, server, images, top):
        self.host, self.server, self.top = host, server, top
        self.image = images.make("example.com/auth", app={"exec": ["/bin/echo", "AuthenticationSucceeded."]})
        self.serve("example.com", "auth/app.aci")

    def serve(self, name, path):
        """The image, at a place."""
        target = pathlib.Path(self.server.docroot, name, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.image, target)

    def protect(self, kind, name="example.com", pattern="/auth/*"):
        """The server wants credentials of this kind."""
        self.server.rules[(name, pattern)] = Rule(allow=ALLOWS[kind])

    def configure(self, where, what, domains=("example.com",), name="test.json"):
        """A file of kind auth."""
        path = self.top / where / "auth.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"rktKind": "auth", "rktVersion": "v1", "domains": list(domains), **what}))
        path.chmod(0o600)
        return path

    def rkt(self, *args, **kwargs):
        """rkt with the directories."""
        flags = [f"--{d}-config={self.top / d}" for d in ("system", "local", "user")]
        return self.host.rkt(*flags, *args, **kwargs)

    def fetch(self, url=URL, check=True, options=UNSIGNED):
        """rkt fetch, not from the store."""
        return self.rkt(options, "fetch", "--no-store", url, check=check)

    def refused(self, url=URL):
        """A fetch that the server does not allow."""
        result = self.fetch(url, check=254)
        assert "401" in result.err
        return result

    def sent(self):
        """Authorization of each request, in order: (host, path, value)."""
        return [(h, p.partition("?")[0], headers.get("Authorization")) for _, h, p, headers in self.server.requests]


KINDS = {"basic": BASIC, "oauth": OAUTH, "aws": AWS}


@pytest.mark.parametrize("kind,ids", [("basic", "AUTH-02 AUTH-03 AUTH-04"), ("oauth", "AUTH-05 AUTH-06 AUTH-07"),
                                      ("aws", "AWS v4, which rkt's tests do not have")])
def test_credentials(auth, kind, ids):  # pylint: disable=unused-argument
    """none: 401; in the local directory; in the system's; in the user's"""
    auth.protect(kind)
    assert "bad HTTP status code: 401" in auth.refused().err
    for where in ("local", "system", "user"):
        path = auth.configure(where, KINDS[kind])
        auth.fetch()
        path.unlink()
    auth.configure("local", BAD[kind])
    auth.refused()


def test_run_without_and_with_signature_check(auth):
    """AUTH-01: no signature: an error; not asked for: the app runs"""
    auth.serve("selfsigned.test", "auth/app.aci")
    url = "https://selfsigned.test/auth/app.aci"
    flags = ["run", "--no-store", url]
    result = auth.rkt("--insecure-options=tls", *flags, check=254)
    assert "error downloading the signature file" in result.err
    assert "certificate" in auth.rkt(*flags, check=254).err
    result = auth.rkt("--insecure-options=image,tls", *flags)
    assert "AuthenticationSucceeded." in result.out
    auth.rkt("gc", "--grace-period=0s")


def test_local_overrides_system(auth):
    """AUTH-08, AUTH-09"""
    auth.protect("oauth")
    auth.configure("system", OAUTH)
    auth.fetch()
    auth.configure("local", BAD["oauth"])
    auth.refused()
    auth.configure("system", BAD["oauth"])
    auth.refused()
    auth.configure("local", OAUTH)
    auth.fetch()


def test_other_files_are_ignored(auth):
    """AUTH-10, AUTH-11"""
    auth.protect("oauth")
    for name in ("README", "test.notjson", "sub/test.json"):
        auth.configure("local", OAUTH, name=name)
        auth.refused()


def test_wrong_file_stops_the_fetch(auth):
    """a file with a mistake ends it, before anything is asked"""
    auth.configure("local", {"type": "digest"})
    result = auth.fetch(check=254)
    assert "local/auth.d/test.json': unknown auth type" in result.err and not auth.server.requests


@pytest.mark.parametrize("domain,sent", [("example.com", True), ("EXAMPLE.com", True), ("example.com:443", True),
                                         ("example.com:8443", False), ("com", False), ("images.test", False),
                                         ("www.example.com", False)])
def test_host_and_port(auth, domain, sent):
    """a domain is a host and a port, 443 unless it says another"""
    auth.configure("local", BASIC, [domain])
    auth.fetch()
    assert auth.sent() == [("example.com", "/auth/app.aci", "Basic YmFyOmJheg==" if sent else None)]


def test_every_request_to_the_host(auth, signer):
    """discovery, image, signature (up-0424)"""
    auth.configure("local", BASIC)
    key = auth.top / "local/trustedkeys/prefix.d/example.com" / signer.fingerprint
    key.parent.mkdir(parents=True)
    shutil.copy(signer.public, key)
    auth.server.publish("example.com/auth", auth.image, key=signer)
    auth.fetch("example.com/auth:1.0.0", options="--insecure-options=none")
    assert {p.rsplit(".", 1)[-1] for _, p, _ in auth.sent()} >= {"/", "aci", "asc"}
    assert {value for _, _, value in auth.sent()} == {"Basic YmFyOmJheg=="}


@pytest.mark.parametrize("kind", ["basic", "oauth", "aws"])
def test_not_to_another_host(auth, kind):
    """H1: a redirect to another host gets no credentials of the first; its own, if it has some, neither"""
    auth.serve("images.test", "auth/app.aci")
    auth.server.rules[("example.com", "/auth/*")] = Rule(location="https://images.test/auth/app.aci")
    auth.configure("local", KINDS[kind])
    auth.fetch()
    sent = auth.sent()
    assert sent[0][0] == "example.com" and sent[0][2] and sent[-1] == ("images.test", "/auth/app.aci", None)


def test_not_over_plain_http(auth):
    """H2: with http allowed, credentials stay at home"""
    auth.serve("plain.test", "auth/app.aci")
    auth.configure("local", BASIC, ["plain.test", "plain.test:80"])
    auth.fetch("http://plain.test/auth/app.aci", options="--insecure-options=image,http")
    assert auth.sent() == [("plain.test", "/auth/app.aci", None)]


def test_secrets_are_not_told(auth):
    """no message, no command line has the secret; a readable file gets a warning"""
    auth.configure("local", BAD["oauth"]).chmod(0o644)
    auth.protect("oauth")
    result = auth.rkt("--debug", UNSIGNED, "fetch", "--no-store", URL, check=254)
    assert '"invalid"' not in result.all and "Bearer" not in result.all
    assert "has credentials and can be read by everybody" in result.err


@pytest.mark.parametrize("target", ["/auth/app.aci?b=2&a=1", "/auth/app.aci?x=a%2Fb&x", "/auth/a%20b/app.aci"])
def test_aws_signs_what_is_sent(auth, target):
    """path and query as a server sees them"""
    auth.serve("example.com", "auth/a%20b/app.aci")
    auth.protect("aws")
    auth.configure("local", AWS)
    auth.fetch(f"https://example.com{target}")


def test_units_have_the_credentials(auth, pods, host):
    """pod-image@ reads /etc/rkt"""
    auth.protect("basic")
    path = pathlib.Path("/etc/rkt/auth.d/t-auth.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    name = pods.write("auth", f"{ISOLATED}{app_section('main', URL)}")
    try:
        assert host.run("systemctl", "start", f"pod-image@{name}", check=False).rc == 1
        assert "bad HTTP status code: 401" in host.status(f"pod-image@{name}")
        path.write_text(json.dumps({"rktKind": "auth", "rktVersion": "v1", "domains": ["example.com"], **BASIC}))
        path.chmod(0o600)
        host.run("systemctl", "start", f"pod-image@{name}")
        assert auth.sent()[-1] == ("example.com", "/auth/app.aci", "Basic YmFyOmJheg==")
    finally:
        path.unlink(missing_ok=True)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a name to a URL: discovery pages, walking up, templates, several places, labels, platforms; and pages that lie
(rkt.md FET-19, OSA; robustness.md 3.9; appc's vectors up-0412 to up-0433 as far as they need a server)."""
import os
import re

import pytest

from images import aci
from images.server import Rule

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"
HTTP = "--insecure-options=image,http"
PAGE = "/*ac-discovery"


def tiny_root(root):
    """A root with nothing in it."""
    os.makedirs(root, exist_ok=True)


def meta(*contents, name="ac-discovery"):
    """A page with these tags."""
    return Rule(status=200, body="".join(f'<meta name="{name}" content="{c}">\n' for c in contents).encode())


def failed(result, *patterns):
    """Exit status 254, nothing on standard output, and each pattern in the message."""
    assert result.rc == 254 and result.out == "", result
    for pattern in patterns:
        assert re.search(pattern, result.err, re.IGNORECASE), f"{pattern!r} is not in {result!r}"


def pages(server):
    """The discovery pages that were asked for, without the scheme's own part."""
    return [f"{scheme}://{host}{path}" for scheme, host, path, _ in server.requests if "ac-discovery=1" in path]


def fetched(server):
    """The images that were asked for."""
    return [f"{scheme}://{host}{path}" for scheme, host, path, _ in server.requests if path.endswith(".aci")]


@pytest.fixture
def put(server, images):
    """Publish a tiny image of a name; returns its URL."""
    def publish(name, version="1.0.0", os_="linux", arch=None, **kw):
        path = images.make(name, root=tiny_root, version=version, **kw)
        return server.publish(name, path, version=version, os_=os_, arch=arch)
    return publish


# --- finding the page ------------------------------------------------------------------------------------------------

def test_walks_up(host, server, put):
    """up-0413: /a/b/c, /a/b, /a, then the bare host; the name in the template stays whole."""
    url = put("example.com/a/b/c")
    host.rkt(UNSIGNED, "fetch", "example.com/a/b/c:1.0.0")
    assert pages(server) == [f"https://example.com/{p}?ac-discovery=1" for p in ("a/b/c", "a/b", "a")] + [
        "https://example.com/?ac-discovery=1"]
    assert fetched(server) == [url]


@pytest.mark.parametrize("lower", [Rule(status=500), Rule(status=403), meta("example.org https://example.org/{name}.{ext}"),
                                   meta("example.com https://example.com/{nonsense}.{ext}"), meta("example.com/ap https://x/{ext}")],
                         ids=["500", "403", "other prefix", "unknown variable", "D3 half a component"])
def test_page_without_use(host, server, put, lower):
    """A page that fails, or has nothing for this name, sends us one level up (D3, D5)."""
    put("example.com/app")
    server.rules[("example.com", "/app?ac-discovery")] = lower
    host.rkt(UNSIGNED, "fetch", "example.com/app:1.0.0")
    assert pages(server)[-1] == "https://example.com/?ac-discovery=1"


def test_images_and_keys_are_looked_for_apart(host, server, put, signer):
    """up-0415 up-0416: the page of the name has only keys, the host's own only images, and the other way round."""
    server.publish_key(signer)
    put("example.com/app")
    keys = meta("example.com https://example.com/pubkeys.gpg", name="ac-discovery-pubkeys")
    server.rules[("example.com", "/app?ac-discovery")] = keys
    host.rkt(UNSIGNED, "fetch", "example.com/app:1.0.0")
    places = meta("example.com https://example.com/x.{ext}")
    server.rules[("example.com", "/app?ac-discovery")] = places
    try:
        host.rkt("trust", "--skip-fingerprint-review", "--prefix=example.com/app")
    finally:
        host.run("rm", "-rf", "/etc/rkt/trustedkeys")


def test_says_what_was_tried(host, server):
    """up-0414 up-0427: nobody knows it: every page that was asked, and why it did not do."""
    server.rules[("example.com", "/a?ac-discovery")] = Rule(status=503)
    server.rules[("example.com", "/?ac-discovery")] = Rule(status=200, body=b"<html>nothing")
    result = host.rkt(UNSIGNED, "fetch", "example.com/a/b", check=False)
    failed(result, r"https://example\.com/a/b\?ac-discovery=1.*404", r"https://example\.com/a\?ac-discovery=1.*503",
           r"https://example\.com\?ac-discovery=1: the page has no ac-discovery tag")


def test_unreachable_host_is_asked_once(host, server):  # pylint: disable=unused-argument
    """up-0429: a host that does not answer is not asked for every level of the name."""
    result = host.rkt(UNSIGNED, "fetch", "unreachable.test/a/b/c/d", check=False)
    failed(result, r"unreachable\.test/a/b/c/d\?ac-discovery=1")
    assert result.err.count("?ac-discovery=1") == 1


def test_too_many_levels(host, server):
    """A name cannot make us ask a server a thousand times."""
    failed(host.rkt(UNSIGNED, "fetch", "example.com" + "/a" * 1000, check=False), "components")
    assert server.requests == []


# --- http ------------------------------------------------------------------------------------------------------------

def test_no_http_by_itself(host, server, put):
    """up-0425 up-0430: what is only there over http is not found, and http is not even tried."""
    put("plain.test/app")
    server.rules[("plain.test", "*ac-discovery")] = Rule(status=404, scheme="https")
    failed(host.rkt(UNSIGNED, "fetch", "plain.test/app:1.0.0", check=False), "404")
    assert not [r for r in server.requests if r[0] == "http"]


@pytest.mark.parametrize("name,https", [("plain.test", Rule(status=404, scheme="https")), ("plain.test", Rule(status=500, scheme="https")),
                                        ("selfsigned.test", None)], ids=["up-0431", "500", "up-0432"])
def test_http_when_asked_for(host, server, put, name, https):
    """up-0431 up-0432: https first, http after it, when the option allows it."""
    put(f"{name}/app")
    if https:
        server.rules[(name, "*ac-discovery")] = https
    host.rkt(HTTP, "fetch", f"{name}/app:1.0.0")
    asked = pages(server)
    assert asked[-1] == f"http://{name}/?ac-discovery=1" and (not https or asked[0] == f"https://{name}/app?ac-discovery=1")
    assert fetched(server)[0].startswith(f"http://{name}/aci/")


def test_https_is_preferred(host, server, put):
    """up-0426: http is not tried when https answers."""
    put("example.com/app")
    host.rkt(HTTP, "fetch", "example.com/app:1.0.0")
    assert not [r for r in server.requests if r[0] == "http" and "/?ac-discovery" in r[2]]


def test_both_reasons(host, server):
    """With http allowed, the message has both."""
    server.rules[("plain.test", "*ac-discovery")] = Rule(status=410)
    server.rules[("plain.test", "/*")] = Rule(status=500)
    failed(host.rkt(HTTP, "fetch", "plain.test/app", check=False), r"https://plain\.test/app\?ac-discovery=1",
           r"http://plain\.test/app\?ac-discovery=1")


# --- templates -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("template,reference,path", [
    ("https://images.test/{name}-{version}-{os}-{arch}.{ext}", "example.com/app:1.0.0", f"/example.com/app-1.0.0-linux-{aci.ARCH}.aci"),
    ("https://images.test/{name}/{version}.{ext}", "example.com/app", "/example.com/app/latest.aci"),
    ("https://images.test/{channel}/{name}.{ext}", "example.com/app,channel=beta", "/beta/example.com/app.aci"),
    ("https://images.test/{x}.{ext}", "example.com/app,x=a/../b %2e?c#d", "/a%2F..%2Fb%20%252e%3Fc%23d.aci"),
    ("https://images.test/{ext}/{name}?v={version}", "example.com/app", "/aci/example.com/app?v=latest"),
], ids=["platform of this machine", "latest", "any label", "D5 a value stays one piece", "query"])
def test_templates(host, server, template, reference, path):
    """Every variable, with what this machine is and what nobody said filled in (up-0412, up-0420, up-0421)."""
    server.rules[("example.com", PAGE)] = meta(f"example.com {template}")
    result = host.rkt(UNSIGNED, "fetch", reference, check=False)
    failed(result, "404")
    assert [r[2] for r in server.requests if r[1] == "images.test"] == [path]


def test_signature_template(host, server, trusted, put):  # pylint: disable=unused-argument
    """The signature is where the template leads with "aci.asc", not at the image's URL with something behind it."""
    put("example.com/app")
    server.rules[("example.com", PAGE)] = meta("example.com https://images.test/get?type={ext}&amp;name={name}")
    failed(host.rkt("fetch", "example.com/app", check=False), "404")
    server.rules[("images.test", "/get")] = Rule(status=200, body=b"x")
    server.requests.clear()
    failed(host.rkt("fetch", "example.com/app", check=False))
    assert [r[2] for r in server.requests if r[1] == "images.test"] == [
        "/get?type=aci&name=example.com/app", "/get?type=aci.asc&name=example.com/app"]


def test_many_tags(host, server, put):
    """D6: 32 places are read; the image at the 40th is not found."""
    url = put("example.com/app")
    tags = [f"example.com https://example.com/{n}.{{ext}}" for n in range(40)]
    server.rules[("example.com", PAGE)] = meta(*tags, f"example.com {url[:-3]}{{ext}}")
    failed(host.rkt(UNSIGNED, "fetch", "example.com/app", check=False), "https://example.com/31.aci")
    assert fetched(server) == [f"https://example.com/{n}.aci" for n in range(32)]


def test_tags_that_are_no_tags(host, server, put):
    """D2, D8: what stands in comments and scripts; UTF-16; what is not closed."""
    put("example.com/app")
    tag = '<meta name="ac-discovery" content="example.com https://images.test/{name}.{ext}">'
    for body in (f"<!-- {tag} -->", f"<script>'{tag}'</script>", f"<style>{tag}</style>", f"<![CDATA[{tag}]]>"[:9] + "\0"):
        server.rules[("example.com", PAGE)] = Rule(status=200, body=body.encode())
        failed(host.rkt(UNSIGNED, "fetch", "example.com/app", check=False), "no ac-discovery tag")
    for body in (f"<p><div><b '\"{tag[1:]}".encode(), tag.encode("utf-16"), b"\0" * 1000 + tag.encode()[:-3], b"<" * 10000):
        server.rules[("example.com", PAGE)] = Rule(status=200, body=body)
        failed(host.rkt(UNSIGNED, "fetch", "example.com/app", check=False), "no ac-discovery tag|images.test/example.com/app.aci")


# --- several places --------------------------------------------------------------------------------------------------

BROKEN = {"not there": ("https://example.com/nothing/{name}.{ext}", None, "404"),
          "unreachable": ("https://unreachable.test/{name}.{ext}", None, "unreachable"),
          "unknown host": ("https://does-not-exist.invalid/{name}.{ext}", None, "not known"),
          "certificate": ("https://selfsigned.test/{name}.{ext}", None, "certificate"),
          "http": ("http://plain.test/{name}.{ext}", None, "plain http"),
          "file": ("file:///etc/{name}.{ext}", None, "https"),
          "hdfs": ("hdfs://example.com/{name}.{ext}", None, "https"),
          "error": ("https://error.test/{name}.{ext}", Rule(status=500), "500"),
          "forbidden": ("https://error.test/{name}.{ext}", Rule(status=401), "401"),
          "loop": ("https://error.test/{name}.{ext}", Rule(location="/loop.aci"), "redirect"),
          "no image": ("https://error.test/{name}.{ext}", Rule(status=200, body=b"<html>Sorry</html>" * 100), "")}


@pytest.mark.parametrize("kind", BROKEN)
def test_next_place(host, server, put, kind):
    """up-0423: the places of a page are tried in order (rkt tried one); what is wrong with the first is said."""
    template, rule, why = BROKEN[kind]
    url = put("example.com/app")
    if rule:
        server.rules[("error.test", "*")] = rule
    server.rules[("example.com", PAGE)] = meta(f"example.com {template}", f"example.com {url[:-3]}{{ext}}")
    result = host.rkt(UNSIGNED, "fetch", "example.com/app")
    assert re.search(f"warning: .*{why}.*trying the next place", result.err) and "sha512-" in result.out
    assert fetched(server)[-1] == url


def test_no_place_has_it(host, server):
    """Every place that was tried, and why it did not do."""
    server.rules[("example.com", PAGE)] = meta(*(f"example.com {p}" for p in (
        "https://example.com/1.{ext}", "https://unreachable.test/2.{ext}", "http://plain.test/3.{ext}")))
    failed(host.rkt(UNSIGNED, "fetch", "example.com/app", check=False), r"image 'example\.com/app'", r"https://example\.com/1\.aci",
           r"https://unreachable\.test/2\.aci", r"http://plain\.test/3\.aci")


def test_stranger_signature_is_not_tried_elsewhere(host, server, images, trusted, stranger):  # pylint: disable=unused-argument
    """An image whose signer is not trusted is not downloaded again from every mirror."""
    url = server.publish("example.com/app", images.make("example.com/app", root=tiny_root), key=stranger)
    server.rules[("example.com", PAGE)] = meta(f"example.com {url[:-3]}{{ext}}", f"example.com {url[:-3]}{{ext}}")
    failed(host.rkt("fetch", "example.com/app", check=False), "unknown entity")
    assert len(fetched(server)) == 1


# --- what comes back -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("wanted,message", [
    (":2.0", 'requested value for label "version": "2.0" differs from fetched aci label value: "1.2.0"'),
    (":latest", 'requested value for label "version": "latest" differs from fetched aci label value: "1.2.0"'),
    (",arch=s390x", f'requested value for label "arch": "s390x" differs from fetched aci label value: "{aci.ARCH}"'),
    (",unexistinglabel=bla", 'requested label "unexistinglabel" not provided by the image manifest')])
def test_labels_of_the_image(host, server, put, wanted, message):
    """FET-19, D10: what was asked for must be in the manifest; a label that nobody asked for may be there."""
    url = put("example.com/app", version="1.2.0")
    server.rules[("example.com", PAGE)] = meta(f"example.com {url[:-3]}{{ext}}")
    failed(host.rkt(UNSIGNED, "fetch", f"example.com/app{wanted}", check=False), re.escape(message))
    assert host.rkt("image", "list", "--no-legend").out == ""
    host.rkt(UNSIGNED, "fetch", "example.com/app:1.2.0,os=linux")


def test_name_of_the_image(host, server, put):
    """D10: an image of another name, however it is signed."""
    url = put("example.com/other")
    server.rules[("example.com", PAGE)] = meta(f"example.com {url[:-3]}{{ext}}")
    failed(host.rkt(UNSIGNED, "fetch", "example.com/app", check=False), '"example.com/other"', '"example.com/app"')


def test_page_elsewhere(host, server, put):
    """D9: a discovery page may be on another host; the name is that of the image all the same."""
    url = put("example.com/app")
    server.rules[("example.com", PAGE)] = Rule(status=302, location="https://images.test/?ac-discovery=1")
    server.rules[("images.test", "/?ac-discovery")] = meta(f"example.com {url[:-3]}{{ext}}")
    host.rkt(UNSIGNED, "fetch", "example.com/app")
    assert not [r for r in server.requests if "Authorization" in r[3]]


def test_latest(host, server, images):
    """A name without a version is the server's "latest", and later the image that came so, not the newest one."""
    latest = server.publish("example.com/app", images.make("example.com/app", root=tiny_root, version="7"), version="latest")
    server.publish("example.com/app", images.make("example.com/app", root=tiny_root, version="8"), version="8")
    first = host.rkt(UNSIGNED, "fetch", "example.com/app").out
    assert fetched(server) == [latest]
    host.rkt(UNSIGNED, "fetch", "example.com/app:8")
    assert host.rkt("fetch", "--pull-policy=never", "example.com/app").out == first


# --- os and arch -----------------------------------------------------------------------------------------------------

OTHER_ARCH = "s390x" if aci.ARCH != "s390x" else "amd64"


@pytest.mark.parametrize("labels,message", [
    ({"version": "1", "os": "linux", "arch": aci.ARCH}, None),
    ({"version": "1", "arch": aci.ARCH}, "missing os label in the image manifest"),
    ({"version": "1", "os": "linux"}, "missing arch label in the image manifest"),
    ({"version": "1", "os": "freebsd", "arch": "amd64"}, 'bad os "freebsd"'),
    ({"version": "1", "os": "linux", "arch": OTHER_ARCH}, f'bad arch "{OTHER_ARCH}"')],
    ids=["OSA-01", "OSA-02", "OSA-03", "OSA-04", "OSA-05"])
def test_platform(host, images, labels, message):
    """OSA-01 to OSA-05: run directly from the file, and again as fetch and run by hash."""
    path = images.make("example.com/platform", app={"exec": ["/bin/echo", "HelloWorld"]}, labels=labels)
    key = host.rkt(UNSIGNED, "fetch", path).out.strip()
    try:
        for image in (path, key):
            result = host.rkt(UNSIGNED, "run", "--net=host", image, check=254 if message else True)
            assert message in result.err if message else "HelloWorld" in result.out
    finally:
        host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s", check=False)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Downloads over HTTP: what is resumed and what is begun anew, redirects, credentials, proxies, limits, certificates; and
servers that misbehave. Ids are rows of robustness.md 3.8 (H...) and cases of rkt.md 2 (FET-...). What each refused download
says when a pod needs it is in test_bad_input.py."""
import os
import pathlib
import re
import signal
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

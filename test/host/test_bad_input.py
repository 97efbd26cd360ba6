# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every line of the issue's "Bad input": one clear error, a non-zero exit, nothing left behind; by `rkt fetch` or
`rkt run`, and as a pod file. What is refused by default and has an option names the option."""
import io
import json
import os
import re
import tarfile

import pytest

from images import aci
from images.server import Rule

from conftest import ISOLATED, app_section

pytestmark = pytest.mark.usefixtures("no_images")


def said(text):
    """The error lines of an output: without progress and notes."""
    return [li for li in text.splitlines() if li.strip()]


def refused(result, *patterns):
    """It failed as rkt fails, said each of `patterns` (regular expressions), and was brief and composed about it."""
    assert result.rc == 254, result
    assert result.out == "", result
    for pattern in patterns:
        assert re.search(pattern, result.err, re.IGNORECASE), f"{pattern!r} is not in {result!r}"
    assert 1 <= len(said(result.err)) <= 6, result
    assert not re.search("assert|abort|core dumped|Sanitizer|Segmentation", result.err), result


def refused_pod(host, pods, name, text, *patterns):
    """The pod of this text does not start, and the unit's status says why."""
    name = pods.write(name, text)
    assert pods.start(name, check=False).rc != 0
    shown = host.status(f"pod@{name}")
    for pattern in patterns:
        assert re.search(pattern, shown, re.IGNORECASE), f"{pattern!r} is not in {shown}"
    assert host.show(f"pod@{name}", "ActiveState") in ("failed", "inactive")
    assert not [m for m in host.machines() if m["machine"] == name]


def nothing_in_store(host):
    """No image came into being."""
    assert host.rkt("image", "list", "--no-legend").out == ""


def both(host, pods, image, *patterns, name="bad"):
    """Refused by rkt fetch, and as a pod."""
    refused(host.rkt("fetch", image, check=False), *patterns)
    refused_pod(host, pods, name, f"[Pod]\nNetwork=none\n[App main]\nImage={image}\n", *patterns)
    nothing_in_store(host)


def publish(server, images, host_name, **how):
    """Put the image HOST/app where it belongs; `how`: as ImageServer.publish()."""
    return server.publish(f"{host_name}/app", images.make(f"{host_name}/app", app=aci.SH_APP), **how)


# --- the network -----------------------------------------------------------------------------------------------------

def test_image_not_found(host, pods, server, trusted):
    """FET: discovery works, the image is not there."""
    server.publish_key(trusted)
    both(host, pods, "missing.test/app:1.0.0", "missing.test/app", "404|not found")


def test_no_discovery(host, pods, server):  # pylint: disable=unused-argument
    """The host answers, but says nothing about images."""
    both(host, pods, "nodiscovery.test/app", "nodiscovery.test/app", "discovery")


@pytest.mark.parametrize("name", ["unreachable.test", "does-not-exist.invalid"])
def test_host_unreachable(host, pods, server, name):  # pylint: disable=unused-argument
    """Nobody listens; nobody knows the name."""
    both(host, pods, f"{name}/app", name)


@pytest.mark.parametrize("name", ["wrongcert.test", "selfsigned.test", "expired.test"])
def test_wrong_certificate(host, pods, server, images, trusted, name):
    """The connection is refused, naming the option; the option makes it work (AUTH-01)."""
    url = publish(server, images, name, key=trusted)
    both(host, pods, f"{name}/app:1.0.0", name, "certificate", "insecure-?options=.*tls")
    both(host, pods, url, name, "certificate", "insecure-?options=.*tls")
    host.rkt("--insecure-options=tls,image", "fetch", url)


def test_plain_http(host, pods, server, images, trusted):
    """http is refused without the option, before a byte is sent; with it, it works."""
    url = publish(server, images, "plain.test", key=trusted).replace("https:", "http:")
    both(host, pods, url, "http", "insecure-?options=.*http")
    assert server.requests == []
    host.rkt("--insecure-options=http", "fetch", url)


def test_redirect_to_http(host, pods, server, images, trusted):
    """A redirect from https to http is refused like http itself."""
    url = publish(server, images, "downgrade.test", key=trusted)
    server.rules[("downgrade.test", "/aci/*")] = Rule(status=302, location="http://downgrade.test/elsewhere.aci")
    both(host, pods, url, "http")
    assert not [r for r in server.requests if r[0] == "http"]


def test_redirect_loop(host, pods, server):
    """A loop ends soon, with a word about redirects."""
    server.rules[("loop.test", "*")] = Rule(status=302, location="https://loop.test/again.aci")
    both(host, pods, "https://loop.test/app.aci", "redirect")
    assert len(server.requests) < 100


def test_server_error(host, pods, server):
    """Another status than 200 is said."""
    server.rules[("error.test", "*")] = Rule(status=503)
    both(host, pods, "https://error.test/app.aci", "503")


def test_endless_answer(host, server):
    """A server that never stops sending is stopped by the size limit or by the parser, not by a full disk."""
    server.rules[("endless.test", "*")] = Rule(endless=True)
    refused(host.rkt("--insecure-options=image", "fetch", "https://endless.test/app.aci", check=False, timeout=60))


# --- signatures ------------------------------------------------------------------------------------------------------

OPTION = "insecure-?options=.*image"


def test_signature_missing(host, pods, server, images, trusted):  # pylint: disable=unused-argument
    """TRU-01: no signature on the server, none beside a file."""
    publish(server, images, "nosig.test")
    both(host, pods, "nosig.test/app:1.0.0", "signature", OPTION)
    both(host, pods, images.busybox, "signature", OPTION)


def test_signature_wrong(host, pods, server, images, trusted):
    """A signature by the right key over other bytes."""
    other = trusted.sign(images.busybox, f"{images.cache}/other.asc")
    publish(server, images, "wrongsig.test", signature=other)
    both(host, pods, "wrongsig.test/app:1.0.0", "signature", OPTION)


def test_signature_is_garbage(host, pods, server, images, tmp_path, trusted):  # pylint: disable=unused-argument
    """Not an OpenPGP signature at all."""
    (tmp_path / "x.asc").write_bytes(os.urandom(3000))
    publish(server, images, "wrongsig.test", signature=tmp_path / "x.asc")
    both(host, pods, "wrongsig.test/app:1.0.0", "signature", OPTION)


def test_signature_by_untrusted_key(host, pods, server, images, trusted, stranger):  # pylint: disable=unused-argument
    """TRU-02: a good signature by a key that nobody trusts."""
    publish(server, images, "otherkey.test", key=stranger)
    both(host, pods, "otherkey.test/app:1.0.0", "signature", "trust", OPTION)


def test_key_for_another_prefix(host, server, images, signer):
    """TRU-03: the key is trusted, but for another name."""
    publish(server, images, "images.test", key=signer)
    host.rkt("trust", "--skip-fingerprint-review", "--prefix=images.test/other", signer.public)
    try:
        refused(host.rkt("fetch", "images.test/app:1.0.0", check=False), "signature", OPTION)
    finally:
        host.run("rm", "-rf", "/etc/rkt/trustedkeys/prefix.d/images.test")


def test_name_of_another_image(host, server, images, trusted):
    """FET-19: a signed image, served under another name, is refused: its name is what the key was trusted for."""
    server.publish("nosig.test/app", images.busybox, key=trusted)
    refused(host.rkt("fetch", "nosig.test/app:1.0.0", check=False), "example.com/busybox", "nosig.test/app")


# --- archives --------------------------------------------------------------------------------------------------------

def bad(host, pods, path, *patterns, name="badaci"):
    """An unsigned file, taken with the option: refused for what is in it."""
    refused(host.rkt("--insecure-options=image", "fetch", path, check=False), *patterns)
    refused_pod(host, pods, name, ISOLATED + app_section("main", path, "true"), *patterns)
    nothing_in_store(host)


@pytest.mark.parametrize("keep", [0, 1, 100, 500_000, -10])
def test_truncated_file(host, pods, images, tmp_path, keep):
    """Rows 76-77: cut anywhere."""
    with open(images.busybox, "rb") as f:
        data = f.read()
    (tmp_path / "cut.aci").write_bytes(data[:keep])
    bad(host, pods, tmp_path / "cut.aci", "cut.aci|truncated|empty|corrupt|archive")


@pytest.mark.parametrize("compression", ["plain", "bz2", "xz"])
def test_truncated_in_other_compressions(host, pods, images, tmp_path, compression):
    """Row 77, CVE-2021-20291: also an xz without its footer."""
    with open(images.build("example.com/busybox", compression=compression), "rb") as f:
        data = f.read()
    (tmp_path / "cut.aci").write_bytes(data[:len(data) * 2 // 3])
    bad(host, pods, tmp_path / "cut.aci")


def test_truncated_download(host, pods, server, images, trusted):
    """The server promises more than it sends. FET-17: the next attempt starts well."""
    publish(server, images, "truncated.test", key=trusted)
    server.rules[("truncated.test", "*.aci")] = Rule(cut=100_000)
    both(host, pods, "truncated.test/app:1.0.0", "truncated.test")
    server.rules.clear()
    host.rkt("fetch", "truncated.test/app:1.0.0")


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_corrupt_file(host, pods, images, tmp_path, at):
    """Bytes changed in the middle of the compressed stream."""
    with open(images.busybox, "rb") as f:
        data = bytearray(f.read())
    where = int(len(data) * at)
    data[where:where + 64] = bytes(b ^ 0xA5 for b in data[where:where + 64])
    (tmp_path / "corrupt.aci").write_bytes(data)
    bad(host, pods, tmp_path / "corrupt.aci")


def test_not_an_archive(host, pods, tmp_path):
    """Row 80: something else entirely."""
    (tmp_path / "page.aci").write_text("<html><body>Not found, says the proxy</body></html>\n" * 100)
    bad(host, pods, tmp_path / "page.aci")


def archive(path, members, manifest=True):
    """A tar of (TarInfo or name, bytes) by hand: what GNU tar would not make."""
    with tarfile.open(path, "w") as tar:
        if manifest:
            doc = json.dumps(aci.manifest("example.com/bad", app={"exec": ["/bin/true"]})).encode()
            members = [("manifest", doc), *members]
        for member, data in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            if info.type == tarfile.REGTYPE:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    """A symbolic or hard link entry."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return (info, b"")


def directory(name, mode=0o755):
    """A directory entry."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return (info, b"")


CANARY = "/var/tmp/rkt-canary"
ESCAPES = {
    "climb": [directory("rootfs"), ("rootfs/../../../../../.." + CANARY + "/new", b"x")],
    "climb-inside": [directory("rootfs"), ("rootfs/a/../b", b"x")],
    "dotdot": [directory("rootfs"), directory("rootfs/..", 0o777)],
    "through-link": [directory("rootfs"), link("rootfs/out", CANARY), ("rootfs/out/new", b"x")],
    "through-up-link": [directory("rootfs"), link("rootfs/up", "../../../../../../../.." + CANARY), ("rootfs/up/new", b"x")],
    "root-is-link": [link("rootfs", CANARY), ("rootfs/new", b"x")],
    "hardlink-absolute": [directory("rootfs"), link("rootfs/x", CANARY + "/file", tarfile.LNKTYPE)],
    "hardlink-climb": [directory("rootfs"), link("rootfs/x", "rootfs/../../../../../.." + CANARY + "/file", tarfile.LNKTYPE)],
    "hardlink-manifest": [directory("rootfs"), link("rootfs/x", "manifest", tarfile.LNKTYPE)],
    "prefix": [directory("rootfs"), ("rootfs-evil/x", b"x")],
    "beside": [directory("rootfs"), ("rendered", b"x"), ("hash", b"x")],
    "absolute": [directory("rootfs"), (CANARY + "/new", b"x")],
}
TOLERATED = {"prefix", "beside", "absolute", "through-link", "through-up-link"}  # may also be ignored or contained


@pytest.mark.parametrize("kind", ESCAPES)
def test_entry_that_leaves_the_root(host, pods, tmp_path, kind):
    """Rows 1-7, 39, 45, 49-51: refused, or contained where the table allows it; the canary is whole in any case."""
    os.makedirs(CANARY, exist_ok=True)
    with open(f"{CANARY}/file", "w") as f:
        f.write("canary")
    path = archive(tmp_path / "escape.aci", ESCAPES[kind])
    if kind in TOLERATED:
        assert host.rkt("--insecure-options=image", "fetch", path, check=False).rc in (0, 254)
    else:
        bad(host, pods, path, r"\.\.|rootfs|manifest|link|escape\.aci")
    assert os.listdir(CANARY) == ["file"] and os.stat(f"{CANARY}/file").st_nlink == 1
    host.run("rm", "-r", CANARY)


def test_no_manifest(host, pods, tmp_path):
    """An archive without `manifest`."""
    bad(host, pods, archive(tmp_path / "none.aci", [directory("rootfs")], manifest=False), "manifest")


def test_two_manifests(host, pods, tmp_path):
    """An archive with two: neither is right."""
    doc = json.dumps(aci.manifest("example.com/other", app={"exec": ["/bin/false"]})).encode()
    bad(host, pods, archive(tmp_path / "two.aci", [directory("rootfs"), ("manifest", doc)]), "manifest")


def test_no_rootfs(host, pods, tmp_path):
    """An archive without rootfs."""
    bad(host, pods, archive(tmp_path / "norootfs.aci", []), "rootfs")


INVALID = {
    "not-json": ("{", "manifest"),
    "not-an-object": ("[]", "manifest"),
    "kind": (json.dumps({**aci.manifest("example.com/x"), "acKind": "PodManifest"}), "acKind"),
    "version": (json.dumps({**aci.manifest("example.com/x"), "acVersion": "zero"}), "acVersion"),
    "no-name": (json.dumps({k: v for k, v in aci.manifest("example.com/x").items() if k != "name"}), "name"),
    "bad-name": (json.dumps(aci.manifest("../../etc/passwd")), "name"),
    "bad-exec": (json.dumps(aci.manifest("example.com/x", app={"exec": "sh"})), "exec"),
    "deep": ("[" * 100_000, "manifest"),
    "huge": ('{"acKind": "' + "x" * (8 << 20) + '"}', "manifest"),
    "nul": ('{"acKind": "ImageManifest\0"}', "manifest"),
}


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_manifest(host, pods, images, kind):
    """A manifest that is no ImageManifest; the sentence names the field."""
    text, pattern = INVALID[kind]
    bad(host, pods, images.make(file=f"invalid-{kind}", manifest=text), pattern)


@pytest.mark.parametrize("labels,pattern", [
    ({"version": "1", "os": "freebsd", "arch": "amd64"}, 'bad os "freebsd"'),
    ({"version": "1", "os": "linux", "arch": "s390x" if aci.ARCH != "s390x" else "amd64"}, "bad arch"),
    ({"version": "1", "arch": aci.ARCH}, "missing os label in the image manifest"),
    ({"version": "1", "os": "linux"}, "missing arch label in the image manifest")])
def test_wrong_os_or_arch(host, pods, images, labels, pattern):
    """OSA-02 OSA-03 OSA-04: refused at the latest when it would run."""
    path = images.make("example.com/alien", app={"exec": ["/bin/true"]}, labels=labels)
    refused(host.rkt("--insecure-options=image", "run", "--net=none", path, check=False), pattern)
    refused_pod(host, pods, "alien", ISOLATED + app_section("main", path), pattern)


def test_no_app_and_no_exec(host, pods, images):
    """EXEC-04: an image without `app` needs Exec=, and runs with it."""
    path = images.make("example.com/noapp", app=None)
    refused(host.rkt("--insecure-options=image", "run", "--net=none", path, check=False),
            "has no app section and --exec argument is not provided")
    refused_pod(host, pods, "noapp", ISOLATED + app_section("main", path), "what to run", "Exec=")
    name = pods.shell("withexec", path, "exec sleep infinity")
    pods.start(name)


# --- the pod ---------------------------------------------------------------------------------------------------------

def test_missing_volume_source(host, pods, images):
    """VOL-01: named, with the path; nothing is made on the host."""
    source = "/this/directory/does/not/exist"
    refused(host.rkt("--insecure-options=image", "run", "--net=none", f"--volume=v,kind=host,source={source}",
                     images.busybox, "--mount=volume=v,target=/v", check=False), source)
    refused_pod(host, pods, "novol", ISOLATED + app_section("main", images.busybox, "true", "Volume=v:/v") +
                f"[Volume v]\nSource={source}\n", source)
    assert not os.path.exists("/this")


def test_machine_name_taken(host, pods, images):
    """The name is somebody else's machine: ours fails and says so, theirs runs on."""
    name = pods.shell("taken", images.busybox, "exec sleep infinity")
    root = aci.cached_root(aci.busybox_root, images.cache)
    host.run("systemd-run", "--quiet", "--unit=t-foreign", "--service-type=notify", "--property=NotifyAccess=all",
             "--property=Delegate=yes", "systemd-nspawn", "--quiet", "--volatile=overlay", "--keep-unit",
             f"--machine={name}", f"--directory={root}", "--private-network", "/bin/sleep", "1000")
    try:
        assert pods.start(name, check=False).rc != 0
        assert name in host.status(f"pod@{name}") and re.search("already|taken|exists", host.status(f"pod@{name}"))
        assert host.is_active("t-foreign.service")
        assert [m["machine"] for m in host.machines()] == [name]
    finally:
        host.run("systemctl", "stop", "t-foreign.service", check=False)
        host.run("systemctl", "reset-failed", "t-foreign.service", check=False)
    pods.start(name)


@pytest.mark.parametrize("key,value,pattern", [("User", "nobody-knows-him", "nobody-knows-him"),
                                               ("Group", "nobody-knows-them", "nobody-knows-them"),
                                               ("WorkingDirectory", "/not/there", "/not/there")])
def test_bad_user_group_directory(host, pods, images, key, value, pattern):
    """PODM-30 PODM-31: a name that the image does not know is refused, never taken for root."""
    refused_pod(host, pods, "nouser", ISOLATED + app_section("main", images.busybox, "sleep 5", f"{key}={value}"), pattern)


def test_command_line(host, images):
    """Wrong use of rkt: 254, a sentence, nothing on stdout."""
    for words in (["run"], ["run", "--no-such-flag"], ["fetch"], ["--insecure-options=nonsense", "list"],
                  ["run", "--insecure-options=image", "--volume=v,kind=host,source=/tmp", "--volume=v,kind=empty",
                   images.busybox]):
        refused(host.rkt(*words, check=False))
    assert host.rkt(check=2).all

# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt image export, extract and render of one image: messages, what is overwritten, what a hostile or interrupted run
leaves. Images with dependencies are in test_dependencies.py."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time

import pytest

from images import aci
from tree_compare import differences

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"
VERBS = ["export", "extract", "render"]
MISSING = ["sha512-" + "0123456789abcdef" * 4, "example.com/no-such-image"]


def failed(result, *patterns):
    """Exit status 254, nothing on standard output, and each pattern in the message."""
    assert result.rc == 254 and result.out == "", result
    for pattern in patterns:
        assert re.search(pattern, result.err), f"{pattern!r} is not in {result!r}"


@pytest.fixture(name="work")
def work_directory():
    """A directory on a file system that has attributes; nothing but what a test made may be left in it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="export-", dir="/srv"))
    yield path
    left = [p for p in path.rglob(".*rkt-*")]
    shutil.rmtree(path)
    assert not left, f"left behind: {left}"


def fetch(host, path):
    """Into the store; the ID."""
    return host.rkt(UNSIGNED, "fetch", "--full", path).out.strip()


def unpack_by_tar(host, archive, where):
    """What GNU tar makes of it; returns the root."""
    where.mkdir()
    host.run("tar", "--extract", "--preserve-permissions", "--delay-directory-restore", "--xattrs", "--xattrs-include=*", "--numeric-owner",
             "--same-owner", "--file", archive, "-C", where)
    return where / "rootfs"


def sha512(path):
    """In hex."""
    return hashlib.sha512(pathlib.Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize("by", ["name", "id", "prefix"])
def test_export(host, images, work, by):
    """IEX-01 IEX-02: the bytes that the ID was made from, whatever the compression was."""
    image = fetch(host, images.busybox)
    what = {"name": "example.com/busybox:1.0.0", "id": image, "prefix": image[:20]}[by]
    result = host.rkt("image", "export", what, work / "out.aci")
    assert result.all == ""
    assert "sha512-" + sha512(work / "out.aci")[:64] == image
    host.run("gzip", "-dkc", images.busybox, check=True)
    host.sh(f"gzip -dc {images.busybox} | cmp - {work}/out.aci")
    assert (work / "out.aci").stat().st_mode & 0o777 == 0o644
    assert fetch(host, work / "out.aci") == image


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("image", MISSING, ids=["hash", "name"])
def test_unknown(host, work, verb, image):
    """IEX-03 IEX-04 IXT-03 IXT-04 IRE-03 IRE-04."""
    failed(host.rkt("image", verb, image, work / "out", check=False),
           "no image IDs found" if image.startswith("sha512") else 'no image named "example.com/no-such-image"')
    assert not (work / "out").exists()


def test_export_overwrite(host, images, work):
    """A file that exists is refused, or replaced at once: a reader of the old one keeps it."""
    image = fetch(host, images.busybox)
    out = work / "out.aci"
    out.write_text("old")
    failed(host.rkt("image", "export", image, out, check=False), r"output ACI file exists \(try --overwrite\)")
    assert out.read_text() == "old"
    with open(out) as old:
        host.rkt("image", "export", "--overwrite", image, out)
        assert old.read() == "old"
    assert "sha512-" + sha512(out)[:64] == image
    (work / "link").symlink_to(work / "target")
    (work / "target").write_text("old")
    host.rkt("image", "export", "--overwrite", image, work / "link")
    assert (work / "link").is_symlink() and "sha512-" + sha512(work / "target")[:64] == image
    (work / "dir").mkdir()
    failed(host.rkt("image", "export", "--overwrite", image, work / "dir", check=False), "is a directory")
    failed(host.rkt("image", "export", image, work / "no" / "dir", check=False), "No such file or directory")
    host.rkt("image", "export", "--overwrite", image, "/dev/null")
    piped = host.sh(f"rkt image export --overwrite {image} /dev/stdout | sha512sum").out
    assert "sha512-" + piped[:64] == image


def test_export_damaged(host, images, work):
    """What is no longer what its ID says is not handed on."""
    image = fetch(host, images.busybox)
    blob = pathlib.Path("/var/lib/rkt/cas/blob/sha512", image[7:9], image)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    failed(host.rkt("image", "export", image, work / "out.aci", check=False), "damaged.*fetch it again")
    assert not list(work.iterdir())
    for verb in ("extract", "render"):
        failed(host.rkt("image", verb, image, work / "out", check=False), "damaged.*fetch it again")
        assert not list(work.iterdir())


def odd_entries():
    """What an archive may have."""
    return [aci.entry("", mode=0o711, mtime=900000000), aci.entry("d", mode=0o2750, uid=12, gid=34, mtime=123456789.5),
            aci.entry("d/f", "content\n", mode=0o4755, uid=1000, gid=2000, xattrs={"user.a": "b"}),
            aci.link("d/hard", "d/f", hard=True), aci.link("l", "d"), aci.entry("l/through", "through a link"),
            aci.link("abs", "/etc/passwd"), aci.link("up", "../../../../etc"),
            aci.entry("fifo", "", type=b"6", mode=0o600), aci.entry("no/entry/for/these/folders", "x")]


@pytest.mark.parametrize("verb", ["extract", "render"])
@pytest.mark.parametrize("rootfs_only", [False, True], ids=["whole", "rootfs-only"])
def test_unpack(host, work, verb, rootfs_only):
    """IXT-01 IXT-02 IRE-01 IRE-02: as GNU tar unpacks it."""
    doc = aci.manifest("example.com/odd")
    path = aci.pack_entries(str(work / "a.aci"), doc, odd_entries())
    image = fetch(host, path)
    wanted = unpack_by_tar(host, path, work / "tar")
    for what in (image, "example.com/odd"):
        out = work / f"out-{what[:6]}"
        assert host.rkt("image", verb, *(["--rootfs-only"] if rootfs_only else []), what, out).all == ""
        root = out if rootfs_only else out / "rootfs"
        found = [d for d in differences(wanted, root) if not re.match(r"\./no[a-z/]*: mtime", d)]
        assert not found, "\n".join(found)
        if not rootfs_only:
            assert sorted(os.listdir(out)) == ["manifest", "rootfs"]
            assert json.loads((out / "manifest").read_text()) == doc
            assert out.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("verb", ["extract", "render"])
def test_unpack_overwrite(host, images, work, verb):
    """A directory that exists is refused, or replaced; what must not go away does not."""
    image = fetch(host, images.busybox)
    out = work / "out"
    (out / "old").mkdir(parents=True)
    failed(host.rkt("image", verb, image, out, check=False), r"output directory exists \(try --overwrite\)")
    assert os.listdir(out) == ["old"]
    host.rkt("image", verb, "--overwrite", "--rootfs-only", image, str(out) + "//")
    assert (out / "usr/bin/busybox").is_file() and not (out / "old").exists()
    (work / "file").write_text("x")
    host.rkt("image", verb, "--overwrite", image, work / "file")
    assert (work / "file/rootfs").is_dir()
    (work / "link").symlink_to(out)
    host.rkt("image", verb, "--overwrite", image, work / "link")
    assert not (work / "link").is_symlink() and (out / "usr").is_dir()
    for root in ("/", "//", "/.", "/srv/.."):
        failed(host.rkt("image", verb, "--overwrite", image, root, check=False),
               r"this would delete your root filesystem\. Refusing\.")
    for holder in ("/var", "/var/lib/rkt", "/var/lib/rkt/cas", "/var/lib"):
        failed(host.rkt("image", verb, "--overwrite", image, holder, check=False),
               "holds the store|is in the store")
    host.rkt("image", verb, image, work / "made/on/the/way")
    assert (work / "made/on/the/way/manifest").is_file()
    failed(host.rkt("image", verb, image, work / "file/manifest/x", check=False), "Not a directory")


@pytest.mark.parametrize("verb", ["extract", "render"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_unpack_interrupted(host, work, verb, how):
    """Killed at any time: the directory is not there, or is the old one, and nothing half is left beside it."""
    entries = [aci.entry(f"d{i}/f{j}", os.urandom(20000)) for i in range(30) for j in range(30)]
    image = fetch(host, aci.pack_entries(str(work / "a.aci"), aci.manifest("example.com/large"), entries))
    (work / "old").mkdir()
    for i, out in enumerate(["new", "old", "new", "old"]):
        process = host.spawn("rkt", "image", verb, "--overwrite", image, work / out)
        time.sleep(0.02 * (i + 1))
        process.send_signal(how)
        process.communicate(timeout=120)
        if process.returncode == 0:
            continue
        host.wait_for("nothing is left", lambda: not list(work.glob(".*")), timeout=10)
        assert not (work / "new").exists() and not list((work / "old").iterdir())
    host.rkt("image", verb, image, work / "whole")
    assert len(list((work / "whole/rootfs").iterdir())) == 30


def test_disk_full(host, work):
    """96: no space for the files: one sentence, and nothing is left."""
    entries = [aci.entry(f"f{i}", os.urandom(20000)) for i in range(50)]
    image = fetch(host, aci.pack_entries(str(work / "a.aci"), aci.manifest("example.com/large"), entries))
    (work / "small").mkdir()
    host.run("mount", "-t", "tmpfs", "-o", "size=300k", "none", work / "small")
    try:
        for verb in VERBS:
            failed(host.rkt("image", verb, image, work / "small/out", check=False), "No space left on device")
            assert not list((work / "small").iterdir())
    finally:
        host.run("umount", work / "small")


def test_not_enough_words(host):
    """Usage errors."""
    for verb in VERBS:
        failed(host.rkt("image", verb, "example.com/x", check=False), "argument")


def test_prefixes(host, images, work):
    """IML-09: the first twelve digits do, one does not."""
    image = fetch(host, images.busybox)
    for verb in VERBS:
        host.rkt("image", verb, "--overwrite", image[:19], work / verb)
        failed(host.rkt("image", verb, image[:8], work / "other", check=False), "sha512-")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A rendered tree equals what GNU tar unpacks: type, mode, owner, time, link, device, attributes, content, hard links.

The tree is a real Debian: this lab's own /usr, /etc and /var/lib, and what such a tree seldom has: file capabilities,
attributes, holes, odd names, odd times, large ids, devices.
"""
import os
import pathlib
import shutil
import tempfile

import pytest

from tree_compare import differences
from tree_mount import mounted

MANIFEST = """{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/debian-tree",
"labels": [{"name": "os", "value": "linux"}, {"name": "arch", "value": "amd64"}]}"""
CAPABILITY = b"\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"  # cap_net_bind_service+ep


def odd_tree(root):
    """What Debian's packages do not bring along."""
    root.mkdir()
    (root / "plain").write_text("plain\n")
    os.setxattr(root / "plain", "user.comment", b"a\0b\n")
    (root / "capable").write_bytes(b"#!/bin/sh\n")
    os.chown(root / "capable", 1000, 1000)
    os.setxattr(root / "capable", "security.capability", CAPABILITY)
    (root / "setid").write_text("x")
    os.chown(root / "setid", 123456, 4000000000)
    os.chmod(root / "setid", 0o6755)
    os.link(root / "plain", root / "hard")
    os.symlink("a" * 300, root / "long-link")
    os.link(root / "long-link", root / "hard-link-to-link", follow_symlinks=False)
    (root / ("n" * 255)).write_text("x")
    (root / "new\nline \x1b[31m\\ %n $HOME 'quoted'").write_text("x")
    pathlib.Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")).write_text("x")
    deep = root / "/".join(["deep" * 10] * 30)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    with open(root / "sparse", "wb") as f:
        for i in range(40):
            f.seek(i * 1000000)
            f.write(b"data%d" % i)
        f.truncate(50000000)
    with open(root / "only-a-hole", "wb") as f:
        f.truncate(1000000)
    (root / "locked").mkdir()
    (root / "locked" / "child").write_text("x")
    os.utime(root / "locked" / "child", ns=(0, 1234567890123456789))
    os.chmod(root / "locked", 0)
    (root / "sticky").mkdir()
    os.chmod(root / "sticky", 0o3777)
    os.setxattr(root / "sticky", "user.on-a-directory", b"x")
    os.mkfifo(root / "fifo")
    os.mknod(root / "null", 0o20666, os.makedev(1, 3))
    (root / "old").write_text("x")
    os.utime(root / "old", ns=(0, -1000000000))
    os.utime(root / "sticky", ns=(0, 500000000))


@pytest.fixture(name="work")
def work_directory():
    """A directory on a file system that has attributes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="store-tar-", dir="/var/lib/rkt"))
    yield path
    shutil.rmtree(path)


def make_archive(host, work, tar_format, sources):
    """manifest and rootfs/..., by GNU tar."""
    (work / "manifest").write_text(MANIFEST)
    (work / "rootfs").mkdir(exist_ok=True)
    transform = [f"--transform=s,^{s.lstrip('/')},rootfs/{pathlib.Path(s).name},S" for s in sources]
    attributes = ["--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability"]
    host.run("tar", "--create", "--sparse", *(attributes if tar_format == "posix" else []), "--numeric-owner",
             f"--format={tar_format}", "--file", work / "a.aci", "-C", work, "manifest", "rootfs", "-C", "/", *transform, *[s.lstrip("/") for s in sources])


def compare(host, work):
    """Fetches the archive, unpacks it with tar as well, and compares."""
    (work / "x").mkdir()
    host.run("tar", "--extract", "--preserve-permissions", "--xattrs", "--xattrs-include=*", "--numeric-owner",
             "--same-owner", "--file", work / "a.aci", "-C", work / "x")
    image = host.rkt("fetch", "--full", "--insecure-options=image", work / "a.aci").out.split()[-1]
    try:
        with mounted(image) as tree:
            found = differences(work / "x" / "rootfs", tree)
        assert not found, "\n".join(found[:30])
    finally:
        host.rkt("image", "rm", image)


@pytest.mark.parametrize("tar_format", ["posix", "gnu"])
def test_odd_tree(host, work, tar_format):
    """Everything that a tree can have, in both formats of GNU tar; attributes exist in one of them only."""
    odd_tree(work / "odd")
    if tar_format == "gnu":
        for name in ("plain", "capable", "sticky"):
            for attribute in os.listxattr(work / "odd" / name):
                os.removexattr(work / "odd" / name, attribute)
    make_archive(host, work, tar_format, [str(work / "odd")])
    compare(host, work)


@pytest.mark.parametrize("source", ["/etc", "/var/lib/dpkg", "/usr/share", "/usr/bin", "/usr/lib/systemd"])
def test_debian(host, work, source):
    """Trees of real packages."""
    make_archive(host, work, "posix", [source])
    compare(host, work)


def content(path):
    """Every file beneath a directory but those that are there to be locked."""
    return {p for p in path.rglob("*") if p.is_file() and not p.name.endswith("lock")}


FULL = [("index", "size=300k"), ("index", "size=700k"), ("image", "size=700k"), ("image", "size=1100k"),
        ("dir", "size=300k"), ("dir", "size=700k"), ("dir", "size=1100k"), ("index", "nr_inodes=20"),
        ("dir", "nr_inodes=20"), ("dir", "nr_inodes=40"), ("dir", "nr_inodes=120")]


@pytest.mark.parametrize("backend, options", FULL)
def test_disk_full(host, work, backend, options):
    """96: wherever the space or the inodes run out: one sentence, nothing left, and the store works once there is space."""
    env = {"RKT_TREE_BACKEND": backend}
    (work / "many").mkdir()
    for i in range(100):
        (work / "many" / str(i)).write_bytes(os.urandom(6000))
    make_archive(host, work, "posix", [str(work / "many")])
    (work / "small").mkdir()
    host.run("mount", "-t", "tmpfs", "-o", options, "none", work / "small")
    try:
        store = work / "small" / "rkt"
        host.rkt(f"--dir={store}", "image", "list")
        host.rkt(f"--dir={store}", "fetch", "--insecure-options=image", "no-such-file.aci", check=False)
        before = content(work / "small")
        failed = host.rkt(f"--dir={store}", "fetch", "--insecure-options=image", work / "a.aci", check=False, env=env)
        assert failed.rc != 0
        assert "No space left" in failed.err
        assert host.rkt(f"--dir={store}", "image", "list", "--no-legend").out == ""
        assert content(work / "small") == before
        host.run("mount", "-o", "remount,size=10m,nr_inodes=10000", work / "small")
        host.rkt(f"--dir={store}", "fetch", "--insecure-options=image", work / "a.aci", env=env)
    finally:
        host.run("umount", work / "small")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layers that umoci made of what changed in a tree, at random: every file of the result is what podman has.

Compared are mode, owner, time, links, attributes and content; with the layers stacked by overlayfs, in every form in which
trees are kept, and with what `rkt image render` makes of them.
"""
import contextlib
import ctypes
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time
import uuid

import pytest

from conftest import DATA
from tree_compare import differences, snapshot
from tree_mount import mounted

LAYERS, CHANGES = 6, 150
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(name="work")
def work_directory():
    """On a file system that has attributes; podman makes a name of the path, in which not every "_" may stand."""
    path = pathlib.Path(f"/srv/layers-{uuid.uuid4().hex[:8]}")
    path.mkdir()
    yield path
    shutil.rmtree(path)


class Scribble:
    """Changes a tree at random, the same way for a seed."""

    def __init__(self, root, seed):
        self.root, self.r, self.count = root, random.Random(seed), 0
        self.full = {p for p in root.rglob("*") if p.is_dir() and any(p.iterdir())}

    def pick(self, directories):
        """Something that is there; None: nothing is."""
        found = sorted(p for p in self.root.rglob("*") if p.is_symlink() or p.is_dir() == directories)
        return self.r.choice(found) if found else None

    def fresh(self):
        """A name that is not there."""
        self.count += 1
        parent = self.pick(True) or self.root
        return (self.root if parent.is_symlink() else parent) / f"{self.r.choice(['n', 'ö', '.x', '-'])}{self.count}"

    def file(self, path=None):
        """A new file, or other content."""
        path = path or self.fresh()
        path.write_bytes(self.r.randbytes(self.r.choice([0, 1, 511, 512, 4097, 70000])))

    def remove(self, path):
        """Whatever it is."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def attributes(self, path):
        """Owner, mode, attributes, time."""
        os.chown(path, self.r.choice([0, 7, 1000, 70000]), self.r.choice([0, 8, 1000]), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(self.r.choice([0o755, 0o644, 0o4711, 0o2750, 0o1777, 0o600]))
            if path.is_file() and self.r.random() < 0.3:  # podman leaves those of directories that were made anew
                os.setxattr(path, "user.test", self.r.randbytes(5))
        os.utime(path, (0, self.r.randrange(2_000_000_000)), follow_symlinks=False)

    def change(self):
        """One thing."""
        what = self.r.choice(["file", "file", "dir", "dir", "link", "hard", "attr", "attr", "rm", "rmdir", "turn"])
        if what == "file":
            self.file()
        elif what == "dir":
            self.fresh().mkdir()
        elif what == "link":
            self.fresh().symlink_to(self.r.choice(["/etc", "../..", "nowhere", "n1"]))
        else:
            path = self.pick(what in ("rmdir", "turn") or (what == "attr" and self.r.random() < 0.5))
            if path is None or (path.is_symlink() and what == "hard"):
                return
            if what == "hard":
                os.link(path, self.fresh())
            elif what == "attr":
                self.attributes(path)
            elif what == "turn":
                # a file in the place of a directory that is and was empty: podman does not take what umoci says of others
                if path not in self.full and not path.is_symlink() and not list(path.iterdir()):
                    self.remove(path)
                    self.file(path)
            elif what == "rm" and not path.is_symlink() and self.r.random() < 0.3:
                self.remove(path)  # a directory in the place of a file
                path.mkdir()
                self.file(path / "in")
            elif what == "rmdir" and self.r.random() < 0.5:
                self.remove(path)  # one that is empty in the place of one that is not
                path.mkdir()
            else:
                self.remove(path)


def make_layout(host, work, seed):
    """An OCI layout of layers, each of which says what was changed."""
    layout = f"{work}/layout"
    host.run("umoci", "init", "--layout", layout)
    host.run("umoci", "new", "--image", f"{layout}:x")
    for n in range(LAYERS):
        bundle = work / f"bundle{n}"
        host.run("umoci", "unpack", "--image", f"{layout}:x", bundle)
        scribble = Scribble(bundle / "rootfs", f"{seed} {n}")
        scribble.count = n * 1000
        for _ in range(CHANGES):
            scribble.change()
        host.run("umoci", "repack", "--image", f"{layout}:x", bundle)
        shutil.rmtree(bundle)
    return layout


@contextlib.contextmanager
def stacked(layers):
    """The trees of layers, the lowest first, as a pod has them."""
    point = tempfile.mkdtemp(prefix="rkt-stack-", dir="/var/tmp")
    with contextlib.ExitStack() as stack:
        lower = [str(stack.enter_context(mounted(key))) for key in reversed(layers)]
        # not mount(8): it hands over options of 255 bytes at most
        assert LIBC.mount(b"overlay", point.encode(), b"overlay", 0, b"lowerdir=" + ":".join(lower).encode()) == 0
        try:
            yield pathlib.Path(point)
        finally:
            subprocess.run(["umount", point], check=True)
            os.rmdir(point)


def same_files(theirs, ours, begin):
    """But for the number of names of a file: overlayfs counts those that are hidden, too; and for the times of directories
    that podman changed itself, when it took something out of them after the time was set."""
    def counts(line):
        time = re.search(r": mtime (\d+) / ", line)
        return ": nlink " not in line and not (time and int(time.group(1)) >= begin * 1_000_000_000)
    return [d for d in differences(theirs, ours) if counts(d)]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_random_layers(host, work, no_images, seed):  # pylint: disable=unused-argument
    """umoci's layers: as podman mounts them. They do not say of every directory what it is like: those are as below."""
    layout = make_layout(host, work, seed)
    podman = ["podman", "--root", work / "podman", "--runroot", work / "podman-run", "--storage-driver=vfs"]
    begin = int(time.time())
    image = host.run(*podman, "pull", "-q", f"oci:{layout}:x", timeout=300).out.strip()
    theirs = host.run(*podman, "image", "mount", image).out.strip()
    try:
        assert len(snapshot(theirs)) > 50
        for backend in "index", "image", "dir":
            pod = host.rkt("prepare", "--insecure-options=image", f"oci:{layout}:x", "--exec", "/bin/true",
                           env={"RKT_TREE_BACKEND": backend}).out.strip()
            trees = next(pathlib.Path(DATA, "pods/prepared", pod, "appsinfo").glob("*/treeStoreID")).read_text().split()
            assert len(trees) in (LAYERS, LAYERS + 1)
            with stacked(trees) as ours:
                assert not same_files(theirs, ours, begin), backend
            host.rkt("rm", pod)
            if backend == "index":
                host.rkt("image", "render", "--rootfs-only", f"oci:{layout}:x", work / "rendered")
                assert not same_files(theirs, work / "rendered", begin)
            assert "successfully verified" in host.rkt("image", "verify", f"oci:{layout}:x").out
            host.rkt("image", "rm", f"oci:{layout}:x")
            assert not list(pathlib.Path(DATA, "cas/blob/sha256").glob("*/*"))
            assert not list(pathlib.Path(DATA, "cas/tree").iterdir())
    finally:
        host.run(*podman, "image", "umount", "--all", check=False)
        host.run(*podman, "rmi", "--all", "--force", check=False)

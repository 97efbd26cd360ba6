# SPDX-License-Identifier: LGPL-2.1-or-later
"""An image's tree equals what GNU tar unpacks, however it is kept: as an EROFS index over the blob, as a full EROFS image,
as plain files. fsck.erofs accepts every file system that it understands.

Real trees of this Debian, and trees made to be odd: holes, 4 GiB, names of 255 bytes and of any bytes, 100,000 entries in a
folder, hard links across folders, access control lists, capabilities, times, owners.
"""
import hashlib
import os
import pathlib
import re
import subprocess
import tarfile

import pytest

from test_store_tar import CAPABILITY, MANIFEST, odd_tree, work_directory  # pylint: disable=unused-import
from tree_compare import differences
from tree_mount import DATA, mounted, tree_blobs, tree_form

FORMS = ["index", "image", "dir"]
ATTRIBUTES = ["--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability", "--acls"]


def links(root):
    """Hard links across folders, to all that can have them; names before and after the first one."""
    (root / "z" / "deep").mkdir(parents=True)
    (root / "a").mkdir()
    (root / "z" / "file").write_text("one content\n")
    os.symlink("../z/file", root / "z" / "link")
    os.mkfifo(root / "z" / "fifo", 0o640)
    os.mknod(root / "z" / "zero", 0o20666, os.makedev(1, 5))
    for name in ("file", "link", "fifo", "zero"):
        for folder in ("a", "z/deep", "z"):
            os.link(root / "z" / name, root / folder / f"again-{name}", follow_symlinks=False)
    for i in range(300):
        os.link(root / "z" / "file", root / "a" / f"{i:03}")


def names(root):
    """All lengths; all bytes; what sorts before, between and after "." and ".."; long targets of links."""
    for n in range(1, 256):
        (root / ("n" * n)).write_text(str(n))
    for byte in set(range(1, 256)) - {ord("/"), ord(".")}:
        for name in (bytes([byte]), b"." + bytes([byte]), b".." + bytes([byte])):
            with open(os.path.join(os.fsencode(root), name), "wb") as f:
                f.write(name)
    (root / "...").mkdir()
    (root / "targets").mkdir()
    for n in (1, 100, 383, 384, 447, 448, 449, 511, 512, 513, 2000, 4031, 4032, 4033, 4064, 4095):
        os.symlink("t" * n, root / "targets" / str(n))
    for i in range(2000):
        (root / "targets" / f"{i * 7919:x}").write_text("x")


def sparse(root):
    """Holes in front, between, at the end; pieces of every alignment; a whole hole; no hole at all."""
    for name, size, pieces in (("front", 1 << 20, [((1 << 20) - 4096, 4096)]), ("end", 1 << 20, [(0, 4096)]),
                               ("odd-end", 5000001, [(4096, 8192), (4997120, 2881)]), ("hole", 3 << 20, []),
                               ("many", 64 << 20, [(i << 18, 4096 * (1 + i % 7)) for i in range(256)]),
                               ("dense", 300000, [(0, 300000)]), ("small", 70000, [(65536, 1)])):
        with open(root / name, "wb") as f:
            for at, length in pieces:
                f.seek(at)
                f.write(hashlib.sha512(name.encode()).digest() * (length // 64) + b"!" * (length % 64))
            f.truncate(size)


def setfacl(*args):
    """As setfacl(1)."""
    subprocess.run(["setfacl", *args], check=True)


def attributes(root):
    """Access control lists, also inherited ones and ones that say nothing; capabilities; large attributes."""
    (root / "file").write_text("x")
    (root / "folder").mkdir()
    (root / "plain").write_text("x")
    (root / "capable").write_text("x")
    setfacl("--modify", "u:12345:rw,g:54321:r", root / "file")
    setfacl("--modify", "u:12345:rwx", root / "folder")
    setfacl("--default", "--modify", "u:777:rx,g:888:-", root / "folder")
    (root / "folder" / "inherits").write_text("x")
    (root / "folder" / "sub").mkdir()
    os.chmod(root / "folder" / "inherits", 0o4755)
    setfacl("--remove-all", root / "folder" / "sub")
    os.setxattr(root / "capable", "security.capability", CAPABILITY)
    os.setxattr(root / "capable", "user.empty", b"")
    os.setxattr(root / "folder", "user.bytes", bytes(range(256)))
    for i in range(50):
        path = root / f"same-{i}"
        path.write_text("x")
        os.setxattr(path, "user.same", b"the same in all")
        os.setxattr(path, f"user.n{i}", b"v" * i)
    for i in range(8):
        os.setxattr(root / "plain", f"user.{'long' * 20}{i}", os.urandom(300))


def owners(root):
    """Owners and times that 32 bytes hold, and such that they do not."""
    for i, (uid, gid, mtime) in enumerate([(0, 0, 0), (65535, 65535, 1), (65536, 0, 2), (0, 65536, 10**9 - 1), (4294967293, 4294967293, 10**18),
                                           (1, 2, -1), (3, 4, -2**31 * 10**9), (5, 6, (2**34 - 2) * 10**9 + 5)]):
        (root / f"file-{i}").write_text("x")
        (root / f"folder-{i}").mkdir()
        os.symlink("x", root / f"link-{i}")
        for kind in ("file", "folder", "link"):
            os.chown(root / f"{kind}-{i}", uid, gid, follow_symlinks=False)
            if kind != "link":
                os.chmod(root / f"{kind}-{i}", 0o7777 >> i)
            os.utime(root / f"{kind}-{i}", ns=(0, mtime), follow_symlinks=False)
    for i in range(200):
        (root / f"usual-{i}").write_text("x" * i)
        os.utime(root / f"usual-{i}", ns=(0, 1700000000 * 10**9))


def deep(root):
    """250 folders, one in the other, and files of all sizes around a block."""
    at = root
    for i in range(240):
        at = at / f"{i % 10}"
    at.mkdir(parents=True)
    (at / "end").write_text("x")
    for n in [*range(0, 20), *range(505, 520), *range(4090, 4100), *range(8185, 8195), 65536, 70000]:
        (root / f"size-{n}").write_bytes(os.urandom(n))


TREES = {"links": links, "names": names, "sparse": sparse, "attributes": attributes, "owners": owners, "deep": deep}


def archive(host, work, sources, tar_format="posix"):
    """manifest and rootfs/NAME/... of each source, by GNU tar."""
    (work / "manifest").write_text(MANIFEST)
    (work / "rootfs").mkdir(exist_ok=True)
    transform = [f"--transform=s,^{s.lstrip('/')},rootfs/{pathlib.Path(s).name},S" for s in sources]
    host.run("tar", "--create", "--sparse", *ATTRIBUTES, "--numeric-owner", f"--format={tar_format}", "--file",
             work / "a.aci", "-C", work, "manifest", "rootfs", "-C", "/", *transform, *[s.lstrip("/") for s in sources])
    return work / "a.aci"


def fetch(host, path, form):
    """Into the store, with a tree of that form. Its key."""
    key = host.rkt("fetch", "--full", "--insecure-options=image", path, env={"RKT_TREE_BACKEND": form}).out.split()[-1]
    assert tree_form(key) == form
    return key


def unpack(host, work):
    """By GNU tar."""
    if not (work / "x").exists():
        (work / "x").mkdir()
        host.run("tar", "--extract", "--preserve-permissions", *ATTRIBUTES, "--xattrs-include=*", "--numeric-owner",
                 "--same-owner", "--file", work / "a.aci", "-C", work / "x")
    return work / "x" / "rootfs"


def check_fsck(host, key):
    """fsck.erofs of Debian 12 knows blocks of 4096 bytes only."""
    said = host.run("fsck.erofs", "-V", check=False)
    version = re.search(r"(\d+)\.(\d+)", said.out + said.err)
    form = tree_form(key)
    if form == "dir" or (form == "index" and tuple(map(int, version.groups())) < (1, 6)):
        return
    tree = pathlib.Path(DATA, "cas/tree", key)
    blobs = [f"--device={blob}" for blob in tree_blobs(key)] if form == "index" else []
    host.run("fsck.erofs", "--extract", *blobs, next(tree.glob("*.erofs")))


def compare(host, work, forms):
    """Fetched in each form, it is what GNU tar unpacks."""
    expected = unpack(host, work)
    for form in forms:
        key = fetch(host, work / "a.aci", form)
        try:
            with mounted(key) as tree:
                found = differences(expected, tree)
            assert not found, form + "\n" + "\n".join(found[:30])
            check_fsck(host, key)
        finally:
            host.rkt("image", "rm", key)


@pytest.mark.parametrize("kind", TREES)
def test_equals_gnu_tar(host, work, kind):
    """Every file, mode, owner, time, link, device, attribute, in each form."""
    (work / "t").mkdir()
    TREES[kind](work / "t")
    archive(host, work, [str(work / "t")])
    compare(host, work, FORMS)


def test_odd_tree(host, work):
    """The tree of test_store_tar.py, in the forms that are not the usual one."""
    odd_tree(work / "odd")
    archive(host, work, [str(work / "odd")])
    compare(host, work, ["image", "dir"])


@pytest.mark.parametrize("sources", [["/etc", "/var/lib/dpkg"], ["/usr/share/zoneinfo", "/usr/lib/systemd"]])
def test_debian(host, work, sources):
    """Trees of real packages, as index and as image; test_store_tar.py has more of them in the usual form."""
    archive(host, work, sources)
    compare(host, work, ["index", "image"])


def test_folder_of_100000(host, work):
    """A folder that has very many names: all are found, listed, and opened. robustness.md 92 has 50,000."""
    names_of = {f"{i * 2654435761 % (1 << 32):x}": str(i) for i in range(100000)}
    (work / "manifest").write_text(MANIFEST)
    (work / "rootfs").mkdir()
    host.run("tar", "--create", "--file", work / "a.aci", "-C", work, "manifest", "rootfs")
    zero = tarfile.TarInfo("rootfs/t/")
    zero.type = tarfile.SYMTYPE
    empty = bytearray(zero.tobuf(tarfile.USTAR_FORMAT))
    base = sum(empty) - sum(empty[148:156]) + 8 * 32
    with open(work / "a.aci", "r+b") as f:
        f.seek(3 * 512)  # manifest and rootfs: two headers, one block of content; then the end
        assert f.read(1024) == bytes(1024)
        f.seek(3 * 512)
        for name, target in names_of.items():
            block = bytearray(empty)
            block[9:9 + len(name)] = name.encode()
            block[157:157 + len(target)] = target.encode()
            block[148:156] = b"%06o\0 " % (base + sum(name.encode()) + sum(target.encode()))
            f.write(block)
        f.write(bytes(1024))
    for form in ("index", "image"):
        key = fetch(host, work / "a.aci", form)
        try:
            with mounted(key) as tree:
                assert sorted(os.listdir(tree / "t")) == sorted(names_of)
                for name, target in list(names_of.items())[::331]:
                    assert os.readlink(tree / "t" / name) == target
                    assert not (tree / "t" / f"{name}.").exists()
            check_fsck(host, key)
        finally:
            host.rkt("image", "rm", key)


@pytest.mark.parametrize("form", FORMS)
def test_file_of_4_gib(host, work, form):
    """Sizes and offsets beyond 32 bits; the holes cost next to nothing."""
    size, pieces = (4 << 30) + 12345, {0: b"first", (2 << 30) + 4096: b"middle", (4 << 30) - 3: b"border", (4 << 30) + 12340: b"5last"}
    (work / "t").mkdir()
    with open(work / "t" / "huge", "wb") as f:
        for at, data in pieces.items():
            f.seek(at)
            f.write(data)
        f.truncate(size)
    archive(host, work, [str(work / "t")])
    key = fetch(host, work / "a.aci", form)
    try:
        with mounted(key) as tree, open(tree / "t" / "huge", "rb") as f:
            assert os.fstat(f.fileno()).st_size == size
            for at, data in pieces.items():
                around = os.pread(f.fileno(), len(data) + 20, max(at - 10, 0))
                assert around.strip(b"\0") == data and around.index(data) == min(at, 10)
            for at in range(1 << 20, 4 << 30, (1 << 28) + 511):
                assert os.pread(f.fileno(), 4096, at) == bytes(4096)
        check_fsck(host, key)
        used = sum(p.lstat().st_blocks * 512 for p in pathlib.Path(DATA, "cas/tree", key).rglob("*"))
        assert used < 16 << 20
    finally:
        host.rkt("image", "rm", key)


@pytest.mark.parametrize("form", ["index", "image"])
def test_same_bytes_again(host, work, form):
    """The same archive makes the same file system, and it is small: blob and index are at most 1.03 of the tar."""
    archive(host, work, ["/usr/share/zoneinfo", "/usr/lib/systemd"])
    digests = set()
    for _ in range(2):
        key = fetch(host, work / "a.aci", form)
        data = next(pathlib.Path(DATA, "cas/tree", key).glob("*.erofs")).read_bytes()
        digests.add(hashlib.sha256(data).digest())
        host.rkt("image", "rm", key)
    assert len(digests) == 1
    assert len(data) <= (work / "a.aci").stat().st_size * (0.03 if form == "index" else 1.03)

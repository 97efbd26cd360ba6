# SPDX-License-Identifier: LGPL-2.1-or-later
"""robustness.md 3.1, 3.2, 3.3 and 3.5, row by row: what an archive may contain, and what becomes of it, as an index over the
blob and as plain files. Rows 5, 37 and 56 are about layers and user namespaces, of which an ACI knows nothing.

A case is refused (one sentence, nothing left) or accepted; then its tree is looked into. A canary beside the store, which
every escape aims at, stays as it is.
"""
import os
import pathlib
import re
import stat
import time

import pytest

from test_store_tar import CAPABILITY, MANIFEST
from tree_mount import DATA, mounted

pytestmark = pytest.mark.usefixtures("no_images")

CANARY = "/var/lib/rkt-canary"
UP = "../" * 30
ACL = b"user::rwx,user:7:rwx,group::r-x,mask::rwx,other::---"


def octal(value, size):
    """A field of a header: digits, or bytes as they shall be."""
    return value if isinstance(value, bytes) else b"%0*o\0" % (size - 1, value)


def header(name, kind="0", size=0, mode=0o644, uid=0, gid=0, mtime=0, link=b"", major=0, minor=0, magic=b"ustar\00000", uname=b""):
    """A header block, as wrong as need be; the checksum is right."""
    name, link = os.fsencode(name), os.fsencode(link)
    block = bytearray(512)
    for at, field in ((0, name[:100]), (100, octal(mode, 8)), (108, octal(uid, 8)), (116, octal(gid, 8)), (124, octal(size, 12)),
                      (136, octal(mtime, 12)), (148, b" " * 8), (156, kind.encode()), (157, link[:100]), (257, magic), (265, uname),
                      (329, octal(major, 8)), (337, octal(minor, 8))):
        block[at:at + len(field)] = field
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def entry(name, kind="0", data=b"", pax=None, **fields):
    """Header and content, with a pax header in front if there are records."""
    result = b""
    if pax:
        body = b"".join(record(os.fsencode(k), v) for k, v in pax.items())
        result = entry("pax", "x", body)
    return result + header(name, kind, fields.pop("size", len(data)), **fields) + data + bytes(-len(data) % 512)


def record(key, value):
    """A pax record with its length in front."""
    rest = b" " + key + b"=" + value + b"\n"
    n = len(rest)
    while len(str(n)) + len(rest) != n:
        n = len(str(n)) + len(rest)
    return str(n).encode() + rest


def longname(name):
    """GNU's way of saying it."""
    return entry("././@LongLink", "L", os.fsencode(name) + b"\0")


ROOT = entry("rootfs", "5", mode=0o755)
MANIFEST_ENTRY = entry("manifest", data=MANIFEST.encode())


def folder(name, **fields):
    """A directory."""
    return entry(name, "5", mode=fields.pop("mode", 0o755), **fields)


def symlink(name, target, **fields):
    """A symbolic link."""
    return entry(name, "2", link=target, **fields)


def hardlink(name, target, **fields):
    """A hard link."""
    return entry(name, "1", link=target, **fields)


def file(name, data=b"x", **fields):
    """A regular file."""
    return entry(name, "0", data, **fields)


def xattr(name, value):
    """The record of an attribute."""
    return {"SCHILY.xattr." + name: value}


class Case:
    """members: what follows manifest and rootfs; expect: "E" (then a pattern that the sentence has) or a look at the tree."""

    def __init__(self, row, what, members, refused=None, look=None, warned=None, root=ROOT):
        self.id = f"row{row}-{what}"
        self.members, self.refused, self.look, self.warned, self.root = members, refused, look, warned, root


def at(path, **expected):
    """A look: what lstat() says of an object; content=, target=, xattrs=; path=None: it is not there."""
    def look(tree):
        st = os.lstat(os.path.join(os.fsencode(tree), os.fsencode(path)))
        full = os.path.join(os.fsencode(tree), os.fsencode(path))
        for key, value in expected.items():
            if key == "content":
                with open(full, "rb") as f:
                    assert f.read() == value
            elif key == "target":
                assert os.readlink(full) == os.fsencode(value)
            elif key == "mode":
                assert stat.S_IMODE(st.st_mode) == value, oct(st.st_mode)
            elif key == "type":
                assert stat.S_IFMT(st.st_mode) == value
            elif key == "xattrs":
                assert os.listxattr(full, follow_symlinks=False) == value
            else:
                assert getattr(st, "st_" + key) == value, key
    return look


def only(*names):
    """A look: the root has these names, no others."""
    def look(tree):
        assert sorted(os.listdir(os.fsencode(tree))) == sorted(os.fsencode(n) for n in names)
    return look


def both(*looks):
    """Several of them."""
    def look(tree):
        for one in looks:
            one(tree)
    return look


def is_private(_tree):
    """Nobody but root gets at the store."""
    assert stat.S_IMODE(os.stat(DATA + "/cas").st_mode) & 0o007 == 0 or stat.S_IMODE(os.stat(DATA).st_mode) & 0o007 == 0


N = "rootfs/"
CHR, BLK, FIFO, REG, DIR, LNK = stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK

PATHS = [
    Case(1, "dotdot-climb", file(N + UP + CANARY + "/new"), r"\.\."),
    Case(1, "pax-dotdot", file(N + "a", pax={"path": (N + UP + CANARY + "/new").encode()}), r"\.\."),
    Case(1, "gnulong-dotdot", longname(N + UP + CANARY + "/new") + file("short"), r"\.\."),
    Case(2, "inside", file(N + "a/../b"), r"\.\."),
    Case(3, "parent-of-root", folder(N + "..", mode=0o777), r"\.\."),
    Case(4, "absolute", file(CANARY + "/new"), "absolute"),
    Case(6, "prefix", file("rootfs-evil/x"), look=only(), warned="rootfs-evil"),
    Case(7, "beside", file("rendered") + file("hash") + file("image") + file("index.erofs"), look=only(), warned="rendered"),
    Case(8, "empty", file(""), "empty"),
    Case(9, "dot", folder("./", mode=0o1777), look=both(only(), at("", mode=0o755))),
    Case(9, "slash", folder("/", mode=0o1777), look=both(only(), at("", mode=0o755))),
    Case(10, "255", file("short", pax={"path": (N + "n" * 255).encode()}), look=only("n" * 255)),
    Case(10, "256", file("short", pax={"path": (N + "n" * 256).encode()}), "255|long"),
    Case(11, "6kB", file("short", pax={"path": (N + "a/" * 3000).encode()}), "long|parts"),
    Case(11, "120kB", file("short", pax={"path": (N + "abc/" * 30000).encode()}), "long|parts"),
    Case(11, "60000-parts", file("short", pax={"path": (N + "a/" * 60000).encode()}), "long|parts"),
    Case(11, "257-parts", file("short", pax={"path": (N + "a/" * 256 + "f").encode()}), "parts"),
    Case(12, "control", file(N + "a\x1b[31m\n\a"), look=only("a\x1b[31m\n\a")),
    Case(12, "escaped", file(N + "a\x1b[31m\n\a") * 2, r"a\\x1b\[31m\\x0a\\x07"),
    Case(13, "latin1", file(b"rootfs/caf\xe9"), look=only(b"caf\xe9")),
    Case(13, "utf8-pax", file("x", pax={"path": "rootfs/żółć".encode()}), look=only("żółć".encode())),
    Case(13, "invalid-pax", file("x", pax={"path": b"rootfs/\xff\xc0\x80"}), look=only(b"\xff\xc0\x80")),
    Case(14, "nul", file("x", pax={"path": b"rootfs/a\0b"}), "NUL"),
    Case(15, "literal", file(N + "\\..\\x") + file(N + "%n $HOME ; `id`"), look=only("\\..\\x", "%n $HOME ; `id`")),
    Case(16, "twice", file(N + "a", b"long content") + file(N + "a", b"y"), "twice"),
    Case(17, "folder-twice", folder(N + "d") + file(N + "d/x") + folder(N + "d", mode=0o700), look=both(at("d", mode=0o700), at("d/x", size=1))),
    Case(18, "file-as-parent", file(N + "a") + file(N + "a/b"), "folder"),
    Case(18, "file-over-folder", file(N + "a/b") + file(N + "a"), "twice"),
    Case(19, "no-parents", file(N + "a/b/c", uid=5, mode=0o600, mtime=77), look=both(at("a", mode=0o755, uid=0, gid=0, mtime=77), at("a/b", mode=0o755, uid=0))),
    Case(67, "whiteout-name", file(N + ".wh.x") + folder(N + "d") + file(N + "d/.wh..wh..opq", b""), look=both(only(".wh.x", "d"), at("d/.wh..wh..opq", type=REG, size=0))),
    Case(20, "case", file(N + "Case", b"A") + file(N + "case", b"b"), look=both(at("Case", content=b"A"), at("case", content=b"b"))),
]

TYPES = [
    Case(21, "Z", entry(N + "x", "Z"), "type"),
    Case(22, "contiguous", entry(N + "x", "7", b"abc"), look=at("x", type=REG, content=b"abc")),
    Case(23, "multi-volume", entry(N + "x", "M"), "type"),
    Case(23, "label", entry(N + "x", "V"), "type"),
    Case(23, "dumpdir", entry(N + "x", "D"), "type"),
    Case(24, "v7", file(N + "x", b"abc", magic=b""), look=at("x", content=b"abc")),
    Case(25, "null", entry(N + "dev/null", "3", major=1, minor=3, mode=0o666), look=at("dev/null", type=CHR, rdev=os.makedev(1, 3))),
    Case(26, "setid-null", entry(N + "dev/null", "3", major=1, minor=3, mode=0o6666), look=at("dev/null", mode=0o666)),
    Case(27, "mem", entry(N + "dev/mem", "3", major=1, minor=1), "device"),
    Case(27, "disk", entry(N + "dev/sda", "4", major=8, minor=0), "device"),
    Case(27, "disk-as-null", entry(N + "dev/null", "4", major=8, minor=0), "device"),
    Case(28, "whiteout", entry(N + "x", "3", major=0, minor=0), "device"),
    Case(29, "2^40", entry(N + "x", "3", major=b"\x80\0\0\1\0\0\0\0"), "device"),
    Case(29, "minus1", entry(N + "x", "3", major=1, minor=b"\xff" * 8), "device"),
    Case(30, "fifo", entry(N + "p", "6", mode=0o600), look=at("p", type=FIFO, mode=0o600)),
    Case(30, "setid-fifo", entry(N + "p", "6", mode=0o6600), look=at("p", type=FIFO)),
    Case(30, "passwd", entry(N + "etc/passwd", "6") + file(N + "x"), look=at("etc/passwd", type=FIFO)),
    Case(31, "socket-bits", file(N + "x", mode=0o140644), look=at("x", type=REG, mode=0o644)),
    Case(32, "mode", file(N + "x", mode=0o777777), look=at("x", mode=0o7777)),
    Case(33, "setuid", file(N + "x", mode=0o4777) + file(N + "y", mode=0o4755, uid=12), look=both(at("x", mode=0o4777), at("y", mode=0o4755, uid=12), is_private)),
    Case(34, "mode0", folder(N + "d", mode=0) + file(N + "d/x"), look=both(at("d", mode=0), at("d/x", size=1))),
    Case(35, "minus1", file(N + "x", pax={"uid": b"4294967295"}), "owner|uid"),
    Case(35, "minus2", file(N + "x", pax={"gid": b"4294967294"}), "owner|gid"),
    Case(35, "2^32", file(N + "x", pax={"uid": b"4294967296"}), "owner|uid"),
    Case(35, "2^32-base256", file(N + "x", uid=b"\x80\0\0\1\0\0\0\0"), "owner"),
    Case(36, "uname", file(N + "x", uid=12345, uname=b"root"), look=at("x", uid=12345)),
    Case(38, "past", file(N + "x", pax={"mtime": b"-9223372036854775808"}), look=at("x", mtime=-2**31)),
    Case(38, "future", file(N + "x", pax={"mtime": b"9223372036854775807"}), look=at("x", mtime=2**34 - 2**31 - 1)),
    Case(38, "fraction", file(N + "x", pax={"mtime": b"5.1234567899999zzz"}), look=at("x", size=1)),
    Case(38, "garbage", file(N + "x", pax={"mtime": b"yesterday"}), look=at("x", size=1)),
]

LINKS = [
    Case(39, "absolute", symlink(N + "out", CANARY) + file(N + "out/new"), "link to nothing"),
    Case(39, "relative", symlink(N + "out", UP + CANARY[1:]) + file(N + "out/new"), "link to nothing"),
    Case(39, "chain", symlink(N + "a", "b") + symlink(N + "b", CANARY) + file(N + "a/new"), "link to nothing"),
    Case(39, "swapped", folder(N + "d") + symlink(N + "d", CANARY) + file(N + "d/new"), "twice"),
    Case(39, "contained", folder(N + CANARY[1:]) + symlink(N + "out", CANARY) + file(N + "out/new"), look=at(CANARY[1:] + "/new", size=1)),
    Case(40, "var-run", folder(N + "run") + symlink(N + "var/run", "/run") + file(N + "var/run/pid", b"7"), look=at("run/pid", content=b"7")),
    Case(40, "usr-merge", folder(N + "usr/lib") + symlink(N + "lib", "usr/lib") + file(N + "lib/libc.so"), look=both(at("usr/lib/libc.so", size=1), at("lib", type=LNK))),
    Case(41, "dangling", symlink(N + "a", "/nowhere/at/all") + symlink(N + "b", UP + "x"), look=both(at("a", target="/nowhere/at/all"), at("b", target=UP + "x"))),
    Case(42, "loop", symlink(N + "a", "b") + symlink(N + "b", "a") + file(N + "a/x"), "circle"),
    Case(43, "5000", symlink(N + "a", "", pax={"linkpath": b"t" * 5000}), "long"),
    Case(43, "no-target", symlink(N + "a", ""), "no target"),
    Case(44, "body", entry(N + "a", "2", b"body", link="x"), "content"),
    Case(45, "root-is-link", symlink("rootfs", CANARY) + file(N + "new"), "rootfs", root=b""),
    Case(46, "link-then-file", symlink(N + "a", CANARY + "/file") + file(N + "a", b"overwritten"), "twice"),
    Case(47, "link-then-folder", symlink(N + "a", CANARY) + folder(N + "a", mode=0o777, uid=5, pax=xattr("user.x", b"y")), "twice"),
    Case(48, "folder-then-link", folder(N + "d", mode=0o700) + symlink(N + "d", CANARY), "twice"),
    Case(49, "up", symlink(N + "up", "..") + file(N + "up/rendered"), look=at("rendered", size=1)),
    Case(49, "top", symlink(N + "top", "/") + file(N + "top/image"), look=at("image", size=1)),
    Case(50, "absolute", hardlink(N + "x", CANARY + "/file"), "absolute|rootfs"),
    Case(50, "climb", hardlink(N + "x", N + UP + CANARY[1:] + "/file"), r"\.\."),
    Case(50, "through-link", symlink(N + "out", CANARY) + hardlink(N + "x", N + "out/file"), "does not come before"),
    Case(51, "manifest", hardlink(N + "x", "manifest"), "rootfs"),
    Case(52, "link-to-link", symlink(N + "l", CANARY + "/file") + hardlink(N + "m", N + "l"), look=both(at("m", type=LNK, nlink=2), at("l", nlink=2))),
    Case(52, "write-to-it", symlink(N + "l", CANARY + "/file") + hardlink(N + "m", N + "l") + file(N + "m"), "twice"),
    Case(53, "body", file(N + "a", b"good") + entry(N + "b", "1", b"evil", link=N + "a"), "content"),
    Case(54, "forward", hardlink(N + "b", N + "a") + file(N + "a"), "(?s)b.*'a'"),
    Case(54, "itself", hardlink(N + "b", N + "b"), "itself"),
    Case(54, "folder", folder(N + "d") + hardlink(N + "b", N + "d"), "(?s)b.*'d'.*directory"),
    Case(55, "mode", file(N + "a", mode=0o600) + hardlink(N + "b", N + "a", mode=0o4777, uid=9), look=both(at("a", mode=0o600, uid=0, nlink=2), at("b", mode=0o600))),
]

XATTRS = [
    Case(68, "file", file(N + "x", pax=xattr("security.capability", CAPABILITY)), look=at("x", xattrs=["security.capability"])),
    Case(68, "folder", folder(N + "d", pax=xattr("security.capability", CAPABILITY)), look=at("d", xattrs=[]), warned="security.capability"),
    Case(69, "short", file(N + "x", pax=xattr("security.capability", CAPABILITY[:-1])), "malformed"),
    Case(69, "revision", file(N + "x", pax=xattr("security.capability", b"\1\0\0\7" + CAPABILITY[4:])), "malformed"),
    Case(70, "trusted", folder(N + "d", pax=xattr("trusted.overlay.opaque", b"y")), look=at("d", xattrs=[]), warned="trusted.overlay"),
    Case(70, "user", folder(N + "d", pax=xattr("user.overlay.opaque", b"y")), look=at("d", xattrs=[]), warned="user.overlay"),
    Case(70, "libarchive", folder(N + "d", pax={"LIBARCHIVE.xattr.trusted.overlay.opaque": b"eQ"}), look=at("d", xattrs=[])),
    *[Case(71, name, file(N + "x", pax=xattr(f"security.{name}", b"v")), look=at("x", xattrs=[]), warned=name) for name in ("selinux", "ima", "evm")],
    Case(72, "acl-on-link", symlink(N + "l", CANARY + "/file", pax={"SCHILY.acl.access": ACL}), look=at("l", xattrs=[]), warned="left out"),
    Case(72, "acl-on-file", file(N + "x", pax={"SCHILY.acl.access": ACL}), look=at("x", xattrs=["system.posix_acl_access"], mode=0o770)),
    Case(73, "userland", file(N + "x", pax=xattr("userland.evil", b"v")), look=at("x", xattrs=[]), warned="userland.evil"),
    Case(73, "capabilityX", file(N + "x", pax=xattr("security.capabilityX", CAPABILITY)), look=at("x", xattrs=[]), warned="capabilityX"),
    Case(74, "70kB", file(N + "x", pax=xattr("user.a", b"v" * 70000)), "attribute"),
    Case(74, "10000", file(N + "x", pax={f"SCHILY.xattr.user.{i}": b"v" for i in range(10000)}), "attribute"),
    Case(74, "no-name", file(N + "x", pax=xattr("user.", b"v")), "empty name"),
]


@pytest.fixture(name="canary")
def canary_directory():
    """What every escape aims at: it must not change in the least."""
    os.mkdir(CANARY, 0o711)
    path = pathlib.Path(CANARY, "file")
    path.write_text("canary")
    os.utime(path, (5, 5))
    os.utime(CANARY, (6, 6))

    def state():
        return [(p, os.lstat(p).st_mode, os.lstat(p).st_uid, os.lstat(p).st_nlink, os.lstat(p).st_mtime_ns, os.listxattr(p)) for p in (CANARY, str(path))] + \
               [os.listdir(CANARY), path.read_text(), stat.S_IMODE(os.stat(DATA).st_mode), stat.S_IMODE(os.stat(DATA + "/cas").st_mode)]
    before = state()
    yield
    assert state() == before
    path.unlink()
    os.rmdir(CANARY)


def leftovers():
    """Everything in the store that a refusal must not leave."""
    cas = pathlib.Path(DATA, "cas")
    return sorted(str(p) for folder_ in ("blob", "tree", "ref", "tmp") for p in (cas / folder_).rglob("*") if p.is_file() and not p.name.endswith("lock"))


@pytest.mark.parametrize("form", ["index", "dir"])
@pytest.mark.parametrize("case", PATHS + TYPES + LINKS + XATTRS, ids=lambda c: c.id)
def test_archive(host, tmp_path, canary, case, form):  # pylint: disable=unused-argument
    """robustness.md 3.1 (rows 1-20), 3.2 (21-38), 3.3 (39-56), 3.5 (68-74)."""
    path = tmp_path / "a.aci"
    path.write_bytes(MANIFEST_ENTRY + case.root + case.members + bytes(1024))
    before, begin = leftovers(), time.monotonic()
    result = host.rkt("--insecure-options=image", "fetch", "--full", path, check=False, env={"RKT_TREE_BACKEND": form})
    assert time.monotonic() - begin < 30
    assert not re.search(r"[\x00-\x08\x0b-\x1f]|assert|Sanitizer|core dumped", result.err), result
    if case.refused:
        assert result.rc == 254 and result.out == "", result
        assert re.search(case.refused, result.err), result
        assert leftovers() == before
        return
    assert result.rc == 0, result
    if case.warned:
        assert re.search("warning.*" + re.escape(case.warned), result.err), result
    else:
        assert "warning" not in result.err, result
    with mounted(result.out.split()[-1]) as tree:
        case.look(tree)


@pytest.mark.parametrize("form", ["index", "dir"])
def test_row75_no_attributes(host, tmp_path, form):
    """Row 75: a file system without user.* attributes is no reason to refuse an image."""
    path, store = tmp_path / "a.aci", tmp_path / "store"
    path.write_bytes(MANIFEST_ENTRY + ROOT + file(N + "x", pax=xattr("user.a", b"v")) + bytes(1024))
    store.mkdir()
    host.run("mount", "-t", "ramfs", "none", store)
    try:
        host.rkt(f"--dir={store}", "--insecure-options=image", "fetch", path, env={"RKT_TREE_BACKEND": form})
        assert host.rkt(f"--dir={store}", "image", "list", "--no-legend").out != ""
    finally:
        host.run("umount", store)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""robustness.md 3.6 (rows 76-96): sizes, truncation, compression. What is refused is refused early, in a sentence, with
bounded memory, and leaves nothing; what is accepted has the ID that sha512sum gives to the tar."""
import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import re
import subprocess
import sys
import zipfile
import zlib

import pytest

from test_archive_rows import MANIFEST_ENTRY, N, ROOT, entry, file, folder, header, leftovers, longname, record
from tree_mount import mounted

pytestmark = pytest.mark.usefixtures("no_images")

MIB = 1 << 20
# freed memory stays in the quarantine of a build with sanitizers, and each byte has a shadow: that is not the product's
RSS_MAX = (512 if os.environ.get("LAB_PROFILE") == "asan" else 64) * MIB
GOOD = MANIFEST_ENTRY + ROOT + file(N + "etc/motd", b"hello\n" * 3000) + file(N + "end", b"end\n")
END = bytes(1024)
# prints the largest resident set of all processes that a command started, in KiB, behind what the command said; a process
# of its own, since a child's peak counts what its parent had
RUSAGE = ("import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]).returncode; "
          "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(r)")


def pack_zeros(compress, mib):
    """Zeros by the MiB, as many small members in a row: as far as a few bytes go."""
    return compress(bytes(16 * MIB)) * (mib // 16)


class Case:
    """What is fetched, with which limits; `refused`: a pattern of the sentence; else a look at the tree."""

    def __init__(self, row, what, data, refused=None, look=None, limits=(), full_tar=None):
        self.id = f"row{row}-{what}"
        self.data, self.refused, self.look, self.limits, self.full_tar = data, refused, look, limits, full_tar


def has(path, content):
    """A look: this file is there."""
    def look(tree):
        with open(os.path.join(tree, path), "rb") as f:
            assert f.read() == content
    return look


def lacks(path):
    """A look: and this one is not."""
    return lambda tree: not os.path.lexists(os.path.join(tree, path)) or pytest.fail(path)


def lying(data, field, at):
    """A tar with a field of the first header below rootfs changed, and its checksum made right again."""
    start = len(MANIFEST_ENTRY + ROOT)
    block = bytearray(data[start:start + 512])
    block[at:at + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return data[:start] + bytes(block) + data[start + 512:]


def changed(data, at):
    """One bit is another."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


GZ, XZ, BZ = gzip.compress(GOOD + END, mtime=0), lzma.compress(GOOD + END), bz2.compress(GOOD + END)
NOISE = random.Random(76).randbytes(20000)

ENDS = [
    Case(76, "empty", b"", "empty"),
    Case(76, "one-byte", b"\x1f", "neither"),
    *(Case(77, f"{name}-{what}", data[:keep], "cut off|damaged|neither|no end") for name, data, cuts in (
        ("tar", GOOD + END, {"in-header": len(MANIFEST_ENTRY) + 100, "in-data": len(MANIFEST_ENTRY + ROOT) + 700}),
        ("gzip", GZ, {"header": 5, "middle": len(GZ) // 2, "trailer": -4, "trailer-all": -8}),
        ("xz", XZ, {"middle": len(XZ) // 2, "footer": -6}),
        ("bzip2", BZ, {"middle": len(BZ) // 2, "end": -3})) for what, keep in cuts.items()),
    Case(78, "no-end", GOOD, "cut off"),
    Case(78, "one-block", GOOD + bytes(512), look=has("end", b"end\n"), full_tar=GOOD + bytes(512)),
    Case(79, "gzip-crc", changed(GZ, len(GZ) - 8), "damaged"),
    Case(79, "gzip-length", changed(GZ, len(GZ) - 1), "damaged"),
    Case(79, "xz-check", changed(XZ, len(XZ) - 30), "damaged"),
    Case(79, "bzip2-crc", changed(BZ, len(BZ) - 2), "damaged"),
    Case(80, "behind-gzip", GZ + b"garbage", "bytes that do not belong"),
    Case(80, "zeros-behind-gzip", GZ + bytes(512), "bytes that do not belong"),
    Case(80, "behind-xz", XZ + b"garbage", "damaged|bytes that do not belong"),
    Case(80, "behind-tar", GOOD + END + NOISE, look=has("end", b"end\n"), full_tar=GOOD + END + NOISE),
    Case(80, "two-members", gzip.compress(GOOD, mtime=0) + gzip.compress(END, mtime=0), look=has("end", b"end\n"),
         full_tar=GOOD + END),
    Case(81, "entry-behind-end", GOOD + END + file(N + "late"), look=lacks("late"), full_tar=GOOD + END + file(N + "late")),
]
HEADERS = [
    Case(82, "checksum", changed(GOOD + END, len(MANIFEST_ENTRY + ROOT) + 150), "checksum"),
    Case(83, "minus-one", lying(GOOD + END, b"\xff" * 12, 124), "size|number"),
    Case(83, "max", lying(GOOD + END, b"\x80\0\0\0\x7f" + b"\xff" * 7, 124), "size|larger"),
    Case(83, "not-octal", lying(GOOD + END, b"12z45678901\0", 124), "size|number"),
    Case(84, "pax-other-size", MANIFEST_ENTRY + ROOT + file(N + "x", b"12345", pax={"size": b"600"}) + END, "size"),
    Case(84, "pax-size-not-a-number", MANIFEST_ENTRY + ROOT + file(N + "x", b"12345", pax={"size": b"12abc"}) + END, "size|extended"),
    *(Case(85, what, MANIFEST_ENTRY + ROOT + entry("p", "x", body) + file(N + "x") + END, "extended|record|length") for what, body in (
        ("overflow", b"99999999999999999999 path=x\n"), ("too-short", b"3 path=x\n"), ("too-long", b"99 path=x\n"),
        ("no-newline", record(b"path", b"x")[:-1] + b"y"), ("no-length", b"path=x\n"))),
    Case(85, "2000-headers", MANIFEST_ENTRY + ROOT + entry("p", "x", record(b"comment", b"x")) * 2000 + file(N + "x") + END,
         "extended tar headers"),
    Case(86, "80MiB-pax", MANIFEST_ENTRY + ROOT + header("p", "x", 80 * MIB) + bytes(3 * MIB), "extended tar header is larger"),
    Case(86, "1GiB-name", MANIFEST_ENTRY + ROOT + header("././@LongLink", "L", 1 << 30) + b"a" * (3 * MIB), "larger"),
    Case(86, "long-name", MANIFEST_ENTRY + ROOT + longname(N + "a/" * 3000) + file(N + "x") + END, "longer|components"),
    Case(87, "global-path", MANIFEST_ENTRY + ROOT + entry("g", "g", record(b"path", b"rootfs/../../x")) + file(N + "y", b"y") + END,
         "global|extended"),
]
BOMB = MANIFEST_ENTRY + ROOT + header(N + "zeros", size=1 << 30)
SIZES = [
    Case(88, "gzip", gzip.compress(BOMB, mtime=0) + pack_zeros(gzip.compress, 1024), "more than 1000 to 1"),
    Case(88, "bzip2", bz2.compress(BOMB) + pack_zeros(bz2.compress, 1024), "more than 1000 to 1"),
    Case(88, "xz", lzma.compress(BOMB) + pack_zeros(lzma.compress, 1024), "more than 1000 to 1"),
    Case(88, "ratio-raised", gzip.compress(MANIFEST_ENTRY + ROOT + header(N + "zeros", size=80 * MIB), mtime=0) +
         pack_zeros(gzip.compress, 80) + gzip.compress(END, mtime=0), limits=["image-ratio=100000"],
         look=lambda tree: os.stat(f"{tree}/zeros").st_size == 80 * MIB or pytest.fail("size")),
    Case(88, "size", GOOD + END, "larger than the limit of 10240 bytes", limits=["image-size=10K"]),
    Case(88, "files", GOOD + END, "more than 3 entries", limits=["image-files=3"]),
    Case(89, "skipped-bytes-count", MANIFEST_ENTRY + ROOT + entry("other/file", data=bytes(2 * MIB)) + END, "larger than the limit",
         limits=["image-size=1M"]),
    Case(89, "skipped-bomb", gzip.compress(MANIFEST_ENTRY + ROOT + header("other", size=512 * MIB), mtime=0) +
         pack_zeros(gzip.compress, 512), "more than 1000 to 1"),
    Case(90, "300MiB-manifest", header("manifest", size=300 * MIB) + b"{" + b" " * (3 * MIB), "manifest"),
    Case(92, "50000-files", gzip.compress(MANIFEST_ENTRY + ROOT + b"".join(header(f"{N}{i:x}") for i in range(50000)) + END, 1, mtime=0),
         look=lambda tree: len(os.listdir(tree)) >= 50000 or pytest.fail("files are missing")),
    Case(92, "20000-times-a-directory", gzip.compress(MANIFEST_ENTRY + ROOT + folder(N + "d") * 20000 + file(N + "d/x", b"y") + END, 1,
                                                      mtime=0), look=has("d/x", b"y")),
    Case(93, "zstd-window", b"\x28\xb5\x2f\xfd\x00\xa8" + bytes(600), "neither"),
]


def a_zip():
    """Another archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("manifest", "{}")
    return buffer.getvalue() + bytes(600)


def nested(times):
    """gzip around gzip."""
    data = GZ
    for _ in range(times):
        data = gzip.compress(data, mtime=0)
    return data


FORMATS = [
    Case(94, "zip", a_zip(), "neither"),
    Case(94, "cpio", b"070701" + b"0" * 800, "neither"),
    Case(94, "ar", b"!<arch>\ndebian-binary   " + b" " * 600, "neither"),
    Case(94, "mtree", b"#mtree\n./a type=file\n" * 40, "neither"),
    Case(94, "uuencode", b"begin 644 x\n" * 60, "neither"),
    Case(94, "zlib", zlib.compress(GOOD + END), "neither"),
    Case(94, "double-gzip", nested(1), "cut off|header|checksum"),
    Case(94, "24-gzip", nested(23), "cut off|header|checksum"),
    Case(94, "LRZI", b"LRZI\0\6" + bytes(600), "neither"),
    Case(95, "html", b"<!DOCTYPE html><html><body>\x1b[31mNot here</body></html>\n" * 20, "neither"),
    Case(95, "signature", b"-----BEGIN PGP SIGNATURE-----\n\niQEzBAABCAAdFiEE\n" * 20, "neither"),
    Case(95, "noise", NOISE, "neither"),
]


def fetch(host, path, limits=(), env=None):
    """rkt fetch, and the peak of memory of all processes, in bytes."""
    options = [f"--limit={li}" for li in limits]
    result = host.run(sys.executable, "-IS", "-c", RUSAGE, "rkt", "--insecure-options=image", "fetch", "--full", *options, path,
                      check=False, env=env)
    lines = result.err.splitlines()
    result.err = "\n".join(lines[:-1])
    return result, int(lines[-1]) * 1024


@pytest.mark.parametrize("case", ENDS + HEADERS + SIZES + FORMATS, ids=lambda c: c.id)
def test_sizes(host, tmp_path, case):
    """robustness.md 3.6 (rows 76-90, 92-95)."""
    path = tmp_path / "a.aci"
    path.write_bytes(case.data)
    before = leftovers()
    result, rss = fetch(host, path, case.limits)
    assert rss < RSS_MAX
    assert all(c.isprintable() or c == "\n" for c in result.err), result
    if case.refused:
        assert result.rc == 254 and result.out == "", result
        assert "a.aci" in result.err and len(result.err) < 1000, result
        assert re.search(case.refused, result.err), result
        assert leftovers() == before
        return
    assert result.rc == 0, result
    image = result.out.split()[-1]
    if case.full_tar:
        assert image.removeprefix("sha512-") == hashlib.sha512(case.full_tar).hexdigest()[:64]
    with mounted(image) as tree:
        case.look(tree)


def test_sparse_files(host, tmp_path):
    """robustness.md row 91: GNU tar's own is a file with holes, in each of its formats; more than there is room for is none."""
    root = tmp_path / "rootfs"
    root.mkdir()
    with open(root / "holes", "wb") as f:
        for i in range(40):
            f.seek(i * 3 * MIB)
            f.write(b"data %d" % i)
        f.truncate(200 * MIB)
    (tmp_path / "manifest").write_bytes(MANIFEST_ENTRY[512:].rstrip(b"\0"))
    wanted = hashlib.sha256((root / "holes").read_bytes()).digest()
    for options in (["--format=gnu"], ["--format=pax", "--sparse-version=0.0"], ["--format=pax", "--sparse-version=0.1"],
                    ["--format=pax", "--sparse-version=1.0"]):
        path = tmp_path / "a.aci"
        host.run("tar", "-C", tmp_path, "-S", *options, "-cf", path, "manifest", "rootfs")
        result, _ = fetch(host, path)
        assert result.rc == 0, result
        with mounted(result.out.split()[-1]) as tree:
            assert hashlib.sha256((tree / "holes").read_bytes()).digest() == wanted
    huge = {"GNU.sparse.major": b"0", "GNU.sparse.minor": b"1", "GNU.sparse.name": b"rootfs/x", "GNU.sparse.numblocks": b"1",
            "GNU.sparse.map": b"0,1"}
    for what, size in (("1 PiB", 1 << 50), ("more than there are bytes", (1 << 63) - 1)):
        path.write_bytes(MANIFEST_ENTRY + ROOT + file(N + "x", b"x", pax={**huge, "GNU.sparse.size": b"%d" % size}) + END)
        result, _ = fetch(host, path)
        assert result.rc == 254, (what, result)


@pytest.fixture(name="small")
def small_store():
    """A store with little room: 6 MB, and a thousand inodes."""
    top = "/var/tmp/rkt-small"
    os.makedirs(top)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,nr_inodes=1000,mode=0755", "tmpfs", top], check=True)
    yield top
    subprocess.run(["umount", top], check=True)
    os.rmdir(top)


def free(top):
    """Blocks and inodes."""
    st = os.statvfs(top)
    return st.f_bfree, st.f_ffree


@pytest.mark.parametrize("form,members", [
    ("index", file(N + "large", NOISE * 500)),
    ("dir", file(N + "large", NOISE * 500)),
    ("dir", b"".join(header(f"{N}{i}") for i in range(2000)))], ids=["index-bytes", "dir-bytes", "dir-inodes"])
def test_row96_no_space(host, tmp_path, small, form, members):
    """robustness.md row 96: ENOSPC, of bytes and of inodes, half-way: an error that says so, and as much room as before."""
    good, bad = tmp_path / "good.aci", tmp_path / "bad.aci"
    good.write_bytes(GOOD + END)
    bad.write_bytes(gzip.compress(MANIFEST_ENTRY + ROOT + members + END, 1))
    env = {"RKT_TREE_BACKEND": form}
    host.rkt(f"--dir={small}", "--insecure-options=image", "fetch", good, env=env)
    before = free(small)
    result = host.rkt(f"--dir={small}", "--insecure-options=image", "fetch", bad, check=False, env=env)
    assert result.rc == 254 and "No space left" in result.err, result
    blocks, inodes = free(small)
    assert before[0] - blocks <= 8 and before[1] - inodes <= 4  # directories that stay
    host.rkt(f"--dir={small}", "image", "list")


def test_row77_every_cut_of_a_small_archive(host, tmp_path):
    """Row 77 again, at many places: none brings an image."""
    path = tmp_path / "a.aci"
    for keep in range(1, len(GZ), max(1, len(GZ) // 25)):
        path.write_bytes(GZ[:keep])
        assert host.rkt("--insecure-options=image", "fetch", path, check=False).rc == 254
    (tmp_path / "whole.aci").write_bytes(GZ)
    host.rkt("--insecure-options=image", "fetch", tmp_path / "whole.aci")

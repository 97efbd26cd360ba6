# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt image validate, which is actool validate: archives and layouts (appc, section 3 and "Archives" of 18). Manifests, and the
standard's own vectors, go through it in test/validate-vectors.py."""
import bz2
import gzip
import io
import json
import lzma
import pathlib
import subprocess
import tarfile

import pytest

from images import aci

MANIFEST = aci.manifest("example.com/validate")
ROOT = ("rootfs", tarfile.DIRTYPE)


def entry(name, kind=tarfile.REGTYPE, data=b"", link=""):
    """A header and what follows it."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, len(data), link, 0o755
    return info, data


def archive(*entries, manifest=MANIFEST, first=True, form=tarfile.USTAR_FORMAT):
    """A tar of a manifest and entries (tuples for entry())."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        text = ("manifest", tarfile.REGTYPE, json.dumps(manifest).encode())
        have = [text] if manifest is not None else []
        for info, data in [entry(*e) for e in (have + list(entries) if first else list(entries) + have)]:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def v7(tar):
    """Without the magic, and so without a checksum that counts it."""
    out = bytearray(tar)
    for at in range(0, len(out) - 1024, 512):
        if out[at + 257:at + 262] == b"ustar":
            out[at + 257:at + 265] = bytes(8)
            out[at + 148:at + 156] = b" " * 8
            out[at + 148:at + 156] = b"%06o\0 " % sum(out[at:at + 512])
    return bytes(out)


GOOD = archive(ROOT, ("rootfs/a", tarfile.REGTYPE, b"a"))
VALID = {
    "plain tar": GOOD,
    "gzip": gzip.compress(GOOD),
    "bzip2": bz2.compress(GOOD),
    "xz": lzma.compress(GOOD),
    "manifest last": archive(ROOT, first=False),
    "leading dots": archive(("./rootfs", tarfile.DIRTYPE), ("./rootfs//a",)),
    "v7 inside gzip": gzip.compress(v7(GOOD)),
    "rootfs after its content": archive(("rootfs/a",), ROOT),
    "hard link": archive(ROOT, ("rootfs/a",), ("rootfs/b", tarfile.LNKTYPE, b"", "rootfs/a")),
}
INVALID = {
    "no rootfs entry": (archive(("rootfs/a",)), "has no directory 'rootfs'"),
    "rootfs a link": (archive(("rootfs", tarfile.SYMTYPE, b"", "x")), "entry 'rootfs': it must be a directory"),
    "no manifest": (archive(ROOT, manifest=None), "has no 'manifest'"),
    "manifest a link": (archive(ROOT, ("manifest", tarfile.SYMTYPE, b"", "x"), manifest=None), "entry 'manifest': it must be"),
    "manifest twice": (archive(ROOT, ("manifest", tarfile.REGTYPE, b"{}")), "entry 'manifest': the archive has a second one"),
    "a name twice": (archive(ROOT, ("rootfs/a",), ("rootfs/a",)), "entry 'a': the archive has a second one"),
    "a name twice, in two spellings": (archive(ROOT, ("rootfs/a",), ("./rootfs//a",)), "entry 'a': the archive has a second"),
    "rootfs twice": (archive(ROOT, ROOT), "entry 'rootfs/': the archive has a second one"),
    "a third name": (archive(ROOT, ("extra",)), "entry 'extra': it is neither the manifest nor beneath rootfs/"),
    "rootfs-extra": (archive(ROOT, ("rootfs-extra/x",)), "entry 'rootfs-extra/x': it is neither"),
    "dot dot": (archive(ROOT, ("rootfs/../evil",)), "entry 'rootfs/../evil': the name contains '..'"),
    "absolute": (archive(ROOT, ("/rootfs/a",)), "entry '/rootfs/a': the name is absolute"),
    "hard link out of the root": (archive(ROOT, ("rootfs/a", tarfile.LNKTYPE, b"", "../../../etc/passwd")), "entry "),
    "gzip twice": (gzip.compress(gzip.compress(GOOD)), ""),
    "plain v7": (v7(GOOD), "neither an archive that rkt reads nor a manifest"),
    "zstd": (bytes.fromhex("28b52ffd") + GOOD, "neither an archive that rkt reads nor a manifest"),
    "cut off": (gzip.compress(GOOD)[:-12], "cut off"),
    "empty": (b"", "neither an archive that rkt reads nor a manifest"),
    "bad manifest": (archive(ROOT, manifest={**MANIFEST, "labels": [{"name": "name", "value": "x"}]}),
                     "'example.com/validate': image manifest: labels"),
    "pod manifest in an image": (archive(ROOT, manifest={"acKind": "PodManifest", "acVersion": "0.8.11", "apps": []}),
                                 "image manifest: "),
}


def test_archives(host, tmp_path):
    """each valid one is silent, each invalid one has one line with its reason (appc 18, Archives)"""
    for name, data in VALID.items():
        (tmp_path / f"{name}.aci").write_bytes(data)
    for name, (data, _) in INVALID.items():
        (tmp_path / f"{name}.bad").write_bytes(data)
    good = host.rkt("image", "validate", *sorted(tmp_path.glob("*.aci")), check=False)
    assert (good.rc, good.all) == (0, "")
    bad = host.rkt("image", "validate", *sorted(tmp_path.glob("*.aci")), *sorted(tmp_path.glob("*.bad")), check=1)
    assert bad.err == ""
    lines = dict(line.split(".bad: ", 1) for line in bad.out.splitlines())
    lines = {k.rsplit("/", 1)[1]: v for k, v in lines.items()}
    assert set(lines) == set(INVALID)
    for name, (_, reason) in INVALID.items():
        assert lines[name].startswith("invalid ") and reason in lines[name], (name, lines[name])


def test_standard_input(host, tmp_path):
    """- is standard input: an archive or a manifest, from a pipe or a file"""
    path = tmp_path / "x"
    for data in (gzip.compress(GOOD), GOOD, json.dumps(MANIFEST).encode(),
                 b'\n {"acKind":"PodManifest","acVersion":"0.8.11","apps":[]}'):
        path.write_bytes(data)
        assert host.sh(f"rkt image validate - < {path}").all == ""
        assert host.sh(f"cat {path} | rkt image validate -").all == ""
    path.write_bytes(gzip.compress(GOOD)[:60])
    for command in (f"rkt image validate - < {path}", f"cat {path} | rkt image validate -"):
        result = host.sh(command, check=1)
        assert result.out.startswith("-: invalid app container image: ") and "cut off" in result.out


def test_refused_archive_does_not_wait_for_the_rest(host):  # pylint: disable=unused-argument
    """an endless stream on standard input ends with the verdict"""
    bad = archive(ROOT, ("/absolute",), ("rootfs/a", tarfile.REGTYPE, bytes(4 << 20)))
    with subprocess.Popen(["rkt", "image", "validate", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        try:
            p.stdin.write(bad[:2 << 20])
            p.stdin.flush()
        except BrokenPipeError:
            pass
        assert p.wait(timeout=120) == 1  # standard input is still open
        assert b"the name is absolute" in p.stdout.read()


def test_layouts(host, tmp_path):
    """a directory with manifest and rootfs, and nothing else"""
    top = tmp_path / "layout"
    (top / "rootfs").mkdir(parents=True)
    assert "'manifest' is missing" in host.rkt("image", "validate", top, check=1).out
    (top / "manifest").write_text(json.dumps(MANIFEST))
    assert host.rkt("image", "validate", top).all == ""
    (top / "extra").write_text("")
    assert host.rkt("image", "validate", top, check=1).out == \
        f"{top}: invalid image layout: 'extra' is neither the manifest nor rootfs\n"
    (top / "extra").unlink()
    (top / "manifest").rename(tmp_path / "m")
    (top / "manifest").symlink_to(tmp_path / "m")
    assert "'manifest' is no regular file" in host.rkt("image", "validate", top, check=1).out


def test_types(host, tmp_path):
    """--type is insisted on; an unknown one, and no file, are mistakes of the caller"""
    path = tmp_path / "m"
    path.write_text(json.dumps(MANIFEST))
    assert host.rkt("image", "validate", "--type=manifest", path).all == ""
    assert "neither a tar archive" in host.rkt("image", "validate", "--type=appimage", path, check=1).out
    assert "it is no directory" in host.rkt("image", "validate", "--type=layout", path, check=1).out
    assert "invalid --type 'x'" in host.rkt("image", "validate", "--type=x", path, check=254).err
    host.rkt("image", "validate", check=254)
    missing = host.rkt("image", "validate", tmp_path / "missing", check=1)
    assert missing.out.endswith("cannot be opened: No such file or directory\n")
    assert f"{path}: valid image manifest" in host.rkt("--debug", "image", "validate", path).err


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_needs_no_rights(images, user):
    """a real image, by root and by nobody"""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if user == "nobody" else []
    data = pathlib.Path(images.busybox).read_bytes()
    done = subprocess.run([*command, "rkt", "image", "validate", "-"], input=data, capture_output=True, check=False, cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

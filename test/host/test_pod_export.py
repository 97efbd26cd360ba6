# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt export: what an app of a pod that has ended left in its root, as an image (rkt_export_test.go)."""
import json
import os
import pathlib
import subprocess
import tarfile

import pytest

from images import aci

UNSIGNED = "--insecure-options=image"
SAY = "echo -n ThisIsATest > /dir/test.txt"
READ = ["--exec=/bin/sh", "--", "-c", "cat /dir/test.txt"]


@pytest.fixture
def made(host, pods, images, tmp_path):
    """Prepare an app per script, run them; the pod's UUID, and the file to export to."""
    assert pods
    image = images.make("example.com/written", app={"exec": ["/bin/true"], "environment": [{"name": "KEPT", "value": "1"}]})

    def make(*scripts, flags=()):
        words = []
        for n, script in enumerate(scripts):
            words += [image, f"--name=app{n}", "--exec=/bin/sh", "--", "-c", f"mkdir -p /dir; {script}", "---"]
        uuid = host.rkt(UNSIGNED, "prepare", "--quiet", *flags, *words).out.strip()
        host.rkt("run-prepared", "--net=none", uuid)
        return uuid, tmp_path / "out.aci"

    return make


@pytest.mark.parametrize("flags", [["--no-overlay"], []])
def test_export(host, made, flags):
    """EXP-01 EXP-02 EXP-05 EXP-06: of a copied root and of an overlay, whose mounts died with the pod; the app named or not."""
    uuid, out = made(SAY, flags=flags)
    assert uuid not in pathlib.Path("/proc/mounts").read_text()
    host.rkt("export", uuid, out)
    assert "ThisIsATest" in host.rkt(UNSIGNED, "run", "--net=none", out, *READ).out
    refused = host.rkt("export", uuid, out, check=254)
    assert "export: target file exists (try --overwrite)" in refused.err
    host.rkt("export", "--overwrite", "--app=app0", uuid, out)
    assert "ThisIsATest" in host.rkt(UNSIGNED, "run", "--net=none", out, *READ).out


@pytest.mark.parametrize("flags", [["--no-overlay"], []])
def test_private_users(host, made, flags):
    """EXP-04: of a pod with users of its own the archive has the numbers that files have in it."""
    uuid, out = made(SAY + "; chown 1000:100 /dir/test.txt", flags=["--private-users", *flags])
    host.rkt("export", uuid, out)
    with tarfile.open(out, "r:gz") as tar:
        owners = {m.name.rstrip("/"): (m.uid, m.gid) for m in tar.getmembers() if m.name.startswith("rootfs")}
    assert owners["rootfs/dir/test.txt"] == (1000, 100) and owners["rootfs/dir"] == owners["rootfs"] == (0, 0)
    assert max(max(o) for o in owners.values()) < 65536
    assert "ThisIsATest" in host.rkt(UNSIGNED, "run", "--net=none", out, *READ).out


def test_link_on_the_way(host, made, tmp_path):
    """A pod's own systemd can write where a copied root lies: a link that it leaves there does not lead to the host's files."""
    uuid, out = made(SAY, flags=["--no-overlay"])
    (tmp_path / "host/app0/rootfs").mkdir(parents=True)
    (tmp_path / "host/app0/rootfs/secret").write_text("of the host")
    place = next(pathlib.Path("/var/lib/rkt/pods").glob(f"*/{uuid}")) / "stage1/rootfs/opt/stage2"
    place.rename(place.with_name("moved"))
    place.symlink_to(tmp_path / "host")
    assert "Too many levels of symbolic links" in host.rkt("export", uuid, out, check=254).err
    assert not out.exists()


def test_one_of_two(host, made):
    """EXP-03: only the app that was asked for; without --app the apps are named."""
    uuid, out = made(SAY, "echo other > /dir/other.txt")
    refused = host.rkt("export", uuid, out, check=254)
    assert "pod contains multiple apps: app0, app1; specify app using \"rkt export --app= ...\"" in refused.err
    assert "app \"nobody\" is not in the pod" in host.rkt("export", "--app=nobody", uuid, out, check=254).err
    assert not out.exists()
    (out.parent / "uuid").write_text(uuid)
    host.rkt("export", f"--uuid-file={out.parent / 'uuid'}", "--app=app0", out)
    with tarfile.open(out, "r:gz") as tar:
        names = {n.name.rstrip("/") for n in tar.getmembers()}
    assert "rootfs/dir/test.txt" in names and "rootfs/dir/other.txt" not in names


def test_everything_of_a_root(host, made, tmp_path):
    """Owners, modes, times, links, attributes, holes and what was removed: in the archive as in the root."""
    uuid, out = made("cd /dir; echo 1 > a; ln a b; ln -s ../etc/passwd link; mkfifo pipe; chown 1000:100 a; chmod 4755 a;"
                     "touch -d '2001-02-03 04:05:06' a; dd if=/dev/zero of=hole bs=1 count=1 seek=10000000 2>/dev/null;"
                     "rm /bin/yes; mkdir -m 1777 deep; echo x > 'deep/strange\nname'")
    host.rkt("export", uuid, out)
    with tarfile.open(out, "r:gz") as tar:
        members = {n.name.rstrip("/"): n for n in tar.getmembers()}
        manifest = json.load(tar.extractfile("manifest"))
        assert tar.extractfile("rootfs/dir/deep/strange\nname").read() == b"x\n"
    top = "rootfs/dir/"
    assert next(iter(members)) == "manifest"
    first, second = members[top + "a"], members[top + "b"]
    assert second.islnk() and second.linkname == top + "a"
    assert (first.uid, first.gid, first.mode, first.mtime) == (1000, 100, 0o4755, 981173106)
    assert members[top + "link"].linkname == "../etc/passwd" and members[top + "pipe"].isfifo()
    assert members[top + "hole"].size == 10000001 and members[top + "deep"].mode == 0o1777
    assert "rootfs/bin/yes" not in members and "rootfs/usr/bin/yes" not in members and "rootfs/usr/bin/true" in members
    assert manifest["name"] == "example.com/written" and manifest["app"]["environment"] == [{"name": "KEPT", "value": "1"}]
    assert out.stat().st_size < 5000000 and host.rkt("image", "validate", out).rc == 0
    assert os.listdir(tmp_path) == ["out.aci"]


def test_dependencies_are_in_it(host, pods, images, tmp_path):
    """An image that is put together of others is one afterwards: without dependencies, without a whitelist."""
    assert pods
    host.rkt(UNSIGNED, "fetch", images.busybox)
    path = images.make("example.com/above", root=aci.busybox_root, app={"exec": ["/bin/true"]},
                       dependencies=[aci.dependency("example.com/busybox")], pathWhitelist=["/bin", "/usr", "/usr/bin", "/usr/bin/busybox"])
    uuid = host.rkt(UNSIGNED, "prepare", "--quiet", path, "--exec=/bin/busybox", "--", "true").out.strip()
    host.rkt("run-prepared", "--net=none", uuid)
    host.rkt("export", uuid, tmp_path / "o.aci")
    with tarfile.open(tmp_path / "o.aci") as tar:
        manifest = json.load(tar.extractfile("manifest"))
    assert not manifest.get("dependencies") and not manifest.get("pathWhitelist")
    host.rkt(UNSIGNED, "run", "--net=none", tmp_path / "o.aci", "--exec=/bin/busybox", "--", "true")


def test_refused(host, made, images, tmp_path):
    """A pod that runs, one that is prepared, none, a name that is no ACI's, a folder that there is not, not root."""
    prepared = host.rkt(UNSIGNED, "prepare", "--quiet", images.busybox).out.strip()
    out = tmp_path / "out.aci"
    for words, sentence in (([prepared, out], "pod is not exited. Only exited pods can be exported"),
                            (["1234567890abcdef", out], 'no matches found for "1234567890abcdef"'),
                            ([prepared, tmp_path / "out.tar"], "extension must be .aci"), ([out], "name a pod"), ([], "name a pod")):
        done = host.rkt("export", *words, check=254)
        assert f"export: {sentence}" in done.err or f"export: cannot get pod: {sentence}" in done.err, done
    uuid, _ = made("true")
    assert "/no/such" in host.rkt("export", uuid, "/no/such/folder/x.aci", check=254).err
    assert "cannot run as unprivileged user" in host.run("runuser", "-u", "nobody", "--", "rkt", "export", check=254).err
    assert not out.exists()


def test_gc_keeps_away(host, made):
    """While an export reads a pod, gc does not remove it."""
    uuid, out = made("dd if=/dev/urandom of=/dir/large bs=1M count=10 2>/dev/null")
    process = subprocess.Popen(["rkt", "export", uuid, out])
    host.wait_for("the export", lambda: list(out.parent.iterdir()) or process.poll() is not None)
    host.rkt("gc", "--grace-period=0s", check=False)
    assert process.wait(timeout=120) == 0
    with tarfile.open(out) as tar:
        assert tar.getmember("rootfs/dir/large").size == 10 << 20

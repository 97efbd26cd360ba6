# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power goes while an image is fetched: afterwards the image is there, whole, or not at all, and nothing is left but whole
layers of an OCI image, which the next attempt finds.

The power cut is ext4's own shutdown without a flush of its journal: what was not synced is gone, as on a real disk.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import pytest

from images import oci
from tree_compare import differences
from tree_mount import mounted, tree_form

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_JOURNAL = struct.pack("I", 2)
ROUNDS = 12


@pytest.fixture(name="disk")
def loop_disk(host):
    """(directory for files that survive, mount point, function that cuts the power and gives it back)"""
    work = pathlib.Path(tempfile.mkdtemp(prefix="rkt-crash-", dir="/var/tmp"))
    image, point = work / "disk.img", work / "disk"
    point.mkdir()
    with open(image, "wb") as f:
        f.truncate(300 << 20)
    host.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
    if host.run("mount", "-o", "loop", image, point, check=False).rc != 0:
        shutil.rmtree(work)
        pytest.skip("no loop devices here")

    def cut():
        fd = os.open(point, os.O_RDONLY)
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, WITHOUT_JOURNAL)
        os.close(fd)

    def again():
        host.wait_for("the workers are gone", lambda: host.run("umount", point, check=False).rc == 0, 60)
        host.run("mount", "-o", "loop", image, point)

    yield work, point, cut, again
    host.run("umount", point)
    shutil.rmtree(work)


def make_image(host, work):
    """An ACI of a few thousand files, and its tree as tar unpacks it."""
    (work / "x").mkdir()
    (work / "rootfs").mkdir()
    (work / "manifest").write_text(MANIFEST)
    for i in range(1500):
        folder = work / "rootfs" / str(i % 37)
        folder.mkdir(exist_ok=True)
        (folder / str(i)).write_bytes(os.urandom(200 + i * 7))
    host.run("tar", "--create", "--numeric-owner", "--format=posix", "--file", work / "a.aci", "-C", work, "manifest", "rootfs")
    host.run("tar", "--extract", "-p", "--file", work / "a.aci", "-C", work / "x")
    return work / "a.aci"


MANIFEST = """{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "example.com/crash",
"labels": [{"name": "os", "value": "linux"}, {"name": "arch", "value": "amd64"}]}"""


def fetch(archive, store, backend):
    """rkt fetch, not waited for."""
    return subprocess.Popen(["rkt", f"--dir={store}", "fetch", "--full", "--insecure-options=image", str(archive)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**os.environ, "RKT_TREE_BACKEND": backend})


def clean(host, store):
    """Whoever wants to write cleans up; a fetch that fails is enough."""
    end = time.monotonic() + 60
    while True:
        host.rkt(f"--dir={store}", "fetch", "--insecure-options=image", "/nowhere.aci", check=False)
        left = list((store / "cas/tmp").iterdir())
        if not left or time.monotonic() > end:
            break
        time.sleep(0.05)  # the workers of a killed fetch are dying
    assert not left


def check_store(host, work, store):
    """Whole or absent; returns whether it is there."""
    keys = host.rkt(f"--dir={store}", "image", "list", "--no-legend", "--full", "--fields=id").out.split()
    clean(host, store)
    blobs = [p for p in (store / "cas/blob").rglob("sha512-*") if p.suffix == ""]
    trees = list((store / "cas/tree").iterdir())
    if not keys:
        assert not blobs
        assert not [t for t in trees if tree_form(t.name, store)]
        return False
    assert [b.name for b in blobs] == keys and [t.name for t in trees] == keys
    assert "sha512-" + hashlib.sha512(blobs[0].read_bytes()).hexdigest()[:64] == keys[0]
    assert blobs[0].with_name(blobs[0].name + ".manifest").read_text() == MANIFEST
    with mounted(keys[0], store) as tree:
        assert not differences(work / "x" / "rootfs", tree)
    host.rkt(f"--dir={store}", "image", "rm", keys[0])
    assert not trees[0].exists()
    os.sync()
    return True


def duration(host, archive, store, backend):
    """Seconds that an undisturbed fetch takes."""
    start = time.monotonic()
    host.rkt(f"--dir={store}", "fetch", "--insecure-options=image", archive, env={"RKT_TREE_BACKEND": backend})
    return time.monotonic() - start


def interrupted(disk, archive, backend, how, whole):
    """A dozen fetches, ended at moments from the beginning to a little after the end; yields after each."""
    _, point, cut, again = disk
    for i in range(ROUNDS):
        process = fetch(archive, point / "rkt", backend)
        time.sleep(whole * 2 * i / ROUNDS)
        if how == "power":
            cut()
        process.send_signal(signal.SIGKILL)
        process.wait()
        if how == "power":
            again()
        yield


@pytest.mark.parametrize("how, backend", [("kill", "index"), ("power", "index"), ("power", "image"),
                                          ("power", "dir")])
def test_interrupted_fetch(host, disk, how, backend):
    """S10: at a dozen moments from the beginning to a little after the end."""
    work, point = disk[:2]
    archive = make_image(host, work)
    store = point / "rkt"
    whole = duration(host, archive, store, backend)
    assert check_store(host, work, store)
    assert False in {check_store(host, work, store) for _ in interrupted(disk, archive, backend, how, whole)}


def check_layers(host, store):
    """What there is of layers is whole, and of an image all; returns whether it is there, and how many layers were."""
    clean(host, store)
    layers = [p for p in (store / "cas/blob/sha256").rglob("sha256-*") if p.is_file()]
    for layer in layers:
        assert "sha256-" + hashlib.sha256(layer.read_bytes()).hexdigest() == layer.name
    keys = host.rkt(f"--dir={store}", "image", "list", "--no-legend", "--full", "--fields=id").out.split()
    blobs = {p.name.partition(".")[0] for p in (store / "cas/blob/sha512").rglob("sha512-*")}
    assert blobs == set(keys)
    if keys:
        host.rkt(f"--dir={store}", "image", "verify", "--all")
        host.rkt(f"--dir={store}", "image", "rm", *keys)
        assert not [p for p in (store / "cas/blob").rglob("sha*-*") if p.is_file()]
        assert not list((store / "cas/tree").iterdir())
        os.sync()
    return bool(keys), len(layers)


@pytest.mark.parametrize("how, backend", [("kill", "index"), ("power", "index"), ("power", "dir")])
def test_interrupted_layers(host, disk, how, backend):
    """S10: of an image of several layers those that are whole stay for the next attempt."""
    work, point = disk[:2]
    made = oci.Image([oci.tar({f"{n}-{i}": os.urandom(3000 + i) for i in range(400)}) for n in range(4)], compression="")
    archive = "oci:" + str(oci.write_layout(str(work / "layout"), made, "v1")) + ":v1"
    store = point / "rkt"
    whole = duration(host, archive, store, backend)
    assert check_layers(host, store) == (True, 4)
    assert False in {check_layers(host, store)[0] for _ in interrupted(disk, archive, backend, how, whole)}

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A rendered tree as a directory, whatever its backend is."""
import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import struct
import subprocess
import tempfile

MS_RDONLY = 1
LOOP_GET_STATUS64 = 0x4C05
DATA = "/var/lib/rkt"
BACKENDS = {"index.erofs": "index", "image.erofs": "image", "rootfs": "dir"}


def tree_form(key, data=DATA):
    """The form in which a tree is on disk: index, image, dir; None: there is none."""
    tree = pathlib.Path(data, "cas/tree", key)
    found = [form for name, form in BACKENDS.items() if (tree / name).exists()]
    assert len(found) < 2, f"{tree} has {found}"
    return found[0] if found else None


def forms_of_kernel():
    """What new trees may be under this kernel: 512-byte blocks came with 6.4, but distributions take over what they like."""
    release = tuple(int(n) for n in os.uname().release.split(".")[:2])
    return ("index",) if release >= (6, 4) else ("index", "image")


def _mount_by_loop(source, devices, point):
    """As a kernel that mounts no files wants it; the devices go with the mount."""
    nodes = [subprocess.run(["losetup", "--read-only", "--find", "--show", d], check=True, capture_output=True,
                            text=True).stdout.strip() for d in devices]
    options = ",".join(["ro", "loop", *(f"device={n}" for n in nodes)])
    try:
        subprocess.run(["mount", "-t", "erofs", "-o", options, source, point], check=True)
    finally:
        for node in nodes:
            subprocess.run(["losetup", "--detach", node], check=True)  # when nobody uses it any more


def tree_blobs(key, data=DATA):
    """The files that hold what an index describes, in the order of their slots."""
    listed = pathlib.Path(data, "cas/tree", key, "devices")
    keys = listed.read_text().split() if listed.exists() else [key]
    return [f"{data}/cas/blob/{k[:6]}/{k[7:9]}/{k}" for k in keys]


@contextlib.contextmanager
def mounted(key, data=DATA):
    """The root directory of a tree, mounted by mount(2) from its files, as mount(8) of Debian cannot yet."""
    tree, form = pathlib.Path(data, "cas/tree", key), tree_form(key, data)
    assert form, f"no tree of {key}"
    if form == "dir":
        yield tree / "rootfs"
        return
    options = ",".join(f"device={blob}" for blob in tree_blobs(key, data)) if form == "index" else ""
    libc = ctypes.CDLL(None, use_errno=True)
    point = tempfile.mkdtemp(prefix="rkt-tree-", dir="/var/tmp")
    try:
        source = next(tree.glob("*.erofs"))
        if libc.mount(bytes(source), point.encode(), b"erofs", MS_RDONLY, options.encode()) != 0:
            if ctypes.get_errno() != errno.ENOTBLK:
                raise OSError(ctypes.get_errno(), f"cannot mount {source} with {options}")
            _mount_by_loop(source, [o.partition("=")[2] for o in options.split(",") if o], point)
        try:
            yield pathlib.Path(point)
        finally:
            libc.umount2(point.encode(), 0)
    finally:
        os.rmdir(point)


def loops():
    """Loop devices over files of the store; other labs of this machine have some of their own."""
    if not os.path.isdir(DATA):
        return []
    store, found = os.stat(DATA).st_dev, []
    for device in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        node = pathlib.Path("/dev", device.parts[3])
        try:
            with open(node, "rb") as f:
                status = fcntl.ioctl(f, LOOP_GET_STATUS64, bytes(232))
        except OSError:
            continue
        if struct.unpack_from("Q", status)[0] == store:
            found.append(node.name)
    return found

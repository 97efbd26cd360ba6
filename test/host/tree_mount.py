# SPDX-License-Identifier: LGPL-2.1-or-later
"""A rendered tree as a directory, whatever its backend is."""
import contextlib
import ctypes
import os
import pathlib
import tempfile

MS_RDONLY = 1
DATA = "/var/lib/rkt"
BACKENDS = {"index.erofs": "index", "image.erofs": "image", "rootfs": "dir"}


def tree_form(key, data=DATA):
    """The form in which a tree is on disk: index, image, dir; None: there is none."""
    tree = pathlib.Path(data, "cas/tree", key)
    found = [form for name, form in BACKENDS.items() if (tree / name).exists()]
    assert len(found) < 2, f"{tree} has {found}"
    return found[0] if found else None


@contextlib.contextmanager
def mounted(key, data=DATA):
    """The root directory of a tree, mounted by mount(2) from its files, as mount(8) of Debian cannot yet."""
    tree, form = pathlib.Path(data, "cas/tree", key), tree_form(key, data)
    assert form, f"no tree of {key}"
    if form == "dir":
        yield tree / "rootfs"
        return
    devices = (tree / "devices").read_text().split() if (tree / "devices").exists() else [key]
    options = ",".join(f"device={data}/cas/blob/sha512/{d[7:9]}/{d}" for d in devices) if form == "index" else ""
    libc = ctypes.CDLL(None, use_errno=True)
    point = tempfile.mkdtemp(prefix="rkt-tree-", dir="/var/tmp")
    try:
        source = next(tree.glob("*.erofs"))
        if libc.mount(bytes(source), point.encode(), b"erofs", MS_RDONLY, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f"cannot mount {source} with {options}")
        try:
            yield pathlib.Path(point)
        finally:
            libc.umount2(point.encode(), 0)
    finally:
        os.rmdir(point)

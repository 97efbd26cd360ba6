#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Says in what two directory trees differ: type, mode, owner, time, link, device, attributes, content, hard links.

    tree_compare.py A B        exit status 1 and one line per difference, if there are any
"""
import hashlib
import os
import stat
import sys


def content_digest(path):
    """SHA-256 of a file."""
    with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NOFOLLOW)) as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(f.read()).hexdigest()


def describe(path, st, first_name):
    """Everything about one object that an archive can say."""
    what = {"type": stat.S_IFMT(st.st_mode), "mode": stat.S_IMODE(st.st_mode), "uid": st.st_uid, "gid": st.st_gid,
            "mtime": st.st_mtime_ns}
    what["xattrs"] = {n: os.getxattr(path, n, follow_symlinks=False)
                      for n in sorted(os.listxattr(path, follow_symlinks=False))}
    if stat.S_ISLNK(st.st_mode):
        what["target"] = os.readlink(path)
    if stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
        what["device"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
    if stat.S_ISREG(st.st_mode):
        what["size"] = st.st_size
        what["content"] = content_digest(path)
    if not stat.S_ISDIR(st.st_mode):
        what["nlink"] = st.st_nlink
        what["same as"] = first_name
    return what


def snapshot(root):
    """{path beneath root: description}, the root itself as b'.'."""
    root = os.fsencode(root)
    found, inodes = {}, {}
    stack = [b"."]
    while stack:
        name = stack.pop()
        path = os.path.join(root, name)
        st = os.lstat(path)
        if stat.S_ISDIR(st.st_mode):
            stack.extend(os.path.join(name, n) for n in os.listdir(path))
        found[name] = (path, st)
        key = (st.st_dev, st.st_ino)
        inodes[key] = min(inodes.get(key, name), name)
    return {name: describe(path, st, inodes[(st.st_dev, st.st_ino)]) for name, (path, st) in found.items()}


def differences(a, b):
    """Sentences; empty if the trees are equal."""
    left, right = snapshot(a), snapshot(b)
    result = [f"{os.fsdecode(n)}: only in {a}" for n in sorted(left.keys() - right.keys())]
    result += [f"{os.fsdecode(n)}: only in {b}" for n in sorted(right.keys() - left.keys())]
    for name in sorted(left.keys() & right.keys()):
        for key in left[name].keys() | right[name].keys():
            x, y = left[name].get(key), right[name].get(key)
            if x != y:
                result.append(f"{os.fsdecode(name)}: {key} {x!r} / {y!r}")
    return result


if __name__ == "__main__":
    lines = differences(sys.argv[1], sys.argv[2])
    print("\n".join(lines[:50]) + (f"\n{len(lines)} differences" if lines else "equal"))
    sys.exit(1 if lines else 0)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""An image of three layers with whiteouts, an opaque directory, links, attributes and long names; and what is to be seen of it."""
import io
import tarfile

from images import oci

LONG = "srv/" + "/".join(["a-name-that-is-long"] * 8)
APP = {"Entrypoint": ["/bin/app"], "Cmd": ["serve", "two words"], "User": "7:8", "Env": ["PATH=/bin", "EMPTY="],
       "WorkingDir": "/srv", "ExposedPorts": {"6379/tcp": {}, "53/udp": {}}, "Volumes": {"/var/tmp": {}, "/data": {}},
       "Labels": {"org.example.label": "value"}, "StopSignal": "SIGINT"}
# what is there in the end, without the root
SEEN = {"bin", "bin/app", "bin/again", "etc", "etc/keep", "etc/new", "opt", "opt/a", "opt/a/three", "srv", LONG,
        *("/".join(LONG.split("/")[:n]) for n in range(2, 9))}


def layer(*entries):
    """A tar of (path, content, {member of TarInfo: value}); content: bytes, None (directory), str (link)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for path, content, how in entries:
            info = tarfile.TarInfo(path)
            info.mode, info.mtime = (0o755 if content is None else 0o644), 1700000000
            info.type = tarfile.DIRTYPE if content is None else tarfile.SYMTYPE if isinstance(content, str) else tarfile.REGTYPE
            info.linkname = content if isinstance(content, str) else ""
            info.size = len(content) if isinstance(content, bytes) else 0
            for name, value in how.items():
                setattr(info, name, value)
            t.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def layers():
    """The lowest first."""
    return [
        layer(("bin", None, {}), ("bin/app", b"#!/bin/sh\n" * 9000, {"mode": 0o4755}),
              ("bin/again", "bin/app", {"type": tarfile.LNKTYPE, "mode": 0o4755}),
              ("etc", None, {"mode": 0o750, "uid": 5, "gid": 6}), ("etc/keep", b"one", {}), ("etc/gone", b"x", {}),
              ("opt", None, {}), ("opt/a", None, {}), ("opt/a/one", b"1", {}), ("opt/a/two", b"2", {}),
              *((("/".join(LONG.split("/")[:n])), None, {}) for n in range(1, 9)),
              (LONG, b"deep", {"uid": 3000000, "mtime": 1700000000.25})),
        layer(("etc", None, {"mode": 0o700, "uid": 5, "gid": 6}), ("etc/.wh.gone", b"", {}), ("etc/keep", b"two", {"mode": 0o600}),
              ("opt/a", None, {}), ("opt/a/three", b"3", {}), ("opt/a/.wh..wh..opq", b"", {})),
        layer(("etc", None, {"mode": 0o700, "uid": 5, "gid": 6}),
              ("etc/new", b"new", {"pax_headers": {"SCHILY.xattr.user.note": "kept"}})),
    ]


def image(**kwargs):
    """An images.oci.Image; kwargs: as there."""
    return oci.Image(layers(), app=APP, **kwargs)


def plain():
    """One whose layers hide nothing."""
    return oci.Image([layer(("a", None, {}), ("a/one", b"1", {})), layer(("a", None, {}), ("a/two", b"2", {}))], app=APP)

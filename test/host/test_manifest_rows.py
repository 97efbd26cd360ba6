# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a manifest may say wrongly: the rows 97 to 119 of the table of bad input. An image is refused by `rkt fetch`, or at the
latest by `rkt run`, in one sentence that names the field; what is odd but allowed arrives as it is."""
import io
import json
import os
import re
import tarfile

import pytest

from images import aci

from conftest import ISOLATED, app_section

pytestmark = pytest.mark.usefixtures("no_images")

NAME = "example.com/odd"


def document(app=None, **more):
    """A right manifest as a dictionary; `app`: members of app; `more`: other members, None takes one away."""
    doc = {**aci.manifest(NAME, app={"exec": ["/bin/true"], **(app or {})}), **more}
    return {k: v for k, v in doc.items() if v is not None}


def write(path, text, members=None):
    """An archive by hand, with this manifest and an empty root."""
    with tarfile.open(path, "w") as tar:
        for name, kind, data in members or [("manifest", tarfile.REGTYPE, text), ("rootfs", tarfile.DIRTYPE, b"")]:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755
            if kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                info.linkname, data = data.decode(), b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def fetch(host, path, check=False):
    """rkt fetch of a file whose signature does not matter."""
    return host.rkt("--insecure-options=image", "fetch", path, check=check)


def refused(host, done, pattern):
    """One short error that has the pattern, exit status 254, nothing in the store."""
    assert done.rc == 254 and done.out == "", done
    assert re.search(pattern, done.err), f"{pattern!r} is not in {done.err!r}"
    assert len(done.err) < 2000 and done.err.count("\n") <= 4, done.err
    assert not re.search("[\x00-\x08\x0b-\x1f]", done.err), done.err
    assert host.rkt("image", "list", "--no-legend").out == ""


GOOD = json.dumps(document())
TEXTS = {
    "row 97 empty": b"", "row 97 cut": GOOD[:-3].encode(), "row 97 trailing": (GOOD + " 1").encode(), "row 97 array": b"[]",
    "row 97 null": b"null", "row 97 bom": b"\xef\xbb\xbf" + GOOD.encode(), "row 97 comment": ("/* x */" + GOOD).encode(),
    "row 98 utf-8": GOOD.replace(NAME, NAME + "\xff").encode("latin-1"), "row 98 nul": GOOD.replace(NAME, NAME + "\\u0000").encode(),
    "row 98 surrogate": GOOD.replace("/bin/true", "/bin/\\ud800").encode(),
    "row 99 deep": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "row 100 exponent": GOOD.replace('"exec"', '"supplementaryGIDs": [1e999999], "exec"').encode(),
    "row 100 large": GOOD.replace('"exec"', f'"supplementaryGIDs": [{2 ** 70}], "exec"').encode(),
    "row 101 duplicate": GOOD.replace('{"acKind"', '{"name": "example.com/other", "acKind"').encode(),
}


@pytest.mark.parametrize("row", TEXTS)
def test_not_right_json(host, tmp_path, row):
    """Rows 97 to 101: refused, with the place."""
    refused(host, fetch(host, write(tmp_path / "x.aci", TEXTS[row])), "manifest")


def test_other_case_is_no_effect(host, tmp_path):
    """Row 101: a member that differs in case is another member: without effect, or refused."""
    path = write(tmp_path / "x.aci", GOOD.replace('{"acKind"', '{"NAME": "example.com/other", "acKind"').encode())
    done = fetch(host, path)
    assert done.rc in (0, 254)
    assert "example.com/other" not in host.rkt("image", "list", "--fields=name", "--no-legend").out


REG, DIR = tarfile.REGTYPE, tarfile.DIRTYPE
ROOTFS = ("rootfs", DIR, b"")
PLACES = {
    "row 102 missing": [ROOTFS],
    "row 102 two": [("manifest", REG, GOOD.encode()), ROOTFS, ("manifest", REG, GOOD.encode())],
    "row 102 two spellings": [("./manifest", REG, GOOD.encode()), ROOTFS, ("manifest", REG, GOOD.encode())],
    "row 102 link": [("rootfs", DIR, b""), ("rootfs/m", REG, GOOD.encode()), ("manifest", tarfile.SYMTYPE, b"rootfs/m")],
    "row 102 hard link": [("rootfs", DIR, b""), ("rootfs/m", REG, GOOD.encode()), ("manifest", tarfile.LNKTYPE, b"rootfs/m")],
    "row 102 fifo": [("manifest", tarfile.FIFOTYPE, b""), ROOTFS],
    "row 102 directory": [("manifest", DIR, b""), ROOTFS],
    "row 103 no rootfs": [("manifest", REG, GOOD.encode())],
}


@pytest.mark.parametrize("row", PLACES)
def test_manifest_is_not_where_it_belongs(host, tmp_path, row):
    """Rows 102 and 103."""
    refused(host, fetch(host, write(tmp_path / "x.aci", None, PLACES[row])), "manifest|rootfs")


def pairs(*items):
    """[{"name": ..., "value": ...}, ...]"""
    return [{"name": n, "value": v} for n, v in items]


LABELS = [("version", "1"), ("os", "linux"), ("arch", aci.ARCH)]
HANDLER = {"exec": ["/bin/true"]}
DOCUMENTS = {
    "row 104 kind": (document(acKind="imagemanifest"), "acKind"),
    "row 104 no version": (document(acVersion=None), "acVersion"),
    "row 104 banana": (document(acVersion="banana"), "acVersion"),
    "row 105 empty": (document(name=""), "name"),
    "row 105 upper": (document(name="Example.com/x"), "name"),
    "row 105 space": (document(name="example.com/a b"), "name"),
    "row 105 newline": (document(name="example.com/a\nb"), "name"),
    "row 105 slash": (document(name="/example.com"), "name"),
    "row 105 dots": (document(name="example.com/../x"), "name"),
    "row 106 duplicate": (document(labels=pairs(*LABELS, ("os", "linux"))), "label"),
    "row 106 name": (document(labels=pairs(*LABELS, ("name", "x"))), "label"),
    "row 106 os": (document(labels=pairs(("os", "plan9"), ("arch", "amd64"))), "os"),
    "row 106 arch": (document(labels=pairs(("os", "linux"), ("arch", "pdp11"))), "arch"),
    "row 107 string": (document({"exec": "/bin/true"}), "exec"),
    "row 108 equals": (document({"environment": pairs(("A=B", "x"))}), "A=B.*variable"),
    "row 108 duplicate": (document({"environment": pairs(("A", "1"), ("A", "2"))}), "variable 'A'"),
    "row 109 newline": (document({"user": "0\nX"}), "user"),
    "row 109 large": (document({"user": "4294967295"}), "user"),
    "row 110 relative": (document({"workingDirectory": "tmp"}), "working directory"),
    "row 111 dots": (document({"mountPoints": [{"name": "a", "path": "/x/../../y"}]}), "mountPoints|path"),
    "row 111 over /proc": (document({"mountPoints": [{"name": "a", "path": "/proc"}]}), "/proc"),
    "row 111 duplicate": (document({"mountPoints": [{"name": "a", "path": "/x"}, {"name": "a", "path": "/y"}]}), "mountPoints|mount point"),
    "row 112 port": (document({"ports": [{"name": "http", "protocol": "tcp", "port": 70000}]}), "port"),
    "row 112 count": (document({"ports": [{"name": "http", "protocol": "tcp", "port": 65530, "count": 10}]}), "port"),
    "row 113 both": (document({"isolators": [{"name": "os/linux/capabilities-retain-set", "value": {"set": ["CAP_KILL"]}},
                                             {"name": "os/linux/capabilities-remove-set", "value": {"set": ["CAP_KILL"]}}]}), "capabilit"),
    "row 113 capability": (document({"isolators": [{"name": "os/linux/capabilities-retain-set", "value": {"set": ["CAP_FLY"]}}]}), "CAP_FLY"),
    "row 113 memory": (document({"isolators": [{"name": "resource/memory", "value": {"limit": "99999999999999999999E"}}]}), "memory"),
    "row 113 cpu": (document({"isolators": [{"name": "resource/cpu", "value": {"limit": "-1"}}]}), "cpu"),
    "row 114 negative": (document({"supplementaryGIDs": [-1]}), "supplementaryGIDs"),
    "row 114 large": (document({"supplementaryGIDs": [2 ** 32]}), "supplementaryGIDs"),
    "row 115 handler": (document({"eventHandlers": [{"name": "mid-flight", **HANDLER}]}), "eventHandlers|event"),
    "row 116 id": (document(dependencies=[{"imageName": "example.com/base", "imageID": "sha512-zz"}]), "imageID|dependenc"),
    "row 118 string": (document(annotations=pairs(("note", "x" * 900_000))), "manifest"),
}


@pytest.mark.parametrize("row", DOCUMENTS)
def test_wrong_member(host, tmp_path, row):
    """Rows 104 to 118: refused when it is fetched, or at the latest when it would run; the member is named."""
    doc, pattern = DOCUMENTS[row]
    path = write(tmp_path / "x.aci", json.dumps(doc).encode())
    done = fetch(host, path)
    if done.rc == 0:
        done = host.rkt("--insecure-options=image", "run", "--net=none", path, check=False)
        assert done.rc == 254 and re.search(pattern, done.err), done
    else:
        refused(host, done, pattern)


@pytest.mark.parametrize("member", [{"exec": ["bin/no-such"]}, {"user": "nobody-here"}, {"user": "/../../etc/shadow"}])
def test_wrong_in_this_root(host, images, member):
    """Rows 107 and 109: a relative program that is not there, a user that the root does not have: the pod does not start."""
    path = images.make(NAME, app={"exec": ["/bin/true"], **member})
    done = host.rkt("--insecure-options=image", "run", "--net=none", path, check=False)
    assert done.rc != 0
    assert "user" not in member or re.search("user|shadow", done.err), done


def test_odd_but_allowed(host, pods, images):
    """Rows 107, 108, 110, 113, 117 and 118: literal bytes, a working directory, an unknown isolator, many annotations."""
    odd = '%n $HOME ; "'
    path = images.make(NAME, annotations=pairs(*((f"note-{i}", "x") for i in range(10_000))), pathWhitelist=[],
                       app={"exec": ["/bin/sh", "-c", 'printf "%s|" "$@" "$V" "$(pwd)"; echo; exec sleep infinity', "sh", odd, "a\nb"],
                            "environment": pairs(("V", "one\ntwo")), "workingDirectory": "/tmp",
                            "isolators": [{"name": "example.com/unknown", "value": {}}]})
    name = pods.write("oddbut", ISOLATED + app_section("main", path))
    pods.start(name)
    host.wait_for("its words", lambda: f"{odd}|a\nb|one\ntwo|/tmp|" in
                  "\n".join(json.loads(li)["MESSAGE"] for li in
                            host.run("journalctl", "-M", name, "-t", "main", "-o", "json", check=False).out.splitlines()))


@pytest.mark.parametrize("directory", ["/proc/self/fd/7", "/dev/fd/7", "/sys"])
def test_working_directory_of_the_kernel(host, images, directory):
    """Row 110: below /proc are links that lead out of the root; 257 refuses all of them."""
    path = images.make(NAME, app={"exec": ["/bin/true"], "workingDirectory": directory})
    done = host.rkt("--insecure-options=image", "run", "--net=none", path, check=False, timeout=20)
    assert done.rc == 254 and f"working directory '{directory}' is in" in done.err, done


def links_root(root):
    """Links that lead to where the kernel's links will be."""
    aci.busybox_root(root)
    os.makedirs(f"{root}/proc/1/root", exist_ok=True)
    for name, target in {"run/x": "/proc/1/root", "tmp/x": "../proc/1", "x": "run/x", "real": "proc/1/root", "run/gone": "/proc/9"}.items():
        os.symlink(target, f"{root}/{name}")
    return root


@pytest.mark.parametrize("directory", ["//proc/1/root", "/./proc/1/root", "/run/x", "/tmp/x/root", "/run/gone/y", "/x", "/real"])
def test_working_directory_that_leads_out(host, images, directory):
    """Row 110: neither another spelling nor an image's links, in its /run, /tmp or anywhere, lead to the kernel's directories."""
    path = images.make(NAME, root=links_root, app={"exec": ["/bin/true"], "workingDirectory": directory})
    done = host.rkt("--insecure-options=image", "run", "--net=none", path, check=False)
    assert done.rc == 254 and f"working directory '{directory}' i" in done.err, done


def pod_manifest(volumes=(), **names):
    """Apps by their names."""
    image = {"name": NAME, "id": "sha512-" + "0" * 64}
    return {"acVersion": "0.8.11", "acKind": "PodManifest", "volumes": list(volumes),
            "apps": [{"name": n, "image": image, "app": {"exec": ["/bin/true"], "user": "0", "group": "0"}} for n in names["names"]]}


PODS = {
    "two of one name": (pod_manifest(names=["a", "a"]), "second app"),
    "dots": (pod_manifest(names=[".."]), "AC Name"),
    "200 bytes": (pod_manifest(names=["a" * 200]), "longer than 128"),
    "relative source": (pod_manifest([{"name": "v", "kind": "host", "source": "srv/../data"}], names=["a"]), "absolute"),
}


@pytest.mark.parametrize("what", PODS)
def test_pod_manifest(host, installed, tmp_path, what):  # pylint: disable=unused-argument
    """Row 119: a pod manifest with two apps of one name, a name that is none, a volume of nowhere is not valid; one without is."""
    doc, pattern = PODS[what]
    path = tmp_path / "pod"
    path.write_text(json.dumps(doc))
    done = host.rkt("image", "validate", path, check=False)
    assert done.rc == 1 and pattern in done.out, done
    path.write_text(json.dumps(pod_manifest(names=["a", "b"])))
    assert host.rkt("image", "validate", path).rc == 0

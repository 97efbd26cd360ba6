# SPDX-License-Identifier: LGPL-2.1-or-later
"""Layouts and archives as umoci, skopeo, buildah and old Dockers make them: run as pods, shared layer by layer, equal file by
file to what podman and umoci make of them. Rows R11 and R12 of robustness.md 3.10."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import pytest

from conftest import CACHE, DATA
from images import aci, oci
from tree_compare import differences

INSECURE = "--insecure-options=image"
# Where a pod's root has files of its own, and directories that they are in.
POD_OWN = ("dev", "proc", "sys", "run", "tmp", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf")
POD_TOUCHED = (".: ", "./etc: ")


def sh(script, **variables):
    """A shell script; variables are its environment."""
    subprocess.run(["bash", "-euc", script], env={**os.environ, **{k: str(v) for k, v in variables.items()}}, check=True,
                   capture_output=True)


def tricky(root):
    """What a second layer may do to a first one."""
    top = pathlib.Path(root, "srv")
    (top / "dir").mkdir(exist_ok=True)
    (top / "dir/new").write_text("new\n")
    os.utime(top / "dir/new", (0, 987654321))
    (top / "gone").unlink()
    shutil.rmtree(top / "replaced")
    (top / "replaced").write_text("a file now\n")
    os.chmod(top / "suid", 0o4750)
    os.chown(top / "owned", 12, 34)
    os.setxattr(top / "owned", "user.comment", b"second")
    os.link(top / "dir/new", top / "hard")
    os.symlink("dir/new", top / "link")


def first(root):
    """What tricky() changes."""
    top = pathlib.Path(root, "srv")
    (top / "replaced").mkdir(parents=True)
    for name in ("gone", "suid", "owned", "replaced/f"):
        (top / name).write_text(name)
        os.utime(top / name, (0, 123456789))


@pytest.fixture(scope="session", name="layout")
def busybox_in_two_layers(tmp_path_factory):
    """OCI layout of umoci's: "v1" of two layers, which says hello."""
    top = tmp_path_factory.mktemp("oci")
    sh("""cd "$TOP"; umoci init --layout lay; umoci new --image lay:v1; umoci unpack --image lay:v1 one >/dev/null
          cp -a "$ROOT/." one/rootfs/""", TOP=top, ROOT=aci.cached_root(aci.busybox_root, CACHE))
    first(top / "one/rootfs")
    sh("cd $TOP; umoci repack --image lay:v1 one; umoci unpack --image lay:v1 two", TOP=top)
    tricky(top / "two/rootfs")
    sh("""cd "$TOP"; umoci repack --image lay:v1 two
          umoci config --image lay:v1 --config.entrypoint /bin/sh --config.entrypoint -c --config.cmd 'echo hello'
          skopeo copy -q oci:lay:v1 oci-archive:oci.tar:v1
          skopeo copy -q oci:lay:v1 docker-archive:docker.tar:example.com/hello:v1
          gzip -k docker.tar""", TOP=top)
    return top


@pytest.fixture(name="empty")
def store_without_layers(no_images, installed):  # pylint: disable=unused-argument
    """A store with neither images nor layers."""
    for where, pattern in (("cas/blob/sha256", "*"), ("cas/tree", "sha256-*")):
        for path in pathlib.Path(DATA, where).glob(pattern):
            shutil.rmtree(path)


@pytest.mark.parametrize("name", ["oci:{}/lay", "oci:{}/lay:v1", "oci:{}/lay:@0", "oci-archive:{}/oci.tar",
                                  "oci-archive:{}/oci.tar:v1", "docker-archive:{}/docker.tar",
                                  "docker-archive:{}/docker.tar:example.com/hello:v1", "docker-archive:{}/docker.tar.gz:@0"])
def test_run(host, installed, layout, name):  # pylint: disable=unused-argument
    """Every transport, with and without a name in it."""
    assert host.rkt("run", INSECURE, name.format(layout)).out == "hello\n"


def test_pod_file(host, pods, layout):
    """From a pod file."""
    app = f'[App main]\nImage=oci:{layout}/lay:v1\nArgs="echo from a pod"\n'
    name = pods.write("local", f"[Pod]\nInsecureOptions=image\n{app}")
    pods.start(name)
    pods.ended(name)
    assert "from a pod" in host.journal("-u", f"pod@{name}")


def test_limit_counts_all_layers(host, empty, tmp_path):  # pylint: disable=unused-argument
    """What the layers unpack to together is limited, not only each of them."""
    layers = [oci.tar({f"f{i}": b"\0" * 400000}) for i in range(5)]
    layout = oci.write_layout(str(tmp_path / "lay"), oci.Image(layers, app={"Cmd": ["/x"]}))
    refused = host.rkt("fetch", INSECURE, "--limit=image-size=1M,layers=1", f"oci:{layout}", check=False)
    assert refused.rc != 0 and "limit" in refused.err
    refused = host.rkt("fetch", INSECURE, "--limit=image-files=2,layers=1", f"oci:{layout}", check=False)
    assert refused.rc != 0 and "image-files" in refused.err
    host.rkt("fetch", INSECURE, "--limit=image-size=3M,image-files=5", f"oci:{layout}")


def test_not_verified(host, installed, layout):  # pylint: disable=unused-argument
    """Nobody signs a local file."""
    refused = host.rkt("run", f"oci:{layout}/lay:v1", check=False)
    assert refused.rc != 0 and "--insecure-options=image" in refused.err


def test_shared(host, empty, layout):  # pylint: disable=unused-argument
    """The same layers, compressed or not, from whichever transport, are kept once."""
    for name in ("oci:{}/lay:v1", "docker-archive:{}/docker.tar", "oci-archive:{}/oci.tar"):
        host.rkt("fetch", INSECURE, name.format(layout))
        assert len(list(pathlib.Path(DATA, "cas/blob/sha256").rglob("sha256-*"))) == 2


def test_the_only_image(host, installed, layout, tmp_path):  # pylint: disable=unused-argument
    """Without a name there must be one image; the sentence lists them."""
    sh('cp -a "$TOP/lay" "$TMP/lay"; umoci tag --image "$TMP/lay:v1" v2; umoci config --image "$TMP/lay:v2" --author=x',
       TOP=layout, TMP=tmp_path)
    refused = host.rkt("fetch", INSECURE, f"oci:{tmp_path}/lay", check=False)
    assert refused.rc != 0 and "v1" in refused.err and "v2" in refused.err
    refused = host.rkt("fetch", INSECURE, f"oci:{tmp_path}/lay:v3", check=False)
    assert refused.rc != 0 and "no image is called 'v3'" in refused.err


def test_buildah(host, installed, tmp_path):  # pylint: disable=unused-argument
    """An image that buildah made."""
    sh("""b="buildah --root $TMP/storage --runroot $TMP/run --storage-driver vfs"; c=$($b from scratch)
          $b copy -q $c "$ROOT" /; $b config --entrypoint '["/bin/sh"]' --cmd '-c "echo built; id -u"' --user 1000 $c
          $b commit -q --format docker $c oci-archive:"$TMP/built.tar":b1; $b rm $c""", TMP=tmp_path,
       ROOT=aci.cached_root(aci.busybox_root, CACHE))
    assert host.rkt("run", INSECURE, f"oci-archive:{tmp_path}/built.tar").out.split() == ["built", "1000"]


def legacy_archive(path, links):
    """As old Dockers save: ID/layer.tar, the second one a link to the first, manifest.json at the end."""
    layer = oci.tar({"bin": None, "bin/sh": (0o755, pathlib.Path("/bin/busybox").read_bytes()), "f": b"legacy\n"})
    config = oci.document({"architecture": oci.ARCH, "os": "linux", "config": {"Cmd": ["/bin/sh", "-c", "read x </f; echo $x"]},
                           "rootfs": {"type": "layers", "diff_ids": [oci.digest(layer)] * 2}})
    with tarfile.open(path, "w") as t:
        def add(name, data=None, link=None):
            info = tarfile.TarInfo(name)
            if link:
                info.type, info.linkname = links, link
            else:
                info.size = len(data)
            t.addfile(info, io.BytesIO(data) if data is not None else None)
        add("aa/layer.tar", layer)
        add("bb/layer.tar", link="../aa/layer.tar" if links == tarfile.SYMTYPE else "aa/layer.tar")
        add("c.json", config)
        add("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["example.com/legacy:1"],
                                          "Layers": ["aa/layer.tar", "bb/layer.tar"]}]).encode())


@pytest.mark.parametrize("links", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_legacy_docker_archive(host, installed, tmp_path, links):  # pylint: disable=unused-argument
    """Layers may be links to layers; the archive may be compressed; the same image has the same ID."""
    legacy_archive(tmp_path / "old.tar", links)
    assert host.rkt("run", INSECURE, f"docker-archive:{tmp_path}/old.tar:example.com/legacy:1").out == "legacy\n"
    (tmp_path / "old.tar.gz").write_bytes(gzip.compress((tmp_path / "old.tar").read_bytes()))
    assert len({host.rkt("fetch", INSECURE, f"docker-archive:{tmp_path}/old.tar{suffix}").out for suffix in ("", ".gz")}) == 1
    assert "example.com/legacy:1" in host.rkt("image", "list", "--no-legend", "--fields=name").out.split()


def blob(layout, digest):
    """The path of a blob."""
    return layout / "blobs/sha256" / digest.split(":")[1]


def spoil(layout, what):
    """R11, R12: makes a copy of a good layout bad; returns what the sentence must have."""
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(layout, index["manifests"][0]["digest"]).read_text())
    layer = blob(layout, manifest["layers"][-1]["digest"])
    if what == "version":
        (layout / "oci-layout").write_text('{"imageLayoutVersion":"9.9.9"}')
        return "9.9.9"
    if what == "missing":
        layer.unlink()
        return layer.name
    if what == "link":
        layer.rename(layout / "elsewhere")
        layer.symlink_to(layout / "elsewhere")
        return "link"
    if what == "linked directory":
        (layout / "blobs").rename(layout / "real")
        (layout / "blobs").symlink_to("real")
        return "link"
    if what == "directory":
        layer.unlink()
        layer.mkdir()
        return "not a regular file"
    if what == "size":
        layer.write_bytes(layer.read_bytes() + b"\0")
        return layer.name
    if what == "content":
        data = bytearray(layer.read_bytes())
        data[-5] ^= 1
        layer.write_bytes(data)
        return layer.name
    if what == "manifest":
        path = blob(layout, index["manifests"][0]["digest"])
        path.write_bytes(path.read_bytes().replace(b'"schemaVersion":2', b'"schemaVersion": 2')[:-1] + b" ")
        return path.name
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "../../etc/x"
    (layout / "index.json").write_text(json.dumps(index))
    return "'..'"


@pytest.mark.parametrize("what", ["version", "missing", "link", "linked directory", "directory", "size", "content", "manifest",
                                  "traversal"])
def test_bad_layout(host, empty, layout, tmp_path, what):  # pylint: disable=unused-argument
    """R11, R12: refused by a sentence that says what, and no image is left."""
    shutil.copytree(layout / "lay", tmp_path / "lay", symlinks=True)
    wanted = spoil(tmp_path / "lay", what)
    refused = host.rkt("fetch", INSECURE, f"oci:{tmp_path}/lay", check=False)
    assert refused.rc != 0 and wanted in refused.err, refused.err
    assert not host.rkt("image", "list", "--no-legend").out
    assert not list(pathlib.Path(DATA, "cas/tmp").iterdir())


@pytest.mark.parametrize("what", ["twice", "cut", "empty", "no tar", "linked index"])
def test_bad_archive(host, empty, layout, tmp_path, what):  # pylint: disable=unused-argument
    """R11: two index.json in an archive; archives that are none; an index.json that leads out."""
    path = tmp_path / "bad.tar"
    sh('tar -C "$TOP/lay" -cf "$OUT" .', TOP=layout, OUT=path)
    if what == "twice":
        sh('tar -C "$TOP/lay" -rf "$OUT" ./index.json', TOP=layout, OUT=path)
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:-200000])
    elif what == "linked index":
        sh('cd "$TMP"; mkdir x; ln -s /etc/passwd x/index.json; echo \'{"imageLayoutVersion":"1.0.0"}\' >x/oci-layout; '
           'tar -C x -cf "$OUT" .', TMP=tmp_path, OUT=path)
    else:
        path.write_bytes(b"" if what == "empty" else b"no tar at all" * 1000)
    refused = host.rkt("fetch", INSECURE, f"oci-archive:{path}", check=False)
    assert refused.rc != 0 and refused.err
    assert what != "twice" or "twice" in refused.err
    assert not host.rkt("image", "list", "--no-legend").out
    assert not list(pathlib.Path(DATA, "cas/tmp").iterdir())


def package_layout(kind, top):
    """A layout of Debian packages, in one layer over what tricky() wants, and tricky() over it."""
    sh("""cd "$TOP"; umoci init --layout lay; umoci new --image lay:v1; umoci unpack --image lay:v1 one >/dev/null
          cp -a "$ROOT/." one/rootfs/""", TOP=top, ROOT=aci.cached_root(kind, CACHE))
    first(top / "one/rootfs")
    sh("cd $TOP; umoci repack --image lay:v1 one; rm -rf one; umoci unpack --image lay:v1 two", TOP=top)
    tricky(top / "two/rootfs")
    sh("""cd "$TOP"; umoci repack --image lay:v1 two; umoci unpack --image lay:v1 three
          umoci config --image lay:v1 --config.cmd /bin/sleep --config.cmd 1000""", TOP=top)
    return top / "three/rootfs"


class Podman:
    """An image of a layout, mounted by podman."""

    def __init__(self, layout):
        self.top = top = tempfile.mkdtemp(prefix="podman-", dir="/var/tmp")  # not an overlay itself
        self.command = ["podman", "--root", f"{top}/storage", "--runroot", f"{top}/run", "--storage-driver", "overlay"]
        self.image = self.run("pull", "-q", f"oci:{layout}")

    def run(self, *args):
        """Its output."""
        return subprocess.run([*self.command, *args], check=True, capture_output=True, text=True).stdout.strip()

    def __enter__(self):
        return self.run("image", "mount", self.image)

    def __exit__(self, *_exc):
        self.run("image", "umount", self.image)
        self.run("rmi", self.image)
        shutil.rmtree(self.top)


def not_of_the_pod(lines):
    """Differences that a pod is not meant to make."""
    return [li for li in lines if not li.startswith(POD_TOUCHED) and
            not any(li.startswith((f"./{own}:", f"./{own}/")) for own in POD_OWN)]


@pytest.mark.parametrize("kind", [aci.busybox_root, aci.web_root, aci.redis_root])
def test_equal_to_podman_and_umoci(host, pods, empty, tmp_path, kind):  # pylint: disable=unused-argument
    """Every file of an image of Debian packages, as rkt image render writes it and as a pod sees it by both kinds of trees, is
    what podman and umoci make of it: mode, owner, time, content, links, attributes."""
    peer = package_layout(kind, tmp_path)
    name = f"oci:{tmp_path}/lay:v1"
    host.rkt("fetch", INSECURE, name)
    host.rkt("image", "render", name, str(tmp_path / "rendered"))
    # umoci lists the root in a layer only if it changed; podman makes it itself
    assert not [li for li in differences(tmp_path / "rendered/rootfs", peer) if not li.startswith(".: mtime")]
    with Podman(f"{tmp_path}/lay:v1") as mounted:
        assert not [li for li in differences(tmp_path / "rendered/rootfs", mounted) if not li.startswith(".: ")]
    for backend in "index", "dir":
        host.run("systemctl", "set-environment", f"RKT_TREE_BACKEND={backend}")
        pod = pods.write(f"same-{backend}", f"[Pod]\nInsecureOptions=image\nPrivateUsers=no\n[App main]\nImage={name}\n")
        pods.start(pod)
        leader = host.run("machinectl", "show", pod, "--property=Leader", "--value").out.strip()
        found = not_of_the_pod(differences(f"/proc/{leader}/root/opt/stage2/main/rootfs", peer))
        host.run("systemctl", "unset-environment", "RKT_TREE_BACKEND")
        pods.stop(pod)
        assert not found, backend
        host.rkt("gc", "--grace-period=0s")
        host.rkt("image", "gc")


def test_redis(host, installed, tmp_path):  # pylint: disable=unused-argument
    """A server of Debian's, in a volume that the image fills, as the user that the image names."""
    sh("""cd "$TOP"; umoci init --layout lay; umoci new --image lay:r; umoci unpack --image lay:r one
          cp -a "$ROOT/." one/rootfs/; umoci repack --image lay:r one
          umoci config --image lay:r --config.user redis --config.workingdir /data --config.volume /data \
                --config.entrypoint /bin/sh --config.entrypoint -c \
                --config.cmd 'redis-server --port 0 --unixsocket /data/s --daemonize yes >/dev/null; sleep 1; redis-cli -s /data/s ping'""",
       TOP=tmp_path, ROOT=aci.cached_root(aci.redis_root, CACHE))
    assert host.rkt("run", INSECURE, f"oci:{tmp_path}/lay:r").out == "PONG\n"


def test_nginx(host, installed, tmp_path):  # pylint: disable=unused-argument
    """A server that starts as root and gives up its rights, its page in a layer of its own."""
    ask = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3"
    sh("""cd "$TOP"; umoci init --layout lay; umoci new --image lay:w; umoci unpack --image lay:w one >/dev/null
          cp -a "$ROOT/." one/rootfs/; umoci repack --image lay:w one; rm -rf one; umoci unpack --image lay:w two
          echo 'the page of the second layer' >two/rootfs/var/www/html/index.html; umoci repack --image lay:w two
          umoci config --image lay:w --config.stopsignal SIGQUIT --config.exposedports 80/tcp --config.entrypoint /bin/bash \
                --config.entrypoint -c --config.cmd "nginx -c /etc/nginx/shop.conf & sleep 1; $ASK" """,
       TOP=tmp_path, ASK=ask, ROOT=aci.cached_root(aci.web_root, CACHE))
    assert "the page of the second layer" in host.rkt("run", INSECURE, f"oci:{tmp_path}/lay:w", check=False).out


def test_digest_of_manifest_is_the_id(host, empty, layout):  # pylint: disable=unused-argument
    """The ID is the SHA-512 of the manifest: the same image is the same, wherever it came from."""
    index = json.loads((layout / "lay/index.json").read_text())
    manifest = blob(layout / "lay", index["manifests"][0]["digest"]).read_bytes()
    fetched = host.rkt("fetch", "--full", INSECURE, f"oci:{layout}/lay:v1").out.strip()
    assert fetched == "sha512-" + hashlib.sha512(manifest).hexdigest()[:64]
    assert fetched == host.rkt("fetch", "--full", INSECURE, f"oci-archive:{layout}/oci.tar").out.strip()

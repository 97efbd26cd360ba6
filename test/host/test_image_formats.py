# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt image export --format: archives that Debian's skopeo, umoci and podman read, and find the same files in."""
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import tarfile
import uuid

import pytest

from images import layered, oci
from tree_compare import differences

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"
NAME = "example.com/shop-web:1.0.0"
FORMATS = ["oci-archive", "docker-archive"]


@pytest.fixture(name="work")
def work_directory():
    """On a file system that has attributes; podman makes a name of the path, in which not every "_" may stand."""
    path = pathlib.Path(f"/srv/formats-{uuid.uuid4().hex[:8]}")
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture(name="podman")
def private_podman(host, work):
    """podman with a storage of its own; the plain driver, whose trees have no marks of overlayfs."""
    command = ["podman", "--root", work / "podman", "--runroot", work / "podman-run", "--storage-driver=vfs"]

    def run(*args, **kwargs):
        return host.run(*command, *args, timeout=300, **kwargs)

    yield run
    run("image", "umount", "--all", check=False)
    run("rmi", "--all", "--force", check=False)


def export(host, what, form, path, *more):
    """The file, and what a second export makes: the same."""
    host.rkt("image", "export", f"--format={form}", what, path, *more)
    host.rkt("image", "export", f"--format={form}", what, f"{path}.2", *more)
    assert pathlib.Path(path).read_bytes() == pathlib.Path(f"{path}.2").read_bytes(), "not deterministic"
    pathlib.Path(f"{path}.2").unlink()
    return path


def inspect(host, what, *more):
    """What skopeo says of an image."""
    return json.loads(host.run("skopeo", "inspect", *more, what, timeout=300).out)


def tree_differences(theirs, ours):
    """But for the root itself, which no layer here has: they make it as they like."""
    return [d for d in differences(theirs, ours) if not d.startswith(".: m")]


@pytest.mark.parametrize("form", FORMATS)
def test_aci_leaves_as_oci(host, images, work, podman, form):
    """IEX: one layer with all files; podman's tree is the rendered one, and the app's command is the image's."""
    host.rkt(UNSIGNED, "fetch", images.build("example.com/shop-web"))
    archive = export(host, NAME, form, work / "out")
    app = json.loads(host.rkt("image", "cat-manifest", NAME).out)["app"]
    config = inspect(host, f"{form}:{archive}", "--config")
    assert config["config"]["Entrypoint"] == app["exec"]
    assert config["os"] == "linux" and len(config["rootfs"]["diff_ids"]) == 1
    # podman's own ID is the config's digest
    with tarfile.open(archive) as tar:
        if form == "oci-archive":
            index = json.load(tar.extractfile("index.json"))
            manifest = json.load(tar.extractfile("blobs/" + index["manifests"][0]["digest"].replace(":", "/")))
            image_id = manifest["config"]["digest"].removeprefix("sha256:")
        else:
            image_id = json.load(tar.extractfile("manifest.json"))[0]["Config"].removesuffix(".json")
        assert {m.mtime for m in tar} == {0}
    podman("load", "--quiet", "--input", archive)
    assert podman("images", "--no-trunc", "--format={{.ID}} {{.Repository}}:{{.Tag}}").out.split() == [f"sha256:{image_id}", NAME]
    mounted = podman("image", "mount", NAME).out.strip()
    host.rkt("image", "render", "--rootfs-only", NAME, work / "rendered")
    assert not tree_differences(mounted, work / "rendered")


def test_aci_by_umoci(host, images, work):
    """umoci unpacks what skopeo took out of the layout."""
    host.rkt(UNSIGNED, "fetch", images.busybox)
    archive = export(host, "example.com/busybox", "oci-archive", work / "out")
    host.run("skopeo", "copy", f"oci-archive:{archive}", f"oci:{work}/layout:x")
    host.run("umoci", "unpack", "--image", f"{work}/layout:x", work / "bundle")
    host.rkt("image", "render", "--rootfs-only", "example.com/busybox", work / "rendered")
    assert not tree_differences(work / "bundle/rootfs", work / "rendered")


def test_digests(host, images, work):
    """Every blob of the layout is called by its digest, and the layer's diff_id is that of the bytes."""
    host.rkt(UNSIGNED, "fetch", images.busybox)
    with tarfile.open(export(host, "example.com/busybox", "oci-archive", work / "out")) as tar:
        names = [m.name for m in tar if m.isfile()]
        assert names == sorted(names)
        blobs = [n for n in names if n.startswith("blobs/")]
        assert len(blobs) == 3
        for name in blobs:
            assert hashlib.sha256(tar.extractfile(name).read()).hexdigest() == name.removeprefix("blobs/sha256/")
        assert json.load(tar.extractfile("oci-layout")) == {"imageLayoutVersion": "1.0.0"}


@pytest.mark.parametrize("form", ["aci", *FORMATS])
def test_compression(host, images, work, form):
    """--compression=gzip: the same bytes, smaller. (skopeo 1.9 cannot read a docker-archive so, newer ones can.)"""
    host.rkt(UNSIGNED, "fetch", images.busybox)
    plain = export(host, "example.com/busybox", form, work / "plain")
    packed = export(host, "example.com/busybox", form, work / "packed.aci", "--compression=gzip")
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.stat().st_size < plain.stat().st_size / 2
    if form == "aci":
        host.rkt("image", "validate", packed)
    elif form == "oci-archive":
        assert inspect(host, f"{form}:{packed}")["Layers"] == inspect(host, f"{form}:{plain}")["Layers"]
    else:
        again = [host.rkt(UNSIGNED, "fetch", f"{form}:{path}").out for path in (plain, packed)]
        assert again[0] == again[1]


def test_user_by_path(host, images, work):
    """What OCI cannot say is refused, and nothing is left."""
    host.rkt(UNSIGNED, "fetch", images.make("example.com/owner", app={"exec": ["/bin/true"], "user": "/etc/passwd"}))
    result = host.rkt("image", "export", "--format=oci-archive", "example.com/owner", work / "out", check=254)
    assert re.search("runs as the owner of a file", result.err), result
    assert not list(work.iterdir())


def test_existing_file(host, images, work):
    """--overwrite is needed, as for an ACI."""
    host.rkt(UNSIGNED, "fetch", images.busybox)
    (work / "out").write_text("mine")
    command = ["image", "export", "--format=oci-archive", "example.com/busybox", work / "out"]
    assert "output file exists (try --overwrite)" in host.rkt(*command, check=254).err
    assert (work / "out").read_text() == "mine"
    host.rkt(*command, "--overwrite")
    assert tarfile.is_tarfile(work / "out")


@pytest.fixture(name="layers")
def layered_image(host, work):
    """An image of three layers in the store, as it comes from a registry: compressed. Its images.oci.Image."""
    image = layered.image(manifest_fields={"annotations": {"org.example.z": "1", "org.example.a": "2"}})
    oci.write_layout(work / "layout", image, "v1")
    host.rkt(UNSIGNED, "fetch", f"oci:{work}/layout:v1")
    return image


@pytest.mark.parametrize("form", FORMATS)
def test_oci_leaves_as_it_came(host, work, layers, podman, form):
    """skopeo and podman find the same config and layers, and the same files as in the original."""
    archive = export(host, "layout", form, work / "out")
    assert host.run("skopeo", "inspect", "--raw", "--config", f"{form}:{archive}").out.encode() == layers.config
    host.run("skopeo", "copy", "-q", f"{form}:{archive}", f"dir:{work}/dir")
    copied = json.loads((work / "dir/manifest.json").read_text())
    assert copied["config"]["digest"] == oci.digest(layers.config)
    assert [item["digest"] for item in copied["layers"]] == layers.diff_ids
    for digest, data in zip(layers.diff_ids, layered.layers()):
        assert (work / "dir" / digest.split(":")[1]).read_bytes() == data
    podman("load", "--quiet", "--input", archive)
    ours = podman("image", "mount", oci.digest(layers.config)).out.strip()
    assert {str(p.relative_to(ours)) for p in pathlib.Path(ours).rglob("*")} == layered.SEEN
    podman("image", "umount", "--all")
    podman("rmi", "--all", "--force")
    theirs = podman("image", "mount", podman("pull", "-q", f"oci:{work}/layout:v1").out.strip()).out.strip()
    host.rkt("image", "export", "--format=aci", "layout", work / "out.aci")
    host.run("tar", "-xf", work / "out.aci", "--xattrs", "--xattrs-include=*", "--delay-directory-restore", "-C", work, "rootfs")
    assert not tree_differences(theirs, work / "rootfs")


def test_manifest_stays_if_it_can(host, work, layers):
    """The default is the OCI layout. Annotations go on; with plain layers the manifest goes on as it is."""
    del layers
    with tarfile.open(export(host, "layout", "default", work / "first.oci")) as tar:
        first = json.load(tar.extractfile("index.json"))["manifests"][0]
        manifest = json.load(tar.extractfile("blobs/" + first["digest"].replace(":", "/")))
    assert manifest["annotations"] == {"org.example.a": "2", "org.example.z": "1"}
    assert first["annotations"]["org.opencontainers.image.ref.name"] == "v1"
    host.rkt(UNSIGNED, "fetch", f"oci-archive:{work}/first.oci")
    with tarfile.open(export(host, "first.oci", "oci-archive", work / "second")) as tar:
        second = json.load(tar.extractfile("index.json"))["manifests"][0]
    assert second["digest"] == first["digest"]


def test_damaged_layer_stays(host, work, layers):
    """A layer that has changed on the disk is not given to anybody."""
    blob = next(pathlib.Path("/var/lib/rkt/cas/blob/sha256").rglob("sha256-" + layers.diff_ids[0].split(":")[1]))
    whole = blob.read_bytes()
    try:
        with open(blob, "r+b") as f:
            f.seek(2000)  # in bin/app
            f.write(b"!")
        for form in ("oci-archive", "docker-archive", "aci"):
            result = host.rkt("image", "export", f"--format={form}", "layout", work / "out", check=254)
            assert "damaged" in result.err and not (work / "out").exists(), result
    finally:
        blob.write_bytes(whole)


def test_there_and_back(host, work, layers, podman):
    """OCI to ACI to OCI: hard links, setuid, owners and attributes are still there, for a reader that sets them at links, too."""
    del layers
    host.rkt("image", "export", "--format=aci", "layout", work / "once.aci")
    key = host.rkt(UNSIGNED, "fetch", work / "once.aci").out.strip()
    host.rkt("image", "export", "--format=docker-archive", key, work / "back.tar")
    loaded = podman("load", "--quiet", "--input", work / "back.tar").out.split()[-1]
    root = pathlib.Path(podman("image", "mount", loaded).out.strip())
    app, again = (root / "bin/app").stat(), (root / "bin/again").stat()
    assert app.st_ino == again.st_ino and app.st_mode & 0o7777 == 0o4755
    assert (root / "etc").stat().st_uid == 5 and (root / layered.LONG).stat().st_uid == 3000000
    assert os.getxattr(root / "etc/new", "user.note") == b"kept"

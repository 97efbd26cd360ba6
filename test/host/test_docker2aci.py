# SPDX-License-Identifier: LGPL-2.1-or-later
"""docker2aci: ACIs of Docker and OCI images that are valid, say what rkt's converter said, and have the files that the layers
mean; without rights, without a trace."""
import json
import os
import pathlib
import re
import shutil
import signal
import tarfile
import time
import uuid

import pytest

from images import layered, oci, signing

pytestmark = pytest.mark.usefixtures("installed", "no_images")


@pytest.fixture(name="work")
def work_directory():
    """Where the files are made; anybody may. podman makes a name of the path, in which not every "_" may stand."""
    path = pathlib.Path(f"/srv/convert-{uuid.uuid4().hex[:8]}")
    path.mkdir()
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture(name="saved")
def saved_archive(host, work):
    """What docker save would write."""
    oci.write_layout(work / "layout", layered.image(), "v1")
    host.run("skopeo", "copy", "-q", f"oci:{work}/layout:v1", f"docker-archive:{work}/saved.tar:example.com/shop/app:1.2")
    return work / "saved.tar"


def convert(host, work, *args, **kwargs):
    """Runs it in its own directory; the names of the files that it says it made, and what it printed."""
    where = work / "out"
    where.mkdir(exist_ok=True)
    where.chmod(0o777)
    before = set(os.listdir("/var/tmp"))
    result = host.run("docker2aci", *args, cwd=where, **kwargs)
    assert set(os.listdir("/var/tmp")) == before, "a store is left"
    made = result.out.split("Generated ACI(s):\n")[1].split() if result.rc == 0 else []
    assert sorted(made) == sorted(os.listdir(where)), result
    return [where / name for name in made], result


def read(path):
    """The manifest, and the entries by path beneath rootfs."""
    with tarfile.open(path) as tar:
        manifest = json.load(tar.extractfile("manifest"))
        return manifest, {m.name.removeprefix("rootfs").lstrip("/"): m for m in tar if m.name.startswith("rootfs")}


def pairs(manifest, member):
    """labels or annotations as a dictionary."""
    return {p["name"]: p["value"] for p in manifest[member]}


def check_valid(host, *paths):
    """By rkt's own validator, which says nothing else of them."""
    assert host.rkt("image", "validate", *paths).out == ""


def test_squashed(host, work, saved):
    """The manifest says what rkt.md 5.2 lists; the files are what an overlay of the layers would show."""
    (path,), result = convert(host, work, saved)
    assert path.name == "shop-app-1.2.aci"
    with open(path, "rb") as f:
        assert f.read(2) == b"\x1f\x8b"
    check_valid(host, path)
    manifest, entries = read(path)
    assert manifest["name"] == "example.com/shop/app"
    assert pairs(manifest, "labels") == {"version": "1.2", "os": "linux", "arch": {"arm64": "aarch64"}.get(oci.ARCH, oci.ARCH)}
    notes = pairs(manifest, "annotations")
    assert {n: notes[f"appc.io/docker/{n}"] for n in ("repository", "registryurl", "tag", "originalname")} == {
        "repository": "shop/app", "registryurl": "example.com", "tag": "1.2", "originalname": "example.com/shop/app:1.2"}
    assert json.loads(notes["appc.io/docker/entrypoint"]) == ["/bin/app"]
    assert json.loads(notes["appc.io/docker/cmd"]) == ["serve", "two words"]
    assert notes["appc.io/docker/imageid"] == oci.digest(layered.image().config)
    assert notes["created"] == "2026-01-02T03:04:05Z"
    app = manifest["app"]
    assert app["exec"] == ["/bin/app", "serve", "two words"] and (app["user"], app["group"]) == ("7", "8")
    assert app["workingDirectory"] == "/srv"
    assert {"name": "6379-tcp", "protocol": "tcp", "port": 6379} .items() <= next(p for p in app["ports"] if p["port"] == 6379).items()
    assert {(m["name"], m["path"]) for m in app["mountPoints"]} == {("volume-var-tmp", "/var/tmp"), ("volume-data", "/data")}
    assert "dependencies" not in manifest and "pathWhitelist" not in manifest
    assert set(entries) - {""} == layered.SEEN
    assert entries["bin/app"].mode == 0o4755 or entries["bin/again"].mode == 0o4755
    assert {entries["bin/app"].islnk(), entries["bin/again"].islnk()} == {True, False}
    assert (entries["etc"].mode, entries["etc"].uid, entries["etc"].gid) == (0o700, 5, 6)
    assert entries["etc/keep"].size == 3 and entries["etc/keep"].mode == 0o600
    assert entries[layered.LONG].uid == 3000000 and entries[layered.LONG].mtime == 1700000000.25
    assert entries["etc/new"].pax_headers["SCHILY.xattr.user.note"] == "kept"
    assert 'name: "volume-data", path: "/data", readOnly: false' in result.out
    assert 'name: "6379-tcp", protocol: "tcp", port: 6379, count: 1, socketActivated: false' in result.out


def test_same_twice(host, work, saved):
    """Byte for byte, also over what is there; Go's flags have one dash."""
    (path,), _ = convert(host, work, "-compression=none", saved)
    first = path.read_bytes()
    assert tarfile.is_tarfile(path) and first[:8] == b"manifest"
    (path,), _ = convert(host, work, "--compression", "none", saved)
    assert path.read_bytes() == first


def test_runs(host, work, saved):
    """rkt takes it as any ACI."""
    (path,), _ = convert(host, work, saved)
    host.rkt("--insecure-options=image", "fetch", path)
    host.rkt("image", "render", "--rootfs-only", "example.com/shop/app:1.2", work / "root")
    assert (work / "root/etc/keep").read_text() == "two" and not (work / "root/opt/a/one").exists()


def test_layers(host, work, saved):
    """--nosquash: the lowest first, tied by name and ID; what is hidden stays hidden when rkt puts them together."""
    paths, _ = convert(host, work, "--nosquash", saved)
    check_valid(host, *paths)
    digests = [oci.digest(layer).split(":")[1] for layer in layered.layers()]
    arch = {"arm64": "aarch64"}.get(oci.ARCH, oci.ARCH)
    assert [p.name for p in paths] == [f"shop-app-{d}-1.2-linux-{arch}-{2 - i}.aci" for i, d in enumerate(digests)]
    manifests = [read(p)[0] for p in paths]
    for manifest, digest in zip(manifests, digests):
        assert manifest["name"] == f"example.com/shop/app-{digest}"
        assert pairs(manifest, "labels") == {"layer": digest, "version": "1.2", "os": "linux", "arch": arch}
    assert not any("app" in m or "dependencies" in m for m in manifests[:2])
    assert [d["imageName"] for d in manifests[2]["dependencies"]] == [m["name"] for m in manifests[:2]]
    assert set(manifests[2]["pathWhitelist"]) == {f"/{path}" for path in layered.SEEN}
    assert not any(".wh." in name for path in paths for name in read(path)[1])
    ids = [host.rkt("--insecure-options=image", "fetch", "--full", path).out.strip() for path in paths]
    assert [d["imageID"][:71] for d in manifests[2]["dependencies"]] == ids[:2]
    host.rkt("image", "render", "--rootfs-only", ids[2], work / "root")
    seen = {str(p.relative_to(work / "root")) for p in (work / "root").rglob("*")}
    assert seen == layered.SEEN
    assert (work / "root/etc/keep").read_text() == "two"


def test_layers_without_whitelist(host, work):
    """Where nothing is hidden no list is needed."""
    oci.write_layout(work / "plain", layered.plain(), "v1")
    paths, _ = convert(host, work, "--nosquash", f"{work}/plain,v1")
    assert len(paths) == 2 and all("pathWhitelist" not in read(p)[0] for p in paths)


def test_without_rights(host, work, saved):
    """Nobody gets the same file as root."""
    saved.chmod(0o644)
    (path,), _ = convert(host, work, "--compression=none", saved)
    as_root = path.read_bytes()
    path.unlink()
    where = work / "out"
    host.run("runuser", "-u", "nobody", "--", "docker2aci", "--compression=none", saved, cwd=where)
    assert path.read_bytes() == as_root


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive", "layout"])
def test_forms(host, work, saved, form):
    """Every form of a file."""
    source = {"docker-archive": saved, "layout": work / "layout", "oci-archive": work / "a.oci"}[form]
    if form == "oci-archive":
        host.run("skopeo", "copy", "-q", f"oci:{work}/layout:v1", f"oci-archive:{work}/a.oci:example.com/shop/app:1.2")
    (path,), _ = convert(host, work, source)
    assert path.name == ("layout.aci" if form == "layout" else "shop-app-1.2.aci")
    assert set(read(path)[1]) - {""} == layered.SEEN


def test_several(host, work):
    """A file with several images: which one must be said, by --image or behind a comma."""
    podman = ["podman", "--root", work / "podman", "--runroot", work / "run", "--storage-driver=vfs"]
    for name, image in (("one", layered.image()), ("two", layered.plain())):
        oci.write_layout(work / name, image, "x")
        pulled = host.run(*podman, "pull", "-q", f"oci:{work}/{name}:x").out.strip()
        host.run(*podman, "tag", pulled, f"example.com/{name}:1")
    host.run(*podman, "save", "-q", "-m", "-o", work / "both.tar", "example.com/one:1", "example.com/two:1")
    _, result = convert(host, work, work / "both.tar", check=1)
    assert re.search(r"several images found, use option --image with one of:\n\n?(.*\n)*.*example.com/two:1", result.err), result
    (path,), _ = convert(host, work, "--image=example.com/two:1", work / "both.tar")
    assert path.name == "two-1.aci" and "a/two" in read(path)[1]
    path.unlink()
    (path,), _ = convert(host, work, f"{work}/both.tar,example.com/one:1")
    assert path.name == "one-1.aci" and "etc/new" in read(path)[1]


def test_bad_layer(host, work, saved):
    """A layer that is not what the config says: refused, nothing is left, not even of the first layers."""
    with tarfile.open(saved) as tar:
        names = [m for m in tar if m.isfile() and m.name.endswith(".tar")]
    with open(saved, "r+b") as f:
        f.seek(names[-1].offset_data + 600)
        f.write(b"!")
    for flags in ([], ["--nosquash"]):
        made, result = convert(host, work, *flags, saved, check=1)
        assert not made and "sha256:" in result.err, result


def test_killed(host, work, saved):
    """Whatever the moment: no store and no half file stay behind."""
    where = work / "out"
    where.mkdir()
    before = set(os.listdir("/var/tmp"))
    for delay in (0.005, 0.02, 0.05):
        process = host.spawn("docker2aci", saved, cwd=where)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    host.wait_for("the stores are gone", lambda: set(os.listdir("/var/tmp")) == before)
    assert set(os.listdir(where)) <= {"shop-app-1.2.aci"}
    if (where / "shop-app-1.2.aci").exists():
        check_valid(host, where / "shop-app-1.2.aci")


def test_store_of_the_caller(host, work, saved):
    """--dir: the image stays there, and nowhere else."""
    def stored(data):
        return {p.name for p in pathlib.Path(data, "cas/blob").rglob("sha256-*")}

    before = stored("/var/lib/rkt")
    convert(host, work, f"--dir={work}/data", saved)
    assert stored(work / "data") == {oci.digest(layer).replace(":", "-") for layer in layered.layers()}
    assert stored("/var/lib/rkt") == before


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_registry(host, work, debian_registry, docker):
    """From a registry with TLS: the names and annotations of rkt.md 5.2."""
    image = layered.image(docker=docker)
    digest = debian_registry.push(image, "library/shop", "7")
    (path,), result = convert(host, work, f"docker://{debian_registry.host}/library/shop:7")
    assert path.name == "library-shop-7.aci" and "sha512-" not in result.out
    check_valid(host, path)
    manifest, entries = read(path)
    name = debian_registry.host.replace(":", "_")
    assert manifest["name"] == f"{name}/library/shop"
    notes = {n.removeprefix("appc.io/docker/"): v for n, v in pairs(manifest, "annotations").items()}
    assert {n: notes[n] for n in ("registryurl", "repository", "tag", "originalname", "imageid", "manifesthash")} == {
        "registryurl": debian_registry.host, "repository": "library/shop", "tag": "7",
        "originalname": f"{debian_registry.host}/library/shop:7", "imageid": oci.digest(image.config), "manifesthash": digest}
    assert set(entries) - {""} == layered.SEEN
    path.unlink()
    paths, _ = convert(host, work, "--nosquash", f"docker://{debian_registry.host}/library/shop:7")
    assert [p.name.rsplit("-", 4)[0] for p in paths] == ["library-shop-" + d.split(":")[1] for d in image.diff_ids]
    check_valid(host, *paths)


def test_registry_without_image(host, work, debian_registry):
    """Not there: nothing is made, and the registry's word for it is passed on."""
    made, result = convert(host, work, f"docker://{debian_registry.host}/library/nothing:7", check=1)
    assert not made and result.err.startswith("docker2aci: ") and "library/nothing" in result.err, result


@pytest.mark.parametrize("policy", ["Reject=yes", "CosignKey={key}"], ids=["reject", "unsigned"])
def test_registry_rejected(host, work, debian_registry, policy):
    """What trust.d says of an image holds for a conversion, too; an image of which it says nothing is converted."""
    debian_registry.push(layered.plain(), "secret/shop", "7")
    name = f"docker://{debian_registry.host}/secret/shop:7"
    key = signing.Key(f"{work}/keys", "cosign", "p256")
    trust = pathlib.Path("/etc/rkt/trust.d/convert.conf")
    trust.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        trust.write_text(f"[Trust]\nPrefix={debian_registry.host}/secret\n{policy.format(key=key.public)}\n")
        made, _ = convert(host, work, name, check=1)
        assert not made
    finally:
        trust.unlink()
    convert(host, work, name)

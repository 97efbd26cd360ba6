# SPDX-License-Identifier: LGPL-2.1-or-later
"""Docker images: from a registry until they can run, beside podman, and skopeo with umoci; and what several take on disk."""
import os
import pathlib
import shutil

from common import PODMAN, WORK, ratio, rounds, run, spread, table
from fetch import DATA, REGISTRY, Servers, Timed, disk_usage, realistic_root, remove_images
from images import aci, oci

COPY = f"{DATA}/t-skopeo"
# what a pull and an unpacking are without a storage: the layers, then the files
BY_HAND = """#!/bin/sh
set -e
skopeo copy -q --src-tls-verify=false docker://{registry}/$1 oci:{copy}/layout:x
umoci unpack --image {copy}/layout:x {copy}/bundle
"""


def four_layers(root):
    """The realistic image as a distribution's base, its libraries, its programs, and data: paths beneath root."""
    tops = sorted(os.listdir(root))
    parts = [[], [], [], []]
    for top in tops:
        if top in ("usr", "srv"):
            for name in sorted(os.listdir(f"{root}/{top}")):
                which = 3 if top == "srv" else 1 if name.startswith("lib") else 2
                parts[which].append(f"{top}/{name}")
        else:
            parts[0].append(top)
    return [part for part in parts if part]


def pack(name, root, paths):
    """A layer as gzip; (file, diff_id, size of the tar)."""
    path = f"{WORK}/{name}.tar"
    if not os.path.exists(path + ".gz"):
        run("tar", "--numeric-owner", "--format=posix", "--sort=name", "--pax-option=delete=atime,delete=ctime", "-cf", path, "-C", root, *paths)
        run("sh", "-c", f"sha256sum < {path} | cut -d ' ' -f 1 > {path}.id; stat -c %s {path} > {path}.size; gzip -6n {path}")
    return f"{path}.gz", "sha256:" + pathlib.Path(f"{path}.id").read_text().strip(), int(pathlib.Path(f"{path}.size").read_text())


def file_digest(path):
    """sha256:HEX of a file."""
    return "sha256:" + run("sha256sum", path).stdout.split()[0]


def push(name, layers):
    """An image of packed layers, by way of an OCI layout; its tar bytes and compressed bytes."""
    layout = f"{WORK}/layout-{name}"
    blobs = f"{layout}/blobs/sha256"
    os.makedirs(blobs, exist_ok=True)
    described = []
    for path, _, _ in layers:
        digest = file_digest(path)
        target = f"{blobs}/{digest[7:]}"
        if not os.path.exists(target):
            os.link(path, target)
        described.append({"mediaType": oci.LAYER + "+gzip", "digest": digest, "size": os.path.getsize(path)})
    config = oci.document({"created": "2026-01-02T03:04:05Z", "os": "linux", "architecture": oci.ARCH, "config": {"Cmd": ["/bin/true"]},
                           "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id, _ in layers]}})
    manifest = oci.document({"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": oci.Image.descriptor(oci.CONFIG, config),
                             "layers": described})
    index = oci.document({"schemaVersion": 2, "manifests": [oci.Image.descriptor(oci.MANIFEST, manifest)]})
    for data in (config, manifest):
        pathlib.Path(blobs, oci.digest(data)[7:]).write_bytes(data)
    pathlib.Path(layout, "index.json").write_bytes(index)
    pathlib.Path(layout, "oci-layout").write_bytes(oci.document({"imageLayoutVersion": "1.0.0"}))
    run("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{REGISTRY}/{name}:latest")
    return sum(size for _, _, size in layers), sum(os.path.getsize(path) for path, _, _ in layers)


def large_once(root):
    """800 MB: the realistic root four times."""
    for i in range(4):
        shutil.copytree(aci.cached_root(realistic_root, WORK), f"{root}/{i}", symlinks=True)
    return root


def entries(root):
    """Names beneath."""
    return sum(len(directories) + len(files) for _, directories, files in os.walk(root))


def no_podman_images():
    """Empty podman's storage."""
    run(*PODMAN, "rmi", "-af")


def no_copies():
    """Away with what was done by hand."""
    shutil.rmtree(COPY, ignore_errors=True)
    os.makedirs(COPY)


def rkt_fetch(name):
    """The command."""
    return ["/usr/bin/rkt", "--insecure-options=image,http", "fetch", f"docker://{REGISTRY}/{name}"]


def podman_pull(name):
    """The command."""
    return ["/usr/bin/" + PODMAN[0], *PODMAN[1:], "pull", "-q", "--tls-verify=false", f"{REGISTRY}/{name}"]


def before_second(empty, first):
    """Nothing but the first image is there."""
    def prepare():
        empty()
        run(*first)
    return prepare


def compare(candidates, found):
    """One row for each, beside the first."""
    ours = next(iter(candidates))
    table(["command", "wall ms", "CPU ms", "RSS MiB", "rkt / this, wall", "rkt / this, CPU"],
          [[name, spread(found[name], 0), spread(c.cpu, 0), f"{c.rss / 1024:.0f}",
            "" if name == ours else ratio(found[ours], found[name]),
            "" if name == ours else ratio(candidates[ours].cpu[1:], c.cpu[1:])] for name, c in candidates.items()])


def pull_whole(name, title, tar, packed, count, rounds_wanted):
    """One image, from nothing."""
    script = pathlib.Path(WORK, "by-hand.sh")
    script.write_text(BY_HAND.format(registry=REGISTRY, copy=COPY))
    candidates = {"rkt fetch": Timed(rkt_fetch(name), remove_images),
                  "podman pull": Timed(podman_pull(name), no_podman_images),
                  "skopeo copy, umoci unpack": Timed(["/bin/sh", str(script), name], no_copies)}
    found = rounds(candidates, rounds_wanted)
    print(f"### {title}\n\n{tar / 1e6:.0f} MB of tar, {packed / 1e6:.0f} MB as gzip, {count} entries; {rounds_wanted} rounds.\n")
    compare(candidates, found)


def pull_second(first, second, alone):
    """An image whose layers are there but for the last; and that layer as an image."""
    candidates = {"rkt fetch, second": Timed(rkt_fetch(second), before_second(remove_images, rkt_fetch(first))),
                  "rkt fetch, that layer alone": Timed(rkt_fetch(alone), remove_images),
                  "podman pull, second": Timed(podman_pull(second), before_second(no_podman_images, podman_pull(first)))}
    found = rounds(candidates, 9)
    print("### A second image that shares all but its last layer\n\nAnd that layer as an image of its own, into an empty store. 9 rounds.\n")
    compare(candidates, found)


def pull_three(names):
    """What they take on disk together."""
    rows = []
    for title, empty, command, top in (("rkt", remove_images, rkt_fetch, f"{DATA}/cas"),
                                       ("podman", no_podman_images, podman_pull, PODMAN[2])):
        empty()
        before = disk_usage(top)
        for name in names:
            run(*command(name))
        rows.append([title, f"{(disk_usage(top) - before) / 1e6:.1f}"])
        empty()
    print("### Three images that share layers, on disk\n\nThree of four layers are the same.\n")
    table(["storage of", "MB"], rows)


def bench_pull():
    """Images of layers."""
    if not all(shutil.which(tool) for tool in ("podman", "skopeo", "umoci", "docker-registry")):
        print("## Pull\n\nNot measured: podman, skopeo, umoci or docker-registry is missing.\n")
        return
    root, large = aci.cached_root(realistic_root, WORK), aci.cached_root(large_once, WORK)
    layers = [pack(f"layer{i}", root, paths) for i, paths in enumerate(four_layers(root))]
    others = []
    for i in (1, 2):
        top = f"{WORK}/other{i}"
        os.makedirs(f"{top}/opt", exist_ok=True)
        if not os.listdir(f"{top}/opt"):
            shutil.copytree(f"{root}/usr/share", f"{top}/opt/{i}", symlinks=True)
        others.append(pack(f"other{i}", top, ["opt"]))
    with Servers():
        sizes = push("medium", layers)
        push("second", [*layers[:-1], others[0]])
        push("third", [*layers[:-1], others[1]])
        push("alone", [others[0]])
        huge = push("large", [pack("large", large, ["."])])
        print("## Pull\n\nFrom docker-registry over HTTP on loopback, into ext4 on a loop device, until the image can run: a mountable tree "
              "(rkt, synced), a storage of unpacked layers (podman), an unpacked bundle (umoci). CPU: of all processes but the "
              "registry's; RSS: of the largest.\n")
        pull_whole("medium", f"200 MB in {len(layers)} layers", *sizes, entries(root), 9)
        pull_whole("large", "800 MB in one layer", *huge, entries(large), 5)
        pull_second("medium", "second", "alone")
        pull_three(["medium", "second", "third"])
    remove_images()
    no_podman_images()
    shutil.rmtree(COPY, ignore_errors=True)

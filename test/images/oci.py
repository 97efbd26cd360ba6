# SPDX-License-Identifier: LGPL-2.1-or-later
"""OCI and Docker images made of bytes: layers, configs, manifests, indexes; as a layout for other programs."""
import gzip
import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OCI, DOCKER = "application/vnd.oci.image.", "application/vnd.docker."
INDEX, MANIFEST = OCI + "index.v1+json", OCI + "manifest.v1+json"
CONFIG, LAYER = OCI + "config.v1+json", OCI + "layer.v1.tar"
DOCKER_LIST = DOCKER + "distribution.manifest.list.v2+json"
DOCKER_MANIFEST = DOCKER + "distribution.manifest.v2+json"
DOCKER_CONFIG, DOCKER_LAYER = DOCKER + "container.image.v1+json", DOCKER + "image.rootfs.diff.tar"


def digest(data):
    """sha256:HEX of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def document(value):
    """A value as the bytes of a document."""
    return json.dumps(value, separators=(",", ":")).encode()


def tar(entries):
    """An uncompressed layer. entries: {path: bytes (file), None (directory), str (link to), or (mode, bytes)}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for path, content in entries.items():
            info = tarfile.TarInfo(path)
            info.mode = 0o644
            if isinstance(content, tuple):
                info.mode, content = content
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            t.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def compress(data, how):
    """Bytes as a layer is sent: how is "", "gzip" or "zstd"."""
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


class Image:
    """One image. `blobs`: {digest: bytes} of config and layers; `manifest`: its bytes; `digest`, `media_type`: of that.
    layers: bytes of tars. app: "config" of the config. fields, manifest_fields: replace members of the documents."""

    def __init__(self, layers, compression="gzip", app=None, docker=False, arch=ARCH, variant=None, fields=None,
                 manifest_fields=None):
        self.platform = {"os": "linux", "architecture": arch, **({"variant": variant} if variant else {})}
        self.layers = [compress(layer, compression) for layer in layers]
        self.diff_ids = [digest(layer) for layer in layers]
        config = {"created": "2026-01-02T03:04:05Z", **self.platform, "config": app or {},
                  "rootfs": {"type": "layers", "diff_ids": self.diff_ids}, **(fields or {})}
        self.config = document(config)
        self.media_type = DOCKER_MANIFEST if docker else MANIFEST
        kind = DOCKER_LAYER + {"": "", "gzip": ".gzip", "zstd": ".zstd"}[compression] if docker else \
            LAYER + ("+" + compression if compression else "")
        self.manifest_value = {
            "schemaVersion": 2, "mediaType": self.media_type,
            "config": self.descriptor(DOCKER_CONFIG if docker else CONFIG, self.config),
            "layers": [self.descriptor(kind, layer) for layer in self.layers], **(manifest_fields or {})}
        self.blobs = {digest(blob): blob for blob in [self.config, *self.layers]}
        self.manifest = document(self.manifest_value)
        self.digest = digest(self.manifest)

    @staticmethod
    def descriptor(media_type, data):
        """What leads to bytes."""
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    @property
    def entry(self):
        """The descriptor of this image in an index."""
        return {**self.descriptor(self.media_type, self.manifest), "platform": self.platform}

    @property
    def manifests(self):
        """{digest: (media type, bytes)} of all manifests."""
        return {self.digest: (self.media_type, self.manifest)}


class Index:
    """Several images, one per platform. entries: images or indexes, or descriptors as they are."""

    def __init__(self, entries, docker=False, fields=None):
        self.media_type = DOCKER_LIST if docker else INDEX
        self.blobs, self.manifests = {}, {}
        for entry in entries:
            if not isinstance(entry, dict):
                self.blobs.update(entry.blobs)
                self.manifests.update(entry.manifests)
        self.manifest = document({"schemaVersion": 2, "mediaType": self.media_type,
                                  "manifests": [e if isinstance(e, dict) else e.entry for e in entries],
                                  **(fields or {})})
        self.digest = digest(self.manifest)
        self.manifests[self.digest] = (self.media_type, self.manifest)

    @property
    def entry(self):
        """The descriptor of this index in another one."""
        return Image.descriptor(self.media_type, self.manifest)


def artifact(kind, layers, subject=None, annotations=None):
    """A manifest that is no image: signatures and the like. layers: (media type, bytes, annotations). Its Image members."""
    made = Image([])
    empty = b"{}"
    value = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind,
             "config": Image.descriptor("application/vnd.oci.empty.v1+json", empty),
             "layers": [{**Image.descriptor(t, data), **({"annotations": a} if a else {})} for t, data, a in layers]}
    if subject is not None:
        value["subject"] = Image.descriptor(subject.media_type, subject.manifest)
    if annotations:
        value["annotations"] = annotations
    made.blobs = {digest(data): data for data in [empty, *[layer[1] for layer in layers]]}
    made.manifest = document(value)
    made.digest = digest(made.manifest)
    return made


def write_layout(directory, image, tag="latest"):
    """An image or index as an OCI layout, for skopeo and umoci; returns the directory."""
    blobs = os.path.join(directory, "blobs", "sha256")
    os.makedirs(blobs, exist_ok=True)
    everything = {**image.blobs, **{d: data for d, (_, data) in image.manifests.items()}}
    for name, data in everything.items():
        with open(os.path.join(blobs, name.split(":")[1]), "wb") as f:
            f.write(data)
    index = {"schemaVersion": 2, "manifests": [{**image.entry, "annotations": {"org.opencontainers.image.ref.name": tag}}]}
    for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", index)):
        with open(os.path.join(directory, name), "wb") as f:
            f.write(document(value))
    return directory

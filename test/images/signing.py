# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signatures of images in registries, by openssl: as cosign writes them (there is no cosign in Debian), old and new."""
import base64
import hashlib
import json
import os
import subprocess

from . import oci

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
STATEMENT = "application/vnd.in-toto+json"
EMPTY = "application/vnd.oci.empty.v1+json"
PREDICATE = "https://sigstore.dev/cosign/sign/v1"


class Key:
    """A key pair, made once per directory. kind: p256, p384, ed25519, rsa2048, rsa1024."""

    def __init__(self, directory, name="cosign", kind="p256"):
        os.makedirs(directory, exist_ok=True)
        self.kind = kind
        self.private = os.path.join(directory, f"{name}-{kind}.key")
        self.public = os.path.join(directory, f"{name}-{kind}.pub")
        if not os.path.exists(self.public):
            how = {"p256": ["EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
                   "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
                   "ed25519": ["ed25519"],
                   "rsa2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                   "rsa1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]}[kind]
            self._openssl("genpkey", "-algorithm", *how, "-out", self.private)
            self._openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    @staticmethod
    def _openssl(*args, stdin=None):
        return subprocess.run(["openssl", *args], check=True, capture_output=True, input=stdin).stdout

    @property
    def digest(self):
        """SHA-256 of the key, as bytes."""
        return hashlib.sha256(self._openssl("pkey", "-in", self.private, "-pubout", "-outform", "DER")).digest()

    @property
    def fingerprint(self):
        """As rkt shows it."""
        return "SHA256:" + self.digest.hex()

    def sign(self, data):
        """base64 of a signature over bytes."""
        if self.kind == "ed25519":
            path = self.private + ".data"
            with open(path, "wb") as f:
                f.write(data)
            made = self._openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", path)
        else:
            made = self._openssl("dgst", "-sha256", "-sign", self.private, stdin=data)
        return base64.b64encode(made).decode()


def payload(digest, reference, **critical):
    """What cosign signs: JSON. critical: replaces or adds members."""
    return oci.document({"critical": {"identity": {"docker-reference": reference},
                                      "image": {"docker-manifest-digest": digest},
                                      "type": "cosign container image signature", **critical}, "optional": None})


def tag_of(digest, suffix=""):
    """sha256-HEX, where signatures are found."""
    return digest.replace(":", "-") + suffix


def _signature_manifest(layers):
    """What stands at sha256-HEX.sig: a manifest without an artifactType, whose config is one of an image."""
    made = oci.artifact(SIMPLE, layers)
    value = json.loads(made.manifest)
    config = oci.document({"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}})
    del value["artifactType"]
    value["config"] = oci.Image.descriptor(oci.CONFIG, config)
    made.blobs[oci.digest(config)] = config
    made.manifest = oci.document(value)
    made.digest = oci.digest(made.manifest)
    return made


def cosign(publish, keys, digest, reference, repository="a/b", data=None):
    """Sign as cosign 2 does. publish: of a registry. keys: one or several. data: signed instead of the right payload."""
    data = payload(digest, reference) if data is None else data
    signed = _signature_manifest([(SIMPLE, data, {ANNOTATION: key.sign(data)})
                                  for key in (keys if isinstance(keys, list) else [keys])])
    publish(signed, repository, tag_of(digest, ".sig"))
    return signed


def cosign_referrer(publish, key, image, reference, repository="a/b"):
    """Sign as cosign 2 does with --registry-referrers-mode=oci-1-1: found by the referrers API, its type that of its config."""
    data = payload(image.digest, reference)
    made = oci.artifact(None, [(SIMPLE, data, {ANNOTATION: key.sign(data)})], subject=image)
    value = json.loads(made.manifest)
    del value["artifactType"]
    value["config"]["mediaType"] = "application/vnd.dev.cosign.artifact.sig.v1+json"
    made.manifest = oci.document(value)
    made.digest = oci.digest(made.manifest)
    publish(made, repository, None)
    return made


def bundle(key, digest, predicate=PREDICATE, subject=None):
    """A bundle as cosign 3 writes it: bytes."""
    statement = oci.document({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate, "predicate": {},
                              "subject": subject or [{"digest": {"sha256": digest.split(":")[1]}}]})
    encoded = b"DSSEv1 %d %s %d %s" % (len(STATEMENT), STATEMENT.encode(), len(statement), statement)
    return oci.document({"mediaType": BUNDLE,
                         "verificationMaterial": {"publicKey": {"hint": base64.b64encode(key.digest).decode()},
                                                  "tlogEntries": []},
                         "dsseEnvelope": {"payload": base64.b64encode(statement).decode(), "payloadType": STATEMENT,
                                          "signatures": [{"sig": key.sign(encoded)}]}})


def attach(publish, image, data, repository="a/b", fallback=True):
    """Attach a bundle to an image, found by the referrers API, or (fallback) by the tag sha256-HEX. cosign's index at that tag
    says a wrong artifactType of its entries."""
    made = oci.artifact(BUNDLE, [(BUNDLE, data, None)], subject=image)
    publish(made, repository, None)
    if fallback:
        entry = {**oci.Image.descriptor(oci.MANIFEST, made.manifest), "artifactType": EMPTY}
        publish(oci.Index([entry]), repository, tag_of(image.digest))
    return made

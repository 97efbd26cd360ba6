#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The appc vectors through `rkt image validate`: each input that can stand in a manifest is put into one, all are given to
one process, and its verdicts are compared. What only functions can be asked is in src/manifest/test-appc-vectors.c.

usage: validate-vectors.py RKT VECTORS"""
import glob
import json
import os
import subprocess
import sys
import tempfile

VERSION = "0.8.11"

# Where we decided against the reference: docs/NOT-TO-COPY.md.
EXCEPTIONS = {
    "up-0187": "an image ID is hex digits",
    "up-0257": "capabilities-retain-set and -remove-set together",
}


def image(raw=None, **more):
    """An image manifest; raw: {member: JSON text}."""
    parts = {"acKind": '"ImageManifest"', "acVersion": f'"{VERSION}"', "name": '"example.com/app"',
             **{k: json.dumps(v) for k, v in more.items()}, **(raw or {})}
    return "{%s}" % ",".join(f'"{k}":{v}' for k, v in parts.items())


def app(raw):
    """An image manifest whose app has this member."""
    return image({"app": '{"user":"0","group":"0",%s}' % raw})


def pod(raw):
    """A pod manifest with this member."""
    return '{"acKind":"PodManifest","acVersion":"%s","apps":[],%s}' % (VERSION, raw)


def pod_image(raw):
    """A pod manifest of one app with this image."""
    return pod("").replace('"apps":[],', '"apps":[{"name":"a","image":{%s}}]' % raw)


def annotation(name, value):
    """An image manifest with an annotation; the value as JSON text."""
    return image({"annotations": '[{"name":"%s","value":%s}]' % (name, value)})


WRAP = {
    "ac-identifier": lambda x: image(name=x),
    "ac-identifier-json": lambda x: image({"name": x}),
    "ac-kind-json": lambda x: '{"acKind":%s,"acVersion":"%s","name":"example.com/app","apps":[]}' % (x, VERSION),
    "ac-name": lambda x: pod_image("").replace('"name":"a"', '"name":' + json.dumps(x)),
    "ac-name-json": lambda x: pod_image("").replace('"name":"a"', '"name":' + x),
    "annotations-json": lambda x: image({"annotations": x}),
    "app-json": lambda x: image({"app": x}),
    "date-json": lambda x: annotation("created", x),
    "dependency-json": lambda x: image({"dependencies": "[%s]" % x}),
    "environment-json": lambda x: app('"environment":' + x),
    "image-id": lambda x: pod_image('"id":' + json.dumps(x)),
    "image-manifest": lambda x: x,
    "isolator-json": lambda x: app('"isolators":[%s]' % x),
    "isolators-json": lambda x: app('"isolators":' + x),
    "labels-from-map": lambda x: image(labels=[{"name": k, "value": v} for k, v in sorted(x.items())]),
    "labels-json": lambda x: image({"labels": x}),
    "pod-manifest": lambda x: x,
    "port-json": lambda x: app('"ports":[%s]' % x),
    "semver-json": lambda x: image({"acVersion": x}),
    "url": lambda x: annotation("homepage", json.dumps(x)),
    "url-json": lambda x: annotation("homepage", x),
}


def is_limit(v):
    """A quantity that can be a limit: not negative, of 63 bits; blanks around it are JSON's to ignore."""
    value = v.get("value")
    decimal = value.get("decimal", "0") if isinstance(value, dict) else "0"
    return v["kind"] in ("quantity", "quantity-json") and "-" not in v["input"] and v["input"] == v["input"].strip() \
        and float(decimal) < 2 ** 63


def wrapped():
    """(vector, manifest) of all that can be wrapped."""
    for path in sorted(glob.glob(f"{sys.argv[2]}/*.json")):
        with open(path, encoding="utf-8") as f:
            for v in json.load(f):
                if v["kind"] in WRAP:
                    yield v, WRAP[v["kind"]](v["input"])
                elif is_limit(v):
                    limit = v["input"] if v["kind"] == "quantity-json" else json.dumps(v["input"])
                    yield v, app('"isolators":[{"name":"resource/memory","value":{"limit":%s}}]' % limit)


def main():
    """Compares all; the exit status says whether they agree."""
    failed = 0
    with tempfile.TemporaryDirectory() as top:
        vectors = {}
        for v, text in wrapped():
            vectors[f"{top}/{v['id']}"] = v
            with open(f"{top}/{v['id']}", "w", encoding="utf-8") as f:
                f.write(text)
        done = subprocess.run([sys.argv[1], "image", "validate", "--type=manifest", *vectors], capture_output=True, text=True,
                              env={**os.environ, "LANG": "C.UTF-8"}, check=False)
        reasons = dict(line.split(": ", 1) for line in done.stdout.splitlines())
        if done.returncode != 1 or done.stderr or not set(reasons) <= set(vectors):
            print(f"exit status {done.returncode}: {done.stderr}")
            failed += 1
        for path, v in vectors.items():
            verdict = "invalid" if path in reasons else "valid"
            wanted = {v["expect"], v.get("spec_expect")}
            if v["id"] in EXCEPTIONS:
                wanted = {"invalid"}
            if verdict not in wanted:
                failed += 1
                print(f"{v['id']} ({v['kind']}): {verdict}, not {v['expect']}: {reasons.get(path, '')}")
                with open(path, encoding="utf-8") as f:
                    print(f"    {f.read()}")
        print(f"{len(vectors)} vectors, {failed} failures")
        if len(vectors) < 500:
            return 1
    return 1 if failed else 0


sys.exit(main())

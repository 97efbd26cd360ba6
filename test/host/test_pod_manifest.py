# SPDX-License-Identifier: LGPL-2.1-or-later
"""run --pod-manifest and prepare --pod-manifest: rkt_run_pod_manifest_test.go, and the flags that it refuses beside it."""
import json
import os

import pytest

from images import aci

UNSIGNED = "--insecure-options=image"
CONFLICT = "conflicting flags set with --pod-manifest (see --help)"
CPU = {"name": "resource/cpu", "value": {"request": "100m", "limit": "100m"}}
MEMORY = {"name": "resource/memory", "value": {"request": "4M", "limit": "4M"}}


def retain(*names):
    """The isolator that keeps these capabilities and no others."""
    return {"name": "os/linux/capabilities-retain-set", "value": {"set": list(names)}}


def mount_point(path, read_only=False):
    """A mount point `dir1`."""
    return {"name": "dir1", "path": path, "readOnly": read_only}


def script(text, **more):
    """An `app` object that runs a shell script."""
    return {"exec": ["/bin/sh", "-c", text], "user": "0", "group": "0", **more}


WRITE = "echo host:$AC_APP_NAME > /dir1/file && cat /dir1/file || echo cannot"


class Manifest:
    """The manifest of one test: apps and volumes, one line of output per app."""

    def __init__(self, host, pods, path):
        self.host, self.pods, self.path = host, pods, path
        self.doc = {"acVersion": "0.8.11", "acKind": "PodManifest", "apps": [], "volumes": []}
        self.uuid = None

    def image(self, path):
        """Fetch an image; the `image` object for it."""
        self.host.rkt(UNSIGNED, "fetch", path)
        return {"id": aci.image_id(path)}

    def add(self, name, image, app=None, volume=None, **more):
        """An app; `volume` is for its mount of the same name at /dir1 (None: no mount)."""
        if volume is not None:
            volume.setdefault("name", name)
            self.doc["volumes"].append({"kind": "empty", **volume})
            more.setdefault("mounts", [{"volume": volume["name"], "path": "/dir1"}])
        self.doc["apps"].append({"name": name, "image": image, **({"app": app} if app else {}), **more})

    def write(self):
        """The file."""
        self.path.write_text(json.dumps(self.doc))
        return self.path

    def run(self, *flags, check=True):
        """rkt run --pod-manifest."""
        return self.host.rkt("run", *flags, "--net=none", f"--pod-manifest={self.write()}", check=check)

    def prepare_and_run(self, *flags, check=True):
        """rkt prepare --pod-manifest, then rkt run-prepared."""
        self.uuid = self.host.rkt("prepare", *flags, "--quiet", f"--pod-manifest={self.write()}").out.strip()
        return self.host.rkt("run-prepared", "--net=none", self.uuid, check=check)

    def both(self, check=True):
        """What the apps print, in both ways, as sorted lines; it must be the same."""
        out = [sorted(way(check=check).out.replace("\r", "").splitlines()) for way in (self.run, self.prepare_and_run)]
        assert out[0] == out[1]
        return out[0]


@pytest.fixture
def manifest(host, pods, tmp_path):
    """A pod manifest without apps."""
    return Manifest(host, pods, tmp_path / "pod.json")


@pytest.mark.parametrize("number,flags", enumerate([
    ["--inherit-env"], ["--no-store"], ["--store-only"], ["--port=foo:80"], ["--set-env=foo=bar"],
    ["--volume=foo,kind=host,source=/tmp"], ["--mount=volume=foo,target=/tmp", "--volume=foo,kind=host,source=/tmp"],
    ["example.com/x", "--exec=/bin/sh"], ["example.com/x", "--user=user_foo"], ["example.com/x", "--group=group_foo"],
    ["--pull-policy=update"], ["--set-env-file=/dev/null"], ["example.com/x", "--", "word"]], 1))
def test_conflicts(host, pods, number, flags):
    """PRP-01..10, RUN-01..10: what the manifest says is not said a second time; whatever the manifest is."""
    assert number and pods
    for verb in ("run", "prepare"):
        for words in (["--pod-manifest=/dev/null", *flags], [*flags, "--pod-manifest=/dev/null"]):
            if "--" in words[:-2]:
                continue
            done = host.rkt(UNSIGNED, verb, *words, check=254)
            assert f"{verb}: {CONFLICT}" in done.err and done.out == "", words


def test_bad(host, manifest, images, tmp_path):
    """PODM-35, row 119: no apps; two of one name; an image that the store has not; a relative source; bad names. No pod is left."""
    image = manifest.image(images.busybox)
    ok = {"name": "a", "image": image, "app": script("true")}
    gone = {"id": "sha512-" + "0" * 64}
    before = host.pod_states()
    for apps, volumes, sentence in (
            ([], [], "pod must contain at least one application"),
            ([ok, ok], [], "second app 'a'"),
            ([{**ok, "image": gone}], [], "sha512-0000"),
            ([{**ok, "image": {}}], [], "neither an ID nor a name"),
            ([{**ok, "image": {"name": "example.com/nowhere"}}], [], "example.com/nowhere"),
            ([{**ok, "name": ".."}], [], "'..'"),
            ([{**ok, "name": "a" * 200}], [], "longer than"),
            ([ok], [{"name": "v", "kind": "host", "source": "etc"}], "absolute path"),
            ([{**ok, "mounts": [{"volume": "x", "path": "/x"}]}], [], 'dangling mount point "/x": volume "x" not found')):
        manifest.doc.update(apps=apps, volumes=volumes)
        for verb in ("run", "prepare"):
            done = host.rkt(verb, f"--pod-manifest={manifest.write()}", check=254)
            assert sentence in done.err and done.out == "", done
    for path in ("/does/not/exist", tmp_path, "/dev/null", "/dev/zero"):
        assert host.rkt("run", f"--pod-manifest={path}", check=254).out == ""
    assert host.pod_states() == before


def test_arguments_directory_and_root(manifest, images):
    """PODM-01..04: arguments unharmed; the working directory; a file of the image, also of a read-only root."""
    image = manifest.image(images.busybox)
    words = ["one\ntwo", 'say "hi"', "it's", "$HOME ${PATH} $$", "", "%n", "back\\slash"]
    manifest.add("words", image, {**script(""), "exec": ["/bin/sh", "-c", 'for w; do printf "<%s>" "$w"; done', "-", *words]})
    out = [way().out.replace("\r", "") for way in (manifest.run, manifest.prepare_and_run)]
    assert out[0] == out[1] == "".join(f"<{w}>" for w in words)
    manifest.doc["apps"] = []
    manifest.add("cwd", image, script("echo cwd: $(pwd)", workingDirectory="/usr/bin"))
    for name, read_only in (("writable", False), ("read-only", True)):
        manifest.add(name, image, script(f"echo {name} $(head -c4 /etc/passwd); echo x > /etc/x || echo refused"),
                     readOnlyRootFS=read_only)
    assert manifest.both() == ["cwd: /usr/bin", "read-only root", "refused", "writable root"]


def test_volumes(manifest, images, tmp_path):
    """PODM-05..10, 15..19: empty and host volumes, of a writable and of a read-only root; mode and owner; which mount point counts."""
    image = manifest.image(images.busybox)

    def host(name):
        (tmp_path / name).mkdir()
        return {"kind": "host", "source": str(tmp_path / name)}

    has_point = manifest.image(images.make("example.com/point", app=script(WRITE, mountPoints=[mount_point("/dir1", True)])))
    writable = manifest.image(images.make("example.com/writable", app=script(WRITE, mountPoints=[mount_point("/dir1")])))
    expected = []
    for root, tail in ((False, ""), (True, "-ro")):
        for kind, volume in (("empty", {}), ("host", host("host" + tail))):
            manifest.add(kind + tail, image, script(WRITE), volume, readOnlyRootFS=root)
        manifest.add("owner" + tail, image, script("echo owner$(stat -c ':%A %u %g' /dir1)"),
                     {"mode": "0123", "uid": 9991, "gid": 9992}, readOnlyRootFS=root)
        # the manifest's own mount point stands, not the image's
        manifest.add("moved" + tail, has_point, script("ls -d /dir1; echo moved > /dir2/file && cat /dir2/file",
                                                       mountPoints=[mount_point("/dir2")]),
                     {"name": "moved" + tail}, readOnlyRootFS=root, mounts=[{"volume": "moved" + tail, "path": "/dir2"}])
        # no app: the image's
        manifest.add("image" + tail, writable, None, host("image" + tail), readOnlyRootFS=root)
        # the volume says that it may be written to, against the image
        manifest.add("beats" + tail, has_point, None, {**host("beats" + tail), "readOnly": False}, readOnlyRootFS=root)
        expected += [f"host:{n}{tail}" for n in ("empty", "host", "image", "beats")]
        expected += ["owner:d--x-w--wx 9991 9992", "moved"]
    assert manifest.both() == sorted(expected)
    assert (tmp_path / "host-ro" / "file").read_text() == "host:host-ro\n"


def test_read_only_volumes(manifest, images, tmp_path):
    """PODM-11..14, 20, 21: the mount point, or the volume, is read-only; the app's status is rkt's."""
    image = manifest.image(images.busybox)
    host = {"kind": "host", "source": str(tmp_path)}
    writable = manifest.image(images.make("example.com/writable", app=script(WRITE, mountPoints=[mount_point("/dir1")])))
    for root, tail in ((False, ""), (True, "-ro")):
        manifest.add("point" + tail, image, script(WRITE, mountPoints=[mount_point("/dir1", True)]), {**host}, readOnlyRootFS=root)
        manifest.add("volume" + tail, image, script(WRITE, mountPoints=[mount_point("/dir1")]), {**host, "readOnly": True},
                     readOnlyRootFS=root)
        manifest.add("image" + tail, writable, None, {**host, "readOnly": True}, readOnlyRootFS=root)
    assert manifest.both() == ["cannot"] * 6
    manifest.doc["apps"], manifest.doc["volumes"] = [], []
    manifest.add("fails", image, script("touch /dir1/file || exit 254"), {**host, "readOnly": True})
    for way in (manifest.run, manifest.prepare_and_run):
        assert "Read-only file system" in way(check=254).err


def test_isolators_and_users(host, manifest, images, tmp_path):
    """PODM-22..29, 32: limits; a volume that two apps share; capabilities and system calls replaced, not merged; users by number, name and file."""
    image = manifest.image(images.busybox)
    keeps = manifest.image(images.make("example.com/caps", app=script("true", isolators=[retain("CAP_NET_ADMIN")])))
    caps = "echo $AC_APP_NAME $((0x$(sed -n 's/^CapBnd:\\s*//p' /proc/self/status) >> 12 & 1))"
    manifest.add("dropped", keeps, script(caps))
    manifest.add("replaced", image, script(caps, isolators=[retain("CAP_NET_ADMIN")]))
    calls = "echo $AC_APP_NAME $(mount -t tmpfs x /mnt 2>&1 | grep -c 'permission denied')"  # else it is not implemented
    manifest.add("filtered", image, script(calls))
    manifest.add("unfiltered", image, script(calls, isolators=[{"name": "os/linux/seccomp-retain-set", "value": {"set": ["@appc.io/all"]}}]))
    manifest.add("limits", image, script("true", isolators=[CPU, MEMORY]))
    shared = [{"volume": "shared", "path": "/dir1"}]
    manifest.doc["volumes"].append({"name": "shared", "kind": "host", "source": str(tmp_path)})
    manifest.add("writer", image, script("echo shared > /dir1/new; mv /dir1/new /dir1/said"), mounts=shared)
    manifest.add("reader", image, script("until cat /dir1/said 2>/dev/null; do sleep 0.1; done"), mounts=shared)
    for name, user, group in (("number", "1000", "100"), ("name", "user1", "group1"), ("names", "root", "root"),
                              ("file", "/etc/passwd", "/etc/group")):
        manifest.add(name, image, script("echo $AC_APP_NAME $(id -u) $(id -g)", user=user, group=group))
    assert manifest.both() == ["dropped 0", "file 0 0", "filtered 0", "name 1000 100", "names 0 0", "number 1000 100", "replaced 1",
                               "shared", "unfiltered 1"]
    unit = next(p for p in host.run("find", f"/var/lib/rkt/pods/run/{manifest.uuid}/stage1", "-name", "limits.service").out.split())
    with open(unit, encoding="utf-8") as f:
        lines = f.read().splitlines()
    assert "CPUQuota=10%" in lines and "MemoryMax=4000000" in lines


@pytest.mark.parametrize("user,group,sentence", [
    ("user2", "0", '"user2" user not found'), ("0", "group2", '"group2" group not found'),
    ("/etc/nofile", "0", "no such file or directory"), ("0", "/etc/nofile", "no such file or directory")])
def test_users_that_are_not_there(manifest, images, user, group, sentence):
    """PODM-30, 31, 33, 34: refused by name, 254."""
    manifest.add("a", manifest.image(images.busybox), script("id", user=user, group=group))
    for way in (manifest.run, manifest.prepare_and_run):
        assert sentence in way(check=254).err


def test_annotations_name_and_flags(host, manifest, images):
    """What is asked for is what cat-manifest shows; an image by its name; what is not in the manifest comes by flags."""
    manifest.image(images.busybox)
    manifest.add("a", {"name": "example.com/busybox", "labels": [{"name": "version", "value": "1.0.0"}]},
                 script("hostname", userLabels={"l": "1"}), annotations=[{"name": "example.com/app", "value": "1"}])
    manifest.doc.update(annotations=[{"name": "example.com/pod", "value": "2"}], userAnnotations={"u": "3"})
    file = manifest.path.parent / "uuid"
    assert manifest.run("--hostname=h1", f"--uuid-file-save={file}").out.replace("\r", "") == "h1\n"
    shown = json.loads(host.rkt("cat-manifest", file.read_text()).out)
    assert {"name": "example.com/pod", "value": "2"} in shown["annotations"] and shown["userAnnotations"] == {"u": "3"}
    app = shown["apps"][0]
    assert {"name": "example.com/app", "value": "1"} in app["annotations"] and app["app"]["userLabels"] == {"l": "1"}
    assert app["image"]["id"].startswith(aci.image_id(images.busybox))
    listed, = [p for p in json.loads(host.rkt("list", "--format=json").out) if p["name"] == file.read_text()]
    assert listed["user_annotations"] == {"u": "3"}
    assert os.stat(file).st_size == 36


def test_pre_start_as_root(manifest, images):
    """RUN-11: the pre-start handler of an app with another user is root's."""
    handler = {"name": "pre-start", "exec": ["/bin/sh", "-c", "echo User: uid=$(id -u) gid=$(id -g)"]}
    manifest.add("a", manifest.image(images.busybox), script("echo app $(id -u)", user="1000", group="1000", eventHandlers=[handler]))
    assert manifest.both() == ["User: uid=0 gid=0", "app 1000"]

# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt image list, rm, gc, verify: what they print, what they remove, and what they leave to pods that need it."""
import json
import os
import pathlib
import re
import time

import pytest

from images import aci

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"
CAS = pathlib.Path("/var/lib/rkt/cas")


def failed(result, *patterns):
    """Exit status 254, and each pattern in the message."""
    assert result.rc == 254, result
    for pattern in patterns:
        assert re.search(pattern, result.err, re.IGNORECASE), f"{pattern!r} is not in {result!r}"


def tiny_root(root):
    """A root with nothing in it."""
    os.makedirs(root, exist_ok=True)


def fetch(host, *paths):
    """The whole IDs of images, fetched from files."""
    return host.rkt(UNSIGNED, "fetch", "--full", *paths).out.split()


def ids(host):
    """The IDs in the store."""
    return host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out.split()


def trees():
    """The trees in the store."""
    return sorted(p.name for p in (CAS / "tree").iterdir())


def blobs():
    """The blobs in the store, and the manifests beside them."""
    return sorted(p.name for p in (CAS / "blob/sha512").glob("*/*"))


def run_once(host, image):
    """A pod that exits at once; it stays until gc."""
    host.rkt(UNSIGNED, "run", "--net=none", image, "--exec=/bin/true")


@pytest.fixture
def no_pods(host):
    """No pod, before and after."""
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")
    yield
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")


# --- list ------------------------------------------------------------------------------------------------------------

def test_list_sizes(host, images):
    """IML-08: the size is that of the blob and of the tree beside it."""
    key, = fetch(host, images.busybox)

    def size():
        return int(host.rkt("image", "list", "--no-legend", "--fields=size", "--full").out)
    blob = (CAS / "blob/sha512" / key[7:9] / key).stat().st_size
    with_tree = size()
    assert with_tree > blob
    assert fetch(host, images.busybox) == [key] and size() == with_tree
    host.rkt("image", "gc")
    assert size() == blob


def test_list_signed(host, server, images, trusted):
    """The key whose signature was found good, in each form; "no" where none was asked for."""
    host.rkt("fetch", server.publish("example.com/busybox", images.busybox, key=trusted))
    fingerprint = trusted.fingerprint.upper()
    fetch(host, images.make("example.com/unsigned", root=tiny_root))

    def lines(*words):
        return [li.split() for li in host.rkt("image", "list", "--no-legend", "--sort=name",
                                              "--fields=name,signed", *words).out.splitlines()]
    assert lines() == [["example.com/busybox:1.0.0", fingerprint[-16:]], ["example.com/unsigned:1.0.0", "no"]]
    assert lines("--full")[0][1] == fingerprint
    listed = json.loads(host.rkt("image", "list", "--format=json", "--sort=name", "--fields=name,signed").out)
    assert [i["signed"] for i in listed] == [fingerprint, ""] and "source" not in listed[0]
    assert "signed" not in json.loads(host.rkt("image", "list", "--format=json").out)[0]
    assert "https://example.com/" in host.rkt("image", "list", "--fields=source").out


def test_list_titles(host, images):
    """Columns in the order that was asked for; unknown ones, formats and orders are refused."""
    fetch(host, images.make("example.com/tiny", root=tiny_root))
    assert host.rkt("image", "list", "--fields=name,id").out.split()[:2] == ["NAME", "ID"]
    assert host.rkt("image", "list").out.splitlines()[0].split("\t")[0].strip() == "ID"
    for flag in ("--fields=colour", "--format=xml", "--order=up", "--sort=id"):
        failed(host.rkt("image", "list", flag, check=False), flag.split("=")[1])


# --- rm --------------------------------------------------------------------------------------------------------------

def test_rm_after_a_run(host, images, no_pods):  # pylint: disable=unused-argument
    """IRM-01 to IRM-03: after a run, by name, by ID and by both; the used image and an unused one; trees go with them."""
    used, unused = images.busybox, images.make("example.com/unused", root=tiny_root)
    for words in (["example.com/busybox"], ["ID"], ["example.com/busybox", "ID"]):
        key, other = fetch(host, used, unused)
        run_once(host, used)
        result = host.rkt("image", "rm", *(key[:19] if w == "ID" else w for w in words))
        assert result.out == f'successfully removed aci for image: "{key}"\n'
        assert "rm: 1 image(s) successfully removed" in result.err
        result = host.rkt("image", "rm", "example.com/unused")
        assert result.out == f'successfully removed aci for image: "{other}"\n'
        assert ids(host) == [] and other not in trees() and other not in blobs()


def test_rm_leaves_nothing(host, images):
    """An image goes with its blob, its manifest and its tree; nothing is left of it."""
    fetch(host, images.busybox, images.make("example.com/tiny", root=tiny_root))
    assert len(trees()) == 2 and len(blobs()) == 4
    result = host.rkt("image", "rm", "example.com/busybox", "example.com/tiny")
    assert "rm: 2 image(s) successfully removed" in result.err
    assert trees() == blobs() == os.listdir(CAS / "ref/image") == os.listdir(CAS / "tmp") == []


def test_rm_keeps_what_a_pod_needs(host, images, no_pods):  # pylint: disable=unused-argument
    """IRM-04 to IRM-06: a pod that does not run keeps its tree when the image is removed; gc of pods and images ends it."""
    key, = fetch(host, images.busybox)
    run_once(host, images.busybox)
    result = host.rkt("image", "rm", key)
    assert "rm: 1 image(s) successfully removed" in result.err and "still refers to" in result.err
    assert ids(host) == [] and trees() == [key] and key in blobs()
    host.rkt("image", "gc", "--grace-period=0s")
    assert trees() == [key] and key in blobs()
    host.rkt("gc", "--grace-period=0s")
    result = host.rkt("image", "gc")
    assert f'removed treestore "{key}"' in result.err and f'what was left of image "{key}"' in result.err
    assert trees() == blobs() == []


def test_rm_refuses_a_running_pods_image(host, pods, images):
    """What runs is not removed, and the sentence names the pod; other images of the same command are."""
    key, other = fetch(host, images.busybox, images.make("example.com/tiny", root=tiny_root))
    name = pods.shell("imgrm", images.busybox, "sleep 600")
    pods.start(name)
    uuid = pods.uuid(name)
    result = host.rkt("image", "rm", "example.com/busybox", "example.com/tiny", check=False)
    failed(result, f'image "{key}" is in use by the running pod "{uuid}"', r"rm: 1 image\(s\) cannot be removed")
    assert result.out == f'successfully removed aci for image: "{other}"\n'
    assert ids(host) == [key]
    assert "sleep" in pods.shell_in(f"main@{name}", "/bin/sh", "-c", "ls /bin/sleep")
    pods.stop(name)
    host.rkt("gc", "--grace-period=0s")
    assert "1 image(s) successfully removed" in host.rkt("image", "rm", key).err


def test_rm_of_what_is_not_there(host, images):
    """Each is named; those that are there go; the exit status is 254."""
    key, = fetch(host, images.make("example.com/tiny", root=tiny_root))
    unknown = "sha512-" + "".join("1" if c == "0" else "0" for c in key[7:39])
    result = host.rkt("image", "rm", "example.com/nothing", unknown, key[:8], key, check=False)
    failed(result, "example.com/nothing", "no image IDs found", "image ID too short", "3 image.s. cannot be removed")
    assert key in result.out and ids(host) == []


def test_rm_waits_for_nobody_for_long(host, images):
    """A lock that somebody keeps: rm says who it is, and goes on as soon as that is over."""
    key, = fetch(host, images.make("example.com/tiny", root=tiny_root))
    holder = host.spawn("flock", "--shared", CAS / "lock", "sleep", "3")
    host.wait_for("the lock", lambda: host.run("flock", "--nonblock", CAS / "lock", "true", check=False).rc != 0)
    before = time.monotonic()
    result = host.rkt("image", "rm", key)
    assert 1 < time.monotonic() - before < 10 and "waiting for" in result.err and "(PID " in result.err
    holder.wait()
    assert ids(host) == []


# --- gc --------------------------------------------------------------------------------------------------------------

def test_gc_of_trees(host, images, no_pods):  # pylint: disable=unused-argument
    """IGC-01: the tree that a pod refers to stays, and goes after the pod; the image stays, and runs again."""
    key, = fetch(host, images.busybox)
    run_once(host, images.busybox)
    assert trees() == [key]
    host.rkt("image", "gc")
    assert trees() == [key]
    host.rkt("gc", "--grace-period=0s")
    assert f'removed treestore "{key}"' in host.rkt("image", "gc").err
    assert trees() == [] and ids(host) == [key]
    host.rkt("run", "--net=none", key, "--exec=/bin/true")
    assert trees() == [key]


def test_gc_grace_period(host, images):
    """Images stay for as long as they were used within the grace period; using one makes it young again."""
    key, other = fetch(host, images.busybox, images.make("example.com/tiny", root=tiny_root))
    for ref in (CAS / "ref/image").iterdir():
        doc = json.loads(ref.read_text())
        doc["importTimeUSec"] -= 3 * 3600 * 1_000_000
        ref.write_text(json.dumps(doc))
        os.utime(ref, (time.time() - 7200, time.time() - 7200))
    host.rkt("fetch", "--pull-policy=never", "example.com/tiny")  # a use
    assert host.rkt("image", "gc").out == "" and sorted(ids(host)) == sorted([key, other])
    result = host.rkt("image", "gc", "--grace-period=1h")
    assert result.out == f'successfully removed aci for image: "{key}"\n' and ids(host) == [other]
    assert "1 image(s) successfully removed" in result.err
    host.rkt("image", "gc", "--grace-period=0s")
    assert ids(host) == trees() == blobs() == []
    assert host.rkt("image", "gc").all == ""


def test_gc_spares_running_pods(host, pods, images):
    """IGC-01: whatever the grace period, what a running pod uses stays."""
    key, = fetch(host, images.busybox)
    name = pods.shell("imggc", images.busybox, "sleep 600")
    pods.start(name)
    host.rkt("image", "gc", "--grace-period=0s")
    assert ids(host) == trees() == [key]
    assert host.is_active("main.service", machine=name)


def test_gc_forgets_urls(host, server, images, trusted):
    """What a URL gave is forgotten with the image that it gave."""
    host.rkt("fetch", server.publish("example.com/busybox", images.busybox, key=trusted))
    host.rkt("image", "gc")
    assert len(list((CAS / "ref/remote").iterdir())) == 1
    host.rkt("image", "gc", "--grace-period=0s")
    assert not list((CAS / "ref/remote").iterdir())


def test_gc_service(host, images):
    """rkt-gc.service collects images too, in the sandbox of its unit, and lets trees be for a day."""
    key, old = fetch(host, images.busybox, images.make("example.com/tiny", root=tiny_root))
    ref, = (CAS / "ref/image").glob(f"{old}.*")
    doc = json.loads(ref.read_text())
    doc["importTimeUSec"] -= 48 * 3600 * 1_000_000
    ref.write_text(json.dumps(doc))
    os.utime(ref, (0, 0))
    host.run("systemctl", "start", "rkt-gc.service")
    assert ids(host) == trees() == [key]


def test_image_id_parts(host, images):
    """IML-09 for the commands here: too short, unknown, ambiguous, and 12 digits that are enough."""
    seen = {}
    for n in range(300):
        path = images.make(f"example.com/n{n}", root=tiny_root)
        digits = aci.image_id(path)[7:9]
        if digits in seen:
            break
        seen[digits] = path
    first, second = fetch(host, path, seen[digits])
    other = "sha512-" + ("00" if digits != "00" else "11")
    for verb in (["image", "rm"], ["image", "cat-manifest"]):
        for part, message in ((other, "no image IDs found"), (first[:8], "image ID too short"),
                              (first[:9], f"ambiguous image ID.*{first[:19]}"),
                              (first[:9], f"ambiguous image ID.*{second[:19]}")):
            failed(host.rkt(*verb, part, check=False), message)
    assert "ImageManifest" in host.rkt("image", "cat-manifest", first[:19]).out
    assert "successfully removed aci" in host.rkt("image", "rm", first[:19]).out
    assert ids(host) == [second]


# --- verify ----------------------------------------------------------------------------------------------------------

@pytest.fixture
def plain(host, images):
    """An image whose tree is plain files; its ID and the root of the tree."""
    key, = host.rkt(UNSIGNED, "fetch", "--full", images.busybox, env={"RKT_TREE_BACKEND": "dir"}).out.split()
    return key, CAS / "tree" / key / "rootfs"


def test_verify(host, plain):
    """IVE-01, IVE-02: a file of the tree is gone: said, made anew; the second time all is well."""
    key, root = plain
    assert f'successfully verified checksum for image: "{key}" ("{key}")' in host.rkt("image", "verify", key).out
    (root / "bin/busybox").unlink()
    result = host.rkt("image", "verify", key)
    assert re.search(f"tree cache verification failed for image {key}.*bin/busybox' is missing.*rebuilding", result.err)
    assert (root / "bin/busybox").exists()
    result = host.rkt("image", "verify", "example.com/busybox")
    assert result.out == f'successfully verified checksum for image: "example.com/busybox" ("{key}")\n'


def test_verify_without_a_tree(host, plain):
    """S4: no tree is nothing to verify; one that is empty is made anew."""
    key, root = plain
    host.rkt("image", "gc")
    assert f'image "{key}" not rendered; no verification needed' in host.rkt("image", "verify", key).out
    host.rkt(UNSIGNED, "run", "--net=none", key, "--exec=/bin/true", env={"RKT_TREE_BACKEND": "dir"})
    host.sh(f"rm -rf {root}/*")
    assert "tree cache verification failed" in host.rkt("image", "verify", key).err
    assert (root / "bin/busybox").exists()
    host.rkt("gc", "--grace-period=0s")


@pytest.mark.parametrize("damage,named", [
    ("chmod 4755 $R/bin/busybox", "bin/busybox' has another mode"), ("chown 7 $R/etc", "etc' has another owner"),
    ("touch $R/etc/passwd", "etc/passwd' has another time"), ("echo x >> $R/etc/passwd", "etc/passwd' has another"),
    ("setfattr -n user.x -v 1 $R/etc/passwd", "etc/passwd' has another set of attributes"),
    ("mkdir $R/new", "new' is not of the image"), ("ln -sfn /x $R/bin/sh", "bin/sh' has another"),
    ("rm $R/etc/passwd; mkfifo $R/etc/passwd", "etc/passwd' has another type")])
def test_verify_names_what_changed(host, plain, damage, named):
    """S5: whatever was changed in a tree, the message names it, and it is mended."""
    key, root = plain
    host.sh(damage.replace("$R", str(root)))
    result = host.rkt("image", "verify", key)
    assert re.search("tree cache verification failed for image.*" + named, result.err), result
    assert "successfully verified" in host.rkt("image", "verify", key).out


@pytest.mark.parametrize("backend,file", [("index", "index.erofs"), ("image", "image.erofs")])
def test_verify_other_trees(host, images, backend, file):
    """S4: whatever kind of tree it is, it is the same each time it is made, and a damaged one is found and mended."""
    key, = host.rkt(UNSIGNED, "fetch", "--full", images.busybox, env={"RKT_TREE_BACKEND": backend}).out.split()
    assert "successfully verified" in host.rkt("image", "verify", key).out
    for damage in ("printf x | dd of=$F bs=1 seek=100 conv=notrunc status=none", "truncate -s 0 $F", "rm $F"):
        host.sh(damage.replace("$F", str(CAS / "tree" / key / file)))
        result = host.rkt("image", "verify", key)
        if damage.startswith("rm"):  # then it is no tree
            assert "not rendered" in result.out
            break
        assert f"verification failed for image {key}: '{file}'" in result.err.replace("./", "")
        assert "successfully verified" in host.rkt("image", "verify", key).out


@pytest.mark.parametrize("damage", ["truncate -s 0 $B", "truncate -s -512 $B", "rm $B",
                                    "printf x | dd of=$B bs=1 seek=2000 conv=notrunc status=none"])
def test_verify_a_damaged_blob(host, images, plain, damage):
    """S1: an image that is damaged itself is named, also among all; fetching it again heals it."""
    key, _ = plain
    tiny, = fetch(host, images.make("example.com/tiny", root=tiny_root))
    blob = CAS / "blob/sha512" / key[7:9] / key
    host.sh(damage.replace("$B", str(blob)))
    for words in ([key], ["--all"]):
        result = host.rkt("image", "verify", *words, check=False)
        failed(result, key, r"1 image.s. could not be verified")
        assert "successfully" not in result.out or words == ["--all"] and tiny in result.out
    assert fetch(host, images.busybox) == [key]
    assert host.rkt("image", "verify", "--all").out.count("successfully verified") == 2


def test_verify_leaves_running_pods_alone(host, pods, images, plain):
    """A damaged tree is not replaced beneath a pod that runs from it; the sentence names the pod."""
    key, root = plain
    name = pods.shell("imgver", images.busybox, "sleep 600")
    pods.start(name)
    (root / "etc/new").write_text("x")
    failed(host.rkt("image", "verify", key, check=False), f'the pod "{pods.uuid(name)}" runs from it')
    pods.stop(name)
    assert "rebuilding" in host.rkt("image", "verify", key).err


def test_verify_what_is_not_there(host):
    """Unknown images, no image, and both an image and --all."""
    failed(host.rkt("image", "verify", "example.com/nothing", check=False), "example.com/nothing")
    failed(host.rkt("image", "verify", check=False), "--all")
    failed(host.rkt("image", "verify", "--all", "example.com/x", check=False), "--all")

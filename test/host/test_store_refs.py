# SPDX-License-Identifier: LGPL-2.1-or-later
"""The store's files and locks: damaged refs, thousands of images, and everything at once."""
import hashlib
import json
import os
import pathlib
import re
import subprocess
import time

import pytest

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


def ref_of(key):
    """The file that makes an image exist."""
    ref, = (CAS / "ref/image").glob(f"{key}.*")
    return ref


def make_store(top, count):
    """A store of many images that have names but no content: enough for what only lists them."""
    for folder in ("ref/image", "ref/remote", "blob/sha512", "tree", "tmp"):
        os.makedirs(top / "cas" / folder)
    os.chmod(top / "cas", 0o700)
    (top / "cas/version").write_text("1\n")
    for i in range(count):
        name = f"example.com/app-{i % 2000}"
        digits = hashlib.sha512(str(i).encode()).hexdigest()
        doc = {"id": f"sha512-{digits}", "name": name, "size": 1000 + i, "importTimeUSec": 1_700_000_000_000_000 + i,
               "labels": [{"name": "version", "value": f"1.{i}"}, {"name": "os", "value": "linux"}],
               "source": f"https://example.com/app-{i}.aci", "signedBy": ["0123456789ABCDEF0123456789ABCDEF01234567"]}
        name_hash = hashlib.sha256(name.encode()).hexdigest()[:16]
        (top / "cas/ref/image" / f"sha512-{digits[:64]}.{name_hash}").write_text(json.dumps(doc))


# --- damage ----------------------------------------------------------------------------------------------------------

DAMAGES = {
    "empty": lambda ref: ref.write_text(""), "cut off": lambda ref: ref.write_text(ref.read_text()[:40]),
    "garbage": lambda ref: ref.write_bytes(os.urandom(300)), "not an object": lambda ref: ref.write_text("[1]"),
    "another type": lambda ref: ref.write_text(ref.read_text().replace('"size":', '"size":"x","x":')),
    "no name": lambda ref: ref.write_text(ref.read_text().replace('"name"', '"nome"', 1)),
    "huge": lambda ref: os.truncate(ref, 1 << 40), "deep": lambda ref: ref.write_text("[" * 100_000),
    "a link": lambda ref: (ref.unlink(), ref.symlink_to("/etc/passwd")),
    "a pipe": lambda ref: (ref.unlink(), os.mkfifo(ref)),
    "a directory": lambda ref: (ref.unlink(), ref.mkdir()),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_damaged_ref(host, images, damage):
    """S2, S3: a damaged file of an image hides that image, with a warning that names it, and nothing else; fetching the
    image again heals it, and so does gc, which removes it."""
    path = images.make("example.com/tiny", root=tiny_root)
    key, other = fetch(host, path, images.busybox)
    ref = ref_of(key)
    DAMAGES[damage](ref)
    listed = host.rkt("image", "list", "--no-legend", "--fields=id", "--full")
    assert listed.out.split() == [other] and f"{ref}' is damaged" in listed.err
    listed = host.rkt("image", "list", "--format=json", "--fields=id", "--full")
    assert other in listed.out and listed.err == ""
    failed(host.rkt("fetch", "--pull-policy=never", "example.com/tiny", check=False), "example.com/tiny")
    failed(host.rkt("image", "cat-manifest", key, check=False), key)
    host.rkt("image", "cat-manifest", "example.com/busybox")
    host.rkt("image", "gc")
    assert not ref.is_symlink() and not ref.exists() and ids(host) == [other]
    assert fetch(host, path) == [key]
    assert host.rkt("image", "list").err == ""


@pytest.mark.parametrize("damage", ["cut off", "garbage", "a link", "a pipe", "a directory"])
def test_rebuilt_ref(host, images, damage):
    """S2: image verify --all makes a damaged file of an image anew, from its content and its manifest; not when these are
    damaged, too, or the file has another's name."""
    key, other = fetch(host, images.make("example.com/tiny", root=tiny_root), images.busybox)
    ref = ref_of(key)
    before = json.loads(ref.read_text())
    DAMAGES[damage](ref)
    done = host.rkt("image", "verify", "--all")
    assert f"{ref}' is damaged" in done.err and f'made anew from image "example.com/tiny" ("{key}")' in done.err
    after = json.loads(ref.read_text())
    assert {k: after[k] for k in ("id", "name", "labels", "size")} == {k: before[k] for k in ("id", "name", "labels", "size")}
    assert "signedBy" not in after and sorted(ids(host)) == sorted([key, other])
    assert host.rkt("image", "list").err == "" and host.rkt("image", "verify", "--all").err == ""
    ref.write_text("{")
    foreign = ref.with_name(f"{key}.{'0' * 16}")
    ref.rename(foreign)
    failed(host.rkt("image", "verify", "--all", check=False), "cannot be made anew", ref.name)
    foreign.rename(ref)
    with open(CAS / "blob/sha512" / key[7:9] / key, "r+b") as f:
        f.seek(1024)
        f.write(b"x")
    failed(host.rkt("image", "verify", "--all", check=False), "cannot be made anew", "its content has changed")
    assert ids(host) == [other]
    host.rkt("image", "gc")
    assert not ref.exists() and host.rkt("image", "verify", "--all").err == ""


def test_members_of_another_version(host, images):
    """A ref that an older rkt wrote lacks members, one of a newer rkt has more: both are read."""
    key, = fetch(host, images.make("example.com/tiny", root=tiny_root))
    ref = ref_of(key)
    doc = json.loads(ref.read_text())
    kept = {k: doc[k] for k in ("id", "name", "labels", "size", "importTimeUSec")}
    ref.write_text(json.dumps({**kept, "invented": [{"later": 1}]}))
    assert ids(host) == [key] and host.rkt("image", "list").err == ""


def test_missing_blob(host, images):
    """S3: an image whose blob is missing: verify names it, gc removes it, fetching heals it."""
    key, = fetch(host, images.busybox)
    (CAS / "blob/sha512" / key[7:9] / key).unlink()
    failed(host.rkt("image", "verify", key, check=False), key)
    assert f'removed image "{key}": it was damaged' in host.rkt("image", "gc").err
    assert ids(host) == [] and fetch(host, images.busybox) == [key]
    assert "successfully" in host.rkt("image", "verify", key).out


def test_blob_of_no_image(host, images):
    """S3: what no image has is hidden, and gc removes it."""
    key, = fetch(host, images.make("example.com/tiny", root=tiny_root))
    ref_of(key).unlink()
    assert ids(host) == []
    host.rkt("image", "gc")
    assert not list((CAS / "blob/sha512").glob("*/*")) and not list((CAS / "tree").iterdir())


@pytest.mark.parametrize("what", ["directory", "link"])
def test_lock_that_is_no_file(host, images, what):
    """S8: a lock that is a directory or a link is a sentence, not a hang, and nothing else is locked instead."""
    key, = fetch(host, images.make("example.com/tiny", root=tiny_root))
    lock = CAS / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir() if what == "directory" else lock.symlink_to("/etc/passwd")
    try:
        failed(host.rkt("image", "rm", key, check=False, timeout=20), "cas/lock")
    finally:
        lock.rmdir() if what == "directory" else lock.unlink()
    assert host.rkt("image", "rm", key).rc == 0


def test_clock_in_the_past(host, images):
    """S13: images that were used in the future, as the clock says now, do not expire, and have an age."""
    key, = fetch(host, images.make("example.com/tiny", root=tiny_root))
    future = time.time() + 80 * 365 * 86400
    os.utime(ref_of(key), (future, future))
    host.rkt("image", "gc", "--grace-period=1h")
    assert ids(host) == [key]
    assert "-" not in host.rkt("image", "list", "--no-legend", "--fields=lastused").out


# --- many ------------------------------------------------------------------------------------------------------------

def test_ten_thousand_images(host, tmp_path):
    """All are listed, each can be found by name and by ID, and it takes little memory."""
    make_store(tmp_path, 10_000)
    rkt = ["/usr/bin/env", "time", "-f", "%M", "rkt"] if host.run("sh", "-c", "command -v time",
                                                                  check=False).rc == 0 else ["rkt"]
    listed = host.run(*rkt, f"--dir={tmp_path}", "image", "list", "--no-legend")
    assert len(listed.out.splitlines()) == 10_000
    if rkt[0] != "rkt":
        assert int(listed.err.split()[-1]) < 64 * 1024
    found = json.loads(host.rkt(f"--dir={tmp_path}", "image", "list", "--format=json").out)
    assert len({i["id"] for i in found}) == 10_000
    newest = "sha512-" + hashlib.sha512(b"8007").hexdigest()[:64]
    assert newest in host.rkt(f"--dir={tmp_path}", "image", "rm", "example.com/app-7").out
    assert "no image IDs found" in host.rkt(f"--dir={tmp_path}", "image", "rm", newest[:39], check=254).err
    host.rkt(f"--dir={tmp_path}", "image", "gc", "--grace-period=0s")
    assert host.rkt(f"--dir={tmp_path}", "image", "list", "--no-legend").out == ""


# --- all at once -----------------------------------------------------------------------------------------------------

SECONDS = 6
LOOP = """
end=$(($(date +%s) + {seconds}))
while [ $(date +%s) -lt $end ]; do
        {command} >/dev/null 2>{log} || {{ echo "status $?"; cat {log}; }}
done
"""


def test_everything_at_once(host, images, tmp_path):
    """Fetches, runs, removals and collections of the same image by eight processes for some seconds: nobody breaks what
    another one does, the store is whole afterwards, and nothing is left."""
    path = images.busybox
    fetching = f"rkt {UNSIGNED} fetch {path}"
    running = f"rkt {UNSIGNED} run --net=none {path} --exec=/bin/true"
    commands = [fetching, fetching, fetching, running, running, "rkt image rm example.com/busybox",
                "rkt image gc --grace-period=0s", "rkt gc --grace-period=0s"]
    started = [subprocess.Popen(["sh", "-c", LOOP.format(seconds=SECONDS, command=c, log=tmp_path / f"log-{i}")],
                                stdout=subprocess.PIPE, text=True) for i, c in enumerate(commands)]
    said = [p.communicate(timeout=180)[0] for p in started]
    for command, text in zip(commands, said):
        if command.startswith("rkt image rm"):  # there is none, or a pod runs from it
            allowed = "waiting for|no image named|in use by the running pod|no image has the id|cannot be removed|status 254"
        elif command == running:  # somebody took the image away again
            allowed = "removed from the store meanwhile|not in the store|no image has the id|status 254|using image"
        elif command.startswith("rkt image gc"):
            allowed = "waiting for"
        else:
            allowed = "nothing is allowed to fail"
        wrong = [line for line in text.splitlines() if not re.search(allowed, line)]
        assert not wrong, (command, wrong[:5])
    host.rkt("gc", "--grace-period=0s")
    host.rkt("image", "gc")
    key, = fetch(host, path)
    assert "successfully verified" in host.rkt("image", "verify", key).out
    host.rkt("run", "--net=none", key, "--exec=/bin/true")
    host.rkt("gc", "--grace-period=0s")
    host.rkt("image", "gc", "--grace-period=0s")
    assert not list((CAS / "blob/sha512").glob("*/*")) and not list((CAS / "tree").iterdir())
    assert os.listdir(CAS / "ref/image") == os.listdir(CAS / "tmp") == []


@pytest.fixture(name="elsewhere")
def mounted_elsewhere(host, tmp_path):
    """mount(8) for a test; all of it goes at its end."""
    made = []

    def mount(*words):
        place = tmp_path / f"mount-{len(made)}"
        place.mkdir()
        host.run("mount", *words, place)
        made.append(place)
        return place

    yield mount
    for place in reversed(made):
        host.run("umount", place)


def test_read_only_file_system(host, images, elsewhere):
    """S11: what only reads works on a file system that is read-only; what writes says why it cannot."""
    key = fetch(host, images.busybox)[0]
    place = elsewhere("--bind", "/var/lib/rkt")
    host.run("mount", "-o", "remount,bind,ro", place)
    at = f"--dir={place}"
    assert host.rkt(at, "image", "list", "--no-legend", "--fields=id", "--full").out.split() == [key]
    assert '"ImageManifest"' in host.rkt(at, "image", "cat-manifest", key).out
    host.rkt(at, "list")
    failed(host.rkt(at, UNSIGNED, "fetch", images.make(), check=False), "read-only")


def test_moved_to_another_file_system(host, images, elsewhere):
    """S17: a store that was copied to another file system, its hard links taken apart, is the same store."""
    key = fetch(host, images.busybox)[0]
    place = elsewhere("-t", "tmpfs", "tmpfs")
    host.run("cp", "-r", "--preserve=mode,ownership,timestamps,xattr", "/var/lib/rkt/cas", place)
    at = f"--dir={place}"
    assert "successfully verified" in host.rkt(at, "image", "verify", "--all").out
    host.rkt(at, "image", "export", key, place / "out.aci")
    host.rkt("image", "export", key, place / "out-here.aci")
    assert (place / "out.aci").read_bytes() == (place / "out-here.aci").read_bytes()
    host.rkt(at, "image", "rm", key)
    assert ids(host) == [key]

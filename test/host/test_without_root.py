# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people may do who are not root: group rkt by rkt-request.socket, everybody else nothing."""
import json
import os
import pathlib
import shutil

import pytest

from execution import PAGER, Execution


@pytest.fixture(scope="module")
def people(host):
    """cat is in group rkt, adm in rkt and rkt-admin, eve in none."""
    for user, groups in (("t-cat", "rkt"), ("t-adm", "rkt,rkt-admin"), ("t-eve", "")):
        host.run("useradd", "--create-home", *(["--groups", groups] if groups else []), user)
    yield "t-cat", "t-adm", "t-eve"
    for user in ("t-cat", "t-adm", "t-eve"):
        host.run("userdel", "--remove", user, check=False)


def as_user(host, user, *words, check=True):
    """rkt as somebody else."""
    return host.run("runuser", "-u", user, "--", "rkt", *words, check=check)


def owned(path, user):
    """A copy of a file that is its user's alone."""
    copy = pathlib.Path("/home", user, os.path.basename(path))
    shutil.copy(path, copy)
    shutil.chown(copy, user, user)
    copy.chmod(0o600)
    return copy


def test_members_read(host, pods, images, people):  # pylint: disable=unused-argument
    """NRT-01: after root has run a pod with overlay, one without, one with users of its own, a member of group rkt lists images and pods, and looks
    at them; nothing that a file of root's would do is obeyed."""
    cat = people[0]
    host.rkt("--insecure-options=image", "run", "--net=host", images.busybox, "--exec=/bin/true")
    host.rkt("--insecure-options=image", "run", "--net=host", "--no-overlay", images.busybox, "--exec=/bin/true")
    host.rkt("--insecure-options=image", "run", "--net=host", "--no-overlay", "--private-users", images.busybox,
             "--exec=/bin/true")
    assert "example.com/busybox" in as_user(host, cat, "image", "list").out
    listed = as_user(host, cat, "list", "--format=json")
    assert listed.err == "" and {p["name"] for p in pods.ours()} <= {p["name"] for p in json.loads(listed.out)}
    for flags, marked in (([], True), (["--no-pager"], False), (["--no-pager=true"], False),
                          (["--no-pager", "--no-pager=false"], True)):  # the user's own pager, and with nobody else's rights
        rc, out, _ = Execution(["runuser", "-u", cat, "--", "rkt", "list", *flags], tty=True, env=PAGER).done()
        assert rc == 0 and out and all(li.startswith(">") == marked for li in out.splitlines()), out
    uuid = pods.ours()[-1]["name"]
    assert as_user(host, cat, "status", uuid).out == host.rkt("status", uuid).out
    assert json.loads(as_user(host, cat, "cat-manifest", uuid).out)["apps"][0]["name"] == "busybox"
    assert "ImageManifest" in as_user(host, cat, "image", "cat-manifest", "example.com/busybox").out
    assert as_user(host, cat, "status", "ffffffff", check=254).err == \
        'status: cannot get pod: no matches found for "ffffffff"\n'
    assert "is for root" in as_user(host, cat, "status", "--uuid-file=/etc/shadow", check=254).err


def test_members_fetch_and_remove(host, images, people, trusted, no_images):  # pylint: disable=unused-argument
    """NRT-02: a member of group rkt fetches what can be verified, and removes; image gc is root's: permission denied. Without
    verification only a member of rkt-admin fetches."""
    cat, adm, _ = people
    mine = owned(images.busybox, cat)
    trusted.sign(mine, f"{mine}.asc")
    shutil.chown(f"{mine}.asc", cat, cat)
    fetched = as_user(host, cat, "fetch", mine)
    assert fetched.out.startswith("sha512-") and len(fetched.out) == len("sha512-") + 33, fetched
    assert "example.com/busybox" in host.rkt("image", "list").out
    assert "successfully removed" in as_user(host, cat, "image", "rm", fetched.out.strip()).out
    os.unlink(f"{mine}.asc")
    assert as_user(host, cat, "fetch", mine, check=False).rc == 254
    for flags in (("--insecure-options=image",), ("--insecure-options", "image")):
        refused = as_user(host, cat, *flags, "fetch", mine, check=254)
        assert "permission denied" in refused.err or "cannot run as unprivileged user" in refused.err, refused
    assert host.rkt("image", "list", "--no-legend").out == ""
    theirs = owned(images.busybox, adm)
    key = as_user(host, adm, "--insecure-options=image", "fetch", theirs).out.strip()
    assert "successfully removed" in as_user(host, cat, "image", "rm", key).out
    assert "permission denied" in as_user(host, cat, "image", "gc", check=254).err


def test_files_are_opened_by_who_asks(host, images, people):
    """A path is opened with the user's own rights; a file that they cannot read is not read by root."""
    cat = people[0]
    secret = pathlib.Path("/root/secret.aci")
    shutil.copy(images.busybox, secret)
    try:
        refused = as_user(host, cat, "fetch", secret, check=254)
        assert "Permission denied" in refused.err, refused
    finally:
        secret.unlink()


def test_sentences_name_what_was_given(host, images, people):
    """A sentence about a file names the file as its user did, not what the service calls it."""
    bad = owned(images.busybox, people[0])
    bad.write_bytes(b"no image at all")
    for word in (str(bad), f"file://{bad}"):
        refused = as_user(host, people[0], "fetch", word, check=254)
        assert str(bad) in refused.err and "/tmp/request" not in refused.err, refused
    unsigned = owned(images.busybox, people[0])
    refused = as_user(host, people[0], "fetch", unsigned, check=254)
    assert f"{unsigned}.asc" in refused.err and "/tmp/request" not in refused.err, refused


def test_one_member_does_not_hold_all_connections(host, pods, images, people):
    """A member has a number of requests at once, and is told so beyond it; other members go on, and so does the member
    when one has ended. Who connects in a loop does not make systemd give the socket up."""
    cat, adm, _ = people
    name = pods.shell("hold", images.busybox, "exec sleep 1000")
    pods.start(name)
    command = f"rkt status --wait {pods.uuid(name)}"
    waiting = [host.spawn("runuser", "-u", cat, "--", *command.split()) for _ in range(8)]
    try:
        served = ("pgrep", "--count", "--euid", "0", "--full", f"^{command}")
        host.wait_for("all are served", lambda: host.run(*served, check=False).out.strip() == "8", 60)
        refused = as_user(host, cat, "list", check=254)
        assert "8 requests of yours are under way already; try again" in refused.err, refused
        assert as_user(host, adm, "list", "--no-legend").rc == 0
        flood = "import socket\nfor _ in range(400):\n s = socket.socket(1, 5); s.connect('/run/rkt/request'); s.close()"
        host.run("runuser", "-u", cat, "--", "python3", "-c", flood)
        host.wait_for("the socket serves", lambda: as_user(host, adm, "list", check=False).rc == 0, 60)
        assert host.is_active("rkt-request.socket")
    finally:
        pods.stop(name)
        for w in waiting:
            w.wait(60)
    host.wait_for("a slot is free", lambda: as_user(host, cat, "list", check=False).rc == 0, 60)


def test_others(host, people):
    """ROOT-01 ROOT-02 ROOT-03 ROOT-04 ROOT-05 ROOT-06: who is in no group of ours is told so, and so is a member for what is
    root's."""
    cat, _, eve = people
    for verb in (("list",), ("image", "list"), ("fetch", "example.com/x"), ("status", "x"), ("image", "rm", "x")):
        refused = as_user(host, eve, *verb, check=254)
        assert "cannot run as unprivileged user" in refused.err and refused.out == "", refused
    for user in (cat, eve):
        for verb in ("enter", "gc", "prepare", "rm", "run", "run-prepared"):
            assert as_user(host, user, verb, check=254).err == f"{verb}: cannot run as unprivileged user\n"


def test_admins_trust(host, people, signer):
    """A member of rkt-admin trusts a key, and takes the trust back; nobody else does."""
    cat, adm, eve = people
    key = owned(signer.public, adm)
    key.chmod(0o644)
    key.parent.chmod(0o755)
    words = ("trust", "--skip-fingerprint-review", "--prefix=example.com/t-trust")
    for user in (cat, eve):
        assert "Added key" not in as_user(host, user, *words, key, check=254).all
    # as it is installed, and beside what root trusts
    shutil.rmtree("/etc/rkt/trustedkeys", ignore_errors=True)
    host.run("systemd-tmpfiles", "--create")
    host.rkt("trust", "--skip-fingerprint-review", "--prefix=example.com/t-root", key)
    added = as_user(host, adm, *words, key)
    assert "Added key for prefix \"example.com/t-trust\"" in added.all, added
    top = pathlib.Path("/etc/rkt/trustedkeys/prefix.d/example.com/t-trust")
    assert [p.name for p in top.iterdir()] == [signer.fingerprint]
    shutil.rmtree(top)
    shutil.rmtree(top.parent / "t-root")

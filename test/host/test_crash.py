# SPDX-License-Identifier: LGPL-2.1-or-later
"""Killed at any moment, disk full at any point: the next start cleans up and works.

A power cut is approximated by SIGKILL to every process of a unit at once: what was written stays, nothing more is
written. What the disk itself loses is the vm suite's business.
"""
import os
import random
import subprocess
import time

import pytest

from images import aci

from conftest import DATA, leftovers

SEED = int(os.environ.get("RKT_TEST_SEED", "1"))
MOMENTS = int(os.environ.get("RKT_TEST_MOMENTS", "6"))


def took(function):
    """How long it takes, in seconds."""
    began = time.monotonic()
    function()
    return time.monotonic() - began


def moments(duration, seed):
    """Random moments within a duration and a bit more, the same in each run."""
    dice = random.Random(SEED * 1000 + seed)
    return [dice.uniform(0, duration * 1.1) for _ in range(MOMENTS)]


def kill_unit(host, *units):
    """SIGKILL every process of these units, at once as far as a process can."""
    for unit in units:
        host.run("systemctl", "kill", "--signal=KILL", "--kill-whom=all", unit, check=False)


@pytest.fixture
def empty(no_images):  # pylint: disable=unused-argument
    """A store without images."""


def remove_images(host):
    """Forget all images."""
    ids = host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out.split()
    if ids:
        host.rkt("image", "rm", *ids)


def test_fetch_killed_at_any_moment(host, images, empty):  # pylint: disable=unused-argument
    """rkt fetch and all its workers killed: no half image is ever listed, and the next fetch works."""
    path = images.build("example.com/redis")
    fetch = ["rkt", "--insecure-options=image", "fetch", "--full", path]
    key = aci.image_id(path)
    duration = took(lambda: host.run(*fetch))
    for number, moment in enumerate(moments(duration, 1)):
        remove_images(host)
        unit = f"t-crash-{number}.service"
        host.run("systemd-run", "--quiet", f"--unit={unit}", "--collect", *fetch)
        time.sleep(moment)
        kill_unit(host, unit)
        host.wait_for("dead", lambda unit=unit: host.show(unit, "ActiveState") in ("inactive", "failed"))
        listed = host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out.split()
        assert listed in ([], [key])
        assert host.run(*fetch).out.strip() == key
        assert not os.listdir(f"{DATA}/cas/tmp"), f"after a kill at {moment:.3f} s of {duration:.3f} s"


def test_pod_killed_at_any_moment_of_its_start(host, pods, images):
    """All of pod@ and pod-image@ killed while starting: the next start works, with one machine, and old pods go."""
    name = pods.shell("crash", images.busybox, "exec sleep infinity")
    duration = took(lambda: pods.start(name))
    pods.stop(name)
    for moment in moments(duration, 2):
        with host.spawn("systemctl", "start", f"pod@{name}") as starting:
            time.sleep(moment)
            kill_unit(host, f"pod@{name}.service", f"pod-image@{name}.service")
            starting.communicate(timeout=120)
        # killed while it fetches, pod-image@ does not keep the pod from starting
        host.wait_for("settled", lambda: host.show(f"pod@{name}", "ActiveState") in ("active", "inactive", "failed"))
        host.run("systemctl", "reset-failed", f"pod@{name}", check=False)
        pods.start(name)
        assert [m["machine"] for m in host.machines()] == [name], f"after a kill at {moment:.3f} s"
        assert host.is_active("main.service", machine=name)
        pods.stop(name)
        assert not leftovers(), f"after a kill at {moment:.3f} s: {leftovers()}"


def test_nspawn_killed(host, pods, images):
    """kill -9 of the main process: the name is free again at once, the pod's processes are gone, its status is kept."""
    name = pods.shell("nskill", images.busybox, "exec sleep infinity")
    for _ in range(3):
        pods.start(name)
        host.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", f"pod@{name}")
        assert pods.ended(name)["Result"] == "signal"
        assert not leftovers(), leftovers()
        host.run("systemctl", "reset-failed", f"pod@{name}")


def test_pid1_of_the_pod_killed(host, pods, images):
    """kill -9 of the pod's systemd."""
    name = pods.shell("pid1", images.busybox, "exec sleep infinity")
    pods.start(name)
    leader = host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
    host.run("kill", "-KILL", leader)
    pods.ended(name)
    pods.start(name)
    assert host.is_active("main.service", machine=name)


def test_restart_of_systemds_daemons(host, pods, images):
    """machined, journald, dbus clients and the manager itself may restart while a pod runs."""
    name = pods.shell("daemons", images.busybox, "while :; do echo tick; sleep 0.2; done")
    pods.start(name)
    host.run("systemctl", "restart", "systemd-machined", "systemd-journald")
    host.run("systemctl", "daemon-reexec")
    assert host.is_active(f"pod@{name}") and host.is_active("main.service", machine=name)
    since = time.time()
    host.wait_for("still logs", lambda: "tick" in host.journal("-u", f"pod@{name}", since=since))


def fill(leave):
    """Fill the data directory's file system up to `leave` bytes; returns the file to remove."""
    path = f"{DATA}/t-filler"
    stat = os.statvfs(DATA)
    subprocess.run(["fallocate", "-l", str(max(4096, stat.f_bavail * stat.f_frsize - leave)), path], check=False)
    free = os.statvfs(DATA).f_bavail * stat.f_frsize - leave
    if free > 0:
        with open(path, "ab", buffering=0) as f:
            try:
                for _ in range(free // 4096):
                    f.write(b"\0" * 4096)
            except OSError:
                pass
    return path


LEAVE = [0, 65536, 1 << 20, 8 << 20, 20 << 20]


@pytest.mark.parametrize("leave", LEAVE)
def test_disk_full_while_fetching(host, images, empty, leave):  # pylint: disable=unused-argument
    """No space at any point: said, nothing half-made, nothing in the way of the next fetch."""
    path = images.build("example.com/redis")
    fetch = ["--insecure-options=image", "fetch", "--full", path]
    filler = fill(leave)
    try:
        before = os.statvfs(DATA).f_bfree
        failed = host.rkt(*fetch, check=254)
        assert "space" in failed.err and failed.out == ""
        assert host.rkt("image", "list", "--no-legend").out == ""
        assert not os.listdir(f"{DATA}/cas/tmp")
        assert abs(os.statvfs(DATA).f_bfree - before) * os.statvfs(DATA).f_frsize < 1 << 20
    finally:
        os.unlink(filler)
    assert host.rkt(*fetch).out.strip() == aci.image_id(path)


@pytest.mark.parametrize("leave", [0, 4096, 16384, 65536, 262144])
def test_disk_full_while_starting(host, pods, images, leave):
    """The image is there, the pod's directory cannot be made: the start fails with a sentence, the next one works."""
    name = pods.shell("full", images.busybox, "exec sleep infinity")
    pods.start(name)
    pods.stop(name)
    filler = fill(leave)
    try:
        if pods.start(name, check=False).rc != 0:
            assert "space" in host.status(f"pod@{name}") + host.status(f"pod-image@{name}")
        pods.stop(name, check=False)
    finally:
        os.unlink(filler)
    host.run("systemctl", "reset-failed", f"pod@{name}", check=False)
    pods.start(name)
    assert host.is_active("main.service", machine=name)


def test_two_fetches_at_once(host, images, empty):  # pylint: disable=unused-argument
    """Six of the same image: one copy, six right answers."""
    path = images.build("example.com/redis")
    running = [host.spawn("rkt", "--insecure-options=image", "fetch", "--full", path) for _ in range(6)]
    answers = [(p.communicate(timeout=120), p.returncode) for p in running]
    assert {code for _, code in answers} == {0}, answers
    assert {out.strip() for (out, _), _ in answers} == {aci.image_id(path)}
    assert len(host.rkt("image", "list", "--no-legend", "--fields=id").out.split()) == 1


def test_many_pods_at_once(host, pods, images):
    """Ten pods of one image start together, and end together."""
    names = [pods.shell(f"many{i}", images.busybox, "exec sleep infinity") for i in range(10)]
    host.run("systemctl", "start", *(f"pod@{n}" for n in names))
    assert {m["machine"] for m in host.machines()} == set(names)
    host.run("systemctl", "stop", *(f"pod@{n}" for n in names))
    assert not host.machines()

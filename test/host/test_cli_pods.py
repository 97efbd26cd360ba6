# SPDX-License-Identifier: LGPL-2.1-or-later
"""list, status, cat-manifest, stop, rm, gc: what rkt's users and cluster drivers read of pods."""
import json
import re

import pytest

SLEEP = "trap 'exit 0' TERM; sleep 600 & wait"


@pytest.fixture
def running(pods, images):
    """A running pod; its name and UUID."""
    name = pods.shell("cli", images.busybox, SLEEP)
    pods.start(name)
    return name, pods.uuid(name)


@pytest.fixture
def exited(host, pods, images):  # pylint: disable=unused-argument
    """A pod of rkt run that has ended; its UUID. (One of a pod file is marked for gc by its unit.)"""
    host.rkt("--insecure-options=image", "run", "--net=none", images.busybox, "--exec=/bin/true")
    return pods.ours()[-1]["name"]


def columns(line):
    """Cells of a line of a table."""
    return [c.strip() for c in line.split("\t")]


def test_list(host, running):
    """LST-01: columns as rkt's; short UUIDs and ages, with --full all of them and the image's ID."""
    _, uuid = running
    head, *lines = host.rkt("list").out.splitlines()
    assert columns(head) == ["UUID", "APP", "IMAGE NAME", "STATE", "CREATED", "STARTED", "NETWORKS"]
    row = next(columns(li) for li in lines if li.startswith(uuid[:8]))
    assert row[1:4] == ["main", "example.com/busybox:1.0.0", "running"]
    assert re.fullmatch(r"now|\d+ (second|minute)s? ago", row[4])
    head = columns(host.rkt("list", "--full").out.splitlines()[0])
    assert head == ["UUID", "APP", "IMAGE NAME", "IMAGE ID", "STATE", "CREATED", "STARTED", "NETWORKS"]
    full = next(columns(li) for li in host.rkt("list", "--full", "--no-legend").out.splitlines() if li.startswith(uuid))
    assert re.fullmatch(r"sha512-[0-9a-f]{12}", full[3])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,3})? [+-]\d{4} \w+", full[5])  # LST-04


def test_list_without_its_image(host, exited):
    """LST-02: the image's name and ID are there when the image is not."""
    def row():
        return [columns(li)[1:4] for li in host.rkt("list", "--full", "--no-legend").out.splitlines() if li.startswith(exited)]

    before = row()
    host.rkt("image", "rm", "example.com/busybox")
    assert row() == before and before[0][1] == "example.com/busybox:1.0.0" and before[0][2].startswith("sha512-")
    assert any("example.com/busybox:1.0.0" in li for li in host.rkt("list").out.splitlines() if li.startswith(exited[:8]))


def test_list_several_apps(host, pods, images):
    """Further apps of a pod stand on lines of their own without the pod's columns."""
    text = "".join(f"[App {a}]\nImage={images.busybox}\nExec=/bin/sleep 600\n" for a in ("one", "two"))
    name = pods.write("cli2", "[Pod]\nNetwork=none\nInsecureOptions=image\n" + text)
    pods.start(name)
    lines = host.rkt("list", "--no-legend").out.splitlines()
    first = next(i for i, li in enumerate(lines) if li.startswith(pods.uuid(name)[:8]))
    assert columns(lines[first])[1] == "one"
    assert columns(lines[first + 1])[:2] == ["", "two"]


def test_json(host, running):
    """cluster-drivers.md: one line; seconds for the pod, nanoseconds for the apps; the same object in list and status."""
    name, uuid = running
    done = host.rkt("list", "--format=json")
    assert done.err == "" and len(done.out.splitlines()) == 1
    pod = next(p for p in json.loads(done.out) if p["name"] == uuid)
    assert pod == json.loads(host.rkt("status", uuid, "--format=json").out)
    assert pod["state"] == "running" and pod["app_names"] == ["main"] and pod["machine"] == name
    assert 0 <= pod["started_at"] - pod["created_at"] < 60
    app = pod["apps"][0]
    assert app["state"] == "running" and app["image_id"].startswith("sha512-")
    assert abs(app["created_at"] / 1e9 - pod["created_at"]) < 2
    assert host.rkt("status", uuid, "--format=json-pretty").out.startswith('{\n\t"name": ')


def test_status(host, pods, images, running):
    """rkt.md 1.7 status: lines in rkt's order; a prefix and a name stand for the UUID."""
    name, uuid = running
    lines = host.rkt("status", uuid).out.splitlines()
    assert [li.split("=")[0] for li in lines] == ["state", "created", "started", "networks", "pid", "exited",
                                                      "private-users", "signed-main"]
    assert lines[0] == "state=running" and lines[-3] == "exited=false" and lines[-1] == "signed-main=no"
    leader = host.run("machinectl", "show", name, "--property=Leader", "--value").out.strip()
    assert f"pid={leader}" in lines
    assert host.rkt("status", uuid[:10]).out == host.rkt("status", name).out
    assert "error waiting for pod to finish" in host.rkt("status", "--wait=100ms", name, check=254).err
    host.rkt("status", "--wait-ready", name, timeout=10)
    prepared = host.rkt("--insecure-options=image", "prepare", "--quiet", images.busybox, "--exec=/bin/true").out.strip()
    for pod, flag, rc in ((uuid, "--wait-ready=60s", 0), (prepared, "--wait=100ms", 254)):  # who has no inotify left looks
        done = host.run("unshare", "--user", "--map-root-user", "sh", "-euc",
                        'echo 0 > /proc/sys/user/max_inotify_instances; exec rkt status "$@"', "sh", flag, pod, check=rc)
        assert rc == 0 or "time is up" in done.err
    host.rkt("rm", prepared)
    pods.stop(name)
    lines = host.rkt("status", uuid).out.splitlines()
    assert lines[0] == "state=exited garbage" and lines[-4:-2] == ["exited=true", "app-main=0"]
    assert "the pod is exited garbage" in host.rkt("status", "--wait-ready", uuid, check=254, timeout=10).err


def test_unknown_pod(host):
    """CATM-03 RM-02 RM-03: the sentence of every verb; rktlet matches stop's."""
    for verb in ("status", "cat-manifest"):
        assert host.rkt(verb, "1234567890abcdef", check=254).err.startswith(
            f'{verb}: cannot get pod: no matches found for "1234567890abcdef"')
    for verb, end in (("stop", "failed to stop 1 pod(s)"), ("rm", "failed to remove one or more pods")):
        done = host.rkt(verb, "1234567890abcdef", check=254)
        assert done.err.splitlines() == [f'{verb}: cannot get pod: no matches found for "1234567890abcdef"', f"{verb}: {end}"]
    assert "UUID cannot be empty" in host.rkt("rm", "", check=254).err


def test_cat_manifest(host, running, tmp_path):
    """CATM-01 CATM-02 CATM-04: an appc pod manifest with the app inline; on one line without --pretty-print."""
    _, uuid = running
    (tmp_path / "uuid").write_text(uuid)
    text = host.rkt("cat-manifest", "--pretty-print=false", f"--uuid-file={tmp_path}/uuid").out
    assert len(text.splitlines()) == 1
    manifest = json.loads(text)
    assert manifest["acKind"] == "PodManifest" and re.match(r"\d+\.\d+\.\d+", manifest["acVersion"])
    assert manifest["apps"][0]["name"] == "main" and manifest["apps"][0]["app"]["exec"]
    assert json.loads(host.rkt("cat-manifest", uuid).out) == manifest


def test_stop_a_unit(host, running):
    """rkt stop of a pod of a unit: the unit is down when it returns, not failed, and does not come back."""
    name, uuid = running
    assert host.rkt("stop", uuid).out == f'"{uuid}"\n'
    assert host.show(f"pod@{name}", "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert host.rkt("stop", uuid, uuid).out == f'pod "{uuid}" is already stopped\n' * 2


def test_force_stop_a_unit(host, pods, images):
    """rkt stop --force of a pod that does not want to end; Restart= does not bring it back."""
    name = pods.shell("cli-force", images.busybox, "trap '' TERM; while :; do sleep 1; done",
                      rest="[Service]\nRestart=always\nRestartSec=100ms\n")
    pods.start(name)
    uuid = pods.uuid(name)
    host.rkt("stop", "--force", name, timeout=20)
    assert host.show(f"pod@{name}", "ActiveState") in ("inactive", "failed")
    assert "state=exited" in host.rkt("status", uuid).out.splitlines()[0]


def test_rm(host, running, pods):
    """RM-01: not while it runs; afterwards nothing of it is left."""
    name, uuid = running
    assert f'rm: pod "{uuid}" is currently running' in host.rkt("rm", uuid, check=254).err
    pods.stop(name)
    assert host.rkt("rm", uuid).out == f'"{uuid}"\n'
    assert not any(uuid in there for there in host.pod_states().values())
    assert "no matches found" in host.rkt("status", uuid, check=254).err


def test_gc(host, exited):
    """GC-01: marked first, kept for the grace period, then removed."""
    done = host.rkt("gc", "--mark-only=true", "--expire-prepared=0", "--grace-period=0")
    assert f'gc: moving pod "{exited}" to garbage' in done.err
    assert exited in host.pod_states()["exited-garbage"]
    done = host.rkt("gc", "--grace-period=30m")
    assert f'gc: pod "{exited}" not removed: still within grace period (30m0s)' in done.err
    assert "state=exited garbage" in host.rkt("status", exited).out
    done = host.rkt("gc", "--grace-period=0s")
    assert f'Garbage collecting pod "{exited}"' in done.out.splitlines()
    assert not any(exited in there for there in host.pod_states().values())


@pytest.mark.parametrize("verb", ["gc", "rm", "run"])
def test_unprivileged(host, verb):
    """ROOT-02 ROOT-04 ROOT-05: refused before arguments are looked at."""
    done = host.run("runuser", "-u", "nobody", "--", "rkt", verb, check=254)
    assert f"{verb}: cannot run as unprivileged user" in done.err

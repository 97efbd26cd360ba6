# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt start: a pod that has exited, once more (rkt#2087, rkt#3743, rkt#2284, rkt#551)."""
import json
import os
import pathlib
import shutil
import signal
import time

import pytest

from conftest import DATA

RUN = ["--insecure-options=image", "run"]


class Again:
    """Pods of one test, made by rkt run and started again."""

    def __init__(self, host, pods, image, tmp):
        self.host, self.pods, self.image, self.tmp = host, pods, image, tmp

    def run(self, script, *before, flags=(), check=True, net="none"):
        """rkt run of a shell script, to its end; returns the UUID."""
        file = self.tmp / "uuid"
        file.unlink(missing_ok=True)
        done = self.host.rkt(*RUN, f"--net={net}", f"--uuid-file-save={file}", *before, self.image, "--exec=/bin/sh", *flags, "--",
                             "-c", script, check=check)
        return file.read_text(), done.out

    def start(self, *words, **kwargs):
        """rkt start, to the pod's end."""
        return self.host.rkt("start", *words, **kwargs)

    def state(self, uuid):
        """What rkt status says."""
        return json.loads(self.host.rkt("status", "--format=json", uuid).out)


@pytest.fixture
def again(host, pods, images, tmp_path):
    """rkt run and rkt start."""
    return Again(host, pods, images.busybox, tmp_path)


COUNT = "n=$(cat /count 2>/dev/null || echo 0); echo $((n + 1)) > /count; echo run $n; echo $n >> /data/log; cat /data/log; exit $n"


@pytest.mark.parametrize("more", [["--no-overlay"], ["--private-users=pick"], ["--no-overlay", "--private-users=pick"]],
                         ids=" ".join)
def test_what_it_keeps(again, more):
    """UUID, name, the apps' roots, volumes and manifest stay; how the apps ended, and when, is told anew."""
    before = ["--pod-name=t-again", "--volume=data,kind=empty", "--mount=volume=data,target=/data", *more]
    uuid, out = again.run(COUNT, *before)
    assert out.replace("\r", "").endswith("run 0\n0\n")
    first = again.state(uuid)
    assert first["apps"][0]["exit_code"] == 0
    for word, n in ((uuid, 1), ("t-again", 2)):
        done = again.start(word, check=n)
        assert f"run {n}\n" + "".join(f"{i}\n" for i in range(n + 1)) in done.out.replace("\r", "")
        now = again.state(uuid)
        assert now["state"] == "exited" and now["apps"][0]["exit_code"] == n
        assert now["created_at"] == first["created_at"] and now["apps"][0]["started_at"] > first["apps"][0]["started_at"]
    assert [p["name"] for p in again.pods.ours()] == [uuid]
    again.host.rkt("rm", "t-again")
    assert not again.pods.ours()


def test_after_a_stop(again):
    """A pod that was stopped, in order or not, runs again; that it was to stop is not remembered."""
    script = "n=$(cat /count 2>/dev/null || echo 0); echo $((n + 1)) > /count; [ $n -lt 3 ] || exit 7; exec sleep 1000"
    uuid, _ = again.run(script, "--detach")

    def count():
        return [p.read_text() for p in pathlib.Path(DATA, "pods/run", uuid).glob("overlay/*/upper/*/count")]

    for n, stop in enumerate(([], ["--force"], [])):
        again.host.wait_for("it runs", lambda: again.state(uuid)["state"] == "running", timeout=60)
        again.host.rkt("status", "--wait-ready=60s", uuid)
        again.host.wait_for("it has counted", lambda n=n: count() == [f"{n + 1}\n"], timeout=60)
        again.host.rkt("stop", *stop, uuid)
        again.host.rkt("status", "--wait=60s", uuid)
        again.start("--detach", uuid)
    again.host.wait_for("the fourth run has ended", lambda: again.state(uuid)["apps"][0].get("exit_code") == 7, timeout=60)
    again.host.rkt("status", "--wait=60s", uuid)
    again.host.rkt("rm", uuid)


def test_volumes_keep_their_owners(again):
    """An empty volume is made once: owner and mode are the apps' from then on."""
    script = "[ -e /data/x ] || { touch /data/x; chown 1234:1235 /data; chmod 0711 /data; exit 0; }; stat -c %u:%g:%a /data"
    uuid, _ = again.run(script, "--volume=data,kind=empty,mode=0700", "--mount=volume=data,target=/data", flags=("--caps-retain=CAP_CHOWN,CAP_FOWNER",))
    assert "1234:1235:711" in again.start(uuid).out
    again.host.rkt("rm", uuid)


def test_network_and_metadata_anew(again):
    """The pod's networks and its place at the metadata service are made for each start."""
    show = "readlink /proc/self/ns/net; ip -o -4 addr show eth0; wget -qO- $AC_METADATA_URL/acMetadata/v1/pod/uuid"
    uuid, first = again.run(show, "--mds-register", net="default")
    second = again.start(uuid).out
    for out in (first, second):
        assert "eth0" in out and uuid in out
    again.host.rkt("rm", uuid)
    assert not list(pathlib.Path("/run/netns").glob(f"cni-{uuid}"))
    assert not list(pathlib.Path("/var/lib/cni/networks").rglob(f"*{uuid}*"))


def test_background_and_removal(again):
    """--detach: a unit, whose end is the pod's; --rm removes it then; --uuid-file; a running pod says so."""
    uuid, _ = again.run("[ -e /was ] && echo second && exec sleep 1000; touch /was; echo first", "--detach")
    file = again.tmp / "uuid"
    again.host.rkt("status", "--wait=60s", uuid)
    assert again.start("--detach", "--rm", f"--uuid-file={file}").out == uuid + "\n"
    again.host.wait_for("its unit has the pod", lambda: again.state(uuid)["state"] == "running", timeout=60)
    again.host.rkt("status", "--wait-ready=60s", uuid)
    for words in ([uuid], ["--detach", uuid]):
        assert f'pod "{uuid}" is already running' in again.start(*words, check=254).err
    assert again.state(uuid)["state"] == "running" and again.state(uuid)["apps"][0].get("exit_code") is None
    again.host.wait_for("both runs are in the pod's journal", timeout=60,
                        check=lambda: [li for li in again.host.rkt("logs", "-o", "cat", uuid).out.split() if li in ("first", "second")]
                        == ["first", "second"])
    again.host.rkt("stop", uuid)
    again.host.wait_for("it is removed", lambda: not again.pods.ours(), timeout=60)


def test_what_cannot_be_started(again):
    """A prepared pod, one that is marked for removal, none; each says so and stays as it was."""
    prepared = again.host.rkt("--insecure-options=image", "prepare", "--quiet", again.image, "--exec=/bin/true").out.strip()
    assert "rkt run-prepared" in again.start(prepared, check=254).err
    marked, _ = again.run("exit 0")
    again.host.rkt("gc", "--mark-only")
    assert "marked for removal" in again.start(marked, check=254).err
    assert {p["name"]: p["state"] for p in again.pods.ours()} == {prepared: "prepared", marked: "exited garbage"}
    again.host.rkt("rm", marked)
    assert "no matches found" in again.start(marked, check=254).err


def test_pods_of_pod_files(again):
    """One that its unit could not put away, and one that it did: neither runs outside the unit, and who asks learns what to do instead."""
    name = again.pods.shell("left", again.image, "exec sleep 1000", pod="Network=none\n")
    drop_in = pathlib.Path(f"/run/systemd/system/pod@{name}.service.d/90-leave.conf")
    for leave in (True, False):
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text("[Service]\nExecStopPost=\n" if leave else "")
        again.host.run("systemctl", "daemon-reload")
        again.pods.start(name)
        uuid = again.pods.uuid(name)
        assert f'pod "{uuid}" is already running' in again.start(uuid, check=254).err
        again.pods.stop(name)
        assert again.state(uuid)["state"] == ("exited" if leave else "exited garbage")
        for words in ([uuid], ["--detach", name]):
            assert again.start(*words, check=254).err == \
                f'start: pod "{uuid}" is one of /etc/rkt/pods/{name}.pod: "systemctl start pod@{name}" makes a new one and starts it\n'
        drop_in.unlink()
    drop_in.parent.rmdir()
    again.host.run("systemctl", "daemon-reload")


def test_where_no_overlay_can_be(again, tmp_path):
    """RUN: a data directory on a file system that cannot be an upper layer (here another overlay): the pod runs from a copy, and says so
    the first time; what it writes stays, is exported, and goes with it."""
    where = pathlib.Path("/opt/t-start")
    assert again.host.run("stat", "--file-system", "--format=%T", "/opt").out.strip() == "overlayfs"
    data, file = f"--dir={where}", again.tmp / "uuid"
    script = "n=$(cat /count 2>/dev/null || echo 0); echo $((n + 1)) > /count; echo run $n"
    try:
        done = again.host.rkt(data, *RUN, "--net=none", f"--uuid-file-save={file}", again.image, "--exec=/bin/sh", "--", "-c", script)
        uuid = file.read_text()
        assert 'disabling overlay support: "an overlay cannot be mounted here: ' in done.err and "run 0" in done.out
        second = again.start(data, uuid)
        assert "overlay" not in second.err and "run 1" in second.out
        again.host.rkt(data, "export", "--app=busybox", uuid, tmp_path / "out.aci")
        assert again.host.run("tar", "-xOf", tmp_path / "out.aci", "rootfs/count").out == "2\n"
        assert {p.name for p in (where / "pods/run" / uuid).iterdir()} & {"overlay", "overlay-check"} == set()
        again.host.rkt(data, "rm", uuid)
    finally:
        shutil.rmtree(where, ignore_errors=True)


def test_an_image_that_is_gone(again):
    """Its trees are kept for the pod, and its manifest for the metadata service: rkt image rm is not in the way."""
    archive = again.tmp / "busybox.oci"
    again.host.rkt("--insecure-options=image", "fetch", again.image)
    again.host.rkt("image", "export", "--format=oci-archive", "example.com/busybox", archive)
    again.image = f"oci-archive:{archive}"
    uuid, _ = again.run("echo mine > /mine", "--mds-register", net="default")
    for image in set(again.host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out.split()):
        again.host.rkt("image", "rm", image)
    again.host.rkt("image", "gc", "--grace-period=0s")
    assert again.start(uuid).rc == 0


def test_names_of_other_pods(again):
    """An /etc/hosts that the image does not have is kept up to date after each start, not only after the first."""
    other, _ = again.run("exec sleep 1000", "--pod-name=t-other", "--detach", net="default")
    again.host.rkt("status", "--wait-ready=60s", other)
    uuid, first = again.run("cat /etc/hosts", net="default")
    assert "t-other" in first and "t-other" in again.start(uuid).out
    again.host.rkt("stop", "--force", other)
    assert "t-other" not in again.start(uuid).out


def test_at_once_after_the_end(again):
    """Who takes the networks away has the pod's lock meanwhile: rkt rm waits for that."""
    for stop in ([["stop", "--force"]], [["stop"], ["status", "--wait=60s"]]):
        uuid, _ = again.run("exec sleep 1000", "--detach", net="default")
        again.host.rkt("status", "--wait-ready=60s", uuid)
        for words in stop:
            again.host.rkt(*words, uuid)
        again.host.rkt("rm", uuid)
    assert not again.pods.ours()


def test_nspawn_is_killed_alone(again):
    """The pod goes with it, before its networks do; also where nobody copies its output."""
    uuid, _ = again.run("[ -e /was ] || { touch /was; exit 0; }; exec sleep 98765")
    process = again.host.spawn("rkt", "start", "--detached", uuid)
    again.host.wait_for("it runs", lambda: again.state(uuid)["state"] == "running", timeout=60)
    again.host.rkt("status", "--wait-ready=60s", uuid)
    again.host.wait_for("its app", lambda: again.host.run("pgrep", "-fx", "sleep 98765", check=False).out, timeout=60)
    os.kill(int(pathlib.Path(f"{DATA}/pods/run/{uuid}/ppid").read_text()), signal.SIGKILL)
    process.communicate(timeout=60)
    again.host.run("pgrep", "-fx", "sleep 98765", check=1)


@pytest.mark.parametrize("more", [[], ["--no-overlay"]], ids=["overlay", "copied"])
def test_killed_at_any_moment(again, more):
    """kill -9 of a start, whenever: the pod is exited, and can be started again; gc takes it."""
    uuid, _ = again.run("[ -e /was ] || { touch /was; exit 0; }; exec sleep 1000", *more)
    for moment in (0, 0.01, 0.03, 0.07, 0.12, 0.2, 0.35, 0.6):
        process = again.host.spawn("rkt", "start", uuid)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        again.host.wait_for("the pod is over", lambda: again.state(uuid)["state"] == "exited", timeout=60)
    process = again.host.spawn("rkt", "start", uuid)
    again.host.wait_for("it runs", lambda: again.state(uuid)["state"] == "running", timeout=60)
    again.host.rkt("status", "--wait-ready=60s", uuid)
    again.host.rkt("stop", "--force", uuid)
    process.communicate(timeout=60)
    again.host.rkt("gc", "--grace-period=0s")
    assert not again.pods.ours() and not os.path.exists(f"{DATA}/pods/run/{uuid}")


def test_two_at_once(again):
    """Of several starts at once one wins, and the others say that the pod runs."""
    uuid, _ = again.run("[ -e /was ] || { touch /was; exit 0; }; exec sleep 1000")
    starts = [again.host.spawn("rkt", "start", uuid) for _ in range(4)]
    again.host.rkt("status", "--wait-ready=60s", uuid, check=False)
    again.host.wait_for("one is left", lambda: sum(p.poll() is None for p in starts) == 1, timeout=60)
    again.host.rkt("status", "--wait-ready=60s", uuid)
    again.host.rkt("stop", uuid)
    said = [p.communicate(timeout=60)[1] for p in starts]
    assert sorted(p.returncode for p in starts)[1:] == [254] * 3
    assert sum(f'pod "{uuid}" is' in text and "running" in text for text in said) == 3, said

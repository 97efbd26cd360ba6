# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pod file becomes a machine, and ends: start, readiness, exit statuses, stop, the pod's way through its states."""
import json
import os
import pathlib
import time

import pytest

from conftest import DATA, ISOLATED, app_section


@pytest.fixture
def image(images):
    """A busybox image by path."""
    return images.busybox


def test_start_makes_a_machine(host, pods, image):
    """systemctl start comes back when the pod runs: a machine of that name, in machine.slice, nspawn the main process."""
    name = pods.shell("life", image, "exec sleep infinity")
    pods.start(name)
    unit = host.show(f"pod@{name}", "ActiveState", "SubState", "Slice", "Type", "Delegate", "MainPID", "SourcePath",
                     "FragmentPath", "ControlGroup")
    assert (unit["ActiveState"], unit["SubState"], unit["Type"]) == ("active", "running", "notify")
    assert unit["Slice"] == "machine.slice" and unit["ControlGroup"].startswith("/machine.slice/")
    assert unit["SourcePath"] == f"/etc/rkt/pods/{name}.pod"
    assert os.readlink(f"/proc/{unit['MainPID']}/exe").endswith("/systemd-nspawn")
    assert [(m["class"], m["service"]) for m in host.machines() if m["machine"] == name] == [
        ("container", "systemd-nspawn")]
    assert host.is_active("main.service", machine=name)


def test_loaded_line_names_the_pod_file(host, pods, image):
    """systemctl status says where the pod comes from."""
    name = pods.shell("loaded", image, "exec sleep infinity", rest="[Unit]\nDescription=A pod of the tests\n")
    shown = host.status(f"pod@{name}")
    assert f"Loaded: loaded (/etc/rkt/pods/{name}.pod; " in shown
    assert "A pod of the tests" in shown


def test_ready_when_every_app_is(host, pods, image):
    """READY=1 reaches the host no sooner than the slowest app has started."""
    name = pods.write("ready", ISOLATED + app_section("fast", image, "exec sleep infinity") +
                      app_section("slow", image, "sleep 1.5", "Type=oneshot\nRemainAfterExit=yes"))
    began = time.monotonic()
    pods.start(name)
    assert time.monotonic() - began >= 1.5
    assert host.is_active("fast.service", machine=name) and host.is_active("slow.service", machine=name)


def test_app_that_cannot_start_fails_the_start(host, pods, image):
    """An app that fails before the pod is ready makes systemctl start fail; DIAG-01: the program is named."""
    name = pods.write("nostart", ISOLATED + app_section("main", image, None, "Exec=/foo-not-there"))
    assert pods.start(name, check=False).rc != 0
    assert "app 'main' could not be started as '/foo-not-there'" in host.status(f"pod@{name}")


def test_done_at_once(pods, image):
    """A pod whose app has nothing to do was ready nevertheless, and has ended well."""
    name = pods.write("done", ISOLATED + app_section("main", image, None, "Exec=/bin/true"))
    for _ in range(5):
        pods.start(name)
        assert pods.ended(name)["Result"] == "success"


@pytest.mark.parametrize("policy", ["on-failure", "never"])
def test_app_without_a_unit_ends_the_pod(host, pods, image, policy):
    """An app whose settings systemd refuses neither starts nor fails; the pod ends all the same, and says which it is."""
    name = pods.write("nounit", ISOLATED + f"ExitPolicy={policy}\n" + app_section("good", image, "exec sleep infinity") +
                      app_section("bad", image, "exec sleep infinity", "Type=oneshot\nExitType=cgroup"))
    assert pods.start(name, check=False, timeout=60).rc != 0
    assert "app 'bad' could not be started: systemd did not take its settings (bad-setting)" in host.status(f"pod@{name}")
    assert pods.ended(name)["ExecMainStatus"] == "254"


@pytest.mark.parametrize("code", [0, 1, 2])
def test_exit_status(host, pods, image, code):
    """EXIT-01 EXIT-02 EXIT-03: the app's status is the unit's, and is recorded."""
    name = pods.shell(f"exit{code}", image, f"sleep 0.5; exit {code}")
    pods.start(name)
    ended = pods.ended(name)
    assert ended["ExecMainStatus"] == str(code)
    assert ended["ActiveState"] == ("failed" if code else "inactive")
    assert ended["Result"] == ("exit-code" if code else "success")
    last = pods.ours()[-1]["name"]
    assert pods.apps(last) == {"main": code}
    assert "exited=true" in host.rkt("status", last).out.splitlines()


def test_first_failure_ends_the_pod(pods, image):
    """EXIT-04: three apps end with 0, 5 and 6; the second one's end stops the third, and is the pod's status."""
    name = pods.write("exit4", ISOLATED + app_section("hello0", image, "sleep 1; exit 0") +
                      app_section("hello1", image, "sleep 1; exit 5") +
                      app_section("hello2", image, "trap 'exit 0' TERM; sleep 20 & wait $!; exit 6"))
    pods.start(name)
    assert pods.ended(name)["ExecMainStatus"] == "5"
    assert pods.apps(pods.ours()[-1]["name"]) == {"hello0": 0, "hello1": 5, "hello2": 0}


def test_pod_ends_when_all_apps_are_done(pods, image):
    """ExitPolicy=on-failure: one app of two that ends well does not end the pod; both do."""
    name = pods.write("done", ISOLATED + app_section("a", image, "sleep 0.3") + app_section("b", image, "sleep 1.5"))
    began = time.monotonic()
    pods.start(name)
    ended = pods.ended(name)
    assert time.monotonic() - began >= 1.5
    assert (ended["ActiveState"], ended["Result"], ended["ExecMainStatus"]) == ("inactive", "success", "0")


def test_stop_is_orderly(host, pods, image, tmp_path):
    """Apps get SIGTERM, may finish, and their status is kept; the unit did not fail. SVC-01, STP-01."""
    name = pods.shell("stop", image, "trap 'echo bye > /out/bye; exit 7' TERM; echo up > /out/up; "
                      "while :; do sleep 0.1; done", app="Volume=out:/out\nSuccessExitStatus=7",
                      rest=f"[Volume out]\nSource={tmp_path}\n")
    pods.start(name)
    host.wait_for("the app is up", (tmp_path / "up").exists)
    uuid = pods.uuid(name)
    pods.stop(name)
    assert (tmp_path / "bye").read_text() == "bye\n"
    unit = host.show(f"pod@{name}", "ActiveState", "Result")
    assert unit == {"ActiveState": "inactive", "Result": "success"}
    assert pods.apps(uuid) == {"main": 7}
    assert not [m for m in host.machines() if m["machine"] == name]


def test_stop_of_a_deaf_app_ends(host, pods, image):
    """An app that ignores SIGTERM is killed after its TimeoutStopSec=; the pod goes."""
    name = pods.shell("deaf", image, "trap '' TERM; while :; do sleep 0.2; done", app="TimeoutStopSec=1s")
    pods.start(name)
    began = time.monotonic()
    pods.stop(name)
    assert time.monotonic() - began < 20
    assert host.show(f"pod@{name}", "ActiveState") in ("inactive", "failed")


def test_every_start_is_a_new_pod(host, pods, image):
    """A restart has a new UUID; of those that ended, one is kept."""
    name = pods.shell("again", image, "exec sleep infinity")
    pods.start(name)
    uuids = [pods.uuid(name)]
    for _ in range(2):
        host.run("systemctl", "restart", f"pod@{name}")
        uuids.append(pods.uuid(name))
    assert len(set(uuids)) == 3
    ours = {p["name"]: p["state"] for p in pods.ours()}
    assert ours.pop(uuids[2]) == "running"
    assert list(ours) == [uuids[1]] and ours[uuids[1]].startswith("exited")


def test_images_that_are_there(host, pods, image):
    """pod-image@ is skipped when there is nothing to get, and is not when the store has lost an image or the pod file asks for
    another."""
    def got(verb="restart"):
        host.run("systemctl", verb, f"pod@{name}")
        return host.show(f"pod-image@{name}", "Result")

    name = pods.shell("there", image, "exec sleep infinity")
    assert got() == "success"
    noted = pathlib.Path(DATA, "resolved", name).read_text()
    assert got() == "exec-condition"
    assert pathlib.Path(DATA, "resolved", name).read_text() == noted
    pods.shell("there", image, "exec sleep infinity", rest=app_section("more", image, "exec sleep infinity"))
    assert got() == "success"
    assert pathlib.Path(DATA, "resolved", name).read_text() == 2 * noted
    assert got() == "exec-condition"
    host.run("systemctl", "stop", f"pod@{name}")
    host.rkt("image", "rm", noted.split()[0])
    assert got("start") == "success"


def test_states_on_disk(host, pods, image):
    """run/ while it runs and locked, exited-garbage/ afterwards, and gc takes it; LST-01, RM-01, GC-01."""
    name = pods.shell("states", image, "exec sleep infinity")
    pods.start(name)
    uuid = pods.uuid(name)
    assert uuid in host.pod_states()["run"]
    host.run("flock", "--nonblock", f"{DATA}/pods/run/{uuid}", "true", check=1)
    lines = host.rkt("status", uuid).out.splitlines()
    assert "state=running" in lines
    assert any(line.startswith("pid=") for line in lines)
    refused = host.rkt("rm", uuid, check=254)
    assert "is currently running" in refused.err
    pods.stop(name)
    assert uuid not in host.pod_states()["run"]
    host.rkt("gc", "--grace-period=0s")
    assert not any(uuid in pods_ for pods_ in host.pod_states().values())
    host.rkt("status", uuid, check=254)


def test_rkt_stop_and_rm(host, pods, image):
    """rkt's own verbs end and remove a unit's pod; the unit did not fail. STP-01, RM-01."""
    name = pods.shell("verbs", image, "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    pods.start(name)
    uuid = pods.uuid(name)
    assert uuid in host.rkt("stop", uuid).out
    assert pods.ended(name)["Result"] == "success"
    assert uuid in host.rkt("rm", uuid).out
    assert not any(uuid in p for p in host.pod_states().values())


def test_rkt_list_and_manifest(host, pods, image):
    """LST-01: list shows the pod and its image by name; the pod manifest is appc's."""
    name = pods.shell("list", image, "exec sleep infinity")
    pods.start(name)
    uuid = pods.uuid(name)
    line = next(li for li in host.rkt("list", "--full", "--no-legend").out.splitlines() if li.startswith(uuid))
    assert "main" in line and "example.com/busybox" in line and "running" in line and "sha512-" in line
    doc = json.loads(host.rkt("cat-manifest", uuid).out)
    assert doc["acKind"] == "PodManifest" and [a["name"] for a in doc["apps"]] == ["main"]
    assert doc["apps"][0]["image"]["name"] == "example.com/busybox"


def test_host_name(host, pods, image):
    """HOST-01: the pod's name, or HostName=."""
    name = pods.shell("hostname", image, "exec sleep infinity")
    pods.start(name)
    assert pods.shell_in(f"main@{name}", "/bin/hostname").strip() == name
    pods.stop(name)
    pods.shell("hostname", image, "exec sleep infinity", pod="HostName=custom-name\n")
    host.run("systemctl", "restart", f"pod@{name}")
    assert pods.shell_in(f"main@{name}", "/bin/hostname").strip() == "custom-name"


def test_apps_are_apart(pods, image):
    """MNS-01: each app has its own root; the other one's files are not there."""
    name = pods.write("apart", ISOLATED + app_section("a", image, "echo a > /mark; exec sleep infinity") +
                      app_section("b", image, "exec sleep infinity"))
    pods.start(name)
    assert pods.shell_in(f"a@{name}", "/bin/cat", "/mark").strip() == "a"
    assert "No such file" in pods.shell_in(f"b@{name}", "/bin/cat", "/mark", check=False)


def test_root_is_fresh_at_each_start(host, pods, image):
    """What an app wrote into its root is gone with the pod, and never in the image."""
    name = pods.shell("fresh", image, "if [ -e /mark ]; then exit 9; fi; echo x > /mark; exec sleep infinity")
    for _ in range(2):
        host.run("systemctl", "restart", f"pod@{name}")
        time.sleep(0.3)
        assert host.is_active(f"pod@{name}")


def test_empty_volume_is_shared_and_goes(host, pods, image):
    """VOL-14: an empty volume is the pod's: two apps see it, the next start does not."""
    name = pods.write("empty", ISOLATED +
                      app_section("a", image, "[ -e /v/x ] && exit 9; echo shared > /v/x; exec sleep infinity",
                                  "Volume=v:/v") +
                      app_section("b", image, "exec sleep infinity", "Volume=v:/v") + "[Volume v]\nMode=0755\n")
    for _ in range(2):
        host.run("systemctl", "restart", f"pod@{name}")
        host.wait_for("the other app sees it", lambda: "shared" in pods.shell_in(f"b@{name}", "/bin/cat", "/v/x"))


def test_persistent_volume_stays(host, pods, image):
    """Persistent=yes: kept below the data directory, with the mode and owner asked for."""
    name = pods.shell("keep", image, "date +%s%N >> /v/x; exec sleep infinity", app="Volume=v:/v",
                      rest="[Volume v]\nPersistent=yes\nMode=0750\nUID=1234\nGID=5678\n")
    for n in (1, 2, 3):
        host.run("systemctl", "restart", f"pod@{name}")
        volume = f"{DATA}/volumes/{name}/v"
        host.wait_for(f"{n} lines", lambda n=n: os.path.exists(f"{volume}/x") and
                      len(open(f"{volume}/x").readlines()) == n)
    found = os.stat(volume)
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o750, 1234, 5678)
    # a program in it that the app made setuid is out of reach for the host's users
    for top in (f"{DATA}/volumes", f"{DATA}/volumes/{name}"):
        assert os.stat(top).st_mode & 0o7777 == 0o700


def test_copy_up(host, pods, image):
    """CopyUp=yes: a volume begins with what the image has there, once; what a power cut left half-done is removed."""
    name = pods.shell("fill", image, "exec sleep infinity", app="Volume=kept:/usr/bin\nVolume=own:/root",
                      rest="[Volume kept]\nPersistent=yes\nCopyUp=yes\n[Volume own]\nMode=0755\nCopyUp=yes\n")
    volumes = pathlib.Path(DATA, "volumes", name)
    (volumes / ".kept.part/d").mkdir(parents=True)
    pods.start(name)
    assert pods.shell_in(f"main@{name}", "/bin/stat", "-c", "%a", "/root").strip() == "700"
    assert os.listdir(volumes) == ["kept"] and (volumes / "kept/busybox").exists()
    (volumes / "kept/yes").unlink()
    host.run("systemctl", "restart", f"pod@{name}")
    assert not (volumes / "kept/yes").exists() and (volumes / "kept/busybox").exists()


def test_ctrl_group_is_empty_after_the_end(host, pods, image):
    """Daemons that an app left behind in its cgroup do not outlive the pod."""
    name = pods.shell("daemon", image, "setsid sleep 300 & setsid sleep 300 & sleep 0.5", app="KillMode=process")
    pods.start(name)
    pods.ended(name)
    assert host.run("pgrep", "-f", "^sleep 300$", check=False).out == ""


def test_unsupported_is_said(host, pods, image):
    """A key whose behaviour comes later is refused at start, by name, with where it stands."""
    name = pods.shell("later", image, "exec sleep infinity", pod="Stage1=fly\n")
    assert pods.start(name, check=False).rc != 0
    shown = host.status(f"pod@{name}")
    assert "not supported yet" in shown and "Stage1" in shown and f"{name}.pod:" in shown


def test_broken_file_costs_only_its_own_pod(host, pods, image):
    """Status 78/CONFIG, all its mistakes in the unit's status, suggestions included; the neighbour starts."""
    broken = pods.write("broken", "[Pod]\nNetwrok=none\n\n[App main]\nImage=x\nMemoryMax=much\n[Volume]\n")
    good = pods.shell("good", image, "exec sleep infinity")
    assert pods.start(broken, check=False).rc != 0
    pods.start(good)
    shown = host.status(f"pod@{broken}")
    assert "status=78/CONFIG" in shown
    assert f"{broken}.pod:2" in shown and "Network" in shown and f"{broken}.pod:6" in shown
    assert host.is_active(f"pod@{good}")


def test_missing_file(host, pods):  # pylint: disable=unused-argument
    """Starting a pod that has no file says so."""
    assert host.run("systemctl", "start", "pod@t-nofile", check=False).rc != 0
    shown = host.status("pod@t-nofile")
    host.run("systemctl", "reset-failed", "pod@t-nofile", check=False)
    assert "t-nofile.pod" in shown

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pod files in a real systemd: what a broken one does and does not do, templates, masks, drop-ins, sockets, presets.
What the generator writes, byte for byte, is pinned by test/generator-test.py; ids are those of robustness.md 3.11."""
import json
import os
import pathlib
import shutil
import time

import pytest

from conftest import ISOLATED, POD_DIR, app_section

BROKEN = "[App]\nImagge=example.com/x\n[Pod]\nNetwrok=none\n"


@pytest.fixture
def image(images):
    """A busybox image by path."""
    return images.busybox


def test_broken_file_says_so(host, pods):
    """P3 P6: the unit exists, fails at once with 78/CONFIG, and its status has every mistake with file and line."""
    name = pods.write("broken", BROKEN)
    assert pods.start(name, check=False).rc != 0
    status = host.status(f"pod@{name}")
    path = f"{POD_DIR}/{name}.pod"
    assert f"Loaded: loaded ({path}; " in status
    assert "status=78/CONFIG" in status
    for line in (f"{path}:1: [App] Image= is missing", f"{path}:2: [App] Imagge: unknown key (did you mean Image=?)",
                 f"{path}:4: [Pod] Netwrok: unknown key (did you mean Network=?)"):
        assert line in status, status
    assert host.show(f"pod@{name}", "ExecMainStatus") == "78"
    assert host.rkt("pod", "check", f"{path}", check=1).out.count("\n") == 3
    shown = next(p for p in json.loads(host.rkt("pod", "list", "--format=json").out) if p["name"] == name)
    assert shown["state"] == "failed" and "(and 2 more)" in shown["error"]


def test_broken_file_is_not_restarted(host, pods):
    """What is wrong stays wrong: Restart=always does not try again."""
    name = pods.write("again", BROKEN + "[Service]\nRestart=always\n")
    good = pods.write("again2", "[App]\nImage=/nowhere.aci\n[Service]\nRestart=always\n[Pod]\nStage1=fly\n")
    for pod in (name, good):
        pods.start(pod, check=False)
        assert pods.ended(pod)["NRestarts"] == "0"


@pytest.mark.parametrize("line", ["ListenStream=/run/t-half.sock\nSocketMode=9", "ListenStraem=/run/t-half.sock"])
def test_broken_file_starts_nothing_else(host, pods, image, line):
    """Of a broken pod nothing starts that could be wider than its file says, and no hook of the host runs; starting it says what is
    wrong. A socket that listens is left alone."""
    good = "[Socket]\nListenStream=/run/t-half.sock\nSocketMode=0600\n[Install]\nWantedBy=sockets.target\n"
    mark = pathlib.Path("/run/t-half.mark")
    name = pods.shell("half", image, "exec sleep infinity", rest=good)
    socket, timer = f"pod@{name}.socket", f"pod@{name}.timer"
    host.run("systemctl", "start", socket)
    try:
        assert socket in host.show("sockets.target", "Wants").split()
        pods.shell("half", image, "exec sleep infinity", rest=f"[Service]\nExecStartPre=/bin/touch {mark}\n[Socket]\n{line}\n"
                   f"ExecStartPre=/bin/touch {mark}\n[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=sockets.target\n")
        assert host.is_active(socket)
        assert socket not in host.show("sockets.target", "Wants").split()
        assert timer not in host.show("timers.target", "Wants").split()
        assert pods.start(name, check=False).rc != 0
        status = host.status(f"pod@{name}")
        assert "status=78/CONFIG" in status and f"{POD_DIR}/{name}.pod:" in status and line.rsplit("\n", 1)[-1].split("=")[0] in status, status
        assert not mark.exists()
    finally:
        host.run("systemctl", "stop", socket, check=False)
        mark.unlink(missing_ok=True)


def test_broken_file_costs_only_its_pod(host, pods, image):
    """Another pod starts; a running one whose file breaks goes on, and can be stopped."""
    good = pods.shell("other", image, "exec sleep infinity")
    pods.write("broken", BROKEN)
    pods.start(good)
    pods.write("other", BROKEN)
    assert host.is_active(f"pod@{good}") and host.is_active("main.service", machine=good)
    pods.stop(good)
    assert host.show(f"pod@{good}", "ActiveState") == "inactive"


def test_messages_are_logged(host, pods):
    """Each mistake is one record of the kernel's log, which the journal has under the generator's name."""
    since = int(time.time()) - 1
    name = pods.write("logged", BROKEN)
    host.wait_for("records", lambda: host.journal("-t", "rkt-pod-generator", since=since).count(f"/{name}.pod:") >= 3)


def test_the_pod_has_the_time_of_its_apps(host, pods):
    """TimeoutStartSec= and TimeoutStopSec= of the apps count for the pod, each phase of them; what [Service] says wins."""
    slow = "[App]\nImage=example.com/x\nTimeoutStartSec=10min\nTimeoutStopSec=3.5min\nExecStop=/bin/true\n"
    texts = {"slow": slow, "said": f"{slow}[Service]\nTimeoutStartSec=7min\nTimeoutStopSec=1min\n",
             "job": "[App]\nImage=example.com/x\nType=oneshot\n", "plain": "[App]\nImage=example.com/x\n"}
    names = {name: pods.write(name, text, reload=False) for name, text in texts.items()}
    host.run("systemctl", "daemon-reload")
    times = {k: tuple(host.show(f"pod@{name}", p) for p in ("TimeoutStartUSec", "TimeoutStopUSec")) for k, name in names.items()}
    assert times == {"slow": ("10min 30s", "7min 15s"), "said": ("7min", "1min"), "job": ("infinity", "1min 45s"),
                     "plain": ("2min", "1min 45s")}


def test_keys_of_a_newer_systemd(host, pods):
    """What the systemd of the host would ignore in an app is said by the check, and refused at the start."""
    systemd = int(host.run("systemctl", "--version").out.split()[1])
    keys = ("RestartSteps=3", "MemoryZSwapMax=1M", "Type=notify-reload", "ProtectControlGroups=strict")
    since = (254, 253, 253, 257)
    name = pods.write("newer", "[App]\nImage=/nowhere.aci\n" + "\n".join(keys) + "\n")
    checked = host.rkt("pod", "check", f"{POD_DIR}/{name}.pod").all
    said = [int(line.split("needs systemd ")[1].split()[0]) for line in checked.splitlines() if "needs systemd" in line]
    assert said == [s for s in since if s > systemd], checked
    pods.start(name, check=False)
    assert ("'3' needs systemd 254 (this is 252)" in host.status(f"pod@{name}")) is (systemd == 252)


def test_repaired_file_starts(host, pods, image):
    """After the repair nothing else is needed."""
    name = pods.write("repair", BROKEN)
    pods.start(name, check=False)
    pods.shell("repair", image, "exec sleep infinity")
    pods.start(name)
    assert host.is_active(f"pod@{name}")


@pytest.mark.parametrize("text, message", [
    ("[Pod]\nStage1=fly\n[App]\nImage=/x.aci\n", ":2: [Pod] Stage1: fly is not supported yet"),
    ("[Pod]\nStage1=kvm\n[App]\nImage=/x.aci\n", ":2: [Pod] Stage1: kvm is not supported yet"),
])
def test_not_supported_yet(host, pods, text, message):
    """Keys whose behaviour comes later are right, and refused at the start."""
    name = pods.write("later", text)
    assert host.rkt("pod", "check", f"{POD_DIR}/{name}.pod").err == f"{POD_DIR}/{name}.pod{message}\n"
    assert pods.start(name, check=False).rc != 0
    assert f"{POD_DIR}/{name}.pod{message}" in host.status(f"pod@{name}")


def test_no_pod_file(host, pods):
    """A name without a file: one sentence, 78."""
    pods.names.append("t-absent")
    assert pods.start("t-absent", check=False).rc != 0
    status = host.status("pod@t-absent")
    assert "there is no pod file for 't-absent'" in status and "status=78/CONFIG" in status


def test_template(host, pods, image):
    """P10: instances by Instances= and by a link, each with its drop-in; the template itself is no pod."""
    pods.names += ["t-tpl-a", "t-tpl-b"]
    text = "[Pod]\nInstances=a\n" + ISOLATED + app_section("main", image, "echo I am NN; exec sleep infinity").replace(
        "NN", "%i of %p")
    pods.write("tpl@", text, reload=False)
    link = pathlib.Path(POD_DIR, "t-tpl@b.pod")
    link.symlink_to("t-tpl@.pod")
    pods.write("tpl@b", "[Service]\nTimeoutStopSec=72\n", suffix=".d/x.conf")
    pods.start("t-tpl-a")
    pods.start("t-tpl-b")
    assert {m["machine"] for m in host.machines()} >= {"t-tpl-a", "t-tpl-b"}
    host.wait_for("its word", lambda: "I am b of t-tpl" in host.journal("-M", "t-tpl-b", "-t", "main"))
    assert host.show("pod@t-tpl-a", "TimeoutStopUSec") == "1min 45s"
    assert host.show("pod@t-tpl-b", "TimeoutStopUSec") == "1min 12s"
    for pod in ("t-tpl-a", "t-tpl-b"):
        pods.stop(pod)
    link.unlink()


def test_masked_file(host, pods, image):
    """A link to /dev/null in /etc hides the same name in /run; without it the pod is there again."""
    name = pods.write("mask", "[App]\nImage=/x.aci\n", reload=False)
    path = pathlib.Path(POD_DIR, f"{name}.pod")
    vendor = pathlib.Path("/run/rkt/pods", path.name)
    vendor.parent.mkdir(parents=True, exist_ok=True)
    vendor.write_text(path.read_text())
    path.unlink()
    try:
        host.run("systemctl", "daemon-reload")
        assert host.show(f"pod@{name}", "SourcePath") == str(vendor)
        path.symlink_to("/dev/null")
        host.run("systemctl", "daemon-reload")
        assert host.show(f"pod@{name}", "SourcePath") == ""
    finally:
        vendor.unlink()


def test_drop_in_changes_an_app(host, pods, image):
    """A drop-in of the pod file: the same app, another command."""
    name = pods.shell("dropin", image, "echo first; exec sleep infinity")
    pods.write("dropin", '[App main]\nExec=/bin/sh -c "echo second; exec sleep infinity"\n', suffix=".d/x.conf")
    pods.start(name)
    host.wait_for("its word", lambda: "second" in host.journal("-M", name, "-t", "main"))
    cat = host.rkt("pod", "cat", name).out
    assert f"# {POD_DIR}/{name}.pod.d/x.conf:2\nExec=" in cat and "first" not in cat


def test_socket_is_enabled(host, pods, image):
    """With [Socket], [Install] is about the socket, and the pod waits for the first connection."""
    name = pods.shell("sock", image, "exec sleep infinity",
                      rest="[Socket]\nListenStream=/run/t-sock.sock\n[Install]\nWantedBy=sockets.target\n")
    assert f"pod@{name}.socket" in host.show("sockets.target", "Wants").split()
    assert host.show(f"pod@{name}.socket", "Listen") == "/run/t-sock.sock (Stream)"
    assert f"pod@{name}.socket" in host.show(f"pod@{name}.service", "Requires").split()
    done = host.run("systemd-analyze", "verify", "--man=no", "--generators=yes", f"pod@{name}.socket", check=False)
    assert (done.rc, done.all) == (0, "")


def test_preset_disables(host, pods, image):
    """A pod without [Install] is not started by Debian's preset, which enables what it does not know."""
    name = pods.shell("preset", image, "exec sleep infinity")
    host.run("systemctl", "enable", f"pod@{name}")
    host.run("systemctl", "preset", f"pod@{name}")
    assert host.run("systemctl", "is-enabled", f"pod@{name}", check=False).out.strip() == "disabled"
    shipped = host.run("systemctl", "is-enabled", "rkt-pods.path", "rkt-gc.timer", "rkt-auto-update.timer")
    assert shipped.out.split() == ["enabled"] * 3


def test_edit(host, pods, image):
    """systemctl edit writes a drop-in that wins over the pod file."""
    name = pods.shell("edit2", image, "exec sleep infinity", rest="[Service]\nTimeoutStopSec=77\n")
    editor = pathlib.Path("/run/t-editor")
    # 257 puts "+LINE" before the file, and takes only what stands between its two comments
    editor.write_text('#!/bin/sh\nfor file; do :; done\n'
                      'sed -i "/^### Anything/a [Service]\\nTimeoutStopSec=44" "$file"\n')
    editor.chmod(0o755)
    try:
        host.run("script", "--quiet", "--return", "--command", f"systemctl edit pod@{name}", "/dev/null",
                 env={"SYSTEMD_EDITOR": str(editor)}, stdin="")
        assert host.show(f"pod@{name}", "TimeoutStopUSec") == "44s"
        host.run("systemctl", "revert", f"pod@{name}")
        assert host.show(f"pod@{name}", "TimeoutStopUSec") == "1min 17s"
    finally:
        editor.unlink()


def test_many_files_at_once(host, pods, watched):  # pylint: disable=unused-argument
    """rkt-pods.path misses none of many files that are dropped while it reloads."""
    text = "[App]\nImage=/x.aci\n"
    names = []
    for i in range(10):
        names.append(pods.write(f"many{i}", text, reload=False))
        time.sleep(0.01 * (i % 10))
    host.wait_for("all are seen", lambda: all(host.show(f"pod@{n}", "SourcePath") for n in names))
    assert host.show("rkt-pods.path", "ActiveState") == "active"


def test_change_while_nobody_watches(host, pods, watched):  # pylint: disable=unused-argument
    """Between the end of a reload and the next watch of rkt-pods.path there is a gap, here made a second long."""
    drop_in = pathlib.Path("/run/systemd/system/rkt-pods.service.d/gap.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nExecStopPost=/bin/sleep 1\n")

    def at_rest():
        return (host.show("rkt-pods.path", "SubState"), host.show("rkt-pods.service", "ActiveState"),
                host.show("rkt-pods-check.service", "ActiveState")) == ("waiting", "inactive", "inactive")
    try:
        host.run("systemctl", "daemon-reload")
        host.wait_for("rest", at_rest)
        first = pods.write("gap1", "[App]\nImage=/x.aci\n", reload=False)
        host.wait_for("the gap", lambda: host.show("rkt-pods.service", "SubState") == "stop-post")
        assert host.show(f"pod@{first}", "SourcePath")
        second = pods.write("gap2", "[App]\nImage=/x.aci\n", reload=False)
        assert host.show("rkt-pods.service", "SubState") == "stop-post"
        host.wait_for("it is seen", lambda: host.show(f"pod@{second}", "SourcePath"))
        host.wait_for("rest", at_rest)
    finally:
        shutil.rmtree(drop_in.parent)
        host.run("systemctl", "daemon-reload")


def test_odd_files_do_not_stop_the_others(host, pods, image):
    """P11: a FIFO, a dangling link, a directory: the reload comes back, others are generated."""
    odd = [pathlib.Path(POD_DIR, f"t-odd-{i}.pod") for i in range(3)]
    os.mkfifo(odd[0])
    odd[1].symlink_to("nowhere")
    odd[2].mkdir()
    pods.names += [p.stem for p in odd]
    name = pods.shell("odd", image, "exec sleep infinity")
    pods.start(name)
    assert host.is_active(f"pod@{name}")
    for path, why in zip(odd, ("not a regular file", "the link leads nowhere", "not a regular file")):
        pods.start(path.stem, check=False)
        assert why in host.status(f"pod@{path.stem}")


def test_every_unit_verifies(host):
    """systemd-analyze verify is silent about what is shipped."""
    done = host.run("systemd-analyze", "verify", "--man=no", "pods.target", "rkt-pods.path", "rkt-pods.service",
                    "rkt-pods-check.service", "rkt-gc.timer", "rkt-gc.service", "rkt-auto-update.timer", "rkt-auto-update.service",
                    "pod-image@x.service", "pod@x.service", check=False)
    assert (done.rc, done.all) == (0, "")

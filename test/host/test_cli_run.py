# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt run in the foreground: exit statuses, environment, volumes, users, signals, its unit."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

RUN = ["--insecure-options=image", "run", "--net=host"]


class Foreground:
    """rkt run of one test. What it made is removed at the end."""

    def __init__(self, host, pods, image, tmp):
        self.host, self.pods, self.image, self.tmp = host, pods, image, tmp

    def shell(self, script, *flags, before=(), check=True, **kwargs):
        """Run a shell script in an app of the busybox image."""
        return self.host.rkt(*RUN, *before, self.image, "--exec=/bin/sh", *flags, "--", "-c", script, check=check,
                             **kwargs)

    def start(self, script, *flags, before=(), **kwargs):
        """Start one in the background and wait until it is ready; returns the process and the UUID."""
        file = self.tmp / "uuid"
        process = self.host.spawn("rkt", *RUN, f"--uuid-file-save={file}", *before, self.image, "--exec=/bin/sh", *flags,
                                  "--", "-c", script, **kwargs)
        self.host.wait_for("the UUID file", lambda: file.exists() and file.read_text(), timeout=60)
        uuid = file.read_text()
        self.host.rkt("status", "--wait-ready=60s", uuid)
        return process, uuid

    def last(self):
        """UUID of the pod that was made last."""
        return self.pods.ours()[-1]["name"]


@pytest.fixture
def run(host, pods, images, tmp_path):
    """rkt run."""
    return Foreground(host, pods, images.busybox, tmp_path)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_exit_status(run, code):
    """EXIT-01 EXIT-02 EXIT-03: the app's status is rkt's, and rkt status has it."""
    done = run.shell(f"echo printed-{code}; exit {code}", check=code)
    assert f"printed-{code}" in done.out
    assert run.pods.apps(run.last()) == {"busybox": code}


def test_first_failure_is_the_status(host, run):
    """EXIT-04: three apps, the second fails: its status is rkt's, the third is stopped cleanly."""
    image = run.image
    scripts = ["sleep 1; exit 0", "sleep 1; exit 5", "trap 'exit 0' TERM; sleep 20 & wait $!; exit 6"]
    words = []
    for n, script in enumerate(scripts):
        words += [image, f"--name=hello{n}", "--exec=/bin/sh", "--", "-c", script, "---"]
    host.rkt(*RUN, *words, check=5)
    assert run.pods.apps(run.last()) == {"hello0": 0, "hello1": 5, "hello2": 0}


def test_names_like_the_pods_own(host, run):
    """Apps run and are entered whose names only look like units of the pod, as that of rkt's image rkt-inspect; its own names
    are refused, with the way to another."""
    names = ["rkt-inspect", "systemd-x", "enter-x", "hook-x", "basic", "init", "container-shell", "dbus-broker"]
    words, file = [], run.tmp / "uuid"
    for name in names:
        words += [run.image, f"--name={name}", "--exec=/bin/sh", "--", "-c", "trap 'exit 0' TERM; sleep 1000 & wait $!", "---"]
    process = host.spawn("rkt", *RUN, f"--uuid-file-save={file}", *words)
    uuid = host.wait_for("the UUID file", lambda: file.exists() and file.read_text(), timeout=60)
    host.rkt("status", "--wait-ready=60s", uuid)
    for name in names:
        assert host.rkt("enter", f"--app={name}", uuid, "/bin/echo", name).out.strip() == name
    host.rkt("stop", uuid)
    process.communicate(timeout=120)
    assert run.pods.apps(uuid) == dict.fromkeys(names, 0)
    for verb in ("run", "prepare"):
        refused = host.rkt("--insecure-options=image", verb, run.image, "--name=rkt-ready", "--exec=/bin/true", check=254)
        assert "app 'rkt-ready': a unit or a user of the pod itself has this name" in refused.err and "--name=" in refused.err


def test_output_is_raw(run):
    """What the app prints arrives unchanged, standard output and standard error of the pod apart from rkt's own words."""
    done = run.shell("printf 'one\\ntwo words\\n'; printf 'bad\\n' >&2")
    assert "one\ntwo words\n" in done.out
    assert "bad\n" in done.all


@pytest.mark.parametrize("before,after,expected", [
    ([], [], "manifest||"),                                                        # ENV-01
    (["--set-env=VAR_OTHER=setenv"], [], "manifest|setenv|"),                      # ENV-02
    (["--set-env=VAR_FROM_MANIFEST=setenv"], [], "setenv||"),                      # ENV-03
    (["--inherit-env=true"], [], "manifest|host|"),                                # ENV-04 ENV-07
    (["--inherit-env=true", "--set-env=VAR_OTHER=setenv"], [], "manifest|setenv|"),  # ENV-08
    (["--set-env-file=FILE", "--set-env=VAR_OTHER=setenv"], [], "manifest|setenv|"),  # ENV-09
    (["--set-env-file=FILE"], [], "manifest|file|"),                               # ENV-10
    (["--set-env=VAR_OTHER=setenv"], ["--environment=VAR_OTHER=app"], "manifest|setenv|"),  # as rkt did it
    (["--set-env=VAR_THIRD=a b=\"c\" $d\\e"], [], "manifest||a b=\"c\" $d\\e"),
])
def test_environment(run, before, after, expected):
    """ENV-01 to ENV-10 (not through enter): where variables come from, and which wins."""
    file = run.tmp / "env"
    file.write_text("# comment\nVAR_OTHER=file\n")
    before = [b.replace("FILE", str(file)) for b in before]
    done = run.shell('printf "<%s|%s|%s>\\n" "$VAR_FROM_MANIFEST" "$VAR_OTHER" "$VAR_THIRD"', *after, before=before,
                     env={"VAR_OTHER": "host", "VAR_FROM_MANIFEST": "host"})
    assert f"<{expected}>" in done.out


def test_exec(host, run):
    """EXEC-01 EXEC-02 EXEC-03: --exec replaces the image's exec and its arguments; a bare name is looked up in PATH."""
    assert "direct" in host.rkt(*RUN, run.image, "--exec=/bin/echo", "--", "direct").out
    assert "looked-up" in host.rkt(*RUN, run.image, "--exec=echo", "--", "looked-up").out


def test_volumes(run):
    """VOL-03 VOL-05 VOL-07 VOL-08 VOL-11 VOL-12: host volumes, writable and not, where no directory is; empty ones."""
    source = run.tmp / "data"
    source.mkdir()
    (source / "file").write_text("host\n")
    volume, mount = f"--volume=v,kind=host,source={source}", "--mount=volume=v,target=/a/b/c"
    assert "host" in run.shell("cat /a/b/c/file", mount, before=[volume]).out
    run.shell("echo 2 > /a/b/c/file", before=[volume, mount])
    assert (source / "file").read_text() == "2\n"
    assert run.shell("echo 3 > /a/b/c/file", mount, before=[volume + ",readOnly=true"], check=False).rc != 0
    assert (source / "file").read_text() == "2\n"
    assert "w" in run.shell("echo w > /e/x; cat /e/x; stat -c %a /e", "--mount=volume=e,target=/e",
                            before=["--volume=e,kind=empty,mode=0700"]).out


def test_missing_volume_source(run):
    """VOL-01: named, refused, nothing left (254 where nspawn's own error made rkt exit with 1)."""
    done = run.shell("true", "--mount=volume=v,target=/v", before=["--volume=v,kind=host,source=/does/not/exist"], check=254)
    assert "/does/not/exist" in done.err


@pytest.mark.parametrize("flags,expected", [
    ([], "0 0"), (["--user=200"], "200 0"), (["--group=300"], "0 300"), (["--user=200", "--group=300"], "200 300"),
    (["--user=user1", "--group=300"], "1000 300"), (["--user=200", "--group=group1"], "200 100"),
    (["--user=root", "--group=root"], "0 0"), (["--user=/bin/busybox", "--group=/bin/busybox"], "0 0"),
])
def test_user_and_group(run, flags, expected):
    """UG-01 to UG-06, UG-13, UG-14."""
    assert f"<{expected}>" in run.shell('echo "<$(id -u) $(id -g)>"', *flags).out


def test_hostname(run):
    """HOST-01 HOST-02: given, else rkt-UUID."""
    assert "test-hostname" in run.shell("hostname", before=["--hostname=test-hostname"]).out
    done = run.shell("hostname")
    assert f"rkt-{run.last()}" in done.out


def test_stop(host, run):
    """STP-01 STP-03 STA-01: rkt stop ends a pod in order; run exits with 0; the UUID file stands for the UUID."""
    process, uuid = run.start("trap 'exit 0' TERM; sleep 60 & wait")
    assert "state=running" in host.rkt("status", f"--uuid-file={run.tmp / 'uuid'}").out.splitlines()
    assert host.rkt("stop", f"--uuid-file={run.tmp / 'uuid'}").out == f'"{uuid}"\n'
    assert process.wait(timeout=120) == 0
    host.rkt("status", "--wait=15s", uuid)
    assert "state=exited" in host.rkt("status", uuid).out.splitlines()
    assert host.rkt("stop", uuid).out == f'pod "{uuid}" is already stopped\n'


def test_stop_force(host, run):
    """STP-02: --force kills; the process of rkt run dies by that signal, but not before it has copied the output, and removed
    the pod with --rm."""
    process, uuid = run.start("trap '' TERM; sleep 60 & wait; sleep 60")
    host.rkt("stop", "--force", uuid)
    assert process.wait(timeout=120) == -signal.SIGKILL
    assert "state=exited" in host.rkt("status", "--wait=15s", uuid).out.splitlines()
    (run.tmp / "uuid").unlink()
    process, uuid = run.start("trap '' TERM; echo last words; sleep 60 & wait; sleep 60", before=["--rm"])
    host.rkt("stop", "--force", uuid)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL and out == "last words\n"
    assert "no matches found" in host.rkt("status", uuid, check=254).err


def test_stop_timeout(host, run, pods):
    """--timeout: the pod is down when the command returns, and can be removed; killed if it must be; so with one of a pod file."""
    for script, timeout, status in (("trap 'exit 0' TERM; while :; do sleep 0.1; done", "60s", 0),
                                    ("trap '' TERM; while :; do sleep 0.1; done", "500ms", -signal.SIGKILL)):
        process, uuid = run.start(script)
        assert host.rkt("stop", f"--timeout={timeout}", uuid).out == f'"{uuid}"\n'
        assert host.rkt("rm", uuid).out == f'"{uuid}"\n'
        assert process.wait(timeout=120) == status
        (run.tmp / "uuid").unlink()
    name = pods.shell("stubborn", run.image, "trap '' TERM; while :; do sleep 0.1; done")
    pods.start(name)
    host.rkt("stop", "--timeout=500ms", pods.uuid(name))
    assert host.show(f"pod@{name}", "ActiveState") in ("inactive", "failed")
    for bad in ("10", "-1s", "x", ""):
        assert "it must be a duration such as 10s" in host.rkt("stop", f"--timeout={bad}", "any", check=254).err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_in_order(run, number):
    """SIGTERM and SIGINT to rkt run shut the pod down: its app may finish."""
    said = run.tmp / "said"
    said.mkdir()
    process, uuid = run.start("trap 'echo bye > /said/it; exit 0' TERM; sleep 60 & wait", "--mount=volume=s,target=/said",
                              before=[f"--volume=s,kind=host,source={said}"])
    process.send_signal(number)
    process.wait(timeout=120)
    assert (said / "it").read_text() == "bye\n"
    assert run.pods.apps(uuid) == {"busybox": 0}


def test_unit_of_its_own(host, run):
    """From a shell: a scope in machine.slice; machined knows it as rkt-UUID."""
    process, uuid = run.start("trap 'exit 0' TERM; sleep 60 & wait")
    scope = f"machine-rkt\\x2d{uuid.replace('-', chr(92) + 'x2d')}.scope"
    assert host.show(scope, "ActiveState", "Slice") == {"ActiveState": "active", "Slice": "machine.slice"}
    assert [m["service"] for m in host.machines() if m["machine"] == f"rkt-{uuid}"] == ["systemd-nspawn"]
    host.rkt("stop", f"rkt-{uuid}")
    assert process.wait(timeout=120) == 0


def test_as_a_service(host, run):
    """SVC-01: as ExecStart= of a service the pod stays in that unit, and stops cleanly with it."""
    unit = f"t-rkt-run-{os.getpid()}.service"
    host.run("systemd-run", f"--unit={unit}", "--property=Delegate=yes", "rkt", *RUN,
             f"--uuid-file-save={run.tmp / 'uuid'}", run.image,
             "--exec=/bin/sh", "--", "-c", "trap 'exit 0' TERM; sleep 60 & wait")
    host.wait_for("the UUID file", lambda: (run.tmp / "uuid").exists(), timeout=60)
    uuid = (run.tmp / "uuid").read_text()
    host.rkt("status", "--wait-ready=60s", uuid)
    assert host.run("machinectl", "show", f"rkt-{uuid}", "--property=Unit", "--value").out.strip() == unit
    host.run("systemctl", "stop", unit)
    assert host.run("systemctl", "is-failed", unit, check=False).out.strip() in ("inactive", "unknown")
    assert "state=exited" in host.rkt("status", uuid).out.splitlines()


def test_notifications_are_not_lost(host, run):
    """What systemd-nspawn tells the service manager is passed on, also if it comes at once and with its end."""
    path = run.tmp / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
        said.bind(str(path))
        process = host.spawn("rkt", *RUN, run.image, "--exec=/bin/sh", "--", "-c", "exit 5",
                             env={**os.environ, "NOTIFY_SOCKET": str(path)})
        proc = pathlib.Path(f"/proc/{process.pid}")
        host.wait_for("the pod's parent", lambda: (proc / "comm").read_text() == "rkt-foreground\n", interval=0.005)
        process.send_signal(signal.SIGSTOP)
        host.wait_for("the end of systemd-nspawn", lambda: any(
            "(systemd-nspawn) Z" in pathlib.Path(f"/proc/{child}/stat").read_text()
            for child in (proc / f"task/{process.pid}/children").read_text().split()))
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=120)
        assert process.returncode == 5
        said.setblocking(False)
        words = []
        with contextlib.suppress(BlockingIOError):
            while True:
                words += said.recv(4096).decode().splitlines()
        assert "STOPPING=1" in words  # the last but one of several


def test_terminal(host, run):
    """Started from a terminal, the output is there."""
    line = " ".join(["rkt", *RUN, run.image, "--exec=/bin/echo", "--", "on-a-terminal"])
    done = host.run("script", "--quiet", "--return", "--command", line, "/dev/null", timeout=60)
    assert "on-a-terminal" in done.out


def test_refused_leaves_nothing(host, run):
    """A bad command line makes no pod: rkt.md 1.3."""
    before = host.rkt("list", "--full", "--no-legend").out
    for words, message in [(["--net=none", run.image, "--no-such"], "unknown flag: --no-such"),
                           ([run.image, "--mount=volume=x,target=/x"], 'dangling mount point "/x": volume "x" not found'),
                           ([run.image, run.image], "error: multiple apps with name busybox"),
                           ([run.image, "--port=http:80"], "--port flag does not work with 'host' networking")]:
        assert message in host.rkt(*RUN, *words, check=254).err
    assert host.rkt("list", "--full", "--no-legend").out == before


def test_unverified_image_is_refused(host, run):
    """Without --insecure-options=image an unsigned image does not run."""
    assert "insecure-options=image" in host.rkt("run", "--net=none", run.image, check=254).err


def test_wait_times_out(host, run):
    """status --wait=DURATION fails when the time is over, and not before."""
    process, uuid = run.start("trap 'exit 0' TERM; sleep 60 & wait")
    began = time.monotonic()
    assert "error waiting for pod to finish" in host.rkt("status", "--wait=1s", uuid, check=254).err
    assert 0.9 < time.monotonic() - began < 10
    waiter = host.spawn("rkt", "status", "--wait", uuid)
    host.rkt("stop", uuid)
    out, _ = waiter.communicate(timeout=120)
    assert waiter.returncode == 0 and "state=exited" in out.splitlines()
    assert process.wait(timeout=120) == 0


def test_unprivileged(host, run):
    """ROOT-05: before anything else is looked at."""
    done = host.run("runuser", "-u", "nobody", "--", "rkt", "run", check=254)
    assert "run: cannot run as unprivileged user" in done.err


def test_file_descriptors_do_not_leak(run):
    """An app sees its three descriptors and nothing of ours."""
    done = run.shell("ls /proc/self/fd | wc -l", stdin="")
    assert done.out.strip().split()[-1] == "4"  # 0 1 2, and the directory that ls reads


@pytest.mark.parametrize("users", [[], ["--private-users"]], ids=["plain", "private-users"])
def test_pod_of_a_killed_run_ends(host, run, users):
    """Nomad kills with SIGKILL: no process of the pod survives the process of rkt run (cluster-drivers.md)."""
    process, uuid = run.start("sleep 60 & wait", before=users)
    assert isinstance(process, subprocess.Popen)
    process.kill()
    process.wait(timeout=120)
    host.rkt("status", "--wait=20s", uuid)
    host.wait_for("machined forgets it", lambda: not pathlib.Path(f"/run/systemd/machines/rkt-{uuid}").exists())


def test_program_that_cannot_be_started(run, host):
    """DIAG-01 to DIAG-04: said where the pod was started, with the program's name: it is missing, with arguments or a blank in
    its name, or what it needs is missing."""
    for path, args in (("/foo-not-there", []), ("/foo-not-there", ["--", "x"]), ("/foo-not-there X", [])):
        done = host.rkt(*RUN, run.image, f"--exec={path}", *args, check=203)
        assert f"rkt: app 'busybox' could not be started as '{path}': its program cannot be executed (203/EXEC)" in done.err
    done = host.rkt(*RUN, "--volume=bin,kind=host,source=/usr/bin", "--mount=volume=bin,target=/var/host-bin", run.image,
                    "--exec=/var/host-bin/ls", "--", "/", check=False)
    assert done.rc != 0 and ("could not be started as '/var/host-bin/ls'" in done.err or "error while loading" in done.err)


def test_rm(host, run):
    """--rm: nothing is left of the pod, whatever its end was; its status is rkt's (rkt#1818)."""
    file = run.tmp / "other"
    for code, script in ((0, "echo once"), (7, "exit 7")):
        run.shell(script, before=["--rm", f"--uuid-file-save={file}"], check=code)
        assert "no matches found" in host.rkt("status", file.read_text(), check=254).err
    process, uuid = run.start("trap 'exit 0' TERM; while :; do sleep 0.1; done", before=["--rm"])
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGTERM and "no matches found" in host.rkt("status", uuid, check=254).err
    prepared = host.rkt("--insecure-options=image", "prepare", "--quiet", run.image, "--exec=/bin/true").out.strip()
    host.rkt("run-prepared", "--rm", prepared)
    assert "no matches found" in host.rkt("status", prepared, check=254).err


def test_rm_of_what_does_not_start(host, run):
    """--rm: nothing is left of a pod that failed before anything ran; without a terminal none is made, and none stops being prepared."""
    before = host.pod_states()
    host.rkt("--insecure-options=image", "fetch", run.image)
    image = host.rkt("image", "list", "--no-legend", "--fields=id,name", "--full").out.split("\texample.com/busybox")[0].split()[-1]
    manifest = {"acVersion": "0.8.11", "acKind": "PodManifest", "annotations": [{"name": "rkt.systemd/log", "value": "nowhere"}],
                "apps": [{"name": "x", "image": {"id": image}, "app": {"exec": ["/bin/true"], "user": "0", "group": "0"}}]}
    (run.tmp / "manifest").write_text(json.dumps(manifest))
    done = host.rkt("run", "--net=host", "--rm", f"--pod-manifest={run.tmp}/manifest", check=254)
    assert "bad 'rkt.systemd/log'" in done.err and host.pod_states() == before
    for words in (["run", "--interactive", run.image], ["run", "--interactive", "--rm", run.image]):
        assert "needs a terminal" in host.rkt("--insecure-options=image", *words, stdin="", check=254).err
        assert host.pod_states() == before
    prepared = host.rkt("--insecure-options=image", "prepare", "--quiet", run.image, "--exec=/bin/true").out.strip()
    assert "needs a terminal" in host.rkt("run-prepared", "--interactive", "--rm", prepared, stdin="", check=254).err
    assert "state=prepared" in host.rkt("status", prepared).out
    host.rkt("rm", prepared)


def test_pod_name_and_stats(host, run):
    """--pod-name: machine and host are called so, and it stands wherever a UUID may (rkt#3944); status --stats: what it uses."""
    name = f"t-named-{os.getpid()}"
    process, uuid = run.start("trap 'exit 0' TERM; hostname; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done;"
                              "while :; do sleep 0.1; done", before=[f"--pod-name={name}"])
    assert host.rkt("status", name).out == host.rkt("status", uuid).out
    assert name in [m["machine"] for m in host.machines()]
    stats = dict(li.split("=", 1) for li in host.rkt("status", "--stats", name).out.splitlines())
    assert float(stats["cpu"].rstrip("s")) > 0 and float(stats["app-busybox-cpu"].rstrip("s")) > 0
    stats = json.loads(host.rkt("status", "--stats", "--format=json", name).out)["stats"]
    assert stats["cpu_nsec"] > 0 and stats["apps"]["busybox"]["cpu_nsec"] > 0
    refused = run.shell("true", before=[f"--pod-name={name}"], check=254)
    assert f"a machine named '{name}' is running already" in refused.err
    assert json.loads(host.rkt("cat-manifest", name).out)["apps"][0]["name"] == "busybox"
    assert host.rkt("stop", name).out == f'"{uuid}"\n'
    assert process.communicate(timeout=120)[0] == f"{name}\n" and process.returncode == 0
    host.rkt("status", "--wait=15s", name)
    assert host.rkt("rm", name).out == f'"{uuid}"\n'
    for bad in ("", "-x", "a/b", "a b", "x" * 70):
        assert "invalid argument" in run.shell("true", before=[f"--pod-name={bad}"], check=254).err


def test_detach(host, run):
    """--detach: a service in machine.slice, named on standard error; the UUID alone on standard output (rkt#2087). Of one
    that failed no unit is kept; of one that cannot start, no pod."""
    done = run.shell("trap 'exit 0' TERM; while :; do sleep 0.1; done", before=["--detach", "--rm", "--hostname=h1"])
    uuid = done.out.strip()
    unit = f"machine-rkt\\x2d{uuid.replace('-', chr(92) + 'x2d')}.service"
    assert f"run: Running as unit: {unit}" in done.err
    host.rkt("status", "--wait-ready=30s", uuid)
    assert host.show(unit, "ActiveState", "Slice") == {"ActiveState": "active", "Slice": "machine.slice"}
    assert host.run("machinectl", "show", f"rkt-{uuid}", "--property=Unit", "--value").out.strip() == unit
    host.run("systemctl", "stop", unit)
    assert host.run("systemctl", "is-failed", unit, check=False).out.strip() in ("inactive", "unknown")
    assert "no matches found" in host.rkt("status", uuid, check=254).err
    uuid = run.shell("echo said; exit 3", before=["--detach"]).out.strip()
    host.rkt("status", "--wait=20s", uuid)
    assert run.pods.apps(uuid) == {"busybox": 3}
    host.wait_for("its words", lambda: "said" in host.rkt("logs", "-o", "cat", uuid).out.split(), timeout=60)
    unit = f"machine-rkt\\x2d{uuid.replace('-', chr(92) + 'x2d')}.service"
    host.wait_for("nothing is kept of the unit", lambda: host.show(unit, "LoadState", "ActiveState") ==
                  {"LoadState": "not-found", "ActiveState": "inactive"})
    before = host.rkt("list", "--full", "--no-legend").out
    busy = f"tbusy{os.getpid()}"
    host.run("systemd-run", f"--unit=machine-{busy}.service", "sleep", "60")
    assert "cannot start a service for the pod" in run.shell("true", before=["--detach", f"--pod-name={busy}"], check=254).err
    host.run("systemctl", "stop", f"machine-{busy}.service")
    assert [li.split()[0] for li in host.rkt("list", "--full", "--no-legend").out.splitlines()] == [
        li.split()[0] for li in before.splitlines()]
    refused = host.rkt(*RUN, "--detach", "/no/such.aci", check=254)
    assert refused.out == "" and "/no/such.aci" in refused.err

# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nomad's rkt driver (0.10.9 and the plugin that followed): its commands word for word, and what it makes of what they do. The
numbers are the sections of its sources' summary: 1 how it finds us, 2.1 fingerprint, 2.2 start, 2.4 signals, 2.7 statistics."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import struct
import subprocess
import termios
import time

import pytest

ALLOC = "3a0b8d2c-6a3f-4a51-a5b4-0c8d3e6f7a10"
GO_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)$")


class Task:
    """A task of a job: prepared by the driver, run by its executor."""

    def __init__(self, host, pods, image, tmp):
        self.host, self.pods, self.image, self.tmp = host, pods, image, tmp
        self.uuid = None

    def volumes(self):
        """--volume and --mount of the three directories that every task has."""
        words = []
        for name in ("alloc", "local", "secrets"):
            (self.tmp / name).mkdir(exist_ok=True)
            words += [f"--volume={ALLOC}-web-{name},kind=host,source={self.tmp / name}",
                      f"--mount=volume={ALLOC}-web-{name},target=/{name}"]
        return words

    def prepare(self, script, *flags, before=(), args=()):
        """2.2 b: global flags before the command, no terminator behind the arguments."""
        done = self.host.rkt("--insecure-options=all", "--debug=false", "prepare", *self.volumes(), *before,
                             f"--set-env=NOMAD_ALLOC_ID={ALLOC}", self.image, "--exec=/bin/sh", "--memory=134217728", "--cpu=100",
                             *flags, "--", "-c", script, *args)
        self.uuid = done.out.strip()
        return done

    def start(self, *flags, **kwargs):
        """2.2 c: a plain child, of its own process group, standard input closed, pipes for the output."""
        path = os.path.realpath(shutil.which("rkt"))
        return subprocess.Popen(["sh", "-c", 'exec "$@" <&-', "-", path, "--insecure-options=all", "--debug=false", "run-prepared", *flags,
                                 self.uuid], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.tmp, start_new_session=True,
                                **kwargs)

    def ready(self):
        """The app runs, and has said so."""
        self.host.wait_for("the app", lambda: (self.tmp / "alloc/ready").exists(), timeout=60)

    def gone(self):
        """The pod is over, and no process of it is left."""
        assert "state=exited" in self.host.rkt("status", "--wait=20s", self.uuid).out.splitlines()
        self.host.wait_for("machined forgets it", lambda: not pathlib.Path(f"/run/systemd/machines/rkt-{self.uuid}").exists())


@pytest.fixture
def task(host, pods, images, tmp_path):
    """A task whose image is unsigned, as the driver's default has it."""
    return Task(host, pods, images.busybox, tmp_path)


def test_found(host):
    """1, 2.1: in $PATH, under the name that the links lead to, for everybody; both expressions match `rkt version`; 1.27 or newer."""
    path = pathlib.Path(os.path.realpath(shutil.which("rkt")))
    assert stat.S_IMODE(path.stat().st_mode) & 0o555 == 0o555
    done = host.run(path, "version")
    versions = [re.search(rf"{what} [vV]ersion[:]? (\d[.\d]+)", done.out).group(1) for what in ("rkt", "appc")]
    assert tuple(map(int, GO_VERSION.match(versions[0]).groups())) >= (1, 27, 0) and GO_VERSION.match(versions[1])
    assert done.err == ""


def test_trust_fails_where_discovery_fails(host):
    """2.2 a: no key named; the task must not start when none is found."""
    for debug in ("true", "false"):
        done = host.rkt("trust", "--skip-fingerprint-review=true", "--prefix=nowhere.invalid/app", f"--debug={debug}", check=False)
        assert done.rc != 0 and "nowhere.invalid" in done.err


@pytest.mark.parametrize("words", ["image", "tls", "ondisk", "http", "pubkey", "capabilities", "paths", "seccomp", "all-fetch", "all-run",
                                   "all", "none", "image,tls,ondisk,http,pubkey,capabilities,paths,seccomp"])
def test_insecure_options(host, words):
    """2.2 b: every word of the list, before the command."""
    assert host.rkt(f"--insecure-options={words}", "--debug=true", "list").rc == 0


def test_prepare(host, task):
    """2.2 b: standard output is the UUID alone; volumes are files, devices and directories, named by UUIDs; values arrive unharmed."""
    (task.tmp / "extra").mkdir()
    hard = {"A": "two words", "B": "a=b=c", "C": "x,y,kind=host", "D": "line 1\nline 2", "E": "'\"$HOME\\", "F": ""}
    before = [f"--volume={ALLOC}-web-0,kind=host,source={task.tmp / 'extra'},readOnly=true", f"--mount=volume={ALLOC}-web-0,target=/extra",
              f"--volume={ALLOC}-web-taskmounts-0,kind=host,source=/etc/passwd,readOnly=false",
              f"--mount=volume={ALLOC}-web-taskmounts-0,target=/host-name",
              f"--volume={ALLOC}-web-taskdevices-0,kind=host,source=/dev/zero,readOnly=false",
              f"--mount=volume={ALLOC}-web-taskdevices-0,target=/dev/nothing", *(f"--set-env={k}={v}" for k, v in hard.items())]
    done = task.prepare("env -0 > /alloc/env; id -u > /local/id; id -g >> /local/id; head -c3 /dev/nothing | od -An -tx1 > /secrets/dev;"
                        'touch /extra/x || echo refused; cat /host-name > /alloc/passwd; printf "<%s>" "$@"', "--user=1000", "--group=100", before=before,
                        args=["-", "first", "", "--debug", "--"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n", done.out)
    for name in ("alloc", "local", "secrets"):
        os.chmod(task.tmp / name, 0o777)
    out, err = task.start("--net=host").communicate(timeout=120)
    assert err.decode() == "touch: /extra/x: Read-only file system\n"
    env = dict(v.split("=", 1) for v in (task.tmp / "alloc/env").read_text().split("\0") if "=" in v)
    assert {k: env.get(k) for k in hard} == hard and env["NOMAD_ALLOC_ID"] == ALLOC
    assert (task.tmp / "local/id").read_text() == "1000\n100\n"
    assert (task.tmp / "secrets/dev").read_text().split() == ["00"] * 3
    assert out.decode() == "refused\n" "<first><><--debug><-->"
    assert (task.tmp / "alloc/passwd").read_bytes() == pathlib.Path("/etc/passwd").read_bytes()
    assert host.rkt("status", task.uuid).out.splitlines()[0] == "state=exited"


def test_prepare_copies(task):
    """2.2 b: --no-overlay=true."""
    task.prepare("echo copied", before=["--no-overlay=true"])
    assert task.start("--net=none").communicate(timeout=120)[0] == b"copied\n"


def test_prepare_fails(host, task):
    """2.2 b: not 0, nothing on standard output, the sentence on standard error."""
    done = host.rkt("--insecure-options=all", "--debug=false", "prepare", "/no/such.aci", "--memory=134217728", "--cpu=100", check=254)
    assert done.out == "" and "/no/such.aci" in done.err
    assert host.rkt("--debug=false", "prepare", task.image, check=254).out == ""  # unsigned


def test_output_and_exit_status(task):
    """2.2 c: bytes as the app wrote them, both streams apart, all of them; its exit status."""
    task.prepare("head -c 3000000 /dev/zero | tr '\\0' x; printf '\\001\\377no line end'; echo bad >&2; exit 43")
    process = task.start("--net=none")
    out, err = process.communicate(timeout=120)
    assert out == b"x" * 3000000 + b"\001\377no line end" and err == b"bad\n"
    assert process.returncode == 43


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop(task, number):
    """2.4: to the one process: the app may finish, no process is left, and rkt is seen to have died of the signal."""
    task.prepare("trap 'sleep 0.3; echo bye > /alloc/said; exit 0' TERM; touch /alloc/ready; while :; do sleep 0.1; done")
    process = task.start("--net=none")
    task.ready()
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == -number
    assert (task.tmp / "alloc/said").read_text() == "bye\n"
    task.gone()


def test_signals_reach_the_app(task):
    """2.4: `nomad alloc signal`, template change_mode: what does not stop the pod is the app's."""
    task.prepare("for s in HUP USR1 USR2 WINCH QUIT ALRM; do trap \"echo $s >> /alloc/got\" $s; done; touch /alloc/ready;"
                 "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    process = task.start("--net=none")
    task.ready()
    got = task.tmp / "alloc/got"
    for n, name in enumerate(["HUP", "USR1", "USR2", "WINCH", "QUIT", "ALRM"], 1):
        process.send_signal(getattr(signal, f"SIG{name}"))
        task.host.wait_for(name, lambda n=n: got.exists() and len(got.read_text().split()) == n)
    assert got.read_text().split() == ["HUP", "USR1", "USR2", "WINCH", "QUIT", "ALRM"]
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGTERM


def pending(stream):
    """Bytes that wait in a pipe."""
    return struct.unpack("i", fcntl.ioctl(stream, termios.FIONREAD, bytes(4)))[0]


def test_killed(task):
    """2.4: the last word is SIGKILL, to that process alone: the pod ends with it, also if nobody reads its output (a logmon that
    hangs), which does not hold up the other stream."""
    task.prepare("trap '' TERM INT HUP; (while :; do echo alive >&2; touch /alloc/alive /alloc/ready; sleep 0.1; done) &"
                 "while :; do echo and another line of the output that nobody reads; done")
    process = task.start("--net=none")
    task.ready()
    task.host.wait_for("a full pipe", lambda: pending(process.stdout) > 60000)
    words = pending(process.stderr)
    task.host.wait_for("the other stream", lambda: pending(process.stderr) > words + 10)
    process.kill()
    assert process.wait(timeout=120) == -signal.SIGKILL
    task.gone()
    before = (task.tmp / "alloc/alive").stat().st_mtime_ns
    time.sleep(0.3)
    assert (task.tmp / "alloc/alive").stat().st_mtime_ns == before
    process.communicate(timeout=120)


def descendants(pid):
    """All processes below one."""
    found = []
    for task_dir in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task_dir / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def test_processes_and_reports(host, task):
    """2.2 d, 2.7: the app is below the process of run-prepared; status and cat-manifest are one line of JSON, and no word beside."""
    task.prepare("touch /alloc/ready; exec sleep 61234")
    process = task.start("--net=none")
    task.ready()
    host.wait_for("the app in the tree", lambda: any(b"61234" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes()
                                                     for p in descendants(process.pid)))
    done = host.rkt("status", "--format=json", task.uuid)
    assert done.err == "" and done.out.count("\n") == 1
    pod = json.loads(done.out)
    assert pod["name"] == task.uuid and pod["state"] == "running" and not pod.get("networks")
    done = host.rkt("cat-manifest", task.uuid)
    assert done.err == ""
    manifest = json.loads(done.out)
    assert manifest["acKind"] == "PodManifest" and re.fullmatch(r"0\.8\.\d+", manifest["acVersion"])
    app, = manifest["apps"]
    assert app["app"]["exec"][0] == "/bin/sh" and app["name"] == "busybox"
    assert {m["volume"] for m in app["mounts"]} == {f"{ALLOC}-web-{n}" for n in ("alloc", "local", "secrets")}
    process.kill()
    process.communicate(timeout=120)
    task.gone()


def test_never_run(host, task):
    """2.5: what is prepared and never run stays, until our timer's gc expires it."""
    task.prepare("true")
    host.rkt("gc", "--grace-period=0s")
    assert host.rkt("status", task.uuid).out.startswith("state=prepared\n")
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")
    assert "no matches found" in host.rkt("status", task.uuid, check=254).err

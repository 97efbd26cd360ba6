# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nomad's rkt driver (0.10.9 and the plugin that followed): its commands word for word, and what it makes of what they do. What
the numbers are is said in test/cases."""
import fcntl
import ipaddress
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

from images import oci

from execution import Execution

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

    def prepare(self, script, *flags, before=(), args=(), options=("--insecure-options=all",)):
        """Global flags before the command, no terminator behind the arguments."""
        done = self.host.rkt(*options, "--debug=false", "prepare", *self.volumes(), *before,
                             f"--set-env=NOMAD_ALLOC_ID={ALLOC}", self.image, "--exec=/bin/sh", "--memory=134217728", "--cpu=100",
                             *flags, "--", "-c", script, *args)
        self.uuid = done.out.strip()
        return done

    def start(self, *flags, options=("--insecure-options=all",), env=None):
        """A plain child, of its own process group, standard input closed, pipes for the output; the agent's environment."""
        path = os.path.realpath(shutil.which("rkt"))
        return subprocess.Popen(["/bin/sh", "-c", 'exec "$@" <&-', "-", path, *options, "--debug=false", "run-prepared", *flags, self.uuid],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.tmp, start_new_session=True,
                                env={"PATH": os.environ["PATH"], "LANG": "C"} if env is None else env)

    def ready(self):
        """The app runs, and has said so."""
        self.host.wait_for("the app", lambda: (self.tmp / "alloc/ready").exists(), timeout=60)

    def gone(self):
        """The pod is over, and no process of it is left."""
        assert "state=exited" in self.host.rkt("status", "--wait=20s", self.uuid).out.splitlines()
        self.host.wait_for("machined forgets it", lambda: not pathlib.Path(f"/run/systemd/machines/rkt-{self.uuid}").exists())


@pytest.fixture
def task(host, pods, images, tmp_path):
    """A task whose image is unsigned, as the driver's default has it; what a test that fails leaves behind is ended."""
    made = Task(host, pods, images.busybox, tmp_path)
    yield made
    if made.uuid and "state=running" in host.rkt("status", made.uuid, check=False).out:
        host.rkt("stop", "--force", made.uuid)


def test_found(host):
    """NOMAD-1 NOMAD-3: in $PATH, under the name that the links lead to, for everybody; both expressions match; 1.27 or newer."""
    path = pathlib.Path(os.path.realpath(shutil.which("rkt")))
    assert stat.S_IMODE(path.stat().st_mode) & 0o555 == 0o555
    done = host.run(path, "version")
    versions = [re.search(rf"{what} [vV]ersion[:]? (\d[.\d]+)", done.out).group(1) for what in ("rkt", "appc")]
    assert tuple(map(int, GO_VERSION.match(versions[0]).groups())) >= (1, 27, 0) and GO_VERSION.match(versions[1])
    assert done.err == ""


def test_trust_fails_where_discovery_fails(host):
    """NOMAD-4: no key named; the task must not start when none is found."""
    for debug in ("true", "false"):
        done = host.rkt("trust", "--skip-fingerprint-review=true", "--prefix=nowhere.invalid/app", f"--debug={debug}", check=False)
        assert done.rc != 0 and "nowhere.invalid" in done.err


def test_trust(host, task, server, images, signer):
    """NOMAD-4 NOMAD-5: with a trust_prefix there is no --insecure-options: keys come by discovery, and then the image, signed. Who
    asks has no terminal, and is not asked."""
    server.publish_key(signer)
    server.publish("images.test/app", images.make("images.test/app"), key=signer)
    keys = pathlib.Path("/etc/rkt/trustedkeys/prefix.d/images.test")
    try:
        host.rkt("trust", "--skip-fingerprint-review=true", "--prefix=images.test/app", "--debug=false", stdin="")
        assert (keys / "app" / signer.fingerprint).exists()
        task.image = "images.test/app:1.0.0"
        task.prepare("echo signed", options=())
        assert task.start("--net=none", options=()).communicate(timeout=120) == (b"signed\n", b"")
    finally:
        shutil.rmtree(keys, ignore_errors=True)


@pytest.mark.parametrize("words", ["image", "tls", "ondisk", "http", "pubkey", "capabilities", "paths", "seccomp", "all-fetch", "all-run",
                                   "all", "none", "image,tls,ondisk,http,pubkey,capabilities,paths,seccomp"])
def test_insecure_options(host, words):
    """NOMAD-5: every word of the list, before the command."""
    assert host.rkt(f"--insecure-options={words}", "--debug=true", "list").rc == 0


def test_prepare(host, task):
    """NOMAD-2 NOMAD-5 NOMAD-7 to NOMAD-10, NOMAD-12 NOMAD-13 NOMAD-14: standard output is the UUID alone; volumes are files, devices
    and directories, named by UUIDs; values arrive unharmed."""
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
    """NOMAD-6 NOMAD-15: --no-overlay=true; 0.9 gave rkt the environment of the task, which need not have a PATH, and shares. The
    working directory is the task's, and need not be the pod's business."""
    task.prepare("echo copied", "--cpu-shares=300000", before=["--no-overlay=true"])
    assert task.start("--net=none", env={"NOMAD_TASK_NAME": "web"}).communicate(timeout=120)[0] == b"copied\n"


def test_prepare_fails(host, task):
    """NOMAD-7 NOMAD-14: not 0, nothing on standard output, the sentence on standard error; no name has capital letters."""
    done = host.rkt("--insecure-options=all", "--debug=false", "prepare", "/no/such.aci", "--memory=134217728", "--cpu=100", check=254)
    assert done.out == "" and "/no/such.aci" in done.err
    assert host.rkt("--debug=false", "prepare", task.image, check=254).out == ""  # unsigned
    done = host.rkt("--insecure-options=all", "--debug=false", "prepare", f"--volume={ALLOC}-Web-alloc,kind=host,source=/tmp",
                    f"--mount=volume={ALLOC}-Web-alloc,target=/alloc", task.image, "--exec=/bin/true", check=254)
    assert done.out == "" and f"{ALLOC}-Web-alloc" in done.err


def test_output_and_exit_status(task):
    """NOMAD-18 NOMAD-19: bytes as the app wrote them, both streams apart, all of them; its exit status."""
    task.prepare("head -c 3000000 /dev/zero | tr '\\0' x; printf '\\001\\377no line end'; echo bad >&2; exit 43")
    process = task.start("--net=none")
    out, err = process.communicate(timeout=120)
    assert out == b"x" * 3000000 + b"\001\377no line end" and err == b"bad\n"
    assert process.returncode == 43


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop(task, number):
    """NOMAD-28 NOMAD-30: to the one process: the app may finish, no process is left, and rkt is seen to have died of the signal."""
    task.prepare("trap 'sleep 0.3; echo bye > /alloc/said; exit 0' TERM; touch /alloc/ready; while :; do sleep 0.1; done")
    process = task.start("--net=none")
    task.ready()
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == -number
    assert (task.tmp / "alloc/said").read_text() == "bye\n"
    task.gone()


def test_signals_reach_the_app(task):
    """NOMAD-27: `nomad alloc signal`, template change_mode: what does not stop the pod is the app's."""
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
    """NOMAD-29: the last word is SIGKILL, to that process alone: the pod ends with it, also if nobody reads its output (a logmon that
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
    """NOMAD-17 NOMAD-20 NOMAD-33: the app is below the process of run-prepared; without a network none is told of."""
    task.prepare("touch /alloc/ready; exec sleep 61234")
    process = task.start("--net=none")
    task.ready()
    host.wait_for("the app in the tree", lambda: any(b"61234" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes()
                                                     for p in descendants(process.pid)))
    done = host.rkt("status", "--format=json", task.uuid)
    assert done.err == "" and done.out.count("\n") == 1
    pod = json.loads(done.out)
    assert pod["name"] == task.uuid and pod["state"] == "running" and not pod.get("networks")
    process.kill()
    process.communicate(timeout=120)
    task.gone()


AC_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
AC_IDENTIFIER = re.compile(r"[a-z0-9]+([-._~/][a-z0-9]+)*")


def schema_annotations(values):
    """A list of annotations, or nothing."""
    for value in values or []:
        assert AC_IDENTIFIER.fullmatch(value["name"]) and isinstance(value["value"], str)


def schema_app(app):
    """What the schema makes an error of, of an app's object."""
    assert os.path.isabs(app["exec"][0]) and app["user"] and app["group"]
    assert all(isinstance(v["name"], str) and v["name"] and isinstance(v["value"], str) for v in app.get("environment") or [])
    for port in app.get("ports") or []:
        assert AC_NAME.fullmatch(port["name"]) and port["protocol"] in ("tcp", "udp") and 0 < port["port"] < 65536
        assert isinstance(port.get("count", 1), int) and isinstance(port.get("socketActivated", False), bool)
    for point in app.get("mountPoints") or []:
        assert AC_NAME.fullmatch(point["name"]) and os.path.isabs(point["path"])
    for isolator in app.get("isolators") or []:
        assert AC_IDENTIFIER.fullmatch(isolator["name"]) and "value" in isolator


def schema_pod(text):
    """What Go's schema of appc makes an error of: the manifest."""
    pod = json.loads(text)
    assert pod["acKind"] == "PodManifest" and re.fullmatch(r"\d+\.\d+\.\d+", pod["acVersion"])
    for app in pod["apps"]:
        assert AC_NAME.fullmatch(app["name"]) and re.fullmatch(r"sha512-[0-9a-f]+", app["image"]["id"])
        assert AC_IDENTIFIER.fullmatch(app["image"].get("name") or "x")
        schema_annotations(app.get("annotations"))
        schema_annotations(app["image"].get("labels"))
        schema_app(app["app"])
        for mount in app.get("mounts") or []:
            assert AC_NAME.fullmatch(mount["volume"]) and os.path.isabs(mount["path"])
    for volume in pod.get("volumes") or []:
        assert AC_NAME.fullmatch(volume["name"]) and volume["kind"] in ("host", "empty")
        assert volume["kind"] == "empty" or os.path.isabs(volume["source"])
    for port in pod.get("ports") or []:
        assert AC_NAME.fullmatch(port["name"]) and 0 < port["hostPort"] < 65536
    schema_annotations(pod.get("annotations"))
    return pod


def docker_image():
    """A server of one page, as a registry has it."""
    busybox = pathlib.Path("/usr/bin/busybox").read_bytes()
    return oci.Image([oci.tar({"bin": None, "bin/busybox": (0o755, busybox), "bin/sh": "busybox", "tmp": None})],
                     app={"Cmd": ["/bin/sh"], "ExposedPorts": {"6379/tcp": {}, "53/udp": {}}}, docker=True)


def test_network(host, task, fake_registry):
    """NOMAD-11 NOMAD-16 NOMAD-17 NOMAD-20 NOMAD-21: a Docker image on a network: the driver asks for addresses, then for the
    ports of the one app; the port of the host, names and name servers are as asked for."""
    fake_registry.publish(docker_image(), "library/box", "latest")
    task.image = f"docker://{fake_registry.host}/library/box:latest"
    task.prepare("mkdir /www; echo served > /www/index.html; touch /alloc/ready; exec /bin/busybox httpd -f -p 0.0.0.0:6379 -h /www",
                 "--port=6379-tcp:18379")
    process = task.start("--dns=192.0.2.53", "--dns=192.0.2.54", "--dns-search=a.test", "--dns-search=b.test", "--net=default")
    task.ready()
    done = host.rkt("status", "--format=json", task.uuid)
    assert done.err == "" and done.out.count("\n") == 1
    networks = json.loads(done.out)["networks"]
    assert [n["netName"] for n in networks] == ["default"] and networks[0]["ifName"].startswith("eth")
    assert all(isinstance(networks[0].get(key, ""), str) for key in ("netConf", "pluginPath", "args"))
    address = ipaddress.ip_address(networks[0]["ip"])
    assert not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)
    done = host.rkt("cat-manifest", task.uuid)
    app, = schema_pod(done.out)["apps"]
    assert done.err == "" and {p["name"]: p["port"] for p in app["app"]["ports"]} == {"6379-tcp": 6379, "53-udp": 53}
    assert {m["volume"] for m in app["mounts"]} == {f"{ALLOC}-web-{n}" for n in ("alloc", "local", "secrets")}
    for where in (f"{address}:6379", "127.0.0.1:18379"):
        assert host.run("curl", "-sS", "--max-time", "20", "--retry", "20", "--retry-delay", "0", "--retry-connrefused",
                        f"http://{where}").out == "served\n"
    lines = host.rkt("enter", task.uuid, "/bin/busybox", "cat", "/etc/resolv.conf").out.splitlines()
    assert [li for li in lines if li.startswith("nameserver")] == ["nameserver 192.0.2.53", "nameserver 192.0.2.54"]
    assert "search a.test b.test" in lines
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    task.gone()


def test_no_network_and_ports(task):
    """NOMAD-11 NOMAD-17: `net = ["none"]` with a port_map: the driver gives both."""
    task.prepare("cat /sys/class/net/*/address", "--port=http:18380")
    out, err = task.start("--dns=none", "--net=none").communicate(timeout=120)
    assert out == b"00:00:00:00:00:00\n" and b"are not published: it has 'none' networking" in err


BEHIND = "(( sleep 3; echo from background ) & ); echo from main; exec sleep 1"
EXECUTIONS = [  # terminal?, script, input, exit status, output, errors
    (False, "echo hello stdout; echo hello stderr >&2; exit 43", "", 43, "hello stdout\n", "hello stderr\n"),
    (False, "for n in 1 2 3; do echo $n; sleep 1; done", "", 0, "1\n2\n3\n", ""),
    (False, "stty size", "", 1, "", "stty: standard input: Inappropriate ioctl for device\n"),
    (False, "echo hello from command; head -n1", "hello from stdin\n", 0, "hello from command\nhello from stdin\n", ""),
    (False, BEHIND, "", 0, "from main\nfrom background\n", ""),
    (False, "sleep 1000 > /dev/null 2>&1 & echo from main", "", 0, "from main\n", ""),
    (True, "echo hello stdout; echo hello stderr >&2; exit 43", "", 43, "hello stdout\r\nhello stderr\r\n", ""),
    (True, "for n in 1 2 3; do echo $n; sleep 1; done", "", 0, "1\r\n2\r\n3\r\n", ""),
    (True, "sleep 1; stty size", "", 0, "100 100\r\n", ""),
    (True, "head -n1", "hello from stdin\n", 0, "hello from stdin\r\nhello from stdin\r\n", ""),
    (True, BEHIND, "", 0, "from main\r\n", ""),
]


def test_exec(host, task):
    """NOMAD-22 to NOMAD-26: script checks and `nomad alloc exec`, all at once: Nomad's own cases, and what is left behind. A check is
    killed at its deadline; what looks like a flag is the command's; nothing is said besides."""
    task.prepare("touch /alloc/ready; exec sleep 1000")
    process = task.start("--net=host")
    task.ready()
    began = [Execution(["rkt", "enter", task.uuid, "/bin/sh", "-c", script], tty, stdin) for tty, script, stdin, *_ in EXECUTIONS]
    done = host.rkt("enter", task.uuid, "echo", "--app=none", "--", "---", "", "-h")
    assert (done.out, done.err) == ("--app=none -- ---  -h\n", "")
    late = host.spawn("rkt", "enter", task.uuid, "/bin/sh", "-c", "echo begun; echo and >&2; touch /alloc/late; exec sleep 54321",
                      stdin=subprocess.DEVNULL)
    host.wait_for("the check", (task.tmp / "alloc/late").exists, timeout=60)
    late.kill()
    assert late.communicate(timeout=120) == ("begun\n", "and\n") and late.returncode == -signal.SIGKILL
    host.wait_for("its end", lambda: host.run("pgrep", "-f", "^sleep 54321", check=False).rc == 1, timeout=60)
    name = host.rkt("enter", task.uuid, "/bin/sh", "-c", 'FILE=$(mktemp); echo "$FILE"; echo hello > $FILE').out.strip()
    assert not pathlib.Path(name).exists() and host.rkt("enter", task.uuid, "cat", name).out == "hello\n"
    for one, (tty, script, _, *expected) in zip(began, EXECUTIONS):
        assert one.done() == tuple(expected), (tty, script)
    process.kill()
    process.communicate(timeout=120)
    task.gone()


def test_agent_restarts(host, task):
    """NOMAD-32: the executor outlives the agent, whose unit has KillMode=process, and with it the pod, which is asked nothing."""
    task.prepare("touch /alloc/ready; trap 'exit 0' TERM; while :; do sleep 0.1; done")
    unit = f"t-nomad-{os.getpid()}.service"
    host.run("systemd-run", f"--unit={unit}", "--service-type=exec", "--property=KillMode=process", "/bin/sh", "-c",
             f"setsid sh -c 'echo $$$$ > {task.tmp}/pid; exec rkt --insecure-options=all --debug=false run-prepared --net=none {task.uuid} "
             f"<&- > {task.tmp}/out 2>&1' & exec sleep 1000")
    task.ready()
    host.run("systemctl", "stop", unit)
    assert "state=running" in host.rkt("status", task.uuid).out
    os.kill(int((task.tmp / "pid").read_text()), signal.SIGINT)
    task.gone()


def test_gc_is_ours(host, task):
    """NOMAD-31: what is prepared and never run stays, until our timer's gc expires it; so does what has run."""
    task.prepare("true")
    assert task.start("--net=none").communicate(timeout=120) == (b"", b"")
    assert host.rkt("status", task.uuid).out.startswith("state=exited\n")
    host.rkt("gc", "--grace-period=0s")
    host.rkt("gc", "--grace-period=0s")
    assert "no matches found" in host.rkt("status", task.uuid, check=254).err
    task.prepare("true")
    host.rkt("gc", "--grace-period=0s")
    assert host.rkt("status", task.uuid).out.startswith("state=prepared\n")
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")
    assert "no matches found" in host.rkt("status", task.uuid, check=254).err

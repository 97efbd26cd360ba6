# SPDX-License-Identifier: LGPL-2.1-or-later
"""rktlet's commands, word for word. It reads both outputs as one. What the numbers are is said in test/cases."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile
import threading
import time
import uuid

import pytest

from images import oci

from execution import Execution

DIR = "/srv/rktlet-test"  # not on the lab's overlay
GLOBALS = ["--debug=false", f"--dir={DIR}", "--insecure-options=image,ondisk"]
ENVIRONMENT = {"RKT_EXPERIMENT_APP": "true", "RKT_EXPERIMENT_ATTACH": "true"}
BUSYBOX = pathlib.Path("/usr/bin/busybox").read_bytes()
IMAGE = oci.Image([oci.tar({"bin": None, "bin/busybox": (0o755, BUSYBOX), "bin/sh": "busybox"})], app={"Cmd": ["/bin/sh"]},
                  docker=True)
LOG = "coreos.com/rkt/experiment/"


class Rktlet:
    """Composes commands as rktlet does: globals between the first word and the rest."""

    def __init__(self, host, tmp):
        self.host, self.tmp, self.image, self.unit = host, tmp, None, None

    def rkt(self, verb, *args, check=True):
        """One command."""
        return self.host.rkt(verb, *GLOBALS, *args, check=check, env=ENVIRONMENT)

    def combined(self, verb, *args):
        """Both outputs of a command that succeeds, as they come."""
        return self.host.run("sh", "-c", 'exec "$@" 2>&1', "sh", "rkt", verb, *GLOBALS, *args, env=ENVIRONMENT).out

    def document(self, *args):
        """A command with JSON: one line in all."""
        lines = self.combined(*args).splitlines()
        assert len(lines) == 1, lines
        return json.loads(lines[0])

    def run_sandbox(self, file, *flags):
        """Through systemd-run, which returns when the sandbox is ready."""
        self.unit = f"rktlet-{uuid.uuid4()}"
        self.host.run("systemd-run", f"--unit={self.unit}", "--setenv=RKT_EXPERIMENT_APP=true",
                      "--setenv=RKT_EXPERIMENT_ATTACH=true", "--service-type=notify", "--slice=kubepods-test.slice",
                      "rkt", "app", *GLOBALS, "--debug", "sandbox", f"--uuid-file-save={file}",
                      f"--annotation={LOG}logmode=k8s-plain", f"--annotation={LOG}kubernetes-log-dir={self.tmp}",
                      *flags)

    def sandbox(self, *flags):
        """RunPodSandbox: the UUID is read from a descriptor that was open before."""
        with tempfile.NamedTemporaryFile("r", prefix="rktlet_", encoding="utf-8") as file:
            self.run_sandbox(file.name, *flags)
            return file.read()

    def sandbox_in_one_write(self, *flags):
        """The same with a pipe, of which one read() gets what one write() wrote."""
        fifo, got = self.tmp / "fifo", []

        def read():
            with open(fifo, "rb", buffering=0) as reader:
                got.append(reader.read(100).decode())

        os.mkfifo(fifo)
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self.run_sandbox(fifo, *flags)
        thread.join(timeout=60)
        return got[0]

    def app_status(self, pod, app):
        """ContainerStatus."""
        return self.document("app", "status", pod, f"--app={app}", "--format=json")

    def end(self):
        """No more than rktlet leaves behind."""
        if self.unit:
            self.host.run("systemctl", "stop", self.unit, check=False)
            self.host.run("systemctl", "reset-failed", self.unit, check=False)
        for pod in json.loads(self.rkt("list", "--format=json").out) or []:
            self.rkt("rm", pod["name"], check=False)
        shutil.rmtree(DIR, ignore_errors=True)


@pytest.fixture
def rktlet(host, tmp_path, pods):  # pylint: disable=unused-argument
    """rktlet's data directory and its commands."""
    made = Rktlet(host, tmp_path)
    with contextlib.ExitStack() as stack:
        stack.callback(made.end)
        yield made


def test_images(rktlet, fake_registry):
    """RKTLET-1 to RKTLET-6, RKTLET-8: ListImages of an empty store, PullImage twice, ImageStatus, RemoveImage; and the pods of an
    empty directory."""
    def listed():
        return rktlet.document("image", "list", "--full", "--format=json", "--sort=importtime")

    assert not listed() and not rktlet.document("list", "--format=json")
    fake_registry.publish(IMAGE, "library/box", "latest")
    name = f"{fake_registry.host}/library/box:latest"
    for _ in range(2):
        key = rktlet.combined("image", "fetch", "--pull-policy=update", "--full=true", f"docker://{name}").splitlines()[-1]
        assert re.fullmatch(r"sha512-[0-9a-f]{64}", key)
    entry, = listed()
    assert entry["id"] == key and {"name", "import_time", "last_used_time", "size"} <= set(entry)
    assert len(str(entry["import_time"])) == 19 and isinstance(entry["size"], int)
    manifest = json.loads(rktlet.combined("image", "cat-manifest", key))
    original = {a["name"]: a["value"] for a in manifest["annotations"]}["appc.io/docker/originalname"]
    assert original in (name, name.removesuffix(":latest")) and manifest["app"]["user"].isdigit()
    assert rktlet.rkt("image", "rm", key).rc == 0 and not listed()


def check_pod(rktlet, pod):
    """PodSandboxStatus, ListPodSandbox: fields, and that the rest may be absent."""
    status = rktlet.document("status", pod, "--format=json", "--wait-ready=10s")
    assert status == rktlet.document("status", pod, "--format=json")
    assert (status["name"], status["state"]) == (pod, "running") and len(str(status["created_at"])) == 10
    assert status["user_annotations"]["k8s.io/reserved/pod-attempt"] == "0"
    assert json.loads(status["user_annotations"]["kubectl.kubernetes.io/last-applied-configuration"]) == {"a": ["b,c", "d=e"]}
    assert status["user_labels"] == {"io.kubernetes.pod.name": "web"}
    mine, = rktlet.document("list", "--format=json")
    assert mine["name"] == pod and mine["state"] == "running" and not mine.get("networks")


def check_exec(rktlet, pod):
    """ExecSync: streams apart, the exit status passed through."""
    done = rktlet.rkt("app", "exec", "--app=0-web", pod, "/bin/sh", "-c", "echo out; echo err >&2; exit 43", check=43)
    assert (done.out, done.err) == ("out\n", "err\n")
    assert rktlet.rkt("app", "exec", "--app=0-web", pod, "/bin/cat", "/etc/k8s/name").out == "volume\n"
    assert rktlet.rkt("app", "exec", "--app=0-web", pod, "/bin/sh", "-c", "echo $K; hostname; pwd; id -u").out == \
        "a=b c\nnode\n/tmp\n0\n"


def add_command(rktlet, pod, image, name, log, *more):
    """CreateContainer, with the empty word that a default seccomp profile makes."""
    return ["add", pod, image, f"--annotation={LOG}kubernetes-log-path={log}", f"--name={name}", "--stdin=stream",
            "--stdout=stream", "--stderr=stream", "--user-annotation=k8s.io/reserved/image-name=busybox",
            "--user-label=io.kubernetes.container.name=web", "--environment=K=a=b c", "--cpu-shares=2", "--oom-score-adj=100",
            "", "--caps-retain=CAP_CHOWN,CAP_NET_BIND_SERVICE,CAP_NET_ADMIN", "--user=0", "--supplementary-gids=1,2",
            "--working-dir=/tmp",
            f"--mnt-volume=name={uuid.uuid4()},kind=host,source={rktlet.tmp}/volume,target=/etc/k8s,readOnly=true", *more]


def test_containers(rktlet, host, images, tmp_path):
    """SBX-08, RKTLET-1, RKTLET-2, RKTLET-7 to RKTLET-13, RKTLET-15 to RKTLET-17, RKTLET-20 to RKTLET-23, RKTLET-25 to RKTLET-32: a
    sandbox below a slice, two containers, logs, exec, stop, start of another attempt, rm."""
    key = host.rkt(*GLOBALS, "fetch", "--full", images.busybox).out.strip()
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/name").write_text("volume\n")
    (tmp_path / "web").mkdir()
    pod = rktlet.sandbox("--net=host", "--hosts-entry=host", "--hostname=node",
                         "--user-annotation=k8s.io/reserved/pod-uid=1", "--user-annotation=k8s.io/reserved/pod-attempt=0",
                         '--user-annotation=kubectl.kubernetes.io/last-applied-configuration={"a":\n["b,c","d=e"]}',
                         "--user-label=io.kubernetes.pod.name=web")
    assert re.fullmatch(r"[0-9a-f-]{36}", pod)
    check_pod(rktlet, pod)
    before = time.time_ns()
    name = "example.com/busybox"
    script = "echo HelloFromAppInSandbox; echo bad >&2; printf unfinished; exec sleep 1000"
    rktlet.rkt("app", *add_command(rktlet, pod, name, "0-web", "web/0.log", "--exec=/bin/sh", "--", "-c", script, "---"))
    assert rktlet.app_status(pod, "0-web")["state"] == "created"
    assert rktlet.combined("app", "start", pod, "--app=0-web") == ""
    assert rktlet.app_status(pod, "0-web")["state"] == "running"
    log = tmp_path / "web/0.log"
    host.wait_for("the log", lambda: len(log.read_text().splitlines()) == 2)
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
    lines = sorted(log.read_text().splitlines(), key=lambda li: li.split(" ", 1)[1])
    assert re.fullmatch(stamp + " stderr F bad", lines[0]) and re.fullmatch(stamp + " stdout F HelloFromAppInSandbox", lines[1])
    pid = int(host.rkt(*GLOBALS, "status", pod).out.split("pid=")[1].split()[0])
    assert "/kubepods-test.slice/" in pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8") or \
        "/kubepods.slice/kubepods-test.slice/" in pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    check_exec(rktlet, pod)
    assert "is no path" in rktlet.rkt("app", *add_command(rktlet, pod, name, "1-web", "../x.log"), check=254).all
    assert rktlet.combined("app", "stop", pod, "--app=0-web") == ""
    status = rktlet.app_status(pod, "0-web")
    assert status["state"] == "exited" and status["exit_code"] == 0
    assert before < status["created_at"] <= status["started_at"] <= status["finished_at"] < time.time_ns()
    assert status["mounts"][0]["container_path"] == "/etc/k8s" and status["mounts"][0]["read_only"] is True
    assert status["user_annotations"] == {"k8s.io/reserved/image-name": "busybox"}
    rktlet.rkt("app", *add_command(rktlet, pod, key, "1-web", "web/1.log", "--exec=/bin/sh", "--", "-c",
                                     "dd if=/dev/zero bs=1000 count=300; exit 1", "---"))
    (tmp_path / "web/1.log").unlink()
    (tmp_path / "web/1.log").mkdir()  # what cannot be written holds up nobody
    rktlet.rkt("app", "start", pod, "--app=1-web")
    host.wait_for("its end", lambda: rktlet.app_status(pod, "1-web").get("exit_code") == 1)
    assert rktlet.combined("app", "rm", pod, "--app=0-web") == ""
    host.wait_for("the rest", lambda: re.fullmatch(stamp + " stdout P unfinished", log.read_text().splitlines()[-1]))
    assert [a["name"] for a in rktlet.document("status", pod, "--format=json")["apps"]] == ["1-web"]
    assert rktlet.rkt("stop", "--force=false", pod).rc == 0
    host.wait_for("the end", lambda: rktlet.document("status", pod, "--format=json")["state"] == "exited", timeout=60)
    assert re.search(r'pod "[^"]+" is already stopped', rktlet.combined("stop", "--force=true", pod))
    assert re.search('stop: cannot get pod: no matches found for "[^"]+"',
                     rktlet.rkt("stop", "--force=true", str(uuid.uuid4()), check=False).all)
    assert rktlet.app_status(pod, "1-web")["exit_code"] == 1
    assert rktlet.combined("app", "rm", pod, "--app=1-web") == ""
    assert rktlet.rkt("app", *add_command(rktlet, pod, name, "2-web", "web/2.log"), check=254).rc == 254
    assert rktlet.rkt("rm", pod).rc == 0
    assert not rktlet.document("list", "--format=json")


def test_network(rktlet, host, images):
    """RKTLET-18, RKTLET-19, RKTLET-22: a sandbox with a network of its own: its IP, forwarded ports, and names as asked for reach an
    app that comes later."""
    host.rkt(*GLOBALS, "fetch", images.busybox)
    pod = rktlet.sandbox("--dns=192.0.2.53", "--dns-search=a.test", "--dns-opt=ndots:5", "--net=default",
                         "--port=tcp-80-18080:tcp:80:0.0.0.0:18080", "--user-annotation=k8s.io/reserved/pod-attempt=0")
    networks = rktlet.document("status", pod, "--format=json", "--wait-ready=10s")["networks"]
    assert [n["netName"] for n in networks] == ["default"]
    script = "mkdir /www; echo served > /www/index.html; exec httpd -f -p [::]:80 -h /www"
    rktlet.rkt("app", "add", pod, "example.com/busybox", "--name=0-web", "--exec=/bin/sh", "--", "-c", script)
    rktlet.rkt("app", "start", pod, "--app=0-web")
    for address in (f"{networks[0]['ip']}:80", "127.0.0.1:18080"):
        got = host.run("curl", "-sS", "--max-time", "5", "--retry", "20", "--retry-delay", "0", "--retry-connrefused",
                       "--retry-max-time", "5", f"http://{address}")
        assert got.out == "served\n", (address, got)
    text = rktlet.rkt("app", "exec", "--app=0-web", pod, "/bin/cat", "/etc/resolv.conf").out.splitlines()
    assert {"nameserver 192.0.2.53", "search a.test", "options ndots:5"} <= set(text)


ALL_CAPABILITIES = [f"CAP_{name}" for name in (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST "
    "NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
    "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM "
    "BLOCK_SUSPEND AUDIT_READ").split()]
INSIDE = "grep ^CapBnd /proc/self/status; touch /x; echo two > /mnt/dir/new; cat /mnt/file; touch /mnt/file; exec sleep 1000"


def test_privileged(rktlet, host, fake_registry, tmp_path):
    """RKTLET-11, RKTLET-14, RKTLET-16 to RKTLET-18, RKTLET-20 to RKTLET-29, RKTLET-31: a privileged pod, and all flags that the other
    does not have: an image of a registry by its name, which the registry need not have any more; limits; everything allowed; a
    read-only root with a writable directory and a file; a terminal; an old log is emptied; a container that runs is removed."""
    fake_registry.publish(IMAGE, "library/box", "latest")
    name = f"docker://{fake_registry.host}/library/box:latest"
    rktlet.rkt("image", "fetch", "--pull-policy=update", "--full=true", name)
    fake_registry.repositories.clear()
    (tmp_path / "0.log").write_text("of another one\n" * 100)
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("one\n")
    pod = rktlet.sandbox_in_one_write(
        "--stage1-name=coreos.com/rkt/stage1-coreos:1.30.0", "--hostname=web-0", "--dns=192.0.2.53", "--insecure-options=all-run",
        "--net=host", "--hosts-entry=host", "--user-annotation=k8s.io/reserved/pod-attempt=0", "--user-annotation=a==,b=,c",
        "--user-label=empty=")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", pod)
    status = rktlet.document("status", pod, "--format=json", "--wait-ready=10s")
    assert status["state"] == "running" and not status.get("networks") and not status.get("apps")
    assert (status["user_annotations"]["a"], status["user_labels"]) == ("=,b=,c", {"empty": ""})
    rktlet.rkt("app", "add", pod, name, f"--annotation={LOG}kubernetes-log-path=0.log", "--name=0-web", "--stdin=stream",
               "--stdout=stream", "--stderr=stream", "--user-annotation=k8s.io/reserved/image-name=box", "--environment=K=V",
               "--cpu-shares=512", "--cpu=500m", "--memory=67108864", "--oom-score-adj=-998", "--seccomp=mode=retain,@appc.io/all",
               f"--caps-retain={','.join(ALL_CAPABILITIES)}", "--user=0", "--readonly-rootfs=true",
               f"--mnt-volume=name={uuid.uuid4()},kind=host,source={tmp_path}/dir,target=/mnt/dir,readOnly=false",
               f"--mnt-volume=name={uuid.uuid4()},kind=host,source={tmp_path}/file,target=/mnt/file,readOnly=true",
               "--exec=/bin/busybox", "--", "sh", "-c", INSIDE, "---")
    rktlet.rkt("app", "start", pod, "--app=0-web")
    host.wait_for("what it says", lambda: "/mnt/file: Read-only" in (tmp_path / "0.log").read_text(), timeout=60)
    lines = [line.split(" ", 3)[1:] for line in (tmp_path / "0.log").read_text().splitlines()]
    assert {"stdout", "stderr"} == {li[0] for li in lines} and {"F"} == {li[1] for li in lines}, lines
    texts = [li[2] for li in lines]
    there = int(re.search(r"CapBnd:\s*(\w+)", pathlib.Path("/proc/self/status").read_text(encoding="utf-8")).group(1), 16)
    assert "one" in texts and f"CapBnd:\t{there & (1 << len(ALL_CAPABILITIES)) - 1:016x}" in texts, lines
    assert "touch: /x: Read-only file system" in texts and (tmp_path / "dir/new").read_text() == "two\n"
    app = rktlet.app_status(pod, "0-web")
    assert app["state"] == "running" and re.fullmatch("sha512-[0-9a-f]{64,128}", app["image_id"]) and len(str(app["started_at"])) == 19
    assert {(m["container_path"], m["host_path"], m["read_only"]) for m in app["mounts"]} == {
        ("/mnt/dir", f"{tmp_path}/dir", False), ("/mnt/file", f"{tmp_path}/file", True)}
    shown = host.show("0-web.service", "MemoryMax", "CPUQuotaPerSecUSec", "CPUWeight", "OOMScoreAdjust", "SystemCallFilter",
                      machine=f"rkt-{pod}")
    assert shown.pop("SystemCallFilter") in ("", "~")  # as this or that systemd says nothing
    assert shown == {"MemoryMax": "67108864", "CPUQuotaPerSecUSec": "500ms", "CPUWeight": "50", "OOMScoreAdjust": "-998"}
    pid, = host.run("pgrep", "-fx", "sleep 1000").out.split()
    assert "/kubepods-test.slice/" in pathlib.Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    one = Execution(["rkt", "app", *GLOBALS, "exec", "--app=0-web", pod, "/bin/sh", "-c", "sleep 1; stty size; read x; echo $x $K; exit 43"],
                    tty=True, stdin="typed\n", env=ENVIRONMENT)
    assert one.done() == (43, "typed\r\n100 100\r\ntyped V\r\n", "")
    assert rktlet.combined("app", "rm", pod, "--app=0-web") == ""
    host.wait_for("its end", lambda: host.run("pgrep", "-fx", "sleep 1000", check=False).rc == 1, timeout=60)
    assert not rktlet.document("status", pod, "--format=json").get("apps")
    assert rktlet.rkt("stop", "--force=true", pod).rc == 0
    host.wait_for("the end", lambda: rktlet.document("status", pod, "--format=json")["state"] == "exited", timeout=60)

# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt app: a sandbox, and apps that come and go in it."""
import ctypes
import errno
import json
import os
import pathlib
import signal
import subprocess

import pytest

from images import aci

INSECURE = "--insecure-options=image,ondisk"
NAME = "example.com/busybox"
LOG = "coreos.com/rkt/experiment/"


class Sandbox:
    """One pod of rkt app sandbox, in the foreground."""

    def __init__(self, host, tmp, *flags):
        self.host, self.file, self.log = host, tmp / "uuid", tmp / "console"
        self.file.touch()
        self.held = open(self.file, encoding="utf-8")  # as rktlet does: it looks at the descriptor, not at the name
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(["rkt", INSECURE, "app", "sandbox", "--net=host",
                                             f"--uuid-file-save={self.file}", *flags], stdout=out, stderr=out)
        self.uuid = host.wait_for("the UUID", self.read_uuid, timeout=60)
        host.rkt("status", "--wait-ready=60s", self.uuid)

    def read_uuid(self):
        """What the file that was open before has in it."""
        self.held.seek(0)
        return self.held.read()

    def rkt(self, verb, *args, **kwargs):
        """rkt app VERB UUID ARGS."""
        return self.host.rkt("app", verb, self.uuid, *args, **kwargs)

    def add(self, name, script, *flags, start=True):
        """An app that runs a shell script."""
        self.rkt("add", NAME, f"--name={name}", "--exec=/bin/sh", *flags, "--", "-c", script)
        if start:
            self.rkt("start", f"--app={name}")

    def states(self):
        """{app: state}"""
        lines = self.rkt("list", "--no-legend").out.splitlines()
        return dict(line.split("\t") for line in lines if line)

    def status(self, name):
        """rkt app status as JSON: one line, and nothing else."""
        done = self.rkt("status", f"--app={name}", "--format=json")
        assert len(done.all.splitlines()) == 1, done
        return json.loads(done.out)

    def wait_state(self, **wanted):
        """Until apps are in these states."""
        self.host.wait_for(str(wanted), lambda: wanted.items() <= self.states().items())

    def mounts(self):
        """Lines of the mount table of the pod's systemd."""
        pid = self.host.rkt("status", self.uuid).out.split("pid=")[1].split()[0]
        return pathlib.Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()

    def end(self):
        """Stop it as systemd would; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.held.close()
        return self.process.wait(timeout=120)


@pytest.fixture
def sandbox(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """Makes sandboxes; the busybox image is in the store."""
    host.rkt("--insecure-options=image", "fetch", images.busybox)
    made = []

    def make(*flags):
        made.append(Sandbox(host, tmp_path, *flags))
        return made[-1]

    yield make
    for s in made:
        s.end()


def test_apps_come_and_go(sandbox):
    """SBX-01 SBX-03 SBX-04: add, start, list, status, stop, start again, rm; a failing app does not end the sandbox."""
    s = sandbox()
    assert s.rkt("list", "--no-legend").out == "\n"
    s.add("hello-app", "echo HelloFromAppInSandbox; exit 0")
    s.host.wait_for("the greeting", lambda: "HelloFromAppInSandbox" in s.log.read_text(), timeout=30)
    s.wait_state(**{"hello-app": "exited"})
    s.rkt("rm", "--app=hello-app")
    assert s.rkt("list", "--no-legend").out == "\n"
    s.add("winner", "exit 0", start=False)
    assert s.states() == {"winner": "created"} and "started_at" not in s.status("winner")
    s.rkt("start", "--app=winner")
    s.add("loser", "exit 12")
    s.add("sleeper", "echo again >> /log; sleep 1000")
    s.wait_state(winner="exited", loser="exited", sleeper="running")
    assert "winner\texited\nloser\texited\nsleeper\trunning\n" in s.rkt("list").out
    for app, lines in (("winner", ("exit_code=0", "state=exited")), ("loser", ("exit_code=12", "state=exited")),
                       ("sleeper", ("state=running",))):
        out = s.rkt("status", f"--app={app}").out.splitlines()
        assert set(lines) <= set(out), out
    loser = s.status("loser")
    assert loser["exit_code"] == 12 and loser["created_at"] <= loser["started_at"] <= loser["finished_at"]
    assert len(str(loser["created_at"])) == 19 and loser["image_id"].startswith("sha512-")
    s.rkt("stop", "--app=sleeper")
    s.wait_state(sleeper="exited", loser="exited")
    s.rkt("start", "--app=sleeper")
    s.rkt("start", "--app=sleeper")  # it runs already
    s.rkt("start", "--app=winner")
    s.wait_state(sleeper="running", winner="exited")
    assert s.host.rkt("app", "exec", "--app=sleeper", s.uuid, "/bin/cat", "/log").out == "again\nagain\n"
    assert s.host.rkt("app", "exec", "--app=sleeper", s.uuid, "/bin/sh", "-c", "exit 43", check=43).all == ""
    assert s.rkt("start", "--app=nobody", check=254).err == \
        f'start: app "nobody" not found in pod "{s.uuid}"\n'
    assert "already exists" in s.rkt("add", NAME, "--name=loser", "--exec=/bin/true", check=254).err
    for app in ("winner", "loser", "sleeper"):
        s.rkt("rm", f"--app={app}")
    assert s.rkt("list", "--no-legend").out == "\n"
    assert not [m for m in s.mounts() if "/opt/stage2/" in m]
    assert s.end() == -signal.SIGTERM
    assert s.rkt("stop", "--app=any").out == f'pod "{s.uuid}" is already stopped\n'


def test_start_once_more(sandbox, host):
    """rkt start of a sandbox that has ended: its apps are there with what they wrote; those run that were started and not stopped, also
    one that had ended by itself; another can be started, stopped, removed, and what is removed stays away."""
    s = sandbox()
    sleep = "echo x >> /n; exec sleep 1000"
    for name, script in (("runs", sleep), ("ended", "echo x >> /n"), ("stopped", sleep), ("new", sleep), ("gone", sleep)):
        s.add(name, script, start=name != "new")
    s.rkt("stop", "--app=stopped")
    s.rkt("rm", "--app=gone")
    s.wait_state(runs="running", ended="exited", stopped="exited", new="created")
    s.end()
    for runs in (2, 3):
        with subprocess.Popen(["rkt", "start", s.uuid], stdout=subprocess.DEVNULL) as process:
            s.process = process
            host.wait_for("it runs", lambda: host.rkt("status", s.uuid).out.startswith("state=running"), timeout=60)
            host.rkt("status", "--wait-ready=60s", s.uuid)
            s.wait_state(runs="running", ended="exited", stopped="created", new="created")
            assert set(s.states()) == {"runs", "ended", "stopped", "new"}
            assert host.rkt("app", "exec", "--app=runs", s.uuid, "cat", "/n").out == "x\n" * runs
            s.rkt("start", "--app=stopped")
            assert host.rkt("app", "exec", "--app=stopped", s.uuid, "cat", "/n").out == "x\n" * runs
            s.rkt("stop", "--app=stopped")
            s.end()


def test_names_and_annotations(sandbox, images):
    """SBX-02 SBX-06 SBX-07: the app's name from its image, annotations of pod and app exactly as given."""
    s = sandbox("--annotation=foo=bar", "--user-annotation=ayy=lmao", "--user-label=a=b,c=\"d\"\ne")
    s.host.rkt("--insecure-options=image", "fetch", images.build("example.com/busybox"))
    s.rkt("add", NAME, "--annotation=foo=bar", "--user-annotation=ayy=lmao", "--exec=/bin/true")
    assert s.states() == {"busybox": "created"}
    manifest = json.loads(s.host.rkt("cat-manifest", s.uuid).out)
    assert {"name": "foo", "value": "bar"} in manifest["annotations"]
    assert manifest["userAnnotations"] == {"ayy": "lmao"} and manifest["userLabels"] == {"a": 'b,c="d"\ne'}
    app = manifest["apps"][0]
    assert app["app"]["userAnnotations"] == {"ayy": "lmao"}
    ours = [a for a in app["annotations"] if not a["name"].startswith("rkt.systemd/")]
    assert ours == [{"name": "foo", "value": "bar"}]
    assert s.status("busybox")["user_annotations"] == {"ayy": "lmao"}


REFUSED = ("--load-credential=a:/etc/hostname", "--no-overlay", "--no-store", "--pod-manifest=/dev/null", "--pod-name=x", "--port=http:80",
           "--private-users", "--pull-policy=never", "--set-credential=a:b")


def test_flags_of_run(sandbox):
    """A profile counts for an app that is added; flags that only a pod as a whole can have are refused, each with a reason."""
    s = sandbox()
    for flag in REFUSED:
        said = s.rkt("add", NAME, flag, "--exec=/bin/true", check=254).err
        assert said.startswith(f'add: {flag.split("=")[0]} is not for an app of a pod that runs: '), said
    assert s.states() == {}
    assert "there is no profile 'nonesuch'" in s.rkt("add", NAME, "--profile=nonesuch", "--exec=/bin/true", check=254).err
    for name, flags in (("plain", ()), ("profile", ("--profile=rkt-1",))):
        s.add(name, f"echo {name} $(grep CapBnd /proc/self/status)", *flags)
    s.wait_state(plain="exited", profile="exited")
    s.host.wait_for("both", lambda: s.log.read_text().count("CapBnd") == 2, timeout=60)
    caps = dict(line.split(" CapBnd: ") for line in s.log.read_text().splitlines() if "CapBnd" in line)
    assert bin(int(caps["plain"], 16)).count("1") == 8 and bin(int(caps["profile"], 16)).count("1") == 14, caps


def app_links_root(top):
    """The busybox root with directories, and links between them."""
    aci.busybox_root(top)
    os.mkdir(f"{top}/dir1")
    os.mkdir(f"{top}/dir2")
    for name, target in (("link_rel_dir2", "../dir2"), ("link_abs_dir2", "/dir2"), ("link_abs_root", "/")):
        os.symlink(target, f"{top}/dir1/{name}")


def test_volumes(sandbox, images, tmp_path):
    """SBX-05: targets are resolved in the app's root, links and ".." do not lead out of it, what is missing is made;
    places that the pod's systemd covers; files; a volume that can only be read; all gone after rm."""
    source = tmp_path / "host"
    source.mkdir()
    (source / "test").write_text("from the host\n")
    s = sandbox()
    name = "example.com/links"
    s.host.rkt("--insecure-options=image", "fetch", images.make(name, root=app_links_root))
    targets = {"/dir2": "/dir2", "/dir1/link_rel_dir2": "/dir2", "/dir1/link_abs_dir2": "/dir2",
               "/dir1/link_abs_root/notexists": "/notexists", "/../../../../../notexists": "/notexists",
               "../../../../notexists": "/notexists", "/dev/here": "/dev/here"}
    for n, (target, place) in enumerate(targets.items()):
        s.rkt("add", name, f"--name=app{n}", "--exec=/bin/cat",
              f"--mnt-volume=name=test,kind=host,source={source},target={target},readOnly=true", "--", f"{place}/test")
        s.rkt("start", f"--app=app{n}")
    s.wait_state(**{f"app{n}": "exited" for n in range(len(targets))})
    codes = {target: s.status(f"app{n}")["exit_code"] for n, target in enumerate(targets)}
    assert set(codes.values()) == {0}, codes
    s.host.wait_for("all output", lambda: s.log.read_text().count("from the host") == len(targets))
    assert not pathlib.Path("/notexists").exists()
    mounts = s.status("app0")["mounts"]
    assert mounts == [{"name": "test", "container_path": "/dir2", "host_path": str(source), "read_only": True}]
    for n in range(len(targets)):
        s.rkt("rm", f"--app=app{n}")
    assert not [m for m in s.mounts() if "/opt/stage2/" in m or "/rkt/volumes/" in m]


def test_killed_at_any_moment(sandbox, host):
    """kill -9 of add, start, stop, rm: the next command finds the app or nothing of it; two at once: one waits."""
    s = sandbox()
    for msec in range(5, 150, 12):
        for verb, args in (("add", [NAME, "--name=x", "--exec=/bin/sleep", "--", "1000"]), ("start", ["--app=x"]),
                           ("rm", ["--app=x"])):
            p = host.spawn("rkt", "app", verb, s.uuid, *args)
            try:
                p.wait(timeout=msec / 1000)
            except Exception:  # pylint: disable=broad-except
                p.kill()
                p.wait()
    if "x" in s.states():
        s.rkt("rm", "--app=x")
    s.add("x", "sleep 1000")
    s.wait_state(x="running")
    two = [host.spawn("rkt", "app", "rm", s.uuid, "--app=x") for _ in range(2)]
    assert sorted(p.wait(timeout=120) for p in two) == [0, 254]
    top = next(pathlib.Path("/var/lib/rkt/pods/run").glob(s.uuid))
    assert not list((top / "stage1/rootfs/opt/stage2").iterdir()) and not list((top / "appsinfo").iterdir())
    assert not [m for m in s.mounts() if "/opt/stage2/" in m]


def remount_in_pod(pid, path):
    """Make a mount writable as the pod's root, with all its capabilities; returns the errno, 0: it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    fds = [os.open(f"/proc/{pid}/ns/{n}", os.O_RDONLY) for n in ("user", "mnt")]
    child = os.fork()
    if child == 0:
        if any(libc.setns(fd, 0) < 0 for fd in fds):
            os._exit(255)
        failed = libc.mount(None, path.encode(), None, 32 | 4096, None) < 0  # MS_REMOUNT | MS_BIND
        os._exit(ctypes.get_errno() if failed else 0)
    for fd in fds:
        os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_private_users(sandbox, tmp_path):
    """An app that comes to a pod with users of its own: its root, a volume of the host and one of the pod are its own; what it
    may only read the pod's root cannot make writable; a log file for a kubelet."""
    tmp_path.chmod(0o755)
    (tmp_path / "shared").mkdir()
    (tmp_path / "fixed").mkdir()
    (tmp_path / "logs").mkdir()
    s = sandbox("--private-users", f"--annotation={LOG}logmode=k8s-plain", f"--annotation={LOG}kubernetes-log-dir={tmp_path}/logs")
    s.add("web", "echo mine > /file; id -u; echo out > /data/made; echo more > /scratch/made; exec sleep 1000",
          f"--mnt-volume=name=data,kind=host,source={tmp_path}/shared,target=/data",
          f"--mnt-volume=name=fixed,kind=host,source={tmp_path}/fixed,target=/fixed,readOnly=true",
          f"--annotation={LOG}kubernetes-log-path=web.log",
          "--mnt-volume=name=scratch,kind=empty,target=/scratch")
    s.wait_state(web="running")
    s.host.wait_for("its words", lambda: (tmp_path / "shared/made").exists())
    s.host.wait_for("its log", lambda: (tmp_path / "logs/web.log").read_text().endswith(" stdout F 0\n"))
    pid = s.host.rkt("status", s.uuid).out.split("pid=")[1].split()[0]
    assert pathlib.Path(f"/proc/{pid}/uid_map").read_text(encoding="utf-8").split()[:2] != ["0", "0"]
    fixed = [m.split()[4] for m in s.mounts() if m.split()[4].endswith("/fixed")]
    assert fixed and {remount_in_pod(pid, place) for place in fixed} == {errno.EPERM}
    assert s.host.rkt("app", "exec", "--app=web", s.uuid, "/bin/stat", "-c", "%u", "/file", "/data/made", "/scratch/made",
                      "/bin/sh").out == "0\n" * 4
    s.rkt("stop", "--app=web")
    s.rkt("start", "--app=web")
    s.rkt("rm", "--app=web")
    assert not [m for m in s.mounts() if "/opt/stage2/" in m]


def test_slave(host, sandbox, tmp_path):
    """A volume with the option slave, in an app that comes: what the host mounts beneath it later is there, and goes again."""
    tmp_path.chmod(0o755)
    s = sandbox("--annotation=rkt.systemd/volumes=data:slave")
    host.run("mount", "-t", "tmpfs", "source", tmp_path)
    host.run("mount", "--make-shared", tmp_path)
    try:
        (tmp_path / "later").mkdir()
        s.add("web", "while ! [ -e /data/later/file ]; do sleep 0.05; done; echo > /data/seen; "
              "while [ -e /data/later/file ]; do sleep 0.05; done; echo > /data/gone; exec sleep 1000",
              f"--mnt-volume=name=data,kind=host,source={tmp_path},target=/data")
        host.run("mount", "-t", "tmpfs", "later", tmp_path / "later")
        (tmp_path / "later/file").touch()
        host.wait_for("the app sees it", (tmp_path / "seen").exists)
        host.wait_for("it is unmounted", lambda: host.run("umount", tmp_path / "later", check=False).rc == 0)
        host.wait_for("the app misses it", (tmp_path / "gone").exists)
        s.rkt("rm", "--app=web")
        assert not [m for m in s.mounts() if "/rkt/volumes/" in m]
    finally:
        host.run("umount", "--recursive", tmp_path)

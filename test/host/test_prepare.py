# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt prepare and rkt run-prepared: a pod that is made now and run later (rkt.md 1.5, 2 and 3.1, cluster-drivers.md 2.2)."""
import json
import os
import pathlib
import re
import signal
import stat
import time

import pytest

UNSIGNED = "--insecure-options=image"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n")


class Prepared:
    """What a test prepares; `uuid` is the last pod's."""

    def __init__(self, host, pods, image):
        self.host, self.pods, self.image, self.uuid = host, pods, image, None

    def prepare(self, *words, **kwargs):
        """rkt prepare; its standard output is the UUID and nothing else."""
        done = self.host.rkt(UNSIGNED, "--debug=false", "prepare", *words, **kwargs)
        assert UUID.fullmatch(done.out), done
        self.uuid = done.out.strip()
        return done

    def shell(self, script, *flags, before=(), **kwargs):
        """Prepare an app `busybox` that runs a shell script."""
        return self.prepare(*before, self.image, "--exec=/bin/sh", *flags, "--", "-c", script, **kwargs)

    def run(self, *words, **kwargs):
        """rkt run-prepared of the last one."""
        return self.host.rkt("--debug=false", "run-prepared", *words, self.uuid, **kwargs)

    def start(self, *words):
        """The same in the background; ready when this returns."""
        process = self.host.spawn("rkt", "run-prepared", *words, self.uuid)
        self.host.rkt("status", "--wait-ready=60s", self.uuid)
        return process

    def state(self):
        """What rkt status calls it."""
        return self.host.rkt("status", self.uuid).out.splitlines()[0]


@pytest.fixture
def pod(host, pods, images):
    """rkt prepare and run-prepared; what is left is removed."""
    yield Prepared(host, pods, images.busybox)
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s", check=False)


@pytest.mark.parametrize("flag,said", [("--working-dir=rel", "working directory 'rel' is not absolute"), ("--annotation=Foo=b", "'Foo'"),
                                       ("--set-env=1A=x", "a variable's name is of letters"),
                                       ("--environment=A%=x", "a variable's name is of letters")])
def test_what_could_never_run(host, pod, flag, said):
    """What a manifest cannot hold is refused before there is a pod, not when it is run."""
    before = host.pod_states()
    done = host.rkt(UNSIGNED, "prepare", "--quiet", pod.image, flag, check=254)
    assert said in done.err and done.out == "" and len(done.err.splitlines()) == 1, done
    assert host.pod_states() == before


def test_prepared(host, pod, tmp_path):
    """STA-01, LST-01: prepared, by UUID, by file and in the list; CREATED is when it was prepared (LST-04)."""
    began = time.time()
    pod.shell("true")
    (tmp_path / "uuid").write_text(pod.uuid)
    assert "state=prepared" in host.rkt("status", f"--uuid-file={tmp_path}/uuid").out.splitlines()
    assert pod.uuid in host.pod_states()["prepared"]
    line, = [li for li in host.rkt("list", "--full", "--no-legend").out.splitlines() if li.startswith(pod.uuid)]
    assert re.split(r"\s{2,}|\t", line)[4] == "prepared"
    listed, = [p for p in json.loads(host.rkt("list", "--format=json").out) if p["name"] == pod.uuid]
    assert listed["state"] == "prepared" and began - 2 <= listed["created_at"] <= time.time() + 2
    assert "started_at" not in listed or not listed["started_at"]


def test_quiet(pod):
    """--quiet: the UUID, and no word on standard error; without it, what was done is there."""
    assert f"image: using image from file {pod.image}" in pod.shell("true").err
    assert pod.shell("true", before=["--quiet"]).err == ""


@pytest.mark.parametrize("code", [0, 43])
def test_run(host, pod, code):
    """The app's output and its exit status are run-prepared's; then the pod has exited, and CREATED and STARTED differ."""
    pod.shell(f"echo out-put; echo err-or >&2; exit {code}")
    time.sleep(1.1)
    done = pod.run(check=code)
    assert done.out.replace("\r", "").count("out-put\n") == 1 and "err-or" in done.all
    host.rkt("status", "--wait=15s", pod.uuid)
    assert pod.pods.apps(pod.uuid) == {"busybox": code}
    listed, = [p for p in json.loads(host.rkt("list", "--format=json").out) if p["name"] == pod.uuid]
    assert listed["state"] == "exited" and listed["started_at"] - listed["created_at"] >= 1


def test_once(pod):
    """A pod runs once; while it does and afterwards it is not prepared. Unknown ones, and none."""
    pod.shell("trap 'exit 0' TERM; sleep 60 & wait")
    process = pod.start()
    assert f'run-prepared: pod "{pod.uuid}" is not prepared' in pod.run(check=254).err
    pod.host.rkt("stop", pod.uuid)
    assert process.wait(timeout=120) == 0
    pod.host.rkt("status", "--wait=15s", pod.uuid)
    assert f'run-prepared: pod "{pod.uuid}" is not prepared' in pod.run(check=254).err
    pod.host.rkt("gc", "--mark-only")
    assert f'pod "{pod.uuid}" is not prepared' in pod.run(check=254).err
    for word, sentence in (("1234567890abcdef", 'no matches found for "1234567890abcdef"'), ("", "UUID cannot be empty")):
        assert sentence in pod.host.rkt("run-prepared", word, check=254).err
    assert pod.host.rkt("run-prepared", check=254).out == ""


def test_of_two_one_runs(host, pod):
    """Two run-prepared of one pod at once: one runs it, the other is refused."""
    pod.shell("echo ran; sleep 1")
    processes = [host.spawn("rkt", "run-prepared", pod.uuid) for _ in range(2)]
    outputs = [p.communicate(timeout=120) for p in processes]
    assert sorted(p.returncode for p in processes) == [0, 254]
    assert sorted("ran" in out for out, _ in outputs) == [False, True]


def test_overrides_persist(pod, images, tmp_path):
    """EXEC-05 EXEC-06: what prepare was told holds: exec, arguments, environment, volumes, user, name."""
    source = tmp_path / "data"
    source.mkdir()
    pod.prepare(f"--volume=v,kind=host,source={source}", "--mount=volume=v,target=/v", "--set-env=A=b c=\"d\"\n$e", pod.image,
                "--name=other", "--exec=/bin/sh", "--user=0", "--environment=B=2", "--", "-c",
                'printf "<%s|%s>" "$A" "$B"; echo here > /v/file')
    assert '<b c="d"\n$e|2>' in pod.run().out.replace("\r", "")
    assert (source / "file").read_text() == "here\n"
    pod.prepare(pod.image, "--exec=echo", "--", "looked-up")
    assert "looked-up" in pod.run().out
    pod.prepare(images.make("example.com/hello", app={"exec": ["/bin/echo", "Hello"]}), "--", "and more")
    assert "Hello and more" in pod.run().out


def test_hostname_and_network(host, pod):
    """HOST-01 HOST-02: chosen by run-prepared, not by prepare; a prefix of the UUID will do (GC-03)."""
    pod.shell("hostname; cat /proc/net/dev")
    done = host.rkt("run-prepared", "--hostname=test-hostname", "--net=host", pod.uuid[:13])
    assert "test-hostname" in done.out
    there = {li.split(":")[0].strip() for li in done.out.splitlines() if re.match(r"\s*\w+:", li)}
    assert {li.split(":")[0].strip() for li in pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]} <= there
    pod.shell("hostname; grep -c : /proc/net/dev")
    done = pod.run()
    assert f"rkt-{pod.uuid}" in done.out and done.out.split()[-1] == "2"  # lo, and eth0 of the network default
    for flag in ("--net=host", "--hostname=x", "--uuid-file-save=/x", "--interactive", "--mds-register", "--dns=8.8.8.8"):
        refused = host.rkt(UNSIGNED, "prepare", flag, pod.image, check=254)
        assert f"unknown flag: {flag.split('=', maxsplit=1)[0]}" in refused.err and refused.out == ""


def test_bad_network_leaves_it_prepared(pod):
    """What can be refused is refused before the pod is touched; ERR-01 when a network cannot be made."""
    pod.shell("true")
    assert "stage1: failed to setup network: there is no network 'no-such'" in pod.run("--net=no-such", check=254).err
    assert pod.state() == "state=prepared"
    pod.shell("echo after all")
    assert "Invalid IP passed to --dns: x" in pod.run("--dns=x", check=254).err
    assert pod.state() == "state=prepared"
    assert "after all" in pod.run().out


def test_uuid_file(host, pod, tmp_path):
    """run-prepared --uuid-file (rkt issue 3005)."""
    pod.shell("echo from a file")
    (tmp_path / "uuid").write_text(pod.uuid + "\n")
    assert "from a file" in host.rkt("run-prepared", f"--uuid-file={tmp_path}/uuid").out


def test_images_may_go(host, pod):
    """IRM-04 to IRM-06: after prepare images are removed, by name, by ID, by both; run-prepared still works."""
    pod.shell("echo still here")
    image, = {li.split()[0] for li in host.rkt("image", "list", "--no-legend", "--full", "--fields=id,name").out.splitlines()
              if "example.com/busybox" in li}
    host.rkt("image", "rm", image, "example.com/busybox")
    host.rkt("image", "gc", "--grace-period=0s")
    assert "still here" in pod.run().out


def test_remove(host, pod):
    """RM-01: a prepared pod is removed, files and all; gc --expire-prepared takes one that nobody ran."""
    pod.shell("true")
    assert host.rkt("rm", pod.uuid).out == f'"{pod.uuid}"\n'
    assert not any(pod.uuid in there for there in host.pod_states().values())
    pod.shell("true")
    host.rkt("gc", "--grace-period=0s")
    assert pod.state() == "state=prepared"
    done = host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")
    assert f'moving expired prepared pod "{pod.uuid}" to garbage' in done.err
    assert not any(pod.uuid in there for there in host.pod_states().values())


def test_gc(host, pod):
    """GC-01: an exited, a prepared and a failed one: marked, all are there; then all directories are empty."""
    pod.shell("true")
    pod.run()
    pod.shell("true")
    failed = host.rkt(UNSIGNED, "prepare", pod.image, pod.image, check=254)
    assert "multiple apps with name busybox" in failed.err and failed.out == ""
    flags = ["--expire-prepared=0", "--grace-period=0"]
    before = sum(len(v) for v in host.pod_states().values())
    host.rkt("gc", "--mark-only=true", *flags)
    assert sum(len(v) for v in host.pod_states().values()) == before >= 2
    host.rkt("gc", "--mark-only=false", *flags)
    states = host.pod_states()
    assert not any(states.get(d) for d in ("exited-garbage", "prepared", "garbage", "prepare", "embryo"))


def test_failed_prepare_leaves_nothing(host, pod):
    """A bad command line, an image that there is not, one without an app: exit 254, no UUID, no pod."""
    before = host.pod_states()
    for words, sentence in ((["/does/not/exist.aci"], "/does/not/exist.aci"), ([], "must provide at least one image"),
                            ([pod.image, "--mount=volume=x,target=/x"], "dangling mount point")):
        done = host.rkt(UNSIGNED, "prepare", *words, check=254)
        assert sentence in done.err and done.out == ""
    assert host.pod_states() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_in_order(pod, tmp_path, number):
    """Nomad's kill_signal: the app may finish."""
    said = tmp_path / "said"
    said.mkdir()
    pod.shell("trap 'echo bye > /said/it; exit 0' TERM; sleep 60 & wait", "--mount=volume=s,target=/said",
              before=[f"--volume=s,kind=host,source={said}"])
    process = pod.start()
    process.send_signal(number)
    process.wait(timeout=120)
    assert (said / "it").read_text() == "bye\n"
    assert pod.pods.apps(pod.uuid) == {"busybox": 0}


def test_killed(host, pod):
    """Nomad's last word is SIGKILL to run-prepared alone: no process of the pod survives it."""
    pod.shell("sleep 60 & wait")
    process = pod.start()
    process.kill()
    process.wait(timeout=120)
    assert "state=exited" in host.rkt("status", "--wait=20s", pod.uuid).out.splitlines()
    host.wait_for("machined forgets it", lambda: not pathlib.Path(f"/run/systemd/machines/rkt-{pod.uuid}").exists())


def test_as_nomad_calls_it(host, pod, tmp_path):
    """cluster-drivers.md 2.2: global flags first, volumes with a UUID in their names, limits, no terminator behind the arguments."""
    alloc, words = "3a0b8d2c-6a3f-4a51-a5b4-0c8d3e6f7a10", []
    for name in ("alloc", "local", "secrets"):
        (tmp_path / name).mkdir()
        words += [f"--volume={alloc}-redis-{name},kind=host,source={tmp_path / name}",
                  f"--mount=volume={alloc}-redis-{name},target=/{name}"]
    done = host.rkt("--insecure-options=all", "--debug=false", "prepare", *words, f"--set-env=NOMAD_ALLOC_ID={alloc}",
                    pod.image, "--exec=/bin/sh", "--memory=134217728", "--cpu=100", "--", "-c",
                    'echo "$NOMAD_ALLOC_ID" > /alloc/id; cat')
    assert UUID.fullmatch(done.out)
    pod.uuid = done.out.strip()
    manifest = json.loads(host.rkt("cat-manifest", pod.uuid).out)
    assert manifest["acKind"] == "PodManifest" and len(manifest["apps"]) == 1 and manifest["apps"][0]["app"]
    host.rkt("--insecure-options=all", "--debug=false", "run-prepared", "--net=host", pod.uuid, cwd=tmp_path, stdin="")
    assert (tmp_path / "alloc/id").read_text() == f"{alloc}\n"


def test_survives_a_crash_of_the_writer(host, pod):
    """The pod was promised when the UUID was printed: its manifest, its name and its directory are whole and private."""
    pod.shell("true")
    top = pathlib.Path("/var/lib/rkt/pods/prepared", pod.uuid)
    assert {"pod", "pod-created", "appsinfo"} <= set(os.listdir(top))
    assert stat.S_IMODE((top / "pod").stat().st_mode) & 0o007 == 0
    assert json.loads((top / "pod").read_text())["apps"][0]["name"] == "busybox"
    assert host.run("flock", "--nonblock", "--exclusive", top, "true").rc == 0  # nobody holds it


@pytest.mark.parametrize("verb", ["prepare", "run-prepared"])
def test_unprivileged(host, verb):
    """ROOT-03 ROOT-06: refused before arguments are looked at."""
    done = host.run("runuser", "-u", "nobody", "--", "rkt", verb, check=254)
    assert f"{verb}: cannot run as unprivileged user" in done.err


@pytest.mark.parametrize("flags,is_hosts", [([], False), (["--ipc=auto"], False), (["--ipc=private"], False), (["--ipc=parent"], True)],
                         ids=["none", "auto", "private", "parent"])
def test_ipc(pod, flags, is_hosts):
    """IPC-01 to IPC-04, by run and by run-prepared (where rkt forgot the flag)."""
    question = ["--exec=/bin/readlink", "--", "/proc/self/ns/ipc"]
    own = os.readlink("/proc/self/ns/ipc")
    said = pod.host.rkt(UNSIGNED, "--debug=false", "run", "--net=none", *flags, pod.image, *question).out.strip()
    pod.prepare(pod.image, *question)
    for text in (said, pod.run("--net=none", *flags).out.strip()):
        assert text.startswith("ipc:[") and (text == own) is is_hosts


def test_bad_ipc(pod):
    """IPC-05: any other word."""
    for verb in (["run", pod.image], ["run-prepared", "0"]):
        done = pod.host.rkt(UNSIGNED, verb[0], "--ipc=host", verb[1], check=254)
        assert 'invalid argument "host" for --ipc' in done.err

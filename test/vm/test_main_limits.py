# SPDX-License-Identifier: LGPL-2.1-or-later
"""What needs cgroup controllers: limits of an app and of a whole pod, on the kernel that Debian ships."""
import json
import pathlib
import time

from conftest import ISOLATED, app_section
from many import Many

CGROUP = pathlib.Path("/sys/fs/cgroup")


def cgroup_of(host, unit, machine=None):
    """Directory of a unit's cgroup; of a unit in a machine, as the host sees it."""
    group = host.show(unit, "ControlGroup", machine=machine)
    if machine:
        outer = host.show(f"pod@{machine}.service", "ControlGroup")
        group = f"{outer}/payload{group}"
    return CGROUP / group.lstrip("/")


def number(path, key=None):
    """A number in a file of a cgroup; key: in one that has several."""
    text = path.read_text()
    return int(text if key is None else dict(line.split() for line in text.splitlines())[key])


def share(group, seconds=2):
    """How much of one processor a cgroup gets."""
    began, used = time.monotonic(), number(group / "cpu.stat", "usage_usec")
    time.sleep(seconds)
    return (number(group / "cpu.stat", "usage_usec") - used) / 1e6 / (time.monotonic() - began)


def test_limits_bind(host, pods, images, tmp_path):
    """MemoryMax=, CPUQuota=, TasksMax= and IOWriteBandwidthMax= of an app and of a pod are those of their cgroups, and hold."""
    tmp_path.chmod(0o777)
    out = f"Volume={tmp_path}:/out\n"
    wait = "until [ -e /out/%s ]; do sleep 0.2; done; "  # a machine that is emulated starts nothing beside a busy one
    spin = wait % "spin" + "while :; do :; done"
    scripts = {
        "spin": (spin, out + "CPUQuota=20%\n"),
        "idle": (spin, out + "CPUWeight=7\nMemoryMax=64M\nIOReadIOPSMax=/ 1000\n"),
        "fork": ("(for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done); exec sleep 1000", "TasksMax=6\n"),
        "write": ("read a b < /proc/uptime; dd if=/dev/zero of=/file bs=64k count=32 conv=fsync; read c d < /proc/uptime; "
                  "echo $a $c > /out/write.new; mv /out/write.new /out/write; exec sleep 1000", out + "IOWriteBandwidthMax=/ 1M\n"),
        "grow": (wait % "grow" + "x=a; while :; do x=$x$x; done", out)}
    text = ISOLATED + "".join(app_section(name, images.busybox, *how) for name, how in scripts.items())
    name = pods.write("bounds", text + "[Service]\nMemoryMax=300M\nTasksMax=200\nIOWriteBandwidthMax=/ 40M\n")
    pods.start(name, timeout=300)
    pod = cgroup_of(host, f"pod@{name}.service")
    spinning, idle, fork, write = (cgroup_of(host, f"{a}.service", machine=name) for a in ("spin", "idle", "fork", "write"))
    assert (spinning / "cpu.max").read_text().split() == ["20000", "100000"]
    assert [number(idle / f) for f in ("cpu.weight", "memory.max")] == [7, 64 << 20]
    assert [number(pod / f) for f in ("memory.max", "pids.max")] == [300 << 20, 200]
    assert "riops=1000" in (idle / "io.max").read_text() and "wbps=40000000" in (pod / "io.max").read_text()
    host.wait_for("too many processes", lambda: number(fork / "pids.events", "max") > 0)
    assert number(fork / "pids.current") <= 6 == number(fork / "pids.max")
    host.wait_for("2 MiB", (tmp_path / "write").exists, timeout=60)
    began, ended = (float(n) for n in (tmp_path / "write").read_text().split())
    assert ended - began > 1.5 and "wbps=1000000" in (write / "io.max").read_text()
    (tmp_path / "spin").touch()
    assert share(spinning) < 0.3 and number(spinning / "cpu.stat", "nr_throttled") > 0
    host.run("systemctl", "set-property", "--runtime", f"pod@{name}.service", "CPUQuota=50%")
    assert share(pod) < 0.65
    host.run("systemctl", "set-property", "--runtime", f"pod@{name}.service", "CPUQuota=",
             f"MemoryMax={number(pod / 'memory.current') + (8 << 20)}", "MemorySwapMax=0")
    (tmp_path / "grow").touch()
    host.wait_for("the pod to fail", lambda: host.show(f"pod@{name}.service", "ActiveState") == "failed", timeout=120)
    assert "oom-kill" in host.journal("-u", f"pod@{name}").lower()


GROUP = "cd /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); "
LIMITS = GROUP + "cat memory.max cpu.max cpu.weight | tr '\\n' ' '"
WALK = GROUP + ("test -r /sys/fs/cgroup/cgroup.controllers && cat cgroup.procs > /dev/null && for f in /sys/fs/cgroup/cgroup.procs cgroup.procs "
                "memory.max ../memory.max; do echo 1 2> /dev/null > $f && exit 1; done; mkdir x 2> /dev/null && exit 1; echo SUCCESS")


def test_flags_and_isolators(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """ISO-01 to ISO-05: an image bounds its app, a flag replaces that. ISO-06: what there is of cgroups can be seen by an app, and not
    be written, with CAP_SYS_PTRACE too."""
    many = Many(host, images, tmp_path)
    bounded = many.image(resource_memory={"limit": "25Mi"}, resource_cpu={"limit": "800m", "request": "300m"})
    said = many.ask({"iso-01": (LIMITS, bounded), "iso-02": (LIMITS, bounded, "--memory=42Mi"), "iso-04": (LIMITS, bounded, "--cpu=900m"),
                     "iso-05": (LIMITS, bounded, "--cpu-shares=12345"), "none": (LIMITS, images.busybox),
                     "iso-06": (WALK, images.busybox, "--caps-retain=CAP_SYS_PTRACE,CAP_DAC_OVERRIDE")})
    assert {k: v.split() for k, v in said.items()} == {
        "iso-01": ["26214400", "80000", "100000", "30"], "iso-02": ["44040192", "80000", "100000", "30"],
        "iso-04": ["26214400", "90000", "100000", "30"], "iso-05": ["26214400", "80000", "100000", "1205"],
        "none": ["max", "max", "100000", "100"], "iso-06": ["SUCCESS"]}


def test_isolators_of_a_pod_manifest(host, pods, images, tmp_path):  # pylint: disable=unused-argument
    """PODM-22, PODM-23: isolators of a pod manifest's apps; those of the pod bound all apps together."""
    tmp_path.chmod(0o777)
    image = host.rkt("fetch", "--full", "--insecure-options=image", images.busybox).out.split()[-1]

    def app(name, script, *isolators):
        return {"name": name, "image": {"id": image}, "mounts": [{"volume": "out", "path": "/out"}], "app": {
            "exec": ["/bin/sh", "-c", f"( {script} ) > /out/{name} 2>&1"], "user": "0", "group": "0", "isolators": list(isolators)}}

    def limit(what, quantity, **more):
        return {"name": f"resource/{what}", "value": {"limit": quantity, **more}}
    manifest = {"acVersion": "0.8.11", "acKind": "PodManifest",
                "apps": [app("cpu", LIMITS, limit("cpu", "100m")), app("memory", LIMITS, limit("memory", "16Mi")),
                         app("disk", GROUP + "cat io.max ../io.max ../memory.max ../cpu.max", limit("block-bandwidth", "2M", default=True))],
                "volumes": [{"name": "out", "kind": "host", "source": str(tmp_path)}],
                "isolators": [limit("memory", "200Mi"), limit("cpu", "1500m"), limit("block-iops", "500", default=True)]}
    (tmp_path / "manifest").write_text(json.dumps(manifest))
    host.rkt("run", "--net=none", f"--pod-manifest={tmp_path}/manifest")
    assert (tmp_path / "cpu").read_text().split()[1:3] == ["10000", "100000"]
    assert (tmp_path / "memory").read_text().split()[0] == str(16 << 20)
    disk = (tmp_path / "disk").read_text()
    assert "rbps=2000000 wbps=2000000" in disk and "riops=500 wiops=500" in disk and f"{200 << 20}\n150000 100000" in disk


def test_app_over_its_limit_is_killed_and_said_so(host, pods, images):
    """An app that wants more than MemoryMax= is killed; the pod fails, and its journal and rkt status name the reason."""
    name = pods.shell("greedy", images.busybox, "x=a; while true; do x=$x$x$x$x; done",
                      app="MemoryMax=16M\nMemorySwapMax=0\n")
    pods.start(name, check=False)
    host.wait_for("the pod to fail", lambda: host.show(f"pod@{name}.service", "ActiveState") == "failed", timeout=120)
    assert "oom-kill" in host.journal("-u", f"pod@{name}").lower()
    lines = host.rkt("status", pods.ours()[-1]["name"]).out.splitlines()
    assert {"app-main=137", "signal-main=SIGKILL", "result-main=oom-kill"} <= set(lines)

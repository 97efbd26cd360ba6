#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure the product beside its peers, in one lab, one after the other in turns; print a page of Markdown.

A machine is never quiet, so that no two figures of different minutes are compared: every round runs each candidate
once, and what counts is the median of the rounds' ratios. Sections: generator start size memory,
fetch mount list (fetch.py), pull (pull.py), ten hundred logs stop (pods.py), network with-network traffic churn (network.py).
"""
import argparse
import hashlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import exited  # noqa: E402  pylint: disable=wrong-import-position
import fetch  # noqa: E402  pylint: disable=wrong-import-position
import network  # noqa: E402  pylint: disable=wrong-import-position
import pods  # noqa: E402  pylint: disable=wrong-import-position
import pull  # noqa: E402  pylint: disable=wrong-import-position
from common import (PODMAN, WORK, clock, large_root, podman_image, ratio,  # noqa: E402  pylint: disable=wrong-import-position
                    rounds, run, spread, table, timed)
from images import aci  # noqa: E402  pylint: disable=wrong-import-position

PODS = "/etc/rkt/pods"
GENERATOR = "/usr/lib/systemd/system-generators/rkt-pod-generator"
QUADLET = "/usr/libexec/podman/quadlet"


# --- the generator ---------------------------------------------------------------------------------------------------

POD = """[Unit]
Description=Web service number {i}
After=network-online.target

[Pod]
HostName=web{i}
Network=host
PublishPort=127.0.0.1:{port}:8080

[App web]
Image=quay.io/example/web:1.{i}
Environment=PORT=8080 MODE=production
Environment=INSTANCE={i}
Volume=/srv/web{i}:/data
TemporaryFileSystem=/tmp
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
WorkingDirectory=/srv
TasksMax=256
NoNewPrivileges=true
ReadOnly=true
User=1000
Group=1000
HealthCmd=curl -fsS http://localhost:8080/healthz
HealthInterval=30s
Exec=/usr/bin/web --listen :8080 --name "web {i}"

[Service]
Restart=always
TimeoutStartSec=900
MemoryMax=512M

[Install]
WantedBy=multi-user.target
"""
CONTAINER = """[Unit]
Description=Web service number {i}
After=network-online.target

[Container]
Image=quay.io/example/web:1.{i}
ContainerName=web{i}
PublishPort=127.0.0.1:{port}:8080
Environment=PORT=8080 MODE=production
Environment=INSTANCE={i}
Volume=/srv/web{i}:/data
Tmpfs=/tmp
Network=host
AddCapability=CAP_NET_BIND_SERVICE
DropCapability=all
HostName=web{i}
WorkingDir=/srv
PidsLimit=256
NoNewPrivileges=true
ReadOnly=true
User=1000
Group=1000
HealthCmd=curl -fsS http://localhost:8080/healthz
HealthInterval=30s
Exec=/usr/bin/web --listen :8080 --name "web {i}"

[Service]
Restart=always
TimeoutStartSec=900
MemoryMax=512M

[Install]
WantedBy=multi-user.target
"""


def unit_files(directory, count, text, suffix, section):
    """`count` files, every tenth with a drop-in."""
    os.makedirs(directory)
    for i in range(count):
        path = f"{directory}/web{i}.{suffix}"
        with open(path, "w") as f:
            f.write(text.format(i=i, port=10000 + i))
        if i % 10 == 0:
            os.mkdir(path + ".d")
            with open(path + ".d/10-extra.conf", "w") as f:
                f.write(f"[{section}]\nEnvironment=EXTRA=1\n")


class Generator:
    """A generator, run as PID 1 runs it: three directories on a tmpfs."""

    def __init__(self, program, options, env, name):
        self.command, self.env, self.name = [program, *options], env, name
        self.rss, self.cpu, self.digests, self.units = 0, [], set(), 0

    def __call__(self):
        top = f"/dev/shm/rkt-bench-{self.name}"
        shutil.rmtree(top, ignore_errors=True)
        directories = [f"{top}/{d}" for d in ("generator", "generator.early", "generator.late")]
        for directory in directories:
            os.makedirs(directory)
        done = run(timed(), *self.command, *directories, env=self.env).stdout.split()
        took, cpu, rss, status = int(done[0]) / 1e6, int(done[1]) / 1e6, int(done[2]), int(done[3])
        if status:
            raise SystemExit(f"bench: {self.name} failed: {status}")
        self.rss = max(self.rss, rss)
        self.cpu.append(cpu)
        self._digest(top)
        shutil.rmtree(top)
        return took

    def _digest(self, top):
        digest, self.units = hashlib.sha256(), 0
        for root, directories, files in os.walk(top):
            directories.sort()
            for f in sorted(files):
                path = os.path.join(root, f)
                digest.update(path.encode())
                if not os.path.islink(path):
                    self.units += 1
                    with open(path, "rb") as content:
                        digest.update(content.read())
        self.digests.add(digest.hexdigest())


def bench_generator():
    """1, 100, 1000 pod files beside as many of Quadlet's."""
    print("## Generator\n\nN realistic files, every tenth with a drop-in; run as PID 1 does, output on a tmpfs, "
          "log to nowhere. Wall time in ms: median (range); the ratio is the median of 21 rounds (quartiles).\n")
    rows = []
    os.makedirs(PODS, exist_ok=True)
    for count in (1, 100, 1000):
        top = f"{WORK}/in-{count}"
        shutil.rmtree(top, ignore_errors=True)
        unit_files(f"{top}/pods", count, POD, "pod", "App web")
        run("mount", "--bind", f"{top}/pods", PODS)
        ours = Generator(GENERATOR, [], {"PATH": "/usr/bin:/bin", "SYSTEMD_SCOPE": "system"}, "rkt")
        candidates = {"rkt": ours, "nothing": Generator("/bin/true", [], {}, "nothing")}
        if os.path.exists(QUADLET):
            unit_files(f"{top}/containers", count, CONTAINER, "container", "Container")
            candidates["quadlet"] = Generator(QUADLET, ["-no-kmsg-log"],
                                              {"QUADLET_UNIT_DIRS": f"{top}/containers", "PATH": "/usr/bin:/bin",
                                               "SYSTEMD_SCOPE": "system"}, "quadlet")
        found = rounds(candidates, 21, warmups=2)
        run("umount", PODS)
        if ours.units < count:
            raise SystemExit(f"bench: the generator wrote {ours.units} files for {count} pods")
        for name, generator in candidates.items():
            rows.append([f"{count}: {name}", spread(found[name], 2), f"{statistics.median(generator.cpu):.1f}",
                         f"{generator.rss / 1024:.1f}", len(generator.digests),
                         "" if name == "rkt" else ratio(found["rkt"], found[name])])
    table(["files: program", "wall ms", "CPU ms", "RSS MiB", "distinct outputs", "rkt / this"], rows)
    print(f"`{GENERATOR} DIR DIR DIR`; `QUADLET_UNIT_DIRS=... {QUADLET} -no-kmsg-log DIR DIR DIR`; "
          "`/bin/true` is what starting any program costs. \"Distinct outputs\": 1 is byte-identical between runs.\n")


# --- start -----------------------------------------------------------------------------------------------------------

BARE_UNITS = {
    "default.target": "[Unit]\nRequires=app.service\nAfter=app.service\n",
    "app.service": "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n"
                   "Requires=systemd-journald.socket\nAfter=systemd-journald.socket\n"
                   "[Service]\nType=exec\nRootDirectory=/opt/app\nExecStart=/bin/sleep infinity\n",
    "bench-bare.service": "[Service]\nType=notify\nNotifyAccess=all\nDelegate=yes\nSlice=machine.slice\nKillMode=mixed\n"
                          "ExecStart={command}\n",
}
BARE = ("/usr/bin/systemd-nspawn --quiet --boot --keep-unit --register=yes --notify-ready=yes --machine=bench-bare "
        f"--directory={WORK}/bare --bind-ro=/usr --bind-ro={{root}}:/opt/app --private-network --link-journal=try-host "
        "--setenv=SYSTEMD_UNIT_PATH=/units")


def bare_machine(root):
    """A unit that boots the host's systemd by nspawn over an otherwise empty root, with the same app and a journald: as
    little as what a pod is made of."""
    top = f"{WORK}/bare"
    shutil.rmtree(top, ignore_errors=True)
    for directory in ("etc", "units", "usr", "opt/app", "proc", "sys", "dev", "run", "tmp", "var/log/journal"):
        os.makedirs(f"{top}/{directory}")
    for link in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{link}", f"{top}/{link}")
    shutil.copy("/usr/lib/os-release", f"{top}/etc/os-release")
    for name in ("default.target", "app.service"):
        pathlib.Path(top, "units", name).write_text(BARE_UNITS[name])
    for name in ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket", "halt.target",
                 "systemd-halt.service", "shutdown.target", "umount.target", "final.target"):
        os.symlink(f"/usr/lib/systemd/system/{name}", f"{top}/units/{name}")
    command = BARE.format(root=root)
    pathlib.Path("/run/systemd/system/bench-bare.service").write_text(
        BARE_UNITS["bench-bare.service"].format(command=command))
    run("systemctl", "daemon-reload")
    return command


def timed_unit(unit):
    """systemctl start until it comes back; the stop is not measured."""
    def start():
        began = clock()
        run("systemctl", "start", unit)
        took = clock() - began
        run("systemctl", "stop", unit)
        return took
    return start


def timed_podman(image):
    """podman run -d until it comes back."""
    def start():
        began = clock()
        run(*pods.ALIKE, *PODMAN, "run", "-d", "--network=none", "--pids-limit=0", "--name=bench", image, "/bin/sleep", "infinity")
        took = clock() - began
        run(*PODMAN, "rm", "-f", "-t", "0", "bench")
        return took
    return start


def pod(name, kind):
    """A pod of one app, its image in the store. Returns its unit, its root, and the image's size."""
    root = aci.cached_root(kind, WORK)
    path = f"{WORK}/{kind.__name__}.aci"
    if not os.path.exists(path):
        aci.pack(path, aci.manifest(f"example.com/{name}", app={"exec": ["/bin/sleep", "infinity"]}), root, "plain")
    os.makedirs(PODS, exist_ok=True)
    pathlib.Path(PODS, f"{name}.pod").write_text(
        f"[Pod]\nNetwork=none\nInsecureOptions=image\n[App main]\nImage={path}\n")
    run("rkt", "--insecure-options=image", "fetch", path)
    run("systemctl", "daemon-reload")
    return f"pod@{name}.service", root, os.path.getsize(path)


def bench_start():
    """One app, no network, image in the store: beside the least that nspawn can do, and podman."""
    unit, root, _ = pod("bench-small", aci.busybox_root)
    # By name: taking an image from a path means importing it at every start, which is not what is measured here.
    by_name("bench-small")
    command = bare_machine(root)
    candidates = {"rkt: systemctl start pod@": timed_unit(unit),
                  "bare nspawn --boot: systemctl start": timed_unit("bench-bare.service")}
    if podman_image("bench-small", root):
        candidates["podman run -d --network=none"] = timed_podman("bench-small")
    found = rounds(candidates, 15, warmups=2)
    ours = found["rkt: systemctl start pod@"]
    print("## Start to ready\n\nOne app (`sleep`) in a 2 MB image that is in the store, no network; 15 rounds.\n")
    table(["command", "wall ms", "rkt / this"],
          [[name, spread(values), "" if values is ours else ratio(ours, values)] for name, values in found.items()])
    print(f"Bare: `{command}`, with a `default.target`, the app as a service with `RootDirectory=`, and journald.\n")


def by_name(name):
    """Let a pod name its image instead of a path."""
    pathlib.Path(PODS, f"{name}.pod").write_text(
        f"[Pod]\nNetwork=none\nInsecureOptions=image\nPull=never\n[App main]\nImage=example.com/{name}:1.0.0\n")
    run("systemctl", "daemon-reload")


def bench_size():
    """Does a start cost more when the image is larger?"""
    small, _, small_size = pod("bench-small", aci.busybox_root)
    by_name("bench-small")
    large, root, large_size = pod("bench-large", large_root)
    by_name("bench-large")
    entries = len(run("find", root).stdout.splitlines())
    candidates = {"small": timed_unit(small), "large": timed_unit(large)}
    found = rounds(candidates, 15, warmups=2)
    print("## Start and the image's size\n\nThe same app in two images, both in the store; 15 rounds.\n")
    table(["image", "MB", "wall ms", "large / small"],
          [["small", f"{small_size / 1e6:.0f}", spread(found["small"]), ""],
           [f"large ({entries} entries)", f"{large_size / 1e6:.0f}", spread(found["large"]),
            ratio(found["large"], found["small"])]])


# --- memory ----------------------------------------------------------------------------------------------------------

def pss(pid):
    """Proportional set size of a process in KiB, 0 if it has gone."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def cgroup_processes(unit):
    """{pid: name} of all processes of a unit."""
    top = "/sys/fs/cgroup" + run("systemctl", "show", unit, "--property=ControlGroup", "--value").stdout.strip()
    pids = [p for procs in pathlib.Path(top).rglob("cgroup.procs") for p in procs.read_text().split()]
    return {pid: pathlib.Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids}


def bench_memory():
    """What stays beside the app."""
    unit, root, _ = pod("bench-small", aci.busybox_root)
    by_name("bench-small")
    bare_machine(root)
    rows = []
    for title, name in (("rkt", unit), ("bare nspawn --boot", "bench-bare.service")):
        run("systemctl", "start", name)
        time.sleep(2)  # what ends by itself has ended
        sizes = {}
        for pid, comm in cgroup_processes(name).items():
            if comm not in ("sleep", "busybox"):
                sizes[comm] = sizes.get(comm, 0) + pss(pid)
        run("systemctl", "stop", name)
        rows.append([title, f"{sum(sizes.values()) / 1024:.1f}",
                     ", ".join(f"{comm} {size / 1024:.1f}" for comm, size in sorted(sizes.items()))])
    if podman_image("bench-small", root):
        run(*PODMAN, "run", "-d", "--network=none", "--pids-limit=0", "--name=bench", "bench-small", "/bin/sleep", "infinity")
        conmon = run(*PODMAN, "inspect", "--format", "{{.State.ConmonPid}}", "bench").stdout.strip()
        rows.append(["podman", f"{pss(conmon) / 1024:.1f}", f"conmon {pss(conmon) / 1024:.1f}"])
        run(*PODMAN, "rm", "-f", "-t", "0", "bench")
    print("## Memory beside the app\n\nPSS (`/proc/PID/smaps_rollup`) of every process of the pod that is not the app, "
          "two seconds after it was ready, in MiB.\n")
    table(["pod of", "sum", "of which"], rows)


def machine():
    """What this was measured on."""
    cpu = next(li.split(":")[1].strip() for li in open("/proc/cpuinfo") if li.startswith("model name"))
    release = dict(li.rstrip().split("=", 1) for li in open("/etc/os-release") if "=" in li)["PRETTY_NAME"].strip('"')
    load = os.getloadavg()[0]
    versions = [run("systemctl", "--version").stdout.split("\n")[0]]
    for command in (["podman", "--version"], ["rkt", "version"]):
        if shutil.which(command[0]):
            versions.append(run(*command, check=False).stdout.split("\n")[0])
    print("# Benchmarks\n\nMade by `sudo ./lab bench`: all candidates in one lab, in turns; compare the ratios, not the "
          f"times.\n\n{os.cpu_count()} x {cpu}, Linux {os.uname().release}, {release}; load {load:.1f} at the beginning; "
          f"{time.strftime('%Y-%m-%d', time.gmtime())}. {'; '.join(versions)}.\n", flush=True)


def step_forward():
    """Before everybody else on the machine: at the highest priority, in a scheduling group of our own."""
    try:
        os.setsid()
    except PermissionError:
        pass  # it is one already
    try:
        pathlib.Path("/proc/self/autogroup").write_text("-20")
        os.nice(-40)
    except OSError as e:
        print(f"bench: at the priority of everybody else: {e}", file=sys.stderr)


def main():
    """Run the sections that were asked for."""
    step_forward()
    sections = {"generator": bench_generator, "start": bench_start, "size": bench_size, "memory": bench_memory,
                "fetch": fetch.bench_fetch, "pull": pull.bench_pull, "mount": fetch.bench_mount,
                "list": fetch.bench_list, "ten": pods.bench_ten, "hundred": pods.bench_hundred, "logs": pods.bench_logs,
                "stop": pods.bench_stop, "exited": exited.bench_exited, "network": network.bench_network,
                "with-network": network.bench_with_network,
                "traffic": network.bench_traffic, "churn": network.bench_churn}
    parser = argparse.ArgumentParser()
    parser.add_argument("section", nargs="*", choices=[*sections, []])
    wanted = parser.parse_args().section or list(sections)
    os.makedirs(WORK, exist_ok=True)
    machine()
    for name in wanted:
        sections[name]()
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as e:
        sys.exit(f"bench: {' '.join(e.cmd)} failed: {e.stderr}")

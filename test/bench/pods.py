# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pods at work: ten apps, a hundred pods, log lines, the end."""
import os
import pathlib
import subprocess
import time

from common import PODMAN, WORK, clock, podman_image, ratio, rounds, run, spread, table
from images import aci

PODS = "/etc/rkt/pods"
APPS = 10
MANY = 100
LINES = 50000
# What starts a unit is systemd, at everybody's priority: podman gets the same.
ALIKE = ["setsid", "--wait"]
QUIET = "trap 'exit 0' TERM; sleep infinity & wait"
SPEAK = f"yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -n {LINES}; echo the-last-line; sleep infinity"


def image():
    """busybox as an ACI in the store and, if there is a podman, there. Returns whether there is."""
    root = aci.cached_root(aci.busybox_root, WORK)
    path = f"{WORK}/bench-pods.aci"
    if not os.path.exists(path):
        aci.pack(path, aci.manifest("example.com/bench-pods", app={"exec": ["/bin/sh", "-c", QUIET]}), root, "plain")
    run("rkt", "--insecure-options=image", "fetch", path)
    return podman_image("bench-pods", root)


def pod_file(name, apps, keys=""):
    """A pod of apps of that image, without a network."""
    os.makedirs(PODS, exist_ok=True)
    text = "[Pod]\nNetwork=none\nInsecureOptions=image\nPull=never\n"
    text += "".join(f"[App {app}]\nImage=example.com/bench-pods:1.0.0\n{keys}" for app in apps)
    pathlib.Path(PODS, f"{name}.pod").write_text(text)
    return f"pod@{name}.service"


def timed(began, ended):
    """A candidate: how long "began" takes; "ended" is not measured."""
    def candidate():
        start = clock()
        began()
        took = clock() - start
        ended()
        return took
    return candidate


def compare(title, text, found, ours):
    """A section with a table."""
    print(f"## {title}\n\n{text}\n")
    table(["command", "wall ms", "rkt / this"],
          [[name, spread(values), "" if name == ours else ratio(found[ours], values)] for name, values in found.items()])


def bench_ten():
    """Ten apps against ten containers of one pod."""
    there = image()
    unit = pod_file("bench-ten", [f"app{i}" for i in range(APPS)])
    run("systemctl", "daemon-reload")
    ours = "rkt: systemctl start pod@"
    candidates = {ours: timed(lambda: run("systemctl", "start", unit), lambda: run("systemctl", "stop", unit))}
    if there:
        run(*PODMAN, "pod", "rm", "-f", "bench-ten", check=False)
        run(*PODMAN, "pod", "create", "--network=none", "--name=bench-ten")
        for _ in range(APPS):
            run(*PODMAN, "create", "--pod=bench-ten", "--pids-limit=0", "bench-pods", "/bin/sh", "-c", QUIET)
        candidates["podman pod start"] = timed(lambda: run(*ALIKE, *PODMAN, "pod", "start", "bench-ten"),
                                               lambda: run(*PODMAN, "pod", "stop", "-t", "5", "bench-ten"))
    found = rounds(candidates, 9)
    if there:
        run(*PODMAN, "pod", "rm", "-f", "bench-ten")
    compare("Ten apps", f"{APPS} apps (`sh` that waits) in one pod, no network, all made before; 9 rounds.", found, ours)


def at_once():
    """How many pods: a pod's systemd and journald take three inotify instances of root's, and the machine's limit is not ours to raise."""
    limit = int(pathlib.Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    return min(MANY, (limit - 16) // 12 * 4)


def bench_hundred():
    """Many pods at once."""
    there = image()
    many = at_once()
    units = [pod_file(f"bench-h{i}", ["main"]) for i in range(many)]
    run("systemctl", "daemon-reload")
    rows = []
    for count in (many // 4, many // 2, many):
        start = clock()
        failed = run("systemctl", "start", *units[:count], check=False).returncode != 0
        took = clock() - start
        active = run("systemctl", "is-active", *units[:count], check=False).stdout.split().count("active")
        run("systemctl", "stop", *units[:count])
        rows.append([f"rkt: systemctl start of {count}", f"{took:.0f}", f"{took / count:.1f}", f"{active}{' FAILED' if failed else ''}"])
    for unit in units:
        pathlib.Path(PODS, f"{unit[4:-8]}.pod").unlink()
    run("systemctl", "daemon-reload")
    if there:
        command = " ".join(PODMAN) + " run -d --network=none --pids-limit=0 --name=bench-h{} bench-pods /bin/sleep infinity"
        start = clock()
        run(*ALIKE, "sh", "-c", f"seq {many} | xargs -P 4 -I '{{}}' {command}", check=False)
        took = clock() - start
        active = len(run(*PODMAN, "ps", "-q", "--filter=name=bench-h").stdout.split())
        run("sh", "-c", f"{' '.join(PODMAN)} ps -aq --filter=name=bench-h | xargs {' '.join(PODMAN)} rm -f -t 0", check=False)
        rows.append([f"podman run -d of {many}, four at once", f"{took:.0f}", f"{took / many:.1f}", str(active)])
    print(f"## Many pods at once\n\n{MANY} wanted, {many} tried (fs.inotify.max_user_instances of this machine; sysctl.d/10-rkt.conf "
          "raises it). One app each, no network; until the command comes back.\n")
    table(["command", "wall ms", "ms each", "running"], rows)


def until_last(*journal):
    """Wait until the journal has the last line."""
    with subprocess.Popen(["journalctl", "-f", "-o", "cat", "--no-tail", *journal], stdout=subprocess.PIPE,
                          text=True) as follower:
        count = 0
        for line in follower.stdout:
            count += line.startswith("0123456789")
            if line.startswith("the-last-line"):
                break
        follower.kill()
    return count


def bench_logs():
    """From the start of the app to its last line in journalctl."""
    there = image()
    limits = pathlib.Path("/run/systemd/journald.conf.d/bench.conf")
    limits.parent.mkdir(parents=True, exist_ok=True)
    limits.write_text("[Journal]\nRateLimitIntervalSec=0\nRateLimitBurst=0\n")
    run("systemctl", "restart", "systemd-journald")
    unit = pod_file("bench-logs", ["main"], f'Entrypoint=/bin/sh\nArgs=-c "{SPEAK}"\nLogRateLimitIntervalSec=0\n')
    run("systemctl", "daemon-reload")
    lines = {}

    def rkt():
        run("systemctl", "start", unit)
        lines.setdefault("rkt", []).append(until_last("-M", "bench-logs", "_SYSTEMD_UNIT=main.service"))

    def podman():
        run(*ALIKE, *PODMAN, "run", "-d", "--network=none", "--pids-limit=0", "--log-driver=journald", "--name=bench-logs",
            "bench-pods", "/bin/sh", "-c", SPEAK)
        name = run(*PODMAN, "inspect", "--format={{.Id}}", "bench-logs").stdout.strip()
        lines.setdefault("podman", []).append(until_last(f"CONTAINER_ID_FULL={name}"))

    candidates = {"rkt: pod@, journalctl -M": timed(rkt, lambda: (run("systemctl", "stop", unit), time.sleep(1)))}
    if there:
        candidates["podman run -d --log-driver=journald, journalctl"] = timed(
            podman, lambda: run(*PODMAN, "rm", "-f", "-t", "0", "bench-logs"))
    found = rounds(candidates, 5)
    compare("Log lines", f"{LINES} lines of 70 bytes, written at once; from the start to the last one in `journalctl -f`; 5 rounds; "
            f"lines that came: {', '.join(f'{name} {min(n)}' for name, n in lines.items())}.", found, "rkt: pod@, journalctl -M")
    limits.unlink()
    run("systemctl", "restart", "systemd-journald")


def bench_stop():
    """An idle pod ends."""
    there = image()
    unit = pod_file("bench-stop", ["main"])
    run("systemctl", "daemon-reload")

    def stopped(start, stop, ended):
        def candidate():
            start()
            time.sleep(0.5)
            began = clock()
            stop()
            took = clock() - began
            ended()
            return took
        return candidate

    ours = "rkt: systemctl stop pod@"
    candidates = {ours: stopped(lambda: run("systemctl", "start", unit), lambda: run("systemctl", "stop", unit), lambda: None)}
    if there:
        candidates["podman stop"] = stopped(
            lambda: run(*PODMAN, "run", "-d", "--network=none", "--pids-limit=0", "--name=bench-stop", "bench-pods", "/bin/sh", "-c", QUIET),
            lambda: run(*ALIKE, *PODMAN, "stop", "bench-stop"), lambda: run(*PODMAN, "rm", "-f", "bench-stop"))
    compare("Stop", "One app that ends when it is asked to; 15 rounds.", rounds(candidates, 15), ours)

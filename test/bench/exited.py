# SPDX-License-Identifier: LGPL-2.1-or-later
"""A thousand pods that have ended: what the everyday commands cost then (rkt#3960: minutes)."""
import os
import pathlib
import shutil
import uuid

from common import WORK, clock, run, spread, table
from images import aci

PODS = 1000
TOP = pathlib.Path("/var/lib/rkt/pods")


def one_exited():
    """Runs a pod to its end; its directory."""
    path = f"{WORK}/bench-exited.aci"
    if not os.path.exists(path):
        root = aci.cached_root(aci.busybox_root, WORK)
        aci.pack(path, aci.manifest("example.com/bench-exited", app={"exec": ["/bin/true"]}), root, "plain")
    run("rkt", "--insecure-options=image", "run", "--net=none", f"--uuid-file-save={WORK}/exited", path)
    return TOP / "run" / pathlib.Path(f"{WORK}/exited").read_text()


def fill(pod, count):
    """Copies of a pod, each with a UUID of its own."""
    made = [str(uuid.uuid4()) for _ in range(count)]
    for name in made:
        run("cp", "-a", pod, TOP / "run" / name)
    os.sync()
    return made


def measured(*command, count=1):
    """Milliseconds of a command, as often as asked for."""
    found = []
    for _ in range(count):
        began = clock()
        run(*command)
        found.append(clock() - began)
    return found


def bench_exited():
    """list, status, rm of one, gc of all."""
    pod = one_exited()
    made = fill(pod, PODS - 1)
    rows = [[f"`rkt {' '.join(words)}`", spread(measured("rkt", *words, count=11), 0), limit]
            for words, limit in ((["list"], 200), (["list", "--format=json"], "-"), (["status", made[0]], "-"))]
    removed = [measured("rkt", "rm", name)[0] for name in made[:11]]
    rows.append(["`rkt rm` of one", spread(removed, 0), 50])
    rows.append(["`rkt gc --mark-only`", spread(measured("rkt", "gc", "--mark-only"), 0), "-"])
    rows.append(["`rkt gc --grace-period=0s`", spread(measured("rkt", "gc", "--grace-period=0s"), 0), 10000])
    shutil.rmtree(pod, ignore_errors=True)
    print(f"## Pods that have ended\n\n{PODS} of them; milliseconds.\n")
    table(["command", "wall ms", "wanted"], rows)

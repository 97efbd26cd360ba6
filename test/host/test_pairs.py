# SPDX-License-Identifier: LGPL-2.1-or-later
"""Any two commands at once on one pod or one image: one wins, the other waits or says so; what is left, gc takes."""
import concurrent.futures
import itertools
import json
import os
import random
import subprocess
import time

SEED = int(os.environ.get("RKT_TEST_SEED", "1"))
AT_ONCE = 3  # pairs; a pod needs three of the 128 inotify instances of its machine
ENDS = {0, 254}
KILLED = ENDS | {255, 137, 1, 15, 143}  # of who runs a pod that is killed

# what is done; {p}: the pod, {i}: the image, {f}: its file, {o}: a file of the pair's own
ON_POD = {
    "run-prepared": ["run-prepared", "--net=none", "{p}"],
    "start": ["start", "{p}"],
    "rm": ["rm", "{p}"],
    "stop": ["stop", "--force", "{p}"],
    "gc": ["gc", "--grace-period=0s"],
    "status": ["status", "--wait-ready=10ms", "{p}"],
    "list": ["list", "--format=json"],
    "export": ["export", "--overwrite", "{p}", "{o}.aci"],
    "cat-manifest": ["cat-manifest", "{p}"],
    "enter": ["enter", "{p}", "/bin/true"],
    "logs": ["logs", "{p}"],
}
ON_IMAGE = {
    "fetch": ["--insecure-options=image", "fetch", "{f}"],
    "image rm": ["image", "rm", "{i}"],
    "image gc": ["image", "gc", "--grace-period=0s"],
    "image list": ["image", "list", "--format=json"],
    "image export": ["image", "export", "--overwrite", "{i}", "{o}.aci"],
    "image verify": ["image", "verify", "{i}"],
    "prepare": ["--insecure-options=image", "prepare", "--quiet", "{f}", "--exec=/bin/true"],
    "run": ["--insecure-options=image", "run", "--net=none", "--rm", "{f}", "--exec=/bin/true"],
}
LOOK = {"status", "list", "cat-manifest", "enter", "logs", "image list", "image verify"}


def pairs(commands):
    """All of two commands, one of which changes something, in a random order that is the same in each run."""
    every = [(a, b) for a, b in itertools.combinations_with_replacement(sorted(commands), 2) if not {a, b} <= LOOK]
    random.Random(SEED).shuffle(every)
    return every


def finish(name, process, other):
    """A sentence for what is wrong with the end of a command; None if it is as it should be."""
    out, err = process.communicate(timeout=120)
    good = KILLED if name in ("run-prepared", "start") and other in ("stop", "gc", "rm") else ENDS
    if name == "enter":
        good = ENDS | {255, 137, 1}  # the pod may end below it
    bad = process.returncode not in good or "anitizer" in err or "runtime error" in err or "ssertion" in err
    if process.returncode == 254 and not err.strip():
        bad = True
    if name in ("list", "image list"):
        json.loads(out or "[]")
    return f"{name} (with {other}): {process.returncode}: {err[-400:]}" if bad else None


def together(a, b, commands, words, later):
    """Both at once, the second a moment later, to their ends; returns what was wrong."""
    started = []
    for name in (a, b):
        started.append(subprocess.Popen(["rkt", *(w.format(**words) for w in commands[name])], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True))
        time.sleep(later if name is a else 0)
    return [bad for bad in (finish(a, started[0], b), finish(b, started[1], a)) if bad]


def soup(commands, make, tmp):
    """All pairs, a few at a time; returns what was wrong."""
    def one(n, a, b):
        return together(a, b, commands, {"o": str(tmp / str(n)), **make(a, b)}, n % 4 * 0.1)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        jobs = [threads.submit(one, n, a, b) for n, (a, b) in enumerate(pairs(commands))]
        return [bad for job in jobs for bad in job.result()]


def all_is_well(host, pods):
    """No half state, and gc takes the rest."""
    host.wait_for("no pod runs", lambda: all(p["state"] != "running" for p in pods.ours()), timeout=60)
    assert {p["state"] for p in pods.ours()} <= {"prepared", "exited", "exited garbage"}, pods.ours()
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")
    assert not pods.ours()
    states = host.pod_states()
    assert not any(states.get(d) for d in ("embryo", "prepare", "garbage")), states


def test_pairs_on_a_pod(host, pods, images, tmp_path):
    """Whatever two commands do with one pod, prepared or exited."""
    def make(a, b):
        uuid = host.rkt("--insecure-options=image", "prepare", "--quiet", images.busybox, "--exec=/bin/true").out.strip()
        if {a, b} & {"start", "export"} and "run-prepared" not in (a, b):
            host.rkt("run-prepared", "--net=none", uuid, check=False)
        return {"p": uuid}

    assert not soup(ON_POD, make, tmp_path)
    all_is_well(host, pods)


def test_pairs_on_an_image(host, pods, images, tmp_path):
    """Whatever two commands do with one image: nothing of it is ever half there."""
    key = host.rkt("--insecure-options=image", "fetch", "--full", images.busybox).out.strip()
    assert not soup(ON_IMAGE, lambda a, b: {"i": key, "f": images.busybox}, tmp_path)
    all_is_well(host, pods)
    assert host.rkt("--insecure-options=image", "fetch", "--full", images.busybox).out.strip() == key
    host.rkt("image", "verify", key)
    host.rkt("--insecure-options=image", "run", "--net=none", "--rm", key, "--exec=/bin/true")

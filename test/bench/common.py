# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the sections of the benchmark share."""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from images import aci  # noqa: E402  pylint: disable=wrong-import-position

WORK = "/var/tmp/rkt-bench"
PODMAN = ["podman", "--root", "/var/lib/rkt/t-podman", "--runroot", "/run/rkt-bench-podman"]


def run(*command, check=True, **kwargs):
    """A command, its output kept."""
    return subprocess.run([str(c) for c in command], check=check, capture_output=True, text=True, **kwargs)


def clock():
    """Now, in milliseconds."""
    return time.clock_gettime(time.CLOCK_MONOTONIC) * 1e3


def table(header, rows):
    """A Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "|".join(["---"] + ["---:"] * (len(header) - 1)) + "|")
    for row in rows:
        print("| " + " | ".join(str(c) for c in row) + " |")
    print()


def rounds(candidates, count, warmups=1):
    """Run each candidate once per round, the order turning; candidates: {name: function() -> number}.
    Returns {name: [number per round]}."""
    found = {name: [] for name in candidates}
    names = list(candidates)
    for number in range(warmups + count):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            value = candidates[name]()
            if number >= warmups:
                found[name].append(value)
    return found


def ratio(ours, theirs):
    """The median of the paired ratios, with its quartiles."""
    ratios = sorted(o / t for o, t in zip(ours, theirs))
    quarter = len(ratios) // 4
    return f"{statistics.median(ratios):.2f} ({ratios[quarter]:.2f}-{ratios[-1 - quarter]:.2f})"


def spread(values, digits=1):
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def timed():
    """The program of timed.c, compiled once."""
    program = f"{WORK}/timed"
    if not os.path.exists(program):
        run("cc", "-O2", "-static", "-o", program, pathlib.Path(__file__).resolve().parent / "timed.c")
    return program


def podman_image(name, root):
    """Import a root into podman's storage; False: there is no podman that runs."""
    if shutil.which("podman") is None:
        return False
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run([*PODMAN, "import", "-q", "-", name], stdin=tar.stdout, check=True, capture_output=True)
    return True


def large_root(root):
    """A root of about 200 MB: Debian with what people put into images."""
    aci.debian_root(root, ["nginx", "redis-server", "python3", "perl", "git", "gnupg", "openssl"])
    missing = 200 * 10**6 - int(run("du", "-sb", root).stdout.split()[0])
    os.makedirs(f"{root}/srv/data", exist_ok=True)
    for i in range(max(0, missing // 20000)):
        with open(f"{root}/srv/data/{i}", "wb") as f:
            f.write(os.urandom(20000))
    return root

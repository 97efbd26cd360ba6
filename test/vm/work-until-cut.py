#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fetches images, starts, restarts and collects pods until somebody cuts the power."""
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, "/src/test")
from images import aci  # noqa: E402

cache = "/var/tmp/rkt-test"
pathlib.Path(cache).mkdir(parents=True, exist_ok=True)


def rkt(*args):
    """Run rkt, whatever comes of it."""
    return subprocess.run(["rkt", "--insecure-options=image", *args], check=False, capture_output=True, text=True)


# Something that is complete before the cut: it must be there afterwards.
first = aci.build("example.com/busybox", cache)
done = rkt("fetch", "--full", first)
pathlib.Path("/var/tmp/complete").write_text(done.stdout.strip())
pod = pathlib.Path("/etc/rkt/pods/cut.pod")
pod.write_text(f"[Pod]\nNetwork=none\nInsecureOptions=image\n[App main]\nImage={first}\n"
               "Exec=/bin/sh -c \"echo on >>/data/log; exec sleep 1000\"\nVolume=data:/data\n[Volume data]\nPersistent=yes\n"
               "[Install]\nWantedBy=multi-user.target\n")
subprocess.run(["systemctl", "daemon-reload"], check=True)
subprocess.run(["systemctl", "start", "pod@cut"], check=True)
subprocess.run(["sync"], check=True)
files = [aci.build(f"example.com/busybox", cache, version=f"2.0.{i}") for i in range(3)]
subprocess.run(["sync"], check=True)


def fetches():
    """Fetch and remove, for ever."""
    while True:
        for f in files:
            got = rkt("fetch", f).stdout.split()
            if got:
                rkt("image", "rm", got[-1])


def restarts():
    """Restart and collect, for ever."""
    while True:
        subprocess.run(["systemctl", "restart", "pod@cut"], check=False, capture_output=True)
        rkt("gc", "--grace-period=0s")


threads = [threading.Thread(target=t, daemon=True) for t in (fetches, restarts)]
for t in threads:
    t.start()
threading.Event().wait(4)
print("rkt-vm: cut me", flush=True)
threading.Event().wait(120)

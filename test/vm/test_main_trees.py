# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees under the kernels of the releases: Debian 12's 6.1 mounts through loop devices, Debian 13's 6.12 an index from
files."""
import os
import pathlib

import pytest

from tree_mount import forms_of_kernel, loops, tree_form


def test_pod_runs_from_the_best_tree(host, pods, images):
    """The probe's choice is what a pod is mounted from, in its own namespace; loop devices go away with it."""
    key = host.rkt("fetch", "--full", "--insecure-options=image", images.busybox).out.split()[-1][:71]
    assert tree_form(key) in forms_of_kernel()
    name = pods.shell("tree", images.busybox, "echo it reads; echo it writes >/etc/motd; rm /bin/vi; exec sleep 1000")
    pods.start(name, timeout=300)
    host.wait_for("the app", lambda: "it reads" in host.journal("-M", name, "-t", "main"))
    main_pid = host.show(f"pod@{name}", "MainPID")
    lines = [li for li in pathlib.Path("/proc", main_pid, "mountinfo").read_text().splitlines() if " - erofs " in li]
    from_files = tuple(int(n) for n in os.uname().release.split(".")[:2]) >= (6, 12)
    assert len(lines) == 1 and ("/dev/loop" in lines[0]) != from_files
    assert len(loops()) == (0 if from_files else 2 if tree_form(key) == "index" else 1)
    assert " - erofs " not in pathlib.Path("/proc/self/mountinfo").read_text()
    pods.stop(name)
    host.wait_for("loop devices to go", lambda: not loops())


@pytest.mark.parametrize("form", ["index", "image", "dir"])
def test_every_form_runs(host, pods, images, no_images, form):  # pylint: disable=unused-argument
    """A tree that was made under another kernel is mounted if this one can, and else made anew."""
    key = host.rkt("fetch", "--full", "--insecure-options=image", images.busybox,
                   env={"RKT_TREE_BACKEND": form}).out.split()[-1][:71]
    assert tree_form(key) == form
    name = pods.shell("other", images.busybox, "echo it runs; exec sleep 1000")
    pods.start(name, timeout=300)
    host.wait_for("the app", lambda: "it runs" in host.journal("-M", name, "-t", "main"))
    assert tree_form(key) in (form, *forms_of_kernel())

# SPDX-License-Identifier: LGPL-2.1-or-later
"""After the power cut: old state or new state, never half; the next commands clean up and work."""
import pathlib
import subprocess

import pytest

from tree_mount import forms_of_kernel, mounted, tree_form

pytestmark = pytest.mark.leaves("the pod of the power cut runs through all of these")

DATA = pathlib.Path("/var/lib/rkt")


def test_pod_is_back_by_itself(host):
    """[Install] WantedBy= brought the pod back at boot, whatever was half done when the power went."""
    host.wait_for("pod@cut to run", lambda: host.is_active("pod@cut.service"), timeout=180)
    assert "cut" in [m["machine"] for m in host.machines()]


def test_volume_kept_what_was_written(host):
    """The persistent volume is there with the first line, which was synced, and the one of this boot.

    Of what the app appended later and never synced, ext4 may keep the length and not the bytes: these are zeros."""
    text = (DATA / "volumes/cut/data/log").read_bytes()
    assert text.startswith(b"on\n") and text.endswith(b"on\n") and len(text) >= len(b"on\non\n")
    assert set(text.replace(b"\0\0\0", b"on\n").decode().split()) == {"on"}


def test_complete_image_is_complete(host):
    """The image that was fetched before the cut is listed and its bytes still have their digest."""
    image = pathlib.Path("/var/tmp/complete").read_text().strip()
    assert image.startswith("sha512-")
    assert image in host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out
    key = next((DATA / "cas/blob").rglob(image[:71]))
    digest = subprocess.run(["sha512sum", key], check=True, capture_output=True, text=True).stdout
    assert digest.startswith(image[len("sha512-"):][:64])


def test_complete_image_can_be_mounted(host):
    """Its tree is whole, in the form that this kernel mounts."""
    key = pathlib.Path("/var/tmp/complete").read_text().strip()[:71]
    assert tree_form(key) in (*forms_of_kernel(), "dir")  # the last test before the cut had it made in every form, "dir" last
    with mounted(key) as tree:
        assert (tree / "usr/bin/busybox").read_bytes() == pathlib.Path("/usr/bin/busybox").read_bytes()
    assert key in host.rkt("image", "list", "--no-legend", "--fields=id", "--full").out


def test_gc_takes_the_rest(host):
    """After gc and a fetch nothing half-made is left in the store and among the pods."""
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")
    image = next(pathlib.Path("/var/tmp/rkt-test").rglob("*.aci"))
    host.rkt("--insecure-options=image", "fetch", image)
    assert list((DATA / "cas/tmp").iterdir()) == []
    for state in ("embryo", "prepare", "garbage"):
        assert list((DATA / "pods" / state).iterdir()) == []
    host.run("systemctl", "stop", "pod@cut")
    pathlib.Path("/etc/rkt/pods/cut.pod").unlink()
    host.run("systemctl", "daemon-reload")

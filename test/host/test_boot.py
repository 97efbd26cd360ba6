# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens at boot, as far as it can be seen without one: [Install], enable, mask, the path unit, the generator
in systemd's own environment. The demo reboots for real."""
import json
import os
import pathlib
import shutil

import pytest

from conftest import POD_DIR


@pytest.fixture
def wanted(pods, images):
    """A pod with [Install]."""
    return pods.shell("boot", images.busybox, "exec sleep infinity", rest="[Install]\nWantedBy=multi-user.target\n")


def test_install_wants(host, wanted):
    """[Install] makes the want that a boot follows; the start of the target starts the pod."""
    assert f"pod@{wanted}.service" in host.show("multi-user.target", "Wants").split()
    host.run("systemctl", "start", "multi-user.target")
    host.wait_for("it runs", lambda: host.is_active(f"pod@{wanted}"), 60)


def test_no_install_no_want(host, pods, images):
    """Without [Install] a pod is there, and starts only when asked."""
    name = pods.shell("quiet", images.busybox, "exec sleep infinity")
    assert f"pod@{name}.service" not in host.run("systemctl", "list-dependencies", "--plain", "--all", "default.target").out
    assert host.show(f"pod@{name}", "LoadState") == "loaded"


def test_mask(host, wanted):
    """A masked pod does not start, neither by hand nor at boot; unmasking brings it back."""
    host.run("systemctl", "mask", f"pod@{wanted}")
    try:
        assert "masked" in host.run("systemctl", "start", f"pod@{wanted}", check=False).err
        host.run("systemctl", "start", "multi-user.target")
        assert not host.is_active(f"pod@{wanted}")
    finally:
        host.run("systemctl", "unmask", f"pod@{wanted}")
    host.run("systemctl", "start", f"pod@{wanted}")


def test_enable_and_disable(host, pods, images):
    """systemctl enable works on a pod's unit, as it does for any other; the preset disables."""
    name = pods.shell("enable", images.busybox, "exec sleep infinity")
    host.run("systemctl", "enable", f"pod@{name}")
    assert host.run("systemctl", "is-enabled", f"pod@{name}").out.strip() == "enabled"
    host.run("systemctl", "disable", f"pod@{name}")
    assert host.run("systemctl", "is-enabled", f"pod@{name}", check=False).out.strip() != "enabled"


def test_edit_and_revert(host, pods, images):
    """A drop-in of the administrator's wins over the pod file's [Service]; revert takes it away."""
    name = pods.shell("edit", images.busybox, "exec sleep infinity", rest="[Service]\nTimeoutStopSec=77\n")
    assert host.show(f"pod@{name}", "TimeoutStopUSec") == "1min 17s"
    host.run("systemctl", "set-property", f"pod@{name}", "TasksMax=1234")
    drop_in = pathlib.Path(f"/etc/systemd/system/pod@{name}.service.d")
    drop_in.mkdir(parents=True, exist_ok=True)
    (drop_in / "60-mine.conf").write_text("[Service]\nTimeoutStopSec=33\n")
    host.run("systemctl", "daemon-reload")
    assert host.show(f"pod@{name}", "TimeoutStopUSec") == "33s"
    host.run("systemctl", "revert", f"pod@{name}.service")
    host.run("systemctl", "daemon-reload")
    assert host.show(f"pod@{name}", "TimeoutStopUSec") == "1min 17s"


def test_dropped_file_is_enough(host, pods, images, watched):  # pylint: disable=unused-argument
    """rkt-pods.path: no daemon-reload by hand is needed, neither to add nor to change nor to remove a pod."""
    assert host.is_active("rkt-pods.path")
    name = pods.shell("drop", images.busybox, "exec sleep infinity")
    text = pathlib.Path(POD_DIR, f"{name}.pod").read_text()
    pods.write(name, text + "[Service]\nTimeoutStopSec=71\n", reload=False)
    host.wait_for("changed", lambda: host.show(f"pod@{name}", "TimeoutStopUSec") == "1min 11s")
    other = pods.write("drop2", text, reload=False)
    host.wait_for("added", lambda: host.show(f"pod@{other}", "SourcePath") != "")
    os.unlink(f"{POD_DIR}/{other}.pod")
    host.wait_for("removed", lambda: host.show(f"pod@{other}", "SourcePath") == "")


def test_dropped_drop_in_is_enough(host, pods, images, watched):  # pylint: disable=unused-argument
    """rkt-pods.path sees NAME.pod.d and what is in it: made, changed, removed."""
    name = pods.shell("dropin", images.busybox, "exec sleep infinity")
    folder = pathlib.Path(POD_DIR, f"{name}.pod.d")
    folder.mkdir()
    try:
        for seconds in (61, 62):
            (folder / "x.conf").write_text(f"[Service]\nTimeoutStopSec={seconds}\n")
            host.wait_for("seen", lambda: host.show(f"pod@{name}", "TimeoutStopUSec") == f"1min {seconds - 60}s")
        (folder / "x.conf").unlink()
        host.wait_for("removed", lambda: host.show(f"pod@{name}", "TimeoutStopUSec") != "1min 2s")
    finally:
        shutil.rmtree(folder)


def test_edited_file_asks_for_reload(host, pods, images):
    """An edited pod file brings systemd's own hint, because SourcePath= is set."""
    name = pods.shell("hint", images.busybox, "exec sleep infinity")
    pods.start(name)
    path = pathlib.Path(POD_DIR, f"{name}.pod")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 10))
    assert host.show(f"pod@{name}", "NeedDaemonReload") == "yes"


def test_order_of_pods(host, pods, images):
    """After=db.pod means pod@db.service."""
    first = pods.shell("first", images.busybox, "exec sleep infinity")
    second = pods.shell("second", images.busybox, "exec sleep infinity",
                        rest=f"[Unit]\nAfter={first}.pod\nRequires={first}.pod\n")
    assert f"pod@{first}.service" in host.show(f"pod@{second}", "After").split()
    pods.start(second)
    assert host.is_active(f"pod@{first}")


def test_units_verify(host, pods, images):
    """systemd-analyze verify has nothing to say about a pod's unit."""
    name = pods.shell("verify", images.busybox, "exec sleep infinity", rest="[Install]\nWantedBy=multi-user.target\n")
    done = host.run("systemd-analyze", "verify", "--man=no", f"pod@{name}.service", check=False)
    assert (done.rc, done.all) == (0, "")


def test_pod_list(host, wanted):
    """rkt pod list knows the file, its state, and whether boot starts it."""
    line = next(li for li in host.rkt("pod", "list").out.splitlines() if wanted in li)
    assert f"{wanted}.pod" in line
    assert any(wanted in json.dumps(p) for p in json.loads(host.rkt("pod", "list", "--format=json").out))

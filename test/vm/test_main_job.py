# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job, short, on Debian's own kernel: a name becomes a running machine and leaves nothing behind."""


def test_start_look_stop(host, pods, images):
    """Start to ready, machinectl, both journals, exit status, nothing left (checked by the fixture)."""
    name = pods.shell("job", images.busybox, "echo hello from the app; sleep 1000")
    pods.start(name, timeout=300)
    assert name in [m["machine"] for m in host.machines()]
    host.wait_for("the pod's journal", lambda: "hello from the app" in host.journal("-M", name, "-t", "main"))
    host.wait_for("the unit's journal", lambda: "hello from the app" in host.journal("-u", f"pod@{name}"))
    assert pods.shell_in(f"main@{name}", "/bin/echo", "inside").strip().endswith("inside")
    pods.stop(name)
    assert host.show(f"pod@{name}.service", "Result") == "success"

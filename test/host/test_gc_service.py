# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt-gc.service, in the sandbox that its unit gives it."""
import pathlib

DROPIN = pathlib.Path("/run/systemd/system/rkt-gc.service.d/test.conf")


def test_service_takes_all_of_an_exited_pod(host, pods, images):
    """GC: the pod's directory goes, and its journal with it; what runs is left alone."""
    gone = pods.shell("gcgone", images.busybox, "echo text; sleep 1000")
    kept = pods.shell("gckept", images.busybox, "sleep 1000")
    pods.start(gone)
    pods.start(kept)
    uuid, running = pods.uuid(gone), pods.uuid(kept)
    journal = pathlib.Path("/var/log/journal", uuid.replace("-", ""))
    host.wait_for("the pod's journal", journal.is_dir)
    pods.stop(gone)
    DROPIN.parent.mkdir(parents=True)
    DROPIN.write_text("[Service]\nExecStart=\nExecStart=/usr/bin/rkt gc --grace-period=0s\n")
    try:
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "start", "rkt-gc.service")
    finally:
        DROPIN.unlink()
        DROPIN.parent.rmdir()
        host.run("systemctl", "daemon-reload")
    everything = sum(host.pod_states().values(), [])
    assert uuid not in everything and running in everything
    assert not journal.exists()
    assert host.is_active(f"pod@{kept}.service")

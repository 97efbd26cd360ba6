# SPDX-License-Identifier: LGPL-2.1-or-later
"""Group rkt-admin starts, stops and enters pods through polkit, and nothing else; others do not."""
import pytest


@pytest.fixture(scope="module")
def people(host):
    """ann is in rkt-admin, bob is in no group of ours."""
    host.run("useradd", "--create-home", "--groups", "rkt-admin", "t-ann")
    host.run("useradd", "--create-home", "t-bob")
    yield "t-ann", "t-bob"
    for user in ("t-ann", "t-bob"):
        host.run("userdel", "--remove", user, check=False)


def as_user(host, user, *command):
    """Run a command as a user, without anybody who could be asked for a password."""
    return host.run("runuser", "-u", user, "--", *command, check=False)


def test_admin_starts_and_stops_a_pod(host, pods, images, people):
    """systemctl start and stop of pod@NAME by a member of rkt-admin."""
    ann, _ = people
    name = pods.shell("polkit", images.busybox, "sleep 1000")
    started = as_user(host, ann, "systemctl", "--no-ask-password", "start", f"pod@{name}")
    assert started.rc == 0, started
    assert host.is_active(f"pod@{name}.service")
    stopped = as_user(host, ann, "systemctl", "--no-ask-password", "stop", f"pod@{name}")
    assert stopped.rc == 0, stopped
    assert not host.is_active(f"pod@{name}.service")


def test_admin_enters_a_pod(host, pods, images, people):
    """machinectl shell APP@POD by a member of rkt-admin; by others not."""
    ann, bob = people
    name = pods.shell("polkitsh", images.busybox, "sleep 1000")
    pods.start(name)
    line = f"machinectl --no-ask-password --quiet shell main@{name} /bin/echo entered"
    entered = as_user(host, ann, "script", "--quiet", "--return", "--command", line, "/dev/null")
    assert "entered" in entered.out, entered
    refused = as_user(host, bob, "script", "--quiet", "--return", "--command", line, "/dev/null")
    assert "entered" not in refused.out and refused.rc != 0, refused


def test_admin_enters_a_pod_without_a_file(host, pods, images, people, tmp_path):  # pylint: disable=unused-argument
    """The same for a pod of rkt run, by its machine's name."""
    ann, bob = people
    file = tmp_path / "uuid"
    process = host.spawn("rkt", "--insecure-options=image", "run", "--net=host", f"--uuid-file-save={file}", images.busybox,
                         "--exec=/bin/sleep", "--", "1000")
    try:
        host.wait_for("the UUID", lambda: file.exists() and file.read_text(), timeout=60)
        host.rkt("status", "--wait-ready=60s", file.read_text())
        line = f"machinectl --no-ask-password --quiet shell busybox@rkt-{file.read_text()} /bin/echo entered"
        assert "entered" in as_user(host, ann, "script", "--quiet", "--return", "--command", line, "/dev/null").out
        assert "entered" not in as_user(host, bob, "script", "--quiet", "--return", "--command", line, "/dev/null").out
    finally:
        process.terminate()
        process.wait(timeout=120)


def test_nothing_else_is_given(host, pods, images, people):
    """Another unit, enabling, and anybody else: refused."""
    ann, bob = people
    name = pods.shell("polkitno", images.busybox, "sleep 1000")
    for user, command in ((ann, ("start", "systemd-tmpfiles-clean.service")), (ann, ("stop", "dbus.socket")),
                          (ann, ("enable", f"pod@{name}")), (bob, ("start", f"pod@{name}"))):
        refused = as_user(host, user, "systemctl", "--no-ask-password", *command)
        assert refused.rc != 0, (user, command, refused)
    assert not host.is_active(f"pod@{name}.service")

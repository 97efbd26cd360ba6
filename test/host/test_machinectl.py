# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd's own tools on a pod: machinectl, systemctl -M, systemd-run -M."""
import pytest

from conftest import ISOLATED, app_section


@pytest.fixture
def pair(pods, images):
    """A running pod of two apps, the second with a user, a directory and a variable of its own."""
    name = pods.write("pair", ISOLATED + app_section("a", images.busybox, "exec sleep infinity") +
                      app_section("b", images.busybox, "exec sleep infinity",
                                  "User=user1\nGroup=group1\nWorkingDirectory=/usr\nEnvironment=\"WORD=two words\"\n"
                                  "CapabilityBoundingSet=CAP_CHOWN\nNoNewPrivileges=yes"))
    pods.start(name)
    return name


def test_list_and_status(host, pair):
    """machinectl list, status and show know the pod, its unit and its leader."""
    assert [(m["machine"], m["class"], m["service"]) for m in host.machines()] == [(pair, "container", "systemd-nspawn")]
    shown = host.run("machinectl", "show", pair).out.splitlines()
    assert f"Unit=pod@{pair}.service" in shown and "State=running" in shown
    assert f"Unit: pod@{pair}.service" in host.run("machinectl", "--no-pager", "status", pair).out


def test_units(host, pair):
    """systemctl -M lists the apps, and no unit failed."""
    shown = host.run("systemctl", "-M", pair, "--no-pager", "--no-legend", "list-units", "*.service").out
    assert {"a.service", "b.service"} <= {line.split()[0] for line in shown.splitlines()}
    assert host.run("systemctl", "-M", pair, "--failed", "--no-legend").out == ""
    assert host.run("systemctl", "-M", pair, "is-system-running", check=False).out.strip() in ("running", "starting")


def test_shell_is_inside_the_app(pods, pair):
    """APP@POD is the app's root, user, group, directory and environment."""
    assert pods.shell_in(f"a@{pair}", "/bin/id", "-u").strip() == "0"
    assert pods.shell_in(f"b@{pair}", "/bin/id").strip().startswith("uid=1000(user1) gid=100")
    assert pods.shell_in(f"b@{pair}", "/bin/pwd").strip() == "/usr"
    assert "WORD=two words" in pods.shell_in(f"b@{pair}", "/bin/env").splitlines()
    assert pods.shell_in(f"a@{pair}", "/bin/readlink", "/bin/sh").strip() == "busybox"


def test_shell_has_the_apps_limits(pods, pair):
    """CVE-2019-10144, -10145, -10147: whoever enters has the app's capabilities, no_new_privs and seccomp."""
    status = "/proc/self/status"
    fields = dict(li.split(":\t", 1) for li in pods.shell_in(f"b@{pair}", "/bin/cat", status).splitlines() if ":\t" in li)
    app_pid = pods.host.show("b.service", "MainPID", machine=pair)
    leader = pods.host.run("machinectl", "show", pair, "--property=Leader", "--value").out.strip()
    app = pods.host.run("nsenter", "-t", leader, "-p", "-m", "cat", f"/proc/{app_pid}/status").out
    of_app = dict(li.split(":\t", 1) for li in app.splitlines() if ":\t" in li)
    assert int(fields["CapBnd"], 16) == 1
    for field in ("CapBnd", "CapEff", "CapInh", "CapPrm", "CapAmb", "NoNewPrivs", "Seccomp"):
        assert fields[field] == of_app[field], field


def test_shell_without_app_is_the_pod(pods, pair):
    """machinectl shell POD is the pod itself: its PID 1 is systemd."""
    assert pods.shell_in(pair, "/bin/cat", "/proc/1/comm").strip() == "systemd"


def test_shell_as_somebody_else(pods, pair):
    """A name that is no app's is refused."""
    out = pods.shell_in(f"nosuchapp@{pair}", "/bin/id", check=False)
    assert "uid=" not in out


def test_systemd_run(host, pair):
    """systemd-run -M runs a unit in the pod and brings its status back."""
    host.run("systemd-run", "-M", pair, "--quiet", "--wait", "/bin/sh", "-c", "exit 5", check=5)


@pytest.mark.parametrize("verb", ["poweroff", "terminate", "kill"])
def test_ended_by_machinectl(host, pods, pair, verb):
    """machinectl ends a pod; the unit knows, and nothing is left."""
    host.run("machinectl", verb, pair)
    ended = pods.ended(pair, 60)
    if verb == "poweroff":
        assert ended["Result"] == "success"
    pods.start(pair)
    assert host.is_active(f"pod@{pair}")


def test_reboot_is_a_restart_or_an_end(host, pods, pair):
    """A reboot asked from inside leaves a defined state: running again, or ended; never a pod without a machine."""
    host.run("machinectl", "reboot", pair)
    host.wait_for("settled", lambda: host.show(f"pod@{pair}", "ActiveState") in ("active", "inactive", "failed"), 60)
    if host.is_active(f"pod@{pair}"):
        host.wait_for("machine is there", lambda: any(m["machine"] == pair for m in host.machines()), 30)
    pods.stop(pair)
    pods.start(pair)
    assert host.is_active("a.service", machine=pair)

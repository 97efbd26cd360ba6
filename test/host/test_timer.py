# SPDX-License-Identifier: LGPL-2.1-or-later
"""[Timer] of a pod file: pod@NAME.timer starts the pod (pod-file.md, "[Timer]")."""
import json
import pathlib

from conftest import POD_DIR

TIMER = "[Timer]\nOnActiveSec={}\nAccuracySec=10ms\nOnCalendar={}\n"


def apply(host, name, *flags):
    """What rkt pod apply does with a pod: its action, or None."""
    done = json.loads(host.rkt("pod", "apply", *flags, "--format=json", name, timeout=240).out or "[]")
    return done[0]["action"] if done else None


def test_timer(host, pods, images, tmp_path):
    """A new timer is started by rkt pod apply, and starts the pod, which apply does not; systemctl and rkt pod show it. Other times
    need no restart, neither of the timer nor of the running pod; without the section there is no timer."""
    tmp_path.chmod(0o755)
    text = TIMER.format("1s", "*-02-29 03:04")
    name = pods.shell("timer", images.busybox, "echo ran >> /out/ran; exec sleep infinity", app=f"Volume={tmp_path}:/out\n", rest=text)
    timer, path = f"pod@{name}.timer", pathlib.Path(POD_DIR, f"{name}.pod")
    assert host.run("systemctl", "is-enabled", timer, f"pod@{name}.service", check=False).out.split() == ["enabled-runtime", "disabled"]
    assert host.show(timer, "ActiveState", "Unit") == {"ActiveState": "inactive", "Unit": f"pod@{name}.service"}
    assert apply(host, name, "--dry-run") == "start timer" and host.show(timer, "ActiveState") == "inactive"
    assert apply(host, name) == "timer started"
    host.wait_for("the timer starts the pod", lambda: (tmp_path / "ran").exists() and host.is_active(f"pod@{name}"), timeout=60)
    assert f"{timer} pod@{name}.service" in " ".join(host.run("systemctl", "list-timers", "--all", "--no-pager", timer).out.split())
    row = [r for r in json.loads(host.rkt("pod", "list", "--format=json").out) if r["name"] == name][0]
    assert (row["state"], row["enabled"], row["error"]) == ("active", "enabled-runtime", "-")
    assert apply(host, name) is None and host.rkt("pod", "diff", name).out == ""

    before = host.show(f"pod@{name}", "InvocationID")
    path.write_text(path.read_text().replace("03:04", "05:06"))
    assert apply(host, name) in ("none", None)
    assert "02-29 05:06:00" in host.show(timer, "TimersCalendar") and host.is_active(timer)

    path.write_text(path.read_text().replace(text.replace("03:04", "05:06"), ""))
    assert apply(host, name) == "timer stopped"
    assert host.show(timer, "ActiveState") == "inactive"
    assert timer not in host.run("systemctl", "list-timers", "--all", "--no-pager").out
    assert host.show(f"pod@{name}", "InvocationID") == before and (tmp_path / "ran").read_text() == "ran\n"

    path.write_text(path.read_text() + "[Timer]\nOnCalendar=*-02-29 07:08\n")
    assert apply(host, name) == "timer started"  # it has come back
    pods.stop(name)
    host.wait_for("it waits", lambda: "-02-29 07:08:00" in host.run("systemctl", "list-timers", "--no-pager", timer).out)
    host.run("systemctl", "stop", timer)
    assert apply(host, name) is None, "a timer that somebody stopped stays stopped"
    host.run("systemctl", "start", timer)
    path.unlink()
    assert apply(host, name, "--prune") == "timer stopped"

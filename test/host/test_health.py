# SPDX-License-Identifier: LGPL-2.1-or-later
"""Health checks inside the pod: HealthCmd= and its kin, Notify=healthy, what a Docker image brings along."""
import json
import time

from conftest import ISOLATED, app_section
from images import oci
from test_docker import BASE

SLEEP = "exec sleep infinity"


def health(host, name):
    """{app: state}, from rkt status."""
    lines = host.rkt("status", name).out.splitlines()
    return dict(line[len("health-"):].split("=") for line in lines if line.startswith("health-"))


def test_states_and_restart(host, pods, images, tmp_path):
    """An app becomes healthy, unhealthy after so many failures in a row, is restarted (its sandbox is the app's), and told of in rkt
    status and the journal; one without a check has nothing of all that."""
    tmp_path.chmod(0o777)
    (tmp_path / "ok").write_text("")
    check = "HealthInterval=100ms\nHealthRetries=2\n"
    name = pods.write("health", ISOLATED +
                      app_section("restarts", images.busybox, "echo start >> /out/log; " + SLEEP,
                                  f"Volume={tmp_path}:/out\n{check}HealthOnFailure=restart\nUser=1000\nGroup=1000\n"
                                  "HealthCmd=test -e /out/ok && id -u > /out/who && grep NoNewPrivs /proc/self/status >> /out/who") +
                      app_section("noted", images.busybox, SLEEP, check + 'HealthCmd=["echo", "said", "$HOME"]\nHealthTimeout=5') +
                      app_section("hangs", images.busybox, SLEEP, check + "HealthCmd=sleep 1000\nHealthTimeout=200ms\n") +
                      app_section("young", images.busybox, SLEEP, check + "HealthCmd=false\nHealthStartPeriod=1h\n") +
                      app_section("none", images.busybox, SLEEP, "HealthInterval=1s\n"))
    pods.start(name)
    host.wait_for("states", lambda: health(host, name) == {"restarts": "healthy", "noted": "healthy", "hangs": "unhealthy",
                                                           "young": "starting"})
    assert (tmp_path / "who").read_text() == "1000\nNoNewPrivs:\t1\n"
    apps = {a["name"]: a.get("health") for a in json.loads(host.rkt("status", "--format=json", name).out)["apps"]}
    assert apps["hangs"] == "unhealthy" and apps["none"] is None
    units = host.run("systemctl", "-M", name, "list-units", "--all", "--plain", "--no-legend").out
    assert "rkt-health@noted.timer" in units and "health@none" not in units
    assert (tmp_path / "log").read_text() == "start\n"
    (tmp_path / "ok").unlink()
    host.wait_for("a restart", lambda: (tmp_path / "log").read_text() == "start\nstart\n")
    (tmp_path / "ok").write_text("")
    host.wait_for("healthy again", lambda: health(host, name)["restarts"] == "healthy")
    text = host.run("journalctl", "-M", name, "--no-pager", "-o", "cat").out
    assert "app 'hangs' is unhealthy: 2 checks in a row have failed" in text and "app 'restarts' is unhealthy" in text
    assert "said $HOME" in text and "Starting hook-" not in text
    assert "said $HOME" in host.rkt("logs", "--app=noted", name).out
    assert "app 'hangs' is unhealthy" in host.rkt("logs", "--app=hangs", name).out
    before = time.monotonic()
    pods.stop(name)
    assert time.monotonic() - before < 80  # a check that hangs is not waited for


def test_notify_healthy(host, pods, images, tmp_path):
    """Notify=healthy: the app counts as started, for After= and for READY of the pod, with the first success; a check that never
    succeeds fails the start after TimeoutStartSec=. HealthOnFailure=stop ends the app."""
    tmp_path.chmod(0o777)
    out = f"Volume={tmp_path}:/out\n"
    name = pods.write("gate", ISOLATED +
                      app_section("db", images.busybox, "sleep 1; echo db >> /out/log; touch /out/up; " + SLEEP,
                                  out + "Notify=healthy\nHealthInterval=100ms\nHealthRetries=1\nHealthOnFailure=stop\nHealthCmd=test -e /out/up") +
                      app_section("web", images.busybox, "echo web >> /out/log; " + SLEEP, out + "After=db\n"))
    pods.start(name)
    host.wait_for("both", lambda: (tmp_path / "log").read_text() == "db\nweb\n")
    assert health(host, name) == {"db": "healthy"}
    (tmp_path / "up").unlink()
    host.wait_for("db is stopped", lambda: not host.is_active("db.service", machine=name))
    pods.stop(name)
    name = pods.shell("never", images.busybox, SLEEP, app="Notify=healthy\nHealthInterval=100ms\nHealthCmd=false\nTimeoutStartSec=2s\n")
    assert pods.start(name, check=False).rc != 0
    name = pods.shell("without", images.busybox, SLEEP, app="Notify=healthy\n")
    assert pods.start(name, check=False).rc != 0
    assert "Notify=healthy needs HealthCmd=" in host.status(f"pod@{name}")


def test_what_the_image_says(host, pods, tmp_path):
    """Without HealthCmd= it is the image's HEALTHCHECK that runs, with its numbers; keys of the pod file come before each of them, and
    none is none."""
    check = {"Test": ["CMD-SHELL", "echo asked by the image; test ! -e /tmp/sick"], "Interval": 100_000_000, "Retries": 2,
             "StartPeriod": 0, "Timeout": 60_000_000_000}
    oci.write_layout(tmp_path / "layout", oci.Image([BASE], app={"Cmd": ["/bin/sleep", "1000"], "Healthcheck": check}))
    image = f"oci:{tmp_path}/layout:latest"
    name = pods.write("image", ISOLATED + app_section("plain", image) + app_section("other", image, more="HealthCmd=false\n") +
                      app_section("more", image, more="HealthRetries=3\n") + app_section("none", image, more="HealthCmd=none\n"))
    pods.start(name)
    host.wait_for("states", lambda: health(host, name) == {"plain": "healthy", "other": "unhealthy", "more": "healthy"}, 60)
    host.wait_for("its words", lambda: "asked by the image" in host.rkt("logs", "--app=plain", name).out, 60)
    for app in ("plain", "more"):
        host.rkt("enter", f"--app={app}", name, "/bin/sh", "-c", "echo > /tmp/sick")
    host.wait_for("both are sick", lambda: set(health(host, name).values()) == {"unhealthy"}, 60)
    for app, n in (("plain", 2), ("more", 3)):
        said = f"app '{app}' is unhealthy: {n} checks in a row have failed"
        host.wait_for(said, lambda: said in host.rkt("logs", f"--app={app}", name).out, 60)  # pylint: disable=cell-var-from-loop

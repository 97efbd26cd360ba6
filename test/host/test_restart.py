# SPDX-License-Identifier: LGPL-2.1-or-later
"""Restart= of an app is the pod's systemd's business, Restart= of the pod is the host's."""
import json

from conftest import ISOLATED, app_section


def test_app_restarts_within_the_pod(host, pods, images):
    """Restart=always in [App]: the same pod, a new process. The limit is the app's own, by the name that systemd has for it
    in [Unit]."""
    name = pods.write("apprst", ISOLATED +
                      app_section("main", images.busybox, "echo run >> /v/runs; sleep 0.3; exit 1",
                                  "Restart=always\nRestartSec=100ms\nStartLimitIntervalSec=77s\nStartLimitBurst=99\nVolume=v:/v") +
                      app_section("other", images.busybox, "exec sleep infinity", "Volume=v:/v") + "[Volume v]\n")
    pods.start(name)
    uuid, other = pods.uuid(name), host.show("other.service", "MainPID", machine=name)
    host.wait_for("three runs", lambda: pods.shell_in(f"other@{name}", "/bin/cat", "/v/runs").count("run") >= 3, 30)
    assert int(host.show("main.service", "NRestarts", machine=name)) >= 2
    assert host.show("main.service", "StartLimitIntervalUSec", "StartLimitBurst", machine=name) == {
        "StartLimitIntervalUSec": "1min 17s", "StartLimitBurst": "99"}
    assert pods.uuid(name) == uuid and host.show("other.service", "MainPID", machine=name) == other
    assert host.is_active(f"pod@{name}")


def test_restarted_app_runs(host, pods, images):
    """Restart=: an app that was restarted is running for rkt status and rkt app status, not exited as its last process; one that
    has ended for good is exited, here by SIGRTMIN+3 (restarts by a health check are the same)."""
    name = pods.write("again", ISOLATED + "ExitPolicy=never\n" +
                      app_section("cpu", images.busybox, "test -e /v/once && exec sleep infinity; touch /v/once; exit 3",
                                  "Restart=on-failure\nVolume=v:/v") +
                      app_section("done", images.busybox, "kill -37 $$") + "[Volume v]\n")
    pods.start(name)
    host.wait_for("a restart", lambda: host.show("cpu.service", "NRestarts", "ActiveState", machine=name) ==
                  {"NRestarts": "1", "ActiveState": "active"})
    host.wait_for("the other's end", lambda: host.show("done.service", "ActiveState", machine=name) == "failed")
    cpu, done = sorted(json.loads(host.rkt("status", "--format=json", name).out)["apps"], key=lambda a: a["name"])
    assert cpu["state"] == "running" and "exit_code" not in cpu and "finished_at" not in cpu
    assert done["state"] == "exited" and done["exit_code"] == 128 + 37 and "finished_at" in done
    uuid = pods.uuid(name)
    pods.stop(name)
    assert pods.apps(uuid)["done"] == 128 + 37


def test_app_that_ends_well_is_not_restarted(host, pods, images):
    """Restart=on-failure: a clean end counts as done, and the pod of one app ends with it."""
    name = pods.shell("append", images.busybox, "sleep 0.5", app="Restart=on-failure")
    pods.start(name)
    assert pods.ended(name)["Result"] == "success"
    assert host.show(f"pod@{name}", "NRestarts") == "0"


def test_pod_restarts(host, pods, images):
    """Restart=on-failure in [Service]: a new pod after each failure."""
    name = pods.shell("podrst", images.busybox, "sleep 0.3; exit 4",
                      rest="[Service]\nRestart=on-failure\nRestartSec=100ms\n[Unit]\nStartLimitIntervalSec=0\n")
    pods.start(name)
    host.wait_for("two restarts", lambda: int(host.show(f"pod@{name}", "NRestarts")) >= 2, 60)
    pods.stop(name)
    assert len([p for p in pods.ours() if p["state"].startswith("exited")]) == 1


def test_killed_app_fails_the_pod(host, pods, images):
    """EXIT: an app killed by a signal is a failure of the pod, its status 128+N recorded or said."""
    name = pods.shell("killed", images.busybox, "sleep 0.5; kill -9 $$")
    pods.start(name)
    ended = pods.ended(name)
    assert ended["ActiveState"] == "failed"
    assert list(pods.apps(pods.ours()[-1]["name"])) == ["main"]
    assert host.status(f"pod@{name}")


def test_never_policy(host, pods, images):
    """ExitPolicy=never: the pod stays although its app failed."""
    name = pods.shell("never", images.busybox, "sleep 0.3; exit 3", pod="ExitPolicy=never\n")
    pods.start(name)
    host.wait_for("app has failed", lambda: host.show("main.service", "ActiveState", machine=name) == "failed")
    assert host.is_active(f"pod@{name}")


def test_any_policy(pods, images):
    """ExitPolicy=any: the first app that ends, even well, ends the pod."""
    name = pods.write("any", ISOLATED + "ExitPolicy=any\n" + app_section("a", images.busybox, "sleep 0.5") +
                      app_section("b", images.busybox, "trap 'exit 0' TERM; sleep 60 & wait $!"))
    pods.start(name)
    assert pods.ended(name)["Result"] == "success"

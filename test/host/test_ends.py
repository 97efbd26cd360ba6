# SPDX-License-Identifier: LGPL-2.1-or-later
"""How apps end, and what is kept of it: exit status or signal, why, and by whom; apps that are watched, and pods that may not take
for ever to stop."""
import json
import shutil
import time

import pytest

from conftest import ISOLATED, app_section

# Type=notify without a library: says READY=1, then "alive" every 200 ms until /tmp/stuck is there, if it is to look
WATCHED = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
static void say(const char *text) {
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        const char *path = getenv("NOTIFY_SOCKET");
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        if (!path) exit(10);
        strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
        if (sendto(fd, text, strlen(text), 0, (struct sockaddr *) &to, sizeof(to)) < 0) exit(11);
        close(fd);
}
int main(int argc, char **argv) {
        if (!getenv("WATCHDOG_USEC")) return 12;
        say("STATUS=getting ready");
        usleep(500000);
        say("READY=1\nSTATUS=serving");
        for (;;) {
                if (argc < 2 || access(argv[1], F_OK) < 0) say("WATCHDOG=1");
                usleep(200000);
        }
}
"""


@pytest.fixture(name="watched", scope="module")
def fixture_watched(host, tmp_path_factory):
    """A directory with the program of WATCHED."""
    top = tmp_path_factory.mktemp("watched")
    top.chmod(0o755)
    (top / "a.c").write_text(WATCHED)
    host.run("gcc", "-O2", "-static", "-o", top / "watched", top / "a.c")
    return top


def ends(host, uuid):
    """{app: (exit_code, exit_result, exit_signal)} of rkt status --format=json."""
    apps = json.loads(host.rkt("status", "--format=json", uuid).out)["apps"]
    return {a["name"]: (a["exit_code"], a.get("exit_result"), a.get("exit_signal")) for a in apps if "exit_code" in a}


def test_signal_or_status(host, pods, images):
    """EXIT: 137 of a signal is not 137 of exit(); an image that claims an end in its environment is not believed; an app that is deaf
    to its stop signal was killed for the time it took, and one that hears it has ended well."""
    lies = "Environment=EXIT_STATUS=0 EXIT_CODE=exited SERVICE_RESULT=success\n"
    name = pods.write("ends", ISOLATED + "ExitPolicy=never\n" +
                      app_section("code", images.busybox, "exit 137") +
                      app_section("deaf", images.busybox, "trap '' TERM; while :; do sleep 0.1; done", "TimeoutStopSec=1s\n") +
                      app_section("liar", images.busybox, "exit 7", lies) +
                      app_section("liar9", images.busybox, "kill -9 $$", lies) +
                      app_section("sig", images.busybox, "kill -9 $$") +
                      app_section("term", images.busybox, "exec sleep 1000"))
    pods.start(name)
    uuid = pods.uuid(name)
    host.wait_for("four ends", lambda: len(ends(host, uuid)) == 4, 60)
    pods.stop(name)
    assert ends(host, uuid) == {
        "code": (137, "exit-code", None), "deaf": (137, "timeout", "SIGKILL"), "liar": (7, "exit-code", None),
        "liar9": (137, "signal", "SIGKILL"), "sig": (137, "signal", "SIGKILL"), "term": (0, "success", "SIGTERM")}
    lines = host.rkt("status", uuid).out.splitlines()
    assert [li for li in lines if li.startswith(("app-", "signal-", "result-"))] == [
        "app-code=137", "app-deaf=137", "signal-deaf=SIGKILL", "result-deaf=timeout", "app-liar=7", "app-liar9=137",
        "signal-liar9=SIGKILL", "result-liar9=signal", "app-sig=137", "signal-sig=SIGKILL", "result-sig=signal", "app-term=0"]


def test_watchdog(host, pods, images, watched, tmp_path):
    """Type=notify with WatchdogSec=: the pod is ready when the app says so; one that is stuck is ended by the watchdog and started
    again by Restart=, another goes on; what they say of themselves is their unit's status."""
    tmp_path.chmod(0o755)
    volumes = f"Volume={watched}:/bin-of-host:ro\nVolume={tmp_path}:/flags:ro\nType=notify\nWatchdogSec=10s\n"
    name = pods.write("watch", ISOLATED + "ExitPolicy=never\n" +
                      app_section("good", images.busybox, "exec /bin-of-host/watched", volumes) +
                      app_section("stuck", images.busybox, "exec /bin-of-host/watched /flags/stuck",
                                  volumes.replace("WatchdogSec=10s", "WatchdogSec=2s\nRestart=on-watchdog")))
    began = time.monotonic()
    pods.start(name)
    assert time.monotonic() - began >= 0.5
    uuid = pods.uuid(name)
    assert host.show("good.service", "StatusText", machine=name) == "serving"
    good = host.show("good.service", "MainPID", machine=name)
    (tmp_path / "stuck").touch()
    host.wait_for("a restart", lambda: int(host.show("stuck.service", "NRestarts", machine=name)) >= 1, 60)
    host.run("systemctl", "-M", name, "stop", "stuck.service")
    assert "stuck.service: Watchdog timeout" in host.journal("-M", name, "-u", "stuck")
    assert host.show("good.service", "MainPID", "NRestarts", machine=name) == {"MainPID": good, "NRestarts": "0"}
    assert host.show(f"pod@{name}", "StatusText")
    assert uuid == pods.uuid(name)


def test_watchdog_is_the_reason(host, pods, images, watched):
    """The end of an app that its watchdog ended says so, and is the pod's."""
    name = pods.write("watch1", ISOLATED + app_section("main", images.busybox, "exec /bin-of-host/watched /bin/sh",
                                                       f"Volume={watched}:/bin-of-host:ro\nType=notify\nWatchdogSec=1s\n"))
    began = int(time.time())
    pods.start(name)
    assert pods.ended(name, 60)["ExecMainStatus"] == "134"
    assert ends(host, pods.ours()[-1]["name"]) == {"main": (134, "watchdog", "SIGABRT")}
    # not by the unit: journald does not always know whose the last words of a short-lived process are
    host.wait_for("the reason", lambda: "app 'main' failed (watchdog)" in host.journal(since=began))


def test_limit_of_the_pod(host, pods, images):
    """TimeoutStopSec= of [Service] bounds the stop of the pod as a whole, whatever its apps are given, one after the other."""
    deaf = "trap '' TERM; while :; do sleep 0.1; done"
    name = pods.write("limit", ISOLATED + app_section("a", images.busybox, deaf, "TimeoutStopSec=80s\n") +
                      app_section("b", images.busybox, deaf, "TimeoutStopSec=80s\nAfter=a\n") + "[Service]\nTimeoutStopSec=2s\n")
    pods.start(name)
    began = time.monotonic()
    pods.stop(name)
    assert time.monotonic() - began < 60
    assert host.show(f"pod@{name}", "ActiveState", "Result") == {"ActiveState": "failed", "Result": "timeout"}
    assert not [m for m in host.machines() if m["machine"] == name]


def test_stop_goes_backwards(host, pods, images, tmp_path):
    """Apps stop in the reverse order of their start, each when the one that needs it is down; last words are not lost."""
    tmp_path.chmod(0o777)
    say = "trap 'sleep 0.3; echo %s >> /out/log; echo last-%s; exit 0' TERM; echo up; sleep 1000 & wait"
    volume = f"Volume={tmp_path}:/out\n"
    name = pods.write("order", ISOLATED + app_section("c", images.busybox, say % ("c", "c"), volume + "After=b\nRequires=b\n") +
                      app_section("a", images.busybox, say % ("a", "a"), volume) +
                      app_section("b", images.busybox, say % ("b", "b"), volume + "After=a\nRequires=a\n"))
    pods.start(name)
    uuid = pods.uuid(name)
    host.wait_for("all", lambda: host.rkt("logs", "-o", "cat", uuid).out.splitlines().count("up") == 3, 60)
    pods.stop(name)
    assert (tmp_path / "log").read_text() == "c\nb\na\n"
    said = host.rkt("logs", "-o", "cat", uuid).out.splitlines()
    assert [li for li in said if li.startswith("last-")] == ["last-c", "last-b", "last-a"]
    assert ends(host, uuid) == {app: (0, "success", None) for app in "abc"}


def test_systemd_that_dies_at_birth(host, pods, images, tmp_path):
    """A pod whose own systemd finds no target: its last words are in the unit's journal, with a sentence that says what they mean;
    rkt run says it, too."""
    nspawn, real, fake = "/usr/bin/systemd-nspawn", tmp_path / "real", tmp_path / "systemd-nspawn"
    shutil.copy(nspawn, real)
    fake.write_text("#!/bin/bash\nfor a; do case $a in --directory=*) rm ${a#*=}/etc/systemd/system/default.target;; esac; done\n"
                    f"exec -a {nspawn} {real} \"$@\"\n")
    fake.chmod(0o755)
    name = pods.shell("birth", images.busybox, "exec sleep 1000")
    host.run("mount", "--bind", fake, nspawn)
    try:
        pods.start(name, check=1)
        run = host.rkt("--insecure-options=image", "run", "--net=none", images.busybox, "--exec=/bin/true", check=255)
    finally:
        host.run("umount", nspawn)
    assert "the pod ended before it was ready: its systemd is gone (exit status 255); with --detach" in run.err
    host.run("journalctl", "--sync")
    said = host.journal("-u", f"pod@{name}", "-o", "cat")
    assert "default.target" in said and "ended before it was ready: its systemd is gone (exit status 255)" in said

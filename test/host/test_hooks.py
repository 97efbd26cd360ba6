# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs in an app beside its main program: the image's event handlers, ExecStartPre= and the like."""
import pathlib
import time

import pytest

from conftest import DATA, ISOLATED, app_section

SAY = "echo %s >> /out/log"
WHO = "grep -E '^(CapBnd|NoNewPrivs|Seccomp:)' /proc/self/status; id -u; pwd; echo $MINE; ls -d /opt/stage2 2>&1; true"


def sh(script):
    """An event handler."""
    return ["/bin/sh", "-c", script]


@pytest.fixture
def handlers(images):
    """An image with both event handlers."""
    return images.make(app={"exec": sh(SAY % "main" + "; exec sleep infinity"), "eventHandlers": [
        {"name": "pre-start", "exec": sh(SAY % "pre-start '$x \"q\"'")}, {"name": "post-stop", "exec": sh(SAY % "post-stop")}]})


@pytest.fixture
def log(tmp_path):
    """Lines that hooks wrote."""
    tmp_path.chmod(0o777)
    return lambda: (tmp_path / "log").read_text().splitlines() if (tmp_path / "log").exists() else []


def test_event_handlers(host, pods, handlers, tmp_path, log):
    """appc 5.3, ACE: pre-start is over before the app begins, post-stop comes after its end."""
    name = pods.write("hooks", f"[Pod]\nNetwork=none\nInsecureOptions=image\n[App main]\nImage={handlers}\nVolume={tmp_path}:/out\n")
    pods.start(name)
    host.wait_for("main", lambda: log() == ["pre-start $x \"q\"", "main"])
    pods.stop(name)
    assert log()[2:] == ["post-stop"]


def test_of_the_pod_file(host, pods, handlers, tmp_path, log):
    """ExecStartPre= and ExecStopPost= replace the handlers; they, ExecStop= and ExecReload= run in the app, as confined."""
    (tmp_path / "who").write_text(WHO)
    script = "trap 'echo reloaded >> /out/log' HUP; echo main >> /out/log; sh /out/who > /out/main; while :; do sleep 0.1; done"
    name = pods.write("hooks", f"""[Pod]
Network=none
InsecureOptions=image
[App main]
Image={handlers}
Entrypoint=/bin/sh -c "{script}"
User=1000
Group=1000
Environment=MINE=yes
WorkingDirectory=/tmp
Volume={tmp_path}:/out
ExecStartPre=-/bin/false
ExecStartPre=/bin/sh -c "echo pre >> /out/log; sh /out/who > /out/start-pre"
ExecStartPost=/bin/sh -c "sh /out/who > /out/start-post"
ExecReload=/bin/kill -HUP $MAINPID
ExecStop=/bin/sh -c "echo stop >> /out/log; sh /out/who > /out/stop"
ExecStopPost=/bin/sh -c "echo post $SERVICE_RESULT >> /out/log; sh /out/who > /out/stop-post"
""")
    pods.start(name)
    host.wait_for("main", lambda: log() == ["pre", "main"])
    host.run("systemctl", "-M", name, "reload", "main.service")
    host.wait_for("the reload", lambda: "reloaded" in log())
    pods.stop(name)
    assert log()[3:] == ["stop", "post success"]
    main = (tmp_path / "main").read_text()
    assert "1000\n/tmp\nyes\n" in main and "No such file" in main
    for kind in ("start-pre", "start-post", "stop", "stop-post"):
        assert (tmp_path / kind).read_text() == main, kind


def test_failure_ends_the_start(host, pods, handlers, tmp_path, log):
    """A failed ExecStartPre= fails the app, and with it the start of the pod; what it said is in the log."""
    name = pods.write("hooks", f"[Pod]\nNetwork=none\nInsecureOptions=image\n[App main]\nImage={handlers}\nVolume={tmp_path}:/out\n"
                      "ExecStartPre=/bin/sh -c \"echo of-the-hook; exit 3\"\n")
    assert pods.start(name, check=False).rc != 0
    assert "main" not in log()
    assert "of-the-hook" in host.status(f"pod@{name}")


HANG = "trap '' TERM; echo hangs >> /out/log; while :; do sleep 0.1; done"


def test_hang_before_the_start(host, pods, images, tmp_path, log):
    """An event handler, and ExecStartPre=, that never end and are deaf: the start fails when the app's time is over, and the app did
    not run; its end is kept as what it was."""
    handler = images.make("example.com/hangs", app={"exec": sh(SAY % "main"), "eventHandlers": [{"name": "pre-start", "exec": sh(HANG)}]})
    limits = f"TimeoutStartSec=1s\nTimeoutStopSec=1s\nVolume={tmp_path}:/out\n"
    for name, image, more in (("hang1", handler, ""), ("hang2", images.busybox, f'ExecStartPre=/bin/sh -c "{HANG}"\n')):
        name = pods.write(name, ISOLATED + app_section("main", image, SAY % "main", limits + more))
        began = time.monotonic()
        assert pods.start(name, check=False).rc != 0
        assert time.monotonic() - began < 60
        assert log() == ["hangs"]
        (tmp_path / "log").unlink()
        lines = host.rkt("status", pods.ours()[-1]["name"]).out.splitlines()
        assert {"app-main=255", "result-main=timeout"} <= set(lines)


def test_hang_after_the_end(host, pods, images, tmp_path, log):
    """ExecStop= and ExecStopPost= that never end and are deaf: the pod is down when their time is over, and how the app ended is kept."""
    name = pods.write("hang", ISOLATED + app_section("main", images.busybox, "trap 'exit 3' TERM; sleep 1000 & wait",
                                                     f"TimeoutStopSec=1s\nVolume={tmp_path}:/out\nExecStop=/bin/sh -c \"{HANG}\"\n"
                                                     f"ExecStopPost=/bin/sh -c \"{HANG}\"\n"))
    pods.start(name)
    uuid = pods.uuid(name)
    began = time.monotonic()
    pods.stop(name)
    assert time.monotonic() - began < 60
    assert log() == ["hangs", "hangs"]
    assert "app-main=3" in host.rkt("status", uuid).out.splitlines()


def test_kernel_settings(host, pods, images, tmp_path, log):
    """Sysctl=: of the pod's own network and of its own queues and shared memory, before the app; not of the machine."""
    ours = [pathlib.Path("/proc/sys/kernel/shmmax"), pathlib.Path("/proc/sys/fs/mqueue/queues_max")]
    before = [p.read_text() for p in ours]
    name = pods.shell("sysctl", images.busybox, f"cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start {ours[0]} {ours[1]} "
                      "kernel/sem >> /out/log; exec sleep infinity",
                      app="Sysctl=net.ipv4.ip_unprivileged_port_start=7 kernel.shmmax=77777 fs/mqueue/queues_max=9\n"
                          f"Sysctl=\"kernel.sem=11 12000 13 14\"\nVolume={tmp_path}:/out\n")
    pods.start(name)
    host.wait_for("the values", lambda: [line.split() for line in log()] == [["7"], ["77777"], ["9"], ["11", "12000", "13", "14"]])
    assert [p.read_text() for p in ours] == before
    pods.stop(name)
    name = pods.shell("sysctl", images.busybox, "exec sleep infinity", app="Sysctl=kernel.panic=1\n")
    assert pods.start(name, check=False).rc != 0
    assert "app 'main': kernel setting 'kernel.panic' is the machine's" in host.status(f"pod@{name}")


EVIL = """
#include <fcntl.h>
unsigned la_version(unsigned version) { return version; }
__attribute__((constructor)) static void start(void) { (void) !open("/rkt/status/evil", O_WRONLY | O_CREAT, 0644); }
"""


def test_environment_of_the_image(host, pods, images, tmp_path, log):
    """What an image tells the dynamic linker and libc is for its app, and not for what has the pod's powers: before the start, after
    the end, and when the end is recorded. /run is the app's in what systemd starts outside of the app's root."""
    (tmp_path / "evil.c").write_text(EVIL)
    host.run("gcc", "-shared", "-fPIC", "-o", str(tmp_path / "evil.so"), str(tmp_path / "evil.c"))
    environment = {"LD_PRELOAD": "/run/out/evil.so", "LD_AUDIT": "/run/out/evil.so", "LD_LIBRARY_PATH": "/run/out",
                   "GLIBC_TUNABLES": "glibc.malloc.check=3:glibc.malloc.mxfast=nonsense:" + "x" * 4096,
                   "JOURNAL_STREAM": "x" * 4096}
    say = "echo %s $LD_PRELOAD $LD_LIBRARY_PATH $EXIT_STATUS >> /run/out/log"
    image = images.make(app={
        "exec": sh(say % "main" + "; exit 7"), "environment": [{"name": k, "value": v} for k, v in environment.items()],
        "eventHandlers": [{"name": "pre-start", "exec": sh(say % "pre-start")}, {"name": "post-stop", "exec": sh(say % "post-stop")}]})
    name = pods.write("hooks", f"[Pod]\nNetwork=none\nInsecureOptions=image\n[App main]\nImage={image}\nVolume={tmp_path}:/run/out\n")
    pods.start(name, check=False)
    assert pods.ended(name)["ExecMainStatus"] == "7"
    assert log() == [f"{word} /run/out/evil.so /run/out{status}"
                     for word, status in (("pre-start", ""), ("main", ""), ("post-stop", " 7"))]
    status = pathlib.Path(DATA, "pods/exited-garbage", pods.ours()[-1]["name"], "stage1/rootfs/rkt/status")
    assert sorted(p.name for p in status.iterdir()) == ["main", "main.end"], "the image's object was loaded outside of its app"

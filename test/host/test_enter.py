# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt enter: a program in an app of a running pod, with the app's sandbox, the caller's streams, and an end."""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest

from conftest import ISOLATED, app_section

USER = "User=user1\nGroup=group1\nWorkingDirectory=/usr\nEnvironment=\"WORD=two words\"\n"


@pytest.fixture
def pair(pods, images):
    """A running pod of two apps, the second with a user, a directory and a variable of its own."""
    name = pods.write("enter", ISOLATED + app_section("a", images.busybox, "exec sleep infinity") +
                      app_section("b", images.busybox, "exec sleep infinity", USER))
    pods.start(name)
    return name


def entered(host, name):
    """The units of those who have entered."""
    shown = host.run("systemctl", "-M", name, "--no-legend", "--plain", "list-units", "enter-*").out
    return [line.split()[0] for line in shown.splitlines()]


def test_what_it_says(host, pods, pair, images):
    """rkt.md 1.7: which app, which pod, and how an unprivileged user, an unknown app or program is told (ROOT-01, ERR)."""
    done = host.rkt("enter", pair, check=254)
    assert "pod contains multiple apps:" in done.err and "\ta" in done.err and "--app=" in done.err
    assert 'pod has no app "c"' in host.rkt("enter", "--app=c", pair, "id", check=254).err
    assert "no matches found" in host.rkt("enter", "no-such-pod", check=254).err
    assert "no program 'nosuch' in the image's PATH" in host.rkt("enter", "--app=a", pair, "nosuch", check=127).err
    assert "203/EXEC" in host.rkt("enter", "--app=a", pair, "/etc/passwd", check=127).err
    done = host.run("setpriv", "--reuid=nobody", "--clear-groups", "rkt", "enter", check=254)
    assert "enter: cannot run as unprivileged user" in done.err
    name = pods.shell("enter2", images.busybox, "true", pod="ExitPolicy=all\n")
    pods.start(name, check=False)
    pods.ended(name)
    assert "isn't currently running" in host.rkt("enter", pods.ours()[-1]["name"], "id", check=254).err


def test_user_environment_and_words(host, pods, pair):
    """The app's user, directory and variables (#433, #2569, #3393); the caller's TERM (ENV-05, -06); words arrive as they are."""
    out = host.rkt("enter", "--app=b", pair, "/bin/sh", "-c", "id -u; id -g; pwd; echo $WORD $TERM $USER $AC_APP_NAME",
                   env={"TERM": "dumb"}).out
    assert out == "1000\n100\n/usr\ntwo words dumb user1 b\n"
    odd = ["$HOME", "${HOME}", "%n %%", "$$", "a\nb", "", "'\"\\ ", "ü", ";", "--help"]
    out = host.rkt("enter", "--app=b", pods.uuid(pair)[:8], "--", "printf", "<%s>", *odd).out
    assert out == "".join(f"<{w}>" for w in odd)
    assert host.rkt("enter", "--app=a", pair, stdin="echo $0 $#\nexit 7\n", check=7).out == "/bin/sh 0\n"


def test_streams_and_status(host, pair):
    """Without a terminal the three streams are three pipes, which the app may open again; status and signals come back."""
    def enter(script, app="b", **kwargs):
        return host.rkt("enter", f"--app={app}", pair, "/bin/sh", "-c", script, **kwargs)

    done = enter("echo out; echo err >&2; echo again > /dev/stdout; exit 42", check=42)
    assert (done.out, done.err) == ("out\nagain\n", "err\n")
    text = "".join(f"{n}\n" for n in range(200000))
    assert enter("cat; echo end >&2", stdin=text).out == text
    assert enter("kill -USR1 $$", check=128 + signal.SIGUSR1).out == ""
    done = host.sh(f"rkt enter --app=a {pair} /bin/sh -c 'yes || echo $? >&2' | head -1")
    assert done.out == "y\n"
    # all at once, each with its own
    many = [host.spawn("rkt", "enter", "--app=a", pair, "/bin/sh", "-c", f"echo {n}; exit {n}", stdin=subprocess.DEVNULL) for n in range(8)]
    assert [(p.communicate(timeout=120)[0], p.returncode) for p in many] == [(f"{n}\n", n) for n in range(8)]
    host.wait_for("all gone", lambda: not entered(host, pair))


def test_signals_and_the_end(host, pair):
    """What rkt enter is told goes to the program; what becomes of rkt enter, and of the pod, becomes of the program (PID-02)."""
    script = "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    p = host.spawn("rkt", "enter", "--app=b", pair, "/bin/sh", "-c", script, stdin=subprocess.DEVNULL)
    assert p.stdout.readline() == "ready\n"
    p.send_signal(signal.SIGTERM)
    assert p.communicate(timeout=120) == ("got\n", "") and p.returncode == 9
    for how in (signal.SIGKILL, signal.SIGHUP):
        p = host.spawn("rkt", "enter", "--app=b", pair, "/bin/sh", "-c", "echo ready; exec sleep 1000", stdin=subprocess.DEVNULL)
        assert p.stdout.readline() == "ready\n"
        assert len(entered(host, pair)) == 2
        p.send_signal(how)
        p.wait(timeout=120)
        host.wait_for("the program has ended", lambda: not entered(host, pair))
    assert host.run("systemctl", "-M", pair, "--failed", "--no-legend").out == ""
    p = host.spawn("rkt", "enter", "--app=b", pair, "/bin/sh", "-c", "echo ready; exec sleep 1000", stdin=subprocess.DEVNULL)
    assert p.stdout.readline() == "ready\n"
    host.run("machinectl", "kill", "--kill-whom=leader", "--signal=KILL", pair)
    p.communicate(timeout=120)
    assert p.returncode == 128 + signal.SIGKILL


def test_while_the_pod_begins(host, images):
    """PID-01: who comes before the pod's PID 1 is there waits for it."""
    uuid = host.rkt("prepare", "--quiet", "--insecure-options=image", images.busybox, "--exec=/bin/sleep", "--", "1000").out.strip()
    run = host.spawn("rkt", "run-prepared", uuid, stdin=subprocess.DEVNULL)
    host.wait_for("runs", lambda: "state=running" in host.rkt("status", uuid, check=False).out, interval=0.005)
    assert host.rkt("enter", uuid, "echo", "here").out == "here\n"
    host.rkt("stop", "--force", uuid)
    run.communicate(timeout=120)
    host.rkt("rm", uuid)


class Terminal:
    """rkt enter on a terminal of ours."""

    def __init__(self, *words):
        self.master, slave = pty.openpty()
        subprocess.run(["stty", "rows", "33", "cols", "99"], stdin=slave, check=True)
        self.before = subprocess.run(["stty", "-a"], stdin=slave, check=True, capture_output=True).stdout
        self.slave = slave
        self.process = subprocess.Popen([str(w) for w in words], stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "dumb"},
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY))
        self.seen = ""

    def type(self, text):
        """Type."""
        os.write(self.master, text.encode())

    def expect(self, pattern, timeout=120):
        """Until this is to be seen."""
        end = time.monotonic() + timeout
        while not re.search(pattern, self.seen):
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                pytest.fail(f"no {pattern!r} in {self.seen!r}")
            self.seen += os.read(self.master, 4096).decode(errors="replace")
        self.seen = re.split(pattern, self.seen, maxsplit=1)[-1]

    def end(self):
        """Its exit status; the terminal is as it was."""
        status = self.process.wait(timeout=120)
        assert subprocess.run(["stty", "-a"], stdin=self.slave, check=True, capture_output=True).stdout == self.before
        os.close(self.slave)
        os.close(self.master)
        return status


def test_terminal(host, pods, images):
    """INT: a shell on a terminal of the pod: job control, size and its changes, ^C for the program, status; ours is restored."""
    name = pods.shell("tty", images.busybox, "exec sleep infinity", app=USER)
    pods.start(name)
    t = Terminal("rkt", "enter", name)
    t.expect(r'no command specified, assuming "/bin/bash"')
    t.type("stty size; tty; test -t 2 && echo $TERM $WORD; stty -echo; echo go\n")
    t.expect(r"33 99\r\n/dev/pts/\d+\r\ndumb two words\r\n(.*\n)*.*go\r\n")
    subprocess.run(["stty", "rows", "20", "cols", "40"], stdin=t.slave, check=True)
    host.wait_for("the size", lambda: (t.type("stty size\n"), t.expect(r"\d\d \d\d\r\n"), True)[2])
    t.type("sleep 1000\n")
    host.wait_for("sleeps", lambda: host.run("pgrep", "-fx", "sleep 1000", check=False).rc == 0)
    t.type("\x03")
    t.type("echo $((40+2)); ps -o tty 2>/dev/null | tail -1\n")
    t.expect("42")
    t.type("stty size\n")
    t.expect("20 40")
    subprocess.run(["stty", "rows", "33", "cols", "99"], stdin=t.slave, check=True)
    t.type("exit 5\n")
    assert t.end() == 5
    for how in (signal.SIGTERM, signal.SIGKILL):
        t = Terminal("rkt", "enter", name, "/bin/sh", "-c", "echo rea''dy; exec sleep 1000")
        t.expect("ready")
        t.process.send_signal(how)
        t.process.wait(timeout=120)
        host.wait_for("the program has ended", lambda: not entered(host, name))
        os.close(t.slave)
        os.close(t.master)

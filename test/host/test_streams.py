# SPDX-License-Identifier: LGPL-2.1-or-later
"""Standard input, output and error of apps: opened by name, in both journals, attached to."""
import fcntl
import json
import os
import pathlib
import pty
import select
import struct
import subprocess
import termios
import time

import pytest

from conftest import ISOLATED, app_section
from execution import PAGER, Execution

BY_NAME = ("echo named-out >/dev/stdout; echo named-err >/dev/stderr; echo named-one >/proc/self/fd/1; "
           "echo named-two >>/dev/fd/2; ln -s /dev/stdout /tmp/access.log; echo named-link >>/tmp/access.log; "
           "echo '<3>plain-bad'; exec sleep infinity")
NAMED = ["named-out", "named-err", "named-one", "named-two", "named-link", "plain-bad"]
DOCKER = "Annotation=appc.io/docker/repository=library/nginx\n"


def entries(host, *query):
    """Entries of a journal."""
    host.run("journalctl", "--sync")
    out = host.run("journalctl", "-q", "--all", "-o", "json", *query, check=False).out
    return [json.loads(line) for line in out.splitlines()]


def directory(uuid):
    """Where the journal of a pod is kept on the host."""
    return f"/var/log/journal/{uuid.replace('-', '')}"


@pytest.mark.parametrize("log", ["both", "journal", "host"])
def test_streams_have_names(host, pods, images, log):
    """rkt#2300: an app without privileges opens /dev/stdout, /dev/stderr and /proc/self/fd/1 as programs in Docker's images do;
    what it writes is under its unit, with its priority."""
    name = pods.shell(f"named-{log}", images.busybox, BY_NAME, pod=f"Log={log}\n", app=f"User=1000\nGroup=1000\n{DOCKER}")
    began = time.time()
    pods.start(name)
    queries = {"both": [["-M", name, "-u", "main"], ["-u", f"pod@{name}", "-t", "main"]],
               "journal": [["-M", name, "-u", "main"]], "host": [["-u", f"pod@{name}", "-t", "main"]]}[log]
    for query in queries:
        query += ["--since", f"@{began}", "_UID=1000"] if query[0] == "-M" else ["--since", f"@{began}"]
        host.wait_for(f"{query} has it", lambda query=query: set(NAMED) <= set(host.journal(*query).splitlines()))  # of two streams
        found = [e for e in entries(host, *query) if e["MESSAGE"] in NAMED]
        assert sorted(e["MESSAGE"] for e in found) == sorted(NAMED)
        assert {e["_COMM"] for e in found} <= {"sh", "exe", "sleep"}, found  # busybox starts sleep as /proc/self/exe
        assert {e["MESSAGE"]: e["PRIORITY"] for e in found}["plain-bad"] == "3"
        assert {e["PRIORITY"] for e in found if e["MESSAGE"] != "plain-bad"} == {"6"}


def test_streams_with_private_users(host, pods, images):
    """PrivateUsers=: what copies the output works with the pod's own range of users, into both journals."""
    name = pods.shell("named-users", images.busybox, BY_NAME, pod="PrivateUsers=pick\n", app="User=1000\nGroup=1000\n")
    began = time.time()
    pods.start(name)
    for query in (["-M", name, "-u", "main"], ["-u", f"pod@{name}", "-t", "main"]):
        host.wait_for(f"{query} has it", lambda query=query: set(NAMED) <= set(host.journal(*query, since=began).splitlines()))
        assert sorted(li for li in host.journal(*query, since=began).splitlines() if li in NAMED) == sorted(NAMED)


LAST = "i=0; while [ $i -lt 500 ]; do echo line-$i; i=$((i+1)); done; printf last-words; exit 3"


@pytest.mark.parametrize("log", ["both", "journal"])
def test_last_words_are_kept(host, pods, images, log):
    """What an app prints right before it exits is there, whole and under its unit, also without an end of line; on the host
    it is said how it ended."""
    name = pods.shell(f"last-{log}", images.busybox, LAST, pod=f"Log={log}\n", app=DOCKER)
    began = time.time()
    pods.start(name, check=False)
    uuid = pods.ours()[-1]["name"]
    pods.ended(name)
    wanted = [f"line-{i}" for i in range(500)] + ["last-words"]
    found = entries(host, "-D", directory(uuid), "_SYSTEMD_UNIT=main.service", "_TRANSPORT=stdout")
    assert [e["MESSAGE"] for e in found] == wanted
    if log == "both":
        said = host.journal("-u", f"pod@{name}", "-t", "main", since=began).splitlines()
        assert [line for line in said if line in wanted] == wanted
        assert "app 'main' failed (exit-code): exited 3" in host.journal("-u", f"pod@{name}", since=began)


def test_both_have_messages(host, pods, images):
    """Log=both: what an app says by syslog(3) is in both journals, too, under the app's unit and the pod's."""
    name = pods.shell("messages", images.busybox, "logger -t mine -p user.warning by-syslog; exec sleep infinity")
    began = time.time()
    pods.start(name)
    for query in (["-M", name], ["-u", f"pod@{name}"]):
        host.wait_for(f"{query} has it", lambda query=query: "by-syslog" in host.journal(*query, "-t", "mine", since=began))
    [entry] = entries(host, "-M", name, "-t", "mine")
    assert entry["PRIORITY"] == "4" and entry["_TRANSPORT"] == "syslog"


def test_relay_is_killed(host, pods, images):
    """Whoever kills what copies an app's output loses nothing that was not yet copied, and the app goes on."""
    name = pods.shell("kill", images.busybox, "echo before; trap 'echo after' USR1; while :; do sleep 0.05; done")
    pods.start(name)
    query = ["-M", name, "-t", "main"]
    host.wait_for("the first line", lambda: "before" in host.journal(*query))
    unit = "rkt-log@main.service"
    host.run("systemctl", "-M", name, "kill", "-s", "STOP", unit)
    host.run("systemctl", "-M", name, "kill", "-s", "USR1", "--kill-whom=main", "main.service")
    time.sleep(0.2)
    host.run("systemctl", "-M", name, "kill", "-s", "KILL", unit)
    host.wait_for("the second line", lambda: "after" in host.journal(*query))
    assert host.is_active("main.service", machine=name)


def test_flood_of_a_neighbour(host, pods, images):
    """Log*=: the limits of an app apply to it alone; one that floods loses none of the others' lines. (journalctl --sync waits
    until no stream has anything to read: not here.)"""
    quiet = "sleep 0.5; i=0; while [ $i -lt 50 ]; do echo quiet-$i; i=$((i+1)); done; exec sleep infinity"
    name = pods.write("flood", ISOLATED +
                      app_section("loud", images.busybox, "yes flood", "LogRateLimitIntervalSec=30s\nLogRateLimitBurst=100\n") +
                      app_section("quiet", images.busybox, quiet))
    pods.start(name)
    read = ["journalctl", "-q", "-o", "cat", "-M", name, "-u"]
    host.wait_for("the last line", lambda: "quiet-49" in host.run(*read, "quiet").out)
    said = host.run(*read, "quiet").out.splitlines()
    assert [li for li in said if li.startswith("quiet-")] == [f"quiet-{i}" for i in range(50)]
    assert 0 < host.run(*read, "loud").out.count("flood") < 5000


def test_nothing_runs_for_one_journal(host, pods, images):
    """An app that opens nothing by name writes to its journal itself."""
    name = pods.shell("direct", images.busybox, "echo direct; exec sleep infinity", pod="Log=journal\n")
    pods.start(name)
    host.wait_for("it is there", lambda: "direct" in host.journal("-M", name, "-u", "main"))
    assert "rkt-log" not in host.run("systemctl", "-M", name, "list-units", "--all", "--plain").out
    assert pathlib.Path(directory(pods.uuid(name))).is_dir()


def test_rkt_logs(host, pods, images):
    """rkt logs: by name and UUID, of one app or all, with limits and formats, while the pod runs and after it; -f ends with it."""
    name = pods.write("logs", ISOLATED + app_section("a", images.busybox, "echo a-one; echo a-two; exec sleep infinity") +
                      app_section("b", images.busybox, "echo b-one; trap 'echo b-last; exit 0' TERM; sleep 1000 & wait"))
    pods.start(name)
    uuid = pods.uuid(name)
    host.wait_for("all lines", lambda: {"a-two", "b-one"} <= set(host.rkt("logs", "-o", "cat", name).out.splitlines()))
    assert "b-one" not in host.rkt("logs", "--app=a", name).out
    assert host.rkt("logs", "-o", "cat", "--app=a", "-n", "1", uuid[:8]).out == "a-two\n"
    assert "a-one" not in host.rkt("logs", "--since=+1h", name).out
    assert {"a-one", "a-two"} <= {json.loads(line)["MESSAGE"] for line in host.rkt("logs", "-o", "json", name).out.splitlines()}
    for flags, lines in (([], [">a-one", ">a-two"]), (["--no-pager"], ["a-one", "a-two"])):  # on a terminal, by the pager
        rc, out, _ = Execution(["rkt", "logs", "-o", "cat", "--app=a", name, *flags], tty=True, env=PAGER).done()
        assert (rc, [li for li in out.splitlines() if "a-" in li]) == (0, lines), out
    assert 'has no app "c"' in host.rkt("logs", "--app=c", name, check=254).err
    follow = host.spawn("rkt", "logs", "-f", "-o", "cat", "--app=b", uuid)
    assert follow.stdout.readline() != ""
    pods.stop(name)
    said = follow.communicate(timeout=120)[0]
    assert follow.returncode == 0 and "b-last" in said
    assert {"a-one", "b-one", "b-last"} <= set(host.rkt("logs", "-o", "cat", uuid).out.splitlines())


def test_rkt_logs_command_no_terminal(host, pods, images):
    """rkt logs: an app's control characters do not reach a terminal; a pipe gets them."""
    name = pods.shell("logs-esc", images.busybox, "printf 'a\\033]0;owned\\007b\\033[2Jc\\n\\033[31mred\\033[0m long-%0400d\\n' 7; echo last; "
                      "exec sleep infinity")
    pods.start(name)
    host.wait_for("all lines", lambda: "last" in host.rkt("logs", "-o", "cat", name).out.splitlines())
    assert "a\x1b]0;owned\x07b\x1b[2Jc" in host.rkt("logs", name).out
    for flags in ([], ["--no-pager"]):
        rc, out, _ = Execution(["rkt", "logs", name, *flags], tty=True, env=PAGER).done()
        assert rc == 0 and "last" in out
        assert "\x1b]" not in out and "\x07" not in out and "\x1b[2J" not in out and "blob data" in out, out
        assert "red" in out and "0" * 399 + "7" in out, out


def test_rkt_logs_of_the_host(host, pods, images):
    """rkt logs with Log=host: from the host's journal, of this start of the pod."""
    name = pods.shell("logs-host", images.busybox, "echo from-$$; exec sleep infinity", pod="Log=host\n")
    pods.start(name)
    host.wait_for("it is there", lambda: "from-" in host.rkt("logs", "--app=main", name).out)


def test_rkt_logs_of_the_host_by_identifier(host, pods, images):
    """rkt logs --app with Log=host and a SyslogIdentifier= of the app's own: its lines, and those of no other."""
    name = pods.write("logs-id", ISOLATED + "Log=host\n" +
                      app_section("a", images.busybox, "echo from-a; exec sleep infinity", "SyslogIdentifier=%p-100%%\n") +
                      app_section("b", images.busybox, "echo from-b; exec sleep infinity"))
    pods.start(name)
    host.wait_for("both", lambda: {"from-a", "from-b"} <= set(host.rkt("logs", "-o", "cat", name).out.splitlines()))
    said = host.rkt("logs", "-o", "cat", "--app=a", name).out
    assert "from-a" in said and "from-b" not in said
    said = host.rkt("logs", "-o", "cat", "--app=b", name).out
    assert "from-b" in said and "from-a" not in said


class Terminal:
    """A command with a terminal of its own; what it printed is kept."""

    def __init__(self, *command, rows=33, columns=77):
        self.said = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            os.execvp(command[0], [str(w) for w in command])
        self.resize(rows, columns)

    def resize(self, rows, columns):
        """Another size of the terminal, as a window has it that somebody pulls."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        """Type something."""
        os.write(self.fd, text.encode())

    def expect(self, text, timeout=120):
        """Read until a text was printed."""
        end = time.monotonic() + timeout
        while text not in self.said:
            ready = select.select([self.fd], [], [], max(end - time.monotonic(), 0))[0]
            assert ready, f"{text!r} was not printed in {timeout} s: {self.said!r}"
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            assert data, f"ended before it printed {text!r}: {self.said!r}"
            self.said += data.decode(errors="replace")

    def end(self, timeout=120):
        """Wait for its end, and return the exit status."""
        end = time.monotonic() + timeout
        while True:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                os.kill(self.pid, 9)
                pytest.fail(f"it did not end in {timeout} s: {self.said!r}")


RUN = ["rkt", "run", "--insecure-options=image", "--net=none"]
ASK = ("test -t 0 && echo stdin is a terminal || echo stdin is not a terminal; stty size 2>/dev/null; "
       "printf 'Enter text:'; read x; echo Received text: $x; exit 7")


def cgroup(pid):
    """Cgroup of a process, in the hierarchy of systemd's."""
    return next(li[3:] for li in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines() if li.startswith("0::"))


def test_interactive(host, images):
    """INT-01 to INT-06: run --interactive gives the app the caller's terminal, with its size and its keys, and the exit status
    is the app's; without it standard input is no terminal. No process of rkt's is in the way of the pod's controllers."""
    words = [images.busybox, "--exec=/bin/sh", "--", "-c", ASK]
    plain = host.run(*RUN, *words, check=7, stdin="ignored\n").out
    assert "stdin is not a terminal" in plain
    t = Terminal(*RUN, "--interactive", *words)
    t.expect("stdin is a terminal")
    t.expect("33 77")
    t.expect("Enter text:")
    unit = pathlib.Path("/sys/fs/cgroup" + cgroup(t.pid)).parent
    assert (unit / "payload").is_dir() and (unit / "cgroup.procs").read_text() == ""
    t.send("Saluton\r")
    t.expect("Received text: Saluton")
    assert t.end() == 7
    file = pathlib.Path("/run/t-streams-uuid")
    file.unlink(missing_ok=True)
    t = Terminal(*RUN, "--interactive", "--rm", f"--uuid-file-save={file}", *words)
    t.expect("Enter text:")
    host.rkt("stop", "--force", file.read_text())
    host.wait_for("the terminal as it was", lambda: termios.tcgetattr(t.fd)[3] & termios.ECHO)
    assert t.end() == -9
    two = [images.busybox, "--name=a", "--exec=/bin/true", images.busybox, "--name=b", "--exec=/bin/true"]
    assert "interactive option only supports one image" in host.run(*RUN, "--interactive", *two, check=254).err
    assert "needs a terminal" in host.run(*RUN, "--interactive", *words, check=254, stdin="").err


LOOP = ("while :; do test -t 0 && echo stdin is a terminal || echo stdin is not a terminal; "
        "read x || exit 0; echo Received text: $x; stty size 2>/dev/null; done")


def running(host, *words):
    """rkt run in the background; its process and the pod's UUID, once the pod is ready."""
    file = pathlib.Path("/run/t-streams-uuid")
    file.unlink(missing_ok=True)
    process = host.spawn("rkt", "run", "--insecure-options=image", "--net=none", f"--uuid-file-save={file}", *words)
    host.wait_for("the UUID", lambda: file.exists() and file.read_text())
    uuid = file.read_text()
    host.rkt("status", "--wait-ready=20s", uuid)
    return process, uuid


def test_interactive_that_stands_still(host, images):
    """INT: a caller's terminal that is not read for longer than a client of rkt attach may take loses neither connection nor
    output (Ctrl-S, a slow line)."""
    t = Terminal(*RUN, "--interactive", images.busybox, "--exec=/bin/sh", "--", "-c",
                 'echo begin; yes "$(printf %01000d 0)" | head -n 600; echo the end; exit 7')
    t.expect("begin")
    time.sleep(7)
    t.expect("the end")
    assert t.end() == 7 and t.said.count("0" * 1000) == 600


def count_lines(host, uuid):
    """How many lines of zeros its journal has."""
    return host.rkt("logs", "--output=cat", uuid).out.count("0" * 1000 + "\n")


@pytest.mark.parametrize("mode", ["tty", "stream"])
def test_attach(host, images, mode, tmp_path):
    """ATT-01, ATT-02: an app of rkt run with a terminal or with streams is attached to, by several at once, which may go without
    its noticing; rkt stop ends pod and clients."""
    process, uuid = running(host, images.busybox, "--name=main", "--exec=/bin/sh", f"--stdin={mode}", f"--stdout={mode}",
                            f"--stderr={mode}", "--", "-c", LOOP)
    listed = host.rkt("attach", "--mode=list", uuid).out.split()
    assert listed == (["tty-in", "tty-out"] if mode == "tty" else ["stdin", "stdout", "stderr"])
    wrong = "stdout" if mode == "tty" else "tty"
    assert f'no endpoint "{wrong}"' in host.rkt("attach", f"--mode={wrong}", uuid, check=254).err
    assert "cannot simultaneously attach" in host.rkt("attach", "--mode=tty,stdout", uuid, check=254).err
    heard = tmp_path / "heard"
    with heard.open("wb") as out:
        watcher = subprocess.Popen(["rkt", "attach", "--mode=" + ("tty-out" if mode == "tty" else "stdout"), uuid], stdin=subprocess.DEVNULL,
                                   stdout=out)
    t = Terminal("rkt", "attach", uuid)
    t.expect("detaches")

    def hears():
        t.send("ping\r" if mode == "tty" else "ping\n")
        return b"Received text: ping" in heard.read_bytes()

    host.wait_for("the other one is attached, too", hears, timeout=60, interval=0.2)
    t.send("some_input\r" if mode == "tty" else "some_input\n")
    t.expect("Received text: some_input")
    t.expect("stdin is a terminal" if mode == "tty" else "stdin is not a terminal")
    if mode == "tty":
        t.expect("33 77")
        t.resize(44, 88)
        t.send("again\r")
        t.expect("44 88")
    t.send("\x1d\x1d\x1d" + ("" if mode == "tty" else "\n"))
    assert t.end() == 0
    assert "state=running" in host.rkt("status", uuid).out
    host.wait_for("the journal", lambda: "Received text: some_input" in host.rkt("logs", uuid).out)
    host.rkt("stop", uuid)
    assert watcher.wait(timeout=120) == 0 and b"Received text: some_input" in heard.read_bytes()
    process.communicate(timeout=120)
    assert process.returncode == 0
    host.rkt("rm", uuid)


def test_attach_by_a_slow_reader(host, images):
    """ATT: who reads slowly, 2 KB a second, keeps the connection; who does not read at all is sent away, and told so."""
    script = 'while read go; do yes "$(printf %01000d 0)" | head -n 1500; done; exec sleep 1000'
    process, uuid = running(host, images.busybox, "--name=main", "--exec=/bin/sh", "--stdin=stream", "--stdout=stream",
                            "--", "-c", script)
    host.rkt("logs", "--follow", "--output=nonsense", uuid, check=254, timeout=20)  # journalctl ends at once
    slow = subprocess.Popen(["rkt", "attach", "--mode=stdin,stdout", uuid], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    fcntl.fcntl(slow.stdout.fileno(), fcntl.F_SETPIPE_SZ, 4096)
    slow.stdin.write(b"go\n")
    slow.stdin.flush()
    n, end = 0, time.monotonic() + 8  # longer than who reads nothing is waited for
    while n < 1500 * 1001:
        is_slow = time.monotonic() < end
        piece = os.read(slow.stdout.fileno(), 512 if is_slow else 65536)
        assert piece, f"sent away after {n} bytes"
        n += len(piece)
        time.sleep(0.25 if is_slow else 0)
    slow.stdin.write(b"go\n")
    slow.stdin.flush()
    host.wait_for("the app has said all", lambda: count_lines(host, uuid) == 3000)
    rest, err = slow.communicate(timeout=120)
    assert slow.returncode == 254 and b"still runs" in err and len(rest) < 1500 * 1001
    host.rkt("stop", "--force", uuid)
    process.communicate(timeout=120)
    host.rkt("rm", uuid)


def test_attach_to_what_comes_and_goes(host, images):
    """ATT-03 to ATT-05: apps of a sandbox, with a terminal and with streams; the streams survive that the app is stopped and
    started again."""
    host.rkt("fetch", "--insecure-options=image", images.busybox)
    file = pathlib.Path("/run/t-streams-uuid")
    file.unlink(missing_ok=True)
    sandbox = host.spawn("rkt", "app", "sandbox", "--net=none", f"--uuid-file-save={file}")
    host.wait_for("the UUID", lambda: file.exists() and file.read_text())
    uuid = file.read_text()
    host.rkt("status", "--wait-ready=20s", uuid)
    for mode in ("tty", "stream"):
        host.rkt("app", "add", uuid, "example.com/busybox", f"--name={mode}", "--exec=/bin/sh", f"--stdin={mode}",
                 f"--stdout={mode}", f"--stderr={mode}", "--", "-c", LOOP)
        host.rkt("app", "start", uuid, f"--app={mode}")
        t = Terminal("rkt", "attach", f"--app={mode}", uuid)
        t.expect("detaches")
        t.send("some_input\r" if mode == "tty" else "some_input\n")
        t.expect("Received text: some_input")
        host.rkt("app", "stop", uuid, f"--app={mode}")
        host.wait_for("it stops", lambda mode=mode: "state=exited" in host.rkt("app", "status", uuid, f"--app={mode}").out)
        host.rkt("app", "start", uuid, f"--app={mode}")
        assert "state=running" in host.rkt("app", "status", uuid, f"--app={mode}").out
        t.send("once_more\r" if mode == "tty" else "once_more\n")
        t.expect("Received text: once_more")
        t.send("\x1d\x1d\x1d" + ("" if mode == "tty" else "\n"))
        assert t.end() == 0
        host.rkt("app", "stop", uuid, f"--app={mode}")
        host.wait_for("it stops", lambda mode=mode: "state=exited" in host.rkt("app", "status", uuid, f"--app={mode}").out)
    host.rkt("stop", uuid)
    sandbox.communicate(timeout=120)
    assert sandbox.returncode == 0
    host.rkt("rm", uuid)

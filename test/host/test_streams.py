# SPDX-License-Identifier: LGPL-2.1-or-later
"""Standard input, output and error of apps: opened by name, in both journals, attached to."""
import json
import pathlib
import time

import pytest

from conftest import ISOLATED, app_section

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
        host.wait_for(f"{query} has it", lambda query=query: "plain-bad" in host.journal(*query))
        found = [e for e in entries(host, *query) if e["MESSAGE"] in NAMED]
        assert sorted(e["MESSAGE"] for e in found) == sorted(NAMED)
        assert {e["_COMM"] for e in found} <= {"sh", "sleep"}, found
        assert {e["MESSAGE"]: e["PRIORITY"] for e in found}["plain-bad"] == "3"
        assert {e["PRIORITY"] for e in found if e["MESSAGE"] != "plain-bad"} == {"6"}


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
    assert 'has no app "c"' in host.rkt("logs", "--app=c", name, check=254).err
    follow = host.spawn("rkt", "logs", "-f", "-o", "cat", "--app=b", uuid)
    assert follow.stdout.readline() != ""
    pods.stop(name)
    said = follow.communicate(timeout=20)[0]
    assert follow.returncode == 0 and "b-last" in said
    assert {"a-one", "b-one", "b-last"} <= set(host.rkt("logs", "-o", "cat", uuid).out.splitlines())


def test_rkt_logs_of_the_host(host, pods, images):
    """rkt logs with Log=host: from the host's journal, of this start of the pod."""
    name = pods.shell("logs-host", images.busybox, "echo from-$$; exec sleep infinity", pod="Log=host\n")
    pods.start(name)
    host.wait_for("it is there", lambda: "from-" in host.rkt("logs", "--app=main", name).out)

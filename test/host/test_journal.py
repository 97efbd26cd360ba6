# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an app prints: in the pod's journal and in the host's, under the app's name and the pod's unit."""
import json
import time

import pytest

from conftest import ISOLATED, app_section

LINES = "echo to-out; echo to-err >&2; printf 'no newline'; exec sleep infinity"


def test_both_journals(host, pods, images):
    """journalctl -M POD -t APP, and journalctl -u pod@POD -t APP; both streams."""
    name = pods.shell("both", images.busybox, LINES)
    began = time.time()
    pods.start(name)
    for query in (["-M", name, "-t", "main"], ["-u", f"pod@{name}", "-t", "main"]):
        # two streams: no order between them
        host.wait_for(f"{query} has it", lambda query=query: {"to-out", "to-err"} <= set(host.journal(*query, since=began).splitlines()))
        shown = host.journal(*query, since=began).splitlines()
        assert shown.count("to-out") == 1 and shown.count("to-err") == 1


@pytest.mark.parametrize("log,pod_has,host_has", [("journal", True, False), ("host", False, True), ("both", True, True)])
def test_log_modes(host, pods, images, log, pod_has, host_has):
    """Log= says where: the pod's journal, the host's, or both."""
    name = pods.shell(f"log-{log}", images.busybox, "echo marker-$((6*7)); exec sleep infinity", pod=f"Log={log}\n")
    began = time.time()
    pods.start(name)
    queries = {"pod": ["-M", name, "-t", "main"], "host": ["-u", f"pod@{name}", "-t", "main"]}
    wanted = {"pod": pod_has, "host": host_has}
    for where, query in queries.items():
        if wanted[where]:
            host.wait_for(f"{where} has it", lambda query=query: "marker-42" in host.journal(*query, since=began))
    for where, query in queries.items():
        if not wanted[where]:
            assert "marker-42" not in host.journal(*query, since=began)


def test_apps_are_told_apart(host, pods, images):
    """Each app's lines carry its own name."""
    name = pods.write("two", ISOLATED + app_section("a", images.busybox, "echo from-a; exec sleep infinity") +
                      app_section("b", images.busybox, "echo from-b; exec sleep infinity"))
    pods.start(name)
    for app, other in (("a", "b"), ("b", "a")):
        host.wait_for(f"from-{app}", lambda app=app: f"from-{app}" in host.journal("-M", name, "-t", app))
        assert f"from-{other}" not in host.journal("-M", name, "-t", app)


def test_host_entry_has_the_unit(host, pods, images):
    """The host's journal knows the unit by the cgroup, not by what the app claims."""
    name = pods.shell("unit", images.busybox, "echo hello-unit; exec sleep infinity")
    began = int(time.time())
    pods.start(name)
    host.wait_for("it is there", lambda: "hello-unit" in host.journal("-u", f"pod@{name}", since=began))
    out = host.run("journalctl", "-q", "-o", "json", "--since", f"@{began}", "SYSLOG_IDENTIFIER=main").out
    entry = next(e for e in map(json.loads, out.splitlines()) if e["MESSAGE"] == "hello-unit")
    assert entry["_SYSTEMD_UNIT"] == f"pod@{name}.service"


def test_last_words_of_a_failure(host, pods, images):
    """The line that an app prints just before it dies is in the unit's status."""
    name = pods.shell("last", images.busybox, "sleep 0.3; echo FATAL: no such luck >&2; exit 3")
    pods.start(name)
    pods.ended(name)
    assert "FATAL: no such luck" in host.status(f"pod@{name}")


def test_pod_journal_outlives_the_pod(host, pods, images):
    """JRN-01: the pod's journal stays readable on the host after the pod has gone."""
    name = pods.shell("stay", images.busybox, "echo remember-me; exec sleep infinity")
    pods.start(name)
    uuid = pods.uuid(name)
    host.wait_for("it is there", lambda: "remember-me" in host.journal("-M", name, "-t", "main"))
    pods.stop(name)
    kept = host.run("journalctl", "-q", "-o", "cat", "--merge", f"_MACHINE_ID={uuid.replace('-', '')}", "-t", "main").out
    assert "remember-me" in kept


@pytest.mark.parametrize("log", ["both", "host"])
def test_hostile_output(host, pods, images, log):
    """ROB: an app cannot forge another unit's lines: escapes, newlines, NUL and long lines are only text."""
    name = pods.shell(f"hostile-{log}", images.busybox,
                      "printf '<0>forged\\033[31m red\\n'; head -c 200000 /dev/zero | tr '\\0' x; "
                      "echo; echo end-marker; exec sleep infinity", pod=f"Log={log}\n")
    began = int(time.time())
    pods.start(name)
    query = ["-u", f"pod@{name}"]
    host.wait_for("the end", lambda: "end-marker" in host.journal(*query, since=began))
    host.wait_for("the forged line", lambda: "forged" in host.journal("-u", f"pod@{name}", since=began))
    out = host.run("journalctl", "-q", "-o", "json", "--all", "--since", f"@{began}", "-u", f"pod@{name}").out
    assert all(json.loads(line)["_SYSTEMD_UNIT"] == f"pod@{name}.service" for line in out.splitlines()
               if "forged" in line or "end-marker" in line)


BURST = "i=0; while [ $i -lt 2000 ]; do echo line-$i; i=$((i+1)); done; exec sleep infinity"


@pytest.mark.parametrize("log", ["both", "host"])
def test_many_lines_arrive(host, pods, images, log):
    """A burst of lines arrives whole and in order: in the host's journal, and with Log=both in the pod's as well."""
    name = pods.shell(f"burst-{log}", images.busybox, BURST, pod=f"Log={log}\n")
    began = time.time()
    pods.start(name)
    for query in [["-u", f"pod@{name}", "-t", "main"], *([["-M", name, "-t", "main"]] if log == "both" else [])]:
        host.wait_for("the last line", lambda query=query: "line-1999" in host.journal(*query, since=began))
        lines = [li for li in host.journal(*query, since=began).splitlines() if li.startswith("line-")]
        assert lines == [f"line-{i}" for i in range(2000)]


def test_without_rate_limit(host, pods, images):
    """LogRateLimitIntervalSec=0 switches journald's limit off; and a writer into a pipe that nobody reads any more ends."""
    name = pods.shell("flood", images.busybox, "yes | head -n 30000; echo the-last; exec sleep infinity",
                      app="LogRateLimitIntervalSec=0\n", pod="Log=journal\n")
    began = time.time()
    pods.start(name)
    host.wait_for("the last line", lambda: "the-last" in host.journal("-M", name, "-t", "main", since=began), timeout=120, interval=1)
    assert host.journal("-M", name, "-t", "main", since=began).count("y\n") == 30000

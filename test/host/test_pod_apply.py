# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt pod diff and rkt pod apply, with a real systemd: what is restarted, started and left alone. What differs in the generated units
is pinned by test/generator-test.py. rkt-pods.path may reload at any moment between our steps: nothing here may depend on it."""
import json
import os
import pathlib

from conftest import POD_DIR, PREFIX

SLEEP = "exec sleep infinity"
INSTALL = "[Install]\nWantedBy=multi-user.target\n"


def rows(done):
    """{pod without prefix: row} of those that are ours."""
    return {r["pod"][len(PREFIX):] if "pod" in r else r["name"][len(PREFIX):]: r for r in json.loads(done.out)
            if (r.get("pod") or r["name"]).startswith(PREFIX)}


def test_apply(host, pods, images):
    """Running pods with another recipe are restarted, those with another comment are not; a broken one and one without a file run
    on; a stopped one stays stopped; a new one starts if it is installed; --prune stops what has no file; the exit code tells."""
    names = {n: pods.shell(n, images.busybox, SLEEP) for n in ("changed", "same", "broken", "gone", "stopped")}
    host.run("systemctl", "start", *(f"pod@{names[n]}" for n in ("changed", "same", "broken", "gone")), timeout=240)
    ids = {n: host.show(f"pod@{name}", "InvocationID") for n, name in names.items()}
    assert host.rkt("pod", "diff", *names.values()).out == ""

    pods.write("changed", "[App main]\nEnvironment=A=1\n", reload=False, suffix=".d/10.conf")
    pods.write("stopped", "[App main]\nEnvironment=A=1\n", reload=False, suffix=".d/10.conf")
    path = pathlib.Path(POD_DIR, f"{names['same']}.pod")
    path.write_text("# a comment\n\n" + path.read_text().replace("=none\n", " = none\n"))
    pods.write("broken", "[App main]\nImagge=x\n", reload=False)
    pathlib.Path(POD_DIR, f"{names['gone']}.pod").unlink()
    names["new"] = pods.shell("new", images.busybox, SLEEP, rest=INSTALL)
    names["idle"] = pods.shell("idle", images.busybox, SLEEP)

    shown = rows(host.rkt("pod", "diff", "--format=json", *names.values(), check=1))
    assert {n: (r["change"], r["running"], r["restart"]) for n, r in shown.items() if n not in ("new", "idle", "stopped")} == {
        "changed": ("changed", True, True), "broken": ("broken", True, False), "gone": ("removed", True, False)}
    assert "+Environment=A=1\n" in shown["changed"]["diff"] and "--- running\n" in shown["changed"]["diff"]
    assert "unknown key" in shown["broken"]["errors"][1]

    wanted = {"changed": "restart", "broken": "none", "gone": "none", "new": "start"}
    planned = rows(host.rkt("pod", "apply", "--dry-run", "--format=json", *names.values(), check=1))
    assert {n: planned[n]["action"] for n in wanted} == wanted
    assert "same" not in planned and host.show(f"pod@{names['changed']}", "InvocationID") == ids["changed"]

    done = host.rkt("pod", "apply", "--format=json", *names.values(), check=1, timeout=240)
    applied = rows(done)
    assert {n: applied[n]["action"] for n in wanted} == {"changed": "restarted", "broken": "none", "gone": "none", "new": "started"}
    assert "[App main] Imagge: unknown key" in done.err and "--prune" in applied["gone"]["message"]
    now = {n: host.show(f"pod@{name}", "InvocationID", "ActiveState") for n, name in names.items()}
    assert {n: s["ActiveState"] for n, s in now.items()} == {
        "changed": "active", "same": "active", "broken": "active", "gone": "active", "new": "active", "stopped": "inactive", "idle": "inactive"}
    assert {n for n, old in ids.items() if old and now[n]["InvocationID"] != old} == {"changed"}
    others = [names[n] for n in names if n not in ("broken", "gone")]
    assert host.rkt("pod", "diff", *others).out == "" and host.rkt("pod", "apply", "--no-legend", *others).out == ""

    pods.stop(names["new"])
    assert host.rkt("pod", "apply", "--no-legend", names["new"]).out == "", "a pod that somebody stopped stays stopped"
    applied = rows(host.rkt("pod", "apply", "--prune", "--format=json", names["gone"]))
    assert applied["gone"]["action"] == "stopped" and host.show(f"pod@{names['gone']}", "ActiveState") == "inactive"


def test_diff_without_root(host, pods, images):
    """An ordinary user compares what anybody may read, running pods, too; of what is for root alone the name is told, with exit code 254;
    names say which pods matter."""
    names = {n: pods.shell(n, images.busybox, SLEEP) for n in ("open", "hidden", "late", "stopped")}
    pathlib.Path(POD_DIR, f"{names['hidden']}.pod").chmod(0o600)
    host.run("systemctl", "start", *(f"pod@{names[n]}" for n in ("open", "hidden", "late")), timeout=240)
    pathlib.Path(POD_DIR, f"{names['hidden']}.pod").chmod(0o644)  # now; what it was started with was not
    pathlib.Path(POD_DIR, f"{names['late']}.pod").chmod(0o600)
    assert {n: os.stat(f"/run/rkt/started/{names[n]}").st_mode & 0o777 for n in ("open", "hidden")} == {"open": 0o644, "hidden": 0o600}

    def diff(*wanted, check):
        return host.run("runuser", "-u", "nobody", "--", "rkt", "pod", "diff", *(names[n] for n in wanted), check=check)

    assert diff("open", "stopped", check=0).out == ""
    pods.write("open", "[App main]\nEnvironment=A=1\n", reload=False, suffix=".d/10.conf")
    assert "+Environment=A=1\n" in diff("open", check=1).out
    for name, file in (("hidden", f"/run/rkt/started/{names['hidden']}"), ("late", f"{POD_DIR}/{names['late']}.pod")):
        done = diff("open", name, check=254)
        assert "+Environment=A=1\n" in done.out and "broken" not in done.out
        assert done.err == f"diff: pod '{names[name]}' was not compared whole: cannot read {file}: Permission denied\n"
    assert "and 1 more were not compared whole" in diff("open", "late", "hidden", check=254).err


def test_apply_socket(host, pods, images, tmp_path):
    """A socket whose address has changed listens at the new one; a pod that does not get ready is told, with exit code 1."""
    text = "[Socket]\nListenStream={}\n"
    name = pods.shell("socket", images.busybox, SLEEP, rest=text.format(tmp_path / "one"))
    bad = pods.shell("bad", images.busybox, SLEEP)
    host.run("systemctl", "start", f"pod@{name}.socket", f"pod@{bad}.service")
    assert (tmp_path / "one").is_socket()
    path = pathlib.Path(POD_DIR, f"{name}.pod")
    pods.write("socket", path.read_text().replace(str(tmp_path / "one"), str(tmp_path / "two")), reload=False)
    pods.write("bad", "[App main]\nExec=/nowhere\n", reload=False, suffix=".d/10.conf")
    applied = rows(host.rkt("pod", "apply", "--format=json", name, bad, check=1, timeout=240))
    assert applied["bad"]["action"] == "failed" and "cannot restart" in applied["bad"]["message"]
    assert applied["socket"]["action"] == "socket restarted" and (tmp_path / "two").is_socket()


def test_apply_interrupted(host, pods, images, tmp_path):
    """apply killed while pod and socket are down: the next one starts both. An address that is taken: the pod runs again, and both are
    told. A masked pod is not started, nor one that was started before this machine kept what with; nothing runs that was stopped."""
    name = pods.shell("cut", images.busybox, SLEEP, rest=f"[Socket]\nListenStream={tmp_path}/cut\n" + INSTALL)
    masked, old = (pods.shell(n, images.busybox, SLEEP, rest=INSTALL) for n in ("masked", "old"))
    mark = pathlib.Path("/run/rkt/apply", name)
    host.run("systemctl", "start", f"pod@{old}")
    host.run("systemctl", "stop", f"pod@{old}")
    pathlib.Path("/run/rkt/started", old).unlink()
    host.run("systemctl", "mask", "--runtime", f"pod@{masked}")
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("service")
        assert rows(host.rkt("pod", "apply", "--dry-run", "--format=json", name))["cut"]["action"] == "restart socket" and mark.exists()
        applied = rows(host.rkt("pod", "apply", "--format=json", name, masked, old, timeout=240))
        assert applied["cut"]["action"] == "socket restarted" and not mark.exists()
        assert {"masked", "old"}.isdisjoint(n for n, row in applied.items() if row["action"] == "started")
        assert [host.show(f"pod@{name}.{kind}", "ActiveState") for kind in ("service", "socket")] == ["active", "active"]
        assert [host.show(f"pod@{n}", "ActiveState") for n in (masked, old)] == ["inactive", "inactive"]

        path = pathlib.Path(POD_DIR, f"{name}.pod")
        (tmp_path / "taken").write_text("a file")
        pods.write("cut", path.read_text().replace(f"{tmp_path}/cut", f"{tmp_path}/taken/socket"), reload=False)
        failed = rows(host.rkt("pod", "apply", "--format=json", name, check=1, timeout=240))["cut"]
        assert failed["action"] == "failed" and f"pod@{name}.socket" in failed["message"], failed
        assert "the pod runs again without its socket" in failed["message"] or "the pod does not run again" in failed["message"], failed
        assert not mark.exists()
    finally:
        host.run("systemctl", "unmask", "--runtime", f"pod@{masked}")

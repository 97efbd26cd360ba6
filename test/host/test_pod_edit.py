# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt pod edit: drop-ins and whole files, by an editor and from standard input; what is wrong never gets in place."""
import os
import pathlib

from conftest import POD_DIR, PREFIX

POD = "[App]\nImage=/nowhere.aci\n"


def test_edit_stdin(host, pods):
    """--stdin writes override.conf, or another drop-in, and systemd knows it; with mistakes nothing changes, they are shown with file and
    line, and the text is kept under a name that nobody reads."""
    name = pods.write("edit", POD)
    path = pathlib.Path(POD_DIR, f"{name}.pod.d/override.conf")
    assert host.rkt("pod", "edit", "--stdin", name, stdin="[Service]\nCPUWeight=33\n").out == f"{path}\n"
    assert host.show(f"pod@{name}", "CPUWeight") == "33" and path.stat().st_mode & 0o777 == 0o644
    done = host.rkt("pod", "edit", "--stdin", name, stdin="[App]\nImagge=x\n", check=1)
    assert f"{path}:2: [App] Imagge: unknown key (did you mean Image=?)" in done.err and f"what was written is in {path}.rejected" in done.err
    assert path.read_text() == "[Service]\nCPUWeight=33\n" and pathlib.Path(f"{path}.rejected").read_text() == "[App]\nImagge=x\n"
    assert host.rkt("pod", "check", f"{POD_DIR}/{name}.pod").out == ""
    host.rkt("pod", "edit", "--stdin", "--drop-in=20-more", name, stdin="[Service]\nCPUWeight=44\n")
    assert host.show(f"pod@{name}", "CPUWeight") == "33", "20-more.conf is read before override.conf"
    host.rkt("pod", "edit", "--stdin", name, stdin="[Service]\nCPUWeight=55\n")
    assert sorted(os.listdir(path.parent)) == ["20-more.conf", "override.conf"] and host.show(f"pod@{name}", "CPUWeight") == "55"
    assert "no name of a drop-in" in host.rkt("pod", "edit", "--stdin", "--drop-in=../x", name, stdin="", check=254).err
    assert "there is no pod file" in host.rkt("pod", "edit", "--stdin", f"{PREFIX}none", stdin="", check=254).err


def test_edit_editor(host, pods, tmp_path):
    """An editor gets what there is, with the pod file as comment; what it leaves between the marks counts; one that fails, or changes
    nothing, changes nothing."""
    name = pods.write("editor", POD)
    path = pathlib.Path(POD_DIR, f"{name}.pod.d/override.conf")
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\ncp \"$2\" {tmp_path}/seen\n. {tmp_path}/do\n")
    editor.chmod(0o755)

    def run(do, check=0):
        (tmp_path / "do").write_text(do + "\n")
        return host.run("env", f"SYSTEMD_EDITOR={editor} -x", "rkt", "pod", "edit", name, check=check)

    run("true")
    assert not path.exists() and not path.parent.exists()
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith(f"### Editing {path}\n### Anything between here") and f"\n### {POD_DIR}/{name}.pod\n# [App]\n# Image=/nowhere.aci\n" in seen
    run("exit 3", check=254)
    assert not path.exists()
    run("sed -i '3i [Service]\\nCPUWeight=66' \"$2\"; echo '[App]' >>\"$2\"")
    assert path.read_text() == "[Service]\nCPUWeight=66\n" and host.show(f"pod@{name}", "CPUWeight") == "66"
    run("sed -i s/66/77/ \"$2\"")
    assert path.read_text() == "[Service]\nCPUWeight=77\n" and "CPUWeight=66" in (tmp_path / "seen").read_text()
    run("sed -i s/CPUWeight=77/CPUWeight=many/ \"$2\"", check=1)
    assert path.read_text() == "[Service]\nCPUWeight=77\n"


def test_edit_full(host, pods):
    """--full edits the file itself; of a pod of another directory, a copy in /etc, which then counts."""
    name = PREFIX + "full"
    vendor = pathlib.Path("/run/rkt/pods", f"{name}.pod")
    vendor.parent.mkdir(parents=True, exist_ok=True)
    vendor.write_text(POD)
    try:
        pods.names.append(name)
        assert host.rkt("pod", "edit", "--full", "--stdin", name, stdin=POD + "[Service]\nCPUWeight=88\n").out == f"{POD_DIR}/{name}.pod\n"
        assert vendor.read_text() == POD and host.show(f"pod@{name}", "CPUWeight") == "88"
        assert host.rkt("pod", "edit", "--full", "--stdin", name, stdin="[Pod]\n", check=1).err.startswith(f"{POD_DIR}/{name}.pod")
        assert "CPUWeight=88" in pathlib.Path(POD_DIR, f"{name}.pod").read_text()
    finally:
        vendor.unlink()
        pathlib.Path(POD_DIR, f"{name}.pod.rejected").unlink(missing_ok=True)

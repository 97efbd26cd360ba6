#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line without root: every verb's help, and golden cases.

usage: cli-golden.py RKT SOURCE [--update]

A case is test/golden/cli/NAME.in: a command line, split like a shell's; "user:" before it drops root, "docker2aci:" runs it
under that name, $DIR is a data directory with pods. NAME.expected has the exit code, standard output and standard error."""
import contextlib
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HEAD = "# SPDX-License-Identifier: LGPL-2.1-or-later\n"
NOBODY = 65534


EXITED, PREPARED, DAMAGED, INVALID = (f"{n}0000000-0000-4000-8000-000000000000" for n in "abde")
CREATED, STARTED = 1136214245.25, 1136214246.5


def app(name, image, **more):
    """An app of a pod manifest."""
    return {"name": name, "image": {"name": image, "id": f"sha512-{len(name):032x}{0:032x}",
                                    "labels": [{"name": "version", "value": "1.0.0"}]},
            "app": {"exec": ["/bin/x"], "user": "0", "group": "0"}, **more}


def write(path, text, when):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.utime(path, (when, when))


def make_pods(data):
    """An exited pod of two apps, a prepared one, a damaged one, and what is none."""
    apps = [app("web", "example.com/web", mounts=[{"volume": "data", "path": "/data"}]), app("db", "example.com/db")]
    volumes = [{"name": "data", "kind": "host", "source": "/srv", "readOnly": True}]
    pods = {f"run/{EXITED}": {"apps": apps, "volumes": volumes}, f"prepared/{PREPARED}": {"apps": apps[1:]}}
    for place, more in pods.items():
        write(f"{data}/pods/{place}/pod", json.dumps({"acVersion": "0.8.11", "acKind": "PodManifest", **more}), CREATED)
        write(f"{data}/pods/{place}/pod-created", "", CREATED + 0.125 * place.startswith("prepared"))
    exited = f"{data}/pods/run/{EXITED}"
    write(f"{exited}/name", "shop", CREATED)
    write(f"{exited}/ppid", "1", STARTED)
    for name, status in (("web", 0), ("db", 5)):
        write(f"{exited}/stage1/rootfs/rkt/status/{name}-started", "", STARTED)
        write(f"{exited}/stage1/rootfs/rkt/status/{name}", f"{status}\n", STARTED + 1)
    write(f"{data}/pods/run/{DAMAGED}/pod-created", "", CREATED + 1)
    write(f"{data}/pods/run/{DAMAGED}/pod", "{", CREATED)
    doubtful = {"name": "Old", "image": {"name": "example.com/old!", "labels": [{"name": "version", "value": "0"}]}}
    write(f"{data}/pods/run/{INVALID}/pod", json.dumps({"acKind": "PodManifest", "apps": [doubtful, {"name": "x"}]}), CREATED)
    write(f"{data}/pods/run/{INVALID}/pod-created", "", CREATED + 2)
    write(f"{data}/pods/run/rubbish/file", "", CREATED)
    write(f"{data}/uuid", EXITED, CREATED)
    for state in ("embryo", "prepare", "exited-garbage", "garbage"):
        os.mkdir(f"{data}/pods/{state}")
    for top, directories, files in os.walk(data):
        for name in directories:
            os.chmod(f"{top}/{name}", 0o755)


def run(rkt, args, drop=False):
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if drop and os.geteuid() == 0 else {}
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return subprocess.run([rkt, *args], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL,
                          timeout=30, check=False, **user)


def report(p, work):
    text = f"{HEAD}exit {p.returncode}\n--- stdout\n{p.stdout}--- stderr\n{p.stderr}"
    return text.replace(work, "$DIR")


def golden(rkt, work, folder, update):
    failed = 0
    for name in sorted(n[:-3] for n in os.listdir(folder) if n.endswith(".in")):
        lines = open(f"{folder}/{name}.in", encoding="utf-8").read().splitlines()
        line = next(x for x in lines if x and not x.startswith("#"))
        drop = line.startswith("user:")
        program = f"{os.path.dirname(rkt)}/docker2aci" if line.startswith("docker2aci:") else rkt
        args = [a.replace("$DIR", work) for a in shlex.split(line.removeprefix("user:").removeprefix("docker2aci:"))]
        got = report(run(program, args, drop), work)
        path = f"{folder}/{name}.expected"
        if update:
            open(path, "w", encoding="utf-8").write(got)
            continue
        expected = open(path, encoding="utf-8").read()
        if got != expected:
            failed += 1
            print(f"FAIL {name}: rkt {line}\nexpected:\n{expected}\ngot:\n{got}")
    return failed


def on_terminal(rkt, args, **env):
    """What a command prints on a terminal, and its exit code."""
    master, slave = pty.openpty()
    done = subprocess.Popen([rkt, *args], stdin=slave, stdout=slave, stderr=slave, env={"PATH": "/usr/bin:/bin", "TERM": "xterm", "SYSTEMD_PAGER": "", **env})
    os.close(slave)
    text = b""
    with contextlib.suppress(OSError):  # EIO: its end
        while part := os.read(master, 65536):
            text += part
    os.close(master)
    return text.decode(), done.wait(timeout=30)


def colors(rkt, work):
    """Escape sequences are for a terminal that knows them, and for who wants them; JSON has none."""
    failed = 0
    for args, env, wanted in ((["list"], {}, True), (["list"], {"NO_COLOR": "1"}, False), (["list"], {"NO_COLOR": ""}, True),
                              (["list"], {"TERM": "dumb"}, False), (["list", "--format=json"], {}, False),
                              (["list", "--no-legend"], {}, False), (["help"], {}, False), (["status", "x"], {}, False)):
        text, _ = on_terminal(rkt, [*args, f"--dir={work}"], **env)
        paged, _ = on_terminal(rkt, [*args, f"--dir={work}"], SYSTEMD_PAGER="sed -n p", **env)
        if text != paged or ("\x1b" in text) != wanted or "\x1b" in run(rkt, [*args, f"--dir={work}"]).stdout:
            failed += 1
            print(f"FAIL colors of {args} with {env}: {text!r}")
    return failed


def links(rkt, work):
    """OSC 8 is for a terminal without a pager, unless SYSTEMD_URLIFY says otherwise."""
    failed = 0
    pods = f"{os.path.dirname(work)}/pods"
    os.mkdir(pods)
    write(f"{pods}/good.pod", "[Pod]\n[App a]\nImage=x\n", 0)
    for env, wanted in (({}, True), ({"TERM": "dumb"}, False), ({"SYSTEMD_URLIFY": "0"}, False), ({"NO_COLOR": "1"}, True),
                        ({"SYSTEMD_PAGER": "sed -n p"}, False), ({"SYSTEMD_PAGER": "sed -n p", "SYSTEMD_URLIFY": "1"}, True)):
        for args, url, text in ((["config", "--help"], "man:rkt-config(5)", "rkt-config(5)"),
                                (["pod", "list"], f"file://{os.uname().nodename}{pods}/good.pod", f"{pods}/good.pod")):
            seen, _ = on_terminal(rkt, args, RKT_PODS_PATH=pods, **env)
            if text not in seen or (f"\x1b]8;;{url}\a{text}\x1b]8;;\a" in seen) != wanted or "\x1b]8" in seen and not wanted:
                failed += 1
                print(f"FAIL links of {args} with {env}: {seen!r}")
    return failed


def pagers(rkt, work):
    """On a terminal long output goes through the pager, unless the user says no; exit codes stay what they are."""
    failed = 0
    marked = {"SYSTEMD_PAGER": "sed s/^/>/"}
    for line, env, code, wanted in (
            ("list", marked, 0, True), ("list --no-pager", marked, 0, False), ("--no-pager list", marked, 0, False),
            ("image list", marked, 0, True), ("image --no-pager list", marked, 0, False), (f"status {EXITED}", marked, 0, True),
            (f"cat-manifest {EXITED}", marked, 0, True), (f"app list {EXITED}", marked, 0, True), ("config", marked, 0, True),
            ("help", marked, 0, True), ("help --no-pager", marked, 0, False), ("list --help", marked, 0, True),
            ("run --help", marked, 0, True), ("status x", marked, 254, False), ("version", marked, 0, False),
            (f"app status {DAMAGED} --app=x", marked, 1, True), ("list", {"SYSTEMD_PAGER": "cat"}, 0, False),
            ("list", {**marked, "TERM": "dumb"}, 0, False), ("list", {"SYSTEMD_PAGER": "true"}, 0, None)):
        text, got = on_terminal(rkt, [*line.split(), f"--dir={work}"], **env)
        lines = text.splitlines()
        good = not lines if wanted is None else lines and all(x.startswith(">") == wanted for x in lines)
        if got != code or not good:
            failed += 1
            print(f"FAIL pager of {line} with {env}: {got} {text!r}")
    return failed


def verbs(rkt):
    """All verbs as lists of words, from the help."""
    found, groups = [], [[]]
    for group in groups:
        text = run(rkt, ["help", *group]).stdout
        commands = text.split("\nCOMMANDS:\n")[1].split("\n\n")[0]
        for m in re.finditer(r"^ {6}(\S+) +(.*)$", commands, re.M):
            (groups if m[2].startswith("Commands on ") else found).append([*group, m[1]])
    return found


def every_verb(rkt, source):
    failed = 0
    man = open(f"{source}/man/rkt.1.scd", encoding="utf-8").read()
    scripts = {s: run(rkt, ["completion", s]).stdout for s in ("bash", "zsh", "fish")}
    table = verbs(rkt)
    if len(table) < 3:
        print(f"FAIL: the help names only {table}")
        failed += 1
    for verb in table:
        name = " ".join(verb)
        a, b = run(rkt, [*verb, "--help"], drop=True), run(rkt, ["help", *verb])
        checks = {
            "--help exits with 0": a.returncode == 0 and b.returncode == 0,
            "--help prints its name": a.stdout.startswith(f"NAME:\n      rkt {name} - "),
            "help VERB is the same": a.stdout == b.stdout,
            "nothing on standard error": a.stderr == b.stderr == "",
            "an unknown flag is refused": run(rkt, [*verb, "--no-such-flag-at-all"], drop=True).returncode == 254,
            "it is in rkt.1": re.search(rf"^\*{name}\*", man, re.M) is not None,
            "its completion": all(verb[-1] in s for s in scripts.values()),
        }
        for what, good in checks.items():
            if not good:
                failed += 1
                print(f"FAIL {name}: {what}")
    return failed


def main():
    rkt, source, update = sys.argv[1], sys.argv[2], "--update" in sys.argv
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        copy = shutil.copy(rkt, f"{work}/rkt")  # the build directory may be closed to others
        os.symlink("rkt", f"{work}/docker2aci")
        os.mkdir(f"{work}/data", 0o755)
        make_pods(f"{work}/data")
        shutil.copy(f"{source}/test/data/cosign/p256.pub", f"{work}/data/cosign.pub")
        failed = golden(copy, f"{work}/data", f"{source}/test/golden/cli", update)
        failed += every_verb(copy, source)
        failed += colors(copy, f"{work}/data")
        failed += links(copy, f"{work}/data")
        failed += pagers(copy, f"{work}/data")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

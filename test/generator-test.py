#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden tests of rkt-pod-generator, without root: generator-test.py GENERATOR SOURCE-ROOT RKT [--update]

Every directory test/golden/generator/CASE has in/{etc,run,local,lib} (the four pod directories), expected/ (what the
generator writes; links are files NAME.link with the target's last part), and errors (its messages, which are also those
of "rkt pod check"). Then come cases that
a file in git cannot hold. Ids are those of robustness.md 3.11. Output is TAP.
"""
import filecmp
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

GENERATOR, ROOT, RKT = (pathlib.Path(a).resolve() for a in sys.argv[1:4])
UPDATE = "--update" in sys.argv
GOLDEN = ROOT / "test" / "golden" / "generator"
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # generators write to memory, too
DIRS = ["in/etc", "in/run", "in/local", "in/lib"]
GOOD = "[App]\nImage=example.com/x\n"
results = []


def generate(cwd, out, dirs=None, **kwargs):
    """Run the generator as systemd does; returns (status, messages)."""
    env = {"RKT_PODS_PATH": ":".join(dirs or DIRS), "RKT_GENERATOR_LOG": "stderr", "LC_ALL": "C"}
    env.update(kwargs.pop("env", {}))
    done = subprocess.run([GENERATOR, out, out, out], cwd=cwd, env=env, capture_output=True, timeout=60, check=False,
                          **kwargs)
    return done.returncode, done.stderr.decode(errors="replace")


def flatten(out):
    """Links become small files, so that git and diff can hold them."""
    for path in sorted(out.rglob("*")):
        if path.is_symlink():
            target = path.readlink()
            path.unlink()
            path.with_name(path.name + ".link").write_text(target.name + "\n")


def tree(path):
    """All files, with their bytes."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def report(name, problem):
    """One line of TAP."""
    results.append(problem is None)
    print(f"{'ok' if problem is None else 'not ok'} {len(results)} - {name}")
    if problem:
        print("\n".join("# " + line for line in problem.splitlines()))


def rkt(cwd, *args, env=None):
    """Run a verb of rkt; returns (status, standard output, standard error)."""
    done = subprocess.run([RKT, *args], cwd=cwd, env={"RKT_PODS_PATH": ":".join(DIRS), "LC_ALL": "C", **(env or {})}, text=True,
                          capture_output=True, errors="replace", timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def golden(case, tmp):
    """One directory; two runs must give the same bytes."""
    first, second = tmp / "first", tmp / "second"
    first.mkdir()
    second.mkdir()
    status, messages = generate(case, first)
    generate(case, second)
    flatten(first)
    flatten(second)
    if tree(first) != tree(second):
        return "two runs differ"
    if status != 0:
        return f"exit status {status}: {messages}"
    if UPDATE:
        shutil.rmtree(case / "expected", ignore_errors=True)
        shutil.copytree(first, case / "expected")
        (case / "errors").write_text(messages)
        return None
    done = subprocess.run(["diff", "-ruN", case / "expected", first], capture_output=True, text=True, check=False)
    if messages != (case / "errors").read_text():
        return f"messages differ:\n{messages}{done.stdout}"
    if rkt(case, "pod", "check")[:2] != (1 if messages else 0, messages):
        return "rkt pod check says something else"
    return done.stdout or None


def new_pods(tmp, files):
    """A directory of pod files, and one for the output."""
    (tmp / "in/etc").mkdir(parents=True)
    out = tmp / "out"
    out.mkdir()
    for name, text in files.items():
        path = tmp / "in/etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return out


def p2_limits(tmp):
    """P2: a line of 2 MiB, 100 000 lines, endless continuation, 5 MiB: an error with its line; others are generated."""
    out = new_pods(tmp, {"long.pod": GOOD + "Environment=A=" + "x" * (2 << 20) + "\n", "lines.pod": GOOD + "#\n" * 100000,
                         "endless.pod": GOOD + "Environment=\\\n" * 60000, "big.pod": GOOD + "#" * (5 << 20),
                         "words.pod": GOOD + "Environment=" + "A=1 " * 250000, "good.pod": GOOD,
                         "assignments.pod": GOOD + "Environment=A=1\n" * 20000,
                         "keys.pod": GOOD + "Imagge=1\n" * 60000, "refs.pod": GOOD + "After=" + "shap " * 15000,
                         "sections.pod": "".join(f"[Volume a{i}]\n" for i in range(60000)) + GOOD})
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    status, messages = generate(tmp, out)
    assert status == 0
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 3
    for text in ("long.pod:3: line is longer", "lines.pod:65537: file has more than 65536 lines", "big.pod: file is larger",
                 "words.pod:3: [App] Environment: the pod has too many", "assignments.pod:10002: [App] Environment: the pod",
                 "keys.pod:3: [App] Imagge: unknown key", "refs.pod:3: [App] After: there is no app 'shap'",
                 "sections.pod:1001: [Volume a1000] the pod has more than 1000 sections"):
        assert text in messages, messages
    assert (out / "pod@good.service.d/50-pod.conf").exists()


def p4_and_others(tmp):
    """P4: keys twice: lists grow, of scalars the last one counts. P9: a lone % and an unknown specifier. P14: a template's instance
    and a file that are one unit: an error for the second; apps that wait for each other. P16: a bad drop-in costs that pod only."""
    out = new_pods(tmp, {"twice.pod": "[Pod]\nHostName=a\nHostName=b\n" + GOOD + "Environment=A=1\nEnvironment=B=2\n",
                         "end.pod": GOOD + "Environment=A=100%\n", "unknown.pod": GOOD + "Environment=A=%Z\n",
                         "t@.pod": "[Pod]\nInstances=x\n" + GOOD, "t-x.pod": GOOD,
                         "cycle.pod": "[App a]\nImage=i\nAfter=b\n[App b]\nImage=i\nAfter=a\n",
                         "drop.pod": GOOD, "drop.pod.d/x.conf": "[App]\nImagge=x\n", "good.pod": GOOD,
                         "good.pod.d/x.conf": "[Service]\nCPUWeight=7\n"})
    status, messages = generate(tmp, out)
    assert status == 0
    for text in ("end.pod:", "unknown.pod:", "cycle.pod:", "drop.pod.d/x.conf:2: [App] Imagge: unknown key", "t-x"):
        assert text in messages, (text, messages)
    assert "twice.pod" not in messages and "good.pod" not in messages
    assert "CPUWeight=7" in (out / "pod@good.service.d/50-pod.conf").read_text()
    merged = rkt(tmp, "pod", "cat", "twice")[1]
    assert "Environment=A=1" in merged and "Environment=B=2" in merged, merged
    assert rkt(tmp, "pod", "check", "in/etc/twice.pod", "in/etc/good.pod") == (0, "", "")


def p11_odd_files(tmp):
    """P11: a FIFO, a link to one, a device, an unreadable file: no hang, others are generated."""
    out = new_pods(tmp, {"good.pod": GOOD, "fifo.pod.d/keep": ""})
    etc = tmp / "in/etc"
    os.mkfifo(etc / "fifo.pod")
    (etc / "link.pod").symlink_to("fifo.pod")
    (etc / "zero.pod").symlink_to("/dev/zero")
    os.mkfifo(etc / "fifo.pod.d/x.conf")
    status, messages = generate(tmp, out)
    assert status == 0
    assert messages.count("not a regular file") == 4, messages
    assert (out / "pod@good.service.d/50-pod.conf").exists()


def p12_many(tmp):
    """P12: 5000 pods in less than a second of our own time and 64 MiB."""
    out = new_pods(tmp, {f"p{i}.pod": GOOD for i in range(5000)})
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    status, messages = generate(tmp, out)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert status == 0, messages
    assert len(list(out.iterdir())) == 5000
    used = after.ru_utime - before.ru_utime
    if b"__asan_init" in GENERATOR.read_bytes():
        return  # a sanitizer has its own time and memory
    assert used < 1, f"{used} s of CPU, {time.monotonic() - start} s"
    assert after.ru_maxrss < 64 << 10, after.ru_maxrss


def p13_no_space(tmp):
    """P13: a file that cannot be written: exit status 1, nothing half-written, the others are there."""
    out = new_pods(tmp, {"a.pod": GOOD, "b.pod": GOOD + "[Service]\nEnvironment=A=" + "x" * 9000 + "\n", "c.pod": GOOD})
    status, messages = generate(tmp, out, preexec_fn=lambda: (
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))))
    assert status == 1, messages
    assert "cannot write pod@b.service.d/50-pod.conf: File too large" in messages, messages
    files = [str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()]
    assert sorted(files) == ["pod@a.service.d/50-pod.conf", "pod@c.service.d/50-pod.conf"], files
    status, messages = generate(tmp, tmp / "missing")
    assert status == 1
    assert "cannot write" in messages


def p15_bare(tmp):
    """P15: closed standard streams, an empty environment."""
    out = new_pods(tmp, {"good.pod": GOOD})
    pid = os.fork()
    if pid == 0:
        os.chdir(tmp)
        os.closerange(0, 64)
        os.execve(GENERATOR, [str(GENERATOR), str(out)], {"RKT_PODS_PATH": "in/etc"})
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (out / "pod@good.service.d/50-pod.conf").read_text().startswith("# Made by")


def p17_killed(tmp):
    """P17: a run that was killed leaves nothing that disturbs the next one."""
    out = new_pods(tmp, {f"p{i}.pod": GOOD for i in range(300)})
    clean = tmp / "clean"
    clean.mkdir()
    generate(tmp, clean)
    child = subprocess.Popen([GENERATOR, out], cwd=tmp, env={"RKT_PODS_PATH": "in/etc"})
    time.sleep(0.003)
    child.kill()
    child.wait()
    assert generate(tmp, out)[0] == 0
    for name in tree(clean):
        assert filecmp.cmp(clean / name, out / name, shallow=False)


def scopes(tmp):
    """Nothing in the initrd, nothing for a user's manager; wrong arguments are refused."""
    out = new_pods(tmp, {"good.pod": GOOD})
    for env in ({"SYSTEMD_IN_INITRD": "1"}, {"SYSTEMD_SCOPE": "user"}):
        assert generate(tmp, out, env=env) == (0, "")
        assert not list(out.iterdir())
    assert subprocess.run([GENERATOR, "a", "b"], stderr=subprocess.DEVNULL, check=False).returncode == 1


def messages_are_few(tmp):
    """At most 20 records go to the kernel's log, one per message."""
    out = new_pods(tmp, {f"p{i}.pod": "[App]\n" for i in range(50)})
    log = tmp / "kmsg"
    log.touch()
    assert generate(tmp, out, env={"RKT_GENERATOR_LOG": str(log)}) == (0, "")
    lines = log.read_text().splitlines()
    assert len(lines) == 21 and lines[-1].endswith("]: ... and 30 more; see rkt pod check"), lines
    assert lines[0].startswith("<3>rkt-pod-generator[") and lines[0].endswith("in/etc/p0.pod:1: [App] Image= is missing")


def libc_only(_):
    """The generator is linked to libc, or to nothing."""
    done = subprocess.run(["readelf", "-d", GENERATOR], capture_output=True, text=True, check=True)
    needed = [line.split("[")[1].rstrip("]") for line in done.stdout.splitlines() if "(NEEDED)" in line]
    sanitizers = ("libasan", "libubsan", "libgcc_s", "libm.so", "libclang")
    assert all(n.startswith(("libc.so", "ld-linux") + sanitizers) for n in needed), needed


def verbs(tmp):
    """rkt pod check FILE, --json, list, cat: exit codes and what is in them."""
    new_pods(tmp, {"good.pod": GOOD + "[Service]\nCPUWeight=10\n", "bad.pod": "[App]\nImagge=x\n", "no-name": GOOD,
                   "good.pod.d/x.conf": "[App]\nImage=\nImage=example.com/y\n[Service]\nCPUWeight=20\n",
                   "later.pod": "[Pod]\nStage1=fly\n[App]\nImage=docker://redis\n"})
    assert rkt(tmp, "pod", "check", "in/etc/good.pod") == (0, "", "")
    status, out, err = rkt(tmp, "pod", "check", "in/etc/bad.pod", "in/etc/no-name", "in/etc/later.pod")
    assert (status, err) == (1, "in/etc/later.pod:2: [Pod] Stage1: fly is not supported yet\n"), err
    assert "in/etc/bad.pod:2: [App] Imagge: unknown key (did you mean Image=?)\n" in out
    assert "in/etc/no-name: not a pod file's name (NAME.pod)\n" in out
    status, out, _ = rkt(tmp, "pod", "check", "--json", "in/etc/bad.pod")
    assert status == 1
    assert json.loads(out)["errors"][1] == {"file": "in/etc/bad.pod", "line": 2, "section": "App", "key": "Imagge",
                                            "message": "unknown key (did you mean Image=?)"}
    assert rkt(tmp, "pod", "cat", "good")[:2] == (0, "[App]\n# in/etc/good.pod.d/x.conf:3\nImage=example.com/y\n\n"
                                                  "[Service]\n# in/etc/good.pod:4\nCPUWeight=10\n"
                                                  "# in/etc/good.pod.d/x.conf:5\nCPUWeight=20\n")
    status, _, err = rkt(tmp, "pod", "cat", "nothing")
    assert (status, err) == (254, "cat: there is no pod file for 'nothing' (see rkt pod list)\n"), err
    status, out, _ = rkt(tmp, "pod", "list", "--format=json")
    pods = json.loads(out)
    assert [(p["name"], p["images"]) for p in pods] == [("bad", "-"), ("good", "example.com/y"),
                                                        ("later", "docker://redis")], pods
    assert pods[0]["error"].endswith("Image= is missing (and 1 more)")


def diff(tmp):
    """rkt pod diff: what a reload would change, by the generator's own code; comments do not count; exit codes as diff's."""
    out = new_pods(tmp, {"same.pod": GOOD, "less.pod": GOOD, "gone.pod": GOOD, "worse.pod": GOOD, "timed.pod": GOOD + "[Timer]\nOnCalendar=daily\n",
                         "more.pod": GOOD + "[Service]\nCPUWeight=10\n[Install]\nWantedBy=multi-user.target\n"})
    env = {"RKT_GENERATOR_DIR": str(out)}
    assert generate(tmp, out)[0] == 0
    assert rkt(tmp, "pod", "diff", env=env) == (0, "", "")
    etc = tmp / "in/etc"
    (etc / "same.pod").write_text("# a comment\n" + GOOD.replace("=", " = "))
    (etc / "gone.pod").unlink()
    (etc / "worse.pod").write_text("[App]\nImagge=x\n")
    (etc / "new.pod").write_text(GOOD)
    (etc / "timed.pod").write_text(GOOD)
    (etc / "more.pod.d").mkdir()
    (etc / "more.pod.d/x.conf").write_text("[Service]\nCPUWeight=20\n[Install]\nWantedBy=pods.target\n")
    status, text, _ = rkt(tmp, "pod", "diff", env=env)
    unit = f"{out}/pod@more.service.d/50-pod.conf"
    assert status == 1
    assert f"""pod more: changed
--- {unit}
+++ {unit}
@@ -3,3 +3,4 @@
 
 [Service]
 CPUWeight=10
+CPUWeight=20
--- {out}
+++ {out}
@@ -1 +1,2 @@
 multi-user.target.wants/pod@more.service
+pods.target.wants/pod@more.service
pod new: added
""" in text, text
    assert "pod gone: removed\n" in text and "pod same" not in text and "pod less" not in text
    assert "pod timed: changed" in text and "\n-OnCalendar=daily\n" in text and "\n-timers.target.wants/pod@timed.timer\n" in text
    worse = text[text.index("pod worse"):].splitlines()
    assert worse[:2] == ["pod worse: broken", "in/etc/worse.pod:1: [App] Image= is missing"] and "Imagge: unknown" in worse[2], worse
    status, text, _ = rkt(tmp, "pod", "diff", "--format=json", "more", "worse", "same", env=env)
    found = json.loads(text)
    assert status == 1 and [(p["name"], p["change"], len(p["errors"])) for p in found] == [("more", "changed", 0), ("worse", "broken", 2)]
    assert rkt(tmp, "pod", "diff", "same", env=env) == (0, "", "")
    status, _, err = rkt(tmp, "pod", "diff", "new", env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"})
    assert status == 254 and err.startswith("diff: cannot tell which pods run: cannot connect to the system bus"), err
    status, _, err = rkt(tmp, "pod", "diff", "nothing", env=env)
    assert status == 254 and err.startswith("diff: there is no pod file for 'nothing'"), err


CASES = [diff, verbs, p2_limits, p4_and_others, p11_odd_files, p12_many, p13_no_space, p15_bare, p17_killed, scopes, messages_are_few, libc_only]


def main():
    """All cases."""
    cases = sorted(p for p in GOLDEN.iterdir() if (p / "in").is_dir())
    print(f"1..{len(cases) + len(CASES)}")
    for case in cases:
        with tempfile.TemporaryDirectory(dir=MEMORY) as tmp:
            report(case.name, golden(case, pathlib.Path(tmp)))
    for test in CASES:
        with tempfile.TemporaryDirectory(dir=MEMORY) as tmp:
            try:
                test(pathlib.Path(tmp))
                problem = None
            except (AssertionError, OSError, subprocess.SubprocessError) as e:
                problem = f"{type(e).__name__}: {e}"
            report(test.__name__.replace("_", "-"), problem)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden tests of "rkt pod import-quadlet", without root: quadlet-test.py RKT SOURCE-ROOT [--update]

A case is a directory test/golden/quadlet/CASE with in/ (Quadlet's files), expected/ (what is written) and notes (the exit code and
standard error). Whatever is written must pass "rkt pod check". $HERE stands for the working directory. Output is TAP."""
import difflib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

RKT, ROOT = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
UPDATE = "--update" in sys.argv or os.environ.get("RKT_TEST_UPDATE")
GOLDEN = ROOT / "test/golden/quadlet"
results = []


def rkt(cwd, *args):
    """(exit code, standard output, standard error)"""
    done = subprocess.run([RKT, *args], cwd=cwd, capture_output=True, timeout=60, check=False, env={"LC_ALL": "C"})
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


def tree(path):
    """All files with their text."""
    return {str(p.relative_to(path)): p.read_text(encoding="utf-8") for p in sorted(path.rglob("*")) if p.is_file()}


def differences(name, expected, actual):
    """A diff of two texts."""
    return "".join(difflib.unified_diff(expected.splitlines(True), actual.splitlines(True), name, "now"))


def golden(case, tmp):
    """One case; returns the problem."""
    shutil.copytree(case / "in", tmp / "in", symlinks=True)
    status, out, err = rkt(tmp, "pod", "import-quadlet", "--output=out", "in")
    written = {n: t.replace(str(tmp), "$HERE") for n, t in (tree(tmp / "out") if (tmp / "out").exists() else {}).items()}
    notes = f"exit {status}\n{err}".replace(str(tmp), "$HERE")
    assert sorted(out.splitlines()) == sorted(f"out/{n}" for n in written), out
    pods = [f"out/{n}" for n in written if n.endswith(".pod")]
    if pods:
        assert rkt(tmp, "pod", "check", *pods)[:2] == (0, ""), rkt(tmp, "pod", "check", *pods)
    if UPDATE:
        shutil.rmtree(case / "expected", ignore_errors=True)
        for name, text in written.items():
            (case / "expected" / name).parent.mkdir(parents=True, exist_ok=True)
            (case / "expected" / name).write_text(text)
        (case / "notes").write_text(notes)
        return None
    expected = tree(case / "expected") if (case / "expected").exists() else {}
    problem = differences("notes", (case / "notes").read_text(), notes)
    for name in sorted(set(expected) | set(written)):
        problem += differences(name, expected.get(name, ""), written.get(name, ""))
    return problem or None


def nothing_is_overwritten(tmp):
    """A file that exists stays, and is named; --force replaces it; --dry-run writes nothing; the same twice gives the same."""
    (tmp / "in").mkdir()
    (tmp / "in/web.container").write_text("[Container]\nImage=quay.io/a/b\n")
    status, out, _ = rkt(tmp, "pod", "import-quadlet", "--output=out", "--dry-run", "in")
    assert status == 0 and out.startswith("### out/web.pod\n# Made by") and not (tmp / "out").exists()
    assert rkt(tmp, "pod", "import-quadlet", "--output=out", "in")[0] == 0
    first = (tmp / "out/web.pod").read_text()
    (tmp / "out/web.pod").write_text("mine")
    status, _, err = rkt(tmp, "pod", "import-quadlet", "--output=out", "in")
    assert (status, (tmp / "out/web.pod").read_text()) == (1, "mine")
    assert err.startswith("out/web.pod: exists, and is left as it is"), err
    assert rkt(tmp, "pod", "import-quadlet", "--output=out", "--force", "in")[0] == 0
    assert (tmp / "out/web.pod").read_text() == first and not list(tmp.glob("out/.*"))


def insecure_is_said(tmp):
    """Only who says --insecure-options=image gets pods that say it."""
    (tmp / "a.container").write_text("[Container]\nImage=quay.io/a/b\n")
    assert "InsecureOptions=image\n" not in rkt(tmp, "pod", "import-quadlet", "--dry-run", "a.container")[1].replace(", or InsecureOptions", "")
    out = rkt(tmp, "--insecure-options=image", "pod", "import-quadlet", "--dry-run", "a.container")[1]
    assert "[Pod]\nInsecureOptions=image\n" in out, out


def odd_files(tmp):
    """A FIFO, a directory with a Quadlet's name, a file too large, one that is not there, a loop: told, and the others are imported."""
    (tmp / "in/sub/deep").mkdir(parents=True)
    os.mkfifo(tmp / "in/fifo.container")
    (tmp / "in/dir.container").mkdir()
    (tmp / "in/big.container").write_text("[Container]\n" + "#" * (1 << 20))
    (tmp / "in/sub/deep/good.container").write_text("[Container]\nImage=quay.io/a/b\n")
    (tmp / "in/sub/loop").symlink_to(".")
    (tmp / "in/nowhere.container").symlink_to("missing")
    status, out, err = rkt(tmp, "pod", "import-quadlet", "--output=out", "in", "missing.container", "strange.txt")
    assert status == 1 and out == "out/good.pod\n", (out, err)
    for message in ("in/fifo.container: not a regular file", "in/dir.container: not a regular file", "in/big.container: file is larger than 1 MiB",
                    "in/nowhere.container: No such file", "missing.container: No such file", "strange.txt: No such file"):
        assert message in err, (message, err)


def permissions(tmp):
    """Nobody reads a password in a pod file who could not read it before: not of a container, a member, a drop-in, a volume."""
    (tmp / "in/b.container.d").mkdir(parents=True)
    texts = {"a.container": "[Container]\nImage=quay.io/a/b\nEnvironment=PASSWORD=x\n", "b.container": "[Container]\nImage=quay.io/a/b\n",
             "b.container.d/1.conf": "[Container]\nEnvironment=PASSWORD=x\n", "c.pod": "[Pod]\n",
             "member.container": "[Container]\nImage=quay.io/a/b\nPod=c.pod\n", "d.container": "[Container]\nImage=quay.io/a/b\n"}
    for name, text in texts.items():
        (tmp / "in" / name).write_text(text)
        (tmp / "in" / name).chmod({"d.container": 0o666, "member.container": 0o640}.get(name, 0o644))
    for name in ("a.container", "b.container.d/1.conf"):
        (tmp / "in" / name).chmod(0o600)
    status, _, err = rkt(tmp, "pod", "import-quadlet", "--output=out", "in")
    assert status == 0, err
    assert [oct((tmp / f"out/{n}.pod").stat().st_mode & 0o777) for n in "abcd"] == ["0o600", "0o600", "0o640", "0o644"]


def control_characters(tmp):
    """%p would say a file's name: one with a newline is not taken."""
    (tmp / "in").mkdir()
    (tmp / "in/x\nInsecureOptions=all\n.container").write_text("[Container]\nImage=quay.io/a/b\nHostName=%p\n")
    status, out, err = rkt(tmp, "pod", "import-quadlet", "--output=out", "in")
    assert (status, out) == (1, "") and "a name with control characters: rename it" in err, (out, err)


def dropins_of_nothing(tmp):
    """Drop-ins of an instance are told, with or without its link, and the instance is not made without them."""
    (tmp / "in").mkdir()
    (tmp / "in/web@.container").write_text("[Container]\nImage=quay.io/a/b\n")
    for name in ("blue", "red"):
        (tmp / f"in/web@{name}.container").symlink_to("web@.container")
    for name in ("web@blue.container", "web@lost.container", "gone.volume", "web@.container", "empty.container"):
        (tmp / f"in/{name}.d").mkdir()
    for name in ("web@blue.container", "web@lost.container", "gone.volume", "web@.container"):
        (tmp / f"in/{name}.d/1.conf").write_text("[Container]\nReadOnly=yes\n")
    status, out, err = rkt(tmp, "pod", "import-quadlet", "--output=out", "in")
    assert (status, out) == (1, "out/web@.pod\n"), (out, err)
    assert "Instances=red\n" in (tmp / "out/web@.pod").read_text()
    told = [line.split(":")[0] for line in err.splitlines() if "drop-ins of an instance" in line]
    assert told == ["in/gone.volume.d", "in/web@blue.container.d", "in/web@lost.container.d"], err
    assert rkt(tmp, "pod", "import-quadlet", "--dry-run", "in/web@.container", "in/web@blue.container")[0] == 1


def main():
    """All cases."""
    cases = sorted(p for p in GOLDEN.iterdir() if (p / "in").is_dir())
    tests = [(c.name, lambda tmp, c=c: golden(c, tmp)) for c in cases]
    tests += [(f.__name__, f) for f in (nothing_is_overwritten, insecure_is_said, odd_files, permissions, control_characters, dropins_of_nothing)]
    print(f"1..{len(tests)}")
    for name, test in tests:
        with tempfile.TemporaryDirectory() as tmp:
            try:
                problem = test(pathlib.Path(tmp).resolve())
            except (AssertionError, OSError, subprocess.SubprocessError) as e:
                problem = f"{type(e).__name__}: {e}"
        results.append(problem is None)
        print(f"{'not ok' if problem else 'ok'} {len(results)} - {name}")
        if problem:
            print("\n".join("# " + line for line in problem.splitlines()))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

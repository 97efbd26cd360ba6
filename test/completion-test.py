#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bash, zsh and fish propose for command lines, asked of the shells themselves, with real pods behind rkt.

usage: completion-test.py RKT SOURCE"""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# The line up to the cursor: words that are proposed (of bash: what replaces the last of its own words), and that are not.
CASES = [
    ("rkt sto", {"stop"}, {"start", "status"}),
    ("rkt image ex", {"export", "extract"}, {"enter"}),
    ("rkt status ", {"EXITED", "PREPARED", "shop"}, set()),
    ("rkt status EXI", {"EXITED"}, {"PREPARED", "shop"}),
    ("rkt rm sh", {"shop"}, {"EXITED"}),
    ("rkt run-prepared ", {"PREPARED"}, {"EXITED", "shop"}),
    ("rkt start ", {"EXITED", "shop"}, {"PREPARED"}),
    ("rkt enter ", set(), {"EXITED", "PREPARED", "shop"}),
    ("rkt enter shop --app=", {"web", "db"}, {"shop"}),
    ("rkt logs shop --app=w", {"web"}, {"db"}),
    ("rkt logs EXITED --app ", {"web", "db"}, {"shop"}),
    ("rkt app stop shop --app=", {"web", "db"}, {"shop"}),
    ("rkt app status shop --app=d", {"db"}, {"web"}),
    ("rkt list --format=json-", {"json-pretty"}, {"json"}),
    ("rkt run --pull-policy=n", {"new", "never"}, {"update"}),
    ("rkt list --no-l", {"--no-legend"}, {"--full"}),
    ("rkt --deb", {"--debug"}, set()),
    ("rkt pod cat ", {"cashdesk"}, {"shop"}),
    ("rkt auto-update c", {"cashdesk"}, set()),
    ("rkt image rm ex", {"example.com/app:1.0"}, set()),
    ("rkt image cat-manifest example.com/app:", {"example.com/app:1.0"}, set()),
]

BASH = r"""
. "$1"
COMP_LINE=$2 COMP_POINT=${#2}
compopt() { :; }
_rkt rkt
printf '%s\n' "${COMPREPLY[@]}"
"""

# Its completion system needs a terminal; what of it our function calls is replaced by what tells.
ZSH = r"""
compadd() { shift; print -rl -- "$@"; }
_describe() { print -rl -- ${${(P)2}%%:*}; }
action() { case $1 in '{'*) eval "${${1#?}%?}" ;; '('*) print -rl -- ${=${1#?}%?} ;; esac; }
_arguments() {
        local spec
        for spec in "$@"; do
                case "$cur" in
                --*=*) [[ $spec != ${cur%%=*}=\[* ]] || action "${spec##*:}" ;;
                -*) [[ $spec != -* ]] || print -r -- "${${spec%%\[*}%=}" ;;
                *) [[ $spec != '*'* ]] || action "${spec##*:}" ;;
                esac
        done
}
words=(${(s: :)2}) CURRENT=$#words cur=$words[-1]
[[ $2 != *' ' ]] || { words+=('') CURRENT=$#words cur=; }
. "$1"
"""


def shell_bash(script, line, env):
    done = subprocess.run(["bash", "-c", BASH, "-", script, line], env=env, capture_output=True, text=True, timeout=60, check=False)
    return set(done.stdout.split()), done.stderr


def shell_fish(script, line, env):
    done = subprocess.run(["fish", "--no-config", "-c", 'source $argv[1]; complete --do-complete $argv[2]', script, line], env=env,
                          capture_output=True, text=True, timeout=60, check=False)
    found = {li.split("\t")[0] for li in done.stdout.splitlines()}
    return {w.split("=", 1)[1] if "=" in w and "=" in line else w for w in found}, done.stderr


def shell_zsh(script, line, env):
    line = line.replace("--app ", "--app=")  # _arguments knows both
    done = subprocess.run(["zsh", "-f", "-c", ZSH, "-", script, line], env=env, capture_output=True, text=True, timeout=60, check=False)
    typed = line.split(" ")[-1]
    typed = typed.split("=", 1)[1] if "=" in typed else typed
    return {w for w in done.stdout.splitlines() if w.startswith(typed)}, done.stderr


def prepare(golden, rkt, source, work):
    """A directory with a program `rkt` that knows our pods, pod files and an image; the words for the cases."""
    golden.make_pods(f"{work}/data")
    os.mkdir(f"{work}/bin")
    path = pathlib.Path(work, "bin/rkt")
    path.write_text(f"""#!/bin/sh
case "$1 $2" in
'pod list') printf 'cashdesk\\t/etc/rkt/pods/cashdesk.pod\\n' ;;
'image list') printf 'example.com/app:1.0\\tsha512-0123456789ab\\n' ;;
*) exec {rkt} "$@" --dir={work}/data ;;
esac
""")
    path.chmod(0o755)
    env = {**os.environ, "PATH": f"{work}/bin:{os.environ['PATH']}", "HOME": work, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    return env, {"EXITED": golden.EXITED, "PREPARED": golden.PREPARED}


def main():
    rkt, source = os.path.abspath(sys.argv[1]), sys.argv[2]
    spec = importlib.util.spec_from_file_location("golden", f"{source}/test/cli-golden.py")
    golden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        env, words = prepare(golden, rkt, source, work)

        def real(text):
            for short, uuid in words.items():
                text = text.replace(short, uuid) if short in text else text.replace("EXI", golden.EXITED[:3])
            return text

        for shell, ask, name in (("bash", shell_bash, "rkt"), ("zsh", shell_zsh, "_rkt"), ("fish", shell_fish, "rkt.fish")):
            if not shutil.which(shell):
                print(f"skipped: {shell} is not installed")
                continue
            os.makedirs(f"{work}/{shell}")
            script = f"{work}/{shell}/{name}"
            pathlib.Path(script).write_text(subprocess.run([rkt, "completion", shell], capture_output=True, text=True, check=True).stdout)
            for line, wanted, unwanted in CASES:
                found, said = ask(script, real(line), env)
                wanted = {real(w) for w in wanted}
                if shell == "bash":  # breaks words at a colon
                    wanted = {w.rsplit(":", 1)[1] if ":" in line and ":" in w else w for w in wanted}
                if not wanted <= found or found & {real(w) for w in unwanted} or said:
                    failed += 1
                    print(f"FAIL {shell}: '{real(line)}': wanted {wanted}, not {unwanted}, got {sorted(found)[:20]} {said}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line under odd circumstances: robustness.md, the table C."""
import ctypes
import json
import os
import pathlib
import resource
import signal
import subprocess
import time

import pytest

from images import aci

RKT = "/usr/bin/rkt"
RUN = ["--insecure-options=image", "run", "--net=none"]


def closed(*fds):
    """For preexec_fn: these descriptors are closed."""
    return lambda: [os.close(fd) for fd in fds]


def limited(what, value):
    """For preexec_fn: a resource limit."""
    return lambda: resource.setrlimit(what, (value, value))


def test_no_arguments_at_all():
    """C1: argc is 0: the list of commands, or an error; no crash."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open("/dev/null", os.O_RDWR), 1)
        os.dup2(1, 2)
        ctypes.CDLL(None).execve(RKT.encode(), (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))
        os._exit(99)
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) in (2, 254)


@pytest.mark.parametrize("fds", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_closed_descriptors(host, pods, images, tmp_path, fds):
    """C1: standard descriptors that are closed: no file of ours takes their place."""
    assert pods
    for words in (["list"], ["image", "list"], ["no-such-command"]):
        subprocess.run([RKT, *words], preexec_fn=closed(*fds), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = tmp_path / "uuid"
    done = subprocess.run([RKT, *RUN, f"--uuid-file-save={file}", images.busybox, "--exec=/bin/echo", "--", "word"],
                          preexec_fn=closed(*fds), check=False, capture_output=True)
    assert done.returncode == 0 and len(file.read_text()) == 36
    assert done.stdout == (b"" if 1 in fds else b"word\n")
    pod = json.loads(host.rkt("cat-manifest", file.read_text()).out)
    assert pod["acKind"] == "PodManifest"
    host.rkt("image", "list")


@pytest.mark.parametrize("what,value", [(resource.RLIMIT_NOFILE, 8), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_STACK, 65536)])
def test_limits(host, what, value):
    """C1: little of everything: it works, or says what is missing; it does not crash."""
    for words in (["version"], ["list"], ["image", "list"]):
        done = subprocess.run([RKT, *words], preexec_fn=limited(what, value), check=False, capture_output=True, text=True)
        assert done.returncode in (0, 127, 254) and (done.returncode == 0 or done.stderr), done
    host.rkt("list")


def test_uuids(host, pods, images):
    """C2: a prefix that two pods have, none, a path, a megabyte (128 KiB: what the kernel takes)."""
    assert pods
    uuids = [host.rkt("--insecure-options=image", "prepare", "--quiet", images.busybox, "--exec=/bin/true").out.strip()]
    while uuids[-1][0] not in [u[0] for u in uuids[:-1]]:
        uuids.append(host.rkt("--insecure-options=image", "prepare", "--quiet", images.busybox, "--exec=/bin/true").out.strip())
    for word, sentence in ((uuids[-1][0], "ambiguous uuid, 2 matches"), ("", "UUID cannot be empty"),
                           ("../run", "no matches found"), ("x" * 130000, "no matches found"), ("..", "no matches found")):
        for verb in ("status", "cat-manifest", "rm"):
            done = host.rkt(verb, word, check=254)
            assert sentence in done.err and done.out == "" and len(done.err) < 140000


def test_data_directory(host, pods, images, tmp_path):
    """C4: --dir relative and through a link; one that is a file, and one that cannot be written to."""
    assert pods
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").write_text("")
    for where in ("real", "link", "./link/../real"):
        assert host.rkt(f"--dir={where}", "image", "list", "--no-legend", cwd=tmp_path).out == ""
    for flags in (["--net=none"], ["--net=none", "--detach"]):
        done = host.rkt("--dir=real", "--insecure-options=image", "run", *flags, images.busybox, "--exec=/bin/true", cwd=tmp_path)
        uuid = done.out.strip() if "--detach" in flags else ""
    host.rkt("--dir=real", "status", "--wait=60s", uuid, cwd=tmp_path)
    assert "app-busybox=0" in host.rkt(f"--dir={tmp_path}/real", "status", uuid).out
    host.rkt("--dir=link", "gc", "--grace-period=0s", cwd=tmp_path)
    assert host.rkt("--dir=real", "list", "--no-legend", cwd=tmp_path).out == ""
    for where in ("file", "/proc/1", "no/such"):
        done = host.rkt(f"--dir={where}", "fetch", "--insecure-options=image", "/no.aci", cwd=tmp_path, check=254)
        assert where in done.err or "No such file" in done.err, done


def test_words_are_literal(run_pod):
    """C5, C6: arguments and variables of any bytes; variables that are none."""
    words = [b"--", b"", b"line\nline", "ä ".encode(), b"---x", b"$HOME", b"%n"]
    out = run_pod("--set-env=V=\n", args=[b"-c", b'printf "[%s]" "$V" "$@"', b"-", *words]).stdout
    assert out == b"".join(b"[" + w + b"]" for w in [b"\n", *words])
    assert b"not UTF-8" in run_pod(args=[b"-c", b"\xff\xfe"], check=254).stderr
    for bad, said in (("A", b"must be specified as key=value"), ("=x", b"must be specified as key=value"),
                      ("1A=x", b"a variable's name is of letters")):
        assert said in run_pod(f"--set-env={bad}", check=254).stderr


@pytest.fixture
def run_pod(pods, images):
    """rkt run of a shell, with bytes for arguments."""
    assert pods

    def run(*flags, args=(b"-c", b"true"), check=0, **kwargs):
        done = subprocess.run([RKT, *RUN, *flags, images.busybox, "--exec=/bin/sh", "--", *args], capture_output=True, check=False,
                              timeout=60, **kwargs)
        assert done.returncode == check, done
        return done

    return run


def test_volume_sources(host, run_pod, images, tmp_path):
    """C7: "=" and ":" in a source are its own; a comma separates, and what follows is refused by name."""
    for name in ("a=b", "a:b", "a b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
        out = run_pod(f"--volume=v,kind=host,source={tmp_path / name}", "--mount=volume=v,target=/v", args=[b"-c", b"cat /v/f"]).stdout
        assert out.decode() == name
    done = host.rkt(*RUN, f"--volume=v,kind=host,source={tmp_path}/a,b", images.busybox, check=254)
    assert "invalid argument" in done.err and "--volume" in done.err


def test_uuid_file(host, run_pod, tmp_path):
    """C8: no link is followed; what is there already is written in place; a descriptor will do."""
    (tmp_path / "target").write_text("precious")
    (tmp_path / "link").symlink_to("target")
    done = run_pod(f"--uuid-file-save={tmp_path / 'link'}", check=254)
    assert b"cannot write the UUID" in done.stderr and (tmp_path / "target").read_text() == "precious"
    with open(tmp_path / "target", encoding="utf-8") as before:
        run_pod(f"--uuid-file-save={tmp_path / 'target'}")
        assert len(before.read()) == 36
    assert len(run_pod("--uuid-file-save=/dev/stdout").stdout) == 36
    assert host.rkt("list", "--no-legend").rc == 0


def test_ports(host, images):
    """C9: too large, negative, twice, none."""
    for ports in (["http:65536"], ["http:-1"], ["http:99999999999999999999"], ["http:"], ["http"], ["http:80:80"],
                  ["http:0x50"], ["http:1.2.3:80"]):
        done = host.rkt("--insecure-options=image", "run", *(f"--port={p}" for p in ports), images.busybox, check=254)
        assert "--port" in done.err and done.out == ""


def test_ports_that_cannot_be(host, pods, images, tmp_path):
    """C9: one port of the host for two of the pod, however its addresses are written; the host's [::1]. No pod is made. The same twice, or
    another protocol, is none of that."""
    ports = [{"name": "http", "protocol": "tcp", "port": 80}, {"name": "https", "protocol": "tcp", "port": 443},
             {"name": "dns", "protocol": "udp", "port": 53}]
    image = images.make("example.com/ports", app={"exec": ["/bin/true"], "ports": ports})
    same = "port 8080/tcp of the host would lead to two of the pod, 'http' (80) and 'https' (443): publish one of them at another"
    never = "what is sent to this address never leaves the host itself"
    for wanted, message in ((("http:8080", "https:8080"), same), (("http:8080", "https:10.0.0.1:8080"), same),
                            (("http:[fd00::1]:8080", "https:[FD00:0::1]:8080"), same), (("http:[::1]:8080",), never),
                            (("http:[::ffff:127.0.0.1]:8080",), never)):
        for verb in ("run", "prepare"):
            done = host.rkt("--insecure-options=image", verb, *(f"--port={p}" for p in wanted), image, check=254)
            assert message in done.err and done.out == "", (verb, wanted, done)
    done = host.rkt("app", "sandbox", "--port=http:tcp:80:0.0.0.0:8080", "--port=https:tcp:443:0.0.0.0:8080", check=1)
    assert "port 8080/tcp of the host would lead to two of the pod, " in done.err, done
    assert not pods.ours()
    for wanted in (("http:8080", "http:8080"), ("http:8080", "dns:8080"), ("http:10.0.0.1:8080", "https:10.0.0.2:8080")):
        host.rkt("--insecure-options=image", "prepare", *(f"--port={p}" for p in wanted), image)
    (tmp_path / "pod").write_text(json.dumps({
        "acVersion": "0.8.11", "acKind": "PodManifest", "ports": [{"name": "http", "hostPort": 8080, "hostIP": "0::1"}],
        "apps": [{"name": "main", "image": {"id": aci.image_id(image)}}]}))
    assert f"port 'http': 0::1: {never}" in host.rkt("prepare", f"--pod-manifest={tmp_path}/pod", check=254).err


def test_odd_environment(host, run_pod, tmp_path):
    """C10: no working directory, no HOME, odd locale, time zone and TMPDIR: the same behaviour."""
    (tmp_path / "gone").mkdir()
    env = {"PATH": os.environ["PATH"], "TZ": "/dev/zero", "LC_ALL": "xx_YY.none", "TMPDIR": "/proc/1/no", "HOME": ""}
    usual = host.rkt("image", "list", "--format=json").out
    odd = subprocess.run(["sh", "-c", f"cd {tmp_path}/gone; rmdir {tmp_path}/gone; unset HOME; exec rkt image list --format=json"],
                         env=env, capture_output=True, text=True, check=True)
    assert odd.stdout == usual and odd.stderr == ""
    assert run_pod(env=env, args=[b"-c", b"echo fine"]).stdout == b"fine\n"
    env = {b"PATH": os.environb[b"PATH"], b"BASH_FUNC_x%%": b"() { :; }", b"LATIN": b"\xe9", b"GOOD": b"caller"}
    assert run_pod("--inherit-env", env=env, args=[b"-c", b"env | grep -c -e BASH_FUNC -e LATIN; echo $GOOD"]).stdout == b"0\ncaller\n"


@pytest.mark.parametrize("words", [["version"], ["list"], ["image", "list"], ["help"], ["config"], ["completion", "bash"]])
def test_full_output(words):
    """C11: what cannot be written is a failure."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([RKT, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 254 and "No space left on device" in done.stderr
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "-", RKT, *words], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (0, 254)


def test_signals_at_any_time(host, pods, images):
    """C12: whenever it comes: rkt ends of it, no process is left, and gc takes what remains."""
    assert pods
    for n, number in enumerate([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGKILL] * 2):
        process = subprocess.Popen([RKT, *RUN, images.busybox, "--exec=/bin/sh", "--", "-c", "trap 'exit 0' TERM; sleep 20 & wait"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.03 * n)
        process.send_signal(number)
        if number == signal.SIGHUP and process.poll() is None:
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)  # the app's own, once it runs
        process.wait(timeout=120)
        assert process.returncode < 0 or process.returncode in (0, 1, 254), (n, number, process.returncode)
    host.wait_for("no pod runs", lambda: not [p for p in json.loads(host.rkt("list", "--format=json").out or "[]") or []
                                              if p["state"] == "running"])
    host.rkt("gc", "--grace-period=0s", "--expire-prepared=0s")
    host.rkt("image", "gc")
    states = host.pod_states()
    assert not any(states.get(d) for d in ("embryo", "prepare", "prepared", "exited-garbage", "garbage"))


def test_control_bytes(host, run_pod):
    """C13: JSON is JSON, whatever an annotation says; tables and errors do not pass control bytes on."""
    value = "a\x01\x1b[31m\n\"\\\x7f"
    done = subprocess.run([RKT, "--insecure-options=image", "list", "x\x1b[31my"], capture_output=True, check=False)
    assert b"\x1b" not in done.stdout
    run_pod()
    uuid = json.loads(host.rkt("list", "--format=json").out)[-1]["name"]
    manifest = json.loads(host.rkt("cat-manifest", uuid).out)
    manifest["userAnnotations"] = {"k": value}
    path = pathlib.Path(f"/tmp/control-{os.getpid()}.json")
    path.write_text(json.dumps(manifest))
    try:
        host.rkt("run", "--net=none", f"--pod-manifest={path}")
    finally:
        path.unlink()
    done = host.rkt("list", "--format=json")
    assert json.loads(done.out)[-1]["user_annotations"] == {"k": value} and len(done.out.splitlines()) == 1

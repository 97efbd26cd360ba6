# SPDX-License-Identifier: LGPL-2.1-or-later
"""[Socket]: the host listens, the first connection starts the pod, the descriptors reach the app. SOCK-01."""
import socket
import threading
import time

import pytest

from conftest import app_section


@pytest.fixture
def greet(images):
    """The image of a server that only takes sockets which it is handed."""
    return images.build("example.com/greet")


def pod_text(image, network, sockets):
    """A pod of that image."""
    return f"[Pod]\nNetwork={network}\nInsecureOptions=image\n\n[App greet]\nImage={image}\n\n{sockets}"


@pytest.mark.parametrize("network", ["none", "host"])
def test_first_connection_starts_the_pod(host, pods, greet, network):
    """Nothing runs before; the first request is answered by the app, and so is the next."""
    name = pods.write(f"sock-{network}", pod_text(greet, network, "[Socket]\nListenStream=127.0.0.1:18081\n"))
    host.run("systemctl", "start", f"pod@{name}.socket")
    assert host.show(f"pod@{name}", "ActiveState") == "inactive"
    for _ in range(2):
        answer = host.run("curl", "-sS", "--max-time", "30", "http://127.0.0.1:18081/").out
        assert answer.startswith("Hello from greet. 1 socket passed: ")
    host.wait_for("ready", lambda: host.is_active(f"pod@{name}"))  # an app may answer before the pod says so
    assert host.show(f"pod@{name}.socket", "SubState") == "running"


def test_connections_wait_while_it_starts(host, pods, greet):
    """Whoever connects during the start is answered: none is refused, reset or lost."""
    name = pods.write("sock-many", pod_text(greet, "none", "[Socket]\nListenStream=127.0.0.1:18082\nBacklog=64\n"))
    host.run("systemctl", "start", f"pod@{name}.socket")
    answers = []

    def ask():
        answers.append(host.run("curl", "-sS", "--max-time", "30", "http://127.0.0.1:18082/", check=False).rc)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [0] * 20


def test_names_and_several_sockets(host, pods, greet, tmp_path):
    """Two listeners, one of them a unix socket; FileDescriptorName= survives nspawn, which drops names."""
    name = pods.write("sock-two", pod_text(greet, "none", "[Socket]\nListenStream=127.0.0.1:18083\n"
                                           f"ListenStream={tmp_path}/greet.sock\nFileDescriptorName=web\n"))
    host.run("systemctl", "start", f"pod@{name}.socket")
    expected = "Hello from greet. 2 sockets passed: web:web\n"
    assert host.run("curl", "-sS", "--max-time", "30", "--unix-socket", tmp_path / "greet.sock", "http://x/").out == expected
    assert host.run("curl", "-sS", "--max-time", "30", "http://127.0.0.1:18083/").out == expected


def test_a_typo_takes_no_socket_and_no_limit(host, pods, greet, tmp_path):
    """The file of a running pod breaks, and systemd reloads: what listened listens, limits stay; after the repair
    nothing needs a restart."""
    limits = "[Service]\nMemoryMax=1G\nTimeoutStopSec=200\nRestart=on-failure\n"
    good = pod_text(greet, "none", f"[Socket]\nListenStream={tmp_path}/typo.sock\n{limits}")
    name = pods.write("sock-typo", good)
    host.run("systemctl", "start", f"pod@{name}.socket")

    def look():
        answer = host.run("curl", "-sS", "--max-time", "60", "--unix-socket", tmp_path / "typo.sock", "http://x/").out
        kept = host.show(f"pod@{name}", "MemoryMax", "TimeoutStopUSec", "Restart", "MainPID")
        return answer.split(".")[0], host.show(f"pod@{name}.socket", "ActiveState", "SubState"), kept

    before = look()
    host.wait_for("ready", lambda: host.is_active(f"pod@{name}"))
    assert before[2]["MemoryMax"] == "1073741824" and before[2]["TimeoutStopUSec"] == "3min 20s"
    pods.write(name, good.replace("Image=", "Imagge=") + "[Service]\nMemoryHigh=much\n")
    assert look() == before
    pods.write(name, good)
    assert look() == before
    pods.stop(name)
    assert look()[:2] == before[:2]


def test_datagrams(host, pods, images, tmp_path):
    """ListenDatagram=: the first datagram starts the pod, and is the app's to read, as is one that comes while it runs; so it is
    again after the pod's end."""
    tmp_path.chmod(0o777)
    script = "for n in 1 2; do dd bs=2048 count=1 of=/out/new <&3; echo -n .$LISTEN_FDS >> /out/new; mv /out/new /out/$n; done"
    name = pods.write("sock-udp", f"[Pod]\nNetwork=none\nInsecureOptions=image\n\n{app_section('main', images.busybox, script)}"
                      f"Volume={tmp_path}:/out\n[Socket]\nListenDatagram=127.0.0.1:18091\n")
    host.run("systemctl", "start", f"pod@{name}.socket")
    for start in ("first", "second"):
        assert host.show(f"pod@{name}", "ActiveState") == "inactive"
        for n in "12":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(f"{start}-{n}".encode(), ("127.0.0.1", 18091))
            host.wait_for("it is read", (tmp_path / n).exists, timeout=60)
            assert (tmp_path / n).read_text() == f"{start}-{n}.1"
            (tmp_path / n).unlink()
        assert pods.ended(name)["Result"] == "success"
    assert host.show(f"pod@{name}.socket", "ActiveState") == "active"


def test_stop_keeps_listening(host, pods, greet):
    """The pod stops, the socket stays, the next connection starts a new pod."""
    name = pods.write("sock-again", pod_text(greet, "none", "[Socket]\nListenStream=127.0.0.1:18084\n"))
    host.run("systemctl", "start", f"pod@{name}.socket")
    for _ in range(2):
        assert host.run("curl", "-sS", "--max-time", "30", "http://127.0.0.1:18084/").out.startswith("Hello")
        pods.stop(name)
        assert not host.is_active(f"pod@{name}")
        assert host.show(f"pod@{name}.socket", "ActiveState") == "active"


def test_the_right_app_gets_it(host, pods, greet, images):
    """App= says which app; the other one is handed nothing."""
    script = 'Exec=/bin/sh -c "echo fds=$LISTEN_FDS.; exec sleep infinity"\n'
    name = pods.write("sock-app", "[Pod]\nNetwork=none\nInsecureOptions=image\n"
                      f"[App other]\nImage={images.busybox}\n{script}[App greet]\nImage={greet}\n"
                      "[Socket]\nApp=greet\nListenStream=127.0.0.1:18085\n")
    host.run("systemctl", "start", f"pod@{name}.socket")
    assert host.run("curl", "-sS", "--max-time", "30", "http://127.0.0.1:18085/").out.startswith("Hello")
    host.wait_for("the other app says so", lambda: "fds=." in host.journal("-M", name, "-t", "other"))


def test_socket_of_a_broken_pod(host, pods, images):
    """A pod that cannot start does not leave the client hanging: its connection ends."""
    name = pods.write("sock-bad", "[Pod]\nNetwork=none\nInsecureOptions=image\n"
                      f"[App main]\nImage={images.cache}/nothing.aci\n[Socket]\nListenStream=127.0.0.1:18086\n")
    host.run("systemctl", "start", f"pod@{name}.socket")
    with socket.create_connection(("127.0.0.1", 18086), timeout=60) as client:
        client.settimeout(60)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            assert client.recv(100) == b""
        except ConnectionResetError:
            pass
    assert host.show(f"pod@{name}", "ActiveState") in ("failed", "inactive")


def test_install_is_the_sockets(host, pods, greet):
    """With [Socket], [Install] wants the socket, not the service."""
    name = pods.write("sock-inst", pod_text(greet, "none", "[Socket]\nListenStream=127.0.0.1:18087\n"
                                            "[Install]\nWantedBy=sockets.target\n"))
    assert f"pod@{name}.socket" in host.show("sockets.target", "Wants").split()
    assert f"pod@{name}.service" not in host.show("sockets.target", "Wants").split()


@pytest.mark.parametrize("line", ["ListenFIFO=/run/x", "ListenNetlink=kobject-uevent 1", "Accept=yes"])
def test_refused_kinds(host, pods, greet, line):
    """What nspawn's PID 1 cannot be handed is refused by the check, with its line."""
    name = pods.write("sock-no", pod_text(greet, "none", f"[Socket]\nListenStream=127.0.0.1:18088\n{line}\n"))
    refused = host.rkt("pod", "check", f"/etc/rkt/pods/{name}.pod", check=1)
    assert line.split("=")[0] in refused.all and f"{name}.pod:" in refused.all


def ask(host, port):
    """What a request is answered."""
    return host.run("curl", "-sS", "--max-time", "60", f"http://127.0.0.1:{port}/").out


def test_proxy_and_idle_exit(host, pods, images):
    """Proxy=: an app that cannot take descriptors is reached in its private network, from the first connection on; IdleExit=: the pod
    ends when nobody is connected, and starts again; no connection is lost, also not of those that come while it ends (SPX-01, row S16)."""
    script = "mkdir -p /tmp/w; echo hello > /tmp/w/index.html; sleep 0.5; exec httpd -f -p 127.0.0.1:8080 -h /tmp/w"
    name = pods.write("sock-proxy", "[Pod]\nNetwork=none\nInsecureOptions=image\n[App web]\n"
                      f'Image={images.busybox}\nExec=/bin/sh -c "{script}"\n'
                      "[Socket]\nListenStream=127.0.0.1:18090\nProxy=8080\nIdleExit=1s\n")
    host.run("systemctl", "start", f"pod@{name}.socket")
    assert ask(host, 18090) == "hello\n"
    assert pods.ended(name)["Result"] == "success"
    assert host.show(f"pod@{name}.socket", "ActiveState") == "active"
    starts = set()
    for n in range(10):  # some of them around the end
        assert ask(host, 18090) == "hello\n"
        starts.add(host.show(f"pod@{name}", "InvocationID"))
        time.sleep(0.95 + 0.02 * n)
    assert len(starts) > 1, "it never ended"
    refused = host.rkt("pod", "check", f"/etc/rkt/pods/{pods.write('sock-no', pod_text(images.busybox, 'none', SOCKETS_REFUSED))}.pod", check=1)
    assert "IdleExit: needs Proxy=" in refused.all and "Proxy: only for ListenStream=" in refused.all


SOCKETS_REFUSED = "[Socket a]\nListenStream=1\nIdleExit=1s\n[Socket b]\nListenDatagram=2\nProxy=3\n"

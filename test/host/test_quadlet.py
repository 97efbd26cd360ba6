# SPDX-License-Identifier: LGPL-2.1-or-later
"""rkt pod import-quadlet: a pod made of Quadlet's files runs, and does what they say. What each key becomes is pinned by
test/quadlet-test.py."""
import pathlib

from conftest import POD_DIR, PREFIX
from test_auto_update import BASE
from images import oci

NAME = PREFIX + "quadlet"
CONTAINER = """\
[Unit]
Description=From Quadlet

[Container]
Image={image}
Entrypoint=/bin/sh
Exec=-c 'echo "$$GREETING" >/data/greeting; cat "$$TOKEN_FILE" >/data/token; cp /etc/x.conf /data/x; touch /no 2>/data/error; echo $$@ >/data/words; \
        grep CapBnd /proc/self/status >/data/caps; exec sleep infinity' sh one "two  three"
Environment="GREETING=hello world" TOKEN_FILE=/run/secrets/{name}
Secret={name}
Volume={name}.volume:/data
Volume=./x.conf:/etc/x.conf:ro
Network=none
ReadOnly=true
DropCapability=all
AddCapability=kill
StopSignal=SIGKILL

[Service]
MemoryMax=200M
"""


def test_import_and_run(host, no_images, installed, fake_registry, pods, tmp_path):  # pylint: disable=unused-argument
    """A .container with a volume, a secret, a drop-in and a file beside it, of an image of a registry: imported, it starts, and its app
    sees all of it; the secret is in the credential that the note names."""
    fake_registry.publish(oci.Image([BASE], app={"Entrypoint": ["/bin/false"], "Cmd": ["/bin/false"]}))
    (tmp_path / f"{NAME}.container").write_text(CONTAINER.format(image=f"{fake_registry.host}/a/b:latest", name=NAME))
    (tmp_path / f"{NAME}.container.d").mkdir()
    (tmp_path / f"{NAME}.container.d/10.conf").write_text("[Container]\nStopSignal=SIGKILL\nPidsLimit=50\n")
    (tmp_path / f"{NAME}.volume").write_text("[Volume]\n")
    (tmp_path / "x.conf").write_text("x of the host\n")
    secret = pathlib.Path("/etc/credstore", NAME)
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.write_text("s3cret\n")
    try:
        done = host.rkt("--insecure-options=image", "pod", "import-quadlet", str(tmp_path))
        assert done.out == f"{POD_DIR}/{NAME}.pod\n"
        assert "podman secret inspect" in done.err and f"/run/credentials/{NAME}.service" in done.err
        assert host.rkt("pod", "check", f"{POD_DIR}/{NAME}.pod").out == ""
        pods.names.append(NAME)
        host.run("systemctl", "daemon-reload")
        pods.start(NAME)
        data = pathlib.Path("/var/lib/rkt/volumes", NAME, NAME)
        host.wait_for("the app", lambda: (data / "caps").exists() and (data / "caps").read_text(), 60)
        said = {p.name: p.read_text().strip() for p in data.iterdir()}
        assert said["greeting"] == "hello world" and said["token"] == "s3cret" and said["x"] == "x of the host"
        assert said["words"] == "one two three" and "Read-only" in said["error"] and said["caps"].split()[1] == "0000000000000020"
        assert host.show(f"{NAME}.service", "TasksMax", machine=NAME) == "50", "PidsLimit="
        assert host.show(f"pod@{NAME}", "MemoryMax") == str(200 << 20) and host.show(f"pod@{NAME}", "Description") == "From Quadlet"
    finally:
        secret.unlink()

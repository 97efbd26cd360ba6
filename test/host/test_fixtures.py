# SPDX-License-Identifier: LGPL-2.1-or-later
"""The suite's own tools: what they make is what other programs than ours say it is."""
import json
import os
import tarfile

import pytest

from images import aci


@pytest.mark.parametrize("compression", list(aci.COMPRESSORS))
def test_aci_layout(images, host, compression):
    """An ACI is a manifest and a rootfs, in every compression."""
    path = images.build("example.com/greet", compression=compression)
    with tarfile.open(path) as tar:
        names = tar.getnames()
        doc = json.load(tar.extractfile("manifest"))
    assert names[0] == "manifest" and "rootfs/usr/bin/greet" in names
    assert all(n == "manifest" or n == "rootfs" or n.startswith("rootfs/") for n in names)
    assert doc["acKind"] == "ImageManifest" and doc["name"] == "example.com/greet"
    assert host.run("file", "--brief", path).out.split()[0].lower() in ("gzip", "bzip2", "xz", "posix")


def test_links_are_kept(images):
    """Targets of symbolic links are not renamed along with the entries."""
    with tarfile.open(images.busybox) as tar:
        assert tar.getmember("rootfs/bin").linkname == "usr/bin"
        assert tar.getmember("rootfs/usr/bin/sh").linkname == "busybox"


def test_hard_links_stay_inside(tmp_path):
    """Targets of hard links are members' names, and are renamed with them."""
    (tmp_path / "some_root").mkdir()
    (tmp_path / "some_root/a").write_text("x")
    os.link(tmp_path / "some_root/a", tmp_path / "some_root/b")
    with tarfile.open(aci.pack(f"{tmp_path}/a.aci", aci.manifest("example.com/x"), f"{tmp_path}/some_root")) as tar:
        assert tar.getmember("rootfs/b").islnk() and tar.getmember("rootfs/b").linkname == "rootfs/a"


def test_image_id(images, host):
    """The key is the first half of the SHA-512 of the uncompressed tar, whatever the compression."""
    path = images.build("example.com/greet")
    digest = host.sh(f"gzip -dc {path} | sha512sum").out[:64]
    assert aci.image_id(path) == "sha512-" + digest
    assert aci.image_id(images.build("example.com/greet", compression="xz")) == "sha512-" + digest


@pytest.mark.parametrize("kind,command", [(aci.web_root, ["/usr/sbin/nginx", "-t", "-c", "/etc/nginx/shop.conf"]),
                                          (aci.redis_root, ["/usr/bin/redis-server", "--version"]),
                                          (aci.busybox_root, ["/bin/sh", "-c", "id -un"])])
def test_roots_run(host, images, kind, command):
    """A root made from Debian's packages runs its program."""
    root = aci.cached_root(kind, images.cache)
    host.run("unshare", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs {root}/run && mount --bind /dev {root}/dev && "
             'exec chroot "$@"', "chroot", root, *command)


def test_greet_takes_sockets(host, images):
    """The socket-activated server answers with what it was handed."""
    root = aci.cached_root(aci.greet_root, images.cache)
    with host.spawn("systemd-socket-activate", "-l", "127.0.0.1:18080", "--fdname=http", f"{root}/usr/bin/greet") as p:
        try:
            answer = host.wait_for("greet", lambda: host.run("curl", "-sS", "http://127.0.0.1:18080/", check=False).out)
        finally:
            p.terminate()
    assert answer == "Hello from greet. 1 socket passed: http\n"
    assert host.run(f"{root}/usr/bin/greet", check=3).err.startswith("greet: no sockets were passed")


def test_server_serves_and_signs(host, server, images, signer, tmp_path):
    """curl, without any option, believes the certificate, finds the image by its page, and gpgv believes the image."""
    url = server.publish("example.com/greet", images.build("example.com/greet"), key=signer)
    server.publish_key(signer)
    page = host.run("curl", "-fsS", "https://example.com/?ac-discovery=1").out
    assert 'content="example.com https://example.com/aci/{name}-{version}-{os}-{arch}.{ext}"' in page
    assert host.run("curl", "-fsS", "https://example.com/greet?ac-discovery=1", check=22)
    host.run("curl", "-fsS", "-o", tmp_path / "a.aci", url)
    host.run("curl", "-fsS", "-o", tmp_path / "a.asc", url + ".asc")
    host.run("curl", "-fsS", "-o", tmp_path / "key.asc", "https://example.com/pubkeys.gpg")
    host.run("gpg", "--batch", "--dearmor", "--output", tmp_path / "key.gpg", tmp_path / "key.asc")
    host.run("gpgv", "--keyring", tmp_path / "key.gpg", tmp_path / "a.asc", tmp_path / "a.aci")
    assert aci.image_id(tmp_path / "a.aci") == aci.image_id(images.build("example.com/greet"))


@pytest.mark.parametrize("name,status", [("wrongcert.test", 60), ("selfsigned.test", 60), ("expired.test", 60),
                                         ("unreachable.test", 7)])
def test_bad_hosts(host, server, name, status):  # pylint: disable=unused-argument
    """The misbehaving hosts misbehave, as curl sees them."""
    host.run("curl", "-sS", f"https://{name}/", check=status)


def test_rules(host, server, images, tmp_path):
    """Redirects, truncation, an endless answer, and a range."""
    from images.server import Rule  # pylint: disable=import-outside-toplevel
    url = server.publish("truncated.test/app", images.busybox)
    server.rules[("loop.test", "*")] = Rule(status=302, location="https://loop.test/again")
    server.rules[("truncated.test", "*")] = Rule(cut=1000)
    server.rules[("endless.test", "*")] = Rule(endless=True)
    server.rules[("error.test", "*")] = Rule(status=503)
    assert host.run("curl", "-sSL", "https://loop.test/", check=47)
    # a partial file; or, where curl's TLS library says so first, a failure to receive
    assert host.run("curl", "-sS", "-o", tmp_path / "x", url, check=False).rc in (18, 56)
    assert os.path.getsize(tmp_path / "x") == 1000
    assert host.run("curl", "-sS", "-m", "1", "-o", "/dev/null", "https://endless.test/", check=28)
    assert host.run("curl", "-fsS", "https://error.test/", check=22)
    server.rules.clear()
    host.run("curl", "-sS", "-C", "-", "-o", tmp_path / "x", url)
    assert aci.image_id(tmp_path / "x") == aci.image_id(images.busybox)
    assert server.requests[-1][3]["Range"] == "bytes=1000-"

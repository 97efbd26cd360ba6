# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images of registries, from their name to a running pod: FET-10 to FET-13 of rkt.md, robustness.md 3.10 where a store or a
pod sees it, and what the second image of a family costs."""
import pathlib
import re
import shutil

import pytest

from conftest import DATA
from images import oci

INSECURE = "--insecure-options=image"
BUSYBOX = pathlib.Path("/bin/busybox").read_bytes()
APPLETS = ["sh", "cat", "ls", "sleep", "echo", "id", "pwd", "wc", "md5sum", "stat", "test", "rm", "find", "sort"]
PASSWD = b"root:x:0:0::/root:/bin/sh\nbob:x:1000:1234::/home/bob:/bin/sh\n"


def base_layer(**more):
    """A layer with a shell."""
    return oci.tar({"bin": None, "bin/busybox": (0o755, BUSYBOX), **{f"bin/{a}": "busybox" for a in APPLETS},
                    "etc": None, "etc/passwd": PASSWD, **more})


BASE = base_layer()


def image(*layers, script="echo hello", **how):
    """BASE, layers over it, and a script to run."""
    app = {"Entrypoint": ["/bin/sh", "-c"], "Cmd": [script], **how.pop("app", {})}
    return oci.Image([BASE, *layers], app=app, **how)


def fetch(host, name, *options, check=True):
    """rkt fetch, insecure."""
    return host.rkt("fetch", "--full", INSECURE, *options, name, check=check)


def blobs_asked(registry, made=None):
    """Digests of blobs that were asked for; made: of an image's layers only."""
    asked = [r.path.rsplit("/", 1)[1] for r in registry.asked("/v2/*/blobs/*", "GET")]
    return [d for d in asked if made is None or d in [oci.digest(layer) for layer in made.layers]]


def tmp_is_empty():
    """Nothing half-done is in the store."""
    return not list(pathlib.Path(DATA, "cas/tmp").iterdir())


@pytest.fixture(name="no_layers")
def store_without_layers(no_images, installed):  # pylint: disable=unused-argument
    """A store without images, and without the layers that a pull that failed left for a day."""
    for top, pattern in (("cas/blob/sha256", "*"), ("cas/tree", "sha256-*")):
        for path in pathlib.Path(DATA, top).glob(pattern):
            shutil.rmtree(path)


@pytest.fixture(name="registry")
def registry_and_empty_store(no_layers, fake_registry):  # pylint: disable=unused-argument
    """A registry, and a store without anything."""
    return fake_registry


def test_run(host, registry):
    """docker:// runs by rkt run: entrypoint, arguments in place of the command, user with his group, volume with the image's
    content, working directory that is not there."""
    registry.publish(image(oci.tar({"data": None, "data/f": b"in the image\n"}), script="id -u; id -g; pwd; cat /data/f",
                           app={"User": "bob", "WorkingDir": "/made/up", "Volumes": {"/data": {}}}))
    name = f"docker://{registry.host}/a/b"
    ran = host.rkt("run", INSECURE, name)
    assert ran.out.split("\n")[:4] == ["1000", "1234", "/made/up", "in the image"], ran
    ran = host.rkt("run", INSECURE, name, "--", "echo instead")
    assert ran.out == "instead\n"
    assert host.rkt("image", "list", "--no-legend", "--fields=source").out.strip() == name + ":latest"


def test_groups_of_user(host, registry, pods):
    """Where nobody names a group, the user is in those that the image's /etc/group has him in, also for who enters; a named one is all."""
    group = b"root:x:0:\nstaff:x:50:alice,bob\nbob:x:1234:bob\nbobs:x:51:bobby\nbad:x:y:bob\nempty:x:52:\nlast:x:60:bob\nlast:x:60:bob"
    layer = oci.tar({"etc/group": group})
    registry.publish(image(layer, script="id -G", app={"User": "bob"}))
    name = f"docker://{registry.host}/a/b"
    for flags, groups in (([], "1234 50 60"), (["--group=50"], "50"), (["--supplementary-gids=7"], "1234 7 50 60"), (["--user=1000"], "1234 50 60")):
        assert host.rkt("run", INSECURE, "--net=none", name, *flags).out.split() == groups.split(), flags
    registry.publish(image(layer, script="id -G", app={"User": "bob:60"}), tag="named")
    assert host.rkt("run", INSECURE, "--net=none", f"{name}:named").out == "60\n"
    many = b"".join(b"g%d:x:%d:bob\n" % (n, n) for n in range(2000, 3100))
    registry.publish(image(oci.tar({"etc/group": many}), script="id -G", app={"User": "1000"}), tag="many")
    done = host.rkt("run", INSECURE, "--net=none", f"{name}:many", check=False)
    assert done.rc == 254 and '/etc/group has user "bob" in more than 1024 groups' in done.err, done
    registry.publish(image(layer, script="sleep infinity", app={"User": "1000"}), tag="stays")
    pod = pods.write("groups", f"[Pod]\nNetwork=none\nInsecureOptions=image\n[App main]\nImage={name}:stays\n")
    pods.start(pod)
    assert host.rkt("enter", pods.uuid(pod), "/bin/id", "-G").out.split() == ["1234", "50", "60"]


def test_pod_file(host, registry, pods):
    """docker:// runs from a pod file, and its stop signal is the unit's."""
    registry.publish(image(script="trap 'echo quit; exit 0' QUIT; echo ready; while :; do sleep 0.1; done",
                           app={"StopSignal": "SIGQUIT"}))
    name = pods.write("docker", f"[Pod]\nInsecureOptions=image\n[App main]\nImage=docker://{registry.host}/a/b\n")
    pods.start(name)
    assert host.show("main.service", "KillSignal", machine=name) == "3"
    uuid = pods.uuid(name)
    pods.stop(name)
    assert pods.apps(uuid) == {"main": 0}


@pytest.mark.parametrize("tag", ["", ":latest"])
@pytest.mark.parametrize("verb", ["fetch", "run", "prepare"])
def test_pull_policy_new(host, registry, verb, tag):
    """FET-10: the first time it is fetched, the second time it is in the store."""
    if verb == "prepare" and "prepare" not in host.rkt("help").out:
        pytest.skip("rkt prepare is not there yet")
    registry.publish(image())
    name = f"docker://{registry.host}/a/b{tag}"
    first = host.rkt(verb, INSECURE, "--pull-policy=new", name)
    assert re.search(f'remote fetching from URL "{re.escape(name)}"', first.err)
    asked = len(registry.requests)
    second = host.rkt(verb, INSECURE, "--pull-policy=new", name)
    assert re.search(f"using image from local store for .* {re.escape(name)}", second.err)
    assert len(registry.requests) == asked


def test_pull_policy_never(host, registry):
    """FET-11."""
    registry.publish(image())
    name = f"docker://{registry.host}/a/b"
    refused = fetch(host, name, "--pull-policy=never", check=False)
    assert refused.rc != 0 and re.search(f'unable to fetch.* image from .* "{re.escape(name)}"', refused.err)
    fetch(host, name)
    again = fetch(host, name, "--pull-policy=never")
    assert re.search(f"using image from local store for .* {re.escape(name)}", again.err)


def test_pull_policy_update(host, registry):
    """FET-12: the registry is asked again; what did not change is not sent, what changed is, layer by layer."""
    registry.publish(image(oci.tar({"one": b"1"})))
    name = f"docker://{registry.host}/a/b"
    first = fetch(host, name)
    registry.requests.clear()
    same = fetch(host, name, "--pull-policy=update")
    assert f'remote fetching from URL "{name}"' in same.err
    assert same.out == first.out
    assert [r.method for r in registry.requests] == ["HEAD"]
    changed = image(oci.tar({"two": b"2"}))
    registry.publish(changed)
    registry.requests.clear()
    second = fetch(host, name, "--pull-policy=update")
    assert second.out != first.out
    assert blobs_asked(registry, changed) == [oci.digest(changed.layers[1])]


def test_image_and_tls(host, registry):
    """FET-13: both words at once."""
    registry.publish(image())
    host.rkt("fetch", "--insecure-options=image,tls", f"docker://{registry.host}/a/b")


def test_not_verified(host, registry):
    """As in rkt, a docker image needs --insecure-options=image, unless trust.d says something; nothing is asked."""
    registry.publish(image())
    refused = host.rkt("fetch", f"docker://{registry.host}/a/b", check=False)
    assert refused.rc != 0
    assert "signature verification for docker images is not supported (try --insecure-options=image)" in refused.err
    assert not registry.requests


def test_shared_layers(host, registry):
    """The second image of a family costs its last layer; the tag stays what its own image is."""
    first, second = image(oci.tar({"one": b"1"})), image(oci.tar({"two": b"2"}))
    registry.publish(first, tag="1")
    registry.publish(second, tag="2")
    fetch(host, f"docker://{registry.host}/a/b:1")
    registry.requests.clear()
    fetch(host, f"docker://{registry.host}/a/b:2")
    assert blobs_asked(registry, second) == [oci.digest(second.layers[1])]
    layers = list(pathlib.Path(DATA, "cas/blob/sha256").rglob("sha256-*"))
    assert len(layers) == 3
    for n, name in (("1", "one"), ("2", "two")):
        ran = host.rkt("run", INSECURE, f"docker://{registry.host}/a/b:{n}", "--", "cat /one /two 2>/dev/null; echo")
        assert ran.out.strip() == n, name


def test_other_compression_is_the_same_layer(host, registry):
    """A layer that is here is not fetched again because somebody compressed it in another way (diff_id)."""
    registry.publish(image(oci.tar({"f": b"x" * 1000})), tag="gz")
    registry.publish(image(oci.tar({"f": b"x" * 1000}), compression="zstd"), tag="zst")
    fetch(host, f"docker://{registry.host}/a/b:gz")
    registry.requests.clear()
    fetch(host, f"docker://{registry.host}/a/b:zst")
    assert len(blobs_asked(registry)) == 1  # the config


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("docker", [False, True])
def test_compressions(host, registry, compression, docker):
    """Plain, gzip and zstd; media types of OCI and of Docker."""
    registry.publish(image(oci.tar({"f": b"content\n"}), script="cat /f", compression=compression, docker=docker))
    assert host.rkt("run", INSECURE, f"docker://{registry.host}/a/b").out == "content\n"


def test_index(host, registry):
    """Of an index, the image of this machine's platform; what builders put beside it does not count."""
    other = image(oci.tar({"f": b"wrong\n"}), arch="s390x")
    mine = image(oci.tar({"f": b"right\n"}), script="cat /f")
    strange = {**mine.descriptor(mine.media_type, mine.manifest), "platform": {"os": "unknown", "architecture": "unknown"}}
    registry.publish(oci.Index([strange, other, mine]))
    assert host.rkt("run", INSECURE, f"docker://{registry.host}/a/b").out == "right\n"


def test_by_digest(host, registry):
    """R2, R15: a reference by digest stays what it says, wherever the tag went, and needs nobody once it is here."""
    first, second = image(oci.tar({"f": b"1"})), image(oci.tar({"f": b"2"}))
    registry.publish(first)
    registry.publish(second)
    name = f"docker://{registry.host}/a/b@{first.digest}"
    fetched = fetch(host, name)
    assert fetched.out != fetch(host, f"docker://{registry.host}/a/b").out
    registry.requests.clear()
    assert fetch(host, name, "--pull-policy=update").out == fetched.out
    assert not registry.requests
    registry.rules["GET", f"/v2/a/b/manifests/{second.digest}"] = lambda h: h.answer(
        200, first.manifest, {"Content-Type": first.media_type})
    swapped = fetch(host, f"docker://{registry.host}/a/b@{second.digest}", "--pull-policy=always", check=False)
    assert swapped.rc != 0 and second.digest in swapped.err


def damage(made, what):
    """R1: one thing about an image is not as its documents say; returns what a sentence must have."""
    layer = oci.digest(made.layers[1])
    if what == "content":
        made.blobs[layer] = made.blobs[layer][:-4] + b"\0\0\0\1"
        return layer
    if what == "short":
        made.blobs[layer] = made.blobs[layer][:-10]
        return layer
    if what == "long":
        made.blobs[layer] += b"\0" * 512
        return layer
    if what == "config":
        made.blobs[oci.digest(made.config)] = made.config.replace(b"linux", b"linuz")
        return oci.digest(made.config)
    return layer


@pytest.mark.parametrize("what", ["content", "short", "long", "config"])
def test_not_what_the_manifest_says(host, registry, what):
    """R1: content or size differ: refused by name, and nothing of it is left."""
    made = image(oci.tar({"f": b"y" * 5000}), script="x")
    wanted = damage(made, what)
    registry.publish(made)
    refused = fetch(host, f"docker://{registry.host}/a/b", check=False)
    assert refused.rc != 0 and wanted in refused.err, refused.err
    assert not host.rkt("image", "list", "--no-legend").out
    assert tmp_is_empty()


@pytest.mark.parametrize("what", ["wrong", "too few", "too many"])
def test_diff_ids(host, registry, what):
    """R1: what layers unpack to, and how many there are."""
    good = image(oci.tar({"f": b"y" * 5000}))
    wrong = {"wrong": [good.diff_ids[0], "sha256:" + "0" * 64], "too few": good.diff_ids[:1],
             "too many": good.diff_ids + good.diff_ids[:1]}[what]
    registry.publish(image(oci.tar({"f": b"y" * 5000}), fields={"rootfs": {"type": "layers", "diff_ids": wrong}}))
    refused = fetch(host, f"docker://{registry.host}/a/b", check=False)
    assert refused.rc != 0, what
    assert not host.rkt("image", "list", "--no-legend").out
    assert tmp_is_empty()
    if what == "wrong":
        assert "0" * 64 in refused.err and good.diff_ids[1].split(":")[1] in refused.err
    else:
        assert not blobs_asked(registry, good)  # said before anything large is fetched


def test_standard_streams_by_name(host, registry):
    """Images whose programs log into /dev/stdout and /dev/stderr, or into links to them, may do so as any user."""
    registry.publish(image(oci.tar({"log": "/dev/stdout"}), script="echo one >/dev/stdout; echo two >/log; echo three >/dev/stderr",
                           app={"User": "bob"}))
    ran = host.rkt("run", INSECURE, f"docker://{registry.host}/a/b")
    assert ran.out.split() == ["one", "two"] and "three" in ran.err


def refused_document(what):
    """An image whose manifest cannot be, and what the sentence must have."""
    made = image(oci.tar({"f": b"x"}))
    layers, fields = made.manifest_value["layers"], {}
    if what == "foreign":
        fields["layers"] = [{**layers[0], "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                             "urls": ["https://cdn.test/layer"]}, layers[1]]
    elif what == "encrypted":
        fields["layers"] = [{**layers[0], "mediaType": layers[0]["mediaType"] + "+encrypted"}, layers[1]]
    elif what == "both":
        fields["manifests"] = []
    elif what == "no layers":
        fields["layers"] = []
    elif what == "null":
        fields["layers"] = None
    elif what == "3000 layers":
        fields["layers"] = layers[:1] * 3000
    elif what == "negative":
        fields["layers"] = [{**layers[0], "size": -1}]
    elif what == "schema 1":
        fields.update(schemaVersion=1, fsLayers=[])
    return image(oci.tar({"f": b"x"}), manifest_fields=fields)


@pytest.mark.parametrize("what, sentence", [("foreign", "foreign layers are not fetched"), ("encrypted", "encrypted"),
                                            ("both", "manifests"), ("no layers", "layers"), ("null", "layers"),
                                            ("3000 layers", "3000"), ("negative", "size"), ("schema 1", "schema")])
def test_refused_documents(host, registry, what, sentence):
    """R4, R6, R7, R10: refused by a sentence before any layer is asked for; nothing is left."""
    made = refused_document(what)
    registry.publish(made)
    refused = fetch(host, f"docker://{registry.host}/a/b", check=False)
    assert refused.rc != 0 and sentence in refused.err, refused.err
    assert not blobs_asked(registry, made) and not registry.asked("*cdn*")
    assert not host.rkt("image", "list", "--no-legend").out
    assert tmp_is_empty()


@pytest.mark.parametrize("config, sentence", [({"User": 5}, "User"), ({"User": "0:0:0"}, "User"), ({"Env": "A=b"}, "Env"),
                                              ({"Volumes": {"/a/../b": {}}}, "Volume"), ({"StopSignal": "SIGFOO"}, "SIGFOO"),
                                              ({"Cmd": ["a\u0000b"]}, "")])
def test_refused_configs(host, registry, config, sentence):
    """R13: wrong types and values that mean nothing are refused by name."""
    registry.publish(image(app=config))
    refused = fetch(host, f"docker://{registry.host}/a/b", check=False)
    assert refused.rc != 0 and sentence in refused.err, refused.err
    assert not host.rkt("image", "list", "--no-legend").out


def test_environment_without_value(host, registry):
    """R13: a variable without "=" is dropped, the others stay."""
    registry.publish(image(script="echo $A-$B-", app={"Env": ["A=1", "B", "C=x=y"]}))
    assert host.rkt("run", INSECURE, f"docker://{registry.host}/a/b").out == "1--\n"


def test_127_layers(host, registry, tmp_path):
    """As many layers as Docker builds: found in their order, by both ways to have a root."""
    made = image(*[oci.tar({f"f{i}": b"%d\n" % i, "top": b"%d\n" % i}) for i in range(126)],
                 script="cat /top; ls / | wc -l")
    registry.publish(made)
    name = f"docker://{registry.host}/a/b"
    for option in [], ["--no-overlay"]:
        ran = host.rkt("run", INSECURE, *option, name)
        top, entries = ran.out.split()
        assert top == "125" and int(entries) >= 126 + 3, ran
    host.rkt("image", "render", name, tmp_path / "out")
    assert (tmp_path / "out/rootfs/top").read_text() == "125\n"


@pytest.mark.parametrize("backend", ["index", "image", "dir"])
@pytest.mark.parametrize("overlay", [[], ["--no-overlay"]])
def test_whiteouts(host, registry, backend, overlay):
    """Files, directories and everything in a directory are hidden by later layers, whatever trees are on disk; what a layer
    has beside its own opaque marker stays, wherever the marker stands."""
    registry.publish(image(
        oci.tar({"d": None, "d/old": b"1", "d/sub": None, "d/sub/x": b"2", "gone": b"3", "dir": None, "dir/f": b"4",
                 "swap": b"file", "turn": None, "turn/f": b"5"}),
        oci.tar({"d": None, "d/new": b"6", "d/.wh..wh..opq": b"", ".wh.gone": b"", ".wh.dir": b"", "swap": None,
                 "swap/f": b"7", "turn": b"file"}),
        script="cd /; find d dir gone swap turn 2>/dev/null | sort"))
    ran = host.rkt("run", INSECURE, *overlay, f"docker://{registry.host}/a/b", env={"RKT_TREE_BACKEND": backend})
    assert ran.out.split() == ["d", "d/new", "swap", "swap/f", "turn"]


def test_same_layer_twice(host, registry):
    """A layer may come again; it counts where it is highest."""
    again = oci.tar({"f": b"again\n"})
    registry.publish(image(again, oci.tar({"f": b"between\n", "g": b"g\n"}), again, script="cat /f /g"))
    for backend in "index", "dir":
        ran = host.rkt("run", INSECURE, f"docker://{registry.host}/a/b", env={"RKT_TREE_BACKEND": backend})
        assert ran.out.split() == ["again", "g"]


def test_real_registry(host, no_layers, debian_registry, tmp_path):  # pylint: disable=unused-argument
    """What skopeo pushed to Debian's registry runs; removing the image removes what only it had."""
    made = image(oci.tar({"f": b"real\n"}), script="cat /f")
    layout = oci.write_layout(str(tmp_path / "layout"), made)
    debian_registry.skopeo(f"oci:{layout}:latest", "real/image", "v1")
    name = f"docker://{debian_registry.host}/real/image:v1"
    assert host.rkt("run", INSECURE, name).out == "real\n"
    host.rkt("gc", "--grace-period=0s")
    host.rkt("image", "rm", name)
    assert not host.rkt("image", "list", "--no-legend").out
    assert not [p for p in pathlib.Path(DATA, "cas/blob").rglob("sha*-*") if p.is_file()]


def test_image_with_hidden_layers_in_use(host, registry, pods):
    """A layer whose root is opaque hides those below, which no pod has then: the image of a running pod stays all the same."""
    registry.publish(image(base_layer(**{".wh..wh..opq": b""}), script="sleep 1000"))
    name = pods.write("hidden", f"[Pod]\nInsecureOptions=image\n[App main]\nImage=docker://{registry.host}/a/b\n")
    pods.start(name)
    host.rkt("image", "gc", "--grace-period=0s")
    assert host.rkt("image", "list", "--no-legend", "--fields=name").out.split() == [f"{registry.host.replace(':', '_')}/a/b:latest"]
    pods.stop(name)
    host.rkt("gc", "--grace-period=0s")
    host.rkt("image", "gc", "--grace-period=0s")
    assert not host.rkt("image", "list", "--no-legend").out


@pytest.mark.parametrize("path", ["f", "d/f"])
def test_image_in_use(host, registry, pods, path):
    """An image of a running pod is not removed, its base image is, but no layer that the pod needs; also if the child does
    not say what its directories are like."""
    registry.publish(image(oci.tar({"d": None})), tag="base")
    registry.publish(image(oci.tar({"d": None}), oci.tar({path: b"x\n"}), script="sleep 1000"), tag="child")
    base, child = (f"docker://{registry.host}/a/b:{tag}" for tag in ("base", "child"))
    fetch(host, base)
    name = pods.write("used", f"[Pod]\nInsecureOptions=image\n[App main]\nImage={child}\n")
    pods.start(name)
    refused = host.rkt("image", "rm", child, check=False)
    assert refused.rc != 0 and f'in use by the running pod "{pods.uuid(name)}"' in refused.err
    host.rkt("image", "rm", base)
    host.rkt("image", "gc", "--grace-period=0s")
    assert host.rkt("image", "list", "--no-legend", "--fields=source").out.split() == [child]
    assert len(list(pathlib.Path(DATA, "cas/tree").glob("sha256-*"))) == 3
    pods.stop(name)


def test_image_verbs(host, registry, tmp_path):
    """list, cat-manifest, verify, render, extract and rm take the image by its docker name, its appc name and its ID."""
    registry.publish(image(oci.tar({"gone": b"1", "kept": b"2"}), oci.tar({".wh.gone": b""})))
    name = f"docker://{registry.host}/a/b"
    key = fetch(host, name).out.strip()
    appc = host.rkt("image", "list", "--no-legend", "--fields=name").out.strip()
    manifests = {host.rkt("image", "cat-manifest", n).out for n in (name, appc, key[:20])}
    assert len(manifests) == 1 and '"appc.io/docker/manifesthash"' in manifests.pop()
    assert "successfully verified checksum" in host.rkt("image", "verify", name).out
    for verb in "render", "extract":
        out = tmp_path / verb
        host.rkt("image", verb, name, str(out))
        assert sorted(p.name for p in (out / "rootfs").iterdir()) == ["bin", "etc", "kept"]
        assert (out / "manifest").exists()
        shutil.rmtree(out)
    host.rkt("image", "rm", key[:20])
    assert not host.rkt("image", "list", "--no-legend").out

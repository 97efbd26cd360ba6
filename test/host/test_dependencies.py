# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dependencies and pathWhitelist: how they are found, fetched and verified, what is refused, and that the rendered root is,
file by file, what the standard says. The expected trees are made here, from what GNU tar unpacks."""
import json
import os
import pathlib
import posixpath
import re
import shutil
import stat
import tarfile
import tempfile

import pytest

from images import aci
from images.server import Rule
from tree_compare import differences
from tree_mount import mounted, tree_form

pytestmark = pytest.mark.usefixtures("installed", "no_images")

UNSIGNED = "--insecure-options=image"
HERE = "example.com"
TREES = pathlib.Path("/var/lib/rkt/cas/tree")


def failed(result, *patterns):
    """Exit status 254, nothing on standard output, and each pattern in the message."""
    assert result.rc == 254 and result.out == "", result
    for pattern in patterns:
        assert re.search(pattern, result.err), f"{pattern!r} is not in {result!r}"


@pytest.fixture(name="work")
def work_directory():
    """A directory on a file system that has attributes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="deps-", dir="/srv"))
    yield path
    shutil.rmtree(path)


# --- what the standard says ------------------------------------------------------------------------------------------

class Model:
    """The text of the standard, on real directories: dependencies in order, depth first, then the image; a path that is
    there is replaced; a list applies to its image and to all that it depends on."""

    def __init__(self, host, work, images):
        self.host, self.work, self.images = host, work, images
        self.root = work / "expected"
        self.root.mkdir()
        self.times = {}      # of folders that some image has an entry for
        self.implied = {""}  # folders that none has, which therefore may have any time
        self.n = 0

    def render(self, name, allowed=None):
        """Lay an image and all that it needs over what is there."""
        image = self.images[name]
        own = {posixpath.normpath("/" + p).lstrip("/") for p in image.get("whitelist", [])}
        if own:
            allowed = own if allowed is None else allowed & own
        for dependency in image.get("deps", []):
            self.render(dependency, allowed)
        self.n += 1
        layer = self.work / f"layer{self.n}"
        layer.mkdir()
        self.host.run("tar", "-xpf", image["path"], "--delay-directory-restore", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--same-owner",
                      "-C", layer)
        entries = {i.name.removeprefix("rootfs").lstrip("/") for i, _ in image["entries"]} | {""}
        folders = {str(p.relative_to(layer / "rootfs")).replace(".", "", 1) if p == layer / "rootfs" else
                   str(p.relative_to(layer / "rootfs"))
                   for p in [layer / "rootfs", *(layer / "rootfs").rglob("*")] if p.is_dir() and not p.is_symlink()}
        self.prune(layer / "rootfs", "", allowed, folders - entries)
        self.lay_over(layer / "rootfs", self.root, "")

    def prune(self, path, rel, allowed, implied):
        """Remove what a list does not name. Returns whether the path stays; marks folders that stay for others."""
        kept = False
        here = os.lstat(path)
        if stat.S_ISDIR(here.st_mode):
            for name in os.listdir(path):
                kept |= self.prune(path / name, f"{rel}/{name}".lstrip("/"), allowed, implied)
        listed = allowed is None or rel in allowed
        if stat.S_ISDIR(here.st_mode) and (listed or kept or rel == ""):
            plain = not listed or rel in implied
            if plain:
                os.chown(path, 0, 0)
                os.chmod(path, 0o755)
                for attribute in os.listxattr(path):
                    os.removexattr(path, attribute)
            os.setxattr(path, "trusted.model", b"implied" if plain else str(here.st_mtime_ns).encode())
            return True
        if not listed:
            os.rmdir(path) if stat.S_ISDIR(here.st_mode) else os.unlink(path)
        return listed

    def lay_over(self, upper, lower, rel):
        """Merge two folders."""
        mark = os.getxattr(upper, "trusted.model")
        if mark != b"implied":
            for attribute in os.listxattr(lower):
                os.removexattr(lower, attribute)
            shutil.copystat(upper, lower)
            st = os.lstat(upper)
            os.chown(lower, st.st_uid, st.st_gid)
            os.chmod(lower, stat.S_IMODE(st.st_mode))
            for attribute in os.listxattr(upper):
                os.setxattr(lower, attribute, os.getxattr(upper, attribute))
        for name in os.listdir(upper):
            source, target = upper / name, lower / name
            if os.path.lexists(target):
                if all(p.is_dir() and not p.is_symlink() for p in (source, target)):
                    self.lay_over(source, target, f"{rel}/{name}")
                    continue
                shutil.rmtree(target) if target.is_dir() and not target.is_symlink() else target.unlink()
            os.rename(source, target)

    def finish(self):
        """Times of folders. Returns those whose time may be any."""
        any_time = set()
        for path in [*sorted(self.root.rglob("*"), reverse=True), self.root]:
            if path.is_symlink() or not path.is_dir():
                continue
            try:
                mark = os.getxattr(path, "trusted.model")
            except OSError:
                mark = b"implied"
            else:
                os.removexattr(path, "trusted.model")
            if mark == b"implied":
                any_time.add("./" + str(path.relative_to(self.root)) if path != self.root else ".")
            else:
                os.utime(path, ns=(0, int(mark)))
        return any_time


def store_all(host, work, images, run=None, env=None):
    """Make the images {letter: {entries, deps, whitelist}} and put them into the store, A last; returns
    the trees that are made with A."""
    for name in sorted(images, reverse=True):
        image = images[name]
        more = {}
        if image.get("deps"):
            more["dependencies"] = [aci.dependency(f"{HERE}/{d.lower()}") for d in image["deps"]]
        if image.get("whitelist"):
            more["pathWhitelist"] = image["whitelist"]
        doc = aci.manifest(f"{HERE}/{name.lower()}", app=run if name == "A" else None, **more)
        image["path"] = aci.pack_entries(str(work / f"{name}.aci"), doc, image["entries"])
    order, todo = [], ["A"]
    while todo:
        name = todo.pop()
        order.append(name)
        todo += images[name].get("deps", [])
    for name in dict.fromkeys(reversed(order)):
        before = set(os.listdir(TREES)) if TREES.is_dir() else set()
        host.rkt(UNSIGNED, "fetch", "--pull-policy=never", images[name]["path"], env=env)
    return set(os.listdir(TREES)) - before


E, L = aci.entry, aci.link
ATTRIBUTES = {"user.which": "x"}
CASES = {
    # appc 6.1
    "order": {"A": {"deps": ["B", "C"], "entries": [E("all", "a"), E("a", "a")]},
              "B": {"entries": [E("all", "b"), E("bc", "b"), E("bd", "b"), E("b", "b")]},
              "C": {"deps": ["D"], "entries": [E("all", "c"), E("bc", "c"), E("cd", "c"), E("c", "c")]},
              "D": {"entries": [E("all", "d"), E("bd", "d"), E("cd", "d"), E("d", "d")]}},
    "twice": {"A": {"deps": ["B", "C"], "entries": []},
              "B": {"deps": ["D"], "entries": [E("bd", "b"), E("d/b", "b"), L("x", "bd")]},
              "C": {"deps": ["D"], "entries": [E("c", "c")]},
              "D": {"entries": [E("bd", "d"), E("d", "d is a file here"), E("x/y", "y")]}},
    "empty": {"A": {"deps": ["B"], "entries": []},
              "B": {"entries": [E("inspect", "#!", mode=0o755), E("etc"), E("etc/passwd", "root")]}},
    # appc 6.2
    "attributes of folders": {
        "A": {"deps": ["B"], "entries": [E("", mode=0o700, mtime=5), E("d", mode=0o2711, uid=7, gid=8, mtime=9),
                                         E("implied/x", "a")]},
        "B": {"entries": [E("", mode=0o755, mtime=6), E("d", mode=0o700, xattrs=ATTRIBUTES), E("d/f", "f"),
                          E("implied", mode=0o750, uid=3, mtime=4, xattrs=ATTRIBUTES), E("implied/y", "b"),
                          E("only", mode=0o701, mtime=77, xattrs=ATTRIBUTES), E("only/y", "b")]}},
    "types change": {
        "A": {"deps": ["B"], "entries": [E("file-over-dir", "a"), E("dir-over-file"), E("dir-over-file/f", "a"),
                                         E("fifo", "", type=tarfile.FIFOTYPE), L("link-over-dir", "elsewhere"),
                                         E("file-over-link", "a"), E("dir-over-link"), E("dir-over-link/f", "a")]},
        "B": {"entries": [E("file-over-dir"), E("file-over-dir/f", "b"), E("dir-over-file", "b"), E("fifo", "b"),
                          E("link-over-dir"), E("link-over-dir/f", "b"), E("target", "b"), L("file-over-link", "target"),
                          E("elsewhere"), L("dir-over-link", "elsewhere")]}},
    "a link of another image is not followed": {
        "A": {"deps": ["B"], "entries": [E("d/x", "a"), E("up/x", "a"), E("abs/x", "a")]},
        "B": {"entries": [L("d", "real"), E("real"), E("real/y", "b"), L("up", "../.."), L("abs", "/etc"), E("etc")]}},
    "a link of the same image is": {
        "A": {"deps": ["B"], "entries": [L("run", "var/run"), E("var/run"), E("run/pid", "a")]},
        "B": {"entries": [E("run"), E("run/lock", "b"), E("var/run/pid", "b")]}},
    "hard links stay in their image": {
        "A": {"deps": ["B"], "entries": [E("t", "a's"), L("a1", "t", hard=True)]},
        "B": {"entries": [E("t", "b's", mode=0o600), L("b1", "t", hard=True), L("b2", "b1", hard=True)]}},
    # appc 6.2, 6.3
    "list of the image": {"A": {"deps": ["B"], "whitelist": ["/bin/sh", "/etc"], "entries": [E("own", "a"), E("dir")]},
                          "B": {"entries": [E("bin", mode=0o700, uid=5, xattrs=ATTRIBUTES), E("bin/sh", "b"), E("bin/ls", "b"),
                                            E("etc", mode=0o750), E("etc/hosts", "b"), E("root", mode=0o700)]}},
    "ways to write a path": {"A": {"whitelist": ["d/", "//e", "/x/../f", "/g/./h", "/nowhere", "/"],
                                   "entries": [E("d"), E("e", "e"), E("f", "f"), E("g"), E("g/h", "h"), E("i", "i")]}},
    "hard link without its target": {
        "A": {"whitelist": ["/l", "/deep/m"], "entries": [E("t", "content", mode=0o640), L("l", "t", hard=True), E("deep"),
                                                        L("deep/m", "t", hard=True)]}},
    "hard link of a dependency": {
        "A": {"deps": ["B"], "whitelist": ["/l", "/t"], "entries": [E("t", "a's")]},
        "B": {"entries": [E("t", "b's"), L("l", "t", hard=True)]}},
    "list of a dependency": {"A": {"deps": ["B"], "entries": [E("x", "a"), E("z", "a")]},
                             "B": {"whitelist": ["/y"], "entries": [E("x", "b"), E("y", "b"), E("w", "b")]}},
    "all lists on the way": {"A": {"deps": ["B"], "whitelist": ["/x", "/y"], "entries": []},       # r09
                             "B": {"deps": ["C"], "whitelist": ["/x", "/z"], "entries": [E("z", "b")]},
                             "C": {"entries": [E("x", "c"), E("y", "c"), E("z", "c")]}},
    "no list beside the way": {"A": {"deps": ["B", "C"], "entries": []},                             # r10
                               "B": {"entries": [E("x", "b"), E("y", "b")]},
                               "C": {"deps": ["D"], "whitelist": ["/z"], "entries": [E("z", "c")]},
                               "D": {"entries": [E("x", "d"), E("z", "d")]}},
    "lists with nothing in common": {"A": {"deps": ["B"], "whitelist": ["/x"], "entries": [E("x", "a")]},
                                     "B": {"whitelist": ["/y"], "entries": [E("x", "b"), E("y", "b")]}},
    "a list hides nothing of others": {
        "A": {"deps": ["B"], "entries": [E("t", "a")]},
        "B": {"deps": ["C"], "whitelist": ["/d/keep"], "entries": [E("d", "a file, not listed")]},
        "C": {"entries": [E("d"), E("d/keep", "c"), E("d/drop", "c")]}},
}


@pytest.mark.parametrize("case", CASES)
def test_rendered(host, work, case):
    """IRE: the rendered root is, file by file, what the standard says."""
    images = CASES[case]
    store_all(host, work, images)
    host.rkt("image", "render", f"{HERE}/a", work / "out")
    model = Model(host, work, images)
    model.render("A")
    any_time = model.finish()
    found = [d for d in differences(model.root, work / "out/rootfs")
             if not (": mtime " in d and d.split(": mtime ")[0] in any_time)]
    assert not found, "\n".join(found)
    host.rkt("image", "extract", "--rootfs-only", f"{HERE}/a", work / "alone")
    names = {i.name for i, _ in images["A"]["entries"]}
    assert {p.name for p in (work / "alone").iterdir()} == {n.split("/")[1] for n in names if "/" in n}


@pytest.mark.parametrize("form", ["index", "image", "dir"])
def test_tree_of_every_kind(host, work, form):
    """What pods mount equals what render makes, whatever the tree is on disk: one index over the blobs, without a copy of
    their data; a whole image; plain files."""
    env = {"RKT_TREE_BACKEND": form}
    for n, case in enumerate(["order", "types change", "attributes of folders", "hard links stay in their image",
                              "a link of another image is not followed", "a link of the same image is",
                              "list of the image", "hard link of a dependency", "all lists on the way"]):
        (work / str(n)).mkdir()
        key, = (t for t in store_all(host, work / str(n), CASES[case], env=env) if t.startswith("deps-"))
        assert tree_form(key) == form
        host.rkt("image", "render", "--rootfs-only", f"{HERE}/a", work / str(n) / "out")
        with mounted(key) as root:
            found = differences(work / str(n) / "out", root)
        assert not found, case + ":\n" + "\n".join(found)


# --- fetching --------------------------------------------------------------------------------------------------------

@pytest.fixture
def publish(server, images, trusted):
    """Publish a signed image with dependencies; returns its path."""
    def make(name, deps=(), root=None, key=trusted, version="latest", arch=None, publish_as=None, **more):
        doc = aci.manifest(name, dependencies=[d if isinstance(d, dict) else aci.dependency(d) for d in deps], **more)
        if root is not None:
            path = images.make(manifest=doc, root=root, file=re.sub(r"\W", "_", name))
        else:
            path = aci.pack_entries(os.path.join(images.cache, re.sub(r"\W", "_", name) + ".aci"), doc,
                                    [aci.entry(re.sub(r"\W", "_", name), name)])
        server.publish(publish_as or name, path, version=version, key=key, arch=arch)
        return path
    return make


def test_tree_of_dependencies(host, server, publish):
    """DEP-01: A needs B, C and D; C and D need B and E; E needs busybox. What is here is used, the rest is fetched once."""
    app = {"exec": ["/bin/sh", "-c", "echo HelloDependencies; ls /"]}
    e_1 = aci.dependency("example.com/e", {"version": "1.0.0"})
    publish("example.com/inspect", root=aci.busybox_root)
    publish("example.com/e", ["example.com/inspect"], version="1.0.0")
    publish("example.com/b")
    for name in "cd":
        publish(f"example.com/{name}", ["example.com/b", e_1])
    publish("example.com/a", ["example.com/b", "example.com/c", "example.com/d"], app=app)
    for name in "b", "inspect":
        host.rkt("fetch", f"example.com/{name}")
    server.requests.clear()
    result = host.rkt("--debug", "run", "--pull-policy=new", "example.com/a")
    words = ["image: fetching image from https://example.com/aci/example.com/a-",
             "image: using image from local store for image name example.com/b",
             "image: fetching image from https://example.com/aci/example.com/c-",
             "image: fetching image from https://example.com/aci/example.com/d-",
             "image: using image from local store for image name example.com/inspect"]
    places = [result.err.find(w) for w in words]
    assert -1 not in places and places == sorted(places), result
    assert "HelloDependencies" in result.all
    assert {f"example_com_{n}" for n in "abcde"} <= set(result.all.split())
    asked = [r[2].split("/")[-1] for r in server.requests if r[2].endswith(".aci")]
    assert sorted(a.split("-")[0] for a in asked) == ["a", "c", "d", "e"]


def test_rendered_when_fetched(host, publish):
    """DEP-02: after the fetch the tree is there; a start makes none."""
    publish("example.com/b", root=aci.busybox_root)
    publish("example.com/a", ["example.com/b"], app={"exec": ["/bin/true"]})
    host.rkt("fetch", "--pull-policy=new", "example.com/a")
    trees = set(os.listdir(TREES))
    assert len([t for t in trees if t.startswith("deps-sha512-")]) == 1
    host.rkt("run", "--pull-policy=never", "example.com/a")
    assert set(os.listdir(TREES)) == trees


def test_policies(host, server, publish):
    """The policy of the image is that of its dependencies; one that is named by its ID is never asked for again."""
    publish("example.com/c")
    path = publish("example.com/d")
    full = "sha512-" + host.sh(f"sha512sum {path}").out.split()[0]
    publish("example.com/b", ["example.com/c"])
    publish("example.com/a", ["example.com/b", aci.dependency("example.com/d", imageID=full)])
    failed(host.rkt("fetch", "--pull-policy=never", "example.com/a", check=False), "unable to fetch")
    host.rkt("fetch", "example.com/a")

    def asked(*words):
        server.requests.clear()
        host.rkt("fetch", *words, "example.com/a")
        return sorted(r[2].split("/")[-1].split("-")[0] for r in server.requests if r[2].endswith(".aci"))
    assert asked("--pull-policy=new") == asked("--pull-policy=never") == []
    assert asked("--pull-policy=update") == ["a", "b", "c"]
    host.rkt("image", "rm", "example.com/c")
    assert asked("--pull-policy=new") == ["c"]
    host.rkt("image", "rm", "example.com/c")
    failed(host.rkt("fetch", "--pull-policy=never", "example.com/a", check=False),
           "image 'example.com/a -> example.com/b': dependency 'example.com/c': unable to fetch")
    failed(host.rkt("run", "--pull-policy=never", "example.com/a", "--exec=/bin/true", check=False), "example.com/c")
    failed(host.rkt("image", "render", "example.com/a", "/srv/never", check=False),
           "dependency 'example.com/c' of image 'example.com/b' is not in the store; fetch 'example.com/a'")
    assert not os.path.exists("/srv/never")


def test_labels(host, publish):
    """Labels that are not named are wildcards; images without os and arch are for every machine, others for theirs."""
    publish("example.com/noarch", labels={"version": "1"})
    publish("example.com/b", labels={"version": "2", "channel": "beta"}, version="2")
    publish("example.com/a", ["example.com/noarch", aci.dependency("example.com/b", {"version": "2", "channel": "beta"})])
    host.rkt("fetch", "example.com/a")
    other = "aarch64" if aci.ARCH != "aarch64" else "amd64"
    publish("example.com/o", labels={"version": "1", "os": "linux", "arch": other})
    publish("example.com/a", ["example.com/o"])
    failed(host.rkt("fetch", "example.com/a", check=False), "dependency 'example.com/o' of image 'example.com/a'")


def test_signatures(host, publish, stranger):
    """Each image is verified with the keys for its own name, however good the one above it is."""
    publish("example.com/a", ["images.test/b"])
    publish("images.test/b")
    failed(host.rkt("fetch", "example.com/a", check=False), "image 'example.com/a': dependency 'images.test/b': .*images.test")
    publish("example.com/a", ["example.com/b"])
    publish("example.com/b", key=stranger)
    failed(host.rkt("fetch", "example.com/a", check=False), "dependency 'example.com/b': ")
    publish("example.com/b", key=None)
    failed(host.rkt("fetch", "example.com/a", check=False), "dependency 'example.com/b': .*signature")
    listed = host.rkt("image", "list", "--no-legend", "--fields=name").out.split()
    assert not [n for n in listed if n.endswith("/b")]


WRONG = "sha512-" + "12" * 64
BAD = {  # deps of A; what B is; patterns
    "other ID": ([aci.dependency("example.com/b", imageID=WRONG)], {}, f'the image has the ID "sha512-.*", not "{WRONG}"'),
    "short ID": ([aci.dependency("example.com/b", imageID="sha512-1234")], {}, "its ID 'sha512-1234' is not"),
    "malformed ID": ([aci.dependency("example.com/b", imageID="md5-1234")], {}, "image[- ]?ID"),
    "other size": ([aci.dependency("example.com/b", size=99999)], {}, r"the image has \d+ bytes .*, not 99999"),
    "larger than said": ([aci.dependency("example.com/b", size=99)], {}, "more than the limit of 99"),
    "other label": ([aci.dependency("example.com/b", {"channel": "beta"})], {},
                    'requested label "channel" not provided by the image manifest'),
    "other name": (["example.com/b"], {"publish_as": "example.com/b", "name": "example.com/x"},
                   'the image is called "example.com/x", not "example.com/b"'),
    "missing": (["example.com/none"], {}, "dependency 'example.com/none': "),
    "a path": (["etc/passwd.aci"], {}, "cannot be part of an image reference"),
    "an ID for a name": (["sha512-1234"], {}, "cannot be part of an image reference"),
    "itself": (["example.com/a"], {}, "image 'example.com/a' depends on itself: example.com/a -> example.com/a"),
    "a circle": (["example.com/b"], {"deps": ["example.com/c"]},
                 "depends on itself: example.com/a -> example.com/b -> example.com/c -> example.com/a"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(host, server, publish, case):
    """116: what cannot be, and a sentence that says which dependency of which image."""
    deps, image, pattern = BAD[case]
    image = dict(image)
    publish(image.pop("name", "example.com/b"), key=None, **image)
    publish("example.com/c", ["example.com/a"], key=None)
    publish("example.com/a", deps, key=None)
    failed(host.rkt(UNSIGNED, "fetch", "example.com/a", check=False), pattern)
    if case == "a circle":
        failed(host.rkt(UNSIGNED, "run", "example.com/a", "--exec=/bin/true", check=False), pattern)
    assert len(server.requests) < 20


def test_never_ending(host, work):
    """A chain of images that each need another one ends, with a sentence that names it; so does one that branches."""
    def make(name, *deps):
        doc = aci.manifest(f"example.com/{name}", dependencies=[aci.dependency(f"example.com/{d}") for d in deps])
        return aci.pack_entries(str(work / f"{name}.aci"), doc, [aci.entry(name, name)])
    files = [make("n40"), *(make(f"n{i}", f"n{i + 1}") for i in range(39, -1, -1))]
    host.rkt(UNSIGNED, "fetch", "--pull-policy=new", *files[:32])
    failed(host.rkt(UNSIGNED, "fetch", "--pull-policy=new", files[32], check=False), "nested more than 32 deep",
           "example.com/n8 -> example.com/n9 -> ")
    files = [make("m12"), *(make(f"m{i}", f"m{i + 1}", f"m{i + 1}") for i in range(11, -1, -1))]
    host.rkt(UNSIGNED, "fetch", "--pull-policy=new", *files[:9])
    failed(host.rkt(UNSIGNED, "fetch", "--pull-policy=new", files[9], check=False),
           "image 'example.com/m3' has more than 1000 dependencies")


def test_endless_dependency(host, server, publish):
    """A size that is given ends a download that does not end by itself."""
    publish("example.com/a", [aci.dependency("example.com/b", size=10240)])
    publish("example.com/b")
    server.rules[("example.com", "*/b-*.aci")] = Rule(endless=True)
    failed(host.rkt("fetch", "example.com/a", check=False, timeout=60), "dependency 'example.com/b'")


# --- running ---------------------------------------------------------------------------------------------------------

SHOW = "cd /t && find . | sort | while read -r f; do stat -c '%n %f %u %g %h %Y' \"$f\"; done; cat d/f x l"


@pytest.mark.parametrize("backend", ["index", "index-loop", "image", "dir"])
def test_run(host, work, backend):
    """A pod has the root that render gives, in each backend; its tree is known by treeStoreID."""
    images = {"A": {"deps": ["B", "C"], "entries": [E("t/x", "a"), E("t/d", mode=0o711, mtime=7)]},
              "B": {"entries": [E("t", mtime=6), E("t/x", "b"), E("t/d", mode=0o755), E("t/d/f", "b", uid=5),
                                L("t/l", "t/x", hard=True)]},
              "C": {"entries": []}}
    doc = aci.manifest(f"{HERE}/c")
    busybox = aci.pack(str(work / "busybox.aci"), doc, aci.cached_root(aci.busybox_root, "/var/tmp/rkt-test"))
    env = {"RKT_TREE_BACKEND": backend}
    store_all(host, work, images, run={"exec": ["/bin/sh", "-c", SHOW]}, env=env)
    host.rkt("image", "rm", f"{HERE}/c")
    host.rkt(UNSIGNED, "fetch", busybox, env=env)
    shown = host.rkt("run", "--pull-policy=never", UNSIGNED, f"{HERE}/a", env=env)
    host.rkt("image", "render", "--rootfs-only", f"{HERE}/a", work / "out")
    expected = host.run("chroot", work / "out", "/bin/sh", "-c", SHOW).out
    lines = [re.sub(r"^.*main\[\d+\]: ", "", li) for li in shown.out.splitlines()]
    for line in expected.splitlines():
        assert any(line in li for li in lines), f"{line!r} is not in {shown!r}"
    pod = host.pod_states()["exited-garbage"] + host.pod_states().get("run", [])
    found = {p.read_text() for d in ("run", "exited-garbage") for u in pod
             for p in pathlib.Path("/var/lib/rkt/pods", d, u).glob("appsinfo/*/treeStoreID")}
    assert found and all(re.fullmatch("deps-sha512-[0-9a-f]{64}", t) for t in found), found
    manifest = json.loads(host.rkt("image", "cat-manifest", f"{HERE}/a").out)
    assert len(manifest["dependencies"]) == 2

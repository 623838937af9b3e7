"""Build the image as a release does, and check what is in it and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.check import container, tools
from deploy.check.container import Failed, Image

REAL_BASE = "docker.io/library/python:3.11-slim-bookworm"
STAND_IN_BASE = "localhost/stand-in-for-python:3.11-bookworm"
TAG = "localhost/shelfcast:checked"
UID = 10001
BUDGET_MB = 450
COMPRESSED_BUDGET_MB = 150
"""Of what lies on top of the base image; the base of Python's own is some 130 and 50 MB more."""

PROBE = r"""
import importlib.util, json, os, shutil, sys
from pathlib import Path

def writable():
    # proc, sys, dev are the machine's; a link is as writable as what it points to.
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = set(folders) - {"proc", "sys", "dev"}
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            if not os.path.islink(path) and os.access(path, os.W_OK):
                yield path

def names(pattern, folder="/opt"):
    return [str(path) for path in Path(folder).rglob(pattern)]

programs = ("pip", "pip3", "uv", "gcc", "cc", "g++", "make", "git", "stanc", "curl", "wget")
modules = ("pip", "ensurepip", "pytest", "bqemulator", "emulators", "google.cloud.aiplatform")
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "cwd": os.getcwd(),
    "programs": [name for name in programs if shutil.which(name)],
    "modules": [name for name in modules if importlib.util.find_spec(name)],
    "apt_lists": names("*Packages*", "/var/lib/apt/lists"),
    "writable": sorted(set(path.split("/")[1] for path in writable())),
    "git": names(".git"), "keys": names("*.json", "/opt/shelfcast/project") + names(".env"),
    "project": sorted(os.listdir("/opt/shelfcast/project")),
    "tests": sorted(os.listdir("/opt/shelfcast/project/tests")),
    "lib": sorted(name for name in os.listdir("/opt/shelfcast/lib") if "dist-info" not in name),
}))
"""
PROJECT = [
    "dbt_project.yml",
    "macros",
    "models",
    "profiles.yml",
    "seeds",
    "selectors.yml",
    "tests",
]


@dataclass(frozen=True)
class Built:
    """An image that was built and checked.

    Attributes:
        name: in this machine's store.
        base: the base that it was built on, for people.
        own_mb: on disk, without the base.
        own_compressed_mb: of its layers as a registry keeps them, without the base's.
        size_mb: on disk, base included.
        compressed_mb: of all layers as a registry keeps them.
        uid: that its processes run as.
    """

    name: str
    base: str
    own_mb: float
    own_compressed_mb: float
    size_mb: float
    compressed_mb: float
    uid: int

    def __str__(self) -> str:
        """One line for people."""
        stand_in = "STAND-IN BASE " if self.base == STAND_IN_BASE else "base "
        return (
            f"{self.own_mb:.0f} MB of its own on disk (budget {BUDGET_MB}), "
            f"{self.own_compressed_mb:.0f} MB compressed (budget {COMPRESSED_BUDGET_MB}); "
            f"{self.size_mb:.0f} and {self.compressed_mb:.0f} MB with {stand_in}{self.base}; "
            f"uid {self.uid}"
        )


def build() -> Built:
    """Build the image, check it, and measure it.

    Raises:
        tools.Missing: there is no buildah, or neither a registry nor mmdebstrap.
        Failed: the build failed, or the image is not as it should be.
    """
    base = _base()
    _build(base)
    uid = _check_contents()
    _check_config()
    size, layers = _size_mb(TAG), _compressed_layers_mb(TAG)
    own = layers[_n_layers(base) :]
    built = Built(TAG, base, size - _size_mb(base), sum(own), size, sum(layers), uid)
    if built.own_mb > BUDGET_MB or built.own_compressed_mb > COMPRESSED_BUDGET_MB:
        raise Failed(f"over the budget: {built}")
    return built


def _base() -> str:
    """Return the base image: the real one, else a stand-in of Debian's packages."""
    if named := os.environ.get("SHELFCAST_PYTHON_IMAGE"):
        return named
    container.program()
    try:
        container.buildah("pull", "--quiet", REAL_BASE)
    except Failed:
        _make_stand_in()
        return STAND_IN_BASE
    return REAL_BASE


def _make_stand_in() -> None:
    if container.exists(STAND_IN_BASE):
        return
    mmdebstrap = tools.program(
        "mmdebstrap",
        f"no registry gives {REAL_BASE}, and a stand-in is made with mmdebstrap: "
        "apt-get install mmdebstrap",
    )
    packages = "--include=python3,python3-venv,ca-certificates"
    with tempfile.TemporaryDirectory() as folder:
        files = f"{folder}/base.tar"
        subprocess.run(
            [mmdebstrap, "--quiet", "--variant=minbase", packages, "bookworm", files], check=True
        )
        with container.working_container("scratch") as made:
            container.buildah("add", "--quiet", made, files, "/")
            path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
            container.buildah("config", "--env", path, made)
            container.buildah("commit", "--quiet", made, STAND_IN_BASE)


def _build(base: str) -> None:
    arguments = {"PYTHON_IMAGE": base, "REVISION": "checked", "VERSION": "0"}
    options = [part for item in arguments.items() for part in ("--build-arg", "=".join(item))]
    # Where a machine's packages come through a mirror, its settings and certificates are lent.
    for path in ("/etc/pip.conf", "/etc/ssl/certs"):
        if Path(path).exists():
            options += ["--volume", f"{path}:{path}:ro"]
    container.buildah(
        *("bud", *container.CHROOT, "--network", "host", "--pull-never", "--layers"),
        *("--ignorefile", str(tools.ROOT / "deploy" / "Dockerfile.dockerignore")),
        *("--file", str(tools.ROOT / "deploy" / "Dockerfile"), "--tag", TAG, *options),
        str(tools.ROOT),
        seconds=3600,
    )


def _check_contents() -> int:
    """Look into the image as its own user. Return the user's id."""
    found = json.loads(Image(TAG).done("python", "-c", PROBE))
    expected = {
        **{"uid": UID, "gid": UID, "cwd": "/opt/shelfcast/project"},
        **{"programs": [], "modules": [], "apt_lists": [], "git": [], "keys": []},
        **{"project": PROJECT, "tests": ["data"], "lib": ["bin", "python_jobs"]},
    }
    wrong = [
        f"{name} is {found[name]}, not {value}"
        for name, value in expected.items()
        if found[name] != value
    ]
    if extra := set(found["writable"]) - {"tmp", "var", "run"}:
        wrong.append(f"the user may write to {', '.join(sorted(extra))}")
    if wrong:
        raise Failed("in the image: " + "; ".join(wrong))
    return int(found["uid"])


def _check_config() -> None:
    config = container.config_of(TAG)
    labels = {
        "org.opencontainers.image.revision": "checked",
        "org.opencontainers.image.version": "0",
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    expected = {"User": f"{UID}:{UID}", "Entrypoint": ["shelfcast"], "Cmd": ["--help"]}
    wrong = [
        f"{name} is {config.get(name)}"
        for name, value in expected.items()
        if config.get(name) != value
    ]
    wrong += [
        f"label {name} is {config['Labels'].get(name)}"
        for name, value in labels.items()
        if config["Labels"].get(name) != value
    ]
    secret = ("KEYFILE", "WEATHER_KEY", "PASSWORD", "TOKEN", "PIP_CERT", "PIP_INDEX")
    wrong += [f"Env holds {line}" for line in config["Env"] if any(word in line for word in secret)]
    if wrong:
        raise Failed("the image's configuration: " + "; ".join(wrong))


def _size_mb(image: str) -> float:
    """An image's size on disk, as buildah prints it: `654 MB`."""
    (found,) = json.loads(container.buildah("images", "--json", image))
    number, unit = found["size"].split()
    return float(number) * {"KB": 1e-3, "MB": 1.0, "GB": 1e3}[unit.upper()]


def _n_layers(image: str) -> int:
    inspected = json.loads(container.buildah("inspect", "--type", "image", image))
    return len(inspected["OCIv1"]["rootfs"]["diff_ids"])


def _compressed_layers_mb(image: str) -> list[float]:
    """The size of each layer as a registry keeps it, the base's first."""
    with tempfile.TemporaryDirectory(prefix="shelfcast-oci-") as folder:
        container.buildah("push", "--quiet", image, f"oci:{folder}")
        blobs = Path(folder) / "blobs" / "sha256"
        index = json.loads((Path(folder) / "index.json").read_text())
        digest = index["manifests"][0]["digest"].removeprefix("sha256:")
        manifest = json.loads((blobs / digest).read_text())
    return [float(layer["size"]) / 1e6 for layer in manifest["layers"]]

"""Put Fashion-MNIST's four IDX files into data/fashion-mnist, unless they are on this machine already.

Needs only Python's standard library, and no root. Silent when there is nothing to do. The sources, in order:
Debian's package `dataset-fashion-mnist`, unpacked without being installed; the host that Keras downloads
from. Every file's SHA-256 is checked before it gets its name.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zlib
from pathlib import Path

# Of the decompressed bytes: Debian compresses the same bytes anew, so its .gz files differ from Keras's.
SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
TARGET = Path(__file__).resolve().parents[2] / "data" / "fashion-mnist"
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_DIR = "usr/share/datasets/fashion-mnist"
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
SECONDS = 600  # the longest one command or download may take


def main() -> int:
    if any(is_complete(place) for place in places()):
        return 0
    reasons = []
    for source in (from_debian, from_keras_host):
        try:
            print(f"Fashion-MNIST (30 MB) from {source.__doc__} ...", flush=True)
            fetch(source)
        except (OSError, subprocess.SubprocessError) as error:
            reasons.append(f"  {source.__doc__}: {error}")
        else:
            print(f"Fashion-MNIST is in {TARGET}")
            return 0
    looked = "\n".join(f"  {place}" for place in places())
    print(
        f"Fashion-MNIST was not found in\n{looked}\nand could not be fetched:\n" + "\n".join(reasons) + "\n"
        f"Either `sudo apt-get install {DEBIAN_PACKAGE}` (Debian, Ubuntu), or copy {', '.join(SHA256)}\n"
        f"from {URL} into {TARGET},\nor into a folder that the variable FASHION_MNIST_DIR names.",
        file=sys.stderr,
    )
    return 1


def places() -> list[Path]:
    """Every folder that may have the files already."""
    named = os.environ.get("FASHION_MNIST_DIR")
    keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras")
    usual = [TARGET, Path("/", DEBIAN_DIR), keras_home / "datasets" / "fashion-mnist"]
    return [Path(os.path.expanduser(place)) for place in ([named, *usual] if named else usual)]


def is_complete(folder: Path) -> bool:
    return all(is_genuine(folder / name) for name in SHA256)


def is_genuine(file: Path) -> bool:
    try:
        content = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error):
        return False
    return hashlib.sha256(content).hexdigest() == SHA256[file.name]


def fetch(source) -> None:
    """Let `source` fill a temporary folder; move the files once all four are verified."""
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=TARGET.parent) as temporary:
        folder = source(Path(temporary))
        damaged = [name for name in SHA256 if not is_genuine(folder / name)]
        if damaged:
            raise OSError(f"missing or with the wrong SHA-256: {', '.join(damaged)}")
        TARGET.mkdir(exist_ok=True)
        for name in SHA256:
            (folder / name).replace(TARGET / name)


def from_debian(folder: Path) -> Path:
    """Debian's package"""
    unpack_debian_package(DEBIAN_PACKAGE, folder)
    return folder / DEBIAN_DIR


def from_keras_host(folder: Path) -> Path:
    """Keras's download host"""
    for name in SHA256:
        download(URL + name, folder / name)
    return folder


def unpack_debian_package(package: str, folder: Path) -> None:
    """Unpack a Debian package into `folder`; nothing is installed and root is not needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise OSError("this machine has no apt-get")
    folder.mkdir(parents=True, exist_ok=True)
    for private in ("apt/state/lists/partial", "apt/cache/archives/partial"):
        (folder / private).mkdir(parents=True, exist_ok=True)
    options = ["-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::http::Timeout=20"]
    own_lists = ["-o", f"Dir::State={folder}/apt/state", "-o", f"Dir::Cache={folder}/apt/cache"]
    try:
        run(["apt-get", *options, "download", package], folder)
    except subprocess.CalledProcessError:  # no package lists, or stale ones: get our own
        run(["apt-get", *options, *own_lists, "update"], folder, check=False)  # one dead source may fail it
        run(["apt-get", *options, *own_lists, "download", package], folder)
    (archive,) = folder.glob(f"{package}_*.deb")
    run(["dpkg-deb", "-x", archive.name, "."], folder)
    archive.unlink()
    shutil.rmtree(folder / "apt")


def download(url: str, file: Path) -> None:
    """Download with curl where there is one: it finds the machine's certificates and proxies best."""
    if shutil.which("curl"):
        curl = ["curl", "-fsSL", "--retry", "2", "--connect-timeout", "20", "--max-time", str(SECONDS)]
        run([*curl, "-o", str(file), url], file.parent)
        return
    with urllib.request.urlopen(url, timeout=20) as response, file.open("wb") as out:
        shutil.copyfileobj(response, out)


def run(command: list[str], folder: Path, check: bool = True) -> None:
    """Run quietly in `folder`; an error carries the command's own last line."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    if check and done.returncode:
        raise Failed(done.returncode, command[0], done.stdout, done.stderr)


class Failed(subprocess.CalledProcessError):
    def __str__(self) -> str:
        said = (self.stderr or self.stdout).strip().splitlines() or ["no message"]
        return f"{self.cmd}: {said[-1]}"


if __name__ == "__main__":
    sys.exit(main())

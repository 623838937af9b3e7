"""The store of models and leases: a Cloud Storage prefix or a local folder, one interface.

Objects are immutable under `runs/…` and replaced under `models/…` and `leases/…`. Each carries its
SHA-256, which is checked when it is read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from google.api_core.exceptions import (
    Forbidden,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
    RetryError,
)
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from python_jobs.infra.errors import ConnectionFailed, SettingsError, ShelfcastError
from python_jobs.infra.foreign import UNUSABLE_KEYS, disk

WORKERS = 8
OWN_FILES = (".writing/", ".lock")


class ObjectFault(ShelfcastError):
    """One object cannot be used; others may be."""


class ObjectMissing(ObjectFault):
    """An object that should be there is not."""


class ObjectCorrupt(ObjectFault):
    """An object's bytes are not those that its checksum names."""


class AlreadyThere(ShelfcastError):
    """An object was to be created and exists, or was to be replaced and has changed."""


@dataclass(frozen=True)
class Stored:
    """An object as a listing has it.

    Attributes:
        name: relative to the store.
        sha256: of its bytes, in hexadecimal; None where the writer did not record it.
        generation: changes with every write.
    """

    name: str
    sha256: str | None
    generation: int


class ModelStore(Protocol):
    """Named bytes with checksums, and writes that lose a race loudly."""

    uri: str

    def put(self, name: str, data: bytes, *, generation: int | None = None) -> int:
        """Write an object.

        Args:
            name: relative to the store.
            data: its bytes.
            generation: write only if this is its generation now (0: if it does not exist).

        Returns:
            The new generation.

        Raises:
            AlreadyThere: the generation is another one.
        """
        ...

    def get(self, name: str) -> bytes:
        """Read an object whole.

        Raises:
            ObjectMissing: there is none.
            ObjectCorrupt: its bytes do not match its checksum.
        """
        ...

    def stat(self, name: str) -> Stored | None:
        """The metadata of an object; None where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[Stored]:
        """Every object whose name starts so."""
        ...

    def delete(self, name: str, *, generation: int | None = None) -> None:
        """Remove an object, if it still is of that generation.

        Raises:
            AlreadyThere: it has changed.
            ObjectMissing: there is none.
        """
        ...

    def put_many(self, objects: Mapping[str, bytes]) -> None:
        """Write many objects at once, replacing existing ones."""
        ...

    def get_many(self, names: Sequence[str]) -> dict[str, bytes | ObjectFault]:
        """Read many objects at once: the bytes of each, or what is wrong with it."""
        ...


def sha256_of(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _check(name: str, data: bytes, expected: str | None) -> bytes:
    if expected is not None and sha256_of(data) != expected:
        raise ObjectCorrupt(f"{name}: its bytes are not those of its checksum {expected[:12]}….")
    return data


def _checked(name: str, data: bytes, expected: str | None) -> bytes | ObjectFault:
    try:
        return _check(name, data, expected)
    except ObjectCorrupt as fault:
        return fault


def open_store(uri: str, project: str | None = None, keyfile: str | None = None) -> ModelStore:
    """Open the store at a URI: `gs://bucket/prefix`, or a folder.

    Args:
        uri: of the store.
        project: Google Cloud project of a bucket.
        keyfile: a service account's key for a bucket; without one, the environment's credentials.

    Raises:
        ConnectionFailed: no credentials, or the bucket cannot be reached.
        SettingsError: the URI is neither.
    """
    if uri.startswith("gs://"):
        return BucketStore(uri, project, keyfile)
    if "://" in uri:
        raise SettingsError(f"'{uri}' is neither gs://bucket/prefix nor a folder.")
    return FolderStore(Path(uri))


class BucketStore:
    """A prefix of a Cloud Storage bucket."""

    def __init__(self, uri: str, project: str | None = None, keyfile: str | None = None) -> None:
        """Connect. Errors are those of `open_store`."""
        match = re.fullmatch(r"gs://([^/]+)(?:/(.*?))?/?", uri)
        if match is None:
            raise SettingsError(f"'{uri}' names no bucket (gs://bucket/prefix).")
        self.uri = uri
        self.prefix = f"{match[2]}/" if match[2] else ""
        try:
            self.client = (
                storage.Client.from_service_account_json(keyfile, project=project)
                if keyfile
                else storage.Client(project=project)
            )
            self.bucket = self.client.bucket(match[1])
        except UNUSABLE_KEYS as error:
            raise ConnectionFailed(
                f"no usable Google credentials for {uri}: {error}. "
                "Run `gcloud auth application-default login`."
            ) from error

    def put(self, name: str, data: bytes, *, generation: int | None = None) -> int:
        """See ModelStore."""
        blob = self._blob(name)
        blob.metadata = {"sha256": sha256_of(data)}
        with self._explain(name):
            blob.upload_from_string(
                data,
                content_type="application/octet-stream",
                if_generation_match=generation,
                checksum="crc32c",
                retry=DEFAULT_RETRY,
            )
        return int(blob.generation)

    def get(self, name: str) -> bytes:
        """See ModelStore."""
        with self._explain(name):
            blob = self.bucket.get_blob(self.prefix + name)
            if blob is None:
                raise ObjectMissing(f"{self.uri}: {name} does not exist.")
            data: bytes = blob.download_as_bytes(checksum="crc32c")
        return _check(name, data, (blob.metadata or {}).get("sha256"))

    def stat(self, name: str) -> Stored | None:
        """See ModelStore."""
        with self._explain(name):
            blob = self.bucket.get_blob(self.prefix + name)
        return None if blob is None else self._stored(blob)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See ModelStore."""
        with self._explain(prefix):
            for blob in self.client.list_blobs(self.bucket, prefix=self.prefix + prefix):
                yield self._stored(blob)

    def delete(self, name: str, *, generation: int | None = None) -> None:
        """See ModelStore."""
        with self._explain(name):
            self._blob(name).delete(if_generation_match=generation, retry=DEFAULT_RETRY)

    def put_many(self, objects: Mapping[str, bytes]) -> None:
        """See ModelStore.

        One request an object: the client's transfer manager does not know their sizes beforehand
        and sends two.

        Raises:
            ShelfcastError: some objects were not written; the others were.
        """
        with ThreadPoolExecutor(WORKERS) as pool:
            faults = list(filter(None, pool.map(self._put_fault, objects, objects.values())))
        if faults:
            raise ShelfcastError(
                f"{self.uri}: {len(faults)} of {len(objects)} objects were not written "
                f"(first: {faults[0]}). Run the command again."
            )

    def _put_fault(self, name: str, data: bytes) -> ShelfcastError | None:
        """Write an object; return why it could not be written."""
        try:
            self.put(name, data)
        except ShelfcastError as fault:
            return fault
        return None

    def get_many(self, names: Sequence[str]) -> dict[str, bytes | ObjectFault]:
        """See ModelStore."""
        from google.cloud.storage import transfer_manager

        with ThreadPoolExecutor(WORKERS) as pool, self._explain(self.uri):
            blobs = dict(zip(names, pool.map(self._described, names), strict=True))
        wanted = {name: (blob, io.BytesIO()) for name, blob in blobs.items() if blob is not None}
        results = transfer_manager.download_many(
            list(wanted.values()),
            worker_type=transfer_manager.THREAD,
            max_workers=WORKERS,
            download_kwargs={"checksum": "crc32c", "retry": DEFAULT_RETRY},
        )
        found: dict[str, bytes | ObjectFault] = {
            name: ObjectMissing(f"{self.uri}: {name} does not exist.")
            for name in names
            if name not in wanted
        }
        for (name, (blob, file)), result in zip(wanted.items(), results, strict=True):
            if isinstance(result, Exception):
                raise ConnectionFailed(f"{self.uri} cannot be reached for {name}: {result}")
            found[name] = _checked(name, file.getvalue(), (blob.metadata or {}).get("sha256"))
        return found

    def _described(self, name: str) -> storage.Blob | None:
        return self.bucket.get_blob(self.prefix + name)

    def _blob(self, name: str) -> storage.Blob:
        return self.bucket.blob(self.prefix + name)

    def _stored(self, blob: storage.Blob) -> Stored:
        sha256 = (blob.metadata or {}).get("sha256")
        return Stored(blob.name.removeprefix(self.prefix), sha256, int(blob.generation))

    @contextlib.contextmanager
    def _explain(self, name: str) -> Iterator[None]:
        try:
            yield
        except PreconditionFailed as error:
            raise AlreadyThere(f"{self.uri}: {name} has another generation.") from error
        except NotFound as error:
            raise ObjectMissing(
                f"{self.uri}: {name} does not exist, or its bucket. Create the bucket "
                f"(`gcloud storage buckets create gs://{self.bucket.name}`), or correct its name: "
                "that of the model store is SHELFCAST_MODELS_URI."
            ) from error
        except Forbidden as error:
            raise ConnectionFailed(
                f"{self.uri}: this account may not read or write {name} (403). Give it the role "
                f"Storage Object User (roles/storage.objectUser) on gs://{self.bucket.name}, or "
                "correct its name: that of the model store is SHELFCAST_MODELS_URI."
            ) from error
        except (GoogleAPICallError, GoogleAuthError, RetryError, OSError) as error:
            raise ConnectionFailed(f"{self.uri} cannot be reached for {name}: {error}") from error


@contextlib.contextmanager
def _disk_in_words(uri: str, name: str) -> Iterator[None]:
    """Turn an error of the disk into words; a file that is not there is the caller's to explain."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConnectionFailed(f"{uri}: {name} cannot be read or written: {disk(error)}") from error


class FolderStore:
    """A folder: for a laptop and for tests. A generation is the file's modification time."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be.

        Raises:
            ConnectionFailed: it cannot be made.
        """
        self.uri = str(folder)
        self.folder = folder
        with _disk_in_words(self.uri, "its folder"):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise ConnectionFailed(
                    f"{self.uri} is a file, and a model store is a folder. Name another place."
                ) from error
            except (FileNotFoundError, ValueError) as error:
                raise ConnectionFailed(
                    f"{self.uri!r} can be no folder: {error}. Name another place."
                ) from error

    def put(self, name: str, data: bytes, *, generation: int | None = None) -> int:
        """See ModelStore."""
        path = self.folder / name
        fresh = self.folder / ".writing" / uuid.uuid4().hex
        with _disk_in_words(self.uri, name):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.parent.mkdir(exist_ok=True)
            try:
                fresh.write_bytes(data)
                with self._locked():
                    self._require(path, generation)
                    fresh.replace(path)
            finally:
                with contextlib.suppress(OSError):  # on a disk that has become read-only
                    fresh.unlink(missing_ok=True)
            return path.stat().st_mtime_ns

    def get(self, name: str) -> bytes:
        """See ModelStore."""
        try:
            with _disk_in_words(self.uri, name):
                return (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise ObjectMissing(f"{self.uri}: {name} does not exist.") from error

    def stat(self, name: str) -> Stored | None:
        """See ModelStore."""
        path = self.folder / name
        return self._stored(path) if path.is_file() else None

    def list(self, prefix: str) -> Iterator[Stored]:
        """See ModelStore."""
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            is_own = name.startswith(OWN_FILES)
            if name.startswith(prefix) and not is_own and self._is_inside(path):
                yield self._stored(path)

    def delete(self, name: str, *, generation: int | None = None) -> None:
        """See ModelStore."""
        path = self.folder / name
        with _disk_in_words(self.uri, name), self._locked():
            if not path.is_file():
                raise ObjectMissing(f"{self.uri}: {name} does not exist.")
            self._require(path, generation)
            path.unlink()

    def put_many(self, objects: Mapping[str, bytes]) -> None:
        """See ModelStore."""
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda item: self.put(*item), objects.items()))

    def get_many(self, names: Sequence[str]) -> dict[str, bytes | ObjectFault]:
        """See ModelStore."""
        found: dict[str, bytes | ObjectFault] = {}
        for name in names:
            try:
                found[name] = self.get(name)
            except ObjectMissing as fault:
                found[name] = fault
        return found

    def _is_inside(self, path: Path) -> bool:
        """Whether a path is a file of this folder, and not a link to one that may be elsewhere."""
        folder = self.folder.resolve()
        return path.is_file() and path.resolve() == folder / path.relative_to(self.folder)

    def _stored(self, path: Path) -> Stored:
        name = path.relative_to(self.folder).as_posix()
        return Stored(name, sha256_of(path.read_bytes()), path.stat().st_mtime_ns)

    def _require(self, path: Path, generation: int | None) -> None:
        now = path.stat().st_mtime_ns if path.is_file() else 0
        if generation is not None and generation != now:
            raise AlreadyThere(f"{self.uri}: {path.name} has another generation.")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

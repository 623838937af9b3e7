"""Buckets in a folder, such that a kill leaves each upload whole or absent."""

import threading
import time
import uuid
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gcp_storage_emulator import storage
from gcp_storage_emulator.exceptions import NotFound

from emulators.storage.listing import SECTIONS, Listing

LISTING = "listing.sqlite"
_READABLE_LENGTH = 100


class Storage(storage.Storage):  # type: ignore[misc]
    """Buckets in a folder: each generation of each object is a file of its own.

    The listing names the generation to read. An upload writes its file, then its row in the
    listing, then removes the earlier generation. So a kill leaves the object as it was before the
    upload or as it is after it, never a mixture.

    Attributes:
        turn: held while a request is answered, so that a check and its write are never apart.
    """

    def __init__(self, data_dir: Path) -> None:
        self._listing = Listing(data_dir / LISTING)
        self.turn = threading.Lock()
        super().__init__(data_dir=str(data_dir))

    def _read_config_from_file(self) -> None:
        """Read the listing; take over the emulator's own file where it is all there is."""
        sections = self._listing.read()
        if any(sections.values()):
            self.__dict__.update(sections)
            return
        super()._read_config_from_file()
        self._write_config_to_file()
        with suppress(FileNotFoundError):
            self._store.remove_file(".meta")

    def _write_config_to_file(self) -> None:
        """Write the whole listing. What happens once an object has a shorter way, below."""
        self._listing.replace({section: getattr(self, section) for section in SECTIONS})

    def create_file(
        self,
        bucket_name: str,
        file_name: str,
        content: bytes,
        file_obj: dict[str, Any],
        file_id: str | None = None,
    ) -> None:
        """Write a new generation, list it, then remove the earlier one.

        Raises:
            NotFound: no such bucket.
        """
        if bucket_name not in self.buckets:
            raise NotFound
        before = self.objects.setdefault(bucket_name, {}).get(file_name)
        # A resumable upload was given its generation at its start; it counts from its end.
        stamp_generation(file_obj)
        self._store.write_bytes(content_path(bucket_name, file_obj), content)
        ended = [("resumable", file_id)] if file_id else []
        self._listing.change({("objects", bucket_name, file_name): file_obj}, ended)
        self.objects[bucket_name][file_name] = file_obj
        if file_id:
            self.delete_resumable_file_obj(file_id)
            self._delete_file(storage.RESUMABLE_DIR, self.safe_id(file_id))
        if before is not None:
            self._store.remove_file(content_path(bucket_name, before))

    def create_resumable_upload(
        self, bucket_name: str, file_name: str, file_obj: dict[str, Any]
    ) -> str:
        """Begin an upload in parts and return its id.

        Raises:
            NotFound: no such bucket.
        """
        if bucket_name not in self.buckets:
            raise NotFound
        file_id = f"{bucket_name}:{file_name}:{uuid.uuid4().hex}"
        self._listing.change({("resumable", file_id): file_obj})
        self.resumable[file_id] = file_obj
        return file_id

    def get_file(self, bucket_name: str, file_name: str, show_error: bool = True) -> bytes:
        """Read an object's content.

        Raises:
            NotFound: no such object.
        """
        if bucket_name == storage.RESUMABLE_DIR:
            content: bytes = super().get_file(bucket_name, file_name, show_error)
            return content
        path = content_path(bucket_name, self.get_file_obj(bucket_name, file_name))
        kept: bytes = self._store.read_bytes(path)
        return kept

    def delete_file(self, bucket_name: str, file_name: str) -> None:
        """Delete an object at once; the emulator keeps it for a week, as buckets may.

        Raises:
            NotFound: no such object.
        """
        found = self.get_file_obj(bucket_name, file_name)
        self._listing.change({}, [("objects", bucket_name, file_name)])
        del self.objects[bucket_name][file_name]
        self._store.remove_file(content_path(bucket_name, found))

    def wipe(self, keep_buckets: bool = False) -> None:
        """Remove all objects, and buckets too unless they are kept."""
        super().wipe(keep_buckets)
        self._write_config_to_file()


def stamp_generation(file_obj: dict[str, Any]) -> None:
    """Give an object a generation above all earlier ones, wherever it is written."""
    old, new = str(file_obj["generation"]), str(time.time_ns())
    for key in ("generation", "id", "mediaLink"):
        file_obj[key] = file_obj[key].replace(old, new)
    # The emulator counts an upload's own metadata as a change of it.
    file_obj["metageneration"] = "1"


def content_path(bucket_name: str, file_obj: dict[str, Any]) -> str:
    """Name the file of one generation: readable, and distinct for distinct object names."""
    name = file_obj["name"]
    readable = quote(name, safe="").replace(".", "%2E")[:_READABLE_LENGTH]
    digest = sha256(name.encode()).hexdigest()[:16]
    return f"{bucket_name}/{readable}-{digest}-{file_obj['generation']}"

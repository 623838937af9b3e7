"""Google's storage client against the local Cloud Storage."""

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core.exceptions import NotFound, NotModified, PreconditionFailed
from google.cloud.storage import transfer_manager
from google.cloud.storage.exceptions import InvalidResponse

ODD_NAMES = [
    "a",
    "a/b",
    "a//b",
    "a/./b",
    "a/../b",
    "../a",
    "./a",
    "/a",
    "a/",
    "..a",
    "a/...",
    "A",
    "a\\b",
    "a b+c%2Fd",
    "ы/ы",
    "a?b#c&d=e",
    "runs/" + "x" * 900,
    "runs/" + "x" * 899 + "y",
]


def test_each_odd_name_is_an_object_of_its_own(bucket):
    for name in ODD_NAMES:
        bucket.blob(name).upload_from_string(name.encode(), timeout=5)
    for name in ODD_NAMES:
        assert bucket.blob(name).download_as_bytes() == name.encode()
    listed = list(bucket.list_blobs())  # with the address of each object's bytes
    assert sorted(blob.name for blob in listed) == sorted(ODD_NAMES)
    for blob in listed:
        assert blob.download_as_bytes() == blob.name.encode()
    bucket.blob("a/b").delete()
    assert not bucket.blob("a/b").exists()
    assert bucket.blob("a//b").exists()


@pytest.mark.parametrize("size", [0, 1, 300_000, 9_000_000], ids="{} bytes".format)
def test_bytes_come_back_as_they_were(bucket, size):
    sent = os.urandom(size) + b"\r\n--\r\n\n\r" + bytes(range(256))
    bucket.blob("any").upload_from_string(sent)
    assert bucket.blob("any").download_as_bytes(checksum="crc32c") == sent


def test_custom_metadata_is_listed(bucket):
    blob = bucket.blob("model.json")
    blob.metadata = {"sha256": "abc", "ключ": "значение"}
    blob.upload_from_string("{}", content_type="application/json")
    (listed,) = bucket.list_blobs()
    assert listed.metadata == {"sha256": "abc", "ключ": "значение"}
    assert listed.content_type == "application/json"
    assert listed.metageneration == 1
    listed.metadata = {"sha256": "def"}
    listed.patch()
    assert bucket.get_blob("model.json").metadata["sha256"] == "def"
    assert bucket.get_blob("model.json").metageneration == 2


def test_lists_come_in_pages(bucket):
    names = [f"runs/{number:03d}" for number in range(25)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: bucket.blob(name).upload_from_string(name), names))
    pages = [[blob.name for blob in page] for page in bucket.list_blobs(page_size=10).pages]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert list(itertools.chain(*pages)) == names
    assert [blob.name for blob in bucket.list_blobs(max_results=3)] == names[:3]
    late = bucket.list_blobs(start_offset="runs/020", end_offset="runs/022")
    assert [blob.name for blob in late] == ["runs/020", "runs/021"]
    folders = bucket.list_blobs(delimiter="/")
    assert [blob.name for blob in folders] == []
    assert folders.prefixes == {"runs/"}


def test_many_objects_at_a_time(bucket, tmp_path):
    for number in range(40):
        (tmp_path / f"{number}.json").write_text(str(number))
    names = sorted(path.name for path in tmp_path.iterdir())
    transfer_manager.upload_many_from_filenames(
        bucket, names, source_directory=str(tmp_path), worker_type="thread", raise_exception=True
    )
    assert sorted(blob.name for blob in bucket.list_blobs()) == names


class TestPreconditions:
    def test_of_eight_creators_one_wins(self, bucket):
        together = threading.Barrier(8)

        def create(number: int) -> bool:
            together.wait()
            try:
                bucket.blob("lease").upload_from_string(str(number), if_generation_match=0)
            except PreconditionFailed:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert sum(won) == 1
        assert bucket.blob("lease").download_as_text() == str(won.index(True))

    def test_an_overwrite_needs_the_generation_that_was_read(self, bucket):
        blob = bucket.blob("lease")
        blob.upload_from_string("one")
        read = blob.generation
        blob.upload_from_string("two", if_generation_match=read)
        assert blob.generation > read
        with pytest.raises(PreconditionFailed):
            bucket.blob("lease").upload_from_string("three", if_generation_match=read)
        assert blob.download_as_text() == "two"

    def test_reads_and_deletes_check_too(self, bucket):
        blob = bucket.blob("lease")
        blob.upload_from_string("one")
        with pytest.raises(PreconditionFailed):
            blob.delete(if_generation_match=1)
        with pytest.raises(PreconditionFailed):
            blob.download_as_bytes(if_generation_match=1)
        with pytest.raises(NotModified):
            blob.reload(if_generation_not_match=blob.generation)
        blob.delete(if_generation_match=blob.generation)
        assert not bucket.blob("lease").exists()

    def test_metadata_has_a_generation_of_its_own(self, bucket):
        blob = bucket.blob("lease")
        blob.upload_from_string("one")
        blob.metadata = {"a": "b"}
        with pytest.raises(PreconditionFailed):
            blob.patch(if_metageneration_match=7)
        blob.patch(if_metageneration_match=1)

    def test_a_generation_that_is_gone_is_not_found(self, bucket):
        blob = bucket.blob("model")
        blob.upload_from_string("one")
        first = blob.generation
        blob.upload_from_string("two")
        with pytest.raises(NotFound):
            bucket.blob("model", generation=first).download_as_bytes()

    def test_a_copy_checks_its_destination(self, bucket):
        source = bucket.blob("candidate")
        source.upload_from_string("new")
        bucket.copy_blob(source, bucket, "serving", if_generation_match=0)
        with pytest.raises(PreconditionFailed):
            bucket.copy_blob(source, bucket, "serving", if_generation_match=0)
        assert bucket.blob("serving").download_as_text() == "new"

    def test_of_two_resumable_uploads_the_first_to_end_wins(self, bucket):
        content = os.urandom(600_000)
        slow = bucket.blob("big", chunk_size=256 * 1024)
        upload = slow.open("wb", if_generation_match=0)
        upload.write(content)
        bucket.blob("big").upload_from_string("fast", if_generation_match=0)
        with pytest.raises(InvalidResponse, match="412"):
            upload.close()
        assert bucket.blob("big").download_as_text() == "fast"

    def test_a_resumable_upload_counts_from_its_end(self, bucket):
        slow = bucket.blob("big", chunk_size=256 * 1024)
        with slow.open("wb") as upload:
            upload.write(os.urandom(600_000))
            fast = bucket.blob("big")
            fast.upload_from_string("fast")
        assert bucket.get_blob("big").generation > fast.generation


def test_a_missing_object_is_not_found(bucket):
    with pytest.raises(NotFound):
        bucket.blob("nothing").download_as_bytes()
    with pytest.raises(NotFound):
        bucket.blob("nothing").delete()

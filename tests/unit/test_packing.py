"""Models of a shard in one object: what is packed comes back, what is damaged costs itself only."""

import pytest

from python_jobs.infra.store import ObjectCorrupt
from python_jobs.registry.packing import pack, unpack, unpack_whole

MODELS = {"N1|retail|A": b'{"level": 1}', "N1|retail|B/\xc3\xa9": b"\xff\x00 no text", "C": b""}


def test_what_is_packed_comes_back_byte_by_byte():
    unpacked = unpack(pack(MODELS), "shard")
    assert (unpacked.models, unpacked.damage) == (MODELS, "")
    assert unpack_whole(pack(MODELS), "shard") == MODELS


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"series_id": "D", "te',
        b"[1]",
        b"7",
        b'{"text": "no series"}',
        b'{"series_id": "D"}',
        b'{"series_id": "D", "text": 7}',
        b'{"series_id": "D", "base64": 7}',
        b'{"series_id": ["D"], "text": "x"}',
    ],
)
def test_a_damaged_line_costs_its_own_model(line):
    first, *rest = pack(MODELS).split(b"\n")
    packed = b"\n".join([first, line, *rest])
    unpacked = unpack(packed, "shard")
    assert unpacked.models == MODELS
    assert unpacked.damage.startswith("shard: line 2 holds no model (")
    with pytest.raises(ObjectCorrupt, match="shard: line 2 holds no model"):
        unpack_whole(packed, "shard")

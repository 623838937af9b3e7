"""Connections to the storage emulator stay open, and a slow or odd one harms no other."""

import json
import socket
import time
from http.client import HTTPConnection
from statistics import quantiles
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def address(local_stack):
    parts = urlsplit(local_stack.storage)
    return parts.hostname, parts.port


@pytest.fixture
def connection(address):
    connection = HTTPConnection(*address, timeout=5)
    yield connection
    connection.close()


def answered(connection, *request, **more):
    connection.request(*request, **more)
    answer = connection.getresponse()
    return answer.status, answer.read()


def upload_path(bucket, name, **query):
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name={name}{more}"


def test_requests_share_a_connection(connection, bucket):
    port = None
    for number in range(3):
        path = upload_path(bucket, f"n{number}")
        assert answered(connection, "POST", path, body=b"x")[0] == 200
        port = port or connection.sock.getsockname()
        assert connection.sock.getsockname() == port


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_first_packet(connection, bucket):
    """With Nagle's algorithm nine of ten take 40 ms."""
    taken = []
    for _ in range(60):
        start = time.perf_counter()
        assert answered(connection, "POST", upload_path(bucket, "a"), body=b"x")[0] == 200
        taken.append(time.perf_counter() - start)
    assert quantiles(taken)[0] < 0.03


def test_a_refused_upload_leaves_nothing_of_its_body_on_the_connection(connection, bucket):
    path = upload_path(bucket, "a", ifGenerationMatch=1)
    for _ in range(2):
        status, body = answered(connection, "POST", path, body=b"GET / HTTP/1.1\r\n\r\n" * 50)
        assert status == 412
        assert json.loads(body)["error"]["code"] == 412
    assert answered(connection, "GET", "/") == (200, b"OK")


def test_a_failure_is_an_answer(connection):
    """Without one, the client retries for minutes what will fail again."""
    headers = {"Content-Type": "application/json"}
    for _ in range(2):
        status, body = answered(connection, "POST", "/storage/v1/b", b"{no json", headers)
        assert status == 400
        assert "JSONDecodeError" in json.loads(body)["error"]["message"]


def test_a_request_that_is_not_implemented_ends_its_connection(connection, bucket):
    body = b"GET / HTTP/1.1\r\n\r\n"
    connection.request("PATCH", f"/storage/v1/b/{bucket.name}/o", body=body)
    answer = connection.getresponse()
    answer.read()
    assert (answer.status, answer.getheader("Connection")) == (501, "close")
    assert answered(connection, "GET", "/") == (200, b"OK")  # on a connection of its own


def test_a_chunked_upload_is_whole_and_ends_its_connection(connection, bucket):
    parts = (part for part in (b"one ", b"two"))
    connection.request("POST", upload_path(bucket, "a"), body=parts, encode_chunked=True)
    answer = connection.getresponse()
    answer.read()
    assert (answer.status, answer.getheader("Connection")) == (200, "close")
    assert bucket.blob("a").download_as_bytes() == b"one two"


def test_a_slow_sender_delays_nobody(address, connection, bucket):
    with socket.create_connection(address, timeout=5) as slow:
        path = upload_path(bucket, "slow")
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        slow.sendall(head.encode() + b"half")
        time.sleep(0.1)
        assert answered(connection, "POST", upload_path(bucket, "a"), body=b"x")[0] == 200
        slow.sendall(b" more")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
    assert bucket.blob("slow").download_as_bytes() == b"half more"


def test_an_idle_connection_delays_nobody(address, connection, bucket):
    with socket.create_connection(address, timeout=5):
        time.sleep(0.1)
        assert answered(connection, "GET", "/") == (200, b"OK")


def test_links_lead_to_the_server_that_is_asked(address, connection, bucket):
    """As after a start on another port; `localhost` stands for the new one."""
    assert answered(connection, "POST", upload_path(bucket, "a"), body=b"x")[0] == 200
    host = {"Host": f"localhost:{address[1]}"}
    path = f"/storage/v1/b/{bucket.name}/o"
    link = f"http://localhost:{address[1]}/download/storage/v1/b/{bucket.name}/o/a?generation="
    one = json.loads(answered(connection, "GET", f"{path}/a", headers=host)[1])
    (listed,) = json.loads(answered(connection, "GET", path, headers=host)[1])["items"]
    assert one["mediaLink"].startswith(link)
    assert listed["mediaLink"].startswith(link)

"""SPDY/3.1 as a server takes it: what a client sends piece by piece, and what is none. The rest kubectl shows."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refkube.apimachinery.spdy import DICTIONARY, FIN, PING, RST_STREAM, SYN_REPLY, Connection, ProtocolError, Stream


def control(type: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("!HHI", 0x8003, type, flags << 24 | len(body)) + body


def data(id: int, content: bytes, flags: int = 0) -> bytes:
    return struct.pack("!II", id, flags << 24 | len(content)) + content


class Client:
    def __init__(self) -> None:
        self.deflate = zlib.compressobj(zdict=DICTIONARY)
        self.streams: list[Stream] = []
        self.told: list[bytes] = []
        self.got: list[tuple[int, bytes | None]] = []
        self.server = Connection(self.told.append, self._opened)

    def _opened(self, stream: Stream) -> bool:
        self.streams.append(stream)
        stream.received = lambda data: self.got.append((stream.id, data))
        stream.reset = lambda: self.got.append((stream.id, b"reset"))
        return "unwelcome" not in stream.headers

    def opening(self, id: int, **headers: str) -> bytes:
        texts = [text.encode() for pair in headers.items() for text in pair]
        block = struct.pack("!I", len(headers)) + b"".join(struct.pack("!I", len(text)) + text for text in texts)
        packed = self.deflate.compress(block) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        return control(1, struct.pack("!IIH", id, 0, 0) + packed)


def test_the_dictionary_is_that_of_the_draft() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 3821447106)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_streams_in_pieces_of_any_size(size: int) -> None:
    client = Client()
    sent = client.opening(1, port="80", StreamType="error") + data(1, b"", FIN) + client.opening(3, port="81")
    sent += (
        data(3, b"one") + data(3, b"two", FIN) + control(PING, b"\0\0\0\1") + control(RST_STREAM, b"\0\0\0\3\0\0\0\5")
    )
    for start in range(0, len(sent), size):
        client.server.received(sent[start : start + size])
    assert [stream.headers for stream in client.streams] == [{"port": "80", "streamtype": "error"}, {"port": "81"}]
    assert client.got == [(1, None), (3, b"one"), (3, b"two"), (3, None), (3, b"reset")]
    assert [int.from_bytes(frame[2:4], "big") for frame in client.told] == [SYN_REPLY, SYN_REPLY, PING]
    client.told.clear()
    client.streams[1].write(b"too late")
    client.streams[0].write(b"answer")
    client.streams[0].end()
    assert client.told == [data(1, b"answer"), data(1, b"", FIN)]


def test_an_unwelcome_stream_is_reset() -> None:
    client = Client()
    client.server.received(client.opening(1, unwelcome="yes") + data(1, b"data"))
    assert client.told[1:] == [control(RST_STREAM, b"\0\0\0\1\0\0\0\1")]
    assert client.got == []


@given(st.lists(st.one_of(st.binary(), st.builds(control, st.integers(0, 9), st.binary()))))
def test_nonsense_is_refused_or_ignored(pieces: list[bytes]) -> None:
    client = Client()
    try:
        for piece in pieces:
            client.server.received(piece)
    except ProtocolError:
        pass

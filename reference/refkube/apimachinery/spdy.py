"""SPDY/3.1 as a server speaks it: streams of bytes, each with headers, on one connection.

What kubectl port-forward puts into a WebSocket, and what upstream's API server speaks to kubelets. Used by
`kubelet.portforward` and `remotecommand`. Source: draft-mbelshe-httpbis-spdy-00,
and what github.com/moby/spdystream makes of it. Left out: flow control and priorities, which that leaves out too;
streams that the server opens.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 1
PROTOCOL_ERROR, CANCEL = 1, 5
LONGEST = 1 << 20  # bytes of a frame that is waited for
VERSION = 0x8003

# What both sides' compression starts with: words with their lengths, then a tail.
_WORDS = (
    b"options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    b"authorization cache-control connection content-base content-encoding content-language content-length "
    b"content-location content-md5 content-range content-type date etag expect expires from host if-match "
    b"if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    b"proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    b"user-agent vary via warning www-authenticate method get status"
)
_TAIL = (
    b"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    b"Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    b"Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    b"00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    b"application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
    b"iso-8859-1,utf-,*,enq=0."
)
_PAIRS = (b"200 OK", b"version", b"HTTP/1.1", b"url", b"public", b"set-cookie", b"keep-alive", b"origin")
DICTIONARY = b"".join(struct.pack("!I", len(word)) + word for word in (*_WORDS.split(), *_PAIRS)) + _TAIL


class ProtocolError(ValueError):
    """What came is no SPDY/3.1."""


class Stream:
    """Opened by the client. Whoever has it sets `received`, called with data and at the end with None; `reset` is
    called when the client wants no more of it."""

    def __init__(self, connection: Connection, id: int, headers: dict[str, str]):
        self.id = id
        self.headers = headers
        self.received: Callable[[bytes | None], object] = lambda data: None
        self.reset: Callable[[], object] = lambda: None
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.send_data(self.id, 0, data)

    def end(self) -> None:
        """Nothing more is written."""
        self._connection.send_data(self.id, FIN, b"")

    def cancel(self) -> None:
        """Neither side shall write any more."""
        self._connection.forget(self.id, CANCEL)


class Connection:
    """`send` gets bytes for the client, `opened` each new stream; it says whether that one is welcome."""

    def __init__(self, send: Callable[[bytes], object], opened: Callable[[Stream], bool]):
        self.streams: dict[int, Stream] = {}
        self._send = send
        self._opened = opened
        self._rest = b""
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def received(self, data: bytes) -> None:
        """ProtocolError ends it."""
        self._rest += data
        while len(self._rest) >= 8:
            head, length = struct.unpack("!II", self._rest[:8])
            flags, length = length >> 24, length & 0xFFFFFF
            if length > LONGEST:
                raise ProtocolError(f"a frame of {length} bytes")
            if len(self._rest) < 8 + length:
                return
            body, self._rest = self._rest[8 : 8 + length], self._rest[8 + length :]
            if head >> 31:
                self._control(head & 0xFFFF, flags, body)
            elif (stream := self.streams.get(head)) is not None:
                if body:
                    stream.received(body)
                if flags & FIN:
                    stream.received(None)

    def send_data(self, id: int, flags: int, data: bytes) -> None:
        if id in self.streams:
            for start in range(0, len(data) or 1, LONGEST):
                piece = data[start : start + LONGEST]
                self._send(struct.pack("!II", id, flags << 24 | len(piece)) + piece)

    def forget(self, id: int, status: int) -> None:
        """End a stream, and say so."""
        if self.streams.pop(id, None) is not None:
            self._send_control(RST_STREAM, struct.pack("!II", id, status))

    def _send_control(self, type: int, body: bytes) -> None:
        self._send(struct.pack("!HHI", VERSION, type, len(body)) + body)

    def _control(self, type: int, flags: int, body: bytes) -> None:
        number = int.from_bytes(body[:4], "big") & 0x7FFFFFFF
        if type == SYN_STREAM:
            stream = self.streams[number] = Stream(self, number, self._headers(body[10:]))
            none = self._deflate.compress(bytes(4)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            self._send_control(SYN_REPLY, body[:4] + none)  # before any data
            if not self._opened(stream):
                self.forget(number, PROTOCOL_ERROR)
            elif flags & FIN:
                stream.received(None)
        elif type == RST_STREAM:
            if (known := self.streams.pop(number, None)) is not None:
                known.reset()
        elif type == PING and number % 2:  # the client's: its numbers are odd
            self._send_control(PING, body)

    def _headers(self, compressed: bytes) -> dict[str, str]:
        try:
            told = self._inflate.decompress(compressed, LONGEST)
            (count,) = struct.unpack_from("!I", told)
            texts, at = [], 4
            for _ in range(2 * count):
                (length,) = struct.unpack_from("!I", told, at)
                texts.append(told[at + 4 : at + 4 + length].decode("latin-1"))
                at += 4 + length
        except (zlib.error, struct.error) as why:
            raise ProtocolError(f"the headers of a stream: {why}") from why
        return {name.lower(): value for name, value in zip(texts[::2], texts[1::2], strict=True)}

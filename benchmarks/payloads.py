"""Malformed, oversized and hostile requests to a served model."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"


class Payload(NamedTuple):
    """One request to `/invocations`.

    Args:
        name: What is wrong with it.
        body: Its body.
        kind: Its content type; None to send no content type.
    """

    name: str
    body: bytes
    kind: str | None = JSON


def post(
    port: int, payload: Payload, *, path: str = "/invocations", headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, bytes]:
    """The response of a server on this machine: its status and body; status 0 if the connection breaks.

    Args:
        port: The server's port.
        payload: The request.
        path: Its path.
        headers: Further headers.
    """
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        line.putrequest("POST", path)
        for name, value in headers.items():
            line.putheader(name, value)
        line.putheader("Content-Length", str(len(payload.body)))
        if payload.kind:
            line.putheader("Content-Type", payload.kind)
        line.endheaders()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the server may respond before it has read everything
            line.send(payload.body)
        answer = line.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error).encode()
    finally:
        line.close()


def for_any(example: Mapping[str, Any]) -> Iterator[Payload]:
    """Invalid request formats, for any kind of model.

    Args:
        example: A valid row.
    """
    good = rows_of(example)
    yield Payload("no body", b"")
    yield Payload("white space", b" \n\t ")
    yield Payload("not JSON", b"age=39&workclass=Private")
    yield Payload("truncated", good[:-3])
    yield Payload("two documents", good + good)
    yield Payload("a list", b"[1, 2, 3]")
    yield Payload("null", b"null")
    yield Payload("a text", b'"hello"')
    yield Payload("an empty object", b"{}")
    yield Payload("no known key", b'{"rows": [1]}')
    yield Payload("two known keys", b'{"inputs": [1], "instances": [1]}')
    yield Payload("bytes that are not UTF-8", b'{"inputs": ["\xff\xfe"]}')
    yield Payload("UTF-16 without its mark", good.decode().encode("utf-16-le")[1:])
    yield Payload("control characters", b'{"inputs": ["\x00\x01\x02"]}')
    yield Payload("deeply nested lists", b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    yield Payload("deeply nested objects", b'{"inputs": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}")
    yield Payload("an endless number", b'{"inputs": ' + b"9" * 100_000 + b"}")
    yield Payload("no content type", good, None)
    yield Payload("an unknown content type", good, "application/octet-stream")
    yield Payload("a form", good, "multipart/form-data; boundary=x")
    yield Payload("another charset", good, "application/json; charset=utf-16")
    yield Payload("a content type with parameters", good, "application/json; format=pandas-split")
    yield Payload("JSON sent as Parquet", good, PARQUET)
    yield Payload("Parquet's first and last bytes", b"PAR1" + bytes(64) + b"PAR1", PARQUET)
    yield Payload("64 MB", b'{"inputs": ["' + b"a" * (64 << 20) + b'"]}')
    yield Payload("records that are not a list", b'{"dataframe_records": 5}')
    yield Payload("a split without data", b'{"dataframe_split": {"columns": ["a"]}}')
    yield Payload("a split with too many cells", b'{"dataframe_split": {"columns": ["a"], "data": [[1, 2, 3]]}}')
    yield Payload("a split with strange keys", b'{"dataframe_split": {"columns": ["a"], "data": [[1]], "x": 1}}')


def for_tables(example: Mapping[str, Any], number: str) -> Iterator[Payload]:
    """Invalid rows of a table.

    Args:
        example: A valid row.
        number: The name of a numeric column.
    """
    names = list(example)
    yield Payload("a column is missing", rows_of({name: cell for name, cell in example.items() if name != number}))
    yield Payload("all columns are missing", rows_of({"strange": 1}))
    yield Payload("column names in upper case", rows_of({name.upper(): cell for name, cell in example.items()}))
    yield Payload("no rows", b'{"dataframe_records": []}')
    yield Payload("rows that are null", b'{"dataframe_records": [null]}')
    yield Payload("a text for a number", rows_of({**example, number: "forty"}))
    yield Payload("a list for a number", rows_of({**example, number: [1, 2]}))
    yield Payload("an object for a number", rows_of({**example, number: {"$gt": 0}}))
    yield Payload("infinity", rows_of({**example, number: float("inf")}))
    yield Payload("infinity as a text", rows_of({**example, number: "-Infinity"}))
    yield Payload("a float that overflows", rows_of({**example, number: 0}).replace(b": 0", b": 1e999"))
    yield Payload("an integer beyond floats", rows_of({**example, number: 10**400}))
    yield Payload(
        "a list for a category", rows_of({name: [1] if isinstance(cell, str) else cell for name, cell in example.items()})
    )
    yield Payload("cells without names", json.dumps({"inputs": [list(example.values())[:-1]]}).encode())
    yield Payload(
        "columns of unequal length", json.dumps({"inputs": {name: [1] * n for n, name in enumerate(names, 1)}}).encode()
    )
    yield Payload(
        "a million rows",
        b'{"dataframe_split": {"columns": ["' + number.encode() + b'"], "data": [' + b"[1]," * 999_999 + b"[1]]}}",
    )
    split = {"columns": names, "data": [list(example.values())] * 20_000}
    yield Payload("too many rows", json.dumps({"dataframe_split": split}).encode())
    yield Payload("a path for a column", b'{"inputs": {"' + number.encode() + b'": "/etc/passwd"}}')
    yield Payload("a path for rows", b'{"inputs": "/etc/passwd"}')
    yield Payload("CSV without a header", b"1,2,3\n4,5,6\n", CSV)
    yield Payload("an unclosed quote in CSV", b'age,"work\n' + b"1,2\n" * 10, CSV)


def for_tensors(name: str) -> Iterator[Payload]:
    """Invalid requests by the Open Inference Protocol.

    Args:
        name: A numeric column.
    """

    def one(**changes: Any) -> bytes:
        tensor = {"name": name, "shape": [1], "datatype": "FP64", "data": [1.0], **changes}
        return json.dumps({"inputs": [tensor]}).encode()

    yield Payload("a tensor without data", one(data=None))
    yield Payload("a shape of a billion rows", one(shape=[10**9]))
    yield Payload("a shape of many axes", one(shape=[1] * 64))
    yield Payload("a shape that multiplies to more than memory", one(shape=[1, 2**31, 2**31, 2**31]))
    yield Payload("a negative shape", one(shape=[-1]))
    yield Payload("a shape of floats", one(shape=[1.5]))
    yield Payload("a shape of true", one(shape=[True]))
    yield Payload("an unknown datatype", one(datatype="OBJECT"))
    yield Payload("texts as numbers", one(data=["1.0"]))
    yield Payload("objects as numbers", one(data=[{"$gt": 0}]))
    yield Payload("data nested unevenly", one(shape=[2, 2], data=[[1.0, 2.0], 3.0]))
    yield Payload("data nested deeply", one(shape=[1], data=[[[[[[[[1.0]]]]]]]]))
    yield Payload("more data than the shape says", one(data=[1.0] * 50_000))
    yield Payload("another column", one(name="strange"))
    yield Payload("columns of unequal length as tensors", _tensors(name, "other"))
    yield Payload("one tensor twice", _tensors(name, name))
    yield Payload("no tensors", b'{"inputs": []}')
    yield Payload("tensors that are no list", b'{"inputs": {"a": 1}}')
    yield Payload("tensors that are numbers", b'{"inputs": [1, 2]}')
    yield Payload(
        "an id that is an object", b'{"id": {}, "inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}]}'
    )


def _tensors(first: str, second: str) -> bytes:
    lengths = {"FP64": (first, [1.0]), "FP32": (second, [1.0, 2.0])}
    inputs = [{"name": name, "shape": [len(data)], "datatype": kind, "data": data} for kind, (name, data) in lengths.items()]
    return json.dumps({"inputs": inputs}).encode()


def for_images(picture: bytes) -> Iterator[Payload]:
    """Invalid images.

    Args:
        picture: A valid image, as a PNG file.
    """
    yield Payload("a path", image("/etc/passwd"))
    yield Payload("a path as a URL", image("file:///etc/passwd"))
    yield Payload("a URL", image("http://127.0.0.1:1/picture.png"))
    yield Payload("a path in a list", b'{"inputs": ["/etc/passwd", "../../etc/shadow"]}')
    yield Payload("an object that names a path", image({"path": "/etc/passwd"}))
    yield Payload("not base64", image("not base64 at all!"))
    yield Payload("empty base64", image(""))
    yield Payload("base64 of a text", image(base64.b64encode(b"hello, I am no picture").decode()))
    yield Payload("half a PNG", image(picture[: len(picture) // 2]))
    yield Payload("a PNG with a wrong checksum", image(picture[:40] + bytes([picture[40] ^ 255]) + picture[41:]))
    yield Payload("half a JPEG", image(jpeg()[:400]))
    yield Payload("a decompression bomb", image(bomb(30_000, 30_000)))
    yield Payload("a PNG with sides of 2^31 pixels", image(bomb(2**31 - 1, 2**31 - 1, rows=1)))
    yield Payload("a PNG of no pixels", image(bomb(0, 0, rows=0)))
    yield Payload("PostScript", image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) run\n"))
    yield Payload(
        "SVG with an entity",
        image(b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'),
    )
    yield Payload("a number for an image", image(7))
    yield Payload("null for an image", image(None))
    yield Payload("true for an image", image(True))  # the payload itself
    yield Payload("a ragged array", image([[1, 2, 3], [4, 5]]))
    yield Payload("an array of texts", image([["a", "b"], ["c", "d"]]))
    yield Payload("an array with five axes", image([[[[[1]]]]]))
    yield Payload("an array without pixels", image([[]]))
    yield Payload("an array with infinity", image([[float("inf")] * 8] * 8))
    yield Payload("an array with NaN", image([[float("nan")] * 8] * 8))
    yield Payload("an array beyond floats", image([[10**400] * 8] * 8))
    yield Payload("no images", b'{"inputs": []}')
    yield Payload("another column", b'{"dataframe_records": [{"picture": "abcd"}]}')
    yield Payload("too many images", json.dumps({"inputs": [base64.b64encode(picture).decode()] * 20_000}).encode())
    wide = [base64.b64encode(b"\x89PNG" + bytes(200_000)).decode(), *["a"] * 50_000]
    yield Payload("texts of very unequal length", json.dumps({"instances": [{"image": text} for text in wide]}).encode())


def rows_of(example: Mapping[str, Any]) -> bytes:
    """A request with one row."""
    return json.dumps({"dataframe_records": [dict(example)]}).encode()


def image(cell: Any) -> bytes:
    """A request with one image, in any representation."""
    cell_text = base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell
    return json.dumps({"dataframe_records": [{"image": cell_text}]}).encode()


def jpeg() -> bytes:
    """A valid JPEG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "JPEG")
    return file.getvalue()


def bomb(width: int, height: int, *, rows: int | None = None) -> bytes:
    """A grey PNG that is much larger than its file suggests.

    Args:
        width: Width in pixels.
        height: Height in pixels, as in the header.
        rows: Number of rows of zeros that follow; by default as many as in the header.
    """
    packer, body = zlib.compressobj(9), b""
    for _ in range(height if rows is None else rows):
        body += packer.compress(bytes(min(width, 30_000) + 1))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", body + packer.flush()), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
        for kind, payload in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)

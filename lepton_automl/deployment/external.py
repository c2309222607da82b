"""What an untrusted ONNX file could do beyond arithmetic: read other files as weights, or run without end.

It has its own reader of Protocol Buffers, because a bundle runs without the package `onnx`. The reader follows only the fields
through which a tensor or an operation can be reached (onnx.proto3 of ONNX 1.17; protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Iterator

from lepton_automl.errors import BundleError

# A message's kind, and which fields of it hold messages that may hold tensors.
NESTED_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # fields of a tensor
OP_TYPE, DOMAIN = 4, 7  # fields of a node
CONTROL_FLOW = {"Loop", "Scan", "If", "SequenceMap"}  # these run subgraphs, any number of times
USUAL_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}
VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5  # kinds of a field on the wire


def refuse_external(model: bytes) -> None:
    """Check that no tensor of a model is stored in another file.

    Args:
        model: The content of an ONNX file.

    Raises:
        BundleError: One is, or this is not an ONNX file.
    """
    for kind, message in _messages(model):
        if kind == "tensor" and any(value for field, value in _fields(message) if field in {EXTERNAL_DATA, DATA_LOCATION}):
            fix = "The model of a bundle must contain its weights; export it again."
            raise BundleError("a tensor of the model is stored in another file", where="the ONNX file", fix=fix)


def unusual_operations(model: bytes) -> list[str]:
    """The operations of a model that are not plain arithmetic: control flow, and custom operations.

    Nodes inside of functions and subgraphs are included.

    Args:
        model: The content of an ONNX file.

    Returns:
        Their names, sorted, such as `"Loop"` or `"com.example:Do"`.

    Raises:
        BundleError: This is not an ONNX file.
    """
    operations: set[str] = set()
    for kind, message in _messages(model):
        if kind != "node":
            continue
        texts = {field: bytes(value) for field, value in _fields(message) if isinstance(value, memoryview)}
        op, domain = (texts.get(field, b"").decode(errors="replace") for field in (OP_TYPE, DOMAIN))
        if domain not in USUAL_DOMAINS:
            operations.add(f"{domain}:{op}")
        elif op in CONTROL_FLOW:
            operations.add(op)
    return sorted(operations)


def _messages(model: bytes) -> Iterator[tuple[str, memoryview]]:
    """Every message of a model that `NESTED_FIELDS` leads to, and its kind."""
    waiting = [("model", memoryview(model))]
    while waiting:  # a list instead of recursion: files may be nested to any depth
        kind, message = waiting.pop()
        yield kind, message
        if NESTED_FIELDS[kind]:
            for field, value in _fields(message):
                if field in NESTED_FIELDS[kind] and isinstance(value, memoryview):
                    waiting.append((NESTED_FIELDS[kind][field], value))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and value of every field; fixed-size numbers are left out."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at, 5)
        field, wire = (tag & 0xFFFFFFFF) >> 3, tag & 7
        if wire == VARINT:
            value, at = _varint(message, at, 10)
            yield field, value
        elif wire == BYTES:
            length, at = _varint(message, at, 10)
            if length > len(message) - at:
                raise _truncated()
            yield field, message[at : at + length]
            at += length
        elif wire in {FIXED_32, FIXED_64}:
            at += 4 if wire == FIXED_32 else 8
        else:
            raise _truncated()


def _varint(message: memoryview, at: int, most: int) -> tuple[int, int]:
    """A variable-length integer (seven bits a byte, lowest first), and where it ends."""
    value = 0
    for count, byte in enumerate(message[at : at + most]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, at + count + 1
    raise _truncated()


def _truncated() -> BundleError:
    return BundleError("this ONNX file is damaged or incomplete", where="the ONNX file", fix="Export the model again.")

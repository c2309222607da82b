"""Detect what an untrusted ONNX file could do beyond arithmetic: read other files as weights, or run forever.

It has its own reader of Protocol Buffers, because a bundle runs without the package `onnx`. The reader follows only the fields
through which a tensor or an operation can be reached (onnx.proto3 of ONNX 1.17; protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Iterator

from lepton_automl.errors import BundleError

# By a message's kind, the fields that hold messages which may contain tensors or operations, and their kinds.
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
VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5  # wire types of a field


def refuse_external(model: bytes) -> None:
    """Check that no tensor of a model is stored in another file.

    Args:
        model: The content of an ONNX file.

    Raises:
        BundleError: A tensor is, or this is not an ONNX file.
    """
    for kind, message in _messages(model):
        if kind == "tensor" and any(value for field, value in _fields(message) if field in {EXTERNAL_DATA, DATA_LOCATION}):
            fix = "The model of a bundle must contain its weights; export it again."
            raise BundleError("a tensor of the model is stored in another file", where="the ONNX file", fix=fix)


def unusual_operations(model: bytes) -> list[str]:
    """The operations of a model that are not plain arithmetic: control flow, and custom operations.

    Nodes in functions and subgraphs are included.

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
    pending = [("model", memoryview(model))]
    while pending:  # a list instead of recursion: files may be nested to any depth
        kind, message = pending.pop()
        yield kind, message
        if NESTED_FIELDS[kind]:
            for field, value in _fields(message):
                if field in NESTED_FIELDS[kind] and isinstance(value, memoryview):
                    pending.append((NESTED_FIELDS[kind][field], value))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and value of every field; fixed-size numbers are left out."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position, 5)
        field, wire = (tag & 0xFFFFFFFF) >> 3, tag & 7
        if wire == VARINT:
            value, position = _varint(message, position, 10)
            yield field, value
        elif wire == BYTES:
            length, position = _varint(message, position, 10)
            if length > len(message) - position:
                raise _truncated()
            yield field, message[position : position + length]
            position += length
        elif wire in {FIXED_32, FIXED_64}:
            position += 4 if wire == FIXED_32 else 8
        else:
            raise _truncated()


def _varint(message: memoryview, position: int, max_bytes: int) -> tuple[int, int]:
    """A variable-length integer (seven bits per byte, lowest first), and where it ends."""
    value = 0
    for count, byte in enumerate(message[position : position + max_bytes]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, position + count + 1
    raise _truncated()


def _truncated() -> BundleError:
    return BundleError("this ONNX file is damaged or incomplete", where="the ONNX file", fix="Export the model again.")

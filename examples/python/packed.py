"""The packed table of litekeel.h in pure Python: rows out of one buffer, and rows of parameters into one.

A whole column at a time: the cells lie at even distances, so that slices with a step and memoryview.cast() read them
without a loop in Python.
"""

import struct
import sys

MAGIC, VERSION = 0x4C45454B, 1
HEADER, CELL = 64, 16
INTEGER, FLOAT, TEXT, BLOB, NULL = 1, 2, 3, 4, 5
# The byte of a cell's type that is not 0.
LOW = 0 if sys.byteorder == "little" else 3


def decode(table):
    """The rows of a packed table (bytes) as a list of tuples."""
    columns, rows = struct.unpack_from("=IQ", table, 12)
    at = struct.unpack_from("=Q", table, 48)[0]
    if rows == 0 or columns == 0:
        return []
    cells = memoryview(table)[at : at + rows * columns * CELL]
    # A byte is a character where all are ASCII: then texts are slices of one text.
    text = table.decode("latin-1") if table[at + len(cells) :].isascii() else None
    return list(zip(*(_column(table, text, cells, column, columns) for column in range(columns))))


def header(table):
    """The column names, the number of rows changed, and the rowid that was inserted last."""
    columns, _, changes, rowid, at = struct.unpack_from("=IQqqQ", table, 12)
    cells = memoryview(table)[at : at + columns * CELL]
    return _mixed(table, cells, 0, 1), changes, rowid


def _column(table, text, cells, column, columns):
    kinds = bytes(cells[column * CELL + LOW :: columns * CELL])
    kind, step = kinds[0], 2 * columns
    if kinds.count(kind) != len(kinds):
        return _mixed(table, cells, column, columns)
    if kind == INTEGER:
        return cells.cast("q")[2 * column + 1 :: step].tolist()
    if kind == FLOAT:
        return cells.cast("d")[2 * column + 1 :: step].tolist()
    if kind == NULL:
        return [None] * len(kinds)
    begins = cells.cast("Q")[2 * column + 1 :: step].tolist()
    lengths = cells.cast("I")[4 * column + 1 :: 2 * step].tolist()
    if kind == TEXT and text is not None:
        return [text[begin : begin + length] for begin, length in zip(begins, lengths)]
    if kind == TEXT:
        return [table[begin : begin + length].decode() for begin, length in zip(begins, lengths)]
    return [table[begin : begin + length] for begin, length in zip(begins, lengths)]


def _mixed(table, cells, column, columns):
    values = []
    for at in range(column * CELL, len(cells), columns * CELL):
        kind, length, payload = struct.unpack_from("=IIq", cells, at)
        if kind == INTEGER:
            values.append(payload)
        elif kind == FLOAT:
            values.append(struct.unpack_from("=d", cells, at + 8)[0])
        elif kind == NULL:
            values.append(None)
        else:
            raw = table[payload : payload + length]
            values.append(raw.decode() if kind == TEXT else raw)
    return values


def encode(rows, names=None):
    """Rows of parameters as a packed table; with `names` they are bound by name, else by position."""
    rows = list(rows)
    columns = len(names) if names else len(rows[0]) if rows else 0
    cells = bytearray()
    heap_at = HEADER + (columns + len(rows) * columns) * CELL
    heap = bytearray()

    def cell(kind, payload):
        cells.extend(struct.pack("=IIQ", kind, len(payload), heap_at + len(heap)))
        heap.extend(payload)

    for name in names or [""] * columns:
        cell(TEXT, name.encode())
    for row in rows:
        if len(row) != columns:
            raise ValueError(f"a row of {len(row)} values among rows of {columns}")
        for value in row:
            if value is None:
                cells.extend(struct.pack("=IIQ", NULL, 0, 0))
            elif isinstance(value, int):
                if not -(2**63) <= value < 2**63:
                    raise OverflowError(f"{value} does not fit into SQLite's integers of 64 bits; pass it as text")
                cells.extend(struct.pack("=IIq", INTEGER, 0, value))
            elif isinstance(value, float):
                cells.extend(struct.pack("=IId", FLOAT, 0, value))
            elif isinstance(value, str):
                cell(TEXT, value.encode())
            elif isinstance(value, (bytes, bytearray, memoryview)):
                cell(BLOB, bytes(value))
            else:
                raise TypeError(
                    f"a parameter is a {type(value).__name__}; pass None, int, float, str or bytes (a date as text: "
                    "value.isoformat())"
                )
    head = struct.pack(
        "=IIIIQqqQQQ", MAGIC, VERSION, 1 if names else 0, columns, len(rows), 0, 0,
        HEADER, HEADER + columns * CELL, heap_at + len(heap),
    )
    return bytes(head + cells + heap)

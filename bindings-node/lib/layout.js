'use strict';
// Generated from src/buffer/layout.rs by `make header`, which explains it: do not edit.

const PROTOCOL = 5;

const field = {
	STATEMENT: 0,
	PARAMETERS: 1,
	ARGUMENTS: 2,
	SCRATCH: 3,
	LIMIT: 4,
	COLUMNS: 5,
	FLAGS: 6,
	GENERATION: 7,
	STATUS: 8,
	ROWS: 9,
	SHAPE: 10,
	EXTRAS: 11,
	WIDE: 12,
	FAILURE: 13,
	CHANGES: 14,
	STALE: 15,
	REPREPARED: 16,
	COLUMN_COUNT: 17,
	READONLY: 18,
	PARAMETER_COUNT: 19,
	NAMED: 20,
	KIND: 21,
	NEXT: 22,
	IN_TRANSACTION: 23,
	ROWID: 24,
	FIRST: 26,
	GROUPS: 27,
};

const flag = {
	SAFE: 1,
	KEEP: 2,
	BOUND: 4,
	NAMES: 8,
};

const status = {
	DONE: 0,
	ROW: 1,
	FAILED: 2,
	UNBOUND: 3,
};

const tag = {
	BASE: -524288,
	NULL: -524287,
	INT: -524286,
	LATIN: -524285,
	WIDE: -524284,
	EXTRA: -524283,
	NARROW: -524282,
	BLOB: -524281,
	MASK: -8,
};

const kind = {
	ROWS: 0,
	SINGLE: 1,
	SCHEMA: 2,
};

const layout = {
	PARAMETERS: 1024,
	FIRST_PARAMETER: 16,
	FIRST_ROW: 1040,
	TEXT: 73856,
	TEXT_BYTES: 16384,
	BLOBS: 90240,
	BLOB_BITS: 17,
	LENGTH_BITS: 12,
	LATIN_TEXTS: 155776,
	WIDE_TEXTS: 188544,
	KEPT_EXTRAS: 64,
};

module.exports = { PROTOCOL, field, flag, status, tag, kind, layout };

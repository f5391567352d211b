'use strict';
// The buffer shared with the native side; `src/buffer/layout.rs` describes the layout, and has the same constants.
const native = require('./native');

/** The header, as int32s. */
exports.I = new Int32Array(native.buffer);
/** Cells, as doubles. */
exports.F = new Float64Array(native.buffer);
/** The header's 64-bit fields. */
exports.B = new BigInt64Array(native.buffer);
exports.bytes = new Uint8Array(native.buffer);
/** Values that do not fit into cells. */
exports.extras = native.extras;
exports.native = native;

/** Fields of the header. */
exports.field = {
	STATEMENT: 0, PARAMETERS: 1, ARGUMENTS: 2, SCRATCH: 3, LIMIT: 4, COLUMNS: 5, FLAGS: 6, GENERATION: 7,
	STATUS: 8, ROWS: 9, SHAPE: 10, EXTRAS: 11, WIDE: 12, FAILURE: 13, CHANGES: 14, STALE: 15, REPREPARED: 16,
	COLUMN_COUNT: 17, READONLY: 18, PARAMETER_COUNT: 19, NAMED: 20, KIND: 21, NEXT: 22, IN_TRANSACTION: 23,
	ROWID: 24, FIRST: 26,
};
exports.flag = { SAFE: 1, KEEP: 2, BOUND: 4, NAMES: 8 };
exports.status = { DONE: 0, ROW: 1, FAILED: 2, UNBOUND: 3 };
/** High words of cells that are no doubles. */
const BASE = 0xfff80000 | 0;
exports.tag = { NULL: BASE | 1, INT: BASE | 2, LATIN: BASE | 3, WIDE: BASE | 4, EXTRA: BASE | 5, NARROW: BASE | 6, BLOB: BASE | 7, BASE, MASK: -8 };
exports.kind = { ROWS: 0, SINGLE: 1, SCHEMA: 2 };

const HEADER = 16;
const PARAMETERS = 1024;
const ROW_CELLS = 8192;
const TEXT_BYTES = 16384;
const BLOBS = (HEADER + PARAMETERS + ROW_CELLS) * 8 + TEXT_BYTES;
exports.layout = {
	PARAMETERS,
	FIRST_PARAMETER: HEADER,
	FIRST_ROW: HEADER + PARAMETERS,
	TEXT: (HEADER + PARAMETERS + ROW_CELLS) * 8,
	TEXT_BYTES,
	BLOBS,
	BLOB_BITS: 17,
	LENGTH_BITS: 12,
	LATIN_TEXTS: BLOBS + 65536,
	WIDE_TEXTS: BLOBS + 65536 + 32768,
};

/** Lets go of the values that came beside the cells. */
exports.dropExtras = () => {
	const count = exports.I[exports.field.EXTRAS];
	if (count > 64) native.extras.length = 0;
	else for (let at = 0; at < count; ++at) native.extras[at] = undefined;
	exports.I[exports.field.EXTRAS] = 0;
};

'use strict';
// The buffer shared with the native side; `src/buffer/layout.rs` describes the layout; `layout.js` is generated from it.
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

const { field, flag, status, tag, kind, layout } = require('./layout');
Object.assign(exports, { field, flag, status, tag, kind, layout });

/** Lets go of the values that came beside the cells. */
exports.dropExtras = () => {
	const count = exports.I[exports.field.EXTRAS];
	if (count > 64) native.extras.length = 0;
	else for (let at = 0; at < count; ++at) native.extras[at] = undefined;
	exports.I[exports.field.EXTRAS] = 0;
};

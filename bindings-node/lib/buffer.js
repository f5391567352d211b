'use strict';
// The buffer shared with the native side; `src/buffer/layout.rs` describes the layout; `layout.js` is generated from it.
const native = require('./native');
const { append } = require('./own-properties');

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

// Its own, so that to assign them is to call nobody's setter.
for (let at = 0; at < layout.KEPT_EXTRAS; ++at) append(native.extras, undefined);

const { KEPT_EXTRAS } = layout;

/** Lets go of the values that came beside the cells. */
exports.dropExtras = () => {
	const count = exports.I[exports.field.EXTRAS];
	if (count > KEPT_EXTRAS) native.extras.length = KEPT_EXTRAS;
	for (let at = 0; at < count && at < KEPT_EXTRAS; ++at) native.extras[at] = undefined;
	exports.I[exports.field.EXTRAS] = 0;
};

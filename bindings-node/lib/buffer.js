'use strict';
// The buffer shared with the native side; `src/buffer/layout.rs` describes the layout; `layout.js` is generated from it.
const native = require('./native');
const { append } = require('./own-properties');

/** The header, as int32s. */
const I = new Int32Array(native.buffer);
/** Cells, as doubles. */
const F = new Float64Array(native.buffer);
/** The header's 64-bit fields. */
const B = new BigInt64Array(native.buffer);
const bytes = new Uint8Array(native.buffer);
/** Values that do not fit into cells. */
const extras = native.extras;

const { field, flag, status, tag, kind, layout } = require('./layout');

// Its own, so that to assign them is to call nobody's setter.
for (let at = 0; at < layout.KEPT_EXTRAS; ++at) append(native.extras, undefined);

const { KEPT_EXTRAS } = layout;

/** Lets go of the values that came beside the cells. */
const dropExtras = () => {
	const count = I[field.EXTRAS];
	if (count > KEPT_EXTRAS) native.extras.length = KEPT_EXTRAS;
	for (let at = 0; at < count && at < KEPT_EXTRAS; ++at) native.extras[at] = undefined;
	I[field.EXTRAS] = 0;
};

module.exports = { native, I, F, B, bytes, extras, dropExtras, field, flag, status, tag, kind, layout };

'use strict';

/**
 * The file and line that called `entry`, one of our functions, as far as the stack tells. `file` is where that is, if it
 * may have called itself.
 */
module.exports = (entry, file) => {
	const holder = {};
	// Each frame costs. A limit that was made read-only stays as it is.
	const limit = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit');
	const settable = limit?.writable === true && limit.value > 0;
	if (settable) Error.stackTraceLimit = 2;
	try {
		Error.captureStackTrace?.(holder, entry);
	} finally {
		if (settable) Error.stackTraceLimit = limit.value;
	}
	if (typeof holder.stack !== 'string') return '';
	const lines = holder.stack.split('\n').filter((text) => /^\s+at /.test(text));
	const line = lines.find((text) => file === undefined || !text.includes(`${file}:`)) ?? lines.at(-1);
	if (line === undefined) return '';
	const place = line.trim().slice('at '.length);
	return /\((.+)\)$/.exec(place)?.[1] ?? place;
};

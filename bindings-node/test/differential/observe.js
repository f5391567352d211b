'use strict';
// Turns whatever a call gives or throws into text that two implementations can be compared by.

const seenLimit = 6;

function describe(value, depth = 0) {
	if (value === null) return 'null';
	switch (typeof value) {
	case 'number': return Object.is(value, -0) ? '-0' : String(value);
	case 'bigint': return `${value}n`;
	case 'string': return JSON.stringify(value);
	case 'undefined': return 'undefined';
	case 'boolean': return String(value);
	case 'symbol': return String(value);
	case 'function': return `[function ${value.name}/${value.length}]`;
	}
	if (depth > seenLimit) return '…';
	if (Buffer.isBuffer(value)) return `Buffer<${value.toString('hex').slice(0, 400)} offset ${value.byteOffset} of ${value.buffer.byteLength}>`;
	if (value instanceof Error) return describeError(value);
	if (Array.isArray(value)) return `[${value.map((item) => describe(item, depth + 1)).join(', ')}]`;
	const prototype = Object.getPrototypeOf(value);
	const kind = prototype === null ? 'null-prototype ' : prototype === Object.prototype ? '' : `${prototype.constructor && prototype.constructor.name} `;
	return `${kind}{${Object.keys(value).map((key) => `${JSON.stringify(key)}: ${describe(value[key], depth + 1)}`).join(', ')}}`;
}

function describeError(error) {
	const kind = error.constructor && error.constructor.name;
	const base = error instanceof RangeError ? 'RangeError' : error instanceof TypeError ? 'TypeError' : error instanceof Error ? 'Error' : 'none';
	return `${kind}(${base}) name=${error.name} code=${describe(error.code)} message=${JSON.stringify(error.message)}`;
}

/** Collects the observations of one case. */
class Observer {
	constructor(directory) {
		this.directory = directory;
		this.lines = [];
	}

	write(label, text) {
		this.lines.push(`${label} → ${text}`.split(this.directory).join('<dir>'));
	}

	/** What `fn` returns or throws. A thrown value that is no Error is shown as itself. */
	call(label, fn) {
		try {
			const value = fn();
			this.write(label, describe(value));
			return value;
		} catch (error) {
			this.write(label, `throws ${describe(error)}`);
			return undefined;
		}
	}

	async later(label, fn) {
		try {
			this.write(label, `resolves ${describe(await fn())}`);
		} catch (error) {
			this.write(label, `rejects ${describe(error)}`);
		}
	}

	note(label, value) {
		this.write(label, describe(value));
	}
}

module.exports = { describe, Observer };

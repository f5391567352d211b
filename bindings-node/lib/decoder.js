'use strict';
// Cells into rows. A decoder for a list of columns starts out generic; once it has proved worth it, its code is
// generated: an object literal of constant shape. Where code generation is forbidden it stays generic.
const core = require('./state');
const { I, F, bytes, extras, native, field, flag, tag, layout, dropExtras } = require('./buffer');
const { inherits, elements, append, put } = require('./own-properties');

const FLAT = 0;
const PLUCK = 1;
const EXPAND = 2;
const RAW = 3;
const mode = { FLAT, PLUCK, EXPAND, RAW };

/** Rows before code is generated: that costs as much as some hundred rows. */
const WORTH_IT = 200;
/** Wider rows gain nothing from being literals. */
const MAX_GENERATED = 128;
/** Column lists whose decoders are kept. */
const MAX_SHAPES = 512;
/** Of a shape: a decoder for each mode, with and without safe integers. */
const SLOTS = 8;
const FIRST = layout.FIRST_ROW;
const { BLOBS, BLOB_BITS, LENGTH_BITS, LATIN_TEXTS, WIDE_TEXTS } = layout;
const LENGTH = (1 << LENGTH_BITS) - 1;
const { INT, LATIN, NULL, WIDE, BLOB, BASE, MASK } = tag;
const { allocUnsafeSlow } = Buffer;
const { latin1Slice, ucs2Slice } = Buffer.prototype;
const texts = Buffer.from(bytes.buffer);

// The group of texts being cut, how much of it was, and where the next one begins. Decoding runs no code of the user's, so
// nothing else decodes in between.
let latin = '';
let latinAt = 0;
let latinNext = 0;
// Where there are many, they come as strings.
let received = null;
let groups = null;
let groupsAt = 0;
let wide = '';
let wideAt = 0;
let wideNext = 0;

native.receiveTexts((...texts) => { received = texts; });

/** Begins to read what is in the buffer. */
function begin() {
	latinNext = LATIN_TEXTS;
	if (I[field.GROUPS] === 0) {
		groups = null;
	} else {
		groups = received;
		groupsAt = 0;
	}
	if (I[field.WIDE] === 0) return;
	wideAt = 0;
	wideNext = WIDE_TEXTS;
	wide = nextWide(I[field.WIDE]);
}

/** The next group, of so many characters. */
function nextLatin(length) {
	if (groups !== null) return groups[groupsAt++];
	const start = latinNext;
	latinNext = start + length;
	return latin1Slice.call(texts, start, latinNext);
}

function nextWide(length) {
	const start = wideNext;
	wideNext = start + 2 * length;
	return ucs2Slice.call(texts, start, wideNext);
}

/** A cell that is neither an integer, nor a double, nor Latin-1 text, nor null. */
function rare(high, at) {
	if (high === BLOB) {
		const low = I[2 * at];
		const length = low & ((1 << BLOB_BITS) - 1);
		const start = BLOBS + 8 * (low >>> BLOB_BITS);
		// It has its memory for itself, and all of it is overwritten.
		const blob = allocUnsafeSlow(length);
		blob.set(bytes.subarray(start, start + length));
		return blob;
	}
	if (high === WIDE) {
		const low = I[2 * at];
		if (low > LENGTH) {
			wide = nextWide(low >>> LENGTH_BITS);
			wideAt = 0;
		}
		const start = wideAt;
		wideAt = start + (low & LENGTH);
		return wide.substring(start, wideAt);
	}
	return extras[I[2 * at]];
}

function cell(at, safe) {
	const high = I[2 * at + 1];
	if (high === INT) return safe ? BigInt(I[2 * at]) : I[2 * at];
	if (high === LATIN) {
		const low = I[2 * at];
		if (low > LENGTH) {
			latin = nextLatin(low >>> LENGTH_BITS);
			latinAt = 0;
		}
		const start = latinAt;
		latinAt = start + (low & LENGTH);
		return latin.substring(start, latinAt);
	}
	if (high === NULL) return null;
	return (high & MASK) === BASE ? rare(high, at) : F[at];
}

let mayGenerate = true;

/** The source of a literal: `row` gives the expression of a column's cell. */
function literal(columns, mode, row) {
	if (mode === RAW) return `[${columns.map((_, at) => row(at)).join(',')}]`;
	const object = (names, value) => `{${names.map((name, at) => `${JSON.stringify(name)}:${value(at)}`).join(',')}}`;
	if (mode === FLAT) return object(columns.map(([name]) => name), row);
	const tables = new Map();
	columns.forEach(([name, table], at) => {
		if (!tables.has(table)) tables.set(table, new Map());
		tables.get(table).set(name, at);
	});
	return object([...tables.keys()], (at) => {
		const members = [...[...tables.values()][at]];
		return object(members.map(([name]) => name), (member) => `v${members[member][1]}`);
	});
}

function generate(columns, mode, safe) {
	if (!mayGenerate || columns.length > MAX_GENERATED) return null;
	// Assigning to `__proto__` is not what a literal does.
	if (mode !== RAW && columns.some((names) => names.includes('__proto__'))) return null;
	const expression = (place) => {
		const at = place === '' ? 'p' : `(p+${place})`;
		return `((h=I[2*${at}+1])===${INT}?${safe ? 'BigInt' : ''}(I[2*${at}]):h===${LATIN}?((n=I[2*${at}])>${LENGTH}&&(s=next(n>>>${LENGTH_BITS}),o=0,n&=${LENGTH}),s.substring(o,o+=n)):h===${NULL}?null:(h&${MASK})===${BASE}?rare(h,${at}):F[${at}])`;
	};
	const column = (at) => expression(at === 0 ? '' : at);
	// The texts follow each other in the order of the columns, which is the order of a literal's members.
	const before = mode === EXPAND ? `const ${columns.map((_, at) => `v${at}=${column(at)}`).join(',')};` : '';
	const row = literal(columns, mode, column);
	const source = `'use strict';return{
		one(s){let h=0,o=0,n=0;const p=${FIRST};${before}return ${row};},
		many(s,out,at,count){let h=0,o=0,n=0;for(let p=${FIRST},end=p+count*${columns.length};p<end;p+=${columns.length}){${before}out[at++]=${row};}},
	}`;
	try {
		return new Function('I', 'F', 'rare', 'next', source)(I, F, rare, nextLatin);
	} catch {
		mayGenerate = false;
		return null;
	}
}

/** Makes rows of one shape, in one mode. */
class Decoder {
	/** `columns`: `[name, table]` of each. */
	constructor(shape, columns, mode, safe) {
		this.shape = shape;
		this.columns = columns;
		this.width = mode === PLUCK ? 1 : columns.length;
		this.mode = mode;
		this.safe = safe;
		this.seen = 0;
		this.generated = null;
	}

	count(rows) {
		this.seen += rows;
		if (this.seen < WORTH_IT) return;
		this.seen = -Infinity;
		if (this.mode !== PLUCK) this.generated = generate(this.columns, this.mode, this.safe);
	}

	/** The row in the buffer, whose texts are in `text`. */
	one(text) {
		begin();
		if (I[field.EXTRAS] !== 0) return this.withExtras(text);
		if (this.generated !== null) return this.generated.one(text);
		this.count(1);
		latin = text;
		latinAt = 0;
		return this.row(FIRST);
	}

	/** Puts the rows in the buffer into `out`, from `at` on. */
	many(text, out, at, count) {
		if (inherits(at, count)) {
			this.generic(text, out, at, count);
			return;
		}
		if (this.generated === null) {
			this.count(count);
			if (this.generated === null) {
				this.generic(text, out, at, count);
				return;
			}
		}
		begin();
		this.generated.many(text, out, at, count);
		if (I[field.EXTRAS] !== 0) dropExtras();
	}

	withExtras(text) {
		latin = text;
		latinAt = 0;
		const row = this.generated !== null ? this.generated.one(text) : this.row(FIRST);
		dropExtras();
		return row;
	}

	generic(text, out, at, count) {
		begin();
		latin = text;
		latinAt = 0;
		for (let row = 0; row < count; ++row) append(out, this.row(FIRST + row * this.width));
		latin = '';
		if (I[field.EXTRAS] !== 0) dropExtras();
	}

	row(at) {
		const { safe, width } = this;
		const values = elements(width);
		for (let column = 0; column < width; ++column) values[column] = cell(at + column, safe);
		return this.fromValue(values);
	}

	/** The row of a list of values. */
	fromValue(values) {
		const { columns, mode } = this;
		if (mode === RAW) return values;
		if (mode === PLUCK) return values[0];
		const row = {};
		for (let column = 0; column < values.length; ++column) {
			const [name, table] = columns[column];
			if (mode === FLAT) {
				put(row, name, values[column]);
				continue;
			}
			if (!Object.prototype.hasOwnProperty.call(row, table)) put(row, table, {});
			put(row[table], name, values[column]);
		}
		return row;
	}

	/** The rows of lists of values. */
	fromValues(rows) {
		return rows.map((values) => this.fromValue(values));
	}
}

// As the compiled statements.
Object.setPrototypeOf(Decoder.prototype, null);

/** Decoders by shape; a shape's own by mode and integers. */
const shapes = new Map();

function columnsOf(compiled, mode) {
	if (mode === RAW || mode === PLUCK) return Array.from({ length: I[field.COLUMN_COUNT] }, () => ['', '']);
	I[field.STATEMENT] = compiled.id;
	return core.answered(native.columnsOf()).map(([name, , table]) => [name, table === null ? '$' : table]);
}

/** The decoder for the rows that are in the buffer. */
const decoderFor = (compiled, mode, safe) => {
	const shape = I[field.SHAPE];
	const slot = mode * 2 + (safe ? 1 : 0);
	if (mode === EXPAND) {
		// Tables are no part of the shape.
		const known = compiled.expanding;
		if (known !== null && known.slot === slot && known.shape === shape && known.reprepared === I[field.REPREPARED]) return known.decoder;
		const decoder = new Decoder(shape, columnsOf(compiled, mode), mode, safe);
		compiled.expanding = { slot, shape, reprepared: I[field.REPREPARED], decoder };
		return decoder;
	}
	let decoders = shapes.get(shape);
	if (decoders === undefined) {
		if (shapes.size >= MAX_SHAPES) shapes.clear();
		decoders = Array.from({ length: SLOTS });
		shapes.set(shape, decoders);
	}
	if (decoders[slot] === undefined) decoders[slot] = new Decoder(shape, columnsOf(compiled, mode), mode, safe);
	return decoders[slot];
};

/** The flags by which the native side knows what a mode needs. */
const flagsOf = (mode, safe) => (safe ? flag.SAFE : 0) | (mode === FLAT || mode === EXPAND ? flag.NAMES : 0);

module.exports = { mode, decoderFor, flagsOf };

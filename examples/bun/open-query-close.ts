// litekeel from Bun, through bun:ffi: open, statements with parameters, rows, close.
//   bun open-query-close.ts

import { dlopen, FFIType, ptr, toArrayBuffer, type Pointer } from 'bun:ffi';
import { existsSync } from 'node:fs';

const { ptr: pointer, u64, i32, cstring } = FFIType;
const { symbols: keel } = dlopen(process.env.LITEKEEL_LIBRARY ?? 'liblitekeel.so.0', {
	keel_open: { args: [pointer, u64, pointer, pointer], returns: i32 },
	keel_query: { args: [u64, pointer, u64, pointer, u64, u64, pointer, pointer], returns: i32 },
	keel_rows_data: { args: [u64, pointer], returns: pointer },
	keel_rows_free: { args: [u64], returns: FFIType.void },
	keel_close: { args: [u64, pointer], returns: i32 },
	keel_error_name: { args: [u64], returns: cstring },
	keel_error_message: { args: [u64, pointer], returns: cstring },
	keel_error_hint: { args: [u64, pointer], returns: cstring },
	keel_error_free: { args: [u64], returns: FFIType.void },
});

/** A handle is a token of 64 bits, which only a bigint holds. */
type Handle = bigint;

/** Calls with room for a handle and an error; the handle, or the error with its hint thrown. */
function call(run: (out: Pointer, error: Pointer) => number): Handle {
	const room = new BigUint64Array(2);
	const at = ptr(room);
	if (run(at, (at + 8) as Pointer) !== 0) {
		const error = room[1];
		const text = `${keel.keel_error_name(error)}: ${keel.keel_error_message(error, null)} (${keel.keel_error_hint(error, null)})`;
		keel.keel_error_free(error);
		throw new Error(text);
	}
	return room[0];
}

const utf8 = new TextEncoder();
const decoder = new TextDecoder();

function open(url: string): Handle {
	const text = utf8.encode(url);
	return call((out, error) => keel.keel_open(text, text.length, out, error));
}

type Value = bigint | number | string | Uint8Array | null;

/** One row of parameters, packed as litekeel.h describes the table. A number is a float; a bigint is an integer. */
function encode(values: Value[]): Uint8Array {
	const parts = values.map((value) => (typeof value === 'string' ? utf8.encode(value) : value));
	const heapAt = 64 + 2 * 16 * values.length;
	const length = parts.reduce<number>((sum, part) => sum + (part instanceof Uint8Array ? part.length : 0), heapAt);
	const bytes = new Uint8Array(length);
	const table = new DataView(bytes.buffer);
	[0x4c45454b, 1, 0, values.length].forEach((word, index) => table.setUint32(4 * index, word, true));
	[1, 0, 0, 64, 64 + 16 * values.length, length].forEach((word, index) => table.setBigUint64(16 + 8 * index, BigInt(word), true));
	let heap = heapAt;
	parts.forEach((part, index) => {
		table.setUint32(64 + 16 * index, 3, true); // no name: bound by position
		table.setBigUint64(72 + 16 * index, BigInt(heapAt), true);
		const at = 64 + 16 * (values.length + index);
		const kind = part === null ? 5 : typeof part === 'bigint' ? 1 : typeof part === 'number' ? 2 : typeof values[index] === 'string' ? 3 : 4;
		table.setUint32(at, kind, true);
		if (typeof part === 'bigint') table.setBigInt64(at + 8, part, true);
		if (typeof part === 'number') table.setFloat64(at + 8, part, true);
		if (part instanceof Uint8Array) {
			table.setUint32(at + 4, part.length, true);
			table.setBigUint64(at + 8, BigInt(heap), true);
			bytes.set(part, heap);
			heap += part.length;
		}
	});
	return bytes;
}

/** Runs a statement with a value for each of its parameters; all rows, decoded from one flat buffer. */
function query(db: Handle, sql: string, ...values: Value[]): Value[][] {
	const text = utf8.encode(sql);
	const packed = values.length === 0 ? null : encode(values);
	const rows = call((out, error) => keel.keel_query(db, text, text.length, packed, packed?.length ?? 0, 0, out, error));
	const size = new BigUint64Array(1);
	const data = keel.keel_rows_data(rows, size)!;
	const table = new DataView(toArrayBuffer(data, 0, Number(size[0])));
	const u64At = (at: number) => Number(table.getBigUint64(at, true));
	const cell = (at: number): Value => {
		const kind = table.getUint32(at, true);
		if (kind === 1) return table.getBigInt64(at + 8, true);
		if (kind === 2) return table.getFloat64(at + 8, true);
		if (kind === 5) return null;
		// Copied: the buffer is freed below.
		const bytes = new Uint8Array(table.buffer, u64At(at + 8), table.getUint32(at + 4, true)).slice();
		return kind === 3 ? decoder.decode(bytes) : bytes;
	};
	const [columns, cells] = [table.getUint32(12, true), u64At(48)];
	const decoded = Array.from({ length: u64At(16) }, (_, row) =>
		Array.from({ length: columns }, (_, column) => cell(cells + (row * columns + column) * 16)));
	keel.keel_rows_free(rows);
	return decoded;
}

const db = open('file:bun-data/app.db');
query(db, 'CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)');
query(db, 'INSERT INTO visit VALUES(?, ?, ?)', 'Ada', 1843.5, new Uint8Array([0, 255]));
query(db, 'INSERT INTO visit VALUES(?, ?, ?)', 'Grace', null, null);
for (const row of query(db, 'SELECT rowid, who, at, note FROM visit WHERE rowid > ?', 0n)) console.log('bun:', row);
try {
	open('file:app.db?busy_timeot=5');
} catch (refusal) {
	console.log('bun: refused:', (refusal as Error).message);
}
call((_, error) => keel.keel_close(db, error));
console.log('bun: closed, -wal left:', existsSync('bun-data/app.db-wal'));

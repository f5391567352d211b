'use strict';
// A libSQL server that answers as it is told to, on a thread of its own: what asks it may block this one.
const { once } = require('node:events');
const net = require('node:net');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

/** Answers of `/v3/pipeline`: one response, or that and whether no transaction is open. */
const answer = (baton, ...responses) => ({ baton, base_url: null, results: responses.map((response) => ({ type: 'ok', response })) });
const result = { cols: [], rows: [], affected_row_count: 1, last_insert_rowid: '7', replication_index: '41' };
const described = (readonly, ...columns) => answer(null, { type: 'describe', result: { params: [], cols: columns.map((name) => ({ name, decltype: null })), is_readonly: readonly, is_explain: false } });
const begun = answer('b1', { type: 'execute', result }, { type: 'get_autocommit', is_autocommit: false });
const cursor = (...rows) => [{ baton: 'c1', base_url: null }, { type: 'step_begin', step: 2, cols: [{ name: 'a', decltype: null }] }, ...rows.map((value) => ({ type: 'row', row: [{ type: 'integer', value: `${value}` }] }))]
	.map((line) => `${JSON.stringify(line)}\n`).join('');
const all = (...rows) => answer(null, { type: 'execute', result: { ...result, cols: [{ name: 'a' }], rows: rows.map((value) => [{ type: 'integer', value: `${value}` }]) } });
const cursorEnd = '{"type":"step_end","affected_row_count":0,"last_insert_rowid":null}\n{"type":"replication_index","replication_index":7}\n';

/**
 * `replies` in the order of the requests: an object is an answer, a text the begin of one that never ends, null none at all.
 * After the last one there is none either, nor to what only says that a stream is over. Ends with the test `t`.
 */
async function scripted(t, replies) {
	const worker = new Worker(__filename, { workerData: replies });
	t.after(() => worker.terminate());
	const requests = [];
	worker.on('message', (body) => { if (typeof body === 'string') requests.push(body); });
	const [port] = await once(worker, 'message');
	return {
		url: (more = '') => `libsql://127.0.0.1:${port}?tls=0${more}`,
		/** The bodies that came, as far as this thread has heard of them. */
		requests,
		async hears(part) {
			for (let waited = 0; waited < 20_000 && !requests.some((body) => body.includes(part)); waited += 5) await new Promise((resolve) => { setTimeout(resolve, 5); });
			return requests.some((body) => body.includes(part));
		},
	};
}

/** A statement's result, as the step of a transaction where the request has asked for it so. */
function asked(body, reply) {
	const { result: of, type } = reply.results?.[0]?.response ?? {};
	if (type !== 'execute' || !body.includes('FROM sqlite_schema LIMIT 0')) return reply;
	const nothing = { cols: [], rows: [] };
	return answer(reply.baton, { type: 'batch', result: { step_results: [nothing, nothing, of, nothing, null], step_errors: [null, null, null, null, null] } });
}

function serve(socket, replies) {
	let come = Buffer.alloc(0);
	socket.on('error', () => {});
	socket.on('data', (piece) => {
		come = Buffer.concat([come, piece]);
		for (;;) {
			const end = come.indexOf('\r\n\r\n');
			if (end === -1) return;
			const length = Number(/content-length: *(\d+)/i.exec(come.subarray(0, end).toString())?.[1] ?? 0);
			if (come.length < end + 4 + length) return;
			const body = come.subarray(end + 4, end + 4 + length).toString();
			parentPort.postMessage(body);
			come = come.subarray(end + 4 + length);
			// That a stream is over comes at any time.
			const reply = body.endsWith('"requests":[{"type":"close"}]}') ? null : replies.shift() ?? null;
			if (typeof reply === 'string') socket.write(`HTTP/1.1 200 X\r\ncontent-length: ${1 << 20}\r\n\r\n${reply}`);
			else if (reply !== null) {
				const text = Array.isArray(reply) ? reply.join('') : JSON.stringify(asked(body, reply));
				socket.write(`HTTP/1.1 200 X\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
			}
		}
	});
}

if (isMainThread) {
	module.exports = { scripted, answer, described, begun, cursor, cursorEnd, all };
} else {
	const listener = net.createServer((socket) => serve(socket, workerData)).listen(0, '127.0.0.1', () => parentPort.postMessage(listener.address().port));
}

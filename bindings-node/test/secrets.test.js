'use strict';
// Whoever moves from another database passes its URL once by mistake: no password or token of it stands in what is said.
const { test } = require('node:test');
const assert = require('node:assert');
const { inspect } = require('node:util');
const litekeel = require('../lib');

const CANARY = 'c4nary';
const URLS = [
	// Of a server, which has no such setting.
	`libsql://h.turso.io?authToken=${CANARY}&busy_timeout=1s`,
	`postgres://user:${CANARY}@h/x`,
	`postgres://h/x?password=${CANARY}`,
	`"libsql://h?authToken=${CANARY}"`,
	`file:a.db?password=${CANARY}`,
	`file:a.db?mode=${CANARY}`,
	`file:a.db?mode=ro&mode=${CANARY}`,
	`file:a.db?_pragma=key(${CANARY})`,
	`a.db?password=${CANARY}`,
	`host=h password=${CANARY}`,
];

const said = (call) => {
	try {
		call();
	} catch (error) {
		return `${error} ${error.stack} ${error.hint} ${inspect(error, { depth: 5, showHidden: true })} ${JSON.stringify(error)}`;
	}
	return assert.fail('it was taken');
};

test('no secret of a URL stands in an error', () => {
	for (const url of URLS) {
		for (const call of [() => litekeel.open(url), () => litekeel.databaseFile(url)]) {
			const text = said(call);
			assert.ok(!text.includes(CANARY), `${url}: ${text}`);
			assert.ok(text.includes('KEEL_'), text);
		}
	}
});

test('nor of an option', () => {
	for (const options of [{ password: CANARY }, { authToken: CANARY }, { mode: CANARY }, { nofollow: CANARY }, { fileMode: CANARY }, { _timeout: CANARY }]) {
		const text = said(() => litekeel.open('file:a.db', options));
		assert.ok(!text.includes(CANARY), `${inspect(options)}: ${text}`);
	}
});

test('nor of an ignored fragment in the report', () => {
	const db = litekeel.open(`:memory:#${CANARY}`);
	assert.ok(!inspect(db.report, { depth: 5 }).includes(CANARY));
	assert.strictEqual(db.report.warnings.length, 1);
	db.close();
});

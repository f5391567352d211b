import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'litekeel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createApp } from '../src/app.ts';
import { openDatabase } from '../src/database.ts';
import { SiteService } from '../src/site-service.ts';

// In memory where the test is about SQL; in a file where it is about locks.
let directory: string;
let url: string;
let context: ReturnType<typeof openDatabase>;
let server: ReturnType<ReturnType<typeof createApp>['listen']>;

beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), 'service-'));
	url = `file:${directory}/app.db?profile=test&busy_timeout=50ms`;
	context = openDatabase(url);
	server = createApp(context.connection, context.db).listen(0);
	await new Promise((listening) => server.once('listening', listening));
});
afterEach(async () => {
	server.closeAllConnections();
	await new Promise((closed) => server.close(closed));
	context.connection.close();
	rmSync(directory, { recursive: true });
});

function call(path: string, body?: object) {
	const { port } = server.address() as AddressInfo;
	const request = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
	return fetch(`http://127.0.0.1:${port}${path}`, request);
}

test('a site is created with its page, and read', async () => {
	expect((await call('/sites', { host: 'example.org', body: 'hello' })).status).toBe(201);
	expect(await (await call('/sites')).json()).toEqual([{ id: 1, host: 'example.org', pages: [{ slug: 'index' }] }]);
	expect(await (await call('/sites/example.org/index')).json()).toEqual({ body: 'hello' });
	expect((await call('/sites/example.org/none')).status).toBe(404);
});

test('a transaction that throws leaves nothing behind', () => {
	const undone = () =>
		context.db.transaction((tx) => {
			new SiteService(tx).create('example.org', 'hello');
			throw new Error('changed my mind');
		});
	expect(undone).toThrow('changed my mind');
	expect(new SiteService(context.db).list()).toEqual([]);
});

test('what is there already is a conflict', async () => {
	vi.spyOn(console, 'error').mockImplementation(() => {});
	await call('/sites', { host: 'example.org' });
	const again = await call('/sites', { host: 'example.org' });
	expect(again.status).toBe(409);
	expect(await again.json()).toEqual({ error: 'SQLITE_CONSTRAINT_UNIQUE' });
});

test('a lock that is held is a 503 without a path or a process in it', async () => {
	const log = vi.spyOn(console, 'error').mockImplementation(() => {});
	const other = open(url);
	other.exec('BEGIN IMMEDIATE');
	const refused = await call('/sites', { host: 'example.org' });
	other.exec('ROLLBACK');
	other.close();
	expect(refused.status).toBe(503);
	expect(await refused.text()).toBe('{"error":"SQLITE_BUSY"}');
	expect(log.mock.calls[0]?.[0]).toMatchObject({ code: 'SQLITE_BUSY', message: expect.stringContaining(directory) });
});

test('the health check looks at the file', async () => {
	expect((await call('/health')).status).toBe(200);
});

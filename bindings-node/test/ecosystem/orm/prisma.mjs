// The generated client and its driver adapter. `prisma generate` and the query compiler need no engine; the commands that
// change a schema would download one, so the table comes from SQL.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import Database from 'better-sqlite3';
import { assertOnLitekeel } from './on-litekeel.mjs';

const bin = (name) => path.join(import.meta.dirname, '../node_modules/.bin', name);
copyFileSync(path.join(import.meta.dirname, 'prisma/schema.prisma'), 'schema.prisma');
execFileSync(process.execPath, [bin('prisma'), 'generate', '--schema', 'schema.prisma'], { env: { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1', PRISMA_SCHEMA_ENGINE_BINARY: process.execPath } });
execFileSync(bin('esbuild'), ['client/client.ts', '--bundle', '--packages=external', '--platform=node', '--format=esm', '--outfile=client.mjs', '--log-level=error']);
const { PrismaClient } = await import(pathToFileURL('client.mjs'));

new Database('prisma.db').exec(`CREATE TABLE "Site"(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
	CREATE TABLE "Page"(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, live BOOLEAN NOT NULL DEFAULT true, size BIGINT NOT NULL DEFAULT 0, body BLOB,
		created DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, "siteId" INTEGER NOT NULL REFERENCES "Site"(id) ON DELETE CASCADE)`).close();
const prisma = new PrismaClient({ adapter: new PrismaBetterSqlite3({ url: 'file:prisma.db' }) });
await prisma.site.create({ data: { name: 'example.org', pages: { create: [{ path: '/', size: 2n ** 60n, body: Buffer.from([1, 2]) }, { path: '/about', live: false }] } } });
const [site] = await prisma.site.findMany({ include: { pages: { orderBy: { path: 'asc' } } } });
assert.deepStrictEqual(site.pages.map(({ path: where, live, size }) => [where, live, size]), [['/', true, 2n ** 60n], ['/about', false, 0n]]);
assert.deepStrictEqual([...site.pages[0].body], [1, 2]);
assert.ok(site.pages[0].created instanceof Date);
assert.strictEqual(await prisma.page.count({ where: { site: { name: 'example.org' }, live: true } }), 1);
await assert.rejects(prisma.site.create({ data: { name: 'example.org' } }), { code: 'P2002' });
await assert.rejects(prisma.page.create({ data: { path: '/', siteId: 99 } }), { code: 'P2003' });
await assert.rejects(prisma.$transaction(async (tx) => {
	await tx.page.deleteMany();
	throw new Error('undo');
}), /undo/);
assert.strictEqual(await prisma.page.count(), 2);
assert.deepStrictEqual(await prisma.$queryRaw`SELECT path FROM Page WHERE live = ${true}`, [{ path: '/' }]);
await prisma.site.deleteMany();
assert.strictEqual(await prisma.page.count(), 0);
await prisma.$disconnect();
assertOnLitekeel();

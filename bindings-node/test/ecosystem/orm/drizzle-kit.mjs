// drizzle-kit finds litekeel under better-sqlite3's name: generate, migrate, a schema that changes over rows, push.
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

// The directory above the one it runs in has the drizzle-kit to be tried.
const project = path.resolve('..');
const require = createRequire(path.join(project, 'package.json'));
const litekeel = require('litekeel');
assert.strictEqual(require('better-sqlite3'), litekeel);

writeFileSync('trace.cjs', "process.on('exit', () => require('fs').appendFileSync('mapped.txt', require('fs').readFileSync('/proc/self/maps', 'utf8')));");
writeFileSync('drizzle.config.mjs', `import { databaseFile } from 'litekeel';
export default { dialect: 'sqlite', schema: './schema.mjs', out: './migrations', dbCredentials: { url: databaseFile() } };\n`);
function kit(args, url = 'file:data/app.db?busy_timeout=2s') {
	const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--require', './trace.cjs', path.join(project, 'node_modules/drizzle-kit/bin.cjs'), ...args, '--config=drizzle.config.mjs'], { encoding: 'utf8', env: { ...process.env, DATABASE_URL: url } });
	assert.strictEqual(status, 0, `${args[0]}: ${stdout}${stderr}`);
	return stdout;
}
const schema = (more = '') => writeFileSync('schema.mjs', `import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
export const site = sqliteTable('site', { id: integer('id').primaryKey({ autoIncrement: true }), name: text('name').notNull().unique() });
export const page = sqliteTable('page', { id: integer('id').primaryKey({ autoIncrement: true }), siteId: integer('site_id').notNull().references(() => site.id, { onDelete: 'cascade' }), path: text('path').notNull(), ${more} });\n`);
const open = (file = 'data/app.db') => litekeel.open(file);

schema();
kit(['generate', '--name=first']);
kit(['migrate']);
let db = open();
db.exec("INSERT INTO site(name) VALUES ('example.org'); INSERT INTO page(site_id, path) VALUES (1, '/')");
db.close();

schema("title: text('title').notNull().default('untitled')");
kit(['generate', '--name=title']);
kit(['migrate']);
// Everything is applied already.
kit(['migrate']);
db = open();
assert.deepStrictEqual(db.prepare('SELECT path, title FROM page').all(), [{ path: '/', title: 'untitled' }]);
assert.strictEqual(db.prepare('SELECT count(*) FROM __drizzle_migrations').pluck().get(), 2);
db.prepare('DELETE FROM site').run();
assert.strictEqual(db.prepare('SELECT count(*) FROM page').pluck().get(), 0);
db.close();

kit(['push', '--force'], 'file:pushed/app.db');
db = open('pushed/app.db');
assert.deepStrictEqual(db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all('page'), ['id', 'site_id', 'path', 'title']);
db.exec("INSERT INTO site(name) VALUES ('example.org'); INSERT INTO page(site_id, path) VALUES (1, '/')");
db.close();
schema("title: text('title').notNull().default('untitled'), size: integer('size')");
kit(['push', '--force'], 'file:pushed/app.db');
db = open('pushed/app.db');
assert.deepStrictEqual(db.prepare('SELECT path, title, size FROM page').all(), [{ path: '/', title: 'untitled', size: null }]);
db.close();

assert.deepStrictEqual(readdirSync('data'), ['app.db']);
const mapped = require('node:fs').readFileSync('mapped.txt', 'utf8');
assert.match(mapped, /\/liblitekeel\.so/);
assert.doesNotMatch(mapped, /better_sqlite3\.node|linux-x64\.node/);
assert.ok(existsSync('migrations'));
console.log('on litekeel');

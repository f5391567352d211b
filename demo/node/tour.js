// litekeel in Node with Drizzle ORM: what open applied, relations, two processes at once, refusals with their reasons, a
// clean close.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { count, eq } from 'drizzle-orm';
import { KeelError, SqliteError, open } from 'litekeel';
import { migrate } from 'litekeel/drizzle';
import { closeDatabase, connection, db } from './client.js';
import { page, site } from './schema.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const bold = (text) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);
const heading = (text) => console.log(`\n${bold(text)}`);
const say = (text) => console.log(`  ${text}`);
const milliseconds = (from) => `${(performance.now() - from).toFixed(1)} ms`;
const pages = () => db.$count(page).then((n) => `${n} pages`);

heading('Node: opened, tuned and read back');
const { report } = connection;
say(`${report.url} (from the ${report.urlSource === 'env' ? 'environment' : report.urlSource})`);
say(`created: ${path.relative('.', report.path)} and the directories on the way`);
for (const { name, value, source } of report.rows) {
	if (value !== '' && !['built-in', 'system'].includes(source)) say(`${name.padEnd(20)} ${value.padEnd(12)} ${source}`);
}

heading('Migrations that drizzle-kit generated');
migrate(db, { migrationsFolder: path.join(here, 'migrations') });
for (const file of readdirSync(path.join(here, 'migrations')).filter((name) => name.endsWith('.sql'))) say(`applied ${file}`);

heading('Sites and their pages, by a relational query');
db.transaction((tx) => {
	for (const [name, plan, paths] of [['example.org', 'paid', ['/', '/about', '/contact']], ['example.net', 'free', ['/']]]) {
		const { id } = tx.insert(site).values({ name, plan }).returning().get();
		tx.insert(page).values(paths.map((where) => ({ siteId: id, path: where, title: where === '/' ? 'Home' : where.slice(1) }))).run();
	}
});
for (const { name, plan, pages: found } of db.query.site.findMany({ with: { pages: { columns: { path: true } } } }).sync()) {
	say(`${name} (${plan}): ${found.map((one) => one.path).join(', ')}`);
}

heading('A page without a site');
try {
	db.insert(page).values({ siteId: 99, path: '/', title: 'Lost' }).run();
} catch (error) {
	const cause = error.cause ?? error;
	if (!(cause instanceof SqliteError)) throw error;
	say(`refused: ${cause.code}, ${cause.message}`);
}

heading('Another process writes 500 pages in one transaction');
const writer = fork(path.join(here, 'writer.js'), ['500', '700']);
const ended = once(writer, 'exit');
await once(writer, 'message');
let from = performance.now();
say(`reading goes on:       ${await pages()}, as committed, in ${milliseconds(from)}`);
const impatient = open('file:data/deep/app.db?busy_timeout=50');
try {
	impatient.exec('DELETE FROM page');
} catch (error) {
	if (error.code !== 'SQLITE_BUSY') throw error;
	const [{ pid, role }] = error.holders;
	say(`one that gives up:     after ${error.waitedMs} ms it names the ${role}, process ${pid === writer.pid ? `${pid}, the other one` : pid}`);
}
impatient.close();
from = performance.now();
db.insert(page).values({ siteId: 2, path: '/news', title: 'News' }).run();
say(`one that waits:        ${milliseconds(from)}, then it wrote; nothing failed`);
const [status] = await ended;
if (status !== 0) throw new Error(`the other process ended with status ${status}`);
say(`both are there:        ${await pages()}`);

heading('An asynchronous transaction that fails half-way');
const moving = db.transaction(async (tx) => {
	tx.insert(page).values({ siteId: 2, path: '/draft', title: 'Draft' }).run();
	await new Promise((resolve) => { setTimeout(resolve, 20); });
	throw new Error('the mail server did not answer');
});
say(`meanwhile:  ${await pages()}; what it wrote is its own until it commits`);
await moving.catch((error) => say(`it failed:  ${error.message}`));
say(`afterwards: ${await pages()}; nothing of it is left`);

heading('A site goes, and its pages with it');
const [{ n }] = db.select({ n: count() }).from(page).where(eq(page.siteId, 1)).all();
db.delete(site).where(eq(site.name, 'example.org')).run();
say(`deleted example.org and its ${n} pages; left: ${await pages()}`);

heading('A URL in another library\'s dialect');
try {
	open('file:data/app.db?_journal_mode=wal');
} catch (error) {
	if (!(error instanceof KeelError)) throw error;
	say(`refused: ${error.code}, ${error.message}`);
	say(`what to do: ${error.hint}`);
}

heading('Closed');
const files = () => readdirSync(path.dirname(report.path)).join(', ');
say(`before: ${files()}`);
closeDatabase();
const { optimized, walRemoved, warnings } = connection.closeReport;
say(`after:  ${files()}`);
say(`query planner's statistics ${optimized ? 'renewed' : 'unchanged'}, -wal ${walRemoved ? 'checkpointed and removed' : 'kept'}, ${warnings.length} warnings`);
if (existsSync(`${report.path}-wal`)) throw new Error('the -wal is still there');

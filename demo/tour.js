'use strict';
// litekeel in Node: the tuned door, better-sqlite3's calls behind it, a refused URL, a clean close.
const fs = require('node:fs');
const { open, KeelError } = require('../bindings-node');

const db = open('file:node-data/deep/app.db');
const { journal_mode: journal, busy_timeout: timeout, foreign_keys: keys } = db.report;
console.log('node: applied', { journal, timeout, keys });
db.exec(`CREATE TABLE site(id INTEGER PRIMARY KEY, name TEXT);
	CREATE TABLE page(id INTEGER PRIMARY KEY, site INTEGER REFERENCES site ON DELETE CASCADE, path TEXT)`);
const addSite = db.prepare('INSERT INTO site(name) VALUES(?)');
const addPage = db.prepare('INSERT INTO page(site, path) VALUES(@site, @path)');
db.transaction(() => {
	const { lastInsertRowid: site } = addSite.run('example.org');
	for (const path of ['/', '/about', '/contact']) addPage.run({ site, path });
})();
console.log('node:', db.prepare('SELECT name, count(*) AS pages FROM site JOIN page ON page.site = site.id').get());
try {
	addPage.run({ site: 99, path: '/' });
} catch (error) {
	console.log('node:', `${error.name} ${error.code}: ${error.message}`);
}
db.prepare('DELETE FROM site').run();
console.log('node: pages after the cascade:', db.prepare('SELECT count(*) FROM page').pluck().get());
try {
	open('file:app.db?_journal_mode=wal');
} catch (error) {
	if (!(error instanceof KeelError)) throw error;
	console.log('node: refused:', `${error.code}: ${error.message}; ${error.hint}`);
}
db.close();
console.log('node: closed, -wal left:', fs.existsSync('node-data/deep/app.db-wal'));

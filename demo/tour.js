'use strict';
// litekeel in Node, in better-sqlite3's place: the same calls, the same results.
const Database = require('../bindings-node');

const db = new Database('node.db');
db.pragma('journal_mode = WAL');
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
db.close();
console.log('node: closed, -wal left:', require('node:fs').existsSync('node.db-wal'));

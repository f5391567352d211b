// The names of the package as a program uses them, as a CommonJS and as an ECMAScript module.
import Database, { SqliteError, KeelError, open, type Tuned, type OpenOptions, type CloseReport } from 'litekeel';

const options: OpenOptions = { profile: 'durable', busyTimeout: '10s', foreignKeys: true, synchronous: 2, allowedRoots: ['/srv'], fileMode: 0o600 };
const db: Tuned = open('file:data/app.db', options);
const mode: unknown = db.report['journal_mode'];
const rows: string[] = db.report.rows.map((row) => `${row.name}=${row.value} (${row.source})`);

const insert = db.prepare<{ name: string }>('INSERT INTO site(name) VALUES (@name)');
const rowid: number | bigint = insert.run({ name: 'example.org' }).lastInsertRowid;
const site: { name: string } | undefined = db.prepare<[number | bigint], { name: string }>('SELECT name FROM site WHERE id = ?').get(rowid);
for (const row of db.prepare<[], { name: string }>('SELECT name FROM site').iterate()) row.name.toUpperCase();
const add = db.transaction((names: string[]) => names.length);
const added: number = add.immediate(['a']);
db.function('double', { deterministic: true }, (x: number) => x * 2).aggregate<number>('total', { start: 0, step: (sum, x: number) => sum + x });
db.table('series', { columns: ['value'], *rows() { yield [1]; } });
const done: Promise<Database.BackupMetadata> = db.backup('copy.db', { progress: ({ remainingPages }) => remainingPages });
db.close();
const closed: CloseReport | null = db.closeReport;

try {
	open('postgres://host/db');
} catch (error) {
	if (error instanceof KeelError) console.error(error.code, error.hint, error.path);
	if (error instanceof SqliteError) console.error(error.code, error.hint, error.kind === 'timeout', error.waitedMs, error.holders?.map(({ pid, command }) => `${pid} ${command}`));
}

const tuned = open('file:a.db');
const settings: [journal: 'wal' | 'delete' | 'truncate' | 'persist' | 'memory' | 'off' | '', keys: 'on' | 'off' | '', sync: string, unknown] = [tuned.report.journal_mode, tuned.report.foreign_keys, tuned.report.synchronous, tuned.report.sqlite_version];
tuned.on('busy_wait', ({ waitedMs, outcome }) => (outcome === 'refused' ? waitedMs.toFixed() : outcome)).on('wal_stalled', (event) => event.walMax + (event.pid ?? 0));
const every = (event: Database.Event) => (event.name === 'unhealthy' ? event.code : event.database);
tuned.on('unhealthy', every).off('unhealthy', every);
// @ts-expect-error an event that does not exist
tuned.on('bussy_wait', () => {});
// @ts-expect-error a field that the event does not have
tuned.on('busy_wait', (event) => event.waited_ms);
// @ts-expect-error a value that the setting does not have
tuned.report.synchronous === 'sometimes';

// @ts-expect-error a profile that does not exist
open('file:a.db', { profile: 'fastest' });
// @ts-expect-error a parameter that does not exist
open('file:a.db', { busyTimeOut: 5 });
// @ts-expect-error the parameter's type
insert.run({ name: 5 });
// @ts-expect-error a method that does not exist
new Database(':memory:').query('SELECT 1');

export { settings, mode, rows, site, added, done, closed };

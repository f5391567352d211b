'use strict';
// The first table of docs/compatibility.md: every member of better-sqlite3 with the verdict on it. A member without an
// entry in `verdicts` is "same", and then the differential cases have to call it (compatibility.test.js sees to that).
const fs = require('node:fs');
const path = require('node:path');

const PAGE = path.join(__dirname, '..', '..', '..', 'docs', 'compatibility.md');
const BEGIN = '<!-- the table below is written by bindings-node/test/compatibility.test.js: UPDATE_DOCS=1 -->\n';
const END = '<!-- end of the table -->\n';

/** What is read out of options objects; better-sqlite3 keeps no list of it. */
const OPTIONS = {
	'Database.constructor': ['readonly', 'fileMustExist', 'timeout', 'verbose', 'nativeBinding', 'journalFd'],
	'Database.pragma': ['simple'],
	'Database.function': ['deterministic', 'directOnly', 'varargs', 'safeIntegers'],
	'Database.aggregate': ['start', 'step', 'inverse', 'result', 'deterministic', 'directOnly', 'varargs', 'safeIntegers'],
	'Database.table': ['rows', 'columns', 'parameters', 'safeIntegers', 'directOnly'],
	'Database.backup': ['attached', 'progress'],
	'Database.serialize': ['attached'],
};

/** Where it is not simply the same: the verdict and why. */
const verdicts = {
	'Database.constructor': ['same', 'paths, `:memory:`, temporary databases, Buffers, file descriptors; runs no pragma and takes no lock. `open(url)` is the tuned way'],
	'Database.constructor {nativeBinding}': ['different', 'checked as there, then ignored: the library is in the platform\'s package, and a second copy of SQLite in the process would be unsafe'],
	'Database.constructor {journalFd}': ['better', 'as in 13.2; and connections by path in the same process and it respect each other\'s locks'],
	'Database.function': ['same', 'what a callback throws arrives by identity'],
	'Database.backup': ['better', 'it ends although other processes write, by larger steps the more often they make SQLite begin anew; a locked source is tried again, not only a busy one'],
	'Database.serialize': ['better', 'the image of a WAL database opens again; a schema that is not there is an SqliteError naming the cause, not a lack of memory'],
	'Database.close': ['better', 'also at `process.exit()`, on an uncaught error and at the end of a worker: no `-wal` stays behind'],
	'SqliteError.constructor': ['better', 'a class as in 13, and callable without `new` as in 12'],
};

/** The members of the real module, in the order in which they are defined. */
function members(Real) {
	const db = new Real(':memory:');
	const statement = db.prepare('SELECT 1');
	const iterator = statement.iterate();
	const of = (name, object) => Object.getOwnPropertyNames(object).filter((key) => key !== 'constructor' && typeof object[key] === 'function').map((key) => `${name}.${key}`);
	const found = [
		'Database.constructor', ...of('Database', Real.prototype), ...['deferred', 'immediate', 'exclusive'].map((kind) => `Transaction.${kind}`),
		...of('Statement', Object.getPrototypeOf(statement)), ...of('Iterator', Object.getPrototypeOf(iterator)), 'SqliteError.constructor',
	];
	iterator.return();
	db.close();
	return found.flatMap((member) => [member, ...(OPTIONS[member] ?? []).map((option) => `${member} {${option}}`)]);
}

const shown = (member) => member.replace('Database.constructor', 'new Database').replace('SqliteError.constructor', 'new SqliteError').replace(/^(Statement|Iterator|Transaction|Database)\./, (_, name) => (name === 'Database' ? 'db.' : `${name.toLowerCase()}.`)).replace(/ \{(\w+)\}/, '({ $1 })');

function table(all) {
	const rows = all.map((member) => {
		const [verdict, why = ''] = verdicts[member] ?? ['same'];
		return `| \`${shown(member)}\` | ${verdict} | ${why} |`;
	});
	return `${BEGIN}\n| better-sqlite3 13 | litekeel | |\n|---|---|---|\n${rows.join('\n')}\n\n${END}`;
}

/** The page with the table as `all` gives it. */
function page(all) {
	const text = fs.readFileSync(PAGE, 'utf8');
	return text.slice(0, text.indexOf(BEGIN)) + table(all) + text.slice(text.indexOf(END) + END.length);
}

module.exports = { PAGE, verdicts, members, page };

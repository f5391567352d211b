'use strict';

/**
 * Adds to `Database.prototype` what extends or copies a connection.
 *
 * `core` is what the connection's own file offers to these:
 * - `native`: the addon's exports;
 * - `state(db)` → `{ token, safeIntegers, busy, backups: Set }`: `token` stands for the native connection, `busy`
 *   counts callbacks from SQLite that are running;
 * - `requireOpen`, `requireNotBusy`, `requireIdle`(state): throw the TypeError of a closed, busy or iterating connection;
 * - `extended(state)`: called before the connection gets code of the user's: cached statements go, prefetching ends;
 * - `check(result)`: throws the SqliteError of a native `[code, message]`, else gives the result back.
 */
module.exports = (Database, core) => {
	core.abortBackups = require('./backup').abort;
	const methods = {
		function: require('./function'),
		aggregate: require('./aggregate'),
		table: require('./table'),
		backup: require('./backup'),
		serialize: require('./serialize'),
		loadExtension: require('./load-extension'),
	};
	for (const [name, make] of Object.entries(methods)) {
		Object.defineProperty(Database.prototype, name, {
			__proto__: null, value: make(core), writable: true, enumerable: true, configurable: true,
		});
	}
};

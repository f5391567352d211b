'use strict';

/**
 * Adds to `Database.prototype` what better-sqlite3 does not have. Not enumerable: whoever lists the prototype sees
 * better-sqlite3's methods. `core` is as in `../extension`.
 */
module.exports = (Database, core) => {
	for (const part of [require('./hooks'), require('./session')]) {
		const methods = Object.getOwnPropertyDescriptors(part(Database, core));
		for (const descriptor of Object.values(methods)) descriptor.enumerable = false;
		Object.defineProperties(Database.prototype, methods);
	}
};

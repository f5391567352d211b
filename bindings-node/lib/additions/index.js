'use strict';
const { option } = require('../own-properties');

/**
 * Adds what better-sqlite3 does not have. Not enumerable: whoever lists the class or its prototype sees
 * better-sqlite3's names. `core` is as in `../extension`; `door` makes Databases of native connections.
 */
module.exports = (Database, core, door) => {
	const dispatcher = require('./dispatcher')(core);
	const parts = [
		require('./hooks'), require('./session'), require('./events'), require('./monitoring'), require('./sharing'),
		require('./read-async'), require('./replicated'), require('./replica-copy'), require('./transaction-async'), require('./databases'),
	];
	for (const part of parts) {
		const made = part({ Database, core, door, dispatcher });
		hidden(Database.prototype, option(made, 'methods', {}));
		hidden(Database, option(made, 'statics', {}));
	}
};

function hidden(target, members) {
	const descriptors = Object.getOwnPropertyDescriptors(members);
	for (const descriptor of Object.values(descriptors)) Object.setPrototypeOf(descriptor, null).enumerable = false;
	Object.defineProperties(target, descriptors);
}

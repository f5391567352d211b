'use strict';
const fs = require('node:fs');

/** Which file a path leads to, whatever links are on the way; null where it cannot be looked at. */
module.exports = (path) => {
	try {
		const { dev, ino } = fs.statSync(path, { __proto__: null, bigint: true });
		return `${dev}:${ino}`;
	} catch {
		return null;
	}
};

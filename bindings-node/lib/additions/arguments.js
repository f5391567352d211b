'use strict';

/** An option that is a text: absent or undefined means `fallback`. */
exports.text = (options, key, fallback) => {
	const value = options[key];
	if (value === undefined) return fallback;
	if (typeof value !== 'string' || value === '') throw new TypeError(`Expected the "${key}" option to be a string`);
	return value;
};

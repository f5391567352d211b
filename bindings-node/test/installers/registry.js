'use strict';
// A package registry on this machine's loopback that has the given tarballs and nothing else.
const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

/** Starts it; resolves to its URL, what was asked of it, and how to stop it. */
module.exports = async (tarballs) => {
	const packages = new Map();
	const files = new Map();
	const asked = [];
	for (const file of tarballs) {
		const manifest = JSON.parse(execFileSync('tar', ['xzOf', file, 'package/package.json'], { encoding: 'utf8' }));
		const content = fs.readFileSync(file);
		const integrity = `sha512-${crypto.createHash('sha512').update(content).digest('base64')}`;
		files.set(`/-/${path.basename(file)}`, content);
		packages.set(manifest.name, { manifest, integrity, shasum: crypto.createHash('sha1').update(content).digest('hex'), file: path.basename(file) });
	}
	const server = http.createServer((request, response) => {
		const name = decodeURIComponent(request.url).split('?')[0];
		asked.push(name);
		const found = packages.get(name.slice(1));
		if (files.has(name)) return response.end(files.get(name));
		if (!found) {
			response.statusCode = 404;
			return response.end('{"error":"not found"}');
		}
		const { manifest, integrity, shasum, file } = found;
		const dist = { tarball: `http://127.0.0.1:${server.address().port}/-/${file}`, integrity, shasum };
		// Some installers take nothing that was published a moment ago.
		const published = '2020-01-01T00:00:00.000Z';
		response.setHeader('content-type', 'application/json');
		return response.end(JSON.stringify({
			name: manifest.name, 'dist-tags': { latest: manifest.version }, versions: { [manifest.version]: { ...manifest, dist } },
			time: { created: published, modified: published, [manifest.version]: published },
		}));
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return { url: `http://127.0.0.1:${server.address().port}/`, asked, close: () => { server.closeAllConnections(); server.close(); } };
};

'use strict';
// The platforms that a package is made for: @litekeel/NAME holds FILE, built for Rust's TARGET.
// `published` ones are optional dependencies of litekeel: those whose tests are run. The others are built and packed by the
// same scripts. packaging/build-all reads this table too.
const unix = (name, platform, arch, libc, target, file) => ({ name, platform, arch, libc, target, file, published: platform === 'linux' });

module.exports = [
	unix('linux-x64-gnu', 'linux', 'x64', 'glibc', 'x86_64-unknown-linux-gnu', 'liblitekeel.so'),
	unix('linux-arm64-gnu', 'linux', 'arm64', 'glibc', 'aarch64-unknown-linux-gnu', 'liblitekeel.so'),
	unix('linux-x64-musl', 'linux', 'x64', 'musl', 'x86_64-unknown-linux-musl', 'liblitekeel.so'),
	unix('linux-arm64-musl', 'linux', 'arm64', 'musl', 'aarch64-unknown-linux-musl', 'liblitekeel.so'),
	unix('darwin-x64', 'darwin', 'x64', undefined, 'x86_64-apple-darwin', 'liblitekeel.dylib'),
	unix('darwin-arm64', 'darwin', 'arm64', undefined, 'aarch64-apple-darwin', 'liblitekeel.dylib'),
];

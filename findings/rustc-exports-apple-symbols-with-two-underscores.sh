#!/usr/bin/env bash
# Rust 1.95.0, target aarch64-apple-darwin: `-l static:+export-symbols=NAME` exports the functions of a C library from a cdylib.
# Guessed: as for Rust's own functions the linker's list has the names as the archive has them, `_double_it` for `double_it`.
# Seen: `__double_it`, one underscore too many. No library has such a name: lld ends with "undefined symbol: __double_it,
# referenced by -exported_symbol(s_list)". A linker that takes no such list (zig's) hides it. On Linux the name is right.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
rustc=(rustc +1.95.0)
rustup toolchain list | grep -q '^1\.95\.0' || { [ "$(rustc --version | cut -d' ' -f2)" = 1.95.0 ] && rustc=(rustc); }
"${rustc[@]}" --version
rustup target list --installed | grep -qx aarch64-apple-darwin || rustup target add aarch64-apple-darwin
# Stands for the C library: an archive for the target with one function in it.
printf '#![no_std]\n#[unsafe(no_mangle)] pub extern "C" fn double_it(n: i32) -> i32 { n + n }\n#[panic_handler] fn p(_: &core::panic::PanicInfo) -> ! { loop {} }\n' > double.rs
printf 'unsafe extern "C" { fn double_it(n: i32) -> i32; }\n#[unsafe(no_mangle)] pub extern "C" fn own(n: i32) -> i32 { unsafe { double_it(n) } }\n' > lib.rs
# In the linker's place: keeps the list of what is to be exported.
cat > linker <<'SH'
#!/usr/bin/env bash
for argument in "$@"; do
	[[ $argument == @* ]] && mapfile -t more < "${argument#@}" && set -- "$@" "${more[@]}"
done
for argument in "$@"; do
	file=$(tr ',' '\n' <<< "$argument" | grep -E 'list$|^/.*list' | tail -1 | sed 's/^--version-script=//; s/^-Wl//') || true
	if [ -f "$file" ]; then cat "$file" > "$LIST"; fi
done
SH
chmod +x linker
for target in aarch64-apple-darwin x86_64-unknown-linux-gnu; do
	"${rustc[@]}" --target $target -C panic=abort -O --crate-type staticlib double.rs -o libdouble.a
	LIST=$dir/$target SDKROOT=$dir "${rustc[@]}" --target $target --crate-type cdylib -C linker="$dir/linker" -L . -l static:+export-symbols=double lib.rs -o out 2> /dev/null || true
	echo "$target:" $(grep -oE '_*(double_it|own)\b' $target | sort)
done
[ "$(grep -oE '_*(double_it|own)\b' aarch64-apple-darwin | sort | tr '\n' ' ')" = "__double_it _own " ]
[ "$(grep -oE '_*(double_it|own)\b' x86_64-unknown-linux-gnu | sort | tr '\n' ' ')" = "double_it own " ]

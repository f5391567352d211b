//! UTF-16 and Latin-1 into UTF-8. V8 13 takes up to twenty times as long for a long text.

/// Units that are looked at together.
const BLOCK: usize = 32;

/// The most bytes that so many units can take.
pub(crate) fn room(units: usize) -> usize {
    3 * units
}

/// Writes `units` as UTF-8 and says how many bytes that are. A surrogate without its other half becomes U+FFFD, as V8
/// has it.
///
/// # Safety
/// `out` has room for [`room`] bytes.
pub(crate) unsafe fn encode(units: &[u16], out: *mut u8) -> usize {
    let (mut at, mut end) = (0, 0);
    while at < units.len() {
        // SAFETY: `stop` is within the units; no unit is written as more than three bytes, a pair of surrogates as four.
        unsafe {
            while let Some(block) = units[at..].first_chunk::<BLOCK>() {
                if block.iter().fold(0, |seen, unit| seen | unit) >= 0x80 {
                    break;
                }
                out.add(end).cast::<[u8; BLOCK]>().write_unaligned(block.map(|unit| unit as u8));
                at += BLOCK;
                end += BLOCK;
            }
            let stop = units.len().min(at + BLOCK);
            while at < stop {
                let unit = u32::from(*units.get_unchecked(at));
                at += 1;
                let target = out.add(end);
                if unit < 0x80 {
                    target.write(unit as u8);
                    end += 1;
                } else if unit < 0x800 {
                    target.write(0xC0 | (unit >> 6) as u8);
                    target.add(1).write(tail(unit));
                    end += 2;
                } else if unit & 0xF800 != 0xD800 {
                    three(target, unit);
                    end += 3;
                } else {
                    match units.get(at).map(|low| u32::from(*low)) {
                        Some(low @ 0xDC00..=0xDFFF) if unit < 0xDC00 => {
                            let letter = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                            target.write(0xF0 | (letter >> 18) as u8);
                            target.add(1).write(tail(letter >> 12));
                            target.add(2).write(tail(letter >> 6));
                            target.add(3).write(tail(letter));
                            at += 1;
                            end += 4;
                        }
                        _ => {
                            three(target, 0xFFFD);
                            end += 3;
                        }
                    }
                }
            }
        }
    }
    end
}

/// Writes `length` characters of Latin-1 as UTF-8 and says how many bytes that are.
///
/// # Safety
/// `out` has room for twice the length; it may begin `length` bytes or more before `text` and overlap it.
pub(crate) unsafe fn encode_latin1(text: *const u8, length: usize, out: *mut u8) -> usize {
    let mut end = 0;
    for at in 0..length {
        // SAFETY: before character `at`, at most `2 * at` bytes are written, which is no more than `length + at`.
        unsafe {
            let letter = text.add(at).read();
            if letter < 0x80 {
                out.add(end).write(letter);
                end += 1;
            } else {
                out.add(end).write(0xC0 | letter >> 6);
                out.add(end + 1).write(tail(u32::from(letter)));
                end += 2;
            }
        }
    }
    end
}

fn tail(letter: u32) -> u8 {
    0x80 | (letter & 0x3F) as u8
}

unsafe fn three(target: *mut u8, letter: u32) {
    // SAFETY: three bytes are writable (the caller).
    unsafe {
        target.write(0xE0 | (letter >> 12) as u8);
        target.add(1).write(tail(letter >> 6));
        target.add(2).write(tail(letter));
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, encode, encode_latin1, room};

    #[test]
    fn latin_1_is_encoded_where_it_lies() {
        for length in [0, 1, 7, 256, 1000] {
            for text in [0x61, 0xFF, 0x80]
                .map(|letter| vec![letter; length])
                .into_iter()
                .chain([(0..length).map(|at| (at * 37) as u8).collect()])
            {
                let wanted: String = text.iter().map(|letter| char::from(*letter)).collect();
                let mut memory = vec![0; length];
                memory.extend_from_slice(&text);
                // SAFETY: the text lies `length` bytes behind the start of twice as much memory.
                let bytes = unsafe {
                    let start = memory.as_mut_ptr();
                    encode_latin1(start.add(length), length, start)
                };
                assert_eq!(&memory[..bytes], wanted.as_bytes());
            }
        }
    }

    #[test]
    fn every_text_is_what_the_standard_library_makes_of_it() {
        let parts: [&[u16]; 9] = [
            &[0x61],
            &[0x7F, 0x80],
            &[0x7FF, 0x800],
            &[0xFFFF, 0xD7FF, 0xE000],
            &[0xD83D, 0xDE00],
            &[0xD83D],
            &[0xDE00, 0xD83D],
            &[0x62; 2 * BLOCK],
            &[0],
        ];
        let mut state = 1_u32;
        for _ in 0..5000 {
            let mut units = Vec::new();
            for _ in 0..state % 9 {
                state = state.wrapping_mul(1_103_515_245).wrapping_add(12345);
                units.extend_from_slice(parts[(state >> 16) as usize % parts.len()]);
            }
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12345) >> 1;
            let mut out = Vec::<u8>::with_capacity(room(units.len()));
            // SAFETY: the capacity is the room that is asked for.
            unsafe {
                let length = encode(&units, out.as_mut_ptr());
                assert!(length <= out.capacity());
                out.set_len(length);
            }
            assert_eq!(out, String::from_utf16_lossy(&units).into_bytes(), "{units:x?}");
        }
    }
}

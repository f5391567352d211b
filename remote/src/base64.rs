//! Base64 as the server takes it: the standard alphabet, and no padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text of `bytes`.
pub(crate) fn encode(bytes: &[u8], out: &mut String) {
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(ALPHABET[(word >> (18 - 6 * place)) as usize & 63] as char);
        }
    }
}

/// The bytes of a text, with or without padding; `None` when it is not base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut word = 0u32;
        for byte in chunk {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            word = word << 6 | u32::from(digit);
        }
        word <<= 6 * (4 - chunk.len());
        match chunk.len() {
            1 => return None,
            length => out.extend_from_slice(&word.to_be_bytes()[1..length]),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|at: u32| (at * 151 + length * 7) as u8).collect();
            let mut text = String::new();
            encode(&bytes, &mut text);
            assert_eq!(decode(&text).as_deref(), Some(&bytes[..]), "{text}");
            assert!(!text.contains('='));
        }
        let mut text = String::new();
        encode(&[0xfb, 0xff], &mut text);
        assert_eq!((text.as_str(), decode("+/8=")), ("+/8", Some(vec![0xfb, 0xff])));
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["A", "AA-A", "AAAAA", "A A", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}

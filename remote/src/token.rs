//! The token: what a server knows us by, and nobody else may see.

use std::fmt;

/// A secret. It is shown nowhere, `Debug` included.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token, for a header.
    pub fn new(text: impl Into<String>) -> Token {
        Token(text.into())
    }

    /// When it ends to be valid, in seconds since 1970, where it is a JSON Web Token that says so. It is not verified: only the
    /// server can do that.
    pub fn expires(&self) -> Option<i64> {
        let text = self.0.split('.').nth(1)?.replace('-', "+").replace('_', "/");
        let claims: serde_json::Value = serde_json::from_slice(&crate::base64::decode(&text)?).ok()?;
        claims["exp"].as_i64().or_else(|| claims["exp"].as_f64().map(|at| at as i64))
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// The text without the token, wherever a server may have repeated it, and in whatever notation.
    pub(crate) fn hide(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(first) = rest.chars().next() {
            let length = written(self.0.as_bytes(), rest.as_bytes()).unwrap_or(0);
            if length > 0 {
                shown.push_str("***");
            } else {
                shown.push(first);
            }
            rest = &rest[if length > 0 { length } else { first.len_utf8() }..];
        }
        self.in_base64().iter().fold(shown, |shown, part| shown.replace(part, "***"))
    }

    /// What base64 of a text with the token in it has for sure, wherever in that the token begins: the letters at both ends
    /// depend on its neighbours too.
    fn in_base64(&self) -> Vec<String> {
        let mut parts = Vec::new();
        for before in 0..3 {
            let mut text = String::new();
            crate::base64::encode(&[&b"\0\0"[..before], self.0.as_bytes()].concat(), &mut text);
            let end = text.len() - usize::from(!(before + self.0.len()).is_multiple_of(3));
            let part = text.get(before + usize::from(before > 0)..end).unwrap_or_default();
            // A few letters are found everywhere.
            if part.len() >= 8 {
                parts.extend([part.to_owned(), part.replace('+', "-").replace('/', "_")]);
            }
        }
        parts
    }
}

/// How many bytes at the beginning of a text are the token, each of its characters by itself or in one of the notations of
/// URLs (also of one inside another), JSON and HTML.
fn written(token: &[u8], text: &[u8]) -> Option<usize> {
    // `%25` may be three characters or one: all the places where this one can end.
    let mut ends = vec![0];
    for byte in token {
        ends = ends.iter().flat_map(|at| notations(*byte, &text[*at..]).map(move |length| at + length)).collect();
        ends.sort_unstable();
        ends.dedup();
    }
    ends.pop()
}

/// How long each notation of a character is that a text begins with.
fn notations(byte: u8, text: &[u8]) -> impl Iterator<Item = usize> {
    let number = |digits: Option<&[u8]>, radix| {
        let digits = std::str::from_utf8(digits?).ok()?;
        (u32::from_str_radix(digits, radix).ok()? == u32::from(byte)).then_some(())
    };
    let after = |start: &str, digits: usize| {
        let rest = text.strip_prefix(start.as_bytes())?;
        number(rest.get(..digits), 16).map(|()| start.len() + digits)
    };
    let entity = || {
        let rest = text.strip_prefix(b"&#")?;
        let end = rest.iter().take(8).position(|byte| *byte == b';')?;
        match rest[..end].strip_prefix(b"x").or(rest[..end].strip_prefix(b"X")) {
            Some(digits) => number(Some(digits), 16),
            None => number(Some(&rest[..end]), 10),
        }
        .map(|()| 2 + end + 1)
    };
    let itself = (text.first() == Some(&byte)).then_some(1);
    // As PHP writes `/`.
    let escaped = (text.starts_with(b"\\") && text.get(1) == Some(&byte)).then_some(2);
    [itself, escaped, after("%", 2), after("%25", 2), after("\\u", 4), entity()].into_iter().flatten()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_say_when_it_ends() {
        // {"exp":1700000000}
        assert_eq!(Token::new("e30.eyJleHAiOjE3MDAwMDAwMDB9.x").expires(), Some(1_700_000_000));
        for text in ["", "ca.na-ry_0123456789", "e30.e30.x", "a.b"] {
            assert_eq!(Token::new(text).expires(), None, "{text}");
        }
    }

    /// A token as services make them, and one with every character that may be in it.
    fn token(random: &mut impl FnMut(usize) -> usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
        let graphic: Vec<u8> = (b'!'..=b'~').collect();
        let letters = if random(4) == 0 { &graphic } else { LETTERS };
        (0..16 + random(40)).map(|_| char::from(letters[random(letters.len())])).collect()
    }

    #[test]
    fn no_token_is_shown_in_any_notation() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("SEED").map_or(now, |text| text.parse().unwrap());
        println!("SEED={seed}");
        let mut state = seed | 1;
        let mut random = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % bound
        };
        for _ in 0..500 {
            let secret = token(&mut random);
            let before: String = (0..random(7)).map(|at| char::from(b"Bearer "[at])).collect();
            let behind = ["", " is not known", "é"][random(3)];
            let all = random(2) == 0;
            let kind = random(8);
            let mut write = |letter: char| match kind {
                _ if kind < 6 && !all && random(3) > 0 => letter.to_string(),
                0 => format!("%{:02X}", letter as u32),
                1 => format!("%{:02x}", letter as u32),
                2 => format!("%25{:02X}", letter as u32),
                3 => format!("\\u{:04x}", letter as u32),
                4 => format!("&#{};", letter as u32),
                5 => format!("&#x{:X};", letter as u32),
                _ => letter.to_string(),
            };
            let mut written: String = secret.chars().map(&mut write).collect();
            if kind == 7 {
                let mut encoded = String::new();
                crate::base64::encode(format!("{before}{secret}{behind}").as_bytes(), &mut encoded);
                written = if all { encoded } else { encoded.replace('+', "-").replace('/', "_") };
            }
            let said = format!("{before}{written}{behind}");
            let shown = Token::new(secret.clone()).hide(&said);
            assert!(shown.contains("***"), "{secret}: {said} is shown as {shown}");
            // Of base64 the letters at both ends may be left, which are less than three characters of it.
            let left = shown.replace("***", "").len() - before.len() - behind.len();
            let ends = if kind == 7 { before.len() * 4 / 3 + behind.len() * 4 / 3 + 10 } else { 0 };
            assert!(left <= ends, "{secret}: {said} is shown as {shown}");
        }
    }

    #[test]
    fn what_is_no_token_is_shown() {
        for text in ["", "é%2", "no such table: t", "100%", "\\u00", "&#x;", "ca.na-ry_012345678", "&#99999999999;"] {
            assert_eq!(Token::new("ca.na-ry_0123456789").hide(text), text);
        }
        assert_eq!(Token::new("ab").hide("Abacus at YWI"), "Abacus at YWI".replace("ab", "***"));
        assert_eq!(Token::new("").hide("a"), "a");
    }
}

//! Master keys: they wrap the data key of each sealed recording and touch no sound themselves.

use std::fmt;

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};

/// The longest name of a key, octets.
pub(super) const LONGEST_NAME: usize = 32;
/// Octets of a key.
const KEY_LEN: usize = 32;

/// The master keys of this floor, by their names; the last one is the newest.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<(String, LessSafeKey)>,
}

/// Why a text holds no keys. It never says what the text holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// A line is no key.
    #[error(
        "line {0} is no key: write NAME:HEX with 64 hexadecimal digits, the newest key last; `trunkline recording new-key` makes one"
    )]
    Line(usize),
    /// A name is there twice.
    #[error(
        "line {0} names a key that is there already: a key's name stands in the recordings sealed under it, so give each its own"
    )]
    Twice(usize),
    /// There is none.
    #[error("there is no key: write NAME:HEX with 64 hexadecimal digits; `trunkline recording new-key` makes one")]
    None,
}

impl KeyRing {
    /// Reads keys, one a line or separated by commas: `NAME:HEX`. Blank lines and those that begin with `#` do not count.
    ///
    /// # Errors
    /// Where a line is no key, a name is there twice, or there is none.
    pub fn parse(text: &str) -> Result<Self, BadKeys> {
        let mut keys: Vec<(String, LessSafeKey)> = Vec::new();
        for (number, line) in (1..).zip(text.split([',', '\n'])) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, key) = read(line).ok_or(BadKeys::Line(number))?;
            if keys.iter().any(|(known, _)| *known == name) {
                return Err(BadKeys::Twice(number));
            }
            keys.push((name, key));
        }
        if keys.is_empty() { Err(BadKeys::None) } else { Ok(Self { keys }) }
    }

    /// The key under which new recordings are sealed, and its name.
    pub(super) fn newest(&self) -> Option<(&str, &LessSafeKey)> {
        self.keys.last().map(|(name, key)| (name.as_str(), key))
    }

    /// The name of the key under which new recordings are sealed.
    pub fn newest_name(&self) -> &str {
        self.newest().map(|(name, _)| name).unwrap_or_default()
    }

    pub(super) fn find(&self, name: &str) -> Option<&LessSafeKey> {
        self.keys.iter().find(|(known, _)| known == name).map(|(_, key)| key)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(name, _)| name)).finish()
    }
}

/// A key for AES-256-GCM.
pub(super) fn aes_256_gcm(octets: &[u8; KEY_LEN]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, octets);
    // The length is the algorithm's: nothing else is refused.
    LessSafeKey::new(key.unwrap_or_else(|_| unreachable!("the key has the length of AES-256")))
}

fn read(line: &str) -> Option<(String, LessSafeKey)> {
    let (name, hex) = line.split_once(':')?;
    let (name, hex) = (name.trim(), hex.trim());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return None;
    }
    if hex.len() != 2 * KEY_LEN || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut octets = [0; KEY_LEN];
    for (octet, digits) in octets.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    let key = aes_256_gcm(&octets);
    // The copy on the stack is of no more use; the optimiser may not leave it there for the next caller to read.
    octets.fill(0);
    std::hint::black_box(&octets);
    Some((name.to_owned(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn the_last_key_is_the_newest_and_no_key_is_ever_shown() {
        let ring = KeyRing::parse(&format!("# ours\n2025:{A}\n\n 2026-11 : {A}\n")).unwrap();
        assert_eq!(ring.newest_name(), "2026-11");
        assert!(ring.find("2025").is_some() && ring.find("2024").is_none());
        assert_eq!(format!("{ring:?}"), r#"["2025", "2026-11"]"#);
        assert_eq!(KeyRing::parse(&format!("a:{A},b:{A}")).unwrap().newest_name(), "b");
    }

    #[test]
    fn what_is_no_key_is_told_by_its_line_alone() {
        let refused = |text: &str| KeyRing::parse(text).unwrap_err();
        assert_eq!(refused(""), BadKeys::None);
        assert_eq!(refused(&format!("a:{A}\na:{A}")), BadKeys::Twice(2));
        for bad in
            ["x", ":", "a:", &format!("a:{A}0"), &format!("a b:{A}"), &A.replace('a', "g"), &format!("a:{}é", &A[2..])]
        {
            let told = refused(&format!("\n{bad}"));
            assert!(told == BadKeys::Line(2) && !told.to_string().contains(&A[2..20]), "{bad}: {told}");
        }
    }
}

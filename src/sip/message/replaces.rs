//! The dialog that a call is to take the place of: Replaces as a header field (RFC 3891 §6.1), and as it stands in the URI of a
//! Refer-To (RFC 3261 §19.1.5).

use std::str::FromStr;

use super::params::Params;
use super::scan::Syntax;
use super::uri::Uri;

/// A dialog as its receiver is to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: String,
    /// The tag of whoever is asked to replace it.
    pub to_tag: String,
    /// The tag of the other side.
    pub from_tag: String,
    /// Whether it is meant only while it is early.
    pub early_only: bool,
}

impl FromStr for Replaces {
    type Err = Syntax;

    fn from_str(text: &str) -> Result<Self, Syntax> {
        let bad = |why| Syntax::new(why, text);
        let (call_id, params) = text.split_once(';').ok_or_else(|| bad("Replaces names a Call-ID and two tags"))?;
        let params = Params::parse(params)?;
        let tag = |name: &str| params.value(name).filter(|tag| !tag.is_empty()).map(str::to_owned);
        let call_id = call_id.trim();
        if call_id.is_empty() || call_id.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(bad("Replaces starts with a Call-ID"));
        }
        Ok(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag").ok_or_else(|| bad("Replaces has a to-tag"))?,
            from_tag: tag("from-tag").ok_or_else(|| bad("Replaces has a from-tag"))?,
            early_only: params.has("early-only"),
        })
    }
}

impl Replaces {
    /// The dialog that a URI's headers name, if they name one.
    ///
    /// # Errors
    /// Where they name one that cannot be read, or two.
    pub fn of_uri(uri: &Uri) -> Result<Option<Self>, Syntax> {
        let headers = uri.headers.as_deref().unwrap_or_default();
        let named = |header: &'_ str| {
            let (name, value) = header.split_once('=')?;
            name.eq_ignore_ascii_case("Replaces").then(|| value.to_owned())
        };
        let mut found = headers.split('&').filter_map(named);
        let Some(value) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(Syntax::new("a URI names one dialog to replace", headers));
        }
        unescape(&value).ok_or_else(|| Syntax::new("an escape cannot be read", headers))?.parse().map(Some)
    }
}

/// A header's value out of a URI; its escapes are undone all at once, whatever they stand for.
fn unescape(text: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            plain.push(digit(digits[0])? << 4 | digit(digits[1])?);
        } else {
            plain.push(byte);
        }
    }
    String::from_utf8(plain).ok().filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_is_read_from_a_header_and_from_a_uri() {
        let wanted = Replaces { call_id: "a@h".into(), to_tag: "us".into(), from_tag: "x".into(), early_only: false };
        let of_uri = |headers: &str| Replaces::of_uri(&format!("sip:1002@h?{headers}").parse().unwrap());
        assert_eq!(of_uri("Require=replaces&replaces=a%40h%3bto-tag%3Dus%3Bfrom-tag%3Dx"), Ok(Some(wanted)));
        let early: Replaces = "c@h; from-tag=x ;to-tag=us;early-only".parse().unwrap();
        assert!(early.early_only);
        assert_eq!((of_uri("Subject=hi"), Replaces::of_uri(&"tel:1".parse().unwrap())), (Ok(None), Ok(None)));
    }

    #[test]
    fn half_a_dialog_two_and_broken_escapes_are_refused() {
        for text in [
            "c",
            "c;to-tag=a",
            "c;from-tag=a",
            ";to-tag=a;from-tag=b",
            "c;to-tag=;from-tag=b",
            "c d;to-tag=a;from-tag=b",
        ] {
            assert!(text.parse::<Replaces>().is_err(), "{text}");
        }
        let one = "Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db";
        for headers in
            [format!("{one}&{one}"), "Replaces=c%3".into(), "Replaces=c%zz".into(), "Replaces=c%0d%0a".into()]
        {
            assert!(Replaces::of_uri(&format!("sip:1@h?{headers}").parse().unwrap()).is_err(), "{headers}");
        }
    }
}

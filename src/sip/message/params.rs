//! Parameters of URIs and headers: `;name=value;flag`.

use std::fmt;

use super::scan::{self, Syntax};

/// Parameters where they stand, read on demand; names compare without regard to case, values are as written (quotes included).
#[derive(Clone, Copy, Debug, Default)]
pub struct ParamsRef<'a>(&'a str);

/// Parameters of their own: `name=value;flag`, without spaces around any piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(String);

impl<'a> ParamsRef<'a> {
    /// Takes `name=value;flag`, the text after the first semicolon. A semicolon too many and a value that is missing cost nobody a
    /// call. Errors: a name that is none, a value with what only quotes may hold.
    pub fn read(text: &'a str) -> Result<Self, Syntax> {
        for piece in scan::pieces(text, b';') {
            let piece = piece?;
            let (name, value) = name_and_value(piece);
            if name.is_empty() && !piece.is_empty() || !scan::may_be_param(name) {
                return Err(Syntax::new("a parameter has no proper name", text));
            }
            match value {
                Some(value) if !value.starts_with('"') && !scan::may_be_param(value) => {
                    return Err(Syntax::new("a parameter's value is no token", text));
                }
                _ => {}
            }
        }
        Ok(Self(text))
    }

    /// All parameters in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        scan::pieces(self.0, b';').flatten().filter(|piece| !piece.is_empty()).map(name_and_value)
    }

    /// Whether the parameter stands here, with or without a value.
    pub fn has(self, name: &str) -> bool {
        self.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The parameter's value as written; `None` where it is absent or a flag.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| value)
    }
}

fn name_and_value(piece: &str) -> (&str, Option<&str>) {
    match scan::cut(piece, b'=') {
        Some((name, value)) => (name.trim_ascii(), Some(value.trim_ascii())),
        None => (piece, None),
    }
}

impl From<ParamsRef<'_>> for Params {
    fn from(read: ParamsRef<'_>) -> Self {
        let mut params = Self(String::with_capacity(read.0.len()));
        read.iter().for_each(|(name, value)| params.push(name, value));
        params
    }
}

impl Params {
    /// Reads `name=value;flag`, as [`ParamsRef::read`] does.
    pub fn parse(text: &str) -> Result<Self, Syntax> {
        ParamsRef::read(text).map(Self::from)
    }

    fn as_ref(&self) -> ParamsRef<'_> {
        ParamsRef(&self.0)
    }

    /// Whether the parameter stands here, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.as_ref().has(name)
    }

    /// The parameter's value as written; `None` where it is absent or a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.as_ref().value(name)
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.as_ref().iter()
    }

    /// Sets or adds a parameter; `None` makes it a flag.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let mut set = Self(String::with_capacity(self.0.len()));
        let mut found = false;
        for (known, old) in self.iter() {
            let this = !found && known.eq_ignore_ascii_case(name);
            found |= this;
            set.push(known, if this { value } else { old });
        }
        if !found {
            set.push(name, value);
        }
        *self = set;
    }

    fn push(&mut self, name: &str, value: Option<&str>) {
        if !self.0.is_empty() {
            self.0.push(';');
        }
        self.0.push_str(name);
        if let Some(value) = value {
            self.0.push('=');
            self.0.push_str(value);
        }
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ";{}", self.0) }
    }
}

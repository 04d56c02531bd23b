//! Parameters of URIs and headers: `;name=value;flag`.

use std::fmt;

use super::scan::{self, Syntax};

/// Ordered parameters; names compare without regard to case, values are kept as written (quotes included).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads `name=value;flag`, the text after the first semicolon. Errors: an empty piece, a name that is none.
    pub fn parse(text: &str) -> Result<Self, Syntax> {
        let mut params = Vec::new();
        for piece in scan::split(text, ';')? {
            let (name, value) = match piece.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (piece, None),
            };
            let odd = |c: char| c.is_whitespace() || c.is_control() || "<>\",".contains(c);
            if name.is_empty() || name.contains(odd) {
                return Err(Syntax::new("a parameter has no proper name", text));
            }
            match value {
                Some("") => return Err(Syntax::new("a parameter has an empty value", text)),
                Some(value) if !value.starts_with('"') && value.contains(odd) => {
                    return Err(Syntax::new("a parameter's value is no token", text));
                }
                _ => params.push((name.to_owned(), value.map(str::to_owned))),
            }
        }
        Ok(Self(params))
    }

    /// Whether the parameter stands here, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The parameter's value as written; `None` where it is absent or a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref())
    }

    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Sets or adds a parameter; `None` makes it a flag.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes a parameter away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

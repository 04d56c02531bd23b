//! The headers of a message: all their text in one piece, and where each value stands in it. Reading a message costs two
//! allocations, whatever it has; a value that is replaced stays behind until the message goes.

use std::fmt::{self, Write};

use super::header::{HeaderName, Wanted};

/// Headers in order, unfolded.
#[derive(Clone, Default)]
pub struct Headers {
    text: String,
    list: Vec<Header>,
}

#[derive(Clone)]
struct Header {
    name: HeaderName,
    begin: u32,
    end: u32,
}

impl Headers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.list.iter().map(|header| (&header.name, self.value(header)))
    }

    /// The values of every header of that name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let wanted = Wanted::named(name);
        self.list.iter().filter(move |header| wanted.is(&header.name)).map(|header| self.value(header))
    }

    /// The value of the first header of that name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// About how many bytes they are on the wire.
    pub(super) fn printed_len(&self) -> usize {
        self.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()).saturating_add(4)).sum()
    }

    fn value(&self, header: &Header) -> &str {
        self.text.get(header.begin as usize..header.end as usize).unwrap_or_default()
    }

    /// Starts from a head, whose values are then named by [`Self::push_range`]. A desk phone's INVITE has about fifteen.
    pub(super) fn of_head(head: &str) -> Self {
        Self { text: head.to_owned(), list: Vec::with_capacity(16) }
    }

    /// Adds a header whose value stands in the head.
    pub(super) fn push_range(&mut self, name: HeaderName, begin: usize, end: usize) {
        self.list.push(Header { name, begin: begin as u32, end: end as u32 });
    }

    /// Adds a header at the end.
    pub(super) fn push(&mut self, name: HeaderName, value: impl fmt::Display) {
        let header = self.write(name, value);
        self.list.push(header);
    }

    /// Adds a header at the top.
    pub(super) fn push_front(&mut self, name: HeaderName, value: impl fmt::Display) {
        let header = self.write(name, value);
        self.list.insert(0, header);
    }

    /// Replaces the first header of that name, or adds it at the end.
    pub(super) fn set(&mut self, name: &str, value: impl fmt::Display) {
        let header = self.write(name.into(), value);
        match self.list.iter_mut().find(|known| known.name == header.name) {
            // The spelling that was there stays.
            Some(old) => (old.begin, old.end) = (header.begin, header.end),
            None => self.list.push(header),
        }
    }

    /// Takes every header of that name away.
    pub(super) fn remove(&mut self, name: &str) {
        let wanted = Wanted::named(name);
        self.list.retain(|header| !wanted.is(&header.name));
    }

    fn write(&mut self, name: HeaderName, value: impl fmt::Display) -> Header {
        let begin = self.text.len() as u32;
        // Only a broken Display refuses; what it has written by then is the value.
        let _ = write!(self.text, "{value}");
        Header { name, begin, end: self.text.len() as u32 }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

//! A message as a phone's test reads it.

use std::net::SocketAddr;

/// A message as text, with its first line and headers to look at.
#[derive(Clone, Debug)]
pub struct Text(pub String);

impl Text {
    pub fn first(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    pub fn is(&self, word: &str) -> bool {
        self.first().strip_prefix("SIP/2.0 ").unwrap_or(self.first()).starts_with(word)
    }

    pub fn header(&self, name: &str) -> &str {
        let wanted = format!("{}:", name.to_ascii_lowercase());
        let line =
            self.0.lines().take_while(|line| !line.is_empty()).find(|l| l.to_ascii_lowercase().starts_with(&wanted));
        line.map_or("", |line| line[wanted.len()..].trim())
    }

    /// Its Record-Route values, in their order.
    pub fn record_routes(&self) -> Vec<String> {
        let lines = self.0.lines().take_while(|line| !line.is_empty());
        let values = lines.filter_map(|line| line.strip_prefix("Record-Route:"));
        values.flat_map(|value| value.split(',')).map(|route| route.trim().to_owned()).collect()
    }

    /// What follows the headers.
    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// Where the session description wants RTP.
    pub fn rtp(&self) -> SocketAddr {
        let value = |start: &str| self.0.lines().find_map(|line| line.strip_prefix(start)).expect("in the SDP");
        let port = value("m=audio ").split(' ').next().expect("a port");
        format!("{}:{port}", value("c=IN IP4 ")).parse().expect("an address")
    }
}

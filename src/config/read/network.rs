//! `[tls]` and `[dns]`: what connections are secured with, and how names are looked up.

use std::net::{IpAddr, SocketAddr};

use super::super::settings::{DnsSettings, TlsSettings};
use super::Reader;
use crate::dialplan::table::Table;

impl Reader<'_> {
    pub(super) fn tls(&mut self, root: &mut Table<'_>) -> Option<TlsSettings> {
        let mut table = root.table("tls", &mut self.report)?;
        let self_signed = table.boolean("self_signed", false, &mut self.report);
        let named = table.has("certificate") || table.has("key");
        let pair = if named || !self_signed {
            let certificate = table.required("certificate", &mut self.report);
            Some((certificate, table.required("key", &mut self.report)))
        } else {
            None
        };
        let client_ca = table.string("client_ca", &mut self.report).map(|path| path.value);
        let trust = table.string("trust", &mut self.report).map(|path| path.value);
        let names = [
            ("tls.certificate", "certificate"),
            ("tls.key", "key"),
            ("tls.client_ca", "client_ca"),
            ("tls.trust", "trust"),
        ];
        let named = names.into_iter().filter(|(_, key)| table.has(key));
        let places = named.map(|(setting, key)| (setting, self.report.at(table.place_of(key), String::new(), None)));
        let places = places.collect();
        table.finish(&mut self.report);
        let pair = match pair {
            None => None,
            Some((certificate, key)) => Some((certificate?.value, key?.value)),
        };
        Some(TlsSettings { pair, client_ca, trust, places })
    }

    pub(super) fn dns(&mut self, root: &mut Table<'_>) -> DnsSettings {
        let usual = DnsSettings::default();
        let Some(mut table) = root.table("dns", &mut self.report) else { return usual };
        let mut servers = Vec::new();
        for text in table.strings("servers", &mut self.report) {
            let bare = text.value.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 53));
            let expected = "the address of a DNS server, such as \"192.0.2.53\" or \"127.0.0.1:5353\"";
            servers.extend(bare.or_else(|| self.one(text, expected)));
        }
        let settings = DnsSettings {
            servers,
            timeout_ms: table.duration("timeout", &mut self.report).unwrap_or(usual.timeout_ms),
            attempts: table.integer("attempts", 1..11, i64::from(usual.attempts), &mut self.report) as u8,
        };
        table.finish(&mut self.report);
        settings
    }
}

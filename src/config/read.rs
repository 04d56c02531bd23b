//! Text and environment to [`Settings`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Secret;
use super::environment::overlay;
use super::settings::{RtpSettings, SecretSource, Settings, SipSettings, TraceSettings, VolumeSettings};
use crate::dialplan::table::{At, Table, parse};
use crate::dialplan::{Problem, Report, Source, read_volume};
use crate::media::progress;
use crate::sip::guard;
use crate::switch::Srtp;

/// Reads the settings and the files of trunks, with `environment` as (name, value) pairs laid over the settings.
///
/// # Errors
/// Every problem of the texts and of the variables.
pub fn load(
    source: &Source,
    trunks: &[Source],
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, Vec<Problem>> {
    match load_partly(source, trunks, environment) {
        (Some(settings), problems) if problems.is_empty() => Ok(settings),
        (_, problems) => Err(problems),
    }
}

/// The same for a checker, which goes on with what could be read; not to be run on while there are problems.
pub fn load_partly(
    source: &Source,
    trunks: &[Source],
    environment: impl IntoIterator<Item = (String, String)>,
) -> (Option<Settings>, Vec<Problem>) {
    let mut environment: Vec<_> = environment.into_iter().collect();
    environment.sort();
    let mut report = Report::default();
    let file = report.add_source(source.clone());
    let mut document = parse(&source.text, file, &mut report);
    let trunks: Vec<_> = trunks
        .iter()
        .map(|source| {
            let file = report.add_source(source.clone());
            (parse(&source.text, file, &mut report), file)
        })
        .collect();
    if !report.is_sound() {
        return (None, report.into_problems());
    }
    overlay(document.get_mut(), &environment, &mut report);
    let mut root = Table::new(document.get_ref(), 0..0, file);
    let mut trunks: Vec<_> =
        trunks.iter().map(|(document, file)| Table::new(document.get_ref(), 0..0, *file)).collect();
    let mut reader = Reader { environment: &environment, demo: false, report };
    let settings = reader.settings(&mut root, &mut trunks);
    let mut report = reader.report;
    root.finish(&mut report);
    trunks.into_iter().for_each(|table| table.finish(&mut report));
    (Some(settings), report.into_problems())
}

/// The keys of a phone's password, and of what is typed at somebody else's phone.
const PASSWORD: [&str; 3] = ["password", "password_file", "password_env"];

struct Reader<'a> {
    environment: &'a [(String, String)],
    demo: bool,
    report: Report,
}

impl Reader<'_> {
    fn settings(&mut self, root: &mut Table<'_>, trunk_files: &mut [Table<'_>]) -> Settings {
        self.demo = root.boolean("demo", false, &mut self.report);
        let dialplans = self.texts(root, "dialplans", &["dialplans"]);
        let (dscp_sip, dscp_rtp) = self.dscp(root);
        let (api_token_env, api_token) = self.api(root);
        let sip = self.sip(root);
        let own: Vec<SocketAddr> = sip.listen().map(|(_, address)| address).collect();
        let mut trunks = BTreeMap::new();
        self.trunks(root, &own, &mut trunks);
        for file in trunk_files {
            self.trunks(file, &own, &mut trunks);
        }
        Settings {
            demo: self.demo,
            data_dir: self.text(root, "data_dir", "var"),
            queue_log: root.string("queue_log", &mut self.report).map(|path| path.value),
            prompts: self.text(root, "prompts", "dialplans/prompts"),
            dialplans,
            log: self.log(root),
            local_nets: self.list(root, "local_nets", "a network such as \"10.0.0.0/8\""),
            tls: self.tls(root),
            dns: self.dns(root),
            trace: self.trace(root),
            rtp: self.rtp(root),
            recording: self.recording(root),
            http_listen: self.http(root),
            dscp_sip,
            dscp_rtp,
            shutdown_deadline_ms: self.shutdown(root),
            guard: self.guard(root),
            api_token,
            api_token_env,
            speech: self.speech(root),
            webhooks: self.webhooks(root),
            agents: self.agents(root),
            reasons: self.reasons(root),
            ageing: self.ageing(root),
            tones: self.tones(root),
            volume: self.volume(root),
            routes: self.routes(root, &sip.udp, &trunks),
            trunks,
            sip,
        }
    }

    fn text(&mut self, table: &mut Table<'_>, key: &'static str, default: &str) -> String {
        table.string(key, &mut self.report).map_or_else(|| default.to_owned(), |text| text.value)
    }

    /// A filter of log lines: a level, or levels by module.
    fn log(&mut self, root: &mut Table<'_>) -> String {
        let Some(text) = root.string("log", &mut self.report) else { return "info".to_owned() };
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&text.value) {
            let hint = Some("write \"info\", or \"warn,trunkline::switch=debug\"".to_owned());
            self.report.problem(text.place, format!("\"{}\" is no filter of log lines: {error}", text.value), hint);
        }
        text.value
    }

    /// How many of something there may be, from one to `most`; `None` where nothing is said.
    fn count(&mut self, table: &mut Table<'_>, key: &'static str, most: u32) -> Option<u32> {
        let set = table.has(key);
        let count = table.integer(key, 1..i64::from(most) + 1, 1, &mut self.report);
        set.then_some(count as u32)
    }

    fn texts(&mut self, table: &mut Table<'_>, key: &'static str, default: &[&str]) -> Vec<String> {
        let given = table.strings(key, &mut self.report);
        if given.is_empty() {
            return default.iter().map(|&text| text.to_owned()).collect();
        }
        given.into_iter().map(|text| text.value).collect()
    }

    fn one<T: FromStr>(&mut self, text: At<String>, expected: &str) -> Option<T> {
        let value = text.value.parse().ok();
        if value.is_none() {
            self.report.problem(text.place, format!("\"{}\" is not {expected}", text.value), None);
        }
        value
    }

    fn list<T: FromStr>(&mut self, table: &mut Table<'_>, key: &'static str, expected: &str) -> Vec<T> {
        let texts = table.strings(key, &mut self.report);
        texts.into_iter().filter_map(|text| self.one(text, expected)).collect()
    }

    /// Addresses to listen on; the demo floor keeps them on loopback.
    fn listen(&mut self, table: &mut Table<'_>, key: &'static str) -> Vec<SocketAddr> {
        let place = table.place_of(key);
        let addresses = self.list(table, key, "an address with port such as \"127.0.0.1:5060\"");
        self.only_loopback(addresses.iter().map(SocketAddr::ip), place);
        addresses
    }

    fn only_loopback(&mut self, mut addresses: impl Iterator<Item = IpAddr>, place: crate::dialplan::Place) {
        if self.demo && addresses.any(|address| !address.is_loopback()) {
            let hint = Some("the demo's passwords are public: set demo = false and your own passwords".to_owned());
            self.report.problem(place, "the demo floor listens on loopback addresses only", hint);
        }
    }

    fn address(&mut self, table: &mut Table<'_>, key: &'static str) -> Option<IpAddr> {
        let text = table.string(key, &mut self.report)?;
        self.one(text, "an IP address such as \"192.0.2.1\"")
    }

    fn sip(&mut self, root: &mut Table<'_>) -> SipSettings {
        let Some(mut table) = root.table("sip", &mut self.report) else { return SipSettings::default() };
        let sip = SipSettings {
            udp: self.listen(&mut table, "udp"),
            tcp: self.listen(&mut table, "tcp"),
            tls: self.listen(&mut table, "tls"),
            ws: self.listen(&mut table, "ws"),
            wss: self.listen(&mut table, "wss"),
            public_address: self.address(&mut table, "public_address"),
            digest: self.list(&mut table, "digest", "a hash that is known here: \"SHA-256\" or \"MD5\""),
            md5_only: self.texts(&mut table, "md5_only", &["baresip v1.", "JsSIP "]),
            qualify_ms: table.duration("qualify", &mut self.report),
            session_expires_ms: table.duration("session_expires", &mut self.report),
            max_contacts: self.count(&mut table, "max_contacts", 100),
            max_calls_per_user: self.count(&mut table, "max_calls_per_user", 10_000),
            record_internal: table.boolean("record_internal", false, &mut self.report),
            max_connections: self.count(&mut table, "max_connections", 1_000_000),
            max_connections_per_source: self.count(&mut table, "max_connections_per_source", 1_000_000),
        };
        if sip.session_expires_ms.is_some_and(|ms| ms > 0 && ms < 90_000) {
            let place = table.place;
            let hint = Some("write \"30m\", or \"0s\" for no timer (RFC 4028 §4)".to_owned());
            self.report.problem(place, "session_expires is at least 90 seconds", hint);
        }
        if let (Some(all), Some(of_one)) = (sip.max_connections, sip.max_connections_per_source)
            && of_one > all
        {
            let place = table.place_of("max_connections_per_source");
            let hint = Some(format!("write {all} at most, or raise sip.max_connections"));
            self.report.problem(place, "one source could have more connections than all together", hint);
        }
        for key in ["tls", "wss"] {
            if table.has(key) && !root.has("tls") {
                let hint = Some(
                    "set tls.certificate and tls.key to PEM files, or tls.self_signed = true for a try".to_owned(),
                );
                self.report.problem(table.place_of(key), format!("sip.{key} needs a certificate"), hint);
            }
        }
        let everywhere = sip.listen().any(|(_, address)| address.ip().is_unspecified());
        if everywhere && sip.public_address.is_none() {
            let hint = Some("set sip.public_address, or listen on one address of this machine".to_owned());
            self.report.problem(table.place, "peers could not be told where to answer", hint);
        }
        table.finish(&mut self.report);
        sip
    }

    fn trace(&mut self, root: &mut Table<'_>) -> Option<TraceSettings> {
        let mut table = root.table("trace", &mut self.report)?;
        let megabytes = table.integer("keep_mb", 1..1_048_577, 64, &mut self.report);
        let hep = table.string("hep", &mut self.report);
        let hep = hep.and_then(|text| self.one(text, "an address with port such as \"192.0.2.9:9060\""));
        let hep_id = table.integer("hep_id", 0..4_294_967_296, 1, &mut self.report) as u32;
        table.finish(&mut self.report);
        Some(TraceSettings { keep_bytes: megabytes.unsigned_abs() << 20, hep, hep_id })
    }

    fn rtp(&mut self, root: &mut Table<'_>) -> RtpSettings {
        // Longer than a phone takes from one network to another, and than a quiet person does without a breath of comfort noise;
        // short beside the half hour after which session timers would find out.
        const SILENCE_MS: u64 = 60_000;
        let mut rtp = RtpSettings {
            address: Vec::new(),
            public_address: None,
            ports: 20_000..=29_999,
            silence_timeout_ms: SILENCE_MS,
            srtp: Srtp::Accept,
            webrtc: Some(30_000),
            pin_threads: true,
        };
        let Some(mut table) = root.table("rtp", &mut self.report) else { return rtp };
        let place = table.place_of("address");
        rtp.address = self.list(&mut table, "address", "an IP address such as \"192.0.2.1\"");
        self.only_loopback(rtp.address.iter().copied(), place);
        rtp.public_address = self.address(&mut table, "public_address");
        if let Some(text) = table.string("ports", &mut self.report) {
            match parse_ports(&text.value) {
                Some(ports) => rtp.ports = ports,
                None => {
                    let hint = Some("write \"20000-29999\"; it must hold at least one even and odd pair".to_owned());
                    self.report.problem(text.place, format!("\"{}\" is no range of ports", text.value), hint);
                }
            }
        }
        rtp.silence_timeout_ms = table.duration("silence_timeout", &mut self.report).unwrap_or(SILENCE_MS);
        if let Some(text) = table.string("webrtc", &mut self.report) {
            rtp.webrtc = text.value.parse().ok().filter(|port| *port >= 1_024 && !rtp.ports.contains(port));
            if rtp.webrtc.is_none() && text.value != "off" {
                let hint = Some("write \"30000\", a port from 1024 on outside rtp.ports, or \"off\"".to_owned());
                self.report.problem(text.place, format!("\"{}\" is no port for browsers", text.value), hint);
            }
        }
        rtp.srtp = self.srtp(&mut table).unwrap_or(rtp.srtp);
        rtp.pin_threads = table.boolean("pin_threads", rtp.pin_threads, &mut self.report);
        table.finish(&mut self.report);
        rtp
    }

    fn http(&mut self, root: &mut Table<'_>) -> Vec<SocketAddr> {
        let Some(mut table) = root.table("http", &mut self.report) else { return Vec::new() };
        let listen = self.listen(&mut table, "listen");
        table.finish(&mut self.report);
        listen
    }

    fn dscp(&mut self, root: &mut Table<'_>) -> (u8, u8) {
        // CS3 for signalling and EF for voice, as RFC 4594 advises; both ranges fit eight bits.
        let Some(mut table) = root.table("dscp", &mut self.report) else { return (24, 46) };
        let sip = table.integer("sip", 0..64, 24, &mut self.report) as u8;
        let rtp = table.integer("rtp", 0..64, 46, &mut self.report) as u8;
        table.finish(&mut self.report);
        (sip, rtp)
    }

    fn shutdown(&mut self, root: &mut Table<'_>) -> u64 {
        const DEFAULT_MS: u64 = 300_000;
        let Some(mut table) = root.table("shutdown", &mut self.report) else { return DEFAULT_MS };
        let deadline = table.duration("deadline", &mut self.report).unwrap_or(DEFAULT_MS);
        table.finish(&mut self.report);
        deadline
    }

    fn guard(&mut self, root: &mut Table<'_>) -> guard::Settings {
        let usual = guard::Settings::default();
        let Some(mut table) = root.table("guard", &mut self.report) else { return usual };
        let settings = guard::Settings {
            strikes: table.integer("strikes", 1..1_000_001, i64::from(usual.strikes), &mut self.report) as u32,
            window_ms: table.duration("window", &mut self.report).unwrap_or(usual.window_ms),
            ban_ms: table.duration("ban", &mut self.report).unwrap_or(usual.ban_ms),
        };
        table.finish(&mut self.report);
        settings
    }

    fn api(&mut self, root: &mut Table<'_>) -> (String, Option<Secret>) {
        let mut name = "TRUNKLINE_ADMIN_TOKEN".to_owned();
        if let Some(mut table) = root.table("api", &mut self.report) {
            name = self.text(&mut table, "token_env", &name);
            table.finish(&mut self.report);
        }
        let token = self.variable(&name).or(self.demo.then(|| Secret::new("demo-admin")));
        (name, token)
    }

    fn variable(&self, name: &str) -> Option<Secret> {
        self.environment.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| Secret::new(value))
    }

    /// A secret by one of its keys: said, in a file, in the environment.
    fn password(&mut self, table: &mut Table<'_>, keys: [&'static str; 3]) -> Option<SecretSource> {
        let [said, in_file, in_env] = keys;
        let plain = table.string(said, &mut self.report);
        let kept = self.secret(table, in_file, in_env);
        if plain.is_some() && kept.is_some() {
            let hint = Some(format!("keep one of {}", keys.join(", ")));
            self.report.problem(table.place, format!("the {said} is given more than once"), hint);
        }
        kept.or(plain.map(|plain| SecretSource::Known(Secret::new(&plain.value))))
    }

    /// `[tones] country = "cn"`
    fn tones(&mut self, root: &mut Table<'_>) -> String {
        let Some(mut table) = root.table("tones", &mut self.report) else { return progress::DEFAULT.to_owned() };
        let country = table.required("country", &mut self.report);
        table.finish(&mut self.report);
        let Some(country) = country else { return progress::DEFAULT.to_owned() };
        if !progress::countries().any(|known| known == country.value) {
            let known: Vec<&str> = progress::countries().collect();
            let message = format!("the tones of \"{}\" are not known", country.value);
            self.report.problem(country.place, message, Some(format!("known here: {}", known.join(", "))));
        }
        country.value
    }

    /// `[volume] prompts = 3`, `music = -6`
    fn volume(&mut self, root: &mut Table<'_>) -> VolumeSettings {
        let Some(mut table) = root.table("volume", &mut self.report) else { return VolumeSettings::default() };
        let mut read = |key| read_volume(&mut table, key, &mut self.report).unwrap_or(0);
        let volume = VolumeSettings { prompts_db: read("prompts"), music_db: read("music") };
        table.finish(&mut self.report);
        volume
    }

    /// A secret that stands in a file, or in a variable of the environment, which is read at once.
    fn secret(&mut self, table: &mut Table<'_>, in_file: &'static str, in_env: &'static str) -> Option<SecretSource> {
        let file = table.string(in_file, &mut self.report);
        let Some(variable) = table.string(in_env, &mut self.report) else {
            return file.map(|file| SecretSource::File(file.value));
        };
        if file.is_some() {
            let message = format!("both \"{in_file}\" and \"{in_env}\" are given");
            self.report.problem(table.place, message, Some("keep one of them".to_owned()));
        }
        let secret = self.variable(&variable.value);
        if secret.is_none() {
            let message = format!("the environment variable {} is not set", variable.value);
            self.report.problem(variable.place, message, None);
        }
        // The stand-in is never used: its problem refuses the settings as a whole.
        Some(SecretSource::Known(secret.unwrap_or_else(|| Secret::new(""))))
    }
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    // An RTP port is even and its RTCP port the odd one above (RFC 3550 §11).
    let pair = first.checked_add(first % 2)?.checked_add(1)?;
    (first >= 1024 && pair <= last).then_some(first..=last)
}

mod ageing;
pub(super) mod agents;
mod network;
mod reasons;
mod recording;
mod routes;
mod speech;
mod trunks;
mod webhooks;

#[cfg(test)]
mod tests;

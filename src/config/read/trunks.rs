//! `[trunk.NAME]`: of the settings file, and of every file in `trunks.d` beside it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::super::settings::{AccountSettings, TrunkSettings};
use super::{PASSWORD, Reader};
use crate::dialplan::table::{At, Table};
use crate::sip::endpoint::WAY_PATIENCE_MS;
use crate::sip::message::Uri;
use crate::sip::transaction::Transport;
use crate::sip::trunk::{Format, Forwarding, Identify, Limits, Net, Numbering, Plan, Register, Rewrite, Target, Trunk};
use crate::switch::{AudioCodec, Srtp};

/// From one OPTIONS to a target to the next, where nothing is said, ms.
const HEALTH_MS: u64 = 30_000;

impl Reader<'_> {
    /// Adds the trunks of one file. `own` is where we listen.
    pub(super) fn trunks(
        &mut self,
        root: &mut Table<'_>,
        own: &[SocketAddr],
        trunks: &mut BTreeMap<String, TrunkSettings>,
    ) {
        for (name, table) in root.named("trunk", &mut self.report) {
            let place = table.place;
            let trunk = self.trunk(table, own);
            if trunks.insert(name.clone(), trunk).is_some() {
                let hint = Some("names count over all files of trunks.d and the settings file".to_owned());
                self.report.problem(place, format!("trunk \"{name}\" is there twice"), hint);
            }
        }
    }

    fn trunk(&mut self, mut table: Table<'_>, own: &[SocketAddr]) -> TrunkSettings {
        let place = table.place_of("addresses");
        let addresses: Vec<Net> = self.list(&mut table, "addresses", "a network such as \"192.0.2.0/24\"");
        if self.demo && addresses.iter().any(|net| !net.is_loopback()) {
            self.report.problem(place, "the demo floor takes calls from loopback addresses only", None);
        }
        let numbers = table.strings("numbers", &mut self.report).into_iter().map(|number| number.value).collect();
        let targets = self.targets(&mut table, own);
        let domain = table.string("domain", &mut self.report).map(|domain| domain.value);
        let account = self.account(&mut table, domain.as_deref(), &targets);
        let register = self.register(&mut table, domain.as_deref(), account.as_ref(), &targets);
        let inbound = self.inbound(&mut table);
        let health_ms = table.duration("options", &mut self.report).unwrap_or(HEALTH_MS);
        let patience_ms = table.duration("try_for", &mut self.report).unwrap_or(WAY_PATIENCE_MS);
        let mut limit =
            |key| Some(table.integer(key, 0..1_000_001, 0, &mut self.report) as u32).filter(|most| *most > 0);
        let limits = Limits { calls: limit("max_calls"), calls_per_second: limit("max_calls_per_second") };
        let codecs = self.list(&mut table, "codecs", "a codec that is known here: \"PCMA\", \"PCMU\" or \"G722\"");
        let sip = Trunk {
            limits,
            numbers,
            nat: table.boolean("nat", false, &mut self.report),
            trusted: table.boolean("trusted", false, &mut self.report),
            patience_ms,
            health_ms: if targets.is_empty() { 0 } else { health_ms },
            identify: self.identify(&mut table),
            forwarding: self.forwarding(&mut table),
            caller: table.string("caller", &mut self.report).map(|number| number.value),
            numbering: self.numbering(&mut table),
            domain,
            register,
            targets,
            ..Trunk::from_addresses(addresses, Vec::new())
        };
        let early_media = table.boolean("early_media", true, &mut self.report);
        let srtp = self.srtp(&mut table);
        table.finish(&mut self.report);
        TrunkSettings { sip, account, inbound, codecs, early_media, srtp }
    }

    /// `targets` in the order of the list, and `[[trunk.NAME.target]]` with priority and weight.
    fn targets(&mut self, table: &mut Table<'_>, own: &[SocketAddr]) -> Vec<Target> {
        let mut targets = Vec::new();
        for (place, text) in table.strings("targets", &mut self.report).into_iter().enumerate() {
            let priority = u16::try_from(place + 1).unwrap_or(u16::MAX);
            targets.extend(self.target_uri(text, own).map(|uri| Target { uri, priority, weight: 1 }));
        }
        for mut table in table.tables("target", &mut self.report) {
            let uri = table.required("uri", &mut self.report);
            let priority = table.integer("priority", 0..65_536, 1, &mut self.report) as u16;
            let weight = table.integer("weight", 0..65_536, 1, &mut self.report) as u16;
            table.finish(&mut self.report);
            let uri = uri.and_then(|uri| self.target_uri(uri, own));
            targets.extend(uri.map(|uri| Target { uri, priority, weight }));
        }
        targets
    }

    pub(super) fn target_uri(&mut self, text: At<String>, own: &[SocketAddr]) -> Option<Uri> {
        let place = text.place;
        let expected = "a SIP URI such as \"sip:192.0.2.7\" or \"sip:sbc.example.com;transport=tls\"";
        let uri: Uri = self.one(text, expected)?;
        let Some(transport) = Transport::of_uri(&uri) else {
            let hint = Some("UDP, TCP and TLS lead to a trunk: write transport=udp, tcp or tls, or sips:".to_owned());
            self.report.problem(place, format!("\"{uri}\" is reached by no transport that is opened here"), hint);
            return None;
        };
        let address = uri.address().map(|ip| SocketAddr::new(ip, uri.port.unwrap_or(transport.default_port())));
        if address.is_some_and(|address| own.contains(&address)) {
            self.report.problem(place, "this target is the switch itself", None);
        }
        Some(uri)
    }

    fn account(&mut self, table: &mut Table<'_>, domain: Option<&str>, targets: &[Target]) -> Option<AccountSettings> {
        let mut table = table.table("account", &mut self.report)?;
        let user = table.required("user", &mut self.report);
        let password = self.needed_password(&mut table);
        let realm = table.string("realm", &mut self.report).map(|realm| realm.value);
        let usual = domain.or_else(|| targets.first().map(|target| target.uri.host.as_str()));
        let realm = realm.or_else(|| usual.map(str::to_owned));
        if realm.is_none() {
            let hint = Some("set realm to what the carrier's challenge says, often its domain".to_owned());
            self.report.problem(table.place, "whose challenges this account answers is not said", hint);
        }
        table.finish(&mut self.report);
        Some(AccountSettings { user: user?.value, password: password?, realm: realm? })
    }

    fn needed_password(&mut self, table: &mut Table<'_>) -> Option<super::SecretSource> {
        let password = self.password(table, PASSWORD);
        if password.is_none() {
            let hint =
                Some("set password_env or password_file (or password, in a file that nobody else reads)".to_owned());
            self.report.problem(table.place, "the password is missing", hint);
        }
        password
    }

    fn inbound(&mut self, table: &mut Table<'_>) -> Option<AccountSettings> {
        let mut table = table.table("inbound", &mut self.report)?;
        let user = table.required("user", &mut self.report);
        let password = self.needed_password(&mut table);
        table.finish(&mut self.report);
        Some(AccountSettings { user: user?.value, password: password?, realm: String::new() })
    }

    fn register(
        &mut self,
        table: &mut Table<'_>,
        domain: Option<&str>,
        account: Option<&AccountSettings>,
        targets: &[Target],
    ) -> Option<Register> {
        if !table.has("register") {
            return None;
        }
        let place = table.place_of("register");
        let mut table = table.table("register", &mut self.report)?;
        let named = table.strings("registrars", &mut self.report);
        let mut registrars: Vec<Uri> = named.into_iter().filter_map(|text| self.target_uri(text, &[])).collect();
        if registrars.is_empty() {
            registrars = targets.iter().map(|target| target.uri.clone()).collect();
        }
        let contact = table.string("contact", &mut self.report).map(|contact| contact.value);
        let expires_ms = table.duration("expires", &mut self.report).unwrap_or(600_000);
        let user = table.string("user", &mut self.report).map(|user| user.value);
        table.finish(&mut self.report);
        let Some(account) = account else {
            let hint = Some("add [trunk.NAME.account] with user and password".to_owned());
            self.report.problem(place, "a registration needs an account", hint);
            return None;
        };
        let Some(first) = registrars.first() else {
            let hint = Some("set registrars = [\"sip:carrier.example\"], or targets".to_owned());
            self.report.problem(place, "there is nowhere to register", hint);
            return None;
        };
        if !(60_000..=86_400_000).contains(&expires_ms) {
            self.report.problem(place, "expires is from \"1m\" to \"24h\"", None);
        }
        let user = user.unwrap_or_else(|| account.user.clone());
        let port = first.port.filter(|_| domain.is_none());
        let aor = Uri::sip(Some(&user), domain.unwrap_or(&first.host), port);
        let contact = contact.unwrap_or(user);
        Some(Register { registrars, aor, contact, expires_s: (expires_ms / 1_000) as u32 })
    }

    fn identify(&mut self, table: &mut Table<'_>) -> Identify {
        let known = [
            ("P-Asserted-Identity", Identify::Asserted),
            ("Remote-Party-ID", Identify::RemoteParty),
            ("From", Identify::From),
        ];
        self.choice(table, "identity", &known)
    }

    fn forwarding(&mut self, table: &mut Table<'_>) -> Forwarding {
        let known = [
            ("Diversion", Forwarding::Diversion),
            ("History-Info", Forwarding::HistoryInfo),
            ("none", Forwarding::Nothing),
        ];
        self.choice(table, "diversions", &known)
    }

    /// Whether sound is encrypted, where it is said.
    pub(super) fn srtp(&mut self, table: &mut Table<'_>) -> Option<Srtp> {
        let known = [("accept", Srtp::Accept), ("off", Srtp::Off), ("offer", Srtp::Offer), ("require", Srtp::Require)];
        table.has("srtp").then(|| self.choice(table, "srtp", &known))
    }

    /// One of the known words; the first one's value where nothing is said.
    fn choice<T: Copy>(&mut self, table: &mut Table<'_>, key: &'static str, known: &[(&str, T)]) -> T {
        let Some(text) = table.string(key, &mut self.report) else { return known[0].1 };
        if let Some((_, value)) = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text.value)) {
            return *value;
        }
        let words: Vec<String> = known.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let message = format!("\"{}\" is not one of {}", text.value, words.join(", "));
        self.report.problem(text.place, message, None);
        known[0].1
    }

    fn numbering(&mut self, table: &mut Table<'_>) -> Numbering {
        let plan = self.plan(table);
        let Some(mut table) = table.table("rewrite", &mut self.report) else {
            return Numbering { plan, ..Numbering::default() };
        };
        let mut rules = |key| {
            let rules = table.string_map(key, &mut self.report).into_iter();
            rules.map(|(prefix, replace)| Rewrite { prefix, replace: replace.value }).collect()
        };
        let (called_in, caller_in) = (rules("called_in"), rules("caller_in"));
        let (called_out, caller_out) = (rules("called_out"), rules("caller_out"));
        table.finish(&mut self.report);
        Numbering { called_in, caller_in, called_out, caller_out, plan }
    }

    fn plan(&mut self, table: &mut Table<'_>) -> Option<Plan> {
        let mut table = table.table("dialling", &mut self.report)?;
        let formats = [
            ("e164", Format::E164),
            ("digits", Format::Digits),
            ("national", Format::National),
            ("international", Format::International),
        ];
        let mut digits = |key: &'static str| {
            let text = table.string(key, &mut self.report)?;
            if text.value.chars().any(|c| !c.is_ascii_digit()) {
                let hint = Some("write for example \"86\"".to_owned());
                self.report.problem(text.place, format!("\"{key}\" holds digits only"), hint);
            }
            Some(text.value)
        };
        let (country, area) = (digits("country"), digits("area"));
        let national = digits("national").unwrap_or_else(|| "0".to_owned());
        let international = digits("international").unwrap_or_else(|| "00".to_owned());
        if country.as_ref().is_none_or(String::is_empty) {
            let hint = Some("write country = \"86\", without plus or zeros".to_owned());
            self.report.problem(table.place, "the country code is missing", hint);
        }
        let local_digits = table.integer("local_digits", 1..16, 8, &mut self.report) as u8;
        let send = self.choice(&mut table, "send", &formats);
        table.finish(&mut self.report);
        Some(Plan { country: country?, area, local_digits, national, international, send })
    }
}

impl TrunkSettings {
    /// Codecs in the order that this trunk prefers; every one that we have where nothing is said.
    pub fn codecs(&self) -> Vec<AudioCodec> {
        if self.codecs.is_empty() { vec![AudioCodec::Pcma, AudioCodec::Pcmu] } else { self.codecs.clone() }
    }
}

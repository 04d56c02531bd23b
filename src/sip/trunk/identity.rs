//! Who calls and who was called first, as trunks say it: From, P-Asserted-Identity and Privacy (RFC 3323, 3325), Remote-Party-ID
//! (draft-ietf-sip-privacy-04, still common), Diversion (RFC 5806) and History-Info (RFC 7044, mapped by RFC 7544).

use super::Trunk;
use crate::sip::message::{Message, NameAddr, Uri};

/// Diversions that are kept of a call.
const DIVERSIONS: usize = 10;

/// A caller as the other side may see one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Shown {
    /// The number; empty where there is none.
    pub number: String,
    /// The name beside it.
    pub name: Option<String>,
    /// Whether the caller withholds the number from whoever is not trusted with it.
    pub private: bool,
}

/// How a trunk is told who calls, beside From.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Identify {
    /// P-Asserted-Identity.
    #[default]
    Asserted,
    /// Remote-Party-ID.
    RemoteParty,
    /// From alone.
    From,
}

/// How a trunk is told that a call was diverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Forwarding {
    /// Diversion.
    #[default]
    Diversion,
    /// History-Info.
    HistoryInfo,
    /// Not at all.
    Nothing,
}

/// One diversion of a call on its way here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverted {
    /// Who was called and diverted the call.
    pub number: String,
    /// Why, in the words of Diversion: `unconditional`, `user-busy`, `no-answer`.
    pub reason: String,
}

/// Reasons of Diversion and causes of History-Info (RFC 7544 §6); the first one of a cause is what it is read as.
const REASONS: [(&str, u16); 7] = [
    ("unconditional", 302),
    ("user-busy", 486),
    ("no-answer", 408),
    ("deflection", 480),
    ("deflection", 487),
    ("unavailable", 503),
    ("unknown", 404),
];

/// Who calls, as far as the sender is believed.
pub(in crate::sip) fn caller_of(msg: &Message, trusted: bool) -> Shown {
    let from = msg.from().ok();
    let of = |address: &NameAddr, private| Shown {
        number: address.uri.number().unwrap_or_default(),
        // A name may hold anything as an escape; it goes on without what could end a line elsewhere.
        name: address.name.as_ref().map(|name| name.chars().filter(|c| !c.is_control()).collect()),
        private,
    };
    let hidden = privacy_of(msg);
    if trusted {
        let asserted = msg.addresses("P-Asserted-Identity").ok().and_then(|list| list.into_iter().next());
        if let Some(asserted) = asserted {
            return of(&asserted, hidden);
        }
        let parties = msg.addresses("Remote-Party-ID").unwrap_or_default();
        let calling = |party: &&NameAddr| party.params.value("party").is_none_or(|party| party == "calling");
        if let Some(party) = parties.iter().find(calling) {
            let full = party.params.value("privacy").is_some_and(|word| !word.eq_ignore_ascii_case("off"));
            return of(party, hidden || full);
        }
    }
    match from {
        // RFC 3323 §4.1.1.3
        Some(from) if is_anonymous(&from) => Shown { private: true, ..Shown::default() },
        Some(from) => of(&from, hidden),
        None => Shown::default(),
    }
}

fn privacy_of(msg: &Message) -> bool {
    let words = msg.header_all("Privacy").flat_map(|value| value.split(';')).map(str::trim);
    words.into_iter().any(|word| ["id", "user", "header"].iter().any(|hides| word.eq_ignore_ascii_case(hides)))
}

fn is_anonymous(from: &NameAddr) -> bool {
    let user = from.uri.user.as_deref().unwrap_or_default();
    from.uri.host.eq_ignore_ascii_case("anonymous.invalid") || user.eq_ignore_ascii_case("anonymous")
}

/// The diversions that a message tells of, the first one first.
pub(in crate::sip) fn diverted_of(msg: &Message) -> Vec<Diverted> {
    let history = msg.addresses("History-Info").unwrap_or_default();
    let mut diverted: Vec<Diverted> = if history.is_empty() {
        let steps = msg.addresses("Diversion").unwrap_or_default();
        // The latest stands on top (RFC 5806 §4).
        steps.iter().rev().filter_map(of_diversion).collect()
    } else {
        history.windows(2).filter_map(|pair| of_history(&pair[0], &pair[1])).collect()
    };
    diverted.truncate(DIVERSIONS);
    diverted
}

fn of_diversion(step: &NameAddr) -> Option<Diverted> {
    let reason = step.params.value("reason").unwrap_or("unknown").trim_matches('"').to_ascii_lowercase();
    let known = REASONS.iter().map(|(word, _)| *word).find(|word| *word == reason).unwrap_or("unknown");
    Some(Diverted { number: step.uri.number()?, reason: known.to_owned() })
}

/// Whoever stands before an entry with a cause diverted the call there.
fn of_history(from: &NameAddr, to: &NameAddr) -> Option<Diverted> {
    let cause: u16 = to.uri.params.value("cause")?.parse().ok()?;
    let reason = REASONS.iter().find(|(_, known)| *known == cause).map_or("unknown", |(word, _)| *word);
    Some(Diverted { number: from.uri.number()?, reason: reason.to_owned() })
}

/// What the INVITE to a trunk says of its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) struct Told {
    pub(in crate::sip) user: String,
    pub(in crate::sip) name: Option<String>,
    /// The domain of From; ours where `None`.
    pub(in crate::sip) domain: Option<String>,
    pub(in crate::sip) headers: Vec<(&'static str, String)>,
}

impl Trunk {
    /// What the trunk is told of a caller and of the diversions of the call to `called`; `host` is our own, for identities.
    pub(in crate::sip) fn told(&self, caller: &Shown, diverted: &[Diverted], called: &str, host: &str) -> Told {
        let number = self.numbering.caller_out(&caller.number);
        let domain = self.domain.clone().unwrap_or_else(|| host.to_owned());
        let identity = NameAddr { name: caller.name.clone(), ..NameAddr::new(Uri::sip(user(&number), &domain, None)) };
        let mut headers = Vec::new();
        // A network that is not trusted must not learn what is withheld (RFC 3325 §7).
        if !caller.private || self.trusted {
            match self.identify {
                Identify::Asserted => headers.push(("P-Asserted-Identity", identity.to_string())),
                Identify::RemoteParty => {
                    let privacy = if caller.private { "full" } else { "off" };
                    headers.push(("Remote-Party-ID", format!("{identity};party=calling;screen=yes;privacy={privacy}")));
                }
                Identify::From => {}
            }
        }
        if caller.private {
            headers.push(("Privacy", "id".to_owned()));
        }
        headers.extend(self.told_diversions(diverted, called, &domain));
        if caller.private {
            let (name, domain) = (Some("Anonymous".to_owned()), Some("anonymous.invalid".to_owned()));
            return Told { user: "anonymous".into(), name, domain, headers };
        }
        Told { user: number, name: caller.name.clone(), domain: self.domain.clone(), headers }
    }

    fn told_diversions(&self, diverted: &[Diverted], called: &str, domain: &str) -> Vec<(&'static str, String)> {
        let uri = |number: &str| Uri::sip(user(&self.numbering.caller_out(number)), domain, None);
        match self.forwarding {
            Forwarding::Nothing => Vec::new(),
            Forwarding::Diversion => {
                let line = |step: &Diverted| ("Diversion", format!("<{}>;reason={}", uri(&step.number), step.reason));
                diverted.iter().rev().map(line).collect()
            }
            Forwarding::HistoryInfo if diverted.is_empty() => Vec::new(),
            Forwarding::HistoryInfo => {
                let mut index = "1".to_owned();
                let mut cause = None;
                let numbers = diverted.iter().map(|step| step.number.as_str()).chain([called]);
                let reasons = diverted.iter().map(|step| Some(step.reason.as_str())).chain([None]);
                let mut lines = Vec::new();
                for (number, reason) in numbers.zip(reasons) {
                    let mut uri = uri(number);
                    if let Some(cause) = cause.take() {
                        uri.params.set("cause", Some(cause));
                    }
                    lines.push(("History-Info", format!("<{uri}>;index={index}")));
                    index.push_str(".1");
                    cause = reason.map(cause_of);
                }
                lines
            }
        }
    }
}

fn cause_of(reason: &str) -> &'static str {
    match reason {
        "unconditional" => "302",
        "user-busy" => "486",
        "no-answer" => "408",
        "deflection" => "480",
        "unavailable" => "503",
        _ => "404",
    }
}

fn user(number: &str) -> Option<&str> {
    (!number.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Method;

    fn invite(headers: &[(&str, &str)]) -> Message {
        let mut message = Message::request(Method::Invite, Uri::sip(Some("4000"), "pbx", None));
        headers.iter().for_each(|(name, value)| message.push(name, value));
        message
    }

    fn shown(number: &str, name: Option<&str>, private: bool) -> Shown {
        Shown { number: number.into(), name: name.map(str::to_owned), private }
    }

    #[test]
    fn a_trusted_trunk_says_who_calls_and_a_stranger_only_claims_it() {
        let from = ("From", "\"Wang\" <sip:111@x>;tag=1");
        let asserted = ("P-Asserted-Identity", "\"Li\" <sip:222@x>, <tel:+86222>");
        let by_tel = ("P-Asserted-Identity", "<tel:+86222;phone-context=x>");
        let remote = ("Remote-Party-ID", "\"Li\" <sip:333@x>;party=calling;privacy=full");
        let other = ("Remote-Party-ID", "<sip:444@x>;party=called");
        let anonymous = ("From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1");
        for (headers, trusted, expected) in [
            (&[from, asserted][..], true, shown("222", Some("Li"), false)),
            (&[from, asserted], false, shown("111", Some("Wang"), false)),
            (&[from, by_tel], true, shown("+86222", None, false)),
            (&[anonymous, asserted, ("Privacy", "id;critical")], true, shown("222", Some("Li"), true)),
            (&[from, remote], true, shown("333", Some("Li"), true)),
            (&[from, other], true, shown("111", Some("Wang"), false)),
            (&[from, ("Privacy", "none")], true, shown("111", Some("Wang"), false)),
            (&[anonymous, asserted], false, shown("", None, true)),
            (&[("From", "\"Wa\0ng\" <sip:111@x>;tag=1")], false, shown("111", Some("Wang"), false)),
        ] {
            assert_eq!(caller_of(&invite(headers), trusted), expected, "{headers:?} {trusted}");
        }
    }

    #[test]
    fn diversions_are_read_from_both_headers_the_first_one_first() {
        let step = |number: &str, reason: &str| Diverted { number: number.into(), reason: reason.into() };
        let expected = vec![step("100", "unconditional"), step("200", "user-busy")];
        let diversion = invite(&[
            ("Diversion", "<sip:200@x>;reason=user-busy"),
            ("Diversion", "<sip:100@x>;reason=\"unconditional\";counter=1"),
        ]);
        assert_eq!(diverted_of(&diversion), expected);
        let history = "<sip:100@x>;index=1, <sip:200@x;cause=302>;index=1.1, <sip:300@x;cause=486>;index=1.1.1";
        assert_eq!(diverted_of(&invite(&[("History-Info", history)])), expected);
        assert_eq!(diverted_of(&invite(&[("Diversion", "<sip:1@x>;reason=x-odd")])), [step("1", "unknown")]);
    }

    #[test]
    fn what_is_withheld_is_told_to_trusted_trunks_only() {
        let mut trunk = Trunk { domain: Some("us.example".into()), ..Trunk::from_addresses(vec![], vec![]) };
        let told = |trunk: &Trunk, private| {
            let told = trunk.told(&shown("111", Some("Wang"), private), &[], "4000", "192.0.2.1");
            let headers: Vec<String> = told.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            (told.user, told.domain.unwrap(), headers)
        };
        let asserted = "P-Asserted-Identity: \"Wang\" <sip:111@us.example>".to_owned();
        let withheld = ("anonymous".to_owned(), "anonymous.invalid".to_owned());
        assert_eq!(told(&trunk, false), ("111".into(), "us.example".into(), vec![asserted.clone()]));
        assert_eq!(told(&trunk, true), (withheld.0.clone(), withheld.1.clone(), vec!["Privacy: id".to_owned()]));
        trunk.trusted = true;
        assert_eq!(told(&trunk, true), (withheld.0, withheld.1, vec![asserted, "Privacy: id".to_owned()]));
        trunk.identify = Identify::RemoteParty;
        let (_, _, headers) = told(&trunk, true);
        let expected = "Remote-Party-ID: \"Wang\" <sip:111@us.example>;party=calling;screen=yes;privacy=full";
        assert_eq!(headers, [expected, "Privacy: id"]);
        trunk.identify = Identify::From;
        assert_eq!(told(&trunk, false).2, Vec::<String>::new());
    }

    #[test]
    fn diversions_are_told_as_the_trunk_reads_them() {
        let steps = [("100", "unconditional"), ("200", "no-answer")];
        let steps = steps.map(|(number, reason)| Diverted { number: number.into(), reason: reason.into() });
        for forwarding in [Forwarding::Diversion, Forwarding::HistoryInfo, Forwarding::Nothing] {
            let trunk = Trunk { forwarding, identify: Identify::From, ..Trunk::from_addresses(vec![], vec![]) };
            let told = trunk.told(&shown("111", None, false), &steps, "300", "h");
            let read: Vec<(&str, &str)> = told.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let expected = if forwarding == Forwarding::Nothing { &[][..] } else { &steps[..] };
            assert_eq!(diverted_of(&invite(&read)), expected, "{forwarding:?} {read:?}");
        }
    }
}

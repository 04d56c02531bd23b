//! Hostile and odd messages against the running daemon: each gets an accepted outcome, and the floor still answers. Those of
//! RFC 4475 (SIP) and RFC 5118 (IPv6), over every transport that can carry them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::Instant;

use super::daemon::{Daemon, PATIENCE, own_address, without_acw};
use super::phone::Text;
use super::way::Way;

/// A message and what may come of it.
struct Case {
    name: String,
    /// Statuses, `any`, `none`; with notes behind them.
    wanted: String,
    bytes: Vec<u8>,
}

impl Case {
    /// Every message of a folder of `tests/data`.
    fn all(folder: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
        let table = std::fs::read_to_string(folder.join("verdicts.tsv")).expect("the verdicts");
        let read = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let mut bytes = std::fs::read(folder.join(format!("{}.dat", fields[0]))).expect("a message");
            if ["cparam02", "regescrt"].contains(&fields[0]) {
                // Method and Via are those of cparam01 and of escnull, which would make them repeats of these.
                let own = format!("z9hG4bK{}", fields[0]);
                bytes = String::from_utf8(bytes).expect("ASCII").replace("z9hG4bKkdjuw", &own).into_bytes();
            }
            Self { name: fields[0].to_owned(), wanted: fields[3].to_owned(), bytes }
        };
        table.lines().filter(|line| !line.starts_with('#')).map(read).collect()
    }

    /// The head and the body, as text for people: nothing here reads the bytes as the daemon does.
    fn text(&self) -> Text {
        Text(String::from_utf8_lossy(&self.bytes).into_owned())
    }

    fn call_id(&self) -> String {
        let text = self.text();
        let short = text.header("I");
        if short.is_empty() { text.header("Call-ID").to_owned() } else { short.to_owned() }
    }

    /// Where answers go that do not go back to the source port (RFC 3261 §18.2.2).
    fn via_port(&self) -> u16 {
        let text = self.text();
        let sent_by = text.header("Via").split(';').next().unwrap_or_default().to_owned();
        sent_by.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(5060)
    }

    /// Whether its one Content-Length says where it ends, as a stream needs it.
    fn is_framed(&self) -> bool {
        let text = self.text();
        let lengths = text.0.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            ["content-length", "l"]
                .contains(&name.trim().to_ascii_lowercase().as_str())
                .then(|| value.trim().to_owned())
        });
        let lengths: Vec<String> = lengths.collect();
        let body = self.bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| self.bytes.len() - at - 4);
        lengths.len() == 1 && lengths[0].parse() == Ok(body.unwrap_or(usize::MAX))
    }

    /// The outcome among the accepted ones? `heard` is every response to the message.
    fn check(&self, transport: &str, heard: &[Text]) {
        let told = format!("{} over {transport}: wanted {}, heard {heard:?}", self.name, self.wanted);
        let outcomes: Vec<&str> =
            self.wanted.split('|').map(|part| part.split(' ').next().unwrap_or_default()).collect();
        if outcomes == ["none"] {
            assert!(heard.is_empty(), "{told}");
            return;
        }
        heard.iter().for_each(|text| assert_well_formed(text, &told));
        let last = heard.last().map(|text| &text.first()[8..11]).expect("a final response");
        assert!(outcomes.contains(&"any") || outcomes.contains(&last), "{told}");
        assert!(!self.wanted.contains(&format!("but {last}")), "{told}");
        let header = |name: &str| heard.last().map(|text| text.header(name).to_owned()).unwrap_or_default();
        match last {
            "401" => assert!(header("WWW-Authenticate").contains("nonce="), "{told}"),
            "405" => assert!(header("Allow").contains("INVITE"), "{told}"),
            "415" => assert!(header("Accept").contains("application/sdp"), "{told}"),
            "420" => assert_eq!(header("Unsupported"), "nothingSupportsThis, nothingSupportsThisEither", "{told}"),
            _ => {}
        }
    }
}

/// A status line, headers with names, and a body as long as it says.
fn assert_well_formed(text: &Text, told: &str) {
    let (head, body) = text.0.split_once("\r\n\r\n").expect("an end of the head");
    assert!(head.starts_with("SIP/2.0 ") && head[8..11].parse::<u16>().is_ok() && &head[11..12] == " ", "{told}");
    for line in head.split("\r\n").skip(1) {
        let name = line.split_once(": ").map_or("", |(name, _)| name);
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{line}: {told}");
    }
    assert_eq!(text.header("Content-Length"), body.len().to_string(), "{told}");
}

fn expect_alive(way: &mut Way, number: usize, known: &BTreeSet<String>) {
    let nothing = Case { name: "nothing".to_owned(), wanted: "none".to_owned(), bytes: Vec::new() };
    exchange(way, &nothing, number, known);
}

/// Sends a message, asks whether the floor is alive, and gives every response to the message up to its final one. `known`
/// are the Call-IDs that may be heard: of earlier messages, whose responses are sent again.
fn exchange(way: &mut Way, case: &Case, number: usize, known: &BTreeSet<String>) -> Vec<Text> {
    way.send(&case.bytes);
    let alive = way.ask_whether_alive(number);
    let (since, own, silent) = (Instant::now(), case.call_id(), case.wanted == "none");
    let (mut heard, mut answered, mut ended) = (Vec::new(), false, silent);
    while !(answered && ended) {
        assert!(since.elapsed() < PATIENCE, "{}: answered {answered}, heard {heard:?}", case.name);
        let Some(text) = way.receive() else { continue };
        match text.header("Call-ID") {
            id if id == alive => answered = text.is("200"),
            id if id == own => {
                ended |= !text.is("1");
                heard.push(text);
            }
            id => assert!(known.contains(id), "{}: a stranger's {text:?}", case.name),
        }
    }
    heard
}

/// A floor whose trunk may call any number, so that INVITEs come as far as their bodies; it listens on `more` besides.
fn open_floor(more: Option<SocketAddr>) -> Daemon {
    let host = own_address();
    let listen = format!("{host}:5060{}", more.map(|more| format!(",{more}")).unwrap_or_default());
    let environment = [
        ("TRUNKLINE__TRUNK__CARRIER__NUMBERS", "*"),
        ("TRUNKLINE__TRUNK__CARRIER__ADDRESSES", "127.0.0.0/8,::1"),
        ("TRUNKLINE__SIP__UDP", &listen),
        ("TRUNKLINE__SIP__TCP", &listen),
    ];
    Daemon::start_at(host, without_acw, &environment)
}

fn call_ids(cases: &[Case]) -> BTreeSet<String> {
    cases.iter().map(Case::call_id).collect()
}

#[test]
fn every_message_of_rfc_4475_gets_its_verdict_in_a_datagram() {
    let (mut daemon, source) = (open_floor(None), IpAddr::from(own_address()));
    let cases = Case::all("rfc4475");
    assert_eq!(cases.len(), 49);
    let known = call_ids(&cases);
    for (number, case) in cases.iter().enumerate() {
        let mut way = Way::udp(SocketAddr::new(source, case.via_port()), daemon.sip);
        case.check("UDP", &exchange(&mut way, case, number, &known));
    }
    daemon.stop();
}

#[test]
fn every_message_of_rfc_4475_gets_its_verdict_on_a_stream() {
    let mut daemon = open_floor(None);
    let cases = Case::all("rfc4475");
    let known = call_ids(&cases);
    let (framed, unframed): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.is_framed());
    let mut way = Way::tcp(daemon.sip);
    for (number, case) in framed.iter().enumerate() {
        case.check("TCP", &exchange(&mut way, case, number, &known));
    }
    let mut seen = framed.len();
    for case in unframed {
        let mut fresh = Way::tcp(daemon.sip);
        // The second length of dblreq leaves five bytes over, which would end the stream before the answers.
        let over = if case.name == "dblreq" { 5 } else { 0 };
        fresh.send(&case.bytes[..case.bytes.len() - over]);
        match case.name.as_str() {
            // No length, two lengths, a negative one: nobody knows where the next message starts.
            "ncl" | "mcl01" | "inv2543" => {
                let heard = fresh.hear_out();
                assert!(heard.len() == 1 && heard[0].is("400"), "{}: {heard:?}", case.name);
                assert_eq!(heard[0].header("Call-ID"), case.call_id());
            }
            // They have no end, and their sender gives up.
            "clerr" | "baddn" => {
                fresh.give_up();
                assert!(fresh.hear_out().is_empty(), "{}", case.name);
            }
            // What a datagram may not hold are two messages of a stream.
            "dblreq" => {
                let mut finals = BTreeSet::new();
                while finals.len() < 2 {
                    let text = fresh.receive_within_patience();
                    finals.extend((!text.is("1")).then(|| text.header("CSeq").to_owned()));
                }
                assert_eq!(finals.into_iter().collect::<Vec<_>>(), ["8 INVITE", "8 REGISTER"]);
            }
            other => panic!("{other} has no end that a stream could know"),
        }
        expect_alive(&mut way, seen, &known);
        seen += 1;
    }
    assert_eq!((framed.len(), seen), (43, 49));
    daemon.stop();
}

/// The messages of RFC 5118 use the same Call-ID and branch again and again, which makes repeats of them: each gets its own.
/// `rport` brings answers back, whatever port a Via names.
fn own_transaction(case: &mut Case, number: usize) {
    let text = case.text().0.replacen(";branch=z9hG4bK", &format!(";rport;branch=z9hG4bK{number}-"), 1);
    case.bytes = text.replacen("Call-ID: ", &format!("Call-ID: {number}-"), 1).into_bytes();
}

/// A port of `::1` that is free for both transports.
fn free_port() -> Option<SocketAddr> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok()?;
    let address = listener.local_addr().ok()?;
    UdpSocket::bind(address).ok().map(|_| address)
}

#[test]
fn every_message_of_rfc_5118_gets_its_verdict_over_both_families() {
    let v6 = free_port();
    let mut daemon = open_floor(v6);
    let mut ways = vec![Way::udp(SocketAddr::new(own_address().into(), 0), daemon.sip), Way::tcp(daemon.sip)];
    // A machine without IPv6 still reads its addresses.
    if let Some(v6) = v6 {
        ways.extend([Way::udp(SocketAddr::new(v6.ip(), 0), v6), Way::tcp(v6)]);
    }
    let mut seen = 0;
    for way in &mut ways {
        let mut cases = Case::all("rfc5118");
        for case in &mut cases {
            own_transaction(case, seen);
            seen += 1;
        }
        let known = call_ids(&cases);
        for (number, case) in cases.iter().enumerate() {
            assert!(case.is_framed(), "{}", case.name);
            case.check("IPv6", &exchange(way, case, number, &known));
        }
    }
    assert_eq!(seen, 12 * ways.len());
    daemon.stop();
}

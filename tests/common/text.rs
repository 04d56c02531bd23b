//! SIP messages as text. Deliberately naive and deliberately not `trunkline::sip`: it reads what well-behaved phones read.

/// One message.
#[derive(Clone, Debug)]
pub struct Text {
    /// The first line.
    pub start: String,
    /// Names as written, with their values.
    pub headers: Vec<(String, String)>,
    /// What follows the blank line.
    pub body: String,
}

impl Text {
    /// Reads a datagram; `None` where it is no message.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let header =
            |line: &str| line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        let headers = lines.map(header).collect::<Option<Vec<_>>>()?;
        Some(Self { start, headers, body: body.to_owned() })
    }

    /// The status of a response.
    pub fn code(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request, or the one in CSeq of a response.
    pub fn method(&self) -> &str {
        match self.code() {
            Some(_) => self.get("CSeq").split(' ').nth(1).unwrap_or_default(),
            None => self.start.split(' ').next().unwrap_or_default(),
        }
    }

    /// The first header of that name, or nothing.
    pub fn get(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// Every header of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The number in CSeq.
    pub fn cseq(&self) -> u32 {
        self.get("CSeq").split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
    }

    /// The branch of the topmost Via.
    pub fn branch(&self) -> String {
        param(self.get("Via"), "branch").unwrap_or_default().to_owned()
    }

    /// A response to this request. `tag` is put into To where it has none.
    pub fn respond(&self, code: u16, reason: &str, tag: &str, extra: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {code} {reason}\r\n");
        for via in self.all("Via") {
            text.push_str(&format!("Via: {via}\r\n"));
        }
        for route in self.all("Record-Route") {
            text.push_str(&format!("Record-Route: {route}\r\n"));
        }
        let to = self.get("To");
        let to = if code > 100 && param(to, "tag").is_none() { format!("{to};tag={tag}") } else { to.to_owned() };
        text.push_str(&format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n",
            self.get("From"),
            self.get("Call-ID"),
            self.get("CSeq")
        ));
        text.push_str(extra);
        text.push_str(&tail(body));
        text
    }
}

/// Content headers, blank line and body.
pub fn tail(body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A parameter behind the address of a header value: `;name=value`.
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let outside = value.rsplit_once('>').map_or(value, |(_, outside)| outside);
    outside.split(';').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The URI in angle brackets, or the value without parameters.
pub fn uri(value: &str) -> &str {
    match value.split_once('<').and_then(|(_, rest)| rest.split_once('>')) {
        Some((uri, _)) => uri,
        None => value.split(';').next().unwrap_or(value),
    }
}

/// A session description: the formats in order of preference, telephone-event beside them.
pub fn sdp(ip: &str, port: u16, version: u32, formats: &[u8], direction: &str) -> String {
    let list: Vec<String> = formats.iter().map(u8::to_string).collect();
    format!(
        "v=0\r\no=- 7 {version} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {} 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na={direction}\r\n",
        list.join(" ")
    )
}

/// Address and port that a session description wants its packets at.
pub fn media_of(body: &str) -> Option<(String, u16)> {
    let line = |start: &str| body.lines().find_map(|line| line.strip_prefix(start));
    let ip = line("c=IN IP4 ")?.trim().to_owned();
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some((ip, port))
}

/// The first format of an offer.
pub fn first_format(body: &str) -> Option<u8> {
    let line = body.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    line.split(' ').nth(2)?.trim().parse().ok()
}

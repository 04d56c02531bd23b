//! Requests that follow from an INVITE of ours.

use crate::sip::message::{Message, Method};

/// The ACK of a refusal: the INVITE's own Via, Route, From, Call-ID and number, the response's To (RFC 3261 §17.1.1.3).
pub fn ack_for_refusal(invite: &Message, response: &Message) -> Message {
    let mut ack = following(invite, Method::Ack);
    if let Some(to) = response.header("To") {
        ack.set("To", to);
    }
    ack
}

/// The CANCEL of an INVITE; to be sent over the same flow once a provisional response has come (RFC 3261 §9.1).
pub fn cancel_for(invite: &Message) -> Message {
    following(invite, Method::Cancel)
}

fn following(invite: &Message, method: Method) -> Message {
    let uri = invite.uri().cloned().unwrap_or_else(|| crate::sip::message::Uri::sip(None, "invalid", None));
    let number = invite.cseq().map_or(0, |cseq| cseq.number);
    let mut request = Message::request(method.clone(), uri);
    if let Ok(via) = invite.via() {
        request.push("Via", via);
    }
    for (name, value) in invite.headers.iter() {
        if ["Route", "From", "To", "Call-ID"].iter().any(|wanted| name.is(wanted)) {
            request.push(name.as_str(), value);
        }
    }
    request.with("CSeq", format!("{number} {method}")).with("Max-Forwards", 70)
}

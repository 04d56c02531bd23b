//! A user's calls as phones' keys show them: `application/dialog-info+xml` (RFC 4235).
//!
//! Who is at the other end is left out, and so is what would let a watcher take a call's place: whoever may see that a colleague
//! is on the phone need not see with whom.

use std::fmt::Write;

/// One call of a watched user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedDialog {
    /// Tells it from the user's other ones.
    pub id: String,
    /// Who called.
    pub direction: Direction,
    /// How far it has come.
    pub phase: Phase,
}

/// Who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The watched user.
    Initiator,
    /// The other party.
    Recipient,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// An INVITE is under way.
    Trying,
    /// The phone rings.
    Early,
    /// Answered.
    Confirmed,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Recipient => "recipient",
        }
    }
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
        }
    }
}

/// The whole state of `entity`: the calls that there are, and as terminated those that a document told of before and that are gone.
pub(super) fn render(
    entity: &str,
    version: u32,
    dialogs: &[WatchedDialog],
    gone: impl Iterator<Item = (String, Direction)>,
) -> String {
    let entity = escaped(entity);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" \
         version=\"{version}\" state=\"full\" entity=\"{entity}\">\r\n"
    );
    let live = dialogs.iter().map(|dialog| (dialog.id.clone(), dialog.direction, dialog.phase.name()));
    for (id, direction, state) in live.chain(gone.map(|(id, direction)| (id, direction, "terminated"))) {
        // Writing into a string cannot fail.
        let _ = write!(
            xml,
            "<dialog id=\"{}\" direction=\"{}\"><state>{state}</state></dialog>\r\n",
            escaped(&id),
            direction.name()
        );
    }
    xml + "</dialog-info>\r\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_everything_and_is_xml_whatever_the_names_are() {
        let ringing = WatchedDialog { id: "a<1".into(), direction: Direction::Recipient, phase: Phase::Early };
        let gone = [("b".to_owned(), Direction::Initiator)].into_iter();
        let xml = render("sip:a&\"b@h", 7, &[ringing], gone);
        assert!(xml.contains("version=\"7\" state=\"full\" entity=\"sip:a&amp;&quot;b@h\">"), "{xml}");
        assert!(xml.contains("<dialog id=\"a&lt;1\" direction=\"recipient\"><state>early</state></dialog>"), "{xml}");
        assert!(xml.contains("<dialog id=\"b\" direction=\"initiator\"><state>terminated</state></dialog>"), "{xml}");
    }
}

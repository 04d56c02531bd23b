//! The messages that wait for a user: `application/simple-message-summary` (RFC 3842).

/// How many messages wait for a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// Not heard yet.
    pub new: u32,
    /// Heard and kept.
    pub old: u32,
}

/// The summary of `account`.
pub(super) fn render(account: &str, messages: Messages) -> String {
    let waiting = if messages.new > 0 { "yes" } else { "no" };
    format!(
        "Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: {}/{}\r\n",
        messages.new, messages.old
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lamp_is_lit_by_new_messages_alone() {
        let none = "Messages-Waiting: no\r\nMessage-Account: sip:1@h\r\nVoice-Message: 0/0\r\n";
        assert_eq!(render("sip:1@h", Messages::default()), none);
        assert!(render("sip:1@h", Messages { new: 0, old: 3 }).starts_with("Messages-Waiting: no"));
        let some = "Messages-Waiting: yes\r\nMessage-Account: sip:1@h\r\nVoice-Message: 2/8\r\n";
        assert_eq!(render("sip:1@h", Messages { new: 2, old: 8 }), some);
    }
}

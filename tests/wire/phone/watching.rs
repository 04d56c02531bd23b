//! A phone that watches others (RFC 6665).

use super::{Phone, Text, answer, inside};

impl Phone {
    /// Wants to watch somebody, with the password; gives the final response. It becomes this phone's dialog.
    pub fn subscribe(&mut self, watched: &str, password: &str, extra: &str) -> Text {
        self.begin(watched);
        let uri = self.target.clone();
        let first = self.request("SUBSCRIBE", &uri, extra, "");
        self.send(&first);
        let challenge = self.expect("challenge to SUBSCRIBE", |text| text.is("401"));
        let proof = answer(&challenge, &self.user, password, "SUBSCRIBE", &uri);
        let second = self.request("SUBSCRIBE", &uri, &format!("{extra}Authorization: {proof}\r\n"), "");
        self.send(&second);
        let last = self.expect("answer to SUBSCRIBE", |text| text.header("CSeq").ends_with("SUBSCRIBE"));
        if last.is("200") {
            self.to = last.header("To").to_owned();
            self.target = inside(last.header("Contact"));
        }
        last
    }

    /// Answers NOTIFYs until one says what is wanted.
    pub fn told(&self, what: &str, wanted: impl Fn(&Text) -> bool) -> Text {
        self.expect(what, |text| {
            if text.is("NOTIFY") {
                self.reply(text, "200 OK", "");
            }
            text.is("NOTIFY") && wanted(text)
        })
    }
}

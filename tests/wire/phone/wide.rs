//! A phone of other codecs.

use super::{Phone, Text};

impl Phone {
    /// The same phone with G.722 alone.
    pub fn wideband(mut self) -> Self {
        self.codec = 9;
        self.ear.speak_wide();
        self
    }

    /// Its description with these payload types.
    pub fn sdp_of(&self, types: &str) -> String {
        let own = format!(" RTP/AVP {} 101", self.codec);
        self.sdp("").replacen(&own, &format!(" RTP/AVP {types}"), 1)
    }

    /// Calls a number with an offer of these payload types; gives the answer.
    pub fn call_as_offered(&mut self, number: &str, types: &str) -> Text {
        self.invite_as_offered(number, types);
        self.connect()
    }

    /// Sends an INVITE whose offer names these payload types.
    pub fn invite_as_offered(&mut self, number: &str, types: &str) {
        self.begin(number);
        let body = self.sdp_of(types);
        let target = self.target.clone();
        let invite = self.request("INVITE", &target, "", &body);
        self.send(&invite);
    }
}

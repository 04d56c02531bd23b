//! A phone of other codecs.

use super::Phone;

impl Phone {
    /// The same phone with G.722 alone.
    pub fn wideband(mut self) -> Self {
        self.codec = 9;
        self.ear.speak_wide();
        self
    }

    /// Sends an INVITE whose offer names these payload types.
    pub fn invite_as_offered(&mut self, number: &str, types: &str) {
        self.begin(number);
        let body = self.sdp("").replacen(" RTP/AVP 8 101", &format!(" RTP/AVP {types}"), 1);
        let target = self.target.clone();
        let invite = self.request("INVITE", &target, "", &body);
        self.send(&invite);
    }
}

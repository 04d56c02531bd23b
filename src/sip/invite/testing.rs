//! A phone and a switch that talk to each other without a network, for the tests of the acts.

use crate::sip::digest::Secret;
use crate::sip::endpoint::{Admission, Carried, Dial, Endpoint, Settings, User, Way};
use crate::sip::message::{Framing, judge};
use crate::sip::transaction::{Flow, Transport};
use crate::time::Now;

pub(super) const PHONE: &str = "127.0.0.1:6000";
pub(super) const SWITCH: &str = "127.0.0.1:5060";

pub(in crate::sip) fn endpoint(admission: Admission, seed: u64) -> Endpoint {
    let user = User { password: Secret::new("right"), nat: false };
    let settings = Settings {
        admission,
        trunks: Default::default(),
        users: [("1001".to_owned(), user)].into(),
        digest: Default::default(),
        md5_only: Vec::new(),
        session_expires_s: 1_800,
        max_calls_per_user: 10,
        guard: Default::default(),
        registrar: Default::default(),
        listen: vec![(Transport::Udp, PHONE.parse().unwrap()), (Transport::Tls, "127.0.0.1:6001".parse().unwrap())],
        public_address: None,
        local_nets: Vec::new(),
        product: "test".into(),
    };
    Endpoint::new(settings, 1, rand_core::SeedableRng::seed_from_u64(seed))
}

pub(super) fn flow(local: &str, remote: &str) -> Flow {
    Flow { transport: Transport::Udp, local: local.parse().unwrap(), remote: remote.parse().unwrap() }
}

/// Carries messages both ways until neither has more to say.
pub(super) fn talk(phone: &mut Endpoint, switch: &mut Endpoint, now: Now) {
    loop {
        let (to_switch, to_phone) = (phone.poll_transmit(), switch.poll_transmit());
        if to_switch.is_none() && to_phone.is_none() {
            return;
        }
        if let Some(sent) = to_switch {
            switch.handle_verdict(judge(&sent.payload, Framing::Datagram), flow(SWITCH, PHONE), now);
        }
        if let Some(sent) = to_phone {
            phone.handle_verdict(judge(&sent.payload, Framing::Datagram), flow(PHONE, SWITCH), now);
        }
    }
}

/// A call of the phone's to the switch.
pub(in crate::sip) fn dial_to(target: &str) -> Dial {
    Dial {
        ways: vec![Way { target: target.parse().unwrap(), flow: Some(flow(PHONE, SWITCH)), routes: vec![] }],
        patience_ms: 4_000,
        from: "1001".into(),
        name: None,
        domain: None,
        account: None,
        headers: Vec::new(),
        body: "v=0".into(),
        carried: Carried::default(),
        auto_answer: false,
        nat: false,
        trunk: None,
    }
}

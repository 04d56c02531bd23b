//! SRTP: nothing that has no key is opened, and what is sealed opens, once.
#![no_main]

use rooms::rtp::srtp::{MasterKey, OVERHEAD, Opener, Refusal, Sealer, Suite};

const SUITES: [Suite; 4] = [Suite::AesCm128Sha1_80, Suite::AesCm256Sha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for suite in SUITES {
        let key = vec![7; suite.key_len() + suite.salt_len()];
        let key = MasterKey::new(suite, &key).expect("the suite's length");
        let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
        assert!(opener.open_rtp(&mut data.to_vec()).is_err() && opener.open_rtcp(&mut data.to_vec()).is_err());
        let mut buf = data.to_vec();
        buf.resize(data.len() + OVERHEAD, 0);
        if let Ok(len) = sealer.seal_rtp(&mut buf, data.len()) {
            let mut again = buf[..len].to_vec();
            let opened = opener.open_rtp(&mut buf[..len]).expect("sealed under the same key");
            assert_eq!(buf[..opened], *data);
            assert_eq!(opener.open_rtp(&mut again), Err(Refusal::Replayed));
        }
        let mut buf = data.to_vec();
        buf.resize(data.len() + OVERHEAD, 0);
        // What is no RTCP is sealed all the same, for it is ours; opening it looks at the version.
        if let Ok(len) = sealer.seal_rtcp(&mut buf, data.len())
            && data[0] >> 6 == 2
        {
            let opened = opener.open_rtcp(&mut buf[..len]).expect("sealed under the same key");
            assert_eq!(buf[..opened], *data);
        }
    }
});

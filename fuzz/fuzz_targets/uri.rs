//! URIs, addresses and Vias that can be read are read as the same when they are printed.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use rooms::sip::message::{NameAddr, Uri, Via};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for text in rooms::values(data) {
        if let Some(uri) = same::<Uri>(text) {
            let plain = uri.plain_user();
            assert!(plain.is_none_or(|plain| plain.len() <= uri.user.map_or(0, |user| user.len())));
        }
        same::<NameAddr>(text);
        if let Ok(via) = Via::read(text) {
            assert_eq!(Via::read(&via.to_string()), Ok(via));
        }
        if let Ok(list) = NameAddr::parse_list(text) {
            let printed: Vec<String> = list.iter().map(NameAddr::to_string).collect();
            assert_eq!(NameAddr::parse_list(&printed.join(", ")), Ok(list));
        }
    }
});

fn same<T: FromStr + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    let again = read.to_string().parse().ok();
    assert_eq!(again.as_ref(), Some(&read));
    again
}

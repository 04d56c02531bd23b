//! Whatever files another switch had: a plan comes out that passes the checker, given the prompts that it names.
#![no_main]

use std::collections::BTreeSet;

use rooms::dialplan::Source;
use rooms::import::{Imported, Wishes, asterisk, freeswitch};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let wishes = Wishes {
        prompts: BTreeSet::new(),
        agents: BTreeSet::new(),
        language: "en".to_owned(),
        zone: "UTC".to_owned(),
        contexts: Vec::new(),
    };
    let source = |file: &str, text: &str| Source { file: file.to_owned(), text: text.to_owned() };
    // A seed may hold both files, the queues behind a line of their own.
    let (extensions, queues) = text.split_once("\n;queues.conf\n").unwrap_or((text, text));
    check(&asterisk(&source("extensions.conf", extensions), Some(&source("queues.conf", queues)), &wishes));
    check(&freeswitch(&[source("all.xml", text)], &wishes));
});

/// Missing prompts are all that may be wrong.
fn check(imported: &Imported) {
    let Err(problems) = rooms::check_plan(&imported.plan, &BTreeSet::new()) else { return };
    let wrong: Vec<_> = problems.iter().filter(|problem| !problem.message.contains("needs the prompt file")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", imported.plan);
}

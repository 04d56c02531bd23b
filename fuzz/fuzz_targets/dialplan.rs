//! Whatever a dialplan file says: it loads or every problem has its place, and what loads can be drawn.
#![no_main]

use std::collections::BTreeSet;

use rooms::dialplan::{Catalogue, Severity, Source, includes, mermaid, svg};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = includes(text);
    let _ = Catalogue::read(&Source { file: "catalogue.toml".to_owned(), text: text.to_owned() });
    match rooms::check_plan(text, &BTreeSet::new()) {
        Ok(program) => {
            for flow in program.flows().keys() {
                assert!(mermaid(&program, flow).is_some() && svg(&program, flow).is_some());
            }
            for number in ["4000", "*71", "", "13800138000"] {
                let _ = program.numbers().destination(number, None);
            }
        }
        Err(problems) => {
            let lines = text.matches('\n').count() + 1;
            assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
            assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line) && problem.column >= 1));
        }
    }
});

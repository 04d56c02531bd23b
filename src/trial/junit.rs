//! Results as JUnit XML, which build servers read.

use std::fmt::Write as _;

use super::case::Case;
use super::judge::Failure;

/// One file's results: each case, what failed of it, and how long it took to play (ms of the machine's clock).
pub type Results<'a> = (&'a str, Vec<(&'a Case, &'a [Failure], f64)>);

/// The report on some files.
pub fn junit(files: &[Results<'_>]) -> String {
    let failed = |results: &Results<'_>| results.1.iter().filter(|(_, failures, _)| !failures.is_empty()).count();
    let tests: usize = files.iter().map(|(_, cases)| cases.len()).sum();
    let failures: usize = files.iter().map(failed).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = writeln!(xml, "<testsuites name=\"trunkline\" tests=\"{tests}\" failures=\"{failures}\">");
    for results in files {
        let (file, cases) = results;
        let (name, count, failed) = (escaped(file), cases.len(), failed(results));
        let ms: f64 = cases.iter().map(|(_, _, ms)| ms).sum();
        let time = ms / 1_000.0;
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\" \
             time=\"{time:.6}\">"
        );
        for (case, failures, ms) in cases {
            write_case(&mut xml, &name, case, failures, ms / 1_000.0);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn write_case(xml: &mut String, file: &str, case: &Case, failures: &[Failure], time: f64) {
    let (name, line) = (escaped(&case.name), case.line);
    let open =
        format!("<testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\" line=\"{line}\" time=\"{time:.6}\"");
    if failures.is_empty() {
        let _ = writeln!(xml, "    {open}/>");
        return;
    }
    let _ = writeln!(xml, "    {open}>");
    for Failure { key, diff } in failures {
        let lines: Vec<String> = diff.iter().map(ToString::to_string).collect();
        let text = escaped(&lines.join("\n"));
        let _ = writeln!(xml, "      <failure message=\"{key} differs\" type=\"{key}\">{text}</failure>");
    }
    xml.push_str("    </testcase>\n");
}

/// Text for an element or an attribute; what XML 1.0 cannot say at all becomes a question mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

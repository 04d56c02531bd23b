//! Guards the arrows between the rooms and the purity of the pure ones, as the table below draws them.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Room, whether it is pure, and the rooms that it may name. All may name `id` and `time`.
const HOUSE: &[(&str, bool, &[&str])] = &[
    ("id", true, &[]),
    ("time", true, &[]),
    ("journal", true, &[]),
    ("sip", true, &[]),
    ("sdp", true, &[]),
    ("rtp", true, &[]),
    ("codec", true, &[]),
    ("acd", true, &["journal"]),
    ("call", true, &["journal"]),
    ("dialplan", true, &["journal"]),
    ("import", true, &["dialplan", "journal"]),
    ("records", true, &["journal"]),
    ("quality", true, &["journal", "records"]),
    ("cases", true, &["journal"]),
    ("access", true, &["journal"]),
    ("recording", true, &["codec", "journal"]),
    ("media", true, &["rtp", "codec", "recording"]),
    ("insight", true, &["journal", "records", "acd"]),
    ("switch", true, &["sip", "sdp", "call", "acd", "dialplan", "media", "journal"]),
    ("trial", true, &["dialplan", "acd", "call", "switch", "records", "journal"]),
    ("config", true, &["journal", "sip", "acd", "dialplan", "media", "recording", "switch"]),
    ("net", false, &["sip"]),
    ("engine", false, &["media", "rtp"]),
    ("store", false, &["journal", "records", "recording", "quality", "cases", "access"]),
    ("hooks", false, &["journal", "store"]),
    ("node", false, &["switch", "net", "engine", "store", "config", "hooks"]),
    ("api", false, &["switch", "records", "quality", "insight", "cases", "access", "store"]),
    ("bot", false, &["sip", "sdp", "rtp", "codec", "net"]),
];

/// What a pure room may not name.
const IMPURE: &[&str] = &[
    "tokio",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "rand::rng",
    "rand::thread_rng",
    "OsRng",
    "HashMap",
    "HashSet",
];

#[test]
fn rooms_name_only_the_rooms_that_the_house_allows() {
    let mut wrong = Vec::new();
    for (file, room) in sources() {
        if matches!(room.as_str(), "lib" | "main" | "cli") {
            continue;
        }
        let Some((_, _, allowed)) = HOUSE.iter().find(|(name, _, _)| *name == room) else {
            wrong.push(format!("{}: room \"{room}\" is not in the house", file.display()));
            continue;
        };
        for path in paths(&file) {
            let mut parts = path.split("::");
            if parts.next() != Some("crate") {
                continue;
            }
            let target = parts.next().unwrap_or_default();
            let free = target == room || target == "id" || target == "time" || target.is_empty();
            if !free && !allowed.contains(&target) {
                wrong.push(format!("{}: {room} names {path}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the house does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_touch_no_clock_socket_file_or_thread() {
    let mut wrong = Vec::new();
    for (file, room) in sources() {
        if !HOUSE.iter().any(|(name, pure, _)| *name == room && *pure) {
            continue;
        }
        for path in paths(&file) {
            for banned in IMPURE {
                if path == *banned || path.ends_with(&format!("::{banned}")) || contains_segments(&path, banned) {
                    wrong.push(format!("{}: {path}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "pure rooms that reach outside:\n{}", wrong.join("\n"));
}

#[test]
fn the_guard_sees_inline_paths_groups_and_macros() {
    let source = "use crate::{sip::Uri, acd as queue}; fn f() { let _ = crate::store::open(); log!(crate::net::x); \
                  std::fs::read(p); } #[cfg(test)] mod tests { use crate::api::y; }";
    let found = paths_of(source.parse().expect("tokens"));
    for path in ["crate::sip::Uri", "crate::acd", "crate::store::open", "crate::net::x", "std::fs::read"] {
        assert!(found.iter().any(|p| p == path), "{path} not in {found:?}");
    }
    assert!(!found.iter().any(|p| p.contains("api")), "tests of a room may look further");
    assert!(contains_segments("std::fs::read", "std::fs"));
    assert!(!contains_segments("std::fsx::read", "std::fs"));
}

fn contains_segments(path: &str, banned: &str) -> bool {
    format!("::{path}::").contains(&format!("::{banned}::"))
}

/// Every source file with the room that it stands in; `tests.rs` is a room's tests and may look further.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let inside = path.strip_prefix(&root).expect("under src");
                let room = inside.iter().next().expect("a name").to_string_lossy().trim_end_matches(".rs").to_owned();
                files.push((path, room));
            }
        }
    }
    assert!(files.len() > 5, "the walk over src found next to nothing");
    files.sort();
    files
}

fn paths(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("source is readable");
    paths_of(text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display())))
}

/// Every `a::b::c` in a token stream, groups of `use` spread out, modules under `#[cfg(test)]` left out.
fn paths_of(stream: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    collect(stream, "", &mut found);
    found
}

fn collect(stream: TokenStream, prefix: &str, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Punct(hash) if hash.as_char() == '#' && is_cfg_test(tokens.get(at + 1)) => {
                at = after_item(&tokens, at + 2);
            }
            TokenTree::Ident(first) => {
                let mut path = join(prefix, &first.to_string());
                at += 1;
                while is_double_colon(&tokens, at) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(next)) => {
                            path = join(&path, &next.to_string());
                            at += 3;
                        }
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            collect(group.stream(), &path, found);
                            at += 3;
                        }
                        _ => at += 2,
                    }
                }
                found.push(path);
            }
            TokenTree::Group(group) => {
                collect(group.stream(), prefix, found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") }
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(tokens.get(at)) && colon(tokens.get(at + 1))
}

fn is_cfg_test(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(g)) if g.to_string().replace(' ', "") == "[cfg(test)]")
}

/// The index behind the item that starts at `at`: its braces or its semicolon.
fn after_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
            TokenTree::Punct(p) if p.as_char() == ';' => break,
            _ => {}
        }
    }
    at
}

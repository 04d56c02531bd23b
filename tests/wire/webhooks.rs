//! Other systems: asked by a dialplan, and told what has happened until they have taken it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use trunkline::records::Disposition;

use super::daemon::{Daemon, own_address, wait, without_acw};
use super::queue::caller;

const SECRET: &str = "between us";

/// What came: the head, in lower case, and the body.
type Posts = Arc<Mutex<Vec<(String, serde_json::Value)>>>;

/// A system that answers the posts that come with these statuses and bodies, in order, and the last one to all that follow.
fn system(address: SocketAddr, answers: Vec<(u16, &'static str)>) -> Posts {
    let listener = TcpListener::bind(address).expect("bound");
    let posts = Posts::default();
    let taken = Arc::clone(&posts);
    // Ends with the process: nobody can stop an accept.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let Some((head, body)) = request(&mut stream) else { continue };
            let mut taken = taken.lock().expect("no panic");
            let (status, answer) = *answers.get(taken.len()).or(answers.last()).expect("an answer");
            taken.push((head, body));
            drop(taken);
            let length = answer.len();
            let _ =
                write!(stream, "HTTP/1.1 {status} So\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{answer}");
        }
    });
    posts
}

fn request(stream: &mut std::net::TcpStream) -> Option<(String, serde_json::Value)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = field(head, "content-length").parse::<usize>().ok()?;
        if body.len() >= length {
            return Some((head.to_owned(), serde_json::from_str(body).ok()?));
        }
    }
}

fn field(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| line.split_once(':')).map_or(String::new(), |(_, value)| value.trim().to_owned())
}

/// Whether a post is signed by whoever knows the secret.
fn is_signed((head, body): &(String, serde_json::Value)) -> bool {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    // serde_json keeps the order of the keys that we have sent sorted.
    mac.update(format!("{}.{}.{body}", field(head, "webhook-id"), field(head, "webhook-timestamp")).as_bytes());
    field(head, "webhook-signature") == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn floor(plan: impl FnOnce(String) -> String, address: SocketAddr, events: &str) -> Daemon {
    let hook = format!("[webhook.crm]\nurl = \"http://{address}/in\"\nsecret_env = \"CRM\"\nevents = [{events}]\n");
    let set = |settings: String| format!("{settings}\n{hook}");
    Daemon::start_set(own_address(), set, |text| plan(without_acw(text)), &[("CRM", SECRET)])
}

#[test]
fn a_message_is_told_until_it_is_taken_over_a_crash_too() {
    let address = SocketAddr::from((own_address(), 8_090));
    let mut daemon = floor(|plan| plan, address, "\"voicemail_left\"");
    let mut caller = caller(&daemon);
    caller.call("4004");
    caller.ear.press('2');
    wait(|| daemon.journal_has("message_left"), || daemon.log());
    caller.hang_up();
    daemon.until_idle();
    // Nothing listens there yet.
    let failures = "trunkline_webhook_failures_total{webhook=\"crm\"}";
    wait(|| daemon.metric(failures) > 0.0, || daemon.log());
    daemon.kill();
    let posts = system(address, vec![(503, ""), (200, "")]);
    daemon.run();
    wait(|| posts.lock().expect("no panic").len() == 2, || daemon.log());
    wait(|| daemon.metric("trunkline_webhook_notices_total{webhook=\"crm\"}") == 1.0, || daemon.log());
    let records = daemon.stop();
    let posts = posts.lock().expect("no panic").clone();
    assert!(posts.iter().all(is_signed), "{posts:#?}");
    let ids: Vec<String> = posts.iter().map(|(head, _)| field(head, "idempotency-key")).collect();
    assert_eq!((&ids[0], ids[0].clone()), (&ids[1], format!("voicemail_left-{}", records[0].call_id)));
    let told = &posts[1].1;
    assert_eq!((&told["type"], &told["mailbox"]), (&"voicemail_left".into(), &"hotline".into()));
    assert_eq!((&told["caller"], told["length_ms"].as_u64() > Some(900)), (&"13800138000".into(), true));
    // What was taken is not told again.
    daemon.run();
    daemon.until_idle();
    daemon.stop();
    assert_eq!(posts.len(), 2);
}

#[test]
fn a_plan_asks_who_the_caller_is_and_greets_accordingly() {
    let address = SocketAddr::from((own_address(), 8_090));
    let answers = vec![(200, "{\"name\": \"Li\", \"class\": \"vip\"}"), (200, "{}"), (503, "")];
    let posts = system(address, answers);
    let plan = |plan: String| {
        let answer = "[flow.echo.step.answer]\ndo = \"answer\"\nnext = \"echo\"";
        assert!(plan.contains(answer));
        let who = "\n[flow.echo.step.who]\ndo = \"customer\"\nhook = \"crm\"\nretries = 0\nknown = \"echo\"\n\
                   unknown = \"unknown\"\nfailed = \"failed\"\n\
                   [flow.echo.step.unknown]\ndo = \"hangup\"\ncause = \"unknown\"\n\
                   [flow.echo.step.failed]\ndo = \"hangup\"\ncause = \"failed\"\n";
        format!("{}{who}", plan.replace(answer, &answer.replace("\"echo\"", "\"who\"")))
    };
    let mut daemon = floor(plan, address, "");
    let mut caller = caller(&daemon);
    caller.call("4002");
    wait(|| daemon.journal_has("echo.echo"), || format!("no answer\n{}", daemon.log()));
    caller.hang_up();
    daemon.until_idle();
    for _ in 0..2 {
        caller.call("4002");
        caller.expect_bye();
        daemon.until_idle();
    }
    let records = daemon.stop();
    assert_eq!(records[0].caller_class.as_deref(), Some("vip"));
    assert_eq!(records[1..].iter().map(|record| record.cause.text.as_str()).collect::<Vec<_>>(), ["unknown", "failed"]);
    let posts = posts.lock().expect("no panic").clone();
    assert_eq!(posts[0].1["values"]["number"], "13800138000", "{posts:#?}");
    assert!(posts.iter().all(is_signed));
}

/// Asks whether the caller has a contract, and says goodbye to those of whom nobody knows.
const PLAN: &str = r#"
[variable.contract]
type = "text"
[flow.echo.step.ask]
do = "webhook"
hook = "crm"
send = { number = "{caller}" }
into = { contract = "contract" }
timeout = "2s"
retries = 1
next = "branch"
failed = "unknown"
[flow.echo.step.branch]
do = "when"
cases = [{ variable = "contract", is = "gold", next = "echo" }]
else = "unknown"
[flow.echo.step.unknown]
do = "hangup"
cause = "unknown"
"#;

#[test]
fn a_plan_asks_again_and_branches_by_the_answer_or_goes_on_without_one() {
    let address = SocketAddr::from((own_address(), 8_090));
    let answers = vec![(500, "oops"), (200, "{\"contract\": \"gold\", \"since\": [2019]}"), (404, "")];
    let posts = system(address, answers);
    let plan = |plan: String| {
        let answer = "[flow.echo.step.answer]\ndo = \"answer\"\nnext = \"echo\"";
        assert!(plan.contains(answer));
        format!("{}{PLAN}", plan.replace(answer, &answer.replace("\"echo\"", "\"ask\"")))
    };
    let mut daemon = floor(plan, address, "");
    let mut caller = caller(&daemon);
    caller.call("4002");
    wait(|| daemon.journal_has("echo.echo"), || format!("no answer\n{}", daemon.log()));
    caller.hang_up();
    daemon.until_idle();
    caller.call("4002");
    caller.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    let told: Vec<_> = records.iter().map(|record| (record.disposition, record.cause.text.as_str())).collect();
    assert_eq!(told[0].0, Disposition::SelfService);
    assert_eq!(told[1].1, "unknown");
    let posts = posts.lock().expect("no panic").clone();
    assert!(posts.len() == 4 && posts.iter().all(is_signed), "{posts:#?}");
    let (head, body) = &posts[0];
    assert_eq!(field(head, "webhook-id"), format!("dialplan-{}-1", records[0].call_id));
    assert_eq!(field(head, "webhook-id"), field(&posts[1].0, "webhook-id"));
    assert_eq!((&body["step"], &body["values"]["number"]), (&"echo.ask".into(), &"13800138000".into()));
}

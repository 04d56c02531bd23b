//! The floor's page in Chromium, driven as a person would: what it shows, and what becomes of a choice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::daemon::{Daemon, PATIENCE, own_address, wait};
use super::queue::{agent, caller};

/// A page in a browser, by the protocol of its developer tools.
struct Page {
    child: Child,
    tools: WebSocket<TcpStream>,
    asked: u64,
    _profile: TempDir,
}

impl Page {
    fn open(address: &str) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium runs (Debian package chromium)");
        let mut told = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let listens = told.find_map(|line| Some(line.split_once("DevTools listening on ws://")?.1.to_owned()));
        let tools = listens.expect("it says where its tools listen");
        let tools = tools.split('/').next().expect("an address").to_owned();
        // What else it has to say must not fill the pipe.
        std::thread::spawn(move || told.for_each(drop));
        let target = http(&tools, &format!("PUT /json/new?{address}"));
        let url = target["webSocketDebuggerUrl"].as_str().expect("a page").to_owned();
        let stream = TcpStream::connect(&tools).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let (tools, _) = tungstenite::client(url, stream).expect("a WebSocket");
        Self { child, tools, asked: 0, _profile: profile }
    }

    /// What an expression of the page's is.
    fn eval(&mut self, expression: &str) -> Value {
        self.asked += 1;
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let ask = json!({ "id": self.asked, "method": "Runtime.evaluate", "params": params });
        self.tools.send(Message::text(ask.to_string())).expect("asked");
        loop {
            let Message::Text(text) = self.tools.read().expect("an answer") else { continue };
            let answer: Value = serde_json::from_str(&text).expect("JSON");
            if answer["id"] == self.asked {
                assert!(answer["result"]["exceptionDetails"].is_null(), "{answer}");
                return answer["result"]["result"]["value"].clone();
            }
        }
    }

    fn until(&mut self, expression: &str) {
        let mut seen = Value::Null;
        let page = std::cell::RefCell::new(self);
        wait(
            || {
                seen = page.borrow_mut().eval(expression);
                seen == true
            },
            || format!("{expression}\n{}", page.borrow_mut().eval("document.body.innerText")),
        );
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks the browser's tools, which keep the connection open after their answer.
fn http(address: &str, request: &str) -> Value {
    let stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut stream = BufReader::new(stream);
    write!(stream.get_mut(), "{request} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n").expect("asked");
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a header");
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)))
}

#[test]
fn the_page_shows_why_an_agent_was_chosen_and_changes_states_and_places_calls() {
    let reasons = |settings: String| format!("{settings}\n[reason.lunch]\npaid = false\n");
    let mut daemon = Daemon::start_set(own_address(), reasons, |plan| plan, &[]);
    let mut phone = agent(&daemon, "1001");
    let mut page = Page::open(&format!("http://{}/", daemon.http));
    let card = "document.querySelector('[data-agent=\"1001\"]')";
    page.until(&format!("{card}?.innerText.includes('available') === true"));
    let mut caller = caller(&daemon);
    caller.call("4001");
    let invite = phone.expect_invite();
    phone.answer(&invite);
    page.until("document.getElementById('calls').innerText.includes('agent 1001: idle')");
    let choose = |wish: &str| {
        format!(
            "(() => {{ const select = {card}.querySelector('select'); select.value = JSON.stringify({wish}); \
             if (select.selectedIndex < 0) return 'not there'; select.dispatchEvent(new Event('change')); return ''; }})()"
        )
    };
    page.until(&format!("{card}.innerText.includes('One minute more')"));
    assert_eq!(page.eval(&choose("{ state: 'acw', extend_s: 60 }")), "");
    caller.hang_up();
    phone.expect_bye();
    let state = |state: &'static str| move |agents: &Value| agents["items"][0]["state"] == state;
    daemon.json_until("/api/v1/agents", state("acw"));
    assert_eq!(page.eval(&choose("{ state: 'not_ready', reason: 'lunch' }")), "");
    daemon.json_until("/api/v1/agents", state("not_ready"));
    page.until(&format!("{card}.innerText.includes('lunch')"));
    assert_eq!(page.eval(&choose("{ state: 'available' }")), "");
    daemon.json_until("/api/v1/agents", state("available"));
    page.eval(&format!("window.prompt = () => '4003'; {card}.querySelector('button').click()"));
    let invite = phone.expect_invite();
    phone.answer(&invite);
    phone.expect_bye();
    daemon.until_idle();
    let records = daemon.stop();
    assert_eq!(records.iter().map(|record| record.called.as_str()).collect::<Vec<_>>(), ["4001", "4003"]);
}

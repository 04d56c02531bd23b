//! Starts that cannot be: one clear message and the exit code that says what kind of trouble it is.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output};

use super::daemon::own_address;

fn serve(environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trunkline"))
        .args(["serve", "--config", "config/demo.toml"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .envs(environment.iter().copied())
        .output()
        .expect("the binary runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_port_in_use_is_named() {
    let (folder, host) = (tempfile::tempdir().expect("a folder"), own_address());
    let taken = UdpSocket::bind((host, 0)).expect("a socket");
    let address = taken.local_addr().expect("bound").to_string();
    let data = folder.path().display().to_string();
    let host = host.to_string();
    let output =
        serve(&[("TRUNKLINE__SIP__UDP", &address), ("TRUNKLINE__RTP__ADDRESS", &host), ("TRUNKLINE__DATA_DIR", &data)]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains(&format!("cannot listen on UDP {address}")), "{}", told(&output));
}

#[test]
fn a_data_folder_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display().to_string();
    let output = serve(&[("TRUNKLINE__DATA_DIR", &path)]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains(&path) && told(&output).contains("data_dir"), "{}", told(&output));
}

#[test]
fn a_wrong_setting_is_named_with_its_variable() {
    let output = serve(&[("TRUNKLINE__SIP__UDP", "nowhere")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("TRUNKLINE__SIP__UDP: \"nowhere\" is not an address"), "{}", told(&output));
}

#[test]
fn ports_of_tcp_and_http_in_use_are_named_and_nothing_is_left_open() {
    for (variable, transport, setting) in
        [("TRUNKLINE__SIP__TCP", "TCP", "sip.tcp"), ("TRUNKLINE__HTTP__LISTEN", "HTTP", "http.listen")]
    {
        let (folder, host) = (tempfile::tempdir().expect("a folder"), own_address());
        let taken = std::net::TcpListener::bind((host, 0)).expect("a socket");
        let address = taken.local_addr().expect("bound").to_string();
        let (data, free) = (folder.path().display().to_string(), format!("{host}:5060"));
        let rtp = host.to_string();
        let output = serve(&[
            ("TRUNKLINE__SIP__UDP", &free),
            ("TRUNKLINE__SIP__TCP", &free),
            ("TRUNKLINE__SIP__TLS", &format!("{host}:5061")),
            ("TRUNKLINE__HTTP__LISTEN", &format!("{host}:8080")),
            ("TRUNKLINE__RTP__ADDRESS", &rtp),
            ("TRUNKLINE__DATA_DIR", &data),
            (variable, &address),
        ]);
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
        let line = told(&output);
        assert!(line.contains(&format!("on {address}")) || line.contains(&format!("{transport} {address}")), "{line}");
        assert!(line.contains(setting), "{line}");
    }
}

#[test]
fn a_data_folder_in_use_is_named() {
    let daemon = super::daemon::Daemon::start();
    let (host, data) = (own_address().to_string(), daemon.data_dir().display().to_string());
    let output = serve(&[
        ("TRUNKLINE__SIP__UDP", &format!("{host}:5060")),
        ("TRUNKLINE__SIP__TCP", &format!("{host}:5060")),
        ("TRUNKLINE__HTTP__LISTEN", &format!("{host}:8080")),
        ("TRUNKLINE__RTP__ADDRESS", &host),
        ("TRUNKLINE__DATA_DIR", &data),
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert!(told(&output).contains(&data) && told(&output).contains("another"), "{}", told(&output));
}

#[test]
fn a_broken_settings_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, "data_dir = \"var\"\n[sip\nudp = 5\n").expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_trunkline")).args(["serve", "--config"]).arg(&file).output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("broken.toml:2:"), "{}", told(&output));
}

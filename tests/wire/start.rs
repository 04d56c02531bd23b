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

//! A running Asterisk in its chroot, at a loopback address of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::daemon::wait;

/// Asterisk with the configuration that a test gives it.
pub struct Asterisk {
    child: Child,
    pub host: Ipv4Addr,
    root: PathBuf,
    folder: TempDir,
}

impl Asterisk {
    /// Starts it with what follows its transport in `pjsip.conf`, and a dialplan.
    pub fn start(host: Ipv4Addr, pjsip: &str, dialplan: &str) -> Self {
        let root = std::env::var("INTEROP_ASTERISK").expect("INTEROP_ASTERISK: run this by `make interop`");
        let root = PathBuf::from(root);
        let folder = tempfile::tempdir_in(root.join("tmp")).expect("a folder in the chroot");
        let inside = Path::new("/tmp").join(folder.path().file_name().expect("a name"));
        let inside = inside.display();
        let asterisk = format!(
            "[directories]\nastetcdir => {inside}\nastdbdir => {inside}\nastkeydir => {inside}\nastspooldir => {inside}\n\
             astrundir => {inside}\nastlogdir => {inside}\n[options]\nverbose = 3\nnocolor = yes\n"
        );
        let transport = format!("[udp]\ntype = transport\nprotocol = udp\nbind = {host}:5060\n");
        // On a loopback address that is not 127.0.0.1 the system would choose another one for its sound than it speaks of.
        let media = format!("direct_media = no\nmedia_address = {host}\nbind_rtp_to_media_address = yes\n");
        let files = [
            ("asterisk.conf", asterisk),
            ("modules.conf", "[modules]\nautoload = yes\n".to_owned()),
            ("logger.conf", "[logfiles]\nfull => notice,warning,error,verbose,dtmf\n".to_owned()),
            ("pjsip.conf", transport + &pjsip.replace("direct_media = no\n", &media)),
            ("extensions.conf", dialplan.to_owned()),
            ("rtp.conf", String::new()),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let out = std::fs::File::create(folder.path().join("out")).expect("a log");
        let child = Command::new("chroot")
            .arg(&root)
            .args(["asterisk", "-f", "-n", "-C"])
            .arg(format!("{inside}/asterisk.conf"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a log"))
            .stderr(out)
            .spawn();
        let started = Self { child: child.expect("chroot runs"), host, root, folder };
        wait(
            || started.type_in("core waitfullybooted").contains("fully booted"),
            || format!("Asterisk does not start\n{}", started.log()),
        );
        started
    }

    pub fn address(&self) -> SocketAddr {
        (self.host, 5060).into()
    }

    /// A command of its console; gives what it says.
    pub fn type_in(&self, command: &str) -> String {
        let inside = Path::new("/tmp").join(self.folder.path().file_name().expect("a name"));
        let output = Command::new("chroot")
            .arg(&self.root)
            .args(["asterisk", "-C"])
            .arg(inside.join("asterisk.conf"))
            .args(["-rx", command])
            .output();
        String::from_utf8_lossy(&output.expect("chroot runs").stdout).into_owned()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("full")).unwrap_or_default()
    }

    pub fn wait_for(&self, text: &str) {
        wait(|| self.log().contains(text), || format!("no \"{text}\" in:\n{}", self.log()));
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let calls: Vec<&str> = log.lines().filter(|line| !line.contains("config")).collect();
            eprintln!("--- Asterisk ---\n{}", calls.join("\n"));
        }
    }
}

//! Real softphones: two baresips, one over UDP and one over TCP, each with a tone of its own, through menu and queue; and one in TLS.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use trunkline::journal::RecordingState;
use trunkline::records::Disposition;

use super::certificates::Issuer;
use super::daemon::{Daemon, PATIENCE, wait};
use super::{queue, subscriptions, tls, tone};

/// A running baresip whose microphone hears a tone and whose loudspeaker writes files.
pub struct Baresip {
    child: Child,
    console: UdpSocket,
    listen: SocketAddr,
    folder: TempDir,
}

impl Baresip {
    pub fn start(account: &str, hz: u32) -> Self {
        Self::start_with(account, hz, "")
    }

    /// The same with further lines in its configuration.
    pub fn start_with(account: &str, hz: u32, more: &str) -> Self {
        // Its media leaves from the address that the system chooses, so it must be that one that it speaks of.
        Self::start_at(Ipv4Addr::LOCALHOST, account, hz, more)
    }

    /// The same at another address.
    pub fn start_at(host: Ipv4Addr, account: &str, hz: u32, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (sip, console, rtp) = (free_port(), free_port(), free_port() & !1);
        let path = folder.path().display();
        let rate = rate_for(hz);
        let config = format!(
            "poll_method epoll\nsip_listen {host}:{sip}\nrtp_ports {rtp}-{}\n\
             module_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\n{more}\
             module_tmp account.so\nmodule_app menu.so\nmodule cons.so\ncons_listen {host}:{console}\n\
             audio_source aufile,{path}/tone.wav\naudio_player aufile,{path}/play.wav\naudio_alert aufile,{path}/alert.wav\n\
             ausrc_srate {rate}\nauplay_srate {rate}\nausrc_channels 1\nauplay_channels 1\nsnd_path {path}\n",
            // Somebody else may have taken one of them meanwhile.
            rtp + 41
        );
        std::fs::write(folder.path().join("config"), config).expect("written");
        write_tone(&folder.path().join("tone.wav"), hz);
        std::fs::write(folder.path().join("accounts"), format!("{account}\n")).expect("written");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new("baresip")
            .args(["-4", "-n", &host.to_string(), "-f"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        let listen = SocketAddr::from((host, console));
        let console = UdpSocket::bind((host, 0)).expect("a socket");
        let child = child.expect("baresip runs (Debian package baresip-core)");
        Self { child, console, listen, folder }
    }

    pub fn type_in(&self, text: &str) {
        self.console.send_to(text.as_bytes(), self.listen).expect("typed");
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn wait_for(&self, text: &str) {
        wait(|| self.log().contains(text), || format!("no \"{text}\" in:\n{}", self.log()));
    }

    /// A phone that has registered: started anew where its REGISTER was refused because the machine's disk was busy, as it would ask
    /// again after half a minute only.
    pub fn registered(start: impl Fn() -> Self) -> Self {
        let mut phone = start();
        let settled = || {
            if phone.log().contains("503 Service Unavailable") {
                phone = start();
            }
            phone.log().contains("200 OK")
        };
        wait(settled, || "a baresip does not register".to_owned());
        phone
    }

    /// The sound that came over the network in a call that has ended, longest file first. The phone closes its files after it has said
    /// that the call is over, and until then their headers tell of no sample.
    pub fn heard(&self) -> Vec<i16> {
        let mut heard = Vec::new();
        let closed = || {
            let mut reader = hound::WavReader::open(self.longest_dump()).expect("a WAV file");
            heard = reader.samples::<i16>().map_while(Result::ok).collect();
            !heard.is_empty()
        };
        wait(closed, || format!("no sound in the file of what was heard\n{}", self.log()));
        heard
    }

    fn longest_dump(&self) -> PathBuf {
        let files = std::fs::read_dir(self.folder.path()).expect("the folder");
        let dumps = files.map(|f| f.expect("a file").path()).filter(|p| p.to_string_lossy().contains("-dec"));
        dumps.max_by_key(|path| path.metadata().map_or(0, |meta| meta.len())).expect("a dump of what was heard")
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- baresip ---\n{}", self.log());
        }
    }
}

pub fn free_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// A minute of a tone, which the phone plays as its microphone.
/// Samples in a second of a tone: more than a telephone's where it lies above its band.
fn rate_for(hz: u32) -> u32 {
    if hz > 3_400 { 48_000 } else { 8_000 }
}

pub fn write_tone(path: &std::path::Path, hz: u32) {
    let rate = rate_for(hz);
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).expect("a WAV file");
    for n in 0..60 * rate {
        let at = f64::from(n) / f64::from(rate) * f64::from(hz) * std::f64::consts::TAU;
        writer.write_sample((8_000.0 * at.sin()) as i16).expect("written");
    }
    writer.finalize().expect("written");
}

/// Caller (440 Hz) and agent (1 kHz) hear each other, and each is on its side of the recording.
pub fn assert_heard(recording: &[u8], caller: &Baresip, agent: &Baresip) {
    let (left, right) = tone::channels(recording);
    let middle = left.len() / 4..left.len() * 3 / 4;
    assert!(tone::share(&left[middle.clone()], 440.0) > 0.9, "the caller's tone is on the left");
    assert!(tone::share(&right[middle], 1_000.0) > 0.9, "the agent's tone is on the right");
    let (by_agent, by_caller) = (agent.heard(), caller.heard());
    tone::assert_clear(&by_agent, 440.0);
    tone::assert_clear(&by_caller, 1_000.0);
}

#[test]
fn two_baresips_talk_through_the_hotline() {
    let mut daemon = Daemon::start();
    let host = daemon.host;
    // Its agent watches for messages, too.
    let agent = Baresip::registered(|| {
        Baresip::start_with(
            &format!(
                "<sip:1001@{host};transport=udp>;auth_user=1001;auth_pass=demo;answermode=auto;regint=300;audio_codecs=pcma,pcmu"
            ),
            1000,
            "module_app mwi.so\n",
        )
    });
    subscriptions::until(&daemon, 1.0);
    let caller = Baresip::start(&format!("<sip:13900139000@{host};transport=tcp>;regint=0;audio_codecs=pcmu"), 440);
    caller.wait_for("baresip is ready");
    caller.type_in(&format!("/dial sip:4000@{host};transport=tcp\n"));
    caller.wait_for("Call established");
    // Language and menu: keys typed as a person would, once the call stands.
    caller.type_in("2");
    wait(|| daemon.journal_has("hotline.menu"), || format!("no menu\n{}\n{}", caller.log(), daemon.log()));
    caller.type_in("2");
    agent.wait_for("Call established");
    let enough = || daemon.recorded_bytes() > 48_000;
    wait(enough, || format!("no recording grows\n{}\n{}", agent.log(), daemon.log()));
    // It has taken what it was told, or its subscription would be gone.
    subscriptions::until(&daemon, 1.0);
    assert!(!agent.log().contains("mwi: subscription for"), "{}", agent.log());
    caller.type_in("/hangup\n");
    wait(|| daemon.journal_has("recording_closed"), || "the recording is not closed".to_owned());
    let records = daemon.stop();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(record.disposition, Disposition::Answered);
    assert!(record.path.contains(&"hotline.support".to_owned()), "{:?}", record.path);
    assert_eq!(record.language.as_deref(), Some("en"));
    assert_eq!((record.codec_in.as_deref(), record.codec_out.as_deref()), (Some("PCMU"), Some("PCMU")));
    assert_eq!(record.recording.as_ref().and_then(|recording| recording.state), Some(RecordingState::Complete));
    assert_heard(&daemon.recording(record), &caller, &agent);
}

#[test]
fn a_baresip_within_tls_is_rung_and_talks() {
    let ours = Issuer::new("ours");
    let (mut daemon, folder) = tls::daemon(&ours, |_, _| Vec::new());
    let host = daemon.host;
    let agent = Baresip::registered(|| {
        Baresip::start_with(
            &format!(
                "<sip:1001@{host}:5061;transport=tls>;auth_user=1001;auth_pass=demo;answermode=auto;regint=300;audio_codecs=pcma"
            ),
            1000,
            &format!("sip_cafile {}\n", folder.file("trust.pem")),
        )
    });
    let mut caller = queue::caller(&daemon);
    caller.call("4001");
    agent.wait_for("Call established");
    let since = Instant::now();
    while tone::share(&caller.ear.hear(25), 1_000.0) < 0.9 {
        assert!(since.elapsed() < PATIENCE, "the agent's tone is not heard\n{}", agent.log());
    }
    caller.hang_up();
    let records = daemon.stop();
    assert_eq!(records[0].disposition, Disposition::Answered);
}

//! TLS on real sockets of this machine, with certificates of the test's own.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::tests::{GUARD, HERE, message, options};
use super::{Limits, Net, NetError, NetEvent, NetSettings, Tls, TlsFiles};
use crate::sip::transaction::{Flow, Transmit, Transport};

type Issuer = CertifiedIssuer<'static, KeyPair>;
type Client = StreamOwned<ClientConnection, TcpStream>;

pub(super) fn issuer(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A folder with `server.pem`, its `server.key` and `ca.pem`.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new(issuer: &Issuer, name: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.issue(issuer, name);
        folder
    }

    /// A certificate for `name` in the place of the one before.
    fn issue(&self, issuer: &Issuer, name: &str) {
        let (certificate, key) = issued(issuer, name);
        self.write("server.pem", &certificate);
        self.write("server.key", &key);
        self.write("ca.pem", &issuer.pem());
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: None,
            trust: Some(self.path("ca.pem")),
        }
    }

    pub(super) fn tls(&self) -> Tls {
        Tls::open(self.files()).unwrap()
    }
}

/// A certificate for `name` and its key, as PEM.
fn issued(issuer: &Issuer, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

fn start(tls: Tls, limits: Limits) -> (Net, Receiver<NetEvent>) {
    let (deliver, events) = bounded(16);
    let settings = NetSettings {
        listen: vec![(Transport::Tls, HERE)],
        tls: Some(tls),
        dscp: 24,
        dns: None,
        capture: None,
        limits,
    };
    (Net::start(settings, deliver, Waker::noop().clone()).unwrap(), events)
}

/// What a phone of `issuer`'s world brings: with a certificate of its own where `own` names an issuer.
pub(super) fn client(trusted: &Issuer, own: Option<&Issuer>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    Arc::new(match own {
        None => config.with_no_client_auth(),
        Some(own) => {
            let (certificate, key) = issued(own, "phone.example");
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    })
}

fn connect(net: &Net, config: Arc<ClientConfig>) -> Client {
    let stream = TcpStream::connect(net.local_addresses().listen[0].1).unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    let name = ServerName::IpAddress(HERE.ip().into());
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

/// A phone's question gets through and is answered.
fn talk(net: &Net, events: &Receiver<NetEvent>, phone: &mut Client, call: &str) -> Flow {
    phone.write_all(options(call).as_bytes()).unwrap();
    let (heard, flow) = message(events);
    assert_eq!((heard.as_str(), flow.transport), (call, Transport::Tls));
    net.send(&Transmit { flow, payload: b"answer".to_vec(), peer: None });
    let mut buffer = [0; 6];
    phone.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"answer");
    flow
}

#[test]
fn a_phone_talks_within_tls_and_its_end_is_told() {
    let issuer = issuer("ours");
    let (net, events) = start(Folder::new(&issuer, "127.0.0.1").tls(), Limits::default());
    let mut phone = connect(&net, client(&issuer, None));
    let flow = talk(&net, &events, &mut phone, "one");
    phone.conn.send_close_notify();
    phone.flush().unwrap();
    assert_eq!(events.recv_timeout(GUARD).unwrap(), NetEvent::Broken { flow });
    net.stop();
}

#[test]
fn both_versions_are_spoken() {
    let issuer = issuer("ours");
    let (net, events) = start(Folder::new(&issuer, "127.0.0.1").tls(), Limits::default());
    let mut phones = Vec::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let mut phone = connect(&net, Arc::new(config));
        talk(&net, &events, &mut phone, "one");
        assert_eq!(phone.conn.protocol_version(), Some(version.version));
        // Its end would be heard in between.
        phones.push(phone);
    }
}

#[test]
fn what_is_not_tls_or_not_in_time_is_closed_unheard() {
    let issuer = issuer("ours");
    let limits = Limits { handshake: Duration::from_millis(200), handshakes: 1, ..Limits::default() };
    let (net, events) = start(Folder::new(&issuer, "127.0.0.1").tls(), limits);
    let address = net.local_addresses().listen[0].1;
    let mut plain = TcpStream::connect(address).unwrap();
    plain.set_read_timeout(Some(GUARD)).unwrap();
    plain.write_all(options("plain").as_bytes()).unwrap();
    // An alert, then the end; or a reset, where bytes were left unread.
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard);
    assert!(!heard.windows(3).any(|window| window == b"SIP"), "{heard:?}");
    let mut silent = TcpStream::connect(address).unwrap();
    silent.set_read_timeout(Some(GUARD)).unwrap();
    // The only handshake that is allowed is taken for as long as the silent one may take.
    let mut second = TcpStream::connect(address).unwrap();
    second.set_read_timeout(Some(GUARD)).unwrap();
    for stream in [&mut second, &mut silent] {
        assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), Ok(0));
    }
    while net.counters().figures().refused < 3 {
        std::thread::yield_now();
    }
    assert!(events.is_empty());
    talk(&net, &events, &mut connect(&net, client(&issuer, None)), "after");
}

#[test]
fn a_peer_without_the_certificate_that_is_asked_for_is_refused() {
    let (ours, phones, strangers) = (issuer("ours"), issuer("phones"), issuer("strangers"));
    let folder = Folder::new(&ours, "127.0.0.1");
    folder.write("phones.pem", &phones.pem());
    let tls = Tls::open(TlsFiles { client_ca: Some(folder.path("phones.pem")), ..folder.files() }).unwrap();
    let (net, events) = start(tls, Limits::default());
    for own in [None, Some(&strangers)] {
        let mut phone = connect(&net, client(&ours, own));
        // In 1.3 the client is done before the server has judged: the refusal comes with the first read.
        let refused = phone.write_all(options("stranger").as_bytes()).and_then(|()| phone.read(&mut [0; 1]));
        assert!(refused.is_err(), "{refused:?}");
    }
    let mut known = connect(&net, client(&ours, Some(&phones)));
    talk(&net, &events, &mut known, "known");
    assert!(events.is_empty());
}

#[test]
fn a_new_certificate_is_shown_and_the_old_connection_lives() {
    let (old, new) = (issuer("old"), issuer("new"));
    let folder = Folder::new(&old, "127.0.0.1");
    let tls = folder.tls();
    let (net, events) = start(tls.clone(), Limits::default());
    let mut phone = connect(&net, client(&old, None));
    talk(&net, &events, &mut phone, "before");
    folder.write("server.pem", "broken");
    assert!(tls.reload().is_err());
    let mut second = connect(&net, client(&old, None));
    talk(&net, &events, &mut second, "unchanged");
    folder.issue(&new, "127.0.0.1");
    tls.reload().unwrap();
    let mut third = connect(&net, client(&new, None));
    talk(&net, &events, &mut third, "fresh");
    let refused = connect(&net, client(&old, None)).write_all(b"x").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData, "{refused}");
    talk(&net, &events, &mut phone, "still");
}

/// A peer with this certificate, to which we connect; what came of it on both sides.
fn call_out(certificate: &Folder, ours: &Folder) -> (Option<String>, Option<NetEvent>) {
    let (net, events) = start(ours.tls(), Limits::default());
    let listener = TcpListener::bind(HERE).unwrap();
    let flow = Flow {
        transport: Transport::Tls,
        local: net.local_addresses().listen[0].1,
        remote: listener.local_addr().unwrap(),
    };
    net.send(&Transmit { flow, payload: b"called".to_vec(), peer: None });
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(GUARD)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_file(certificate.path("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate.path("server.key")).unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let mut peer = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
    let mut heard = [0; 6];
    let heard = peer.read_exact(&mut heard).ok().map(|()| String::from_utf8_lossy(&heard).into_owned());
    let told = if heard.is_none() { events.recv_timeout(GUARD).ok() } else { None };
    if let Some(NetEvent::Broken { flow: broken }) = &told {
        assert_eq!(*broken, flow);
    }
    (heard, told)
}

#[test]
fn we_call_only_who_has_the_name_and_an_issuer_that_we_trust() {
    let (ours, strangers) = (issuer("ours"), issuer("strangers"));
    let own = Folder::new(&ours, "127.0.0.1");
    assert_eq!(call_out(&Folder::new(&ours, "127.0.0.1"), &own), (Some("called".to_owned()), None));
    for wrong in [Folder::new(&ours, "127.0.0.2"), Folder::new(&strangers, "127.0.0.1")] {
        let (heard, told) = call_out(&wrong, &own);
        assert_eq!(heard, None, "nothing of the message leaves");
        assert!(matches!(told, Some(NetEvent::Broken { .. })), "{told:?}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let issuer = issuer("ours");
    let told = |change: &dyn Fn(&Folder, &mut TlsFiles)| {
        let folder = Folder::new(&issuer, "127.0.0.1");
        let mut files = folder.files();
        change(&folder, &mut files);
        Tls::open(files).unwrap_err().to_string()
    };
    let missing = told(&|folder, files| files.certificate = folder.path("none.pem"));
    assert!(missing.contains("none.pem") && missing.contains("check tls.certificate"), "{missing}");
    let empty = told(&|folder, _| folder.write("server.key", "nothing"));
    assert!(empty.contains("private key") && empty.contains("server.key") && empty.contains("tls.key"), "{empty}");
    let pair = told(&|folder, _| folder.write("server.key", &KeyPair::generate().unwrap().serialize_pem()));
    assert!(pair.contains("server.pem") && pair.contains("server.key") && pair.contains("one pair"), "{pair}");
    let issuers = told(&|folder, files| {
        folder.write("phones.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        files.client_ca = Some(folder.path("phones.pem"));
    });
    assert!(issuers.contains("phones.pem") && issuers.contains("tls.client_ca"), "{issuers}");
    let settings = NetSettings {
        listen: vec![(Transport::Wss, HERE)],
        tls: None,
        dscp: 0,
        dns: None,
        capture: None,
        limits: Limits::default(),
    };
    assert!(matches!(Net::start(settings, bounded(1).0, Waker::noop().clone()), Err(NetError::NoCertificate)));
}

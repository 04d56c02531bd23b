//! TLS 1.2 and 1.3: certificate, key and trust, read from their files at the start and again when asked.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier, WantsVersions};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The files, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, then those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who issues certificates of peers that connect; where set, a peer without one is refused.
    pub client_ca: Option<PathBuf>,
    /// Who issues certificates of peers that we connect to; the system's roots where not set.
    pub trust: Option<PathBuf>,
}

/// Why TLS cannot start, or why changed files are not taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what was tried, on what, and what to do")]
pub enum TlsError {
    #[error("cannot read {} from {}: {source}; check {setting}, the file's permissions and that it is PEM", what(setting), path.display())]
    Unreadable { setting: &'static str, path: PathBuf, source: pem::Error },
    #[error("there is no {} in {}; {setting} must name a PEM file that holds one", what(setting), path.display())]
    Empty { setting: &'static str, path: PathBuf },
    #[error("the certificate {} does not go with the key {}: {source}; tls.certificate and tls.key must be of one pair", certificate.display(), key.display())]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("a certificate in {} cannot be used: {source}; {setting} must name certificates of issuers", path.display())]
    Issuer { setting: &'static str, path: PathBuf, source: rustls::Error },
    #[error("peers' certificates cannot be checked by {}: {source}; check tls.client_ca", path.display())]
    Verifier { path: PathBuf, source: VerifierBuilderError },
    #[error("cannot write our own certificate to {}: {source}; check data_dir and its permissions", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot make a certificate: {0}; name one in tls.certificate and tls.key")]
    Making(rcgen::Error),
    #[error("TLS cannot be set up: {0}; please report this")]
    Provider(rustls::Error),
}

impl TlsError {
    /// The setting whose file is to be looked at; `None` where no file is at fault.
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { setting, .. } | Self::Empty { setting, .. } | Self::Issuer { setting, .. } => {
                Some(setting)
            }
            Self::Pair { .. } => Some("tls.key"),
            Self::Verifier { .. } => Some("tls.client_ca"),
            Self::Folder { .. } | Self::Making(_) | Self::Provider(_) => None,
        }
    }
}

fn what(setting: &str) -> &'static str {
    if setting == "tls.key" { "the private key" } else { "a certificate" }
}

/// The certificate that we show and the issuers that we trust. Clones share them: what one reads again, connections that begin
/// from then on use, and those in progress live on.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    current: Arc<watch::Sender<Contexts>>,
}

struct Contexts {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Where one cannot be read or used, or they do not fit one another.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(watch::Sender::new(read(&files)?));
        Ok(Self { files: Arc::new(files), current })
    }

    /// What is wrong with files, all of it at once, without a certificate of our own where `pair` is not set.
    pub fn check(pair: Option<(&Path, &Path)>, client_ca: Option<&Path>, trust: Option<&Path>) -> Vec<TlsError> {
        let mut wrong = Vec::new();
        if let Some((certificate, own_key)) = pair {
            wrong.extend(certificates("tls.certificate", certificate).err());
            wrong.extend(key(own_key).err());
        }
        for (setting, path) in [("tls.client_ca", client_ca), ("tls.trust", trust)] {
            wrong.extend(path.and_then(|path| issuers(setting, path).err()));
        }
        if let (true, Some((certificate, key))) = (wrong.is_empty(), pair) {
            let (client_ca, trust) = (client_ca.map(Path::to_owned), trust.map(Path::to_owned));
            let files = TlsFiles { certificate: certificate.to_owned(), key: key.to_owned(), client_ca, trust };
            wrong.extend(read(&files).err());
        }
        wrong
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// As [`Self::open`]; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.files)?;
        self.current.send_replace(fresh);
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.borrow().server))
    }

    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.current.borrow().client))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Whose certificate a peer must show: that of the name in the URI that led there, else of the address (RFC 5922 §7.1).
pub(super) fn name_of(name: Option<String>, address: IpAddr) -> io::Result<ServerName<'static>> {
    match name {
        Some(name) => ServerName::try_from(name).map_err(io::Error::other),
        None => Ok(ServerName::IpAddress(address.into())),
    }
}

fn read(files: &TlsFiles) -> Result<Contexts, TlsError> {
    let chain = certificates("tls.certificate", &files.certificate)?;
    let key = key(&files.key)?;
    let provider = Arc::new(ring::default_provider());
    let pair = |source| TlsError::Pair { certificate: files.certificate.clone(), key: files.key.clone(), source };
    let server = versions(ServerConfig::builder_with_provider(Arc::clone(&provider)))?;
    let server = match &files.client_ca {
        None => server.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(issuers("tls.client_ca", path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            server.with_client_cert_verifier(
                verifier.map_err(|source| TlsError::Verifier { path: path.clone(), source })?,
            )
        }
    };
    let server = server.with_single_cert(chain.clone(), key.clone_key()).map_err(pair)?;
    let roots = match &files.trust {
        Some(path) => issuers("tls.trust", path)?,
        None => roots_of_the_system(),
    };
    let client = client(&provider, roots)?.with_client_auth_cert(chain, key).map_err(pair)?;
    Ok(Contexts { server: Arc::new(server), client: Arc::new(client) })
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsError> {
    Ok(versions(ClientConfig::builder_with_provider(Arc::clone(provider)))?.with_root_certificates(roots))
}

/// 1.2 and 1.3: what rustls knows at all.
fn versions<S: rustls::ConfigSide>(
    builder: ConfigBuilder<S, WantsVersions>,
) -> Result<ConfigBuilder<S, WantsVerifier>, TlsError> {
    builder.with_safe_default_protocol_versions().map_err(TlsError::Provider)
}

fn certificates(setting: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { setting, path: path.to_owned(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if found.is_empty() { Err(TlsError::Empty { setting, path: path.to_owned() }) } else { Ok(found) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let setting = "tls.key";
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::Empty { setting, path: path.to_owned() },
        source => TlsError::Unreadable { setting, path: path.to_owned(), source },
    })
}

fn issuers(setting: &'static str, path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(setting, path)? {
        roots.add(certificate).map_err(|source| TlsError::Issuer { setting, path: path.to_owned(), source })?;
    }
    Ok(roots)
}

fn roots_of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a root certificate of the system cannot be read");
    }
    // Systems carry odd old roots; those that cannot be read vouch for nobody.
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        tracing::warn!("no issuer of certificates is trusted, so we connect to no peer over TLS: set tls.trust");
    }
    roots
}

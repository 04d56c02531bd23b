//! Issuers and certificates of the test's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use tempfile::TempDir;

/// Who issues certificates.
pub struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer"))
    }

    /// A certificate for `name` and its key, as PEM.
    pub fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.0).expect("signed").pem(), key.serialize_pem())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A phone that trusts this issuer alone, with a certificate of its own where `own` says by whom.
    pub fn client(&self, own: Option<&Issuer>) -> Arc<ClientConfig> {
        let config = trusting_only(self.0.der().clone());
        Arc::new(match own.map(|own| own.issue("phone.example")) {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                config.with_client_auth_cert(chain(&certificate), secret(&key)).expect("a pair")
            }
        })
    }

    /// A peer that shows a certificate for `name`.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        Arc::new(config.with_single_cert(chain(&certificate), secret(&key)).expect("a pair"))
    }
}

/// A phone that was told to trust one certificate, and has none of its own.
pub fn trusting(pem: &str) -> Arc<ClientConfig> {
    Arc::new(trusting_only(chain(pem).remove(0)).with_no_client_auth())
}

fn trusting_only(certificate: CertificateDer<'static>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    config.expect("versions").with_root_certificates(roots)
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")]
}

fn secret(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key")
}

/// A folder with a daemon's `server.pem`, `server.key`, and the issuers that it is told of.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A certificate for `name` in the place of the one before.
    pub fn renew(&self, issuer: &Issuer, name: &str) {
        let (certificate, key) = issuer.issue(name);
        self.write("server.pem", &certificate);
        self.write("server.key", &key);
    }

    pub fn write(&self, file: &str, text: &str) -> PathBuf {
        std::fs::write(self.path().join(file), text).expect("written");
        self.path().join(file)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file as settings take it.
    pub fn file(&self, file: &str) -> String {
        self.path().join(file).display().to_string()
    }
}

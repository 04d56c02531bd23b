//! A certificate of our own making, for a floor that is tried out: phones must be told to trust it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::TlsError;

/// The certificate and the key in `folder`, made for these addresses where they are not there yet: remove the folder to have
/// others made.
///
/// # Errors
/// Where the folder cannot be written.
pub fn self_signed(folder: &Path, addresses: impl IntoIterator<Item = IpAddr>) -> Result<(PathBuf, PathBuf), TlsError> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    if certificate.is_file() && key.is_file() {
        return Ok((certificate, key));
    }
    let names: Vec<String> =
        addresses.into_iter().map(|address| address.to_string()).chain(["localhost".into()]).collect();
    let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::Making)?;
    let refused = |source| TlsError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(refused)?;
    write(&key, &made.signing_key.serialize_pem(), 0o600).map_err(refused)?;
    write(&certificate, &made.cert.pem(), 0o644).map_err(refused)?;
    tracing::info!(certificate = %certificate.display(), "made a certificate; phones have to be told to trust it");
    Ok((certificate, key))
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

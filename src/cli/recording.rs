//! `trunkline recording`: keys, and the files themselves.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Exit;
use super::check::report;
use super::floor;
use crate::config::Settings;
use crate::id::CallId;
use crate::node;
use crate::store::{KeyRing, RecordingFile, UnreadableError, recorded_names, rekey_recordings, sha256};

/// Keys of recordings, and the files themselves
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline recording new-key 2026-11 >> /etc/trunkline/recording.keys\n  \
    trunkline recording rekey --config config/demo.toml\n  \
    trunkline recording verify --config config/demo.toml\n  \
    trunkline recording export 01M8DV5T2QRR2Q0T8ZXVKE1P51 --config config/demo.toml --to call.wav\n\n\
    All but new-key read the data folder, whether the floor runs or not.\n\
    Exit codes: 0 done, 1 a recording does not open or is not what was sealed, or problems in the files, 2 usage, 3 a file or disk")]
pub(super) struct Recording {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print a new master key as a line for the key file
    NewKey {
        /// Its name: letters, digits, - _ and ., such as the month
        name: String,
    },
    /// Wrap the data key of every sealed recording under the newest key; sound is not touched
    Rekey {
        /// The settings file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Open every recording to its end and compare it with its manifest
    Verify {
        /// The settings file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Write a call's recording, opened where it is sealed
    Export {
        /// The call
        call: CallId,
        /// The settings file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Where to; standard output where absent
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

impl Recording {
    pub(super) fn run(&self) -> Exit {
        let done = match &self.act {
            Act::NewKey { name } => new_key(name),
            Act::Rekey { config } => rekey(config),
            Act::Verify { config } => verify(config),
            Act::Export { call, config, to } => export(*call, config, to.as_deref()),
        };
        done.unwrap_or_else(|exit| exit)
    }
}

fn new_key(name: &str) -> Result<Exit, Exit> {
    let mut octets = [0; 32];
    random(&mut octets).map_err(|error| environment(&error))?;
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let line = format!("{name}:{hex}");
    if KeyRing::parse(&line).is_err() {
        eprintln!("\"{name}\" is no name of a key: 1 to 32 letters, digits, - _ and .");
        return Err(Exit::Usage);
    }
    println!("{line}");
    Ok(Exit::Fine)
}

fn rekey(config: &Path) -> Result<Exit, Exit> {
    let settings = settings(config)?;
    let Some(keys) = node::recording_keys(&settings).map_err(|error| environment(&error))? else {
        eprintln!("there are no keys: set recording.key_file or {}", settings.recording.keys_env);
        return Err(Exit::No);
    };
    let draw = || {
        let mut nonce = [0; 12];
        random(&mut nonce).map(|()| nonce)
    };
    let done = rekey_recordings(Path::new(&settings.data_dir), &keys, draw).map_err(|error| environment(&error))?;
    println!("{} wrapped under \"{}\", {} under it already", done.wrapped, keys.newest_name(), done.already);
    for (file, reason) in &done.refused {
        eprintln!("{file}: {reason}");
    }
    Ok(if done.refused.is_empty() { Exit::Fine } else { Exit::No })
}

fn verify(config: &Path) -> Result<Exit, Exit> {
    let settings = settings(config)?;
    let keys = node::recording_keys(&settings).map_err(|error| environment(&error))?;
    let data_dir = Path::new(&settings.data_dir);
    let (mut right, mut wrong) = (0, 0);
    for name in recorded_names(data_dir).map_err(|error| environment(&error))? {
        match verified(data_dir, &name, keys.as_deref()) {
            Ok(()) => right += 1,
            Err(reason) => {
                eprintln!("{name}: {reason}");
                wrong += 1;
            }
        }
    }
    println!("{right} right, {wrong} wrong");
    Ok(if wrong == 0 { Exit::Fine } else { Exit::No })
}

fn verified(data_dir: &Path, name: &str, keys: Option<&KeyRing>) -> Result<(), String> {
    let file = RecordingFile::open(data_dir, name, keys).map_err(|error| error.to_string())?;
    let expected = file.sha256().map(str::to_owned);
    let found = sha256(file).map_err(|error| error.to_string())?;
    match expected {
        Some(expected) if expected != found => Err(format!("its SHA-256 is {found}, its manifest says {expected}")),
        Some(_) => Ok(()),
        None => Err("its manifest has no SHA-256".to_owned()),
    }
}

fn export(call: CallId, config: &Path, to: Option<&Path>) -> Result<Exit, Exit> {
    let settings = settings(config)?;
    let keys = node::recording_keys(&settings).map_err(|error| environment(&error))?;
    let opened = RecordingFile::open(Path::new(&settings.data_dir), &call.to_string(), keys.as_deref());
    let mut file = opened.map_err(|error| {
        eprintln!("{error}");
        if matches!(error, UnreadableError::Io { .. }) { Exit::Environment } else { Exit::No }
    })?;
    let mut out: Box<dyn Write> = match to {
        None => Box::new(io::stdout().lock()),
        Some(path) => Box::new(std::fs::File::create(path).map_err(|error| {
            eprintln!("cannot write {}: {error}", path.display());
            Exit::Environment
        })?),
    };
    copy(&mut file, &mut out).map_err(|error| environment(&error))?;
    Ok(Exit::Fine)
}

fn copy(file: &mut impl Read, out: &mut impl Write) -> io::Result<()> {
    io::copy(file, out)?;
    out.flush()
}

fn settings(config: &Path) -> Result<Settings, Exit> {
    floor::load(config).map(|floor| floor.settings).map_err(|error| report(&error))
}

fn environment(error: &dyn std::fmt::Display) -> Exit {
    eprintln!("{error}");
    Exit::Environment
}

fn random(octets: &mut [u8]) -> io::Result<()> {
    let got = rustix::rand::getrandom(&mut *octets, rustix::rand::GetRandomFlags::empty())?;
    if got == octets.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

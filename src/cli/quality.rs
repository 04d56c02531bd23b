//! `trunkline quality draw`: the seeded sample of each agent's recorded calls.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Exit;
use super::records::{Format, Period, usage};
use crate::quality::{Drawn, Frame, Rules, Seed, Week, draw};
use crate::store::recorded_calls;

/// Quality sampling
#[derive(Debug, Args)]
pub(super) struct Quality {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    Draw(Draw),
}

/// Draw a random share of each agent's recorded calls; the same for the same seed
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  trunkline quality draw --config config/demo.toml --from 2026-11-23 --to 2026-11-29 \
    --seed-file seed.txt\n\n\
    The seed is 64 hexadecimal digits. Publish its commitment before the draw and the seed after it: anybody can then repeat the\n\
    draw from the frame. Exit codes: 0 fine, 1 problems in the files, 2 usage, 3 no database or a file cannot be read"
)]
struct Draw {
    #[command(flatten)]
    period: Period,
    /// The seed; drawn and told where absent
    #[arg(long, value_name = "HEX", conflicts_with = "seed_file")]
    seed: Option<String>,
    /// The file that holds the seed
    #[arg(long, value_name = "FILE")]
    seed_file: Option<PathBuf>,
    /// At least so many calls of each agent
    #[arg(long, default_value_t = 0)]
    minimum: u32,
    /// At least so many per cent of each agent's calls
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: u8,
    /// How the draw comes out
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl Quality {
    pub(super) fn run(&self) -> Exit {
        let Act::Draw(draw) = &self.act;
        draw.run().unwrap_or_else(|exit| exit)
    }
}

impl Draw {
    fn run(&self) -> Result<Exit, Exit> {
        let zone = self.period.time_zone()?;
        let week = Week::of(self.period.start_ms()?, &zone).map_err(|error| usage(&error.to_string()))?;
        let records = self.period.records()?;
        let seed = self.seed()?;
        let rules = Rules { week, zone: self.period.zone.clone(), minimum: self.minimum, percent: self.percent };
        let frame = Frame::freeze(rules, recorded_calls(&records));
        print!("{}", told(&frame, &seed, &draw(&frame, &seed), self.format));
        Ok(Exit::Fine)
    }

    fn seed(&self) -> Result<Seed, Exit> {
        let text = match (&self.seed, &self.seed_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| {
                eprintln!("cannot read the seed from {}: {error}", path.display());
                Exit::Environment
            })?,
            (None, None) => return drawn_seed(),
        };
        let bytes = read_hex(text.trim()).ok_or_else(|| usage("the seed is not 64 hexadecimal digits"))?;
        Ok(Seed::new(bytes))
    }
}

fn drawn_seed() -> Result<Seed, Exit> {
    let mut bytes = [0; 32];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(32) => {
            let seed = Seed::new(bytes);
            eprintln!("drew a seed; repeat the draw with --seed {}", seed.reveal());
            Ok(seed)
        }
        _ => {
            eprintln!("the system gives no randomness; give --seed");
            Err(Exit::Environment)
        }
    }
}

fn read_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn told(frame: &Frame, seed: &Seed, drawn: &[Drawn], format: Format) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match format {
        Format::Table => {
            let rules = frame.rules();
            let _ = writeln!(text, "week {}, frame {}", rules.week, frame.hash());
            let _ = writeln!(text, "seed's commitment {}", seed.commitment());
            drawn.iter().try_for_each(|one| {
                writeln!(text, "\nagent {}: {} of {} recorded calls", one.agent, one.sample.len(), one.of)?;
                one.sample.iter().try_for_each(|call| writeln!(text, "  {call}"))
            })
        }
        Format::Csv => writeln!(text, "agent,recorded,drawn,call_id").and_then(|()| {
            drawn.iter().try_for_each(|one| {
                let (agent, drawn) = (super::records::cell(one.agent.as_str()), one.sample.len());
                one.sample.iter().try_for_each(|call| writeln!(text, "{agent},{},{drawn},{call}", one.of))
            })
        }),
        Format::Json => drawn.iter().try_for_each(|one| {
            let line = serde_json::json!({
                "agent": one.agent, "of": one.of, "sample": one.sample, "reserve": one.reserve,
                "frame": frame.hash(), "commitment": seed.commitment(),
            });
            writeln!(text, "{line}")
        }),
    };
    text
}

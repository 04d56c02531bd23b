//! `trunkline graph`: a flow as a picture.

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::check::report;
use super::floor;
use crate::dialplan::{mermaid, svg};

/// Draw a flow: Mermaid for documents, or SVG
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trunkline graph --config config/demo.toml hotline\n  \
    trunkline graph --config config/demo.toml hotline --svg > hotline.svg\n\n\
    Exit codes: 0 drawn, 1 there is no such flow or problems in the files, 2 usage, 3 a file cannot be read")]
pub(super) struct Graph {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The flow's name
    flow: String,
    /// An SVG document instead of Mermaid
    #[arg(long)]
    svg: bool,
}

impl Graph {
    pub(super) fn run(&self) -> Exit {
        let program = match floor::load(&self.config) {
            Ok(floor) => floor.program,
            Err(error) => return report(&error),
        };
        let drawn = if self.svg { svg(&program, &self.flow) } else { mermaid(&program, &self.flow) };
        match drawn {
            Some(drawn) => {
                print!("{drawn}");
                Exit::Fine
            }
            None => {
                let known: Vec<&str> = program.flows().keys().map(String::as_str).collect();
                eprintln!("there is no flow \"{}\"; known here: {}", self.flow, known.join(", "));
                Exit::No
            }
        }
    }
}

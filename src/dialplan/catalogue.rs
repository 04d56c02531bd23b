//! The texts of the prompts, from which their audio is rendered.

use std::collections::BTreeMap;

use super::program::Program;
use super::report::{Problem, Report, Source};
use super::speech::said;
use super::table::{Table, parse};

/// Texts by prompt name and language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    texts: BTreeMap<String, BTreeMap<String, String>>,
}

impl Catalogue {
    /// Reads `[prompt.NAME] zh = "…" en = "…"`.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn read(source: &Source) -> Result<Self, Vec<Problem>> {
        let mut report = Report::default();
        let file = report.add_source(source.clone());
        let document = parse(&source.text, file, &mut report);
        let mut root = Table::new(document.get_ref(), 0..0, file);
        let texts = root.string_maps("prompt", &mut report);
        root.finish(&mut report);
        let problems = report.into_problems();
        if problems.is_empty() { Ok(Self { texts }) } else { Err(problems) }
    }

    /// Adds the texts that a machine speaks.
    pub fn add_texts(&mut self, program: &Program) {
        for (language, text) in program.texts() {
            self.texts.entry(said(text)).or_default().insert(language.to_owned(), text.to_owned());
        }
    }

    /// What a prompt says in a language.
    pub fn text(&self, language: &str, name: &str) -> Option<&str> {
        self.texts.get(name)?.get(language).map(String::as_str)
    }
}

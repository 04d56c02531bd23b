//! Texts of dialplans, spoken by a command before the first call and at each reload; each text once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::PromptError;
use crate::config::{SpeechSettings, said};
use crate::engine::{PromptId, PromptStore};

/// How long the command may take for a text.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes sure that every text is there as `<folder>/<language>/<name>.wav`.
///
/// # Errors
/// Where the command cannot be run, fails, takes too long, or what it has written cannot be played.
pub(super) fn speak(
    folder: &Path,
    settings: &SpeechSettings,
    texts: &BTreeSet<(&str, &str)>,
) -> Result<(), PromptError> {
    for (language, text) in texts {
        let path = folder.join(language).join(format!("{}.wav", said(text)));
        if path.is_file() {
            continue;
        }
        let wrong = |what: String| PromptError { path: path.clone(), what };
        fs::create_dir_all(folder.join(language)).map_err(|error| wrong(error.to_string()))?;
        let new = path.with_extension("new.wav");
        run(settings, language, text, &new).map_err(|why| wrong(format!("\"{text}\" cannot be spoken: {why}")))?;
        let bytes = fs::read(&new).map_err(|error| wrong(format!("the speech command wrote nothing: {error}")))?;
        let played = PromptStore::default().add_prompt_file(PromptId(0), &bytes, 0);
        played.map_err(|error| wrong(error.to_string()))?;
        fs::rename(&new, &path).map_err(|error| wrong(error.to_string()))?;
        tracing::info!(language, text, "a text of the dialplan is spoken");
    }
    Ok(())
}

fn run(settings: &SpeechSettings, language: &str, text: &str, file: &Path) -> Result<(), String> {
    let voice = settings.voices.get(language).map_or(language, String::as_str);
    let file = file.display().to_string();
    let put_in = |word: &String| word.replace("{voice}", voice).replace("{file}", &file).replace("{text}", text);
    let mut words = settings.command.iter().map(put_in);
    let program = words.next().unwrap_or_default();
    let child =
        Command::new(&program).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.map_err(|error| format!("{program}: {error}; install it or set speech.command"))?;
    let status = wait(child)?;
    if status.success() { Ok(()) } else { Err(format!("{program} ends with {status}")) }
}

/// A command that hangs is killed.
fn wait(mut child: Child) -> Result<std::process::ExitStatus, String> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
    let (sender, ended) = crossbeam_channel::bounded(1);
    let waiter = std::thread::spawn(move || {
        // Whoever has lost patience does not listen.
        let _ = sender.send(child.wait());
    });
    let status = match ended.recv_timeout(PATIENCE) {
        Ok(status) => status.map_err(|error| error.to_string()),
        Err(_) => {
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            Err(format!("it takes more than {} seconds", PATIENCE.as_secs()))
        }
    };
    let _ = waiter.join();
    status
}

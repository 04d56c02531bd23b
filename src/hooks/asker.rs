//! Questions of dialplans: asked by a few threads, each answered once, late or never kept for ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Hook, Poster};
use crate::id::CallId;

/// Questions under way at one time.
const THREADS: usize = 8;
/// Questions that may wait for a thread; one more counts as not answered.
const BACKLOG: usize = 256;

/// Something that a call's plan wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose plan asks.
    pub call: CallId,
    /// Comes back in the answer.
    pub id: u32,
    /// Whom.
    pub hook: String,
    /// The same when the same thing is asked again.
    pub key: String,
    /// JSON.
    pub body: String,
    /// How long an answer counts.
    pub timeout: Duration,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose plan asked.
    pub call: CallId,
    /// As in the question.
    pub id: u32,
    /// The values of the answer's JSON object that are texts, numbers or truths; or what was in the way.
    pub reply: Result<BTreeMap<String, String>, String>,
}

/// The threads that ask.
pub struct Asker {
    questions: Option<Sender<Question>>,
    answers: Sender<Answer>,
    threads: Vec<JoinHandle<()>>,
}

impl Asker {
    /// Threads that ask `hooks`, where there are any, and put answers into the channel that is given back, ringing `waker`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(hooks: Vec<Hook>, poster: &Poster, waker: &Waker) -> std::io::Result<(Self, Receiver<Answer>)> {
        // Every question has an answer, and there are never more than wait and are being asked.
        let (answers, told) = bounded(2 * (BACKLOG + THREADS));
        let (questions, asked) = bounded(BACKLOG);
        let mut asker = Self { questions: Some(questions), answers, threads: Vec::new() };
        let count = if hooks.is_empty() { 0 } else { THREADS };
        let hooks: Arc<BTreeMap<String, Hook>> =
            Arc::new(hooks.into_iter().map(|hook| (hook.name.clone(), hook)).collect());
        for _ in 0..count {
            let (asked, answers, waker) = (Receiver::clone(&asked), asker.answers.clone(), waker.clone());
            let (hooks, poster) = (Arc::clone(&hooks), poster.clone());
            let work = move || {
                for question in asked {
                    let answer = ask(&hooks, &poster, question);
                    // Whoever has stopped to listen is stopping.
                    let _ = answers.try_send(answer);
                    waker.wake_by_ref();
                }
            };
            asker.threads.push(std::thread::Builder::new().name("asker".into()).spawn(work)?);
        }
        Ok((asker, told))
    }

    /// Asks; where too many wait, the answer is that, at once.
    pub fn ask(&self, question: Question) {
        let (call, id) = (question.call, question.id);
        let sent = self.questions.as_ref().is_some_and(|questions| questions.try_send(question).is_ok());
        if !sent {
            let reply = Err("too many questions wait".to_owned());
            let _ = self.answers.try_send(Answer { call, id, reply });
        }
    }
}

impl Drop for Asker {
    /// Questions that wait are forgotten; those being asked end with their timeout.
    fn drop(&mut self) {
        self.questions = None;
    }
}

fn ask(hooks: &BTreeMap<String, Hook>, poster: &Poster, question: Question) -> Answer {
    let Question { call, id, hook, key, body, timeout } = question;
    let at_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let reply = match hooks.get(&hook) {
        Some(hook) => poster.post(hook, &key, &body, timeout, at_s).and_then(|text| fields(&text)),
        None => Err(format!("the settings have no webhook \"{hook}\"")),
    };
    Answer { call, id, reply }
}

/// The values of a JSON object that are no lists and no objects; an empty text counts as one without any.
fn fields(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("its answer is no JSON object: {error}"))?;
    let plain = |(name, value): (String, serde_json::Value)| match value {
        serde_json::Value::String(text) => Some((name, text)),
        serde_json::Value::Number(number) => Some((name, number.to_string())),
        serde_json::Value::Bool(truth) => Some((name, truth.to_string())),
        _ => None,
    };
    Ok(object.into_iter().filter_map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_of_an_object_are_taken() {
        let told = fields("{\"a\": \"x\", \"b\": 2, \"c\": true, \"d\": [1], \"e\": null}").expect("an object");
        let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, [("a", "x"), ("b", "2"), ("c", "true")]);
        assert_eq!(fields(" "), Ok(BTreeMap::new()));
        assert!(fields("[1]").is_err() && fields("oops").is_err());
    }
}

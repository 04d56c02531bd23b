//! A flow as a picture: Mermaid for documents, SVG for looking at.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use super::action::Action;
use super::program::{Program, StepRef};

/// What is written beside an arrow.
type Edge = (String, StepRef);

const WIDTH: usize = 190;
const HEIGHT: usize = 44;
const GAP_X: usize = 40;
const GAP_Y: usize = 70;

/// The steps that a flow reaches, other flows as one box each.
struct Picture<'a> {
    program: &'a Program,
    flow: &'a str,
    /// Where each step stands: row and column.
    places: BTreeMap<StepRef, (usize, usize)>,
    rows: Vec<usize>,
}

/// The flow in Mermaid's language; `None` where there is no such flow.
pub fn mermaid(program: &Program, flow: &str) -> Option<String> {
    let picture = Picture::of(program, flow)?;
    let mut text = String::from("flowchart TD\n");
    for step in picture.places.keys() {
        let (name, kind) = picture.label(*step);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  s{}[\"{}<br/>{}\"]", step.0, quoted(&name), quoted(&kind));
    }
    for (from, label, to) in picture.edges() {
        let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", quoted(&label)) };
        let _ = writeln!(text, "  s{} -->{label} s{}", from.0, to.0);
    }
    Some(text)
}

/// The flow as an SVG document; `None` where there is no such flow.
pub fn svg(program: &Program, flow: &str) -> Option<String> {
    let picture = Picture::of(program, flow)?;
    let columns = picture.rows.iter().copied().max().unwrap_or(1);
    let (width, height) = (columns * (WIDTH + GAP_X) + GAP_X, picture.rows.len() * (HEIGHT + GAP_Y) + GAP_X);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>flow {}</title>\n<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" \
         refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#456\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(flow)
    );
    // Arrows first, so that boxes lie over them.
    for (from, label, to) in picture.edges() {
        picture.draw_edge(from, &label, to, &mut text);
    }
    for (step, place) in &picture.places {
        let (x, y) = picture.corner(*place);
        let (name, kind) = picture.label(*step);
        let colour = picture.colour(*step);
        let _ = writeln!(
            text,
            "<g><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"{colour}\" stroke=\"#456\"/>\
             <text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\" font-weight=\"bold\">{2}</text>\
             <text x=\"{0}\" y=\"{3}\" text-anchor=\"middle\" fill=\"#345\">{4}</text></g>",
            x + WIDTH / 2,
            y + 18,
            escaped(&cut(&name)),
            y + 35,
            escaped(&cut(&kind)),
        );
    }
    text.push_str("</svg>\n");
    Some(text)
}

impl<'a> Picture<'a> {
    fn of(program: &'a Program, flow: &'a str) -> Option<Self> {
        let start = program.flows.get(flow)?.start;
        let mut picture = Self { program, flow, places: BTreeMap::new(), rows: Vec::new() };
        let mut work = VecDeque::from([(start, 0)]);
        while let Some((step, row)) = work.pop_front() {
            if picture.places.contains_key(&step) {
                continue;
            }
            if picture.rows.len() <= row {
                picture.rows.push(0);
            }
            picture.places.insert(step, (row, picture.rows[row]));
            picture.rows[row] += 1;
            if picture.is_own(step) {
                work.extend(picture.exits(step).into_iter().map(|(_, next)| (next, row + 1)));
            }
        }
        Some(picture)
    }

    /// Whether a step is of this flow; of another one only its first step is drawn, for the whole.
    fn is_own(&self, step: StepRef) -> bool {
        self.program.step(step).flow == self.flow
    }

    fn label(&self, step: StepRef) -> (String, String) {
        let found = self.program.step(step);
        if self.is_own(step) {
            (found.name.clone(), told(&found.action))
        } else {
            (found.flow.clone(), "flow".to_owned())
        }
    }

    fn colour(&self, step: StepRef) -> &'static str {
        match &self.program.step(step).action {
            _ if !self.is_own(step) => "#eee",
            Action::Queue { .. } => "#d7f0d7",
            Action::Hangup { .. } | Action::Return => "#f6d9d5",
            action if action.ask().is_some() => "#dbe9fb",
            Action::When { .. } | Action::Hours { .. } | Action::Customer { .. } => "#fdf3c8",
            _ => "#fff",
        }
    }

    fn exits(&self, step: StepRef) -> Vec<Edge> {
        edges(&self.program.step(step).action)
    }

    fn edges(&self) -> Vec<(StepRef, String, StepRef)> {
        let own = self.places.keys().copied().filter(|step| self.is_own(*step));
        own.flat_map(|from| {
            // One arrow for each pair, however many keys lead along it.
            let mut arrows: Vec<(StepRef, String)> = Vec::new();
            for (label, to) in self.exits(from) {
                match arrows.iter_mut().find(|(known, _)| *known == to) {
                    Some((_, labels)) => *labels = format!("{labels}, {label}"),
                    None => arrows.push((to, label)),
                }
            }
            arrows.into_iter().map(move |(to, label)| (from, label, to)).collect::<Vec<_>>()
        })
        .collect()
    }

    fn corner(&self, (row, column): (usize, usize)) -> (usize, usize) {
        (GAP_X + column * (WIDTH + GAP_X), GAP_X / 2 + row * (HEIGHT + GAP_Y))
    }

    fn draw_edge(&self, from: StepRef, label: &str, to: StepRef, text: &mut String) {
        let (Some(a), Some(b)) = (self.places.get(&from), self.places.get(&to)) else { return };
        let ((x1, y1), (x2, y2)) = (self.corner(*a), self.corner(*b));
        let (x1, x2) = (x1 + WIDTH / 2, x2 + WIDTH / 2);
        let forward = b.0 > a.0;
        let (y1, y2) = if forward { (y1 + HEIGHT, y2) } else { (y1, y2 + HEIGHT) };
        // Backward arrows bow out to the side, so that they do not lie on the forward ones.
        let bow = if forward { 0 } else { WIDTH / 2 + 12 };
        let (middle_x, middle_y) = ((x1 + x2) / 2 + bow, (y1 + y2) / 2);
        let _ = writeln!(
            text,
            "<path d=\"M{x1} {y1}Q{middle_x} {middle_y} {x2} {y2}\" fill=\"none\" stroke=\"#456\" marker-end=\"url(#a)\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#234\" font-size=\"11\">{}</text>",
            (x1 + x2) / 2 + bow / 2,
            middle_y,
            escaped(&cut(label)),
        );
    }
}

/// Where a step leads, and by what.
fn edges(action: &Action) -> Vec<Edge> {
    let named = |label: &str, step: &StepRef| (label.to_owned(), *step);
    match action {
        Action::Menu { keys, no_input, wrong_input, .. } => {
            let keys = keys.iter().map(|(key, step)| (key.to_string(), *step));
            let wrong = (wrong_input != no_input).then(|| named("wrong", wrong_input));
            keys.chain([named("none", no_input)]).chain(wrong).collect()
        }
        Action::Gather { next, no_input, wrong_input, .. } => {
            let wrong = (wrong_input != no_input).then(|| named("wrong", wrong_input));
            [named("", next), named("none", no_input)].into_iter().chain(wrong).collect()
        }
        Action::When { cases, otherwise } => {
            let cases = (1..).zip(cases).map(|(number, (_, step))| (format!("case {number}"), *step));
            cases.chain([named("else", otherwise)]).collect()
        }
        Action::Hours { open, closed, .. } => vec![named("open", open), named("closed", closed)],
        Action::Customer { inquiry, known, unknown, .. } => {
            let failed = inquiry.as_ref().map(|inquiry| named("failed", &inquiry.failed));
            [named("known", known), named("unknown", unknown)].into_iter().chain(failed).collect()
        }
        Action::Call { start, next, .. } => vec![named("calls", start), named("then", next)],
        Action::Dial { next, .. } => vec![named("not reached", next)],
        Action::Transfer { failed, .. } => vec![named("nobody there", failed)],
        Action::Sit { next, refused, .. } => vec![named("", next), named("not let in", refused)],
        Action::Conference { keys, failed, .. } => {
            let keys = keys.iter().map(|(key, step)| (key.to_string(), *step));
            keys.chain([named("not let in", failed)]).collect()
        }
        Action::Park { timeout, empty, occupied, .. } => {
            let taken = (occupied != timeout).then(|| named("occupied", occupied));
            [named("not fetched", timeout), named("empty", empty)].into_iter().chain(taken).collect()
        }
        Action::Webhook { next, inquiry, .. } => vec![named("", next), named("failed", &inquiry.failed)],
        Action::Consent { next, refused, .. } => vec![named("yes", next), named("no", refused)],
        Action::Survey { next, no_input, .. } if next != no_input => {
            vec![named("", next), named("none", no_input)]
        }
        Action::Voicemail { next, failed, .. } | Action::Callback { next, failed, .. } => {
            vec![named("", next), named("failed", failed)]
        }
        Action::Queue { next, unstaffed, unrecorded, waiting, after, .. } => {
            let exits = [
                ("not served", next),
                ("unstaffed", unstaffed),
                ("unrecorded", unrecorded),
                ("after the conversation", after),
            ];
            let exits = exits.into_iter().filter_map(|(label, step)| Some(named(label, step.as_ref()?)));
            let keys = waiting.keys.iter().map(|(key, step)| (key.to_string(), *step));
            exits.chain(keys).chain(waiting.closing.as_ref().map(|(_, step)| named("closing", step))).collect()
        }
        other => other.exits().iter().map(|step| named("", step)).collect(),
    }
}

/// What a step does, in a few words.
fn told(action: &Action) -> String {
    match action {
        Action::Answer { .. } => "answer".to_owned(),
        Action::Ring { .. } => "ring".to_owned(),
        Action::Play { notice: true, .. } => "play, notice".to_owned(),
        Action::Play { .. } => "play".to_owned(),
        Action::Menu { .. } => "menu".to_owned(),
        Action::Gather { entry, .. } => format!("gather {}", entry.into),
        Action::Language { .. } => "language".to_owned(),
        Action::Queue { queue, .. } => format!("queue {queue}"),
        Action::Consent { .. } => "consent".to_owned(),
        Action::Survey { question, .. } => format!("survey {question}"),
        Action::Voicemail { mailbox, .. } => format!("voicemail {mailbox}"),
        Action::Dial { .. } => "dial".to_owned(),
        Action::Transfer { .. } => "transfer".to_owned(),
        Action::Sit { .. } => "sit down".to_owned(),
        Action::Conference { .. } => "conference".to_owned(),
        Action::Park { .. } => "park".to_owned(),
        Action::Webhook { inquiry, .. } => format!("webhook {}", inquiry.hook),
        Action::Callback { queue, .. } => format!("callback by {queue}"),
        Action::When { .. } => "when".to_owned(),
        Action::Set { .. } => "set".to_owned(),
        Action::Customer { inquiry: Some(inquiry), .. } => format!("customer by {}", inquiry.hook),
        Action::Customer { inquiry: None, .. } => "customer".to_owned(),
        Action::Call { .. } => "call".to_owned(),
        Action::Return => "return".to_owned(),
        Action::Echo => "echo".to_owned(),
        Action::Hangup { cause, .. } => format!("hang up, {}", cause.text),
        Action::Hours { hours, .. } => format!("hours {hours}"),
        Action::Agent { .. } => "agent".to_owned(),
        Action::Record { .. } => "record".to_owned(),
        Action::Goto { .. } => "goto".to_owned(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= 26 { text.to_owned() } else { text.chars().take(25).chain(['…']).collect() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Inside Mermaid's quotes; a hash begins an entity there.
fn quoted(text: &str) -> String {
    text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Source, Surroundings, load};
    use super::*;

    #[test]
    fn a_flow_is_drawn_with_every_step_and_arrow() {
        let text = "version = 1\nnumber.1.flow = \"f\"\nqueue.q.members = \"1001\"\nflow.f.start = \"go\"\n[flow.f.step]\n\
                    go = { do = \"answer\", next = \"menu\" }\n\
                    menu = { do = \"menu\", prompt = \"a\", keys = { 1 = \"q\", 2 = \"q\", \"#\" = \"menu\" }, no_input = \"bye\" }\n\
                    q = { do = \"queue\", queue = \"q\", next = \"bye\" }\nbye = { do = \"hangup\", cause = \"a<b\" }\n";
        let prompts = BTreeSet::from(["en/a.wav".to_owned()]);
        let surroundings = Surroundings {
            prompts: &prompts,
            agents: None,
            trunks: None,
            webhooks: None,
            beside: &BTreeMap::new(),
            year: None,
        };
        let (program, _) = load(&[Source { file: "p".into(), text: text.into() }], surroundings).expect("a plan");
        assert_eq!(mermaid(&program, "g"), None);
        assert_eq!(
            mermaid(&program, "f").as_deref(),
            Some(
                "flowchart TD\n  s0[\"bye<br/>hang up, a#lt;b\"]\n  s1[\"go<br/>answer\"]\n  s2[\"menu<br/>menu\"]\n  \
                 s3[\"q<br/>queue q\"]\n  s1 --> s2\n  s2 -->|\"#35;\"| s2\n  s2 -->|\"1, 2\"| s3\n  \
                 s2 -->|\"none\"| s0\n  s3 -->|\"not served\"| s0\n"
            )
        );
        let drawn = svg(&program, "f").expect("drawn");
        assert_eq!((drawn.matches("<g>").count(), drawn.matches("marker-end").count()), (4, 5));
        assert!(drawn.contains("a&lt;b") && !drawn.contains("a<b"));
    }
}

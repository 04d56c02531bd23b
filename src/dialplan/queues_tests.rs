//! What queues may say, and what they are told.

use std::collections::BTreeSet;

use super::super::report::{Problem, Source};
use super::*;

/// Reads one queue `q` of agents 1001 to 1004, with these lines in its table.
fn read(lines: &str) -> Result<Queue, Vec<Problem>> {
    read_warned(lines).map(|(queue, _)| queue)
}

fn read_warned(lines: &str) -> Result<(Queue, Vec<Problem>), Vec<Problem>> {
    let head = "version = 1\nnumber.1.flow = \"f\"\nflow.f.start = \"go\"\nflow.f.language = \"en\"\n[flow.f.step.go]\n\
                do = \"answer\"\nnext = \"line\"\n[flow.f.step.line]\ndo = \"queue\"\nqueue = \"q\"\n";
    let text = format!("{head}[queue.q]\nmembers = \"1001-1004\"\n{lines}\n");
    let skills = |agent: i32| {
        let english = (agent < 1_003).then(|| ("english".to_owned(), 100));
        let billing = ("billing".to_owned(), u8::try_from(agent - 940).unwrap_or(0));
        english.into_iter().chain([billing]).collect()
    };
    let agents = (1001..1005).map(|agent| (agent.to_string(), skills(agent))).collect();
    let prompts = BTreeSet::new();
    let surroundings = Surroundings {
        prompts: &prompts,
        agents: Some(&agents),
        trunks: None,
        webhooks: None,
        beside: &BTreeMap::new(),
        year: None,
    };
    let (program, warnings) = super::super::load(&[Source { file: "p.toml".into(), text }], surroundings)?;
    Ok((program.queues()["q"].clone(), warnings))
}

#[test]
fn thresholds_and_tiers_relax_by_steps() {
    let queue = read(
        "skills = { billing = 60 }\ntier = 0\ntiers = { \"1003-1004\" = 2 }\nweights = { \"1001\" = 3 }\n\
         strategy = \"rrmemory\"\nrelax = [{ after = \"10s\", skills = { billing = 40 } }, { after = \"20s\", tier = 2 }]",
    );
    let queue = queue.unwrap();
    let level = |least: u8| BTreeMap::from([("billing".to_owned(), least)]);
    assert_eq!((queue.strategy, queue.skills, queue.tier), (Strategy::RoundRobin, level(60), 0));
    let steps = [
        Relaxation { after_ms: 10_000, skills: level(40), tier: 0 },
        Relaxation { after_ms: 20_000, skills: level(40), tier: 2 },
    ];
    assert_eq!(queue.relax, steps);
    assert_eq!(queue.tiers, BTreeMap::from([("1003".to_owned(), 2), ("1004".to_owned(), 2)]));
    assert_eq!(queue.weights, BTreeMap::from([("1001".to_owned(), 3)]));
    assert_eq!(read("skills = [\"billing\"]").unwrap().skills, level(1));
}

#[test]
fn skills_that_nobody_has_are_warned_of_where_they_are_asked_for() {
    let told = |lines: &str| {
        let (_, warnings) = read_warned(lines).unwrap();
        let told = warnings.into_iter().filter(|warning| warning.message.contains("skill"));
        told.map(|p| (p.line, p.column, p.message, p.hint.unwrap_or_default())).collect::<Vec<_>>()
    };
    assert_eq!(told("skills = { billing = 64 }\nrules = [{ language = \"en\", skills = { billing = 1 } }]"), []);
    let best = "nobody who serves here has the skill \"billing\" to 65: the best has 64".to_owned();
    let give = "give it to an agent in the settings: skills = { … }".to_owned();
    assert_eq!(told("skills = { billing = 65 }"), [(13, 22, best, give)]);
    let nobody = "nobody who serves here has the skill \"biling\"".to_owned();
    let meant = "did you mean \"billing\"?".to_owned();
    let rule = told("rules = [{ language = \"en\", skills = [\"biling\"], for = \"9s\" }]");
    assert_eq!(rule, [(13, 39, nobody.clone(), meant.clone())]);
    let relax = told("relax = [{ after = \"10s\", skills = [\"biling\"] }]");
    assert_eq!(relax, [(13, 37, nobody, meant)]);
    // One has each of them, and nobody both.
    let together = |lines: &str| {
        let (_, warnings) = read_warned(lines).unwrap();
        let told = warnings.into_iter().filter(|warning| warning.message.contains("together"));
        told.map(|warning| (warning.line, warning.column)).collect::<Vec<_>>()
    };
    assert_eq!(together("skills = { billing = 64, english = 1 }"), [(13, 22)]);
    assert_eq!(together("skills = { billing = 61, english = 1 }"), []);
    let rule = "rules = [{ language = \"en\", skills = { english = 1 } }]";
    assert_eq!(together(&format!("skills = {{ billing = 64 }}\n{rule}")), [(14, 50)]);
    let relaxed = "skills = { billing = 64 }\nrelax = [{ after = \"9s\", skills = { billing = 50 } }]";
    assert_eq!(together(&format!("{relaxed}\n{rule}")), []);
}

#[test]
fn what_no_queue_can_mean_is_refused_with_what_was_meant() {
    let told = |lines: &str| {
        let problems = read(lines).expect_err("wrong");
        let told = problems.into_iter().map(|p| (p.line, p.column, p.message, p.hint.unwrap_or_default()));
        told.collect::<Vec<_>>()
    };
    let [(line, column, message, hint)] = &told("strategy = \"longest-idel\"")[..] else { panic!("one problem") };
    assert_eq!((*line, *column, message.as_str()), (13, 12, "there is no strategy \"longest-idel\""));
    assert_eq!(hint, "did you mean \"longest-idle\"?");
    assert_eq!(told("tiers = { \"1009\" = 1 }")[0].2, "\"1009\" is no member of this queue");
    assert_eq!(told("skills = { billing = 101 }")[0].2, "\"billing\" must be a whole number from 1 to 100");
    let steps = "relax = [{ after = \"20s\", tier = 1 }, { after = \"10s\", tier = 2 }]";
    assert_eq!(told(steps)[0].2, "this step does not come after the one before it");
    for rule in ["{ language = \"en\" }", "{ language = \"en\", priority = 0, for = \"5s\" }"] {
        assert_eq!(told(&format!("rules = [{rule}]"))[0].2, "the rule changes nothing");
    }
    assert_eq!(told("busy = \"0s\"")[0].2, "\"busy\" cannot be \"0s\"");
    assert_eq!(told("rejected = \"never\"")[0].2, "\"rejected\" cannot be \"never\"");
    let [(line, column, message, _)] = &told("max_no_answer = 3")[..] else { panic!("one problem") };
    assert_eq!((*line, *column), (13, 17));
    assert_eq!(message, "an agent is \"not ready\" after the first call that rings out");
}

#[test]
fn a_queue_says_who_has_to_be_there() {
    let queue = read("leave_expected_wait = \"20m\"\nresume = \"5m\"").unwrap();
    assert_eq!((queue.leave_expected_ms, queue.resume_ms), (Some(1_200_000), 300_000));
    let queue = read("join_needs = \"ready\"\nwait_needs = \"signed-in\"\nmax_expected_wait = \"10m\"").unwrap();
    let needs = (queue.join_needs, queue.wait_needs, queue.max_expected_ms);
    assert_eq!(needs, (Needs::Ready, Needs::SignedIn, Some(600_000)));
    let queue = read("").unwrap();
    assert_eq!((queue.join_needs, queue.wait_needs, queue.max_expected_ms), (Needs::Nobody, Needs::Nobody, None));
    let problems = read("join_needs = \"redy\"").expect_err("a word that nobody knows");
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert_eq!((problem.line, problem.column), (13, 14));
    assert_eq!(problem.hint.as_deref(), Some("did you mean \"ready\"?"));
}

#[test]
fn calls_that_are_not_taken_have_a_rule_each() {
    let read = |lines: &str| read(lines).unwrap().untaken;
    assert_eq!(read(""), Untaken::default());
    let untaken = read("no_answer = \"30s\"\nmax_no_answer = 3\nbusy = \"1m\"\nrejected = \"not-ready\"");
    let expected = Untaken { no_answer_ms: Some(30_000), most: Some(3), busy_ms: Some(60_000), rejected_ms: None };
    assert_eq!(untaken, expected);
}

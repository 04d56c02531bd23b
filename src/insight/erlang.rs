//! Waiting lines in formulas: callers at random instants, conversations of random (exponential) length, agents who are all alike.
//!
//! Erlang C has callers who wait for ever, Erlang A (M/M/N+M, Palm) callers whose patience is random (exponential), too.

/// What comes to a floor and how many are there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Calls in a second.
    pub rate: f64,
    /// Seconds of an agent that a call takes: talk, hold and after-call work.
    pub handling_s: f64,
    /// Agents.
    pub agents: u32,
    /// Mean patience (s); `None` where callers wait for ever.
    pub patience_s: Option<f64>,
}

/// What becomes of the callers in the long run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wait {
    /// Share of callers who do not get somebody at once (0–1).
    pub waiting: f64,
    /// Mean wait of all callers (s), whoever gives up included.
    pub mean_s: f64,
    /// Share of callers who give up (0–1).
    pub abandoned: f64,
    /// Share of the agents' time in which they work on calls (0–1).
    pub occupied: f64,
}

/// States of the line that are less likely than this beside the likeliest one count for nothing.
const NEGLIGIBLE: f64 = 1e-16;

impl Load {
    /// Agents that the calls alone would keep busy: Erlangs.
    pub fn offered(&self) -> f64 {
        self.rate * self.handling_s
    }

    /// The long run; `None` where callers wait for ever and there are too few agents, so that the line grows without end.
    pub fn wait(&self) -> Option<Wait> {
        let states = self.states()?;
        let agents = self.agents as usize;
        let waiting: f64 = states.iter().skip(agents).sum();
        let line: f64 =
            states.iter().enumerate().skip(agents).map(|(callers, share)| (callers - agents) as f64 * share).sum();
        let busy: f64 = states.iter().enumerate().map(|(callers, share)| callers.min(agents) as f64 * share).sum();
        let leave = self.patience_s.map_or(0.0, |patience_s| 1.0 / patience_s);
        Some(Wait {
            waiting,
            // Little's law.
            mean_s: line / self.rate,
            abandoned: line * leave / self.rate,
            occupied: busy / f64::from(self.agents),
        })
    }

    /// Share of all callers to whom an agent speaks within `within_s` seconds.
    pub fn served_within(&self, within_s: f64) -> Option<f64> {
        let states = self.states()?;
        let at_once: f64 = states.iter().take(self.agents as usize).sum();
        Some(at_once + self.served_of_line(states.get(self.agents as usize..).unwrap_or_default(), within_s))
    }

    /// The fewest agents with whom a `share` of callers is served within `within_s` seconds; at most 100,000 are tried.
    pub fn agents_for(&self, share: f64, within_s: f64) -> Option<u32> {
        (1..=100_000).find(|agents| {
            let load = Self { agents: *agents, ..*self };
            load.served_within(within_s).is_some_and(|served| served >= share)
        })
    }

    /// How likely it is that so many callers are there, in conversation or waiting: a chain of births and deaths.
    fn states(&self) -> Option<Vec<f64>> {
        if self.patience_s.is_none() && self.offered() >= f64::from(self.agents) {
            return None;
        }
        let leave = self.patience_s.map_or(0.0, |patience_s| 1.0 / patience_s);
        let (mut states, mut sum, mut most) = (vec![1.0_f64], 1.0_f64, 1.0_f64);
        for callers in 1_u32.. {
            let (busy, waiting) = (callers.min(self.agents), callers.saturating_sub(self.agents));
            let deaths = f64::from(busy) / self.handling_s + f64::from(waiting) * leave;
            let state = states.last().copied().unwrap_or(0.0) * self.rate / deaths;
            states.push(state);
            sum += state;
            most = most.max(state);
            if waiting > 0 && state < NEGLIGIBLE * most {
                break;
            }
        }
        Some(states.into_iter().map(|state| state / sum).collect())
    }

    /// Of those who come while all agents are busy, `line[k]` with k waiting before them: who is served in time. Each waits until
    /// those before are gone and one more conversation has ended, or gives up; the steps of that chain are counted as if they came
    /// at a common rate (uniformisation).
    fn served_of_line(&self, line: &[f64], within_s: f64) -> f64 {
        let leave = self.patience_s.map_or(0.0, |patience_s| 1.0 / patience_s);
        let free = f64::from(self.agents) / self.handling_s;
        let common = free + line.len() as f64 * leave;
        let steps_mean = common * within_s;
        let mut ahead = line.to_vec();
        let (mut served, mut share) = (0.0, 0.0);
        // Logarithms, as the first shares of many steps are too small for a number.
        let mut log_poisson = -steps_mean;
        let mut step = 0.0_f64;
        loop {
            share += log_poisson.exp() * served;
            if step > steps_mean && log_poisson < -40.0 {
                return share;
            }
            step += 1.0;
            log_poisson += steps_mean.ln() - step.ln();
            served += ahead.first().copied().unwrap_or(0.0) * free / common;
            for k in 0..ahead.len() {
                let moves = free + k as f64 * leave;
                let behind = ahead.get(k + 1).copied().unwrap_or(0.0) * (free + (k + 1) as f64 * leave);
                ahead[k] += (behind - ahead[k] * (moves + leave)) / common;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(calls: f64, window_s: f64, handling_s: f64, agents: u32) -> Load {
        Load { rate: calls / window_s, handling_s, agents, patience_s: None }
    }

    fn near(found: Option<f64>, published: f64, digits: i32) {
        let found = found.expect("a line that does not grow without end");
        assert!((found - published).abs() <= 0.5 * 10f64.powi(-digits) * 1.01, "{found} is not {published}");
    }

    /// The table of published values, `anchors.md` section 5.
    #[test]
    fn published_values_of_erlang_c() {
        let wait = |load: Load| load.wait();
        let fourteen = load(100.0, 1800.0, 180.0, 14);
        near(wait(fourteen).map(|wait| wait.waiting), 0.17413, 5);
        near(fourteen.served_within(20.0), 0.88835, 5);
        near(wait(fourteen).map(|wait| wait.mean_s), 7.836, 3);
        let fifteen = load(100.0, 1800.0, 180.0, 15);
        near(fifteen.served_within(19.8), 0.941, 3);
        near(wait(fifteen).map(|wait| wait.waiting), 0.102, 3);
        let tight = load(180.0, 1800.0, 450.0, 48);
        near(tight.served_within(10.0), 0.475386, 6);
        near(wait(tight).map(|wait| wait.mean_s), 84.1, 1);
        near(wait(load(180.0, 3600.0, 450.0, 34)).map(|wait| wait.mean_s), 0.6, 1);
        assert_eq!(load(180.0, 1800.0, 450.0, 0).agents_for(0.9, 10.0), Some(55));
        assert_eq!(load(342.0, 1800.0, 430.0, 0).agents_for(0.8, 20.0), Some(90));
        assert_eq!(load(250.0, 3600.0, 330.0, 0).agents_for(0.8, 30.0), Some(28));
        assert_eq!(load(100.0, 1800.0, 180.0, 10).wait(), None, "ten Erlangs for ten agents");
    }

    #[test]
    fn published_values_of_erlang_a() {
        let patient = |agents| Load { patience_s: Some(300.0), ..load(100.0, 1800.0, 180.0, agents) };
        let fourteen = patient(14);
        near(fourteen.wait().map(|wait| wait.waiting), 0.14526, 5);
        near(fourteen.wait().map(|wait| wait.abandoned), 0.013984, 6);
        near(fourteen.served_within(20.0), 0.916792, 6);
        near(fourteen.wait().map(|wait| wait.mean_s), 4.195, 3);
        let thirteen = patient(13);
        near(thirteen.wait().map(|wait| wait.abandoned), 0.025, 3);
        near(thirteen.served_within(20.0), 0.858, 3);
        near(thirteen.wait().map(|wait| wait.occupied), 0.750, 3);
        assert!(patient(5).wait().is_some_and(|wait| wait.abandoned > 0.5), "who gives up keeps the line short");
    }
}

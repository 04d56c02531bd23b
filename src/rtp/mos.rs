//! What loss and delay do to the ear: the E-model for G.711 (ITU-T G.107, G.113).

/// Rating without impairments, default values of G.107.
const BASE: f64 = 93.2;

/// Robustness of G.711 with packet loss concealment against random loss (G.113 Appendix I).
const ROBUSTNESS: f64 = 25.1;

/// The rating R (0–93.2) from the fraction lost (0–1) and the one-way delay from mouth to ear (ms).
pub fn r_factor(loss: f64, delay_ms: f64) -> f64 {
    let percent = if loss.is_finite() { loss.clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    let delay = if delay_ms.is_finite() { delay_ms.max(0.0) } else { 0.0 };
    let equipment = 95.0 * percent / (percent + ROBUSTNESS);
    // The usual two-slope approximation of the delay impairment: past 177 ms people begin to talk over one another.
    let lateness = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    (BASE - equipment - lateness).max(0.0)
}

/// The mean opinion score (1–4.5) of a rating (G.107 Annex B).
pub fn mos(r: f64) -> f64 {
    if r <= 0.0 {
        return 1.0;
    }
    if r >= 100.0 {
        return 4.5;
    }
    // The cubic dips below 1 for very small ratings.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points() {
        assert!((mos(r_factor(0.0, 0.0)) - 4.41).abs() < 0.01);
        assert!((mos(80.0) - 4.03).abs() < 0.01);
        assert!((mos(50.0) - 2.58).abs() < 0.01);
    }

    #[test]
    fn more_loss_or_delay_never_sounds_better() {
        let mut before = 5.0;
        for percent in 0..=100 {
            let now = mos(r_factor(f64::from(percent) / 100.0, f64::from(percent) * 10.0));
            assert!(now <= before && now >= 1.0, "{percent} %: {now}");
            before = now;
        }
    }
}

//! Figures for Prometheus, taken as they are when somebody asks.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// The media type of the text that [`render`] gives.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a figure does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; told as `name_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// `trunkline_…` in `snake_case`, with its unit, without `_total`.
    pub name: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// Labels.
    pub labels: Vec<(&'static str, String)>,
    /// Its value now.
    pub value: f64,
}

/// Figures at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds a counter without labels.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: u64) -> &mut Self {
        self.add(Figure { name, help, kind: Kind::Counter, labels: Vec::new(), value: value as f64 })
    }

    /// Adds a gauge without labels.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) -> &mut Self {
        self.add(Figure { name, help, kind: Kind::Gauge, labels: Vec::new(), value })
    }

    /// Adds any figure.
    pub fn add(&mut self, figure: Figure) -> &mut Self {
        self.0.push(figure);
        self
    }
}

/// The figures as text (OpenMetrics 1.0).
pub(super) fn render(figures: Figures) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot(figures)));
    let mut rendered = String::new();
    text::encode(&mut rendered, &registry)?;
    Ok(rendered)
}

#[derive(Debug)]
struct Snapshot(Figures);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut families: BTreeMap<&str, Vec<&Figure>> = BTreeMap::new();
        for figure in &self.0.0 {
            families.entry(figure.name).or_default().push(figure);
        }
        for (name, family) in families {
            let Some(first) = family.first().copied() else { continue };
            let kind = if first.kind == Kind::Counter { MetricType::Counter } else { MetricType::Gauge };
            let mut metric = encoder.encode_descriptor(name, first.help.trim_end_matches('.'), None, kind)?;
            for figure in family {
                let labelled = metric.encode_family(&figure.labels)?;
                match first.kind {
                    Kind::Counter => ConstCounter::new(figure.value).encode(labelled)?,
                    Kind::Gauge => ConstGauge::new(figure.value).encode(labelled)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_families_told_once() {
        let mut figures = Figures::default();
        figures.counter("trunkline_calls", "Calls offered", 3);
        for queue in ["a\"b", "c\nd"] {
            let labels = vec![("queue", queue.to_owned())];
            let (name, help) = ("trunkline_waiting", "Callers in a queue");
            figures.add(Figure { name, help, kind: Kind::Gauge, labels, value: 1.5 });
        }
        let text = render(figures).unwrap();
        assert!(text.contains("trunkline_calls_total 3"), "{text}");
        assert!(text.contains("trunkline_waiting{queue=\"a\\\"b\"} 1.5\n"), "{text}");
        assert_eq!(text.matches("# TYPE trunkline_waiting gauge").count(), 1, "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}

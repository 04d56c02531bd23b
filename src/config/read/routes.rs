//! `[[route]]`: numbers that go straight on.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::super::settings::{RouteSettings, RouteTo, TrunkSettings};
use super::Reader;
use crate::dialplan::suggest;
use crate::dialplan::table::Table;

impl Reader<'_> {
    pub(super) fn routes(
        &mut self,
        root: &mut Table<'_>,
        own: &[SocketAddr],
        trunks: &BTreeMap<String, TrunkSettings>,
    ) -> Vec<RouteSettings> {
        let mut routes = Vec::new();
        for mut table in root.tables("route", &mut self.report) {
            let prefix = table.required("prefix", &mut self.report);
            let to = self.route_to(&mut table, own, trunks);
            let strip = table.integer("strip", 0..33, 0, &mut self.report) as usize;
            let record = table.boolean("record", false, &mut self.report);
            let by_trunk = matches!(to, Some(RouteTo::Trunks(_)));
            let agents = table.boolean("agents", true, &mut self.report);
            let class = table.string("class", &mut self.report).map(|class| class.value);
            let emergency = table.boolean("emergency", false, &mut self.report);
            if emergency && (class.is_some() || !agents) {
                let hint = Some("take class and agents away".to_owned());
                self.report.problem(table.place, "every user may call emergency numbers", hint);
            }
            let from_trunks = self.trunk_names(&mut table, "from_trunks", trunks);
            // What a trunk may call at all is listed with it; from there to another trunk only by name.
            let from_trunks = if by_trunk { from_trunks } else { trunks.keys().cloned().collect() };
            table.finish(&mut self.report);
            if let (Some(prefix), Some(to)) = (prefix, to) {
                let prefix = prefix.value;
                routes.push(RouteSettings { prefix, to, strip, agents, class, emergency, from_trunks, record });
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        routes
    }

    fn route_to(
        &mut self,
        table: &mut Table<'_>,
        own: &[SocketAddr],
        trunks: &BTreeMap<String, TrunkSettings>,
    ) -> Option<RouteTo> {
        let place = table.place_of("target");
        let names = self.trunk_names(table, "trunks", trunks);
        if table.has("trunks") {
            if table.string("target", &mut self.report).is_some() {
                self.report.problem(place, "a route has a target or trunks, not both", None);
            }
            return Some(RouteTo::Trunks(names));
        }
        let mut target = table.required("target", &mut self.report)?;
        if target.value.parse::<SocketAddr>().is_ok() {
            target.value.insert_str(0, "sip:");
        }
        let place = target.place;
        let uri = self.target_uri(target, own)?;
        if uri.user.is_some() {
            let hint = Some("leave out what stands before the @: the called number takes its place".to_owned());
            self.report.problem(place, "the target of a route has a user", hint);
        }
        Some(RouteTo::Target(uri))
    }

    fn trunk_names(
        &mut self,
        table: &mut Table<'_>,
        key: &'static str,
        trunks: &BTreeMap<String, TrunkSettings>,
    ) -> Vec<String> {
        let names = table.strings(key, &mut self.report);
        for name in names.iter().filter(|name| !trunks.contains_key(&name.value)) {
            let hint = suggest(&name.value, trunks.keys().map(String::as_str));
            self.report.problem(name.place, format!("there is no trunk \"{}\"", name.value), hint);
        }
        names.into_iter().map(|name| name.value).collect()
    }
}

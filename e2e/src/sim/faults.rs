//! Fault plans: which requests go wrong, and how.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::clock::later;
use super::faultwire::Action;

/// A fault to apply to some requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// Which requests.
    #[serde(rename = "match", default)]
    pub matching: Match,
    /// What happens to them.
    pub action: Fault,
}

impl FaultPlan {
    /// A plan for the next request that matches.
    pub fn new(matching: Match, effect: Effect) -> Self {
        Self { matching, action: effect.into() }
    }

    /// Says whether the request takes effect all the same.
    #[must_use]
    pub fn commit(mut self, commit: bool) -> Self {
        self.action.commit = commit;
        self
    }
}

/// Which requests a plan is for. Absent parts match everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// A kind of host (`register`, `tenant`, `console`) or a glob on host names.
    pub host: Option<String>,
    /// HTTP method.
    pub method: Option<String>,
    /// A glob on the path, without query; `*` matches slashes too.
    pub path: Option<String>,
    /// Fire from the nth matching request on, counted from 1.
    pub nth: u32,
    /// Fire this many times; 0 for ever.
    pub count: u32,
}

impl Default for Match {
    fn default() -> Self {
        Self { host: None, method: None, path: None, nth: 1, count: 1 }
    }
}

impl Match {
    /// Requests with this method and path, on any host.
    pub fn on(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), ..Self::default() }
    }

    fn covers(&self, request: &Subject<'_>) -> bool {
        self.host.as_deref().is_none_or(|host| host == request.kind || glob(&host.to_ascii_lowercase(), request.host))
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(request.method))
            && self.path.as_deref().is_none_or(|path| glob(path, request.path))
    }
}

/// What goes wrong, and whether the request takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Action", into = "Action")]
pub struct Fault {
    /// What the client sees.
    pub effect: Effect,
    /// Whether the request takes effect.
    pub commit: bool,
}

impl From<Effect> for Fault {
    fn from(effect: Effect) -> Self {
        let commit = effect.commits_by_default();
        Self { effect, commit }
    }
}

/// What the client sees of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// An error envelope.
    Status {
        /// HTTP status.
        status: u16,
        /// Error code; `HTTP-<status>` when absent.
        code: Option<String>,
        /// Error title.
        title: Option<String>,
        /// Seconds in `retry-after`.
        retry_after: Option<u64>,
    },
    /// The connection is closed without an answer.
    Drop(When),
    /// The answer comes this many milliseconds late.
    DelayMs(u64),
    /// The answer never comes.
    Hang,
    /// The answer's body comes bit by bit.
    Trickle(Trickle),
    /// The body ends after so many bytes, short of its announced length.
    Truncate(usize),
    /// Valid JSON of a wrong shape.
    WrongType,
    /// A page of HTML instead of JSON, with status 200.
    Html,
    /// A redirect to another address.
    Redirect(String),
    /// 429 for every matching request until so many seconds after the first.
    Storm429 {
        /// Length of the storm in seconds of virtual time.
        retry_after: u64,
    },
}

impl Effect {
    /// A bare error status.
    pub fn status(status: u16) -> Self {
        Self::Status { status, code: None, title: None, retry_after: None }
    }

    /// The fault's name in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Drop(When::Before) => "dropBefore",
            Self::Drop(When::After) => "dropAfter",
            Self::DelayMs(_) => "delay",
            Self::Hang => "hang",
            Self::Trickle(_) => "trickle",
            Self::Truncate(_) => "truncate",
            Self::WrongType => "wrongType",
            Self::Html => "html",
            Self::Redirect(_) => "redirect",
            Self::Storm429 { .. } => "storm429",
        }
    }

    fn commits_by_default(&self) -> bool {
        match self {
            Self::Drop(When::After) | Self::DelayMs(_) | Self::Trickle(_) | Self::Truncate(_) | Self::WrongType => true,
            Self::Status { .. }
            | Self::Drop(When::Before)
            | Self::Hang
            | Self::Html
            | Self::Redirect(_)
            | Self::Storm429 { .. } => false,
        }
    }
}

/// When a dropped connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// Before the request takes effect.
    Before,
    /// After it did.
    After,
}

/// How slowly a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trickle {
    /// Bytes at a time.
    pub chunk: usize,
    /// Milliseconds between them.
    pub every_ms: u64,
}

/// A plan and how much of it has happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultState {
    /// The plan.
    pub plan: FaultPlan,
    /// How many requests matched.
    pub seen: u32,
    /// How often it was applied.
    pub fired: u32,
    /// When a storm that began ends.
    pub storm_ends: Option<Timestamp>,
}

impl FaultState {
    fn due(&self, now: Timestamp) -> bool {
        if let Some(ends) = self.storm_ends {
            return now < ends;
        }
        let Match { nth, count, .. } = self.plan.matching;
        self.seen >= nth && (count == 0 || self.fired < count)
    }

    fn spent(&self, now: Timestamp) -> bool {
        match self.storm_ends {
            Some(ends) => ends <= now,
            None => self.plan.matching.count != 0 && self.fired >= self.plan.matching.count,
        }
    }

    fn fire(&mut self, now: Timestamp) -> Fault {
        self.fired += 1;
        let mut fault = self.plan.action.clone();
        if let Effect::Storm429 { retry_after } = &mut fault.effect {
            let ends = *self.storm_ends.get_or_insert_with(|| later(now, Duration::from_secs(*retry_after)));
            let left = u64::try_from(ends.duration_since(now).as_millis()).unwrap_or(0);
            *retry_after = left.div_ceil(1000);
        }
        fault
    }
}

/// What plans are matched against.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'a str,
    pub(crate) host: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

/// All plans in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    plans: Vec<FaultState>,
}

impl Faults {
    /// Adds a plan.
    pub(crate) fn add(&mut self, plan: FaultPlan) {
        self.plans.push(FaultState { plan, seen: 0, fired: 0, storm_ends: None });
    }

    /// Removes all plans.
    pub(crate) fn clear(&mut self) {
        self.plans.clear();
    }

    /// The plans that are not used up.
    pub(crate) fn remaining(&self, now: Timestamp) -> Vec<FaultState> {
        self.plans.iter().filter(|state| !state.spent(now)).cloned().collect()
    }

    /// The fault for a request, if any. Every plan counts the request; the first that is due is applied.
    pub(crate) fn select(&mut self, request: &Subject<'_>, now: Timestamp) -> Option<Fault> {
        let mut chosen = None;
        for state in self.plans.iter_mut().filter(|state| state.plan.matching.covers(request)) {
            state.seen += 1;
            if chosen.is_none() && state.due(now) {
                chosen = Some(state.fire(now));
            }
        }
        chosen
    }
}

/// `*` stands for anything, `?` for one character.
fn glob(pattern: &str, text: &str) -> bool {
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => matches(rest, text),
            (Some((b'*', rest)), Some((_, tail))) => matches(rest, text) || matches(pattern, tail),
            (Some((b'?', rest)), Some((_, tail))) => matches(rest, tail),
            (Some((want, rest)), Some((have, tail))) => want == have && matches(rest, tail),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
    matches(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(method: &'a str, path: &'a str) -> Subject<'a> {
        Subject { kind: "tenant", host: "a.us.qlikcloud.com", method, path }
    }

    fn fires(faults: &mut Faults, method: &str, path: &str) -> bool {
        faults.select(&request(method, path), Timestamp::UNIX_EPOCH).is_some()
    }

    #[test]
    fn globs() {
        assert!(glob("/api/v1/tenants/*", "/api/v1/tenants/x/actions/deactivate"));
        assert!(glob("*.us.*", "a.us.qlikcloud.com"));
        assert!(glob("?.us.qlikcloud.com", "a.us.qlikcloud.com"));
        assert!(!glob("/api/v1/tenants", "/api/v1/tenants/x"));
    }

    #[test]
    fn the_nth_match_and_the_count_decide() {
        let mut faults = Faults::default();
        let matching = Match { nth: 2, count: 2, ..Match::on("patch", "/api/v1/tenants/*") };
        faults.add(FaultPlan::new(matching, Effect::status(503)));
        let path = "/api/v1/tenants/x";
        assert!(!fires(&mut faults, "GET", path));
        let fired: Vec<bool> = (0..4).map(|_| fires(&mut faults, "PATCH", path)).collect();
        assert_eq!(fired, [false, true, true, false]);
        assert!(faults.remaining(Timestamp::UNIX_EPOCH).is_empty());
    }

    #[test]
    fn hosts_match_by_kind_or_name() {
        for (host, hit) in [("tenant", true), ("register", false), ("a.us.*", true), ("b.us.*", false)] {
            let mut faults = Faults::default();
            let matching = Match { host: Some(host.to_owned()), ..Match::default() };
            faults.add(FaultPlan::new(matching, Effect::Hang));
            assert_eq!(fires(&mut faults, "GET", "/"), hit, "{host}");
        }
    }

    #[test]
    fn a_storm_lasts_its_time() {
        let mut faults = Faults::default();
        faults.add(FaultPlan::new(Match::default(), Effect::Storm429 { retry_after: 10 }));
        let at = |seconds| later(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let mut left = |seconds| match faults.select(&request("GET", "/"), at(seconds)).map(|fault| fault.effect) {
            Some(Effect::Storm429 { retry_after }) => Some(retry_after),
            _ => None,
        };
        assert_eq!([left(0), left(4), left(10)], [Some(10), Some(6), None]);
    }
}

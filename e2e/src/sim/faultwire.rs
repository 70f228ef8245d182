//! The flat JSON form of a fault's action: one key says what happens, `commit` beside it whether it takes effect.

use serde::{Deserialize, Serialize};

use super::faults::{Effect, Fault, Trickle, When};

/// Exactly one of the keys besides `code`, `title`, `retryAfter` and `commit` must be there.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Action {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hang: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trickle: Option<Trickle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong_type: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storm429: Option<Storm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Storm {
    retry_after: u64,
}

impl TryFrom<Action> for Fault {
    type Error = String;

    fn try_from(wire: Action) -> Result<Self, String> {
        let Action { status, code, title, retry_after, .. } = wire;
        let effects: Vec<Effect> = [
            status.map(|status| Effect::Status { status, code, title, retry_after }),
            wire.drop.map(Effect::Drop),
            wire.delay_ms.map(Effect::DelayMs),
            wire.hang.filter(|on| *on).map(|_| Effect::Hang),
            wire.trickle.map(Effect::Trickle),
            wire.truncate.map(Effect::Truncate),
            wire.wrong_type.filter(|on| *on).map(|_| Effect::WrongType),
            wire.html.filter(|on| *on).map(|_| Effect::Html),
            wire.redirect.map(Effect::Redirect),
            wire.storm429.map(|storm| Effect::Storm429 { retry_after: storm.retry_after }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let [effect] = <[Effect; 1]>::try_from(effects)
            .map_err(|effects| format!("an action says exactly one thing, not {}", effects.len()))?;
        if let Effect::Status { status, .. } = &effect
            && !(200..600).contains(status)
        {
            return Err(format!("{status} is not a status to answer with"));
        }
        let fault = Self::from(effect);
        match (&fault.effect, wire.commit) {
            (Effect::Drop(_), Some(commit)) if commit != fault.commit => {
                Err("`drop` says already whether the request takes effect".to_owned())
            }
            (_, commit) => Ok(Self { commit: commit.unwrap_or(fault.commit), ..fault }),
        }
    }
}

impl From<Fault> for Action {
    fn from(fault: Fault) -> Self {
        let mut wire = Self { commit: Some(fault.commit), ..Self::default() };
        match fault.effect {
            Effect::Status { status, code, title, retry_after } => {
                wire.status = Some(status);
                wire.code = code;
                wire.title = title;
                wire.retry_after = retry_after;
            }
            Effect::Drop(when) => wire.drop = Some(when),
            Effect::DelayMs(ms) => wire.delay_ms = Some(ms),
            Effect::Hang => wire.hang = Some(true),
            Effect::Trickle(trickle) => wire.trickle = Some(trickle),
            Effect::Truncate(bytes) => wire.truncate = Some(bytes),
            Effect::WrongType => wire.wrong_type = Some(true),
            Effect::Html => wire.html = Some(true),
            Effect::Redirect(to) => wire.redirect = Some(to),
            Effect::Storm429 { retry_after } => wire.storm429 = Some(Storm { retry_after }),
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(action: Value) -> Result<Fault, String> {
        serde_json::from_value(action).map_err(|error| error.to_string())
    }

    #[test]
    fn actions_are_flat_and_survive_a_round_trip() {
        for action in [
            json!({ "status": 503, "code": "X", "retryAfter": 2, "commit": true }),
            json!({ "drop": "after" }),
            json!({ "delayMs": 5 }),
            json!({ "hang": true }),
            json!({ "trickle": { "chunk": 1, "everyMs": 2 } }),
            json!({ "truncate": 7 }),
            json!({ "wrongType": true }),
            json!({ "html": true }),
            json!({ "redirect": "https://evil.example/" }),
            json!({ "storm429": { "retryAfter": 3 } }),
        ] {
            let fault = parse(action.clone()).unwrap();
            let again = parse(serde_json::to_value(&fault).unwrap()).unwrap();
            assert_eq!(fault, again, "{action}");
        }
    }

    #[test]
    fn none_two_and_contradictions_are_refused() {
        for action in [json!({}), json!({ "hang": true, "html": true }), json!({ "drop": "before", "commit": true })] {
            assert!(parse(action.clone()).is_err(), "{action}");
        }
        assert!(parse(json!({ "status": 700 })).is_err());
    }

    #[test]
    fn commit_defaults_to_what_the_fault_means() {
        assert!(!parse(json!({ "status": 500 })).unwrap().commit);
        assert!(parse(json!({ "truncate": 1 })).unwrap().commit);
        assert!(parse(json!({ "drop": "after" })).unwrap().commit);
    }
}

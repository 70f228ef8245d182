//! What earlier writes tell of a difference that is seen now: whether somebody else writes the same fields back as often as
//! this operator does, and whether Qlik Cloud shows a field at all.

use super::{Next, human};
use crate::crd::{Drift, Reason, whole_seconds};
use jiff::{SignedDuration, Timestamp};

/// What is on record of earlier writes to one counterpart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// What was last changed outside and written back.
    pub drift: Option<Drift>,
    /// Fields that were written and that Qlik Cloud did not show when it was looked at after that, by their names in its API.
    pub not_compared: Vec<String>,
    /// Fields that were not shown when they were written, and that nobody has looked at since.
    pub unseen: Vec<String>,
    /// The status does not speak of the manifest as it stands: that was not written as a whole yet.
    pub outdated: bool,
}

/// How often the same change from outside is written back before it is taken for somebody's will.
const MOST_CORRECTIONS: i32 = 3;

impl Written {
    /// Whether a field that is declared and that Qlik Cloud does not show is written. Its schemas leave many fields out, and a
    /// service may leave out what is empty: so it is written once, and again when the manifest changes or when it was shown
    /// in between.
    pub fn hidden_is_due(&self, field: &str) -> bool {
        self.outdated || !self.not_compared.iter().chain(&self.unseen).any(|known| known == field)
    }

    /// Qlik Cloud was looked at: what was written before and is not shown cannot be compared; what is shown can.
    pub fn looked(&mut self, hides: impl Fn(&str) -> bool) {
        self.not_compared.append(&mut self.unseen);
        self.not_compared.retain(|field| hides(field));
        self.not_compared.sort();
        self.not_compared.dedup();
    }

    /// Somebody else writes the same back as often as this operator does: another operator, or a script. Going on would only
    /// cost calls; people are told, and once a day it is tried again.
    pub fn fought_over<S>(&self, fields: &[&str], now: Timestamp) -> Option<Next<S>> {
        let drift = self.drift.as_ref().filter(|drift| !self.outdated && drift.fields == fields)?;
        let recent = now.duration_since(drift.corrected_at.0) < SignedDuration::from_hours(24);
        (drift.times >= MOST_CORRECTIONS && recent).then(|| {
            human(
                Reason::DriftRepeats,
                format!(
                    "{} was changed outside and written back {} times within a day, and is changed again: somebody else writes it, too \
                     (another operator, a script, people in the console). It is written back once a day now, and when spec changes",
                    fields.join(", "),
                    drift.times
                ),
            )
        })
    }

    /// What is on record once these fields were written. `hidden` are those of them that Qlik Cloud does not show.
    #[must_use]
    pub fn after(&self, fields: &[&str], hidden: impl Fn(&str) -> bool, now: Timestamp) -> Self {
        let drift = (!self.outdated).then(|| again(self.drift.as_ref(), fields, now));
        let mut unseen = self.unseen.clone();
        unseen.extend(fields.iter().filter(|field| hidden(field)).map(|&field| field.to_owned()));
        Self { drift, unseen, not_compared: self.not_compared.clone(), outdated: self.outdated }
    }
}

/// One more correction of these fields; a first one where others were changed, or two days ago.
fn again(before: Option<&Drift>, fields: &[&str], now: Timestamp) -> Drift {
    let remembered = SignedDuration::from_hours(48);
    let same = before.filter(|d| d.fields == fields && now.duration_since(d.corrected_at.0) < remembered);
    Drift {
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
        times: same.map_or(1, |before| before.times.saturating_add(1)),
        corrected_at: whole_seconds(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: [&str; 1] = ["name"];

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn the_same_drift_is_written_back_three_times_and_then_once_a_day() {
        let (mut written, mut corrected) = (Written::default(), Vec::new());
        for hour in 0..48 {
            match written.fought_over::<()>(&NAME, at(hour)) {
                None => {
                    written = written.after(&NAME, |_| false, at(hour));
                    corrected.push(hour);
                }
                Some(Next::Wait { finding, .. }) => assert_eq!(finding.reason, Reason::DriftRepeats),
                Some(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(corrected, [0, 1, 2, 26]);
        assert!(written.fought_over::<()>(&["alias"], at(48)).is_none(), "another field is another matter");
        written.outdated = true;
        assert!(written.fought_over::<()>(&NAME, at(48)).is_none(), "a new manifest is written at once");
        assert_eq!(written.after(&NAME, |_| false, at(48)).drift, None, "which is no drift");
    }

    #[test]
    fn what_is_not_shown_is_written_once_for_each_manifest() {
        let written = Written { outdated: true, ..Written::default() };
        assert!(written.hidden_is_due("name"));
        let mut written = written.after(&["flag", "name"], |field| field == "name", at(0));
        assert!(written.hidden_is_due("name"), "while the manifest is new");
        written.outdated = false;
        assert!(!written.hidden_is_due("name") && written.hidden_is_due("flag"));
        assert!(
            written.not_compared.is_empty(),
            "a service may leave out what is empty, and it was before it was written"
        );
        written.looked(|field| field == "name");
        assert!(!written.hidden_is_due("name"));
        assert_eq!(written.not_compared, ["name"]);
        written.looked(|_| false);
        assert!(written.not_compared.is_empty() && written.hidden_is_due("name"), "shown in between");
    }
}

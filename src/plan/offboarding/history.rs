//! Where an off-boarding stands, by the entries of its record alone. Pure.
//!
//! The entries are the truth and the status is made from them, so that a record that was restored without its status
//! gets its dates back.

use crate::crd::{
    Evidence, ExactTime, OffboardingEntry, OffboardingEvent, OffboardingPhase, PurgeConfirmation, PurgeWindow,
    QlikOffboardingSpec, QlikOffboardingStatus, whole_seconds,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// One call that deactivates or restarts the window, as the record has it from before it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallMade {
    /// When it was about to be made, by the operator's clock.
    pub at: Timestamp,
    /// The days that it asked for.
    pub days: i32,
}

impl CallMade {
    /// The earliest purge that it can lead to.
    fn earliest(&self) -> Timestamp {
        self.at.checked_add(SignedDuration::from_hours(24 * i64::from(self.days))).unwrap_or(Timestamp::MAX)
    }
}

/// Where an off-boarding stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Its phase.
    pub phase: OffboardingPhase,
    /// When the tenant went off, as far as known.
    pub deactivated_at: Option<Timestamp>,
    /// When it is purged.
    pub purge_at: Option<Timestamp>,
    /// How sure that is.
    pub evidence: Option<Evidence>,
    /// Since when it is over.
    pub closed_at: Option<Timestamp>,
    /// Since when Qlik Cloud says that there is no such tenant.
    pub gone_since: Option<Timestamp>,
    /// How the purge is known.
    pub confirmed_by: Option<PurgeConfirmation>,
    /// Each window.
    pub windows: Vec<PurgeWindow>,
    /// The first entry of a call: who asked, who approved, which revision.
    pub asked: Asked,
    /// Calls whose outcome is not on record.
    pub unknown: Vec<CallMade>,
    /// The last entry of a call, whatever came of it.
    pub last_call: Option<CallMade>,
}

/// Who asked for a call, as far as the cluster tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Who asked.
    pub requested_by: Option<String>,
    /// Who approved.
    pub approved_by: Option<String>,
    /// Which revision in Git the manifest came from.
    pub revision: Option<String>,
}

impl State {
    /// By a record's entries; by its status where a former version wrote it and there are none.
    pub fn of(spec: &QlikOffboardingSpec, status: Option<&QlikOffboardingStatus>) -> Self {
        if spec.entries.is_empty() {
            return status.map(Self::by_status).unwrap_or_default();
        }
        let mut entries: Vec<_> = spec.entries.iter().collect();
        entries.sort_by_key(|entry| entry.number);
        entries.into_iter().fold(Self::default(), Self::after)
    }

    fn by_status(status: &QlikOffboardingStatus) -> Self {
        let time = |at: &Option<Time>| at.as_ref().map(|at| at.0);
        let confirmed = (status.phase == OffboardingPhase::Purged).then_some(PurgeConfirmation::None);
        Self {
            phase: status.phase,
            deactivated_at: time(&status.deactivated_at),
            purge_at: status.purge_at.map(|at| at.0),
            evidence: status.evidence,
            closed_at: time(&status.closed_at),
            confirmed_by: status.purge_confirmed_by.or(confirmed),
            ..Self::default()
        }
    }

    /// The state after one more entry.
    pub(in crate::plan) fn after(mut self, entry: &OffboardingEntry) -> Self {
        let at = entry.at.0;
        match entry.event {
            OffboardingEvent::Called => self.called(entry),
            OffboardingEvent::Scheduled => self.scheduled(entry),
            OffboardingEvent::Reactivated => self.close(OffboardingPhase::Reactivated, at),
            OffboardingEvent::Cancelled => self.close(OffboardingPhase::Cancelled, at),
            OffboardingEvent::Released => self.close(OffboardingPhase::Released, at),
            OffboardingEvent::SeenGone => self.gone_since = self.gone_since.or(Some(at)),
            OffboardingEvent::SeenAgain => self.gone_since = None,
            OffboardingEvent::Purged => {
                self.close(OffboardingPhase::Purged, at);
                self.confirmed_by = entry.confirmed_by;
            }
        }
        self
    }

    fn called(&mut self, entry: &OffboardingEntry) {
        let made = CallMade { at: entry.at.0, days: entry.days.unwrap_or_default() };
        self.windows.push(PurgeWindow {
            called_at: entry.at.clone(),
            days: made.days,
            requested_by: entry.requested_by.clone(),
            purge_at: None,
            replaced: self.purge_at.map(ExactTime),
        });
        if self.last_call.is_none() {
            let OffboardingEntry { requested_by, approved_by, revision, .. } = entry.clone();
            self.asked = Asked { requested_by, approved_by, revision };
        }
        self.last_call = Some(made.clone());
        self.unknown.push(made);
    }

    fn scheduled(&mut self, entry: &OffboardingEntry) {
        self.phase = OffboardingPhase::Scheduled;
        self.closed_at = None;
        self.purge_at = entry.purge_at.map(|at| at.0);
        self.evidence = entry.evidence;
        self.deactivated_at = self.deactivated_at.or(entry.deactivated_at.as_ref().map(|at| at.0));
        if let Some(window) = self.windows.last_mut() {
            window.purge_at = entry.purge_at;
        }
        // Qlik's own word is about the last call; an estimate leaves open which of them took effect.
        if entry.evidence != Some(Evidence::Estimated) {
            self.unknown.clear();
        }
    }

    fn close(&mut self, phase: OffboardingPhase, at: Timestamp) {
        self.phase = phase;
        self.closed_at = Some(at);
        self.unknown.clear();
        if phase != OffboardingPhase::Purged {
            self.gone_since = None;
        }
    }

    /// The earliest purge that any call of unknown outcome can have led to, and never later than what is on record.
    pub fn earliest_purge(&self) -> Option<Timestamp> {
        self.unknown.iter().map(CallMade::earliest).chain(self.purge_at).min()
    }

    /// The latest purge that any of the calls can have led to: a day is allowed for the call itself, and for a date at
    /// midnight, which may stand for a whole day.
    pub fn latest_purge(&self) -> Option<Timestamp> {
        let later = |at: Timestamp| at.checked_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
        let midnight = |at: Timestamp| at.subsec_nanosecond() == 0 && at.as_second().rem_euclid(86_400) == 0;
        let noted = self.purge_at.map(|at| if midnight(at) { later(at) } else { at });
        self.unknown.iter().map(CallMade::earliest).map(later).chain(noted).max()
    }

    /// Whether the call for so many days that was announced then is on record, and no date of it yet. A window that is restarted
    /// is another one, also with as many days as before, and so is a call that is made once more after a new announcement:
    /// should that one be taken away, the record tells how long ago the last call may have been made.
    pub fn has_call(&self, days: i32, announced: Timestamp) -> bool {
        // Entries have whole seconds.
        let since = announced.checked_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN);
        let open = self.windows.iter().rev().take_while(|window| window.purge_at.is_none());
        open.filter(|window| window.called_at.0 >= since).any(|window| window.days == days)
    }

    /// Whether the window was restarted in place of this date and has the very same one: Qlik Cloud may give days only.
    pub fn restarted_to(&self, date: Timestamp) -> bool {
        let same = Some(ExactTime(date));
        self.windows.last().is_some_and(|window| window.replaced == same && window.purge_at == same)
    }

    /// The days of the window that runs, as asked for last.
    pub fn days(&self) -> Option<i32> {
        self.last_call.as_ref().map(|made| made.days)
    }

    /// What a status says of it; what a status says beside that stays as it is.
    pub fn write(&self, status: QlikOffboardingStatus) -> QlikOffboardingStatus {
        let time = |at: Option<Timestamp>| at.map(whole_seconds);
        QlikOffboardingStatus {
            phase: self.phase,
            deactivated_at: time(self.deactivated_at),
            purge_at: self.purge_at.map(ExactTime),
            evidence: self.evidence,
            closed_at: time(self.closed_at),
            requested_by: self.asked.requested_by.clone(),
            approved_by: self.asked.approved_by.clone(),
            revision: self.asked.revision.clone(),
            gone_since: time(self.gone_since),
            purge_confirmed_by: self.confirmed_by,
            windows: self.windows.clone(),
            ..status
        }
    }

    /// The entries that say the same, for a record of a former version that has none.
    pub fn entries(&self) -> Vec<OffboardingEntry> {
        let mut entries = Vec::new();
        let at = self.deactivated_at.or(self.closed_at);
        if let (Some(at), true) = (at, self.purge_at.is_some() || self.deactivated_at.is_some()) {
            entries.push(OffboardingEntry {
                deactivated_at: self.deactivated_at.map(whole_seconds),
                purge_at: self.purge_at.map(ExactTime),
                evidence: self.evidence,
                ..entry(OffboardingEvent::Scheduled, at)
            });
        }
        let end = match self.phase {
            OffboardingPhase::Reactivated => Some(OffboardingEvent::Reactivated),
            OffboardingPhase::Cancelled => Some(OffboardingEvent::Cancelled),
            OffboardingPhase::Purged => Some(OffboardingEvent::Purged),
            OffboardingPhase::Released => Some(OffboardingEvent::Released),
            OffboardingPhase::Requested | OffboardingPhase::Scheduled | OffboardingPhase::Unknown => None,
        };
        if let (Some(event), Some(at)) = (end, self.closed_at) {
            entries.push(OffboardingEntry { confirmed_by: self.confirmed_by, ..entry(event, at) });
        }
        entries
    }
}

/// An entry that says no more than what happened, and when. It has no number yet.
pub fn entry(event: OffboardingEvent, at: Timestamp) -> OffboardingEntry {
    OffboardingEntry {
        number: 0,
        at: whole_seconds(at),
        event,
        days: None,
        requested_by: None,
        approved_by: None,
        revision: None,
        deactivated_at: None,
        purge_at: None,
        evidence: None,
        confirmed_by: None,
    }
}

/// A record's entries with more at their end, numbered.
pub fn appended(spec: &QlikOffboardingSpec, more: Vec<OffboardingEntry>) -> Vec<OffboardingEntry> {
    let mut all = spec.entries.clone();
    for entry in more {
        let number = all.iter().map(|entry| entry.number).max().unwrap_or_default() + 1;
        all.push(OffboardingEntry { number, ..entry });
    }
    all
}

#[cfg(test)]
mod tests;

//! From an answer that is not good to an [`Error`].

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::envelope::Envelope;
use super::error::{Error, Reply};
use super::ids::Hostname;

/// When a 429 names no time: one fifth of the window that Qlik counts over.
const RETRY_DEFAULT: Duration = Duration::from_mins(1);
/// No answer closes a tier for longer than this.
const RETRY_MAX: Duration = Duration::from_mins(10);

/// What was asked: a 401 or 403 means something else for a token than for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Token,
    Api,
}

/// The error that an answer stands for. `retry_after` counts for 429 alone.
pub(super) fn classify(asked: Asked, host: &Hostname, status: u16, envelope: Envelope, retry_after: Duration) -> Error {
    let Envelope { code, title, detail, trace_id } = envelope;
    let reply = Box::new(Reply { host: host.clone(), status, code, title, detail, trace_id });
    match (status, asked, reply.code.as_deref()) {
        (300..400, ..) => Error::Redirected { host: host.clone(), status },
        (429, ..) => Error::Throttled { host: host.clone(), retry_after },
        // Qlik's pages give two codes for the same thing.
        (401, _, Some("TENANT_DISABLED" | "TENANT_DEACTIVATED")) => Error::TenantDisabled(reply),
        (401, Asked::Token, _) | (400, Asked::Token, Some("OAUTH-14")) => Error::BadCredentials(reply),
        (401, Asked::Api, _) => Error::Unauthorized(reply),
        (403, _, Some("TENANTS-22")) => Error::QuotaReached(reply),
        (403, _, Some("TENANTS-23")) => Error::LicenseInvalid(reply),
        (403, Asked::Token, _) => Error::BotDisabled(reply),
        (403, Asked::Api, _) => Error::Forbidden(reply),
        (404, ..) => Error::NotFound(reply),
        (412, ..) => Error::PreconditionFailed(reply),
        // A gateway may answer 408 after it had passed the request on.
        (408 | 500.., ..) => Error::Server(reply),
        (400..500, ..) => Error::Refused(reply),
        (..300, ..) => Error::Malformed { host: host.clone(), reason: "its status is not one of this call" },
    }
}

/// The time that a `Retry-After` header asks for: seconds or a date, at least one second, at most ten minutes.
pub(super) fn retry_after(header: Option<&str>, now: Timestamp) -> Duration {
    let Some(text) = header.map(str::trim) else {
        return RETRY_DEFAULT;
    };
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => http_date(text).map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default()),
    };
    asked.unwrap_or(RETRY_DEFAULT).clamp(Duration::from_secs(1), RETRY_MAX)
}

/// An HTTP date such as `Tue, 24 Nov 2026 06:58:11 GMT`.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::super::error::{Class, Effect};
    use super::*;

    fn class_of(asked: Asked, status: u16, code: Option<&str>) -> Error {
        let envelope = Envelope { code: code.map(str::to_owned), ..Envelope::default() };
        classify(asked, &"a.us.qlikcloud.com".parse().unwrap(), status, envelope, Duration::from_secs(9))
    }

    /// Asked, status and code; then label, class and effect.
    type Row = (Asked, u16, Option<&'static str>, &'static str, Class, Effect);

    #[test]
    fn table() {
        use Asked::{Api, Token};
        let none = Effect::None;
        let unknown = Effect::Unknown;
        let throttled = Class::Throttled(Duration::from_secs(9));
        let rows: &[Row] = &[
            (Api, 204, None, "malformed", Class::Transient, unknown),
            (Api, 302, None, "redirected", Class::Misconfigured, none),
            (Api, 400, Some("TENANTS-21"), "refused", Class::Refused, none),
            (Token, 400, Some("OAUTH-14"), "bad_credentials", Class::Misconfigured, none),
            (Token, 400, None, "refused", Class::Refused, none),
            (Token, 401, None, "bad_credentials", Class::Misconfigured, none),
            (Token, 401, Some("TENANT_DISABLED"), "tenant_disabled", Class::Refused, none),
            (Api, 401, Some("TENANT_DEACTIVATED"), "tenant_disabled", Class::Refused, none),
            (Api, 401, Some("OTHER"), "unauthorized", Class::Misconfigured, none),
            (Token, 403, None, "bot_disabled", Class::Misconfigured, none),
            (Api, 403, None, "forbidden", Class::Refused, none),
            (Api, 403, Some("TENANTS-22"), "quota_reached", Class::Refused, none),
            (Api, 403, Some("TENANTS-23"), "license_invalid", Class::Misconfigured, none),
            (Api, 404, Some("TENANTS-8"), "not_found", Class::Refused, none),
            (Api, 408, None, "server", Class::Transient, unknown),
            (Api, 409, None, "refused", Class::Conflict, none),
            (Api, 412, None, "precondition_failed", Class::Conflict, none),
            (Api, 429, Some("HTTP-429"), "throttled", throttled, none),
            (Token, 429, None, "throttled", throttled, none),
            (Api, 500, Some("TENANTS-24"), "server", Class::Transient, unknown),
            (Api, 503, None, "server", Class::Transient, unknown),
            (Api, 599, None, "server", Class::Transient, unknown),
        ];
        for (asked, status, code, label, class, effect) in rows {
            let error = class_of(*asked, *status, *code);
            let what = format!("{asked:?} {status} {code:?}");
            assert_eq!((error.label(), error.class(), error.effect()), (*label, *class, *effect), "{what}");
            // What became of a token request says nothing of the call that it was for.
            assert_eq!(error.before_the_call().effect(), Effect::None, "{what}");
        }
    }

    #[test]
    fn messages_are_one_sentence() {
        let envelope = Envelope {
            code: Some("TENANTS-22".into()),
            title: Some("License quota limit reached".into()),
            trace_id: Some("t1".into()),
            ..Envelope::default()
        };
        let host = "register.us.qlikcloud.com".parse().unwrap();
        let error = classify(Asked::Api, &host, 403, envelope, Duration::ZERO);
        // Without the trace, which is another one each time: the text goes into a status.
        assert_eq!(
            error.to_string(),
            "the licence allows no further tenant: register.us.qlikcloud.com answered 403, TENANTS-22, \
             License quota limit reached",
            "without the trace id, which differs each time: the text goes into a status"
        );
    }

    #[test]
    fn retry_after_forms() {
        let now: Timestamp = "2026-11-24T06:58:11Z".parse().unwrap();
        let secs = Duration::from_secs;
        for (header, wait) in [
            (None, secs(60)),
            (Some("2"), secs(2)),
            (Some(" 7 "), secs(7)),
            (Some("0"), secs(1)),
            (Some("999999999999"), secs(600)),
            (Some("soon"), secs(60)),
            (Some("-5"), secs(60)),
            (Some("Tue, 24 Nov 2026 06:58:41 GMT"), secs(30)),
            (Some("Tue, 24 Nov 2026 06:00:00 GMT"), secs(1)),
        ] {
            assert_eq!(retry_after(header, now), wait, "{header:?}");
        }
    }
}

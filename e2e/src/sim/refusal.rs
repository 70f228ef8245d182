//! Qlik's error envelope and the refusals that several APIs share.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// How an API writes `status` inside an error; Qlik's modules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorStyle {
    /// `"status": "404"`, with `traceId` (tenants).
    Text,
    /// `"status": 404`, with `traceId` (users).
    Number,
    /// `"status": 404`, without `traceId` (identity providers).
    Untraced,
    /// No `status` and no `traceId` (OAuth).
    Bare,
    /// As `Text`, with `error` and `message` beside (licences).
    Licenses,
    /// No envelope but a page in HTML: something in front of Qlik answers.
    Page,
}

/// What only some refusals have.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct More {
    pub(crate) pointer: Option<String>,
    pub(crate) meta: Option<Value>,
    pub(crate) retry_after: Option<u64>,
    /// The methods there are, for a 405.
    pub(crate) allow: Option<String>,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) title: String,
    pub(crate) detail: Option<String>,
    pub(crate) more: Box<More>,
    /// Overrides the style of the API, for errors that a layer in front of it answers.
    pub(crate) style: Option<ErrorStyle>,
}

impl Refusal {
    /// A refusal with a code Qlik documents.
    pub(crate) fn coded(status: StatusCode, code: &str, title: &str) -> Self {
        Self { status, code: code.to_owned(), title: title.to_owned(), detail: None, more: Box::default(), style: None }
    }

    /// A refusal whose code Qlik does not document: the pattern of the documented `HTTP-429` is used for all of them.
    pub(crate) fn plain(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self::coded(status, &format!("HTTP-{}", status.as_u16()), title).detail(detail)
    }

    /// 400 with a reason.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, detail)
    }

    /// 401 for a token or credential that is not accepted.
    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::plain(StatusCode::UNAUTHORIZED, detail)
    }

    /// 403 for a caller who is known and may not.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::plain(StatusCode::FORBIDDEN, detail)
    }

    /// The tenants API's documented 404.
    pub(crate) fn no_tenant() -> Self {
        Self::coded(StatusCode::NOT_FOUND, "TENANTS-8", "Not found").style(ErrorStyle::Text)
    }

    /// A 404 of something in front of Qlik, without any code.
    pub(crate) fn bare_not_found() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "no such host").style(ErrorStyle::Page)
    }

    /// The documented answer when a rate limit is used up.
    pub(crate) fn too_many(retry_after: u64) -> Self {
        let mut refusal = Self::coded(StatusCode::TOO_MANY_REQUESTS, "HTTP-429", "API rate limit reached.")
            .detail("The API rate limit for this tier has been reached. Retry later.");
        refusal.more.retry_after = Some(retry_after);
        refusal
    }

    /// Adds the human-readable part.
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Points at the offending part of the body.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.more.pointer = Some(pointer.into());
        self
    }

    /// Adds the `meta` object that tenant PATCH errors have.
    pub(crate) fn meta(mut self, code: &str, title: &str) -> Self {
        self.more.meta = Some(json!({ "code": code, "title": title }));
        self
    }

    /// Fixes the style whatever API is asked.
    pub(crate) fn style(mut self, style: ErrorStyle) -> Self {
        self.style = Some(style);
        self
    }

    /// The body to send.
    pub(crate) fn envelope(&self, style: ErrorStyle, trace: &str) -> Value {
        let style = self.style.unwrap_or(style);
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.code));
        error.insert("title".to_owned(), json!(self.title));
        if let Some(detail) = &self.detail {
            error.insert("detail".to_owned(), json!(detail));
        }
        match style {
            ErrorStyle::Text | ErrorStyle::Licenses => {
                error.insert("status".to_owned(), json!(self.status.as_u16().to_string()));
            }
            ErrorStyle::Number | ErrorStyle::Untraced => {
                error.insert("status".to_owned(), json!(self.status.as_u16()));
            }
            ErrorStyle::Bare | ErrorStyle::Page => {}
        }
        if let Some(pointer) = &self.more.pointer {
            error.insert("source".to_owned(), json!({ "pointer": pointer }));
        }
        if let Some(meta) = &self.more.meta {
            error.insert("meta".to_owned(), meta.clone());
        }
        let mut body = json!({ "errors": [error] });
        if !matches!(style, ErrorStyle::Bare | ErrorStyle::Page | ErrorStyle::Untraced) {
            body["traceId"] = json!(trace);
        }
        if style == ErrorStyle::Licenses {
            body["error"] = json!(self.title);
            body["message"] = json!(self.detail.as_deref().unwrap_or(&self.title));
        }
        body
    }
}

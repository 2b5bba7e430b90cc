//! Answers: every response of ours, in the reference's form.

use bytes::Bytes;
use fanfare_proto::websocket::deflate;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::{
    bundle::ClientFile,
    coding::Coding,
    cors,
    origin::Verdict,
    policy::Policy,
    refused::{Refused, Told},
};
use crate::dialect::Polled;

pub(super) type Ours = Response<Full<Bytes>>;

pub(super) fn payload(polled: Polled) -> Ours {
    plain(StatusCode::OK, polled.content_type, polled.body)
}

/// Says how the body is compressed.
pub(super) fn mark(answer: &mut Ours, coding: Coding) {
    let coding = HeaderValue::from_static(coding.as_str());
    answer
        .headers_mut()
        .insert(header::CONTENT_ENCODING, coding);
}

/// Keeps old browsers of Microsoft's from taking an answer's text for an attack, as the reference does.
pub(super) fn suit_old_browsers(answer: &mut Ours, request: &HeaderMap) {
    let agent = request.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/")) {
        let off = HeaderValue::from_static("0");
        answer.headers_mut().insert(header::X_XSS_PROTECTION, off);
    }
}

pub(super) fn ok() -> Ours {
    plain(StatusCode::OK, "text/html", "ok")
}

pub(super) fn preflight(policy: &Policy<'_>, verdict: &Verdict, asked: &HeaderMap) -> Ours {
    let mut answer = empty(policy.cors.preflight_status);
    cors::share(&mut answer, verdict, policy);
    cors::permit(answer.headers_mut(), &policy.cors, asked);
    answer
}

pub(super) fn switching(accept: &str, protocol: Option<&HeaderValue>, is_deflated: bool) -> Ours {
    let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if is_deflated {
        let extensions = HeaderValue::from_static(deflate::ACCEPTANCE);
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
    if let Some(protocol) = protocol.and_then(first_protocol) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    answer
}

/// A refusal, as the reference has it for plain requests and for those that want a WebSocket.
pub(super) fn refused(refused: &Refused, is_upgrade: bool) -> Ours {
    let Told {
        status,
        code,
        message,
    } = refused.told();
    if status == 503 {
        let mut answer = unavailable(message.to_owned());
        if matches!(refused, Refused::Closing) {
            // A balancer that has it open finds another server then.
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
        return answer;
    }
    if is_upgrade {
        return no_websocket(refused, message);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    match code {
        Some(code) => {
            let message = serde_json::to_string(message).unwrap_or_default();
            let body = format!(r#"{{"code":{code},"message":{message}}}"#);
            let mut answer = Response::new(Full::from(body));
            *answer.status_mut() = status;
            answer.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            answer
        }
        None if message.is_empty() => empty(status),
        None => plain(status, "text/html", message.to_owned()),
    }
}

fn no_websocket(refused: &Refused, message: &str) -> Ours {
    let mut answer = plain(StatusCode::BAD_REQUEST, "text/html", message.to_owned());
    let headers = answer.headers_mut();
    headers.remove(header::CACHE_CONTROL);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if matches!(refused, Refused::WebSocketVersion) {
        let ours = HeaderValue::from_static("13");
        headers.insert(header::SEC_WEBSOCKET_VERSION, ours);
    }
    answer
}

/// A file of the client, as the reference serves it, whatever form its body has.
pub(super) fn file(file: &ClientFile, body: Bytes) -> Ours {
    let mut answer = Response::new(Full::from(body));
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(file.content_type),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0"),
    );
    if let Ok(etag) = HeaderValue::from_str(&file.etag) {
        headers.insert(header::ETAG, etag);
    }
    answer
}

/// The client's file is the one that the browser has.
pub(super) fn not_modified() -> Ours {
    empty(StatusCode::NOT_MODIFIED)
}

pub(super) fn not_found() -> Ours {
    plain(
        StatusCode::NOT_FOUND,
        "text/plain; charset=UTF-8",
        "there is nothing here",
    )
}

fn unavailable(text: String) -> Ours {
    let mut answer = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "text/plain; charset=UTF-8",
        text,
    );
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

fn plain(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Ours {
    let mut answer = Response::new(Full::from(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn empty(status: StatusCode) -> Ours {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn first_protocol(offered: &HeaderValue) -> Option<HeaderValue> {
    let first = offered.to_str().ok()?.split(',').next()?.trim();
    HeaderValue::from_str(first)
        .ok()
        .filter(|first| !first.is_empty())
}

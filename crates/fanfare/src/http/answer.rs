//! Answers: every response of ours, in the reference's form.

use bytes::Bytes;
use fanfare_proto::engineio::{Answer, Violation};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::{bundle::ClientBundle, cors, route::Refused};
use crate::{config::Cors, dialect::Polled};

pub(super) type Ours = Response<Full<Bytes>>;

pub(super) fn payload(polled: Polled) -> Ours {
    plain(StatusCode::OK, polled.content_type, polled.body)
}

pub(super) fn ok() -> Ours {
    plain(StatusCode::OK, "text/html", "ok")
}

pub(super) fn preflight(cors: &Cors, asked: &HeaderMap) -> Ours {
    let mut answer = empty(StatusCode::NO_CONTENT);
    cors::permit(answer.headers_mut(), cors, asked);
    answer
}

pub(super) fn switching(accept: &str, protocol: Option<&HeaderValue>) -> Ours {
    let mut answer = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol.and_then(first_protocol) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    answer
}

/// A refusal, as the reference has it for plain requests and for those that want a WebSocket.
pub(super) fn refused(refused: &Refused, is_upgrade: bool) -> Ours {
    let (status, code, message) = match refused {
        Refused::Violation(violation) => {
            let Answer {
                status,
                code,
                message,
            } = Answer::from(*violation);
            (status, code, message)
        }
        Refused::Origin(message) => (403, Some(4), message.as_str()),
        Refused::Forbidden(forbidden) => (403, Some(4), forbidden.reason()),
        Refused::Handshake(message) => (400, None, message.as_str()),
        Refused::Closing => return unavailable("the server is shutting down"),
        Refused::TooMany => return unavailable(TOO_MANY),
    };
    if is_upgrade {
        let mut answer = plain(StatusCode::BAD_REQUEST, "text/html", message.to_owned());
        answer
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        return answer;
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
        None if matches!(
            refused,
            Refused::Violation(
                Violation::EmptyPacket | Violation::UnknownPacketType | Violation::MalformedPayload
            )
        ) =>
        {
            ok()
        }
        None => empty(status),
    }
}

/// A file of the client, as the reference serves it.
pub(super) fn file(bundle: &ClientBundle, name: &str, known: Option<&HeaderValue>) -> Option<Ours> {
    let file = bundle.file(name)?;
    let known = known.and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.trim_start_matches("W/") == bundle.etag()) {
        return Some(empty(StatusCode::NOT_MODIFIED));
    }
    let kind = match name.ends_with(".map") {
        true => "application/json; charset=utf-8",
        false => "application/javascript; charset=utf-8",
    };
    let mut answer = Response::new(Full::from(file.clone()));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0"),
    );
    if let Ok(etag) = HeaderValue::from_str(bundle.etag()) {
        headers.insert(header::ETAG, etag);
    }
    Some(answer)
}

pub(super) fn not_found() -> Ours {
    plain(
        StatusCode::NOT_FOUND,
        "text/plain; charset=UTF-8",
        "there is nothing here",
    )
}

fn unavailable(text: &'static str) -> Ours {
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

const TOO_MANY: &str = "too many connections of this address have not joined yet; the limit is `max_joining_per_address`";

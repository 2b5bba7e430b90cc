//! Route: what a request wants of us, and whether it may have it, in the reference's order.

use std::sync::Arc;

use fanfare_proto::{
    engineio::{Query, Revision, Transport, Violation},
    websocket::{HandshakeViolation, check_upgrade, deflate},
};
use http::{Method, header, request::Parts};

use super::{
    origin::{self, Verdict},
    policy::Policy,
    refused::Refused,
};
use crate::{
    config::{Config, Origins},
    dialect::{Dialect, WireForm},
    server::Server,
    session::Session,
};

/// What a request wants of Engine.IO.
pub(super) enum Route {
    /// A session on polling.
    Open(Dialect),
    /// What there is for the session.
    Get(Arc<Session>),
    /// Takes packets from the session.
    Post(Arc<Session>),
    /// A session on WebSocket.
    OpenWebSocket {
        accept: String,
        dialect: Dialect,
        form: WireForm,
    },
    /// The session moves to WebSocket.
    Upgrade {
        accept: String,
        session: Arc<Session>,
        form: WireForm,
    },
    /// A WebSocket that fits no session: opened, then closed.
    CloseWebSocket { accept: String },
}

impl Route {
    /// Whether its answer opens a session.
    pub(super) fn opens_session(&self) -> bool {
        match self {
            Self::Open(_) | Self::OpenWebSocket { .. } => true,
            Self::Get(_) | Self::Post(_) | Self::Upgrade { .. } | Self::CloseWebSocket { .. } => {
                false
            }
        }
    }
}

/// Whether the request asks for a WebSocket, where there are any.
pub(super) fn is_upgrade(config: &Config, parts: &Parts) -> bool {
    config.transports.have(Transport::WebSocket)
        && parts.headers.contains_key(header::UPGRADE)
        && parts
            .headers
            .get(header::CONNECTION)
            .is_some_and(|connection| {
                let tokens = connection.as_bytes().split(|byte| *byte == b',');
                tokens
                    .map(<[u8]>::trim_ascii)
                    .any(|token| token.eq_ignore_ascii_case(b"upgrade"))
            })
}

/// # Errors
///
/// What is wrong with the request, first things first.
pub(super) async fn route(
    server: &Server,
    parts: &Parts,
    policy: &Policy<'_>,
    verdict: &Verdict,
) -> Result<Route, Refused> {
    if *verdict == Verdict::Refused {
        return Err(refused_origin(&server.config, parts));
    }
    let query = query(server, parts, policy)?;
    let transport = query.transport?;
    if !server.config.transports.have(transport) {
        return Err(Violation::UnknownTransport.into());
    }
    let session = match query.sid? {
        Some(sid) => Some(server.sessions.find(&sid).ok_or(Violation::UnknownSid)?),
        None => None,
    };
    let is_upgrade = is_upgrade(&server.config, parts);
    let is_handshake = session.is_none()
        && parts.method == Method::GET
        && (is_upgrade || transport == Transport::Polling);
    if is_handshake && let Some(allow) = &server.config.allow_request {
        allow.check(parts).await?;
    }
    if is_upgrade {
        return route_upgrade(server, parts, &query, transport, session);
    }
    match session {
        Some(session) if session.dialect.revision != query.revision => {
            Err(Violation::ProtocolMismatch.into())
        }
        Some(session) if session.transport() == transport => match parts.method {
            Method::GET => Ok(Route::Get(session)),
            Method::POST => Ok(Route::Post(session)),
            _ => Err(Violation::BadMethod.into()),
        },
        Some(_) => Err(Violation::TransportMismatch.into()),
        None if parts.method != Method::GET => Err(Violation::BadHandshakeMethod.into()),
        None if transport == Transport::WebSocket => Err(Violation::BadRequest.into()),
        None if !is_spoken(server, query.revision) => Err(Violation::UnsupportedProtocol.into()),
        None if server.is_closing() => Err(Refused::Closing),
        None => Ok(Route::Open(Dialect::of(&query))),
    }
}

/// What the query asks for; scripts that call a function only where older clients may.
fn query(server: &Server, parts: &Parts, policy: &Policy<'_>) -> Result<Query, Refused> {
    let mut query = Query::parse(parts.uri.query().unwrap_or_default());
    if query.jsonp.is_some() {
        if !server.config.allow_eio3 {
            query.jsonp = None;
        } else if *policy.origins != Origins::Any && origin::is_foreign_script(&parts.headers) {
            return Err(refused_origin(&server.config, parts));
        }
    }
    Ok(query)
}

fn is_spoken(server: &Server, revision: Revision) -> bool {
    match revision {
        Revision::V3 => server.config.allow_eio3,
        Revision::V4 => true,
    }
}

fn route_upgrade(
    server: &Server,
    parts: &Parts,
    query: &Query,
    transport: Transport,
    session: Option<Arc<Session>>,
) -> Result<Route, Refused> {
    match &session {
        None if parts.method != Method::GET => {
            return Err(Violation::BadHandshakeMethod.into());
        }
        None if !is_spoken(server, query.revision) => {
            return Err(Violation::UnsupportedProtocol.into());
        }
        Some(session) if session.dialect.revision != query.revision => {
            return Err(Violation::ProtocolMismatch.into());
        }
        None | Some(_) => {}
    }
    if parts.method != Method::GET {
        return Err(Refused::Handshake("Invalid HTTP method".to_owned()));
    }
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let accept = check_upgrade(text).map_err(|wrong| match wrong {
        HandshakeViolation::Version => Refused::WebSocketVersion,
        wrong => Refused::Handshake(wrong.to_string()),
    })?;
    let form = wire_form(&server.config, query, parts);
    match (transport, session) {
        (Transport::Polling, _) => Ok(Route::CloseWebSocket { accept }),
        (Transport::WebSocket, Some(session)) => Ok(Route::Upgrade {
            accept,
            session,
            form,
        }),
        (Transport::WebSocket, None) if server.is_closing() => Err(Refused::Closing),
        (Transport::WebSocket, None) => Ok(Route::OpenWebSocket {
            accept,
            dialect: Dialect::of(query),
            form,
        }),
    }
}

/// How the WebSocket's messages look, by what the client asks for and what is offered to it.
fn wire_form(config: &Config, query: &Query, parts: &Parts) -> WireForm {
    let offers = parts.headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    let mut offers = offers.iter().filter_map(|offer| offer.to_str().ok());
    match Dialect::wire_form(query.revision, query.base64) {
        WireForm::Frames
            if config.websocket_compression.is_some() && offers.any(deflate::is_offered) =>
        {
            WireForm::Deflated
        }
        form => form,
    }
}

fn refused_origin(config: &Config, parts: &Parts) -> Refused {
    let origin = parts
        .headers
        .get(header::ORIGIN)
        .map(|origin| String::from_utf8_lossy(origin.as_bytes()));
    let origin = origin.unwrap_or_default();
    // Where there is a policy, nobody looks at the list.
    let who = match config.policy {
        Some(_) => "the server's setting `policy` says which may",
        None => "the server's setting `origins` lists those that may",
    };
    tracing::warn!(%origin, "a foreign page was refused; {who}");
    Refused::Origin(format!("origin {origin} may not connect; {who}"))
}

//! The setups: those of `setups.mjs`, by the same names and in the same order.

use std::{env, time::Duration};

use axum::http::{HeaderName, HeaderValue, request::Parts};
use fanfare::{
    AllowRequest, ClientBundle, Config, ConnectionErrorListener, Cookie, Cors, Forbidden,
    HeaderHook, Limits, Origins, ProtoLimits, Recovery, Transports, engine,
};

use crate::saw;

/// Each setup's name and configuration.
pub(crate) fn all() -> Vec<(&'static str, Config)> {
    vec![
        ("plain", plain()),
        ("narrow", narrow()),
        ("hasty", hasty()),
        ("impatient", impatient()),
        ("older", older()),
        ("listed", listed()),
        ("open", open()),
        ("guarded", guarded()),
        ("remembering", remembering()),
        ("polling", only(Transports::Polling)),
        ("websocket", only(Transports::WebSocket)),
        ("odd", odd()),
        ("bundle", bundle()),
    ]
}

fn plain() -> Config {
    Config {
        connection_error: Some(ConnectionErrorListener::new(|error, request| {
            if let Some(code) = error.code {
                let tag = query(request, "tag").unwrap_or_default();
                let what = ("connection_error", code, &error.message);
                saw(&format!("{tag} refused"), what);
            }
        })),
        ..Config::default()
    }
}

fn narrow() -> Config {
    Config {
        limits: Limits {
            proto: ProtoLimits {
                max_payload_bytes: 100,
                ..ProtoLimits::default()
            },
            ..Limits::default()
        },
        ..plain()
    }
}

fn hasty() -> Config {
    Config {
        ping_interval: Duration::from_secs(1),
        ping_timeout: Duration::from_millis(1_500),
        upgrade_timeout: Duration::from_secs(1),
        allow_eio3: true,
        ..plain()
    }
}

fn impatient() -> Config {
    Config {
        connect_timeout: Duration::from_secs(1),
        ..plain()
    }
}

fn older() -> Config {
    Config {
        allow_eio3: true,
        ..plain()
    }
}

fn listed() -> Config {
    Config {
        origins: Origins::List(vec!["http://friend.example".to_owned()]),
        cors: Cors {
            exposed_headers: vec![HeaderName::from_static("x-more")],
            credentials: true,
            max_age: Some(Duration::from_secs(60)),
            ..Cors::default()
        },
        ..plain()
    }
}

fn open() -> Config {
    Config {
        origins: Origins::Any,
        ..plain()
    }
}

fn guarded() -> Config {
    let hook = |name: &'static str| {
        HeaderHook::new(move |headers, _| {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static("yes"),
            );
        })
    };
    Config {
        allow_request: Some(AllowRequest::new(|request| async move {
            match query(&request, "key") {
                Some(_) => Ok(()),
                None => Err(Forbidden::new("no key")),
            }
        })),
        cookie: Some(Cookie::default()),
        initial_headers: Some(hook("x-first")),
        headers: Some(hook("x-every")),
        ..plain()
    }
}

fn remembering() -> Config {
    Config {
        recovery: Some(Recovery::default()),
        ..plain()
    }
}

fn only(transports: Transports) -> Config {
    Config {
        transports,
        ..plain()
    }
}

fn odd() -> Config {
    Config {
        allow_upgrades: false,
        add_trailing_slash: false,
        initial_packet: Some(engine::Message::Text("hello".to_owned())),
        ..plain()
    }
}

fn bundle() -> Config {
    let dist = env::var("CLIENT_DIST").unwrap_or_default();
    Config {
        client: ClientBundle::from_dir(dist).ok(),
        origins: Origins::Any,
        ..plain()
    }
}

fn query(request: &Parts, name: &str) -> Option<String> {
    let pairs = request.uri.query()?.split('&');
    let value = pairs.filter_map(|pair| pair.split_once('='));
    let (_, value) = { value }.find(|(key, _)| *key == name)?;
    Some(value.to_owned())
}

//! The text codec: `<type>[<n>-][<nsp>,][<id>][json]`.

use serde::Serialize;

use super::{AckId, Nsp, Packet, Violation, is_reserved, json, placeholders};
use crate::Limits;

impl Packet {
    /// Reads the text of one Engine.IO message.
    ///
    /// # Errors
    ///
    /// The [`Violation`] it holds; the connection is to be closed.
    pub fn decode(text: &str, limits: &Limits) -> Result<Self, Violation> {
        let (kind, rest) = Kind::decode(text)?;
        let (attachments, rest) = if kind.is_binary() {
            decode_attachments(rest, limits)?
        } else {
            (0, rest)
        };
        let (nsp, rest) = decode_nsp(rest, limits)?;
        let (id, data) = decode_id(rest)?;
        match kind {
            Kind::Connect => match check_data(data)? {
                None | Some(b'{') => Ok(Self::Connect {
                    nsp,
                    data: owned(data),
                }),
                Some(_) => Err(Violation::ConnectPayload),
            },
            Kind::Disconnect if data.is_empty() => Ok(Self::Disconnect { nsp }),
            Kind::Disconnect => Err(Violation::DisconnectPayload),
            Kind::Event | Kind::BinaryEvent => {
                let (event, args) = decode_event(data, limits)?;
                check_placeholders(args, attachments)?;
                Ok(Self::Event {
                    nsp,
                    id,
                    event,
                    args: args.to_owned(),
                    attachments,
                })
            }
            Kind::Ack | Kind::BinaryAck => {
                let args = decode_ack(data)?;
                check_placeholders(args, attachments)?;
                Ok(Self::Ack {
                    nsp,
                    id,
                    args: args.to_owned(),
                    attachments,
                })
            }
            Kind::ConnectError => match check_data(data)? {
                None | Some(b'{' | b'"') => Ok(Self::ConnectError {
                    nsp,
                    data: owned(data),
                }),
                Some(_) => Err(Violation::ConnectErrorPayload),
            },
        }
    }

    /// Appends the packet's text; its attachments are the caller's to send after it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Connect { nsp, data } => {
                encode_header(out, Kind::Connect, nsp, None, 0);
                out.extend_from_slice(data.as_deref().unwrap_or_default().as_bytes());
            }
            Self::Disconnect { nsp } => encode_header(out, Kind::Disconnect, nsp, None, 0),
            Self::Event {
                nsp,
                id,
                event: Some(event),
                args,
                attachments,
            } => encode_event(out, nsp, *id, event, args, *attachments),
            Self::Event {
                nsp,
                id,
                event: None,
                attachments,
                ..
            } => encode_header(out, Kind::event(*attachments), nsp, *id, *attachments),
            Self::Ack {
                nsp,
                id,
                args,
                attachments,
            } => {
                encode_header(out, Kind::ack(*attachments), nsp, *id, *attachments);
                encode_args(out, args);
            }
            Self::ConnectError { nsp, data } => {
                encode_header(out, Kind::ConnectError, nsp, None, 0);
                out.extend_from_slice(data.as_deref().unwrap_or_default().as_bytes());
            }
        }
    }
}

/// Appends an EVENT, or a BINARY_EVENT when `attachments` follow. See [`Packet::Event`].
pub fn encode_event(
    out: &mut Vec<u8>,
    nsp: &Nsp,
    id: Option<AckId>,
    event: &str,
    args: &str,
    attachments: usize,
) {
    encode_header(out, Kind::event(attachments), nsp, id, attachments);
    out.push(b'[');
    encode_json(out, event);
    if !args.is_empty() {
        out.push(b',');
        out.extend_from_slice(args.as_bytes());
    }
    out.push(b']');
}

/// Appends an ACK, or a BINARY_ACK when `attachments` follow. See [`Packet::Ack`].
pub fn encode_ack(out: &mut Vec<u8>, nsp: &Nsp, id: AckId, args: &str, attachments: usize) {
    encode_header(out, Kind::ack(attachments), nsp, Some(id), attachments);
    encode_args(out, args);
}

/// The type of a packet on the wire.
#[derive(Clone, Copy)]
enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
    BinaryEvent,
    BinaryAck,
}

impl Kind {
    fn decode(text: &str) -> Result<(Self, &str), Violation> {
        let kind = match text.as_bytes() {
            [] => return Err(Violation::Empty),
            [b'0', ..] => Self::Connect,
            [b'1', ..] => Self::Disconnect,
            [b'2', ..] => Self::Event,
            [b'3', ..] => Self::Ack,
            [b'4', ..] => Self::ConnectError,
            [b'5', ..] => Self::BinaryEvent,
            [b'6', ..] => Self::BinaryAck,
            [_, ..] => return Err(Violation::UnknownType),
        };
        Ok((kind, &text[1..]))
    }

    fn encode(self) -> u8 {
        match self {
            Self::Connect => b'0',
            Self::Disconnect => b'1',
            Self::Event => b'2',
            Self::Ack => b'3',
            Self::ConnectError => b'4',
            Self::BinaryEvent => b'5',
            Self::BinaryAck => b'6',
        }
    }

    fn event(attachments: usize) -> Self {
        match attachments {
            0 => Self::Event,
            _ => Self::BinaryEvent,
        }
    }

    fn ack(attachments: usize) -> Self {
        match attachments {
            0 => Self::Ack,
            _ => Self::BinaryAck,
        }
    }

    fn is_binary(self) -> bool {
        match self {
            Self::Connect | Self::Disconnect | Self::Event | Self::Ack | Self::ConnectError => {
                false
            }
            Self::BinaryEvent | Self::BinaryAck => true,
        }
    }
}

fn decode_attachments<'a>(text: &'a str, limits: &Limits) -> Result<(usize, &'a str), Violation> {
    let (digits, rest) = split_digits(text);
    let rest = rest
        .strip_prefix('-')
        .ok_or(Violation::IllegalAttachments)?;
    if digits.bytes().all(|digit| digit == b'0') {
        return Err(Violation::IllegalAttachments);
    }
    match digits.parse() {
        Ok(attachments) if attachments <= limits.max_attachments => Ok((attachments, rest)),
        Ok(_) | Err(_) => Err(Violation::TooManyAttachments),
    }
}

fn decode_nsp<'a>(text: &'a str, limits: &Limits) -> Result<(Nsp, &'a str), Violation> {
    if !text.starts_with('/') {
        return Ok((Nsp::main(), text));
    }
    let (name, rest) = text.split_once(',').unwrap_or((text, ""));
    if name.len() > limits.max_nsp_bytes {
        return Err(Violation::NspTooLong);
    }
    Ok((Nsp::from_valid(name), rest))
}

fn decode_id(text: &str) -> Result<(Option<AckId>, &str), Violation> {
    let (digits, rest) = split_digits(text);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    let id = digits.parse().map_err(|_| Violation::AckIdTooLarge)?;
    Ok((Some(AckId(id)), rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    let n = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(n)
}

/// Checks the data, if there is any, and says how it begins.
fn check_data(data: &str) -> Result<Option<u8>, Violation> {
    if data.is_empty() {
        return Ok(None);
    }
    json::check(data).map(Some)
}

fn owned(data: &str) -> Option<String> {
    (!data.is_empty()).then(|| data.trim_ascii().to_owned())
}

/// The event's name, and the text of its arguments.
pub(super) fn decode_event<'a>(
    data: &'a str,
    limits: &Limits,
) -> Result<(Option<String>, &'a str), Violation> {
    if check_data(data)?.is_none() {
        return Ok((None, ""));
    }
    let (name, args) = json::split_first(data).ok_or(Violation::EventPayload)?;
    let event = match name.bytes().next() {
        Some(b'"') => json::unescape(name),
        Some(b'-' | b'0'..=b'9') => name.to_owned(),
        Some(_) | None => return Err(Violation::EventName),
    };
    if event.len() > limits.max_event_name_bytes {
        return Err(Violation::EventNameTooLong);
    }
    if is_reserved(&event) {
        return Err(Violation::ReservedEventName);
    }
    Ok((Some(event), args))
}

fn decode_ack(data: &str) -> Result<&str, Violation> {
    match check_data(data)? {
        None => Ok(""),
        Some(_) => json::strip_brackets(data).ok_or(Violation::AckPayload),
    }
}

fn check_placeholders(args: &str, attachments: usize) -> Result<(), Violation> {
    match attachments {
        0 => Ok(()),
        n => placeholders::check(args, n),
    }
}

fn encode_header(out: &mut Vec<u8>, kind: Kind, nsp: &Nsp, id: Option<AckId>, attachments: usize) {
    out.push(kind.encode());
    if kind.is_binary() {
        encode_json(out, &attachments);
        out.push(b'-');
    }
    if !nsp.is_main() {
        out.extend_from_slice(nsp.as_str().as_bytes());
        out.push(b',');
    }
    if let Some(AckId(id)) = id {
        encode_json(out, &id);
    }
}

fn encode_args(out: &mut Vec<u8>, args: &str) {
    out.push(b'[');
    out.extend_from_slice(args.as_bytes());
    out.push(b']');
}

fn encode_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("text and integers have a JSON form, a Vec has room");
}

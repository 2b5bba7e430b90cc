//! Events for sockets: `[uid, packet, opts]`.

use bytes::Bytes;
use fanfare::{Manner, Message, RawArgs, Targets, Worth};
use serde::Deserialize;

use super::{
    Wrong,
    field::Field,
    packet::{self, PacketIn},
    text::{self, Flags, Opts, OptsOut},
};

#[derive(Debug, Deserialize)]
struct EmitIn<'a>(String, #[serde(borrow)] PacketIn<'a>, Option<Opts>);

pub(super) fn encode(
    uid: &str,
    nsp: &str,
    to: &Targets,
    (event, args): (&str, &RawArgs),
    manner: Manner,
) -> Result<Vec<u8>, Wrong> {
    let flags = Flags {
        volatile: (manner.worth == Worth::Volatile).then_some(true),
        latest: (manner.worth == Worth::Latest).then_some(true),
        compress: manner.is_plain.then_some(false),
        timeout: None,
    };
    let fields = vec![
        Field::new(&uid),
        packet::encode(nsp, event, args),
        Field::new(&OptsOut::new(to, Some(flags))),
    ];
    Field::List(fields).to_message_pack(&args.attachments)
}

/// `None` if it is the node's own, or of another namespace.
pub(super) fn decode(own: &str, nsp: &str, payload: &Bytes) -> Result<Option<Message>, Wrong> {
    let (json, attachments) = text::read(payload)?;
    let EmitIn(uid, packet, opts) = serde_json::from_str(&json)?;
    if uid == own || packet.nsp() != nsp {
        return Ok(None);
    }
    let (event, args) = packet.event(&attachments)?;
    let mut opts = opts.unwrap_or_default();
    let flags = opts.flags.take().unwrap_or_default();
    Ok(Some(Message::Emit {
        nsp: nsp.to_owned(),
        to: opts.into_targets(),
        event,
        args,
        manner: Manner {
            worth: match (flags.volatile, flags.latest) {
                (Some(true), _) => Worth::Volatile,
                (_, Some(true)) => Worth::Latest,
                (_, _) => Worth::Event,
            },
            is_plain: flags.compress == Some(false),
        },
    }))
}

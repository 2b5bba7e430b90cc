//! What a client sends: masked frames, RFC 6455 §5.2, with Socket.IO packets in them.

use std::io::{self, ErrorKind};

use fanfare_proto::websocket::{Header, OpCode};

/// What a frame of a client means here.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Incoming<'a> {
    /// `40`: it joins.
    Connect,
    /// `42["say",…]`: the packet, which is also the one to be sent to all.
    Say(&'a [u8]),
    /// `42["burst",count,data]`: data is to be said so many times.
    Burst(usize, &'a [u8]),
    /// `42id["echo",…]`: the id and the arguments, which are its ack's too.
    Echo(&'a [u8], &'a [u8]),
    /// `42id["held"]`: the id. Asked is how long a few sends took at most.
    Held(&'a [u8]),
    /// A Close frame.
    Close,
    /// A pong, or anything else that asks for nothing.
    Other,
}

/// Reads and unmasks the first frame of `bytes`; returns it with its length, or `None` if it is not complete.
///
/// # Errors
///
/// If it is no frame of a client's.
pub(crate) fn incoming(bytes: &mut [u8]) -> io::Result<Option<(Incoming<'_>, usize)>> {
    let Some((header, start)) = Header::decode(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let (Some(mask), Ok(payload_bytes)) = (header.mask, usize::try_from(header.payload_bytes))
    else {
        return Err(ErrorKind::InvalidData.into());
    };
    let length = start.saturating_add(payload_bytes);
    let Some(payload) = bytes.get_mut(start..length) else {
        return Ok(None);
    };
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    let message = match header.opcode {
        OpCode::Text => meaning(payload),
        OpCode::Close => Incoming::Close,
        OpCode::Binary | OpCode::Continuation | OpCode::Ping | OpCode::Pong => Incoming::Other,
    };
    Ok(Some((message, length)))
}

fn meaning(packet: &[u8]) -> Incoming<'_> {
    if packet.starts_with(b"40") {
        return Incoming::Connect;
    }
    if packet.starts_with(br#"42["say","#) {
        return Incoming::Say(packet);
    }
    if let Some(args) = packet.strip_prefix(br#"42["burst","#)
        && let Some(comma) = args.iter().position(|byte| *byte == b',')
        && let Some(count) = str::from_utf8(&args[..comma])
            .ok()
            .and_then(|count| count.parse().ok())
        && let Some(data) = args[comma + 1..].strip_suffix(b"]")
    {
        return Incoming::Burst(count, data);
    }
    asked(packet).unwrap_or(Incoming::Other)
}

/// An event with an ack.
fn asked(packet: &[u8]) -> Option<Incoming<'_>> {
    let asked = packet.strip_prefix(b"42")?;
    let digits = asked
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (id, event) = asked.split_at(digits);
    if event == br#"["held"]"# {
        return Some(Incoming::Held(id));
    }
    let args = event.strip_prefix(br#"["echo","#)?;
    Some(Incoming::Echo(id, args))
}

#[cfg(test)]
mod tests {
    use fanfare_proto::websocket::encode_masked_frame;

    use super::*;

    #[track_caller]
    fn check(payload: &[u8], expected: &Incoming<'_>) {
        let mut frame = Vec::new();
        encode_masked_frame(&mut frame, OpCode::Text, &[payload], [1, 2, 3, 4]);
        for end in 0..frame.len() {
            assert_eq!(incoming(&mut frame.clone()[..end]).unwrap(), None);
        }
        let length = frame.len();
        let (message, read) = incoming(&mut frame)
            .unwrap()
            .expect("the frame is complete");
        assert_eq!((&message, read), (expected, length));
    }

    #[test]
    fn a_client_joins_and_speaks() {
        check(b"40", &Incoming::Connect);
        check(
            br#"42["say","hello"]"#,
            &Incoming::Say(br#"42["say","hello"]"#),
        );
        check(
            br#"42["burst",12,"a, b"]"#,
            &Incoming::Burst(12, br#""a, b""#),
        );
        check(br#"4217["echo","hi"]"#, &Incoming::Echo(b"17", br#""hi"]"#));
        check(br#"420["held"]"#, &Incoming::Held(b"0"));
        check(b"3", &Incoming::Other);
    }
}

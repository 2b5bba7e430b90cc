//! What a peer may not do in Socket.IO. All of it closes the connection.

/// A way in which the peer broke the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A message without a character.
    #[error("packet is empty")]
    Empty,
    /// The first character is not one of `0`–`6`.
    #[error("unknown packet type")]
    UnknownType,
    /// A binary packet whose attachment count is not an integer from 1, followed by `-`.
    #[error("illegal number of attachments")]
    IllegalAttachments,
    /// More attachments than [`Limits::max_attachments`](crate::Limits::max_attachments).
    #[error("too many attachments")]
    TooManyAttachments,
    /// A namespace longer than [`Limits::max_nsp_bytes`](crate::Limits::max_nsp_bytes).
    #[error("namespace is too long")]
    NspTooLong,
    /// An ack id over 2⁶⁴ − 1.
    #[error("ack id is too large")]
    AckIdTooLarge,
    /// What follows the header is no JSON text.
    #[error("payload is not JSON")]
    InvalidJson,
    /// A CONNECT whose payload is not an object.
    #[error("payload of CONNECT is not an object")]
    ConnectPayload,
    /// A DISCONNECT with a payload.
    #[error("DISCONNECT has a payload")]
    DisconnectPayload,
    /// A CONNECT_ERROR whose payload is neither a string nor an object.
    #[error("payload of CONNECT_ERROR is neither a string nor an object")]
    ConnectErrorPayload,
    /// An EVENT whose payload is not an array.
    #[error("payload of EVENT is not an array")]
    EventPayload,
    /// An ACK whose payload is not an array.
    #[error("payload of ACK is not an array")]
    AckPayload,
    /// An event without a name, or whose name is neither a string nor a number.
    #[error("event name is neither a string nor a number")]
    EventName,
    /// An event with one of the names of [`is_reserved`](super::is_reserved).
    #[error("event name is reserved")]
    ReservedEventName,
    /// A name longer than [`Limits::max_event_name_bytes`](crate::Limits::max_event_name_bytes).
    #[error("event name is too long")]
    EventNameTooLong,
    /// A placeholder whose `num` names none of the packet's attachments.
    #[error("placeholder of no attachment")]
    IllegalPlaceholder,
    /// A message that is no packet in MessagePack, or nests deeper than 127 values.
    #[error("packet is not MessagePack")]
    InvalidMessagePack,
    /// A packet in MessagePack whose namespace is no valid name.
    #[error("namespace is none")]
    IllegalNsp,
    /// A packet in MessagePack whose ack id is no integer from 0.
    #[error("ack id is no integer from 0")]
    IllegalAckId,
    /// A text message where packets are MessagePack.
    #[error("text where MessagePack is spoken")]
    TextForMessagePack,
    /// A text message while attachments were outstanding.
    #[error("text while attachments are outstanding")]
    TextAmidAttachments,
    /// A binary message that no packet announced.
    #[error("binary data that no packet announced")]
    UnexpectedAttachment,
    /// Of state: anything but CONNECT for a namespace that the client has not joined.
    #[error("packet for a namespace not joined")]
    NotConnected,
    /// Of state: CONNECT for a namespace that the client has joined, or is joining.
    #[error("namespace is joined already")]
    AlreadyConnected,
    /// Of state: a CONNECT_ERROR, which only servers send.
    #[error("CONNECT_ERROR from a client")]
    ConnectErrorFromClient,
}

impl Violation {
    /// Whether a well-formed packet came at the wrong time, rather than a malformed one.
    ///
    /// The layer above raises these, for it knows who has joined what; and the reference ends
    /// its sockets with another reason after them (`forced server close`).
    pub fn is_of_state(self) -> bool {
        match self {
            Self::NotConnected | Self::AlreadyConnected | Self::ConnectErrorFromClient => true,
            Self::Empty
            | Self::UnknownType
            | Self::IllegalAttachments
            | Self::TooManyAttachments
            | Self::NspTooLong
            | Self::AckIdTooLarge
            | Self::InvalidJson
            | Self::ConnectPayload
            | Self::DisconnectPayload
            | Self::ConnectErrorPayload
            | Self::EventPayload
            | Self::AckPayload
            | Self::EventName
            | Self::ReservedEventName
            | Self::EventNameTooLong
            | Self::IllegalPlaceholder
            | Self::InvalidMessagePack
            | Self::IllegalNsp
            | Self::IllegalAckId
            | Self::TextForMessagePack
            | Self::TextAmidAttachments
            | Self::UnexpectedAttachment => false,
        }
    }
}

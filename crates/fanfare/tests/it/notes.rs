//! Notes: what handlers did, in order, for the test to read.

use fanfare_testkit::within;
use tokio::sync::mpsc;

/// Where handlers write.
#[derive(Clone, Debug)]
pub(crate) struct Pen(mpsc::UnboundedSender<String>);

/// What they have written.
#[derive(Debug)]
pub(crate) struct Notes(mpsc::UnboundedReceiver<String>);

pub(crate) fn notes() -> (Pen, Notes) {
    let (pen, notes) = mpsc::unbounded_channel();
    (Pen(pen), Notes(notes))
}

impl Pen {
    pub(crate) fn note(&self, text: impl Into<String>) {
        // The test may have ended.
        let _ = self.0.send(text.into());
    }
}

impl Notes {
    /// Waits for the next note.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = String> {
        let next = within("a handler's note", self.0.recv());
        async { next.await.expect("a handler holds the pen") }
    }

    /// Waits for `expected`, in this order, with nothing between.
    pub(crate) async fn expect(&mut self, expected: &[&str]) {
        for expected in expected {
            assert_eq!(self.next().await, *expected);
        }
    }

    /// Whether all is read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

//! The body of a call that changes something, handed over only while this process leads.
//!
//! Between the decision to call and the first byte lie a connection and its handshake; a process that is frozen there goes
//! on with them when it wakes up. So the last look is taken when the bytes are asked for, right before they are written.
//!
//! "Right before" is true of HTTP/1.1, where the same turn of the same task asks for the bytes and writes them. Over HTTP/2
//! they would go into the queue of a connection that several requests share, and leave it in the turn of another task.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::clock::Clock;
use crate::term::Term;

/// One piece of bytes that is there as long as the term holds.
pub(super) struct LastLook {
    bytes: Option<Bytes>,
    term: Term,
    clock: Clock,
}

impl LastLook {
    pub(super) fn new(bytes: Vec<u8>, term: Term, clock: Clock) -> Self {
        Self { bytes: Some(bytes.into()), term, clock }
    }
}

/// The request ends without its body, so nobody acts on it.
#[derive(Debug, thiserror::Error)]
#[error("another operator leads, so the request was given up before its body was sent")]
pub(super) struct TooLate;

impl Body for LastLook {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        let holds = self.term.holds(self.clock.monotonic());
        Poll::Ready(self.bytes.take().map(|bytes| if holds { Ok(Frame::data(bytes)) } else { Err(TooLate) }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ask(body: &mut LastLook) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(futures::task::noop_waker_ref()))
    }

    #[test]
    fn what_is_asked_for_too_late_is_not_given() {
        let (term, clock) = (Term::not_begun(), Clock::system());
        term.set(Duration::from_secs(u64::MAX / 1000));
        let mut in_time = LastLook::new(b"{}".to_vec(), term.clone(), clock.clone());
        assert_eq!(in_time.size_hint().exact(), Some(2));
        assert!(
            matches!(ask(&mut in_time), Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(|d| &d[..] == b"{}"))
        );
        assert!(in_time.is_end_stream() && matches!(ask(&mut in_time), Poll::Ready(None)));

        let mut late = LastLook::new(b"{}".to_vec(), term.clone(), clock);
        term.set(Duration::ZERO);
        assert!(matches!(ask(&mut late), Poll::Ready(Some(Err(TooLate)))));
    }
}

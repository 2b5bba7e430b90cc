//! Tests of time, on machines that do other things besides.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Runs a test whose client has to be quick: it fails if `case` fails, except when this process
/// did not get the processor for a while, as measured beside it. Then it is run again.
///
/// # Panics
///
/// If `case` does.
pub async fn punctual<F>(case: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for _ in 1..ATTEMPTS {
        let watch = Watch::start();
        let ended = tokio::spawn(case()).await;
        match ended {
            Ok(()) => return,
            Err(failed) if watch.longest_stall() < STALL => {
                std::panic::resume_unwind(failed.into_panic());
            }
            Err(_) => {}
        }
    }
    case().await;
}

/// A thread that finds out how long threads of this process have to wait.
struct Watch {
    longest_micros: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Watch {
    fn start() -> Self {
        let (longest_micros, is_over) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let watch = Self {
            longest_micros: Arc::clone(&longest_micros),
            is_over: Arc::clone(&is_over),
        };
        thread::spawn(move || {
            let mut last = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                let took = last.elapsed();
                last = Instant::now();
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                longest_micros.fetch_max(micros, Ordering::Relaxed);
            }
        });
        watch
    }

    fn longest_stall(&self) -> Duration {
        Duration::from_micros(self.longest_micros.load(Ordering::Relaxed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

const TICK: Duration = Duration::from_millis(2);

/// A pause that can turn the order of two requests 30 ms apart, or cost most of a 200 ms deadline.
const STALL: Duration = Duration::from_millis(20);

/// On a machine so busy that these are not enough, time can't be tested.
const ATTEMPTS: usize = 10;

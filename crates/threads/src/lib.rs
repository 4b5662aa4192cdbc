//! Work that knows nothing of its neighbours, shared out among threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// More than this many threads only wait for memory.
const MOST: usize = 8;

/// What `work` makes of each item, in their order. A panic of a thread is the caller's.
pub fn share_out<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST).min(items.len());
    let mut done = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for worker in workers {
            done.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(share_out(&items, |item| item * 2), (0..2000).step_by(2).collect::<Vec<_>>());
        assert!(share_out(&[] as &[usize], |item| *item).is_empty());
    }
}

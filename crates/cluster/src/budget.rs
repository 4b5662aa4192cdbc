//! How much may be read and written at once. Steps take places by what they cost; what a step reads beyond its place is
//! taken from a number of bytes that all share. Nobody has all of either, and who waits too long is refused: that is
//! better than to be killed for the memory of all.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    sync::{Mutex as Turns, Notify, OwnedMutexGuard},
    time::{Instant, timeout, timeout_at},
};

/// A burst of calls, such as a dashboard's, is better served a moment later than refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long one page may keep others from growing.
const LONGEST_TURN: Duration = Duration::from_secs(5);
/// Waiting more than that, a call is better refused at once.
const WAITING: usize = 1_000;
/// What is made of a byte that was read, until it is sent: the page itself, the answer, the same without secrets. Measured with
/// a dump of 62 MB: 3.5.
const FACTOR: u64 = 4;
/// Bytes that are taken at a time.
const STEP: u64 = 4 << 20;

/// Why there is no room for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    #[error("as much as may be is being read and written; try again in a moment")]
    Full,
    #[error("you have as much under way as one caller may; wait for its end")]
    Share,
}

/// The places and bytes that all calls share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    places: Pool,
    bytes: Pool,
    /// One page grows at a time: if many did, none would come to its end.
    growing: Arc<Turns<()>>,
}

/// How much a call weighs, in places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(pub u64);

impl Weight {
    /// Bytes that a step may read without asking.
    fn bytes(self) -> u64 {
        self.0 << 20
    }
}

impl Budget {
    /// A quarter of the places is only for calls of weight 1, so that what is cheap is never behind what is not.
    pub fn new(places: u64, bytes: u64) -> Self {
        let places = Pool::new(places.max(1), places / 4);
        Self(Arc::new(Shared { places, bytes: Pool::new(bytes, 0), growing: Arc::default() }))
    }

    /// Waits for the place of a call, which it has until all clones are dropped.
    pub async fn claim(&self, caller: &str, weight: Weight) -> Result<Claim, NoRoom> {
        let weight = Weight(weight.0.clamp(1, self.0.places.most()));
        let place = self.0.places.take(caller, weight.0, weight.0 == 1).await?;
        let held = Mutex::new(Held { reading: 0, bytes: Taken::none(&self.0.bytes, caller) });
        Ok(Claim(Arc::new(Claimed { budget: self.clone(), weight, held, _place: place })))
    }

    /// Bytes that nobody has taken.
    pub fn free_bytes(&self) -> u64 {
        self.0.bytes.state().free
    }
}

/// Places or bytes, of which one caller has three quarters at most. Clones share them.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: u64,
    /// Only for what is light.
    reserve: u64,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    free: u64,
    waiting: usize,
    of_callers: BTreeMap<String, u64>,
}

impl Pool {
    /// So many, of which a reserve is only for what is light.
    pub fn new(total: u64, reserve: u64) -> Self {
        let state = State { free: total, waiting: 0, of_callers: BTreeMap::new() };
        Self(Arc::new(Inner { total, reserve, state: Mutex::new(state), freed: Notify::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most that one call can have.
    fn most(&self) -> u64 {
        ((self.0.total - self.0.reserve) / 4 * 3).max(1)
    }

    fn try_take(&self, caller: &str, amount: u64, is_light: bool) -> Result<(), NoRoom> {
        let mut state = self.state();
        let own = state.of_callers.get(caller).copied().unwrap_or_default();
        // The share counts only where others have the rest.
        let share = if is_light { self.0.total } else { self.most() };
        if own > 0 && own + amount > share {
            return Err(NoRoom::Share);
        }
        let reserve = if is_light { 0 } else { self.0.reserve };
        if amount > state.free.saturating_sub(reserve) {
            return Err(NoRoom::Full);
        }
        state.free -= amount;
        *state.of_callers.entry(caller.to_owned()).or_default() += amount;
        Ok(())
    }

    /// Waits for a while until there are so many for a caller.
    pub async fn take(&self, caller: &str, amount: u64, is_light: bool) -> Result<Taken, NoRoom> {
        let deadline = Instant::now() + PATIENCE;
        let mut waiting = None;
        loop {
            // Before it is looked, so that nothing is missed in between.
            let freed = self.0.freed.notified();
            let refused = match self.try_take(caller, amount, is_light) {
                Ok(()) => return Ok(Taken { pool: self.clone(), caller: caller.to_owned(), amount }),
                Err(refused) => refused,
            };
            if waiting.is_none() {
                waiting = Some(Waiting::begin(self).ok_or(refused)?);
            }
            if timeout_at(deadline, freed).await.is_err() {
                return Err(refused);
            }
        }
    }
}

/// Somebody who waits, until it is dropped.
struct Waiting<'a>(&'a Pool);

impl<'a> Waiting<'a> {
    fn begin(pool: &'a Pool) -> Option<Self> {
        let mut state = pool.state();
        (state.waiting < WAITING).then(|| {
            state.waiting += 1;
            Self(pool)
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// What was taken of a pool, until it is dropped.
#[derive(Debug)]
pub struct Taken {
    pool: Pool,
    caller: String,
    amount: u64,
}

impl Taken {
    fn none(pool: &Pool, caller: &str) -> Self {
        Self { pool: pool.clone(), caller: caller.to_owned(), amount: 0 }
    }

    /// The two together, of the same pool and caller.
    fn add(&mut self, mut more: Self) {
        self.amount += std::mem::take(&mut more.amount);
    }

    /// Gives back all but so much.
    fn keep(&mut self, amount: u64) {
        if amount < self.amount {
            let rest = Self { pool: self.pool.clone(), caller: self.caller.clone(), amount: self.amount - amount };
            self.amount = amount;
            drop(rest);
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.amount == 0 {
            return;
        }
        let mut state = self.pool.state();
        state.free += self.amount;
        if let Some(own) = state.of_callers.get_mut(&self.caller) {
            *own -= self.amount;
            if *own == 0 {
                state.of_callers.remove(&self.caller);
            }
        }
        drop(state);
        self.pool.0.freed.notify_waiters();
    }
}

/// The room of one call. Clones are of the same.
#[derive(Debug, Clone)]
pub struct Claim(Arc<Claimed>);

#[derive(Debug)]
struct Claimed {
    budget: Budget,
    weight: Weight,
    held: Mutex<Held>,
    _place: Taken,
}

#[derive(Debug)]
struct Held {
    /// Bytes of pages that are in memory now.
    reading: u64,
    /// What was taken for them: as much as they once were.
    bytes: Taken,
}

impl Claim {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room until there is enough for this many bytes that were read.
    async fn take_for(&self, reading: u64) -> Result<(), NoRoom> {
        let needed = reading.saturating_sub(self.0.weight.bytes()).saturating_mul(FACTOR);
        let (missing, caller) = {
            let held = self.held();
            (needed.saturating_sub(held.bytes.amount), held.bytes.caller.clone())
        };
        if missing > 0 {
            let pool = &self.0.budget.0.bytes;
            let more = pool.take(&caller, missing.next_multiple_of(STEP), false).await?;
            self.held().bytes.add(more);
        }
        Ok(())
    }

    /// Nothing is read any more, and an answer of so many bytes stays until it is sent.
    pub fn settle(&self, bytes: u64) {
        self.held().bytes.keep(bytes);
    }
}

/// A page while it is read, and what it takes of a call's room.
pub struct Page {
    claim: Option<Claim>,
    bytes: BytesMut,
    counted: u64,
    turn: Option<(OwnedMutexGuard<()>, Instant)>,
}

impl Page {
    /// Where there is no claim, nothing is counted.
    pub fn new(claim: Option<&Claim>) -> Self {
        Self { claim: claim.cloned(), bytes: BytesMut::new(), counted: 0, turn: None }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub async fn push(&mut self, data: &[u8]) -> Result<(), NoRoom> {
        if let Some(claim) = self.claim.clone() {
            let reading = {
                let mut held = claim.held();
                held.reading += data.len() as u64;
                held.reading
            };
            self.counted += data.len() as u64;
            self.make_room(&claim, reading).await?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    async fn make_room(&mut self, claim: &Claim, reading: u64) -> Result<(), NoRoom> {
        if reading > claim.0.weight.bytes() && self.turn.is_none() {
            let turn = timeout(PATIENCE, Arc::clone(&claim.0.budget.0.growing).lock_owned()).await;
            self.turn = Some((turn.map_err(|_| NoRoom::Full)?, Instant::now()));
        }
        claim.take_for(reading).await?;
        // One that trickles keeps nobody from reading.
        if self.turn.as_ref().is_some_and(|(_, since)| since.elapsed() > LONGEST_TURN) {
            self.turn = None;
        }
        Ok(())
    }

    /// The page as a whole. It is counted until the last of it is dropped.
    pub fn finish(mut self) -> Bytes {
        self.turn = None;
        if self.claim.is_none() { std::mem::take(&mut self.bytes).freeze() } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(claim) = &self.claim {
            claim.held().reading -= self.counted;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[tokio::test(start_paused = true)]
    async fn heavy_calls_leave_places_for_light_ones() {
        let budget = Budget::new(16, 0);
        let mut heavy = Vec::new();
        for caller in ["a", "b", "c"] {
            heavy.push(budget.claim(caller, Weight(4)).await.unwrap());
        }
        assert_eq!(budget.claim("d", Weight(4)).await.unwrap_err(), NoRoom::Full);
        let light = budget.claim("d", Weight(1)).await.unwrap();
        heavy.pop();
        drop(light);
        assert!(budget.claim("d", Weight(4)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn smallest_budget_serves_every_weight() {
        for places in 1..8 {
            let budget = Budget::new(places, 0);
            for weight in [1, 2, 8] {
                assert!(budget.claim("a", Weight(weight)).await.is_ok(), "{weight} of {places}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_has_all_places() {
        let budget = Budget::new(16, 0);
        let _two = [budget.claim("a", Weight(4)).await.unwrap(), budget.claim("a", Weight(4)).await.unwrap()];
        assert_eq!(budget.claim("a", Weight(4)).await.unwrap_err(), NoRoom::Share);
        assert!(budget.claim("b", Weight(4)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_is_taken_until_it_is_dropped() {
        let budget = Budget::new(16, 100 * MIB);
        let claim = budget.claim("a", Weight(1)).await.unwrap();
        let piece = vec![0; 1 << 20];
        let mut page = Page::new(Some(&claim));
        for _ in 0..9 {
            page.push(&piece).await.unwrap();
        }
        assert_eq!(budget.free_bytes(), 68 * MIB);
        let page = page.finish();
        // Another one is too much, and is refused.
        let other = budget.claim("b", Weight(1)).await.unwrap();
        let mut second = Page::new(Some(&other));
        let refused = async {
            loop {
                second.push(&piece).await?;
            }
        };
        let refused: Result<(), NoRoom> = refused.await;
        assert_eq!(refused.unwrap_err(), NoRoom::Full);
        drop((second, other));
        assert_eq!(budget.free_bytes(), 68 * MIB);
        drop(page);
        claim.settle(10 * MIB);
        assert_eq!(budget.free_bytes(), 90 * MIB);
        drop(claim);
        assert_eq!(budget.free_bytes(), 100 * MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn pages_one_after_the_other_take_room_once() {
        let budget = Budget::new(16, 100 * MIB);
        let claim = budget.claim("a", Weight(1)).await.unwrap();
        for _ in 0..50 {
            let mut page = Page::new(Some(&claim));
            page.push(&vec![0; 8 << 20]).await.unwrap();
            drop(page.finish());
        }
        assert!(budget.free_bytes() >= 60 * MIB);
    }
}

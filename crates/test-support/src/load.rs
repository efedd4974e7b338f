//! Visitors of instances, and what became of each message that they pushed.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use tokio::{task::JoinSet, time::sleep};

use crate::{Result, Visitor, races, texts, within};

const VISITORS: usize = 8;

/// Fewer than the messages that may wait in a session.
const RARELY: usize = 200;

/// Visitors that push to one instance and look at another. Half of them look after each push. The others
/// look rarely, so that many messages wait when something breaks.
pub struct Load {
    visitors: Vec<Visitor>,
    tasks: JoinSet<()>,
    stopping: Arc<AtomicBool>,
    seen: Seen,
}

/// What the visitors have seen.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Account>>);

#[derive(Default)]
struct Account {
    /// The acknowledged messages, and how often each was shown.
    shown: HashMap<String, u32>,
    /// When pushes were acknowledged.
    acknowledged: Vec<Instant>,
    /// Why pushes failed.
    failed_pushes: Vec<String>,
    /// Pages with another status than 200.
    failed_pages: Vec<String>,
    slowest_page: Duration,
}

impl Seen {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    pub async fn start(instances: [SocketAddr; 2]) -> Result<Self> {
        let mut visitors = Vec::new();
        for _ in 0..VISITORS {
            let visitor = Visitor::new(instances[0]);
            visitor
                .submit("/api/start_race", &[("name", "Ada")])
                .await?;
            visitor.messages("/").await?;
            visitors.push(visitor);
        }
        let mut load = Self {
            visitors,
            tasks: JoinSet::new(),
            stopping: Arc::default(),
            seen: Seen::default(),
        };
        for (number, visitor) in load.visitors.iter().enumerate() {
            let [one, other] = [0, 1].map(|n| visitor.at(instances[(number + n) % 2]));
            let (seen, stopping) = (load.seen.clone(), load.stopping.clone());
            load.tasks.spawn(async move {
                for turn in 0.. {
                    if stopping.load(Ordering::Relaxed) {
                        break;
                    }
                    seen.push(&one, format!("{number}-{turn}")).await;
                    if number % 2 == 0 || turn % RARELY == 0 {
                        seen.look(&other).await;
                    }
                    sleep(Duration::from_millis(10)).await;
                }
            });
        }
        Ok(load)
    }

    /// Waits until 20 pushes were acknowledged that began after this call.
    pub async fn is_stored_again(&self) -> Result {
        // A push that is under way may have begun before.
        let start = Instant::now() + Duration::from_millis(100);
        within(Duration::from_secs(40), async || {
            let stored = &self.seen.account().acknowledged;
            match stored.iter().filter(|time| **time > start).count() {
                ..20 => Err("pushes are not stored".into()),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Stops the visitors. They look until the leases of lost pages have run out.
    pub async fn end(mut self) -> Result<Outcome> {
        self.stopping.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        let until = Instant::now() + Duration::from_secs(17);
        while Instant::now() < until {
            for visitor in &self.visitors {
                self.seen.look(visitor).await;
            }
            sleep(Duration::from_millis(500)).await;
        }
        let mut lost_sessions = 0;
        for visitor in &self.visitors {
            lost_sessions += usize::from(!races(visitor).await?);
        }
        let account = std::mem::take(&mut *self.seen.account());
        let pairs = account.acknowledged.windows(2);
        let gap = pairs.map(|pair| pair[1].duration_since(pair[0])).max();
        let of_times =
            |test: fn(u32) -> bool| account.shown.values().filter(|times| test(**times)).count();
        Ok(Outcome {
            acknowledged: account.acknowledged.len(),
            lost: of_times(|times| times == 0),
            twice: of_times(|times| times > 1),
            lost_sessions,
            failed_pushes: account.failed_pushes,
            failed_pages: account.failed_pages,
            slowest_page: account.slowest_page,
            longest_gap: gap.unwrap_or_default(),
        })
    }
}

impl Seen {
    async fn push(&self, visitor: &Visitor, text: String) {
        let answer = visitor.post_message(&text).await;
        let mut account = self.account();
        match answer {
            Ok(answer) if answer.status() == StatusCode::SEE_OTHER => {
                account.acknowledged.push(Instant::now());
                account.shown.entry(text).or_default();
            }
            Ok(answer) => account.failed_pushes.push(answer.status().to_string()),
            Err(error) => account.failed_pushes.push(error.to_string()),
        }
    }

    async fn look(&self, visitor: &Visitor) {
        let start = Instant::now();
        let page = visitor.page("/").await;
        let mut account = self.account();
        account.slowest_page = account.slowest_page.max(start.elapsed());
        match page {
            Ok(html) => {
                for text in texts(&html) {
                    *account.shown.entry(text).or_default() += 1;
                }
            }
            Err(error) => account.failed_pages.push(error.to_string()),
        }
    }
}

/// What became of the messages.
pub struct Outcome {
    acknowledged: usize,
    pub lost: usize,
    twice: usize,
    lost_sessions: usize,
    failed_pushes: Vec<String>,
    failed_pages: Vec<String>,
    slowest_page: Duration,
    longest_gap: Duration,
}

/// A page that was shown when its server died may be shown again: the note that it was shown is lost. Each
/// visitor has one page under way, and one of those that look rarely may show many messages.
const MAX_TWICE: usize = 3 * VISITORS + RARELY;

/// Pushes wait a little longer than this for a server that can store them.
const WAIT: Duration = Duration::from_millis(4500);

impl Outcome {
    /// # Panics
    /// An acknowledged message was not shown, many were shown twice, or a session was lost.
    pub fn lost_no_message(&self) {
        assert!(self.acknowledged > 100, "no load: {self}");
        assert_eq!((self.lost, self.lost_sessions), (0, 0), "{self}");
        assert!(self.twice <= MAX_TWICE, "{self}");
    }

    /// # Panics
    /// A push failed, though none had to wait as long as pushes do.
    pub fn failed_no_push(&self) {
        let failed = self.failed_pushes.is_empty() || self.longest_gap > WAIT;
        assert!(failed, "{:?}: {self}", self.failed_pushes);
    }

    /// # Panics
    /// As [`lost_no_message`](Self::lost_no_message), or a page failed or was slow.
    pub fn lost_nothing(&self) {
        self.lost_no_message();
        assert!(self.failed_pages.is_empty(), "{:?}", self.failed_pages);
        assert!(self.slowest_page < Duration::from_secs(5), "{self}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, {} lost, {} shown twice, {} sessions lost, {} pushes failed {:?}, {} pages \
             failed, slowest page {:.1?}, longest time without an acknowledged push {:.1?}",
            self.acknowledged,
            self.lost,
            self.twice,
            self.lost_sessions,
            self.failed_pushes.len(),
            self.failed_pushes.first(),
            self.failed_pages.len(),
            self.slowest_page,
            self.longest_gap,
        )
    }
}

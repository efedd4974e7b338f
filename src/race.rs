//! What a race is: plain data in the session, and its rules.

use serde::{Deserialize, Serialize};

/// Where officials stand, in their order. The last is the finish.
pub const CHECKPOINTS: [&str; 4] = ["The bridge", "The hill", "The forest", "The finish"];

/// The longest name on a bib, in UTF-16 code units, as `maxlength` counts it.
pub const MAX_NAME: usize = 40;

/// A race under way or finished, as it is kept in the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// 1000 to 9999.
    pub bib: u16,
    pub name: String,
    /// Milliseconds since 1970, by the server's clock.
    pub started: i64,
    /// Milliseconds from the start to each checkpoint that was passed.
    pub splits: Vec<i64>,
}

/// What an official says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Noted, after so many milliseconds.
    Noted(i64),
    /// Noted before.
    Again,
    /// Another checkpoint comes first: its index.
    First(usize),
    /// There is no such checkpoint.
    Unknown,
}

impl Race {
    /// Passes a checkpoint at a time in milliseconds since 1970.
    pub fn pass(&mut self, checkpoint: usize, now: i64) -> Call {
        let next = self.splits.len();
        match checkpoint {
            _ if checkpoint >= CHECKPOINTS.len() => Call::Unknown,
            _ if checkpoint < next => Call::Again,
            _ if checkpoint > next => Call::First(next),
            _ => {
                let split = (now - self.started).max(0);
                self.splits.push(split);
                Call::Noted(split)
            }
        }
    }

    pub fn is_finished(&self) -> bool {
        self.splits.len() == CHECKPOINTS.len()
    }
}

/// Returns whether a name can be printed on a bib.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.encode_utf16().count() <= MAX_NAME && !name.contains(char::is_control)
}

/// Minutes, seconds, tenths: `3:07.4`.
pub fn clock(milliseconds: i64) -> String {
    let tenths = milliseconds / 100;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn race() -> Race {
        Race {
            bib: 1234,
            name: "Runner".into(),
            started: 1000,
            splits: Vec::new(),
        }
    }

    #[test]
    fn checkpoints_are_noted_in_their_order_only() {
        let mut race = race();
        assert_eq!(race.pass(1, 2000), Call::First(0));
        assert_eq!(race.pass(0, 3000), Call::Noted(2000));
        assert_eq!(race.pass(0, 4000), Call::Again);
        assert_eq!(race.pass(4, 5000), Call::Unknown);
        assert_eq!(race.splits, [2000]);
    }

    #[test]
    fn the_last_checkpoint_is_the_finish() {
        let mut race = race();
        for checkpoint in 0..CHECKPOINTS.len() {
            assert!(!race.is_finished());
            race.pass(checkpoint, 9000);
        }
        assert!(race.is_finished());
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_negative_time() {
        assert_eq!(race().pass(0, 0), Call::Noted(0));
    }

    #[test]
    fn a_name_can_be_printed_on_a_bib() {
        assert!(is_name("Ada 🏃") && is_name(&"x".repeat(MAX_NAME)));
        assert!(
            is_name(&"🏃".repeat(MAX_NAME / 2)),
            "as many as the browser allows"
        );
        for name in [
            "",
            "a\0b",
            "a\nb",
            &"x".repeat(MAX_NAME + 1),
            &"🏃".repeat(MAX_NAME),
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn times_are_read_as_on_a_stopwatch() {
        assert_eq!(clock(0), "0:00.0");
        assert_eq!(clock(187_450), "3:07.4");
    }
}

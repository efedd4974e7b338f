//! One file a page: its view and the server functions that it posts to.

mod error;
mod home;
pub mod messages;
pub mod race;
pub mod session;

pub use error::{ErrorPage, Failed, NotFoundPage};
pub use home::HomePage;
pub use messages::MessagesPage;
pub use race::RacePage;
pub use session::SessionPage;

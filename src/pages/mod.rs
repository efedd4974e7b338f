//! One file a page: its view and the server functions that it posts to.

mod error;
mod home;
mod messages;

pub use error::{ErrorPage, NotFoundPage};
pub use home::HomePage;
pub use messages::MessagesPage;

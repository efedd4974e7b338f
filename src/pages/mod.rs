//! One file a page: its view, and the server functions that it posts to.

mod site_header;

mod parts;

mod home;

pub mod messages;

mod race;

mod session;

pub mod forms;

mod error;

pub use error::{ErrorPage, NotFoundPage};
pub use home::HomePage;
pub use messages::MessagesPage;
pub use race::RacePage;
pub use session::SessionPage;
pub use site_header::{SiteHeader, page_path};

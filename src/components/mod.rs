//! One file a component.

mod flash;
mod form;
mod hydration;
mod page_head;
mod site_header;

pub use flash::{FlashGroup, MOST_MESSAGES};
pub use form::{ErrorSummary, FieldError};
pub use hydration::{Hydration, has_islands};
pub use page_head::PageHead;
pub use site_header::{SiteHeader, page_path};

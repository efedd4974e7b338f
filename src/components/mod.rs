//! One file a component.

mod flash;
mod page_head;
mod site_header;

pub use flash::FlashGroup;
pub use page_head::PageHead;
pub use site_header::SiteHeader;

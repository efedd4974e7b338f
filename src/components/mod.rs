//! One file a component.

mod flash;
mod site_header;

pub use flash::FlashGroup;
pub use site_header::SiteHeader;

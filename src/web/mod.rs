//! The app and the web: what comes in, what goes out, and what browsers are told. No page is known
//! here.

mod error;

pub mod session;

pub mod forms;

pub mod origin;

pub mod limits;

pub mod files;

pub mod page_cache;

pub mod security_headers;

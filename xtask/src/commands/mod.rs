//! The commands, a file each.

pub mod bench;
pub mod build;
pub mod fuzz;
pub mod postgres;
pub mod serve;
pub mod template;
pub mod test;
pub mod tools;

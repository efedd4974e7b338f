//! Where the browser's side of the app is served.

use std::sync::OnceLock;

use leptos::config::LeptosOptions;

/// The paths of the built files.
pub struct SiteFiles {
    pub css: String,
    pub js: String,
    pub wasm: String,
}

impl SiteFiles {
    /// The names have a hash of the content in them, which cargo-leptos writes into a file beside the
    /// program. It is read once; leptos reads it for every page (leptos 0.8.23, hydration/mod.rs).
    pub fn of(options: &LeptosOptions) -> &'static Self {
        static FILES: OnceLock<SiteFiles> = OnceLock::new();
        FILES.get_or_init(|| {
            let hashes = if options.hash_files {
                hashes(options)
            } else {
                None
            };
            let path = |kind: &str| {
                let hash = hashes.as_deref().and_then(|hashes| {
                    hashes
                        .lines()
                        .find_map(|line| line.strip_prefix(kind)?.strip_prefix(": "))
                });
                let hash = hash.map(|hash| format!(".{}", hash.trim()));
                format!(
                    "/{}/{}{}.{kind}",
                    options.site_pkg_dir,
                    options.output_name,
                    hash.unwrap_or_default()
                )
            };
            Self {
                css: path("css"),
                js: path("js"),
                wasm: path("wasm"),
            }
        })
    }
}

fn hashes(options: &LeptosOptions) -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let file = program.parent()?.join(options.hash_file.as_ref());
    let hashes = std::fs::read_to_string(&file);
    if hashes.is_err() {
        leptos::logging::error!(
            "{} is missing: the pages go without style and script",
            file.display()
        );
    }
    hashes.ok()
}

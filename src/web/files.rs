//! The files of the built site: their names, and how long browsers may keep them.

use std::{fs, future::ready, path::Path};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    middleware::map_response,
    response::Response,
};
use leptos::config::LeptosOptions;
use tower_http::services::{ServeDir, ServeFile};

/// For a name with a hash of the content in it.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Serves the files of the site's folder.
pub fn site_files<S: Clone + Send + Sync + 'static>(options: &LeptosOptions) -> Router<S> {
    let site = &options.site_root;
    let built = ServeDir::new(format!("{site}/pkg"))
        .precompressed_br()
        .precompressed_gzip();
    let favicon = ServeFile::new(format!("{site}/favicon.svg"))
        .precompressed_br()
        .precompressed_gzip();
    let lifetime = if options.hash_files {
        FOR_EVER
    } else {
        "no-cache"
    };
    let built = Router::new().nest_service("/pkg", built);
    let favicon = Router::new().route_service("/favicon.svg", favicon);
    with_lifetime(built, lifetime).merge(with_lifetime(favicon, "public, max-age=86400"))
}

/// Says how long browsers may keep these files, and that the bytes depend on the encodings a browser
/// takes. An error is never kept: another instance may have the file already.
pub fn with_lifetime<S: Clone + Send + Sync + 'static>(
    files: Router<S>,
    lifetime: &'static str,
) -> Router<S> {
    files.layer(map_response(move |mut response: Response| {
        let lifetime = match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => lifetime,
            _ => "no-store",
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        ready(response)
    }))
}

/// The paths of the built files.
#[derive(Clone)]
pub struct SiteFiles {
    pub css: String,
    pub js: String,
    pub wasm: String,
}

impl SiteFiles {
    /// Finds the files in the site's folder. Their names have a hash of the content in them; without
    /// `hash_files`, as in a debug build, they have none, and the folder may be missing.
    ///
    /// The hash file beside the program decides only when the folder has files of several builds.
    ///
    /// # Errors
    /// Returns a sentence with its cure: a file is missing, or nothing says which one is right.
    pub fn find(options: &LeptosOptions) -> Result<Self, String> {
        let folder = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
        let path = |kind: &str| {
            let name = if options.hash_files {
                hashed_name(options, &folder, kind)?
            } else {
                name(options, kind)
            };
            Ok::<_, String>(path(options, &name))
        };
        Ok(Self {
            css: path("css")?,
            js: path("js")?,
            wasm: path("wasm")?,
        })
    }

    /// The same, with names without a hash when the files are not found.
    pub fn of(options: &LeptosOptions) -> Self {
        Self::find(options).unwrap_or_else(|error| {
            tracing::error!("{error}");
            let path = |kind: &str| path(options, &name(options, kind));
            Self {
                css: path("css"),
                js: path("js"),
                wasm: path("wasm"),
            }
        })
    }
}

fn path(options: &LeptosOptions, name: &str) -> String {
    format!("/{}/{name}", options.site_pkg_dir)
}

fn name(options: &LeptosOptions, kind: &str) -> String {
    format!("{}.{kind}", options.output_name)
}

fn hashed_name(options: &LeptosOptions, folder: &Path, kind: &str) -> Result<String, String> {
    let is_built = |name: &String| {
        let rest = name.strip_prefix(&*options.output_name);
        let hash = rest.and_then(|rest| {
            rest.strip_prefix('.')?
                .strip_suffix(kind)?
                .strip_suffix('.')
        });
        hash.is_some_and(|hash| !hash.is_empty() && !hash.contains('.'))
    };
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let mut built: Vec<String> = names.filter(is_built).collect();
    let (root, folder) = (&options.site_root, folder.display());
    let output = &options.output_name;
    match built.len() {
        0 => Err(format!(
            "LEPTOS_SITE_ROOT is \"{root}\", but there is no {output}.<hash>.{kind} in {folder}. Copy the folder \
             target/site of the build that this program is from, and set LEPTOS_SITE_ROOT to it."
        )),
        1 => Ok(built.remove(0)),
        _ => {
            let is_named = |hash: &String| {
                let name = format!("{output}.{hash}.{kind}");
                built.contains(&name).then_some(name)
            };
            hash_of(options, kind).as_ref().and_then(is_named).ok_or_else(|| {
                format!(
                    "LEPTOS_SITE_ROOT is \"{root}\", and {folder} has several {output}.<hash>.{kind}. Delete \
                     those of other builds, or copy the build's {} beside this program: it decides.",
                    options.hash_file
                )
            })
        }
    }
}

/// The hash in the file that cargo-leptos writes beside the program, with a line such as `css: …`.
fn hash_of(options: &LeptosOptions, kind: &str) -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let hashes = fs::read_to_string(program.parent()?.join(&*options.hash_file)).ok()?;
    let hash = hashes
        .lines()
        .find_map(|line| line.strip_prefix(kind)?.strip_prefix(": "))?;
    Some(hash.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(files: &[&str], test: &str) -> Result<SiteFiles, String> {
        let name = format!("race-bib-site-{test}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let folder = root.join("pkg");
        fs::create_dir_all(&folder).expect("a folder");
        for file in files {
            fs::write(folder.join(file), "").expect("a file");
        }
        let options = LeptosOptions::builder()
            .output_name("race-bib")
            .site_root(root.display().to_string())
            // No hash file of a build.
            .hash_file("none.txt".into())
            .hash_files(true)
            .build();
        let found = SiteFiles::find(&options);
        fs::remove_dir_all(root).expect("removed");
        found
    }

    #[test]
    fn the_only_files_of_a_folder_are_found_without_a_hash_file() {
        let files = [
            "race-bib.a_1-Z.css",
            "race-bib.a_1-Z.css.br",
            "race-bib.b.js",
            "race-bib.b.js.gz",
            "race-bib.css",
            "race-bib.c.wasm",
            "other.d.wasm",
        ];
        let found = find(&files, "one").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found.css, "/pkg/race-bib.a_1-Z.css");
        assert_eq!(found.js, "/pkg/race-bib.b.js");
        assert_eq!(found.wasm, "/pkg/race-bib.c.wasm");
    }

    #[test]
    fn files_that_are_missing_or_of_several_builds_are_told_with_the_cure() {
        let missing = find(&["race-bib.a.css", "race-bib.b.js"], "missing");
        let complaint = missing.err().expect("refused");
        assert!(complaint.contains("wasm") && complaint.contains("LEPTOS_SITE_ROOT"));
        let several = find(&["race-bib.a.css", "race-bib.b.css"], "several");
        let complaint = several.err().expect("refused");
        assert!(complaint.contains("several") && complaint.contains("none.txt"));
    }
}

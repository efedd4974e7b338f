//! What becomes of messages when requests come at once, and when a browser only prefetches a page.

use std::{fmt::Write as _, fs};

use anyhow::Result;
use hyper::{Method, body::Bytes};
use memchr::memmem;
use tokio::task::JoinSet;
use xshell::cmd;
use xtask::command::{read, root, shell};

use crate::{
    contender::Contender,
    load::{Site, Visitor},
};

/// The tabs that push at once, and how many messages each of them pushes.
const PUSHES: (usize, usize) = (20, 10);

/// The tabs that load a page at once after that.
const PAGES: usize = 8;

/// Tries all but the floor, and writes bench/KEPT.md.
pub async fn write(contenders: &[Contender]) -> Result<()> {
    let sh = shell()?;
    let (tabs, each) = PUSHES;
    let mut text = format!(
        "# What becomes of messages\n\n`cargo xtask bench kept`, {}. In one session, {tabs} tabs push {each} messages \
         each at the same time; then {PAGES} tabs load a page at once, and one more page follows. After that a \
         message waits while a browser prefetches the page, and while a program asks for its head alone.\n\n\
         | | pushed | shown once | lost | shown more than once | after a prefetch | after a `HEAD` |\n\
         |---|---|---|---|---|---|---|\n",
        read(cmd!(sh, "git log -1 '--format=commit %h'")).unwrap_or_default()
    );
    for contender in contenders.iter().filter(|one| one.name != "floor") {
        let site = &contender.site;
        let [once, lost, more] = at_once(site).await?;
        let prefetch = after(site, Method::GET, &[("sec-purpose", "prefetch")]).await?;
        let head = after(site, Method::HEAD, &[]).await?;
        let words = |is_shown| if is_shown { "shown" } else { "lost" };
        let line = format!(
            "| {} | {} | {once} | {lost} | {more} | {} | {} |",
            contender.name,
            tabs * each,
            words(prefetch),
            words(head),
        );
        println!("{line}");
        writeln!(text, "{line}")?;
    }
    Ok(fs::write(root().join("bench/KEPT.md"), text)?)
}

/// Returns how many messages were shown once, never, and more than once.
async fn at_once(site: &Site) -> Result<[usize; 3]> {
    let mut visitor = Visitor::connect(site, 0).await?;
    let (_, page) = visitor.post().await?;
    visitor.send(Method::GET, &page, "").await?;

    let mut pushing = JoinSet::new();
    for number in 1..=PUSHES.0 {
        let mut tab = visitor.tab(number).await?;
        pushing.spawn(async move {
            let mut texts = Vec::new();
            for _ in 0..PUSHES.1 {
                texts.push(tab.post().await?.0);
            }
            anyhow::Ok(texts)
        });
    }
    let mut texts = Vec::new();
    while let Some(pushed) = pushing.join_next().await {
        texts.extend(pushed??);
    }

    let mut loading = JoinSet::new();
    for number in 0..PAGES {
        let (mut tab, page) = (visitor.tab(number).await?, page.clone());
        loading.spawn(async move { tab.send(Method::GET, &page, "").await });
    }
    let mut pages = Vec::new();
    while let Some(loaded) = loading.join_next().await {
        pages.push(loaded??.1);
    }
    pages.push(visitor.send(Method::GET, &page, "").await?.1);

    let times = |text: &String| {
        let has_it = |page: &&Bytes| memmem::find(page, text.as_bytes()).is_some();
        pages.iter().filter(has_it).count()
    };
    let times: Vec<_> = texts.iter().map(times).collect();
    let count = |is_it: fn(usize) -> bool| times.iter().filter(|times| is_it(**times)).count();
    Ok([count(|n| n == 1), count(|n| n == 0), count(|n| n > 1)])
}

/// Returns whether a message is shown after a request that no person sees.
async fn after(site: &Site, method: Method, headers: &[(&str, &str)]) -> Result<bool> {
    let mut visitor = Visitor::connect(site, 0).await?;
    let (text, page) = visitor.post().await?;
    visitor.send_with(method, &page, "", headers).await?;
    let (_, body) = visitor.send(Method::GET, &page, "").await?;
    Ok(memmem::find(&body, text.as_bytes()).is_some())
}

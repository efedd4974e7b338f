//! A specification: random histories of several visitors, checked against a model.

use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use crate::support::{Result, Server, Visitor, texts};

/// What a visitor does.
#[derive(Clone, Debug)]
enum Action {
    Push,
    PushAndFollow,
    Page,
    PagesAtOnce(u8),
    Hops,
    Fails,
    Silent,
    /// The request is dropped after so many milliseconds of a page of 300.
    Abandoned(u8),
    RenewId,
}

fn action() -> impl Strategy<Value = (usize, Action)> {
    let action = prop_oneof![
        4 => Just(Action::Push),
        2 => Just(Action::PushAndFollow),
        3 => Just(Action::Page),
        2 => (2..5u8).prop_map(Action::PagesAtOnce),
        1 => Just(Action::Hops),
        1 => Just(Action::Fails),
        1 => Just(Action::Silent),
        1 => (1..40u8).prop_map(Action::Abandoned),
        1 => Just(Action::RenewId),
    ];
    (0..3usize, action)
}

/// The messages of a session that are pushed and not shown yet.
#[derive(Default)]
struct Model {
    waiting: Vec<String>,
    shown: HashSet<String>,
    pushes: usize,
}

impl Model {
    fn pushed(&mut self, text: String) {
        self.waiting.push(text);
    }

    /// A page showed exactly what waited, in order.
    fn one_page(&mut self, shown: &[String]) {
        assert_eq!(
            shown, self.waiting,
            "one page shows all that waits, in order"
        );
        self.all_shown(shown);
    }

    fn all_shown(&mut self, shown: &[String]) {
        for text in shown {
            assert!(self.shown.insert(text.clone()), "{text} is shown twice");
        }
        self.waiting.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_message_is_shown_once_in_order_to_its_own_session(
        history in prop::collection::vec(action(), 1..25)
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(run(history)).expect("the server answers");
    }
}

async fn run(history: Vec<(usize, Action)>) -> Result {
    let server = Server::start().await?;
    let visitors: Vec<_> = (0..3).map(|_| Visitor::new(server.address)).collect();
    let mut models: Vec<Model> = visitors.iter().map(|_| Model::default()).collect();
    for (who, action) in history {
        step(&visitors[who], &mut models[who], who, action).await?;
    }
    for (visitor, model) in visitors.iter().zip(&mut models) {
        model.one_page(&visitor.messages("/page").await?);
        assert!(visitor.messages("/page").await?.is_empty());
    }
    server.flash.flush().await;
    assert_eq!(server.stored().await?, 0);
    Ok(())
}

async fn step(visitor: &Visitor, model: &mut Model, who: usize, action: Action) -> Result {
    let mut text = || {
        model.pushes += 1;
        format!("{who}-{}", model.pushes)
    };
    match action {
        Action::Push => {
            let text = text();
            visitor.push(&text).await?;
            model.pushed(text);
        }
        Action::PushAndFollow => {
            let text = text();
            let response = visitor.post(&format!("/push/info/{text}")).await?;
            model.pushed(text);
            model.one_page(&visitor.follow(response).await?);
        }
        Action::Page => model.one_page(&visitor.messages("/page").await?),
        Action::PagesAtOnce(pages) => {
            let pages = (0..pages).map(|_| visitor.messages("/page"));
            let mut shown = futures::future::try_join_all(pages).await?;
            // Any of them may be first; each shows its part in order.
            let order = |text: &String| model.waiting.iter().position(|waiting| waiting == text);
            assert!(shown.iter().all(|page| page.iter().map(order).is_sorted()));
            shown.sort_by_key(|page| page.first().and_then(order));
            let mut all = shown.concat();
            all.sort_by_key(order);
            model.one_page(&all);
        }
        Action::Hops => {
            let chain = visitor.get("/hop/1").await?;
            let shown = visitor.follow(chain).await?;
            let (before, hops) = shown.split_at(shown.len().saturating_sub(3));
            assert_eq!(hops, ["hop 1", "hop 2", "hop 3"]);
            model.one_page(before);
        }
        Action::Fails | Action::Silent => {
            let path = if matches!(action, Action::Fails) {
                "/fails"
            } else {
                "/silent"
            };
            visitor.get(path).await?.text().await?;
        }
        Action::Abandoned(after) => {
            let page = visitor.get("/slow");
            let page = tokio::time::timeout(Duration::from_millis(after.into()), page).await;
            assert!(page.is_err(), "the page takes longer");
            // The server notices, and gives back in a task of its own.
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        Action::RenewId => {
            let response = visitor.post("/login").await?;
            let page = visitor.get("/page").await?;
            drop(response);
            let shown = texts(&page.text().await?);
            let (last, before) = shown.split_last().ok_or("a message")?;
            assert_eq!(last, "logged in");
            model.one_page(before);
        }
    }
    Ok(())
}

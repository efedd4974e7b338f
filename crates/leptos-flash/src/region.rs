//! Renders the region of the messages on a page, around a look that is the app's.

use flash_messages::{FlashMessage, Level};
use leptos::{prelude::*, server_fn::ServerFn, tachys::html::islands::Island};

use crate::{
    dismiss::DismissFlash,
    list::FlashMessages,
    platform,
    words::{FlashWords, LOADING},
};

/// The region of the messages, with all that it does and no look. Render it once, above your routes.
/// [`FlashGroup`](crate::FlashGroup) is a region with a look.
///
/// Its child renders the inside of one message. The server renders it; the browser fills a copy of it
/// for messages that arrive without a page load. So parts that differ from message to message are slots:
///
/// | slot | what the browser puts there |
/// |---|---|
/// | `data-flash-slot="text"` | the text |
/// | `data-flash-slot="title"` | the title; without a title the slot is removed |
/// | `data-flash-slot="link"` | the text and the `href` of the link; without a link the slot is removed |
/// | `data-flash-slot="stays"` | nothing; the slot is removed unless the message is sticky |
/// | `data-flash-slot="word"` | the word for the level |
///
/// The browser also gives the slots of its copies the class `flash-<slot>`.
///
/// A button that dismisses the message is `<button name="dismiss" value=message.id data-flash-dismiss>`. It
/// works without JavaScript, too.
///
/// ```
/// use leptos::prelude::*;
/// use leptos_flash::FlashRegion;
///
/// # #[component]
/// # fn Example() -> impl IntoView {
/// view! {
///     <FlashRegion let:message>
///         <p data-flash-slot="text">{message.text}</p>
///         <button name="dismiss" value=message.id data-flash-dismiss>"Dismiss"</button>
///     </FlashRegion>
/// }
/// # }
/// ```
///
/// In an app with islands nothing in the region is hydrated, so no translation, phone or extension that
/// changes the page can break it. A fully hydrated app calls [`provide_flash`](crate::provide_flash)
/// first. There the region is hydrated.
#[component]
pub fn FlashRegion<F, V>(
    /// Renders the inside of a message.
    children: F,
    /// The words of the region. Default: English.
    #[prop(optional)]
    words: FlashWords,
    /// The maximum number of messages on screen; the others wait, errors first, and a button shows them.
    /// They end with the page, as those on screen do. 0 means no maximum. Without JavaScript all are
    /// shown. Default: 5.
    #[prop(default = 5)]
    limit: usize,
    /// Shows equal messages as one with a count. Default: false.
    #[prop(optional)]
    count_duplicates: bool,
    /// Shows an error if a call fails and brings no message. Default: true.
    #[prop(default = true)]
    show_failures: bool,
    /// The attribute `data-flash-position`, for a style sheet. Default: none.
    #[prop(optional)]
    position: Option<&'static str>,
) -> impl IntoView
where
    F: Fn(FlashMessage) -> V + Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let list = use_context::<FlashMessages>();
    let groups = match list {
        Some(list) => grouped(list.get_untracked(), false),
        None => grouped(platform::page_messages(), count_duplicates),
    };
    let any = !groups.is_empty();
    let shown: Vec<String> = groups.iter().map(Group::ids).collect();
    let (items, templates) = match list {
        Some(list) => {
            let words = words.clone();
            let items = view! {
                <For each=move || list.get() key=FlashMessage::identity let:message>
                    {item(message.into(), &words, &children)}
                </For>
            };
            // The list renders what arrives.
            (items.into_any(), None)
        }
        None => {
            let item = |group| item(group, &words, &children);
            let items = groups.into_iter().map(item).collect_view();
            (items.into_any(), Some(templates(&words, &children)))
        }
    };
    let section = view! {
        {any.then(|| view! { <script type="module" src=platform::note_shown_path()></script> })}
        <section
            class="flashes"
            id="flashes"
            aria-label=words.region
            tabindex="-1"
            data-flash-region
            data-flash-position=position
            data-flash-limit=limit
            data-flash-count=count_duplicates
            data-flash-time=platform::reading_time().map(|time| time.as_str())
            data-flash-more=words.more
            data-flash-lost=words.lost
            data-flash-failed=show_failures.then_some(words.failed)
        >
            <form method="post" action=DismissFlash::PATH>
                // Without JavaScript the form brings them back: what is not dismissed stays.
                <input type="hidden" name="shown" value=shown.join(",") />
                // Safari needs the role: it takes a list without bullets for none.
                <ul role="list">{items}</ul>
                <div class="flash-buttons">
                    <button type="button" class="flash-more" data-flash-more-button hidden></button>
                    <button class="flash-dismiss-all" name="dismiss" value="all" data-flash-dismiss>
                        {words.dismiss_all}
                    </button>
                </div>
            </form>
            {templates}
            // Empty in the first HTML: a screen reader announces only what changes. Not atomic: a text that
            // stands there already is not read again with the next one.
            <div class="flash-status" data-flash-status role="status" aria-atomic="false"></div>
            <div class="flash-status" data-flash-status role="alert" aria-atomic="false"></div>
        </section>
    };
    match list {
        Some(_) => {
            Effect::new(platform::come_alive);
            section.into_any()
        }
        None => Island::new(ISLAND, section).into_any(),
    }
}

/// The name of the island: the browser calls the function of this name, in `browser/region.rs`. The server
/// renders all in the island, and nothing in it is hydrated. So it is no `#[island]`, whose code would make a
/// page without other islands 7 KB larger, in brotli.
const ISLAND: &str = "FlashIsland";

/// A message, and the ids of the messages that are equal to it.
struct Group {
    message: FlashMessage,
    also: Vec<i64>,
}

impl From<FlashMessage> for Group {
    fn from(message: FlashMessage) -> Self {
        let also = Vec::new();
        Self { message, also }
    }
}

impl Group {
    /// Returns whether a message says the same. A sticky one stays by itself.
    fn holds(&self, other: &FlashMessage) -> bool {
        let mut other = other.clone();
        (other.id, other.scope) = (self.message.id, self.message.scope);
        other.auto_dismiss = self.message.auto_dismiss;
        !other.sticky && self.message == other
    }

    /// Returns the ids, joined by `+`.
    fn ids(&self) -> String {
        let ids = [self.message.id]
            .into_iter()
            .chain(self.also.iter().copied());
        ids.map(|id| id.to_string()).collect::<Vec<_>>().join("+")
    }
}

fn grouped(messages: Vec<FlashMessage>, count_duplicates: bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for message in messages {
        let same = groups.iter_mut().find(|group| group.holds(&message));
        match same.filter(|_| count_duplicates) {
            Some(group) => group.also.push(message.id),
            None => groups.push(message.into()),
        }
    }
    groups
}

fn item<F, V>(group: Group, words: &FlashWords, children: &F) -> impl IntoView + use<F, V>
where
    F: Fn(FlashMessage) -> V,
    V: IntoView,
{
    let Group { message, also } = group;
    let FlashMessage {
        id, scope, sticky, ..
    } = message;
    let level = message.level.to_string();
    let word = words.level(&message.level);
    let key = message.key.clone();
    let after = milliseconds(&message);
    let times = (!also.is_empty()).then(|| also.len() + 1);
    let also: Vec<_> = also.iter().map(i64::to_string).collect();
    view! {
        <li
            class=format!("flash flash-{level}")
            class:flash-sticky=sticky
            data-flash-id=id
            data-flash-scope=scope.to_string()
            data-flash-also=times.map(|_| also.join(","))
            data-flash-times=times
            data-flash-level=level
            data-flash-word=word
            data-flash-key=key
            data-flash-sticky=sticky
            data-flash-after=after
        >
            {children(message)}
        </li>
    }
}

/// Renders a template for each level, and one for custom levels. The browser gives a copy what it has
/// not: class, id and the contents of the slots.
fn templates<F, V>(words: &FlashWords, children: &F) -> impl IntoView + use<F, V>
where
    F: Fn(FlashMessage) -> V,
    V: IntoView,
{
    let levels = ["info", "success", "warning", "error", LOADING, OTHER];
    let template = |name: &'static str| {
        let level = name.parse().unwrap_or(Level::Info);
        let word = words.level(&level);
        // All slots are there, with the placeholder that the name of the button has.
        let message = FlashMessage::new(level, TEXT)
            .title(TEXT)
            .link("/", TEXT)
            .sticky();
        view! {
            <template data-flash-template=name>
                <li data-flash-level=name data-flash-word=word>{children(message)}</li>
            </template>
        }
    };
    levels.map(template).collect_view()
}

/// The template for custom levels, and the placeholder for their name.
pub(crate) const OTHER: &str = "flash-other";

/// The placeholder for the text of a message.
pub(crate) const TEXT: &str = "{text}";

/// Returns the auto-dismiss delay at the reader's own pace.
pub(crate) fn milliseconds(message: &FlashMessage) -> Option<u64> {
    let delay = message.auto_dismiss_after()?;
    let delay = match platform::reading_time() {
        Some(time) => time.scaled(delay)?,
        None => delay,
    };
    Some(delay.as_secs() * 1000 + u64::from(delay.subsec_millis()))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::FlashGroup;

    /// Renders a region in which these messages are.
    fn items(messages: Vec<FlashMessage>, count_duplicates: bool) -> String {
        let words = FlashWords::default();
        let children = |message: FlashMessage| view! { <p>{message.text}</p> };
        let groups = grouped(messages, count_duplicates);
        let items = groups
            .into_iter()
            .map(|group| item(group, &words, &children));
        Owner::new().with(|| items.collect_view().to_html())
    }

    fn message(id: i64, text: &str) -> FlashMessage {
        let mut message = FlashMessage::info(text);
        message.id = id;
        message
    }

    /// The names of the slots in HTML, sorted.
    fn slots(html: &str) -> Vec<&str> {
        let parts = html.split("data-flash-slot=\"").skip(1);
        let mut slots: Vec<_> = parts.filter_map(|part| part.split('"').next()).collect();
        slots.sort_unstable();
        slots
    }

    #[test]
    fn equal_messages_are_one_if_the_app_asks_and_sticky_ones_never() {
        let messages = || {
            vec![
                message(1, "same"),
                message(2, "other"),
                message(3, "same"),
                message(4, "same").sticky(),
            ]
        };
        let counted = items(messages(), true);
        assert_eq!(counted.matches("data-flash-id").count(), 3, "{counted}");
        assert!(
            counted.contains("data-flash-also=\"3\" data-flash-times=\"2\""),
            "{counted}"
        );
        let links = [
            message(5, "same").link("/a", "Open"),
            message(6, "same").link("/b", "Open"),
        ];
        let keys = [message(7, "same").key("a"), message(8, "same").key("b")];
        for different in [links, keys] {
            assert_eq!(grouped(different.into(), true).len(), 2);
        }
        let each = items(messages(), false);
        assert_eq!(each.matches("data-flash-id").count(), 4, "{each}");
        assert!(!each.contains("data-flash-times"), "{each}");
        let ids = grouped(messages(), true)
            .iter()
            .map(Group::ids)
            .collect::<Vec<_>>();
        assert_eq!(ids, ["1+3", "2", "4"]);
    }

    /// Renders a page as the server does.
    async fn page<V: IntoView + 'static>(
        view: impl Fn() -> V + Clone + Send + Sync + 'static,
    ) -> String {
        // It starts the executor.
        leptos_axum::generate_route_list(|| ());
        let response = leptos_axum::render_app_async(view)(Default::default()).await;
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        String::from_utf8_lossy(&body.expect("a body")).into_owned()
    }

    #[tokio::test]
    async fn a_template_for_each_level_has_all_slots_and_nothing_that_looks_like_a_message() {
        let html = page(|| view! { <FlashGroup /> }).await;
        let templates: Vec<_> = html.split("<template").skip(1).collect();
        assert_eq!(templates.len(), 6);
        for template in &templates {
            assert_eq!(
                slots(template),
                ["link", "stays", "text", "title", "word"],
                "{template}"
            );
            assert!(template.contains("aria-label=\"Dismiss ") && template.contains(": {text}\""));
        }
        for mark in ["data-flash-id", "class=\"flash ", "class=\"flash-text"] {
            assert!(!html.contains(mark), "{mark} in {html}");
        }
    }

    #[tokio::test]
    async fn an_app_says_it_in_its_own_words() {
        let words = FlashWords {
            region: "Meldungen".into(),
            dismiss: "{level} schließen: {text}".into(),
            dismiss_all: "Alle schließen".into(),
            error: "Fehler".into(),
            ..FlashWords::default()
        };
        let html = page(move || view! { <FlashGroup words=words.clone() /> }).await;
        for word in [
            "aria-label=\"Meldungen\"",
            ">Alle schließen<",
            "data-flash-word=\"Fehler\"",
            "aria-label=\"Fehler schließen: {text}\"",
        ] {
            assert!(html.contains(word), "{word} in {html}");
        }
    }
}

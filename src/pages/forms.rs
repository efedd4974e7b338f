//! The forms of all pages.

use leptos::server_fn::ServerFn;
use leptos_flash::SetReadingTime;

use super::{
    messages::{
        PushAndFail, PushFive, PushMessage, PushOverRedirects, PushSame, PushSeven, SetLook,
    },
    race::{LeaveRace, PassCheckpoint, StartRace},
    session::{EndSession, RenewSession},
};
use crate::{components::PushByFetch, web::forms::FormTarget};

const FORMS: [FormTarget; 14] = [
    FormTarget {
        action: PushMessage::PATH,
        page: "/messages",
        required: &["level", "text"],
        optional: &["own_level", "sticky", "auto_dismiss", "link"],
    },
    FormTarget {
        action: StartRace::PATH,
        page: "/race",
        required: &["name"],
        optional: &[],
    },
    FormTarget::buttons(PushFive::PATH, "/messages"),
    FormTarget::buttons(PushSeven::PATH, "/messages"),
    FormTarget::buttons(PushSame::PATH, "/messages"),
    FormTarget::buttons(PushOverRedirects::PATH, "/messages"),
    FormTarget::buttons(SetLook::PATH, "/messages"),
    FormTarget::buttons(SetReadingTime::PATH, "/messages"),
    FormTarget::buttons(PushAndFail::PATH, "/messages"),
    FormTarget::buttons(PushByFetch::PATH, "/messages"),
    FormTarget::buttons(PassCheckpoint::PATH, "/race"),
    FormTarget::buttons(LeaveRace::PATH, "/race"),
    FormTarget::buttons(RenewSession::PATH, "/session"),
    FormTarget::buttons(EndSession::PATH, "/session"),
];

/// Returns the form that is sent to this path, if there is one.
pub fn form_at(path: &str) -> Option<&'static FormTarget> {
    FORMS.iter().find(|form| form.action == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_on_a_page_and_named_once() {
        for form in &FORMS {
            assert!(form.action.starts_with("/api/"), "{}", form.action);
            assert_eq!(form_at(form.action), Some(form));
        }
    }
}

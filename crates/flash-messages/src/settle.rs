//! What becomes of a response's leases: shown, left to the browser, or given back.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use pg_sessions::caching::set_no_store;
use tower_sessions::{
    cookie::{Cookie, SameSite, time::Duration},
    session::Id,
};

use crate::{
    clerk::{Clerk, HandOver},
    crossing::cross,
    delivered_body::{DeliveredBody, Origin},
    flash::{Carried, Flash},
    lease::Lease,
    request::{Kind, Note},
    store::Acknowledged,
    wire::{NOTED_HEADER, REDIRECT_HEADER, SHOWN_COOKIE},
};

/// Holds the leases of a request until the response's body takes them over. Dropped before that, with
/// the request's future, it gives them back. `Flash` can't do this in its own `Drop`: a background task
/// may still hold a clone.
pub(crate) struct Holding {
    pub flash: Flash,
    pub clerk: Clerk,
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.flash.settle());
    }
}

impl Holding {
    /// Decides what becomes of the request's leases, by its response.
    pub async fn settle(self, mut response: Response<Body>, origin: Origin) -> Response<Body> {
        let Carried {
            kind,
            notes,
            session,
            ..
        } = &*self.flash.0;
        let mut settled = self.flash.settle();
        let goes_on = goes_on(&response);
        if settled.shows && !goes_on && !response.status().is_server_error() {
            set_no_store(response.headers_mut());
            let mut taken = settled.taken;
            self.renew(&mut taken).await;
            if *kind == Kind::Take && taken.fits_a_note() {
                taken.leave_to_client();
            } else if !taken.is_empty() {
                let scope = taken.scope().map(|scope| scope.to_string());
                let is_noted = notes.iter().any(|note| Some(&note.scope) == scope.as_ref());
                let page = HandOver {
                    acknowledges: is_noted && taken.fits_a_note(),
                    lease: taken,
                    undoable: settled.undoable,
                    clerk: self.clerk.clone(),
                };
                response = DeliveredBody::wrap(response, page, origin);
            }
        } else {
            settled.taken.give_back().await;
        }
        if let Kind::Call { navigates_in_place } = kind {
            if goes_on && !navigates_in_place {
                // The browser loads the next page, and that one shows them.
                settled.travelling.give_back().await;
            } else {
                self.renew(&mut settled.travelling).await;
                cross(settled.travelling, settled.pushed, response.headers_mut()).await;
            }
            if let Some(session) = session.id() {
                self.acknowledge(session, response.headers_mut());
            }
        }
        forget(notes, &settled.asked_back, response.headers_mut());
        response
    }

    /// Makes a lease begin again that a slow request has used up by a third.
    async fn renew(&self, lease: &mut Lease) {
        let Carried { store, began, .. } = &*self.flash.0;
        if began.elapsed() > store.limits().lease / 3
            && let Err(error) = lease.renew().await
        {
            tracing::warn!(
                %error,
                "the lease of flash messages was not renewed; they may be shown twice"
            );
        }
    }

    /// Deletes soon what the browser says it has shown, and tells it to say so no more.
    fn acknowledge(&self, session: Id, headers: &mut HeaderMap) {
        let noted = self.flash.0.notes.iter().flat_map(|note| {
            note.ids().map(|id| Acknowledged {
                session,
                scope: note.scope.clone(),
                id,
            })
        });
        let noted: Vec<_> = noted.collect();
        if !noted.is_empty() {
            self.clerk.acknowledged(noted);
            headers.insert(NOTED_HEADER, HeaderValue::from_static("1"));
        }
    }
}

/// Returns whether the browser goes on to another page.
fn goes_on(response: &Response<Body>) -> bool {
    response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED
        || response.headers().contains_key(REDIRECT_HEADER)
}

/// Takes messages that are to be shown once more out of the browser's notes.
fn forget(notes: &[Note], asked_back: &[i64], headers: &mut HeaderMap) {
    for note in notes {
        if note.ids().any(|id| asked_back.contains(&id)) {
            let (scope, rest) = (&note.scope, note.without(asked_back));
            let cookie = Cookie::build((format!("{SHOWN_COOKIE}{scope}"), rest))
                .path("/")
                .max_age(Duration::days(1))
                .same_site(SameSite::Lax);
            if let Ok(cookie) = HeaderValue::from_str(&cookie.to_string()) {
                headers.append(header::SET_COOKIE, cookie);
                set_no_store(headers);
            }
        }
    }
}

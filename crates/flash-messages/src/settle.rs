//! Decides by the response whether a request's messages count as shown or wait again.

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use pg_sessions::caching::set_no_store;
use tower_sessions::{
    cookie::{Cookie, SameSite, time::Duration},
    session::Id,
};

use crate::{
    call_header::send_in_header,
    deletion::{Deleter, PageDelivery},
    delivered_body::{DeliveredBody, Transport},
    flash::{Flash, Inner},
    lease::Lease,
    request::{Note, RequestKind},
    store::Acknowledged,
    wire::{NOTED_HEADER, REDIRECT_HEADER, SHOWN_COOKIE},
};

/// Holds the leases of a request until its response has a body. If the request's future is dropped
/// before that, the messages wait again. `Flash` can't do this in its own `Drop`: a background task may
/// still hold a clone.
pub(crate) struct RequestLeases {
    pub flash: Flash,
    pub deleter: Deleter,
}

impl Drop for RequestLeases {
    fn drop(&mut self) {
        drop(self.flash.settle());
    }
}

impl RequestLeases {
    /// Settles the leases of the request:
    ///
    /// | messages | response | what happens |
    /// |---|---|---|
    /// | waited for this page | shows them | They count as shown when the body is written. |
    /// | waited for this page | redirects, fails or doesn't show them | They wait again. |
    /// | a call asks for the waiting ones | has them | They stay leased until the browser notes them. |
    /// | pushed by a call | redirects, and the browser loads the next page | They wait again. |
    /// | pushed by a call | any other | The header has them. |
    pub async fn settle(
        self,
        mut response: Response<Body>,
        transport: Transport,
    ) -> Response<Body> {
        let Inner {
            kind,
            notes,
            session,
            ..
        } = &*self.flash.0;
        let mut settled = self.flash.settle();
        let has_pushed = !settled.pushed.is_empty();
        let is_redirect = is_redirect(&response);
        if settled.shows && can_show(&response) {
            set_no_store(response.headers_mut());
            let mut taken = settled.taken_lease;
            self.renew(&mut taken).await;
            if *kind == RequestKind::Take && taken.fits_a_note() {
                taken.leave_to_browser();
            } else if !taken.is_empty() {
                let scope = taken.scope().map(|scope| scope.to_string());
                let is_noted = notes.iter().any(|note| Some(&note.scope) == scope.as_ref());
                let page = PageDelivery {
                    acknowledges: is_noted && taken.fits_a_note(),
                    lease: taken,
                    undoable: settled.undoable,
                    deleter: self.deleter.clone(),
                };
                response = DeliveredBody::wrap(response, page, transport);
            }
        } else {
            settled.taken_lease.give_back().await;
        }
        if let RequestKind::Call { navigates_in_place } = kind {
            if is_redirect && !navigates_in_place {
                // The browser loads the next page, which shows them.
                settled.pushed_lease.give_back().await;
            } else {
                self.renew(&mut settled.pushed_lease).await;
                let (lease, pushed) = (settled.pushed_lease, settled.pushed);
                send_in_header(lease, pushed, response.headers_mut()).await;
            }
            if let Some(session) = session.id() {
                self.acknowledge(session, response.headers_mut());
            }
        }
        remove_from_notes(notes, &settled.asked_back, response.headers_mut());
        if has_pushed {
            drop_pages_loaded_ahead(response.headers_mut());
        }
        response
    }

    /// Renews a lease if the request has used up a third of it.
    async fn renew(&self, lease: &mut Lease) {
        let Inner { store, began, .. } = &*self.flash.0;
        if began.elapsed() > store.limits().lease / 3
            && let Err(error) = lease.renew().await
        {
            tracing::warn!(
                %error,
                "the lease of flash messages was not renewed; they may be shown twice"
            );
        }
    }

    /// Deletes the messages soon that the browser has noted as shown, and tells it to drop those notes.
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
            self.deleter.delete_acknowledged(noted);
            headers.insert(NOTED_HEADER, HeaderValue::from_static("1"));
        }
    }
}

/// Has the browser drop the pages that it has prefetched or prerendered: they lack the message that was
/// pushed now. Chromium does it (tried with 156: it shows the old page otherwise); others ignore the
/// header, as Chromium does over plain HTTP (<https://w3c.github.io/webappsec-clear-site-data/>).
fn drop_pages_loaded_ahead(headers: &mut HeaderMap) {
    const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
    let pages = HeaderValue::from_static("\"prefetchCache\", \"prerenderCache\"");
    headers.entry(CLEAR_SITE_DATA).or_insert(pages);
}

/// Returns whether the response leads the browser to another page.
/// Returns whether a response is a page that shows its messages. Otherwise they wait for the next one.
pub(crate) fn can_show<B>(response: &Response<B>) -> bool {
    !is_redirect(response) && !response.status().is_server_error()
}

fn is_redirect<B>(response: &Response<B>) -> bool {
    response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED
        || response.headers().contains_key(REDIRECT_HEADER)
}

/// Removes messages from the browser's notes that a later page is to show again.
fn remove_from_notes(notes: &[Note], asked_back: &[i64], headers: &mut HeaderMap) {
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

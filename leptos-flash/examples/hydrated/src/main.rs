#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use axum::{Router, serve::ListenerExt};
    use hydrated::{App, shell};
    use leptos::config::LeptosOptions;
    use leptos_axum::{LeptosRoutes, file_and_error_handler, generate_route_list};
    use leptos_flash::{FlashLayer, FlashStore, PostgresSessionStore};
    use tokio::net::TcpListener;
    use tower_http::services::ServeDir;
    use tower_sessions::{SessionManagerLayer, cookie::SameSite};

    let pool = sqlx::PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    let session_store = PostgresSessionStore::new(pool.clone());
    session_store.migrate().await?;
    let flash_store = FlashStore::new(&session_store);
    flash_store.migrate().await?;

    let options = LeptosOptions::builder()
        .output_name("hydrated")
        .site_root("target/hydrated")
        .site_addr(std::env::var("LEPTOS_SITE_ADDR")?.parse::<std::net::SocketAddr>()?)
        .build();
    let address = options.site_addr;
    let app = Router::new()
        .leptos_routes(&options, generate_route_list(App), {
            let options = options.clone();
            move || shell(options.clone())
        })
        .fallback(file_and_error_handler(shell))
        .layer(FlashLayer::new(flash_store))
        .layer(
            SessionManagerLayer::new(session_store)
                .with_secure(false)
                .with_same_site(SameSite::Lax),
        )
        .nest_service("/pkg", ServeDir::new("target/hydrated/pkg"))
        .with_state(options);
    let listener = TcpListener::bind(address).await?;
    // The end of a page with messages is a packet of its own.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, app).await?;
    Ok(())
}

/// The browser's side is lib.rs.
#[cfg(not(feature = "ssr"))]
fn main() {}

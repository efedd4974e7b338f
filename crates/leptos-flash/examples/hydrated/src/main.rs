#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use axum::Router;
    use hydrated::{App, shell};
    use leptos::config::LeptosOptions;
    use leptos_axum::{LeptosRoutes, file_and_error_handler, generate_route_list};
    use leptos_flash::{
        FlashLayer, FlashListener, FlashStore, PostgresSessionStore, SessionLayer, with_connection,
    };
    use tokio::net::TcpListener;
    use tower_http::services::ServeDir;
    use tower_sessions::cookie::{Cookie, SameSite};

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
        .layer(SessionLayer::new(
            session_store,
            Cookie::build("id")
                .path("/")
                .http_only(true)
                .same_site(SameSite::Lax)
                .build(),
        ))
        .nest_service("/pkg", ServeDir::new("target/hydrated/pkg"))
        .with_state(options);
    let listener = FlashListener::new(TcpListener::bind(address).await?);
    axum::serve(listener, with_connection(app)).await?;
    Ok(())
}

/// The browser's side is lib.rs.
#[cfg(not(feature = "ssr"))]
fn main() {}

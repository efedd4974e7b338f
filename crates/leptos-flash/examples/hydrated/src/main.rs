#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use axum::Router;
    use hydrated::{App, shell};
    use leptos::config::LeptosOptions;
    use leptos_axum::{LeptosRoutes, file_and_error_handler, generate_route_list};
    use leptos_flash::{
        FlashLayer, FlashStore, PostgresSessionStore,
        cookie::{Cookie, SameSite},
    };
    use tokio::net::TcpListener;
    use tower_http::services::ServeDir;

    let pool = sqlx::PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    let messages = FlashStore::new(PostgresSessionStore::new(pool));
    messages.migrate().await?;
    let cookie = Cookie::build("id").path("/").http_only(true);
    let flash = FlashLayer::new(messages, cookie.same_site(SameSite::Lax).build());

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
        .merge(leptos_flash::assets())
        .fallback(file_and_error_handler(shell))
        .layer(flash.clone())
        .nest_service("/pkg", ServeDir::new("target/hydrated/pkg"))
        .with_state(options);
    let listener = TcpListener::bind(address).await?;
    Ok(flash.serve(listener, app, std::future::pending()).await?)
}

/// The browser's side is lib.rs.
#[cfg(not(feature = "ssr"))]
fn main() {}

#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> std::io::Result<()> {
    use axum::Router;
    use leptos::config::LeptosOptions;
    use leptos_axum::{LeptosRoutes, generate_route_list};
    use leptos_flash::{FlashLayer, MemoryStore, cookie::Cookie};
    use tower_http::services::ServeDir;

    let address = std::env::var("LEPTOS_SITE_ADDR").unwrap_or("127.0.0.1:3000".to_owned());
    let options = LeptosOptions::builder().output_name("islands").build();
    let cookie = Cookie::build("sessionId").path("/").http_only(true);
    let flash = FlashLayer::new(MemoryStore::default(), cookie.build());
    let page = {
        let options = options.clone();
        move || islands::shell(options.clone())
    };
    let app = Router::new()
        // Without a router in the app there is one page.
        .leptos_routes(&options, generate_route_list(|| ()), page)
        .merge(leptos_flash::assets())
        .layer(flash.clone())
        .nest_service("/pkg", ServeDir::new("target/islands/pkg"))
        .with_state(options);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{address}");
    flash.serve(listener, app, std::future::pending()).await
}

/// The browser's side is lib.rs.
#[cfg(not(feature = "ssr"))]
fn main() {}

const start = async () => {
  const { href: js } = document.querySelector('link[rel=modulepreload]');
  const { href: wasm } = document.querySelector('link[as=fetch]');
  const app = await import(js);
  await app.default({ module_or_path: wasm });
  app.hydrate();
  for (const island of document.querySelectorAll('leptos-island')) {
    const copy = island.cloneNode(true);
    try {
      app[island.dataset.component](island);
    } catch (error) {
      console.error(error);
      island.replaceWith(copy);
      // The island that failed has left its reactive owner as the current one.
      app.hydrate();
    }
  }
};
window.requestIdleCallback ? requestIdleCallback(start, { timeout: 500 }) : start();
